//! Parameters in lists and under names.

use crate::module::repr;
use crate::{Field, Members, Memo, Module, ModuleState, Parameter};
use flambeau_autograd::{AsTensor, Tensor};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{BitOr, BitOrAssign, Deref, DerefMut, Index};

/// What goes into a [`ParameterList`] or [`ParameterDict`]: a parameter as it is, a tensor as a parameter over its memory.
pub trait IntoParameter {
    /// The parameter.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    fn into_parameter(self) -> Parameter;
}

impl IntoParameter for Parameter {
    fn into_parameter(self) -> Parameter {
        self
    }
}

impl IntoParameter for &Parameter {
    /// The same parameter for a second place: [`Parameter::share`].
    fn into_parameter(self) -> Parameter {
        self.share()
    }
}

impl IntoParameter for Tensor {
    #[track_caller]
    fn into_parameter(self) -> Parameter {
        Parameter::new(self)
    }
}

impl IntoParameter for &Tensor {
    #[track_caller]
    fn into_parameter(self) -> Parameter {
        Parameter::new(self)
    }
}

/// Parameters in a list, registered under "0", "1", …: `nn.ParameterList`. A `Vec` of parameters in a field of a module is one too;
/// this is one with PyTorch's methods, and it has those of a `Vec`.
///
/// ```
/// use flambeau_autograd::{ones, zeros};
/// use flambeau_nn::{self as nn, Module};
/// let mut list = nn::ParameterList::new([ones([2]), zeros([3, 2])]);
/// list.append(ones([1])).extend([nn::Parameter::new(ones([4]))]);
/// assert_eq!((list.len(), list[1].size(), list.parameters().len()), (4, zeros([3, 2]).size(), 4));
/// assert!(list.to_string().starts_with("ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n"));
/// ```
#[derive(Default)]
pub struct ParameterList {
    parameters: Vec<Parameter>,
    state: ModuleState,
}

impl ParameterList {
    /// The parameters, or tensors as parameters, of an array, vector or iterator.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn new<P: IntoParameter>(parameters: impl IntoIterator<Item = P>) -> Self {
        let mut list = ParameterList::default();
        list.extend(parameters);
        list
    }

    /// Adds a parameter at the end: `append(value)`.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn append(&mut self, parameter: impl IntoParameter) -> &mut Self {
        self.parameters.push(parameter.into_parameter());
        self
    }

    /// Adds parameters at the end: `extend(values)`.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn extend<P: IntoParameter>(&mut self, parameters: impl IntoIterator<Item = P>) -> &mut Self {
        for parameter in parameters {
            self.append(parameter);
        }
        self
    }

    /// Puts a parameter in the place of the i-th; returns that one: `list[i] = value`.
    ///
    /// # Panics
    /// When there are no more than i, or a tensor's dtype has no gradients.
    #[track_caller]
    pub fn set(&mut self, i: usize, parameter: impl IntoParameter) -> Parameter {
        assert!(i < self.len(), "index {i} is out of range");
        std::mem::replace(&mut self.parameters[i], parameter.into_parameter())
    }
}

impl Deref for ParameterList {
    type Target = Vec<Parameter>;
    fn deref(&self) -> &Vec<Parameter> {
        &self.parameters
    }
}

impl DerefMut for ParameterList {
    fn deref_mut(&mut self) -> &mut Vec<Parameter> {
        &mut self.parameters
    }
}

impl<P: IntoParameter> FromIterator<P> for ParameterList {
    fn from_iter<I: IntoIterator<Item = P>>(parameters: I) -> Self {
        Self::new(parameters)
    }
}

impl From<Vec<Parameter>> for ParameterList {
    fn from(parameters: Vec<Parameter>) -> Self {
        ParameterList { parameters, state: ModuleState::new() }
    }
}

impl<'a> IntoIterator for &'a ParameterList {
    type Item = &'a Parameter;
    type IntoIter = std::slice::Iter<'a, Parameter>;
    fn into_iter(self) -> Self::IntoIter {
        self.parameters.iter()
    }
}

impl IntoIterator for ParameterList {
    type Item = Parameter;
    type IntoIter = std::vec::IntoIter<Parameter>;
    fn into_iter(self) -> Self::IntoIter {
        self.parameters.into_iter()
    }
}

