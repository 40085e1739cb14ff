"""Goldens of modules: repr, initial state after manual_seed(0), forward in train and eval mode, gradients of input and parameters."""
import itertools
import math

import torch
from torch import nn

from encode import DTYPES, arg, cotangent, kwargs_of, outputs_of, tensor, TOLERANCES

F32, F64 = torch.float32, torch.float64


def ramp(*shape):
    n = math.prod(shape)
    return (((torch.arange(n) * 7 % 17) - 8).to(F32) / 4).reshape(shape)


def layers():
    """(class, args, kwargs, inputs)."""
    yield from ((nn.Linear, a, k, x) for a, k, x in (
        ((4, 3), {}, [ramp(5, 4)]), ((4, 3), {"bias": False}, [ramp(5, 4)]), ((4, 3), {}, [ramp(4)]), ((4, 3), {}, [ramp(2, 2, 4)]),
        ((20, 1), {}, [ramp(2, 20)])))
    yield from ((nn.Conv1d, a, k, [ramp(2, 2, 7)]) for a, k in (
        ((2, 3, 3), {}), ((2, 3, 3), {"stride": 2, "padding": 1}), ((2, 4, 2), {"groups": 2, "dilation": 2, "bias": False}),
        ((2, 3, 3), {"padding": "same"}), ((2, 2, 3), {"padding": 1, "padding_mode": "circular"})))
    yield from ((nn.Conv2d, a, k, [ramp(2, 2, 5, 6)]) for a, k in (
        ((2, 3, 3), {}), ((2, 3, (2, 3)), {"stride": (2, 1), "padding": (1, 0)}), ((2, 4, 3), {"groups": 2, "padding": 1, "bias": False}),
        ((2, 3, 2), {"dilation": 2, "padding": "same"}), ((2, 2, 3), {"padding": 1, "padding_mode": "zeros"}), ((2, 2, 3), {"padding": 2, "padding_mode": "reflect"})))
    yield nn.Conv2d, (1, 6, 3), {}, [ramp(1, 1, 6, 6)]
    yield nn.Conv2d, (2, 3, 3), {}, [ramp(2, 5, 6)]
    yield from ((nn.ConvTranspose2d, a, k, [ramp(2, 3, 3, 3)]) for a, k in (
        ((3, 2, 3), {}), ((3, 2, 3), {"stride": 2, "padding": 1, "output_padding": 1}), ((3, 3, 2), {"groups": 3, "bias": False}), ((3, 2, 2), {"dilation": 2})))
    yield from ((nn.MaxPool2d, a, k, [ramp(1, 2, 6, 7)]) for a, k in (
        ((2,), {}), ((2, 2), {}), ((3,), {"stride": 2, "padding": 1}), (((2, 3),), {"stride": (1, 2), "ceil_mode": True}), ((2,), {"dilation": 2}), ((2,), {"return_indices": True})))
    yield from ((nn.AvgPool2d, a, k, [ramp(1, 2, 6, 7)]) for a, k in (
        ((2,), {}), ((3,), {"stride": 2, "padding": 1}), ((3,), {"padding": 1, "count_include_pad": False}), ((2,), {"ceil_mode": True, "divisor_override": 3})))
    yield from ((nn.AdaptiveAvgPool2d, (s,), {}, [ramp(1, 2, 5, 6)]) for s in (1, (2, 3), (None, 4)))
    yield nn.MaxPool1d, (2,), {}, [ramp(1, 2, 7)]
    yield nn.AvgPool1d, (2,), {}, [ramp(1, 2, 7)]
    yield from ((nn.Flatten, a, {}, [ramp(2, 3, 4)]) for a in ((), (0,), (0, 1), (-2, -1)))
    yield nn.Unflatten, (1, (2, 3)), {}, [ramp(2, 6)]
    yield nn.Identity, (), {}, [ramp(2, 3)]
    yield from ((nn.Dropout, a, k, [ramp(3, 4)]) for a, k in (((), {}), ((0.2,), {}), ((0.0,), {}), ((), {"p": 0.3, "inplace": True})))
    for c, x in ((nn.BatchNorm1d, ramp(5, 3)), (nn.BatchNorm1d, ramp(4, 3, 2)), (nn.BatchNorm2d, ramp(2, 3, 2, 3))):
        yield from ((c, (3,), k, [x]) for k in (
            {}, {"affine": False}, {"track_running_stats": False}, {"momentum": None}, {"eps": 0.01, "momentum": 0.3}))
    yield from ((nn.LayerNorm, a, k, [ramp(2, 3, 4)]) for a, k in (
        ((4,), {}), (([3, 4],), {}), ((4,), {"elementwise_affine": False}), ((4,), {"bias": False, "eps": 0.1})))
    yield from ((nn.GroupNorm, a, k, [ramp(2, 4, 3)]) for a, k in (((2, 4), {}), ((4, 4), {"affine": False}), ((1, 4), {"eps": 0.1})))
    yield nn.RMSNorm, (4,), {}, [ramp(2, 3, 4)]
    yield nn.InstanceNorm2d, (3,), {}, [ramp(2, 3, 2, 3)]
    ids = torch.tensor([[1, 4, 1], [0, 2, 3]])
    yield from ((nn.Embedding, (5, 3), k, [ids]) for k in ({}, {"padding_idx": 1}, {"padding_idx": -1, "scale_grad_by_freq": True}, {"max_norm": 1.0}))
    for c, ks in ((nn.ReLU, ({}, {"inplace": True})), (nn.Sigmoid, ({},)), (nn.Tanh, ({},)), (nn.LeakyReLU, ({}, {"negative_slope": 0.2, "inplace": True})),
                  (nn.ELU, ({}, {"alpha": 0.5}, {"alpha": 0.5, "inplace": True})), (nn.GELU, ({}, {"approximate": "tanh"})), (nn.SiLU, ({}, {"inplace": True})), (nn.Softplus, ({}, {"beta": 2, "threshold": 3.0})),
                  (nn.Softmax, ({"dim": 1}, {"dim": None}, {"dim": 0})), (nn.LogSoftmax, ({"dim": 1}, {"dim": -1})), (nn.ReLU6, ({}, {"inplace": True})), (nn.Hardtanh, ({}, {"min_val": -0.5, "max_val": 0.25}, {"inplace": True})),
                  (nn.Hardsigmoid, ({}, {"inplace": True})), (nn.Hardswish, ({}, {"inplace": True})), (nn.LogSigmoid, ({},)), (nn.Softsign, ({},)), (nn.SELU, ({}, {"inplace": True})), (nn.CELU, ({"alpha": 0.5}, {"inplace": True})),
                  (nn.Mish, ({}, {"inplace": True})), (nn.PReLU, ({}, {"num_parameters": 3})), (nn.Threshold, ({"threshold": 0.1, "value": 2.0}, {"threshold": 0, "value": 1, "inplace": True})), (nn.Softmin, ({"dim": 1},)), (nn.Tanhshrink, ({},)),
                  (nn.Softshrink, ({},)), (nn.Hardshrink, ({},)), (nn.GLU, ({"dim": 0},))):
        for k in ks:
            yield c, (), k, [ramp(4, 3)]
    yield nn.Softmax2d, (), {}, [ramp(2, 3, 2, 2)]
    yield nn.Softmax2d, (), {}, [ramp(3, 2, 2)]
    inputs = ramp(2, 2, 5), ramp(2, 2, 4, 5), ramp(1, 2, 3, 4, 3)
    for n, x in enumerate(inputs):
        kinds = "ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"
        for c in (getattr(nn, f"{kind}{n + 1}d") for kind in kinds):
            yield from ((c, (pads,), {}, [x]) for pads in (1, tuple(i % 3 for i in range(2 * n + 2))))
        c = getattr(nn, f"ConstantPad{n + 1}d")
        yield from ((c, (pads, value), {}, [x]) for pads, value in ((1, 3.5), (tuple(i % 3 - 1 for i in range(2 * n + 2)), 2)))
    image = ramp(2, 4, 3, 4)
    yield from ((nn.Upsample, (), k, [image]) for k in (
        {"scale_factor": 2}, {"size": 5}, {"size": (4, 6), "mode": "bilinear", "align_corners": True}, {"scale_factor": (2, 1.5), "mode": "bilinear"}))
    yield from ((c, (), k, [image]) for c in (nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d) for k in ({"scale_factor": 2}, {"size": (5, 3)}))
    yield nn.PixelShuffle, (2,), {}, [image]
    yield nn.PixelUnshuffle, (2,), {}, [ramp(1, 1, 4, 6)]
    yield from ((nn.Unfold, a, k, [image]) for a, k in (((2,), {}), (((2, 3),), {"dilation": (1, 1), "padding": 1, "stride": 2})))
    yield from ((nn.Fold, a, k, [ramp(2, 8, 6)]) for a, k in ((((3, 4), 2), {}), ((4, 2), {"padding": (1, 0), "stride": (2, 2)})))
    yield nn.CosineSimilarity, (), {"dim": 1, "eps": 1e-6}, [ramp(4, 3), ramp(4, 3).flip(0) + 0.5]
    yield nn.PairwiseDistance, (), {"p": 1.0, "keepdim": True}, [ramp(4, 3), ramp(4, 3).flip(0) + 0.5]


