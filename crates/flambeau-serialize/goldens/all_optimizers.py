"""State dicts of the optimizers that optimizers.py does not have, and whether PyTorch takes flambeau's.

    all_optimizers.py write                writes all_optimizers.pth beside this file
    all_optimizers.py check OUT.pth        reads what `cargo run -p flambeau-serialize --example write_optimizers -- OUT.pth` wrote

Each run is the same on both sides: two matrices, or a matrix and a vector, in one group by names, gradients that are fixed numbers, three
steps, the state, three more steps. LBFGS has a closure, and a learning rate that is a tensor goes through one of the files.
"""

import pathlib
import sys

import torch
from torch import optim

sys.dont_write_bytecode = True
torch.set_num_threads(1)
OPTIMIZERS = {
    "Adadelta": {"rho": 0.8},
    "Adamax": {"weight_decay": 0.1},
    "RAdam": {"betas": (0.8, 0.9)},
    "Rprop": {"etas": (0.25, 1.5)},
    "ASGD": {"t0": 1, "lambd": 0.1},
    "Adafactor": {"eps": (None, 0.1)},
    "Muon": {"momentum": 0.5, "adjust_lr_fn": "match_rms_adamw"},
    "LBFGS": {"max_iter": 3, "history_size": 4, "line_search_fn": "strong_wolfe"},
    "Adam": {"amsgrad": True},
}


def problem(name):
    second = torch.tensor([1.0, -0.5, 0.25, 2.0])
    params = [torch.arange(6.0).view(2, 3) / 4 - 0.5, second.view(2, 2) if name == "Muon" else second]
    return [p.clone().requires_grad_() for p in params]


def make(name, params, lr=0.1):
    lr = torch.tensor(lr) if name == "Adam" else lr
    return getattr(optim, name)([("weight", params[0]), ("bias", params[1])], lr=lr, **OPTIMIZERS[name])


def steps(name, optimizer, params, times):
    def closure():
        optimizer.zero_grad()
        loss = sum(((p - i) ** 4).sum() for i, p in enumerate(params))
        loss.backward()
        return loss

    for t in times:
        if name == "LBFGS":
            optimizer.step(closure)
            continue
        for i, p in enumerate(params):
            p.grad = (torch.arange(float(p.numel())).view(p.shape) - t) / (i + 2)
        optimizer.step()


def optimizers():
    out = {}
    for name in OPTIMIZERS:
        params = problem(name)
        optimizer = make(name, params)
        steps(name, optimizer, params, range(3))
        out[name] = {"state": optimizer.state_dict(), "params": [p.detach().clone() for p in params]}
        out[name] = torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, out[name])
        steps(name, optimizer, params, range(3, 6))
        out[name]["after"] = [p.detach().clone() for p in params]
    return out


# Muon computes in bfloat16, and a line search makes large numbers of small ones.
ROUGH = {"Muon": 2e-2, "LBFGS": 1e-3}


def same(a, b, what, near):
    """Whether two values are equal, types and order of keys included, floats nearly."""
    assert type(a) is type(b), (what, type(a), type(b))
    if isinstance(a, dict):
        assert list(a) == list(b), (what, list(a), list(b))
        for key in a:
            same(a[key], b[key], f"{what}[{key!r}]", near)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), what
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{what}[{i}]", near)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and torch.allclose(a, b, rtol=near, atol=near), (what, a, b)
    elif isinstance(a, float):
        assert abs(a - b) <= near * max(1, abs(a)), (what, a, b)
    else:
        assert a == b, (what, a, b)


def check(path):
    ours, theirs = torch.load(path, weights_only=True)["all_optimizers"], optimizers()
    for name in OPTIMIZERS:
        near = ROUGH.get(name, 1e-5)
        same(theirs[name], ours[name], name, near)
        params = [p.clone().requires_grad_() for p in ours[name]["params"]]
        optimizer = make(name, params, 0.5)
        optimizer.load_state_dict(ours[name]["state"])
        steps(name, optimizer, params, range(3, 6))
        same([p.detach() for p in params], theirs[name]["after"], name, near)
    print(f"PyTorch {torch.__version__} goes on from {len(OPTIMIZERS)} further optimizers of flambeau")


if sys.argv[1] == "write":
    torch.save(optimizers(), pathlib.Path(__file__).parent / "all_optimizers.pth")
else:
    check(sys.argv[2])
