//! PyTorch's functions that prune a module's parameter.

use super::super::ModuleRef;
use super::method::{self, BasePruningMethod, PruneOptions, Pruned, PruningContainer, PruningType, ones_like, pruned};
use super::methods::{
    CustomFromMask, Identity, L1Unstructured, LnStructured, NormOrder, RandomStructured, RandomUnstructured,
};
use crate::Module;
use crate::module::derived::{self, Slotted};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, no_grad, ops, options};
use flambeau_tensor::Scalar;
use std::sync::Arc;

options! {
    /// Options of [`global_unstructured_with`].
    #[derive(Clone)]
    GlobalOptions {
        /// How much each element matters, for each parameter in turn, in the place of the parameters themselves.
        importance_scores: Vec<Tensor> = Vec::new(),
    }
}

/// Gives a parameter a mask of ones: `prune.identity(module, name)`. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, utils::prune};
/// let layer = prune::identity(nn::Linear::new(2, 3), "bias");
/// assert!(prune::is_pruned(&layer));
/// ```
///
/// # Panics
/// When the module has no such parameter.
#[track_caller]
pub fn identity<K, M: ModuleRef<K>>(module: M, name: &str) -> M {
    Identity.apply(module, name)
}

/// Prunes elements at random: `prune.random_unstructured(module, name, amount)`. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, utils::prune};
/// let layer = prune::random_unstructured(nn::Linear::new(2, 3), "weight", 1);
/// assert_eq!(layer.weight.eq(0).sum().item(), 1.0);
/// ```
///
/// # Panics
/// When the module has no such parameter, or the amount is none.
#[track_caller]
pub fn random_unstructured<K, M: ModuleRef<K>>(module: M, name: &str, amount: impl Into<Scalar>) -> M {
    RandomUnstructured::new(amount).apply(module, name)
}

/// Prunes the elements nearest to zero: `prune.l1_unstructured(module, name, amount)`. Returns the module.
///
/// # Panics
/// When the module has no such parameter, or the amount is none.
#[track_caller]
pub fn l1_unstructured<K, M: ModuleRef<K>>(module: M, name: &str, amount: impl Into<Scalar>) -> M {
    L1Unstructured::new(amount).apply(module, name)
}

/// [`l1_unstructured`] with `importance_scores`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::{self as nn, utils::prune};
/// let layer = nn::Linear::new(2, 3);
/// prune::l1_unstructured_with(&layer, "bias", 2, |o| o.importance_scores(tensor([3.0, 1.0, 2.0])));
/// assert_eq!(layer.bias.as_ref().unwrap().eq(0).to_vec::<bool>(), [false, true, true]);
/// ```
///
/// # Panics
/// As [`l1_unstructured`], and where the scores have another shape.
#[track_caller]
pub fn l1_unstructured_with<K, M: ModuleRef<K>>(
    module: M,
    name: &str,
    amount: impl Into<Scalar>,
    options: impl FnOnce(PruneOptions) -> PruneOptions,
) -> M {
    let scores = options(PruneOptions::default()).importance_scores;
    method::apply(module.as_dyn(), name, Arc::new(L1Unstructured::new(amount)), scores.as_ref());
    module
}

/// Prunes channels along `dim` at random: `prune.random_structured(module, name, amount, dim)`. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, utils::prune};
/// let layer = prune::random_structured(nn::Linear::new(5, 3), "weight", 3, 1);
/// assert_eq!(layer.weight.sum_dim(0, false).eq(0).sum().item(), 3.0);
/// ```
///
/// # Panics
/// When the module has no such parameter, the parameter no such dimension, or the amount is none.
#[track_caller]
pub fn random_structured<K, M: ModuleRef<K>>(module: M, name: &str, amount: impl Into<Scalar>, dim: impl Int) -> M {
    RandomStructured::new(amount, dim).apply(module, name)
}

