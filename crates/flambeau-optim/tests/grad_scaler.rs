//! `GradScaler` beside PyTorch's: random sequences of its calls (`flambeau-testkit/goldens/grad_scaler.py`).

use flambeau_autograd::{Tensor, from_vec, ops};
use flambeau_optim::{GradScaler, NewScale, Optimizer, OptionValue, Result, SGD, ScalerState};
use flambeau_tensor::DType;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../flambeau-testkit/goldens/data/grad_scaler.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn dtype(name: &Value) -> DType {
    match name.as_str().unwrap() {
        "float16" => DType::F16,
        "bfloat16" => DType::BF16,
        "float32" => DType::F32,
        "float64" => DType::F64,
        other => panic!("{other}"),
    }
}

/// A tensor of `[dtype, numbers]`.
fn tensor(value: &Value, shape: Option<&Value>) -> Tensor {
    let numbers: Vec<f64> = list(&value[1]).iter().map(number).collect();
    let shape: Vec<i64> =
        shape.map_or(vec![numbers.len() as i64], |s| list(s).iter().map(|n| n.as_i64().unwrap()).collect());
    let count = numbers.len();
    ops::to_dtype(&ops::reshape(&from_vec(numbers, [count]), &shape).unwrap(), dtype(&value[0])).unwrap()
}

/// Holds a tensor against `[dtype, numbers]`, bit for bit.
fn compare(what: &str, found: Option<Tensor>, expected: &Value) {
    let Some(found) = found else { return assert!(expected.is_null(), "{what}: none, expected {expected}") };
    assert!(!expected.is_null(), "{what}: {found}, expected none");
    assert_eq!(found.dtype(), dtype(&expected[0]), "{what}");
    let numbers: Vec<f64> = found.detach().double().to_vec();
    let expected: Vec<f64> = list(&expected[1]).iter().map(number).collect();
    let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
    let all = numbers.len() == expected.len() && numbers.iter().zip(&expected).all(same);
    assert!(all, "{what}: {numbers:?}, expected {expected:?}");
}

fn scaler(options: &Value) -> GradScaler {
    GradScaler::with("cpu", |mut o| {
        for (name, value) in options.as_object().unwrap() {
            o = match name.as_str() {
                "init_scale" => o.init_scale(number(value)),
                "growth_factor" => o.growth_factor(number(value)),
                "backoff_factor" => o.backoff_factor(number(value)),
                "growth_interval" => o.growth_interval(value.as_i64().unwrap()),
                "enabled" => o.enabled(value.as_bool().unwrap()),
                other => panic!("{other}"),
            };
        }
        o
    })
}

struct Sequence {
    scaler: GradScaler,
    params: Vec<Vec<Tensor>>,
    optimizers: Vec<Optimizer>,
    saved: ScalerState,
}

impl Sequence {
    fn new(case: &Value) -> Self {
        let leaves = |params: &Value| list(params).iter().map(|p| tensor(p, None).requires_grad_(true)).collect();
        let params: Vec<Vec<Tensor>> = list(&case["params"]).iter().map(leaves).collect();
        let optimizers = params.iter().map(|params| SGD::new(params, 0.5).into()).collect();
        Sequence { scaler: scaler(&case["options"]), params, optimizers, saved: ScalerState::default() }
    }

    fn update(&self, words: &[Value]) -> Result<()> {
        self.scaler.try_update_with(|o| match words {
            [] => o,
            [Value::Number(scale)] => o.new_scale(scale.as_f64().unwrap()),
            [value, shape, requires_grad] => {
                o.new_scale(tensor(value, Some(shape)).requires_grad_(requires_grad.as_bool().unwrap()))
            }
            other => panic!("{other:?}"),
        })
    }

    /// Makes a call; what it gives.
    fn call(&mut self, words: &[Value]) -> Result<Option<Tensor>> {
        let index = |word: &Value| word.as_u64().unwrap() as usize;
        match (words[0].as_str().unwrap(), &words[1..]) {
            ("grads", [i, grads]) => {
                let params = &self.params[index(i)];
                for (param, grad) in params.iter().zip(list(grads)) {
                    param.set_grad((!grad.is_null()).then(|| tensor(grad, None)));
                }
            }
            ("scale", [x, shape]) => return Ok(Some(self.scaler.scale(tensor(x, Some(shape))))),
            ("unscale", [i]) => self.scaler.try_unscale_(&self.optimizers[index(i)])?,
            ("step", [i]) => self.scaler.try_step(&self.optimizers[index(i)])?,
            ("update", words) => self.update(words)?,
            ("set", [name, value]) => match name.as_str().unwrap() {
                "growth_factor" => self.scaler.set_growth_factor(number(value)),
                "backoff_factor" => self.scaler.set_backoff_factor(number(value)),
                _ => self.scaler.set_growth_interval(value.as_i64().unwrap()),
            },
            ("save", []) => self.saved = self.scaler.state_dict(),
            ("load", []) => self.scaler.load_state_dict(&self.saved)?,
            ("load_empty", []) => self.scaler.load_state_dict(&ScalerState::default())?,
            other => panic!("{other:?}"),
        }
        Ok(None)
    }

