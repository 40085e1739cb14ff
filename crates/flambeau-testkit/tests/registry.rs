//! What holds for every operation of the registry, without a line per operation.

use flambeau_autograd::registry::Cast;
use flambeau_autograd::{Tensor, grad, ops, registry};
use flambeau_tensor::Device;
use flambeau_testkit::args::{Args, tensor, values};
use flambeau_testkit::golden::{Arg, Case, GoldenTensor, Values, cotangent, load_op, load_table};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use std::collections::{BTreeMap, BTreeSet};

const MODULES: &str = "the modules' goldens and random configurations (tests/modules)";
const VARIANT: &str = "a form of an operation that has a row, whose goldens call it";
const RANDOM: &str = "the streams: flambeau-tensor's goldens, dropout_stream.rs, tests/training.rs, gpu_random.rs";
const DISTRIBUTIONS: &str = "the goldens of flambeau-distributions";
const VECTORS: &str = "the signs of its vectors are open: flambeau-autograd/tests/decompositions.rs";
const LINALG: &str = "the row of the same name under linalg";
const FRESH: &str = "what it holds is unspecified";

/// Operations without a row of goldens, each with what tests it.
const NO_ROW: &[(&str, &str)] = &[
    ("_dirichlet_grad", DISTRIBUTIONS),
    ("_sample_dirichlet", DISTRIBUTIONS),
    ("_standard_gamma", DISTRIBUTIONS),
    ("binomial", DISTRIBUTIONS),
    ("cauchy_", DISTRIBUTIONS),
    ("cholesky_solve", DISTRIBUTIONS),
    ("digamma", DISTRIBUTIONS),
    ("gammainc", DISTRIBUTIONS),
    ("geometric_", DISTRIBUTIONS),
    ("linalg_cholesky", DISTRIBUTIONS),
    ("linalg_cholesky_info", DISTRIBUTIONS),
    ("linalg_solve_triangular", DISTRIBUTIONS),
    ("log_normal_", DISTRIBUTIONS),
    ("mvlgamma", DISTRIBUTIONS),
    ("poisson", DISTRIBUTIONS),
    ("polygamma", DISTRIBUTIONS),
    ("adaptive_max_pool1d_with_indices", VARIANT),
    ("adaptive_max_pool2d_with_indices", VARIANT),
    ("adaptive_max_pool3d_with_indices", VARIANT),
    ("affine_grid", MODULES),
    ("affine_grid_generator", MODULES),
    ("alpha_dropout", RANDOM),
    ("bernoulli", RANDOM),
    ("bernoulli_", RANDOM),
    ("clamp_tensor", VARIANT),
    ("col2im", MODULES),
    ("constant_pad", VARIANT),
    ("conv_tbc", MODULES),
    ("copy_", "flambeau-autograd/tests/inplace.rs"),
    ("div_rounded", VARIANT),
    ("dropout1d", RANDOM),
    ("dropout2d", RANDOM),
    ("dropout3d", RANDOM),
    ("embedding_renorm_", "the goldens of embedding with max_norm"),
    ("empty", FRESH),
    ("empty_like", FRESH),
    ("exponential_", RANDOM),
    ("feature_alpha_dropout", RANDOM),
    ("feature_dropout", RANDOM),
    ("fill_", "flambeau-autograd/tests/inplace.rs"),
    ("gumbel_softmax", RANDOM),
    ("triplet_margin_with_distance_loss", MODULES),
    ("fill_diagonal_", "flambeau-autograd/tests/inplace.rs"),
    ("fractional_max_pool2d", MODULES),
    ("fractional_max_pool2d_with_indices", MODULES),
    ("fractional_max_pool3d", MODULES),
    ("fractional_max_pool3d_with_indices", MODULES),
    ("grid_sampler", "grid_sample, whose goldens call it"),
    ("im2col", VARIANT),
    ("index", VARIANT),
    ("index_set", "flambeau-wgpu/tests/indexing.rs, on both devices"),
    ("linalg_norm", VARIANT),
    ("lp_pool1d", MODULES),
    ("lp_pool2d", MODULES),
    ("lp_pool3d", MODULES),
    ("max_dim", VARIANT),
    ("max_pool1d_with_indices", VARIANT),
    ("max_pool2d_with_indices", VARIANT),
    ("max_pool3d_with_indices", VARIANT),
    ("median_dim", VARIANT),
    ("min_dim", VARIANT),
    ("multinomial", RANDOM),
    ("new_empty", FRESH),
    ("nonzero_tuple", "its parts are nonzero's columns"),
    ("normal_", RANDOM),
    ("pow_scalar", VARIANT),
    ("rand", RANDOM),
    ("rand_like", RANDOM),
    ("randint", RANDOM),
    ("randn", RANDOM),
    ("randn_like", RANDOM),
    ("random_", RANDOM),
    ("randperm", RANDOM),
    ("rdiv", VARIANT),
    ("repeat_interleave_each", VARIANT),
    ("resize_", "flambeau-autograd/tests/versions.rs"),
    ("round_decimals", VARIANT),
    ("rrelu", "its goldens of special values (tests/special.rs)"),
    ("scatter_with_reduce", VARIANT),
    ("tensor_split_at", VARIANT),
    ("tensordot_n", VARIANT),
    ("uniform_", RANDOM),
    ("where_", VARIANT),
    ("unique_inverse", "the row of unique has it"),
    ("unique_counts", "the row of unique has it"),
    ("unique_all", "the row of unique has it"),
    ("unique_consecutive_all", "the row of unique_consecutive has it"),
    ("linalg_cross", "the row linalg.cross"),
    ("linalg_vander", "the row linalg.vander"),
    ("linalg_det", LINALG),
    ("linalg_inv", LINALG),
    ("linalg_slogdet", LINALG),
    ("linalg_solve", LINALG),
    ("inverse", LINALG),
    ("linalg_svdvals", LINALG),
    ("linalg_matrix_rank", LINALG),
    ("linalg_pinv", LINALG),
    ("linalg_cond", LINALG),
    ("linalg_eigvalsh", LINALG),
    ("linalg_qr", LINALG),
    ("linalg_matrix_power", LINALG),
    ("linalg_multi_dot", LINALG),
    ("linalg_vecdot", LINALG),
    ("linalg_matrix_norm", LINALG),
    ("linalg_svd", VECTORS),
    ("svd", VECTORS),
    ("linalg_eigh", VECTORS),
    ("normal", "random: its own test has PyTorch's numbers"),
    ("normal_size", "random: its own test has PyTorch's numbers"),
];

