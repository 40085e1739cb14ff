//! Views: other shapes of the same memory, without a copy.

use crate::dims::{Dims, contiguous_strides, infer_shape, moved, numel_of, view_strides, wrap_dim};
use crate::{Array, Error, Result};

impl Array {
    /// Repeats lengths of one without a copy: strides 0. The shape must end in this array's.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Array> {
        // A length past i64's range overflows the number of elements, too.
        let sizes: Vec<i64> = shape.iter().map(|&n| i64::try_from(n).unwrap_or(i64::MAX)).collect();
        self.expand(&sizes)
    }

    /// `Tensor.expand`: lengths of one grow, -1 keeps a length, new dimensions come in front.
    pub fn expand(&self, sizes: &[i64]) -> Result<Array> {
        if sizes.len() < self.ndim() {
            return Err(Error::runtime(format!(
                "expand(torch.FloatTensor{{{:?}}}, size={sizes:?}): the number of sizes provided ({}) must be greater or \
                 equal to the number of dimensions in the tensor ({})",
                self.shape(),
                sizes.len(),
                self.ndim()
            )
            .replace("FloatTensor", tensor_type(self))));
        }
        let new = sizes.len() - self.ndim();
        let (mut shape, mut strides) = (Dims::new(), Dims::new());
        for (i, &size) in sizes.iter().enumerate() {
            let old = i.checked_sub(new).map(|d| (self.shape()[d], self.strides()[d]));
            let (n, s) = match (old, size) {
                (None, -1) => {
                    return Err(Error::runtime(format!(
                        "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}"
                    )));
                }
                (None, size) if size >= 0 => (size as usize, 0),
                (Some(old), -1) => old,
                (Some((n, s)), size) if n as i64 == size => (n, s),
                (Some((1, _)), size) if size >= 0 => (size as usize, 0),
                (Some((n, _)), size) if size >= 0 => {
                    return Err(Error::runtime(format!(
                        "The expanded size of the tensor ({size}) must match the existing size ({n}) at non-singleton \
                         dimension {i}.  Target sizes: {sizes:?}.  Tensor sizes: {:?}",
                        self.shape()
                    )));
                }
                _ => {
                    return Err(Error::runtime(format!(
                        "Trying to create tensor with negative dimension {size}: {sizes:?}"
                    )));
                }
            };
            shape.push(n);
            strides.push(s);
        }
        numel_of(&shape)?;
        Ok(self.with_view(shape, strides, self.offset()))
    }

    /// Reorders dimensions: `Tensor.permute`.
    pub fn permute(&self, dims: &[i64]) -> Result<Array> {
        if dims.len() != self.ndim() {
            return Err(Error::runtime(format!(
                "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired \
                 ordering of dimensions i.e. input.dim() = {} is not equal to len(dims) = {}",
                self.ndim(),
                dims.len()
            )));
        }
        let mut order = Dims::new();
        for &d in dims {
            let d = wrap_dim(d, self.ndim())?;
            if order.contains(&d) {
                return Err(Error::runtime("permute(): duplicate dims are not allowed."));
            }
            order.push(d);
        }
        let pick = |from: &[usize]| order.iter().map(|&d| from[d]).collect::<Dims>();
        Ok(self.with_view(pick(self.shape()), pick(self.strides()), self.offset()))
    }

    /// Swaps two dimensions.
    pub fn transpose(&self, a: i64, b: i64) -> Result<Array> {
        let (a, b) = (wrap_dim(a, self.ndim())?, wrap_dim(b, self.ndim())?);
        let (mut shape, mut strides): (Dims, Dims) = (self.shape().into(), self.strides().into());
        if self.ndim() > 0 {
            shape.swap(a, b);
            strides.swap(a, b);
        }
        Ok(self.with_view(shape, strides, self.offset()))
    }

    /// The part `start..start + length` of a dimension.
    pub fn narrow(&self, dim: i64, start: i64, length: i64) -> Result<Array> {
        let start = self.narrow_start(dim, start, length)?;
        self.slice(dim, Some(start), Some(start + length), 1)
    }

    /// Where [`Array::narrow`] begins, counted from the front.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn narrow_start(&self, dim: i64, start: i64, length: i64) -> Result<i64> {
        if self.ndim() == 0 {
            return Err(Error::runtime("narrow() cannot be applied to a 0-dim tensor."));
        }
        if length < 0 {
            return Err(Error::runtime("narrow(): length must be non-negative."));
        }
        let d = wrap_dim(dim, self.ndim())?;
        let n = self.shape()[d] as i64;
        if start < -n || start > n {
            return Err(Error::Index(format!(
                "start out of range (expected to be in range of [{}, {n}], but got {start})",
                -n
            )));
        }
        let start = if start < 0 { start + n } else { start };
        if length > n - start {
            return Err(Error::runtime(format!("start ({start}) + length ({length}) exceeds dimension size ({n}).")));
        }
        Ok(start)
    }

    /// Python's `[start:end:step]` of a dimension; out-of-range ends are clamped.
    pub fn slice(&self, dim: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Result<Array> {
        if self.ndim() == 0 {
            return Err(Error::Index("slice() cannot be applied to a 0-dim tensor.".into()));
        }
        if step <= 0 {
            return Err(Error::Value("step must be greater than zero".into()));
        }
        let d = wrap_dim(dim, self.ndim())?;
        let n = self.shape()[d] as i64;
        let clamp = |i: i64| if i < 0 { (i + n).max(0) } else { i.min(n) };
        let start = clamp(start.unwrap_or(0));
        let end = clamp(end.unwrap_or(n)).max(start);
        let (mut shape, mut strides): (Dims, Dims) = (self.shape().into(), self.strides().into());
        shape[d] = (end - start).unsigned_abs().div_ceil(step as u64) as usize;
        let offset = moved(self.offset(), start as usize, strides[d]);
        strides[d] = moved(0, step as usize, strides[d]);
        Ok(self.with_view(shape, strides, offset))
    }

    /// One line of a dimension, which goes away.
    pub fn select(&self, dim: i64, index: i64) -> Result<Array> {
        if self.ndim() == 0 {
            return Err(Error::Index("select() cannot be applied to a 0-dim tensor.".into()));
        }
        let d = wrap_dim(dim, self.ndim())?;
        let n = self.shape()[d] as i64;
        if index < -n || index >= n {
            return Err(Error::Index(format!(
                "select(): index {index} out of range for tensor of size {:?} at dimension {d}",
                self.shape()
            )));
        }
        let index = if index < 0 { index + n } else { index } as usize;
        let (mut shape, mut strides): (Dims, Dims) = (self.shape().into(), self.strides().into());
        shape.remove(d);
        let step = strides.remove(d);
        Ok(self.with_view(shape, strides, moved(self.offset(), index, step)))
    }

    /// Inserts a dimension of length one.
    pub fn unsqueeze(&self, dim: i64) -> Result<Array> {
        let d = wrap_dim(dim, self.ndim() + 1)?;
        let (mut shape, mut strides): (Dims, Dims) = (self.shape().into(), self.strides().into());
        let step = if d < shape.len() { moved(0, shape[d], strides[d]) } else { 1 };
        shape.insert(d, 1);
        strides.insert(d, step);
        Ok(self.with_view(shape, strides, self.offset()))
    }

    /// Removes dimensions of length one: those among `dims`, or all without `dims`.
    pub fn squeeze(&self, dims: Option<&[i64]>) -> Result<Array> {
        let picked: Dims = match dims {
            None => (0..self.ndim()).collect(),
            Some([]) => Dims::new(),
            Some(dims) => crate::dims::wrap_dims(dims, self.ndim())?,
        };
        let keep = |d: &usize| self.shape()[*d] != 1 || !picked.contains(d);
        let pick = |from: &[usize]| (0..self.ndim()).filter(keep).map(|d| from[d]).collect::<Dims>();
        Ok(self.with_view(pick(self.shape()), pick(self.strides()), self.offset()))
    }

    /// Another shape of the same elements, one length may be -1; fails where that needs a copy.
    pub fn view(&self, shape: &[i64]) -> Result<Array> {
        let new = infer_shape(shape, self.numel())?;
        let strides = view_strides(self.shape(), self.strides(), &new).ok_or_else(|| {
            Error::runtime(
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across two \
                 contiguous subspaces). Use .reshape(...) instead.",
            )
        })?;
        Ok(self.with_view(new, strides, self.offset()))
    }

    /// Another shape of the same elements: a view where possible, else a copy.
    pub fn reshape(&self, shape: &[i64]) -> Result<Array> {
        let new = infer_shape(shape, self.numel())?;
        match view_strides(self.shape(), self.strides(), &new) {
            Some(strides) => Ok(self.with_view(new, strides, self.offset())),
            None => {
                let strides = contiguous_strides(&new);
                Ok(self.copy()?.with_view(new, strides, 0))
            }
        }
    }

    /// Any shape, strides and offset over the same storage: `torch.as_strided`.
    pub fn as_strided(&self, shape: &[usize], strides: &[usize], offset: usize) -> Result<Array> {
        Array::from_parts(self.storage().clone(), self.dtype(), shape.into(), strides.into(), offset)
    }

    /// All windows of `size` along a dimension, `step` apart, as a new last dimension: `Tensor.unfold`.
    pub fn unfold(&self, dim: i64, size: i64, step: i64) -> Result<Array> {
        let d = wrap_dim(dim, self.ndim())?;
        let n = if self.ndim() == 0 { 1 } else { self.shape()[d] } as i64;
        if size < 0 {
            return Err(Error::runtime(format!("size is {size} but must be >= 0")));
        }
        if size > n {
            return Err(Error::runtime(format!("maximum size for tensor at dimension {d} is {n} but size is {size}")));
        }
        if step <= 0 {
            return Err(Error::runtime(format!("step is {step} but must be > 0")));
        }
        let (mut shape, mut strides): (Dims, Dims) = (self.shape().into(), self.strides().into());
        let base = strides.get(d).copied().unwrap_or(1);
        if self.ndim() > 0 {
            shape[d] = ((n - size) / step + 1) as usize;
            strides[d] = moved(0, step as usize, base);
        }
        shape.push(size as usize);
        strides.push(base);
        numel_of(&shape)?;
        Ok(self.with_view(shape, strides, self.offset()))
    }

    /// The diagonal of two dimensions as a new last one: `torch.diagonal`.
    pub fn diagonal(&self, offset: i64, dim1: i64, dim2: i64) -> Result<Array> {
        let (a, b) = (wrap_dim(dim1, self.ndim())?, wrap_dim(dim2, self.ndim())?);
        if a == b || self.ndim() < 2 {
            return Err(Error::runtime(format!("diagonal dimensions cannot be identical {dim1}, {dim2}")));
        }
        let (rows, cols) = (self.shape()[a] as i64, self.shape()[b] as i64);
        let length = if offset >= 0 { rows.min(cols - offset) } else { (rows + offset).min(cols) }.max(0) as usize;
        let skip = if length == 0 {
            0
        } else if offset >= 0 {
            moved(0, offset as usize, self.strides()[b])
        } else {
            moved(0, offset.unsigned_abs() as usize, self.strides()[a])
        };
        let step = moved(self.strides()[a], 1, self.strides()[b]);
        let pick = |from: &[usize]| (0..self.ndim()).filter(|&d| d != a && d != b).map(|d| from[d]).collect::<Dims>();
        let (mut shape, mut strides) = (pick(self.shape()), pick(self.strides()));
        shape.push(length);
        strides.push(step);
        Ok(self.with_view(shape, strides, moved(skip, 1, self.offset())))
    }
}

/// PyTorch's old-style type name of an array: `torch.FloatTensor`, without the prefix.
pub fn tensor_type(a: &Array) -> &'static str {
    use crate::DType::*;
    match a.dtype() {
        Bool => "BoolTensor",
        U8 => "ByteTensor",
        I8 => "CharTensor",
        I16 => "ShortTensor",
        I32 => "IntTensor",
        I64 => "LongTensor",
        F16 => "HalfTensor",
        BF16 => "BFloat16Tensor",
        F32 => "FloatTensor",
        F64 => "DoubleTensor",
    }
}
