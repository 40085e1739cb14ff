"""Goldens of random optimizers: options in and out of range, groups, several steps with gradients that may be missing, zero, infinite or NaN,
options that change between steps, groups that are added, parameters that stand twice; parameters, state dicts and messages."""
import math
import warnings

import torch
from torch import optim

from draw import BF16, F16, F32, F64, INF, NAN, Draw
from encode import DTYPES, TOLERANCES, arg, kwargs_of, tensor

COUNT = 160
OPTIONS = {
    optim.SGD: {"momentum": [0.9, 0.5, 0, 1.0, -0.1], "dampening": [0.3, 0, 1.0], "weight_decay": [0.1, 0.5, -0.1], "nesterov": [True, True], "maximize": [True]},
    optim.Adam: {"betas": [(0.8, 0.9), (0.5, 0.7), (0.0, 0.999), (0.3, 0.0), (1.0, 0.9), (0.9, -0.1)], "eps": [1e-2, 0.0, -1e-8], "weight_decay": [0.1, 0.5, -0.1],
                 "amsgrad": [True], "maximize": [True]},
    optim.Adagrad: {"lr_decay": [0.1, 1, -0.5], "weight_decay": [0.1, -0.1], "initial_accumulator_value": [0.5, 1, -1.0], "eps": [1e-3, 0.0, -1e-8], "maximize": [True]},
    # With centered and small alpha the variance is what rounding leaves of nothing.
    optim.RMSprop: {"alpha": [0.9, 0.95, 0.5, -0.1], "eps": [1e-2, 0.0, -1e-8], "weight_decay": [0.5, -0.1], "momentum": [0.9, 0.5, -0.5], "centered": [True], "maximize": [True]},
}
OPTIONS[optim.AdamW] = OPTIONS[optim.Adam]
OPTIONS[optim.NAdam] = {"betas": OPTIONS[optim.Adam]["betas"], "eps": [1e-2, 0.0, -1e-8], "weight_decay": [0.1, 0.5, -0.1], "momentum_decay": [4e-2, 0.5, 0, -0.1],
                        "decoupled_weight_decay": [True], "maximize": [True]}
# What no step may change: PyTorch reads a state that was never made.
FROZEN = {"amsgrad", "centered"}
HIDDEN = ("foreach", "fused", "differentiable", "capturable")


def options(d, cls, often, sane):
    out = {}
    for name, values in OPTIONS[cls].items():
        if d.chance(often):
            values = [v for v in values if not sane or all(x >= 0 for x in (v if isinstance(v, tuple) else (v,))) and v != (1.0, 0.9)]
            out[name] = d(*values)
    if d.chance(often):
        out["lr"] = d(0.1, 0.05, 1, 0.5) if sane or d.chance(0.9) else d(-0.1, -1, NAN, 0)
    return out


def gradient(d, shape, dtype):
    x = d.r.random()
    if x < 0.12:
        return None
    g = d.numbers(*shape)
    if x < 0.25:
        g = g * 0
    elif x < 0.35:
        g = d.special(g, (NAN, INF, -INF))
    elif x < 0.45:
        g = g * d(1e-4, 1e4)
    return g.to(dtype)


def snapshot(opt, params):
    state = opt.state_dict()
    entry = lambda v: tensor(v if isinstance(v, torch.Tensor) else torch.tensor(float(v)), True, exact=True)
    return {
        "state": [[i, [[k, entry(v)] for k, v in s.items() if v is not None]] for i, s in sorted(state["state"].items()) if any(v is not None for v in s.values())],
        "param_groups": [[[k, arg(v)] for k, v in g.items()] for g in state["param_groups"]],
    }


def case(cls, i):
    d = Draw("optimizer", cls.__name__, i)
    dtype = d.dtype() if cls is optim.SGD else d(F32, F32, F64)
    params = [d.numbers(*d((), (0,), (3,), (2, 2), (4,), (1, 3))).to(dtype).requires_grad_(True) for _ in range(d.int(1, 4))]
    if d.chance(0.05):
        params[-1] = (params[-1] * 2).requires_grad_(True)  # no leaf
    order = list(range(len(params)))
    if d.chance(0.1):
        order.insert(d.int(0, len(order)), d.int(0, len(params) - 1))
    sane = d.chance(0.8)
    kwargs = options(d, cls, 0.35, sane)
    if sane and kwargs.get("nesterov") and d.chance(0.9):
        kwargs |= {"momentum": 0.9, "dampening": 0}
    layout, later = None, None
    if d.chance(0.45):
        cut = sorted(d.int(0, len(order)) for _ in range(d.int(0, 2)))
        pieces = [order[a:b] for a, b in zip([0, *cut], [*cut, len(order)])]
        layout = [{"params": piece, "options": options(d, cls, 0.25, True)} for piece in pieces]
        if len(layout) > 1 and layout[-1]["params"] and d.chance(0.3):
            later = layout.pop()
    out = {"optimizer": cls.__name__, "dtype": DTYPES[dtype], "kwargs": kwargs_of(kwargs), "order": order,
           "params": [tensor(p.detach()) | ({} if p.is_leaf else {"leaf": False}) for p in params]}
    group = lambda g: {"params": [params[k] for k in g["params"]], **g["options"]}
    encode_group = lambda g: {"params": g["params"], "options": [[k, arg(v)] for k, v in g["options"].items()]}
    if layout is not None:
        out["groups"] = [encode_group(g) for g in layout]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            opt = cls([group(g) for g in layout] if layout is not None else [params[k] for k in order], **kwargs)
        except (ValueError, RuntimeError) as e:
            return out | {"error": {"type": type(e).__name__, "message": str(e)}}
    out["duplicates"] = any("duplicate parameters" in str(w.message) for w in said)
    out["repr"], out["defaults"] = repr(opt), [[k, arg(v)] for k, v in opt.defaults.items()]
    out["initial"] = snapshot(opt, params)
    steps = d.int(1, 4)
    out["steps"] = []
    for k in range(steps):
        step = {}
        if k and d.chance(0.25):
            g = d.int(0, len(opt.param_groups) - 1)
            change = {n: v for n, v in options(d, cls, 0.2, True).items() if n not in FROZEN}
            step["set"] = [g, [[n, arg(v)] for n, v in change.items()]]
            opt.param_groups[g].update(change)
        if k and later is not None:
            step["add"] = encode_group(later)
            try:
                opt.add_param_group(group(later))
            except (ValueError, RuntimeError) as e:
                step["add_error"] = {"type": type(e).__name__, "message": str(e)}
            later = None
        for p in params:
            p.grad = gradient(d, p.shape, dtype)
        step["grads"] = [None if p.grad is None else tensor(p.grad, True, exact=True) for p in params]
        try:
            opt.step()
        except KeyError as e:
            out["steps"].append(step | {"error": {"type": "KeyError", "message": str(e)}})
            return out
        out["steps"].append(step | {"params": [tensor(p.detach(), True, exact=True) for p in params]})
    out["final"] = snapshot(opt, params)
    out["tol"] = [2e-2, 2e-2] if dtype == BF16 else [4e-3, 4e-3] if dtype == F16 else TOLERANCES[dtype]
    return out


def random_optimizer_cases():
    return [case(cls, i) for cls in OPTIONS for i in range(COUNT)]
