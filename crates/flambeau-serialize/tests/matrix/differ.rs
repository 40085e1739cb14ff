//! Where two trees differ.

use serde_json::{Value as Json, json};

/// The first place where what was found is not what was wanted, if any.
pub fn first(wanted: &Json, found: &Json) -> Option<String> {
    let tree = node("value", &wanted["tree"], &found["tree"]);
    // The truth of arrays has no storages: nothing tells how they lie.
    let storages = wanted["storages"].as_array().is_some_and(|list| !list.is_empty());
    tree.or_else(|| {
        (storages && wanted["storages"] != found["storages"])
            .then(|| format!("storages: wanted {}, found {}", short(&wanted["storages"]), short(&found["storages"])))
    })
}

fn node(path: &str, wanted: &Json, found: &Json) -> Option<String> {
    let kind = |x: &Json| x["k"].as_str().unwrap_or_default().to_owned();
    let differ = || Some(format!("{path}: wanted {}, found {}", short(wanted), short(found)));
    match (kind(wanted).as_str(), kind(found).as_str()) {
        ("array", _) => {
            if array(wanted, found) {
                None
            } else {
                differ()
            }
        }
        ("list", "list") | ("tuple", "tuple") => items(path, &wanted["v"], &found["v"]),
        ("set" | "frozenset", "set") => items(path, &sorted(&wanted["v"]), &sorted(&found["v"])),
        ("dict", "dict") => {
            // A defaultdict's function is lost, its items are not.
            let same = match wanted["kind"].as_str() {
                Some("defaultdict") => found["kind"] == "dict",
                _ => wanted["kind"] == found["kind"],
            };
            if !same {
                return differ();
            }
            pairs(path, &wanted["items"], &found["items"])
                .or_else(|| pairs(&format!("{path}.__dict__"), &wanted["attributes"], &found["attributes"]))
        }
        ("tensor", "tensor") => {
            let wanted = wanted.as_object()?;
            let differs = wanted.iter().find(|(key, value)| found[key.as_str()] != **value);
            differs.map(|(key, value)| format!("{path}: {key} is {} and must be {value}", found[key.as_str()]))
        }
        _ => {
            if wanted == found {
                None
            } else {
                differ()
            }
        }
    }
}

/// An array of NumPy is a tensor here, and a scalar may be a number.
fn array(wanted: &Json, found: &Json) -> bool {
    let dtype = wanted["dtype"].as_str().unwrap_or_default();
    if found["k"] == "tensor" {
        return found["dtype"] == format!("torch.{dtype}")
            && found["shape"] == wanted["shape"]
            && found["dense"] == wanted["data"]
            && wanted["scalar"] != true;
    }
    let data = wanted["data"].as_str().unwrap_or_default();
    let bytes: Vec<u8> =
        (0..data.len() / 2).filter_map(|i| u8::from_str_radix(&data[2 * i..2 * i + 2], 16).ok()).collect();
    wanted["scalar"] == true && *found == number(dtype, &bytes)
}

/// The Python number that `scalar.item()` gives.
fn number(dtype: &str, bytes: &[u8]) -> Json {
    let float = |x: f64| json!({"k": "float", "v": format!("{:016x}", x.to_bits())});
    match (dtype, bytes) {
        ("bool", &[x]) => json!({"k": "bool", "v": x != 0}),
        ("uint8", &[x]) => json!({"k": "int", "v": x}),
        ("float16", &[a, b]) => float(half::f16::from_le_bytes([a, b]).into()),
        ("float32", &[a, b, c, d]) => float(f32::from_le_bytes([a, b, c, d]).into()),
        ("float64", bytes) => float(f64::from_le_bytes(bytes.try_into().unwrap_or_default())),
        ("int64", bytes) => json!({"k": "int", "v": i64::from_le_bytes(bytes.try_into().unwrap_or_default())}),
        _ => Json::Null,
    }
}

fn items(path: &str, wanted: &Json, found: &Json) -> Option<String> {
    let (wanted, found) = (wanted.as_array()?, found.as_array()?);
    if wanted.len() != found.len() {
        return Some(format!("{path}: {} items and must be {}", found.len(), wanted.len()));
    }
    wanted.iter().zip(found).enumerate().find_map(|(i, (wanted, found))| node(&format!("{path}[{i}]"), wanted, found))
}

fn pairs(path: &str, wanted: &Json, found: &Json) -> Option<String> {
    let (wanted, found) = (wanted.as_array()?, found.as_array()?);
    if wanted.len() != found.len() {
        return Some(format!("{path}: {} entries and must be {}", found.len(), wanted.len()));
    }
    wanted.iter().zip(found).enumerate().find_map(|(i, (wanted, found))| {
        let path = format!("{path}.{i}");
        node(&format!("{path} (key)"), &wanted[0], &found[0]).or_else(|| node(&path, &wanted[1], &found[1]))
    })
}

/// The order of a set is that of its hashes, which differ from run to run.
fn sorted(items: &Json) -> Json {
    let mut items = items.as_array().cloned().unwrap_or_default();
    items.sort_by_key(Json::to_string);
    Json::Array(items)
}

fn short(x: &Json) -> String {
    x.to_string().chars().take(200).collect()
}
