"""Goldens of recurrent layers, cells and of nn.utils.rnn: every sample of PyTorch's module_db, with initial numbers, and random configurations.

The format is that of modules.py and random_modules.py; a run in training stands there only where it differs from that in evaluation. A layer's inputs are x, with a packed sequence its lengths, then the states. What is
packed stands as "form" beside the constructor's keywords: "packed" of sorted sequences, "unsorted" of others.
"""
import copy
import re

import torch
from torch import nn
from torch.nn.utils import rnn
from torch.testing._internal.common_modules import module_db

from draw import BF16, F16, F32, F64, I64, Draw
from encode import DTYPES, Unsupported, arg, cotangent, dumps, kwargs_of, outputs_of, tensor
from random_modules import DROPPED, TOLERANCE, Dropped, attempt, run, state

LAYERS = nn.RNN, nn.LSTM, nn.GRU
CELLS = nn.RNNCell, nn.LSTMCell, nn.GRUCell


class Fed:
    """A module that takes its inputs as a flat list."""

    def __init__(self, module, form=None):
        self.module, self.form = module, form

    def named_parameters(self):
        return self.module.named_parameters()

    def __call__(self, x, *rest):
        if self.form:
            x = rnn.pack_padded_sequence(x, rest[0], self.module.batch_first, self.form == "packed")
            rest = rest[1:]
        out = self.module(x, *([] if not rest else [rest] if isinstance(self.module, (nn.LSTM, nn.LSTMCell)) else rest))
        return flat(out)


def flat(out):
    if isinstance(out, rnn.PackedSequence):
        return (out.data,)
    return (out,) if isinstance(out, torch.Tensor) else tuple(t for o in out for t in flat(o))


class Function:
    """A function of nn.utils.rnn as a module without parameters."""

    def __init__(self, call):
        self.call = call

    def named_parameters(self):
        return []

    def __call__(self, *inputs):
        return self.call(*inputs)


def results(fed, inputs):
    """Outputs and gradients, for comparing precisions."""
    leaves = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
    outs = [o for o in outputs_of(fed(*leaves)) if o.requires_grad]
    wanted = [x for x in leaves if x.requires_grad] + [p for _, p in fed.named_parameters()]
    return outs + [g for g in torch.autograd.grad(outs, wanted, [cotangent(o) for o in outs], allow_unused=True) if g is not None]


def tolerance(fed, inputs, dtype):
    """As near as the dtype allows, and no nearer than PyTorch itself is to what it computes in float64."""
    base, error = TOLERANCE[dtype], 0.0
    if dtype != F64:
        wide = [x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in inputs]
        try:
            here, there = results(fed, inputs), results(Fed(copy.deepcopy(fed.module).double(), fed.form), wide)
        except Exception:  # noqa: BLE001: what fails has no digits
            return [base, base]
        error = max((float((a.double() - b).abs().max()) for a, b in zip(here, there) if a.numel()), default=0.0)
    return [base, max(base, float(f"{4 * error:.2g}"))]


def database_cases():
    """module_db's samples in both modes, after manual_seed(0)."""
    out = []
    for info in module_db:
        if info.module_cls not in LAYERS + CELLS:
            continue
        for dtype in (F32, F64):
            torch.manual_seed(1)
            for sample in info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True, with_packed_sequence=True):
                out.append(database_case(info.module_cls, sample, dtype))
    return out


def database_case(cls, sample, dtype):
    args, kwargs = sample.constructor_input.args, sample.constructor_input.kwargs
    torch.manual_seed(0)
    m = cls(*args, **kwargs)
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs), "repr": repr(m), "state": state(m)}
    m = m.to(dtype)
    x, *hx = sample.forward_input.args
    form, inputs = None, []
    if isinstance(x, rnn.PackedSequence):
        form = "packed" if x.sorted_indices is None else "unsorted"
        x, lengths = rnn.pad_packed_sequence(x, m.batch_first)
        case["kwargs"]["form"] = form
        inputs.append(lengths)
    inputs = [x.detach(), *inputs, *(h.detach() for h in flat(hx))]
    for x in inputs:
        x.requires_grad_(x.is_floating_point())
    case["inputs"] = [tensor(x.contiguous()) for x in inputs]
    fed = Fed(m, form)
    learned = run(fed, inputs)
    m.eval()
    case["eval"] = run(fed, inputs)
    assert dumps(learned) == dumps(case["eval"])
    case["tol"] = tolerance(fed, inputs, dtype)
    return case


