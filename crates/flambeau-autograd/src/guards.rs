//! Looking at a tensor's memory from Rust.

use crate::{Error, Result, Tensor};
use flambeau_tensor::access::Guard;
use flambeau_tensor::{Array, DType, Element};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

/// A tensor's elements as a slice, without a copy. While it lives, operations that write to the memory fail and name the
/// line that took it.
pub struct SliceGuard<'a, T> {
    array: Array,
    _guard: Guard,
    _element: PhantomData<&'a T>,
}

/// A tensor's elements as a mutable slice, without a copy. While it lives, every other operation on the memory fails and
/// names the line that took it.
pub struct SliceGuardMut<'a, T> {
    array: Array,
    _guard: Guard,
    _element: PhantomData<&'a mut T>,
}

fn check<T: Element>(tensor: &Tensor) -> Result<Array> {
    let array = tensor.array().clone();
    if !array.device().is_host() {
        return Err(Error::type_error(format!(
            "can't convert {} device type tensor to a slice. Use tensor.to(\"cpu\") to copy the tensor to host memory first.",
            array.device()
        )));
    }
    if array.dtype() != T::DTYPE {
        return Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            T::DTYPE.scalar_type_name(),
            array.dtype().scalar_type_name()
        )));
    }
    if !array.is_contiguous() {
        return Err(Error::runtime("a slice needs a contiguous tensor; call .contiguous() first"));
    }
    // Memory of an ndarray or of a wider type's view may lie anywhere; ours is aligned.
    if !array.host_ptr().cast::<T>().is_aligned() {
        return Err(Error::runtime("the tensor's memory is not aligned for its element type; copy it first"));
    }
    Ok(array)
}

/// The bytes of an array of truth values that [`check`] has seen, for as long as its guard is held.
fn bytes<'a>(array: &'a Array, _guard: &'a Guard) -> &'a [u8] {
    // SAFETY: the array is dense in host memory, which it keeps alive; the guard keeps writers out.
    unsafe { std::slice::from_raw_parts(array.host_ptr(), array.numel()) }
}

/// Makes 0 and 1 of an array's bytes; `_guard` is one for writing.
fn normalize(array: &Array, _guard: &mut Guard) {
    // SAFETY: as in `bytes`; the guard keeps everybody else out.
    let bytes = unsafe { std::slice::from_raw_parts_mut(array.host_ptr(), array.numel()) };
    bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
}

/// The elements of a contiguous tensor in host memory.
#[track_caller]
pub(crate) fn slice<T: Element>(tensor: &Tensor) -> Result<SliceGuard<'_, T>> {
    let array = check::<T>(tensor)?;
    let mut guard = Guard::acquire(array.storage(), false)?;
    while T::DTYPE == DType::Bool && bytes(&array, &guard).iter().any(|&b| b > 1) {
        // Memory that nobody has written to as truth values may hold other bytes; they count as true.
        drop(guard);
        normalize(&array, &mut Guard::acquire(array.storage(), true)?);
        guard = Guard::acquire(array.storage(), false)?;
    }
    Ok(SliceGuard { array, _guard: guard, _element: PhantomData })
}

/// The elements of a contiguous tensor in host memory, to be changed; counts as one in-place write.
#[track_caller]
pub(crate) fn slice_mut<T: Element>(tensor: &Tensor) -> Result<SliceGuardMut<'_, T>> {
    if crate::graph::recording(&[tensor]) {
        crate::views::check_in_place(tensor)?;
    }
    let array = check::<T>(tensor)?;
    let mut guard = Guard::acquire(array.storage(), true)?;
    if T::DTYPE == DType::Bool {
        normalize(&array, &mut guard);
    }
    array.storage().bump_version(Location::caller());
    Ok(SliceGuardMut { array, _guard: guard, _element: PhantomData })
}

impl<T: Element> Deref for SliceGuard<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `check` saw a dense, aligned array of `T` in host memory, which the array keeps alive; the guard keeps
        // writers out. An empty array may have any pointer that is not null and aligned, as here.
        unsafe { std::slice::from_raw_parts(self.array.host_ptr().cast(), self.array.numel()) }
    }
}

impl<T: Element> Deref for SliceGuardMut<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: as for `SliceGuard`; this guard keeps everybody else out.
        unsafe { std::slice::from_raw_parts(self.array.host_ptr().cast(), self.array.numel()) }
    }
}

impl<T: Element> DerefMut for SliceGuardMut<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `SliceGuard`; this guard keeps everybody else out, and `&mut self` makes the slice unique.
        unsafe { std::slice::from_raw_parts_mut(self.array.host_ptr().cast(), self.array.numel()) }
    }
}

impl Tensor {
    /// The elements as a slice, without a copy, for as long as the guard lives.
    ///
    /// # Panics
    /// When `T` is not the dtype, or the tensor is not contiguous or not in host memory.
    #[track_caller]
    pub fn as_slice<T: Element>(&self) -> SliceGuard<'_, T> {
        use crate::OrPanic;
        slice(self).or_panic()
    }

    /// The elements as a mutable slice, without a copy, for as long as the guard lives.
    ///
    /// # Panics
    /// As [`Tensor::as_slice`], and on a leaf that requires grad outside `no_grad`.
    #[track_caller]
    pub fn as_slice_mut<T: Element>(&self) -> SliceGuardMut<'_, T> {
        use crate::OrPanic;
        slice_mut(self).or_panic()
    }
}
