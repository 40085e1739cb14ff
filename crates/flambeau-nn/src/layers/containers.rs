//! Modules one after the other.

use crate::{Forward, Input, Members, Memo, Module, ModuleState, Output, Slots, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Functions, Tensor};
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, AddAssign, Index, IndexMut, Mul, RangeBounds};
use std::sync::Arc;

/// Modules one after the other, each fed with the former's output: `nn.Sequential`. [`sequential!`](crate::sequential) makes one
/// of any length; an iterator's `collect()` too.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let net = nn::sequential![nn::Linear::new(4, 8), nn::ReLU::new(), nn::Linear::new(8, 2)];
/// assert_eq!(net.call(flambeau_autograd::randn([3, 4])).size(), [3, 2]);
/// assert_eq!(net[2].repr(), "Linear(in_features=8, out_features=2, bias=True)");
/// let deep: nn::Sequential = (0..20).map(|_| nn::Linear::new(8, 8)).collect();
/// assert_eq!(deep.len(), 20);
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<(Cow<'static, str>, Box<dyn Forward>)>,
    state: ModuleState,
}

/// [`Sequential`] of any number of modules, named "0", "1", …, or by `"name" => module`.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let net = nn::sequential!["conv" => nn::Conv2d::new(1, 2, 3), "relu" => nn::ReLU::new()];
/// assert_eq!(net.named_parameters()[0].0, "conv.weight");
/// ```
#[macro_export]
macro_rules! sequential {
    ($($name:expr => $layer:expr),+ $(,)?) => {{
        let mut net = $crate::Sequential::default();
        $(net.add_module($name, $layer);)+
        net
    }};
    ($($layer:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut net = $crate::Sequential::default();
        $(net.push($layer);)*
        net
    }};
}

/// What [`Sequential::new`] takes: a vector, array or iterator of modules, or a tuple of up to twelve.
#[diagnostic::on_unimplemented(
    message = "`Sequential::new` cannot take `{Self}`",
    label = "expected a `Vec`, an array or an iterator of modules, or a tuple of up to twelve",
    note = "`nn::sequential![a, b, c]` takes any number of modules; each must map a tensor to a tensor"
)]
pub trait IntoLayers {
    /// The modules in order.
    fn into_layers(self) -> Vec<Box<dyn Forward>>;
}

/// A module in a box, which it may be already.
pub(super) fn boxed<In: Input, Out: Output, M: Forward<In, Out>>(layer: M) -> Box<dyn Forward<In, Out>> {
    let any: Box<dyn Any> = Box::new(layer);
    match any.downcast::<Box<dyn Forward<In, Out>>>() {
        Ok(boxed) => *boxed,
        Err(any) => any.downcast::<M>().expect("it is what it was made of"),
    }
}

impl<M: Forward> IntoLayers for Vec<M> {
    fn into_layers(self) -> Vec<Box<dyn Forward>> {
        self.into_iter().map(boxed).collect()
    }
}

impl<M: Forward, const N: usize> IntoLayers for [M; N] {
    fn into_layers(self) -> Vec<Box<dyn Forward>> {
        self.into_iter().map(boxed).collect()
    }
}

// Iterators by name, as a tuple might become one.
macro_rules! iterators {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        impl<$($generics)*> IntoLayers for $t
        where
            $t: Iterator,
            <$t as Iterator>::Item: Forward,
        {
            fn into_layers(self) -> Vec<Box<dyn Forward>> {
                self.map(boxed).collect()
            }
        }
    )*};
}
iterators! {
    [M] std::vec::IntoIter<M>;
    [M, const N: usize] std::array::IntoIter<M, N>;
    [I: Iterator, B, F: FnMut(I::Item) -> B] std::iter::Map<I, F>;
    [I: Iterator, U: IntoIterator, F: FnMut(I::Item) -> U] std::iter::FlatMap<I, U, F>;
    [I: Iterator, B, F: FnMut(I::Item) -> Option<B>] std::iter::FilterMap<I, F>;
    [A, B] std::iter::Chain<A, B>;
    [I] std::iter::Take<I>;
    [I] std::iter::Skip<I>;
    [I] std::iter::Rev<I>;
    [A, F: FnMut() -> A] std::iter::RepeatWith<F>;
}

/// The position that an index means, which counts from the end where it is negative; `end` is one too where something is put in.
pub(super) fn position(i: i64, len: usize, end: bool) -> Result<usize, i64> {
    let n = len as i64;
    let at = if i < 0 { i + n } else { i };
    if (0..n + i64::from(end)).contains(&at) { Ok(at as usize) } else { Err(i) }
}

