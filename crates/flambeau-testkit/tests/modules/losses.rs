//! The loss of each golden.

use flambeau_nn::{self as nn, functional as F};
use flambeau_testkit::golden::ModuleCase;

use crate::build::with;
use crate::ctor::{Built, Ctor, function, loss as pair};

/// The loss of a case, and whether every argument of its constructor was used.
pub fn loss(case: &ModuleCase) -> Option<(Built, bool)> {
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let weights = |c: &Ctor<'_>| c.tensor("weight");
    let (built, c) = match case.module.as_str() {
        "CrossEntropyLoss" => with(ctor(&[]), |c| {
            pair(nn::CrossEntropyLoss::with(|o| {
                o.weight(weights(c).as_ref())
                    .ignore_index(c.int("ignore_index", -100))
                    .reduction(c.reduction())
                    .label_smoothing(c.float("label_smoothing", 0.0))
            }))
        }),
        "NLLLoss" => with(ctor(&[]), |c| {
            pair(nn::NLLLoss::with(|o| {
                o.weight(weights(c).as_ref()).ignore_index(c.int("ignore_index", -100)).reduction(c.reduction())
            }))
        }),
        "MSELoss" => with(ctor(&[]), |c| pair(nn::MSELoss::with(|o| o.reduction(c.reduction())))),
        "L1Loss" => with(ctor(&[]), |c| pair(nn::L1Loss::with(|o| o.reduction(c.reduction())))),
        "SmoothL1Loss" => {
            with(ctor(&[]), |c| pair(nn::SmoothL1Loss::with(|o| o.beta(c.float("beta", 1.0)).reduction(c.reduction()))))
        }
        "HuberLoss" => {
            with(ctor(&[]), |c| pair(nn::HuberLoss::with(|o| o.delta(c.float("delta", 1.0)).reduction(c.reduction()))))
        }
        "HingeEmbeddingLoss" => with(ctor(&[]), |c| {
            pair(nn::HingeEmbeddingLoss::with(|o| o.margin(c.float("margin", 1.0)).reduction(c.reduction())))
        }),
        "SoftMarginLoss" => with(ctor(&[]), |c| pair(nn::SoftMarginLoss::with(|o| o.reduction(c.reduction())))),
        "BCELoss" => {
            with(ctor(&[]), |c| pair(nn::BCELoss::with(|o| o.weight(weights(c).as_ref()).reduction(c.reduction()))))
        }
        "BCEWithLogitsLoss" => with(ctor(&[]), |c| {
            pair(nn::BCEWithLogitsLoss::with(|o| {
                o.weight(weights(c).as_ref()).pos_weight(c.tensor("pos_weight").as_ref()).reduction(c.reduction())
            }))
        }),
        "KLDivLoss" => with(ctor(&[]), |c| {
            pair(nn::KLDivLoss::with(|o| o.log_target(c.flag("log_target", false)).reduction(c.reduction())))
        }),
        "MarginRankingLoss" => with(ctor(&[]), |c| {
            let (margin, reduction) = (c.float("margin", 0.0), c.reduction().to_owned());
            function(move |x| {
                let options = |o: F::MarginRankingOptions| o.margin(margin).reduction(&*reduction);
                vec![F::margin_ranking_loss_with(&x[0], &x[1], &x[2], options)]
            })
        }),
        "CosineEmbeddingLoss" => with(ctor(&[]), |c| {
            let (margin, reduction) = (c.float("margin", 0.0), c.reduction().to_owned());
            function(move |x| {
                let options = |o: F::CosineEmbeddingOptions| o.margin(margin).reduction(&*reduction);
                vec![F::cosine_embedding_loss_with(&x[0], &x[1], &x[2], options)]
            })
        }),
        "MultiMarginLoss" => with(ctor(&[]), |c| {
            let (p, margin, reduction) = (c.int("p", 1), c.float("margin", 1.0), c.reduction().to_owned());
            let weight = weights(c);
            function(move |x| {
                let weight = weight.as_ref().map(|w| w.to(x[0].device()));
                let options =
                    |o: F::MultiMarginOptions| o.p(p).margin(margin).weight(weight.as_ref()).reduction(&*reduction);
                vec![F::multi_margin_loss_with(&x[0], &x[1], options)]
            })
        }),
        "PoissonNLLLoss" => with(ctor(&[]), |c| {
            let (log_input, full, eps) = (c.flag("log_input", true), c.flag("full", false), c.float("eps", 1e-8));
            let reduction = c.reduction().to_owned();
            function(move |x| {
                let options =
                    |o: F::PoissonNLLOptions| o.log_input(log_input).full(full).eps(eps).reduction(&*reduction);
                vec![F::poisson_nll_loss_with(&x[0], &x[1], options)]
            })
        }),
        "GaussianNLLLoss" => with(ctor(&[]), |c| {
            let (full, eps, reduction) = (c.flag("full", false), c.float("eps", 1e-6), c.reduction().to_owned());
            function(move |x| {
                let options = |o: F::GaussianNLLOptions| o.full(full).eps(eps).reduction(&*reduction);
                vec![F::gaussian_nll_loss_with(&x[0], &x[1], &x[2], options)]
            })
        }),
        "TripletMarginLoss" => with(ctor(&[]), |c| {
            let (margin, p, eps) = (c.float("margin", 1.0), c.float("p", 2.0), c.float("eps", 1e-6));
            let (swap, reduction) = (c.flag("swap", false), nn_reduction(c));
            function(move |x| {
                vec![F::triplet_margin_loss_with(&x[0], &x[1], &x[2], |o| {
                    o.margin(margin).p(p).eps(eps).swap(swap).reduction(reduction)
                })]
            })
        }),
        _ => return None,
    };
    Some((built, c.all_read()))
}

fn nn_reduction(c: &Ctor<'_>) -> flambeau_autograd::ops::Reduction {
    c.reduction().into()
}
