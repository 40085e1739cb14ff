//! What modules hold besides modules: parameters and buffers.

use super::Carrier;
use super::derived::Slot;
use flambeau_autograd::ops::IntoShape;
use flambeau_autograd::{AsTensor, Tensor, options};
use std::fmt;
use std::ops::Deref;

/// A tensor that a module learns: `nn.Parameter`. It is no `Clone`: `parameter.clone()` is the tensor's, as in Python, and a
/// second owner of the same parameter is an explicit [`Parameter::share`].
pub struct Parameter {
    tensor: Tensor,
    carrier: Carrier,
    slot: Slot,
}

impl Parameter {
    /// A parameter over the memory of `data`, which requires grad: `nn.Parameter(data)`.
    ///
    /// # Panics
    /// When the dtype has no gradients.
    #[track_caller]
    pub fn new(data: impl AsTensor) -> Self {
        Self::with_requires_grad(data, true)
    }

    /// A parameter that may be frozen: `nn.Parameter(data, requires_grad)`.
    ///
    /// # Panics
    /// When a gradient is asked for and the dtype has none.
    #[track_caller]
    pub fn with_requires_grad(data: impl AsTensor, requires_grad: bool) -> Self {
        let data = data.as_tensor();
        assert!(
            !requires_grad || data.is_floating_point(),
            "Only Tensors of floating point and complex dtype can require gradients"
        );
        Self::over(data.detach().into_parameter(requires_grad))
    }

    /// The same parameter for a second place, which ties weights: `self.head.weight = self.embedding.weight`. It is listed once
    /// in `parameters()` and learns from both places.
    ///
    /// ```
    /// use flambeau_nn as nn;
    /// let embedding = nn::Embedding::new(10, 4);
    /// let mut head = nn::Linear::with(4, 10, |o| o.bias(false));
    /// head.weight = embedding.weight.share();
    /// assert!(head.weight.is_same(&embedding.weight));
    /// ```
    ///
    /// # Panics
    /// When the parameter is parametrized or pruned, so that its value is computed and is no parameter.
    #[track_caller]
    #[must_use]
    pub fn share(&self) -> Self {
        assert!(
            self.slot.derived().is_none(),
            "a parametrized or pruned tensor is computed and cannot be shared as a parameter: share its originals"
        );
        Self::over(self.tensor.shallow_clone())
    }

    /// Gives a parameter without a shape, [`UninitializedParameter`](super::UninitializedParameter), zeros of this one:
    /// `parameter.materialize(shape)`. It stays the same tensor, of its dtype and device, so an optimizer that holds it learns it.
    ///
    /// # Panics
    /// When it has a shape already.
    #[track_caller]
    pub fn materialize(&self, shape: impl IntoShape) {
        materialize(self, shape, "Parameter");
    }

    /// The parameter as the tensor that it is.
    pub fn tensor(&self) -> &Tensor {
        self.as_tensor()
    }

    pub(super) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// What is a parameter already.
    pub(super) fn over(tensor: Tensor) -> Self {
        Parameter { tensor, carrier: Carrier::new(), slot: Slot::new() }
    }

    pub(super) fn moved_to(&self, tensor: Tensor, carrier: Carrier, slot: Slot) -> Self {
        Parameter { tensor, carrier, slot }
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The tensor that the parameter was made with, also while its value is computed.
    pub(crate) fn own(&self) -> &Tensor {
        &self.tensor
    }

    /// The same parameter for what its value is computed from.
    pub(crate) fn original(&self) -> Self {
        Self::over(self.tensor.shallow_clone())
    }
}

/// [`Parameter::share`] for what `parameters()` and `named_parameters()` list: they give parameters as tensors.
pub trait Share {
    /// The same parameter for a second place, which ties weights.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module, Share};
    /// let encoder = nn::Linear::with(4, 4, |o| o.bias(false));
    /// let mut decoder = nn::Linear::with(4, 4, |o| o.bias(false));
    /// decoder.weight = encoder.parameters()[0].share();
    /// assert!(decoder.weight.is_same(&encoder.weight));
    /// ```
    ///
    /// # Panics
    /// When the tensor is no parameter.
    #[track_caller]
    fn share(&self) -> Parameter;
}

impl Share for Tensor {
    #[track_caller]
    fn share(&self) -> Parameter {
        assert!(
            self.is_parameter(),
            "a tensor that is no parameter cannot be shared as one: nn::Parameter::new makes one"
        );
        Parameter::over(self.shallow_clone())
    }
}

/// A tensor of a module's state that is not learned, such as a running mean: `module.register_buffer(name, tensor)`. It is no
/// `Clone`, as [`Parameter`] is none.
pub struct Buffer {
    tensor: Tensor,
    persistent: bool,
    carrier: Carrier,
    slot: Slot,
}

options! {
    /// Options of [`Buffer::with`].
    #[derive(Clone, Debug)]
    BufferOptions {
        /// Whether state dicts hold it (true).
        persistent: bool = true,
    }
}

impl Buffer {
    /// A buffer that state dicts hold.
    pub fn new(tensor: impl AsTensor) -> Self {
        let tensor = tensor.as_tensor().shallow_clone();
        Buffer { tensor, persistent: true, carrier: Carrier::new(), slot: Slot::new() }
    }

