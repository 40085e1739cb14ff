//! Tensors from and to `ndarray` arrays over the same memory: what `torch.from_numpy` and `Tensor.numpy()` are in Python.

use crate::{OrPanic, Result, SliceGuard, SliceGuardMut, Tensor};
use flambeau_tensor::{Array, Element, HostBlock, Storage};
use ndarray::{ArrayView, ArrayViewMut, Dimension, IxDyn, OwnedRepr};
use std::ptr::NonNull;

/// A tensor over an array's own memory, which it takes over without a copy: `torch.from_numpy(a)`.
///
/// Arrays with negative strides are copied to row-major order, since a tensor has none.
///
/// ```
/// let a = ndarray::array![[1.0, 2.0], [3.0, 4.0]];
/// let address = a.as_ptr() as usize;
/// let b = flambeau_autograd::from_ndarray(a);
/// assert_eq!(b.data_ptr(), address);
/// b.mul_(2);
/// assert_eq!(b.ndarray::<f64>().view()[[1, 1]], 8.0);
/// ```
#[track_caller]
pub fn from_ndarray<T: Element, D: Dimension>(array: ndarray::Array<T, D>) -> Tensor {
    take(array.into_dyn()).or_panic()
}

fn take<T: Element>(array: ndarray::ArrayBase<OwnedRepr<T>, IxDyn>) -> Result<Tensor> {
    let array = if array.strides().iter().any(|&s| s < 0) { array.as_standard_layout().into_owned() } else { array };
    let shape: Vec<usize> = array.shape().to_vec();
    let strides: Vec<usize> = array.strides().iter().map(|&s| s as usize).collect();
    let (mut data, offset) = array.into_raw_vec_and_offset();
    let bytes = size_of_val(&data[..]);
    let ptr = NonNull::new(data.as_mut_ptr().cast::<u8>()).expect("a vector's pointer is not null");
    // SAFETY: the vector moves into the block, which keeps its heap memory alive and where it is; nobody else has it, and
    // all of its `len` elements are initialised.
    let block = unsafe { HostBlock::from_owner(ptr, bytes, Box::new(data)) };
    let storage = Storage::host(flambeau_device::backend(flambeau_tensor::Device::Cpu)?, block);
    let array = Array::from_parts(storage, T::DTYPE, shape.into(), strides.into(), offset.unwrap_or(0))?;
    Ok(array.into())
}

/// A tensor's memory as an `ndarray` view, for as long as the guard lives. [`Tensor::ndarray`] makes it.
pub struct NdarrayGuard<'a, T: Element> {
    slice: SliceGuard<'a, T>,
    shape: Vec<usize>,
}

/// A tensor's memory as a mutable `ndarray` view, for as long as the guard lives. [`Tensor::ndarray_mut`] makes it.
pub struct NdarrayGuardMut<'a, T: Element> {
    slice: SliceGuardMut<'a, T>,
    shape: Vec<usize>,
}

const DENSE: &str = "a slice guard is dense and has the tensor's number of elements";

impl<T: Element> NdarrayGuard<'_, T> {
    /// The view.
    pub fn view(&self) -> ArrayView<'_, T, IxDyn> {
        ArrayView::from_shape(self.shape.clone(), &self.slice).expect(DENSE)
    }
}

impl<T: Element> NdarrayGuardMut<'_, T> {
    /// The view.
    pub fn view(&self) -> ArrayView<'_, T, IxDyn> {
        ArrayView::from_shape(self.shape.clone(), &self.slice).expect(DENSE)
    }

    /// The view, to write through.
    pub fn view_mut(&mut self) -> ArrayViewMut<'_, T, IxDyn> {
        ArrayViewMut::from_shape(self.shape.clone(), &mut self.slice).expect(DENSE)
    }
}

/// `ndarray` views.
impl Tensor {
    /// The tensor's memory as an `ndarray` view, without a copy: `b.numpy()`. While the guard lives, operations that write
    /// to the memory fail and name the line that took it.
    ///
    /// # Panics
    /// When `T` is not the dtype, or the tensor is not contiguous or not in host memory.
    #[track_caller]
    pub fn ndarray<T: Element>(&self) -> NdarrayGuard<'_, T> {
        NdarrayGuard { slice: self.as_slice(), shape: self.size().to_vec() }
    }

    /// The tensor's memory as a mutable `ndarray` view, without a copy. While the guard lives, every other operation on
    /// the memory fails and names the line that took it.
    ///
    /// # Panics
    /// As [`Tensor::ndarray`].
    #[track_caller]
    pub fn ndarray_mut<T: Element>(&self) -> NdarrayGuardMut<'_, T> {
        NdarrayGuardMut { slice: self.as_slice_mut(), shape: self.size().to_vec() }
    }
}
