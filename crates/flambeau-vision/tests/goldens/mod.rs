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
nets!(AlexNet, VGG, ResNet, SqueezeNet, DenseNet, MobileNetV2, MobileNetV3, ShuffleNetV2);

impl Net for GoogLeNet {
    fn outputs(&self, x: &Tensor) -> Vec<Tensor> {
        let y = self.call(x);
        [Some(y.logits), y.aux_logits2, y.aux_logits1].into_iter().flatten().collect()
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
            shufflenet_v2_x1_5 shufflenet_v2_x2_0);
    }
    match name {
        "resnet50" => boxed(models::resnet50_with(|o| {
            o.zero_init_residual(true).replace_stride_with_dilation([false, true, true]).num_classes(7)
        })),
        "vgg11_bn" => boxed(models::vgg11_bn_with(|o| o.num_classes(10).dropout(number("dropout")))),
        "densenet121" => boxed(models::densenet121_with(|o| {
            o.drop_rate(number("drop_rate")).memory_efficient(true).num_classes(5)
        })),
        "googlenet" => boxed(models::googlenet_with(|o| {
            o.aux_logits(flag("aux_logits")).transform_input(flag("transform_input"))
        })),
        "mobilenet_v2" => boxed(models::mobilenet_v2_with(|o| {
            o.width_mult(number("width_mult")).dropout(number("dropout"))
        })),
        "mobilenet_v3_large" => boxed(models::mobilenet_v3_large_with(|o| {
            o.reduced_tail(true).dilated(true).width_mult(number("width_mult"))
        })),
        other => panic!("no {other} of these keywords"),
    }
}
