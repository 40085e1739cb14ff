"""Writes the goldens of metrics: random configurations over a few batches, beside torchmetrics. Run with the interpreter of a PyTorch 2.15 environment
that has torchmetrics 1.9:

    python crates/flambeau-metrics/goldens/metrics.py

It writes metrics.jsonl.gz beside itself: a metric with its options, its batches, the value of each batch alone, and the value of all in each line.
"""
import gzip
import json
import math
import pathlib
import random
import warnings

import torch
import torchmetrics

warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent
rng = random.Random(3)
torch.manual_seed(3)
cases = []
FLOATS = [torch.float32, torch.float32, torch.float64, torch.float16]


def plain(x):
    if isinstance(x, torch.Tensor):
        return {"dtype": str(x.dtype).removeprefix("torch."), "shape": list(x.shape), "data": [plain(v) for v in x.flatten().tolist()]}
    if isinstance(x, float) and not math.isfinite(x):
        return str(x)
    return x


def add(name, kwargs, batches):
    case = {"metric": name, "kwargs": {k: plain(v) for k, v in kwargs.items()}, "batches": [[plain(x) for x in b] for b in batches]}
    try:
        metric = getattr(torchmetrics, name)(**kwargs)
        case["forward"] = [plain(metric(*b)) for b in batches]
        case["compute"] = plain(metric.compute())
    except Exception as error:
        case["error"] = f"{type(error).__name__}: {error}"
    cases.append(case)


def scores(shape, binary):
    """Chances or logits with some ties."""
    x = (torch.randn(shape) * 4).round() / 4 if rng.random() < 0.4 else torch.randn(shape).half().float()
    if rng.random() < 0.6:
        x = x.sigmoid() if binary else x.softmax(1)
        x = (x * 64).round() / 64
    return x.to(rng.choice(FLOATS))


def batches(task, n, ignore, curve):
    out, extra = [], rng.choice([(), (), (2,), (2, 3)])
    logits = None
    for _ in range(rng.randint(1, 3)):
        b = rng.randint(1, 9)
        if task == "binary":
            shape = (b, *extra)
            target = torch.randint(0, 2, shape)
            preds = scores(shape, True) if curve or rng.random() < 0.7 else torch.randint(0, 2, shape)
        elif task == "multiclass":
            target = torch.randint(0, n, (b, *extra)) if rng.random() < 0.8 else torch.randint(0, 2, (b, *extra))
            preds = scores((b, n, *extra), False) if curve or rng.random() < 0.7 else torch.randint(0, n, (b, *extra))
        else:
            shape = (b, n, *extra)
            target = torch.randint(0, 2, shape)
            preds = scores(shape, True) if curve or rng.random() < 0.8 else torch.randint(0, 2, shape)
        if rng.random() < 0.15:
            target = torch.full_like(target, rng.randint(0, 1))
        if ignore is not None:
            target = torch.where(torch.rand(target.shape) < 0.2, ignore, target)
        out.append((preds, target))
    return out


def classes():
    for name in ["Accuracy", "Precision", "Recall", "F1Score", "Specificity"]:
        for i in range(36):
            task = ["binary", "multiclass", "multiclass", "multilabel"][i % 4]
            n = rng.randint(2, 5)
            kwargs = {"task": task, "average": rng.choice(["micro", "macro", "weighted", "none"])}
            ignore = rng.choice([None, None, -1, 0 if task == "multiclass" else -100])
            if task == "multiclass":
                kwargs["num_classes"] = n
            if task == "multilabel":
                kwargs["num_labels"] = n
            if ignore is not None:
                kwargs["ignore_index"] = ignore
            if task != "multiclass" and rng.random() < 0.4:
                kwargs["threshold"] = rng.choice([0.25, 0.7])
            if name in ("Precision", "Recall", "F1Score") and rng.random() < 0.3:
                kwargs["zero_division"] = 1
            data = batches(task, n, ignore, False)
            if task == "multiclass" and data[0][0].ndim == data[0][1].ndim + 1 and rng.random() < 0.4 and ignore in (None,):
                data = [(p + torch.arange(p.numel()).view(p.shape) * 2**-16, t) for p, t in data if p.ndim == t.ndim + 1]
                data = [(p.float(), t) for p, t in data]
                kwargs["top_k"] = rng.randint(1, n)
            add(name, kwargs, data)
    for i in range(40):
        task = ["binary", "multiclass", "multiclass", "multilabel"][i % 4]
        n = rng.randint(2, 5)
        kwargs = {"task": task, "normalize": rng.choice(["true", "pred", "all", "none"])}
        ignore = rng.choice([None, None, -1, 0 if task == "multiclass" else -100])
        if task == "multiclass":
            kwargs["num_classes"] = n
        if task == "multilabel":
            kwargs["num_labels"] = n
        if ignore is not None:
            kwargs["ignore_index"] = ignore
        add("ConfusionMatrix", kwargs, batches(task, n, ignore, False))
    for name in ["AUROC", "AveragePrecision"]:
        for i in range(50):
            task = ["binary", "multiclass", "multilabel"][i % 3]
            n = rng.randint(2, 4)
            averages = ["macro", "weighted", "none"] + (["micro"] if task == "multilabel" else [])
            kwargs = {"task": task, "average": rng.choice(averages)}
            ignore = rng.choice([None, None, None, -1, 0 if task == "multiclass" else -100])
            if task == "multiclass":
                kwargs["num_classes"] = n
            if task == "multilabel":
                kwargs["num_labels"] = n
            if ignore is not None:
                kwargs["ignore_index"] = ignore
            if name == "AUROC" and task == "binary" and rng.random() < 0.4:
                kwargs["max_fpr"] = rng.choice([0.2, 0.5, 1.0])
            add(name, kwargs, batches(task, n, ignore, True))


