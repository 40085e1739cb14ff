"""Goldens of torchvision.datasets: tiny folders in the real formats, and the items that torchvision reads from them.

Run: /opt/venv/bin/python crates/flambeau-vision/goldens/datasets.py
"""

import base64
import gzip
import io
import json
import os
import pickle
import struct
import tempfile

import numpy as np
import torch
from PIL import Image
from torchvision import datasets as D

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(3)
files, sets = {}, []


def hashed(data):
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return str(value)


def few(*shape):
    """Bytes of which few differ from their neighbours, so that they take little room."""
    a = rng.integers(0, 256, shape, dtype=np.uint8)
    flat = np.where(rng.random(a.shape) < 0.03, a, 0).reshape(-1)
    return np.add.accumulate(flat, dtype=np.uint8).reshape(shape)


def idx(array, element=8):
    head = bytes([0, 0, element, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return head + (array.astype(">i4") if element == 12 else array).tobytes()


def py2_pickle(batch):
    """Protocol 2 as Python 2 wrote it: byte strings, and an array made by numpy's _reconstruct."""
    def text(s):
        return b"U" + bytes([len(s)]) + s

    def string(s):
        return b"T" + struct.pack("<I", len(s)) + s

    out = b"\x80\x02}q\x01("
    for i, (key, value) in enumerate(batch.items()):
        out += text(key.encode()) + b"q" + bytes([10 + i])
        if isinstance(value, np.ndarray):
            out += b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
            out += b"(K\x01K" + bytes([value.shape[0]]) + b"M" + struct.pack("<H", value.shape[1]) + b"\x86"
            out += b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            out += b"\x89" + string(value.tobytes()) + b"tb"
        elif isinstance(value, list):
            out += b"](" + b"".join(b"K" + bytes([v]) for v in value) + b"e"
        else:
            out += text(value.encode())
    return out + b"u."


def add(name, args, dataset, **more):
    items = []
    for i in range(len(dataset)):
        image, label = dataset[i]
        items.append({"mode": image.mode, "size": list(image.size), "hash": hashed(image.tobytes()), "label": int(label)})
    sets.append({"set": name, "args": args, "items": items} | more)


# MNIST and its kin.
for name in ["KMNIST", "MNIST"]:
    for half, n in [("train", 3), ("t10k", 2)]:
        files[f"{name}/raw/{half}-images-idx3-ubyte"] = idx(few(n, 28, 28))
        files[f"{name}/raw/{half}-labels-idx1-ubyte"] = idx(rng.integers(0, 10, n, dtype=np.uint8))
for split, top in [("letters", 27), ("balanced", 47), ("byclass", 62)]:
    for half, n in [("train", 3), ("test", 2)]:
        files[f"EMNIST/raw/emnist-{split}-{half}-images-idx3-ubyte"] = idx(few(n, 28, 28))
        files[f"EMNIST/raw/emnist-{split}-{half}-labels-idx1-ubyte"] = idx(rng.integers(0, top, n, dtype=np.uint8))
for half, n in [("train", 3), ("test", 2)]:
    files[f"QMNIST/raw/qmnist-{half}-images-idx3-ubyte"] = idx(few(n, 28, 28))
    labels = rng.integers(0, 10, (n, 8))
    labels[:, 5] = 70000 + np.arange(n)
    files[f"QMNIST/raw/qmnist-{half}-labels-idx2-int"] = idx(labels, 12)

# CIFAR, pickled as by Python 2 and as by Python 3, and in binary.
binary = {}
for folder, names, key, top, style in [
    ("cifar-10-batches", [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"], "labels", 10, "2"),
    ("cifar-100", ["train", "test"], "fine_labels", 100, "3"),
]:
    for i, name in enumerate(names):
        n = 2 if i % 2 == 0 else 1
        data, labels = few(n, 3072), [int(v) for v in rng.integers(0, top, n)]
        batch = {"batch_label": name, key: labels, "data": data, "filenames": name}
        if style == "3":
            batch["coarse_labels"] = [0] * n
        where = folder + ("-py" if top == 10 else "-python") + "/" + name
        files[where] = py2_pickle(batch) if style == "2" else pickle.dumps(batch, protocol=[2, 4][i % 2])
        rows = [bytes([0] * (top == 100) + [l]) + d.tobytes() for l, d in zip(labels, data)]
        binary[folder + ("-bin" if top == 10 else "-binary") + f"/{name}.bin"] = b"".join(rows)

# STL10.
for name, n in [("train", 3), ("test", 1), ("unlabeled", 1)]:
    files[f"stl10_binary/{name}_X.bin"] = few(n, 3, 96, 96).tobytes()
    if name != "unlabeled":
        files[f"stl10_binary/{name}_y.bin"] = bytes(rng.integers(1, 11, n, dtype=np.uint8))
files["stl10_binary/fold_indices.txt"] = "\n".join(f"{i % 3} {(i + 1) % 3}" for i in range(10)).encode()


def png(mode, h, w):
    out = io.BytesIO()
    c = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    a = few(h, w, c)
    Image.fromarray(a[..., 0] if c == 1 else a).save(out, "PNG")
    return out.getvalue()


# Folders of images.
for path, mode in [
    ("images/dog/b.png", "RGB"), ("images/dog/a.PNG", "L"), ("images/cat/deep/z.png", "RGBA"), ("images/cat/deep/x.png", "RGB"),
    ("images/cat/y.png", "RGB"), ("images/cat/deep/er/w.png", "RGB"), ("images/bird/1.png", "RGB"),
]:
    files[path] = png(mode, 6, 9)
files["images/dog/notes.txt"] = b"no image"
files["images/readme.png"] = png("L", 2, 2)

with tempfile.TemporaryDirectory() as root:
    for name, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        with open(os.path.join(root, name), "wb") as f:
            f.write(data)
    # The files are not those whose checksums torchvision knows.
    D.CIFAR10._check_integrity = D.STL10._check_integrity = lambda self: True
    D.CIFAR10._load_meta = lambda self: None
    for train in [True, False]:
        add("MNIST", {"train": train}, D.MNIST(root, train))
        add("KMNIST", {"train": train}, D.KMNIST(root, train))
        for split in ["letters", "balanced", "byclass"]:
            add("EMNIST", {"split": split, "train": train}, D.EMNIST(root, split, train=train))
        add("QMNIST", {"what": "train" if train else "test"}, D.QMNIST(root, train=train))
        add("CIFAR10", {"train": train}, D.CIFAR10(root, train))
        add("CIFAR100", {"train": train}, D.CIFAR100(root, train))
    for split in ["train", "test", "unlabeled", "train+unlabeled"]:
        add("STL10", {"split": split}, D.STL10(root, split))
    add("STL10", {"fold": 4}, D.STL10(root, "train", folds=4))
    folder = D.ImageFolder(os.path.join(root, "images"))
    names = [os.path.relpath(path, root) for path, _ in folder.samples]
    add("ImageFolder", {}, folder, files=names, classes=folder.classes)
    add("FakeData", {}, D.FakeData(4, (3, 7, 5), 6, random_offset=2))

everything = {"files": {k: base64.b64encode(v).decode() for k, v in (files | binary).items()}, "sets": sets}
path = os.path.join(here, "datasets.json.gz")
with gzip.GzipFile(path, "wb", mtime=0) as out:
    out.write(json.dumps(everything, separators=(",", ":")).encode())
print(len(files | binary), "files,", sum(len(s["items"]) for s in sets), "items,", os.path.getsize(path), "bytes")
