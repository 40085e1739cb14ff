//! What transformers and their layers are made with.

use super::{GELU, ReLU, TransformerDecoder, TransformerEncoder};
use crate::functional as F;
use crate::{Field, FieldKind, Forward, Members, Memo, Slots};
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{OrPanic, Setting, Tensor, ops};
use flambeau_tensor::{DType, Device, Scalar};
use std::any::TypeId;
use std::borrow::Cow;
use std::sync::Arc;

/// Options of [`TransformerEncoderLayer`](super::TransformerEncoderLayer) and
/// [`TransformerDecoderLayer`](super::TransformerDecoderLayer); with those of the whole as `W`, of
/// [`Transformer`](super::Transformer).
pub struct TransformerLayerOptions<W = ()> {
    pub(super) dim_feedforward: usize,
    pub(super) dropout: Scalar,
    pub(super) activation: TransformerActivation,
    pub(super) layer_norm_eps: f64,
    pub(super) batch_first: bool,
    pub(super) norm_first: bool,
    pub(super) bias: bool,
    pub(super) dtype: Option<DType>,
    pub(super) device: Option<Device>,
    pub(super) whole: W,
}

impl<W: Default> Default for TransformerLayerOptions<W> {
    fn default() -> Self {
        Self::around(W::default())
    }
}

impl<W> TransformerLayerOptions<W> {
    /// PyTorch's defaults.
    fn around(whole: W) -> Self {
        TransformerLayerOptions {
            dim_feedforward: 2048,
            dropout: Scalar::Float(0.1),
            activation: TransformerActivation::ReLU,
            layer_norm_eps: 1e-5,
            batch_first: false,
            norm_first: false,
            bias: true,
            dtype: None,
            device: None,
            whole,
        }
    }

    /// The same options around others.
    fn replace<X>(self, replace: impl FnOnce(W) -> X) -> TransformerLayerOptions<X> {
        TransformerLayerOptions {
            dim_feedforward: self.dim_feedforward,
            dropout: self.dropout,
            activation: self.activation,
            layer_norm_eps: self.layer_norm_eps,
            batch_first: self.batch_first,
            norm_first: self.norm_first,
            bias: self.bias,
            dtype: self.dtype,
            device: self.device,
            whole: replace(self.whole),
        }
    }

    /// The options of one more layer, with an activation of its own.
    #[track_caller]
    pub(super) fn for_layer(&self) -> TransformerLayerOptions {
        TransformerLayerOptions {
            dim_feedforward: self.dim_feedforward,
            dropout: self.dropout,
            activation: self.activation.deepcopy_in(&mut Memo::default()),
            layer_norm_eps: self.layer_norm_eps,
            batch_first: self.batch_first,
            norm_first: self.norm_first,
            bias: self.bias,
            dtype: self.dtype,
            device: self.device,
            whole: (),
        }
    }

    /// The width between the two linear layers (2048).
    #[track_caller]
    #[must_use]
    pub fn dim_feedforward(mut self, dim_feedforward: impl Int) -> Self {
        self.dim_feedforward = dim_feedforward.to_usize();
        self
    }

    /// The probability of every dropout (0.1).
    #[must_use]
    pub fn dropout(mut self, dropout: impl Into<Scalar>) -> Self {
        self.dropout = dropout.into();
        self
    }

    /// The function between the two linear layers: `"relu"`, `"gelu"`, a function of a tensor such as `F::silu`, or a module
    /// (`"relu"`).
    #[track_caller]
    #[must_use]
    pub fn activation<By>(mut self, activation: impl IntoTransformerActivation<By>) -> Self {
        self.activation = activation.into_activation();
        self
    }

    /// What layer norms add to the variance (1e-5).
    #[must_use]
    pub fn layer_norm_eps(mut self, layer_norm_eps: impl Number) -> Self {
        self.layer_norm_eps = layer_norm_eps.to_f64();
        self
    }

    /// Whether inputs and outputs are `[n, l, e]`, not `[l, n, e]` (false).
    #[must_use]
    pub fn batch_first(mut self, batch_first: bool) -> Self {
        self.batch_first = batch_first;
        self
    }

    /// Whether each block begins with its layer norm, instead of ending with it (false).
    #[must_use]
    pub fn norm_first(mut self, norm_first: bool) -> Self {
        self.norm_first = norm_first;
        self
    }

