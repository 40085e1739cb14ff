//! Normalisation by statistics of the input: one closed form for batch, layer, group and instance norm.
//!
//! Forward: two reductions and one program. Backward: two reductions and one program, and what weight and bias need.

use super::{map, mean_map, reshape, sum_map, sum_to_size, to_i64};
use crate::error::{Error, Result};
use crate::graph::{Context, Grads, Save, record};
use crate::{Tensor, ops};
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::ops::{ReduceArgs, pointwise, reduce};
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// How an input is normalised.
#[derive(Clone)]
pub(super) struct Layout {
    /// The shape that the input is viewed in.
    pub shape: Dims,
    /// The dimensions of it that a mean is taken over.
    pub dims: SmallVec<[i64; 6]>,
    /// The shape of weight and bias in it.
    pub params: Dims,
    /// Added to the variance.
    pub eps: f64,
}

impl Layout {
    /// How many elements a mean is of.
    fn count(&self) -> usize {
        self.dims.iter().map(|&d| self.shape[d as usize]).product()
    }

    /// Whether the weight is the same for all elements of a mean.
    fn weight_per_mean(&self) -> bool {
        self.dims.iter().all(|&d| self.params[d as usize] == 1)
    }

    fn scalars(&self) -> [Scalar; 2] {
        [self.count().into(), Scalar::Float(self.eps)]
    }
}

static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
/// (x − m)²
static DEVIATION: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let d = b.input(0) - b.input(1);
        d * d
    })
});
/// 1 / √(s/n + ε)
static INVERSE_STD: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) / b.scalar(0) + b.scalar(1)).rsqrt()));

/// A program for each combination of a weight and a bias that there are, which come after the other inputs.
fn affine(inputs: usize, formula: impl for<'b> Fn(&[Expr<'b>]) -> Expr<'b> + Copy) -> [Pointwise; 4] {
    [(false, false), (false, true), (true, false), (true, true)].map(|(weight, bias)| {
        Pointwise::new(|b| {
            let args: SmallVec<[Expr<'_>; 4]> = (0..inputs).map(|i| b.input(i)).collect();
            let y = formula(&args);
            let y = if weight { y * b.input(inputs) } else { y };
            if bias { y + b.input(inputs + usize::from(weight)) } else { y }
        })
    })
}

/// (x − m) · i, then weight and bias
pub(super) static NORMALIZE: LazyLock<[Pointwise; 4]> = LazyLock::new(|| affine(3, |v| (v[0] - v[1]) * v[2]));

pub(super) fn variant(weight: bool, bias: bool) -> usize {
    usize::from(weight) * 2 + usize::from(bias)
}

/// The mean, the sum of squared deviations and 1/√(variance + ε).
pub(super) struct Statistics {
    pub mean: Array,
    pub deviation: Array,
    inverse_std: Array,
}

fn statistics(x: &Array, layout: &Layout) -> Result<Statistics> {
    // Statistics of halves are f32, as in PyTorch.
    let wide = if matches!(x.dtype(), DType::F16 | DType::BF16) { DType::F32 } else { x.dtype() };
    let over = |map| ReduceArgs { op: ReduceOp::Sum, map, dims: &layout.dims, keepdim: true, dtype: Some(wide) };
    let scalars = layout.scalars();
    let mean = pointwise(&DIVIDE, &[&reduce(over(None), &[x], &[])?], &scalars[..1])?;
    let deviation = reduce(over(Some(&*DEVIATION)), &[x, &mean], &[])?;
    let inverse_std = pointwise(&INVERSE_STD, &[&deviation], &scalars)?;
    Ok(Statistics { mean, deviation, inverse_std })
}

/// Normalises and records; also the statistics.
pub(super) fn normalize_by(
    name: &'static str,
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    layout: Layout,
) -> Result<(Tensor, Statistics)> {
    let xa = x.array().reshape(&to_i64(&layout.shape))?;
    let stats = statistics(&xa, &layout)?;
    let viewed = |p: Option<&Tensor>| p.map(|p| p.array().reshape(&to_i64(&layout.params))).transpose();
    let (w, b) = (viewed(weight)?, viewed(bias)?);
    let inputs = [Some(&xa), Some(&stats.mean), Some(&stats.inverse_std), w.as_ref(), b.as_ref()];
    let inputs: SmallVec<[&Array; 5]> = inputs.into_iter().flatten().collect();
    let out = pointwise(&NORMALIZE[variant(w.is_some(), b.is_some())], &inputs, &[])?;
    drop(inputs);
    let out = out.to_dtype(x.dtype())?.reshape(&to_i64(&x.size()))?;
    let tensors: SmallVec<[&Tensor; 3]> = [Some(x), weight, bias].into_iter().flatten().collect();
    let mut saves: SmallVec<[Save<'_>; 4]> =
        smallvec![Save::Tensor(x), Save::Array(stats.mean.clone()), Save::Array(stats.inverse_std.clone())];
    saves.extend(weight.map(Save::Tensor));
    let (has_weight, bias_shape) = (weight.is_some(), bias.map(|b| to_i64(&b.size())));
    let out = record(name, &tensors, &saves, out, move |c| backward(c, &layout, has_weight, bias_shape.as_deref()));
    Ok((out, stats))
}

/// g · (x − m), times a weight in the second
static WITH_DEVIATION: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|weighted| {
        Pointwise::new(move |b| {
            let g = if weighted { b.input(0) * b.input(3) } else { b.input(0) };
            g * (b.input(1) - b.input(2))
        })
    })
});
static PRODUCT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));
/// g · (x − m) · i
static WEIGHT_GRADIENT: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * (b.input(1) - b.input(2)) * b.input(3)));

