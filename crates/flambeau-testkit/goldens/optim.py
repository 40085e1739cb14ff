"""Goldens of optimizers (parameters after each of five steps with given gradients) and of learning-rate schedulers."""
import torch
from torch import optim

from encode import DTYPES, arg, kwargs_of, tensor, TOLERANCES

STEPS = 5
OPTIMIZERS = [
    (optim.SGD, [{}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
                 {"momentum": 0.5, "weight_decay": 0.01, "nesterov": True}, {"maximize": True}, {"momentum": 0.9, "maximize": True, "weight_decay": 0.1}]),
    (optim.Adam, [{}, {"betas": (0.8, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True},
                  {"amsgrad": True, "weight_decay": 0.05, "betas": (0.5, 0.7)}]),
    (optim.AdamW, [{}, {"betas": (0.8, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.1}, {"weight_decay": 0.0}, {"amsgrad": True}, {"maximize": True}]),
    (optim.Adagrad, [{}, {"lr_decay": 0.1}, {"weight_decay": 0.1}, {"initial_accumulator_value": 0.5}, {"maximize": True}]),
    (optim.RMSprop, [{}, {"alpha": 0.9}, {"momentum": 0.9}, {"centered": True}, {"weight_decay": 0.1}, {"centered": True, "momentum": 0.5}, {"maximize": True}]),
    (optim.Adadelta, [{}, {"rho": 0.8, "weight_decay": 0.1}, {"rho": 0.0}, {"eps": 1e-2}, {"maximize": True, "weight_decay": 0.1}]),
    (optim.Adamax, [{}, {"weight_decay": 0.1}, {"betas": (0.8, 0.9)}, {"betas": (0.3, 0.5), "eps": 1e-2}, {"maximize": True, "weight_decay": 0.1}]),
    (optim.NAdam, [{}, {"betas": (0.8, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"momentum_decay": 0.5},
                   {"maximize": True}, {"betas": (0.5, 0.7), "momentum_decay": 0, "weight_decay": 0.05}]),
    # The rectified steps are those after the fifth, but for short averages of squares.
    (optim.RAdam, [{}, {"weight_decay": 0.1}, {"betas": (0.8, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"maximize": True}]),
    (optim.Rprop, [{}, {"etas": (0.25, 2.0)}, {"step_sizes": (0.02, 0.11)}, {"step_sizes": (1e-6, 50.0)}, {"maximize": True}]),
    (optim.ASGD, [{}, {"lambd": 0.1}, {"alpha": 0.5, "lambd": 0.5}, {"t0": 1.0}, {"t0": 0, "weight_decay": 0.1}, {"maximize": True}]),
    (optim.Adafactor, [{}, {"beta2_decay": -0.3}, {"eps": (None, 0.1)}, {"eps": (1e-3, 1.0)}, {"d": 2.0}, {"weight_decay": 0.1}, {"maximize": True, "weight_decay": 0.1}]),
    (optim.Muon, [{}, {"momentum": 0.3}, {"nesterov": False}, {"weight_decay": 0.0}, {"ns_steps": 2}, {"ns_coefficients": (3.0, -3.2, 1.2)},
                  {"adjust_lr_fn": "match_rms_adamw"}, {"adjust_lr_fn": "spectral_unclamped"}]),
]
# Muon computes in bfloat16: what it makes of a matrix is known to a few of its steps.
MUON = [4e-2, 4e-2]
A = [[0.5, -1.5, 2.0], [3.0, -0.25, 0.0]], [1.0, 0.0, -2.0, 0.125]
SCALE, TARGET = (0.75, 2.5), (1.0, -0.5)


def problem(dtype, matrices=False):
    params = [torch.tensor(a, dtype=dtype) for a in A]
    return [(p.reshape(-1, 2) if matrices else p).requires_grad_() for p in params]


def gradients(params, step):
    """The gradient of scale/2 (p - target)^2, turned around at step 2 so that the sign of the momentum matters; step 3 leaves the second parameter without one."""
    gs = [s * (p.detach() - t) * (-1 if step == 2 else 1) for p, s, t in zip(params, SCALE, TARGET)]
    return [gs[0], None if step == 3 else gs[1]]


def optimizer_case(cls, kwargs, dtype):
    params = problem(dtype, cls is optim.Muon)
    groups = None
    single = {} if cls is optim.Muon else {"foreach": False}
    if kwargs.get("groups"):
        kwargs = {k: v for k, v in kwargs.items() if k != "groups"}
        groups = [{"lr": 0.05}, {"weight_decay": 0.2}]
        opt = cls([{"params": [p], **g} for p, g in zip(params, groups)], **single, **kwargs)
    else:
        opt = cls(params, **single, **kwargs)
    case = {"optimizer": cls.__name__, "dtype": DTYPES[dtype], "kwargs": kwargs_of(kwargs)}
    if groups:
        case["groups"] = groups
    case |= {"repr": repr(opt), "params": [tensor(p.detach()) for p in params], "steps": []}
    for k in range(8 if cls is optim.RAdam else STEPS):
        for p, g in zip(params, gradients(params, k)):
            p.grad = g
        grads = [None if p.grad is None else tensor(p.grad, True, exact=True) for p in params]
        opt.step()
        case["steps"].append({"grads": grads, "params": [tensor(p.detach(), True, exact=True) for p in params]})
    case["state"] = [{k: tensor(v if isinstance(v, torch.Tensor) else torch.tensor(float(v)), True) for k, v in s.items() if v is not None} for s in opt.state_dict()["state"].values()]
    case["defaults"] = {k: arg(v) for k, v in opt.defaults.items() if k not in ("foreach", "fused", "differentiable", "capturable")}
    case["tol"] = MUON if cls is optim.Muon else TOLERANCES[dtype]
    return case


def optimizer_cases():
    out = []
    for cls, options in OPTIMIZERS:
        for kw in options:
            for dtype in (torch.float32, torch.float64):
                out.append(optimizer_case(cls, {"lr": 0.1} | kw, dtype))
        out.append(optimizer_case(cls, {"lr": 0.1, "groups": True}, torch.float64))
        if cls is not optim.SGD:
            out.append(optimizer_case(cls, {}, torch.float64))
    return out


SCHEDULERS = [
    ("StepLR", {"step_size": 3}), ("StepLR", {"step_size": 2, "gamma": 0.5}), ("StepLR", {"step_size": 1, "gamma": 0.7}), ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}), ("CosineAnnealingLR", {"T_max": 8}), ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("LinearLR", {"start_factor": 0.5, "total_iters": 4}), ("ConstantLR", {"factor": 0.25, "total_iters": 3}), ("PolynomialLR", {"total_iters": 6, "power": 2.0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}), ("OneCycleLR", {"max_lr": 0.5, "total_steps": 13}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False}),
]


RESUMED = ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR")


def resumed_scheduler_cases():
    """Schedulers made with a last_epoch over groups whose rates are start_lrs, and whose initial_lr is base_lrs."""
    out = []
    for name, kw in SCHEDULERS:
        for last_epoch in (0, 2, 4) if name in RESUMED else ():
            p, q = problem(torch.float64)
            groups = [{"params": [p], "lr": 0.05, "initial_lr": 0.1}, {"params": [q], "lr": 0.02, "initial_lr": 0.025}]
            opt = optim.SGD(groups, lr=0.3)
            s = getattr(optim.lr_scheduler, name)(opt, last_epoch=last_epoch, **kw)
            lrs = [[g["lr"] for g in opt.param_groups]]
            for _ in range(8):
                opt.step()
                s.step()
                lrs.append([g["lr"] for g in opt.param_groups])
            kwargs = kwargs_of({**kw, "last_epoch": last_epoch})
            out.append({"scheduler": name, "kwargs": kwargs, "base_lrs": [0.1, 0.025], "start_lrs": [0.05, 0.02], "lrs": lrs})
    return out


def scheduler_cases():
    """lrs[k] is the rate of each group after k calls of step(); lrs[0] the one after construction."""
    out = []
    for name, kw in SCHEDULERS:
        p, q = problem(torch.float64)
        opt = optim.SGD([{"params": [p], "lr": 0.1}, {"params": [q], "lr": 0.025}], lr=0.3, momentum=0.9)
        s = getattr(optim.lr_scheduler, name)(opt, **kw)
        lrs = [[g["lr"] for g in opt.param_groups]]
        for _ in range(12):
            opt.step()
            s.step()
            lrs.append([g["lr"] for g in opt.param_groups])
        out.append({"scheduler": name, "kwargs": kwargs_of(kw), "base_lrs": [0.1, 0.025], "lrs": lrs})
    out.extend(resumed_scheduler_cases())
    p, q = problem(torch.float64)
    for kw in ({"patience": 1}, {"patience": 0, "factor": 0.5, "mode": "max"}, {"patience": 1, "cooldown": 2, "min_lr": 0.0005, "threshold": 0.1}):
        opt = optim.SGD([p], lr=0.1)
        s = optim.lr_scheduler.ReduceLROnPlateau(opt, **kw)
        metrics, lrs = [1.0, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.79, 0.81, 0.8, 0.8, 0.8], [[0.1]]
        for m in metrics:
            s.step(m)
            lrs.append([opt.param_groups[0]["lr"]])
        out.append({"scheduler": "ReduceLROnPlateau", "kwargs": kwargs_of(kw), "base_lrs": [0.1], "metrics": metrics, "lrs": lrs})
    return out
