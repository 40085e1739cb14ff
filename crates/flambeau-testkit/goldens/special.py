"""Writes the goldens of special values: random calls of losses, activations, order statistics, variances and norms with NaN, infinities, zeros of
both signs, kinks, ties and empty tensors, beside PyTorch. Run with the interpreter of a PyTorch 2.15 environment:

    python crates/flambeau-testkit/goldens/special.py

It writes data/special/<group>.jsonl.gz. Tensors have a multiple of 64 elements where PyTorch's kernels are vectorised, since their scalar tails give
other gradients at NaN: the vectorised ones are followed. Zeros keep their sign.
"""
import json
import math
import pathlib
import random
import sys
import warnings

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
import encode

F32, F64, F16, BF16, I64, BOOL, U8 = torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.uint8
NAN, INF = math.nan, math.inf
DATA = pathlib.Path(__file__).parent / "data" / "special"
# Tight in float64, where a constant that PyTorch's kernel holds in float32 must show.
TOL = {F32: [3e-6, 2e-6], F64: [1e-11, 1e-13], F16: [2e-3, 1e-4], BF16: [1.6e-2, 1e-3]}
REDUCTIONS = ("none", "mean", "sum")
DTYPE_PAIRS = ((F32, F64), (F64, F32), (F16, F32), (F32, F16), (BF16, F16), (I64, F32), (F32, I64), (I64, I64), (BOOL, F32), (F32, BOOL), (BOOL, BOOL),
               (U8, I64))


class Group:
    """Collects the cases of one file. Every draw comes from one generator, so that a run repeats the last."""

    def __init__(self, seed):
        self.random, self.cases = random.Random(seed), []

    def add(self, op, call, *args, grads=True, **kwargs):
        dtypes = [t.dtype for t in encode.tensors_in([list(args), list(kwargs.values())]) if t.dtype in TOL]
        try:
            case = encode.record(op, call, args, kwargs, "edge", grads)
        except RuntimeError:  # the backward refuses what the forward took
            case = encode.record(op, call, args, kwargs, "edge", False)
        if "error" in case:
            case["kind"] = "error"
        elif "tol" in case:
            case["tol"] = TOL[min(dtypes, key=lambda d: torch.finfo(d).bits)] if dtypes else TOL[F32]
        self.cases.append(case)

    def add_statistic(self, op, call, x, *args, **kwargs):
        """A case whose numbers are those of float64 where they are finite. Normalised values in float32 are off by mean/std epsilons in PyTorch, and
        three of those are allowed here; a variance is not. `x` must come first."""
        dtype, d, spread = x.dtype, x.detach().to(F64), op in ("var", "std", "var_mean", "std_mean")
        flat = d.reshape(-1)
        condition = float(flat.abs().max() / max(float(flat.std(correction=0)), 3e-3)) if flat.numel() > 1 else 1.0
        if spread and condition > 100:
            kwargs["grads"] = False
        self.add(op, call, x, *args, **kwargs)
        case = self.cases[-1]
        if "error" in case or not torch.isfinite(d).all() or d.numel() == 0:
            return
        grads = kwargs.pop("grads", True)
        wide = [a.detach().to(F64).requires_grad_(a.requires_grad) if isinstance(a, torch.Tensor) else a for a in (x, *args)]
        exact = encode.record(op, call, wide, kwargs, "edge", grads)
        tensors = [torch.tensor([float(v) for v in json.loads(c["v"].text)], dtype=F64) for key in ("out", "grads") for c in exact.get(key, []) if c]
        scale = max([1.0] + [float(t.abs()[torch.isfinite(t)].max()) for t in tensors if torch.isfinite(t).any()])
        if not spread:
            case["tol"] = [TOL[dtype][0], TOL[dtype][1] + 3 * torch.finfo(dtype).eps * condition * scale]
        elif condition > 100:
            case["tol"] = [1e-5, 1e-12] if dtype == F32 else [1e-9, 1e-16]
        if dtype == F32:
            for key in ("out", "grads"):
                for c, e in zip(case.get(key, []), exact.get(key, [])):
                    values = torch.tensor([float(v) for v in json.loads(e["v"].text)], dtype=F64).to(F32)
                    own = torch.tensor([float(v) for v in json.loads(c["v"].text)], dtype=F32)
                    c["v"] = encode.values(torch.where(torch.isfinite(values) & (own != 0), values, own), False)

    def dtype(self):
        return self.random.choice((F32, F32, F64))

    def reduction(self):
        return self.random.choice(REDUCTIONS)

    def values(self, shape, dtype, kinks=(), specials=(NAN, INF, -INF, 0.0, -0.0), share=0.4, scale=2.0, grad=True):
        """Ordinary numbers, among them special values and kinks (which may stand for a number and both of its neighbours)."""
        r, pool = self.random, [*specials, *kinks]
        n = math.prod(shape)
        flat = [r.choice(pool) if pool and r.random() < share else round(r.gauss(0, scale), 2) for _ in range(n)]
        t = torch.tensor(flat, dtype=F64).reshape(shape).to(dtype)
        return t.requires_grad_(grad and dtype.is_floating_point)

    def mild(self):
        """Special values that leave a sum finite, in a third of the draws; else all."""
        return self.random.choice(((0.0, -0.0), (NAN, INF, -INF, 0.0, -0.0), (NAN, INF, -INF, 0.0, -0.0)))

    def ints(self, shape, low, high):
        return torch.tensor([self.random.randrange(low, high) for _ in range(math.prod(shape))], dtype=I64).reshape(shape)

    def pick(self, shape, choices, dtype, grad=False):
        flat = [self.random.choice(choices) for _ in range(math.prod(shape))]
        return torch.tensor(flat, dtype=F64).reshape(shape).to(dtype).requires_grad_(grad)


