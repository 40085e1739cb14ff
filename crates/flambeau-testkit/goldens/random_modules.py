"""Goldens of random configurations of every module class that flambeau has, as a layer or as a function: constructor arguments, shapes from
valid to invalid, dtypes, special values; outputs, gradients, buffers and messages. The format is that of modules.py, with what raises beside it."""
import copy
import math
import re

import torch
from torch import nn

from draw import BF16, F16, F32, F64, I64, INF, NAN, Draw
from encode import DTYPES, Unsupported, arg, cotangent, kwargs_of, outputs_of, tensor
from random_losses import (bce, bce_logits, classes, cosine_embedding, gaussian, kl_div, margin_ranking, multi_margin, pair, poisson, shapes_like,
                           triplet)

# Exceptions of Python's argument parser have no counterpart where arguments have types.
DROPPED = (TypeError, AttributeError)
# Messages that say nothing of the call: a kernel that PyTorch's CPU has not got for halves and flambeau has, oneDNN's inner life, a gradient
# of the wrong shape, a class whose function words it otherwise, circular padding that writes over what it reads.
DROPPED_WORDS = re.compile("not implemented for '(Half|BFloat16)'|could not construct a memory descriptor|returned an invalid gradient|^expected 3D or 4D input .got 5D"
                           "|refer to a single memory location")


# Each generator draws (args, kwargs, inputs).

def linear(d):
    i, o = d.int(0 if d.chance(0.1) else 1, 5), d.int(1, 4)
    shape = d.spoil(tuple(d.int(1, 3) for _ in range(d.int(0, 3))) + (i,))
    if d.chance(0.06):
        shape = (0, i)
    x = d.numbers(*shape)
    if d.chance(0.1):
        x = d.special(x)
    return (i, o), d.options(bias=[True, False]), [x]


def bilinear(d):
    a, b, o = d.int(1, 4), d.int(1, 4), d.int(1, 3)
    lead = tuple(d.int(1, 3) for _ in range(d.int(0, 2)))
    return (a, b, o), d.options(bias=[True, False]), [d.numbers(*d.spoil(lead + (a,))), d.numbers(*d.spoil(lead + (b,)))]


def conv(n):
    def draw(d):
        groups = d(1, 1, 1, 2, 3)
        i, o = groups * d.int(1, 2), groups * d.int(1, 2)
        if d.chance(0.04):
            i += 1
        kernel = d.lengths(n, 1, 3)
        k = d.options(0.35, stride=lambda: d.lengths(n, 1, 3), padding=lambda: d("same", "valid") if d.chance(0.25) else d.lengths(n, 0, 2),
                      dilation=lambda: d.lengths(n, 1, 2), bias=[False])
        if groups > 1:
            k["groups"] = groups
        if d.chance(0.2):
            k["padding_mode"] = d("zeros", "reflect", "replicate", "circular")
        if d.chance(0.03):
            k["groups"] = d(0, 4)
        low = 0 if d.chance(0.05) else 2
        return (i, o, kernel), k, [d.numbers(*d.spoil(d.batch(i, d.spatial(n, low, (9, 6, 4)[n - 1]), high=2)))]
    return draw


def conv_transpose(n):
    def draw(d):
        groups = d(1, 1, 1, 2)
        i, o = groups * d.int(1, 2), groups * d.int(1, 2)
        k = d.options(0.35, stride=lambda: d.lengths(n, 1, 3), padding=lambda: d.lengths(n, 0, 2), output_padding=lambda: d.lengths(n, 0, 2),
                      dilation=lambda: d.lengths(n, 1, 2), bias=[False])
        if groups > 1:
            k["groups"] = groups
        low = 0 if d.chance(0.05) else 1
        return (i, o, d.lengths(n, 1, 3)), k, [d.numbers(*d.spoil(d.batch(i, d.spatial(n, low, (6, 4, 3)[n - 1]), high=2)))]
    return draw


