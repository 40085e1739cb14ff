//! A read of one element too many, which AddressSanitizer must see: it shows that the checks of the other tests see something.
//! Compiled with `--cfg flambeau_planted_overread` only, and expected to fail with `--cfg flambeau_exact_alloc` beside it.
#![cfg(flambeau_planted_overread)]

use flambeau_cpu::CPU;
use flambeau_tensor::{Array, DType, Device, Scalar};

/// For each size class: storages so small that they would lie inside their owner, small blocks that a thread would keep, and
/// large ones. Under the sanitizer the first of them ends the program, so that a single one is read, which the environment
/// may choose by `FLAMBEAU_OVERREAD_BYTES`.
#[test]
fn one_element_past_the_end() {
    let bytes = std::env::var("FLAMBEAU_OVERREAD_BYTES").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let a = Array::full(&CPU, Device::Cpu, &[bytes / 4], DType::F32, Scalar::Int(1)).unwrap();
    // SAFETY: none; the read is the bug that is planted.
    let past = unsafe { a.host_ptr().cast::<f32>().add(a.numel()).read_volatile() };
    println!("read {past}");
}
