//! `torch.cuda` for whatever GPU there is: `"cuda"` is the first one, `"cuda:1"` the second, through wgpu. Scripts that ask
//! `torch.cuda.is_available()` run as they are. Names print as `wgpu:0`.
//!
//! ```
//! let device = torch::device(if torch::cuda::is_available() { "cuda" } else { "cpu" });
//! let x = torch::randn_with((64, 64), |o| o.device(device));
//! assert_eq!(x.device(), device);
//! torch::cuda::empty_cache();
//! ```

#[cfg(feature = "wgpu")]
use crate::wgpu;
use std::cell::Cell;

/// What a build without GPUs says, as a PyTorch without CUDA does.
#[cfg(not(feature = "wgpu"))]
mod wgpu {
    #[track_caller]
    fn none() -> ! {
        panic!("Torch not compiled with CUDA enabled")
    }
    #[track_caller]
    pub fn get_device_name(_: usize) -> String {
        none()
    }
    #[track_caller]
    pub fn synchronize(_: usize) {
        none()
    }
    #[track_caller]
    pub fn memory_allocated(_: usize) -> u64 {
        none()
    }
    #[track_caller]
    pub fn memory_reserved(_: usize) -> u64 {
        none()
    }
    #[track_caller]
    pub fn max_memory_allocated(_: usize) -> u64 {
        none()
    }
    #[track_caller]
    pub fn max_memory_reserved(_: usize) -> u64 {
        none()
    }
}

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Whether there is a hardware GPU: `torch.cuda.is_available()`. Software renderers do not count, unless `FLAMBEAU_ADAPTER`
/// names one.
pub fn is_available() -> bool {
    device_count() > 0
}

/// How many GPUs there are: `torch.cuda.device_count()`. Hardware stands first in the list of adapters, so these are the
/// numbers 0, 1, ….
#[cfg(feature = "wgpu")]
pub fn device_count() -> usize {
    let named = std::env::var_os("FLAMBEAU_ADAPTER").is_some_and(|name| !name.is_empty());
    wgpu::adapters().iter().filter(|adapter| named || !adapter.is_software()).count()
}

/// How many GPUs there are: none, since this build has no GPU backend.
#[cfg(not(feature = "wgpu"))]
pub fn device_count() -> usize {
    0
}

/// The GPU that this thread's calls without an index mean: `torch.cuda.current_device()`.
pub fn current_device() -> usize {
    CURRENT.get()
}

/// Chooses the GPU that this thread's calls without an index mean: `torch.cuda.set_device`.
pub fn set_device(index: usize) {
    CURRENT.set(index);
}

/// The current GPU's name: `torch.cuda.get_device_name()`.
///
/// # Panics
/// When there is no GPU.
#[track_caller]
pub fn get_device_name() -> String {
    wgpu::get_device_name(current_device())
}

/// Waits until all work on the current GPU is done: `torch.cuda.synchronize()`.
///
/// # Panics
/// When there is no GPU, or something that ran on it failed.
#[track_caller]
pub fn synchronize() {
    wgpu::synchronize(current_device());
}

/// Bytes that tensors on the current GPU take: `torch.cuda.memory_allocated()`.
///
/// # Panics
/// When there is no GPU.
#[track_caller]
pub fn memory_allocated() -> u64 {
    wgpu::memory_allocated(current_device())
}

/// Bytes that flambeau holds of the current GPU's memory: `torch.cuda.memory_reserved()`.
///
/// # Panics
/// When there is no GPU.
#[track_caller]
pub fn memory_reserved() -> u64 {
    wgpu::memory_reserved(current_device())
}

/// The most bytes that tensors on the current GPU have taken: `torch.cuda.max_memory_allocated()`.
///
/// # Panics
/// When there is no GPU.
#[track_caller]
pub fn max_memory_allocated() -> u64 {
    wgpu::max_memory_allocated(current_device())
}

/// The most bytes that flambeau has held of the current GPU's memory: `torch.cuda.max_memory_reserved()`.
///
/// # Panics
/// When there is no GPU.
#[track_caller]
pub fn max_memory_reserved() -> u64 {
    wgpu::max_memory_reserved(current_device())
}

/// Begins the two maxima anew: `torch.cuda.reset_peak_memory_stats()`. Nothing happens without a GPU.
pub fn reset_peak_memory_stats() {
    #[cfg(feature = "wgpu")]
    if is_available() {
        wgpu::reset_peak_memory_stats(current_device());
    }
}

/// Whether bfloat16 can be computed with: `torch.cuda.is_bf16_supported()`. Every GPU computes it, in float32 with a rounding.
pub fn is_bf16_supported() -> bool {
    is_available()
}

