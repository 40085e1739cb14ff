//! The layers of transformers.

use super::fast_path::{self, Hidden};
use super::{Dropout, LayerNorm, Linear, MultiheadAttention, TransformerActivation, TransformerLayerOptions};
use crate::functional::canonical_mask;
use crate::module::on_calls;
use crate::{Arg, Forward, Keyed, Module, ModuleState};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, Result, Tensor, ops, options};
use std::sync::Arc;

#[track_caller]
fn linear(inputs: usize, outputs: usize, o: &TransformerLayerOptions) -> Linear {
    Linear::with(inputs, outputs, |l| l.bias(o.bias).dtype(o.dtype).device(o.device))
}

#[track_caller]
pub(super) fn norm(width: usize, o: &TransformerLayerOptions) -> LayerNorm {
    LayerNorm::with(width, |l| l.eps(o.layer_norm_eps).bias(o.bias).dtype(o.dtype).device(o.device))
}

#[track_caller]
fn attention(width: usize, heads: i64, o: &TransformerLayerOptions) -> MultiheadAttention {
    MultiheadAttention::with(width, heads, |a| {
        let a = a.dropout(o.dropout.to_f64()).bias(o.bias).batch_first(o.batch_first);
        a.dtype(o.dtype).device(o.device)
    })
}

options! {
    /// Keywords of a call of [`TransformerEncoderLayer`].
    TransformerEncoderLayerKeywords {
        /// Which positions each position does not see, as `attn_mask` of [`MultiheadAttention`] (none).
        src_mask: Option<Tensor> = None,
        /// Which positions are padding, `[n, l]` or `[l]` (none).
        src_key_padding_mask: Option<Tensor> = None,
        /// That `src_mask` is causal (false).
        is_causal: bool = false,
    }
}

/// What [`TransformerEncoderLayer`]'s `forward` takes: the sequence, and keywords.
pub type TransformerEncoderLayerInput = Keyed<Tensor, TransformerEncoderLayerKeywords>;

/// Self-attention and two linear layers, each around a skip connection with a layer norm (arXiv 1706.03762):
/// `nn.TransformerEncoderLayer(d_model, nhead)`. The sequence is `[l, n, d_model]`; with `batch_first` `[n, l, d_model]`;
/// without a batch `[l, d_model]`.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn as nn;
/// let layer = nn::TransformerEncoderLayer::with(8, 2, |o| o.dim_feedforward(16).activation("gelu").batch_first(true));
/// let x = randn([3, 5, 8]);
/// assert_eq!(layer.call(&x).size(), x.size());
/// let mask = nn::Transformer::generate_square_subsequent_mask(5);
/// assert_eq!(layer.call_with(&x, |o| o.src_mask(&mask).is_causal(true)).size(), x.size());
/// ```
///
/// As in PyTorch, evaluation without gradients takes a "fast path" where it can (see [`MultiheadAttention`]), in which each mask is
/// one of bools: a float other than 0 hides a position.
#[derive(Module)]
pub struct TransformerEncoderLayer {
    /// Attention of the sequence to itself.
    pub self_attn: MultiheadAttention,
    /// The first linear layer.
    pub linear1: Linear,
    /// Between the linear layers.
    pub dropout: Dropout,
    /// The second linear layer.
    pub linear2: Linear,
    /// Whether each block begins with its layer norm.
    pub norm_first: bool,
    /// Around the attention.
    pub norm1: LayerNorm,
    /// Around the linear layers.
    pub norm2: LayerNorm,
    /// After the attention.
    pub dropout1: Dropout,
    /// After the linear layers.
    pub dropout2: Dropout,
    /// Between the linear layers.
    pub activation: TransformerActivation,
    state: ModuleState,
}

impl TransformerEncoderLayer {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// When the heads do not divide the width.
    #[track_caller]
    pub fn new(d_model: impl Int, nhead: impl Int) -> Self {
        Self::with(d_model, nhead, |o| o)
    }

    /// With options: `dim_feedforward`, `dropout`, `activation`, `layer_norm_eps`, `batch_first`, `norm_first`, `bias`, `dtype`,
    /// `device`.
    ///
    /// # Panics
    /// As [`TransformerEncoderLayer::new`].
    #[track_caller]
    pub fn with(
        d_model: impl Int,
        nhead: impl Int,
        options: impl FnOnce(TransformerLayerOptions) -> TransformerLayerOptions,
    ) -> Self {
        Self::of(d_model.to_usize(), nhead.to_i64(), options(TransformerLayerOptions::default()))
    }

