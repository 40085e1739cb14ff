//! Computed parameters: parametrizations, norms and pruning on layers and on structs of a user's.

use flambeau_autograd::{Tensor, no_grad, ones, randn, tensor, zeros};
use flambeau_nn::utils::parametrize::{self, RightInverse};
use flambeau_nn::utils::{self, parametrizations, prune};
use flambeau_nn::{self as nn, Call, Forward, Module, StateDict, deepcopy};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn names(module: &impl Module) -> Vec<String> {
    module.named_parameters().into_iter().map(|(name, _)| name).collect()
}

fn message<R>(call: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else { panic!("no error") };
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a text")
}

/// 2x, and how often it was computed.
#[derive(Module)]
#[module(right_inverse)]
struct Twice {
    #[module(skip)]
    calls: Arc<AtomicUsize>,
}

impl Forward for Twice {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.calls.fetch_add(1, Ordering::Relaxed);
        x * 2
    }
}

impl Twice {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        (Twice { calls: calls.clone() }, calls)
    }

    fn right_inverse(&self, x: &Tensor) -> Tensor {
        x / 2
    }
}

/// A user's module with a parameter, a buffer and a layer of its own.
#[derive(Module)]
struct Affine {
    scale: nn::Parameter,
    shift: nn::Buffer,
    inner: nn::Linear,
}

impl Affine {
    fn new() -> Self {
        Affine {
            scale: nn::Parameter::new(tensor([1.0, 2.0])),
            shift: nn::Buffer::new(tensor([3.0, 4.0])),
            inner: nn::Linear::new(2, 2),
        }
    }
}

impl Forward for Affine {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.inner.call(x * &self.scale + &self.shift)
    }
}

