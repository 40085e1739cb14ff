//! Tensors to files and back. `goldens/check_tensors.py` reads what `cargo run --example write_tensors` writes with PyTorch.

use flambeau_autograd::{Tensor, arange, from_vec, ones, zeros};
use flambeau_serialize::{Error, Save, Value, dict, load, save};
use flambeau_tensor::DType;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "goldens", &format!("{name}.pth")].iter().collect()
}

fn tensor<'a>(value: &'a Value<Tensor>, key: &str) -> &'a Tensor {
    value.get(key).and_then(Value::as_tensor).unwrap()
}

#[test]
fn every_dtype_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dtypes.pth");
    let x = from_vec(vec![0.0_f64, 1.0, 2.5, 100.0], [2, 2]);
    let all: Vec<(String, Tensor)> = DType::ALL.iter().map(|&d| (d.to_string(), x.to(d))).collect();
    save(all.iter().map(|(name, t)| (name, t)).collect::<std::collections::HashMap<_, _>>(), &path).unwrap();
    for (name, read) in load(&path).unwrap().into_state_dict().unwrap() {
        let written = &all.iter().find(|(n, _)| *n == name).unwrap().1;
        assert_eq!((read.dtype(), read.size()), (written.dtype(), written.size()), "{name}");
        assert_eq!(read.double().to_vec::<f64>(), written.double().to_vec::<f64>(), "{name}");
    }
}

#[test]
fn memory_that_is_shared_stays_shared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.pth");
    let base = arange(12).float().view([3, 4]);
    let value = Value::dict([
        ("base", Value::from(&base)),
        ("transposed", Value::from(base.transpose(0, 1))),
        ("column", Value::from(base.select(1, 1))),
        ("again", Value::from(&base)),
    ]);
    save(&value, &path).unwrap();
    let read = load(&path).unwrap();
    let transposed = tensor(&read, "transposed");
    assert_eq!((transposed.size(), transposed.stride()), (base.transpose(0, 1).size(), vec![1, 4]));
    assert_eq!(tensor(&read, "column").contiguous().to_vec::<f32>(), [1.0, 5.0, 9.0]);
    tensor(&read, "base").fill_(7.0);
    assert_eq!(tensor(&read, "column").contiguous().to_vec::<f32>(), [7.0; 3]);
    assert_eq!(tensor(&read, "again").to_vec::<f32>(), [7.0; 12]);
    assert!(std::fs::metadata(&path).unwrap().len() < 3000, "one storage of 48 bytes");
}

#[test]
fn flags_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.pth");
    let tensors = [
        ("plain", ones([2])),
        ("leaf", ones([2]).requires_grad_(true)),
        ("parameter", ones([2]).into_parameter(true)),
        ("frozen", ones([2]).into_parameter(false)),
    ];
    save(std::collections::BTreeMap::from_iter(tensors.iter().map(|(name, t)| (name, t))), &path).unwrap();
    let flags = |t: &Tensor| (t.requires_grad(), t.is_parameter(), t.is_leaf());
    for (name, read) in load(&path).unwrap().into_state_dict().unwrap() {
        let written = &tensors.iter().find(|(n, _)| *n == name).unwrap().1;
        assert_eq!(flags(&read), flags(written), "{name}");
    }
}

#[test]
fn files_of_pytorch_are_read() {
    let views = load(golden("views")).unwrap();
    let base = tensor(&views, "base");
    assert_eq!(base.to_vec::<f32>(), (0..12).map(|i| i as f32).collect::<Vec<_>>());
    let steps = tensor(&views, "steps");
    assert_eq!((steps.stride(), steps.storage_offset()), (vec![4, 2], 4));
    base.zero_();
    assert_eq!(steps.contiguous().to_vec::<f32>(), [0.0; 4]);

    let checkpoint = load(golden("checkpoint")).unwrap();
    assert!(checkpoint.as_dict().is_some());
    let message = checkpoint.into_state_dict().unwrap_err().to_string();
    assert_eq!(message, "checkpoint['model']: expected a Tensor, but found an OrderedDict");
    let parameter = load(golden("parameter")).unwrap();
    let mut parameters = Vec::new();
    let mut collect = |t: &Tensor| {
        parameters.push(t.is_parameter());
        Ok::<_, Error>(())
    };
    parameter.try_map(&mut collect).unwrap();
    assert!(parameters.contains(&true), "{parameters:?}");
}

