//! Data sets from tiny folders in the real formats, against torchvision: goldens/datasets.py.

mod common;

use common::{base64, golden};
use flambeau_data::{DataLoader, Dataset};
use flambeau_vision::datasets::{
    CIFAR10, CIFAR100, DatasetFolder, DatasetOptions, EMNIST, FakeData, ImageFolder, KMNIST, MNIST, QMNIST, STL10,
};
use flambeau_vision::transforms::{self, Compose, PILToTensor, Resize, ToTensor};
use flambeau_vision::{Error, Image, Result};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use torch::Tensor;

fn goldens() -> Value {
    let mut text = String::new();
    let file = fs::File::open(golden("datasets.json.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Writes the files whose names `wanted` wants.
fn unpack(goldens: &Value, root: &Path, wanted: impl Fn(&str) -> bool) {
    for (name, data) in goldens["files"].as_object().unwrap().iter().filter(|(name, _)| wanted(name)) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, base64(data.as_str().unwrap())).unwrap();
    }
}

fn hashed(x: &Tensor) -> String {
    let bytes = x.permute([1, 2, 0]).contiguous().to_vec::<u8>();
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step).to_string()
}

/// Bytes instead of floats, and labels that are told from untouched ones.
fn bytes(o: DatasetOptions) -> DatasetOptions {
    o.transform(PILToTensor).target_transform(|label| label + 1000)
}

fn check(what: &Value, set: Result<impl Dataset<Item = (Tensor, i64)>>) {
    let set = set.unwrap_or_else(|e| panic!("{}: {e}", what["set"]));
    let items = what["items"].as_array().unwrap();
    assert_eq!(set.len(), items.len(), "{} {}", what["set"], what["args"]);
    for (i, item) in items.iter().enumerate() {
        let (image, label) = set.get(i).unwrap();
        let size = [image.size_dim(2), image.size_dim(1)].map(|n| n as u64);
        let stored = [0, 1].map(|i| item["size"][i].as_u64().unwrap());
        let found = (size, hashed(&image), label - 1000);
        let wanted = (stored, item["hash"].as_str().unwrap().to_owned(), item["label"].as_i64().unwrap());
        assert_eq!(found, wanted, "item {i} of {} {}", what["set"], what["args"]);
    }
    assert!(set.get(items.len()).is_err());
}

#[test]
fn items_are_torchvisions() {
    let goldens = goldens();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    unpack(&goldens, root, |name| !name.ends_with(".bin") || name.starts_with("stl10"));
    let mut count = 0;
    for what in goldens["sets"].as_array().unwrap() {
        let a = &what["args"];
        let train = || a["train"].as_bool().unwrap();
        let word = |name: &str| a[name].as_str().unwrap();
        match what["set"].as_str().unwrap() {
            "MNIST" => check(what, MNIST::with(root, train(), bytes)),
            "KMNIST" => check(what, KMNIST::with(root, train(), bytes)),
            "EMNIST" => check(what, EMNIST::with(root, word("split"), train(), bytes)),
            "QMNIST" => check(what, QMNIST::with(root, word("what"), bytes)),
            "CIFAR10" => check(what, CIFAR10::with(root, train(), bytes)),
            "CIFAR100" => check(what, CIFAR100::with(root, train(), bytes)),
            "STL10" if a["fold"].is_u64() => {
                let fold = a["fold"].as_u64().unwrap() as usize;
                check(
                    what,
                    STL10::with(root, "train", |o| o.folds(fold).transform(PILToTensor).target_transform(|n| n + 1000)),
                );
            }
            "STL10" => {
                let set = STL10::with(root, word("split"), |o| o.transform(PILToTensor).target_transform(|n| n + 1000));
                check(what, set);
            }
            "FakeData" => {
                let set = FakeData::with(|o| {
                    let o = o.size(4).image_size((3, 7, 5)).num_classes(6).random_offset(2);
                    o.transform(PILToTensor).target_transform(|label| label + 1000)
                });
                check(what, Ok(set));
            }
            "ImageFolder" => {
                let set = ImageFolder::with(root.join("images"), bytes).unwrap();
                assert_eq!(set.classes(), ["bird", "cat", "dog"]);
                assert_eq!(set.class_to_idx()["cat"], 1);
                let names: Vec<_> = set.samples().iter().map(|(path, _)| path.strip_prefix(root).unwrap()).collect();
                let stored: Vec<_> =
                    what["files"].as_array().unwrap().iter().map(|n| Path::new(n.as_str().unwrap())).collect();
                assert_eq!(names, stored);
                check(what, Ok(set));
            }
            other => panic!("{other}"),
        }
        count += what["items"].as_array().unwrap().len();
    }
    println!("{count} items");
}

