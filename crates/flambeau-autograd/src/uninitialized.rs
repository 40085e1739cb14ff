//! Tensors whose shape is not known yet: `torch.nn.UninitializedParameter` and `UninitializedBuffer`.
//!
//! Such a tensor has an empty array, which tells its dtype and device, and a mark in its autograd state. As long as there is one
//! somewhere, the boundary that every operation passes looks for it among the inputs; without one it looks at nothing.

use crate::error::{Error, Result};
use crate::mode::{self, Input};
use crate::ops;
use crate::tensor::ArrayRef;
use crate::{OrPanic, Tensor};
use flambeau_tensor::{Array, DType, Device};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a tensor's shape is not known; counted as long as it is so.
#[derive(Default)]
pub(crate) struct Mark(AtomicBool);

impl Mark {
    fn set(&self) {
        self.0.store(true, Ordering::Release);
        mode::watch_uninitialized(true);
    }

    fn clear(&self) {
        if self.0.swap(false, Ordering::AcqRel) {
            mode::watch_uninitialized(false);
        }
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if *self.0.get_mut() {
            mode::watch_uninitialized(false);
        }
    }
}

/// What PyTorch says of an operation that gets such a tensor. `what` is how Python prints the function.
fn message(x: &Tensor, what: &str) -> String {
    let class = x.uninitialized_class();
    format!(
        "Attempted to use an uninitialized parameter in {what}. This error happens when you are using a `LazyModule` or \
         explicitly manipulating `torch.nn.parameter.{class}` objects. When using LazyModules Call `forward` with a dummy batch \
         to initialize the parameters before calling torch functions"
    )
}

/// How Python prints a method of tensors.
fn method(name: &str) -> String {
    format!("<method '{name}' of 'torch._C.TensorBase' objects>")
}

/// Refuses an operation whose inputs are not initialised.
pub(crate) fn check(name: &str, inputs: &[&dyn Input]) -> Result<()> {
    let mut found = Ok(());
    for input in inputs {
        input.each(&mut |x| {
            if found.is_ok() && x.is_uninitialized() {
                let what = if name == "linear" { "<built-in function linear>".to_owned() } else { method(name) };
                found = Err(Error::value(message(x, &what)));
            }
        });
    }
    found
}

impl Tensor {
    /// A leaf without a shape, which [`Tensor::materialize`] gives one. As a parameter it may require grad.
    #[doc(hidden)]
    #[track_caller]
    pub fn uninitialized(dtype: DType, device: Device, parameter: Option<bool>) -> Tensor {
        let x = Tensor::from(Tensor::placeholder(dtype, device));
        // In the slot, where a look costs tensors with a shape nothing.
        x.replace_array(x.array().clone());
        let x = match parameter {
            Some(requires_grad) => x.into_parameter(requires_grad),
            None => x,
        };
        x.meta().uninitialized.set();
        x
    }

    #[track_caller]
    fn placeholder(dtype: DType, device: Device) -> Array {
        ops::zeros(&[0], dtype, device).or_panic().array().clone()
    }

    /// Whether the tensor has no shape yet: `torch.nn.parameter.is_lazy(x)`.
    #[doc(hidden)]
    #[inline]
    pub fn is_uninitialized(&self) -> bool {
        matches!(self.array(), ArrayRef::Replaced(_)) && self.marked()
    }

    fn marked(&self) -> bool {
        self.meta_if_any().is_some_and(|m| m.uninitialized.is_set())
    }

    /// The name of its class in Python.
    #[doc(hidden)]
    pub fn uninitialized_class(&self) -> &'static str {
        if self.is_parameter() { "UninitializedParameter" } else { "UninitializedBuffer" }
    }

    /// Zeros of a shape for a tensor that had none; its dtype and device stay.
    #[doc(hidden)]
    #[track_caller]
    pub fn materialize(&self, shape: &[usize]) {
        let zeros = ops::zeros(shape, self.dtype(), self.device()).or_panic();
        self.set_data(&zeros);
        self.meta().uninitialized.clear();
    }

    /// Another dtype or device for a tensor without a shape: `convert` gets an empty tensor of its own.
    #[doc(hidden)]
    #[track_caller]
    pub fn convert_uninitialized(&self, convert: impl FnOnce(&Tensor) -> Tensor) {
        let converted = convert(&Tensor::from(Tensor::placeholder(self.dtype(), self.device())));
        self.replace_array(converted.array().clone());
    }

    /// Refuses a method of a tensor that has no shape. For [`ArrayRef::Replaced`] only.
    #[track_caller]
    pub(crate) fn refuse(&self, name: &str) {
        if self.marked() {
            panic!("{}", message(self, &method(name)));
        }
    }

    /// The message of [`Tensor::refuse`], where PyTorch puts it into another.
    #[doc(hidden)]
    pub fn uninitialized_message(&self, name: &str) -> String {
        message(self, &method(name))
    }

    /// What PyTorch says of the shape.
    #[doc(hidden)]
    pub fn uninitialized_shape_message() -> &'static str {
        "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when \
         trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before \
         accessing their attributes."
    }
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, mode, tensor};
    use flambeau_tensor::{DType, Device};

    #[test]
    fn operations_look_for_it_as_long_as_there_is_one() {
        let x = Tensor::uninitialized(DType::F32, Device::Cpu, Some(true));
        assert!(x.is_uninitialized() && x.requires_grad() && x.is_leaf() && mode::watched());
        let error = crate::ops::add(&tensor([1.0]), &x, 1).unwrap_err().to_string();
        assert!(error.starts_with("Attempted to use an uninitialized parameter in <method 'add'"), "{error}");
        assert!(crate::ops::zero_(&x).is_err() && crate::ops::cat(&[&tensor([1.0]), &x], 0).is_err());
        x.materialize(&[2, 3]);
        assert!(!x.is_uninitialized() && x.requires_grad());
        assert_eq!((x.size(), x.sum().item()), (crate::zeros([2, 3]).size(), 0.0));
    }

    #[test]
    #[should_panic(expected = "in <method 'numel' of 'torch._C.TensorBase' objects>")]
    fn it_has_no_number_of_elements() {
        Tensor::uninitialized(DType::F32, Device::Cpu, None).numel();
    }
}
