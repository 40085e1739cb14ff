//! The loss of each golden.

use flambeau_nn::{self as nn, functional as F};
use flambeau_testkit::golden::{Arg, ModuleCase};

use crate::build::with;
use crate::ctor::{Built, Ctor, called, loss as pair};

fn three<F: nn::LossFunction3>(module: nn::Loss3<F>) -> Built {
    called(module, |m, x| vec![m.call(&x[0], &x[1], &x[2])])
}

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
            three(nn::MarginRankingLoss::with(|o| o.margin(c.float("margin", 0.0)).reduction(c.reduction())))
        }),
        "CosineEmbeddingLoss" => with(ctor(&[]), |c| {
            three(nn::CosineEmbeddingLoss::with(|o| o.margin(c.float("margin", 0.0)).reduction(c.reduction())))
        }),
        "TripletMarginLoss" => with(ctor(&[]), |c| {
            three(nn::TripletMarginLoss::with(|o| {
                o.margin(c.float("margin", 1.0))
                    .p(c.float("p", 2.0))
                    .eps(c.float("eps", 1e-6))
                    .swap(c.flag("swap", false))
                    .reduction(c.reduction())
            }))
        }),
        "MultiMarginLoss" => with(ctor(&[]), |c| {
            pair(nn::MultiMarginLoss::with(|o| {
                o.p(c.int("p", 1)).margin(c.float("margin", 1.0)).weight(weights(c).as_ref()).reduction(c.reduction())
            }))
        }),
        "PoissonNLLLoss" => with(ctor(&[]), |c| {
            pair(nn::PoissonNLLLoss::with(|o| {
                o.log_input(c.flag("log_input", true))
                    .full(c.flag("full", false))
                    .eps(c.float("eps", 1e-8))
                    .reduction(c.reduction())
            }))
        }),
        "GaussianNLLLoss" => with(ctor(&[]), |c| {
            let module = nn::GaussianNLLLoss::with(|o| {
                o.full(c.flag("full", false)).eps(c.float("eps", 1e-6)).reduction(c.reduction())
            });
            called(module, |m, x| vec![m.call(&x[0], &x[1], &x[2])])
        }),
        "MultiLabelMarginLoss" => {
            with(ctor(&[]), |c| pair(nn::MultiLabelMarginLoss::with(|o| o.reduction(c.reduction()))))
        }
        "MultiLabelSoftMarginLoss" => with(ctor(&[]), |c| {
            pair(nn::MultiLabelSoftMarginLoss::with(|o| o.weight(weights(c).as_ref()).reduction(c.reduction())))
        }),
        "TripletMarginWithDistanceLoss" => with(ctor(&[]), by_distance),
        "CTCLoss" => with(ctor(&[]), |c| {
            let module = nn::CTCLoss::with(|o| {
                o.blank(c.int("blank", 0)).reduction(c.reduction()).zero_infinity(c.flag("zero_infinity", false))
            });
            called(module, |m, x| vec![m.call(&x[0], &x[1], &x[2], &x[3])])
        }),
        "LinearCrossEntropyLoss" => with(ctor(&["in_features", "num_classes"]), linear),
        "AdaptiveLogSoftmaxWithLoss" => with(ctor(&["in_features", "n_classes", "cutoffs"]), |c| {
            let (features, classes, cutoffs) = (c.size("in_features"), c.size("n_classes"), c.ints("cutoffs", &[]));
            let module = nn::AdaptiveLogSoftmaxWithLoss::with(features, classes, cutoffs, |o| {
                o.div_value(c.float("div_value", 4.0)).head_bias(c.flag("head_bias", false))
            });
            called(module, |m, x| {
                let (output, loss) = m.call(&x[0], &x[1]);
                vec![output, loss]
            })
        }),
        _ => return None,
    };
    Some((built, c.all_read()))
}

/// The distances that `goldens/random_loss.py` has by name.
fn by_distance(c: &Ctor<'_>) -> Built {
    let module = nn::TripletMarginWithDistanceLoss::with(|o| {
        let o = o.margin(c.float("margin", 1.0)).swap(c.flag("swap", false)).reduction(c.reduction());
        match c.get("distance_function").map(|name| name.as_str().expect("a name")) {
            None => o,
            Some("l1") => o.distance_function(|x, y| (x - y).abs().sum_dim(-1, false)),
            Some("cosine") => o.distance_function(|x, y| 1.0 - F::cosine_similarity_with(x, y, |o| o.dim(-1))),
            Some("module") => o.distance_module(nn::PairwiseDistance::with(|o| o.p(1).keepdim(true))),
            Some(other) => panic!("{other}"),
        }
    });
    called(module, |m, x| vec![m.call(&x[0], &x[1], &x[2])])
}

fn linear(c: &Ctor<'_>) -> Built {
    let (features, classes) = (c.size("in_features"), c.size("num_classes"));
    let module = nn::LinearCrossEntropyLoss::with(features, classes, |o| {
        o.out_features(c.ints("out_features", &[]))
            .bias(c.flag("bias", false))
            .reduction(c.reduction())
            .weight(c.tensor("weight").as_ref())
            .ignore_index(c.get("ignore_index").and_then(Arg::as_int))
            .label_smoothing(c.float("label_smoothing", 0.0))
            .options(c.get("options").map(parts))
    });
    called(module, |m, x| vec![m.call(&x[0], &x[1])])
}

/// Options that stand as a list of names and values.
fn parts(list: &Arg) -> nn::LinearCrossEntropyOptions {
    let Arg::List(list) = list else { panic!("{list:?} is no list") };
    list.iter().fold(nn::LinearCrossEntropyOptions::new(), |o, pair| {
        let Arg::List(pair) = pair else { panic!("{pair:?} is no pair") };
        let [Arg::Str(name), value] = &pair[..] else { panic!("{pair:?} is no pair") };
        match (name.as_str(), value) {
            ("allow_retain_graph", Arg::Bool(allow)) => o.allow_retain_graph(*allow),
            ("batch_chunk_size", Arg::Int(size)) => o.batch_chunk_size(*size),
            ("chunking_method", Arg::Str(method)) => o.chunking_method(method.as_str()),
            ("chunking_method", Arg::None) => o.chunking_method(None),
            ("acc_policy", Arg::Str(policy)) => o.acc_policy(policy.as_str()),
            ("acc_dtype", Arg::DType(dtype)) => o.acc_dtype(*dtype),
            _ => panic!("{pair:?}"),
        }
    })
}
