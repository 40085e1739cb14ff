//! The models that the goldens' names and keywords mean.

use flambeau_autograd::Tensor;
use flambeau_nn::{Module, Parameter};
use flambeau_vision::models::{self, *};
use serde_json::Value;

/// A model of any kind.
pub trait Net: Module {
    /// All that it returns.
    fn outputs(&self, x: &Tensor) -> Vec<Tensor>;
    /// The weight that begins with zeros, where the goldens have other numbers.
    fn head(&self) -> Option<&Parameter> {
        None
    }
}

macro_rules! nets {
    ($($model:ty),*) => {$(
        impl Net for $model {
            fn outputs(&self, x: &Tensor) -> Vec<Tensor> {
                vec![self.call(x)]
            }
        }
    )*};
}
nets!(
    AlexNet,
    VGG,
    ResNet,
    SqueezeNet,
    DenseNet,
    MobileNetV2,
    MobileNetV3,
    ShuffleNetV2,
    MNASNet,
    EfficientNet,
    RegNet,
    ConvNeXt,
    SwinTransformer
);

impl Net for GoogLeNet {
    fn outputs(&self, x: &Tensor) -> Vec<Tensor> {
        let y = self.call(x);
        [Some(y.logits), y.aux_logits2, y.aux_logits1].into_iter().flatten().collect()
    }
}

impl Net for Inception3 {
    fn outputs(&self, x: &Tensor) -> Vec<Tensor> {
        let y = self.call(x);
        [Some(y.logits), y.aux_logits].into_iter().flatten().collect()
    }
}

impl Net for VisionTransformer {
    fn outputs(&self, x: &Tensor) -> Vec<Tensor> {
        vec![self.call(x)]
    }
    fn head(&self) -> Option<&Parameter> {
        Some(self.get_parameter("heads.head.weight"))
    }
}

fn boxed(net: impl Net) -> Box<dyn Net> {
    Box::new(net)
}

macro_rules! plain {
    ($name:expr; $($model:ident)*) => {
        match $name {
            $(stringify!($model) => boxed(models::$model()),)*
            other => panic!("no model {other}"),
        }
    };
}

/// A model by the name of its constructor and the constructor's keywords.
pub fn make(name: &str, keywords: &Value) -> Box<dyn Net> {
    let (number, flag) = (|key: &str| keywords[key].as_f64().unwrap(), |key: &str| keywords[key].as_bool().unwrap());
    if keywords.as_object().unwrap().is_empty() {
        return plain!(name; alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn
            resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d
            wide_resnet50_2 wide_resnet101_2 squeezenet1_0 squeezenet1_1 densenet121 densenet161 densenet169 densenet201
            googlenet mobilenet_v2 mobilenet_v3_small mobilenet_v3_large shufflenet_v2_x0_5 shufflenet_v2_x1_0
            shufflenet_v2_x1_5 shufflenet_v2_x2_0 mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 inception_v3
            efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6
            efficientnet_b7 efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l
            regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf regnet_y_32gf
            regnet_y_128gf regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf regnet_x_16gf
            regnet_x_32gf convnext_tiny convnext_small convnext_base convnext_large vit_b_16 vit_b_32 vit_l_16 vit_l_32
            vit_h_14 swin_t swin_s swin_b swin_v2_t swin_v2_s swin_v2_b);
    }
    match name {
        "resnet50" => boxed(resnet50_with(|o| {
            o.zero_init_residual(true).replace_stride_with_dilation([false, true, true]).num_classes(7)
        })),
        "vgg11_bn" => boxed(vgg11_bn_with(|o| o.num_classes(10).dropout(number("dropout")))),
        "densenet121" => {
            boxed(densenet121_with(|o| o.drop_rate(number("drop_rate")).memory_efficient(true).num_classes(5)))
        }
        "googlenet" => {
            boxed(googlenet_with(|o| o.aux_logits(flag("aux_logits")).transform_input(flag("transform_input"))))
        }
        "mobilenet_v2" => boxed(mobilenet_v2_with(|o| o.width_mult(number("width_mult")).dropout(number("dropout")))),
        "mobilenet_v3_large" => {
            boxed(mobilenet_v3_large_with(|o| o.reduced_tail(true).dilated(true).width_mult(number("width_mult"))))
        }
        "inception_v3" => {
            boxed(inception_v3_with(|o| o.aux_logits(flag("aux_logits")).transform_input(flag("transform_input"))))
        }
        "convnext_tiny" => boxed(convnext_tiny_with(|o| {
            o.layer_scale(number("layer_scale")).stochastic_depth_prob(number("stochastic_depth_prob"))
        })),
        "vit_b_32" => boxed(vit_b_32_with(|o| {
            o.image_size(64).dropout(number("dropout")).attention_dropout(number("attention_dropout"))
        })),
        "vit_b_16" => boxed(vit_b_16_with(|o| o.image_size(64).representation_size(32))),
        "swin_t" => boxed(swin_t_with(|o| o.dropout(number("dropout")).attention_dropout(number("attention_dropout")))),
        "swin_v2_t" => boxed(swin_v2_t_with(|o| o.dropout(number("dropout")).num_classes(9))),
        other => panic!("no {other} of these keywords"),
    }
}
