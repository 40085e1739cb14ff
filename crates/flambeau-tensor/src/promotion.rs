//! Type promotion: PyTorch's `torch.result_type`.

use crate::{DType, Scalar};
use std::sync::atomic::{AtomicU8, Ordering};

static DEFAULT_FLOAT: AtomicU8 = AtomicU8::new(DType::F32 as u8);

/// The dtype of float literals and of float results of integer inputs: `torch.get_default_dtype()`.
#[inline]
pub fn default_dtype() -> DType {
    DType::ALL[DEFAULT_FLOAT.load(Ordering::Relaxed) as usize]
}

/// Sets [`default_dtype`], for all threads: `torch.set_default_dtype`.
///
/// # Panics
/// When `dtype` is no floating-point type.
#[track_caller]
pub fn set_default_dtype(dtype: DType) {
    assert!(dtype.is_floating_point(), "only floating-point types are supported as the default type");
    DEFAULT_FLOAT.store(dtype as u8, Ordering::Relaxed);
}

/// The smallest dtype that holds both: `torch.promote_types`.
pub fn promote_types(a: DType, b: DType) -> DType {
    use DType::*;
    if a == b {
        return a;
    }
    match (a, b) {
        (Bool, x) | (x, Bool) => x,
        (F64, _) | (_, F64) => F64,
        (F32, _) | (_, F32) => F32,
        (F16, BF16) | (BF16, F16) => F32,
        (F16, _) | (_, F16) => F16,
        (BF16, _) | (_, BF16) => BF16,
        (I64, _) | (_, I64) => I64,
        (I32, _) | (_, I32) => I32,
        (I16, _) | (_, I16) => I16,
        // Only u8 with i8 is left.
        _ => I16,
    }
}

/// Gathers the operands of one operation and tells their common dtype: tensors with dimensions outrank zero-dimensional
/// tensors, which outrank numbers, unless the lower one is of a higher category (bool < integer < float).
#[derive(Clone, Copy, Debug, Default)]
pub struct ResultType {
    dimensioned: Option<DType>,
    zero_dim: Option<DType>,
    number: Option<DType>,
}

impl ResultType {
    /// Adds a tensor operand.
    #[inline]
    pub fn tensor(mut self, dtype: DType, ndim: usize) -> Self {
        let slot = if ndim == 0 { &mut self.zero_dim } else { &mut self.dimensioned };
        *slot = Some(slot.map_or(dtype, |d| promote_types(d, dtype)));
        self
    }

    /// Adds a number.
    #[inline]
    pub fn number(mut self, value: Scalar) -> Self {
        let dtype = value.dtype(default_dtype());
        self.number = Some(self.number.map_or(dtype, |d| promote_types(d, dtype)));
        self
    }

    /// The common dtype; the default float type without operands.
    #[inline]
    pub fn finish(self) -> DType {
        combine(self.dimensioned, combine(self.zero_dim, self.number)).unwrap_or_else(default_dtype)
    }
}

fn combine(higher: Option<DType>, lower: Option<DType>) -> Option<DType> {
    match (higher, lower) {
        (None, x) | (x, None) => x,
        (Some(h), Some(_)) if h.is_floating_point() => Some(h),
        (Some(h), Some(l)) if h == DType::Bool || l.is_floating_point() => Some(promote_types(h, l)),
        (h, _) => h,
    }
}

/// Whether a result of dtype `from` may be stored in place in a tensor of dtype `to`: not from float to integer, nor
/// from anything else to bool. PyTorch's `torch.can_cast`.
pub fn can_cast(from: DType, to: DType) -> bool {
    !(from.is_floating_point() && !to.is_floating_point() || from != DType::Bool && to == DType::Bool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DType::*;

    #[test]
    fn categories_decide_before_width() {
        let with_number = |d, n| ResultType::default().tensor(d, 1).number(n).finish();
        assert_eq!(with_number(F16, Scalar::Float(1.0)), F16);
        assert_eq!(with_number(I32, Scalar::Float(1.0)), F32);
        assert_eq!(with_number(U8, Scalar::Int(300)), U8);
        assert_eq!(with_number(Bool, Scalar::Int(1)), I64);
        let mixed = |d, z| ResultType::default().tensor(d, 2).tensor(z, 0).finish();
        assert_eq!(mixed(F32, F64), F32);
        assert_eq!(mixed(I64, F64), F64);
        assert_eq!(mixed(I8, I64), I8);
        assert_eq!(promote_types(U8, I8), I16);
        assert_eq!(promote_types(F16, BF16), F32);
    }
}
