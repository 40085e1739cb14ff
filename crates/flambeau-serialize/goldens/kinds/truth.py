"""What a reader must find in a file, as JSON: told by PyTorch and NumPy, not by us."""

import argparse
import collections
import struct
import zlib

import numpy as np
import torch

KINDS = {
    dict: "dict",
    collections.OrderedDict: "OrderedDict",
    collections.Counter: "Counter",
    collections.defaultdict: "defaultdict",
}


def bits(x):
    return struct.pack(">d", x).hex()


def content(data):
    """Short bytes as they are, long ones by their checksum."""
    return data.hex() if len(data) <= 512 else f"crc32:{zlib.crc32(data):08x}"


class Described:
    """A value as a tree of kinds; tensors index the list `storages`."""

    def __init__(self, value, dense=False):
        self.dense = dense
        self.known, self.storages, self.kept = {}, [], []
        self.tree = self.describe(value)

    def json(self):
        return {"tree": self.tree, "storages": self.storages}

    def describe(self, x):
        if x is None:
            return {"k": "none"}
        if isinstance(x, torch.Tensor):
            return self.tensor(x)
        if isinstance(x, np.ndarray):
            return array(x)
        if isinstance(x, np.generic):
            return {**array(np.asarray(x)), "scalar": True}
        if isinstance(x, argparse.Namespace):
            return {"k": "dict", "kind": "Namespace", "items": self.pairs(vars(x)), "attributes": []}
        kind = type(x)
        if kind in KINDS:
            attributes = self.pairs(x.__dict__) if kind is collections.OrderedDict else []
            return {"k": "dict", "kind": KINDS[kind], "items": self.pairs(x), "attributes": attributes}
        if kind in (list, tuple, set, frozenset):
            return {"k": kind.__name__, "v": [self.describe(item) for item in x]}
        if kind is torch.Size:
            return {"k": "Size", "v": list(x)}
        if kind is torch.dtype or kind is torch.device:
            return {"k": kind.__name__, "v": str(x)}
        if kind is torch.layout:
            return {"k": "layout", "v": str(x)}
        if kind is bool:
            return {"k": "bool", "v": x}
        if kind is int:
            digits = x.to_bytes((x.bit_length() >> 3) + 1, "little", signed=True)
            return {"k": "int", "v": x if -(2**63) <= x < 2**63 else digits.hex()}
        if kind is float:
            return {"k": "float", "v": bits(x)}
        if kind is complex:
            return {"k": "complex", "v": bits(x.real) + bits(x.imag)}
        if kind is str:
            return {"k": "str", "v": x.encode("utf-8", "surrogatepass").hex()}
        if kind in (bytes, bytearray):
            return {"k": kind.__name__, "v": x.hex()}
        raise TypeError(f"no kind for {kind}")

    def pairs(self, items):
        return [[self.describe(key), self.describe(value)] for key, value in items.items()]

    def tensor(self, x):
        storage = x.untyped_storage()
        if storage._cdata not in self.known:
            self.known[storage._cdata] = len(self.storages)
            self.kept.append(storage)
            data = torch.tensor([], dtype=torch.uint8).set_(storage).numpy().tobytes()
            if x.dtype == torch.bool:  # a reader may keep an odd byte or make it 1
                data = bytes(byte != 0 for byte in data)
            self.storages.append({"len": len(data), "data": content(data)})
        place = {"offset": x.storage_offset(), "storage": self.known[storage._cdata]}
        if self.dense:
            place = {"dense": content(x.detach().contiguous().view(torch.uint8).numpy().tobytes())}
        return {
            "k": "tensor",
            "dtype": str(x.dtype),
            "shape": list(x.shape),
            "strides": list(x.stride()),
            **place,
            "grad": x.requires_grad,
            "param": isinstance(x, torch.nn.Parameter),
        }


def array(x):
    """An array by its elements in C order, little-endian; its strides are no part of a file."""
    x = np.asarray(x)
    if x.dtype == bool:  # a file may have odd bytes
        x = x.view(np.uint8) != 0
    little = np.ascontiguousarray(x.astype(x.dtype.newbyteorder("<"))).reshape(x.shape)
    return {"k": "array", "dtype": little.dtype.name, "shape": list(x.shape), "data": content(little.tobytes())}


def value(x):
    """A reader must find exactly `x`."""
    return {"value": Described(x).json()}


def elements(x):
    """As `value`, save where the tensors lie in their storages."""
    return {"value": {**Described(x, dense=True).json(), "storages": []}}


def refused(*words):
    """A reader must refuse; its message contains each of `words` (`a|b`: one of the two)."""
    return {"refused": list(words)}


def either(x, *words):
    """Reading as PyTorch does and refusing in plain words are both right."""
    return {**value(x), **refused(*words)}
