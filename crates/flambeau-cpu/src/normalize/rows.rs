//! Normalisation of dense rows, as of a layer norm: each row is read from memory once, and stays in a core's cache until its
//! result is written.

use crate::pointwise::tile::RawArray;
use crate::pointwise::{Float, Function};
use crate::rows::{each, sum};
use crate::simd::{Kernel, Simd, dispatch};
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::{NormBackward, NormLayout, Normalized, ReduceOp};
use flambeau_tensor::calls::{Normalize, NormalizeBackward};
use flambeau_tensor::ops::{ReduceArgs, reduce};
use flambeau_tensor::{Array, DType, Result};
use smallvec::SmallVec;

/// Elements per thread at least.
const GRAIN: usize = 8 << 10;
/// Rows whose gradients of weight and bias are added one after the other. The sums of such groups are added as any reduction
/// is, so the result depends on the shape alone, not on the number of threads.
const GROUP: usize = 64;

/// Whether the means are those of dense rows of one dtype, and weight and bias are as long as a row.
fn dense_rows(layout: &NormLayout, x: &Array, others: &[Option<&Array>]) -> bool {
    let &[_, k] = layout.shape.as_slice() else { return false };
    let dense = |a: &Array| a.dtype() == x.dtype() && a.is_contiguous();
    layout.dims.as_slice() == [1]
        && layout.params.as_slice() == [1, k]
        && matches!(x.dtype(), DType::F32 | DType::F64)
        && x.numel() > 0
        && dense(x)
        && others.iter().flatten().all(|a| dense(a))
}

/// [`super::normalize`] of dense rows; `None` for anything else.
pub fn normalize(call: &Normalize<'_>) -> Result<Option<Normalized>> {
    let Normalize { x, weight, bias, layout } = *call;
    if !dense_rows(layout, x, &[weight, bias]) {
        return Ok(None);
    }
    if x.dtype() == DType::F64 { forward::<f64>(call) } else { forward::<f32>(call) }.map(Some)
}

fn forward<F: Float>(call: &Normalize<'_>) -> Result<Normalized> {
    let Normalize { x, weight, bias, layout } = *call;
    let (rows, k) = (layout.shape[0], layout.shape[1]);
    let empty = |shape: &[usize]| Array::empty(x.backend(), x.device(), shape, x.dtype());
    let out = empty(&[rows, k])?;
    let statistics = [empty(&[rows, 1])?, empty(&[rows, 1])?, empty(&[rows, 1])?];
    let [mean, deviation, inverse_std] = &statistics;
    let reads: SmallVec<[&Array; 3]> = [Some(x), weight, bias].into_iter().flatten().collect();
    let access = Access::acquire(&reads, &[&out, mean, deviation, inverse_std])?;
    let affine = [weight, bias].map(|array| array.map(RawArray::of));
    let [from, to, means, deviations, inverses] = [x, &out, mean, deviation, inverse_std].map(RawArray::of);
    parallel_for(rows, GRAIN.div_ceil(k), &|range| {
        let (start, len) = (range.start * k, range.len() * k);
        // SAFETY: the access is held, the arrays are dense, and the rows of the range belong to this thread.
        let forward = unsafe {
            Forward::<F> {
                x: slice(from, start, len),
                affine: affine.map(|array| array.map(|array| slice(array, 0, k))),
                out: slice_mut(to, start, len),
                statistics: [means, deviations, inverses].map(|array| slice_mut(array, range.start, range.len())),
                k,
                eps: F::from_f64(layout.eps),
            }
        };
        dispatch(forward);
    });
    drop(access);
    let [mean, deviation, inverse_std] = statistics;
    Ok(Normalized { out, mean, deviation, inverse_std })
}

/// # Safety
/// The array has `len` elements from `start` on, whose access is held as long as the slice is used.
unsafe fn slice<'a, F: Float>(array: RawArray, start: usize, len: usize) -> &'a [F] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(array.at(start).cast::<F>(), len) }
}

/// # Safety
/// As of [`slice`], and nobody else has these elements.
unsafe fn slice_mut<'a, F: Float>(array: RawArray, start: usize, len: usize) -> &'a mut [F] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(array.at(start).cast::<F>(), len) }
}

/// Normalises some rows.
struct Forward<'a, F> {
    x: &'a [F],
    /// Weight and bias.
    affine: [Option<&'a [F]>; 2],
    out: &'a mut [F],
    /// Mean, sum of squared deviations and 1 / √(variance + ε) of each row.
    statistics: [&'a mut [F]; 3],
    k: usize,
    eps: F,
}

impl<F: Float> Kernel for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Forward { x, affine, out, statistics: [means, deviations, inverses], k, eps } = self;
        let n = F::from_i64(k as i64);
        for (r, (x, y)) in x.chunks_exact(k).zip(out.chunks_exact_mut(k)).enumerate() {
            let exact = sum([x, x], |x, _| x.to_f64()) / k as f64;
            let mean = F::from_f64(exact);
            let squares = sum([x, x], |x, _| (x - mean) * (x - mean));
            // The error of a mean that was rounded to F adds its square to each deviation.
            let error = exact - mean.to_f64();
            let corrected = squares.to_f64() - error * error * k as f64;
            let deviation = F::from_f64(if corrected < 0.0 { 0.0 } else { corrected });
            let inverse = (deviation / n + eps).math::<S>(Function::Rsqrt);
            (means[r], deviations[r], inverses[r]) = (mean, deviation, inverse);
            let normal = |x: F| (x - mean) * inverse;
            match affine {
                [Some(w), Some(b)] => each(y, [x, w, b], |x, w, b| normal(x) * w + b),
                [Some(w), None] => each(y, [x, w, w], |x, w, _| normal(x) * w),
                [None, Some(b)] => each(y, [x, b, b], |x, b, _| normal(x) + b),
                [None, None] => each(y, [x, x, x], |x, _, _| normal(x)),
            }
        }
    }
}

