//! Distributions of one real number.

mod beta;
mod bounded;
mod gamma;
mod generalized_pareto;
mod normal;
mod tails;
mod transformed;
mod von_mises;

pub use beta::{Beta, Dirichlet};
pub use bounded::{ContinuousBernoulli, ContinuousBernoulliOptions, Uniform};
pub use gamma::{Chi2, Exponential, FisherSnedecor, Gamma};
pub use generalized_pareto::GeneralizedPareto;
pub use normal::{Laplace, Normal};
pub use tails::{Cauchy, StudentT};
pub use transformed::{Gumbel, HalfCauchy, HalfNormal, InverseGamma, Kumaraswamy, LogNormal, Pareto, Weibull};
pub use von_mises::VonMises;

/// Euler and Mascheroni's constant.
pub(crate) const EULER: f64 = 0.577_215_664_901_532_9;
