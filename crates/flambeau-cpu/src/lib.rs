//! The CPU backend of flambeau: SIMD kernels, threads, allocator.

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
