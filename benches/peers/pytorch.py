"""The work of `benches/src/bin/peers.rs` in PyTorch: python pytorch.py THREADS

Prints one JSON row per workload: {"name": ..., "us": ...}, the median time of a call.
"""
import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn, optim

torch.set_num_threads(int(sys.argv[1]))


def measure(name, seconds, work):
    start = time.perf_counter()
    while time.perf_counter() - start < seconds / 4:
        work()
    once = time.perf_counter()
    work()
    batch = math.ceil(2e-5 / max(time.perf_counter() - once, 1e-9))
    times = []
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 3:
        one = time.perf_counter()
        for _ in range(batch):
            work()
        times.append((time.perf_counter() - one) * 1e6 / batch)
    print(json.dumps({"name": name, "us": round(statistics.median(times), 4)}), flush=True)


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


def step(model, criterion, optimizer, inputs, targets):
    def work():
        loss = criterion(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return work


a, b = torch.rand(4), torch.rand(4)
measure("add of two [4]", 0.3, lambda: a + b)
recorded = torch.rand(4, requires_grad=True)
measure("add of two [4], recorded", 0.3, lambda: recorded + b)
large = torch.randn(4 << 20)
measure("relu of 4 Mi", 0.5, lambda: large.relu())
measure("exp of 4 Mi", 0.5, lambda: large.exp())
measure("gelu of 4 Mi", 0.5, lambda: F.gelu(large))
measure("sum of 4 Mi", 0.5, lambda: large.sum())
for n in (256, 512, 1024):
    p, q = torch.rand(n, n), torch.rand(n, n)
    measure(f"matmul {n}³", 1.0, lambda: p @ q)
x, w = torch.randn(16, 64, 56, 56), torch.randn(64, 64, 3, 3)
measure("conv2d [16,64,56,56]×[64,64,3,3]", 1.0, lambda: F.conv2d(x, w))



def layer(name, module, output):
    def work():
        module.zero_grad()
        output().sum().backward()

    measure(name, 2.0, work)


s = torch.randn(64, 32, 128)
lstm, gru = nn.LSTM(128, 128), nn.GRU(128, 128)
layer("LSTM 128, [64,32,128]", lstm, lambda: lstm(s)[0])
layer("GRU 128, [64,32,128]", gru, lambda: gru(s)[0])
t = torch.randn(16, 128, 256)
attention = nn.MultiheadAttention(256, 8, batch_first=True)
layer("MultiheadAttention 256/8, [16,128,256]", attention, lambda: attention(t, t, t, need_weights=False)[0])
encoder = nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.0, batch_first=True)
layer("TransformerEncoderLayer 256/8, [16,128,256]", encoder, lambda: encoder(t))

torch.manual_seed(0)
mlp = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
work = step(
    mlp, nn.CrossEntropyLoss(), optim.Adam(mlp.parameters(), lr=1e-3), torch.rand(64, 784), torch.randint(0, 10, (64,))
)
measure("SimpleNN step, batch 64", 2.0, work)
for batch in (1, 64):
    cnn = Cnn()
    work = step(
        cnn, nn.L1Loss(), optim.SGD(cnn.parameters(), lr=0.01), torch.randn(batch, 1, 32, 32), torch.randn(batch, 2)
    )
    measure(f"CNN step, batch {batch}", 2.0, work)
