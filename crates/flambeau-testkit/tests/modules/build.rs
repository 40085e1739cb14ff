//! The module of each golden.

use flambeau_nn as nn;
use flambeau_testkit::golden::{Arg, ModuleCase};

use crate::ctor::{Built, Ctor, forward, loss};

/// The module of a case, and whether every argument of its constructor was used.
pub fn build(case: &ModuleCase) -> Option<(Built, bool)> {
    let conv = ["in_channels", "out_channels", "kernel_size", "stride"];
    let pool = ["kernel_size", "stride", "padding"];
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let weights = |c: &Ctor<'_>| c.tensor("weight");
    let (built, c) = match case.module.as_str() {
        "Linear" => {
            let c = ctor(&["in_features", "out_features"]);
            (
                forward(nn::Linear::with(c.size("in_features"), c.size("out_features"), |o| {
                    o.bias(c.flag("bias", true))
                })),
                c,
            )
        }
        "Conv1d" => with(ctor(&conv), Ctor::conv::<1>),
        "Conv2d" => with(ctor(&conv), Ctor::conv::<2>),
        "ConvTranspose2d" => with(ctor(&conv), Ctor::conv_transpose::<2>),
        "MaxPool1d" => with(ctor(&pool), Ctor::max_pool::<1>),
        "MaxPool2d" => with(ctor(&pool), Ctor::max_pool::<2>),
        "AvgPool1d" => with(ctor(&pool), Ctor::avg_pool::<1>),
        "AvgPool2d" => with(ctor(&pool), Ctor::avg_pool::<2>),
        "AdaptiveAvgPool2d" => with(ctor(&["output_size"]), Ctor::adaptive::<2>),
        "BatchNorm1d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverBatch, 1>),
        "BatchNorm2d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverBatch, 2>),
        "InstanceNorm2d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverInstance, 2>),
        "Flatten" => with(ctor(&["start_dim", "end_dim"]), |c| {
            forward(nn::Flatten::with(|o| o.start_dim(c.int("start_dim", 1)).end_dim(c.int("end_dim", -1))))
        }),
        "Unflatten" => {
            with(ctor(&["dim", "sizes"]), |c| forward(nn::Unflatten::new(c.int("dim", 0), &c.sizes("sizes"))))
        }
        "Identity" => with(ctor(&[]), |_| forward(nn::Identity::new())),
        "Dropout" => with(ctor(&["p"]), |c| {
            let dropout = nn::Dropout::new(c.float("p", 0.5));
            forward(if c.flag("inplace", false) { dropout.inplace() } else { dropout })
        }),
        "LayerNorm" => with(ctor(&["shape"]), |c| {
            forward(nn::LayerNorm::with(c.sizes("shape"), |o| {
                o.eps(c.float("eps", 1e-5))
                    .elementwise_affine(c.flag("elementwise_affine", true))
                    .bias(c.flag("bias", true))
            }))
        }),
        "GroupNorm" => with(ctor(&["num_groups", "num_channels"]), |c| {
            forward(nn::GroupNorm::with(c.size("num_groups"), c.size("num_channels"), |o| {
                o.eps(c.float("eps", 1e-5)).affine(c.flag("affine", true))
            }))
        }),
        "RMSNorm" => with(ctor(&["shape"]), |c| forward(nn::RMSNorm::new(c.sizes("shape")))),
        "Embedding" => with(ctor(&["rows", "width"]), |c| {
            forward(nn::Embedding::with(c.size("rows"), c.size("width"), |o| {
                o.padding_idx(c.get("padding_idx").and_then(Arg::as_int))
                    .max_norm(c.get("max_norm").and_then(Arg::as_float))
                    .scale_grad_by_freq(c.flag("scale_grad_by_freq", false))
            }))
        }),
        "ReLU" => with(ctor(&[]), |c| forward(nn::ReLU::with(|o| o.inplace(c.flag("inplace", false))))),
        "Sigmoid" => with(ctor(&[]), |_| forward(nn::Sigmoid::new())),
        "Tanh" => with(ctor(&[]), |_| forward(nn::Tanh::new())),
        "LeakyReLU" => with(ctor(&[]), |c| {
            let slope = c.number("negative_slope", 0.01);
            forward(nn::LeakyReLU::with(|o| o.negative_slope(slope).inplace(c.flag("inplace", false))))
        }),
        "ELU" => with(ctor(&[]), |c| forward(nn::ELU::with(|o| o.alpha(c.number("alpha", 1.0))))),
        "CELU" => with(ctor(&[]), |c| forward(nn::CELU::with(|o| o.alpha(c.number("alpha", 1.0))))),
        "SELU" => with(ctor(&[]), |_| forward(nn::SELU::new())),
        "GELU" => with(ctor(&[]), |c| {
            let name = c.get("approximate").map_or("none", |a| a.as_str().expect("a name"));
            forward(nn::GELU::with(|o| o.approximate(name)))
        }),
        "SiLU" => with(ctor(&[]), |_| forward(nn::SiLU::new())),
        "Mish" => with(ctor(&[]), |_| forward(nn::Mish::new())),
        "Softplus" => with(ctor(&[]), |c| {
            forward(nn::Softplus::with(|o| o.beta(c.number("beta", 1.0)).threshold(c.number("threshold", 20.0))))
        }),
        "Softmax" => with(ctor(&[]), |c| forward(nn::Softmax::with(|o| o.dim(c.get("dim").and_then(Arg::as_int))))),
        "LogSoftmax" => {
            with(ctor(&[]), |c| forward(nn::LogSoftmax::with(|o| o.dim(c.get("dim").and_then(Arg::as_int)))))
        }
        "Softmin" => with(ctor(&[]), |c| forward(nn::Softmin::with(|o| o.dim(c.get("dim").and_then(Arg::as_int))))),
        "ReLU6" => with(ctor(&[]), |_| forward(nn::ReLU6::new())),
        "Hardtanh" => with(ctor(&[]), |c| {
            forward(nn::Hardtanh::with(|o| o.min_val(c.number("min_val", -1.0)).max_val(c.number("max_val", 1.0))))
        }),
        "Hardsigmoid" => with(ctor(&[]), |_| forward(nn::Hardsigmoid::new())),
        "Hardswish" => with(ctor(&[]), |_| forward(nn::Hardswish::new())),
        "LogSigmoid" => with(ctor(&[]), |_| forward(nn::LogSigmoid::new())),
        "Softsign" => with(ctor(&[]), |_| forward(nn::Softsign::new())),
        "Tanhshrink" => with(ctor(&[]), |_| forward(nn::Tanhshrink::new())),
        "Softshrink" => with(ctor(&[]), |_| forward(nn::Softshrink::new())),
        "Hardshrink" => with(ctor(&[]), |_| forward(nn::Hardshrink::new())),
        "Threshold" => with(ctor(&[]), |c| {
            forward(nn::Threshold::with(|o| o.threshold(c.number("threshold", 0.0)).value(c.number("value", 0.0))))
        }),
        "GLU" => with(ctor(&[]), |c| forward(nn::GLU::with(|o| o.dim(c.int("dim", -1))))),
        "PReLU" => {
            with(ctor(&[]), |c| forward(nn::PReLU::with(|o| o.num_parameters(c.int("num_parameters", 1) as usize))))
        }
        "CrossEntropyLoss" => with(ctor(&[]), |c| {
            loss(nn::CrossEntropyLoss::with(|o| {
                o.weight(weights(c))
                    .ignore_index(c.int("ignore_index", -100))
                    .reduction(c.reduction())
                    .label_smoothing(c.float("label_smoothing", 0.0))
            }))
        }),
        "NLLLoss" => with(ctor(&[]), |c| {
            loss(nn::NLLLoss::with(|o| {
                o.weight(weights(c)).ignore_index(c.int("ignore_index", -100)).reduction(c.reduction())
            }))
        }),
        "MSELoss" => with(ctor(&[]), |c| loss(nn::MSELoss::with(|o| o.reduction(c.reduction())))),
        "L1Loss" => with(ctor(&[]), |c| loss(nn::L1Loss::with(|o| o.reduction(c.reduction())))),
        "SmoothL1Loss" => {
            with(ctor(&[]), |c| loss(nn::SmoothL1Loss::with(|o| o.beta(c.float("beta", 1.0)).reduction(c.reduction()))))
        }
        "HuberLoss" => {
            with(ctor(&[]), |c| loss(nn::HuberLoss::with(|o| o.delta(c.float("delta", 1.0)).reduction(c.reduction()))))
        }
        "HingeEmbeddingLoss" => with(ctor(&[]), |c| {
            loss(nn::HingeEmbeddingLoss::with(|o| o.margin(c.float("margin", 1.0)).reduction(c.reduction())))
        }),
        "SoftMarginLoss" => with(ctor(&[]), |c| loss(nn::SoftMarginLoss::with(|o| o.reduction(c.reduction())))),
        "BCELoss" => with(ctor(&[]), |c| loss(nn::BCELoss::with(|o| o.weight(weights(c)).reduction(c.reduction())))),
        "BCEWithLogitsLoss" => with(ctor(&[]), |c| {
            loss(nn::BCEWithLogitsLoss::with(|o| {
                o.weight(weights(c)).pos_weight(c.tensor("pos_weight")).reduction(c.reduction())
            }))
        }),
        "KLDivLoss" => with(ctor(&[]), |c| {
            loss(nn::KLDivLoss::with(|o| o.log_target(c.flag("log_target", false)).reduction(c.reduction())))
        }),
        _ => return None,
    };
    Some((built, c.all_read()))
}

fn with<'a>(ctor: Ctor<'a>, build: impl FnOnce(&Ctor<'a>) -> Built) -> (Built, Ctor<'a>) {
    (build(&ctor), ctor)
}
