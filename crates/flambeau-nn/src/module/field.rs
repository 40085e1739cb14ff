//! What `derive(Module)` knows of a field by its type.

use super::carrier::Visit;
use super::derived::{Derived, Slotted};
use super::{Buffer, Memo, Module, ModuleState, Parameter};
use flambeau_autograd::{Size, Tensor};
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device, Scalar};
use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// What a module itself holds, in the order of its fields: what `_parameters`, `_buffers` and `_modules` are in PyTorch.
#[derive(Default)]
pub struct Members<'a> {
    /// Its own parameters.
    pub parameters: Vec<(Cow<'static, str>, &'a Parameter)>,
    /// Its own buffers.
    pub buffers: Vec<(Cow<'static, str>, &'a Buffer)>,
    /// The modules in its fields.
    pub children: Vec<(Cow<'static, str>, &'a dyn Module)>,
    /// Tensors whose value is computed now: under their names the module holds no parameter or buffer.
    pub(crate) derived: Vec<(Cow<'static, str>, Slotted<'a>, &'a Derived)>,
    /// What was registered after the fields: when, and what.
    pub(crate) late_parameters: Vec<(u64, Cow<'static, str>, &'a Parameter)>,
    pub(crate) late_buffers: Vec<(u64, Cow<'static, str>, &'a Buffer)>,
    /// The dict of the module's parametrizations.
    pub(crate) parametrizations: Option<&'a dyn Module>,
}

impl Members<'_> {
    /// Puts what was registered after the fields behind them, in the order in which it was.
    #[doc(hidden)]
    #[must_use]
    pub fn finished(mut self) -> Self {
        if let Some(dict) = self.parametrizations {
            self.children.push((Cow::Borrowed("parametrizations"), dict));
        }
        self.late_parameters.sort_by_key(|(order, ..)| *order);
        self.late_buffers.sort_by_key(|(order, ..)| *order);
        self.parameters.extend(self.late_parameters.drain(..).map(|(_, name, p)| (name, p)));
        self.buffers.extend(self.late_buffers.drain(..).map(|(_, name, b)| (name, b)));
        self
    }
}

/// The modules in a module's fields, to be changed.
pub type Slots<'a> = Vec<(Cow<'static, str>, &'a mut dyn Module)>;

/// What the values of a type are to a module that holds them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// Nothing: numbers, names, plain tensors.
    Plain,
    /// A parameter.
    Parameter,
    /// A buffer.
    Buffer,
    /// A module.
    Module,
}

/// A type that a module's field may have: a [`Module`], a [`Parameter`], a [`Buffer`], a [`ModuleState`], plain data, and
/// `Option`, `Vec`, arrays, tuples, `Box`, `HashMap` and `BTreeMap` of these. `derive(Module)` asks each field what it adds to
/// the module. Types that are `Clone` are plain data too: whatever holds parameters or layers is not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no module, parameter, buffer or plain data that `derive(Module)` knows",
    label = "a field of this type needs `#[derive(Module)]` or `#[module(skip)]`",
    note = "if it holds layers or parameters, write `#[derive(Module)]` above `{Self}`, so that they are found",
    note = "if the module need not know what is in it, write `#[module(skip)]` above the field"
)]
pub trait Field: Send + Sync + 'static {
    /// What values of this type are.
    const KIND: FieldKind;

    /// Whether a field of this type is registered, also where it is empty.
    fn registers() -> bool
    where
        Self: Sized,
    {
        Self::KIND != FieldKind::Plain
    }

    /// Adds what the field holds to the members of its module, under the field's name.
    fn collect<'a>(&'a self, _name: Cow<'static, str>, _members: &mut Members<'a>) {}

    /// Adds the modules that the field holds, to be changed.
    fn collect_mut<'a>(&'a mut self, _name: Cow<'static, str>, _slots: &mut Slots<'a>) {}

    /// The module's state, if this field holds it.
    fn state(&self) -> Option<&ModuleState> {
        None
    }

    /// Shows what may carry the state of a module that is `depth` modules up.
    #[doc(hidden)]
    fn carriers(&self, _depth: u32, _visit: &mut Visit<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// A copy with memory of its own: what [`deepcopy`](super::deepcopy) makes of the field.
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self
    where
        Self: Sized;
}

impl<M: Module> Field for M {
    const KIND: FieldKind = FieldKind::Module;
    fn registers() -> bool {
        M::registers()
    }
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        if M::registers() {
            members.children.push((name, self.as_module()));
        }
    }
    fn collect_mut<'a>(&'a mut self, name: Cow<'static, str>, slots: &mut Slots<'a>) {
        if M::registers() {
            slots.push((name, self));
        }
    }
    fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
        match Module::state(self) {
            Some(state) if M::is_owner() => visit(state.carrier(), depth),
            Some(_) => ControlFlow::Continue(()),
            None => Module::carriers(self, depth + 1, visit),
        }
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        Module::deepcopy_in(self, memo)
    }
}

