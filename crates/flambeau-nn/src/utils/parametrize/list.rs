//! The parametrizations of one tensor, and the dict of all that a module has.

use super::RightInverse;
use crate::module::chain::Chain;
use crate::module::derived::Slotted;
use crate::module::repr;
use crate::{Buffer, FieldKind, Forward, Input, Members, Memo, Module, ModuleState, Parameter, Value};
use flambeau_autograd::{Tensor, no_grad};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A module as a parametrization, whatever its forward takes.
pub(super) trait Parametrization: Send + Sync {
    fn apply(&self, inputs: &[&Tensor]) -> Tensor;
    fn module(&self) -> &dyn Module;
    fn copy(&self, memo: &mut Memo) -> Arc<dyn Parametrization>;
}

pub(super) struct Applied<In, P> {
    pub(super) module: P,
    pub(super) input: PhantomData<fn(In)>,
}

impl<In: Input, P: Forward<In, Tensor>> Parametrization for Applied<In, P> {
    fn apply(&self, inputs: &[&Tensor]) -> Tensor {
        let mut values = inputs.iter().map(|x| Value::Tensor(x.shallow_clone()));
        let input = match inputs.len() {
            1 => values.next().unwrap_or_default(),
            _ => Value::Tuple(values.collect()),
        };
        match In::from_value(input) {
            Some(input) => self.module.call_ref(In::borrow(&input)),
            None => panic!(
                "{}.forward() takes a {} and cannot be given {} tensor(s)",
                self.module.type_name(),
                std::any::type_name::<In>(),
                inputs.len()
            ),
        }
    }

    fn module(&self) -> &dyn Module {
        self.module.as_module()
    }

    fn copy(&self, memo: &mut Memo) -> Arc<dyn Parametrization> {
        Arc::new(Applied { module: self.module.deepcopy_in(memo), input: PhantomData })
    }
}

/// What a value is computed from: a parameter, or a buffer where a buffer was parametrized.
enum Original {
    Parameter(Parameter),
    Buffer(Buffer),
}

impl Original {
    /// A new one of the kind of `like`, over the memory of `x`.
    fn new(x: &Tensor, like: Slotted<'_>) -> Self {
        match like {
            Slotted::Parameter(p) => Original::Parameter(Parameter::with_requires_grad(x, p.own().requires_grad())),
            Slotted::Buffer(b) => Original::Buffer(Buffer::new(x.detach().requires_grad_(b.own().requires_grad()))),
        }
    }

    fn tensor(&self) -> &Tensor {
        match self {
            Original::Parameter(p) => p,
            Original::Buffer(b) => b,
        }
    }

    fn share(&self) -> Self {
        match self {
            Original::Parameter(p) => Original::Parameter(p.share()),
            Original::Buffer(b) => Original::Buffer(b.share()),
        }
    }

    fn copy(&self, memo: &mut Memo) -> Self {
        match self {
            Original::Parameter(p) => Original::Parameter(memo.part(p)),
            Original::Buffer(b) => Original::Buffer(memo.part(b)),
        }
    }
}

/// The parametrizations of one tensor in turn, and the tensors that they start from: `parametrize.ParametrizationList`. It stands
/// under `parametrizations.weight` in its module, and holds `original`, or `original0`, `original1`, … where the first
/// parametrization is made of several tensors.
pub struct ParametrizationList {
    modules: Chain<Arc<dyn Parametrization>>,
    originals: Vec<Original>,
    is_tensor: bool,
    is_unsafe: AtomicBool,
    state: ModuleState,
}

/// PyTorch's words where a parametrization changed a dtype or shape.
#[track_caller]
fn check_kept(new: &Tensor, old: &Tensor, words: [&str; 4]) {
    let [what, unless, former, latter] = words;
    assert!(
        new.dtype() == old.dtype(),
        "{what} the dtype of the tensor, {unless}.\n{former}dtype: {}\n{latter}dtype: {}",
        old.dtype(),
        new.dtype()
    );
    assert!(
        new.size() == old.size(),
        "{what} the shape of the tensor, {unless}.\n{former}shape: {}\n{latter}shape: {}",
        old.size(),
        new.size()
    );
}

