//! Initial numbers of parameters: `torch.nn.init`. All write in place without recording a graph and return the tensor.
//!
//! The plain functions draw from the default generator with PyTorch's defaults; those that end in `with_` take options, a
//! generator among them.

use flambeau_autograd::arguments::Number;
use flambeau_autograd::{AsTensor, OrPanic, Result, Tensor, no_grad, ops, options};
use flambeau_tensor::random::Generator;

mod scaled;
mod truncated;

pub(crate) use scaled::fans;
pub use scaled::{
    FanMode, GainOptions, Nonlinearity, ScaledOptions, calculate_gain, calculate_gain_with, kaiming_normal_,
    kaiming_normal_with_, kaiming_uniform_, kaiming_uniform_with_, xavier_normal_, xavier_normal_with_,
    xavier_uniform_, xavier_uniform_with_,
};
pub use truncated::{TruncNormalOptions, trunc_normal_, trunc_normal_with_};

options! {
    /// Options of [`uniform_with_`].
    UniformOptions {
        /// The lower bound (0).
        a: f64 = 0.0,
        /// The upper bound (1).
        b: f64 = 1.0,
        /// Where the numbers come from (the default generator).
        generator: Option<Generator> = None,
    }
}

options! {
    /// Options of [`normal_with_`].
    NormalOptions {
        /// The mean (0).
        mean: f64 = 0.0,
        /// The standard deviation (1).
        std: f64 = 1.0,
        /// Where the numbers come from (the default generator).
        generator: Option<Generator> = None,
    }
}

options! {
    /// Options of [`dirac_with_`].
    DiracOptions {
        /// In how many groups of output channels the inputs are kept (1).
        groups: i64 = 1,
    }
}

options! {
    /// Options of [`orthogonal_with_`].
    OrthogonalOptions {
        /// What the matrix is multiplied by (1).
        gain: f64 = 1.0,
        /// Where the numbers come from (the default generator).
        generator: Option<Generator> = None,
    }
}

options! {
    /// Options of [`sparse_with_`].
    SparseOptions {
        /// The standard deviation of the numbers that are not zero (0.01).
        std: f64 = 0.01,
        /// Where the numbers come from (the default generator). Which are zero comes from the default one, as in PyTorch.
        generator: Option<Generator> = None,
    }
}

/// Uniform over [a, b): `init.uniform_(tensor, a, b)`.
#[track_caller]
pub fn uniform_(x: impl AsTensor, a: impl Number, b: impl Number) -> Tensor {
    uniform_from_(x.as_tensor(), a.to_f64(), b.to_f64(), None)
}

/// [`uniform_`] with options, PyTorch's defaults for the others: `a` (0), `b` (1), `generator`.
///
/// ```
/// use flambeau_nn::{self as nn, init};
/// let layer = nn::Linear::new(4, 4);
/// init::uniform_with_(&layer.weight, |o| o.a(-1));
/// assert!(layer.weight.abs().max().item() <= 1.0);
/// ```
#[track_caller]
pub fn uniform_with_(x: impl AsTensor, options: impl FnOnce(UniformOptions) -> UniformOptions) -> Tensor {
    let o = options(UniformOptions::default());
    uniform_from_(x.as_tensor(), o.a, o.b, o.generator.as_ref())
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
    normal_from_(x.as_tensor(), mean.to_f64(), std.to_f64(), None)
}

