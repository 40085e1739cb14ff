//! Swin transformers (Liu and others, 2021) and their second version (2021): attention within windows, which every other layer shifts.

use super::init::{draw, keep, truncated, xavier};
use super::options::{Weights, constructors, model_options, same_keys};
use super::window_attention::{Version, WindowAttention};
use crate::ops::{MLP, Permute, StochasticDepth};
use flambeau_autograd::Tensor;
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Module, forward};

model_options! {
    /// Options of [`SwinTransformer`].
    SwinTransformerOptions {
        /// The factor from the embedding's width to that of the hidden layers (4.0).
        mlp_ratio: f64 = 4.0,
        /// The share of zeroed elements behind attention and layers (0.0).
        dropout: f64 = 0.0,
        /// The share of zeroed attention weights (0.0).
        attention_dropout: f64 = 0.0,
    }
}

/// What networks of this family differ in.
struct Config {
    version: Version,
    width: usize,
    depths: [usize; 4],
    heads: [usize; 4],
    skip: f64,
}

const SMALL_HEADS: [usize; 4] = [3, 6, 12, 24];
const BASE_HEADS: [usize; 4] = [4, 8, 16, 32];

const fn tiny(version: Version) -> Config {
    Config { version, width: 96, depths: [2, 2, 6, 2], heads: SMALL_HEADS, skip: 0.2 }
}

const fn small(version: Version) -> Config {
    Config { version, width: 96, depths: [2, 2, 18, 2], heads: SMALL_HEADS, skip: 0.3 }
}

const fn base(version: Version) -> Config {
    Config { version, width: 128, depths: [2, 2, 18, 2], heads: BASE_HEADS, skip: 0.5 }
}

constructors! {
    SwinTransformer, SwinTransformerOptions;
    /// The tiny Swin transformer: `torchvision.models.swin_t()`.
    swin_t, swin_t_with = tiny(Version::First);
    /// The small Swin transformer: `torchvision.models.swin_s()`.
    swin_s, swin_s_with = small(Version::First);
    /// The base Swin transformer: `torchvision.models.swin_b()`.
    swin_b, swin_b_with = base(Version::First);
    /// The tiny Swin transformer v2: `torchvision.models.swin_v2_t()`.
    swin_v2_t, swin_v2_t_with = tiny(Version::Second);
    /// The small Swin transformer v2: `torchvision.models.swin_v2_s()`.
    swin_v2_s, swin_v2_s_with = small(Version::Second);
    /// The base Swin transformer v2: `torchvision.models.swin_v2_b()`.
    swin_v2_b, swin_v2_b_with = base(Version::Second);
}

/// Four stages of attention within windows, each on half the height and width of the one before.
#[derive(Module)]
pub struct SwinTransformer {
    /// From patches to tokens, and the stages.
    pub features: nn::Sequential,
    /// The last normalisation.
    pub norm: nn::LayerNorm,
    /// Channels first again.
    pub permute: Permute,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// To `[n, channels]`.
    pub flatten: nn::Flatten,
    /// From features to classes.
    pub head: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl SwinTransformer {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.permute.call(self.norm.call(self.features.call(x)));
        self.head.call(self.flatten.call(self.avgpool.call(x)))
    }
}

/// Four neighbours of `[n, height, width, channels]` as one token of twice the channels.
#[derive(Module)]
#[module(type_name)]
pub struct PatchMerging {
    version: Version,
    /// From four times the channels to twice.
    pub reduction: nn::Linear,
    /// Before it, or behind it in the second version.
    pub norm: nn::LayerNorm,
    state: nn::ModuleState,
}