/// Where a weight stands in the gradient of the input.
#[derive(Clone, Copy, PartialEq)]
enum Weight {
    Absent,
    /// It is the same for a whole mean.
    Outside,
    Inside,
}

/// i · (g − Σg/n − (x − m) · i² · Σg(x − m)/n) of g, x, m, i and the two sums
static INPUT_GRADIENT: LazyLock<[Pointwise; 3]> = LazyLock::new(|| {
    [Weight::Absent, Weight::Outside, Weight::Inside].map(|weight| {
        Pointwise::new(move |b| {
            let (x, m, i, n) = (b.input(1), b.input(2), b.input(3), b.scalar(0));
            let g = if weight == Weight::Inside { b.input(0) * b.input(6) } else { b.input(0) };
            let y = (g - b.input(4) / n - (x - m) * (i * i * b.input(5) / n)) * i;
            if weight == Weight::Outside { y * b.input(6) } else { y }
        })
    })
});

fn backward(c: &Context<'_>, layout: &Layout, has_weight: bool, bias_shape: Option<&[i64]>) -> Result<Grads> {
    let name = "NativeBatchNormBackwardBackward0";
    let internal = to_i64(&layout.shape);
    let x = c.saved(0)?;
    let g = &reshape(&c.grad(0)?, &internal)?;
    let xi = &reshape(&x, &internal)?;
    let weight = if has_weight { Some(c.saved(3)?) } else { None };
    let w = weight.as_ref().map(|w| reshape(w, &to_i64(&layout.params))).transpose()?;
    // For a second derivative the statistics are functions of the input.
    let (mean, inverse_std) = match crate::is_grad_enabled() {
        true => differentiable_statistics(xi, layout)?,
        false => (c.saved(1)?, c.saved(2)?),
    };
    let (mean, inverse_std) = (&mean, &inverse_std);
    let inside = w.as_ref().filter(|_| !layout.weight_per_mean());
    let over = |program, inputs: &[&Tensor]| sum_map(name, program, inputs, &[], &layout.dims, true, None);
    let to_param = |sum: &Tensor, like: &Tensor| -> Result<Tensor> {
        ops::to_dtype(&reshape(&sum_to_size(sum, &layout.params)?, &to_i64(&like.size()))?, like.dtype())
    };
    let mut grads: Grads = smallvec![None];
    // Plain sums over each mean's elements serve the input's gradient, and weight and bias where these are per mean.
    let sums = match inside {
        None => [over(None, &[g])?, over(Some(&WITH_DEVIATION[0]), &[g, xi, mean])?],
        Some(w) => [over(Some(&PRODUCT), &[g, w])?, over(Some(&WITH_DEVIATION[1]), &[g, xi, mean, w])?],
    };
    if c.needs(0) {
        let n = &layout.scalars()[..1];
        let mut inputs: SmallVec<[&Tensor; 7]> = smallvec![g, xi, mean, inverse_std, &sums[0], &sums[1]];
        inputs.extend(&w);
        let place = match (&w, inside) {
            (None, _) => Weight::Absent,
            (Some(_), None) => Weight::Outside,
            (Some(_), Some(_)) => Weight::Inside,
        };
        let dx = map(name, &INPUT_GRADIENT[place as usize], &inputs, n)?;
        grads[0] = Some(reshape(&ops::to_dtype(&dx, x.dtype())?, &to_i64(&x.size()))?);
    }
    if let Some(weight) = &weight {
        grads.push(match (c.needs(1), inside) {
            (false, _) => None,
            (true, None) => Some(to_param(&map(name, &PRODUCT, &[&sums[1], inverse_std], &[])?, weight)?),
            (true, Some(_)) => {
                let dims = broadcast_dims(layout);
                let sum = sum_map(name, Some(&WEIGHT_GRADIENT), &[g, xi, mean, inverse_std], &[], &dims, true, None)?;
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

/// The dimensions that weight and bias are broadcast along.
fn broadcast_dims(layout: &Layout) -> SmallVec<[i64; 6]> {
    (0..layout.shape.len()).filter(|&d| layout.params[d] == 1).map(|d| d as i64).collect()
}

fn differentiable_statistics(x: &Tensor, layout: &Layout) -> Result<(Tensor, Tensor)> {
    let name = "NativeBatchNormBackwardBackward0";
    let mean = mean_map(name, None, &[x], &[], &layout.dims, true, None)?;
    let deviation = sum_map(name, Some(&DEVIATION), &[x, &mean], &[], &layout.dims, true, None)?;
    let inverse_std = map(name, &INVERSE_STD, &[&deviation], &layout.scalars())?;
    Ok((mean, inverse_std))
}

/// A mean of one value has no variance to train on.
pub(super) fn one_value(size: &str) -> Error {
    Error::value(format!("Expected more than 1 value per channel when training, got input size {size}"))
}
