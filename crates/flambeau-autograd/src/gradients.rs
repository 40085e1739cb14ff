//! Asking for gradients as a user does: `x.backward()`, `torch.autograd.grad`.

use crate::arguments::OneOrMore;
use crate::{OrPanic, Result, Tensor, engine, ops};
use smallvec::SmallVec;

crate::options! {
    /// The keywords of [`Tensor::backward`], for [`Tensor::backward_with`].
    #[derive(Clone, Debug)]
    BackwardOptions {
        /// The gradient of the tensor itself; one of a tensor of one element by default.
        gradient: Option<Tensor> = None,
        /// Whether the graph is kept for another backward; `create_graph` by default.
        retain_graph: Option<bool> = None,
        /// Whether the gradients are recorded, for derivatives of higher order.
        create_graph: bool = false,
        /// The tensors whose `grad` is added to, leaves or not; every leaf by default.
        inputs: Option<Vec<Tensor>> = None,
    }
}

crate::options! {
    /// The keywords of an optimizer's and a module's `zero_grad`, for `zero_grad_with`.
    #[derive(Clone, Debug)]
    ZeroGradOptions {
        /// Whether the gradients go, rather than becoming zeros in their memory.
        set_to_none: bool = true,
    }
}

crate::options! {
    /// The keywords of [`grad`], for [`grad_with`] and [`grad_allow_unused`].
    #[derive(Clone, Debug)]
    GradOptions {
        /// The gradients of the outputs, one for each; ones of outputs of one element by default.
        grad_outputs: Vec<Tensor> = Vec::new(),
        /// Whether the graph is kept for another backward; `create_graph` by default.
        retain_graph: Option<bool> = None,
        /// Whether the gradients are recorded, for derivatives of higher order.
        create_graph: bool = false,
        /// Whether an input that the outputs do not depend on has a gradient of zeros, rather than being an error or `None`.
        materialize_grads: bool = false,
    }
}

crate::options! {
    /// The keywords of [`backward`], for [`backward_with`].
    #[derive(Clone, Debug)]
    GradTensorsOptions {
        /// The gradients of the tensors, one for each; ones of tensors of one element by default.
        grad_tensors: Vec<Tensor> = Vec::new(),
        /// Whether the graph is kept for another backward; `create_graph` by default.
        retain_graph: Option<bool> = None,
        /// Whether the gradients are recorded, for derivatives of higher order.
        create_graph: bool = false,
        /// The tensors whose `grad` is added to, leaves or not; every leaf by default.
        inputs: Option<Vec<Tensor>> = None,
    }
}

impl Tensor {
    /// Adds the gradients of this tensor's one element to the `grad` of every leaf that it depends on: `x.backward()`.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0]).requires_grad_(true);
    /// x.square().sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// When the tensor has several elements or no graph, the graph was freed, or a saved tensor was written to.
    #[track_caller]
    pub fn backward(&self) {
        engine::backward(&[self], &[None], false, false).or_panic();
    }

