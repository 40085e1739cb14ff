//! `torch.autocast`: regions in which operations choose the dtype that they compute in. What an operation does there, it declares
//! (`cast = …`); `casting.rs` does it at the boundary of operations.

use super::{AUTOCAST, is_on, switch};
use crate::error::{Error, OrPanic, Result};
use crate::graph::lock;
use crate::{Tensor, options, warn};
use flambeau_tensor::{DType, Device, PYTORCH_DEVICES};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Mutex;

/// A kind of device, which has regions and lists of operations of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cpu,
    Gpu,
}

impl Kind {
    pub(crate) fn of(device: Device) -> Self {
        if device.is_cpu() { Kind::Cpu } else { Kind::Gpu }
    }
}

/// What a thread does with the operations of one kind of device.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Region {
    enabled: bool,
    dtype: DType,
}

/// The state of one thread.
struct State {
    regions: [Cell<Region>; 2],
    cache_enabled: Cell<bool>,
    /// How many regions this thread is in.
    nesting: Cell<u32>,
    /// Low-precision copies of parameters, by their address and dtype, each beside its parameter, so that no other gets the address.
    cache: RefCell<HashMap<(usize, DType), (Tensor, Tensor)>>,
    /// Whether this thread is counted among those in which a region is enabled.
    counted: Cell<bool>,
}

thread_local! {
    static STATE: State = State {
        regions: [DType::BF16, DType::F16].map(|dtype| Cell::new(Region { enabled: false, dtype })),
        cache_enabled: Cell::new(true),
        nesting: Cell::new(0),
        cache: RefCell::default(),
        counted: Cell::new(false),
    };
}

/// Counts a thread in which a region is enabled, or no longer counts it.
fn count(enabled: bool) {
    static THREADS: Mutex<usize> = Mutex::new(0);
    let mut threads = lock(&THREADS);
    *threads = if enabled { *threads + 1 } else { *threads - 1 };
    switch(AUTOCAST, *threads > 0);
}

impl State {
    fn region(&self, kind: Kind) -> Region {
        self.regions[kind as usize].get()
    }

    fn set(&self, kind: Kind, region: Region) {
        self.regions[kind as usize].set(region);
        let enabled = self.regions.iter().any(|region| region.get().enabled);
        if self.counted.replace(enabled) != enabled {
            count(enabled);
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.counted.get() {
            count(false);
        }
    }
}

/// The dtype of this thread's region for a kind of device, if one is enabled.
pub(crate) fn low_precision(kind: Kind) -> Option<DType> {
    if !is_on(AUTOCAST) {
        return None;
    }
    let region = STATE.with(|state| state.region(kind));
    region.enabled.then_some(region.dtype)
}

/// Whether operations on some kind of device cast in this thread.
#[doc(hidden)]
pub fn is_any_autocast_enabled() -> bool {
    is_on(AUTOCAST) && STATE.with(|state| state.regions.iter().any(|region| region.get().enabled))
}

/// The region of a kind of device is left out until this is dropped: an operation does not cast what it computes itself.
pub(crate) struct Excluded(Kind);

pub(crate) fn exclude(kind: Kind) -> Excluded {
    set_enabled(kind, false);
    Excluded(kind)
}

/// Without a look at who is counted: an operation that runs leaves the region enabled for whoever called it.
fn set_enabled(kind: Kind, enabled: bool) {
    STATE.with(|state| {
        let region = &state.regions[kind as usize];
        region.set(Region { enabled, ..region.get() });
    });
}

impl Drop for Excluded {
    fn drop(&mut self) {
        set_enabled(self.0, true);
    }
}

/// The cached copy of a parameter in a dtype, or the one that `make` makes.
pub(crate) fn cached(x: &Tensor, dtype: DType, make: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    if !STATE.with(|state| state.cache_enabled.get()) {
        return make();
    }
    let key = (x.address(), dtype);
    let known = STATE.with(|state| state.cache.borrow().get(&key).map(|(_, copy)| copy.shallow_clone()));
    if let Some(copy) = known {
        return Ok(copy);
    }
    // Whoever asks first may record nothing; who asks next may.
    let copy = {
        let _mode = crate::enable_grad();
        make()?
    };
    let entry = (x.shallow_clone(), copy.shallow_clone());
    STATE.with(|state| state.cache.borrow_mut().insert(key, entry));
    Ok(copy)
}

/// What names a kind of device: `"cpu"`, `"cuda"` or `"wgpu"` for GPUs, or a device.
pub trait DeviceType {
    /// A device of this kind.
    ///
    /// # Errors
    /// When there is no such kind.
    fn device_type(&self) -> Result<Device>;
}

impl DeviceType for Device {
    fn device_type(&self) -> Result<Device> {
        Ok(*self)
    }
}

/// Whether that kind of device is PyTorch's and not flambeau's.
fn is_elsewhere(kind: &str) -> bool {
    !matches!(kind, "cpu" | "cuda") && PYTORCH_DEVICES.contains(&kind)
}

fn unsupported(name: &str) -> Error {
    Error::runtime(format!("User specified an unsupported autocast device_type '{name}'"))
}

impl DeviceType for &str {
    fn device_type(&self) -> Result<Device> {
        match self.split(':').next() {
            Some(kind) if is_elsewhere(kind) => Err(unsupported(self)),
            _ => Ok(self.parse::<Device>()?),
        }
    }
}

impl DeviceType for String {
    fn device_type(&self) -> Result<Device> {
        self.as_str().device_type()
    }
}

impl DeviceType for &String {
    fn device_type(&self) -> Result<Device> {
        self.as_str().device_type()
    }
}

#[track_caller]
fn kind(device_type: &impl DeviceType) -> Kind {
    Kind::of(device_type.device_type().or_panic())
}

options! {
    /// Options of [`autocast`].
    #[derive(Clone, Copy, Debug)]
    AutocastOptions {
        /// What the operations of the region compute in where they may: `bfloat16` or `float16` (`None`: that of
        /// [`get_autocast_dtype`]).
        dtype: Option<DType> = None,
        /// Whether operations cast in the region; a region inside another one may say that they do not (true).
        enabled: bool = true,
        /// Whether a parameter is cast once per outermost region (`None`: as around the region, at first true).
        cache_enabled: Option<bool> = None,
    }
}

/// A region of [`autocast`], which ends when this is dropped. Keep it in a variable: `let _guard = autocast("cpu");`.
#[must_use = "the region ends when the guard is dropped; write `let _guard = …`"]
pub struct AutocastGuard {
    former: Snapshot,
    _not_send: PhantomData<*const ()>,
}

impl Drop for AutocastGuard {
    fn drop(&mut self) {
        if autocast_decrement_nesting() == 0 {
            clear_autocast_cache();
        }
        self.former.set();
    }
}

/// What all regions of a thread are at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    regions: [Region; 2],
    cache_enabled: bool,
}

