//! The scalar functions on floats.

use super::lane::{Lane, Src, ZeroDivision, map, truth, zip};
use crate::cast::Number;
use crate::math;
use crate::simd::Simd;
use flambeau_tensor::pointwise::{BinaryOp, UnaryOp};
use flambeau_tensor::{Element, Scalar};
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

/// f32 or f64: arithmetic and the functions of [`math`].
pub trait Float:
    Number
    + PartialOrd
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Rem<Output = Self>
{
    /// 0
    const ZERO: Self;
    /// ½
    const HALF: Self;
    /// 1
    const ONE: Self;
    /// ∞
    const INFINITY: Self;
    /// -∞
    const NEG_INFINITY: Self;
    #[doc(hidden)]
    fn abs(self) -> Self;
    #[doc(hidden)]
    fn sqrt(self) -> Self;
    #[doc(hidden)]
    fn floor(self) -> Self;
    #[doc(hidden)]
    fn ceil(self) -> Self;
    #[doc(hidden)]
    fn trunc(self) -> Self;
    #[doc(hidden)]
    fn round_ties_even(self) -> Self;
    #[doc(hidden)]
    fn copysign(self, sign: Self) -> Self;
    /// A function of [`math`].
    fn math<S: Simd>(self, f: Function) -> Self;
    /// aᵇ
    fn pow<S: Simd>(self, b: Self) -> Self;
    /// The angle of (x, self).
    fn atan2<S: Simd>(self, x: Self) -> Self;

    /// Whether the value is NaN.
    #[inline(always)]
    #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
    fn nan(self) -> bool {
        self != self
    }
}

/// Makes, of the functions of [`math`] that both float types have, a name for each, and all functions of one number.
macro_rules! functions {
    ($($variant:ident $f32:ident $f64:ident;)*) => {
        /// A function of [`math`]; a constant wherever it is used, so that the choice is compiled away.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names are the functions")]
        pub enum Function {
            $($variant,)*
        }

        float!(f32, pow_f32, atan2_f32, $($variant $f32;)*);
        float!(f64, pow_f64, atan2_f64, $($variant $f64;)*);

        #[inline(always)]
        fn unary<F: Float, S: Simd>(op: UnaryOp, a: &[F], out: &mut [F]) {
            use UnaryOp::*;
            match op {
                Neg => map(a, out, |x| -x),
                Abs => map(a, out, F::abs),
                Sign => map(a, out, |x| truth::<F>(x > F::ZERO) - truth::<F>(x < F::ZERO)),
                Reciprocal => map(a, out, |x| F::ONE / x),
                Sqrt => map(a, out, F::sqrt),
                $($variant => map(a, out, |x| x.math::<S>(Function::$variant)),)*
                Floor => map(a, out, F::floor),
                Ceil => map(a, out, F::ceil),
                Round => map(a, out, F::round_ties_even),
                Trunc => map(a, out, F::trunc),
                Relu => map(a, out, |x| if x < F::ZERO { F::ZERO } else { x }),
                IsNan => map(a, out, |x| truth(x.nan())),
                IsInf => map(a, out, |x| truth(x.abs() == F::INFINITY)),
                IsFinite => map(a, out, |x| truth(x.abs() < F::INFINITY)),
                // Flipping the bits of a float has no meaning; the layer above refuses it.
                LogicalNot | BitwiseNot => map(a, out, |x| truth(x == F::ZERO)),
            }
        }
    };
}

macro_rules! float {
    ($t:ident, $pow:ident, $atan2:ident, $($variant:ident $function:ident;)*) => {
        impl Float for $t {
            const ZERO: Self = 0.0;
            const HALF: Self = 0.5;
            const ONE: Self = 1.0;
            const INFINITY: Self = $t::INFINITY;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            #[inline(always)]
            fn abs(self) -> Self { $t::abs(self) }
            #[inline(always)]
            fn sqrt(self) -> Self { $t::sqrt(self) }
            #[inline(always)]
            fn floor(self) -> Self { $t::floor(self) }
            #[inline(always)]
            fn ceil(self) -> Self { $t::ceil(self) }
            #[inline(always)]
            fn trunc(self) -> Self { $t::trunc(self) }
            #[inline(always)]
            fn round_ties_even(self) -> Self { $t::round_ties_even(self) }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self { $t::copysign(self, sign) }
            #[inline(always)]
            fn math<S: Simd>(self, f: Function) -> Self {
                match f { $(Function::$variant => math::$function::<S>(self),)* }
            }
            #[inline(always)]
            fn pow<S: Simd>(self, b: Self) -> Self { math::$pow::<S>(self, b) }
            #[inline(always)]
            fn atan2<S: Simd>(self, x: Self) -> Self { math::$atan2::<S>(self, x) }
        }

        impl Lane for $t {
            #[inline]
            fn from_scalar(s: Scalar) -> Self { Element::from_scalar(s) }
            #[inline(always)]
            fn unary<S: Simd>(op: UnaryOp, a: &[Self], out: &mut [Self]) { unary::<$t, S>(op, a, out); }
            #[inline(always)]
            fn binary<S: Simd>(op: BinaryOp, a: Src<'_, Self>, b: Src<'_, Self>, out: &mut [Self]) -> Result<(), ZeroDivision> {
                binary::<$t, S>(op, a, b, out);
                Ok(())
            }
        }
    };
}

