"""Numbers that meet a dtype: every operation that takes a number, in every dtype, with numbers that the dtype holds, does not hold, or
rounds. Also the special values of functions of one and two floats, and operations on bools. Run with a PyTorch 2.15 interpreter:

    python crates/flambeau-testkit/goldens/scalars.py

It writes data/scalars.jsonl.gz, the cases that ../tests/scalars.rs runs (the names of its rows are the names here) on the CPU and a GPU.
"""
import math
import pathlib
import random
import sys
import warnings

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
import encode

INF, NAN = math.inf, math.nan
DTYPES = list(encode.DTYPES)
MASK, LINES = torch.tensor([True, False, True, False, True]), torch.tensor([0, 2])
NUMBERS = [True, False, 0, 1, -1, 2, 3, 127, 128, 200, 255, 256, 300, -128, -129, -200, -255, -256, 32767, 32768, -32769, 70000, 2**31 - 1, 2**31,
           -2**31, -2**31 - 1, 2**40, 2**53 + 1, 2**63 - 1, -2**63, 0.5, -0.5, 1.5, -1.5, 2.5, 255.5, 300.7, -3.25, 65504.0, 65519.0, 65520.0,
           1e10, 9.3e18, 1e20, 3.4028234e38, 3.5e38, 1e39, -1e39, 1e-40, 1e-50, INF, -INF, NAN]


def plain(dtype):
    """Five elements: about the ends of the dtype (the smallest integer divided by -1 ends PyTorch's process) and what lies between."""
    if dtype == torch.bool:
        return torch.tensor([False, True, True, False, True])
    if not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        return torch.tensor([1 if dtype == torch.uint8 else -3, info.max, 5, 100, info.min + (dtype != torch.uint8)], dtype=dtype)
    return torch.tensor([-2.5, 100.0, 1.0, 0.0, 3.0], dtype=dtype)


def small(dtype):
    """Four small elements."""
    return torch.tensor([True, False, True, True]) if dtype == torch.bool else torch.tensor([1, 3, 2, 1], dtype=dtype)


def set_number(at):
    def call(x, s):
        x = x.clone()
        x[at] = s
        return x
    return call


def in_place(f):
    return lambda x, *rest, **kw: f(x.clone(), *rest, **kw)


