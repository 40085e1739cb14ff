//! The CPU backend of flambeau: SIMD kernels, threads, allocator.

pub mod pool;
pub mod simd;
pub mod alloc;
pub mod conv;
pub mod gemm;
pub mod math;
pub mod threads;
mod cast;
mod copy;
mod memory;
mod plan;
mod pointwise;
mod reduce;
mod arg_reduce;
mod backend;
mod gather;
mod lines;
mod matmul;
mod random;
mod resample;
mod scan;
mod scatter;
mod softmax;
mod sort;
#[cfg(test)]
mod tests;
mod windows;

pub use backend::{CPU, CpuBackend};
