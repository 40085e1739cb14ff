//! In-place operations on every kind of view, under each grad mode, beside PyTorch: values, versions, `grad_fn` names,
//! gradients and errors. The table of PyTorch's answers is `goldens/inplace.py`'s, with the same names.

mod golden;

use flambeau_autograd::{Error, Result, Tensor, arange, full, grad, ops, set_grad_enabled, tensor};
use serde_json::Value;
use std::collections::BTreeMap;

type View = fn(&Tensor) -> Result<Tensor>;
type Operation = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

fn part(parts: Result<Vec<Tensor>>, i: usize) -> Result<Tensor> {
    Ok(parts?.swap_remove(i))
}

fn head(b: &Tensor) -> Result<Tensor> {
    ops::slice(b, 1, None, Some(1), 1)
}

fn views() -> BTreeMap<&'static str, View> {
    let all: &[(&'static str, View)] = &[
        ("self", |b| Ok(b.shallow_clone())),
        ("select", |b| ops::select(b, 0, 1)),
        ("slice", |b| ops::slice(b, 1, Some(1), None, 1)),
        ("slice_step", |b| ops::slice(b, 1, None, None, 2)),
        ("narrow", |b| ops::narrow(b, 1, 0, 2)),
        ("t", ops::t),
        ("view", |b| ops::view(b, &[6])),
        ("reshape", |b| ops::reshape(b, &[3, 2])),
        ("reshape_copy", |b| ops::reshape(&ops::t(b)?, &[6])),
        ("flatten", |b| ops::flatten(b, 0, -1)),
        ("permute", |b| ops::permute(b, &[1, 0])),
        ("movedim", |b| ops::movedim(b, &[0], &[1])),
        ("swapaxes", |b| Ok(b.swapaxes(0, 1))),
        ("unsqueeze", |b| ops::unsqueeze(b, 0)),
        ("squeeze", |b| ops::squeeze(&head(b)?, Some(&[1]))),
        ("expand", |b| ops::expand(&head(b)?, &[2, 3])),
        ("expand_new", |b| ops::expand(b, &[2, 2, 3])),
        ("expand_same", |b| ops::expand(b, &[2, 3])),
        ("unfold", |b| ops::unfold(b, 1, 2, 1)),
        ("unfold_apart", |b| ops::unfold(b, 1, 1, 2)),
        ("diagonal", |b| ops::diagonal(b, 0, 0, 1)),
        ("as_strided", |b| ops::as_strided(b, &[2, 2], &[3, 1], 1)),
        ("as_strided_overlap", |b| ops::as_strided(b, &[2, 3], &[2, 1], 0)),
        ("split", |b| part(ops::split(b, 1, 0), 0)),
        ("split_sizes", |b| part(ops::split_sizes(b, &[1, 2], 1), 1)),
        ("chunk", |b| part(ops::chunk(b, 2, 1), 0)),
        ("unbind", |b| part(ops::unbind(b, 0), 1)),
        ("tensor_split", |b| part(ops::tensor_split(b, 2, 0), 0)),
        ("split_view", |b| ops::view(&part(ops::split(b, 1, 0), 1)?, &[3])),
        ("unbind_slice", |b| ops::slice(&part(ops::unbind(b, 1), 1)?, 0, Some(1), None, 1)),
        ("select_of_slice", |b| ops::select(&ops::slice(b, 1, Some(1), None, 1)?, 0, 0)),
        ("detach", |b| Ok(b.detach())),
        ("data", |b| Ok(b.data())),
        ("contiguous", ops::contiguous),
    ];
    all.iter().copied().collect()
}

fn index() -> Tensor {
    tensor([0])
}

/// One line of a view along its first dimension, filled.
fn line(v: &Tensor, value: f64) -> Tensor {
    let mut shape = v.size().to_vec();
    shape[0] = 1;
    full(shape, value)
}

fn lines_of_zero(v: &Tensor) -> Tensor {
    line(v, 0.0).long()
}

fn number(value: f64) -> Tensor {
    tensor(value)
}

fn in_place(f: impl FnOnce() -> Tensor) -> Result<Tensor> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    caught.map_err(|panic| Error::runtime(panic.downcast_ref::<String>().cloned().unwrap_or_default()))
}

