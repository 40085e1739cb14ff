//! One fused program for all parameters of a group.

use crate::error::Result;
use crate::options::Options;
use crate::rule::Target;
use flambeau_autograd::{Tensor, ops, recorded_program};
use flambeau_tensor::Scalar;
use flambeau_tensor::backend::PointwiseList;
use flambeau_tensor::ops::pointwise_lists;
use flambeau_tensor::pointwise::{Builder, Expr, Pointwise};
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::OnceLock;

/// The option of weight decay by a factor, in place of a penalty in the gradient.
pub(crate) const DECOUPLED: &str = "decoupled_weight_decay";

/// What all rules make of a gradient and of the weights before their own formula.
#[derive(Clone, Copy)]
pub(crate) struct Gradient {
    /// Whether the objective is to be maximised: the gradient is turned round.
    maximize: bool,
    /// Whether `decay · param` is added to the gradient.
    penalty: bool,
    /// Whether the parameter is multiplied by `decay`.
    shrink: bool,
    /// The number for either.
    pub decay: f64,
}

impl Gradient {
    /// As a group's options say. What is none of the optimizer's options does not happen.
    pub fn of(options: &Options, defaults: &Options) -> Result<Self> {
        let flag = |name| if defaults.has(name) { options.flag(name) } else { Ok(false) };
        let decay = if defaults.has("weight_decay") { options.number("weight_decay")? } else { 0.0 };
        let (maximize, decoupled) = (flag("maximize")?, flag(DECOUPLED)?);
        let factor = if decoupled { (1.0 - options.rate("lr")? * decay).to_f64() } else { decay };
        let decays = decay != 0.0;
        Ok(Gradient { maximize, penalty: decays && !decoupled, shrink: decays && decoupled, decay: factor })
    }
}

/// What a rule's formula starts from.
pub(crate) struct Given<'b> {
    builder: &'b Builder,
    /// The parameter, after decoupled weight decay.
    pub param: Expr<'b>,
    /// The gradient, turned round where the objective is to be maximised, and with the penalty of weight decay.
    pub grad: Expr<'b>,
}

impl<'b> Given<'b> {
    /// Inputs 0 and 1, scalar 0.
    fn new(builder: &'b Builder, on: Gradient) -> Self {
        let (mut param, mut grad) = (builder.input(0), builder.input(1));
        if on.maximize {
            grad = -grad;
        }
        if on.penalty {
            grad = (grad + param * builder.scalar(0).rounded()).rounded();
        }
        if on.shrink {
            param = (param * builder.scalar(0)).rounded();
        }
        Given { builder, param, grad }
    }

    /// The i-th running average.
    pub fn buffer(&self, i: usize) -> Expr<'b> {
        self.builder.input(2 + i)
    }

    /// The rule's numbers.
    pub fn scalars<const N: usize>(&self) -> [Expr<'b>; N] {
        std::array::from_fn(|i| self.builder.scalar(1 + i))
    }
}

/// A rule's formula: the new parameter, then the new running averages. `rounded` stands where PyTorch's formula is several
/// operations, each of which rounds halves; wider floats round as they are. A factor in an addition (`alpha`) is rounded too.
type Formula<const N: usize> = for<'b> fn(&Given<'b>, [bool; N]) -> Vec<Expr<'b>>;

/// A rule's program for every combination of its switches and the gradient's, built when it is first used.
pub(crate) struct Programs<const N: usize> {
    slots: [OnceLock<Pointwise>; 1 << (3 + MOST_SWITCHES)],
    /// Of each program one with a single result per result of it, for steps that autograd records.
    parts: [OnceLock<Vec<Pointwise>>; 1 << (3 + MOST_SWITCHES)],
    formula: Formula<N>,
}

/// How many switches a rule may have.
const MOST_SWITCHES: usize = 3;

impl<const N: usize> Programs<N> {
    pub const fn new(formula: Formula<N>) -> Self {
        const { assert!(N <= MOST_SWITCHES) };
        Programs { slots: [const { OnceLock::new() }; _], parts: [const { OnceLock::new() }; _], formula }
    }

    /// The program for these switches.
    pub fn get(&self, gradient: Gradient, on: [bool; N]) -> &Pointwise {
        self.slots[slot(gradient, on)]
            .get_or_init(|| Pointwise::with_outputs(|builder| (self.formula)(&Given::new(builder, gradient), on)))
    }

