"""Which ops get goldens, and how their samples are chosen from PyTorch's own OpInfo database."""
import itertools
import random
import re

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import SampleInput, UnaryUfuncInfo

from encode import TOLERANCES, Unsupported, each_tensor, record, tensors_in

DB = {o.name + ("." + o.variant_test_name if o.variant_test_name else ""): o for o in op_db}

TIER_1 = """
add sub mul div.no_rounding_mode pow neg abs exp log sqrt rsqrt square sigmoid tanh sin cos clamp maximum minimum where sign floor ceil
round log1p lerp eq ne lt le gt ge logical_and logical_or logical_not isnan masked_fill masked_select tril triu sum mean var std prod
amax amin max.reduction_with_dim max.reduction_no_dim min.reduction_with_dim min.reduction_no_dim argmax argmin any all cumsum
logsumexp norm topk sort argsort reshape view flatten squeeze unsqueeze permute transpose t expand expand_as repeat repeat_interleave
cat stack split chunk unbind select slice contiguous clone to float long int item __getitem__ index_select gather scatter scatter_add
index_add index_put nonzero meshgrid.variadic_tensors zeros ones full arange linspace eye zeros_like ones_like full_like new_zeros
zero_ matmul mm bmm addmm mv dot outer einsum nn.functional.linear nn.functional.conv1d nn.functional.conv2d
nn.functional.conv_transpose2d nn.functional.embedding nn.functional.max_pool2d nn.functional.avg_pool2d
nn.functional.adaptive_avg_pool2d nn.functional.batch_norm nn.functional.layer_norm nn.functional.group_norm nn.functional.rms_norm
nn.functional.relu nn.functional.leaky_relu nn.functional.gelu nn.functional.silu nn.functional.elu nn.functional.softplus softmax
log_softmax nn.functional.scaled_dot_product_attention nn.functional.dropout nn.functional.normalize nn.functional.pad.constant
nn.functional.interpolate.nearest nn.functional.interpolate.bilinear nn.functional.one_hot nn.functional.cross_entropy
nn.functional.nll_loss nn.functional.mse_loss nn.functional.l1_loss nn.functional.smooth_l1_loss nn.functional.binary_cross_entropy
nn.functional.binary_cross_entropy_with_logits nn.functional.kl_div
""".split()

TIER_2 = """
reciprocal erf erfc expm1 addcmul addcdiv rsub isinf isfinite allclose equal clamp_min clamp_max max.binary min.binary flip roll
broadcast_to movedim narrow unflatten diagonal unfold as_strided ravel view_as reshape_as sum_to_size split_with_sizes
squeeze.multiple hstack vstack tile count_nonzero log2 log10 trunc remainder fmod floor_divide div.floor_rounding div.trunc_rounding
xlogy logaddexp atan2 sinh cosh tan asin acos atan logical_xor bitwise_and bitwise_or bitwise_xor bitwise_not nan_to_num isclose isin
lgamma logit __radd__ __rsub__ __rmul__ __rdiv__ __rpow__ T mT double half bool bfloat16 new_ones new_full fill scalar_tensor
cumprod cummax cummin var_mean std_mean aminmax median kthvalue linalg.vector_norm linalg.norm norm.inf dist msort diff unique
unique_consecutive bincount bucketize searchsorted argwhere
baddbmm addbmm addmv inner tensordot trace diag diag_embed
index_fill index_copy take put take_along_dim masked_scatter scatter_reduce.sum scatter_reduce.amax scatter_reduce.amin
tril_indices triu_indices select_scatter slice_scatter softmax.with_dtype log_softmax.with_dtype
nn.functional.relu6 nn.functional.logsigmoid nn.functional.hardtanh nn.functional.hardsigmoid nn.functional.hardswish
nn.functional.softsign nn.functional.selu nn.functional.celu nn.functional.mish nn.functional.threshold nn.functional.prelu
nn.functional.glu nn.functional.softmin nn.functional.huber_loss nn.functional.hinge_embedding_loss nn.functional.cosine_similarity
nn.functional.max_pool1d nn.functional.avg_pool1d nn.functional.adaptive_avg_pool1d nn.functional.conv_transpose1d
nn.functional.conv3d nn.functional.instance_norm nn.functional.pad.reflect nn.functional.pad.replicate nn.functional.pad.circular
nn.functional.interpolate.linear nn.functional.interpolate.bicubic nn.functional.unfold nn.functional.pixel_shuffle
nn.functional.pixel_unshuffle nn.functional.margin_ranking_loss nn.functional.cosine_embedding_loss
nn.functional.triplet_margin_loss nn.functional.soft_margin_loss nn.functional.multi_margin_loss nn.functional.poisson_nll_loss
nn.functional.gaussian_nll_loss nn.functional.pairwise_distance
""".split()

