//! Hooks on what the graph saves.

use crate::functions::{MyExp, MyReLU};
use crate::{Case, Seen, backward, backward_kept, flag, grad_of, gradient, leaf, show, x3};
use flambeau_autograd::{
    Function, Node, Result, SavedTensorsHooksGuard, Tensor, checkpoint, disable_saved_tensors_hooks, from_vec, ones,
    ops, pointwise, save_on_cpu, saved_tensors_hooks, tensor,
};
use std::sync::Arc;

fn noted(seen: &Seen, of: fn(&Tensor) -> Tensor) -> SavedTensorsHooksGuard {
    let (packs, unpacks) = (seen.clone(), seen.clone());
    let pack = move |t: &Tensor| {
        packs.add(format!("pack {}", of(t)));
        t.detach()
    };
    let unpack = move |t: &Tensor| {
        unpacks.add(format!("unpack {t}"));
        t.shallow_clone()
    };
    saved_tensors_hooks(pack, unpack)
}

fn x2() -> Tensor {
    tensor([1.0, 2.0]).requires_grad_(true)
}

fn packed_tensors() -> Result<String> {
    let (seen, x) = (Seen::default(), x2());
    let y = {
        let _hooks = noted(&seen, Tensor::shallow_clone);
        (&x * 2).sin().exp()
    };
    let z = &y * &y;
    backward(&z.sum())?;
    Ok(format!("{}\n{}", seen.all("\n"), gradient(&x)))
}

fn packed_in_place() -> Result<String> {
    let (seen, x) = (Seen::default(), x2());
    let y = {
        let _hooks = noted(&seen, Tensor::detach);
        let y = &x * 1;
        y.exp_();
        y.i(1..).sin_();
        y
    };
    backward(&y.sum())?;
    Ok(format!("{}\n{}", seen.all("\n"), gradient(&x)))
}

fn packed_custom_function() -> Result<String> {
    let (seen, x) = (Seen::default(), x2());
    let y = {
        let _hooks = noted(&seen, Tensor::shallow_clone);
        MyExp::apply(MyReLU::apply(&x))
    };
    backward(&y.sum())?;
    Ok(format!("{}\n{}", seen.all("\n"), gradient(&x)))
}

fn counting(seen: &Seen, name: &'static str) -> SavedTensorsHooksGuard {
    let seen = seen.clone();
    let pack = move |t: &Tensor| {
        seen.add(name);
        t.detach()
    };
    saved_tensors_hooks(pack, Tensor::shallow_clone)
}

fn nested_hooks() -> Result<String> {
    let (seen, x) = (Seen::default(), x3());
    let _outer = counting(&seen, "outer");
    let y = x.sin();
    let y = {
        let _inner = counting(&seen, "inner");
        y.sin()
    };
    let y = y.sin();
    backward(&y.sum())?;
    Ok(format!("{} {}", seen.all(" "), gradient(&x)))
}

fn hooks_and_a_second_backward() -> Result<String> {
    let y = {
        let _hooks = noted(&Seen::default(), Tensor::detach);
        x3().sin().sum()
    };
    backward(&y)?;
    backward(&y)?;
    Ok(String::new())
}

fn hooks_and_a_kept_graph() -> Result<String> {
    let (seen, x) = (Seen::default(), x3());
    let y = {
        let _hooks = noted(&seen, Tensor::detach);
        x.sin().sum()
    };
    backward_kept(&y)?;
    backward(&y)?;
    Ok(format!("{} {}", seen.len(), gradient(&x)))
}

fn pack_hook_that_writes() -> Result<String> {
    let _hooks = saved_tensors_hooks(|t| t.detach().add_(1), Tensor::shallow_clone);
    (x3() * 1).sin();
    Ok(String::new())
}

fn node(y: &Tensor) -> Arc<Node> {
    y.grad_fn().expect("it was recorded")
}

fn saved_of(y: &Tensor) -> String {
    let node = node(y);
    let found = ["self", "other", "mat2", "result", "index"].into_iter().filter_map(|name| {
        let value = node.saved(name)?;
        Some(format!("{name} {} {}", show(&[&value.reshape(-1)]), flag(value.requires_grad())))
    });
    found.collect::<Vec<_>>().join("; ")
}

