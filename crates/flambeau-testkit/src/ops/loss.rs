//! Losses.

use flambeau_autograd::ops::{self, Reduction};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

/// Why halves differ in the last place.
const ROUNDED_ONCE: &str = "f16 and bf16 compute in f32 and round once, where PyTorch rounds each step";

fn reduction(a: &Args) -> CallResult<Reduction> {
    Ok(a.opt_str(9, "reduction")?.unwrap_or("mean").parse()?)
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.binary_cross_entropy", |a| {
        let weight = a.opt_tensor(2, "weight")?;
        one(ops::binary_cross_entropy(a.x()?, a.tensor(1, "target")?, weight, reduction(a)?))
    }),
    OpInfo::general("nn.functional.binary_cross_entropy_with_logits", |a| {
        let (weight, pos_weight) = (a.opt_tensor(2, "weight")?, a.opt_tensor(9, "pos_weight")?);
        one(ops::binary_cross_entropy_with_logits(a.x()?, a.tensor(1, "target")?, weight, pos_weight, reduction(a)?))
    })
    .differs(&[(22, ROUNDED_ONCE), (24, ROUNDED_ONCE)]),
    OpInfo::general("nn.functional.gaussian_nll_loss", |a| {
        let (x, target, var) = (a.x()?, a.tensor(1, "target")?, a.tensor(2, "var")?);
        one(ops::gaussian_nll_loss(x, target, var, a.bool(9, "full", false)?, a.float(9, "eps", 1e-6)?, reduction(a)?))
    })
    .differs(&[(25, "reductions are read in one place, with the words of the other losses")]),
    OpInfo::general("nn.functional.huber_loss", |a| {
        one(ops::huber_loss(a.x()?, a.tensor(1, "target")?, a.float(9, "delta", 1.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.kl_div", |a| {
        one(ops::kl_div(a.x()?, a.tensor(1, "target")?, a.bool(9, "log_target", false)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.l1_loss", |a| one(ops::l1_loss(a.x()?, a.tensor(1, "target")?, reduction(a)?))),
    OpInfo::general("nn.functional.mse_loss", |a| one(ops::mse_loss(a.x()?, a.tensor(1, "target")?, reduction(a)?))),
    OpInfo::general("nn.functional.poisson_nll_loss", |a| {
        let (x, target) = (a.x()?, a.tensor(1, "target")?);
        let (log_input, full) = (a.bool(9, "log_input", true)?, a.bool(9, "full", false)?);
        one(ops::poisson_nll_loss(x, target, log_input, full, a.float(9, "eps", 1e-8)?, reduction(a)?))
    })
    .differs(&[(30, ROUNDED_ONCE)]),
    OpInfo::general("nn.functional.smooth_l1_loss", |a| {
        one(ops::smooth_l1_loss(a.x()?, a.tensor(1, "target")?, a.float(9, "beta", 1.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.soft_margin_loss", |a| {
        one(ops::soft_margin_loss(a.x()?, a.tensor(1, "target")?, reduction(a)?))
    })
    .differs(&[(15, "PyTorch's e^(−t·x) overflows in f16 before its logarithm is taken")]),
];
