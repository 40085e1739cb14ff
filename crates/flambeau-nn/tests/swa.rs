//! Averages of weights and `update_bn` against PyTorch's: `goldens/random_swa.py` of flambeau-testkit drew and ran them.

use flambeau_autograd::{Tensor, from_vec, ones_with};
use flambeau_nn::swa_utils::{
    AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_avg_fn, get_swa_multi_avg_fn, update_bn,
};
use flambeau_nn::{self as nn, Forward, Module, Sequential, StateDict};
use flambeau_tensor::DType;
use serde_json::Value;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn rows() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flambeau-testkit/goldens/data/random_swa.jsonl.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("goldens of averages");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn catch<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text").to_owned()
    })
}

fn dtype(name: &Value) -> DType {
    match name.as_str().unwrap() {
        "float32" => DType::F32,
        "float64" => DType::F64,
        "int64" => DType::I64,
        other => panic!("{other}"),
    }
}

fn numbers(golden: &Value) -> Vec<f64> {
    golden["v"].as_array().unwrap().iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn tensor(golden: &Value) -> Tensor {
    let shape: Vec<usize> = golden["s"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    from_vec(numbers(golden), shape).to(dtype(&golden["t"]))
}

/// Writes numbers into all parameters and buffers.
fn set(model: &dyn Module, goldens: &Value) {
    let tensors = model.parameters().into_iter().chain(model.buffers());
    let goldens = goldens.as_array().unwrap();
    for (x, golden) in tensors.zip(goldens) {
        x.detach().copy_(tensor(golden));
    }
}

/// Panics unless a state dict has PyTorch's names in its order, dtypes and numbers.
fn same(actual: &StateDict, expected: &Value) {
    let expected = expected.as_array().unwrap();
    let names: Vec<&str> = expected.iter().map(|entry| entry[0].as_str().unwrap()).collect();
    assert_eq!(actual.keys().collect::<Vec<_>>(), names);
    for (name, golden) in names.into_iter().zip(expected.iter().map(|entry| &entry[1])) {
        let x = actual.get(name).unwrap();
        assert_eq!(x.dtype(), dtype(&golden["t"]), "{name}");
        let bound = if x.dtype() == DType::F32 { 1e-6 } else { 1e-13 };
        let theirs = numbers(golden);
        for (a, b) in x.double().to_vec::<f64>().into_iter().zip(&theirs) {
            assert!((a - b).abs() <= bound * (1.0 + b.abs()), "{name}: {x} {theirs:?}");
        }
    }
}

fn model(name: &str, dtype: DType) -> Sequential {
    let linear = || nn::Linear::with(3, 2, |o| o.dtype(dtype));
    match name {
        "linear" => nn::sequential![linear()],
        _ => nn::sequential![linear(), nn::BatchNorm1d::with(2, |o| o.dtype(dtype))],
    }
}

fn averaged(row: &Value, model: &Sequential) -> AveragedModel<Sequential> {
    let decay = row["decay"].as_f64().unwrap();
    AveragedModel::with(model, |o| {
        let o = o.use_buffers(row["use_buffers"].as_bool().unwrap());
        match row["function"].as_str() {
            None => o,
            Some("ema") => o.avg_fn(get_ema_avg_fn(decay)),
            Some("swa") => o.avg_fn(get_swa_avg_fn()),
            Some("ema_multi") => o.multi_avg_fn(get_ema_multi_avg_fn(decay)),
            Some(_) => o.multi_avg_fn(get_swa_multi_avg_fn()),
        }
    })
}

/// Runs a row; whether PyTorch refuses something in it.
fn average(row: &Value) -> bool {
    let model = model(row["model"].as_str().unwrap(), dtype(&row["dtype"]));
    set(&model, &row["start"]);
    let made = catch(|| averaged(row, &model));
    if let Some(error) = row.get("error") {
        assert_eq!(made.err().as_deref(), error["message"].as_str());
        return true;
    }
    let averaged = made.unwrap();
    for update in row["updates"].as_array().unwrap() {
        set(&model, &update["weights"]);
        let updated = catch(|| averaged.update_parameters(&model));
        if let Some(error) = update.get("error") {
            assert_eq!(updated.err().as_deref(), error["message"].as_str());
            return true;
        }
        updated.unwrap();
        same(&averaged.state_dict(), &update["state"]);
        // PyTorch's state loads: into a copy that knows nothing, and the numbers are the same again.
        let second = AveragedModel::new(&model);
        second.load_state_dict(&averaged.state_dict()).unwrap();
        same(&second.state_dict(), &update["state"]);
    }
    false
}

fn bn(row: &Value) {
    let momentum = row["momentum"].as_f64();
    let model = nn::sequential![nn::BatchNorm1d::with(2, |o| o.momentum(momentum).dtype(DType::F64))];
    let training = row["training"].as_bool().unwrap();
    model.train_mode(training);
    set(&model, &row["start"]);
    let batches: Vec<Tensor> = row["batches"].as_array().unwrap().iter().map(tensor).collect();
    if row["tuple"].as_bool().unwrap() {
        update_bn(batches.into_iter().map(|x| (x, ())), &model);
    } else {
        update_bn(batches, &model);
    }
    same(&model.state_dict(), &row["state"]);
    assert_eq!((model.training(), model[0].as_module().training()), (training, training));
    model.train();
    model.call(ones_with([2, 2], |o| o.dtype(DType::F64)));
    same(&model.state_dict(), &row["then"]);
}

#[test]
fn averages_are_pytorchs() {
    let (mut failures, mut ran, mut refused) = (Vec::new(), [0, 0], 0);
    for (i, row) in rows().iter().enumerate() {
        let average_row = row["what"] == "average";
        ran[usize::from(!average_row)] += 1;
        let result = catch(|| if average_row { refused += usize::from(average(row)) } else { bn(row) });
        if let Err(what) = result {
            failures.push(format!("{i} {} {} {}: {what}", row["model"], row["function"], row["use_buffers"]));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    println!("count: {ran:?} rows of averages and of update_bn agree with PyTorch, {refused} of them refuse");
    assert!(ran[0] >= 160 && ran[1] >= 40 && refused >= 10, "{ran:?} {refused}");
}

#[test]
fn an_averaged_model_is_a_module() {
    let model = nn::Linear::new(2, 1);
    let both = |o: flambeau_nn::swa_utils::AveragedModelOptions| {
        o.avg_fn(|average, _, _| average.shallow_clone()).multi_avg_fn(|_, _, _| ())
    };
    let words = catch(|| AveragedModel::with(&model, both)).err();
    assert_eq!(words.as_deref(), Some("Only one of avg_fn and multi_avg_fn should be provided"));
    let averaged = AveragedModel::with(&model, |o| o.avg_fn(|average, x, _| average * 0.25 + x * 0.75));
    let expected = "AveragedModel(\n  (module): Linear(in_features=2, out_features=1, bias=True)\n)";
    assert_eq!(averaged.to_string(), expected);
    let before = averaged.module.weight.detach().clone();
    model.weight.data().fill_(3.0);
    assert!(averaged.module.weight.equal(&before), "the copy has memory of its own");
    for _ in 0..2 {
        averaged.update_parameters(&model);
    }
    let copy = averaged.deepcopy();
    assert_eq!((copy.n_averaged.item(), averaged.forward_once()), (2.0, copy.forward_once()));
    // A copy goes on in its own memory, by the same function.
    model.weight.data().fill_(7.0);
    copy.update_parameters(&model);
    assert_eq!(copy.module.weight.to_vec::<f32>(), [6.0, 6.0]);
    assert_eq!(averaged.module.weight.to_vec::<f32>(), [3.0, 3.0]);
    averaged.train();
    assert!(averaged.training() && averaged.module.training());
}

/// What a module computes of ones.
trait Once: Forward {
    fn forward_once(&self) -> Vec<f32> {
        let _guard = flambeau_autograd::no_grad();
        self.call_ref(&flambeau_autograd::ones([1, 2])).to_vec()
    }
}
impl<M: Forward> Once for M {}
