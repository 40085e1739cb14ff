//! Normalisation by statistics of the input: of dense rows by kernels of their own, else composed of other primitives.
//!
//! Forward: two reductions and one program. Backward: two reductions and one program, and what weight and bias need.

mod rows;

use flambeau_tensor::backend::{NormBackward, Normalized, ReduceOp};
use flambeau_tensor::calls::{Normalize, NormalizeBackward};
use flambeau_tensor::ops::{NormFormulas, ReduceArgs, WeightPlace, moments, pointwise, reduce};
use flambeau_tensor::{Array, Result, Scalar};
use smallvec::SmallVec;

/// [`flambeau_tensor::Backend::normalize`] on this device.
pub fn normalize(call: &Normalize<'_>) -> Result<Normalized> {
    if let Some(normalized) = rows::normalize(call)? {
        return Ok(normalized);
    }
    let Normalize { x, weight, bias, layout } = *call;
    let formulas = NormFormulas::get();
    // Statistics of halves are f32, as in PyTorch.
    let (mean, deviation) = moments(x, &layout.dims)?;
    let scalars = [layout.count().into(), Scalar::Float(layout.eps)];
    let inverse_std = pointwise(&formulas.inverse_std, &[&deviation], &scalars)?;
    let inputs: SmallVec<[&Array; 5]> =
        [Some(x), Some(&mean), Some(&inverse_std), weight, bias].into_iter().flatten().collect();
    let out = pointwise(formulas.normalize(weight.is_some(), bias.is_some()), &inputs, &[])?;
    drop(inputs);
    Ok(Normalized { out: out.to_dtype(x.dtype())?, mean, deviation, inverse_std })
}

/// [`flambeau_tensor::Backend::normalize_backward`] on this device.
pub fn normalize_backward(call: &NormalizeBackward<'_>) -> Result<[Option<Array>; 3]> {
    if let Some(gradients) = rows::normalize_backward(call)? {
        return Ok(gradients);
    }
    let formulas = NormFormulas::get();
    let NormalizeBackward { args, needs } = *call;
    let NormBackward { grad: g, x, mean, inverse_std, weight, layout } = args;
    let inside = weight.filter(|_| !layout.weight_per_mean());
    let over = |map, inputs: &[&Array], dims: &[i64]| {
        reduce(ReduceArgs { op: ReduceOp::Sum, map, dims, keepdim: true, dtype: None }, inputs, &[])
    };
    // Plain sums over each mean's elements serve the input's gradient, and weight and bias where these are per mean.
    let [plain, deviating] = &formulas.with_deviation;
    let sums = match inside {
        None => [over(None, &[g], &layout.dims)?, over(Some(plain), &[g, x, mean], &layout.dims)?],
        Some(w) => [
            over(Some(&formulas.product), &[g, w], &layout.dims)?,
            over(Some(deviating), &[g, x, mean, w], &layout.dims)?,
        ],
    };
    let input = || {
        let place = match (weight, inside) {
            (None, _) => WeightPlace::Absent,
            (Some(_), None) => WeightPlace::Outside,
            (Some(_), Some(_)) => WeightPlace::Inside,
        };
        let mut inputs: SmallVec<[&Array; 7]> = SmallVec::from_slice(&[g, x, mean, inverse_std, &sums[0], &sums[1]]);
        inputs.extend(weight);
        let dx = pointwise(&formulas.input_gradient[place as usize], &inputs, &[layout.count().into()])?;
        dx.to_dtype(x.dtype())
    };
    let of_weight = |weight: &Array| {
        let sum = match inside {
            None => pointwise(&formulas.product, &[&sums[1], inverse_std], &[])?,
            Some(_) => over(Some(&formulas.weight_gradient), &[g, x, mean, inverse_std], &layout.broadcast_dims())?,
        };
        sum_to(sum, &layout.params)?.to_dtype(weight.dtype())
    };
    let of_bias = || match inside {
        None if layout.weight_per_mean() => sum_to(sums[0].clone(), &layout.params),
        _ => sum_to(g.clone(), &layout.params),
    };
    Ok([
        needs[0].then(input).transpose()?,
        weight.filter(|_| needs[1]).map(of_weight).transpose()?,
        needs[2].then(of_bias).transpose()?,
    ])
}

/// Sums over the dimensions that are longer than those of `shape`.
fn sum_to(x: Array, shape: &[usize]) -> Result<Array> {
    let dims: SmallVec<[i64; 6]> = (0..shape.len()).filter(|&d| x.shape()[d] != shape[d]).map(|d| d as i64).collect();
    if dims.is_empty() {
        return Ok(x);
    }
    reduce(ReduceArgs::new(ReduceOp::Sum, &dims, true), &[&x], &[])
}