#[test]
fn a_users_struct_is_parametrized_by_its_fields() {
    let net = Affine::new();
    let x = ones([1, 2]);
    let before = net.call(&x);
    let original = net.scale.shallow_clone();
    let ((twice, calls), (shift, _)) = (Twice::new(), Twice::new());
    parametrize::register_parametrization(&net, "scale", twice);
    parametrize::register_parametrization(&net, "shift", shift);
    parametrize::register_parametrization(&net.inner, "weight", nn::Identity::new());
    assert!(net.call(&x).allclose(&before), "right_inverse keeps the value");
    assert_eq!(original.to_vec::<f32>(), [0.5, 1.0], "the optimizer's parameter is the original");
    let all = ["inner.bias", "inner.parametrizations.weight.original", "parametrizations.scale.original"];
    assert_eq!(names(&net), all);
    let keys = ["inner.bias", "inner.parametrizations.weight.original"];
    let own = ["parametrizations.scale.original", "parametrizations.shift.original"];
    assert!(net.state_dict().keys().eq(keys.into_iter().chain(own)));
    assert_eq!(
        net.to_string(),
        "ParametrizedAffine(\n  (inner): ParametrizedLinear(\n    in_features=2, out_features=2, bias=True\n    (parametrizations): \
         ModuleDict(\n      (weight): ParametrizationList(\n        (0): Identity()\n      )\n    )\n  )\n  (parametrizations): \
         ModuleDict(\n    (scale): ParametrizationList(\n      (0): Twice()\n    )\n    (shift): ParametrizationList(\n      (0): \
         Twice()\n    )\n  )\n)"
    );
    // Each read computes, and the gradient goes on to the original.
    let count = calls.load(Ordering::Relaxed);
    net.call(&x).sum().backward();
    assert_eq!(calls.load(Ordering::Relaxed), count + 1);
    let grad = original.grad().expect("a gradient").to_vec::<f32>();
    let expected = (net.inner.weight.sum_dim(0, false) * 2).to_vec::<f32>();
    assert!(grad.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{grad:?} {expected:?}");
    // A copy has originals of its own.
    let copy = deepcopy(&net);
    original.data().fill_(9);
    assert_eq!(net.scale.to_vec::<f32>(), [18.0, 18.0]);
    assert_eq!((copy.scale.to_vec::<f32>(), copy.shift.to_vec::<f32>()), (vec![1.0, 2.0], vec![3.0, 4.0]));
    assert_eq!(names(&copy), all);
    let net = net.double();
    assert_eq!(net.call(x.double()).dtype(), flambeau_tensor::DType::F64);
    parametrize::remove_parametrizations(&net, "scale");
    assert!(parametrize::is_parametrized(&net, "shift") && !parametrize::is_parametrized(&net, "scale"));
    assert!(net.scale.is_same(&original) && original.to_vec::<f64>() == [18.0, 18.0]);
    parametrize::remove_parametrizations_with(&net, "shift", |o| o.leave_parametrized(false));
    assert_eq!(net.shift.to_vec::<f64>(), [1.5, 2.0]);
    assert!(net.to_string().starts_with("Affine(") && !parametrize::is_parametrized(&net, None));
    // Again, after it was removed.
    parametrize::register_parametrization(&net, "scale", nn::ReLU::new());
    assert_eq!(net.named_children().last().expect("a child").0, "parametrizations");
}

#[test]
fn graphs_keep_their_own_values() {
    let layer = nn::Linear::with(2, 1, |o| o.bias(false));
    parametrize::register_parametrization(&layer, "weight", Twice::new().0);
    let original = layer.named_parameters().remove(0).1;
    // Two forwards before their backwards, with a step between: each has the weight that it saw.
    let x = tensor([[1.0, 2.0]]).requires_grad_(true);
    original.data().fill_(1);
    let first = layer.call(&x);
    {
        let _guard = no_grad();
        original.add_(1);
    }
    let second = layer.call(&x);
    (first.sum() * 10).backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [20.0, 20.0]);
    x.set_grad(None);
    second.sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [4.0, 4.0]);
    assert_eq!(original.grad().unwrap().to_vec::<f32>(), [22.0, 44.0]);
    // Double backward through the computed weight.
    let y = layer.call(&x).square().sum();
    let g = flambeau_autograd::gradients::grad_with(&y, &x, |o| o.create_graph(true));
    original.set_grad(None);
    g[0].sum().backward();
    // d/dw of Σ 2 (2w·x) 2w: at w = (2, 2), x = (1, 2) 8 (Σw xᵢ + w·x).
    assert_eq!(original.grad().unwrap().to_vec::<f32>(), [8.0 * (4.0 + 6.0), 8.0 * (8.0 + 6.0)]);
}

#[test]
fn a_value_that_is_held_stays_and_one_that_is_free_is_used_again() {
    let layer = nn::Linear::new(2, 2);
    parametrize::register_parametrization(&layer, "weight", Twice::new().0);
    let held = layer.weight.shallow_clone();
    let (value, address) = (held.to_vec::<f32>(), layer.weight.address());
    assert_ne!(address, held.address());
    layer.parameters()[1].data().fill_(3);
    assert_eq!((held.to_vec::<f32>(), layer.weight.to_vec::<f32>()), (value, vec![6.0; 4]));
    let addresses: Vec<usize> = (0..10)
        .map(|_| {
            layer.call(ones([1, 2])).sum().backward();
            layer.weight.address()
        })
        .collect();
    assert!(addresses.iter().all(|a| *a == addresses[0]), "no tensor more for each step");
}

#[test]
fn threads_see_graphs_of_their_own() {
    let layer = Arc::new(parametrizations::weight_norm(nn::Linear::new(3, 3)));
    let work = |i: usize| {
        let x = ones([4, 3]) * i;
        for _ in 0..20 {
            let y = layer.call(&x);
            let expected = x.matmul(layer.weight.t()) + layer.bias.as_ref().unwrap();
            assert!(y.allclose(&expected));
            y.sum().backward();
        }
    };
    std::thread::scope(|s| {
        for i in 1..4 {
            s.spawn(move || work(i));
        }
    });
    // Σ of 20 backwards of each thread.
    let g = layer.bias.as_ref().unwrap().grad().unwrap().to_vec::<f32>();
    assert_eq!(g, [240.0; 3]);
}