def pool_input(d, n, special=True):
    low = 0 if d.chance(0.06) else 1
    x = d.numbers(*d.spoil(d.batch(d.int(1, 2), d.spatial(n, low, (10, 6, 4)[n - 1]), high=2)), limit=8)
    if special and d.chance(0.3):
        x = d.special(x, (NAN, NAN, INF, -INF, -0.0))
    return x


def max_pool(n):
    def draw(d):
        low = -1 if d.chance(0.04) else 1
        k = d.options(0.4, stride=lambda: d.lengths(n, 0 if d.chance(0.1) else 1, 3), padding=lambda: d.lengths(n, -1 if d.chance(0.05) else 0, 2),
                      dilation=lambda: d.lengths(n, 0 if d.chance(0.08) else 1, 3), ceil_mode=[True], return_indices=[True])
        x = pool_input(d, n)
        return (d.lengths(n, low, 4),), k, [x.round().to(d(I64, torch.int32, torch.uint8)) if d.chance(0.04) and x.isfinite().all() else x]
    return draw


def avg_pool(n):
    def draw(d):
        low = -1 if d.chance(0.04) else 1
        k = d.options(0.4, stride=lambda: d.lengths(n, 0 if d.chance(0.1) else 1, 3), padding=lambda: d.lengths(n, -1 if d.chance(0.05) else 0, 2),
                      ceil_mode=[True], count_include_pad=[True, False])
        if n > 1 and d.chance(0.25):
            k["divisor_override"] = d(1, 2, 3, -2, 0)
        x = pool_input(d, n)
        return (d.lengths(n, low, 4),), k, [x.round().to(I64) if d.chance(0.04) and x.isfinite().all() else x]
    return draw


def output_size(d, n):
    one = lambda: d(None, 1, 2, 3, 4, 5, 0) if d.chance(0.5) else d.int(1, 4)
    if n == 1 or d.chance(0.4):
        return d.int(1, 5) if d.chance(0.95) else d(0, -1)
    return tuple(one() for _ in range(n))


def adaptive_avg(n):
    return lambda d: ((output_size(d, n),), {}, [pool_input(d, n)])


def adaptive_max(n):
    return lambda d: ((output_size(d, n),), d.options(0.4, return_indices=[True]), [pool_input(d, n)])


def max_unpool(n):
    def draw(d):
        kernel = d.lengths(n, 1, 3)
        k = d.options(0.5, stride=lambda: d.lengths(n, 0 if d.chance(0.15) else 1, 3), padding=lambda: d.lengths(n, 0, 1))
        shape = d.spoil(d.batch(d.int(1, 2), d.spatial(n, 1, 3), high=2))
        plane = math.prod(shape[-n:]) if len(shape) >= n else 1
        indices = d.ints(0, max(plane - 1, 0), *shape)
        if d.chance(0.15):
            indices = d.special(indices, (-1, plane * 40))
        if d.chance(0.08):
            indices = indices.to(d(torch.int32, F32, torch.uint8))
        if d.chance(0.05) and len(shape):
            indices = indices[..., :-1]
        return (kernel,), k, [d.numbers(*shape), indices]
    return draw


def batch_norm(n):
    def draw(d):
        c = d.int(1, 3)
        k = d.options(0.3, eps=[1e-3, 0.5, 0.0, -1.0, -1e-5], momentum=[None, 0.0, 0.3, 1.0], affine=[False], track_running_stats=[False], bias=[False, True])
        spatial = d.spatial(n, 0 if d.chance(0.08) else 1, 3)
        if n == 1 and d.chance(0.5):
            spatial = ()
        shape = d.spoil((0 if d.chance(0.08) else d.int(1, 4), c, *spatial))
        x = d.numbers(*shape)
        return (c,), k, [d.special(x) if d.chance(0.08) else x]
    return draw