def layer(cls, d):
    i, h = d.int(1, 4), d.int(2, 5)
    k = d.options(0.4, num_layers=[2, 2, 3], bias=[False, True], batch_first=[True], dropout=[0.5, 1, 1.0, 0], bidirectional=[True])
    if cls is nn.RNN and d.chance(0.5):
        k["nonlinearity"] = d("relu", "tanh")
    if cls is nn.LSTM and d.chance(0.35):
        k["proj_size"] = d.int(1, h - 1)
    if d.chance(0.06):
        k |= d({"num_layers": 0}, {"num_layers": -1}, {"dropout": 1.5}, {"dropout": -0.5})
    if cls is nn.RNN and d.chance(0.02):
        k["nonlinearity"] = "sigmoid"
    if cls is nn.LSTM and d.chance(0.03):
        k["proj_size"] = d(-1, h, h + 1)
    if d.chance(0.03):
        i, h = d((0, h), (i, 0), (-1, h))
    return (i, h), k


def layer_inputs(m, d):
    steps, batch, form = d.int(1, 5), d.int(1, 4), None
    first = m.batch_first
    single = d.chance(0.2)
    if not single and d.chance(0.4):
        lengths = sorted((d.int(1, steps) for _ in range(batch)), reverse=True)
        lengths[0] = steps
        form = "packed"
        if d.chance(0.6):
            form = "unsorted"
            d.r.shuffle(lengths)
    # PyTorch's LSTM does not look at the sizes of what goes with a packed sequence, and may write past the ends of its memory.
    unchecked = form and isinstance(m, nn.LSTM)
    if d.chance(0.04) and not form:
        steps, batch = d((0, batch), (steps, 0))
    shape = (steps, m.input_size) if single else (batch, steps, m.input_size) if first else (steps, batch, m.input_size)
    if not form:
        shape = d.spoil(shape, 0.08)
    elif d.chance(0.04) and not unchecked:
        shape = (*shape[:-1], shape[-1] + 1)
    inputs = [d.numbers(*shape)]
    if form:
        inputs.append(torch.tensor(lengths))
    if d.chance(0.55):
        n = m.num_layers * (2 if m.bidirectional else 1)
        for width in (m.proj_size or m.hidden_size, *([m.hidden_size] if isinstance(m, nn.LSTM) else [])):
            inputs.append(d.numbers(*d.spoil((n, width) if single else (n, batch, width), 0 if unchecked else 0.06)))
    return form, inputs


def cell(cls, d):
    k = d.options(0.5, bias=[False, True])
    if cls is nn.RNNCell and d.chance(0.6):
        k["nonlinearity"] = d("relu", "tanh", "relu", "sigmoid") if d.chance(0.3) else d("relu", "tanh")
    return (d.int(0 if d.chance(0.05) else 1, 4), d.int(0 if d.chance(0.05) else 1, 4)), k


def cell_inputs(m, d):
    lead = () if d.chance(0.25) else (0 if d.chance(0.06) else d.int(1, 4),)
    inputs = [d.numbers(*d.spoil((*lead, m.input_size), 0.15))]
    if d.chance(0.7):
        inputs += [d.numbers(*d.spoil((*lead, m.hidden_size), 0.12)) for _ in range(2 if isinstance(m, nn.LSTMCell) else 1)]
    return None, inputs


def random_case(cls, i):
    d = Draw("recurrent", cls.__name__, i)
    args, kwargs = (layer if cls in LAYERS else cell)(cls, d)
    dtype = d.dtype()
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs)}
    m, error = attempt(lambda: cls(*args, **kwargs))
    if error:
        return case | {"error": error}
    case["repr"] = repr(m)
    m = m.to(dtype)
    for p in m.parameters():
        p.data.copy_(d.numbers(*p.shape, scale=16, limit=14))
    case["state"] = state(m)
    form, inputs = (layer_inputs if cls in LAYERS else cell_inputs)(m, d)
    if form:
        case["kwargs"]["form"] = form
    mixed = d.chance(0.05)  # the last input in another dtype
    last = len(inputs) - 1
    inputs = [x.to(d(F32, F64, F16) if mixed and j == last else dtype) if x.is_floating_point() else x for j, x in enumerate(inputs)]
    for x in inputs:
        x.requires_grad_(x.is_floating_point() and (x is inputs[0] or d.chance(0.5)))
    if d.chance(0.15):  # some weights do not learn; the reader does not know, so theirs are no leaves either
        inputs = [x.detach() if j else x for j, x in enumerate(inputs)]
    case["inputs"] = [tensor(x) for x in inputs]
    fed = Fed(m, form)
    draws = cls in LAYERS and m.dropout not in (0, 1) and m.num_layers > 1
    learned = None if draws else run(fed, inputs)
    m.eval()
    case["eval"] = run(fed, inputs)
    if learned and dumps(learned) != dumps(case["eval"]):
        case["train"], case["state_after"] = learned, state(m)
    case["tol"] = tolerance(fed, inputs, dtype)
    words = str(case["eval"].get("error", {}).get("message", ""))
    # oneDNN's words, and a mixture of dtypes that PyTorch's composed LSTM promotes or words by its products.
    if re.search("mkldnn|primitive descriptor|^expected m1 and m2", words) or mixed and cls is nn.LSTMCell and len(inputs) == 3:
        raise Dropped
    return case


