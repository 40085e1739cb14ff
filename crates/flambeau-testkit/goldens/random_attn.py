"""Goldens of attention and transformers: module_db's configurations with their initial numbers, and random configurations of masks, layouts, widths
and modes. The format is that of random_modules.py; keyword arguments that begin with `call_` say how the module is called:

- call_names: what the inputs are, `query,attn_mask`; a query without key and value is all three, a key without value is both,
- call_no_grad: whether no gradient is recorded, so that evaluation takes PyTorch's fast path,
- call_need_weights, call_is_causal, …: keywords of the call.

Each run begins with manual_seed(7), so that dropout's stream is compared too.
"""
import itertools
import re

import torch
import torch.nn.functional as F
from torch import nn

from draw import BF16, F16, F32, F64, I64, INF, Draw
from encode import DTYPES, Unsupported, arg, cotangent, kwargs_of, tensor, values
from random_modules import DROPPED, DROPPED_WORDS, Dropped

ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "F.relu": F.relu, "F.gelu": F.gelu, "F.silu": F.silu, "nn.ReLU": nn.ReLU(), "nn.GELU": nn.GELU(),
               "nn.Tanh": nn.Tanh()}
# Words of this machine's kernels, and of checks that tell several faults in an order of their own.
NOT_OURS = re.compile(r"must match the size of tensor|could not create a primitive|mixed dtype|Expected attn_mask dtype|invalid dtype for bias")


def attempt(call):
    try:
        return call(), None
    except DROPPED as e:
        raise Dropped from e
    except Exception as e:  # noqa: BLE001: every other exception is a result here
        line = str(e).splitlines()[0] if str(e) else ""
        if not line or DROPPED_WORDS.search(line) or NOT_OURS.search(line):
            raise Dropped from e
        return None, {"type": type(e).__name__, "message": line}


# What a call is made of.

def mask(d, shape, kind):
    """Bools or floats; seldom a row that sees nothing."""
    hidden = torch.tensor([d.chance(0.3) for _ in range(torch.Size(shape).numel())], dtype=torch.bool).reshape(shape)
    if hidden.dim() > 1 and hidden.numel() and d.chance(0.8):
        hidden[..., 0] = False
    if kind == "bool":
        return hidden
    if kind == "int":
        return hidden.to(I64)
    x = torch.zeros(shape, dtype=F64) if d.chance(0.4) else d.numbers(*shape)
    return x.masked_fill(hidden, -INF) if d.chance(0.7) else x


def attn_mask(d, l, s, n, heads):
    kind = d("bool", "float", "bool", "float", "causal", "causal_bool", "int" if d.chance(0.1) else "bool")
    if kind == "causal":
        return torch.triu(torch.full((l, s), -INF, dtype=F64), 1)
    if kind == "causal_bool":
        return torch.triu(torch.ones(l, s, dtype=torch.bool), 1)
    shape = (l, s) if d.chance(0.6) else (n * heads, l, s)
    return mask(d, d.spoil(shape, 0.06), kind)


def padding(d, n, s, batched):
    kind = "int" if d.chance(0.03) else d("bool", "bool", "float")
    shape = d.spoil((n, s) if batched else (s,), 0.05)
    if kind == "bool" and shape == (n, s) and d.chance(0.5):
        return torch.arange(s) >= torch.tensor([[d.int(0 if d.chance(0.1) else 1, s)] for _ in range(n)]).reshape(n, 1)
    return mask(d, shape, kind)


def layout(d, x, batch_first, batched):
    """[l, n, e] as the module takes it."""
    return x.squeeze(1) if not batched else x.transpose(0, 1).contiguous() if batch_first else x


def common(d):
    n, batched = (0 if d.chance(0.04) else d.int(1, 3)), d.chance(0.8)
    return (n if batched else 1), batched


def flags(d, **each):
    return {f"call_{k}": v for k, v in d.options(0.35, **each).items()}


def mha(d):
    heads = d(1, 2, 2, 3, 4)
    e = heads * d.int(1, 3) + (1 if heads > 1 and d.chance(0.03) else 0)
    if d.chance(0.01):
        heads = d(0, -1)
    k = d.options(0.25, dropout=[0.5, 0.1, 0.0], bias=[False], add_bias_kv=[True], add_zero_attn=[True], batch_first=[True, True, False])
    if d.chance(0.5):
        k["batch_first"] = True
    if d.chance(0.2):
        k |= d.options(0.7, kdim=[2, 3, e], vdim=[2, 5, e])
    n, batched = common(d)
    bf = k.get("batch_first", False)
    l = d.int(0 if d.chance(0.05) else 1, 4)
    same, kv = "kdim" not in k and "vdim" not in k and d.chance(0.6), d.chance(0.5) and k.get("kdim", e) == k.get("vdim", e)
    s = l if same else d.int(1, 4)
    at = lambda m, w: layout(d, d.numbers(*d.spoil((m, n, w), 0.03)), bf, batched)
    inputs = {"query": at(l, e)}
    if not same:
        inputs["key"] = at(s, k.get("kdim", e))
        if not kv:
            inputs["value"] = at(s, k.get("vdim", e))
    if d.chance(0.55):
        inputs["attn_mask"] = attn_mask(d, l, s, n, max(heads, 1))
    if d.chance(0.4):
        inputs["key_padding_mask"] = padding(d, n, s, batched)
    return nn.MultiheadAttention, (e, heads), k, inputs, flags(d, need_weights=[False, False, True], average_attn_weights=[False], is_causal=[True])


