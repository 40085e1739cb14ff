//! Hooks of tensors: what a user runs on a gradient, and the gradient that a tensor retains.

use crate::error::{Error, Result};
use crate::graph::lock;
use crate::tensor::{Cell, Tensor};
use crate::{is_grad_enabled, ops};
use flambeau_tensor::view::tensor_type;
use std::sync::{Arc, Mutex, OnceLock, Weak};

/// A tensor hook: it may replace the gradient that it is shown.
pub(crate) type Hook = Arc<dyn Fn(&Tensor) -> Result<Option<Tensor>> + Send + Sync>;

/// A hook that is shown a leaf whose gradient was added to.
pub(crate) type AccumulatedHook = Arc<dyn Fn(&Tensor) + Send + Sync>;

/// The hooks of a node's outputs, or of a leaf. Most have none, and make no list.
#[derive(Default)]
pub(crate) struct Hooks(OnceLock<Arc<Mutex<List>>>);

#[derive(Default)]
struct List {
    /// The number of the next hook.
    next: u64,
    called: Vec<(u64, u32, Hook)>,
    /// Tensors that keep the gradient of an output. They see what the hooks made of it, whenever they were added.
    retained: Vec<(u32, Weak<Cell>)>,
    accumulated: Vec<(u64, AccumulatedHook)>,
}

impl List {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Hooks {
    fn list(&self) -> &Arc<Mutex<List>> {
        self.0.get_or_init(Arc::default)
    }

    pub(crate) fn call(&self, output: u32, hook: Hook) -> RemovableHandle {
        let mut list = lock(self.list());
        let number = list.number();
        list.called.push((number, output, hook));
        drop(list);
        RemovableHandle::new(self.list(), number)
    }

    pub(crate) fn call_accumulated(&self, hook: AccumulatedHook) -> RemovableHandle {
        let mut list = lock(self.list());
        let number = list.number();
        list.accumulated.push((number, hook));
        drop(list);
        RemovableHandle::new(self.list(), number)
    }

    pub(crate) fn retain(&self, output: u32, tensor: Weak<Cell>) {
        lock(self.list()).retained.push((output, tensor));
    }

    /// Moves what retains one output's gradient here from the hooks of the operation that made the tensor before.
    pub(crate) fn take_retained(&self, former: &Hooks, output: u32, new_output: u32) {
        let Some(former) = former.0.get() else { return };
        let moved: Vec<_> = lock(former).retained.extract_if(.., |(o, _)| *o == output).collect();
        for (_, tensor) in moved {
            self.retain(new_output, tensor);
        }
    }

    /// Runs the hooks on the gradients of a node's outputs.
    #[inline]
    pub(crate) fn run(&self, grads: &mut [Option<Tensor>]) -> Result<()> {
        match self.0.get() {
            Some(list) => run_all(list, grads),
            None => Ok(()),
        }
    }

    /// Runs the hooks of a leaf whose gradient was added to.
    #[inline]
    pub(crate) fn run_accumulated(&self, leaf: &Tensor) {
        if let Some(list) = self.0.get() {
            let hooks = lock(list).accumulated.clone();
            hooks.iter().for_each(|(_, hook)| hook(leaf));
        }
    }
}

#[cold]
fn run_all(list: &Mutex<List>, grads: &mut [Option<Tensor>]) -> Result<()> {
    // Hooks are user code: none runs under the lock.
    let (called, retained) = {
        let list = lock(list);
        (list.called.clone(), list.retained.clone())
    };
    for (_, output, hook) in called {
        let slot = &mut grads[output as usize];
        let Some(gradient) = slot.take() else { continue };
        let gradient = own(gradient)?;
        let new = hook(&gradient)?.map(|new| check_result(&gradient, new)).transpose()?;
        *slot = Some(new.unwrap_or(gradient));
    }
    for (output, cell) in retained {
        if let (Some(gradient), Some(cell)) = (&grads[output as usize], cell.upgrade()) {
            let tensor = Tensor(cell);
            let sum = match tensor.grad() {
                Some(former) => ops::add(&former, gradient, 1)?,
                None => ops::contiguous_copy(gradient)?,
            };
            tensor.meta().set_grad(Some(sum));
        }
    }
    Ok(())
}

/// A gradient that shares its memory with nothing: itself if nobody else holds it, else a copy. In a graph that is recorded
/// it stays what it is.
pub(crate) fn own(gradient: Tensor) -> Result<Tensor> {
    if is_grad_enabled() || is_unshared(&gradient) && gradient.array().is_non_overlapping() {
        return Ok(gradient);
    }
    ops::contiguous_copy(&gradient)
}

/// Whether this handle is the only way to the memory.
pub(crate) fn is_unshared(tensor: &Tensor) -> bool {
    Arc::strong_count(&tensor.0) == 1 && tensor.array().storage().is_unique()
}

/// Refuses a hook's result that could not stand for the gradient.
fn check_result(gradient: &Tensor, new: Tensor) -> Result<Tensor> {
    if new.size() != gradient.size() {
        return Err(Error::runtime("hook '<lambda>' has changed the size of value"));
    }
    if new.dtype() != gradient.dtype() {
        let kind = |t: &Tensor| tensor_type(&t.array());
        return Err(Error::runtime(format!(
            "hook '<lambda>' has changed the type of value (was torch.{} got torch.{})",
            kind(gradient),
            kind(&new)
        )));
    }
    Ok(new)
}

/// Takes a hook of a tensor away again: `torch.utils.hooks.RemovableHandle`. Dropping the handle leaves the hook in place.
///
/// ```
/// let x = torch::tensor([1.0]).requires_grad_(true);
/// let handle = x.register_hook(|grad| Some(grad * 10));
/// handle.remove();
/// (&x * 2).backward();
/// assert_eq!(x.grad().unwrap().item(), 2.0);
/// ```
pub struct RemovableHandle(Vec<(Weak<Mutex<List>>, u64)>);

impl RemovableHandle {
    fn new(list: &Arc<Mutex<List>>, number: u64) -> Self {
        RemovableHandle(vec![(Arc::downgrade(list), number)])
    }

    /// One handle for the hooks of several.
    pub(crate) fn all(handles: impl IntoIterator<Item = RemovableHandle>) -> Self {
        RemovableHandle(handles.into_iter().flat_map(|handle| handle.0).collect())
    }

    /// Removes the hook; once it is gone, nothing happens: `handle.remove()`.
    pub fn remove(&self) {
        for (list, number) in &self.0 {
            let Some(list) = list.upgrade() else { continue };
            let mut list = lock(&list);
            let called: Vec<_> = list.called.extract_if(.., |(n, ..)| n == number).collect();
            let accumulated: Vec<_> = list.accumulated.extract_if(.., |(n, _)| n == number).collect();
            // What a hook captured may touch the tensor when it is dropped: not under the lock.
            drop(list);
            drop((called, accumulated));
        }
    }
}
