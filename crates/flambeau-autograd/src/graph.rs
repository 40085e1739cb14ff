//! The recorded graph: nodes, edges, saved tensors, and each tensor's place in it.

use crate::error::{Error, Result};
use crate::ops;
use crate::tensor::{Cell, Tensor};
use flambeau_tensor::view::tensor_type;
use flambeau_tensor::{Array, DType, Device, Dims};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Gradients of a node's inputs; `None` where there is none.
pub type Grads = SmallVec<[Option<Tensor>; 3]>;
/// A tensor hook: it may replace the gradient that it is shown.
pub(crate) type Hook = Arc<dyn Fn(&Tensor) -> Option<Tensor> + Send + Sync>;
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
    pub(crate) hooks: Mutex<Vec<(u32, Hook)>>,
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
}

#[derive(Clone)]
enum Source {
    Constant,
    Input(Edge),
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
            Some(g) => Ok(g.clone()),
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
        let version = saved.array.storage().version();
        if version != saved.version {
            return Err(self.modified(saved, version));
        }
        let array = saved.array.clone();
        Ok(match &saved.source {
            Source::Constant => Tensor::from(array),
            Source::Input(edge) => Tensor::with_meta(array, Meta::from_edge(edge.clone())),
            Source::Output(output) => {
                let edge = Edge { node: self.node.clone(), output: *output };
                Tensor::with_meta(array, Meta::from_edge(edge))
            }
        })
    }

    #[cold]
    fn modified(&self, saved: &SavedTensor, version: u64) -> Error {
        let describe = |node: &Node, output: u32| match node.function {
            Function::Accumulate(_) => String::new(),
            Function::Backward(_) => format!(", which is output {output} of {},", node.name),
        };
        let what = match &saved.source {
            Source::Constant => String::new(),
            Source::Input(edge) => describe(&edge.node, edge.output),
            Source::Output(output) => describe(self.node, *output),
        };
        Error::ModifiedInPlace {
            kind: tensor_type(&saved.array),
            shape: format!("{:?}", saved.array.shape()),
            what,
            version,
            expected: saved.version,
            writer: Error::writer(saved.array.storage().last_writer()),
        }
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
            hooks: Mutex::default(),
        }
    }

    /// PyTorch's name of the operation's backward: `AddmmBackward0`.
    pub fn name(&self) -> &'static str {
        self.name
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
        if saved.as_ref().is_some_and(|s| !s.is_empty()) {
            *saved = None;
        }
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
                    Source::Input(edge) => Some(edge.node),
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub grad: Option<Tensor>,
    pub grad_fn: Option<Edge>,
    accumulator: Weak<Node>,
    pub view: Option<View>,
    /// Hooks of a leaf; those of other tensors sit on their node.
    pub hooks: Vec<Hook>,
    pub retains_grad: bool,
    pub is_parameter: bool,
}

/// The tensor that a view shows a part of, and the version at which the view's `grad_fn` was right.
pub(crate) struct View {
    pub base: Tensor,
    pub seen: u64,
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
        *lock(&self.replaced) = Some(Arc::new(array));
        self.state().accumulator = Weak::new();
    }

    pub(crate) fn accumulating(&self) -> MutexGuard<'_, ()> {
        lock(&self.accumulating)
    }

    pub(crate) fn set_tracked(&self, tracked: bool) {
        self.tracked.store(tracked, Ordering::Release);
    }

    pub(crate) fn set_view(&self, view: View) {
        self.state().view = Some(view);
        self.is_view.store(true, Ordering::Release);
    }

    /// Whether a gradient flows to the tensor.
    #[inline]
    pub(crate) fn requires_grad(&self) -> bool {
        self.tracked.load(Ordering::Acquire) || self.is_view.load(Ordering::Acquire) && self.base_requires_grad()
    }

    fn base_requires_grad(&self) -> bool {
        // The lock is released before the base is asked.
        let base = self.state().view.as_ref().map(|v| v.base.clone());
        base.is_some_and(|b| b.requires_grad())
    }

    pub(crate) fn edge(&self, tensor: &Tensor) -> Option<Edge> {
        if !self.requires_grad() {
            return None;
        }
        let mut state = self.state();
        if let Some(view) = &mut state.view {
            let version = tensor.version();
            if view.seen != version && view.base.requires_grad() {
                view.seen = version;
                let edge = crate::views::regenerate(tensor, &view.base);
                state.grad_fn = Some(edge);
                self.set_tracked(true);
            }
        }
        if let Some(edge) = &state.grad_fn {
            return Some(edge.clone());
        }
        let node = state.accumulator.upgrade().unwrap_or_else(|| {
            let mut node =
                Node::new("torch::autograd::AccumulateGrad", SmallVec::new(), Function::Accumulate(tensor.clone()));
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
    let edges = inputs.iter().map(|t| t.edge().filter(|_| t.dtype().is_floating_point())).collect();
    let mut node = Node::new(name, edges, Function::Backward(Box::new(backward)));
    let mut outputs_saved = SmallVec::new();
    let saved = saves.iter().enumerate().map(|(slot, save)| match save {
        Save::Tensor(t) => {
            let source = t.edge().map_or(Source::Constant, Source::Input);
            SavedTensor { version: t.version(), array: t.array().clone(), source }
        }
        Save::Array(a) => SavedTensor { version: a.storage().version(), array: a.clone(), source: Source::Constant },
        Save::Output(i) => {
            outputs_saved.push((slot, *i as u32));
            // Filled in by `finish`, when the output exists; any array serves until then.
            let array = inputs[0].array().clone();
            SavedTensor { array, version: 0, source: Source::Output(*i as u32) }
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
    let tensors = outputs.into_iter().enumerate().map(|(i, array)| match array.dtype().is_floating_point() {
        true => Tensor::with_meta(array, Meta::from_edge(Edge { node: node.clone(), output: i as u32 })),
        false => Tensor::from(array),
    });
    tensors.collect()
}

/// A handle that does not keep the tensor alive.
pub(crate) fn downgrade(tensor: &Tensor) -> Weak<Cell> {
    Arc::downgrade(&tensor.0)
}
