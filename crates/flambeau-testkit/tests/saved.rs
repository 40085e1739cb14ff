//! What each operation saves for its backward, beside PyTorch: a tensor that was written to since is found out, with the same
//! words, and so is a graph that was freed; in every golden case with gradients, out of place and in place.

use flambeau_autograd::{Tensor, backward, ops, registry};
use flambeau_tensor::Device;
use flambeau_testkit::args::{Args, CallError};
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Answers, Called, Case, SavedCase, load_op, load_saved};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use std::collections::BTreeMap;

/// Why an answer may differ from PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// Both find the write, and describe the saved tensor otherwise.
    Words,
    /// Only PyTorch finds it: nothing that backward reads was written to.
    Missed,
    /// Only this library finds it: PyTorch's backward does not read it.
    Found,
}

use How::{Found, Missed, Words};

/// The gradient is zero and needs nothing.
const ZERO: &str = "the gradient is zero here, where PyTorch computes one from what it saved";
/// PyTorch's backward reads its shape only.
const SHAPE: &str = "PyTorch saves it for its shape";
/// The operand is saved as it is given, or as a view of it.
const VIEW: &str = "another view of the same memory is saved";
/// What backward reads is a copy, which a write does not reach.
const COPY: &str = "a copy is saved";
/// Several of PyTorch's operations are one kernel here.
const FUSED: &str = "one kernel whose backward reads the inputs; PyTorch's operations save what lies between";
/// What is saved is computed of it.
const COMPOSED: &str = "composed of other operations than PyTorch's, which save other tensors";
/// Backward computes again what it needs of the result.
const AGAIN: &str = "what the result is made of is computed again";

/// What differs on purpose: the operation, its tensors (or `second`, `before`), how, and why.
const DIFFERS: &[(&str, &[&str], How, &str)] = &[
    ("addbmm", &["1", "2"], Words, VIEW),
    ("cdist", &["0", "1"], Words, VIEW),
    ("cummax", &["0"], Missed, SHAPE),
    ("cummin", &["0"], Missed, SHAPE),
    ("div.floor_rounding", &["0", "1", "second"], Missed, ZERO),
    ("div.trunc_rounding", &["0", "1", "second"], Missed, ZERO),
    ("inner", &["0", "1"], Words, VIEW),
    ("kron", &["0", "1"], Found, COMPOSED),
    ("matmul", &["0", "1"], Words, VIEW),
    ("matmul", &["0", "1"], Found, "PyTorch multiplies a copy of a batch whose dims it folds"),
    ("nn.functional.batch_norm", &["1"], Missed, "the statistics that a training batch replaces are not read"),
    ("nn.functional.batch_norm", &["2"], Missed, "the inverse root of the variance is saved"),
    ("nn.functional.batch_norm", &["1", "3"], Words, VIEW),
    ("nn.functional.bilinear", &["0", "1", "2"], Words, VIEW),
    ("nn.functional.bilinear", &["2"], Missed, COPY),
    ("nn.functional.conv_transpose2d", &["0"], Missed, "an input that zeros were added to is a copy"),
    ("nn.functional.cosine_embedding_loss", &["2"], Found, FUSED),
    ("nn.functional.cosine_similarity", &["0", "1"], Words, VIEW),
    ("nn.functional.cross_entropy", &["1", "2"], Words, COMPOSED),
    ("nn.functional.gaussian_nll_loss", &["0", "1", "2"], Found, FUSED),
    ("nn.functional.hinge_embedding_loss", &["0", "1"], Found, FUSED),
    ("nn.functional.instance_norm", &["0"], Words, VIEW),
    ("nn.functional.instance_norm", &["0", "3", "4"], Found, "PyTorch saves copies of the repeated weights"),
    ("nn.functional.kl_div", &["0", "1"], Found, FUSED),
    ("nn.functional.l1_loss", &["0", "1"], Found, FUSED),
    ("nn.functional.layer_norm", &["2"], Missed, SHAPE),
    ("nn.functional.linear", &["0", "1"], Words, VIEW),
    ("nn.functional.linear", &["0"], Found, "PyTorch multiplies a copy of a batch whose dims it folds"),
    ("nn.functional.margin_ranking_loss", &["0", "1", "2"], Found, FUSED),
    ("nn.functional.mse_loss", &["0", "1"], Words, VIEW),
    ("nn.functional.pad.circular", &["0"], Found, COMPOSED),
    ("nn.functional.poisson_nll_loss", &["0"], Found, FUSED),
    ("nn.functional.scaled_dot_product_attention", &["out0"], Missed, AGAIN),
    ("nn.functional.scaled_dot_product_attention", &["2", "3"], Words, VIEW),
    ("nn.functional.scaled_dot_product_attention", &["0", "1", "3"], Found, COMPOSED),
    ("nn.functional.smooth_l1_loss", &["0", "1"], Found, FUSED),
    ("nn.functional.tanhshrink", &["0"], Found, FUSED),
    ("nanquantile", &["0"], Missed, COPY),
    ("quantile", &["0"], Missed, COPY),
    ("tensordot", &["0"], Words, VIEW),
    ("tensordot", &["1"], Missed, COPY),
];

