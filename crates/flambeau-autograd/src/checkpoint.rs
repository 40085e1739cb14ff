//! Checkpoints: backward computes again what forward did not keep. `torch.utils.checkpoint`.
//!
//! The region's saved tensors are packed as placeholders ([`Holder`]). The first that backward unpacks runs the region again,
//! whose saves fill the placeholders in the order of the first run. Nested regions follow from that: a region's inputs are saved
//! as tensors of the region around it.

use crate::caller::{catch_raised, raise, raise_error};
use crate::error::{Error, OrPanic, Result};
use crate::function_arguments::{Args, Argument};
use crate::graph::{self, lock};
use crate::mode::autocast::Snapshot;
use crate::saved::SavedTensor;
use crate::saved_hooks::{self, Hooks, Packed, catch_fault};
use crate::warn::warn;
use crate::{Setting, Tensor, enable_grad, engine, is_grad_enabled, no_grad};
use flambeau_device::{default_device, default_generators, set_default_device};
use flambeau_tensor::random::{Generator, GeneratorState};
use flambeau_tensor::{DType, Device};
use std::any::Any;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

crate::options! {
    /// Options of [`checkpoint_with`], with PyTorch's defaults.
    CheckpointOptions {
        /// Whether the region draws the same random numbers again.
        preserve_rng_state: bool = true,
        /// Whether the region stops as soon as all that backward needs is there.
        early_stop: bool = true,
        /// What is compared of the tensors that both runs save: `"default"`, shape, dtype and device, or `"none"`.
        determinism_check: String = "default".to_owned(),
        /// What the first run and the second stand in: a closure that returns a pair of closures, each of which returns a guard, as
        /// Python's returns a pair of context managers: `o.context_fn(|| (torch::no_grad, torch::enable_grad))`. The second is
        /// called in each backward.
        context_fn: Option<Contexts> = None,
        /// PyTorch's older kind. It is computed as the other is, and follows the older one's rules where they show: arguments none
        /// of which requires grad are warned of and get no gradient, nor does anything in the region; `autograd::grad` is refused;
        /// there is no `context_fn`. PyTorch wants the choice to be said; here it is `false` unless it is.
        use_reentrant: bool = false,
    }
}

/// A guard of whatever type, which ends what it stands for when it is dropped.
type Guard = Box<dyn Any>;

/// What the option `context_fn` gives: how to enter what surrounds the first run, and what surrounds the others.
pub struct Contexts {
    forward: Box<dyn FnOnce() -> Guard>,
    recompute: Box<dyn Fn() -> Guard + Send + Sync>,
}

impl<F, A, B, G, H> Setting<Option<Contexts>> for F
where
    F: FnOnce() -> (A, B),
    A: FnOnce() -> G + 'static,
    B: Fn() -> H + Send + Sync + 'static,
    G: 'static,
    H: 'static,
{
    fn setting(self) -> Option<Contexts> {
        let (forward, recompute) = self();
        Some(Contexts { forward: Box::new(|| Box::new(forward())), recompute: Box::new(move || Box::new(recompute())) })
    }
}

thread_local! {
    static EARLY_STOP: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Restores the former setting when it is dropped.
#[must_use = "the setting ends when the guard is dropped; write `let _guard = …`"]
pub struct EarlyStopGuard {
    former: Option<bool>,
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for EarlyStopGuard {
    fn drop(&mut self) {
        EARLY_STOP.set(self.former);
    }
}

/// Overrides the option `early_stop` of this thread's checkpoints until the guard is dropped:
/// `torch.utils.checkpoint.set_checkpoint_early_stop`.
pub fn set_checkpoint_early_stop(enable: bool) -> EarlyStopGuard {
    EarlyStopGuard { former: EARLY_STOP.replace(Some(enable)), _not_send: std::marker::PhantomData }
}

/// What of a tensor is compared between both runs.
#[derive(Clone, PartialEq)]
struct Metadata {
    shape: Vec<usize>,
    dtype: DType,
    device: Device,
}

impl Metadata {
    fn of(tensor: &Tensor) -> Self {
        Metadata { shape: tensor.size().to_vec(), dtype: tensor.dtype(), device: tensor.device() }
    }
}

impl std::fmt::Display for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = flambeau_tensor::print::format_size(&self.shape);
        let device = match self.device {
            Device::Cpu => "device(type='cpu')".to_owned(),
            Device::Wgpu(index) => format!("device(type='wgpu', index={index})"),
        };
        write!(f, "{{'shape': {size}, 'dtype': {}, 'device': {device}}}", self.dtype)
    }
}

