//! The GPU backend of flambeau: WGSL kernels through wgpu, on any Vulkan, Metal or DX12 adapter.
//!
//! Every operation is recorded into one compute pass; the batch is submitted when somebody reads a result, when it is full, or
//! on [`synchronize`]. Memory comes from a pool of size classes, and a dropped tensor's buffer is reused by the next operation
//! of its size. No wgpu type appears in this crate's interface.

mod adapter;
mod arg_reduce;
mod backend;
mod cache;
mod conv;
mod copy;
mod error;
mod failure;
mod gather;
mod gpu;
mod lines;
mod matmul;
mod memory;
mod nll;
mod nonzero;
mod normalize;
mod params;
mod pointwise;
mod pointwise_lists;
mod pool;
mod random;
mod recorder;
mod reduce;
mod resample;
mod scan;
mod scatter;
mod self_test;
mod softmax;
mod sort;
mod transfer;

pub use adapter::{Adapter, adapters};
pub use backend::{WGPU, WgpuBackend};
pub use error::{Error, Result};
pub use gpu::Counters;
pub use transfer::download_async;

use flambeau_tensor::Device;

/// How many GPUs there are: `torch.cuda.device_count`.
pub fn device_count() -> usize {
    adapters().len()
}

/// Whether there is a GPU: `torch.cuda.is_available`.
pub fn is_available() -> bool {
    device_count() > 0
}

/// Opens a GPU, once; later calls cost nothing.
///
/// # Errors
/// When there is no such GPU, or its driver refuses to open it.
pub fn open(device: Device) -> Result<()> {
    adapter::gpu(device).map(|_| ())
}

/// A GPU's name: `torch.cuda.get_device_name`.
///
/// # Errors
/// When there is no such GPU.
pub fn device_name(device: Device) -> Result<String> {
    Ok(adapter::gpu(device)?.info.name.clone())
}

/// Waits until all work on a GPU is done: `torch.cuda.synchronize`.
///
/// # Errors
/// When there is no such GPU, or something that ran on it failed.
pub fn synchronize(device: Device) -> Result<()> {
    adapter::gpu(device)?.synchronize()
}

/// Bytes that tensors on a GPU take: `torch.cuda.memory_allocated`.
///
/// # Errors
/// When there is no such GPU.
pub fn memory_allocated(device: Device) -> Result<u64> {
    Ok(adapter::gpu(device)?.pool.allocated())
}

/// Bytes that flambeau holds of a GPU's memory, in tensors and for later ones: `torch.cuda.memory_reserved`.
///
/// # Errors
/// When there is no such GPU.
pub fn memory_reserved(device: Device) -> Result<u64> {
    Ok(adapter::gpu(device)?.pool.reserved())
}

/// Gives the memory that no tensor uses back to the driver: `torch.cuda.empty_cache`.
///
/// # Errors
/// When there is no such GPU, or something that ran on it failed.
pub fn empty_cache(device: Device) -> Result<()> {
    adapter::gpu(device)?.empty_cache()
}

/// What a GPU has done since it was opened.
///
/// # Errors
/// When there is no such GPU.
pub fn counters(device: Device) -> Result<Counters> {
    Ok(adapter::gpu(device)?.counters())
}
