"""Goldens of random configurations of poolings, resizing, sampling and bags of embeddings: the classes, and the functions that have no class, each as
a small module of its own here. The format is that of random_modules.py; PyTorch's own module_db rows of the classes come first."""
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.testing._internal.common_modules import module_db

import random_modules as rows
from draw import F32, F64, I64, INF, NAN, Draw
from encode import Unsupported
from random_modules import Dropped, local_response, max_unpool, pool_input


class Call(nn.Module):
    """A function of nn.functional with its keywords: `name` says which."""

    def __init__(self, **kwargs):
        super().__init__()
        self.kwargs = kwargs

    def forward(self, *inputs):
        return self.function(*inputs, **self.kwargs)


def function(name, call):
    return type(name, (Call,), {"function": staticmethod(call)})


def unpool_to(n):
    call = getattr(F, f"max_unpool{n}d")
    return function(f"MaxUnpoolTo{n}d", lambda x, i, kernel_size, output_size, **k: call(x, i, kernel_size, output_size=output_size, **k))


def fractional_function(n):
    call = getattr(F, f"fractional_max_pool{n}d")
    return function(f"FractionalPool{n}d", lambda x, samples=None, **k: call(x, _random_samples=samples, **k))


Interpolate = function("Interpolate", F.interpolate)
GridSample = function("GridSample", F.grid_sample)
AffineGrid = function("AffineGrid", F.affine_grid)
ConvTbc = function("ConvTbc", torch.conv_tbc)
EmbeddingBagOf = function("EmbeddingBagOf", lambda ids, weight, offsets=None, factors=None, **k: F.embedding_bag(ids, weight, offsets, per_sample_weights=factors, **k))
UNPOOL_TO = {n: unpool_to(n) for n in (1, 2, 3)}
FRACTIONAL = {n: fractional_function(n) for n in (2, 3)}


# Each generator draws (args, kwargs, inputs).

def unpool_with_size(n):
    def draw(d):
        (kernel,), k, (x, indices) = max_unpool(n)(d)
        if d.chance(0.9):
            k.pop("stride", None)
            indices = indices.clamp(0)
        each = kernel if isinstance(kernel, tuple) else (kernel,) * n
        size = tuple(max(s * e + d.int(1 - e, e - 1), 1) if d.chance(0.97) else d.int(0, 9) for s, e in zip(x.shape[-n:], each)) if x.dim() >= n else (2,) * n
        if d.chance(0.15):
            size = (1, 1, *size)
        if d.chance(0.05):
            size = size[:-1]
        return (), {"kernel_size": kernel, "output_size": list(size)} | k, [x, indices]
    return draw


def lp_pool(n):
    def draw(d):
        p = d(1, 2, 3, 2, 1.0, 2.0, 3.0, 1.5, 2.5, INF, -INF, -1, -2.0, 0, 0.0) if d.chance(0.9) else d(4, 0.5)
        k = d.options(0.4, stride=lambda: d.lengths(n, 0 if d.chance(0.08) else 1, 3), ceil_mode=[True])
        x = pool_input(d, n)
        x = x.abs() if d.chance(0.6) else x
        return (p, d.lengths(n, 1, 3)), k, [x.round().to(I64) if d.chance(0.04) and x.isfinite().all() else x]
    return draw


def fractional_sizes(d, n, spatial):
    if d.chance(0.65):
        one = d.chance(0.3)
        size = d.int(0 if d.chance(0.1) else 1, min(spatial) - 1) if one else tuple(d.int(1, max(1, s - 1)) for s in spatial)
        return {"output_size": size}
    return {"output_ratio": d(0.3, 0.5, 0.6) if d.chance(0.5) else tuple(d(0.3, 0.5, 0.6) for _ in range(n))}


def fractional_input(d, n):
    spatial = d.spatial(n, 3, (8, 6)[n - 2])
    x = d.numbers(*d.spoil(d.batch(d.int(1, 3), spatial, high=2), 0.1), limit=8)
    return spatial, d.special(x, (NAN, NAN, INF, -INF, -0.0)) if d.chance(0.3) else x