    /// Whether linear layers and layer norms learn a bias (true).
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The parameters' dtype (the default dtype).
    #[must_use]
    pub fn dtype(mut self, dtype: impl Setting<Option<DType>>) -> Self {
        self.dtype = dtype.setting();
        self
    }

    /// The parameters' device (the default device).
    #[track_caller]
    #[must_use]
    pub fn device(mut self, device: impl Setting<Option<Device>>) -> Self {
        self.device = device.setting();
        self
    }
}

/// Options of [`Transformer`](super::Transformer) with an encoder `E` and a decoder `D`.
pub type TransformerOptions<E = TransformerEncoder, D = TransformerDecoder> = TransformerLayerOptions<Whole<E, D>>;

/// Makes an encoder or decoder of a transformer.
type Make<M> = Box<dyn FnOnce(&TransformerLayerOptions<Sizes>) -> M>;

/// The sizes of a transformer.
pub(super) struct Sizes {
    pub d_model: usize,
    pub nhead: i64,
    pub encoder_layers: usize,
    pub decoder_layers: usize,
}

/// What a transformer's options have besides those of its layers.
pub struct Whole<E, D> {
    sizes: Sizes,
    encoder: Make<E>,
    decoder: Make<D>,
}

impl Default for Whole<TransformerEncoder, TransformerDecoder> {
    fn default() -> Self {
        Whole {
            sizes: Sizes { d_model: 512, nhead: 8, encoder_layers: 6, decoder_layers: 6 },
            encoder: Box::new(TransformerEncoder::of_transformer),
            decoder: Box::new(TransformerDecoder::of_transformer),
        }
    }
}

impl<E, D> TransformerOptions<E, D> {
    /// The width of the sequences (512).
    #[track_caller]
    #[must_use]
    pub fn d_model(mut self, d_model: impl Int) -> Self {
        self.whole.sizes.d_model = d_model.to_usize();
        self
    }

    /// The number of heads (8).
    #[track_caller]
    #[must_use]
    pub fn nhead(mut self, nhead: impl Int) -> Self {
        self.whole.sizes.nhead = nhead.to_i64();
        self
    }

    /// The number of the encoder's layers (6).
    #[track_caller]
    #[must_use]
    pub fn num_encoder_layers(mut self, num_encoder_layers: impl Int) -> Self {
        self.whole.sizes.encoder_layers = num_encoder_layers.to_usize();
        self
    }

    /// The number of the decoder's layers (6).
    #[track_caller]
    #[must_use]
    pub fn num_decoder_layers(mut self, num_decoder_layers: impl Int) -> Self {
        self.whole.sizes.decoder_layers = num_decoder_layers.to_usize();
        self
    }

    /// A module in the encoder's place: a [`Forward`] of [`TransformerEncoderInput`](super::TransformerEncoderInput) (none).
    #[must_use]
    pub fn custom_encoder<M: 'static>(self, custom_encoder: M) -> TransformerOptions<M, D> {
        self.replace(|Whole { sizes, decoder, .. }| Whole { sizes, encoder: Box::new(|_| custom_encoder), decoder })
    }

    /// A module in the decoder's place: a [`Forward`] of [`TransformerDecoderInput`](super::TransformerDecoderInput) (none).
    #[must_use]
    pub fn custom_decoder<M: 'static>(self, custom_decoder: M) -> TransformerOptions<E, M> {
        self.replace(|Whole { sizes, encoder, .. }| Whole { sizes, encoder, decoder: Box::new(|_| custom_decoder) })
    }

    /// The encoder, the decoder, and with what they were made.
    #[track_caller]
    pub(super) fn build(self) -> (E, D, TransformerLayerOptions<Sizes>) {
        let mut makers = None;
        let options = self.replace(|Whole { sizes, encoder, decoder }| {
            makers = Some((encoder, decoder));
            sizes
        });
        let (encoder, decoder) = makers.expect("set above");
        let encoder = encoder(&options);
        (encoder, decoder(&options), options)
    }
}

/// The function between a transformer layer's two linear layers. A module is a part of the layer, as in PyTorch.
#[derive(Default)]
pub enum TransformerActivation {
    /// `"relu"`.
    #[default]
    ReLU,
    /// `"gelu"`.
    GELU,
    /// Another function.
    Function(Arc<dyn Fn(Tensor) -> Tensor + Send + Sync>),
    /// A module.
    Module(Box<dyn Forward>),
    /// A module that a [`TransformerDecoder`]'s layers hold and print, but do not call: as in PyTorch, whose copies of decoder
    /// layers compute ReLU where a module was given.
    Shadowed(Box<dyn Forward>),
}