WITH_NUMBER = {
    "add": lambda x, s: x + s, "sub": lambda x, s: x - s, "rsub": lambda x, s: torch.rsub(x, s), "mul": lambda x, s: x * s,
    "div": lambda x, s: x / s, "floor_divide": lambda x, s: torch.floor_divide(x, s), "remainder": torch.remainder, "fmod": torch.fmod,
    "div_floor": lambda x, s: torch.div(x, s, rounding_mode="floor"), "div_trunc": lambda x, s: torch.div(x, s, rounding_mode="trunc"),
    "number_minus": lambda x, s: s - x, "number_plus": lambda x, s: s + x, "number_times": lambda x, s: s * x, "number_over": lambda x, s: s / x,
    "pow": torch.pow, "rpow": lambda x, s: torch.pow(s, x), "eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge,
    "bitwise_and": torch.bitwise_and, "bitwise_or": torch.bitwise_or, "bitwise_xor": torch.bitwise_xor, "xlogy": torch.xlogy,
    "clamp_min": torch.clamp_min, "clamp_max": torch.clamp_max, "clamp": lambda x, s: torch.clamp(x, 0, s), "clamp_low": lambda x, s: torch.clamp(x, s, 100),
    "clamp_min_": in_place(torch.clamp_min_), "clamp_max_": in_place(torch.clamp_max_), "clamp_": in_place(lambda x, s: x.clamp_(0, s)),
    "add_": in_place(lambda x, s: x.add_(s)), "sub_": in_place(lambda x, s: x.sub_(s)), "mul_": in_place(lambda x, s: x.mul_(s)),
    "div_": in_place(lambda x, s: x.div_(s)), "eq_": in_place(lambda x, s: x.eq_(s)), "pow_": in_place(lambda x, s: x.pow_(s)),
    "bitwise_or_": in_place(lambda x, s: x.bitwise_or_(s)), "remainder_": in_place(lambda x, s: x.remainder_(s)),
    "add_alpha": lambda x, s: torch.add(x, x, alpha=s), "sub_alpha": lambda x, s: torch.sub(x, x, alpha=s),
    "rsub_alpha": lambda x, s: torch.rsub(x, x, alpha=s), "add_alpha_": in_place(lambda x, s: x.add_(x.clone(), alpha=s)),
    "add_number_alpha": lambda x, s: torch.add(x, 2, alpha=s),
    "where": lambda x, s: torch.where(MASK, x, s), "where_number": lambda x, s: torch.where(MASK, s, x),
    "where_numbers": lambda x, s: torch.where(MASK, s, 1), "masked_fill": lambda x, s: x.masked_fill(MASK, s),
    "masked_fill_": in_place(lambda x, s: x.masked_fill_(MASK, s)), "fill_": in_place(lambda x, s: x.fill_(s)),
    "full_like": torch.full_like, "full": lambda x, s: torch.full((2,), s, dtype=x.dtype), "new_full": lambda x, s: x.new_full((2,), s),
    "index_fill": lambda x, s: x.index_fill(0, LINES, s), "index_fill_": in_place(lambda x, s: x.index_fill_(0, LINES, s)),
    "scatter": lambda x, s: x.scatter(0, LINES, s), "scatter_multiply": lambda x, s: x.scatter(0, LINES, s, reduce="multiply"),
    "scatter_add": lambda x, s: x.scatter(0, LINES, s, reduce="add"), "index_add": lambda x, s: x.index_add(0, LINES, x[:2].clone(), alpha=s),
    "constant_pad": lambda x, s: torch.constant_pad_nd(x, (1, 1), s), "threshold": lambda x, s: F.threshold(x, s, 5),
    "threshold_value": lambda x, s: F.threshold(x, 2, s), "hardtanh": lambda x, s: F.hardtanh(x, 0, s), "hardtanh_low": lambda x, s: F.hardtanh(x, s, 100),
    "leaky_relu": lambda x, s: F.leaky_relu(x, s), "elu": lambda x, s: F.elu(x, s), "celu": lambda x, s: F.celu(x, s),
    "softplus": lambda x, s: F.softplus(x, s), "softplus_threshold": lambda x, s: F.softplus(x, 1, s), "hardshrink": F.hardshrink, "softshrink": F.softshrink,
    "lerp": lambda x, s: torch.lerp(x, x.flip(0), s), "addcmul": lambda x, s: torch.addcmul(x, x, x, value=s),
    "addcdiv": lambda x, s: torch.addcdiv(x, x, x.flip(0), value=s), "set": set_number(1), "set_slice": set_number(slice(1, 3)),
    "set_mask": set_number(MASK), "set_lines": set_number(LINES), "nan_to_num": lambda x, s: torch.nan_to_num(x, nan=s),
    "tensor": lambda x, s: torch.tensor([s, s], dtype=x.dtype),
}
ON_MATRIX = {
    "addmm_beta": lambda x, s: torch.addmm(x, x, x, beta=s), "addmm_alpha": lambda x, s: torch.addmm(x, x, x, alpha=s),
    "addmv_beta": lambda x, s: torch.addmv(x[0], x, x[1], beta=s), "addmv_alpha": lambda x, s: torch.addmv(x[0], x, x[1], alpha=s),
    "baddbmm_beta": lambda x, s: torch.baddbmm(x[None], x[None], x[None], beta=s),
    "baddbmm_alpha": lambda x, s: torch.baddbmm(x[None], x[None], x[None], alpha=s),
    "addbmm_alpha": lambda x, s: torch.addbmm(x, x[None], x[None], alpha=s), "addbmm_beta": lambda x, s: torch.addbmm(x, x[None], x[None], beta=s),
}
# Functions whose last digits are a library's, and products that are rounded differently.
CLOSE = {"pow", "pow_", "rpow", "xlogy", "elu", "celu", "softplus", "softplus_threshold", "leaky_relu", "lerp", "addcmul", "addcdiv", "add_alpha", "sub_alpha",
         "rsub_alpha", "add_alpha_", "add_number_alpha", "scatter_multiply", "index_add", *ON_MATRIX}


