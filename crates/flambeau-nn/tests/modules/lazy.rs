//! Lazy layers beside what PyTorch does with them: prints, states, errors, copies, hooks and threads.

use flambeau_autograd::{Tensor, is_grad_enabled, ones, tensor};
use flambeau_nn::{self as nn, Call, Forward, Module, deepcopy, init, parameter::is_lazy};
use flambeau_tensor::DType;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The message of a panic.
fn fails<R>(call: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { panic!("it does not fail") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    }
}

const SHAPE: &str = "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in \
                     `load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to \
                     initialize the parameters before accessing their attributes.";

fn used_in(what: &str) -> String {
    format!(
        "Attempted to use an uninitialized parameter in {what}. This error happens when you are using a `LazyModule` or \
         explicitly manipulating `torch.nn.parameter.UninitializedParameter` objects. When using LazyModules Call `forward` with \
         a dummy batch to initialize the parameters before calling torch functions"
    )
}

fn method(name: &str) -> String {
    used_in(&format!("<method '{name}' of 'torch._C.TensorBase' objects>"))
}

#[derive(Module)]
struct Net {
    conv: nn::LazyConv2d,
    norm: nn::LazyBatchNorm2d,
    head: nn::LazyLinear,
}

impl Net {
    fn new() -> Self {
        Net { conv: nn::LazyConv2d::new(4, 3), norm: nn::LazyBatchNorm2d::new(), head: nn::LazyLinear::new(2) }
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.norm.call(self.conv.call(x)).relu();
        self.head.call(x.flatten_dims(1, -1))
    }
}

#[test]
fn a_struct_of_lazy_layers_becomes_one_of_plain_layers() {
    let net = Net::new();
    assert_eq!(
        net.to_string(),
        "Net(\n  (conv): LazyConv2d(0, 4, kernel_size=(3, 3), stride=(1, 1))\n  (norm): LazyBatchNorm2d(0, eps=1e-05, \
         momentum=0.1, affine=True, bias=True, track_running_stats=True)\n  (head): LazyLinear(in_features=0, out_features=2, \
         bias=True)\n)"
    );
    let keys: Vec<String> = net.state_dict().keys().map(str::to_owned).collect();
    let shown = net.state_dict().to_string();
    assert!(shown.contains("('norm.running_mean', <UninitializedBuffer>)") && shown.contains("tensor(0))"), "{shown}");
    assert!(!net.head.is_known() && net.as_module().downcast_ref::<Net>().is_some());
    // The structs between keep their flags when the layers change.
    net.eval();
    net.call(ones([2, 3, 5, 5]));
    assert!(!net.training() && !net.conv.training() && !net.norm.training());
    assert!(net.state_dict().keys().eq(keys.iter().map(String::as_str)));
    assert_eq!((net.conv.in_channels, net.head.in_features, net.num_parameters()), (3, 36, 4 * 28 + 8 + 74));
    assert!(net.to_string().contains("(conv): Conv2d(3, 4, ") && net.get_submodule("head").is::<nn::Linear>());
    assert_eq!(net.norm.num_batches_tracked.as_ref().unwrap().item(), 0.0);
}

trait Known {
    fn is_known(&self) -> bool;
}
impl Known for nn::LazyLinear {
    fn is_known(&self) -> bool {
        !self.has_uninitialized_params()
    }
}

#[test]
fn what_has_no_shape_is_refused_in_pytorchs_words() {
    let layer = nn::LazyLinear::new(3);
    let p = &layer.weight;
    assert_eq!(fails(|| p.numel()), method("numel"));
    assert_eq!(fails(|| p.dim()), method("dim"));
    assert_eq!(fails(|| p.detach()), method("detach"));
    assert_eq!(fails(|| p.requires_grad_(false)), method("requires_grad_"));
    assert_eq!(fails(|| p.add(1)), method("add"));
    assert_eq!(fails(|| p.sum()), method("sum"));
    assert_eq!(fails(|| p.tensor().clone()), method("clone"));
    assert_eq!(fails(|| p.zero_()), method("zero_"));
    assert_eq!(fails(|| p.t()), method("t"));
    assert_eq!(fails(|| ones([2, 2]).matmul(p)), method("matmul"));
    assert_eq!(fails(|| p.shape()), SHAPE);
    assert_eq!(fails(|| layer.forward(&ones([2, 2]))), used_in("<built-in function linear>"));
    assert_eq!(fails(|| layer.requires_grad_(false)), method("requires_grad_"));
    assert_eq!(fails(|| layer.num_parameters()), method("numel"));
    assert!(fails(|| init::xavier_uniform_(p)).starts_with("Attempted to use an uninitialized parameter in"));
    let shared = fails(|| nn::LazyLinear::new(3).share_memory());
    assert!(shared.starts_with("Can't share memory on an uninitialized parameter or buffer."), "{shared}");
    // What tells no number is allowed.
    assert!(p.is_leaf() && p.requires_grad() && p.grad().is_none() && p.is_floating_point());
    assert_eq!((p.dtype(), p.ndim(), p.to_string()), (DType::F32, 1, "<UninitializedParameter>".to_owned()));
    layer.zero_grad();
    assert_eq!(
        fails(|| nn::Parameter::new(ones([1])).materialize([1])),
        "'Parameter' object has no attribute 'materialize'"
    );
}