/// Refuses names that PyTorch refuses.
#[track_caller]
pub(super) fn check_name(name: &str) {
    assert!(!name.contains('.'), "module name can't contain \".\", got: {name}");
    assert!(!name.is_empty(), "module name can't be empty string \"\"");
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Forward),*> IntoLayers for ($($name,)*) {
            #[allow(non_snake_case)]
            fn into_layers(self) -> Vec<Box<dyn Forward>> {
                let ($($name,)*) = self;
                vec![$(boxed($name)),*]
            }
        }
    };
}
tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);

impl Sequential {
    /// The modules of a tuple, array, vector or iterator, named "0", "1", …
    ///
    /// ```
    /// use flambeau_nn as nn;
    /// let deep = nn::Sequential::new((0..3).map(|i| nn::Linear::new(i + 1, i + 2)));
    /// assert_eq!(deep.call(flambeau_autograd::ones([1])).size(), [4]);
    /// ```
    pub fn new(layers: impl IntoLayers) -> Self {
        Self::from_boxed(layers.into_layers())
    }

    /// The modules of a vector, named "0", "1", …
    pub fn from_boxed(layers: Vec<Box<dyn Forward>>) -> Self {
        let layers = layers.into_iter().enumerate().map(|(i, layer)| (Cow::Owned(i.to_string()), layer)).collect();
        Sequential { layers, state: ModuleState::new() }
    }

    /// Modules under names: `nn.Sequential(OrderedDict([("conv1", …), …]))`.
    ///
    /// # Panics
    /// When a name is empty or has a dot.
    #[track_caller]
    pub fn named<N: Into<Cow<'static, str>>>(layers: impl IntoIterator<Item = (N, Box<dyn Forward>)>) -> Self {
        let mut net = Sequential::default();
        for (name, layer) in layers {
            net.add_module(name, layer);
        }
        net
    }

    /// Adds a module at the end, named by its position: `append(module)`.
    pub fn append(&mut self, layer: impl Forward) -> &mut Self {
        self.add_module(self.layers.len().to_string(), layer)
    }

    /// [`Sequential::append`], by the name that Rust's lists have for it.
    pub fn push(&mut self, layer: impl Forward) -> &mut Self {
        self.append(layer)
    }

    /// Adds a module at the end under a name, or puts it in the place of the one that has the name: `add_module(name, module)`.
    ///
    /// # Panics
    /// When the name is empty or has a dot.
    #[track_caller]
    pub fn add_module(&mut self, name: impl Into<Cow<'static, str>>, layer: impl Forward) -> &mut Self {
        let (name, layer) = (name.into(), boxed(layer));
        check_name(&name);
        match self.layers.iter_mut().find(|(n, _)| *n == name) {
            Some((_, slot)) => *slot = layer,
            None => self.layers.push((name, layer)),
        }
        self
    }

    /// Puts a module before the i-th; negative numbers count from the end. All are named by their positions then:
    /// `insert(i, module)`.
    ///
    /// # Panics
    /// When there are fewer than i modules.
    #[track_caller]
    pub fn insert(&mut self, i: impl Int, layer: impl Forward) -> &mut Self {
        let at = position(i.to_i64(), self.len(), true).unwrap_or_else(|i| panic!("Index out of range: {i}"));
        self.layers.insert(at, (Cow::Borrowed(""), boxed(layer)));
        self.renumber();
        self
    }

    /// Puts a module in the place of the i-th; returns that one: `sequential[i] = module`.
    ///
    /// # Panics
    /// When there are no more than i modules.
    #[track_caller]
    pub fn set(&mut self, i: usize, layer: impl Forward) -> Box<dyn Forward> {
        assert!(i < self.len(), "index {i} is out of range");
        std::mem::replace(&mut self.layers[i].1, boxed(layer))
    }

    /// Takes the i-th module out; the others are named by their positions then: `del sequential[i]`.
    ///
    /// # Panics
    /// When there are no more than i modules.
    #[track_caller]
    pub fn remove(&mut self, i: usize) -> Box<dyn Forward> {
        assert!(i < self.len(), "index {i} is out of range");
        let layer = self.layers.remove(i).1;
        self.renumber();
        layer
    }

    /// Takes the i-th module out; negative numbers count from the end. The others are named by their positions then: `pop(i)`.
    ///
    /// # Panics
    /// When there is no such module.
    #[track_caller]
    pub fn pop(&mut self, i: impl Int) -> Box<dyn Forward> {
        let at = position(i.to_i64(), self.len(), false).unwrap_or_else(|i| panic!("index {i} is out of range"));
        self.remove(at)
    }

    /// The modules of a range, under their names, in a `Sequential` of their own; the others are dropped: `sequential[2:5]`.
    ///
    /// ```
    /// use flambeau_nn as nn;
    /// let net = nn::sequential![nn::ReLU::new(), nn::Tanh::new(), nn::Sigmoid::new()];
    /// assert_eq!(net.slice(1..).to_string(), "Sequential(\n  (1): Tanh()\n  (2): Sigmoid()\n)");
    /// ```
    ///
    /// # Panics
    /// When the range ends after the last module.
    #[track_caller]
    #[must_use]
    pub fn slice(mut self, range: impl RangeBounds<usize>) -> Self {
        Sequential { layers: self.layers.drain(range).collect(), state: ModuleState::new() }
    }

    fn renumber(&mut self) {
        for (i, (name, _)) in self.layers.iter_mut().enumerate() {
            *name = Cow::Owned(i.to_string());
        }
    }

    /// The i-th module.
    pub fn get(&self, i: usize) -> Option<&dyn Forward> {
        self.layers.get(i).map(|(_, layer)| &**layer)
    }

    /// The i-th module, to be changed.
    pub fn get_mut(&mut self, i: usize) -> Option<&mut dyn Forward> {
        self.layers.get_mut(i).map(|(_, layer)| &mut **layer as _)
    }

    /// How many modules.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The modules in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Forward> {
        self.layers.iter().map(|(_, layer)| &**layer)
    }
}

