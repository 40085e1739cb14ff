//! The types that programs compute in, and the loops over them.

use crate::cast::Number;
use crate::reduce::fold::Accumulator;
use crate::simd::{Kernel, Simd, dispatch};
use flambeau_tensor::pointwise::{BinaryOp, UnaryOp};
use flambeau_tensor::{DType, Scalar};
use half::{bf16, f16};

/// An operand of a loop: elements side by side, or one value for all.
#[derive(Clone, Copy, Debug)]
pub enum Src<'a, T> {
    /// As many elements as the loop has steps.
    Slice(&'a [T]),
    /// The same value at each step.
    Splat(T),
}

/// Why a loop stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroDivision;

/// A type that programs compute in.
pub trait Lane: Number + PartialOrd + Accumulator {
    /// The scalar, converted as PyTorch converts numbers.
    fn from_scalar(s: Scalar) -> Self;
    /// out\[i\] = op(a\[i\]).
    fn unary<S: Simd>(op: UnaryOp, a: &[Self], out: &mut [Self]);
    /// out\[i\] = op(a\[i\], b\[i\]). Integers refuse to divide by zero.
    fn binary<S: Simd>(op: BinaryOp, a: Src<'_, Self>, b: Src<'_, Self>, out: &mut [Self]) -> Result<(), ZeroDivision>;
}

/// One or zero.
#[inline(always)]
pub fn truth<T: Number>(b: bool) -> T {
    if b { T::from_i64(1) } else { T::from_i64(0) }
}

/// out\[i\] = f(a\[i\]).
#[inline(always)]
pub fn map<T: Copy>(a: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in out.iter_mut().zip(a) {
        *y = f(x);
    }
}

/// out\[i\] = f(a\[i\], b\[i\]).
#[inline(always)]
pub fn zip<T: Copy>(a: Src<'_, T>, b: Src<'_, T>, out: &mut [T], f: impl Fn(T, T) -> T) {
    match (a, b) {
        (Src::Slice(a), Src::Slice(b)) => {
            for ((z, &x), &y) in out.iter_mut().zip(a).zip(b) {
                *z = f(x, y);
            }
        }
        (Src::Slice(a), Src::Splat(y)) => {
            for (z, &x) in out.iter_mut().zip(a) {
                *z = f(x, y);
            }
        }
        (Src::Splat(x), Src::Slice(b)) => {
            for (z, &y) in out.iter_mut().zip(b) {
                *z = f(x, y);
            }
        }
        (Src::Splat(x), Src::Splat(y)) => out.fill(f(x, y)),
    }
}

/// [`Lane::unary`], compiled for each instruction set.
pub struct UnaryLoop<'a, T> {
    /// The function.
    pub op: UnaryOp,
    /// Its argument.
    pub a: &'a [T],
    /// Its result.
    pub out: &'a mut [T],
}

impl<T: Lane> Kernel for UnaryLoop<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        T::unary::<S>(self.op, self.a, self.out);
    }
}

/// [`Lane::binary`], compiled for each instruction set.
pub struct BinaryLoop<'a, T> {
    /// The function.
    pub op: BinaryOp,
    /// Its first argument.
    pub a: Src<'a, T>,
    /// Its second argument.
    pub b: Src<'a, T>,
    /// Its result.
    pub out: &'a mut [T],
}

impl<T: Lane> Kernel for BinaryLoop<'_, T> {
    type Output = Result<(), ZeroDivision>;
    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        T::binary::<S>(self.op, self.a, self.b, self.out)
    }
}

/// out\[i\] = c\[i\] ≠ 0 ? a\[i\] : b\[i\], compiled for each instruction set.
pub struct SelectLoop<'a, T> {
    /// The condition.
    pub c: &'a [T],
    /// Taken where it holds.
    pub a: Src<'a, T>,
    /// Taken elsewhere.
    pub b: Src<'a, T>,
    /// The result.
    pub out: &'a mut [T],
}

impl<T: Lane> Kernel for SelectLoop<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        select(self.c, self.a, self.b, self.out);
    }
}

