//! One golden of an initialiser against this library's.

use flambeau_autograd::zeros;
use flambeau_device::manual_seed;
use flambeau_nn::init;
use flambeau_tensor::DType;
use flambeau_testkit::args::values;
use flambeau_testkit::golden::{InitCase, Tolerance, Values};

use crate::check::same;

/// Panics unless an initialiser gives PyTorch's numbers.
pub fn check(case: &InitCase) {
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
        "zeros_" => (init::zeros_(x.fill_(7)), Tolerance::Exact),
        "eye_" => (init::eye_(x.fill_(7)), Tolerance::Exact),
        "trunc_normal_" => {
            let o = |o: init::TruncNormalOptions| o.mean(float("mean", 0.0)).std(float("std", 1.0));
            (init::trunc_normal_with_(&x, |p| o(p).a(float("a", -2.0)).b(float("b", 2.0))), close)
        }
        "sparse_" => (init::sparse_with_(&x, float("sparsity", 0.0), |o| o.std(float("std", 0.01))), close),
        "dirac_" => (init::dirac_with_(&x, |o| o.groups(float("groups", 1.0) as i64)), Tolerance::Exact),
        // The normal numbers are orthogonalised by another algorithm, in f64.
        "orthogonal_" => {
            let close = if case.dtype == DType::F64 { 1e-12 } else { 2e-6 };
            let close = Tolerance::Close { rtol: close, atol: close };
            (init::orthogonal_with_(&x, |o| o.gain(float("gain", 1.0))), close)
        }
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