/// A forward: every tensor by its name in the table, and what gradients start from.
struct Run {
    tensors: Vec<(String, Tensor)>,
    outputs: Vec<Tensor>,
    /// The square of the tensor before an in-place form wrote to it.
    before: Option<Tensor>,
}

/// Runs a case; `None` if it is no call of this form.
type Forward<'a> = &'a dyn Fn() -> Result<Option<Run>, String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn out_of_place(row: &OpInfo, case: &Case) -> Result<Option<Run>, String> {
    flambeau_device::manual_seed(0);
    let args = Args::of(case, Device::Cpu).map_err(text)?;
    let outputs = match row.run(&args) {
        Err(CallError::NotExpressible(_)) => return Ok(None),
        outputs => outputs.map_err(text)?,
    };
    let given = args.tensors_within().into_iter().enumerate().map(|(i, t)| (i.to_string(), t.shallow_clone()));
    let results = outputs.iter().enumerate().map(|(i, t)| (format!("out{i}"), t.shallow_clone()));
    Ok(Some(Run { tensors: given.chain(results).collect(), outputs, before: None }))
}

fn in_place(call: registry::OpFn, case: &Case) -> Result<Option<Run>, String> {
    flambeau_device::manual_seed(0);
    let args = Args::of(case, Device::Cpu).map_err(text)?;
    let x = ops::clone(args.x().map_err(text)?).map_err(text)?;
    let before = ops::square(&x).map_err(text)?;
    let args = args.with_first(x);
    let outputs = call(&args);
    if matches!(outputs, Err(flambeau_autograd::Error::Argument(_))) || !args.unread().is_empty() {
        return Ok(None);
    }
    let outputs = outputs.map_err(text)?;
    let given = args.tensors_within().into_iter().enumerate().map(|(i, t)| (i.to_string(), t.shallow_clone()));
    Ok(Some(Run { tensors: given.collect(), outputs, before: Some(before) }))
}

/// Writes a zero, as `goldens/saved.py` does.
fn write(tensor: &Tensor) -> Result<(), String> {
    let own = tensor.detach();
    let offset = own.array().offset();
    let first = ops::as_strided(&own, &[own.numel().min(1)], &[1], offset).map_err(text)?;
    first.zero_();
    Ok(())
}

/// What backward says.
fn message(outputs: &[Tensor]) -> Option<String> {
    let outputs: Vec<&Tensor> = outputs.iter().filter(|t| t.requires_grad()).collect();
    let ones: Vec<Tensor> = outputs.iter().map(|t| t.ones_like()).collect();
    let ones: Vec<Option<&Tensor>> = ones.iter().map(Some).collect();
    backward(&outputs, &ones, false, false).err().map(text)
}

/// An answer that is not PyTorch's.
struct Different {
    /// The tensor, or `second`, or `before`.
    what: String,
    how: How,
    found: Option<String>,
    expected: Option<String>,
}

