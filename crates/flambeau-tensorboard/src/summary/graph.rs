//! The graph of a model: what it computes, module by module, found by running it.
//!
//! PyTorch asks its tracing compiler. Here the operations that autograd records are the graph's nodes, and hooks tell which module they
//! are of: when a module ends, whatever leads from its outputs back to its inputs and belongs to none of its parts is its own.

use crate::SummaryWriter;
use crate::wire::Message;
use flambeau_autograd::{AsTensor, Node, Tensor, enable_grad};
use flambeau_nn::{Arg, Forward, HookHandle, Input, Module, Output, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A node of the graph while it is put together.
struct Vertex {
    name: String,
    op: String,
    attributes: String,
    /// What the gradient goes to.
    from: Vec<Arc<Node>>,
    /// The names of further inputs, which have no gradient.
    plain: Vec<String>,
    shape: Option<Vec<usize>>,
}

impl Vertex {
    fn new(name: String, op: &str, shape: Option<Vec<usize>>) -> Self {
        Vertex { name, op: op.to_owned(), attributes: String::new(), from: Vec::new(), plain: Vec::new(), shape }
    }

    /// `NodeDef`.
    fn proto(&self, trace: &Trace) -> Message {
        let entry = |key: &str, value: Message| Message::new().bytes(1, key).message(2, value);
        let node = Message::new().bytes(1, &self.name).bytes(2, &self.op);
        let known = self.from.iter().filter_map(|node| trace.known.get(&address(node)));
        let inputs = known.map(|&at| &trace.vertices[at].name).chain(&self.plain);
        let node = inputs.fold(node, |node, input| node.chosen_bytes(3, input));
        let node = match &self.shape {
            Some(shape) => {
                let list = Message::new().message(7, super::shape(shape.iter().copied()));
                node.message(5, entry("_output_shapes", Message::new().message(1, list)))
            }
            None => node,
        };
        node.message(5, entry("attr", Message::new().chosen_bytes(2, &self.attributes)))
    }
}

/// What is known of a run so far. Nodes are known by their addresses, so they are kept.
#[derive(Default)]
struct Trace {
    vertices: Vec<Vertex>,
    /// The vertex of each recorded operation, parameter and input.
    known: HashMap<usize, usize>,
    kept: Vec<Arc<Node>>,
    /// Inputs without a gradient, by their tensors' addresses.
    plain_inputs: HashMap<usize, String>,
    /// How often a name was given.
    names: BTreeMap<String, usize>,
}

fn address(node: &Arc<Node>) -> usize {
    Arc::as_ptr(node).addr()
}

/// A tensor's recorded operation, or what collects its gradient.
fn origin(x: &Tensor) -> Option<Arc<Node>> {
    x.grad_fn().or_else(|| {
        let view = x.requires_grad().then(|| x.view_as(x).grad_fn())?;
        view?.next_functions().flatten().next().cloned()
    })
}

impl Trace {
    fn unique(&mut self, name: String) -> String {
        let count = self.names.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{}", *count - 1) }
    }

    fn add(&mut self, node: &Arc<Node>, vertex: Vertex) -> usize {
        self.known.insert(address(node), self.vertices.len());
        self.kept.push(node.clone());
        self.vertices.push(vertex);
        self.vertices.len() - 1
    }

    /// A module in `scope` is done: all that its outputs come from, as far as nobody has it, is its own.
    fn done(&mut self, scope: &str, module: &dyn Module, inputs: &[&Tensor], outputs: &[&Tensor]) {
        let mut last = None;
        // What the module has from elsewhere; then all that was looked at.
        let mut seen: HashSet<usize> = inputs.iter().filter_map(|x| origin(x)).map(|node| address(&node)).collect();
        for output in outputs {
            let Some(end) = origin(output) else { continue };
            let mut stack = vec![end.clone()];
            while let Some(node) = stack.pop() {
                if !seen.insert(address(&node)) {
                    continue;
                }
                stack.extend(node.next_functions().flatten().cloned());
                if self.known.contains_key(&address(&node)) {
                    continue;
                }
                let op = node.name().rsplit("::").next().unwrap_or_default();
                let op = op.split("Backward").next().filter(|op| !op.is_empty()).unwrap_or(op);
                let mut vertex = Vertex::new(self.unique(format!("{scope}/{op}")), op, None);
                if module.children().is_empty() {
                    vertex.attributes = module.extra_repr();
                }
                vertex.from = node.next_functions().flatten().cloned().collect();
                last = Some(self.add(&node, vertex));
            }
            if let Some(&at) = self.known.get(&address(&end)) {
                self.vertices[at].shape.get_or_insert_with(|| output.size().to_vec());
            }
        }
        // Integers have no gradient, and so no edge: what takes them first is what the module computes first.
        let plain = inputs.iter().filter_map(|x| self.plain_inputs.get(&x.address()).cloned());
        if let (Some(at), true) = (last, module.children().is_empty()) {
            self.vertices[at].plain.extend(plain);
        }
    }
}

/// Hooks that go with this.
struct Hooks(Vec<HookHandle>);

impl Drop for Hooks {
    fn drop(&mut self) {
        self.0.drain(..).for_each(HookHandle::remove);
    }
}

/// The training mode that a model had, which it gets back.
struct Evaluation<'a>(&'a dyn Module, bool);

impl Drop for Evaluation<'_> {
    fn drop(&mut self) {
        self.0.train_mode(self.1);
    }
}

