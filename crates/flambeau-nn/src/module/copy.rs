//! Deep copies of modules: Python's `copy.deepcopy`.

use super::{Buffer, Carrier, Field, Forward, Input, Module, ModuleState, Output, Parameter};
use flambeau_autograd::{OrPanic, Tensor, ops};
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

/// A copy with memory of its own: `copy.deepcopy(x)`, for modules, parameters, tensors, state dicts and containers of them.
///
/// Parameters stay leaves that require grad or not, as they were; buffers, training flags and hooks come along. What is one
/// tensor (or one `Arc`) in several places stays one in the copy.
///
/// ```
/// use flambeau_nn::{self as nn, Forward, Module};
/// let net = nn::Linear::new(3, 2);
/// let copy = nn::deepcopy(&net);
/// flambeau_autograd::no_grad();
/// net.weight.data().fill_(0.0);
/// assert_ne!(copy.weight.abs().sum().item(), 0.0);
/// assert!(copy.weight.is_leaf() && copy.weight.requires_grad());
/// ```
///
/// # Panics
/// When a field can neither be copied nor is a module, or a tensor is the result of a recorded operation, with PyTorch's words.
#[track_caller]
pub fn deepcopy<T: Field>(x: &T) -> T {
    x.deepcopy_in(&mut Memo::default())
}

/// What was copied already, by what it was: tensors, the modules behind `Arc`s, states that parts carry.
#[derive(Default)]
pub struct Memo {
    tensors: HashMap<usize, (Tensor, Tensor)>,
    /// The address of what an `Arc` holds, and the copy's `Arc`.
    shared: HashMap<(usize, std::any::TypeId), Box<dyn Any>>,
    states: HashMap<usize, (Arc<ModuleState>, Arc<ModuleState>)>,
    /// How many modules stand above what is being copied, the one whose copy was asked for included.
    level: u32,
}

impl Memo {
    /// Copies a part of a module, one level further down.
    #[track_caller]
    pub fn part<T: Field>(&mut self, part: &T) -> T {
        self.level += 1;
        let copy = part.deepcopy_in(self);
        self.level -= 1;
        copy
    }

    pub(super) fn level(&self) -> u32 {
        self.level
    }

    /// What a part of the copy carries that is `level` modules down.
    pub(super) fn carrier(&mut self, carrier: &Carrier, level: u32) -> Carrier {
        carrier.copy(level, |state| {
            let copy = || (state.clone(), Arc::new(state.copy_own()));
            self.states.entry(Arc::as_ptr(state).addr()).or_insert_with(copy).1.clone()
        })
    }

    /// The copy of a tensor, made by `make` the first time.
    fn once(&mut self, tensor: &Tensor, make: impl FnOnce(&mut Self) -> Tensor) -> Tensor {
        if let Some((_, copy)) = self.tensors.get(&tensor.address()) {
            return copy.shallow_clone();
        }
        let copy = make(self);
        self.tensors.insert(tensor.address(), (tensor.shallow_clone(), copy.shallow_clone()));
        copy
    }

    /// The copy of a plain tensor: `Tensor.__deepcopy__`. Its gradient is copied too.
    #[track_caller]
    pub fn tensor(&mut self, tensor: &Tensor) -> Tensor {
        if tensor.is_uninitialized() {
            return self.once(tensor, |_| Tensor::uninitialized(tensor.dtype(), tensor.device(), None));
        }
        assert!(
            tensor.is_leaf(),
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If \
             you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see \
             https://github.com/pytorch/pytorch/pull/103001"
        );
        self.once(tensor, |memo| {
            // Handles of one memory stay so.
            let twin = memo.tensors.values().find(|(of, _)| of.array().same_view(&tensor.array()));
            let copy = match twin {
                Some((_, copy)) => copy.detach(),
                None => ops::clone(&tensor.detach()).or_panic(),
            };
            let copy = copy.requires_grad_(tensor.requires_grad());
            if let Some(grad) = tensor.grad() {
                copy.set_grad(Some(memo.tensor(&grad)));
            }
            copy
        })
    }

