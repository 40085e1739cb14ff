//! The element types that random fills write.

use half::{bf16, f16};

use super::generator::GeneratorState;
use super::normal_f32::box_muller;
use crate::{DType, Element};

/// A type that integer draws convert to.
pub trait RandomElement: Element {
    /// PyTorch's `static_cast` of an int64: wraps into narrower integers, rounds once into floats.
    fn from_i64(value: i64) -> Self;
}

macro_rules! random_element {
    ($($t:ty: |$x:ident| $from:expr),* $(,)?) => {$(
        impl RandomElement for $t {
            #[inline]
            fn from_i64($x: i64) -> Self { $from }
        }
    )*};
}
random_element! {
    bool: |x| x != 0,
    u8: |x| x as u8,
    i8: |x| x as i8,
    i16: |x| x as i16,
    i32: |x| x as i32,
    i64: |x| x,
    f16: |x| f16::from_f32(x as f32),
    bf16: |x| bf16::from_f32(x as f32),
    f32: |x| x as f32,
    f64: |x| x as f64,
}

/// A floating-point element; f16 and bf16 are drawn in f32 and rounded once.
pub trait RandomFloat: RandomElement {
    /// The type that samples are computed in.
    type Real: Real;
    /// A sample rounded to the element type.
    fn from_real(value: Self::Real) -> Self;
    /// The element as a sample.
    fn to_real(self) -> Self::Real;
}

macro_rules! random_float {
    ($($t:ty as $real:ty: |$x:ident| $from:expr, $to:expr);* $(;)?) => {$(
        impl RandomFloat for $t {
            type Real = $real;
            #[inline]
            fn from_real($x: $real) -> Self { $from }
            #[inline]
            fn to_real(self) -> $real { let $x = self; $to }
        }
    )*};
}
random_float! {
    f16 as f32: |x| f16::from_f32(x), x.to_f32();
    bf16 as f32: |x| bf16::from_f32(x), x.to_f32();
    f32 as f32: |x| x, x;
    f64 as f64: |x| x, x;
}

/// f32 or f64: a type that samples are computed in.
pub trait Real: Copy + Default + PartialOrd {
    /// The value rounded to this type.
    fn from_f64(value: f64) -> Self;
    /// The value as f64.
    fn to_f64(self) -> f64;
    /// Uniform on [0, 1).
    fn uniform(state: &mut GeneratorState) -> Self;
    /// `self * (to - from) + from`, rounded as PyTorch's build does, with a fused multiply-add.
    fn scale(self, from: Self, to: Self) -> Self;
    /// Turns 16 uniforms on [0, 1) into 16 normals: `x[j]` and `x[j + 8]` make the cosine and the sine of pair j.
    fn box_muller(x: &mut [Self; 16], mean: Self, std: Self);
}

impl Real for f32 {
    #[inline]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn uniform(state: &mut GeneratorState) -> Self {
        state.uniform_f32()
    }
    #[inline]
    fn scale(self, from: Self, to: Self) -> Self {
        self.mul_add(to - from, from)
    }
    #[inline]
    fn box_muller(x: &mut [Self; 16], mean: Self, std: Self) {
        box_muller(x, mean, std);
    }
}

impl Real for f64 {
    #[inline]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline]
    fn uniform(state: &mut GeneratorState) -> Self {
        state.uniform_f64()
    }
    #[inline]
    fn scale(self, from: Self, to: Self) -> Self {
        self.mul_add(to - from, from)
    }
    #[inline]
    fn box_muller(x: &mut [Self; 16], mean: Self, std: Self) {
        for j in 0..8 {
            let radius = (-2.0 * (1.0 - x[j]).ln()).sqrt();
            let theta = 2.0 * std::f64::consts::PI * x[j + 8];
            x[j] = (radius * theta.cos()).mul_add(std, mean);
            x[j + 8] = (radius * theta.sin()).mul_add(std, mean);
        }
    }
}

/// The smallest and largest value of a dtype as f64, and the digits of its significand (PyTorch's `numeric_limits`).
pub(super) struct Limits {
    pub min: f64,
    pub max: f64,
    pub digits: u32,
}

impl Limits {
    pub(super) fn of(dtype: DType) -> Self {
        let digits = match dtype {
            DType::Bool => 1,
            DType::U8 | DType::BF16 => 8,
            DType::I8 => 7,
            DType::I16 => 15,
            DType::I32 => 31,
            DType::I64 => 63,
            DType::F16 => 11,
            DType::F32 => 24,
            DType::F64 => 53,
        };
        let (min, max) = dtype.range();
        Self { min, max, digits }
    }
}
