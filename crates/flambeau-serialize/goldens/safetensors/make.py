"""Writes the files of this folder with safetensors and PyTorch, or checks what flambeau wrote (safetensors 0.8, PyTorch 2.15).

    python goldens/safetensors/make.py                               # in crates/flambeau-serialize
    cargo run -p flambeau-serialize --example write_files -- DIR && python goldens/safetensors/make.py --check DIR
"""

import json
import pathlib
import struct
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save_file, save_model

here = pathlib.Path(__file__).parent
DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
DTYPES += [torch.float16, torch.bfloat16, torch.float32, torch.float64]


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Linear(3, 2, bias=False)
        self.decoder = torch.nn.Linear(3, 2)
        self.decoder.weight = self.encoder.weight


def tied():
    model = Tied()
    with torch.no_grad():
        model.encoder.weight.copy_(torch.arange(6.0).view(2, 3))
        model.decoder.bias.fill_(0.5)
    return model


def every():
    """Each dtype under its name with the values 0, 1, 2, …, and names that JSON escapes."""
    tensors = {str(dtype).removeprefix("torch."): torch.arange(6).view(2, 3).to(dtype) for dtype in DTYPES}
    tensors |= {"scalar": torch.tensor(1.5), "empty": torch.empty(0, 3), "grüße \"\\\n\x7f": torch.ones(1), "a/b.c": torch.ones(3)}
    return tensors


def raw(header, data, pad=b""):
    text = json.dumps(header, separators=(",", ":")).encode() + pad
    return struct.pack("<Q", len(text)) + text + data


def make():
    for old in [*here.glob("*.safetensors"), *here.glob("*.json"), *here.glob("*.bin")]:
        old.unlink()
    save_file(every(), here / "every.safetensors", metadata={"format": "pt"})
    save_file({}, here / "none.safetensors")
    save_model(tied(), here / "tied.safetensors")

    # Not aligned, not sorted, not padded: nothing that today's package writes, but it reads it.
    place = {"b": [0, 1], "f": [1, 9], "h": [9, 13]}
    header = {"h": {"dtype": "F16", "shape": [2], "data_offsets": place["h"]}}
    header["__metadata__"] = {"k": "v", "a": ""}
    header["f"] = {"shape": [2, 1], "data_offsets": place["f"], "dtype": "F32", "more": [{}]}
    header["b"] = {"dtype": "BOOL", "shape": [1], "data_offsets": place["b"]}
    data = b"\x02" + torch.tensor([1.0, 2.0]).numpy().tobytes() + torch.tensor([3.0, 4.0]).half().numpy().tobytes()
    (here / "old.safetensors").write_bytes(raw(header, data))

    for name, dtype in {"u16": "U16", "u32": "U32", "u64": "U64", "f8_e4m3": "F8_E4M3", "f8_e5m2": "F8_E5M2", "c64": "C64"}.items():
        data = bytes({"U16": 4, "U32": 8, "U64": 16, "C64": 16}.get(dtype, 2))
        here.joinpath(f"refused_{name}.safetensors").write_bytes(
            raw({"x": {"dtype": dtype, "shape": [2], "data_offsets": [0, len(data)]}, "y": {"dtype": "U8", "shape": [1], "data_offsets": [len(data), len(data) + 1]}}, data + b"\x07")
        )

    model = tied().state_dict()
    shards = {"model-00001-of-00002": {"encoder.weight": model["encoder.weight"]}, "model-00002-of-00002": {"decoder.bias": model["decoder.bias"]}}
    weight_map = {}
    for shard, tensors in shards.items():
        save_file(tensors, here / f"{shard}.safetensors", metadata={"format": "pt"})
        weight_map |= {name: f"{shard}.safetensors" for name in tensors}
    index = {"metadata": {"total_size": 32}, "weight_map": weight_map}
    (here / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    torch.save(model, here / "pytorch_model-00001-of-00001.bin")
    weight_map = {name: "pytorch_model-00001-of-00001.bin" for name in model}
    index = {"metadata": {}, "weight_map": weight_map}
    (here / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def check(folder):
    ours, theirs = load_file(folder / "every.safetensors"), every()
    assert sorted(ours) == sorted(theirs), list(ours)
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype and ours[name].shape == tensor.shape and torch.equal(ours[name], tensor), name
    for name in ["every", "none", "tied"]:
        assert (folder / f"{name}.safetensors").read_bytes() == (here / f"{name}.safetensors").read_bytes(), name
    model = Tied()
    assert load_model(model, folder / "tied.safetensors") == (set(), []), "strict"
    assert torch.equal(model.decoder.weight, tied().decoder.weight)
    with safe_open(folder / "tied.safetensors", "pt") as f:
        assert f.metadata() == {"encoder.weight": "decoder.weight"}, f.metadata()
    print(f"PyTorch {torch.__version__} reads all that was written, and writes the same bytes")


if __name__ == "__main__":
    check(pathlib.Path(sys.argv[2])) if sys.argv[1:2] == ["--check"] else make()
