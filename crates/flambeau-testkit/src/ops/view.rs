//! Views and what looks like one.

use flambeau_autograd::ops;

use crate::args::{Args, CallError, CallResult, sizes};
use crate::opinfo::{OpInfo, one};

fn shape_of(a: &Args, i: usize) -> CallResult<Vec<i64>> {
    Ok(a.tensor(i, "other")?.size().iter().map(|&n| n as i64).collect())
}

fn diagonal_args(a: &Args) -> CallResult<(i64, i64, i64)> {
    Ok((a.int(1, "offset", 0)?, a.opt_int(2, "dim1")?.unwrap_or(0), a.opt_int(3, "dim2")?.unwrap_or(1)))
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("T", |a| {
        let x = a.x()?;
        one(ops::permute(x, &(0..x.dim() as i64).rev().collect::<Vec<_>>()))
    }),
    OpInfo::general("as_strided", |a| {
        let (shape, strides) = (a.shape(1, "size")?, a.shape(2, "stride")?);
        let x = a.x()?;
        let offset = match a.opt_int(3, "storage_offset")? {
            Some(offset) => sizes(&[offset])?[0],
            None => x.storage_offset(),
        };
        one(ops::as_strided(x, &shape, &strides, offset))
    }),
    OpInfo::general("broadcast_to", |a| one(ops::expand(a.x()?, &a.ints(1, "size")?))),
    OpInfo::general("diagonal", |a| {
        let (offset, dim1, dim2) = diagonal_args(a)?;
        one(ops::diagonal(a.x()?, offset, dim1, dim2))
    }),
    OpInfo::general("expand", |a| one(ops::expand(a.x()?, &a.ints(1, "size")?))),
    OpInfo::general("expand_as", |a| one(ops::expand(a.x()?, &shape_of(a, 1)?))),
    OpInfo::general("flatten", |a| one(ops::flatten(a.x()?, a.int(1, "start_dim", 0)?, a.int(2, "end_dim", -1)?))),
    OpInfo::general("mT", |a| one(ops::transpose(a.x()?, -2, -1))),
    OpInfo::general("narrow", |a| {
        one(ops::narrow(a.x()?, a.need_int(1, "dim")?, a.need_int(2, "start")?, a.need_int(3, "length")?))
    })
    .partial("a start given as a tensor"),
    OpInfo::general("permute", |a| one(ops::permute(a.x()?, &a.ints(1, "dims")?))),
    OpInfo::unary("ravel", |x| ops::view(&ops::contiguous(x)?, &[-1])),
    OpInfo::general("reshape", |a| one(ops::reshape(a.x()?, &a.ints(1, "shape")?))),
    OpInfo::general("reshape_as", |a| one(ops::reshape(a.x()?, &shape_of(a, 1)?))),
    OpInfo::general("select", |a| one(ops::select(a.x()?, a.need_int(1, "dim")?, a.need_int(2, "index")?))),
    OpInfo::general("slice", |a| {
        let (start, end) = (a.opt_int(2, "start")?, a.opt_int(3, "end")?);
        one(ops::slice(a.x()?, a.int(1, "dim", 0)?, start, end, a.int(4, "step", 1)?))
    }),
    OpInfo::general("squeeze", |a| one(ops::squeeze(a.x()?, a.opt_ints(1, "dim")?.as_deref()))),
    OpInfo::general("squeeze.multiple", |a| match a.opt_ints(1, "dim")? {
        Some(dims) if dims.len() == 1 => Err(CallError::NotExpressible("one dim in a list".into())),
        dims => one(ops::squeeze(a.x()?, dims.as_deref())),
    })
    .partial("a list of one dim is that dim, whose grad_fn PyTorch names SqueezeBackward1"),
    OpInfo::unary("t", ops::t),
    OpInfo::general("transpose", |a| one(ops::transpose(a.x()?, a.need_int(1, "dim0")?, a.need_int(2, "dim1")?))),
    OpInfo::general("unfold", |a| {
        one(ops::unfold(a.x()?, a.need_int(1, "dimension")?, a.need_int(2, "size")?, a.need_int(3, "step")?))
    }),
    OpInfo::general("unsqueeze", |a| one(ops::unsqueeze(a.x()?, a.need_int(1, "dim")?))),
    OpInfo::general("view", |a| one(ops::view(a.x()?, &a.ints(1, "shape")?))),
    OpInfo::general("view_as", |a| one(ops::view(a.x()?, &shape_of(a, 1)?))),
];