impl TransformerActivation {
    #[track_caller]
    pub(super) fn apply(&self, x: &Tensor) -> Tensor {
        match self {
            TransformerActivation::ReLU | TransformerActivation::Shadowed(_) => ops::relu(x).or_panic(),
            TransformerActivation::GELU => ops::gelu(x, false).or_panic(),
            TransformerActivation::Function(function) => function(x.shallow_clone()),
            TransformerActivation::Module(module) => module.call_ref(x),
        }
    }

    /// The activation of a decoder layer's copy, in which PyTorch's `__setstate__` puts `F.relu` before a module.
    pub(super) fn shadowed(self) -> Self {
        if let TransformerActivation::Module(module) = self { TransformerActivation::Shadowed(module) } else { self }
    }

    /// Whether the fast path may stand for it, and then whether it is GELU.
    pub(super) fn fast(&self) -> Option<bool> {
        match self {
            TransformerActivation::ReLU => Some(false),
            TransformerActivation::GELU => Some(true),
            TransformerActivation::Function(_) | TransformerActivation::Shadowed(_) => None,
            TransformerActivation::Module(module) => {
                let module = module.as_module();
                // As PyTorch's `isinstance`, whatever the module's options.
                let is = |id: TypeId| module.type_id() == id;
                is(TypeId::of::<GELU>()).then_some(true).or(is(TypeId::of::<ReLU>()).then_some(false))
            }
        }
    }
}

impl Field for TransformerActivation {
    const KIND: FieldKind = FieldKind::Module;
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        if let TransformerActivation::Module(module) | TransformerActivation::Shadowed(module) = self {
            module.collect(name, members);
        }
    }
    fn collect_mut<'a>(&'a mut self, name: Cow<'static, str>, slots: &mut Slots<'a>) {
        if let TransformerActivation::Module(module) | TransformerActivation::Shadowed(module) = self {
            module.collect_mut(name, slots);
        }
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        match self {
            TransformerActivation::ReLU => TransformerActivation::ReLU,
            TransformerActivation::GELU => TransformerActivation::GELU,
            TransformerActivation::Function(function) => TransformerActivation::Function(function.clone()),
            TransformerActivation::Module(module) => TransformerActivation::Module(Field::deepcopy_in(module, memo)),
            TransformerActivation::Shadowed(module) => {
                TransformerActivation::Shadowed(Field::deepcopy_in(module, memo))
            }
        }
    }
}

/// What can be given as `activation`: a name, a function of a tensor such as `F::gelu`, a module. `By` tells them apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an activation",
    label = "expected `\"relu\"`, `\"gelu\"`, a module, or a function such as `F::silu` or `|x: Tensor| x.tanh()`"
)]
pub trait IntoTransformerActivation<By> {
    /// The activation.
    fn into_activation(self) -> TransformerActivation;
}

/// An activation is given by its name.
pub struct ByName;
/// An activation is given as a function.
pub struct ByFunction;
/// An activation is given as a module.
pub struct ByModule;
/// An activation is given as what it is.
pub struct ByValue;

impl IntoTransformerActivation<ByName> for &str {
    #[track_caller]
    fn into_activation(self) -> TransformerActivation {
        match self {
            "relu" => TransformerActivation::ReLU,
            "gelu" => TransformerActivation::GELU,
            other => panic!("activation should be relu/gelu, not {other}"),
        }
    }
}

impl<A: Fn(Tensor) -> Tensor + Send + Sync + 'static> IntoTransformerActivation<ByFunction> for A {
    fn into_activation(self) -> TransformerActivation {
        fn id<A: Fn(Tensor) -> Tensor + 'static>(_: &A) -> TypeId {
            TypeId::of::<A>()
        }
        // Python asks whether `activation is F.relu`.
        match id(&self) {
            own if own == id(&F::relu) => TransformerActivation::ReLU,
            own if own == id(&F::gelu) => TransformerActivation::GELU,
            _ => TransformerActivation::Function(Arc::new(self)),
        }
    }
}

impl<M: Forward> IntoTransformerActivation<ByModule> for M {
    fn into_activation(self) -> TransformerActivation {
        TransformerActivation::Module(super::containers::boxed(self))
    }
}

impl IntoTransformerActivation<ByValue> for TransformerActivation {
    fn into_activation(self) -> TransformerActivation {
        self
    }
}
