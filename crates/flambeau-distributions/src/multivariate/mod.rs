//! Distributions of vectors and matrices.

mod lkj_cholesky;
mod logistic_normal;
mod low_rank;
mod matrices;
mod normal;
mod wishart;

pub use lkj_cholesky::LKJCholesky;
pub use logistic_normal::LogisticNormal;
pub use low_rank::LowRankMultivariateNormal;
pub use matrices::MatrixOptions;
pub use normal::MultivariateNormal;
pub use wishart::Wishart;

pub(crate) use low_rank::{logdet, mahalanobis_of};
pub(crate) use matrices::{diagonal, half_log_det, mahalanobis, solve_lower};