/// How many answers are PyTorch's, and which are not.
#[derive(Default)]
struct Compared {
    seconds: usize,
    writes: usize,
    befores: usize,
    different: Vec<Different>,
}

impl Compared {
    /// Whether the answer is PyTorch's; ours goes on with the line of the write.
    fn hold(&mut self, what: &str, found: Option<String>, expected: &Option<String>) -> usize {
        let how = match (&found, expected) {
            (None, None) => return 1,
            (Some(found), Some(expected)) if found.starts_with(expected.as_str()) => return 1,
            (Some(_), Some(_)) => Words,
            (None, Some(_)) => Missed,
            (Some(_), None) => Found,
        };
        self.different.push(Different { what: what.to_owned(), how, found, expected: expected.clone() });
        0
    }
}

fn compare(forward: Forward<'_>, expected: &Answers) -> Result<Option<Compared>, String> {
    let run = || forward().map(|run| run.expect("the same call as before"));
    let Some(first) = forward()? else { return Ok(None) };
    let mut compared = Compared::default();
    if let Some(error) = message(&first.outputs) {
        return Err(format!("backward: {error}"));
    }
    compared.seconds += compared.hold("second", message(&first.outputs), &expected.second);
    let names: Vec<&String> = first.tensors.iter().map(|(name, _)| name).collect();
    if !names.iter().copied().eq(expected.written.keys()) && names.len() < 10 {
        return Err(format!("tensors {names:?}, in the table {:?}", expected.written.keys()));
    }
    for (name, expected) in &expected.written {
        let Run { tensors, outputs, .. } = run()?;
        let (_, tensor) = tensors.iter().find(|(own, _)| own == name).ok_or("another number of tensors")?;
        write(tensor)?;
        compared.writes += compared.hold(name, message(&outputs), expected);
    }
    if let Some(before) = run()?.before.filter(Tensor::requires_grad) {
        compared.befores += compared.hold("before", message(&[before]), &expected.before);
    }
    Ok(Some(compared))
}

#[test]
fn writes_and_freed_graphs_are_found_where_pytorch_finds_them() {
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let rows = all();
    let mut table: BTreeMap<String, Vec<SavedCase>> = BTreeMap::new();
    for case in load_saved().unwrap() {
        table.entry(case.op.clone()).or_default().push(case);
    }
    let (mut seconds, mut writes, mut befores, mut in_places) = (0, 0, 0, 0);
    let (mut wrong, mut known) = (BTreeMap::<_, Vec<String>>::new(), BTreeMap::new());
    for row in rows.iter().filter(|row| wanted(row.name)) {
        let goldens = load_op(row.name).unwrap();
        let name = OpInfo::registered_name(row.name);
        let op = registry::find(name).or_else(|| registry::find(name.split('.').next()?));
        let call = op.and_then(|op| op.call_in_place);
        for saved in table.get(row.name).into_iter().flatten() {
            let (golden, number) = match &saved.case {
                Called::Golden(number) => (&goldens[*number], number.to_string()),
                Called::Own(case) => (&**case, "of its own".to_owned()),
            };
            let outside = Some((
                row.name.to_owned(),
                &saved.answers,
                Box::new(|| out_of_place(row, golden)) as Box<dyn Fn() -> _>,
            ));
            let inside = saved.in_place.as_ref().zip(call).map(|(answers, call)| {
                (format!("{}_", row.name), answers, Box::new(move || in_place(call, golden)) as Box<dyn Fn() -> _>)
            });
            for (place, (name, answers, forward)) in [outside, inside].into_iter().flatten().enumerate() {
                let compared =
                    catch(|| compare(&*forward, answers)).unwrap_or_else(|panic| Err(format!("panic: {panic}")));
                match compared {
                    Err(what) => {
                        wrong.entry((name, String::new(), None)).or_default().push(format!("case {}: {what}", number))
                    }
                    Ok(None) => {}
                    Ok(Some(compared)) => {
                        seconds += compared.seconds;
                        writes += compared.writes;
                        befores += compared.befores;
                        in_places += place;
                        for Different { what, how, found, expected } in compared.different {
                            if DIFFERS.iter().any(|d| d.0 == name && d.1.contains(&what.as_str()) && d.2 == how) {
                                *known.entry((name.clone(), what, how)).or_insert(0) += 1;
                            } else {
                                let text = format!(
                                    "case {}\n        gives    {found:?}\n        expected {expected:?}",
                                    number
                                );
                                wrong.entry((name.clone(), what, Some(how))).or_default().push(text);
                            }
                        }
                    }
                }
            }
        }
    }
    for ((name, what, how), cases) in &wrong {
        println!("    {name} {what} {how:?}, {} cases: {}", cases.len(), cases[0]);
    }
    println!("count: {seconds} second backwards answered as PyTorch answers");
    println!("count: {writes} writes between forward and backward found, or not, as PyTorch finds them");
    println!("count: {befores} backwards of what an in-place form wrote to fail as in PyTorch");
    println!("count: {in_places} in-place calls among them");
    println!("count: {} such answers differ on purpose, each with its reason", known.values().sum::<usize>());
    assert!(wrong.is_empty(), "{} kinds of differences", wrong.len());
    let listed: usize = DIFFERS.iter().map(|d| d.1.len()).sum();
    assert!(only.is_some() || known.len() == listed, "DIFFERS lists what agrees: {known:?}");
    assert!(only.is_some() || seconds > 3_000 && writes > 8_800, "{seconds} second backwards, {writes} writes");
}