def functional(name):
    return f"nn.functional.{name}", getattr(F, name)


def activations(g):
    r = g.random

    def pointwise(name, times, options=lambda: ((), ()), halves=True):
        op, call = functional(name)
        for i in range(times):
            args, kinks = options()
            g.add(op, call, g.values((4, 16), g.dtype(), kinks), *args)
        if halves:
            for dtype in (F16, BF16):
                args, kinks = options()
                g.add(op, call, g.values((2, 64), dtype, kinks), *args)
                args, kinks = options()
                g.add(op, call, g.values((2, 64), dtype, kinks, share=0.1), *args)
        args, _ = options()
        g.add(op, call, g.values((0, 3), F32), *args)

    def bounds():
        low, high = r.choice(((-1.0, 1.0), (-2.0, 0.5), (0.0, 6.0), (0.0, 0.0), (-0.5, INF)))
        return (low, high), (low, high)

    def one(*choices, kinks=lambda v: (0.0, v, -v)):
        def options():
            v = r.choice(choices)
            return (v,), kinks(v)
        return options

    def around(*points):
        """The points and their neighbours in float32, which a float64 holds too."""
        t = torch.tensor(points, dtype=F32)
        near = [torch.nextafter(t, torch.tensor(b)) for b in (INF, -INF)]
        return lambda: ((), tuple(points) + tuple(v for n in near for v in n.tolist()))

    pointwise("relu", 12)
    pointwise("relu6", 20, around(0.0, 6.0))
    pointwise("hardtanh", 30, bounds)
    pointwise("hardshrink", 30, one(0.5, 0.0, 1.0, -0.5, 2.0))
    pointwise("softshrink", 30, one(0.5, 0.0, 1.0, 2.0))
    pointwise("tanhshrink", 16, halves=False)  # x - tanh(x) in halves rounds after each step
    pointwise("elu", 30, one(1.0, 0.5, -0.5, 0.0, 2.0, kinks=lambda v: (0.0, 100.0, -100.0)))
    pointwise("selu", 20, around(0.0, 100.0, -100.0))
    pointwise("celu", 30, one(1.0, 0.5, -0.5, 2.0, kinks=lambda v: (0.0, 100.0, -100.0)))
    pointwise("hardswish", 24, around(3.0, -3.0))
    pointwise("hardsigmoid", 24, around(3.0, -3.0))
    pointwise("leaky_relu", 30, one(0.01, 0.0, -0.5, 1.0, INF, NAN))
    pointwise("threshold", 30, lambda: ((v := r.choice((0.0, 0.5, -1.0, INF)), r.choice((0.0, -0.0, 7.0, NAN))), (v,)))
    pointwise("logsigmoid", 20, around(88.0, -88.0, 100.0, -100.0, 16.0))
    pointwise("softplus", 30, lambda: ((r.choice((1.0, 0.5, 2.0, -1.0)), v := r.choice((20.0, 1.0, 0.0))), (v, v / 2, 100.0, -100.0)))
    pointwise("mish", 24, around(20.0, -20.0, 90.0, -90.0))
    pointwise("silu", 24, around(90.0, -90.0))
    pointwise("softsign", 20)
    for approximate in ("none", "tanh"):
        for dtype in (F32, F64, F32, F64, F16, BF16, F32, F64):
            # oneDNN's gelu of infinity is NaN; PyTorch's own is followed.
            with torch.backends.mkldnn.flags(enabled=False):
                g.add("nn.functional.gelu", F.gelu, g.values((2, 64), dtype, (10.0, -10.0, 5.5, -5.5)), approximate=approximate)
    for i in range(24):
        lower = r.choice((0.125, 0.0, -0.5))
        g.add("nn.functional.rrelu", F.rrelu, g.values((4, 16), g.dtype()), lower, r.choice((lower, 0.5)), False)
    for i in range(30):
        shape, n = r.choice((((4, 16), 16), ((4, 16), 1), ((2, 4, 16), 4), ((64,), 1)))
        dtype = g.dtype()
        g.add("nn.functional.prelu", F.prelu, g.values(shape, dtype), g.values((n,), dtype, share=0.3))
    for i in range(20):
        g.add("nn.functional.glu", F.glu, g.values((4, 32), g.dtype(), (100.0, -100.0)), r.choice((-1, 0, 1)))
    for name in ("softmax", "log_softmax"):
        for i in range(24):
            specials = r.choice(((NAN, INF, -INF, 0.0), (-INF,), (-INF, 0.0, 100.0), (INF,), (NAN,)))
            x = g.values((4, 16), g.dtype(), specials=specials, share=r.choice((0.05, 0.3, 1.0)))
            g.add(name, getattr(torch, name), x, r.choice((-1, 0)))
        g.add(name, getattr(torch, name), g.values((0, 4), F32), 1)
        g.add(name, getattr(torch, name), g.values((4, 0), F32), 1)
    for i in range(12):
        g.add("nn.functional.softmin", F.softmin, g.values((4, 16), g.dtype(), share=0.1), r.choice((-1, 0)))
    for name in ("sigmoid", "tanh", "logit"):
        for dtype in (F32, F64, F16, BF16):
            g.add(name, getattr(torch, name), g.values((2, 64), dtype, (1.0, 0.5, 100.0, -100.0)))


