"""AlexNet's activations for a drawn picture, in PyTorch: python feature_maps.py SEED"""
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

SIDE = 224


def drawn():
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    sun = (x - 160) ** 2 + (y - 60) ** 2 < 900
    hill = 100 * (y - 120) > torch.div((x - 80) ** 2, 2, rounding_mode="trunc")
    stripe = (x + y) // 16 % 2 == 0
    sky = [120 + y // 4, 180 - y // 8, 250 - y // 2]
    planes = []
    for light, dark, pale, blue in zip([255, 220, 80], [40, 140, 60], [90, 180, 70], sky):
        ground = torch.where(stripe, dark, pale)
        planes.append(torch.where(sun, light, torch.where(hill, ground, blue)))
    return torch.stack(planes).to(torch.uint8)


torch.manual_seed(int(sys.argv[1]))
model = models.alexnet()
model.eval()
maps = []
for name, layer in model.features.named_children():
    if isinstance(layer, nn.ReLU):
        layer.register_forward_hook(lambda _, x, y, name=name: maps.append((name, y.clone())))
with torch.no_grad():
    means = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviations = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x = ((drawn().float() / 255 - means) / deviations).unsqueeze(0)
    x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    best = model(x).softmax(1).topk(3)[1]
    print(f"most likely classes: {best.flatten().tolist()}")
for name, y in maps:
    _, channels, height, width = y.shape
    print(f"features.{name}: {channels} channels of {height}x{width}, mean {y.mean():.5f}, largest {y.max():.4f}")
