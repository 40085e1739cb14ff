"""A convolutional network on the digits: what examples/mnist_cnn.rs prints. python mnist_cnn.py DIGITS SEED STEPS

Mirrors pytorch/examples' mnist.
"""
import sys
from itertools import islice

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.optim.lr_scheduler import StepLR

from digits import Digits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


def normalize(images):
    return (images - 0.1307) / 0.3081


def test(model, images, labels):
    model.eval()
    with torch.no_grad():
        output = model(normalize(images))
        loss = F.nll_loss(output, labels, reduction="sum").item() / len(labels)
        correct = output.argmax(dim=1).eq(labels).sum().item()
    print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(labels)}")


folder, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
torch.manual_seed(seed)
train_loader = torch.utils.data.DataLoader(Digits(folder, "train"), batch_size=64, shuffle=True)
test_set = Digits(folder, "t10k")
model = Net()
print(model)
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
model.train()
for batch, (data, target) in enumerate(islice(train_loader, steps)):
    optimizer.zero_grad()
    loss = F.nll_loss(model(normalize(data)), target)
    loss.backward()
    optimizer.step()
    print(f"Train Epoch: 1 [{batch * len(data)}/{len(train_loader.dataset)}]\tLoss: {loss.item():.7f}")
test(model, test_set.images[:500].float().div(255).unsqueeze(1), torch.from_numpy(test_set.labels[:500]).long())
scheduler.step()
