//! `torch.accelerator`: the GPU of this machine, if it has one.
//!
//! ```
//! let device = torch::accelerator::current_accelerator().unwrap_or(torch::device("cpu"));
//! assert_eq!(torch::accelerator::is_available(), device != torch::device("cpu"));
//! ```

#[cfg(feature = "wgpu")]
pub use crate::cuda::synchronize;
pub use crate::cuda::{
    current_device as current_device_index, device_count, is_available, set_device as set_device_index,
};
use flambeau_tensor::Device;

/// The GPU's device, or `None`: `torch.accelerator.current_accelerator()`.
pub fn current_accelerator() -> Option<Device> {
    is_available().then(|| Device::Wgpu(current_device_index()))
}