fn operations() -> BTreeMap<&'static str, Operation> {
    let all: &[(&'static str, Operation)] = &[
        ("add", |_, v, _| ops::add_(v, 1, 1)),
        ("add_w", |_, v, w| ops::add_(v, w, 1)),
        ("sub_w", |_, v, w| ops::sub_(v, w, 1)),
        ("mul_w", |_, v, w| ops::mul_(v, w)),
        ("div", |_, v, _| ops::div_(v, 2)),
        ("pow", |_, v, _| ops::pow_(v, 2)),
        ("copy", |_, v, _| ops::copy_(v, &number(5.0))),
        ("copy_w", |_, v, w| ops::copy_(v, w)),
        ("fill", |_, v, _| ops::fill_(v, 7)),
        ("zero", |_, v, _| ops::zero_(v)),
        ("relu", |_, v, _| ops::relu_(v)),
        ("exp", |_, v, _| ops::exp_(v)),
        ("clamp", |_, v, _| ops::clamp_(v, Some(2.into()), Some(3.into()))),
        ("lerp", |_, v, _| ops::lerp_(v, &number(2.0), 0.5)),
        ("addcmul", |_, v, _| ops::addcmul_(v, &number(2.0), &number(3.0), 2)),
        ("masked_fill", |_, v, _| ops::masked_fill_(v, &number(1.0).bool(), 9)),
        ("index_fill", |_, v, _| ops::index_fill_(v, 0, &index(), 9)),
        ("index_add", |_, v, _| ops::index_add_(v, 0, &index(), &line(v, 2.0), 1)),
        ("index_copy", |_, v, _| ops::index_copy_(v, 0, &index(), &line(v, 2.0))),
        ("scatter", |_, v, _| ops::scatter_(v, 0, &lines_of_zero(v), line(v, 2.0))),
        ("scatter_value", |_, v, _| ops::scatter_(v, 0, &lines_of_zero(v), 2.0)),
        ("scatter_add", |_, v, _| ops::scatter_add_(v, 0, &lines_of_zero(v), &line(v, 2.0))),
        ("scatter_reduce", |_, v, _| ops::scatter_reduce_(v, 0, &lines_of_zero(v), &line(v, 2.0), "amax", true)),
        ("index_put", |_, v, _| ops::index_put_(v, &[Some(&index())], &number(2.0), false)),
        ("index_put_add", |_, v, _| ops::index_put_(v, &[Some(&index())], &number(2.0), true)),
        ("masked_scatter", |_, v, _| ops::masked_scatter_(v, &tensor([1.0]).bool(), &arange(20).float())),
        ("put", |_, v, _| ops::put_(v, &tensor([1]), &tensor([2.0]), false)),
        ("uniform", |_, v, _| in_place(|| v.uniform_(2.0, 2.0))),
        ("normal", |_, v, _| in_place(|| v.normal_(2.0, 0.0))),
        ("bernoulli", |_, v, _| in_place(|| v.bernoulli_(1.0))),
        ("squeeze_", |_, v, _| ops::squeeze_(v, None)),
        ("squeeze_dim", |_, v, _| ops::squeeze_(v, Some(&[0]))),
        ("squeeze_dims", |_, v, _| ops::squeeze_(v, Some(&[0, -1]))),
        ("unsqueeze_", |_, v, _| ops::unsqueeze_(v, -1)),
        ("t_", |_, v, _| ops::t_(v)),
        ("transpose_", |_, v, _| ops::transpose_(v, 0, -1)),
        ("transpose_mul_w", |_, v, w| ops::mul_(&ops::transpose_(v, 0, -1)?, w)),
        ("unsqueeze_base", |b, _, _| ops::unsqueeze_(b, 0)),
        ("fill_diagonal", |_, v, _| ops::fill_diagonal_(v, 7.into(), false)),
        ("write_base", |b, _, _| ops::add_(b, 1, 1)),
        ("write_base_w", |b, _, w| ops::mul_(b, w)),
    ];
    all.iter().copied().collect()
}

