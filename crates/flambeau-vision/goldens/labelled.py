"""Goldens of torchvision's data sets of labelled image files and of COCO: tiny folders in the real layouts, and what torchvision reads.

Run: /opt/venv/bin/python crates/flambeau-vision/goldens/labelled.py (with pycocotools: pip install --target DIR, PYTHONPATH=DIR)
"""
import base64
import gzip
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import datasets as D

rng = np.random.default_rng(5)
files, sets = {}, []


def hashed(data):
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return str(value)


def picture(path, mode="RGB", kind="PNG"):
    """A small picture; PNG data stands under names that end in .jpg too, as both libraries look at the content."""
    shape = (3, 4) if mode == "L" else (3, 4, 3)
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(out, kind)
    files[path] = out.getvalue()


def add(root, name, args, dataset, label=int, target=None):
    items = []
    for i in range(len(dataset)):
        image, answer = dataset[i]
        items.append({"size": list(image.size), "mode": image.mode, "hash": hashed(image.tobytes()), "label": -1 if answer is None else answer})
    classes = getattr(dataset, "classes", None) or getattr(dataset, "categories", None)
    if classes and isinstance(classes[0], (tuple, list)):
        classes = [", ".join(names) for names in classes]
    index = getattr(dataset, "class_to_idx", None)
    sets.append({"set": name, "args": args, "items": items, "classes": classes, "index": index})


for c in ("Forest", "River"):
    for i in (2, 1):
        picture(f"eurosat/2750/{c}/{c}_{i}.jpg")
for split in ("train", "valid", "test"):
    for c in ("AD", "BE"):
        picture(f"country211/{split}/{c}/x.jpg", "L" if c == "AD" else "RGB")
for split in ("train", "valid", "test"):
    for c in ("positive", "negative"):
        picture(f"rendered-sst2/{split}/{c}/{split}.png")
for size in ("", "-160"):
    for split in ("train", "val"):
        for c in ("n03425413", "n01440764", "n02979186"):
            picture(f"imagenette2{size}/{split}/{c}/a.JPEG")
for split, names in {"train": {"waffles": ["b", "a"], "apple_pie": ["c"]}, "test": {"waffles": ["d"], "apple_pie": ["f", "e"]}}.items():
    for c, all_names in names.items():
        for n in all_names:
            picture(f"food-101/images/{c}/{n}.jpg")
    files[f"food-101/meta/{split}.json"] = json.dumps({c: [f"{c}/{n}" for n in all_names] for c, all_names in names.items()}).encode()
for split, part, names in [("train", 1, ["dotted/d2.jpg", "banded/b1.jpg"]), ("val", 3, ["woven/w.jpg", "dotted/d2.jpg"])]:
    files[f"dtd/dtd/labels/{split}{part}.txt"] = "".join(f"{n}\n" for n in names).encode()
    for n in names:
        picture(f"dtd/dtd/images/{n}")
for level, plural, classes in [("variant", "variants", ["707-320", "A 300 B"]), ("family", "families", ["A300", "Boeing 707"]), ("manufacturer", "manufacturers", ["Airbus", "Boeing"])]:
    files[f"fgvc-aircraft-2013b/data/{plural}.txt"] = "".join(f"{c}\n" for c in classes).encode()
    for split, names in {"trainval": ["0034309", "0034958", "1"], "test": ["2"]}.items():
        rows = [f"{n} {classes[i % 2]}\n" for i, n in enumerate(names)]
        files[f"fgvc-aircraft-2013b/data/images_{level}_{split}.txt"] = "".join(rows).encode()
for n in ("0034309", "0034958", "1", "2"):
    picture(f"fgvc-aircraft-2013b/data/images/{n}.jpg")
for split, rows in {"trainval": ["great_pyrenees_12 2 2 4", "Abyssinian_100 1 1 1", "great_pyrenees_7 2 2 4"], "test": ["Abyssinian_1 1 1 1"]}.items():
    files[f"oxford-iiit-pet/annotations/{split}.txt"] = "".join(r + "\n" for r in rows).encode()
    for r in rows:
        picture(f"oxford-iiit-pet/images/{r.split()[0]}.jpg", "L" if r.startswith("Aby") else "RGB")
for i, (c, n) in enumerate([("001.ak47", 2), ("002.american-flag", 1)]):
    for j in range(n):
        picture(f"caltech256/256_ObjectCategories/{c}/{i + 1:03d}_{j + 1:04d}.jpg", "L" if j else "RGB")
files["SUN397/ClassName.txt"] = b"/a/abbey\n/a/apse/indoor\n"
picture("SUN397/a/abbey/sun_b.jpg")
picture("SUN397/a/apse/indoor/sun_a.jpg")
files["SUN397/a/abbey/notes.jpg"] = b"no picture"
out = io.BytesIO()
torch.save(({"n01440764": ("tench", "Tinca tinca"), "n02979186": ("cassette player",)}, ["n01440764"]), out)
files["imagenet/meta.bin"] = out.getvalue()
for split in ("train", "val"):
    for c in ("n02979186", "n01440764"):
        picture(f"imagenet/{split}/{c}/{c}_{split}.JPEG")