#[inline(always)]
fn select<T: Number>(c: &[T], a: Src<'_, T>, b: Src<'_, T>, out: &mut [T]) {
    let steps = out.iter_mut().zip(c);
    match (a, b) {
        (Src::Slice(a), Src::Slice(b)) => {
            for (((z, &c), &x), &y) in steps.zip(a).zip(b) {
                *z = if c.truth() { x } else { y };
            }
        }
        (Src::Slice(a), Src::Splat(y)) => {
            for ((z, &c), &x) in steps.zip(a) {
                *z = if c.truth() { x } else { y };
            }
        }
        (Src::Splat(x), Src::Slice(b)) => {
            for ((z, &c), &y) in steps.zip(b) {
                *z = if c.truth() { x } else { y };
            }
        }
        (Src::Splat(x), Src::Splat(y)) => {
            for (z, &c) in steps {
                *z = if c.truth() { x } else { y };
            }
        }
    }
}

/// Runs one unary step.
#[inline]
pub fn unary<T: Lane>(op: UnaryOp, a: Src<'_, T>, out: &mut [T]) {
    match a {
        Src::Slice(a) => dispatch(UnaryLoop { op, a, out }),
        Src::Splat(x) => {
            let mut y = [x];
            dispatch(UnaryLoop { op, a: &[x], out: &mut y });
            out.fill(y[0]);
        }
    }
}

/// Runs one binary step.
#[inline]
pub fn binary<T: Lane>(op: BinaryOp, a: Src<'_, T>, b: Src<'_, T>, out: &mut [T]) -> Result<(), ZeroDivision> {
    dispatch(BinaryLoop { op, a, b, out })
}

/// Runs one select.
#[inline]
pub fn choose<T: Lane>(c: Src<'_, T>, a: Src<'_, T>, b: Src<'_, T>, out: &mut [T]) {
    match c {
        Src::Slice(c) => dispatch(SelectLoop { c, a, b, out }),
        Src::Splat(c) => match if c.truth() { a } else { b } {
            Src::Slice(x) => out.copy_from_slice(x),
            Src::Splat(x) => out.fill(x),
        },
    }
}

/// out\[i\] = a\[i\] as a 16-bit type holds it, compiled for each instruction set.
struct RoundLoop<'a, T> {
    dtype: DType,
    a: Src<'a, T>,
    out: &'a mut [T],
}

impl<T: Lane> Kernel for RoundLoop<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        // f32 keeps every value of both types.
        match (self.a, self.dtype) {
            (Src::Slice(a), DType::F16) => map(a, self.out, |x| T::from_f32(through::<f16>(x.to_f32()))),
            (Src::Slice(a), DType::BF16) => map(a, self.out, |x| T::from_f32(through::<bf16>(x.to_f32()))),
            (Src::Slice(a), _) => self.out.copy_from_slice(a),
            (Src::Splat(x), DType::F16) => self.out.fill(T::from_f32(through::<f16>(x.to_f32()))),
            (Src::Splat(x), DType::BF16) => self.out.fill(T::from_f32(through::<bf16>(x.to_f32()))),
            (Src::Splat(x), _) => self.out.fill(x),
        }
    }
}

#[inline(always)]
fn through<H: Number>(x: f32) -> f32 {
    H::from_f32(x).to_f32()
}

/// Runs one rounding step.
#[inline]
pub fn round<T: Lane>(dtype: DType, a: Src<'_, T>, out: &mut [T]) {
    dispatch(RoundLoop { dtype, a, out });
}

/// What is to be computed in a [`Lane`] type that is chosen at run time.
pub trait ForLane {
    /// What it returns.
    type Output;
    /// The work in one type.
    fn run<T: Lane>(self) -> Self::Output;
}

/// Runs `f` in the type that programs of dtype `compute` work in: f32 for f16 and bf16, u8 for bool.
#[inline]
pub fn for_lane<F: ForLane>(compute: DType, f: F) -> F::Output {
    match compute {
        DType::F32 | DType::F16 | DType::BF16 => f.run::<f32>(),
        DType::F64 => f.run::<f64>(),
        DType::I64 => f.run::<i64>(),
        DType::I32 => f.run::<i32>(),
        DType::I16 => f.run::<i16>(),
        DType::I8 => f.run::<i8>(),
        DType::U8 | DType::Bool => f.run::<u8>(),
    }
}
