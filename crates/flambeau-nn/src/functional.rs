//! Layers and losses as functions: `torch.nn.functional`. Each stands at its operation, in [`flambeau_autograd::ops`].

pub use flambeau_autograd::ops::paths::functional::*;
pub use flambeau_autograd::ops::{
    BatchNormOptions, CosineEmbeddingOptions, GaussianNLLOptions, InstanceNormOptions,
    LinearCrossEntropyFunctionOptions, MarginRankingOptions, MultiMarginOptions, NormOptions, PoissonNLLOptions,
    TripletMarginWithDistanceLossOptions,
};

mod multi_head;

pub(crate) use multi_head::{InProjection, MultiHead, canonical_mask};
pub use multi_head::{
    MultiHeadAttentionForwardOptions, multi_head_attention_forward, multi_head_attention_forward_with,
};