    /// [`Tensor::backward`] with keywords: the gradient of this tensor, whether the graph is kept and recorded, and whose `grad`
    /// is added to.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0]).requires_grad_(true);
    /// let y = x.square();
    /// y.backward_with(|o| o.gradient(torch::tensor([1.0, 0.5])).retain_graph(true));
    /// y.sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [4.0, 6.0]);
    ///
    /// let w = torch::tensor(3.0).requires_grad_(true);
    /// (x * &w).sum().backward_with(|o| o.inputs(&w));
    /// assert_eq!(w.grad().unwrap().item(), 3.0); // and nothing was added to the gradient of x
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::backward`]; when the gradient's shape is not the tensor's; when `inputs` is empty or one does not require grad.
    #[track_caller]
    pub fn backward_with(&self, options: impl FnOnce(BackwardOptions) -> BackwardOptions) {
        let BackwardOptions { gradient, retain_graph, create_graph, inputs } = options(BackwardOptions::default());
        accumulate(&[self], &[gradient.as_ref()], inputs.as_deref(), retain_graph, create_graph);
    }
}

/// The gradients of `outputs` for `inputs`, without touching any `grad`: `torch.autograd.grad`. One tensor or several stand on
/// either side.
///
/// ```
/// let x = torch::tensor(3.0).requires_grad_(true);
/// let y = x.pow(2);
/// let grads = torch::autograd::grad(&y, &x);
/// assert_eq!(grads[0].item(), 6.0);
/// ```
///
/// # Panics
/// As [`Tensor::backward`]; and when an input does not require grad, or the outputs do not depend on it.
#[track_caller]
pub fn grad(outputs: impl OneOrMore, inputs: impl OneOrMore) -> Vec<Tensor> {
    grad_with(outputs, inputs, |o| o)
}

/// [`grad`] with keywords.
///
/// ```
/// let x = torch::tensor(3.0).requires_grad_(true);
/// let first = torch::autograd::grad_with(x.pow(3), &x, |o| o.create_graph(true));
/// let second = torch::autograd::grad(&first[0], &x);
/// assert_eq!(second[0].item(), 18.0);
///
/// // An input that the output does not depend on, as PyTorch's `materialize_grads=True`.
/// let zeros = torch::autograd::grad_with(x.exp(), [&x, &torch::ones(2).requires_grad_(true)], |o| o.materialize_grads(true));
/// assert_eq!(zeros[1].to_vec::<f32>(), [0.0, 0.0]);
///
/// let w = torch::ones(2).requires_grad_(true);
/// let g = torch::autograd::grad_with(&w * 2, &w, |o| o.grad_outputs(torch::tensor([1.0, 3.0])));
/// assert_eq!(g[0].to_vec::<f32>(), [2.0, 6.0]);
/// ```
///
/// # Panics
/// As [`grad`].
#[track_caller]
pub fn grad_with(
    outputs: impl OneOrMore,
    inputs: impl OneOrMore,
    options: impl FnOnce(GradOptions) -> GradOptions,
) -> Vec<Tensor> {
    let options = options(GradOptions::default());
    let inputs = inputs.to_list();
    let grads = of(&outputs.to_list(), &inputs, &options, options.materialize_grads);
    let zeros = |x: &Tensor| Ok(ops::zeros_like(x, None, None)?.requires_grad_(options.create_graph));
    let all: Result<_> = inputs.iter().zip(grads).map(|(x, grad)| grad.map_or_else(|| zeros(x), Ok)).collect();
    all.or_panic()
}

/// [`grad_with`] that gives `None` for an input that the outputs do not depend on: `allow_unused=True`.
///
/// ```
/// let (x, unused) = (torch::tensor(3.0).requires_grad_(true), torch::tensor(1.0).requires_grad_(true));
/// let grads = torch::autograd::grad_allow_unused(x.pow(2), [&x, &unused], |o| o);
/// assert_eq!(grads[0].as_ref().unwrap().item(), 6.0);
/// assert!(grads[1].is_none());
/// ```
///
/// # Panics
/// As [`Tensor::backward`]; and when an input does not require grad.
#[track_caller]
pub fn grad_allow_unused(
    outputs: impl OneOrMore,
    inputs: impl OneOrMore,
    options: impl FnOnce(GradOptions) -> GradOptions,
) -> Vec<Option<Tensor>> {
    let options = options(GradOptions::default());
    match options.materialize_grads {
        true => grad_with(outputs, inputs, |_| options).into_iter().map(Some).collect(),
        false => of(&outputs.to_list(), &inputs.to_list(), &options, true),
    }
}

/// Adds the gradients of `tensors`, each of one element, to the `grad` of every leaf: `torch.autograd.backward`.
///
/// ```
/// let x = torch::tensor(3.0).requires_grad_(true);
/// torch::autograd::backward([x.square(), &x * 2]);
/// assert_eq!(x.grad().unwrap().item(), 8.0);
/// ```
///
/// # Panics
/// As [`Tensor::backward`].
#[track_caller]
pub fn backward(tensors: impl OneOrMore) {
    backward_with(tensors, |o| o);
}

/// [`backward`] with keywords.
///
/// ```
/// let x = torch::ones(2).requires_grad_(true);
/// torch::autograd::backward_with(&x * 2, |o| o.grad_tensors([torch::tensor([1.0, 3.0])]));
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 6.0]);
/// ```
///
/// # Panics
/// As [`Tensor::backward`].
#[track_caller]
pub fn backward_with(tensors: impl OneOrMore, options: impl FnOnce(GradTensorsOptions) -> GradTensorsOptions) {
    let GradTensorsOptions { grad_tensors, retain_graph, create_graph, inputs } =
        options(GradTensorsOptions::default());
    let gradients: SmallVec<[_; 2]> = grad_tensors.iter().map(Some).collect();
    accumulate(&tensors.to_list(), &gradients, inputs.as_deref(), retain_graph, create_graph);
}

#[track_caller]
fn accumulate(
    tensors: &[&Tensor],
    gradients: &[Option<&Tensor>],
    inputs: Option<&[Tensor]>,
    retain_graph: Option<bool>,
    create_graph: bool,
) {
    let retain_graph = retain_graph.unwrap_or(create_graph);
    let done = match inputs {
        None => engine::backward(tensors, gradients, retain_graph, create_graph),
        Some(inputs) => {
            let inputs: SmallVec<[_; 4]> = inputs.iter().collect();
            engine::backward_for(tensors, gradients, &inputs, retain_graph, create_graph)
        }
    };
    done.or_panic();
}

#[track_caller]
fn of(outputs: &[&Tensor], inputs: &[&Tensor], options: &GradOptions, allow_unused: bool) -> Vec<Option<Tensor>> {
    let grad_outputs: SmallVec<[_; 2]> = options.grad_outputs.iter().map(Some).collect();
    let retain_graph = options.retain_graph.unwrap_or(options.create_graph);
    engine::grad(outputs, inputs, &grad_outputs, retain_graph, options.create_graph, allow_unused).or_panic()
}
