"""An LSTM reads digits row by row: what examples/mnist_rnn.rs prints. python mnist_rnn.py DIGITS SEED STEPS

Mirrors pytorch/examples' mnist_rnn.
"""
import sys
import warnings
from itertools import islice

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.optim.lr_scheduler import StepLR

from digits import Digits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(input_size=28, hidden_size=64, batch_first=True)
        self.batchnorm = nn.BatchNorm1d(64)
        self.dropout1 = nn.Dropout2d(0.25)
        self.dropout2 = nn.Dropout2d(0.5)
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = x.reshape(-1, 28, 28)
        output, hidden = self.rnn(x)
        output = output[:, -1, :]
        output = self.batchnorm(output)
        output = self.dropout1(output)
        output = F.relu(self.fc1(output))
        output = self.dropout2(output)
        return F.log_softmax(self.fc2(output), dim=1)


def normalize(images):
    return (images - 0.1307) / 0.3081


# The script's dropout of whole channels stands after layers without channels, of which PyTorch warns.
warnings.simplefilter("ignore")
folder, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
torch.manual_seed(seed)
train_loader = torch.utils.data.DataLoader(Digits(folder, "train"), batch_size=64, shuffle=True)
test_set = Digits(folder, "t10k")
model = Net()
print(model)
optimizer = optim.Adadelta(model.parameters(), lr=0.1)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
model.train()
for batch, (data, target) in enumerate(islice(train_loader, steps)):
    optimizer.zero_grad()
    loss = F.nll_loss(model(normalize(data)), target)
    loss.backward()
    optimizer.step()
    print(f"Train Epoch: 1 [{batch * len(data)}/{len(train_loader.dataset)}]\tLoss: {loss.item():.7f}")
model.eval()
with torch.no_grad():
    labels = torch.from_numpy(test_set.labels[:500]).long()
    output = model(normalize(test_set.images[:500].float().div(255)))
    loss = F.nll_loss(output, labels, reduction="sum").item() / len(labels)
    correct = output.argmax(dim=1).eq(labels).sum().item()
    print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(labels)}")
scheduler.step()
