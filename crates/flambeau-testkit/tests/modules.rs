//! PyTorch's goldens of modules, losses and initialisers: prints, initial numbers, outputs, gradients, state after training.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use flambeau_autograd::{Tensor, grad, zeros};
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Forward, Module, init};
use flambeau_tensor::{DType, Scalar};
use flambeau_testkit::args::{tensor, values};
use flambeau_testkit::golden::{
    Arg, GoldenTensor, InitCase, ModuleCase, ModuleRun, Tolerance, Values, cotangent, load_init, load_modules,
};

type Run = Box<dyn Fn(&[Tensor]) -> Vec<Tensor>>;

/// A module of a golden and how it is called.
struct Built {
    module: Arc<dyn Module>,
    run: Run,
}

fn forward(module: impl Forward) -> Built {
    let module = Arc::new(module);
    let called = module.clone();
    Built { module, run: Box::new(move |x| vec![called.call(&x[0])]) }
}

fn loss<F: nn::LossFunction>(module: nn::Loss<F>) -> Built {
    let module = Arc::new(module);
    let called = module.clone();
    Built { module, run: Box::new(move |x| vec![called.call(&x[0], &x[1])]) }
}

/// A constructor's arguments by name; whoever reads one takes note, so that none is forgotten.
struct Ctor<'a> {
    args: BTreeMap<String, &'a Arg>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Ctor<'a> {
    fn new(case: &'a ModuleCase, names: &[&str]) -> Self {
        assert!(case.args.len() <= names.len(), "{} has more positional arguments than {names:?}", case.module);
        let positional = names.iter().zip(&case.args).map(|(n, a)| ((*n).to_owned(), a));
        let named = case.kwargs.iter().map(|(n, a)| (n.clone(), a));
        Ctor { args: positional.chain(named).collect(), read: RefCell::default() }
    }

    fn get(&self, name: &str) -> Option<&'a Arg> {
        let arg = *self.args.get(name)?;
        self.read.borrow_mut().insert(name.to_owned());
        Some(arg)
    }

    fn all_read(&self) -> bool {
        self.args.len() == self.read.borrow().len()
    }

    fn size(&self, name: &str) -> usize {
        let n = self.get(name).and_then(Arg::as_int).unwrap_or_else(|| panic!("{name} is missing"));
        usize::try_from(n).expect("a size")
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.get(name).map_or(default, |a| a.as_int().expect("an int"))
    }

    fn float(&self, name: &str, default: f64) -> f64 {
        self.get(name).map_or(default, |a| a.as_float().expect("a number"))
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |a| a.as_bool().expect("a bool"))
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        self.get(name).map(|a| tensor(a.as_tensor().expect("a tensor")).expect("a tensor"))
    }

    fn number(&self, name: &str, default: f64) -> Scalar {
        match self.get(name) {
            None => Scalar::Float(default),
            Some(Arg::Int(i)) => Scalar::Int(*i),
            Some(a) => Scalar::Float(a.as_float().expect("a number")),
        }
    }

    fn reduction(&self) -> &'a str {
        self.get("reduction").map_or("mean", |a| a.as_str().expect("a name"))
    }

    fn sizes(&self, name: &str) -> Vec<usize> {
        let ints = self.get(name).and_then(Arg::as_ints).expect("sizes");
        ints.into_iter().map(|n| usize::try_from(n).expect("a size")).collect()
    }

    fn lengths<const D: usize>(&self, name: &str) -> Option<nn::Lengths<D>> {
        let arg = self.get(name)?;
        Some(match arg.as_int() {
            Some(n) => nn::Lengths::Same(usize::try_from(n).expect("a length")),
            None => {
                let list: Vec<usize> = arg.as_ints().expect("lengths").into_iter().map(|n| n as usize).collect();
                nn::Lengths::Each(list.try_into().expect("one length for each dimension"))
            }
        })
    }

    fn conv<const D: usize>(&self) -> Built {
        let padding = match self.get("padding") {
            Some(Arg::Str(name)) => nn::Padding::from(name.as_str()),
            Some(_) => nn::Padding::from(self.lengths::<D>("padding").expect("it is there")),
            None => nn::Padding::from(0),
        };
        let kernel = self.lengths::<D>("kernel_size").expect("a kernel size");
        forward(nn::Conv::with(self.size("in_channels"), self.size("out_channels"), kernel, |o| {
            o.stride(self.lengths::<D>("stride").unwrap_or(1.into()))
                .padding(padding)
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .groups(self.int("groups", 1) as usize)
                .bias(self.flag("bias", true))
                .padding_mode(self.get("padding_mode").map_or("zeros", |a| a.as_str().expect("a name")))
        }))
    }

    fn conv_transpose<const D: usize>(&self) -> Built {
        let kernel = self.lengths::<D>("kernel_size").expect("a kernel size");
        forward(nn::ConvTranspose::with(self.size("in_channels"), self.size("out_channels"), kernel, |o| {
            o.stride(self.lengths::<D>("stride").unwrap_or(1.into()))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .output_padding(self.lengths::<D>("output_padding").unwrap_or(0.into()))
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .groups(self.int("groups", 1) as usize)
                .bias(self.flag("bias", true))
        }))
    }

    fn max_pool<const D: usize>(&self) -> Built {
        let module = nn::MaxPool::with(self.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
            o.stride(self.lengths::<D>("stride"))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .ceil_mode(self.flag("ceil_mode", false))
        });
        if !self.flag("return_indices", false) {
            return forward(module);
        }
        let module = Arc::new(module);
        let called = module.clone();
        Built {
            module,
            run: Box::new(move |x| {
                let (values, indices) = called.forward_with_indices(&x[0]);
                vec![values, indices]
            }),
        }
    }

    fn avg_pool<const D: usize>(&self) -> Built {
        forward(nn::AvgPool::with(self.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
            o.stride(self.lengths::<D>("stride"))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .ceil_mode(self.flag("ceil_mode", false))
                .count_include_pad(self.flag("count_include_pad", true))
                .divisor_override(self.get("divisor_override").and_then(Arg::as_int))
        }))
    }

    fn adaptive<const D: usize>(&self) -> Built {
        let size = match self.get("output_size").expect("an output size") {
            Arg::List(list) => {
                let each: Vec<Option<usize>> = list.iter().map(|a| a.as_int().map(|n| n as usize)).collect();
                nn::OutputSize::Each(each.try_into().expect("one for each dimension"))
            }
            one => nn::OutputSize::Same(one.as_int().expect("a length") as usize),
        };
        forward(nn::AdaptiveAvgPool::<D>::new(size))
    }

    fn channel_norm<K: nn::NormKind, const D: usize>(&self) -> Built {
        forward(nn::ChannelNorm::<K, D>::with(self.size("num_features"), |o| {
            let o = o.eps(self.float("eps", 1e-5));
            let o = match self.get("momentum") {
                Some(a) => o.momentum(a.as_float()),
                None => o,
            };
            let o = if self.args.contains_key("affine") { o.affine(self.flag("affine", true)) } else { o };
            let track = self.args.contains_key("track_running_stats");
            if track { o.track_running_stats(self.flag("track_running_stats", true)) } else { o }
        }))
    }
}

