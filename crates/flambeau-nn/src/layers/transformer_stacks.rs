//! Stacks of transformer layers.

use super::transformer_layers::norm;
use super::transformer_options::Sizes;
use super::{
    ModuleList, TransformerDecoderLayer, TransformerDecoderLayerInput, TransformerDecoderLayerKeywords,
    TransformerEncoderLayer, TransformerEncoderLayerInput, TransformerEncoderLayerKeywords, TransformerLayerOptions,
    containers, fast_path,
};
use crate::functional::canonical_mask;
use crate::{Arg, Forward, Keyed, Module, ModuleState};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Error, OrPanic, Result, Tensor, ops, options, warn};
use flambeau_tensor::{DType, Device};
use std::any::Any;
use std::sync::Arc;

/// A layer of a [`TransformerEncoder`]: [`TransformerEncoderLayer`], or a module of yours that is called alike.
pub trait EncoderLayer: Forward<TransformerEncoderLayerInput> {
    /// Whether sequences are `[n, l, e]`: Python's `layer.self_attn.batch_first`.
    fn batch_first(&self) -> bool;
}

impl EncoderLayer for TransformerEncoderLayer {
    fn batch_first(&self) -> bool {
        self.self_attn.batch_first
    }
}

/// A layer of a [`TransformerDecoder`]: [`TransformerDecoderLayer`], or a module of yours that is called alike.
pub trait DecoderLayer: Forward<TransformerDecoderLayerInput> {
    /// Whether sequences are `[n, l, e]`: Python's `layer.self_attn.batch_first`.
    fn batch_first(&self) -> bool;
}

impl DecoderLayer for TransformerDecoderLayer {
    fn batch_first(&self) -> bool {
        self.self_attn.batch_first
    }
}

/// The layer that a stack is made of: by reference, or a layer of the library itself. The stack holds copies.
pub trait LayerArg {
    /// The layer's type.
    type Layer;

    /// The layer.
    fn layer(&self) -> &Self::Layer;
}

impl<L> LayerArg for &L {
    type Layer = L;
    fn layer(&self) -> &L {
        self
    }
}

impl LayerArg for TransformerEncoderLayer {
    type Layer = Self;
    fn layer(&self) -> &Self {
        self
    }
}

impl LayerArg for TransformerDecoderLayer {
    type Layer = Self;
    fn layer(&self) -> &Self {
        self
    }
}

/// Deep copies of a layer: `_get_clones`.
#[track_caller]
fn clones<L: Module>(layer: &L, n: usize) -> ModuleList<L> {
    let mut list = ModuleList::default();
    for _ in 0..n {
        list.push(layer.deepcopy());
    }
    list
}

/// The length of a sequence.
#[track_caller]
fn length(x: &Tensor, batch_first: bool) -> usize {
    let (size, at) = (x.size(), usize::from(x.dim() != 2 && batch_first));
    assert!(at < size.len(), "tuple index out of range");
    size[at]
}

/// Whether a mask is causal: as `hint` says, or by a look at it: `_detect_is_causal_mask`.
fn is_causal(mask: Option<&Tensor>, hint: Option<bool>, length: usize) -> Result<bool> {
    let (None, Some(mask)) = (hint, mask) else { return Ok(hint == Some(true)) };
    if mask.size() != [length, length] {
        return Ok(false);
    }
    let causal = causal_mask(length, mask.dtype(), mask.device())?;
    Ok(ops::all(&ops::eq(mask, &causal)?, None, false)?.array().item()?.to_bool())
}

/// −∞ above the diagonal, else 0; true and false as bools.
pub(super) fn causal_mask(length: usize, dtype: DType, device: Device) -> Result<Tensor> {
    let full = match dtype {
        DType::Bool => ops::ones(&[length, length], dtype, device)?,
        _ => ops::full(&[length, length], f64::NEG_INFINITY, dtype, device)?,
    };
    ops::triu(&full, 1)
}

/// Options of [`TransformerEncoder`].
pub struct TransformerEncoderOptions {
    norm: Option<Box<dyn Forward>>,
    enable_nested_tensor: bool,
    mask_check: bool,
}