impl PatchMerging {
    #[track_caller]
    fn new(dim: usize, version: Version) -> Self {
        let normed = match version {
            Version::First => 4 * dim,
            Version::Second => 2 * dim,
        };
        PatchMerging {
            version,
            reduction: nn::Linear::with(4 * dim, 2 * dim, |o| o.bias(false)),
            norm: nn::LayerNorm::new(normed),
            state: nn::ModuleState::new(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.version {
            Version::First => "PatchMerging",
            Version::Second => "PatchMergingV2",
        }
    }
}

/// The tokens of even and odd rows and columns behind each other, zeros where there is no neighbour.
#[track_caller]
fn neighbours(x: &Tensor) -> Tensor {
    let [n, height, width, channels] = x.sizes::<[usize; 4]>();
    let x = F::pad(x, [0, 0, 0, (width % 2) as i64, 0, (height % 2) as i64]);
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    // Rows of four are (0, 0), (1, 0), (0, 1), (1, 1): the row's parity runs first.
    let parts = x.reshape((n, rows, 2, columns, 2, channels)).permute([0, 1, 3, 4, 2, 5]);
    parts.reshape((n, rows, columns, 4 * channels))
}

#[forward]
impl PatchMerging {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = neighbours(x);
        match self.version {
            Version::First => self.reduction.call(self.norm.call(x)),
            Version::Second => self.norm.call(self.reduction.call(x)),
        }
    }
}

/// Attention within windows and a perceptron, normalised before, or behind in the second version; the input is added to each.
#[derive(Module)]
#[module(type_name)]
pub struct SwinTransformerBlock {
    version: Version,
    /// Of the attention.
    pub norm1: nn::LayerNorm,
    /// The attention.
    pub attn: WindowAttention,
    /// What skips samples.
    pub stochastic_depth: StochasticDepth,
    /// Of the perceptron.
    pub norm2: nn::LayerNorm,
    /// The perceptron.
    pub mlp: MLP,
    state: nn::ModuleState,
}

impl SwinTransformerBlock {
    fn type_name(&self) -> &'static str {
        match self.version {
            Version::First => "SwinTransformerBlock",
            Version::Second => "SwinTransformerBlockV2",
        }
    }
}

#[forward]
impl SwinTransformerBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match self.version {
            Version::First => {
                let x = x.add(self.stochastic_depth.call(self.attn.call(self.norm1.call(x))));
                x.add(self.stochastic_depth.call(self.mlp.call(self.norm2.call(&x))))
            }
            Version::Second => {
                let x = x.add(self.stochastic_depth.call(self.norm1.call(self.attn.call(x))));
                x.add(self.stochastic_depth.call(self.norm2.call(self.mlp.call(&x))))
            }
        }
    }
}

impl Config {
    fn options(&self) -> SwinTransformerOptions {
        SwinTransformerOptions::default()
    }

    #[track_caller]
    fn block<W>(
        &self,
        o: &SwinTransformerOptions<W>,
        dim: usize,
        heads: usize,
        shifted: bool,
        skip: f64,
    ) -> SwinTransformerBlock {
        let norm1 = nn::LayerNorm::new(dim);
        let dropouts = (o.attention_dropout, o.dropout);
        let attn = WindowAttention::new(self.version, dim, heads, shifted, dropouts);
        let stochastic_depth = StochasticDepth::new(skip, "row");
        let norm2 = nn::LayerNorm::new(dim);
        let hidden = (dim as f64 * o.mlp_ratio) as usize;
        let mlp = MLP::with(dim, &[hidden, dim], |m| m.activation_layer(|_| nn::GELU::new()).dropout(o.dropout));
        draw(&mlp, keep, xavier);
        let state = nn::ModuleState::new();
        SwinTransformerBlock { version: self.version, norm1, attn, stochastic_depth, norm2, mlp, state }
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: SwinTransformerOptions<W>) -> W::Made<SwinTransformer> {
        let mut features = nn::sequential![nn::sequential![
            nn::Conv2d::with(3, self.width, 4, |o| o.stride(4)),
            Permute::new([0, 2, 3, 1]),
            nn::LayerNorm::new(self.width),
        ]];
        let total: usize = self.depths.iter().sum();
        let (mut done, mut dim) = (0, self.width);
        for (i, (&depth, &heads)) in self.depths.iter().zip(&self.heads).enumerate() {
            if i > 0 {
                features.push(PatchMerging::new(dim, self.version));
                dim *= 2;
            }
            let mut stage = nn::Sequential::default();
            for k in 0..depth {
                let skip = self.skip * done as f64 / (total - 1) as f64;
                stage.push(self.block(&o, dim, heads, k % 2 == 1, skip));
                done += 1;
            }
            features.push(stage);
        }
        let model = SwinTransformer {
            features,
            norm: nn::LayerNorm::new(dim),
            permute: Permute::new([0, 3, 1, 2]),
            avgpool: nn::AdaptiveAvgPool2d::new(1),
            flatten: nn::Flatten::new(),
            head: nn::Linear::new(dim, o.num_classes),
            state: nn::ModuleState::new(),
        };
        draw(&model, keep, truncated);
        o.weights.give(model, same_keys, |_| {})
    }
}