fn saved_by_name() -> Result<String> {
    let x = x3();
    let (z, w) = (&x * 1, leaf(&[2.0, 3.0, 4.0]).detach());
    let m = z.reshape([3, 1]);
    let named = [
        &z * &z,
        &z * &w,
        z.exp(),
        z.atan2(&w),
        m.matmul(w.reshape([1, 3])),
        z.amax(),
        z.prod(),
        z.gather(0, tensor([2, 0])),
        &z + 1,
    ];
    Ok(named.iter().map(saved_of).collect::<Vec<_>>().join("\n"))
}

fn saved_result_is_the_result() -> Result<String> {
    let y = (x3() * 1).exp();
    let own = node(&y).saved("result").expect("exp saves its result");
    let same = Arc::ptr_eq(&node(&own), &node(&y));
    Ok(format!("{} {}", flag(same), show(&[&grad_of(&own, &y, false)?])))
}

fn saved_that_was_freed() -> Result<String> {
    let y = (x3() * 1).exp();
    backward(&y.sum())?;
    node(&y).saved("result");
    Ok(String::new())
}

fn saved_that_was_written_to() -> Result<String> {
    let z = x3() * 1;
    let y = z.sin();
    z.add_(1);
    node(&y).saved_tensors();
    Ok(String::new())
}

fn saved_and_unpacked() -> Result<String> {
    let seen = Seen::default();
    let unpacks = seen.clone();
    let unpack = move |t: &Tensor| {
        unpacks.add("unpack");
        t * 10
    };
    let y = {
        let _hooks = saved_tensors_hooks(Tensor::detach, unpack);
        (x3() * 1).sin()
    };
    let own = || node(&y).saved("self").expect("sin saves its input");
    Ok(format!("{} {}", show(&[&own(), &own()]), seen.len()))
}

/// Where this thread's panic was.
fn line_of(call: impl FnOnce()) -> u32 {
    thread_local! {
        static LINE: std::cell::Cell<Option<(bool, u32)>> = const { std::cell::Cell::new(None) };
    }
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let at = info.location().expect("a panic has a place");
            LINE.set(Some((at.file() == file!(), at.line())));
            former(info);
        }));
    });
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    let (here, line) = LINE.take().expect("it panicked aloud");
    assert!(here, "a panic in another file, line {line}");
    line
}

#[test]
fn a_pack_hook_that_writes_panics_at_the_users_line() {
    let _turn = crate::turn();
    let x = x3();
    let hooks = || saved_tensors_hooks(|t| t.detach().add_(1), Tensor::shallow_clone);
    let (line, at) = (line!(), line_of(|| drop((hooks(), (&x * 1).sin()))));
    assert_eq!(at, line);
    // An operation that saves its result, one in place, a custom function, a user's pointwise function, and a checkpoint's input.
    let (line, at) = (line!(), line_of(|| drop((hooks(), x.exp()))));
    assert_eq!(at, line);
    let y = &x * 1;
    let (line, at) = (line!(), line_of(|| drop((hooks(), y.sin_()))));
    assert_eq!(at, line);
    let (line, at) = (line!(), line_of(|| drop((hooks(), MyExp::apply(&x)))));
    assert_eq!(at, line);
    let own = pointwise(|[x]| x * x);
    let (line, at) = (line!(), line_of(|| drop((hooks(), own.call(&x)))));
    assert_eq!(at, line);
    let (line, at) = (line!(), line_of(|| drop((hooks(), checkpoint(|x: Tensor| x.sin(), &x)))));
    assert_eq!(at, line);
    // Through `torch::ops` it is an error.
    let _hooks = hooks();
    let error = ops::sin(&x).unwrap_err().to_string();
    assert!(error.starts_with("A saved tensor pack hook is modifying its input in place."), "{error}");
    drop(_hooks);
    // What is freed is told at the line that asks.
    let y = x.sin();
    y.sum().backward();
    let node = node(&y);
    let (line, at) = (line!(), line_of(|| drop(node.saved("self"))));
    assert_eq!(at, line);
    let (line, at) = (line!(), line_of(|| drop(node.saved_tensors())));
    assert_eq!(at, line);
}

