//! Recurrent layers and cells, and the functions of `nn.utils.rnn`.

use flambeau_autograd::Tensor;
use flambeau_nn as nn;
use flambeau_nn::utils::rnn::{
    PackedSequence, pack_padded_sequence_with, pack_sequence_with, pad_packed_sequence_with, pad_sequence_with,
    unpack_sequence, unpad_sequence_with,
};
use flambeau_testkit::golden::{Arg, GoldenTensor, ModuleCase};

use crate::build::with;
use crate::ctor::{Built, Ctor, called, function};

/// Whether a case is of a function of `nn.utils.rnn`.
pub fn is_function(case: &ModuleCase) -> bool {
    case.module.starts_with("pack_") || case.module.starts_with("pad_") || case.module.starts_with("unpa")
}

/// A run in training stands in a golden only where it differs from that in evaluation, or draws random numbers.
pub fn train_as_evaluated(case: &mut ModuleCase) {
    let dropped = case.kwargs.get("dropout").and_then(Arg::as_float).unwrap_or(0.0);
    if case.train.is_none() && case.error.is_none() && (dropped == 0.0 || dropped == 1.0) && !is_function(case) {
        case.train = case.eval.clone();
        // What the module was built with in float32, it has in the case's dtype then.
        let state = case.state.iter().map(|(name, t)| (name.clone(), GoldenTensor { dtype: case.dtype, ..t.clone() }));
        case.state_after = Some(state.collect());
    }
}

/// The layer, cell or function of a case, and whether every argument was used.
pub fn build(case: &ModuleCase) -> Option<(Built, bool)> {
    let ctor = |names: &[&str]| Ctor::new(case, names);
    let sizes = ["input_size", "hidden_size"];
    let (built, c) = match case.module.as_str() {
        "RNN" => with(ctor(&sizes), |c| layer(c, rnn(c))),
        "GRU" => with(ctor(&sizes), |c| layer(c, gru(c))),
        "LSTM" => with(ctor(&sizes), lstm),
        "RNNCell" => with(ctor(&sizes), |c| {
            let name = c.get("nonlinearity").map_or("tanh", |a| a.as_str().expect("a name"));
            cell(nn::RNNCell::with(c.int("input_size", 1), c.int("hidden_size", 1), |o| {
                o.bias(c.flag("bias", true)).nonlinearity(name)
            }))
        }),
        "GRUCell" => with(ctor(&sizes), |c| {
            cell(nn::GRUCell::with(c.int("input_size", 1), c.int("hidden_size", 1), |o| o.bias(c.flag("bias", true))))
        }),
        "LSTMCell" => with(ctor(&sizes), |c| {
            let (i, h, bias) = (c.int("input_size", 1), c.int("hidden_size", 1), c.flag("bias", true));
            called(nn::LSTMCell::with(i, h, |o| o.bias(bias)), |m, x| {
                let (h, c) = match x {
                    [x] => m.call(x),
                    [x, h, c] => m.call((x, (h, c))),
                    _ => panic!("{} inputs", x.len()),
                };
                vec![h, c]
            })
        }),
        _ if is_function(case) => with(ctor(&["lengths"]), |c| sequences(c, &case.module)),
        _ => return None,
    };
    Some((built, c.all_read()))
}

fn rnn(c: &Ctor<'_>) -> nn::RNN {
    nn::RNN::with(c.int("input_size", 1), c.int("hidden_size", 1), |o| {
        let o = match c.get("nonlinearity") {
            Some(name) => o.nonlinearity(name.as_str().expect("a name")),
            None => o,
        };
        o.num_layers(c.int("num_layers", 1))
            .bias(c.flag("bias", true))
            .batch_first(c.flag("batch_first", false))
            .dropout(c.number("dropout", 0.0))
            .bidirectional(c.flag("bidirectional", false))
    })
}

fn gru(c: &Ctor<'_>) -> nn::GRU {
    nn::GRU::with(c.int("input_size", 1), c.int("hidden_size", 1), |o| {
        o.num_layers(c.int("num_layers", 1))
            .bias(c.flag("bias", true))
            .batch_first(c.flag("batch_first", false))
            .dropout(c.number("dropout", 0.0))
            .bidirectional(c.flag("bidirectional", false))
    })
}

/// How a case's sequences are packed: with `enforce_sorted` or without.
fn form(c: &Ctor<'_>) -> Option<bool> {
    c.get("form").map(|form| form.as_str() == Some("packed"))
}

