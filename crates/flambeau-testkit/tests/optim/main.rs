//! Optimizers and schedulers against PyTorch's: parameters after every step, state, `repr`, learning rates.

mod classes;
mod lbfgs;
mod random;

use flambeau_autograd::{Tensor, from_scalars};
use flambeau_optim::lr_scheduler::{
    ConstantLR, ConstantLROptions, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR,
    LRScheduler, LinearLR, LinearLROptions, MultiStepLR, OneCycleLR, PolynomialLR, PolynomialLROptions,
    ReduceLROnPlateau, StepLR,
};
use flambeau_optim::{Adam, AdamW, Optimizer, OptionValue, ParamGroup, SGD, StateValue};
use flambeau_tensor::{DType, Device, Scalar};
use flambeau_testkit::args;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{
    Arg, GoldenTensor, OptimizerCase, SchedulerCase, Tolerance, Values, load_optimizers, load_random_optimizers,
    load_schedulers,
};
use flambeau_testkit::work::{GPU, OnGpu, watch};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use classes::CLASSES;

fn tensor(golden: &GoldenTensor, device: Device) -> Tensor {
    args::tensor(golden, device).unwrap()
}

fn compare(what: &str, actual: &Tensor, expected: &GoldenTensor, tolerance: Tolerance) {
    let values = Values::Float(actual.double().to_vec::<f64>());
    let result = expected.compare(actual.dtype(), &actual.size(), &values, tolerance);
    result.unwrap_or_else(|e| panic!("{what}: {e}"));
}

fn option(arg: &Arg) -> OptionValue {
    match arg {
        Arg::None => OptionValue::None,
        Arg::Bool(b) => (*b).into(),
        Arg::Int(i) => Scalar::Int(*i).into(),
        Arg::Float(x) => (*x).into(),
        Arg::Str(text) => text.as_str().into(),
        Arg::Tensor(golden) => tensor(golden, Device::Cpu).into(),
        // JSON has no tuples; the only lists of strings are lists in PyTorch too.
        Arg::List(items) if matches!(items[..], [Arg::Str(_), ..]) => {
            OptionValue::List(items.iter().map(option).collect())
        }
        Arg::List(items) => OptionValue::tuple(items.iter().map(option)),
        _ => panic!("{arg:?}"),
    }
}

/// Every option goes through a group, so that each name is checked against the optimizer's own.
fn groups(case: &OptimizerCase, params: &[Tensor]) -> Vec<ParamGroup> {
    let set = |group: ParamGroup, options: &BTreeMap<String, Arg>| {
        options.iter().fold(group, |group, (name, value)| group.option(name, option(value)))
    };
    match &case.groups {
        None => vec![set(ParamGroup::new(params), &case.kwargs)],
        Some(own) => {
            let pairs = params.iter().zip(own);
            pairs.map(|(p, own)| set(set(ParamGroup::new([p]), &case.kwargs), own)).collect()
        }
    }
}

/// The optimizer of a case.
fn optimizer(case: &OptimizerCase, params: &[Tensor]) -> Optimizer {
    // What sums start from is the constructor's alone.
    let own = case.kwargs.iter().filter(|(name, _)| *name == "initial_accumulator_value");
    let own = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    classes::make(&case.optimizer, &own, groups(case, params))
}

