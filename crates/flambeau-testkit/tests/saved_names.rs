//! The names under which nodes show what they saved, beside PyTorch's (`goldens/saved_names.py`), for every node that the golden cases
//! with gradients reach.

use flambeau_autograd::{Node, Tensor};
use flambeau_tensor::Device;
use flambeau_testkit::args::Args;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Case, load_op};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use flate2::read::GzDecoder;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

/// The index that backward uses, wrapped and flat, stands beside the user's.
const PLACES: &str = "the index as backward uses it";
/// One node stands for several of PyTorch's, bears the last one's name, and saves what backward needs of them all.
const FUSED: &str = "one node for several of PyTorch's";
/// The gradient is computed of other tensors.
const OTHERWISE: &str = "the gradient is computed of other tensors";
/// PyTorch reads only its shape.
const SHAPE: &str = "PyTorch saves it for its shape";

/// Names that differ, by the node; `*` is all that one side has and the other has not.
type Differences = &'static [(&'static str, &'static [&'static str], &'static str)];

/// What this library saves and PyTorch does not.
const OURS: Differences = &[
    ("AbsBackward0", &["*"], FUSED),
    ("AddBackward0", &["*"], FUSED),
    ("ClampMinBackward0", &["*"], FUSED),
    ("DivBackward0", &["*"], FUSED),
    ("EmbeddingBackward0", &["places"], PLACES),
    ("EmbeddingBagBackward0", &["empty", "max_indices", "offset2bag", "rows"], OTHERWISE),
    ("GatherBackward0", &["places"], PLACES),
    ("IndexAddBackward0", &["places"], PLACES),
    ("IndexBackward0", &["places"], PLACES),
    ("IndexCopyBackward0", &["places"], PLACES),
    ("IndexFillBackward0", &["places"], PLACES),
    ("IndexFillBackward1", &["places"], PLACES),
    ("IndexPutBackward0", &["places"], PLACES),
    ("IndexSelectBackward0", &["places"], PLACES),
    ("MaskedSelectBackward0", &["places"], PLACES),
    ("MeanBackward0", &["*"], FUSED),
    ("MeanBackward1", &["self"], FUSED),
    ("MulBackward0", &["*"], FUSED),
    (
        "MultiMarginLossBackward0",
        &["labels", "label_weights"],
        "the target and its classes' weights, a number for each row",
    ),
    ("NativeBatchNormBackward0", &["invstd"], "the inverse root of the running variance, which PyTorch takes again"),
    ("NegBackward0", &["other"], FUSED),
    ("PdistBackward0", &["pairs"], "the places of both rows of each pair"),
    ("PutBackward0", &["places"], PLACES),
    ("ScatterAddBackward0", &["places"], PLACES),
    ("ScatterBackward0", &["places"], PLACES),
    ("ScatterBackward1", &["places"], PLACES),
    ("SqueezeBackward4", &["*"], FUSED),
    ("SubBackward0", &["*"], FUSED),
    ("SumBackward0", &["*"], FUSED),
    ("SumBackward1", &["*"], FUSED),
    ("TakeBackward0", &["places"], PLACES),
    ("UnsafeViewBackward0", &["*"], FUSED),
    ("ViewBackward0", &["*"], FUSED),
    ("WhereBackward0", &["self"], "an infinite alignment is told by its loss"),
];

/// What PyTorch saves and this library does not.
const THEIRS: Differences = &[
    ("AddmvBackward0", &["mat", "vec"], "a product's node before it saves them"),
    ("ClampMinBackward0", &["self"], FUSED),
    ("CummaxBackward0", &["self"], SHAPE),
    ("CumminBackward0", &["self"], SHAPE),
    ("DivBackward2", &["other", "self"], "the gradient of a rounded quotient is zero"),
    ("EmbeddingBagBackward0", &["offsets", "result1", "result2", "result3"], OTHERWISE),
    ("LogSigmoidBackward0", &["buffer"], OTHERWISE),
    ("MultilabelMarginLossBackward0", &["is_target"], OTHERWISE),
    ("NativeBatchNormBackward0", &["running_var"], "its inverse root is saved"),
    ("NativeLayerNormBackward0", &["bias"], SHAPE),
    ("ScaledDotProductFlashAttentionForCpuBackward0", &["logsumexp", "output"], "backward computes the weights again"),
];

type Names = BTreeMap<String, BTreeSet<String>>;

fn golden() -> Names {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/data/saved_names.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let names = |row: &serde_json::Value| {
        row["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    rows.map(|row| (row["node"].as_str().unwrap().to_owned(), names(&row))).collect()
}

/// Every node of the graph of these tensors.
fn nodes(outputs: &[Tensor]) -> Vec<Arc<Node>> {
    let mut stack: Vec<_> = outputs.iter().filter_map(Tensor::grad_fn).collect();
    let mut seen: Vec<Arc<Node>> = Vec::new();
    while let Some(node) = stack.pop() {
        if !seen.iter().any(|n| Arc::ptr_eq(n, &node)) {
            stack.extend(node.next_functions().flatten().cloned());
            seen.push(node);
        }
    }
    seen
}

/// Adds what the nodes of a case saved.
fn collect(row: &OpInfo, case: &Case, found: &mut Names) {
    flambeau_device::manual_seed(0);
    let Ok(args) = Args::of(case, Device::Cpu) else { return };
    let Ok(outputs) = row.run(&args) else { return };
    for node in nodes(&outputs) {
        let names = found.entry(node.name().to_owned()).or_default();
        names.extend(node.saved_tensors().into_iter().map(|(name, _)| name.to_owned()));
    }
}

#[test]
fn saved_tensors_have_pytorchs_names() {
    let expected = golden();
    let mut found = Names::new();
    for row in all() {
        for case in load_op(row.name).unwrap().iter().filter(|case| case.grads.is_some()) {
            // What a case does wrong the other tests say.
            let _ = catch(|| collect(&row, case, &mut found));
        }
    }
    let (mut same, mut wrong) = (0, Vec::new());
    let (mut differ, mut used) = (0, BTreeSet::new());
    for (node, names) in &found {
        let Some(theirs) = expected.get(node) else { continue };
        same += names.intersection(theirs).count();
        let (ours, missing) = (names.difference(theirs), theirs.difference(names));
        for (list, what, name) in ours.map(|n| (OURS, "saves", n)).chain(missing.map(|n| (THEIRS, "does not save", n)))
        {
            let listed = list.iter().filter(|(n, ..)| n == node).flat_map(|(_, names, _)| *names);
            match listed.into_iter().find(|listed| **listed == "*" || *listed == name) {
                Some(listed) => {
                    differ += 1;
                    used.insert((node.clone(), what, *listed));
                }
                None => wrong.push(format!("{node} {what} {name}: {names:?} here, {theirs:?} in PyTorch")),
            }
        }
    }
    let apart: Vec<_> =
        found.iter().filter(|(node, names)| !expected.contains_key(*node) && !names.is_empty()).collect();
    println!("count: {same} names of {} nodes are PyTorch's", found.len());
    println!("count: {differ} names differ on purpose, each with its reason");
    println!("nodes that PyTorch has not: {apart:?}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    let all: usize = OURS.iter().chain(THEIRS).map(|(_, names, _)| names.len()).sum();
    assert_eq!(used.len(), all, "OURS and THEIRS list what agrees: {used:?}");
    assert!(same > 180, "{same} names");
}
