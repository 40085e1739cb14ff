"""Goldens of LBFGS: steps with a closure on losses that both sides compute, with what the closure returned, how often it was called, the parameters
and the whole state after each step; states that are loaded, options out of range, closures that give NaN."""
import torch
from torch import optim

from draw import F32, F64, Draw
from encode import DTYPES, arg, kwargs_of, tensor

COUNT = 120
# Every loss is of two parameters of 2x2 and 3 elements.
START = [[[1.5, -0.5], [0.25, 2.0]], [-1.0, 0.5, 2.5]]


def losses(w, b):
    """Name to loss. Some have no minimum, or none where the search starts."""
    x = torch.cat([w.reshape(-1), b])
    scale = torch.arange(1, 8, dtype=x.dtype)
    return {
        "quadratic": lambda: (scale * (x - 0.5) ** 2).sum(),
        "rosenbrock": lambda: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum(),
        "logistic": lambda: (1 + (-scale * x).exp()).log().sum() + 0.01 * (x**2).sum(),
        "quartic": lambda: ((x - 1) ** 4).sum() + 0.5 * (x[0] * x[1]),
        "linear": lambda: (scale * x).sum(),
        "first": lambda: (w**2).sum(),
        "flat": lambda: (0 * x).sum(),
        "root": lambda: (x - 1).sqrt().sum(),
    }


def entry(v):
    """A state's value: a number or None as it is, a tensor with its dtype, a list."""
    if isinstance(v, torch.Tensor):
        return {"tensor": tensor(v.detach(), True, exact=True)}
    if isinstance(v, list):
        return {"list": [entry(x) for x in v]}
    return {"number": arg(v)}


def snapshot(opt):
    state = opt.state_dict()
    return {"state": [[i, [[k, entry(v)] for k, v in s.items()]] for i, s in state["state"].items()],
            "param_groups": [[[k, arg(v)] for k, v in g.items()] for g in state["param_groups"]]}


def case(i):
    d = Draw("lbfgs", i)
    dtype = d(F32, F64, F64)
    params = [torch.tensor(a, dtype=dtype).requires_grad_() for a in START]
    kwargs = d.options(0.35, lr=[1, 0.5, 0.1, 1.0, -1], max_iter=[1, 2, 4, 7, 0], max_eval=[1, 3, 8, 0], history_size=[1, 2, 5], tolerance_grad=[1e-3, 0.1],
                       tolerance_change=[1e-3, 1e-6], maximize=[True, False])
    if d.chance(0.6):
        kwargs["line_search_fn"] = d("strong_wolfe", "strong_wolfe", "strong_wolfe", "strong_wolfe", "armijo")
    kind = d("quadratic", "quadratic", "rosenbrock", "logistic", "quartic", "linear", "first", "flat", "root")
    # A step too long for the loss grows past all digits that two machines share.
    wild = kwargs.get("line_search_fn") is None and kind in ("quadratic", "rosenbrock", "quartic", "logistic")
    if wild:
        kwargs |= {"lr": d(0.01, 0.001), "max_iter": min(kwargs.get("max_iter", 4), 4)}
    search = kwargs.get("line_search_fn") is not None
    # A cubic through points of a line divides by what rounding leaves of nothing, and a long search loses float32's digits.
    kind = "quadratic" if search and kind == "linear" else kind
    if search and dtype == F32:
        kwargs["max_iter"] = min(kwargs.get("max_iter", 4), 4)
    as_float = d.chance(0.2)
    out = {"dtype": DTYPES[dtype], "kwargs": kwargs_of(kwargs), "loss": kind, "float": as_float, "params": [tensor(p.detach()) for p in params]}
    try:
        opt = optim.LBFGS(params if d.chance(0.95) else [{"params": params[:1]}, {"params": params[1:]}], **kwargs)
    except ValueError as e:
        return out | {"groups": str(e).startswith("LBFGS"), "error": {"type": type(e).__name__, "message": str(e)}}
    out |= {"repr": repr(opt), "defaults": [[k, arg(v)] for k, v in opt.defaults.items()], "steps": []}
    calls = 0

    def closure():
        nonlocal calls
        calls += 1
        opt.zero_grad()
        loss = losses(*params)[kind]()
        loss.backward()
        return loss.item() if as_float else loss

    for _ in range(1 if search and dtype == F32 else d.int(1, 3)):
        try:
            loss = opt.step(closure)
        except Exception as e:  # noqa: BLE001: what a step says is a result here
            out["steps"].append({"error": {"type": type(e).__name__, "message": str(e)}})
            return out
        out["steps"].append({"loss": arg(float(loss)), "calls": calls, "params": [tensor(p.detach(), True, exact=True) for p in params], "snapshot": snapshot(opt)})
    return out


def lbfgs_cases():
    return [case(i) for i in range(COUNT)]
