"""Random arguments of losses, for random_modules.py: each generator draws (args, kwargs, inputs)."""
import torch

from draw import F32, F64, I64, INF, NAN, Draw


def shapes_like(d, p_other=0.12):
    """Two shapes: mostly equal, else ones that broadcast or do not fit."""
    if d.chance(0.15):
        shape = (64,)
    else:
        shape = tuple(d.int(0 if d.chance(0.05) else 1, 4) for _ in range(d.int(0, 3)))
    other = shape
    if d.chance(p_other):
        other = d.spoil(shape, 0.8) if d.chance(0.6) else tuple(1 if d.chance(0.5) else n for n in shape)
    return shape, other


REDUCTIONS = ["none", "sum", "mean"]


def pair(target=None, **options):
    """A loss of two tensors; special values only where all elements take the vector path."""
    def draw(d):
        shape, other = shapes_like(d)
        x, t = d.numbers(*shape), (target or Draw.numbers)(d, *other)
        if shape == (64,):
            x = d.special(x, (NAN, INF, -INF, 0.0, 1.0, -1.0), 10)
            if target is None and d.chance(0.3):
                t = d.special(t, (NAN, INF), 2)
        if d.chance(0.05):
            t = t.to(F64) if t.dtype != F64 else t
            t = t.round().to(d(I64, torch.int32))
        return (), d.options(0.5, reduction=REDUCTIONS, **options), [x, t]
    return draw


def bce(d):
    shape, other = shapes_like(d)
    x = d.unit(*shape)
    if d.chance(0.06) and x.numel():
        x = d.special(x, (1.5, -0.25, NAN), 1)
    k = d.options(0.4, reduction=REDUCTIONS, weight=lambda: d.positive(*(shape[-1:] if d.chance(0.7) else (2,))))
    return (), k, [x, d.unit(*other)]


def bce_logits(d):
    shape, other = shapes_like(d)
    k = d.options(0.35, reduction=REDUCTIONS, weight=lambda: d.positive(*(shape[-1:] if d.chance(0.8) else (2,))), pos_weight=lambda: d.positive(*(shape[-1:] if d.chance(0.8) else (2,))))
    x = d.numbers(*shape, scale=1, limit=60) if d.chance(0.2) else d.numbers(*shape)
    return (), k, [x, d.unit(*other)]


def kl_div(d):
    shape, other = shapes_like(d)
    k = d.options(0.5, reduction=REDUCTIONS + ["batchmean"], log_target=[True])
    t = d.numbers(*other) if k.get("log_target") else d.unit(*other)
    return (), k, [d.numbers(*shape), t]


def classes(d, smoothing):
    c = d.int(1, 4)
    spatial = d.spatial(d.int(0, 2), 0 if d.chance(0.06) else 1, 3) if d.chance(0.4) else ()
    n = () if d.chance(0.12) and not spatial else (0 if d.chance(0.06) else d.int(1, 4),)
    k = d.options(0.3, reduction=REDUCTIONS, ignore_index=lambda: d.int(-1, c))
    if d.chance(0.35):
        w = d.positive(c if d.chance(0.9) else c + 1)
        k["weight"] = w * (d.ints(0, 1, *w.shape) if d.chance(0.5) else 1)
    if smoothing:
        k |= d.options(0.25, label_smoothing=[0.1, 0.5, 1.0, 0.0, 1.5, -0.1])
    shape = d.spoil((*n, c, *spatial), 0.08)
    x = d.numbers(*shape)
    if d.chance(0.1):
        x = d.special(x, (NAN, INF, -INF))
    target = d.spoil((*n, *spatial), 0.08)
    t = d.ints(0, c - 1, *target)
    if d.chance(0.3):
        t = d.special(t, (k.get("ignore_index", -100), -100))
    if d.chance(0.06):
        t = d.special(t, (-1, c, c + 5), 1)
    if d.chance(0.05):
        t = t.to(d(torch.int32, torch.uint8, F32))
    if smoothing and d.chance(0.2):
        t = d.unit(*shape)
    return (), k, [x, t]


def multi_margin(d):
    c = d.int(1, 4)
    n = () if d.chance(0.15) else (d.int(1, 4),)
    k = d.options(0.4, reduction=REDUCTIONS, p=[1, 2], margin=[0.5, 0.0, 2.0], weight=lambda: d.positive(c if d.chance(0.9) else c + 1))
    t = d.ints(0, c - 1, *d.spoil(n, 0.08))
    return (), k, [d.numbers(*d.spoil((*n, c), 0.08)), d.special(t, (-1, c)) if d.chance(0.06) else t]


def margin_ranking(d):
    shape, other = shapes_like(d)
    x, y = d.numbers(*shape), d.numbers(*shape)
    if shape == (64,):
        x = d.special(x, (NAN, INF, -INF), 6)
        y = d.special(y, (NAN, INF, -INF), 4)
    return (), d.options(0.5, reduction=REDUCTIONS, margin=[0.5, 0.0, -1.0, 2.0]), [x, y, d.signs(*other)]


def cosine_embedding(d):
    n = () if d.chance(0.2) else (d.int(1, 4),)
    shape = (*n, d.int(1, 4))
    return (), d.options(0.5, reduction=REDUCTIONS, margin=[0.5, -0.5]), [d.numbers(*d.spoil(shape, 0.06)), d.numbers(*d.spoil(shape, 0.06)), d.signs(*d.spoil(n, 0.1))]


def poisson(d):
    shape, other = shapes_like(d)
    k = d.options(0.5, reduction=REDUCTIONS, log_input=[True, False], full=[True], eps=[1e-3])
    return (), k, [d.numbers(*shape) if k.get("log_input", True) else d.positive(*shape), d.ints(0, 5, *other).to(F64)]


def gaussian(d):
    shape, _ = shapes_like(d)
    var = d.positive(*(shape[:-1] if d.chance(0.2) else (*shape[:-1], 1) if d.chance(0.2) else d.spoil(shape, 0.1)))
    if d.chance(0.05) and var.numel():
        var = -var
    return (), d.options(0.5, reduction=REDUCTIONS, full=[True], eps=[1e-3, 1.0]), [d.numbers(*shape), d.numbers(*shape), var]


def triplet(d):
    shape = tuple(d.int(1, 4) for _ in range(d.int(1, 2)))
    k = d.options(0.4, reduction=REDUCTIONS, margin=[0.5, 2.0], p=[1.0, 2.0, 3.0, INF], swap=[True], eps=[1e-3])
    return (), k, [d.numbers(*d.spoil(shape, 0.05)) for _ in range(3)]
