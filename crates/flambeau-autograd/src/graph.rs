//! The recorded graph: nodes, edges, and each tensor's place in it. What nodes save is `saved.rs`.

use crate::error::{Error, OrPanic, Result};
use crate::hooks::Hooks;
use crate::saved::SavedTensor;
pub(crate) use crate::saved::{Context, Save};
use crate::saved_hooks;
use crate::tensor::{Cell, Tensor};
use crate::uninitialized::Mark;
use crate::views::{self, ViewMeta};
use flambeau_tensor::{Array, DType, Device, Dims};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Gradients of a node's inputs; `None` where there is none.
pub type Grads = SmallVec<[Option<Tensor>; 3]>;
type BackwardFn = Box<dyn Fn(&Context<'_>) -> Result<Grads> + Send + Sync>;

/// An output of a node: where the gradient of a tensor goes.
#[derive(Clone)]
pub(crate) struct Edge {
    pub node: Arc<Node>,
    pub output: u32,
}

/// One recorded operation.
pub struct Node {
    name: &'static str,
    sequence: u64,
    pub(crate) edges: Edges,
    /// The input whose gradient is wanted although it has no edge: `CopySlices` routes it.
    routed: Option<usize>,
    /// Whether the function runs even where none of its outputs has a gradient, as a custom function does.
    pub(crate) runs_always: bool,
    pub(crate) outputs: SmallVec<[OutputInfo; 1]>,
    saved: Mutex<Saved>,
    pub(crate) function: Function,
    pub(crate) hooks: Hooks,
}

/// What a missing gradient is replaced by zeros of.
#[derive(Clone)]
pub(crate) struct OutputInfo {
    pub shape: Dims,
    pub dtype: DType,
    pub device: Device,
}

pub(crate) enum Function {
    /// Computes the inputs' gradients.
    Backward(BackwardFn),
    /// The end of the graph: adds to a leaf's `grad`.
    Accumulate(Tensor),
}

/// What a node keeps; `None` once it was freed.
type Saved = Option<SmallVec<[SavedTensor; 2]>>;

thread_local! {
    static SEQUENCE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Node {
    fn new(name: &'static str, edges: Edges, function: Function) -> Self {
        Node {
            name,
            // Accumulators come first: a leaf's gradient is complete as early as possible, as in PyTorch.
            sequence: match function {
                Function::Accumulate(_) => u64::MAX,
                Function::Backward(_) => SEQUENCE.replace(SEQUENCE.get() + 1),
            },
            edges,
            routed: None,
            runs_always: false,
            outputs: SmallVec::new(),
            saved: Mutex::new(Some(SmallVec::new())),
            function,
            hooks: Hooks::default(),
        }
    }

    /// A node whose backward fails: the place of a view whose history was forbidden to change and did. It prints as
    /// `<Invalid>`, as in PyTorch.
    pub(crate) fn invalid(error: Error, output: OutputInfo) -> Self {
        Node::failing("Invalid", error, output)
    }

    /// A node whose backward fails.
    pub(crate) fn failing(name: &'static str, error: Error, output: OutputInfo) -> Self {
        let mut node = Node::new(name, SmallVec::new(), Function::Backward(Box::new(move |_| Err(error.clone()))));
        node.outputs.push(output);
        node
    }

    /// PyTorch's name of the operation's backward: `AddmmBackward0`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name as messages have it: `Mul` for `MulBackward0`, `Pow1` for `PowBackward1`.
    pub(crate) fn short_name(&self) -> String {
        match self.name {
            "CopySlices" => "torch::autograd::CopySlices".into(),
            "BackwardHookFunctionBackward" => "BackwardHookFunction".into(),
            name => match name.split_once("Backward") {
                Some((name, "0")) => name.into(),
                Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => format!("{name}{number}"),
                _ => name.into(),
            },
        }
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The functions that this one's gradients go to: `grad_fn.next_functions`.
    pub fn next_functions(&self) -> impl Iterator<Item = Option<&Arc<Node>>> {
        self.edges.iter().map(|e| e.as_ref().map(|e| &e.node))
    }

    /// What the operation saved for its backward, under PyTorch's names, in the order in which it saved it: what Python has as
    /// `grad_fn._saved_self`, `grad_fn._saved_result` and so on. `None` where the operation can keep something by that name and did
    /// not need to. What it can compute without, it does not keep at all, so that the list may be shorter than PyTorch's; a list of
    /// indices stands here as several of one name. A custom function's tensors are all called `saved_tensors`. Of a leaf's
    /// accumulator the list is empty.
    ///
    /// # Panics
    /// With PyTorch's words when backward freed what was saved, or a tensor was written to since.
    ///
    /// ```
    /// let x = torch::tensor([2.0]).requires_grad_(true);
    /// let node = (&x * &x).exp().grad_fn().unwrap();
    /// let (name, result) = &node.saved_tensors()[0];
    /// assert_eq!((*name, result.as_ref().unwrap().item()), ("result", 4.0f64.exp() as f32 as f64));
    /// ```
    #[track_caller]
    pub fn saved_tensors(self: &Arc<Self>) -> Vec<(&'static str, Option<Tensor>)> {
        let saved = lock(&self.saved).clone().ok_or(Error::GraphFreed).or_panic();
        let tensor = |s: &SavedTensor| (!s.is_nothing()).then(|| s.tensor(Some(self))).transpose();
        let list: Result<_> = saved.iter().map(|s| Ok((s.name, tensor(s)?))).collect();
        list.or_panic()
    }

    /// One of [`Node::saved_tensors`] by its name: Python's `grad_fn._saved_self` is `node.saved("self")`. `None` where the node
    /// keeps nothing by that name.
    ///
    /// # Panics
    /// As [`Node::saved_tensors`].
    ///
    /// ```
    /// let x = torch::tensor([3.0]).requires_grad_(true);
    /// let y = x.square();
    /// assert_eq!(y.grad_fn().unwrap().saved("self").unwrap().item(), 3.0);
    /// assert!(y.grad_fn().unwrap().saved("result").is_none());
    /// ```
    #[track_caller]
    pub fn saved(self: &Arc<Self>, name: &str) -> Option<Tensor> {
        let saved = lock(&self.saved).clone().ok_or(Error::GraphFreed).or_panic();
        let found = saved.iter().find(|s| s.name == name && !s.is_nothing())?;
        Some(found.tensor(Some(self)).or_panic())
    }

    /// Runs the backward function on the outputs' gradients.
    pub(crate) fn run(self: &Arc<Self>, grads: &[Option<Tensor>], backward: &BackwardFn) -> Result<Grads> {
        let saved = lock(&self.saved).clone();
        backward(&Context::new(self, grads, saved))
    }

    /// Whether input `i` wants a gradient.
    #[inline]
    pub(crate) fn needs(&self, i: usize) -> bool {
        self.edges[i].is_some() || self.routed == Some(i)
    }

    /// Shows the outputs that the node saves to the hooks in force. They are user code, and none runs under the lock.
    #[cold]
    fn pack_outputs(self: &Arc<Self>, hooks: &dyn saved_hooks::Hooks) {
        let Some(mut saved) = lock(&self.saved).take() else { return };
        saved.iter_mut().filter(|s| s.is_output()).for_each(|s| s.pack_rebuilt(hooks, Some(self)));
        *lock(&self.saved) = Some(saved);
    }

    /// Frees the saved tensors; a node that saved none can run again, as in PyTorch.
    pub(crate) fn free(&self) {
        let mut saved = lock(&self.saved);
        // PyTorch saves the number of a product or quotient, as a tensor.
        let number = matches!(self.name, "MulBackward0" | "DivBackward0");
        let old = saved.take_if(|s| number || !s.is_empty());
        // What is dropped may be anybody's; it is not dropped under the lock.
        drop(saved);
        drop(old);
    }
}

impl Drop for Node {
    /// Frees a chain of any length with a constant stack: nodes that only this one holds are emptied here, one by one.
    fn drop(&mut self) {
        let mut stack: Vec<Arc<Node>> = Vec::new();
        let node_edges = |node: &mut Node, stack: &mut Vec<Arc<Node>>| {
            stack.extend(node.edges.drain(..).flatten().map(|e| e.node));
            if let Some(saved) = node.saved.get_mut().unwrap_or_else(PoisonError::into_inner) {
                stack.extend(saved.drain(..).filter_map(SavedTensor::into_node));
            }
        };
        node_edges(self, &mut stack);
        while let Some(node) = stack.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                node_edges(&mut node, &mut stack);
            }
        }
    }
}

thread_local! {
    /// Nodes that wait for their drop, while this thread drops some.
    static WAITING: RefCell<Option<Vec<Arc<Node>>>> = const { RefCell::new(None) };
}

/// Drops nodes from within the drop of what they keep, with a constant stack: an inner call leaves its nodes to the outer one.
pub(crate) fn drop_nodes(nodes: impl Iterator<Item = Arc<Node>>) {
    let nodes: Vec<_> = nodes.collect();
    let left = WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            waiting.extend(nodes);
            None
        }
        None => waiting.replace(Vec::new()).map_or(Some(nodes), |_| None),
    });
    let Some(mut left) = left else { return };
    while !left.is_empty() {
        drop(left);
        left = WAITING.with_borrow_mut(|waiting| waiting.as_mut().map(std::mem::take)).unwrap_or_default();
    }
    WAITING.set(None);
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tensor's place in the graph.
#[derive(Default)]
pub(crate) struct Meta {
    /// Whether the tensor is a leaf that requires grad or has a `grad_fn`; read without the lock.
    tracked: AtomicBool,
    /// Whether the tensor is a view of another.
    is_view: AtomicBool,
    /// Held while a gradient is added to `grad`, so that two threads lose none.
    accumulating: Mutex<()>,
    /// What `resize_` or `set_data` put in place of the tensor's array; apart from the state, whose holders read arrays.
    replaced: Mutex<Option<Arc<Array>>>,
    /// Set as long as the shape is not known.
    pub uninitialized: Mark,
    /// Hooks of a leaf; those of other tensors sit on their node.
    pub hooks: Hooks,
    /// Nothing is dropped while this is locked: what a user's hook captured may touch the tensor when it goes.
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub grad: Option<Tensor>,
    pub grad_fn: Option<Edge>,
    accumulator: Weak<Node>,
    pub view: Option<ViewMeta>,
    pub retains_grad: bool,
    pub is_parameter: bool,
}