fn message(error: &Error) -> String {
    format!("{}: {}", error.python_type(), error.to_string().lines().next().unwrap_or_default())
}

/// The elements as the golden file has them: what JSON cannot hold is a text.
fn values(t: &Tensor) -> Value {
    let number = |x: f64| match x {
        x if x.is_finite() => Value::from(x),
        x if x.is_nan() => "nan".into(),
        x => if x > 0.0 { "inf" } else { "-inf" }.into(),
    };
    t.detach().double().to_vec::<f64>().into_iter().map(number).collect()
}

/// What became of one case, in the words of the golden file.
fn history(case: &Value, views: &BTreeMap<&str, View>, operations: &BTreeMap<&str, Operation>) -> Value {
    let key = |key: &str| golden::text(case, key).unwrap();
    let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let w = number(3.0).requires_grad_(true);
    let b = match key("base") {
        "plain" => x.shallow_clone(),
        "leaf" => x.requires_grad_(true),
        "computed" => &x.requires_grad_(true) * 1,
        other => panic!("no base {other}"),
    };
    let mode = |name: &str| set_grad_enabled(key(name) == "grad");
    let v = {
        let _mode = mode("made");
        views[key("view")](&b).unwrap()
    };
    let written = {
        let _mode = mode("written");
        operations[key("op")](&b, &v, &w)
    };
    if let Err(error) = written {
        return serde_json::json!({ "error": message(&error) });
    }
    let name = |t: &Tensor| t.grad_fn().map(|f| f.name());
    let mut found = serde_json::json!({
        "version": v.version(), "grad_fn": name(&v), "base_grad_fn": name(&b),
        "values": values(&v), "base_values": values(&b),
    });
    let loss = || -> Result<Tensor> {
        let weights = |t: &Tensor| (&arange(t.numel() as i64).float() + 1).view(t.size());
        let of = |t: &Tensor| ops::sum(&ops::mul(t, weights(t))?, &[], false, None);
        ops::add(&of(&b)?, &of(&v)?, 1)
    };
    let grads = loss().and_then(|loss| match loss.requires_grad() {
        true => {
            let leaves: Vec<&Tensor> = [&x, &w].into_iter().filter(|t| t.requires_grad() && t.is_leaf()).collect();
            let grads = grad(&[&loss], &leaves, &[], false, false, true)?;
            let mut grads = leaves.iter().map(|l| l.is_same(&x)).zip(grads);
            let (mut of_x, mut of_w) = (None, None);
            grads.by_ref().for_each(|(is_x, g)| if is_x { of_x = g } else { of_w = g });
            Ok((of_x, of_w))
        }
        false => Ok((None, None)),
    });
    match grads {
        Ok((x, w)) => found["grads"] = serde_json::json!({ "x": x.as_ref().map(values), "w": w.as_ref().map(values) }),
        Err(error) => found["backward_error"] = message(&error).into(),
    }
    found
}

/// Equal texts and nulls, and numbers that agree to single precision.
fn agree(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-5 * b.abs().max(1.0)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b)),
        (Value::Object(a), Value::Object(b)) => a.iter().all(|(k, a)| b.get(k).is_some_and(|b| agree(a, b))),
        (a, b) => a == b,
    }
}

/// An index out of range and a view that must not be written to: the other of the two errors is told.
const DIFFERS: &[(&str, &str)] = &[("unbind_slice", "put")];

#[test]
fn every_view_and_operation_does_what_pytorch_does() {
    let (views, operations) = (views(), operations());
    let all = golden::cases("inplace.jsonl.gz");
    let cases: Vec<&Value> = all.iter().filter(|case| case.get("view").is_some()).collect();
    let mut wrong = Vec::new();
    for &case in &cases {
        let (view, op) = (golden::text(case, "view").unwrap(), golden::text(case, "op").unwrap());
        if DIFFERS.contains(&(view, op)) {
            continue;
        }
        let found = history(case, &views, &operations);
        if !agree(&found, case) || found.get("error").is_some() != case.get("error").is_some() {
            wrong.push(format!("{case}\n  gives {found}"));
        }
    }
    assert!(cases.len() >= 4_700, "{} cases", cases.len());
    let shown = wrong.iter().take(400).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} cases:\n{shown}", wrong.len(), cases.len());
}

