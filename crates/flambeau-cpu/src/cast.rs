//! Conversion between element types, as `Tensor.to` does it.
//!
//! Floats become integers by truncation towards zero. Outside the integer's range (and for NaN) i64 gets `i64::MIN`; the
//! narrower types go through i32, get `i32::MIN` or its low bits there, and wrap: -1.0 becomes 255 in u8, 300.0 becomes
//! 44. That is what x86's conversions give, and PyTorch on it.

use crate::simd::{Kernel, Simd, dispatch};
use flambeau_tensor::DType;
use half::{bf16, f16};

/// A truth value in memory: 0 or 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Truth(pub u8);

/// How a type is reached from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// Compared with zero.
    Truth,
    /// From integers by wrapping, from floats by truncation.
    Int,
    /// f32 and the types that are rounded from it.
    Single,
    /// f64.
    Double,
}

/// An element in memory.
pub trait Number: Copy + Send + Sync + Default + PartialEq + 'static {
    /// The dtype of this representation.
    const DTYPE: DType;
    /// How values of other types become this one.
    const KIND: ElementKind;
    /// Through i64: integers wrap, floats truncate.
    fn to_i64(self) -> i64;
    /// Rounded to f32.
    fn to_f32(self) -> f32;
    /// Exact, except for i64.
    fn to_f64(self) -> f64;
    /// The low bits.
    fn from_i64(x: i64) -> Self;
    /// Rounded or truncated.
    fn from_f32(x: f32) -> Self;
    /// Rounded or truncated.
    fn from_f64(x: f64) -> Self;
    /// Whether the value is not zero; NaN is not.
    fn truth(self) -> bool;
}

/// x86's conversion: what does not fit becomes the smallest integer.
#[inline(always)]
fn truncate_to_i64(x: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x) {
        // SAFETY: the value fits.
        unsafe { x.to_int_unchecked() }
    } else {
        i64::MIN
    }
}

/// As [`truncate_to_i64`].
#[inline(always)]
fn truncate_to_i32(x: f64) -> i32 {
    if x > -2_147_483_649.0 && x < 2_147_483_648.0 {
        // SAFETY: the value fits once its fraction is gone.
        unsafe { x.to_int_unchecked() }
    } else {
        i32::MIN
    }
}

/// As [`truncate_to_i64`].
#[inline(always)]
fn truncate_f32_to_i32(x: f32) -> i32 {
    if (-2_147_483_648.0..2_147_483_648.0).contains(&x) {
        // SAFETY: the value fits.
        unsafe { x.to_int_unchecked() }
    } else {
        i32::MIN
    }
}

macro_rules! integer {
    ($($t:ty => $dtype:ident, |$x:ident| $from_f32:expr, $from_f64:expr;)*) => {$(
        impl Number for $t {
            const DTYPE: DType = DType::$dtype;
            const KIND: ElementKind = ElementKind::Int;
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
            #[inline(always)]
            fn to_f32(self) -> f32 { self as f32 }
            #[inline(always)]
            fn to_f64(self) -> f64 { self as f64 }
            #[inline(always)]
            fn from_i64(x: i64) -> Self { x as $t }
            #[inline(always)]
            fn from_f32($x: f32) -> Self { $from_f32 as $t }
            #[inline(always)]
            fn from_f64($x: f64) -> Self { $from_f64 as $t }
            #[inline(always)]
            fn truth(self) -> bool { self != 0 }
        }
    )*};
}
integer! {
    u8 => U8, |x| truncate_f32_to_i32(x), truncate_to_i32(x);
    i8 => I8, |x| truncate_f32_to_i32(x), truncate_to_i32(x);
    i16 => I16, |x| truncate_f32_to_i32(x), truncate_to_i32(x);
    i32 => I32, |x| truncate_f32_to_i32(x), truncate_to_i32(x);
    i64 => I64, |x| truncate_to_i64(f64::from(x)), truncate_to_i64(x);
}

