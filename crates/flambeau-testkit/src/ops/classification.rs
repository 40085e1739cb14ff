//! Losses of classes and margins.

use flambeau_autograd::ops::{self, Reduction, TripletMarginOptions};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

fn reduction(a: &Args) -> CallResult<Reduction> {
    Ok(a.opt_str(9, "reduction")?.unwrap_or("mean").parse()?)
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.cross_entropy", |a| {
        let (weight, reduction) = (a.opt_tensor(2, "weight")?, reduction(a)?);
        let (ignore, smoothing) = (a.int(9, "ignore_index", -100)?, a.float(9, "label_smoothing", 0.0)?);
        one(ops::cross_entropy_with(a.x()?, a.tensor(1, "target")?, |o| {
            let o = o.reduction(reduction).ignore_index(ignore).label_smoothing(smoothing);
            weight.into_iter().fold(o, |o, w| o.weight(w))
        }))
    }),
    OpInfo::general("nn.functional.nll_loss", |a| {
        let (weight, ignore) = (a.opt_tensor(2, "weight")?, a.int(9, "ignore_index", -100)?);
        one(ops::nll_loss(a.x()?, a.tensor(1, "target")?, weight, ignore, reduction(a)?))
    }),
    OpInfo::general("nn.functional.hinge_embedding_loss", |a| {
        one(ops::hinge_embedding_loss(a.x()?, a.tensor(1, "target")?, a.float(9, "margin", 1.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.cosine_embedding_loss", |a| {
        let (b, target) = (a.tensor(1, "input2")?, a.tensor(2, "target")?);
        one(ops::cosine_embedding_loss(a.x()?, b, target, a.float(9, "margin", 0.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.margin_ranking_loss", |a| {
        let (b, target) = (a.tensor(1, "input2")?, a.tensor(2, "target")?);
        one(ops::margin_ranking_loss(a.x()?, b, target, a.float(9, "margin", 0.0)?, reduction(a)?))
    }),
    OpInfo::general("nn.functional.triplet_margin_loss", |a| {
        let (positive, negative) = (a.tensor(1, "positive")?, a.tensor(2, "negative")?);
        let options = TripletMarginOptions::default()
            .margin(a.float(9, "margin", 1.0)?)
            .p(a.float(9, "p", 2.0)?)
            .swap(a.bool(9, "swap", false)?)
            .reduction(reduction(a)?);
        one(ops::triplet_margin_loss(a.x()?, positive, negative, &options))
    }),
    OpInfo::general("nn.functional.multi_margin_loss", |a| {
        let (p, margin, weight) = (a.int(9, "p", 1)?, a.float(9, "margin", 1.0)?, a.opt_tensor(9, "weight")?);
        one(ops::multi_margin_loss(a.x()?, a.tensor(1, "target")?, p, margin, weight, reduction(a)?))
    }),
];
