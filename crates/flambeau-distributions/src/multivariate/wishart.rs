//! The Wishart distribution.

use super::matrices::{Matrix, MatrixOptions, common_batch, diagonal, half_log_det};
use crate::IntoValue;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::fail;
use crate::univariate::Chi2;
use crate::value::{Shared, Value, eps, expanded, filled, replaced, standard_normal};
use flambeau_autograd::{OrPanic, Tensor, at_caller, ops, warn};
use std::f64::consts::LN_2;
use std::sync::Arc;

/// The Wishart distribution of positive-definite matrices, by its degrees of freedom and one of three forms of its scale:
/// `torch.distributions.Wishart(df, covariance_matrix)`.
///
/// ```
/// use torch::distributions::Wishart;
/// let d = Wishart::new(3.0, torch::eye(2));
/// assert_eq!(d.mean().to_vec::<f32>(), [3.0, 0.0, 0.0, 3.0]);
/// ```
#[derive(Clone)]
pub struct Wishart {
    frame: Frame,
    df: Shared,
    matrix: Matrix,
}

impl Wishart {
    /// The distribution of degrees of freedom, a tensor or a number, and a covariance matrix.
    ///
    /// # Panics
    /// When the matrix is not positive-definite or there are too few degrees of freedom.
    #[track_caller]
    pub fn new(df: impl IntoValue, covariance_matrix: impl flambeau_autograd::AsTensor) -> Self {
        Self::with(df, |o| o.covariance_matrix(covariance_matrix))
    }

