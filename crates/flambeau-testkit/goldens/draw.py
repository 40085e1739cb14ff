"""Seeded draws for random configurations: numbers on a coarse grid (they compress well and sum exactly), shapes, special values."""
import math
import random

import torch

F16, BF16, F32, F64, I64 = torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64
NAN, INF = math.nan, math.inf


class Draw:
    """One configuration's stream of choices; `seed` names it."""

    def __init__(self, *seed):
        self.r = random.Random("/".join(map(str, seed)))

    def __call__(self, *choices):
        """One of the choices."""
        return self.r.choice(choices)

    def chance(self, p):
        return self.r.random() < p

    def int(self, low, high):
        return self.r.randint(low, high)

    def options(self, often=0.5, /, **each):
        """Keyword arguments, each present with probability `often`; a list is a choice, a function is called."""
        out = {}
        for name, values in each.items():
            if self.chance(often):
                out[name] = values() if callable(values) else self(*values)
        return out

    def dtype(self):
        """Mostly float32 and float64."""
        x = self.r.random()
        return F32 if x < 0.55 else F64 if x < 0.9 else F16 if x < 0.95 else BF16

    def lengths(self, n, low, high):
        """One number for all n dimensions, or a tuple of one each."""
        return self.int(low, high) if self.chance(0.5) else tuple(self.int(low, high) for _ in range(n))

    def numbers(self, *shape, scale=4, limit=16):
        """Multiples of 1/scale within ±limit/scale: ties are common, and a few zeros are negative."""
        n = math.prod(shape)
        flat = [self.r.randint(-limit, limit) / scale for _ in range(n)]
        flat = [-0.0 if x == 0 and self.chance(0.3) else x for x in flat]
        return torch.tensor(flat, dtype=F64).reshape(shape)

    def positive(self, *shape):
        n = math.prod(shape)
        return torch.tensor([self.r.randint(1, 16) / 8 for _ in range(n)], dtype=F64).reshape(shape)

    def unit(self, *shape, ends=True):
        """Within [0, 1], ends included."""
        n = math.prod(shape)
        return torch.tensor([self.r.randint(0 if ends else 1, 16 if ends else 15) / 16 for _ in range(n)], dtype=F64).reshape(shape)

    def ints(self, low, high, *shape):
        n = math.prod(shape)
        return torch.tensor([self.r.randint(low, high) for _ in range(n)], dtype=I64).reshape(shape)

    def signs(self, *shape):
        n = math.prod(shape)
        return torch.tensor([self.r.choice((-1.0, 1.0)) for _ in range(n)], dtype=F64).reshape(shape)

    def special(self, x, values=(NAN, INF, -INF, 0.0, -0.0), count=None):
        """x with some elements replaced by special values."""
        flat = x.reshape(-1).clone()
        for _ in range(min(count or self.int(1, 6), flat.numel())):
            flat[self.int(0, flat.numel() - 1)] = self(*values)
        return flat.reshape(x.shape)

    def spatial(self, n, low, high):
        return tuple(self.int(low, high) for _ in range(n))

    def batch(self, channels, spatial, p_single=0.2, p_empty=0.05, high=3):
        """[n, channels, …], [channels, …] or an empty batch."""
        x = self.r.random()
        if x < p_single:
            return (channels, *spatial)
        return (0 if x < p_single + p_empty else self.int(1, high), channels, *spatial)

    def spoil(self, shape, p=0.12):
        """Mostly the shape itself; else one with a dimension too many, one missing, or a length changed."""
        if not self.chance(p) or not shape:
            return shape
        shape, kind = list(shape), self.int(0, 3)
        at = self.int(0, len(shape) - 1)
        if kind == 0:
            shape.insert(at, self.int(1, 2))
        elif kind == 1:
            del shape[at]
        elif kind == 2:
            shape[at] = 0
        else:
            shape[at] += 1
        return tuple(shape)
