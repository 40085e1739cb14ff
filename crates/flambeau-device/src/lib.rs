//! Maps device names to backends for flambeau.
//!
//! The only crate that names backends: the CPU's always, a GPU's behind its feature. Everything above asks here for the
//! backend of a [`Device`], the default device, and each device's default random generator.

use flambeau_cpu::CPU;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{Backend, Device, Error, Result};
use std::cell::Cell;
use std::sync::LazyLock;

/// The backend of a device.
///
/// # Errors
/// When this build or this machine has no such device.
#[inline]
pub fn backend(device: Device) -> Result<&'static dyn Backend> {
    match device {
        Device::Cpu => Ok(&CPU),
        Device::Wgpu(_) => {
            Err(Error::Device(format!("{device}: this build of flambeau has no GPU backend; use the device \"cpu\"")))
        }
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
    static CPU_GENERATOR: LazyLock<Generator> = LazyLock::new(Generator::new);
    backend(device)?;
    Ok(&CPU_GENERATOR)
}

/// Seeds the default generator of every device: `torch.manual_seed`.
pub fn manual_seed(seed: u64) {
    default_generator(Device::Cpu).expect("every build has a CPU").manual_seed(seed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_says_what_to_do() {
        assert!(backend(Device::Cpu).is_ok());
        let error = backend(Device::Wgpu(1)).unwrap_err().to_string();
        assert_eq!(error, "wgpu:1: this build of flambeau has no GPU backend; use the device \"cpu\"");
        assert!(set_default_device(Device::Wgpu(0)).is_err());
        assert_eq!(default_device(), Device::Cpu);
    }
}
