//! `torch.nn.utils.parametrize`: tensors of a module that are computed from others.
//!
//! Any module that maps a tensor to a tensor is a parametrization. Where the parametrized tensor shall start at, or be set to, a
//! given value, the module says from what it comes: an inherent `right_inverse`, named in `#[module(right_inverse)]`.
//!
//! ```
//! use flambeau_autograd::{Tensor, rand};
//! use flambeau_nn::utils::parametrize;
//! use flambeau_nn::{self as nn, Forward, Module};
//!
//! #[derive(Module)]
//! #[module(right_inverse)]
//! struct Symmetric;
//!
//! impl Forward for Symmetric {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         x.triu() + x.triu_diagonal(1).t()
//!     }
//! }
//!
//! impl Symmetric {
//!     fn right_inverse(&self, a: &Tensor) -> Tensor {
//!         a.triu()
//!     }
//! }
//!
//! let layer = nn::Linear::new(5, 5);
//! parametrize::register_parametrization(&layer, "weight", Symmetric);
//! assert!(layer.weight.allclose(&layer.weight.t()));
//! let a = rand([5, 5]);
//! let a = &a + a.t();
//! parametrize::set(&layer, "weight", &a); // Python's layer.weight = A
//! assert!(layer.weight.allclose(&a));
//! let names: Vec<String> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["bias", "parametrizations.weight.original"]);
//! ```

mod inverse;
mod list;

pub use inverse::RightInverse;
pub use list::ParametrizationList;

use super::ModuleRef;
use crate::module::derived::{self, Caching, Derived, Rule, Slotted, When};
use crate::{Forward, Input, Members, Memo, Module, copy_arc};
use flambeau_autograd::{Tensor, no_grad, options};
use list::{Applied, Dict, Parametrization};
use std::marker::PhantomData;
use std::sync::Arc;

options! {
    /// Options of [`register_parametrization_with`].
    #[derive(Clone)]
    RegisterOptions {
        /// Whether the parametrization may change the tensor's dtype and shape; nothing is checked then (false).
        r#unsafe: bool = false,
    }
}

options! {
    /// Options of [`remove_parametrizations_with`].
    #[derive(Clone)]
    RemoveOptions {
        /// Whether the tensor keeps its parametrized value, and not the original's (true).
        leave_parametrized: bool = true,
    }
}

/// A tensor that a list in the module's dict computes.
struct Parametrized {
    name: String,
    dict: Arc<Dict>,
}

impl Parametrized {
    fn list(&self) -> &ParametrizationList {
        self.dict.get(&self.name).expect("the list is in the dict for as long as the rule is in force")
    }
}

impl Rule for Parametrized {
    fn value(&self, _training: bool) -> Tensor {
        self.list().compute()
    }
    fn collect<'a>(&'a self, _name: &str, _order: u64, members: &mut Members<'a>) {
        members.parametrizations = Some(&*self.dict);
    }
    fn former_names(&self, name: &str) -> Vec<(String, String)> {
        // Those of the older weight norm.
        let is_weight_norm = self.list().members().children.iter().any(|(_, m)| m.type_name() == "_WeightNorm");
        let pairs = [("g", 0), ("v", 1)].into_iter().filter(|_| is_weight_norm);
        pairs.map(|(old, i)| (format!("{name}_{old}"), format!("parametrizations.{name}.original{i}"))).collect()
    }
    fn copy(&self, memo: &mut Memo) -> Box<dyn Rule> {
        Box::new(Parametrized { name: self.name.clone(), dict: copy_arc(&self.dict, memo) })
    }
}

/// The rule that parametrizes a tensor of the module.
fn rule_of<'a>(module: &'a dyn Module, name: &str) -> Option<(&'a Parametrized, &'a Derived, Slotted<'a>)> {
    let found = module.members().derived.into_iter().find(|(n, ..)| n == name);
    found.and_then(|(_, slotted, derived)| Some((derived.rule::<Parametrized>()?, derived, slotted)))
}

/// The dict of the module's parametrizations, or a new one.
fn dict_of(module: &dyn Module) -> Arc<Dict> {
    let rules = module.members().derived;
    let dict = rules.iter().find_map(|(.., derived)| derived.rule::<Parametrized>()).map(|rule| rule.dict.clone());
    dict.unwrap_or_else(|| Arc::new(Dict::new()))
}

