//! NumPy's files. `goldens/numpy/make.py` wrote those that are read; what is written must be theirs byte for byte.

use flambeau_autograd::{Tensor, arange, from_vec, ones};
use flambeau_serialize::{Error, dict, numpy};
use flambeau_tensor::DType;
use proptest::prelude::*;
use std::{fs, path::PathBuf};

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "goldens", "numpy", name].iter().collect()
}

fn goldens(prefix: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).collect();
    files.sort();
    files
}

/// The dtype in a name such as `big_f4.npy`.
fn dtype_of(path: &std::path::Path) -> DType {
    match path.file_stem().unwrap().to_str().unwrap().rsplit('_').next().unwrap() {
        "b1" => DType::Bool,
        "i1" => DType::I8,
        "u1" => DType::U8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        other => panic!("{other}"),
    }
}

fn read(path: &std::path::Path) -> Tensor {
    numpy::load(path).unwrap().into_tensor().unwrap()
}

/// The bytes of an archive before its directory, in which zip writers differ.
fn entries(path: &std::path::Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap());
    bytes
}

/// Whether the elements are 0, 1, 2, … of that dtype in the order of the indices.
fn is_counted(x: &Tensor, dtype: DType) -> bool {
    x.dtype() == dtype
        && x.contiguous().double().to_vec::<f64>() == arange(x.numel()).to(dtype).double().to_vec::<f64>()
}

#[test]
fn every_dtype_order_and_byte_order_is_read_and_written_as_numpy_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for (order, shape, strides) in
        [("c_", vec![2, 3], vec![3, 1]), ("big_", vec![2, 3], vec![3, 1]), ("fortran_", vec![2, 3, 2], vec![1, 2, 6])]
    {
        for path in goldens(order).into_iter().filter(|path| !path.ends_with("fortran_ones.npy")) {
            let x = read(&path);
            assert!(is_counted(&x, dtype_of(&path)), "{path:?}");
            assert_eq!((x.size().to_vec(), x.stride()), (shape.clone(), strides.clone()), "{path:?}");
            if order != "big_" {
                let ours = folder.path().join("x.npy");
                numpy::save(&ours, &x).unwrap();
                assert_eq!(fs::read(&ours).unwrap(), fs::read(&path).unwrap(), "{path:?}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 27);
}

#[test]
fn shapes_versions_and_spellings_are_read() {
    for (name, shape, strides) in [
        ("scalar", vec![], vec![]),
        ("line", vec![5], vec![1]),
        ("empty", vec![0, 3], vec![3, 1]),
        ("empty_fortran", vec![3, 0, 2], vec![2, 2, 1]),
        ("deep", vec![1, 2, 1, 3, 1, 2], vec![12, 6, 6, 2, 2, 1]),
        ("one", vec![1, 1], vec![1, 1]),
        ("version2", vec![2, 3], vec![3, 1]),
        ("version3", vec![2, 3], vec![3, 1]),
        ("trailing", vec![2, 3], vec![3, 1]),
        ("python2", vec![2, 3], vec![3, 1]),
        ("spelled", vec![2, 3], vec![3, 1]),
    ] {
        let x = read(&golden(&format!("{name}.npy")));
        assert!(is_counted(&x, DType::F32), "{name}");
        assert_eq!((x.size().to_vec(), x.stride()), (shape, strides), "{name}");
    }
    assert_eq!(read(&golden("fortran_ones.npy")).stride(), [1, 3, 3]);
    assert_eq!(read(&golden("none.npy")).stride(), [0], "as np.load makes it");
    let folder = tempfile::tempdir().unwrap();
    for name in ["scalar", "line", "empty", "empty_fortran", "deep", "one", "fortran_ones", "wide", "edge", "none"] {
        let (path, ours) = (golden(&format!("{name}.npy")), folder.path().join(name));
        numpy::save(&ours, read(&path)).unwrap();
        assert_eq!(fs::read(ours.with_extension("npy")).unwrap(), fs::read(&path).unwrap(), "{name}");
    }
}

#[test]
fn what_no_tensor_holds_is_refused_by_name() {
    let words = [
        ("records", "a structured dtype, [('x', '<i4'), ('y', '<f8')]"),
        ("texts", "texts, of dtype '<U2'"),
        ("bytes", "byte strings, of dtype '|S2'"),
        ("dates", "dates (datetime64), of dtype '<M8[D]'"),
        ("spans", "spans of time (timedelta64), of dtype '<m8[s]'"),
        ("complex", "complex numbers, of dtype '<c8'"),
        ("longdouble", "longdouble, of dtype '<f16'"),
        ("objects", "Object arrays cannot be loaded when allow_pickle=False"),
        ("void", "raw bytes (void)"),
        ("u2", "unsigned integers of 16 bits"),
        ("u4", "unsigned integers of 32 bits"),
        ("u8", "unsigned integers of 64 bits"),
    ];
    assert_eq!(goldens("refused_").len(), words.len());
    for (name, word) in words {
        let error = numpy::load(golden(&format!("refused_{name}.npy"))).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }) && error.to_string().contains(word), "{name}: {error}");
    }
}

