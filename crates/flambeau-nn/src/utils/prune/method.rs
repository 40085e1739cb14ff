//! What a pruning method is, and how masks of several are combined.

use crate::module::derived::{self, Rule, Slotted, When};
use crate::{Buffer, Members, Memo, Module, Parameter, deepcopy};
use flambeau_autograd::{OrPanic, Result, Tensor, no_grad, ops, options};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::ModuleRef;

options! {
    /// Options of [`BasePruningMethod::prune_with`] and of functions that prune by a tensor's numbers.
    #[derive(Clone)]
    PruneOptions {
        /// How much each element matters, in the place of the tensor itself.
        importance_scores: Option<Tensor> = None,
        /// What is pruned already: a mask of ones and zeros (ones).
        default_mask: Option<Tensor> = None,
    }
}

/// Over what a method computes its mask where something is pruned already: `PRUNING_TYPE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PruningType {
    /// Over the elements that are left: `"unstructured"`.
    Unstructured,
    /// Over the entries of [`BasePruningMethod::dim`] of which something is left: `"structured"`.
    Structured,
    /// Over everything: `"global"`.
    Global,
}

impl std::fmt::Display for PruningType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PruningType::Unstructured => "unstructured",
            PruningType::Structured => "structured",
            PruningType::Global => "global",
        })
    }
}

/// A way to choose what is pruned: `prune.BasePruningMethod`. Implement it for a method of your own.
///
/// ```
/// use flambeau_autograd::Tensor;
/// use flambeau_nn as nn;
/// use nn::utils::prune::{BasePruningMethod, PruningType};
///
/// /// Every other element.
/// struct Alternating;
///
/// impl BasePruningMethod for Alternating {
///     fn pruning_type(&self) -> PruningType {
///         PruningType::Unstructured
///     }
///     fn compute_mask(&self, _t: &Tensor, default_mask: &Tensor) -> Tensor {
///         let mask = default_mask.clone();
///         mask.view([-1]).slice(0, 0, None, 2).fill_(0);
///         mask
///     }
/// }
///
/// let layer = nn::Linear::new(2, 3);
/// Alternating.apply(&layer, "bias");
/// assert_eq!(layer.bias.as_ref().unwrap().eq(0).to_vec::<bool>(), [true, false, true]);
/// ```
pub trait BasePruningMethod: Send + Sync + 'static {
    /// Over what the mask is computed.
    fn pruning_type(&self) -> PruningType;

    /// The mask of `t`, which also prunes what `default_mask` does.
    #[track_caller]
    fn compute_mask(&self, t: &Tensor, default_mask: &Tensor) -> Tensor;

    /// The dimension of a structured method.
    fn dim(&self) -> i64 {
        -1
    }

    /// Prunes a module's parameter: `Method.apply(module, name)`. What is pruned already stays so.
    ///
    /// # Panics
    /// When the module has no such parameter, and where the method does not fit it.
    #[track_caller]
    fn apply<K, M: ModuleRef<K>>(self, module: M, name: &str) -> M
    where
        Self: Sized,
    {
        apply(module.as_dyn(), name, Arc::new(self), None);
        module
    }

    /// The tensor with zeros where the method prunes it: `method.prune(t)`.
    ///
    /// # Panics
    /// As [`BasePruningMethod::compute_mask`].
    #[track_caller]
    fn prune(&self, t: &Tensor) -> Tensor
    where
        Self: Sized,
    {
        self.prune_with(t, |o| o)
    }

    /// [`BasePruningMethod::prune`] with options: `importance_scores`, `default_mask`.
    ///
    /// # Panics
    /// As [`BasePruningMethod::compute_mask`], and where the scores have another shape.
    #[track_caller]
    fn prune_with(&self, t: &Tensor, options: impl FnOnce(PruneOptions) -> PruneOptions) -> Tensor
    where
        Self: Sized,
    {
        let o = options(PruneOptions::default());
        if let Some(scores) = &o.importance_scores {
            assert!(
                scores.size() == t.size(),
                "importance_scores should have the same shape as tensor t, got {} vs {}",
                scores.size(),
                t.size()
            );
        }
        let scores = o.importance_scores.unwrap_or_else(|| t.shallow_clone());
        let default = o.default_mask.unwrap_or_else(|| ones_like(t).or_panic());
        t.mul(self.compute_mask(&scores, &default))
    }
}

pub(super) fn ones_like(t: &Tensor) -> Result<Tensor> {
    ops::ones(&t.size(), t.dtype(), t.device())
}

/// Several methods in turn: `prune.PruningContainer`. Its mask is the last one's, over what the others left.
///
/// ```
/// use flambeau_autograd::{ones, tensor};
/// use flambeau_nn::utils::prune::{BasePruningMethod, Identity, L1Unstructured, PruningContainer};
/// let mut container = PruningContainer::new(Identity);
/// container.add_pruning_method(L1Unstructured::new(1));
/// let mask = container.compute_mask(&tensor([1.0, 2.0, 3.0]), &tensor([0.0, 1.0, 1.0]));
/// assert_eq!((container.len(), mask.to_vec::<f32>()), (2, vec![0.0, 0.0, 1.0]));
/// ```
#[derive(Clone)]
pub struct PruningContainer(Vec<Arc<dyn BasePruningMethod>>);

impl PruningContainer {
    /// Of one method.
    pub fn new(method: impl BasePruningMethod) -> Self {
        PruningContainer(vec![Arc::new(method)])
    }

