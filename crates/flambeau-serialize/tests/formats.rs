//! Every format of `torch.save`, against what PyTorch reads (`goldens/formats.py` writes the files and the expected values).

use flambeau_autograd::Tensor;
use flambeau_serialize::{DictKind, RawTensor, Value, load, load_with, pth};
use proptest::prelude::*;
use std::{collections::HashMap, fs, path::PathBuf};

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "goldens", "formats", name].iter().collect()
}

/// The lines of a list: a file's name and the rest.
fn lines(list: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(file(list)).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap()).map(|(name, rest)| (name.into(), rest.into())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The notation of `text` in `goldens/formats.py`.
fn text<T>(value: &Value<T>, tensor: &mut impl FnMut(&T) -> String) -> String {
    fn list<T>(items: &[Value<T>], tensor: &mut impl FnMut(&T) -> String) -> Vec<String> {
        items.iter().map(|item| text(item, tensor)).collect()
    }
    fn pairs<T>(items: &[(Value<T>, Value<T>)], tensor: &mut impl FnMut(&T) -> String) -> String {
        let pair = |(k, v): &(Value<T>, Value<T>)| format!("{}: {}", text(k, tensor), text(v, tensor));
        format!("{{{}}}", items.iter().map(pair).collect::<Vec<_>>().join(", "))
    }
    match value {
        Value::None => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(int) => int.to_string(),
        Value::BigInt(bytes) => format!("i{}", hex(bytes)),
        Value::Float(float) => format!("f{}", hex(&float.to_be_bytes())),
        Value::Complex(a, b) => format!("c{}{}", hex(&a.to_be_bytes()), hex(&b.to_be_bytes())),
        Value::Str(text) => {
            let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            match word && !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) {
                true => format!("'{text}'"),
                false => format!("u{}", hex(text.as_bytes())),
            }
        }
        Value::SurrogateStr(bytes) => format!("u{}", hex(bytes)),
        Value::Bytes(bytes) => format!("b{}", hex(bytes)),
        Value::ByteArray(bytes) => format!("a{}", hex(bytes)),
        Value::List(items) => format!("[{}]", list(items, tensor).join(", ")),
        Value::Tuple(items) => format!("({})", list(items, tensor).join(", ")),
        Value::Set(items) => {
            let mut items = list(items, tensor);
            items.sort();
            format!("set{{{}}}", items.join(", "))
        }
        Value::Dict(dict) => {
            let kind = match dict.kind {
                DictKind::Dict => "dict",
                DictKind::OrderedDict => "OrderedDict",
                DictKind::Counter => "Counter",
                DictKind::Namespace => "Namespace",
            };
            let items = pairs(&dict.items, tensor);
            let attributes = match dict.attributes.as_slice() {
                [] => String::new(),
                attributes => format!("@{}", pairs(attributes, tensor)),
            };
            format!("{kind}{items}{attributes}")
        }
        Value::Size(sizes) => format!("Size{sizes:?}"),
        Value::DType(dtype) => dtype.to_string(),
        Value::Device(name) | Value::Layout(name) => name.clone(),
        Value::Tensor(t) => tensor(t),
        _ => panic!("a kind of value that the notation lacks"),
    }
}

/// Where the elements of a view lie, in order.
fn positions(shape: &[usize], strides: &[usize], offset: usize) -> Vec<usize> {
    let mut positions = vec![offset];
    for (&len, &stride) in shape.iter().zip(strides) {
        positions = positions.iter().flat_map(|at| (0..len).map(move |i| at + i * stride)).collect();
    }
    positions
}

/// The number of a storage, in the order in which they come.
fn number(seen: &mut HashMap<usize, usize>, storage: usize) -> usize {
    let next = seen.len();
    *seen.entry(storage).or_insert(next)
}

fn flags(is_parameter: bool, requires_grad: bool) -> &'static str {
    match (is_parameter, requires_grad) {
        (true, true) => "Pg",
        (true, false) => "P",
        (false, true) => "g",
        (false, false) => "",
    }
}

/// What the level of bytes and shapes reads.
fn raw_text(name: &str) -> String {
    let (value, storages) = pth::read(file(name)).unwrap_or_else(|e| panic!("{e}"));
    let mut seen = HashMap::new();
    text(&value, &mut |t: &RawTensor| {
        let size = t.dtype.size();
        let bytes = &storages[t.storage].bytes;
        let content = positions(&t.shape, &t.strides, t.offset).into_iter().map(|at| hex(&bytes[at * size..][..size]));
        let (content, number) = (content.collect::<String>(), number(&mut seen, t.storage));
        let flags = flags(t.is_parameter, t.requires_grad);
        format!("T({}, {:?}, {:?}, {content}, s{number}{flags})", t.dtype, t.shape, t.strides)
    })
}

/// What the level of tensors reads.
fn tensor_text(value: &Value<Tensor>) -> String {
    let mut seen = HashMap::new();
    text(value, &mut |t: &Tensor| {
        let array = t.array();
        let mut bytes = vec![0; array.numel() * array.dtype().size()];
        if !bytes.is_empty() {
            let dense = t.detach().contiguous();
            dense.array().backend().download(&dense.array(), &mut bytes).unwrap();
        }
        let number = number(&mut seen, array.storage().host_ptr().addr());
        let flags = flags(t.is_parameter(), t.requires_grad());
        let (shape, strides) = (array.shape(), array.strides());
        format!("T({}, {shape:?}, {strides:?}, {}, s{number}{flags})", array.dtype(), hex(&bytes))
    })
}

