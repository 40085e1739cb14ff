//! Shapes, strides and broadcasting.

use crate::{Error, Result};
use smallvec::SmallVec;

/// Lengths or strides, in elements; up to six dimensions need no allocation.
pub type Dims = SmallVec<[usize; 6]>;

/// The number of elements of a shape; `None` where it overflows. A zero anywhere makes it zero, however large the other
/// lengths are.
pub fn checked_numel(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// The number of elements of a shape that an array may have.
///
/// # Errors
/// When the product of the lengths, taken from the front, does not fit an `isize`.
#[inline]
pub fn numel_of(shape: &[usize]) -> Result<usize> {
    let numel = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    numel
        .filter(|&n| n <= isize::MAX as usize)
        .ok_or_else(|| Error::Runtime("numel: integer multiplication overflow".to_owned()))
}

/// The number of elements of a shape; `usize::MAX` where that is too small.
#[inline]
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, &d| n.saturating_mul(d))
}

/// Row-major strides. A length of zero counts as one, as in PyTorch; those that do not fit are `usize::MAX`.
#[inline]
pub fn contiguous_strides(shape: &[usize]) -> Dims {
    let mut strides = Dims::from_elem(1, shape.len());
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d].saturating_mul(shape[d].max(1));
    }
    strides
}

/// [`contiguous_strides`]; `None` where one does not fit an `isize`.
#[inline]
pub(crate) fn row_major(shape: &[usize]) -> Option<Dims> {
    let strides = contiguous_strides(shape);
    // Each is at least as large as the next.
    match strides.first() {
        Some(&largest) if largest > isize::MAX as usize => None,
        _ => Some(strides),
    }
}

/// The position `index` steps on; no further than an `isize` goes, where only an array without elements can be.
#[inline]
pub(crate) fn moved(offset: usize, index: usize, stride: usize) -> usize {
    index.saturating_mul(stride).saturating_add(offset).min(isize::MAX as usize)
}

/// Maps a dimension that may be negative to `0..ndim`. Zero-dimensional arrays accept 0 and -1.
#[inline]
pub fn wrap_dim(dim: i64, ndim: usize) -> Result<usize> {
    let n = i64::try_from(ndim.max(1)).unwrap_or(i64::MAX);
    if dim < -n || dim >= n {
        return Err(Error::DimOutOfRange { min: -n, max: n - 1, dim });
    }
    Ok(if dim < 0 { dim + n } else { dim } as usize)
}

/// Maps several dimensions; each may stand only once. An empty list stands for all.
pub fn wrap_dims(dims: &[i64], ndim: usize) -> Result<SmallVec<[usize; 6]>> {
    if dims.is_empty() {
        return Ok((0..ndim).collect());
    }
    let mut wrapped = Dims::new();
    for &d in dims {
        let w = wrap_dim(d, ndim)?;
        if wrapped.contains(&w) {
            return Err(Error::runtime(format!("dim {w} appears multiple times in the list of dims")));
        }
        wrapped.push(w);
    }
    // A zero-dimensional array has no dimension to reduce; 0 and -1 are accepted for it.
    if ndim == 0 {
        wrapped.clear();
    }
    Ok(wrapped)
}

/// The shape that two shapes broadcast to: aligned at the end, lengths equal or one of them 1.
pub fn broadcast_shapes(a: &[usize], b: &[usize]) -> Result<Dims> {
    let ndim = a.len().max(b.len());
    let mut shape = Dims::from_elem(1, ndim);
    // From the back, since PyTorch names the last dimension that differs.
    for dim in (0..ndim).rev() {
        let length = |s: &[usize]| (dim + s.len()).checked_sub(ndim).map_or(1, |d| s[d]);
        shape[dim] = match (length(a), length(b)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            (x, y) => return Err(Error::Broadcast { a: x, b: y, dim }),
        };
    }
    Ok(shape)
}