def instance_norm(n):
    def draw(d):
        c = d.int(1, 3)
        k = d.options(0.3, eps=[1e-3, 0.5, 0.0, -1.0], momentum=[None, 0.0, 0.3, 1.0], bias=[False, True])
        k |= d.options(0.5, affine=[True, False], track_running_stats=[True, False])
        shape = d.spoil(d.batch(c, d.spatial(n, 0 if d.chance(0.08) else 1, 3), p_empty=0.1))
        x = d.numbers(*shape)
        return (c,), k, [d.special(x) if d.chance(0.08) else x]
    return draw


def normalized(d):
    shape = tuple(d.int(0 if d.chance(0.05) else 1, 4) for _ in range(d.int(1, 3)))
    lead = tuple(d.int(0 if d.chance(0.08) else 1, 3) for _ in range(d.int(0, 2)))
    x = d.numbers(*d.spoil(lead + shape))
    x = d.special(x) if d.chance(0.08) else x
    return (shape[0] if len(shape) == 1 and d.chance(0.5) else (() if d.chance(0.02) else shape)), x


def layer_norm(d):
    shape, x = normalized(d)
    return (shape,), d.options(0.35, eps=[0.1, 0.0, 1e-3, -1.0], elementwise_affine=[False, True], bias=[False, True]), [x]


def rms_norm(d):
    shape, x = normalized(d)
    return (shape,), d.options(0.35, eps=[0.1, 0.0, 1e-3, None], elementwise_affine=[False, True]), [x]


def group_norm(d):
    groups = d(1, 2, 3, 2, 0) if d.chance(0.2) else d.int(1, 3)
    c = max(groups, 1) * d.int(1, 2) + d.chance(0.06)
    shape = d.spoil((0 if d.chance(0.06) else d.int(1, 3), c, *d.spatial(d.int(0, 2), 0 if d.chance(0.05) else 1, 3)))
    return (groups, c), d.options(0.35, eps=[0.1, 0.0, 1e-3], affine=[False, True], bias=[False, True]), [d.numbers(*shape)]


def embedding(d):
    rows, width = d.int(1, 6), d.int(1, 3)
    k = d.options(0.35, padding_idx=lambda: d.int(-rows - 1, rows), max_norm=[0.5, 1.0, 2.0], norm_type=[1.0, 2.0, 3.0, INF], scale_grad_by_freq=[True])
    shape = tuple(d.int(0 if d.chance(0.1) else 1, 3) for _ in range(d.int(0, 3)))
    ids = d.ints(0, rows - 1, *shape)
    if d.chance(0.1):
        ids = d.special(ids, (-1, rows, rows + 3), 1)
    if d.chance(0.15):
        ids = ids.to(d(torch.int32, torch.int32, torch.uint8, F32, torch.bool))
    return (rows, width), k, [ids]


def flatten(d):
    shape = tuple(d.int(0 if d.chance(0.1) else 1, 3) for _ in range(d.int(0, 4)))
    return (), d.options(0.6, start_dim=lambda: d.int(-3, 3), end_dim=lambda: d.int(-3, 3)), [d.numbers(*shape)]


def unflatten(d):
    sizes = tuple(d(-1, 1, 2, 3) if d.chance(0.4) else d.int(1, 3) for _ in range(d.int(1, 3)))
    shape = [d.int(1, 3) for _ in range(d.int(1, 3))]
    dim = d.int(-len(shape), len(shape) - 1)
    shape[dim] = math.prod(abs(s) for s in sizes) * d(1, 1, 1, 2)
    if d.chance(0.06):
        dim = d(-4, 4)
    return (dim, sizes), {}, [d.numbers(*shape)]


def dropout(n):
    def draw(d):
        shape = tuple(d.int(0 if d.chance(0.05) else 1, 3) for _ in range(d.int(0, n + 3)))
        k = d.options(0.8, p=[0.0, 1.0, 0.3, -0.1, 1.5, 1], inplace=[True])
        return (), k, [d.numbers(*shape)]
    return draw


