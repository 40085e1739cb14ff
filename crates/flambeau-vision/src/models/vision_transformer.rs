//! Vision transformers (Dosovitskiy and others, 2020): an encoder over square patches.

use super::init::{draw, keep, xavier, zero};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::mlp_layers;
use crate::sequential::{SequentialKind, SequentialOf};
use flambeau_autograd::{Tensor, zeros};
use flambeau_nn::{self as nn, LoadProgress, Module, Parameter, StateDict, StateDictHooks, forward, init};

model_options! {
    /// Options of [`VisionTransformer`].
    VisionTransformerOptions {
        /// The height and width of images (224).
        image_size: usize = 224,
        /// The share of zeroed elements behind embedding, attention and layers (0.0).
        dropout: f64 = 0.0,
        /// The share of zeroed attention weights (0.0).
        attention_dropout: f64 = 0.0,
        /// The width of a hidden layer before the last (none).
        representation_size: Option<i64> = None,
    }
}

/// A patch's side, the number of layers, heads, the width of the embedding and of the hidden layers.
struct Config(usize, usize, usize, usize, usize);

constructors! {
    VisionTransformer, VisionTransformerOptions;
    /// The base transformer over patches of 16×16: `torchvision.models.vit_b_16()`.
    vit_b_16, vit_b_16_with = Config(16, 12, 12, 768, 3072);
    /// The base transformer over patches of 32×32: `torchvision.models.vit_b_32()`.
    vit_b_32, vit_b_32_with = Config(32, 12, 12, 768, 3072);
    /// The large transformer over patches of 16×16: `torchvision.models.vit_l_16()`.
    vit_l_16, vit_l_16_with = Config(16, 24, 16, 1024, 4096);
    /// The large transformer over patches of 32×32: `torchvision.models.vit_l_32()`.
    vit_l_32, vit_l_32_with = Config(32, 24, 16, 1024, 4096);
    /// The huge transformer over patches of 14×14: `torchvision.models.vit_h_14()`.
    vit_h_14, vit_h_14_with = Config(14, 32, 16, 1280, 5120);
}

/// Patches as tokens behind a token for the class, an encoder, and linear layers on what becomes of the class's token.
#[derive(Module)]
pub struct VisionTransformer {
    image_size: usize,
    /// The class's token, `[1, 1, width]`.
    pub class_token: Parameter,
    /// From patches to tokens.
    pub conv_proj: nn::Conv2d,
    /// The transformer.
    pub encoder: Encoder,
    /// The linear layers: `head`, behind `pre_logits` and `act` where there is a hidden one.
    pub heads: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl VisionTransformer {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let [n, _, height, width] = x.sizes::<[usize; 4]>();
        for (what, found) in [("height", height), ("width", width)] {
            let expected = self.image_size;
            assert!(found == expected, "Wrong image {what}! Expected {expected} but got {found}!");
        }
        let patches = self.conv_proj.call(x).flatten(2).permute([0, 2, 1]);
        let class = self.class_token.expand((n, -1, -1));
        let x = self.encoder.call(super::cat([class, patches]));
        self.heads.call(x.select(1, 0))
    }
}

/// Learned positions, layers, and a normalisation.
#[derive(Module)]
pub struct Encoder {
    /// What is added to each token, `[1, tokens, width]`.
    pub pos_embedding: Parameter,
    /// Behind the sum.
    pub dropout: nn::Dropout,
    /// The layers.
    pub layers: nn::Sequential,
    /// The last normalisation.
    pub ln: nn::LayerNorm,
    state: nn::ModuleState,
}

#[forward]
impl Encoder {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        check_tokens(x);
        let x = x.add(&self.pos_embedding);
        self.ln.call(self.layers.call(self.dropout.call(x)))
    }
}

/// Refuses what are no tokens.
#[track_caller]
fn check_tokens(x: &Tensor) {
    assert!(x.dim() == 3, "Expected (batch_size, seq_length, hidden_dim) got {}", x.size());
}

/// The kind of a layer's perceptron.
pub struct MLPBlockKind;
impl SequentialKind for MLPBlockKind {
    const NAME: &'static str = "MLPBlock";
    const VERSION: i64 = 2;
}

/// A layer's multi-layer perceptron.
pub type MLPBlock = SequentialOf<MLPBlockKind>;

