//! A strided view of a storage.

use crate::calls::{Checked, CopyTo};
use crate::dims::{Dims, is_contiguous, numel};
use crate::{Backend, DType, Device, Element, Error, Result, Scalar, Storage, dims};

/// A strided view of a [`Storage`]: dtype, shape, strides and offset, the last two in elements. Clones share the memory.
/// Immutable itself; the memory behind it is not.
///
/// Every element lies within the storage, aligned, and their number fits an `isize`.
#[derive(Clone, Debug)]
pub struct Array {
    storage: Storage,
    dtype: DType,
    shape: Dims,
    strides: Dims,
    offset: usize,
}

impl Array {
    /// A view of `storage`.
    ///
    /// # Errors
    /// When an element would lie outside the storage.
    pub fn from_parts(storage: Storage, dtype: DType, shape: Dims, strides: Dims, offset: usize) -> Result<Self> {
        if shape.len() != strides.len() {
            return Err(Error::runtime("mismatch in length of strides and shape"));
        }
        let array = Array { storage, dtype, shape, strides, offset };
        let fits = |n: usize| n <= isize::MAX as usize;
        let end = array.end().and_then(|n| n.checked_mul(dtype.size())).filter(|&n| fits(n));
        let Some(bytes) = end.filter(|_| array.shape.iter().chain(&array.strides).all(|&n| fits(n)) && fits(offset))
        else {
            return Err(too_large(&array.shape, Some(&array.strides)));
        };
        dims::numel_of(&array.shape)?;
        if bytes > array.storage.nbytes() {
            return Err(Error::runtime(format!(
                "setStorage: sizes {:?}, strides {:?}, storage offset {offset}, and itemsize {} requiring a storage size of \
                 {bytes} are out of bounds for storage of size {}",
                array.shape.as_slice(),
                array.strides.as_slice(),
                dtype.size(),
                array.storage.nbytes()
            )));
        }
        if !array.storage.host_ptr().addr().is_multiple_of(dtype.size()) {
            return Err(Error::runtime(format!("the storage's memory is not aligned for elements of {dtype}")));
        }
        Ok(array)
    }

    /// How many elements the storage must have for this view: one past the last one's position, or zero without elements.
    pub fn required_elements(&self) -> usize {
        self.end().unwrap_or(0)
    }

    /// One past the last element's position; zero-size arrays use no memory.
    fn end(&self) -> Option<usize> {
        reach(&self.shape, &self.strides, self.offset)
    }

    /// The same memory in another shape, within bounds that the caller has checked.
    pub(crate) fn with_view(&self, shape: Dims, strides: Dims, offset: usize) -> Self {
        let view = Array { storage: self.storage.clone(), dtype: self.dtype, shape, strides, offset };
        debug_assert!(
            view.end().and_then(|n| n.checked_mul(view.dtype.size())).is_some_and(|n| n <= view.storage.nbytes())
        );
        view
    }

    /// Fresh row-major memory; what it holds is unspecified.
    ///
    /// # Errors
    /// When there is no such memory, or its size does not fit a number.
    pub fn empty(backend: &'static dyn Backend, device: Device, shape: &[usize], dtype: DType) -> Result<Self> {
        let strides = dims::row_major(shape).ok_or_else(|| match dims::numel_of(shape) {
            Ok(_) => Error::runtime("Stride calculation overflowed"),
            Err(_) => too_large(shape, None),
        })?;
        // The first stride times its length is the number of elements, if no length is zero.
        let elements = match shape.first() {
            None => Some(1),
            Some(_) if shape.contains(&0) => dims::numel_of(shape).ok(),
            Some(&n) => strides[0].checked_mul(n),
        };
        let nbytes = elements.and_then(|n| n.checked_mul(dtype.size()));
        let nbytes = nbytes.filter(|&n| n <= isize::MAX as usize).ok_or_else(|| too_large(shape, None))?;
        Self::fresh(backend, device, Dims::from_slice(shape), strides, dtype, nbytes)
    }

