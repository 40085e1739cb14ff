//! Probability distributions: `torch.distributions`.
//!
//! A distribution is a struct of its parameters. What all of them can do (`sample`, `rsample`, `log_prob`, `cdf`, `entropy` and so
//! on) are methods of `dyn Distribution`, which each of them lends, so that they need no import.

mod chances;
mod composed;
pub mod constraints;
mod declare;
mod discrete;
mod distribution;
mod fail;
pub mod kl;
mod multivariate;
pub mod transforms;
mod univariate;
mod value;

pub use chances::ProbsOptions;
pub use composed::{Independent, MixtureSameFamily, TransformedDistribution};
pub use discrete::{
    Bernoulli, Binomial, BinomialOptions, Categorical, ExpRelaxedCategorical, Geometric, LogitRelaxedBernoulli,
    Multinomial, MultinomialOptions, NegativeBinomial, OneHotCategorical, OneHotCategoricalStraightThrough, Poisson,
    RelaxedBernoulli, RelaxedOneHotCategorical,
};
pub use distribution::{
    Argument, Distribution, ExponentialFamily, Frame, Held, IntoDistribution, ValidateOptions,
    set_default_validate_args,
};
pub use kl::{kl_divergence, register_kl};
pub use multivariate::{
    LKJCholesky, LogisticNormal, LowRankMultivariateNormal, MatrixOptions, MultivariateNormal, Wishart,
};
pub use transforms::*;
pub use univariate::{
    Beta, Cauchy, Chi2, ContinuousBernoulli, ContinuousBernoulliOptions, Dirichlet, Exponential, FisherSnedecor, Gamma,
    GeneralizedPareto, Gumbel, HalfCauchy, HalfNormal, InverseGamma, Kumaraswamy, Laplace, LogNormal, Normal, Pareto,
    StudentT, Uniform, VonMises, Weibull,
};
pub use value::{IntoValue, Value};
