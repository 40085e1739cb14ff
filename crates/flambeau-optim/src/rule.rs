//! Update rules: what tells one optimizer from another, and how a group takes a step by one.

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::options::Options;
use crate::programs::{Gradient, Programs, Updates, record};
use crate::state::{STEP, State};
use flambeau_autograd::{Tensor, ops};
use smallvec::SmallVec;
use std::panic::Location;

/// An update rule.
pub(crate) trait Rule: Send + Sync {
    /// Whether an option that the constructor checks may have this value.
    fn allows(&self, _name: &str, value: f64) -> bool {
        value >= 0.0
    }

    /// Checks what PyTorch's constructor looks at before all else.
    fn check_first(&self, _options: &Options) -> Result<()> {
        Ok(())
    }

    /// Checks the constructor's options for what no single option shows.
    fn check(&self, _options: &Options) -> Result<()> {
        Ok(())
    }

    /// Refuses a number of groups that the rule cannot do.
    fn check_groups(&self, _groups: usize) -> Result<()> {
        Ok(())
    }

    /// Whether PyTorch's implementation over lists refuses to be recorded.
    fn refuses_foreach_gradients(&self) -> bool {
        true
    }

    /// What PyTorch says of `capturable` on the CPU.
    fn uncapturable(&self, foreach: bool) -> String {
        uncapturable("params and state_steps", !foreach)
    }

    /// Sets what no file may change.
    fn loaded(&self, _class: &str, _options: &mut Options) {}

    /// The entries of a parameter's state that are numbers, and no running averages.
    fn numbers(&self) -> &'static [&'static str] {
        &[STEP]
    }

    /// What takes a step by evaluating the loss several times; such a rule has no [`Rule::update`].
    fn search(&self) -> Option<Search> {
        None
    }

    /// Gives options that were left open the value that others give them.
    fn settle(&self, _defaults: &mut Options) -> Result<()> {
        Ok(())
    }

    /// Prepares the state of one of the constructor's parameters, for rules that do so before the first step.
    fn prepare(&self, _defaults: &Options, _param: &Tensor, _state: &mut State) -> Result<()> {
        Ok(())
    }

    /// Updates parameters of one group by their gradients.
    fn update(&self, step: Step<'_>) -> Result<()>;
}

/// A step that evaluates the loss itself: `LBFGS`. It gets the optimizer, whose lock nobody holds, and what evaluates the loss.
pub(crate) type Search = fn(&Optimizer, &mut dyn FnMut() -> Result<f64>) -> Result<()>;

/// PyTorch's words for `capturable` where a device cannot do it.
pub(crate) fn uncapturable(what: &str, xla: bool) -> String {
    let xla = if xla { ", 'xla'" } else { "" };
    format!("If capturable=True, {what} must be on supported devices: ['cuda', 'xpu', 'hpu', 'privateuseone'{xla}].")
}

/// A parameter to update.
pub(crate) struct Target<'a> {
    pub param: &'a Tensor,
    pub grad: Tensor,
    pub state: &'a mut State,
    /// Whether the state was empty when the step began.
    pub fresh: bool,
}

impl Target<'_> {
    /// Counts a step and returns its number, from 1.
    ///
    /// # Errors
    /// As [`Target::number`].
    pub fn count(&mut self) -> Result<f64> {
        let step = self.number(STEP, 0.0)?;
        *step += 1.0;
        Ok(*step)
    }

    /// The number of that name, which starts as `first`.
    ///
    /// # Errors
    /// PyTorch's `KeyError` where a state that is not fresh lacks it: it was loaded from another optimizer's.
    pub fn number(&mut self, name: &str, first: f64) -> Result<&mut f64> {
        if self.fresh || self.state.has_number(name) {
            Ok(self.state.number(name, first))
        } else {
            Err(Error::Key(name.to_owned()))
        }
    }

    /// The buffer of that name, which starts as zeros of a shape of its own.
    ///
    /// # Errors
    /// PyTorch's `AssertionError`, in the words `missing`, where a state that is not fresh lacks it.
    pub fn zeros(&mut self, name: &str, shape: &[usize], missing: &str) -> Result<Tensor> {
        if let Some(buffer) = self.state.get(name) {
            return Ok(buffer);
        }
        if !self.fresh {
            return Err(Error::Assertion(missing.to_owned()));
        }
        let buffer = ops::zeros(shape, self.grad.dtype(), self.grad.device())?;
        self.state.set(name, buffer.shallow_clone());
        Ok(buffer)
    }

    /// The running average of that name, which starts with `value` everywhere.
    ///
    /// # Errors
    /// As [`State::buffer`].
    pub fn buffer(&mut self, name: &str, value: f64) -> Result<Tensor> {
        self.state.buffer(name, self.param, value, self.fresh)
    }
}

/// What a parameter's update is, besides the gradient's part, which is the same for all rules.
pub(crate) struct Update<const SWITCHES: usize, const SCALARS: usize> {
    /// The switches of the program.
    pub on: [bool; SWITCHES],
    /// The numbers of the program.
    pub scalars: [f64; SCALARS],
    /// The running averages, which the program reads and replaces.
    pub buffers: SmallVec<[Tensor; 3]>,
}

/// One step of a group.
pub(crate) struct Step<'a> {
    pub options: &'a Options,
    /// The constructor's options.
    pub defaults: &'a Options,
    pub targets: Vec<Target<'a>>,
    pub caller: &'static Location<'static>,
    /// Whether autograd records the step: `differentiable`.
    pub recorded: bool,
}

impl Step<'_> {
    /// Runs the update of each parameter.
    pub fn run<const N: usize, const M: usize>(
        mut self,
        programs: &'static Programs<N>,
        mut update: impl FnMut(&mut Target<'_>) -> Result<Update<N, M>>,
    ) -> Result<()> {
        let gradient = Gradient::of(self.options, self.defaults)?;
        let mut updates = Updates::default();
        for target in &mut self.targets {
            let Update { on, scalars, buffers } = update(target)?;
            if self.recorded {
                record(programs.parts(gradient, on), target, gradient.decay, &scalars, &buffers)?;
                continue;
            }
            updates.push(programs.get(gradient, on), target, gradient.decay, &scalars, &buffers);
        }
        updates.run(self.caller)
    }

    /// [`Step::run`] of a rule that counts steps and keeps running averages, which start at 0: those in use, in the order of
    /// the program and of PyTorch's state. `scalars` gives the numbers of a parameter's t-th step.
    pub fn averages<const N: usize, const M: usize>(
        self,
        programs: &'static Programs<N>,
        on: [bool; N],
        names: &[(&str, bool)],
        mut scalars: impl FnMut(&mut Target<'_>, f64) -> Result<[f64; M]>,
    ) -> Result<()> {
        self.run(programs, |target| {
            let in_use = names.iter().filter(|(_, in_use)| *in_use);
            let buffers = in_use.map(|(name, _)| target.buffer(name, 0.0)).collect::<Result<_>>()?;
            let t = target.count()?;
            Ok(Update { on, scalars: scalars(target, t)?, buffers })
        })
    }
}
