//! Copies, conversions and fills.

use flambeau_autograd::ops;
use flambeau_tensor::{DType, Device};

use crate::args::{Args, CallError, CallResult, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one};

const NO_FORMATS: &str = "memory formats, and a copy that is asked for where nothing changes";

fn cast(a: &Args, dtype: DType) -> CallResult {
    let x = a.x()?;
    if a.get(1, "memory_format").is_some() && x.dtype() == dtype {
        return Err(CallError::NotExpressible("memory_format".into()));
    }
    one(ops::to_dtype(x, dtype))
}

fn to(a: &Args) -> CallResult {
    let mut x = a.x()?.shallow_clone();
    let mut copy = false;
    for value in a.rest(1) {
        match value {
            Value::Plain(Arg::DType(dtype)) => x = ops::to_dtype(&x, *dtype)?,
            // The goldens' own device is the one that the test runs on.
            Value::Plain(Arg::Str(device)) => {
                let device = if device == "cpu" { x.device() } else { device.parse::<Device>()? };
                x = ops::to_device(&x, device)?;
            }
            // The last of two is `copy`, and `non_blocking` changes no value.
            Value::Plain(Arg::Bool(b)) => copy = *b,
            other => return Err(CallError::NotExpressible(format!("{other:?}"))),
        }
    }
    copy |= a.get(9, "memory_format").is_some();
    if copy && x.is_same(a.x()?) {
        return Err(CallError::NotExpressible("copy".into()));
    }
    Ok(vec![x])
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("bfloat16", |a| cast(a, DType::BF16)).no_gradcheck("rounds").partial(NO_FORMATS),
    OpInfo::general("bool", |a| cast(a, DType::Bool)).partial(NO_FORMATS),
    OpInfo::unary("clone", ops::clone),
    OpInfo::unary("contiguous", ops::contiguous),
    OpInfo::general("double", |a| cast(a, DType::F64)).partial(NO_FORMATS),
    OpInfo::general("fill", |a| one(ops::fill(a.x()?, a.scalar_or_one(1, "value")?))),
    OpInfo::general("float", |a| cast(a, DType::F32)).no_gradcheck("rounds").partial(NO_FORMATS),
    OpInfo::general("half", |a| cast(a, DType::F16)).no_gradcheck("rounds").partial(NO_FORMATS),
    OpInfo::general("int", |a| cast(a, DType::I32)).partial(NO_FORMATS),
    OpInfo::general("long", |a| cast(a, DType::I64)).partial(NO_FORMATS),
    OpInfo::general("to", to)
        .no_gradcheck("rounds")
        .partial(NO_FORMATS)
        .differs(&[(58, "the error lists flambeau's devices")]),
    OpInfo::unary("zero_", |x| ops::zero_(&ops::clone(x)?)),
];
