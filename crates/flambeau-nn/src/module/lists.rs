//! Lists, maps and pointers in a module's fields.

use super::carrier::Visit;
use super::{Field, FieldKind, Members, Memo, Module, ModuleState, PtrCopy, Slots, copy, repr};
use crate::utils::parametrize::RightInverse;
use flambeau_autograd::Tensor;
use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Writes `Module` for a list or map: its items' names and values come from `pairs` and `pairs_mut`, a copy from `copied`.
macro_rules! container {
    ($([$($generics:tt)*] $t:ty: $item:ident, $list:literal, $parameters:literal,
        |$x:ident| $pairs:expr, |$m:ident| $pairs_mut:expr, |$c:ident, $memo:ident| $copied:expr;)*) => {$(
        impl<$($generics)*> Module for $t {
            fn as_module(&self) -> &dyn Module {
                self
            }
            fn as_module_mut(&mut self) -> &mut dyn Module {
                self
            }
            fn type_name(&self) -> &'static str {
                if $item::KIND == FieldKind::Parameter { $parameters } else { $list }
            }
            fn members(&self) -> Members<'_> {
                let mut members = Members::default();
                let $x = self;
                $pairs.for_each(|(name, item)| item.collect(name, &mut members));
                members.finished()
            }
            fn slots(&mut self) -> Slots<'_> {
                let mut slots = Slots::default();
                let $m = self;
                $pairs_mut.for_each(|(name, item)| item.collect_mut(name, &mut slots));
                slots
            }
            fn repr(&self) -> String {
                repr::list(self, $item::KIND)
            }
            fn registers() -> bool {
                $item::registers()
            }
            fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
                let $x = self;
                $pairs.try_for_each(|(_, item)| Field::carriers(item, depth, visit))
            }
            #[track_caller]
            fn deepcopy_in(&self, $memo: &mut Memo) -> Self {
                let $c = self;
                $copied
            }
        }
    )*};
}

fn numbered<T>(items: impl Iterator<Item = T>) -> impl Iterator<Item = (Cow<'static, str>, T)> {
    items.enumerate().map(|(i, item)| (Cow::Owned(i.to_string()), item))
}

/// A key as a part of a name.
fn key_name<K: Debug + 'static>(key: &K) -> Cow<'static, str> {
    let any = key as &dyn Any;
    match (any.downcast_ref::<String>(), any.downcast_ref::<&'static str>()) {
        (Some(text), _) => Cow::Owned(text.clone()),
        (_, Some(text)) => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{key:?}")),
    }
}

/// A hash map's items in an order that does not change from run to run: by name, numbers by value.
fn sorted<K, T>(
    items: impl Iterator<Item = (K, T)>,
    key: impl Fn(&K) -> Cow<'static, str>,
) -> std::vec::IntoIter<(Cow<'static, str>, T)> {
    let mut items: Vec<_> = items.map(|(k, item)| (key(&k), item)).collect();
    items.sort_by_cached_key(|(name, _)| (name.parse::<i64>().ok(), name.clone()));
    items.into_iter()
}