TIER_3 = """
exp2 hypot frac kron atleast_1d atleast_2d atleast_3d dstack broadcast_tensors tensor_split diagonal_scatter nansum nanmean
constant_pad_nd nn.functional.hardshrink nn.functional.softshrink nn.functional.tanhshrink nn.functional.bilinear
nn.functional.conv_transpose3d nn.functional.max_pool3d nn.functional.avg_pool3d nn.functional.adaptive_avg_pool3d
nn.functional.adaptive_max_pool1d nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d nn.functional.max_unpool1d
nn.functional.max_unpool2d nn.functional.max_unpool3d nn.functional.local_response_norm
quantile nanquantile rot90 cross linalg.cross fliplr flipud
asinh acosh deg2rad rad2deg sinc logaddexp2 copysign signbit isposinf isneginf positive fmax fmin heaviside column_stack hsplit vsplit
dsplit diagflat vdot linalg.svdvals linalg.matrix_rank linalg.pinv linalg.pinv.hermitian pinverse linalg.cond linalg.eigvalsh linalg.qr
linalg.matrix_power linalg.multi_dot linalg.vecdot linalg.matrix_norm
""".split()

# Ops that only move, select, compare or round data: results and gradients hold to the last bit in every dtype. (amax is not among
# them, since its gradient shares a tie by a division.)
EXACT = set("""
neg abs sign floor ceil round trunc maximum minimum max.binary min.binary clamp clamp_min clamp_max where eq ne lt le gt ge
logical_and logical_or logical_not logical_xor isnan isinf isfinite masked_fill masked_select tril triu
max.reduction_with_dim min.reduction_with_dim argmax argmin any all topk sort argsort
reshape view flatten squeeze unsqueeze permute transpose t expand expand_as repeat repeat_interleave cat stack split chunk unbind
select slice contiguous clone to float long int item __getitem__ index_select gather nonzero scatter index_put
meshgrid.variadic_tensors zeros ones full eye zeros_like ones_like full_like new_zeros zero_ nn.functional.embedding
nn.functional.max_pool2d nn.functional.max_pool1d nn.functional.relu nn.functional.relu6 nn.functional.hardtanh
nn.functional.threshold nn.functional.pad.constant nn.functional.interpolate.nearest nn.functional.one_hot nn.functional.unfold
nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.pad.reflect nn.functional.pad.replicate
nn.functional.pad.circular flip roll broadcast_to movedim narrow unflatten diagonal unfold as_strided ravel view_as reshape_as
split_with_sizes squeeze.multiple hstack vstack tile count_nonzero bitwise_and bitwise_or bitwise_xor bitwise_not isclose isin
nan_to_num T mT double half bool bfloat16 new_ones new_full fill scalar_tensor cummax cummin median kthvalue msort unique
unique_consecutive bincount bucketize searchsorted argwhere diag diag_embed index_fill index_copy take put take_along_dim
masked_scatter tril_indices triu_indices select_scatter slice_scatter allclose equal atleast_1d atleast_2d atleast_3d dstack
broadcast_tensors tensor_split diagonal_scatter constant_pad_nd copysign signbit isposinf isneginf positive fmax fmin heaviside column_stack
hsplit vsplit dsplit diagflat linalg.matrix_rank nn.functional.hardshrink nn.functional.max_pool3d frac
""".split())

# PyTorch does not promise which of several equal elements these return; the samples of small integers have many.
TIES_ARE_OPEN = {"topk", "median", "kthvalue"}

