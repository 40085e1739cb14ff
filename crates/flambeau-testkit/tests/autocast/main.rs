//! Every operation in a region of autocast: the dtypes of its results are PyTorch's, and gradients have the dtypes of their leaves
//! (`goldens/autocast_dtypes.py`). `FLAMBEAU_OPS=mm,exp` runs only these operations.

mod gpu;
mod programs;
mod regions;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flambeau_autograd::mode::{autocast_with, with_lists_of};
use flambeau_autograd::{Tensor, grad};
use flambeau_tensor::{DType, Device};
use flambeau_testkit::args::{Args, CallError};
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Arg, Case, data_dir, load_op};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;

/// The dtypes of a call's floating tensors in turn, as the script has them; `None` is the region's low precision.
const VARIANTS: [(&str, &[Option<DType>]); 6] = [
    ("f32", &[Some(DType::F32)]),
    ("low", &[None]),
    ("low_first", &[None, Some(DType::F32)]),
    ("low_second", &[Some(DType::F32), None]),
    ("f64", &[Some(DType::F64)]),
    ("f64_second", &[Some(DType::F32), Some(DType::F64)]),
];

const UNCHECKED: &str = "PyTorch's fake tensors pass where its kernels refuse mixed dtypes, or fail where they compute";
const EMPTY: &str = "empty tensors of two dtypes, at which PyTorch does not look";
const BACKWARD: &str = "PyTorch has no backward for it, or none in bfloat16";

const SINGULAR: &str = "PyTorch's singular values refuse halves before the cast that the policy asks for";

/// How many calls of an operation differ on a device, and why.
const DIFFERS: &[(&str, &str, usize, &str)] = &[
    ("bmm", "cpu", 1, EMPTY),
    ("cdist", "cpu", 3, EMPTY),
    ("floor_divide", "cpu", 6, BACKWARD),
    ("index_add", "cuda", 20, UNCHECKED),
    ("index_copy", "cuda", 20, UNCHECKED),
    ("linalg.cross", "cuda", 20, UNCHECKED),
    ("linalg.norm", "cpu", 2, SINGULAR),
    ("linalg.norm", "cuda", 2, SINGULAR),
    ("nn.functional.batch_norm", "cuda", 16, UNCHECKED),
    ("nn.functional.conv2d", "cpu", 2, EMPTY),
    ("nn.functional.ctc_loss", "cuda", 30, UNCHECKED),
    ("nn.functional.embedding_bag", "cuda", 8, UNCHECKED),
    ("nn.functional.instance_norm", "cuda", 14, UNCHECKED),
    ("nn.functional.pdist", "cpu", 8, BACKWARD),
    ("put", "cuda", 20, UNCHECKED),
    ("tensor_split", "cuda", 25, UNCHECKED),
    ("trace", "cuda", 20, UNCHECKED),
];

/// A case's number and, for each device, a word for each variant.
type Row = (usize, [Vec<String>; 2]);

