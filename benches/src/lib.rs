//! What the benchmarks share: where they run, and the training steps that they measure (`peers/` has them in PyTorch).
//!
//! - `cargo bench --package flambeau-benches` compares the GPU with the CPU, from tiny to large.
//! - `cargo xtask peers` compares the CPU with PyTorch's.
//! - `cargo xtask gpu-report` makes one table of the GPU at hand, beside PyTorch's if there is one with CUDA; see
//!   `src/bin/gpu_report/main.rs` for a machine without cargo.

mod devices;
mod steps;

pub use devices::{devices, synchronize, timed};
pub use steps::{Cnn, CnnStep, MlpStep};
