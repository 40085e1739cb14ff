//! The first steps of training are PyTorch's: the same initial weights bit for bit, the same shuffle, the same losses.
//!
//! `examples/expected/first_losses.txt` comes from `examples/expected/mnist.py`, run on the same digits.

use torch::nn::{self, Forward, Module};
use torch::optim;
use torch::utils::data::DataLoader;
use torch::vision::SyntheticDigits;

/// FNV-1a over the bytes of all parameters.
fn checksum(model: &impl Module) -> u64 {
    let parameters = model.parameters();
    let bytes = parameters.iter().flat_map(|p| p.to_vec::<f32>()).flat_map(f32::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn the_first_losses_are_pytorchs() {
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
        let criterion = nn::CrossEntropyLoss::new();
        let optimizer = optim::Adam::new(model.parameters(), 1e-3);
        for (step, ((images, labels), theirs)) in loader.iter().zip(&losses).enumerate() {
            let loss = criterion.call(&model.call(&images), &labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            let ours = loss.item();
            assert!((ours - theirs).abs() < 1e-5, "seed {seed}, step {step}: {ours}, PyTorch {theirs}");
        }
    }
    println!("count: {} first steps of training agree with PyTorch", 10 * expected.lines().count());
}