impl Module for ParameterList {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        "ParameterList"
    }
    fn members(&self) -> Members<'_> {
        Module::members(&self.parameters)
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    fn repr(&self) -> String {
        repr::parameters("ParameterList", &Module::members(self).parameters)
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        ParameterList { parameters: Field::deepcopy_in(&self.parameters, memo), state: memo.part(&self.state) }
    }
}

impl fmt::Display for ParameterList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// Parameters under names, in the order in which they were put in: `nn.ParameterDict`. A Rust map is sorted by its names first, as
/// PyTorch sorts a plain `dict`.
///
/// ```
/// use flambeau_autograd::{ones, zeros};
/// use flambeau_nn::{self as nn, Module};
/// let mut dict = nn::ParameterDict::new([("left", ones([2])), ("right", zeros([3, 2]))]);
/// dict.insert("top", ones([1]));
/// assert_eq!(dict.keys().collect::<Vec<_>>(), ["left", "right", "top"]);
/// assert_eq!(dict.pop("right").size(), [3, 2]);
/// let both = &dict | &nn::ParameterDict::new([("low", ones([4]))]);
/// assert_eq!(both.named_parameters().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["left", "top", "low"]);
/// assert!(both["left"].is_same(&dict["left"]));
/// ```
#[derive(Default)]
pub struct ParameterDict {
    parameters: Vec<(Cow<'static, str>, Parameter)>,
    state: ModuleState,
}

impl ParameterDict {
    /// The parameters, or tensors as parameters, of an array, vector or iterator of names and parameters.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn new<N: Into<Cow<'static, str>>, P: IntoParameter>(parameters: impl IntoIterator<Item = (N, P)>) -> Self {
        let mut dict = Self::default();
        dict.update(parameters);
        dict
    }

    /// Each name with a parameter of its own over the memory of one tensor: `fromkeys(keys, default)`.
    ///
    /// # Panics
    /// When the tensor's dtype has no gradients.
    #[track_caller]
    pub fn fromkeys<N: Into<Cow<'static, str>>>(keys: impl IntoIterator<Item = N>, default: impl AsTensor) -> Self {
        Self::new(keys.into_iter().map(|key| (key, default.as_tensor())))
    }

    /// Puts a parameter under a name, in the place of the one that stood there; returns that one: `dict[name] = value`.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, parameter: impl IntoParameter) -> Option<Parameter> {
        let (name, parameter) = (name.into(), parameter.into_parameter());
        match self.parameters.iter_mut().find(|(n, _)| *n == name) {
            Some((_, slot)) => Some(std::mem::replace(slot, parameter)),
            None => {
                self.parameters.push((name, parameter));
                None
            }
        }
    }

    /// Puts in parameters under their names, in the places of those that stood there: `update(parameters)`.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn update<N: Into<Cow<'static, str>>, P: IntoParameter>(
        &mut self,
        parameters: impl IntoIterator<Item = (N, P)>,
    ) {
        for (name, parameter) in parameters {
            self.insert(name, parameter);
        }
    }

    /// The parameter under a name; if there is none, this one, which is put in: `setdefault(key, default)`.
    ///
    /// # Panics
    /// When a tensor's dtype has no gradients.
    #[track_caller]
    pub fn setdefault(&mut self, name: impl Into<Cow<'static, str>>, default: impl IntoParameter) -> &Parameter {
        let name = name.into();
        let at = match self.position(&name) {
            Some(at) => at,
            None => {
                self.parameters.push((name, default.into_parameter()));
                self.parameters.len() - 1
            }
        };
        &self.parameters[at].1
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|(n, _)| n == name)
    }

    /// Takes the parameter under a name out, if there is one: `del dict[name]`.
    pub fn remove(&mut self, name: &str) -> Option<Parameter> {
        Some(self.parameters.remove(self.position(name)?).1)
    }

    /// Takes the parameter under a name out: `pop(name)`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn pop(&mut self, name: &str) -> Parameter {
        match self.remove(name) {
            Some(parameter) => parameter,
            None => missing(name),
        }
    }

    /// Takes the last parameter and its name out: `popitem()`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn popitem(&mut self) -> (String, Parameter) {
        match self.parameters.pop() {
            Some((name, parameter)) => (name.into_owned(), parameter),
            None => panic!("KeyError: 'popitem(): dictionary is empty'"),
        }
    }

    /// Takes all parameters out: `clear()`.
    pub fn clear(&mut self) {
        self.parameters.clear();
    }

    /// The same parameters in another dict: `copy()`.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::new(self)
    }

    /// The parameter under a name: `get(name)`.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.position(name).map(|at| &self.parameters[at].1)
    }

    /// Whether a parameter stands under a name: `name in dict`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// How many parameters.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// Names and parameters in order: `items()`.
    pub fn iter(&self) -> ParameterIter<'_> {
        self.parameters.iter().map(|(name, parameter)| (name, parameter))
    }

    /// Names and parameters in order: `items()`.
    pub fn items(&self) -> ParameterIter<'_> {
        self.iter()
    }

    /// The names in order, from either end: `keys()`, `reversed(dict)`.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| &**name)
    }

    /// The parameters in order: `values()`.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Parameter> {
        self.parameters.iter().map(|(_, parameter)| parameter)
    }
}

