"""Own cases: special values, promotion, broadcasting, empty and 0-dim tensors, ties, integer arithmetic, and errors."""
import itertools
import math

import torch
from torch.testing._internal.opinfo.core import UnaryUfuncInfo

from encode import Unsupported, record
from ops import DB, EXACT, tolerance

INF, NAN = math.inf, math.nan
F32, F64, I64, I32, U8, I8, BOOL = torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.int8, torch.bool
ALL_DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
              torch.float16, torch.bfloat16, torch.float32, torch.float64]

UNARY = """neg abs exp log sqrt rsqrt square sigmoid tanh sin cos sign floor ceil round trunc log1p expm1 log2 log10 erf erfc reciprocal
sinh cosh tan asin acos atan logical_not isnan isinf isfinite nan_to_num lgamma nn.functional.relu nn.functional.relu6
nn.functional.silu nn.functional.mish nn.functional.hardswish nn.functional.hardsigmoid nn.functional.hardtanh nn.functional.softsign
nn.functional.logsigmoid nn.functional.selu""".split()
UNARY_WITH = [("nn.functional.leaky_relu", {}), ("nn.functional.leaky_relu", {"negative_slope": 0.2}), ("nn.functional.elu", {}),
              ("nn.functional.elu", {"alpha": 1.5}), ("nn.functional.celu", {"alpha": 0.5}), ("nn.functional.gelu", {}),
              ("nn.functional.gelu", {"approximate": "tanh"}), ("nn.functional.softplus", {}),
              ("nn.functional.softplus", {"beta": 2.0, "threshold": 5.0}), ("nn.functional.threshold", {"threshold": 0.5, "value": -7.0}),
              ("logit", {"eps": 1e-6}), ("clamp", {"min": -1.0, "max": 1.0}), ("clamp", {"min": 0.5}), ("clamp", {"max": 0.5}),
              ("clamp", {"min": 2.0, "max": -2.0}), ("clamp", {"min": NAN}), ("round", {"decimals": 2})]
BINARY = """add sub mul div.no_rounding_mode pow maximum minimum max.binary min.binary fmod remainder floor_divide atan2 xlogy logaddexp eq
ne lt le gt ge logical_and logical_or logical_xor isclose nn.functional.mse_loss nn.functional.l1_loss nn.functional.smooth_l1_loss
nn.functional.huber_loss""".split()
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1.5, 2.5, -2.5, 3.0, -3.0, 6.0, -6.0, 10.0, 20.0, 20.5, -20.5, 88.0, 89.0, -88.0, -104.0,
           100.0, -100.0, 1e-5, -1e-5, 1e-20, 1e-30, -1e-30, 1e-40, 1e4, -1e4, 1e10, 1e30, -1e30, 3.4e38, INF, -INF, NAN,
           0.99999994, 1.0000001, -1.0000001, 2.9999998, 3.0000002, -3.0000002, 5.9999995]
PAIR = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 100.0, 1e30, -1e30, INF, -INF, NAN]


def leaf(x, dtype=F32):
    return torch.tensor(x, dtype=dtype, requires_grad=dtype.is_floating_point)


class Group:
    """Collects cases by op name."""

    def __init__(self):
        self.by_op = {}

    def add(self, name, *args, kind="edge", expect=None, grads=True, tol=None, **kwargs):
        """Records one case. expect=True: it must fail; expect=None: it must not."""
        try:
            case = record(name, DB[name].op, list(args), kwargs, kind, grads=grads, exact=name in EXACT,
                          tol=tol or tolerance(name, F32 if any(isinstance(a, torch.Tensor) and a.dtype == F32 for a in args) else None))
        except Unsupported as e:
            raise RuntimeError(f"{name}: {e}") from e
        if ("error" in case) != bool(expect):
            raise RuntimeError(f"{name} {args} {kwargs}: {case.get('error', 'no error')}")
        self.by_op.setdefault(name, []).append(case)

    def error(self, name, *args, **kwargs):
        self.add(name, *args, kind="error", expect=True, grads=False, **kwargs)


