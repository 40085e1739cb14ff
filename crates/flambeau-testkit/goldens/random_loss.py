"""Goldens of random configurations of losses that random_modules.py has not: CTC, adaptive and linear softmax, several labels, distances of the
user's. The format is that of random_modules.py; a function among the arguments stands by its name, and options as a list of names and values."""
import torch
from torch import nn
from torch.nn import functional as F

import random_modules
from draw import F32, F64, I64, INF, NAN, Draw
from encode import DTYPES, Unsupported, arg, kwargs_of, tensor
from random_losses import REDUCTIONS
from random_modules import Dropped, attempt, run, set_state, state, tolerance

DISTANCES = {"l1": lambda x, y: (x - y).abs().sum(-1), "cosine": lambda x, y: 1.0 - F.cosine_similarity(x, y, dim=-1),
             "module": nn.PairwiseDistance(p=1.0, keepdim=True)}


def ctc(d):
    steps, batch, classes, most = d.int(1, 7), d.int(1, 3), d.int(1 if d.chance(0.05) else 2, 5), d.int(0 if d.chance(0.1) else 1, 3)
    k = d.options(0.5, reduction=REDUCTIONS, zero_infinity=[True], blank=lambda: d.int(-1, classes) if d.chance(0.1) else d.int(0, classes - 1))
    blank = k.get("blank", 0)
    x = d.numbers(steps, batch, classes).log_softmax(2)
    if d.chance(0.08):
        x = d.special(x, (-INF, -INF, NAN), 2)
    labels = d.ints(0, classes - 1, batch, most)
    if d.chance(0.85):  # without blanks among the labels
        labels = torch.where(labels == blank, (labels + 1) % classes, labels)
    lengths = d.ints(0 if d.chance(0.15) else min(1, most), most, batch)
    inputs = d.ints(0 if d.chance(0.08) else max(steps - 2, 1), steps, batch)
    wrong = d.int(0, 9) if d.chance(0.25) else -1
    if d.chance(0.3):
        labels = torch.cat([labels[i, :n] for i, n in enumerate(lengths.tolist())]) if batch else labels[0]
        if wrong == 0:
            labels = torch.cat([labels, labels.new_ones(1)])
    if wrong == 1:
        inputs[0] = steps + 1
    elif wrong == 2:
        inputs[-1] = -1
    elif wrong == 3:
        lengths[0] = most + 1
    elif wrong == 4:
        lengths[-1] = -1
    elif wrong == 5:
        inputs = inputs[1:] if d.chance(0.5) else torch.cat([inputs, inputs])
    elif wrong == 6:
        lengths = lengths[1:] if d.chance(0.5) else torch.cat([lengths, lengths])
    elif wrong == 7:
        x = x[:0] if d.chance(0.3) else d.numbers(*d.spoil(x.shape, 1.0))
    elif wrong == 8:
        inputs, lengths = (inputs.to(F32), lengths) if d.chance(0.5) else (inputs, lengths.to(d(F32, torch.bool)))
    elif wrong == 9:
        labels = labels.unsqueeze(0)
    elif batch == 1 and d.chance(0.5):
        x, inputs, lengths = x[:, 0], inputs[0], lengths[0]
    if d.chance(0.1):
        labels, inputs, lengths = labels.to(torch.int32), inputs.to(torch.int32), lengths.to(d(torch.int32, torch.uint8))
    if wrong >= 0 and d.chance(0.3):
        inputs = inputs.clone().flatten()
        inputs[:1] = steps + 3
    return (), k, {}, [x, labels, inputs, lengths]


def adaptive(d):
    features, classes = d.int(1, 8), d.int(3, 9)
    cutoffs = sorted({d.int(1, classes - 1) for _ in range(d.int(1, 3))})
    if d.chance(0.1):
        cutoffs = d([], [0, 2], [2, 1], [1, 1], [classes], [-1, 1])
    k = d.options(0.5, div_value=[2.0, 1.0, 1.5, 4.0], head_bias=[True])
    n = () if d.chance(0.15) else (0 if d.chance(0.06) else d.int(1, 5),)
    t = d.ints(0, classes - 1, *d.spoil(n, 0.08))
    if d.chance(0.1):
        t = d.special(t, (-1, classes, classes + 2), 1)
    return (features, classes, cutoffs), k, {}, [d.numbers(*d.spoil((*n, features), 0.08)), t]


def class_weight(d, classes):
    """Mostly one for each class, some of them 0."""
    shape = (classes,) if d.chance(0.9) else d((classes + 1,), (classes, 1))
    w = d.positive(*shape)
    return w * d.ints(0, 1, *shape) if d.chance(0.3) else w


def linear(d):
    features, classes = d.int(1, 4), d.int(1, 5)
    outer = tuple(d.int(1, 2) for _ in range(d.int(1, 2))) if d.chance(0.15) else ()
    n = () if d.chance(0.12) and not outer else (0 if d.chance(0.06) else d.int(1, 7),)
    k = d.options(0.4, reduction=REDUCTIONS, bias=[True], weight=lambda: class_weight(d, classes), label_smoothing=[0.1, 1.0, 0.0, 1.5])
    k |= d.options(0.2, ignore_index=lambda: d.int(-1, classes))
    if d.chance(0.75):
        k.pop("label_smoothing", None)
    if outer:
        k["out_features"] = outer
    own = {}
    if d.chance(0.7):
        own = d.options(0.3, allow_retain_graph=[True], batch_chunk_size=[1, 2, 3, 4, 9, 0], chunking_method=[None, "aspect_ratio", "aspect_ratio:2", "ratio"],
                        acc_policy=["accurate", "compact", "exact"], acc_dtype=[torch.float32, torch.float64, torch.int64])
        if d.chance(0.8) and own.get("acc_dtype") != torch.float32:
            own.pop("acc_dtype", None)
    t = d.ints(0, classes - 1, *d.spoil((*n, *outer), 0.06))
    if d.chance(0.2):
        t = d.special(t, (k.get("ignore_index", -100), -100))
    if d.chance(0.05):
        t = t.to(d(torch.int32, torch.uint8))
    if d.chance(0.25):
        t = d.unit(*n, classes, *outer)
    x = d.numbers(*d.spoil((*n, features), 0.06))
    if d.chance(0.05):
        x = d.special(x, (NAN, INF))
    return (features, classes), k, {"options": own} if own or d.chance(0.5) else {}, [x, t]