impl Meta {
    pub(crate) fn from_edge(edge: Edge) -> Self {
        let state = match edge.node.function {
            Function::Accumulate(_) => State { accumulator: Arc::downgrade(&edge.node), ..State::default() },
            Function::Backward(_) => State { grad_fn: Some(edge), ..State::default() },
        };
        Meta { tracked: AtomicBool::new(true), state: Mutex::new(state), ..Meta::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn replaced(&self) -> Option<Arc<Array>> {
        lock(&self.replaced).clone()
    }

    /// Puts another array in the slot. What the graph knew of the former one's shape and dtype is forgotten.
    pub(crate) fn replace(&self, array: Array) {
        let old = lock(&self.replaced).replace(Arc::new(array));
        let old_accumulator = std::mem::take(&mut self.state().accumulator);
        drop((old, old_accumulator));
    }

    /// Replaces the collected gradient.
    pub(crate) fn set_grad(&self, grad: Option<Tensor>) {
        let old = std::mem::replace(&mut self.state().grad, grad);
        drop(old);
    }

    /// Replaces the operation that made the tensor. A retained gradient moves with it, as in PyTorch.
    pub(crate) fn set_history(&self, edge: Option<Edge>) {
        self.set_tracked(edge.is_some());
        let mut state = self.state();
        let retains = state.retains_grad;
        let old = std::mem::replace(&mut state.grad_fn, edge.clone());
        drop(state);
        if let (true, Some(old), Some(new)) = (retains, &old, &edge) {
            new.node.hooks.take_retained(&old.node.hooks, old.output, new.output);
        }
    }

    pub(crate) fn accumulating(&self) -> MutexGuard<'_, ()> {
        lock(&self.accumulating)
    }

    pub(crate) fn set_tracked(&self, tracked: bool) {
        self.tracked.store(tracked, Ordering::Release);
    }

    pub(crate) fn set_view(&self, view: Option<ViewMeta>) {
        self.is_view.store(view.is_some(), Ordering::Release);
        let old = std::mem::replace(&mut self.state().view, view);
        drop(old);
    }

    #[inline]
    pub(crate) fn is_view(&self) -> bool {
        self.is_view.load(Ordering::Acquire)
    }

    /// Whether a gradient flows to the tensor.
    #[inline]
    pub(crate) fn requires_grad(&self) -> bool {
        self.tracked.load(Ordering::Acquire) || self.is_view.load(Ordering::Acquire) && self.base_requires_grad()
    }

    fn base_requires_grad(&self) -> bool {
        // The lock is released before the base is asked.
        let base = self.state().view.as_ref().map(|v| v.base.shallow_clone());
        base.is_some_and(|b| b.requires_grad())
    }

    pub(crate) fn edge(&self, tensor: &Tensor) -> Option<Edge> {
        if !self.requires_grad() {
            return None;
        }
        if self.is_view()
            && let Some(invalid) = views::refresh(tensor, self)
        {
            return Some(invalid);
        }
        let mut state = self.state();
        if let Some(edge) = &state.grad_fn {
            return Some(edge.clone());
        }
        let node = state.accumulator.upgrade().unwrap_or_else(|| {
            let mut node = Node::new(
                "torch::autograd::AccumulateGrad",
                SmallVec::new(),
                Function::Accumulate(tensor.shallow_clone()),
            );
            node.outputs.push(OutputInfo::of(&tensor.array()));
            let node = Arc::new(node);
            state.accumulator = Arc::downgrade(&node);
            node
        });
        Some(Edge { node, output: 0 })
    }
}

impl OutputInfo {
    pub(crate) fn of(array: &Array) -> Self {
        OutputInfo { shape: array.shape().into(), dtype: array.dtype(), device: array.device() }
    }
}

/// Whether an operation on these inputs has to be recorded.
#[inline]
pub(crate) fn recording(inputs: &[&Tensor]) -> bool {
    crate::is_grad_enabled() && inputs.iter().any(|t| t.requires_grad())
}

/// [`recording`], with PyTorch's error for a view whose history was forbidden to change and did.
#[inline]
pub(crate) fn recording_checked(inputs: &[&Tensor]) -> Result<bool> {
    if !recording(inputs) {
        return Ok(false);
    }
    inputs.iter().try_for_each(|t| views::check_fresh(t))?;
    Ok(true)
}

/// A node under construction.
pub(crate) struct Recorded {
    node: Node,
}

pub(crate) type Edges = SmallVec<[Option<Edge>; 3]>;

/// Where the gradients of an operation's inputs go.
pub(crate) fn edges_of(inputs: &[&Tensor]) -> Edges {
    inputs.iter().map(|t| t.edge().filter(|_| t.dtype().is_differentiable())).collect()
}

/// Builds the node of an operation: its inputs' edges, and what it saves of inputs and constants.
pub(crate) fn record_node(
    name: &'static str,
    inputs: &[&Tensor],
    saves: &[Save<'_>],
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Recorded {
    Recorded::new(name, edges_of(inputs), saves, backward)
}

impl Recorded {
    pub(crate) fn new(
        name: &'static str,
        edges: Edges,
        saves: &[Save<'_>],
        backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
    ) -> Self {
        Self::with(name, edges, saves, Function::Backward(Box::new(backward)))
    }

    /// [`Recorded::new`] for every closure, compiled once.
    #[inline(never)]
    fn with(name: &'static str, edges: Edges, saves: &[Save<'_>], function: Function) -> Self {
        let mut node = Node::new(name, edges, function);
        let mut saved: SmallVec<[SavedTensor; 2]> = saves.iter().map(SavedTensor::new).collect();
        if let Some(hooks) = saved_hooks::current() {
            for (saved, save) in saved.iter_mut().zip(saves) {
                match save {
                    Save::Tensor(_, tensor) => saved.pack(&*hooks, tensor),
                    Save::Array(..) => saved.pack_rebuilt(&*hooks, None),
                    // Outputs are packed when they exist.
                    Save::Output(..) | Save::Nothing(_) => {}
                }
            }
        }
        node.saved = Mutex::new(Some(saved));
        Recorded { node }
    }

    /// Completes the node with the operation's results.
    pub(crate) fn finish(mut self, outputs: &[Array]) -> Arc<Node> {
        let mut pending = false;
        if let Some(saved) = self.node.saved.get_mut().unwrap_or_else(PoisonError::into_inner) {
            for saved in saved.iter_mut() {
                if let Some(i) = saved.pending() {
                    saved.set_output(&outputs[i]);
                    pending = true;
                }
            }
        }
        self.node.outputs = outputs.iter().map(OutputInfo::of).collect();
        let node = Arc::new(self.node);
        if pending && let Some(hooks) = saved_hooks::current() {
            node.pack_outputs(&*hooks);
        }
        node
    }

    /// [`Recorded::finish`] of one result, as a tensor.
    #[inline(never)]
    fn finish_one(self, output: Array) -> Tensor {
        let node = self.finish(std::slice::from_ref(&output));
        Tensor::with_meta(output, Meta::from_edge(Edge { node, output: 0 }))
    }

    /// [`Recorded::finish`] of several results, as tensors: those that are no floats have no gradient.
    #[inline(never)]
    fn finish_many(recorded: Option<Self>, outputs: Vec<Array>) -> Vec<Tensor> {
        let node = recorded.map(|recorded| recorded.finish(&outputs));
        let tensors = outputs.into_iter().enumerate().map(|(i, array)| match &node {
            Some(node) if array.dtype().is_differentiable() => {
                Tensor::with_meta(array, Meta::from_edge(Edge { node: node.clone(), output: i as u32 }))
            }
            _ => Tensor::from(array),
        });
        tensors.collect()
    }

    /// Takes away an input's edge: the caller routes that gradient itself. Returns the edges as they were.
    pub(crate) fn route(&mut self, input: usize) -> Edges {
        let edges = self.node.edges.clone();
        self.node.edges[input] = None;
        self.node.routed = Some(input);
        edges
    }

    /// The function runs even where none of its outputs has a gradient.
    pub(crate) fn run_always(&mut self) {
        self.node.runs_always = true;
    }
}

/// Records an operation of one result.
pub(crate) fn record(
    name: &'static str,
    inputs: &[&Tensor],
    saves: &[Save<'_>],
    output: Array,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Tensor {
    if !recording(inputs) {
        return Tensor::from(output);
    }
    record_node(name, inputs, saves, backward).finish_one(output)
}

/// Records an operation of several results; results that are no floats have no gradient.
pub(crate) fn record_many(
    name: &'static str,
    inputs: &[&Tensor],
    saves: &[Save<'_>],
    outputs: Vec<Array>,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Vec<Tensor> {
    let recorded = recording(inputs).then(|| record_node(name, inputs, saves, backward));
    Recorded::finish_many(recorded, outputs)
}

/// A handle that does not keep the tensor alive.
pub(crate) fn downgrade(tensor: &Tensor) -> Weak<Cell> {
    Arc::downgrade(&tensor.0)
}
