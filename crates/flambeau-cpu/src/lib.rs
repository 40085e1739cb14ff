//! The CPU backend of flambeau: SIMD kernels, threads, allocator.

pub mod simd;
