//! Initial numbers of parameters: `torch.nn.init`. All write in place without recording a graph and return the tensor.
//!
//! The plain functions draw from the default generator with PyTorch's defaults; those that end in `with_` take options, a
//! generator among them.

use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{AsTensor, OrPanic, Result, Tensor, no_grad, ops};
use flambeau_tensor::random::Generator;

mod scaled;
mod truncated;

pub(crate) use scaled::fans;
pub use scaled::{
    FanMode, Nonlinearity, ScaledOptions, calculate_gain, kaiming_normal_, kaiming_normal_with_, kaiming_uniform_,
    kaiming_uniform_with_, xavier_normal_, xavier_normal_with_, xavier_uniform_, xavier_uniform_with_,
};
pub use truncated::{trunc_normal_, trunc_normal_with_};

/// Uniform over [a, b): `init.uniform_(tensor, a, b)`.
#[track_caller]
pub fn uniform_(x: impl AsTensor, a: impl Number, b: impl Number) -> Tensor {
    let x = x.as_tensor();
    let a = a.to_f64();
    let b = b.to_f64();
    uniform_from_(x, a, b, None)
}

/// [`uniform_`] from a generator of the caller's.
#[track_caller]
pub fn uniform_with_(x: impl AsTensor, a: impl Number, b: impl Number, generator: &Generator) -> Tensor {
    let x = x.as_tensor();
    let a = a.to_f64();
    let b = b.to_f64();
    uniform_from_(x, a, b, Some(generator))
}

#[track_caller]
fn uniform_from_(x: &Tensor, a: f64, b: f64, generator: Option<&Generator>) -> Tensor {
    let _guard = no_grad();
    match generator {
        Some(g) => x.uniform_with_(|o| o.from(a).to(b).generator(g)),
        None => x.uniform_(a, b),
    }
}

/// Normal with the given mean and standard deviation: `init.normal_(tensor, mean, std)`.
#[track_caller]
pub fn normal_(x: impl AsTensor, mean: impl Number, std: impl Number) -> Tensor {
    let x = x.as_tensor();
    let mean = mean.to_f64();
    let std = std.to_f64();
    normal_from_(x, mean, std, None)
}

/// [`normal_`] from a generator of the caller's.
#[track_caller]
pub fn normal_with_(x: impl AsTensor, mean: impl Number, std: impl Number, generator: &Generator) -> Tensor {
    let x = x.as_tensor();
    let mean = mean.to_f64();
    let std = std.to_f64();
    normal_from_(x, mean, std, Some(generator))
}

#[track_caller]
fn normal_from_(x: &Tensor, mean: f64, std: f64, generator: Option<&Generator>) -> Tensor {
    let _guard = no_grad();
    match generator {
        Some(g) => x.normal_with_(|o| o.mean(mean).std(std).generator(g)),
        None => x.normal_(mean, std),
    }
}

/// One number everywhere: `init.constant_(tensor, val)`.
#[track_caller]
pub fn constant_(x: impl AsTensor, value: impl Number) -> Tensor {
    let x = x.as_tensor();
    let value = value.to_f64();
    let _guard = no_grad();
    x.fill_(value)
}

/// Ones: `init.ones_(tensor)`.
#[track_caller]
pub fn ones_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    constant_(x, 1.0)
}

/// Zeros: `init.zeros_(tensor)`.
#[track_caller]
pub fn zeros_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    constant_(x, 0.0)
}

/// The identity matrix, which keeps a linear layer's inputs: `init.eye_(tensor)`.
///
/// # Panics
/// When the tensor is no matrix.
#[track_caller]
pub fn eye_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    assert!(x.dim() == 2, "Only tensors with 2 dimensions are supported");
    let _guard = no_grad();
    x.zero_();
    x.diagonal_dims(0, 0, 1).fill_(1.0);
    x.shallow_clone()
}

/// The Dirac delta, which keeps a convolution's inputs as far as channels go round, in each of `groups` groups of output
/// channels: `init.dirac_(tensor, groups)`.
///
/// # Panics
/// When the tensor has not 3 to 5 dimensions, or the groups do not divide its first.
#[track_caller]
pub fn dirac_(x: impl AsTensor, groups: impl Int) -> Tensor {
    let x = x.as_tensor();
    let groups = groups.to_usize();
    assert!((3..=5).contains(&x.dim()), "Only tensors with 3, 4, or 5 dimensions are supported");
    let size = x.size();
    assert!(groups > 0 && size[0].is_multiple_of(groups), "dim 0 must be divisible by groups");
    let per_group = size[0] / groups;
    let _guard = no_grad();
    x.zero_();
    for group in 0..groups {
        for channel in 0..per_group.min(size[1]) {
            let mut at = x.select(0, (group * per_group + channel) as i64).select(0, channel as i64);
            for &n in &size[2..] {
                at = at.select(0, (n / 2) as i64);
            }
            at.fill_(1.0);
        }
    }
    x.shallow_clone()
}

/// A (semi-)orthogonal matrix times `gain`, all dimensions after the first taken as one: `init.orthogonal_(tensor, gain)`.
/// The rows or columns, whichever are fewer, are orthonormal. The normal numbers are PyTorch's; they are orthogonalised in
/// f64 on the host, so the result agrees to the dtype's rounding.
///
/// # Panics
/// When the tensor has fewer than two dimensions.
#[track_caller]
pub fn orthogonal_(x: impl AsTensor, gain: impl Number) -> Tensor {
    let x = x.as_tensor();
    let gain = gain.to_f64();
    assert!(x.dim() >= 2, "Only tensors with 2 or more dimensions are supported");
    if x.numel() == 0 {
        return x.shallow_clone();
    }
    let _guard = no_grad();
    let (rows, columns) = (x.size()[0], x.numel() / x.size()[0]);
    let drawn = x.new_empty([rows, columns]).normal_(0.0, 1.0);
    let tall = if rows < columns { drawn.t() } else { drawn };
    let q = orthonormal_columns(&tall).or_panic();
    let q = if rows < columns { q.t() } else { q };
    x.copy_((q * gain).reshape(x.size()))
}

/// The Q of a QR factorisation whose R has a positive diagonal, by Gram and Schmidt with a second pass, which is as
/// orthogonal as Householder's.
fn orthonormal_columns(x: &Tensor) -> Result<Tensor> {
    let (rows, columns) = (x.size()[0], x.size()[1]);
    let data: Vec<f64> = ops::to_dtype(&x.t().contiguous(), flambeau_tensor::DType::F64)?.to_vec();
    let mut done: Vec<Vec<f64>> = Vec::with_capacity(columns);
    for column in data.chunks_exact(rows) {
        let mut column = column.to_vec();
        for _ in 0..2 {
            for q in &done {
                let along: f64 = q.iter().zip(&column).map(|(a, b)| a * b).sum();
                column.iter_mut().zip(q).for_each(|(c, q)| *c -= along * q);
            }
        }
        let norm = column.iter().map(|c| c * c).sum::<f64>().sqrt();
        column.iter_mut().for_each(|c| *c /= norm);
        done.push(column);
    }
    let q = flambeau_autograd::from_vec(done.concat(), [columns, rows]).t();
    ops::to_dtype(&ops::to_device(&q, x.device())?, x.dtype())
}
