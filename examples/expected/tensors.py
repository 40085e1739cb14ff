"""The tensor notebook in PyTorch: python tensors.py SEED"""
import sys

import numpy as np
import torch

torch.manual_seed(int(sys.argv[1]))
x = torch.rand(3, 2)
print(x)
y = torch.ones(x.size())
print(y)
z = x + y
print(z)
print(z[0])
print(z[:, 1:])
print(z.add(1))
print(z)
print(z.add_(1))
print(z)
print(z.size())
print(z.resize_(2, 3))
print(z)
a = np.linspace(0.0, 1.1, 12).reshape(4, 3)
b = torch.from_numpy(a)
print(b)
print(b.mul_(2))
print(np.array_equal(a, b.numpy()), a[3, 2])