def elementwise(d):
    """Special values stand in whole vectors only: PyTorch's scalar remainder differs from its vector path at NaN."""
    if d.chance(0.4):
        return d.special(d.numbers(*d(((64,), (2, 64)), ((128,),))[0], limit=30), (NAN, INF, -INF, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0), 20)
    shape = tuple(d.int(0 if d.chance(0.08) else 1, 4) for _ in range(d.int(0, 3)))
    x = d.numbers(*shape, limit=30)
    if d.chance(0.06):
        return x.round().to(d(I64, torch.int32, torch.uint8, torch.bool))
    return x


def activation(**options):
    return lambda d: ((), d.options(0.6, **options), [elementwise(d)])


def softmax(d):
    shape = tuple(d.int(0 if d.chance(0.08) else 1, 4) for _ in range(d.int(0, 4)))
    x = d.numbers(*shape)
    x = d.special(x, (NAN, INF, -INF, -INF)) if d.chance(0.15) else x
    return (), {"dim": d(None, 0, 1, -1, 2, -2) if d.chance(0.9) else d(4, -5)}, [x]


def glu(d):
    shape = [d.int(1, 3) for _ in range(d.int(0 if d.chance(0.1) else 1, 3))]
    k = d.options(0.6, dim=lambda: d.int(-3, 2))
    dim = k.get("dim", -1)
    if shape and -len(shape) <= dim < len(shape) and d.chance(0.85):
        shape[dim] *= 2
    return (), k, [d.numbers(*shape)]


def prelu(d):
    c = d(1, 1, 2, 3)
    k = d.options(0.5, init=[0.5, 0, -1.0])
    if c > 1 or d.chance(0.3):
        k["num_parameters"] = c
    shape = tuple(d.int(0 if d.chance(0.04) else 1, 3) for _ in range(d.int(0, 3)))
    if len(shape) > 1 and d.chance(0.8):
        shape = (shape[0], c, *shape[2:])
    return (), k, [d.numbers(*shape)]


def rrelu(d):
    k = d.options(0.5, lower=[0.1, 0.25, -0.5], upper=[0.25, 0.5, 0.05])
    return (), k, [elementwise(d)]


def padding(n, constant=False, crops=True):
    """PyTorch's circular padding shows memory that nobody wrote where one side crops."""
    def draw(d):
        one = lambda: d.int(-2 if crops and d.chance(0.15) else 0, 4 if d.chance(0.1) else 2)
        pads = one() if d.chance(0.3) else tuple(one() for _ in range(2 * n))
        x = d.numbers(*d.spoil(d.batch(d.int(1, 2), d.spatial(n, 0 if d.chance(0.05) else 1, 4), high=2)))
        return ((pads, d(0.0, 1.5, -2)) if constant else (pads,)), {}, [x]
    return draw


def unfold(d):
    k = d.options(0.4, dilation=lambda: d.lengths(2, 0 if d.chance(0.1) else 1, 2), padding=lambda: d.lengths(2, -1 if d.chance(0.1) else 0, 2), stride=lambda: d.lengths(2, 0 if d.chance(0.1) else 1, 2))
    return (d.lengths(2, 0 if d.chance(0.06) else 1, 3),), k, [d.numbers(*d.spoil(d.batch(d.int(1, 2), d.spatial(2, 1, 4), high=2)))]


