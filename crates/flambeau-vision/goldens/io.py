"""Goldens of torchvision.io and PIL.Image.open: small files of many kinds, and what is read from them; in io.json.gz.

Run: /opt/venv/bin/python crates/flambeau-vision/goldens/io.py
"""

import base64
import gzip
import io
import json
import os
import struct
import warnings
import zlib

import numpy as np
import torch
import torchvision.io as tio
from PIL import Image

warnings.filterwarnings("ignore")
rng = np.random.default_rng(0)
here = os.path.dirname(os.path.abspath(__file__))
cases = []


def b64(data):
    return base64.b64encode(data).decode()


def dump(x):
    if x.dtype == torch.uint16:
        x = x.to(torch.int32)
    return {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": b64(x.contiguous().numpy().tobytes())}


def picture(h, w, c):
    """Smooth colours with a little noise, as photographs have them."""
    y, x = np.mgrid[:h, :w] / max(h, w)
    waves = [np.sin(6 * x * (k + 1) + k) + np.cos(5 * y + 2 * k * x) for k in range(c)]
    a = np.stack(waves, -1) * 55 + 127 + rng.normal(0, 6, (h, w, c))
    return np.clip(a, 0, 255).astype(np.uint8)


def case(kind, data, exif=False):
    x = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    entry = {"kind": kind, "file": b64(data), "modes": {}}
    for mode in tio.ImageReadMode:
        # torchvision's rows overlap or hold what was in memory before, and its alpha of few bits is 1, 3 or 15 of 255.
        odd = "palette" in kind and kind != "png palette alpha" and "ALPHA" in mode.name
        odd |= "palette" in kind and "bits" in kind and mode.name == "UNCHANGED"
        odd |= kind in ("png 1", "png grey 2 bits", "png grey 4 bits") and "ALPHA" in mode.name
        if odd:
            continue
        try:
            entry["modes"][mode.name] = dump(tio.decode_image(x, mode, apply_exif_orientation=exif))
        except Exception as e:
            entry["modes"][mode.name] = {"error": str(e).split(", ", 2)[-1].split("\n")[0]}
    entry["exif"] = exif
    image = Image.open(io.BytesIO(data))
    if image.mode in ("L", "RGB", "RGBA"):
        entry["pil"] = {"mode": image.mode, "shape": [image.height, image.width], "data": b64(image.tobytes())}
    cases.append(entry)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(w, h, depth, colour, rows, interlace=0, extra=b""):
    """A PNG of rows of packed bytes, each with the filter 0; interlaced ones are given as Adam7's passes."""
    head = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlace)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


for c, name in [(1, "L"), (3, "RGB"), (4, "RGBA")]:
    a = rng.integers(0, 256, (5, 7, c), dtype=np.uint8)
    case(f"png {name}", saved(Image.fromarray(a[..., 0] if c == 1 else a), "PNG"))
case("png LA", saved(Image.fromarray(rng.integers(0, 256, (4, 6, 2), dtype=np.uint8), "LA"), "PNG"))
case("png smooth", saved(Image.fromarray(picture(16, 12, 3)), "PNG", optimize=True))
case("png 1", saved(Image.fromarray(rng.integers(0, 256, (5, 11), dtype=np.uint8)).convert("1"), "PNG"))
case("png palette", saved(Image.fromarray(picture(6, 9, 3)).convert("P", palette=Image.ADAPTIVE, colors=40), "PNG"))
case("png palette 4 bits", saved(Image.fromarray(picture(6, 9, 3)).quantize(9), "PNG"))
case("png palette 2 bits", saved(Image.fromarray(picture(5, 7, 3)).quantize(3), "PNG"))
case("png palette alpha", saved(Image.fromarray(picture(6, 5, 3)).quantize(20), "PNG", transparency=bytes(range(0, 200, 10))))
case("png 16 bits", saved(Image.fromarray(rng.integers(0, 65536, (4, 6), dtype=np.uint16)), "PNG"))
for depth in [2, 4]:
    rows = rng.integers(0, 256, (5, 3), dtype=np.uint8)
    case(f"png grey {depth} bits", raw_png(24 // depth - 1, 5, depth, 0, rows))
case("png RGB 16 bits", raw_png(3, 4, 16, 2, rng.integers(0, 256, (4, 18), dtype=np.uint8)))
case("png RGBA 16 bits", raw_png(2, 3, 16, 6, rng.integers(0, 256, (3, 16), dtype=np.uint8)))
a = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
case("png interlaced", raw_png(8, 8, 8, 2, [row.tobytes() for y, x, dy, dx in passes for row in a[y::dy, x::dx]], 1))
case("png transparent colour", raw_png(4, 2, 8, 2, a[:2, :4].reshape(2, 12), extra=chunk(b"tRNS", struct.pack(">HHH", *map(int, a[0, 0])))))

for quality in [20, 75, 95]:
    for sub in [0, 1, 2]:
        case(f"jpeg {quality} {sub}", saved(Image.fromarray(picture(21, 19, 3)), "JPEG", quality=quality, subsampling=sub))
case("jpeg grey", saved(Image.fromarray(picture(17, 23, 1)[..., 0]), "JPEG", quality=80))
case("jpeg progressive", saved(Image.fromarray(picture(24, 30, 3)), "JPEG", quality=85, progressive=True))
case("jpeg optimized", saved(Image.fromarray(picture(9, 8, 3)), "JPEG", quality=60, optimize=True))
case("jpeg large", saved(Image.fromarray(picture(50, 40, 3)), "JPEG", quality=90))
for h, w in [(1, 1), (2, 3), (3, 2), (5, 17), (16, 33)]:
    for sub in [1, 2]:
        case(f"jpeg {h}x{w} {sub}", saved(Image.fromarray(picture(h, w, 3)), "JPEG", quality=70, subsampling=sub))
case("jpeg restarts", saved(Image.fromarray(picture(40, 35, 3)), "JPEG", quality=70, restart_marker_blocks=2))
case("jpeg progressive restarts", saved(Image.fromarray(picture(25, 37, 3)), "JPEG", quality=90, progressive=True, subsampling=1, restart_marker_rows=1))
case("jpeg progressive grey", saved(Image.fromarray(picture(19, 13, 1)[..., 0]), "JPEG", quality=40, progressive=True))
case("jpeg noise", saved(Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)), "JPEG", quality=90))
case("jpeg RGB", saved(Image.fromarray(picture(16, 20, 3)), "JPEG", keep_rgb=True, quality=90))
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    case(f"jpeg orientation {orientation}", saved(Image.fromarray(picture(8, 11, 3)), "JPEG", exif=exif.tobytes(), subsampling=0), True)

path = os.path.join(here, "io.json.gz")
with gzip.GzipFile(path, "wb", mtime=0) as out:
    out.write(json.dumps(cases, separators=(",", ":")).encode())
print(len(cases), "files,", os.path.getsize(path), "bytes")
