"""The digits example in PyTorch, on a folder of IDX files: python mnist.py DATA SEED EPOCHS

Prints each epoch's line. Standard error gets the initial weights' checksum (FNV-1a over their bytes) and the first ten
losses.
"""
import sys
import time

import numpy as np
import torch
from torch import nn, optim

from digits import Digits


class SimpleNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x.view(-1, 28 * 28))))


folder, seed, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(seed)
loader = torch.utils.data.DataLoader(Digits(folder, "train"), batch_size=64, shuffle=True)
test = Digits(folder, "t10k")
model = SimpleNN()
checksum = 0xCBF29CE484222325
for parameter in model.parameters():
    for byte in parameter.detach().numpy().tobytes():
        checksum = (checksum ^ byte) * 0x100000001B3 % 2**64
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
first = []
for epoch in range(epochs):
    start, total, steps = time.time(), 0.0, 0
    for images, labels in loader:
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        steps += 1
        if len(first) < 10:
            first.append(loss.item())
    seconds = time.time() - start
    with torch.no_grad():
        predicted = model(test.images.float().div(255)).argmax(1)
        accuracy = (predicted == torch.from_numpy(test.labels.astype(np.int64))).float().mean().item()
    print(
        f"Epoch [{epoch + 1}/{epochs}], Loss: {loss.item():.4f}, mean {total / steps:.6f}, "
        f"test accuracy {accuracy:.4f}, {seconds:.2f} s"
    )
print(f"{checksum:016x}", *first, file=sys.stderr)