fn run(case: &OptimizerCase, device: Device) {
    let params: Vec<Tensor> = case.params.iter().map(|p| tensor(p, device).requires_grad_(true)).collect();
    let optimizer = optimizer(case, &params);
    let name = format!("{} {:?} {:?} {}", case.optimizer, case.kwargs, case.groups, case.dtype);
    // The goldens force PyTorch's single-tensor path, which is its default on the CPU.
    assert_eq!(optimizer.to_string(), case.repr.replace("foreach: False", "foreach: None"), "{name}");
    for (i, step) in case.steps.iter().enumerate() {
        let versions: Vec<u64> = params.iter().map(Tensor::version).collect();
        for (param, grad) in params.iter().zip(&step.grads) {
            param.set_grad(grad.as_ref().map(|g| tensor(g, device)));
        }
        let ((), work) = watch(device, || optimizer.step());
        // Adafactor reads the sizes of parameters and updates back, as PyTorch does.
        if let (false, Some(wrong)) = (device.is_cpu(), work.misplaced(case.optimizer == "Adafactor", true)) {
            panic!("{name}, step {i}: {wrong}");
        }
        for ((param, expected), version) in params.iter().zip(&step.params).zip(versions) {
            compare(&format!("{name}, step {i}"), param, expected, case.tolerance);
            assert_eq!(param.version(), version + u64::from(param.grad().is_some()), "{name}");
        }
    }
    let dict = optimizer.state_dict();
    for (i, expected) in case.state.iter().enumerate() {
        let found = dict.state.iter().find(|(id, _)| *id == i).map_or(&[][..], |(_, values)| values);
        let names = |found: &[(String, StateValue)]| {
            let mut names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        assert_eq!(names(found), expected.keys().cloned().collect::<Vec<_>>(), "{name}");
        for (key, value) in found {
            let StateValue::Tensor(value) = value else { panic!("{name}: {key} is no tensor") };
            compare(&format!("{name}, {key}"), value, &expected[key], case.tolerance);
        }
    }
    resumes(case, &optimizer, &params);
}

/// A second optimizer that loads the state goes on as the first does.
fn resumes(case: &OptimizerCase, first: &Optimizer, params: &[Tensor]) {
    let copies: Vec<Tensor> = params.iter().map(|p| p.detach().clone().requires_grad_(true)).collect();
    let second = optimizer(case, &copies);
    second.load_state_dict(&first.state_dict()).unwrap();
    for (a, b) in params.iter().zip(&copies) {
        b.set_grad(a.grad());
    }
    first.step();
    second.step();
    for (a, b) in params.iter().zip(&copies) {
        assert_eq!(a.double().to_vec::<f64>(), b.double().to_vec::<f64>(), "{}", case.optimizer);
    }
}

/// Runs every golden of an optimizer, and returns how many there are.
fn run_all(device: Device) -> usize {
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    for case in load_optimizers().unwrap() {
        run(&case, device);
        *ran.entry(case.optimizer).or_default() += 1;
    }
    println!("optimizer goldens: {ran:?}");
    assert!(CLASSES.iter().all(|name| ran.get(*name).is_some_and(|&n| n >= 10)), "{ran:?}");
    ran.values().sum()
}

/// An optimizer without goldens, goldens of an optimizer that this test does not run, an optimizer of the crate that is missing
/// from the list: each fails. The crate's optimizers are those that `optimizer!` declares; LBFGS has goldens of its own.
#[test]
fn every_optimizer_has_goldens_and_every_golden_an_optimizer() {
    let listed: BTreeSet<String> = CLASSES.iter().map(|name| name.to_string()).collect();
    let golden: BTreeSet<String> = load_optimizers().unwrap().into_iter().map(|case| case.optimizer).collect();
    assert_eq!(listed, golden, "the list of the test, and the optimizers of the goldens");
    let mut exist = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flambeau-optim/src");
    for file in std::fs::read_dir(source).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            // A class opens a table of options, or of defaults of its own.
            let declared = text.split("\noptimizer! {").skip(1).filter_map(|body| body.split("\n}").next());
            let lines = declared.flat_map(str::lines).filter_map(|line| line.strip_prefix("    "));
            let classes = lines.filter(|line| line.starts_with(char::is_uppercase) && line.contains(" {"));
            exist.extend(classes.filter_map(|line| line.split([',', ' ']).next()).map(str::to_owned));
        }
    }
    assert_eq!(
        &listed | &BTreeSet::from(["LBFGS".to_owned()]),
        exist,
        "the list of the test, and the crate's optimizers"
    );
}

#[test]
fn optimizers_step_as_pytorchs() {
    println!("count: {} golden runs of optimizers agree with PyTorch", run_all(Device::Cpu));
}

#[test]
fn optimizers_on_a_gpu_step_as_pytorchs() {
    let _gpu = OnGpu::new();
    println!("count: {} GPU cases: optimizers agree with PyTorch", run_all(GPU));
}