def losses():
    reductions = ("mean", "sum", "none")
    logits, target = ramp(4, 3), torch.tensor([2, 0, 1, 2])
    weight = torch.tensor([0.5, 1.0, 2.0])
    prob = torch.softmax(ramp(4, 3) + 0.5, 1)
    for r in reductions:
        for w, ignore, smoothing in itertools.product((None, weight), (-100, 1), (0.0, 0.1)):
            k = {"reduction": r} | ({"weight": w} if w is not None else {}) | ({"ignore_index": ignore} if ignore != -100 else {})
            yield nn.CrossEntropyLoss, (), k | ({"label_smoothing": smoothing} if smoothing else {}), [logits, target]
            if not smoothing:
                yield nn.NLLLoss, (), k, [torch.log_softmax(logits, 1), target]
        yield nn.CrossEntropyLoss, (), {"reduction": r, "weight": weight}, [logits, prob]
        yield nn.CrossEntropyLoss, (), {"reduction": r, "label_smoothing": 0.2}, [logits, prob]
        yield nn.CrossEntropyLoss, (), {"reduction": r}, [ramp(2, 3, 2, 2), torch.tensor([[[0, 1], [2, 0]], [[1, 1], [2, -100]]])]
        yield nn.CrossEntropyLoss, (), {"reduction": r}, [ramp(3), torch.tensor(1)]
        yield nn.NLLLoss, (), {"reduction": r}, [torch.log_softmax(ramp(2, 3, 2), 1), torch.tensor([[0, 1], [2, 0]])]
        other = ramp(4, 3).flip(0)
        yield nn.MSELoss, (), {"reduction": r}, [logits, other]
        yield nn.L1Loss, (), {"reduction": r}, [logits, other]
        yield nn.SmoothL1Loss, (), {"reduction": r}, [logits, other]
        yield nn.SmoothL1Loss, (), {"reduction": r, "beta": 0.5}, [logits, other]
        yield nn.HuberLoss, (), {"reduction": r, "delta": 2.0}, [logits, other]
        sign = torch.where(ramp(4, 3) > 0.3, 1.0, -1.0)
        yield nn.HingeEmbeddingLoss, (), {"reduction": r}, [other, sign]
        yield nn.HingeEmbeddingLoss, (), {"reduction": r, "margin": 0.5}, [other, sign]
        yield nn.SoftMarginLoss, (), {"reduction": r}, [other, sign]
        yield nn.BCELoss, (), {"reduction": r}, [torch.sigmoid(logits), (sign > 0).float()]
        yield nn.BCELoss, (), {"reduction": r, "weight": weight}, [torch.sigmoid(logits), prob]
        yield nn.BCEWithLogitsLoss, (), {"reduction": r}, [logits, (sign > 0).float()]
        yield nn.BCEWithLogitsLoss, (), {"reduction": r, "weight": weight, "pos_weight": torch.tensor([1.0, 2.0, 0.5])}, [logits, prob]
        for r2 in (r, "batchmean") if r == "mean" else (r,):
            yield nn.KLDivLoss, (), {"reduction": r2}, [torch.log_softmax(logits, 1), prob]
            yield nn.KLDivLoss, (), {"reduction": r2, "log_target": True}, [torch.log_softmax(logits, 1), torch.log(prob)]
        yield nn.MarginRankingLoss, (), {"reduction": r, "margin": 0.5}, [logits, other, sign]
        yield nn.CosineEmbeddingLoss, (), {"reduction": r, "margin": 0.25}, [logits, other, sign[:, 0]]
        for swap in (False, True):
            yield nn.TripletMarginLoss, (), {"reduction": r, "swap": swap, "p": 1.5}, [logits, other, sign]
            yield nn.TripletMarginWithDistanceLoss, (), {"reduction": r, "swap": swap, "margin": 0.5}, [logits, other, sign]
        yield nn.MultiMarginLoss, (), {"reduction": r, "p": 2, "weight": weight}, [logits, target]
        yield nn.MultiLabelMarginLoss, (), {"reduction": r}, [logits, torch.tensor([[0, 2, -1], [1, -1, 0], [-1, 0, 1], [2, 1, 0]])]
        yield nn.MultiLabelSoftMarginLoss, (), {"reduction": r}, [logits, (sign > 0).float()]
        yield nn.MultiLabelSoftMarginLoss, (), {"reduction": r, "weight": weight}, [logits, prob]
        for full in (False, True):
            yield nn.PoissonNLLLoss, (), {"reduction": r, "full": full, "log_input": full}, [prob, target[:, None].float()]
            yield nn.GaussianNLLLoss, (), {"reduction": r, "full": full}, [logits, other, prob]
        labels, steps, lengths = torch.tensor([[1, 2, 2], [2, 1, 0]]), torch.tensor([6, 5]), torch.tensor([3, 2])
        log_probs = torch.log_softmax(ramp(6, 2, 3), 2)
        for zero in (False, True):
            yield nn.CTCLoss, (), {"reduction": r, "zero_infinity": zero}, [log_probs, labels, steps, lengths]
            yield nn.CTCLoss, (), {"reduction": r, "zero_infinity": zero}, [log_probs, labels, torch.tensor([2, 6]), lengths]
        yield nn.CTCLoss, (), {"reduction": r, "blank": 2}, [log_probs, torch.tensor([0, 1, 0, 1, 1]), steps, lengths]
        yield nn.CTCLoss, (), {"reduction": r}, [log_probs[:, 0], labels[0], torch.tensor(6), torch.tensor(3)]
        yield nn.LinearCrossEntropyLoss, (3, 3), {"reduction": r, "bias": True, "weight": weight, "ignore_index": 1}, [logits, target]
        yield nn.LinearCrossEntropyLoss, (3, 3), {"reduction": r, "label_smoothing": 0.1, "out_features": (2,)}, [logits, torch.stack([target, target.flip(0)], 1)]
        yield nn.LinearCrossEntropyLoss, (3, 3), {"reduction": r}, [logits, prob]
    yield nn.MSELoss, (), {}, [logits, logits + 1]
    classes = torch.tensor([2, 7, 0, 5])
    yield from ((nn.AdaptiveLogSoftmaxWithLoss, a, k, [ramp(4, a[0]), classes]) for a, k in (
        ((16, 8, [2, 5]), {}), ((5, 9, [3]), {"div_value": 2.0, "head_bias": True}), ((4, 8, [1, 2, 6]), {"div_value": 1.5})))
    yield nn.AdaptiveLogSoftmaxWithLoss, (8, 8, [2, 5]), {}, [ramp(8), classes[1]]


