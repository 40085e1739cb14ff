"""Writes the goldens of event files: random calls of torch.utils.tensorboard.SummaryWriter, and the bytes of the events that they made. Run with the
interpreter of a PyTorch 2.15 environment that has tensorboard:

    python crates/flambeau-tensorboard/goldens/events.py

It writes events.jsonl.gz beside itself: a call with its arguments in each line. Pictures are kept as pixels, since PNG encoders differ.
"""
import contextlib
import gzip
import io
import json
import math
import pathlib
import random
import tempfile

import numpy as np
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2
from torch.utils.tensorboard import SummaryWriter

HERE = pathlib.Path(__file__).parent
WALLTIME = 1764259509.25
rng = random.Random(14)
torch.manual_seed(14)
cases = []


def plain(value):
    """An argument as JSON: tensors with their dtype and shape, what is not finite as a text."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, torch.Tensor):
        return {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "data": [plain(x) for x in value.flatten().tolist()]}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(x) for x in value]
    if isinstance(value, dict):
        return [[k, plain(v)] for k, v in value.items()]
    return value


def add(call, *args, **kwargs):
    """Records a call: its events, or its error."""
    case = {"call": call, "args": plain(args), "kwargs": {k: plain(v) for k, v in kwargs.items()}}
    step = call not in ("add_custom_scalars", "add_hparams", "add_embedding", "add_mesh", "add_graph")
    if call not in ("add_custom_scalars", "add_hparams", "add_embedding"):
        kwargs["walltime"] = WALLTIME
    if step:
        kwargs["global_step"] = case["step"] = rng.choice([None, 0, 1, 7, 300, 2**40, -1])
    with tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                getattr(writer, call)(*args, **kwargs)
        except Exception as error:
            case["error"] = f"{type(error).__name__}: {error}"
        writer.close()
        files = {}
        for path in sorted(pathlib.Path(folder).rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_dir():
                continue
            if "tfevents" in path.name:
                events = [bytes(e) for e in RawEventFileLoader(str(path)).Load()][1:]
                files[str(path.parent.relative_to(folder))] = [event(e, case) for e in events]
            elif path.suffix == ".png":
                files[name] = pixels(path.read_bytes())
            else:
                files[name] = path.read_text()
        if "error" not in case:
            case["files"] = files
    cases.append(case)


def pixels(png):
    image = np.asarray(Image.open(io.BytesIO(png)))
    return {"shape": list(image.shape), "data": image.flatten().tolist()}


def event(data, case):
    """An event in hex. A picture's file is taken out of it."""
    parsed = event_pb2.Event.FromString(data)
    if case["call"] in ("add_custom_scalars", "add_hparams"):
        parsed.wall_time = WALLTIME
    for value in parsed.summary.value:
        if value.HasField("image"):
            case["pixels"] = pixels(value.image.encoded_image_string)
            value.image.encoded_image_string = b""
    return parsed.SerializeToString(deterministic=True).hex()


def scalars():
    for value in [0.0, -0.0, 1.5, 1e-40, 1e300, math.inf, math.nan, 3, True, torch.tensor(2.5), torch.tensor([[7]]), torch.tensor(0.1, dtype=torch.bfloat16),
                  torch.tensor(1e5, dtype=torch.bfloat16), torch.tensor(True), torch.tensor(2**60)]:
        add("add_scalar", rng.choice(["loss", "Loss/train", "a b/ö", ""]), value)
        add("add_scalar", "new", value, new_style=True)
        add("add_scalar", "double", value, new_style=True, double_precision=True)
    add("add_scalar", "two", torch.ones(2))
    add("add_scalar", "none", torch.ones(0))
    for _ in range(4):
        add("add_scalars", rng.choice(["run", "group/run"]), {"a": rng.random(), "b": rng.random(), "c d": 1.0})


