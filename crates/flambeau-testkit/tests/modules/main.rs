//! PyTorch's goldens of modules, losses and initialisers: prints, initial numbers, outputs, gradients, state after training,
//! on the CPU and on a GPU.

mod attn;
mod attn_more;
mod beside;
mod build;
mod check;
mod ctor;
mod functions;
mod init;
mod lazy;
mod losses;
mod pools;
mod random;
mod recurrent;
mod rnn;

use flambeau_tensor::Device;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{InitCase, ModuleCase, load_init, load_module_file};
use flambeau_testkit::work::{GPU, OnGpu, alone};

/// Runs every case, of which there are `at_least` so many, and lists the failures, so that one run shows them all. Returns how
/// many cases there are.
fn run_all<C>(cases: &[C], at_least: usize, name: impl Fn(&C) -> String, check: impl Fn(&C)) -> usize {
    assert!(cases.len() >= at_least, "only {} cases", cases.len());
    let mut failures = Vec::new();
    for case in cases {
        if let Err(what) = catch(|| check(case)) {
            failures.push(format!("{}: {what}", name(case)));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    cases.len()
}

fn module_name(case: &ModuleCase) -> String {
    format!("{} {} {:?} {:?}", case.module, case.dtype, case.args, case.kwargs.keys())
}

#[test]
fn modules_are_pytorchs() {
    let _generator = alone();
    let cases = load_module_file("modules").expect("goldens");
    let passed = run_all(&cases, 410, module_name, |case| check::check(case, Device::Cpu));
    println!("count: {passed} goldens of modules agree with PyTorch");
}

#[test]
fn modules_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let cases = load_module_file("modules").expect("goldens");
    let passed = run_all(&cases, 410, module_name, |case| check::check(case, GPU));
    println!("count: {passed} GPU cases: modules and losses agree with PyTorch");
}

#[test]
fn modules_without_goldens_compute_on_a_gpu_as_on_the_cpu() {
    let _gpu = OnGpu::new();
    let passed = run_all(beside::ROWS, 15, |row| row.name.to_owned(), beside::check);
    println!("count: {passed} GPU cases: further modules agree with the CPU");
}

/// The configurations that a file has drawn, of which `FLAMBEAU_MODULES=Conv2d,NLLLoss` picks some classes, and how many there must
/// be where all of them are `at_least` so many.
fn drawn(file: &str, at_least: usize) -> (Vec<(usize, ModuleCase)>, usize) {
    let only = std::env::var("FLAMBEAU_MODULES").ok();
    let named = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let all = load_module_file(file).expect("goldens").into_iter().enumerate();
    (all.filter(|(_, case)| named(&case.module)).collect(), if only.is_some() { 1 } else { at_least })
}

fn random_name((i, case): &(usize, ModuleCase)) -> String {
    let shapes: Vec<_> = case.inputs.iter().map(|t| &t.shape[..]).collect();
    format!("{} {i} {} {:?} {:?} {shapes:?}", case.module, case.dtype, case.args, case.kwargs)
}

/// Holds the configurations that a file has drawn against PyTorch on a device, and those that are listed against being listed.
/// Returns how many agree and how many are known to differ.
fn run_drawn(file: &str, at_least: usize, device: Device, differ: &[random::Differ]) -> (usize, usize) {
    let (cases, at_least) = drawn(file, at_least);
    let known = |i: usize| differ.iter().copied().flatten().any(|(numbers, _)| numbers.contains(&i));
    let ran = run_all(&cases, at_least, random_name, |(i, case)| match known(*i) {
        false => random::check(case, device),
        true => assert!(catch(|| random::check(case, device)).is_err(), "said to differ from PyTorch, and agrees"),
    });
    let differ = cases.iter().filter(|(i, _)| known(*i)).count();
    (ran - differ, differ)
}

fn run_random(device: Device) -> (usize, usize) {
    let further: random::Differ = if device.is_cpu() { &[] } else { random::DIFFER_ON_GPU };
    run_drawn("random_modules", 3500, device, &[random::DIFFER, further])
}

#[test]
fn random_configurations_are_pytorchs() {
    let _generator = alone();
    let (passed, differ) = run_random(Device::Cpu);
    println!("count: {passed} random configurations of modules agree with PyTorch");
    println!("count: {differ} random configurations of losses differ yet, each with its reason");
}

#[test]
fn random_configurations_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let (passed, _) = run_random(GPU);
    println!("count: {passed} GPU cases: random configurations of modules agree with PyTorch");
}

