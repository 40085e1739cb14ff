"""Gradients of functions of one tensor in float16 and bfloat16, bit by bit: where PyTorch's formula for a derivative is several operations,
each of them rounds.

    python crates/flambeau-testkit/goldens/half_gradients.py

writes data/half_gradients.jsonl.gz, which ../tests/half_gradients.rs reads: {"op", "dtype", "x", "grad_output", "grad"}, numbers as the bits of
their float16 or bfloat16.
"""
import gzip
import json
import os

import torch

FUNCTIONS = """reciprocal sqrt rsqrt exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh sigmoid erf erfc
erfinv i0""".split()
POSITIVE = {"sqrt", "rsqrt", "log", "log2", "log10"}
BELOW_ONE = {"asin", "acos", "erfinv"}


def bits(tensor):
    return tensor.view(torch.int16).tolist()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name in FUNCTIONS:
        for dtype in (torch.float16, torch.bfloat16):
            x = torch.randn(256)
            if name in POSITIVE:
                x = x.abs() + 0.05
            elif name in BELOW_ONE:
                x = (x / 4).clamp(-0.95, 0.95)
            elif name == "log1p":
                x = x.abs()
            x = x.to(dtype).requires_grad_()
            grad_output = torch.randn(256).to(dtype)
            y = getattr(torch, name)(x)
            (grad,) = torch.autograd.grad(y, x, grad_output)
            rows.append({"op": name, "dtype": str(dtype), "x": bits(x.detach()), "grad_output": bits(grad_output), "grad": bits(grad)})
    path = os.path.join(os.path.dirname(__file__), "data", "half_gradients.jsonl.gz")
    with gzip.GzipFile(path, "wb", mtime=0) as f:
        f.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
