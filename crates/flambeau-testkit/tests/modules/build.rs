//! The module of each golden.

use flambeau_nn as nn;
use flambeau_testkit::golden::{Arg, ModuleCase};

use crate::ctor::{Built, Ctor, called, forward};
use flambeau_nn::dropout_kinds;

/// The module of a case, and whether every argument of its constructor was used. What PyTorch has as a class and this library
/// as a function stands in the shell of an empty module.
pub fn build(case: &ModuleCase) -> Option<(Built, bool)> {
    layer(case)
        .or_else(|| crate::lazy::layer(case))
        .or_else(|| crate::attn::attention(case))
        .or_else(|| crate::rnn::build(case))
        .or_else(|| crate::losses::loss(case))
        .or_else(|| crate::pools::pool(case))
        .or_else(|| crate::functions::function(case))
}

fn layer(case: &ModuleCase) -> Option<(Built, bool)> {
    let conv = ["in_channels", "out_channels", "kernel_size", "stride"];
    let pool = ["kernel_size", "stride", "padding"];
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let transposed = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "groups"];
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
        "Conv3d" => with(ctor(&conv), Ctor::conv::<3>),
        "ConvTranspose1d" => with(ctor(&transposed), Ctor::conv_transpose::<1>),
        "ConvTranspose2d" => with(ctor(&transposed), Ctor::conv_transpose::<2>),
        "ConvTranspose3d" => with(ctor(&transposed), Ctor::conv_transpose::<3>),
        "MaxPool1d" => with(ctor(&pool), Ctor::max_pool::<1>),
        "MaxPool2d" => with(ctor(&pool), Ctor::max_pool::<2>),
        "MaxPool3d" => with(ctor(&pool), Ctor::max_pool::<3>),
        "AvgPool1d" => with(ctor(&pool), Ctor::avg_pool::<1>),
        "AvgPool2d" => with(ctor(&pool), Ctor::avg_pool::<2>),
        "AvgPool3d" => with(ctor(&pool), Ctor::avg_pool::<3>),
        "AdaptiveAvgPool1d" => with(ctor(&["output_size"]), Ctor::adaptive_avg_pool::<1>),
        "AdaptiveAvgPool2d" => with(ctor(&["output_size"]), Ctor::adaptive_avg_pool::<2>),
        "AdaptiveAvgPool3d" => with(ctor(&["output_size"]), Ctor::adaptive_avg_pool::<3>),
        "AdaptiveMaxPool1d" => with(ctor(&["output_size"]), Ctor::adaptive_max_pool::<1>),
        "AdaptiveMaxPool2d" => with(ctor(&["output_size"]), Ctor::adaptive_max_pool::<2>),
        "AdaptiveMaxPool3d" => with(ctor(&["output_size"]), Ctor::adaptive_max_pool::<3>),
        "BatchNorm1d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverBatch, 1>),
        "BatchNorm2d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverBatch, 2>),
        "BatchNorm3d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverBatch, 3>),
        "InstanceNorm1d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverInstance, 1>),
        "InstanceNorm2d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverInstance, 2>),
        "InstanceNorm3d" => with(ctor(&["num_features"]), Ctor::channel_norm::<nn::OverInstance, 3>),
        "Flatten" => with(ctor(&["start_dim", "end_dim"]), |c| {
            forward(nn::Flatten::with(|o| o.start_dim(c.int("start_dim", 1)).end_dim(c.int("end_dim", -1))))
        }),
        "Unflatten" => {
            with(ctor(&["dim", "sizes"]), |c| forward(nn::Unflatten::new(c.int("dim", 0), c.ints("sizes", &[]))))
        }
        "Identity" => with(ctor(&[]), |_| forward(nn::Identity::new())),
        "Dropout" => with(ctor(&["p"]), dropout::<dropout_kinds::Elements>),
        "Dropout1d" => with(ctor(&["p"]), dropout::<dropout_kinds::Rows>),
        "Dropout2d" => with(ctor(&["p"]), dropout::<dropout_kinds::Planes>),
        "Dropout3d" => with(ctor(&["p"]), dropout::<dropout_kinds::Volumes>),
        "AlphaDropout" => with(ctor(&["p"]), dropout::<dropout_kinds::Alpha>),
        "FeatureAlphaDropout" => with(ctor(&["p"]), dropout::<dropout_kinds::FeatureAlpha>),
        "Bilinear" => with(ctor(&["in1_features", "in2_features", "out_features"]), |c| {
            let [a, b, out] = ["in1_features", "in2_features", "out_features"].map(|name| c.size(name));
            let bias = c.flag("bias", true);
            called(nn::Bilinear::with(a, b, out, |o| o.bias(bias)), |m, x| vec![m.call(&x[0], &x[1])])
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
                o.eps(c.float("eps", 1e-5)).affine(c.flag("affine", true)).bias(c.flag("bias", true))
            }))
        }),
        "RMSNorm" => with(ctor(&["shape"]), |c| {
            forward(nn::RMSNorm::with(c.sizes("shape"), |o| {
                o.eps(c.get("eps").and_then(Arg::as_float)).elementwise_affine(c.flag("elementwise_affine", true))
            }))
        }),
        "Embedding" => with(ctor(&["num_embeddings", "embedding_dim"]), |c| {
            forward(nn::Embedding::with(c.size("num_embeddings"), c.size("embedding_dim"), |o| {
                o.padding_idx(c.get("padding_idx").and_then(Arg::as_int))
                    .max_norm(c.opt_number("max_norm"))
                    .norm_type(c.number("norm_type", 2.0))
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
        "ELU" => with(ctor(&[]), |c| {
            forward(nn::ELU::with(|o| o.alpha(c.number("alpha", 1.0)).inplace(c.flag("inplace", false))))
        }),
        "CELU" => with(ctor(&[]), |c| {
            forward(nn::CELU::with(|o| o.alpha(c.number("alpha", 1.0)).inplace(c.flag("inplace", false))))
        }),
        "SELU" => with(ctor(&[]), |c| forward(nn::SELU::with(|o| o.inplace(c.flag("inplace", false))))),
        "GELU" => with(ctor(&[]), |c| {
            let name = c.get("approximate").map_or("none", |a| a.as_str().expect("a name"));
            forward(nn::GELU::with(|o| o.approximate(name)))
        }),
        "SiLU" => with(ctor(&[]), |c| forward(nn::SiLU::with(|o| o.inplace(c.flag("inplace", false))))),
        "Mish" => with(ctor(&[]), |c| forward(nn::Mish::with(|o| o.inplace(c.flag("inplace", false))))),
        "Softplus" => with(ctor(&[]), |c| {
            forward(nn::Softplus::with(|o| o.beta(c.number("beta", 1.0)).threshold(c.number("threshold", 20.0))))
        }),
        "Softmax" => with(ctor(&[]), |c| forward(nn::Softmax::with(|o| o.dim(c.get("dim").and_then(Arg::as_int))))),
        "LogSoftmax" => {
            with(ctor(&[]), |c| forward(nn::LogSoftmax::with(|o| o.dim(c.get("dim").and_then(Arg::as_int)))))
        }
        "Softmin" => with(ctor(&[]), |c| forward(nn::Softmin::with(|o| o.dim(c.get("dim").and_then(Arg::as_int))))),
        "ReLU6" => with(ctor(&[]), |c| forward(nn::ReLU6::with(|o| o.inplace(c.flag("inplace", false))))),
        "Hardtanh" => with(ctor(&[]), |c| {
            forward(nn::Hardtanh::with(|o| {
                o.min_val(c.number("min_val", -1.0)).max_val(c.number("max_val", 1.0)).inplace(c.flag("inplace", false))
            }))
        }),
        "Hardsigmoid" => with(ctor(&[]), |c| forward(nn::Hardsigmoid::with(|o| o.inplace(c.flag("inplace", false))))),
        "Hardswish" => with(ctor(&[]), |c| forward(nn::Hardswish::with(|o| o.inplace(c.flag("inplace", false))))),
        "LogSigmoid" => with(ctor(&[]), |_| forward(nn::LogSigmoid::new())),
        "Softsign" => with(ctor(&[]), |_| forward(nn::Softsign::new())),
        "Tanhshrink" => with(ctor(&[]), |_| forward(nn::Tanhshrink::new())),
        "Softshrink" => with(ctor(&[]), |c| forward(nn::Softshrink::with(|o| o.lambd(c.number("lambd", 0.5))))),
        "Hardshrink" => with(ctor(&[]), |c| forward(nn::Hardshrink::with(|o| o.lambd(c.number("lambd", 0.5))))),
        "Threshold" => with(ctor(&[]), |c| {
            forward(nn::Threshold::with(|o| {
                o.threshold(c.number("threshold", 0.0)).value(c.number("value", 0.0)).inplace(c.flag("inplace", false))
            }))
        }),
        "Softmax2d" => with(ctor(&[]), |_| forward(nn::Softmax2d::new())),
        "GLU" => with(ctor(&[]), |c| forward(nn::GLU::with(|o| o.dim(c.int("dim", -1))))),
        "PReLU" => with(ctor(&[]), |c| {
            let (n, first) = (c.int("num_parameters", 1) as usize, c.float("init", 0.25));
            forward(nn::PReLU::with(|o| o.num_parameters(n).init(first)))
        }),
        _ => return None,
    };
    Some((built, c.all_read()))
}

pub fn with<'a>(ctor: Ctor<'a>, build: impl FnOnce(&Ctor<'a>) -> Built) -> (Built, Ctor<'a>) {
    (build(&ctor), ctor)
}

fn dropout<K: nn::DropoutKind>(c: &Ctor<'_>) -> Built {
    forward(nn::DropoutLayer::<K>::with(c.number("p", 0.5), |o| o.inplace(c.flag("inplace", false))))
}
