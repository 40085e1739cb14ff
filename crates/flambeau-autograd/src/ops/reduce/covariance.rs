//! How variables vary together.

use crate::error::{Error, Result};
use crate::ops::{clamp, diag, div, mm, mul, sqrt, squeeze, sub, sum, t, unsqueeze, view};
use crate::{Tensor, options};
use flambeau_macros::op;
use flambeau_tensor::DType;

options! {
    /// Options of [`cov`].
    CovOptions {
        /// What is taken from the number of observations (1).
        correction: i64 = 1,
        /// How often each observation was made: integers.
        fweights: Option<Tensor> = None,
        /// The weight of each observation: floats.
        aweights: Option<Tensor> = None,
    }
}

fn at_most_a_matrix(name: &str, x: &Tensor) -> Result<()> {
    match x.dim() {
        0..=2 => Ok(()),
        n => Err(Error::runtime(format!(
            "{name}(): expected input to have two or fewer dimensions but got an input with {n} dimensions"
        ))),
    }
}

fn check_weights(name: &str, kind: &str, fits: bool, weights: &Tensor, observations: usize) -> Result<()> {
    let text = match weights.dim() {
        0 | 1 if !fits => {
            let dtype = weights.dtype().scalar_type_name();
            format!("expected {name} to have {kind} dtype but got {name} with {dtype} dtype")
        }
        0 | 1 if weights.numel() != observations => format!(
            "expected {name} to have the same numel as there are observations in the input but got {} != {observations}",
            weights.numel()
        ),
        0 | 1 if observations > 0 && weights.min().item() < 0.0 => format!("{name} cannot be negative"),
        0 | 1 => return Ok(()),
        n => format!("expected {name} to have one or fewer dimensions but got {name} with {n} dimensions"),
    };
    Err(Error::runtime(format!("cov(): {text}")))
}

/// The covariances of variables, the rows of a matrix whose columns are observations: `torch.cov`. A vector is one variable, whose
/// covariance is its variance.
///
/// # Errors
/// For bools, more than two dimensions, and weights that do not fit the observations.
///
/// ```
/// let x = torch::tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]);
/// assert_eq!(x.cov().to_vec::<f32>(), [1.0, -1.0, -1.0, 1.0]);
/// let twice = torch::tensor([1, 2, 1]);
/// assert_eq!(x.cov_with(|o| o.fweights(&twice).correction(0)).to_vec::<f32>(), [0.5, -0.5, -0.5, 0.5]);
/// ```
#[op(torch, method, forms(
    cov() = (1, None, None),
    cov_with(options: CovOptions) = (options.correction, options.fweights.as_ref(), options.aweights.as_ref()),
))]
pub fn cov(x: &Tensor, correction: i64, fweights: Option<&Tensor>, aweights: Option<&Tensor>) -> Result<Tensor> {
    at_most_a_matrix("cov", x)?;
    if x.dtype() == DType::Bool {
        return Err(
            flambeau_tensor::Error::NotImplemented("cov(): bool dtype is not supported for input".into()).into()
        );
    }
    let x = if x.dim() < 2 { view(x, &[1, -1])? } else { x.shallow_clone() };
    let n = x.size()[1];
    if let Some(w) = fweights {
        let integers = !w.is_floating_point() && w.dtype() != DType::Bool;
        check_weights("fweights", "integral", integers, w, n)?;
    }
    if let Some(w) = aweights {
        check_weights("aweights", "floating point", w.is_floating_point(), w, n)?;
    }
    let weights = match (fweights, aweights) {
        (Some(f), Some(a)) => Some(mul(f, a)?),
        (one, None) | (None, one) => one.map(Tensor::shallow_clone),
    };
    let weighted = |x: &Tensor| match &weights {
        Some(w) => mul(x, w),
        None => Ok(x.shallow_clone()),
    };
    let total = weights.as_ref().map(|w| sum(w, &[], false, None)).transpose()?;
    if total.as_ref().is_some_and(|total| total.item() == 0.0) {
        return Err(Error::runtime("cov(): weights sum to zero, can't be normalized"));
    }
    let over = |x: &Tensor| match &total {
        Some(total) => div(x, total),
        None => div(x, n as i64),
    };
    let mean = over(&sum(&weighted(&x)?, &[1], false, None)?)?;
    let centered = sub(&x, &unsqueeze(&mean, 1)?, 1)?;
    let products = mm(&centered, &t(&weighted(&centered)?)?)?;
    let few = || {
        crate::warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
        );
    };
    let out = match &total {
        None => {
            let freedom = n as i64 - correction;
            if freedom <= 0 {
                few();
            }
            div(&products, freedom.max(0))?
        }
        Some(total) => {
            let lost = match aweights {
                Some(a) if correction != 0 => over(&mul(&sum(&weighted(a)?, &[], false, None)?, correction)?)?,
                _ => crate::ops::new_full(total, &[], correction, None, None)?,
            };
            let freedom = sub(total, &lost, 1)?;
            match freedom.item() > 0.0 {
                true => div(&products, &freedom)?,
                false => {
                    few();
                    div(&products, 0)?
                }
            }
        }
    };
    squeeze(&out, None)
}

/// The correlation coefficients of variables, the rows of a matrix whose columns are observations, between −1 and 1:
/// `torch.corrcoef`. A vector is one variable, whose coefficient is 1.
///
/// # Errors
/// For bools and more than two dimensions.
///
/// ```
/// let x = torch::tensor([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]]);
/// assert_eq!(x.corrcoef().to_vec::<f32>(), [1.0, -1.0, -1.0, 1.0]);
/// ```
#[op(torch, method)]
pub fn corrcoef(x: &Tensor) -> Result<Tensor> {
    at_most_a_matrix("corrcoef", x)?;
    let c = cov(x, 1, None, None)?;
    if c.dim() == 0 {
        return div(&c, &c);
    }
    let deviation = sqrt(&diag(&c, 0)?)?;
    let c = div(&c, &view(&deviation, &[-1, 1])?)?;
    clamp(&div(&c, &view(&deviation, &[1, -1])?)?, Some((-1).into()), Some(1.into()))
}
