//! Models against torchvision's: the state dict's keys, shapes and first bits, the print, logits in evaluation and in training, a
//! gradient. `goldens/make_goldens.py` asked torchvision. `FLAMBEAU_ALL_MODELS=1` looks at the large ones too; a name in its
//! place at the cases of that name.

// One test alone in its program: all draw from the default generator.
mod goldens;

use flambeau_autograd::{Tensor, no_grad, rand, randn};
use flambeau_device::manual_seed;
use flambeau_nn::init;
use flambeau_tensor::DType;
use flate2::read::GzDecoder;
use goldens::{Net, make};
use md5::{Digest, Md5};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::time::Instant;

fn hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes of the first and last 64 elements.
fn ends(tensor: &Tensor, out: &mut Vec<u8>) {
    let flat = tensor.detach().flatten(0);
    let n = flat.numel();
    for part in [flat.narrow(0, 0, n.min(64)), flat.narrow(0, n - n.min(64), n.min(64))] {
        match part.dtype() {
            DType::F32 => part.to_vec::<f32>().iter().for_each(|x| out.extend(x.to_le_bytes())),
            _ => part.to_vec::<i64>().iter().for_each(|x| out.extend(x.to_le_bytes())),
        }
    }
}

fn check_state(net: &dyn Net, row: &Value, problems: &mut Vec<String>) {
    let state = net.state_dict();
    let lines = state.iter().map(|(key, x)| {
        let dims: Vec<String> = x.size().iter().map(ToString::to_string).collect();
        format!("{key} [{}] {}", dims.join(", "), x.dtype())
    });
    let keys = lines.collect::<Vec<_>>().join("\n");
    let mut bits = Vec::new();
    state.values().for_each(|x| ends(x, &mut bits));
    let parameters: usize = net.parameters().iter().map(Tensor::numel).sum();
    let mut check = |what: &str, equal: bool| {
        if !equal {
            problems.push(format!("{what} differs"));
        }
    };
    check("parameters", row["parameters"].as_u64() == Some(parameters as u64));
    check("keys", row["keys"].as_str() == Some(&hex(keys.as_bytes())));
    check("print", row["print"].as_str() == Some(&hex(net.repr().as_bytes())));
    check("first bits", row["bits"].as_str() == Some(&hex(&bits)));
    for some in row["some"].as_array().unwrap() {
        let (key, sum) = (some[0].as_str().unwrap(), some[1].as_f64().unwrap());
        match state.get(key) {
            None => check(&format!("no {key}: keys"), false),
            Some(x) => {
                let found = x.double().sum().item();
                check(&format!("{key}: sum {found}, not {sum}: it"), (found - sum).abs() <= 1e-9 * x.numel() as f64);
            }
        }
    }
}

/// Each output's sampled logits against the goldens: the largest difference by the largest number.
fn compare(what: &str, found: &[Tensor], expected: &Value, tolerance: f64, problems: &mut Vec<String>) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let [_, classes] = found.sizes();
        let rows = found.detach().double().to_vec::<f64>();
        let found = rows.chunks(classes).flat_map(|row| row.iter().step_by(97)).copied();
        let pairs: Vec<_> = found.zip(expected.as_array().unwrap().iter().map(|x| x.as_f64().unwrap())).collect();
        let largest = pairs.iter().map(|(_, e)| e.abs()).fold(0.0, f64::max);
        let error = pairs.iter().map(|(f, e)| (f - e).abs()).fold(0.0, f64::max) / largest;
        if error.is_nan() || error > tolerance {
            problems.push(format!("{what}: logits are {error:.1e} away"));
        }
    }
}

/// A number against its golden, relatively.
fn close(what: &str, found: f64, expected: &Value, tolerance: f64, problems: &mut Vec<String>) {
    let expected = expected.as_f64().unwrap();
    let error = (found - expected).abs();
    if error.is_nan() || error > tolerance * expected.abs().max(1e-6) {
        problems.push(format!("{what}: {found}, not {expected}"));
    }
}

fn check_outputs(net: &dyn Net, row: &Value, problems: &mut Vec<String>) {
    if let Some(head) = net.head() {
        manual_seed(3);
        init::normal_(head, 0.0, 0.02);
    }
    manual_seed(1);
    let x = randn((2, 3, row["size"].as_i64().unwrap(), row["size"].as_i64().unwrap()));
    net.as_module().train_mode(false);
    {
        let _guard = no_grad();
        compare("eval", &net.outputs(&x), &row["eval"], 1e-4, problems);
    }
    net.as_module().train_mode(true);
    {
        let _guard = no_grad();
        manual_seed(2);
        // Wide first numbers behind many normalisations.
        let tolerance = if row["name"] == "inception_v3" { 1e-3 } else { 1e-4 };
        compare("train", &net.outputs(&x), &row["train"], tolerance, problems);
    }
    let buffers = net.buffers();
    let floats = buffers.iter().filter(|b| b.is_floating_point());
    let statistics: f64 = floats.map(|b| b.double().sum().item()).sum();
    close("statistics", statistics, &row["statistics"], 1e-4, problems);
    // Normalisation over few numbers amplifies rounding: gradients are compared in float64.
    net.as_module().double();
    manual_seed(2);
    let y = net.outputs(&x.double());
    compare("double", &y, &row["double"], 1e-8, problems);
    y.iter().map(|y| y.square().mean()).reduce(|a, b| a + b).unwrap().backward();
    let grads: Vec<Tensor> = net.parameters().iter().filter_map(Tensor::grad).collect();
    for (i, expected) in [0, grads.len() / 2, grads.len() - 1].into_iter().zip(row["grad"].as_array().unwrap()) {
        close("grad", grads[i].abs().sum().item(), expected, 1e-6, problems);
    }
}

#[test]
fn models_are_torchvisions() {
    let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/models.jsonl.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let chosen = std::env::var("FLAMBEAU_ALL_MODELS").ok();
    let (mut failures, mut looked) = (Vec::new(), 0);
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["name"].as_str().unwrap();
        let wanted = match chosen.as_deref() {
            None => row["quick"].as_bool().unwrap(),
            Some("1") => true,
            Some(other) => name == other,
        };
        if !wanted {
            continue;
        }
        let start = Instant::now();
        manual_seed(0);
        let net = make(name, &row["keywords"]);
        let mut problems = Vec::new();
        if rand(1).item() != row["next"].as_f64().unwrap() {
            problems.push("another count of random numbers was drawn".into());
        }
        let made = start.elapsed();
        check_state(&*net, &row, &mut problems);
        if row.get("size").is_some() {
            check_outputs(&*net, &row, &mut problems);
        }
        looked += 1;
        println!("{name} {}: {made:.2?} {:.2?} {problems:?}", row["keywords"], start.elapsed());
        if !problems.is_empty() {
            failures.push(format!("{name} {}: {}", row["keywords"], problems.join("; ")));
        }
    }
    println!("{looked} cases");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