#[test]
fn archives_are_read_by_name_and_written_as_numpy_does() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["stored", "deflated"] {
        let npz = numpy::load(golden(&format!("{name}.npz"))).unwrap();
        assert_eq!(npz.files(), ["w", "b", "layer.0/weight"]);
        assert!(is_counted(&npz["w"], DType::F32) && is_counted(&npz["b.npy"], DType::I64));
        assert_eq!(npz["layer.0/weight"].stride(), [1, 2]);
        assert!(std::ptr::eq(&npz["w"], &npz["w"]), "read once");
        assert!(npz.contains_key("b") && !npz.contains_key("c"));
        let error = npz.get("c").unwrap_err().to_string();
        assert!(error.starts_with("c is not a file in the archive; it has w, b, layer.0/weight ("), "{error}");
        let items = npz.items().unwrap();
        numpy::savez(folder.path().join("ours"), &items).unwrap();
        assert_eq!(entries(&folder.path().join("ours.npz")), entries(&golden("stored.npz")));
        numpy::savez_compressed(folder.path().join("packed.npz"), &items).unwrap();
        let packed = numpy::load(folder.path().join("packed.npz")).unwrap();
        assert_eq!(packed.files(), npz.files());
        assert!(is_counted(&packed["layer.0/weight"], DType::F64));
    }
    let numbered = numpy::load(golden("numbered.npz")).unwrap();
    assert_eq!(numbered.files(), ["arr_0", "arr_1"]);
    numpy::savez(folder.path().join("n.npz"), [&numbered["arr_0"], &numbered["arr_1"]]).unwrap();
    assert_eq!(entries(&folder.path().join("n.npz")), entries(&golden("numbered.npz")));
    // Of two entries with one name NumPy, too, reads the second.
    let names = numpy::load(golden("names.npz")).unwrap();
    let sizes = ["w", "w.npy", "only"].map(|name| names.get(name).unwrap().numel());
    assert_eq!(sizes, [2, 3, 5]);
    assert!(!names.contains_key("folder/"));
    assert!(names.get("readme.txt").unwrap_err().to_string().contains("the magic string is not correct"));
    let none = numpy::load(golden("none.npz")).unwrap();
    assert!(none.as_archive().unwrap().is_empty());
}

#[test]
fn an_array_is_the_tensor_that_it_holds() {
    let x = numpy::load(golden("c_f4.npy")).unwrap();
    assert_eq!((x.size().to_vec(), x.sum().item()), (vec![2, 3], 15.0));
    assert_eq!(numpy::from_numpy(&x).data_ptr(), x.data_ptr());
    assert_eq!(x.to_string(), numpy::from_numpy(&x).to_string());
    assert!(x.get("w").unwrap_err().to_string().contains("a single array"));
    let npz = numpy::load(golden("numbered.npz")).unwrap();
    let shown = npz.to_string();
    assert!(shown.starts_with("NpzFile '") && shown.ends_with("numbered.npz' with keys: arr_0, arr_1"), "{shown}");
    assert!(npz.into_tensor().unwrap_err().to_string().starts_with("expected an array, but found NpzFile"));
}

