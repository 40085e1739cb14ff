//! Products of matrices.

use flambeau_autograd::ops;

use crate::args::{CallError, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one};

/// A row of a fused product: `f(x, a, b, beta, alpha)`.
macro_rules! fused {
    ($name:literal, $f:ident) => {
        OpInfo::general($name, |a| {
            let (x, p, q) = (a.x()?, a.tensor(1, "mat1")?, a.tensor(2, "mat2")?);
            one(ops::$f(x, p, q, a.scalar_or_one(3, "beta")?, a.scalar_or_one(4, "alpha")?))
        })
    };
}

pub(super) const ROWS: &[OpInfo] = &[
    fused!("addbmm", addbmm),
    fused!("addmm", addmm),
    fused!("addmv", addmv),
    fused!("baddbmm", baddbmm),
    OpInfo::binary("bmm", ops::bmm),
    OpInfo::binary("dot", ops::dot),
    OpInfo::general("einsum", |a| {
        let equation = a.opt_str(1, "equation")?.unwrap_or_default();
        one(ops::einsum(equation, &a.tensors(0, "tensors")?))
    }),
    OpInfo::binary("inner", ops::inner),
    OpInfo::binary("matmul", ops::matmul),
    OpInfo::binary("mm", ops::mm),
    OpInfo::binary("mv", ops::mv),
    OpInfo::binary("outer", ops::outer),
    OpInfo::general("nn.functional.linear", |a| {
        one(ops::linear(a.x()?, a.tensor(1, "weight")?, a.opt_tensor(2, "bias")?))
    }),
    OpInfo::general("tensordot", |a| {
        let (x, y) = (a.x()?, a.tensor(1, "other")?);
        match a.get(2, "dims") {
            Some(Value::Plain(Arg::List(dims))) => match &dims[..] {
                [p, q] => one(ops::tensordot(x, y, &p.as_ints().unwrap_or_default(), &q.as_ints().unwrap_or_default())),
                other => Err(CallError::NotExpressible(format!("{other:?}"))),
            },
            _ => one(ops::tensordot_n(x, y, a.int(2, "dims", 2)?)),
        }
    }),
];
