//! Regions of autocast themselves: nesting, the cache of parameters, threads, what is refused; custom functions and checkpoints in them.

use flambeau_testkit::catch::catch;
use std::sync::Arc;
use torch::amp::{CustomBwd, CustomFwd, GradScaler, custom_bwd, custom_fwd, is_autocast_available};
use torch::autograd::{Function, FunctionCtx};
use torch::nn::{self, Module};
use torch::optim::SGD;
use torch::utils::checkpoint::checkpoint;
use torch::{DType, Tensor, autocast, autocast_with, no_grad, ones};

fn product(x: &Tensor) -> DType {
    x.matmul(x).dtype()
}

#[test]
fn regions_nest_and_end() {
    let x = ones((2, 2));
    {
        let _outer = autocast("cpu");
        assert_eq!(product(&x), DType::BF16);
        {
            let _half = autocast_with("cpu", |o| o.dtype(DType::F16));
            assert_eq!((product(&x), torch::get_autocast_dtype("cpu")), (DType::F16, DType::F16));
            let _off = autocast_with("cpu", |o| o.enabled(false));
            assert_eq!(product(&x), DType::F32);
            assert!(!torch::is_autocast_enabled("cpu"));
        }
        assert_eq!((product(&x), torch::get_autocast_dtype("cpu")), (DType::BF16, DType::BF16));
        // A region of another kind of device, enabled or not, changes nothing here.
        let _gpu = autocast_with("wgpu", |o| o.enabled(false));
        assert_eq!(product(&x), DType::BF16);
    }
    assert_eq!(product(&x), DType::F32);
    assert!(!torch::is_autocast_enabled("cpu"));
}

