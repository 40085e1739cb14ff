//! What all optimizers share: groups, states, steps, printing.

use crate::error::{Error, Result, check};
use crate::group::{ParamGroup, ParamItem, ParamList};
use crate::options::{OptionValue, Options};
use crate::state::{GroupState, State, StateDict};
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops};
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An update rule: what tells one optimizer from another.
pub(crate) trait Rule: Send + Sync {
    /// PyTorch's class name.
    fn name(&self) -> &'static str;

    /// Checks the options that the constructor was given.
    fn check(&self, options: &Options) -> Result<()>;

    /// Prepares the state of a new parameter, for rules that do so before the first step.
    fn prepare(&self, _options: &Options, _param: &Tensor, _state: &mut State) -> Result<()> {
        Ok(())
    }

    /// Updates parameters of one group by their gradients.
    fn update(&self, options: &Options, targets: Vec<Target<'_>>, caller: &'static Location<'static>) -> Result<()>;
}

/// A parameter to update.
pub(crate) struct Target<'a> {
    pub param: &'a Tensor,
    pub grad: Tensor,
    pub state: &'a mut State,
}

struct Group {
    params: Vec<(Tensor, State)>,
    options: Options,
}

struct Inner {
    rule: Box<dyn Rule>,
    defaults: Options,
    groups: Vec<Group>,
}

/// An optimizer: a cheap handle, whose clones are the same optimizer. [`crate::SGD`], [`crate::Adam`] and the others make
/// one and dereference to it.
#[derive(Clone)]
pub struct Optimizer(Arc<Mutex<Inner>>);

impl Optimizer {
    #[track_caller]
    pub(crate) fn new<P: ParamItem>(
        rule: impl Rule + 'static,
        params: impl IntoIterator<Item = P>,
        defaults: Options,
    ) -> Self {
        let build = || {
            rule.check(&defaults)?;
            let list = ParamList::collect(params)?;
            let optimizer =
                Optimizer(Arc::new(Mutex::new(Inner { rule: Box::new(rule), defaults, groups: Vec::new() })));
            list.groups.into_iter().try_for_each(|group| optimizer.lock().add(group))?;
            Ok::<_, Error>(optimizer)
        };
        build().or_panic()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a step leaves whole parameters behind, some updated and some not.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates every parameter that has a gradient: `optimizer.step()`. One kernel per parameter; nothing is recorded.
    ///
    /// # Panics
    /// When a gradient is on another device than its parameter, or a parameter's memory is borrowed.
    #[track_caller]
    pub fn step(&self) {
        self.try_step().or_panic();
    }

    /// [`Optimizer::step`] with a result.
    ///
    /// # Errors
    /// Where `step` panics.
    #[track_caller]
    pub fn try_step(&self) -> Result<()> {
        let _mode = no_grad();
        let caller = Location::caller();
        let inner = &mut *self.lock();
        for group in &mut inner.groups {
            let targets = group.params.iter_mut().filter_map(|(param, state)| {
                let grad = param.grad()?;
                Some(Target { param, grad, state })
            });
            let targets: Vec<Target<'_>> = targets.collect();
            inner.rule.update(&group.options, targets, caller)?;
        }
        Ok(())
    }

    /// Computes the loss anew with `closure`, which calls `backward`, then takes a step: `optimizer.step(closure)`.
    #[track_caller]
    pub fn step_closure(&self, closure: impl FnOnce() -> Tensor) -> Tensor {
        let loss = {
            let _mode = flambeau_autograd::enable_grad();
            closure()
        };
        self.step();
        loss
    }

    /// Takes the gradients away: `optimizer.zero_grad()`.
    pub fn zero_grad(&self) {
        self.params().iter().for_each(|p| p.set_grad(None));
    }

    /// [`Optimizer::zero_grad`], or with `false` sets the gradients to zero and keeps their memory:
    /// `optimizer.zero_grad(set_to_none=False)`.
    ///
    /// # Panics
    /// When a gradient's memory is borrowed.
    #[track_caller]
    pub fn zero_grad_with(&self, set_to_none: bool) {
        if set_to_none {
            return self.zero_grad();
        }
        for param in self.params() {
            if let Some(grad) = param.grad() {
                let grad = grad.detach();
                ops::zero_(&grad).or_panic();
                param.set_grad(Some(grad));
            }
        }
    }

    /// The parameters of all groups.
    pub fn params(&self) -> Vec<Tensor> {
        self.lock().groups.iter().flat_map(|g| g.params.iter().map(|(p, _)| p.clone())).collect()
    }

    /// Handles to the groups: `optimizer.param_groups()[0].set("lr", 0.01)`.
    pub fn param_groups(&self) -> Vec<ParamGroupRef> {
        let count = self.lock().groups.len();
        (0..count).map(|index| ParamGroupRef { optimizer: self.clone(), index }).collect()
    }

    /// Adds a group: `optimizer.add_param_group({'params': …})`.
    ///
    /// # Panics
    /// When a parameter is no leaf or already in the optimizer, or an option is none of this optimizer's.
    #[track_caller]
    pub fn add_param_group(&self, group: ParamGroup) {
        self.lock().add(group).or_panic();
    }

    /// The options that groups start from: `optimizer.defaults`.
    pub fn defaults(&self) -> Options {
        self.lock().defaults.clone()
    }

    /// Options and running averages: `optimizer.state_dict()`. Tensors are the optimizer's own, not copies.
    ///
    /// # Panics
    /// When no memory is left for the counters.
    #[track_caller]
    pub fn state_dict(&self) -> StateDict {
        self.lock().state_dict().or_panic()
    }

    /// Takes over options and running averages of an optimizer with the same groups; tensors are copied.
    ///
    /// # Errors
    /// When the groups do not have as many parameters as this optimizer's, in PyTorch's words.
    pub fn load_state_dict(&self, state_dict: &StateDict) -> Result<()> {
        self.lock().load(state_dict)
    }
}

impl Inner {
    fn add(&mut self, group: ParamGroup) -> Result<()> {
        let mut options = self.defaults.clone();
        for (name, value) in group.options.iter() {
            if self.defaults.get(name).is_none() && name != "initial_lr" {
                let known: Vec<_> = self.defaults.iter().map(|(name, _)| name).collect();
                let what = format!("{} has no option {name}; it has {}", self.rule.name(), known.join(", "));
                return Err(Error::Type(what));
            }
            options.set(name, value);
        }
        let mut params = Vec::with_capacity(group.params.len());
        for param in group.params {
            check(param.is_leaf() || param.retains_grad(), || "can't optimize a non-leaf Tensor".into())?;
            let known = self.groups.iter().flat_map(|g| &g.params).any(|(p, _)| p.is_same(&param));
            check(!known, || "some parameters appear in more than one parameter group".into())?;
            let mut state = State::default();
            self.rule.prepare(&options, &param, &mut state)?;
            params.push((param, state));
        }
        self.groups.push(Group { params, options });
        Ok(())
    }

