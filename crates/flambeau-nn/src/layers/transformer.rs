//! The transformer.

use super::transformer_stacks::causal_mask;
use super::{
    SubsequentMaskOptions, TransformerDecoder, TransformerDecoderInput, TransformerDecoderKeywords, TransformerEncoder,
    TransformerEncoderInput, TransformerEncoderKeywords, TransformerOptions,
};
use crate::{Arg, Forward, Keyed, Module, ModuleState, init};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, Tensor, options};
use flambeau_device::default_device;
use flambeau_tensor::default_dtype;
use std::sync::Arc;

options! {
    /// Keywords of a call of [`Transformer`].
    TransformerKeywords {
        /// Which positions of the source each of its positions does not see, as `attn_mask` of
        /// [`MultiheadAttention`](super::MultiheadAttention) (none).
        src_mask: Option<Tensor> = None,
        /// Which positions of the target each of its positions does not see (none).
        tgt_mask: Option<Tensor> = None,
        /// Which positions of the source each position of the target does not see (none).
        memory_mask: Option<Tensor> = None,
        /// Which positions of the source are padding to the encoder, `[n, s]` or `[s]` (none).
        src_key_padding_mask: Option<Tensor> = None,
        /// Which positions of the target are padding, `[n, l]` or `[l]` (none).
        tgt_key_padding_mask: Option<Tensor> = None,
        /// Which positions of the source are padding to the decoder, `[n, s]` or `[s]` (none).
        memory_key_padding_mask: Option<Tensor> = None,
        /// Whether `src_mask` is causal (`None`: found by looking at it).
        src_is_causal: Option<bool> = None,
        /// Whether `tgt_mask` is causal (`None`: found by looking at it).
        tgt_is_causal: Option<bool> = None,
        /// That `memory_mask` is causal (false).
        memory_is_causal: bool = false,
    }
}

/// What [`Transformer`]'s `forward` takes: source and target, and keywords.
pub type TransformerInput = Keyed<(Tensor, Tensor), TransformerKeywords>;

/// An encoder and a decoder (arXiv 1706.03762): `nn.Transformer(d_model, nhead, …)`. Source and target are `[l, n, d_model]`;
/// with `batch_first` `[n, l, d_model]`; without a batch `[l, d_model]`.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn as nn;
/// let model = nn::Transformer::with(|o| {
///     o.d_model(8).nhead(2).num_encoder_layers(1).num_decoder_layers(1).dim_feedforward(16)
/// });
/// let (src, tgt) = (randn([7, 3, 8]), randn([5, 3, 8]));
/// let mask = nn::Transformer::generate_square_subsequent_mask(5);
/// assert_eq!(model.call_with(&src, &tgt, |o| o.tgt_mask(&mask)).size(), tgt.size());
/// ```
///
/// Other encoders and decoders (`custom_encoder`, `custom_decoder`) are modules that are called alike: a [`Forward`] of
/// [`TransformerEncoderInput`] or [`TransformerDecoderInput`].
#[derive(Module)]
pub struct Transformer<
    E: Forward<TransformerEncoderInput> = TransformerEncoder,
    D: Forward<TransformerDecoderInput> = TransformerDecoder,
> {
    /// The encoder.
    pub encoder: E,
    /// The decoder.
    pub decoder: D,
    /// The width of the sequences.
    pub d_model: usize,
    /// The number of heads.
    pub nhead: usize,
    /// Whether inputs and outputs are `[n, l, e]`.
    pub batch_first: bool,
    state: ModuleState,
}

impl Default for Transformer {
    fn default() -> Self {
        Self::new()
    }
}

impl Transformer {
    /// With PyTorch's defaults: 6 layers each of width 512, with 8 heads.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `d_model`, `nhead`, `num_encoder_layers`, `num_decoder_layers`, `dim_feedforward`, `dropout`, `activation`,
    /// `custom_encoder`, `custom_decoder`, `layer_norm_eps`, `batch_first`, `norm_first`, `bias`, `dtype`, `device`. Each matrix
    /// is drawn by [`init::xavier_uniform_`] at the end, those of custom parts too.
    ///
    /// # Panics
    /// When the heads do not divide the width.
    #[track_caller]
    pub fn with<E: Forward<TransformerEncoderInput>, D: Forward<TransformerDecoderInput>>(
        options: impl FnOnce(TransformerOptions) -> TransformerOptions<E, D>,
    ) -> Transformer<E, D> {
        let (encoder, decoder, o) = options(TransformerOptions::default()).build();
        let transformer = Transformer {
            encoder,
            decoder,
            d_model: o.whole.d_model,
            nhead: o.whole.nhead as usize,
            batch_first: o.batch_first,
            state: ModuleState::new(),
        };
        for parameter in transformer.parameters().iter().filter(|p| p.dim() > 1) {
            init::xavier_uniform_(parameter);
        }
        transformer
    }

