"""In-place operations on every kind of view, under each grad mode: what PyTorch computes or raises, and the history that it leaves.

    python crates/flambeau-testkit/goldens/inplace.py

writes data/inplace.jsonl.gz, which ../tests/inplace.rs reads. Names of bases, views and operations are those of the tables there.
"""
import contextlib
import math
import pathlib
import sys
import warnings

import torch

sys.dont_write_bytecode = True
import encode

# The tensor that is viewed: [2, 3], 1 to 6, no view itself.
BASES = {
    "plain": lambda x: x,
    "leaf": lambda x: x.requires_grad_(),
    "computed": lambda x: x.requires_grad_() * 1,
}

VIEWS = {
    "self": lambda b: b,
    "select": lambda b: b.select(0, 1),
    "slice": lambda b: b[:, 1:],
    "slice_step": lambda b: b[:, ::2],
    "narrow": lambda b: b.narrow(1, 0, 2),
    "t": lambda b: b.t(),
    "view": lambda b: b.view(6),
    "reshape": lambda b: b.reshape(3, 2),
    "reshape_copy": lambda b: b.t().reshape(6),
    "flatten": lambda b: b.flatten(0, -1),
    "permute": lambda b: b.permute(1, 0),
    "movedim": lambda b: b.movedim(0, 1),
    "swapaxes": lambda b: b.swapaxes(0, 1),
    "unsqueeze": lambda b: b.unsqueeze(0),
    "squeeze": lambda b: b[:, :1].squeeze(1),
    "expand": lambda b: b[:, :1].expand(2, 3),
    "expand_new": lambda b: b.expand(2, 2, 3),
    "expand_same": lambda b: b.expand(2, 3),
    "unfold": lambda b: b.unfold(1, 2, 1),
    "unfold_apart": lambda b: b.unfold(1, 1, 2),
    "diagonal": lambda b: b.diagonal(),
    "as_strided": lambda b: b.as_strided((2, 2), (3, 1), 1),
    "as_strided_overlap": lambda b: b.as_strided((2, 3), (2, 1), 0),
    "split": lambda b: b.split(1)[0],
    "split_sizes": lambda b: b.split([1, 2], 1)[1],
    "chunk": lambda b: b.chunk(2, 1)[0],
    "unbind": lambda b: b.unbind(0)[1],
    "tensor_split": lambda b: b.tensor_split(2)[0],
    "split_view": lambda b: b.split(1)[1].view(3),
    "unbind_slice": lambda b: b.unbind(1)[1][1:],
    "select_of_slice": lambda b: b[:, 1:].select(0, 0),
    "detach": lambda b: b.detach(),
    "data": lambda b: b.data,
    "contiguous": lambda b: b.contiguous(),
}


def index(v):
    return torch.tensor([0])


def line(v, value):
    return torch.full((1, *v.shape[1:]), value)


# `w` is a leaf of no dimensions that requires grad.
OPERATIONS = {
    "add": lambda b, v, w: v.add_(1),
    "add_w": lambda b, v, w: v.add_(w),
    "sub_w": lambda b, v, w: v.sub_(w),
    "mul_w": lambda b, v, w: v.mul_(w),
    "div": lambda b, v, w: v.div_(2),
    "pow": lambda b, v, w: v.pow_(2),
    "copy": lambda b, v, w: v.copy_(torch.tensor(5.0)),
    "copy_w": lambda b, v, w: v.copy_(w),
    "fill": lambda b, v, w: v.fill_(7),
    "zero": lambda b, v, w: v.zero_(),
    "relu": lambda b, v, w: v.relu_(),
    "exp": lambda b, v, w: v.exp_(),
    "clamp": lambda b, v, w: v.clamp_(2, 3),
    "lerp": lambda b, v, w: v.lerp_(torch.tensor(2.0), 0.5),
    "addcmul": lambda b, v, w: v.addcmul_(torch.tensor(2.0), torch.tensor(3.0), value=2),
    "masked_fill": lambda b, v, w: v.masked_fill_(torch.tensor(True), 9),
    "index_fill": lambda b, v, w: v.index_fill_(0, index(v), 9),
    "index_add": lambda b, v, w: v.index_add_(0, index(v), line(v, 2.0)),
    "index_copy": lambda b, v, w: v.index_copy_(0, index(v), line(v, 2.0)),
    "scatter": lambda b, v, w: v.scatter_(0, line(v, 0), line(v, 2.0)),
    "scatter_value": lambda b, v, w: v.scatter_(0, line(v, 0), 2.0),
    "scatter_add": lambda b, v, w: v.scatter_add_(0, line(v, 0), line(v, 2.0)),
    "scatter_reduce": lambda b, v, w: v.scatter_reduce_(0, line(v, 0), line(v, 2.0), "amax"),
    "index_put": lambda b, v, w: v.index_put_((index(v),), torch.tensor(2.0)),
    "index_put_add": lambda b, v, w: v.index_put_((index(v),), torch.tensor(2.0), accumulate=True),
    "masked_scatter": lambda b, v, w: v.masked_scatter_(torch.tensor([True]), torch.arange(20.0)),
    "put": lambda b, v, w: v.put_(torch.tensor([1]), torch.tensor([2.0])),
    "uniform": lambda b, v, w: v.uniform_(2, 2),
    "normal": lambda b, v, w: v.normal_(2, 0),
    "bernoulli": lambda b, v, w: v.bernoulli_(1.0),
    "squeeze_": lambda b, v, w: v.squeeze_(),
    "squeeze_dim": lambda b, v, w: v.squeeze_(0),
    "squeeze_dims": lambda b, v, w: v.squeeze_((0, -1)),
    "unsqueeze_": lambda b, v, w: v.unsqueeze_(-1),
    "t_": lambda b, v, w: v.t_(),
    "transpose_": lambda b, v, w: v.transpose_(0, -1),
    "transpose_mul_w": lambda b, v, w: v.swapaxes_(0, -1).mul_(w),
    "unsqueeze_base": lambda b, v, w: b.unsqueeze_(0),
    "fill_diagonal": lambda b, v, w: v.fill_diagonal_(7),
    "write_base": lambda b, v, w: b.add_(1),
    "write_base_w": lambda b, v, w: b.mul_(w),
}