impl ParametrizationList {
    #[track_caller]
    pub(super) fn new(first: Arc<dyn Parametrization>, original: Slotted<'_>, is_unsafe: bool) -> Self {
        let own = original.own();
        let unparametrized = own.detach();
        let inverse = {
            let _guard = no_grad();
            first.module().right_inverse(own)
        };
        let (originals, is_tensor) = match inverse {
            Some(RightInverse::Several(several)) => {
                (several.iter().map(|x| Original::new(x, original)).collect(), false)
            }
            inverse => {
                if let Some(RightInverse::One(new)) = inverse {
                    check_inverse(own, &new);
                    own.set_data(&new.detach());
                }
                let original = match original {
                    Slotted::Parameter(p) => Original::Parameter(p.original()),
                    Slotted::Buffer(b) => Original::Buffer(b.original()),
                };
                (vec![original], true)
            }
        };
        let list = ParametrizationList {
            modules: [first].into_iter().collect(),
            originals,
            is_tensor,
            is_unsafe: AtomicBool::new(is_unsafe),
            state: ModuleState::new(),
        };
        if !is_unsafe {
            check_kept(
                &list.compute(),
                &unparametrized,
                [
                    "Registering a parametrization may not change",
                    "unless `unsafe` flag is enabled",
                    "unparametrized ",
                    "parametrized ",
                ],
            );
        }
        list
    }

    /// The same parametrizations over the same originals, for another module.
    pub(super) fn transferred(&self) -> Self {
        ParametrizationList {
            modules: self.modules.iter().cloned().collect(),
            originals: self.originals.iter().map(Original::share).collect(),
            is_tensor: self.is_tensor,
            is_unsafe: AtomicBool::new(self.is_unsafe()),
            state: ModuleState::new(),
        }
    }

    /// Adds a parametrization of what the others give.
    #[track_caller]
    pub(super) fn append(&self, module: Arc<dyn Parametrization>, name: &str, is_unsafe: bool) {
        if !is_unsafe {
            let y = self.compute();
            let x = module.apply(&[&y]);
            let former = format!("module.{name}.");
            check_kept(
                &x,
                &y,
                [
                    "Registering a parametrization may not change",
                    "unless the `unsafe` flag is enabled",
                    &former,
                    &format!("parametrization(module.{name})."),
                ],
            );
            match module.module().right_inverse(&x) {
                None | Some(RightInverse::NotImplemented(_)) => {}
                Some(RightInverse::Several(_)) => {
                    panic!("parametrization.right_inverse must return a tensor. Got: tuple")
                }
                Some(RightInverse::One(z)) => {
                    let words = |what: &str| {
                        format!(
                            "The tensor returned by parametrization.right_inverse must have the same {what} as module.{name}, unless \
                             the `unsafe` flag is enabled.\nmodule.{name}.{what}: "
                        )
                    };
                    assert!(z.dtype() == y.dtype(), "{}{}\nreturned dtype: {}", words("dtype"), y.dtype(), z.dtype());
                    assert!(z.size() == y.size(), "{}{}\nreturned shape: {}", words("shape"), y.size(), z.size());
                }
            }
        }
        self.modules.push(module);
        self.is_unsafe.fetch_or(is_unsafe, Ordering::Relaxed);
    }

    /// The parametrized tensor, computed now: what calling the list gives in PyTorch.
    pub fn compute(&self) -> Tensor {
        let originals: Vec<&Tensor> = self.originals.iter().map(Original::tensor).collect();
        let mut modules = self.modules.iter();
        let first = modules.next().map(|m| m.apply(&originals)).expect("a list has a parametrization");
        modules.fold(first, |x, m| m.apply(&[&x]))
    }

    /// Sets the originals so that the parametrized tensor becomes `value`: `layer.parametrizations.weight.right_inverse(value)`,
    /// or `layer.weight = value`.
    ///
    /// # Panics
    /// When a parametrization has no `right_inverse`, or it gives tensors of another dtype than the originals'.
    #[track_caller]
    pub fn set(&self, value: &Tensor) {
        let _guard = no_grad();
        let modules: Vec<_> = self.modules.iter().collect();
        let mut inverse = RightInverse::One(value.detach());
        for module in modules.iter().rev() {
            let module = module.module();
            let RightInverse::One(x) = &inverse else {
                panic!("only the first parametrization may be made of several tensors")
            };
            inverse = match module.right_inverse(x) {
                Some(RightInverse::NotImplemented(reason)) => panic!("{reason}"),
                Some(inverse) => inverse,
                None => panic!("parametrization {} does not implement right_inverse.", module.type_name()),
            };
        }
        match inverse {
            RightInverse::One(x) => {
                assert!(
                    self.is_tensor,
                    "'right_inverse' must return a sequence of tensors. Got {}.",
                    if x.is_parameter() { "Parameter" } else { "Tensor" }
                );
                let original = self.originals[0].tensor();
                assert!(
                    x.dtype() == original.dtype(),
                    "The tensor returned by `right_inverse` has dtype {} while `original` has dtype {}",
                    x.dtype(),
                    original.dtype()
                );
                original.set_data(&x.detach());
            }
            RightInverse::Several(several) => {
                assert!(!self.is_tensor, "`right_inverse` should return a tensor. Got tuple");
                assert!(
                    several.len() == self.originals.len(),
                    "'right_inverse' must return a sequence of tensors of length {}. Got a sequence of length {}.",
                    self.originals.len(),
                    several.len()
                );
                for (i, (x, original)) in several.iter().zip(&self.originals).enumerate() {
                    let original = original.tensor();
                    assert!(
                        x.dtype() == original.dtype(),
                        "Tensor {i} returned by `right_inverse` has dtype {} while `original{i}` has dtype {}",
                        x.dtype(),
                        original.dtype()
                    );
                    original.set_data(&x.detach());
                }
            }
            RightInverse::NotImplemented(reason) => panic!("{reason}"),
        }
    }

