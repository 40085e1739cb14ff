"""Checks with PyTorch that the files which flambeau writes hold what the golden files hold.

    cargo run --example resave -- OUT goldens/*.pth     # in crates/flambeau-serialize
    python goldens/check_written.py OUT
"""

import collections
import pathlib
import sys
import zipfile

import torch


def same(a, b, where):
    assert type(a) is type(b), f"{where}: {type(a)} is not {type(b)}"
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and a.stride() == b.stride(), where
        assert a.storage_offset() == b.storage_offset() and a.requires_grad == b.requires_grad, where
        assert a.untyped_storage().nbytes() == b.untyped_storage().nbytes(), where
        assert torch.equal(a, b), where
        # Tensors that share a storage in one file do so in the other.
        pair = (a.untyped_storage().data_ptr(), b.untyped_storage().data_ptr())
        assert storages.setdefault(pair[0], pair[1]) == pair[1] or not a.numel(), f"{where}: sharing differs"
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            same(a[key], b[key], f"{where}[{key!r}]")
        if isinstance(a, collections.OrderedDict):
            same(vars(a), vars(b), f"{where}.__dict__")
    elif isinstance(a, (list, tuple)) and not isinstance(a, torch.Size):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{where}[{i}]")
    else:
        assert a == b, f"{where}: {a!r} is not {b!r}"


goldens = pathlib.Path(__file__).parent
written = sorted(pathlib.Path(sys.argv[1]).glob("*.pth"))
assert written, f"no .pth file in {sys.argv[1]}"
for path in written:
    storages = {}
    # PyTorch's own weights_only reader refuses protocol 4; the golden files are ours, so they may be unpickled in full.
    golden = torch.load(goldens / path.name, weights_only=False)
    same(golden, torch.load(path, weights_only=True), path.stem)
    storages = {}
    same(golden, torch.load(path, weights_only=True, mmap=True), f"{path.stem} (mmap)")
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            header = raw[entry.header_offset :][:30]
            start = entry.header_offset + 30 + sum(int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
            assert start % 64 == 0, f"{entry.filename} starts at {start}"
            assert entry.compress_type == zipfile.ZIP_STORED
    pickles = [torch._C.PyTorchFileReader(str(p)).get_record("data.pkl") for p in (path, goldens / path.name)]
    print(path.name, "ok", "(same pickle)" if pickles[0] == pickles[1] else "")