#[test]
fn values_are_kept_while_a_guard_lives() {
    let layer = nn::Linear::new(2, 2);
    let (twice, calls) = Twice::new();
    parametrize::register_parametrization(&layer, "weight", twice);
    let count = || calls.swap(0, Ordering::Relaxed);
    count();
    {
        let _outer = parametrize::cached();
        {
            let _inner = parametrize::cached();
            layer.call(layer.call(ones([1, 2])));
        }
        layer.call(ones([1, 2]));
        assert_eq!(count(), 1);
    }
    layer.call(layer.call(ones([1, 2])));
    assert_eq!(count(), 2);
    let _again = parametrize::cached();
    layer.parameters()[1].data().fill_(1);
    assert_eq!((layer.weight.to_vec::<f32>(), count()), (vec![2.0; 4], 1), "a new cache begins empty");
}

#[test]
fn several_originals_and_several_parametrizations() {
    #[derive(Module)]
    #[module(right_inverse)]
    struct RankOne;
    #[nn::forward]
    impl RankOne {
        fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
            x.unsqueeze(-1).matmul(y.unsqueeze(-2))
        }
    }
    impl RankOne {
        fn right_inverse(&self, z: &Tensor) -> RightInverse {
            (z.select(1, 0).clone(), z.select(0, 0).clone()).into()
        }
    }
    let layer = parametrize::register_parametrization(nn::Linear::new(3, 2), "weight", RankOne);
    parametrize::register_parametrization(&layer, "weight", Twice::new().0);
    let list = parametrize::parametrizations(&layer, "weight").expect("a list");
    assert_eq!((list.len(), list.is_tensor()), (2, false));
    assert!(names(&layer).iter().eq([
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1"
    ]));
    parametrize::set(&layer, "weight", &tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]));
    // (x ⊗ y) · 2 of half the value's first column and row.
    assert_eq!(layer.weight.to_vec::<f32>(), [0.5, 1.0, 1.5, 1.0, 2.0, 3.0]);
    let error =
        message(|| parametrize::remove_parametrizations_with(&layer, "weight", |o| o.leave_parametrized(false)));
    assert!(error.starts_with("Cannot leave unparametrized (`leave_parametrized=False`) a tensor"), "{error}");
    // The originals of one module for another.
    let other = parametrize::transfer_parametrizations_and_params(&layer, nn::Linear::new(3, 2), "weight");
    layer.parameters()[1].data().fill_(0);
    assert_eq!(other.weight.sum().item(), 0.0);
}

#[test]
fn what_does_not_fit_is_pytorchs_error() {
    let layer = nn::Linear::new(2, 3);
    let error = message(|| parametrize::register_parametrization(&layer, "other", nn::ReLU::new()));
    let linear = "Linear(in_features=2, out_features=3, bias=True)";
    assert_eq!(
        error,
        format!("Module '{linear}' does not have a parameter, a buffer, or a parametrized element with name 'other'")
    );
    let error =
        message(|| parametrize::register_parametrization(&layer, "weight", nn::Flatten::with(|o| o.start_dim(0))));
    assert_eq!(
        error,
        "Registering a parametrization may not change the shape of the tensor, unless `unsafe` flag is enabled.\nunparametrized \
         shape: torch.Size([3, 2])\nparametrized shape: torch.Size([6])"
    );
    assert!(!parametrize::is_parametrized(&layer, None), "nothing was registered");
    let error = message(|| parametrize::remove_parametrizations(&layer, "weight"));
    assert_eq!(error, format!("Module {linear} does not have a parametrization on weight"));
    assert_eq!(message(|| utils::remove_weight_norm(&layer)), format!("weight_norm of 'weight' not found in {linear}"));
    utils::weight_norm(&layer);
    let error = message(|| utils::weight_norm(&layer));
    assert_eq!(error, "Cannot register two weight_norm hooks on the same parameter weight");
    assert!(message(|| drop(layer.weight.share())).contains("cannot be shared"));
    let error = message(|| prune::remove(&layer, "bias"));
    assert_eq!(error, format!("Parameter 'bias' of module {linear} has to be pruned before pruning can be removed"));
    let tail = "should either be a float in the range [0, 1] or a non-negative integer";
    assert_eq!(message(|| prune::l1_unstructured(&layer, "bias", 1.5)), format!("amount=1.5 {tail}"));
    assert_eq!(message(|| prune::l1_unstructured(&layer, "bias", -1)), format!("amount=-1 {tail}"));
    let parametrized = parametrizations::weight_norm(nn::Linear::new(2, 3));
    let error = parametrized.load_state_dict(&StateDict::new()).unwrap_err().to_string();
    assert!(error.starts_with("Error(s) in loading state_dict for ParametrizedLinear:\n\tMissing key(s)"), "{error}");
}

