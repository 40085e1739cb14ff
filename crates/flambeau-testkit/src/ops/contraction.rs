//! Contractions: einsum and its special cases.

use flambeau_autograd::ops;

use crate::args::{CallError, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one};

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("einsum", |a| {
        let equation = a.opt_str(1, "equation")?.unwrap_or_default();
        one(ops::einsum(equation, &a.tensors(0, "operands")?))
    }),
    OpInfo::binary("inner", ops::inner),
    OpInfo::general("tensordot", |a| {
        let (x, y) = (a.x()?, a.tensor(1, "other")?);
        match a.get(2, "dims") {
            Some(Value::Plain(Arg::Int(n))) => one(ops::tensordot_n(x, y, *n)),
            Some(Value::Plain(Arg::List(lists))) => {
                let lists: Option<Vec<Vec<i64>>> = lists.iter().map(Arg::as_ints).collect();
                match lists.as_deref() {
                    Some([of_x, of_y]) => one(ops::tensordot(x, y, of_x, of_y)),
                    _ => Err(CallError::NotExpressible("dims are no two lists".into())),
                }
            }
            other => Err(CallError::NotExpressible(format!("dims are {other:?}"))),
        }
    }),
];