/// The input of a layer, and what follows it: of a packed sequence the lengths stand between.
fn input(x: &[Tensor], form: Option<bool>, batch_first: bool) -> (Option<PackedSequence>, &[Tensor]) {
    match form {
        None => (None, &x[1..]),
        Some(sorted) => {
            let pack = |lengths| {
                pack_padded_sequence_with(&x[0], lengths, |o| o.batch_first(batch_first).enforce_sorted(sorted))
            };
            (Some(pack(x[1].cpu())), &x[2..])
        }
    }
}

fn layer<K: nn::RecurrentKind<State = Tensor>>(c: &Ctor<'_>, module: nn::RNNBase<K>) -> Built {
    let form = form(c);
    called(module, move |m, x| {
        let results = |(out, h): (PackedSequence, Tensor)| vec![out.data, h];
        let (out, h) = match input(x, form, m.batch_first) {
            (Some(packed), []) => return results(m.call(&packed)),
            (Some(packed), [h]) => return results(m.call((packed, h))),
            (None, []) => m.call(&x[0]),
            (None, [h]) => m.call((&x[0], h)),
            (_, states) => panic!("{} states", states.len()),
        };
        vec![out, h]
    })
}

fn lstm(c: &Ctor<'_>) -> Built {
    let module = nn::LSTM::with(c.int("input_size", 1), c.int("hidden_size", 1), |o| {
        o.num_layers(c.int("num_layers", 1))
            .bias(c.flag("bias", true))
            .batch_first(c.flag("batch_first", false))
            .dropout(c.number("dropout", 0.0))
            .bidirectional(c.flag("bidirectional", false))
            .proj_size(c.int("proj_size", 0))
    });
    let form = form(c);
    called(module, move |m, x| {
        let results = |(out, (h, c)): (PackedSequence, (Tensor, Tensor))| vec![out.data, h, c];
        let (out, (h, c)) = match input(x, form, m.batch_first) {
            (Some(packed), []) => return results(m.call(&packed)),
            (Some(packed), [h, c]) => return results(m.call((packed, (h, c)))),
            (None, []) => m.call(&x[0]),
            (None, [h, c]) => m.call((&x[0], (h, c))),
            (_, states) => panic!("{} states", states.len()),
        };
        vec![out, h, c]
    })
}

fn cell<K: nn::CellKind<State = Tensor>>(module: nn::RNNCellBase<K>) -> Built {
    called(module, |m, x| {
        let h: Tensor = match x {
            [x] => m.call(x),
            [x, h] => m.call((x, h)),
            _ => panic!("{} inputs", x.len()),
        };
        vec![h]
    })
}

fn present(packed: PackedSequence) -> Vec<Tensor> {
    let PackedSequence { data, batch_sizes, sorted_indices, unsorted_indices } = packed;
    [Some(data), Some(batch_sizes), sorted_indices, unsorted_indices].into_iter().flatten().collect()
}

fn sequences(c: &Ctor<'_>, name: &str) -> Built {
    let lengths = c.get("lengths").map(|_| c.ints("lengths", &[])).unwrap_or_default();
    let (batch_first, enforce_sorted) = (c.flag("batch_first", false), c.flag("enforce_sorted", true));
    let pack = move |x: &Tensor| {
        pack_padded_sequence_with(x, &lengths, |o| o.batch_first(batch_first).enforce_sorted(enforce_sorted))
    };
    let value = c.number("padding_value", 0.0);
    match name {
        "pack_padded_sequence" => function(move |x| present(pack(&x[0]))),
        "pad_packed_sequence" => {
            let (back_first, total) = (c.flag("back_first", false), c.get("total_length").and_then(Arg::as_int));
            function(move |x| {
                let padded = pad_packed_sequence_with(&pack(&x[0]), |o| {
                    o.batch_first(back_first).padding_value(value).total_length(total)
                });
                vec![padded.0, padded.1]
            })
        }
        "pad_sequence" => {
            let side = c.get("padding_side").map_or("right", |a| a.as_str().expect("a side")).to_owned();
            function(move |x| {
                vec![pad_sequence_with(x, |o| {
                    o.batch_first(batch_first).padding_value(value).padding_side(side.as_str())
                })]
            })
        }
        "pack_sequence" => function(move |x| present(pack_sequence_with(x, |o| o.enforce_sorted(enforce_sorted)))),
        "unpack_sequence" => {
            function(move |x| unpack_sequence(&pack_sequence_with(x, |o| o.enforce_sorted(enforce_sorted))))
        }
        "unpad_sequence" => {
            let lengths = c.ints("lengths", &[]);
            function(move |x| unpad_sequence_with(&x[0], &lengths, |o| o.batch_first(batch_first)))
        }
        _ => panic!("{name}"),
    }
}