    /// Adds a method.
    pub fn add_pruning_method(&mut self, method: impl BasePruningMethod) {
        self.0.push(Arc::new(method));
    }

    /// How many methods.
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The methods in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn BasePruningMethod> {
        self.0.iter().map(|method| &**method)
    }
}

impl BasePruningMethod for PruningContainer {
    fn pruning_type(&self) -> PruningType {
        self.0.last().map_or(PruningType::Global, |last| last.pruning_type())
    }

    #[track_caller]
    fn compute_mask(&self, t: &Tensor, default_mask: &Tensor) -> Tensor {
        let last = self.0.last().expect("a container has a method");
        combined(&**last, t, default_mask).or_panic()
    }
}

/// The mask of a method over what an earlier mask left.
#[track_caller]
fn combined(method: &dyn BasePruningMethod, t: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let _guard = no_grad();
    let new = ops::clone(&ops::to_dtype(mask, t.dtype())?)?;
    match method.pruning_type() {
        PruningType::Global => {
            ops::copy_(&new, &method.compute_mask(t, mask))?;
        }
        PruningType::Unstructured => {
            let left = ops::eq(mask, 1)?;
            let part = method.compute_mask(&ops::masked_select(t, &left)?, &ops::masked_select(mask, &left)?);
            return ops::masked_scatter(&new, &left, &ops::to_dtype(&part, new.dtype())?);
        }
        PruningType::Structured => {
            let ndim = t.dim() as i64;
            let dim = if method.dim() < 0 { method.dim() + ndim } else { method.dim() };
            assert!(dim >= 0, "Index is out of bounds for tensor with dimensions {ndim}");
            let others: Vec<i64> = (0..ndim).filter(|&d| d != dim).collect();
            if others.is_empty() {
                // A vector's one channel is all of it: Python's index `True` makes a row of it.
                let rows = [ops::unsqueeze(t, 0)?, ops::unsqueeze(mask, 0)?];
                let part = method.compute_mask(&rows[0], &rows[1]);
                return ops::to_dtype(&ops::squeeze(&part, Some(&[0]))?, new.dtype());
            }
            let sums = ops::sum(mask, &others, false, None)?;
            let left = ops::squeeze(&ops::nonzero(&sums)?, Some(&[-1]))?;
            let part = method.compute_mask(&ops::index_select(t, dim, &left)?, &ops::index_select(mask, dim, &left)?);
            let part = ops::to_dtype(&part, new.dtype())?;
            return ops::index_copy(&new, dim, &left, &part);
        }
    }
    Ok(new)
}

/// A parameter that a mask holds at zero in places.
pub(super) struct Pruned {
    pub(super) orig: Parameter,
    pub(super) mask: Buffer,
    methods: Mutex<PruningContainer>,
}

impl Rule for Pruned {
    fn value(&self, _training: bool) -> Tensor {
        let mask = ops::to_dtype(&self.mask, self.orig.dtype());
        mask.and_then(|mask| ops::mul(&mask, &self.orig)).or_panic()
    }
    fn collect<'a>(&'a self, name: &str, order: u64, members: &mut Members<'a>) {
        members.late_parameters.push((order, format!("{name}_orig").into(), &self.orig));
        members.late_buffers.push((order, format!("{name}_mask").into(), &self.mask));
    }
    fn copy(&self, memo: &mut Memo) -> Box<dyn Rule> {
        let methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::new(Pruned { orig: memo.part(&self.orig), mask: memo.part(&self.mask), methods: Mutex::new(methods) })
    }
}

/// The module's pruned parameter of this name.
pub(super) fn pruned<'a>(module: &'a dyn Module, name: &str) -> Option<(Slotted<'a>, &'a Pruned)> {
    let slotted = derived::own(module, name)?;
    Some((slotted, slotted.slot().derived()?.rule::<Pruned>()?))
}

/// The mask that a method gives a module's parameter, put before its calls.
#[track_caller]
pub(super) fn apply(module: &dyn Module, name: &str, method: Arc<dyn BasePruningMethod>, scores: Option<&Tensor>) {
    let Some(slotted) = derived::own(module, name) else {
        panic!("'{}' object has no attribute '{name}'", module.type_name())
    };
    let value = slotted.value();
    if let Some(scores) = scores {
        assert!(
            scores.size() == value.size(),
            "importance_scores should have the same shape as parameter {name} of {module}, got {} vs {}",
            scores.size(),
            value.size()
        );
    }
    let scores = scores.unwrap_or(value);
    if let Some((_, rule)) = pruned(module, name) {
        let mask = combined(&*method, scores, &deepcopy(rule.mask.tensor())).or_panic();
        rule.mask.own().set_data(&mask);
        rule.methods.lock().unwrap_or_else(PoisonError::into_inner).0.push(method);
        if let Some(derived) = slotted.slot().derived() {
            derived.set(rule.value(false));
        }
        return;
    }
    let parameter = match slotted {
        Slotted::Parameter(p) if p.slot().derived().is_none() => p,
        _ => panic!(
            "cannot assign 'torch.FloatTensor' object to parameter '{name}_orig' (torch.nn.Parameter or None required)"
        ),
    };
    let mask = {
        let _guard = no_grad();
        method.compute_mask(scores, &ones_like(value).or_panic())
    };
    let methods = Mutex::new(PruningContainer(vec![method]));
    let rule = Pruned { orig: parameter.original(), mask: Buffer::new(mask), methods };
    let value = rule.value(false);
    let derived = parameter.slot().derive(Box::new(rule), When::Call);
    derived.set(value);
    derived.before_calls(module, name);
}
