//! Activations, softmax and dropout.

use flambeau_autograd::ops;

use crate::opinfo::{OpInfo, one};

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("log_softmax", |a| one(ops::log_softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))),
    OpInfo::general("log_softmax.with_dtype", |a| {
        one(ops::log_softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))
    }),
    OpInfo::general("nn.functional.elu", |a| one(ops::elu(a.x()?, a.float(1, "alpha", 1.0)?))),
    OpInfo::general("nn.functional.gelu", |a| {
        one(ops::gelu(a.x()?, a.opt_str(1, "approximate")?.unwrap_or("none") == "tanh"))
    }),
    OpInfo::general("nn.functional.leaky_relu", |a| {
        one(ops::leaky_relu(a.x()?, a.float(1, "negative_slope", 0.01)?))
    }),
    OpInfo::unary("nn.functional.logsigmoid", ops::logsigmoid),
    OpInfo::unary("nn.functional.relu", ops::relu),
    OpInfo::unary("nn.functional.silu", ops::silu),
    OpInfo::general("nn.functional.softmin", |a| one(ops::softmin(a.x()?, a.need_int(1, "dim")?, None))),
    OpInfo::general("nn.functional.softplus", |a| {
        one(ops::softplus(a.x()?, a.float(1, "beta", 1.0)?, a.float(2, "threshold", 20.0)?))
    }),
    OpInfo::general("softmax", |a| one(ops::softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))),
    OpInfo::general("softmax.with_dtype", |a| {
        one(ops::softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))
    }),
];
