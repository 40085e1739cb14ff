//! Normalisation by statistics of the input: one closed form for batch, layer, group and instance norm.

use crate::error::{Error, Result};
use crate::graph::{Context, Grads, Save, record};
use crate::ops::{map, mean_map, reshape, sum_map, sum_to_size, to_i64};
use crate::{Tensor, ops};
use flambeau_tensor::backend::{NormBackward, NormLayout, Normalized};
use flambeau_tensor::ops::{NormFormulas, WeightPlace, normalize, normalize_backward};
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::{SmallVec, smallvec};

/// Refuses parameters of another dtype, unless halves are normalised by float32: PyTorch's rule, which takes the first parameter's
/// dtype for all. Where that is the input's, the first of another dtype among `read`, the order in which a kernel reads them, is
/// what it complains of.
pub(crate) fn check_mixed<'a, const N: usize>(
    x: &Tensor,
    params: [Option<&'a Tensor>; N],
    read: impl FnOnce([Option<&'a Tensor>; N]) -> [Option<&'a Tensor>; N],
) -> Result<()> {
    let own = x.dtype();
    let mut dtypes = params.into_iter().flatten().map(Tensor::dtype);
    let Some(first) = dtypes.next() else { return Ok(()) };
    if first == own {
        // Of nothing a kernel reads nothing.
        let mut read = read(params).into_iter().flatten().map(Tensor::dtype).filter(|_| x.numel() > 0);
        let other = read.find(|d| *d != own);
        return other.map_or(Ok(()), |other| {
            let (own, other) = (own.scalar_type_name(), other.scalar_type_name());
            Err(Error::runtime(format!("expected scalar type {own} but found {other}")))
        });
    }
    if first != DType::F32 || dtypes.any(|d| d != DType::F32) {
        return Err(Error::runtime("mixed dtype (CPU): expect parameter to have scalar type of Float"));
    }
    match own {
        DType::F16 | DType::BF16 => Ok(()),
        _ => Err(Error::runtime("mixed dtype (CPU): all inputs must share same datatype.")),
    }
}

/// Normalises and records; also the statistics.
pub(crate) fn normalize_by(
    name: &'static str,
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    layout: NormLayout,
) -> Result<(Tensor, Normalized)> {
    let xa = x.array().reshape(&to_i64(&layout.shape))?;
    let viewed = |p: Option<&Tensor>| p.map(|p| p.array().reshape(&to_i64(&layout.params))).transpose();
    let (w, b) = (viewed(weight)?, viewed(bias)?);
    let normalized = normalize(&xa, w.as_ref(), b.as_ref(), &layout)?;
    let out = normalized.out.reshape(&to_i64(&x.size()))?;
    let tensors: SmallVec<[&Tensor; 3]> = [Some(x), weight, bias].into_iter().flatten().collect();
    let mut saves: SmallVec<[Save<'_>; 4]> =
        smallvec![Save::Tensor("input", x), Save::Array("result1", normalized.mean.clone())];
    saves.push(Save::Array("result2", normalized.inverse_std.clone()));
    saves.push(weight.map_or(Save::Nothing("weight"), |weight| Save::Tensor("weight", weight)));
    let (has_weight, bias_shape) = (weight.is_some(), bias.map(|b| to_i64(&b.size())));
    let out = record(name, &tensors, &saves, out, move |c| match crate::is_grad_enabled() {
        true => differentiable_backward(c, &layout, has_weight, bias_shape.as_deref()),
        false => backward(c, &layout, has_weight, bias_shape.as_deref()),
    });
    Ok((out, normalized))
}

fn backward(c: &Context<'_>, layout: &NormLayout, has_weight: bool, bias_shape: Option<&[i64]>) -> Result<Grads> {
    let internal = to_i64(&layout.shape);
    let (x, mean, inverse_std) = (c.saved(0)?, c.saved(1)?, c.saved(2)?);
    let weight = if has_weight { Some(c.saved(3)?) } else { None };
    let (grad, xi) = (c.grad(0)?.array().reshape(&internal)?, x.array().reshape(&internal)?);
    let w = weight.as_ref().map(|w| w.array().reshape(&to_i64(&layout.params))).transpose()?;
    let (mean, inverse_std) = (mean.array().clone(), inverse_std.array().clone());
    let call = NormBackward { grad: &grad, x: &xi, mean: &mean, inverse_std: &inverse_std, weight: w.as_ref(), layout };
    let bias_slot = 1 + usize::from(has_weight);
    let needs = [c.needs(0), has_weight && c.needs(1), bias_shape.is_some() && c.needs(bias_slot)];
    let [dx, of_weight, of_bias] = normalize_backward(&call, needs)?;
    let shaped = |gradient: Option<Array>, shape: &[i64]| -> Result<Option<Tensor>> {
        Ok(gradient.map(|g| g.reshape(shape)).transpose()?.map(Tensor::from))
    };
    let mut grads: Grads = smallvec![shaped(dx, &to_i64(&x.size()))?];
    if let Some(weight) = &weight {
        grads.push(shaped(of_weight, &to_i64(&weight.size()))?);
    }
    if let Some(shape) = bias_shape {
        grads.push(shaped(of_bias, shape)?);
    }
    Ok(grads)
}

/// [`backward`] as functions that have a gradient: the statistics, too, are functions of the input.
fn differentiable_backward(
    c: &Context<'_>,
    layout: &NormLayout,
    has_weight: bool,
    bias_shape: Option<&[i64]>,
) -> Result<Grads> {
    let formulas = NormFormulas::get();
    let name = "NativeBatchNormBackwardBackward0";
    let internal = to_i64(&layout.shape);
    let x = c.saved(0)?;
    let g = &reshape(&c.grad(0)?, &internal)?;
    let xi = &reshape(&x, &internal)?;
    let weight = if has_weight { Some(c.saved(3)?) } else { None };
    let w = weight.as_ref().map(|w| reshape(w, &to_i64(&layout.params))).transpose()?;
    let (mean, inverse_std) = differentiable_statistics(xi, layout)?;
    let (mean, inverse_std) = (&mean, &inverse_std);
    let inside = w.as_ref().filter(|_| !layout.weight_per_mean());
    let over = |program, inputs: &[&Tensor]| sum_map(name, program, inputs, &[], &layout.dims, true, None);
    let to_param = |sum: &Tensor, like: &Tensor| -> Result<Tensor> {
        ops::to_dtype(&reshape(&sum_to_size(sum, &layout.params)?, &to_i64(&like.size()))?, like.dtype())
    };
    let mut grads: Grads = smallvec![None];
    // Plain sums over each mean's elements serve the input's gradient, and weight and bias where these are per mean.
    let sums = match inside {
        None => [over(None, &[g])?, over(Some(&formulas.with_deviation[0]), &[g, xi, mean])?],
        Some(w) => {
            [over(Some(&formulas.product), &[g, w])?, over(Some(&formulas.with_deviation[1]), &[g, xi, mean, w])?]
        }
    };
    if c.needs(0) {
        let n = [layout.count().into()];
        let mut inputs: SmallVec<[&Tensor; 7]> = smallvec![g, xi, mean, inverse_std, &sums[0], &sums[1]];
        inputs.extend(&w);
        let place = match (&w, inside) {
            (None, _) => WeightPlace::Absent,
            (Some(_), None) => WeightPlace::Outside,
            (Some(_), Some(_)) => WeightPlace::Inside,
        };
        let dx = map(name, &formulas.input_gradient[place as usize], &inputs, &n)?;
        grads[0] = Some(reshape(&ops::to_dtype(&dx, x.dtype())?, &to_i64(&x.size()))?);
    }
    if let Some(weight) = &weight {
        grads.push(match (c.needs(1), inside) {
            (false, _) => None,
            (true, None) => Some(to_param(&map(name, &formulas.product, &[&sums[1], inverse_std], &[])?, weight)?),
            (true, Some(_)) => {
                let dims = layout.broadcast_dims();
                let sum = sum_map(
                    name,
                    Some(&formulas.weight_gradient),
                    &[g, xi, mean, inverse_std],
                    &[],
                    &dims,
                    true,
                    None,
                )?;
                Some(to_param(&sum, weight)?)
            }
        });
    }
    if let Some(bias_shape) = bias_shape {
        let slot = 1 + usize::from(has_weight);
        let flat = || -> Result<Tensor> {
            let sum = match inside {
                None if layout.weight_per_mean() => sum_to_size(&sums[0], &layout.params)?,
                _ => sum_to_size(g, &layout.params)?,
            };
            reshape(&sum, bias_shape)
        };
        grads.push(c.needs(slot).then(flat).transpose()?);
    }
    Ok(grads)
}

fn differentiable_statistics(x: &Tensor, layout: &NormLayout) -> Result<(Tensor, Tensor)> {
    let (name, formulas) = ("NativeBatchNormBackwardBackward0", NormFormulas::get());
    let scalars = [layout.count().into(), Scalar::Float(layout.eps)];
    let mean = mean_map(name, None, &[x], &[], &layout.dims, true, None)?;
    let deviation = sum_map(name, Some(&formulas.deviation), &[x, &mean], &[], &layout.dims, true, None)?;
    let inverse_std = map(name, &formulas.inverse_std, &[&deviation], &scalars)?;
    Ok((mean, inverse_std))
}

/// A mean of one value has no variance to train on.
pub(crate) fn one_value(size: &str) -> Error {
    Error::value(format!("Expected more than 1 value per channel when training, got input size {size}"))
}
