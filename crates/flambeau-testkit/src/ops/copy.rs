//! Copies, conversions and fills.

use flambeau_autograd::ops;
use flambeau_tensor::{DType, Device};

use crate::args::{Args, CallResult, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one};

fn cast(a: &Args, dtype: DType) -> CallResult {
    // Memory formats other than the preserved one change strides, never values: goldens do not see them.
    a.get(1, "memory_format");
    one(ops::to_dtype(a.x()?, dtype))
}

fn to(a: &Args) -> CallResult {
    a.get(9, "memory_format");
    let mut x = a.x()?.clone();
    for value in a.rest(1) {
        match value {
            Value::Plain(Arg::DType(dtype)) => x = ops::to_dtype(&x, *dtype)?,
            Value::Plain(Arg::Str(device)) => x = ops::to_device(&x, device.parse::<Device>()?)?,
            // non_blocking and copy: a copy has the same values.
            _ => {}
        }
    }
    Ok(vec![x])
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("bfloat16", |a| cast(a, DType::BF16)).no_gradcheck("rounds"),
    OpInfo::general("bool", |a| cast(a, DType::Bool)),
    OpInfo::unary("clone", ops::clone),
    OpInfo::unary("contiguous", ops::contiguous),
    OpInfo::general("double", |a| cast(a, DType::F64)),
    OpInfo::general("fill", |a| {
        let x = ops::clone(a.x()?)?;
        one(ops::fill_(&x, a.scalar_or_one(1, "value")?))
    }),
    OpInfo::general("float", |a| cast(a, DType::F32)).no_gradcheck("rounds"),
    OpInfo::general("half", |a| cast(a, DType::F16)).no_gradcheck("rounds"),
    OpInfo::general("int", |a| cast(a, DType::I32)),
    OpInfo::general("long", |a| cast(a, DType::I64)),
    OpInfo::general("to", to).no_gradcheck("rounds"),
    OpInfo::unary("zero_", |x| ops::zero_(&ops::clone(x)?)),
];