def special_values(g):
    for name in UNARY:
        g.add(name, leaf(SPECIAL))
    for name, kw in UNARY_WITH:
        g.add(name, leaf(SPECIAL), **kw)
    a, b = (leaf(list(v)) for v in zip(*itertools.product(PAIR, PAIR)))
    for name in BINARY:
        x, y = a.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
        kw = {"reduction": "none"} if name.startswith("nn.") else {}
        g.add(name, x, y, grads=name != "floor_divide", **kw)
    for mode in ("floor", "trunc"):
        g.add(f"div.{mode}_rounding", leaf(a.tolist()), leaf(b.tolist()), rounding_mode=mode)
    for e in (0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -0.5, 2, 0, -2, INF, NAN):
        g.add("pow", leaf(SPECIAL), e)
    for s in (0.0, 2, -1.5, INF, NAN):
        g.add("mul", leaf(PAIR), s)
        g.add("add", leaf(PAIR), s)
        g.add("div.no_rounding_mode", leaf(PAIR), s)
        g.add("maximum", leaf(PAIR), leaf(s))
    for w in (0.0, 0.3, 0.5, 0.7, 1.0):
        g.add("lerp", leaf(PAIR), leaf(PAIR[::-1]), w)
    cond = torch.tensor([i % 2 == 0 for i in range(len(PAIR))])
    g.add("where", leaf(PAIR), cond, leaf(PAIR[::-1]))
    g.add("where", leaf([1.0, 2.0]), torch.tensor([True, False]), leaf([NAN, INF]))
    g.add("masked_fill", leaf(PAIR), cond, 7.0)
    g.add("masked_fill", leaf(PAIR), cond, leaf(-INF))
    g.add("clamp", leaf([0.0, 1.0, 2.0, NAN]), leaf([1.0, NAN, 0.0, 0.0]), leaf([3.0, 5.0, 1.0, 1.0]))
    g.add("clamp", torch.tensor([1, 5, 9]), 2, 7)
    g.add("clamp", torch.tensor([1, 5, 9]), 2.5, 7)
    g.add("addcmul", leaf(PAIR), leaf(PAIR[::-1]), leaf([2.0] * len(PAIR)), value=0.5)
    g.add("addcdiv", leaf(PAIR), leaf(PAIR[::-1]), leaf([2.0] * len(PAIR)), value=0.5)
    g.add("add", leaf([1.0, 2.0]), leaf([3.0, 4.0]), alpha=0.5)
    g.add("sub", leaf([1.0, 2.0]), leaf([3.0, 4.0]), alpha=2)
    g.add("add", torch.tensor([1, 2]), torch.tensor([3, 4]), alpha=-3)
    # losses where a logarithm meets its bound
    p, t = leaf([0.0, 0.0, 1.0, 1.0, 0.5, 1e-30, 0.25]), torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5, 1.0, 0.75])
    for r in ("none", "mean", "sum"):
        g.add("nn.functional.binary_cross_entropy", p.detach().clone().requires_grad_(), t, reduction=r)
        z = leaf([0.0, 100.0, -100.0, 1e4, -1e4, 20.0, -3.0])
        g.add("nn.functional.binary_cross_entropy_with_logits", z, t, reduction=r)
        g.add("nn.functional.kl_div", leaf([-0.5, -2.0, 0.0, -1.0]), torch.tensor([0.0, 0.5, 1.0, 0.25]), reduction=r)
        g.add("nn.functional.hinge_embedding_loss", leaf([0.0, 1.0, 2.0, -1.0, 0.5]), torch.tensor([1.0, -1.0, -1.0, -1.0, 1.0]), reduction=r)
        g.add("nn.functional.cross_entropy", leaf([[100.0, -100.0, 0.0], [1e30, 0.0, 1.0], [1.0, 1.0, 1.0]]), torch.tensor([1, 2, 0]), reduction=r)
        g.add("nn.functional.cross_entropy", leaf([[1.0, -1.0, 0.0], [0.5, 0.0, 1.0], [1.0, 1.0, 1.0]]), torch.tensor([1, -100, 0]), reduction=r)
        g.add("nn.functional.nll_loss", leaf([[-1.0, -2.0], [-0.5, -3.0]]), torch.tensor([-100, -100]), reduction=r)
    g.add("nn.functional.kl_div", leaf([-0.5, -2.0]), torch.tensor([-0.25, -1.5]), reduction="batchmean", log_target=True)


