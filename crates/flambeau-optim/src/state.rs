//! What an optimizer remembers of each parameter, and its state as a value.

use crate::error::Result;
use crate::options::OptionValue;
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::{DType, Scalar};

/// Running averages and the number of steps of one parameter.
#[derive(Clone, Default)]
pub(crate) struct State {
    counters: Vec<(String, f64)>,
    buffers: Vec<(String, Tensor)>,
}

/// The names under which PyTorch keeps numbers, as 0-dim tensors on the CPU; the rest are running averages.
const COUNTERS: [&str; 2] = ["step", "mu_product"];

impl State {
    /// Counts a step and returns its number, from 1.
    pub fn count(&mut self) -> f64 {
        let step = self.counter("step", 0.0);
        *step += 1.0;
        *step
    }

    /// The number of that name, one of [`COUNTERS`]; `start` when there is none yet.
    pub fn counter(&mut self, name: &str, start: f64) -> &mut f64 {
        let at = self.counters.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
            self.counters.push((name.to_owned(), start));
            self.counters.len() - 1
        });
        &mut self.counters[at].1
    }

    /// The buffer of that name; made with `value` everywhere, in the parameter's dtype and order of dimensions, when there
    /// is none yet.
    pub fn buffer(&mut self, name: &str, param: &Tensor, value: f64) -> Result<Tensor> {
        if let Some(buffer) = self.get(name) {
            return Ok(buffer);
        }
        let buffer = ops::clone(&param.detach())?;
        ops::fill_(&buffer, value)?;
        self.insert(name, buffer.clone());
        Ok(buffer)
    }

    /// Adds a buffer under a new name.
    pub fn insert(&mut self, name: &str, buffer: Tensor) {
        self.buffers.push((name.to_owned(), buffer));
    }

    /// The buffer of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<Tensor> {
        self.buffers.iter().find(|(n, _)| n == name).map(|(_, buffer)| buffer.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.counters.is_empty() && self.buffers.is_empty()
    }

    /// As PyTorch's `state_dict()` shows it: counters are 0-dim float32 tensors on the CPU.
    pub fn to_values(&self) -> Result<Vec<(String, StateValue)>> {
        let mut values = Vec::with_capacity(self.counters.len() + self.buffers.len());
        for (name, x) in &self.counters {
            let x = flambeau_autograd::from_scalars(&[Scalar::Float(*x)], &[], DType::F32)?;
            values.push((name.clone(), StateValue::Tensor(x)));
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
                StateValue::Tensor(t) if COUNTERS.contains(&name.as_str()) => {
                    state.counters.push((name.clone(), t.array().item()?.to_f64()));
                }
                StateValue::Tensor(t) => {
                    let moved = ops::to_dtype(&ops::to_device(&t.detach(), param.device())?, param.dtype())?;
                    state.buffers.push((name.clone(), ops::clone(&moved)?));
                }
                StateValue::Number(x) => state.counters.push((name.clone(), x.to_f64())),
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
