//! Copies between any strides and dtypes.

use crate::cast::{cast_raw, copy_strided};
use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::Result;
use flambeau_tensor::access::Access;
use flambeau_tensor::calls::CopyTo;
use flambeau_tensor::plan::Plan;

/// Elements per thread at least.
const GRAIN: usize = 64 << 10;
/// Elements that are converted at a time.
const TILE: usize = 256;
/// Side of the squares that a transposing copy moves.
const BLOCK: usize = 16;

/// out = src; see [`flambeau_tensor::Backend::copy`].
pub fn copy(call: &CopyTo<'_>) -> Result<()> {
    let CopyTo { src, out } = *call;
    let plan = Plan::unordered(out.shape(), &[out.strides(), src.strides()]);
    let _access = Access::acquire(&[src], &[out])?;
    let (from, to) = (RawArray::of(src), RawArray::of(out));
    if plan.numel() == 0 {
        return Ok(());
    }
    let last = plan.shape.len() - 1;
    let transposes = last > 0
        && from.dtype == to.dtype
        && plan.strides[0][last] == 1
        && plan.strides[1][last] != 1
        && plan.strides[1].contains(&1);
    if transposes {
        transpose(&plan, from, to);
    } else {
        rows(&plan, from, to);
    }
    Ok(())
}

fn rows(plan: &Plan, from: RawArray, to: RawArray) {
    let (stride_out, stride_src) = (plan.inner_stride(0), plan.inner_stride(1));
    parallel_for(plan.numel(), GRAIN, &|range| {
        let mut cursor = plan.seek(range.start);
        let mut left = range.len();
        let mut buffers = [[0u64; TILE]; 2];
        while left > 0 {
            let n = cursor.left_in_row(plan).min(left);
            let (mut src, mut out) = (from.at(cursor.offsets[1]), to.at(cursor.offsets[0]));
            // SAFETY: the caller holds the arrays' access, the plan keeps addresses inside them, the ranges are disjoint.
            unsafe {
                if from.dtype == to.dtype {
                    copy_strided(from.dtype.size(), src, stride_src, out, stride_out, n);
                } else if stride_src == 1 && stride_out == 1 {
                    cast_raw(from.dtype, src, to.dtype, out, n);
                } else {
                    let [a, b] = &mut buffers;
                    let (a, b) = (a.as_mut_ptr().cast::<u8>(), b.as_mut_ptr().cast::<u8>());
                    for start in (0..n).step_by(TILE) {
                        let m = (n - start).min(TILE);
                        copy_strided(from.dtype.size(), src, stride_src, a, 1, m);
                        cast_raw(from.dtype, a, to.dtype, b, m);
                        copy_strided(to.dtype.size(), b, 1, out, stride_out, m);
                        src = src.wrapping_add(m * stride_src * from.dtype.size());
                        out = out.wrapping_add(m * stride_out * to.dtype.size());
                    }
                }
            }
            cursor.advance(plan, n);
            left -= n;
        }
    });
}

/// The inner dimension is dense in `to`, another one in `from`: moves squares, which both sides read and write by the
/// cache line.
fn transpose(plan: &Plan, from: RawArray, to: RawArray) {
    let last = plan.shape.len() - 1;
    let across = (0..last).rev().find(|&d| plan.strides[1][d] == 1).unwrap_or(0);
    let (rows, columns) = (plan.shape[across], plan.shape[last]);
    let (bands, size) = (rows.div_ceil(BLOCK), from.dtype.size());
    let outer: Vec<usize> = (0..last).filter(|&d| d != across).collect();
    let planes: usize = outer.iter().map(|&d| plan.shape[d]).product();
    let grain = (GRAIN / (BLOCK * columns)).max(1);
    parallel_for(planes * bands, grain, &|range| {
        for item in range {
            let (mut plane, band) = (item / bands, item % bands);
            let (mut src, mut out) = (0, 0);
            for &d in outer.iter().rev() {
                let i = plane % plan.shape[d];
                plane /= plan.shape[d];
                out += i * plan.strides[0][d];
                src += i * plan.strides[1][d];
            }
            let (step_out, step_src) = (plan.strides[0][across], plan.strides[1][last]);
            let first = band * BLOCK;
            let height = (rows - first).min(BLOCK);
            for column in (0..columns).step_by(BLOCK) {
                let width = (columns - column).min(BLOCK);
                for row in first..first + height {
                    let source = from.at(src + row + column * step_src);
                    let target = to.at(out + row * step_out + column);
                    // SAFETY: as in `rows`; the bands are disjoint.
                    unsafe { copy_strided(size, source, step_src, target, 1, width) };
                }
            }
        }
    });
}