impl Default for TransformerEncoderOptions {
    fn default() -> Self {
        TransformerEncoderOptions { norm: None, enable_nested_tensor: true, mask_check: true }
    }
}

impl TransformerEncoderOptions {
    /// A module after the last layer (none).
    #[must_use]
    pub fn norm(mut self, norm: impl Forward) -> Self {
        self.norm = Some(containers::boxed(norm));
        self
    }

    /// Whether, in evaluation and without gradients, outputs at padding are zeros, as PyTorch's are where it computes on nested
    /// tensors (true).
    #[must_use]
    pub fn enable_nested_tensor(mut self, enable_nested_tensor: bool) -> Self {
        self.enable_nested_tensor = enable_nested_tensor;
        self
    }

    /// Whether that depends on padding standing only at the end of each sequence; otherwise padding is taken to be there (true).
    #[must_use]
    pub fn mask_check(mut self, mask_check: bool) -> Self {
        self.mask_check = mask_check;
        self
    }
}

options! {
    /// Keywords of a call of [`TransformerEncoder`].
    TransformerEncoderKeywords {
        /// Which positions each position does not see, as `attn_mask` of [`MultiheadAttention`](super::MultiheadAttention) (none).
        mask: Option<Tensor> = None,
        /// Which positions are padding, `[n, l]` or `[l]` (none).
        src_key_padding_mask: Option<Tensor> = None,
        /// Whether `mask` is causal (`None`: found by looking at it).
        is_causal: Option<bool> = None,
    }
}

/// What [`TransformerEncoder`]'s `forward` takes: the sequence, and keywords.
pub type TransformerEncoderInput = Keyed<Tensor, TransformerEncoderKeywords>;

/// Encoder layers one after the other: `nn.TransformerEncoder(encoder_layer, num_layers)`. All are copies of the given one,
/// also of its numbers.
///
/// ```
/// use flambeau_autograd::{arange, randn};
/// use flambeau_nn as nn;
/// let layer = nn::TransformerEncoderLayer::with(8, 2, |o| o.dim_feedforward(16).batch_first(true));
/// let encoder = nn::TransformerEncoder::with(layer, 3, |o| o.norm(nn::LayerNorm::new(8)));
/// let x = randn([2, 5, 8]);
/// let padding = arange(5).ge(3).expand([2, 5]);
/// assert_eq!(encoder.call(&x).size(), x.size());
/// assert_eq!(encoder.call_with(&x, |o| o.src_key_padding_mask(&padding)).size(), x.size());
/// ```
#[derive(Module)]
pub struct TransformerEncoder<L: EncoderLayer = TransformerEncoderLayer> {
    /// The layers.
    pub layers: ModuleList<L>,
    /// After the last layer.
    pub norm: Option<Box<dyn Forward>>,
    /// The number of layers.
    pub num_layers: usize,
    /// Whether outputs at padding are zeros in evaluation and without gradients.
    pub use_nested_tensor: bool,
    /// Whether that depends on where padding stands.
    pub mask_check: bool,
    state: ModuleState,
}

impl TransformerEncoder {
    /// Copies of a layer, given or lent, without a norm.
    #[track_caller]
    pub fn new<A: LayerArg<Layer: EncoderLayer>>(
        encoder_layer: A,
        num_layers: impl Int,
    ) -> TransformerEncoder<A::Layer> {
        Self::with(encoder_layer, num_layers, |o| o)
    }

    /// With options: `norm`, `enable_nested_tensor`, `mask_check`.
    #[track_caller]
    pub fn with<A: LayerArg<Layer: EncoderLayer>>(
        encoder_layer: A,
        num_layers: impl Int,
        options: impl FnOnce(TransformerEncoderOptions) -> TransformerEncoderOptions,
    ) -> TransformerEncoder<A::Layer> {
        let (layer, o) = (encoder_layer.layer(), options(TransformerEncoderOptions::default()));
        let num_layers = num_layers.to_usize();
        let why_not = match (layer as &dyn Any).downcast_ref::<TransformerEncoderLayer>() {
            Some(layer) => layer.why_not_nested(),
            None => Some("encoder_layer was not TransformerEncoderLayer"),
        };
        if let (true, Some(why)) = (o.enable_nested_tensor, why_not) {
            warn(&format!("enable_nested_tensor is True, but self.use_nested_tensor is False because {why}"));
        }
        TransformerEncoder {
            layers: clones(layer, num_layers),
            norm: o.norm,
            num_layers,
            use_nested_tensor: o.enable_nested_tensor && why_not.is_none(),
            mask_check: o.mask_check,
            state: ModuleState::new(),
        }
    }