macro_rules! float {
    ($($t:ty => $dtype:ident, $kind:ident, |$x:ident| $to_f32:expr, $to_f64:expr, $truth:expr, $from_i64:expr, $from_f32:expr, $from_f64:expr;)*) => {$(
        impl Number for $t {
            const DTYPE: DType = DType::$dtype;
            const KIND: ElementKind = ElementKind::$kind;
            #[inline(always)]
            fn to_i64(self) -> i64 { truncate_to_i64(self.to_f64()) }
            #[inline(always)]
            fn to_f32(self) -> f32 { let $x = self; $to_f32 }
            #[inline(always)]
            fn to_f64(self) -> f64 { let $x = self; $to_f64 }
            #[inline(always)]
            fn from_i64($x: i64) -> Self { $from_i64 }
            #[inline(always)]
            fn from_f32($x: f32) -> Self { $from_f32 }
            #[inline(always)]
            fn from_f64($x: f64) -> Self { $from_f64 }
            #[inline(always)]
            fn truth(self) -> bool { let $x = self; $truth }
        }
    )*};
}
float! {
    f32 => F32, Single, |x| x, f64::from(x), x != 0.0, x as f32, x, x as f32;
    f64 => F64, Double, |x| x as f32, x, x != 0.0, x as f64, f64::from(x), x;
    f16 => F16, Single, |x| widen_f16(x), f64::from(widen_f16(x)), x.to_bits() & 0x7fff != 0, narrow_f16(x as f32), narrow_f16(x), narrow_f16(x as f32);
    bf16 => BF16, Single, |x| widen_bf16(x), f64::from(widen_bf16(x)), x.to_bits() & 0x7fff != 0, narrow_bf16(x as f32), narrow_bf16(x), narrow_bf16(x as f32);
}

impl Number for Truth {
    const DTYPE: DType = DType::Bool;
    const KIND: ElementKind = ElementKind::Truth;
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self.0)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from(self.0)
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }
    #[inline(always)]
    fn from_i64(x: i64) -> Self {
        Truth(u8::from(x != 0))
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        Truth(u8::from(x != 0.0))
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        Truth(u8::from(x != 0.0))
    }
    #[inline(always)]
    fn truth(self) -> bool {
        self.0 != 0
    }
}

/// Exact.
#[inline(always)]
fn widen_bf16(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}

/// Exact, without branches, so that loops over it vectorise.
#[inline(always)]
fn widen_f16(x: f16) -> f32 {
    let bits = u32::from(x.to_bits());
    let magnitude = (bits & 0x7fff) << 13;
    // 2¹¹² moves the exponent's bias from 15 to 127 and normalises subnormals.
    const TWO_TO_112: f32 = f32::from_bits((127 + 112) << 23);
    let finite = (f32::from_bits(magnitude) * TWO_TO_112).to_bits();
    let value = if bits & 0x7c00 == 0x7c00 { magnitude | 0x7f80_0000 } else { finite };
    f32::from_bits(value | (bits & 0x8000) << 16)
}

/// Rounds to nearest, ties to even, without branches.
#[inline(always)]
fn narrow_f16(x: f32) -> f16 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let special = if magnitude > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    // Adding ½ puts a subnormal's digits where the addition itself rounds them.
    let small = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
    let odd = magnitude >> 13 & 1;
    let normal = magnitude.wrapping_add(0xc800_0fff).wrapping_add(odd) >> 13;
    let finite = if magnitude < 0x3880_0000 { small } else { normal };
    let value = if magnitude >= 0x4780_0000 { special } else { finite };
    f16::from_bits((value | bits >> 16 & 0x8000) as u16)
}

/// Rounds to nearest, ties to even, without branches.
#[inline(always)]
fn narrow_bf16(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff).wrapping_add(bits >> 16 & 1) >> 16;
    let nan = bits & 0x7fff_ffff > 0x7f80_0000;
    bf16::from_bits(if nan { 0x7fc0 } else { rounded as u16 })
}

/// One value converted.
#[inline(always)]
pub fn cast<A: Number, B: Number>(x: A) -> B {
    match B::KIND {
        ElementKind::Truth => B::from_i64(i64::from(x.truth())),
        ElementKind::Int => match A::KIND {
            ElementKind::Truth | ElementKind::Int => B::from_i64(x.to_i64()),
            ElementKind::Single => B::from_f32(x.to_f32()),
            ElementKind::Double => B::from_f64(x.to_f64()),
        },
        ElementKind::Single => B::from_f32(x.to_f32()),
        ElementKind::Double => B::from_f64(x.to_f64()),
    }
}

struct CastSlice<'a, A, B> {
    src: &'a [A],
    out: &'a mut [B],
}

impl<A: Number, B: Number> Kernel for CastSlice<'_, A, B> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (y, &x) in self.out.iter_mut().zip(self.src) {
            *y = cast(x);
        }
    }
}

