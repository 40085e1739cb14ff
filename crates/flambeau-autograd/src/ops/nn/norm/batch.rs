//! Batch norm and instance norm, with their running statistics.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::nn::norm::statistics::{check_mixed, normalize_by, one_value};
use crate::ops::{map, map_, reshape, to_i64};
use crate::{Tensor, no_grad, ops, options};
use flambeau_macros::op;
use flambeau_tensor::backend::{NormLayout, ReduceOp};
use flambeau_tensor::dims::{numel, wrap_dim};
use flambeau_tensor::ops::{NormFormulas, ReduceArgs, reduce};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::print::py_float;
use flambeau_tensor::{Array, Dims, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// Checks that the parameters of a norm have one element per channel.
fn check_elements(params: [(&str, Option<&Tensor>); 4], channels: usize) -> Result<()> {
    for (name, param) in params {
        if let Some(p) = param.filter(|p| p.numel() != channels) {
            return Err(Error::runtime(format!("{name} should contain {channels} elements not {}", p.numel())));
        }
    }
    Ok(())
}

/// The order in which batch norm reads weight, bias, running mean and variance: those that training moves first.
fn read_order<T>([weight, bias, mean, var]: [T; 4], training: bool) -> [T; 4] {
    if training { [mean, var, weight, bias] } else { [weight, bias, mean, var] }
}

/// r · (1 − m) + v · m, with v the second input over the second number
static UPDATE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * (1.0 - b.scalar(0)) + b.input(1) / b.scalar(1) * b.scalar(0)));

/// Moves running statistics `[C]` towards a batch's `[…, C]`, divided by `divisor`; the mean where there are several.
fn update_running(running: &Tensor, batch: &Array, divisor: f64, momentum: f64) -> Result<()> {
    let _guard = no_grad();
    let channels = running.numel();
    let rows = batch.reshape(&[-1, channels as i64])?;
    let copies = rows.shape()[0];
    let sum = if copies == 1 {
        rows.reshape(&[channels as i64])?
    } else {
        reduce(ReduceArgs::new(ReduceOp::Sum, &[0], false), &[&rows], &[])?
    };
    let scalars = [Scalar::Float(momentum), Scalar::Float(divisor * copies as f64)];
    map_("LerpBackward0", &UPDATE, &[running, &sum.into()], &scalars)?;
    Ok(())
}

options! {
    /// Options of `F::batch_norm`.
    BatchNormOptions {
        /// Multiplied, per channel (1).
        weight: Option<Tensor> = None,
        /// Added, per channel (0).
        bias: Option<Tensor> = None,
        /// Whether the input's own statistics count, and move the running ones (no).
        training: bool = false,
        /// How far the running statistics move (0.1).
        momentum: f64 = 0.1,
        /// Added to the variance (1e-5).
        eps: f64 = 1e-5,
    }
}

options! {
    /// Options of `F::instance_norm`.
    InstanceNormOptions {
        /// Multiplied, per channel (1).
        weight: Option<Tensor> = None,
        /// Added, per channel (0).
        bias: Option<Tensor> = None,
        /// Whether the input's own statistics count, and move the running ones (yes).
        use_input_stats: bool = true,
        /// How far the running statistics move (0.1).
        momentum: f64 = 0.1,
        /// Added to the variance (1e-5).
        eps: f64 = 1e-5,
    }
}

