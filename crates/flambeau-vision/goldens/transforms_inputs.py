"""Inputs that the Rust tests make too: tests/common/mod.rs."""

import numpy as np
import torch
from PIL import Image


def noise(count, salt):
    """32-bit numbers."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(1) + np.uint64(salt) * np.uint64(7919)) * np.uint64(2654435761)
    x &= np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    return x ^ (x >> np.uint64(13))


def make(spec):
    """The tensor or image that a case describes."""
    shape = spec["shape"]
    numbers = noise(int(np.prod(shape)), spec["salt"]).reshape(shape)
    low, high = spec["range"]
    if spec["kind"] == "f32":
        return torch.from_numpy((numbers >> np.uint64(8)).astype(np.float32)) * 2.0**-24
    data = (low + numbers % np.uint64(high - low + 1)).astype(np.uint8)
    if spec["kind"] == "u8":
        return torch.from_numpy(data)
    return Image.fromarray(data[0] if shape[0] == 1 else np.ascontiguousarray(data.transpose(1, 2, 0)))
