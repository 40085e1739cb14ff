//! A row times a matrix, `y[n] = x[k] · B[k, n]`: as fast as B streams from memory.

use super::pack::{MatrixView, load_up_to};
use super::register::{Float, Lanes4, Register};
use super::scratch::Scratch;
use super::{Gemm, Shared};
use crate::simd::{Kernel, Level, Simd, dispatch};
use crate::threads::parallel_for;
use std::ops::Range;

/// Numbers of B below which one thread does all (measured): about 64 KiB.
const MIN_ELEMENTS: usize = 1 << 14;
/// Rows of B that are summed together, before the sums of such blocks are added up in order: whatever the number of
/// threads, which share blocks and columns.
const BLOCK: usize = 128;
/// Columns that stay together, so that each thread reads B in long runs.
const COLUMNS: usize = 512;

/// Computes a product of one row.
///
/// # Safety
/// As [`super::gemm`]; `m` is 1, and one stride of B is 1.
pub(super) unsafe fn multiply<T: Float>(args: Gemm<T>) {
    let Gemm { n, k, .. } = args;
    // Columns that lie contiguous are dot products, each of which stays whole.
    let (blocks, columns) = if args.b_strides.1 == 1 { (k.div_ceil(BLOCK).max(1), COLUMNS) } else { (1, 16) };
    let scratch = Scratch::<T>::new(blocks * n + k);
    let (sums, x) = (Shared(scratch.ptr()), Shared(scratch.ptr().wrapping_add(blocks * n)));
    for p in 0..k {
        // SAFETY: `x` has room for `k` numbers; A has them.
        unsafe { *x.get().add(p) = *args.a.wrapping_offset(p as isize * args.a_strides.1) }
    }
    let shared = Shared(args);
    let part = |block: usize, rows: Range<usize>, columns: Range<usize>| {
        let args = shared.get();
        let b = MatrixView { ptr: args.b, row: args.b_strides.0, col: args.b_strides.1 };
        dispatch(Part {
            x: x.get().wrapping_add(rows.start),
            b: MatrixView { ptr: b.at(rows.start, columns.start), ..b },
            rows: rows.len(),
            columns: columns.len(),
            y: sums.get().wrapping_add(block * n + columns.start),
        });
    };
    let strips = n.div_ceil(columns);
    let work = k.div_ceil(blocks) * columns.min(n);
    // Neighbouring items of one block are neighbouring columns, and go through the matrix together.
    parallel_for(blocks * strips, MIN_ELEMENTS.div_ceil(work.max(1)), &|items| {
        let mut item = items.start;
        while item < items.end {
            let (block, strip) = (item / strips, item % strips);
            let end = (strip + items.end - item).min(strips);
            part(block, block * k / blocks..(block + 1) * k / blocks, strip * columns..(end * columns).min(n));
            item += end - strip;
        }
    });
    // SAFETY: the parts wrote `blocks` rows of `n` sums.
    let (total, others) = unsafe { std::slice::from_raw_parts_mut(sums.get(), blocks * n) }.split_at_mut(n);
    for sums in others.chunks_exact(n) {
        for (total, &sum) in total.iter_mut().zip(sums) {
            *total = *total + sum;
        }
    }
    for (j, &sum) in total.iter().enumerate() {
        // SAFETY: C and the bias have the elements that are touched.
        unsafe {
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
    b: MatrixView<T>,
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
