//! Hooks on modules of any signature, also where a struct has no state of its own.

use flambeau_autograd::{Tensor, ones, tensor};
use flambeau_nn::{self as nn, Call, Forward, Module, Parameter, Value};
use std::sync::{Arc, Mutex};

/// Two inputs, two outputs, no `ModuleState`.
#[derive(Module)]
struct Cell {
    w: Parameter,
    inner: Inner,
}

#[derive(Module)]
struct Inner {
    linear: nn::Linear,
}

impl Forward for Inner {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.linear.call(x)
    }
}

impl Cell {
    fn new() -> Self {
        Cell { w: Parameter::new(tensor([2.0])), inner: Inner { linear: nn::Linear::new(1, 1) } }
    }
}

impl Forward<(Tensor, Tensor), (Tensor, Tensor)> for Cell {
    fn forward(&self, (x, h): (&Tensor, &Tensor)) -> (Tensor, Tensor) {
        (x * &*self.w, h + x)
    }
}

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log) -> impl Fn(String) + Send + Sync + 'static {
    let log = log.clone();
    move |line| log.lock().unwrap().push(line)
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

#[test]
fn a_struct_of_several_inputs_without_a_state_has_hooks_that_move_with_it() {
    let (log, x) = (Log::default(), ones([1]));
    let cell = Cell::new();
    let say = note(&log);
    let handle = cell.register_forward_hook(move |module, (x, _), (y, h)| {
        say(format!("{} {} {} {}", module.type_name(), x.item(), y.item(), h.item()));
        Some((y * 10.0, h * 1.0))
    });
    cell.register_forward_pre_hook(|_, (x, h)| Some((x + 1.0, h * 3.0)));
    // Moves, among them into other memory and out of it again.
    let cell = Box::new(cell);
    let others = [Cell::new(), *cell, Cell::new()];
    let [first, cell, _] = others;
    let (y, h) = cell.call((&x, &x));
    assert_eq!((y.item(), h.item()), (40.0, 5.0));
    assert_eq!(taken(&log), ["Cell 2 4 5"]);
    assert_eq!(first.call((&x, &x)).0.item(), 2.0, "another module of the type has no hooks");
    // A part that is put anew takes nothing away, the other parts carry them too.
    let mut cell = cell;
    cell.w = Parameter::new(tensor([3.0]));
    assert_eq!(cell.call((&x, &x)).0.item(), 60.0);
    cell.inner = Inner { linear: nn::Linear::new(1, 1) };
    // They are gone with the last part that carried them.
    assert_eq!(cell.call((&x, &x)).0.item(), 3.0);
    handle.remove();
    assert_eq!(taken(&log).len(), 1);
    let dynamic: Box<dyn Forward<(Tensor, Tensor), (Tensor, Tensor)>> = Box::new(Cell::new());
    dynamic.register_forward_hook(|_, _, (y, h)| Some((y - 1.0, h - 1.0)));
    let (y, h) = dynamic.call((&x, &x));
    assert_eq!((y.item(), h.item()), (1.0, 1.0));
}

#[test]
fn hooks_of_any_module_see_values() {
    let (log, x) = (Log::default(), ones([1, 1]));
    let net = nn::sequential![nn::Linear::new(1, 1), nn::ReLU::new()];
    for module in net.modules() {
        let say = note(&log);
        module.register_forward_hook(move |module, input, output| {
            say(format!("{} {} {}", module.type_name(), input.tensors().len(), output.tensor().is_some()));
            None
        });
    }
    net.call(&x);
    assert_eq!(taken(&log), ["Linear 1 true", "ReLU 1 true", "Sequential 1 true"]);
    let cell = Cell::new();
    cell.as_module().register_forward_pre_hook(|_, input| {
        let Value::Tuple(parts) = input else { panic!("a tuple") };
        let parts = parts.iter().map(|p| Value::Tensor(p.tensor().unwrap() * 2.0));
        Some(Value::Tuple(parts.collect()))
    });
    assert_eq!(cell.call((ones([1]), ones([1]))).0.item(), 4.0);
    let wrong = nn::ReLU::new();
    wrong.as_module().register_forward_hook(|_, _, _| Some(Value::Int(3)));
    let payload = std::panic::catch_unwind(|| wrong.call(ones([1]))).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("must return a flambeau_autograd::tensor::Tensor"));
}

#[test]
fn a_module_without_parts_says_where_hooks_could_lie() {
    #[derive(Module)]
    struct Scale {
        factor: f64,
        shared: Arc<nn::ReLU>,
    }
    impl Forward for Scale {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.shared.call(x) * self.factor
        }
    }
    let scale = Scale { factor: 2.0, shared: Arc::new(nn::ReLU::new()) };
    let payload = std::panic::catch_unwind(|| drop(scale.register_forward_hook(|_, _, _| None))).unwrap_err();
    assert_eq!(
        payload.downcast_ref::<String>().unwrap(),
        "Scale has no parameter, buffer or layer of its own that could carry a hook: give it a field of type nn::ModuleState"
    );
    // A layer behind an Arc has hooks of its own, wherever it is called.
    scale.shared.register_forward_hook(|_, _, y| Some(y + 1.0));
    assert_eq!(scale.call(ones([1])).item(), 4.0);
}

#[derive(Module)]
struct Product {
    state: nn::ModuleState,
}