/// A region between its forward and its backward.
struct Frame {
    /// Runs the region again, on its saved inputs.
    recompute: Box<dyn Fn() -> Result<()> + Send + Sync>,
    holders: Mutex<Vec<Place>>,
    early_stop: bool,
    compares: bool,
    is_reentrant: bool,
    forward_completed: AtomicBool,
    /// Set where the region's own forward ran a backward: both runs need not save the same then.
    ignores_mismatch: AtomicBool,
    /// How many tensors each backward's recomputation saved.
    recomputed: Mutex<HashMap<u64, usize>>,
    /// The backwards for which the region has run again.
    complete: Mutex<HashSet<u64>>,
}

/// A tensor that the first run saved.
struct Place {
    holder: Weak<Holder>,
    metadata: Option<Metadata>,
}

/// What the graph keeps instead of a tensor.
struct Holder {
    frame: Arc<Frame>,
    /// What each backward computed again, until it is unpacked.
    values: Mutex<HashMap<u64, Option<Tensor>>>,
}

/// The first run's hooks.
struct Forward(Arc<Frame>);

impl Hooks for Forward {
    fn pack(&self, tensor: &Tensor) -> Arc<dyn Packed> {
        let holder = Arc::new(Holder { frame: self.0.clone(), values: Mutex::default() });
        let metadata = self.0.compares.then(|| Metadata::of(tensor));
        lock(&self.0.holders).push(Place { holder: Arc::downgrade(&holder), metadata });
        holder
    }
}

/// The hooks of a recomputation.
struct Recomputation {
    frame: Weak<Frame>,
    task: u64,
}

/// The end of a recomputation that has all it needs, on its way to [`Holder::unpack`].
struct Stop;

/// A tensor of a recomputed graph, which lives no longer than the recomputation.
struct Plain(Tensor);

impl Packed for Plain {
    fn unpack(&self) -> Result<Tensor> {
        Ok(self.0.shallow_clone())
    }
}

impl Hooks for Recomputation {
    fn pack(&self, tensor: &Tensor) -> Arc<dyn Packed> {
        let tensor = if tensor.requires_grad() { tensor.detach() } else { tensor.shallow_clone() };
        let plain = Arc::new(Plain(tensor.shallow_clone()));
        let Some(frame) = self.frame.upgrade() else { return plain };
        let index = {
            let mut recomputed = lock(&frame.recomputed);
            let count = recomputed.entry(self.task).or_default();
            *count += 1;
            *count - 1
        };
        let (holder, expected) = {
            let holders = lock(&frame.holders);
            (holders.get(index).map(|place| place.holder.upgrade()), holders.len())
        };
        let Some(holder) = holder else {
            if !frame.forward_completed.load(Ordering::Relaxed) {
                frame.ignores_mismatch.store(true, Ordering::Relaxed);
                return plain;
            }
            raise_error(Error::checkpoint(
                "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward pass.",
            ));
        };
        if let Some(holder) = holder {
            lock(&holder.values).insert(self.task, Some(tensor));
        }
        if frame.early_stop && index + 1 == expected {
            resume_unwind(Box::new(Stop));
        }
        plain
    }
}