def losses(g):
    r = g.random

    def shapes():
        """Mostly equal shapes; in a sixth of the draws they broadcast."""
        return r.choice((((4, 16), (4, 16)),) * 5 + (((4, 16), (16,)), ((4, 1), (4, 16)), ((64,), ()), ((0, 3), (0, 3))))

    def pair(dtype, kink=0.0, target=None):
        """An input and a target whose difference is often exactly a kink, or NaN, or infinite."""
        a, b = shapes()
        specials = g.mild()
        x = g.values(a, dtype, specials=specials, share=0.25, grad=False)
        t = g.values(b, dtype, specials=specials, share=0.25, grad=False) if target is None else target(b)
        if a == b and target is None:
            mask = torch.tensor([r.random() < 0.4 for _ in range(x.numel())], dtype=BOOL).reshape(a)
            offset = g.pick(a, (kink, -kink), dtype)
            x = torch.where(mask, t + offset, x)
        return x.requires_grad_(r.random() < 0.9), t

    def both(x, t):
        return x.requires_grad_(True), t.requires_grad_(True)

    def numbers(name, times, **options):
        op, call = functional(name)
        for i in range(times):
            dtype = g.dtype()
            chosen = {k: r.choice(v) for k, v in options.items()}
            kink = next((v for k, v in chosen.items() if k in ("beta", "delta")), 0.0)
            x, t = both(*pair(dtype, float(kink)))
            g.add(op, call, x, t, reduction=g.reduction(), **chosen)
        for dtype in (F16, BF16):
            x, t = both(g.values((2, 64), dtype, share=0.1), g.values((2, 64), dtype, share=0.1))
            g.add(op, call, x, t, reduction="none", **{k: v[0] for k, v in options.items()})

    numbers("mse_loss", 24)
    numbers("l1_loss", 24)
    numbers("smooth_l1_loss", 40, beta=(1.0, 0.5, 0.0, 2.0))
    numbers("huber_loss", 40, delta=(1.0, 0.5, 2.0))

    op, call = functional("kl_div")
    for i in range(40):
        dtype, log = g.dtype(), r.random() < 0.5
        a, b = shapes()
        x = g.values(a, dtype, specials=g.mild(), share=0.2)
        t = g.values(b, dtype, (1.0, 0.5, -1.0), specials=g.mild(), share=0.4)
        reduction = r.choice((*REDUCTIONS, "batchmean"))
        g.add(op, call, x, t, reduction=reduction, log_target=log)
    op, call = functional("soft_margin_loss")
    for i in range(24):
        dtype = g.dtype()
        x = g.values((4, 16), dtype, (100.0, -100.0, 1000.0), specials=g.mild(), share=0.3)
        g.add(op, call, x, g.pick((4, 16), (1.0, -1.0, 1.0, -1.0, 0.0), dtype), reduction=g.reduction())
    op, call = functional("hinge_embedding_loss")
    for i in range(40):
        dtype, margin = g.dtype(), r.choice((1.0, 0.0, 0.5, -1.0))
        x = g.values((4, 16), dtype, (margin,), specials=g.mild())
        g.add(op, call, x, g.pick((4, 16), (1.0, -1.0, 1.0, -1.0, 0.0, 2.0), dtype), margin=margin, reduction=g.reduction())
    op, call = functional("margin_ranking_loss")
    for i in range(40):
        dtype, margin = g.dtype(), r.choice((0.0, 1.0, 0.5, -1.0))
        (a, b), t = both(*pair(dtype, margin)), None
        t = g.pick(tuple(torch.broadcast_shapes(a.shape, b.shape)), (1.0, -1.0, 1.0, -1.0, 0.0), dtype, grad=True)
        if r.random() < 0.3:
            t = g.values(tuple(t.shape), dtype)
        g.add(op, call, a, b, t, margin=margin, reduction=g.reduction())
    op, call = functional("triplet_margin_loss")
    for i in range(40):
        dtype, p = g.dtype(), r.choice((2.0, 1.0, 3.0, INF))
        specials = r.choice(((0.0, 1.0), (NAN,), (INF, 0.0), (1.0,)))
        a, b, c = (g.values((16, 4), dtype, specials=specials, share=0.15 if NAN in specials or INF in specials else 0.5) for _ in range(3))
        if r.random() < 0.3:
            b = a.detach().clone().requires_grad_(True)
        g.add(op, call, a, b, c, margin=r.choice((1.0, 0.5)), p=p, swap=r.random() < 0.3, reduction=g.reduction())
    op, call = functional("cosine_embedding_loss")
    for i in range(40):
        dtype, margin = g.dtype(), r.choice((0.0, 0.5, -0.5))
        specials = r.choice(((0.0,), (NAN, 0.0), (INF, 0.0), (1.0,)))
        a, b = (g.values((16, 4), dtype, specials=specials, share=0.1 if NAN in specials or INF in specials else 0.6) for _ in range(2))
        if r.random() < 0.3:
            b = a.detach().clone().requires_grad_(True)
        g.add(op, call, a, b, g.pick((16,), (1.0, -1.0, 1.0, -1.0, 0.0), dtype), margin=margin, reduction=g.reduction())
    op, call = functional("multi_margin_loss")
    for i in range(40):
        dtype, margin = g.dtype(), r.choice((1.0, 0.5, 0.0, -1.0))
        x = g.values((16, 4), dtype, (margin,), specials=g.mild(), share=0.2)
        weight = g.values((4,), dtype, specials=(0.0, NAN, INF), share=0.15, grad=False).abs() if r.random() < 0.4 else None
        g.add(op, call, x, g.ints((16,), 0, 4), p=r.choice((1, 2)), margin=margin, weight=weight, reduction=g.reduction())
    op, call = functional("binary_cross_entropy")
    for i in range(40):
        dtype = g.dtype()
        x = g.pick((4, 16), (0.0, 1.0, -0.0, 0.5, 1e-20, 1e-13, 0.25, 1 - 2**-24), dtype, grad=True)
        t = g.pick((4, 16), (0.0, 1.0, 0.5, -0.0, 0.125), dtype, grad=True)
        weight = g.values(r.choice(((4, 16), (16,), (4, 1))), dtype, share=0.2, grad=False) if r.random() < 0.3 else None
        g.add(op, call, x, t, weight=weight, reduction=g.reduction())
    for bad in (NAN, INF, -INF, -1e-3, 1.5):
        g.add(op, call, torch.tensor([0.5, bad], requires_grad=True), torch.tensor([1.0, 0.0]))
        g.add(op, call, torch.tensor([0.5, 0.5], requires_grad=True), torch.tensor([bad, 0.0]))
    op, call = functional("binary_cross_entropy_with_logits")
    for i in range(48):
        dtype = g.dtype()
        x = g.values((4, 16), dtype, (100.0, -100.0), specials=g.mild(), share=0.3)
        t = g.pick((4, 16), (0.0, 1.0, 0.5), dtype, grad=True) if r.random() < 0.6 else g.values((4, 16), dtype, (0.0, 1.0), share=0.6)
        weight = g.values(r.choice(((4, 16), (16,), (4, 1))), dtype, share=0.2, grad=False) if r.random() < 0.3 else None
        pos = g.values(r.choice(((16,), (1,))), dtype, specials=(0.0, NAN, INF), share=0.1, grad=False).abs() if r.random() < 0.4 else None
        g.add(op, call, x, t, weight=weight, pos_weight=pos, reduction=g.reduction())
    op, call = functional("poisson_nll_loss")
    for i in range(48):
        dtype = g.dtype()
        (a, b) = shapes()
        x = g.values(a, dtype, (0.0, 100.0, -1e-8), specials=g.mild(), share=0.3)
        t = g.values(b, dtype, (0.0, 1.0, 2.0, -1.0), specials=g.mild(), share=0.5)
        g.add(op, call, x, t, log_input=r.random() < 0.5, full=r.random() < 0.5, eps=r.choice((1e-8, 1e-3)), reduction=g.reduction())
    op, call = functional("gaussian_nll_loss")
    for i in range(40):
        dtype = g.dtype()
        (x, t), eps = both(*pair(dtype)), r.choice((1e-6, 1e-2))
        var = g.values(tuple(x.shape), dtype, (eps, 0.0, 1.0), specials=r.choice(((0.0,), (NAN, INF))), share=0.4, grad=False).abs().requires_grad_(True)
        g.add(op, call, x, t, var, full=r.random() < 0.4, eps=eps, reduction=g.reduction())

    for name in ("nll_loss", "cross_entropy"):
        op, call = functional(name)
        for i in range(70):
            dtype, classes = g.dtype(), 4
            shape = r.choice(((16, classes), (16, classes), (8, classes, 2), (2, classes, 2, 4), (classes,), (0, classes)))
            target_shape = () if len(shape) == 1 else (shape[0], *shape[2:])
            specials = r.choice(((0.0,), (NAN,), (INF,), (-INF,), (-INF, 0.0)))
            x = g.values(shape, dtype, specials=specials, share=r.choice((0.1, 0.3)))
            ignore = r.choice((-100, -100, 0, 2))
            target = g.ints(target_shape, 0, classes)
            if r.random() < 0.4:
                target = torch.where(torch.tensor([r.random() < 0.5 for _ in range(target.numel())], dtype=BOOL).reshape(target_shape), ignore, target)
            if r.random() < 0.15:
                target = torch.full(target_shape, ignore)
            weight = r.choice((None, None, (1.0, 0.5, 2.0, 3.0), (0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 2.0), (NAN, 1.0, INF, 1.0), (-1.0, 1.0, 1.0, -1.0)))
            weight = None if weight is None else torch.tensor(weight, dtype=dtype)
            more = {"label_smoothing": r.choice((0.0, 0.0, 0.1, 1.0))} if name == "cross_entropy" else {}
            g.add(op, call, x, target, weight=weight, ignore_index=ignore, reduction=g.reduction(), **more)
    for i in range(30):
        dtype = g.dtype()
        x = g.values((16, 4), dtype, specials=r.choice(((0.0,), (NAN,), (INF,), (-INF,))), share=0.15)
        t = g.values((16, 4), dtype, specials=r.choice(((0.0, 1.0), (NAN,), (INF, 0.0))), share=0.2)
        weight = r.choice((None, (1.0, 0.5, 2.0, 3.0), (0.0, 0.0, 0.0, 0.0)))
        weight = None if weight is None else torch.tensor(weight, dtype=dtype)
        g.add("nn.functional.cross_entropy", F.cross_entropy, x, t, weight=weight, label_smoothing=r.choice((0.0, 0.1)), reduction=g.reduction())
    empty = torch.empty(0, 4, requires_grad=True)
    for reduction in REDUCTIONS:
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "soft_margin_loss", "poisson_nll_loss", "binary_cross_entropy",
                     "binary_cross_entropy_with_logits", "hinge_embedding_loss"):
            g.add(f"nn.functional.{name}", getattr(F, name), empty, torch.empty(0, 4), reduction=reduction)
        g.add("nn.functional.margin_ranking_loss", F.margin_ranking_loss, empty, empty, torch.empty(0, 4), reduction=reduction)
        g.add("nn.functional.gaussian_nll_loss", F.gaussian_nll_loss, empty, empty, torch.ones(0, 4), reduction=reduction)
        g.add("nn.functional.cosine_embedding_loss", F.cosine_embedding_loss, empty, empty, torch.ones(0), reduction=reduction)
        g.add("nn.functional.triplet_margin_loss", F.triplet_margin_loss, empty, empty, empty, reduction=reduction)
        if reduction == "none":  # PyTorch's sum and mean of no sample are never written
            g.add("nn.functional.multi_margin_loss", F.multi_margin_loss, empty, torch.ones(0, dtype=I64), reduction=reduction)
    for shape, target_shape in (((2, 4, 3, 3), (2, 3, 3)), ((2, 4, 3), (2, 3)), ((2, 4), (2,)), ((4,), ())):
        for weight in (torch.ones(3), torch.ones(2, 4), torch.ones(5)):
            for name in ("nll_loss", "cross_entropy"):
                g.add(f"nn.functional.{name}", getattr(F, name), torch.zeros(shape), torch.zeros(target_shape, dtype=I64), weight=weight)