    /// The distribution of degrees of freedom and options: one of `covariance_matrix`, `precision_matrix` and `scale_tril`, and
    /// `validate_args`.
    ///
    /// # Panics
    /// As [`new`](Wishart::new), and when not exactly one of the three is given.
    #[track_caller]
    pub fn with(df: impl IntoValue, options: impl FnOnce(MatrixOptions) -> MatrixOptions) -> Self {
        let (df, options) = (df.into_value(), options(MatrixOptions::default()));
        at_caller(|| {
            let Some((form, given)) = options.given() else {
                fail::other("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
            };
            if given.dim() < 2 {
                fail::value("scale_tril must be at least two-dimensional, with optional leading batch dimensions");
            }
            let size = given.size();
            let (own_batch, event) = size.split_at(size.len() - 2);
            let (batch, freedom) = match &df {
                Value::Number(n) => (own_batch.to_vec(), filled(&[], n.to_f64(), given)),
                Value::Tensor(t) => {
                    let batch = common_batch(own_batch, &t.size());
                    let whole = expanded(t, &batch);
                    (batch, whole)
                }
            };
            let p = event[1] as f64;
            if freedom.le(p - 1.0).any().item_as::<bool>() {
                fail::value(format!(
                    "Value of df={df} expected to be greater than ndim - 1 = {}.",
                    event[1] as i64 - 1
                ));
            }
            if freedom.lt(p).any().item_as::<bool>() {
                warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.");
            }
            let matrix = Matrix::new(form, given, &batch);
            let frame = Frame::new(batch, event, options.validate);
            let made = Wishart { frame, df: freedom.into(), matrix };
            check_arguments(&made);
            made.matrix.factor();
            made
        })
    }

    /// The degrees of freedom.
    pub fn df(&self) -> &Tensor {
        &self.df
    }

    /// The covariance matrix.
    pub fn covariance_matrix(&self) -> &Tensor {
        self.matrix.covariance()
    }

    /// The precision matrix.
    pub fn precision_matrix(&self) -> &Tensor {
        self.matrix.precision()
    }

    /// The lower triangular factor of the covariance matrix.
    pub fn scale_tril(&self) -> &Tensor {
        self.matrix.scale_tril()
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        Wishart {
            frame: self.frame.with_batch(batch),
            df: expanded(&self.df, batch).into(),
            matrix: self.matrix.expand(batch),
        }
    }

    fn side(&self) -> usize {
        self.frame.event()[1]
    }

    /// df beside matrices.
    fn freedom(&self) -> Tensor {
        self.df.unsqueeze(-1).unsqueeze(-1)
    }

    /// Bartlett's decomposition: a lower triangle of normal numbers, roots of χ² on its diagonal.
    fn bartlett(&self, shape: &[usize]) -> Tensor {
        let p = self.side();
        let l = self.matrix.factor();
        let steps: Vec<f64> = (0..p).map(|k| k as f64).collect();
        let steps = flambeau_autograd::from_vec(steps, [p]).to(l);
        let freedom = expanded(&(self.df.unsqueeze(-1) - steps), &[self.frame.batch(), &[p]].concat());
        let chi2 = Chi2::with(freedom, |o| o.validate_args(false));
        let roots = chi2.draw_reparameterized(shape).sqrt();
        let noise = roots.clamp(eps(roots.dtype()), None).diag_embed();
        let below = p * (p - 1) / 2;
        let normal = standard_normal(&[shape, self.frame.batch(), &[below]].concat(), &noise);
        let strict = match below {
            0 => noise.zeros_like(),
            _ => crate::value::vec_to_tril_matrix(&normal, -1),
        };
        let factor = l.matmul(noise + strict);
        factor.matmul(factor.mT())
    }
}

expands!(Wishart);
is_distribution!(Wishart);

/// log |det A| of positive-definite matrices.
fn log_det(a: &Tensor) -> Tensor {
    2.0 * half_log_det(&ops::linalg_cholesky(a).or_panic())
}

/// The derivative of the multivariate gamma function's logarithm.
fn mvdigamma(x: &Tensor, p: usize) -> Tensor {
    let steps: Vec<f64> = (0..p).map(|k| k as f64 / 2.0).collect();
    let steps = flambeau_autograd::from_vec(steps, [p]).to(x);
    (x.unsqueeze(-1) - steps).digamma().sum_dim(-1, false)
}

impl Distribution for Wishart {
    fn class(&self) -> &'static str {
        "Wishart"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        let mut all = self.matrix.arguments();
        all.push(Argument::own("df", constraints::greater_than(self.side() as i64 - 1), &self.df));
        all
    }
    fn is_exponential_family(&self) -> bool {
        true
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::positive_definite()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.freedom() * self.covariance_matrix()
    }
    fn mode(&self) -> Tensor {
        let factor = self.freedom() - (self.side() as f64 + 1.0);
        replaced(&factor, &factor.le(0), f64::NAN) * self.covariance_matrix()
    }
    fn variance(&self) -> Tensor {
        let v = self.covariance_matrix();
        let d = diagonal(v);
        self.freedom() * (v.pow(2) + d.unsqueeze(-1) * d.unsqueeze(-2))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        // As PyTorch 2.15 does: what it takes for singular are the matrices that are not, so those are drawn once more.
        let again = |sample: &Tensor| {
            let valid = constraints::positive_definite().check(sample);
            (0..self.frame.batch().len()).fold(valid, |valid, _| valid.any_dim(-1, false))
        };
        let mut sample = self.bartlett(shape);
        let mut redraw: Vec<bool> = again(&sample).reshape([-1]).to_vec();
        if redraw.contains(&true) {
            warn("Singular sample detected.");
        }
        let one = [self.frame.batch(), self.frame.event()].concat();
        let whole = |first: &[usize]| -> Vec<i64> { first.iter().chain(&one).map(|&n| n as i64).collect() };
        for _ in 0..10 {
            let count = redraw.iter().filter(|&&r| r).count();
            if count == 0 {
                break;
            }
            let fresh = self.bartlett(&[count]);
            let bad: Vec<bool> = (!again(&fresh)).reshape([-1]).to_vec();
            let old = sample.reshape(whole(&[redraw.len()]));
            let mut news = 0..count;
            let rows: Vec<Tensor> = redraw
                .iter()
                .enumerate()
                .map(|(i, &r)| if r { fresh.select(0, news.next().expect("one per redraw")) } else { old.select(0, i) })
                .collect();
            sample = ops::stack(&rows, 0).or_panic().reshape(whole(shape));
            let mut bad = bad.into_iter();
            redraw.iter_mut().filter(|r| **r).for_each(|r| *r = bad.next().expect("one per redraw"));
        }
        sample
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (nu, p, l) = (&*self.df, self.side() as f64, self.matrix.factor());
        let trace = diagonal(&ops::cholesky_solve(value, l).or_panic()).sum_dim(-1, false);
        -nu * (p * LN_2 / 2.0 + half_log_det(l)) - (nu / 2.0).mvlgamma(self.side() as i64)
            + (nu - p - 1.0) / 2.0 * log_det(value)
            - trace / 2.0
    }
    fn entropy(&self) -> Tensor {
        let (nu, p, l) = (&*self.df, self.side() as f64, self.matrix.factor());
        (p + 1.0) * (p * LN_2 / 2.0 + half_log_det(l)) + (nu / 2.0).mvlgamma(self.side() as i64)
            - (nu - p - 1.0) / 2.0 * mvdigamma(&(nu / 2.0), self.side())
            + nu * p / 2.0
    }
}

impl Wishart {
    /// −Σ⁻¹/2 and (ν − p − 1)/2.
    pub(crate) fn natural_parameters(&self) -> [Tensor; 2] {
        let p = self.side() as f64;
        [-self.precision_matrix() / 2.0, (&*self.df - p - 1.0) / 2.0]
    }

    /// The logarithm of what the density of natural parameters is divided by.
    pub(crate) fn log_normalizer(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let p = self.side() as f64;
        let half = y + (p + 1.0) / 2.0;
        &half * (-log_det(&(-2.0 * x)) + LN_2 * p) + half.mvlgamma(self.side() as i64)
    }
}
