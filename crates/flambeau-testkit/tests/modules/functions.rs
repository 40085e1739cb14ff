//! Padding, blocks, resizing and others; among them classes of PyTorch that are functions here.

use flambeau_autograd::ops::{self, Sizes};
use flambeau_nn::{self as nn, functional as F, pad_kinds};
use flambeau_testkit::golden::{Arg, ModuleCase};

use crate::build::with;
use crate::ctor::{Built, Ctor, called, forward, function as shell};

/// The function of a case's class, and whether every argument of its constructor was used.
pub fn function(case: &ModuleCase) -> Option<(Built, bool)> {
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let name = case.module.as_str();
    let (built, c) = match name {
        "RReLU" => with(ctor(&[]), |c| {
            let (lower, upper) = (c.number("lower", 1.0 / 8.0), c.number("upper", 1.0 / 3.0));
            forward(nn::RReLU::with(|o| o.lower(lower).upper(upper).inplace(c.flag("inplace", false))))
        }),
        "Unfold" => with(ctor(&["kernel_size"]), |c| {
            if c.negative(&["kernel_size", "dilation", "padding", "stride"]) {
                let (kernel, options) = (c.ints("kernel_size", &[]), blocks(c));
                return shell(move |x| vec![F::unfold_with(&x[0], kernel.clone(), |_| options.clone())]);
            }
            forward(nn::Unfold::with(c.lengths("kernel_size").expect("a size"), |o| fold_options(c, o)))
        }),
        "Fold" => with(ctor(&["output_size", "kernel_size"]), |c| {
            let [size, kernel] = ["output_size", "kernel_size"].map(|name| c.lengths(name).expect("a size"));
            forward(nn::Fold::with(size, kernel, |o| fold_options(c, o)))
        }),
        "PixelShuffle" => with(ctor(&["factor"]), |c| forward(nn::PixelShuffle::new(c.int("factor", 1)))),
        "PixelUnshuffle" => with(ctor(&["factor"]), |c| forward(nn::PixelUnshuffle::new(c.int("factor", 1)))),
        "Upsample" => with(ctor(&["size"]), |c| {
            let module = forward(nn::Upsample::with(|_| resized(c)));
            // A list of one length prints as the length.
            let list = |name: &str| matches!(c.get(name), Some(Arg::List(list)) if list.len() == 1);
            Built { shell: list("size") || list("scale_factor"), ..module }
        }),
        "UpsamplingNearest2d" => with(ctor(&["size"]), |c| forward(nn::UpsamplingNearest2d::with(|_| resized(c)))),
        "UpsamplingBilinear2d" => with(ctor(&["size"]), |c| forward(nn::UpsamplingBilinear2d::with(|_| resized(c)))),
        "CosineSimilarity" => with(ctor(&[]), |c| {
            let (dim, eps) = (c.int("dim", 1), c.float("eps", 1e-8));
            called(nn::CosineSimilarity::with(|o| o.dim(dim).eps(eps)), |m, x| vec![m.call(&x[0], &x[1])])
        }),
        "PairwiseDistance" => with(ctor(&[]), |c| {
            let (p, eps, keepdim) = (c.float("p", 2.0), c.float("eps", 1e-6), c.flag("keepdim", false));
            let module = nn::PairwiseDistance::with(|o| o.p(p).eps(eps).keepdim(keepdim));
            called(module, |m, x| vec![m.call(&x[0], &x[1])])
        }),
        _ => with(ctor(&["padding", "value"]), |c| padding(c, name)),
    };
    Some((built, c.all_read()))
}

/// A layer of padding by its name.
fn padding(c: &Ctor<'_>, name: &str) -> Built {
    fn of<K: nn::PadKind>(pads: Vec<i64>, n: &str) -> Built {
        match n {
            "1d" => forward(nn::Pad::<K, 1>::new(pads)),
            "2d" => forward(nn::Pad::<K, 2>::new(pads)),
            _ => forward(nn::Pad::<K, 3>::new(pads)),
        }
    }
    let (kind, n) = name.split_at(name.len() - 2);
    let pads = c.ints("padding", &[]);
    match kind {
        "ZeroPad" => of::<pad_kinds::Zero>(pads, n),
        "ReflectionPad" => of::<pad_kinds::Reflection>(pads, n),
        "ReplicationPad" => of::<pad_kinds::Replication>(pads, n),
        "CircularPad" => of::<pad_kinds::Circular>(pads, n),
        "ConstantPad" => {
            let value = c.number("value", 0.0);
            match n {
                "1d" => forward(nn::ConstantPad1d::with_value(pads, value)),
                "2d" => forward(nn::ConstantPad2d::with_value(pads, value)),
                _ => forward(nn::ConstantPad3d::with_value(pads, value)),
            }
        }
        _ => panic!("{name}"),
    }
}

fn fold_options(c: &Ctor<'_>, o: nn::FoldOptions) -> nn::FoldOptions {
    o.dilation(c.lengths("dilation").unwrap_or(1.into()))
        .padding(c.lengths("padding").unwrap_or(0.into()))
        .stride(c.lengths("stride").unwrap_or(1.into()))
}

fn blocks(c: &Ctor<'_>) -> ops::UnfoldOptions {
    let [dilation, padding, stride] = [("dilation", 1), ("padding", 0), ("stride", 1)].map(|(n, d)| c.ints(n, &[d]));
    ops::UnfoldOptions::default().dilation(dilation).padding(padding).stride(stride)
}

pub fn resized(c: &Ctor<'_>) -> ops::InterpolateOptions {
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
    let antialias = c.flag("antialias", false);
    options.recompute_scale_factor(c.flag("recompute_scale_factor", false)).antialias(antialias)
}