#[test]
fn what_numpy_does_not_save_is_refused_in_pytorchs_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for (x, word) in [
        (
            ones([2]).requires_grad_(true),
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
        ),
        (ones([2]).to(DType::BF16), "Got unsupported ScalarType BFloat16"),
    ] {
        let error = numpy::save(&path, &x).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let error = numpy::savez(folder.path().join("x.npz"), dict! { "name": "cnn" }).unwrap_err().to_string();
    assert!(error.contains("`name` is a str"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    numpy::savez(folder.path().join("x"), dict! { "epoch": 3, "lr": 0.5, "done": true }).unwrap();
    let npz = numpy::load(folder.path().join("x.npz")).unwrap();
    assert_eq!((npz["epoch"].dtype(), npz["lr"].dtype(), npz["done"].dtype()), (DType::I64, DType::F64, DType::Bool));
}

#[test]
fn hostile_headers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let load = |header: &str, data: &[u8]| {
        let length = (header.len() as u16).to_le_bytes();
        fs::write(&path, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()).unwrap();
        numpy::load(&path).map(|x| x.numel()).map_err(|e| e.to_string())
    };
    let with = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    assert_eq!(load(&with("(1,)"), &[0; 4]), Ok(1));
    for (header, word) in [
        (with("(1000000000000,)"), "Failed to read all data"),
        (with("(2,)"), "could only read 1 elements"),
        (with("(4294967296, 4294967296)"), "Failed to read all data"),
        (with("(99999999999999999999999999,)"), "shape is not valid"),
        (with("(-1,)"), "shape is not valid"),
        (with("(1.0,)"), "Cannot parse header"),
        (with("1"), "shape is not valid: 1"),
        (with(&format!("({})", "1, ".repeat(65))), "shape is not valid"),
        ("[]".into(), "Header is not a dictionary: []"),
        ("{'descr': '<f4'}".into(), "Header does not contain the correct keys: ['descr']"),
        (with("(1,), 'more': 1"), "correct keys"),
        (with("(1,)").replace("False", "0"), "fortran_order is not a valid bool: 0"),
        (with("(1,)").replace("<f4", "<q9"), "descr is not a valid dtype descriptor: '<q9'"),
        (with("(1,)").replace("'<f4'", "3"), "descr is not a valid dtype descriptor: 3"),
        (with("__import__('os').system('true')"), "Cannot parse header"),
        ("(".repeat(9_000), "Cannot parse header"),
        (with(&" ".repeat(20_000)), "Header info length"),
    ] {
        let error = load(&header, &[0; 4]).unwrap_err();
        assert!(error.contains(word), "{header:.60}: {error}");
    }
    // No elements, however long the other dimensions: either nothing is allocated or the strides do not fit.
    assert_eq!(load(&with("(0, 1000000000000)"), &[]), Ok(0));
    assert!(load(&with("(4611686018427387904, 4611686018427387904, 0)"), &[]).is_err());
    for (start, word) in [
        (&b"\x89HDF\r\n\x1a\n"[..], "HDF5"),
        (b"\x80\x04K\x01.", "pickle"),
        (b"", "empty"),
        (b"\x93NUM", "no file of NumPy"),
        (b"\x93NUMPY", "EOF"),
        (b"\x93NUMPY\x04\x00\x00\x00", "not (4, 0)"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "safetensors"),
    ] {
        fs::write(&path, start).unwrap();
        let error = numpy::load(&path).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for name in ["stored.npz", "deflated.npz"] {
        let whole = fs::read(golden(name)).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(
                numpy::load(&path).and_then(|npz| npz.items()).is_err(),
                "the first {len} bytes of {name} were read"
            );
        }
    }
    // A flipped bit among the elements.
    let mut bytes = fs::read(golden("stored.npz")).unwrap();
    let at = bytes.windows(4).position(|w| w == 5f32.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = numpy::load(&path).unwrap().get("w").unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any view comes back with its elements, its dtype, and NumPy's choice between C's and Fortran's order.
    #[test]
    fn any_view_comes_back(
        shape in prop::collection::vec(0_usize..4, 0..5),
        dtype in prop::sample::select(DType::ALL.into_iter().filter(|d| *d != DType::BF16).collect::<Vec<_>>()),
        turn in any::<prop::sample::Index>(),
        step in 1_i64..3,
        packed in any::<bool>(),
    ) {
        let numel: usize = shape.iter().product();
        let mut x = from_vec((0..numel as i64).map(|i| i * 37 % 101).collect::<Vec<_>>(), &shape[..]).to(dtype);
        if !shape.is_empty() {
            let first = turn.index(shape.len()) as i64;
            x = x.transpose(first, -1);
            x = x.i((flambeau_autograd::ops::indexing::slice(None, None, step), ));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let back = if packed {
            numpy::savez_compressed(&path, [("x", &x)]).unwrap();
            numpy::load(path.with_extension("npz")).unwrap().get("x").unwrap()
        } else {
            numpy::save(&path, &x).unwrap();
            numpy::load(path.with_extension("npy")).unwrap().into_tensor().unwrap()
        };
        prop_assert_eq!((back.size(), back.dtype()), (x.size(), x.dtype()));
        prop_assert_eq!(back.contiguous().double().to_vec::<f64>(), x.contiguous().double().to_vec::<f64>());
        let reversed: Vec<i64> = (0..x.dim() as i64).rev().collect();
        let fortran = !x.is_contiguous() && x.permute(&reversed[..]).is_contiguous();
        let kept = if fortran { back.permute(&reversed[..]) } else { back };
        prop_assert!(kept.is_contiguous());
    }

    #[test]
    fn mutated_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        name in prop::sample::select(vec!["fortran_f4.npy", "python2.npy", "stored.npz", "deflated.npz", "names.npz"]),
    ) {
        let mut bytes = fs::read(golden(name)).unwrap();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        match numpy::load(file.path()) {
            Ok(numpy::Loaded::Array(x)) => prop_assert!(x.numel() * x.dtype().size() <= bytes.len()),
            Ok(numpy::Loaded::Archive(npz)) => npz.files().iter().for_each(|name| drop(npz.get(name))),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
