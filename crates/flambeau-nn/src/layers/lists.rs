//! Modules in lists and under names.

use super::containers::{boxed, check_name, position};
use crate::module::repr;
use crate::{FieldKind, Forward, Input, Members, Memo, Module, ModuleState, Output, PtrCopy, Slots};
use flambeau_autograd::arguments::Int;
use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, AddAssign, Index, IndexMut, RangeBounds};

/// What goes into a [`ModuleList`] or [`ModuleDict`] of `M`: a module of that type, and into one of `dyn Forward` any module of
/// that signature, boxed or not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be in this list or dict of modules",
    note = "`nn::ModuleList` holds modules that map a tensor to a tensor; others are in a `nn::ModuleList<Block>` or `Vec<Block>`"
)]
pub trait ListItem<M: ?Sized> {
    /// The module in a box.
    fn into_item(self) -> Box<M>;
}

impl<M: Module> ListItem<M> for M {
    fn into_item(self) -> Box<M> {
        Box::new(self)
    }
}

impl<In: Input, Out: Output, M: Forward<In, Out>> ListItem<dyn Forward<In, Out>> for M {
    fn into_item(self) -> Box<dyn Forward<In, Out>> {
        boxed(self)
    }
}

/// Modules in a list, registered under "0", "1", …: `nn.ModuleList`. They may differ, if each maps a tensor to a tensor;
/// `ModuleList<Block>` holds blocks of one type, whatever they take. An iterator's `collect()` makes one too,
/// [`module_list!`](crate::module_list) one of modules that differ, `default()` an empty one.
///
/// ```
/// use flambeau_autograd::{Tensor, ones};
/// use flambeau_nn::{self as nn, Call, Forward, Module};
///
/// #[derive(Module)]
/// struct Net {
///     blocks: nn::ModuleList,
/// }
///
/// impl Forward for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         let mut x = self.blocks[0].call(x);
///         for block in self.blocks.iter().skip(1) {
///             x = block.call(&x).relu();
///         }
///         x
///     }
/// }
///
/// let mut net = Net { blocks: nn::ModuleList::new((0..3).map(|_| nn::Linear::new(4, 4))) };
/// net.blocks.push(nn::Tanh::new());
/// assert_eq!((net.blocks.len(), net.call(ones([2, 4])).size()), (4, ones([2, 4]).size()));
/// assert_eq!(net.named_parameters()[2].0, "blocks.1.weight");
/// ```
pub struct ModuleList<M: ?Sized = dyn Forward> {
    modules: Vec<Box<M>>,
    state: ModuleState,
}

/// [`ModuleList`] of modules that may differ in type.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let layers = nn::module_list![nn::Linear::new(4, 8), nn::ReLU::new()];
/// assert_eq!(layers[0].call(flambeau_autograd::ones([4])).size(), [8]);
/// ```
#[macro_export]
macro_rules! module_list {
    ($($module:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut list = $crate::ModuleList::<dyn $crate::Forward<_, _>>::default();
        $(list.push($module);)*
        list
    }};
}

impl<M: ?Sized> Default for ModuleList<M> {
    fn default() -> Self {
        ModuleList { modules: Vec::new(), state: ModuleState::new() }
    }
}

impl<M: ?Sized> ModuleList<M> {
    /// The modules of an array, vector or iterator.
    pub fn new<X: ListItem<M>>(modules: impl IntoIterator<Item = X>) -> Self {
        modules.into_iter().collect()
    }

    /// Adds a module at the end: `append(module)`.
    pub fn push(&mut self, module: impl ListItem<M>) -> &mut Self {
        self.modules.push(module.into_item());
        self
    }

    /// Adds a module at the end: [`ModuleList::push`] under its name in Python.
    pub fn append(&mut self, module: impl ListItem<M>) -> &mut Self {
        self.push(module)
    }

    /// Puts a module before the i-th; negative numbers count from the end: `insert(i, module)`.
    ///
    /// # Panics
    /// When there are fewer than i modules.
    #[track_caller]
    pub fn insert(&mut self, i: impl Int, module: impl ListItem<M>) -> &mut Self {
        let at = position(i.to_i64(), self.len(), true).unwrap_or_else(|i| panic!("index {i} is out of range"));
        self.modules.insert(at, module.into_item());
        self
    }