#[test]
fn every_file_holds_what_pytorch_reads_in_it() {
    let expected = lines("expected.txt");
    assert!(expected.len() > 70, "{}", expected.len());
    for (name, value) in expected {
        assert_eq!(raw_text(&name), value, "{name}");
        assert_eq!(tensor_text(&load(file(&name)).unwrap()), value, "{name}");
    }
}

#[test]
fn a_mapped_file_holds_the_same() {
    for (name, value) in lines("expected.txt") {
        let mapped = load_with(file(&name), |o| o.mmap(true));
        if name.contains(".old.") || name == "tar.pth" {
            // PyTorch's words.
            let words = "_use_new_zipfile_serialization=True), please torch.save your checkpoint with this option in order to use mmap.";
            let error = mapped.unwrap_err().to_string();
            assert!(
                error.contains("mmap can only be used with files saved with `torch.save(") && error.contains(words),
                "{error}"
            );
        } else {
            assert_eq!(tensor_text(&mapped.unwrap()), value, "{name}");
        }
    }
}

#[test]
fn what_is_refused_is_named() {
    let refused = lines("refused.txt");
    assert!(refused.len() > 40, "{}", refused.len());
    for (name, words) in refused {
        let error = pth::read(file(&name)).expect_err(&name).to_string();
        assert!(error.contains(&words), "{name}: `{words}` is not in: {error}");
    }
}

#[test]
fn writes_to_a_mapped_tensor_stay_in_memory() {
    let path = file("views.zip.pth");
    let before = fs::read(&path).unwrap();
    let value = load_with(&path, |o| o.mmap(true)).unwrap();
    let tensors: Vec<&Tensor> = value.as_slice().unwrap().iter().filter_map(Value::as_tensor).collect();
    tensors[0].fill_(-1.0);
    assert_eq!(tensors[4].item(), -1.0, "views share the mapped memory");
    assert_eq!(fs::read(&path).unwrap(), before);
    let again = load_with(&path, |o| o.mmap(true)).unwrap();
    assert_eq!(again.as_slice().unwrap()[4].as_tensor().unwrap().item(), 5.0);
}

/// Every prefix of a file of each older format is refused, and none panics.
#[test]
fn truncated_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    for (name, step) in [("tied.old.pth", 1), ("storage_views.old.pth", 1), ("python2.old.pth", 1), ("tar.pth", 7)] {
        let whole = fs::read(file(name)).unwrap();
        // Python fills a tar archive up with blocks of zeros, which may be missing.
        let end = if name == "tar.pth" { 6 * 512 } else { whole.len() };
        for len in (0..end).step_by(step) {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(pth::read(&path).is_err(), "the first {len} bytes of {name} were read");
        }
    }
}

/// Whatever is read lies within the storages, and these are not much larger than the file.
fn check_damaged(bytes: &[u8]) {
    let damaged = tempfile::NamedTempFile::new().unwrap();
    fs::write(damaged.path(), bytes).unwrap();
    if let Ok((value, storages)) = pth::read(damaged.path()) {
        let held: usize = storages.iter().map(|s| s.bytes.len()).sum();
        assert!(held <= 33 * bytes.len() + (64 << 20), "{held} bytes of {}", bytes.len());
        let mut inside = |t: &RawTensor| {
            let needed = t.storage_len_needed().filter(|n| n * t.dtype.size() <= storages[t.storage].bytes.len());
            needed.map(drop).ok_or(())
        };
        assert!(value.try_map(&mut inside).is_ok());
        // The level of tensors may refuse more: a size that no memory has.
        let _ = load(damaged.path());
        let _ = load_with(damaged.path(), |o| o.mmap(true));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1500)))]

    #[test]
    fn damaged_files_never_panic(
        name in prop::sample::select(vec![
            "tied.old.pth", "storage_views.old.pth", "python2.old.pth", "tar.pth", "deflated.pth", "script.pt",
            "numpy2.old.pth", "numpy5.old.pth", "values1.old.pth", "values5.old.pth", "kinds0.old.pth", "kinds4.old.pth",
        ]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = fs::read(file(name)).unwrap();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check_damaged(&bytes);
    }

    /// Pieces of one file between those of another.
    #[test]
    fn spliced_files_never_panic(
        names in prop::collection::vec(prop::sample::select(vec!["flags.old.pth", "numpy3.old.pth", "kinds2.old.pth", "tensors5.old.pth", "cuda.old.pth"]), 2..4),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 3),
    ) {
        let mut bytes = fs::read(file("flags.old.pth")).unwrap();
        for (name, (from, to)) in names.iter().zip(cuts) {
            let other = fs::read(file(name)).unwrap();
            let start = from.index(other.len());
            let at = to.index(bytes.len());
            let end = (start + 200).min(other.len());
            bytes.splice(at..(at + 50).min(bytes.len()), other[start..end].iter().copied());
        }
        check_damaged(&bytes);
    }
}