def random_numbers(rng, dtype):
    """Numbers around the ends of the dtype, and any others."""
    info = torch.finfo(dtype) if dtype.is_floating_point else None
    low, high = (info.min, info.max) if info else (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
    out = []
    if not info:
        for _ in range(4):
            n = rng.choice([low, high, -high]) + rng.randint(-3, 3)
            if -2**63 <= n < 2**63:
                out.append(n)
        out += [rng.choice([low, high]) + rng.uniform(-2, 2), rng.uniform(-1, 1) * 10 ** rng.uniform(0, 21)]
    else:
        out += [rng.choice([low, high]) * rng.uniform(0.999, 1.001), rng.uniform(-400, 400), rng.randint(-2**63, 2**63 - 1)]
    return out


def number_cases():
    rng = random.Random(7)
    cases = []
    for group, make in ((WITH_NUMBER, plain), (ON_MATRIX, lambda d: small(d).reshape(2, 2))):
        for name, call in group.items():
            for dtype in DTYPES:
                for s in NUMBERS + random_numbers(rng, dtype):
                    x = make(dtype)
                    tol = [1e-2, 1e-2] if dtype in (torch.float16, torch.bfloat16) else [1e-5, 1e-6] if name in CLOSE else None
                    case = encode.record(name, call, [x, s], {}, "edge", exact=name not in CLOSE, tol=tol)
                    if "error" in case:
                        case["kind"] = "error"
                    cases.append(case)
    return cases


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-45, 1e-40, -1e-30, 1e30, -1e30, 3.4e38, 1e300, -1e300, INF, -INF, NAN, 100.0, -100.0, 2.5, 1e4]
UNARY = """abs acos asin atan ceil cos cosh erf erfc exp exp2 expm1 floor frac log log10 log1p log2 logit logsigmoid nan_to_num neg reciprocal relu round rsqrt
sigmoid sign sin sinh sqrt square tan tanh trunc""".split()
BINARY = "atan2 pow fmod remainder floor_divide hypot logaddexp xlogy maximum minimum mul div add sub".split()


def special_cases():
    cases = []
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        values = list(dict.fromkeys(torch.tensor(SPECIAL, dtype=dtype).tolist()))
        # -0.0 equals 0.0, so a dict of keys drops it.
        values = [-0.0] + values
        tol = [2e-3, 1e-3] if dtype == torch.float16 else [1.6e-2, 1e-2] if dtype == torch.bfloat16 else None
        grads = dtype in (torch.float32, torch.float64)
        for name in UNARY:
            f = F.logsigmoid if name == "logsigmoid" else getattr(torch, name)
            x = torch.tensor(values, dtype=dtype, requires_grad=grads)
            cases.append(encode.record(name, f, [x], {}, "edge", tol=tol))
        for name in BINARY:
            a = torch.tensor([p for p in values for _ in values], dtype=dtype, requires_grad=grads)
            b = torch.tensor([q for _ in values for q in values], dtype=dtype, requires_grad=grads)
            cases.append(encode.record(name, getattr(torch, name), [a, b], {}, "edge", tol=tol, grads=name != "floor_divide"))
            if name in ("pow", "fmod", "remainder", "xlogy", "add", "mul", "sub", "div"):
                for s in values + [4.0, 1 / 3]:
                    x = torch.tensor(values, dtype=dtype, requires_grad=grads)
                    cases.append(encode.record(name, getattr(torch, name), [x, s], {}, "edge", tol=tol))
        for s in values:
            x = torch.tensor(values, dtype=dtype, requires_grad=grads)
            cases.append(encode.record("rpow", lambda x, s: torch.pow(s, x), [x, s], {}, "edge", tol=tol))
    return cases


PAIRS = {n: getattr(torch, n) for n in """add sub mul div floor_divide remainder fmod pow atan2 hypot logaddexp xlogy maximum minimum eq lt logical_and logical_xor
bitwise_and bitwise_or bitwise_xor rsub""".split()}
PAIRS |= {"mse_loss": F.mse_loss, "l1_loss": F.l1_loss, "smooth_l1_loss": F.smooth_l1_loss, "huber_loss": F.huber_loss,
          "addcmul_two": lambda x, y: torch.addcmul(x, x, y), "addcdiv_two": lambda x, y: torch.addcdiv(x, y, y),
          "where_two": lambda x, y: torch.where(torch.tensor([True, False, True]), x, y), "lerp_two": lambda x, y: torch.lerp(x, y, 0.5)}
SINGLES = {n: getattr(torch, n) for n in """abs neg sign floor ceil round trunc square sqrt exp reciprocal frac relu bitwise_not logical_not isnan isinf isfinite
nan_to_num sum mean prod amax amin argmax argmin any all max min var std argsort logit""".split()}
SINGLES |= {f"mean_{str(d)[6:]}": (lambda d: lambda x: torch.mean(x, dtype=d))(d) for d in DTYPES}
SINGLES |= {f"sum_{str(d)[6:]}": (lambda d: lambda x: torch.sum(x, dtype=d))(d) for d in DTYPES}
SINGLES |= {"mean_dim": lambda x: torch.mean(x, 0), "argmax_dim": lambda x: torch.argmax(x, 0), "argmin_dim": lambda x: torch.argmin(x, 0),
            "amax_dim": lambda x: torch.amax(x, 0), "gelu": F.gelu, "silu": F.silu, "softmax": lambda x: F.softmax(x, 0), "mish": F.mish, "elu_plain": F.elu,
            "leaky_relu_plain": F.leaky_relu, "hardtanh_plain": F.hardtanh, "relu6": F.relu6, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
            "softplus_plain": F.softplus, "logsigmoid": F.logsigmoid, "selu": F.selu, "softsign": F.softsign, "tanhshrink": F.tanhshrink,
            "round_decimals": lambda x: torch.round(x, decimals=1), "cumsum": lambda x: torch.cumsum(x, 0), "cumprod": lambda x: torch.cumprod(x, 0),
            "logsumexp": lambda x: torch.logsumexp(x, 0), "logit_eps": lambda x: torch.logit(x, 1e-6)}


