//! Training on a GPU follows training on the CPU, in few launches, without waiting, in constant memory.
#![cfg(all(feature = "wgpu", feature = "vision"))]

use std::sync::{Mutex, MutexGuard, PoisonError};
use torch::nn::{self, Call, Forward, Module};
use torch::utils::data::{DataLoader, Dataset};
use torch::vision::datasets::SyntheticDigits;
use torch::{Device, Tensor, optim};

const GPU: Device = Device::Wgpu(0);

/// These tests count launches and bytes, so they take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn simple_nn() -> impl Forward {
    nn::Sequential::new((nn::Flatten::new(), nn::Linear::new(784, 128), nn::ReLU::new(), nn::Linear::new(128, 10)))
}

fn digits(train: bool, length: usize) -> SyntheticDigits {
    SyntheticDigits::with(train, |o| o.length(length))
}

/// The losses of a hundred steps, and the share of test digits that the network then knows.
fn train(device: Device) -> (Vec<f64>, f64) {
    torch::manual_seed(0);
    let loader = DataLoader::with(digits(true, 6_400), |o| o.batch_size(64).shuffle(true));
    let model = simple_nn().to(device);
    let criterion = nn::CrossEntropyLoss::new();
    let optimizer = optim::Adam::new(model.parameters(), 1e-3);
    let mut losses = Vec::new();
    for (images, labels) in &loader {
        let loss = criterion.call(model.call(images.to(device)), labels.to(device));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        losses.push(loss.item());
    }
    let (mut right, mut all) = (0.0, 0.0);
    for (images, labels) in &DataLoader::with(digits(false, 2_000), |o| o.batch_size(500)) {
        let _no_grad = torch::no_grad();
        let guess = model.call(images.to(device)).argmax_dim(1, false);
        right += guess.eq(labels.to(device)).sum().item();
        all += labels.numel() as f64;
    }
    (losses, right / all)
}

#[test]
fn a_hundred_steps_follow_the_cpu() {
    let _turn = turn();
    let (cpu, cpu_accuracy) = train(Device::Cpu);
    let (gpu, gpu_accuracy) = train(GPU);
    assert_eq!(cpu.len(), 100);
    let apart = cpu.iter().zip(&gpu).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!(
        "100 steps on {GPU}: losses differ by at most {apart:.2e}, accuracy {gpu_accuracy} against {cpu_accuracy}"
    );
    assert!(apart < 1e-3, "{apart}");
    assert!((cpu_accuracy - gpu_accuracy).abs() < 5e-3, "{cpu_accuracy} on the CPU, {gpu_accuracy} on the GPU");
}

/// One step of the example's network with its data on the device.
fn step(model: &impl Forward, optimizer: &optim::Optimizer, images: &Tensor, labels: &Tensor) -> Tensor {
    let loss = nn::CrossEntropyLoss::new().call(model.call(images), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss
}

#[test]
fn a_step_is_few_launches_and_waits_for_nothing() {
    let _turn = turn();
    torch::manual_seed(1);
    let model = simple_nn().to(GPU);
    let optimizer = optim::Adam::new(model.parameters(), 1e-3);
    let images = torch::rand([64, 1, 28, 28]).to(GPU);
    let labels = torch::randint(0, 10, [64]).to(GPU);
    for _ in 0..3 {
        step(&model, &optimizer, &images, &labels);
    }
    torch::wgpu::synchronize(0);
    let before = torch::wgpu::counters(0);
    step(&model, &optimizer, &images, &labels);
    let recorded = torch::wgpu::counters(0);
    assert_eq!((recorded.submits, recorded.readbacks), (before.submits, before.readbacks), "the step waited");
    assert_eq!(recorded.pipelines, before.pipelines, "a step that was seen before compiles nothing");
    torch::wgpu::synchronize(0);
    let after = torch::wgpu::counters(0);
    let launches = after.dispatches - before.dispatches;
    println!("a step of SimpleNN: {launches} launches, {} submit", after.submits - before.submits);
    assert!(launches <= 15, "{launches} launches");
    assert_eq!(after.submits - before.submits, 1);
}

#[test]
fn reserved_memory_stays_flat() {
    let _turn = turn();
    torch::manual_seed(2);
    let model = simple_nn().to(GPU);
    let optimizer = optim::AdamW::new(model.parameters(), 1e-3);
    let mut reserved = 0;
    for i in 1..=400 {
        let images = torch::rand([64, 1, 28, 28]).to(GPU);
        let labels = torch::randint(0, 10, [64]).to(GPU);
        let loss = step(&model, &optimizer, &images, &labels);
        if i % 10 == 0 {
            assert!(loss.item().is_finite());
        }
        if i == 100 {
            reserved = torch::wgpu::memory_reserved(0);
        }
    }
    assert_eq!(torch::wgpu::memory_reserved(0), reserved, "reserved memory grew after the first hundred steps");
}

/// A batch of every length of the dataset reaches the device whole.
#[test]
fn batches_move_to_the_device_and_back() {
    let _turn = turn();
    let data = digits(true, 10);
    let (image, label) = data.get(3).expect("there are ten");
    let there = image.to(GPU);
    assert_eq!(there.device(), GPU);
    assert_eq!(there.to(Device::Cpu).to_vec::<f32>(), image.to_vec::<f32>());
    assert!(label < 10);
}
