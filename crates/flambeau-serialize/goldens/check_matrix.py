"""Checks that what flambeau reads and writes again holds what the matrix's files hold, as their own libraries read both.

    python goldens/matrix.py FOLDER
    cargo run --example resave -- OUT FOLDER/*.pth FOLDER/*.safetensors FOLDER/*.npy FOLDER/*.npz
    python goldens/check_matrix.py FOLDER OUT
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import safetensors.torch
import torch

from kinds.truth import Described, array, value


def of_file(path):
    if path.suffix == ".safetensors":
        return value(safetensors.torch.load_file(path))["value"]
    if path.suffix in (".npy", ".npz"):
        x = np.load(path, allow_pickle=False)
        if path.suffix == ".npy":
            return {"tree": array(x), "storages": []}
        items = [[{"k": "str", "v": name.encode().hex()}, array(x[name])] for name in x.files]
        return {"tree": {"k": "dict", "kind": "dict", "items": items, "attributes": []}, "storages": []}
    # What is written again has no class that PyTorch's safe reader refuses, save this one.
    torch.serialization.add_safe_globals([__import__("argparse").Namespace])
    return Described(torch.load(path, weights_only=True)).json()


def plain(x):
    """The tree without what is lost on purpose: a defaultdict's function, a frozenset's class, an array's."""
    if isinstance(x, dict):
        if x.get("kind") == "defaultdict":
            x = {**x, "kind": "dict"}
        if x.get("k") == "frozenset":
            x = {**x, "k": "set"}
        return {key: plain(value) for key, value in x.items()}
    return [plain(item) for item in x] if isinstance(x, list) else x


def has_arrays(x):
    return '"array"' in json.dumps(x)


def main():
    warnings.simplefilter("ignore")
    folder, out = map(pathlib.Path, sys.argv[1:3])
    checked, faults, missing = 0, [], 0
    for line in (folder / "truth.jsonl").read_text().splitlines():
        record = json.loads(line)
        truths = [record["truth"][key] for key in ("value", "value2", "script") if key in record["truth"]]
        path = out / record["name"]
        if not truths or (path.suffix == ".pth" and any(map(has_arrays, truths))):
            continue
        if not path.exists():
            missing += "refused" not in record["truth"]
            continue
        checked += 1
        try:
            found = of_file(path)
        except Exception as error:
            faults.append(f"{record['name']}: {str(error).strip()[:200]}")
            continue
        # Sharing shows in the list of storages and in the order of first use.
        same = [plain(t["tree"]) == plain(found["tree"]) and t["storages"] in ([], found["storages"]) for t in truths]
        if not any(same):
            faults.append(f"{record['name']}: {json.dumps(found)[:300]} is not {json.dumps(truths[0])[:300]}")
    print(f"{checked} files compared, {missing} not written, {len(faults)} differ")
    print("\n".join(faults))
    raise SystemExit(bool(faults or missing or not checked))


if __name__ == "__main__":
    main()