/// out\[i\] = src\[i\], converted.
pub fn cast_slice<A: Number, B: Number>(src: &[A], out: &mut [B]) {
    dispatch(CastSlice { src, out });
}

/// A computation that is compiled for each element type and chosen by dtype at run time.
pub trait ForDType {
    /// What it returns.
    type Output;
    /// The work for one type.
    fn run<T: Number>(self) -> Self::Output;
}

/// Runs `f` for the type that represents `dtype` in memory.
#[inline]
pub fn for_dtype<F: ForDType>(dtype: DType, f: F) -> F::Output {
    match dtype {
        DType::Bool => f.run::<Truth>(),
        DType::U8 => f.run::<u8>(),
        DType::I8 => f.run::<i8>(),
        DType::I16 => f.run::<i16>(),
        DType::I32 => f.run::<i32>(),
        DType::I64 => f.run::<i64>(),
        DType::F16 => f.run::<f16>(),
        DType::BF16 => f.run::<bf16>(),
        DType::F32 => f.run::<f32>(),
        DType::F64 => f.run::<f64>(),
    }
}

struct CastTo<A> {
    src: *const A,
    out: *mut u8,
    n: usize,
}

impl<A: Number> ForDType for CastTo<A> {
    type Output = ();
    fn run<B: Number>(self) {
        // SAFETY: `cast_raw`'s contract.
        unsafe {
            let src = std::slice::from_raw_parts(self.src, self.n);
            cast_slice(src, std::slice::from_raw_parts_mut(self.out.cast::<B>(), self.n));
        }
    }
}

struct CastFrom {
    src: *const u8,
    to: DType,
    out: *mut u8,
    n: usize,
}

impl ForDType for CastFrom {
    type Output = ();
    fn run<A: Number>(self) {
        for_dtype(self.to, CastTo::<A> { src: self.src.cast(), out: self.out, n: self.n });
    }
}

/// Converts `n` elements that lie side by side.
///
/// # Safety
/// `src` and `out` are aligned and valid for `n` elements of their dtypes, and do not overlap.
pub unsafe fn cast_raw(from: DType, src: *const u8, to: DType, out: *mut u8, n: usize) {
    if from == to {
        // SAFETY: the caller's contract.
        return unsafe { std::ptr::copy_nonoverlapping(src, out, n * from.size()) };
    }
    for_dtype(from, CastFrom { src, to, out, n });
}

/// Copies `n` elements of `size` bytes between strides (in elements).
///
/// # Safety
/// Both pointers are aligned to `size` and valid at every position that is visited; the positions do not overlap.
pub unsafe fn copy_strided(size: usize, src: *const u8, from: usize, out: *mut u8, to: usize, n: usize) {
    /// # Safety
    /// As the outer function.
    unsafe fn run<T: Copy>(src: *const u8, from: usize, out: *mut u8, to: usize, n: usize) {
        let (src, out) = (src.cast::<T>(), out.cast::<T>());
        for i in 0..n {
            // SAFETY: the caller's contract.
            unsafe { *out.add(i * to) = *src.add(i * from) };
        }
    }
    // SAFETY: the caller's contract.
    unsafe {
        match size {
            _ if from == 1 && to == 1 && n > 16 => std::ptr::copy_nonoverlapping(src, out, n * size),
            1 => run::<u8>(src, from, out, to, n),
            2 => run::<u16>(src, from, out, to, n),
            4 => run::<u32>(src, from, out, to, n),
            _ => run::<u64>(src, from, out, to, n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_convert_as_the_half_crate_does() {
        for bits in 0..=u16::MAX {
            let x = f16::from_bits(bits);
            if !x.is_nan() {
                assert_eq!(widen_f16(x).to_bits(), x.to_f32().to_bits(), "{bits:x}");
                assert_eq!(narrow_f16(x.to_f32()).to_bits(), bits);
            }
            assert_eq!(widen_f16(x).is_nan(), x.is_nan());
        }
        for i in 0..2_000_000u32 {
            let x = f32::from_bits(i.wrapping_mul(2_147_483_659).wrapping_add(i << 7));
            if x.is_nan() {
                assert!(narrow_f16(x).is_nan() && narrow_bf16(x).is_nan());
            } else {
                assert_eq!(narrow_f16(x).to_bits(), f16::from_f32_const(x).to_bits(), "{x:e}");
                assert_eq!(narrow_bf16(x).to_bits(), bf16::from_f32(x).to_bits(), "{x:e}");
            }
        }
    }
}
