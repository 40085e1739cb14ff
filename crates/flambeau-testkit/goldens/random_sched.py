"""Goldens of random schedulers: every class of torch.optim.lr_scheduler and SWALR with options in and out of range, over one to three groups, chained and
in sequence, resumed with a last_epoch, saved and loaded, stepped too often, with options, rates and groups that change on the way."""
import math
import warnings

import torch
from torch import optim
from torch.optim import lr_scheduler, swa_utils

from draw import INF, NAN, Draw

COUNT = 60
# By their number, as the reader has them too.
LAMBDAS = [lambda e: 0.95**e, lambda e: 1 / (1 + e), lambda e: max(0.1, 1 - e / 10), lambda e: float(e // 3), lambda e: 0.5 * (1 + math.cos(math.pi * e / 8))]
SCALES = [lambda x: 0.5 * (1 + math.sin(x * math.pi / 2)), lambda x: 1 / (5 ** (x * 0.25)), lambda x: 1 / (1 + x)]
OPTIMIZERS = {"SGD": lambda groups: optim.SGD(groups, lr=0.1, momentum=0.9), "Adam": lambda groups: optim.Adam(groups, lr=0.1),
              "RMSprop": lambda groups: optim.RMSprop(groups, lr=0.1), "Adagrad": lambda groups: optim.Adagrad(groups, lr=0.1)}


def per_group(d, n, *values):
    """A number, or a list of one for each group; seldom of a wrong length."""
    x = d.r.random()
    if x < 0.6:
        return d(*values)
    return [d(*values) for _ in range(n if x < 0.95 else n + d(-1, 1))]


def lambdas(d, n):
    return d.int(0, len(LAMBDAS) - 1) if d.chance(0.6) else [d.int(0, len(LAMBDAS) - 1) for _ in range(n if d.chance(0.95) else n + 1)]


def kwargs(d, name, n):
    o = d.options
    match name:
        case "StepLR":
            return {"step_size": d(1, 2, 3, 4, 7, 0)} | o(gamma=[0.1, 0.5, 0.7, 0.0, 1.5])
        case "MultiStepLR":
            return {"milestones": [d.int(0, 9) for _ in range(d.int(0, 4))]} | o(gamma=[0.1, 0.5, 0.9, 2.0])
        case "ConstantLR":
            return o(factor=[0.5, 0.25, 1.0, 0.0, 0.3, 1.5, -0.1], total_iters=[0, 1, 3, 5])
        case "LinearLR":
            return o(0.6, start_factor=[0.5, 0.25, 1.0, 0.1, 0.0, 1.5], end_factor=[0.5, 0.0, 1.0, 0.1, 1.25, -0.5], total_iters=[0, 1, 3, 6])
        case "ExponentialLR":
            return {"gamma": d(0.9, 0.5, 0.1, 1.0, 0.0, 1.25)}
        case "PolynomialLR":
            return o(0.6, total_iters=[1, 3, 6, 10, 0], power=[1.0, 2.0, 0.5, 0.9])
        case "CosineAnnealingLR":
            return {"T_max": d(1, 2, 3, 5, 8, 10, 0)} | o(eta_min=[0.0, 0.01, 1e-3])
        case "CosineAnnealingWarmRestarts":
            return {"T_0": d(1, 2, 3, 5, 7) if d.chance(0.9) else d(0, -2)} | o(T_mult=[1, 2, 3, 0], eta_min=[0.0, 0.01])
        case "LambdaLR" | "MultiplicativeLR":
            return {"lr_lambda": lambdas(d, n)}
        case "CyclicLR":
            out = {"base_lr": per_group(d, n, 0.01, 0.001, 0.05), "max_lr": per_group(d, n, 0.1, 0.5, 1.0)}
            out |= o(step_size_up=[1, 2, 4, 5], step_size_down=[1, 3, 6, None], mode=["triangular", "triangular2", "exp_range", "square"], gamma=[0.9, 0.99, 1.0],
                     scale_mode=["cycle", "iterations"], cycle_momentum=[True, False])
            out |= d.options(0.25, base_momentum=lambda: per_group(d, n, 0.8, 0.5), max_momentum=lambda: per_group(d, n, 0.9, 0.99), scale_fn=[0, 1, 2])
            return out
        case "OneCycleLR":
            out = {"max_lr": per_group(d, n, 0.1, 1.0, 0.5)}
            if d.chance(0.6):
                out["total_steps"] = d(5, 8, 10, 13, 2, 0)
            if "total_steps" not in out or d.chance(0.2):
                out |= d.options(0.9, epochs=[2, 3, 0], steps_per_epoch=[3, 4, 5, -1])
            out |= d.options(0.4, pct_start=[0.3, 0.5, 0.25, 0.0, 1.0, 1.5], anneal_strategy=["cos", "linear", "linear", "exp"], cycle_momentum=[True, False], div_factor=[25.0, 10.0, 4.0],
                             final_div_factor=[1e4, 100.0, 1.0], three_phase=[True, False])
            out |= d.options(0.25, base_momentum=lambda: per_group(d, n, 0.8, 0.5), max_momentum=lambda: per_group(d, n, 0.9, 0.99))
            return out
        case "ReduceLROnPlateau":
            return o(mode=["min", "max", "max", "min", "mean"], factor=[0.1, 0.5, 0.9, 1.0], patience=[0, 1, 2, 3], threshold=[1e-4, 0.1, 0.0], threshold_mode=["rel", "abs", "abs", "relative"],
                     cooldown=[0, 1, 2], min_lr=lambda: per_group(d, n, 0, 0.01, 0.05), eps=[1e-8, 0.01])
        case "SWALR":
            return {"swa_lr": per_group(d, n, 0.05, 0.01, 0.5)} | o(anneal_epochs=[0, 1, 3, 5, -1], anneal_strategy=["cos", "linear", "exp"])
    raise AssertionError(name)


SIMPLE = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "LambdaLR", "MultiplicativeLR",
          "CyclicLR", "OneCycleLR", "ReduceLROnPlateau", "SWALR"]
COMPOSED = ["SequentialLR", "ChainedScheduler"]
PARTS = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "LambdaLR", "MultiplicativeLR"]