/// In-place forms that no golden is a case of, each with what tests it.
const NO_IN_PLACE_CASE: &[(&str, &str)] = &[
    ("alpha_dropout", RANDOM),
    ("div_rounded", "a mode of rounding is no data yet; out of place its goldens call the same program"),
    ("dropout1d", RANDOM),
    ("dropout2d", RANDOM),
    ("dropout3d", RANDOM),
    ("feature_alpha_dropout", RANDOM),
    ("feature_dropout", RANDOM),
    ("index_put", "flambeau-autograd/tests/inplace.rs and flambeau-wgpu/tests/indexing.rs"),
    ("rrelu", "tests/saved.rs, and its goldens of special values out of place"),
    ("squeeze", "flambeau-autograd/tests/inplace.rs: the shape changes"),
    ("unsqueeze", "flambeau-autograd/tests/inplace.rs: the shape changes"),
];

/// Operations that stand for a form of another, whose goldens are cases of theirs.
const FORM_OF: &[(&str, &str)] =
    &[("clamp", "clamp_tensor"), ("round", "round_decimals"), ("scatter", "scatter_with_reduce")];

#[test]
fn every_operation_has_a_row_or_a_reason() {
    let rows: BTreeSet<&str> = all().iter().map(|row| OpInfo::registered_name(row.name)).collect();
    // Variants of PyTorch's database: `max.reduction_with_dim`.
    let bases: BTreeSet<&str> = rows.iter().filter_map(|name| name.split('.').next()).collect();
    let excused: BTreeMap<&str, &str> = NO_ROW.iter().copied().collect();
    let has_row = |op: &registry::Op| std::iter::once(&op.name).chain(op.aliases).any(|n| bases.contains(n));
    let missing: Vec<_> =
        registry::all().filter(|op| !has_row(op) && !excused.contains_key(op.name)).map(|op| op.name).collect();
    assert!(missing.is_empty(), "no row and no reason: {missing:?}");
    let stale: Vec<_> = excused.keys().filter(|name| registry::find(name).is_none_or(has_row)).collect();
    assert!(stale.is_empty(), "a reason for what has a row, or is no operation: {stale:?}");
    println!("count: {} operations in the registry", registry::all().count());
}

#[test]
fn names_are_unique_in_their_module() {
    let mut seen = BTreeMap::new();
    for op in registry::all() {
        let names: Vec<String> = op.forms.iter().chain(op.aliases).map(|name| (*name).to_owned()).collect();
        let in_place = names.iter().filter(|_| op.in_place).map(|name| format!("{name}_"));
        let names: BTreeSet<String> = names.iter().cloned().chain(in_place).collect();
        for (module, name) in op.paths.iter().flat_map(|module| names.iter().map(move |name| (*module, name.clone()))) {
            if let Some(other) = seen.insert((module, name.clone()), op.name) {
                panic!("{module}::{name} is a form of {other} and of {}", op.name);
            }
        }
    }
    println!("count: {} functions of operations", seen.len());
}

