//! Numbers for each group, as constructors take them, and what the groups hold.

use crate::error::{Error, Result, check};
use crate::optimizer::{Optimizer, ParamGroupRef};
use crate::options::OptionValue;
use flambeau_autograd::{Tensor, ops, settings};
use flambeau_tensor::Scalar;

/// One number for all groups, or one for each: `0.1`, `[0.1, 0.01]`.
#[derive(Clone, Debug)]
pub enum PerGroup {
    /// The same number.
    All(Scalar),
    /// As many numbers as groups.
    Each(Vec<Scalar>),
}

settings! {
    [] f64 => PerGroup: |x| PerGroup::All(x.into());
    [] f32 => PerGroup: |x| PerGroup::All(x.into());
    [] i32 => PerGroup: |x| PerGroup::All(x.into());
    [] i64 => PerGroup: |x| PerGroup::All(x.into());
    [] Scalar => PerGroup: |x| PerGroup::All(x);
    [T: Into<Scalar>, const N: usize] [T; N] => PerGroup: |list| PerGroup::Each(list.into_iter().map(Into::into).collect());
    [T: Into<Scalar>] Vec<T> => PerGroup: |list| PerGroup::Each(list.into_iter().map(Into::into).collect());
    ['a, T: Into<Scalar> + Copy] &'a [T] => PerGroup: |list| PerGroup::Each(list.iter().map(|&x| x.into()).collect());
    [] PerGroup => PerGroup: |x| x;
}

impl PerGroup {
    /// A number for each group.
    ///
    /// # Errors
    /// PyTorch's `ValueError` when there are not as many numbers as groups.
    pub(crate) fn of(self, name: &str, optimizer: &Optimizer) -> Result<Vec<Scalar>> {
        let groups = optimizer.param_groups().len();
        match self {
            PerGroup::All(x) => Ok(vec![x; groups]),
            PerGroup::Each(list) => {
                check(list.len() == groups, || {
                    format!(
                        "{name} must have the same length as optimizer.param_groups. {name} has {} values, param_groups has {groups}.",
                        list.len()
                    )
                })?;
                Ok(list)
            }
        }
    }
}

/// A number of a group: `group[name]`.
///
/// # Errors
/// PyTorch's `KeyError`; when it is no number.
pub(crate) fn number(group: &ParamGroupRef, name: &str) -> Result<Scalar> {
    match group.get(name) {
        Some(OptionValue::Number(x)) => Ok(x),
        Some(OptionValue::Tensor(x)) => Ok(x.array().item()?),
        Some(value) => Err(Error::Type(format!("the {name} of a parameter group is {value}, it must be a number"))),
        None => Err(Error::Key(name.to_owned())),
    }
}

/// The learning rate of a group as its first one: a tensor is copied, since schedulers write to the group's own.
///
/// # Errors
/// PyTorch's `KeyError`.
pub(crate) fn first_rate(group: &ParamGroupRef) -> Result<OptionValue> {
    match group.get("lr") {
        Some(OptionValue::Tensor(lr)) => Ok(ops::clone(&lr.detach())?.into()),
        Some(lr) => Ok(lr),
        None => Err(Error::Key("lr".to_owned())),
    }
}

/// Sets the momentum of a group, or the first of its betas.
pub(crate) fn set_momentum(group: &ParamGroupRef, use_beta1: bool, momentum: Scalar) {
    match group.get("betas").and_then(OptionValue::as_pair) {
        Some((_, second)) if use_beta1 => group.set("betas", (momentum.to_f64(), second)),
        _ => group.set("momentum", momentum),
    }
}

/// Whether the optimizer's momentum is the first of its betas.
///
/// # Errors
/// PyTorch's `ValueError` when it has neither.
pub(crate) fn uses_beta1(optimizer: &Optimizer) -> Result<bool> {
    let defaults = optimizer.defaults();
    let has = |name| defaults.get(name).is_some();
    check(has("momentum") || has("betas"), || {
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled".into()
    })?;
    Ok(has("betas"))
}

/// What [`super::ReduceLROnPlateau`] watches: a number, or a tensor of one element. Python's `float(metrics)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no metric",
    label = "a number or a tensor of one element is expected here"
)]
pub trait Metric {
    /// The number.
    fn to_float(self) -> f64;
}

/// Numbers of these types.
macro_rules! metrics {
    ($($t:ty),+) => {$(
        impl Metric for $t {
            fn to_float(self) -> f64 {
                self as f64
            }
        }
    )+};
}
metrics!(f64, f32, i32, i64, usize);

impl Metric for &Tensor {
    #[track_caller]
    fn to_float(self) -> f64 {
        self.item()
    }
}

impl Metric for Tensor {
    #[track_caller]
    fn to_float(self) -> f64 {
        self.item()
    }
}
