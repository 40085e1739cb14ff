//! Pickles written by hand: what no honest file holds.

use super::{Context, Input, StorageEntry, dump};
use crate::Error;
use crate::{Dict, DictKind, RawTensor, Value};
use flambeau_tensor::DType;
use proptest::prelude::*;
use std::path::Path;

fn load(mut pickle: &[u8], path: &Path) -> Result<(Value, Vec<StorageEntry>), Error> {
    let mut context = Context::default();
    let len = pickle.len() as u64;
    let value = super::read(&mut Input::new(&mut pickle, len, path), &mut context)?;
    Ok((value, context.storages.entries))
}

fn value(pickle: &[u8]) -> Result<Value, Error> {
    load(pickle, Path::new("test.pth")).map(|(value, _)| value)
}

fn message(pickle: &[u8]) -> String {
    value(pickle).unwrap_err().to_string()
}

#[test]
fn code_is_refused_by_name() {
    // pickle.dumps of an object whose __reduce__ is (os.system, ("true",)), protocols 2 and 4.
    let two = message(b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.");
    let four = message(b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.");
    for text in [two, four] {
        assert!(text.contains("`posix.system`") && text.contains("nothing of it was executed"), "{text}");
    }
}

#[test]
fn sharing_cannot_fill_the_memory() {
    // Each list holds the one before ten times: 10^40 elements in about 1 kB.
    let mut bomb = b"\x80\x02]q\x00".to_vec();
    for level in 0..40 {
        bomb.extend(b"](");
        bomb.extend([b'h', level].repeat(10));
        bomb.extend([b'e', b'q', level + 1]);
    }
    bomb.push(b'.');
    assert!(message(&bomb).contains("fill the memory"));
    // A string of 1 MB referred to 100 000 times.
    let mut bomb = b"\x80\x02](X".to_vec();
    bomb.extend(1_000_000u32.to_le_bytes());
    bomb.extend(b"a".repeat(1_000_000));
    bomb.extend(b"q\x00");
    bomb.extend(b"h\x00".repeat(100_000));
    bomb.extend(b"e.");
    assert!(message(&bomb).contains("fill the memory"));
}

#[test]
fn depth_is_limited() {
    assert!(message(b"\x80\x02]q\x00h\x00a.").contains("contain themselves"));
    let deep = [&[b')'][..], &[0x85; 100_000], b"."].concat();
    assert!(message(&deep).contains("levels deep"));
    let at_limit = [&[b')'][..], &[0x85; super::MAX_DEPTH - 1], b"."].concat();
    assert!(value(&at_limit).is_ok());
}

#[test]
fn claims_beyond_the_file_are_errors() {
    for pickle in
        [&b"\x80\x02X\xff\xff\xff\x7fa"[..], b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffa", b"\x80\x02", b""]
    {
        assert!(message(pickle).contains("ends too early"));
    }
}

#[test]
fn a_tensor_outside_its_storage_is_an_error() {
    let tensor = |view: &[u8]| {
        let storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ";
        let call = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(";
        [call, &storage[..], view, b"\x89}tR."].concat()
    };
    // offset, size, stride
    assert!(value(&tensor(b"K\x00K\x02K\x03\x86K\x03K\x01\x86")).is_ok());
    for view in [
        &b"K\x01K\x02K\x03\x86K\x03K\x01\x86"[..],
        b"K\x00K\x02K\x03\x86K\x04K\x01\x86",
        b"K\x00K\x07\x85K\x01\x85",
        b"J\xff\xff\xff\xffK\x01\x85K\x01\x85",
        b"K\x00K\x01\x85)",
        b"K\x00\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85K\x00\x85",
    ] {
        assert!(matches!(value(&tensor(view)), Err(Error::Corrupt { .. })), "{}", view.escape_ascii());
    }
}

#[test]
fn a_later_item_replaces_an_earlier_one() {
    let dict = value(b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00bK\x02X\x01\x00\x00\x00aK\x03u.").unwrap();
    assert_eq!(dict, Value::dict([("a", Value::Int(3)), ("b", Value::Int(2))]));
}

#[test]
fn integers_have_cpythons_bytes() {
    // pickle.dumps(x, 2), without PROTO and STOP.
    let cases: [(i64, &[u8]); 10] = [
        (255, b"K\xff"),
        (256, b"M\x00\x01"),
        (65536, b"J\x00\x00\x01\x00"),
        (-1, b"J\xff\xff\xff\xff"),
        (1 << 31, b"\x8a\x05\x00\x00\x00\x80\x00"),
        (-(1 << 31) - 1, b"\x8a\x05\xff\xff\xff\x7f\xff"),
        (1 << 39, b"\x8a\x06\x00\x00\x00\x00\x80\x00"),
        (-(1 << 39), b"\x8a\x05\x00\x00\x00\x00\x80"),
        (i64::MAX, b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
        (i64::MIN, b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"),
    ];
    for (int, bytes) in cases {
        let (pickle, _) = dump(&Value::Int(int), &[], Path::new("x")).unwrap();
        assert_eq!(&pickle[2..pickle.len() - 1], bytes, "{int}");
    }
}

/// Any value over one storage of 8 floats.
fn any_value() -> impl Strategy<Value = Value> {
    let tensor = (0usize..3, 0usize..3, any::<bool>(), any::<bool>()).prop_map(|(rows, columns, grad, parameter)| {
        Value::Tensor(RawTensor {
            dtype: DType::F32,
            shape: vec![rows, columns],
            strides: vec![columns, 1],
            offset: 1,
            storage: 0,
            requires_grad: grad,
            is_parameter: parameter,
        })
    });
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e300f64..1e300).prop_map(Value::Float),
        ".{0,5}".prop_map(Value::Str),
        prop::collection::vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
        prop::collection::vec(any::<u8>(), 0..5).prop_map(Value::ByteArray),
        (-1e300f64..1e300, -1e300f64..1e300).prop_map(|(real, imaginary)| Value::Complex(real, imaginary)),
        Just(Value::SurrogateStr(b"a\xed\xa0\x80".to_vec())),
        Just(Value::Layout("torch.strided".to_owned())),
        prop::collection::vec(0usize..9, 0..5).prop_map(Value::Size),
        prop::sample::select(DType::ALL.to_vec()).prop_map(Value::DType),
        tensor,
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let kinds =
            prop::sample::select(vec![DictKind::Dict, DictKind::OrderedDict, DictKind::Counter, DictKind::Namespace]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Tuple),
            (kinds, prop::collection::btree_map(".{0,3}", inner, 0..5)).prop_map(|(kind, items)| {
                let attributes = match kind {
                    DictKind::OrderedDict => vec![("_metadata".into(), Value::None)],
                    _ => Vec::new(),
                };
                Value::Dict(Dict { attributes, ..Dict::new(kind, items) })
            }),
        ]
    })
}

proptest! {
    #[test]
    fn written_values_read_back_equal(value in any_value()) {
        let (pickle, order) = dump(&value, &[(DType::F32, 32)], Path::new("x")).unwrap();
        let (read, storages) = load(&pickle, Path::new("x")).unwrap();
        prop_assert_eq!(read, value);
        prop_assert_eq!(storages.len(), order.len());
    }

    #[test]
    fn mutated_pickles_never_panic(
        value in any_value(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let (mut pickle, _) = dump(&value, &[(DType::F32, 32)], Path::new("x")).unwrap();
        for (index, byte) in edits {
            let at = index.index(pickle.len());
            pickle[at] = byte;
        }
        if let Ok((value, storages)) = load(&pickle, Path::new("x")) {
            let fits = |t: &RawTensor| t.fault(storages[t.storage].bytes / t.dtype.size()).map_or(Ok(()), Err);
            prop_assert!(value.try_map(&mut |tensor| fits(tensor)).is_ok());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Reaching the end without a panic is the property; short programs such as `N.` are valid.
        let outcome = load(&bytes, Path::new("x"));
        prop_assert!(outcome.is_err() || bytes.contains(&b'.'));
    }
}

#[test]
fn what_calls_may_not_do() {
    // An argument that is called, a class that is no function, a function in the place of an object.
    for (pickle, words) in [
        (&b"\x80\x02c__builtin__\nlist\n)R."[..], "it calls __builtin__.list with 0 arguments"),
        (b"\x80\x02c__builtin__\nobject\n)\x81.", "it calls __builtin__.object"),
        (b"\x80\x02c__builtin__\ngetattr\n.", "`builtins.getattr`"),
        (b"\x80\x02K\x01)R.", "no function"),
        (b"\x80\x02c__torch__\nEvil\n.", "`__torch__.Evil`"),
        (b"\x80\x02ccollections\nOrderedDict\n.", "itself, which is no data"),
        (b"\x80\x02ctorch\nTensor\n)\x81.", "made and never filled"),
        (b"\x80\x05\x97.", "buffers outside"),
        (b"\x80\x02\x82\x01.", "opcode 0x82"),
        (b"\x80\x06N.", "newer than 5"),
        (b"]K\x01K\x02\x92.", "keyword arguments"),
    ] {
        let message = message(pickle);
        assert!(message.contains(words), "{message}");
    }
    // Chains of calls that rebuild by another call would nest as deep as the file is long.
    let chain = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\x00(h\x00NNNtR.";
    assert!(message(chain).contains("something else"));
}

#[test]
fn a_script_class_is_no_value() {
    let mut context = Context { script: true, ..Context::default() };
    let mut pickle = &b"\x80\x02]c__torch__.m\nM\n)\x81}ba."[..];
    let error = super::read(&mut Input::new(&mut pickle, 100, Path::new("x")), &mut context).unwrap_err();
    assert!(error.to_string().contains("an object of the class `__torch__.m.M`"), "{error}");
}

#[test]
fn numpy_arrays_are_checked() {
    let dtype = |code: &str, names: &str| {
        format!("cnumpy\ndtype\n(S'{code}'\nI00\nI01\ntR(I3\nS'<'\nN{names}NI-1\nI-1\nI0\ntb")
    };
    let array = |shape: &str, dtype: &str, data: &str| {
        let make = "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR";
        format!("{make}(I1\n({shape}t{dtype}I00\nS'{data}'\ntb.").into_bytes()
    };
    let f4 = dtype("f4", "N");
    assert!(value(&array("I2\n", &f4, "abcdefgh")).is_ok());
    for (shape, data) in [("I3\n", "abcdefgh"), ("I-1\n", ""), ("I4611686018427387904\nI8\n", ""), ("I2\n", "abc")] {
        assert!(matches!(value(&array(shape, &f4, data)), Err(Error::Corrupt { .. })), "{shape}");
    }
    let empty = value(&array("I0\nI4611686018427387904\nI8\n", &f4, ""));
    assert!(empty.is_ok() || empty.unwrap_err().to_string().contains("too large"));
    for dtype in [dtype("O8", "N"), dtype("V8", "(S'a'\nt"), dtype("f4", "(S'a'\nt"), dtype("M8", "N")] {
        assert!(matches!(value(&array("I1\n", &dtype, "abcdefgh")), Err(Error::Unsupported { .. })), "{dtype}");
    }
}

/// Objects as deep as they may be are made, shown, compared and dropped on the stack of a small thread.
#[test]
fn the_deepest_value_fits_a_small_stack() {
    let work = || {
        let deep = [b"]".repeat(super::MAX_DEPTH), b"a".repeat(super::MAX_DEPTH - 1), b".".to_vec()].concat();
        let value = value(&deep).unwrap();
        let mapped = value.try_map(&mut |_: &RawTensor| Ok::<_, Error>(flambeau_autograd::zeros([1]))).unwrap();
        assert_eq!(mapped.to_string().len(), 2 * super::MAX_DEPTH);
        assert_eq!(format!("{value:?}").matches("List").count(), super::MAX_DEPTH);
        let copy = value.clone();
        let (again, _) = load(&dump(&copy, &[], Path::new("x")).unwrap().0, Path::new("x")).unwrap();
        assert_eq!(again, value);
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

/// A pickle that is longer than its file was compressed: what it may make is counted by the file.
#[test]
fn a_compressed_pickle_cannot_fill_the_memory() {
    let bomb = |byte: u8| [&b"\x80\x02("[..], &vec![byte; 20_000_000], b"t."].concat();
    for byte in [b']', b'N', b'(', b')'] {
        let mut context = Context::default();
        let read = |len| super::read(&mut Input::new(&mut bomb(byte).as_slice(), len, Path::new("x")), &mut context);
        assert!(matches!({ read }(20_000), Err(Error::Corrupt { .. })), "{}", byte.escape_ascii());
    }
    // The same pickle as it stands in a file is a value.
    let plain = [&b"\x80\x02("[..], &vec![b']'; 2_000_000], b"t."].concat();
    assert_eq!(value(&plain).unwrap().as_slice().unwrap().len(), 2_000_000);
}
