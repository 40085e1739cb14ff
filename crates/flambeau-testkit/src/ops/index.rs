//! Gathers, scatters, masks and indices.

use flambeau_autograd::Tensor;
use flambeau_autograd::ops::indexing::{self, Index, Indices};
use flambeau_autograd::ops::{self, EmbeddingOptions};

use crate::args::{Args, CallError, CallResult, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one};

/// One index of `x[…]`.
fn index_of(value: &Value) -> CallResult<Index> {
    Ok(match value {
        Value::Tensor(t) => Index::Tensor(t.shallow_clone()),
        Value::Plain(Arg::None) => Index::NewAxis,
        Value::Plain(Arg::Bool(b)) => Index::Bool(*b),
        Value::Plain(Arg::Int(i)) => Index::Select(*i),
        Value::Plain(Arg::Ellipsis) => Index::Ellipsis,
        Value::Plain(Arg::Slice(start, end, step)) => Index::Slice(indexing::slice(*start, *end, step.unwrap_or(1))),
        other => return Err(CallError::NotExpressible(format!("index {other:?}"))),
    })
}

/// The indices of `x[…]`: a list, or one alone.
fn indices(a: &Args) -> CallResult<Indices> {
    let plain = |arg: &Arg| index_of(&Value::Plain(arg.clone()));
    match a.rest(1) {
        [Value::List(list)] => list.iter().map(index_of).collect(),
        [Value::Plain(Arg::List(list))] => list.iter().map(plain).collect(),
        others => others.iter().map(index_of).collect(),
    }
}

/// PyTorch's database gives the table first.
fn embedding_bag(a: &Args) -> CallResult {
    let (weight, indices) = (a.x()?, a.tensor(1, "indices")?);
    one(ops::embedding_bag(
        indices,
        weight,
        a.opt_tensor(2, "offsets")?,
        a.opt_float(3, "max_norm")?,
        a.float(4, "norm_type", 2.0)?,
        a.bool(5, "scale_grad_by_freq", false)?,
        a.opt_str(6, "mode")?.unwrap_or("mean"),
        a.bool(7, "sparse", false)?,
        a.opt_tensor(8, "per_sample_weights")?,
        a.bool(9, "include_last_offset", false)?,
        a.opt_int(10, "padding_idx")?,
    ))
}

