//! Activations, softmax and dropout.

use flambeau_autograd::ops::{self, AttentionOptions};

use crate::args::{Args, CallError, CallResult};
use crate::opinfo::{OpInfo, SCALAR_TAIL, one};

fn attention(a: &Args) -> CallResult {
    let options = AttentionOptions {
        attn_mask: a.opt_tensor(3, "attn_mask")?,
        dropout_p: a.float(4, "dropout_p", 0.0)?,
        is_causal: a.bool(5, "is_causal", false)?,
        scale: a.opt_float(6, "scale")?,
        enable_gqa: a.bool(7, "enable_gqa", false)?,
    };
    one(ops::scaled_dot_product_attention(a.x()?, a.tensor(1, "key")?, a.tensor(2, "value")?, &options))
}

/// OpInfo seeds these cases' dropout by a number that it does not tell.
const RANDOM: &str = "dropout_p = 0.5: the mask is random";

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("log_softmax", |a| one(ops::log_softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))),
    OpInfo::general("log_softmax.with_dtype", |a| {
        one(ops::log_softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))
    }),
    OpInfo::general("nn.functional.celu", |a| one(ops::celu(a.x()?, a.float(1, "alpha", 1.0)?)))
        .differs(&[(11, SCALAR_TAIL)]),
    OpInfo::general("nn.functional.dropout", |a| {
        one(ops::dropout(a.x()?, a.float(1, "p", 0.5)?, a.bool(2, "training", true)?))
    })
    .no_gradcheck("draws anew at each call"),
    OpInfo::general("nn.functional.elu", |a| one(ops::elu(a.x()?, a.float(1, "alpha", 1.0)?)))
        .differs(&[(11, SCALAR_TAIL), (12, SCALAR_TAIL)]),
    OpInfo::general("nn.functional.gelu", |a| {
        let tanh = match a.opt_str(1, "approximate")? {
            None | Some("none") => false,
            Some("tanh") => true,
            Some(other) => return Err(CallError::NotExpressible(other.into())),
        };
        one(ops::gelu(a.x()?, tanh))
    })
    .differs(&[(11, "PyTorch's vectorised x · (1 + erf) overflows before it is halved")]),
    OpInfo::general("nn.functional.glu", |a| one(ops::glu(a.x()?, a.int(1, "dim", -1)?))),
    OpInfo::unary("nn.functional.hardsigmoid", ops::hardsigmoid),
    OpInfo::unary("nn.functional.hardswish", ops::hardswish).differs(&[(5, SCALAR_TAIL)]),
    OpInfo::general("nn.functional.hardtanh", |a| {
        one(ops::hardtanh(a.x()?, a.float(1, "min_val", -1.0)?, a.float(2, "max_val", 1.0)?))
    })
    .differs(&[(26, SCALAR_TAIL)]),
    OpInfo::general("nn.functional.leaky_relu", |a| one(ops::leaky_relu(a.x()?, a.float(1, "negative_slope", 0.01)?))),
    OpInfo::unary("nn.functional.logsigmoid", ops::logsigmoid),
    OpInfo::unary("nn.functional.mish", ops::mish),
    OpInfo::general("nn.functional.prelu", |a| one(ops::prelu(a.x()?, a.tensor(1, "weight")?))),
    OpInfo::unary("nn.functional.relu", ops::relu),
    OpInfo::unary("nn.functional.relu6", ops::relu6).differs(&[(18, SCALAR_TAIL)]),
    OpInfo::general("nn.functional.scaled_dot_product_attention", attention).differs(&[
        (1, RANDOM),
        (3, RANDOM),
        (5, RANDOM),
        (6, RANDOM),
        (8, RANDOM),
        (10, RANDOM),
        (12, RANDOM),
        (14, RANDOM),
        (16, RANDOM),
        (18, RANDOM),
    ]),
    OpInfo::unary("nn.functional.selu", ops::selu).differs(&[(11, SCALAR_TAIL)]),
    OpInfo::unary("nn.functional.silu", ops::silu),
    OpInfo::general("nn.functional.softmin", |a| one(ops::softmin(a.x()?, a.need_int(1, "dim")?, None))),
    OpInfo::general("nn.functional.softplus", |a| {
        one(ops::softplus(a.x()?, a.float(1, "beta", 1.0)?, a.float(2, "threshold", 20.0)?))
    }),
    OpInfo::unary("nn.functional.softsign", ops::softsign),
    OpInfo::general("nn.functional.threshold", |a| {
        let (threshold, value) = (a.scalar_or_one(1, "threshold")?, a.scalar_or_one(2, "value")?);
        one(ops::threshold(a.x()?, threshold, value))
    }),
    OpInfo::general("softmax", |a| one(ops::softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))),
    OpInfo::general("softmax.with_dtype", |a| {
        one(ops::softmax(a.x()?, a.need_int(1, "dim")?, a.opt_dtype(2, "dtype")?))
    }),
];
