"""The files of tensors in packages of the registry, each with what PyTorch and NumPy find in it.

    pip download --no-deps -d WHEELS lpips torchmetrics facenet-pytorch …
    python goldens/real_files.py WHEELS FOLDER
    FLAMBEAU_MATRIX=FOLDER cargo test -p flambeau-serialize --test matrix

Nothing in them is executed: PyTorch reads with `weights_only=True`, NumPy without pickles.
"""

import argparse
import io
import json
import pathlib
import re
import sys
import warnings
import zipfile

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kinds.truth import array, refused, value  # noqa: E402

ENDINGS = re.compile(r"\.(pth|pt|npz|npy|safetensors|jit|ckpt|pth\.tar|t7|bin)$")


def truth(name, data, path):
    try:
        if name.endswith((".npy", ".npz")):
            x = np.load(io.BytesIO(data), allow_pickle=False)
            if isinstance(x, np.ndarray):
                return {"value": {"tree": array(x), "storages": []}}
            items = [[{"k": "str", "v": key.encode().hex()}, array(x[key])] for key in x.files]
            if any(hasattr(torch, x[key].dtype.name) is False for key in x.files):
                return refused("cannot load")
            return {"value": {"tree": {"k": "dict", "kind": "dict", "items": items, "attributes": []}, "storages": []}}
        if name.endswith(".safetensors"):
            return value(torch.load(path))
        if b"constants.pkl" in data[-100_000:]:
            state = torch.jit.load(io.BytesIO(data), map_location="cpu").state_dict()
            return {"script": value(state)["value"]}
        return value(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
    except Exception as error:
        print(f"{name}: {str(error).strip().splitlines()[0][:150]}", file=sys.stderr)
        # PyTorch's safe reader knows fewer plain classes than flambeau's.
        return {"readable": True, **refused("cannot load|corrupt")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wheels", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    with open(options.folder / "truth.jsonl", "w") as out:
        for wheel in sorted(options.wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as file:
                for entry in filter(ENDINGS.search, file.namelist()):
                    data = file.read(entry)
                    name = f"{wheel.name.split('-')[0]}__{entry.replace('/', '__')}"
                    (options.folder / name).write_bytes(data)
                    record = {"name": name, "len": len(data), "truth": truth(name, data, options.folder / name)}
                    out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
