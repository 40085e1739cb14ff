//! Runs a graph backwards.

use crate::error::{Error, Result};
use crate::graph::{Edge, Function, Node};
use crate::hooks::{is_unshared, own};
use crate::leaf::fit;
use crate::{Tensor, grad_mode, ops, views};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Hashes a node's address; addresses are spread well enough that mixing them once does.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only addresses are hashed")
    }
    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(20);
    }
}

type NodeMap<T> = HashMap<usize, T, BuildHasherDefault<AddressHasher>>;
type Buffer = SmallVec<[Option<Tensor>; 1]>;

fn key(node: &Arc<Node>) -> usize {
    Arc::as_ptr(node).addr()
}

/// A node that all of its users have sent their gradient to; later operations run first.
struct Ready(Arc<Node>);

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.0.sequence() == other.0.sequence()
    }
}
impl Eq for Ready {}
impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.sequence().cmp(&other.0.sequence())
    }
}

/// Adds the gradients of `tensors` to the `grad` of every leaf: `torch.autograd.backward`. A `None` gradient stands for one
/// on a tensor of one element.
///
/// # Errors
/// When a tensor has no graph, its graph was freed, or a saved tensor was written to.
pub fn backward(
    tensors: &[&Tensor],
    gradients: &[Option<&Tensor>],
    retain_graph: bool,
    create_graph: bool,
) -> Result<()> {
    let roots = roots(tensors, gradients, create_graph)?;
    run(roots, None, retain_graph || create_graph, create_graph).map(|_| ())
}

/// [`backward`] that adds to the `grad` of `inputs` alone, which may be leaves or not.
///
/// # Errors
/// As [`backward`]; and when there are no inputs, or one does not require grad.
pub(crate) fn backward_for(
    tensors: &[&Tensor],
    gradients: &[Option<&Tensor>],
    inputs: &[&Tensor],
    retain_graph: bool,
    create_graph: bool,
) -> Result<()> {
    if inputs.is_empty() {
        return Err(Error::runtime("`inputs` argument to `backward()` cannot be empty."));
    }
    if inputs.iter().any(|input| !input.requires_grad()) {
        return Err(Error::runtime("can't retain_grad on Tensor that has requires_grad=False"));
    }
    let roots = roots(tensors, gradients, create_graph)?;
    let edges = edges_of(inputs)?;
    inputs.iter().for_each(|input| input.retain_grad());
    let targets = Targets { edges: &edges, accumulate: true };
    run(roots, Some(targets), retain_graph || create_graph, create_graph).map(|_| ())
}

/// The gradients of `outputs` for `inputs`, without touching any `grad`: `torch.autograd.grad`. Where `allow_unused`, an
/// input that the outputs do not depend on gives `None`. Without `create_graph` each result has memory of its own, so that it
/// may be written to; in PyTorch two results, or a result and a `grad_output`, can be one tensor.
///
/// # Errors
/// When a tensor has no graph, its graph was freed, or a saved tensor was written to.
pub fn grad(
    outputs: &[&Tensor],
    inputs: &[&Tensor],
    grad_outputs: &[Option<&Tensor>],
    retain_graph: bool,
    create_graph: bool,
    allow_unused: bool,
) -> Result<Vec<Option<Tensor>>> {
    let roots = roots(outputs, grad_outputs, create_graph)?;
    let edges = edges_of(inputs)?;
    let targets = Targets { edges: &edges, accumulate: false };
    let mut grads = run(roots, Some(targets), retain_graph || create_graph, create_graph)?;
    if !create_graph {
        let _guard = grad_mode::no_grad();
        for slot in &mut grads {
            *slot = slot.take().map(own).transpose()?;
        }
    }
    if let (false, Some(unused)) = (allow_unused, grads.iter().position(Option::is_none)) {
        return Err(Error::UnusedInput(unused));
    }
    Ok(grads)
}

fn edges_of(inputs: &[&Tensor]) -> Result<Vec<Edge>> {
    let missing = || Error::runtime("One of the differentiated Tensors does not require grad");
    inputs.iter().map(|t| t.edge().ok_or_else(missing)).collect()
}

