"""What each operation saves for its backward: which tensors PyTorch finds written to, and whether a second backward finds the graph freed.

    python crates/flambeau-testkit/goldens/saved.py

writes data/saved.jsonl.gz, which ../tests/saved.rs reads. An operation's tensors are its arguments in order, then its results: `0`, `1`, …, `out0`, …
Each run writes zeros to one of them between forward and backward, through `detach()`, which shares the version.
"""
import pathlib
import sys
import warnings

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
import encode


def f(*shape):
    """Different numbers between 0.1 and 0.9, in no order."""
    n = 1
    for d in shape:
        n *= d
    return ((torch.arange(n, dtype=torch.float32) * 7 % 11 + 1) / 13).reshape(shape)


def i(*values):
    return torch.tensor(values)


def b(*values):
    return torch.tensor(values)


M = b([True, False, True], [False, True, True])

# Name: (the call, its tensors). Those of floating point require gradients, unless the third item names their places as constants.
OPS = {
    "add": (lambda x, y: x + y, [f(2, 3), f(2, 3)]),
    "mul": (lambda x, y: x * y, [f(2, 3), f(2, 3)]),
    "mul_constant": (lambda x, y: x * y, [f(2, 3), f(2, 3)], [1]),
    "div": (lambda x, y: x / y, [f(2, 3), f(2, 3)]),
    "pow": (lambda x, y: x.pow(y), [f(2, 3), f(2, 3)]),
    "pow_scalar": (lambda x: x.pow(3), [f(2, 3)]),
    "exp": (lambda x: x.exp(), [f(2, 3)]),
    "log": (lambda x: x.log(), [f(2, 3)]),
    "tanh": (lambda x: x.tanh(), [f(2, 3)]),
    "sigmoid": (lambda x: x.sigmoid(), [f(2, 3)]),
    "sqrt": (lambda x: x.sqrt(), [f(2, 3)]),
    "relu": (lambda x: x.relu(), [f(2, 3)]),
    "gelu": (lambda x: F.gelu(x), [f(2, 3)]),
    "silu": (lambda x: F.silu(x), [f(2, 3)]),
    "softplus": (lambda x: F.softplus(x), [f(2, 3)]),
    "elu": (lambda x: F.elu(x), [f(2, 3)]),
    "leaky_relu": (lambda x: F.leaky_relu(x), [f(2, 3)]),
    "hardtanh": (lambda x: F.hardtanh(x), [f(2, 3)]),
    "prelu": (lambda x, w: F.prelu(x, w), [f(2, 3), f(3)]),
    "clamp": (lambda x: x.clamp(0.2, 0.5), [f(2, 3)]),
    "maximum": (lambda x, y: torch.maximum(x, y), [f(2, 3), f(3)]),
    "where": (lambda c, x, y: torch.where(c, x, y), [M, f(2, 3), f(2, 3)]),
    "lerp": (lambda x, y: x.lerp(y, 0.3), [f(2, 3), f(2, 3)]),
    "lerp_tensor": (lambda x, y, w: x.lerp(y, w), [f(2, 3), f(2, 3), f(3)]),
    "addcmul": (lambda x, y, z: x.addcmul(y, z), [f(2, 3), f(2, 3), f(3)]),
    "addcdiv": (lambda x, y, z: x.addcdiv(y, z), [f(2, 3), f(2, 3), f(3)]),
    "atan2": (lambda x, y: torch.atan2(x, y), [f(2, 3), f(3)]),
    "logaddexp": (lambda x, y: torch.logaddexp(x, y), [f(2, 3), f(3)]),
    "sum": (lambda x: x.sum(), [f(2, 3)]),
    "mean_dim": (lambda x: x.mean(1), [f(2, 3)]),
    "prod": (lambda x: x.prod(), [f(2, 3)]),
    "prod_dim": (lambda x: x.prod(1), [f(2, 3)]),
    "var": (lambda x: x.var(), [f(2, 3)]),
    "std": (lambda x: x.std(1), [f(2, 3)]),
    "norm": (lambda x: x.norm(), [f(2, 3)]),
    "logsumexp": (lambda x: x.logsumexp(1), [f(2, 3)]),
    "max": (lambda x: x.max(), [f(2, 3)]),
    "amax": (lambda x: x.amax(1), [f(2, 3)]),
    "aminmax": (lambda x: torch.aminmax(x, dim=1), [f(2, 3)]),
    "max_dim": (lambda x: x.max(1), [f(2, 3)]),
    "max_dim_keepdim": (lambda x: x.max(0, True), [f(2, 3)]),
    "min_dim": (lambda x: x.min(1), [f(2, 3)]),
    "median": (lambda x: x.median(), [f(2, 3)]),
    "median_dim": (lambda x: x.median(1), [f(2, 3)]),
    "kthvalue": (lambda x: x.kthvalue(2, 1), [f(2, 3)]),
    "sort": (lambda x: x.sort(1), [f(2, 3)]),
    "topk": (lambda x: x.topk(2, 1), [f(2, 3)]),
    "cummax": (lambda x: x.cummax(1), [f(2, 3)]),
    "cummin": (lambda x: x.cummin(1), [f(2, 3)]),
    "cumsum": (lambda x: x.cumsum(1), [f(2, 3)]),
    "cumprod": (lambda x: x.cumprod(1), [f(2, 3)]),
    "softmax": (lambda x: x.softmax(1), [f(2, 3)]),
    "log_softmax": (lambda x: x.log_softmax(1), [f(2, 3)]),
    "gather": (lambda x, n: x.gather(1, n), [f(2, 3), i([0, 2], [1, 1])]),
    "take_along_dim": (lambda x, n: x.take_along_dim(n, 1), [f(2, 3), i([0, 2], [1, 1])]),
    "index_select": (lambda x, n: x.index_select(1, n), [f(2, 3), i(0, 2)]),
    "index_select_int32": (lambda x, n: x.index_select(1, n), [f(2, 3), i(0, 2).int()]),
    "take": (lambda x, n: x.take(n), [f(2, 3), i(0, 4)]),
    "index": (lambda x, n: x[n], [f(2, 3), i(0, 1)]),
    "index_two": (lambda x, n, m: x[n, m], [f(2, 3), i(0, 1), i(2, 1)]),
    "index_column": (lambda x, n: x[:, n], [f(2, 3), i(0, 1)]),
    "index_negative": (lambda x, n: x[n], [f(2, 3), i(0, -1)]),
    "index_mask": (lambda x, m: x[m], [f(2, 3), M]),
    "masked_select": (lambda x, m: x.masked_select(m), [f(2, 3), M]),
    "masked_fill": (lambda x, m: x.masked_fill(m, 2.0), [f(2, 3), M]),
    "masked_fill_tensor": (lambda x, m, v: x.masked_fill(m, v), [f(2, 3), M, f()]),
    "masked_scatter": (lambda x, m, s: x.masked_scatter(m, s), [f(2, 3), M, f(2, 3)]),
    "index_add": (lambda x, n, s: x.index_add(0, n, s), [f(2, 3), i(1), f(1, 3)]),
    "index_copy": (lambda x, n, s: x.index_copy(0, n, s), [f(2, 3), i(1), f(1, 3)]),
    "index_fill": (lambda x, n: x.index_fill(0, n, 2.0), [f(2, 3), i(1)]),
    "index_put": (lambda x, n, v: x.index_put((n,), v), [f(2, 3), i(1), f(1, 3)]),
    "put": (lambda x, n, v: x.put(n, v), [f(2, 3), i(1), f(1)]),
    "scatter": (lambda x, n, s: x.scatter(1, n, s), [f(2, 3), i([0, 2], [1, 0]), f(2, 2)]),
    "scatter_value": (lambda x, n: x.scatter(1, n, 2.0), [f(2, 3), i([0, 2], [1, 0])]),
    "scatter_add": (lambda x, n, s: x.scatter_add(1, n, s), [f(2, 3), i([0, 2], [1, 1]), f(2, 2)]),
    "scatter_reduce_amax": (lambda x, n, s: x.scatter_reduce(1, n, s, "amax"), [f(2, 3), i([0, 2], [1, 1]), f(2, 2)]),
    "scatter_reduce_sum": (lambda x, n, s: x.scatter_reduce(1, n, s, "sum"), [f(2, 3), i([0, 2], [1, 1]), f(2, 2)]),
    "embedding": (lambda w, n: F.embedding(n, w), [f(4, 3), i(0, 2, 2)]),
    "matmul": (lambda x, y: x @ y, [f(2, 3), f(3, 2)]),
    "bmm": (lambda x, y: x.bmm(y), [f(2, 2, 3), f(2, 3, 2)]),
    "mv": (lambda x, y: x.mv(y), [f(2, 3), f(3)]),
    "dot": (lambda x, y: x.dot(y), [f(3), f(3)]),
    "outer": (lambda x, y: x.outer(y), [f(3), f(3)]),
    "addmm": (lambda c, x, y: c.addmm(x, y), [f(2, 2), f(2, 3), f(3, 2)]),
    "linear": (lambda x, w, c: F.linear(x, w, c), [f(2, 3), f(4, 3), f(4)]),
    "conv2d": (lambda x, w, c: F.conv2d(x, w, c), [f(1, 2, 4, 4), f(2, 2, 3, 3), f(2)]),
    "conv_transpose1d": (lambda x, w: F.conv_transpose1d(x, w), [f(1, 2, 4), f(2, 2, 3)]),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2, return_indices=True), [f(1, 2, 4)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2, return_indices=True), [f(1, 2, 4, 4)]),
    "max_pool3d": (lambda x: F.max_pool3d(x, 2, return_indices=True), [f(1, 1, 2, 2, 2)]),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True), [f(1, 2, 4, 4)]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), [f(1, 2, 4, 4)]),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 2), [f(1, 2, 4, 4)]),
    "batch_norm": (lambda x, w, c: F.batch_norm(x, None, None, w, c, True), [f(4, 3), f(3), f(3)]),
    "batch_norm_running": (lambda x, m, v, w, c: F.batch_norm(x, m, v, w, c, True), [f(4, 3), f(3), f(3), f(3), f(3)], [1, 2]),
    "batch_norm_eval": (lambda x, m, v, w, c: F.batch_norm(x, m, v, w, c, False), [f(4, 3), f(3), f(3), f(3), f(3)], [1, 2]),
    "layer_norm": (lambda x, w, c: F.layer_norm(x, (3,), w, c), [f(4, 3), f(3), f(3)]),
    "group_norm": (lambda x, w, c: F.group_norm(x, 2, w, c), [f(2, 4, 3), f(4), f(4)]),
    "nll_loss": (lambda x, t: F.nll_loss(x, t), [f(2, 3), i(0, 2)]),
    "nll_loss_weight": (lambda x, t, w: F.nll_loss(x, t, w), [f(2, 3), i(0, 2), f(3)], [2]),
    "nll_loss_none": (lambda x, t: F.nll_loss(x, t, reduction="none"), [f(2, 3), i(0, 2)]),
    "nll_loss_2d": (lambda x, t: F.nll_loss(x, t), [f(1, 3, 2, 1), i([[0], [2]])]),
    "cross_entropy": (lambda x, t: F.cross_entropy(x, t), [f(2, 3), i(0, 2)]),
    "cross_entropy_weight": (lambda x, t, w: F.cross_entropy(x, t, w), [f(2, 3), i(0, 2), f(3)], [2]),
    "cross_entropy_smoothed": (lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), [f(2, 3), i(0, 2)]),
    "cross_entropy_smoothed_weight": (lambda x, t, w: F.cross_entropy(x, t, w, label_smoothing=0.1), [f(2, 3), i(0, 2), f(3)], [2]),
    "cross_entropy_probabilities": (lambda x, t: F.cross_entropy(x, t), [f(2, 3), f(2, 3)], [1]),
    "multi_margin_loss": (lambda x, t: F.multi_margin_loss(x, t), [f(2, 3), i(0, 2)]),
    "multi_margin_loss_weight": (lambda x, t, w: F.multi_margin_loss(x, t, weight=w), [f(2, 3), i(0, 2), f(3)], [2]),
    "mse_loss": (lambda x, t: F.mse_loss(x, t), [f(2, 3), f(2, 3)]),
    "l1_loss": (lambda x, t: F.l1_loss(x, t), [f(2, 3), f(2, 3)], [1]),
    "smooth_l1_loss": (lambda x, t: F.smooth_l1_loss(x, t), [f(2, 3), f(2, 3)], [1]),
    "huber_loss": (lambda x, t: F.huber_loss(x, t), [f(2, 3), f(2, 3)], [1]),
    "binary_cross_entropy": (lambda x, t: F.binary_cross_entropy(x, t), [f(2, 3), f(2, 3)], [1]),
    "binary_cross_entropy_weight": (lambda x, t, w: F.binary_cross_entropy(x, t, w), [f(2, 3), f(2, 3), f(3)], [1, 2]),
    "bce_with_logits": (lambda x, t: F.binary_cross_entropy_with_logits(x, t), [f(2, 3), f(2, 3)], [1]),
    "kl_div": (lambda x, t: F.kl_div(x, t, reduction="sum"), [f(2, 3), f(2, 3)], [1]),
    "soft_margin_loss": (lambda x, t: F.soft_margin_loss(x, t), [f(2, 3), f(2, 3)], [1]),
    "dropout": (lambda x: F.dropout(x, 0.5), [f(2, 3)]),
    "view": (lambda x: x.view(6), [f(2, 3)]),
    "t": (lambda x: x.t(), [f(2, 3)]),
    "slice": (lambda x: x[:, 1:], [f(2, 3)]),
    "select": (lambda x: x.select(0, 1), [f(2, 3)]),
    "expand": (lambda x: x.expand(2, 3), [f(1, 3)]),
    "unfold": (lambda x: x.unfold(1, 2, 1), [f(2, 3)]),
    "diagonal": (lambda x: x.diagonal(), [f(2, 3)]),
    "clone": (lambda x: x.clone(), [f(2, 3)]),
    "double": (lambda x: x.double(), [f(2, 3)]),
    "flip": (lambda x: x.flip(0), [f(2, 3)]),
    "roll": (lambda x: x.roll(1, 0), [f(2, 3)]),
    "repeat": (lambda x: x.repeat(2, 1), [f(2, 3)]),
    "repeat_interleave": (lambda x, n: x.repeat_interleave(n, 1), [f(2, 3), i(1, 2, 0)]),
    "cat": (lambda x, y: torch.cat([x, y]), [f(2, 3), f(2, 3)]),
    "stack": (lambda x, y: torch.stack([x, y]), [f(2, 3), f(2, 3)]),
    "tril": (lambda x: x.tril(), [f(3, 3)]),
    "trace": (lambda x: x.trace(), [f(3, 3)]),
    "diag_embed": (lambda x: x.diag_embed(), [f(2, 3)]),
    "select_scatter": (lambda x, s: x.select_scatter(s, 0, 1), [f(2, 3), f(3)]),
    "pad": (lambda x: F.pad(x, (1, 1)), [f(2, 3)]),
    "pad_reflect": (lambda x: F.pad(x, (1, 1), "reflect"), [f(1, 2, 3)]),
    "im2col": (lambda x: F.unfold(x, 2), [f(1, 1, 3, 3)]),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2), [f(1, 1, 3, 3)]),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), [f(1, 4, 2, 2)]),
    "max_unpool2d": (lambda x, n: F.max_unpool2d(x, n, 2), [f(1, 1, 1, 1), i([[[3]]])]),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y), [f(2, 3), f(2, 3)]),
    "cdist_like": (lambda x, y: F.pairwise_distance(x, y), [f(2, 3), f(2, 3)]),
    "einsum": (lambda x, y: torch.einsum("ij,jk->ik", x, y), [f(2, 3), f(3, 2)]),
}


