//! Reading at indices: gather, index_select, nonzero.

use crate::cast::copy_strided;
use crate::cast::{ForDType, Number, for_dtype};
use crate::lines::{Lines, length};
use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::{CheckIndex, Gather, IndexSelect, Nonzero, RefuseWhere};
use flambeau_tensor::dims::Dims;
use flambeau_tensor::ops::{ReduceArgs, reduce};
use flambeau_tensor::plan::Plan;
use flambeau_tensor::{Array, DType, Finding, IndexRule, Result};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Elements per thread at least.
const GRAIN: usize = 32 << 10;

/// Finds an index outside `0..n`, if there is one, before anything is written.
///
/// # Safety
/// `index` is an i64 array whose access is held.
pub unsafe fn find_bad_index(index: &Array, n: usize) -> Option<i64> {
    let plan = Plan::unordered(index.shape(), &[index.strides()]);
    let (view, stride) = (RawArray::of(index), plan.inner_stride(0));
    let (found, bad) = (AtomicBool::new(false), AtomicI64::new(0));
    parallel_for(plan.numel(), GRAIN, &|range| {
        let mut cursor = plan.seek(range.start);
        let mut left = range.len();
        while left > 0 {
            let m = cursor.left_in_row(&plan).min(left);
            let data = view.at(cursor.offsets[0]).cast::<i64>();
            for i in 0..m {
                // SAFETY: the caller's contract; the plan keeps addresses inside the array.
                let x = unsafe { *data.add(i * stride) };
                // A negative index is a huge unsigned one.
                if x as u64 >= n as u64 {
                    bad.store(x, Ordering::Relaxed);
                    return found.store(true, Ordering::Relaxed);
                }
            }
            cursor.advance(&plan, m);
            left -= m;
        }
    });
    found.into_inner().then(|| bad.into_inner())
}

/// [`flambeau_tensor::Backend::check_index`] on this device.
pub fn check_index(call: &CheckIndex<'_>) -> Result<Array> {
    let CheckIndex { index, ref rule } = *call;
    let mut places = index.to_dtype(DType::I64)?.to_vec::<i64>()?;
    for place in &mut places {
        *place = rule.place(*place)? as i64;
    }
    Array::from_slice(index.backend(), index.device(), &places, index.shape())
}

/// [`flambeau_tensor::Backend::refuse_where`] on this device.
pub fn refuse_where(call: &RefuseWhere<'_>) -> Result<()> {
    let RefuseWhere { program, x, scalars, finding } = *call;
    let args = ReduceArgs { op: ReduceOp::Any, map: Some(program), dims: &[], keepdim: false, dtype: None };
    match reduce(args, &[x], scalars)?.item()?.to_bool() {
        true => Err(finding.error(0, 0, 0)),
        false => Ok(()),
    }
}

/// [`flambeau_tensor::Backend::gather`] on this device.
pub fn gather(call: &Gather<'_>) -> Result<()> {
    let Gather { src, dim, index, out } = *call;
    let n = length(src, dim);
    let size = src.dtype().size();
    let lines = Lines::new(index.shape(), dim, &[src, index, out]);
    let count = length(index, dim);
    let _access = Access::acquire(&[src, index], &[out])?;
    // SAFETY: the access is held.
    if let Some(bad) = unsafe { find_bad_index(index, n) } {
        return Err(Finding::Place.error(bad, n, dim));
    }
    let (from, positions, to) = (RawArray::of(src), RawArray::of(index), RawArray::of(out));
    let steps = &lines.strides;
    parallel_for(lines.count, GRAIN.div_ceil(count.max(1)), &|range| {
        lines.for_each(range, |_, at| {
            for i in 0..count {
                // SAFETY: the access is held; the indices were checked; each thread writes its own lines.
                unsafe {
                    let k = *positions.at(at[1] + i * steps[1]).cast::<i64>() as usize;
                    copy_strided(size, from.at(at[0] + k * steps[0]), 1, to.at(at[2] + i * steps[2]), 1, 1);
                }
            }
        });
    });
    Ok(())
}

