//! Maps device names to backends for flambeau.
//!
//! The only crate that names backends: the CPU's always, a GPU's behind its feature. Everything above asks here for the
//! backend of a [`Device`], the default device, and each device's default random generator.

use flambeau_cpu::CPU;
pub use flambeau_cpu::threads::{num_threads as get_num_threads, set_num_threads, set_own_num_threads};
use flambeau_tensor::random::Generator;
use flambeau_tensor::watch::Launch;
use flambeau_tensor::{Backend, Device, Result};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The backend of a device.
///
/// # Errors
/// When this build or this machine has no such device.
#[inline]
pub fn backend(device: Device) -> Result<&'static dyn Backend> {
    match device {
        Device::Cpu => Ok(&CPU),
        #[cfg(feature = "wgpu")]
        Device::Wgpu(_) => {
            flambeau_wgpu::open(device)?;
            Ok(&flambeau_wgpu::WGPU)
        }
        #[cfg(not(feature = "wgpu"))]
        Device::Wgpu(_) => Err(flambeau_tensor::Error::Device(format!(
            "{device}: this build of flambeau has no GPU backend; build it with the feature \"wgpu\" or use the device \"cpu\""
        ))),
    }
}

/// Tells whether this build and this machine have a device, without making anything on it.
///
/// # Errors
/// When they do not; the message says what to do.
pub fn check_device(device: Device) -> Result<()> {
    backend(device).map(|_| ())
}

thread_local! {
    static DEFAULT: Cell<Device> = const { Cell::new(Device::Cpu) };
}

/// Where new tensors go in this thread when nothing else is said: `torch.get_default_device()`.
#[inline]
pub fn default_device() -> Device {
    DEFAULT.get()
}

/// Sets [`default_device`] for this thread: `torch.set_default_device`.
///
/// # Errors
/// When this build or machine has no such device.
pub fn set_default_device(device: Device) -> Result<()> {
    backend(device)?;
    DEFAULT.set(device);
    Ok(())
}

/// The generator that random functions on a device use when none is given.
///
/// # Errors
/// When this build or machine has no such device.
pub fn default_generator(device: Device) -> Result<&'static Generator> {
    backend(device)?;
    Ok(generator(device))
}

/// The generators of the devices that were used so far, the CPU's first: those that [`default_generator`] gives.
pub fn default_generators() -> Vec<&'static Generator> {
    let generators = GPU_GENERATORS.lock().unwrap_or_else(PoisonError::into_inner);
    std::iter::once(generator(Device::Cpu)).chain(generators.values().copied()).collect()
}

/// The seed that GPUs' generators start from when they are first used.
static SEED: Mutex<Option<u64>> = Mutex::new(None);
static GPU_GENERATORS: Mutex<BTreeMap<usize, &'static Generator>> = Mutex::new(BTreeMap::new());

fn generator(device: Device) -> &'static Generator {
    static CPU_GENERATOR: LazyLock<Generator> = LazyLock::new(Generator::new);
    let Device::Wgpu(index) = device else { return &CPU_GENERATOR };
    let mut generators = GPU_GENERATORS.lock().unwrap_or_else(PoisonError::into_inner);
    generators.entry(index).or_insert_with(|| {
        let generator = Box::leak(Box::new(Generator::new()));
        if let Some(seed) = *SEED.lock().unwrap_or_else(PoisonError::into_inner) {
            generator.manual_seed(seed);
        }
        generator
    })
}

/// From now on notes each kernel that runs on a GPU that can tell the time.
pub fn start_timing() {
    #[cfg(feature = "wgpu")]
    flambeau_wgpu::start_timing();
}

/// Ends [`start_timing`], waits for the GPUs, and says what ran.
pub fn stop_timing() -> Vec<Launch> {
    #[cfg(feature = "wgpu")]
    return flambeau_wgpu::stop_timing();
    #[cfg(not(feature = "wgpu"))]
    Vec::new()
}

/// Seeds the default generator of every device: `torch.manual_seed`. A GPU that is used for the first time later starts from
/// the same seed.
pub fn manual_seed(seed: u64) {
    generator(Device::Cpu).manual_seed(seed);
    let generators = GPU_GENERATORS.lock().unwrap_or_else(PoisonError::into_inner);
    *SEED.lock().unwrap_or_else(PoisonError::into_inner) = Some(seed);
    generators.values().for_each(|g| {
        g.manual_seed(seed);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_says_what_to_do() {
        assert!(backend(Device::Cpu).is_ok());
        let error = backend(Device::Wgpu(99)).unwrap_err().to_string();
        let words = if cfg!(feature = "wgpu") { "no GPU adapter for wgpu:99. Found: " } else { "has no GPU backend" };
        assert!(error.contains(words), "{error}");
        assert!(set_default_device(Device::Wgpu(99)).is_err());
        assert_eq!(default_device(), Device::Cpu);
    }

    #[test]
    fn one_seed_for_every_device() {
        manual_seed(7);
        assert_eq!((generator(Device::Cpu).initial_seed(), generator(Device::Wgpu(0)).initial_seed()), (7, 7));
        manual_seed(8);
        assert_eq!((generator(Device::Wgpu(0)).initial_seed(), generator(Device::Wgpu(1)).initial_seed()), (8, 8));
    }
}
