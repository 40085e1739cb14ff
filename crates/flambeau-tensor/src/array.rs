//! A strided view of a storage.

use crate::dims::{Dims, contiguous_strides, is_contiguous, numel};
use crate::{Backend, DType, Device, Element, Error, Result, Scalar, Storage, dims};

/// A strided view of a [`Storage`]: dtype, shape, strides and offset, the last two in elements. Clones share the memory.
/// Immutable itself; the memory behind it is not.
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
        let array = Array { storage, dtype, shape, strides, offset };
        let end = array.end().and_then(|n| n.checked_mul(dtype.size()));
        match end {
            Some(bytes) if bytes <= array.storage.nbytes() => Ok(array),
            _ => Err(Error::runtime(format!(
                "setStorage: sizes {:?}, strides {:?}, storage offset {}, and itemsize {} requiring a storage size of {} are \
                 out of bounds for storage of size {}",
                array.shape,
                array.strides,
                offset,
                dtype.size(),
                end.unwrap_or(usize::MAX),
                array.storage.nbytes()
            ))),
        }
    }

    /// One past the last element's position; zero-size arrays use no memory.
    fn end(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut end = self.offset.checked_add(1)?;
        for (&n, &s) in self.shape.iter().zip(&self.strides) {
            end = end.checked_add((n - 1).checked_mul(s)?)?;
        }
        Some(end)
    }

    /// The same memory in another shape, within bounds that the caller has checked.
    pub(crate) fn with_view(&self, shape: Dims, strides: Dims, offset: usize) -> Self {
        let view = Array { storage: self.storage.clone(), dtype: self.dtype, shape, strides, offset };
        debug_assert!(view.end().is_some_and(|n| n * view.dtype.size() <= view.storage.nbytes()));
        view
    }

    /// Fresh row-major memory; what it holds is unspecified.
    pub fn empty(backend: &'static dyn Backend, device: Device, shape: &[usize], dtype: DType) -> Result<Self> {
        Self::empty_strided(backend, device, shape, &contiguous_strides(shape), dtype)
    }

    /// Fresh memory with given strides; what it holds is unspecified.
    pub fn empty_strided(
        backend: &'static dyn Backend,
        device: Device,
        shape: &[usize],
        strides: &[usize],
        dtype: DType,
    ) -> Result<Self> {
        if !device.is_cpu() {
            backend.supports(device, dtype)?;
        }
        let mut elements = usize::from(!shape.contains(&0));
        if elements > 0 {
            for (&n, &s) in shape.iter().zip(strides) {
                elements = (n - 1).checked_mul(s).and_then(|e| e.checked_add(elements)).ok_or_else(too_large)?;
            }
        }
        let nbytes = elements.checked_mul(dtype.size()).filter(|&n| n <= isize::MAX as usize).ok_or_else(too_large)?;
        let storage = backend.alloc(device, nbytes, dtype)?;
        // `from_slice` copies the memory; `into` would go element by element.
        Ok(Array { storage, dtype, shape: Dims::from_slice(shape), strides: Dims::from_slice(strides), offset: 0 })
    }

    /// Copies a slice in row-major order.
    pub fn from_slice<T: Element>(
        backend: &'static dyn Backend,
        device: Device,
        data: &[T],
        shape: &[usize],
    ) -> Result<Self> {
        if dims::checked_numel(shape) != Some(data.len()) {
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
        let mut dims: Dims = (0..self.ndim()).filter(|&d| self.shape[d] != 1).collect();
        dims.sort_unstable_by_key(|&d| self.strides[d]);
        let mut expected = 1;
        self.is_contiguous()
            || dims.iter().all(|&d| {
                let fits = self.strides[d] == expected;
                expected *= self.shape[d];
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

    /// Whether both may share bytes (exact for views that are each one block, else by their first and last byte).
    pub fn may_overlap(&self, other: &Array) -> bool {
        let span = |a: &Array| {
            let size = a.dtype.size();
            (a.offset * size, a.end().unwrap_or(0) * size)
        };
        let ((a, a_end), (b, b_end)) = (span(self), span(other));
        self.storage.ptr_eq(&other.storage) && a < b_end && b < a_end
    }

    /// The address of the first element in host memory. See [`Storage::host_ptr`].
    #[inline]
    pub fn host_ptr(&self) -> *mut u8 {
        self.storage.host_ptr().wrapping_add(self.offset * self.dtype.size())
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
        let mut data = vec![T::default(); self.numel()];
        // SAFETY: every byte pattern that an array holds is an `Element` (bools are stored as 0 and 1 only).
        let bytes = unsafe { std::slice::from_raw_parts_mut(data.as_mut_ptr().cast::<u8>(), size_of_val(&data[..])) };
        self.backend().download(&dense, bytes)?;
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
        self.backend().copy(self, &out)?;
        Ok(out)
    }

    /// A copy in another dtype, or the array itself if it has that dtype.
    pub fn to_dtype(&self, dtype: DType) -> Result<Array> {
        if dtype == self.dtype {
            return Ok(self.clone());
        }
        let strides = crate::ops::preserved_strides(self);
        let out = Array::empty_strided(self.backend(), self.device(), &self.shape, &strides, dtype)?;
        self.backend().copy(self, &out)?;
        Ok(out)
    }
}

#[cold]
fn too_large() -> Error {
    Error::runtime("Storage size calculation overflowed: the tensor is larger than the address space")
}

/// Reads one element.
pub fn scalar_from_bytes(dtype: DType, bytes: &[u8]) -> Scalar {
    fn read<T: Element + bytemuck::AnyBitPattern>(bytes: &[u8]) -> Scalar {
        bytemuck::pod_read_unaligned::<T>(bytes).to_scalar()
    }
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
