//! Classes of PyTorch that are functions here: unpooling, padding, blocks, resizing and others.

use flambeau_autograd::Tensor;
use flambeau_autograd::ops::{self, Sizes};
use flambeau_nn::functional as F;
use flambeau_testkit::golden::{Arg, ModuleCase};

use crate::build::with;
use crate::ctor::{Built, Ctor, function as shell};

/// The function of a case's class, and whether every argument of its constructor was used.
pub fn function(case: &ModuleCase) -> Option<(Built, bool)> {
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let name = case.module.as_str();
    let (built, c) = match name {
        "MaxUnpool1d" | "MaxUnpool2d" | "MaxUnpool3d" => with(ctor(&["kernel_size"]), |c| {
            let unpool = match name {
                "MaxUnpool1d" => ops::max_unpool1d,
                "MaxUnpool2d" => ops::max_unpool2d,
                _ => ops::max_unpool3d,
            };
            let (kernel, padding) = (c.ints("kernel_size", &[]), c.ints("padding", &[0]));
            let stride = c.ints("stride", &kernel);
            let options = ops::MaxUnpoolOptions::default().stride(stride).padding(padding);
            shell(move |x| vec![result(unpool(&x[0], &x[1], &kernel, &options))])
        }),
        "ConstantPad1d" | "ConstantPad2d" => with(ctor(&["padding", "value"]), |c| {
            let (pads, value) = (c.ints("padding", &[]), c.number("value", 0.0));
            let pads = every(pads, name);
            shell(move |x| vec![F::pad_with(&x[0], pads.clone(), |o| o.value(value))])
        }),
        "RReLU" => with(ctor(&[]), |c| {
            let (lower, upper) = (c.float("lower", 1.0 / 8.0), c.float("upper", 1.0 / 3.0));
            shell(move |x| vec![result(ops::rrelu(&x[0], lower, upper, false))])
        }),
        "Unfold" => with(ctor(&["kernel_size"]), |c| {
            let (kernel, options) = (c.ints("kernel_size", &[]), blocks(c));
            shell(move |x| vec![F::unfold_with(&x[0], kernel.clone(), |_| options.clone())])
        }),
        "Fold" => with(ctor(&["output_size", "kernel_size"]), |c| {
            let (size, kernel, options) = (c.ints("output_size", &[]), c.ints("kernel_size", &[]), blocks(c));
            shell(move |x| vec![F::fold_with(&x[0], size.clone(), kernel.clone(), |_| options.clone())])
        }),
        "PixelShuffle" | "PixelUnshuffle" => with(ctor(&["factor"]), |c| {
            let factor = c.int("factor", 1);
            let shuffle = if name == "PixelShuffle" { ops::pixel_shuffle } else { ops::pixel_unshuffle };
            shell(move |x| vec![result(shuffle(&x[0], factor))])
        }),
        "Upsample" => with(ctor(&[]), upsample),
        "LocalResponseNorm" => with(ctor(&["size"]), |c| {
            let size = c.int("size", 1);
            let [alpha, beta, k] = [("alpha", 1e-4), ("beta", 0.75), ("k", 1.0)].map(|(n, d)| c.float(n, d));
            shell(move |x| vec![F::local_response_norm_with(&x[0], size, |o| o.alpha(alpha).beta(beta).k(k))])
        }),
        "CosineSimilarity" => with(ctor(&[]), |c| {
            let (dim, eps) = (c.int("dim", 1), c.float("eps", 1e-8));
            shell(move |x| vec![result(ops::cosine_similarity(&x[0], &x[1], dim, eps))])
        }),
        "PairwiseDistance" => with(ctor(&[]), |c| {
            let (p, eps, keepdim) = (c.float("p", 2.0), c.float("eps", 1e-6), c.flag("keepdim", false));
            shell(move |x| vec![result(ops::pairwise_distance(&x[0], &x[1], p, eps, keepdim))])
        }),
        _ => with(ctor(&["padding"]), |c| {
            let mode = [("Reflection", "reflect"), ("Replication", "replicate"), ("Circular", "circular")];
            let (_, mode) = *mode.iter().find(|(class, _)| name.starts_with(class)).unwrap_or_else(|| panic!("{name}"));
            let pads = every(c.ints("padding", &[]), name);
            shell(move |x| vec![F::pad_with(&x[0], pads.clone(), |o| o.mode(mode))])
        }),
    };
    Some((built, c.all_read()))
}

fn result(x: flambeau_autograd::Result<Tensor>) -> Tensor {
    x.unwrap_or_else(|e| panic!("{e}"))
}

/// The pads of a class `…Pad2d`: one number stands for all.
fn every(pads: Vec<i64>, class: &str) -> Vec<i64> {
    let n = ["Pad1d", "Pad2d", "Pad3d"].iter().position(|end| class.ends_with(end)).expect("a class of padding") + 1;
    if pads.len() == 1 { vec![pads[0]; 2 * n] } else { pads }
}

fn blocks(c: &Ctor<'_>) -> ops::UnfoldOptions {
    let [dilation, padding, stride] = [("dilation", 1), ("padding", 0), ("stride", 1)].map(|(n, d)| c.ints(n, &[d]));
    ops::UnfoldOptions::default().dilation(dilation).padding(padding).stride(stride)
}

fn upsample(c: &Ctor<'_>) -> Built {
    let mut options = ops::InterpolateOptions::default();
    if let Some(mode) = c.get("mode") {
        options = options.mode(mode.as_str().expect("a name"));
    }
    if c.get("size").is_some() {
        let size: Sizes = c.ints("size", &[]).into_iter().collect();
        options = options.size(&size[..]);
    }
    if let Some(scale) = c.get("scale_factor") {
        let all: Vec<f64> = match scale {
            Arg::List(list) => list.iter().map(|a| a.as_float().expect("a number")).collect(),
            one => vec![one.as_float().expect("a number")],
        };
        options = options.scale_factor(&all[..]);
    }
    if let Some(align) = c.get("align_corners") {
        options = options.align_corners(align.as_bool());
    }
    options = options.recompute_scale_factor(c.flag("recompute_scale_factor", false));
    shell(move |x| vec![F::interpolate(&x[0], |_| options.clone())])
}
