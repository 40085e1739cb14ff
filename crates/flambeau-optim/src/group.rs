//! Parameters and groups of parameters, as constructors take them.

use crate::error::{Error, Result};
use crate::options::{OptionValue, Options};
use flambeau_autograd::Tensor;

/// Parameters with options of their own: Python's `{'params': …, 'lr': 0.05}`.
pub struct ParamGroup {
    pub(crate) params: Vec<Tensor>,
    pub(crate) options: Options,
}

impl ParamGroup {
    /// A group of these parameters. Options that it does not set are the optimizer's.
    pub fn new<P: Into<Tensor>>(params: impl IntoIterator<Item = P>) -> Self {
        ParamGroup { params: params.into_iter().map(Into::into).collect(), options: Options::default() }
    }

    /// Sets an option by PyTorch's name: `momentum`, `weight_decay`, `betas`, ….
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<OptionValue>) -> Self {
        self.options.set(name, value);
        self
    }

    /// The group's learning rate.
    #[must_use]
    pub fn lr(self, lr: f64) -> Self {
        self.option("lr", lr)
    }

    /// The group's weight decay.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        self.option("weight_decay", weight_decay)
    }
}

/// What a constructor's list of parameters may consist of: tensors and parameters, or [`ParamGroup`]s.
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

impl<T: Into<Tensor>> ParamItem for T {
    fn add_to(self, list: &mut ParamList) -> Result<()> {
        if list.groups.is_empty() {
            list.single = true;
            list.groups.push(ParamGroup { params: Vec::new(), options: Options::default() });
        }
        match list.groups.last_mut() {
            Some(group) if list.single => group.params.push(self.into()),
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
