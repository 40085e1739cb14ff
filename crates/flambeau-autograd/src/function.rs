//! Operations of the user's own, with a backward that they write: `torch.autograd.Function`.

use crate::caller::{catch_raised, raise, raise_error};
use crate::error::{Error, OrPanic, Result};
use crate::function_arguments::{Argument, FromGrads, GradQueue, IntoArguments, IntoGrads};
use crate::graph::{
    self, Context, Edge, Grads, Meta, Node, OutputInfo, Recorded, Save, edges_of, lock, recording_checked,
};
use crate::mode::custom::{CustomBwd, CustomFwd, Forwarded};
use crate::saved_hooks::catch_fault;
use crate::{Tensor, is_grad_enabled, no_grad, ops, set_grad_enabled, views, warn};
use flambeau_tensor::Array;
use smallvec::SmallVec;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, Mutex};

/// An operation with a backward of the user's own: `torch.autograd.Function`.
///
/// `forward` computes the results; nothing in it is recorded. `backward` gets a gradient for each result and returns one for
/// each argument. It is written in differentiable operations, so that it is recorded under `create_graph` and the function can be
/// differentiated again. Both share a context, which keeps what backward needs. [`Function::apply`] runs the function; it
/// prints as `<MyReLUBackward>`.
///
/// The four types are those of the two signatures: a tensor, a tuple, a `Vec`, or whatever is an [`Argument`]. Each tensor of a
/// tuple or a list, and each argument that is no tensor, is one argument, and takes one gradient, `None` where it has none.
///
/// ```
/// use torch::Tensor;
/// use torch::autograd::{Function, FunctionCtx};
///
/// struct MyReLU;
///
/// impl Function for MyReLU {
///     type Inputs = Tensor;
///     type Outputs = Tensor;
///     type GradOutputs = Tensor;
///     type GradInputs = Tensor;
///
///     fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Tensor {
///         ctx.save_for_backward([&x]);
///         x.clamp_min(0)
///     }
///
///     fn backward(ctx: &FunctionCtx, grad_output: Tensor) -> Tensor {
///         let [x] = ctx.saved_tensors();
///         grad_output * x.gt(0)
///     }
/// }
///
/// let x = torch::tensor([-1.0, 2.0]).requires_grad_(true);
/// let y = MyReLU::apply(&x);
/// assert_eq!(y.to_string(), "tensor([0., 2.], grad_fn=<MyReLUBackward>)");
/// y.sum().backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0]);
/// ```
pub trait Function: 'static {
    /// What `forward` takes: `Tensor`, `(Tensor, f64)`, `Vec<Tensor>`, …
    type Inputs: Argument;
    /// What `forward` returns: `Tensor`, `(Tensor, Tensor)`, …
    type Outputs: Argument;
    /// What `backward` takes: a tensor for each output, or an `Option` after [`FunctionCtx::set_materialize_grads`].
    type GradOutputs: FromGrads;
    /// What `backward` returns: a tensor, or an `Option`, for each argument.
    type GradInputs: IntoGrads;

    /// Whether the gradients have none themselves: `@once_differentiable`. `backward` then runs without a graph, and to
    /// differentiate its result is an error.
    const ONCE_DIFFERENTIABLE: bool = false;

    /// What a region of autocast does with forward: `@custom_fwd(device_type=…, cast_inputs=…)`.
    const CUSTOM_FWD: Option<CustomFwd> = None;

    /// Whether backward runs in the region that forward ran in: `@custom_bwd(device_type=…)`.
    const CUSTOM_BWD: Option<CustomBwd> = None;

    /// Computes the results. Nothing is recorded meanwhile.
    fn forward(ctx: &mut FunctionCtx, inputs: Self::Inputs) -> Self::Outputs;

    /// The gradients of the arguments, from those of the results.
    fn backward(ctx: &FunctionCtx, grad_outputs: Self::GradOutputs) -> Self::GradInputs;

    /// Runs the function and records it: `MyReLU.apply(x)`. Takes tensors and references to them, several arguments as a tuple:
    /// `apply((&x, 0.1))`.
    ///
    /// # Panics
    /// When a tensor marked as dirty may not be written to, or is no result.
    #[track_caller]
    fn apply(inputs: impl IntoArguments<Self::Inputs>) -> Self::Outputs
    where
        Self: Sized,
    {
        apply::<Self>(inputs.into_arguments()).or_panic()
    }
}

