//! Writes state dicts of an LSTM, of attention and of a transformer, their inputs, and what they compute from these:
//! `write_models OUT`. `goldens/lstm.py OUT` and `goldens/attention.py OUT` then load them in PyTorch and compare.

use flambeau_autograd::{no_grad, randn, tensor};
use flambeau_nn::{self as nn, Module};
use flambeau_serialize::{dict, save};
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::args_os().nth(1).map(PathBuf::from).ok_or("usage: write_models OUT")?;
    flambeau_device::manual_seed(1);
    let _guard = no_grad();

    let lstm = nn::LSTM::with(5, 6, |o| o.num_layers(2).bidirectional(true).batch_first(true));
    let x = randn([3, 7, 5]);
    let (output, (hn, cn)) = lstm.call(&x);
    let written = dict! { "state": lstm.state_dict(), "x": x, "output": output, "hn": hn, "cn": cn };
    save(&written, out.join("lstm.pth"))?;

    let attention = nn::MultiheadAttention::with(8, 2, |o| o.add_bias_kv(true).kdim(5).vdim(6).batch_first(true));
    let transformer = nn::Transformer::with(|o| {
        let o = o.d_model(8).nhead(2).num_encoder_layers(2).num_decoder_layers(1).dim_feedforward(12);
        o.activation("gelu").norm_first(true)
    });
    // Biases too.
    for parameter in attention.parameters().into_iter().chain(transformer.parameters()) {
        nn::init::normal_(&parameter, 0.0, 0.5);
    }
    attention.eval();
    transformer.eval();
    let (query, key, value) = (randn([2, 3, 8]), randn([2, 4, 5]), randn([2, 4, 6]));
    let (src, tgt, mask) = (randn([5, 2, 8]), randn([3, 2, 8]), nn::Transformer::generate_square_subsequent_mask(3));
    let padding = tensor([[false; 5], [false, false, false, true, true]]);
    let (output, weights) = attention.call(&query, &key, &value);
    let translated = transformer
        .call_with(&src, &tgt, |o| o.tgt_mask(&mask).src_key_padding_mask(&padding).memory_key_padding_mask(&padding));
    let written = dict! {
        "attention": attention.state_dict(), "transformer": transformer.state_dict(),
        "query": query, "key": key, "value": value, "output": output, "weights": weights.unwrap(),
        "src": src, "tgt": tgt, "mask": mask, "padding": padding, "translated": translated,
    };
    Ok(save(&written, out.join("attention.pth"))?)
}
