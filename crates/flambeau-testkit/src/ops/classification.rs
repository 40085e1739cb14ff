//! Losses of classes and margins.

use flambeau_autograd::ops::{
    self, CosineEmbeddingOptions, CrossEntropyLossOptions, HingeEmbeddingLossOptions, MarginRankingOptions,
    MultiMarginOptions, NLLLossOptions, Reduction, TripletMarginOptions,
};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

fn reduction(a: &Args) -> CallResult<Reduction> {
    Ok(a.opt_str(9, "reduction")?.unwrap_or("mean").parse()?)
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.cross_entropy", |a| {
        let (ignore, smoothing) = (a.int(9, "ignore_index", -100)?, a.float(9, "label_smoothing", 0.0)?);
        let options = CrossEntropyLossOptions::default().weight(a.opt_tensor(2, "weight")?);
        let options = options.reduction(reduction(a)?).ignore_index(ignore).label_smoothing(smoothing);
        one(ops::cross_entropy(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.nll_loss", |a| {
        let options = NLLLossOptions::default().weight(a.opt_tensor(2, "weight")?);
        let options = options.ignore_index(a.int(9, "ignore_index", -100)?).reduction(reduction(a)?);
        one(ops::nll_loss(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.hinge_embedding_loss", |a| {
        let options = HingeEmbeddingLossOptions::default().margin(a.float(9, "margin", 1.0)?).reduction(reduction(a)?);
        one(ops::hinge_embedding_loss(a.x()?, a.tensor(1, "target")?, &options))
    }),
    OpInfo::general("nn.functional.cosine_embedding_loss", |a| {
        let (b, target) = (a.tensor(1, "input2")?, a.tensor(2, "target")?);
        let options = CosineEmbeddingOptions::default().margin(a.float(9, "margin", 0.0)?).reduction(reduction(a)?);
        one(ops::cosine_embedding_loss(a.x()?, b, target, &options))
    }),
    OpInfo::general("nn.functional.margin_ranking_loss", |a| {
        let (b, target) = (a.tensor(1, "input2")?, a.tensor(2, "target")?);
        let options = MarginRankingOptions::default().margin(a.float(9, "margin", 0.0)?).reduction(reduction(a)?);
        one(ops::margin_ranking_loss(a.x()?, b, target, &options))
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
        let options = MultiMarginOptions::default().p(a.int(9, "p", 1)?).margin(a.float(9, "margin", 1.0)?);
        let options = options.weight(a.opt_tensor(9, "weight")?).reduction(reduction(a)?);
        one(ops::multi_margin_loss(a.x()?, a.tensor(1, "target")?, &options))
    }),
];