fn rows(x: &Tensor, from: i64, to: i64) -> Result<Tensor> {
    ops::slice(x, 0, Some(from), Some(to), 1)
}

fn flat(x: &Tensor) -> Result<Tensor> {
    ops::view(x, &[16])
}

fn next(x: &Tensor) -> Result<(Tensor, Tensor)> {
    Ok((rows(&flat(x)?, 1, 16)?, rows(&flat(x)?, 0, 15)?))
}

fn expanded(x: &Tensor) -> Result<Tensor> {
    ops::expand(&rows(x, 0, 1)?, &[4, 4])
}

fn windows(x: &Tensor, size: i64, step: i64) -> Result<Tensor> {
    ops::unfold(&flat(x)?, 0, size, step)
}

fn numbers(shape: &[i64]) -> Result<Tensor> {
    ops::view(&arange(shape.iter().product::<i64>()).float(), shape)
}

fn ones_index() -> Tensor {
    flambeau_autograd::ones([1, 4]).long()
}

fn mask() -> Tensor {
    tensor([[1.0], [0.0], [0.0], [0.0]]).bool()
}

type Overlap = fn(&Tensor) -> Result<Tensor>;

fn overlaps() -> BTreeMap<&'static str, Overlap> {
    let all: &[(&'static str, Overlap)] = &[
        ("add_next", |x| next(x).and_then(|(a, b)| ops::add_(&a, &b, 1))),
        ("add_before", |x| next(x).and_then(|(a, b)| ops::add_(&b, &a, 1))),
        ("add_self", |x| ops::add_(x, x, 1)),
        ("add_same_view", |x| ops::add_(&rows(x, 1, 4)?, &rows(x, 1, 4)?, 1)),
        ("add_transposed", |x| ops::add_(x, &ops::t(x)?, 1)),
        ("add_row", |x| ops::add_(x, &ops::select(x, 0, 0)?, 1)),
        ("add_row_to_row", |x| ops::add_(&ops::select(x, 0, 1)?, &ops::select(x, 0, 0)?, 1)),
        ("add_element", |x| ops::add_(x, &ops::select(&ops::select(x, 0, 0)?, 0, 0)?, 1)),
        ("add_apart", |x| ops::add_(&ops::select(x, 1, 1)?, &ops::select(x, 1, 0)?, 1)),
        ("add_reshaped", |x| ops::add_(&flat(x)?, &flat(x)?, 1)),
        ("add_number_before_cast", |x| next(x).and_then(|(a, b)| ops::add_(&a, &b, 2))),
        ("copy_next", |x| next(x).and_then(|(a, b)| ops::copy_(&a, &b))),
        ("copy_before", |x| next(x).and_then(|(a, b)| ops::copy_(&b, &a))),
        ("copy_self", |x| ops::copy_(x, x)),
        ("copy_same_view", |x| ops::copy_(&rows(x, 1, 4)?, &rows(x, 1, 4)?)),
        ("copy_transposed", |x| ops::copy_(x, &ops::t(x)?)),
        ("copy_row", |x| ops::copy_(x, &ops::select(x, 0, 0)?)),
        ("copy_apart", |x| ops::copy_(&ops::select(x, 1, 1)?, &ops::select(x, 1, 0)?)),
        ("copy_wrong_shape", |x| ops::copy_(&rows(&flat(x)?, 1, 16)?, &rows(&flat(x)?, 0, 9)?)),
        ("add_wrong_shape", |x| ops::add_(&rows(&flat(x)?, 1, 16)?, &rows(&flat(x)?, 0, 9)?, 1)),
        ("lerp_next", |x| next(x).and_then(|(a, b)| ops::lerp_(&a, &b, 0.5))),
        ("addcmul_next", |x| next(x).and_then(|(a, b)| ops::addcmul_(&a, &b, &flambeau_autograd::ones(15), 1))),
        ("addcdiv_next", |x| next(x).and_then(|(a, b)| ops::addcdiv_(&a, &flambeau_autograd::ones(15), &b, 1))),
        ("pow_next", |x| next(x).and_then(|(a, b)| ops::pow_(&a, &b))),
        ("index_copy_row", |x| ops::index_copy_(x, 0, &tensor([1]), &rows(x, 0, 1)?)),
        ("index_add_row", |x| ops::index_add_(x, 0, &tensor([1]), &rows(x, 0, 1)?, 1)),
        ("index_add_self", |x| ops::index_add_(x, 0, &arange(4), x, 1)),
        ("index_put_row", |x| ops::index_put_(x, &[Some(&tensor([1]))], &rows(x, 0, 1)?, false)),
        ("scatter_row", |x| ops::scatter_(x, 0, &ones_index(), &rows(x, 0, 1)?)),
        ("scatter_add_row", |x| ops::scatter_add_(x, 0, &ones_index(), &rows(x, 0, 1)?)),
        ("masked_scatter_row", |x| ops::masked_scatter_(x, &mask(), &rows(x, 2, 4)?)),
        ("masked_fill_element", |x| ops::masked_fill_(x, &mask(), &ops::select(&ops::select(x, 0, 1)?, 0, 1)?)),
        ("put_row", |x| ops::put_(x, &arange(4), &ops::select(x, 0, 2)?, false)),
        ("unfold_add", |x| ops::add_(&windows(x, 3, 1)?, 1, 1)),
        ("unfold_add_many", |x| ops::add_(&windows(x, 3, 2)?, &numbers(&[7, 1])?, 1)),
        ("unfold_copy", |x| ops::copy_(&windows(x, 3, 1)?, &numbers(&[14, 3])?)),
        ("unfold_mul", |x| ops::mul_(&windows(x, 4, 3)?, 2)),
        ("unfold_fill", |x| ops::fill_(&windows(x, 3, 1)?, 5)),
        ("unfold_rows_add", |x| ops::add_(&ops::unfold(x, 0, 2, 1)?, 1, 1)),
        ("unfold_relu", |x| ops::relu_(&windows(x, 3, 1)?)),
        ("strided_add", |x| ops::add_(&ops::as_strided(x, &[3, 3], &[1, 1], 0)?, 1, 1)),
        ("strided_copy", |x| ops::copy_(&ops::as_strided(x, &[3, 3], &[1, 2], 0)?, &numbers(&[3, 3])?)),
        ("expand_fill", |x| ops::fill_(&expanded(x)?, 5)),
        ("expand_zero", |x| ops::zero_(&expanded(x)?)),
        ("expand_add", |x| ops::add_(&expanded(x)?, 1, 1)),
        ("expand_copy", |x| ops::copy_(&expanded(x)?, &flambeau_autograd::ones(4))),
        ("expand_one", |x| ops::add_(&ops::expand(&rows(x, 0, 1)?, &[1, 4])?, 1, 1)),
        ("expand_empty", |x| ops::add_(&ops::expand(&rows(x, 0, 1)?, &[0, 4])?, 1, 1)),
        ("expand_relu", |x| ops::relu_(&expanded(x)?)),
        ("expand_uniform", |x| expanded(x).and_then(|e| in_place(|| e.uniform_(2.0, 2.0)))),
        ("expand_normal", |x| expanded(x).and_then(|e| in_place(|| e.normal_(2.0, 0.0)))),
        ("expand_bernoulli", |x| expanded(x).and_then(|e| in_place(|| e.bernoulli_(1.0)))),
        ("expand_masked_fill", |x| ops::masked_fill_(&expanded(x)?, &number(1.0).bool(), 3)),
        ("expand_index_fill", |x| ops::index_fill_(&expanded(x)?, 0, &tensor([1]), 3)),
        ("expand_index_add", |x| ops::index_add_(&expanded(x)?, 0, &tensor([1]), &line(x, 1.0), 1)),
        ("expand_index_copy", |x| ops::index_copy_(&expanded(x)?, 0, &tensor([1]), &line(x, 1.0))),
        ("expand_scatter", |x| ops::scatter_(&expanded(x)?, 0, &lines_of_zero(x), line(x, 1.0))),
        ("expand_scatter_add", |x| ops::scatter_add_(&expanded(x)?, 0, &lines_of_zero(x), &line(x, 1.0))),
        ("expand_index_put", |x| ops::index_put_(&expanded(x)?, &[Some(&tensor([1]))], &number(3.0), false)),
        ("expand_masked_scatter", |x| ops::masked_scatter_(&expanded(x)?, &number(1.0).bool(), &numbers(&[16])?)),
        ("expand_put", |x| ops::put_(&expanded(x)?, &tensor([1]), &tensor([3.0]), false)),
        ("expand_source", |x| ops::add_(&rows(x, 1, 2)?, &ops::expand(&rows(x, 0, 1)?, &[1, 4])?, 1)),
    ];
    all.iter().copied().collect()
}