/// (x − mean) / √(variance + ε) · weight + bias for each channel of `[n, C, …]` (arXiv 1502.03167): `F.batch_norm`. The
/// statistics are the batch's where `training`, which also moves the running ones by `momentum`, else the running ones. Options:
/// `weight`, `bias`, `training`, `momentum`, `eps`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 10.0], [3.0, 30.0]]);
/// let y = F::batch_norm_with(&x, None, None, |o| o.training(true).eps(0.0001));
/// assert!(y.allclose(&torch::tensor([[-0.99995, -0.9999995], [0.99995, 0.9999995]])));
/// let (mean, var) = (torch::tensor([1.0, 10.0]), torch::tensor([4.0, 100.0]));
/// let y = F::batch_norm_with(&x, Some(&mean), Some(&var), |o| o.eps(0.0));
/// assert_eq!(y.to_vec::<f32>(), [0.0, 0.0, 1.0, 2.0]);
/// ```
///
/// # Errors
/// When a parameter does not have C elements, the running statistics are missing in evaluation, a channel has only one value in
/// training, or `eps` is negative (in training also 0).
#[op(functional, forms(
    batch_norm(running_mean: Option<&Tensor>, running_var: Option<&Tensor>, options: &BatchNormOptions) = (
        running_mean, running_var, options.weight.as_ref(), options.bias.as_ref(), options.training, options.momentum,
        options.eps
    ),
),
    default(training = false, momentum = 0.1, eps = 1e-5)
)]
#[allow(clippy::too_many_arguments, reason = "PyTorch's arguments, in its order")]
pub fn batch_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    training: bool,
    momentum: f64,
    eps: f64,
) -> Result<Tensor> {
    let size = x.size();
    let Some(&batch) = size.first() else { return Err(Error::index("tuple index out of range")) };
    if training && batch * size.iter().skip(2).product::<usize>() == 1 {
        return Err(one_value(&size.to_string()));
    }
    let (low, rule) = if training { (eps <= 0.0, "positive during training") } else { (eps < 0.0, "non-negative") };
    if low {
        return Err(Error::value(format!("batch_norm eps must be {rule}, but got {}", py_float(eps))));
    }
    if x.numel() == 0 {
        return empty_batch(x, weight, bias);
    }
    let channels = size[wrap_dim(1, size.len())?];
    let rest = numel(&size) / channels.max(1);
    if !training && running_mean.is_none() {
        return Err(Error::runtime("running_mean must be defined in evaluation mode"));
    }
    if !training && running_var.is_none() {
        return Err(Error::runtime("running_var must be defined in evaluation mode"));
    }
    let params = [("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)];
    check_elements(params, channels)?;
    check_mixed(x, [weight, bias, running_mean, running_var], |params| read_order(params, training))?;
    let mut per_channel = Dims::from_elem(1, size.len());
    per_channel[1] = channels;
    if !training {
        let (Some(mean), Some(var)) = (running_mean, running_var) else { unreachable!("checked above") };
        return by_running("NativeBatchNormBackward0", x, mean, var, weight, bias, &per_channel, eps);
    }
    let dims = (0..size.len() as i64).filter(|&d| d != 1).collect();
    let layout = NormLayout { shape: Dims::from_slice(&size), dims, params: per_channel, eps };
    let (out, stats) = normalize_by("NativeBatchNormBackward0", x, weight, bias, layout)?;
    if let Some(running) = running_mean {
        update_running(running, &stats.mean, 1.0, momentum)?;
    }
    if let Some(running) = running_var {
        update_running(running, &stats.deviation, rest as f64 - 1.0, momentum)?;
    }
    Ok(out)
}

/// Of an empty input PyTorch returns a copy, connected to the parameters.
fn empty_batch(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut out = ops::clone(x)?;
    if let Some(w) = weight {
        out = ops::mul(&out, &ops::select(w, 0, 0)?)?;
    }
    if let Some(b) = bias {
        out = ops::add(&out, &ops::select(b, 0, 0)?, 1)?;
    }
    Ok(out)
}

/// 1 / √(v + ε)
static INVERSE_ROOT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) + b.scalar(0)).rsqrt()));

/// Normalises by given statistics, viewed in `shape`.
#[allow(clippy::too_many_arguments, reason = "batch_norm's arguments")]
fn by_running(
    name: &'static str,
    x: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    shape: &[usize],
    eps: f64,
) -> Result<Tensor> {
    let viewed = |t: &Tensor| reshape(t, &to_i64(shape));
    let inverse_std = map("RsqrtBackward0", &INVERSE_ROOT, &[&viewed(var)?], &[Scalar::Float(eps)])?;
    let mut inputs: SmallVec<[Tensor; 5]> = smallvec![x.shallow_clone(), viewed(mean)?, inverse_std];
    for param in [weight, bias].into_iter().flatten() {
        inputs.push(viewed(param)?);
    }
    let inputs: SmallVec<[&Tensor; 5]> = inputs.iter().collect();
    let out = map(name, NormFormulas::get().normalize(weight.is_some(), bias.is_some()), &inputs, &[])?;
    if out.dtype() == x.dtype() {
        return Ok(out);
    }
    // Halves are normalised in float32; the rounding belongs to the same operation.
    let (rounded, wide) = (out.array().to_dtype(x.dtype())?, out.dtype());
    Ok(record(name, &[&out], &[], rounded, move |c| Ok(smallvec![Some(ops::to_dtype(&c.grad(0)?, wide)?)])))
}

