"""Goldens of torchvision.transforms on tensors and images: random configurations, results in transforms.json.gz.

Run: /opt/venv/bin/python crates/flambeau-vision/goldens/transforms.py [seed [scale [path]]]
Other seeds and larger scales make other and more cases, which FLAMBEAU_VISION_GOLDENS=path has the test read instead.
"""

import base64
import gzip
import json
import os
import random
import sys
import warnings

import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode as M
from torchvision.transforms import functional as F
from torchvision.transforms import v2

from transforms_inputs import make

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
scale = float(sys.argv[2]) if len(sys.argv) > 2 else 0.68
here = os.path.dirname(os.path.abspath(__file__))
path = sys.argv[3] if len(sys.argv) > 3 else os.path.join(here, "transforms.json.gz")
rng = random.Random(seed)
cases = []


def dump(x):
    if isinstance(x, Image.Image):
        array = np.array(x)
        return {"mode": x.mode, "shape": list(array.shape[:2]), "data": base64.b64encode(array.tobytes()).decode()}
    x = x.contiguous()
    data = base64.b64encode(x.numpy().tobytes()).decode()
    return {"dtype": str(x.dtype).replace("torch.", ""), "shape": list(x.shape), "data": data}


def spec(kinds=("u8", "f32", "pil"), channels=(1, 3), batch=True, small=5, large=12, same=None):
    kind = rng.choice(kinds)
    c = rng.choice([3, 3, 4] if kind == "pil" and 4 in channels else [n for n in channels if n != 4])
    if kind == "pil" and rng.random() < 0.3:
        c = 1
    if kind == "f32":
        large = max(small, min(large, 8))
    h, w = rng.randint(small, large), rng.randint(small, large)
    if same:
        h = w
    shape = [c, h, w]
    if batch and kind != "pil" and rng.random() < 0.3:
        shape = [2] + shape
        if rng.random() < 0.3 and batch == "deep":
            shape = [1] + shape
    low, high = rng.choice([(0, 255), (0, 255), (40, 200), (100, 130), (77, 77)])
    return {"kind": kind, "shape": shape, "salt": rng.randint(1, 10**6), "range": [low, high]}


def add(op, args, spec, f, draws=None):
    """A case of `f`; with a seed also what the generator gives next."""
    case = {"op": op, "args": args, "in": spec}
    x = make(spec)
    if draws is not None:
        case["seed"] = draws
        torch.manual_seed(draws)
    try:
        y = f(x)
    except Exception as e:
        case["error"] = str(e)
    else:
        case["out"] = [dump(v) for v in (y if isinstance(y, (list, tuple)) else [y])]
        if draws is not None:
            case["next"] = torch.rand(1, dtype=torch.float64).item()
    cases.append(case)


def times(n):
    return range(max(1, int(n * scale)))


def r(low, high, digits=3):
    return round(rng.uniform(low, high), digits)


def fill_for(s, extra=True):
    c = s["shape"][-3]
    top = 1 if s["kind"] == "f32" else 255
    one = r(0, 1) if top == 1 else rng.randint(0, 255)
    many = [r(0, 1) if top == 1 else rng.randint(0, 255) for _ in range(c)]
    return rng.choice([None, one, many]) if extra else rng.choice([0, one, many])


def mode_for(s, pil=("nearest", "bilinear", "bicubic"), tensor=("nearest", "bilinear")):
    return rng.choice(pil if s["kind"] == "pil" else tensor)


ALL = ("nearest", "nearest-exact", "bilinear", "bicubic")
for _ in times(70):
    s = spec(channels=(1, 3, 4), batch=True)
    a = {"interpolation": mode_for(s, ALL + ("box", "hamming", "lanczos"), ALL), "antialias": rng.random() < 0.7}
    short = rng.randint(3, 14)
    a["size"] = rng.choice([short, [short], [rng.randint(2, 15), rng.randint(2, 15)]])
    if not (isinstance(a["size"], list) and len(a["size"]) == 2) and rng.random() < 0.4:
        a["max_size"] = rng.randint(short, short + 6)
    add("resize", a, s, lambda x: F.resize(x, a["size"], M(a["interpolation"]), a.get("max_size"), a["antialias"]))
for _ in times(40):
    s = spec(channels=(1, 3, 4))
    mode = rng.choice(["constant", "constant", "edge", "reflect", "symmetric"])
    low = -1 if rng.random() < 0.3 else 0
    p = lambda: rng.randint(low, 4)
    a = {"padding": rng.choice([p(), [p()], [p(), p()], [p(), p(), p(), p()]]), "padding_mode": mode}
    a["fill"] = fill_for(s, False)
    if s["kind"] != "pil" and isinstance(a["fill"], list):
        a["fill"] = a["fill"][0]
    add("pad", a, s, lambda x: F.pad(x, a["padding"], a["fill"], mode))