    /// The tensors that the value is computed from: `original`, or `original0`, `original1`, ….
    pub fn originals(&self) -> Vec<&Tensor> {
        self.originals.iter().map(Original::tensor).collect()
    }

    /// Whether there is one original, and not several.
    pub fn is_tensor(&self) -> bool {
        self.is_tensor
    }

    /// Whether dtype and shape may be changed: the keyword `unsafe`.
    pub fn is_unsafe(&self) -> bool {
        self.is_unsafe.load(Ordering::Relaxed)
    }

    /// How many parametrizations: `len(list)`.
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.modules.iter().count()
    }
}

/// PyTorch's words for a `right_inverse` of one tensor that changes more than its numbers.
#[track_caller]
fn check_inverse(original: &Tensor, new: &Tensor) {
    let words = |what: &str| {
        format!("When `right_inverse` outputs one tensor, it may not change the {what}.\noriginal.{what}: ")
    };
    assert!(
        original.dtype() == new.dtype(),
        "{}{}\nright_inverse(original).dtype: {}",
        words("dtype"),
        original.dtype(),
        new.dtype()
    );
    assert!(
        original.device() == new.device(),
        "{}{}\nright_inverse(original).device: {}",
        words("device"),
        original.device(),
        new.device()
    );
}

impl Module for ParametrizationList {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn as_module_mut(&mut self) -> &mut dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        "ParametrizationList"
    }
    fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        for (i, original) in self.originals.iter().enumerate() {
            let name = if self.is_tensor { Cow::Borrowed("original") } else { format!("original{i}").into() };
            match original {
                Original::Parameter(p) => members.parameters.push((name, p)),
                Original::Buffer(b) => members.buffers.push((name, b)),
            }
        }
        let modules = self.modules.iter().enumerate().map(|(i, m)| (i.to_string().into(), m.module()));
        members.children = modules.collect();
        members
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    fn repr(&self) -> String {
        repr::list(self, FieldKind::Module)
    }
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        ParametrizationList {
            modules: self.modules.iter().map(|m| m.copy(memo)).collect(),
            originals: self.originals.iter().map(|x| x.copy(memo)).collect(),
            is_tensor: self.is_tensor,
            is_unsafe: AtomicBool::new(self.is_unsafe()),
            state: memo.part(&self.state),
        }
    }
}

impl fmt::Display for ParametrizationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// All parametrized tensors of a module by name: its child `parametrizations`.
pub(super) struct Dict {
    entries: Chain<Entry>,
    state: ModuleState,
}

struct Entry {
    name: String,
    list: ParametrizationList,
    in_force: AtomicBool,
}

impl Dict {
    pub(super) fn new() -> Self {
        Dict { entries: Chain::new(), state: ModuleState::new() }
    }

    pub(super) fn add(&self, name: &str, list: ParametrizationList) {
        self.entries.push(Entry { name: name.to_owned(), list, in_force: AtomicBool::new(true) });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &ParametrizationList)> {
        let in_force = self.entries.iter().filter(|e| e.in_force.load(Ordering::Acquire));
        in_force.map(|e| (e.name.as_str(), &e.list))
    }

    pub(super) fn get(&self, name: &str) -> Option<&ParametrizationList> {
        self.iter().find(|(n, _)| *n == name).map(|(_, list)| list)
    }

    pub(super) fn remove(&self, name: &str) {
        self.entries.iter().filter(|e| e.name == name).for_each(|e| e.in_force.store(false, Ordering::Release));
    }
}

impl Module for Dict {
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
        let children = self.iter().map(|(name, list)| (name.to_owned().into(), list as &dyn Module));
        Members { children: children.collect(), ..Members::default() }
    }
    fn state(&self) -> Option<&ModuleState> {
        Some(&self.state)
    }
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let state = memo.part(&self.state);
        let copy = |(name, list): (&str, &ParametrizationList)| Entry {
            name: name.to_owned(),
            list: memo.part(list),
            in_force: AtomicBool::new(true),
        };
        Dict { entries: self.iter().map(copy).collect(), state }
    }
}
