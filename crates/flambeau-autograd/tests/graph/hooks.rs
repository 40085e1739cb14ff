//! Hooks of tensors, and their removal.

use crate::{Case, Seen, backward, backward_kept, gradient, leaf, show, show_option, x3};
use flambeau_autograd::{Result, Tensor, grad, register_multi_grad_hook, register_multi_grad_hook_any};

fn removed_hooks() -> Result<String> {
    let x = x3();
    let first = x.register_hook(|g| Some(g * 10));
    let second = x.register_hook(|g| Some(g + 1));
    let mut out = Vec::new();
    for handle in [Some(&first), Some(&first), Some(&second), None] {
        x.set_grad(None);
        backward(&(&x * 1).sum())?;
        out.push(gradient(&x));
        if let Some(handle) = handle {
            handle.remove();
        }
    }
    Ok(out.join(" "))
}

fn removed_hook_of_a_result() -> Result<String> {
    let x = x3();
    let y = &x * 2;
    let handle = y.register_hook(|g| Some(g * 10));
    backward_kept(&y.sum())?;
    handle.remove();
    backward(&y.sum())?;
    Ok(gradient(&x))
}

fn hook_without_gradient() -> Result<String> {
    x3().detach().register_hook(|_| None);
    Ok(String::new())
}

fn accumulated() -> Result<String> {
    let (x, seen) = (x3(), Seen::default());
    let notes = seen.clone();
    let handle = x.register_post_accumulate_grad_hook(move |x| {
        notes.add(gradient(x));
        x.set_grad(None);
    });
    backward(&(&x * 2).sum())?;
    backward(&(&x * 3 + &x).sum())?;
    grad(&[&(&x * 2).sum()], &[&x], &[None], false, false, false)?;
    handle.remove();
    backward(&(&x * 5).sum())?;
    Ok(format!("{} {}", seen.all(" "), gradient(&x)))
}

fn accumulated_hook_of_a_result() -> Result<String> {
    (x3() * 1).register_post_accumulate_grad_hook(|_| {});
    Ok(String::new())
}

fn accumulated_hook_without_gradient() -> Result<String> {
    x3().detach().register_post_accumulate_grad_hook(|_| {});
    Ok(String::new())
}

fn tree() -> [Tensor; 4] {
    let (a, b) = (leaf(&[2.0]), leaf(&[3.0]));
    let (c, d) = (&a * &b, &a * &b);
    [a, b, c, d]
}

fn all(grads: &[Option<Tensor>]) -> String {
    grads.iter().map(|g| show_option(g.as_ref())).collect::<Vec<_>>().join(" ")
}

fn hook_of_several() -> Result<String> {
    let ([a, b, c, d], seen) = (tree(), Seen::default());
    let notes = seen.clone();
    let handle = register_multi_grad_hook(&[&a, &b, &c, &d], move |grads| notes.add(all(grads)));
    backward_kept(&c.sum())?;
    backward_kept(&(&c + &d * 2).sum())?;
    backward(&(&a * 7).sum())?;
    handle.remove();
    backward(&c.sum())?;
    Ok(seen.all(" "))
}

fn hook_of_several_results_in_grad() -> Result<String> {
    let ([a, _, c, d], seen) = (tree(), Seen::default());
    let notes = seen.clone();
    register_multi_grad_hook(&[&c, &d], move |grads| notes.add(all(grads)));
    grad(&[&(&c * 2 + &d * 3).sum()], &[&a], &[None], true, false, false)?;
    grad(&[&(&c * 2).sum()], &[&a], &[None], true, false, false)?;
    grad(&[&(&c * 2 + &d * 3).sum()], &[&d], &[None], false, false, false)?;
    Ok(seen.all(" "))
}

fn hook_of_several_leaves_in_grad() -> Result<String> {
    let [a, b, c, _] = tree();
    register_multi_grad_hook(&[&a, &b], |_| {});
    grad(&[&c.sum()], &[&a], &[None], false, false, false)?;
    Ok(String::new())
}

fn hook_of_any() -> Result<String> {
    let ([a, b, c, d], seen) = (tree(), Seen::default());
    let notes = seen.clone();
    let constant = leaf(&[1.0]).detach();
    let handle = register_multi_grad_hook_any(&[&a, &b, &c, &d, &constant], move |g| notes.add(show(&[g])));
    backward_kept(&c.sum())?;
    backward_kept(&(&c + &d * 2).sum())?;
    handle.remove();
    backward(&c.sum())?;
    Ok(seen.all(" "))
}

fn hook_of_several_without_gradient() -> Result<String> {
    register_multi_grad_hook(&[x3(), x3().detach()], |_| {});
    Ok(String::new())
}

pub(crate) const CASES: &[(&str, Case)] = &[
    ("removed_hooks", removed_hooks),
    ("removed_hook_of_a_result", removed_hook_of_a_result),
    ("hook_without_gradient", hook_without_gradient),
    ("accumulated", accumulated),
    ("accumulated_hook_of_a_result", accumulated_hook_of_a_result),
    ("accumulated_hook_without_gradient", accumulated_hook_without_gradient),
    ("hook_of_several", hook_of_several),
    ("hook_of_several_results_in_grad", hook_of_several_results_in_grad),
    ("hook_of_several_leaves_in_grad", hook_of_several_leaves_in_grad),
    ("hook_of_any", hook_of_any),
    ("hook_of_several_without_gradient", hook_of_several_without_gradient),
];

/// A hook that is removed drops what it captured, and so does a tensor that goes with its hooks.
#[test]
fn removed_hooks_are_dropped() {
    let _turn = crate::turn();
    use std::sync::Arc;
    let held = Arc::new(());
    let x = x3();
    let inside = [held.clone(), held.clone(), held.clone()];
    let [a, b, c] = inside;
    let first = x.register_hook(move |_| {
        let _ = &a;
        None
    });
    let second = x.register_post_accumulate_grad_hook(move |_| {
        let _ = &b;
    });
    let y = &x * 2;
    let third = register_multi_grad_hook(&[&x, &y], move |_| {
        let _ = &c;
    });
    assert_eq!(Arc::strong_count(&held), 4);
    first.remove();
    second.remove();
    assert_eq!(Arc::strong_count(&held), 2);
    drop((x, y));
    assert_eq!(Arc::strong_count(&held), 1);
    third.remove();
}
