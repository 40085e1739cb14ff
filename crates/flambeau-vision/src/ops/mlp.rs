//! Multi-layer perceptrons, and dimensions in another order.

use super::{ActivationLayer, NormLayer, activation_layer, norm_layer, relu};
use crate::sequential::{SequentialKind, SequentialOf};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::IntoDims;
use flambeau_autograd::{Setting, Tensor};
use flambeau_nn::{self as nn, Forward, Module, ModuleState, forward};

/// Options of [`MLP`].
pub struct MLPOptions {
    norm_layer: Option<NormLayer>,
    activation_layer: ActivationLayer,
    inplace: Option<bool>,
    bias: bool,
    dropout: f64,
}

impl MLPOptions {
    /// What makes the normalisation behind each hidden layer (none).
    #[must_use]
    pub fn norm_layer<M: Forward>(mut self, norm: impl Fn(usize) -> M + Send + Sync + 'static) -> Self {
        self.norm_layer = Some(norm_layer(norm));
        self
    }

    /// What makes the activation behind each hidden layer, given whether it may write to its input ([`nn::ReLU`]).
    #[must_use]
    pub fn activation_layer<M: Forward>(mut self, activation: impl Fn(bool) -> M + Send + Sync + 'static) -> Self {
        self.activation_layer = activation_layer(activation);
        self
    }

    /// Whether activations and dropouts write to their input (what they do by themselves: false).
    #[must_use]
    pub fn inplace(mut self, inplace: bool) -> Self {
        self.inplace = Some(inplace);
        self
    }

    /// Whether the linear layers have a bias (true).
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The share of zeroed elements behind each layer (0.0).
    #[must_use]
    #[track_caller]
    pub fn dropout(mut self, dropout: impl Setting<f64>) -> Self {
        self.dropout = dropout.setting();
        self
    }
}

/// The kind of an [`MLP`].
pub struct MLPKind;
impl SequentialKind for MLPKind {
    const NAME: &'static str = "MLP";
}

/// Linear layers with activations and dropouts: `torchvision.ops.MLP(in_channels, hidden_channels)`.
///
/// ```
/// use torch::nn;
/// use torch::vision::ops::MLP;
/// let mlp = MLP::with(4, &[8, 2], |o| o.activation_layer(|_| nn::GELU::new()).dropout(0.1));
/// assert_eq!(mlp.call(torch::ones([3, 4])).size(), [3, 2]);
/// ```
pub type MLP = SequentialOf<MLPKind>;

impl MLP {
    /// With [`nn::ReLU`] and a dropout of 0.
    ///
    /// # Panics
    /// When there are no hidden channels.
    #[track_caller]
    pub fn new(in_channels: impl Int, hidden_channels: &[usize]) -> Self {
        Self::with(in_channels, hidden_channels, |o| o)
    }

    /// With options: `norm_layer`, `activation_layer`, `inplace`, `bias`, `dropout`.
    ///
    /// # Panics
    /// When there are no hidden channels, or the dropout is no probability.
    #[track_caller]
    pub fn with(
        in_channels: impl Int,
        hidden_channels: &[usize],
        options: impl FnOnce(MLPOptions) -> MLPOptions,
    ) -> Self {
        Self::of(mlp_layers(in_channels.to_usize(), hidden_channels, options))
    }
}

/// The layers of an [`MLP`].
#[track_caller]
pub(crate) fn mlp_layers(
    in_channels: usize,
    hidden_channels: &[usize],
    options: impl FnOnce(MLPOptions) -> MLPOptions,
) -> nn::Sequential {
    let o = options(MLPOptions { norm_layer: None, activation_layer: relu(), inplace: None, bias: true, dropout: 0.0 });
    let inplace = o.inplace.unwrap_or(false);
    let (&last, hidden) = hidden_channels.split_last().expect("list index out of range");
    let dropout = || nn::Dropout::with(o.dropout, |d| d.inplace(inplace));
    let mut layers = nn::Sequential::default();
    let mut width = in_channels;
    for &next in hidden {
        layers.push(nn::Linear::with(width, next, |l| l.bias(o.bias)));
        if let Some(norm) = &o.norm_layer {
            layers.push(norm(next));
        }
        layers.push((o.activation_layer)(inplace));
        layers.push(dropout());
        width = next;
    }
    layers.push(nn::Linear::with(width, last, |l| l.bias(o.bias)));
    layers.push(dropout());
    layers
}

/// The dimensions in another order: `torchvision.ops.Permute(dims)`.
///
/// ```
/// use torch::vision::ops::Permute;
/// let last = Permute::new([0, 2, 3, 1]);
/// assert_eq!(last.call(torch::ones([1, 2, 3, 4])).size(), [1, 3, 4, 2]);
/// ```
#[derive(Module)]
pub struct Permute {
    /// The input's dimension for each of the output's.
    pub dims: Vec<i64>,
    state: ModuleState,
}

impl Permute {
    /// The input's dimension for each of the output's.
    #[track_caller]
    pub fn new(dims: impl IntoDims) -> Self {
        Permute { dims: dims.into_dims().to_vec(), state: ModuleState::new() }
    }
}

#[forward]
impl Permute {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.permute(&self.dims[..])
    }
}
