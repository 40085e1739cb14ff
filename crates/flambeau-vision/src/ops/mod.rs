//! Operations on images and boxes, and the blocks of torchvision's models: `torchvision.ops`.

mod box_losses;
mod boxes;
mod drop;
mod feature_pyramid;
mod focal_loss;
mod frozen;
mod layers;
mod mlp;
mod multi_scale;
mod nms;
mod roi;

pub use box_losses::*;
pub use boxes::*;
pub use drop::{DropBlock2d, DropBlockOptions, StochasticDepth, drop_block2d, drop_block2d_with, stochastic_depth};
pub use feature_pyramid::*;
pub use focal_loss::*;
pub use frozen::{FrozenBatchNorm2d, FrozenBatchNormOptions};
pub use layers::{
    ActivationLayer, Conv2dNormActivation, Conv2dNormActivationKind, Conv3dNormActivation, Conv3dNormActivationKind,
    ConvNormActivationOptions, NormLayer, SqueezeExcitation, SqueezeExcitationOptions,
};
pub(crate) use layers::{activation_layer, batch_norm, norm_layer, relu};
pub(crate) use mlp::mlp_layers;
pub use mlp::{MLP, MLPKind, MLPOptions, Permute};
pub use multi_scale::{MultiScaleRoIAlign, MultiScaleRoIAlignOptions};
pub use nms::*;
pub use roi::*;

pub use crate::sequential::{SequentialKind, SequentialOf};

use flambeau_autograd::Tensor;
use flambeau_tensor::DType;

/// float32 of smaller floats, int32 of smaller integers: what areas are computed in.
#[track_caller]
fn upcast(x: &Tensor) -> Tensor {
    match x.dtype() {
        DType::F32 | DType::F64 | DType::I32 | DType::I64 => x.shallow_clone(),
        _ if x.is_floating_point() => x.float(),
        _ => x.int(),
    }
}

/// A loss of parts as its `reduction` says.
#[track_caller]
fn reduced(loss: &Tensor, reduction: &str) -> Tensor {
    match reduction {
        "none" => loss.shallow_clone(),
        "mean" => loss.mean(),
        "sum" => loss.sum(),
        other => {
            panic!("Invalid Value for arg 'reduction': '{other} \n Supported reduction modes: 'none', 'mean', 'sum'")
        }
    }
}