def run(m, inputs):
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point() and (i == 0)) for i, x in enumerate(inputs)]
    fed = [x.clone() if getattr(m, "inplace", False) and x.requires_grad else x for x in leaves]
    outs = outputs_of(m(*fed))
    params = dict(m.named_parameters())
    diff = [o for o in outs if o.requires_grad]
    wanted = [x for x in leaves if x.requires_grad] + list(params.values())
    side = {"out": [tensor(o, True) for o in outs]}
    if diff:
        side["grad_fn"] = type(diff[0].grad_fn).__name__
        grads = torch.autograd.grad(diff, wanted, [cotangent(o) for o in diff], allow_unused=True)
        grads = [None if g is None else tensor(g, True) for g in grads]
        n = len(wanted) - len(params)
        side["grads"], side["param_grads"] = grads[:n], [list(p) for p in zip(params, grads[n:])]
    return side


def state(m):
    """A list of [key, tensor], since their order counts."""
    return [[k, tensor(v, True, exact=True)] for k, v in m.state_dict().items()]


def module_case(cls, args, kwargs, inputs, dtype):
    torch.manual_seed(0)
    m = cls(*args, **kwargs)
    case = {"module": cls.__name__, "dtype": DTYPES[dtype], "seed": 0, "args": [arg(a) for a in args], "kwargs": kwargs_of(kwargs),
            "repr": repr(m), "state": state(m)}
    m = m.to(dtype)
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in inputs]
    case["inputs"] = [tensor(x) for x in inputs]
    if not isinstance(m, nn.Dropout) or m.p == 0:
        case["train"] = run(m, inputs)
        case["state_after"] = state(m)
    m.eval()
    case["eval"] = run(m, inputs)
    case["tol"] = TOLERANCES[dtype] if dtype == F64 else [1e-5, 1e-5]
    return case