def promotion(g):
    """Every loss with tensors of two dtypes: which promote, which take the first's dtype, which refuse, and in which words."""
    def leaf(t):
        return t.requires_grad_(t.is_floating_point())

    def made(dtype, other):
        a = torch.tensor([[0.25, 0.5, 1.0], [0.0, 0.75, 1.0]]).to(dtype)
        b = torch.tensor([[1.0, 0.5, 1.0], [0.0, 1.0, 0.25]]).to(other)
        return a, b

    ones, classes = torch.ones(2, 3), torch.tensor([0, 1])
    calls = {
        "mse_loss": [lambda a, b: ((leaf(a), leaf(b)), {})], "l1_loss": [lambda a, b: ((leaf(a), leaf(b)), {})],
        "smooth_l1_loss": [lambda a, b: ((leaf(a), leaf(b)), {}), lambda a, b: ((leaf(a), leaf(b)), {"beta": 0.0})],
        "huber_loss": [lambda a, b: ((leaf(a), b), {})],
        "kl_div": [lambda a, b: ((leaf(a), leaf(b)), {}), lambda a, b: ((leaf(a), leaf(b)), {"log_target": True})],
        "soft_margin_loss": [lambda a, b: ((leaf(a), b), {}), lambda a, b: ((a, leaf(b)), {})],
        "poisson_nll_loss": [lambda a, b: ((leaf(a), leaf(b)), {}), lambda a, b: ((leaf(a), leaf(b)), {"log_input": False, "full": True})],
        "gaussian_nll_loss": [lambda a, b: ((leaf(a), leaf(b), ones), {}), lambda a, b: ((leaf(a), a.detach() * 1, leaf(b)), {})],
        "hinge_embedding_loss": [lambda a, b: ((leaf(a), b), {})],
        "margin_ranking_loss": [lambda a, b: ((leaf(a), leaf(b), ones), {}), lambda a, b: ((leaf(a), a.detach() * 1, leaf(b)), {})],
        "cosine_embedding_loss": [lambda a, b: ((leaf(a), leaf(b), torch.ones(2)), {})],
        "triplet_margin_loss": [lambda a, b: ((leaf(a), leaf(b), b.detach().clone()), {})],
        "binary_cross_entropy": [lambda a, b: ((leaf(a), b), {}), lambda a, b: ((leaf(a), a.detach().clone()), {"weight": b}),
                                 lambda a, b: ((a, a.clone()), {"weight": leaf(b)})],
        "binary_cross_entropy_with_logits": [lambda a, b: ((leaf(a), leaf(b)), {}), lambda a, b: ((leaf(a), a.detach().clone()), {"weight": b}),
                                             lambda a, b: ((leaf(a), a.detach().clone()), {"pos_weight": b}), lambda a, b: ((a, a.clone()), {"weight": leaf(b)}),
                                             lambda a, b: ((a, a.clone()), {"pos_weight": leaf(b)})],
        "cross_entropy": [lambda a, b: ((leaf(a), leaf(b)), {}), lambda a, b: ((leaf(a), classes), {"weight": b[0]}),
                          lambda a, b: ((a, classes), {"weight": leaf(b[0].clone())})],
        "nll_loss": [lambda a, b: ((leaf(a), classes), {"weight": b[0]}), lambda a, b: ((a, classes), {"weight": leaf(b[0].clone())})],
        "multi_margin_loss": [lambda a, b: ((leaf(a), classes), {"weight": b[0]}), lambda a, b: ((a, classes), {"weight": leaf(b[0].clone())})],
        "pairwise_distance": [lambda a, b: ((leaf(a), leaf(b)), {})], "cosine_similarity": [lambda a, b: ((leaf(a), leaf(b)), {})],
        "prelu": [lambda a, b: ((leaf(a), leaf(b[0].clone())), {})],
    }
    for name, forms in calls.items():
        op, call = functional(name)
        for form in forms:
            for reduction in ((None,) if name in ("pairwise_distance", "cosine_similarity", "prelu") else ("mean", "none")):
                for dtype, other in DTYPE_PAIRS:
                    args, kwargs = form(*made(dtype, other))
                    if reduction == "none" and (dtype, other) in ((F32, F16), (BOOL, BOOL), (BF16, F16)):
                        continue
                    if reduction is not None:
                        kwargs["reduction"] = reduction
                    g.add(op, call, *args, **kwargs)


