//! Normalisation by statistics of the input, and its gradients.

use crate::gpu::{Arg, Gpu};
use crate::lines::Place;
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_shaders::map::number_words;
use flambeau_tensor::backend::{NormBackward, NormLayout, Normalized, ReduceOp};
use flambeau_tensor::calls::{Normalize, NormalizeBackward};
use flambeau_tensor::dims::Dims;
use flambeau_tensor::ops::{ReduceArgs, reduce};
use flambeau_tensor::{Array, Result};

/// Elements of a parameter's gradient that one workgroup sums at least, where there are too few parameters to fill a GPU.
const PART: usize = 512;
/// So many sums fill a GPU.
const MANY: usize = 16 << 10;

/// A layout as kernels see it: an array `[outer, means, inner]`, and which parameter belongs to an element.
struct Groups {
    outer: usize,
    means: usize,
    inner: usize,
    /// Parameters repeat after so many means.
    cycle: usize,
    /// Parameters of each mean.
    per_mean: usize,
    /// Neighbouring elements that share a parameter.
    step: usize,
}

impl Groups {
    fn new(layout: &NormLayout) -> Groups {
        let reduced = |d: &usize| layout.dims.contains(&(*d as i64));
        let kept = |d: &usize| !reduced(d);
        let ndim = layout.shape.len();
        // The dimensions that stay are neighbours.
        let first = (0..ndim).find(kept).unwrap_or(ndim);
        let end = (0..ndim).rfind(kept).map_or(first, |d| d + 1);
        let inner: usize = layout.shape[end..].iter().product();
        let per_mean: usize = layout.params[end..].iter().product();
        Groups {
            outer: layout.shape[..first].iter().product(),
            means: layout.shape[first..end].iter().product(),
            inner,
            cycle: layout.params[first..end].iter().product(),
            per_mean,
            step: inner / per_mean.max(1),
        }
    }

    /// How threads share the elements of each mean.
    fn place(&self) -> Place {
        let apart = if self.inner == 1 { self.means } else { 1 };
        Place::new(self.means, self.outer * self.inner, apart)
    }

    /// The parameters that all kernels begin with.
    fn params<'p>(&self, p: &'p mut Params) -> &'p mut Params {
        let Groups { outer, means, inner, cycle, per_mean, step } = *self;
        p.with([("outer", outer), ("means", means), ("inner", inner)]);
        p.with([("cycle", cycle), ("per_mean", per_mean), ("step", step)])
    }

    /// The shape of the statistics.
    fn statistics_shape(layout: &NormLayout) -> Dims {
        let length = |d: usize| if layout.dims.contains(&(d as i64)) { 1 } else { layout.shape[d] };
        (0..layout.shape.len()).map(length).collect()
    }
}

/// [`flambeau_tensor::Backend::normalize`] on this device.
pub fn normalize(call: &Normalize<'_>) -> Result<Normalized> {
    let Normalize { x, weight, bias, layout } = *call;
    let x = x.contiguous()?;
    let groups = Groups::new(layout);
    let wide = x.dtype().compute();
    let param_dtype = weight.or(bias).map_or(x.dtype(), Array::dtype);
    let param = |p: Option<&Array>| p.map(|p| p.to_dtype(param_dtype)?.contiguous()).transpose();
    let (weight, bias) = (param(weight)?, param(bias)?);
    let empty = |shape: &[usize], dtype| Array::empty(x.backend(), x.device(), shape, dtype);
    let statistics = Groups::statistics_shape(layout);
    let out = empty(&layout.shape, x.dtype())?;
    let (mean, deviation) = (empty(&statistics, wide)?, empty(&statistics, wide)?);
    let inverse_std = empty(&statistics, wide)?;
    let place = groups.place();
    let kernel = Kernel::new("normalize/forward", x.dtype())
        .with_type("W", param_dtype)
        .with_type("S", wide)
        .with("WEIGHT", weight.is_some())
        .with("BIAS", bias.is_some());
    // A parameter that there is not is not read; the binding needs some buffer.
    let (w, b) = (weight.as_ref().unwrap_or(&x), bias.as_ref().unwrap_or(&x));
    let args = [
        Arg::In(&x),
        Arg::In(w),
        Arg::In(b),
        Arg::Out(&out),
        Arg::Out(&mean),
        Arg::Out(&deviation),
        Arg::Out(&inverse_std),
    ];
    let params = |p: &mut Params| {
        groups.params(p).with([("eps", number_words(wide, layout.eps.into()))]).offsets([
            ("x", &x),
            ("weight", w),
            ("bias", b),
        ]);
    };
    Gpu::of(&x)?.dispatch(&place.of(kernel), &args, &params, place.groups(groups.means))?;
    Ok(Normalized { out, mean, deviation, inverse_std })
}