    /// Takes the i-th module out; negative numbers count from the end: `pop(i)`.
    ///
    /// # Panics
    /// When there is no such module.
    #[track_caller]
    pub fn pop(&mut self, i: impl Int) -> Box<M> {
        let at = position(i.to_i64(), self.len(), false).unwrap_or_else(|i| panic!("index {i} is out of range"));
        self.modules.remove(at)
    }

    /// The modules of a range in a list of their own, the others are dropped: `list[2:5]`. Where they are to stay, take
    /// `list.iter().skip(2).take(3)`.
    ///
    /// # Panics
    /// When the range ends after the list.
    #[track_caller]
    #[must_use]
    pub fn slice(mut self, range: impl RangeBounds<usize>) -> Self {
        ModuleList { modules: self.modules.drain(range).collect(), state: ModuleState::new() }
    }

    /// Puts a module in the place of the i-th; returns that one: `list[i] = module`.
    ///
    /// # Panics
    /// When there are no more than i modules.
    #[track_caller]
    pub fn set(&mut self, i: usize, module: impl ListItem<M>) -> Box<M> {
        assert!(i < self.len(), "index {i} is out of range");
        std::mem::replace(&mut self.modules[i], module.into_item())
    }

    /// Takes the i-th module out: `list.pop(i)`, `del list[i]`.
    ///
    /// # Panics
    /// When there are no more than i modules.
    #[track_caller]
    pub fn remove(&mut self, i: usize) -> Box<M> {
        assert!(i < self.len(), "index {i} is out of range");
        self.modules.remove(i)
    }

    /// The i-th module.
    pub fn get(&self, i: usize) -> Option<&M> {
        self.modules.get(i).map(|module| &**module)
    }

    /// The i-th module, to be changed.
    pub fn get_mut(&mut self, i: usize) -> Option<&mut M> {
        self.modules.get_mut(i).map(|module| &mut **module)
    }

    /// The first module: `list[0]`.
    pub fn first(&self) -> Option<&M> {
        self.get(0)
    }

    /// The last module: `list[-1]`.
    pub fn last(&self) -> Option<&M> {
        self.modules.last().map(|module| &**module)
    }

    /// How many modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The modules in order.
    pub fn iter(&self) -> ListIter<'_, M> {
        self.modules.iter().map(|module| &**module)
    }

    /// The modules in order, to be changed.
    pub fn iter_mut(&mut self) -> ListIterMut<'_, M> {
        self.modules.iter_mut().map(|module| &mut **module)
    }
}