/// What forward and backward of a [`Function`] share: `ctx`. What forward saves, backward finds.
///
/// ```
/// use torch::Tensor;
/// use torch::autograd::{Function, FunctionCtx};
///
/// /// w · |x|^p, with the gradients that are wanted.
/// struct Power;
///
/// impl Function for Power {
///     type Inputs = (Tensor, Tensor, f64);
///     type Outputs = Tensor;
///     type GradOutputs = Tensor;
///     type GradInputs = (Option<Tensor>, Option<Tensor>, Option<Tensor>);
///
///     fn forward(ctx: &mut FunctionCtx, (x, w, p): Self::Inputs) -> Tensor {
///         ctx.save_for_backward([&x, &w]);
///         ctx.set("p", p);
///         x.abs().pow(p) * w
///     }
///
///     fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
///         let [x, w] = ctx.saved_tensors();
///         let p = *ctx.get::<f64>("p");
///         let of_x = ctx.needs_input_grad(0).then(|| &grad * &w * p * x.abs().pow(p - 1.0) * x.sign());
///         let of_w = ctx.needs_input_grad(1).then(|| &grad * x.abs().pow(p));
///         (of_x, of_w, None)
///     }
/// }
///
/// let x = torch::tensor([-3.0]).requires_grad_(true);
/// Power::apply((&x, torch::tensor([2.0]), 2.0)).backward();
/// assert_eq!(x.grad().unwrap().item(), -12.0);
/// ```
pub struct FunctionCtx<'a> {
    name: &'static str,
    kept: Kept,
    dirty: Vec<Tensor>,
    non_differentiable: Vec<Tensor>,
    to_save: Vec<Option<Tensor>>,
    /// The node's context; none in forward.
    context: Option<&'a Context<'a>>,
}

