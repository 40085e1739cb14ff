//! The multivariate normal distribution whose covariance is a diagonal and a product of low rank.

use super::matrices::{half_log_det, mahalanobis, solve_lower};
use super::normal::times;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, ValidateOptions, check_arguments};
use crate::fail;
use crate::value::{Shared, expanded, standard_normal};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, at_caller, ops};
use std::f64::consts::PI;
use std::sync::Arc;

/// The normal distribution of vectors with covariance W Wᵀ + diag(D):
/// `torch.distributions.LowRankMultivariateNormal(loc, cov_factor, cov_diag)`.
///
/// ```
/// use torch::distributions::LowRankMultivariateNormal;
/// let d = LowRankMultivariateNormal::new(torch::zeros(2), torch::tensor([[1.0], [0.0]]), torch::ones(2));
/// assert_eq!(d.covariance_matrix().to_vec::<f32>(), [2.0, 0.0, 0.0, 1.0]);
/// ```
#[derive(Clone)]
pub struct LowRankMultivariateNormal {
    frame: Frame,
    loc: Shared,
    cov_factor: Shared,
    cov_diag: Shared,
    /// Both, not expanded to the batch.
    w: Shared,
    d: Shared,
    /// Cholesky's factor of I + Wᵀ D⁻¹ W.
    capacitance: Shared,
}

fn identity_plus(x: &Tensor) -> Tensor {
    x + ops::eye(x.size_dim(-1), None, x.dtype(), x.device()).or_panic()
}

fn capacitance(w: &Tensor, d: &Tensor) -> Tensor {
    let scaled = w.mT() / d.unsqueeze(-2);
    ops::linalg_cholesky(&identity_plus(&scaled.matmul(w))).or_panic()
}

/// log det(W Wᵀ + D).
pub(crate) fn logdet(of: &LowRankMultivariateNormal) -> Tensor {
    2.0 * half_log_det(&of.capacitance) + of.d.log().sum_dim(-1, false)
}

/// xᵀ (W Wᵀ + D)⁻¹ x.
pub(crate) fn mahalanobis_of(of: &LowRankMultivariateNormal, x: &Tensor) -> Tensor {
    let scaled = of.w.mT() / of.d.unsqueeze(-2);
    let first = (x.pow(2) / &of.d).sum_dim(-1, false);
    first - mahalanobis(&of.capacitance, &times(&scaled, x))
}

impl LowRankMultivariateNormal {
    /// The distribution of a mean `[…, n]`, a factor `[…, n, m]` and a diagonal `[…, n]`.
    ///
    /// # Panics
    /// When the diagonal is not positive, and for shapes that do not fit.
    #[track_caller]
    pub fn new(loc: impl AsTensor, cov_factor: impl AsTensor, cov_diag: impl AsTensor) -> Self {
        Self::with(loc, cov_factor, cov_diag, |o| o)
    }

