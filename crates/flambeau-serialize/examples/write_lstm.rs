//! Writes the state dict of an LSTM, an input and what it computes from that: `write_lstm OUT`. `goldens/lstm.py OUT` then loads it
//! in PyTorch and compares.

use flambeau_autograd::{no_grad, randn};
use flambeau_nn::{self as nn, Module};
use flambeau_serialize::{dict, save};
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::args_os().nth(1).map(PathBuf::from).ok_or("usage: write_lstm OUT")?;
    flambeau_device::manual_seed(1);
    let lstm = nn::LSTM::with(5, 6, |o| o.num_layers(2).bidirectional(true).batch_first(true));
    let x = randn([3, 7, 5]);
    let _guard = no_grad();
    let (output, (hn, cn)) = lstm.call(&x);
    let written = dict! { "state": lstm.state_dict(), "x": x, "output": output, "hn": hn, "cn": cn };
    Ok(save(&written, out.join("lstm.pth"))?)
}
