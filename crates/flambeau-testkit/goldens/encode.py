"""The format of the goldens: Python values to JSON, and how a case is recorded (see ../src/golden.rs for the reader)."""
import gzip
import io
import json
import math
import re

import torch

DTYPES = {d: str(d).removeprefix("torch.") for d in (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64)}
# torch.testing.assert_close's defaults (rtol, atol)
TOLERANCES = {torch.float32: [1.3e-6, 1e-5], torch.float64: [1e-7, 1e-7],
              torch.float16: [1e-3, 1e-5], torch.bfloat16: [1.6e-2, 1e-5]}


class Unsupported(Exception):
    """A value that the format does not hold (complex numbers, generators, sparse tensors, other devices)."""


class Lit:
    """A number that goes into the JSON text exactly as written."""

    def __init__(self, text):
        self.text = text


def number(x, dtype):
    """One element as JSON text. f64 inputs keep their repr; f32 and smaller the shortest digits that give the same f32."""
    if dtype == torch.bool:
        return "true" if x else "false"
    if not dtype.is_floating_point:
        return str(int(x))
    if math.isnan(x):
        return '"nan"'
    if math.isinf(x):
        return '"inf"' if x > 0 else '"-inf"'
    if x == 0:
        return "-0.0" if math.copysign(1, x) < 0 else "0"
    text = x if isinstance(x, str) else repr(x)
    return text[:-2] if text.endswith(".0") else text


def shortest_f32(x):
    import numpy as np
    return float(str(np.float32(x)))


def values(flat, round_f64):
    dtype = flat.dtype
    if dtype in (torch.float32, torch.float16, torch.bfloat16):
        items = [shortest_f32(v) for v in flat.to(torch.float32).tolist()]
    elif dtype == torch.float64 and round_f64:
        items = [float(f"{v:.13g}") for v in flat.tolist()]
    else:
        items = flat.tolist()
    return Lit("[" + ",".join(number(v, dtype) for v in items) + "]")


def tensor(t, output=False, exact=False):
    """{"t": dtype, "s": shape, "v": values in row-major order}. A view also has "st" (strides) and "o" (offset), and "v" is then its whole
    base storage. "g": 1 marks a leaf that requires a gradient. Outputs in f64 keep 13 digits."""
    if t.dtype not in DTYPES or t.layout != torch.strided or t.device.type != "cpu":
        raise Unsupported(str(t.dtype))
    d = t.detach()
    out = {"t": DTYPES[t.dtype], "s": list(t.shape)}
    if output or d.is_contiguous():
        out["v"] = values(d.contiguous().reshape(-1), output and not exact)
    else:
        size = d.storage_offset() + 1 + sum((n - 1) * st for n, st in zip(d.shape, d.stride())) if d.numel() else 0
        if size > 1200:
            raise Unsupported("large base")
        out["v"] = values(d.as_strided((size,), (1,), 0), False)
        out["st"], out["o"] = list(d.stride()), d.storage_offset()
    if not output and t.requires_grad:
        out["g"] = 1
    return out


def arg(x):
    """None, bool, int, float (always with a point or exponent), str as JSON's own; lists as arrays; the rest as one-key objects."""
    if x is None or isinstance(x, (bool, str)):
        return x
    if isinstance(x, torch.Tensor):
        return tensor(x)
    if isinstance(x, int):
        return x
    if isinstance(x, float):
        return Lit(repr(x)) if math.isfinite(x) else {"float": repr(x)}
    if isinstance(x, torch.dtype):
        if x not in DTYPES:
            raise Unsupported(str(x))
        return {"dtype": DTYPES[x]}
    if isinstance(x, slice):
        return {"slice": [arg(x.start), arg(x.stop), arg(x.step)]}
    if x is Ellipsis:
        return {"ellipsis": True}
    if x == torch.device("cpu"):
        return "cpu"
    if isinstance(x, torch.memory_format):
        return {"memory_format": str(x).removeprefix("torch.")}
    if isinstance(x, (list, tuple)):
        return [arg(v) for v in x]
    if hasattr(x, "item") and not isinstance(x, type):  # a NumPy scalar
        return arg(x.item())
    raise Unsupported(type(x).__name__)


