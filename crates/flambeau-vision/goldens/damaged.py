"""JPEG files with damage, as torchvision reads them: for each file the damages that it reads, with a checksum of the pixels, and
those that it refuses.

Run: /opt/venv/bin/python crates/flambeau-vision/goldens/damaged.py."""

import base64
import gzip
import io
import json
import os
import random
import zlib

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

random.seed(7)
y, x = np.mgrid[0:37, 0:45]
waves = np.stack([127 + 90 * np.sin(x / (3 + k) + y / 5) * np.cos(y / (2 + k)) for k in range(3)], -1).astype(np.uint8)


def jpeg(mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(waves).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def segments(data):
    """(marker, start, end) of each segment before the first scan's data."""
    at = 2
    while data[at + 1] != 0xDA:
        length = data[at + 2] << 8 | data[at + 3]
        yield data[at + 1], at, at + 2 + length
        at += 2 + length
    length = data[at + 2] << 8 | data[at + 3]
    yield 0xDA, at, at + 2 + length


def without(data, *markers):
    for marker, start, end in reversed(list(segments(data))):
        if marker in markers:
            data = data[:start] + data[end:]
    return data


def adobe(data, transform, keep_jfif):
    """The file with Adobe's marker."""
    segment = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    bare = without(data, 0xEE) if keep_jfif else without(data, 0xE0, 0xEE)
    return bare[:2] + segment + bare[2:]


def outcome(data):
    try:
        pixels = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=ImageReadMode.RGB)
    except RuntimeError as error:
        return None, str(error).split("\n")[0]
    return zlib.crc32(pixels.numpy().tobytes()), None


base = jpeg(quality=60)
sos = next(start for marker, start, _ in segments(base) if marker == 0xDA)
quantizers = [(s, e) for m, s, e in segments(base) if m == 0xDB]
files = {
    "sequential": base,
    "grey": jpeg("L", quality=80),
    "progressive": jpeg(quality=70, progressive=True),
    "restarts": jpeg(quality=70, restart_marker_blocks=2),
    "cmyk": jpeg("CMYK", quality=70),
}
variants = {
    "adobe 0 and jfif": adobe(base, 0, True),
    "adobe 1 and jfif": adobe(base, 1, True),
    "adobe 0": adobe(base, 0, False),
    "adobe 1": adobe(base, 1, False),
    "adobe 2": adobe(base, 2, False),
    "no marker": without(base, 0xE0),
    "cmyk adobe 0": adobe(files["cmyk"], 0, False),
    "cmyk adobe 1": adobe(files["cmyk"], 1, False),
    "cmyk adobe 2": adobe(files["cmyk"], 2, False),
    "no huffman codes": without(base, 0xC4),
    "no huffman codes, grey": without(files["grey"], 0xC4),
    "no quantizers": without(base, 0xDB),
    "no scan": base[:sos] + b"\xff\xd9",
    "no frame": without(base, 0xC0),
}
cases = []
for name, data in variants.items():
    sum, error = outcome(data)
    cases.append({"kind": name, "file": base64.b64encode(data).decode(), "sum": sum, "error": error})
for name, data in files.items():
    *_, (_, _, start) = segments(data)
    flips = []
    for _ in range(150):
        at, bits = random.randrange(start, len(data) - 2), random.choice([1, 2, 16, 128, 255])
        if name == "progressive" and data[at] == 0xFF:
            continue  # a scan less: libjpeg smooths
        bad = bytearray(data)
        bad[at] ^= bits
        flips.append([at, bits, outcome(bytes(bad))[0]])
    cases.append({"kind": name, "file": base64.b64encode(data).decode(), "sum": outcome(data)[0], "flips": flips})
    print(name, "refused", [flip for flip in flips if flip[2] is None])
for case in cases:
    print(case["kind"], case["sum"], case.get("error"))
with gzip.GzipFile(f"{os.path.dirname(os.path.abspath(__file__))}/damaged.json.gz", "wb", mtime=0) as file:
    file.write(json.dumps(cases).encode())
