//! GPUs, as `torch.cuda` shows them: which there are, their memory, waiting for them.
//!
//! ```no_run
//! let device: torch::Device = if torch::wgpu::is_available() { "wgpu:0" } else { "cpu" }.parse().unwrap();
//! let x = torch::randn([1024, 1024]).to(device);
//! let y = x.matmul(&x).relu().sum();
//! println!("{} on {}", y.item(), torch::wgpu::get_device_name(0));
//! println!("{} bytes in tensors", torch::wgpu::memory_allocated(0));
//! ```

use flambeau_tensor::Device;
pub use flambeau_wgpu::{Adapter, Counters, adapters, device_count, is_available};

#[track_caller]
fn or_panic<T>(result: flambeau_wgpu::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A GPU's name: `torch.cuda.get_device_name`.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn get_device_name(index: usize) -> String {
    or_panic(flambeau_wgpu::device_name(Device::Wgpu(index)))
}

/// Waits until all work on a GPU is done: `torch.cuda.synchronize`.
///
/// # Panics
/// When there is no such GPU, or something that ran on it failed.
#[track_caller]
pub fn synchronize(index: usize) {
    or_panic(flambeau_wgpu::synchronize(Device::Wgpu(index)));
}

/// Bytes that tensors on a GPU take: `torch.cuda.memory_allocated`.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn memory_allocated(index: usize) -> u64 {
    or_panic(flambeau_wgpu::memory_allocated(Device::Wgpu(index)))
}

/// Bytes that flambeau holds of a GPU's memory, in tensors and for later ones: `torch.cuda.memory_reserved`.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn memory_reserved(index: usize) -> u64 {
    or_panic(flambeau_wgpu::memory_reserved(Device::Wgpu(index)))
}

/// The most bytes that tensors on a GPU have taken: `torch.cuda.max_memory_allocated`.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn max_memory_allocated(index: usize) -> u64 {
    or_panic(flambeau_wgpu::max_memory_allocated(Device::Wgpu(index)))
}

/// The most bytes that flambeau has held of a GPU's memory: `torch.cuda.max_memory_reserved`.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn max_memory_reserved(index: usize) -> u64 {
    or_panic(flambeau_wgpu::max_memory_reserved(Device::Wgpu(index)))
}

/// Begins [`max_memory_allocated`] and [`max_memory_reserved`] anew: `torch.cuda.reset_peak_memory_stats`.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn reset_peak_memory_stats(index: usize) {
    or_panic(flambeau_wgpu::reset_peak_memory_stats(Device::Wgpu(index)));
}

/// What is known of a GPU, its name first: `torch.cuda.get_device_properties`. Vulkan, Metal and DX12 do not tell how much
/// memory there is.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn get_device_properties(index: usize) -> Adapter {
    let name = get_device_name(index);
    adapters().into_iter().nth(index).unwrap_or_else(|| panic!("{name} is not there any more"))
}

/// Gives the memory that no tensor uses back to the driver: `torch.cuda.empty_cache`.
///
/// # Panics
/// When there is no such GPU, or something that ran on it failed.
#[track_caller]
pub fn empty_cache(index: usize) {
    or_panic(flambeau_wgpu::empty_cache(Device::Wgpu(index)));
}

/// Launches, submits, pipelines and readbacks so far, for tests and benches.
///
/// # Panics
/// When there is no such GPU.
#[track_caller]
pub fn counters(index: usize) -> Counters {
    or_panic(flambeau_wgpu::counters(Device::Wgpu(index)))
}