def spec(d, name, n, depth=0):
    """A scheduler as data: its class, its arguments, the schedulers that it runs."""
    if name not in COMPOSED:
        return {"name": name, "kwargs": kwargs(d, name, n)}
    parts = []
    for _ in range(d.int(1, 3) if d.chance(0.97) else 0):
        x = d.r.random()
        kind = d(*COMPOSED) if x < 0.12 and depth == 0 else d("OneCycleLR", "CyclicLR", "SWALR", "ReduceLROnPlateau") if x < 0.25 else d(*PARTS)
        parts.append(spec(d, kind, n, depth + 1))
    if not d.chance(0.96) and parts:
        parts[-1]["other"] = True  # over an optimizer of its own
    out = {"name": name, "kwargs": {}, "parts": parts}
    if name == "SequentialLR":
        count = max(0, len(parts) - 1) if d.chance(0.94) else d.int(0, 3)
        marks = [d.int(0, 9) for _ in range(count)]
        out["kwargs"]["milestones"] = sorted(marks) if d.chance(0.9) else marks
    return out


def make_optimizer(kind, groups):
    made = [{"params": [torch.zeros(1, requires_grad=True)], **g} for g in groups]
    return OPTIMIZERS[kind](made)


def build(s, opt, kind, groups):
    if s.get("other"):
        opt = make_optimizer(kind, groups)
    kw = dict(s["kwargs"])
    if "lr_lambda" in kw:
        kw["lr_lambda"] = LAMBDAS[kw["lr_lambda"]] if isinstance(kw["lr_lambda"], int) else [LAMBDAS[i] for i in kw["lr_lambda"]]
    if "scale_fn" in kw:
        kw["scale_fn"] = SCALES[kw["scale_fn"]]
    if "parts" in s:
        kw["schedulers"] = [build(part, opt, kind, groups) for part in s["parts"]]
        if s["name"] == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(**kw)
    cls = getattr(swa_utils if s["name"] == "SWALR" else lr_scheduler, s["name"])
    return cls(opt, **kw)


def failure(e):
    return {"type": type(e).__name__, "message": str(e.args[0] if e.args else "")}


FAILURES = (ValueError, TypeError, KeyError, RuntimeError, ZeroDivisionError, AttributeError, NotImplementedError, OverflowError, IndexError)