/// Parametrizes a module's parameter or buffer: `parametrize.register_parametrization(module, tensor_name, parametrization)`. From now
/// on each read of the tensor computes it, gradients go to the originals, and the module lists those instead: under
/// `parametrizations.weight.original`. A second parametrization is applied to what the first gives. Returns the module.
///
/// The optimizer need not be told where the original is one tensor, which stays the same parameter.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn::{self as nn, Module};
/// let layer = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::Softplus::new());
/// assert!(layer.weight.gt(0).all().item() == 1.0);
/// assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "parametrizations.weight.original"]);
/// ```
///
/// # Panics
/// When the module has no such tensor, and where the parametrization changes its dtype or shape.
#[track_caller]
pub fn register_parametrization<K, M: ModuleRef<K>, In: Input, P: Forward<In, Tensor>>(
    module: M,
    tensor_name: &str,
    parametrization: P,
) -> M {
    register_parametrization_with(module, tensor_name, parametrization, |o| o)
}

/// [`register_parametrization`] with `r#unsafe`: the parametrization may change dtype and shape, and nothing is checked.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn as nn;
/// let layer = nn::Linear::new(2, 3);
/// parametrize::register_parametrization_with(&layer, "weight", nn::Flatten::new(), |o| o.r#unsafe(true));
/// assert_eq!(layer.weight.size(), [3, 2]);
/// ```
///
/// # Panics
/// When the module has no such tensor; without the option as [`register_parametrization`].
#[track_caller]
pub fn register_parametrization_with<K, M: ModuleRef<K>, In: Input, P: Forward<In, Tensor>>(
    module: M,
    tensor_name: &str,
    parametrization: P,
    options: impl FnOnce(RegisterOptions) -> RegisterOptions,
) -> M {
    let options = options(RegisterOptions::default());
    let applied = Arc::new(Applied { module: parametrization, input: PhantomData::<fn(In)> });
    register(module.as_dyn(), tensor_name, applied, options.r#unsafe);
    module
}

#[track_caller]
fn register(module: &dyn Module, name: &str, parametrization: Arc<dyn Parametrization>, is_unsafe: bool) {
    parametrization.module().train_mode(module.training());
    if let Some((rule, ..)) = rule_of(module, name) {
        return rule.list().append(parametrization, name, is_unsafe);
    }
    match derived::own(module, name) {
        Some(slotted) if slotted.slot().derived().is_none() => {
            let list = ParametrizationList::new(parametrization, slotted, is_unsafe);
            install(module, name, slotted, list);
        }
        _ => panic!(
            "Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{name}'"
        ),
    }
}

fn install(module: &dyn Module, name: &str, slotted: Slotted<'_>, list: ParametrizationList) {
    let dict = dict_of(module);
    list.train_mode(module.training());
    dict.add(name, list);
    slotted.slot().derive(Box::new(Parametrized { name: name.to_owned(), dict }), When::Read);
}

/// The parametrizations of a tensor: `module.parametrizations[tensor_name]`; `None` where it has none.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn as nn;
/// let layer = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::Tanh::new());
/// let list = parametrize::parametrizations(&layer, "weight").unwrap();
/// assert_eq!((list.len(), list.originals()[0].size().to_vec()), (1, vec![2, 2]));
/// ```
pub fn parametrizations<'a, M: Module + ?Sized>(module: &'a M, tensor_name: &str) -> Option<&'a ParametrizationList> {
    rule_of(module.as_module(), tensor_name).map(|(rule, ..)| rule.list())
}

/// Sets the originals of a parametrized tensor so that its value becomes `value`: Python's `module.weight = value`.
///
/// # Panics
/// When the tensor is not parametrized, and as [`ParametrizationList::set`].
#[track_caller]
pub fn set<M: Module + ?Sized>(module: &M, tensor_name: &str, value: &Tensor) {
    match parametrizations(module, tensor_name) {
        Some(list) => list.set(value),
        None => panic!("Module {} does not have a parametrization on {tensor_name}", module.as_module()),
    }
}

/// Whether a tensor of the module is parametrized, or any with `None`: `parametrize.is_parametrized(module, tensor_name)`.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn as nn;
/// let layer = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::Tanh::new());
/// assert!(parametrize::is_parametrized(&layer, None) && parametrize::is_parametrized(&layer, "weight"));
/// assert!(!parametrize::is_parametrized(&layer, "bias"));
/// ```
pub fn is_parametrized<'n, M: Module + ?Sized>(module: &M, tensor_name: impl Into<Option<&'n str>>) -> bool {
    match tensor_name.into() {
        Some(name) => rule_of(module.as_module(), name).is_some(),
        None => module.members().parametrizations.is_some(),
    }
}