impl Snapshot {
    pub(crate) fn now() -> Self {
        STATE.with(|state| Snapshot {
            regions: [Kind::Cpu, Kind::Gpu].map(|kind| state.region(kind)),
            cache_enabled: state.cache_enabled.get(),
        })
    }

    fn set(self) {
        STATE.with(|state| {
            [Kind::Cpu, Kind::Gpu].into_iter().zip(self.regions).for_each(|(kind, region)| state.set(kind, region));
            state.cache_enabled.set(self.cache_enabled);
        });
    }

    /// Is all this once more, until the guard is dropped.
    pub(crate) fn enter(self) -> AutocastGuard {
        let former = Snapshot::now();
        autocast_increment_nesting();
        self.set();
        AutocastGuard { former, _not_send: PhantomData }
    }

    fn with(mut self, kind: Kind, enabled: bool, dtype: DType) -> Self {
        self.regions[kind as usize] = Region { enabled, dtype };
        self
    }
}

/// Enters a region whose values nobody has to check.
pub(crate) fn enter(kind: Kind, enabled: bool, dtype: DType) -> AutocastGuard {
    Snapshot::now().with(kind, enabled, dtype).enter()
}

/// Mixed precision until the guard is dropped: `with torch.autocast(device_type):`. Products and convolutions of this thread convert
/// their inputs to a dtype of 16 bits, operations that would lose digits (losses, on a GPU also norms, powers and sums) compute in
/// float32, all others take what they get. Parameters stay as they are, and so do their gradients.
///
/// `device_type` is `"cpu"`, where the dtype is bfloat16, or `"cuda"`, also called `"wgpu"`, where it is float16. Where there is no
/// GPU, a region for it changes nothing and warns. [`autocast_with`] has PyTorch's keywords.
///
/// ```
/// use torch::prelude::*;
/// let (net, x) = (nn::Linear::new(4, 2), torch::ones([3, 4]));
/// let loss = {
///     let _autocast = torch::autocast("cpu");
///     let y = net.call(&x);
///     assert_eq!(y.dtype(), torch::bfloat16);
///     F::mse_loss(&y, torch::zeros([3, 2]))
/// };
/// assert_eq!(loss.dtype(), torch::float32);
/// loss.backward();
/// assert_eq!(net.weight.grad().unwrap().dtype(), torch::float32);
/// ```
///
/// # Panics
/// For a kind of device that there is not.
#[track_caller]
pub fn autocast(device_type: impl DeviceType) -> AutocastGuard {
    autocast_with(device_type, |options| options)
}