    fn state_dict(&self) -> Result<StateDict> {
        let mut dict = StateDict { state: Vec::new(), param_groups: Vec::new() };
        let mut next = 0;
        for group in &self.groups {
            let params = next..next + group.params.len();
            next = params.end;
            for (i, (_, state)) in params.clone().zip(&group.params) {
                if !state.is_empty() {
                    dict.state.push((i, state.to_values()?));
                }
            }
            let options = group.options.iter().map(|(name, value)| (name.to_owned(), value)).collect();
            dict.param_groups.push(GroupState { options, params: params.collect() });
        }
        Ok(dict)
    }

    fn load(&mut self, dict: &StateDict) -> Result<()> {
        check(dict.param_groups.len() == self.groups.len(), || {
            "loaded state dict has a different number of parameter groups".into()
        })?;
        let fit = self.groups.iter().zip(&dict.param_groups).all(|(g, saved)| g.params.len() == saved.params.len());
        check(fit, || {
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group".into()
        })?;
        // All is read before anything is changed: a failure leaves the optimizer as it was.
        let mut loaded = Vec::new();
        for (group, saved) in self.groups.iter().zip(&dict.param_groups) {
            let mut options = group.options.clone();
            saved.options.iter().for_each(|(name, value)| options.set(name, *value));
            let states = group.params.iter().zip(&saved.params).map(|((param, _), id)| {
                let values = dict.state.iter().find(|(i, _)| i == id).map(|(_, values)| values.as_slice());
                State::from_values(values.unwrap_or_default(), param)
            });
            loaded.push((options, states.collect::<Result<Vec<_>>>()?));
        }
        for (group, (options, states)) in self.groups.iter_mut().zip(loaded) {
            group.options = options;
            group.params.iter_mut().zip(states).for_each(|((_, state), new)| *state = new);
        }
        Ok(())
    }
}

impl fmt::Display for Optimizer {
    /// As `print(optimizer)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        write!(f, "{} (", inner.rule.name())?;
        for (i, group) in inner.groups.iter().enumerate() {
            write!(f, "\nParameter Group {i}\n{}", group.options)?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One group of an optimizer: `optimizer.param_groups[i]`.
#[derive(Clone)]
pub struct ParamGroupRef {
    optimizer: Optimizer,
    index: usize,
}

impl ParamGroupRef {
    /// An option by PyTorch's name: `group['momentum']`.
    pub fn get(&self, name: &str) -> Option<OptionValue> {
        self.optimizer.lock().groups[self.index].options.get(name)
    }

    /// Sets an option by PyTorch's name: `group['momentum'] = 0.5`.
    pub fn set(&self, name: &str, value: impl Into<OptionValue>) {
        self.optimizer.lock().groups[self.index].options.set(name, value);
    }

    /// The learning rate: `group['lr']`.
    ///
    /// # Panics
    /// When `lr` was set to something that is no number.
    #[track_caller]
    pub fn lr(&self) -> f64 {
        self.optimizer.lock().groups[self.index].options.number("lr").or_panic()
    }

    /// Sets the learning rate: `group['lr'] = lr`.
    pub fn set_lr(&self, lr: f64) {
        self.set("lr", lr);
    }

    /// The group's parameters: `group['params']`.
    pub fn params(&self) -> Vec<Tensor> {
        self.optimizer.lock().groups[self.index].params.iter().map(|(p, _)| p.clone()).collect()
    }
}