/// Attention and transformers: module_db's configurations with their initial numbers, then random ones.
fn run_attention(device: Device) -> usize {
    let prepared = |case: &ModuleCase| attn::without_draws(case, device);
    let cases: Vec<_> = load_module_file("attn").expect("goldens").iter().map(prepared).collect();
    let listed = run_all(&cases, 280, module_name, |case| check::check(case, device));
    let random = load_module_file("random_attn").expect("goldens");
    let known = |(i, _): &(usize, ModuleCase)| !attn::ILL_CONDITIONED.contains(i);
    let random: Vec<_> = random.iter().map(prepared).enumerate().filter(known).collect();
    listed + run_all(&random, 480, random_name, |(_, case)| random::check(case, device))
}

#[test]
fn attention_is_pytorchs() {
    let _generator = alone();
    println!("count: {} goldens of attention and transformers agree with PyTorch", run_attention(Device::Cpu));
}

#[test]
fn attention_on_a_gpu_is_pytorchs() {
    let _gpu = OnGpu::new();
    println!("count: {} GPU cases: attention and transformers agree with PyTorch", run_attention(GPU));
}

#[test]
fn lazy_and_drawing_layers_are_pytorchs() {
    let _generator = alone();
    let cases: Vec<_> = load_module_file("random_lazy").expect("goldens").into_iter().enumerate().collect();
    let passed = run_all(&cases, 600, random_name, |(_, case)| lazy::check(case));
    println!("count: {passed} random configurations of lazy and drawing layers agree with PyTorch");
}

#[test]
fn lazy_layers_compute_on_a_gpu_as_on_the_cpu() {
    let _gpu = OnGpu::new();
    let cases: Vec<_> = load_module_file("random_lazy").expect("goldens").into_iter().enumerate().collect();
    let cases: Vec<_> = cases.into_iter().filter(|(_, case)| lazy::runs_on_a_gpu(case)).collect();
    let passed = run_all(&cases, 200, random_name, |(_, case)| lazy::check_on_gpu(case));
    println!("count: {passed} GPU cases: lazy layers agree with the CPU");
}

fn run_losses(device: Device) -> usize {
    run_drawn("random_loss", 1800, device, &[]).0
}

#[test]
fn random_losses_are_pytorchs() {
    let _generator = alone();
    println!("count: {} random configurations of losses agree with PyTorch", run_losses(Device::Cpu));
}

#[test]
fn random_losses_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    println!("count: {} GPU cases: random configurations of losses agree with PyTorch", run_losses(GPU));
}

/// Holds the recurrent layers' goldens against PyTorch on a device: module_db's samples and random configurations. Returns how many.
fn run_recurrent(device: Device) -> [usize; 2] {
    let (database, mut drawn) =
        (load_module_file("rnn").expect("goldens"), load_module_file("random_rnn").expect("goldens"));
    drawn.iter_mut().for_each(rnn::train_as_evaluated);
    let mut ran = [0; 2];
    ran[0] = run_all(&database, 260, module_name, |case| {
        let mut case = case.clone();
        rnn::train_as_evaluated(&mut case);
        check::check(&case, device);
    });
    let drawn: Vec<_> = drawn.into_iter().enumerate().collect();
    ran[1] = run_all(&drawn, 680, random_name, |(_, case)| random::check(case, device));
    ran
}

#[test]
fn recurrent_layers_are_pytorchs() {
    let _generator = alone();
    let [database, drawn] = run_recurrent(Device::Cpu);
    println!("count: {database} goldens of recurrent layers agree with PyTorch");
    println!("count: {drawn} random configurations of recurrent layers agree with PyTorch");
}

#[test]
fn recurrent_layers_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let [database, drawn] = run_recurrent(GPU);
    println!("count: {} GPU cases: recurrent layers agree with PyTorch", database + drawn);
}

#[test]
fn initialisers_are_pytorchs() {
    let _generator = alone();
    let cases = load_init().expect("goldens");
    let name = |c: &InitCase| format!("{} {:?} {} {:?}", c.init, c.shape, c.dtype, c.kwargs);
    let passed = run_all(&cases, 74, name, init::check);
    println!("count: {passed} goldens of initialisers agree with PyTorch");
}
