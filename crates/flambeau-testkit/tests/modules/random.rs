//! One random configuration of a module against PyTorch's: its constructor, prints, state, outputs, gradients and errors.

use flambeau_autograd::Tensor;
use flambeau_nn::{Module, StateDict};
use flambeau_tensor::{DType, Device};
use flambeau_testkit::args::tensor;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{GoldenTensor, ModuleCase, Tolerance};

use crate::build::build;
use crate::check::{check_run, check_state, refused, succeeded};
use crate::ctor::Built;

/// Numbers of cases, and why they differ.
pub type Differ = &'static [(&'static [usize], &'static str)];

/// Cases, by their number in the file, in which flambeau differs from PyTorch yet, each kind with its reason. The test fails for
/// one that agrees after all, so that the list shrinks.
pub const DIFFER: Differ = &[
    (&[2339, 2349], "gelu(-inf) is 0 · -inf in PyTorch's vectors, NaN"),
    (&[2954], "0 · NaN in the gradient of a clamped logarithm in float16"),
];

/// Cases in which a GPU differs further.
pub const DIFFER_ON_GPU: Differ =
    &[(&[2707], "of two bad indices, that of the weight and that of the target, the first kernel's is told")];

/// Panics unless a module is built, prints, loads, computes, learns and fails on a device as PyTorch's does.
pub fn check(case: &ModuleCase, device: Device) {
    let built = catch(|| build(case));
    if let Some(error) = &case.error {
        return refused("constructor", built, error);
    }
    let (built, all_read) = succeeded("constructor", built).unwrap_or_else(|| panic!("there is no {}", case.module));
    assert!(all_read, "an argument was not used: {:?} {:?}", case.args, case.kwargs);
    if !built.shell {
        assert_eq!(built.module.repr(), case.repr);
        load(&built, case);
    }
    built.module.clone().to(device);
    if let Some(run) = &case.train {
        check_run("train", &built, case, run, device);
        after("after training", &built, case.state_after.as_deref(), case.tolerance);
    }
    built.module.eval();
    check_run("eval", &built, case, case.eval.as_ref().expect("a module that is built runs"), device);
    after("after evaluation", &built, case.state_after_eval.as_deref(), case.tolerance);
}

/// Gives a module PyTorch's state, by a strict load. Weights of losses were given to the constructor and keep their dtype.
pub fn load(built: &Built, case: &ModuleCase) {
    let is_loss = case.module.ends_with("Loss");
    match is_loss {
        true => built.module.parameters().iter().for_each(|p| p.set_data(&p.to(case.dtype))),
        false => drop(built.module.clone().to(case.dtype)),
    }
    let state: StateDict = case.state.iter().map(|(name, t)| (name.clone(), loaded(t))).collect();
    built.module.load_state_dict(&state).unwrap_or_else(|e| panic!("loading: {e}"));
    check_state("loaded", &*built.module, &case.state, Tolerance::Exact);
    assert!(is_loss || built.module.parameters().iter().all(|p| p.dtype() == case.dtype || p.dtype() == DType::I64));
}

fn loaded(golden: &GoldenTensor) -> Tensor {
    tensor(golden, Device::Cpu).expect("a tensor")
}

fn after(what: &str, built: &Built, state: Option<&[(String, GoldenTensor)]>, tolerance: Tolerance) {
    if let (Some(state), false) = (state, built.shell) {
        check_state(what, &*built.module, state, tolerance);
    }
}
