//! The multivariate normal distribution.

use super::matrices::{Form, Matrix, MatrixOptions, common_batch, half_log_det, mahalanobis};
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::fail;
use crate::value::{Shared, expanded, standard_normal};
use flambeau_autograd::{AsTensor, Tensor, at_caller};
use std::f64::consts::PI;
use std::sync::Arc;

/// The normal distribution of vectors, by its mean and one of three forms of its covariance:
/// `torch.distributions.MultivariateNormal`.
///
/// ```
/// use torch::distributions::MultivariateNormal;
/// let d = MultivariateNormal::new(torch::zeros(2), torch::eye(2));
/// assert!((d.log_prob(torch::zeros(2)).item() + 1.837877).abs() < 1e-6);
/// ```
#[derive(Clone)]
pub struct MultivariateNormal {
    frame: Frame,
    loc: Shared,
    matrix: Matrix,
}

impl MultivariateNormal {
    /// The distribution of a mean and a covariance matrix.
    ///
    /// # Panics
    /// When the matrix is not positive-definite, and for shapes that do not fit.
    #[track_caller]
    pub fn new(loc: impl AsTensor, covariance_matrix: impl AsTensor) -> Self {
        Self::with(loc, |o| o.covariance_matrix(covariance_matrix))
    }

    /// The distribution of a mean and options: one of `covariance_matrix`, `precision_matrix` and `scale_tril`, and
    /// `validate_args`.
    ///
    /// # Panics
    /// As [`new`](MultivariateNormal::new), and when not exactly one of the three is given.
    #[track_caller]
    pub fn with(loc: impl AsTensor, options: impl FnOnce(MatrixOptions) -> MatrixOptions) -> Self {
        let options = options(MatrixOptions::default());
        at_caller(|| {
            let loc = loc.as_tensor();
            if loc.dim() < 1 {
                fail::value("loc must be at least one-dimensional.");
            }
            let Some((form, given)) = options.given() else {
                fail::value("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
            };
            if given.dim() < 2 {
                let name = if form == Form::ScaleTril { "scale_tril matrix" } else { form.name() };
                fail::value(format!("{name} must be at least two-dimensional, with optional leading batch dimensions"));
            }
            let (size, given_size) = (loc.size(), given.size());
            let (n, loc_batch) = size.split_last().expect("it has a dimension");
            let batch = common_batch(&given_size[..given_size.len() - 2], loc_batch);
            let matrix = Matrix::new(form, given, &batch);
            let loc = expanded(loc, &[&batch[..], &[*n]].concat());
            let frame = Frame::new(batch, [*n], options.validate);
            let made = MultivariateNormal { frame, loc: loc.into(), matrix };
            check_arguments(&made);
            made.factor();
            made
        })
    }

    /// The mean.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The covariance matrix Σ.
    pub fn covariance_matrix(&self) -> &Tensor {
        self.matrix.covariance()
    }

    /// The precision matrix Σ⁻¹.
    pub fn precision_matrix(&self) -> &Tensor {
        self.matrix.precision()
    }

    /// The lower triangular factor L of Σ = L Lᵀ.
    pub fn scale_tril(&self) -> &Tensor {
        self.matrix.scale_tril()
    }

    /// The factor, not expanded to the batch.
    pub(crate) fn factor(&self) -> &Tensor {
        self.matrix.factor()
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        let frame = self.frame.with_batch(batch);
        let loc = expanded(&self.loc, &frame.extended(&[])).into();
        MultivariateNormal { frame, loc, matrix: self.matrix.expand(batch) }
    }
}

expands!(MultivariateNormal);
is_distribution!(MultivariateNormal);

/// A matrix times a vector, in batches.
pub(crate) fn times(matrix: &Tensor, vector: &Tensor) -> Tensor {
    matrix.matmul(vector.unsqueeze(-1)).squeeze_dim(-1)
}

impl Distribution for MultivariateNormal {
    fn class(&self) -> &'static str {
        "MultivariateNormal"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        let mut all = vec![Argument::own("loc", constraints::real_vector(), &self.loc)];
        all.extend(self.matrix.arguments());
        all
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::real_vector()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        expanded(&self.factor().pow(2).sum_dim(-1, false), &self.frame.extended(&[]))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let noise = standard_normal(&self.frame.extended(shape), &self.loc);
        &*self.loc + times(self.factor(), &noise)
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let distance = mahalanobis(self.factor(), &(value - &self.loc));
        let n = self.frame.event()[0] as f64;
        -0.5 * (n * (2.0 * PI).ln() + distance) - half_log_det(self.factor())
    }
    fn entropy(&self) -> Tensor {
        let n = self.frame.event()[0] as f64;
        let entropy = 0.5 * n * (1.0 + (2.0 * PI).ln()) + half_log_det(self.factor());
        expanded(&entropy, self.frame.batch())
    }
}
