//! What all optimizers share: groups, states, steps, printing.

use crate::class::Class;
use crate::error::{Error, Result, check};
use crate::group::{NAMES, ParamGroup, ParamItem, ParamList};
use crate::hooks::{Event, Hooks};
use crate::lbfgs::Memory;
use crate::loss::Loss;
use crate::options::{OptionValue, Options};
use crate::rule::{Step, Target};
use crate::state::{GroupState, State, StateDict};
use flambeau_autograd::gradients::ZeroGradOptions;
use flambeau_autograd::{AsState, OrPanic, Tensor, enable_grad, mode, no_grad, ops, warn};
use flambeau_tensor::Scalar;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A parameter of a group, which stands once however often the group names it.
struct Slot {
    param: Tensor,
    state: State,
    /// How many times the group names it: so often each step updates it.
    times: usize,
    fresh: bool,
}

struct Group {
    slots: Vec<Slot>,
    /// The slot of each parameter that the group names.
    order: Vec<usize>,
    /// The most times that one parameter is named; 1 but for duplicates.
    rounds: usize,
    options: Options,
}

impl Group {
    fn new(params: Vec<Tensor>, options: Options) -> Self {
        let (mut slots, mut order) = (Vec::<Slot>::new(), Vec::with_capacity(params.len()));
        for param in params {
            let known = slots.iter().position(|slot| slot.param.is_same(&param));
            let at = known.unwrap_or(slots.len());
            match known {
                Some(at) => slots[at].times += 1,
                None => slots.push(Slot { param, state: State::default(), times: 1, fresh: true }),
            }
            order.push(at);
        }
        let rounds = slots.iter().map(|slot| slot.times).max().unwrap_or(1);
        Group { slots, order, rounds, options }
    }

    /// The named parameters, a duplicate as often as it is named.
    fn params(&self) -> impl Iterator<Item = &Tensor> {
        self.order.iter().map(|&at| &self.slots[at].param)
    }

    /// The number of each named parameter in a state dict, if the group's first has `start`: its last position, as in PyTorch.
    fn ids(&self, start: usize) -> Vec<usize> {
        let last = |at: &usize| self.order.iter().rposition(|o| o == at).unwrap_or(0);
        match self.rounds {
            0 | 1 => (start..start + self.order.len()).collect(),
            _ => self.order.iter().map(|at| start + last(at)).collect(),
        }
    }
}

struct Inner {
    class: &'static Class,
    defaults: Options,
    groups: Vec<Group>,
    /// Whether a scheduler watches for the first step, and whether it was taken since: PyTorch's `_opt_called`.
    watched: bool,
    called: bool,
}

/// Any optimizer: `torch.optim.Optimizer`. [`crate::SGD`], [`crate::Adam`] and the others are one each: what takes
/// `&Optimizer` takes a reference to each of them, and `into()` makes this type of them. It is a cheap handle, whose clones
/// are the same optimizer.
///
/// ```
/// use flambeau_optim::{Adam, Optimizer, SGD};
///
/// fn rates(optimizer: &Optimizer) -> Vec<f64> {
///     optimizer.param_groups().iter().map(|group| group.lr()).collect()
/// }
///
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// assert_eq!(rates(&Adam::new([&w], 0.5)), [0.5]);
/// let both: Vec<Optimizer> = vec![Adam::new([&w], 1e-3).into(), SGD::new([&w], 0.1).into()];
/// both.iter().for_each(Optimizer::zero_grad);
/// ```
#[derive(Clone)]
pub struct Optimizer(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    hooks: Arc<Hooks>,
}

