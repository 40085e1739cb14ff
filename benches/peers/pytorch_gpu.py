"""The work of `benches/src/bin/gpu_report` in PyTorch: python pytorch_gpu.py DEVICE < works

Reads a JSON list of [name, op, arguments, whether calls may wait together], prints a line {"peer": ...} and one line
{"name": ..., "seconds": ...} per work: the best sample's time of a call. Plain float32: TF32 is off.
"""
import json
import sys
import time


def finish(**row):
    print(json.dumps(row), flush=True)


try:
    import torch
    import torch.nn.functional as F
    from torch import nn, optim
except ImportError as error:
    finish(missing=f"no PyTorch ({error})")
    sys.exit()

device = sys.argv[1]
on_gpu = device.startswith("cuda")
if on_gpu and not torch.cuda.is_available():
    finish(missing=f"PyTorch {torch.__version__} finds no CUDA device")
    sys.exit()

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
torch.set_default_device(device)
SAMPLE_SECONDS, ROW_SECONDS, SLOW_SECONDS = 0.05, 1.5, 2.0


def synchronize():
    if on_gpu:
        torch.cuda.synchronize()


def sample(call, calls):
    synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    synchronize()
    return (time.perf_counter() - start) / calls


def measure(call, together):
    for _ in range(3):
        call()
    start = time.perf_counter()
    best = first = sample(call, 1)
    if first < SAMPLE_SECONDS and together:
        first = sample(call, 10)
    calls = min(max(int(SAMPLE_SECONDS / first), 1), 1000) if together else 1
    samples = 1
    while samples < 3 or time.perf_counter() - start < ROW_SECONDS:
        if first > SLOW_SECONDS and samples == 2:
            break
        best = min(best, sample(call, calls))
        samples += 1
    return best


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3)
        self.conv2 = nn.Conv2d(6, 16, 3)
        self.fc1 = nn.Linear(16 * 28 * 28, 512)
        self.fc2 = nn.Linear(512, 64)
        self.fc3 = nn.Linear(64, 2)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = x.view(-1, 16 * 28 * 28)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def step(model, criterion, optimizer, inputs, targets, read=False):
    def work():
        loss = criterion(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item() if read else loss

    return work


def mlp(batch, read):
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    images, labels = torch.rand(batch, 784), torch.randint(0, 10, (batch,))
    return step(model, nn.CrossEntropyLoss(), optimizer, images, labels, read)


def cnn(batch):
    model = Cnn()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    return step(model, nn.L1Loss(), optimizer, torch.randn(batch, 1, 32, 32), torch.randn(batch, 2))


def gradients(result, inputs):
    grad = torch.randn_like(result)
    return lambda: torch.autograd.grad(result, inputs, grad, retain_graph=True)


def convolution(op, args):
    batch, channels, side, filters, kernel, stride, padding, groups = args
    x = torch.randn(batch, channels, side, side)
    w = torch.randn(filters, channels // groups, kernel, kernel)

    def conv():
        return F.conv2d(x, w, None, stride, padding, 1, groups)

    if op == "conv2d":
        return conv
    of = x if op == "conv2d input gradient" else w
    of.requires_grad_()
    return gradients(conv(), [of])


def layer_norm(shape, backward):
    x, w, b = torch.randn(*shape), torch.randn(shape[1]), torch.randn(shape[1])
    if not backward:
        return lambda: F.layer_norm(x, shape[1:], w, b)
    inputs = [t.requires_grad_() for t in (x, w, b)]
    return gradients(F.layer_norm(x, shape[1:], w, b), inputs)


def prepare(op, args):
    if op.startswith("conv2d"):
        return convolution(op, args)
    if op.startswith("layer_norm"):
        return layer_norm(args, op == "layer_norm gradients")
    if op.startswith("SimpleNN step"):
        return mlp(args[0], op != "SimpleNN step")
    if op == "CNN step":
        return cnn(args[0])
    if op == "dispatches":
        x = torch.randn(64)
        return lambda: [x.add_(1.0) for _ in range(args[0])]
    if op == "readback":
        x = torch.randn(1)
        return lambda: x.item()
    if op == "matmul":
        a, b = torch.randn(args[0], args[0]), torch.randn(args[0], args[0])
        return lambda: a @ b
    x = torch.randn(*args)
    if op == "softmax gradient":
        x.requires_grad_()
        return gradients(x.softmax(-1), [x])
    if op == "add":
        y = torch.randn(*args)
        return lambda: x + y
    return {
        "copy": lambda: x.clone(),
        "relu": lambda: x.relu(),
        "sum": lambda: x.sum(),
        "softmax": lambda: x.softmax(-1),
        "sum of rows": lambda: x.sum(1),
        "sum of columns": lambda: x.sum(0),
    }[op]


def main():
    name = torch.cuda.get_device_name() if on_gpu else device
    finish(peer=f"PyTorch {torch.__version__} on {name}, TF32 off")
    torch.manual_seed(0)
    for name, op, args, together in json.load(sys.stdin):
        try:
            finish(name=name, seconds=measure(prepare(op, args), together))
        except RuntimeError as error:
            finish(name=name, error=str(error))


main()
