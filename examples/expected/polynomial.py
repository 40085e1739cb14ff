"""Fits sin(x) with a polynomial of degree 3 by autograd alone: what examples/polynomial.rs prints.

Mirrors the PyTorch tutorial "Tensors and autograd".
"""
import math
import sys

import torch


def main(seed):
    torch.manual_seed(seed)
    x = torch.linspace(-math.pi, math.pi, 2000)
    y = torch.sin(x)
    a, b, c, d = (torch.randn((), requires_grad=True) for _ in range(4))
    learning_rate = 1e-6
    for step in range(1, 2001):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        if step % 200 == 0:
            print(step, f"{loss.item():.4f}")
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c, d):
                p -= learning_rate * p.grad
                p.grad = None
    print(f"Result: y = {a:.4f} + {b:.4f} x + {c:.4f} x^2 + {d:.4f} x^3")


main(int(sys.argv[1]))
