//! A product on one thread, in blocks that fit the caches.
//!
//! A block of B (`KC × NC`) is packed for the second-level cache and a panel of A (`ROWS × KC`) for the first; the
//! microkernel then multiplies the panel with one sliver of B after the other. Partial sums live in C between blocks of k.

use super::Gemm;
use super::kernel::{Operands, Tile, Update, multiply_tile};
use super::pack::{MatrixView, pack_block, pack_panel};
use super::register::{Float, Lanes4, Register};
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

#[inline(always)]
unsafe fn in_blocks<V: Register>(args: Gemm<V::Elem>)
where
    V::Elem: Float,
{
    let Gemm { m, n, k, .. } = args;
    let width = 2 * V::LANES;
    let (row, col) = args.c_strides;
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
        let sums = panel.add(panel_len);
        let block = sums.add(tile_len);
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
                let update = update_of(&args, k_block == 0, k_block + 1 == k_blocks, column_bias);
                for panel_index in 0..panels {
                    let (i0, i1) = (panel_index * m / panels, (panel_index + 1) * m / panels);
                    pack_panel::<V>(MatrixView { ptr: a.at(i0, p0), ..a }, i1 - i0, kc, panel);
                    for j in (0..nc).step_by(width) {
                        let (sliver, b_stride) = if j < packed_from {
                            (b.at(p0, j0 + j), b.row as usize)
                        } else {
                            (block.add((j - packed_from) * kc).cast_const(), width)
                        };
                        let operands = Operands { kc, a: panel, b: sliver, b_stride };
                        let c = args.c.wrapping_offset(i0 as isize * row + (j0 + j) as isize * col);
                        let tile = Tile { c, row, rows: i1 - i0, columns: width.min(nc - j), sums };
                        let update = update.at(i0, j0 + j);
                        if col == 1 {
                            multiply_tile::<V>(&operands, &tile, &update);
                        } else {
                            let dense = Tile { c: sums, row: width as isize, ..tile };
                            multiply_tile::<V>(&operands, &dense, &Update::PLAIN);
                            scatter(&tile, col, width, &update);
                        }
                    }
                }
            }
            j0 += nc;
        }
    }
}

/// What a block of k does to C: the first one applies β, the last one the epilogue.
fn update_of<T: Float>(args: &Gemm<T>, first: bool, last: bool, column_bias: Option<*const T>) -> Update<T> {
    let row_bias = args.epilogue.bias.filter(|bias| last && !bias.per_column);
    Update {
        alpha: args.alpha,
        beta: if first { args.beta } else { T::ONE },
        row_bias: row_bias.map(|bias| (bias.ptr, bias.stride)),
        column_bias: column_bias.filter(|_| last),
        relu: last && args.epilogue.relu,
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

/// Writes the tile's sums, rows of `width` numbers, into a C whose columns lie `col` apart.
unsafe fn scatter<T: Float>(tile: &Tile<T>, col: isize, width: usize, update: &Update<T>) {
    for (i, j) in (0..tile.rows).flat_map(|i| (0..tile.columns).map(move |j| (i, j))) {
        // SAFETY: the caller's contract: the sums, the element of C and its bias exist.
        unsafe {
            let c = tile.c.wrapping_offset(i as isize * tile.row + j as isize * col);
            let mut x = *tile.sums.add(i * width + j) * update.alpha;
            if update.beta != T::ZERO {
                x = (*c).fused(update.beta, x);
            }
            if let Some(bias) = update.column_bias {
                x = x + *bias.add(j);
            }
            if let Some((bias, stride)) = update.row_bias {
                x = x + *bias.wrapping_offset(i as isize * stride);
            }
            *c = if update.relu && x < T::ZERO { T::ZERO } else { x };
        }
    }
}
