"""Goldens of random optimizers of the classes that random_optim.py does not have, drawn in the same way, and of the switches that
every class has: foreach, fused, capturable, differentiable, learning rates that are tensors, named parameters."""
import warnings

import torch
from torch import optim

import random_optim
from draw import BF16, F16, F32, F64, NAN, Draw
from encode import DTYPES, TOLERANCES, arg, kwargs_of, tensor
from optim import MUON
from random_optim import OPTIONS as OLD, gradient, snapshot

COUNT = 100
BETAS = [(0.8, 0.9), (0.5, 0.7), (0.0, 0.999), (0.3, 0.0), (1.0, 0.9), (0.9, -0.1)]
DECAY = [0.1, 0.5, 0, -0.1]
OPTIONS = {
    optim.Adadelta: {"rho": [0.8, 0.5, 0.0, 1.0, 1.5, -0.1], "eps": [1e-2, 1e-4, -1e-8], "weight_decay": DECAY, "maximize": [True]},
    optim.Adamax: {"betas": BETAS, "eps": [1e-2, 0.0, -1e-8], "weight_decay": DECAY, "maximize": [True]},
    optim.RAdam: {"betas": BETAS + [(0.9, 0.95)], "eps": [1e-2, 0.0, -1e-8], "weight_decay": DECAY, "decoupled_weight_decay": [True], "maximize": [True]},
    optim.Rprop: {"etas": [(0.25, 2.0), (0.5, 1.5), (0.9, 1.1), (1.0, 1.2), (0.5, 1.0), (-0.5, 1.2)], "step_sizes": [(0.01, 0.5), (1e-6, 1.0), (0.5, 0.1)],
                  "maximize": [True]},
    optim.ASGD: {"lambd": [0.1, 0.5, 0, -0.1], "alpha": [0.5, 1, 0, -1.0], "t0": [0, 1, 2.0, -1.0], "weight_decay": DECAY, "maximize": [True]},
    optim.Adafactor: {"beta2_decay": [-0.5, -1.0, 0.0, -2.0, 0.1], "eps": [(None, 0.1), (1e-3, 1.0), (1e-30, 1e-3), (-1.0, 1e-3), (None, -1.0)],
                      "d": [2.0, 1, 1.5, 0.5], "weight_decay": DECAY, "maximize": [True]},
    optim.Muon: {"weight_decay": DECAY, "momentum": [0.9, 0.5, 0, 0.3, -0.5], "nesterov": [False], "ns_coefficients": [(3.0, -3.2, 1.2), (2.0, -1.5, 0.5)],
                 "eps": [1e-3], "ns_steps": [1, 3, 7, 100], "adjust_lr_fn": ["original", "match_rms_adamw", "spectral_unclamped", "other"]},
}
SHAPES = {optim.Muon: [(2, 2), (1, 3), (4, 2), (3, 4), (5, 1), (3,)], optim.Adafactor: [(), (3,), (2, 2), (4,), (1, 3), (2, 3, 2), (4, 1), (3, 2, 1, 2)]}
STEPS = {optim.RAdam: 9, optim.Rprop: 6}
WRONG = {"rho": (1.5,), "etas": ((1.0, 1.2), (0.5, 1.0), (-0.5, 1.2)), "beta2_decay": (0.1,), "d": (0.5,), "eps": ((-1.0, 1e-3), (None, -1.0)), "ns_steps": (100,),
         "adjust_lr_fn": ("other",), "betas": ((1.0, 0.9), (0.9, -0.1))}


def right(name, value):
    return value not in WRONG.get(name, ()) and (name in ("beta2_decay", "t0") or not (isinstance(value, (int, float)) and value < 0))


def options(d, cls, often, sane):
    out = {}
    for name, values in OPTIONS[cls].items():
        if d.chance(often):
            out[name] = d(*[v for v in values if not sane or right(name, v)])
    if d.chance(often):
        # The values that Muon's steps are known to are those of bfloat16, times the rate.
        out["lr"] = d(0.1, 0.05, 0.01, 0.3) if cls is optim.Muon and sane else d(0.1, 0.05, 1, 0.5) if sane or d.chance(0.9) else d(-0.1, -1, NAN, 0)
    return out