# What a source may share with the tensor that it is written to: x is [4, 4], 0 to 15. Sources with gaps or repeats that share elements with
# the target are left out: what PyTorch reads there depends on its vector loops.
OVERLAPS = {
    "add_next": lambda x: x.view(16)[1:].add_(x.view(16)[:-1]),
    "add_before": lambda x: x.view(16)[:-1].add_(x.view(16)[1:]),
    "add_self": lambda x: x.add_(x),
    "add_same_view": lambda x: x[1:].add_(x[1:]),
    "add_transposed": lambda x: x.add_(x.t()),
    "add_row": lambda x: x.add_(x[0]),
    "add_row_to_row": lambda x: x[1].add_(x[0]),
    "add_element": lambda x: x.add_(x[0, 0]),
    "add_apart": lambda x: x[:, 1].add_(x[:, 0]),
    "add_reshaped": lambda x: x.view(16).add_(x.view(16)),
    "add_number_before_cast": lambda x: x.view(16)[1:].add_(x.view(16)[:-1], alpha=2),
    "copy_next": lambda x: x.view(16)[1:].copy_(x.view(16)[:-1]),
    "copy_before": lambda x: x.view(16)[:-1].copy_(x.view(16)[1:]),
    "copy_self": lambda x: x.copy_(x),
    "copy_same_view": lambda x: x[1:].copy_(x[1:]),
    "copy_transposed": lambda x: x.copy_(x.t()),
    "copy_row": lambda x: x.copy_(x[0]),
    "copy_apart": lambda x: x[:, 1].copy_(x[:, 0]),
    "copy_wrong_shape": lambda x: x.view(16)[1:].copy_(x.view(16)[:9]),
    "add_wrong_shape": lambda x: x.view(16)[1:].add_(x.view(16)[:9]),
    "lerp_next": lambda x: x.view(16)[1:].lerp_(x.view(16)[:-1], 0.5),
    "lerp_weight": lambda x: x.lerp_(torch.ones(4, 4), x.t()),
    "addcmul_next": lambda x: x.view(16)[1:].addcmul_(x.view(16)[:-1], torch.ones(15)),
    "addcdiv_next": lambda x: x.view(16)[1:].addcdiv_(torch.ones(15), x.view(16)[:-1]),
    "pow_next": lambda x: x.view(16)[1:].pow_(x.view(16)[:-1]),
    "clamp_next": lambda x: x.view(16)[1:].clamp_(max=x.view(16)[:-1]),
    "index_copy_row": lambda x: x.index_copy_(0, torch.tensor([1]), x[:1]),
    "index_add_row": lambda x: x.index_add_(0, torch.tensor([1]), x[:1]),
    "index_add_self": lambda x: x.index_add_(0, torch.arange(4), x),
    "index_put_row": lambda x: x.index_put_((torch.tensor([1]),), x[:1]),
    "scatter_row": lambda x: x.scatter_(0, torch.ones(1, 4, dtype=torch.int64), x[:1]),
    "scatter_add_row": lambda x: x.scatter_add_(0, torch.ones(1, 4, dtype=torch.int64), x[:1]),
    "masked_scatter_row": lambda x: x.masked_scatter_(torch.tensor([[True], [False], [False], [False]]), x[2:]),
    "masked_fill_element": lambda x: x.masked_fill_(torch.tensor([[True], [False], [False], [False]]), x[1, 1]),
    "put_row": lambda x: x.put_(torch.arange(4), x[2]),
    "unfold_add": lambda x: x.view(16).unfold(0, 3, 1).add_(1),
    "unfold_add_many": lambda x: x.view(16).unfold(0, 3, 2).add_(torch.arange(7.0).view(7, 1)),
    "unfold_copy": lambda x: x.view(16).unfold(0, 3, 1).copy_(torch.arange(42.0).view(14, 3)),
    "unfold_mul": lambda x: x.view(16).unfold(0, 4, 3).mul_(2),
    "unfold_fill": lambda x: x.view(16).unfold(0, 3, 1).fill_(5),
    "unfold_rows_add": lambda x: x.unfold(0, 2, 1).add_(1),
    "unfold_relu": lambda x: x.view(16).unfold(0, 3, 1).relu_(),
    "strided_add": lambda x: x.as_strided((3, 3), (1, 1), 0).add_(1),
    "strided_copy": lambda x: x.as_strided((3, 3), (1, 2), 0).copy_(torch.arange(9.0).view(3, 3)),
    "expand_fill": lambda x: x[:1].expand(4, 4).fill_(5),
    "expand_zero": lambda x: x[:1].expand(4, 4).zero_(),
    "expand_add": lambda x: x[:1].expand(4, 4).add_(1),
    "expand_copy": lambda x: x[:1].expand(4, 4).copy_(torch.ones(4)),
    "expand_one": lambda x: x[:1].expand(1, 4).add_(1),
    "expand_empty": lambda x: x[:1].expand(0, 4).add_(1),
    "expand_relu": lambda x: x[:1].expand(4, 4).relu_(),
    "expand_uniform": lambda x: x[:1].expand(4, 4).uniform_(2, 2),
    "expand_normal": lambda x: x[:1].expand(4, 4).normal_(2, 0),
    "expand_bernoulli": lambda x: x[:1].expand(4, 4).bernoulli_(1.0),
    "expand_masked_fill": lambda x: x[:1].expand(4, 4).masked_fill_(torch.tensor(True), 3),
    "expand_index_fill": lambda x: x[:1].expand(4, 4).index_fill_(0, torch.tensor([1]), 3),
    "expand_index_add": lambda x: x[:1].expand(4, 4).index_add_(0, torch.tensor([1]), torch.ones(1, 4)),
    "expand_index_copy": lambda x: x[:1].expand(4, 4).index_copy_(0, torch.tensor([1]), torch.ones(1, 4)),
    "expand_scatter": lambda x: x[:1].expand(4, 4).scatter_(0, torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 4)),
    "expand_scatter_add": lambda x: x[:1].expand(4, 4).scatter_add_(0, torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 4)),
    "expand_index_put": lambda x: x[:1].expand(4, 4).index_put_((torch.tensor([1]),), torch.tensor(3.0)),
    "expand_masked_scatter": lambda x: x[:1].expand(4, 4).masked_scatter_(torch.tensor(True), torch.arange(16.0)),
    "expand_put": lambda x: x[:1].expand(4, 4).put_(torch.tensor([1]), torch.tensor([3.0])),
    "expand_source": lambda x: x[1:2].add_(x[:1].expand(1, 4)),
}