    /// Fresh memory with given strides; what it holds is unspecified.
    ///
    /// # Errors
    /// As [`Array::empty`], and when shape and strides differ in length.
    pub fn empty_strided(
        backend: &'static dyn Backend,
        device: Device,
        shape: &[usize],
        strides: &[usize],
        dtype: DType,
    ) -> Result<Self> {
        if shape.len() != strides.len() {
            return Err(Error::runtime(format!(
                "mismatch in length of strides and shape: sizes={shape:?} and strides={strides:?}"
            )));
        }
        let overflow = || too_large(shape, Some(strides));
        let elements = reach(shape, strides, 0).ok_or_else(overflow)?;
        let nbytes = elements.checked_mul(dtype.size()).filter(|&n| n <= isize::MAX as usize).ok_or_else(overflow)?;
        if dims::numel_of(shape).is_err() || strides.iter().any(|&s| s > isize::MAX as usize) {
            return Err(overflow());
        }
        // `from_slice` copies the memory; `into` would go element by element.
        Self::fresh(backend, device, Dims::from_slice(shape), Dims::from_slice(strides), dtype, nbytes)
    }

    /// As [`Array::empty_strided`], for strides without gaps or overlaps: their reach bounds the number of elements.
    pub(crate) fn empty_gapless(
        backend: &'static dyn Backend,
        device: Device,
        shape: &[usize],
        strides: &[usize],
        dtype: DType,
    ) -> Result<Self> {
        let nbytes = reach(shape, strides, 0).and_then(|n| n.checked_mul(dtype.size()));
        let nbytes = nbytes.filter(|&n| n <= isize::MAX as usize).ok_or_else(|| too_large(shape, None))?;
        Self::fresh(backend, device, Dims::from_slice(shape), Dims::from_slice(strides), dtype, nbytes)
    }

    #[inline]
    fn fresh(
        backend: &'static dyn Backend,
        device: Device,
        shape: Dims,
        strides: Dims,
        dtype: DType,
        nbytes: usize,
    ) -> Result<Self> {
        if !device.is_host() {
            backend.supports(device, dtype)?;
        }
        let storage = backend.alloc(device, nbytes, dtype)?;
        Ok(Array { storage, dtype, shape, strides, offset: 0 })
    }

    /// Copies a slice in row-major order.
    pub fn from_slice<T: Element>(
        backend: &'static dyn Backend,
        device: Device,
        data: &[T],
        shape: &[usize],
    ) -> Result<Self> {
        if dims::numel_of(shape).ok() != Some(data.len()) {
            return Err(Error::InvalidShape { shape: format!("{shape:?}"), numel: data.len() });
        }
        let out = Self::empty(backend, device, shape, T::DTYPE)?;
        // SAFETY: an `Element` has no padding, so each of its bytes is initialised.
        let bytes = unsafe { std::slice::from_raw_parts(data.as_ptr().cast::<u8>(), size_of_val(data)) };
        backend.upload(bytes, &out)?;
        Ok(out)
    }

    /// An array filled with one value.
    pub fn full(
        backend: &'static dyn Backend,
        device: Device,
        shape: &[usize],
        dtype: DType,
        value: Scalar,
    ) -> Result<Self> {
        let out = Self::empty(backend, device, shape, dtype)?;
        crate::ops::fill(&out, value)?;
        Ok(out)
    }

    /// The memory.
    #[inline]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The elements' type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device that holds the memory.
    #[inline]
    pub fn device(&self) -> Device {
        self.storage.device_name()
    }