# Where PyTorch's own two code paths (vectorised and scalar, or different summation orders) differ by more than the default tolerance.
LOOSE_F32 = {
    "matmul", "mm", "bmm", "addmm", "mv", "dot", "einsum", "baddbmm", "addbmm", "addmv", "inner", "tensordot", "nn.functional.linear",
    "nn.functional.conv1d", "nn.functional.conv2d", "nn.functional.conv3d", "nn.functional.conv_transpose1d",
    "nn.functional.conv_transpose2d", "nn.functional.conv_transpose3d", "nn.functional.bilinear", "nn.functional.scaled_dot_product_attention", "prod", "cumprod", "pow", "__rpow__", "lgamma",
    "nn.functional.batch_norm", "nn.functional.layer_norm", "nn.functional.group_norm", "nn.functional.instance_norm",
    "nn.functional.rms_norm", "var", "std", "var_mean", "std_mean", "tan", "sinh", "cosh", "i0", "special.i0e", "special.i1", "special.i1e", "nn.functional.interpolate.bicubic",
}


def tolerance(name, dtype):
    if dtype == torch.float32 and name in LOOSE_F32:
        return [1e-5, 1e-5]
    if dtype == torch.float64 and name in ("lgamma",):
        return [1e-6, 1e-7]
    return TOLERANCES.get(dtype)


def seed(name, dtype):
    random.seed(f"{name} {dtype}")
    torch.manual_seed(random.randrange(2**31))


def quantise(t):
    """Rounds random values to short decimals (multiples of 1/1024 or 1/16384), where that keeps their order, and makes the tensor a fresh leaf."""
    d = t.detach()
    q = d.clone()
    if d.dtype in (torch.float32, torch.float64) and d.numel() and d.isfinite().all() and d.abs().max() < 256:
        for grid in (2**10, 2**14):
            rounded = (d * grid).round() / grid
            if d.unique().numel() == rounded.unique().numel() and ((rounded == 0) == (d == 0)).all():
                q = rounded
                break
    return q.requires_grad_() if t.requires_grad else q


def dense(t):
    """quantise, for a view first laid out anew."""
    return quantise(t.detach().contiguous().requires_grad_(t.requires_grad))


def signature(sample):
    """Two samples with the same signature test the same thing."""
    return repr(each_tensor([sample.input, sample.args, sample.kwargs], lambda t: f"<{tuple(t.shape)} {t.dtype}>"))


def corner(t):
    """At most 6 elements along each dim (2 from four dims on)."""
    return t[tuple(slice(0, 6 if t.dim() < 4 else 2) for _ in t.shape)].detach().contiguous().requires_grad_(t.requires_grad)