def samples_for(d, n, x):
    lead = (1, *x.shape[:1]) if x.dim() == n + 1 else tuple(x.shape[:2])
    lead = tuple(lead) if len(lead) == 2 else (1, 1)
    shape = (*lead, n)
    if d.chance(0.08):
        shape = d.spoil(shape, 1.0)
    return torch.tensor([d.int(0, 63) / 64 for _ in range(math.prod(shape))], dtype=F64).reshape(shape)


def fractional_layer(n):
    def draw(d):
        spatial, x = fractional_input(d, n)
        k = fractional_sizes(d, n, spatial) | d.options(0.3, return_indices=[True])
        if d.chance(0.05):
            k = d({}, {"output_size": 2, "output_ratio": 0.5}, {"output_ratio": 1.5}, {"output_ratio": (0.5, 0.0, 0.5)[:n]})
        return (d.lengths(n, 0 if d.chance(0.05) else 1, 3 if d.chance(0.15) else 2),), k | {"_random_samples": samples_for(d, n, x)}, [x]
    return draw


def fractional_call(n):
    def draw(d):
        spatial, x = fractional_input(d, n)
        k = {"kernel_size": d.lengths(n, -1 if d.chance(0.05) else 1, 3 if d.chance(0.15) else 2)} | fractional_sizes(d, n, spatial) | {"return_indices": True}
        return (), k, [x, samples_for(d, n, x)]
    return draw


def cross_map(d):
    shape = d.spoil((0 if d.chance(0.05) else d.int(1, 2), d.int(1, 7), d.int(1, 3), d.int(1, 3)), 0.08)
    return (d.int(1, 6),), d.options(0.5, alpha=[0.5, 1.0, 2], beta=[0.5, 1.0, 1], k=[1.0, 2.0, 2]), [d.numbers(*shape)]


def channel_shuffle(d):
    g = d.int(1, 4) if d.chance(0.93) else d(0, -1, 5)
    shape = d.spoil(d.batch(max(g, 1) * d.int(1, 3), d.spatial(d.int(1, 3), 1, 3), p_single=0.0), 0.15)
    x = d.numbers(*shape)
    return (g,), {}, [x.round().to(d(I64, torch.int32, torch.uint8)) if d.chance(0.06) else x]


def bag_options(d, rows):
    k = d.options(0.3, padding_idx=lambda: d.int(-rows, rows - 1), max_norm=[0.5, 1.0, 2], norm_type=[1.0, 2.0, 3], scale_grad_by_freq=[True])
    if d.chance(0.85):
        k["mode"] = d("sum", "mean", "max")
    if d.chance(0.03):
        k["sparse"] = False
    return k


def bag_inputs(d, rows, mode, last):
    """Indices, offsets and factors; the offsets ascend from 0 to at most the end."""
    factors = mode == "sum" and d.chance(0.4) or d.chance(0.03)
    if d.chance(0.5):
        shape = (d.int(0 if d.chance(0.1) else 1, 4), d.int(1, 4))
        ids, offsets = d.ints(0, rows - 1, *shape), None
        if d.chance(0.05):
            ids = ids[None]
    else:
        total = d.int(0 if d.chance(0.08) else 1, 7)
        ids = d.ints(0, rows - 1, total)
        starts = sorted([0, *(d.int(0, total) for _ in range(d.int(0, 3)))])
        offsets = torch.tensor([*starts, total] if last else starts, dtype=I64)
        if d.chance(0.05):
            offsets = None
        elif d.chance(0.05):
            offsets = offsets + d(1, total + 1)
    bad = ids.numel() and d.chance(0.06)
    if bad:
        ids = d.special(ids, (-1, rows, rows + 3), 1)
    if d.chance(0.12):
        kind = d(torch.int32, torch.int32, torch.int16, F32)
        ids = ids.to(kind)
        offsets = offsets.to(torch.int32) if offsets is not None and d.chance(0.5) else offsets
    return ids, offsets, d.numbers(*ids.shape) if factors else None