/// Backwards that have another name in place, and that name.
const NAMED_IN_PLACE: &[(&str, &str)] = &[
    ("CeluBackward0", "CeluBackward1"),
    ("EluBackward0", "EluBackward1"),
    ("LeakyReluBackward0", "LeakyReluBackward1"),
    ("SqueezeBackward0", "SqueezeBackward3"),
    ("SqueezeBackward1", "SqueezeBackward4"),
    ("SqueezeBackward2", "SqueezeBackward5"),
    ("TBackward0", "TBackward1"),
    ("ThresholdBackward0", "ThresholdBackward1"),
    ("TransposeBackward0", "TransposeBackward1"),
    ("UnsqueezeBackward0", "UnsqueezeBackward1"),
];

/// What a golden case makes of an in-place form: `None` where the case is not one of it.
fn in_place_case(op: &registry::Op, case: &Case) -> Option<Result<bool, String>> {
    let (call, golden) = (op.call_in_place?, case.outputs.first()?);
    let [Arg::Tensor(first), ..] = &case.args[..] else { return None };
    // The result must fit into the first tensor, which nothing else may look at.
    if case.error.is_some() || first.view.is_some() || (first.dtype, &first.shape) != (golden.dtype, &golden.shape) {
        return None;
    }
    Some(run_in_place(call, case, golden))
}

/// Whether the case is one of the in-place form, which then gave what PyTorch's operation gives.
fn run_in_place(call: registry::OpFn, case: &Case, golden: &GoldenTensor) -> Result<bool, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let args = Args::of(case, Device::Cpu).map_err(|e| text(&e))?;
    let leaf = args.x().map_err(|e| text(&e))?;
    // Not the leaf itself, which must not be written to.
    let x = ops::clone(leaf).map_err(|e| text(&e))?;
    let version = x.version();
    let args = args.with_first(x.shallow_clone());
    let outputs = call(&args);
    // Arguments of another form, or that data cannot say, make no case of it.
    if matches!(outputs, Err(flambeau_autograd::Error::Argument(_))) || !args.unread().is_empty() {
        return Ok(false);
    }
    let outputs = outputs.map_err(|e| text(&e))?;
    let [out] = &outputs[..] else { return Err(format!("{} outputs", outputs.len())) };
    if !out.array().storage().ptr_eq(x.array().storage()) {
        return Err("the result is not the tensor that was written to".into());
    }
    let found = values(out).map_err(|e| text(&e))?;
    // What changes nothing (dropout of p = 0) need not write.
    let unchanged =
        version == x.version() && golden.compare(leaf.dtype(), &leaf.size(), &found, case.tolerance).is_ok();
    if x.numel() > 0 && x.version() == version && !unchanged {
        return Err("the write was not counted".into());
    }
    golden.compare(out.dtype(), &out.size(), &found, case.tolerance).map_err(|e| format!("value: {e}"))?;
    let Some(expected) = &case.grads else { return Ok(true) };
    if !out.requires_grad() {
        return Err("the result requires no gradient".into());
    }
    let backward = out.grad_fn();
    let wanted = case.grad_fn.as_deref();
    let named = NAMED_IN_PLACE.iter().find(|(name, _)| Some(*name) == wanted).map(|(_, in_place)| *in_place);
    let (backward, wanted) = (backward.as_ref().map(|f| f.name()), named.or(wanted));
    if wanted.is_some() && backward != wanted {
        return Err(format!("grad_fn {backward:?}, expected {wanted:?}"));
    }
    let seed = GoldenTensor {
        values: Values::Float(cotangent(out.numel())),
        view: None,
        requires_grad: false,
        ..golden.clone()
    };
    let seed = tensor(&seed, Device::Cpu).map_err(|e| text(&e))?;
    let leaves: Vec<&Tensor> = args.leaves().iter().collect();
    let grads = grad(&[out], &leaves, &[Some(&seed)], false, false, true).map_err(|e| text(&e))?;
    for (i, (found, expected)) in grads.iter().zip(expected).enumerate() {
        match (found, expected) {
            (Some(found), Some(expected)) => {
                let numbers = values(found).map_err(|e| text(&e))?;
                let compared = expected.compare(found.dtype(), &found.size(), &numbers, case.tolerance);
                compared.map_err(|e| format!("gradient {i}: {e}"))?;
            }
            (None, None) => {}
            (found, _) => {
                return Err(format!("gradient {i}: {} there is one", if found.is_some() { "" } else { "not" }));
            }
        }
    }
    Ok(true)
}