def tensors(name):
    call, given, *rest = OPS[name]
    constants = rest[0] if rest else []
    own = [t.clone() for t in given]
    for place, t in enumerate(own):
        if t.is_floating_point() and place not in constants:
            t.requires_grad_()
    return call, own


def forward(name):
    torch.manual_seed(0)
    call, given = tensors(name)
    out = call(*given)
    outs = [out] if isinstance(out, torch.Tensor) else list(out)
    loss = sum(o.sum() for o in outs if o.requires_grad)
    named = {str(k): t for k, t in enumerate(given)} | {f"out{k}": t for k, t in enumerate(outs)}
    return loss, named


def attempt(call):
    try:
        call()
        return None
    except RuntimeError as e:
        return str(e).splitlines()[0]


def case(name):
    loss, named = forward(name)
    loss.backward()
    second = attempt(loss.backward)
    written = {}
    for key in forward(name)[1]:
        loss, named = forward(name)
        named[key].detach().zero_()
        written[key] = attempt(loss.backward)
    args = [encode.tensor(t) for t in tensors(name)[1]]
    return {"op": name, "args": args, "second": second, "written": written}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    cases = [case(name) for name in OPS]
    encode.write(pathlib.Path(__file__).parent / "data" / "saved.jsonl.gz", cases)
    print(len(cases), sum(len(c["written"]) for c in cases))