def multilabel_margin(d):
    classes = 0 if d.chance(0.03) else d.int(1, 5)
    n = () if d.chance(0.2) else (0 if d.chance(0.06) else d.int(1, 4),)
    k = d.options(0.5, reduction=REDUCTIONS)
    if n == (0,) and k.get("reduction") != "none":
        n = (1,)  # PyTorch's sum of nothing is memory that nobody wrote
    t = d.ints(-1, max(classes - 1, 0), *n, classes)
    if d.chance(0.08):
        t = d.special(t, (-2, classes, -7), 1)
    if d.chance(0.05):
        t = t.to(d(torch.int32, F32))
    x = d.numbers(*d.spoil((*n, classes), 0.08))
    if d.chance(0.1):
        x = d.special(x)
    if d.chance(0.05):
        x, t = d.numbers(), d.ints(-1, 0)
    return (), k, {}, [x, t]


def multilabel_soft_margin(d):
    shape = tuple(d.int(0 if d.chance(0.05) else 1, 4) for _ in range(d.int(1, 3)))
    other = shape if d.chance(0.85) else d.spoil(shape, 0.8) if d.chance(0.6) else tuple(1 if d.chance(0.5) else n for n in shape)
    k = d.options(0.4, reduction=REDUCTIONS, weight=lambda: d.positive(*(shape[-1:] if d.chance(0.85) else (shape[-1] + 1,))))
    x = d.numbers(*shape)
    if d.chance(0.1):
        x = d.special(x)
    t = d.ints(0, 1, *other).to(F64) if d.chance(0.6) else d.unit(*other)
    if d.chance(0.06):
        t = t.to(d(I64, torch.bool))
    if d.chance(0.04):
        x = x[0] if len(shape) == 1 and shape[0] else x
    return (), k, {}, [x, t]


def triplet_with_distance(d):
    shape = tuple(d.int(1, 4) for _ in range(d.int(1, 3)))
    k = d.options(0.5, reduction=REDUCTIONS, margin=[0.5, 2.0, 0.0, -1.0] if d.chance(0.2) else [0.5, 2.0], swap=[True])
    own = {"distance_function": d(*DISTANCES)} if d.chance(0.6) else {}
    return (), k, own, [d.numbers(*d.spoil(shape, 0.05)) for _ in range(3)]


CLASSES = {nn.CTCLoss: (230, ctc), nn.AdaptiveLogSoftmaxWithLoss: (90, adaptive), nn.LinearCrossEntropyLoss: (190, linear), nn.MultiLabelMarginLoss: (80, multilabel_margin),
           nn.MultiLabelSoftMarginLoss: (80, multilabel_soft_margin), nn.TripletMarginWithDistanceLoss: (70, triplet_with_distance)}


def case(cls, i):
    d = Draw("loss", cls.__name__, i)
    args, kwargs, own, inputs = CLASSES[cls][1](d)
    dtype = d(F32, F32, F64)
    kwargs = {k: v.to(dtype if d.chance(0.95) else F64) if isinstance(v, torch.Tensor) else v for k, v in kwargs.items()}
    shown = {k: list(map(list, v.items())) if isinstance(v, dict) else v for k, v in own.items()}
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs | shown)}

    def build():
        given = {k: nn.LinearCrossEntropyOptions(**v) if k == "options" else DISTANCES[v] for k, v in own.items()}
        m = cls(*args, **kwargs, **given)
        for part in m.children():
            part.to(dtype)
        return m

    m, error = attempt(build)
    if error:
        return case | {"error": error}
    set_state(m, d)
    case |= {"repr": repr(m), "state": state(m)}
    inputs = [x.to(dtype) if x.is_floating_point() and x.dtype == F64 else x for x in inputs]
    for x in inputs:
        x.requires_grad_(x.is_floating_point() and (x is inputs[0] or d.chance(0.3)))
    case |= {"inputs": [tensor(x) for x in inputs], "tol": tolerance(m, inputs)}
    return case | {"eval": run(m.eval(), inputs)}


# Further draws of the losses of random_modules.py: as many of each class, from this number on.
FURTHER, FIRST = 70, 1000


def random_loss_cases():
    drawn = [(case, cls, i) for cls, (count, _) in CLASSES.items() for i in range(count)]
    others = [cls for cls in random_modules.CLASSES if issubclass(cls, nn.modules.loss._Loss)]
    drawn += [(random_modules.module_case, cls, FIRST + i) for cls in others for i in range(FURTHER)]
    out = []
    for draw, cls, i in drawn:
        try:
            one = draw(cls, i)
            # A GPU tells of a shape at once and of an input's elements later: where both are wrong, it names the other.
            message = one.get("eval", {}).get("error", {}).get("message", "")
            if not ("weight" in one["kwargs"] and message.startswith("all elements of input")):
                out.append(one)
        except (Dropped, Unsupported):
            pass
    return out