def mode(name):
    return torch.no_grad() if name == "no_grad" else contextlib.nullcontext()


def message(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def values(t):
    return [v if math.isfinite(v) else repr(v) for v in map(float, t.detach().contiguous().flatten().tolist())]


def name_of(t):
    try:
        return t.grad_fn.name().removeprefix("torch::autograd::") if t.grad_fn else None
    except RuntimeError:
        return "Invalid"  # as it prints


def history(base, view, op, made, written):
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    w = torch.tensor(3.0, requires_grad=True)
    b = BASES[base](x)
    with mode(made):
        v = VIEWS[view](b)
    case = {"base": base, "view": view, "op": op, "made": made, "written": written}
    try:
        with mode(written):
            OPERATIONS[op](b, v, w)
    except (RuntimeError, IndexError, ValueError) as e:
        return case | {"error": message(e)}
    case |= {"version": v._version, "grad_fn": name_of(v), "base_grad_fn": name_of(b), "values": values(v), "base_values": values(b)}
    try:
        loss = (b * torch.arange(1.0, 7.0).view(b.shape)).sum() + (v * torch.arange(1.0, v.numel() + 1).view(v.shape)).sum()
        if loss.requires_grad:
            loss.backward()
        grads = {"x": x.grad, "w": w.grad}
        return case | {"grads": {k: None if g is None else values(g) for k, g in grads.items()}}
    except RuntimeError as e:
        return case | {"backward_error": message(e)}


def overlap(name):
    x = torch.arange(16.0).view(4, 4)
    case = {"overlap": name}
    try:
        OVERLAPS[name](x)
        return case | {"values": values(x)}
    except (RuntimeError, IndexError, ValueError) as e:
        return case | {"error": message(e)}


def cases():
    few = ["add", "mul_w", "fill", "copy_w", "write_base_w"]
    for base in BASES:
        for view in VIEWS:
            for op in OPERATIONS:
                yield history(base, view, op, "grad", "grad")
            for op in few:
                for made, written in (("grad", "no_grad"), ("no_grad", "grad"), ("no_grad", "no_grad")):
                    yield history(base, view, op, made, written)
    yield from map(overlap, OVERLAPS)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    all_cases = list(cases())
    encode.write(pathlib.Path(__file__).parent / "data" / "inplace.jsonl.gz", all_cases)
    print(len(all_cases))