    /// The copy of a parameter: `Parameter.__deepcopy__`, without the gradient.
    #[track_caller]
    pub(super) fn parameter(&mut self, parameter: &Parameter) -> Tensor {
        let own = parameter.own();
        let requires_grad = own.requires_grad();
        if own.is_uninitialized() {
            return self.once(own, |_| Tensor::uninitialized(own.dtype(), own.device(), Some(requires_grad)));
        }
        self.once(own, |_| ops::clone(&own.detach()).or_panic().into_parameter(requires_grad))
    }

    /// The copy of what an `Arc` holds.
    #[track_caller]
    fn arc<M: PtrCopy + ?Sized>(&mut self, arc: &Arc<M>) -> Arc<M> {
        let key = (Arc::as_ptr(arc).addr(), std::any::TypeId::of::<Arc<M>>());
        if let Some(copy) = self.shared.get(&key).and_then(|copy| copy.downcast_ref::<Arc<M>>()) {
            return copy.clone();
        }
        let copy: Arc<M> = Arc::from((**arc).boxed(self));
        self.shared.insert(key, Box::new(copy.clone()));
        copy
    }
}

/// Copies of a module that is known only as a trait object.
#[doc(hidden)]
pub trait DynCopy {
    #[track_caller]
    fn dyn_copy(&self, memo: &mut Memo) -> Box<dyn Module>;
}

impl<M: Module> DynCopy for M {
    #[track_caller]
    fn dyn_copy(&self, memo: &mut Memo) -> Box<dyn Module> {
        Box::new(self.deepcopy_in(memo))
    }
}

/// [`DynCopy`] of a module of a known signature.
#[doc(hidden)]
pub trait ForwardCopy<In: Input, Out: Output> {
    #[track_caller]
    fn forward_copy(&self, memo: &mut Memo) -> Box<dyn Forward<In, Out>>;
}

impl<In: Input, Out: Output, F: Forward<In, Out>> ForwardCopy<In, Out> for F {
    #[track_caller]
    fn forward_copy(&self, memo: &mut Memo) -> Box<dyn Forward<In, Out>> {
        Box::new(self.deepcopy_in(memo))
    }
}

/// Copies of what a pointer points to, sized or not.
#[doc(hidden)]
pub trait PtrCopy: 'static {
    #[track_caller]
    fn boxed(&self, memo: &mut Memo) -> Box<Self>;
}

impl<M: Module> PtrCopy for M {
    #[track_caller]
    fn boxed(&self, memo: &mut Memo) -> Box<Self> {
        Box::new(self.deepcopy_in(memo))
    }
}

impl PtrCopy for dyn Module {
    #[track_caller]
    fn boxed(&self, memo: &mut Memo) -> Box<Self> {
        self.dyn_copy(memo)
    }
}

impl<In: Input, Out: Output> PtrCopy for dyn Forward<In, Out> {
    #[track_caller]
    fn boxed(&self, memo: &mut Memo) -> Box<Self> {
        self.forward_copy(memo)
    }
}

#[track_caller]
#[allow(clippy::borrowed_box, reason = "a box is what is copied")]
pub(super) fn boxed<M: PtrCopy + ?Sized>(module: &Box<M>, memo: &mut Memo) -> Box<M> {
    (**module).boxed(memo)
}

#[track_caller]
pub(crate) fn arc<M: PtrCopy + ?Sized>(module: &Arc<M>, memo: &mut Memo) -> Arc<M> {
    memo.arc(module)
}

impl Parameter {
    pub(super) fn copy(&self, memo: &mut Memo) -> Self {
        let (tensor, slot) = (memo.parameter(self), self.slot().copy(memo));
        self.moved_to(tensor, memo.carrier(self.carrier(), memo.level()), slot)
    }
}

impl Buffer {
    pub(super) fn copy(&self, memo: &mut Memo) -> Self {
        let (tensor, slot) = (memo.tensor(self.own()), self.slot().copy(memo));
        self.moved_to(tensor, memo.carrier(self.carrier(), memo.level()), slot)
    }
}