/// What the node keeps of a call, beside the saved tensors.
#[derive(Clone)]
struct Kept {
    needs_input_grad: SmallVec<[bool; 4]>,
    materialize_grads: bool,
    attributes: Vec<(&'static str, Arc<dyn Any + Send + Sync>)>,
    /// Where each saved tensor lies in the node; none for a saved `None`.
    slots: SmallVec<[Option<usize>; 4]>,
    /// The region of autocast that forward ran in, where backward wants to know.
    autocast: Option<Forwarded>,
}

impl FunctionCtx<'_> {
    /// Keeps tensors for backward: arguments, results, and what lies between them: `ctx.save_for_backward(x, y)`. A write to one of
    /// them later makes backward fail. It is called once; a second call replaces what the first kept.
    pub fn save_for_backward<'t>(&mut self, tensors: impl IntoIterator<Item = impl Into<Option<&'t Tensor>>>) {
        self.to_save = tensors.into_iter().map(|t| t.into().map(Tensor::shallow_clone)).collect();
    }

    /// The tensors that forward saved, connected to the graph: `ctx.saved_tensors`. To be taken apart:
    /// `let [x, y] = ctx.saved_tensors();`.
    ///
    /// # Panics
    /// In forward; when their number is another, or one of them is `None`. When one was written to since, or the graph was
    /// freed, backward fails with PyTorch's message.
    #[track_caller]
    pub fn saved_tensors<const N: usize>(&self) -> [Tensor; N] {
        let saved = self.saved_list();
        match saved.len() {
            n if n > N => panic!("too many values to unpack (expected {N})"),
            n if n < N => panic!("not enough values to unpack (expected {N}, got {n})"),
            _ => {}
        }
        let mut saved = saved.into_iter();
        std::array::from_fn(|i| {
            let tensor = saved.next().flatten();
            tensor.unwrap_or_else(|| panic!("saved tensor {i} is None; saved_list() gives an Option for each"))
        })
    }

    /// [`FunctionCtx::saved_tensors`] of any number, with a `None` where `None` was saved.
    ///
    /// # Panics
    /// In forward. When one was written to since, or the graph was freed, backward fails with PyTorch's message.
    #[track_caller]
    pub fn saved_list(&self) -> Vec<Option<Tensor>> {
        let context = self.context.expect("saved tensors are there in backward only");
        let saved = |slot: &Option<usize>| slot.map(|slot| context.saved(slot).unwrap_or_else(|e| raise_error(e)));
        self.kept.slots.iter().map(saved).collect()
    }

    /// Tells that forward wrote to arguments in place: `ctx.mark_dirty(x)`. They have to be results too.
    ///
    /// ```
    /// use torch::Tensor;
    /// use torch::autograd::{Function, FunctionCtx};
    /// struct Double;
    /// impl Function for Double {
    ///     type Inputs = Tensor;
    ///     type Outputs = Tensor;
    ///     type GradOutputs = Tensor;
    ///     type GradInputs = Tensor;
    ///     fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Tensor {
    ///         ctx.mark_dirty([&x]);
    ///         x.mul_(2)
    ///     }
    ///     fn backward(_: &FunctionCtx, grad: Tensor) -> Tensor {
    ///         grad * 2
    ///     }
    /// }
    /// let x = torch::tensor([1.0]).requires_grad_(true);
    /// let y = &x * 1;
    /// Double::apply(&y);
    /// assert_eq!(y.to_string(), "tensor([2.], grad_fn=<DoubleBackward>)");
    /// ```
    #[track_caller]
    pub fn mark_dirty<'t>(&mut self, tensors: impl IntoIterator<Item = &'t Tensor>) {
        for tensor in tensors {
            // Forward may have written through a guard, which nobody saw.
            tensor.array().storage().bump_version(Location::caller());
            self.dirty.push(tensor.shallow_clone());
        }
    }

    /// Tells which results have no gradient: `ctx.mark_non_differentiable(indices)`. Backward gets zeros for them.
    ///
    /// ```
    /// use torch::Tensor;
    /// use torch::autograd::{Function, FunctionCtx};
    /// struct Order;
    /// impl Function for Order {
    ///     type Inputs = Tensor;
    ///     type Outputs = (Tensor, Tensor);
    ///     type GradOutputs = (Tensor, Tensor);
    ///     type GradInputs = Tensor;
    ///     fn forward(ctx: &mut FunctionCtx, x: Tensor) -> Self::Outputs {
    ///         let largest = x.amax();
    ///         ctx.mark_non_differentiable([&largest]);
    ///         (x * 2, largest)
    ///     }
    ///     fn backward(_: &FunctionCtx, (grad, _zeros): Self::GradOutputs) -> Tensor {
    ///         grad * 2
    ///     }
    /// }
    /// let (y, largest) = Order::apply(torch::ones([2]).requires_grad_(true));
    /// assert!(y.requires_grad() && !largest.requires_grad());
    /// ```
    pub fn mark_non_differentiable<'t>(&mut self, tensors: impl IntoIterator<Item = &'t Tensor>) {
        self.non_differentiable.extend(tensors.into_iter().map(Tensor::shallow_clone));
    }

    /// Whether missing gradients of results are replaced by zeros before backward sees them, as they are by default:
    /// `ctx.set_materialize_grads(False)`. Without, `GradOutputs` has an `Option` for each result.
    pub fn set_materialize_grads(&mut self, value: bool) {
        self.kept.materialize_grads = value;
    }

    /// Whether the i-th argument required a gradient: `ctx.needs_input_grad[i]`.
    ///
    /// # Panics
    /// When there is no such argument.
    #[track_caller]
    pub fn needs_input_grad(&self, i: usize) -> bool {
        match self.kept.needs_input_grad.get(i) {
            Some(&needs) => needs,
            None => panic!("tuple index out of range"),
        }
    }

    /// Keeps a value for backward under a name: `ctx.alpha = alpha`. Tensors among arguments and results belong into
    /// [`FunctionCtx::save_for_backward`], which sees writes to them and makes no cycles.
    pub fn set(&mut self, name: &'static str, value: impl Any + Send + Sync) {
        self.kept.attributes.retain(|(n, _)| *n != name);
        self.kept.attributes.push((name, Arc::new(value)));
    }

    /// The value that was kept under a name: `ctx.alpha` is `*ctx.get::<f64>("alpha")`.
    ///
    /// # Panics
    /// When there is none, or it has another type.
    #[track_caller]
    pub fn get<T: Any>(&self, name: &str) -> &T {
        let Some((_, value)) = self.kept.attributes.iter().find(|(n, _)| *n == name) else {
            panic!("'{}' object has no attribute '{name}'", self.name)
        };
        let wanted = std::any::type_name::<T>();
        value.downcast_ref().unwrap_or_else(|| panic!("'{}' object's attribute '{name}' is no {wanted}", self.name))
    }
}