/// The modules of a [`ModuleList`] in order.
pub type ListIter<'a, M> = std::iter::Map<std::slice::Iter<'a, Box<M>>, fn(&'a Box<M>) -> &'a M>;
/// The modules of a [`ModuleList`] in order, to be changed.
pub type ListIterMut<'a, M> = std::iter::Map<std::slice::IterMut<'a, Box<M>>, fn(&'a mut Box<M>) -> &'a mut M>;

impl<'a, M: ?Sized> IntoIterator for &'a ModuleList<M> {
    type Item = &'a M;
    type IntoIter = ListIter<'a, M>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, M: ?Sized> IntoIterator for &'a mut ModuleList<M> {
    type Item = &'a mut M;
    type IntoIter = ListIterMut<'a, M>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<M: ?Sized> IntoIterator for ModuleList<M> {
    type Item = Box<M>;
    type IntoIter = std::vec::IntoIter<Box<M>>;
    fn into_iter(self) -> Self::IntoIter {
        self.modules.into_iter()
    }
}

impl<M: ?Sized, X: ListItem<M>> FromIterator<X> for ModuleList<M> {
    fn from_iter<I: IntoIterator<Item = X>>(modules: I) -> Self {
        ModuleList { modules: modules.into_iter().map(X::into_item).collect(), state: ModuleState::new() }
    }
}

impl<M: ?Sized, X: ListItem<M>> Extend<X> for ModuleList<M> {
    fn extend<I: IntoIterator<Item = X>>(&mut self, modules: I) {
        self.modules.extend(modules.into_iter().map(X::into_item));
    }
}

impl<M: ?Sized, X: ListItem<M>, I: IntoIterator<Item = X>> Add<I> for ModuleList<M> {
    type Output = Self;
    /// The modules of both: `list + modules`.
    fn add(mut self, modules: I) -> Self {
        self.extend(modules);
        self
    }
}

impl<M: ?Sized, X: ListItem<M>, I: IntoIterator<Item = X>> AddAssign<I> for ModuleList<M> {
    fn add_assign(&mut self, modules: I) {
        self.extend(modules);
    }
}

impl<M: ?Sized> Index<usize> for ModuleList<M> {
    type Output = M;
    #[track_caller]
    fn index(&self, i: usize) -> &M {
        match self.get(i) {
            Some(module) => module,
            None => panic!("index {i} is out of range"),
        }
    }
}

impl<M: ?Sized> IndexMut<usize> for ModuleList<M> {
    #[track_caller]
    fn index_mut(&mut self, i: usize) -> &mut M {
        match self.get_mut(i) {
            Some(module) => module,
            None => panic!("index {i} is out of range"),
        }
    }
}

impl<M: Module + PtrCopy + ?Sized> Module for ModuleList<M> {
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
        let children = self.modules.iter().enumerate().map(|(i, m)| (Cow::Owned(i.to_string()), m.as_module()));
        Members { children: children.collect(), ..Members::default() }
    }
    fn slots(&mut self) -> Slots<'_> {
        let slots = self.modules.iter_mut().enumerate();
        slots.map(|(i, module)| (Cow::Owned(i.to_string()), module as &mut dyn Module)).collect()
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    fn repr(&self) -> String {
        repr::list(self, FieldKind::Module)
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let modules = self.modules.iter().map(|module| memo.part(module)).collect();
        ModuleList { modules, state: memo.part(&self.state) }
    }
}

impl<M: Module + PtrCopy + ?Sized> fmt::Display for ModuleList<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// Modules under names, in the order in which they were put in: `nn.ModuleDict`. As [`ModuleList`], it holds modules that map a
/// tensor to a tensor, or those of one type. `default()` is an empty one.
///
/// ```
/// use flambeau_nn::{self as nn, Call, Module};
/// let mut choices = nn::module_dict!["conv" => nn::Conv2d::new(1, 2, 3), "pool" => nn::MaxPool2d::new(3)];
/// choices.insert("linear", nn::Linear::new(4, 2));
/// assert_eq!(choices.keys().collect::<Vec<_>>(), ["conv", "pool", "linear"]);
/// assert_eq!(choices["pool"].call(flambeau_autograd::ones([1, 6, 6])).size(), [1, 2, 2]);
/// assert_eq!(choices.named_parameters()[2].0, "linear.weight");
/// ```
pub struct ModuleDict<M: ?Sized = dyn Forward> {
    modules: Vec<(Cow<'static, str>, Box<M>)>,
    state: ModuleState,
}

/// [`ModuleDict`] of modules that may differ in type.
#[macro_export]
macro_rules! module_dict {
    ($($name:expr => $module:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut dict = $crate::ModuleDict::<dyn $crate::Forward<_, _>>::default();
        $(dict.insert($name, $module);)*
        dict
    }};
}

impl<M: ?Sized> Default for ModuleDict<M> {
    fn default() -> Self {
        ModuleDict { modules: Vec::new(), state: ModuleState::new() }
    }
}

impl<M: ?Sized> ModuleDict<M> {
    /// The modules of an array, vector or iterator of names and modules.
    pub fn new<N: Into<Cow<'static, str>>, X: ListItem<M>>(modules: impl IntoIterator<Item = (N, X)>) -> Self {
        modules.into_iter().collect()
    }

    /// Puts a module under a name, in the place of the one that stood there; returns that one: `dict[name] = module`.
    ///
    /// # Panics
    /// When the name is empty or has a dot.
    #[track_caller]
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, module: impl ListItem<M>) -> Option<Box<M>> {
        let (name, module) = (name.into(), module.into_item());
        check_name(&name);
        match self.modules.iter_mut().find(|(n, _)| *n == name) {
            Some((_, slot)) => Some(std::mem::replace(slot, module)),
            None => {
                self.modules.push((name, module));
                None
            }
        }
    }

    /// Takes the module under a name out: `dict.pop(name)`.
    pub fn remove(&mut self, name: &str) -> Option<Box<M>> {
        let at = self.modules.iter().position(|(n, _)| n == name)?;
        Some(self.modules.remove(at).1)
    }

    /// Takes the module under a name out: [`ModuleDict::remove`] under its name in Python.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn pop(&mut self, name: &str) -> Box<M> {
        match self.remove(name) {
            Some(module) => module,
            None => panic!("KeyError: '{name}'"),
        }
    }

    /// Takes all modules out: `clear()`.
    pub fn clear(&mut self) {
        self.modules.clear();
    }

    /// Puts in modules under their names, in the places of those that stood there: `update(modules)`.
    ///
    /// # Panics
    /// When a name is empty or has a dot.
    #[track_caller]
    pub fn update<N: Into<Cow<'static, str>>, X: ListItem<M>>(&mut self, modules: impl IntoIterator<Item = (N, X)>) {
        for (name, module) in modules {
            self.insert(name, module);
        }
    }

    /// Names and modules in order: `items()`.
    pub fn items(&self) -> impl Iterator<Item = (&str, &M)> {
        self.iter()
    }

    /// The module under a name.
    pub fn get(&self, name: &str) -> Option<&M> {
        self.modules.iter().find(|(n, _)| n == name).map(|(_, module)| &**module)
    }

    /// The module under a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut M> {
        self.modules.iter_mut().find(|(n, _)| n == name).map(|(_, module)| &mut **module)
    }

    /// Whether a module stands under a name: `name in dict`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// Names and modules in order: `items()`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &M)> {
        self.modules.iter().map(|(name, module)| (&**name, &**module))
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// The modules in order.
    pub fn values(&self) -> impl Iterator<Item = &M> {
        self.iter().map(|(_, module)| module)
    }
}

