"""Goldens of torchvision.utils: random options, results in utils.json.gz.

Run: /opt/venv/bin/python crates/flambeau-vision/goldens/utils.py
"""

import base64
import gzip
import json
import os
import random
import warnings

import numpy as np
import torch
from torchvision import utils as U

from transforms_inputs import make  # what transforms.py makes its inputs with

warnings.filterwarnings("ignore")
rng = random.Random(5)
here = os.path.dirname(os.path.abspath(__file__))
cases = []


def dump(x):
    data = base64.b64encode(x.contiguous().numpy().tobytes()).decode()
    return {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": data}


def spec(shape, kinds=("u8", "f32")):
    return {"kind": rng.choice(kinds), "shape": shape, "salt": rng.randint(1, 10**6), "range": [0, 255]}


def add(op, args, s, f):
    case = {"op": op, "args": args, "in": s}
    try:
        case["out"] = dump(f(make(s)))
    except Exception as e:
        case["error"] = str(e)
    cases.append(case)


def colour():
    return rng.choice(["red", "#0f8", "#12aBcd", "rebeccapurple", [rng.randint(0, 255) for _ in range(3)]])


def colours(n):
    return rng.choice([None, colour(), [colour() for _ in range(n)]])


def as_python(c):
    if isinstance(c, list) and len(c) == 3 and isinstance(c[0], int):
        return tuple(c)
    return [as_python(v) for v in c] if isinstance(c, list) else c


for _ in range(24):
    shape = rng.choice([[rng.randint(1, 9), rng.choice([1, 3]), 4, 5], [3, 4, 6], [1, 4, 4], [5, 4]])
    a = {"nrow": rng.randint(1, 5), "padding": rng.randint(0, 3), "normalize": rng.random() < 0.5}
    a |= {"scale_each": rng.random() < 0.5, "pad_value": rng.choice([0, 0.5, 1])}
    s = spec(shape, ("f32",) if a["normalize"] or a["pad_value"] == 0.5 else ("f32", "u8"))
    if rng.random() < 0.4:
        a["value_range"] = [0.2, 0.7]
    add("make_grid", a, s, lambda x: U.make_grid(x, **(a | {"value_range": tuple(a["value_range"])} if "value_range" in a else a)))
for _ in range(20):
    h, w = rng.randint(8, 16), rng.randint(8, 16)
    boxes = []
    for _ in range(rng.randint(1, 3)):
        x, y = rng.randint(-3, w), rng.randint(-3, h)
        boxes.append([x, y, x + rng.randint(0, 12), y + rng.randint(0, 12)])
    a = {"boxes": boxes, "colors": colours(len(boxes)), "fill": rng.random() < 0.5, "width": rng.randint(1, 4)}
    more = a | {"colors": as_python(a["colors"])}
    more.pop("boxes")
    add("draw_bounding_boxes", a, spec([rng.choice([1, 3]), h, w], ("u8", "u8", "f32")),
        lambda x: U.draw_bounding_boxes(x, torch.tensor(boxes, dtype=torch.float), **more))
for _ in range(14):
    h, w, n = rng.randint(4, 8), rng.randint(4, 8), rng.randint(1, 3)
    m = {"kind": "u8", "shape": [n, h, w], "salt": rng.randint(1, 10**6), "range": [0, 2]}
    a = {"masks": m, "alpha": round(rng.random(), 2), "colors": colours(n)}
    add("draw_segmentation_masks", a, spec([3, h, w]),
        lambda x: U.draw_segmentation_masks(x, make(m) == 0, a["alpha"], as_python(a["colors"])))
for _ in range(24):
    h, w, n, k = rng.randint(12, 18), rng.randint(12, 18), rng.randint(1, 2), rng.randint(2, 4)
    points = [[[rng.randint(-3, w + 3), rng.randint(-3, h + 3)] for _ in range(k)] for _ in range(n)]
    a = {"points": points, "colors": rng.choice([None, colour()]), "radius": rng.randint(0, 5), "width": rng.randint(1, 6)}
    a["connectivity"] = rng.choice([None, [[0, 1]], [[0, 1], [1, k - 1]]])
    a["visibility"] = rng.choice([None, [[rng.random() < 0.7 for _ in range(k)] for _ in range(n)]])
    add("draw_keypoints", a, spec([3, h, w], ("u8", "u8", "f32")), lambda x: U.draw_keypoints(
        x, torch.tensor(points), a["connectivity"], as_python(a["colors"]), a["radius"], a["width"],
        None if a["visibility"] is None else torch.tensor(a["visibility"])))
for _ in range(6):
    shape = rng.choice([[2, 6, 7], [2, 2, 5, 4]])
    add("flow_to_image", {}, spec(shape, ("f32",)), lambda x: U.flow_to_image(x * 3 - 1.5))

path = os.path.join(here, "utils.json.gz")
with gzip.GzipFile(path, "wb", mtime=0) as out:
    out.write(json.dumps(cases, separators=(",", ":")).encode())
print(len(cases), "cases,", os.path.getsize(path), "bytes,", sum("error" in c for c in cases), "errors")
