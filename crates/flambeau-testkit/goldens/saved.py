"""What every operation with goldens saves for its backward: after a forward on each golden case with gradients, PyTorch's answer to a second
backward, and to a write to each tensor between forward and backward; the same of the in-place form, and of what had saved the tensor before.

    python crates/flambeau-testkit/goldens/saved.py

writes data/saved.jsonl.gz, which ../tests/saved.rs reads: {"op", "case": its number in data/ops/<op>.jsonl.gz, or a case of its own, "second",
"written", "in_place"?}.
A message is null where nothing is raised. An operation's tensors are its arguments in order, named ones last and sorted, then its results: `0`, `1`,
…, `out0`, …. Each run writes a zero to one of them through `detach()`, which shares the version. `in_place` has the same for the form `name_`
on a copy of the first tensor, and `before`: the answer to the backward of the copy's square, made before the in-place form wrote to it.
"""
import gzip
import json
import math
import pathlib
import sys
import warnings

import torch

sys.dont_write_bytecode = True
import encode
import ops

DATA = pathlib.Path(__file__).parent / "data"
DTYPES = {name: dtype for dtype, name in encode.DTYPES.items()}


def number(x):
    return float(x) if isinstance(x, str) else x


def tensor(g):
    """The inverse of encode.tensor."""
    t = torch.tensor([number(v) for v in g["v"]], dtype=DTYPES[g["t"]])
    t = t.as_strided(g["s"], g["st"], g["o"]) if "st" in g else t.reshape(g["s"])
    return t.detach().requires_grad_("g" in g)


def arg(x):
    """The inverse of encode.arg."""
    if isinstance(x, list):
        return [arg(v) for v in x]
    if not isinstance(x, dict):
        return x
    if "t" in x:
        return tensor(x)
    (kind, value), = x.items()
    return {"dtype": lambda: DTYPES[value], "float": lambda: float(value), "slice": lambda: slice(*map(arg, value)),
            "ellipsis": lambda: Ellipsis, "memory_format": lambda: getattr(torch, value)}[kind]()


def arguments(case):
    args = [arg(a) for a in case["args"]]
    if case["op"] == "__getitem__" and isinstance(args[1], list):
        args[1] = tuple(args[1])
    return args, {k: arg(v) for k, v in case.get("kwargs", {}).items()}


def message(call):
    """The first line of what a call raises."""
    try:
        call()
        return None
    except RuntimeError as e:
        return str(e).splitlines()[0]


def write(t):
    own = t.detach()
    own.as_strided((min(own.numel(), 1),), (1,), own.storage_offset()).zero_()


class Run:
    """A forward of a case, out of place or in place."""

    def __init__(self, case, call, in_place):
        torch.manual_seed(0)
        args, kwargs = arguments(case)
        self.before = None
        if in_place:
            args[0] = args[0].clone()
            self.before = args[0].square()
        self.outputs = encode.outputs_of(call(*args, **kwargs))
        given = encode.tensors_in([args, [kwargs[k] for k in sorted(kwargs)]])
        results = [] if in_place else self.outputs
        self.tensors = {str(i): t for i, t in enumerate(given)} | {f"out{i}": t for i, t in enumerate(results)}

    def backward(self):
        outputs = [o for o in self.outputs if o.requires_grad]
        torch.autograd.backward(outputs, [torch.ones_like(o) for o in outputs])


def answers(case, call, in_place=False):
    run = Run(case, call, in_place)
    run.backward()
    found = {"second": message(run.backward), "written": {}}
    for key in run.tensors:
        run = Run(case, call, in_place)
        write(run.tensors[key])
        found["written"][key] = message(run.backward)
    if in_place:
        run = Run(case, call, in_place)
        found["before"] = message(run.before.sum().backward) if run.before.requires_grad else None
    return found


def in_place_form(name, case):
    """PyTorch's in-place form of the operation, if the case is one of it: the result fits into the first tensor."""
    first = case["args"][0] if case["args"] else None
    if not isinstance(first, dict) or "t" not in first or "st" in first or (first["t"], first["s"]) != (case["out"][0]["t"], case["out"][0]["s"]):
        return None
    base = name.split(".")[-1] if name.startswith("nn.functional.") else name.split(".")[0]
    form = ops.DB[name].get_inplace() or getattr(torch.Tensor, f"{base}_", None)
    if form is None:
        return None
    args, kwargs = arguments(case)
    args[0] = args[0].clone()
    try:
        result = form(*args, **kwargs)
    except (TypeError, RuntimeError):
        return None
    return form if result is args[0] and result.requires_grad else None


def own_cases():
    """What no golden has: a constant operand, an int32 index, a negative index, and dropout that drops."""
    x, y = torch.arange(1.0, 7.0).reshape(2, 3).requires_grad_(), torch.arange(2.0, 8.0).reshape(2, 3)
    calls = [("mul", [x, y], {}), ("index_select", [x, 1, torch.tensor([0, 2], dtype=torch.int32)], {}),
             ("__getitem__", [x, (torch.tensor([0, -1]),)], {}), ("nn.functional.dropout", [x], {"p": 0.5, "training": True})]
    for name, args, kwargs in calls:
        text = encode.dumps(encode.record(name, ops.DB[name].op, args, kwargs, "sample", grads=False))
        yield {"op": name, "case": encode.Lit(text)} | answers(json.loads(text), ops.DB[name].op)


def cases(name):
    with gzip.open(DATA / "ops" / f"{name}.jsonl.gz", "rt") as file:
        for i, line in enumerate(file):
            case = json.loads(line)
            if "grads" not in case:
                continue
            found = {"op": name, "case": i} | answers(case, ops.DB[name].op)
            form = in_place_form(name, case)
            if form is not None:
                found["in_place"] = answers(case, form, in_place=True)
            yield found


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    names = sorted(path.name.removesuffix(".jsonl.gz") for path in (DATA / "ops").iterdir())
    table = [case for name in names for case in cases(name)] + list(own_cases())
    encode.write(DATA / "saved.jsonl.gz", table)
    forms = [c["in_place"] for c in table if "in_place" in c]
    print(len(table), "cases,", len({c["op"] for c in table}), "operations;", sum(len(c["written"]) for c in [*table, *forms]), "writes;", len(forms), "in place")
