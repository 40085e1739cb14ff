//! The gradient of softmax and of its logarithm.

use super::{GRAIN, SHORT};
use crate::lines::length;
use crate::pointwise::tile::RawArray;
use crate::pointwise::{Float, Function};
use crate::rows::{each, sum};
use crate::simd::{Kernel, Simd, dispatch};
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::SoftmaxBackward;
use flambeau_tensor::ops::{ReduceArgs, SoftmaxGradient, pointwise, reduce};
use flambeau_tensor::{Array, DType, Result};

/// [`flambeau_tensor::Backend::softmax_backward`] on this device.
pub fn softmax_backward(call: &SoftmaxBackward<'_>) -> Result<Array> {
    let SoftmaxBackward { grad, y, dim, log } = *call;
    let dense = |a: &Array| a.is_contiguous() && dim + 1 == a.ndim();
    if length(y, dim) >= SHORT && dense(grad) && dense(y) {
        match y.dtype() {
            DType::F64 => return dense_lines::<f64>(call),
            DType::F32 => return dense_lines::<f32>(call),
            _ => {}
        }
    }
    let gradient = SoftmaxGradient::of(log);
    let inputs = [grad, y];
    let summed = if gradient.summand.is_some() { &inputs[..] } else { &inputs[..1] };
    let dims = [dim as i64];
    let args =
        ReduceArgs { op: ReduceOp::Sum, map: gradient.summand.as_ref(), dims: &dims, keepdim: true, dtype: None };
    let sum = reduce(args, summed, &[])?;
    pointwise(&gradient.gradient, &[grad, y, &sum], &[])
}

fn dense_lines<F: Float>(call: &SoftmaxBackward<'_>) -> Result<Array> {
    let SoftmaxBackward { grad, y, dim, log } = *call;
    let out = Array::empty(y.backend(), y.device(), y.shape(), y.dtype())?;
    let n = length(y, dim);
    let access = Access::acquire(&[grad, y], &[&out])?;
    let [from_grad, from_y, to] = [grad, y, &out].map(RawArray::of);
    parallel_for(y.numel() / n, GRAIN.div_ceil(n), &|range| {
        let (start, len) = (range.start * n, range.len() * n);
        // SAFETY: the access is held, the arrays are dense, and these lines belong to this thread.
        let lines = unsafe {
            Backward {
                g: std::slice::from_raw_parts(from_grad.at(start).cast::<F>(), len),
                y: std::slice::from_raw_parts(from_y.at(start).cast::<F>(), len),
                out: std::slice::from_raw_parts_mut(to.at(start).cast::<F>(), len),
                n,
                log,
            }
        };
        dispatch(lines);
    });
    drop(access);
    Ok(out)
}

/// y · (g − Σ g·y) of each line of n, or g − e^y · Σ g for the logarithm.
struct Backward<'a, F> {
    g: &'a [F],
    y: &'a [F],
    out: &'a mut [F],
    n: usize,
    log: bool,
}

impl<F: Float> Kernel for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Backward { g, y, out, n, log } = self;
        for ((g, y), out) in g.chunks_exact(n).zip(y.chunks_exact(n)).zip(out.chunks_exact_mut(n)) {
            if log {
                let total = sum([g, g], |g, _| g);
                each(out, [g, y, y], |g, y, _| g - y.math::<S>(Function::Exp) * total);
            } else {
                let total = sum([g, y], |g, y| g * y);
                each(out, [g, y, y], |g, y, _| y * (g - total));
            }
        }
    }
}