/// The file's rows by operation.
fn table() -> BTreeMap<String, Vec<Row>> {
    let mut text = String::new();
    let file = std::fs::File::open(data_dir().join("autocast_dtypes.jsonl.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut table = BTreeMap::<String, Vec<Row>>::new();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let words = |key: &str| row[key].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect();
        let case = row["case"].as_u64().unwrap() as usize;
        table.entry(row["op"].as_str().unwrap().into()).or_default().push((case, [words("cpu"), words("cuda")]));
    }
    table
}

/// The case with the floats of a variant.
fn converted(case: &Case, dtypes: &[Option<DType>], low: DType) -> Case {
    fn convert(arg: &mut Arg, next: &mut dyn FnMut() -> DType) {
        match arg {
            Arg::Tensor(t) if t.dtype.is_floating_point() => t.dtype = next(),
            Arg::List(list) => list.iter_mut().for_each(|arg| convert(arg, next)),
            _ => {}
        }
    }
    let mut dtypes = dtypes.iter().cycle();
    let mut next = || dtypes.next().copied().flatten().unwrap_or(low);
    let mut case = case.clone();
    case.args.iter_mut().chain(case.kwargs.values_mut()).for_each(|arg| convert(arg, &mut next));
    case
}

/// What came of a call.
enum Outcome {
    /// The dtypes of its results; with a `!` where backward failed.
    Dtypes(String),
    Refused(String),
    /// Rust's types have no such call.
    NotExpressible,
}

fn outcome(row: &OpInfo, case: &Case, gpu: bool, low: DType) -> Outcome {
    let args = match Args::of(case, Device::Cpu) {
        Ok(args) => args,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let outputs = {
        let _autocast = autocast_with("cpu", |o| o.dtype(low));
        with_lists_of(gpu, || row.run(&args))
    };
    let outputs = match outputs {
        Ok(outputs) => outputs,
        Err(CallError::NotExpressible(_)) => return Outcome::NotExpressible,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let names: Vec<String> = outputs.iter().map(|t| t.dtype().to_string().replace("torch.", "")).collect();
    let mut word = names.join(",");
    let out: Vec<&Tensor> = outputs.iter().filter(|t| t.requires_grad() && t.grad_fn().is_some()).collect();
    let leaves: Vec<&Tensor> = args.leaves().iter().collect();
    if out.is_empty() || leaves.is_empty() {
        return Outcome::Dtypes(word);
    }
    let seeds: Vec<Tensor> = out.iter().map(|t| t.detach().ones_like()).collect();
    let seeds: Vec<Option<&Tensor>> = seeds.iter().map(Some).collect();
    match grad(&out, &leaves, &seeds, false, false, true) {
        Err(_) => word += "!",
        Ok(grads) => {
            for (grad, leaf) in grads.iter().zip(&leaves) {
                if let Some(grad) = grad.as_ref().filter(|grad| grad.dtype() != leaf.dtype()) {
                    word += &format!(" with a gradient of {} for a leaf of {}", grad.dtype(), leaf.dtype());
                }
            }
        }
    }
    Outcome::Dtypes(word)
}

/// What differs, by operation and device.
type Wrong<'a> = BTreeMap<(&'a str, &'static str), Vec<String>>;

/// Holds what differs against what is known to.
fn check(wrong: &Wrong<'_>, wanted: impl Fn(&str) -> bool) {
    let mut failures = Vec::new();
    let listed: BTreeSet<(&str, &str)> = DIFFERS.iter().map(|d| (d.0, d.1)).filter(|key| wanted(key.0)).collect();
    let found: BTreeSet<(&str, &str)> = wrong.keys().copied().collect();
    for key in listed.union(&found) {
        let expected = DIFFERS.iter().find(|d| (d.0, d.1) == *key).map_or(0, |d| d.2);
        let lines = wrong.get(key).map_or(&[][..], Vec::as_slice);
        if lines.len() != expected {
            failures.push(format!("{key:?}: {} calls differ, {expected} are listed", lines.len()));
            failures.extend(lines.iter().cloned());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn results_have_pytorchs_dtypes_under_autocast() {
    let _generator = flambeau_testkit::work::alone();
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let table = table();
    let (mut compared, mut open, mut refused, mut wrong) = (0, 0, 0, Wrong::new());
    for row in all().iter().filter(|row| wanted(row.name)) {
        let Some(rows) = table.get(row.name) else { continue };
        let cases = load_op(row.name).unwrap();
        for (number, words) in rows {
            for ((device, low), words) in [("cpu", DType::BF16), ("cuda", DType::F16)].into_iter().zip(words) {
                for ((variant, dtypes), expected) in VARIANTS.iter().zip(words) {
                    let case = converted(&cases[*number], dtypes, low);
                    let found = match expected.as_str() {
                        "?" => Outcome::NotExpressible,
                        _ => catch(|| outcome(row, &case, device == "cuda", low))
                            .unwrap_or_else(|panic| Outcome::Refused(format!("panic: {panic}"))),
                    };
                    let found = match found {
                        Outcome::NotExpressible => {
                            open += 1;
                            continue;
                        }
                        // How backward ends is known of the CPU only.
                        Outcome::Dtypes(word) if device == "cuda" => Ok(word.trim_end_matches('!').to_owned()),
                        Outcome::Dtypes(word) => Ok(word),
                        Outcome::Refused(message) => Err(message),
                    };
                    compared += 1;
                    match found {
                        Ok(found) if found == *expected => {}
                        Err(_) if expected == "error" => refused += 1,
                        found => {
                            let line = format!("    {number} {variant}: {found:?}, expected {expected}");
                            wrong.entry((row.name, device)).or_default().push(line);
                        }
                    }
                }
            }
        }
    }
    println!("count: {compared} calls compared, {refused} of them refused by both; {open} that only one side knows");
    check(&wrong, wanted);
}