    /// The encoder that a [`Transformer`](super::Transformer) makes.
    #[track_caller]
    pub(super) fn of_transformer(o: &TransformerLayerOptions<Sizes>) -> Self {
        let layer = o.for_layer();
        let norm = norm(o.whole.d_model, &layer);
        let layer = TransformerEncoderLayer::of(o.whole.d_model, o.whole.nhead, layer);
        Self::with(layer, o.whole.encoder_layers, |o| o.norm(norm))
    }
}

impl<L: EncoderLayer> TransformerEncoder<L> {
    /// Python's `encoder(src)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call(&self, src: impl Arg<Tensor>) -> Tensor {
        self.call_with(src, |o| o)
    }

    /// [`TransformerEncoder::call`] with keywords: `mask`, `src_key_padding_mask`, `is_causal`.
    ///
    /// # Panics
    /// As [`TransformerEncoder::call`], and when masks do not fit.
    #[track_caller]
    pub fn call_with(
        &self,
        src: impl Arg<Tensor>,
        keywords: impl FnOnce(TransformerEncoderKeywords) -> TransformerEncoderKeywords,
    ) -> Tensor {
        let keywords = Arc::new(keywords(TransformerEncoderKeywords::default()));
        self.call_ref((src.arg(), &keywords))
    }

    /// Where a sequence is, as PyTorch's nested tensors hold it, `[n, l, 1]`; `None` where PyTorch makes none.
    fn nested(&self, src: &Tensor, mask: Option<&Tensor>, padding: Option<&Tensor>) -> Result<Option<Tensor>> {
        let first = (&self.layers[0] as &dyn Any).downcast_ref::<TransformerEncoderLayer>();
        let (Some(first), Some(padding)) = (first, padding) else { return Ok(None) };
        if !fast_path::get_fastpath_enabled() || !self.use_nested_tensor || first.training() || src.dim() != 3 {
            return Ok(None);
        }
        if padding.dim() != 2 {
            return Err(Error::runtime("Padding mask should be 2D"));
        }
        if padding.size()[..] != src.size()[..2] {
            return Err(Error::runtime("Mask size should match input size"));
        }
        // A float other than 0 is padding.
        let here = ops::eq(padding, 0)?;
        let counts = ops::sum(&here, &[1], true, Some(DType::I64))?;
        let l = padding.size()[1];
        let order = ops::arange(0.into(), (l as i64).into(), 1.into(), Some(DType::I64), src.device())?;
        let leading = ops::lt(&order, &counts)?;
        let is = |x: &Tensor| -> Result<bool> { Ok(x.array().item()?.to_bool()) };
        if self.mask_check && !is(&ops::all(&ops::eq(&here, &leading)?, None, false)?)? {
            return Ok(None);
        }
        if mask.is_some() || fast_path::records(first.fast_parameters().chain([Some(src)])) {
            return Ok(None);
        }
        if !is(&ops::any(&here, None, false)?)? {
            return Err(Error::runtime("to_padded_tensor: at least one constituent tensor should have non-zero numel"));
        }
        ops::unsqueeze(&leading, 2).map(Some)
    }
}