#[forward]
impl Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        // A loop, not a closure: each call knows the caller's line.
        let mut layers = self.layers.iter();
        let Some((_, first)) = layers.next() else { return x.shallow_clone() };
        let mut x = first.as_ref().call_ref(x);
        for (_, layer) in layers {
            x = layer.as_ref().call_ref(&x);
        }
        x
    }
}

impl<M: Forward> FromIterator<M> for Sequential {
    /// The modules in order, named "0", "1", …: `nn.Sequential(*modules)`.
    fn from_iter<I: IntoIterator<Item = M>>(layers: I) -> Self {
        Self::from_boxed(layers.into_iter().map(boxed).collect())
    }
}

impl<M: Forward> Extend<M> for Sequential {
    fn extend<I: IntoIterator<Item = M>>(&mut self, layers: I) {
        for layer in layers {
            self.push(layer);
        }
    }
}

impl IntoIterator for Sequential {
    type Item = Box<dyn Forward>;
    type IntoIter = std::vec::IntoIter<Box<dyn Forward>>;
    /// The modules in order: `*sequential`, `sequential.children()`.
    fn into_iter(self) -> Self::IntoIter {
        self.layers.into_iter().map(|(_, layer)| layer).collect::<Vec<_>>().into_iter()
    }
}

impl Add for Sequential {
    type Output = Self;
    /// The modules of both, named "0", "1", …: `left + right`.
    fn add(mut self, other: Self) -> Self {
        self.layers.extend(other.layers);
        self.renumber();
        Sequential { layers: self.layers, state: ModuleState::new() }
    }
}

impl AddAssign for Sequential {
    /// Adds the other's modules, named by their positions: `left += right`.
    fn add_assign(&mut self, other: Self) {
        self.extend(other);
    }
}

impl Mul<usize> for Sequential {
    type Output = Self;
    /// The same modules so many times, one after the other: `sequential * n`. They are shared, and learn from each of their places;
    /// [`Sequential::get_mut`] gives no access to change one.
    ///
    /// # Panics
    /// For 0 times.
    #[track_caller]
    fn mul(self, times: usize) -> Self {
        assert!(
            times > 0,
            "Non-positive multiplication factor {times} for <class 'torch.nn.modules.container.Sequential'>"
        );
        let shared: Vec<Arc<dyn Forward>> = self.into_iter().map(Arc::from).collect();
        Self::new((0..times).flat_map(|_| shared.iter().cloned()))
    }
}

impl Index<usize> for Sequential {
    type Output = dyn Forward;
    #[track_caller]
    fn index(&self, i: usize) -> &Self::Output {
        match self.get(i) {
            Some(layer) => layer,
            None => panic!("index {i} is out of range"),
        }
    }
}

impl IndexMut<usize> for Sequential {
    #[track_caller]
    fn index_mut(&mut self, i: usize) -> &mut Self::Output {
        assert!(i < self.len(), "index {i} is out of range");
        &mut *self.layers[i].1
    }
}

impl Module for Sequential {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        "Sequential"
    }
    fn members(&self) -> Members<'_> {
        let children = self.layers.iter().map(|(name, layer)| (name.clone(), layer.as_module()));
        Members { children: children.collect(), ..Members::default() }
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn slots(&mut self) -> Slots<'_> {
        self.layers.iter_mut().map(|(name, layer)| (name.clone(), layer as &mut dyn Module)).collect()
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let mut layers = Vec::with_capacity(self.layers.len());
        for (name, layer) in &self.layers {
            layers.push((name.clone(), memo.part(layer)));
        }
        Sequential { layers, state: memo.part(&self.state) }
    }
}

impl Functions for Sequential {
    fn count(&self) -> usize {
        self.len()
    }
    fn run(&self, i: usize, input: Tensor) -> Tensor {
        self[i].call_ref(&input)
    }
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}