/// A name and its module of a [`ModuleDict`].
type Pair<M> = (Cow<'static, str>, Box<M>);

impl<'a, M: ?Sized> IntoIterator for &'a ModuleDict<M> {
    type Item = (&'a str, &'a M);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, Pair<M>>, fn(&'a Pair<M>) -> (&'a str, &'a M)>;
    fn into_iter(self) -> Self::IntoIter {
        self.modules.iter().map(|(name, module)| (&**name, &**module))
    }
}

impl<M: ?Sized, N: Into<Cow<'static, str>>, X: ListItem<M>> FromIterator<(N, X)> for ModuleDict<M> {
    fn from_iter<I: IntoIterator<Item = (N, X)>>(modules: I) -> Self {
        let mut dict = Self::default();
        dict.extend(modules);
        dict
    }
}

impl<M: ?Sized, N: Into<Cow<'static, str>>, X: ListItem<M>> Extend<(N, X)> for ModuleDict<M> {
    fn extend<I: IntoIterator<Item = (N, X)>>(&mut self, modules: I) {
        self.update(modules);
    }
}

impl<M: ?Sized> Index<&str> for ModuleDict<M> {
    type Output = M;
    #[track_caller]
    fn index(&self, name: &str) -> &M {
        match self.get(name) {
            Some(module) => module,
            None => panic!("KeyError: '{name}'"),
        }
    }
}

impl<M: Module + PtrCopy + ?Sized> Module for ModuleDict<M> {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        "ModuleDict"
    }
    fn members(&self) -> Members<'_> {
        let children = self.modules.iter().map(|(name, module)| (name.clone(), module.as_module()));
        Members { children: children.collect(), ..Members::default() }
    }
    fn slots(&mut self) -> Slots<'_> {
        self.modules.iter_mut().map(|(name, module)| (name.clone(), module as &mut dyn Module)).collect()
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let modules = self.modules.iter().map(|(name, module)| (name.clone(), memo.part(module))).collect();
        ModuleDict { modules, state: memo.part(&self.state) }
    }
}

impl<M: Module + PtrCopy + ?Sized> fmt::Display for ModuleDict<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}
