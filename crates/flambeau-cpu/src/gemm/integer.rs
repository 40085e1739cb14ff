//! Products of integers, in wrapping arithmetic: plain loops over rows of B, which the compiler vectorises.

use super::scratch::Scratch;
use super::{Gemm, GemmElement, Shared, parallel};
use crate::simd::{Kernel, Simd, dispatch};
use crate::threads::parallel_for;

/// Wrapping arithmetic.
trait Integer: Copy + PartialOrd + Send + Sync + 'static {
    const ZERO: Self;
    fn plus(self, b: Self) -> Self;
    fn times(self, b: Self) -> Self;
}

/// Implements the integer path for a primitive type: the standard library has no trait for wrapping arithmetic.
macro_rules! integer {
    ($($t:ty)*) => {$(
        impl Integer for $t {
            const ZERO: $t = 0;
            #[inline(always)]
            fn plus(self, b: $t) -> $t {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn times(self, b: $t) -> $t {
                self.wrapping_mul(b)
            }
        }
        impl GemmElement for $t {
            unsafe fn multiply(args: Gemm<$t>) {
                // SAFETY: the caller's contract.
                unsafe { multiply(args) }
            }
        }
    )*};
}
integer!(i8 u8 i16 i32 i64);

unsafe fn multiply<T: Integer>(args: Gemm<T>) {
    let args = args.oriented();
    let grain = (parallel::MIN_WORK / 4).div_ceil((args.n * args.k).max(1));
    let shared = Shared(args);
    parallel_for(args.m, grain, &|rows| {
        let args = shared.get();
        dispatch(Rows(args.part(rows, 0..args.n)));
    });
}

struct Rows<T>(Gemm<T>);

impl<T: Integer> Kernel for Rows<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        const COLUMNS: usize = 256;
        let args = self.0;
        let (row, col) = args.b_strides;
        let packed = if col == 1 { 0 } else { args.k * COLUMNS };
        let scratch = Scratch::<T>::new(COLUMNS + packed);
        let sums = scratch.ptr();
        for j0 in (0..args.n).step_by(COLUMNS) {
            let columns = COLUMNS.min(args.n - j0);
            // SAFETY: `multiply`'s caller vouches for the operands; the work memory holds the sums, and a packed block.
            unsafe {
                let (mut b, mut b_row) = (args.b.wrapping_offset(j0 as isize * col), row);
                if packed > 0 {
                    let block = sums.add(COLUMNS);
                    for p in 0..args.k {
                        for j in 0..columns {
                            *block.add(p * columns + j) = *b.wrapping_offset(p as isize * row + j as isize * col);
                        }
                    }
                    (b, b_row) = (block, columns as isize);
                }
                for i in 0..args.m {
                    for j in 0..columns {
                        *sums.add(j) = T::ZERO;
                    }
                    for p in 0..args.k {
                        let (r, s) = args.a_strides;
                        let x = *args.a.wrapping_offset(i as isize * r + p as isize * s);
                        let b = b.wrapping_offset(p as isize * b_row);
                        for j in 0..columns {
                            *sums.add(j) = (*sums.add(j)).plus(x.times(*b.add(j)));
                        }
                    }
                    store(&args, (i, j0), std::slice::from_raw_parts(sums, columns));
                }
            }
        }
    }
}

/// Writes sums into row `i` of C from column `j0`.
#[inline(always)]
unsafe fn store<T: Integer>(args: &Gemm<T>, (i, j0): (usize, usize), sums: &[T]) {
    for (j, &sum) in sums.iter().enumerate().map(|(j, sum)| (j0 + j, sum)) {
        // SAFETY: the caller's contract: the element and its bias exist.
        unsafe {
            let c = args.c.wrapping_offset(i as isize * args.c_strides.0 + j as isize * args.c_strides.1);
            let mut value = args.alpha.times(sum);
            if args.beta != T::ZERO {
                value = value.plus(args.beta.times(*c));
            }
            if let Some(bias) = args.epilogue.bias {
                let index = if bias.per_column { j } else { i };
                value = value.plus(*bias.ptr.wrapping_offset(index as isize * bias.stride));
            }
            *c = if args.epilogue.relu && value < T::ZERO { T::ZERO } else { value };
        }
    }
}