def fold(d):
    out, kernel = (d.int(2, 4), d.int(2, 4)), (d.int(1, 2), d.int(1, 3))
    k = d.options(0.3, padding=lambda: d.lengths(2, 0, 1), stride=lambda: d.lengths(2, 1, 2), dilation=lambda: d.lengths(2, 1, 2))
    two = lambda name, default: (k.get(name, default),) * 2 if isinstance(k.get(name, default), int) else k[name]
    count = [(out[i] + 2 * two("padding", 0)[i] - two("dilation", 1)[i] * (kernel[i] - 1) - 1) // two("stride", 1)[i] + 1 for i in (0, 1)]
    shape = d.spoil(d.batch(d.int(1, 2) * kernel[0] * kernel[1], (max(count[0] * count[1], 1),), high=2), 0.2)
    return (out, kernel), k, [d.numbers(*shape)]


def shuffle(down):
    def draw(d):
        f = d.int(1, 3) if d.chance(0.95) else d(0, -1)
        m = max(f, 1)
        shape = (d.int(1, 2), m * d.int(1, 2), m * d.int(1, 2)) if down else (m * m * d.int(1, 2), d.int(1, 3), d.int(1, 3))
        return (f,), {}, [d.numbers(*d.spoil(tuple(d.int(1, 2) for _ in range(d.int(0, 2))) + shape, 0.25))]
    return draw


def upsample(d):
    mode = d("nearest", "linear", "bilinear", "trilinear", "area")
    n = {"linear": 1, "bilinear": 2, "trilinear": 3}.get(mode, d.int(1, 3))
    if d.chance(0.1):
        n = d.int(1, 3)
    k = {"mode": mode}
    if d.chance(0.5):
        k["size"] = d.lengths(n, 0 if d.chance(0.05) else 1, 5)
    else:
        k["scale_factor"] = d(0.5, 1.5, 2.0, 2, 3.0, tuple(d(0.5, 1.5, 2.0) for _ in range(n)))
    if mode not in ("nearest", "area") and d.chance(0.5) or d.chance(0.05):
        k["align_corners"] = d(True, False)
    if "scale_factor" in k and d.chance(0.15):
        k["recompute_scale_factor"] = True
    return (), k, [d.numbers(*d.spoil((d.int(1, 2), d.int(1, 2), *d.spatial(n, 1, 4)), 0.08))]


def local_response(d):
    shape = d.spoil((d.int(1, 2), d.int(1, 4), *d.spatial(d.int(1, 2), 1, 3)), 0.2)
    x = d.numbers(*shape)
    return (d.int(0 if d.chance(0.1) else 1, 5),), d.options(0.5, alpha=[0.5, 1.0], beta=[0.5, 1.0], k=[1.0, 2.0]), [x.round().to(I64) if d.chance(0.15) else x]


def similarity(d):
    shape, other = shapes_like(d)
    return (), d.options(0.5, dim=lambda: d.int(-2, 2), eps=[1e-3, 1e-8]), [d.numbers(*shape), d.numbers(*other)]


def distance(d):
    shape, other = shapes_like(d)
    return (), d.options(0.5, p=[1.0, 2.0, 3.0, INF], eps=[1e-3, 0.0], keepdim=[True]), [d.numbers(*shape), d.numbers(*other)]


SLOPES = [0.2, 1, -0.5, 0.0, 0]
# Class: how many configurations, their generator.
CLASSES = {
    nn.Linear: (60, linear), nn.Bilinear: (40, bilinear),
    nn.Conv1d: (75, conv(1)), nn.Conv2d: (85, conv(2)), nn.Conv3d: (55, conv(3)),
    nn.ConvTranspose1d: (65, conv_transpose(1)), nn.ConvTranspose2d: (65, conv_transpose(2)), nn.ConvTranspose3d: (45, conv_transpose(3)),
    nn.MaxPool1d: (90, max_pool(1)), nn.MaxPool2d: (100, max_pool(2)), nn.MaxPool3d: (80, max_pool(3)),
    nn.AvgPool1d: (75, avg_pool(1)), nn.AvgPool2d: (80, avg_pool(2)), nn.AvgPool3d: (80, avg_pool(3)),
    nn.AdaptiveAvgPool1d: (35, adaptive_avg(1)), nn.AdaptiveAvgPool2d: (45, adaptive_avg(2)), nn.AdaptiveAvgPool3d: (40, adaptive_avg(3)),
    nn.AdaptiveMaxPool1d: (35, adaptive_max(1)), nn.AdaptiveMaxPool2d: (45, adaptive_max(2)), nn.AdaptiveMaxPool3d: (40, adaptive_max(3)),
    nn.MaxUnpool1d: (40, max_unpool(1)), nn.MaxUnpool2d: (45, max_unpool(2)), nn.MaxUnpool3d: (40, max_unpool(3)),
    nn.BatchNorm1d: (75, batch_norm(1)), nn.BatchNorm2d: (70, batch_norm(2)), nn.BatchNorm3d: (50, batch_norm(3)),
    nn.InstanceNorm1d: (60, instance_norm(1)), nn.InstanceNorm2d: (60, instance_norm(2)), nn.InstanceNorm3d: (45, instance_norm(3)),
    nn.LayerNorm: (60, layer_norm), nn.GroupNorm: (60, group_norm), nn.RMSNorm: (50, rms_norm),
    nn.Embedding: (80, embedding), nn.Flatten: (40, flatten), nn.Unflatten: (40, unflatten), nn.Identity: (4, activation()),
    nn.Dropout: (16, dropout(0)), nn.Dropout1d: (20, dropout(1)), nn.Dropout2d: (20, dropout(2)), nn.Dropout3d: (20, dropout(3)),
    nn.AlphaDropout: (14, dropout(0)), nn.FeatureAlphaDropout: (14, dropout(1)),
    nn.ReLU: (20, activation(inplace=[True])), nn.ReLU6: (16, activation()), nn.Hardtanh: (24, activation(min_val=[-0.5, -2, -1.0], max_val=[0.25, 3, 2.0])),
    nn.Sigmoid: (14, activation()), nn.Tanh: (14, activation()), nn.LeakyReLU: (24, activation(negative_slope=SLOPES, inplace=[True])),
    nn.ELU: (22, activation(alpha=[0.5, 2, -1.0])), nn.SELU: (16, activation()), nn.CELU: (22, activation(alpha=[0.5, 2, 0.0, -1.0])),
    nn.SiLU: (16, activation()), nn.Mish: (16, activation()), nn.GELU: (20, activation(approximate=["tanh", "none"])),
    nn.Softplus: (22, activation(beta=[2, 0.5, -1.0], threshold=[3.0, 1, 20])), nn.Softsign: (14, activation()), nn.Tanhshrink: (14, activation()),
    nn.Softshrink: (22, activation(lambd=[0.25, 1, 0.0, -0.5])), nn.Hardshrink: (22, activation(lambd=[0.25, 1, 0.0, -0.5])),
    nn.Hardsigmoid: (16, activation()), nn.Hardswish: (18, activation()), nn.LogSigmoid: (16, activation()),
    nn.Threshold: (20, lambda d: ((), {"threshold": d(0.1, 1, -0.5), "value": d(2.0, -1, 0.5)}, [elementwise(d)])),
    nn.GLU: (28, glu), nn.PReLU: (36, prelu), nn.RReLU: (24, rrelu), nn.Softmax: (28, softmax), nn.LogSoftmax: (28, softmax), nn.Softmin: (22, softmax),
    nn.CrossEntropyLoss: (130, lambda d: classes(d, True)), nn.NLLLoss: (90, lambda d: classes(d, False)), nn.BCELoss: (55, bce), nn.BCEWithLogitsLoss: (55, bce_logits),
    nn.MSELoss: (40, pair()), nn.L1Loss: (40, pair()), nn.SmoothL1Loss: (45, pair(beta=[0.5, 2.0, 0.0, -1.0])), nn.HuberLoss: (45, pair(delta=[0.5, 2.0, 0.0, -1.0])),
    nn.KLDivLoss: (45, kl_div), nn.HingeEmbeddingLoss: (45, pair(Draw.signs, margin=[0.5, 2.0, 0.0])), nn.SoftMarginLoss: (40, pair(Draw.signs)),
    nn.MarginRankingLoss: (45, margin_ranking), nn.CosineEmbeddingLoss: (40, cosine_embedding), nn.MultiMarginLoss: (45, multi_margin),
    nn.PoissonNLLLoss: (40, poisson), nn.GaussianNLLLoss: (45, gaussian), nn.TripletMarginLoss: (45, triplet),
    nn.ReflectionPad1d: (18, padding(1)), nn.ReflectionPad2d: (22, padding(2)), nn.ReflectionPad3d: (18, padding(3)),
    nn.ReplicationPad1d: (18, padding(1)), nn.ReplicationPad2d: (22, padding(2)), nn.ReplicationPad3d: (18, padding(3)),
    nn.CircularPad1d: (18, padding(1, crops=False)), nn.CircularPad2d: (22, padding(2, crops=False)), nn.ConstantPad1d: (14, padding(1, True)), nn.ConstantPad2d: (18, padding(2, True)),
    nn.Unfold: (50, unfold), nn.Fold: (40, fold), nn.PixelShuffle: (22, shuffle(False)), nn.PixelUnshuffle: (22, shuffle(True)),
    nn.Upsample: (80, upsample), nn.LocalResponseNorm: (32, local_response), nn.CosineSimilarity: (28, similarity), nn.PairwiseDistance: (28, distance),
}
# Modules that compute otherwise in training; of the others one run says all.
MODES = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)

