//! Batch normalisation that neither learns nor counts.

use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Tensor, ones, options, zeros};
use flambeau_nn::{Buffer, Module, ModuleState, StateDictHooks, forward};
use flambeau_tensor::print::py_float;

options! {
    /// Options of [`FrozenBatchNorm2d`].
    #[derive(Clone)]
    FrozenBatchNormOptions {
        /// What is added to the variance (1e-5).
        eps: f64 = 1e-5,
    }
}

/// Batch normalisation whose statistics, scale and shift are fixed buffers: `torchvision.ops.FrozenBatchNorm2d(num_features)`.
///
/// ```
/// use torch::nn::Module;
/// use torch::vision::ops::FrozenBatchNorm2d;
/// let norm = FrozenBatchNorm2d::with(2, |o| o.eps(0.0));
/// assert!(norm.parameters().is_empty());
/// let x = torch::ones([1, 2, 3, 3]);
/// assert!(norm.call(&x).equal(&x));
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct FrozenBatchNorm2d {
    /// The scale, `[channels]`.
    pub weight: Buffer,
    /// The shift, `[channels]`.
    pub bias: Buffer,
    /// `[channels]`.
    pub running_mean: Buffer,
    /// `[channels]`.
    pub running_var: Buffer,
    options: FrozenBatchNormOptions,
    state: ModuleState,
}

impl FrozenBatchNorm2d {
    /// Of so many channels, with a mean of 0, a variance of 1 and an eps of 1e-5.
    #[track_caller]
    pub fn new(num_features: impl Int) -> Self {
        Self::with(num_features, |o| o)
    }

    /// With options: `eps`.
    #[track_caller]
    pub fn with(
        num_features: impl Int,
        options: impl FnOnce(FrozenBatchNormOptions) -> FrozenBatchNormOptions,
    ) -> Self {
        let n = num_features.to_usize();
        let norm = FrozenBatchNorm2d {
            weight: Buffer::new(ones(n)),
            bias: Buffer::new(zeros(n)),
            running_mean: Buffer::new(zeros(n)),
            running_var: Buffer::new(ones(n)),
            options: options(FrozenBatchNormOptions::default()),
            state: ModuleState::new(),
        };
        // A state dict of a `BatchNorm2d` fits, which also counts batches.
        norm.register_load_state_dict_pre_hook(|_, state, progress| {
            state.remove(&format!("{}num_batches_tracked", progress.prefix));
        });
        norm
    }

    fn extra_repr(&self) -> String {
        format!("{}, eps={}", self.weight.len(), py_float(self.options.eps))
    }
}

#[forward]
impl FrozenBatchNorm2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let each = |buffer: &Buffer| buffer.reshape((1, -1, 1, 1));
        let scale = each(&self.weight).mul(each(&self.running_var).add(self.options.eps).rsqrt());
        let bias = each(&self.bias).sub(each(&self.running_mean).mul(&scale));
        x.mul(&scale).add(bias)
    }
}