/// Prunes the channels along `dim` of the smallest `n`-norms: `prune.ln_structured(module, name, amount, n, dim)`. Returns the module.
///
/// # Panics
/// When the module has no such parameter, the parameter no such dimension, or the amount is none.
#[track_caller]
pub fn ln_structured<K, M: ModuleRef<K>>(
    module: M,
    name: &str,
    amount: impl Into<Scalar>,
    n: impl Into<NormOrder>,
    dim: impl Int,
) -> M {
    LnStructured::new(amount, n, dim).apply(module, name)
}

/// [`ln_structured`] with `importance_scores`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::{self as nn, utils::prune};
/// let layer = nn::Linear::new(2, 2);
/// let scores = tensor([[1.0, 5.0], [2.0, 5.0]]);
/// prune::ln_structured_with(&layer, "weight", 0.5, 2, 1, |o| o.importance_scores(scores));
/// assert_eq!(layer.weight.eq(0).to_vec::<bool>(), [true, false, true, false]);
/// ```
///
/// # Panics
/// As [`ln_structured`], and where the scores have another shape.
#[track_caller]
pub fn ln_structured_with<K, M: ModuleRef<K>>(
    module: M,
    name: &str,
    amount: impl Into<Scalar>,
    n: impl Into<NormOrder>,
    dim: impl Int,
    options: impl FnOnce(PruneOptions) -> PruneOptions,
) -> M {
    let scores = options(PruneOptions::default()).importance_scores;
    method::apply(module.as_dyn(), name, Arc::new(LnStructured::new(amount, n, dim)), scores.as_ref());
    module
}

/// Prunes what a mask says: `prune.custom_from_mask(module, name, mask)`. Returns the module.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::{self as nn, Module, utils::prune};
/// let layer = prune::custom_from_mask(nn::Linear::new(5, 3), "bias", tensor([0, 1, 0]));
/// assert_eq!(layer.get_buffer("bias_mask").to_vec::<f32>(), [0.0, 1.0, 0.0]);
/// ```
///
/// # Panics
/// When the module has no such parameter, or it has another shape.
#[track_caller]
pub fn custom_from_mask<K, M: ModuleRef<K>>(module: M, name: &str, mask: impl AsTensor) -> M {
    CustomFromMask::new(mask).apply(module, name)
}

/// Parameters of several modules: an array or vector of `(&module, "weight")`, where the modules are of one type or `&dyn Module`, or a
/// tuple of them of any types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of modules and names",
    label = "expected `((&net.a, \"weight\"), (&net.b, \"weight\"))`, or a list of `(&dyn Module, &str)`"
)]
pub trait PruneTargets {
    /// The modules and the names of their parameters.
    fn targets(&self) -> Vec<(&dyn Module, &str)>;
}

impl<M: Module + ?Sized> PruneTargets for [(&M, &str)] {
    fn targets(&self) -> Vec<(&dyn Module, &str)> {
        self.iter().map(|(module, name)| (module.as_module(), *name)).collect()
    }
}

impl<M: Module + ?Sized, const N: usize> PruneTargets for [(&M, &str); N] {
    fn targets(&self) -> Vec<(&dyn Module, &str)> {
        self[..].targets()
    }
}

impl<M: Module + ?Sized> PruneTargets for Vec<(&M, &str)> {
    fn targets(&self) -> Vec<(&dyn Module, &str)> {
        self[..].targets()
    }
}

impl<T: PruneTargets + ?Sized> PruneTargets for &T {
    fn targets(&self) -> Vec<(&dyn Module, &str)> {
        (**self).targets()
    }
}