    #[track_caller]
    pub(super) fn of(width: usize, heads: i64, o: TransformerLayerOptions) -> Self {
        let inner = o.dim_feedforward;
        TransformerEncoderLayer {
            self_attn: attention(width, heads, &o),
            linear1: linear(width, inner, &o),
            dropout: Dropout::new(o.dropout),
            linear2: linear(inner, width, &o),
            norm_first: o.norm_first,
            norm1: norm(width, &o),
            norm2: norm(width, &o),
            dropout1: Dropout::new(o.dropout),
            dropout2: Dropout::new(o.dropout),
            activation: o.activation,
            state: ModuleState::new(),
        }
    }

    /// Python's `layer(src)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call(&self, src: impl Arg<Tensor>) -> Tensor {
        self.call_with(src, |o| o)
    }

    /// [`TransformerEncoderLayer::call`] with keywords: `src_mask`, `src_key_padding_mask`, `is_causal`.
    ///
    /// # Panics
    /// As [`TransformerEncoderLayer::call`], and when masks do not fit.
    #[track_caller]
    pub fn call_with(
        &self,
        src: impl Arg<Tensor>,
        keywords: impl FnOnce(TransformerEncoderLayerKeywords) -> TransformerEncoderLayerKeywords,
    ) -> Tensor {
        let keywords = Arc::new(keywords(TransformerEncoderLayerKeywords::default()));
        self.call_ref((src.arg(), &keywords))
    }

    /// Why PyTorch's encoder does not take nested tensors for layers like this one, if so.
    pub(super) fn why_not_nested(&self) -> Option<&'static str> {
        let attention = &self.self_attn;
        match () {
            () if self.norm_first => Some("encoder_layer.norm_first was True"),
            () if !attention.batch_first => Some(
                "encoder_layer.self_attn.batch_first was not True(use batch_first for better inference performance)",
            ),
            () if !attention.same_widths() => Some("encoder_layer.self_attn._qkv_same_embed_dim was not True"),
            () if attention.in_proj_bias.is_none() => Some("encoder_layer.self_attn was passed bias=False"),
            () if self.activation.fast().is_none() => Some("encoder_layer.activation_relu_or_gelu was not True"),
            () if self.norm1.eps() != self.norm2.eps() => {
                Some("encoder_layer.norm1.eps was not equal to encoder_layer.norm2.eps")
            }
            () if attention.num_heads % 2 == 1 => Some("encoder_layer.self_attn.num_heads is odd"),
            () => None,
        }
    }

    /// The parameters that the fast path reads.
    pub(super) fn fast_parameters(&self) -> impl Iterator<Item = Option<&Tensor>> {
        let norms = [&self.norm1, &self.norm2].map(|n| [n.weight.as_deref(), n.bias.as_deref()]);
        let linears = [&self.linear1, &self.linear2].map(|l| [Some(&*l.weight), l.bias.as_deref()]);
        let own = norms.into_iter().chain(linears).flatten();
        self.self_attn.projections().into_iter().chain(own)
    }

    /// Whether PyTorch takes its fast path, and then whether the activation is GELU.
    fn fast(&self, src: &Tensor) -> Option<bool> {
        let attention = &self.self_attn;
        let fast = !self.state.training()
            && fast_path::is_open()
            && src.dim() == 3
            && attention.batch_first
            && attention.in_proj_bias.is_some()
            && attention.same_widths()
            && self.norm1.eps() == self.norm2.eps()
            && attention.num_heads.is_multiple_of(2);
        let gelu = fast.then(|| self.activation.fast()).flatten()?;
        let slow = fast_path::records(self.fast_parameters().chain([Some(src)])) || on_calls(self);
        (!slow).then_some(gelu)
    }

    /// `torch._transformer_encoder_layer_fwd`.
    fn run_fast(&self, src: &Tensor, gelu: bool, hidden: Option<&Hidden>) -> Result<Tensor> {
        let linear = |l: &Linear, x: &Tensor| ops::linear(x, &l.weight, l.bias.as_deref());
        let normed = |n: &LayerNorm, x: &Tensor| n.normalize(x);
        let attend = |x: &Tensor| fast_path::attend(&self.self_attn, x, hidden, (false, true)).map(|(x, _)| x);
        let feed = |x: &Tensor| {
            let x = linear(&self.linear1, x)?;
            linear(&self.linear2, &if gelu { ops::gelu(&x, false)? } else { ops::relu(&x)? })
        };
        // PyTorch adds in place to what attention and the feed-forward part give, which autocast may have made less wide.
        let add = |x: &Tensor, to: Tensor| ops::to_dtype(&ops::add(x, &to, 1)?, to.dtype());
        match self.norm_first {
            true => {
                let x = add(src, attend(&normed(&self.norm1, src)?)?)?;
                add(&x, feed(&normed(&self.norm2, &x)?)?)
            }
            false => {
                let x = normed(&self.norm1, &add(src, attend(src)?)?)?;
                normed(&self.norm2, &add(&x, feed(&x)?)?)
            }
        }
    }
}

