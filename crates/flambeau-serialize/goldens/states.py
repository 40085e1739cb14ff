"""States of every class of optimizer and scheduler, and of GradScaler, with options that are drawn, for flambeau to load and write again.

    states.py write                 writes states.pth beside this file
    states.py check OUT.pth         reads what `cargo run -p flambeau-serialize --example write_states -- OUT.pth` made of it
"""

import pathlib
import random
import sys
import warnings

import torch
from torch import optim
from torch.amp import GradScaler
from torch.optim import lr_scheduler, swa_utils

torch.set_num_threads(1)
warnings.simplefilter("ignore")
rng = random.Random(13)
flip = lambda: rng.random() < 0.5
draw = lambda low, high: low + (high - low) * rng.random()

OPTIMIZERS = {
    "SGD": lambda: {"momentum": draw(0.1, 0.9), "nesterov": flip(), "weight_decay": draw(0, 0.1), "maximize": flip()},
    "Adam": lambda: {"betas": (draw(0.5, 0.9), 0.99), "amsgrad": flip(), "eps": 1e-6, "foreach": rng.choice([None, False])},
    "AdamW": lambda: {"weight_decay": draw(0, 0.2), "amsgrad": flip()},
    "Adagrad": lambda: {"lr_decay": draw(0, 0.1), "initial_accumulator_value": draw(0, 1)},
    "RMSprop": lambda: {"centered": flip(), "momentum": rng.choice([0, 0.5]), "alpha": draw(0.8, 1)},
    "NAdam": lambda: {"momentum_decay": draw(0, 0.01), "decoupled_weight_decay": flip()},
    "Adadelta": lambda: {"rho": draw(0.5, 1)},
    "Adamax": lambda: {"weight_decay": draw(0, 0.1)},
    "RAdam": lambda: {"decoupled_weight_decay": flip()},
    "Rprop": lambda: {"etas": (draw(0.1, 0.9), 1.5), "step_sizes": (1e-5, 10)},
    "ASGD": lambda: {"t0": 1, "lambd": draw(0, 0.1)},
    "Adafactor": lambda: {"eps": (None, draw(0, 0.1)), "d": 2.0},
    "Muon": lambda: {"momentum": draw(0.1, 0.9), "ns_steps": 3, "adjust_lr_fn": rng.choice([None, "original"])},
    "LBFGS": lambda: {"max_iter": 3, "history_size": rng.randint(1, 4), "line_search_fn": rng.choice([None, "strong_wolfe"])},
}
SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, rng.randint(1, 3), gamma=draw(0.1, 1)),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, rng.randint(2, 4), 4], gamma=0.5),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, factor=draw(0.1, 1)),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, start_factor=draw(0.1, 1)),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, draw(0.1, 1)),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, power=draw(0.5, 2)),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, rng.randint(3, 9), eta_min=rng.choice([0, 0.01])),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, [lambda epoch: 0.5, lambda epoch: 0.75]),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, mode=rng.choice(["min", "max"]), patience=rng.randint(0, 2)),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, rng.randint(1, 3), T_mult=2),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, [0.1, 0.2], mode=rng.choice(["triangular", "exp_range"])),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.5, 8, three_phase=flip(), anneal_strategy=rng.choice(["cos", "linear"])),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ConstantLR(o), lr_scheduler.MultiStepLR(o, [1])], [2]),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(o, 0.9), lr_scheduler.StepLR(o, 2)]),
    "SWALR": lambda o: swa_utils.SWALR(o, [0.05, 0.01], anneal_epochs=rng.randint(2, 5)),
}
DRAWS = 4


def problem():
    return [torch.arange(6.0).view(2, 3).sub(2).requires_grad_(), torch.tensor([[1.0, -0.5], [0.25, 2.0]]).requires_grad_()]


def make(name, options):
    params = problem()
    # LBFGS knows one group only.
    groups = params if name == "LBFGS" else [{"params": params[:1]}, {"params": params[1:], "lr": draw(0.01, 0.1)}]
    return params, getattr(optim, name)(groups, lr=draw(0.01, 0.5), **options)


def steps(name, optimizer, params, count):
    def closure():
        optimizer.zero_grad()
        loss = sum(((p - i) ** 4).sum() for i, p in enumerate(params))
        loss.backward()
        return loss

    for _ in range(count):
        optimizer.step(closure if name == "LBFGS" else (closure() and None))


def states():
    out = {"optimizers": [], "schedulers": [], "scalers": []}
    for _ in range(DRAWS):
        for name, options in OPTIMIZERS.items():
            params, optimizer = make(name, options())
            steps(name, optimizer, params, rng.randint(0, 3))
            out["optimizers"].append((name, optimizer.state_dict()))
        for name, scheduler in SCHEDULERS.items():
            params, optimizer = make("SGD", {})
            s = scheduler(optimizer)
            for _ in range(rng.randint(0, 4)):
                optimizer.step()
                s.step(*[rng.random()] * (name == "ReduceLROnPlateau"))
            out["schedulers"].append((name, dict(s.state_dict())))
        scaler = GradScaler("cpu", init_scale=2.0 ** rng.randint(1, 20), growth_interval=rng.randint(1, 5), enabled=flip() or flip())
        out["scalers"].append(scaler.state_dict())
    return out


def same(a, b, what):
    """Whether two values are equal: types, order of keys, and every bit."""
    assert type(a) is type(b), (what, type(a), type(b))
    if isinstance(a, dict):
        assert list(a) == list(b), (what, list(a), list(b))
        return sum(same(a[key], b[key], f"{what}[{key!r}]") for key in a)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b), what
        return sum(same(x, y, f"{what}[{i}]") for i, (x, y) in enumerate(zip(a, b)))
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b), (what, a, b)
    else:
        assert a == b, (what, a, b)
    return 1


golden = pathlib.Path(__file__).parent / "states.pth"
if sys.argv[1] == "write":
    torch.save(states(), golden)
else:
    compared = same(torch.load(golden, weights_only=True), torch.load(sys.argv[2], weights_only=True), "states")
    print(f"PyTorch {torch.__version__} finds {compared} numbers and tensors of states as they were")
