//! What a new tensor may be asked to be.

use crate::{OrPanic, options};
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device};

/// What names a device: a [`Device`], its name (`"cpu"`, `"wgpu:0"`), or `None` for the default one.
pub trait ToDevice {
    /// The device.
    ///
    /// # Panics
    /// When the name is none of a device.
    #[track_caller]
    fn to_device(self) -> Option<Device>;
}

impl ToDevice for Device {
    fn to_device(self) -> Option<Device> {
        Some(self)
    }
}

impl ToDevice for &Device {
    fn to_device(self) -> Option<Device> {
        Some(*self)
    }
}

impl ToDevice for Option<Device> {
    fn to_device(self) -> Option<Device> {
        self
    }
}

impl ToDevice for &str {
    #[track_caller]
    fn to_device(self) -> Option<Device> {
        Some(self.parse::<Device>().or_panic())
    }
}

impl ToDevice for &String {
    #[track_caller]
    fn to_device(self) -> Option<Device> {
        self.as_str().to_device()
    }
}

/// What names a generator of random numbers: `&generator`, or `None` for the device's own.
pub trait ToGenerator {
    /// A handle of the generator.
    fn to_generator(self) -> Option<Generator>;
}

impl ToGenerator for &Generator {
    fn to_generator(self) -> Option<Generator> {
        Some(self.clone())
    }
}

impl ToGenerator for Option<&Generator> {
    fn to_generator(self) -> Option<Generator> {
        self.cloned()
    }
}

options! {
    /// Options of functions that make a tensor: `torch::zeros_with((2, 3), |o| o.dtype(torch::float64).requires_grad(true))`.
    ///
    /// ```
    /// let x = torch::zeros_with((2, 3), |o| o.dtype(torch::float64).device("cpu").requires_grad(true));
    /// assert_eq!((x.dtype(), x.requires_grad()), (torch::float64, true));
    /// let g = torch::Generator::new();
    /// let a = torch::randn_with(3, |o| o.generator(&g.manual_seed(1)));
    /// assert!(a.equal(&torch::randn_with(3, |o| o.generator(&g.manual_seed(1)))));
    /// ```
    #[derive(Clone, Debug)]
    TensorOptions {
        /// The elements' type (the function's own).
        dtype: Option<DType> = None,
        /// Whether gradients are collected for it (false).
        requires_grad: bool = false,
        /// Accepted as PyTorch's; host memory has no other kind here (false).
        pin_memory: bool = false,
        /// Where it lies (the default device; that of the tensor given, for `…_like` and `new_…`).
        device: Option<Device> = None,
        /// What random numbers come from (the device's generator).
        generator: Option<Generator> = None,
    }
}

/// An option before the value that a function has without it.
pub trait Preset<T> {
    /// The option's value, or else the function's own.
    fn preset(self, otherwise: T) -> T;
}

impl<T: Copy> Preset<T> for &Option<T> {
    fn preset(self, otherwise: T) -> T {
        self.unwrap_or(otherwise)
    }
}

impl<T: Copy> Preset<Option<T>> for &Option<T> {
    fn preset(self, otherwise: Option<T>) -> Option<T> {
        self.or(otherwise)
    }
}

impl<'a> Preset<Option<&'a Generator>> for &'a Option<Generator> {
    fn preset(self, otherwise: Option<&'a Generator>) -> Option<&'a Generator> {
        self.as_ref().or(otherwise)
    }
}
