"""The CNN notebook in PyTorch: python cnn.py SEED"""
import sys

import torch
import torch.nn.functional as F
from torch import nn, optim


class Net(nn.Module):
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


torch.manual_seed(int(sys.argv[1]))
net = Net()
print(net)
image = torch.randn(1, 1, 32, 32)
print(image)
print(image.size())
out = net(image)
print(out)
print(out.size())
target = torch.randn(2).view(1, -1)
print(target)
criterion = nn.L1Loss()
loss = criterion(out, target)
print(loss)
net.zero_grad()
loss.backward()
optim.SGD(net.parameters(), lr=0.01).step()
out = net(image)
print(out)
print(out.size())
print(criterion(out, target))
