//! Networks that classify images, with torchvision's names, initial numbers, prints and state dicts: `torchvision.models`.
//!
//! `models::resnet18()` draws the weights that torchvision draws after the same `manual_seed`. Options are set by the form that
//! ends in `_with`. One that names a file of weights makes the constructor return a `Result`, since a file can be missing or be
//! another model's; no other option does:
//!
//! ```
//! use torch::vision::models;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = models::squeezenet1_1_with(|o| o.num_classes(10));
//! # use torch::nn::Module;
//! # let path = std::env::temp_dir().join(format!("flambeau-models-{}.pth", std::process::id()));
//! torch::save(&model.state_dict(), &path)?;
//! let again = models::squeezenet1_1_with(|o| o.weights(&path).num_classes(10))?;
//! let wrong = models::squeezenet1_1_with(|o| o.weights(&path)).err().unwrap(); // it has 10 classes, not 1000
//! assert!(wrong.to_string().contains(path.to_str().unwrap()));
//! # std::fs::remove_file(&path)?;
//! # let _ = again;
//! # Ok(())
//! # }
//! ```

pub mod alexnet;
mod by_name;
pub mod convnext;
pub mod densenet;
pub mod efficientnet;
pub mod googlenet;
pub mod inception;
mod init;
pub mod mnasnet;
pub mod mobilenetv2;
pub mod mobilenetv3;
mod options;
mod outputs;
pub mod regnet;
pub mod resnet;
pub mod shufflenetv2;
pub mod squeezenet;
pub mod swin_transformer;
pub mod vgg;
pub mod vision_transformer;
pub mod window_attention;

pub use alexnet::{AlexNet, AlexNetOptions, alexnet, alexnet_with};
pub use by_name::{get_model, list_models};
pub use convnext::{
    ConvNeXt, ConvNeXtOptions, convnext_base, convnext_base_with, convnext_large, convnext_large_with, convnext_small,
    convnext_small_with, convnext_tiny, convnext_tiny_with,
};
pub use densenet::{
    DenseNet, DenseNetOptions, densenet121, densenet121_with, densenet161, densenet161_with, densenet169,
    densenet169_with, densenet201, densenet201_with,
};
pub use efficientnet::{
    EfficientNet, EfficientNetOptions, efficientnet_b0, efficientnet_b0_with, efficientnet_b1, efficientnet_b1_with,
    efficientnet_b2, efficientnet_b2_with, efficientnet_b3, efficientnet_b3_with, efficientnet_b4,
    efficientnet_b4_with, efficientnet_b5, efficientnet_b5_with, efficientnet_b6, efficientnet_b6_with,
    efficientnet_b7, efficientnet_b7_with, efficientnet_v2_l, efficientnet_v2_l_with, efficientnet_v2_m,
    efficientnet_v2_m_with, efficientnet_v2_s, efficientnet_v2_s_with,
};
pub use googlenet::{GoogLeNet, GoogLeNetOptions, GoogLeNetOutputs, googlenet, googlenet_with};
pub use inception::{Inception3, Inception3Options, InceptionOutputs, inception_v3, inception_v3_with};
pub(crate) use init::draw;
pub use mnasnet::{
    MNASNet, MNASNetOptions, mnasnet0_5, mnasnet0_5_with, mnasnet0_75, mnasnet0_75_with, mnasnet1_0, mnasnet1_0_with,
    mnasnet1_3, mnasnet1_3_with,
};
pub use mobilenetv2::{MobileNetV2, MobileNetV2Options, mobilenet_v2, mobilenet_v2_with};
pub use mobilenetv3::{
    MobileNetV3, MobileNetV3Options, mobilenet_v3_large, mobilenet_v3_large_with, mobilenet_v3_small,
    mobilenet_v3_small_with,
};
pub use options::{Fresh, FromFile, Weights};
pub use regnet::{
    RegNet, RegNetOptions, regnet_x_1_6gf, regnet_x_1_6gf_with, regnet_x_3_2gf, regnet_x_3_2gf_with, regnet_x_8gf,
    regnet_x_8gf_with, regnet_x_16gf, regnet_x_16gf_with, regnet_x_32gf, regnet_x_32gf_with, regnet_x_400mf,
    regnet_x_400mf_with, regnet_x_800mf, regnet_x_800mf_with, regnet_y_1_6gf, regnet_y_1_6gf_with, regnet_y_3_2gf,
    regnet_y_3_2gf_with, regnet_y_8gf, regnet_y_8gf_with, regnet_y_16gf, regnet_y_16gf_with, regnet_y_32gf,
    regnet_y_32gf_with, regnet_y_128gf, regnet_y_128gf_with, regnet_y_400mf, regnet_y_400mf_with, regnet_y_800mf,
    regnet_y_800mf_with,
};
pub use resnet::{
    ResNet, ResNetOptions, resnet18, resnet18_with, resnet34, resnet34_with, resnet50, resnet50_with, resnet101,
    resnet101_with, resnet152, resnet152_with, resnext50_32x4d, resnext50_32x4d_with, resnext101_32x8d,
    resnext101_32x8d_with, resnext101_64x4d, resnext101_64x4d_with, wide_resnet50_2, wide_resnet50_2_with,
    wide_resnet101_2, wide_resnet101_2_with,
};
pub use shufflenetv2::{
    ShuffleNetV2, ShuffleNetV2Options, shufflenet_v2_x0_5, shufflenet_v2_x0_5_with, shufflenet_v2_x1_0,
    shufflenet_v2_x1_0_with, shufflenet_v2_x1_5, shufflenet_v2_x1_5_with, shufflenet_v2_x2_0, shufflenet_v2_x2_0_with,
};
pub use squeezenet::{
    SqueezeNet, SqueezeNetOptions, squeezenet1_0, squeezenet1_0_with, squeezenet1_1, squeezenet1_1_with,
};
pub use swin_transformer::{
    SwinTransformer, SwinTransformerOptions, swin_b, swin_b_with, swin_s, swin_s_with, swin_t, swin_t_with, swin_v2_b,
    swin_v2_b_with, swin_v2_s, swin_v2_s_with, swin_v2_t, swin_v2_t_with,
};
pub use vgg::{
    VGG, VGGOptions, vgg11, vgg11_bn, vgg11_bn_with, vgg11_with, vgg13, vgg13_bn, vgg13_bn_with, vgg13_with, vgg16,
    vgg16_bn, vgg16_bn_with, vgg16_with, vgg19, vgg19_bn, vgg19_bn_with, vgg19_with,
};
pub use vision_transformer::{
    VisionTransformer, VisionTransformerOptions, vit_b_16, vit_b_16_with, vit_b_32, vit_b_32_with, vit_h_14,
    vit_h_14_with, vit_l_16, vit_l_16_with, vit_l_32, vit_l_32_with,
};

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