/// [`batch_norm`] for each channel of each sample of `[n, C, …]` by itself (arXiv 1607.08022): `F.instance_norm`. Without options
/// the statistics are the input's; `instance_norm_with` takes running ones too, which then move.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::instance_norm(&torch::tensor([[[1.0, 3.0], [10.0, 30.0]]]));
/// assert!(y.allclose(&torch::tensor([[[-0.999995, 0.999995], [-1.0, 1.0]]])));
/// let weighted = F::instance_norm_with(&torch::tensor([[[1.0, 3.0]]]), None, None, |o| o.weight(torch::tensor([2.0])));
/// assert!(weighted.allclose(&torch::tensor([[[-1.99999, 1.99999]]])));
/// ```
///
/// # Errors
/// When a parameter does not have C elements, statistics are missing, or a channel has only one value.
#[op(functional, forms(
    instance_norm() = (None, None, None, None, true, 0.1, 1e-5),
    instance_norm_with(running_mean: Option<&Tensor>, running_var: Option<&Tensor>, options: InstanceNormOptions) = (
        running_mean, running_var, options.weight.as_ref(), options.bias.as_ref(), options.use_input_stats, options.momentum,
        options.eps
    ),
))]
#[allow(clippy::too_many_arguments, reason = "PyTorch's arguments, in its order")]
pub fn instance_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    use_input_stats: bool,
    momentum: f64,
    eps: f64,
) -> Result<Tensor> {
    let size = x.size();
    if use_input_stats && size.get(2..).is_none_or(|s| s.iter().product::<usize>() == 1) {
        return Err(Error::value(format!("Expected more than 1 spatial element when training, got input size {size}")));
    }
    if !use_input_stats && (running_mean.is_none() || running_var.is_none()) {
        return Err(Error::runtime(
            "Expected running_mean and running_var to be defined when use_input_stats is false",
        ));
    }
    let channels = size[wrap_dim(1, size.len())?];
    if x.numel() == 0 {
        if size[0] == 0 && (weight.is_some() || bias.is_some()) {
            return Err(Error::index("select(): index 0 out of range for tensor of size [0] at dimension 0"));
        }
        // In training PyTorch sets the statistics to their mean over the samples: of none it is NaN.
        let unmoved = size[0] > 0 || !use_input_stats;
        for running in [running_mean, running_var].into_iter().flatten().filter(|_| !unmoved) {
            let _guard = no_grad();
            ops::fill_(running, f64::NAN)?;
        }
        return ops::view(&empty_batch(x, weight, bias)?, &to_i64(&size));
    }
    let n = size[0];
    let params = [("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)];
    check_elements(params, channels)?;
    // PyTorch brings both statistics to the weight's dtype, or the input's, where the mean's is another; it does not look at the
    // variance's.
    let dtype = weight.map_or(x.dtype(), Tensor::dtype);
    let converts = running_mean.is_some_and(|mean| mean.dtype() != dtype);
    let converted = |running: Option<&Tensor>| {
        running.map(|r| ops::to_dtype(r, if converts { dtype } else { r.dtype() })).transpose()
    };
    let (owned_mean, owned_var) = (converted(running_mean)?, converted(running_var)?);
    let (mean, var) = (owned_mean.as_ref(), owned_var.as_ref());
    check_mixed(x, [weight, bias, mean, var], |params| read_order(params, use_input_stats))?;
    if !use_input_stats {
        let (Some(mean), Some(var)) = (mean, var) else { unreachable!("checked above") };
        let mut shape = Dims::from_elem(1, size.len());
        shape[1] = channels;
        return by_running("ViewBackward0", x, mean, var, weight, bias, &shape, eps);
    }
    let spatial = size[2..].iter().product();
    let shape = smallvec![n, channels, spatial];
    let layout = NormLayout { shape, dims: smallvec![2], params: smallvec![1, channels, 1], eps };
    let (out, stats) = normalize_by("ViewBackward0", x, weight, bias, layout)?;
    let moves = [(running_mean, mean, &stats.mean, 1.0), (running_var, var, &stats.deviation, spatial as f64 - 1.0)];
    for (running, converted, batch, divisor) in moves {
        let (Some(running), Some(converted)) = (running, converted) else { continue };
        update_running(converted, batch, divisor, momentum)?;
        if converted.dtype() != running.dtype() {
            let _guard = no_grad();
            ops::copy_(running, converted)?;
        }
    }
    Ok(out)
}
