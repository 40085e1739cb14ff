//! Optimizers' and schedulers' states, and checkpoints of them, against files of PyTorch.

mod all;
mod pass;
mod runs;

use all::{ALL, all_optimizer, all_steps, near, of_all_optimizers};
use flambeau_autograd::{Tensor, ones};
use flambeau_optim::StateDict;
use flambeau_serialize::{Error, Save, Value, dict, load, save};
use runs::{OPTIMIZERS, SCHEDULERS, of_optimizers, of_schedulers, optimizer, problem, scheduler, steps};
use std::path::PathBuf;

fn golden() -> Value<Tensor> {
    file("optimizers.pth")
}

fn file(name: &str) -> Value<Tensor> {
    load([env!("CARGO_MANIFEST_DIR"), "goldens", name].iter().collect::<PathBuf>()).unwrap()
}

/// Panics unless two values are of one structure, keys in one order, and their numbers near each other. Returns how many
/// tensors and numbers there were.
fn same(ours: &Value<Tensor>, theirs: &Value<Tensor>, what: &str) -> usize {
    same_to(ours, theirs, what, [1e-6, 1e-12])
}

/// [`same`] with the largest differences of tensors and of numbers.
fn same_to(ours: &Value<Tensor>, theirs: &Value<Tensor>, what: &str, near: [f64; 2]) -> usize {
    assert_eq!(ours.type_name(), theirs.type_name(), "{what}");
    match (ours, theirs) {
        (Value::Dict(a), Value::Dict(b)) => {
            let keys = |d: &flambeau_serialize::Dict<Tensor>| d.iter().map(|(k, _)| k.to_string()).collect::<Vec<_>>();
            assert_eq!(keys(a), keys(b), "{what}");
            a.iter().zip(b.iter()).map(|((k, a), (_, b))| same_to(a, b, &format!("{what}[{k}]"), near)).sum()
        }
        (Value::Tensor(a), Value::Tensor(b)) => {
            assert_eq!((a.dtype(), a.size()), (b.dtype(), b.size()), "{what}");
            let far = a.sub(b).abs() / b.abs().clamp_min(1);
            assert!(a.equal(b) || far.max().item() <= near[0], "{what}: {a} {b}");
            1
        }
        (Value::Float(a), Value::Float(b)) => {
            assert!(a == b || (a - b).abs() <= near[1] * b.abs().max(1.0), "{what}: {a} {b}");
            1
        }
        _ => match (ours.as_slice(), theirs.as_slice()) {
            (Some(a), Some(b)) => {
                assert_eq!(a.len(), b.len(), "{what}");
                a.iter().zip(b).enumerate().map(|(i, (a, b))| same_to(a, b, &format!("{what}[{i}]"), near)).sum()
            }
            _ => {
                assert_eq!(ours.to_string(), theirs.to_string(), "{what}");
                1
            }
        },
    }
}

/// What is saved here has PyTorch's keys in PyTorch's order, of PyTorch's types. A file on the way changes nothing.
#[test]
fn states_have_pytorchs_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.pth");
    save(dict! { "optimizers": of_optimizers(), "schedulers": of_schedulers() }, &path).unwrap();
    let compared = same(&load(&path).unwrap(), &golden(), "file");
    println!("count: {compared} tensors and numbers of optimizers and schedulers in PyTorch's form");
    assert!(compared > 400, "{compared}");
}

/// Optimizers go on from the states that PyTorch wrote.
#[test]
fn optimizers_go_on_from_pytorchs_states() {
    let golden = golden();
    for name in OPTIMIZERS {
        let theirs = &golden["optimizers"][name];
        let params: Vec<Tensor> = theirs["params"].extract().unwrap();
        let params: Vec<Tensor> = params.into_iter().map(|p| p.requires_grad_(true)).collect();
        let optimizer = optimizer(name, &params);
        optimizer.load_state_dict(&theirs["state"]).unwrap();
        steps(&optimizer, &params, 3..6);
        let after: Vec<Tensor> = theirs["after"].extract().unwrap();
        for (p, expected) in params.iter().zip(&after) {
            assert!(p.detach().sub(expected).abs().max().item() <= 1e-6, "{name}: {p} {expected}");
        }
    }
}

