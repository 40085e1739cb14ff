//! Differentiable pointwise programs and sums of them: what most operations are made of.

use crate::error::Result;
use crate::graph::{Context, Grads, Meta, Save, record, recording, recording_checked};
use crate::ops::Arrays;
use crate::{Tensor, ops, views};
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::dims::{broadcast_shapes, wrap_dims};
use flambeau_tensor::ops::{ReduceArgs, pointwise, pointwise_into, pointwise_into_repeats, reduce};
use flambeau_tensor::pointwise::{Gradient, IDENTITY, Leaf, Pointwise};
use flambeau_tensor::{DType, Dims, Scalar};
use smallvec::SmallVec;
use std::sync::LazyLock;

/// Where each leaf of an operation's gradient programs is kept.
type Slots = SmallVec<[Leaf; 4]>;

/// The leaves, other than incoming gradients, that the gradients of the inputs that want one refer to.
fn leaves(program: &'static Pointwise, wants: impl Iterator<Item = usize>) -> Slots {
    let mut slots = Slots::new();
    for i in wants {
        for &leaf in &program.gradient(i).leaves {
            if !matches!(leaf, Leaf::Grad(_)) && !slots.contains(&leaf) {
                slots.push(leaf);
            }
        }
    }
    slots
}

/// The gradient of one input: its program over the incoming gradient (in the inputs' common shape) and the saved leaves,
/// summed where the input was broadcast.
fn apply_gradient(c: &Context<'_>, call: &Recorded, input: usize, grad: &Tensor) -> Result<Tensor> {
    let (gradient, shape): (&'static Gradient, _) = (call.program.gradient(input), &call.shapes[input]);
    if gradient.is_zero {
        return ops::zeros(shape, grad.dtype(), grad.device());
    }
    let leaf = |leaf: &Leaf| match call.slots.iter().position(|s| s == leaf) {
        None => Ok(grad.shallow_clone()),
        Some(slot) => c.saved(slot),
    };
    let leaves: SmallVec<[Tensor; 4]> = gradient.leaves.iter().map(leaf).collect::<Result<_>>()?;
    let leaves: SmallVec<[&Tensor; 4]> = leaves.iter().collect();
    // A gradient that passes unchanged needs no kernel.
    let passes = gradient.passes();
    let name = "PointwiseBackward0";
    match (*shape == call.full, passes) {
        (true, true) => Ok(grad.shallow_clone()),
        (true, false) => {
            // Constants of the formula have no shape: the gradient is there to give one.
            let out = map(name, &gradient.program, &leaves, &call.scalars)?;
            ops::expand_if_needed(&out, shape)
        }
        (false, _) => {
            let leaves: SmallVec<[Tensor; 4]> =
                leaves.iter().map(|t| ops::expand_if_needed(t, &call.full)).collect::<Result<_>>()?;
            let leaves: SmallVec<[&Tensor; 4]> = leaves.iter().collect();
            let dims = broadcast_dims(&call.full, shape);
            let sum = sum_map(name, Some(&gradient.program), &leaves, &call.scalars, &dims, true, None)?;
            ops::view(&sum, &to_i64(shape))
        }
    }
}

/// The dimensions of `full` that `shape` was broadcast along.
fn broadcast_dims(full: &[usize], shape: &[usize]) -> SmallVec<[i64; 6]> {
    let new = full.len() - shape.len();
    (0..full.len()).filter(|&d| d < new || shape[d - new] == 1 && full[d] != 1).map(|d| d as i64).collect()
}

pub(crate) fn to_i64(shape: &[usize]) -> SmallVec<[i64; 6]> {
    shape.iter().map(|&n| n as i64).collect()
}

/// What a pointwise operation's backward closure keeps of its call.
struct Recorded {
    program: &'static Pointwise,
    scalars: SmallVec<[Scalar; 2]>,
    shapes: SmallVec<[Dims; 2]>,
    /// What the shapes broadcast to.
    full: Dims,
    slots: Slots,
}

impl Recorded {
    fn new(program: &'static Pointwise, inputs: &[&Tensor], scalars: &[Scalar]) -> Result<Self> {
        let shapes: SmallVec<[Dims; 2]> = inputs.iter().map(|t| t.array().shape().into()).collect();
        let mut full = shapes[0].clone();
        for shape in &shapes[1..] {
            full = broadcast_shapes(&full, shape)?;
        }
        let wants = (0..inputs.len()).filter(|&i| inputs[i].requires_grad());
        Ok(Recorded { program, scalars: scalars.into(), shapes, full, slots: leaves(program, wants) })
    }

    fn saves<'a>(&self, inputs: &[&'a Tensor]) -> SmallVec<[Save<'a>; 4]> {
        let save = |leaf: &Leaf| match *leaf {
            Leaf::Input(i) => Save::Tensor(self.program.argument(i as usize), inputs[i as usize]),
            Leaf::Output(j) => Save::Output("result", j as usize),
            Leaf::Grad(_) | Leaf::Tangent(_) => unreachable!("gradients are not saved"),
        };
        self.slots.iter().map(save).collect()
    }

    /// The gradients of all inputs that want one, for an incoming gradient that broadcasts to the inputs' shape.
    fn gradients(&self, c: &Context<'_>, grad: &Tensor) -> Result<Grads> {
        if self.slots.is_empty() {
            // Nothing is read, but a product with a number cannot run again either.
            c.unchanged(0)?;
        }
        let grad = ops::expand_if_needed(grad, &self.full)?;
        let inputs = 0..self.shapes.len();
        inputs.map(|i| c.needs(i).then(|| apply_gradient(c, self, i, &grad)).transpose()).collect()
    }
}

