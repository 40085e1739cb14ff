//! A product on one thread, in blocks that fit the caches.
//!
//! A block of B (`KC × NC`) is packed for the second-level cache and a panel of A (`ROWS × KC`) for the first; the
//! microkernel then multiplies the panel with one sliver of B after the other. Partial sums live in C between blocks of k.

use super::Gemm;
use super::kernel::multiply_tile;
use super::pack::{MatrixView, pack_block, pack_panel};
use super::register::{Float, Lanes4, Number, Register};
use super::scratch::Scratch;
use crate::simd::{Kernel, Level, Simd, dispatch};

/// Computes the product on the calling thread.
///
/// # Safety
/// As [`super::gemm`]; `m` and `n` are not 0.
pub(super) unsafe fn multiply<T: Float>(args: Gemm<T>) {
    dispatch(Blocked(args.oriented()))
}

struct Blocked<T>(Gemm<T>);

impl<T: Float> Kernel for Blocked<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `multiply`'s caller vouches for the memory, `dispatch` for the level.
        unsafe {
            match S::LEVEL {
                Level::Avx512 => in_blocks::<T::Avx512>(self.0),
                Level::Avx2 => in_blocks::<T::Avx2>(self.0),
                Level::Portable => in_blocks::<Lanes4<T>>(self.0),
            }
        }
    }
}

/// What one block of k contributes to C.
struct Update<'a, T> {
    args: &'a Gemm<T>,
    /// The factor of C's present content; 0: it is not read.
    beta: T,
    /// Whether this is the last block of k, after which the epilogue applies.
    last: bool,
    /// The bias as contiguous numbers per column, if it is per column.
    column_bias: Option<*const T>,
}

#[inline(always)]
unsafe fn in_blocks<V: Register>(args: Gemm<V::Elem>)
where
    V::Elem: Float,
{
    let Gemm { m, n, k, .. } = args;
    let width = 2 * V::LANES;
    let a = MatrixView { ptr: args.a, row: args.a_strides.0, col: args.a_strides.1 };
    let b = MatrixView { ptr: args.b, row: args.b_strides.0, col: args.b_strides.1 };
    // Blocks and panels of equal size, rather than full ones and a small rest.
    let (k_blocks, n_blocks, panels) = (k.div_ceil(V::KC).max(1), n.div_ceil(V::NC), m.div_ceil(V::ROWS));
    let (kc_most, nc_most) = (k.div_ceil(k_blocks), n.div_ceil(n_blocks).next_multiple_of(width));
    // Few panels of rows do not repay packing B (measured), so whole slivers are then read where they lie.
    let b_in_place = b.col == 1 && m <= 6 * V::ROWS;
    let bias_len = match args.epilogue.bias {
        Some(bias) if bias.per_column => n,
        _ => 0,
    };
    let panel_len = V::ROWS * V::A_STRIDE;
    let tile_len = V::ROWS * width;
    let scratch = Scratch::<V::Elem>::new(panel_len + tile_len + kc_most * nc_most + bias_len);
    let panel = scratch.ptr();
    // SAFETY: the parts of the work memory follow each other; all ranges stay within the operands.
    unsafe {
        let tile = panel.add(panel_len);
        let block = tile.add(tile_len);
        let column_bias = gather_bias(&args, block.add(kc_most * nc_most));
        let mut j0 = 0;
        while j0 < n {
            let nc = nc_most.min(n - j0);
            for k_block in 0..k_blocks {
                let (p0, p1) = (k_block * k / k_blocks, (k_block + 1) * k / k_blocks);
                let kc = p1 - p0;
                let packed_from = if b_in_place { nc / width * width } else { 0 };
                if packed_from < nc {
                    let source = MatrixView { ptr: b.at(p0, j0 + packed_from), ..b };
                    pack_block::<V>(source, kc, nc - packed_from, block);
                }
                let beta = if k_block == 0 { args.beta } else { V::Elem::ONE };
                let update = Update { args: &args, beta, last: k_block + 1 == k_blocks, column_bias };
                for panel_index in 0..panels {
                    let (i0, i1) = (panel_index * m / panels, (panel_index + 1) * m / panels);
                    pack_panel::<V>(MatrixView { ptr: a.at(i0, p0), ..a }, i1 - i0, kc, panel);
                    for j in (0..nc).step_by(width) {
                        let columns = width.min(nc - j);
                        let size = (i1 - i0, columns.div_ceil(V::LANES));
                        if j < packed_from {
                            let sliver = b.at(p0, j0 + j);
                            multiply_tile::<V>(size, kc, panel, sliver, b.row as usize, tile);
                        } else {
                            let sliver = block.add((j - packed_from) * kc);
                            multiply_tile::<V>(size, kc, panel, sliver, width, tile);
                        }
                        update_tile::<V>(&update, (i0, i1 - i0), (j0 + j, columns), tile);
                    }
                }
            }
            j0 += nc;
        }
    }
}

