//! Reads the files that PyTorch wrote (`goldens/make.py`) and writes them again.

use flambeau_serialize::{
    DictKind, Error, RawTensor, Value,
    pth::{self, Storage, StorageRef},
};
use flambeau_tensor::DType;
use std::{fs, path::PathBuf};

const READABLE: [&str; 7] = ["dtypes", "views", "state_dict", "checkpoint", "protocol4", "parameter", "no_crc"];

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "goldens", &format!("{name}.pth")].iter().collect()
}

fn read(name: &str) -> (Value, Vec<Storage>) {
    pth::read(golden(name)).unwrap()
}

fn refs(storages: &[Storage]) -> Vec<StorageRef<'_>> {
    storages.iter().map(Storage::as_ref).collect()
}

fn tensor<'a>(value: &'a Value, key: &str) -> &'a RawTensor {
    value.get(key).and_then(Value::as_tensor).unwrap()
}

fn f32s(storage: &Storage) -> Vec<f32> {
    assert_eq!(storage.dtype, DType::F32);
    storage.bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[test]
fn every_dtype() {
    let (value, storages) = read("dtypes");
    // torch.tensor([0, 1, 2.5, 100]).to(dtype), as bytes.
    let expected: [(DType, Vec<u8>); 10] = [
        (DType::Bool, vec![0, 1, 1, 1]),
        (DType::U8, vec![0, 1, 2, 100]),
        (DType::I8, vec![0, 1, 2, 100]),
        (DType::I16, [0i16, 1, 2, 100].map(i16::to_le_bytes).concat()),
        (DType::I32, [0i32, 1, 2, 100].map(i32::to_le_bytes).concat()),
        (DType::I64, [0i64, 1, 2, 100].map(i64::to_le_bytes).concat()),
        (DType::F16, [0u16, 0x3c00, 0x4100, 0x5640].map(u16::to_le_bytes).concat()),
        (DType::BF16, [0u16, 0x3f80, 0x4020, 0x42c8].map(u16::to_le_bytes).concat()),
        (DType::F32, [0f32, 1., 2.5, 100.].map(f32::to_le_bytes).concat()),
        (DType::F64, [0f64, 1., 2.5, 100.].map(f64::to_le_bytes).concat()),
    ];
    for (dtype, bytes) in expected {
        let t = tensor(&value, &dtype.to_string());
        assert_eq!((t.dtype, t.shape.as_slice(), t.strides.as_slice(), t.offset), (dtype, &[4][..], &[1][..], 0));
        assert_eq!(storages[t.storage], Storage { dtype, bytes }, "{dtype}");
    }
    let scalar = tensor(&value, "scalar");
    assert_eq!((scalar.shape.len(), f32s(&storages[scalar.storage])), (0, vec![-1.5]));
    let empty = tensor(&value, "empty");
    assert_eq!((empty.shape.as_slice(), storages[empty.storage].bytes.len()), (&[0, 3][..], 0));
}

#[test]
fn views_share_their_storage_and_keep_their_strides() {
    let (value, storages) = read("views");
    let base = tensor(&value, "base");
    assert_eq!(f32s(&storages[base.storage]), (0..12).map(|i| i as f32).collect::<Vec<_>>());
    let views: [(&str, &[usize], &[usize], usize); 4] = [
        ("base", &[3, 4], &[4, 1], 0),
        ("transposed", &[4, 3], &[1, 4], 0),
        ("column", &[3], &[4], 1),
        ("steps", &[2, 2], &[4, 2], 4),
    ];
    for (name, shape, strides, offset) in views {
        let t = tensor(&value, name);
        assert_eq!((t.shape.as_slice(), t.strides.as_slice(), t.offset), (shape, strides, offset), "{name}");
        assert_eq!(t.storage, base.storage, "{name}");
    }
    let expanded = tensor(&value, "expanded");
    assert_eq!((expanded.strides.as_slice(), storages[expanded.storage].bytes.len()), (&[0, 0][..], 8));
    let tied = value.get("tied").and_then(Value::as_slice).unwrap();
    assert_eq!(tied[0].as_tensor().unwrap().storage, tied[1].as_tensor().unwrap().storage);
    assert_eq!(storages.len(), 3);
}

#[test]
fn a_state_dict_keeps_order_and_metadata() {
    let (value, storages) = read("state_dict");
    let dict = value.as_dict().unwrap();
    assert_eq!(dict.kind, DictKind::OrderedDict);
    let keys: Vec<&str> = dict.items.iter().filter_map(|(key, _)| key.as_str()).collect();
    let expected = "0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var 1.num_batches_tracked 3.weight 3.bias";
    assert_eq!(keys.join(" "), expected);
    assert_eq!(tensor(&value, "0.weight").shape, [2, 1, 3, 3]);
    assert_eq!(storages[tensor(&value, "1.num_batches_tracked").storage].bytes, 0i64.to_le_bytes());
    assert_eq!(f32s(&storages[tensor(&value, "1.running_var").storage]), [1., 1.]);
    let [(name, metadata)] = dict.attributes.as_slice() else { panic!("one attribute") };
    assert_eq!(name.as_str(), Some("_metadata"));
    assert_eq!(metadata.get("1").and_then(|m| m.get("version")).and_then(Value::as_i64), Some(2));
}

#[test]
fn a_checkpoint_holds_plain_data() {
    // Protocol 4 has other opcodes for the same value.
    for name in ["checkpoint", "protocol4"] {
        let (value, storages) = read(name);
        assert_eq!(tensor(value.get("model").unwrap(), "weight").shape, [1, 2]);
        let optimizer = value.get("optimizer").unwrap();
        let (index, state) = &optimizer.get("state").and_then(Value::as_dict).unwrap().items[0];
        assert_eq!(index, &Value::Int(0));
        assert_eq!(f32s(&storages[tensor(state, "step").storage]), [1.]);
        let group = &optimizer.get("param_groups").and_then(Value::as_slice).unwrap()[0];
        assert_eq!(group.get("lr").and_then(Value::as_f64), Some(0.01));
        assert_eq!(group.get("betas"), Some(&Value::Tuple(vec![0.9.into(), 0.999.into()])));
        let milestones = value.get("scheduler").and_then(|s| s.get("milestones")).and_then(Value::as_dict).unwrap();
        assert_eq!(milestones.kind, DictKind::Counter);
        assert_eq!(milestones.items, [(Value::Int(30), Value::Int(1)), (Value::Int(80), Value::Int(2))]);
        assert_eq!(value.get("epoch").and_then(Value::as_i64), Some(3));
        assert_eq!(value.get("best"), Some(&Value::None));
        assert_eq!(value.get("done").and_then(Value::as_bool), Some(true));
        let integers = [0, 255, 256, 65535, 65536, -1, -(1 << 31), 1 << 31, -(1 << 40), i64::MAX, i64::MIN];
        let mut integers: Vec<Value> = integers.map(Value::Int).into();
        integers.push(Value::BigInt([[0xff; 8].as_slice(), &[0]].concat()));
        assert_eq!(value.get("integers"), Some(&Value::List(integers)));
        let lens = value.get("tuples").and_then(Value::as_slice).unwrap().iter().map(|t| t.as_slice().unwrap().len());
        assert_eq!(lens.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(value.get("text"), Some(&Value::List(vec!["grüße".into(), "".into()])));
        assert_eq!(value.get("bytes"), Some(&Value::Bytes(vec![0, 255])));
        assert_eq!(value.get("set"), Some(&Value::Set(vec![Value::Int(7)])));
        assert_eq!(value.get("size"), Some(&Value::Size(vec![2, 3])));
        assert_eq!(value.get("dtype"), Some(&Value::DType(DType::BF16)));
        let devices = ["cpu", "cuda:1"].map(|name| Value::Device(name.to_owned()));
        assert_eq!(value.get("devices"), Some(&Value::List(devices.into())));
    }
}

#[test]
fn parameters_and_gradients() {
    let (value, _) = read("parameter");
    let flags = |key| (tensor(&value, key).is_parameter, tensor(&value, key).requires_grad);
    assert_eq!((flags("parameter"), flags("leaf")), ((true, true), (false, true)));
}

#[test]
fn what_is_written_reads_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    for name in READABLE {
        let (value, storages) = read(name);
        let path = folder.path().join(format!("{name}.pth"));
        pth::write(&path, &value, &refs(&storages)).unwrap();
        assert_eq!(pth::read(&path).unwrap(), (value, storages), "{name}");
    }
}

/// Beyond 255 a place in the memo takes four bytes, of which every one counts.
#[test]
fn what_is_repeated_after_many_others_reads_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memo.pth");
    let texts = |range: std::ops::Range<usize>| range.map(|i| Value::Str(format!("layer{i}"))).collect::<Vec<_>>();
    let value = Value::List([texts(0..70_000), texts(200..600), texts(65_000..66_000)].concat());
    pth::write(&path, &value, &[]).unwrap();
    assert_eq!(pth::read(&path).unwrap(), (value, Vec::new()));
    // Python's `pickle.dumps` of the same list has this length and checksum, which the header of the first entry holds.
    let bytes = fs::read(&path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((word(22), word(14)), (1_395_110, 3_018_233_936));
}

#[test]
fn a_state_dict_gives_pytorchs_own_pickle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state_dict.pth");
    let (value, storages) = read("state_dict");
    pth::write(&path, &value, &refs(&storages)).unwrap();
    // Entries are not compressed, so PyTorch's pickle, from PROTO 2 to BUILD and STOP, must lie in our file as it is.
    let (ours, theirs) = (fs::read(&path).unwrap(), fs::read(golden("state_dict")).unwrap());
    let start = theirs.windows(4).position(|w| w == b"\x80\x02cc").unwrap();
    let len = theirs[start..].windows(4).position(|w| w == b"usb.").unwrap() + 4;
    assert_eq!(len, 852, "zipfile.ZipFile says that data.pkl has 852 bytes");
    assert_eq!(&ours[64..64 + len], &theirs[start..start + len]);
}