/// The tensors that a run goes for, where it does not go for every leaf.
#[derive(Clone, Copy)]
struct Targets<'a> {
    edges: &'a [Edge],
    /// Whether their gradients are added to their `grad`, rather than given back.
    accumulate: bool,
}

impl Targets<'_> {
    fn include(self, node: usize) -> bool {
        self.edges.iter().any(|t| key(&t.node) == node)
    }
}

fn roots(tensors: &[&Tensor], gradients: &[Option<&Tensor>], create_graph: bool) -> Result<Vec<(Edge, Tensor)>> {
    if !gradients.is_empty() && gradients.len() != tensors.len() {
        return Err(Error::runtime(format!("got {} tensors and {} gradients", tensors.len(), gradients.len())));
    }
    let mut roots = Vec::with_capacity(tensors.len());
    for (i, tensor) in tensors.iter().enumerate() {
        let gradient = match gradients.get(i).copied().flatten() {
            Some(g) if g.size() != tensor.size() => {
                return Err(Error::runtime(format!(
                    "Mismatch in shape: grad_output[{i}] has a shape of {} and output[{i}] has a shape of {}.",
                    g.size(),
                    tensor.size()
                )));
            }
            Some(g) if create_graph => g.shallow_clone(),
            Some(g) => g.detach(),
            None if tensor.numel() != 1 && tensor.requires_grad() => return Err(Error::NonScalarBackward),
            None => ops::ones(&tensor.size(), tensor.dtype(), tensor.device())?,
        };
        views::check_fresh(tensor)?;
        let edge = tensor.edge().ok_or(Error::NoGraph)?;
        roots.push((edge, gradient));
    }
    Ok(roots)
}

thread_local! {
    /// The number of the backward that this thread runs; 0 where it runs none.
    static TASK: Cell<u64> = const { Cell::new(0) };
    /// Whether that backward gives gradients of tensors that were asked for.
    static HAS_TARGETS: Cell<bool> = const { Cell::new(false) };
    /// What the backwards of this thread come to, innermost last, where somebody asks.
    static REACHED: RefCell<Vec<Reached>> = const { RefCell::new(Vec::new()) };
}

/// How many hooks ask which nodes a backward comes to.
pub(crate) static WATCHERS: AtomicUsize = AtomicUsize::new(0);

struct Reached {
    nodes: HashSet<usize>,
    /// Whether this is `autograd::grad`.
    is_grad: bool,
}

/// The number of the backward that this thread runs, no two alike; 0 outside of one.
pub(crate) fn task() -> u64 {
    TASK.get()
}

/// Whether it was asked for the gradients of certain tensors: `autograd::grad`, or a backward with `inputs`.
pub(crate) fn has_targets() -> bool {
    HAS_TARGETS.get()
}

/// Whether the backward that this thread runs comes to a node, or has come.
///
/// # Errors
/// For a leaf's accumulator in `autograd::grad`, in PyTorch's words.
pub(crate) fn reaches(node: &Arc<Node>) -> Result<bool> {
    REACHED.with_borrow(|all| match all.last() {
        Some(reached) if reached.is_grad && matches!(node.function, Function::Accumulate(_)) => Err(Error::runtime(
            "A leaf node was passed to _will_engine_execute_node but we are currently running autograd.grad(). This is \
             currently not supported.",
        )),
        Some(reached) => Ok(reached.nodes.contains(&key(node))),
        // The hook was added by a hook: it waits for all.
        None => Ok(true),
    })
}

/// A backward of this thread, until it is dropped.
struct Task {
    former: u64,
    formerly_targets: bool,
    watched: bool,
}

