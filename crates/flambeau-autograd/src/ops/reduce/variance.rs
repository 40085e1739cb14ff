//! Variances and standard deviations.

use crate::Tensor;
use crate::error::Result;
use crate::graph::{Context, Save, record, record_many};
use crate::ops::reduce::extrema::kept_shape;
use crate::ops::reduce::sum::mean_map;
use crate::ops::{map, to_dtype, view};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dims;
use flambeau_tensor::ops::{moments, pointwise, pointwise_into};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
static ROOT_OF_QUOTIENT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) / b.scalar(0)).sqrt()));

/// g · 2/dof · (x − m)
static VARIANCE_GRADIENT: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0) * (b.input(1) - b.input(2))));

/// m, NaN where the deviations are: those of an infinite value.
static MEAN_OF_NUMBERS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).is_nan().select(b.input(1), b.input(0))));

/// g / 2s, and 0 where s is 0
static ROOT_GRADIENT: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (g, s) = (b.input(0), b.input(1));
        s.eq(0.0).select(0.0, g / (s * 2.0))
    })
});

/// What a variance is taken of.
#[derive(Clone)]
struct Spread {
    dims: SmallVec<[i64; 6]>,
    kept: SmallVec<[i64; 6]>,
    /// Number of values less the correction.
    freedom: f64,
    root: bool,
}

impl Spread {
    fn new(x: &Tensor, dims: &[i64], correction: f64, root: bool) -> Result<Self> {
        if !x.is_floating_point() {
            return Err(flambeau_tensor::Error::NotImplemented(
                "std and var only support floating point and complex dtypes".into(),
            )
            .into());
        }
        let shape = x.size();
        let n: usize = wrap_dims(dims, shape.len())?.iter().map(|&d| shape[d]).product();
        // Of no values there is no variance, whatever the correction.
        let freedom = if n == 0 { 0.0 } else { n as f64 - correction };
        Ok(Spread { dims: dims.into(), kept: kept_shape(&shape, dims)?, freedom, root })
    }

    /// The variance (or its root) and the mean, accumulated in f32 for f16 and bf16.
    fn forward(&self, x: &Tensor, keepdim: bool) -> Result<(Array, Array)> {
        let x = x.detach();
        let dtype = x.dtype();
        let x = if matches!(dtype, DType::F16 | DType::BF16) { to_dtype(&x, DType::F32)? } else { x };
        let (mean, out) = moments(&x.array(), &self.dims)?;
        let mean = pointwise(&MEAN_OF_NUMBERS, &[&mean, &out], &[])?;
        let program = if self.root { &ROOT_OF_QUOTIENT } else { &DIVIDE };
        pointwise_into(program, &[&out], &[Scalar::Float(self.freedom.max(0.0))], &[&out])?;
        let reduced = wrap_dims(&self.dims, x.dim())?;
        let rest: SmallVec<[i64; 6]> = (0..x.dim()).filter(|d| !reduced.contains(d)).map(|d| self.kept[d]).collect();
        let finish = |a: Array| if keepdim { a.to_dtype(dtype) } else { a.view(&rest)?.to_dtype(dtype) };
        Ok((finish(out)?, finish(mean)?))
    }

    /// The gradient of the variance, or of its root.
    fn backward(&self, grad: &Tensor, x: &Tensor, result: Option<Tensor>) -> Result<Tensor> {
        let mut g = view(grad, &self.kept)?;
        if let Some(s) = result {
            g = map("DivBackward0", &ROOT_GRADIENT, &[&g, &view(&s, &self.kept)?], &[])?;
        }
        let mean = mean_map("MeanBackward1", None, &[x], &[], &self.dims, true, None)?;
        // Without degrees of freedom the factor is infinite.
        map("MulBackward0", &VARIANCE_GRADIENT, &[&g, x, &mean], &[Scalar::Float(2.0 / self.freedom)])
    }

    fn saves<'a>(&self, result: &'static str, x: &'a Tensor) -> SmallVec<[Save<'a>; 2]> {
        if self.root {
            smallvec![Save::Tensor("self", x), Save::Output(result, 0)]
        } else {
            smallvec![Save::Tensor("self", x)]
        }
    }

    fn result(&self, c: &Context<'_>) -> Result<Option<Tensor>> {
        self.root.then(|| c.saved(1)).transpose()
    }
}