/// Attention and a perceptron, normalised before, around each of which the input is added.
#[derive(Module)]
pub struct EncoderBlock {
    /// Before the attention.
    pub ln_1: nn::LayerNorm,
    /// The attention.
    pub self_attention: nn::MultiheadAttention,
    /// Behind the attention.
    pub dropout: nn::Dropout,
    /// Before the perceptron.
    pub ln_2: nn::LayerNorm,
    /// The perceptron.
    pub mlp: MLPBlock,
    state: nn::ModuleState,
}

#[forward]
impl EncoderBlock {
    #[track_caller]
    fn forward(&self, input: &Tensor) -> Tensor {
        check_tokens(input);
        let x = self.ln_1.call(input);
        let (x, _) = self.self_attention.call_with(&x, &x, &x, |o| o.need_weights(false));
        let x = self.dropout.call(x).add(input);
        let y = self.mlp.call(self.ln_2.call(&x));
        x.add(y)
    }
}

#[track_caller]
fn layer_norm(width: usize) -> nn::LayerNorm {
    nn::LayerNorm::with(width, |o| o.eps(1e-6))
}

impl Config {
    fn options(&self) -> VisionTransformerOptions {
        VisionTransformerOptions::default()
    }

    #[track_caller]
    fn layer<W>(&self, o: &VisionTransformerOptions<W>) -> EncoderBlock {
        let &Config(_, _, heads, width, hidden) = self;
        let ln_1 = layer_norm(width);
        let self_attention =
            nn::MultiheadAttention::with(width, heads, |a| a.dropout(o.attention_dropout).batch_first(true));
        let mlp = MLPBlock::of(mlp_layers(width, &[hidden, width], |m| {
            m.activation_layer(|_| nn::GELU::new()).dropout(o.dropout)
        }));
        draw(&mlp, keep, xavier);
        mlp.register_load_state_dict_pre_hook(|_, state, progress| numbered(state, progress));
        EncoderBlock {
            ln_1,
            self_attention,
            dropout: nn::Dropout::new(o.dropout),
            ln_2: layer_norm(width),
            mlp,
            state: nn::ModuleState::new(),
        }
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: VisionTransformerOptions<W>) -> W::Made<VisionTransformer> {
        let &Config(patch, layers, _, width, _) = self;
        assert!(o.image_size.is_multiple_of(patch), "Input shape indivisible by patch size!");
        let conv_proj = nn::Conv2d::with(3, width, patch, |c| c.stride(patch));
        let class_token = Parameter::new(zeros((1, 1, width)));
        let tokens = (o.image_size / patch).pow(2) + 1;
        let positions = zeros((1, tokens, width));
        init::normal_(&positions, 0.0, 0.02);
        let encoder = Encoder {
            pos_embedding: Parameter::new(positions),
            dropout: nn::Dropout::new(o.dropout),
            layers: nn::Sequential::named((0..layers).map(|i| {
                let layer: Box<dyn nn::Forward> = Box::new(self.layer(&o));
                (format!("encoder_layer_{i}"), layer)
            })),
            ln: layer_norm(width),
            state: nn::ModuleState::new(),
        };
        let (mut heads, mut features) = (nn::Sequential::default(), width);
        if let Some(size) = o.representation_size {
            heads.add_module("pre_logits", nn::Linear::new(width, size)).add_module("act", nn::Tanh::new());
            features = size as usize;
        }
        let head = nn::Linear::new(features, o.num_classes);
        let truncated = |weight: &Parameter, fan_in: usize| {
            init::trunc_normal_with_(weight, |t| t.std((1.0 / fan_in as f64).sqrt()));
        };
        truncated(&conv_proj.weight, 3 * patch * patch);
        zero(&conv_proj.bias);
        draw(&heads, keep, |hidden| {
            truncated(&hidden.weight, width);
            zero(&hidden.bias);
        });
        init::zeros_(&head.weight);
        zero(&head.bias);
        heads.add_module("head", head);
        let state = nn::ModuleState::new();
        let model = VisionTransformer { image_size: o.image_size, class_token, conv_proj, encoder, heads, state };
        o.weights.give(model, same_keys, |_| {})
    }
}

/// State dicts of the first version have `linear_1.weight` for `0.weight`.
fn numbered(state: &mut StateDict, progress: &LoadProgress<'_>) {
    if progress.version.is_some_and(|version| version >= 2) {
        return;
    }
    for (old, new) in [("linear_1", 0), ("linear_2", 3)] {
        for tensor in ["weight", "bias"] {
            if let Some(x) = state.remove(&format!("{}{old}.{tensor}", progress.prefix)) {
                state.insert(format!("{}{new}.{tensor}", progress.prefix), x);
            }
        }
    }
}
