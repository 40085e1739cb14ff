//! What an optimizer remembers of each parameter, and its state as a value.

use crate::error::{Error, Result};
use crate::lbfgs::Memory;
use crate::options::OptionValue;
use crate::rule::Rule;
use flambeau_autograd::{AsState, Tensor, ops};
use flambeau_tensor::{DType, Scalar};
use std::borrow::Cow;

/// Numbers and running averages of one parameter, each in the order in which they came up.
#[derive(Default)]
pub(crate) struct State {
    numbers: Vec<(String, f64)>,
    buffers: Vec<(String, Tensor)>,
    /// What L-BFGS remembers, under the first parameter.
    pub memory: Option<Box<Memory>>,
}

/// The name of the number of steps.
pub(crate) const STEP: &str = "step";

impl State {
    /// The number of that name, which starts as `first`. PyTorch keeps it as a 0-dim tensor of float32.
    pub fn number(&mut self, name: &str, first: f64) -> &mut f64 {
        let at = self.numbers.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
            self.numbers.push((name.to_owned(), first));
            self.numbers.len() - 1
        });
        &mut self.numbers[at].1
    }

    /// Whether there is a number of that name.
    pub fn has_number(&self, name: &str) -> bool {
        self.numbers.iter().any(|(n, _)| n == name)
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
        self.set(name, buffer.shallow_clone());
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
        self.buffers.iter().find(|(n, _)| n == name).map(|(_, buffer)| buffer.shallow_clone())
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.buffers.is_empty() && self.memory.is_none()
    }

    /// As PyTorch's `state_dict()` shows it: numbers are 0-dim float32 tensors on the CPU.
    pub fn to_values(&self) -> Result<Vec<(String, StateValue)>> {
        let mut values = Vec::with_capacity(self.numbers.len() + self.buffers.len());
        for (name, number) in &self.numbers {
            let number = flambeau_autograd::from_scalars(&[Scalar::Float(*number)], &[], DType::F32)?;
            values.push((name.clone(), StateValue::Tensor(number)));
        }
        let buffers =
            self.buffers.iter().map(|(name, buffer)| (name.clone(), StateValue::Tensor(buffer.shallow_clone())));
        values.extend(buffers);
        if let Some(memory) = &self.memory {
            values.extend(memory.to_values()?);
        }
        Ok(values)
    }

    /// Takes over what [`State::to_values`] or PyTorch wrote: tensors are copied in the parameter's dtype and device, entries
    /// that are called as the rule's numbers are numbers.
    pub fn from_values(values: &[(String, StateValue)], param: &Tensor, rule: &dyn Rule) -> Result<Self> {
        if rule.search().is_some() {
            let values = values.iter().map(|(name, value)| Ok((name.as_str(), value.like(param)?)));
            let memory = Memory::from_values(values.collect::<Result<_>>()?)?;
            return Ok(State { memory: Some(Box::new(memory)), ..State::default() });
        }
        let mut state = State::default();
        for (name, value) in values {
            let is_number = rule.numbers().contains(&name.as_str());
            match value {
                StateValue::Tensor(t) if is_number => *state.number(name, 0.0) = t.array().item()?.to_f64(),
                StateValue::Number(x) if is_number => *state.number(name, 0.0) = x.to_f64(),
                StateValue::Tensor(t) => state.buffers.push((name.clone(), like(t, param)?)),
                StateValue::Number(_) => return Err(Error::Type(format!("the state's {name} is a number, no tensor"))),
                StateValue::List(_) => return Err(Error::Type(format!("the state's {name} is a list, no tensor"))),
                StateValue::None => {}
            }
        }
        Ok(state)
    }
}

/// A copy in a parameter's dtype and on its device.
fn like(x: &Tensor, param: &Tensor) -> Result<Tensor> {
    let moved = ops::to_dtype(&ops::to_device(&x.detach(), param.device())?, param.dtype())?;
    Ok(ops::clone(&moved)?)
}

/// One entry of a parameter's state.
#[derive(Clone, Debug)]
pub enum StateValue {
    /// `None`, as SGD has for a momentum buffer that does not exist yet.
    None,
    /// A number.
    Number(Scalar),
    /// A tensor: a running average, or a counter (0-dim float32).
    Tensor(Tensor),
    /// A list, as L-BFGS has of its directions.
    List(Vec<StateValue>),
}

impl StateValue {
    /// The same tensors, where `clone` copies them.
    pub(crate) fn shallow(&self) -> StateValue {
        match self {
            StateValue::None => StateValue::None,
            StateValue::Number(x) => StateValue::Number(*x),
            StateValue::Tensor(x) => StateValue::Tensor(x.shallow_clone()),
            StateValue::List(items) => StateValue::List(items.iter().map(StateValue::shallow).collect()),
        }
    }

    /// Copies of the tensors in a parameter's dtype and on its device, the rest as it is.
    fn like(&self, param: &Tensor) -> Result<StateValue> {
        Ok(match self {
            StateValue::Tensor(x) => StateValue::Tensor(like(x, param)?),
            StateValue::List(items) => StateValue::List(items.iter().map(|v| v.like(param)).collect::<Result<_>>()?),
            other => other.shallow(),
        })
    }
}

/// A group in an optimizer's state: its options, and its parameters by their position.
#[derive(Debug)]
pub struct GroupState {
    /// PyTorch's names and values.
    pub options: Vec<(String, OptionValue)>,
    /// Positions of the group's parameters, counted through all groups.
    pub params: Vec<usize>,
}

impl Clone for GroupState {
    fn clone(&self) -> Self {
        let options = self.options.iter().map(|(name, value)| (name.clone(), value.deepcopy()));
        GroupState { options: options.collect(), params: self.params.clone() }
    }
}

/// An optimizer's state in PyTorch's structure: `{'state': {0: {'step': …, 'exp_avg': …}}, 'param_groups': [{…}]}`. `clone` copies
/// the tensors, as Python's `copy.deepcopy` does.
#[derive(Clone, Debug)]
pub struct StateDict {
    /// Each parameter's entries by name, under its position; parameters without state are left out.
    pub state: Vec<(usize, Vec<(String, StateValue)>)>,
    /// The groups.
    pub param_groups: Vec<GroupState>,
}

impl GroupState {
    fn shallow(&self) -> GroupState {
        GroupState { options: self.options.clone(), params: self.params.clone() }
    }
}

impl StateDict {
    /// The same tensors under lists of their own: Python's `state_dict.copy()`.
    pub(crate) fn shallow(&self) -> StateDict {
        let entries = |all: &[(String, StateValue)]| all.iter().map(|(n, v)| (n.clone(), v.shallow())).collect();
        StateDict {
            state: self.state.iter().map(|(id, all)| (*id, entries(all))).collect(),
            param_groups: self.param_groups.iter().map(GroupState::shallow).collect(),
        }
    }
}

impl AsState<StateDict> for StateDict {
    fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, StateDict>> {
        Ok(Cow::Borrowed(self))
    }
}