for _ in times(16):
    s = spec(channels=(1, 3, 4), batch="deep")
    a = {"box": [rng.randint(-4, 8), rng.randint(-4, 8), rng.randint(1, 10), rng.randint(1, 10)]}
    add("crop", a, s, lambda x: F.crop(x, *a["box"]))
for _ in times(16):
    s = spec(channels=(1, 3, 4))
    a = {"size": rng.choice([rng.randint(1, 15), [rng.randint(1, 15), rng.randint(1, 15)]])}
    add("center_crop", a, s, lambda x: F.center_crop(x, a["size"]))
for name in ["five_crop", "ten_crop"]:
    for _ in times(4):
        s = spec(channels=(1, 3), large=7)
        a = {"size": rng.choice([rng.randint(1, 5), [rng.randint(1, 5), rng.randint(1, 5)]])}
        a["flip"] = rng.random() < 0.5
        more = [a["flip"]] if name == "ten_crop" else []
        add(name, a, s, lambda x: getattr(F, name)(x, a["size"], *more))
for name in ["hflip", "vflip"]:
    for _ in times(3):
        add(name, {}, s := spec(channels=(1, 3, 4), batch="deep"), getattr(F, name))
for name, low, high, n in [
    ("adjust_brightness", 0, 2.5, 10), ("adjust_contrast", 0, 2.5, 12), ("adjust_saturation", 0, 2.5, 12),
    ("adjust_sharpness", 0, 3, 14), ("adjust_hue", -0.5, 0.5, 24), ("solarize", 0, 255, 8),
]:
    for _ in times(n):
        s = spec(channels=(1, 3, 4) if name not in ("solarize",) else (1, 3), small=2 if "sharp" in name else 5)
        v = r(low, high)
        if name == "solarize" and s["kind"] == "f32":
            v = r(0, 1)
        add(name, {"v": v}, s, lambda x: getattr(F, name)(x, v))
for _ in times(10):
    s = spec(channels=(1, 3, 4))
    a = {"gamma": r(0, 3), "gain": r(0.5, 1.5)}
    add("adjust_gamma", a, s, lambda x: F.adjust_gamma(x, a["gamma"], a["gain"]))
for _ in times(10):
    s = spec(channels=(1, 3, 4))
    a = {"channels": rng.choice([1, 3])}
    add("rgb_to_grayscale", a, s, lambda x: F.rgb_to_grayscale(x, a["channels"]))
for name in ["invert", "autocontrast"]:
    for _ in times(8):
        add(name, {}, spec(), getattr(F, name))
for _ in times(12):
    add("equalize", {}, spec(kinds=("u8", "pil"), small=16, large=22, channels=(1, 3)), F.equalize)
for _ in times(6):
    v = rng.randint(0, 8)
    add("posterize", {"v": v}, spec(kinds=("u8", "pil")), lambda x: F.posterize(x, v))
for _ in times(50):
    s = spec(channels=(1, 3, 4), same=rng.random() < 0.3)
    a = {"angle": rng.choice([r(-180, 180), r(-180, 180), r(-720, 720), 90 * rng.randint(-5, 5)])}
    a |= {"interpolation": mode_for(s), "expand": rng.random() < 0.5, "fill": fill_for(s)}
    if not a["expand"] and rng.random() < 0.4:
        a["center"] = [rng.randint(0, 8), rng.randint(0, 8)]
    if s["kind"] != "pil" and a["angle"] % 90 == 0:
        a["interpolation"] = "bilinear"  # the nearest of two equally near pixels is a rounding error's choice
    add("rotate", a, s, lambda x: F.rotate(x, a["angle"], M(a["interpolation"]), a["expand"], a.get("center"), a["fill"]))
for _ in times(50):
    s = spec(channels=(1, 3, 4))
    a = {"angle": r(-180, 180), "translate": [rng.randint(-4, 4), rng.randint(-4, 4)], "scale": r(0.4, 2)}
    if rng.random() < 0.2:
        a |= {"angle": 0, "scale": 1.0}
    a["shear"] = rng.choice([[0.0, 0.0], [r(-40, 40), 0.0], [r(-40, 40), r(-40, 40)]])
    a |= {"interpolation": mode_for(s), "fill": fill_for(s)}
    if rng.random() < 0.3:
        a["center"] = [rng.randint(0, 8), rng.randint(0, 8)]
    add("affine", a, s, lambda x: F.affine(
        x, a["angle"], a["translate"], a["scale"], a["shear"], M(a["interpolation"]), a["fill"], a.get("center")))