/// Resolves one `-1` in a shape for `numel` elements.
pub fn infer_shape(shape: &[i64], numel: usize) -> Result<Dims> {
    let invalid = || Error::InvalidShape { shape: format!("{shape:?}"), numel };
    let mut inferred = None;
    let (mut known, mut overflows) = (1usize, false);
    for (i, &d) in shape.iter().enumerate() {
        match d {
            -1 if inferred.is_some() => return Err(Error::runtime("only one dimension can be inferred")),
            -1 => inferred = Some(i),
            d if d < 0 => {
                return Err(Error::runtime(format!("invalid shape dimension {d} at index {i} of shape {shape:?}")));
            }
            d => {
                let (product, wraps) = known.overflowing_mul(d as usize);
                (known, overflows) = (product, overflows || wraps);
            }
        }
    }
    if overflows {
        // PyTorch compares the product that wraps, and then counts the elements.
        return Err(match inferred {
            None if known == numel => Error::runtime("numel: integer multiplication overflow"),
            _ => invalid(),
        });
    }
    let mut dims: Dims = shape.iter().map(|&d| d.max(0) as usize).collect();
    match inferred {
        Some(i) if known > 0 && numel.is_multiple_of(known) => dims[i] = numel / known,
        Some(_) if known == 0 && numel == 0 => {
            return Err(Error::runtime(format!(
                "cannot reshape tensor of 0 elements into shape {shape:?} because the unspecified dimension size -1 can be \
                 any value and is ambiguous"
            )));
        }
        None if known == numel => {}
        _ => return Err(invalid()),
    }
    Ok(dims)
}

/// Whether memory with these strides is one row-major block; lengths of one do not count.
#[inline]
pub fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    if strides.len() < shape.len() {
        return false;
    }
    let mut expected = 1usize;
    for d in (0..shape.len()).rev() {
        if shape[d] == 0 {
            return true;
        }
        if shape[d] != 1 {
            if strides[d] != expected {
                return false;
            }
            expected = expected.wrapping_mul(shape[d]);
        }
    }
    true
}

/// Strides that show the same memory in another shape, where no copy is needed for it (`view`).
pub fn view_strides(shape: &[usize], strides: &[usize], new: &[usize]) -> Option<Dims> {
    if strides.len() != shape.len() || numel(new) != numel(shape) {
        return None;
    }
    if numel(shape) == 0 {
        return Some(if shape == new { strides.into() } else { contiguous_strides(new) });
    }
    let mut out = Dims::from_elem(1, new.len());
    let mut next = new.len();
    // From the back: each maximal run of dimensions that lie behind each other in memory must be a product of new lengths.
    let mut chunk = 1usize;
    let mut base = strides.last().copied().unwrap_or(1);
    for d in (0..shape.len()).rev() {
        chunk = chunk.saturating_mul(shape[d]);
        let ends = d == 0 || (shape[d - 1] != 1 && strides[d - 1] != chunk.saturating_mul(base));
        if !ends {
            continue;
        }
        let mut covered = 1usize;
        while next > 0 && (covered < chunk || new[next - 1] == 1) {
            next -= 1;
            out[next] = moved(0, covered, base);
            covered = covered.saturating_mul(new[next]);
        }
        if covered != chunk {
            return None;
        }
        if d > 0 {
            chunk = 1;
            base = strides[d - 1];
        }
    }
    // What is left has length one.
    for s in &mut out[..next] {
        *s = 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_pytorch() {
        assert_eq!(broadcast_shapes(&[3, 1], &[4]).unwrap().as_slice(), [3, 4]);
        assert_eq!(broadcast_shapes(&[0], &[1]).unwrap().as_slice(), [0]);
        let error = broadcast_shapes(&[2, 3], &[4]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"
        );
    }

    #[test]
    fn rows_follow_each_other() {
        assert_eq!(contiguous_strides(&[2, 3, 4]).as_slice(), [12, 4, 1]);
        assert_eq!(contiguous_strides(&[2, 0, 3]).as_slice(), [3, 3, 1]);
        assert!(contiguous_strides(&[]).is_empty());
    }

    #[test]
    fn views_merge_and_split_dims() {
        assert_eq!(view_strides(&[2, 3, 4], &[12, 4, 1], &[6, 4]).unwrap().as_slice(), [4, 1]);
        assert_eq!(view_strides(&[2, 3], &[1, 2], &[6]), None);
        assert_eq!(view_strides(&[2, 1, 3], &[3, 99, 1], &[6]).unwrap().as_slice(), [1]);
        assert_eq!(view_strides(&[4, 3], &[1, 4], &[2, 2, 3]).unwrap().as_slice(), [2, 1, 4]);
        assert_eq!(view_strides(&[3], &[0], &[3, 1]).unwrap().as_slice(), [0, 0]);
    }

    #[test]
    fn one_length_is_inferred() {
        assert_eq!(infer_shape(&[-1, 2], 6).unwrap().as_slice(), [3, 2]);
        assert_eq!(infer_shape(&[4, -1], 6).unwrap_err().to_string(), "shape '[4, -1]' is invalid for input of size 6");
    }
}
