"""Fits a polynomial of degree 4 with one linear layer: what examples/regression.rs prints.

Mirrors pytorch/examples, regression/main.py.
"""
import sys

import torch
import torch.nn.functional as F

DEGREE = 4
BATCH = 32


def features(x):
    """The powers x, x², …, one column each."""
    return torch.cat([x.unsqueeze(1) ** i for i in range(1, DEGREE + 1)], 1)


def describe(weight, bias):
    """The polynomial as text."""
    text = "y = "
    for i, w in enumerate(weight):
        text += f"{w:+.2f} x^{i + 1} "
    return text + f"{bias[0]:+.2f}"


def main(seed):
    torch.manual_seed(seed)
    target_weight = torch.randn(DEGREE, 1) * 5
    target_bias = torch.randn(1) * 5
    layer = torch.nn.Linear(DEGREE, 1)
    for step in range(1, 501):
        x = features(torch.randn(BATCH))
        y = x.mm(target_weight) + target_bias.item()
        layer.zero_grad()
        loss = F.smooth_l1_loss(layer(x), y)
        loss.backward()
        with torch.no_grad():
            for p in layer.parameters():
                p.add_(p.grad, alpha=-0.01)
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}")
    print("learned", describe(layer.weight.view(-1), layer.bias))
    print("actual ", describe(target_weight.view(-1), target_bias))


main(int(sys.argv[1]))
