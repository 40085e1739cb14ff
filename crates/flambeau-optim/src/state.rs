//! What an optimizer remembers of each parameter, and its state as a value.

use crate::error::{Error, Result};
use crate::options::OptionValue;
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::{DType, Scalar};

/// Running averages and the number of steps of one parameter.
#[derive(Clone, Default)]
pub(crate) struct State {
    step: Option<f64>,
    buffers: Vec<(String, Tensor)>,
}

/// The name of the number of steps, which PyTorch keeps as a 0-dim tensor; the rest are running averages.
const STEP: &str = "step";

impl State {
    /// Counts a step and returns its number, from 1.
    pub fn count(&mut self) -> f64 {
        let step = self.step.unwrap_or(0.0) + 1.0;
        self.step = Some(step);
        step
    }

    /// Starts to count before the first step.
    pub fn start_counting(&mut self) {
        self.step = Some(0.0);
    }

    /// The buffer of that name. Where the state is `fresh` it is made, with `value` everywhere, in the parameter's dtype and order
    /// of dimensions.
    ///
    /// # Errors
    /// PyTorch's `KeyError` for a buffer that the first step did not make, since the option that needs it was set later.
    pub fn buffer(&mut self, name: &str, param: &Tensor, value: f64, fresh: bool) -> Result<Tensor> {
        if let Some(buffer) = self.get(name) {
            return Ok(buffer);
        }
        if !fresh {
            return Err(Error::Key(name.to_owned()));
        }
        let buffer = ops::clone(&param.detach())?;
        ops::fill_(&buffer, value)?;
        self.set(name, buffer.clone());
        Ok(buffer)
    }

    /// Puts a buffer under a name.
    pub fn set(&mut self, name: &str, buffer: Tensor) {
        match self.buffers.iter_mut().find(|(n, _)| n == name) {
            Some((_, slot)) => *slot = buffer,
            None => self.buffers.push((name.to_owned(), buffer)),
        }
    }

    /// The buffer of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<Tensor> {
        self.buffers.iter().find(|(n, _)| n == name).map(|(_, buffer)| buffer.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.step.is_none() && self.buffers.is_empty()
    }

    /// As PyTorch's `state_dict()` shows it: counters are 0-dim float32 tensors on the CPU.
    pub fn to_values(&self) -> Result<Vec<(String, StateValue)>> {
        let mut values = Vec::with_capacity(1 + self.buffers.len());
        if let Some(step) = self.step {
            let step = flambeau_autograd::from_scalars(&[Scalar::Float(step)], &[], DType::F32)?;
            values.push((STEP.to_owned(), StateValue::Tensor(step)));
        }
        let buffers = self.buffers.iter().map(|(name, buffer)| (name.clone(), StateValue::Tensor(buffer.clone())));
        values.extend(buffers);
        Ok(values)
    }

    /// Takes over what [`State::to_values`] or PyTorch wrote: buffers are copied in the parameter's dtype and device.
    pub fn from_values(values: &[(String, StateValue)], param: &Tensor) -> Result<Self> {
        let mut state = State::default();
        for (name, value) in values {
            match value {
                StateValue::Tensor(t) if name == STEP => state.step = Some(t.array().item()?.to_f64()),
                StateValue::Number(x) if name == STEP => state.step = Some(x.to_f64()),
                StateValue::Tensor(t) => {
                    let moved = ops::to_dtype(&ops::to_device(&t.detach(), param.device())?, param.dtype())?;
                    state.buffers.push((name.clone(), ops::clone(&moved)?));
                }
                StateValue::Number(_) => return Err(Error::Type(format!("the state's {name} is a number, no tensor"))),
                StateValue::None => {}
            }
        }
        Ok(state)
    }
}

/// One entry of a parameter's state.
#[derive(Clone)]
pub enum StateValue {
    /// `None`, as SGD has for a momentum buffer that does not exist yet.
    None,
    /// A number.
    Number(Scalar),
    /// A tensor: a running average, or a counter (0-dim float32).
    Tensor(Tensor),
}

/// A group in an optimizer's state: its options, and its parameters by their position.
#[derive(Clone)]
pub struct GroupState {
    /// PyTorch's names and values.
    pub options: Vec<(String, OptionValue)>,
    /// Positions of the group's parameters, counted through all groups.
    pub params: Vec<usize>,
}

/// An optimizer's state in PyTorch's structure: `{'state': {0: {'step': …, 'exp_avg': …}}, 'param_groups': [{…}]}`.
#[derive(Clone)]
pub struct StateDict {
    /// Each parameter's entries by name, under its position; parameters without state are left out.
    pub state: Vec<(usize, Vec<(String, StateValue)>)>,
    /// The groups.
    pub param_groups: Vec<GroupState>,
}