fn lock(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    trace.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a module has a part that could carry its hooks and its mode.
fn has_parts(module: &dyn Module) -> bool {
    module.state().is_some() || !module.parameters().is_empty() || !module.children().is_empty()
}

/// Each module with the name of its group: `Net/Sequential[layers]/Linear[0]`.
fn scopes(model: &dyn Module) -> Vec<(String, &dyn Module)> {
    let mut out = Vec::new();
    let mut stack = vec![(model.type_name().to_owned(), model)];
    while let Some((scope, module)) = stack.pop() {
        let inner = module.named_children().into_iter().rev();
        stack.extend(inner.map(|(name, child)| (format!("{scope}/{}[{name}]", child.type_name()), child)));
        out.push((scope, module));
    }
    out
}

/// Makes numbers of an input the outputs of an operation, by which they are known again.
fn marked(value: Value, trace: &mut Trace) -> Value {
    let all = |values: Vec<Value>, trace: &mut Trace| values.into_iter().map(|value| marked(value, trace)).collect();
    match value {
        Value::Tensor(x) => {
            let name = trace.unique("input/x".to_owned());
            let vertex = Vertex::new(name.clone(), "IO Node", Some(x.size().to_vec()));
            if x.dtype().is_floating_point() {
                let x = x.detach().requires_grad_(true);
                let view = x.view_as(&x);
                if let Some(node) = view.grad_fn() {
                    trace.add(&node, vertex);
                }
                Value::Tensor(view)
            } else {
                trace.vertices.push(vertex);
                trace.plain_inputs.insert(x.address(), name);
                Value::Tensor(x)
            }
        }
        Value::Tuple(values) => Value::Tuple(all(values, trace)),
        Value::List(values) => Value::List(all(values, trace)),
        other => other,
    }
}

fn trace<In: Input, Out: Output, M: Forward<In, Out> + ?Sized>(model: &M, input: In::Ref<'_>) -> Trace {
    let module = model.as_module();
    let shared = Arc::new(Mutex::new(Trace::default()));
    let _grad = enable_grad();
    let _evaluation = Evaluation(module, !has_parts(module) || module.training());
    module.train_mode(false);
    let all = scopes(module);
    for (scope, module) in &all {
        let own = module.named_parameters().into_iter().filter(|(name, _)| !name.contains('.'));
        for (name, parameter) in own {
            let Some(node) = origin(parameter.as_tensor()) else { continue };
            let mut trace = lock(&shared);
            if trace.known.contains_key(&address(&node)) {
                continue;
            }
            let name = trace.unique(format!("{scope}/{name}"));
            let vertex = Vertex::new(name, "Parameter", Some(parameter.size().to_vec()));
            trace.add(&node, vertex);
        }
    }
    let value = marked(In::keep(input).to_value(), &mut lock(&shared));
    // A type of the user's that cannot be made again goes in as it is.
    let input = In::from_value(value).unwrap_or_else(|| In::keep(input));
    let mut hooks = Hooks(Vec::new());
    // The model itself is asked for its outputs below, so that one without a place for hooks will do.
    for (scope, part) in all.into_iter().skip(1).filter(|(_, part)| has_parts(*part)) {
        let shared = shared.clone();
        hooks.0.push(part.register_forward_hook(move |module, input, output| {
            lock(&shared).done(&scope, module, &input.tensors(), &output.tensors());
            None
        }));
    }
    let output = model.call_ref(In::borrow(&input)).to_value();
    drop(hooks);
    let (taken, given) = (input.to_value(), output);
    let mut trace = std::mem::take(&mut *lock(&shared));
    trace.done(module.type_name(), module, &taken.tensors(), &given.tensors());
    for (i, x) in given.tensors().into_iter().enumerate() {
        let mut vertex = Vertex::new(format!("output/output.{}", i + 1), "IO Node", Some(x.size().to_vec()));
        vertex.from.extend(origin(x));
        trace.vertices.push(vertex);
    }
    trace
}

impl SummaryWriter {
    /// Adds the graph of a model, module by module: `writer.add_graph(model, input_to_model)`. The model is run once on the input, in
    /// evaluation mode. Of an operation only what passes gradients is shown, so not what a dropout does not do.
    ///
    /// ```
    /// use torch::prelude::*;
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-graph-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// let model = nn::sequential![nn::Linear::new(4, 8), nn::ReLU::new(), nn::Linear::new(8, 1)];
    /// writer.add_graph(&model, torch::rand((2, 4)));
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    ///
    /// # Panics
    /// When the model cannot be run on the input.
    #[track_caller]
    pub fn add_graph<In: Input, Out: Output, M: Forward<In, Out> + ?Sized>(
        &self,
        model: &M,
        input_to_model: impl Arg<In>,
    ) {
        let trace = trace(model, input_to_model.arg());
        // TensorBoard reads versions of TensorFlow's graphs; 22 is what PyTorch says.
        let graph = Message::new().messages(1, trace.vertices.iter().map(|vertex| vertex.proto(&trace)));
        let graph = graph.message(4, Message::new().int(1, 22)).into_bytes();
        self.add_event(Message::new().chosen_bytes(4, graph), None, None);
        let device = Message::new().bytes(1, "/device:CPU:0");
        let steps = Message::new().message(1, Message::new().message(1, device));
        let tagged = Message::new().bytes(1, "step1").bytes(2, steps.into_bytes());
        self.add_event(Message::new().message(8, tagged), None, None);
    }
}