for _ in times(24):
    s = spec(channels=(1, 3, 4), small=6)
    h, w = s["shape"][-2:]
    near = lambda: [rng.randint(0, 2), rng.randint(0, 2)]
    a = {"start": [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]]}
    n = [near() for _ in range(4)]
    a["end"] = [n[0], [w - 1 - n[1][0], n[1][1]], [w - 1 - n[2][0], h - 1 - n[2][1]], [n[3][0], h - 1 - n[3][1]]]
    a |= {"interpolation": mode_for(s), "fill": fill_for(s)}
    add("perspective", a, s, lambda x: F.perspective(x, a["start"], a["end"], M(a["interpolation"]), a["fill"]))
for _ in times(16):
    s = spec(small=6)
    odd = lambda: rng.choice([1, 3, 5, 7])
    a = {"kernel": rng.choice([odd(), [odd(), odd()]]), "sigma": rng.choice([None, r(0.1, 3), [r(0.1, 3), r(0.1, 3)]])}
    add("gaussian_blur", a, s, lambda x: F.gaussian_blur(x, a["kernel"], a["sigma"]))
for _ in times(4):
    s = spec(kinds=("u8", "f32"))
    a = {"box": [rng.randint(0, 4), rng.randint(0, 4), rng.randint(1, 4), rng.randint(1, 4)], "v": 1}
    add("erase", a, s, lambda x: F.erase(x, *a["box"], torch.tensor(1)))
for _ in times(12):
    s = spec(kinds=("u8", "f32"), large=6)
    a = {"dtype": rng.choice(["uint8", "int8", "int16", "int32", "int64", "float32", "float64"])}
    add("convert_image_dtype", a, s, lambda x: F.convert_image_dtype(x, getattr(torch, a["dtype"])))
for _ in times(6):
    s = spec(kinds=("f32", "f32", "u8"))
    c = s["shape"][-3]
    a = {"mean": [r(0, 1) for _ in range(c)], "std": [r(0.1, 1) for _ in range(c)]}
    add("normalize", a, s, lambda x: F.normalize(x, a["mean"], a["std"]))
for name in ["to_tensor", "pil_to_tensor"]:
    for _ in times(4):
        add(name, {}, spec(kinds=("pil",), channels=(1, 3, 4), large=6), getattr(F, name))
for _ in times(8):
    add("to_pil_image", {}, spec(kinds=("u8", "f32"), channels=(1, 3)), lambda x: F.to_pil_image(x))


# The random ones, from seeds.
def random_case(op, a, s, transform):
    add(op, a, s, transform, draws=rng.randint(0, 10**6))


for _ in times(20):
    s = spec(channels=(1, 3, 4))
    a = {"size": rng.choice([rng.randint(3, 9), [rng.randint(3, 9), rng.randint(3, 9)]])}
    a["padding"] = rng.choice([None, 1, [2, 1]])
    a |= {"pad_if_needed": rng.random() < 0.6, "fill": 0, "padding_mode": rng.choice(["constant", "edge", "reflect"])}
    random_case("RandomCrop", a, s, T.RandomCrop(**a))
for _ in times(24):
    s = spec(channels=(1, 3, 4))
    a = {"size": rng.choice([rng.randint(3, 9), [rng.randint(3, 9), rng.randint(3, 9)]])}
    a["scale"] = rng.choice([[0.08, 1.0], [0.3, 0.9], [0.9, 2.0]])
    a["ratio"] = rng.choice([[3 / 4, 4 / 3], [0.2, 4.0], [2.5, 3.0]])
    a |= {"interpolation": mode_for(s, ALL, ALL), "antialias": rng.random() < 0.7}
    random_case("RandomResizedCrop", a, s, T.RandomResizedCrop(**(a | {"interpolation": M(a["interpolation"])})))
for name, more in [
    ("RandomHorizontalFlip", {}), ("RandomVerticalFlip", {}), ("RandomInvert", {}), ("RandomAutocontrast", {}),
    ("RandomEqualize", {}), ("RandomGrayscale", {}), ("RandomPosterize", {"bits": 3}),
    ("RandomSolarize", {"threshold": 0.4}), ("RandomAdjustSharpness", {"sharpness_factor": 1.7}),
]:
    for _ in times(4):
        s = spec(large=8, kinds=("u8", "pil") if name in ("RandomPosterize", "RandomEqualize") else ("u8", "f32", "pil"))
        a = more | {"p": r(0, 1)}
        if "threshold" in more and s["kind"] != "f32":
            a["threshold"] = 120
        random_case(name, a, s, getattr(T, name)(**a))
for _ in times(30):
    s = spec(channels=(1, 3), large=9)
    a = {}
    for k, low, high in [("brightness", 0, 2), ("contrast", 0, 2), ("saturation", 0, 2), ("hue", -0.5, 0.5)]:
        x = sorted([r(low, high), r(low, high)])
        a[k] = rng.choice([0, r(0, 0.5), x])
    random_case("ColorJitter", a, s, T.ColorJitter(**a))
