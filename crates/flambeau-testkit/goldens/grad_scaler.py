"""Random sequences of calls of torch.amp.GradScaler on the CPU: losses scaled, gradients with and without infinities and NaN, optimizers unscaled
and stepped in order and out of order, scales set by hand, states saved and loaded.

    python crates/flambeau-testkit/goldens/grad_scaler.py

writes data/grad_scaler.jsonl.gz, which flambeau-optim/tests/grad_scaler.rs reads: {"options", "params": of each optimizer, "calls": [{"do": [name,
arguments], "error"?, "out"?, "scale", "state", "params", "grads"}]}. Numbers are exact; infinities and NaN are words.
"""
import math
import pathlib
import sys

import torch

sys.dont_write_bytecode = True
import encode
from draw import BF16, F16, F32, F64, Draw

COUNT = 160


def numbers(t):
    return [v if math.isfinite(v) else str(v) for v in t.detach().double().reshape(-1).tolist()]


def tensor(t):
    return None if t is None else [encode.DTYPES[t.dtype], numbers(t)]


def gradient(d, p, scale, bad):
    """What backward of a scaled loss may leave: small numbers times the scale."""
    g = (torch.tensor([d.r.choice([-3, -2, -1, 0, 1, 2, 3]) / 4 for _ in range(p.numel())], dtype=torch.float64) * scale).to(p.dtype)
    if bad and g.numel():
        g[d.int(0, g.numel() - 1)] = d(math.inf, -math.inf, math.nan)
    return g


class Sequence:
    def __init__(self, d):
        self.d = d
        self.options = {}
        for name, values in {"init_scale": [4.0, 1.0, 1024.0, 0.3, 2.0 ** 126], "growth_factor": [1.5, 4.0, 3.0], "backoff_factor": [0.25, 0.7, -1.0],
                             "growth_interval": [1, 2, 3]}.items():
            if d.chance(0.5 if name != "growth_interval" else 0.9):
                self.options[name] = d(*values)
        if d.chance(0.06):
            self.options["enabled"] = False
        self.scaler = torch.amp.GradScaler("cpu", **self.options)
        self.params, self.optimizers = [], []
        for _ in range(d.int(1, 2)):
            dtypes = [d(F32, F32, F32, F64, BF16) if d.chance(0.95) else F16 for _ in range(d.int(1, 3))]
            params = [torch.tensor([d.r.choice([-1, 0, 1, 2]) / 2 for _ in range(d.int(1, 4))], dtype=t).requires_grad_() for t in dtypes]
            self.params.append(params)
            self.optimizers.append(torch.optim.SGD(params, lr=0.5))
        self.first = [[tensor(p) for p in params] for params in self.params]
        self.saved, self.calls = None, []

    def call(self, name, *arguments, run):
        entry = {"do": [name, *arguments]}
        try:
            out = run()
            if out is not None:
                entry["out"] = out
        except (RuntimeError, AssertionError, ValueError, KeyError) as error:
            entry["error"] = f"KeyError: {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        scale = self.scaler.get_scale()
        entry["scale"] = scale if math.isfinite(scale) else str(scale)
        entry["state"] = [[k, v if math.isfinite(v) else str(v)] for k, v in self.scaler.state_dict().items()]
        entry["params"] = [[tensor(p) for p in params] for params in self.params]
        entry["grads"] = [[tensor(p.grad) for p in params] for params in self.params]
        self.calls.append(entry)

    def set_grads(self, i, bad):
        d = self.d
        if d.chance(0.05):
            grads = [None for _ in self.params[i]]
        else:
            grads = [None if d.chance(0.1) else gradient(d, p, self.scaler.get_scale(), bad and d.chance(0.6)) for p in self.params[i]]

        def run():
            for p, g in zip(self.params[i], grads):
                p.grad = g
        self.call("grads", i, [tensor(g) for g in grads], run=run)

    def scale(self):
        d = self.d
        x = torch.tensor(d(0.5, 3.0, -2.0, 1e30), dtype=d(F32, F64, BF16, F16)) if d.chance(0.6) else d.numbers(2).to(d(F32, F64, BF16, F16))
        self.call("scale", tensor(x), list(x.shape), run=lambda: tensor(self.scaler.scale(x)))

    def update(self):
        d = self.d
        if d.chance(0.1):
            value = d(8.0, 0.5, 100.0)
            if d.chance(0.5):
                self.call("update", value, run=lambda: self.scaler.update(value))
            else:
                shape = d((), (), (1,), (2,))
                t = torch.full(shape, value, dtype=d(F32, F64, F16), requires_grad=d.chance(0.2))
                self.call("update", tensor(t), list(shape), t.requires_grad, run=lambda: self.scaler.update(t))
        else:
            self.call("update", run=self.scaler.update)

    def odd(self):
        """A call where nobody expects it."""
        d = self.d
        i = d.int(0, len(self.optimizers) - 1)
        kind = d("unscale", "step", "update", "set", "save", "load", "load_bad")
        if kind == "unscale":
            self.call("unscale", i, run=lambda: self.scaler.unscale_(self.optimizers[i]))
        elif kind == "step":
            self.call("step", i, run=lambda: self.scaler.step(self.optimizers[i]))
        elif kind == "update":
            self.update()
        elif kind == "set" and self.scaler.is_enabled():
            name, value = d(("growth_factor", 3.0), ("backoff_factor", 0.125), ("growth_interval", 2))
            self.call("set", name, value, run=lambda: getattr(self.scaler, f"set_{name}")(value))
        elif kind == "save":
            self.saved = self.scaler.state_dict()
            self.call("save", run=lambda: None)
        elif kind == "load" and self.saved is not None:
            self.call("load", run=lambda: self.scaler.load_state_dict(self.saved))
        elif kind == "load_bad":
            self.call("load_empty", run=lambda: self.scaler.load_state_dict({}))

    def iterate(self):
        d = self.d
        if d.chance(0.9):
            self.scale()
        bad = d.chance(0.3)
        for i, optimizer in enumerate(self.optimizers):
            if d.chance(0.95):
                self.set_grads(i, bad)
            if d.chance(0.1):
                self.odd()
            if d.chance(0.3):
                self.call("unscale", i, run=lambda: self.scaler.unscale_(optimizer))
            if d.chance(0.1):
                self.odd()
            if d.chance(0.9):
                self.call("step", i, run=lambda: self.scaler.step(optimizer))
        if d.chance(0.1):
            self.odd()
        if d.chance(0.93):
            self.update()


def cases():
    for i in range(COUNT):
        d = Draw("grad_scaler", i)
        s = Sequence(d)
        for _ in range(d.int(2, 7)):
            s.iterate()
        yield {"options": s.options, "params": s.first, "calls": s.calls}


if __name__ == "__main__":
    torch.set_num_threads(1)
    all_cases = list(cases())
    encode.write(pathlib.Path(__file__).parent / "data" / "grad_scaler.jsonl.gz", all_cases)
    calls = [c for case in all_cases for c in case["calls"]]
    print(len(all_cases), "sequences,", len(calls), "calls,", sum("error" in c for c in calls), "errors of", len({c["error"] for c in calls if "error" in c}), "kinds")