    /// [`new`](LowRankMultivariateNormal::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        loc: impl AsTensor,
        cov_factor: impl AsTensor,
        cov_diag: impl AsTensor,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let options = options(ValidateOptions::default());
        at_caller(|| {
            let (loc, w, d) = (loc.as_tensor(), cov_factor.as_tensor(), cov_diag.as_tensor());
            if loc.dim() < 1 {
                fail::value("loc must be at least one-dimensional.");
            }
            let n = loc.size_dim(-1);
            if w.dim() < 2 {
                fail::value("cov_factor must be at least two-dimensional, with optional leading batch dimensions");
            }
            if w.size_dim(-2) != n {
                fail::value(format!("cov_factor must be a batch of matrices with shape {n} x m"));
            }
            if d.size().last() != Some(&n) {
                fail::value(format!("cov_diag must be a batch of vectors with shape torch.Size([{n}])"));
            }
            let (loc_column, d_column) = (loc.unsqueeze(-1), d.unsqueeze(-1));
            let Ok(whole) = ops::broadcast_tensors(&[&loc_column, w, &d_column]) else {
                fail::value(format!(
                    "Incompatible batch shapes: loc {}, cov_factor {}, cov_diag {}",
                    loc.size(),
                    w.size(),
                    d.size()
                ))
            };
            let [loc, cov_factor, cov_diag] =
                [whole[0].select(-1, 0), whole[1].shallow_clone(), whole[2].select(-1, 0)];
            let size = loc.size();
            let frame = Frame::new(&size[..size.len() - 1], [n], options.validate_args);
            let made = LowRankMultivariateNormal {
                frame,
                loc: loc.into(),
                cov_factor: cov_factor.into(),
                cov_diag: cov_diag.into(),
                w: w.shallow_clone().into(),
                d: d.shallow_clone().into(),
                capacitance: capacitance(w, d).into(),
            };
            check_arguments(&made);
            made
        })
    }

    /// The mean.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The factor W.
    pub fn cov_factor(&self) -> &Tensor {
        &self.cov_factor
    }

    /// The diagonal D.
    pub fn cov_diag(&self) -> &Tensor {
        &self.cov_diag
    }

    /// The factor and the diagonal, not expanded to the batch.
    pub(crate) fn parts(&self) -> (&Tensor, &Tensor) {
        (&self.w, &self.d)
    }

    fn whole(&self, x: &Tensor) -> Tensor {
        let event = self.frame.event();
        expanded(x, &[self.frame.batch(), event, event].concat())
    }

    /// The lower triangular factor L of Σ = L Lᵀ.
    pub fn scale_tril(&self) -> Tensor {
        let root = self.d.sqrt().unsqueeze(-1);
        let scaled = &*self.w / &root;
        let k = identity_plus(&scaled.matmul(scaled.mT()));
        self.whole(&(root * ops::linalg_cholesky(&k).or_panic()))
    }

    /// The covariance matrix Σ.
    pub fn covariance_matrix(&self) -> Tensor {
        self.whole(&(self.w.matmul(self.w.mT()) + self.d.diag_embed()))
    }

    /// A = C⁻¹ Wᵀ D⁻¹, C the capacitance's factor.
    pub(crate) fn reduced(&self) -> Tensor {
        solve_lower(&self.capacitance, &(self.w.mT() / self.d.unsqueeze(-2)))
    }

    /// The precision matrix Σ⁻¹.
    pub fn precision_matrix(&self) -> Tensor {
        let a = self.reduced();
        self.whole(&(self.d.reciprocal().diag_embed() - a.mT().matmul(&a)))
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        let frame = self.frame.with_batch(batch);
        let shape = frame.extended(&[]);
        let matrix = [&shape[..], &[self.cov_factor.size_dim(-1)]].concat();
        LowRankMultivariateNormal {
            loc: expanded(&self.loc, &shape).into(),
            cov_diag: expanded(&self.cov_diag, &shape).into(),
            cov_factor: expanded(&self.cov_factor, &matrix).into(),
            frame,
            ..self.clone()
        }
    }
}

expands!(LowRankMultivariateNormal);
is_distribution!(LowRankMultivariateNormal);

impl Distribution for LowRankMultivariateNormal {
    fn class(&self) -> &'static str {
        "LowRankMultivariateNormal"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        let matrices = constraints::independent(constraints::real(), 2);
        let positive = constraints::independent(constraints::positive(), 1);
        vec![
            Argument::own("loc", constraints::real_vector(), &self.loc),
            Argument::own("cov_factor", matrices, &self.cov_factor),
            Argument::own("cov_diag", positive, &self.cov_diag),
        ]
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
        expanded(&(self.w.pow(2).sum_dim(-1, false) + &self.d), &self.frame.extended(&[]))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let shape = self.frame.extended(shape);
        let mut of_w = shape.clone();
        of_w.pop();
        of_w.push(self.cov_factor.size_dim(-1));
        let (of_w, of_d) = (standard_normal(&of_w, &self.loc), standard_normal(&shape, &self.loc));
        &*self.loc + times(&self.w, &of_w) + self.d.sqrt() * of_d
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let distance = mahalanobis_of(self, &(value - &self.loc));
        -0.5 * (self.frame.event()[0] as f64 * (2.0 * PI).ln() + logdet(self) + distance)
    }
    fn entropy(&self) -> Tensor {
        let entropy = 0.5 * (self.frame.event()[0] as f64 * (1.0 + (2.0 * PI).ln()) + logdet(self));
        expanded(&entropy, self.frame.batch())
    }
}