#[test]
fn a_panic_ends_a_region() {
    let failed = catch(|| {
        let _autocast = autocast("cpu");
        ones((2, 3)).matmul(ones((2, 3)))
    });
    let message = failed.unwrap_err();
    assert!(message.contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"), "{message}");
    assert!(!torch::is_autocast_enabled("cpu"));
    assert_eq!(product(&ones((2, 2))), DType::F32);
}

#[test]
fn a_region_is_of_its_thread() {
    let _autocast = autocast("cpu");
    let elsewhere = std::thread::spawn(|| (product(&ones((2, 2))), torch::is_autocast_enabled("cpu")));
    assert_eq!(elsewhere.join().unwrap(), (DType::F32, false));
    assert_eq!(product(&ones((2, 2))), DType::BF16);
    // A thread that ends inside of a region takes nothing with it.
    std::thread::spawn(|| std::mem::forget(autocast("cpu"))).join().unwrap();
    assert_eq!(product(&ones((2, 2))), DType::BF16);
}

#[test]
fn casts_are_recorded_and_parameters_are_cast_once() {
    let w = ones((2, 2)).requires_grad_(true);
    let node = |y: &Tensor| y.grad_fn().unwrap().next_functions().next().unwrap().unwrap().clone();
    let same = |a: &Tensor, b: &Tensor| Arc::ptr_eq(&node(a), &node(b));
    let _autocast = autocast("cpu");
    let (a, b) = (w.matmul(ones((2, 2))), w.matmul(ones((2, 2))));
    assert_eq!(node(&a).name(), "ToCopyBackward0");
    assert!(same(&a, &b));
    {
        // The end of an inner region leaves the cache alone.
        let _inner = autocast_with("cpu", |o| o.enabled(false));
    }
    assert!(same(&a, &w.matmul(ones((2, 2)))));
    {
        let _uncached = autocast_with("cpu", |o| o.cache_enabled(false));
        assert!(!same(&a, &w.matmul(ones((2, 2)))));
    }
    {
        // Who asked first may have recorded nothing.
        torch::clear_autocast_cache();
        let _mode = no_grad();
        w.matmul(ones((2, 2)));
    }
    let after = w.matmul(ones((2, 2)));
    assert_eq!(node(&after).name(), "ToCopyBackward0");
    assert!(!same(&a, &after));
    // As PyTorch's, the copy does not see what is written to the parameter meanwhile.
    {
        let _mode = no_grad();
        w.zero_();
    }
    assert_eq!(w.matmul(ones((2, 2))).sum().item(), 8.0);
    torch::clear_autocast_cache();
    assert_eq!(w.matmul(ones((2, 2))).sum().item(), 0.0);
    after.sum().backward();
    assert_eq!(w.grad().unwrap().dtype(), DType::F32);
}

#[test]
fn what_is_no_parameter_is_not_kept() {
    let x = ones((2, 2));
    let w = ones((2, 2)).requires_grad_(true);
    let y = &w * 2;
    let _autocast = autocast("cpu");
    let first = y.matmul(&x);
    let second = y.matmul(&x);
    let node = |y: &Tensor| y.grad_fn().unwrap().next_functions().next().unwrap().unwrap().clone();
    assert!(!Arc::ptr_eq(&node(&first), &node(&second)));
    {
        let _mode = no_grad();
        x.zero_();
    }
    assert_eq!(y.matmul(&x).sum().item(), 0.0);
}

#[test]
fn what_is_refused_is_said_in_pytorchs_words() {
    for (device, message) in [
        ("meta", "User specified an unsupported autocast device_type 'meta'"),
        ("mps", "User specified an unsupported autocast device_type 'mps'"),
        ("foo", "device type at start of device string: foo"),
    ] {
        let failed = catch(|| drop(autocast(device))).unwrap_err();
        assert!(failed.contains(message), "{failed}");
    }
    assert!(is_autocast_available("cpu") && is_autocast_available("cuda") && !is_autocast_available("meta"));
    let message = "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only supports dtypes of \
                   torch.bfloat16, torch.float16 currently.";
    let before = flambeau_autograd::warned(message);
    {
        let _wide = autocast_with("cpu", |o| o.dtype(DType::F32));
        assert!(!torch::is_autocast_enabled("cpu"));
        assert_eq!(torch::get_autocast_dtype("cpu"), DType::F32);
    }
    assert_eq!((flambeau_autograd::warned(message), torch::get_autocast_dtype("cpu")), (before + 1, DType::BF16));
    let _autocast = autocast("cpu");
    let (half, x) = (ones(2).half(), ones(2));
    let failed = catch(|| torch::cat([&half, &x], 0)).unwrap_err();
    assert!(failed.contains("Unexpected floating ScalarType in at::autocast::prioritize"), "{failed}");
    assert_eq!(torch::cat([&x, &half], 0).dtype(), DType::F32);
    assert_eq!(torch::cat([&x.double(), &x.bfloat16()], 0).dtype(), DType::F64);
}

/// What forward and backward of a function see.
macro_rules! function {
    ($name:ident, $fwd:expr, $bwd:expr) => {
        struct $name;
        impl Function for $name {
            type Inputs = (Tensor, Tensor);
            type Outputs = Tensor;
            type GradOutputs = Tensor;
            type GradInputs = (Tensor, Tensor);
            const CUSTOM_FWD: Option<CustomFwd> = $fwd;
            const CUSTOM_BWD: Option<CustomBwd> = $bwd;

            fn forward(ctx: &mut FunctionCtx, (a, b): Self::Inputs) -> Tensor {
                ctx.save_for_backward([&a, &b]);
                a.mm(&b)
            }
            fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
                let [a, b] = ctx.saved_tensors();
                SEEN.set(Some((a.dtype(), b.t().mm(&grad).dtype())));
                (grad.mm(b.t()), a.t().mm(&grad))
            }
        }
    };
}

thread_local! {
    /// Of a backward: the dtype of what was saved, and that of a product.
    static SEEN: std::cell::Cell<Option<(DType, DType)>> = const { std::cell::Cell::new(None) };
}

function!(Plain, None, None);
function!(Noted, Some(custom_fwd("cpu")), Some(custom_bwd("cpu")));
function!(Wide, Some(custom_fwd("cpu").cast_inputs(DType::F32)), Some(custom_bwd("cpu")));
function!(Elsewhere, Some(custom_fwd("cuda").cast_inputs(DType::F64)), Some(custom_bwd("cuda")));