impl Packed for Holder {
    fn unpack(&self) -> Result<Tensor> {
        static OUTSIDE: AtomicU64 = AtomicU64::new(u64::MAX);
        let task = match engine::task() {
            0 => OUTSIDE.fetch_sub(1, Ordering::Relaxed),
            task => task,
        };
        if self.frame.is_reentrant && engine::has_targets() {
            return Err(Error::runtime(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter to \
                 .backward(). To resolve this error, you can either set use_reentrant=False, or call .backward() without passing \
                 the `inputs` argument.",
            ));
        }
        if !lock(&self.frame.complete).contains(&task) {
            self.frame.run_again(task)?;
            self.frame.check(task)?;
        }
        match lock(&self.values).get_mut(&task).and_then(Option::take) {
            Some(tensor) => Ok(tensor),
            None => Err(Error::checkpoint(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was either never recomputed, or already \
                 unpacked once. If you are calling ctx.saved_tensors in backward, make sure to do so only once. Otherwise please \
                 open an issue with details on your use case.",
            )),
        }
    }
}

impl Frame {
    fn run_again(self: &Arc<Self>, task: u64) -> Result<()> {
        let result = {
            let _hooks = saved_hooks::push(Arc::new(Recomputation { frame: Arc::downgrade(self), task }));
            let _guard = enable_grad();
            catch_unwind(AssertUnwindSafe(|| catch_raised(|| (self.recompute)())))
        };
        match result {
            Ok(result) => result??,
            Err(payload) if payload.is::<Stop>() => {}
            Err(payload) => resume_unwind(payload),
        }
        lock(&self.complete).insert(task);
        Ok(())
    }

    /// Compares what both runs saved.
    fn check(&self, task: u64) -> Result<()> {
        if self.ignores_mismatch.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Nothing is dropped under the lock.
        let upgrade = |place: &Place| (place.metadata.clone(), place.holder.upgrade());
        let holders: Vec<_> = lock(&self.holders).iter().map(upgrade).collect();
        let recomputed = lock(&self.recomputed).get(&task).copied().unwrap_or(0);
        if recomputed != holders.len() {
            return Err(Error::checkpoint(format!(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and \
                 recomputation.\nNumber of tensors saved during forward: {}\nNumber of tensors saved during recomputation: \
                 {recomputed}.",
                holders.len()
            )));
        }
        let mut different = String::new();
        for (index, place) in holders.iter().enumerate() {
            let (Some(then), Some(holder)) = place else { continue };
            let now = lock(&holder.values).get(&task).and_then(Option::as_ref).map(Metadata::of);
            if let Some(now) = now.filter(|now| now != then) {
                different +=
                    &format!("tensor at position {index}:\nsaved metadata: {then}\nrecomputed metadata: {now}\n");
            }
        }
        if different.is_empty() {
            return Ok(());
        }
        Err(Error::checkpoint(format!(
            "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the forward \
             pass.\n{different}."
        )))
    }
}

/// The random states of all devices, restored when it is dropped.
struct Restore(States);