def histograms():
    names = ["tensorflow", "auto", "fd", "doane", "scott", "stone", "rice", "sturges", "sqrt"]
    for i in range(90):
        n = rng.choice([1, 2, 3, 10, 50, 200, 400]) if i < 80 else 1500
        values = rng.choice([lambda: torch.randn(n), lambda: torch.rand(n) * 5 - 1, lambda: torch.randn(n).exp(), lambda: torch.randint(-5, 9, (n,)),
                             lambda: torch.full((n,), 2.0), lambda: torch.randn(n) * 1e-6 + 3, lambda: torch.zeros(n), lambda: torch.randn(n, dtype=torch.float64) * 1e-13,
                             lambda: torch.randn(n).half(), lambda: torch.randn(n) > 0])()
        bins = rng.choice([*names, *names, rng.randint(1, 40), sorted(rng.uniform(-3, 3) for _ in range(rng.randint(2, 12)))])
        if n > 100:
            values = torch.randn(n).half()
        elif values.dtype == torch.float32 and rng.random() < 0.7:
            values = values.half().float()
        add("add_histogram", "h", values, bins=bins, max_bins=rng.choice([None, None, None, 1, 5, 20]))
    # Values on the edges of bins of equal width, where the division rounds to either side.
    for k in range(2, 50, 4):
        for unit in (0.1, 1 / 7, 0.3):
            add("add_histogram", "multiples", torch.arange(k + 1, dtype=torch.float64) * unit + rng.choice([0.0, 0.7]), bins=k)
    edge = torch.tensor([1e-12, 1.1e-12, -1e-12, 0.0, 5.0, 1e21, -1e21, math.inf])
    add("add_histogram", "edges", edge)
    add("add_histogram", "on edges", torch.tensor([0.0, 1.0, 2.0, 3.0, 3.0]), bins=[0.0, 1.0, 2.0, 3.0])
    add("add_histogram", "equal edges", torch.tensor([0.0, 1.0, 1.0, 2.0]), bins=[0.0, 1.0, 1.0, 2.0])
    for values in [torch.ones(0), torch.tensor([math.nan]), torch.tensor([1e21])]:
        add("add_histogram", "none", values)
    add("add_histogram", "some nan", torch.tensor([math.nan, 1.0, 2.0]))
    for bins in ["auto", 3, "best", 0, [2.0, 1.0]]:
        add("add_histogram", "refused", torch.tensor([math.nan, 1.0]), bins=bins)
    add("add_histogram", "too many", torch.tensor([1.0, 1.0 + 2**-45], dtype=torch.float64), bins=2**14)
    for n in (1, 4):
        numbers = [rng.uniform(-2, 2) for _ in range(5)]
        add("add_histogram_raw", "raw", *numbers, [rng.random() for _ in range(n)], [rng.randint(0, 9) for _ in range(n)])
    add("add_histogram_raw", "raw", 0, 1, 2, 3, 4, [1.0], [1.0, 2.0])


def images():
    kinds = [lambda *s: torch.rand(*s).half().float(), lambda *s: torch.randn(*s).half().float(), lambda *s: torch.randint(0, 256, s, dtype=torch.uint8), lambda *s: torch.rand(*s).half().double(),
             lambda *s: torch.randint(0, 2, s), lambda *s: torch.rand(*s) > 0.5, lambda *s: torch.rand(*s).half()]
    for _ in range(30):
        kind, h, w, c = rng.choice(kinds), rng.randint(1, 6), rng.randint(1, 6), rng.choice([1, 3, 3, 4, 2])
        lengths, letters = {"C": c, "H": h, "W": w}, rng.choice(["CHW", "HWC", "HW", "WH", "WHC", "CWH"])
        add("add_image", "i", kind(*[lengths[x] for x in letters]), dataformats=letters)
    for _ in range(20):
        n, kind, letters = rng.randint(1, 18), rng.choice(kinds), rng.choice(["NCHW", "NHWC", "CHWN", "HWNC"])
        lengths = {"N": n, "C": rng.choice([1, 3]), "H": rng.randint(1, 4), "W": rng.randint(1, 4)}
        add("add_images", "is", kind(*[lengths[x] for x in letters]), dataformats=letters)
    add("add_image", "bad", torch.rand(3, 2, 2), dataformats="HH")
    add("add_image", "bad", torch.rand(3, 2, 2), dataformats="CHH")
    add("add_image", "bad", torch.rand(3, 2), dataformats="CHW")
    add("add_images", "bad", torch.rand(1, 2, 2, 2))
    for _ in range(15):
        h, w = rng.randint(8, 18), rng.randint(8, 18)
        boxes = [[rng.uniform(-2, w + 2), rng.uniform(-2, h + 2), rng.uniform(-2, w + 2), rng.uniform(-2, h + 2)] for _ in range(rng.randint(1, 3))]
        boxes = torch.tensor(boxes) if rng.random() < 0.5 else torch.tensor(boxes).long()
        add("add_image_with_boxes", "b", rng.choice(kinds)(3, h, w), boxes, rescale=rng.choice([1, 1, 2, 0.5, 1.7]))


