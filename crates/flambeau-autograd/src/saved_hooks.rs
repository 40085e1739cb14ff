//! Hooks on what the graph saves: `torch.autograd.graph.saved_tensors_hooks` and what is made of it.

use crate::caller::raise;
use crate::error::{Error, OrPanic, Result};
use crate::mode::watch_hooks;
use crate::tensor::Tensor;
use crate::{no_grad, ops};
use flambeau_tensor::Device;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;

/// A pair of hooks.
pub(crate) trait Hooks: Send + Sync {
    /// What is kept instead of the tensor.
    fn pack(&self, tensor: &Tensor) -> Arc<dyn Packed>;
}

/// What a pack hook returned.
pub(crate) trait Packed: Send + Sync {
    /// The tensor that was packed, or one of the same values.
    fn unpack(&self) -> Result<Tensor>;
}

#[derive(Default)]
struct Stack {
    hooks: Vec<Arc<dyn Hooks>>,
    /// Why hooks may not be set, where they may not.
    disabled: Option<String>,
}

thread_local! {
    /// Whether any hooks are set: all that an operation looks at.
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static STACK: RefCell<Stack> = RefCell::default();
    /// What a pack hook did wrong in the operation that runs.
    static FAULT: Cell<Option<Error>> = const { Cell::new(None) };
}

/// The innermost pair of hooks.
#[inline]
pub(crate) fn current() -> Option<Arc<dyn Hooks>> {
    if ACTIVE.get() { innermost() } else { None }
}

#[cold]
fn innermost() -> Option<Arc<dyn Hooks>> {
    STACK.with_borrow(|stack| stack.hooks.last().cloned())
}

/// What a pack hook did wrong since this was last asked.
///
/// # Errors
/// The first such fault.
#[cold]
pub(crate) fn check_fault() -> Result<()> {
    FAULT.take().map_or(Ok(()), Err)
}

/// Runs a part of the library that may call pack hooks, and makes what one does wrong its error.
///
/// # Errors
/// Those of `call`, and a hook's.
pub(crate) fn catch_fault<R>(call: impl FnOnce() -> Result<R>) -> Result<R> {
    let result = call();
    if ACTIVE.get() {
        let fault = check_fault();
        return result.and_then(|result| fault.map(|()| result));
    }
    result
}

/// Runs the pack hook on a tensor: without a graph, and without hooks of its own work. When the hook writes to the tensor, the
/// operation that saves it fails, by [`check_fault`].
pub(crate) fn pack(hooks: &dyn Hooks, tensor: &Tensor) -> Arc<dyn Packed> {
    let _guard = no_grad();
    let version = tensor.version();
    let packed = hooks.pack(tensor);
    if tensor.version() != version {
        let error = Error::runtime(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be \
             modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to \
             perform in-place operations on the input to a pack hook.",
        );
        FAULT.set(FAULT.take().or(Some(error)));
    }
    packed
}

/// Removes the hooks when it is dropped. Keep it in a variable: `let _hooks = saved_tensors_hooks(…);`.
#[must_use = "the hooks are removed when the guard is dropped; write `let _hooks = …`"]
pub struct SavedTensorsHooksGuard {
    _not_send: PhantomData<*const ()>,
}

impl Drop for SavedTensorsHooksGuard {
    fn drop(&mut self) {
        let removed = STACK.with_borrow_mut(|stack| {
            let removed = stack.hooks.pop();
            ACTIVE.set(!stack.hooks.is_empty());
            removed
        });
        watch_hooks(false);
        FAULT.set(None);
        // What the hooks captured is the user's, and is not dropped while the stack is borrowed.
        drop(removed);
    }
}

/// Sets hooks for what this thread's operations save from now on.
#[track_caller]
pub(crate) fn push(hooks: Arc<dyn Hooks>) -> SavedTensorsHooksGuard {
    let disabled = STACK.with_borrow_mut(|stack| match &stack.disabled {
        Some(message) => Some(message.clone()),
        None => {
            stack.hooks.push(hooks);
            None
        }
    });
    if let Some(message) = disabled {
        raise(message);
    }
    ACTIVE.set(true);
    watch_hooks(true);
    SavedTensorsHooksGuard { _not_send: PhantomData }
}

/// The user's pair.
struct Pair<Pack, Unpack> {
    pack: Pack,
    unpack: Arc<Unpack>,
}

struct Value<P, Unpack> {
    value: P,
    unpack: Arc<Unpack>,
}