/// The other classes, named parameters and a tensor as a learning rate: from PyTorch's files, on as PyTorch, and into files of
/// PyTorch's form.
#[test]
fn all_optimizers_go_on_from_pytorchs_states_and_write_such() {
    let golden = file("all_optimizers.pth");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.pth");
    save(of_all_optimizers(), &path).unwrap();
    let ours = load(&path).unwrap();
    let mut compared = 0;
    for name in ALL {
        let theirs = &golden[name];
        compared += same_to(&ours[name], theirs, name, [near(name); 2]);
        let params: Vec<Tensor> = theirs["params"].extract().unwrap();
        let params: Vec<Tensor> = params.into_iter().map(|p| p.requires_grad_(true)).collect();
        let optimizer = all_optimizer(name, &params, 0.5);
        let state: StateDict = theirs["state"].extract().unwrap();
        optimizer.load_state_dict(&state).unwrap();
        let kept = optimizer.state_dict().to_value();
        // Counters that PyTorch rounds are not rounded on the way.
        compared += same_to(&kept, &theirs["state"], name, [1e-7; 2]);
        all_steps(name, &optimizer, &params, 3..6);
        let after: Vec<Tensor> = theirs["after"].extract().unwrap();
        for (p, expected) in params.iter().zip(&after) {
            let far = p.detach().sub(expected).abs() / expected.abs().clamp_min(1);
            assert!(far.max().item() <= near(name), "{name}: {p} {expected}");
        }
    }
    println!("count: {compared} tensors and numbers of all other optimizers in PyTorch's form");
    assert!(compared > 300, "{compared}");
}

/// Schedulers go on from the states that PyTorch wrote.
#[test]
fn schedulers_go_on_from_pytorchs_states() {
    let golden = golden();
    for name in SCHEDULERS {
        let theirs = &golden["schedulers"][name];
        let optimizer = optimizer("SGD", &problem());
        let scheduler = scheduler(name, &optimizer);
        optimizer.load_state_dict(StateDict::try_from(&theirs["optimizer"]).unwrap()).unwrap();
        scheduler.load_state_dict(&theirs["state"]).unwrap();
        for expected in theirs["rates"].extract::<Vec<Vec<f64>>>().unwrap() {
            optimizer.step();
            scheduler.step();
            let near = scheduler.get_last_lr().iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-12);
            assert!(near, "{name}: {:?} {expected:?}", scheduler.get_last_lr());
        }
    }
}

/// Whatever state PyTorch wrote of whatever class: through the class of this library it stays the same, in every bit.
#[test]
fn states_of_every_class_pass_through_unchanged() {
    let theirs = file("states.pth");
    let compared = same_to(&pass::passed(&theirs), &theirs, "states", [0.0; 2]);
    println!("count: {compared} numbers and tensors of 56 optimizers, 64 schedulers and 4 scalers unchanged");
    assert!(compared > 1500, "{compared}");
}

#[test]
fn a_checkpoint_holds_what_python_programs_put_in() {
    use flambeau_nn::{Linear, Module, StateDict};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.pth");
    let (model, params) = (Linear::new(3, 2), problem());
    let optimizer = optimizer("Adam", &params);
    steps(&optimizer, &params, 0..2);
    let (epoch, best): (usize, Option<f64>) = (3, None);
    let checkpoint = dict! {
        "epoch" => epoch,
        "model" => model.state_dict(),
        "optimizer" => optimizer.state_dict(),
        "loss" => 0.5,
        "best" => best,
        "name" => "net",
        "weight" => &model.weight,
        "history" => vec![dict! { "lr" => 1e-3_f32 as f64, "ok" => true }],
        0 => u64::MAX,
        "epoch" => epoch + 1,
    };
    save(&checkpoint, &path).unwrap();
    let read = load(&path).unwrap();
    assert_eq!(
        read.keys().collect::<Vec<_>>(),
        ["epoch", "model", "optimizer", "loss", "best", "name", "weight", "history", "0"]
    );
    let (epoch, loss, name): (i64, f64, String) =
        (read["epoch"].extract().unwrap(), read["loss"].extract().unwrap(), read["name"].extract().unwrap());
    assert_eq!((epoch, loss, name.as_str()), (4, 0.5, "net"));
    assert_eq!(read["best"].extract::<Option<f64>>().unwrap(), None);
    assert!(read["history"][0]["ok"].extract::<bool>().unwrap());
    assert_eq!(read[0].to_string(), "0xffffffffffffffff");
    assert!(read.contains_key("model") && !read.contains_key("models"));
    // In one file with the model, the parameter is the model's own memory.
    let weight: Tensor = read["weight"].extract().unwrap();
    let state: StateDict = read["model"].extract().unwrap();
    weight.detach().fill_(2.0);
    assert_eq!(state["weight"].sum().item(), 12.0);
    model.load_state_dict(&state).unwrap();
    optimizer.load_state_dict(&read["optimizer"]).unwrap();
    let names: Vec<&str> = (&state).into_iter().map(|(name, _)| name).collect();
    assert_eq!((names, state.keys().count()), (vec!["weight", "bias"], 2));
    let one: Tensor = {
        save(ones([2]), &path).unwrap();
        load(&path).unwrap().try_into().unwrap()
    };
    assert_eq!(one.to_vec::<f32>(), [1.0, 1.0]);
}