def reductions(g):
    nan, tie = [[1.0, NAN, 3.0], [2.0, 2.0, -INF]], [[3.0, 1.0, 3.0, 2.0], [0.0, -0.0, 0.0, -1.0]]
    for rows in (nan, tie, [[INF, -INF, 0.0], [INF, INF, 1.0]], [[-INF, -INF], [-INF, 0.0]]):
        for name in ("sum", "mean", "var", "std", "prod", "amax", "amin", "max.reduction_with_dim", "min.reduction_with_dim", "argmax",
                     "argmin", "any", "all", "cumsum", "cumprod", "cummax", "cummin", "logsumexp", "softmax", "log_softmax",
                     "count_nonzero"):
            g.add(name, leaf(rows), dim=-1) if name not in ("softmax", "log_softmax") else g.add(name, leaf(rows), -1)
        for name in ("max.reduction_no_dim", "min.reduction_no_dim", "sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "any", "all"):
            g.add(name, leaf(rows))
        g.add("sort", leaf(rows), dim=-1, stable=True)
        g.add("sort", leaf(rows), dim=-1, stable=True, descending=True)
        g.add("argsort", leaf(rows), dim=-1, stable=True)
        for p in (0, 1, 2, 3, 0.5, INF, -INF):
            g.add("norm", leaf(rows), p=p, dim=1)
            g.add("linalg.vector_norm", leaf(rows), p, 0)
    g.add("norm", leaf([0.0, 0.0]))
    g.add("norm", leaf([[0.0, 0.0], [3.0, 4.0]]), p=1, dim=1, keepdim=True)
    g.add("nn.functional.normalize", leaf([[0.0, 0.0], [3.0, 4.0]]), dim=1)
    g.add("topk", leaf([1.0, NAN, 5.0, 2.0]), 2)
    g.add("topk", leaf([1.0, 4.0, 5.0, 2.0]), 2, largest=False)
    g.add("prod", leaf([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), dim=1)
    g.add("prod", leaf([0.0, 2.0, 3.0]))
    g.add("var", leaf([1.0]))
    g.add("std", leaf([1.0, 1.0]), correction=0)
    g.add("std", leaf([[1.0, 2.0], [3.0, 5.0]]), dim=(0, 1), correction=2, keepdim=True)
    empty = (torch.empty(0, 3), torch.empty(2, 0))
    for e in empty:
        for name in ("sum", "mean", "prod", "any", "all", "logsumexp", "var", "std", "cumsum", "norm"):
            dims = {"dim": 0}
            g.add(name, e.clone().requires_grad_(name not in ("any", "all")), **dims)
        for name in ("sum", "mean", "prod", "any", "all", "var", "norm"):
            g.add(name, e.clone().requires_grad_(name not in ("any", "all")))
    g.add("amax", torch.empty(2, 0), dim=0)
    g.add("argmax", torch.empty(2, 0), dim=0)
    g.add("softmax", torch.empty(2, 0).requires_grad_(), 1)
    for name in ("sum", "mean", "prod", "amax", "cumsum", "max.reduction_with_dim", "argmax", "var", "logsumexp", "sort", "median"):
        g.add(name, leaf(2.5), dim=0)
    ints = [torch.tensor(v, dtype=d) for v, d in (([[1, 2], [3, -4]], I64), ([[100, 100], [100, 100]], I8), ([[200, 100], [7, 0]], U8),
                                                   ([[True, False], [True, True]], BOOL), ([[2**30, 2**30], [5, 5]], I32))]
    for t in ints:
        for name in ("sum", "prod", "cumsum", "any", "all", "amax", "argmin", "count_nonzero"):
            if t.dtype == BOOL and name == "argmin":
                continue
            g.add(name, t, dim=1)
        g.add("sum", t)
        g.add("sum", t, dtype=F32)
        g.add("mean", t, dtype=F64)
    for h in (torch.float16, torch.bfloat16):
        t = torch.full((40,), 1.0, dtype=h)
        t[0] = 256.0
        for name in ("sum", "mean", "var", "cumsum", "softmax"):
            g.add(name, t, 0, tol=[1e-3, 1e-5] if h == torch.float16 else [1.6e-2, 1e-5])


def integers(g):
    a, b = torch.tensor([7, -7, 7, -7, 0, 5]), torch.tensor([2, 2, -2, -2, 3, 5])
    for d in (I64, I32, torch.int16, I8):
        x, y = a.to(d), b.to(d)
        for name in ("add", "sub", "mul", "div.no_rounding_mode", "floor_divide", "remainder", "fmod", "maximum", "bitwise_and", "bitwise_or",
                     "bitwise_xor", "eq", "lt", "atan2"):
            g.add(name, x, y)
        g.add("div.floor_rounding", x, y, rounding_mode="floor")
        g.add("div.trunc_rounding", x, y, rounding_mode="trunc")
        g.add("pow", x, 3)
        g.add("pow", x, torch.tensor([2, 3, 0, 1, 0, 4], dtype=d))
        top = torch.iinfo(d)
        g.add("add", torch.tensor([top.max, top.min], dtype=d), torch.tensor([1, -1], dtype=d))
        g.add("mul", torch.tensor([top.max, top.min], dtype=d), 2)
        g.add("abs", torch.tensor([top.min, -3, 4], dtype=d))
        g.add("neg", torch.tensor([top.min, -3, 4], dtype=d))
        g.add("sign", torch.tensor([top.min, 0, 4], dtype=d))
    u = torch.tensor([3, 5, 255], dtype=U8)
    for name in ("sub", "add", "mul", "floor_divide", "remainder"):
        g.add(name, u, torch.tensor([5, 3, 2], dtype=U8))
    g.add("neg", u)
    g.add("bitwise_not", u)
    t, f = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    for name in ("add", "mul", "div.no_rounding_mode", "bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_xor", "eq", "lt", "ge",
                 "maximum"):
        g.add(name, t, f)
    for name in ("exp", "sqrt", "sigmoid", "reciprocal", "sin", "log"):
        g.add(name, torch.tensor([1, 2, 4]))
        g.add(name, torch.tensor([True, False]))
    g.add("sum", torch.tensor([2**53 + 1, 1]))
    g.add("add", torch.tensor([2**62]), 2**53 + 1)
    g.add("mul", torch.tensor([3]), 2**53 + 1)
    g.add("eq", torch.tensor([2**53 + 1]), 2**53)
    for d in ALL_DTYPES:
        g.add("to", torch.tensor([0.0, 1.7, 2.5, 3.5, 100.9]), d, grads=False)
        if d.is_floating_point:
            g.add("to", torch.tensor([1.0, 65504.0, 65520.0, 1e-8, 1e38, INF, -INF, NAN, 1.00048828125, 1.0078125, 1.01171875], dtype=F64), d)
        else:
            g.add("to", torch.tensor([300, -1, 0, 5]), d)
    g.add("to", torch.tensor([-1.7, -2.5, -0.5]), I64)
    g.add("to", leaf([1.5, 2.5]), F64)


def promotion(g):
    ops = ("add", "mul", "div.no_rounding_mode", "eq")
    for p, q in itertools.product(ALL_DTYPES, ALL_DTYPES):
        x, y = torch.tensor([1, 2]).to(p), torch.tensor([2, 1]).to(q)
        for name in ops:
            tol = [1.6e-2, 1e-5]
            g.add(name, x, y, kind="promotion", tol=tol)
            g.add(name, x, torch.tensor(2).to(q), kind="promotion", tol=tol)
    for p in ALL_DTYPES:
        for s in (True, 2, 1.5):
            for name in ops:
                g.add(name, torch.tensor([1, 2]).to(p), s, kind="promotion", tol=[1.6e-2, 1e-5])
                g.add(name, torch.tensor(2).to(p), s, kind="promotion", tol=[1.6e-2, 1e-5])
    a, c = torch.tensor([1, 2]), torch.tensor([True, False])
    for other in (torch.tensor([1.5, 2.5]), torch.tensor(1.5), torch.tensor(1.5, dtype=F64)):
        g.add("where", a, c, other, kind="promotion")
        g.add("cat", [a, other.reshape(-1)], 0, kind="promotion")
        g.add("maximum", a, other, kind="promotion")
        g.add("pow", a, other, kind="promotion")


def broadcasting(g):
    shapes = [((3, 1), (1, 4)), ((3,), (2, 3)), ((2, 1, 3), (4, 1)), ((), (2, 2)), ((1,), ()), ((0, 3), (1, 3)), ((2, 0), (1,)), ((0,), ()),
              ((1, 1, 1), (2,)), ((5, 1, 4, 1), (3, 1, 2))]
    for s, t in shapes:
        x = (torch.arange(math.prod(s), dtype=F32).reshape(s) * 0.5 + 1).requires_grad_()
        y = (torch.arange(math.prod(t), dtype=F32).reshape(t) * 0.25 + 2).requires_grad_()
        for name in ("add", "sub", "mul", "div.no_rounding_mode", "pow", "maximum", "minimum", "eq", "lt", "atan2", "nn.functional.mse_loss"):
            if name.startswith("nn.") and len(s) != len(t):
                continue
            g.add(name, x.detach().clone().requires_grad_(), y.detach().clone().requires_grad_(), kind="broadcast")
        g.add("where", x.detach().clone().requires_grad_(), torch.tensor([True]), y.detach().clone().requires_grad_(), kind="broadcast")
    for name in UNARY:
        g.add(name, torch.empty(0, 2).requires_grad_(), kind="broadcast")
        g.add(name, leaf(0.5), kind="broadcast")


def ramp(*shape, dtype=F32, grad=True):
    """Distinct values of both signs, exact in every float dtype."""
    n = math.prod(shape)
    t = ((torch.arange(n) * 7 % 17) - 8).to(dtype).reshape(shape)
    return (t / 4).requires_grad_(grad) if dtype.is_floating_point else t


def products_and_layers(g):
    for s, t in (((3, 4), (4, 2)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), ((2, 3, 4), (4, 2)), ((2, 3, 4), (2, 4, 2)), ((2, 1, 3, 4), (5, 4, 2)),
                 ((3, 4), (2, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((0, 4), (4, 2)), ((3, 0), (0, 2)), ((1, 1), (1, 1)), ((17, 9), (9, 13))):
        g.add("matmul", ramp(*s), ramp(*t))
        g.add("matmul", ramp(*s, dtype=F64), ramp(*t, dtype=F64))
    g.add("matmul", ramp(3, 4, dtype=I64), ramp(4, 2, dtype=I64))
    g.add("matmul", ramp(4, 3).detach().t().requires_grad_(), ramp(2, 4).detach().t().requires_grad_())
    g.add("bmm", ramp(2, 3, 4), ramp(2, 4, 2))
    g.add("bmm", ramp(0, 3, 4), ramp(0, 4, 2))
    g.add("mm", ramp(0, 4), ramp(4, 0))
    g.add("addmm", ramp(3), ramp(2, 4), ramp(4, 3), beta=0.5, alpha=2)
    g.add("addmm", leaf([[NAN]]), ramp(2, 4), ramp(4, 3), beta=0)
    g.add("outer", ramp(3), ramp(4))
    for eq, *ss in (("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("ii->i", (3, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
                    ("i,j->ij", (2,), (3,)), ("ij,ij->i", (2, 3), (2, 3)), ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 2)), ("ij,jk", (2, 3), (3, 2)),
                    ("bhqd,bhkd->bhqk", (1, 2, 3, 2), (1, 2, 2, 2)), ("ijk,jl,kl->il", (2, 3, 2), (3, 2), (2, 2))):
        g.add("einsum", [ramp(*s, dtype=F64) for s in ss], eq)
    sdpa = "nn.functional.scaled_dot_product_attention"
    for kw in ({}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": ramp(3, 5, grad=False)}, {"attn_mask": ramp(3, 5, grad=False) > -1}):
        g.add(sdpa, ramp(2, 3, 4), ramp(2, 5, 4), ramp(2, 5, 4), **kw)
    for dtype in (F32, F64):
        conv = "nn.functional.conv2d"
        x, w, b = ramp(2, 2, 5, 6, dtype=dtype), ramp(4, 2, 3, 3, dtype=dtype), ramp(4, dtype=dtype)
        for kw in ({}, {"stride": 2}, {"padding": 1}, {"stride": (2, 1), "padding": (1, 2)}, {"dilation": 2}, {"padding": "same"}, {"padding": "valid"}):
            g.add(conv, *(t.detach().clone().requires_grad_() for t in (x, w, b)), **kw)
        g.add(conv, ramp(1, 4, 4, 4, dtype=dtype), ramp(4, 2, 3, 3, dtype=dtype), None, groups=2)
        g.add(conv, ramp(1, 3, 4, 4, dtype=dtype), ramp(6, 1, 2, 2, dtype=dtype), ramp(6, dtype=dtype), groups=3)
        g.add(conv, ramp(2, 5, 6, dtype=dtype), ramp(4, 2, 1, 1, dtype=dtype), ramp(4, dtype=dtype))
        g.add(conv, ramp(0, 2, 5, 5, dtype=dtype), ramp(4, 2, 3, 3, dtype=dtype), ramp(4, dtype=dtype))
        pool = "nn.functional.max_pool2d"
        x = torch.tensor([[[[1.0, 1.0, 2.0, 0.0], [1.0, NAN, 2.0, -1.0], [0.0, 3.0, 3.0, 3.0], [-INF, -5.0, 3.0, 3.0]]]], dtype=dtype)
        for kw in ({}, {"stride": 1}, {"padding": 1}, {"stride": 1, "dilation": 2}, {"stride": 3, "ceil_mode": True}, {"return_indices": True}):
            g.add(pool, x.clone().requires_grad_(), 2, **kw)
        for kw in ({}, {"stride": 1}, {"padding": 1}, {"padding": 1, "count_include_pad": False}, {"stride": 3, "ceil_mode": True}, {"divisor_override": 3}):
            g.add("nn.functional.avg_pool2d", ramp(1, 2, 4, 5, dtype=dtype), 2, **kw)
        for size in (1, (2, 3), (None, 2), (5, 7)):
            g.add("nn.functional.adaptive_avg_pool2d", ramp(1, 2, 4, 5, dtype=dtype), size)
        for reduction in ("mean", "sum", "none"):
            for smoothing in (0.0, 0.1):
                g.add("nn.functional.cross_entropy", ramp(4, 3, dtype=dtype), torch.tensor([2, 0, 1, 2]), weight=ramp(3, dtype=dtype, grad=False).abs() + 1,
                      ignore_index=1, reduction=reduction, label_smoothing=smoothing)
                g.add("nn.functional.cross_entropy", ramp(2, 3, 2, dtype=dtype), torch.tensor([[2, 0], [1, 2]]), reduction=reduction, label_smoothing=smoothing)
            g.add("nn.functional.cross_entropy", ramp(4, 3, dtype=dtype), torch.softmax(ramp(4, 3, dtype=dtype, grad=False), 1), reduction=reduction)
            g.add("nn.functional.cross_entropy", ramp(3, dtype=dtype), torch.tensor(1), reduction=reduction)
    g.add("slice_scatter", ramp(3, 4), ramp(3, 2), 1, 0, 4, 2)
    emb = "nn.functional.embedding"
    g.add(emb, ramp(5, 3), torch.tensor([[1, 1, 4], [0, 2, 1]]))
    g.add(emb, ramp(5, 3), torch.tensor([1, 1, 4]), padding_idx=1)
    g.add(emb, ramp(5, 3), torch.tensor([1, 1, 4], dtype=I32), scale_grad_by_freq=True)
    g.add("nn.functional.one_hot", torch.tensor([[0, 2], [1, 1]]))
    g.add("nn.functional.one_hot", torch.tensor([0, 2]), 5)
    g.add("nn.functional.dropout", ramp(3, 4), 0.5, False)
    g.add("nn.functional.dropout", ramp(3, 4), 0.0, True)
    g.add("nn.functional.dropout", ramp(3, 4), 1.0, True)


def moving(g):
    x = ramp(3, 4)
    fresh = lambda: ramp(3, 4)
    for idx in ((0,), (-1,), (slice(None), 1), (slice(None, None, 2), slice(1, None)), (..., 0), (None, 1), (slice(None), None), (slice(5, 2),),
                (slice(-2, None),), (torch.tensor([2, 0, 2]),), (torch.tensor([2, 0]), torch.tensor([1, -1])), (slice(None), torch.tensor([[0, 3], [1, 1]])),
                (torch.tensor([[0], [2]]), torch.tensor([1, 3])), (x.detach() > 0,), (torch.tensor([True, False, True]),), (slice(None), torch.tensor([True, False, True, True])),
                (torch.tensor([0, 1]), None, torch.tensor([1, 2])), (None, torch.tensor([0, 2]), slice(1, 3)), (slice(0, 0),), (torch.tensor([], dtype=I64),),
                (1, torch.tensor([0, 0, 1])), (...,), (torch.tensor(1),), (True,)):
        g.add("__getitem__", fresh(), idx)
    y = lambda: ramp(2, 3, 4)
    for idx in ((torch.tensor([0, 1]), slice(None), torch.tensor([2, 3])), (slice(None), torch.tensor([0, 2]), torch.tensor([1, 1])), (0, ..., torch.tensor([1, 2])),
                (..., slice(None, None, 3)), (1, 2, 3)):
        g.add("__getitem__", y(), idx)
    for acc in (False, True):
        g.add("index_put", fresh(), [torch.tensor([0, 2, 0])], ramp(3, 4), accumulate=acc) if acc else g.add("index_put", fresh(), [torch.tensor([0, 2])], ramp(2, 4))
    for args in ((12,), (-1,), (2, -1), (2, 6), (1, 3, 4, 1)):
        g.add("reshape", fresh(), list(args))
        g.add("view", fresh(), list(args))
    g.add("reshape", ramp(4, 3).detach().t().requires_grad_(), [12])
    g.add("view", ramp(6, 4).detach()[::2].requires_grad_(), [3, 2, 2])
    g.add("reshape", torch.empty(0, 4).requires_grad_(), [2, 0, 3])
    for start, end in ((0, -1), (1, 2), (0, 1), (-1, -1)):
        g.add("flatten", y(), start, end)
    g.add("flatten", leaf(1.5))
    for t, d in ((ramp(1, 3, 1), None), (ramp(1, 3, 1), 0), (ramp(1, 3, 1), 1), (ramp(1, 3, 1), -1)):
        g.add("squeeze", t) if d is None else g.add("squeeze", t, d)
    for d in (0, 2, -1, -3):
        g.add("unsqueeze", fresh(), d)
    g.add("expand", ramp(3, 1), (2, -1, 4))
    g.add("repeat", fresh(), (2, 1, 2))
    g.add("tril", y(), 1)
    g.add("triu", y(), -1)
    for sizes, d in ((2, 1), (3, 1), ([1, 3], 1), ([1, 2], 0)):
        g.add("split", fresh(), sizes, d)
    for n in (2, 3, 5):
        g.add("chunk", fresh(), n, 1)
    g.add("cat", [ramp(2, 3), ramp(0), ramp(1, 3)], 0)
    g.add("cat", [ramp(2, 3, dtype=I64), ramp(1, 3)], 0)
    g.add("stack", [ramp(2, 3), ramp(2, 3)], -1)
    index = torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]])
    g.add("gather", fresh(), 0, index)
    g.add("scatter", fresh(), 0, index[:1], ramp(1, 4))
    g.add("scatter", fresh(), 0, index[:1], 1.5)
    g.add("scatter_add", fresh(), 0, index, ramp(2, 4))
    g.add("index_select", fresh(), 1, torch.tensor([3, 0, 3]))
    g.add("index_add", fresh(), 0, torch.tensor([0, 2, 0]), ramp(3, 4), alpha=2)
    g.add("index_fill", fresh(), 0, torch.tensor([0, 2]), 9.0)
    g.add("nonzero", torch.tensor([[0.0, 1.0], [NAN, -0.0]]))
    g.add("nonzero", torch.tensor(3))
    g.add("nonzero", torch.tensor([1, 0, 2]), as_tuple=True)
    g.add("masked_select", fresh(), torch.tensor([True, False, True, False]))
    g.add("take_along_dim", fresh(), index, 0)
    g.add("repeat_interleave", fresh(), 2, 1)
    g.add("repeat_interleave", fresh(), torch.tensor([1, 0, 2]), 0)
    g.add("roll", fresh(), 1)
    g.add("roll", fresh(), (1, -2), (0, 1))
    g.add("unfold", ramp(7), 0, 3, 2)
    for args in ((5,), (1, 5), (1, 10, 3), (0.0, 1.0, 0.25), (5, 0, -2), (0, 0), (1.5,)):
        g.add("arange", *args)
    g.add("arange", 3, dtype=F64)
    for args in ((0, 1, 5), (3, -3, 4), (2, 5, 1), (0, 1, 0), (0.1, 0.7, 11)):
        g.add("linspace", *args)
    g.add("full", (2, 2), 3)
    g.add("full", (2,), 1.5)
    g.add("full", (2,), True)
    g.add("eye", 3)
    g.add("eye", 2, 4, dtype=I64)
    for pad in ((1, 2), (0, -1), (1, 1, 2, 0)):
        g.add("nn.functional.pad.constant", fresh(), pad, value=1.5)


def errors(g):
    x, i = ramp(2, 3, grad=False), ramp(2, 3, dtype=I64)
    for name in ("add", "mul", "eq", "maximum", "div.no_rounding_mode", "pow"):
        g.error(name, x, ramp(4, grad=False))
    g.error("where", x, torch.tensor([True, False]), ramp(4, grad=False))
    g.error("mm", ramp(64, 78, grad=False), ramp(10, 10, grad=False))
    g.error("matmul", x, ramp(2, 3, grad=False))
    g.error("matmul", ramp(2, 3, 4, grad=False), ramp(3, 4, 2, grad=False))
    g.error("matmul", x, torch.tensor(1.0))
    g.error("matmul", x, ramp(4, grad=False))
    g.error("matmul", ramp(3, grad=False), ramp(4, grad=False))
    g.error("mm", ramp(3, grad=False), x)
    g.error("mm", x, i.t())
    g.error("matmul", x, ramp(3, 2, dtype=F64, grad=False))
    g.error("bmm", x, x)
    g.error("bmm", ramp(2, 3, 4, grad=False), ramp(2, 3, 4, grad=False))
    g.error("bmm", ramp(2, 3, 4, grad=False), ramp(3, 4, 2, grad=False))
    g.error("mv", x, ramp(4, grad=False))
    g.error("dot", ramp(3, grad=False), ramp(4, grad=False))
    g.error("dot", x, ramp(4, grad=False))
    g.error("addmm", ramp(5, grad=False), x, ramp(3, 2, grad=False))
    g.error("outer", x, ramp(3, grad=False))
    g.error("einsum", [x, ramp(4, 2, grad=False)], "ij,jk->ik")
    g.error("einsum", [x], "ijk->i")
    g.error("nn.functional.linear", ramp(64, 10, grad=False), ramp(5, 7, grad=False))
    g.error("nn.functional.linear", ramp(4, 7, grad=False), ramp(5, 7, grad=False), ramp(4, grad=False))
    for name, args in (("sum", ()), ("mean", ()), ("amax", ()), ("argmax", ()), ("cumsum", ()), ("softmax", ()), ("log_softmax", ()), ("sort", ()),
                       ("max.reduction_with_dim", ()), ("prod", ()), ("unsqueeze", ()), ("squeeze", ()), ("logsumexp", ()), ("any", ()), ("select", (0,)),
                       ("unbind", ())):
        g.error(name, x, 5, *args)
    g.error("transpose", x, 0, 2)
    g.error("transpose", x, -3, 0)
    g.error("permute", x, (0, 0))
    g.error("permute", x, (0,))
    g.error("flatten", x, 1, 0)
    g.error("t", ramp(2, 2, 2, grad=False))
    for shape in ([4], [-1, 4], [-1, -1], [2, -2]):
        g.error("reshape", x, shape)
        g.error("view", x, shape)
    g.error("view", x.t(), [6])
    g.error("reshape", torch.empty(0, 2), [-1, 0])
    g.error("expand", x, (2, 4))
    g.error("expand", x, (3,))
    g.error("expand", x, (-1, 2, 3))
    g.error("repeat", x, (2,))
    g.error("select", x, 0, 2)
    g.error("narrow", x, 1, 2, 3)
    g.error("slice", x, 5, 0, 1)
    g.error("__getitem__", x, (2,))
    g.error("__getitem__", x, (0, 0, 0,))
    g.error("__getitem__", x, (torch.tensor([5]),))
    g.error("__getitem__", x, (torch.tensor([0.5]),))
    g.error("__getitem__", x, (torch.tensor([True, False, True]),))
    g.error("__getitem__", x, (torch.tensor([0, 1]), torch.tensor([0, 1, 2]),))
    g.error("__getitem__", x, (slice(None, None, -1),))
    g.error("cat", [x, ramp(2, 4, grad=False)], 0)
    g.error("cat", [x, ramp(3, grad=False)], 0)
    g.error("cat", [], 0)
    g.error("cat", [x], 2)
    g.error("stack", [x, ramp(2, 4, grad=False)], 0)
    g.error("stack", [], 0)
    g.error("split", x, [1, 1], 1)
    g.error("split", x, -1)
    g.error("chunk", x, 0)
    g.error("gather", x, 0, torch.tensor([[2, 0, 0]]))
    g.error("gather", x, 0, torch.tensor([0]))
    g.error("gather", x, 0, torch.tensor([[0.0]]))
    g.error("scatter", x, 0, torch.tensor([[2, 0, 0]]), 1.0)
    g.error("scatter_add", x, 0, torch.tensor([[0, 0, 0]]), ramp(1, 2, grad=False))
    g.error("index_select", x, 0, torch.tensor([2]))
    g.error("index_select", x, 0, torch.tensor([[0]]))
    g.error("index_add", x, 0, torch.tensor([0]), ramp(1, 2, grad=False))
    g.error("masked_select", x, ramp(2, 3, grad=False))
    g.error("masked_fill", x, ramp(2, 3, grad=False), 1.0)
    g.error("masked_fill", x, torch.tensor([True, False]), 1.0)
    g.error("masked_fill", x, x > 0, ramp(2, grad=False))
    g.error("topk", x, 4)
    g.error("repeat_interleave", x, torch.tensor([1, 2, 3]), 0)
    g.error("meshgrid.variadic_tensors", x, indexing="ij")
    for name in ("mean", "var", "std", "softmax"):
        g.error(name, i, 0)
    g.error("mean", torch.tensor([True]))
    g.error("sub", torch.tensor([True]), torch.tensor([True]))
    g.error("sub", torch.tensor([1.0]), True)
    g.error("neg", torch.tensor([True]))
    g.error("pow", torch.tensor([2, 3]), -1)
    g.error("floor_divide", torch.tensor([1]), torch.tensor([0]))
    g.error("remainder", torch.tensor([1]), torch.tensor([0]))
    g.error("add", torch.tensor([1]), torch.tensor([1]), alpha=1.5)
    g.error("add", torch.tensor([True]), torch.tensor([True]), alpha=1.5)
    g.error("bitwise_and", x, x)
    g.error("lerp", x, ramp(2, 3, dtype=F64, grad=False), 0.5)
    for name in ("amax", "argmax", "max.reduction_no_dim", "min.reduction_no_dim"):
        g.error(name, torch.empty(0))
    g.error("amax", torch.empty(2, 0), dim=1)
    g.error("max.reduction_with_dim", torch.empty(2, 0), 1)
    g.error("argmax", torch.empty(2, 0), dim=1)
    g.error("sum", x, (0, 0))
    g.error("item", x)
    g.error("to", x, "nothing")
    g.error("arange", 0, 5, -1)
    g.error("arange", 0, 5, 0)
    g.error("linspace", 0, 1, -1)
    g.error("eye", -1)
    g.error("zeros", (-1, 2))
    conv, img = "nn.functional.conv2d", ramp(1, 3, 5, 5, grad=False)
    g.error(conv, img, ramp(4, 2, 3, 3, grad=False))
    g.error(conv, x, ramp(4, 3, 3, 3, grad=False))
    g.error(conv, ramp(1, 3, 2, 2, grad=False), ramp(4, 3, 3, 3, grad=False))
    g.error(conv, img, ramp(4, 3, 3, 3, grad=False), ramp(5, grad=False))
    g.error(conv, img, ramp(4, 3, 3, 3, grad=False), None, stride=0)
    g.error(conv, img, ramp(4, 3, 3, 3, grad=False), None, padding=-1)
    g.error(conv, img, ramp(4, 3, 3, 3, grad=False), None, stride=2, padding="same")
    g.error(conv, img, ramp(4, 3, 3, 3, grad=False), None, groups=2)
    g.error(conv, img, ramp(4, 3, 3, 3, dtype=F64, grad=False))
    g.error("nn.functional.conv1d", x, ramp(4, 3, 2, grad=False))
    for pool in ("nn.functional.max_pool2d", "nn.functional.avg_pool2d"):
        g.error(pool, x, 2)
        g.error(pool, img, 2, padding=2)
        g.error(pool, img, 6)
        g.error(pool, img, 2, stride=0)
    g.error("nn.functional.batch_norm", x, torch.zeros(4), torch.ones(4))
    g.error("nn.functional.batch_norm", ramp(1, 3, grad=False), None, None, training=True)
    g.error("nn.functional.layer_norm", x, (4,))
    g.error("nn.functional.group_norm", ramp(1, 3, 2, grad=False), 2)
    g.error("nn.functional.embedding", ramp(3, 2, grad=False), torch.tensor([3]))
    g.error("nn.functional.embedding", ramp(3, 2, grad=False), torch.tensor([0.5]))
    g.error("nn.functional.one_hot", torch.tensor([0, 5]), 3)
    g.error("nn.functional.one_hot", torch.tensor([-1]))
    g.error("nn.functional.dropout", x, 1.5)
    g.error("nn.functional.interpolate.nearest", img)
    g.error("nn.functional.pad.constant", x, (1,))
    g.error("nn.functional.pad.constant", x, (1, 1, 1, 1, 1, 1))
    for loss in ("nn.functional.cross_entropy", "nn.functional.nll_loss"):
        g.error(loss, x, torch.tensor([0, 3]))
        g.error(loss, x, torch.tensor([0, 1, 2]))
        g.error(loss, x, torch.tensor([0, -1]))
        g.error(loss, x, torch.tensor([0, 1]), reduction="median")
        g.error(loss, x, torch.tensor([0, 1]), weight=torch.ones(2))
    g.error("nn.functional.cross_entropy", x, torch.tensor([0.0, 1.0]))
    g.error("nn.functional.cross_entropy", x, torch.tensor([0, 1]), label_smoothing=2.0)
    g.error("nn.functional.mse_loss", x, ramp(4, grad=False))
    g.error("nn.functional.mse_loss", x, x, reduction="median")
    g.error("nn.functional.binary_cross_entropy", ramp(3, grad=False), torch.tensor([1.0, 0.0, 1.0]))
    g.error("nn.functional.binary_cross_entropy", torch.full((3,), 0.5), torch.full((4,), 0.5))
    g.error("nn.functional.binary_cross_entropy_with_logits", ramp(3, grad=False), torch.tensor([1.0, 0.0]))


def searches(g):
    """Sorted boundaries: NaN, zeros, ties, promotion, numbers; and every refusal."""
    b, nan = torch.tensor([1.0, 3.0, 3.0, 5.0]), torch.tensor([-INF, -0.0, 0.0, 2.0, NAN, NAN])
    for right in (False, True):
        g.add("searchsorted", b, torch.tensor([3.0, NAN, 0.0, 9.0, INF, -INF]), right=right)
        g.add("searchsorted", nan, torch.tensor(PAIR), right=right)
        g.add("searchsorted", torch.tensor([NAN, 1.0, 2.0, 3.0, 4.0]), torch.tensor(PAIR), right=right)
        g.add("searchsorted", torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0, 0.0]), torch.tensor(PAIR), right=right)
        g.add("searchsorted", torch.tensor([[1.0, 3.0], [3.0, NAN]]), torch.tensor([[3.0, 0.0, NAN], [4.0, 3.0, 1.0]]), right=right)
        g.add("bucketize", torch.tensor([[3.0, NAN], [-0.0, 7.0]]), b, right=right, out_int32=True)
    for values in (3, 3.5, NAN, 2**53 + 1, True, torch.tensor(3.0), torch.tensor(3), torch.tensor([2.5]), torch.tensor([], dtype=F32)):
        g.add("searchsorted", b, values)
        g.add("searchsorted", torch.tensor([1, 3, 5]), values, side="right")
    for values in (300, -1, torch.tensor(300), torch.tensor([-1]), torch.tensor([2.5], dtype=torch.float16)):
        g.add("searchsorted", torch.tensor([1, 2, 200], dtype=U8), values)
    g.add("searchsorted", torch.tensor([1, 2**53 + 1]), torch.tensor([2.0**53], dtype=F64))
    g.add("searchsorted", torch.tensor([True, False]), torch.tensor([1]))
    g.add("searchsorted", torch.zeros(2, 0), torch.zeros(2, 3))
    g.add("searchsorted", torch.zeros(0, 3), torch.zeros(0, 2))
    g.add("searchsorted", torch.zeros(3, 2).t(), torch.zeros(3, 2).t(), side="right")
    g.add("searchsorted", torch.tensor([[3.0, 1.0], [2.0, 1.0]]), torch.tensor([[2.0, 3.0], [1.0, 2.0]]), sorter=torch.tensor([[1, 0], [1, 0]]))
    three, one, two_d = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0]), torch.zeros(2, 3)
    g.error("searchsorted", three, one, right=True, side="left")
    g.error("searchsorted", three, one, side="middle")
    g.error("searchsorted", three, one, sorter=torch.tensor([2, 0]), side="x")
    for sequence, values in ((torch.tensor(1.0), one), (torch.tensor(1.0), torch.tensor(3.0)), (two_d, torch.tensor(3.0)), (two_d, 3.0),
                             (two_d, torch.zeros(3, 3)), (two_d, torch.zeros(2, 2, 3)), (two_d, torch.zeros(3)),
                             (torch.zeros(1, 3), torch.zeros(0, 2)), (torch.tensor([False, True]), torch.tensor([True])),
                             (torch.tensor([False, True]), True)):
        g.error("searchsorted", sequence, values)
    for sorter in ([0, 1], [0, 1, 3], [0, 1, -1]):
        g.error("searchsorted", three, one, sorter=torch.tensor(sorter))
    g.error("searchsorted", three, one, sorter=torch.tensor([0, 1, 2], dtype=I32))
    g.error("searchsorted", two_d, torch.zeros(2, 2), sorter=torch.zeros(3, dtype=I64))
    g.error("bucketize", one, torch.zeros(1, 1))
    g.error("bucketize", one, torch.tensor(1.0))


