//! The first steps of training are PyTorch's: the same initial weights bit for bit, the same shuffle, the same losses.
//!
//! `examples/expected/first_losses.txt` comes from `examples/expected/mnist.py`, run on the same digits.

use flambeau_testkit::work::{GPU, OnGpu, alone, watch};
use torch::Device;
use torch::nn::{self, Module};
use torch::optim;
use torch::utils::data::DataLoader;
use torch::vision::datasets::SyntheticDigits;

/// FNV-1a over the bytes of all parameters.
fn checksum(model: &impl Module) -> u64 {
    let parameters = model.parameters();
    let bytes = parameters.iter().flat_map(|p| p.to_vec::<f32>()).flat_map(f32::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Trains on a device with each seed and returns how many steps that were.
fn train(device: Device, tolerance: f64) -> usize {
    let expected = include_str!("../../../examples/expected/first_losses.txt");
    for (seed, line) in expected.lines().enumerate() {
        let mut words = line.split_whitespace();
        let weights = words.next().and_then(|w| u64::from_str_radix(w, 16).ok()).expect("a checksum comes first");
        let losses: Vec<f64> = words.map(|w| w.parse().expect("losses follow")).collect();
        assert_eq!(losses.len(), 10);

        torch::manual_seed(seed as u64);
        let digits = SyntheticDigits::with(true, |o| o.length(10_000));
        let loader = DataLoader::with(digits, |o| o.batch_size(64).shuffle(true));
        let model = nn::Sequential::new((
            nn::Flatten::new(),
            nn::Linear::new(784, 128),
            nn::ReLU::new(),
            nn::Linear::new(128, 10),
        ));
        assert_eq!(checksum(&model), weights, "seed {seed}: the initial weights");
        let model = model.to(device);
        let criterion = nn::CrossEntropyLoss::new();
        let optimizer = optim::Adam::new(model.parameters(), 1e-3);
        for (step, ((images, labels), theirs)) in loader.iter().zip(&losses).enumerate() {
            let (images, labels) = (images.to(device), labels.to(device));
            let (loss, work) = watch(device, || {
                let loss = criterion.call(model.call(&images), &labels);
                optimizer.zero_grad();
                loss.backward();
                optimizer.step();
                loss
            });
            if let (false, Some(wrong)) = (device.is_cpu(), work.misplaced(false, true)) {
                panic!("seed {seed}, step {step}: {wrong}");
            }
            let ours = loss.item();
            assert!((ours - theirs).abs() < tolerance, "seed {seed}, step {step}: {ours}, PyTorch {theirs}");
        }
    }
    10 * expected.lines().count()
}

#[test]
fn the_first_losses_are_pytorchs() {
    // Both tests draw from the default generator.
    let _alone = alone();
    println!("count: {} first steps of training agree with PyTorch", train(Device::Cpu, 1e-5));
}

#[test]
fn the_first_losses_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    println!("count: {} GPU cases: first steps of training agree with PyTorch", train(GPU, 1e-5));
}