for _ in times(16):
    s = spec(channels=(1, 3, 4))
    a = {"degrees": rng.choice([r(0, 180), sorted([r(-90, 180), r(-90, 180)])])}
    a |= {"interpolation": mode_for(s), "expand": rng.random() < 0.4, "fill": fill_for(s, False)}
    random_case("RandomRotation", a, s, T.RandomRotation(**(a | {"interpolation": M(a["interpolation"])})))
for _ in times(24):
    s = spec(channels=(1, 3, 4))
    a = {"degrees": rng.choice([r(0, 180), sorted([r(-90, 180), r(-90, 180)])])}
    a["translate"] = rng.choice([None, [r(0, 0.5), r(0, 0.5)]])
    a["scale"] = rng.choice([None, sorted([r(0.4, 2), r(0.4, 2)])])
    a["shear"] = rng.choice([None, r(0, 40), [-10, 20], [-10, 20, -30, 5]])
    a |= {"interpolation": mode_for(s), "fill": fill_for(s, False)}
    random_case("RandomAffine", a, s, T.RandomAffine(**(a | {"interpolation": M(a["interpolation"])})))
for _ in times(16):
    s = spec(channels=(1, 3, 4))
    a = {"distortion_scale": r(0.25, 0.8), "p": 0.8, "interpolation": mode_for(s), "fill": fill_for(s, False)}
    random_case("RandomPerspective", a, s, T.RandomPerspective(**(a | {"interpolation": M(a["interpolation"])})))
for _ in times(20):
    s = spec(kinds=("f32", "f32", "u8"), channels=(1, 3))
    a = {"p": 0.9, "scale": rng.choice([[0.02, 0.33], [0.3, 0.7]]), "ratio": rng.choice([[0.3, 3.3], [0.8, 5.0]])}
    a["value"] = rng.choice([0, 1, "random", [1, 0, 1][: s["shape"][-3]]])
    if s["kind"] == "u8" and a["value"] == "random":
        a["value"] = 7
    random_case("RandomErasing", a, s, T.RandomErasing(**a))
for _ in times(8):
    s = spec(small=7)
    a = {"kernel": rng.choice([3, 5, [3, 7]]), "sigma": rng.choice([None, 1.5, [0.5, 1.0]])}
    more = {} if a["sigma"] is None else {"sigma": a["sigma"]}
    random_case("GaussianBlur", a, s, T.GaussianBlur(a["kernel"], **more))
for _ in times(6):
    s = spec(kinds=("u8", "f32", "pil"), small=11, large=12, batch=False)
    if s["kind"] == "f32":
        s["shape"][-2:] = [11, 12]
    a = {"alpha": rng.choice([20.0, [10.0, 40.0]]), "sigma": rng.choice([0.5, 1.0, [0.5, 0.9], 0.0]), "fill": rng.choice([0, 1])}
    random_case("ElasticTransform", a, s, T.ElasticTransform(**a))
for _ in times(6):
    a = {"p": r(0.2, 0.8)}
    steps = [T.ColorJitter(0.4, 0.4, 0.4, 0.1), T.RandomHorizontalFlip()]
    random_case("RandomApply", a, spec(channels=(3,)), T.RandomApply(steps, a["p"]))
for name, n in [("AutoAugment", 40), ("RandAugment", 30), ("TrivialAugmentWide", 40)]:
    for _ in times(n):
        s = spec(kinds=("u8", "pil"), channels=(1, 3), small=8, large=9)
        a = {"interpolation": mode_for(s), "fill": fill_for(s)}
        if name == "AutoAugment":
            a["policy"] = rng.choice(["imagenet", "cifar10", "svhn"])
        elif name == "RandAugment":
            a |= {"num_ops": rng.choice([1, 2, 3]), "magnitude": rng.randint(0, 30)}
        else:
            a["num_magnitude_bins"] = rng.choice([31, 11])
        b = a | {"interpolation": M(a["interpolation"])}
        if "policy" in a:
            b["policy"] = T.AutoAugmentPolicy(a["policy"])
        random_case(name, a, s, getattr(T, name)(**b))
for name in ["MixUp", "CutMix"]:
    for _ in times(5):
        kind = "f32" if name == "MixUp" else rng.choice(["f32", "u8"])
        shape = [3, 2, rng.randint(3, 6), rng.randint(3, 6)]
        s = {"kind": kind, "shape": shape, "salt": rng.randint(1, 10**6), "range": [0, 255]}
        a = {"alpha": rng.choice([1.0, 0.3, 2.5]), "num_classes": 4}
        random_case(name, a, s, lambda x: getattr(v2, name)(**a)(x, torch.tensor([1, 3, 0])))

with gzip.GzipFile(path, "wb", mtime=0) as out:
    out.write(json.dumps(cases, separators=(",", ":")).encode())
print(len(cases), "cases,", os.path.getsize(path), "bytes,", sum("error" in c for c in cases), "errors")