/// Generators and their states, those of counter-based streams included.
type States = Vec<(&'static Generator, GeneratorState)>;

fn states_of(generators: impl IntoIterator<Item = &'static Generator>) -> States {
    generators.into_iter().map(|g| (g, g.lock().clone())).collect()
}

fn set_states(states: &States) {
    states.iter().for_each(|(generator, state)| *generator.lock() = state.clone());
}

impl Drop for Restore {
    fn drop(&mut self) {
        set_states(&self.0);
    }
}

/// The default device of this thread, restored when it is dropped.
struct OnDevice(Device);

impl OnDevice {
    fn new(device: Device) -> Result<Self> {
        let former = default_device();
        set_default_device(device)?;
        Ok(OnDevice(former))
    }
}

impl Drop for OnDevice {
    fn drop(&mut self) {
        set_default_device(self.0).expect("it was the default");
    }
}

/// What the recomputation has of the region's inputs.
struct Inputs<A> {
    /// The arguments with nothing in the place of tensors.
    frame: A,
    tensors: Vec<SavedTensor>,
}

impl<A: Argument> Inputs<A> {
    fn save(args: &A) -> Self {
        let nothing = crate::empty(0);
        let mut tensors = Vec::new();
        args.visit_tensors(&mut |t| tensors.extend(t.map(SavedTensor::apart)));
        Inputs { frame: args.map_tensors(&mut |_| nothing.shallow_clone()), tensors }
    }

    fn load(&self) -> Result<A> {
        let tensors = self.tensors.iter().map(|t| t.tensor(None)).collect::<Result<Vec<_>>>()?;
        let mut tensors = tensors.into_iter();
        Ok(self.frame.map_tensors(&mut |_| tensors.next().expect("a tensor was saved for each")))
    }
}

impl<A> Drop for Inputs<A> {
    /// A chain of regions of any length goes with a constant stack.
    fn drop(&mut self) {
        graph::drop_nodes(self.tensors.drain(..).filter_map(SavedTensor::into_node));
    }
}

/// Runs `function` on `args` and keeps none of what its operations save: backward runs it a second time for that.
/// `torch.utils.checkpoint.checkpoint(function, *args, use_reentrant=False)`. It trades time for memory.
///
/// Random numbers are drawn again as they were drawn the first time. The function runs until all is there that backward needs, and
/// again in each backward. `autograd::grad` works, checkpoints may be nested, and gradients are those of `function(args)`, bit for
/// bit. Where no graph is recorded, it is just called.
///
/// `args` are tensors and references to them, in a tuple where there are several; what else the function needs, it captures. The
/// graph keeps the function, so it has to own what it captures: put a module into an `Arc`.
///
/// # Panics
/// Backward fails when an argument was written to since, or when the second run saves other tensors than the first.
///
/// ```
/// use std::sync::Arc;
/// use torch::nn::{self, Forward};
/// use torch::utils::checkpoint::checkpoint;
/// let block = Arc::new(nn::Linear::new(4, 4));
/// let x = torch::ones([2, 4]).requires_grad_(true);
/// let (inner, outer) = (block.clone(), block);
/// let y = checkpoint(move |x| inner.call(&x).tanh(), &x);
/// y.sum().backward();
/// let grad = x.grad().unwrap();
/// x.set_grad(None);
/// outer.call(&x).tanh().sum().backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), grad.to_vec::<f32>());
/// ```
#[track_caller]
pub fn checkpoint<A: Args, R>(function: impl Fn(A::Owned) -> R + Send + Sync + 'static, args: A) -> R {
    checkpoint_with(function, args, |o| o)
}

/// [`checkpoint`] with options: `checkpoint_with(f, &x, |o| o.preserve_rng_state(false))`.
///
/// # Panics
/// As [`checkpoint`]; for another `determinism_check` than PyTorch has; for `context_fn` with `use_reentrant`.
#[track_caller]
pub fn checkpoint_with<A: Args, R>(
    function: impl Fn(A::Owned) -> R + Send + Sync + 'static,
    args: A,
    options: impl FnOnce(CheckpointOptions) -> CheckpointOptions,
) -> R {
    let options = options(CheckpointOptions::default());
    let compares = match options.determinism_check.as_str() {
        "default" => true,
        "none" => false,
        other => raise(format!("determinism_check should be one of ['default', 'none'], but got {other}")),
    };
    if options.use_reentrant && options.context_fn.is_some() {
        raise(
            "Passing `context_fn`, `debug`, or `respect_saved_tensors_hooks` is only supported when use_reentrant=False."
                .into(),
        );
    }
    let args = args.own();
    let mut any_requires_grad = false;
    args.visit_tensors(&mut |t| any_requires_grad |= t.is_some_and(Tensor::requires_grad));
    if options.use_reentrant && !any_requires_grad {
        warn("None of the inputs have requires_grad=True. Gradients will be None");
        let _guard = no_grad();
        return function(args);
    }
    if !is_grad_enabled() {
        return function(args);
    }
    // A generator of a device that is used for the first time is made here, so that its state is known.
    args.visit_tensors(&mut |t| {
        if let Some(t) = t {
            let _ = flambeau_device::default_generator(t.device());
        }
    });
    let then = match options.preserve_rng_state {
        true => states_of(default_generators()),
        false => States::new(),
    };
    let (device, autocast) = (default_device(), Snapshot::now());
    let saved = catch_fault(|| Ok(Inputs::save(&args)));
    let inputs = saved.or_panic();
    let (enter, enter_again) = options.context_fn.map(|c| (c.forward, c.recompute)).unzip();
    let function = Arc::new(function);
    let again = function.clone();
    let recompute = move || {
        let args = inputs.load()?;
        let _random = Restore(states_of(then.iter().map(|(generator, _)| *generator)));
        set_states(&then);
        let _device = OnDevice::new(device)?;
        let _autocast = autocast.enter();
        let _context = enter_again.as_ref().map(|enter| enter());
        again(args);
        Ok(())
    };
    let frame = Arc::new(Frame {
        recompute: Box::new(recompute),
        holders: Mutex::default(),
        // A stop unwinds; where panics abort, the region runs to its end.
        early_stop: cfg!(panic = "unwind") && EARLY_STOP.get().unwrap_or(options.early_stop),
        compares,
        is_reentrant: options.use_reentrant,
        forward_completed: AtomicBool::new(false),
        ignores_mismatch: AtomicBool::new(false),
        recomputed: Mutex::default(),
        complete: Mutex::default(),
    });
    let result = {
        let _hooks = saved_hooks::push(Arc::new(Forward(frame.clone())));
        let _context = enter.map(|enter| enter());
        function(args)
    };
    frame.forward_completed.store(true, Ordering::Relaxed);
    result
}

/// Functions of one tensor that run one after the other: what [`checkpoint_sequential`] takes. A `Vec` of closures is one, and
/// so is `nn::Sequential`.
pub trait Functions: Send + Sync + 'static {
    /// How many there are.
    fn count(&self) -> usize;

    /// Runs the i-th.
    fn run(&self, i: usize, input: Tensor) -> Tensor;
}