def failure(e):
    return {"type": type(e).__name__, "message": str(e)}


def case(cls, i):
    d = Draw("more optimizers", cls.__name__, i)
    dtype = d(F32, F32, F32, F64, F64, BF16)
    shapes = SHAPES.get(cls, [(), (0,), (3,), (2, 2), (4,), (1, 3)])
    # One-dimensional parameters are what Muon refuses.
    shapes = [s for s in shapes if cls is not optim.Muon or len(s) == 2 or d.chance(0.15)]
    params = [d.numbers(*d(*shapes)).to(dtype).requires_grad_(True) for _ in range(d.int(1, 4))]
    order = list(range(len(params)))
    if d.chance(0.1):
        order.insert(d.int(0, len(order)), d.int(0, len(params) - 1))
    sane = d.chance(0.75)
    kwargs = options(d, cls, 0.35, sane)
    layout, later = None, None
    if d.chance(0.45):
        cut = sorted(d.int(0, len(order)) for _ in range(d.int(0, 2)))
        pieces = [order[a:b] for a, b in zip([0, *cut], [*cut, len(order)])]
        layout = [{"params": piece, "options": options(d, cls, 0.25, True) | ({"name": "head"} if d.chance(0.15) else {})} for piece in pieces]
        if len(layout) > 1 and layout[-1]["params"] and d.chance(0.3):
            later = layout.pop()
    out = {"optimizer": cls.__name__, "dtype": DTYPES[dtype], "kwargs": kwargs_of(kwargs), "order": order, "params": [tensor(p.detach()) for p in params]}
    group = lambda g: {"params": [params[k] for k in g["params"]], **g["options"]}
    encode_group = lambda g: {"params": g["params"], "options": [[k, arg(v)] for k, v in g["options"].items()]}
    if layout is not None:
        out["groups"] = [encode_group(g) for g in layout]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            opt = cls([group(g) for g in layout] if layout is not None else [params[k] for k in order], **kwargs)
        except (ValueError, RuntimeError) as e:
            return out | {"error": failure(e)}
    out["duplicates"] = any("duplicate parameters" in str(w.message) for w in said)
    out["repr"], out["defaults"] = repr(opt), [[k, arg(v)] for k, v in opt.defaults.items()]
    out["initial"] = snapshot(opt, params)
    out["steps"] = []
    for k in range(d.int(1, STEPS.get(cls, 4))):
        step = {}
        if k and d.chance(0.25):
            g = d.int(0, len(opt.param_groups) - 1)
            change = options(d, cls, 0.2, True)
            step["set"] = [g, [[n, arg(v)] for n, v in change.items()]]
            opt.param_groups[g].update(change)
        if k and later is not None:
            step["add"] = encode_group(later)
            try:
                opt.add_param_group(group(later))
            except (ValueError, RuntimeError) as e:
                step["add_error"] = failure(e)
            later = None
        for p in params:
            p.grad = gradient(d, p.shape, dtype)
            if p.grad is not None and dtype == BF16:
                # PyTorch's loop over vectors does not round products that its loop over the rest does: what cancels shows it.
                p.grad.clamp_(-16, 16)
        step["grads"] = [None if p.grad is None else tensor(p.grad, True, exact=True) for p in params]
        try:
            opt.step()
        except Exception as e:  # noqa: BLE001: what a step says is a result here
            out["steps"].append(step | {"error": failure(e)})
            return out
        out["steps"].append(step | {"params": [tensor(p.detach(), True, exact=True) for p in params]})
    out["final"] = snapshot(opt, params)
    out["tol"] = MUON if cls is optim.Muon else [2e-2, 2e-2] if dtype == BF16 else TOLERANCES[dtype]
    return out


def random_optimizer_cases():
    return [case(cls, i) for cls in OPTIONS for i in range(COUNT)]