#[test]
fn unused_storages_are_not_written_and_shared_ones_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tied.pth");
    let storage = |byte: u8| Storage { dtype: DType::U8, bytes: vec![byte; 1000] };
    let storages = [storage(1), storage(2), storage(3)];
    let view = |storage, offset| {
        let (shape, strides) = (vec![10], vec![1]);
        let dtype = DType::U8;
        Value::Tensor(RawTensor { dtype, shape, strides, offset, storage, requires_grad: false, is_parameter: false })
    };
    let value = Value::dict([("a", view(2, 0)), ("b", view(1, 5)), ("c", view(2, 990))]);
    pth::write(&path, &value, &refs(&storages)).unwrap();
    let (read, kept) = pth::read(&path).unwrap();
    assert_eq!(kept, [storage(3), storage(2)]);
    let indices = ["a", "b", "c"].map(|key| tensor(&read, key).storage);
    assert_eq!(indices, [0, 1, 0]);
}

#[test]
fn the_format_before_1_6() {
    let (value, storages) = read("legacy");
    let x = tensor(&value, "x");
    assert_eq!((x.dtype, x.shape.as_slice()), (DType::I64, &[3][..]));
    assert_eq!(storages, [Storage { dtype: DType::I64, bytes: [0i64, 1, 2].map(i64::to_le_bytes).concat() }]);
}

