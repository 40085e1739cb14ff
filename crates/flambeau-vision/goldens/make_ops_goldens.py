"""What torchvision's operations give for random arguments: writes ops.jsonl.gz. Run: python make_ops_goldens.py.

A line is one call: the function, its tensors, its other arguments, and its output, the gradients of its first tensor by the sum of
output times cos(0, 1, 2, …), or the words of its error. Tensors are {"dtype", "shape", "data"}.
"""
import gzip
import json
import math
import random
import warnings
from pathlib import Path

import torch
from torchvision import ops

warnings.simplefilter("ignore")
rng = random.Random(7)
rows = []


def encode(x):
    if isinstance(x, torch.Tensor):
        # Nine digits tell single floats apart.
        short = lambda v: v if x.dtype == torch.float64 else float(f"{v:.9g}")
        number = lambda v: v if not isinstance(v, float) else short(v) if math.isfinite(v) else str(v)
        return {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": [number(v) for v in x.detach().flatten().tolist()]}
    return x


def call(name, tensors, grad=False, seed=None, **keywords):
    row = {"name": name, "tensors": [encode(t) for t in tensors], "keywords": keywords}
    if grad:
        tensors = [tensors[0].clone().requires_grad_()] + tensors[1:]
    try:
        if seed is not None:
            torch.manual_seed(seed)
            row["seed"] = seed
        y = getattr(ops, name)(*tensors, **keywords)
        row["output"] = encode(y)
        if grad:
            weights = torch.arange(y.numel(), dtype=y.dtype).cos().view(y.shape)
            (y * weights).sum().backward()
            row["grad"] = encode(tensors[0].grad)
    except Exception as error:  # the words are the golden
        # Without the place in torchvision's sources.
        row["error"] = str(error).split("\n")[0].split("nms_kernel.cpp:")[-1].lstrip("0123456789").removeprefix(", ")
    rows.append(row)


def boxes(n, fmt="xyxy", dtype=torch.float32, size=20, whole=False):
    xy = torch.rand(n, 2, dtype=torch.float64) * size
    wh = torch.rand(n, 2, dtype=torch.float64) * size / 2 + (1 if whole else 0.1)
    parts = {"xyxy": (xy, xy + wh), "xywh": (xy, wh), "cxcywh": (xy + wh / 2, wh)}[fmt]
    out = torch.cat(parts, 1)
    return (out.round() if whole else out).to(dtype)


def pick(*choices):
    return rng.choice(choices)


torch.manual_seed(0)
FORMATS = ["xyxy", "xywh", "cxcywh"]
for i in range(24):
    dtype = pick(torch.float32, torch.float32, torch.float64)
    n, m = rng.randint(0, 7), rng.randint(0, 5)
    fmt = pick(*FORMATS)
    call("box_iou", [boxes(n, fmt, dtype), boxes(m, fmt, dtype)], grad=n * m > 0, fmt=fmt)
    call("box_area", [boxes(n, fmt, dtype)], fmt=fmt)
    for name in ("generalized_box_iou", "distance_box_iou", "complete_box_iou"):
        keywords = {} if name == "generalized_box_iou" or pick(True, False) else {"eps": 1e-3}
        call(name, [boxes(n, dtype=dtype), boxes(m, dtype=dtype)], grad=n * m > 0, **keywords)
    call("box_convert", [boxes(n, fmt, pick(dtype, torch.int64), whole=True)], in_fmt=fmt, out_fmt=pick(*FORMATS))
    call("clip_boxes_to_image", [boxes(n, dtype=dtype) - 5], size=[rng.randint(1, 15), rng.randint(1, 15)])
    call("remove_small_boxes", [boxes(n, dtype=dtype)], min_size=rng.random() * 6)
    call("masks_to_boxes", [torch.rand(rng.randint(0, 4), rng.randint(1, 7), rng.randint(1, 9)) > pick(0.5, 0.9, 0.98)])
    k = rng.randint(0, 30)
    scores = torch.rand(k, dtype=dtype) if pick(True, False) else torch.randint(0, 4, (k,)).to(dtype)
    whole = pick(True, False)
    threshold = pick(0.3, 0.5, 0.7, 0.0, 1 / 3)
    call("nms", [boxes(k, dtype=dtype, whole=whole), scores], iou_threshold=threshold)
    call("batched_nms", [boxes(k, dtype=dtype, whole=whole), scores, torch.randint(0, 3, (k,))], iou_threshold=threshold)
call("nms", [boxes(3), torch.rand(4)], iou_threshold=0.5)
call("nms", [torch.rand(3, 5), torch.rand(3)], iou_threshold=0.5)
call("nms", [torch.rand(4), torch.rand(4)], iou_threshold=0.5)
call("nms", [boxes(4), torch.rand(4, 1)], iou_threshold=0.5)
call("nms", [boxes(5, whole=True)[[0, 0, 1, 1, 0]], torch.tensor([0.5, float("nan"), 0.5, 0.5, 2.0])], iou_threshold=0.5)
call("batched_nms", [boxes(1200, size=60, whole=True).clone(), torch.randperm(1200).float(), torch.randint(0, 5, (1200,))], iou_threshold=0.4)
call("box_iou", [boxes(2, dtype=torch.float16), boxes(3, dtype=torch.float16)])
call("box_iou", [boxes(2, dtype=torch.int64, whole=True), boxes(3, dtype=torch.int64, whole=True)])
call("box_area", [boxes(4, dtype=torch.int16, whole=True)])
call("box_iou", [boxes(6).view(2, 3, 4), boxes(4).view(2, 2, 4)])
call("generalized_box_iou", [boxes(6).view(2, 3, 4), boxes(4).view(2, 2, 4)])
call("complete_box_iou", [boxes(6).view(2, 3, 4), boxes(4).view(2, 2, 4)])
call("box_area", [boxes(2)], fmt="xxyy")
call("box_convert", [boxes(2)], in_fmt="xyxy", out_fmt="yxyx")

for i in range(24):
    dtype = pick(torch.float32, torch.float32, torch.float64)
    n, c, h, w = rng.randint(1, 2), rng.randint(1, 2), rng.randint(2, 7), rng.randint(2, 7)
    x = torch.randn(n, c, h, w, dtype=dtype)
    k = rng.randint(0, 4)
    b = boxes(k, dtype=dtype, size=10, whole=pick(True, False)) - pick(0, 0, 4)
    rois = torch.cat([torch.randint(0, n, (k, 1)).to(dtype), b], 1)
    size = [rng.randint(1, 3), rng.randint(1, 4)]
    scale = pick(1.0, 0.5, 0.1, 1.7)
    call("roi_align", [x, rois], grad=k > 0, output_size=size, spatial_scale=scale, sampling_ratio=pick(-1, 0, 1, 2, 3), aligned=pick(True, False))
    call("roi_pool", [x, rois], grad=k > 0, output_size=size, spatial_scale=scale)
call("roi_align", [torch.rand(1, 1, 4, 4), torch.rand(2, 4)], output_size=[2, 2])
call("roi_pool", [torch.rand(1, 1, 4, 4), torch.rand(2, 4)], output_size=[2, 2])
for alpha, gammas in {0.25: (2, 0, 0.5), 0.9: (1, 0.5), -1: (2,), 0: (2,), 1.5: (2,)}.items():
    for gamma in gammas:
        for reduction in ("none", "mean", "sum"):
            x = torch.randn(3, 4)
            call("sigmoid_focal_loss", [x, (torch.rand(3, 4) > 0.5).float()], grad=True, alpha=alpha, gamma=gamma, reduction=reduction)
call("sigmoid_focal_loss", [torch.zeros(1), torch.zeros(1)], reduction="all")
for seed in range(6):
    x = torch.randn(4, 3, 6, 5)
    for mode in ("row", "batch"):
        call("stochastic_depth", [x], grad=True, seed=seed, p=pick(0.2, 0.5, 1.0, 0.0), mode=mode, training=pick(True, True, False))
    call("drop_block2d", [x], grad=True, seed=seed, p=pick(0.1, 0.3), block_size=pick(1, 3, 5), training=pick(True, True, False))
call("stochastic_depth", [torch.zeros(1)], p=1.5, mode="row")
call("stochastic_depth", [torch.zeros(1)], p=0.5, mode="column")
call("drop_block2d", [torch.zeros(1, 1, 6, 6)], p=0.5, block_size=2)
call("drop_block2d", [torch.zeros(6, 6)], p=0.5, block_size=3)
call("drop_block2d", [torch.zeros(1, 1, 6, 6)], p=-0.5, block_size=3)
for i in range(12):
    dtype = pick(torch.float32, torch.float64)
    n = rng.randint(0, 5)
    for name in ("generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"):
        a, b = boxes(n, dtype=dtype, size=pick(4, 20)), boxes(n, dtype=dtype, size=pick(4, 20))
        keywords = {"eps": 1e-2} if pick(True, False) else {}
        call(name, [a, b], grad=n > 0, reduction=pick("none", "mean", "sum"), **keywords)
for name in ("generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"):
    one = boxes(3)
    call(name, [one, one.clone()], grad=True)
    call(name, [boxes(3, dtype=torch.int64, whole=True), boxes(3, dtype=torch.int64, whole=True)])
    call(name, [boxes(3, dtype=torch.float16), boxes(3, dtype=torch.float16)])
    call(name, [boxes(6).view(2, 3, 4), boxes(6).view(2, 3, 4)], grad=True)
    call(name, [torch.zeros(2, 4), boxes(2)], grad=True)
    call(name, [boxes(2), boxes(2)], reduction="all")
    call(name, [torch.zeros(2, 3), boxes(2)])
    call(name, [torch.zeros(2, 5), boxes(2)])

text = "\n".join(json.dumps(row) for row in rows)
Path(__file__).with_name("ops.jsonl.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
print(len(rows), "cases,", sum("error" in row for row in rows), "errors")
