//! The older weight norm, which sets the weight before each call.

use super::ModuleRef;
use super::parametrizations::{WeightNormOptions, norm_except_dim, normed};
use crate::module::derived::{self, Rule, Slotted, When};
use crate::{Members, Memo, Module, Parameter};
use flambeau_autograd::{OrPanic, Tensor, options, warn};

options! {
    /// Options of functions that take the norm of a weight away.
    #[derive(Clone)]
    NameOptions {
        /// The tensor's name (`"weight"`).
        name: String = "weight".to_owned(),
    }
}

struct WeightNorm {
    g: Parameter,
    v: Parameter,
    dim: i64,
}

impl Rule for WeightNorm {
    fn value(&self, _training: bool) -> Tensor {
        normed(&self.v, &self.g, self.dim).or_panic()
    }
    fn collect<'a>(&'a self, name: &str, order: u64, members: &mut Members<'a>) {
        members.late_parameters.push((order, format!("{name}_g").into(), &self.g));
        members.late_parameters.push((order, format!("{name}_v").into(), &self.v));
    }
    fn copy(&self, memo: &mut Memo) -> Box<dyn Rule> {
        Box::new(WeightNorm { g: memo.part(&self.g), v: memo.part(&self.v), dim: self.dim })
    }
}

/// The module's own parameter that is to be computed from now on.
#[track_caller]
pub(super) fn to_derive<'a, R: Rule>(module: &'a dyn Module, name: &str, what: &str) -> &'a Parameter {
    let found = derived::own(module, name);
    if let Some(derived) = found.and_then(|s| s.slot().derived()) {
        assert!(derived.rule::<R>().is_none(), "Cannot register two {what} hooks on the same parameter {name}");
    }
    match found {
        Some(Slotted::Parameter(p)) if p.slot().derived().is_none() => p,
        _ => panic!("KeyError: '{name}'"),
    }
}

/// A weight as a length times a direction, w = g · v/‖v‖, computed before each call: `nn.utils.weight_norm(module)`. The module lists
/// `weight_g` and `weight_v` instead. PyTorch names
/// [`parametrizations::weight_norm`](super::parametrizations::weight_norm) as the newer form. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, Module, utils};
/// let layer = utils::weight_norm(nn::Linear::new(4, 3));
/// assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight_g", "weight_v"]);
/// ```
///
/// # Panics
/// When the module has no parameter `weight`, or it is normed already.
#[track_caller]
pub fn weight_norm<K, M: ModuleRef<K>>(module: M) -> M {
    weight_norm_with(module, |o| o)
}

/// [`weight_norm`] with options: `name`, `dim`.
///
/// # Panics
/// As [`weight_norm`].
#[track_caller]
pub fn weight_norm_with<K, M: ModuleRef<K>>(
    module: M,
    options: impl FnOnce(WeightNormOptions) -> WeightNormOptions,
) -> M {
    warn("`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.");
    let o = options(WeightNormOptions::default());
    let weight = to_derive::<WeightNorm>(module.as_dyn(), &o.name, "weight_norm");
    let dim = o.dim.unwrap_or(-1);
    let own = weight.own().detach();
    let g = Parameter::new(norm_except_dim(&own, dim).or_panic());
    let rule = WeightNorm { g, v: Parameter::new(&own), dim };
    let value = rule.value(false);
    let derived = weight.slot().derive(Box::new(rule), When::Call);
    derived.set(value);
    derived.before_calls(module.as_dyn(), &o.name);
    module
}

/// Takes [`weight_norm`] away; the weight keeps its value: `nn.utils.remove_weight_norm(module)`. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, Module, utils};
/// let layer = utils::remove_weight_norm(utils::weight_norm(nn::Linear::new(4, 3)));
/// assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight"]);
/// ```
///
/// # Panics
/// When the module's weight is not normed.
#[track_caller]
pub fn remove_weight_norm<K, M: ModuleRef<K>>(module: M) -> M {
    remove_weight_norm_with(module, |o| o)
}

/// [`remove_weight_norm`] with `name`.
///
/// # Panics
/// As [`remove_weight_norm`].
#[track_caller]
pub fn remove_weight_norm_with<K, M: ModuleRef<K>>(module: M, options: impl FnOnce(NameOptions) -> NameOptions) -> M {
    let name = options(NameOptions::default()).name;
    match derived_by::<WeightNorm>(module.as_dyn(), &name) {
        Some((slotted, rule)) => leave(slotted, &rule.value(false)),
        None => panic!("weight_norm of '{name}' not found in {}", module.as_dyn()),
    }
    module
}

/// The tensor of this name, if a rule of this kind computes it.
pub(super) fn derived_by<'a, R: Rule>(module: &'a dyn Module, name: &str) -> Option<(Slotted<'a>, &'a R)> {
    let slotted = derived::own(module, name)?;
    Some((slotted, slotted.slot().derived()?.rule::<R>()?))
}

/// Leaves a tensor with a value as a new parameter.
pub(super) fn leave(slotted: Slotted<'_>, value: &Tensor) {
    let own = slotted.own();
    own.set_grad(None);
    own.set_data(&value.detach());
    own.requires_grad_(true);
    if let Some(derived) = slotted.slot().derived() {
        derived.remove();
    }
}
