"""ResNet-20 on drawn pictures of CIFAR-10's size: what examples/resnet_cifar.rs prints.

python resnet_cifar.py SEED STEPS SCHEDULE [THREADS]

Mirrors akamaster/pytorch_resnet_cifar10, in float64: in float32 batch normalisation of an untrained network makes rounding grow.
SCHEDULE is "multistep" (two passes), or "onecycle" (one pass, with label smoothing and a moving average of the weights).
"""
import sys
from itertools import islice

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.nn import init
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms

from pictures import SHAPES, Numbers, one_shape


def _weights_init(m):
    if isinstance(m, (nn.Linear, nn.Conv2d)):
        init.kaiming_normal_(m.weight)


class LambdaLayer(nn.Module):
    def __init__(self, lambd):
        super().__init__()
        self.lambd = lambd

    def forward(self, x):
        return self.lambd(x)


class BasicBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = LambdaLayer(
                lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4), "constant", 0)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        out = F.relu(out)
        return out


class ResNet(nn.Module):
    def __init__(self, block, num_blocks, num_classes=10):
        super().__init__()
        self.in_planes = 16
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._make_layer(block, 16, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(block, 32, num_blocks[1], stride=2)
        self.layer3 = self._make_layer(block, 64, num_blocks[2], stride=2)
        self.linear = nn.Linear(64, num_classes)
        self.apply(_weights_init)

    def _make_layer(self, block, planes, num_blocks, stride):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for stride in strides:
            layers.append(block(self.in_planes, planes, stride))
            self.in_planes = planes
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = self.layer3(out)
        out = F.avg_pool2d(out, out.size()[3])
        out = out.view(out.size(0), -1)
        out = self.linear(out)
        return out


class Drawn(Dataset):
    def __init__(self, numbers, count, transform):
        self.images = [one_shape(numbers, 32, SHAPES[i % 5], i % 10 < 5) for i in range(count)]
        self.transform = transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index]), index % 10


def test(name, model):
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for input, target in val_loader:
            output = model(input.double())
            loss += F.cross_entropy(output, target, reduction="sum").item()
            correct += output.argmax(1).eq(target).sum().item()
            count += len(target)
    print(f"{name}: Average loss: {loss / count:.4f}, Accuracy: {correct}/{count}")


seed, steps, onecycle = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "onecycle"
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
normalize = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
numbers = Numbers(seed)
train = transforms.Compose([
    transforms.RandomHorizontalFlip(),
    transforms.RandomCrop(32, 4),
    transforms.ToTensor(),
    normalize,
])
train_set = Drawn(numbers, 2000, train)
val_set = Drawn(numbers, 500, transforms.Compose([transforms.ToTensor(), normalize]))
torch.manual_seed(seed)
train_loader = DataLoader(train_set, batch_size=16, shuffle=True)
val_loader = DataLoader(Subset(val_set, range(64)), batch_size=16, shuffle=False)
model = ResNet(BasicBlock, [3, 3, 3]).double()
print(model)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1 if onecycle else 0.0)
optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
epochs = 1 if onecycle else 2
if onecycle:
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, epochs=epochs, steps_per_epoch=steps)
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
else:
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones=[epochs // 2, epochs * 3 // 4], gamma=0.1)
for epoch in range(1, epochs + 1):
    print(f"current lr {optimizer.param_groups[0]['lr']:.6f}")
    model.train()
    for i, (input, target) in enumerate(islice(train_loader, steps)):
        output = model(input.double())
        loss = criterion(output, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if onecycle:
            scheduler.step()
            ema.update_parameters(model)
        print(f"Train Epoch: {epoch} [{i * 16}/{len(train_set)}]\tLoss: {loss.item():.7f}")
    if not onecycle:
        scheduler.step()
    test("Test set", model)
    if onecycle:
        test("Moving average", ema)
