"""State dicts of PyTorch's optimizers and schedulers, and whether PyTorch takes flambeau's.

    optimizers.py write                writes optimizers.pth beside this file
    optimizers.py check OUT.pth        reads what `cargo run -p flambeau-serialize --example write_optimizers -- OUT.pth` wrote

Each run is the same on both sides: a 2x3 and a 3-element parameter in groups of their own, gradients that are fixed numbers, three
steps, the state, three more steps.
"""

import pathlib
import sys

import torch
from torch import optim
from torch.optim import lr_scheduler, swa_utils

torch.set_num_threads(1)
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adam": {"amsgrad": True},
    "AdamW": {"weight_decay": 0.1},
    "Adagrad": {"lr_decay": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "NAdam": {},
}
SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 4, 4], gamma=0.5),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 4, eta_min=0.01),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, T_mult=2),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, [0.1, 0.2], step_size_up=2),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.5, 8),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ConstantLR(o), lr_scheduler.MultiStepLR(o, [1])], [2]),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(o, 0.9), lr_scheduler.StepLR(o, 2)]),
    "SWALR": lambda o: swa_utils.SWALR(o, [0.05, 0.01], anneal_epochs=4),
}


def problem():
    return [(torch.arange(6.0).view(2, 3) / 4 - 0.5).requires_grad_(), torch.tensor([1.0, -0.5, 0.25]).requires_grad_()]


def make(name, params):
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.02, "weight_decay": 0.01}]
    return getattr(optim, name)(groups, lr=0.1, **OPTIMIZERS[name])


def steps(optimizer, params, times):
    for t in times:
        for i, p in enumerate(params):
            p.grad = (torch.arange(float(p.numel())).view(p.shape) - t) / (i + 2)
        optimizer.step()


def optimizers():
    out = {}
    for name in OPTIMIZERS:
        params = problem()
        optimizer = make(name, params)
        steps(optimizer, params, range(3))
        out[name] = {"state": optimizer.state_dict(), "params": [p.detach().clone() for p in params]}
        out[name] = torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, out[name])
        steps(optimizer, params, range(3, 6))
        out[name]["after"] = [p.detach().clone() for p in params]
    return out


def schedulers():
    out = {}
    for name, scheduler in SCHEDULERS.items():
        optimizer = make("SGD", problem())
        s = scheduler(optimizer)
        for _ in range(3):
            optimizer.step()
            s.step()
        out[name] = {"state": dict(s.state_dict()), "optimizer": optimizer.state_dict()}
        rates = []
        for _ in range(3):
            optimizer.step()
            s.step()
            rates.append(s.get_last_lr())
        out[name]["rates"] = rates
    return out


def same(a, b, what):
    """Whether two values are equal, types and order of keys included, floats to 1e-6."""
    assert type(a) is type(b), (what, type(a), type(b))
    if isinstance(a, dict):
        assert list(a) == list(b), (what, list(a), list(b))
        for key in a:
            same(a[key], b[key], f"{what}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), what
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{what}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and torch.allclose(a, b, rtol=1e-5, atol=1e-6), (what, a, b)
    elif isinstance(a, float):
        assert abs(a - b) <= 1e-9, (what, a, b)
    else:
        assert a == b, (what, a, b)


def check(path):
    ours = torch.load(path, weights_only=True)
    assert (ours["epoch"], ours["name"], ours["best"], ours["losses"]) == (3, "net", None, [0.5, 0.25]), ours
    model = torch.nn.Linear(3, 2)
    model.load_state_dict(ours["model"])
    theirs = optimizers()
    same(theirs, ours["optimizers"], "optimizers")
    for name in OPTIMIZERS:
        params = [p.clone().requires_grad_() for p in ours["optimizers"][name]["params"]]
        optimizer = make(name, params)
        optimizer.load_state_dict(ours["optimizers"][name]["state"])
        steps(optimizer, params, range(3, 6))
        same([p.detach() for p in params], theirs[name]["after"], name)
    rates = schedulers()
    same(rates, ours["schedulers"], "schedulers")
    for name, scheduler in SCHEDULERS.items():
        optimizer = make("SGD", problem())
        s = scheduler(optimizer)
        optimizer.load_state_dict(ours["schedulers"][name]["optimizer"])
        s.load_state_dict(ours["schedulers"][name]["state"])
        for expected in rates[name]["rates"]:
            optimizer.step()
            s.step()
            same(s.get_last_lr(), expected, name)
    print(f"PyTorch {torch.__version__} goes on from {len(OPTIMIZERS)} optimizers and {len(SCHEDULERS)} schedulers of flambeau")


if sys.argv[1] == "write":
    torch.save({"optimizers": optimizers(), "schedulers": schedulers()}, pathlib.Path(__file__).parent / "optimizers.pth")
else:
    check(sys.argv[2])