/// Runs every random optimizer of a file and lists the failures. Returns how many there are.
fn run_random(file: &str, least: usize, device: Device) -> usize {
    let cases = load_random_optimizers(file).unwrap();
    let mut failures = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        if let Err(what) = catch(|| random::check(case, device)) {
            let groups: Vec<_> = case.groups.iter().flatten().map(|g| (&g.params, &g.options)).collect();
            let (name, dtype) = (&case.optimizer, case.dtype);
            failures.push(format!("{name} {i} {dtype} {:?} {:?} {groups:?}: {what}", case.kwargs, case.order));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(cases.len() >= least, "{}", cases.len());
    cases.len()
}

#[test]
fn random_optimizers_are_pytorchs() {
    println!("count: {} random optimizers agree with PyTorch", run_random("random_optim", 960, Device::Cpu));
}

#[test]
fn random_optimizers_of_the_other_classes_are_pytorchs() {
    let ran = run_random("random_optim_more", 700, Device::Cpu);
    println!("count: {ran} random optimizers of the other classes agree with PyTorch");
}

/// `foreach`, `fused`, `capturable` and `differentiable`, tensors as learning rates, named parameters.
#[test]
fn switches_are_pytorchs() {
    let ran = run_random("optim_switches", 520, Device::Cpu);
    println!("count: {ran} optimizers with switches, tensor rates and names agree with PyTorch");
}

#[test]
fn random_optimizers_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let ran = run_random("random_optim", 960, GPU) + run_random("random_optim_more", 700, GPU);
    println!("count: {ran} GPU cases: random optimizers agree with PyTorch");
}

fn scheduler(case: &SchedulerCase, optimizer: &Optimizer) -> LRScheduler {
    let float = |name: &str, default: f64| case.kwargs.get(name).map_or(default, |a| a.as_float().unwrap());
    let int = |name: &str, default: i64| case.kwargs.get(name).map_or(default, |a| a.as_int().unwrap());
    let (last, gamma) = (int("last_epoch", -1), float("gamma", 0.1));
    match case.scheduler.as_str() {
        "StepLR" if last == -1 => StepLR::new(optimizer, int("step_size", 0), gamma).into(),
        "StepLR" => StepLR::with(optimizer, int("step_size", 0), |o| o.gamma(gamma).last_epoch(last)).into(),
        "MultiStepLR" => {
            let Arg::List(milestones) = &case.kwargs["milestones"] else { panic!("{case:?}") };
            let milestones = milestones.iter().map(|m| m.as_int().unwrap());
            MultiStepLR::with(optimizer, milestones, |o| o.gamma(gamma).last_epoch(last)).into()
        }
        "ExponentialLR" => ExponentialLR::with(optimizer, gamma, |o| o.last_epoch(last)).into(),
        "CosineAnnealingLR" => {
            let eta_min = float("eta_min", 0.0);
            CosineAnnealingLR::with(optimizer, int("T_max", 0), |o| o.eta_min(eta_min).last_epoch(last)).into()
        }
        "LinearLR" => {
            let (start, end) = (float("start_factor", 1.0 / 3.0), float("end_factor", 1.0));
            let set = |o: LinearLROptions| o.start_factor(start).end_factor(end).total_iters(int("total_iters", 5));
            LinearLR::with(optimizer, |o| set(o).last_epoch(last)).into()
        }
        "ConstantLR" => {
            let set = |o: ConstantLROptions| o.factor(float("factor", 1.0 / 3.0)).total_iters(int("total_iters", 5));
            ConstantLR::with(optimizer, |o| set(o).last_epoch(last)).into()
        }
        "PolynomialLR" => {
            let set = |o: PolynomialLROptions| o.total_iters(int("total_iters", 5)).power(float("power", 1.0));
            PolynomialLR::with(optimizer, |o| set(o).last_epoch(last)).into()
        }
        "CosineAnnealingWarmRestarts" => {
            CosineAnnealingWarmRestarts::with(optimizer, int("T_0", 0), |o| o.T_mult(int("T_mult", 1))).into()
        }
        "OneCycleLR" => OneCycleLR::new(optimizer, float("max_lr", 0.0), int("total_steps", 0)).into(),
        "CyclicLR" => CyclicLR::with(optimizer, float("base_lr", 0.0), float("max_lr", 0.0), |o| {
            o.step_size_up(int("step_size_up", 2000)).cycle_momentum(false)
        })
        .into(),
        name => panic!("the goldens have {name}, which no test here knows"),
    }
}

