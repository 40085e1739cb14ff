//! A recurrent layer as a module: how many parameters it has and what they are called depends on its options.

use super::{RNNBase, RecurrentKind};
use crate::{Members, Memo, Module, ModuleState};
use std::fmt;
use std::marker::PhantomData;

impl<K: RecurrentKind> Module for RNNBase<K> {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        K::NAME
    }
    fn members(&self) -> Members<'_> {
        let named = self.names.iter().zip(&self.weights).map(|(name, weight)| (name.clone().into(), weight));
        Members { parameters: named.collect(), ..Members::default() }
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    fn extra_repr(&self) -> String {
        self.extra()
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        RNNBase {
            names: self.names.clone(),
            weights: self.weights.iter().map(|weight| memo.part(weight)).collect(),
            state: memo.part(&self.state),
            kind: PhantomData,
            ..*self
        }
    }
}

impl<K: RecurrentKind> fmt::Display for RNNBase<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}