#[test]
fn the_binary_versions_hold_the_same() {
    let goldens = goldens();
    let folder = tempfile::tempdir().unwrap();
    unpack(&goldens, folder.path(), |name| name.starts_with("cifar") && name.ends_with(".bin"));
    for what in goldens["sets"].as_array().unwrap() {
        let train = || what["args"]["train"].as_bool().unwrap();
        match what["set"].as_str().unwrap() {
            "CIFAR10" => check(what, CIFAR10::with(folder.path(), train(), bytes)),
            "CIFAR100" => check(what, CIFAR100::with(folder.path(), train(), bytes)),
            _ => {}
        }
    }
    let set = CIFAR10::new(folder.path(), true).unwrap();
    assert_eq!(set.data().size(), [set.len(), 3, 32, 32]);
    assert_eq!(set.targets().size(), [set.len()]);
    assert_eq!(CIFAR10::CLASSES[3], "cat");
}

#[test]
fn loaders_and_lists_of_steps_work_on_them() {
    let goldens = goldens();
    let folder = tempfile::tempdir().unwrap();
    unpack(&goldens, folder.path(), |name| name.starts_with("images/"));
    let steps = Compose::new(transforms::steps![Resize::new((4, 5)), ToTensor]);
    let set = ImageFolder::with(folder.path().join("images"), |o| o.transform(steps)).unwrap();
    let n = set.len();
    let (images, labels) = DataLoader::new(set, n).iter().next().unwrap();
    assert_eq!((images.size(), labels.size()), (torch::zeros((n, 3, 4, 5)).size(), torch::zeros(n).size()));
    assert_eq!((labels.min().item(), labels.max().item()), (0.0, 2.0));

    // Of images alone, without ToTensor, there is no sample.
    let images = Compose::new(transforms::steps![Resize::new(4)]);
    let set = ImageFolder::with(folder.path().join("images"), |o| o.transform(images)).unwrap();
    assert!(set.get(0).unwrap_err().to_string().contains("put ToTensor"));

    let sizes = |path: &Path| -> Result<(f64, f64)> {
        let image = Image::open(path)?;
        Ok((image.width() as f64, image.height() as f64))
    };
    let set =
        DatasetFolder::with(folder.path().join("images"), sizes, &[".png"], |o| o.target_transform(|label| -label))
            .unwrap();
    assert_eq!(set.get(n - 1).unwrap(), ((9.0, 6.0), -2));
}

