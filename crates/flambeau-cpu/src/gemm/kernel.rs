//! The microkernel: a tile of C held in registers while k runs, then written.

use super::pack::load_up_to;
use super::register::{Number, Register};
use crate::simd::Level;

/// What happens to a sum on its way into C: `relu(α·sum + β·C + bias)`.
#[derive(Clone, Copy)]
pub(super) struct Update<T> {
    pub alpha: T,
    /// The factor of C's present content; 0: it is not read.
    pub beta: T,
    /// One number for each row of C and the distance between them, if there is such a bias.
    pub row_bias: Option<(*const T, isize)>,
    /// One number for each column of C, contiguous, if there is such a bias.
    pub column_bias: Option<*const T>,
    pub relu: bool,
}

impl<T: Number> Update<T> {
    /// C becomes the sum.
    pub const PLAIN: Update<T> =
        Update { alpha: T::ONE, beta: T::ZERO, row_bias: None, column_bias: None, relu: false };

    /// Whether neither bias nor relu follow.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.row_bias.is_none() && self.column_bias.is_none() && !self.relu
    }

    /// The part of the update that concerns C from row `i` and column `j`.
    #[inline(always)]
    pub fn at(self, i: usize, j: usize) -> Update<T> {
        let row_bias = self.row_bias.map(|(ptr, stride)| (ptr.wrapping_offset(i as isize * stride), stride));
        Update { row_bias, column_bias: self.column_bias.map(|ptr| ptr.wrapping_add(j)), ..self }
    }
}

/// A tile of C whose rows are contiguous.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    pub c: *mut T,
    /// Elements from one row to the next.
    pub row: isize,
    pub rows: usize,
    pub columns: usize,
    /// Room for the sums of a whole tile, rows of two registers.
    pub sums: *mut T,
}

/// The packed operands of a tile.
#[derive(Clone, Copy)]
pub(super) struct Operands<T> {
    /// Steps along k.
    pub kc: usize,
    /// A panel with rows `Register::A_STRIDE` apart.
    pub a: *const T,
    /// Rows of whole registers, as many as the tile has columns.
    pub b: *const T,
    /// Elements from one row of B to the next.
    pub b_stride: usize,
}

/// Computes a tile of at most `V::ROWS` rows and two registers of columns.
///
/// # Safety
/// The panel of A has `tile.rows` rows and `kc` columns, B has `kc` rows of enough whole registers for `tile.columns`, both
/// readable; the tile is writable (readable where β is not 0); the biases have its rows and columns; the level of `V` is
/// there.
#[inline(always)]
pub(super) unsafe fn multiply_tile<V: Register>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    // SAFETY: the caller's contract is that of `by_rows`.
    unsafe {
        if tile.columns <= V::LANES {
            by_rows::<V, 1>(operands, tile, update)
        } else {
            by_rows::<V, 2>(operands, tile, update)
        }
    }
}

/// Calls the kernel compiled for this number of rows.
#[inline(always)]
unsafe fn by_rows<V: Register, const N: usize>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    // SAFETY: the contract of `multiply_tile`; the guards remove the rows that `V` never uses at compile time.
    unsafe {
        match tile.rows {
            1 => alone::<V, 1, N>(operands, tile, update),
            2 => alone::<V, 2, N>(operands, tile, update),
            3 => alone::<V, 3, N>(operands, tile, update),
            4 => alone::<V, 4, N>(operands, tile, update),
            5 if V::ROWS >= 5 => alone::<V, 5, N>(operands, tile, update),
            6 if V::ROWS >= 6 => alone::<V, 6, N>(operands, tile, update),
            7 if V::ROWS >= 7 => alone::<V, 7, N>(operands, tile, update),
            8 if V::ROWS >= 8 => alone::<V, 8, N>(operands, tile, update),
            9 if V::ROWS >= 9 => alone::<V, 9, N>(operands, tile, update),
            10 if V::ROWS >= 10 => alone::<V, 10, N>(operands, tile, update),
            11 if V::ROWS >= 11 => alone::<V, 11, N>(operands, tile, update),
            12 if V::ROWS >= 12 => alone::<V, 12, N>(operands, tile, update),
            rows => unreachable!("a panel has 1..={} rows, not {rows}", V::ROWS),
        }
    }
}

/// [`multiply`], in a function of its own for each size: where the kernels of all sizes share one, the compiler runs out of
/// registers and keeps sums on the stack, in the innermost loop, which takes twice the time or more.
#[inline(always)]
unsafe fn alone<V: Register, const R: usize, const N: usize>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    // SAFETY: the contract of `multiply_tile`, which includes the level.
    unsafe {
        match V::LEVEL {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => multiply_avx512::<V, R, N>(operands, tile, update),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => multiply_avx2::<V, R, N>(operands, tile, update),
            _ => multiply_portable::<V, R, N>(operands, tile, update),
        }
    }
}

