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
        numbers = x.int() if x.dtype == torch.bool else x
        return {"dtype": str(x.dtype).removeprefix("torch."), "shape": list(x.shape), "data": [plain(v) for v in numbers.flatten().tolist()]}
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


def name_classes(kwargs, n, ignore):
    """Adds what a task's metric is told of its classes."""
    if kwargs["task"] == "multiclass":
        kwargs["num_classes"] = n
    if kwargs["task"] == "multilabel":
        kwargs["num_labels"] = n
    if ignore is not None:
        kwargs["ignore_index"] = ignore


def classes():
    for name in ["Accuracy", "Precision", "Recall", "F1Score", "Specificity"]:
        for i in range(36):
            task = ["binary", "multiclass", "multiclass", "multilabel"][i % 4]
            n = rng.randint(2, 5)
            kwargs = {"task": task, "average": rng.choice(["micro", "macro", "weighted", "none"])}
            ignore = rng.choice([None, None, -1, 0 if task == "multiclass" else -100])
            name_classes(kwargs, n, ignore)
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
        name_classes(kwargs, n, ignore)
        add("ConfusionMatrix", kwargs, batches(task, n, ignore, False))
    for name in ["AUROC", "AveragePrecision"]:
        for i in range(50):
            task = ["binary", "multiclass", "multilabel"][i % 3]
            n = rng.randint(2, 4)
            averages = ["macro", "weighted", "none"] + (["micro"] if task == "multilabel" else [])
            kwargs = {"task": task, "average": rng.choice(averages)}
            ignore = rng.choice([None, None, None, -1, 0 if task == "multiclass" else -100])
            name_classes(kwargs, n, ignore)
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


def narrow_targets():
    """Targets of all dtypes, and what is ignored of them: the number is compared in the targets' dtype."""
    for dtype, ignore, value in [
        (torch.int32, None, 0), (torch.int16, None, 0), (torch.int8, None, 0), (torch.uint8, None, 0), (torch.bool, None, 0),
        (torch.int32, -100, -100), (torch.int16, -1, -1), (torch.int8, 255, -1), (torch.int8, -1, -1), (torch.uint8, -1, 255),
        (torch.uint8, 255, 255), (torch.uint8, -100, 156), (torch.int32, -(2**63) + 5, 5), (torch.bool, -1, 1),
    ]:
        kwargs = {} if ignore is None else {"ignore_index": ignore}
        for name in ["AUROC", "AveragePrecision", "Accuracy", "ConfusionMatrix"]:
            extra = {"normalize": "none"} if name == "ConfusionMatrix" else {}
            target = torch.randint(0, 2, (9,)).to(dtype)
            target[4] = value
            add(name, {"task": "binary", **kwargs, **extra}, [(torch.randn(9), target)])
            target = torch.randint(0, 2, (5, 2)).to(dtype)
            target[2, 1] = value
            if name != "ConfusionMatrix" or ignore is None or ignore == value < 0:  # torchmetrics falls over its own indices.
                add(name, {"task": "multilabel", "num_labels": 2, **kwargs, **extra}, [(torch.rand(5, 2), target)])
            if dtype != torch.bool:
                target = torch.randint(0, 3, (9,)).to(dtype)
                target[4] = value
                add(name, {"task": "multiclass", "num_classes": 3, **kwargs, **extra}, [(torch.randn(9, 3), target)])


def only_of_two_classes():
    """`max_fpr` says nothing to the other tasks, whatever it is."""
    for most in (0.3, 3.0):
        add("AUROC", {"task": "multiclass", "num_classes": 3, "max_fpr": most}, [(torch.randn(12, 3), torch.randint(0, 3, (12,)))])
        add("AUROC", {"task": "multilabel", "num_labels": 3, "max_fpr": most}, [(torch.randn(9, 3), torch.randint(0, 2, (9, 3)))])


def class_numbers():
    """Classes as numbers with a fraction: all at once compares them as they are, the others drop the fraction."""
    for dtype in [torch.float32, torch.float64, torch.float16]:
        preds = torch.tensor([0.9, 1.2, 2.0, 1.0, 0.0, 2.75]).to(dtype)
        target = torch.tensor([0, 1, 2, 2, 0, 1])
        for name in ["Accuracy", "Precision", "Recall", "F1Score", "Specificity"]:
            for kwargs in [{}, {"ignore_index": 0}, {"average": "macro"}, {"average": "none"}, {"average": "weighted"}]:
                kwargs = {"average": "micro", **kwargs}
                add(name, {"task": "multiclass", "num_classes": 3, **kwargs}, [(preds, target), (preds.view(2, 3), target.view(2, 3).to(torch.uint8))])
        add("ConfusionMatrix", {"task": "multiclass", "num_classes": 3, "normalize": "none"}, [(preds, target)])
    add("Accuracy", {"task": "multiclass", "num_classes": 3, "average": "micro"}, [(torch.tensor([0.0, 1.0, 5.0, -0.5]), torch.tensor([0, 1, 2, 0]))])
    for average in ["micro", "macro"]:
        for preds in [torch.tensor([0, 1, 2]), torch.tensor([0.0, 1.0, 2.0])]:
            add("Accuracy", {"task": "multiclass", "num_classes": 3, "top_k": 2, "average": average}, [(preds, torch.tensor([0, 1, 2]))])


def weighted():
    """A mean with weights of many shapes."""
    nan, six = math.nan, torch.arange(6.0).view(2, 3)
    for value, weight in [
        (six, torch.tensor([1.0, 2.0, 3.0])), (six, torch.tensor([[1.0], [2.0]])), (six, torch.tensor(2.0)), (six, torch.rand(2, 3)),
        (six, torch.tensor([4.0])), (torch.tensor(5.0), torch.tensor(4)), (torch.tensor([1, 2]), torch.tensor([1, 2])),
        (torch.rand(2, 2, 3), torch.rand(2, 1)), (torch.zeros(0), torch.tensor(1.0)),
        (torch.tensor([1.0, nan]), torch.tensor([3.0, 2.0])), (torch.tensor([1.0, 4.0]), torch.tensor([nan, 2.0])),
        (torch.tensor([[1.0, nan, 2.0], [3.0, 4.0, 5.0]]), torch.tensor([1.0, 2.0, 3.0])),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([nan, 3.0])), (torch.tensor([1.0, nan]), torch.tensor(7.0)),
        (six, torch.rand(2)), (torch.rand(2), torch.rand(3)), (torch.tensor(1.0), torch.rand(2)), (six, torch.rand(1, 1, 3)),
    ]:
        for strategy in ["warn", "ignore", "disable", "error", 0.5]:
            add("MeanMetric", {"nan_strategy": strategy}, [(value.clone(), weight.clone()), (torch.tensor(2.0), torch.tensor(3.0))])


classes()
numbers()
streams()
refused()
narrow_targets()
only_of_two_classes()
class_numbers()
weighted()
lines = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases)
(HERE / "metrics.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
print(len(cases), "cases,", len((HERE / "metrics.jsonl.gz").read_bytes()), "bytes,", sum("error" in c for c in cases), "errors")
for c in cases:
    if "error" in c:
        print(c["metric"], {k: v for k, v in c["kwargs"].items()}, c["error"][:220])
