//! Hooks on what the graph saves.

use crate::functions::{MyExp, MyReLU};
use crate::{Case, Seen, backward, backward_kept, grad_of, gradient, show, x3};
use flambeau_autograd::{
    Function, Result, SavedTensorsHooksGuard, Tensor, disable_saved_tensors_hooks, from_vec, save_on_cpu,
    saved_tensors_hooks, tensor,
};

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
    ("modified_after_it_was_packed", modified_after_it_was_packed),
    ("hooks_that_return_the_tensor", hooks_that_return_the_tensor),
    ("hooks_and_double_backward", hooks_and_double_backward),
    ("disabled_hooks", disabled_hooks),
    ("disabled_hooks_while_some_are_set", disabled_hooks_while_some_are_set),
    ("disabled_hooks_nested", disabled_hooks_nested),
    ("saved_on_cpu", saved_on_cpu),
];