macro_rules! tuples {
    ($(($($module:ident $i:tt)+))*) => {$(
        impl<$($module: Module + ?Sized),+> PruneTargets for ($((&$module, &str),)+) {
            fn targets(&self) -> Vec<(&dyn Module, &str)> {
                vec![$((self.$i.0.as_module(), self.$i.1)),+]
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}

/// Prunes parameters of several modules as if they were one vector: `prune.global_unstructured(parameters, pruning_method, amount=…)`.
/// The method is given by what makes one of an amount.
///
/// ```
/// use flambeau_nn::{self as nn, utils::prune};
/// let (first, second) = (nn::Linear::new(10, 4), nn::Linear::new(4, 1));
/// prune::global_unstructured(((&first, "weight"), (&second, "weight")), prune::L1Unstructured::new, 10);
/// assert_eq!(first.weight.eq(0).sum().item() + second.weight.eq(0).sum().item(), 10.0);
/// ```
///
/// # Panics
/// When the method is not unstructured, or a module has no such parameter.
#[track_caller]
pub fn global_unstructured<P: BasePruningMethod>(
    parameters: impl PruneTargets,
    pruning_method: impl FnOnce(Scalar) -> P,
    amount: impl Into<Scalar>,
) {
    global_unstructured_with(parameters, pruning_method, amount, |o| o);
}

/// [`global_unstructured`] with `importance_scores`, a tensor for each parameter.
///
/// # Panics
/// As [`global_unstructured`].
#[track_caller]
pub fn global_unstructured_with<P: BasePruningMethod>(
    parameters: impl PruneTargets,
    pruning_method: impl FnOnce(Scalar) -> P,
    amount: impl Into<Scalar>,
    options: impl FnOnce(GlobalOptions) -> GlobalOptions,
) {
    let (targets, given) = (parameters.targets(), options(GlobalOptions::default()).importance_scores);
    let method = pruning_method(amount.into());
    assert!(
        method.pruning_type() == PruningType::Unstructured,
        "Only \"unstructured\" PRUNING_TYPE supported for the `pruning_method`. Found method {} of type {}",
        std::any::type_name::<P>(),
        method.pruning_type()
    );
    let flat = |x: &Tensor| ops::reshape(&x.detach(), &[-1]);
    let (mut scores, mut masks, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (module, name)) in targets.iter().enumerate() {
        let Some(slotted) = derived::own(*module, name) else {
            panic!("'{}' object has no attribute '{name}'", module.type_name())
        };
        let value = slotted.value();
        scores.push(flat(given.get(i).unwrap_or(value)).or_panic());
        let mask = match pruned(*module, name) {
            Some((_, rule)) => flat(&rule.mask).or_panic(),
            None => flat(&ones_like(value).or_panic()).or_panic(),
        };
        masks.push(mask);
        lengths.push(value.numel() as i64);
    }
    let (scores, masks) = (ops::cat(&scores, 0).or_panic(), ops::cat(&masks, 0).or_panic());
    let mask = PruningContainer::new(method).compute_mask(&scores, &masks);
    let mut start = 0;
    for ((module, name), length) in targets.into_iter().zip(lengths) {
        let part = ops::narrow(&mask, 0, start, length).or_panic();
        let part = match derived::own(module, name) {
            Some(slotted) => ops::view_as(&part, slotted.own()).or_panic(),
            None => part,
        };
        custom_from_mask(module, name, part);
        start += length;
    }
}

/// Leaves a parameter pruned for good, without a mask: `prune.remove(module, name)`. Returns the module.
///
/// # Panics
/// When the parameter is not pruned.
#[track_caller]
pub fn remove<K, M: ModuleRef<K>>(module: M, name: &str) -> M {
    let Some((slotted, rule)) = pruned(module.as_dyn(), name) else {
        panic!("Parameter '{name}' of module {} has to be pruned before pruning can be removed", module.as_dyn())
    };
    let _guard = no_grad();
    let value = derived::Rule::value(rule, false);
    slotted.own().set_data(&value);
    if let Some(derived) = slotted.slot().derived() {
        derived.remove();
    }
    module
}

/// Whether the module or one in it has a pruned parameter: `prune.is_pruned(module)`.
pub fn is_pruned<M: Module + ?Sized>(module: &M) -> bool {
    module.modules().iter().any(|m| {
        let members = m.members();
        let slots = members.parameters.iter().map(|(_, p)| Slotted::Parameter(p));
        let derived = members.derived.iter().map(|(_, slotted, _)| *slotted);
        derived.chain(slots).any(|s| s.slot().derived().is_some_and(|d| d.rule::<Pruned>().is_some()))
    })
}
