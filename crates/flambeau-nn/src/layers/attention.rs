//! Attention of several heads.

use super::{Linear, Place, fast_path};
use crate::functional::{InProjection, MultiHead, canonical_mask};
use crate::{Arg, Forward, Keyed, Module, ModuleState, Parameter, init};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, Result, Tensor, options};
use flambeau_tensor::{DType, Device};
use std::sync::Arc;

options! {
    /// Options of [`MultiheadAttention`].
    #[derive(Clone)]
    MultiheadAttentionOptions {
        /// The probability with which a weight is dropped while training (0).
        dropout: f64 = 0.0,
        /// Whether the projections add a bias (true).
        bias: bool = true,
        /// Whether a learned key and value stand behind those given (false).
        add_bias_kv: bool = false,
        /// Whether a key and value of zeros stand behind those given (false).
        add_zero_attn: bool = false,
        /// The width of the keys (`None`: the queries').
        kdim: Option<i64> = None,
        /// The width of the values (`None`: the queries').
        vdim: Option<i64> = None,
        /// Whether inputs and outputs are `[n, l, e]`, not `[l, n, e]` (false).
        batch_first: bool = false,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
    }
}

options! {
    /// Keywords of a call of [`MultiheadAttention`].
    MultiheadAttentionKeywords {
        /// Which keys are padding, `[n, s]` or `[s]`: bools (true is ignored) or floats that are added to the scores (none).
        key_padding_mask: Option<Tensor> = None,
        /// Whether the weights are returned; without them less memory is used (true).
        need_weights: bool = true,
        /// Which keys each query does not see, `[l, s]` or `[n · heads, l, s]`: bools (true is ignored) or floats that are added to
        /// the scores (none).
        attn_mask: Option<Tensor> = None,
        /// Whether the weights are the mean over the heads, not each head's (true).
        average_attn_weights: bool = true,
        /// That `attn_mask` is causal, so that it need not be looked at (false).
        is_causal: bool = false,
    }
}

/// What [`MultiheadAttention`]'s `forward` takes: query, key and value, and keywords.
pub type MultiheadAttentionInput = Keyed<(Tensor, Tensor, Tensor), MultiheadAttentionKeywords>;

/// Attention of several heads (arXiv 1706.03762): `nn.MultiheadAttention(embed_dim, num_heads)`. Each head compares its part of
/// the projected queries with that of the keys, and sums the values by the softmax of the scores.
///
/// A call gives the output, of the queries' shape, and the weights, `[n, l, s]`, the mean over the heads, unless
/// `need_weights(false)`. Queries are `[l, n, e]`, keys and values `[s, n, …]`; with `batch_first` `[n, l, e]`; without a
/// batch `[l, e]`.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn as nn;
/// let attention = nn::MultiheadAttention::with(8, 2, |o| o.batch_first(true));
/// let (q, kv) = (randn([3, 5, 8]), randn([3, 7, 8]));
/// let (y, weights) = attention.call(&q, &kv, &kv);
/// assert_eq!((y.size(), weights.unwrap().size()), (q.size(), randn([3, 5, 7]).size()));
///
/// let mask = nn::Transformer::generate_square_subsequent_mask(5);
/// let (y, weights) = attention.call_with(&q, &q, &q, |o| o.attn_mask(&mask).is_causal(true).need_weights(false));
/// assert_eq!((y.size(), weights.is_none()), (q.size(), true));
/// ```
///
/// In evaluation without gradients PyTorch takes a "fast path" for self-attention of an even number of heads with `batch_first`,
/// in which a query that sees no key gives NaN; so does this layer.
#[derive(Module)]
pub struct MultiheadAttention {
    /// The width of queries and outputs.
    pub embed_dim: usize,
    /// The number of heads.
    pub num_heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// The width of the keys.
    pub kdim: usize,
    /// The width of the values.
    pub vdim: usize,
    /// The probability with which a weight is dropped while training.
    pub dropout: f64,
    /// Whether inputs and outputs are `[n, l, e]`.
    pub batch_first: bool,
    /// Whether a key and value of zeros stand behind those given.
    pub add_zero_attn: bool,
    /// The weights of queries, keys and values below each other, `[3 · e, e]`, where all have one width.
    pub in_proj_weight: Option<Parameter>,
    /// `[e, e]`, where widths differ.
    pub q_proj_weight: Option<Parameter>,
    /// `[e, kdim]`, where widths differ.
    pub k_proj_weight: Option<Parameter>,
    /// `[e, vdim]`, where widths differ.
    pub v_proj_weight: Option<Parameter>,
    /// `[3 · e]`.
    pub in_proj_bias: Option<Parameter>,
    /// The learned key, `[1, 1, e]`.
    pub bias_k: Option<Parameter>,
    /// The learned value, `[1, 1, e]`.
    pub bias_v: Option<Parameter>,
    /// The projection of what the heads give.
    pub out_proj: Linear,
    state: ModuleState,
}

