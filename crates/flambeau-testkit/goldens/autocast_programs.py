"""Random programs of layers, functions and a loss in a region of PyTorch's autocast on the CPU: the dtype after each step, the result, the loss and
the gradients of all parameters.

    python crates/flambeau-testkit/goldens/autocast_programs.py

writes data/autocast_programs.jsonl.gz, which ../tests/autocast.rs reads: {"seed", "width", "steps": [[name, numbers…]], "loss", "dtypes": after each
step, "out", "loss_dtype", "loss_value", "grads": [[shape, numbers]]}. Weights and inputs are what the seed draws, in the order of the steps.
"""
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.dont_write_bytecode = True
import encode
from draw import Draw

COUNT = 240
ROWS = 4
LOSSES = ["mse", "l1", "smooth_l1", "huber", "cross_entropy", "bce_logits", "nll", "kl_div", "soft_margin", "sum", "triplet", "cosine"]


def recurrent(cls):
    def make(d, width):
        out, layers = d.int(2, 5), d.int(1, 2)
        module = cls(width, out, layers)
        return [out, layers], out, module, lambda x: module(x.reshape(2, ROWS // 2, width))[0].reshape(ROWS, out)
    return make


def cell(cls):
    def make(d, width):
        out = d.int(2, 5)
        module = cls(width, out)
        return [out], out, module, lambda x: module(x)[0] if cls is nn.LSTMCell else module(x)
    return make


def linear(d, width):
    out, bias = d.int(2, 6), d.chance(0.7)
    module = nn.Linear(width, out, bias)
    return [out, int(bias)], out, module, module


def outside(d, width):
    """A layer in a part of the region where it is not enabled."""
    out = d.int(2, 6)
    module = nn.Linear(width, out)

    def run(x):
        with torch.autocast("cpu", enabled=False):
            return module(x.float())
    return [out], out, module, run


def attention(d, width):
    width_even, weights = width % 2 == 0, d.chance(0.5)
    module = nn.MultiheadAttention(width, 2 if width_even else 1)

    def run(x):
        x = x.reshape(2, ROWS // 2, width)
        return module(x, x, x, need_weights=weights)[0].reshape(ROWS, width)
    return [int(weights)], width, module, run


def convolution(d, width):
    module = nn.Conv1d(1, 1, 3, padding=1)
    return [], width, module, lambda x: module(x.unsqueeze(1)).squeeze(1)


def twice(d, width):
    """One weight used twice: the region casts it once."""
    module = nn.Linear(width, width)
    return [], width, module, lambda x: module(torch.tanh(module(x)))


def layer(make):
    def of(d, width):
        module = make(width)
        return [], width, module, module
    return of


def function(call, grows=1):
    return lambda d, width: ([], width * grows, None, call)


STEPS = {
    "linear": linear, "linear ": linear, "outside": outside, "twice": twice, "attention": attention, "conv1d": convolution,
    "lstm": recurrent(nn.LSTM), "gru": recurrent(nn.GRU), "rnn": recurrent(nn.RNN), "lstm_cell": cell(nn.LSTMCell), "gru_cell": cell(nn.GRUCell),
    "rnn_cell": cell(nn.RNNCell),
    "layer_norm": layer(nn.LayerNorm), "batch_norm": layer(nn.BatchNorm1d), "group_norm": layer(lambda width: nn.GroupNorm(1, width)),
    "rms_norm": layer(nn.RMSNorm), "prelu": layer(lambda width: nn.PReLU()),
    "relu": function(F.relu), "gelu": function(F.gelu), "silu": function(F.silu), "tanh": function(torch.tanh), "sigmoid": function(torch.sigmoid),
    "softmax": function(lambda x: F.softmax(x, -1)), "softplus": function(F.softplus), "square": function(lambda x: x ** 2),
    "exp": function(lambda x: torch.exp(torch.tanh(x))), "log1p": function(lambda x: torch.log1p(torch.sigmoid(x))),
    "cat": function(lambda x: torch.cat([x, torch.ones(ROWS, x.shape[1])], 1), 2), "stack": function(lambda x: torch.stack([x, x * 2]).sum(0)),
    "gram": function(lambda x: (x @ x.t()) @ x), "center": function(lambda x: x - x.mean(0, keepdim=True)), "normalize": function(F.normalize),
    "einsum": function(lambda x: torch.einsum("ij,kj->ik", x, x) @ x), "prod": function(lambda x: x * torch.tanh(x).prod(1, keepdim=True)),
    "cumsum": function(lambda x: torch.cumsum(x, 1)), "pairs": function(lambda x: x * torch.cdist(x, x).mean()),
    "pool": function(lambda x: F.avg_pool1d(x.unsqueeze(1), 3, 1, 1).squeeze(1)), "double": function(lambda x: (x.double() * 2).float()),
}


def loss_of(name, x):
    classes = torch.arange(ROWS) % x.shape[1]
    target = torch.full(x.shape, 0.25)
    return {
        "mse": lambda: F.mse_loss(x, target), "l1": lambda: F.l1_loss(x, target), "smooth_l1": lambda: F.smooth_l1_loss(x, target),
        "huber": lambda: F.huber_loss(x, target), "cross_entropy": lambda: F.cross_entropy(x, classes),
        "bce_logits": lambda: F.binary_cross_entropy_with_logits(x, target), "nll": lambda: F.nll_loss(F.log_softmax(x, 1), classes),
        "kl_div": lambda: F.kl_div(F.log_softmax(x, 1), target, reduction="batchmean"), "soft_margin": lambda: F.soft_margin_loss(x, target.sign()),
        "sum": lambda: (x * x).sum(), "triplet": lambda: F.triplet_margin_loss(x, target, -target),
        "cosine": lambda: F.cosine_embedding_loss(x, target, torch.ones(ROWS)),
    }[name]()


def case(i):
    d = Draw("autocast", i)
    torch.manual_seed(i)
    width = first = d.int(2, 6)
    x = torch.randn(ROWS, width)
    steps, modules, runs = [], [], []
    for _ in range(d.int(2, 6)):
        name = d(*STEPS)
        if width > 12 and name in ("cat", "gram"):
            continue
        numbers, width, module, run = STEPS[name](d, width)
        steps.append([name.strip(), *numbers])
        runs.append(run)
        if module is not None:
            modules.append(module)
    loss_name = d(*LOSSES)
    dtypes = []
    with torch.autocast("cpu"):
        for run in runs:
            x = run(x)
            dtypes.append(encode.DTYPES[x.dtype])
        loss = loss_of(loss_name, x)
    parameters = [p for m in modules for p in m.parameters()]
    if loss.requires_grad:
        loss.backward()
    flat = lambda t: [encode.Lit(f"{v:.5g}") for v in t.detach().float().reshape(-1).tolist()]
    grads = [None if p.grad is None else [encode.DTYPES[p.grad.dtype], list(p.grad.shape), flat(p.grad)] for p in parameters]
    if not all(torch.isfinite(t).all() for t in [x, loss, *[p.grad for p in parameters if p.grad is not None]]):
        return None
    return {"seed": i, "width": first, "steps": steps, "loss": loss_name, "dtypes": dtypes, "out": flat(x), "loss_dtype": encode.DTYPES[loss.dtype],
            "loss_value": flat(loss), "grads": grads}


if __name__ == "__main__":
    torch.set_num_threads(1)
    table = [c for c in map(case, range(COUNT)) if c is not None]
    encode.write(pathlib.Path(__file__).parent / "data" / "autocast_programs.jsonl.gz", table)
    counts = {}
    for c in table:
        for step in c["steps"]:
            counts[step[0]] = counts.get(step[0], 0) + 1
    print(len(table), "programs", counts)
