//! One golden of a module against this library's.

use flambeau_autograd::{Tensor, grad};
use flambeau_device::manual_seed;
use flambeau_nn::Module;
use flambeau_tensor::Device;
use flambeau_testkit::args::{tensor, values};
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Arg, ExpectedError, GoldenTensor, ModuleCase, ModuleRun, Tolerance, Values, cotangent};
use flambeau_testkit::work::{Work, watch};

use crate::build::build;
use crate::ctor::Built;

type Reads = fn(&ModuleCase) -> bool;

/// Modules that read from the GPU while they compute, each with its reason.
const READS: &[(Reads, &str)] = &[
    (
        |case| case.module.starts_with("BatchNorm") && case.kwargs.get("momentum") == Some(&Arg::None),
        "with momentum=None the factor is 1 over the number of batches, a tensor; PyTorch reads it too",
    ),
    (|case| case.module == "GaussianNLLLoss", "a negative variance is refused"),
    (crate::attn::looks_at_masks, "masks are looked at, as in PyTorch, to find causal ones and padding at the end"),
    (
        |case| case.module == "AdaptiveLogSoftmaxWithLoss",
        "only clusters with a target in them are computed, as in PyTorch",
    ),
    (|case| case.module == "CTCLoss", "lengths are read, as PyTorch reads them"),
    (
        |case| case.kwargs.contains_key("form") || crate::rnn::is_function(case),
        "the lengths of sequences are read; they lie beside the input",
    ),
    (|case| case.module.starts_with("MaxUnpool"), "all indices are looked at, to name the last that lies outside"),
];

/// Classes whose zeros have the sign that an order of sums, a skipped empty window or PyTorch's scalar remainder (which softshrink
/// computes otherwise than whole vectors) gives them: there 0 and -0 are one number.
fn signs_of_zero_count(module: &str) -> bool {
    let sums =
        ["AdaptiveLogSoftmax", "Linear", "Bilinear", "Conv", "AvgPool", "Upsample", "Softshrink", "RNN", "LSTM", "GRU"]
            .iter()
            .chain(crate::pools::SUMS);
    !sums.into_iter().any(|name| module.starts_with(name))
        && !["Norm", "Attention", "Transformer"].iter().any(|part| module.contains(part))
}

fn without_signs_of_zero(values: Values) -> Values {
    match values {
        // -0 + 0 is 0.
        Values::Float(v) => Values::Float(v.into_iter().map(|x| x + 0.0).collect()),
        other => other,
    }
}

/// [`same`] for a result of a case, by the rule of its class for signs of zero.
fn same_in(case: &ModuleCase, what: &str, actual: &Tensor, expected: &GoldenTensor) {
    let mut values = values(actual).expect("readable");
    let mut expected = expected.clone();
    if !signs_of_zero_count(&case.module) {
        values = without_signs_of_zero(values);
        expected.values = without_signs_of_zero(expected.values);
    }
    if let Err(e) = expected.compare(actual.dtype(), &actual.size(), &values, case.tolerance) {
        panic!("{what}: {e}");
    }
}

/// Panics unless `actual` is what PyTorch has.
pub fn same(what: &str, actual: &Tensor, expected: &GoldenTensor, tolerance: Tolerance) {
    let values = values(actual).expect("readable");
    if let Err(e) = expected.compare(actual.dtype(), &actual.size(), &values, tolerance) {
        panic!("{what}: {e}");
    }
}