/// Inputs whose 0-dim tensors on the CPU were moved to the GPU of the others, as PyTorch does; `None` where there are none.
fn beside_gpu(inputs: &[&Tensor]) -> Result<Option<SmallVec<[Tensor; 4]>>> {
    let device = inputs.iter().map(|t| t.device()).find(|d| !d.is_cpu());
    let Some(device) = device.filter(|&device| inputs.iter().any(|t| t.device() != device)) else { return Ok(None) };
    let number = |t: &Tensor| t.dim() == 0 && t.device().is_cpu();
    let moved = inputs.iter().map(|t| if number(t) { ops::to_device(t, device) } else { Ok((*t).shallow_clone()) });
    moved.collect::<Result<_>>().map(Some)
}

/// Runs a program of one output on tensors; `name` is the backward's name in PyTorch.
pub(crate) fn map(
    name: &'static str,
    program: &'static Pointwise,
    inputs: &[&Tensor],
    scalars: &[Scalar],
) -> Result<Tensor> {
    let moved = beside_gpu(inputs)?;
    let moved: Option<SmallVec<[&Tensor; 4]>> = moved.as_ref().map(|all| all.iter().collect());
    let inputs = moved.as_deref().unwrap_or(inputs);
    let arrays = Arrays::of(inputs);
    let out = pointwise(program, &arrays.refs(), scalars)?;
    if !recording_checked(inputs)? || !out.dtype().is_differentiable() {
        return Ok(Tensor::from(out));
    }
    let call = Recorded::new(program, inputs, scalars)?;
    let saves = call.saves(inputs);
    Ok(record(name, inputs, &saves, out, move |c| call.gradients(c, &c.grad(0)?)))
}

/// Runs a program of one output on tensors and records it, as an operation is: for optimizers whose steps autograd records.
///
/// # Errors
/// Where the shapes do not broadcast.
///
/// ```
/// use flambeau_tensor::pointwise::Pointwise;
/// use std::sync::LazyLock;
///
/// static TWICE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0)));
/// let x = flambeau_autograd::ones([2]).requires_grad_(true);
/// let y = flambeau_autograd::recorded_program(&TWICE, &[&x], &[2.0.into()]).unwrap();
/// assert!(y.requires_grad());
/// ```
pub fn recorded_program(program: &'static Pointwise, inputs: &[&Tensor], scalars: &[Scalar]) -> Result<Tensor> {
    map("PointwiseBackward0", program, inputs, scalars)
}

/// Runs a program of one output and writes the result to its first input: `x.relu_()`.
#[track_caller]
pub(crate) fn map_(
    name: &'static str,
    program: &'static Pointwise,
    inputs: &[&Tensor],
    scalars: &[Scalar],
) -> Result<Tensor> {
    map_into(name, program, inputs, scalars, false)
}

/// [`map_`] whose first input may show an element several times: for programs that write one value where they write.
#[track_caller]
pub(crate) fn map_repeats_(
    name: &'static str,
    program: &'static Pointwise,
    inputs: &[&Tensor],
    scalars: &[Scalar],
) -> Result<Tensor> {
    map_into(name, program, inputs, scalars, true)
}