def others():
    for text in ["", "plain", "**bold** ä ✓\nline"]:
        add("add_text", "notes", text)
    for dtype in [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]:
        shape = rng.choice([(), (3,), (2, 2), (0, 2)])
        x = torch.randn(shape).to(dtype) if dtype.is_floating_point else torch.randint(0, 2 if dtype == torch.bool else 100, shape).to(dtype)
        if dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
            x = x - 50
        add("add_tensor", "t", x)
    for _ in range(25):
        n, t = rng.randint(1, 60), rng.choice([2, 3, 10, 64, 127, 127, 200])
        labels = torch.randint(0, 2, (n,))
        labels = rng.choice([labels, labels.bool(), labels.float()])
        predictions = rng.choice([torch.rand(n), torch.rand(n, dtype=torch.float64), torch.randint(0, 2, (n,)), (torch.rand(n) * 10).round() / 10, torch.rand(n) * 1.4 - 0.2])
        add("add_pr_curve", "pr", labels, predictions, num_thresholds=t, **({"weights": rng.uniform(0.1, 3)} if rng.random() < 0.3 else {}))
    rows = [[float(rng.randint(0, 9)) for _ in range(4)] for _ in range(6)]
    add("add_pr_curve_raw", "raw", *rows, num_thresholds=4)
    for _ in range(6):
        b, n, m = rng.randint(1, 2), rng.randint(1, 5), rng.randint(1, 4)
        kwargs = {}
        if rng.random() < 0.6:
            kwargs["colors"] = torch.randint(0, 256, (b, n, 3))
        if rng.random() < 0.6:
            kwargs["faces"] = torch.randint(0, n, (b, m, 3), dtype=torch.int32)
        add("add_mesh", "mesh", torch.randn(b, n, 3), **kwargs)
    add("add_mesh", "flat", torch.randn(4, 3))
    for rate in (44100, 8000):
        add("add_audio", "sound", torch.randn(1, 20).clamp(-1.2, 1.2) * 0.9, sample_rate=rate)
    add("add_audio", "stereo", torch.rand(2, 20))
    add("add_custom_scalars", {"one": {"lines": ["Multiline", ["a", "b/c"]], "band": ["Margin", ["v", "l", "u"]]}, "two": {"": ["Multiline", []]}})
    add("add_hparams", {"lr": 0.1, "bsize": 32, "opt": "adam", "amp": True, "none": None, "zero": 0}, {"hparam/acc": 0.5, "hparam/loss": 2}, run_name="run")
    add("add_hparams", {"lr": 0.1, "opt": "sgd"}, {"m": 1.0}, hparam_domain_discrete={"lr": [0.1, 0.01], "opt": ["sgd", "adam"]}, run_name="run", global_step=3)
    add("add_hparams", {"lr": 0.1}, {"m": 1.0}, hparam_domain_discrete={"lr": ["a"]}, run_name="run")
    add("add_embedding", torch.randn(3, 2))
    add("add_embedding", torch.randn(4, 3, dtype=torch.float64) * 1e20, metadata=["a", "b", "ü", "d"], global_step=12, tag='a/b%c\\d"e')
    add("add_embedding", torch.randint(-5, 5, (5, 2)), label_img=torch.rand(5, 3, 4, 4) * 1.3 - 0.1, metadata=[[1, "x"], [2, "y"], [3, "z"], [4, "v"], [5, "w"]], metadata_header=["n", "l"])
    add("add_embedding", torch.randn(2, 2) * 1e-6, label_img=torch.rand(2, 1, 3, 3), global_step=123456)
    add("add_embedding", torch.randn(2, 2), metadata=["a"])
    add("add_embedding", torch.randn(2, 2), label_img=torch.rand(3, 1, 3, 3))
    add("add_embedding", torch.randn(2))


def weights_of_curves():
    """Weights of many shapes, and what cannot be broadcast."""
    line, table = (torch.tensor([1, 0, 1]), torch.tensor([0.9, 0.2, 0.6])), (torch.tensor([[1, 0], [0, 1]]), torch.rand(2, 2))
    for (labels, predictions), weights in [
        (line, [1, 2]), (line, [1, 2, 3]), (line, [2.5]), (line, []), (line, [[1, 2, 3]]), (line, [[1], [2]]), (table, [1, 2]), (table, [[1], [2]]),
        (table, [[3, 1]]), (table, [1, 2, 3, 4]), (table, [[1, 2], [3, 4]]), ((torch.tensor([1]), torch.tensor([0.5])), [1, 2]),
    ]:
        add("add_pr_curve", "pr", labels, predictions, num_thresholds=5, weights=np.array(weights, dtype=np.float64))
    add("add_pr_curve", "pr", torch.tensor([1, 0]), torch.rand(3), num_thresholds=5)
    add("add_pr_curve", "pr", torch.tensor([[1, 0, 1]]), torch.rand(3), num_thresholds=5)


scalars()
histograms()
images()
others()
weights_of_curves()
lines = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases)
(HERE / "events.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
print(len(cases), "calls,", len((HERE / "events.jsonl.gz").read_bytes()), "bytes,", sum("error" in c for c in cases), "errors")
for c in cases:
    if "error" in c:
        print(c["call"], c["kwargs"], c["error"][:150])
