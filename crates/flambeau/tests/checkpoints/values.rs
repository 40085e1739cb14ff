//! What was loaded: looked into, matched, changed, converted, and what errors say.

use super::{Done, Net, Scratch};
use std::collections::BTreeMap;
use torch::Value;
use torch::prelude::*;

fn example() -> Value {
    torch::dict! {
        "epoch": 3,
        "arch": "resnet18",
        "model": Net::new(3).state_dict(),
        "losses": [0.5, 0.25],
        "best": None::<f64>,
        "args": torch::dict! { "lr": 0.1, "betas": (0.9, 0.999), "amp": false, "names": vec!["a", "b"] },
        "classes": BTreeMap::from([(0, "cat"), (1, "dog")]),
        "raw": vec![1_u8, 2, 255],
    }
}

#[test]
fn a_checkpoint_is_looked_into() -> Done {
    let scratch = Scratch::new("look");
    let path = scratch.file("checkpoint.pth");
    torch::save(example(), &path)?;
    let checkpoint = torch::load(&path)?;
    // print(checkpoint.keys()); len(checkpoint); 'epoch' in checkpoint
    let keys: Vec<String> = checkpoint.keys().map(String::from).collect();
    assert_eq!(keys.join(" "), "epoch arch model losses best args classes raw");
    assert!(checkpoint.len() == 8 && checkpoint.contains_key("epoch") && !checkpoint.contains_key("scheduler"));
    // checkpoint.get('start', 0)
    let start: i64 = checkpoint.get_or("start", 0)?;
    let epoch = checkpoint.get("epoch").and_then(|v| v.as_i64()).unwrap_or(0);
    assert_eq!((start, epoch), (0, 3));
    // if checkpoint['best'] is None
    assert!(checkpoint["best"].is_none() && checkpoint["best"].extract::<Option<f64>>()?.is_none());
    // checkpoint['args']['betas'][1]
    assert!(checkpoint["args"]["betas"][1] == 0.999 && checkpoint["args"]["lr"] == 0.1);
    assert!(checkpoint["arch"] == "resnet18" && checkpoint["epoch"] == 3 && checkpoint["args"]["amp"] == false);
    // checkpoint['classes'][1]
    assert_eq!(checkpoint["classes"][1].as_str(), Some("dog"));
    let classes: BTreeMap<i64, String> = checkpoint["classes"].extract()?;
    assert_eq!(classes[&0], "cat");
    assert_eq!(checkpoint["raw"].extract::<Vec<u8>>()?, [1, 2, 255]);
    // total = sum(p.numel() for p in checkpoint['model'].values())
    let total: usize = checkpoint["model"].values().map(|p| p.numel()).sum();
    assert_eq!(total, 4 * 8 + 8 + 4 * 8 + 1 + 8 * 3 + 3);
    // for name, param in checkpoint['model'].items(): if name.startswith('fc'): print(name, param.shape, param.dtype)
    let mut lines = Vec::new();
    for (name, param) in checkpoint["model"].items() {
        if name.starts_with("fc") {
            lines.push(format!("{name} {} {}", param.shape(), param.dtype()));
        }
    }
    assert_eq!(lines, ["fc.weight torch.Size([3, 8]) torch.float32", "fc.bias torch.Size([3]) torch.float32"]);
    // for loss in checkpoint['losses']: total += loss
    let mut sum = 0.0;
    for loss in &checkpoint["losses"] {
        sum += loss.extract::<f64>()?;
    }
    assert_eq!(sum, 0.75);
    // for k in checkpoint['model']: print(checkpoint['model'][k].mean())
    for k in checkpoint["model"].keys() {
        assert!(checkpoint["model"][&k].float().mean().item().is_finite());
    }
    // y = F.linear(x, checkpoint['model']['fc.weight'], checkpoint['model']['fc.bias'])
    let y = F::linear(torch::ones((2, 8)), &checkpoint["model"]["fc.weight"], &checkpoint["model"]["fc.bias"]);
    assert_eq!(y.size(), [2, 3]);
    println!("{checkpoint}");
    Ok(())
}

