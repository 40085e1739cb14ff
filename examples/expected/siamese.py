"""Two digits, the same or not: what examples/siamese.rs prints. python siamese.py DIGITS SEED STEPS

Mirrors pytorch/examples' siamese_network, with one residual block in place of ResNet-18.
"""
import sys
from itertools import islice

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.optim.lr_scheduler import StepLR

import digits


class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = nn.Sequential(
            nn.Conv2d(inplanes, planes, 1, stride=stride, bias=False), nn.BatchNorm2d(planes)
        )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.downsample(x))


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            BasicBlock(16, 32, 2),
            nn.AdaptiveAvgPool2d((1, 1)),
        )
        self.fc = nn.Sequential(nn.Linear(64, 256), nn.ReLU(inplace=True), nn.Linear(256, 1))
        self.sigmoid = nn.Sigmoid()
        self.trunk.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.trunk(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        output = torch.cat((self.forward_once(input1), self.forward_once(input2)), 1)
        return self.sigmoid(self.fc(output))


class Matcher(torch.utils.data.Dataset):
    """Pairs of images; those at even places show the same digit."""

    def __init__(self, folder, part):
        self.data = digits.Digits(folder, part)
        labels = torch.from_numpy(self.data.labels)
        self.grouped_examples = [(labels == i).nonzero().squeeze(1) for i in range(10)]

    def __len__(self):
        return len(self.data)

    def choose(self, digit):
        examples = self.grouped_examples[digit]
        return examples[torch.randint(len(examples), (1,)).item()].item()

    def __getitem__(self, index):
        first = torch.randint(10, (1,)).item()
        second = first
        if index % 2:
            second = (first + torch.randint(1, 10, (1,)).item()) % 10
        return self.data[self.choose(first)][0], self.data[self.choose(second)][0], float(index % 2 == 0)


folder, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
torch.manual_seed(seed)
train_loader = torch.utils.data.DataLoader(Matcher(folder, "train"), batch_size=64, shuffle=True)
test_loader = torch.utils.data.DataLoader(Matcher(folder, "t10k"), batch_size=250)
model = SiameseNetwork()
print(model)
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
criterion = nn.BCELoss()
model.train()
for batch, (images_1, images_2, targets) in enumerate(islice(train_loader, steps)):
    optimizer.zero_grad()
    outputs = model(images_1, images_2).squeeze()
    loss = criterion(outputs, targets.float())
    loss.backward()
    optimizer.step()
    print(f"Train Epoch: 1 [{batch * len(images_1)}/{len(train_loader.dataset)}]\tLoss: {loss.item():.7f}")
model.eval()
test_loss = correct = count = 0
with torch.no_grad():
    for images_1, images_2, targets in islice(test_loader, 2):
        outputs = model(images_1, images_2).squeeze()
        test_loss += criterion(outputs, targets.float()).item() * len(targets)
        correct += torch.where(outputs > 0.5, 1, 0).eq(targets).sum().item()
        count += len(targets)
print(f"Test set: Average loss: {test_loss / count:.4f}, Accuracy: {correct}/{count}")
scheduler.step()