impl<L: EncoderLayer> Forward<TransformerEncoderInput> for TransformerEncoder<L> {
    #[track_caller]
    fn forward(&self, (src, keywords): (&Tensor, &Arc<TransformerEncoderKeywords>)) -> Tensor {
        let (mask, dtype) = (keywords.mask.as_ref(), src.dtype());
        let other = mask.map(|mask| ("mask", mask.dtype()));
        let padding = keywords.src_key_padding_mask.as_ref();
        let padding = canonical_mask(padding, "src_key_padding_mask", other, dtype).or_panic();
        let mask = canonical_mask(mask, "mask", None, dtype).or_panic();
        let length = length(src, self.layers[0].batch_first());
        let here = self.nested(src, mask.as_ref(), padding.as_ref()).or_panic();
        let is_causal = is_causal(mask.as_ref(), keywords.is_causal, length).or_panic();
        let of_layer = |here: &Tensor| canonical_mask(Some(&hidden(here)?), "src_key_padding_mask", None, dtype);
        let padding = here.as_ref().map_or(Ok(padding), of_layer).or_panic();
        let keywords = Arc::new(
            TransformerEncoderLayerKeywords::default()
                .src_mask(&mask)
                .src_key_padding_mask(&padding)
                .is_causal(is_causal),
        );
        let mut output = src.shallow_clone();
        for layer in &self.layers {
            output = layer.call_ref((&output, &keywords));
        }
        if let Some(here) = &here {
            output = ops::masked_fill(&output, &ops::logical_not(here).or_panic(), 0).or_panic();
        }
        match &self.norm {
            Some(norm) => norm.call_ref(&output),
            None => output,
        }
    }
}

/// The padding of `[n, l, 1]` sequences as `[n, l]`.
fn hidden(here: &Tensor) -> Result<Tensor> {
    ops::logical_not(&ops::squeeze(here, Some(&[2]))?)
}

/// Options of [`TransformerDecoder`].
#[derive(Default)]
pub struct TransformerDecoderOptions {
    norm: Option<Box<dyn Forward>>,
}

impl TransformerDecoderOptions {
    /// A module after the last layer (none).
    #[must_use]
    pub fn norm(mut self, norm: impl Forward) -> Self {
        self.norm = Some(containers::boxed(norm));
        self
    }
}

options! {
    /// Keywords of a call of [`TransformerDecoder`].
    TransformerDecoderKeywords {
        /// Which positions of the target each of its positions does not see, as `attn_mask` of
        /// [`MultiheadAttention`](super::MultiheadAttention) (none).
        tgt_mask: Option<Tensor> = None,
        /// Which positions of the memory each position of the target does not see (none).
        memory_mask: Option<Tensor> = None,
        /// Which positions of the target are padding, `[n, l]` or `[l]` (none).
        tgt_key_padding_mask: Option<Tensor> = None,
        /// Which positions of the memory are padding, `[n, s]` or `[s]` (none).
        memory_key_padding_mask: Option<Tensor> = None,
        /// Whether `tgt_mask` is causal (`None`: found by looking at it).
        tgt_is_causal: Option<bool> = None,
        /// That `memory_mask` is causal (false).
        memory_is_causal: bool = false,
    }
}

/// What [`TransformerDecoder`]'s `forward` takes: target and memory, and keywords.
pub type TransformerDecoderInput = Keyed<(Tensor, Tensor), TransformerDecoderKeywords>;

/// Decoder layers one after the other: `nn.TransformerDecoder(decoder_layer, num_layers)`. All are copies of the given one,
/// also of its numbers.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn as nn;
/// let layer = nn::TransformerDecoderLayer::with(8, 2, |o| o.dim_feedforward(16));
/// let decoder = nn::TransformerDecoder::new(layer, 2);
/// let (tgt, memory) = (randn([5, 3, 8]), randn([7, 3, 8]));
/// let mask = nn::Transformer::generate_square_subsequent_mask(5);
/// assert_eq!(decoder.call_with(&tgt, &memory, |o| o.tgt_mask(&mask)).size(), tgt.size());
/// ```
#[derive(Module)]
pub struct TransformerDecoder<L: DecoderLayer = TransformerDecoderLayer> {
    /// The layers.
    pub layers: ModuleList<L>,
    /// After the last layer.
    pub norm: Option<Box<dyn Forward>>,
    /// The number of layers.
    pub num_layers: usize,
    state: ModuleState,
}