/// isinstance of everything that a file can hold.
fn describe(value: &Value) -> String {
    match value {
        Value::Tensor(t) => format!("tensor {}", t.shape()),
        Value::Dict(dict) => format!("dict of {}", dict.items.len()),
        Value::List(items) | Value::Tuple(items) => items.iter().map(describe).collect::<Vec<_>>().join("+"),
        Value::Int(n) => format!("int {n}"),
        Value::Float(x) => format!("float {x}"),
        Value::Str(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::None => "nothing".into(),
        other => other.type_name().to_owned(),
    }
}

#[test]
fn what_was_loaded_is_matched() -> Done {
    let _turn = Scratch::new("match");
    let checkpoint = example();
    let described: Vec<String> = checkpoint.values().map(describe).collect();
    assert_eq!(
        described.join(", "),
        "int 3, resnet18, dict of 9, float 0.5+float 0.25, nothing, dict of 4, dict of 2, bytes"
    );
    // if isinstance(checkpoint, dict) and 'state_dict' in checkpoint: … else: …
    let state_dict =
        if checkpoint.contains_key("state_dict") { &checkpoint["state_dict"] } else { &checkpoint["model"] };
    Net::new(3).load_state_dict(state_dict)?;
    let epoch = match checkpoint["epoch"] {
        Value::Int(epoch) => epoch,
        _ => 0,
    };
    let tensors = checkpoint["model"].values().filter(|v| matches!(v, Value::Tensor(_))).count();
    assert_eq!((epoch, tensors), (3, 9));
    assert!(checkpoint["model"].as_dict().is_some() && checkpoint["losses"].as_slice().is_some());
    Ok(())
}

#[test]
fn a_checkpoint_is_changed_and_saved_again() -> Done {
    let scratch = Scratch::new("change");
    let path = scratch.file("checkpoint.pth");
    torch::save(example(), &path)?;
    let mut checkpoint = torch::load(&path)?;
    // checkpoint['epoch'] = 4; checkpoint['losses'].append(0.125); del checkpoint['args']; checkpoint['tag'] = 'v2'
    checkpoint["epoch"] = 4.into();
    checkpoint["losses"].push(0.125);
    checkpoint.remove("args");
    checkpoint["tag"] = "v2".into();
    checkpoint.insert("scores", (0.5, [1, 2]));
    // checkpoint['model']['fc.weight'] = torch.zeros(3, 8); weight = checkpoint['model'].pop('fc.bias')
    checkpoint["model"]["fc.weight"] = torch::zeros((3, 8)).into();
    let bias = checkpoint["model"].pop("fc.bias");
    checkpoint["model"].insert("head.bias", bias);
    torch::save(&checkpoint, &path)?;
    let again = torch::load(&path)?;
    let keys: Vec<String> = again.keys().map(String::from).collect();
    assert_eq!(keys.join(" "), "epoch arch model losses best classes raw tag scores");
    assert!(again["epoch"] == 4 && again["tag"] == "v2" && again["losses"][2] == 0.125 && again["scores"][1][1] == 2);
    assert_eq!(again["model"]["fc.weight"].sum().item(), 0.0);
    // The modules' versions stay in the file.
    let state: nn::StateDict = again["model"].extract()?;
    assert_eq!(state.version("backbone.1"), Some(2));
    assert!(state.contains_key("head.bias"));
    // A dictionary built up: checkpoint = {}; checkpoint['model'] = model.state_dict()
    let model = Net::new(3);
    let mut built = torch::dict! {};
    built["model"] = model.state_dict().into();
    built.insert("epoch", 1);
    torch::save(&built, &path)?;
    model.load_state_dict(&torch::load(&path)?["model"])?;
    Ok(())
}

#[test]
fn errors_name_the_keys() -> Done {
    let _turn = Scratch::new("errors");
    let checkpoint = torch::dict! { "model": torch::dict! { "fc.weight": 3, "fc.bias": torch::zeros(3) }, "epoch": "three",
    "optimizer": torch::dict! { "state": torch::dict! {}, "param_groups": [torch::dict! { "params": ["w"] }] } };
    let state = checkpoint["model"].extract::<nn::StateDict>().unwrap_err();
    assert_eq!(state.to_string(), "checkpoint['model']['fc.weight']: expected a Tensor, but found an int: 3");
    let epoch = checkpoint["epoch"].extract::<i64>().unwrap_err();
    assert_eq!(epoch.to_string(), "checkpoint['epoch']: expected an int, but found a str: 'three'");
    // A module says what PyTorch's says.
    let linear = nn::sequential!["fc" => nn::Linear::new(2, 3)];
    assert_eq!(
        linear.load_state_dict(&checkpoint["model"]).unwrap_err().to_string(),
        "Error(s) in loading state_dict for Sequential:\n\tWhile copying the parameter named \"fc.weight\", expected torch.Tensor or \
         Tensor-like object from checkpoint but received <class 'int'>"
    );
    let error = linear.load_state_dict(&checkpoint["epoch"]).unwrap_err().to_string();
    assert_eq!(error, "Expected state_dict to be dict-like, got <class 'str'>.");
    let optimizer = optim::SGD::new(linear.parameters(), 0.1);
    assert_eq!(
        optimizer.load_state_dict(&checkpoint["optimizer"]).unwrap_err().to_string(),
        "checkpoint['optimizer']['param_groups'][0]['params'][0]: expected an int, but found a str: 'w'"
    );
    let error = optimizer.load_state_dict(&checkpoint["model"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "checkpoint['model']: expected an optimizer's state_dict, with 'state' and 'param_groups', but found a dict"
    );
    for (name, value) in checkpoint["model"].items().take(1) {
        assert_eq!(
            value.extract::<Tensor>().unwrap_err().to_string(),
            format!("checkpoint['model']['{name}']: expected a Tensor, but found an int: 3")
        );
    }
    Ok(())
}