/// The in-place form of each operation gives what PyTorch's operation gives, and its gradients, on every golden that fits.
#[test]
fn in_place_forms_are_the_operations() {
    let (mut cases, mut failures) = (0, Vec::new());
    let mut tested = BTreeSet::new();
    for row in all() {
        // `div.no_rounding_mode` is a variant of div.
        let name = OpInfo::registered_name(row.name);
        let op = registry::find(name).or_else(|| registry::find(name.split('.').next()?));
        let forms = FORM_OF.iter().filter(|(of, _)| *of == name).filter_map(|(_, form)| registry::find(form));
        let ops: Vec<&registry::Op> = op.into_iter().chain(forms).filter(|op| op.in_place).collect();
        if ops.is_empty() {
            continue;
        }
        for (i, case) in load_op(row.name).unwrap().iter().enumerate() {
            if row.differs.iter().any(|(number, _)| *number == i) {
                continue;
            }
            for op in &ops {
                match in_place_case(op, case) {
                    None | Some(Ok(false)) => {}
                    Some(Ok(true)) => {
                        cases += 1;
                        tested.insert(op.name);
                    }
                    Some(Err(what)) => failures.push(format!("{}_ {i}: {what}", op.name)),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
    println!("count: {cases} in-place cases");
    let excused: BTreeSet<&str> = NO_IN_PLACE_CASE.iter().map(|(name, _)| *name).collect();
    let untested: BTreeSet<&str> =
        registry::all().filter(|op| op.in_place && !tested.contains(op.name)).map(|op| op.name).collect();
    let missing: Vec<_> = untested.difference(&excused).collect();
    assert!(missing.is_empty(), "in-place forms without a case: {missing:?}");
    let stale: Vec<_> = excused.difference(&untested).collect();
    assert!(stale.is_empty(), "a reason for what has a case: {stale:?}");
}

/// Operations that PyTorch makes of one of its GPUs' list, and which.
const COMPOSED: &[(&str, &str)] = &[
    ("cross_entropy", "nll_loss"),
    ("linalg_norm", "linalg_vector_norm"),
    ("multilabel_soft_margin_loss", "sum"),
    ("normalize", "linalg_vector_norm"),
    ("pairwise_distance", "norm"),
    ("pow_scalar", "pow"),
    ("rdiv", "reciprocal"),
    ("softmin", "softmax"),
    ("square", "pow"),
    ("tensordot_n", "tensordot"),
];

/// The same of the CPU's list.
const COMPOSED_ON_CPU: &[(&str, &str)] = &[
    ("adaptive_max_pool3d_with_indices", "adaptive_max_pool3d"),
    ("cross_entropy", "cross_entropy_loss"),
    ("fractional_max_pool2d_with_indices", "fractional_max_pool2d"),
    ("fractional_max_pool3d_with_indices", "fractional_max_pool3d"),
    ("linalg_cholesky_info", "linalg_cholesky_ex"),
    ("max_unpool1d", "max_unpool2d"),
];

fn cast(policy: Option<&str>) -> Cast {
    match policy {
        None => Cast::None,
        Some("lower_precision_fp") => Cast::Low,
        Some("fp32") => Cast::Float32,
        // One names the dtype in the call, the other adds it to the call: the result is float32.
        Some("fp32_set_opt_dtype" | "fp32_append_dtype") => Cast::Float32Result,
        Some("promote") => Cast::Widest,
        Some("banned") => Cast::Banned,
        Some(other) => panic!("{other} is no policy"),
    }
}

#[test]
fn autocast_treats_operations_as_pytorch_does() {
    for (file, composed, of) in [
        ("autocast", COMPOSED, (|op| op.cast.gpu) as fn(&registry::Op) -> Cast),
        ("autocast_cpu", COMPOSED_ON_CPU, |op| op.cast.cpu),
    ] {
        let policies = load_table(file, "op", "policy").unwrap();
        let mut listed = 0;
        for op in registry::all() {
            let composed = composed.iter().find(|(name, _)| *name == op.name).map(|(_, of)| *of);
            let in_linalg = format!("linalg_{}", op.name);
            let policy = [composed.unwrap_or(op.name), &in_linalg].iter().find_map(|name| policies.get(*name));
            let found = if of(op) == Cast::Opaque { Cast::None } else { of(op) };
            assert_eq!(found, cast(policy.map(String::as_str)), "{file}: {}", op.name);
            listed += usize::from(policy.is_some());
        }
        println!("count: {listed} operations that {file} converts, as PyTorch's lists have them");
        assert!(listed > 50, "{listed}");
    }
}
