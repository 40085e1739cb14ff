//! Sets of labelled image files, and COCO, from tiny folders in the real layouts, against torchvision: goldens/labelled.py.

mod common;

use common::{base64, golden};
use flambeau_data::Dataset;
use flambeau_serialize::Value as Plain;
use flambeau_vision::datasets::*;
use flambeau_vision::transforms::PILToTensor;
use flambeau_vision::{Error, Result};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;
use torch::Tensor;

fn goldens() -> Value {
    let mut text = String::new();
    let file = fs::File::open(golden("labelled.json.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn unpacked(goldens: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, data) in goldens["files"].as_object().unwrap() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, base64(data.as_str().unwrap())).unwrap();
    }
    folder
}

fn hashed(x: &Tensor) -> String {
    let bytes = x.permute([1, 2, 0]).contiguous().to_vec::<u8>();
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step).to_string()
}

fn check_image(what: &Value, i: usize, image: &Tensor) {
    let item = &what["items"][i];
    let size = [image.size_dim(2), image.size_dim(1)].map(|n| n as u64);
    assert_eq!(size, [0, 1].map(|i| item["size"][i].as_u64().unwrap()), "{what}");
    assert_eq!(image.size_dim(0), if item["mode"] == "L" { 1 } else { 3 }, "{what}");
    assert_eq!(hashed(image), item["hash"].as_str().unwrap(), "item {i} of {what}");
}

type Options<K> = DatasetOptions<Choice<K>>;

/// Bytes instead of floats, and labels that are told from untouched ones.
fn check<K: LabelledKind>(what: &Value, root: &Path, options: impl FnOnce(Options<K>) -> Options<K>) {
    let bytes = |o: Options<K>| o.transform(PILToTensor).target_transform(|label| label + 1000);
    let set: LabelledImages<K> =
        LabelledImages::with(root, |o| bytes(options(o))).unwrap_or_else(|e| panic!("{what}: {e}"));
    let items = what["items"].as_array().unwrap();
    assert_eq!(set.len(), items.len(), "{what}");
    assert_eq!(set.targets().len(), items.len());
    for (i, item) in items.iter().enumerate() {
        let (image, label) = set.get(i).unwrap();
        check_image(what, i, &image);
        assert_eq!(label - 1000, item["label"].as_i64().unwrap(), "item {i} of {what}");
    }
    assert!(set.get(items.len()).is_err());
    if let Some(classes) = what["classes"].as_array() {
        assert_eq!(set.classes().iter().collect::<Vec<_>>(), classes.iter().collect::<Vec<_>>(), "{what}");
    }
    if let Some(index) = what["index"].as_object() {
        let found: Value = serde_json::to_value(set.class_to_idx()).unwrap();
        assert_eq!(found.as_object().unwrap(), index, "{what}");
    }
}

/// Python's data as JSON's.
fn plain(value: &Plain<Tensor>) -> Value {
    match value {
        Plain::None => Value::Null,
        Plain::Bool(x) => (*x).into(),
        Plain::Int(x) => (*x).into(),
        Plain::Float(x) => (*x).into(),
        Plain::Str(x) => x.as_str().into(),
        Plain::List(items) => items.iter().map(plain).collect(),
        Plain::Dict(dict) => {
            let entry = |(key, value): (&Plain<Tensor>, &Plain<Tensor>)| match key {
                Plain::Str(key) => (key.clone(), plain(value)),
                other => panic!("{other}"),
            };
            Value::Object(dict.iter().map(entry).collect())
        }
        other => panic!("{other}"),
    }
}

fn check_coco(what: &Value, set: Result<impl Dataset<Item = (Tensor, Plain<Tensor>)>>) {
    let set = set.unwrap();
    let items = what["items"].as_array().unwrap();
    assert_eq!(set.len(), items.len());
    for (i, item) in items.iter().enumerate() {
        let (image, target) = set.get(i).unwrap();
        check_image(what, i, &image);
        assert_eq!(plain(&target), item["label"], "item {i} of {what}");
    }
    assert!(set.get(items.len()).is_err());
}

#[test]
fn items_are_torchvisions() {
    let goldens = goldens();
    let folder = unpacked(&goldens);
    let root = folder.path();
    let mut count = 0;
    for what in goldens["sets"].as_array().unwrap() {
        let word = |name: &str| what["args"][name].as_str().unwrap_or_default().to_owned();
        let split = word("split");
        match what["set"].as_str().unwrap() {
            "EuroSAT" => check::<EuroSATKind>(what, root, |o| o),
            "Country211" => check::<Country211Kind>(what, root, |o| o.split(split)),
            "RenderedSST2" => check::<RenderedSST2Kind>(what, root, |o| o.split(split)),
            "Imagenette" => check::<ImagenetteKind>(what, root, |o| o.split(split).size(word("size"))),
            "Food101" => check::<Food101Kind>(what, root, |o| o.split(split)),
            "DTD" => {
                let partition = what["args"]["partition"].as_i64().unwrap();
                check::<DTDKind>(what, root, |o| o.split(split).partition(partition));
            }
            "FGVCAircraft" => check::<FGVCAircraftKind>(what, root, |o| o.split(split).annotation_level(word("level"))),
            "OxfordIIITPet" => check::<OxfordIIITPetKind>(what, root, |o| o.split(split).target_types(word("target"))),
            "Caltech256" => check::<Caltech256Kind>(what, root, |o| o),
            "SUN397" => check::<SUN397Kind>(what, root, |o| o),
            "ImageNet" => check::<ImageNetKind>(what, &root.join("imagenet"), |o| o.split(split)),
            "Places365" => {
                let small = what["args"]["small"].as_bool().unwrap();
                check::<Places365Kind>(what, &root.join("places"), |o| o.split(split).small(small));
            }
            "INaturalist" => {
                let options = |o: Options<INaturalistKind>| o.version(word("version")).target_type(word("target"));
                check::<INaturalistKind>(what, &root.join("inat"), options);
            }
            "CocoDetection" => {
                let set =
                    CocoDetection::with(root.join("coco"), root.join("coco/ann.json"), |o| o.transform(PILToTensor));
                check_coco(what, set);
            }
            "CocoCaptions" => {
                let set =
                    CocoCaptions::with(root.join("coco"), root.join("coco/ann.json"), |o| o.transform(PILToTensor));
                check_coco(what, set);
            }
            other => panic!("{other}"),
        }
        count += what["items"].as_array().unwrap().len();
    }
    println!("{count} items");
}

