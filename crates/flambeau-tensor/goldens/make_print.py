"""Makes print.txt: what PyTorch prints, for src/print/goldens.rs.

    python make_print.py > print.txt

A case is a head, the values, the text, and a line `===`:

    shape 2 3 | dtype float32 | precision 2 | grad_fn AddBackward0
    values 1.0 2.5 …          (as float64, after rounding to the dtype)   or   linear A B   (element i is A + B·i)
    tensor([[…
"""

import random

import torch

rng = random.Random(0)
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


class AddmmBackward0(torch.autograd.Function):
    """Gives a tensor a grad_fn of a long name."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g


def emit(t, fill, notes=(), options=None, default=torch.float32):
    head = ["shape " + " ".join(map(str, t.shape)), "dtype " + str(t.dtype).removeprefix("torch.")]
    head += [f"{k} {v}" for k, v in (options or {}).items()]
    if default != torch.float32:
        head.append("default " + str(default).removeprefix("torch."))
    shown = t
    if "parameter" in notes:
        shown = torch.nn.Parameter(t, requires_grad="requires_grad" in notes)
    elif "grad_fn" in notes:
        shown = AddmmBackward0.apply(t.clone().requires_grad_())
    elif "requires_grad" in notes:
        shown = t.clone().requires_grad_()
    head += [n if n != "grad_fn" else "grad_fn " + type(shown.grad_fn).__name__ for n in notes]
    torch.set_default_dtype(default)
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**(options or {}))
    text = repr(shown)
    torch.set_printoptions(profile="default")
    torch.set_default_dtype(torch.float32)
    print(" | ".join(head))
    print(fill)
    print(text)
    print("===")


def listed(t):
    if t.dtype.is_floating_point:
        values = t.double().reshape(-1).tolist()
        return "values " + " ".join(map(repr, values))
    return "values " + " ".join(str(int(v)) for v in t.reshape(-1).tolist())


def case(values, shape=None, dtype=torch.float32, **more):
    t = torch.tensor(values, dtype=torch.float64 if dtype.is_floating_point else torch.int64).to(dtype)
    t = t.reshape(shape if shape is not None else [len(values)])
    emit(t, listed(t), **more)


def linear(shape, a, b, dtype, **more):
    n = torch.Size(shape).numel()
    i = torch.arange(n, dtype=torch.float64 if dtype.is_floating_point else torch.int64)
    emit((a + b * i).to(dtype).reshape(shape), f"linear {a} {b}", **more)


def product(shape):
    n = 1
    for s in shape:
        n *= s
    return n


def main():
    nan, inf = float("nan"), float("inf")
    fixed = [
        [0.0], [-0.0], [0.0, -0.0, 1.0], [1.0, 2.0], [1.5, nan], [nan, inf, -inf], [nan], [1.0, inf], [1.0, nan, -inf, 2000.0],
        [1e-4], [9.9e-5], [1e-5, 1.0], [1.0, 1000.0], [1.0, 1001.0], [0.5, 501.0], [1e8], [1.1e8], [1e8 + 0.5, 1.0], [1e10], [1e38],
        [1e-38, 1e-40], [123456.789], [0.00012345, 0.1], [-1.0, 1.0], [-1.5, 100.25], [1e5, 1.0], [99999.0, 100.0], [12345678.0],
        [2.5, 0.5, 1.5], [0.00005, 0.00015], [1.00005, 1.99995], [3.0, -0.0, 0.25], [0.1, 0.2, 0.3], [inf, 0.5], [nan, 1e-9], [1e300, 1e-300],
        [1e100], [9.99995, 0.1], [99.99999], [1e-4, 0.1], [65504.0, 1.0], [0.3333333],
    ]
    for values in fixed:
        for dtype in FLOATS[:2]:
            case(values, dtype=dtype)
        case(values[:1], shape=[], dtype=torch.float32)
    for values in fixed[:12] + fixed[24:30]:
        for dtype in FLOATS[2:]:
            case(values, dtype=dtype)
    for dtype in INTS:
        info = torch.iinfo(dtype)
        case([0], shape=[], dtype=dtype)
        case([info.min, info.max, 0], dtype=dtype)
        for shape in ([7], [2, 3], [3, 1, 2], [50]):
            top = rng.choice([1, 9, 100, info.max])
            case([rng.randint(max(info.min, -top), min(info.max, top)) for _ in range(product(shape))], shape=shape, dtype=dtype)
    for shape in ([], [1], [3], [2, 2], [40], [2, 1, 3]):
        case([rng.randint(0, 1) for _ in range(product(shape))], shape=shape, dtype=torch.bool)
    for dtype in FLOATS + [torch.int64, torch.int32, torch.bool]:
        for shape in ([0], [0, 3], [2, 0, 1], [3, 0]):
            case([], shape=shape, dtype=dtype)
    case([], shape=[0], notes=["requires_grad"])
    case([], shape=[2, 0], notes=["parameter", "requires_grad"])
    case([], shape=[0], dtype=torch.float64, default=torch.float64)
    for k in range(170):
        shape = [rng.randint(1, 5) for _ in range(rng.randint(0, 4))] if k % 3 else [rng.randint(1, 60)]
        dtype = rng.choice(FLOATS)
        size, spread = rng.uniform(-6, 9), rng.choice([0, 0.5, 2, 4])
        kind = rng.choice(["any", "any", "whole", "special"])
        values = []
        for _ in range(product(shape)):
            x = rng.gauss(0, 1) * 10 ** (size + rng.uniform(-spread, spread))
            if kind == "whole":
                x = float(round(x))
            if kind == "special" and rng.random() < 0.3:
                x = rng.choice([nan, inf, -inf, 0.0, -0.0])
            values.append(x)
        options = {}
        if k % 4 == 1:
            options = {rng.choice(["precision", "linewidth", "edgeitems", "threshold"]): rng.choice([0, 1, 2, 6, 10, 40, 120])}
            options = {"precision": 3} if options == {"linewidth": 0} else options
            if rng.random() < 0.4:
                options["sci_mode"] = rng.choice([True, False])
        notes = rng.choice([[], [], ["requires_grad"], ["grad_fn"], ["parameter", "requires_grad"], ["parameter"]])
        case(values, shape=shape, dtype=dtype, options=options, notes=notes, default=rng.choice([torch.float32] * 3 + [torch.float64]))
    for dtype in (torch.float32, torch.int64, torch.float64, torch.int16):
        step = 0.5 if dtype.is_floating_point else 1
        for shape in ([1000], [1001], [6, 200], [7, 200], [200, 6], [200, 7], [11, 10, 10], [10, 10, 11], [3, 3, 200], [8, 2, 8, 9], [1001, 1], [1, 1, 1001], [2, 2, 2, 2, 70]):
            if dtype == torch.int64 or len(shape) > 1 and shape != [6, 200]:
                linear(shape, -3, step, dtype)
    linear([100000], 0, 1, torch.int64)
    linear([2000], 0, 1, torch.int64, options={"edgeitems": 1})
    linear([2000], 0, 1, torch.int64, options={"edgeitems": 0})
    linear([50, 50], 0, 1, torch.float32, options={"edgeitems": 0})
    linear([4], 0, 1, torch.float32, options={"edgeitems": 0})
    linear([2, 3], 0, 0.25, torch.float16, options={"edgeitems": 0})
    linear([50, 50], 0, 0.25, torch.float32, options={"edgeitems": 5, "linewidth": 30})
    linear([20], 0, 0.25, torch.float32, options={"threshold": 5, "edgeitems": 2, "precision": 1})
    linear([20, 20], 0, 0.25, torch.float32, options={"threshold": 5, "edgeitems": 12})
    linear([128, 64], -2, 0.0625, torch.float32, notes=["parameter", "requires_grad"])
    linear([128, 64], -2, 0.0625, torch.float32, notes=["grad_fn"])
    linear([128], -2, 0.0625, torch.float32, notes=["grad_fn"])
    for n in range(5, 13):
        case([0.125 * i for i in range(n)], notes=["grad_fn"])
        case([0.125 * i for i in range(n)], dtype=torch.float64, notes=["requires_grad"])
    linear([100], 0, 0, torch.float32)


main()