ACCUMULATING = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm, nn.Upsample)


class Dropped(Exception):
    """A configuration that has no form in Rust."""


def attempt(call):
    """The result, or {"error": …} of an exception that goldens keep."""
    try:
        return call(), None
    except DROPPED as e:
        raise Dropped from e
    except Exception as e:  # noqa: BLE001: every other exception is a result here
        lines = str(e).splitlines()
        if not lines or DROPPED_WORDS.search(lines[0]):
            raise Dropped from e
        return None, {"type": type(e).__name__, "message": re.sub(r" ?\[?(0x[0-9a-f]{6,})\]?", "", lines[0])}


def run(m, inputs):
    leaves = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
    fed = [x.clone() if getattr(m, "inplace", False) and x.requires_grad else x for x in leaves]
    result, error = attempt(lambda: m(*fed))
    if error:
        return {"error": error}
    outs = outputs_of(result)
    params = dict(m.named_parameters())
    diff = [o for o in outs if o.requires_grad]
    wanted = [x for x in leaves if x.requires_grad] + list(params.values())
    side = {"out": [tensor(o, True) for o in outs]}
    if diff:
        side["grad_fn"] = type(diff[0].grad_fn).__name__
        grads, error = attempt(lambda: torch.autograd.grad(diff, wanted, [cotangent(o) for o in diff], allow_unused=True))
        if error:
            return side | {"backward_error": error}
        grads = [None if g is None else tensor(g, True) for g in grads]
        n = len(wanted) - len(params)
        side["grads"], side["param_grads"] = grads[:n], [list(p) for p in zip(params, grads[n:])]
    return side


