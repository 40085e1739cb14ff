//! The loops of a reduction: how values combine, across lanes and across rows.

use crate::cast::Number;
use crate::pointwise::lane::Lane;
use crate::pointwise::{maximum, minimum};
use crate::simd::{Kernel, Simd, dispatch};
use flambeau_tensor::DType;
use flambeau_tensor::backend::ReduceOp;

/// How two values combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// a + b
    Sum,
    /// a · b
    Prod,
    /// The larger; NaN wins.
    Max,
    /// The smaller; NaN wins.
    Min,
}

impl Fold {
    /// On truth values, any is a maximum and all a minimum.
    pub fn of(op: ReduceOp) -> Fold {
        match op {
            ReduceOp::Sum => Fold::Sum,
            ReduceOp::Prod => Fold::Prod,
            ReduceOp::Max | ReduceOp::Any => Fold::Max,
            ReduceOp::Min | ReduceOp::All => Fold::Min,
        }
    }
}

/// A type that reductions accumulate in.
pub trait Accumulator: Number {
    /// a ⊕ b.
    fn combine(fold: Fold, a: Self, b: Self) -> Self;
    /// The smallest and the largest value.
    const BOUNDS: (Self, Self);

    /// The value that changes nothing; for `dtype` bool among 0 and 1.
    fn neutral(fold: Fold, dtype: DType) -> Self {
        match fold {
            Fold::Sum => Self::from_i64(0),
            Fold::Prod => Self::from_i64(1),
            Fold::Min if dtype == DType::Bool => Self::from_i64(1),
            Fold::Max => Self::BOUNDS.0,
            Fold::Min => Self::BOUNDS.1,
        }
    }
}

macro_rules! accumulator {
    ($($t:ident: $min:expr, $max:expr, $add:expr, $mul:expr, $larger:expr, $smaller:expr;)*) => {$(
        impl Accumulator for $t {
            const BOUNDS: (Self, Self) = ($min, $max);
            #[inline(always)]
            fn combine(fold: Fold, a: Self, b: Self) -> Self {
                match fold {
                    Fold::Sum => $add(a, b),
                    Fold::Prod => $mul(a, b),
                    Fold::Max => $larger(a, b),
                    Fold::Min => $smaller(a, b),
                }
            }
        }
    )*};
}
accumulator! {
    f32: f32::NEG_INFINITY, f32::INFINITY, |a, b| a + b, |a, b| a * b, maximum, minimum;
    f64: f64::NEG_INFINITY, f64::INFINITY, |a, b| a + b, |a, b| a * b, maximum, minimum;
    i64: i64::MIN, i64::MAX, i64::wrapping_add, i64::wrapping_mul, Ord::max, Ord::min;
    i32: i32::MIN, i32::MAX, i32::wrapping_add, i32::wrapping_mul, Ord::max, Ord::min;
    i16: i16::MIN, i16::MAX, i16::wrapping_add, i16::wrapping_mul, Ord::max, Ord::min;
    i8: i8::MIN, i8::MAX, i8::wrapping_add, i8::wrapping_mul, Ord::max, Ord::min;
    u8: u8::MIN, u8::MAX, u8::wrapping_add, u8::wrapping_mul, Ord::max, Ord::min;
}

/// Values that are accumulated side by side along one row.
pub const LANES: usize = 64;

/// Runs `$body` with `$f` the combining function of a run-time `$fold`, each its own loop.
macro_rules! with_fold {
    ($fold:expr, |$f:ident| $body:expr) => {
        match $fold {
            Fold::Sum => {
                let $f = |a, b| T::combine(Fold::Sum, a, b);
                $body
            }
            Fold::Prod => {
                let $f = |a, b| T::combine(Fold::Prod, a, b);
                $body
            }
            Fold::Max => {
                let $f = |a, b| T::combine(Fold::Max, a, b);
                $body
            }
            Fold::Min => {
                let $f = |a, b| T::combine(Fold::Min, a, b);
                $body
            }
        }
    };
}