/// A scheduler that sees metrics.
fn plateau(case: &SchedulerCase, optimizer: &Optimizer) -> ReduceLROnPlateau {
    let float = |name: &str, default: f64| case.kwargs.get(name).map_or(default, |a| a.as_float().unwrap());
    let int = |name: &str, default: i64| case.kwargs.get(name).map_or(default, |a| a.as_int().unwrap());
    let mode = case.kwargs.get("mode").and_then(|mode| mode.as_str()).unwrap_or("min").to_owned();
    ReduceLROnPlateau::with(optimizer, |o| {
        let o = o.mode(mode).factor(float("factor", 0.1)).patience(int("patience", 10)).cooldown(int("cooldown", 0));
        o.min_lr(float("min_lr", 0.0)).threshold(float("threshold", 1e-4))
    })
}

/// A scheduler's optimizer, with a group for each learning rate.
fn scheduled(case: &SchedulerCase) -> Optimizer {
    let group = |(i, &base_lr): (usize, &f64)| {
        let param = from_scalars(&[Scalar::Float(0.0)], &[1], DType::F32).unwrap().requires_grad_(true);
        match &case.start_lrs {
            None => ParamGroup::new([param]).lr(base_lr),
            Some(start) => ParamGroup::with([param], |o| o.lr(start[i]).option("initial_lr", base_lr)),
        }
    };
    SGD::new(case.base_lrs.iter().enumerate().map(group), 1e-3).into()
}

#[test]
fn schedulers_step_as_pytorchs() {
    let mut ran = [0, 0];
    for case in load_schedulers().unwrap() {
        let optimizer = scheduled(&case);
        if let Some(metrics) = &case.metrics {
            let scheduler = plateau(&case, &optimizer);
            for (metric, expected) in metrics.iter().zip(&case.lrs[1..]) {
                scheduler.step(*metric);
                assert_eq!(&scheduler.get_last_lr(), expected, "{:?}", case.kwargs);
            }
            ran[0] += 1;
            continue;
        }
        let scheduler = scheduler(&case, &optimizer);
        ran[usize::from(case.start_lrs.is_some())] += 1;
        let first = scheduler.last_epoch();
        for (k, expected) in case.lrs.iter().enumerate() {
            if k > 0 {
                optimizer.step();
                scheduler.step();
            }
            for (lr, expected) in scheduler.get_last_lr().iter().zip(expected) {
                assert!(
                    (lr - expected).abs() <= 1e-15 + 1e-13 * expected.abs(),
                    "{} {:?} after {k}: {lr} {expected}",
                    case.scheduler,
                    case.kwargs
                );
            }
            let now: Vec<f64> = optimizer.param_groups().iter().map(|g| g.lr()).collect();
            assert_eq!((now, scheduler.last_epoch()), (scheduler.get_last_lr(), first + k as i64));
            goes_on(&case, &optimizer, &scheduler, case.lrs.get(k + 1));
        }
    }
    println!("count: {ran:?} golden runs of schedulers agree with PyTorch, the second made with a last_epoch");
    assert!(ran[0] >= 16 && ran[1] >= 21, "{ran:?} golden runs of schedulers");
}

/// A scheduler that was made with other numbers and loads the state goes on as the first does.
fn goes_on(case: &SchedulerCase, optimizer: &Optimizer, scheduler: &LRScheduler, next: Option<&Vec<f64>>) {
    let Some(next) = next else { return };
    let plain = SchedulerCase { start_lrs: None, ..case.clone() };
    let other = scheduled(&plain);
    let mut changed = plain.kwargs.clone();
    changed.remove("last_epoch");
    let number = |name: &str| matches!(name, "gamma" | "factor" | "power" | "start_factor");
    changed.iter_mut().filter(|(name, _)| number(name)).for_each(|(_, value)| *value = Arg::Float(0.75));
    let second = self::scheduler(&SchedulerCase { kwargs: changed, ..plain }, &other);
    second.load_state_dict(&scheduler.state_dict()).unwrap();
    other.load_state_dict(&optimizer.state_dict()).unwrap();
    assert_eq!(second.state_dict(), scheduler.state_dict());
    second.step();
    for (lr, expected) in second.get_last_lr().iter().zip(next) {
        assert!((lr - expected).abs() <= 1e-15 + 1e-13 * expected.abs(), "{case:?}: {lr} {expected}");
    }
}

#[test]
fn a_last_epoch_needs_groups_that_were_scheduled() {
    let optimizer = SGD::new([flambeau_autograd::ones([1]).requires_grad_(true)], 0.1);
    let made = catch(|| StepLR::with(&optimizer, 2, |o| o.last_epoch(3)));
    let start =
        "param 'initial_lr' is not specified in param_groups[0] when resuming scheduler with last_epoch >= 0.\n";
    assert!(made.unwrap_err().starts_with(start));
}

