//! The recorded graph: nodes, edges, saved tensors, and each tensor's place in it.

use crate::error::{Error, Result};
use crate::hooks::Hooks;
use crate::ops;
use crate::tensor::{Cell, Tensor};
use crate::views::{self, View};
use flambeau_tensor::{Array, DType, Device, Dims};
use smallvec::SmallVec;
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
    pub(crate) edges: SmallVec<[Option<Edge>; 3]>,
    /// Whether the first input's gradient is wanted although it has no edge: `CopySlices` routes it.
    routes_first: bool,
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

/// An array as it was when the operation ran, with its place in the graph; never a tensor, which would own the node.
#[derive(Clone)]
struct SavedTensor {
    array: Array,
    version: u64,
    source: Source,
    /// The tensor, for as long as somebody holds it: it knows what became of its history, and what `set_data` gave it.
    tensor: Weak<Cell>,
}

#[derive(Clone)]
enum Source {
    Constant,
    Input(Edge),
    /// An input that is a view of another tensor.
    View(Edge),
    /// An output of the node that saves it: its edge would make a cycle.
    Output(u32),
}

/// What an operation keeps for its backward.
pub(crate) enum Save<'a> {
    /// An input, or another tensor with a gradient.
    Tensor(&'a Tensor),
    /// The operation's i-th result.
    Output(usize),
    /// Something without a gradient.
    Array(Array),
}

/// What a backward function sees: the gradients of the outputs and the saved tensors.
pub struct Context<'a> {
    node: &'a Arc<Node>,
    grads: &'a [Option<Tensor>],
    saved: SmallVec<[SavedTensor; 2]>,
    freed: bool,
}

impl Context<'_> {
    /// The gradient of output `i`, zeros where nothing arrived.
    pub(crate) fn grad(&self, i: usize) -> Result<Tensor> {
        match &self.grads[i] {
            Some(g) => Ok(g.shallow_clone()),
            None => {
                let info = &self.node.outputs[i];
                ops::zeros(&info.shape, info.dtype, info.device)
            }
        }
    }

    /// Whether anything arrived for output `i`.
    pub(crate) fn has_grad(&self, i: usize) -> bool {
        self.grads[i].is_some()
    }

    /// Whether input `i` wants a gradient.
    pub(crate) fn needs(&self, i: usize) -> bool {
        self.node.edges[i].is_some() || i == 0 && self.node.routes_first
    }

    /// The i-th saved tensor, connected to the graph.
    ///
    /// # Errors
    /// When the graph was freed, or the tensor was written to since.
    pub(crate) fn saved(&self, i: usize) -> Result<Tensor> {
        if self.freed {
            return Err(Error::GraphFreed);
        }
        let saved = &self.saved[i];
        let tensor = saved.tensor.upgrade().map(Tensor).filter(|t| same_kind(&t.array(), &saved.array));
        let version = tensor.as_ref().map_or_else(|| saved.array.storage().version(), Tensor::version);
        if version != saved.version {
            return Err(self.modified(saved, version, tensor.as_ref()));
        }
        let computed = |edge: &Edge| matches!(edge.node.function, Function::Backward(_));
        match (tensor, &saved.source) {
            (Some(tensor), Source::Input(edge)) if computed(edge) && !tensor.requires_grad() => Err(Error::Detached),
            (Some(tensor), _) => Ok(tensor),
            (None, source) => Ok(self.rebuilt(saved.array.clone(), source)),
        }
    }

    /// Checks that the saved tensors from the i-th on are as they were: tensors from which only a copy is used.
    ///
    /// # Errors
    /// As [`Context::saved`].
    pub(crate) fn unchanged(&self, from: usize) -> Result<()> {
        if self.freed {
            return Err(Error::GraphFreed);
        }
        (from..self.saved.len()).try_for_each(|i| self.saved(i).map(drop))
    }

    /// A tensor with the place in the graph that a saved one had.
    fn rebuilt(&self, array: Array, source: &Source) -> Tensor {
        match source {
            Source::Constant => Tensor::from(array),
            Source::Input(edge) | Source::View(edge) => Tensor::with_meta(array, Meta::from_edge(edge.clone())),
            Source::Output(output) => {
                let edge = Edge { node: self.node.clone(), output: *output };
                Tensor::with_meta(array, Meta::from_edge(edge))
            }
        }
    }

    #[cold]
    fn modified(&self, saved: &SavedTensor, version: u64, tensor: Option<&Tensor>) -> Error {
        let describe = |node: &Node, output: u32| match node.function {
            Function::Accumulate(_) => String::new(),
            Function::Backward(_) => format!(", which is output {output} of {},", node.short_name()),
        };
        let what = match (&saved.source, tensor) {
            (Source::Output(output), _) => describe(self.node, *output),
            // What the tensor is now: the output of the operation that wrote to it.
            (_, Some(tensor)) => match views::check_fresh(tensor) {
                Ok(()) => tensor.edge().map_or_else(String::new, |e| describe(&e.node, e.output)),
                Err(error) => return error,
            },
            (Source::Input(edge), None) => describe(&edge.node, edge.output),
            // PyTorch keeps the view and gives it a new history.
            (Source::View(_), None) => ", which is output 0 of AsStrided,".into(),
            (Source::Constant, None) => String::new(),
        };
        Error::ModifiedInPlace {
            kind: type_string(saved.array.dtype()),
            shape: format!("{:?}", saved.array.shape()),
            what,
            version,
            expected: saved.version,
            writer: Error::writer(saved.array.storage().last_writer()),
        }
    }
}

/// Whether a tensor still is what its graph was recorded with: `set_data` may have given it another shape.
fn same_kind(now: &Array, then: &Array) -> bool {
    now.shape() == then.shape() && now.dtype() == then.dtype() && now.device() == then.device()
}