def layer_options(d):
    k = {"dim_feedforward": d.int(1, 6), "dropout": d(0.0, 0.0, 0.1, 0.5, 0)}
    k |= d.options(0.4, activation=list(ACTIVATIONS), layer_norm_eps=[1e-3], norm_first=[True], bias=[False])
    k["batch_first"] = d.chance(0.6)
    return k


def d_model(d):
    heads = d(1, 2, 2, 2, 4)
    return heads * d.int(1, 2) + (1 if heads > 1 and d.chance(0.02) else 0), heads


def encoder_layer(d, names=("src_mask", "src_key_padding_mask")):
    (e, heads), k, (n, batched) = d_model(d), layer_options(d), common(d)
    l = d.int(1, 4)
    inputs = {"src": layout(d, d.numbers(*d.spoil((l, n, e), 0.04)), k["batch_first"], batched)}
    if d.chance(0.5):
        inputs[names[0]] = attn_mask(d, l, l, n, heads)
    if d.chance(0.45):
        inputs[names[1]] = padding(d, n, l, batched)
    return nn.TransformerEncoderLayer, (e, heads), k, inputs, flags(d, is_causal=[True, False])


def encoder(d):
    _, args, k, inputs, call = encoder_layer(d, ("mask", "src_key_padding_mask"))
    k |= d.options(0.5, norm=[True]) | d.options(0.2, enable_nested_tensor=[False, True], mask_check=[False, True])
    return nn.TransformerEncoder, (*args, d.int(0 if d.chance(0.02) else 1, 2)), k, inputs, call


def decoder_masks(d, inputs, l, s, n, heads, batched):
    for name, a, b in (("tgt_mask", l, l), ("memory_mask", l, s)):
        if d.chance(0.35):
            inputs[name] = attn_mask(d, a, b, n, heads)
    for name, a in (("tgt_key_padding_mask", l), ("memory_key_padding_mask", s)):
        if d.chance(0.3):
            inputs[name] = padding(d, n, a, batched)


def decoder_layer(d):
    (e, heads), k, (n, batched) = d_model(d), layer_options(d), common(d)
    l, s = d.int(1, 4), d.int(1, 4)
    at = lambda m: layout(d, d.numbers(*d.spoil((m, n, e), 0.03)), k["batch_first"], batched)
    inputs = {"tgt": at(l), "memory": at(s)}
    decoder_masks(d, inputs, l, s, n, heads, batched)
    return nn.TransformerDecoderLayer, (e, heads), k, inputs, flags(d, tgt_is_causal=[True, False], memory_is_causal=[True, False])


def decoder(d):
    _, args, k, inputs, call = decoder_layer(d)
    k |= d.options(0.5, norm=[True])
    return nn.TransformerDecoder, (*args, d.int(1, 2)), k, inputs, call


def transformer(d):
    (e, heads), k, (n, batched) = d_model(d), layer_options(d), common(d)
    k |= {"d_model": e, "nhead": heads, "num_encoder_layers": d.int(1, 2), "num_decoder_layers": d.int(1, 2)}
    l, s = d.int(1, 4), d.int(1, 4)
    at = lambda m: layout(d, d.numbers(*d.spoil((m, n, e), 0.03)), k["batch_first"], batched)
    inputs = {"src": at(s), "tgt": at(l)}
    if d.chance(0.4):
        inputs["src_mask"] = attn_mask(d, s, s, n, heads)
    if d.chance(0.35):
        inputs["src_key_padding_mask"] = padding(d, n, s, batched)
    decoder_masks(d, inputs, l, s, n, heads, batched)
    return nn.Transformer, (), k, inputs, flags(d, src_is_causal=[True, False], tgt_is_causal=[True, False], memory_is_causal=[False])


DRAWN = {mha: 220, encoder_layer: 110, decoder_layer: 70, encoder: 90, decoder: 40, transformer: 40}


