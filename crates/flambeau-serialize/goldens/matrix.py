"""Files in every format, ordinary, odd and hostile, each with what a reader must find in it.

    python goldens/matrix.py FOLDER                      # every file, and truth.jsonl beside them
    python goldens/matrix.py FOLDER --pack matrix.gz     # and the small ones in one file for the tests

The truth comes from PyTorch, NumPy and safetensors (made with 2.15, 2.4 and 0.8), which write and read the files here.
A record of the packed file is a line of JSON, `{"name", "len", "truth"}`, and the file's bytes.
"""

import argparse
import gzip
import json
import pathlib
import random
import sys
import warnings

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kinds import arrays, hostile, legacy, pth, tensors_only  # noqa: E402

LARGEST = 12_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--pack", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    options.folder.mkdir(parents=True, exist_ok=True)
    records, packed, total = [], bytearray(), 0
    for kind in (pth, legacy, tensors_only, arrays, hostile):
        for name, data, truth in kind.files():
            name = name.replace("/", "_").replace("__", "_")
            if any(record["name"] == name for record in records):
                raise SystemExit(f"two files are called {name}")
            (options.folder / name).write_bytes(data)
            record = {"name": name, "len": len(data), "truth": truth}
            records.append(record)
            line = json.dumps(record).encode() + b"\n"
            here = str(pathlib.Path(torch.__file__).parents[4]).encode()
            if len(data) <= LARGEST and len(line) <= 3 * LARGEST and here not in data:
                packed += line + data
                total += 1
    (options.folder / "truth.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    print(f"{len(records)} files")
    if options.pack:
        options.pack.write_bytes(gzip.compress(bytes(packed), 9, mtime=0))
        print(f"{total} of them in {options.pack}, {options.pack.stat().st_size} bytes")


if __name__ == "__main__":
    main()