def state(m):
    return [[k, tensor(v, True, exact=True)] for k, v in m.state_dict().items()]


def set_state(m, d):
    """Numbers on the grid for parameters and statistics, so that files stay small."""
    for name, t in [*m.named_parameters(), *m.named_buffers()]:
        if not t.is_floating_point() or name == "_random_samples" or name in ("weight", "pos_weight") and isinstance(m, nn.modules.loss._Loss):
            continue
        value = d.positive(*t.shape) if "var" in name else d.numbers(*t.shape, scale=8, limit=12)
        t.data.copy_(value)


TOLERANCE = {F64: 1e-7, F32: 1e-5, F16: 4e-3, BF16: 3e-2}


def results(m, inputs):
    """Outputs and gradients of one run, for comparing precisions; nothing where it fails."""
    try:
        leaves = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
        outs = [o for o in outputs_of(m(*(x.clone() if x.requires_grad else x for x in leaves))) if o.is_floating_point()]
        diff = [o for o in outs if o.requires_grad]
        wanted = [x for x in leaves if x.requires_grad] + list(m.parameters())
        return outs + [g for g in torch.autograd.grad(diff, wanted, [cotangent(o) for o in diff], allow_unused=True) if g is not None]
    except Exception:  # noqa: BLE001: what fails has no digits
        return []