def samples(name, dtype, limit, requires_grad, max_elements):
    op = DB[name]
    seed(name, dtype)
    seen, kept = set(), []
    for s in itertools.islice(op.sample_inputs("cpu", dtype, requires_grad=requires_grad), 400):
        if (isinstance(op, UnaryUfuncInfo) or name == "to") and not tensors_in([s.args, s.kwargs]):
            s.input = corner(s.input)
        ts = tensors_in([s.input, s.args, s.kwargs])
        if any(t.numel() > max_elements or t.is_complex() or t.layout != torch.strided for t in ts):
            continue
        key = signature(s)
        if key not in seen:
            seen.add(key)
            kept.append(s)
    if len(kept) > limit:
        kept = [kept[i * (len(kept) - 1) // (limit - 1)] for i in range(limit)]
    return [SampleInput(each_tensor(s.input, dense), args=each_tensor(s.args, dense), kwargs=each_tensor(s.kwargs, dense)) for s in kept]


def strided(t, how):
    """The same kind of tensor as t, in memory that is not dense: transposed, every second element from an offset, or expanded."""
    d = t.detach()
    if not d.is_floating_point() or d.dim() == 0 or d.numel() == 0:
        return t
    if how == "transposed" and d.dim() >= 2:
        v = d.transpose(-1, -2).contiguous().transpose(-1, -2)
    elif how == "expanded" and d.dim() >= 2:
        v = d[:1].clone().expand(d.shape)
    else:
        base = torch.zeros(*d.shape[:-1], 2 * d.shape[-1] + 1, dtype=d.dtype)
        base[..., 1::2] = d
        v = base[..., 1::2]
    return v.requires_grad_() if t.requires_grad else v


def index_tuple(index):
    """An index as the tuple that the format holds: a list inside it is an index tensor."""
    if not isinstance(index, tuple):
        index = (index,)
    return tuple(torch.tensor(i) if isinstance(i, (list, tuple)) else i for i in index)


def result_is_random(name, kwargs, args):
    return name == "nn.functional.dropout" and kwargs.get("training", True) and kwargs.get("p", 0.5) not in (0, 0.0, 1, 1.0)


def op_cases(name):
    """All op_db cases of one op: f64 with gradients, f32 values, other dtypes' values, strided inputs, errors."""
    op = DB[name]
    exact = name in EXACT
    out = []

    def add(s, kind, grads, dtype):
        args = [s.input, *s.args]
        if name == "__getitem__":
            args = [s.input, index_tuple(s.args[0])]
        kwargs = dict(s.kwargs)
        if result_is_random(name, kwargs, s.args):
            return
        try:
            tol = None if exact else tolerance(name, dtype)
            case = record(name, op.op, args, kwargs, kind, grads=grads, tol=tol, exact=exact)
        except Unsupported:
            return
        if "error" in case:
            raise RuntimeError(f"{name} {dtype}: {case['error']}")
        out.append(case)

    for dtype, limit, kind in ((torch.float64, 12, "sample"), (torch.float32, 6, "sample"), (torch.int64, 4, "sample"),
                               (torch.int32, 2, "sample"), (torch.uint8, 2, "sample"), (torch.bool, 3, "sample"),
                               (torch.float16, 2, "sample"), (torch.bfloat16, 2, "sample")):
        if dtype not in op.dtypes or name in TIES_ARE_OPEN and not dtype.is_floating_point:
            continue
        grads = dtype == torch.float64 and op.supports_autograd
        floating = dtype in (torch.float64, torch.float32)
        wants_grad = floating and op.supports_autograd
        chosen = samples(name, dtype, limit, wants_grad, 150 if dtype == torch.float64 else 120) \
            or samples(name, dtype, 4, wants_grad, 300) or samples(name, dtype, 2, wants_grad, 1100)
        for s in chosen:
            add(s, kind, grads, dtype)
        if dtype == torch.float64:
            hows = ("transposed", "sliced", "expanded")
            views = [s for s in chosen if any(t.dim() >= 1 and t.numel() > 1 for t in tensors_in(s.input))]
            views = [views[i * (len(views) - 1) // 2] for i in range(3)] if len(views) >= 3 else views
            for how, s in zip(hows, views):
                v = SampleInput(each_tensor(s.input, lambda t: strided(t, how)),
                                args=each_tensor(s.args, lambda t: strided(t, how)),
                                kwargs=each_tensor(s.kwargs, lambda t: strided(t, how)))
                if name in ("as_strided", "resize_") or name == "view" and how != "expanded":
                    continue
                try:
                    add(v, "strided", grads, dtype)
                except RuntimeError:
                    continue
    return out + error_cases(name, op)


# Messages about what a typed API cannot express (argument types, keyword clashes, other devices) say nothing to us.
NOT_OURS = re.compile(r"invalid combination of arguments|cuda|meta|must be (Tensor|tuple|int|bool|float|Number)|out=|XLA|unexpected keyword|"
                      r"Expected all tensors to be on the same device|result type|takes \d+ positional|missing \d+ required|complex", re.I)


def error_cases(name, op):
    if op.error_inputs_func is None:
        return []
    seed(name, "errors")
    out = []
    try:
        inputs = list(itertools.islice(op.error_inputs("cpu"), 60))
    except Exception:  # noqa: BLE001: some generators need other devices
        return []
    for e in inputs:
        s = e.sample_input
        if "out" in s.kwargs or any(t.numel() > 300 for t in tensors_in([s.input, s.args, s.kwargs])):
            continue  # out= is not in the API, and its memory is not even the same from run to run
        try:
            case = record(name, op.op, [s.input, *s.args], dict(s.kwargs), "error", grads=False)
        except (Unsupported, AttributeError):
            continue
        if "error" in case and case["error"]["type"] not in ("TypeError", "AttributeError") and not NOT_OURS.search(case["error"]["message"]):
            out.append(case)
    return out