/// Cases without a form in Rust: `lerp_` and `clamp_` take numbers.
const NO_FORM: [&str; 2] = ["lerp_weight", "clamp_next"];

#[test]
fn memory_that_operands_share_is_refused_or_written_in_order() {
    let overlaps = overlaps();
    let all = golden::cases("inplace.jsonl.gz");
    let cases = all.iter().filter_map(|case| Some((golden::text(case, "overlap")?, case)));
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, case) in cases.filter(|(name, _)| !NO_FORM.contains(name)) {
        seen += 1;
        let x = numbers(&[4, 4]).unwrap();
        let result = overlaps[name](&x).map(|_| ());
        let found = result.map(|()| values(&x)).unwrap_or_else(|e| message(&e).into());
        let expected = if case["values"].is_null() { &case["error"] } else { &case["values"] };
        if !agree(&found, expected) {
            wrong.push(format!("{name}\n  gives    {found}\n  expected {expected}"));
        }
    }
    assert_eq!(seen, overlaps.len());
    assert!(seen >= 60, "{seen} cases");
    assert!(wrong.is_empty(), "{} of {seen} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn lengths_that_cannot_be_counted_are_refused_in_pytorchs_words() {
    let x = tensor([1.0, 2.0, 3.0]);
    let one = flambeau_autograd::ones([1, 1]);
    let (huge, max) = (1i64 << 40, i64::MAX);
    let cases: [(&str, Result<Tensor>); 11] = [
        ("start (1) + length (9223372036854775807) exceeds dimension size (3).", ops::narrow(&x, 0, 1, max)),
        ("start (2) + length (9223372036854775807) exceeds dimension size (3).", ops::narrow(&x, 0, -1, max)),
        (
            "start out of range (expected to be in range of [-3, 3], but got -9223372036854775808)",
            ops::narrow(&x, 0, i64::MIN, 1),
        ),
        (
            "start out of range (expected to be in range of [-3, 3], but got 9223372036854775807)",
            ops::narrow(&x, 0, max, max),
        ),
        ("numel: integer multiplication overflow", ops::expand(&one, &[huge, huge])),
        ("numel: integer multiplication overflow", ops::expand(&one, &[huge, huge, 1, 0])),
        ("numel: integer multiplication overflow", ops::expand(&one, &[1 << 32, 1 << 31])),
        ("numel: integer multiplication overflow", ops::as_strided(&x, &[1 << 40, 1 << 40], &[0, 0], 0)),
        (
            "Storage size calculation overflowed with sizes=[2, 2] and strides=[4611686018427387904, 4611686018427387904]",
            ops::as_strided(&x, &[2, 2], &[1 << 62, 1 << 62], 0),
        ),
        (
            "Storage size calculation overflowed with sizes=[2, 2] and strides=[1, 1]",
            ops::as_strided(&x, &[2, 2], &[1, 1], usize::MAX >> 1),
        ),
        ("numel: integer multiplication overflow", ops::resize_(&tensor([1.0]), &[huge, huge])),
    ];
    for (expected, result) in cases {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    // 2⁶² elements can be counted.
    assert_eq!(ops::expand(&one, &[1 << 31, 1 << 31]).unwrap().numel(), 1 << 62);
    assert_eq!(ops::narrow(&x, 0, 3, 0).unwrap().numel(), 0);
    assert!(ops::split_sizes(&x, &[max, max, 5], 0).is_err());
}