impl TransformerDecoder {
    /// Copies of a layer, given or lent, without a norm.
    #[track_caller]
    pub fn new<A: LayerArg<Layer: DecoderLayer>>(
        decoder_layer: A,
        num_layers: impl Int,
    ) -> TransformerDecoder<A::Layer> {
        Self::with(decoder_layer, num_layers, |o| o)
    }

    /// With options: `norm`.
    #[track_caller]
    pub fn with<A: LayerArg<Layer: DecoderLayer>>(
        decoder_layer: A,
        num_layers: impl Int,
        options: impl FnOnce(TransformerDecoderOptions) -> TransformerDecoderOptions,
    ) -> TransformerDecoder<A::Layer> {
        let num_layers = num_layers.to_usize();
        let mut layers = clones(decoder_layer.layer(), num_layers);
        for layer in layers.iter_mut() {
            if let Some(layer) = (layer as &mut dyn Any).downcast_mut::<TransformerDecoderLayer>() {
                layer.activation = std::mem::take(&mut layer.activation).shadowed();
            }
        }
        TransformerDecoder {
            layers,
            norm: options(TransformerDecoderOptions::default()).norm,
            num_layers,
            state: ModuleState::new(),
        }
    }

    /// The decoder that a [`Transformer`](super::Transformer) makes.
    #[track_caller]
    pub(super) fn of_transformer(o: &TransformerLayerOptions<Sizes>) -> Self {
        let layer = o.for_layer();
        let norm = norm(o.whole.d_model, &layer);
        let layer = TransformerDecoderLayer::of(o.whole.d_model, o.whole.nhead, layer);
        Self::with(layer, o.whole.decoder_layers, |o| o.norm(norm))
    }
}

impl<L: DecoderLayer> TransformerDecoder<L> {
    /// Python's `decoder(tgt, memory)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call(&self, tgt: impl Arg<Tensor>, memory: impl Arg<Tensor>) -> Tensor {
        self.call_with(tgt, memory, |o| o)
    }

    /// [`TransformerDecoder::call`] with keywords: `tgt_mask`, `memory_mask`, `tgt_key_padding_mask`, `memory_key_padding_mask`,
    /// `tgt_is_causal`, `memory_is_causal`.
    ///
    /// # Panics
    /// As [`TransformerDecoder::call`], and when masks do not fit.
    #[track_caller]
    pub fn call_with(
        &self,
        tgt: impl Arg<Tensor>,
        memory: impl Arg<Tensor>,
        keywords: impl FnOnce(TransformerDecoderKeywords) -> TransformerDecoderKeywords,
    ) -> Tensor {
        let keywords = Arc::new(keywords(TransformerDecoderKeywords::default()));
        self.call_ref(((tgt.arg(), memory.arg()), &keywords))
    }
}

impl<L: DecoderLayer> Forward<TransformerDecoderInput> for TransformerDecoder<L> {
    #[track_caller]
    fn forward(&self, ((tgt, memory), keywords): ((&Tensor, &Tensor), &Arc<TransformerDecoderKeywords>)) -> Tensor {
        let length = length(tgt, self.layers[0].batch_first());
        let tgt_is_causal = is_causal(keywords.tgt_mask.as_ref(), keywords.tgt_is_causal, length).or_panic();
        let keywords = Arc::new(
            TransformerDecoderLayerKeywords::default()
                .tgt_mask(&keywords.tgt_mask)
                .memory_mask(&keywords.memory_mask)
                .tgt_key_padding_mask(&keywords.tgt_key_padding_mask)
                .memory_key_padding_mask(&keywords.memory_key_padding_mask)
                .tgt_is_causal(tgt_is_causal)
                .memory_is_causal(keywords.memory_is_causal),
        );
        let mut output = tgt.shallow_clone();
        for layer in &self.layers {
            output = layer.call_ref(((&output, memory), &keywords));
        }
        match &self.norm {
            Some(norm) => norm.call_ref(&output),
            None => output,
        }
    }
}

options! {
    /// Options of [`Transformer::generate_square_subsequent_mask_with`](super::Transformer::generate_square_subsequent_mask_with).
    SubsequentMaskOptions {
        /// The mask's dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The mask's device (the default device).
        device: Option<Device> = None,
    }
}
