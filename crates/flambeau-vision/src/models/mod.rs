//! Networks that classify images, with torchvision's names, initial numbers, prints and state dicts: `torchvision.models`.
//!
//! `models::resnet18()` draws the weights that torchvision draws after the same `manual_seed`. Options are set by the form that
//! ends in `_with`. One that names a file of weights makes the constructor return a `Result`, since a file can be missing or be
//! another model's; no other option does:
//!
//! ```
//! use flambeau_vision::models;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = models::squeezenet1_1_with(|o| o.num_classes(10));
//! # use flambeau_nn::Module;
//! # let path = std::env::temp_dir().join(format!("flambeau-models-{}.pth", std::process::id()));
//! flambeau_serialize::save(&model.state_dict(), &path)?;
//! let again = models::squeezenet1_1_with(|o| o.weights(&path).num_classes(10))?;
//! let wrong = models::squeezenet1_1_with(|o| o.weights(&path)).unwrap_err(); // 1000 classes
//! assert!(wrong.to_string().contains(path.to_str().unwrap()));
//! # std::fs::remove_file(&path)?;
//! # let _ = again;
//! # Ok(())
//! # }
//! ```

pub mod alexnet;
pub mod densenet;
pub mod googlenet;
mod init;
pub mod mobilenetv2;
pub mod mobilenetv3;
mod options;
mod outputs;
pub mod resnet;
pub mod shufflenetv2;
pub mod squeezenet;
pub mod vgg;

pub use options::{Fresh, FromFile, Weights};
pub use resnet::*;
pub use alexnet::*;
pub use densenet::{
    DenseNet, DenseNetOptions, densenet121, densenet121_with, densenet161, densenet161_with, densenet169,
    densenet169_with, densenet201, densenet201_with,
};
pub use googlenet::{GoogLeNet, GoogLeNetOptions, GoogLeNetOutputs, googlenet, googlenet_with};
pub use mobilenetv2::{MobileNetV2, MobileNetV2Options, mobilenet_v2, mobilenet_v2_with};
pub use mobilenetv3::{
    MobileNetV3, MobileNetV3Options, mobilenet_v3_large, mobilenet_v3_large_with, mobilenet_v3_small,
    mobilenet_v3_small_with,
};
pub use shufflenetv2::{
    ShuffleNetV2, ShuffleNetV2Options, shufflenet_v2_x0_5, shufflenet_v2_x0_5_with, shufflenet_v2_x1_0,
    shufflenet_v2_x1_0_with, shufflenet_v2_x1_5, shufflenet_v2_x1_5_with, shufflenet_v2_x2_0, shufflenet_v2_x2_0_with,
};
pub use squeezenet::{
    SqueezeNet, SqueezeNetOptions, squeezenet1_0, squeezenet1_0_with, squeezenet1_1, squeezenet1_1_with,
};
pub use vgg::*;

use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_nn::functional as F;

/// Channels behind each other.
#[track_caller]
pub(crate) fn cat<const N: usize>(parts: [Tensor; N]) -> Tensor {
    ops::cat(&parts, 1).or_panic()
}

/// The mean of each plane: `[n, channels]` of `[n, channels, height, width]`.
#[track_caller]
pub(crate) fn mean_of_planes(x: &Tensor) -> Tensor {
    F::adaptive_avg_pool2d(x, (1, 1)).flatten(1)
}
