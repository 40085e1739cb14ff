"""Makes ranges.txt: the digits of torch.linspace and torch.arange on machines with and without fused multiply-adds, for src/sequence.rs.

    python make_ranges.py > ranges.txt

A line is `capability op dtype start end-or-step n = hash`: the FNV-1a hash of the elements as float64. The script runs itself once per
ATEN_CPU_CAPABILITY. With one thread: PyTorch's chunks move where vectors start.
"""
import math
import os
import random
import subprocess
import sys

import torch

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]


def fnv(t):
    h = 0xCBF29CE484222325
    for b in t.double().numpy().tobytes():
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def main(capability):
    torch.set_num_threads(1)
    rng = random.Random(5)
    lines = [(-math.pi, math.pi, 2000), (0, 1, 100), (0.1, 0.7, 37), (3, 11, 50), (1e-3, 1e3, 333), (5, -2, 129), (0.0, 1.0, 5000), (1, 9, 1), (2, 7, 2)]
    lines += [(rng.uniform(-100, 100), rng.uniform(-100, 100), rng.randint(1, 300)) for _ in range(40)]
    steps = [(0, 1, 0.01), (0.0, 10, 0.1), (-2.5, 3.3, 0.037), (1, 100, 1 / 3), (5, -5, -0.3), (0.0, 50.0, 1.0), (0, 100, 7), (3, -30, -2), (0, 5.0, 0.001)]
    for _ in range(40):
        step = rng.choice([-1, 1]) * 10 ** rng.uniform(-2, 0.5)
        start = rng.uniform(-100, 100)
        steps.append((start, start + step * rng.uniform(1, 300), step))
    for name in DTYPES:
        dtype = getattr(torch, name)
        for a, b, n in lines:
            if name.endswith("int8") and max(abs(a), abs(b)) > 127:
                continue
            if name.startswith("uint"):
                a, b = abs(a), abs(b)
            print(capability, "linspace", name, a, b, n, "=", fnv(torch.linspace(a, b, n, dtype=dtype)))
        for a, b, s in steps:
            if not dtype.is_floating_point and not (isinstance(a, int) and isinstance(s, int)):
                continue
            t = torch.arange(a, b, s, dtype=dtype) if name != "uint8" or s > 0 else torch.arange(9, 90, 4, dtype=dtype)
            if name == "uint8" and s < 0:
                a, s = 9, 4
            print(capability, "arange", name, a, s, len(t), "=", fnv(t))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        for name in ("default", "avx2", "avx512"):
            subprocess.run([sys.executable, __file__, name], env={**os.environ, "ATEN_CPU_CAPABILITY": name}, check=True)
