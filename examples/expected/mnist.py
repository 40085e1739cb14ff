"""The digits example in PyTorch, on a folder of IDX files: python mnist.py DATA SEED EPOCHS

Prints each epoch's line. Standard error gets the initial weights' checksum (FNV-1a over their bytes) and the first ten
losses.
"""
import gzip
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn, optim


def read_idx(folder, name):
    plain = pathlib.Path(folder) / name
    raw = plain.read_bytes() if plain.exists() else gzip.open(f"{plain}.gz").read()
    dims = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims).copy()


class Digits(torch.utils.data.Dataset):
    def __init__(self, folder, part):
        self.images = torch.from_numpy(read_idx(folder, f"{part}-images-idx3-ubyte"))
        self.labels = read_idx(folder, f"{part}-labels-idx1-ubyte")

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i].float().div(255).unsqueeze(0), int(self.labels[i])


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