/// [`autocast`] with PyTorch's keywords: `dtype`, `enabled`, `cache_enabled`. A dtype that the CPU's regions do not know ends in a
/// region that is not enabled, with a warning.
///
/// ```
/// let x = torch::ones([2, 2]);
/// let _autocast = torch::autocast_with("cpu", |o| o.dtype(torch::float16));
/// assert_eq!(x.matmul(&x).dtype(), torch::float16);
/// let _exact = torch::autocast_with("cpu", |o| o.enabled(false));
/// assert_eq!(x.matmul(&x).dtype(), torch::float32);
/// ```
///
/// # Panics
/// For a kind of device that there is not.
#[track_caller]
pub fn autocast_with(
    device_type: impl DeviceType,
    options: impl FnOnce(AutocastOptions) -> AutocastOptions,
) -> AutocastGuard {
    let device = device_type.device_type().or_panic();
    let kind = Kind::of(device);
    let options = options(AutocastOptions::default());
    let mut regions = Snapshot::now();
    regions.cache_enabled = options.cache_enabled.unwrap_or(regions.cache_enabled);
    let dtype = options.dtype.unwrap_or(regions.regions[kind as usize].dtype);
    let mut enabled = options.enabled;
    if enabled && kind == Kind::Gpu {
        if !has_device(device) {
            warn("CUDA is not available or torch_xla is imported. Disabling autocast.");
            enabled = false;
        }
    } else if enabled && !matches!(dtype, DType::BF16 | DType::F16) {
        warn(
            "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only supports dtypes of \
             torch.bfloat16, torch.float16 currently.",
        );
        enabled = false;
    }
    regions.with(kind, enabled, dtype).enter()
}

/// Whether this build and this machine have a device.
#[doc(hidden)]
pub fn has_device(device: Device) -> bool {
    flambeau_device::check_device(device).is_ok()
}

/// Whether regions of [`autocast`] can be made for a kind of device: `torch.amp.is_autocast_available(device_type)`.
///
/// ```
/// assert!(torch::amp::is_autocast_available("cpu"));
/// assert!(!torch::amp::is_autocast_available("meta"));
/// ```
///
/// # Panics
/// For a word that names no device at all.
#[track_caller]
pub fn is_autocast_available(device_type: impl DeviceType) -> bool {
    match device_type.device_type() {
        Ok(_) => true,
        Err(error) if error.to_string().starts_with("User specified") => false,
        Err(error) => Err(error).or_panic(),
    }
}

/// Whether operations on a kind of device cast in this thread: `torch.is_autocast_enabled(device_type)`.
///
/// ```
/// assert!(!torch::is_autocast_enabled("cpu"));
/// let _autocast = torch::autocast("cpu");
/// assert!(torch::is_autocast_enabled("cpu") && !torch::is_autocast_enabled("cuda"));
/// ```
///
/// # Panics
/// For a kind of device that there is not.
#[track_caller]
pub fn is_autocast_enabled(device_type: impl DeviceType) -> bool {
    let kind = kind(&device_type);
    STATE.with(|state| state.region(kind).enabled)
}

/// Sets whether operations on a kind of device cast in this thread, outside of any guard:
/// `torch.set_autocast_enabled(device_type, enabled)`.
///
/// ```
/// torch::set_autocast_enabled("cpu", true);
/// let x = torch::ones([2, 2]);
/// assert_eq!(x.matmul(&x).dtype(), torch::bfloat16);
/// torch::set_autocast_enabled("cpu", false);
/// ```
///
/// # Panics
/// For a kind of device that there is not.
#[track_caller]
pub fn set_autocast_enabled(device_type: impl DeviceType, enabled: bool) {
    let kind = kind(&device_type);
    STATE.with(|state| state.set(kind, Region { enabled, ..state.region(kind) }));
}

/// What regions of a kind of device compute in when nothing else is said: `torch.get_autocast_dtype(device_type)`; inside of a
/// region, its dtype.
///
/// ```
/// assert_eq!(torch::get_autocast_dtype("cpu"), torch::bfloat16);
/// assert_eq!(torch::get_autocast_dtype("cuda"), torch::float16);
/// ```
///
/// # Panics
/// For a kind of device that there is not.
#[track_caller]
pub fn get_autocast_dtype(device_type: impl DeviceType) -> DType {
    let kind = kind(&device_type);
    STATE.with(|state| state.region(kind).dtype)
}

/// Sets [`get_autocast_dtype`] for this thread: `torch.set_autocast_dtype(device_type, dtype)`.
///
/// ```
/// torch::set_autocast_dtype("cpu", torch::float16);
/// assert_eq!(torch::get_autocast_cpu_dtype(), torch::float16);
/// ```
///
/// # Panics
/// For a kind of device that there is not.
#[track_caller]
pub fn set_autocast_dtype(device_type: impl DeviceType, dtype: DType) {
    let kind = kind(&device_type);
    STATE.with(|state| state.set(kind, Region { dtype, ..state.region(kind) }));
}

