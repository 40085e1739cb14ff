//! The tensor that users hold.

use crate::graph::{Edge, Meta};
use flambeau_tensor::{Array, DType, Device};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// An n-dimensional array with a gradient: `torch.Tensor`. `clone()` copies, as PyTorch's does; a second handle of the same
/// tensor, as two Python names of one object are, is [`Tensor::shallow_clone`].
pub struct Tensor(pub(crate) Arc<Cell>);

pub(crate) struct Cell {
    array: Array,
    /// Set once `resize_` or `set_data` has put another array in [`Meta`]'s slot.
    replaced: AtomicBool,
    meta: OnceLock<Box<Meta>>,
}

// Hooks and backward closures are called, never changed, so a panic in one leaves nothing behind.
impl std::panic::RefUnwindSafe for Cell {}

/// A borrowed array, or a counted one where it has been replaced.
pub enum ArrayRef<'a> {
    /// The array that the tensor was made with.
    Original(&'a Array),
    /// The one that replaced it.
    Replaced(Arc<Array>),
}

impl Deref for ArrayRef<'_> {
    type Target = Array;
    #[inline]
    fn deref(&self) -> &Array {
        match self {
            ArrayRef::Original(a) => a,
            ArrayRef::Replaced(a) => a,
        }
    }
}

impl From<Array> for Tensor {
    #[inline]
    fn from(array: Array) -> Self {
        Tensor(Arc::new(Cell { array, replaced: AtomicBool::new(false), meta: OnceLock::new() }))
    }
}

impl From<&Tensor> for Tensor {
    /// Another handle to the same tensor.
    #[inline]
    fn from(tensor: &Tensor) -> Self {
        tensor.shallow_clone()
    }
}

impl Tensor {
    /// Another handle of the same tensor: Python's `y = x`. Both have the same memory, gradient and history.
    ///
    /// ```
    /// let x = torch::zeros([2]);
    /// let (same, copy) = (x.shallow_clone(), x.clone());
    /// x.fill_(1);
    /// assert_eq!(same.to_vec::<f32>(), [1.0, 1.0]);
    /// assert_eq!(copy.to_vec::<f32>(), [0.0, 0.0]);
    /// ```
    #[inline]
    pub fn shallow_clone(&self) -> Tensor {
        Tensor(Arc::clone(&self.0))
    }

    pub(crate) fn with_meta(array: Array, meta: Meta) -> Self {
        let slot = OnceLock::new();
        let _ = slot.set(Box::new(meta));
        Tensor(Arc::new(Cell { array, replaced: AtomicBool::new(false), meta: slot }))
    }

    /// The array without its gradient.
    #[inline]
    pub fn array(&self) -> ArrayRef<'_> {
        if !self.0.replaced.load(Ordering::Acquire) {
            return ArrayRef::Original(&self.0.array);
        }
        ArrayRef::Replaced(self.meta().replaced().expect("the flag is set after the slot"))
    }

    pub(crate) fn replace_array(&self, array: Array) {
        self.meta().replace(array);
        self.0.replaced.store(true, Ordering::Release);
    }

    /// The autograd state, made if there is none yet.
    #[inline]
    pub(crate) fn meta(&self) -> &Meta {
        self.0.meta.get_or_init(Box::default)
    }

    #[inline]
    pub(crate) fn meta_if_any(&self) -> Option<&Meta> {
        self.0.meta.get().map(|m| &**m)
    }

    /// Steps between neighbours along each dimension, in elements: `x.stride()`.
    pub fn stride(&self) -> Vec<usize> {
        self.array().strides().to_vec()
    }

    /// The first element's position in the storage: `x.storage_offset()`.
    pub fn storage_offset(&self) -> usize {
        self.array().offset()
    }

    /// The elements' type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.array().dtype()
    }

    /// The device that holds the elements.
    #[inline]
    pub fn device(&self) -> Device {
        self.array().device()
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.array().is_contiguous()
    }

    /// Whether both handles are the same tensor: Python's `is`.
    #[inline]
    pub fn is_same(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What tells the tensor from all others that exist: Python's `id(x)`.
    #[doc(hidden)]
    #[inline]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// How many writes the tensor's memory has seen: `x._version`.
    pub fn version(&self) -> u64 {
        self.array().storage().version()
    }

    /// The address of the first element in host memory: `x.data_ptr()`; 0 for device memory.
    pub fn data_ptr(&self) -> usize {
        let array = self.array();
        if array.numel() == 0 || !array.device().is_host() { 0 } else { array.host_ptr() as usize }
    }

    /// Where the gradient of this tensor goes: its function, or its accumulator if it is a leaf that requires grad.
    #[inline]
    pub(crate) fn edge(&self) -> Option<Edge> {
        self.meta_if_any().and_then(|m| m.edge(self))
    }
}

/// What PyTorch says of memory and of numbers that are all the same here.
impl Tensor {
    /// The tensor itself: host memory has one kind here. `x.pin_memory()`.
    ///
    /// ```
    /// let x = torch::zeros(2);
    /// assert!(x.pin_memory().is_same(&x) && !x.is_pinned());
    /// ```
    #[must_use]
    pub fn pin_memory(&self) -> Tensor {
        self.shallow_clone()
    }

    /// Always false: `x.is_pinned()`.
    pub fn is_pinned(&self) -> bool {
        false
    }

    /// The tensor itself: threads share all memory. `x.share_memory_()`.
    ///
    /// ```
    /// let x = torch::zeros(2);
    /// assert!(x.share_memory_().is_same(&x) && x.is_shared());
    /// ```
    pub fn share_memory_(&self) -> Tensor {
        self.shallow_clone()
    }

    /// Always true: `x.is_shared()`.
    pub fn is_shared(&self) -> bool {
        true
    }

    /// Whether the elements are still to be conjugated: never, since there are no complex numbers. `x.is_conj()`.
    pub fn is_conj(&self) -> bool {
        false
    }
}
