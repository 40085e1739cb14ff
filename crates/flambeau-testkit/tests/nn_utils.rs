//! `torch.nn.utils` beside PyTorch: random programs of norms, parametrizations and pruning on random layers, with all that is to be
//! seen after each step, and their draws from the generator.

use flambeau_autograd::{Tensor, no_grad};
use flambeau_nn::utils::parametrize::{self, RightInverse};
use flambeau_nn::utils::{self, parametrizations, prune};
use flambeau_nn::{self as nn, Forward, Module, deepcopy};
use flambeau_tensor::{DType, Device, Scalar};
use flambeau_testkit::args::{tensor, values};
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Arg, GoldenTensor, ProgramCase, ProgramStep, Values, cotangent, load_programs};
use flambeau_testkit::work::{GPU, OnGpu, alone};

type Layer = Box<dyn Forward>;

#[derive(Module)]
#[module(right_inverse)]
struct Symmetric;

impl Forward for Symmetric {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.triu() + x.triu_diagonal(1).transpose(-1, -2)
    }
}

impl Symmetric {
    fn right_inverse(&self, x: &Tensor) -> Tensor {
        x.triu()
    }
}

#[derive(Module)]
struct Skew;

impl Forward for Skew {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.triu_diagonal(1) - x.triu_diagonal(1).transpose(-1, -2)
    }
}

#[derive(Module)]
#[module(right_inverse)]
struct Scale {
    scale: nn::Parameter,
}

impl Forward for Scale {
    fn forward(&self, x: &Tensor) -> Tensor {
        x * &self.scale
    }
}

impl Scale {
    fn right_inverse(&self, x: &Tensor) -> Tensor {
        x / &self.scale
    }
}

#[derive(Module)]
#[module(right_inverse)]
struct Pair;

#[nn::forward]
impl Pair {
    fn forward(&self, a: &Tensor, b: &Tensor) -> Tensor {
        a * b.exp()
    }
}

impl Pair {
    fn right_inverse(&self, x: &Tensor) -> RightInverse {
        (x.shallow_clone(), x.zeros_like()).into()
    }
}

#[derive(Module)]
struct Cast;

impl Forward for Cast {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.double()
    }
}

#[derive(Module)]
struct Short;

impl Forward for Short {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.narrow(0, 0, 1)
    }
}

fn build(case: &ProgramCase) -> Layer {
    let n: Vec<i64> = case.args.iter().filter_map(Arg::as_int).collect();
    let bias = case.kwargs.get("bias").is_none_or(|b| b.as_bool() == Some(true));
    flambeau_device::manual_seed(case.seed);
    match case.module.as_str() {
        "Linear" => Box::new(nn::Linear::with(n[0], n[1], |o| o.bias(bias))),
        "Conv1d" => Box::new(nn::Conv1d::with(n[0], n[1], n[2], |o| o.bias(bias))),
        "Conv2d" => Box::new(nn::Conv2d::with(n[0], n[1], n[2], |o| o.bias(bias))),
        "ConvTranspose1d" => Box::new(nn::ConvTranspose1d::with(n[0], n[1], n[2], |o| o.bias(bias))),
        "ConvTranspose2d" => Box::new(nn::ConvTranspose2d::with(n[0], n[1], n[2], |o| o.bias(bias))),
        "Embedding" => Box::new(nn::Embedding::new(n[0], n[1])),
        "LayerNorm" => Box::new(nn::LayerNorm::new(n[0])),
        other => panic!("no layer {other}"),
    }
}

fn scalar(arg: &Arg) -> Scalar {
    match arg {
        Arg::Int(i) => Scalar::Int(*i),
        arg => Scalar::Float(arg.as_float().expect("a number")),
    }
}

/// What a forward gives: its output, and the gradients by name.
type Given = Option<(Tensor, Vec<(String, Tensor)>)>;

