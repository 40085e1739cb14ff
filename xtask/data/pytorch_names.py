"""Writes pytorch_names.txt: the public names of PyTorch that docs/compat.md lists, `module name` on each line.

    /opt/venv/bin/python xtask/data/pytorch_names.py > xtask/data/pytorch_names.txt
"""

import importlib
import inspect

import torch

MODULES = [
    "torch", "torch.Tensor", "torch.linalg", "torch.special", "torch.fft", "torch.autograd", "torch.nn",
    "torch.nn.functional", "torch.nn.init", "torch.nn.utils", "torch.optim", "torch.optim.lr_scheduler",
    "torch.optim.swa_utils", "torch.utils.data", "torch.amp", "torch.distributions", "torch.random",
]
# Parts of the compiler, of quantisation, of builds and of back ends that a port never names.
LEFT_OUT = ("q_", "quantize", "dequantize", "fbgemm", "cudnn", "miopen", "mkldnn", "sym_", "vulkan", "_", "is_vulkan")


def names(module):
    if module == "torch.Tensor":
        found = [n for n in dir(torch.Tensor) if not inspect.isclass(getattr(torch.Tensor, n, None))]
    else:
        thing = importlib.import_module(module)
        found = getattr(thing, "__all__", None) or dir(thing)
        if module == "torch":
            found = [n for n in found if callable(getattr(torch, n)) and not isinstance(getattr(torch, n), type)]
        elif module == "torch.nn.functional":
            found = [n for n in dir(thing) if inspect.isroutine(getattr(thing, n))]
            helpers = ("assert_", "boolean_dispatch", "handle_torch", "has_torch", "scaled_", "grouped_", "native_", "unpack")
            found = [n for n in found if not n.startswith(helpers) and (getattr(thing, n).__doc__ or n.endswith("_"))]
        elif module in ("torch.special", "torch.linalg", "torch.fft"):
            found = [n for n in found if callable(getattr(thing, n)) and not inspect.isclass(getattr(thing, n))]
        if module != "torch.nn.functional":
            found = [n for n in found if getattr(thing, n).__doc__]
    return sorted({n for n in found if not n.startswith(LEFT_OUT) and n.isidentifier()})


for module in MODULES:
    for name in names(module):
        print(module, name)