/// [`normal_`] with options, PyTorch's defaults for the others: `mean` (0), `std` (1), `generator`.
///
/// ```
/// use flambeau_nn::{self as nn, init};
/// let layer = nn::Linear::new(4, 4);
/// init::normal_with_(&layer.weight, |o| o.std(0.02));
/// assert!(layer.weight.abs().max().item() < 0.2);
/// ```
#[track_caller]
pub fn normal_with_(x: impl AsTensor, options: impl FnOnce(NormalOptions) -> NormalOptions) -> Tensor {
    let o = options(NormalOptions::default());
    normal_from_(x.as_tensor(), o.mean, o.std, o.generator.as_ref())
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

/// The Dirac delta, which keeps a convolution's inputs as far as channels go round: `init.dirac_(tensor)`.
///
/// # Panics
/// When the tensor has not 3 to 5 dimensions.
#[track_caller]
pub fn dirac_(x: impl AsTensor) -> Tensor {
    dirac_with_(x, |o| o)
}

/// [`dirac_`] with options: `groups` of output channels (1), in each of which the inputs are kept.
///
/// ```
/// use flambeau_nn::{self as nn, init};
/// let conv = nn::Conv2d::with(2, 4, 3, |o| o.padding(1).bias(false));
/// init::dirac_with_(&conv.weight, |o| o.groups(2));
/// assert_eq!(conv.weight.sum().item(), 4.0);
/// ```
///
/// # Panics
/// As [`dirac_`], and when the groups do not divide the first dimension.
#[track_caller]
pub fn dirac_with_(x: impl AsTensor, options: impl FnOnce(DiracOptions) -> DiracOptions) -> Tensor {
    let x = x.as_tensor();
    let groups = usize::try_from(options(DiracOptions::default()).groups).unwrap_or(0);
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

/// A (semi-)orthogonal matrix, all dimensions after the first taken as one: `init.orthogonal_(tensor)`. The rows or columns, whichever are fewer, are orthonormal. The normal numbers are PyTorch's; they are orthogonalised in
/// f64 on the host, so the result agrees to the dtype's rounding.
///
/// # Panics
/// When the tensor has fewer than two dimensions.
#[track_caller]
pub fn orthogonal_(x: impl AsTensor) -> Tensor {
    orthogonal_with_(x, |o| o)
}

/// [`orthogonal_`] with options: `gain` (1), `generator`.
///
/// ```
/// use flambeau_nn::{self as nn, init};
/// let layer = nn::Linear::new(3, 3);
/// init::orthogonal_with_(&layer.weight, |o| o.gain(2));
/// assert!((layer.weight.square().sum().item() - 12.0).abs() < 1e-4);
/// ```
///
/// # Panics
/// As [`orthogonal_`].
#[track_caller]
pub fn orthogonal_with_(x: impl AsTensor, options: impl FnOnce(OrthogonalOptions) -> OrthogonalOptions) -> Tensor {
    let x = x.as_tensor();
    let o = options(OrthogonalOptions::default());
    assert!(x.dim() >= 2, "Only tensors with 2 or more dimensions are supported");
    if x.numel() == 0 {
        return x.shallow_clone();
    }
    let _guard = no_grad();
    let (rows, columns) = (x.size()[0], x.numel() / x.size()[0]);
    let drawn = normal_from_(&x.new_empty([rows, columns]), 0.0, 1.0, o.generator.as_ref());
    let tall = if rows < columns { drawn.t() } else { drawn };
    let q = orthonormal_columns(&tall).or_panic();
    let q = if rows < columns { q.t() } else { q };
    x.copy_((q * o.gain).reshape(x.size()))
}

/// Normal numbers with mean 0, of which the share `sparsity` of each column is zero: `init.sparse_(tensor, sparsity)`.
///
/// # Panics
/// When the tensor is no matrix.
#[track_caller]
pub fn sparse_(x: impl AsTensor, sparsity: impl Number) -> Tensor {
    sparse_with_(x, sparsity, |o| o)
}

/// [`sparse_`] with options: `std` (0.01), `generator`.
///
/// ```
/// use flambeau_nn::{self as nn, init};
/// let layer = nn::Linear::new(3, 10);
/// init::sparse_with_(&layer.weight, 0.75, |o| o.std(1));
/// assert_eq!(layer.weight.eq(0).sum().item(), 24.0);
/// ```
///
/// # Panics
/// As [`sparse_`].
#[track_caller]
pub fn sparse_with_(
    x: impl AsTensor,
    sparsity: impl Number,
    options: impl FnOnce(SparseOptions) -> SparseOptions,
) -> Tensor {
    let (x, o) = (x.as_tensor(), options(SparseOptions::default()));
    assert!(x.dim() == 2, "Only tensors with 2 dimensions are supported");
    let (rows, columns) = (x.size()[0], x.size()[1]);
    let zeros = (sparsity.to_f64() * rows as f64).ceil();
    let _guard = no_grad();
    normal_from_(x, 0.0, o.std, o.generator.as_ref());
    for column in 0..columns {
        let order = flambeau_autograd::randperm(rows);
        // As Python's `[:n]`, which may ask for more than there are, or count from the end.
        let end = if zeros < 0.0 { (rows as f64 + zeros).max(0.0) } else { zeros.min(rows as f64) };
        x.select(1, column as i64).index_fill_(0, order.narrow(0, 0, end as i64).to(x.device()), 0.0);
    }
    x.shallow_clone()
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
