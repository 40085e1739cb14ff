//! Operations on images and boxes, and the blocks of torchvision's models: `torchvision.ops`.

mod drop;
mod frozen;
mod layers;

pub use drop::{DropBlock2d, DropBlockOptions, StochasticDepth, drop_block2d, drop_block2d_with, stochastic_depth};
pub use frozen::{FrozenBatchNorm2d, FrozenBatchNormOptions};
pub use layers::{
    ActivationLayer, Conv2dNormActivation, ConvNormActivationOptions, MLP, MLPOptions, NormLayer, Permute,
    SqueezeExcitation, SqueezeExcitationOptions,
};
pub(crate) use layers::{activation_layer, batch_norm, mlp_layers, norm_layer, relu};

pub use crate::sequential::{SequentialKind, SequentialOf};
