//! The microkernel: a tile of C held in registers while k runs.

use super::register::Register;
use crate::simd::Level;

/// Computes `tile[i, j] = Σₚ a[i, p] · b[p, j]` for `rows ≤ V::ROWS` rows and one or two registers of columns.
/// `tile` has rows of `2 · LANES` numbers.
///
/// # Safety
/// `a` is a panel packed with rows `V::A_STRIDE` apart; `b` has `kc` rows of `vectors · LANES` readable numbers that lie
/// `b_stride` apart; `tile` has room for `rows`; the level of `V` is there.
#[inline(always)]
pub(super) unsafe fn multiply_tile<V: Register>(
    (rows, vectors): (usize, usize),
    kc: usize,
    a: *const V::Elem,
    b: *const V::Elem,
    b_stride: usize,
    tile: *mut V::Elem,
) {
    // SAFETY: the caller's contract is that of `by_rows`.
    unsafe {
        match vectors {
            1 => by_rows::<V, 1>(rows, kc, a, b, b_stride, tile),
            _ => by_rows::<V, 2>(rows, kc, a, b, b_stride, tile),
        }
    }
}

/// Picks the kernel compiled for this number of rows.
#[inline(always)]
unsafe fn by_rows<V: Register, const N: usize>(
    rows: usize,
    kc: usize,
    a: *const V::Elem,
    b: *const V::Elem,
    b_stride: usize,
    tile: *mut V::Elem,
) {
    // SAFETY: the contract of `multiply_tile`; the guards remove the rows that `V` never uses at compile time.
    unsafe {
        match rows {
            1 => alone::<V, 1, N>(kc, a, b, b_stride, tile),
            2 => alone::<V, 2, N>(kc, a, b, b_stride, tile),
            3 => alone::<V, 3, N>(kc, a, b, b_stride, tile),
            4 => alone::<V, 4, N>(kc, a, b, b_stride, tile),
            5 if V::ROWS >= 5 => alone::<V, 5, N>(kc, a, b, b_stride, tile),
            6 if V::ROWS >= 6 => alone::<V, 6, N>(kc, a, b, b_stride, tile),
            7 if V::ROWS >= 7 => alone::<V, 7, N>(kc, a, b, b_stride, tile),
            8 if V::ROWS >= 8 => alone::<V, 8, N>(kc, a, b, b_stride, tile),
            9 if V::ROWS >= 9 => alone::<V, 9, N>(kc, a, b, b_stride, tile),
            10 if V::ROWS >= 10 => alone::<V, 10, N>(kc, a, b, b_stride, tile),
            11 if V::ROWS >= 11 => alone::<V, 11, N>(kc, a, b, b_stride, tile),
            12 if V::ROWS >= 12 => alone::<V, 12, N>(kc, a, b, b_stride, tile),
            _ => unreachable!("a panel has 1..={} rows, not {rows}", V::ROWS),
        }
    }
}

/// [`multiply`], under AVX2 in a function of its own: where the kernels of all sizes share one, the compiler runs out of the
/// sixteen registers and keeps sums on the stack, in the innermost loop, which takes twice the time or more.
#[inline(always)]
unsafe fn alone<V: Register, const R: usize, const N: usize>(
    kc: usize,
    a: *const V::Elem,
    b: *const V::Elem,
    b_stride: usize,
    tile: *mut V::Elem,
) {
    // SAFETY: the contract of `multiply_tile`, which includes the level.
    unsafe {
        match V::LEVEL {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => multiply_avx2::<V, R, N>(kc, a, b, b_stride, tile),
            _ => multiply::<V, R, N>(kc, a, b, b_stride, tile),
        }
    }
}

/// # Safety
/// As [`multiply_tile`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,f16c")]
#[inline(never)]
unsafe fn multiply_avx2<V: Register, const R: usize, const N: usize>(
    kc: usize,
    a: *const V::Elem,
    b: *const V::Elem,
    b_stride: usize,
    tile: *mut V::Elem,
) {
    // SAFETY: the caller's contract.
    unsafe { multiply::<V, R, N>(kc, a, b, b_stride, tile) }
}

#[inline(always)]
unsafe fn multiply<V: Register, const R: usize, const N: usize>(
    kc: usize,
    a: *const V::Elem,
    mut b: *const V::Elem,
    b_stride: usize,
    tile: *mut V::Elem,
) {
    // SAFETY: the contract of `multiply_tile`.
    unsafe {
        let mut sums = [[V::zero(); N]; R];
        for p in 0..kc {
            let mut columns = [V::zero(); N];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = V::load(b.add(v * V::LANES));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let x = V::splat(*a.add(i * V::A_STRIDE + p));
                for (sum, &column) in row.iter_mut().zip(&columns) {
                    *sum = x.mul_add(column, *sum);
                }
            }
            b = b.wrapping_add(b_stride);
        }
        for (i, row) in sums.iter().enumerate() {
            for (v, &sum) in row.iter().enumerate() {
                sum.store(tile.add((i * 2 + v) * V::LANES));
            }
        }
    }
}
