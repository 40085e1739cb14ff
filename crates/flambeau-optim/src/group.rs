//! Parameters and groups of parameters, as constructors take them.

use crate::error::{Error, Result};
use crate::options::{OptionValue, Options};
use flambeau_autograd::Tensor;
use flambeau_autograd::arguments::MaybeNamed;
use flambeau_tensor::Scalar;

/// The option that holds the names of a group's parameters.
pub(crate) const NAMES: &str = "param_names";

/// Parameters with options of their own: Python's `{'params': …, 'lr': 0.05}`.
///
/// ```
/// use flambeau_optim::{ParamGroup, SGD};
///
/// let (w, b) = (flambeau_autograd::ones([2]).requires_grad_(true), flambeau_autograd::ones([1]).requires_grad_(true));
/// let groups = [ParamGroup::with([&w], |o| o.weight_decay(0.1).lr(1e-3)), ParamGroup::new([&b])];
/// let optimizer = SGD::with(groups, 0.1, |o| o.momentum(0.9));
/// let rates: Vec<f64> = optimizer.param_groups().iter().map(|group| group.lr()).collect();
/// assert_eq!(rates, [1e-3, 0.1]);
/// ```
#[derive(Default)]
pub struct ParamGroup {
    pub(crate) params: Vec<Tensor>,
    /// The parameters' names: none, or one each.
    pub(crate) names: Vec<String>,
    pub(crate) options: Options,
}

impl ParamGroup {
    /// A group of these parameters, which may have names: `model.named_parameters()`. Options that it does not set are the
    /// optimizer's.
    pub fn new<P: MaybeNamed>(params: impl IntoIterator<Item = P>) -> Self {
        let mut group = ParamGroup::default();
        params.into_iter().for_each(|param| group.push(param));
        group
    }

    fn push(&mut self, param: impl MaybeNamed) {
        let (name, param) = param.into_named();
        self.names.extend(name);
        self.params.push(param);
    }

    /// [`ParamGroup::new`] with options of its own: `{'params': …, 'weight_decay': 0.1}`.
    pub fn with<P: MaybeNamed>(
        params: impl IntoIterator<Item = P>,
        options: impl FnOnce(ParamGroup) -> ParamGroup,
    ) -> Self {
        options(Self::new(params))
    }

    /// Sets an option by PyTorch's name: those that have no method here, as `centered` or `lr_decay`, and any that the
    /// optimizer does not know, which the group keeps for its user.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<OptionValue>) -> Self {
        self.options.set(name, value);
        self
    }

    /// The group's learning rate.
    #[must_use]
    pub fn lr(self, lr: impl Into<OptionValue>) -> Self {
        self.option("lr", lr)
    }

    /// The group's weight decay.
    #[must_use]
    pub fn weight_decay(self, weight_decay: impl Into<Scalar>) -> Self {
        self.option("weight_decay", weight_decay.into())
    }

    /// The group's momentum: of SGD and RMSprop.
    #[must_use]
    pub fn momentum(self, momentum: impl Into<Scalar>) -> Self {
        self.option("momentum", momentum.into())
    }

    /// Whether the group looks ahead: of SGD.
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Self {
        self.option("nesterov", nesterov)
    }

    /// The group's decay rates of the running averages: of Adam and its kin.
    #[must_use]
    pub fn betas(self, betas: (f64, f64)) -> Self {
        self.option("betas", betas)
    }

    /// What is added to the group's denominators.
    #[must_use]
    pub fn eps(self, eps: impl Into<Scalar>) -> Self {
        self.option("eps", eps.into())
    }

    /// Whether the group divides by the largest running average so far: of Adam and AdamW.
    #[must_use]
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        self.option("amsgrad", amsgrad)
    }

    /// Whether the group climbs instead of descending.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        self.option("maximize", maximize)
    }
}

/// What a constructor's list of parameters may consist of: tensors and parameters, pairs of a name and one of these, or
/// [`ParamGroup`]s.
pub trait ParamItem {
    /// Adds the item to the groups.
    ///
    /// # Errors
    /// When tensors and groups are mixed.
    fn add_to(self, list: &mut ParamList) -> Result<()>;
}

/// The groups that a constructor's list stands for.
#[derive(Default)]
pub struct ParamList {
    pub(crate) groups: Vec<ParamGroup>,
    /// Whether the list is of single tensors, which make one group.
    single: bool,
}

impl ParamList {
    pub(crate) fn collect<P: ParamItem>(items: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut list = ParamList::default();
        items.into_iter().try_for_each(|item| item.add_to(&mut list))?;
        if list.groups.is_empty() {
            return Err(Error::Value("optimizer got an empty parameter list".into()));
        }
        Ok(list)
    }
}

impl<T: MaybeNamed> ParamItem for T {
    fn add_to(self, list: &mut ParamList) -> Result<()> {
        if list.groups.is_empty() {
            list.single = true;
            list.groups.push(ParamGroup::default());
        }
        match list.groups.last_mut() {
            Some(group) if list.single => group.push(self),
            _ => return Err(Error::Type("param_group must be a dict, but got Tensor".into())),
        }
        Ok(())
    }
}

impl ParamItem for ParamGroup {
    fn add_to(self, list: &mut ParamList) -> Result<()> {
        if list.single {
            return Err(Error::Type("optimizer can only optimize Tensors, but one of the params is dict".into()));
        }
        list.groups.push(self);
        Ok(())
    }
}