macro_rules! tensors {
    ($($t:ident: $list:ident, $late:ident;)*) => {$(
        impl Field for $t {
            const KIND: FieldKind = FieldKind::$t;
            fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
                if let Some(derived) = self.slot().derived() {
                    derived.collect(&name, members);
                    members.derived.push((name, Slotted::$t(self), derived));
                } else if let Some(order) = self.slot().back() {
                    members.$late.push((order, name, self));
                } else {
                    members.$list.push((name, self));
                }
            }
            fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
                visit(self.carrier(), depth)
            }
            #[track_caller]
            fn deepcopy_in(&self, memo: &mut Memo) -> Self {
                self.copy(memo)
            }
        }
    )*};
}
tensors! {
    Parameter: parameters, late_parameters;
    Buffer: buffers, late_buffers;
}

impl Field for ModuleState {
    const KIND: FieldKind = FieldKind::Plain;
    fn state(&self) -> Option<&ModuleState> {
        Some(self)
    }
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        self.copy(memo)
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: FieldKind = T::KIND;
    fn registers() -> bool {
        T::registers()
    }
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        if let Some(value) = self {
            value.collect(name, members);
        }
    }
    fn collect_mut<'a>(&'a mut self, name: Cow<'static, str>, slots: &mut Slots<'a>) {
        if let Some(value) = self {
            value.collect_mut(name, slots);
        }
    }
    fn carriers(&self, depth: u32, visit: &mut Visit<'_>) -> ControlFlow<()> {
        self.as_ref().map_or(ControlFlow::Continue(()), |value| value.carriers(depth, visit))
    }
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        self.as_ref().map(|value| value.deepcopy_in(memo))
    }
}

impl<T: Send + Sync + 'static> Field for PhantomData<T> {
    const KIND: FieldKind = FieldKind::Plain;
    fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
        PhantomData
    }
}

/// A plain tensor in a field is not registered, and is copied with its module.
impl Field for Tensor {
    const KIND: FieldKind = FieldKind::Plain;
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        memo.tensor(self)
    }
}

// What a lock holds is plain data, since it is `Clone`.
impl<T: Clone + Send + 'static> Field for Mutex<T> {
    const KIND: FieldKind = FieldKind::Plain;
    fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
        Mutex::new(self.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl<T: Clone + Send + Sync + 'static> Field for RwLock<T> {
    const KIND: FieldKind = FieldKind::Plain;
    fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
        RwLock::new(self.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl<T: Clone + Send + Sync + 'static> Field for OnceLock<T> {
    const KIND: FieldKind = FieldKind::Plain;
    fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
        self.clone()
    }
}

macro_rules! atomics {
    ($($t:ident)*) => {$(
        impl Field for std::sync::atomic::$t {
            const KIND: FieldKind = FieldKind::Plain;
            fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
                Self::new(self.load(std::sync::atomic::Ordering::SeqCst))
            }
        }
        impl Field for Arc<std::sync::atomic::$t> {
            const KIND: FieldKind = FieldKind::Plain;
            fn deepcopy_in(&self, memo: &mut Memo) -> Self {
                Arc::new((**self).deepcopy_in(memo))
            }
        }
    )*};
}
atomics!(AtomicBool AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize);

// What several modules may change. A copy has its own.
macro_rules! shared {
    ($([$($generics:tt)*] $t:ty;)*) => {$(
        impl<$($generics)*> Field for Arc<$t> {
            const KIND: FieldKind = FieldKind::Plain;
            fn deepcopy_in(&self, memo: &mut Memo) -> Self {
                Arc::new((**self).deepcopy_in(memo))
            }
        }
    )*};
}
shared! {
    [T: Clone + Send + 'static] Mutex<T>;
    [T: Clone + Send + Sync + 'static] RwLock<T>;
    [T: Clone + Send + Sync + 'static] OnceLock<T>;
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Field for $t {
            const KIND: FieldKind = FieldKind::Plain;
            fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
                self.clone()
            }
        }
    )*};
}
impl<T: Clone + Send + Sync + 'static> Field for Arc<[T]> {
    const KIND: FieldKind = FieldKind::Plain;
    fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
        self.clone()
    }
}

// These may stand in a tuple or list beside layers.
plain!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    f32,
    f64,
    String,
    &'static str,
    Arc<str>,
    Size,
    DType,
    Device,
    Scalar,
    Generator
);
