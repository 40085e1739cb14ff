//! Random numbers, from PyTorch's streams.

pub(crate) mod device_samples;
pub(crate) mod dropout;
pub(crate) mod fresh;
pub(crate) mod gamma;
pub(crate) mod in_place;
pub(crate) mod normal;

pub use dropout::*;
pub use fresh::*;
pub use gamma::*;
pub use in_place::*;
pub use normal::*;

flambeau_macros::operations! {
    dropout { dropout feature_dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout bernoulli multinomial }
    fresh { rand randn randint randperm rand_like randn_like }
    gamma { poisson binomial _standard_gamma _sample_dirichlet _dirichlet_grad }
    in_place { uniform_ normal_ bernoulli_ exponential_ random_ cauchy_ geometric_ log_normal_ }
    normal { normal normal_size }
}