impl Task {
    fn new(pending: &NodeMap<Pending>, targets: Option<Targets>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let former = TASK.replace(NEXT.fetch_add(1, Ordering::Relaxed));
        let formerly_targets = HAS_TARGETS.replace(targets.is_some());
        let watched = WATCHERS.load(Ordering::Relaxed) > 0;
        if watched {
            let is_target = |node: usize| targets.is_some_and(|t| t.include(node));
            let nodes = pending.iter().filter(|&(&node, p)| p.needed || is_target(node)).map(|(&node, _)| node);
            let reached = Reached { nodes: nodes.collect(), is_grad: targets.is_some_and(|t| !t.accumulate) };
            REACHED.with_borrow_mut(|all| all.push(reached));
        }
        Task { former, formerly_targets, watched }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        TASK.set(self.former);
        HAS_TARGETS.set(self.formerly_targets);
        if self.watched {
            REACHED.with_borrow_mut(Vec::pop);
        }
    }
}

/// What is known of a node before it runs.
#[derive(Default)]
struct Pending {
    /// Users that have not sent their gradient yet.
    users: usize,
    grads: Buffer,
    /// Whether running the node brings the run nearer to a target; all nodes where there are no targets.
    needed: bool,
}

fn run(
    roots: Vec<(Edge, Tensor)>,
    targets: Option<Targets>,
    retain_graph: bool,
    create_graph: bool,
) -> Result<Vec<Option<Tensor>>> {
    let _mode = grad_mode::set_grad_enabled(create_graph);
    let mut pending = explore(&roots, targets);
    let _task = Task::new(&pending, targets);
    let wanted = targets.filter(|t| !t.accumulate).map_or(&[][..], |t| t.edges);
    let mut captured: Vec<Option<Tensor>> = wanted.iter().map(|_| None).collect();
    let mut ready = BinaryHeap::new();
    for (edge, gradient) in roots {
        let entry = pending.get_mut(&key(&edge.node)).expect("roots are explored");
        let first = entry.grads.is_empty();
        add_to(&mut entry.grads, &edge, gradient)?;
        if entry.users == 0 && first {
            ready.push(Ready(edge.node));
        }
    }
    while let Some(Ready(node)) = ready.pop() {
        let Pending { mut grads, needed, .. } = pending.remove(&key(&node)).expect("a ready node is pending");
        grads.resize_with(node.outputs.len(), || None);
        match &node.function {
            Function::Accumulate(leaf) => leaf.meta().hooks.run(&mut grads)?,
            Function::Backward(_) => node.hooks.run(&mut grads)?,
        }
        for (slot, target) in captured.iter_mut().zip(wanted) {
            if key(&target.node) == key(&node) {
                *slot = grads[target.output as usize].as_ref().map(Tensor::shallow_clone);
            }
        }
        let inputs = match &node.function {
            Function::Accumulate(leaf) => {
                let wanted = targets.is_none_or(|t| t.accumulate && t.include(key(&node)));
                if let (true, Some(gradient)) = (wanted, grads.swap_remove(0)) {
                    accumulate(leaf, gradient, create_graph)?;
                    leaf.meta().hooks.run_accumulated(leaf);
                }
                continue;
            }
            Function::Backward(_) if !needed => continue,
            Function::Backward(backward) => {
                // A node that got nothing has nothing to say, but for a custom function.
                let inputs = match grads.iter().any(Option::is_some) || node.runs_always {
                    true => crate::mode::backward(&node, || node.run(&grads, backward))?,
                    false => node.edges.iter().map(|_| None).collect(),
                };
                debug_assert_eq!(inputs.len(), node.edges.len(), "{} returns a gradient per input", node.name());
                inputs
            }
        };
        if !retain_graph {
            node.free();
        }
        for (index, (edge, gradient)) in node.edges.iter().zip(inputs).enumerate() {
            let Some(edge) = edge else { continue };
            let Entry::Occupied(mut entry) = pending.entry(key(&edge.node)) else { continue };
            let waiting = entry.get_mut();
            if let Some(gradient) = gradient {
                let gradient = fit(gradient, &edge.node.outputs[edge.output as usize], &node, index)?;
                add_to(&mut waiting.grads, edge, gradient)?;
            }
            waiting.users -= 1;
            if waiting.users == 0 {
                ready.push(Ready(edge.node.clone()));
            }
        }
    }
    Ok(captured)
}

