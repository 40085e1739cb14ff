//! Losses.

use flambeau_autograd::ops::{self, CrossEntropyOptions, Reduction, TripletMarginOptions};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

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
    }),
    OpInfo::general("nn.functional.cosine_embedding_loss", |a| {
        let (x, y, target) = (a.x()?, a.tensor(1, "input2")?, a.tensor(2, "target")?);
        one(ops::cosine_embedding_loss(x, y, target, a.float(9, "margin", 0.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.cosine_similarity", |a| {
        let (dim, eps) = (a.int(2, "dim", 1)?, a.float(3, "eps", 1e-8)?);
        one(ops::cosine_similarity(a.x()?, a.tensor(1, "x2")?, dim, eps))
    }),
    OpInfo::general("nn.functional.cross_entropy", |a| {
        let mut options = CrossEntropyOptions::default()
            .ignore_index(a.int(9, "ignore_index", -100)?)
            .label_smoothing(a.float(9, "label_smoothing", 0.0)?)
            .reduction(reduction(a)?);
        if let Some(weight) = a.opt_tensor(9, "weight")? {
            options = options.weight(weight);
        }
        one(ops::cross_entropy_options(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.gaussian_nll_loss", |a| {
        let (x, target, var) = (a.x()?, a.tensor(1, "target")?, a.tensor(2, "var")?);
        one(ops::gaussian_nll_loss(x, target, var, a.bool(9, "full", false)?, a.float(9, "eps", 1e-6)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.hinge_embedding_loss", |a| {
        let margin = a.float(9, "margin", 1.0)?;
        one(ops::hinge_embedding_loss(a.x()?, a.tensor(1, "target")?, margin, reduction(a)?))
    }),
    OpInfo::general("nn.functional.huber_loss", |a| {
        one(ops::huber_loss(a.x()?, a.tensor(1, "target")?, a.float(9, "delta", 1.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.kl_div", |a| {
        one(ops::kl_div(a.x()?, a.tensor(1, "target")?, a.bool(9, "log_target", false)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.l1_loss", |a| one(ops::l1_loss(a.x()?, a.tensor(1, "target")?, reduction(a)?))),
    OpInfo::general("nn.functional.margin_ranking_loss", |a| {
        let (x, y, target) = (a.x()?, a.tensor(1, "input2")?, a.tensor(2, "target")?);
        one(ops::margin_ranking_loss(x, y, target, a.float(9, "margin", 0.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.multi_margin_loss", |a| {
        let (p, margin, weight) = (a.int(9, "p", 1)?, a.float(9, "margin", 1.0)?, a.opt_tensor(9, "weight")?);
        one(ops::multi_margin_loss(a.x()?, a.tensor(1, "target")?, p, margin, weight, reduction(a)?))
    }),
    OpInfo::general("nn.functional.nll_loss", |a| {
        let (weight, ignore) = (a.opt_tensor(9, "weight")?, a.int(9, "ignore_index", -100)?);
        one(ops::nll_loss(a.x()?, a.tensor(1, "target")?, weight, ignore, reduction(a)?))
    }),
    OpInfo::general("nn.functional.normalize", |a| {
        let (p, dim, eps) = (a.float(1, "p", 2.0)?, a.int(2, "dim", 1)?, a.float(3, "eps", 1e-12)?);
        one(ops::normalize(a.x()?, p, &[dim], eps))
    }),
    OpInfo::general("nn.functional.pairwise_distance", |a| {
        let (p, eps) = (a.float(2, "p", 2.0)?, a.float(3, "eps", 1e-6)?);
        one(ops::pairwise_distance(a.x()?, a.tensor(1, "x2")?, p, eps, a.bool(4, "keepdim", false)?))
    }),
    OpInfo::general("nn.functional.mse_loss", |a| one(ops::mse_loss(a.x()?, a.tensor(1, "target")?, reduction(a)?))),
    OpInfo::general("nn.functional.poisson_nll_loss", |a| {
        let (x, target) = (a.x()?, a.tensor(1, "target")?);
        let (log_input, full) = (a.bool(9, "log_input", true)?, a.bool(9, "full", false)?);
        one(ops::poisson_nll_loss(x, target, log_input, full, a.float(9, "eps", 1e-8)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.smooth_l1_loss", |a| {
        one(ops::smooth_l1_loss(a.x()?, a.tensor(1, "target")?, a.float(9, "beta", 1.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.soft_margin_loss", |a| {
        one(ops::soft_margin_loss(a.x()?, a.tensor(1, "target")?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.triplet_margin_loss", |a| {
        let options = TripletMarginOptions::default()
            .margin(a.float(9, "margin", 1.0)?)
            .p(a.float(9, "p", 2.0)?)
            .eps(a.float(9, "eps", 1e-6)?)
            .swap(a.bool(9, "swap", false)?)
            .reduction(reduction(a)?);
        one(ops::triplet_margin_loss(a.x()?, a.tensor(1, "positive")?, a.tensor(2, "negative")?, &options))
    }),
];
