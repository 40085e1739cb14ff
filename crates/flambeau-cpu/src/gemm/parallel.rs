//! Splits a floating-point product over the threads.

use super::register::Float;
use super::{Gemm, GemmElement, Shared, blocked, vector};
use crate::threads::{num_threads, parallel_for};

/// Multiply-adds below which a product stays on one thread: what waking a thread costs (measured).
pub(super) const MIN_WORK: usize = 1 << 18;

impl GemmElement for f32 {
    unsafe fn multiply(args: Gemm<f32>) {
        // SAFETY: the caller's contract.
        unsafe { multiply(args) }
    }
}
impl GemmElement for f64 {
    unsafe fn multiply(args: Gemm<f64>) {
        // SAFETY: the caller's contract.
        unsafe { multiply(args) }
    }
}

/// Columns that threads split at: the widest tile, so that only one thread has a partial one.
const COLUMNS: usize = 32;

unsafe fn multiply<T: Float>(args: Gemm<T>) {
    if args.m == 1 || args.n == 1 {
        let args = if args.m == 1 { args } else { args.transposed() };
        if args.b_strides.0 == 1 || args.b_strides.1 == 1 {
            // SAFETY: the caller's contract.
            return unsafe { vector::multiply(args) };
        }
    }
    let work = args.m.saturating_mul(args.n).saturating_mul(args.k);
    if work < MIN_WORK {
        // SAFETY: the caller's contract.
        return unsafe { blocked::multiply(args) };
    }
    let args = args.oriented();
    let (row_parts, column_parts) = grid(&args, num_threads().min(work / (MIN_WORK / 2)));
    let strips = args.n.div_ceil(COLUMNS);
    let shared = Shared(args);
    parallel_for(row_parts * column_parts, 1, &|range| {
        for cell in range {
            let (i, j) = (cell / column_parts, cell % column_parts);
            let args = shared.get();
            let rows = i * args.m / row_parts..(i + 1) * args.m / row_parts;
            let edge = |j: usize| (j * strips / column_parts * COLUMNS).min(args.n);
            // SAFETY: the caller's contract; the parts are disjoint in C.
            unsafe { blocked::multiply(args.part(rows, edge(j)..edge(j + 1))) }
        }
    });
}

/// The rows and columns of parts for at most `threads` threads that make the slowest part fastest: its multiply-adds, and
/// the copying of its rows of A and columns of B, which costs as much as eight multiply-adds each per element.
fn grid<T>(args: &Gemm<T>, threads: usize) -> (usize, usize) {
    const COPY: usize = 8;
    let strips = args.n.div_ceil(COLUMNS);
    let mut best = (usize::MAX, (1, 1));
    for row_parts in 1..=threads.clamp(1, args.m) {
        let column_parts = (threads / row_parts).clamp(1, strips);
        let rows = args.m.div_ceil(row_parts);
        let columns = strips.div_ceil(column_parts) * COLUMNS;
        let cost = rows * columns + COPY * (rows + columns);
        if cost < best.0 {
            best = (cost, (row_parts, column_parts));
        }
    }
    best.1
}