/// The module of a case, and whether every argument of its constructor was used.
fn build(case: &ModuleCase) -> Option<(Built, bool)> {
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

/// Panics unless `actual` is what PyTorch has.
fn same(what: &str, actual: &Tensor, expected: &GoldenTensor, tolerance: Tolerance) {
    let values = values(actual).expect("readable");
    if let Err(e) = expected.compare(actual.dtype(), &actual.size(), &values, tolerance) {
        panic!("{what}: {e}");
    }
}

fn check_state(what: &str, module: &dyn Module, expected: &[(String, GoldenTensor)], tolerance: Tolerance) {
    let state = module.state_dict();
    assert!(
        state.keys().eq(expected.iter().map(|(k, _)| k.as_str())),
        "{what}: keys {:?}",
        state.keys().collect::<Vec<_>>()
    );
    for ((key, actual), (_, expected)) in state.iter().zip(expected) {
        same(&format!("{what} {key}"), actual, expected, tolerance);
    }
}

/// One forward and backward pass, as `run` in `goldens/modules.py`.
fn check_run(what: &str, built: &Built, case: &ModuleCase, run: &ModuleRun) {
    let mut inputs: Vec<Tensor> = case.inputs.iter().map(|g| tensor(g).expect("a tensor")).collect();
    let leaf = inputs[0].is_floating_point().then(|| inputs[0].requires_grad_(true));
    let in_place = case.kwargs.get("inplace") == Some(&Arg::Bool(true));
    if let (true, Some(leaf)) = (in_place, &leaf) {
        inputs[0] = leaf.clone_tensor();
    }
    let outputs = (built.run)(&inputs);
    assert_eq!(outputs.len(), run.outputs.len(), "{what}: number of outputs");
    for (actual, expected) in outputs.iter().zip(&run.outputs) {
        same(&format!("{what} output"), actual, expected, case.tolerance);
    }
    let tracked: Vec<&Tensor> = outputs.iter().filter(|o| o.requires_grad()).collect();
    let grad_fn = tracked.first().and_then(|o| o.grad_fn()).map(|node| node.name().to_owned());
    // A module that returns its input gives a leaf, whose `grad_fn` is Python's None.
    assert_eq!(
        grad_fn.as_deref().unwrap_or("NoneType"),
        run.grad_fn.as_deref().unwrap_or("NoneType"),
        "{what}: grad_fn"
    );
    if tracked.is_empty() {
        return;
    }
    let parameters = built.module.named_parameters();
    let wanted: Vec<&Tensor> = leaf.iter().chain(parameters.iter().map(|(_, p)| p)).collect();
    let expected: Vec<&Option<GoldenTensor>> = run.grads.iter().chain(run.param_grads.iter().map(|(_, g)| g)).collect();
    assert_eq!(wanted.len(), expected.len(), "{what}: number of gradients");
    let weights: Vec<Tensor> =
        tracked.iter().map(|o| flambeau_autograd::from_vec(cotangent(o.numel()), o.size()).to(o.dtype())).collect();
    let weights: Vec<Option<&Tensor>> = weights.iter().map(Some).collect();
    let grads = grad(&tracked, &wanted, &weights, false, false, true).expect("gradients");
    for (actual, expected) in grads.iter().zip(expected) {
        match (actual, expected) {
            (Some(actual), Some(expected)) => same(&format!("{what} gradient"), actual, expected, case.tolerance),
            (None, None) => {}
            _ => panic!("{what}: gradient {actual:?}, expected {expected:?}"),
        }
    }
}

fn check(case: &ModuleCase) {
    manual_seed(case.seed);
    let (built, all_read) = build(case).unwrap_or_else(|| panic!("there is no {}", case.module));
    assert!(all_read, "an argument was not used: {:?} {:?}", case.args, case.kwargs);
    assert_eq!(built.module.repr(), case.repr);
    let bits = if case.module == "Embedding" { Tolerance::Close { rtol: 1e-6, atol: 1e-6 } } else { Tolerance::Exact };
    check_state("initial", &*built.module, &case.state, bits);
    built.module.clone().to(case.dtype);
    if let Some(run) = &case.train {
        check_run("train", &built, case, run);
        let after = case.state_after.as_deref().expect("a state after training");
        check_state("after training", &*built.module, after, case.tolerance);
    }
    built.module.eval();
    check_run("eval", &built, case, &case.eval);
}

/// Runs every case and lists the failures, so that one run shows them all.
fn run_all<C>(what: &str, cases: &[C], name: impl Fn(&C) -> String, check: impl Fn(&C)) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = Vec::new();
    for case in cases {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(case))) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            failures.push(format!("{}: {}", name(case), text.unwrap_or_default()));
        }
    }
    std::panic::set_hook(hook);
    println!("count: {} goldens of {what} agree with PyTorch", cases.len() - failures.len());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn modules_are_pytorchs() {
    let cases = load_modules().expect("goldens");
    let name = |c: &ModuleCase| format!("{} {} {:?} {:?}", c.module, c.dtype, c.args, c.kwargs.keys());
    run_all("modules", &cases, name, check);
}