def make(cls, args, kwargs):
    """The module; stacks are made of the layer that the arguments name."""
    kwargs = {k: v for k, v in kwargs.items() if not k.startswith("call_")}
    if "activation" in kwargs:
        kwargs["activation"] = ACTIVATIONS[kwargs["activation"]]
    if cls not in (nn.TransformerEncoder, nn.TransformerDecoder):
        return cls(*args, **kwargs)
    own = {k: kwargs.pop(k) for k in ("enable_nested_tensor", "mask_check") if k in kwargs}
    norm = kwargs.pop("norm", False)
    layer = nn.TransformerEncoderLayer if cls is nn.TransformerEncoder else nn.TransformerDecoderLayer
    layer = layer(*args[:2], **kwargs)
    return cls(layer, args[2], norm=nn.LayerNorm(args[0]) if norm else None, **own)


def call(m, kwargs, inputs):
    inputs = dict(zip(kwargs["call_names"].split(","), inputs))
    if isinstance(m, nn.MultiheadAttention):
        key = inputs.pop("key", inputs["query"])
        inputs |= {"key": key, "value": inputs.pop("value", key)}
    more = {k.removeprefix("call_"): v for k, v in kwargs.items() if k.startswith("call_") and k not in ("call_names", "call_no_grad")}
    torch.manual_seed(7)
    with torch.set_grad_enabled(not kwargs.get("call_no_grad", False)):
        result = m(**inputs, **more)
    return [x for x in result if x is not None] if isinstance(result, tuple) else [result]


def result(t):
    """An output or gradient, with as many digits as are compared."""
    out = tensor(t, True)
    digits = {F32: 7, F64: 10}.get(t.dtype)
    if digits:
        out["v"] = values(torch.tensor([float(f"{x:.{digits}g}") for x in t.detach().reshape(-1).tolist()], dtype=F64), True)
    return out


def run(m, kwargs, inputs):
    leaves = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
    outs, error = attempt(lambda: call(m, kwargs, leaves))
    if error:
        return {"error": error}
    params = dict(m.named_parameters())
    diff = [o for o in outs if o.requires_grad]
    wanted = [x for x in leaves if x.requires_grad] + list(params.values())
    side = {"out": [result(o) for o in outs]}
    if diff:
        side["grad_fn"] = type(diff[0].grad_fn).__name__
        grads, error = attempt(lambda: torch.autograd.grad(diff, wanted, [cotangent(o) for o in diff], allow_unused=True))
        if error:
            return side | {"backward_error": error}
        grads = [None if g is None else result(g) for g in grads]
        n = len(wanted) - len(params)
        side["grads"], side["param_grads"] = grads[:n], [list(p) for p in zip(params, grads[n:])]
    return side


def state(m):
    return [[k, tensor(v, True, exact=True)] for k, v in m.state_dict().items()]


TOLERANCE = {F64: 1e-7, F32: 1e-5, F16: 4e-3, BF16: 3e-2}


def floats(side):
    """All numbers of a run."""
    grads = [*side.get("grads", []), *[g for _, g in side.get("param_grads", [])]]
    return [float(x) for t in side.get("out", []) + [g for g in grads if g] for x in t["v"].text.strip("[]").replace('"', "").split(",") if x]


def error_of(m, kwargs, inputs):
    """How far PyTorch itself is from what it computes in float64."""
    wide = [x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in inputs]
    try:
        here = floats(run(m, kwargs, inputs))
        there = floats(run(m.double(), kwargs, wide))
    except Dropped:
        return 0.0
    gaps = [abs(a - b) for a, b in zip(here, there)]
    return max([g for g in gaps if g == g and g != INF], default=0.0)


def tolerance(cls, args, kwargs, m, inputs, dtype):
    base = TOLERANCE[dtype]
    if dtype == F64:
        return [base, base]
    error = 0.0
    for training in (True, False):
        twin = make(cls, args, kwargs).to(dtype)
        twin.load_state_dict(m.state_dict())
        error = max(error, error_of(twin.train(training), kwargs, inputs))
    return [base, max(base, float(f"{4 * error:.2g}"))]


def case_of(cls, args, kwargs, inputs, dtype, draw=None):
    kwargs = kwargs | {"call_names": ",".join(inputs)}
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs)}
    torch.manual_seed(0)
    m, error = attempt(lambda: make(cls, args, kwargs))
    if error:
        return case | {"error": error}
    case["repr"] = repr(m)
    if draw:
        m = m.to(dtype)
        for p in m.parameters():
            p.data.copy_(draw.numbers(*p.shape, scale=8, limit=8))
        case["state"] = state(m)
    else:
        case["state"] = state(m)
        m = m.to(dtype)
    inputs = list(inputs.values())
    case["inputs"] = [tensor(x) for x in inputs]
    case["tol"] = tolerance(cls, args, kwargs, m, inputs, dtype)
    case["train"] = run(m, kwargs, inputs)
    case["state_after"] = state(m)
    m.eval()
    case["eval"] = run(m, kwargs, inputs)
    return case


