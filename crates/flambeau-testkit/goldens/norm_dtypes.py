"""Which dtypes of parameters and running statistics the norms take beside an input, what they say of others, and where the statistics move.

    python crates/flambeau-testkit/goldens/norm_dtypes.py

writes data/norm_dtypes.jsonl.gz, which flambeau-autograd/tests/norm_dtypes.rs reads: {"op", "training", "dtypes": of the input, the weight, the bias,
the running mean and the running variance, "error" or "out": the dtype and the sum of the result's absolute values, "running": the statistics after it}.
"""
import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
import encode

DATA = pathlib.Path(__file__).parent / "data"
FLOATS = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
NONE = [*FLOATS, None]


def ramp(step, start, name, shape=(4,)):
    """What norm_dtypes.rs makes alike: numbers that bfloat16 holds."""
    if name is None:
        return None
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float64) * 7 % 11 * step + start).reshape(shape).to(FLOATS[name])


def call(op, training, x, weight, bias, mean, var):
    match op:
        case "batch_norm":
            return F.batch_norm(x, mean, var, weight, bias, training)
        case "instance_norm":
            return F.instance_norm(x, mean, var, weight, bias, training)
        case "group_norm":
            return F.group_norm(x, 2, weight, bias)
        case "layer_norm":
            return F.layer_norm(x, (4,), weight, bias)


def case(op, training, dtypes):
    x, weight, bias, mean, var = dtypes
    shape = (2, 3, 4) if op == "layer_norm" else (2, 4, 3)
    args = [ramp(0.5, -2, x, shape), ramp(0.25, 1, weight), ramp(0.5, -1, bias), ramp(0.5, -1, mean), ramp(0.5, 0.5, var)]
    row = {"op": op, "training": training, "dtypes": dtypes}
    try:
        out = call(op, training, *args)
    except (RuntimeError, ValueError) as error:
        return row | {"error": str(error)}
    running = [None if t is None else t.double().tolist() for t in args[3:]]
    return row | {"out": [str(out.dtype), out.double().abs().sum().item()], "running": running}


def cases():
    for op, x, weight, bias in itertools.product(["group_norm", "layer_norm"], FLOATS, NONE, NONE):
        yield case(op, True, [x, weight, bias, None, None])
    for op, training in itertools.product(["batch_norm", "instance_norm"], [True, False]):
        for x, weight, bias, mean, var in itertools.product(FLOATS, NONE, NONE, FLOATS, FLOATS):
            if mean == var or weight == bias:
                yield case(op, training, [x, weight, bias, mean, var])


if __name__ == "__main__":
    torch.set_num_threads(1)
    table = list(cases())
    encode.write(DATA / "norm_dtypes.jsonl.gz", table)
    print(len(table), sum("error" in row for row in table))
