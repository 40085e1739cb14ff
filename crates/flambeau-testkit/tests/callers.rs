//! A panic of a public function names the caller's line, not one of the library.

use std::cell::RefCell;
use std::panic::{catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use torch::Tensor;

/// Calls that fail, each with its text.
macro_rules! failing {
    ($($call:expr;)*) => { &[$((stringify!($call), || { let _ = $call; })),*] };
}

/// A tensor of two floats.
fn x() -> Tensor {
    torch::tensor([1.0, 2.0])
}

/// A leaf that requires a gradient: no operation may write to it.
fn leaf() -> Tensor {
    x().requires_grad_(true)
}

fn three() -> Tensor {
    torch::zeros([3])
}

fn bools() -> Tensor {
    torch::tensor([true, false])
}

fn bytes() -> Tensor {
    torch::from_vec(vec![1u8, 2], [2])
}

const CALLS: &[(&str, fn())] = failing! {
    torch::zeros([-1]);
    torch::ones([-1]);
    torch::empty([-1]);
    torch::full([-1], 0.0);
    torch::full([1], 1e39);
    torch::rand([-1]);
    torch::randn([-1]);
    torch::randint(5, 5, [1]);
    torch::randint(0, 1, [-1]);
    torch::arange(-1);
    torch::arange((0, 1, 0));
    torch::arange((0.0, 1.0, f64::NAN));
    torch::linspace(0.0, 1e39, 3);
    torch::from_vec(vec![1.0f32], [2]);
    torch::from_slice(&[1.0f32], [2]);
    torch::tensor(vec![vec![1], vec![1, 2]]);
    x().new_zeros([-1]);
    x().new_empty([-1]);
    x().full_like(1e39);
    bytes().full_like(300);
    bytes().fill_(-1.0);
    x().item();
    x().item_as::<f32>();
    x().to_vec::<f64>();
    x().uniform_(1.0, 0.0);
    x().normal_(0.0, -1.0);
    x().bernoulli_(2.0);
    x().exponential_(-1.0);
    x().random_range_(5, 5);
    bytes().uniform_(0.0, 1.0);
    bytes().normal_(0.0, 1.0);
    leaf().uniform_(0.0, 1.0);
    leaf().random_();
    leaf().fill_(1);
    leaf().zero_();
    leaf().clamp_(0, 1);
    leaf().relu_();
    leaf().lerp_(x(), 0.5);
    x() + three();
    x() - three();
    x() * three();
    x() / three();
    &x() + &three();
    x().add_(three());
    { let mut y = x(); y += three(); };
    { let mut y = x(); y /= three(); };
    1.5 - bools();
    2 - &bools();
    -bools();
    -&bools();
    !&x();
    x().add_with(three(), |o| o.alpha(2));
    bytes().add_with(bytes(), |o| o.alpha(0.5));
    bytes().add_with_(bytes(), |o| o.alpha(300));
    x().sub_with_(three(), |o| o.alpha(2));
    x().maximum(three());
    x().remainder(three());
    bools().remainder(bools());
    bytes().remainder(0);
    bytes().floor_divide(0);
    bytes().bitwise_and(0.5);
    bytes().pow(-1);
    bytes().pow(300);
    bytes().hypot(bytes());
    bytes().logaddexp(bytes());
    bytes().clamp(300, 400);
    bytes().clamp_min(256);
    bytes().clamp_max(-1);
    bools().abs();
    bools().argmax();
    bytes().mean();
    bytes().frac();
    bytes().round_decimals(1);
    bytes().addcmul_with(bytes(), bytes(), |o| o.value(300.5));
    bytes().addcdiv(bytes(), bytes());
    x().lerp(three(), 0.5);
    x().masked_fill(three(), 0);
    bytes().masked_fill(bools(), 300);
    x().where_(&x(), 0.0);
    bytes().where_(&bools(), 300);
    x().index_fill(0, torch::arange(3), 0.0);
    bytes().index_fill(0, torch::arange(1), 300);
    x().scatter(0, torch::arange(3), 0.0);
    x().set(0, three());
    bytes().set(0, 300);
    bytes().set(bools(), 300);
    x().i(5);
    x().i((0, 0));
    x().view([3]);
    x().reshape([3]);
    x().expand([3]);
    x().narrow(0, 1, 2);
    x().select(0, 2);
    x().transpose(0, 1);
    x().permute([0, 1]);
    x().squeeze_dim(1);
    x().unsqueeze(2);
    x().sum_dim(1, false);
    x().mean_dim(1, false);
    x().softmax(1);
    x().cumsum(1);
    x().sort_dim(1, false);
    x().matmul(three());
    x().copy_(three());
    x().to("cuda:99");
    x().backward();
    torch::add(x(), three());
    torch::clamp(bytes(), 300, 400);
    torch::cat(&[x(), torch::zeros([1, 2])], 0);
    torch::stack(&[x(), three()], 0);
    torch::full_like(bytes(), 300);
    torch::where_(x(), 0.0, 1.0);
};

thread_local! {
    static PANICKED_AT: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

#[test]
fn a_panic_names_the_callers_line() {
    set_hook(Box::new(|info| {
        let location = info.location().map(|l| (l.file().to_owned(), l.line()));
        PANICKED_AT.with(|at| *at.borrow_mut() = location);
    }));
    let mut wrong = Vec::new();
    for (text, call) in CALLS {
        let outcome = catch_unwind(call);
        let at = PANICKED_AT.with(|at| at.borrow_mut().take());
        match (outcome, at) {
            (Err(_), Some((file, _))) if file.ends_with("callers.rs") => {}
            (Err(_), at) => wrong.push(format!("{text} panics at {at:?}")),
            (Ok(()), _) => wrong.push(format!("{text} does not fail")),
        }
    }
    let _ = std::panic::take_hook();
    println!("count: {} failing calls name the caller's line", CALLS.len() - wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("the crates' sources are there") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The public functions of a source that turn errors into panics without `#[track_caller]`, or in a closure, whose panics
/// name the closure's line.
fn untracked(text: &str) -> (usize, Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut panicking, mut bad) = (0, Vec::new());
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if !line.trim_start().starts_with("pub fn ") {
            continue;
        }
        let closing = format!("{}}}", &line[..indent]);
        let one_line = line.trim_end().ends_with('}');
        let end = if one_line { start } else { (start..lines.len()).find(|&i| lines[i] == closing).unwrap_or(start) };
        let body = &lines[start..=end];
        if !body.iter().any(|l| l.contains("or_panic()")) {
            continue;
        }
        panicking += 1;
        let above = lines[..start].iter().rev().take_while(|l| {
            let l = l.trim_start();
            l.starts_with("#[") || l.starts_with("///") || l.starts_with("$(#[")
        });
        let tracked = above.clone().any(|l| l.contains("track_caller"));
        let in_closure = body.iter().any(|l| l.split_once("| ").is_some_and(|(_, rest)| rest.contains("or_panic()")));
        if !tracked || in_closure {
            bad.push(format!("{}: {}", start + 1, line.trim()));
        }
    }
    (panicking, bad)
}

#[test]
fn every_function_that_panics_with_an_error_tracks_its_caller() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
    let (mut panicking, mut bad) = (0, Vec::new());
    for name in
        ["flambeau-autograd", "flambeau-nn", "flambeau-optim", "flambeau-data", "flambeau-serialize", "flambeau"]
    {
        let mut files = Vec::new();
        rust_files(&crates.join(name).join("src"), &mut files);
        for file in files {
            let (n, found) = untracked(&std::fs::read_to_string(&file).expect("a source file"));
            panicking += n;
            bad.extend(found.into_iter().map(|what| format!("{}:{what}", file.display())));
        }
    }
    println!("count: {panicking} functions that panic with an error track their caller");
    // The forms of operations are written in one place, the macro that makes them.
    let emit = crates.join("flambeau-macros/src/operation/emit.rs");
    let emit = std::fs::read_to_string(emit).expect("a source file");
    let (before, _) = emit.split_once("pub fn #name #generics (#receiver").expect("the form that panics");
    assert!(
        before.trim_end().lines().rev().take(3).any(|line| line.trim() == "#[track_caller]"),
        "a form tracks its caller"
    );
    let forms: usize = flambeau_autograd::registry::all().map(|op| op.forms.len()).sum();
    assert!(panicking + forms > 300, "{panicking} and {forms} forms: the search finds too few");
    assert!(bad.is_empty(), "{bad:#?}");
}

/// `unwrap`, and `?` in `main`, print an error's `Debug`.
#[test]
fn errors_say_the_same_with_debug() {
    let error = flambeau_autograd::ops::add(&x(), three(), 1).unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().starts_with("The size of tensor a (2)"), "{error}");
    let missing = torch::load("no such file.pth").unwrap_err();
    assert_eq!(format!("{missing:?}"), missing.to_string());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
    let (mut errors, mut files) = (0, Vec::new());
    rust_files(crates, &mut files);
    for file in files.iter().filter(|f| f.components().any(|c| c.as_os_str() == "src")) {
        let text = std::fs::read_to_string(file).expect("a source file");
        for derived in text.lines().filter(|l| l.contains("derive(") && l.contains("thiserror::Error")) {
            errors += 1;
            assert!(!derived.contains("Debug"), "{}: {derived}", file.display());
        }
    }
    assert!(errors >= 8, "{errors}: the search finds too few");
}

#[test]
fn the_search_sees_what_it_looks_for() {
    let (n, bad) = untracked(
        "/// Docs.\npub fn a() {\n    b().or_panic();\n}\n#[track_caller]\npub fn c() {\n    d().or_panic()\n}\n",
    );
    assert_eq!((n, bad), (2, vec!["2: pub fn a() {".to_owned()]));
    let (_, bad) = untracked("#[track_caller]\npub fn a() {\n    let f = |x| b(x).or_panic();\n    f(1)\n}\n");
    assert_eq!(bad.len(), 1);
}