pub fn check_state(what: &str, module: &dyn Module, expected: &[(String, GoldenTensor)], tolerance: Tolerance) {
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

/// Panics unless a call failed as PyTorch's does.
pub fn refused<T>(what: &str, result: Result<T, String>, expected: &ExpectedError) {
    let ExpectedError { exception, message } = expected;
    match result {
        // PyTorch names a type of tensor by its device.
        Err(ours) if ours.lines().next().unwrap_or_default().replace("CUDA", "CPU") == *message => {}
        Err(ours) => panic!("{what} fails otherwise\n    ours  {ours}\n    {exception} {message}"),
        Ok(_) => panic!("{what} does not fail\n    {exception} {message}"),
    }
}

/// What a call returned; panics with its message, and says where, if it failed.
pub fn succeeded<T>(what: &str, result: Result<T, String>) -> T {
    result.unwrap_or_else(|message| panic!("{what} fails: {message}"))
}

/// One forward and backward pass, as `run` in `goldens/modules.py` and `goldens/random_modules.py`.
pub fn check_run(what: &str, built: &Built, case: &ModuleCase, run: &ModuleRun, device: Device) {
    let mut inputs: Vec<Tensor> = case.inputs.iter().map(|g| tensor(g, device).expect("a tensor")).collect();
    if inputs[0].is_floating_point() {
        inputs[0].requires_grad_(true);
    }
    let leaves: Vec<Tensor> = inputs.iter().filter(|x| x.requires_grad()).map(Tensor::shallow_clone).collect();
    if case.kwargs.get("inplace") == Some(&Arg::Bool(true)) {
        inputs.iter_mut().filter(|x| x.requires_grad()).for_each(|x| *x = x.clone());
    }
    // Values are read within the call: an index error of a GPU comes with them.
    let forward = || {
        let (outputs, work) = watch(device, || (built.run)(&inputs));
        outputs.iter().for_each(|o| drop(values(o).unwrap_or_else(|e| panic!("{e}"))));
        (outputs, work)
    };
    if let Some(error) = &run.error {
        return refused(what, catch(forward), error);
    }
    let (outputs, mut work) = succeeded(what, catch(forward));
    assert_eq!(outputs.len(), run.outputs.len(), "{what}: number of outputs");
    for (actual, expected) in outputs.iter().zip(&run.outputs) {
        same_in(case, &format!("{what} output"), actual, expected);
    }
    let tracked: Vec<&Tensor> = outputs.iter().filter(|o| o.requires_grad()).collect();
    let grad_fn = tracked.first().and_then(|o| o.grad_fn()).map(|node| node.name().to_owned());
    // A module that returns its input gives a leaf, whose `grad_fn` is Python's None.
    assert_eq!(
        grad_fn.as_deref().unwrap_or("NoneType"),
        run.grad_fn.as_deref().unwrap_or("NoneType"),
        "{what}: grad_fn"
    );
    let is_view = |t: &Tensor| inputs.iter().any(|x| x.array().storage().ptr_eq(t.array().storage()));
    let must_launch = !outputs.iter().all(|o| o.numel() == 0 || is_view(o));
    if tracked.is_empty() {
        return check_work(what, work, must_launch, case, device);
    }
    let parameters = built.module.named_parameters();
    let wanted: Vec<&Tensor> = leaves.iter().chain(parameters.iter().map(|(_, p)| p)).collect();
    let weights: Vec<Tensor> = tracked
        .iter()
        .map(|o| flambeau_autograd::from_vec(cotangent(o.numel()), o.size()).to((device, o.dtype())))
        .collect();
    let weights: Vec<Option<&Tensor>> = weights.iter().map(Some).collect();
    let backward = || {
        let (grads, work) = watch(device, || grad(&tracked, &wanted, &weights, false, false, true));
        (grads.unwrap_or_else(|e| panic!("{e}")), work)
    };
    if let Some(error) = &run.backward_error {
        return refused(&format!("{what} backward"), catch(backward), error);
    }
    let expected: Vec<&Option<GoldenTensor>> = run.grads.iter().chain(run.param_grads.iter().map(|(_, g)| g)).collect();
    assert_eq!(wanted.len(), expected.len(), "{what}: number of gradients");
    let (grads, backward) = succeeded(&format!("{what} backward"), catch(backward));
    work += backward;
    for (i, (actual, expected)) in grads.iter().zip(expected).enumerate() {
        match (actual, expected) {
            (Some(actual), Some(expected)) => same_in(case, &format!("{what} gradient {i}"), actual, expected),
            (None, None) => {}
            _ => panic!("{what}: gradient {i} {actual:?}, expected {expected:?}"),
        }
    }
    check_work(what, work, must_launch, case, device);
}

/// Panics unless a module on a GPU computed there alone.
fn check_work(what: &str, work: Work, must_launch: bool, case: &ModuleCase, device: Device) {
    let may_read = READS.iter().any(|(reads, _)| reads(case));
    if let (false, Some(wrong)) = (device.is_cpu(), work.misplaced(may_read, must_launch)) {
        panic!("{what}: {wrong}");
    }
}

/// Panics unless a module prints, starts, computes and learns on a device as PyTorch's does. It is made on the CPU, whose
/// random numbers the goldens hold.
pub fn check(case: &ModuleCase, device: Device) {
    manual_seed(case.seed);
    let (built, all_read) = build(case).unwrap_or_else(|| panic!("there is no {}", case.module));
    assert!(all_read, "an argument was not used: {:?} {:?}", case.args, case.kwargs);
    assert_eq!(built.module.repr(), case.repr);
    let bits = if case.module == "Embedding" { Tolerance::Close { rtol: 1e-6, atol: 1e-6 } } else { Tolerance::Exact };
    check_state("initial", &*built.module, &case.state, bits);
    built.module.clone().to(case.dtype).to(device);
    if let Some(run) = &case.train {
        check_run("train", &built, case, run, device);
        let after = case.state_after.as_deref().expect("a state after training");
        check_state("after training", &*built.module, after, case.tolerance);
    }
    built.module.eval();
    check_run("eval", &built, case, case.eval.as_ref().expect("every module runs"), device);
}

/// Panics unless a module's gradients are PyTorch's where they are themselves recorded.
pub fn recorded(case: &ModuleCase, built: &Built, run: &ModuleRun) {
    let inputs: Vec<Tensor> = case.inputs.iter().map(|g| tensor(g, Device::Cpu).expect("a tensor")).collect();
    let outputs = (built.run)(&inputs);
    let tracked: Vec<&Tensor> = outputs.iter().filter(|o| o.requires_grad()).collect();
    let weight = |o: &&Tensor| flambeau_autograd::from_vec(cotangent(o.numel()), o.size()).to(o.dtype());
    let weights: Vec<Tensor> = tracked.iter().map(weight).collect();
    let weights: Vec<Option<&Tensor>> = weights.iter().map(Some).collect();
    let parameters = built.module.named_parameters();
    let leaves = inputs.iter().filter(|x| x.requires_grad());
    let wanted: Vec<&Tensor> = leaves.chain(parameters.iter().map(|(_, p)| p)).collect();
    let grads = grad(&tracked, &wanted, &weights, true, true, true).unwrap_or_else(|e| panic!("{e}"));
    let expected = run.grads.iter().chain(run.param_grads.iter().map(|(_, g)| g));
    for (i, (actual, expected)) in grads.iter().zip(expected).enumerate() {
        match (actual, expected) {
            (Some(actual), Some(expected)) => same_in(case, &format!("gradient {i}"), actual, expected),
            (None, None) => {}
            _ => panic!("gradient {i} {actual:?}, expected {expected:?}"),
        }
    }
}