#[test]
fn state_dicts_of_the_older_weight_norm_load_into_the_newer() {
    let make = || nn::sequential![nn::Conv1d::new(2, 3, 2), nn::Linear::new(3, 3)];
    let (old, new) = (make(), make());
    utils::weight_norm(old[0].as_module());
    parametrizations::weight_norm(new[0].as_module());
    new.load_state_dict(&old.state_dict()).expect("the keys are renamed");
    let x = randn([1, 2, 4]);
    assert!(new.call(&x).equal(old.call(&x)));
}

#[test]
fn older_norms_are_set_before_each_call() {
    let layer = utils::spectral_norm(nn::Linear::new(4, 3));
    let u = || layer.get_buffer("weight_u").to_vec::<f32>();
    let (before, x) = (u(), ones([1, 4]));
    assert_eq!(layer.weight.grad_fn().map(|f| f.name()), None, "the weight itself until the first call");
    layer.call(&x);
    let after = u();
    assert_ne!(before, after);
    layer.eval();
    layer.call(&x).sum().backward();
    assert_eq!(u(), after, "no step in evaluation");
    assert!(layer.get_parameter("weight_orig").grad().is_some());
    let copy = deepcopy(&layer);
    assert!(copy.call(&x).equal(layer.call(&x)));
    layer.get_parameter("weight_orig").data().fill_(0);
    let stale = layer.weight.clone();
    assert_ne!(stale.sum().item(), 0.0, "the last call's weight");
    let layer = utils::remove_spectral_norm(layer);
    assert!(names(&layer).iter().eq(["bias", "weight"]));
    assert_ne!(copy.weight.sum().item(), 0.0);
}

#[test]
fn pruning_is_undone_by_nothing_and_copied() {
    let net = Affine::new();
    prune::ln_structured(&net.inner, "weight", 1, 2, 0);
    prune::custom_from_mask(&net, "scale", tensor([0, 1]));
    assert!(prune::is_pruned(&net) && !prune::is_pruned(&nn::Linear::new(1, 1)));
    let keys = ["scale_orig", "shift", "scale_mask", "inner.bias", "inner.weight_orig", "inner.weight_mask"];
    assert_eq!(net.state_dict().keys().collect::<Vec<_>>(), keys);
    let copy = deepcopy(&net);
    let optimizer_sees = net.parameters();
    net.call(ones([1, 2])).sum().backward();
    assert_eq!(optimizer_sees[0].grad().unwrap().select(0, 0).item(), 0.0, "no gradient where the mask is 0");
    prune::random_unstructured(&net.inner, "weight", 1.0);
    assert_eq!(net.inner.weight.abs().sum().item(), 0.0, "masks are combined");
    assert_ne!(copy.inner.weight.abs().sum().item(), 0.0);
    prune::remove(&net, "scale");
    assert_eq!((net.scale.to_vec::<f32>(), copy.scale.to_vec::<f32>()), (vec![0.0, 2.0], vec![0.0, 2.0]));
    net.load_state_dict(&copy.state_dict()).expect_err("the names differ");
    prune::remove(&copy, "scale");
    assert!(copy.state_dict().keys().eq(["scale", "shift", "inner.bias", "inner.weight_orig", "inner.weight_mask"]));
}