/// Copies a per-column bias to `target`.
unsafe fn gather_bias<T: Copy>(args: &Gemm<T>, target: *mut T) -> Option<*const T> {
    let bias = args.epilogue.bias.filter(|bias| bias.per_column)?;
    for j in 0..args.n {
        // SAFETY: the caller reserved `n` numbers; the bias has one per column.
        unsafe { *target.add(j) = *bias.ptr.wrapping_offset(j as isize * bias.stride) }
    }
    Some(target)
}

/// Writes a tile of products into C: `C = α·tile + β·C`, and after the last block of k the epilogue.
#[inline(always)]
unsafe fn update_tile<V: Register>(
    update: &Update<V::Elem>,
    (i0, rows): (usize, usize),
    (j0, columns): (usize, usize),
    tile: *const V::Elem,
) where
    V::Elem: Float,
{
    let args = update.args;
    let (row, col) = args.c_strides;
    let read_c = update.beta != V::Elem::ZERO;
    let relu = update.last && args.epilogue.relu;
    let column_bias = update.column_bias.filter(|_| update.last);
    let row_bias = args.epilogue.bias.filter(|bias| update.last && !bias.per_column);
    // SAFETY: the tile lies within C; partial vectors touch only the columns that exist.
    unsafe {
        let (alpha, beta) = (V::splat(args.alpha), V::splat(update.beta));
        for i in 0..rows {
            let c = args.c.wrapping_offset((i0 + i) as isize * row + j0 as isize * col);
            let row_shift = V::splat(match row_bias {
                Some(bias) => *bias.ptr.wrapping_offset((i0 + i) as isize * bias.stride),
                None => V::ZERO,
            });
            for j in (0..columns).step_by(V::LANES) {
                let lanes = V::LANES.min(columns - j);
                let place = Place { ptr: c.wrapping_offset(j as isize * col), stride: col, lanes };
                let mut x = V::load(tile.add(i * 2 * V::LANES + j)).mul(alpha);
                if read_c {
                    x = place.load::<V>().mul_add(beta, x);
                }
                if let Some(bias) = column_bias {
                    let bias = Place { ptr: bias.add(j0 + j).cast_mut(), stride: 1, lanes };
                    x = x.add(bias.load());
                }
                if row_bias.is_some() {
                    x = x.add(row_shift);
                }
                if relu {
                    x = x.relu();
                }
                place.store(x);
            }
        }
    }
}

/// Up to a register of numbers in a row of C.
#[derive(Clone, Copy)]
struct Place<T> {
    ptr: *mut T,
    stride: isize,
    lanes: usize,
}

impl<T: Float> Place<T> {
    #[inline(always)]
    unsafe fn load<V: Register<Elem = T>>(self) -> V {
        // SAFETY: the caller's numbers exist.
        unsafe {
            if self.stride != 1 {
                let mut lanes = [T::ZERO; 16];
                for (i, lane) in lanes.iter_mut().enumerate().take(self.lanes) {
                    *lane = *self.ptr.wrapping_offset(i as isize * self.stride);
                }
                V::load(lanes.as_ptr())
            } else if self.lanes == V::LANES {
                V::load(self.ptr)
            } else {
                V::load_first(self.ptr, self.lanes)
            }
        }
    }

    #[inline(always)]
    unsafe fn store<V: Register<Elem = T>>(self, x: V) {
        // SAFETY: the caller's numbers exist.
        unsafe {
            if self.stride != 1 {
                let mut lanes = [T::ZERO; 16];
                x.store(lanes.as_mut_ptr());
                for (i, &lane) in lanes.iter().enumerate().take(self.lanes) {
                    *self.ptr.wrapping_offset(i as isize * self.stride) = lane;
                }
            } else if self.lanes == V::LANES {
                x.store(self.ptr)
            } else {
                x.store_first(self.ptr, self.lanes)
            }
        }
    }
}
