//! Modules made of modules.

use crate::{Field, Forward, Members, Module, ModuleState};
use flambeau_autograd::{Functions, Tensor, at_caller};
use std::borrow::Cow;
use std::fmt;
use std::ops::Index;

/// Modules in a list, registered under "0", "1", …: `nn.ModuleList`. A `Vec` in a field of a module is one.
pub type ModuleList<M = Box<dyn Forward>> = Vec<M>;

/// Parameters in a list: `nn.ParameterList`. A `Vec` of parameters in a field of a module is one.
pub type ParameterList = Vec<crate::Parameter>;

/// Modules one after the other, each fed with the former's output: `nn.Sequential`.
///
/// ```
/// use flambeau_nn::{self as nn, Forward, Module};
/// let net = nn::Sequential::new((nn::Linear::new(4, 8), nn::ReLU::new(), nn::Linear::new(8, 2)));
/// assert_eq!(net.call(&flambeau_autograd::randn([3, 4])).size(), [3, 2]);
/// assert_eq!(net[2].repr(), "Linear(in_features=8, out_features=2, bias=True)");
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<(Cow<'static, str>, Box<dyn Forward>)>,
    state: ModuleState,
}

/// What [`Sequential::new`] takes: a tuple of up to twelve modules, or a vector of boxed ones.
pub trait IntoLayers {
    /// The modules in order.
    fn into_layers(self) -> Vec<Box<dyn Forward>>;
}

impl IntoLayers for Vec<Box<dyn Forward>> {
    fn into_layers(self) -> Vec<Box<dyn Forward>> {
        self
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Forward),*> IntoLayers for ($($name,)*) {
            #[allow(non_snake_case)]
            fn into_layers(self) -> Vec<Box<dyn Forward>> {
                let ($($name,)*) = self;
                vec![$(Box::new($name)),*]
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
    /// The modules of a tuple or vector, named "0", "1", …
    pub fn new(layers: impl IntoLayers) -> Self {
        Self::from_boxed(layers.into_layers())
    }

    /// The modules of a vector, named "0", "1", …
    pub fn from_boxed(layers: Vec<Box<dyn Forward>>) -> Self {
        let layers = layers.into_iter().enumerate().map(|(i, layer)| (Cow::Owned(i.to_string()), layer)).collect();
        Sequential { layers, state: ModuleState::new() }
    }

    /// Modules under names: `nn.Sequential(OrderedDict([("conv1", …), …]))`.
    pub fn named<N: Into<Cow<'static, str>>>(layers: impl IntoIterator<Item = (N, Box<dyn Forward>)>) -> Self {
        let layers = layers.into_iter().map(|(name, layer)| (name.into(), layer)).collect();
        Sequential { layers, state: ModuleState::new() }
    }

    /// Adds a module at the end, named by its position: `append`.
    pub fn push(&mut self, layer: impl Forward) -> &mut Self {
        self.layers.push((Cow::Owned(self.layers.len().to_string()), Box::new(layer)));
        self
    }

    /// The i-th module.
    pub fn get(&self, i: usize) -> Option<&dyn Forward> {
        self.layers.get(i).map(|(_, layer)| &**layer)
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
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
}

impl Forward for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        at_caller(|| self.layers.iter().fold(x.shallow_clone(), |x, (_, layer)| layer.as_ref().call(&x)))
    }
}

impl Functions for Sequential {
    fn count(&self) -> usize {
        self.len()
    }
    fn run(&self, i: usize, input: Tensor) -> Tensor {
        self[i].call(&input)
    }
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// Modules under names, in the order in which they were put in: `nn.ModuleDict`.
pub struct ModuleDict<M = Box<dyn Forward>>(Vec<(Cow<'static, str>, M)>);

impl<M> Default for ModuleDict<M> {
    fn default() -> Self {
        ModuleDict(Vec::new())
    }
}

impl<M: Module> ModuleDict<M> {
    /// Without modules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a module under a name, in the place of the one that stood there; returns that one.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, module: M) -> Option<M> {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, slot)) => Some(std::mem::replace(slot, module)),
            None => {
                self.0.push((name, module));
                None
            }
        }
    }

    /// The module under a name.
    pub fn get(&self, name: &str) -> Option<&M> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, module)| module)
    }

    /// How many modules.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and modules in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &M)> {
        self.0.iter().map(|(name, module)| (&**name, module))
    }
}

impl<M: Module> Index<&str> for ModuleDict<M> {
    type Output = M;
    #[track_caller]
    fn index(&self, name: &str) -> &M {
        self.get(name).unwrap_or_else(|| panic!("KeyError: '{name}'"))
    }
}

impl<M: Module> Module for ModuleDict<M> {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        "ModuleDict"
    }
    fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        for (name, module) in &self.0 {
            module.collect(name.clone(), &mut members);
        }
        members
    }
}

impl<M: Module> fmt::Display for ModuleDict<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}
