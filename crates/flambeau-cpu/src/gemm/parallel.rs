//! Splits a floating-point product over the threads.

use super::register::Float;
use super::{Gemm, GemmElement, Shared, blocked, vector};
use crate::threads::{num_threads, parallel_for};

/// Multiply-adds below which a product stays on one thread: what waking a thread costs (measured).
pub(super) const MIN_WORK: usize = 1 << 18;
/// Multiply-adds of a part, where a thread gets several: one takes some 40 µs.
const FINE_WORK: usize = 1 << 22;

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
    let (row_parts, column_parts) = parts(&args, num_threads().min(work / (MIN_WORK / 2)), work);
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

/// What copying an element of A or B costs, in multiply-adds.
const COPY: usize = 8;

/// The rows and columns of parts for at most `threads` threads: several for each thread, where that costs at most a
/// fiftieth more copying in all, so that a thread that falls behind leaves some to the others.
fn parts<T>(args: &Gemm<T>, threads: usize, work: usize) -> (usize, usize) {
    let area = args.m.saturating_mul(args.n);
    let copied = |(rows, columns): (usize, usize)| (args.m * columns + args.n * rows) * COPY;
    let one_each = grid(args, threads);
    let finer = [4, 3, 2]
        .into_iter()
        .filter(|&each| work / (threads * each) >= FINE_WORK)
        .map(|each| grid(args, threads * each));
    let affordable = |&parts: &(usize, usize)| copied(parts) <= copied(one_each) + area / 50;
    finer.into_iter().find(|parts| parts.0 * parts.1 > threads && affordable(parts)).unwrap_or(one_each)
}

/// The rows and columns of parts for at most `threads` threads that make the slowest part fastest: its multiply-adds, and
/// the copying of its rows of A and columns of B.
fn grid<T>(args: &Gemm<T>, threads: usize) -> (usize, usize) {
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