impl Forward<(Tensor, Tensor, Tensor, i64), (Tensor, Tensor, i64)> for Product {
    fn forward(&self, (a, b, c, k): (&Tensor, &Tensor, &Tensor, i64)) -> (Tensor, Tensor, i64) {
        (a * b + c, a * 2.0, k)
    }
}

fn show(grads: &[Option<Tensor>]) -> String {
    let one = |g: &Option<Tensor>| g.as_ref().map_or("None".to_owned(), |g| format!("{:?}", g.to_vec::<f32>()));
    grads.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The values are those that PyTorch prints for the same module, hooks and calls.
#[test]
fn backward_hooks_see_the_gradients_of_all_inputs_and_outputs() {
    let (log, product) = (Log::default(), Product { state: nn::ModuleState::new() });
    let (full, pre) = (note(&log), note(&log));
    product.register_full_backward_hook(move |module, grad_input, grad_output| {
        full(format!("{} full {} | {}", module.type_name(), show(grad_input), show(grad_output)));
        None
    });
    product.register_full_backward_pre_hook(move |_, grad_output| {
        pre(format!("pre {}", show(grad_output)));
        None
    });
    let a = tensor([1.0, 2.0]).requires_grad_(true);
    let (b, c) = (tensor([3.0, 4.0]), ones([2]).requires_grad_(true));
    let (y, z, k) = product.call((&a, &b, &c, 5));
    let name = |t: &Tensor| t.grad_fn().unwrap().name();
    assert_eq!((name(&y), name(&z), k), ("BackwardHookFunctionBackward", "BackwardHookFunctionBackward", 5));
    y.sum().backward();
    assert_eq!(
        taken(&log),
        ["pre [1.0, 1.0] None None", "Product full [3.0, 4.0] [0.0, 0.0] [1.0, 1.0] None | [1.0, 1.0] None None"]
    );
    assert_eq!((a.grad().unwrap().to_vec::<f32>(), c.grad().unwrap().to_vec::<f32>()), (vec![3.0, 4.0], vec![1.0; 2]));
    assert!(b.grad().is_none());
    let (y, z, _) = product.call((&a, &b, &c, 5));
    z.sum().backward();
    assert_eq!(
        taken(&log),
        ["pre None [1.0, 1.0] None", "Product full [2.0, 2.0] [0.0, 0.0] [0.0, 0.0] None | None [1.0, 1.0] None"]
    );
    let error = std::panic::catch_unwind(|| y.add_(1)).unwrap_err();
    assert_eq!(
        error.downcast_ref::<String>().unwrap(),
        "Output 0 of BackwardHookFunction is a view and is being modified inplace. This view is the output of a function that \
         returns multiple views. Such functions do not allow the output views to be modified inplace. You should replace the \
         inplace operation by an out-of-place one."
    );
}

#[test]
fn backward_hooks_replace_gradients() {
    let linear = nn::Linear::with(1, 1, |o| o.bias(false));
    linear.weight.data().fill_(3.0);
    let handle = linear.register_full_backward_hook(|module, grad_input, _| {
        assert_eq!(module.parameter("weight").unwrap().item(), 3.0);
        Some(grad_input.iter().map(|g| g.as_ref().map(|g| g * 10.0)).collect())
    });
    let pre = linear.register_full_backward_pre_hook(|_, grads| Some(vec![grads[0].as_ref().map(|g| g * 2.0)]));
    let x = ones([1, 1]).requires_grad_(true);
    linear.call(&x).sum().backward();
    assert_eq!((x.grad().unwrap().item(), linear.weight.grad().unwrap().item()), (60.0, 2.0));
    handle.remove();
    pre.remove();
    assert_eq!(linear.call(&x).grad_fn().unwrap().name(), "MmBackward0");
    // The wrong number of gradients, with PyTorch's words.
    linear.register_full_backward_hook(|_, g, _| Some(vec![g[0].as_ref().map(|g| g * 1.0), None]));
    let y = linear.call(&x).sum();
    let error = std::panic::catch_unwind(|| y.backward()).unwrap_err();
    assert_eq!(
        error.downcast_ref::<String>().unwrap(),
        "Backward hook returned an invalid number of grad_input, got 2, but expected 1"
    );
}

#[test]
fn a_backward_hook_whose_inputs_have_no_gradient_sees_the_outputs() {
    let (log, linear) = (Log::default(), nn::Linear::new(2, 1));
    let say = note(&log);
    linear.register_full_backward_hook(move |_, grad_input, grad_output| {
        say(format!("{} | {}", show(grad_input), show(grad_output)));
        None
    });
    linear.call(ones([1, 2])).sum().backward();
    assert_eq!(taken(&log), ["None | [1.0]"]);
    // A module of the user's without a state, nested in another.
    let cell = Cell::new();
    let say = note(&log);
    cell.inner.register_full_backward_hook(move |module, _, grad_output| {
        say(format!("{} {}", module.type_name(), show(grad_output)));
        None
    });
    let x = ones([1, 1]).requires_grad_(true);
    (cell.inner.call(&x) * 4.0).sum().backward();
    assert_eq!(taken(&log), ["Inner [4.0]"]);
    assert_eq!(cell.call((ones([1]), ones([1]))).0.item(), 2.0, "the owner has none");
}
