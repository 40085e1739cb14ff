"""Goldens of torch.nn.utils: random programs of weight norms, parametrizations and pruning on random layers. After each step stand the print, the
state dict, the weight as it is read, outputs and gradients, or the error that ends the program."""
import copy
import re
import warnings

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import remove_spectral_norm, remove_weight_norm
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from draw import Draw
from encode import arg, cotangent, kwargs_of, tensor


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).transpose(-1, -2)

    def right_inverse(self, x):
        return x.triu()


class Skew(nn.Module):
    def forward(self, x):
        return x.triu(1) - x.triu(1).transpose(-1, -2)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return x * self.scale

    def right_inverse(self, x):
        return x / self.scale


class Pair(nn.Module):
    def forward(self, a, b):
        return a * b.exp()

    def right_inverse(self, x):
        return x, torch.zeros_like(x)


class Cast(nn.Module):
    def forward(self, x):
        return x.double()


class Short(nn.Module):
    def forward(self, x):
        return x[:1]


PARAMETRIZATIONS = {"Symmetric": Symmetric, "Skew": Skew, "Scale": Scale, "Pair": Pair, "Cast": Cast, "Short": Short, "Softplus": nn.Softplus}


def layer(d):
    kind = d("Linear", "Linear", "Linear", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "Embedding", "LayerNorm")
    i, o = d.int(1, 4), d.int(1, 4)
    if d.chance(0.3):
        o = i
    k = d.options(0.2, bias=[False]) if kind not in ("Embedding", "LayerNorm") else {}
    if kind == "Linear":
        return kind, (i, o), k, d.numbers(d.int(1, 3), i)
    if kind == "Embedding":
        return kind, (i, o), k, torch.arange(i)
    if kind == "LayerNorm":
        return kind, (i,), k, d.numbers(2, i)
    n = int(kind[-2])
    return kind, (i, o, d.int(1, 3)), k, d.numbers(2, i, *[d.int(3, 5) for _ in range(n)])


def step(d, done):
    """A step's name and keywords."""
    name = "bias" if d.chance(0.1) else "other" if d.chance(0.02) else "weight"
    kind = d("forward", "forward", "forward", "mode", "norm", "norm", "parametrize", "parametrize", "prune", "prune", "undo", "undo", "double", "deepcopy", "set")
    if kind == "norm":
        which = d("old_weight_norm", "weight_norm", "weight_norm", "old_spectral_norm", "spectral_norm", "spectral_norm", "orthogonal", "orthogonal")
        if which == "orthogonal":
            return which, {"name": name, **d.options(0.5, orthogonal_map=["matrix_exp", "cayley", "householder", "other"], use_trivialization=[False])}
        if "weight" in which:
            return which, {"name": name, **d.options(0.4, dim=[0, 1, -1, None])}
        return which, {"name": name, **d.options(0.3, n_power_iterations=[2, 3] if d.chance(0.9) else [0], eps=[1e-6], dim=[0, 1] if d.chance(0.8) else [5, -9])}
    if kind == "parametrize":
        return kind, {"name": name, "which": d(*PARAMETRIZATIONS), **d.options(0.15, unsafe=[True])}
    if kind == "undo":
        undone = [UNDO[w] for w in done if w in UNDO]
        what = undone[-1] if undone and d.chance(0.9) else d(*UNDO.values())
        if not undone and d.chance(0.8):
            return "forward", {}
        return what, {"name": name, **(d.options(0.3, leave_parametrized=[False]) if what == "remove_parametrizations" else {})}
    if kind == "prune":
        which = d("identity", "random_unstructured", "l1_unstructured", "random_structured", "ln_structured", "custom_from_mask")
        amount = d(0.25, 0.5, 0.4, 0.0, 1, 2, 1.0) if d.chance(0.92) else d(1.5, -1, 40)
        k = {"name": name}
        if which not in ("identity", "custom_from_mask"):
            k["amount"] = amount
        if which == "ln_structured":
            k["n"] = d(1, 2, float("inf"), 0.5, "fro")
        if "structured" in which and "un" not in which:
            k["dim"] = d(0, 0, 1, -1) if d.chance(0.95) else 3
        return which, k
    if kind == "mode":
        return d("train", "eval"), {}
    return kind, {}