/// Whether regions keep low-precision copies of parameters: `torch.is_autocast_cache_enabled()`.
///
/// ```
/// assert!(torch::is_autocast_cache_enabled());
/// ```
pub fn is_autocast_cache_enabled() -> bool {
    STATE.with(|state| state.cache_enabled.get())
}

/// Sets [`is_autocast_cache_enabled`] for this thread: `torch.set_autocast_cache_enabled(enabled)`.
///
/// ```
/// torch::set_autocast_cache_enabled(false);
/// assert!(!torch::is_autocast_cache_enabled());
/// ```
pub fn set_autocast_cache_enabled(enabled: bool) {
    STATE.with(|state| state.cache_enabled.set(enabled));
}

/// Forgets the low-precision copies of parameters: `torch.clear_autocast_cache()`. The end of the outermost region does so too; a
/// program that writes to parameters inside of a region calls it itself.
///
/// ```
/// torch::clear_autocast_cache();
/// ```
pub fn clear_autocast_cache() {
    // What is dropped may run a user's hooks: not while the cache is borrowed.
    let cache = STATE.with(|state| state.cache.take());
    drop(cache);
}

/// Enters a region by hand, and says how many this thread is in: `torch.autocast_increment_nesting()`.
///
/// ```
/// assert_eq!(torch::autocast_increment_nesting(), 1);
/// assert_eq!(torch::autocast_decrement_nesting(), 0);
/// ```
pub fn autocast_increment_nesting() -> u32 {
    STATE.with(|state| {
        state.nesting.set(state.nesting.get() + 1);
        state.nesting.get()
    })
}

/// Leaves a region by hand, and says how many this thread is in: `torch.autocast_decrement_nesting()`.
///
/// ```
/// torch::autocast_increment_nesting();
/// assert_eq!(torch::autocast_decrement_nesting(), 0);
/// ```
pub fn autocast_decrement_nesting() -> u32 {
    STATE.with(|state| {
        state.nesting.set(state.nesting.get().saturating_sub(1));
        state.nesting.get()
    })
}

/// [`get_autocast_dtype`] of GPUs, under PyTorch's older name: `torch.get_autocast_gpu_dtype()`.
///
/// ```
/// assert_eq!(torch::get_autocast_gpu_dtype(), torch::float16);
/// ```
pub fn get_autocast_gpu_dtype() -> DType {
    get_autocast_dtype(Device::Wgpu(0))
}

/// [`set_autocast_dtype`] of GPUs, under PyTorch's older name: `torch.set_autocast_gpu_dtype(dtype)`.
///
/// ```
/// torch::set_autocast_gpu_dtype(torch::bfloat16);
/// assert_eq!(torch::get_autocast_dtype("cuda"), torch::bfloat16);
/// ```
pub fn set_autocast_gpu_dtype(dtype: DType) {
    set_autocast_dtype(Device::Wgpu(0), dtype);
}

/// [`get_autocast_dtype`] of the CPU, under PyTorch's older name: `torch.get_autocast_cpu_dtype()`.
///
/// ```
/// assert_eq!(torch::get_autocast_cpu_dtype(), torch::bfloat16);
/// ```
pub fn get_autocast_cpu_dtype() -> DType {
    get_autocast_dtype(Device::Cpu)
}

/// [`set_autocast_dtype`] of the CPU, under PyTorch's older name: `torch.set_autocast_cpu_dtype(dtype)`.
///
/// ```
/// torch::set_autocast_cpu_dtype(torch::float16);
/// assert_eq!(torch::get_autocast_dtype("cpu"), torch::float16);
/// ```
pub fn set_autocast_cpu_dtype(dtype: DType) {
    set_autocast_dtype(Device::Cpu, dtype);
}

/// [`is_autocast_enabled`] of the CPU, under PyTorch's older name: `torch.is_autocast_cpu_enabled()`.
///
/// ```
/// assert!(!torch::is_autocast_cpu_enabled());
/// ```
pub fn is_autocast_cpu_enabled() -> bool {
    is_autocast_enabled(Device::Cpu)
}

/// [`set_autocast_enabled`] of the CPU, under PyTorch's older name: `torch.set_autocast_cpu_enabled(enabled)`.
///
/// ```
/// torch::set_autocast_cpu_enabled(true);
/// assert!(torch::is_autocast_cpu_enabled());
/// torch::set_autocast_cpu_enabled(false);
/// ```
pub fn set_autocast_cpu_enabled(enabled: bool) {
    set_autocast_enabled(Device::Cpu, enabled);
}