fn scatter_reduce(a: &Args) -> CallResult {
    let (x, dim, index, src) = (a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?, a.tensor(3, "src")?);
    let reduce = a.opt_str(4, "reduce")?.unwrap_or_default();
    one(ops::scatter_reduce(x, dim, index, src, reduce, a.bool(5, "include_self", true)?))
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("__getitem__", |a| one(ops::index(a.x()?, indices(a)?))),
    OpInfo::unary("argwhere", ops::argwhere),
    OpInfo::general("diag", |a| one(ops::diag(a.x()?, a.int(1, "diagonal", 0)?))),
    OpInfo::general("diagflat", |a| one(ops::diagflat(a.x()?, a.int(1, "offset", 0)?))),
    OpInfo::general("diag_embed", |a| {
        one(ops::diag_embed(a.x()?, a.int(1, "offset", 0)?, a.int(2, "dim1", -2)?, a.int(3, "dim2", -1)?))
    }),
    OpInfo::general("gather", |a| one(ops::gather(a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?))),
    OpInfo::general("index_add", |a| {
        let (x, dim, index, source) = (a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?, a.tensor(3, "source")?);
        one(ops::index_add(x, dim, index, source, a.scalar_or_one(4, "alpha")?))
    }),
    OpInfo::general("index_copy", |a| {
        one(ops::index_copy(a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?, a.tensor(3, "source")?))
    }),
    OpInfo::general("index_fill", |a| {
        one(ops::index_fill(a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?, a.operand(3, "value")?))
    }),
    OpInfo::general("index_put", |a| {
        let tensors = a.tensors(1, "indices")?;
        let indices: Vec<Option<&Tensor>> = tensors.iter().map(Some).collect();
        one(ops::index_put(a.x()?, &indices, a.tensor(2, "values")?, a.bool(3, "accumulate", false)?))
    }),
    OpInfo::general("index_select", |a| one(ops::index_select(a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?))),
    OpInfo::general("masked_fill", |a| one(ops::masked_fill(a.x()?, a.tensor(1, "mask")?, a.operand(2, "value")?))),
    OpInfo::general("masked_scatter", |a| {
        one(ops::masked_scatter(a.x()?, a.tensor(1, "mask")?, a.tensor(2, "source")?))
    }),
    OpInfo::binary("masked_select", ops::masked_select),
    OpInfo::general("nonzero", |a| {
        let x = a.x()?;
        if a.bool(1, "as_tuple", false)? { Ok(ops::nonzero_tuple(x)?) } else { one(ops::nonzero(x)) }
    }),
    OpInfo::general("nn.functional.embedding_bag", embedding_bag),
    OpInfo::general("nn.functional.embedding", |a| {
        // `sparse` changes how the gradient is stored, not its values; flambeau's gradients are dense.
        a.get(9, "sparse");
        let (weight, indices) = (a.x()?, a.tensor(1, "indices")?);
        let options = EmbeddingOptions::default()
            .padding_idx(a.opt_int(2, "padding_idx")?)
            .scale_grad_by_freq(a.bool(9, "scale_grad_by_freq", false)?)
            .max_norm(a.opt_float(9, "max_norm")?)
            .norm_type(a.float(9, "norm_type", 2.0)?);
        one(ops::embedding(indices, weight, &options))
    }),
    OpInfo::general("nn.functional.one_hot", |a| one(ops::one_hot(a.x()?, a.int(1, "num_classes", -1)?))),
    OpInfo::general("put", |a| {
        one(ops::put(a.x()?, a.tensor(1, "index")?, a.tensor(2, "source")?, a.bool(3, "accumulate", false)?))
    }),
    OpInfo::general("scatter", |a| {
        let (x, dim, index, src) = (a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?, a.operand(3, "src")?);
        one(match a.opt_str(4, "reduce")? {
            Some(reduce) => ops::scatter_with_reduce(x, dim, index, src, reduce),
            None => ops::scatter(x, dim, index, src),
        })
    }),
    OpInfo::general("scatter_add", |a| {
        one(ops::scatter_add(a.x()?, a.need_int(1, "dim")?, a.tensor(2, "index")?, a.tensor(3, "src")?))
    }),
    OpInfo::general("scatter_reduce.amax", scatter_reduce),
    OpInfo::general("scatter_reduce.amin", scatter_reduce),
    OpInfo::general("scatter_reduce.sum", scatter_reduce),
    OpInfo::general("select_scatter", |a| {
        one(ops::select_scatter(a.x()?, a.tensor(1, "src")?, a.need_int(2, "dim")?, a.need_int(3, "index")?))
    }),
    OpInfo::general("slice_scatter", |a| {
        let (start, end) = (a.opt_int(3, "start")?, a.opt_int(4, "end")?);
        one(ops::slice_scatter(a.x()?, a.tensor(1, "src")?, a.int(2, "dim", 0)?, start, end, a.int(5, "step", 1)?))
    }),
    OpInfo::general("take", |a| one(ops::take(a.x()?, a.tensor(1, "index")?))),
    OpInfo::general("take_along_dim", |a| {
        one(ops::take_along_dim(a.x()?, a.tensor(1, "indices")?, a.opt_int(2, "dim")?))
    }),
    OpInfo::general("trace", |a| one(ops::trace(a.x()?))),
    OpInfo::general("tril", |a| one(ops::tril(a.x()?, a.int(1, "diagonal", 0)?))),
    OpInfo::general("tril_indices", |a| {
        let out = ops::tril_indices(a.need_int(0, "row")?, a.need_int(1, "col")?, a.int(2, "offset", 0)?)?;
        one(ops::to_dtype(&out, a.opt_dtype(3, "dtype")?.unwrap_or(out.dtype())))
    }),
    OpInfo::general("triu", |a| one(ops::triu(a.x()?, a.int(1, "diagonal", 0)?))),
    OpInfo::general("triu_indices", |a| {
        let out = ops::triu_indices(a.need_int(0, "row")?, a.need_int(1, "col")?, a.int(2, "offset", 0)?)?;
        one(ops::to_dtype(&out, a.opt_dtype(3, "dtype")?.unwrap_or(out.dtype())))
    }),
];