#[test]
fn other_files_say_what_they_are() {
    let cases = [
        (
            "module",
            "`torch.nn.modules.flatten.Flatten`, which is not one of the allowed plain types; nothing of it was executed",
        ),
        ("uint16", "`torch.uint16`"),
    ];
    for (name, words) in cases {
        let error = pth::read(golden(name)).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }) && error.to_string().contains(words), "{name}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (content, words) in [
        (&b""[..], "it is empty"),
        (b"hello", "not a file of torch.save"),
        (b"\x40\0\0\0\0\0\0\0{\"a\":{}}", "safetensors"),
        (b"\x93NUMPY\x01\0", ".npy"),
    ] {
        fs::write(&path, content).unwrap();
        let error = pth::read(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let missing = pth::read(folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing, Error::Io { action: "open", .. }), "{missing}");
}

#[test]
fn values_that_cannot_be_saved_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.pth");
    let storage = Storage { dtype: DType::F32, bytes: vec![0; 24] };
    let good = RawTensor {
        dtype: DType::F32,
        shape: vec![2, 3],
        strides: vec![3, 1],
        offset: 0,
        storage: 0,
        requires_grad: false,
        is_parameter: false,
    };
    let cases = [
        (RawTensor { offset: 1, ..good.clone() }, "does not fit its storage of 6 elements"),
        (RawTensor { storage: 1, ..good.clone() }, "names storage 1 of 1"),
        (RawTensor { dtype: DType::I32, ..good.clone() }, "a torch.int32 tensor views a storage of torch.float32"),
        (RawTensor { strides: vec![1], ..good.clone() }, "2 sizes but 1 strides"),
        (RawTensor { shape: vec![usize::MAX, 2], ..good.clone() }, "too large"),
        (RawTensor { strides: vec![usize::MAX, 1], ..good }, "does not fit"),
    ];
    for (tensor, words) in cases {
        let error = pth::write(&path, &Value::Tensor(tensor), &[storage.as_ref()]).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(words), "{error}");
    }
    let nested = (0..1000).fold(Value::None, |inner, _| Value::List(vec![inner]));
    assert!(matches!(pth::write(&path, &nested, &[]), Err(Error::Invalid { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
