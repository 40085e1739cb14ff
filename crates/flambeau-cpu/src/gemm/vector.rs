//! A row times a matrix, `y[n] = x[k] · B[k, n]`: as fast as B streams from memory.

use super::pack::{View, load_up_to};
use super::register::{Float, Lanes4, Register};
use super::scratch::Scratch;
use super::{Gemm, Shared};
use crate::simd::{Kernel, Level, Simd, dispatch};
use crate::threads::{num_threads, parallel_for};

/// Numbers of B below which one thread does all (measured): about 64 KiB.
const MIN_ELEMENTS: usize = 1 << 14;
/// Columns per thread below which threads split k instead of n, so that each still reads B in long runs.
const MIN_COLUMNS: usize = 512;

/// Computes a product of one row.
///
/// # Safety
/// As [`super::gemm`]; `m` is 1, and one stride of B is 1.
pub(super) unsafe fn multiply<T: Float>(args: Gemm<T>) {
    let Gemm { n, k, .. } = args;
    let threads = num_threads().min(n * k / MIN_ELEMENTS).max(1);
    let split_k = args.b_strides.1 == 1 && n < MIN_COLUMNS * threads && k >= n;
    let row_parts = if split_k { threads } else { 1 };
    // One row of sums per part of k, added up in order below.
    let scratch = Scratch::<T>::new(row_parts * n + k);
    let (sums, x) = (Shared(scratch.ptr()), Shared(scratch.ptr().wrapping_add(row_parts * n)));
    for p in 0..k {
        // SAFETY: `x` has room for `k` numbers; A has them.
        unsafe { *x.get().add(p) = *args.a.wrapping_offset(p as isize * args.a_strides.1) }
    }
    let shared = Shared(args);
    let part = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, part: usize| {
        let args = shared.get();
        let b = View { ptr: args.b, row: args.b_strides.0, col: args.b_strides.1 };
        dispatch(Part {
            x: x.get().wrapping_add(rows.start),
            b: View { ptr: b.at(rows.start, columns.start), ..b },
            rows: rows.len(),
            columns: columns.len(),
            y: sums.get().wrapping_add(part * n + columns.start),
        });
    };
    if split_k {
        parallel_for(threads, 1, &|range| {
            range.for_each(|t| part(t * k / threads..(t + 1) * k / threads, 0..n, t));
        });
    } else {
        // The columns of a cache line stay together.
        let lines = n.div_ceil(16);
        parallel_for(lines, lines.div_ceil(threads), &|range| {
            part(0..k, range.start * 16..(range.end * 16).min(n), 0);
        });
    }
    for j in 0..n {
        // SAFETY: the parts wrote `row_parts` rows of `n` sums; C and the bias have the elements that are touched.
        unsafe {
            let mut sum = *sums.get().add(j);
            for part in 1..row_parts {
                sum = sum + *sums.get().add(part * n + j);
            }
            let c = args.c.wrapping_offset(j as isize * args.c_strides.1);
            let mut value = args.alpha * sum;
            if args.beta != T::ZERO {
                value = args.beta.fused(*c, value);
            }
            if let Some(bias) = args.epilogue.bias {
                value = value + *bias.ptr.wrapping_offset(if bias.per_column { j as isize * bias.stride } else { 0 });
            }
            *c = if args.epilogue.relu && value < T::ZERO { T::ZERO } else { value };
        }
    }
}

/// `y[columns] = x[rows] · B[rows, columns]`, with all vectors contiguous.
struct Part<T> {
    x: *const T,
    b: View<T>,
    rows: usize,
    columns: usize,
    y: *mut T,
}

impl<T: Float> Kernel for Part<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `multiply` passes parts that lie within the operands; `dispatch` vouches for the level.
        unsafe {
            match S::LEVEL {
                Level::Avx512 => self.multiply::<T::Avx512>(),
                Level::Avx2 => self.multiply::<T::Avx2>(),
                Level::Portable => self.multiply::<Lanes4<T>>(),
            }
        }
    }
}