impl Forward<TransformerEncoderLayerInput> for TransformerEncoderLayer {
    #[track_caller]
    fn forward(&self, (src, keywords): (&Tensor, &Arc<TransformerEncoderLayerKeywords>)) -> Tensor {
        let (mask, dtype) = (keywords.src_mask.as_ref(), src.dtype());
        let padding = keywords.src_key_padding_mask.as_ref();
        let other = mask.map(|mask| ("src_mask", mask.dtype()));
        let padding = canonical_mask(padding, "src_key_padding_mask", other, dtype).or_panic();
        let mask = canonical_mask(mask, "src_mask", None, dtype).or_panic();
        if let Some(gelu) = self.fast(src) {
            let heads = self.self_attn.num_heads;
            let hidden = Hidden::merge(mask.as_ref(), padding.as_ref(), src, heads).or_panic();
            return self.run_fast(src, gelu, hidden.as_ref()).or_panic();
        }
        let attention = |x: &Tensor| {
            let out = self.self_attn.call_with(x, x, x, |o| {
                o.attn_mask(&mask).key_padding_mask(&padding).need_weights(false).is_causal(keywords.is_causal)
            });
            self.dropout1.call(out.0)
        };
        let feed = |x: &Tensor| {
            let x = self.activation.apply(&self.linear1.call(x));
            self.dropout2.call(self.linear2.call(self.dropout.call(x)))
        };
        match self.norm_first {
            true => {
                let x = src + attention(&self.norm1.call(src));
                &x + feed(&self.norm2.call(&x))
            }
            false => {
                let x = self.norm1.call(src + attention(src));
                self.norm2.call(&x + feed(&x))
            }
        }
    }
}

options! {
    /// Keywords of a call of [`TransformerDecoderLayer`].
    TransformerDecoderLayerKeywords {
        /// Which positions of the target each of its positions does not see, as `attn_mask` of [`MultiheadAttention`] (none).
        tgt_mask: Option<Tensor> = None,
        /// Which positions of the memory each position of the target does not see (none).
        memory_mask: Option<Tensor> = None,
        /// Which positions of the target are padding, `[n, l]` or `[l]` (none).
        tgt_key_padding_mask: Option<Tensor> = None,
        /// Which positions of the memory are padding, `[n, s]` or `[s]` (none).
        memory_key_padding_mask: Option<Tensor> = None,
        /// That `tgt_mask` is causal (false).
        tgt_is_causal: bool = false,
        /// That `memory_mask` is causal (false).
        memory_is_causal: bool = false,
    }
}

/// What [`TransformerDecoderLayer`]'s `forward` takes: target and memory, and keywords.
pub type TransformerDecoderLayerInput = Keyed<(Tensor, Tensor), TransformerDecoderLayerKeywords>;

/// Self-attention, attention to the encoder's output and two linear layers, each around a skip connection with a layer norm
/// (arXiv 1706.03762): `nn.TransformerDecoderLayer(d_model, nhead)`. The target is `[l, n, d_model]`, the memory
/// `[s, n, d_model]`; with `batch_first` the batch comes first; without a batch it is left out.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn as nn;
/// let layer = nn::TransformerDecoderLayer::with(8, 2, |o| o.dim_feedforward(16));
/// let (tgt, memory) = (randn([5, 3, 8]), randn([7, 3, 8]));
/// let mask = nn::Transformer::generate_square_subsequent_mask(5);
/// assert_eq!(layer.call(&tgt, &memory).size(), tgt.size());
/// assert_eq!(layer.call_with(&tgt, &memory, |o| o.tgt_mask(&mask).tgt_is_causal(true)).size(), tgt.size());
/// ```
#[derive(Module)]
pub struct TransformerDecoderLayer {
    /// Attention of the target to itself.
    pub self_attn: MultiheadAttention,
    /// Attention of the target to the memory.
    pub multihead_attn: MultiheadAttention,
    /// The first linear layer.
    pub linear1: Linear,
    /// Between the linear layers.
    pub dropout: Dropout,
    /// The second linear layer.
    pub linear2: Linear,
    /// Whether each block begins with its layer norm.
    pub norm_first: bool,
    /// Around the attention to itself.
    pub norm1: LayerNorm,
    /// Around the attention to the memory.
    pub norm2: LayerNorm,
    /// Around the linear layers.
    pub norm3: LayerNorm,
    /// After the attention to itself.
    pub dropout1: Dropout,
    /// After the attention to the memory.
    pub dropout2: Dropout,
    /// After the linear layers.
    pub dropout3: Dropout,
    /// Between the linear layers.
    pub activation: TransformerActivation,
    state: ModuleState,
}

