"""Goldens of torch.utils.data: random samplers, splits, sets made of sets and loaders, with the numbers that they yield after a seed, their lengths and what
PyTorch refuses."""
import re
import warnings

import torch
from torch.utils import data

from draw import Draw

COUNT = {"sampler": 200, "split": 80, "sets": 60, "loader": 300}


class Numbers(data.Dataset):
    """The sample i is i."""

    def __init__(self, n, first=0):
        self.n, self.first = n, first

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.first + i


class Stream(data.IterableDataset):
    """The samples 0 … n - 1, one after the other."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


class Measured(Stream):
    """A stream that knows its length."""

    def __len__(self):
        return self.n




def failure(e):
    return {"type": type(e).__name__, "message": re.sub(" at 0x[0-9a-f]+", "", str(e))}


FAILURES = (ValueError, RuntimeError, TypeError, AssertionError, KeyError)


def generator(seed):
    return None if seed is None else torch.Generator().manual_seed(seed)


def draw_sampler(d, n):
    """A sampler as data."""
    kind = d("random", "random", "subset", "weighted", "weighted", "distributed", "list", "sequential")
    seed = d(None, None, 7, 123)
    match kind:
        case "random":
            return {"kind": kind, "seed": seed} | d.options(replacement=[True, False], num_samples=[1, n + 2, 40, 64, 0, -1])
        case "subset":
            return {"kind": kind, "seed": seed, "indices": [d.int(0, max(0, n - 1)) for _ in range(d.int(0, 6))]}
        case "weighted":
            weights = [d(0.0, 0.5, 1.0, 2.0, 3.25) for _ in range(d.int(1, 8))]
            if d.chance(0.06):
                weights[0] = -1.0
            out = {"kind": kind, "seed": seed, "weights": weights, "num_samples": d(1, 2, len(weights), len(weights), 10, 0)} | d.options(replacement=[True, False, False])
            if not out.get("replacement", True):
                # Which of several weights of zero comes next is open: std::nth_element leaves them in some order.
                out["weights"] = [w or 0.25 for w in weights]
            return out
        case "distributed":
            return {"kind": kind} | d.options(0.9, num_replicas=[1, 2, 3, 4], rank=[0, 0, 1, 2, -1]) | d.options(0.4, shuffle=[True, False], seed=[0, 5], drop_last=[True, False]) | {"epochs": [d.int(0, 3) for _ in range(2)]}
        case "list":
            return {"kind": kind, "indices": [d.int(0, max(0, n - 1)) for _ in range(d.int(0, 6))]}
    return {"kind": kind}


def make_sampler(s, source):
    kw = {k: v for k, v in s.items() if k not in ("kind", "indices", "weights", "epochs") and (k != "seed" or s["kind"] == "distributed")}
    match s["kind"]:
        case "random":
            return data.RandomSampler(source, generator=generator(s["seed"]), **kw)
        case "subset":
            return data.SubsetRandomSampler(s["indices"], generator=generator(s["seed"]))
        case "weighted":
            return data.WeightedRandomSampler(s["weights"], generator=generator(s["seed"]), **kw)
        case "distributed":
            return data.DistributedSampler(source, **kw)
        case "list":
            return s["indices"]
    return data.SequentialSampler(source)


def sampler_case(i):
    d = Draw("sampler", i)
    n = d.int(1, 9)
    s = draw_sampler(d, n)
    out = {"n": n, "sampler": s}
    if d.chance(0.3):
        out["batch"] = [d(1, 2, 3, 4, 0, -2), d.chance(0.5)]
    torch.manual_seed(i)
    try:
        base = made = make_sampler(s, Numbers(n))
        if "batch" in out:
            made = data.BatchSampler(made, *out["batch"])
        out["len"] = len(made)
        passes = []
        for epoch in s.get("epochs", [0, 0]):
            if s["kind"] == "distributed":
                base.set_epoch(epoch)
            passes.append(list(made))
        out["passes"], out["next"] = passes, torch.randint(10**6, ()).item()
    except ZeroDivisionError as e:
        out["skip"] = str(e)
    except FAILURES as e:
        out["error"] = failure(e)
    return out


def split_case(i):
    d = Draw("split", i)
    n = d.int(0, 20)
    if d.chance(0.6):
        lengths = d([0.5, 0.5], [0.8, 0.2], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [1.0], [0.25] * 4, [0.9, 0.2], [1.5, -0.5], [0.0, 1.0], [1 / 3] * 3)
    else:
        cut = sorted(d.int(0, n) for _ in range(d.int(0, 2)))
        lengths = [b - a for a, b in zip([0, *cut], [*cut, n])]
        if d.chance(0.15):
            lengths[0] += 1
    seed = d(None, 42, 3)
    out = {"n": n, "lengths": lengths, "seed": seed}
    torch.manual_seed(i)
    try:
        parts = data.random_split(Numbers(n), lengths) if seed is None else data.random_split(Numbers(n), lengths, generator(seed))
        return out | {"parts": [list(part.indices) for part in parts]}
    except FAILURES as e:
        return out | {"error": failure(e)}


def sets_case(i):
    d = Draw("sets", i)
    kind = d("concat", "stack", "named", "chain")
    lengths = [d.int(0, 4) for _ in range(d.int(1, 3))]
    if kind in ("stack", "named") and d.chance(0.8):
        lengths = [lengths[0] + 1] * len(lengths)
    if kind == "concat" and d.chance(0.1):
        lengths = []
    if kind == "chain":
        sets = [d(Stream, Measured, Measured)(n) for n in lengths]
    else:
        sets = [Numbers(n, 10 * k) for k, n in enumerate(lengths)]
    out = {"kind": kind, "lengths": lengths, "measured": [isinstance(s, Measured) for s in sets]}
    try:
        match kind:
            case "concat":
                made = data.ConcatDataset(sets)
            case "stack":
                made = data.StackDataset(*sets)
            case "named":
                made = data.StackDataset(**{"abc"[k]: s for k, s in enumerate(sets)})
            case "chain":
                made = data.ChainDataset(sets)
        samples = list(made) if kind == "chain" else [made[k] for k in range(len(made))]
        out["samples"] = [str(s) for s in samples]
        out["len"] = len(made)
    except FAILURES as e:
        out["error"] = failure(e)
    return out


def loader_case(i):
    d = Draw("loader", i)
    n = d.int(0, 9)
    kind = d("map", "map", "map", "stream", "measured", "list")
    out = {"n": n, "kind": kind}
    args = d.options(0.6, batch_size=[1, 2, 3, 4, 0, -1]) | d.options(0.4, shuffle=[True, False]) | d.options(0.3, drop_last=[True, False])
    args |= d.options(0.12, num_workers=[0, 2, -1], timeout=[0, 5, -1], prefetch_factor=[2, -1], persistent_workers=[True, False], pin_memory=[False], in_order=[True, False],
                      multiprocessing_context=["fork", "thread"], generator=[11])
    if d.chance(0.06):
        args["batch_size"] = None
    if d.chance(0.2):
        out["sampler"] = draw_sampler(d, max(n, 1))
    if d.chance(0.15):
        out["batch_sampler"] = [[d.int(0, max(0, n - 1)) for _ in range(d.int(1, 3))] for _ in range(d.int(0, 3))]
    out["args"] = args
    torch.manual_seed(i)
    source = {"map": Numbers, "stream": Stream, "measured": Measured, "list": lambda n: list(range(n))}[kind](n)
    kw = dict(args)
    if "generator" in kw:
        kw["generator"] = generator(kw["generator"])
    try:
        if "sampler" in out:
            kw["sampler"] = make_sampler(out["sampler"], source)
        if "batch_sampler" in out:
            kw["batch_sampler"] = out["batch_sampler"]
    except FAILURES as e:
        return out | {"skip": str(e)}
    try:
        loader = data.DataLoader(source, **kw)
    except FAILURES as e:
        return out | {"error": failure(e)}
    try:
        out["len"] = len(loader)
    except TypeError as e:
        out["no_len"] = str(e)
    try:
        if not loader.num_workers:
            out["passes"] = [[b.tolist() if isinstance(b, torch.Tensor) else b for b in loader] for _ in range(2)]
            out["next"] = torch.randint(10**6, ()).item()
    except (IndexError, ZeroDivisionError) as e:
        return out | {"skip": str(e)}
    except FAILURES as e:
        out["pass_error"] = failure(e)
    return out


def random_data_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = {"sampler": sampler_case, "split": split_case, "sets": sets_case, "loader": loader_case}
        return [{"what": what} | case(i) for what, case in cases.items() for i in range(COUNT[what])]
