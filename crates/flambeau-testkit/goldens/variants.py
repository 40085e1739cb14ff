"""Golden cases in other shapes, layouts and zeros, for every operation alike: its first samples, whose tensors are made empty, 0-dimensional,
expanded, stepped or zeros of both signs; what PyTorch computes, its gradients, or what it raises.

    python crates/flambeau-testkit/goldens/variants.py

writes data/variants.jsonl.gz, which ../tests/variants.rs reads: the cases of encode.record, with "variant" beside them.
"""
import gzip
import json
import pathlib
import sys
import warnings

import torch

sys.dont_write_bytecode = True
import encode
import ops
import saved

SAMPLES = 4


def leaf(t, like):
    return t.detach().requires_grad_(like.requires_grad)


def empty(dim):
    """No element along a dimension."""
    return lambda t: leaf(t.narrow(dim, 0, 0).clone(), t) if t.dim() else t


def zero_dim(t):
    """The first element, without dimensions."""
    return leaf(t.reshape(-1)[0].clone(), t) if t.numel() else t


def expanded(t):
    """The first line along dimension 0 in place of all, with a stride of 0."""
    return leaf(t[:1].clone().expand(t.shape), t) if t.dim() and t.shape[0] > 1 else t


def stepped(t):
    """Every second element of a longer tensor, from its second."""
    if not t.numel() or not t.dim():
        return t
    base = torch.ones(*t.shape[:-1], 2 * t.shape[-1] + 1, dtype=t.dtype)
    base[..., 1::2] = t.detach()
    return leaf(base[..., 1::2], t)


def zeros(t):
    """Zeros of both signs."""
    if not t.is_floating_point():
        return t
    flat = [0.0 if i % 3 == 1 else -0.0 for i in range(t.numel())]
    return leaf(torch.tensor(flat, dtype=t.dtype).reshape(t.shape), t)


VARIANTS = {"empty_first": empty(0), "empty_last": empty(-1), "zero_dim": zero_dim, "expanded": expanded, "stepped": stepped, "zeros": zeros}
# What these give is unspecified, or drawn.
LEFT_OUT = {"nn.functional.dropout", "new_empty", "empty_like"}


def variants(name, case):
    for variant, change in VARIANTS.items():
        args, kwargs = saved.arguments(case)
        before = repr([args, kwargs])
        args, kwargs = encode.each_tensor(args, change), encode.each_tensor(kwargs, change)
        if variant in ("empty_first", "empty_last", "zero_dim", "zeros") and repr([args, kwargs]) == before:
            continue
        exact = name in ops.EXACT
        floats = [t.dtype for t in encode.tensors_in([args, kwargs]) if t.is_floating_point()]
        tol = None if exact or not floats else ops.tolerance(name, min(floats, key=lambda d: torch.finfo(d).bits))
        try:
            found = encode.record(name, ops.DB[name].op, args, kwargs, "edge", tol=tol, exact=exact)
        except (encode.Unsupported, RuntimeError):
            continue
        if "error" in found:
            found["kind"] = "error"
            if found["error"]["type"] in ("TypeError", "AttributeError") or ops.NOT_OURS.search(found["error"]["message"]):
                continue
        yield {"variant": variant} | found


def cases(name):
    with gzip.open(saved.DATA / "ops" / f"{name}.jsonl.gz", "rt") as file:
        samples = [c for c in map(json.loads, file) if c["kind"] == "sample" and "error" not in c]
    with_grads = [c for c in samples if "grads" in c]
    chosen = with_grads or samples
    step = max(1, len(chosen) // SAMPLES)
    seen = set()
    for case in chosen[::step][:SAMPLES]:
        for found in variants(name, case):
            key = encode.dumps([found["variant"], found["args"], found.get("kwargs")])
            if key not in seen:
                seen.add(key)
                yield found


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    names = sorted(path.name.removesuffix(".jsonl.gz") for path in (saved.DATA / "ops").iterdir())
    table = [case for name in names if name not in LEFT_OUT for case in cases(name)]
    encode.write(saved.DATA / "variants.jsonl.gz", table)
    print(len(table), {v: (sum(c["variant"] == v for c in table), sum(c["variant"] == v and "error" in c for c in table)) for v in VARIANTS})