    /// A mask of floats that hides what comes later, −∞ above the diagonal, else 0:
    /// `nn.Transformer.generate_square_subsequent_mask(sz)`.
    ///
    /// ```
    /// let mask = flambeau_nn::Transformer::generate_square_subsequent_mask(2);
    /// assert_eq!(mask.to_vec::<f32>(), [0.0, f32::NEG_INFINITY, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn generate_square_subsequent_mask(sz: impl Int) -> Tensor {
        Self::generate_square_subsequent_mask_with(sz, |o| o)
    }

    /// [`Transformer::generate_square_subsequent_mask`] with options: `dtype`, `device`.
    #[track_caller]
    pub fn generate_square_subsequent_mask_with(
        sz: impl Int,
        options: impl FnOnce(SubsequentMaskOptions) -> SubsequentMaskOptions,
    ) -> Tensor {
        let o = options(SubsequentMaskOptions::default());
        let (dtype, device) = (o.dtype.unwrap_or_else(default_dtype), o.device.unwrap_or_else(default_device));
        causal_mask(sz.to_usize(), dtype, device).or_panic()
    }
}

impl<E: Forward<TransformerEncoderInput>, D: Forward<TransformerDecoderInput>> Transformer<E, D> {
    /// Python's `transformer(src, tgt)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call(&self, src: impl Arg<Tensor>, tgt: impl Arg<Tensor>) -> Tensor {
        self.call_with(src, tgt, |o| o)
    }

    /// [`Transformer::call`] with keywords: `src_mask`, `tgt_mask`, `memory_mask`, `src_key_padding_mask`,
    /// `tgt_key_padding_mask`, `memory_key_padding_mask`, `src_is_causal`, `tgt_is_causal`, `memory_is_causal`.
    ///
    /// # Panics
    /// As [`Transformer::call`], and when masks do not fit.
    #[track_caller]
    pub fn call_with(
        &self,
        src: impl Arg<Tensor>,
        tgt: impl Arg<Tensor>,
        keywords: impl FnOnce(TransformerKeywords) -> TransformerKeywords,
    ) -> Tensor {
        let keywords = Arc::new(keywords(TransformerKeywords::default()));
        self.call_ref(((src.arg(), tgt.arg()), &keywords))
    }
}

impl<E: Forward<TransformerEncoderInput>, D: Forward<TransformerDecoderInput>> Forward<TransformerInput>
    for Transformer<E, D>
{
    #[track_caller]
    fn forward(&self, ((src, tgt), k): ((&Tensor, &Tensor), &Arc<TransformerKeywords>)) -> Tensor {
        let batch = usize::from(!self.batch_first);
        let same_batch = src.size_dim(batch) == tgt.size_dim(batch) || src.dim() != 3;
        assert!(same_batch, "the batch number of src and tgt must be equal");
        assert!(
            src.size_dim(-1) == self.d_model && tgt.size_dim(-1) == self.d_model,
            "the feature number of src and tgt must be equal to d_model"
        );
        let keywords = TransformerEncoderKeywords::default()
            .mask(&k.src_mask)
            .src_key_padding_mask(&k.src_key_padding_mask)
            .is_causal(k.src_is_causal);
        let memory = self.encoder.call_ref((src, &Arc::new(keywords)));
        let keywords = TransformerDecoderKeywords::default()
            .tgt_mask(&k.tgt_mask)
            .memory_mask(&k.memory_mask)
            .tgt_key_padding_mask(&k.tgt_key_padding_mask)
            .memory_key_padding_mask(&k.memory_key_padding_mask)
            .tgt_is_causal(k.tgt_is_causal)
            .memory_is_causal(k.memory_is_causal);
        self.decoder.call_ref(((tgt, &memory), &Arc::new(keywords)))
    }
}