    /// A program for each result of [`Programs::get`].
    pub fn parts(&self, gradient: Gradient, on: [bool; N]) -> &[Pointwise] {
        let count = || self.get(gradient, on).outputs().len();
        let part = |i| Pointwise::new(|builder| (self.formula)(&Given::new(builder, gradient), on)[i]);
        self.parts[slot(gradient, on)].get_or_init(|| (0..count()).map(part).collect())
    }
}

fn slot<const N: usize>(gradient: Gradient, on: [bool; N]) -> usize {
    let all = [gradient.maximize, gradient.penalty, gradient.shrink].into_iter().chain(on);
    all.fold(0, |bits, on| bits << 1 | usize::from(on))
}

/// Updates one parameter so that autograd records it: each result by itself, then written over the parameter or the buffer.
pub(crate) fn record(
    parts: &'static [Pointwise],
    target: &Target<'_>,
    decay: f64,
    scalars: &[f64],
    buffers: &[Tensor],
) -> Result<()> {
    let (own, all): ([&Tensor; 2], Vec<Scalar>) =
        ([target.param, &target.grad], [&decay].into_iter().chain(scalars).map(|&x| x.into()).collect());
    // Backward needs what the writes below change.
    let inputs: Vec<Tensor> = own.into_iter().chain(buffers).map(ops::clone).collect::<Result<_, _>>()?;
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let result =
        |part: &'static Pointwise| recorded_program(part, &inputs[..part.num_inputs()], &all[..part.num_scalars()]);
    let results: Vec<Tensor> = parts.iter().map(result).collect::<Result<_, _>>()?;
    for (place, result) in [target.param].into_iter().chain(buffers).zip(&results) {
        ops::copy_(place, result)?;
    }
    Ok(())
}

/// The updates of one step. Those with the same program and numbers run together.
#[derive(Default)]
pub(crate) struct Updates<'p>(Vec<Planned<'p>>);

struct Planned<'p> {
    program: &'p Pointwise,
    scalars: SmallVec<[Scalar; 8]>,
    list: PointwiseList,
}

impl<'p> Updates<'p> {
    /// Adds an update: the program's results over the parameter, its gradient and `buffers` go to the parameter and `buffers`.
    /// Of inputs and scalars it takes as many as it names.
    pub fn push(
        &mut self,
        program: &'p Pointwise,
        target: &Target<'_>,
        decay: f64,
        scalars: &[f64],
        buffers: &[Tensor],
    ) {
        let arrays = |first: &[&Tensor], count| {
            first.iter().copied().chain(buffers).take(count).map(|t| t.array().clone()).collect()
        };
        let inputs = arrays(&[target.param, &target.grad], program.num_inputs());
        let outs = arrays(&[target.param], program.outputs().len());
        let scalars = std::iter::once(&decay).chain(scalars).take(program.num_scalars());
        let scalars = scalars.map(|&x| x.into()).collect();
        self.0.push(Planned { program, scalars, list: PointwiseList { inputs, outs } });
    }

    /// Runs all updates and counts a write on each result. Nothing is recorded.
    pub fn run(self, caller: &'static Location<'static>) -> Result<()> {
        let mut rest = &self.0[..];
        while let Some(first) = rest.first() {
            let same = |u: &&Planned<'_>| std::ptr::eq(u.program, first.program) && u.scalars == first.scalars;
            // A number that is NaN equals nothing, not even itself.
            let count = 1 + rest[1..].iter().take_while(same).count();
            let lists: Vec<PointwiseList> = rest[..count].iter().map(|u| u.list.clone()).collect();
            pointwise_lists(first.program, &lists, &first.scalars)?;
            lists.iter().flat_map(|l| &l.outs).for_each(|a| a.storage().bump_version(caller));
            rest = &rest[count..];
        }
        Ok(())
    }
}

/// Runs a program over `inputs` and writes its results to `outs`, which count a write. Of inputs and scalars it takes as many as
/// it names. Nothing is recorded.
pub(crate) fn into_places(
    program: &Pointwise,
    inputs: &[&Tensor],
    outs: &[&Tensor],
    scalars: &[f64],
    caller: &'static Location<'static>,
) -> Result<()> {
    let arrays = |tensors: &[&Tensor]| tensors.iter().map(|t| t.array().clone()).collect();
    let list = PointwiseList { inputs: arrays(&inputs[..program.num_inputs()]), outs: arrays(outs) };
    let scalars: SmallVec<[Scalar; 4]> = scalars[..program.num_scalars()].iter().map(|&x| x.into()).collect();
    pointwise_lists(program, std::slice::from_ref(&list), &scalars)?;
    list.outs.iter().for_each(|a| a.storage().bump_version(caller));
    Ok(())
}

