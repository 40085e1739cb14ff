"""Reads the file of `cargo run -p flambeau-serialize --example write_tensors -- OUT.pth` with PyTorch: `check_tensors.py OUT.pth`."""

import sys

import torch

d = torch.load(sys.argv[1], weights_only=True)
base = torch.arange(12.0).view(3, 4)
for name, expected in {
    "base": base,
    "transposed": base.T,
    "column": base[:, 1],
    "expanded": torch.ones(1, 3).expand(5, 3),
    "leaf": torch.ones(2),
    "parameter": torch.ones(2, 2),
    "frozen": torch.ones(2),
    "empty": torch.ones(0, 3),
}.items():
    t = d[name]
    assert t.dtype == expected.dtype and t.shape == expected.shape and t.stride() == expected.stride(), name
    assert torch.equal(t, expected), name
pointers = {d[name].untyped_storage().data_ptr() for name in ("base", "transposed", "column")}
assert len(pointers) == 1, "views share their storage"
assert d["leaf"].requires_grad and not isinstance(d["leaf"], torch.nn.Parameter)
assert isinstance(d["parameter"], torch.nn.Parameter) and d["parameter"].requires_grad
assert isinstance(d["frozen"], torch.nn.Parameter) and not d["frozen"].requires_grad
assert not d["base"].requires_grad
x = torch.tensor([0, 1, 2.5, 100], dtype=torch.float64)
assert len(d["dtypes"]) == 10
for name, t in d["dtypes"].items():
    assert torch.equal(t, x.to(getattr(torch, name))) and t.dtype == getattr(torch, name), name
assert d["epoch"] == 3
print(f"PyTorch {torch.__version__} reads all {len(d) - 2 + len(d['dtypes'])} tensors as they were written")