/// # Safety
/// As [`multiply_tile`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,f16c")]
#[inline(never)]
unsafe fn multiply_avx512<V: Register, const R: usize, const N: usize>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    // SAFETY: the caller's contract.
    unsafe { multiply::<V, R, N>(operands, tile, update) }
}

/// # Safety
/// As [`multiply_tile`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,f16c")]
#[inline(never)]
unsafe fn multiply_avx2<V: Register, const R: usize, const N: usize>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    // SAFETY: the caller's contract.
    unsafe { multiply::<V, R, N>(operands, tile, update) }
}

/// # Safety
/// As [`multiply_tile`].
#[inline(never)]
unsafe fn multiply_portable<V: Register, const R: usize, const N: usize>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    // SAFETY: the caller's contract.
    unsafe { multiply::<V, R, N>(operands, tile, update) }
}

#[inline(always)]
unsafe fn multiply<V: Register, const R: usize, const N: usize>(
    operands: &Operands<V::Elem>,
    tile: &Tile<V::Elem>,
    update: &Update<V::Elem>,
) {
    let Operands { kc, a, mut b, b_stride } = *operands;
    // SAFETY: the contract of `multiply_tile`; a prefetch reads nothing.
    unsafe {
        // C is rarely in the first-level cache, and arrives there while k runs.
        for i in 0..R {
            let c = tile.c.wrapping_offset(i as isize * tile.row);
            V::prefetch(c);
            V::prefetch(c.wrapping_add(tile.columns - 1));
        }
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
        if tile.columns == N * V::LANES && update.is_plain() {
            let alpha = V::splat(update.alpha);
            if update.beta == V::ZERO {
                store(&sums, tile, |sum, _| sum.mul(alpha));
            } else {
                let beta = V::splat(update.beta);
                store(&sums, tile, |sum, c| V::load(c).mul_add(beta, sum.mul(alpha)));
            }
        } else {
            for (i, row) in sums.iter().enumerate() {
                for (v, &sum) in row.iter().enumerate() {
                    sum.store(tile.sums.add((i * 2 + v) * V::LANES));
                }
            }
            finish::<V>(tile, update);
        }
    }
}

/// Writes the sums into whole registers of C. No more than that: where the body is long, the compiler does not unroll the
/// loops, and keeps the sums in memory while k runs.
#[inline(always)]
unsafe fn store<V: Register, const R: usize, const N: usize>(
    sums: &[[V; N]; R],
    tile: &Tile<V::Elem>,
    value: impl Fn(V, *const V::Elem) -> V,
) {
    for (i, row) in sums.iter().enumerate() {
        let c = tile.c.wrapping_offset(i as isize * tile.row);
        for (v, &sum) in row.iter().enumerate() {
            let c = c.wrapping_add(v * V::LANES);
            // SAFETY: the contract of `multiply_tile`: all registers of the tile are whole.
            unsafe { value(sum, c).store(c) }
        }
    }
}

/// Writes the tile's sums, which lie in memory, into C, with everything that an update may ask for.
#[inline(always)]
unsafe fn finish<V: Register>(tile: &Tile<V::Elem>, update: &Update<V::Elem>) {
    // SAFETY: the contract of `multiply_tile`; partial registers touch only the columns that exist.
    unsafe {
        let (alpha, beta) = (V::splat(update.alpha), V::splat(update.beta));
        for i in 0..tile.rows {
            let c = tile.c.wrapping_offset(i as isize * tile.row);
            let row_bias = update.row_bias.map(|(bias, stride)| V::splat(*bias.wrapping_offset(i as isize * stride)));
            for j in (0..tile.columns).step_by(V::LANES) {
                let (c, lanes) = (c.wrapping_add(j), V::LANES.min(tile.columns - j));
                let mut x = V::load(tile.sums.add(i * 2 * V::LANES + j)).mul(alpha);
                if update.beta != V::ZERO {
                    x = load_up_to::<V>(c, lanes).mul_add(beta, x);
                }
                if let Some(bias) = update.column_bias {
                    x = x.add(load_up_to(bias.add(j), lanes));
                }
                if let Some(bias) = row_bias {
                    x = x.add(bias);
                }
                if update.relu {
                    x = x.relu();
                }
                if lanes == V::LANES { x.store(c) } else { x.store_first(c, lanes) }
            }
        }
    }
}
