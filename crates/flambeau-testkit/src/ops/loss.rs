//! Losses.

use flambeau_autograd::ops::{
    self, BCELossOptions, BCEWithLogitsLossOptions, GaussianNLLOptions, HuberLossOptions, KLDivLossOptions,
    L1LossOptions, MSELossOptions, PoissonNLLOptions, Reduction, SmoothL1LossOptions, SoftMarginLossOptions,
};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

/// Why halves differ in the last place.
const ROUNDED_ONCE: &str = "f16 and bf16 compute in f32 and round once, where PyTorch rounds each step";

fn reduction(a: &Args) -> CallResult<Reduction> {
    Ok(a.opt_str(9, "reduction")?.unwrap_or("mean").parse()?)
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.binary_cross_entropy", |a| {
        let options = BCELossOptions::default().weight(a.opt_tensor(2, "weight")?).reduction(reduction(a)?);
        one(ops::binary_cross_entropy(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.binary_cross_entropy_with_logits", |a| {
        let (weight, pos_weight) = (a.opt_tensor(2, "weight")?, a.opt_tensor(9, "pos_weight")?);
        let options =
            BCEWithLogitsLossOptions::default().weight(weight).pos_weight(pos_weight).reduction(reduction(a)?);
        one(ops::binary_cross_entropy_with_logits(a.x()?, a.tensor(1, "target")?, &options))
    })
    .differs(&[(22, ROUNDED_ONCE), (24, ROUNDED_ONCE)]),
    OpInfo::general("nn.functional.gaussian_nll_loss", |a| {
        let (x, target, var) = (a.x()?, a.tensor(1, "target")?, a.tensor(2, "var")?);
        let options = GaussianNLLOptions::default().full(a.bool(9, "full", false)?).eps(a.float(9, "eps", 1e-6)?);
        one(ops::gaussian_nll_loss(x, target, var, &options.reduction(reduction(a)?)))
    })
    .differs(&[(25, "reductions are read in one place, with the words of the other losses")]),
    OpInfo::general("nn.functional.huber_loss", |a| {
        let options = HuberLossOptions::default().delta(a.float(9, "delta", 1.0)?).reduction(reduction(a)?);
        one(ops::huber_loss(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.kl_div", |a| {
        let options = KLDivLossOptions::default().log_target(a.bool(9, "log_target", false)?).reduction(reduction(a)?);
        one(ops::kl_div(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.l1_loss", |a| {
        one(ops::l1_loss(a.x()?, a.tensor(1, "target")?, &L1LossOptions::default().reduction(reduction(a)?)))
    }),
    OpInfo::general("nn.functional.mse_loss", |a| {
        one(ops::mse_loss(a.x()?, a.tensor(1, "target")?, &MSELossOptions::default().reduction(reduction(a)?)))
    }),
    OpInfo::general("nn.functional.poisson_nll_loss", |a| {
        let (x, target) = (a.x()?, a.tensor(1, "target")?);
        let (log_input, full) = (a.bool(9, "log_input", true)?, a.bool(9, "full", false)?);
        let options = PoissonNLLOptions::default().log_input(log_input).full(full).eps(a.float(9, "eps", 1e-8)?);
        one(ops::poisson_nll_loss(x, target, &options.reduction(reduction(a)?)))
    })
    .differs(&[(30, ROUNDED_ONCE)]),
    OpInfo::general("nn.functional.smooth_l1_loss", |a| {
        let options = SmoothL1LossOptions::default().beta(a.float(9, "beta", 1.0)?).reduction(reduction(a)?);
        one(ops::smooth_l1_loss(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.soft_margin_loss", |a| {
        let options = SoftMarginLossOptions::default().reduction(reduction(a)?);
        one(ops::soft_margin_loss(a.x()?, a.tensor(1, "target")?, &options))
    })
    .differs(&[(15, "PyTorch's e^(−t·x) overflows in f16 before its logarithm is taken")]),
];
