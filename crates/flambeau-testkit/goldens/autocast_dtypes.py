"""The dtypes that operations give under PyTorch's autocast, on the CPU and on a GPU.

    python crates/flambeau-testkit/goldens/autocast_dtypes.py

writes data/autocast_dtypes.jsonl.gz, which ../tests/autocast.rs reads: {"op", "case": its number in data/ops/<op>.jsonl.gz, "cpu", "cuda"}.
Under each device stand one word for each of VARIANTS: the dtypes of the results, joined by commas, with a "!" where backward raises; "error" where
PyTorch raises; "?" where it does not tell. The CPU computes in bfloat16, the GPU in float16: no GPU is needed, since fake tensors pass the same autocast.
"""
import gzip
import json
import sys
import warnings

import torch
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import UnsupportedFakeTensorException

sys.dont_write_bytecode = True
import encode
import ops
import saved

CASES = 10
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
# The dtypes of a call's floating tensors in turn; None is the region's low precision.
VARIANTS = {"f32": [torch.float32], "low": [None], "low_first": [None, torch.float32], "low_second": [torch.float32, None], "f64": [torch.float64],
            "f64_second": [torch.float32, torch.float64]}
LOW = {"cpu": torch.bfloat16, "cuda": torch.float16}
# What these give is unspecified, or drawn, or depends on what a fake tensor has not.
LEFT_OUT = {"new_empty", "empty_like"}


def converted(case, variant, device):
    """The arguments with the floats of a variant."""
    dtypes = [d or LOW[device] for d in VARIANTS[variant]]
    count = -1

    def convert(t):
        nonlocal count
        if t.dtype in FLOATS:
            count += 1
            t = t.detach().to(dtypes[count % len(dtypes)]).requires_grad_(t.requires_grad)
        if device == "cuda":
            t = torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=device, requires_grad=t.requires_grad)
        return t

    args, kwargs = saved.arguments(case)
    args = encode.each_tensor(args, convert)
    kwargs = {k: encode.each_tensor(kwargs[k], convert) for k in sorted(kwargs)}
    return args, kwargs


def word(name, case, variant, device):
    torch.manual_seed(0)
    try:
        args, kwargs = converted(case, variant, device)
        # A fake kernel looks at few dtypes: a double among others is refused by the real one.
        if device == "cuda" and variant == "f64_second":
            return "?"
        out = encode.outputs_of(ops.DB[name].op(*args, **kwargs))
    except UnsupportedFakeTensorException:
        return "?"
    except Exception as error:  # noqa: BLE001: what a fake tensor cannot do has many names
        fake = device == "cuda" and any(word in repr(type(error).__mro__) + str(error) for word in ("DataDependent", "DynamicOutput", "Unbacked", "GuardOn", "CUDA", "fake", "Fake"))
        return "?" if fake else "error"
    dtypes = ",".join(encode.DTYPES.get(t.dtype, "other") for t in out)
    recorded = [t for t in out if t.requires_grad and t.grad_fn is not None]
    if device == "cpu" and recorded:
        leaves = [t for t in encode.tensors_in([list(args), list(kwargs.values())]) if t.requires_grad]
        try:
            torch.autograd.grad(recorded, leaves, [torch.ones_like(t) for t in recorded], allow_unused=True)
        except RuntimeError:
            return dtypes + "!"
    return dtypes


def region(device):
    """What torch.autocast does; for a GPU that is not there it would only warn."""
    torch.set_autocast_enabled(device, True)
    torch.set_autocast_dtype(device, LOW[device])


def words(name, chosen, device):
    region(device)
    torch.autocast_increment_nesting()
    try:
        if device == "cuda":
            with FakeTensorMode(allow_non_fake_inputs=True):
                return [[word(name, case, v, device) for v in VARIANTS] for _, case in chosen]
        return [[word(name, case, v, device) for v in VARIANTS] for _, case in chosen]
    finally:
        torch.set_autocast_enabled(device, False)
        torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()


def cases(name):
    with gzip.open(saved.DATA / "ops" / f"{name}.jsonl.gz", "rt") as file:
        all_cases = [(i, c) for i, c in enumerate(map(json.loads, file)) if "error" not in c]
    floating = [(i, c) for i, c in all_cases if any(t.dtype in FLOATS for t in encode.tensors_in(list(saved.arguments(c))))]
    chosen = floating or all_cases
    if len(chosen) > CASES:
        chosen = [chosen[i * (len(chosen) - 1) // (CASES - 1)] for i in range(CASES)]
    for (i, _), cpu, cuda in zip(chosen, words(name, chosen, "cpu"), words(name, chosen, "cuda")):
        yield {"op": name, "case": i, "cpu": cpu, "cuda": cuda}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    names = sorted(path.name.removesuffix(".jsonl.gz") for path in (saved.DATA / "ops").iterdir())
    names = sys.argv[1:] or names
    table = [case for name in names if name not in LEFT_OUT for case in cases(name)]
    if len(sys.argv) > 1:
        for case in table:
            print(case)
    else:
        encode.write(saved.DATA / "autocast_dtypes.jsonl.gz", table)
    count = lambda device, word: sum(c[device].count(word) for c in table)
    print(len(table), {d: {w: count(d, w) for w in ("error", "?")} for d in LOW})