impl<F: Fn(Tensor) -> Tensor + Send + Sync + 'static> Functions for Vec<F> {
    fn count(&self) -> usize {
        self.len()
    }

    fn run(&self, i: usize, input: Tensor) -> Tensor {
        self[i](input)
    }
}

/// Runs functions one after the other, in `segments` parts, each but the last a [`checkpoint`]:
/// `torch.utils.checkpoint.checkpoint_sequential(functions, segments, input, use_reentrant=False)`. The graph keeps the functions,
/// hence the `Arc`.
///
/// # Panics
/// For no segments, or more than there are functions; else as [`checkpoint`].
///
/// ```
/// use std::sync::Arc;
/// use torch::nn;
/// use torch::utils::checkpoint::checkpoint_sequential;
/// let net = Arc::new(nn::Sequential::new((nn::Linear::new(4, 4), nn::Tanh::new(), nn::Linear::new(4, 4), nn::Tanh::new())));
/// let x = torch::ones([2, 4]);
/// checkpoint_sequential(&net, 2, &x).sum().backward();
/// ```
#[track_caller]
pub fn checkpoint_sequential(functions: &Arc<impl Functions>, segments: usize, input: &Tensor) -> Tensor {
    checkpoint_sequential_with(functions, segments, input, |o| o)
}

/// [`checkpoint_sequential`] with the options of each checkpoint.
///
/// # Panics
/// As [`checkpoint_sequential`].
#[track_caller]
pub fn checkpoint_sequential_with(
    functions: &Arc<impl Functions>,
    segments: usize,
    input: &Tensor,
    options: impl Fn(CheckpointOptions) -> CheckpointOptions,
) -> Tensor {
    let count = functions.count();
    assert!(segments > 0, "integer division or modulo by zero");
    let length = count / segments;
    assert!(length > 0, "range() arg 3 must not be zero");
    let mut x = input.shallow_clone();
    let mut start = 0;
    for _ in 1..segments {
        let (functions, end) = (functions.clone(), start + length);
        let segment = move |x| (start..end).fold(x, |x, i| functions.run(i, x));
        x = checkpoint_with(segment, &x, &options);
        start = end;
    }
    (start..count).fold(x, |x, i| functions.run(i, x))
}