def plain(x):
    """Numbers that JSON does not have, as text."""
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def act(d, name, sched):
    """What happens next."""
    if name == "ReduceLROnPlateau" and d.chance(0.85):
        metric = d(1.0, 0.9, 0.9, 0.5, 2.0, 0.95, 0.901, 1, 0) if d.chance(0.95) else d(NAN, INF, -INF)
        return ["metric", metric] if d.chance(0.95) else ["metric_epoch", metric, d.int(0, 9)]
    x = d.r.random()
    if x < 0.78:
        return ["step"]
    if x < 0.84:
        return ["epoch", d.int(0, 12)] if name != "CosineAnnealingWarmRestarts" or d.chance(0.3) else ["epoch", d(0.5, 1.25, 3.75, 7.5, 2.0, -1, 0.0, 11.5)]
    if x < 0.88:
        return ["set_lr", d.int(0, 2), d(0.3, 1, 0.02)]
    if x < 0.91:
        return ["get_lr"]
    if x < 0.95:
        return ["reload"]
    if x < 0.97:
        return ["add_group", d(0.2, 1)]
    return ["last_epoch"] if d.chance(0.5) else ["base_lrs"]


def step_scheduler(action, opt, sched):
    match action:
        case ["metric", x]:
            sched.step(x)
        case ["metric_epoch", x, epoch]:
            sched.step(x, epoch)
        case ["step"]:
            sched.step()
        case ["epoch", epoch]:
            sched.step(epoch)
        case ["set_lr", i, lr]:
            opt.param_groups[i % len(opt.param_groups)]["lr"] = lr
        case ["get_lr"]:
            return sched.get_lr()
        case ["add_group", lr]:
            opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": lr})
        case ["last_epoch"]:
            return sched.last_epoch
        case ["base_lrs"]:
            return sched.base_lrs


def case(name, i):
    d = Draw("scheduler", name, i)
    groups = [{"lr": d(0.1, 0.05, 1.0, 0.25, 1, 1e-3)} for _ in range(d(1, 1, 2, 3))]
    kind = d("SGD", "SGD", "Adam", "RMSprop", "Adagrad") if name in ("CyclicLR", "OneCycleLR") else d("SGD", "Adam")
    s = spec(d, name, len(groups))
    if name not in ("ReduceLROnPlateau", "ChainedScheduler") and d.chance(0.2):
        s["kwargs"]["last_epoch"] = d(0, 2, 5, 4)
        if name not in COMPOSED and d.chance(0.85):
            for g in groups:
                g["initial_lr"] = d(0.1, 0.5, 1)
                if name == "OneCycleLR" and d.chance(0.8):
                    g |= {"max_lr": 0.5, "min_lr": 1e-4, "max_momentum": 0.95, "base_momentum": 0.85}
                if name == "CyclicLR" and d.chance(0.8):
                    g |= {"max_momentum": 0.95, "base_momentum": 0.85}
    out = {"optimizer": kind, "groups": [dict(g) for g in groups], "scheduler": s}
    free = any("max_lr" in g or "max_momentum" in g for g in groups)
    opt = make_optimizer(kind, groups)
    try:
        sched = build(s, opt, kind, groups)
    except FAILURES as e:
        return out | {"error": failure(e)}
    out["made"], out["steps"] = snapshot(opt, sched, True), []
    fresh = True
    for _ in range(d.int(4, 16)):
        action = act(d, name, sched)
        if action == ["reload"]:
            if not fresh or free:
                continue
            second = make_optimizer(kind, groups)
            other = build(s, second, kind, groups)
            second.load_state_dict(opt.state_dict())
            other.load_state_dict(sched.state_dict())
            opt, sched = second, other
            out["steps"].append({"do": action} | snapshot(opt, sched, True))
            continue
        fresh = fresh and action[0] != "add_group"
        record = {"do": [plain(x) for x in action]}
        opt.step()
        try:
            result = step_scheduler(action, opt, sched)
        except FAILURES as e:
            out["steps"].append(record | {"error": failure(e)})
            # What is left half done is the same, so go on, but for what no program does.
            if action[0] == "add_group" or d.chance(0.5):
                break
            continue
        if result is not None:
            record["result"] = str(result)
        out["steps"].append(record | snapshot(opt, sched, d.chance(0.15)))
    out["final"] = snapshot(opt, sched, True)
    return out


def snapshot(opt, sched, whole):
    out = {"lrs": str([g["lr"] for g in opt.param_groups]), "last": str(sched.get_last_lr())}
    if whole:
        out |= {"state": str(sched.state_dict()), "repr": repr(opt)}
    return out


def random_scheduler_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case(name, i) for name in SIMPLE + COMPOSED for i in range(COUNT * (3 if name in COMPOSED else 1))]
