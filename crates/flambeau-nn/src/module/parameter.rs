//! What modules hold besides modules: parameters and buffers.

use flambeau_autograd::{AsTensor, Tensor};
use std::fmt;
use std::ops::Deref;

/// A tensor that a module learns: `nn.Parameter`. `clone()` is the tensor's copy, as in Python; one parameter in two places, as
/// tied weights are, is [`Parameter::share`].
pub struct Parameter(Tensor);

impl Parameter {
    /// A parameter over the memory of `data`, which requires grad: `nn.Parameter(data)`.
    ///
    /// # Panics
    /// When the dtype has no gradients.
    #[track_caller]
    pub fn new(data: &Tensor) -> Self {
        Self::with_requires_grad(data, true)
    }

    /// A parameter that may be frozen: `nn.Parameter(data, requires_grad)`.
    ///
    /// # Panics
    /// When a gradient is asked for and the dtype has none.
    #[track_caller]
    pub fn with_requires_grad(data: &Tensor, requires_grad: bool) -> Self {
        assert!(
            !requires_grad || data.is_floating_point(),
            "Only Tensors of floating point and complex dtype can require gradients"
        );
        Parameter(data.detach().into_parameter(requires_grad))
    }

    /// The same parameter once more: Python's `decoder.weight = encoder.weight`.
    ///
    /// ```
    /// use flambeau_nn::Parameter;
    /// let weight = Parameter::new(&flambeau_autograd::zeros([2]));
    /// assert!(weight.share().is_same(&weight) && !weight.clone().is_same(&weight));
    /// ```
    #[must_use]
    pub fn share(&self) -> Self {
        Parameter(self.0.shallow_clone())
    }

    /// The parameter as the tensor that it is.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

/// A tensor of a module's state that is not learned, such as a running mean: `module.register_buffer(name, tensor)`.
pub struct Buffer {
    tensor: Tensor,
    persistent: bool,
}

impl Buffer {
    /// A buffer that state dicts hold.
    pub fn new(tensor: &Tensor) -> Self {
        Buffer { tensor: tensor.shallow_clone(), persistent: true }
    }

    /// A buffer that state dicts leave out: `register_buffer(name, tensor, persistent=False)`.
    pub fn non_persistent(tensor: &Tensor) -> Self {
        Buffer { tensor: tensor.shallow_clone(), persistent: false }
    }

    /// The same buffer once more.
    #[must_use]
    pub fn share(&self) -> Self {
        Buffer { tensor: self.tensor.shallow_clone(), persistent: self.persistent }
    }

    /// Whether state dicts hold it.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }
}

impl Deref for Parameter {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

impl Deref for Buffer {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.tensor
    }
}

impl From<&Parameter> for Tensor {
    /// A handle of the parameter's tensor.
    fn from(parameter: &Parameter) -> Self {
        parameter.as_tensor().shallow_clone()
    }
}

impl AsTensor for Parameter {
    #[inline]
    fn as_tensor(&self) -> &Tensor {
        &self.0
    }
}

impl AsTensor for Buffer {
    #[inline]
    fn as_tensor(&self) -> &Tensor {
        &self.tensor
    }
}

impl fmt::Display for Parameter {
    /// `Parameter containing:` and the tensor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.tensor, f)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
