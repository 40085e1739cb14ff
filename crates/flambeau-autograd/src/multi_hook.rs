//! Hooks on the gradients of several tensors: `torch.autograd.graph.register_multi_grad_hook`.

use crate::error::Result;
use crate::graph::{Function, Node, downgrade, lock};
use crate::hooks::RemovableHandle;
use crate::tensor::{Cell, Tensor};
use crate::{AsTensor, engine};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, Weak};

/// The node at which a tensor's gradient is complete.
enum Place {
    Computed(Weak<Node>),
    /// A leaf's accumulator is made anew for each graph.
    Leaf(Weak<Cell>),
}

impl Place {
    fn of(tensor: &Tensor) -> Self {
        let edge = tensor.edge().expect("Expected gradient function to be set");
        match edge.node.function {
            Function::Backward(_) => Place::Computed(Arc::downgrade(&edge.node)),
            Function::Accumulate(_) => Place::Leaf(downgrade(tensor)),
        }
    }

    /// Whether the backward that runs comes to the node.
    fn is_reached(&self) -> Result<bool> {
        let node = match self {
            Place::Computed(node) => node.upgrade(),
            Place::Leaf(cell) => cell.upgrade().and_then(|cell| Tensor(cell).edge()).map(|edge| edge.node),
        };
        node.map_or(Ok(false), |node| engine::reaches(&node))
    }
}

/// What one backward has collected.
struct Collected {
    calls: usize,
    expected: usize,
    grads: Vec<Option<Tensor>>,
}

/// Counts in [`engine::WATCHERS`] while it lives.
struct Watcher;

impl Watcher {
    fn new() -> Self {
        engine::WATCHERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Watcher
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        engine::WATCHERS.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

struct All<F> {
    places: Vec<Place>,
    collected: Mutex<HashMap<u64, Collected>>,
    hook: F,
    _watcher: Watcher,
}

impl<F: Fn(&[Option<Tensor>])> All<F> {
    fn called(&self, index: usize, gradient: &Tensor) -> Result<()> {
        let task = engine::task();
        let first = !lock(&self.collected).contains_key(&task);
        // Of a tensor that this backward does not reach nothing is awaited.
        let expected = match first {
            true => {
                self.places.iter().map(Place::is_reached).collect::<Result<Vec<_>>>()?.iter().filter(|&&r| r).count()
            }
            false => 0,
        };
        let complete = {
            let mut collected = lock(&self.collected);
            let of_task = collected.entry(task).or_insert_with(|| Collected {
                calls: 0,
                expected,
                grads: self.places.iter().map(|_| None).collect(),
            });
            of_task.calls += 1;
            of_task.grads[index] = Some(gradient.shallow_clone());
            if of_task.calls == of_task.expected { collected.remove(&task) } else { None }
        };
        if let Some(complete) = complete {
            (self.hook)(&complete.grads);
        }
        Ok(())
    }
}

/// Calls `hook` once in each backward, when the gradients of all `tensors` that it reaches are complete, with a gradient per
/// tensor and `None` for those that it does not reach: `torch.autograd.graph.register_multi_grad_hook(tensors, fn)`. The handle
/// removes the hook.
///
/// # Panics
/// When a tensor does not require grad. `autograd::grad` fails where one of the tensors is a leaf, as in PyTorch.
///
/// ```
/// let a = torch::tensor([2.0]).requires_grad_(true);
/// let b = torch::tensor([3.0]).requires_grad_(true);
/// torch::autograd::graph::register_multi_grad_hook(&[&a, &b], |grads| {
///     let values: Vec<f64> = grads.iter().flatten().map(|g| g.item()).collect();
///     assert_eq!(values, [3.0, 2.0]);
/// });
/// (&a * &b).backward();
/// ```
#[track_caller]
pub fn register_multi_grad_hook(
    tensors: &[impl AsTensor],
    hook: impl Fn(&[Option<Tensor>]) + Send + Sync + 'static,
) -> RemovableHandle {
    let places = tensors.iter().map(|t| Place::of(t.as_tensor())).collect();
    let all = Arc::new(All { places, collected: Mutex::default(), hook, _watcher: Watcher::new() });
    RemovableHandle::all(tensors.iter().enumerate().map(|(index, tensor)| {
        let all = all.clone();
        tensor.as_tensor().register_fallible_hook(move |gradient| all.called(index, gradient).map(|()| None))
    }))
}

/// How many backwards a hook remembers that it was called in; more do not run at once.
const REMEMBERED: usize = 64;

/// Calls `hook` once in each backward, with the first gradient of one of `tensors` that is complete:
/// `torch.autograd.graph.register_multi_grad_hook(tensors, fn, mode="any")`. Tensors that do not require grad are left out. The
/// handle removes the hook.
///
/// ```
/// let x = torch::tensor([2.0]).requires_grad_(true);
/// let y = &x * 3;
/// torch::autograd::graph::register_multi_grad_hook_any(&[&x, &y], |grad| assert_eq!(grad.item(), 1.0));
/// y.backward();
/// ```
#[track_caller]
pub fn register_multi_grad_hook_any(
    tensors: &[impl AsTensor],
    hook: impl Fn(&Tensor) + Send + Sync + 'static,
) -> RemovableHandle {
    let shared = Arc::new((Mutex::new(BTreeSet::new()), hook));
    let tensors = tensors.iter().map(AsTensor::as_tensor).filter(|t| t.requires_grad());
    RemovableHandle::all(tensors.map(|tensor| {
        let shared = shared.clone();
        tensor.register_fallible_hook(move |gradient| {
            let (called, hook) = &*shared;
            let first = {
                let mut called = lock(called);
                let first = called.insert(engine::task());
                if called.len() > REMEMBERED {
                    called.pop_first();
                }
                first
            };
            if first {
                hook(gradient);
            }
            Ok(None)
        })
    }))
}