/// [`flambeau_tensor::Backend::normalize_backward`] on this device.
pub fn normalize_backward(call: &NormalizeBackward<'_>) -> Result<[Option<Array>; 3]> {
    let NormalizeBackward { args, needs } = *call;
    let (grad, x) = (args.grad.contiguous()?, args.x.contiguous()?);
    let call = &NormBackward { grad: &grad, x: &x, ..args };
    let groups = Groups::new(call.layout);
    let input = needs[0].then(|| of_input(call, &groups)).transpose()?;
    let weight = call.weight.filter(|_| needs[1]);
    if weight.is_none() && !needs[2] {
        return Ok([input, None, None]);
    }
    let (of_weight, of_bias) = of_parameters(call, &groups)?;
    let weight = weight.map(|w| of_weight.to_dtype(w.dtype())).transpose()?;
    let bias = needs[2].then(|| of_bias.to_dtype(grad.dtype())).transpose()?;
    Ok([input, weight, bias])
}

fn of_input(call: &NormBackward<'_>, groups: &Groups) -> Result<Array> {
    let NormBackward { grad, x, mean, inverse_std, weight, layout } = *call;
    let weight = weight.map(Array::contiguous).transpose()?;
    let out = Array::empty(x.backend(), x.device(), &layout.shape, x.dtype())?;
    let place = groups.place();
    let kernel = Kernel::new("normalize/backward", x.dtype())
        .with_type("W", weight.as_ref().map_or(x.dtype(), Array::dtype))
        .with_type("S", mean.dtype())
        .with("WEIGHT", weight.is_some());
    // A weight that there is not is not read; the binding needs some buffer.
    let w = weight.as_ref().unwrap_or(x);
    let args = [Arg::In(grad), Arg::In(x), Arg::In(mean), Arg::In(inverse_std), Arg::In(w), Arg::Out(&out)];
    let params = |p: &mut Params| {
        groups.params(p).offsets([
            ("grad", grad),
            ("x", x),
            ("means", mean),
            ("inverse_stds", inverse_std),
            ("weight", w),
        ]);
    };
    Gpu::of(x)?.dispatch(&place.of(kernel), &args, &params, place.groups(groups.means))?;
    Ok(out)
}

/// The gradients of weight and bias, in the shape of parameters: in one kernel, or by parts that are then summed.
fn of_parameters(call: &NormBackward<'_>, groups: &Groups) -> Result<(Array, Array)> {
    let NormBackward { grad, x, mean, inverse_std, layout, .. } = *call;
    let parameters = groups.cycle * groups.per_mean;
    let count = groups.means / groups.cycle.max(1) * groups.outer * groups.step;
    let parts = count.div_ceil(PART).min(MANY.div_ceil(parameters.max(1))).max(1);
    let part = count.div_ceil(parts);
    let mut shape = layout.params.clone();
    shape.insert(0, parts);
    let wide = x.dtype().compute();
    let empty = || Array::empty(x.backend(), x.device(), &shape, wide);
    let (weight, bias) = (empty()?, empty()?);
    let apart = if groups.step == 1 { parameters } else { 1 };
    let place = Place::new(parts * parameters, part, apart);
    let kernel = Kernel::new("normalize/parameters", x.dtype()).with_type("S", mean.dtype());
    let args = [Arg::In(grad), Arg::In(x), Arg::In(mean), Arg::In(inverse_std), Arg::Out(&weight), Arg::Out(&bias)];
    let params = |p: &mut Params| {
        groups.params(p).with([("parts", parts), ("part", part)]);
        p.offsets([("grad", grad), ("x", x), ("means", mean), ("inverse_stds", inverse_std)]);
    };
    Gpu::of(x)?.dispatch(&place.of(kernel), &args, &params, place.groups(parts * parameters))?;
    let sum = |a: Array| reduce(ReduceArgs::new(ReduceOp::Sum, &[0], false), &[&a], &[]);
    if parts == 1 {
        let first = |a: Array| a.view(&layout.params.iter().map(|&n| n as i64).collect::<Vec<_>>());
        return Ok((first(weight)?, first(bias)?));
    }
    Ok((sum(weight)?, sum(bias)?))
}

#[cfg(test)]
mod tests {
    use super::{Groups, Params};

    #[test]
    fn the_parameters_are_those_of_every_kernel() {
        let groups = Groups { outer: 1, means: 2, inner: 3, cycle: 4, per_mean: 5, step: 6 };
        let kernels = ["normalize/forward", "normalize/backward", "normalize/parameters"];
        let give = |p: &mut Params| {
            groups.params(p);
        };
        crate::params::belong_to(&give, &kernels);
        assert_eq!(Params::words(&give)[..], [1, 2, 3, 4, 5, 6]);
    }
}