#[test]
fn an_input_that_does_not_fit_leaves_the_layer_lazy() {
    let conv = nn::LazyConv2d::with(4, 3, |o| o.groups(2));
    let message = fails(|| conv.call(ones([5])));
    assert_eq!(
        message,
        "Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but got input of size: torch.Size([5])"
    );
    assert_eq!(fails(|| conv.call(ones([1, 3, 5, 5]))), "in_channels must be divisible by groups");
    assert!(conv.has_uninitialized_params() && conv.type_name() == "LazyConv2d");
    assert_eq!(conv.call(ones([1, 2, 5, 5])).size(), [1, 4, 3, 3]);
    assert_eq!(fails(|| nn::LazyBatchNorm1d::new().call(ones([3]))), "tuple index out of range");
    // The channels are known by then, and the class has changed.
    let norm = nn::LazyBatchNorm2d::new();
    assert_eq!(fails(|| norm.call(ones([2, 3]))), "expected 4D input (got 2D input)");
    assert_eq!(norm.type_name(), "BatchNorm2d");
}

#[test]
fn states_load_before_the_first_call() {
    let source = nn::Linear::new(4, 3);
    let layer = nn::LazyLinear::new(3);
    layer.load_state_dict(&source.state_dict()).unwrap();
    // As in Python it has its parameters, and still is lazy.
    assert_eq!(layer.to_string(), "LazyLinear(in_features=0, out_features=3, bias=True)");
    assert!(!layer.has_uninitialized_params() && layer.weight.equal(&source.weight) && layer.weight.requires_grad());
    let message = fails(|| layer.call(ones([2, 5])));
    assert_eq!(message, "The in_features inferred from input: 5 is not equal to in_features from self.weight: 4");
    let x = tensor([[1.0, -2.0, 0.5, 3.0]]);
    assert!(layer.call(&x).equal(source.call(&x)));
    assert_eq!(layer.to_string(), "Linear(in_features=4, out_features=3, bias=True)");
    // Channels of other layers are not asked for again: they print 0, as in Python.
    let net = nn::sequential![nn::LazyConv2d::new(3, 3), nn::LazyBatchNorm2d::new()];
    let plain = nn::sequential![nn::Conv2d::new(2, 3, 3), nn::BatchNorm2d::new(3)];
    net.load_state_dict(&plain.state_dict()).unwrap();
    net.eval();
    plain.eval();
    assert!(net.call(ones([1, 2, 3, 3])).equal(plain.call(ones([1, 2, 3, 3]))));
    assert!(
        net.to_string()
            .starts_with("Sequential(\n  (0): Conv2d(0, 3, kernel_size=(3, 3), stride=(1, 1))\n  (1): BatchNorm2d(0, ")
    );

    let lazy = || nn::LazyLinear::new(3);
    let layer = lazy();
    layer.load_state_dict(&lazy().state_dict()).unwrap();
    assert!(is_lazy(&layer.weight));
    assert_eq!(source.load_state_dict(&lazy().state_dict()).unwrap_err().to_string(), SHAPE);
    let both = layer.load_state_dict_with(&lazy().state_dict(), |o| o.assign(true)).unwrap_err().to_string();
    let start = "Error(s) in loading state_dict for LazyLinear:\n\tWhile copying the parameter named \"weight\", whose dimensions \
                 in the model are torch.Size([0]) and whose dimensions in the checkpoint are torch.Size([0]), an exception \
                 occurred : (\"Attempted to use an uninitialized parameter in <method 'requires_grad_' of";
    assert!(both.starts_with(start), "{both}");
    layer.load_state_dict_with(&source.state_dict(), |o| o.assign(true)).unwrap();
    assert_eq!(layer.weight.data_ptr(), source.weight.data_ptr());
    let copy = lazy().state_dict().clone();
    assert!(is_lazy(&copy["weight"]) && copy["weight"].is_parameter());
}

