"""How long a big state takes to the disk and back in PyTorch, and a plain copy of its file: time_state.py FILE [MEGABYTES]"""

import os
import sys
import time

import torch

torch.set_num_threads(1)
path, megabytes = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1024
state = {f"w{i}": torch.arange((megabytes << 18) // 16).float() + i for i in range(16)}


def timed(what, f):
    start = time.perf_counter()
    f()
    print(f"{what} {time.perf_counter() - start:.2f} s", flush=True)


def to_the_disk(target):
    target.flush()
    os.fsync(target.fileno())


def copy():
    with open(path, "rb") as source, open(path + ".copy", "wb") as target:
        while part := source.read(1 << 20):
            target.write(part)
        to_the_disk(target)


def save_and_fsync():
    torch.save(state, path)
    with open(path, "rb+") as file:
        to_the_disk(file)


for _ in range(3):
    timed("save", lambda: torch.save(state, path))
    timed("save to the disk", save_and_fsync)
    timed("copy to the disk", copy)
    timed("load", lambda: torch.load(path, weights_only=True))
os.remove(path)
os.remove(path + ".copy")