impl TransformerDecoderLayer {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// When the heads do not divide the width.
    #[track_caller]
    pub fn new(d_model: impl Int, nhead: impl Int) -> Self {
        Self::with(d_model, nhead, |o| o)
    }

    /// With options: `dim_feedforward`, `dropout`, `activation`, `layer_norm_eps`, `batch_first`, `norm_first`, `bias`, `dtype`,
    /// `device`.
    ///
    /// # Panics
    /// As [`TransformerDecoderLayer::new`].
    #[track_caller]
    pub fn with(
        d_model: impl Int,
        nhead: impl Int,
        options: impl FnOnce(TransformerLayerOptions) -> TransformerLayerOptions,
    ) -> Self {
        Self::of(d_model.to_usize(), nhead.to_i64(), options(TransformerLayerOptions::default()))
    }

    #[track_caller]
    pub(super) fn of(width: usize, heads: i64, o: TransformerLayerOptions) -> Self {
        let inner = o.dim_feedforward;
        TransformerDecoderLayer {
            self_attn: attention(width, heads, &o),
            multihead_attn: attention(width, heads, &o),
            linear1: linear(width, inner, &o),
            dropout: Dropout::new(o.dropout),
            linear2: linear(inner, width, &o),
            norm_first: o.norm_first,
            norm1: norm(width, &o),
            norm2: norm(width, &o),
            norm3: norm(width, &o),
            dropout1: Dropout::new(o.dropout),
            dropout2: Dropout::new(o.dropout),
            dropout3: Dropout::new(o.dropout),
            activation: o.activation,
            state: ModuleState::new(),
        }
    }

    /// Python's `layer(tgt, memory)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call(&self, tgt: impl Arg<Tensor>, memory: impl Arg<Tensor>) -> Tensor {
        self.call_with(tgt, memory, |o| o)
    }

    /// [`TransformerDecoderLayer::call`] with keywords: `tgt_mask`, `memory_mask`, `tgt_key_padding_mask`,
    /// `memory_key_padding_mask`, `tgt_is_causal`, `memory_is_causal`.
    ///
    /// # Panics
    /// As [`TransformerDecoderLayer::call`], and when masks do not fit.
    #[track_caller]
    pub fn call_with(
        &self,
        tgt: impl Arg<Tensor>,
        memory: impl Arg<Tensor>,
        keywords: impl FnOnce(TransformerDecoderLayerKeywords) -> TransformerDecoderLayerKeywords,
    ) -> Tensor {
        let keywords = Arc::new(keywords(TransformerDecoderLayerKeywords::default()));
        self.call_ref(((tgt.arg(), memory.arg()), &keywords))
    }
}

impl Forward<TransformerDecoderLayerInput> for TransformerDecoderLayer {
    #[track_caller]
    fn forward(
        &self,
        ((tgt, memory), keywords): ((&Tensor, &Tensor), &Arc<TransformerDecoderLayerKeywords>),
    ) -> Tensor {
        let own = |x: &Tensor| {
            let out = self.self_attn.call_with(x, x, x, |o| {
                o.attn_mask(&keywords.tgt_mask)
                    .key_padding_mask(&keywords.tgt_key_padding_mask)
                    .is_causal(keywords.tgt_is_causal)
                    .need_weights(false)
            });
            self.dropout1.call(out.0)
        };
        let of_memory = |x: &Tensor| {
            let out = self.multihead_attn.call_with(x, memory, memory, |o| {
                o.attn_mask(&keywords.memory_mask)
                    .key_padding_mask(&keywords.memory_key_padding_mask)
                    .is_causal(keywords.memory_is_causal)
                    .need_weights(false)
            });
            self.dropout2.call(out.0)
        };
        let feed = |x: &Tensor| {
            let x = self.activation.apply(&self.linear1.call(x));
            self.dropout3.call(self.linear2.call(self.dropout.call(x)))
        };
        match self.norm_first {
            true => {
                let x = tgt + own(&self.norm1.call(tgt));
                let x = &x + of_memory(&self.norm2.call(&x));
                &x + feed(&self.norm3.call(&x))
            }
            false => {
                let x = self.norm1.call(tgt + own(tgt));
                let x = self.norm2.call(&x + of_memory(&x));
                self.norm3.call(&x + feed(&x))
            }
        }
    }
}