fn take(layer: Layer, step: &ProgramStep, case: &ProgramCase, device: Device) -> (Layer, Given) {
    let k = |name: &str| step.kwargs.get(name);
    let name = k("name").and_then(Arg::as_str).unwrap_or("weight");
    let int = |key: &str| k(key).and_then(Arg::as_int);
    let amount = || scalar(k("amount").expect("an amount"));
    let spectral = |mut o: parametrizations::SpectralNormOptions| {
        o = o.name(name);
        o = int("n_power_iterations").map_or(o.clone(), |n| o.n_power_iterations(n));
        o = k("eps").and_then(Arg::as_float).map_or(o.clone(), |x| o.eps(x));
        o.dim(int("dim"))
    };
    let weight = |o: parametrizations::WeightNormOptions| match k("dim") {
        Some(dim) => o.name(name).dim(dim.as_int()),
        None => o.name(name),
    };
    let m = layer.as_module();
    match step.call.as_str() {
        "old_weight_norm" => drop(utils::weight_norm_with(m, weight)),
        "remove_weight_norm" => drop(utils::remove_weight_norm_with(m, |o| o.name(name))),
        "old_spectral_norm" => drop(utils::spectral_norm_with(m, spectral)),
        "remove_spectral_norm" => drop(utils::remove_spectral_norm_with(m, |o| o.name(name))),
        "weight_norm" => drop(parametrizations::weight_norm_with(m, weight)),
        "spectral_norm" => drop(parametrizations::spectral_norm_with(m, spectral)),
        "orthogonal" => {
            let trivialization = k("use_trivialization").and_then(Arg::as_bool) != Some(false);
            parametrizations::orthogonal_with(m, |o| {
                let o = o.name(name).use_trivialization(trivialization);
                match k("orthogonal_map").and_then(Arg::as_str) {
                    Some(map) => o.orthogonal_map(map),
                    None => o,
                }
            });
        }
        "parametrize" => {
            let is_unsafe = k("unsafe").is_some();
            let register = |p: Box<dyn Forward>| {
                parametrize::register_parametrization_with(m, name, p, |o| o.r#unsafe(is_unsafe));
            };
            match k("which").and_then(Arg::as_str).expect("a name") {
                "Symmetric" => register(Box::new(Symmetric)),
                "Skew" => register(Box::new(Skew)),
                "Scale" => {
                    register(Box::new(Scale { scale: nn::Parameter::new(flambeau_autograd::tensor(2.0)) }));
                }
                "Pair" => {
                    parametrize::register_parametrization_with(m, name, Pair, |o| o.r#unsafe(is_unsafe));
                }
                "Cast" => register(Box::new(Cast)),
                "Short" => register(Box::new(Short)),
                "Softplus" => register(Box::new(nn::Softplus::new())),
                other => panic!("no parametrization {other}"),
            }
        }
        "remove_parametrizations" => {
            let leave = k("leave_parametrized").is_none();
            parametrize::remove_parametrizations_with(m, name, |o| o.leave_parametrized(leave));
        }
        "identity" => drop(prune::identity(m, name)),
        "random_unstructured" => drop(prune::random_unstructured(m, name, amount())),
        "l1_unstructured" => drop(prune::l1_unstructured(m, name, amount())),
        "random_structured" => {
            prune::random_structured(m, name, amount(), int("dim").expect("a dim"));
        }
        "ln_structured" => {
            let n: prune::NormOrder = match k("n").expect("an order") {
                Arg::Str(s) => s.as_str().into(),
                n => n.as_float().expect("a number").into(),
            };
            prune::ln_structured(m, name, amount(), n, int("dim").expect("a dim"));
        }
        "custom_from_mask" => {
            let own = read(m, name);
            let mask = flambeau_autograd::arange(own.numel()).remainder(3).ne(1).reshape(own.size());
            prune::custom_from_mask(m, name, mask);
        }
        "remove" => drop(prune::remove(m, name)),
        "forward" => {
            m.to(device);
            let x = tensor(&case.input, device).expect("an input");
            let dtype = m.parameters()[0].dtype();
            let out = layer.call_ref(&if x.is_floating_point() { x.to(dtype) } else { x });
            let mut grads = Vec::new();
            if out.requires_grad() {
                let numbers = flambeau_autograd::from_vec(cotangent(out.numel()), out.size().to_vec());
                out.backward_with(|o| o.gradient(numbers.to(dtype).to(device)));
                let _guard = no_grad();
                for (name, p) in m.named_parameters() {
                    let Some(grad) = p.grad() else { continue };
                    p.sub_(&grad * 0.125);
                    p.set_grad(None);
                    grads.push((name, grad));
                }
            }
            m.to(Device::Cpu);
            return (layer, Some((out, grads)));
        }
        "set" => {
            let weight = parametrize::parametrizations(m, "weight").expect("it is parametrized").compute();
            let dtype = weight.dtype();
            let value = flambeau_autograd::arange(weight.numel()).to(dtype).reshape(weight.size()) / 8 - 1;
            parametrize::set(m, "weight", &value);
        }
        "deepcopy" => return (deepcopy(&layer), None),
        "double" => drop(m.double()),
        "train" => m.train(),
        "eval" => m.eval(),
        other => panic!("no step {other}"),
    }
    (layer, None)
}

/// Python's `getattr(module, name)`.
fn read(m: &dyn Module, name: &str) -> Tensor {
    macro_rules! fields {
        ($($layer:ty: $weight:expr, $bias:expr;)*) => {$(
            if let Some(layer) = m.downcast_ref::<$layer>() {
                let (weight, bias): (fn(&$layer) -> Option<&nn::Parameter>, fn(&$layer) -> Option<&nn::Parameter>) =
                    ($weight, $bias);
                let parameter = if name == "bias" { bias(layer) } else { weight(layer) };
                return parameter.expect("a parameter").shallow_clone();
            }
        )*};
    }
    fields! {
        nn::Linear: |l| Some(&l.weight), |l| l.bias.as_ref();
        nn::Conv1d: |l| Some(&l.weight), |l| l.bias.as_ref();
        nn::Conv2d: |l| Some(&l.weight), |l| l.bias.as_ref();
        nn::ConvTranspose1d: |l| Some(&l.weight), |l| l.bias.as_ref();
        nn::ConvTranspose2d: |l| Some(&l.weight), |l| l.bias.as_ref();
        nn::Embedding: |l| Some(&l.weight), |_| None;
        nn::LayerNorm: |l| l.weight.as_ref(), |l| l.bias.as_ref();
    }
    panic!("no layer of the programs")
}

/// Numbers within a tolerance that leaves room for other orders of the same sums; zeros of either sign are equal.
fn near(what: &str, found: &Tensor, expected: &GoldenTensor) {
    assert_eq!(found.dtype(), expected.dtype, "{what}: dtype");
    assert_eq!(&found.size()[..], &expected.shape[..], "{what}: shape");
    let (Values::Float(a), Values::Float(b)) = (values(found).expect("numbers"), &expected.values) else {
        assert_eq!(values(found).expect("numbers"), expected.values, "{what}");
        return;
    };
    let (rtol, atol) = if expected.dtype == DType::F64 { (1e-5, 1e-6) } else { (2e-4, 1e-4) };
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let same = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= atol + rtol * b.abs();
        assert!(same, "{what}: element {i} is {a}, expected {b}; all are {found}");
    }
}

fn check_step(layer: &Layer, given: &Given, weight: &Tensor, step: &ProgramStep) {
    if let (Some((out, grads)), Some(expected)) = (given, &step.out) {
        near("output", out, expected);
        let names: Vec<&String> = grads.iter().map(|(n, _)| n).collect();
        let wanted: Vec<&String> = step.grads.iter().map(|(n, _)| n).collect();
        assert_eq!(names, wanted, "which parameters have a gradient");
        grads.iter().zip(&step.grads).for_each(|((n, a), (_, b))| near(&format!("gradient of {n}"), a, b));
    }
    let m = layer.as_module();
    near("weight", weight, step.weight.as_ref().expect("a weight"));
    assert_eq!(m.repr(), step.repr);
    let state = m.state_dict();
    let keys: Vec<&str> = state.keys().collect();
    let wanted: Vec<&str> = step.state.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(keys, wanted, "the state dict's keys");
    step.state.iter().for_each(|(n, expected)| near(n, &state[n.as_str()], expected));
    let names: Vec<String> = m.named_parameters().into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, step.parameters, "named_parameters");
    let modules: Vec<String> = m.named_modules().into_iter().map(|(n, _)| n).collect();
    assert_eq!(modules, step.modules, "named_modules");
}

