"""Writes the goldens of progress bars: random lines of `tqdm.format_meter` and numbers of its postfixes. Run with an interpreter that has tqdm 4.70:

    python crates/flambeau-data/goldens/meter.py

It writes meter.json beside itself.
"""
import json
import pathlib
import random

from tqdm import tqdm

rng = random.Random(5)
lines = []
for _ in range(150):
    total = rng.choice([None, 0, 1, 7, 10, 100, 12345])
    n = rng.choice([0, 1, 3, 7, 10, 99, 100, 5000, 12345, 12346])
    case = {
        "n": n if rng.random() < 0.3 or not total else min(n, total),
        "total": total,
        "elapsed": rng.choice([0.0, 0.001, 0.5, 2.0, 59.99, 61.0, 3599.0, 3725.0, 100000.0]),
        "ncols": rng.choice([None, 20, 60, 80, 81, 120]),
        "prefix": rng.choice(["", "train", "epoch 3", "a: ", "ü"]),
        "unit": rng.choice(["it", "batch"]),
        "rate": rng.choice([None, None, 0.01, 0.99, 1.0, 3.456, 1e5]),
        "postfix": rng.choice(["", "", "loss=0.5"]),
    }
    if case["total"] is None and case["ncols"] is not None or not case["total"]:
        case["ncols"] = None
    if case["total"] and case["n"] > case["total"]:
        case["ncols"] = None
    lines.append(case | {"line": tqdm.format_meter(**case)})
numbers = [0.5, 0.123456, 12.3456, 123456.0, 0.00001234, 1e-9, 3, 12345678, 100, 99.95, 0.1, -0.98765, 1e20, 2.0, 1234.5]
postfixes = [[repr(x), tqdm.format_num(x)] for x in numbers]
path = pathlib.Path(__file__).parent / "meter.json"
path.write_text(json.dumps({"lines": lines, "postfixes": postfixes}, separators=(",", ":")))
print(len(lines), "lines", postfixes)