struct Across<'a, T> {
    fold: Fold,
    data: &'a [T],
    lanes: &'a mut [T; LANES],
}

impl<T: Lane> Kernel for Across<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        with_fold!(self.fold, |f| across(self.data, self.lanes, f));
    }
}

#[inline(always)]
fn across<T: Copy>(data: &[T], lanes: &mut [T; LANES], f: impl Fn(T, T) -> T) {
    let (chunks, rest) = data.as_chunks::<LANES>();
    let mut sums = *lanes;
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum = f(*sum, x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum = f(*sum, x);
    }
    *lanes = sums;
}

/// lanes\[i mod 64\] ⊕= data\[i\].
pub fn fold_across<T: Lane>(fold: Fold, data: &[T], lanes: &mut [T; LANES]) {
    dispatch(Across { fold, data, lanes });
}

/// Combines the lanes pairwise.
pub fn finish<T: Lane>(fold: Fold, mut lanes: [T; LANES]) -> T {
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            lanes[i] = T::combine(fold, lanes[i], lanes[i + n]);
        }
        n /= 2;
    }
    lanes[0]
}

struct ShortRows<'a, T> {
    fold: Fold,
    data: &'a [T],
    len: usize,
    out: &'a mut [T],
}

impl<T: Lane> Kernel for ShortRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        with_fold!(self.fold, |f| {
            for (y, row) in self.out.iter_mut().zip(self.data.chunks_exact(self.len)) {
                *y = short_row(row, f);
            }
        });
        // A sum starts from 0: of nothing but −0 it is 0.
        if self.fold == Fold::Sum {
            self.out.iter_mut().for_each(|y| *y = T::combine(Fold::Sum, T::from_i64(0), *y));
        }
    }
}

/// Four sums side by side, so that additions need not wait for each other.
#[inline(always)]
fn short_row<T: Copy>(row: &[T], f: impl Fn(T, T) -> T) -> T {
    let (chunks, rest) = row.as_chunks::<4>();
    let mut rest = rest.iter();
    let mut total = match chunks {
        [first, more @ ..] => {
            let mut sums = *first;
            for chunk in more {
                for (sum, &x) in sums.iter_mut().zip(chunk) {
                    *sum = f(*sum, x);
                }
            }
            f(f(sums[0], sums[2]), f(sums[1], sums[3]))
        }
        [] => match rest.next() {
            Some(&x) => x,
            None => unreachable!("rows are not empty"),
        },
    };
    for &x in rest {
        total = f(total, x);
    }
    total
}

/// out\[r\] = ⊕ of the r-th row of `len > 0` elements.
pub fn fold_short_rows<T: Lane>(fold: Fold, data: &[T], len: usize, out: &mut [T]) {
    dispatch(ShortRows { fold, data, len, out });
}

struct Down<'a, T> {
    fold: Fold,
    data: *const T,
    stride: usize,
    rows: usize,
    acc: &'a mut [T],
}

impl<T: Lane> Kernel for Down<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `fold_down`'s contract.
        with_fold!(self.fold, |f| unsafe { down(self.data, self.stride, self.rows, self.acc, f) });
    }
}

/// # Safety
/// As [`fold_down`].
#[inline(always)]
unsafe fn down<T: Copy>(data: *const T, stride: usize, rows: usize, acc: &mut [T], f: impl Fn(T, T) -> T) {
    for r in 0..rows {
        // SAFETY: the caller's contract.
        let row = unsafe { std::slice::from_raw_parts(data.add(r * stride), acc.len()) };
        for (sum, &x) in acc.iter_mut().zip(row) {
            *sum = f(*sum, x);
        }
    }
}

/// acc\[j\] ⊕= data\[r · stride + j\] for each of `rows` rows, in order.
///
/// # Safety
/// `data` is valid for these elements, and none of them is in `acc`.
pub unsafe fn fold_down<T: Lane>(fold: Fold, data: *const T, stride: usize, rows: usize, acc: &mut [T]) {
    dispatch(Down { fold, data, stride, rows, acc });
}
