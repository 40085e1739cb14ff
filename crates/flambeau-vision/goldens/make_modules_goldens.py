"""torchvision.ops' modules: writes modules.json. Run: python make_modules_goldens.py.

Of each: manual_seed(0), the module, its print and the state dict's keys; manual_seed(1), inputs by torch.randn of the shapes; in
training after manual_seed(2), which draws boxes too, its outputs: shape, some numbers, the sum of all absolute ones.
"""
import json
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torchvision import models, ops
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

MAPS = [[2, 10, 9, 8], [2, 20, 5, 4], [2, 30, 3, 2]]
CASES = {
    "conv": (lambda: ops.Conv2dNormActivation(3, 8), [[2, 3, 6, 6]]),
    "conv silu": (lambda: ops.Conv2dNormActivation(4, 8, kernel_size=5, stride=2, groups=2, norm_layer=None, activation_layer=nn.SiLU, dilation=2, inplace=False), [[2, 4, 9, 7]]),
    "conv pairs": (lambda: ops.Conv2dNormActivation(3, 4, kernel_size=(3, 5), stride=(1, 2), bias=True, activation_layer=None, norm_layer=partial(nn.GroupNorm, 2)), [[2, 3, 6, 6]]),
    "conv padding": (lambda: ops.Conv2dNormActivation(3, 4, padding=2, activation_layer=nn.Hardswish), [[2, 3, 5, 5]]),
    "conv3d": (lambda: ops.Conv3dNormActivation(3, 8), [[2, 3, 4, 6, 6]]),
    "conv3d pairs": (lambda: ops.Conv3dNormActivation(3, 4, kernel_size=(1, 3, 5), stride=(1, 2, 1), dilation=(2, 1, 1), norm_layer=None, activation_layer=nn.SiLU), [[2, 3, 4, 6, 6]]),
    "squeeze": (lambda: ops.SqueezeExcitation(8, 2), [[2, 8, 4, 4]]),
    "squeeze silu": (lambda: ops.SqueezeExcitation(8, 2, activation=nn.SiLU, scale_activation=nn.Hardsigmoid), [[2, 8, 4, 4]]),
    "mlp": (lambda: ops.MLP(4, [8, 6, 2]), [[3, 4]]),
    "mlp norm": (lambda: ops.MLP(4, [8, 2], norm_layer=nn.LayerNorm, activation_layer=nn.ReLU, inplace=True, bias=False, dropout=0.3), [[3, 4]]),
    "mlp one": (lambda: ops.MLP(4, [5], dropout=0.5), [[3, 4]]),
    "permute": (lambda: ops.Permute([0, 2, 1]), [[2, 3, 4]]),
    "depth": (lambda: ops.StochasticDepth(0.4, "row"), [[8, 3, 2]]),
    "depth batch": (lambda: ops.StochasticDepth(0.4, "batch"), [[8, 3, 2]]),
    "block": (lambda: ops.DropBlock2d(0.3, 3), [[2, 3, 7, 6]]),
    "block in place": (lambda: ops.DropBlock2d(0.3, 3, inplace=True, eps=0.1), [[2, 3, 7, 6]]),
    "frozen": (lambda: ops.FrozenBatchNorm2d(3, eps=1e-3), [[2, 3, 4, 4]]),
    "pyramid": (lambda: ops.FeaturePyramidNetwork([10, 20, 30], 5), MAPS),
    "pyramid pool": (lambda: ops.FeaturePyramidNetwork([10, 20, 30], 5, extra_blocks=LastLevelMaxPool()), MAPS),
    "pyramid p6": (lambda: ops.FeaturePyramidNetwork([10, 20, 30], 5, extra_blocks=LastLevelP6P7(30, 5), norm_layer=nn.BatchNorm2d), MAPS),
    "pyramid p5": (lambda: ops.FeaturePyramidNetwork([10, 20, 30], 6, extra_blocks=LastLevelP6P7(6, 6)), MAPS),
}
# Called with maps m0, m1, …, and boxes and image sizes of their own.
REGIONS = {
    "regions": (lambda: ops.MultiScaleRoIAlign(["m0", "m1", "m2"], 3, 2), [[2, 3, 32, 24], [2, 3, 16, 12], [2, 3, 8, 6]], [[128, 96], [120, 90]], [7, 4]),
    "regions one": (lambda: ops.MultiScaleRoIAlign(["m1"], (2, 3), -1), [[2, 3, 32, 24], [2, 3, 16, 12]], [[128, 96], [120, 90]], [3, 2]),
    "regions two": (lambda: ops.MultiScaleRoIAlign(["m0", "m2"], [2, 2], 0, canonical_scale=60, canonical_level=3), [[1, 2, 33, 24], [1, 2, 16, 12], [1, 2, 8, 6]], [[130, 96]], [9]),
    "regions none": (lambda: ops.MultiScaleRoIAlign(["m0", "m1"], 2, 2), [[1, 2, 32, 24], [1, 2, 16, 12]], [[128, 96]], [0]),
}


def regions(number, image):
    """Boxes of all sizes within an image."""
    corners, sides = torch.rand(number, 2), torch.rand(number, 2) ** 2
    size = torch.tensor([image[1], image[0]], dtype=torch.float32)
    return torch.cat([corners * size, (corners + (1 - corners) * sides) * size], 1)


def short(y):
    some = y.detach().flatten()[:: max(1, y.numel() // 7)]
    return {"shape": list(y.shape), "some": [float(v) for v in some], "sum": float(y.double().abs().sum())}


rows = []
for name, (make, shapes, *others) in (CASES | REGIONS).items():
    torch.manual_seed(0)
    module = make()
    if name == "frozen":
        for buffer in module.buffers():
            buffer.uniform_(0.5, 2)
    torch.manual_seed(1)
    x = [torch.randn(shape) for shape in shapes]
    torch.manual_seed(2)
    maps = {f"m{i}": m for i, m in enumerate(x)}
    if others:
        images, numbers = others
        with_boxes = [maps, [regions(n, image) for n, image in zip(numbers, images)], [tuple(image) for image in images]]
        y, others = {"y": module(*with_boxes)}, {"images": images, "numbers": numbers}
        rows.append({"name": name, "print": str(module), "keys": [], "shapes": shapes, "outputs": {k: short(v) for k, v in y.items()}} | others)
        continue
    y = module(maps) if len(x) > 1 else {"y": module(x[0])}
    rows.append({"name": name, "print": str(module), "keys": list(module.state_dict()), "shapes": shapes, "outputs": {k: short(v) for k, v in y.items()}})
Path(__file__).with_name("modules.json").write_text(json.dumps(rows, indent=1))
