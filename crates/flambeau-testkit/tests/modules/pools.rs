//! Pooling, normalisation by channels, bags of embeddings, and the functions of `goldens/random_pools.py` that have no class.

use flambeau_autograd::ops::{self, FractionalMaxPoolOptions, IntoScales, Scales};
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_nn::{self as nn};
use flambeau_tensor::{Device, Scalar};
use flambeau_testkit::golden::{Arg, ModuleCase};
use flambeau_testkit::work::{GPU, OnGpu, alone};

use crate::build::with;
use crate::ctor::{Built, Ctor, called, forward, function as shell};
use crate::functions::resized;
use crate::{random, run_drawn};

/// Classes whose results are sums, in an order that decides the sign of a zero.
pub const SUMS: &[&str] = &["LPPool", "Interpolate", "GridSample", "AffineGrid", "EmbeddingBag", "CrossMap"];

/// The module or function of a case, and whether every argument of its constructor was used.
pub fn pool(case: &ModuleCase) -> Option<(Built, bool)> {
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let name = case.module.as_str();
    let (built, c) = match name {
        "MaxUnpool1d" => with(ctor(&["kernel_size"]), unpool::<1>),
        "MaxUnpool2d" => with(ctor(&["kernel_size"]), unpool::<2>),
        "MaxUnpool3d" => with(ctor(&["kernel_size"]), unpool::<3>),
        "MaxUnpoolTo1d" => with(ctor(&[]), unpool::<1>),
        "MaxUnpoolTo2d" => with(ctor(&[]), unpool::<2>),
        "MaxUnpoolTo3d" => with(ctor(&[]), unpool::<3>),
        "LPPool1d" => with(ctor(&["norm_type", "kernel_size", "stride", "ceil_mode"]), power_pool::<1>),
        "LPPool2d" => with(ctor(&["norm_type", "kernel_size", "stride", "ceil_mode"]), power_pool::<2>),
        "LPPool3d" => with(ctor(&["norm_type", "kernel_size", "stride", "ceil_mode"]), power_pool::<3>),
        "FractionalMaxPool2d" => with(ctor(&["kernel_size"]), fractional::<2>),
        "FractionalMaxPool3d" => with(ctor(&["kernel_size"]), fractional::<3>),
        "FractionalPool2d" => with(ctor(&[]), |c| fractional_function(c, 2)),
        "FractionalPool3d" => with(ctor(&[]), |c| fractional_function(c, 3)),
        "LocalResponseNorm" => with(ctor(&["size", "alpha", "beta", "k"]), |c| {
            forward(nn::LocalResponseNorm::with(c.int("size", 1), |o| response(c, o, 1.0.into())))
        }),
        "CrossMapLRN2d" => with(ctor(&["size", "alpha", "beta", "k"]), |c| {
            forward(nn::CrossMapLRN2d::with(c.int("size", 1), |o| response(c, o, 1.into())))
        }),
        "ChannelShuffle" => with(ctor(&["groups"]), |c| forward(nn::ChannelShuffle::new(c.int("groups", 1)))),
        "EmbeddingBag" => with(ctor(&["num_embeddings", "embedding_dim"]), bag),
        "EmbeddingBagOf" => with(ctor(&[]), bag_function),
        "Interpolate" => with(ctor(&[]), |c| {
            // A mode that there is not is refused before there is an input to refuse.
            let options = resized(c);
            shell(move |x| vec![ops::interpolate(&x[0], &options).or_panic()])
        }),
        "GridSample" => with(ctor(&[]), |c| {
            let word = |name, default: &str| c.get(name).map_or(default, |a| a.as_str().expect("a word")).to_owned();
            let (mode, padding) = (word("mode", "bilinear"), word("padding_mode", "zeros"));
            let align = c.flag("align_corners", false);
            shell(move |x| vec![ops::grid_sample(&x[0], &x[1], &mode, &padding, Some(align)).or_panic()])
        }),
        "AffineGrid" => with(ctor(&[]), |c| {
            let (size, align) = (c.ints("size", &[]), c.flag("align_corners", false));
            shell(move |x| vec![ops::affine_grid(&x[0], &size, Some(align)).or_panic()])
        }),
        "ConvTbc" => with(ctor(&[]), |c| {
            let pad = c.int("pad", 0);
            shell(move |x| vec![ops::conv_tbc(&x[0], &x[1], &x[2], pad).or_panic()])
        }),
        _ => return None,
    };
    Some((built, c.all_read()))
}

fn unpool<const D: usize>(c: &Ctor<'_>) -> Built {
    let size = c.get("output_size").map(|_| c.ints("output_size", &[]));
    let module = nn::MaxUnpool::<D>::with(c.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
        o.stride(c.lengths::<D>("stride")).padding(c.lengths::<D>("padding").unwrap_or(0.into()))
    });
    let function = size.is_some();
    let built = called(module, move |m, x| match &size {
        None => vec![m.call(&x[0], &x[1])],
        Some(size) => vec![m.call_to(&x[0], &x[1], &size[..])],
    });
    Built { shell: function, ..built }
}