/// `MyReLUBackward` for the type `MyReLU`. Each name is made once and stays.
fn backward_name<F: Function>() -> &'static str {
    static NAMES: Mutex<Option<HashMap<TypeId, &'static str>>> = Mutex::new(None);
    let mut names = lock(&NAMES);
    names.get_or_insert_default().entry(TypeId::of::<F>()).or_insert_with(|| {
        let path = std::any::type_name::<F>().split('<').next().unwrap_or_default();
        let name = path.rsplit("::").next().unwrap_or_default();
        Box::leak(format!("{name}Backward").into_boxed_str())
    })
}

/// What a result becomes once it is known which node made it.
enum Outcome {
    /// An argument that was written to.
    Dirty {
        input: usize,
    },
    /// An argument as it was.
    Input,
    Fresh,
}

fn apply<F: Function>(inputs: F::Inputs) -> Result<F::Outputs> {
    let mut positions: SmallVec<[Option<Tensor>; 4]> = SmallVec::new();
    inputs.visit_tensors(&mut |t| positions.push(t.map(Tensor::shallow_clone)));
    let tensors: SmallVec<[&Tensor; 4]> = positions.iter().flatten().collect();
    let recorded = recording_checked(&tensors)?;
    // Forward may write to an argument: where its gradient goes is known now.
    let edges = if recorded { edges_of(&tensors) } else { SmallVec::new() };
    let kept = Kept {
        needs_input_grad: positions.iter().map(|t| t.as_ref().is_some_and(Tensor::requires_grad)).collect(),
        materialize_grads: true,
        attributes: Vec::new(),
        slots: SmallVec::new(),
        autocast: F::CUSTOM_FWD.map(CustomFwd::forwarded).transpose()?,
    };
    let (dirty, non_differentiable, to_save) = Default::default();
    let name = backward_name::<F>();
    let mut ctx = FunctionCtx { name, kept, dirty, non_differentiable, to_save, context: None };
    let outputs = {
        let _guard = no_grad();
        match F::CUSTOM_FWD {
            None => F::forward(&mut ctx, inputs),
            Some(custom) => custom.run(inputs, |inputs| F::forward(&mut ctx, inputs))?,
        }
    };
    let mut results: Vec<Tensor> = Vec::new();
    outputs.visit_tensors(&mut |t| results.extend(t.map(Tensor::shallow_clone)));
    let outcomes = outcomes(&ctx, &tensors, &results)?;
    let made = catch_fault(|| {
        let node = recorded.then(|| record::<F>(&mut ctx, &positions, edges, &results, &outcomes));
        wrap(&ctx, node, &results, &outcomes)
    })?;
    let mut made = made.iter();
    Ok(outputs.map_tensors(&mut |_| made.next().expect("a result for each").shallow_clone()))
}

fn has(list: &[Tensor], tensor: &Tensor) -> bool {
    list.iter().any(|t| t.is_same(tensor))
}