fn spread(name: &'static str, x: &Tensor, dims: &[i64], correction: f64, keepdim: bool, root: bool) -> Result<Tensor> {
    let call = Spread::new(x, dims, correction, root)?;
    let (out, _) = call.forward(x, keepdim)?;
    Ok(record(name, &[x], &call.saves("result", x), out, move |c| {
        Ok(smallvec![Some(call.backward(&c.grad(0)?, &c.saved(0)?, call.result(c)?)?)])
    }))
}

fn spread_mean(
    name: &'static str,
    x: &Tensor,
    dims: &[i64],
    correction: f64,
    keepdim: bool,
    root: bool,
) -> Result<(Tensor, Tensor)> {
    let call = Spread::new(x, dims, correction, root)?;
    let (out, mean) = call.forward(x, keepdim)?;
    let shape = crate::ops::to_i64(&x.size());
    let n = (x.numel() / out.numel().max(1)) as i64;
    let mut both = record_many(name, &[x], &call.saves("result0", x), vec![out, mean], move |c| {
        let mut grad = None;
        if c.has_grad(0) {
            grad = Some(call.backward(&c.grad(0)?, &c.saved(0)?, call.result(c)?)?);
        }
        if c.has_grad(1) {
            let g = crate::ops::expand(&crate::ops::div(&view(&c.grad(1)?, &call.kept)?, n)?, &shape)?;
            grad = Some(match grad {
                Some(sum) => crate::ops::add(&sum, &g, 1)?,
                None => g,
            });
        }
        Ok(smallvec![grad])
    });
    let mean = both.pop().expect("two outputs");
    Ok((both.pop().expect("two outputs"), mean))
}

/// The variance Σ(x − mean)² / (n − correction) over the dimensions `dim` (empty: all): `torch.var`. The correction of 1, which
/// `x.var()` takes, makes it unbiased.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::tensor([[1.0, 3.0], [2.0, 6.0]]);
/// assert_eq!(x.var_dim(1, false).to_vec::<f32>(), [2.0, 8.0]);
/// assert_eq!(x.var_with(|o| o.dim(1).correction(0)).to_vec::<f32>(), [1.0, 4.0]);
/// ```
#[op(torch, method, forms(
    var() = (&[], 1.0, false),
    var_dim(dim: &[i64], keepdim: bool) = (dim, 1.0, keepdim),
))]
pub fn var(x: &Tensor, dim: &[i64], correction: f64, keepdim: bool) -> Result<Tensor> {
    spread("VarBackward0", x, dim, correction, keepdim, false)
}

/// The standard deviation √(Σ(x − mean)² / (n − correction)) over the dimensions `dim` (empty: all), the root of [`var`]:
/// `torch.std`. `x.std()` takes the correction 1.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::tensor([1.0, 3.0, 5.0]);
/// assert_eq!(x.std().item(), 2.0);
/// ```
#[op(torch, method, forms(
    std() = (&[], 1.0, false),
    std_dim(dim: &[i64], keepdim: bool) = (dim, 1.0, keepdim),
))]
pub fn std(x: &Tensor, dim: &[i64], correction: f64, keepdim: bool) -> Result<Tensor> {
    spread("StdBackward0", x, dim, correction, keepdim, true)
}

/// The variance, as [`var`] computes it, and the mean: `torch.var_mean`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let (var, mean) = torch::var_mean(&torch::tensor([1.0, 3.0, 5.0]));
/// assert_eq!([var.item(), mean.item()], [4.0, 3.0]);
/// ```
#[op(torch, forms(
    var_mean() = (&[], 1.0, false),
    var_mean_dim(dim: &[i64], keepdim: bool) = (dim, 1.0, keepdim),
))]
pub fn var_mean(x: &Tensor, dim: &[i64], correction: f64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    spread_mean("VarMeanBackward0", x, dim, correction, keepdim, false)
}

/// The standard deviation, as [`std()`] computes it, and the mean: `torch.std_mean`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::tensor([[1.0, 3.0, 5.0], [2.0, 2.0, 2.0]]);
/// let (std, mean) = torch::std_mean_dim(&x, 1, false);
/// assert_eq!(std.to_vec::<f32>(), [2.0, 0.0]);
/// assert_eq!(mean.to_vec::<f32>(), [3.0, 2.0]);
/// ```
#[op(torch, forms(
    std_mean() = (&[], 1.0, false),
    std_mean_dim(dim: &[i64], keepdim: bool) = (dim, 1.0, keepdim),
))]
pub fn std_mean(x: &Tensor, dim: &[i64], correction: f64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    spread_mean("StdMeanBackward0", x, dim, correction, keepdim, true)
}
