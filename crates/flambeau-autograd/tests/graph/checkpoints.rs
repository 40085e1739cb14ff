//! Regions that run again in backward.

use crate::{Case, Seen, backward, backward_kept, flag, grad_of, gradient, leaf, name, show, x3};
use flambeau_autograd::ops;
use flambeau_autograd::{
    CheckpointOptions, Result, Tensor, checkpoint, checkpoint_sequential, checkpoint_with, enable_grad, grad, no_grad,
    ones, rand, set_checkpoint_early_stop,
};
use flambeau_tensor::DType;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

type Count = Arc<AtomicUsize>;

fn count(runs: &Count) -> usize {
    runs.load(Ordering::Relaxed)
}

fn counted(runs: &Count) -> impl Fn(Tensor) -> Tensor + Send + Sync + 'static {
    let runs = runs.clone();
    move |x| {
        runs.fetch_add(1, Ordering::Relaxed);
        (x.sin() * x).exp()
    }
}

fn checkpointed() -> Result<String> {
    let (runs, x) = (Count::default(), x3());
    let y = checkpoint(counted(&runs), &x);
    backward(&y.sum())?;
    Ok(format!("{} {} {} {}", show(&[&y]), gradient(&x), count(&runs), name(&y)))
}

fn checkpointed_grad() -> Result<String> {
    let (runs, x) = (Count::default(), x3());
    let y = checkpoint(counted(&runs), &x);
    let g = grad_of(&y, &x, true)?;
    let h = grad_of(&g, &x, false)?;
    Ok(format!("{} {}", show(&[&g, &h]), count(&runs)))
}

fn checkpointed_twice() -> Result<String> {
    let y = checkpoint(counted(&Count::default()), x3()).sum();
    backward(&y)?;
    backward(&y)?;
    Ok(String::new())
}

fn checkpointed_kept() -> Result<String> {
    let (runs, x) = (Count::default(), x3());
    let y = checkpoint(counted(&runs), &x).sum();
    backward_kept(&y)?;
    backward(&y)?;
    Ok(format!("{} {}", gradient(&x), count(&runs)))
}