/// What each result is, and whether what was marked as dirty may be.
fn outcomes(ctx: &FunctionCtx<'_>, tensors: &[&Tensor], results: &[Tensor]) -> Result<Vec<Outcome>> {
    if !ctx.dirty.iter().all(|t| has(results, t)) {
        return Err(Error::runtime(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs that are modified \
             inplace must all be outputs of the Function.",
        ));
    }
    if ctx.dirty.iter().any(|d| !tensors.iter().any(|t| t.is_same(d))) {
        warn(
            "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be passed \
             to ctx.mark_dirty().",
        );
    }
    let outcome = |result: &Tensor| {
        let input = tensors.iter().position(|t| t.is_same(result));
        match (input, has(&ctx.dirty, result)) {
            (Some(input), true) => Outcome::Dirty { input },
            (Some(_), false) => Outcome::Input,
            (None, _) => Outcome::Fresh,
        }
    };
    let all: Vec<Outcome> = results.iter().map(outcome).collect();
    for (result, outcome) in results.iter().zip(&all) {
        if !is_grad_enabled() || !matches!(outcome, Outcome::Dirty { .. }) {
            continue;
        }
        if result.is_view() && results.len() > 1 {
            return Err(Error::runtime(
                "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more \
                 than one Tensor. This is not supported by the current autograd engine. You should either make sure the input is \
                 not a view (using .clone() for example) or make your Function only return one Tensor (potentially splitting it \
                 into two Functions: one doing the inplace that returns a single Tensor and a second one that does the other \
                 operations). You can ask on the forum https://discuss.pytorch.org/ if you need help to do this change.",
            ));
        }
        if result.requires_grad() && result.is_leaf() {
            return Err(Error::runtime("a leaf Variable that requires grad has been used in an in-place operation."));
        }
    }
    Ok(all)
}

/// The node of a call, with the saved tensors.
fn record<F: Function>(
    ctx: &mut FunctionCtx<'_>,
    positions: &[Option<Tensor>],
    edges: graph::Edges,
    results: &[Tensor],
    outcomes: &[Outcome],
) -> Recorded {
    let mut saves: Vec<Save<'_>> = Vec::new();
    for tensor in &ctx.to_save {
        ctx.kept.slots.push(tensor.as_ref().map(|_| saves.len()));
        let Some(tensor) = tensor else { continue };
        // An argument that is returned as it was stays an argument: the result is a view of it.
        let made =
            |(result, outcome): (&Tensor, &Outcome)| result.is_same(tensor) && !matches!(outcome, Outcome::Input);
        saves.push(match results.iter().zip(outcomes).position(made) {
            Some(output) => Save::Output("saved_tensors", output),
            None => Save::Tensor("saved_tensors", tensor),
        });
    }
    let is_tensor: SmallVec<[bool; 4]> = positions.iter().map(Option::is_some).collect();
    let (name, kept) = (ctx.name, ctx.kept.clone());
    let outputs = results.len();
    let backward = move |c: &Context<'_>| backward::<F>(name, &kept, &is_tensor, outputs, c);
    let mut recorded = Recorded::new(name, edges, &saves, backward);
    recorded.run_always();
    recorded
}

/// Gives the results their place in the graph.
fn wrap(
    ctx: &FunctionCtx<'_>,
    recorded: Option<Recorded>,
    results: &[Tensor],
    outcomes: &[Outcome],
) -> Result<Vec<Tensor>> {
    let arrays: Vec<Array> = results.iter().map(|t| t.array().clone()).collect();
    let with_graph = recorded.is_some();
    // A dirty view is the only result, and gives its base the history.
    let mut recorded = recorded;
    let mut node = None;
    if let ([result], [Outcome::Dirty { input }]) = (results, outcomes)
        && result.is_view()
        && let Some(recorded) = recorded.take()
    {
        views::check_in_place(result)?;
        views::rebase(result, *input, 0, recorded, &arrays);
        return Ok(vec![result.shallow_clone()]);
    }
    if let Some(recorded) = recorded {
        node = Some(recorded.finish(&arrays));
    }
    let differentiable = |t: &Tensor| with_graph && t.dtype().is_differentiable() && !has(&ctx.non_differentiable, t);
    let several = results.iter().filter(|t| differentiable(t)).count() > 1;
    let mut made = Vec::with_capacity(results.len());
    for (i, (result, outcome)) in results.iter().zip(outcomes).enumerate() {
        let tensor = match (differentiable(result), outcome) {
            (false, Outcome::Input) if result.requires_grad() => result.detach(),
            (_, Outcome::Input) => {
                let _guard = no_grad();
                ops::view_as(result, result)?
            }
            (false, Outcome::Dirty { .. }) if result.requires_grad() => result.detach(),
            (false, Outcome::Fresh) if result.requires_grad() && !result.is_view() => result.detach_(),
            _ => result.shallow_clone(),
        };
        if let (true, Some(node)) = (differentiable(result), &node) {
            tensor.meta().set_history(Some(Edge { node: node.clone(), output: i as u32 }));
        }
        if tensor.is_view() && (several || !matches!(outcome, Outcome::Dirty { .. })) {
            views::made_by_function(&tensor, several);
        }
        made.push(tensor);
    }
    Ok(made)
}

