//! Numbers that are not tensors.

use crate::DType;

/// A Python-like number: bool, integer or float. Integers never pass through a float, so that 2⁵³ + 1 survives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A Python `bool`.
    Bool(bool),
    /// A Python `int` that fits 64 bits.
    Int(i64),
    /// A Python `float`.
    Float(f64),
}

impl Scalar {
    /// The value as f64; integers above 2⁵³ round.
    #[inline]
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => f64::from(u8::from(b)),
            Scalar::Int(i) => i as f64,
            Scalar::Float(x) => x,
        }
    }

    /// The value as i64; floats truncate towards zero.
    #[inline]
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Bool(b) => i64::from(b),
            Scalar::Int(i) => i,
            Scalar::Float(x) => x as i64,
        }
    }

    /// Whether the value is not zero (NaN is not).
    #[inline]
    pub fn to_bool(self) -> bool {
        match self {
            Scalar::Bool(b) => b,
            Scalar::Int(i) => i != 0,
            Scalar::Float(x) => x != 0.0,
        }
    }

    /// The dtype that stands for this number's category in type promotion, given the default float type.
    #[inline]
    pub fn dtype(self, default_float: DType) -> DType {
        match self {
            Scalar::Bool(_) => DType::Bool,
            Scalar::Int(_) => DType::I64,
            Scalar::Float(_) => default_float,
        }
    }
}

macro_rules! from_number {
    ($($t:ty => $variant:ident),*) => {$(
        impl From<$t> for Scalar {
            #[inline]
            fn from(x: $t) -> Self { Scalar::$variant(x.into()) }
        }
    )*};
}
from_number!(bool => Bool, u8 => Int, i8 => Int, i16 => Int, i32 => Int, u32 => Int, i64 => Int, f32 => Float, f64 => Float);

impl From<usize> for Scalar {
    #[inline]
    fn from(x: usize) -> Self {
        Scalar::Int(x as i64)
    }
}