impl MultiheadAttention {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// When a number is not positive, or the heads do not divide the width.
    #[track_caller]
    pub fn new(embed_dim: impl Int, num_heads: impl Int) -> Self {
        Self::with(embed_dim, num_heads, |o| o)
    }

    /// With options: `dropout`, `bias`, `add_bias_kv`, `add_zero_attn`, `kdim`, `vdim`, `batch_first`, `dtype`, `device`.
    ///
    /// # Panics
    /// As [`MultiheadAttention::new`].
    #[track_caller]
    pub fn with(
        embed_dim: impl Int,
        num_heads: impl Int,
        options: impl FnOnce(MultiheadAttentionOptions) -> MultiheadAttentionOptions,
    ) -> Self {
        let (e, heads) = (embed_dim.to_i64(), num_heads.to_i64());
        assert!(
            e > 0 && heads > 0,
            "embed_dim and num_heads must be greater than 0, got embed_dim={e} and num_heads={heads} instead"
        );
        assert!(e % heads == 0, "embed_dim must be divisible by num_heads");
        let o = options(MultiheadAttentionOptions::default());
        let width = |n: Option<i64>| n.map_or(e as usize, |n| n.to_usize());
        let (kdim, vdim, e) = (width(o.kdim), width(o.vdim), e as usize);
        let place = Place::new(o.dtype, o.device);
        let weight = |shape: &[usize]| Parameter::new(place.zeros(shape));
        // The output projection draws its numbers first.
        let mut out_proj = Linear::with(e, e, |l| l.bias(o.bias).dtype(o.dtype).device(o.device));
        out_proj.name = "NonDynamicallyQuantizableLinear";
        let same = kdim == e && vdim == e;
        let attention = MultiheadAttention {
            embed_dim: e,
            num_heads: heads as usize,
            head_dim: e / heads as usize,
            kdim,
            vdim,
            dropout: o.dropout,
            batch_first: o.batch_first,
            add_zero_attn: o.add_zero_attn,
            in_proj_weight: same.then(|| weight(&[3 * e, e])),
            q_proj_weight: (!same).then(|| weight(&[e, e])),
            k_proj_weight: (!same).then(|| weight(&[e, kdim])),
            v_proj_weight: (!same).then(|| weight(&[e, vdim])),
            in_proj_bias: o.bias.then(|| weight(&[3 * e])),
            bias_k: o.add_bias_kv.then(|| weight(&[1, 1, e])),
            bias_v: o.add_bias_kv.then(|| weight(&[1, 1, e])),
            out_proj,
            state: ModuleState::new(),
        };
        let a = &attention;
        for weight in [&a.in_proj_weight, &a.q_proj_weight, &a.k_proj_weight, &a.v_proj_weight].into_iter().flatten() {
            init::xavier_uniform_(weight);
        }
        if let Some(bias) = &a.out_proj.bias {
            init::zeros_(bias);
        }
        for bias in [&a.bias_k, &a.bias_v].into_iter().flatten() {
            init::xavier_normal_(bias);
        }
        attention
    }