def tolerance(m, inputs):
    """As near as the least precise dtype allows; of sums and statistics no nearer than PyTorch itself is to what it computes in float64."""
    dtypes = [t.dtype for t in (*inputs, *m.parameters(), *m.buffers()) if t.is_floating_point()]
    base = max((TOLERANCE[t] for t in dtypes), default=TOLERANCE[F64])
    error = 0.0
    if base > TOLERANCE[F64] and isinstance(m, ACCUMULATING):
        wide = [x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in inputs]
        here, there = results(copy.deepcopy(m), inputs), results(copy.deepcopy(m).double(), wide)
        for a, b in zip(here, there):
            gap = (a.double() - b).abs() if a.shape == b.shape else torch.zeros(0)
            error = max([error, *gap[gap.isfinite()].tolist()])
    return [base, max(base, float(f"{4 * error:.2g}"))]


def module_case(cls, i):
    d = Draw("module", cls.__name__, i)
    return configured(cls, d, *(*cls_draw(cls, d),)[:3])


def configured(cls, d, args, kwargs, inputs):
    """The golden of one configuration; `d` draws what is left open."""
    dtype = d.dtype()
    kwargs = {k: v.to(dtype if d.chance(0.95) else F64) if isinstance(v, torch.Tensor) else v for k, v in kwargs.items()}
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs)}
    m, error = attempt(lambda: cls(*args, **kwargs))
    if error:
        return case | {"error": error}
    case["repr"] = repr(m)
    m = m.to(dtype) if not isinstance(m, nn.modules.loss._Loss) else m
    set_state(m, d)
    case["state"] = state(m)
    mixed = d.chance(0.04)  # the last input in another dtype
    last = len(inputs) - 1
    inputs = [x.to(d(F32, F64, F16) if mixed and j == last else dtype) if x.is_floating_point() else x for j, x in enumerate(inputs)]
    for x in inputs:
        x.requires_grad_(x.is_floating_point() and (x is inputs[0] or d.chance(0.4)))
    case["inputs"] = [tensor(x) for x in inputs]
    case["tol"] = tolerance(m, inputs)
    random = getattr(m, "p", None) not in (0, 1) if isinstance(m, nn.modules.dropout._DropoutNd) else isinstance(m, nn.RReLU)
    if isinstance(m, MODES) and not random:
        case["train"] = run(m, inputs)
        case["state_after"] = state(m)
    m.eval()
    case["eval"] = run(m, inputs)
    # Looking up renormalises.
    if isinstance(m, nn.Embedding):
        case["state_after_eval"] = state(m)
    if "Transpose" in cls.__name__ and any(0 in t["s"][1:] for t in case["eval"].get("out", [])) and 0 not in inputs[0].shape:
        raise Dropped  # which of its kernels PyTorch takes decides whether an output without elements is an error
    if isinstance(m, (nn.Dropout1d, nn.Dropout3d)) and m.inplace and inputs[0].dim() != (3 if isinstance(m, nn.Dropout1d) else 5):
        raise Dropped  # its last node squeezes in place
    return case


def cls_draw(cls, d):
    return CLASSES[cls][1](d)


def random_module_cases():
    out = []
    for cls, (count, _) in CLASSES.items():
        for i in range(count):
            try:
                out.append(module_case(cls, i))
            except (Dropped, Unsupported):
                pass
    return out