impl Optimizer {
    /// An optimizer of these parameters, whose groups start from `defaults`.
    #[track_caller]
    pub(crate) fn new<P: ParamItem>(
        class: &'static Class,
        params: impl IntoIterator<Item = P>,
        defaults: Options,
    ) -> Self {
        let inner = Inner::new(class, params, defaults).or_panic();
        Optimizer(Arc::new(Shared { inner: Mutex::new(inner), hooks: Arc::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a step leaves whole parameters behind, some updated and some not.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hooks(&self) -> &Arc<Hooks> {
        &self.0.hooks
    }

    /// Updates every parameter that has a gradient: `optimizer.step()`. One kernel per group where memory allows; nothing is
    /// recorded.
    ///
    /// # Panics
    /// When a gradient is on another device than its parameter, a parameter's memory is borrowed, or the optimizer is one that
    /// evaluates the loss itself ([`crate::LBFGS`]).
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
        let caller = Location::caller();
        self.stepping(|class| match class.rule.search() {
            None => self.update(caller),
            Some(_) => {
                Err(Error::Type(format!("{}.step() missing 1 required positional argument: 'closure'", class.name)))
            }
        })
    }

    /// Evaluates the loss with `closure`, which takes the gradients away, calls `backward` and returns the loss, then takes a step:
    /// `optimizer.step(closure)`. Returns the loss before the step. The closure may return a tensor or an `f64`, and may use the
    /// optimizer. [`crate::LBFGS`] calls it several times in a step, the others once.
    ///
    /// # Panics
    /// As [`Optimizer::step`].
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.25);
    /// let loss = optimizer.step_closure(|| {
    ///     optimizer.zero_grad();
    ///     let loss = w.square().sum();
    ///     loss.backward();
    ///     loss
    /// });
    /// assert_eq!((loss.item(), w.detach().to_vec::<f32>()), (2.0, vec![0.5, 0.5]));
    /// ```
    #[track_caller]
    pub fn step_closure<L: Loss>(&self, closure: impl FnMut() -> L) -> L {
        self.try_step_closure(closure).or_panic()
    }

    /// [`Optimizer::step_closure`] with a result.
    ///
    /// # Errors
    /// Where `step_closure` panics.
    #[track_caller]
    pub fn try_step_closure<L: Loss>(&self, mut closure: impl FnMut() -> L) -> Result<L> {
        let caller = Location::caller();
        let mut evaluate = || {
            let _mode = enable_grad();
            closure()
        };
        self.stepping(|class| {
            let Some(search) = class.rule.search() else {
                let loss = evaluate();
                return self.update(caller).map(|()| loss);
            };
            let mut first = None;
            let _mode = no_grad();
            search(self, &mut || {
                let loss = evaluate();
                let value = loss.value();
                first.get_or_insert(loss);
                value
            })?;
            first.ok_or_else(|| Error::Runtime("a step evaluated no loss".into()))
        })
    }

    /// Runs a step between the hooks on steps.
    fn stepping<T>(&self, step: impl FnOnce(&'static Class) -> Result<T>) -> Result<T> {
        let class = self.lock().class;
        let _part = mode::watched().then(|| mode::record_function(&format!("Optimizer.step#{0}.step", class.name)));
        self.0.hooks.run(Event::BeforeStep, self);
        let out = step(class)?;
        self.0.hooks.run(Event::AfterStep, self);
        Ok(out)
    }

    fn update(&self, caller: &'static Location<'static>) -> Result<()> {
        let inner = &mut *self.lock();
        let recorded = inner.defaults.is_on(DIFFERENTIABLE);
        let _mode = if recorded { enable_grad() } else { no_grad() };
        inner.called = inner.watched;
        for group in &mut inner.groups {
            // A parameter that is named twice is updated twice, the second time from what the first left.
            for round in 0..group.rounds {
                let slots = group.slots.iter_mut().filter(|slot| slot.times > round);
                let targets = slots.filter_map(|Slot { param, state, fresh, .. }| {
                    let grad = param.grad()?;
                    *fresh = if round == 0 { state.is_empty() } else { *fresh };
                    Some(Target { param, grad, state, fresh: *fresh })
                });
                let targets: Vec<Target<'_>> = targets.collect();
                let (options, defaults) = (&group.options, &inner.defaults);
                inner.class.check_step(defaults, options, &targets)?;
                inner.class.rule.update(Step { options, defaults, targets, caller, recorded })?;
            }
        }
        Ok(())
    }

    /// The parameters and options of the only group, for a rule that evaluates the loss itself.
    pub(crate) fn only_group(&self) -> Result<(Vec<Tensor>, Options)> {
        let mut inner = self.lock();
        inner.called = inner.watched;
        match &inner.groups[..] {
            [group] => Ok((group.params().map(Tensor::shallow_clone).collect(), group.options.clone())),
            groups => Err(Error::Assertion(format!("Expected exactly one param_group, but got {}", groups.len()))),
        }
    }

    /// Takes what such a rule remembers under the first parameter, to be put back.
    pub(crate) fn take_memory(&self) -> Option<Box<Memory>> {
        self.lock().groups.first_mut()?.slots.first_mut()?.state.memory.take()
    }

    /// Puts back what [`Optimizer::take_memory`] took.
    pub(crate) fn put_memory(&self, memory: Box<Memory>) {
        if let Some(slot) = self.lock().groups.first_mut().and_then(|group| group.slots.first_mut()) {
            slot.state.memory = Some(memory);
        }
    }

    /// Takes the gradients away: `optimizer.zero_grad()`.
    pub fn zero_grad(&self) {
        self.params().iter().for_each(|p| p.set_grad(None));
    }

    /// [`Optimizer::zero_grad`] with `set_to_none`: where it is false the gradients become zeros and keep their memory:
    /// `optimizer.zero_grad_with(|o| o.set_to_none(false))`.
    ///
    /// # Panics
    /// When a gradient's memory is borrowed.
    #[track_caller]
    pub fn zero_grad_with(&self, options: impl FnOnce(ZeroGradOptions) -> ZeroGradOptions) {
        if options(ZeroGradOptions::default()).set_to_none {
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
        self.lock().groups.iter().flat_map(Group::params).map(Tensor::shallow_clone).collect()
    }

    /// Handles to the groups, which read and write: `optimizer.param_groups`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// for group in optimizer.param_groups() {
    ///     group.set_lr(group.lr() * 0.1);
    ///     group.set("momentum", 0.9);
    /// }
    /// assert_eq!(optimizer.param_groups()[0].lr(), 0.05);
    /// ```
    pub fn param_groups(&self) -> Vec<ParamGroupRef> {
        let count = self.lock().groups.len();
        (0..count).map(|index| ParamGroupRef { optimizer: self.clone(), index }).collect()
    }

    /// The same as [`Optimizer::param_groups`], whose handles write too, for who looks for it under the name of Rust's kind.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// for group in optimizer.param_groups_mut() {
    ///     group.set_lr(0.25);
    /// }
    /// assert_eq!(optimizer.param_groups()[0].lr(), 0.25);
    /// ```
    pub fn param_groups_mut(&self) -> Vec<ParamGroupRef> {
        self.param_groups()
    }

    /// Whether both are handles of one optimizer.
    pub(crate) fn is_same(&self, other: &Optimizer) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// PyTorch's class name.
    pub(crate) fn class_name(&self) -> &'static str {
        self.lock().class.name
    }

    /// Lets a scheduler know whether a step was taken since the first scheduler was made.
    pub(crate) fn watch(&self) {
        self.lock().watched = true;
    }

    /// Whether a step was taken since [`Optimizer::watch`].
    pub(crate) fn called(&self) -> bool {
        self.lock().called
    }

    /// Adds a group: `optimizer.add_param_group({'params': …})`.
    ///
    /// # Panics
    /// When a parameter is no leaf or already in the optimizer, or has a name where the others have none.
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
        self.0.hooks.run(Event::BeforeStateDict, self);
        let mut dict = self.lock().state_dict().or_panic();
        self.0.hooks.run_on(Event::AfterStateDict, self, &mut dict);
        dict
    }

    /// Takes over options and running averages of an optimizer with the same groups; tensors are copied. It takes what
    /// [`Optimizer::state_dict`] gave, or a file's value: `optimizer.load_state_dict(&checkpoint["optimizer"])`.
    ///
    /// # Errors
    /// When the groups do not have as many parameters as this optimizer's, in PyTorch's words.
    pub fn load_state_dict(&self, state_dict: impl AsState<StateDict>) -> Result<()> {
        self.load_state(&*state_dict.as_state()?)
    }

    fn load_state(&self, state_dict: &StateDict) -> Result<()> {
        if !self.0.hooks.is_used() {
            return self.lock().load(state_dict);
        }
        let mut dict = state_dict.shallow();
        self.0.hooks.run_on(Event::BeforeLoad, self, &mut dict);
        self.lock().load(&dict)?;
        self.0.hooks.run(Event::AfterLoad, self);
        Ok(())
    }
}

impl Inner {
    #[track_caller]
    fn new<P: ParamItem>(
        class: &'static Class,
        params: impl IntoIterator<Item = P>,
        mut defaults: Options,
    ) -> Result<Self> {
        class.check(&defaults)?;
        class.rule.settle(&mut defaults)?;
        let mut inner = Inner { class, defaults, groups: Vec::new(), watched: false, called: false };
        for group in ParamList::collect(params)?.groups {
            inner.add(group)?;
        }
        class.check_groups(&inner.defaults, inner.groups.len())?;
        for slot in inner.groups.iter_mut().flat_map(|g| &mut g.slots) {
            class.rule.prepare(&inner.defaults, &slot.param, &mut slot.state)?;
        }
        Ok(inner)
    }

    #[track_caller]
    fn add(&mut self, group: ParamGroup) -> Result<()> {
        // In the order of PyTorch's dictionary: what the group sets, of whatever name, then the rest of the defaults.
        let (mut options, named) = (group.options, !group.names.is_empty());
        check(!named || group.names.len() == group.params.len(), || {
            "all optimizer params should be with/without names. Some param names are missing".into()
        })?;
        if named {
            options.set(NAMES, OptionValue::List(group.names.into_iter().map(Into::into).collect()));
        }
        let allowed = |p: &Tensor| p.is_leaf() || p.retains_grad();
        check(self.defaults.is_on(DIFFERENTIABLE) || group.params.iter().all(allowed), || {
            "can't optimize a non-leaf Tensor".into()
        })?;
        self.defaults.iter().for_each(|(name, value)| options.set_default(name, value));
        let group = Group::new(group.params, options);
        if group.rounds > 1 {
            warn(DUPLICATES);
        }
        check(self.groups.iter().all(|other| other.options.has(NAMES) == named), || {
            let with = if named { "with names" } else { "without names" };
            format!(
                "all optimizer param groups should be with/without names. cannot add param group {with} to the optimizer"
            )
        })?;
        let mut others = self.groups.iter().flat_map(|g| &g.slots);
        let known = others.any(|other| group.slots.iter().any(|slot| slot.param.is_same(&other.param)));
        check(!known, || "some parameters appear in more than one parameter group".into())?;
        self.groups.push(group);
        Ok(())
    }

    fn state_dict(&self) -> Result<StateDict> {
        let mut dict = StateDict { state: Vec::new(), param_groups: Vec::new() };
        let mut next = 0;
        for group in &self.groups {
            let params = group.ids(next);
            next += params.len();
            for (at, slot) in group.slots.iter().enumerate().filter(|(_, slot)| !slot.state.is_empty()) {
                let id = group.order.iter().zip(&params).find(|(o, _)| **o == at).map_or(next, |(_, &id)| id);
                dict.state.push((id, slot.state.to_values()?));
            }
            let options = group.options.iter().map(|(name, value)| (name.to_owned(), value)).collect();
            dict.param_groups.push(GroupState { options, params });
        }
        Ok(dict)
    }

    fn load(&mut self, dict: &StateDict) -> Result<()> {
        check(dict.param_groups.len() == self.groups.len(), || {
            "loaded state dict has a different number of parameter groups".into()
        })?;
        let fit = self.groups.iter().zip(&dict.param_groups).all(|(g, saved)| g.order.len() == saved.params.len());
        check(fit, || {
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group".into()
        })?;
        // All is read before anything is changed: a failure leaves the optimizer as it was.
        let mut loaded = Vec::new();
        for (group, saved) in self.groups.iter().zip(&dict.param_groups) {
            // The saved options take the place of the group's own, in their order.
            let mut options = Options::default();
            saved.options.iter().for_each(|(name, value)| options.set(name, value.deepcopy()));
            if let Some(names) = group.options.get(NAMES) {
                options.set_default(NAMES, names);
            }
            self.class.complete(&mut options);
            let mut states: Vec<_> = group.slots.iter().map(|_| State::default()).collect();
            for (&at, id) in group.order.iter().zip(&saved.params) {
                if let Some((_, values)) = dict.state.iter().find(|(i, _)| i == id) {
                    states[at] = State::from_values(values, &group.slots[at].param, self.class.rule)?;
                }
            }
            loaded.push((options, states));
        }
        self.defaults.set_default(DIFFERENTIABLE, false.into());
        for (group, (options, states)) in self.groups.iter_mut().zip(loaded) {
            group.options = options;
            group.slots.iter_mut().zip(states).for_each(|(slot, new)| slot.state = new);
        }
        Ok(())
    }
}

/// The option that lets autograd record a step.
const DIFFERENTIABLE: &str = "differentiable";

const DUPLICATES: &str = "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see \
                          github.com/pytorch/pytorch/issues/40967 for more information";

impl fmt::Display for Optimizer {
    /// As `print(optimizer)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        write!(f, "{} (", inner.class.name)?;
        for (i, group) in inner.groups.iter().enumerate() {
            write!(f, "\nParameter Group {i}\n{}", group.options)?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for ParamGroupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameter Group {}\n{}", self.index, self.optimizer.lock().groups[self.index].options)
    }
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl AsRef<Optimizer> for Optimizer {
    fn as_ref(&self) -> &Optimizer {
        self
    }
}

impl From<&Optimizer> for Optimizer {
    fn from(optimizer: &Optimizer) -> Self {
        optimizer.clone()
    }
}

/// One group of an optimizer: `optimizer.param_groups[i]`. It is a handle: what it sets is set in the optimizer.
#[derive(Clone)]
pub struct ParamGroupRef {
    optimizer: Optimizer,
    index: usize,
}

impl ParamGroupRef {
    /// An option by PyTorch's name: `group['momentum']`. `as_f64`, `as_bool` and `as_pair` give its number, switch or pair.
    /// A group may hold values of names that are the user's own.
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
        self.number("lr").or_panic()
    }

    pub(crate) fn number(&self, name: &str) -> Result<f64> {
        self.optimizer.lock().groups[self.index].options.number(name)
    }

    /// Sets the learning rate: `group['lr'] = lr`.
    pub fn set_lr(&self, lr: impl Into<OptionValue>) {
        self.set("lr", lr);
    }

    /// Sets a number as `_update_param_group_val` does: an option that is a tensor stays that tensor and is filled.
    pub(crate) fn assign(&self, name: &str, value: Scalar) -> Result<()> {
        match self.get(name) {
            Some(OptionValue::Tensor(x)) => drop(ops::fill_(&x.detach(), value)?),
            _ => self.set(name, value),
        }
        Ok(())
    }

    /// The group's parameters: `group['params']`.
    pub fn params(&self) -> Vec<Tensor> {
        self.optimizer.lock().groups[self.index].params().map(Tensor::shallow_clone).collect()
    }
}