#[cfg(feature = "wgpu")]
pub use crate::wgpu::get_device_properties;

/// Gives the memory that no tensor uses back to the driver: `torch.cuda.empty_cache()`. Nothing happens without a GPU, as in
/// PyTorch.
pub fn empty_cache() {
    #[cfg(feature = "wgpu")]
    if is_available() {
        wgpu::empty_cache(current_device());
    }
}

/// Seeds the generators of all devices: `torch.cuda.manual_seed`.
pub fn manual_seed(seed: u64) {
    crate::manual_seed(seed);
}

/// Seeds the generators of all devices: `torch.cuda.manual_seed_all`.
pub fn manual_seed_all(seed: u64) {
    crate::manual_seed(seed);
}

/// `torch.cuda.amp`: the older names of [`torch::amp`](crate::amp) for GPUs. PyTorch's warn that they are old; these do not.
///
/// ```
/// use torch::cuda::amp::{GradScaler, autocast_with};
/// let use_amp = torch::cuda::is_available();
/// let scaler = GradScaler::with(|o| o.enabled(use_amp));
/// {
///     let _autocast = autocast_with(|o| o.enabled(use_amp));
/// }
/// assert_eq!(scaler.is_enabled(), use_amp);
/// ```
pub mod amp {
    use crate::amp::{AutocastGuard, AutocastOptions, GradScalerOptions};
    pub use crate::amp::{CustomBwd, CustomFwd};
    use crate::{DType, Device};
    use std::ops::Deref;

    const CUDA: Device = Device::Wgpu(0);

    /// [`torch::autocast`](crate::autocast()) for GPUs in float16: `torch.cuda.amp.autocast()`.
    ///
    /// ```
    /// if torch::cuda::is_available() {
    ///     let _autocast = torch::cuda::amp::autocast();
    ///     assert!(torch::is_autocast_enabled("cuda"));
    /// }
    /// ```
    #[track_caller]
    pub fn autocast() -> AutocastGuard {
        autocast_with(|options| options)
    }

    /// [`autocast`] with the keywords `enabled`, `dtype`, `cache_enabled`.
    ///
    /// ```
    /// let _autocast = torch::cuda::amp::autocast_with(|o| o.enabled(false));
    /// assert!(!torch::is_autocast_enabled("cuda"));
    /// ```
    #[track_caller]
    pub fn autocast_with(options: impl FnOnce(AutocastOptions) -> AutocastOptions) -> AutocastGuard {
        crate::autocast_with(CUDA, |o| options(o.dtype(DType::F16).cache_enabled(true)))
    }

    /// [`torch::amp::custom_fwd`](crate::amp::custom_fwd) for GPUs: `torch.cuda.amp.custom_fwd`.
    ///
    /// ```
    /// let _ = torch::cuda::amp::custom_fwd().cast_inputs(torch::float32);
    /// ```
    pub const fn custom_fwd() -> CustomFwd {
        crate::amp::custom_fwd("cuda")
    }

    /// [`torch::amp::custom_bwd`](crate::amp::custom_bwd) for GPUs: `torch.cuda.amp.custom_bwd`.
    ///
    /// ```
    /// let _ = torch::cuda::amp::custom_bwd();
    /// ```
    pub const fn custom_bwd() -> CustomBwd {
        crate::amp::custom_bwd("cuda")
    }

    /// [`torch::amp::GradScaler`](crate::amp::GradScaler) for GPUs: `torch.cuda.amp.GradScaler()`. Without a GPU it is not enabled, and
    /// warns.
    ///
    /// ```
    /// let scaler = torch::cuda::amp::GradScaler::new();
    /// assert!(scaler.get_scale() >= 1.0);
    /// ```
    #[derive(Clone)]
    pub struct GradScaler(crate::amp::GradScaler);

    impl GradScaler {
        /// A scaler with PyTorch's defaults.
        #[track_caller]
        #[allow(clippy::new_without_default, reason = "layers and optimizers have no Default either")]
        pub fn new() -> Self {
            Self::with(|options| options)
        }

        /// A scaler with options: `init_scale`, `growth_factor`, `backoff_factor`, `growth_interval`, `enabled`.
        ///
        /// # Panics
        /// As [`torch::amp::GradScaler::with`](crate::amp::GradScaler::with).
        #[track_caller]
        pub fn with(options: impl FnOnce(GradScalerOptions) -> GradScalerOptions) -> Self {
            GradScaler(crate::amp::GradScaler::with(CUDA, options))
        }
    }

    impl Deref for GradScaler {
        type Target = crate::amp::GradScaler;
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
}