#[test]
fn global_pruning_takes_what_is_left_of_all() {
    let (a, b) = (nn::Linear::with(3, 2, |o| o.bias(false)), nn::Conv1d::with(2, 2, 1, |o| o.bias(false)));
    a.weight.data().copy_(tensor([[1.0, 8.0, 3.0], [4.0, 9.0, 6.0]]));
    b.weight.data().copy_(tensor([[[2.0], [7.0]], [[5.0], [10.0]]]));
    prune::global_unstructured(((&a, "weight"), (&b, "weight")), prune::L1Unstructured::new, 0.3);
    assert_eq!(a.weight.to_vec::<f32>(), [0.0, 8.0, 0.0, 4.0, 9.0, 6.0]);
    assert_eq!(b.weight.to_vec::<f32>(), [0.0, 7.0, 5.0, 10.0]);
    let targets = [(a.as_module(), "weight"), (b.as_module(), "weight")];
    let scores = [zeros([2, 3]), ones([2, 2, 1])];
    prune::global_unstructured_with(targets, prune::L1Unstructured::new, 4, |o| o.importance_scores(scores));
    assert_eq!(a.weight.to_vec::<f32>(), [0.0; 6]);
    assert_eq!(b.weight.to_vec::<f32>(), [0.0, 7.0, 5.0, 10.0]);
    let structured = |amount| prune::RandomStructured::new(amount, 0);
    let error = message(|| prune::global_unstructured([(&a, "weight")], structured, 1));
    assert!(error.starts_with("Only \"unstructured\" PRUNING_TYPE supported for the `pruning_method`."), "{error}");
}

#[test]
fn fused_layers_compute_both() {
    let bn = nn::BatchNorm2d::new(3);
    let (conv, transposed) = (nn::Conv2d::with(2, 3, 3, |o| o.bias(false)), nn::ConvTranspose2d::new(2, 3, 2));
    let x = randn([2, 2, 5, 5]);
    bn.call(conv.call(&x));
    assert_eq!(message(|| drop(utils::fuse_conv_bn_eval(&conv, &bn))), "Fusion only for eval!");
    bn.eval();
    conv.eval();
    transposed.eval();
    let fused = utils::fuse_conv_bn_eval(&conv, &bn);
    assert!(fused.call(&x).dist(bn.call(conv.call(&x))).item() < 1e-4);
    assert!(!fused.bias.as_ref().expect("a bias").requires_grad(), "there was none that required grad");
    let fused = utils::fuse_conv_bn_eval_with(&transposed, &bn, |o| o.transpose(true));
    assert!(fused.call(&x).dist(bn.call(transposed.call(&x))).item() < 1e-4);
    let (linear, norm) = (nn::Linear::new(4, 3), nn::BatchNorm1d::new(3));
    norm.call(linear.call(randn([5, 4])));
    linear.eval();
    norm.eval();
    let x = randn([5, 4]);
    assert!(utils::fuse_linear_bn_eval(&linear, &norm).call(&x).dist(norm.call(linear.call(&x))).item() < 1e-4);
}

#[test]
fn orthogonal_maps_are_orthogonal_and_learn() {
    for (map, rows, columns) in [("matrix_exp", 4, 4), ("cayley", 5, 3), ("householder", 3, 5), ("matrix_exp", 3, 5)] {
        let layer = parametrizations::orthogonal_with(nn::Linear::new(columns, rows), |o| o.orthogonal_map(map));
        let gram = || {
            let q = layer.weight.shallow_clone();
            let q = if rows < columns { q.t() } else { q };
            q.t().matmul(&q).dist(flambeau_autograd::eye(rows.min(columns))).item()
        };
        assert!(gram() < 1e-5, "{map} {rows} {columns}: {}", gram());
        layer.call(randn([2, columns])).square().sum().backward();
        let original = layer.parameters()[1].shallow_clone();
        let grad = original.grad().expect("a gradient");
        assert!(grad.abs().sum().item() > 0.0, "{map}");
        let _guard = no_grad();
        original.sub_(&grad * 0.3);
        assert!(gram() < 1e-5, "{map} {rows} {columns} after a step: {}", gram());
    }
}