UNDO = {"old_weight_norm": "remove_weight_norm", "old_spectral_norm": "remove_spectral_norm", "weight_norm": "remove_parametrizations",
        "spectral_norm": "remove_parametrizations", "orthogonal": "remove_parametrizations", "parametrize": "remove_parametrizations",
        "l1_unstructured": "remove", "random_unstructured": "remove", "ln_structured": "remove", "random_structured": "remove", "custom_from_mask": "remove",
        "identity": "remove"}
NORMS = {"old_weight_norm": old_weight_norm, "weight_norm": parametrizations.weight_norm, "old_spectral_norm": old_spectral_norm,
         "spectral_norm": parametrizations.spectral_norm, "orthogonal": parametrizations.orthogonal, "remove_weight_norm": remove_weight_norm,
         "remove_spectral_norm": remove_spectral_norm}


def take(module, what, k, x):
    """Takes a step; returns the module, and what the step itself gives."""
    k = dict(k)
    name = k.pop("name", None)
    if what in NORMS:
        return NORMS[what](module, name, **k), {}
    if what == "parametrize":
        return parametrize.register_parametrization(module, name, PARAMETRIZATIONS[k.pop("which")](), **k), {}
    if what == "remove_parametrizations":
        return parametrize.remove_parametrizations(module, name, **k), {}
    if what == "custom_from_mask":
        mask = (torch.arange(getattr(module, name).numel()) % 3 != 1).view(getattr(module, name).shape)
        return prune.custom_from_mask(module, name, mask), {}
    if what == "remove" or hasattr(prune, what):
        return getattr(prune, what)(module, name, **k), {}
    if what == "forward":
        dtype = next(iter(module.parameters())).dtype
        out = module(x.to(dtype) if x.is_floating_point() else x)
        got = {"out": tensor(out, output=True)}
        if out.requires_grad:
            out.backward(cotangent(out))
            got["grads"] = [[n, tensor(p.grad, output=True)] for n, p in module.named_parameters() if p.grad is not None]
            with torch.no_grad():
                for p in module.parameters():
                    if p.grad is not None:
                        p -= 0.125 * p.grad
                        p.grad = None
        return module, got
    if what == "set":
        value = torch.arange(module.weight.numel(), dtype=module.weight.dtype).view(module.weight.shape) / 8 - 1
        module.weight = value
        return module, {}
    if what == "deepcopy":
        return copy.deepcopy(module), {}
    if what == "double":
        return module.double(), {}
    return getattr(module, what)(), {}


def words(error):
    if isinstance(error, KeyError):
        return f"KeyError: {error}"
    return str(error)


# What has no counterpart where a field is a parameter: setting an attribute that is none, copying computed attributes, which works here.
SKIPPED = re.compile("cannot assign|deepcopy protocol|has no attribute|object is not|NoneType|unexpected keyword|not subscriptable|Sizes of tensors|storage")


def program(seed):
    d = Draw(seed)
    kind, args, k, x = layer(d)
    torch.manual_seed(seed)
    module = getattr(nn, kind)(*args, **k)
    steps, done = [], []
    for _ in range(d.int(3, 8)):
        what, keywords = step(d, done)
        if what == "set" and not parametrize.is_parametrized(module, "weight"):
            continue
        entry = {"call": what, "kwargs": kwargs_of(keywords)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module, got = take(module, what, keywords, x)
                shown = getattr(module, "weight")
        except (RuntimeError, ValueError, IndexError, KeyError, NotImplementedError, AssertionError, TypeError, AttributeError) as error:
            # What Python tells of a prune of a parameter that is computed and yet is one.
            of_prune = isinstance(error, KeyError) and hasattr(prune, what)
            if isinstance(error, (TypeError, AttributeError)) or of_prune or SKIPPED.search(str(error)):
                break
            entry["error"] = words(error)
            steps.append(entry)
            break
        try:
            printed = str(module)
        except RuntimeError:  # Python's print reads the bias.
            break
        entry |= got
        entry["weight"] = tensor(shown, output=True)
        entry["repr"] = printed
        entry["state"] = [[n, tensor(t, output=True)] for n, t in module.state_dict().items()]
        entry["parameters"] = [n for n, _ in module.named_parameters()]
        entry["modules"] = [n for n, _ in module.named_modules()]
        steps.append(entry)
        done.append(what)
    if not steps:
        return None
    return {"module": kind, "seed": seed, "args": [arg(a) for a in args], "kwargs": kwargs_of(k), "input": tensor(x), "steps": steps}


def random_utils_cases():
    return [case for case in map(program, range(700)) if case]