container! {
    // A vector in a field is a list of modules, as `nn.ModuleList`, or of parameters, as `nn.ParameterList`; one of plain data
    // is nothing.
    [T: Field] Vec<T>: T, "ModuleList", "ParameterList",
        |x| numbered(x.iter()),
        |x| numbered(x.iter_mut()),
        |x, memo| x.iter().map(|item| memo.part(item)).collect();
    [T: Field, const N: usize] [T; N]: T, "ModuleList", "ParameterList",
        |x| numbered(x.iter()),
        |x| numbered(x.iter_mut()),
        |x, memo| std::array::from_fn(|i| memo.part(&x[i]));
    [K: Debug + Clone + Ord + Send + Sync + 'static, T: Field] BTreeMap<K, T>: T, "ModuleDict", "ParameterDict",
        |x| x.iter().map(|(key, item)| (key_name(key), item)),
        |x| x.iter_mut().map(|(key, item)| (key_name(key), item)),
        |x, memo| x.iter().map(|(key, item)| (key.clone(), memo.part(item))).collect();
    [K: Debug + Clone + Eq + Hash + Send + Sync + 'static, T: Field, S: BuildHasher + Clone + Default + Send + Sync + 'static]
        HashMap<K, T, S>: T, "ModuleDict", "ParameterDict",
        |x| sorted(x.iter(), |key| key_name(*key)),
        |x| sorted(x.iter_mut(), |key| key_name(*key)),
        |x, memo| x.iter().map(|(key, item)| (key.clone(), memo.part(item))).collect();
}

macro_rules! tuples {
    ($($($t:ident $i:tt)+;)*) => {$(
        impl<$($t: Field),+> Module for ($($t,)+) {
            fn as_module(&self) -> &dyn Module {
                self
            }
            fn as_module_mut(&mut self) -> &mut dyn Module {
                self
            }
            fn type_name(&self) -> &'static str {
                "ModuleList"
            }
            fn members(&self) -> Members<'_> {
                let mut members = Members::default();
                $(self.$i.collect(Cow::Borrowed(stringify!($i)), &mut members);)+
                members.finished()
            }
            fn slots(&mut self) -> Slots<'_> {
                let mut slots = Slots::default();
                $(self.$i.collect_mut(Cow::Borrowed(stringify!($i)), &mut slots);)+
                slots
            }
            fn repr(&self) -> String {
                repr::list(self, FieldKind::Module)
            }
            fn registers() -> bool {
                $($t::registers())||+
            }
            fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
                $(Field::carriers(&self.$i, depth, visit)?;)+
                ControlFlow::Continue(())
            }
            #[track_caller]
            fn deepcopy_in(&self, memo: &mut Memo) -> Self {
                ($(memo.part(&self.$i),)+)
            }
        }
    )*};
}
tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
}

macro_rules! pointers {
    ($($pointer:ident: owner $owner:literal, |$p:ident| $inner:expr, $copy:path;)*) => {$(
        impl<M: Module + PtrCopy + ?Sized> Module for $pointer<M> {
            fn as_module(&self) -> &dyn Module {
                (**self).as_module()
            }
            #[track_caller]
            fn as_module_mut(&mut self) -> &mut dyn Module {
                let $p = self;
                $inner.as_module_mut()
            }
            fn type_name(&self) -> &'static str {
                (**self).type_name()
            }
            fn members(&self) -> Members<'_> {
                (**self).members()
            }
            #[track_caller]
            fn slots(&mut self) -> Slots<'_> {
                let $p = self;
                $inner.slots()
            }
            fn state(&self) -> Option<&ModuleState> {
                (**self).state()
            }
            fn extra_repr(&self) -> String {
                (**self).extra_repr()
            }
            fn version(&self) -> i64 {
                (**self).version()
            }
            fn added_since(&self, version: Option<i64>) -> &'static [&'static str] {
                (**self).added_since(version)
            }
            fn get_extra_state(&self) -> Option<Tensor> {
                (**self).get_extra_state()
            }
            fn set_extra_state(&self, state: &Tensor) {
                (**self).set_extra_state(state);
            }
            fn right_inverse(&self, value: &Tensor) -> Option<RightInverse> {
                (**self).right_inverse(value)
            }
            fn repr(&self) -> String {
                (**self).repr()
            }
            fn is_owner() -> bool {
                $owner
            }
            fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
                if $owner { (**self).carriers(depth, visit) } else { ControlFlow::Continue(()) }
            }
            #[track_caller]
            fn deepcopy_in(&self, memo: &mut Memo) -> Self {
                $copy(self, memo)
            }
        }
    )*};
}
pointers! {
    Box: owner true, |p| (**p), copy::boxed;
    Arc: owner false, |p| match Arc::get_mut(p) {
        Some(module) => module,
        None => panic!("the module is shared: an Arc that has other handles gives no access to change it"),
    }, copy::arc;
}