def bag_layer(d):
    n, width = d.int(1, 6), d.int(1, 3)
    k = bag_options(d, n)
    if d.chance(0.03):
        k["padding_idx"] = d(n, -n - 1)
    last = d.chance(0.25)
    if last:
        k["include_last_offset"] = True
    ids, offsets, factors = bag_inputs(d, n, k.get("mode", "mean"), last)
    while factors is None and (offsets is None and ids.dim() == 1):  # without either there is nothing to draw
        ids, offsets, factors = bag_inputs(d, n, k.get("mode", "mean"), last)
    inputs = [ids] + ([offsets] if offsets is not None or factors is not None else []) + ([factors] if factors is not None else [])
    if any(x is None for x in inputs):
        inputs = [ids]
    return (n, width), k, inputs


def bag_call(d):
    n, width = d.int(1, 6), d.int(1, 3)
    k = bag_options(d, n)
    if d.chance(0.03):
        k["padding_idx"] = d(n, -n - 1)
    last = d.chance(0.25)
    if last:
        k["include_last_offset"] = True
    ids, offsets, factors = bag_inputs(d, n, k.get("mode", "mean"), last)
    table = d.numbers(n, width) if d.chance(0.95) else d.numbers(n)
    inputs = [ids, table] + ([offsets] if offsets is not None else [])
    if offsets is not None and factors is not None:
        inputs.append(factors)
    return (), k, inputs


def resize(d):
    mode = d("nearest", "nearest-exact", "nearest-exact", "linear", "bilinear", "bicubic", "bicubic", "bicubic", "trilinear", "lanczos", "area")
    n = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}.get(mode, d.int(1, 3))
    if d.chance(0.06):
        n = d.int(0, 3)
    k = {"mode": mode}
    if mode == "lanczos" or mode in ("bilinear", "bicubic") and d.chance(0.5) or d.chance(0.03):
        k["antialias"] = d.chance(0.95)
    if d.chance(0.5):
        k["size"] = d.lengths(n, 0 if d.chance(0.04) else 1, 7)
    else:
        k["scale_factor"] = d(0.5, 0.3, 1.5, 2.0, 2.3, 3.0, 1.0, 1.1, tuple(d(0.5, 1.5, 2.0, 0.7, 1.1, 2.2) for _ in range(n)) if n > 1 else 1.7)
    if k.get("size") == () or k.get("scale_factor") == ():
        k = {"mode": mode, "size": 2}
    if mode not in ("nearest", "nearest-exact", "area", "lanczos") and d.chance(0.5) or d.chance(0.04):
        k["align_corners"] = d(True, False)
    if "scale_factor" in k and d.chance(0.25) or d.chance(0.02):
        k["recompute_scale_factor"] = True
    if d.chance(0.02):
        k |= {"size": 2, "scale_factor": 2.0}
    shape = d.spoil((0 if d.chance(0.05) else d.int(1, 2), d.int(1, 2), *d.spatial(n, 1, (12, 7, 4)[n - 1] if n else 1)), 0.06)
    x = d.numbers(*shape)
    return (), k, [d.special(x, (INF, -INF, NAN), 1) if mode.startswith("nearest") and d.chance(0.1) else x]


def upsample_layer(d):
    _, k, inputs = resize(d)
    k.pop("antialias", None)
    return (), k, inputs


def grid_sample(d):
    n = d(2, 2, 2, 3)
    k = {"align_corners": d(True, False)} | d.options(0.75, mode=["bilinear", "nearest", "bicubic"], padding_mode=["zeros", "border", "reflection"])
    if d.chance(0.03):
        k |= d({"mode": "foo"}, {"padding_mode": "foo"})
    batch = 0 if d.chance(0.04) else d.int(1, 3)
    x = d.numbers(*d.spoil((batch, 0 if d.chance(0.03) else d.int(1, 3), *d.spatial(n, 1, 5)), 0.05))
    # Off the grid of positions, where a rounding decides which elements are neighbours.
    places = d.numbers(*d.spoil((batch, *d.spatial(n, 0 if d.chance(0.04) else 1, 3), n), 0.06), scale=8, limit=14) + 0.0371
    return (), k, [x, places]