    /// The backend that computes on the memory.
    #[inline]
    pub fn backend(&self) -> &'static dyn Backend {
        self.storage.backend()
    }

    /// The lengths.
    #[inline]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Steps between neighbours along each dimension, in elements.
    #[inline]
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// The first element's position in the storage, in elements.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// How many dimensions.
    #[inline]
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// How many elements.
    #[inline]
    pub fn numel(&self) -> usize {
        numel(&self.shape)
    }

    /// Whether the elements lie in row-major order without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        is_contiguous(&self.shape, &self.strides)
    }

    /// The same elements through a handle that counts its own writes: see [`Storage::with_own_version`].
    pub fn with_own_version(&self, version: u64) -> Self {
        Array { storage: self.storage.with_own_version(version), ..self.clone() }
    }

    /// Whether the elements fill one block without gaps, in some order of the dimensions.
    pub fn is_dense(&self) -> bool {
        if self.is_contiguous() {
            return true;
        }
        let mut dims: Dims = (0..self.ndim()).filter(|&d| self.shape[d] != 1).collect();
        dims.sort_unstable_by_key(|&d| self.strides[d]);
        let mut expected = 1usize;
        dims.iter().all(|&d| {
            let fits = self.strides[d] == expected;
            expected = expected.wrapping_mul(self.shape[d]);
            fits
        })
    }

    /// Whether no two elements share memory: some order of the dimensions nests without overlap.
    pub fn is_non_overlapping(&self) -> bool {
        let mut dims: Vec<(usize, usize)> =
            self.strides.iter().copied().zip(self.shape.iter().copied()).filter(|&(_, n)| n != 1).collect();
        dims.sort_unstable();
        let mut reach = 0;
        self.numel() == 0
            || dims.iter().all(|&(s, n)| {
                let free = s > reach;
                reach += s * (n - 1);
                free
            })
    }

    /// Whether both are the same elements at the same places.
    pub fn same_view(&self, other: &Array) -> bool {
        self.storage.ptr_eq(&other.storage)
            && self.offset == other.offset
            && self.shape == other.shape
            && self.strides == other.strides
            && self.dtype == other.dtype
    }

    /// Whether both may share bytes (exact for views that are each one block, and for columns of one matrix, else by their first and
    /// last byte).
    pub fn may_overlap(&self, other: &Array) -> bool {
        if !self.storage.ptr_eq(&other.storage) || self.beside_in_rows(other) {
            return false;
        }
        let span = |a: &Array| {
            let size = a.dtype.size();
            (a.offset.saturating_mul(size), a.end().unwrap_or(0) * size)
        };
        let ((a, a_end), (b, b_end)) = (span(self), span(other));
        a < b_end && b < a_end
    }

    /// Whether both are columns of one matrix that lie side by side: rows of the same distance, in which neither reaches the other.
    fn beside_in_rows(&self, other: &Array) -> bool {
        let ([_, n], [row, 1], [other_row, 1]) = (&self.shape[..], &self.strides[..], &other.strides[..]) else {
            return false;
        };
        let apart = row == other_row && self.dtype == other.dtype && other.shape.len() == 2;
        if !apart || *row == 0 {
            return false;
        }
        let (a, b) = (self.offset % row, other.offset % row);
        let (ends_a, ends_b) = (a + n, b + other.shape[1]);
        ends_a <= *row && ends_b <= *row && (ends_a <= b || ends_b <= a)
    }

    /// The address of the first element in host memory. [`Storage::host_ptr`] and the array's offset.
    #[inline]
    pub fn host_ptr(&self) -> *mut u8 {
        // An array without elements may have any offset.
        self.storage.host_ptr().wrapping_add(self.offset.wrapping_mul(self.dtype.size()))
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// When `T` is not the array's dtype.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if self.dtype != T::DTYPE {
            return Err(Error::runtime(format!(
                "expected scalar type {} but found {}",
                T::DTYPE.scalar_type_name(),
                self.dtype.scalar_type_name()
            )));
        }
        let dense = self.contiguous()?;
        let mut data = Vec::<T>::with_capacity(self.numel());
        let nbytes = self.numel() * size_of::<T>();
        let ptr = data.as_mut_ptr().cast::<u8>();
        // SAFETY: the vector has room for these bytes, which are initialised before they are a slice. Every byte pattern is an
        // `Element` but for bool, whose bytes become 0 and 1: memory that nobody has written to may hold others.
        unsafe {
            ptr.write_bytes(0, nbytes);
            let bytes = std::slice::from_raw_parts_mut(ptr, nbytes);
            self.backend().download(&dense, bytes)?;
            if T::DTYPE == DType::Bool {
                bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
            }
            data.set_len(self.numel());
        }
        Ok(data)
    }

    /// The only element.
    pub fn item(&self) -> Result<Scalar> {
        if self.numel() != 1 {
            return Err(Error::runtime(format!(
                "a Tensor with {} elements cannot be converted to Scalar",
                self.numel()
            )));
        }
        let mut bytes = [0u8; 8];
        let bytes = &mut bytes[..self.dtype.size()];
        self.backend().download(&self.with_view(Dims::new(), Dims::new(), self.offset), bytes)?;
        Ok(scalar_from_bytes(self.dtype, bytes))
    }

    /// The element at an index, for printing and tests; each call reads from the device.
    pub fn get(&self, index: &[usize]) -> Result<Scalar> {
        if index.len() != self.ndim() || index.iter().zip(&self.shape).any(|(i, n)| i >= n) {
            return Err(Error::Index(format!("index {index:?} is out of bounds for shape {:?}", self.shape)));
        }
        let offset = self.offset + index.iter().zip(&self.strides).map(|(i, s)| i * s).sum::<usize>();
        self.with_view(Dims::new(), Dims::new(), offset).item()
    }

    /// This array if it is contiguous, else a row-major copy.
    pub fn contiguous(&self) -> Result<Array> {
        if self.is_contiguous() { Ok(self.clone()) } else { self.copy() }
    }

    /// A row-major copy.
    pub fn copy(&self) -> Result<Array> {
        let out = Array::empty(self.backend(), self.device(), &self.shape, self.dtype)?;
        self.backend().copy(&Checked::established(CopyTo { src: self, out: &out }))?;
        Ok(out)
    }

    /// A copy in another dtype, or the array itself if it has that dtype.
    pub fn to_dtype(&self, dtype: DType) -> Result<Array> {
        if dtype == self.dtype {
            return Ok(self.clone());
        }
        let strides = crate::ops::preserved_strides(self);
        let out = Array::empty_strided(self.backend(), self.device(), &self.shape, &strides, dtype)?;
        self.backend().copy(&Checked::established(CopyTo { src: self, out: &out }))?;
        Ok(out)
    }
}