/// C++'s name of a tensor of a dtype: `torch.FloatTensor`, or `CPUBoolType` for the dtypes that came late.
fn type_string(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "CPUBoolType",
        DType::BF16 => "CPUBFloat16Type",
        DType::U8 => "torch.ByteTensor",
        DType::I8 => "torch.CharTensor",
        DType::I16 => "torch.ShortTensor",
        DType::I32 => "torch.IntTensor",
        DType::I64 => "torch.LongTensor",
        DType::F16 => "torch.HalfTensor",
        DType::F32 => "torch.FloatTensor",
        DType::F64 => "torch.DoubleTensor",
    }
}

thread_local! {
    static SEQUENCE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Node {
    fn new(name: &'static str, edges: SmallVec<[Option<Edge>; 3]>, function: Function) -> Self {
        Node {
            name,
            // Accumulators come first: a leaf's gradient is complete as early as possible, as in PyTorch.
            sequence: match function {
                Function::Accumulate(_) => u64::MAX,
                Function::Backward(_) => SEQUENCE.replace(SEQUENCE.get() + 1),
            },
            edges,
            routes_first: false,
            outputs: SmallVec::new(),
            saved: Mutex::new(Some(SmallVec::new())),
            function,
            hooks: Hooks::default(),
        }
    }

    /// A node whose backward fails: the place of a view whose history was forbidden to change and did. It prints as
    /// `<Invalid>`, as in PyTorch.
    pub(crate) fn invalid(error: Error, output: OutputInfo) -> Self {
        let mut node = Node::new("Invalid", SmallVec::new(), Function::Backward(Box::new(move |_| Err(error.clone()))));
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

    /// Runs the backward function on the outputs' gradients.
    pub(crate) fn run(self: &Arc<Self>, grads: &[Option<Tensor>], backward: &BackwardFn) -> Result<Grads> {
        let (saved, freed) = match &*lock(&self.saved) {
            Some(saved) => (saved.clone(), false),
            None => (SmallVec::new(), true),
        };
        backward(&Context { node: self, grads, saved, freed })
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
                stack.extend(saved.drain(..).filter_map(|s| match s.source {
                    Source::Input(edge) | Source::View(edge) => Some(edge.node),
                    _ => None,
                }));
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
    pub view: Option<View>,
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

    pub(crate) fn set_view(&self, view: Option<View>) {
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
    outputs_saved: SmallVec<[(usize, u32); 2]>,
}

/// Builds the node of an operation: its inputs' edges, and what it saves of inputs and constants.
pub(crate) fn record_node(
    name: &'static str,
    inputs: &[&Tensor],
    saves: &[Save<'_>],
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Recorded {
    let edges = inputs.iter().map(|t| t.edge().filter(|_| t.dtype().is_differentiable())).collect();
    let mut node = Node::new(name, edges, Function::Backward(Box::new(backward)));
    let mut outputs_saved = SmallVec::new();
    let saved = saves.iter().enumerate().map(|(slot, save)| match save {
        Save::Tensor(t) => {
            let source = match t.edge() {
                None => Source::Constant,
                Some(edge) if t.meta().is_view() => Source::View(edge),
                Some(edge) => Source::Input(edge),
            };
            SavedTensor { version: t.version(), array: t.array().clone(), source, tensor: downgrade(t) }
        }
        Save::Array(a) => SavedTensor {
            version: a.storage().version(),
            array: a.clone(),
            source: Source::Constant,
            tensor: Weak::new(),
        },
        Save::Output(i) => {
            outputs_saved.push((slot, *i as u32));
            // Filled in by `finish`, when the output exists; any array serves until then.
            let array = inputs[0].array().clone();
            SavedTensor { array, version: 0, source: Source::Output(*i as u32), tensor: Weak::new() }
        }
    });
    node.saved = Mutex::new(Some(saved.collect()));
    Recorded { node, outputs_saved }
}

impl Recorded {
    /// Completes the node with the operation's results.
    pub(crate) fn finish(mut self, outputs: &[Array]) -> Arc<Node> {
        if let Some(saved) = self.node.saved.get_mut().unwrap_or_else(PoisonError::into_inner) {
            for (slot, i) in self.outputs_saved {
                saved[slot].array = outputs[i as usize].clone();
                saved[slot].version = outputs[i as usize].storage().version();
            }
        }
        self.node.outputs = outputs.iter().map(OutputInfo::of).collect();
        Arc::new(self.node)
    }

    /// Takes away the first input's edge: the caller routes that gradient itself.
    pub(crate) fn route_first(&mut self) {
        self.node.edges[0] = None;
        self.node.routes_first = true;
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
    let node = record_node(name, inputs, saves, backward).finish(std::slice::from_ref(&output));
    Tensor::with_meta(output, Meta::from_edge(Edge { node, output: 0 }))
}

/// Records an operation of several results; results that are no floats have no gradient.
pub(crate) fn record_many(
    name: &'static str,
    inputs: &[&Tensor],
    saves: &[Save<'_>],
    outputs: Vec<Array>,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Vec<Tensor> {
    if !recording(inputs) {
        return outputs.into_iter().map(Tensor::from).collect();
    }
    let node = record_node(name, inputs, saves, backward).finish(&outputs);
    let tensors = outputs.into_iter().enumerate().map(|(i, array)| match array.dtype().is_differentiable() {
        true => Tensor::with_meta(array, Meta::from_edge(Edge { node: node.clone(), output: i as u32 })),
        false => Tensor::from(array),
    });
    tensors.collect()
}

/// A handle that does not keep the tensor alive.
pub(crate) fn downgrade(tensor: &Tensor) -> Weak<Cell> {
    Arc::downgrade(&tensor.0)
}