math::table!(functions);

#[inline(always)]
fn binary<F: Float, S: Simd>(op: BinaryOp, a: Src<'_, F>, b: Src<'_, F>, out: &mut [F]) {
    use BinaryOp::*;
    match op {
        Add => zip(a, b, out, |x, y| x + y),
        Sub => zip(a, b, out, |x, y| x - y),
        Mul => zip(a, b, out, |x, y| x * y),
        Div => zip(a, b, out, |x, y| x / y),
        FloorDiv => zip(a, b, out, floor_div),
        Remainder => zip(a, b, out, remainder),
        Fmod => zip(a, b, out, |x, y| x % y),
        Pow => pow::<F, S>(a, b, out),
        Maximum => zip(a, b, out, maximum),
        Minimum => zip(a, b, out, minimum),
        Atan2 => zip(a, b, out, |y, x| y.atan2::<S>(x)),
        Eq => zip(a, b, out, |x, y| truth(x == y)),
        Ne => zip(a, b, out, |x, y| truth(x != y)),
        Lt => zip(a, b, out, |x, y| truth(x < y)),
        Le => zip(a, b, out, |x, y| truth(x <= y)),
        Gt => zip(a, b, out, |x, y| truth(x > y)),
        Ge => zip(a, b, out, |x, y| truth(x >= y)),
        // Bits of floats have no meaning; the layer above refuses them.
        LogicalAnd | BitwiseAnd => zip(a, b, out, |x, y| truth((x != F::ZERO) & (y != F::ZERO))),
        LogicalOr | BitwiseOr => zip(a, b, out, |x, y| truth((x != F::ZERO) | (y != F::ZERO))),
        LogicalXor | BitwiseXor => zip(a, b, out, |x, y| truth((x != F::ZERO) != (y != F::ZERO))),
    }
}

/// The larger; NaN if either is.
#[inline(always)]
pub fn maximum<F: Float>(x: F, y: F) -> F {
    let larger = if x > y { x } else { y };
    let larger = if x == y { x } else { larger };
    if x.nan() { x } else { larger }
}

/// The smaller; NaN if either is.
#[inline(always)]
pub fn minimum<F: Float>(x: F, y: F) -> F {
    let smaller = if x < y { x } else { y };
    let smaller = if x == y { x } else { smaller };
    if x.nan() { x } else { smaller }
}

/// `c10::div_floor_floating`: Python's `//`.
#[inline(always)]
fn floor_div<F: Float>(a: F, b: F) -> F {
    if b == F::ZERO {
        return a / b;
    }
    let rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != F::ZERO && (b < F::ZERO) != (rest < F::ZERO) {
        quotient = quotient - F::ONE;
    }
    if quotient == F::ZERO {
        return F::ZERO.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > F::HALF { floor + F::ONE } else { floor }
}

/// Python's `%`.
#[inline(always)]
fn remainder<F: Float>(a: F, b: F) -> F {
    let rest = a % b;
    if rest != F::ZERO && (b < F::ZERO) != (rest < F::ZERO) { rest + b } else { rest }
}

/// Exponents that are plain arithmetic are computed as PyTorch does.
#[inline(always)]
fn pow<F: Float, S: Simd>(a: Src<'_, F>, b: Src<'_, F>, out: &mut [F]) {
    if let (Src::Slice(a), Src::Splat(exponent)) = (a, b) {
        let exponent = exponent.to_f64();
        if exponent == 2.0 {
            return map(a, out, |x| x * x);
        } else if exponent == 3.0 {
            return map(a, out, |x| x * x * x);
        } else if exponent == 0.5 {
            return map(a, out, F::sqrt);
        } else if exponent == -1.0 {
            return map(a, out, |x| F::ONE / x);
        } else if exponent == -2.0 {
            return map(a, out, |x| F::ONE / (x * x));
        } else if exponent == -0.5 {
            return map(a, out, |x| x.math::<S>(Function::Rsqrt));
        }
    }
    zip(a, b, out, |x, y| x.pow::<S>(y));
}
