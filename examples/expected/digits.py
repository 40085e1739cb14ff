"""The digits that the scripts of this folder train on: a folder of IDX files, gzip or not."""
import gzip
import pathlib

import numpy as np
import torch


def read_idx(folder, name):
    plain = pathlib.Path(folder) / name
    raw = plain.read_bytes() if plain.exists() else gzip.open(f"{plain}.gz").read()
    dims = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims).copy()


class Digits(torch.utils.data.Dataset):
    """Images `[1, 28, 28]` from 0 to 1 with their labels; `part` is `train` or `t10k`."""

    def __init__(self, folder, part):
        self.images = torch.from_numpy(read_idx(folder, f"{part}-images-idx3-ubyte"))
        self.labels = read_idx(folder, f"{part}-labels-idx1-ubyte")

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i].float().div(255).unsqueeze(0), int(self.labels[i])
