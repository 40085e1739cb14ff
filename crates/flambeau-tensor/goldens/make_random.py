"""Makes random.txt: what PyTorch's CPU generator draws, for src/random/goldens.rs.

    python make_random.py > random.txt          (the committed file)
    python make_random.py full > random.txt     (seeds 0 to 20, some megabytes)

A line is `op dtype seed n args… = result next`: the result is the FNV-1a hash of the output's bytes, or, where the C
library's functions enter, the values themselves; `next` is the 64-bit draw that follows, so that the streams are seen to
stay in step.
"""

import sys
import warnings

import torch

warnings.filterwarnings("ignore")
FULL = sys.argv[1:] == ["full"]
SEEDS = list(range(21)) if FULL else [0, 1, 2**40 + 5]
SIZES = [0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1000, 10007]
FLOATS = ["float32", "float64", "float16", "bfloat16"]
INTS = ["uint8", "int8", "int16", "int32", "int64"]


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def hashed(t):
    return fnv(t.contiguous().view(torch.uint8).numpy().tobytes() if t.numel() else b"")


def listed(t):
    return ",".join(repr(x) for x in t.double().tolist()) or "-"


def following(g):
    draw = torch.empty(1, dtype=torch.int64).random_(-(2**63), None, generator=g).item()
    return f"{draw & 0xFFFFFFFFFFFFFFFF:016x}"


def emit(op, dtype, seed, n, args, fill, show):
    g = torch.Generator().manual_seed(seed)
    result = fill(n, getattr(torch, dtype), g)
    print(op, dtype, seed, n, *args, "=", show(result), following(g))


def over(dtypes, op, args, fill, show=hashed, sizes=SIZES):
    for dtype in dtypes:
        for seed in SEEDS:
            for n in sizes:
                emit(op, dtype, seed, n, args, fill, show)


def main():
    for lo, hi in [(0.0, 1.0), (-0.3, 0.3), (2.5, 1000.25), (1.0, 1.0)]:
        over(FLOATS, "uniform", (lo, hi), lambda n, d, g: torch.empty(n, dtype=d).uniform_(lo, hi, generator=g))
    over(FLOATS + INTS + ["bool"], "random", (), lambda n, d, g: torch.empty(n, dtype=d).random_(generator=g))
    ranges = [
        ("int64", 0, 10),
        ("int64", -5, 2**28 - 6),
        ("int64", -5, 2**28 - 5),
        ("int64", 0, 2**32),
        ("int64", -(2**63), 2**63 - 1),
        ("int64", -7, None),
        ("int64", -(2**63), None),
        ("int32", -(2**31), 2**31 - 1),
        ("int32", 3, None),
        ("uint8", 0, 256),
        ("int8", -128, 127),
        ("int16", -3, 300),
        ("bool", 0, 2),
        ("float32", 0, 2**24),
        ("float32", -(2**30) - 1, 2**30 + 1),
        ("float64", -(2**60), 2**60),
        ("float16", 0, 65504),
        ("float16", -100, None),
        ("bfloat16", 0, 1000),
        ("bfloat16", -(2**63), None),
        ("float32", -(2**63), None),
    ]
    small = SIZES if FULL else [0, 1, 2, 17, 100]
    for dtype, lo, hi in ranges:
        fill = lambda n, d, g: torch.empty(n, dtype=d).random_(lo, hi, generator=g)
        over([dtype], "randint", (lo, "-" if hi is None else hi), fill, sizes=small)
    for dtype, most in [("int64", 10007), ("int32", 10007), ("int16", 10007), ("uint8", 255), ("float32", 10007), ("float16", 2049)]:
        fill = lambda n, d, g: torch.randperm(n, dtype=d, generator=g)
        over([dtype], "randperm", (), fill, sizes=[n for n in SIZES + [255, 2049] if n <= most])
    for mean, std in [(0.0, 1.0), (-3.0, 0.02)]:
        fill = lambda n, d, g: torch.empty(n, dtype=d).normal_(mean, std, generator=g)
        over(["float32", "float16", "bfloat16"], "normal", (mean, std), fill, sizes=[n for n in SIZES if n >= 16])
        over(["float64"], "normal", (mean, std), fill, listed, sizes=[16, 17, 33] if not FULL else [16, 17, 33, 1000])
        over(FLOATS, "normal", (mean, std), fill, listed, sizes=[0, 1, 2, 15])
        # The even elements of a longer tensor are not contiguous.
        fill = lambda n, d, g: torch.empty(2 * n, dtype=d)[::2].normal_(mean, std, generator=g)
        over(FLOATS, "normal_serial", (mean, std), fill, listed, sizes=[2, 17])
    for p in [0.0, 0.3, 0.5, 0.8, 1.0]:
        fill = lambda n, d, g: torch.empty(n, dtype=d).bernoulli_(p, generator=g)
        over(["float32", "float64", "bool", "int64"], "bernoulli", (p,), fill, sizes=small + [10007])
        # The mask of functional.dropout, which draws from the default generator.
        if 0 < p < 1:
            for seed in SEEDS:
                torch.manual_seed(seed)
                kept = torch.nn.functional.dropout(torch.ones(1000), 1 - p) != 0
                print("dropout", "bool", seed, 1000, p, "=", hashed(kept), following(torch.default_generator))
    for p_dtype in FLOATS:
        fill = lambda n, d, g: torch.empty(n, dtype=d).bernoulli_((torch.arange(n, dtype=torch.float64) / max(n, 1)).to(getattr(torch, p_dtype)), generator=g)
        over(["float32", "bool"], "bernoulli_p", (p_dtype,), fill, sizes=small)
    for rate in [1.0, 0.25]:
        fill = lambda n, d, g: torch.empty(n, dtype=d).exponential_(rate, generator=g)
        over(FLOATS, "exponential", (rate,), fill, listed, sizes=[0, 1, 17])
    for categories in [1, 2, 10, 1000]:
        weights = (torch.arange(2 * categories) * 7 % 5 + torch.arange(2 * categories) % 3 * 0.37).reshape(2, categories) + 0.1
        fill = lambda n, d, g: torch.multinomial(weights.to(d), n, replacement=True, generator=g)
        over(["float32", "float64"], "multinomial", (categories,), fill, sizes=[2, 17, 1000])
    for seed in SEEDS:
        g = torch.Generator().manual_seed(seed)
        torch.randn(3, generator=g)
        for n in (0, 1, 623, 700):
            torch.rand(n, generator=g)
            print("state", "uint8", seed, n, "=", hashed(g.get_state()), following(g))


main()
