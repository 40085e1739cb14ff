//! Copies blocks of A and B into the order in which the microkernel reads them.

use super::register::{MOST_LANES, Register};

/// A strided matrix operand.
#[derive(Clone, Copy)]
pub(super) struct MatrixView<T> {
    pub ptr: *const T,
    pub row: isize,
    pub col: isize,
}

impl<T> MatrixView<T> {
    /// The address of element `(i, j)`.
    #[inline(always)]
    pub fn at(self, i: usize, j: usize) -> *const T {
        self.ptr.wrapping_offset(i as isize * self.row + j as isize * self.col)
    }
}

/// Packs `rows × kc` of A, starting at `a`, into a panel whose rows lie `V::A_STRIDE` apart.
///
/// # Safety
/// `rows ≤ V::ROWS` and `kc ≤ V::KC`; the elements are readable; `panel` holds `V::ROWS · V::A_STRIDE` numbers; the level
/// of `V` is there.
#[inline(always)]
pub(super) unsafe fn pack_panel<V: Register>(a: MatrixView<V::Elem>, rows: usize, kc: usize, panel: *mut V::Elem) {
    // SAFETY: the caller's contract; vectors that run past `kc` end in the padding of the panel's row.
    unsafe {
        if a.col == 1 {
            for i in 0..rows {
                copy_row::<V>(a.at(i, 0), panel.add(i * V::A_STRIDE), kc);
            }
        } else if a.row == 1 {
            for i in (0..rows).step_by(V::LANES) {
                let lines = V::LANES.min(rows - i);
                for p in (0..kc).step_by(V::LANES) {
                    let source = MatrixView { ptr: a.at(i, p), row: a.col, col: 1 };
                    let depth = V::LANES.min(kc - p);
                    transpose::<V>(source, (depth, lines), panel.add(i * V::A_STRIDE + p), V::A_STRIDE);
                }
            }
        } else {
            for i in 0..rows {
                for p in 0..kc {
                    *panel.add(i * V::A_STRIDE + p) = *a.at(i, p);
                }
            }
        }
    }
}

/// Packs `kc × n` of B, starting at `b`, into slivers of `2 · LANES` columns, each `kc` rows deep. Columns that
/// fill up the last register are zero; a register without columns is not written.
///
/// # Safety
/// The elements are readable; `block` holds `kc · n.next_multiple_of(2 · LANES)` numbers; the level of `V` is there.
#[inline(always)]
pub(super) unsafe fn pack_block<V: Register>(b: MatrixView<V::Elem>, kc: usize, n: usize, block: *mut V::Elem) {
    let width = 2 * V::LANES;
    // SAFETY: the caller's contract; every sliver is written within its own `kc · width` numbers.
    unsafe {
        if b.col == 1 {
            // A few rows at a time: few enough read streams for the prefetcher, long enough runs to write.
            const RUN: usize = 8;
            for p in (0..kc).step_by(RUN) {
                let run = RUN.min(kc - p);
                for j in (0..n).step_by(width) {
                    let (mut source, mut target) = (b.at(p, j), block.add(j * kc + p * width));
                    for _ in 0..run {
                        if j + width <= n {
                            V::load(source).store(target);
                            V::load(source.add(V::LANES)).store(target.add(V::LANES));
                        } else {
                            load_up_to::<V>(source, n - j).store(target);
                            if n - j > V::LANES {
                                let rest = n - j - V::LANES;
                                V::load_first(source.add(V::LANES), rest).store(target.add(V::LANES));
                            }
                        }
                        source = source.wrapping_offset(b.row);
                        target = target.wrapping_add(width);
                    }
                }
            }
        } else if b.row == 1 {
            for j in (0..n).step_by(V::LANES) {
                let sliver = block.add(j / width * width * kc + j % width);
                let lines = V::LANES.min(n - j);
                for p in (0..kc).step_by(V::LANES) {
                    let source = MatrixView { ptr: b.at(p, j), row: b.col, col: 1 };
                    let depth = V::LANES.min(kc - p);
                    transpose::<V>(source, (lines, depth), sliver.add(p * width), width);
                }
            }
        } else {
            for j in 0..n.next_multiple_of(V::LANES) {
                let sliver = block.add(j / width * width * kc + j % width);
                for p in 0..kc {
                    *sliver.add(p * width) = if j < n { *b.at(p, j) } else { V::ZERO };
                }
            }
        }
    }
}

/// Copies `len` numbers, the last vector possibly past `len` into padding of less than `LANES` numbers.
#[inline(always)]
unsafe fn copy_row<V: Register>(source: *const V::Elem, target: *mut V::Elem, len: usize) {
    let mut p = 0;
    // SAFETY: the caller's contract: `len` readable numbers, and padding after the target.
    unsafe {
        while p + V::LANES <= len {
            V::load(source.add(p)).store(target.add(p));
            p += V::LANES;
        }
        if p < len {
            V::load_first(source.add(p), len - p).store(target.add(p));
        }
    }
}

/// Loads `len` numbers, at most a register, and zeroes the other lanes.
///
/// # Safety
/// The numbers are readable; the level of `V` is there.
#[inline(always)]
pub(super) unsafe fn load_up_to<V: Register>(source: *const V::Elem, len: usize) -> V {
    // SAFETY: the caller passes `len` readable numbers.
    unsafe { if len >= V::LANES { V::load(source) } else { V::load_first(source, len) } }
}

/// Writes the transpose of a `rows × cols` block (each at most `LANES`, `source.col` 1) into `cols` rows of `LANES`
/// numbers that lie `stride` apart; the numbers past `rows` become zero.
#[inline(always)]
unsafe fn transpose<V: Register>(
    source: MatrixView<V::Elem>,
    (rows, cols): (usize, usize),
    target: *mut V::Elem,
    stride: usize,
) {
    // SAFETY: the caller's contract; rows that do not exist are not read.
    unsafe {
        let mut square = [V::zero(); MOST_LANES];
        if rows == V::LANES && cols == V::LANES {
            for (i, line) in square.iter_mut().enumerate().take(V::LANES) {
                *line = V::load(source.at(i, 0));
            }
        } else {
            for (i, line) in square.iter_mut().enumerate().take(V::LANES) {
                if i < rows {
                    *line = load_up_to::<V>(source.at(i, 0), cols);
                }
            }
        }
        V::transpose(&mut square);
        if cols == V::LANES {
            for (j, line) in square.iter().enumerate().take(V::LANES) {
                line.store(target.add(j * stride));
            }
        } else {
            for (j, line) in square.iter().enumerate().take(V::LANES) {
                if j < cols {
                    line.store(target.add(j * stride));
                }
            }
        }
    }
}