    /// Python's `attention(query, key, value)`: the output, and the weights.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call(
        &self,
        query: impl Arg<Tensor>,
        key: impl Arg<Tensor>,
        value: impl Arg<Tensor>,
    ) -> (Tensor, Option<Tensor>) {
        self.call_with(query, key, value, |o| o)
    }

    /// [`MultiheadAttention::call`] with keywords: `key_padding_mask`, `need_weights`, `attn_mask`, `average_attn_weights`,
    /// `is_causal`.
    ///
    /// # Panics
    /// As [`MultiheadAttention::call`], and when masks do not fit.
    #[track_caller]
    pub fn call_with(
        &self,
        query: impl Arg<Tensor>,
        key: impl Arg<Tensor>,
        value: impl Arg<Tensor>,
        keywords: impl FnOnce(MultiheadAttentionKeywords) -> MultiheadAttentionKeywords,
    ) -> (Tensor, Option<Tensor>) {
        let keywords = Arc::new(keywords(MultiheadAttentionKeywords::default()));
        self.call_ref(((query.arg(), key.arg(), value.arg()), &keywords))
    }

    /// Whether queries, keys and values have one width, and so one weight.
    pub(super) fn same_widths(&self) -> bool {
        self.in_proj_weight.is_some()
    }

    /// The parameters of both projections.
    pub(super) fn projections(&self) -> [Option<&Tensor>; 4] {
        let weight = self.in_proj_weight.as_deref();
        [weight, self.in_proj_bias.as_deref(), Some(&self.out_proj.weight), self.out_proj.bias.as_deref()]
    }

    /// Whether PyTorch takes its fast path.
    fn is_fast(&self, [q, k, v]: [&Tensor; 3], keywords: &MultiheadAttentionKeywords) -> bool {
        let (Some(weight), Some(bias)) = (&self.in_proj_weight, &self.in_proj_bias) else { return false };
        let masks = [keywords.attn_mask.as_ref(), keywords.key_padding_mask.as_ref()];
        !self.state.training()
            && fast_path::is_open()
            && !masks.into_iter().any(fast_path::is_float)
            && q.dim() == 3
            && q.is_same(k)
            && k.is_same(v)
            && q.dtype() == bias.dtype()
            && q.dtype() == weight.dtype()
            && self.num_heads.is_multiple_of(2)
            && self.batch_first
            && self.bias_k.is_none()
            && self.bias_v.is_none()
            && !self.add_zero_attn
            && !fast_path::records(self.projections().into_iter().chain([Some(q)]))
    }

    #[track_caller]
    fn attend(&self, inputs: [&Tensor; 3], keywords: &MultiheadAttentionKeywords) -> Result<(Tensor, Option<Tensor>)> {
        let dtype = inputs[0].dtype();
        let other = keywords.attn_mask.as_ref().map(|mask| ("attn_mask", mask.dtype()));
        let padding = canonical_mask(keywords.key_padding_mask.as_ref(), "key_padding_mask", other, dtype)?;
        let mask = canonical_mask(keywords.attn_mask.as_ref(), "attn_mask", None, dtype)?;
        let (mask, padding) = (mask.as_ref(), padding.as_ref());
        if self.is_fast(inputs, keywords) {
            let hidden = fast_path::Hidden::merge(mask, padding, inputs[0], self.num_heads)?;
            let weights = (keywords.need_weights, keywords.average_attn_weights);
            return fast_path::attend(self, inputs[0], hidden.as_ref(), weights);
        }
        let separate = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight];
        MultiHead {
            inputs,
            batch_first: self.batch_first,
            embed_dim: self.embed_dim,
            heads: self.num_heads,
            weights: match self.same_widths() {
                true => InProjection::Packed(self.in_proj_weight.as_deref()),
                false => InProjection::Separate(separate.map(Option::as_deref)),
            },
            in_proj_bias: self.in_proj_bias.as_deref(),
            bias_kv: [self.bias_k.as_deref(), self.bias_v.as_deref()],
            add_zero_attn: self.add_zero_attn,
            dropout_p: if self.state.training() { self.dropout } else { 0.0 },
            out_proj: (&self.out_proj.weight, self.out_proj.bias.as_deref()),
            key_padding_mask: padding,
            need_weights: keywords.need_weights,
            attn_mask: mask,
            static_kv: [None, None],
            average_attn_weights: keywords.average_attn_weights,
            is_causal: keywords.is_causal,
        }
        .run()
    }
}

impl Forward<MultiheadAttentionInput, (Tensor, Option<Tensor>)> for MultiheadAttention {
    #[track_caller]
    fn forward(
        &self,
        ((query, key, value), keywords): ((&Tensor, &Tensor, &Tensor), &Arc<MultiheadAttentionKeywords>),
    ) -> (Tensor, Option<Tensor>) {
        self.attend([query, key, value], keywords).or_panic()
    }
}