def lengths_of(d, batch, steps):
    out = [d.int(1, steps) for _ in range(batch)]
    if d.chance(0.7):
        out[0] = steps
    return out


def function_case(i):
    d = Draw("sequences", i)
    name = d("pack_padded_sequence", "pad_packed_sequence", "pad_sequence", "pack_sequence", "unpack_sequence", "unpad_sequence")
    rest = tuple(d.int(1, 3) for _ in range(d.int(0, 2)))
    batch, steps = d.int(1, 4), d.int(1, 4)
    dtype = d(F32, F64, F32, F64, I64, F16)
    numbers = lambda *shape: (d.numbers(*shape) * (4 if dtype == I64 else 1)).to(dtype)
    kwargs, args = {}, []
    if name in ("pack_padded_sequence", "pad_packed_sequence"):
        first = d.chance(0.5)
        shape = (batch, steps, *rest) if first else (steps, batch, *rest)
        inputs = [numbers(*(d.spoil(shape, 0.1) if name == "pack_padded_sequence" else shape))]
        lengths = lengths_of(d, batch, steps)
        enforce = d.chance(0.5)
        if enforce and d.chance(0.9):
            lengths.sort(reverse=True)
        if name == "pack_padded_sequence" and d.chance(0.15):
            lengths = d(lengths + [1], lengths[:-1], [0] * batch, [n + 1 for n in lengths], [-1, *lengths[1:]])
        kwargs = {"batch_first": first, "enforce_sorted": enforce}
        args = [lengths]
        pack = lambda x: rnn.pack_padded_sequence(x, lengths, **kwargs)
        if name == "pack_padded_sequence":
            call = lambda x: tuple(t for t in pack(x) if t is not None)
        else:
            more = d.options(0.5, padding_value=[1, -2.5, 0.0], total_length=lambda: steps + d.int(-1, 2))
            back = d.chance(0.5)
            call = lambda x: rnn.pad_packed_sequence(pack(x), batch_first=back, **more)
    elif name == "unpad_sequence":
        first = d.chance(0.5)
        inputs = [numbers(*((batch, steps, *rest) if first else (steps, batch, *rest)))]
        lengths = lengths_of(d, batch, steps)
        if d.chance(0.15):
            lengths = d(lengths + [1], lengths[:-1], [0] * batch, [n + 1 for n in lengths])
        kwargs, args = {"batch_first": first}, [lengths]
        call = lambda x: tuple(rnn.unpad_sequence(x * 1, torch.tensor(lengths, dtype=I64), batch_first=first))
    else:
        lengths = lengths_of(d, batch, steps)
        if name != "pad_sequence" and d.chance(0.5):
            lengths.sort(reverse=True)
        inputs = [numbers(n, *(d.spoil(rest, 0.05) if rest else rest)) for n in lengths]
        if name == "pad_sequence":
            kwargs = d.options(0.5, batch_first=[True, False], padding_value=[1, -2.5, 0.0], padding_side=["left", "right"])
            if d.chance(0.04):
                kwargs["padding_side"] = "top"
            if d.chance(0.06):
                inputs[-1] = inputs[-1].to(d(F32, F64, I64))
            call = lambda *xs: (rnn.pad_sequence(xs, **kwargs),)
        else:
            kwargs = d.options(0.6, enforce_sorted=[True, False])
            packed = lambda xs: rnn.pack_sequence(xs, **kwargs)
            call = (lambda *xs: tuple(t for t in packed(xs) if t is not None)) if name == "pack_sequence" else (lambda *xs: tuple(rnn.unpack_sequence(packed(xs))))
    if name == "pad_packed_sequence":
        given = kwargs | more | {"back_first": back}
    else:
        given = kwargs
    for x in inputs:
        x.requires_grad_(x.is_floating_point() and (x is inputs[0] or d.chance(0.6)))
    case = {"module": name, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(given), "repr": "", "state": []}
    case["inputs"] = [tensor(x) for x in inputs]
    side = run(Function(call), inputs)
    if not side.get("out", True):
        raise Dropped  # nothing comes out
    return case | {"eval": side, "tol": [0.0, 0.0] if dtype != F16 else [1e-3, 1e-3]}


COUNTS = {nn.RNN: 110, nn.LSTM: 130, nn.GRU: 110, nn.RNNCell: 50, nn.LSTMCell: 50, nn.GRUCell: 50}


def random_rnn_cases():
    out = []
    draws = [(random_case, (cls, i)) for cls, count in COUNTS.items() for i in range(count)] + [(function_case, (i,)) for i in range(220)]
    for make, args in draws:
        try:
            out.append(make(*args))
        except (Dropped, Unsupported):
            pass
    return out