def alignments(g):
    """Sequences of labels: repeats, a length of none, an impossible one, a list for a batch. PyTorch's samples are too large to keep."""
    log_probs = ramp(5, 3, 4).detach().log_softmax(2).requires_grad_(True)
    padded, lengths = torch.tensor([[1, 2, 2], [3, 3, 0], [1, 0, 0]]), torch.tensor([3, 2, 0])
    for reduction in ("none", "mean", "sum"):
        g.add("nn.functional.ctc_loss", log_probs, padded, [5, 5, 4], [3, 2, 1], reduction=reduction)
        g.add("nn.functional.ctc_loss", log_probs, padded, torch.tensor([5, 4, 5]), lengths, reduction=reduction)
        g.add("nn.functional.ctc_loss", log_probs, padded, [2, 2, 2], [3, 2, 1], reduction=reduction, zero_infinity=True)
    g.add("nn.functional.ctc_loss", log_probs, torch.tensor([1, 2, 3, 3, 1]), [5, 5, 4], [2, 2, 1])
    g.error("nn.functional.ctc_loss", log_probs, padded, [5, 5, 6], [3, 2, 1])
    g.error("nn.functional.ctc_loss", log_probs, padded, [5, 5], [3, 2, 1])


def edge_cases(others):
    """All own cases, by op; of the ops that no list names, those of one tensor get the special values."""
    g = Group()
    for name in others:
        if isinstance(DB[name], UnaryUfuncInfo):
            g.add(name, leaf(SPECIAL))
    for build in (special_values, reductions, integers, promotion, broadcasting, products_and_layers, moving, searches, alignments, errors):
        build(g)
    return g.by_op