#[test]
fn wrong_types_and_keys_are_told() {
    let value = dict! { "epoch": 3, "name": "net", "w": ones([2]), "list": [1.5, 2.5], "none": None::<i64> };
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(value["name"].extract::<i64>().unwrap_err()),
        "checkpoint['name']: expected an int, but found a str: 'net'"
    );
    assert_eq!(
        message(value["w"].extract::<f64>().unwrap_err()),
        "checkpoint['w']: expected a float, but found a Tensor"
    );
    assert_eq!(
        message(value["epoch"].extract::<Tensor>().unwrap_err()),
        "checkpoint['epoch']: expected a Tensor, but found an int: 3"
    );
    assert_eq!(
        message(value["none"].extract::<String>().unwrap_err()),
        "checkpoint['none']: expected a str, but found None"
    );
    assert_eq!(
        message(value["list"].extract::<Vec<i64>>().unwrap_err()),
        "checkpoint['list'][0]: expected an int, but found a float: 1.5"
    );
    assert_eq!(
        message(dict! { "n": -1 }["n"].extract::<usize>().unwrap_err()),
        "checkpoint['n']: expected an int that fits usize, but found an int: -1"
    );
    let adam = message(StateDict::try_from(&value).unwrap_err());
    assert_eq!(adam, "expected an optimizer's state_dict, with 'state' and 'param_groups', but found a dict");
    let state = message(flambeau_nn::StateDict::try_from(value.clone()).unwrap_err());
    assert_eq!(state, "checkpoint['epoch']: expected a Tensor, but found an int: 3");
    let panic = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    assert_eq!(
        panic(&|| drop(value["epochs"].to_string())),
        "KeyError: 'epochs' (the keys are [\"epoch\", \"name\", \"w\", \"list\", \"none\"])"
    );
    assert_eq!(panic(&|| drop(value["epoch"]["x"].to_string())), "TypeError: 'int' object is not subscriptable");
    assert_eq!(
        panic(&|| drop(value["list"]["x"].to_string())),
        "TypeError: list indices must be integers or slices, not str"
    );
    assert_eq!(panic(&|| drop(value["list"][2].to_string())), "IndexError: list index out of range");
}

/// The texts are what Python's `print` shows of these values.
#[test]
fn values_print_as_in_python() {
    let inner = Value::ordered_dict([("a", Value::Tuple(vec![Value::Int(1)])), ("b", Value::Size(vec![2, 3]))]);
    let value = dict! { "it's": "a\n\"b\"", "x": [0.5, 1.0], "t": true, "n": None::<i64>, "o": inner, "e": 1e-7 };
    let expected = "{\"it's\": 'a\\n\"b\"', 'x': [0.5, 1.0], 't': True, 'n': None, 'o': OrderedDict([('a', (1,)), ('b', \
                    torch.Size([2, 3]))]), 'e': 1e-07}";
    assert_eq!(value.to_string(), expected);
    assert_eq!(value["it's"].to_string(), "a\n\"b\"");
    assert_eq!(dict! { "w": ones([2]) }.to_string(), "{'w': tensor([1., 1.])}");
    let state: flambeau_nn::StateDict = ["w", "b"].into_iter().map(|name| (name.to_owned(), ones([1]))).collect();
    assert_eq!(state.to_string(), "OrderedDict([('w', tensor([1.])), ('b', tensor([1.]))])");
}
