//! What several calls check, and the words for it.

use super::layout::check_writable;
use crate::{Array, DType, Error, Result};

/// An error with this text where a condition does not hold.
#[inline]
pub(super) fn expect(holds: bool, text: impl FnOnce() -> String) -> Result<()> {
    #[cold]
    fn refuse(text: impl FnOnce() -> String) -> Result<()> {
        Err(Error::Runtime(text()))
    }
    if holds { Ok(()) } else { refuse(text) }
}

/// Whether an array has a shape.
pub(super) fn shape(op: &str, name: &str, array: &Array, wanted: &[usize]) -> Result<()> {
    expect(array.shape() == wanted, || {
        format!("{op}(): expected {name} to have shape {wanted:?}, but got {:?}", array.shape())
    })
}

/// Whether an array has a dtype.
pub(super) fn dtype(op: &str, name: &str, array: &Array, wanted: DType) -> Result<()> {
    expect(array.dtype() == wanted, || {
        format!(
            "{op}(): expected {name} to have scalar type {} but found {}",
            wanted.scalar_type_name(),
            array.dtype().scalar_type_name()
        )
    })
}

/// Whether an array has a floating-point dtype.
pub(super) fn float(op: &'static str, array: &Array) -> Result<()> {
    match array.dtype().is_floating_point() {
        true => Ok(()),
        false => Err(Error::NotImplementedFor { op, dtype: array.dtype() }),
    }
}

/// Whether an array's elements lie in row-major order without gaps.
pub(super) fn dense(op: &str, name: &str, array: &Array) -> Result<()> {
    expect(array.is_contiguous(), || format!("{op}(): expected {name} to be contiguous"))
}

/// Whether a shape has a dimension; those without any are lines of one element.
pub(super) fn dim(dim: usize, ndim: usize) -> Result<()> {
    let n = ndim.max(1);
    match dim < n {
        true => Ok(()),
        false => {
            let (n, dim) = (n as i64, i64::try_from(dim).unwrap_or(i64::MAX));
            Err(Error::DimOutOfRange { min: -n, max: n - 1, dim })
        }
    }
}

/// Whether a result shares no memory with other arrays.
pub(super) fn disjoint<'a>(op: &str, out: &Array, others: impl IntoIterator<Item = &'a Array>) -> Result<()> {
    expect(others.into_iter().all(|a| !out.may_overlap(a)), || {
        format!("{op}(): the result may not overlap its operands or another result")
    })
}

/// Whether an array is a dense result of a shape and dtype.
pub(super) fn result(op: &str, name: &str, out: &Array, wanted: &[usize], of: DType) -> Result<()> {
    shape(op, name, out, wanted)?;
    dtype(op, name, out, of)?;
    dense(op, name, out)
}

/// Whether an array is a result that may be written through its view: each place once, and none of the others'.
pub(super) fn written<'a>(op: &str, out: &Array, others: impl IntoIterator<Item = &'a Array>) -> Result<()> {
    check_writable(out)?;
    disjoint(op, out, others)
}

/// Whether `nbytes` bytes are as many as an array has, which lie side by side: what [`Backend::upload`] and
/// [`Backend::download`] copy.
///
/// [`Backend::upload`]: crate::Backend::upload
/// [`Backend::download`]: crate::Backend::download
///
/// # Errors
/// When they are not.
pub fn check_transfer(array: &Array, nbytes: usize) -> Result<()> {
    expect(array.is_contiguous() && array.numel() * array.dtype().size() == nbytes, || {
        let dense = if array.is_contiguous() { "" } else { "not contiguous " };
        format!("{nbytes} bytes for an {dense}array of {} elements of {}", array.numel(), array.dtype())
    })
}