    fn check(&self, what: &str, expected: &Value) {
        let (scale, wanted) = (self.scaler.get_scale(), number(&expected["scale"]));
        assert!(scale == wanted, "{what}: scale {scale}, expected {wanted}");
        let state = self.scaler.state_dict();
        let state: Vec<(String, f64)> =
            state.entries.iter().map(|(name, value)| (name.clone(), value.clone().as_f64().unwrap())).collect();
        let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), number(&pair[1]));
        let wanted: Vec<(String, f64)> = list(&expected["state"]).iter().map(pair).collect();
        assert_eq!(state, wanted, "{what}");
        for (i, params) in self.params.iter().enumerate() {
            for (j, param) in params.iter().enumerate() {
                compare(&format!("{what}: parameter {i}.{j}"), Some(param.detach()), &expected["params"][i][j]);
                compare(&format!("{what}: gradient {i}.{j}"), param.grad(), &expected["grads"][i][j]);
            }
        }
    }
}

#[test]
fn random_sequences_are_pytorchs() {
    let (mut calls, mut messages) = (0, BTreeSet::new());
    for (number, case) in cases().iter().enumerate() {
        let mut sequence = Sequence::new(case);
        for (i, expected) in list(&case["calls"]).iter().enumerate() {
            let what = format!("sequence {number}, call {i}, {}", expected["do"]);
            let found = sequence.call(list(&expected["do"]));
            calls += 1;
            match (found, expected.get("error")) {
                (Ok(out), None) => match expected.get("out") {
                    Some(expected) => compare(&what, out, expected),
                    None => assert!(out.is_none(), "{what}"),
                },
                (Err(error), Some(message)) => {
                    assert_eq!(error.to_string(), message.as_str().unwrap(), "{what}");
                    messages.insert(error.to_string());
                }
                (Ok(_), Some(message)) => panic!("{what}: no error, expected {message}"),
                (Err(error), None) => panic!("{what}: {error}"),
            }
            sequence.check(&what, expected);
        }
    }
    println!("count: {calls} calls, {} messages", messages.len());
    assert!(calls > 3000 && messages.len() > 8, "{calls} calls, {messages:?}");
}

/// A state from a file: names and numbers in any order, and one that is missing.
#[test]
fn a_loaded_state_needs_every_entry() {
    let (from, to) = (GradScaler::with("cpu", |o| o.init_scale(8.0)), GradScaler::new("cpu"));
    let mut state = from.state_dict();
    state.entries.reverse();
    to.load_state_dict(&state).unwrap();
    assert_eq!(to.get_scale(), 8.0);
    state.entries.retain(|(name, _)| name != "growth_factor");
    assert_eq!(to.load_state_dict(&state).unwrap_err().to_string(), "KeyError: 'growth_factor'");
    state.entries.push(("growth_factor".into(), OptionValue::None));
    assert!(to.load_state_dict(&state).is_err());
}

/// Two optimizers of one scaler: an infinity in one leaves out only its step, and shrinks the scale for both.
#[test]
fn an_infinity_leaves_out_one_optimizers_step() {
    let leaf = || from_vec(vec![1.0f32], [1]).requires_grad_(true);
    let (a, b) = (leaf(), leaf());
    let (first, second) = (SGD::new([&a], 0.5), SGD::new([&b], 0.5));
    let scaler = GradScaler::with("cpu", |o| o.init_scale(2.0));
    for loss in scaler.scale([a.sum(), b.sum() * f64::INFINITY]) {
        loss.backward();
    }
    scaler.step(&first);
    scaler.step(&second);
    scaler.update();
    assert_eq!((a.item(), b.item(), scaler.get_scale()), (0.5, 1.0, 1.0));
    scaler.update_with(|o| o.new_scale(NewScale::Number(4.0)));
    assert_eq!(scaler.get_scale(), 4.0);
}

#[test]
#[should_panic(expected = "The growth factor must be > 1.0.")]
fn a_growth_factor_grows() {
    let _ = GradScaler::with("cpu", |o| o.growth_factor(1.0));
}

#[test]
#[should_panic(expected = "The backoff factor must be < 1.0.")]
fn a_backoff_factor_shrinks() {
    let _ = GradScaler::with("cpu", |o| o.backoff_factor(1.0));
}
