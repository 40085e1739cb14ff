//! Numbers that may be tensors of one element: learning rates, and what L-BFGS computes with.

use crate::error::Result;
use flambeau_autograd::Tensor;
use flambeau_tensor::{DType, Scalar};
use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A Python number, or the element of a tensor. An operation with a tensor rounds its operands and its result to the tensor's
/// dtype, as PyTorch's operation on a 0-dim tensor does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Num {
    Number(Scalar),
    Tensor(f64, DType),
}

impl Num {
    /// A tensor's only element.
    pub fn of(x: &Tensor) -> Result<Self> {
        Ok(Num::Tensor(x.array().item()?.to_f64(), x.dtype()))
    }

    pub fn to_f64(self) -> f64 {
        match self {
            Num::Number(x) => x.to_f64(),
            Num::Tensor(x, _) => x,
        }
    }

    fn dtype(self) -> Option<DType> {
        if let Num::Tensor(_, dtype) = self { Some(dtype) } else { None }
    }

    /// `f` of two numbers, in the dtype that they have together.
    fn with(self, other: Num, f: impl Fn(f64, f64) -> f64) -> Num {
        let (a, b, dtype) = self.beside(other);
        match dtype {
            Some(dtype) => Num::Tensor(rounded(f(a, b), dtype), dtype),
            None => f(a, b).into(),
        }
    }

    /// `f` of the number, in its dtype.
    fn map(self, f: impl Fn(f64) -> f64) -> Num {
        match self {
            Num::Number(x) => f(x.to_f64()).into(),
            Num::Tensor(x, dtype) => Num::Tensor(rounded(f(x), dtype), dtype),
        }
    }

    /// Both as an operation sees them, and the dtype of its result.
    fn beside(self, other: Num) -> (f64, f64, Option<DType>) {
        let dtype = match (self.dtype(), other.dtype()) {
            (Some(a), Some(b)) if a == b => Some(a),
            (Some(DType::F64), Some(_)) | (Some(_), Some(DType::F64)) => Some(DType::F64),
            (Some(_), Some(_)) => Some(DType::F32),
            (a, b) => a.or(b),
        };
        let seen = |x: f64| dtype.map_or(x, |dtype| rounded(x, dtype));
        (seen(self.to_f64()), seen(other.to_f64()), dtype)
    }

    pub fn abs(self) -> Num {
        self.map(f64::abs)
    }

    pub fn sqrt(self) -> Num {
        self.map(f64::sqrt)
    }

    pub fn pow(self, exponent: f64) -> Num {
        self.with(exponent.into(), f64::powf)
    }

    /// Python's `min`, which keeps the first of two that do not compare.
    pub fn min(self, other: impl Into<Num>) -> Num {
        let other = other.into();
        if other < self { other } else { self }
    }

    /// Python's `max`.
    pub fn max(self, other: impl Into<Num>) -> Num {
        let other = other.into();
        if other > self { other } else { self }
    }
}

fn rounded(x: f64, dtype: DType) -> f64 {
    Scalar::Float(x).cast(dtype).to_f64()
}

impl From<f64> for Num {
    fn from(x: f64) -> Self {
        Num::Number(x.into())
    }
}

impl PartialEq for Num {
    fn eq(&self, other: &Self) -> bool {
        let (a, b, _) = self.beside(*other);
        a == b
    }
}

impl PartialOrd for Num {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (a, b, _) = self.beside(*other);
        a.partial_cmp(&b)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident),*) => {$(
        impl<R: Into<Num>> $trait<R> for Num {
            type Output = Num;
            fn $method(self, other: R) -> Num {
                self.with(other.into(), |a, b| $trait::$method(a, b))
            }
        }
        impl $trait<Num> for f64 {
            type Output = Num;
            fn $method(self, other: Num) -> Num {
                Num::from(self).$method(other)
            }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl Neg for Num {
    type Output = Num;
    fn neg(self) -> Num {
        self.map(|x| -x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PyTorch 2.15: `torch.tensor(0.1) / (1 - 0.9)`, `min(1.0, torch.tensor(2.0))`, `torch.tensor(0.1) < 0.1`.
    #[test]
    fn tensors_round_and_python_numbers_do_not() {
        let tensor = |x: f64| Num::Tensor(f64::from(x as f32), DType::F32);
        assert_eq!((tensor(0.1) / (1.0 - 0.9)).to_f64(), f64::from(0.1_f32 / 0.1_f32));
        assert_eq!((Num::from(0.1) / 0.3).to_f64(), 0.1 / 0.3);
        assert!(matches!(Num::from(1.0).min(tensor(2.0)), Num::Number(_)));
        assert!(matches!(Num::from(1.0).min(tensor(0.5)), Num::Tensor(..)));
        assert!(tensor(0.1) == Num::from(0.1) && (tensor(0.1) >= Num::from(0.1)));
        assert_eq!((tensor(0.1) * Num::Tensor(0.1, DType::F64)).to_f64(), f64::from(0.1_f32) * 0.1);
        assert!(matches!(Num::from(1.0).max(f64::NAN), Num::Number(Scalar::Float(x)) if x == 1.0));
    }
}
