//! Layers that learn the number of their inputs from the first one.

use crate::{Arg, Forward, Members, Memo, Module, ModuleState, Slots, Visit};
use flambeau_autograd::{Tensor, at_caller};
use std::fmt;
use std::ops::{ControlFlow, Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A layer that has a lazy form.
pub trait LazyLayer: Forward {
    /// The lazy form's name in prints.
    fn lazy_name(&self) -> &'static str;

    /// The layer with the number of inputs that `input` tells. It has the same parameters; those without a shape get one, and
    /// PyTorch's first numbers.
    ///
    /// # Panics
    /// When the input does not fit.
    #[track_caller]
    fn inferred(&self, input: &Tensor) -> Self
    where
        Self: Sized;
}

/// A layer that learns the number of its inputs from its first one: [`LazyLinear`](super::LazyLinear),
/// [`LazyConv2d`](super::LazyConv2d), [`LazyBatchNorm1d`](super::LazyBatchNorm1d) and their like. Until then its parameters have no
/// shape ([`UninitializedParameter`](crate::UninitializedParameter)). The first call gives them one, and PyTorch's first numbers:
/// the same draws, at that moment. From then on the module is an `L`: it prints as one, and [`downcast_ref`](trait.Module.html)
/// finds one, as the class changes in Python. The fields are those of `L`, before and after.
///
/// An optimizer may be made before the first call: the parameters stay the same tensors.
///
/// ```
/// use flambeau_autograd::ones;
/// use flambeau_nn::{self as nn, Module};
/// let net = nn::sequential![nn::LazyLinear::new(8), nn::ReLU::new(), nn::LazyLinear::new(2)];
/// assert_eq!(net[0].repr(), "LazyLinear(in_features=0, out_features=8, bias=True)");
/// net.call(ones([1, 5]));
/// assert_eq!(net[0].repr(), "Linear(in_features=5, out_features=8, bias=True)");
/// assert!(net.get_submodule("2").is::<nn::Linear>());
/// ```
pub struct Lazy<L: LazyLayer> {
    /// The layer as it was made.
    made: L,
    /// The layer with the number of its inputs.
    known: OnceLock<L>,
    /// Whether it was called.
    called: AtomicBool,
    /// Held by who finds the number out.
    turn: Mutex<()>,
}

impl<L: LazyLayer> Lazy<L> {
    pub(super) fn of(made: L) -> Self {
        Lazy { made, known: OnceLock::new(), called: AtomicBool::new(false), turn: Mutex::new(()) }
    }

    #[inline]
    fn layer(&self) -> &L {
        self.known.get().unwrap_or(&self.made)
    }

    fn layer_mut(&mut self) -> &mut L {
        self.known.get_mut().unwrap_or(&mut self.made)
    }

    #[inline]
    fn was_called(&self) -> bool {
        self.called.load(Ordering::Acquire)
    }

    /// Whether a parameter or buffer has no shape yet: `has_uninitialized_params()`.
    pub fn has_uninitialized_params(&self) -> bool {
        let members = Module::members(self.layer());
        let parameters = members.parameters.iter().map(|(_, p)| p.tensor());
        parameters.chain(members.buffers.iter().map(|(_, b)| b.tensor())).any(Tensor::is_uninitialized)
    }

    /// Gives the parameters shapes and numbers by an input, as the first call does: `initialize_parameters(input)`.
    ///
    /// # Panics
    /// When the input does not fit.
    #[track_caller]
    pub fn initialize_parameters(&self, input: impl Arg<Tensor>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.known.get().is_none() {
            let _ = self.known.set(self.made.inferred(input.arg()));
        }
    }

    /// What stands before the first call.
    #[cold]
    #[track_caller]
    fn first(&self, input: &Tensor) {
        self.initialize_parameters(input);
        self.called.store(true, Ordering::Release);
    }

    /// The layer, with the number of its inputs.
    #[track_caller]
    pub(super) fn ready(&self, input: &Tensor) -> &L {
        if !self.was_called() {
            self.first(input);
        }
        self.layer()
    }

    /// Python's `module(x)`: the layer's forward between its hooks; the first time, parameters are made before.
    ///
    /// # Panics
    /// As the layer's, and when the first input does not tell the number of inputs.
    #[track_caller]
    pub fn call(&self, x: impl Arg<Tensor>) -> Tensor {
        Forward::<Tensor, Tensor>::call_ref(self, x.arg())
    }
}

impl<L: LazyLayer> Forward for Lazy<L> {
    /// Without the call around it, a parameter without a shape is an error, as in PyTorch.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        at_caller(|| self.layer().forward(x))
    }

    #[inline]
    #[track_caller]
    fn call_ref(&self, x: &Tensor) -> Tensor {
        if !self.was_called() {
            self.first(x);
        }
        self.layer().call_ref(x)
    }
}

impl<L: LazyLayer> Deref for Lazy<L> {
    type Target = L;
    fn deref(&self) -> &L {
        self.layer()
    }
}

impl<L: LazyLayer> DerefMut for Lazy<L> {
    fn deref_mut(&mut self) -> &mut L {
        self.layer_mut()
    }
}

impl<L: LazyLayer> Module for Lazy<L> {
    fn as_module(&self) -> &dyn Module {
        if self.was_called() { self.layer().as_module() } else { self }
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        if self.was_called() { self.layer_mut().as_module_mut() } else { self }
    }
    fn type_name(&self) -> &'static str {
        if self.was_called() { Module::type_name(self.layer()) } else { self.layer().lazy_name() }
    }
    fn members(&self) -> Members<'_> {
        Module::members(self.layer())
    }
    fn slots(&mut self) -> Slots<'_> {
        Module::slots(self.layer_mut())
    }
    fn state(&self) -> Option<&ModuleState> {
        Module::state(self.layer())
    }
    fn extra_repr(&self) -> String {
        Module::extra_repr(self.layer())
    }
    fn version(&self) -> i64 {
        Module::version(self.layer())
    }
    fn added_since(&self, version: Option<i64>) -> &'static [&'static str] {
        Module::added_since(self.layer(), version)
    }
    fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
        Module::carriers(self.layer(), depth, visit)
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let copy = Lazy::of(Module::deepcopy_in(self.layer(), memo));
        copy.called.store(self.was_called(), Ordering::Release);
        copy
    }
}

impl<L: LazyLayer> fmt::Display for Lazy<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// The length of a dimension that tells the number of inputs: `input.shape[dim]`.
#[track_caller]
pub(super) fn length(input: &Tensor, dim: isize) -> usize {
    let size = input.size();
    let at = if dim < 0 { size.len().checked_sub(dim.unsigned_abs()) } else { Some(dim as usize) };
    match at.and_then(|at| size.get(at)) {
        Some(&n) => n,
        None => panic!("tuple index out of range"),
    }
}