def three(dtype):
    return torch.tensor([True, False, True]) if dtype == torch.bool else torch.tensor([3, 1, 2], dtype=dtype)


def dtype_cases():
    """Which dtypes each operation takes, what it gives, and its words where it refuses."""
    cases = []
    for name, f in PAIRS.items():
        for a in DTYPES:
            for b in DTYPES:
                case = encode.record(name, f, [three(a), three(b)], {}, "promotion")
                if name.endswith("_loss") and a != b and "error" not in case:
                    continue  # the losses' own goldens
                cases.append({**case, "kind": "error"} if "error" in case else case)
    for name, f in SINGLES.items():
        for d in DTYPES:
            case = encode.record(name, f, [three(d)], {}, "promotion")
            cases.append({**case, "kind": "error"} if "error" in case else case)
    return cases


def strided(shape, layout, dtype):
    """Zeros of a shape in a layout; all but the first are not contiguous."""
    if layout == "dense":
        return torch.zeros(shape, dtype=dtype)
    if layout == "transposed":
        return torch.zeros(shape[::-1], dtype=dtype).permute(*reversed(range(len(shape))))
    if layout == "rotated":
        return torch.zeros(shape[1:] + shape[:1], dtype=dtype).permute(-1, *range(len(shape) - 1))
    if layout == "stepped":
        return torch.zeros([2 * n for n in shape], dtype=dtype)[tuple(slice(None, None, 2) for _ in shape)]
    if layout == "column":
        return torch.zeros(shape + [3], dtype=dtype)[..., 1]
    return torch.zeros([shape[0] + 2, *shape[1:]], dtype=dtype)[2:]  # offset


FILLS = {"normal_": lambda x: x.normal_(0.5, 2.0), "uniform_": lambda x: x.uniform_(-1.0, 3.0), "exponential_": lambda x: x.exponential_(1.5),
         "bernoulli_": lambda x: x.bernoulli_(0.4), "random_": lambda x: x.random_(), "random_range_": lambda x: x.random_(3, 90),
         "randn_like": torch.randn_like, "rand_like": torch.rand_like, "dropout": lambda x: F.dropout(x + 1, 0.4),
         "alpha_dropout": lambda x: F.alpha_dropout(x + 1, 0.4, True), "feature_dropout": lambda x: torch.feature_dropout(x + 1, 0.4, True),
         "bernoulli": lambda x: torch.bernoulli(x + 0.4), "multinomial": lambda x: torch.multinomial(x + 0.4, 1),
         "rrelu": lambda x: F.rrelu(x - 1, training=True)}


def random_cases():
    """Random fills of tensors in each layout; the second result is what the generator draws next."""
    def seeded(f):
        def call(x, seed):
            torch.manual_seed(seed)
            return f(x), torch.rand(1)
        return call
    cases = []
    for name, f in FILLS.items():
        for dtype in DTYPES:
            if dtype == torch.bool and name == "random_range_" or not dtype.is_floating_point and name not in ("bernoulli_", "random_", "random_range_"):
                continue
            for shape in ([3, 2], [5, 3], [4, 4], [7, 5], [3, 2, 4], [4, 25]):
                if name == "multinomial" and len(shape) > 2:
                    continue
                for layout in ("dense", "transposed", "rotated", "stepped", "column", "offset"):
                    x = strided(shape, layout, dtype)
                    # Integers, bits and uniform numbers are PyTorch's own digits; normal ones are the C library's.
                    exact = name not in ("normal_", "exponential_", "randn_like", "rrelu")
                    cases.append(encode.record(name, seeded(f), [x, len(cases)], {}, "strided", exact=exact, tol=[2e-2, 1e-2] if dtype in (
                        torch.float16, torch.bfloat16) else [1e-6, 1e-7]))
    return cases


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    parts = {"numbers": number_cases(), "special": special_cases(), "dtypes": dtype_cases(), "random": random_cases()}
    data = pathlib.Path(__file__).parent / "data"
    for name, cases in parts.items():
        cases.sort(key=lambda c: c["op"])
        encode.write(data / f"scalars_{name}.jsonl.gz", cases)
    print({k: len(v) for k, v in parts.items()})


if __name__ == "__main__":
    main()
