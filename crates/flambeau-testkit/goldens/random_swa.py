"""Goldens of torch.optim.swa_utils: averages of random weights by every function, buffers averaged or copied, state dicts, update_bn, and what PyTorch refuses."""
import torch
from torch import nn
from torch.optim import swa_utils

from draw import F32, F64, Draw
from encode import tensor

COUNT = 160
MODELS = {"linear": lambda dtype: nn.Sequential(nn.Linear(3, 2, dtype=dtype)), "norm": lambda dtype: nn.Sequential(nn.Linear(3, 2, dtype=dtype), nn.BatchNorm1d(2, dtype=dtype))}
DECAYS = [0.999, 0.9, 0.5, 0.0, 1.0]
FUNCTIONS = {"ema": swa_utils.get_ema_avg_fn, "ema_multi": swa_utils.get_ema_multi_avg_fn, "swa": swa_utils.get_swa_avg_fn, "swa_multi": swa_utils.get_swa_multi_avg_fn}


def draw_weights(d, model):
    """New numbers for the parameters and buffers, written in place."""
    for x in [*model.parameters(), *model.buffers()]:
        new = d.numbers(*x.shape) if x.is_floating_point() else torch.tensor(d.int(0, 9))
        x.data.copy_(new.abs() + 0.25 if x.ndim and x is getattr(model[-1], "running_var", None) else new)
    return [tensor(x.detach(), exact=True) for x in [*model.parameters(), *model.buffers()]]


def failure(e):
    return {"type": type(e).__name__, "message": str(e)}


def state(model):
    return [[name, tensor(x.detach(), True, exact=True)] for name, x in model.state_dict().items()]


def average_case(i):
    d = Draw("swa", i)
    name, dtype = d(*MODELS), d(F32, F64)
    function, buffers = d(None, *FUNCTIONS), d.chance(0.5)
    decay = d(*DECAYS) if d.chance(0.93) else d(-0.1, 1.5)
    out = {"what": "average", "model": name, "dtype": str(dtype).removeprefix("torch."), "function": function, "decay": decay, "use_buffers": buffers}
    model = MODELS[name](dtype)
    out["start"] = draw_weights(d, model)
    try:
        kw = {}
        if function is not None:
            made = FUNCTIONS[function](decay) if "ema" in function else FUNCTIONS[function]()
            kw["multi_avg_fn" if "multi" in function else "avg_fn"] = made
        averaged = swa_utils.AveragedModel(model, use_buffers=buffers, **kw)
    except ValueError as e:
        return out | {"error": failure(e)}
    out["updates"] = []
    for _ in range(d.int(1, 4)):
        update = {"weights": draw_weights(d, model)}
        try:
            averaged.update_parameters(model)
        except RuntimeError as e:
            out["updates"].append(update | {"error": failure(e)})
            return out
        out["updates"].append(update | {"state": state(averaged)})
    return out


def bn_case(i):
    d = Draw("update_bn", i)
    momentum = d(0.1, None, 0.5)
    out = {"what": "bn", "momentum": momentum, "training": d.chance(0.5), "tuple": d.chance(0.5)}
    model = nn.Sequential(nn.BatchNorm1d(2, momentum=momentum, dtype=F64))
    model.train(out["training"])
    out["start"] = draw_weights(d, model)
    batches = [d.numbers(d.int(2, 4), 2) for _ in range(d.int(0, 4))]
    out["batches"] = [tensor(b, exact=True) for b in batches]
    swa_utils.update_bn([(b, None) for b in batches] if out["tuple"] else batches, model)
    out["state"], out["after"] = state(model), model.training
    # The momentum is the layer's own again.
    model.train()
    model(torch.ones(2, 2, dtype=F64))
    return out | {"then": state(model)}


def random_swa_cases():
    return [average_case(i) for i in range(COUNT)] + [bn_case(i) for i in range(COUNT // 4)]