/// Each optimizer and scheduler is a type that a function can take, and any of them where any will do.
#[test]
fn optimizers_and_schedulers_are_types() {
    fn adam_only(optimizer: &Adam) -> String {
        optimizer.to_string()
    }
    fn mutable(optimizer: &mut Optimizer) -> usize {
        optimizer.param_groups_mut().len()
    }
    fn generic(optimizer: impl AsRef<Optimizer>) -> f64 {
        optimizer.as_ref().param_groups()[0].lr()
    }
    fn step_only(scheduler: &StepLR) -> i64 {
        scheduler.last_epoch()
    }
    fn any(scheduler: &LRScheduler) -> Vec<f64> {
        scheduler.get_last_lr()
    }
    let w = || flambeau_autograd::ones([2]).requires_grad_(true);
    let mut adam = Adam::new([w()], 1);
    assert!(adam_only(&adam).starts_with("Adam (\nParameter Group 0\n"), "{adam}");
    assert_eq!(format!("{adam:?}"), adam.to_string());
    assert_eq!((mutable(&mut adam), generic(&adam), generic(adam.clone())), (1, 1.0, 1.0));
    let scheduler = StepLR::with(&adam, 1, |o| o.gamma(0.7));
    adam.step();
    scheduler.step();
    assert_eq!((step_only(&scheduler), any(&scheduler)), (1, vec![0.7]));
    // A handle, of its own type or not, is the same optimizer.
    let optimizers: Vec<Optimizer> = vec![(&adam).into(), SGD::new([w()], 0.5).into(), AdamW::new([w()], 0.5).into()];
    assert_eq!(optimizers.iter().map(generic).collect::<Vec<_>>(), [0.7, 0.5, 0.5]);
    optimizers[0].param_groups()[0].set_lr(2);
    assert_eq!(adam.param_groups()[0].get("lr").and_then(OptionValue::as_f64), Some(2.0));
    assert!(adam.to_string().contains("    lr: 2\n"), "{adam}");
    let schedulers: Vec<LRScheduler> = vec![scheduler.into(), ExponentialLR::new(&adam, 0.5).into()];
    schedulers.iter().for_each(LRScheduler::step);
    assert!((adam.param_groups()[0].lr() - 0.7).abs() < 1e-12, "2 · 0.7 · 0.5");
}

#[test]
fn refusals_are_in_pytorchs_words() {
    let message = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap()
    };
    let w = || flambeau_autograd::ones([2]).requires_grad_(true);
    let none: [Tensor; 0] = [];
    assert_eq!(message(&|| drop(SGD::new([w()], -1))), "Invalid learning rate: -1");
    assert_eq!(message(&|| drop(SGD::with([w()], 0.1, |o| o.momentum(-0.5)))), "Invalid momentum value: -0.5");
    let nesterov = "Nesterov momentum requires a momentum and zero dampening";
    assert_eq!(message(&|| drop(SGD::with([w()], 0.1, |o| o.nesterov(true)))), nesterov);
    let betas = "Invalid beta parameter at index 1: 1.0";
    assert_eq!(message(&|| drop(Adam::with([w()], 0.1, |o| o.betas((0.9, 1.0))))), betas);
    assert_eq!(message(&|| drop(AdamW::with([w()], 0.1, |o| o.eps(-1e-8)))), "Invalid epsilon value: -1e-08");
    assert_eq!(message(&|| drop(Adam::new(none.as_slice(), 0.1))), "optimizer got an empty parameter list");
    assert_eq!(message(&|| drop(Adam::new([w().mul(2.0)], 0.1))), "can't optimize a non-leaf Tensor");
    let shared = w();
    let twice = "some parameters appear in more than one parameter group";
    assert_eq!(message(&|| drop(Adam::new([ParamGroup::new([&shared]), ParamGroup::new([&shared])], 0.1))), twice);
    let one = Adam::new([w()], 0.1);
    let two = Adam::new([w(), w()], 0.1);
    let error = one.load_state_dict(&two.state_dict()).unwrap_err().to_string();
    assert_eq!(error, "loaded state dict contains a parameter group that doesn't match the size of optimizer's group");
}