#[test]
fn small_and_empty_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.pth");
    save(dict! { "scalar": flambeau_autograd::full([0_i64; 0], 1.5), "empty": zeros([0, 3]) }, &path).unwrap();
    let read = load(&path).unwrap();
    assert_eq!((tensor(&read, "scalar").dim(), tensor(&read, "scalar").item()), (0, 1.5));
    assert_eq!(tensor(&read, "empty").size(), [0, 3]);
    save(ones([2]), &path).unwrap();
    assert_eq!(load(&path).unwrap().as_tensor().unwrap().to_vec::<f32>(), [1.0, 1.0]);
    assert!(matches!(load(folder.path().join("none.pth")), Err(Error::Io { .. })));
    assert_eq!(vec![ones([1])].to_value().as_slice().unwrap().len(), 1);
}

#[test]
fn versions_of_modules_come_back_and_decide_what_may_be_missing() {
    use flambeau_nn::{BatchNorm1d, Linear, Module, Sequential, StateDict};
    let net = Sequential::new((Linear::new(2, 3), BatchNorm1d::new(3)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    let read = |path: &std::path::Path| StateDict::try_from(load(path).unwrap()).unwrap();
    save(net.state_dict(), &path).unwrap();
    let state = read(&path);
    assert_eq!(state.versions(), net.state_dict().versions());
    net.load_state_dict(&state).unwrap();
    // A file without the count of batches: an error where it says version 2, none where it says less or nothing.
    let mut old = net.state_dict();
    old.remove("1.num_batches_tracked");
    save(&old, &path).unwrap();
    assert!(net.load_state_dict(read(&path)).is_err());
    old.set_versions([("1".to_owned(), 1)]);
    save(&old, &path).unwrap();
    net.load_state_dict(read(&path)).unwrap();
    let plain: StateDict = old.items().collect();
    save(&plain, &path).unwrap();
    let plain = read(&path);
    assert!(plain.versions().is_none());
    net.load_state_dict(&plain).unwrap();
    // PyTorch's own file of a module.
    let theirs = StateDict::try_from(load(golden("state_dict")).unwrap()).unwrap();
    assert!(theirs.versions().unwrap().iter().any(|(module, version)| module.is_empty() && *version == 1));
}

/// `goldens/attention.py`: PyTorch's attention and transformer, loaded strictly, compute what they computed there.
#[test]
fn attention_and_a_transformer_of_pytorch_compute_the_same() {
    use flambeau_nn::{self as nn, Module};
    let file = load(golden("attention")).unwrap();
    let state = |key: &str| file[key].extract::<nn::StateDict>().unwrap();
    let near = |a: &Tensor, key: &str| {
        let gap = (a - tensor(&file, key)).abs().max().item();
        assert!(gap < 1e-5, "{key}: {gap}");
    };
    let attention = nn::MultiheadAttention::with(8, 2, |o| o.add_bias_kv(true).kdim(5).vdim(6).batch_first(true));
    attention.load_state_dict(state("attention")).unwrap();
    let [query, key, value] = ["query", "key", "value"].map(|name| tensor(&file, name));
    let (output, weights) = attention.call(query, key, value);
    near(&output, "output");
    near(&weights.unwrap(), "weights");

    let model = nn::Transformer::with(|o| {
        let o = o.d_model(8).nhead(2).num_encoder_layers(2).num_decoder_layers(1).dim_feedforward(12);
        o.activation("gelu").norm_first(true)
    });
    model.load_state_dict(state("transformer")).unwrap();
    model.eval();
    let [src, tgt, mask, padding] = ["src", "tgt", "mask", "padding"].map(|name| tensor(&file, name));
    let translated =
        model.call_with(src, tgt, |o| o.tgt_mask(mask).src_key_padding_mask(padding).memory_key_padding_mask(padding));
    near(&translated, "translated");
}