#[test]
fn what_is_missing_or_damaged_is_told() {
    let goldens = goldens();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let message = |error: Option<Error>| error.unwrap().to_string();
    assert!(message(KMNIST::new(root, true).err()).contains("KMNIST: train-images-idx3-ubyte.gz"));
    assert!(message(EMNIST::new(root, "digits", true).err()).contains("emnist-digits-train-images-idx3-ubyte"));
    assert!(message(EMNIST::new(root, "digit", true).err()).contains("Unknown value 'digit' for argument split."));
    assert!(message(QMNIST::new(root, "nist",).err()).contains("Unknown value 'nist'"));
    assert!(message(CIFAR10::new(root, false).err()).contains("CIFAR10: test_batch (looked in"));
    assert!(message(STL10::new(root, "test").err()).contains("test_X.bin"));
    assert!(
        message(STL10::with(root, "train", |o| o.folds(10)).err())
            .contains("should be in the range [0, 10), but got 10.")
    );
    let no_class = format!("Couldn't find any class folder in {}.", root.display());
    assert_eq!(message(ImageFolder::new(root).err()), no_class);
    fs::create_dir_all(root.join("empty/class")).unwrap();
    let error = message(ImageFolder::new(root.join("empty")).err());
    let wanted = "Found no valid file for the classes class. Supported extensions are: .jpg, .jpeg, .png, .ppm,";
    assert!(error.starts_with(wanted), "{error}");

    // What has no image, or no class to draw, is an error of the sample.
    let five = FakeData::with(|o| o.size(2).image_size((5, 4, 4))).get(0).unwrap_err().to_string();
    assert_eq!(five, "pic should not have > 4 channels. Got 5 channels.");
    let none = FakeData::with(|o| o.size(2).num_classes(0)).get(0).unwrap_err().to_string();
    assert!(none.contains("random_ expects 'from' to be less than 'to', but got from=0 >= to=0"), "{none}");
    assert!(FakeData::with(|o| o.size(2)).get(2).is_err());

    unpack(&goldens, root, |_| true);
    fs::write(root.join("images/bird/1.png"), "no picture").unwrap();
    let set = ImageFolder::new(root.join("images")).unwrap();
    assert!(set.get(0).unwrap_err().to_string().contains("1.png: corrupt file"));

    let test = root.join("cifar-10-batches-py/test_batch");
    let good = fs::read(&test).unwrap();
    // No damage makes the reader panic.
    for at in 0..good.len() {
        if at > 200 && at % 97 != 0 && at + 40 < good.len() {
            continue;
        }
        for bits in [0x01, 0x20, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= bits;
            fs::write(&test, &bad).unwrap();
            let _ = CIFAR10::new(root, false);
        }
        fs::write(&test, &good[..at]).unwrap();
        assert!(CIFAR10::new(root, false).is_err(), "cut at {at}");
    }
    let binary = root.join("stl10_binary/test_X.bin");
    let mut bytes = fs::read(&binary).unwrap();
    bytes.pop();
    fs::write(&binary, bytes).unwrap();
    assert!(message(STL10::new(root, "test").err()).contains("are no images of 3x96x96"));
    let labels = root.join("EMNIST/raw/emnist-letters-test-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).unwrap();
    *bytes.last_mut().unwrap() = 27;
    let mut gz = flate2::write::GzEncoder::new(
        fs::File::create(labels.with_extension("gz")).unwrap(),
        flate2::Compression::fast(),
    );
    gz.write_all(&bytes).unwrap();
    gz.finish().unwrap();
    fs::write(&labels, bytes).unwrap();
    assert!(message(EMNIST::new(root, "letters", false).err()).contains("label 27 at index 1, expected 0 to 26"));
}

/// Pickles that Python would read at the cost of its stack or of hours.
#[test]
fn pickles_of_lists_within_lists_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let batch = folder.path().join("cifar-10-batches-py/test_batch");
    fs::create_dir_all(batch.parent().unwrap()).unwrap();
    let message = |pickle: &[&[u8]]| {
        fs::write(&batch, pickle.concat()).unwrap();
        CIFAR10::new(folder.path(), false).err().unwrap().to_string()
    };
    assert!(message(&[b")", &[0x85; 30], b"."]).contains("has no array 'data'"));
    assert!(message(&[b")", &[0x85; 1_000_000], b"."]).contains("too deep within each other"));
    let dicts = b"U\x01a}".repeat(100_000);
    assert!(message(&[b"}", &dicts, &[b's'; 100_000], b"."]).contains("too deep within each other"));
    // Three times the tuple before, thirty times over.
    let wide: Vec<u8> = (0..30).flat_map(|_| [b'q', 0, b'h', 0, b'h', 0, 0x87]).collect();
    let said = message(&[b"}U\x04dataU\x02ab", &wide, b"sU\x06labels]s."]);
    assert!(said.contains("2 bytes of images for 0 labels"), "{said}");
}