/// [`flambeau_tensor::Backend::index_select`] on this device.
pub fn index_select(call: &IndexSelect<'_>) -> Result<()> {
    let IndexSelect { src, dim, index, out } = *call;
    let n = length(src, dim);
    let _access = Access::acquire(&[src, index], &[out])?;
    let (from, to) = (RawArray::of(src), RawArray::of(out));
    let rows = selected_rows(index, n)?;
    let step = |a: &Array| a.strides().get(dim).copied().unwrap_or(1);
    let (step_src, step_out) = (step(src), step(out));
    // One row: everything but `dim`.
    let others: Dims = (0..src.ndim()).filter(|&d| d != dim).collect();
    let plan = Plan::grouped(src.shape(), &[src.strides(), out.strides()], &[&others]).0;
    let row_len = others.iter().map(|&d| src.shape()[d]).product::<usize>();
    let size = from.dtype.size();
    let (inner_src, inner_out) = (plan.inner_stride(0), plan.inner_stride(1));
    parallel_for(rows.len(), GRAIN.div_ceil(row_len.max(1)), &|range| {
        for i in range {
            let mut cursor = plan.seek(0);
            let mut left = row_len;
            while left > 0 {
                let m = cursor.left_in_row(&plan).min(left);
                let source = from.at(rows[i] * step_src + cursor.offsets[0]);
                let target = to.at(i * step_out + cursor.offsets[1]);
                // SAFETY: the access is held, the indices were checked, each row of the output belongs to one thread.
                unsafe { copy_strided(size, source, inner_src, target, inner_out, m) };
                cursor.advance(&plan, m);
                left -= m;
            }
        }
    });
    Ok(())
}

/// The rows that a 1-d index (of any integer dtype) names. Its access is held.
fn selected_rows(index: &Array, n: usize) -> Result<Vec<usize>> {
    struct Read<'a>(&'a Array);
    impl ForDType for Read<'_> {
        type Output = Vec<i64>;
        fn run<T: Number>(self) -> Vec<i64> {
            let data = self.0.host_ptr().cast_const().cast::<T>();
            let stride = self.0.strides().first().copied().unwrap_or(1);
            // SAFETY: the array's access is held by `index_select`, and these are its elements.
            (0..self.0.numel()).map(|i| unsafe { *data.add(i * stride) }.to_i64()).collect()
        }
    }
    let rule = IndexRule::strict(n, Finding::Line, 0);
    for_dtype(index.dtype(), Read(index)).into_iter().map(|i| rule.place(i)).collect()
}

/// [`flambeau_tensor::Backend::nonzero`] on this device.
pub fn nonzero(call: &Nonzero<'_>) -> Result<Array> {
    let Nonzero { src } = *call;
    let found = for_dtype(src.dtype(), Find(src))?;
    let (rows, columns) = (found.len(), src.ndim());
    let strides: SmallVec<[usize; 6]> = flambeau_tensor::dims::contiguous_strides(src.shape());
    let mut table = Vec::with_capacity(rows * columns);
    for flat in found {
        table.extend((0..columns).map(|d| (flat / strides[d] % src.shape()[d]) as i64));
    }
    let out = Array::empty(src.backend(), src.device(), &[rows, columns], DType::I64)?;
    src.backend().upload(bytemuck::cast_slice(&table), &out)?;
    Ok(out)
}

/// The row-major positions of what is not zero.
struct Find<'a>(&'a Array);

impl ForDType for Find<'_> {
    type Output = Result<Vec<usize>>;
    fn run<T: Number>(self) -> Self::Output {
        let order: Dims = (0..self.0.ndim()).collect();
        let plan = Plan::grouped(self.0.shape(), &[self.0.strides()], &[&order]).0;
        let _access = Access::acquire(&[self.0], &[])?;
        let (view, stride) = (RawArray::of(self.0), plan.inner_stride(0));
        let mut cursor = plan.seek(0);
        let mut found = Vec::new();
        let mut done = 0;
        while done < self.0.numel() {
            let n = cursor.left_in_row(&plan);
            let row = view.at(cursor.offsets[0]).cast::<T>();
            // SAFETY: the access is held, and the plan keeps addresses inside the array.
            found.extend((0..n).filter(|&i| unsafe { *row.add(i * stride) }.truth()).map(|i| done + i));
            done += n;
            cursor.advance(&plan, n);
        }
        Ok(found)
    }
}
