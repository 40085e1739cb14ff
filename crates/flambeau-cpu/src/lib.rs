//! The CPU backend of flambeau: SIMD kernels, threads, allocator.

pub mod alloc;
mod arg_reduce;
mod backend;
mod cast;
pub mod conv;
mod copy;
mod gather;
pub mod gemm;
mod lines;
pub mod math;
mod matmul;
mod memory;
mod nll;
mod normalize;
mod pointwise;
pub mod pool;
mod random;
mod reduce;
mod resample;
mod scan;
mod scatter;
pub mod simd;
mod softmax;
mod sort;
#[cfg(test)]
mod tests;
pub mod threads;
mod windows;

pub use backend::{CPU, CpuBackend, kernels_run};
