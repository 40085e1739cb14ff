//! Layers and losses as functions: `torch.nn.functional`. Each stands at its operation, in [`flambeau_autograd::ops`].

pub use flambeau_autograd::ops::paths::functional::*;
pub use flambeau_autograd::ops::{
    BatchNormOptions, CosineEmbeddingOptions, GaussianNLLOptions, InstanceNormOptions,
    LinearCrossEntropyFunctionOptions, MarginRankingOptions, MultiMarginOptions, NormOptions, PoissonNLLOptions,
    TripletMarginWithDistanceLossOptions,
};