#[cold]
#[track_caller]
fn missing(name: &str) -> ! {
    panic!("'ParameterDict' object has no attribute '{name}'")
}

/// The names and parameters of a [`ParameterDict`] in order.
pub type ParameterIter<'a> = std::iter::Map<
    std::slice::Iter<'a, (Cow<'static, str>, Parameter)>,
    fn(&'a (Cow<'static, str>, Parameter)) -> (&'a Cow<'static, str>, &'a Parameter),
>;

impl<'a> IntoIterator for &'a ParameterDict {
    type Item = (Cow<'static, str>, &'a Parameter);
    type IntoIter = std::vec::IntoIter<Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.parameters.iter().map(|(name, p)| (name.clone(), p)).collect::<Vec<_>>().into_iter()
    }
}

impl<P: IntoParameter> From<BTreeMap<String, P>> for ParameterDict {
    #[track_caller]
    fn from(parameters: BTreeMap<String, P>) -> Self {
        Self::new(parameters)
    }
}

impl<P: IntoParameter> From<HashMap<String, P>> for ParameterDict {
    #[track_caller]
    fn from(parameters: HashMap<String, P>) -> Self {
        let mut parameters: Vec<_> = parameters.into_iter().collect();
        parameters.sort_by(|a, b| a.0.cmp(&b.0));
        Self::new(parameters)
    }
}

impl<N: Into<Cow<'static, str>>, P: IntoParameter> FromIterator<(N, P)> for ParameterDict {
    fn from_iter<I: IntoIterator<Item = (N, P)>>(parameters: I) -> Self {
        Self::new(parameters)
    }
}

impl Index<&str> for ParameterDict {
    type Output = Parameter;
    #[track_caller]
    fn index(&self, name: &str) -> &Parameter {
        match self.get(name) {
            Some(parameter) => parameter,
            None => missing(name),
        }
    }
}

impl BitOr for &ParameterDict {
    type Output = ParameterDict;
    /// The parameters of both, the right one's where a name stands in both: `left | right`.
    fn bitor(self, other: &ParameterDict) -> ParameterDict {
        let mut both = self.copy();
        both.update(other);
        both
    }
}

impl BitOrAssign<&ParameterDict> for ParameterDict {
    fn bitor_assign(&mut self, other: &ParameterDict) {
        self.update(other);
    }
}

impl Module for ParameterDict {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        "ParameterDict"
    }
    fn members(&self) -> Members<'_> {
        let parameters = self.parameters.iter().map(|(name, parameter)| (name.clone(), parameter));
        Members { parameters: parameters.collect(), ..Members::default() }
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    fn repr(&self) -> String {
        repr::parameters("ParameterDict", &Module::members(self).parameters)
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let parameters = self.parameters.iter().map(|(name, parameter)| (name.clone(), memo.part(parameter))).collect();
        ParameterDict { parameters, state: memo.part(&self.state) }
    }
}

impl fmt::Display for ParameterDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}