def order(g):
    r = g.random

    def tied(shape, dtype=None, nan=None):
        dtype = dtype or r.choice((F32, F64, F32, I64))
        if dtype == I64:
            return g.ints(shape, -2, 3)
        choices = [0.0, 1.0, 1.0, -1.0, 2.0, -0.0, *r.choice(((), (NAN,), (INF, -INF), (NAN, INF)))] if nan is None else nan
        return g.pick(shape, list(choices), dtype, grad=True)

    def shape():
        return r.choice(((7,), (3, 5), (2, 3, 4), (1,), (4, 20), (64,), (33,)))

    for name in ("amax", "amin"):
        for i in range(24):
            s = shape()
            dim = r.choice((None, 0, -1, tuple(range(len(s)))))
            g.add(name, getattr(torch, name), tied(s), *(() if dim is None else (dim,)), **({} if dim is None else {"keepdim": r.random() < 0.5}))
    for name in ("max", "min"):
        call = getattr(torch, name)
        for i in range(24):
            g.add(f"{name}.reduction_no_dim", call, tied(shape()))
        for i in range(24):
            s = shape()
            g.add(f"{name}.reduction_with_dim", call, tied(s), r.randrange(len(s)), r.random() < 0.5)
        for i in range(24):
            s, dtype = r.choice(((64,), (4, 16))), r.choice((F32, F64))
            g.add(f"{name}.binary", call, tied(s, dtype), tied(s, dtype))
    for name in ("maximum", "minimum"):
        for i in range(16):
            a, b = r.choice((((4, 16), (4, 16)), ((4, 16), (16,)), ((64,), ()))), r.choice((F32, F64))
            g.add(name, getattr(torch, name), tied(a[0], b), tied(a[1], b))
    for i in range(24):
        s = shape()
        dim = r.choice((None, r.randrange(len(s))))
        g.add("aminmax", torch.aminmax, tied(s), dim=dim, keepdim=r.random() < 0.5)
    for i in range(48):
        g.add("median", torch.median, tied(shape()))
    for i in range(48):
        s = shape()
        g.add("median", torch.median, tied(s), r.randrange(len(s)), r.random() < 0.5)
    for i in range(48):
        s = shape()
        dim = r.randrange(len(s))
        g.add("kthvalue", torch.kthvalue, tied(s), r.randrange(1, s[dim] + 1), dim, r.random() < 0.5)
    for name in ("cummax", "cummin"):
        for i in range(24):
            s = shape()
            g.add(name, getattr(torch, name), tied(s), r.randrange(len(s)))
    for i in range(24):
        s = shape()
        g.add("sort", torch.sort, tied(s), dim=r.randrange(len(s)), descending=r.random() < 0.5, stable=True)
    for name in ("argmax", "argmin"):
        for i in range(16):
            s = shape()
            g.add(name, getattr(torch, name), tied(s), *r.choice(((), (r.randrange(len(s)),))))
    for i in range(24):
        # Without ties: PyTorch's choice among equals is its partial sort's.
        x = torch.tensor(r.sample(range(-40, 40), 12), dtype=F32)
        if r.random() < 0.5:
            x[r.randrange(12)] = r.choice((NAN, INF, -INF))
        g.add("topk", torch.topk, x.reshape(r.choice(((12,), (2, 6)))).requires_grad_(True), r.randrange(1, 6), -1, r.random() < 0.5)
    for i in range(20):
        x = g.values(shape(), g.dtype(), specials=r.choice(((NAN, INF, -INF), (-INF,), (INF,), (0.0,))), share=r.choice((0.2, 1.0)))
        g.add("logsumexp", torch.logsumexp, x, r.choice((0, -1)), keepdim=r.random() < 0.5)
    for name in ("nansum", "nanmean"):
        for i in range(12):
            g.add(name, getattr(torch, name), g.values(shape(), g.dtype(), specials=r.choice(((NAN,), (NAN, INF))), share=r.choice((0.3, 1.0))))
        g.add(name, getattr(torch, name), torch.empty(0, requires_grad=True))
    for name in ("mean", "sum"):
        for dims in ((), (0,), (1,)):
            g.add(name, getattr(torch, name), torch.empty(0, 3, requires_grad=True), *dims)
        for i in range(8):
            g.add(name, getattr(torch, name), g.values((4, 16), g.dtype()), r.choice((0, 1)))
    for kind in ("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"):
        ndim = int(kind[-2])
        for i in range(20):
            lengths = tuple(r.randrange(3, 7) for _ in range(ndim))
            choices = [0.0, 1.0, 1.0, -0.0] + r.choice(([NAN], [NAN, NAN, NAN], [-INF, -INF], [INF]))
            x = g.pick((2, 2, *lengths), choices, r.choice((F32, F64)), grad=True)
            if kind.startswith("adaptive"):
                size = tuple(r.randrange(1, 5) for _ in range(ndim))
                g.add(f"nn.functional.{kind}", getattr(F, kind), x, size if ndim > 1 else size[0], return_indices=True)
            else:
                k, pad = r.choice(((2, 0), (3, 1), (2, 1), (3, 0)))
                g.add(f"nn.functional.{kind}", getattr(F, kind), x, k, stride=r.choice((1, 2)), padding=pad, ceil_mode=r.random() < 0.3, return_indices=True)


