//! Lazy layers, whose first call makes their parameters, and layers that draw while they train.

use flambeau_autograd::Tensor;
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Module, parameter::is_lazy};
use flambeau_tensor::Device;
use flambeau_testkit::args::tensor;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Arg, GoldenTensor, ModuleCase, Tolerance};
use flambeau_testkit::work::GPU;

use crate::build::{build, with};
use crate::check::{check_run, refused, same, succeeded};
use crate::ctor::{Built, Ctor, forward};

/// The lazy layer of a case, and whether every argument of its constructor was used.
pub fn layer(case: &ModuleCase) -> Option<(Built, bool)> {
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let conv = ["out_channels", "kernel_size"];
    let (built, c) = match case.module.as_str() {
        "LazyLinear" => with(ctor(&["out_features"]), |c| {
            forward(nn::LazyLinear::with(c.size("out_features"), |o| o.bias(c.flag("bias", true))))
        }),
        "LazyConv1d" => with(ctor(&conv), |c| forward(lazy_conv::<1>(c))),
        "LazyConv2d" => with(ctor(&conv), |c| forward(lazy_conv::<2>(c))),
        "LazyConv3d" => with(ctor(&conv), |c| forward(lazy_conv::<3>(c))),
        "LazyConvTranspose1d" => with(ctor(&conv), |c| forward(lazy_transpose::<1>(c))),
        "LazyConvTranspose2d" => with(ctor(&conv), |c| forward(lazy_transpose::<2>(c))),
        "LazyConvTranspose3d" => with(ctor(&conv), |c| forward(lazy_transpose::<3>(c))),
        "LazyBatchNorm1d" => with(ctor(&[]), |c| forward(nn::LazyBatchNorm1d::with(|o| norm(c, o)))),
        "LazyBatchNorm2d" => with(ctor(&[]), |c| forward(nn::LazyBatchNorm2d::with(|o| norm(c, o)))),
        "LazyBatchNorm3d" => with(ctor(&[]), |c| forward(nn::LazyBatchNorm3d::with(|o| norm(c, o)))),
        "LazyInstanceNorm1d" => with(ctor(&[]), |c| forward(nn::LazyInstanceNorm1d::with(|o| norm(c, o)))),
        "LazyInstanceNorm2d" => with(ctor(&[]), |c| forward(nn::LazyInstanceNorm2d::with(|o| norm(c, o)))),
        "LazyInstanceNorm3d" => with(ctor(&[]), |c| forward(nn::LazyInstanceNorm3d::with(|o| norm(c, o)))),
        "SyncBatchNorm" => {
            with(ctor(&["num_features"]), |c| forward(nn::SyncBatchNorm::with(c.size("num_features"), |o| norm(c, o))))
        }
        _ => return None,
    };
    Some((built, c.all_read()))
}

fn padding<const D: usize>(c: &Ctor<'_>) -> nn::Padding<D> {
    match c.get("padding") {
        Some(Arg::Str(name)) => nn::Padding::from(name.as_str()),
        _ => nn::Padding::Lengths(c.lengths::<D>("padding").unwrap_or(0.into())),
    }
}

fn lazy_conv<const D: usize>(c: &Ctor<'_>) -> nn::Lazy<nn::Conv<D>> {
    let kernel = c.lengths::<D>("kernel_size").expect("a kernel size");
    nn::Lazy::<nn::Conv<D>>::with(c.size("out_channels"), kernel, |o| {
        o.stride(c.lengths::<D>("stride").unwrap_or(1.into()))
            .padding(padding::<D>(c))
            .dilation(c.lengths::<D>("dilation").unwrap_or(1.into()))
            .groups(c.int("groups", 1) as usize)
            .bias(c.flag("bias", true))
            .padding_mode(c.get("padding_mode").map_or("zeros", |a| a.as_str().expect("a name")))
    })
}