#[test]
fn copies_are_lazy_by_themselves() {
    let layer = nn::LazyLinear::with(3, |o| o.dtype(DType::F64));
    let before = deepcopy(&layer);
    layer.call(ones([1, 4]).double());
    let after = deepcopy(&layer);
    assert!(before.has_uninitialized_params() && before.weight.dtype() == DType::F64 && before.weight.requires_grad());
    assert_eq!(before.call(ones([1, 2]).double()).size(), [1, 3]);
    assert_eq!((before.in_features, layer.in_features, after.in_features), (2, 4, 4));
    assert!(after.weight.equal(&layer.weight) && !after.weight.is_same(&layer.weight));
    assert_eq!(after.to_string(), "Linear(in_features=4, out_features=3, bias=True)");
    after.call(ones([1, 4]).double());
    let boxed: Box<dyn Forward> = Box::new(nn::LazyLinear::new(1));
    let copy = deepcopy(&boxed);
    copy.call(ones([1, 2]));
    assert_eq!((boxed.repr().contains("Lazy"), copy.repr().contains("Lazy")), (true, false));
}

#[test]
fn dtypes_change_before_the_first_call() {
    let layer = nn::LazyBatchNorm1d::new().double().to("cpu");
    assert_eq!(layer.weight.as_ref().unwrap().dtype(), DType::F64);
    layer.call(ones([2, 3]).double());
    assert_eq!(layer.running_var.as_ref().unwrap().dtype(), DType::F64);
    let empty = nn::LazyLinear::new(2).to_empty("cpu").half();
    assert!(is_lazy(&empty.weight) && empty.weight.dtype() == DType::F16);
    let message = fails(|| nn::LazyLinear::new(2).to(DType::I64));
    assert_eq!(
        message,
        "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.int64"
    );
}

#[test]
fn hooks_outlive_the_change_and_the_first_call_is_recorded() {
    let layer = nn::LazyLinear::new(2);
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    let handle = layer.register_forward_hook(move |module, _, _| {
        seen.fetch_add(1, Ordering::Relaxed);
        assert_eq!(module.type_name(), "Linear");
        None
    });
    assert!(is_grad_enabled());
    layer.call(ones([1, 3])).sum().backward();
    assert!(layer.weight.grad().is_some() && layer.weight.is_leaf());
    layer.call(ones([1, 3]));
    handle.remove();
    layer.call(ones([1, 3]));
    assert_eq!(count.load(Ordering::Relaxed), 2);
    // A struct without a state of its own keeps its hooks in its only part.
    #[derive(Module)]
    struct Wrap {
        inner: nn::LazyLinear,
    }
    impl Forward for Wrap {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.inner.call(x)
        }
    }
    let wrap = Wrap { inner: nn::LazyLinear::new(2) };
    let seen = count.clone();
    wrap.register_forward_hook(move |_, _, _| {
        seen.fetch_add(10, Ordering::Relaxed);
        None
    });
    wrap.call(ones([1, 3]));
    wrap.call(ones([1, 3]));
    assert_eq!(count.load(Ordering::Relaxed), 22);
}

#[test]
fn threads_make_the_parameters_once() {
    let layer = Arc::new(nn::LazyLinear::new(3));
    let outputs: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| layer.call(ones([1, 4])).to_vec::<f32>())).collect();
        threads.into_iter().map(|thread| thread.join().expect("it computes")).collect()
    });
    assert!(outputs.iter().all(|out| *out == outputs[0]));
}

/// `net.apply_to(X)` of d2l: a dry run, then the initialisation of what was found.
#[test]
fn a_dry_run_and_an_initialisation() {
    let net = nn::sequential![nn::LazyConv2d::new(2, 3), nn::Flatten::new(), nn::LazyLinear::new(3)];
    net.call(ones([1, 1, 5, 5]));
    let mut found = Vec::new();
    net.apply(|m| {
        if m.is::<nn::Linear>() || m.is::<nn::Conv2d>() {
            init::constant_(m.weight().unwrap(), 0.5);
            found.push(m.type_name());
        }
    });
    assert_eq!(found, ["Conv2d", "Linear"]);
    let conv = net.get_submodule("0").downcast_ref::<nn::Conv2d>().unwrap();
    assert_eq!(conv.weight.mean().item(), 0.5);
}

#[test]
fn fields_of_a_lazy_layer_are_the_layers() {
    let mut layer = nn::LazyLinear::new(2);
    assert_eq!((layer.in_features, layer.out_features), (0, 2));
    layer.call(ones([1, 3]));
    layer.bias = None;
    assert_eq!(layer.to_string(), "Linear(in_features=3, out_features=2, bias=False)");
    let mut net = nn::sequential![layer];
    assert!(net.get_submodule_mut("0").downcast_mut::<nn::Linear>().is_some());
    let transposed = nn::LazyConvTranspose1d::with(2, 3, |o| o.stride(2));
    assert_eq!(transposed.forward_to_size(&ones([1, 3, 4]), [10]).size(), [1, 2, 10]);
}