/// decay · square + gain · x²: `square.mul_(decay).addcmul_(x, x, value=gain)`.
pub(crate) fn decayed_square<'b>(square: Expr<'b>, decay: Expr<'b>, gain: Expr<'b>, x: Expr<'b>) -> Expr<'b> {
    ((square * decay).rounded() + gain * x * x).rounded()
}

/// start + weight · (end − start), from the nearer end as `torch.lerp` computes it: `near_end` where the weight is at least ½. It is
/// one operation of PyTorch's, so its result is rounded.
pub(crate) fn lerp<'b>(start: Expr<'b>, end: Expr<'b>, weight: Expr<'b>, near_end: bool) -> Expr<'b> {
    let value = match near_end {
        false => start + weight * (end - start),
        true => end - (end - start) * (1.0 - weight),
    };
    value.rounded()
}

#[cfg(test)]
mod tests {
    use crate::{Adadelta, Adam, Optimizer, RMSprop, SGD};
    use flambeau_autograd::{Tensor, tensor};

    /// Two recorded steps from 2 · x by the gradient g, and the gradients by x and g of a loss after them.
    fn two_steps(make: impl Fn(&Tensor) -> Optimizer) -> [Vec<f64>; 3] {
        let leaf = |values: [f64; 2]| tensor(values).double().requires_grad_(true);
        let (x, g) = (leaf([1.0, -2.0]), leaf([0.5, 3.0]));
        let p = x.mul(2.0);
        let optimizer = make(&p);
        for _ in 0..2 {
            p.set_grad(Some(g.mul(1.0)));
            optimizer.step();
        }
        p.mul(tensor([1.0, 10.0])).sum().backward();
        let values = |t: Tensor| t.detach().to_vec::<f64>();
        [values(p), values(x.grad().unwrap()), values(g.grad().unwrap())]
    }

    /// PyTorch 2.15's numbers of the same steps with `differentiable=True`.
    #[test]
    fn recorded_steps_have_pytorchs_gradients() {
        let sgd = two_steps(|p| SGD::with([p], 0.1, |o| o.momentum(0.9).differentiable(true)).into());
        let adam = two_steps(|p| Adam::with([p], 0.1, |o| o.weight_decay(0.1).differentiable(true)).into());
        let rmsprop = two_steps(|p| RMSprop::with([p], 0.1, |o| o.differentiable(true)).into());
        let adadelta = two_steps(|p| Adadelta::with([p], 0.1, |o| o.differentiable(true)).into());
        let expected = [
            (sgd, [[1.855, -4.87], [2.0, 20.0], [-0.1, -1.0]]),
            (
                adam,
                [
                    [1.8000417600158265, -4.199988102870475],
                    [1.9999877181627161, 19.99999197196446],
                    [-6.14091864193228e-05, -4.0140177711672775e-05],
                ],
            ),
            (
                rmsprop,
                [
                    [0.2911190954941233, -5.708881154924585],
                    [2.0, 20.0],
                    [-6.010048076987573e-07, -1.6694583004905894e-07],
                ],
            ),
            (
                adadelta,
                [
                    [1.9993593423755018, -4.000640670247607],
                    [2.0, 20.0],
                    [-5.193355544111204e-08, -2.404472187111581e-09],
                ],
            ),
        ];
        for (i, (ours, theirs)) in expected.into_iter().enumerate() {
            for (a, b) in ours.iter().flatten().zip(theirs.into_iter().flatten()) {
                // PyTorch computes what corrects for the first steps in float32 here.
                assert!((a - b).abs() <= 1e-12 + 1e-4 * b.abs(), "{i}: {ours:?} {theirs:?}");
            }
        }
    }

    /// A rate that is NaN makes NaN, and ends.
    #[test]
    fn numbers_that_are_nan_do_not_loop() {
        let w = tensor([1.0]).requires_grad_(true);
        let optimizer = SGD::new([&w], f64::NAN);
        w.sum().backward();
        optimizer.step();
        assert!(w.item().is_nan());
    }
}