def module_cases():
    out = []
    for cls, args, kwargs, inputs in itertools.chain(layers(), losses()):
        for dtype in (F32, F64):
            out.append(module_case(cls, args, kwargs, inputs, dtype))
    return out


def init_cases():
    """Functions of nn.init after manual_seed(0): bit for bit where they draw uniforms."""
    out = []
    for shape, f, kw in itertools.chain(
            (((3, 4), f, kw) for f, kw in ((nn.init.uniform_, {}), (nn.init.uniform_, {"a": -2.0, "b": 3.0}), (nn.init.normal_, {}), (nn.init.normal_, {"mean": 1.0, "std": 0.5}),
                                          (nn.init.constant_, {"val": 0.3}), (nn.init.ones_, {}), (nn.init.zeros_, {}), (nn.init.eye_, {}), (nn.init.trunc_normal_, {}),
                                          (nn.init.trunc_normal_, {"mean": 1.0, "std": 0.5, "a": 0.0, "b": 1.5}), (nn.init.sparse_, {"sparsity": 0.4}),
                                          (nn.init.sparse_, {"sparsity": 0.7, "std": 2.0}), (nn.init.orthogonal_, {}))),
            (((4, 2, 3), f, kw) for f, kw in ((nn.init.dirac_, {}), (nn.init.dirac_, {"groups": 2}), (nn.init.orthogonal_, {"gain": 2.0}))),
            ((s, f, kw) for s in ((3, 4), (4, 2, 3, 3), (20, 20)) for f, kw in (
                (nn.init.xavier_uniform_, {}), (nn.init.xavier_uniform_, {"gain": 2.0}), (nn.init.xavier_normal_, {}), (nn.init.kaiming_uniform_, {}),
                (nn.init.kaiming_uniform_, {"a": 0.1, "mode": "fan_out", "nonlinearity": "leaky_relu"}), (nn.init.kaiming_normal_, {}),
                (nn.init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "relu"})))):
        for dtype in (F32, F64):
            torch.manual_seed(0)
            t = f(torch.empty(shape, dtype=dtype), **kw)
            first = t.reshape(-1)[:24]
            out.append({"init": f.__name__, "shape": list(shape), "dtype": DTYPES[dtype], "seed": 0, "kwargs": kwargs_of(kw),
                        "first": tensor(first, True, exact=True), "sum": float(t.double().sum())})
    return out