#[track_caller]
fn map_into(
    name: &'static str,
    program: &'static Pointwise,
    inputs: &[&Tensor],
    scalars: &[Scalar],
    repeats: bool,
) -> Result<Tensor> {
    let target = inputs[0];
    let moved = if target.device().is_cpu() { None } else { beside_gpu(inputs)? };
    let moved: Option<SmallVec<[&Tensor; 4]>> = moved.as_ref().map(|all| all.iter().collect());
    let inputs = moved.as_deref().unwrap_or(inputs);
    let write = || {
        let arrays = Arrays::of(inputs);
        let into = if repeats { pointwise_into_repeats } else { pointwise_into };
        Ok(into(program, &arrays.refs(), scalars, &[&target.array()])?)
    };
    if !recording(inputs) {
        views::in_place(name, target, &inputs[1..], &[], write, |_| Ok(Grads::new()))?;
        return Ok(target.shallow_clone());
    }
    views::check_in_place(target)?;
    let call = Recorded::new(program, inputs, scalars)?;
    // The write destroys the old value, so a backward that needs it gets a copy with the old place in the graph.
    let needs_old = call.slots.contains(&Leaf::Input(0));
    let old = needs_old.then(|| target.array().copy()).transpose()?.map(|copy| match target.edge() {
        Some(edge) => Tensor::with_meta(copy, Meta::from_edge(edge)),
        None => Tensor::from(copy),
    });
    let saved_inputs: SmallVec<[&Tensor; 4]> =
        std::iter::once(old.as_ref().unwrap_or(target)).chain(inputs[1..].iter().copied()).collect();
    let saves = call.saves(&saved_inputs);
    views::in_place(name, target, &inputs[1..], &saves, write, move |c| call.gradients(c, &c.grad(0)?))?;
    Ok(target.shallow_clone())
}

/// Sums a program of one output (or, without one, the single input) over `dims` (empty: all), in one kernel and without a
/// temporary.
pub(crate) fn sum_map(
    name: &'static str,
    program: Option<&'static Pointwise>,
    inputs: &[&Tensor],
    scalars: &[Scalar],
    dims: &[i64],
    keepdim: bool,
    dtype: Option<DType>,
) -> Result<Tensor> {
    divided_sum_map(name, program, inputs, scalars, dims, keepdim, dtype, None)
}

/// out / n
static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));

/// [`sum_map`], divided by `divisor`: a mean.
#[allow(clippy::too_many_arguments, reason = "a sum's arguments and the divisor")]
pub(crate) fn divided_sum_map(
    name: &'static str,
    program: Option<&'static Pointwise>,
    inputs: &[&Tensor],
    scalars: &[Scalar],
    dims: &[i64],
    keepdim: bool,
    dtype: Option<DType>,
    divisor: Option<usize>,
) -> Result<Tensor> {
    let arrays = Arrays::of(inputs);
    let result = dtype.unwrap_or_else(|| match inputs {
        [x] => x.dtype(),
        several => ops::nn::loss::rules::common_dtype(several),
    });
    // A sum of halves may overflow where their mean does not: it stays in f32 until it is divided.
    let wide = divisor.is_some() && matches!(result, DType::F16 | DType::BF16);
    let dtype = if wide { Some(DType::F32) } else { dtype };
    let args = ReduceArgs { op: ReduceOp::Sum, map: program, dims, keepdim, dtype };
    let mut out = reduce(args, &arrays.refs(), scalars)?;
    let divisor = divisor.map(|n| Scalar::Int(n as i64));
    if let Some(n) = divisor {
        pointwise_into(&DIVIDE, &[&out], &[n], &[&out])?;
        out = if wide { out.to_dtype(result)? } else { out };
    }
    if !recording_checked(inputs)? || !out.dtype().is_differentiable() {
        return Ok(Tensor::from(out));
    }
    let call = Recorded::new(program.unwrap_or(&IDENTITY), inputs, scalars)?;
    let full = &call.full;
    let reduced = wrap_dims(dims, full.len())?;
    let kept: SmallVec<[i64; 6]> =
        (0..full.len()).map(|d| if reduced.contains(&d) { 1 } else { full[d] as i64 }).collect();
    let saves = call.saves(inputs);
    Ok(record(name, inputs, &saves, out, move |c| {
        let mut grad = ops::view(&c.grad(0)?, &kept)?;
        if let Some(n) = divisor {
            grad = map("DivBackward0", &DIVIDE, &[&grad], &[n])?;
        }
        call.gradients(c, &grad)
    }))
}