impl<P, Pack, Unpack> Hooks for Pair<Pack, Unpack>
where
    P: Send + Sync + 'static,
    Pack: Fn(&Tensor) -> P + Send + Sync,
    Unpack: Fn(&P) -> Tensor + Send + Sync + 'static,
{
    fn pack(&self, tensor: &Tensor) -> Arc<dyn Packed> {
        Arc::new(Value { value: (self.pack)(tensor), unpack: self.unpack.clone() })
    }
}

impl<P: Send + Sync, Unpack: Fn(&P) -> Tensor + Send + Sync> Packed for Value<P, Unpack> {
    fn unpack(&self) -> Result<Tensor> {
        Ok((self.unpack)(&self.value))
    }
}

/// Calls `pack` with each tensor that an operation saves for its backward, and keeps what it returns instead of the tensor;
/// `unpack` makes the tensor of it again when backward needs it: `torch.autograd.graph.saved_tensors_hooks`. The hooks hold in
/// this thread until the guard is dropped. Of nested pairs the innermost is called.
///
/// `unpack` must return the values, size, dtype and device that `pack` was given. The graph has no way to see writes to
/// what the hooks keep. Return `x.detach()` rather than `x.shallow_clone()` from `pack`: an operation may save its own result,
/// and a result that keeps its own operation is never freed.
///
/// # Panics
/// While [`disable_saved_tensors_hooks`] is in force, with its message. An operation panics when `pack` writes to its argument.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let x = torch::ones([5]).requires_grad_(true);
/// let bytes = Arc::new(AtomicUsize::new(0));
/// let count = bytes.clone();
/// let y = {
///     let pack = move |saved: &torch::Tensor| {
///         count.fetch_add(saved.numel() * 4, Ordering::Relaxed);
///         saved.detach()
///     };
///     let _hooks = torch::autograd::graph::saved_tensors_hooks(pack, |packed| packed.shallow_clone());
///     x.sin().exp()
/// };
/// y.sum().backward();
/// // `sin` saves its input, `exp` its result.
/// assert_eq!(bytes.load(Ordering::Relaxed), 40);
/// ```
#[track_caller]
pub fn saved_tensors_hooks<P: Send + Sync + 'static>(
    pack: impl Fn(&Tensor) -> P + Send + Sync + 'static,
    unpack: impl Fn(&P) -> Tensor + Send + Sync + 'static,
) -> SavedTensorsHooksGuard {
    push(Arc::new(Pair { pack, unpack: Arc::new(unpack) }))
}

/// Keeps what operations save in host memory, and copies it back to its device when backward needs it:
/// `torch.autograd.graph.save_on_cpu`. It trades time for device memory. What is on the CPU already is not copied.
///
/// # Panics
/// As [`saved_tensors_hooks`].
///
/// ```
/// let x = torch::tensor([2.0]).requires_grad_(true);
/// let y = {
///     let _hooks = torch::autograd::graph::save_on_cpu();
///     x.square()
/// };
/// y.backward();
/// assert_eq!(x.grad().unwrap().item(), 4.0);
/// ```
pub fn save_on_cpu() -> SavedTensorsHooksGuard {
    saved_tensors_hooks(to_host, from_host)
}

fn to_host(saved: &Tensor) -> (Device, Tensor) {
    (saved.device(), ops::to_device(&saved.detach(), Device::Cpu).or_panic())
}

fn from_host((device, packed): &(Device, Tensor)) -> Tensor {
    ops::to_device(packed, *device).or_panic()
}

/// Allows saved-tensor hooks again when it is dropped.
#[must_use = "the hooks are allowed again when the guard is dropped; write `let _guard = …`"]
pub struct DisableSavedTensorsHooksGuard {
    former: Option<String>,
    _not_send: PhantomData<*const ()>,
}

impl Drop for DisableSavedTensorsHooksGuard {
    fn drop(&mut self) {
        STACK.with_borrow_mut(|stack| stack.disabled = self.former.take());
    }
}

/// Makes [`saved_tensors_hooks`] and what is made of it panic with this message in this thread until the guard is dropped:
/// `torch.autograd.graph.disable_saved_tensors_hooks`.
///
/// # Panics
/// With the message, when hooks are set now.
///
/// ```should_panic
/// let _off = torch::autograd::graph::disable_saved_tensors_hooks("no hooks here");
/// let _hooks = torch::autograd::graph::save_on_cpu();
/// ```
#[track_caller]
pub fn disable_saved_tensors_hooks(error_message: impl Into<String>) -> DisableSavedTensorsHooksGuard {
    let message = error_message.into();
    let in_use = STACK.with_borrow(|stack| !stack.hooks.is_empty());
    if in_use {
        raise(message);
    }
    let former = STACK.with_borrow_mut(|stack| stack.disabled.replace(message));
    DisableSavedTensorsHooksGuard { former, _not_send: PhantomData }
}
