"""The names under which PyTorch's nodes keep tensors: the attributes `_saved_…` of every `grad_fn` that the golden cases with gradients reach.

    python crates/flambeau-testkit/goldens/saved_names.py

writes data/saved_names.jsonl.gz, which ../tests/saved_names.rs reads: {"node", "names": those that held a tensor or a list of tensors in some
case, "none": those among them that held None in another}.
"""
import gzip
import json
import sys
import warnings

import torch

sys.dont_write_bytecode = True
import encode
import ops
import saved


def nodes(outputs):
    """Every node of the graph, once."""
    stack = [o.grad_fn for o in outputs if o.grad_fn is not None]
    seen = []
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.append(node)
        stack.extend(n for n, _ in node.next_functions)
    return seen


def kinds(node):
    """Of each attribute whether it is a tensor, None, or something else."""
    for name in dir(node):
        if name.startswith("_saved_"):
            value = getattr(node, name)
            several = isinstance(value, (tuple, list)) and any(isinstance(v, torch.Tensor) for v in value)
            kind = "tensor" if several or isinstance(value, torch.Tensor) else "none" if value is None else "other"
            yield name.removeprefix("_saved_"), kind


def collect(table, outputs):
    for node in nodes(outputs):
        names = table.setdefault(node.name(), {})
        for name, kind in kinds(node):
            names.setdefault(name, set()).add(kind)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    table = {}
    for path in sorted((saved.DATA / "ops").iterdir()):
        name = path.name.removesuffix(".jsonl.gz")
        with gzip.open(path, "rt") as file:
            for line in file:
                case = json.loads(line)
                if "grads" in case:
                    collect(table, saved.Run(case, ops.DB[name].op, False).outputs)
    of = lambda names, kind: sorted(n for n, kinds in names.items() if "tensor" in kinds and kind in kinds)
    rows = [{"node": node, "names": of(names, "tensor"), "none": of(names, "none")} for node, names in sorted(table.items())]
    encode.write(saved.DATA / "saved_names.jsonl.gz", rows)
    print(len(rows), "nodes,", sum(len(r["names"]) for r in rows), "names")
