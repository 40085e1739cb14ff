//! Fresh tensors.

use flambeau_autograd::ops;
use flambeau_device::default_device;
use flambeau_tensor::{DType, Scalar, default_dtype};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

fn filled(a: &Args, value: i64) -> CallResult {
    let dtype = a.opt_dtype(1, "dtype")?.unwrap_or(default_dtype());
    one(ops::full(&a.shape(0, "size")?, value, dtype, default_device()))
}

fn new_filled(a: &Args, value: i64) -> CallResult {
    let x = a.x()?;
    one(ops::full(&a.shape(1, "size")?, value, a.opt_dtype(2, "dtype")?.unwrap_or(x.dtype()), x.device()))
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("arange", |a| {
        let first = a.scalar_or_one(0, "start")?;
        let (start, end) = match a.opt_scalar(1, "end")? {
            Some(end) => (first, end),
            None => (Scalar::Int(0), first),
        };
        one(ops::arange(start, end, a.scalar_or_one(2, "step")?, a.opt_dtype(3, "dtype")?, default_device()))
    }),
    OpInfo::general("full", |a| {
        let value = a.scalar_or_one(1, "fill_value")?;
        let dtype = a.opt_dtype(2, "dtype")?.unwrap_or(value.dtype(default_dtype()));
        one(ops::full(&a.shape(0, "size")?, value, dtype, default_device()))
    }),
    OpInfo::general("linspace", |a| {
        let steps = crate::args::sizes(&[a.need_int(2, "steps")?])?[0];
        let dtype = a.opt_dtype(3, "dtype")?.unwrap_or(default_dtype());
        one(ops::linspace(a.float(0, "start", 0.0)?, a.float(1, "end", 0.0)?, steps, dtype, default_device()))
    }),
    OpInfo::general("new_full", |a| {
        let (x, value) = (a.x()?, a.scalar_or_one(2, "fill_value")?);
        let dtype = a.opt_dtype(3, "dtype")?.unwrap_or(x.dtype());
        one(ops::full(&a.shape(1, "size")?, value, dtype, x.device()))
    }),
    OpInfo::general("new_ones", |a| new_filled(a, 1)),
    OpInfo::general("new_zeros", |a| new_filled(a, 0)),
    OpInfo::general("ones", |a| filled(a, 1)),
    OpInfo::general("scalar_tensor", |a| {
        let value = a.scalar_or_one(0, "s")?;
        one(ops::full(&[], value, a.opt_dtype(1, "dtype")?.unwrap_or(default_dtype()), default_device()))
    }),
    OpInfo::general("zeros", |a| filled(a, 0)),
    OpInfo::general("item", |a| {
        let x = a.x()?;
        let value = x.array().item()?;
        let dtype = if x.dtype().is_floating_point() { DType::F64 } else { value.dtype(DType::F64) };
        one(ops::full(&[], value, dtype, x.device()))
    }),
];