def numbers():
    for name in ["MeanSquaredError", "MeanAbsoluteError", "R2Score"]:
        for _ in range(16):
            outputs = rng.choice([1, 1, 3])
            kwargs = {}
            if outputs > 1 and name != "R2Score":
                kwargs["num_outputs"] = outputs
            if name == "MeanSquaredError" and rng.random() < 0.4:
                kwargs["squared"] = False
            if name == "R2Score":
                kwargs["multioutput"] = rng.choice(["uniform_average", "raw_values", "variance_weighted"])
                if rng.random() < 0.3:
                    kwargs["adjusted"] = rng.randint(1, 3)
            data = []
            for _ in range(rng.randint(1, 3)):
                shape = (rng.randint(2, 8),) if outputs == 1 else (rng.randint(2, 8), outputs)
                x = torch.randn(shape).half().float()
                noise = rng.choice([0.0, 0.1, 1.0])
                target = torch.full(shape, 2.0) if rng.random() < 0.15 else x + noise * torch.randn(shape).half().float()
                data.append((x, target))
            add(name, kwargs, data)


def streams():
    for name in ["MeanMetric", "SumMetric", "MaxMetric", "MinMetric"]:
        for _ in range(8):
            kwargs = {"nan_strategy": rng.choice(["warn", "ignore", "disable", "error", 0.5])}
            data = []
            for _ in range(rng.randint(1, 4)):
                x = rng.choice([torch.randn(3), torch.randn(()), torch.randn(2, 2)])
                if rng.random() < 0.3:
                    x = x.clone()
                    x.view(-1)[0] = math.nan
                data.append((x,))
            add(name, kwargs, data)


def refused():
    ones = torch.ones(3, dtype=torch.long)
    add("Accuracy", {"task": "multiclass", "num_classes": 1}, [(ones, ones)])
    add("Accuracy", {"task": "multilabel", "num_labels": 1}, [(ones, ones)])
    add("Accuracy", {"task": "multiclass", "num_classes": 3, "top_k": 4}, [(ones, ones)])
    add("Accuracy", {"task": "multiclass", "num_classes": 3, "average": "best"}, [(ones, ones)])
    add("Accuracy", {"task": "binary", "threshold": 2.0}, [(ones, ones)])
    add("Accuracy", {"task": "binary"}, [(ones, torch.ones(2, dtype=torch.long))])
    add("Accuracy", {"task": "multiclass", "num_classes": 3}, [(ones.view(3, 1), ones.view(1, 3))])
    add("Accuracy", {"task": "multiclass", "num_classes": 3}, [(torch.rand(3, 2), ones)])
    add("Accuracy", {"task": "multiclass", "num_classes": 3}, [(torch.ones(3, 3, dtype=torch.long), ones)])
    add("Accuracy", {"task": "multiclass", "num_classes": 3}, [(torch.rand(3, 3, 2), torch.ones(3, 3, dtype=torch.long))])
    add("Precision", {"task": "binary", "zero_division": 2}, [(ones, ones)])
    add("ConfusionMatrix", {"task": "binary", "normalize": "rows"}, [(ones, ones)])
    add("R2Score", {}, [(torch.rand(1), torch.rand(1))])
    add("R2Score", {}, [(torch.rand(2, 2, 2), torch.rand(2, 2, 2))])
    add("R2Score", {"adjusted": -1}, [(torch.rand(2), torch.rand(2))])
    add("MeanSquaredError", {}, [(torch.rand(2), torch.rand(3))])


classes()
numbers()
streams()
refused()
lines = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases)
(HERE / "metrics.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
print(len(cases), "cases,", len((HERE / "metrics.jsonl.gz").read_bytes()), "bytes,", sum("error" in c for c in cases), "errors")
for c in cases:
    if "error" in c:
        print(c["metric"], {k: v for k, v in c["kwargs"].items()}, c["error"][:220])
