//! Joining, splitting, repeating and reordering.

use flambeau_autograd::{Tensor, ops};

use crate::args::{Args, CallError, CallResult, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one};

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("cat", |a| one(ops::cat(&a.tensors(0, "tensors")?, a.int(1, "dim", 0)?))),
    OpInfo::general("chunk", |a| Ok(ops::chunk(a.x()?, a.need_int(1, "chunks")?, a.int(2, "dim", 0)?)?)),
    OpInfo::general("column_stack", |a| one(ops::column_stack(&a.tensors(0, "tensors")?))),
    OpInfo::general("dsplit", |a| parts(a, |x, at| ops::dsplit(x, at), |x, n| ops::dsplit(x, n))),
    OpInfo::general("flip", |a| one(ops::flip(a.x()?, &a.ints(1, "dims")?))),
    OpInfo::general("hsplit", |a| parts(a, |x, at| ops::hsplit(x, at), |x, n| ops::hsplit(x, n))),
    OpInfo::general("hstack", |a| one(ops::hstack(&a.tensors(0, "tensors")?))),
    OpInfo::general("meshgrid.variadic_tensors", |a| {
        let mut tensors = Vec::new();
        for value in a.rest(0) {
            match value {
                Value::Tensor(t) => tensors.push(t.clone()),
                other => return Err(CallError::NotExpressible(format!("{other:?}"))),
            }
        }
        Ok(ops::meshgrid(&tensors, a.opt_str(99, "indexing")?.unwrap_or("ij"))?)
    })
    .differs(&[(34, "PyTorch's message holds its C++ print of a whole tensor")]),
    OpInfo::general("movedim", |a| one(ops::movedim(a.x()?, &a.ints(1, "source")?, &a.ints(2, "destination")?))),
    OpInfo::general("repeat", |a| one(ops::repeat(a.x()?, &a.ints(1, "repeats")?))),
    OpInfo::general("repeat_interleave", |a| {
        let (x, dim, size) = (a.x()?, a.opt_int(2, "dim")?, a.opt_int(3, "output_size")?);
        one(match a.get(1, "repeats") {
            Some(Value::Tensor(repeats)) => ops::repeat_interleave_each(x, repeats, dim, size),
            _ => ops::repeat_interleave(x, a.need_int(1, "repeats")?, dim, size),
        })
    }),
    OpInfo::general("roll", |a| one(ops::roll(a.x()?, &a.ints(1, "shifts")?, &a.ints(2, "dims")?))),
    OpInfo::general("split", |a| {
        let (x, dim) = (a.x()?, a.int(2, "dim", 0)?);
        Ok(match a.get(1, "split_size_or_sections") {
            Some(Value::Plain(Arg::List(_))) => ops::split_sizes(x, &a.ints(1, "split_size")?, dim)?,
            _ => ops::split(x, a.need_int(1, "split_size")?, dim)?,
        })
    }),
    OpInfo::general("split_with_sizes", |a| {
        Ok(ops::split_sizes(a.x()?, &a.ints(1, "split_sizes")?, a.int(2, "dim", 0)?)?)
    }),
    OpInfo::general("tensor_split", |a| {
        let (x, dim) = (a.x()?, a.int(2, "dim", 0)?);
        Ok(match a.get(1, "indices_or_sections") {
            Some(Value::Tensor(t)) if t.dim() == 0 => ops::tensor_split(x, t.array().item()?.to_i64(), dim)?,
            Some(Value::Tensor(t)) => ops::tensor_split_at(x, &t.array().to_vec::<i64>()?, dim)?,
            Some(Value::Plain(Arg::List(_))) => ops::tensor_split_at(x, &a.ints(1, "indices")?, dim)?,
            _ => ops::tensor_split(x, a.need_int(1, "sections")?, dim)?,
        })
    })
    .partial("a tensor of the places is read by its caller"),
    OpInfo::general("stack", |a| one(ops::stack(&a.tensors(0, "tensors")?, a.int(1, "dim", 0)?))),
    OpInfo::general("tile", |a| one(ops::tile(a.x()?, &a.ints(1, "dims")?))),
    OpInfo::general("unbind", |a| Ok(ops::unbind(a.x()?, a.int(1, "dim", 0)?)?)),
    OpInfo::general("unflatten", |a| one(ops::unflatten(a.x()?, a.need_int(1, "dim")?, &a.ints(2, "sizes")?))),
    OpInfo::general("vsplit", |a| parts(a, |x, at| ops::vsplit(x, at), |x, n| ops::vsplit(x, n))),
    OpInfo::general("vstack", |a| one(ops::vstack(&a.tensors(0, "tensors")?))),
];

/// What is split at the places of a list, or into parts of one length.
fn parts(
    a: &Args,
    at: fn(&Tensor, Vec<i64>) -> flambeau_autograd::Result<Vec<Tensor>>,
    into: fn(&Tensor, i64) -> flambeau_autograd::Result<Vec<Tensor>>,
) -> CallResult {
    Ok(match a.get(1, "indices_or_sections") {
        Some(Value::Plain(Arg::List(_))) => at(a.x()?, a.ints(1, "indices")?)?,
        _ => into(a.x()?, a.need_int(1, "sections")?)?,
    })
}
