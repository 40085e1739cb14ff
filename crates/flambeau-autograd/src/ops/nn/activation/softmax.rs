//! softmax and its logarithm.

use crate::error::Result;
use crate::graph::{Save, record};
use crate::ops::nn::activation::hard::floats_only;
use crate::ops::{map, sum_map};
use crate::{Tensor, ops};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::ops::{SoftmaxGradient, softmax_backward};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Error};
use smallvec::smallvec;
use std::sync::LazyLock;

/// eˣ / Σ eˣ along `dim`: positive numbers that add up to 1: `F.softmax`. `softmax_dtype` computes in another dtype.
///
/// ```
/// let y = torch::tensor([[1.0, 1.0], [0.0, f32::NEG_INFINITY]]).softmax(1);
/// assert_eq!(y.to_vec::<f32>(), [0.5, 0.5, 1.0, 0.0]);
/// ```
///
/// # Errors
/// Of integers, unless a dtype of floats is given.
#[op(torch, functional, special, method, cast_gpu = Float32Result, forms(
    softmax(dim: i64) = (dim, None),
    softmax_dtype(dim: i64, dtype: DType) = (dim, Some(dtype)),
))]
pub fn softmax(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    along(x, dim, dtype, false)
}

/// The logarithm of softmax, x − ln Σ eˣ along `dim`, which does not overflow: `F.log_softmax`. `log_softmax_dtype` computes in
/// another dtype.
///
/// ```
/// let y = torch::tensor([1000.0, 1000.0]).log_softmax(0);
/// assert!(y.allclose(&torch::tensor([-0.6931472, -0.6931472])));
/// ```
///
/// # Errors
/// Of integers, unless a dtype of floats is given.
#[op(torch, functional, special, method, cast_gpu = Float32Result, forms(
    log_softmax(dim: i64) = (dim, None),
    log_softmax_dtype(dim: i64, dtype: DType) = (dim, Some(dtype)),
))]
pub fn log_softmax(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    along(x, dim, dtype, true)
}

/// softmax of −x along `dim`: `F.softmin`. `softmin_dtype` computes in another dtype.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::softmin(&torch::tensor([0.0, 0.0, f32::INFINITY]), 0);
/// assert_eq!(y.to_vec::<f32>(), [0.5, 0.5, 0.0]);
/// ```
#[op(functional, cast_gpu = Float32Result, forms(
    softmin(dim: i64) = (dim, None),
    softmin_dtype(dim: i64, dtype: DType) = (dim, Some(dtype)),
))]
pub fn softmin(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    softmax(&ops::neg(x)?, dim, dtype)
}

fn along(x: &Tensor, dim: i64, dtype: Option<DType>, log: bool) -> Result<Tensor> {
    let x = &match dtype {
        Some(dtype) => ops::to_dtype(x, dtype)?,
        None => x.shallow_clone(),
    };
    let array = x.array();
    let d = wrap_dim(dim, array.ndim())?;
    if !array.dtype().is_floating_point() {
        return Err(Error::NotImplementedFor { op: kernel(log, d + 1 >= array.ndim()), dtype: array.dtype() }.into());
    }
    let out = forward(&array, d, log)?;
    let name = if log { "LogSoftmaxBackward0" } else { "SoftmaxBackward0" };
    let d = d as i64;
    Ok(record(name, &[x], &[Save::Output("result", 0)], out, move |c| {
        Ok(smallvec![Some(softmax_gradient(&c.grad(0)?, &c.saved(0)?, d, log)?)])
    }))
}

fn forward(x: &Array, dim: usize, log: bool) -> Result<Array> {
    match x.ndim() {
        0 => Ok(flambeau_tensor::ops::softmax(&x.view(&[1])?, 0, log)?.view(&[])?),
        _ => Ok(flambeau_tensor::ops::softmax(x, dim, log)?),
    }
}

/// What PyTorch calls its kernel.
fn kernel(log: bool, last: bool) -> &'static str {
    match (log, last) {
        (true, true) => "log_softmax_lastdim_kernel_impl",
        (true, false) => "log_softmax_kernel_impl",
        (false, true) => "softmax_lastdim_kernel_impl",
        (false, false) => "softmax_kernel_impl",
    }
}

/// The gradient for the input of a softmax, or of its logarithm, whose value along `dim` is `y`.
pub(crate) fn softmax_gradient(g: &Tensor, y: &Tensor, dim: i64, log: bool) -> Result<Tensor> {
    if !crate::is_grad_enabled() {
        return Ok(softmax_backward(&g.array(), &y.array(), dim as usize, log)?.into());
    }
    let name = if log { "LogSoftmaxBackwardDataBackward0" } else { "SoftmaxBackwardDataBackward0" };
    let SoftmaxGradient { summand, gradient } = SoftmaxGradient::of(log);
    let inputs = if summand.is_some() { &[g, y][..] } else { &[g] };
    let sum = sum_map(name, summand.as_ref(), inputs, &[], &[dim], true, None)?;
    map(name, gradient, &[g, y, &sum], &[])
}

static LOG_SIGMOID: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x.minimum(0.0) - (-x.abs()).exp().log1p()
    })
    .with_gradient(|_, g, x, _| vec![g * (-x[0]).sigmoid()])
});

/// ln σ(x) = −ln(1 + e⁻ˣ), which does not overflow: `F.logsigmoid`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1000.0, 0.0]);
/// assert!(F::logsigmoid(&x).allclose(&torch::tensor([-1000.0, -0.6931472])));
/// ```
#[op(functional)]
pub fn logsigmoid(x: &Tensor) -> Result<Tensor> {
    floats_only(x, "log_sigmoid_cpu")?;
    map("LogSigmoidBackward0", &LOG_SIGMOID, &[x], &[])
}
