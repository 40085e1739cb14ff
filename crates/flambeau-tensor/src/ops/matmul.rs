//! The batched matrix product.

use super::same_device;
use crate::backend::Epilogue;
use crate::{Array, Error, Result, Scalar};

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\] for `[batch, m, k] · [batch, k, n]`, any strides, then the epilogue.
///
/// # Errors
/// When shapes, dtypes or devices disagree, or `out` overlaps an operand.
pub fn matmul(a: &Array, b: &Array, alpha: Scalar, beta: Scalar, epilogue: Epilogue<'_>, out: &Array) -> Result<()> {
    same_device(&[a, b, out])?;
    let ([ab, am, ak], [bb, bk, bn]) = (dims3(a)?, dims3(b)?);
    if ab != bb || ak != bk || out.shape() != [ab, am, bn] {
        return Err(Error::runtime(format!(
            "Expected size for first two dimensions of batch2 tensor to be: [{ab}, {ak}] but got: [{bb}, {bk}]."
        )));
    }
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "expected m1 and m2 to have the same dtype, but got: {} != {}",
            a.dtype().c_name(),
            b.dtype().c_name()
        )));
    }
    if out.may_overlap(a) || out.may_overlap(b) {
        return Err(Error::runtime("the result of a matrix product may not overlap its operands"));
    }
    if out.numel() == 0 {
        return Ok(());
    }
    out.backend().matmul(a, b, alpha, beta, epilogue, out)
}

fn dims3(a: &Array) -> Result<[usize; 3]> {
    a.shape().try_into().map_err(|_| Error::runtime("batch1 must be a 3D tensor"))
}
