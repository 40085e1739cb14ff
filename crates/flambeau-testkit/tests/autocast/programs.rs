//! Random programs of layers, functions and a loss in a region of autocast (`goldens/autocast_programs.py`).

use flambeau_testkit::golden::data_dir;
use serde_json::Value;
use std::io::Read;
use torch::nn::functional as F;
use torch::nn::{self, Module};
use torch::{Tensor, autocast, autocast_with, manual_seed, ones};

const ROWS: i64 = 4;

/// A step: the width that it leaves, its parameters, and the step itself.
type Step = (i64, Vec<Tensor>, Box<dyn Fn(&Tensor) -> Tensor>);

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn name(x: &Tensor) -> String {
    x.dtype().to_string().replace("torch.", "")
}

/// A module as a step.
fn module<M: Module + 'static>(width: i64, module: M, call: impl Fn(&M, &Tensor) -> Tensor + 'static) -> Step {
    let parameters = module.parameters().iter().map(|p| p.shallow_clone()).collect();
    (width, parameters, Box::new(move |x| call(&module, x)))
}

fn function(width: i64, call: impl Fn(&Tensor) -> Tensor + 'static) -> Step {
    (width, Vec::new(), Box::new(call))
}

fn sequence(x: &Tensor, width: i64) -> Tensor {
    x.reshape((2, ROWS / 2, width))
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn step(words: &[Value], width: i64) -> Step {
    let number = |i: usize| words[i + 1].as_i64().unwrap();
    let w = width;
    match words[0].as_str().unwrap() {
        "linear" => {
            let layer = nn::Linear::with(w, number(0), |o| o.bias(number(1) != 0));
            module(number(0), layer, |m, x| m.call(x))
        }
        "outside" => module(number(0), nn::Linear::new(w, number(0)), |m, x| {
            let _outside = autocast_with("cpu", |o| o.enabled(false));
            m.call(x.float())
        }),
        "twice" => module(w, nn::Linear::new(w, w), |m, x| m.call(m.call(x).tanh())),
        "attention" => {
            let weights = number(0) != 0;
            let layer = nn::MultiheadAttention::new(w, if w % 2 == 0 { 2 } else { 1 });
            module(w, layer, move |m, x| {
                let x = sequence(x, w);
                m.call_with(&x, &x, &x, |o| o.need_weights(weights)).0.reshape((ROWS, w))
            })
        }
        "conv1d" => {
            let layer = nn::Conv1d::with(1, 1, 3, |o| o.padding(1));
            module(w, layer, |m, x| m.call(x.unsqueeze(1)).squeeze_dim(1))
        }
        "lstm" => {
            let layer = nn::LSTM::with(w, number(0), |o| o.num_layers(number(1)));
            let out = number(0);
            module(out, layer, move |m, x| {
                let (y, _): (Tensor, (Tensor, Tensor)) = m.call(sequence(x, w));
                y.reshape((ROWS, out))
            })
        }
        "gru" => {
            let layer = nn::GRU::with(w, number(0), |o| o.num_layers(number(1)));
            let out = number(0);
            module(out, layer, move |m, x| {
                let (y, _): (Tensor, Tensor) = m.call(sequence(x, w));
                y.reshape((ROWS, out))
            })
        }
        "rnn" => {
            let layer = nn::RNN::with(w, number(0), |o| o.num_layers(number(1)));
            let out = number(0);
            module(out, layer, move |m, x| {
                let (y, _): (Tensor, Tensor) = m.call(sequence(x, w));
                y.reshape((ROWS, out))
            })
        }
        "lstm_cell" => module(number(0), nn::LSTMCell::new(w, number(0)), |m, x| {
            let (h, _): (Tensor, Tensor) = m.call(x);
            h
        }),
        "gru_cell" => module(number(0), nn::GRUCell::new(w, number(0)), |m, x| m.call(x)),
        "rnn_cell" => module(number(0), nn::RNNCell::new(w, number(0)), |m, x| m.call(x)),
        "layer_norm" => module(w, nn::LayerNorm::new(w), |m, x| m.call(x)),
        "batch_norm" => module(w, nn::BatchNorm1d::new(w), |m, x| m.call(x)),
        "group_norm" => module(w, nn::GroupNorm::new(1, w), |m, x| m.call(x)),
        "rms_norm" => module(w, nn::RMSNorm::new(w), |m, x| m.call(x)),
        "prelu" => module(w, nn::PReLU::new(), |m, x| m.call(x)),
        "relu" => function(w, |x| F::relu(x)),
        "gelu" => function(w, |x| F::gelu(x)),
        "silu" => function(w, |x| F::silu(x)),
        "tanh" => function(w, |x| x.tanh()),
        "sigmoid" => function(w, |x| x.sigmoid()),
        "softmax" => function(w, |x| F::softmax(x, -1)),
        "softplus" => function(w, |x| F::softplus(x)),
        "square" => function(w, |x| x.pow(2)),
        "exp" => function(w, |x| x.tanh().exp()),
        "log1p" => function(w, |x| x.sigmoid().log1p()),
        "cat" => function(2 * w, |x| torch::cat([x, &ones((ROWS, x.size_dim(1)))], 1)),
        "stack" => function(w, |x| torch::stack([x, &(x * 2)], 0).sum_dim(0, false)),
        "gram" => function(w, |x| x.matmul(x.t()).matmul(x)),
        "center" => function(w, |x| x - x.mean_dim(0, true)),
        "normalize" => function(w, |x| F::normalize(x)),
        "einsum" => function(w, |x| torch::einsum("ij,kj->ik", [x, x]).matmul(x)),
        "prod" => function(w, |x| x * x.tanh().prod_dim(1, true)),
        "cumsum" => function(w, |x| x.cumsum(1)),
        "pairs" => function(w, |x| x * torch::cdist(x, x).mean()),
        "pool" => function(w, |x| F::avg_pool1d_with(x.unsqueeze(1), 3, |o| o.stride(1).padding(1)).squeeze_dim(1)),
        "double" => function(w, |x| (x.double() * 2).float()),
        other => panic!("{other}"),
    }
}

fn loss(name: &str, x: &Tensor) -> Tensor {
    let classes = torch::arange(ROWS).remainder(x.size_dim(1) as i64);
    let target = torch::full(x.size(), 0.25);
    match name {
        "mse" => F::mse_loss(x, target),
        "l1" => F::l1_loss(x, target),
        "smooth_l1" => F::smooth_l1_loss(x, target),
        "huber" => F::huber_loss(x, target),
        "cross_entropy" => F::cross_entropy(x, classes),
        "bce_logits" => F::binary_cross_entropy_with_logits(x, target),
        "nll" => F::nll_loss(F::log_softmax(x, 1), classes),
        "kl_div" => F::kl_div_with(F::log_softmax(x, 1), target, |o| o.reduction("batchmean")),
        "soft_margin" => F::soft_margin_loss(x, target.sign()),
        "sum" => (x * x).sum(),
        "triplet" => F::triplet_margin_loss(x, &target, -&target),
        "cosine" => F::cosine_embedding_loss(x, target, ones(ROWS)),
        other => panic!("{other}"),
    }
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(1e-2f64, |m, x| m.max(x.abs()))
}

/// How far numbers are from PyTorch's, in steps of bfloat16 at the size of the largest. Sums that cancel to nothing are some ten steps from
/// float32 in PyTorch too.
fn distance(found: &Tensor, expected: &[f64], largest: f64) -> f64 {
    let found: Vec<f64> = found.detach().double().to_vec();
    assert_eq!(found.len(), expected.len());
    let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    far / largest * 256.0
}

fn run(case: &Value) -> Result<f64, String> {
    manual_seed(case["seed"].as_u64().unwrap());
    let mut width = case["width"].as_i64().unwrap();
    let mut x = torch::randn((ROWS, width));
    let mut steps = Vec::new();
    for words in case["steps"].as_array().unwrap() {
        let (next, parameters, call) = step(words.as_array().unwrap(), width);
        width = next;
        steps.push((parameters, call));
    }
    let wanted: Vec<&str> = case["dtypes"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
    let loss = {
        let _autocast = autocast("cpu");
        for ((i, (_, call)), wanted) in steps.iter().enumerate().zip(wanted) {
            x = call(&x);
            if name(&x) != wanted {
                return Err(format!("step {i} gives {}, expected {wanted}", name(&x)));
            }
        }
        loss(case["loss"].as_str().unwrap(), &x)
    };
    if name(&loss) != case["loss_dtype"].as_str().unwrap() {
        return Err(format!("the loss is of {}", name(&loss)));
    }
    let (out, value) = (numbers(&case["out"]), numbers(&case["loss_value"]));
    let mut far = distance(&x, &out, largest(&out)).max(distance(&loss, &value, largest(&value)));
    if loss.requires_grad() {
        loss.backward();
    }
    // What cancels to nearly nothing in one gradient is as large as rounding in the others.
    let all = case["grads"].as_array().unwrap().iter().filter(|grad| !grad.is_null());
    let most = all.map(|grad| largest(&numbers(&grad[2]))).fold(1e-2, f64::max);
    let parameters = steps.iter().flat_map(|(parameters, _)| parameters);
    for (i, (parameter, wanted)) in parameters.zip(case["grads"].as_array().unwrap()).enumerate() {
        match (parameter.grad(), wanted.as_array()) {
            (None, None) => {}
            (Some(grad), Some(wanted)) => {
                if name(&grad) != wanted[0].as_str().unwrap() {
                    return Err(format!("gradient {i} is of {}", name(&grad)));
                }
                far = far.max(distance(&grad, &numbers(&wanted[2]), most));
            }
            (found, _) => return Err(format!("gradient {i}: {}", if found.is_some() { "one" } else { "none" })),
        }
    }
    Ok(far)
}

#[test]
fn random_programs_are_pytorchs() {
    let _generator = flambeau_testkit::work::alone();
    let path = data_dir().join("autocast_programs.jsonl.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let (mut count, mut wrong, mut far) = (0, Vec::new(), Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (seed, steps) = (&case["seed"], &case["steps"]);
        count += 1;
        match flambeau_testkit::catch::catch(|| run(&case)).unwrap_or_else(|panic| Err(format!("panic: {panic}"))) {
            Ok(distance) if distance < 32.0 => far.push(distance),
            Ok(distance) => wrong.push(format!("{seed} {steps} {}: {distance:.1} steps away", case["loss"])),
            Err(what) => wrong.push(format!("{seed} {steps} {}: {what}", case["loss"])),
        }
    }
    far.sort_by(f64::total_cmp);
    println!(
        "count: {count} programs; steps of bfloat16 away: median {:.2}, most {:.2}",
        far[far.len() / 2],
        far[far.len() - 1]
    );
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