/// Notes when it begins and when it ends.
struct Noted(Seen, &'static str);

impl Noted {
    fn new(seen: &Seen, name: &'static str) -> Self {
        seen.add(format!("+{name}"));
        Noted(seen.clone(), name)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.add(format!("-{}", self.1));
    }
}

fn checkpointed_in_contexts() -> Result<String> {
    let (runs, x, seen) = (Count::default(), x3(), Seen::default());
    let (run, noted) = (counted(&runs), seen.clone());
    let region = move |x| {
        noted.add("run");
        run(x)
    };
    let (forward, again) = (seen.clone(), seen.clone());
    let contexts = || (move || Noted::new(&forward, "forward"), move || Noted::new(&again, "again"));
    let y = checkpoint_with(region, &x, |o| o.early_stop(false).context_fn(contexts));
    backward(&y.sum())?;
    Ok(format!("{} {} {}", gradient(&x), count(&runs), seen.all(" ")))
}

fn checkpointed_in_no_grad_context() -> Result<String> {
    let y = checkpoint_with(counted(&Count::default()), x3(), |o| o.context_fn(|| (no_grad, enable_grad)));
    Ok(flag(y.requires_grad()).to_owned())
}

fn reentrant() -> Result<String> {
    let (runs, x) = (Count::default(), x3());
    let y = checkpoint_with(counted(&runs), &x, |o| o.use_reentrant(true));
    backward(&y.sum())?;
    Ok(format!("{} {} {}", show(&[&y]), gradient(&x), count(&runs)))
}

fn reentrant_without_inputs_that_require_grad() -> Result<String> {
    let (runs, w) = (Count::default(), x3());
    let run = counted(&runs);
    let y = checkpoint_with(move |x: Tensor| run(x * &w), x3().detach(), |o| o.use_reentrant(true));
    // The call warned, so the same words at that line do not warn again.
    let warned = flambeau_autograd::warned("None of the inputs have requires_grad=True. Gradients will be None");
    Ok(format!("{} {} {}", flag(y.requires_grad()), count(&runs), warned))
}

fn reentrant_grad() -> Result<String> {
    let x = x3();
    let y = checkpoint_with(counted(&Count::default()), &x, |o| o.use_reentrant(true));
    grad_of(&y, &x, false)?;
    Ok(String::new())
}

fn reentrant_in_contexts() -> Result<String> {
    let options = |o: CheckpointOptions| o.use_reentrant(true).context_fn(|| (no_grad, no_grad));
    checkpoint_with(counted(&Count::default()), x3(), options);
    Ok(String::new())
}

fn checkpointed_without_graph() -> Result<String> {
    let runs = Count::default();
    let _guard = no_grad();
    let y = checkpoint(counted(&runs), x3());
    Ok(format!("{} {}", flag(y.requires_grad()), count(&runs)))
}

fn checkpoint_input_modified() -> Result<String> {
    let z = x3() * 1;
    let y = checkpoint(counted(&Count::default()), &z);
    z.add_(1);
    backward(&y.sum())?;
    Ok(String::new())
}

type Step = fn(&Tensor) -> Tensor;
type Set = fn(CheckpointOptions) -> CheckpointOptions;

fn changing(first: Step, then: Step, options: Set) -> Result<String> {
    let (runs, x) = (Count::default(), x3());
    let f = move |x: Tensor| if runs.fetch_add(1, Ordering::Relaxed) == 0 { first(&x) } else { then(&x) };
    backward(&checkpoint_with(f, &x, options).sum())?;
    Ok(gradient(&x))
}

fn more(x: &Tensor) -> Tensor {
    x.sin().sin().sin()
}

fn halved(x: &Tensor) -> Tensor {
    x.i(..2).to(DType::F32).sin()
}

fn recomputation_saves_more() -> Result<String> {
    changing(Tensor::sin, more, |o| o)
}

fn recomputation_saves_more_and_does_not_stop() -> Result<String> {
    changing(Tensor::sin, more, |o| o.early_stop(false))
}

fn recomputation_saves_more_and_must_not_stop() -> Result<String> {
    let _guard = set_checkpoint_early_stop(false);
    changing(Tensor::sin, more, |o| o)
}

fn recomputation_saves_fewer() -> Result<String> {
    changing(more, Tensor::sin, |o| o)
}

fn recomputation_saves_others() -> Result<String> {
    changing(Tensor::sin, halved, |o| o)
}

fn unknown_determinism_check() -> Result<String> {
    changing(Tensor::sin, Tensor::sin, |o| o.determinism_check("strict"))
}

fn nested_checkpoints() -> Result<String> {
    let (inner_runs, outer_runs, x) = (Count::default(), Count::default(), x3());
    let (inner_count, outer_count) = (inner_runs.clone(), outer_runs.clone());
    let outer = move |x: Tensor| {
        outer_count.fetch_add(1, Ordering::Relaxed);
        let inner_count = inner_count.clone();
        let inner = move |x: Tensor| {
            inner_count.fetch_add(1, Ordering::Relaxed);
            x.sin().exp()
        };
        checkpoint(inner, x.cos()).tanh()
    };
    backward(&checkpoint(outer, &x).sum())?;
    Ok(format!("{} {} {}", gradient(&x), count(&inner_runs), count(&outer_runs)))
}

fn checkpoint_of_several() -> Result<String> {
    let (x, w) = (x3(), leaf(&[2.0, 3.0, 4.0]));
    let f = |(x, w, p): (Tensor, Tensor, f64)| ((x * &w).sin() * p, w.exp());
    let (a, b) = checkpoint(f, (&x, &w, 0.5));
    backward(&(a.sum() + b.sum()))?;
    Ok(format!("{} {}", gradient(&x), gradient(&w)))
}

fn checkpoint_with_a_backward_inside() -> Result<String> {
    let x = x3();
    let f = |x: Tensor| {
        let y = x.sin();
        let z = y.exp();
        let g = grad(&[&z.sum()], &[&y], &[None], true, false, false).unwrap().remove(0).unwrap();
        z * g
    };
    backward(&checkpoint(f, &x).sum())?;
    Ok(gradient(&x))
}

fn random_numbers() -> Result<String> {
    flambeau_device::manual_seed(0);
    let x = ones(8).requires_grad_(true);
    let y = checkpoint(|a| ops::dropout(&(&a * &a), 0.5, true).unwrap() * rand(8), &x);
    let first = rand(1);
    backward(&y.sum())?;
    let second = rand(1);
    Ok(format!("{} {} {}", show(&[&y]), gradient(&x), show(&[&first, &second])))
}

fn random_numbers_not_preserved() -> Result<String> {
    flambeau_device::manual_seed(0);
    let x = ones(8).requires_grad_(true);
    let y = checkpoint_with(|a| ops::dropout(&(&a * &a), 0.5, true).unwrap(), &x, |o| o.preserve_rng_state(false));
    backward(&y.sum())?;
    Ok(format!("{} {} {}", show(&[&y]), gradient(&x), show(&[&rand(1)])))
}

fn sequential(segments: usize) -> Result<String> {
    let runs: Arc<Mutex<String>> = Arc::default();
    let step = |i: usize| {
        let runs = runs.clone();
        move |x: Tensor| {
            runs.lock().unwrap().push_str(&i.to_string());
            x.sin() * (i as i64 + 1)
        }
    };
    let x = x3();
    let y = checkpoint_sequential(&Arc::new((0..5).map(step).collect::<Vec<_>>()), segments, &x);
    backward(&y.sum())?;
    Ok(format!("{} {} {}", show(&[&y]), gradient(&x), runs.lock().unwrap()))
}

pub(crate) const CASES: &[(&str, Case)] = &[
    ("checkpointed", checkpointed),
    ("checkpointed_grad", checkpointed_grad),
    ("checkpointed_twice", checkpointed_twice),
    ("checkpointed_kept", checkpointed_kept),
    ("checkpointed_without_graph", checkpointed_without_graph),
    ("checkpointed_in_contexts", checkpointed_in_contexts),
    ("checkpointed_in_no_grad_context", checkpointed_in_no_grad_context),
    ("reentrant", reentrant),
    ("reentrant_without_inputs_that_require_grad", reentrant_without_inputs_that_require_grad),
    ("reentrant_grad", reentrant_grad),
    ("reentrant_in_contexts", reentrant_in_contexts),
    ("checkpoint_input_modified", checkpoint_input_modified),
    ("recomputation_saves_more", recomputation_saves_more),
    ("recomputation_saves_more_and_does_not_stop", recomputation_saves_more_and_does_not_stop),
    ("recomputation_saves_more_and_must_not_stop", recomputation_saves_more_and_must_not_stop),
    ("recomputation_saves_fewer", recomputation_saves_fewer),
    ("recomputation_saves_others", recomputation_saves_others),
    ("unknown_determinism_check", unknown_determinism_check),
    ("nested_checkpoints", nested_checkpoints),
    ("checkpoint_of_several", checkpoint_of_several),
    ("checkpoint_with_a_backward_inside", checkpoint_with_a_backward_inside),
    ("random_numbers", random_numbers),
    ("random_numbers_not_preserved", random_numbers_not_preserved),
    ("sequential_in_two", || sequential(2)),
    ("sequential_in_one", || sequential(1)),
    ("sequential_in_five", || sequential(5)),
    ("sequential_in_none", || sequential(0)),
    ("sequential_in_too_many", || sequential(9)),
];