def statistics(g):
    """Variances and norms: large means, few values, NaN, empty. Values that a float32 holds exactly, so that any summation may be compared."""
    r = g.random

    def spread_out(shape, dtype, grad=True):
        mean, step = r.choice(((10000.0, 1e-3), (20000.0, 1.0), (0.0, 1.0), (-3000.0, 0.01), (1e6, 1.0)))
        flat = [mean + step * round(r.gauss(0, 3), 1) for _ in range(math.prod(shape))]
        return torch.tensor(flat, dtype=F64).reshape(shape).to(dtype).requires_grad_(grad)

    def special_lines(shape, dtype):
        return g.values(shape, dtype, specials=r.choice(((NAN,), (INF,), (0.0,), (1.0,))), share=r.choice((0.1, 1.0)))

    for name in ("var", "std", "var_mean", "std_mean"):
        call = getattr(torch, name)
        for i in range(40):
            shape = r.choice(((16,), (3, 16), (16, 3), (4, 5, 6), (64, 8), (2, 1), (3, 300), (300, 3)))
            dtype = r.choice((F32, F32, F64))
            x = spread_out(shape, dtype) if r.random() < 0.7 else special_lines(shape, dtype)
            dim = r.choice((0, -1, tuple(range(len(shape)))))
            g.add_statistic(name, call, x, dim=dim, correction=r.choice((1, 0, 1, 2)), keepdim=r.random() < 0.5, grads=x.numel() < 500)
        for shape, dim in (((0,), 0), ((0, 3), 0), ((0, 3), 1), ((3, 0), 1), ((1,), 0)):
            g.add(name, call, torch.zeros(shape, requires_grad=True), dim=dim)
        sixteen = (10000 + torch.arange(16, dtype=F64) * 1e-3).to(F32).requires_grad_(True)
        g.add_statistic(name, call, sixteen, dim=0, correction=1, keepdim=False)
    for name in ("batch_norm", "instance_norm"):
        op, call = functional(name)
        for i in range(36):
            shape = r.choice(((8, 3), (4, 3, 10), (2, 3, 5, 4), (2, 8, 7, 9))) if name == "batch_norm" else r.choice(((4, 3, 10), (2, 3, 5, 4), (2, 8, 7, 9)))
            dtype = r.choice((F32, F32, F64))
            x = spread_out(shape, dtype) if r.random() < 0.8 else g.values(shape, dtype, specials=(NAN,), share=0.02)
            affine = r.random() < 0.6
            w, b = (g.values((shape[1],), dtype, specials=()) if affine else None for _ in range(2))
            use = {"training": True} if name == "batch_norm" else {"use_input_stats": True}
            g.add_statistic(op, call, x, None, None, w, b, **use, eps=r.choice((1e-5, 1e-3)), grads=not x.detach().abs().max() > 1e3)
    op, call = functional("layer_norm")
    for i in range(36):
        shape, normalized = r.choice((((6, 16), (16,)), ((2, 3, 8), (3, 8)), ((5, 64), (64,)), ((3, 1), (1,)), ((4, 100), (100,))))
        dtype = r.choice((F32, F32, F64))
        x = spread_out(shape, dtype) if r.random() < 0.7 else special_lines(shape, dtype)
        w, b = (g.values(normalized, dtype, specials=()) if r.random() < 0.6 else None for _ in range(2))
        g.add_statistic(op, call, x, normalized, w, b, eps=r.choice((1e-5, 1e-3)), grads=not x.detach().abs().max() > 1e3)
    op, call = functional("group_norm")
    for i in range(36):
        shape, groups = r.choice((((4, 6, 5), 3), ((2, 4, 3, 3), 2), ((2, 4, 8, 8), 1), ((2, 4, 5), 4)))
        dtype = r.choice((F32, F32, F64))
        x = spread_out(shape, dtype) if r.random() < 0.8 else g.values(shape, dtype, specials=(NAN,), share=0.02)
        w, b = (g.values((shape[1],), dtype, specials=()) if r.random() < 0.6 else None for _ in range(2))
        g.add_statistic(op, call, x, groups, w, b, eps=r.choice((1e-5, 1e-3)), grads=not x.detach().abs().max() > 1e3)
    op, call = functional("rms_norm")
    for i in range(16):
        x = special_lines((4, 16), g.dtype())
        g.add(op, call, x, (16,), g.values((16,), x.dtype, specials=()) if r.random() < 0.5 else None)
    for name in ("normalize", "cosine_similarity", "pairwise_distance"):
        op, call = functional(name)
        for i in range(24):
            dtype = g.dtype()
            specials, share = r.choice((((0.0,), 1.0), ((0.0,), 0.5), ((NAN,), 0.1), ((INF,), 0.1), ((0.0, 1.0), 1.0)))
            x, y = (g.values((8, 4), dtype, specials=specials, share=share) for _ in range(2))
            p = r.choice((2.0, 1.0, 3.0, INF, 0.5))
            if name == "normalize":
                g.add(op, call, x, p=p, dim=r.choice((0, 1)))
            elif name == "pairwise_distance":
                g.add(op, call, x, x.detach().clone().requires_grad_(True) if r.random() < 0.4 else y, p=p, eps=r.choice((1e-6, 0.0)))
            else:
                g.add(op, call, x, y, dim=r.choice((0, 1)))


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    groups = {"activations": activations, "losses": losses, "promotion": promotion, "order": order, "statistics": statistics}
    counts = {}
    for seed, (name, draw) in enumerate(groups.items()):
        g = Group(seed)
        draw(g)
        encode.write(DATA / f"{name}.jsonl.gz", g.cases)
        counts[name] = (len(g.cases), sum("error" in c for c in g.cases), sum("grads" in c for c in g.cases))
    print(counts)


if __name__ == "__main__":
    main()
