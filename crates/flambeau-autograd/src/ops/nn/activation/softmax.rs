//! softmax and its logarithm.

use crate::error::Result;
use crate::graph::{Save, record};
use crate::ops::nn::activation::hard::floats_only;
use crate::ops::{map, sum_map};
use crate::{OrPanic, Tensor, ops};
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::ops::{SoftmaxGradient, softmax_backward};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Error};
use smallvec::smallvec;
use std::sync::LazyLock;

/// eˣ / Σ eˣ along `dim`, computed in `dtype` where one is given: `F.softmax`.
pub fn softmax(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    along(x, dim, dtype, false)
}

/// ln softmax along `dim`, which does not overflow: `F.log_softmax`.
pub fn log_softmax(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    along(x, dim, dtype, true)
}

/// softmax of −x along `dim`: `F.softmin`.
pub fn softmin(x: &Tensor, dim: i64, dtype: Option<DType>) -> Result<Tensor> {
    softmax(&ops::neg(x)?, dim, dtype)
}

fn along(x: &Tensor, dim: i64, dtype: Option<DType>, log: bool) -> Result<Tensor> {
    let x = &match dtype {
        Some(dtype) => ops::to_dtype(x, dtype)?,
        None => x.clone(),
    };
    let array = x.array();
    let d = wrap_dim(dim, array.ndim())?;
    if !array.dtype().is_floating_point() {
        return Err(Error::NotImplementedFor { op: kernel(log, d + 1 >= array.ndim()), dtype: array.dtype() }.into());
    }
    let out = forward(&array, d, log)?;
    let name = if log { "LogSoftmaxBackward0" } else { "SoftmaxBackward0" };
    let d = d as i64;
    Ok(record(name, &[x], &[Save::Output(0)], out, move |c| {
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

/// ln σ(x), which does not overflow: `F.logsigmoid`.
pub fn logsigmoid(x: &Tensor) -> Result<Tensor> {
    floats_only(x, "log_sigmoid_cpu")?;
    map("LogSigmoidBackward0", &LOG_SIGMOID, &[x], &[])
}

/// softmax; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`softmax`].
    #[track_caller]
    pub fn softmax(&self, dim: i64) -> Tensor {
        softmax(self, dim, None).or_panic()
    }

    /// See [`log_softmax`].
    #[track_caller]
    pub fn log_softmax(&self, dim: i64) -> Tensor {
        log_softmax(self, dim, None).or_panic()
    }
}