/// Takes the parametrizations of a tensor away and leaves it with its value: `parametrize.remove_parametrizations(module,
/// tensor_name)`. It is a parameter of the module again, behind the others. Returns the module.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn::{self as nn, Module};
/// let layer = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::ReLU::new());
/// parametrize::remove_parametrizations(&layer, "weight");
/// assert!(layer.weight.ge(0).all().item() == 1.0);
/// assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight"]);
/// ```
///
/// # Panics
/// When the tensor is not parametrized.
#[track_caller]
pub fn remove_parametrizations<K, M: ModuleRef<K>>(module: M, tensor_name: &str) -> M {
    remove_parametrizations_with(module, tensor_name, |o| o)
}

/// [`remove_parametrizations`] with `leave_parametrized`: where it is false the tensor gets the original's values back.
///
/// # Panics
/// When the tensor is not parametrized, and when it is made of several originals and shall not stay parametrized.
#[track_caller]
pub fn remove_parametrizations_with<K, M: ModuleRef<K>>(
    module: M,
    tensor_name: &str,
    options: impl FnOnce(RemoveOptions) -> RemoveOptions,
) -> M {
    remove(module.as_dyn(), tensor_name, options(RemoveOptions::default()).leave_parametrized);
    module
}

#[track_caller]
fn remove(module: &dyn Module, name: &str, leave_parametrized: bool) {
    let Some((rule, derived, slotted)) = rule_of(module, name) else {
        panic!("Module {module} does not have a parametrization on {name}")
    };
    let (list, own) = (rule.list(), slotted.own());
    if list.is_tensor() {
        let original = list.originals()[0];
        if leave_parametrized {
            let _guard = no_grad();
            original.set_data(&slotted.value().detach());
        }
        if !own.is_same(original) {
            own.set_data(&original.detach());
        }
    } else {
        assert!(
            leave_parametrized,
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of \
             tensors."
        );
        let value = slotted.value();
        own.set_grad(None);
        own.set_data(&value.detach());
        own.requires_grad_(value.requires_grad());
    }
    derived.remove();
    rule.dict.remove(name);
}

/// Keeps parametrized tensors once they are computed, until the guard is dropped: `with parametrize.cached():`. For modules that
/// read a weight several times in a forward.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn as nn;
/// let layer = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::Dropout::new(0.5));
/// let _cached = parametrize::cached();
/// assert!(layer.weight.equal(&layer.weight));
/// ```
#[must_use = "values are kept until this is dropped"]
pub fn cached() -> CachedGuard {
    CachedGuard(Caching::new())
}

/// What [`cached`] gives.
pub struct CachedGuard(Caching);

/// The name of the module's type without parametrizations: `parametrize.type_before_parametrizations(module).__name__`, which prints
/// show as `ParametrizedLinear`.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn as nn;
/// let layer = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::Tanh::new());
/// assert!(layer.to_string().starts_with("ParametrizedLinear("));
/// assert_eq!(parametrize::type_before_parametrizations(&layer), "Linear");
/// ```
pub fn type_before_parametrizations<M: Module + ?Sized>(module: &M) -> &'static str {
    module.type_name()
}

/// Gives `to_module` the parametrizations of `from_module`, and the originals with them, so that both learn the same: `parametrize.
/// transfer_parametrizations_and_params(from_module, to_module, tensor_name)`. With `None` all tensors' are. Returns `to_module`.
///
/// ```
/// use flambeau_nn::utils::parametrize;
/// use flambeau_nn as nn;
/// let from = parametrize::register_parametrization(nn::Linear::new(2, 2), "weight", nn::Tanh::new());
/// let to = parametrize::transfer_parametrizations_and_params(&from, nn::Linear::new(2, 2), None);
/// assert!(to.weight.equal(&from.weight));
/// ```
///
/// # Panics
/// When `to_module` has no such tensor, or it is parametrized already.
#[track_caller]
pub fn transfer_parametrizations_and_params<'n, K, M: ModuleRef<K>, F: Module + ?Sized>(
    from_module: &F,
    to_module: M,
    tensor_name: impl Into<Option<&'n str>>,
) -> M {
    let (from, to, wanted) = (from_module.as_module(), to_module.as_dyn(), tensor_name.into());
    let dict = dict_of(from);
    if let Some(name) = wanted
        && is_parametrized(from, None)
    {
        assert!(dict.get(name).is_some(), "KeyError: '{name}'");
    }
    for (name, list) in dict.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)) {
        match derived::own(to, name) {
            Some(slotted) if slotted.slot().derived().is_none() => install(to, name, slotted, list.transferred()),
            Some(_) => panic!("`{name}` of the module to transfer to is parametrized already"),
            None => panic!("{} has no tensor `{name}`, and a struct gets no new field", to.type_name()),
        }
    }
    to_module
}