def affine_grid(d):
    n = d(2, 2, 3)
    batch = d.int(1, 3)
    size = [batch, d.int(1, 2), *d.spatial(n, 0 if d.chance(0.05) else 1, 4)]
    if d.chance(0.08):
        size = d(size[:-1], [*size, 2], [batch + 1, *size[1:]])
    theta = d.numbers(*d.spoil((batch, n, n + 1), 0.06), scale=8)
    return (), {"size": size, "align_corners": d(True, False)}, [theta]


def conv_tbc(d):
    t, b, i, o, k = d.int(1, 6), d.int(1, 3), d.int(1, 3), d.int(1, 3), d.int(1, 4)
    x, w, bias = d.numbers(*d.spoil((t, b, i), 0.1)), d.numbers(*d.spoil((k, i, o), 0.1)), d.numbers(*d.spoil((o,), 0.06))
    return (), d.options(0.6, pad=[0, 1, 2]), [x, w, bias]


# Class: how many configurations, their generator.
CLASSES = {
    UNPOOL_TO[1]: (40, unpool_with_size(1)), UNPOOL_TO[2]: (40, unpool_with_size(2)), UNPOOL_TO[3]: (40, unpool_with_size(3)),
    nn.LPPool1d: (60, lp_pool(1)), nn.LPPool2d: (60, lp_pool(2)), nn.LPPool3d: (50, lp_pool(3)),
    nn.FractionalMaxPool2d: (70, fractional_layer(2)), nn.FractionalMaxPool3d: (60, fractional_layer(3)),
    FRACTIONAL[2]: (60, fractional_call(2)), FRACTIONAL[3]: (50, fractional_call(3)),
    nn.LocalResponseNorm: (40, local_response), nn.CrossMapLRN2d: (50, cross_map), nn.ChannelShuffle: (45, channel_shuffle),
    nn.EmbeddingBag: (90, bag_layer), EmbeddingBagOf: (140, bag_call),
    Interpolate: (300, resize), nn.Upsample: (100, upsample_layer), GridSample: (200, grid_sample), AffineGrid: (70, affine_grid), ConvTbc: (60, conv_tbc),
}
# Classes of module_db whose rows are taken as they are.
DB_CLASSES = {cls for cls in CLASSES if cls.__module__.startswith("torch")} | {
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d, nn.Embedding}
rows.ACCUMULATING += (Call, nn.EmbeddingBag, nn.CrossMapLRN2d, nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)


def db_rows():
    """Every row of module_db, in float32 or float64; inputs are rounded to the grid."""
    for info in module_db:
        if info.module_cls not in DB_CLASSES:
            continue
        torch.manual_seed(0)
        for i, sample in enumerate(info.module_inputs_func(info, device="cpu", dtype=F64, requires_grad=False, training=False)):
            made, fed = sample.constructor_input, sample.forward_input
            inputs = [(x * 16).round() / 16 if x.is_floating_point() else x for x in fed.args if isinstance(x, torch.Tensor)]
            fractional = info.module_cls in (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
            if fed.kwargs or sum(x.numel() for x in inputs) > 2500 or fractional and "_random_samples" not in made.kwargs:
                continue
            yield info.module_cls, Draw("module_db", info.module_cls.__name__, i), made.args, {k: v for k, v in made.kwargs.items() if k not in ("device", "dtype")}, inputs


def random_pool_cases():
    out = []

    def keep(cls, d, args, kwargs, inputs):
        try:
            out.append(rows.configured(cls, d, args, kwargs, inputs))
        except (Dropped, Unsupported):
            pass

    for row in db_rows():
        keep(*row)
    for cls, (count, draw) in CLASSES.items():
        for i in range(count):
            d = Draw("pools", cls.__name__, i)
            keep(cls, d, *draw(d))
    return out