fn lazy_transpose<const D: usize>(c: &Ctor<'_>) -> nn::Lazy<nn::ConvTranspose<D>> {
    let kernel = c.lengths::<D>("kernel_size").expect("a kernel size");
    nn::Lazy::<nn::ConvTranspose<D>>::with(c.size("out_channels"), kernel, |o| {
        o.stride(c.lengths::<D>("stride").unwrap_or(1.into()))
            .padding(c.lengths::<D>("padding").unwrap_or(0.into()))
            .output_padding(c.lengths::<D>("output_padding").unwrap_or(0.into()))
            .dilation(c.lengths::<D>("dilation").unwrap_or(1.into()))
            .groups(c.int("groups", 1) as usize)
            .bias(c.flag("bias", true))
    })
}

fn norm(c: &Ctor<'_>, o: nn::BatchNormOptions) -> nn::BatchNormOptions {
    let o = match c.get("momentum") {
        Some(a) => o.momentum(a.as_float()),
        None => o,
    };
    // What is not given is the layer's own default.
    let o = match c.get("affine") {
        Some(a) => o.affine(a.as_bool().expect("a bool")),
        None => o,
    };
    let o = match c.get("track_running_stats") {
        Some(a) => o.track_running_stats(a.as_bool().expect("a bool")),
        None => o,
    };
    o.eps(c.float("eps", 1e-5)).bias(c.flag("bias", true))
}

/// Panics unless the state is PyTorch's: drawn parameters in every bit, statistics as near as sums are.
fn check_state(what: &str, built: &Built, expected: Option<&[(String, GoldenTensor)]>, tolerance: Tolerance) {
    let Some(expected) = expected else { return };
    let state = built.module.state_dict();
    assert!(
        state.keys().eq(expected.iter().map(|(key, _)| key.as_str())),
        "{what}: keys {:?}",
        state.keys().collect::<Vec<_>>()
    );
    for ((key, actual), (_, expected)) in state.iter().zip(expected) {
        let tolerance = if key.starts_with("running") { tolerance } else { Tolerance::Exact };
        same(&format!("{what} {key}"), actual, expected, tolerance);
    }
}

/// Panics unless a layer is built, prints, draws, computes, learns and fails as PyTorch's does.
pub fn check(case: &ModuleCase) {
    let built = catch(|| build(case));
    if let Some(error) = &case.error {
        return refused("constructor", built, error);
    }
    let (built, all_read) = succeeded("constructor", built).unwrap_or_else(|| panic!("there is no {}", case.module));
    assert!(all_read, "an argument was not used: {:?} {:?}", case.args, case.kwargs);
    assert_eq!(built.module.repr(), case.repr);
    if case.module.starts_with("Lazy") {
        assert!(built.module.parameters().iter().all(is_lazy), "a parameter has a shape before the first call");
        let state = built.module.state_dict();
        let after = case.state_after_eval.iter().flatten().map(|(key, _)| key.as_str());
        assert!(case.state_after_eval.is_none() || state.keys().eq(after), "other keys before the first call");
    }
    built.module.clone().to(case.dtype);
    manual_seed(case.seed);
    if let Some(run) = &case.train {
        check_run("train", &built, case, run, Device::Cpu);
        check_state("after training", &built, case.state_after.as_deref(), case.tolerance);
    }
    built.module.eval();
    check_run("eval", &built, case, case.eval.as_ref().expect("a module that is built runs"), Device::Cpu);
    check_state("after evaluation", &built, case.state_after_eval.as_deref(), case.tolerance);
    // What PyTorch notes of the input before it refuses it has no place here.
    if case.eval.as_ref().is_some_and(|run| run.error.is_none()) {
        assert_eq!(built.module.repr(), *case.repr_after.as_ref().expect("it prints after the runs"));
    }
}

/// Whether a case is a lazy layer that computes.
pub fn runs_on_a_gpu(case: &ModuleCase) -> bool {
    let computes = case.eval.as_ref().is_some_and(|run| run.error.is_none());
    (case.module.starts_with("Lazy") || case.module == "SyncBatchNorm")
        && computes
        && case.module != "LazyInstanceNorm1d"
}