/// Runs a function's backward and checks what it returns.
fn backward<F: Function>(
    name: &'static str,
    kept: &Kept,
    is_tensor: &[bool],
    outputs: usize,
    c: &Context<'_>,
) -> Result<Grads> {
    let gradient = |i: usize| match kept.materialize_grads || c.has_grad(i) {
        true => c.grad(i).map(Some),
        false => Ok(None),
    };
    let grads: Vec<Option<Tensor>> = (0..outputs).map(gradient).collect::<Result<_>>()?;
    let twice = F::ONCE_DIFFERENTIABLE && is_grad_enabled() && grads.iter().flatten().any(Tensor::requires_grad);
    let (dirty, non_differentiable, to_save) = Default::default();
    let ctx = FunctionCtx { name, kept: kept.clone(), dirty, non_differentiable, to_save, context: Some(c) };
    let returned = {
        let _mode = set_grad_enabled(is_grad_enabled() && !F::ONCE_DIFFERENTIABLE);
        let _autocast = F::CUSTOM_BWD.map(|custom| custom.enter(kept.autocast)).transpose()?;
        let mut queue = GradQueue::new(grads);
        let taken = F::GradOutputs::from_grads(&mut queue);
        queue.check(name, outputs)?;
        let mut returned = Vec::new();
        catch_raised(|| F::backward(&ctx, taken))?.into_grads(&mut returned);
        returned
    };
    let grads = on_device(checked(name, returned, is_tensor)?, c.node())?;
    if !twice {
        return Ok(grads);
    }
    let delayed = |gradient: Option<Tensor>| {
        gradient.map(|g| {
            let message = "trying to differentiate twice a function that was marked with @once_differentiable";
            let array = g.array().clone();
            let node = Node::failing("Error", Error::runtime(message), OutputInfo::of(&array));
            Tensor::with_meta(array, Meta::from_edge(Edge { node: Arc::new(node), output: 0 }))
        })
    };
    Ok(grads.into_iter().map(delayed).collect())
}

/// The gradients of the arguments that are tensors.
fn checked(name: &str, mut grads: Vec<Option<Tensor>>, is_tensor: &[bool]) -> Result<Grads> {
    let expected = is_tensor.len();
    if grads.len() > expected && grads[expected..].iter().all(Option::is_none) {
        grads.truncate(expected);
    }
    if grads.len() != expected {
        return Err(Error::runtime(format!(
            "function {name} returned an incorrect number of gradients (expected {expected}, got {})",
            grads.len()
        )));
    }
    let mut of_tensors = Grads::new();
    for (i, (gradient, &is_tensor)) in grads.into_iter().zip(is_tensor).enumerate() {
        match gradient {
            gradient if is_tensor => of_tensors.push(gradient),
            None => {}
            Some(_) => {
                return Err(Error::runtime(format!(
                    "function {name} returned a gradient different than None at position {}, but the corresponding forward input \
                     was not a Variable",
                    i + 1
                )));
            }
        }
    }
    Ok(of_tensors)
}

/// The gradients on the devices of their arguments: numbers are moved, other tensors have to be there.
fn on_device(grads: Grads, node: &Node) -> Result<Grads> {
    let edges = node.edges.iter().enumerate();
    let moved = grads.into_iter().zip(edges).map(|(gradient, (index, edge))| match (gradient, edge) {
        (Some(g), Some(edge)) => {
            let wanted = edge.node.outputs[edge.output as usize].device;
            match g.device() == wanted {
                true => Ok(Some(g)),
                false if g.dim() == 0 => ops::to_device(&g, wanted).map(Some),
                false => Err(Error::runtime(format!(
                    "Function {} returned an invalid gradient at index {index} - expected device {wanted} but got {}",
                    node.name(),
                    g.device()
                ))),
            }
        }
        (gradient, _) => Ok(gradient),
    });
    moved.collect()
}

/// What a result or gradient of the wrong form panics with.
#[cold]
#[track_caller]
pub(crate) fn missing_gradient() -> ! {
    raise("a gradient is None after set_materialize_grads(false): GradOutputs needs an Option there".into())
}