/// The result's dtype, what backward sees, and the gradients' dtypes; forward in a region, backward in none.
fn apply<F: Function<Inputs = (Tensor, Tensor), Outputs = Tensor>>(
    inside: bool,
) -> (DType, DType, DType, DType, DType) {
    let (x, w) = (ones((2, 2)).requires_grad_(true), ones((2, 2)).requires_grad_(true));
    let y = {
        let _autocast = autocast_with("cpu", |o| o.enabled(inside));
        F::apply((&x, x.mm(&w)))
    };
    y.sum().backward();
    let (saved, product) = SEEN.take().unwrap();
    (y.dtype(), saved, product, x.grad().unwrap().dtype(), w.grad().unwrap().dtype())
}

#[test]
fn custom_functions_choose_what_a_region_does_with_them() {
    use DType::{BF16, F32};
    // torch.autograd.Function with the same forward and backward, and the same decorators.
    assert_eq!(apply::<Wide>(true), (F32, F32, F32, F32, F32));
    assert_eq!(apply::<Wide>(false), (F32, F32, F32, F32, F32));
    assert_eq!(apply::<Noted>(true), (BF16, F32, BF16, F32, F32));
    assert_eq!(apply::<Noted>(false), (F32, F32, F32, F32, F32));
    assert_eq!(apply::<Elsewhere>(false), (F32, F32, F32, F32, F32));
    let both = |inside| {
        let (x, w) = (ones((2, 2)).requires_grad_(true), ones((2, 2)));
        let _autocast = autocast_with("cpu", |o| o.enabled(inside));
        let y = Plain::apply((&x, &w));
        y.sum().backward();
        (y.dtype(), SEEN.take().unwrap(), x.grad().unwrap().dtype())
    };
    assert_eq!(both(true), (BF16, (F32, BF16), F32));
    assert_eq!(both(false), (F32, (F32, F32), F32));
}

#[test]
fn a_checkpoint_runs_again_in_its_region() {
    let _generator = flambeau_testkit::work::alone();
    let layer = Arc::new(nn::Linear::new(3, 3));
    let x = ones((2, 3)).requires_grad_(true);
    let run = |checkpointed: bool| {
        x.set_grad(None);
        let y = {
            let _autocast = autocast("cpu");
            let inner = layer.clone();
            let f = move |x: Tensor| inner.call(inner.call(&x).tanh());
            if checkpointed { checkpoint(f, &x) } else { f(x.shallow_clone()) }
        };
        assert_eq!(y.dtype(), DType::BF16);
        // Outside of the region.
        y.float().sum().backward();
        x.grad().unwrap().to_vec::<f32>()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn in_place_forms_are_left_as_they_are() {
    let _autocast = autocast("cpu");
    let x = ones((2, 2));
    x.add_(ones((2, 2)).bfloat16());
    assert_eq!(x.dtype(), DType::F32);
    assert_eq!(x.to_vec::<f32>(), [2.0; 4]);
}

#[test]
fn a_scaler_trains_in_a_region() {
    let _generator = flambeau_testkit::work::alone();
    torch::manual_seed(0);
    let net = nn::Linear::new(4, 2);
    let optimizer = SGD::new(net.parameters(), 0.1);
    let scaler = GradScaler::with("cpu", |o| o.init_scale(1024.0).growth_interval(4));
    let (x, y) = (torch::randn((8, 4)), torch::zeros((8, 2)));
    let mut losses = Vec::new();
    for _ in 0..9 {
        optimizer.zero_grad();
        let loss = {
            let _autocast = autocast("cpu");
            nn::functional::mse_loss(net.call(&x), &y)
        };
        losses.push(loss.item());
        scaler.scale(&loss).backward();
        scaler.step(&optimizer);
        scaler.update();
    }
    assert!(losses[8] < losses[0] / 2.0, "{losses:?}");
    assert_eq!(scaler.get_scale(), 4096.0);
}