fn power_pool<const D: usize>(c: &Ctor<'_>) -> Built {
    let p = c.opt_number("norm_type").expect("a norm");
    let ceil = c.flag("ceil_mode", false);
    forward(nn::LPPool::<D>::with(p, c.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
        o.stride(c.lengths::<D>("stride")).ceil_mode(ceil)
    }))
}

fn ratios(c: &Ctor<'_>) -> Option<Scales> {
    Some(match c.get("output_ratio")? {
        Arg::List(list) => list.iter().map(|a| a.as_float().expect("a number")).collect(),
        one => one.as_float().expect("a number").into_scales(),
    })
}

fn fractional<const D: usize>(c: &Ctor<'_>) -> Built {
    let indices = c.flag("return_indices", false);
    let module = nn::FractionalMaxPool::<D>::with(c.lengths::<D>("kernel_size").expect("a kernel size"), |mut o| {
        (o.output_ratio, o._random_samples) = (ratios(c), c.tensor("_random_samples"));
        o.output_size(c.lengths::<D>("output_size"))
    });
    match indices {
        false => forward(module),
        true => called(module.return_indices(), |m, x| {
            let (values, indices) = m.call(&x[0]);
            vec![values, indices]
        }),
    }
}

fn fractional_function(c: &Ctor<'_>, ndim: usize) -> Built {
    let kernel = c.ints("kernel_size", &[]);
    let size = c.get("output_size").map(|_| c.ints("output_size", &[]).into_iter().collect());
    let (ratio, _) = (ratios(c), c.flag("return_indices", false));
    let pool = [ops::fractional_max_pool2d_with_indices, ops::fractional_max_pool3d_with_indices][ndim - 2];
    shell(move |x| {
        let samples = x.get(1).map(Tensor::shallow_clone);
        let options = FractionalMaxPoolOptions {
            output_size: size.clone(),
            output_ratio: ratio.clone(),
            _random_samples: samples,
        };
        let (values, indices) = pool(&x[0], &kernel, &options).or_panic();
        vec![values, indices]
    })
}

fn response(c: &Ctor<'_>, o: nn::ResponseNormOptions, k: Scalar) -> nn::ResponseNormOptions {
    let k = c.opt_number("k").unwrap_or(k);
    o.alpha(c.number("alpha", 1e-4)).beta(c.number("beta", 0.75)).k(k)
}

fn mode(c: &Ctor<'_>) -> String {
    c.get("mode").map_or("mean", |a| a.as_str().expect("a word")).to_owned()
}

fn bag(c: &Ctor<'_>) -> Built {
    let (rows, width) = (c.size("num_embeddings"), c.size("embedding_dim"));
    let module = nn::EmbeddingBag::with(rows, width, |mut o| {
        o.max_norm = c.opt_number("max_norm");
        o.norm_type(c.number("norm_type", 2.0))
            .scale_grad_by_freq(c.flag("scale_grad_by_freq", false))
            .mode(mode(c))
            .sparse(c.flag("sparse", false))
            .include_last_offset(c.flag("include_last_offset", false))
            .padding_idx(c.get("padding_idx").and_then(Arg::as_int))
    });
    called(module, |m, x| vec![m.call(&x[0], x.get(1), x.get(2))])
}

fn bag_function(c: &Ctor<'_>) -> Built {
    let (norm, norm_type) = (c.get("max_norm").and_then(Arg::as_float), c.float("norm_type", 2.0));
    let (by_freq, sparse, last) =
        (c.flag("scale_grad_by_freq", false), c.flag("sparse", false), c.flag("include_last_offset", false));
    let (mode, padding) = (mode(c), c.get("padding_idx").and_then(Arg::as_int));
    shell(move |x| {
        let (offsets, factors) = (x.get(2), x.get(3));
        let y =
            ops::embedding_bag(&x[0], &x[1], offsets, norm, norm_type, by_freq, &mode, sparse, factors, last, padding);
        vec![y.or_panic()]
    })
}

/// Cases, by their number in the file, in which flambeau differs from PyTorch, each kind with its reason.
const DIFFER: random::Differ = &[(
    &[943, 995],
    "PyTorch shrinks the height without aliasing wrongly where the result's width is 1: it takes the first row",
)];

/// Cases in which a GPU differs further.
const DIFFER_ON_GPU: random::Differ = &[
    (
        &[752, 762, 787, 831, 873],
        "offsets on a device are not read: what is wrong with them the kernels find, in their words",
    ),
    (&[783, 813, 818, 857, 864, 903], "the kernel that reads rows finds the index, in its words"),
    (&[806, 807], "of two errors the one of the device is told at the next readback, which is the next case's"),
];

fn run(device: Device) -> usize {
    let further: random::Differ = if device.is_cpu() { &[] } else { DIFFER_ON_GPU };
    let (agree, differ) = run_drawn("random_pools", 1600, device, &[DIFFER, further]);
    agree + differ
}

#[test]
fn random_pools_are_pytorchs() {
    let _generator = alone();
    println!("count: {} random configurations of poolings, resizing and sampling agree with PyTorch", run(Device::Cpu));
}

#[test]
fn random_pools_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    println!("count: {} GPU cases: random configurations of poolings, resizing and sampling agree", run(GPU));
}
