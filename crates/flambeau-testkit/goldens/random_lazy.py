"""Goldens of random configurations of the lazy layers, whose first call makes their parameters, of layers that draw while they train,
and of activations that write to their input: what they print before and after, the numbers drawn, outputs, gradients, statistics and messages."""
import torch
from torch import nn

from draw import Draw
from encode import DTYPES, Unsupported, arg, kwargs_of, tensor
from random_modules import SLOPES, Dropped, activation, attempt, batch_norm, conv, conv_transpose, dropout, elementwise, instance_norm, linear, rrelu, run, state, tolerance


def lazily(draw, drop):
    """The configurations of a layer without its first arguments, of which the input tells the first."""
    def lazy(d):
        args, kwargs, inputs = draw(d)
        return args[drop:], kwargs, inputs
    return lazy


def draws(draw, often=0.3):
    def one(d):
        args, kwargs, inputs = draw(d)
        if d.chance(often):
            kwargs["inplace"] = True
        return args, kwargs, inputs
    return one


def rrelu_in_training(d):
    _, kwargs, _ = rrelu(d)
    shape = tuple(d.int(0 if d.chance(0.04) else 1, 5) for _ in range(d.int(0, 4)))
    x = d.numbers(*shape)
    return (), kwargs, [d.special(x) if d.chance(0.15) else x.transpose(0, -1) if x.dim() > 1 and d.chance(0.2) else x]


def sync(d):
    args, kwargs, inputs = batch_norm(d.int(1, 3))(d)
    return args, kwargs, [inputs[0][..., None, None]] if d.chance(0.1) else inputs


def in_place(**options):
    return draws(activation(**options), 0.9)


# Class: how many configurations, their generator.
CLASSES = {
    nn.LazyLinear: (60, lazily(linear, 1)),
    nn.LazyConv1d: (40, lazily(conv(1), 1)), nn.LazyConv2d: (45, lazily(conv(2), 1)), nn.LazyConv3d: (30, lazily(conv(3), 1)),
    nn.LazyConvTranspose1d: (35, lazily(conv_transpose(1), 1)), nn.LazyConvTranspose2d: (40, lazily(conv_transpose(2), 1)),
    nn.LazyConvTranspose3d: (25, lazily(conv_transpose(3), 1)),
    nn.LazyBatchNorm1d: (40, lazily(batch_norm(1), 1)), nn.LazyBatchNorm2d: (40, lazily(batch_norm(2), 1)), nn.LazyBatchNorm3d: (30, lazily(batch_norm(3), 1)),
    nn.LazyInstanceNorm1d: (40, lazily(instance_norm(1), 1)), nn.LazyInstanceNorm2d: (40, lazily(instance_norm(2), 1)),
    nn.LazyInstanceNorm3d: (30, lazily(instance_norm(3), 1)),
    nn.SyncBatchNorm: (50, sync), nn.RReLU: (70, draws(rrelu_in_training)),
    nn.Dropout: (40, draws(dropout(0))), nn.Dropout1d: (40, draws(dropout(1))), nn.Dropout2d: (40, draws(dropout(2))), nn.Dropout3d: (40, draws(dropout(3))),
    nn.AlphaDropout: (40, draws(dropout(0))), nn.FeatureAlphaDropout: (40, draws(dropout(1))),
    nn.ReLU: (20, in_place()), nn.ReLU6: (20, in_place()), nn.Hardtanh: (25, in_place(min_val=[-0.5, -2, -1.0], max_val=[0.25, 3, 2.0])),
    nn.LeakyReLU: (25, in_place(negative_slope=SLOPES)), nn.ELU: (25, in_place(alpha=[0.5, 2, -1.0])), nn.SELU: (20, in_place()),
    nn.CELU: (25, in_place(alpha=[0.5, 2, -1.0])), nn.SiLU: (20, in_place()), nn.Mish: (20, in_place()), nn.Hardsigmoid: (20, in_place()),
    nn.Hardswish: (20, in_place()),
    nn.Threshold: (25, draws(lambda d: ((), {"threshold": d(0.1, 1, -0.5), "value": d(2.0, -1, 0.5)}, [elementwise(d)]), 0.9)),
}
# Those that compute otherwise in training.
MODES = (nn.modules.lazy.LazyModuleMixin, nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd, nn.RReLU)


def module_case(cls, i):
    d = Draw("lazy", cls.__name__, i)
    args, kwargs, inputs = CLASSES[cls][1](d)
    dtype = d.dtype()
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": i, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs)}
    m, error = attempt(lambda: cls(*args, **kwargs))
    if error:
        return case | {"error": error}
    case["repr"] = repr(m)
    m = m.to(dtype)
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    inputs[0].requires_grad_(inputs[0].is_floating_point())
    case["inputs"] = [tensor(x) for x in inputs]
    lazy = isinstance(m, nn.modules.lazy.LazyModuleMixin)
    # Sums are as exact as PyTorch's own. (PyTorch cannot copy a lazy layer with buffers.)
    known = cls(*args, **kwargs).to(dtype)
    torch.manual_seed(i)
    attempt(lambda: known(*(x.detach().clone() for x in inputs)))
    unknown = getattr(known, "has_uninitialized_params", lambda: False)()
    case["tol"] = [1e-5, 1e-5] if unknown else tolerance(known, inputs)
    torch.manual_seed(i)
    if isinstance(m, MODES) and d.chance(0.8):
        case["train"] = run(m, inputs)
        if "out" in case["train"]:
            case["state_after"] = state(m)
    m.eval()
    case["eval"] = run(m, inputs)
    if "out" in case["eval"]:
        case["state_after_eval"] = state(m)
    case["repr_after"] = repr(m)
    if "Transpose" in cls.__name__ and (0 in inputs[0].shape or any(0 in t["s"][1:] for t in case["eval"].get("out", []))):
        raise Dropped  # which of its kernels PyTorch takes decides whether what has no elements is checked
    if kwargs.get("eps") == -1.0 and "InstanceNorm" in cls.__name__ or "InstanceNorm" in cls.__name__ and inputs[0].shape[:1] == (0,):
        raise Dropped  # a running variance of 1 less 1 is divided by in another order; statistics of no channels have no shape
    if isinstance(m, (nn.Dropout1d, nn.Dropout3d)) and m.inplace and inputs[0].dim() != (3 if isinstance(m, nn.Dropout1d) else 5):
        raise Dropped  # its last node squeezes in place
    if lazy and any(0 in x.shape for x in inputs) and any(0 in p.shape for p in m.parameters() if not nn.parameter.is_lazy(p)):
        raise Dropped  # PyTorch leaves the bias as it finds the memory
    return case


def random_lazy_cases():
    out = []
    for cls, (count, _) in CLASSES.items():
        for i in range(count):
            try:
                out.append(module_case(cls, i))
            except (Dropped, Unsupported):
                pass
    return out