/// One past the position of the last element of a view; zero where it has none.
#[inline]
fn reach(shape: &[usize], strides: &[usize], offset: usize) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let mut end = offset.checked_add(1)?;
    for (&n, &s) in shape.iter().zip(strides) {
        end = end.checked_add((n - 1).checked_mul(s)?)?;
    }
    Some(end)
}

#[cold]
fn too_large(shape: &[usize], strides: Option<&[usize]>) -> Error {
    let strides = strides.map_or_else(String::new, |strides| format!(" and strides={strides:?}"));
    Error::runtime(format!("Storage size calculation overflowed with sizes={shape:?}{strides}"))
}

/// Reads one element; bytes that are missing are zero.
pub fn scalar_from_bytes(dtype: DType, bytes: &[u8]) -> Scalar {
    fn read<T: Element + bytemuck::AnyBitPattern>(bytes: &[u8; 8]) -> Scalar {
        bytemuck::pod_read_unaligned::<T>(&bytes[..size_of::<T>()]).to_scalar()
    }
    let mut element = [0; 8];
    element.iter_mut().zip(bytes).take(dtype.size()).for_each(|(to, &from)| *to = from);
    let bytes = &element;
    match dtype {
        DType::Bool => Scalar::Bool(bytes[0] != 0),
        DType::U8 => read::<u8>(bytes),
        DType::I8 => read::<i8>(bytes),
        DType::I16 => read::<i16>(bytes),
        DType::I32 => read::<i32>(bytes),
        DType::I64 => read::<i64>(bytes),
        DType::F16 => read::<half::f16>(bytes),
        DType::BF16 => read::<half::bf16>(bytes),
        DType::F32 => read::<f32>(bytes),
        DType::F64 => read::<f64>(bytes),
    }
}
