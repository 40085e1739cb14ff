//! Attention and transformers of goldens: see `goldens/random_attn.py`.

use flambeau_autograd::{Tensor, no_grad};
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Module, functional as F};
use flambeau_tensor::Device;
use flambeau_testkit::golden::{Arg, ModuleCase};
use std::collections::BTreeMap;

use crate::ctor::{Built, Ctor, called};

/// The inputs of a call by name, and its flags.
pub struct Call {
    names: Vec<String>,
    flags: BTreeMap<&'static str, bool>,
    no_grad: bool,
}

/// Random cases, by their number, whose gradients are what float32 leaves of a layer norm of two numbers, in PyTorch too.
pub const ILL_CONDITIONED: [usize; 1] = [232];

/// The flags that calls have.
const FLAGS: [&str; 6] =
    ["need_weights", "average_attn_weights", "is_causal", "src_is_causal", "tgt_is_causal", "memory_is_causal"];

impl Call {
    fn new(c: &Ctor<'_>) -> Self {
        let names = c.get("call_names").and_then(Arg::as_str).expect("names of inputs");
        let flag = |name: &'static str| Some((name, c.get(&format!("call_{name}"))?.as_bool()?));
        Call {
            names: names.split(',').map(str::to_owned).collect(),
            flags: FLAGS.iter().filter_map(|name| flag(name)).collect(),
            no_grad: c.flag("call_no_grad", false),
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.flags.get(name).copied()
    }

    /// The input of a name.
    fn get<'a>(&self, x: &'a [Tensor], name: &str) -> Option<&'a Tensor> {
        Some(&x[self.names.iter().position(|n| n == name)?])
    }

    fn need<'a>(&self, x: &'a [Tensor], name: &str) -> &'a Tensor {
        self.get(x, name).unwrap_or_else(|| panic!("{name} is missing"))
    }
}

/// A module and its call, each time after the same seed.
fn run<M: Module>(module: M, call: Call, run: impl Fn(&M, &Call, &[Tensor]) -> Vec<Tensor> + 'static) -> Built {
    called(module, move |module, x| {
        manual_seed(7);
        let _guard = call.no_grad.then(no_grad);
        run(module, &call, x)
    })
}

fn layer_options(c: &Ctor<'_>, o: nn::TransformerLayerOptions) -> nn::TransformerLayerOptions {
    shared(c, o)
}

/// The options that layers and the whole have.
fn shared<W>(c: &Ctor<'_>, o: nn::TransformerLayerOptions<W>) -> nn::TransformerLayerOptions<W> {
    let o = o
        .dim_feedforward(c.int("dim_feedforward", 2048))
        .dropout(c.number("dropout", 0.1))
        .layer_norm_eps(c.float("layer_norm_eps", 1e-5))
        .batch_first(c.flag("batch_first", false))
        .norm_first(c.flag("norm_first", false))
        .bias(c.flag("bias", true));
    match c.get("activation").map_or("relu", |a| a.as_str().expect("a name")) {
        "F.relu" => o.activation(F::relu),
        "F.gelu" => o.activation(F::gelu),
        "F.silu" => o.activation(F::silu),
        "nn.ReLU" => o.activation(nn::ReLU::new()),
        "nn.GELU" => o.activation(nn::GELU::new()),
        "nn.Tanh" => o.activation(nn::Tanh::new()),
        name => o.activation(name),
    }
}

fn multihead(c: &Ctor<'_>) -> Built {
    let module = nn::MultiheadAttention::with(c.int("embed_dim", 0), c.int("num_heads", 0), |o| {
        o.dropout(c.float("dropout", 0.0))
            .bias(c.flag("bias", true))
            .add_bias_kv(c.flag("add_bias_kv", false))
            .add_zero_attn(c.flag("add_zero_attn", false))
            .kdim(c.get("kdim").and_then(Arg::as_int))
            .vdim(c.get("vdim").and_then(Arg::as_int))
            .batch_first(c.flag("batch_first", false))
    });
    run(module, Call::new(c), |module, call, x| {
        let query = call.need(x, "query");
        let key = call.get(x, "key").unwrap_or(query);
        let value = call.get(x, "value").unwrap_or(key);
        let (out, weights) = module.call_with(query, key, value, |o| {
            o.key_padding_mask(call.get(x, "key_padding_mask"))
                .attn_mask(call.get(x, "attn_mask"))
                .need_weights(call.flag("need_weights").unwrap_or(true))
                .average_attn_weights(call.flag("average_attn_weights").unwrap_or(true))
                .is_causal(call.flag("is_causal").unwrap_or(false))
        });
        [Some(out), weights].into_iter().flatten().collect()
    })
}

fn encoder_layer(c: &Ctor<'_>) -> nn::TransformerEncoderLayer {
    nn::TransformerEncoderLayer::with(c.int("d_model", 0), c.int("nhead", 0), |o| layer_options(c, o))
}

fn decoder_layer(c: &Ctor<'_>) -> nn::TransformerDecoderLayer {
    nn::TransformerDecoderLayer::with(c.int("d_model", 0), c.int("nhead", 0), |o| layer_options(c, o))
}