/// Runs a program; returns how many steps.
fn check(case: &ProgramCase, device: Device) -> usize {
    let mut layer = build(case);
    for (i, step) in case.steps.iter().enumerate() {
        let at = format!("step {i}, {} {:?}", step.call, step.kwargs);
        // A parametrization may fail when the weight is read.
        let taken = catch(|| {
            let (layer, given) = take(layer, step, case, device);
            let weight = read(layer.as_module(), "weight");
            (layer, given, weight)
        });
        let (given, weight) = match (taken, &step.error) {
            (Ok(_), Some(error)) => panic!("{at}: no error, expected {error}"),
            (Err(found), Some(error)) => {
                assert_eq!(&found, error, "{at}");
                return i + 1;
            }
            (Err(found), None) => panic!("{at}: {found}"),
            (Ok((new, given, weight)), None) => {
                layer = new;
                (given, weight)
            }
        };
        if let Err(what) = catch(|| check_step(&layer, &given, &weight, step)) {
            panic!("{at}: {what}");
        }
    }
    case.steps.len()
}

fn run_all(device: Device, cases: &[ProgramCase]) -> usize {
    let (mut failures, mut steps) = (Vec::new(), 0);
    for case in cases {
        match catch(|| check(case, device)) {
            Ok(n) => steps += n,
            Err(what) => {
                let before: Vec<_> = case.steps.iter().map(|s| s.call.as_str()).collect();
                failures.push(format!("{} {} {:?} {before:?}: {what}", case.seed, case.module, case.args));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    steps
}

#[test]
fn programs_are_pytorchs() {
    let _generator = alone();
    let cases = load_programs().expect("goldens");
    assert!(cases.len() > 600, "only {} programs", cases.len());
    let steps = run_all(Device::Cpu, &cases);
    println!("count: {steps} steps of nn.utils agree with PyTorch");
}

/// The draws are the CPU's; each forward and backward runs on the GPU, to which the originals move.
#[test]
fn programs_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let all = load_programs().expect("goldens");
    let has = |case: &ProgramCase, call: &str| case.steps.iter().any(|s| s.call == call);
    // What was set before a call on the GPU stays there, where the next mask is not, as in PyTorch.
    let prunes = |step: &ProgramStep| step.kwargs.contains_key("amount");
    let prunes_later = |case: &ProgramCase| case.steps.iter().skip_while(|s| s.call != "forward").any(prunes);
    let fits = |case: &ProgramCase| has(case, "forward") && !has(case, "double") && !prunes_later(case);
    let cases: Vec<_> = all.into_iter().filter(fits).take(120).collect();
    assert!(cases.len() == 120, "only {} programs", cases.len());
    let steps = run_all(GPU, &cases);
    println!("count: {steps} GPU cases: steps of nn.utils agree with PyTorch");
}