/// Counts each reachable node's users, and marks the nodes that lead to a target.
fn explore(roots: &[(Edge, Tensor)], targets: Option<Targets>) -> NodeMap<Pending> {
    let mut pending: NodeMap<Pending> = NodeMap::default();
    let mut stack: Vec<(&Arc<Node>, usize)> = Vec::new();
    let all = targets.is_none();
    for (edge, _) in roots {
        let Entry::Vacant(entry) = pending.entry(key(&edge.node)) else { continue };
        entry.insert(Pending { needed: all, ..Pending::default() });
        stack.push((&edge.node, 0));
        // A depth-first walk with an explicit stack: a node is done when all that it uses is.
        while let Some((node, next)) = stack.last_mut() {
            let Some(edge) = node.edges.get(*next) else {
                let done = stack.pop().expect("the loop saw it").0;
                if let Some(targets) = targets {
                    let mut used = done.edges.iter().flatten().map(|e| key(&e.node));
                    let needed = used.any(|n| targets.include(n) || pending[&n].needed);
                    pending.get_mut(&key(done)).expect("visited").needed = needed;
                }
                continue;
            };
            *next += 1;
            let Some(edge) = edge else { continue };
            match pending.entry(key(&edge.node)) {
                Entry::Occupied(mut entry) => entry.get_mut().users += 1,
                Entry::Vacant(entry) => {
                    entry.insert(Pending { users: 1, needed: all, ..Pending::default() });
                    stack.push((&edge.node, 0));
                }
            }
        }
    }
    pending
}

fn add_to(grads: &mut Buffer, edge: &Edge, gradient: Tensor) -> Result<()> {
    grads.resize_with(edge.node.outputs.len().max(1), || None);
    let slot = &mut grads[edge.output as usize];
    *slot = Some(match slot.take() {
        None => gradient,
        Some(sum) => ops::add(&sum, &gradient, 1)?,
    });
    Ok(())
}

/// Adds a gradient to a leaf's `grad`.
fn accumulate(leaf: &Tensor, gradient: Tensor, create_graph: bool) -> Result<()> {
    // Declared before the lock, so that it is dropped after it.
    let former;
    let _one_at_a_time = leaf.meta().accumulating();
    former = leaf.grad();
    let sum = match &former {
        // The engine's own tensor, seen by nobody else, becomes the gradient; anything shared is copied.
        None if !create_graph && is_unshared(&gradient) && has_layout_of(&gradient, leaf) => gradient,
        None => copy_in_layout_of(&gradient, leaf)?,
        Some(sum) if create_graph => ops::add(sum, &gradient, 1)?,
        Some(sum) => {
            ops::add_(sum, &gradient, 1)?;
            return Ok(());
        }
    };
    leaf.meta().set_grad(Some(sum));
    Ok(())
}

/// Whether a gradient lies in memory as its leaf does: PyTorch's gradient layout contract.
fn has_layout_of(gradient: &Tensor, leaf: &Tensor) -> bool {
    let (gradient, leaf) = (gradient.array(), leaf.array());
    if !leaf.is_contiguous() && leaf.is_dense() && gradient.shape() == leaf.shape() {
        let mut dims = gradient.shape().iter().zip(gradient.strides().iter().zip(leaf.strides()));
        return dims.all(|(&n, (own, wanted))| n == 1 || own == wanted);
    }
    gradient.is_contiguous()
}

/// A copy of a gradient that lies in memory as its leaf does, or row by row where the leaf has gaps or repeats.
fn copy_in_layout_of(gradient: &Tensor, leaf: &Tensor) -> Result<Tensor> {
    let array = leaf.array();
    if !array.is_dense() || gradient.array().shape() != array.shape() {
        return ops::contiguous_copy(gradient);
    }
    let geometry = ops::Strided::of(&array);
    ops::to_strided_named("CopyBackwards", gradient, &geometry)
}
