//! safetensors. `goldens/safetensors/make.py` wrote the files; what is written must be theirs byte for byte.

use flambeau_autograd::{Tensor, arange, from_vec, ones, zeros};
use flambeau_nn::{self as nn, Module, StateDict};
use flambeau_serialize::safetensors::{
    load, load_file, load_model, load_model_with, safe_open, save, save_file, save_file_with, save_model,
    save_model_with, save_with,
};
use flambeau_serialize::{Error, dict};
use flambeau_tensor::DType;
use proptest::prelude::*;
use std::collections::HashMap;
use std::{fs, path::PathBuf};

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "goldens", "safetensors", name].iter().collect()
}

/// Two layers with one weight.
#[derive(nn::Module)]
struct Tied {
    encoder: nn::Linear,
    decoder: nn::Linear,
}

fn tied() -> Tied {
    let encoder = nn::Linear::with(3, 2, |o| o.bias(false));
    let mut decoder = nn::Linear::new(3, 2);
    decoder.weight = encoder.weight.share();
    let _no_grad = flambeau_autograd::no_grad();
    encoder.weight.copy_(arange(6).view([2, 3]).float());
    decoder.bias.as_ref().unwrap().fill_(0.5);
    Tied { encoder, decoder }
}

#[test]
fn every_dtype_is_read_and_written_as_python_does() {
    let tensors = load_file(golden("every.safetensors")).unwrap();
    assert_eq!(tensors.len(), 14);
    for dtype in DType::ALL {
        let x = &tensors[dtype.name()];
        assert_eq!((x.dtype(), x.size().to_vec()), (dtype, vec![2, 3]));
        assert_eq!(x.double().to_vec::<f64>(), arange(6).to(dtype).double().to_vec::<f64>(), "{dtype}");
    }
    assert_eq!((tensors["scalar"].item(), tensors["scalar"].dim()), (1.5, 0));
    assert_eq!(tensors["empty"].size(), [0, 3]);
    assert!(tensors.contains_key("grüße \"\\\n\x7f"));
    let names: Vec<&str> = tensors.keys().take(3).collect();
    assert_eq!(names, ["int64", "float64", "a/b.c"], "the file's order, as in Python");

    let theirs = fs::read(golden("every.safetensors")).unwrap();
    let ours = save_with(&tensors, |o| o.metadata([("format", "pt")])).unwrap();
    assert_eq!(ours, theirs);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    save_file_with(&tensors, &path, |o| o.metadata(HashMap::from([("format", "pt")]))).unwrap();
    assert_eq!(fs::read(&path).unwrap(), theirs);
    let from_bytes = load(&theirs).unwrap();
    assert_eq!(from_bytes.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
    assert_eq!(save(Vec::<(&str, Tensor)>::new()).unwrap(), fs::read(golden("none.safetensors")).unwrap());
    assert!(load_file(golden("none.safetensors")).unwrap().is_empty());
}

#[test]
fn whatever_has_names_and_tensors_is_saved() {
    let (x, y) = (ones([2]), zeros([3]));
    let expected = save([("x", &x), ("y", &y)]).unwrap();
    assert_eq!(save(vec![("y".to_owned(), y.shallow_clone()), ("x".to_owned(), x.shallow_clone())]).unwrap(), expected);
    assert_eq!(save(HashMap::from([("x", &x), ("y", &y)])).unwrap(), expected);
    assert_eq!(save(dict! { "x": x, "y": y }).unwrap(), expected);
    let state: StateDict = [("x".to_owned(), x), ("y".to_owned(), y)].into_iter().collect();
    assert_eq!(save(&state).unwrap(), expected);
}

#[test]
fn an_open_file_gives_what_is_asked_for() {
    let f = safe_open(golden("every.safetensors")).unwrap();
    assert!(f.keys().is_sorted() && f.keys().len() == 14);
    assert_eq!(f.offset_keys()[..2], ["int64", "float64"]);
    assert_eq!(f.metadata().unwrap()["format"], "pt");
    assert_eq!(f.get_tensor("bool").unwrap().dtype(), DType::Bool);
    let part = f.get_slice("float32").unwrap();
    assert_eq!((part.get_shape(), part.get_dtype()), (vec![2, 3], "F32".to_owned()));
    assert_eq!(part.i((.., 1..)).unwrap().to_vec::<f32>(), [1.0, 2.0, 4.0, 5.0]);
    assert_eq!(part.i(-1).unwrap().to_vec::<f32>(), [3.0, 4.0, 5.0]);
    assert!(part.i(5).unwrap_err().to_string().contains("index 5 is out of bounds for dimension 0 with size 2"));
    let error = f.get_tensor("nope").unwrap_err();
    assert!(matches!(error, Error::Key { .. }) && error.to_string().starts_with("File does not contain tensor nope"));
    assert!(safe_open(golden("old.safetensors")).unwrap().metadata().unwrap().contains_key("a"));
    assert!(safe_open(golden("none.safetensors")).unwrap().metadata().is_none());
    assert!(matches!(safe_open(golden("nothing.safetensors")), Err(Error::Io { action: "open", .. })));
}

#[test]
fn unsorted_and_unaligned_files_are_read() {
    let tensors = load_file(golden("old.safetensors")).unwrap();
    assert_eq!(tensors.keys().collect::<Vec<_>>(), ["b", "f", "h"]);
    // The file's byte is 2; in memory a bool is 0 or 1.
    let mut byte = [0];
    let array = tensors["b"].array().clone();
    array.backend().download(&array, &mut byte).unwrap();
    assert_eq!((byte, tensors["b"].dtype()), ([1], DType::Bool));
    assert_eq!((tensors["f"].size().to_vec(), tensors["f"].to_vec::<f32>()), (vec![2, 1], vec![1.0, 2.0]));
    assert_eq!(tensors["h"].float().to_vec::<f32>(), [3.0, 4.0]);
}

#[test]
fn a_dtype_that_is_not_here_is_named_and_the_others_are_read() {
    for (name, dtype) in
        [("u16", "U16"), ("u32", "U32"), ("u64", "U64"), ("f8_e4m3", "F8_E4M3"), ("f8_e5m2", "F8_E5M2"), ("c64", "C64")]
    {
        let path = golden(&format!("refused_{name}.safetensors"));
        let error = load_file(&path).unwrap_err();
        let word = format!("the tensor 'x' has the dtype {dtype}, which is not supported");
        assert!(matches!(error, Error::Unsupported { .. }) && error.to_string().contains(&word), "{error}");
        assert_eq!(safe_open(&path).unwrap().get_tensor("y").unwrap().to_vec::<u8>(), [7]);
    }
}

#[test]
fn torch_load_reads_it_by_its_name() {
    let value = flambeau_serialize::load(golden("tied.safetensors")).unwrap();
    assert_eq!(value["decoder.bias"].as_tensor().unwrap().to_vec::<f32>(), [0.5, 0.5]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tied.pth");
    fs::copy(golden("tied.safetensors"), &path).unwrap();
    let error = flambeau_serialize::load(&path).unwrap_err().to_string();
    assert!(error.contains("it is a safetensors file") && error.contains("load_file"), "{error}");
    flambeau_serialize::save(&ones([2]), &path).unwrap();
    let renamed = folder.path().join("x.safetensors");
    fs::copy(&path, &renamed).unwrap();
    let error = load_file(&renamed).unwrap_err().to_string();
    assert!(error.contains("it is no safetensors file, but a zip archive"), "{error}");
}

#[test]
fn shared_and_strided_tensors_are_refused_in_pythons_words() {
    let x = ones([4]);
    let error = save([("x", &x), ("y", &x.narrow(0, 0, 2))]).unwrap_err().to_string();
    assert!(
        error.contains(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading \
             them again: [{'x', 'y'}].\nA potential way to correctly save your model is to use `save_model`."
        ),
        "{error}"
    );
    // Side by side in one storage is no overlap.
    let bytes = save([("x", &x.narrow(0, 0, 2)), ("y", &x.narrow(0, 2, 2))]).unwrap();
    assert_eq!(load(&bytes).unwrap().len(), 2);
    let error = save([("x", ones([2, 3]).t())]).unwrap_err().to_string();
    assert!(error.contains("You are trying to save a non contiguous tensor: `x` which is not allowed."), "{error}");
    let error = save([1, 2]).unwrap_err().to_string();
    assert!(error.contains("Expected a dict of [str, torch.Tensor] but received <class 'list'>"), "{error}");
    let error = save(dict! { "x": 3 }).unwrap_err().to_string();
    assert!(error.contains("Key `x` is invalid, expected torch.Tensor but received <class 'int'>"), "{error}");
    assert!(save([("__metadata__", &x)]).unwrap_err().to_string().contains("`__metadata__`"));
}

#[test]
fn models_with_tied_weights_are_saved_and_loaded_as_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tied.safetensors");
    save_model(&tied(), &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(golden("tied.safetensors")).unwrap());
    assert!(
        save_file(tied().state_dict(), &path).unwrap_err().to_string().contains("'decoder.weight', 'encoder.weight'")
    );
    let other = tied();
    {
        let _no_grad = flambeau_autograd::no_grad();
        other.encoder.weight.fill_(9.0);
    }
    assert_eq!(load_model(&other, golden("tied.safetensors")).unwrap(), (vec![], vec![]));
    assert_eq!(other.decoder.weight.to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    save_model_with(&tied(), &path, |o| o.metadata([("format", "pt"), ("encoder.weight", "mine")])).unwrap();
    let kept = safe_open(&path).unwrap().metadata().unwrap().clone();
    assert_eq!((kept["format"].as_str(), kept["encoder.weight"].as_str()), ("pt", "mine"));

    let wrong = nn::Linear::new(3, 2);
    let error = load_model(&wrong, golden("tied.safetensors")).unwrap_err().to_string();
    let report = "Error(s) in loading state_dict for Linear:\n    Missing key(s) in state_dict: \"bias\", \"weight\"\n    \
                  Unexpected key(s) in state_dict: \"decoder.bias\", \"decoder.weight\"";
    assert!(error.contains(report), "{error}");
    let (missing, unexpected) = load_model_with(&wrong, golden("tied.safetensors"), |o| o.strict(false)).unwrap();
    assert_eq!((missing.len(), unexpected.len()), (2, 2));
    save_file([("weight", ones([9, 9])), ("bias", ones([2]))], &path).unwrap();
    assert!(load_model(&wrong, &path).unwrap_err().to_string().contains("size mismatch for weight"));
}

#[test]
fn shards_are_read_through_their_index() {
    let whole = tied().state_dict();
    for index in ["model.safetensors.index.json", "pytorch_model.bin.index.json"] {
        let tensors = load_file(golden(index)).unwrap();
        assert_eq!(tensors["encoder.weight"].to_vec::<f32>(), whole["encoder.weight"].to_vec::<f32>(), "{index}");
        assert_eq!(tensors["decoder.bias"].to_vec::<f32>(), [0.5, 0.5]);
        let value = flambeau_serialize::load(golden(index)).unwrap();
        assert!(value.contains_key("decoder.bias"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors.index.json");
    save_file([("x", ones([1]))], folder.path().join("a.safetensors")).unwrap();
    for (text, word) in [
        (r#"{"weight_map": {"x": "../a.safetensors"}}"#, "lies outside its folder"),
        (r#"{"weight_map": {"x": "/etc/passwd"}}"#, "lies outside its folder"),
        (r#"{"weight_map": {"x": "..\\a.safetensors"}}"#, "lies outside its folder"),
        (r#"{"weight_map": {"x": ""}}"#, "lies outside its folder"),
        (r#"{"weight_map": {"x": 3}}"#, "no file name for `x`"),
        (r#"{"weight_map": []}"#, "no object `weight_map`"),
        ("{", "invalid JSON"),
        (r#"{"weight_map": {"y": "a.safetensors"}}"#, "says that a.safetensors has the tensor `y`"),
        (r#"{"weight_map": {"x": "b.safetensors"}}"#, "cannot open"),
    ] {
        fs::write(&path, text).unwrap();
        let error = load_file(&path).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
    fs::write(&path, r#"{"weight_map": {"x": "a.safetensors"}}"#).unwrap();
    assert_eq!(load_file(&path).unwrap().len(), 1);
}

/// A file of that header, padding and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn hostile_headers_are_refused() {
    let one = |fields: &str| format!(r#"{{"a":{{{fields}}}}}"#);
    assert!(load(file(&one(r#""dtype":"U8","shape":[1],"data_offsets":[0,1]"#), b"1")).is_ok());
    assert!(load(file(r#"{"__metadata__":null}"#, b"")).is_ok());
    // Tensors without elements at one place stay in the header's order, and many of them take no time beyond their number.
    let many: Vec<String> =
        (0..20_000).rev().map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)).collect();
    let many = load(file(&format!("{{{}}}", many.join(",")), b"")).unwrap();
    assert!(many.len() == 20_000 && many.keys().take(2).eq(["19999", "19998"]));
    let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
    for (header, data, word) in [
        (one(r#""dtype":"U8","shape":[1],"data_offsets":[1,2]"#), &b"12"[..], "invalid offset for tensor `a`"),
        (one(r#""dtype":"U8","shape":[2],"data_offsets":[0,1]"#), b"1", "invalid shape, data type, or offset"),
        (one(r#""dtype":"U8","shape":[1],"data_offsets":[0,1]"#), b"", "file not fully covered"),
        (one(r#""dtype":"U8","shape":[1],"data_offsets":[0,1]"#), b"12", "file not fully covered"),
        (one(r#""dtype":"U8","shape":[1],"data_offsets":[1,0]"#), b"1", "invalid offset"),
        (one(r#""dtype":"U8","shape":[-1],"data_offsets":[0,1]"#), b"1", "invalid JSON in header: invalid value"),
        (one(r#""dtype":"U8","shape":[1.0],"data_offsets":[0,1]"#), b"1", "invalid type: floating point"),
        (one(r#""dtype":"XX","shape":[1],"data_offsets":[0,1]"#), b"1", "unknown variant `XX`"),
        (one(r#""dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]"#), b"", "overflow"),
        (one(r#""dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]"#), b"1", "duplicate field `dtype`"),
        (one(r#""shape":[1],"data_offsets":[0,1]"#), b"1", "missing field `dtype`"),
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.into(),
            b"1",
            "the key `a` comes twice",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#.into(),
            b"123",
            "invalid offset for tensor `b`",
        ),
        (r#"{"__metadata__":{"k":"1","k":"2"}}"#.into(), b"", "the key `k` comes twice"),
        (r#"{"__metadata__":{"k":1}}"#.into(), b"", "expected a string"),
        (r#"{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#.into(), b"1", "invalid JSON"),
        ("{}\0\0".into(), b"", "trailing characters"),
        ("[]".into(), b"", "invalid type: sequence"),
        ("".into(), b"", "EOF"),
        (deep, b"", "recursion limit exceeded"),
    ] {
        let error = load(file(&header, data)).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{header:.60}: {error}");
        assert!(error.to_string().contains(word), "{header:.60}: {error}");
    }
    let invalid = [&3_u64.to_le_bytes()[..], b"{\xff}"].concat();
    assert!(load(invalid).unwrap_err().to_string().contains("invalid UTF-8 in header"));
    assert!(load(b"1234567").unwrap_err().to_string().contains("header too small"));
    assert!(load(100_000_001_u64.to_le_bytes()).unwrap_err().to_string().contains("header too large"));
    assert!(
        load([&9_u64.to_le_bytes()[..], b"{}"].concat()).unwrap_err().to_string().contains("invalid header length")
    );
    assert!(load(u64::MAX.to_le_bytes()).unwrap_err().to_string().contains("header too large"));
}

#[test]
fn every_truncation_is_an_error() {
    let whole = fs::read(golden("every.safetensors")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(load_file(&path).is_err(), "the first {len} of {} bytes were read", whole.len());
    }
}

/// Large tensors lie on the file's pages: each on its own, so that a write is seen by nobody else, and not by the file.
#[test]
fn large_tensors_are_mapped_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.safetensors");
    let x = arange(600_000).view([600, 1000]);
    let bits = x.remainder(2).to(DType::Bool);
    save_file([("x", &x), ("wide", &x.half()), ("bits", &bits.repeat([3, 1]))], &path).unwrap();
    let before = fs::read(&path).unwrap();
    let f = safe_open(&path).unwrap();
    let (first, second) = (f.get_tensor("x").unwrap(), f.get_tensor("x").unwrap());
    // A page of the file is a page of memory, so that both offsets within it are equal.
    let start = 8 + u64::from_le_bytes(before[..8].try_into().unwrap()) as usize;
    assert!(start % 4096 != 0 && first.data_ptr() % 4096 == start % 4096, "the tensor was copied");
    first.fill_(7);
    assert_eq!(second.to_vec::<i64>(), x.to_vec::<i64>());
    assert_eq!(f.get_tensor("wide").unwrap().float().sum().item(), x.half().float().sum().item());
    assert_eq!(f.get_tensor("bits").unwrap().sum().item(), 900_000.0);
    let part = f.get_slice("x").unwrap().i((3..5, 10)).unwrap();
    assert_eq!(part.to_vec::<i64>(), [3010, 4010]);
    // A file that is written anew leaves the old one to whoever has it.
    save_file([("x", zeros([1]))], &path).unwrap();
    assert_eq!(second.to_vec::<i64>(), x.to_vec::<i64>());
    assert_eq!(first.i((0, 0)).item(), 7.0);
    fs::write(&path, &before).unwrap();
    assert_eq!(load_file(&path).unwrap()["x"].i((599, 999)).item(), 599_999.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_tensors_come_back(
        tensors in prop::collection::btree_map(
            any::<String>().prop_filter("the metadata's key", |name| name != "__metadata__"),
            (prop::collection::vec(0_usize..4, 0..4), prop::sample::select(DType::ALL.to_vec())),
            0..6,
        ),
        metadata in prop::option::of(prop::collection::btree_map(any::<String>(), any::<String>(), 0..3)),
    ) {
        let make = |shape: &[usize], dtype| {
            let numel: usize = shape.iter().product();
            from_vec((0..numel as i64).map(|i| i * 37 % 101).collect::<Vec<_>>(), shape).to(dtype)
        };
        let tensors: Vec<(String, Tensor)> =
            tensors.into_iter().map(|(name, (shape, dtype))| (name, make(&shape, dtype))).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        save_file_with(&tensors, &path, |mut o| { o.metadata = metadata.clone(); o }).unwrap();
        let f = safe_open(&path).unwrap();
        prop_assert_eq!(f.metadata(), metadata.as_ref());
        prop_assert_eq!(f.keys(), tensors.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        for (name, x) in &tensors {
            let back = f.get_tensor(name).unwrap();
            prop_assert_eq!((back.size(), back.dtype(), back.stride()), (x.size(), x.dtype(), x.stride()));
            prop_assert_eq!(back.double().to_vec::<f64>(), x.double().to_vec::<f64>());
        }
    }

    #[test]
    fn mutated_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        name in prop::sample::select(vec!["every.safetensors", "old.safetensors", "tied.safetensors"]),
    ) {
        let mut bytes = fs::read(golden(name)).unwrap();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        match load(&bytes) {
            Ok(tensors) => {
                let size: usize = tensors.values().map(|x| x.numel() * x.dtype().size()).sum();
                prop_assert!(size <= bytes.len());
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