fn check_init(case: &InitCase) {
    manual_seed(case.seed);
    let x = zeros(case.shape.clone()).to(case.dtype);
    let float = |name: &str, default: f64| case.kwargs.get(name).map_or(default, |a| a.as_float().expect("a number"));
    let scaled = |o: init::ScaledOptions| {
        let text = |name: &str, default: &'static str| match case.kwargs.get(name) {
            Some(a) => a.as_str().expect("a name").to_owned(),
            None => default.to_owned(),
        };
        o.gain(float("gain", 1.0))
            .a(float("a", 0.0))
            .mode(text("mode", "fan_in").as_str())
            .nonlinearity(text("nonlinearity", "leaky_relu").as_str())
    };
    // Normal numbers go through ln and cos, which differ from PyTorch's in the last bit.
    let close = if case.dtype == DType::F64 { 1e-12 } else { 1e-6 };
    let close = Tolerance::Close { rtol: close, atol: close };
    let (x, tolerance) = match case.init.as_str() {
        "uniform_" => (init::uniform_(&x, float("a", 0.0), float("b", 1.0)), Tolerance::Exact),
        "normal_" => (init::normal_(&x, float("mean", 0.0), float("std", 1.0)), close),
        "constant_" => (init::constant_(&x, float("val", f64::NAN)), Tolerance::Exact),
        "ones_" => (init::ones_(&x), Tolerance::Exact),
        "zeros_" => (init::zeros_(&x.fill_(7)), Tolerance::Exact),
        "eye_" => (init::eye_(&x.fill_(7)), Tolerance::Exact),
        "trunc_normal_" => (init::trunc_normal_(&x, 0.0, 1.0, -2.0, 2.0), close),
        "xavier_uniform_" => (init::xavier_uniform_with_(&x, scaled), Tolerance::Exact),
        "xavier_normal_" => (init::xavier_normal_with_(&x, scaled), close),
        "kaiming_uniform_" => (init::kaiming_uniform_with_(&x, scaled), Tolerance::Exact),
        "kaiming_normal_" => (init::kaiming_normal_with_(&x, scaled), close),
        other => panic!("there is no {other}"),
    };
    let Values::Float(all) = values(&x).expect("readable") else { panic!("{x}") };
    let first = flambeau_autograd::from_vec(all[..case.first.values.len()].to_vec(), case.first.shape.clone());
    same("first elements", &first.to(case.dtype), &case.first, tolerance);
    let sum: f64 = all.iter().sum();
    assert!((sum - case.sum).abs() <= 1e-5 * (1.0 + case.sum.abs()), "sum {sum}, expected {}", case.sum);
}

#[test]
fn initialisers_are_pytorchs() {
    let cases = load_init().expect("goldens");
    let name = |c: &InitCase| format!("{} {:?} {} {:?}", c.init, c.shape, c.dtype, c.kwargs);
    run_all("initialisers", &cases, name, check_init);
}