/// `F.elu(y, alpha, inplace=True)` and its kin: with a negative slope the backward cannot tell signs from the result.
#[test]
fn a_negative_slope_in_place_is_refused_by_the_backward() {
    const ELU: &str = "In-place elu backward calculation is triggered with a negative slope which is not supported. This is \
                       caused by calling in-place forward function with a negative slope, please call out-of-place version \
                       instead.";
    const LEAKY: &str = "In-place leakyReLu backward calculation is triggered with a negative slope which is not supported. \
                         This is caused by calling in-place forward function with a negative slope, please call out-of-place \
                         version instead. File an issue at https://github.com/pytorch/pytorch if you do require supporting \
                         in-place leakRelu backward calculation with negative slope";
    type InPlace = fn(&Tensor, f64) -> flambeau_autograd::Result<Tensor>;
    // The slopes that PyTorch refuses, and those that it takes, with the gradient at −1.
    type Case<'a> = (InPlace, &'a str, &'a [f64], &'a [(f64, f64)]);
    let cases: [Case<'_>; 4] = [
        (|x, a| ops::elu_(x, a), ELU, &[-1.0, f64::NAN], &[(0.0, 0.0), (1.0, 0.367_879_45)]),
        (|x, a| ops::celu_(x, a), ELU, &[-1.0, f64::NAN], &[(1.0, 0.367_879_45)]),
        (|x, a| ops::leaky_relu_(x, a), LEAKY, &[-0.1, f64::NAN], &[(0.0, 0.0), (-0.0, -0.0), (0.1, 0.1)]),
        (|x, a| ops::rrelu_(x, a, a, false), LEAKY, &[-0.2], &[(0.2, 0.2)]),
    ];
    for (in_place, words, refused, taken) in cases {
        let run = |slope: f64| {
            let leaf = flambeau_autograd::tensor([-1.0, 0.5, 2.0]).requires_grad_(true);
            let out = in_place(&leaf.mul(1), slope).unwrap();
            (leaf, message(&[out]))
        };
        for &slope in refused {
            assert_eq!(run(slope).1.as_deref(), Some(words), "{slope}");
        }
        for &(slope, expected) in taken {
            let (leaf, error) = run(slope);
            assert_eq!(error, None, "{slope}");
            let grad = leaf.grad().expect("a gradient").to_vec::<f32>();
            let bits = |x: f32| x.to_bits();
            assert!((grad[0] - expected as f32).abs() < 1e-7, "{slope}: {grad:?}");
            assert!(expected != 0.0 || bits(grad[0]) == bits(expected as f32), "{slope}: {grad:?}");
            assert_eq!(grad[1..], [1.0, 1.0], "{slope}");
        }
    }
}
