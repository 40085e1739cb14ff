//! Sequences of modules under names of their own: torchvision's subclasses of `nn.Sequential`.

use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Forward, Members, Memo, Module, ModuleState, Slots, forward};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// What tells a [`SequentialOf`] from others.
pub trait SequentialKind: Send + Sync + 'static {
    /// The name in prints.
    const NAME: &'static str;
    /// Python's `_version`, which state dicts carry.
    const VERSION: i64 = 1;

    /// What is computed: one module after the other.
    #[track_caller]
    fn forward(layers: &nn::Sequential, x: &Tensor) -> Tensor {
        Forward::forward(layers, x)
    }
}

/// An [`nn::Sequential`] that prints another name: what a Python class is that inherits from `nn.Sequential`.
///
/// It lends the sequence, so that modules are reached, appended and replaced as in one.
pub struct SequentialOf<K: SequentialKind> {
    layers: nn::Sequential,
    kind: PhantomData<K>,
}

impl<K: SequentialKind> SequentialOf<K> {
    /// The modules of a sequence.
    pub(crate) fn of(layers: nn::Sequential) -> Self {
        SequentialOf { layers, kind: PhantomData }
    }
}

#[forward]
impl<K: SequentialKind> SequentialOf<K> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        K::forward(&self.layers, x)
    }
}

impl<K: SequentialKind> Deref for SequentialOf<K> {
    type Target = nn::Sequential;
    fn deref(&self) -> &nn::Sequential {
        &self.layers
    }
}

impl<K: SequentialKind> DerefMut for SequentialOf<K> {
    fn deref_mut(&mut self) -> &mut nn::Sequential {
        &mut self.layers
    }
}

impl<K: SequentialKind> Module for SequentialOf<K> {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        K::NAME
    }
    fn version(&self) -> i64 {
        K::VERSION
    }
    fn members(&self) -> Members<'_> {
        self.layers.members()
    }
    fn slots(&mut self) -> Slots<'_> {
        self.layers.slots()
    }
    fn state(&self) -> Option<&ModuleState> {
        self.layers.state()
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        Self::of(self.layers.deepcopy_in(memo))
    }
}

impl<K: SequentialKind> fmt::Display for SequentialOf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}