/// Panics unless a lazy layer that moves to a GPU before its first call has its parameters made there, and computes and keeps
/// statistics there as the same numbers do on the CPU.
pub fn check_on_gpu(case: &ModuleCase) {
    let [host, device] = [0, 1].map(|_| build(case).expect("it is built").0);
    host.module.clone().to(case.dtype);
    device.module.clone().to(case.dtype).to(GPU);
    let input = |on: Device| case.inputs.iter().map(|x| tensor(x, on).expect("a tensor")).collect::<Vec<Tensor>>();
    let (here, there) = (input(Device::Cpu), input(GPU));
    [&host, &device].iter().for_each(|built| built.module.eval());
    (host.run)(&here);
    let out = (device.run)(&there);
    assert!(out[0].device() == GPU && device.module.parameters().iter().all(|p| p.device() == GPU && !is_lazy(p)));
    let shapes = |built: &Built| built.module.parameters().iter().map(Tensor::size).collect::<Vec<_>>();
    assert_eq!(shapes(&host), shapes(&device));
    device.module.load_state_dict(&host.module.state_dict()).unwrap_or_else(|e| panic!("{e}"));
    for mode in [true, false] {
        if mode && case.train.as_ref().is_none_or(|run| run.error.is_some()) {
            continue;
        }
        [&host, &device].iter().for_each(|built| built.module.train_mode(mode));
        let (ours, theirs) = ((host.run)(&here), (device.run)(&there));
        let (rtol, atol) = if case.dtype.size() == 2 { (3e-2, 3e-2) } else { (1e-4, 1e-4) };
        let near = |a: &Tensor, b: &Tensor| {
            assert!(a.cpu().allclose_with(b, |o| o.rtol(rtol).atol(atol).equal_nan(true)), "{a}\nbeside\n{b}");
        };
        near(&theirs[0], &ours[0]);
        device.module.buffers().iter().zip(host.module.buffers()).for_each(|(a, b)| near(a, &b));
    }
}

#[test]
fn an_optimizer_may_be_made_before_the_first_call() {
    let layer = nn::LazyLinear::new(2);
    let sgd = flambeau_optim::SGD::new(layer.parameters(), 0.5);
    let adam = flambeau_optim::Adam::new(layer.parameters(), 0.5);
    // Nothing has a gradient yet, so nothing is looked at, as in PyTorch.
    sgd.zero_grad();
    sgd.step();
    adam.step();
    layer.call(flambeau_autograd::ones([1, 3])).sum().backward();
    let before = layer.weight.detach().clone();
    sgd.step();
    assert!(layer.weight.detach().allclose(&(&before - 0.5)), "the optimizer holds the parameters that were made");
    adam.step();
    assert!(layer.weight.detach().allclose(&(&before - 1.0)));
    // PyTorch's Adagrad makes its state at once.
    let message =
        catch(|| flambeau_optim::Adagrad::new(nn::LazyLinear::new(2).parameters(), 0.1)).err().unwrap_or_default();
    assert!(message.starts_with("Attempted to use an uninitialized parameter in "), "{message}");
    let norm = nn::utils::clip_grad_norm_(nn::LazyLinear::new(2).parameters(), 1.0);
    assert_eq!(norm.item(), 0.0);
    let vector =
        catch(|| nn::utils::parameters_to_vector(nn::LazyLinear::new(2).parameters())).err().unwrap_or_default();
    assert!(vector.starts_with("Attempted to use an uninitialized parameter in <method "), "{vector}");
}

#[test]
fn what_has_no_shape_is_not_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lazy.pth");
    let layer = nn::LazyLinear::new(2);
    let message = torch::save(&layer.state_dict(), &path).expect_err("it has no numbers").to_string();
    assert!(message.contains("Attempted to use an uninitialized parameter in") && !path.exists(), "{message}");
    layer.call(flambeau_autograd::ones([1, 3]));
    torch::save(&layer.state_dict(), &path).expect("a file");
    let state: nn::StateDict = torch::load(&path).expect("the file").try_into().expect("a state dict");
    let other = nn::LazyLinear::new(2);
    other.load_state_dict(&state).expect("the same keys");
    assert!(other.weight.equal(&layer.weight));
}