#[test]
fn targets_of_coco_are_transformed() {
    let folder = unpacked(&goldens());
    let root = folder.path().join("coco");
    let set = CocoDetection::with(&root, root.join("ann.json"), |o| {
        o.target_transform(|target| match target {
            Plain::List(items) => Plain::Int(items.len() as i64),
            other => other,
        })
    });
    let set = set.unwrap();
    assert_eq!(set.ids(), [4, 9, 70]);
    let counts: Vec<Value> = (0..3).map(|i| plain(&set.get(i).unwrap().1)).collect();
    assert_eq!(counts, [1, 2, 0]);
    assert_eq!(set.get(0).unwrap().0.size(), [3, 3, 4]);
}

#[test]
fn what_is_missing_or_damaged_is_told() {
    let folder = unpacked(&goldens());
    let root = folder.path();
    let message = |error: Option<Error>| error.unwrap().to_string();
    let unknown = message(Food101::with(root, |o| o.split("val")).err());
    assert_eq!(unknown, "Unknown value 'val' for argument split. Valid values are {'train', 'test'}.");
    assert!(message(Food101::new(root.join("coco")).err()).contains("You can use download(true) to download it"));
    assert!(message(ImageNet::new(root.join("coco")).err()).contains("unpack its archive there"));
    fs::remove_file(root.join("imagenet/meta.bin")).unwrap();
    assert!(message(ImageNet::new(root.join("imagenet")).err()).contains("meta.bin"));
    let size = message(Imagenette::with(root, |o| o.size("full").split("test")).err());
    assert!(size.contains("for argument split"), "{size}");

    let damage = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
    damage("dtd/dtd/labels/train1.txt", "banded\n");
    assert!(message(DTD::new(root).err()).contains("a line is no class and name"));
    damage("food-101/meta/train.json", r#"{"waffles": ["a", 3]}"#);
    assert!(message(Food101::new(root).err()).contains("no dict of lists of names"));
    damage("food-101/meta/train.json", r#"{"waffles": ["#);
    assert!(message(Food101::new(root).err()).contains("corrupt file"));
    damage("oxford-iiit-pet/annotations/test.txt", "Abyssinian_1 1 x 1\n");
    assert!(message(OxfordIIITPet::with(root, |o| o.split("test")).err()).contains("no name and three numbers"));
    damage("fgvc-aircraft-2013b/data/images_variant_test.txt", "1 Concorde\n");
    assert!(message(FGVCAircraft::with(root, |o| o.split("test")).err()).contains("'1 Concorde'"));
    damage("places/categories_places365.txt", "/a/airfield\n");
    assert!(message(Places365::new(root.join("places")).err()).contains("no class and number"));
    damage("SUN397/ClassName.txt", "/a/apse/indoor\n");
    assert!(message(SUN397::new(root).err()).contains("'abbey' is no class"));
    let inat = |version: &str| message(INaturalist::with(root.join("inat"), |o| o.version(version)).err());
    fs::rename(root.join("inat/2018/Aves/2"), root.join("inat/2018/Aves/5")).unwrap();
    assert_eq!(inat("2018"), "Missing category 2");
    fs::rename(root.join("inat/2018/Aves/5"), root.join("inat/2018/Aves/x")).unwrap();
    assert_eq!(inat("2018"), "Unexpected non-numeric dir name: x");
    fs::create_dir(root.join("inat/2021_valid/00001_a")).unwrap();
    assert_eq!(inat("2021_valid"), "Unexpected category name 00001_a, wrong number of pieces");

    let coco = |text: &str| {
        damage("coco/ann.json", text);
        message(CocoDetection::new(root.join("coco"), root.join("coco/ann.json")).err())
    };
    assert!(coco("{").contains("corrupt file"));
    assert!(coco(&"[".repeat(100_000)).contains("corrupt file"));
    assert!(coco(r#"{"images": [{"id": "a"}]}"#).contains("an image without an id"));
    assert!(coco(r#"{"images": 3}"#).contains("images is no list"));
    assert!(coco(r#"{"annotations": [{}]}"#).contains("an annotation without an image_id"));
    damage("coco/ann.json", r#"{"images": [{"id": 1, "file_name": "none.jpg"}]}"#);
    let set = CocoDetection::new(root.join("coco"), root.join("coco/ann.json")).unwrap();
    assert!(set.get(0).unwrap_err().to_string().contains("none.jpg"));
}