impl<T: Float> Part<T> {
    #[inline(always)]
    unsafe fn multiply<V: Register<Elem = T>>(self) {
        // SAFETY: the contract of `run`.
        unsafe { if self.b.col == 1 { self.add_rows::<V>() } else { self.dot_columns::<V>() } }
    }

    /// Adds up rows of B, eight at a time: eight streams for the prefetcher, and y stays in the first-level cache.
    #[inline(always)]
    unsafe fn add_rows<V: Register<Elem = T>>(self) {
        const ROWS: usize = 8;
        // What y takes of the first-level cache.
        const COLUMNS: usize = 4096;
        // SAFETY: the contract of `run`; partial vectors touch only the columns that exist.
        unsafe {
            for j0 in (0..self.columns).step_by(COLUMNS) {
                let columns = COLUMNS.min(self.columns - j0);
                let full = columns / V::LANES * V::LANES;
                let y = self.y.add(j0);
                for j in 0..columns {
                    *y.add(j) = T::ZERO;
                }
                let mut p = 0;
                while p + ROWS <= self.rows {
                    let mut factors = [V::zero(); ROWS];
                    for (r, factor) in factors.iter_mut().enumerate() {
                        *factor = V::splat(*self.x.add(p + r));
                    }
                    let b = self.b.at(p, j0);
                    for j in (0..full).step_by(V::LANES) {
                        let mut sum = V::load(y.add(j));
                        for (r, factor) in factors.iter().enumerate() {
                            sum = factor.mul_add(V::load(b.wrapping_offset(r as isize * self.b.row).add(j)), sum);
                        }
                        sum.store(y.add(j));
                    }
                    if full < columns {
                        let rest = columns - full;
                        let mut sum = V::load_first(y.add(full), rest);
                        for (r, factor) in factors.iter().enumerate() {
                            let b = b.wrapping_offset(r as isize * self.b.row).add(full);
                            sum = factor.mul_add(V::load_first(b, rest), sum);
                        }
                        sum.store_first(y.add(full), rest);
                    }
                    p += ROWS;
                }
                for p in p..self.rows {
                    let (factor, b) = (*self.x.add(p), self.b.at(p, j0));
                    for j in 0..columns {
                        *y.add(j) = factor.fused(*b.add(j), *y.add(j));
                    }
                }
            }
        }
    }

    /// Dot products with the columns of B, which lie contiguous, four columns at a time.
    #[inline(always)]
    unsafe fn dot_columns<V: Register<Elem = T>>(self) {
        let mut j = 0;
        // SAFETY: the contract of `run`.
        unsafe {
            while j + 4 <= self.columns {
                self.dots::<V, 4>(j);
                j += 4;
            }
            while j < self.columns {
                self.dots::<V, 1>(j);
                j += 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn dots<V: Register<Elem = T>, const N: usize>(&self, j: usize) {
        // Two sums per column hide the latency of the additions.
        const DEPTH: usize = 2;
        // SAFETY: the contract of `run`; the last vector is partial.
        unsafe {
            let mut sums = [[V::zero(); DEPTH]; N];
            let mut p = 0;
            while p + DEPTH * V::LANES <= self.rows {
                for d in 0..DEPTH {
                    let x = V::load(self.x.add(p + d * V::LANES));
                    for (column, sum) in sums.iter_mut().enumerate() {
                        sum[d] = x.mul_add(V::load(self.b.at(p + d * V::LANES, j + column)), sum[d]);
                    }
                }
                p += DEPTH * V::LANES;
            }
            while p < self.rows {
                let rest = V::LANES.min(self.rows - p);
                let x = load_up_to::<V>(self.x.add(p), rest);
                for (column, sum) in sums.iter_mut().enumerate() {
                    sum[0] = x.mul_add(load_up_to(self.b.at(p, j + column), rest), sum[0]);
                }
                p += rest;
            }
            for (column, sum) in sums.iter().enumerate() {
                let mut lanes = [T::ZERO; 16];
                sum[0].add(sum[1]).store(lanes.as_mut_ptr());
                let mut total = T::ZERO;
                for lane in lanes {
                    total = total + lane;
                }
                *self.y.add(j + column) = total;
            }
        }
    }
}