def kwargs_of(kwargs):
    """Drops what says nothing on the CPU: device, layout, pin_memory, and requires_grad=False."""
    out = {}
    for k, v in kwargs.items():
        if k == "requires_grad" and not v or k == "pin_memory" or v in (torch.strided, torch.device("cpu"), "cpu") and not isinstance(v, torch.Tensor):
            continue
        out[k] = arg(v)
    return out


def dumps(x):
    """Compact JSON with keys in insertion order; Lit verbatim."""
    out = io.StringIO()

    def go(x):
        if isinstance(x, Lit):
            out.write(x.text)
        elif isinstance(x, dict):
            out.write("{")
            for i, (k, v) in enumerate(x.items()):
                out.write(("," if i else "") + json.dumps(k) + ":")
                go(v)
            out.write("}")
        elif isinstance(x, (list, tuple)):
            out.write("[")
            for i, v in enumerate(x):
                out.write("," if i else "")
                go(v)
            out.write("]")
        else:
            out.write(json.dumps(x))
    go(x)
    return out.getvalue()


def write(path, cases):
    """One JSON object per line, gzip without a time stamp: the same input gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(dumps(c) + "\n" for c in cases)
    with open(path, "wb") as f, gzip.GzipFile(filename="", mode="wb", fileobj=f, mtime=0, compresslevel=9) as z:
        z.write(text.encode())


def cotangent(t):
    """The gradient that flows into output t: element i (row-major) gets (2*((7*i + 3) % 13) - 11) / 16, exact in every float dtype."""
    i = torch.arange(t.numel(), dtype=torch.int64)
    return ((2 * ((7 * i + 3) % 13) - 11).to(torch.float64) / 16).to(t.dtype).reshape(t.shape)


def each_tensor(x, f):
    """Maps f over the tensors in nested lists, tuples and dicts."""
    if isinstance(x, torch.Tensor):
        return f(x)
    if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
        return [each_tensor(v, f) for v in x] if isinstance(x, list) else tuple(each_tensor(v, f) for v in x)
    if isinstance(x, dict):
        return {k: each_tensor(v, f) for k, v in x.items()}
    return x


def tensors_in(x):
    found = []
    each_tensor(x, lambda t: found.append(t) or t)
    return found


def outputs_of(result):
    """The result as a flat list of tensors; Python numbers become 0-dim tensors."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, bool):
        return [torch.tensor(result)]
    if isinstance(result, (int, float)):
        return [torch.tensor(result, dtype=torch.int64 if isinstance(result, int) else torch.float64)]
    if isinstance(result, (list, tuple)):
        return [t for r in result for t in outputs_of(r)]
    raise Unsupported(type(result).__name__)


def record(op, call, args, kwargs, kind, grads=True, tol=None, exact=False):
    """Runs one case. Keys: op, kind, args, kwargs?, out, grad_fn?, grads? (one per tensor with "g", in the order of args, then of kwargs by name;
    null where PyTorch gives None), tol? = [rtol, atol] for out and grads (absent: exact), or error {type, message} in place of out."""
    case = {"op": op, "kind": kind, "args": [arg(a) for a in args]}
    kw = kwargs_of(kwargs)
    if kw:
        case["kwargs"] = kw
    try:
        result = call(*args, **kwargs)
    except Exception as e:  # noqa: BLE001: every exception type is a result here
        lines = str(e).splitlines()
        case["error"] = {"type": type(e).__name__, "message": re.sub(r" ?\[?(0x[0-9a-f]{6,})\]?", "", lines[0]) if lines else ""}
        return case
    outs = outputs_of(result)
    case["out"] = [tensor(o, True, exact) for o in outs]
    inexact = [o.dtype for o in outs if o.dtype in TOLERANCES]
    leaves = [t for t in tensors_in([list(args), [kwargs[k] for k in sorted(kwargs)]]) if t.requires_grad]
    diff = [o for o in outs if o.requires_grad]
    if diff and diff[0].grad_fn is not None:  # contiguous() may return the leaf itself
        case["grad_fn"] = type(diff[0].grad_fn).__name__
    if diff and grads:
        got = torch.autograd.grad(diff, leaves, [cotangent(o) for o in diff], allow_unused=True)
        case["grads"] = [None if g is None else tensor(g, True, exact) for g in got]
    if inexact and not exact:
        case["tol"] = tol or TOLERANCES[min(inexact, key=lambda d: torch.finfo(d).bits)]
    return case