/// Each operand of a product is kept for the other's gradient, once.
#[test]
fn what_no_gradient_needs_is_not_kept() {
    let _turn = crate::turn();
    let (x, w) = (ones([2, 2]).requires_grad_(true), ones([2, 2]));
    let names =
        |y: &Tensor| node(y).saved_tensors().into_iter().map(|(name, t)| (name, t.is_some())).collect::<Vec<_>>();
    assert_eq!(names(&x.matmul(&w)), [("self", false), ("mat2", true)]);
    assert_eq!(names(&w.matmul(&x)), [("self", true), ("mat2", false)]);
    assert_eq!(names(&x.matmul(&x)), [("self", true), ("mat2", true)]);
    let seen = Seen::default();
    let _hooks = noted(&seen, Tensor::detach);
    x.matmul(&w);
    assert_eq!(seen.len(), 1);
    assert_eq!(names(&x.i(tensor([0, 1])))[1..], [("indices", true)]);
    assert_eq!(names(&MyExp::apply(&x)), [("saved_tensors", true)]);
    assert!(
        x.shallow_clone().sum().grad_fn().unwrap().next_functions().next().unwrap().unwrap().saved_tensors().is_empty()
    );
}

fn modified_after_it_was_packed() -> Result<String> {
    let x = x3();
    let (z, y) = {
        let _hooks = saved_tensors_hooks(|t| t.detach().clone(), Tensor::shallow_clone);
        let z = &x * 1;
        let y = z.exp() * &z;
        (z, y)
    };
    z.add_(1);
    backward(&y.sum())?;
    Ok(gradient(&x))
}

fn hooks_that_return_the_tensor() -> Result<String> {
    let x = x3();
    let y = {
        let _hooks = saved_tensors_hooks(Tensor::shallow_clone, Tensor::shallow_clone);
        (&x * 1).sin()
    };
    backward(&y.sum())?;
    Ok(gradient(&x))
}

fn hooks_and_double_backward() -> Result<String> {
    let x = x3();
    let y = {
        let unpack = |values: &Vec<f64>| from_vec(values.clone(), [values.len()]);
        let _hooks = saved_tensors_hooks(|t| t.to_vec::<f64>(), unpack);
        x.pow(3)
    };
    let g = grad_of(&y, &x, true)?;
    let h = grad_of(&g, &x, false)?;
    Ok(show(&[&g, &h]))
}

fn disabled_hooks() -> Result<String> {
    let _off = disable_saved_tensors_hooks("no hooks");
    let _hooks = save_on_cpu();
    Ok(String::new())
}

fn disabled_hooks_while_some_are_set() -> Result<String> {
    let _hooks = save_on_cpu();
    let _off = disable_saved_tensors_hooks("they are set");
    Ok(String::new())
}

fn disabled_hooks_nested() -> Result<String> {
    let _off = disable_saved_tensors_hooks("outer");
    drop(disable_saved_tensors_hooks("inner"));
    let _hooks = save_on_cpu();
    Ok(String::new())
}

fn saved_on_cpu() -> Result<String> {
    let x = x3();
    let y = {
        let _hooks = save_on_cpu();
        x.sin()
    };
    backward(&y.sum())?;
    Ok(gradient(&x))
}

pub(crate) const CASES: &[(&str, Case)] = &[
    ("packed_tensors", packed_tensors),
    ("packed_in_place", packed_in_place),
    ("packed_custom_function", packed_custom_function),
    ("nested_hooks", nested_hooks),
    ("hooks_and_a_second_backward", hooks_and_a_second_backward),
    ("hooks_and_a_kept_graph", hooks_and_a_kept_graph),
    ("pack_hook_that_writes", pack_hook_that_writes),
    ("saved_by_name", saved_by_name),
    ("saved_result_is_the_result", saved_result_is_the_result),
    ("saved_that_was_freed", saved_that_was_freed),
    ("saved_that_was_written_to", saved_that_was_written_to),
    ("saved_and_unpacked", saved_and_unpacked),
    ("modified_after_it_was_packed", modified_after_it_was_packed),
    ("hooks_that_return_the_tensor", hooks_that_return_the_tensor),
    ("hooks_and_double_backward", hooks_and_double_backward),
    ("disabled_hooks", disabled_hooks),
    ("disabled_hooks_while_some_are_set", disabled_hooks_while_some_are_set),
    ("disabled_hooks_nested", disabled_hooks_nested),
    ("saved_on_cpu", saved_on_cpu),
];