/// [`super::normalize_backward`] of dense rows; `None` for anything else.
pub fn normalize_backward(call: &NormalizeBackward<'_>) -> Result<Option<[Option<Array>; 3]>> {
    let NormBackward { grad, x, mean, inverse_std, weight, layout } = call.args;
    if !dense_rows(layout, x, &[Some(grad), weight, Some(mean), Some(inverse_std)]) {
        return Ok(None);
    }
    if x.dtype() == DType::F64 { backward::<f64>(call) } else { backward::<f32>(call) }.map(Some)
}

fn backward<F: Float>(call: &NormalizeBackward<'_>) -> Result<[Option<Array>; 3]> {
    let NormBackward { grad, x, mean, inverse_std, weight, layout } = call.args;
    let (rows, k) = (layout.shape[0], layout.shape[1]);
    let groups = rows.div_ceil(GROUP);
    let fresh = |wanted: bool, rows: usize| {
        wanted.then(|| Array::empty(x.backend(), x.device(), &[rows, k], x.dtype())).transpose()
    };
    let dx = fresh(call.needs[0], rows)?;
    let dw = fresh(call.needs[1] && weight.is_some(), groups)?;
    let db = fresh(call.needs[2], groups)?;
    let reads: SmallVec<[&Array; 5]> =
        [Some(x), Some(grad), Some(mean), Some(inverse_std), weight].into_iter().flatten().collect();
    let writes: SmallVec<[&Array; 3]> = [&dx, &dw, &db].into_iter().flatten().collect();
    let access = Access::acquire(&reads, &writes)?;
    let [from, grads, means, inverses] = [x, grad, mean, inverse_std].map(RawArray::of);
    let weight = weight.map(RawArray::of);
    let [to, of_weight, of_bias] = [&dx, &dw, &db].map(|array| array.as_ref().map(RawArray::of));
    parallel_for(groups, GRAIN.div_ceil(k * GROUP), &|range| {
        for group in range {
            let first = group * GROUP;
            let count = GROUP.min(rows - first);
            let (start, len) = (first * k, count * k);
            // SAFETY: the access is held, the arrays are dense, and the rows of the group belong to this thread.
            let backward = unsafe {
                Backward::<F> {
                    x: slice(from, start, len),
                    g: slice(grads, start, len),
                    mean: slice(means, first, count),
                    inverse: slice(inverses, first, count),
                    weight: weight.map(|array| slice(array, 0, k)),
                    dx: to.map(|array| slice_mut(array, start, len)),
                    dw: of_weight.map(|array| slice_mut(array, group * k, k)),
                    db: of_bias.map(|array| slice_mut(array, group * k, k)),
                    k,
                }
            };
            dispatch(backward);
        }
    });
    drop(access);
    drop(writes);
    let over_groups = |sums: Option<Array>| {
        sums.map(|sums| match groups {
            1 => Ok(sums),
            _ => reduce(ReduceArgs::new(ReduceOp::Sum, &[0], true), &[&sums], &[]),
        })
        .transpose()
    };
    Ok([dx, over_groups(dw)?, over_groups(db)?])
}

/// The gradients of a group of rows; of x: i · (g − Σg/n − (x − m) · i² · Σg(x − m)/n) of each row, with g times the weight.
struct Backward<'a, F> {
    x: &'a [F],
    g: &'a [F],
    mean: &'a [F],
    inverse: &'a [F],
    weight: Option<&'a [F]>,
    dx: Option<&'a mut [F]>,
    /// The group's part of the weight's and the bias's gradient.
    dw: Option<&'a mut [F]>,
    db: Option<&'a mut [F]>,
    k: usize,
}

impl<F: Float> Kernel for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Backward { x, g, mean, inverse, weight, mut dx, mut dw, mut db, k } = self;
        let n = k as f64;
        for sums in [&mut dw, &mut db].into_iter().flatten() {
            sums.fill(F::ZERO);
        }
        for (r, (x, g)) in x.chunks_exact(k).zip(g.chunks_exact(k)).enumerate() {
            let (m, i) = (mean[r], inverse[r]);
            if let Some(dx) = &mut dx {
                let dx = &mut dx[r * k..(r + 1) * k];
                // The gradient of what the weight multiplies, where the result will stand.
                match weight {
                    Some(w) => each(dx, [g, w, w], |g, w, _| g * w),
                    None => dx.copy_from_slice(g),
                }
                // In float64, for 1 / √variance may be large, and multiplies what is left of these differences.
                let deviation = |x: F| x.to_f64() - m.to_f64();
                let plain = sum([dx, dx], |g, _| g.to_f64()) / n;
                let wide = i.to_f64();
                let deviating = wide * wide * sum([&*dx, x], |g, x| g.to_f64() * deviation(x)) / n;
                for (g, &x) in dx.iter_mut().zip(x) {
                    *g = F::from_f64((g.to_f64() - plain - deviation(x) * deviating) * wide);
                }
            }
            if let Some(dw) = &mut dw {
                for ((sum, &x), &g) in dw.iter_mut().zip(x).zip(g) {
                    *sum = *sum + g * (x - m) * i;
                }
            }
            if let Some(db) = &mut db {
                for (sum, &g) in db.iter_mut().zip(g) {
                    *sum = *sum + g;
                }
            }
        }
    }
}