files["places/categories_places365.txt"] = b"/a/airfield 0\n/z/zen_garden 2\n/b/bar 1\n"
lists = {"train_standard": "/a/airfield/1.jpg 0\n/z/zen_garden/2.jpg 2\n", "val": "v1.jpg 1\nv2.jpg 0\n", "test": "t1.jpg\n"}
for name, text in lists.items():
    files[f"places/places365_{name}.txt"] = text.encode()
for p in ("data_256_standard/a/airfield/1.jpg", "data_256_standard/z/zen_garden/2.jpg", "val_large/v1.jpg", "val_large/v2.jpg", "test_256/t1.jpg"):
    picture(f"places/{p}")
for i, name in enumerate(["Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris", "Plantae_Tracheophyta_Liliopsida_Poales_Poaceae_Zea_mays", "Animalia_Chordata_Aves_Piciformes_Picidae_Picus_viridis"]):
    picture(f"inat/2021_valid/{i:05d}_{name}/one.jpg", "L" if i == 1 else "RGB")
for path in ("2017/Plantae/Abies alba/p.jpg", "2017/Aves/Picus viridis/q.jpg", "2018/Plantae/1/p.jpg", "2018/Aves/0/q.jpg", "2018/Aves/2/r.jpg"):
    picture(f"inat/{path}")
annotations = {
    "info": {"year": 2014}, "categories": [{"id": 3, "name": "cat"}],
    "images": [{"id": 9, "file_name": "b.jpg", "height": 3, "width": 4}, {"id": 4, "file_name": "sub/a.jpg"}, {"id": 70, "file_name": "c.jpg"}],
    "annotations": [
        {"id": 5, "image_id": 9, "category_id": 3, "bbox": [0.5, 1, 2.25, 1e2], "iscrowd": 0, "segmentation": [[1, 2, 3.5]], "caption": "two"},
        {"id": 2, "image_id": 4, "category_id": 3, "bbox": [0, 0, 1, 1], "area": 1e20, "caption": "a \u00e9 \"x\""},
        {"id": 1, "image_id": 9, "category_id": 1, "flag": True, "none": None, "caption": "one"},
    ],
}
files["coco/ann.json"] = json.dumps(annotations).encode()
for p in ("b.jpg", "sub/a.jpg", "c.jpg"):
    picture(f"coco/{p}", "L" if p == "b.jpg" else "RGB")

with tempfile.TemporaryDirectory() as root:
    for name, data in files.items():
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    at = lambda name: os.path.join(root, name)
    add(root, "EuroSAT", {}, D.EuroSAT(root))
    for split in ("train", "valid", "test"):
        add(root, "Country211", {"split": split}, D.Country211(root, split))
    for split in ("train", "val", "test"):
        add(root, "RenderedSST2", {"split": split}, D.RenderedSST2(root, split))
    for split, size in [("train", "full"), ("val", "160px")]:
        add(root, "Imagenette", {"split": split, "size": size}, D.Imagenette(root, split, size))
    for split in ("train", "test"):
        add(root, "Food101", {"split": split}, D.Food101(root, split))
    for split, part in [("train", 1), ("val", 3)]:
        add(root, "DTD", {"split": split, "partition": part}, D.DTD(root, split, part))
    for level in ("variant", "family", "manufacturer"):
        for split in ("trainval", "test"):
            add(root, "FGVCAircraft", {"split": split, "level": level}, D.FGVCAircraft(root, split, level))
    for split in ("trainval", "test"):
        for target in ("category", "binary-category"):
            add(root, "OxfordIIITPet", {"split": split, "target": target}, D.OxfordIIITPet(root, split, target))
    add(root, "Caltech256", {}, D.Caltech256(root))
    sun = D.SUN397(root)
    # torchvision's order is the file system's.
    order = sorted(range(len(sun)), key=lambda i: str(sun._image_files[i]))
    sun._image_files, sun._labels = [sun._image_files[i] for i in order], [sun._labels[i] for i in order]
    add(root, "SUN397", {}, sun)
    # The files are not those whose checksums torchvision knows.
    D.imagenet.check_integrity = lambda *a: True
    for split in ("train", "val"):
        add(root, "ImageNet", {"split": split}, D.ImageNet(at("imagenet"), split))
    D.Places365._check_integrity = lambda self, file, md5, download: True
    for split, small in [("train-standard", True), ("val", False), ("test", True)]:
        add(root, "Places365", {"split": split, "small": small}, D.Places365(at("places"), split, small))
    for version, targets in {"2021_valid": ["full", "kingdom", "class", "genus"], "2017": ["full", "super"], "2018": ["full", "super"]}.items():
        for target in targets:
            add(root, "INaturalist", {"version": version, "target": target}, D.INaturalist(at("inat"), version, target))
    add(root, "CocoDetection", {}, D.CocoDetection(at("coco"), at("coco/ann.json")))
    add(root, "CocoCaptions", {}, D.CocoCaptions(at("coco"), at("coco/ann.json")))

everything = {"files": {k: base64.b64encode(v).decode() for k, v in files.items()}, "sets": sets}
path = Path(__file__).with_name("labelled.json.gz")
with gzip.GzipFile(path, "wb", mtime=0) as out:
    out.write(json.dumps(everything, separators=(",", ":")).encode())
print(len(files), "files,", sum(len(s["items"]) for s in sets), "items,", path.stat().st_size, "bytes")
