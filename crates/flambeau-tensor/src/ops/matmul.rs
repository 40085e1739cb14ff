//! The batched matrix product.

use crate::backend::Epilogue;
use crate::calls::{Matmul, PrimitiveCall};
use crate::{Array, Result, Scalar};

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\] for `[batch, m, k] · [batch, k, n]`, any strides, then the epilogue.
///
/// # Errors
/// When shapes, dtypes or devices disagree, or `out` overlaps an operand.
pub fn matmul(a: &Array, b: &Array, alpha: Scalar, beta: Scalar, epilogue: Epilogue<'_>, out: &Array) -> Result<()> {
    Matmul { a, b, alpha, beta, epilogue, out }.run()
}