# The switches of each class, as its constructor takes them.
SWITCHES = {
    optim.SGD: ("foreach", "fused", "differentiable"),
    optim.Adagrad: ("foreach", "fused", "differentiable"),
    optim.Adam: ("foreach", "fused", "differentiable", "capturable"),
    optim.AdamW: ("foreach", "fused", "differentiable", "capturable"),
    optim.Adafactor: ("foreach",),
    optim.Muon: (),
} | {cls: ("foreach", "differentiable", "capturable") for cls in (optim.NAdam, optim.RMSprop, optim.Adadelta, optim.Adamax, optim.RAdam, optim.Rprop, optim.ASGD)}
SETTINGS = {
    optim.SGD: {"momentum": 0.9, "weight_decay": 0.1}, optim.Adam: {"amsgrad": True, "weight_decay": 0.1}, optim.RAdam: {"betas": (0.8, 0.9), "weight_decay": 0.1},
    optim.RMSprop: {"momentum": 0.9, "centered": True}, optim.NAdam: {"weight_decay": 0.1, "decoupled_weight_decay": True}, optim.ASGD: {"t0": 1, "weight_decay": 0.1},
}


def switch_case(cls, i):
    d = Draw("switches", cls.__name__, i)
    dtype = d(F32, F64)
    shapes = [(2, 2), (3, 2)] if cls is optim.Muon else [(3,), (2, 2), (4,)]
    params = [d.numbers(*d(*shapes)).to(dtype).clone().requires_grad_(True) for _ in range(d.int(1, 3))]
    order, named = list(range(len(params))), d.chance(0.4)
    kwargs = dict(SETTINGS.get(cls, {})) if d.chance(0.5) else {}
    kwargs |= {name: d(True, True, False) for name in SWITCHES[cls] if d.chance(0.3)}
    if d.chance(0.3):
        kwargs["maximize"] = True
    if cls is optim.Muon:
        kwargs.pop("maximize", None)
    if d.chance(0.6):
        kwargs["lr"] = torch.tensor(d(0.1, [0.05], 0.3, -0.5, [0.1, 0.2]), dtype=d(F32, F32, F64))
    out = {"optimizer": cls.__name__, "dtype": DTYPES[dtype], "kwargs": kwargs_of(kwargs), "order": order, "params": [tensor(p.detach()) for p in params]}
    names = [d("weight", "bias", "it's", "head.0.weight") for _ in params]
    if named:
        out["names"] = names
    layout = None
    if d.chance(0.3) and len(params) > 1:
        layout = [{"params": order[:1], "options": {"lr": 0.25}}, {"params": order[1:], "options": {}}]
        out["groups"] = [{"params": g["params"], "options": [[k, arg(v)] for k, v in g["options"].items()]} for g in layout]
        # Names on the first group only are refused.
        out["half_named"] = half = named and d.chance(0.3)
    pair = lambda k, with_name: (names[k], params[k]) if with_name else params[k]
    group = lambda i, g: {"params": [pair(k, named and not (i and out["half_named"])) for k in g["params"]], **g["options"]}
    try:
        opt = cls([group(i, g) for i, g in enumerate(layout)] if layout else [pair(k, named) for k in order], **kwargs)
    except (ValueError, RuntimeError) as e:
        return out | {"error": failure(e)}
    out["repr"], out["defaults"] = repr(opt), [[k, arg(v)] for k, v in opt.defaults.items()]
    out["initial"] = snapshot(opt, params)
    out["steps"] = []
    for _ in range(d.int(1, 7 if cls is optim.RAdam else 3)):
        for p in params:
            p.grad = d.numbers(*p.shape).to(dtype)
        step = {"grads": [tensor(p.grad, True, exact=True) for p in params]}
        try:
            opt.step()
        except Exception as e:  # noqa: BLE001: what a step says is a result here
            out["steps"].append(step | {"error": failure(e)})
            return out
        out["steps"].append(step | {"params": [tensor(p.detach(), True, exact=True) for p in params]})
    out["final"] = snapshot(opt, params)
    out["tol"] = MUON if cls is optim.Muon else TOLERANCES[dtype]
    return out


def switch_cases():
    return [switch_case(cls, i) for cls in SWITCHES for i in range(40)]
