//! The batched matrix product.

use super::check::{expect, shape, written};
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::Epilogue;
use crate::{Array, Error, Result, Scalar};

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\], then the epilogue; any strides.
#[derive(Clone, Copy)]
pub struct Matmul<'a> {
    /// `[batch, m, k]`.
    pub a: &'a Array,
    /// `[batch, k, n]`, in the same dtype.
    pub b: &'a Array,
    /// Multiplies the product.
    pub alpha: Scalar,
    /// Multiplies what `out` held; where it is zero, that is not read.
    pub beta: Scalar,
    /// What follows the product.
    pub epilogue: Epilogue<'a>,
    /// `[batch, m, n]`, in the same dtype; shares no memory with the others.
    pub out: &'a Array,
}

impl PrimitiveCall for Matmul<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        let mut arrays = Arrays::from_slice(&[self.a, self.b, self.out]);
        arrays.extend(self.epilogue.bias);
        arrays
    }

    fn check(&self) -> Result<()> {
        let Matmul { a, b, out, .. } = *self;
        let ([ab, am, ak], [bb, bk, bn]) = (dims3(a)?, dims3(b)?);
        expect(ab == bb && ak == bk && out.shape() == [ab, am, bn], || {
            format!(
                "Expected size for first two dimensions of batch2 tensor to be: [{ab}, {ak}] but got: [{bb}, {bk}]."
            )
        })?;
        expect(a.dtype() == b.dtype(), || {
            format!(
                "expected m1 and m2 to have the same dtype, but got: {} != {}",
                a.dtype().c_name(),
                b.dtype().c_name()
            )
        })?;
        if let Some(bias) = self.epilogue.bias {
            shape("matmul", "the bias", bias, &[bn])?;
        }
        let mut others = [Some(a), self.epilogue.bias].into_iter().flatten();
        others.try_for_each(|x| {
            expect(x.dtype() == out.dtype(), || {
                format!(
                    "expected scalar type {} but found {}",
                    out.dtype().scalar_type_name(),
                    x.dtype().scalar_type_name()
                )
            })
        })?;
        written("matmul", out, [a, b].into_iter().chain(self.epilogue.bias))
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().matmul(call)
    }
}

fn dims3(a: &Array) -> Result<[usize; 3]> {
    a.shape().try_into().map_err(|_| Error::runtime("batch1 must be a 3D tensor"))
}