def random_case(draw, i):
    d = Draw("attention", draw.__name__, i)
    cls, args, kwargs, inputs, more = draw(d)
    dtype = d.dtype()
    kwargs |= more
    if d.chance(0.35):
        kwargs["call_no_grad"] = True
    for name, x in inputs.items():
        if x.is_floating_point():
            inputs[name] = x = x.to(dtype if "mask" not in name or d.chance(0.97) else F32)
            x.requires_grad_("mask" not in name and (d.chance(0.5) or name in ("query", "src", "tgt")) or name == "attn_mask" and d.chance(0.15))
    if kwargs.get("call_no_grad"):
        inputs = {k: x.requires_grad_(False) for k, x in inputs.items()}
    return case_of(cls, args, kwargs, inputs, dtype, d)


def random_cases():
    out = []
    for draw, count in DRAWN.items():
        for i in range(count):
            try:
                out.append(random_case(draw, i))
            except (Dropped, Unsupported):
                pass
    return out


# The configurations of PyTorch's module_db (torch/testing/_internal/common_modules.py).

def ramp(shape, step=7):
    n = torch.Size(shape).numel()
    return (((torch.arange(n) * step % 17) - 8).to(F32) / 4).reshape(shape)


def db_rows():
    """(class, args, kwargs, inputs)."""
    keys, wide = torch.tensor([False, False, True]), torch.tensor([False, False, True]).expand(3, 3)
    two = (True, False)
    given = lambda **masks: {k: v.clone() for k, v in masks.items() if v is not None}
    for bias, kv, zero, key_mask, attn, bf in itertools.product(two, two, two, (None, keys), (None, wide.expand(3, 3, 3)), two):
        inputs = {"query": ramp((3, 3)), "key": ramp((3, 3), 5), "value": ramp((3, 3), 11)} | given(key_padding_mask=key_mask, attn_mask=attn)
        yield nn.MultiheadAttention, (3, 3), {"batch_first": bf, "bias": bias, "add_bias_kv": kv, "add_zero_attn": zero}, inputs
    first = [{"dim_feedforward": 16}, {"dim_feedforward": 8, "activation": "F.gelu"}, {"dim_feedforward": 8, "bias": False}]
    for cls, args, name in ((nn.TransformerEncoderLayer, (4, 2), "src_mask"), (nn.TransformerEncoder, (4, 2, 2), "mask")):
        for k in first:
            yield cls, args, {"dropout": 0.0} | k, {"src": ramp((2, 3, 4))}
        for mask_, key_mask, nf, bf, bias in itertools.product((None, wide), (None, keys), two, two, two):
            k = {"dim_feedforward": 8, "dropout": 0.0, "batch_first": bf, "norm_first": nf, "bias": bias}
            yield cls, args, k, {"src": ramp((3, 4))} | given(**{name: mask_, "src_key_padding_mask": key_mask})
        for nf, bias, no_grad in itertools.product(two, two, two):
            k = {"dim_feedforward": 8, "dropout": 0.0, "batch_first": True, "norm_first": nf, "bias": bias}
            yield cls, args, k | ({"call_no_grad": True} if no_grad else {}), {"src": ramp((2, 3, 4))}
    for k in first:
        yield nn.TransformerDecoderLayer, (4, 2), {"dropout": 0.0} | k, {"tgt": ramp((2, 3, 4)), "memory": ramp((2, 3, 4), 5)}
    for mask_, key_mask, nf, bias, bf in itertools.product((None, wide), (None, keys), two, two, two):
        k = {"dim_feedforward": 8, "dropout": 0.0, "batch_first": bf, "norm_first": nf, "bias": bias}
        whole = k | {"d_model": 4, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1}
        for shape, keys_ in (((3, 4), key_mask), ((2, 3, 4) if bf else (3, 2, 4), None if key_mask is None else key_mask.expand(2, 3))):
            pair = (ramp(shape), ramp(shape, 5))
            yield (nn.TransformerDecoderLayer, (4, 2), k, {"tgt": pair[0], "memory": pair[1]}
                   | given(tgt_mask=mask_, memory_mask=mask_, tgt_key_padding_mask=keys_, memory_key_padding_mask=keys_))
            yield (nn.Transformer, (), whole, {"src": pair[0], "tgt": pair[1]}
                   | given(tgt_mask=mask_, src_mask=mask_, tgt_key_padding_mask=keys_, src_key_padding_mask=keys_))


def db_cases():
    out = []
    for i, (cls, args, kwargs, inputs) in enumerate(db_rows()):
        dtype = F64 if i % 5 == 4 else F32
        inputs = {k: x.to(dtype).requires_grad_(not kwargs.get("call_no_grad")) if x.is_floating_point() else x for k, x in inputs.items()}
        out.append(case_of(cls, args, kwargs, inputs, dtype))
    return out
