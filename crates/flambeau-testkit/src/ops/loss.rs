//! Losses.

use flambeau_autograd::ops::{
    self, BCELossOptions, BCEWithLogitsLossOptions, CTCLossOptions, GaussianNLLOptions, HuberLossOptions,
    KLDivLossOptions, L1LossOptions, LinearCrossEntropyFunctionOptions, MSELossOptions, MultiLabelMarginLossOptions,
    MultiLabelSoftMarginLossOptions, PoissonNLLOptions, Reduction, SequenceLengths, SmoothL1LossOptions,
    SoftMarginLossOptions,
};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

/// Why halves differ in the last place.
const ROUNDED_ONCE: &str = "f16 and bf16 compute in f32 and round once, where PyTorch rounds each step";

fn reduction(a: &Args) -> CallResult<Reduction> {
    Ok(a.opt_str(9, "reduction")?.unwrap_or("mean").parse()?)
}

/// Lengths as a tensor or as a list.
fn lengths(a: &Args, i: usize, name: &str) -> CallResult<Box<dyn SequenceLengths>> {
    Ok(match a.tensor(i, name) {
        Ok(tensor) => Box::new(tensor.shallow_clone()),
        Err(_) => Box::new(a.ints(i, name)?),
    })
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.ctc_loss", |a| {
        let (steps, labels) = (lengths(a, 2, "input_lengths")?, lengths(a, 3, "target_lengths")?);
        let options = CTCLossOptions::default().blank(a.int(4, "blank", 0)?).reduction(reduction(a)?);
        let options = options.zero_infinity(a.bool(9, "zero_infinity", false)?);
        one(ops::ctc_loss(a.x()?, a.tensor(1, "targets")?, &*steps, &*labels, &options))
    })
    .no_gradcheck("its gradient takes log_probs for normalised ones (losses.rs checks it behind log_softmax), and has no gradient"),
    OpInfo::general("nn.functional.linear_cross_entropy", |a| {
        let options = LinearCrossEntropyFunctionOptions::default()
            .linear_bias(a.opt_tensor(9, "linear_bias")?)
            .weight(a.opt_tensor(9, "weight")?)
            .reduction(reduction(a)?)
            .ignore_index(a.opt_int(9, "ignore_index")?)
            .label_smoothing(a.float(9, "label_smoothing", 0.0)?);
        one(ops::linear_cross_entropy(a.x()?, a.tensor(1, "linear_weight")?, a.tensor(2, "target")?, &options))
    }),
    OpInfo::general("nn.functional.multilabel_margin_loss", |a| {
        let options = MultiLabelMarginLossOptions::default().reduction(reduction(a)?);
        one(ops::multilabel_margin_loss(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.multilabel_soft_margin_loss", |a| {
        let options = MultiLabelSoftMarginLossOptions::default();
        let options = options.weight(a.opt_tensor(2, "weight")?).reduction(reduction(a)?);
        one(ops::multilabel_soft_margin_loss(a.x()?, a.tensor(1, "target")?, &options))
    })
    .differs(&[(13, ROUNDED_ONCE)]),
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
