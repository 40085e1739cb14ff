//! Cross-entropy of a linear map's outputs.

use crate::layers::{py_bool, py_tuple};
use crate::{Buffer, Linear, Module, ModuleState, forward};
use flambeau_autograd::arguments::Int;
pub use flambeau_autograd::ops::LinearCrossEntropyOptions;
use flambeau_autograd::ops::{LinearCrossEntropyFunctionOptions, Reduction, Sizes};
use flambeau_autograd::{OrPanic, Tensor, ops, options};
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`LinearCrossEntropyLoss`].
    #[derive(Clone)]
    LinearCrossEntropyLossOptions {
        /// The further dimensions of a loss of several dimensions (none).
        out_features: Sizes = Sizes::new(),
        /// Whether a bias is added to the logits (false).
        bias: bool = false,
        /// The device of the linear map (the default device).
        device: Option<Device> = None,
        /// The dtype of the linear map (the default dtype).
        dtype: Option<DType> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// The class that counts for nothing; not for targets of probabilities (−100).
        ignore_index: Option<i64> = None,
        /// The part of a target's probability that all classes share, in [0, 1] (0).
        label_smoothing: f64 = 0.0,
        /// How to go through the batch in parts (not at all).
        options: Option<LinearCrossEntropyOptions> = None,
    }
}

/// [`CrossEntropyLoss`](super::CrossEntropyLoss) of the outputs of a linear map from features to classes, which it holds:
/// `nn.LinearCrossEntropyLoss(in_features, num_classes)`. With `options` the outputs of all samples are never there at once.
///
/// ```
/// use flambeau_autograd::{arange, randn};
/// use flambeau_nn as nn;
/// let head = nn::LinearCrossEntropyLoss::with(8, 1000, |o| o.options(nn::LinearCrossEntropyOptions::new()));
/// let x = randn([64, 8]).requires_grad_(true);
/// head.call(&x, arange(64)).backward();
/// assert_eq!(head.linear.weight.grad().unwrap().size(), [1000, 8]);
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct LinearCrossEntropyLoss {
    num_classes: usize,
    out_features: Vec<usize>,
    weight: Option<Buffer>,
    /// The linear map, to all classes of all further dimensions.
    pub linear: Linear,
    reduction: Reduction,
    ignore_index: Option<i64>,
    label_smoothing: f64,
    options: Option<LinearCrossEntropyOptions>,
    state: ModuleState,
}

impl LinearCrossEntropyLoss {
    /// With PyTorch's defaults.
    #[track_caller]
    pub fn new(in_features: impl Int, num_classes: impl Int) -> Self {
        Self::with(in_features, num_classes, |o| o)
    }

    /// With options: `out_features`, `bias`, `device`, `dtype`, `reduction`, `weight`, `ignore_index`, `label_smoothing`,
    /// `options`.
    ///
    /// # Panics
    /// When there is not one weight for each class, `label_smoothing` is outside [0, 1], or `options` are none of PyTorch's.
    #[track_caller]
    pub fn with(
        in_features: impl Int,
        num_classes: impl Int,
        options: impl FnOnce(LinearCrossEntropyLossOptions) -> LinearCrossEntropyLossOptions,
    ) -> Self {
        let num_classes = num_classes.to_usize();
        let o = options(LinearCrossEntropyLossOptions::default());
        if let Some(options) = &o.options {
            options.check().or_panic();
        }
        if let Some(weight) = o.weight.as_ref().filter(|weight| *weight.size() != [num_classes]) {
            panic!("expected weight shape to be ({num_classes},), got {}", py_tuple(&weight.size()));
        }
        assert!(
            (0.0..=1.0).contains(&o.label_smoothing),
            "expected label_smoothing to be in range [0, 1], got {}",
            py_float(o.label_smoothing)
        );
        let mut out_features = Vec::new();
        for n in &o.out_features {
            out_features.push(n.to_usize());
        }
        let outputs = out_features.iter().product::<usize>() * num_classes;
        let linear = Linear::with(in_features, outputs, |l| l.bias(o.bias).dtype(o.dtype).device(o.device));
        LinearCrossEntropyLoss {
            num_classes,
            out_features,
            weight: o.weight.as_ref().map(Buffer::new),
            linear,
            reduction: o.reduction,
            ignore_index: o.ignore_index,
            label_smoothing: o.label_smoothing,
            options: o.options,
            state: ModuleState::new(),
        }
    }

    fn extra_repr(&self) -> String {
        let outer = if self.out_features.is_empty() { "()".to_owned() } else { py_tuple(&self.out_features) };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "None".to_owned());
        format!(
            "in_features={}, num_classes={}, out_features={outer}, bias={}, reduction={}, ignore_index={}, label_smoothing={}, \
             options={}",
            self.linear.in_features,
            self.num_classes,
            py_bool(self.linear.bias.is_some()),
            self.reduction,
            or_none(self.ignore_index.map(|i| i.to_string())),
            py_float(self.label_smoothing),
            or_none(self.options.as_ref().map(ToString::to_string))
        )
    }
}

#[forward]
impl LinearCrossEntropyLoss {
    /// The loss of `input` `[n, in_features]` against classes `[n, …]` or probabilities `[n, classes, …]`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's message.
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        let mut shape = vec![self.num_classes as i64];
        shape.extend(self.out_features.iter().map(|&n| n as i64));
        let linear_bias = self.linear.bias.as_ref().map(|bias| ops::reshape(bias, &shape).or_panic());
        shape.push(self.linear.in_features as i64);
        let linear_weight = ops::reshape(&self.linear.weight, &shape).or_panic();
        let options = LinearCrossEntropyFunctionOptions {
            linear_bias,
            weight: self.weight.as_ref().map(|weight| weight.shallow_clone()),
            reduction: self.reduction,
            ignore_index: self.ignore_index,
            label_smoothing: self.label_smoothing,
            options: self.options.clone(),
        };
        ops::linear_cross_entropy(input, &linear_weight, target, &options).or_panic()
    }
}