    /// A buffer with options: `nn.Buffer(data, persistent=False)`.
    ///
    /// ```
    /// use flambeau_nn::Buffer;
    /// let cache = Buffer::with(flambeau_autograd::ones([2]), |o| o.persistent(false));
    /// assert!(!cache.is_persistent());
    /// ```
    pub fn with(tensor: impl AsTensor, options: impl FnOnce(BufferOptions) -> BufferOptions) -> Self {
        let BufferOptions { persistent } = options(BufferOptions::default());
        Buffer { persistent, ..Buffer::new(tensor) }
    }

    /// A buffer that state dicts leave out: `register_buffer(name, tensor, persistent=False)`.
    pub fn non_persistent(tensor: impl AsTensor) -> Self {
        Buffer { persistent: false, ..Buffer::new(tensor) }
    }

    /// The same buffer for a second place.
    #[must_use]
    pub fn share(&self) -> Self {
        self.moved_to(self.as_tensor().shallow_clone(), Carrier::new(), Slot::new())
    }

    /// Gives a buffer without a shape, [`UninitializedBuffer`](super::UninitializedBuffer), zeros of this one:
    /// `buffer.materialize(shape)`.
    ///
    /// # Panics
    /// When it has a shape already.
    #[track_caller]
    pub fn materialize(&self, shape: impl IntoShape) {
        materialize(self, shape, "Tensor");
    }

    /// Whether state dicts hold it.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// The buffer as the tensor that it is.
    pub fn tensor(&self) -> &Tensor {
        self.as_tensor()
    }

    pub(super) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    pub(super) fn moved_to(&self, tensor: Tensor, carrier: Carrier, slot: Slot) -> Self {
        Buffer { tensor, persistent: self.persistent, carrier, slot }
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The tensor that the buffer was made with, also while its value is computed.
    pub(crate) fn own(&self) -> &Tensor {
        &self.tensor
    }

    /// The same buffer for what its value is computed from.
    pub(crate) fn original(&self) -> Self {
        self.moved_to(self.tensor.shallow_clone(), Carrier::new(), Slot::new())
    }
}

#[track_caller]
fn materialize(tensor: &Tensor, shape: impl IntoShape, class: &str) {
    assert!(tensor.is_uninitialized(), "'{class}' object has no attribute 'materialize'");
    let shape = shape.into_dims();
    assert!(shape.iter().all(|&n| n >= 0), "Trying to create tensor with negative dimension: {shape:?}");
    tensor.materialize(&shape.iter().map(|&n| n as usize).collect::<Vec<_>>());
}

impl Deref for Parameter {
    type Target = Tensor;
    #[inline]
    fn deref(&self) -> &Tensor {
        self.as_tensor()
    }
}

impl Deref for Buffer {
    type Target = Tensor;
    #[inline]
    fn deref(&self) -> &Tensor {
        self.as_tensor()
    }
}

impl From<&Parameter> for Tensor {
    /// A handle of the parameter's tensor.
    fn from(parameter: &Parameter) -> Self {
        parameter.as_tensor().shallow_clone()
    }
}

impl From<Parameter> for Tensor {
    /// The parameter's tensor.
    fn from(parameter: Parameter) -> Self {
        parameter.as_tensor().shallow_clone()
    }
}

impl AsTensor for Parameter {
    #[inline]
    fn as_tensor(&self) -> &Tensor {
        self.slot.value().unwrap_or(&self.tensor)
    }
}

impl AsTensor for Buffer {
    #[inline]
    fn as_tensor(&self) -> &Tensor {
        self.slot.value().unwrap_or(&self.tensor)
    }
}

impl fmt::Display for Parameter {
    /// `Parameter containing:` and the tensor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_tensor(), f)
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_tensor(), f)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