fn encoder(c: &Ctor<'_>) -> Built {
    let norm = c.flag("norm", false).then(|| nn::LayerNorm::new(c.int("d_model", 0)));
    let (nested, check) = (c.flag("enable_nested_tensor", true), c.flag("mask_check", true));
    let module = nn::TransformerEncoder::with(encoder_layer(c), c.int("num_layers", 0), |o| {
        let o = o.enable_nested_tensor(nested).mask_check(check);
        if let Some(norm) = norm { o.norm(norm) } else { o }
    });
    run(module, Call::new(c), |module, call, x| {
        vec![module.call_with(call.need(x, "src"), |o| {
            o.mask(call.get(x, "mask"))
                .src_key_padding_mask(call.get(x, "src_key_padding_mask"))
                .is_causal(call.flag("is_causal"))
        })]
    })
}

fn decoder(c: &Ctor<'_>) -> Built {
    let norm = c.flag("norm", false).then(|| nn::LayerNorm::new(c.int("d_model", 0)));
    let module = nn::TransformerDecoder::with(decoder_layer(c), c.int("num_layers", 0), |o| {
        if let Some(norm) = norm { o.norm(norm) } else { o }
    });
    run(module, Call::new(c), |module, call, x| {
        vec![module.call_with(call.need(x, "tgt"), call.need(x, "memory"), |o| {
            o.tgt_mask(call.get(x, "tgt_mask"))
                .memory_mask(call.get(x, "memory_mask"))
                .tgt_key_padding_mask(call.get(x, "tgt_key_padding_mask"))
                .memory_key_padding_mask(call.get(x, "memory_key_padding_mask"))
                .tgt_is_causal(call.flag("tgt_is_causal"))
                .memory_is_causal(call.flag("memory_is_causal").unwrap_or(false))
        })]
    })
}

fn transformer(c: &Ctor<'_>) -> Built {
    let module = nn::Transformer::with(|o| {
        shared(c, o)
            .d_model(c.int("d_model", 512))
            .nhead(c.int("nhead", 8))
            .num_encoder_layers(c.int("num_encoder_layers", 6))
            .num_decoder_layers(c.int("num_decoder_layers", 6))
    });
    run(module, Call::new(c), |module, call, x| {
        vec![module.call_with(call.need(x, "src"), call.need(x, "tgt"), |o| {
            o.src_mask(call.get(x, "src_mask"))
                .tgt_mask(call.get(x, "tgt_mask"))
                .memory_mask(call.get(x, "memory_mask"))
                .src_key_padding_mask(call.get(x, "src_key_padding_mask"))
                .tgt_key_padding_mask(call.get(x, "tgt_key_padding_mask"))
                .memory_key_padding_mask(call.get(x, "memory_key_padding_mask"))
                .src_is_causal(call.flag("src_is_causal"))
                .tgt_is_causal(call.flag("tgt_is_causal"))
                .memory_is_causal(call.flag("memory_is_causal").unwrap_or(false))
        })]
    })
}

/// The module of a case, and whether every argument of its constructor was used.
pub fn attention(case: &ModuleCase) -> Option<(Built, bool)> {
    let (names, build): (&[&str], fn(&Ctor<'_>) -> Built) = match case.module.as_str() {
        "MultiheadAttention" => (&["embed_dim", "num_heads"], multihead),
        "TransformerEncoderLayer" => (&["d_model", "nhead"], |c| {
            run(encoder_layer(c), Call::new(c), |module, call, x| {
                vec![module.call_with(call.need(x, "src"), |o| {
                    o.src_mask(call.get(x, "src_mask"))
                        .src_key_padding_mask(call.get(x, "src_key_padding_mask"))
                        .is_causal(call.flag("is_causal").unwrap_or(false))
                })]
            })
        }),
        "TransformerDecoderLayer" => (&["d_model", "nhead"], |c| {
            run(decoder_layer(c), Call::new(c), |module, call, x| {
                vec![module.call_with(call.need(x, "tgt"), call.need(x, "memory"), |o| {
                    o.tgt_mask(call.get(x, "tgt_mask"))
                        .memory_mask(call.get(x, "memory_mask"))
                        .tgt_key_padding_mask(call.get(x, "tgt_key_padding_mask"))
                        .memory_key_padding_mask(call.get(x, "memory_key_padding_mask"))
                        .tgt_is_causal(call.flag("tgt_is_causal").unwrap_or(false))
                        .memory_is_causal(call.flag("memory_is_causal").unwrap_or(false))
                })]
            })
        }),
        "TransformerEncoder" => (&["d_model", "nhead", "num_layers"], encoder),
        "TransformerDecoder" => (&["d_model", "nhead", "num_layers"], decoder),
        "Transformer" => (&[], transformer),
        _ => return None,
    };
    let c = Ctor::new(case, names);
    Some((build(&c), c.all_read()))
}

/// Whether the encoder looks at masks on the host: as PyTorch does, to find padding and causal masks.
pub fn looks_at_masks(case: &ModuleCase) -> bool {
    ["TransformerEncoder", "TransformerDecoder", "Transformer"].contains(&case.module.as_str())
}

/// A case as a GPU computes it: its dropout draws other numbers, so that training runs only without.
pub fn without_draws(case: &ModuleCase, device: Device) -> ModuleCase {
    let mut case = case.clone();
    let default = if case.module == "MultiheadAttention" { 0.0 } else { 0.1 };
    let dropout =
        case.kwargs.get("dropout").map_or(default, |p| p.as_float().or(p.as_int().map(|p| p as f64)).expect("p"));
    if !device.is_cpu() && dropout > 0.0 {
        case.train = None;
    }
    case
}
