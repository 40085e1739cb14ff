//! How `derive(Module)` treats a field of any type: by its [`Field`], else as plain data if it is `Clone`, else not at all.
//!
//! The choice is made by the compiler's search for a method, which takes the first of several levels of references that fits
//! the type ("autoref specialisation"). Parameters and layers are not `Clone`, so a struct that holds some is never taken for
//! plain data. An `Arc` is `Clone` whatever it points to, so it has levels of its own.

use super::carrier::Visit;
use super::{Field, Members, Memo, ModuleState, Slots};
use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The tensor that the derive names. No `use`, or the compiler's messages would call all tensors by this path.
pub type Tensor = flambeau_autograd::Tensor;

/// What a module does with a field.
pub struct Access<T> {
    pub collect: for<'a> fn(&'a T, Cow<'static, str>, &mut Members<'a>),
    pub collect_mut: for<'a> fn(&'a mut T, Cow<'static, str>, &mut Slots<'a>),
    pub state: fn(&T) -> Option<&ModuleState>,
    pub carriers: fn(&T, u32, &mut Visit<'_>) -> ControlFlow<()>,
    pub copy: fn(&T, &mut Memo) -> T,
}

impl<T: Field> Access<T> {
    fn of_field() -> Self {
        Access {
            collect: T::collect,
            collect_mut: T::collect_mut,
            state: T::state,
            carriers: T::carriers,
            copy: |value, memo| memo.part(value),
        }
    }
}

impl<T: Clone> Access<T> {
    fn of_plain() -> Self {
        Access {
            collect: |_, _, _| {},
            collect_mut: |_, _, _| {},
            state: |_| None,
            carriers: |_, _, _| ControlFlow::Continue(()),
            copy: |value, _| value.clone(),
        }
    }
}

/// Asks how a field of type `T` is treated: `(&&&&&Probe::<T>::new()).access()`.
pub struct Probe<T>(PhantomData<T>);

impl<T> Probe<T> {
    #[expect(clippy::new_without_default, reason = "only the derive makes one")]
    pub const fn new() -> Self {
        Probe(PhantomData)
    }
}

/// First: what says itself what it is.
pub trait ViaField<T> {
    #[inline]
    fn access(&self) -> Access<T>
    where
        T: Field,
    {
        Access::of_field()
    }
}
impl<T: Field> ViaField<T> for &&&&Probe<T> {}

/// An `Arc` of plain data.
pub trait ViaSharedPlain<T> {
    fn access(&self) -> Access<T>
    where
        T: Clone,
    {
        Access::of_plain()
    }
}
impl<T: Clone> ViaSharedPlain<Arc<T>> for &&&Probe<Arc<T>> {}

/// Another `Arc`: what it points to might hold layers.
pub trait ViaShared<T> {
    fn access(&self) -> Access<T>
    where
        T: Field,
    {
        Access::of_field()
    }
}
impl<T: ?Sized> ViaShared<Arc<T>> for &&Probe<Arc<T>> {}

/// Plain data.
pub trait ViaClone<T> {
    fn access(&self) -> Access<T>
    where
        T: Clone,
    {
        Access::of_plain()
    }
}
impl<T: Clone> ViaClone<T> for &Probe<T> {}

/// Anything else: an error that names the derive.
pub trait ViaNone<T> {
    fn access(&self) -> Access<T>
    where
        T: Field,
    {
        Access::of_field()
    }
}
impl<T> ViaNone<T> for Probe<T> {}

/// Asks how a field with `#[module(skip)]` is copied: `(&&&Skipped::<T>::new()).copy(value, memo, name)`.
pub struct Skipped<T>(PhantomData<T>);

impl<T> Skipped<T> {
    #[expect(clippy::new_without_default, reason = "only the derive makes one")]
    pub const fn new() -> Self {
        Skipped(PhantomData)
    }
}

/// A module that its owner does not register, or plain data that the library knows.
pub trait SkippedField<T> {
    #[track_caller]
    fn copy(&self, value: &T, memo: &mut Memo, _name: &str) -> T
    where
        T: Field,
    {
        memo.part(value)
    }
}
impl<T: Field> SkippedField<T> for &&Skipped<T> {}

/// Plain data.
pub trait SkippedClone<T> {
    fn copy(&self, value: &T, _memo: &mut Memo, _name: &str) -> T
    where
        T: Clone,
    {
        value.clone()
    }
}
impl<T: Clone> SkippedClone<T> for &Skipped<T> {}

/// What cannot be copied.
pub trait SkippedOther<T> {
    #[track_caller]
    fn copy(&self, _value: &T, _memo: &mut Memo, name: &str) -> T {
        panic!("deepcopy: the field `{name}` of type {} is neither Clone nor a module", std::any::type_name::<T>())
    }
}
impl<T> SkippedOther<T> for Skipped<T> {}

/// Keeps others from implementing what no type is.
mod sealed {
    pub trait Never {}
}

/// What the derive says of an enum: no type is one of these.
#[diagnostic::on_unimplemented(
    message = "`derive(Module)` is for structs, and `{Self}` is none",
    label = "make a struct of it, or hold a `Box<dyn Forward>` where a model chooses among layers"
)]
pub trait Struct: sealed::Never {}

/// Fails to compile: `T` is no [`Struct`].
pub fn only_structs<T: Struct + ?Sized>() {}

/// What the derive says of a field that holds a `dyn Fn`: no type is one of these.
#[diagnostic::on_unimplemented(
    message = "the derive cannot look into the functions of `{Self}`",
    label = "write `#[module(skip)]` above this field",
    note = "modules are shared between threads, so the type needs `Send + Sync`: `Box<dyn Fn(&Tensor) -> Tensor + Send + Sync>`",
    note = "a function that captures nothing needs neither: `fn(&Tensor) -> Tensor`"
)]
pub trait Skip: sealed::Never {}

/// Fails to compile: `T` is no [`Skip`].
pub fn needs_skip<T: Skip + ?Sized>() {}

/// What the derive says of a skipped field whose `dyn Fn` may stay in one thread: no type is one of these.
#[diagnostic::on_unimplemented(
    message = "modules are shared between threads, and the functions of `{Self}` need not be",
    label = "write `dyn Fn(…) -> … + Send + Sync` here"
)]
pub trait Threads: sealed::Never {}

/// Fails to compile: `T` is no [`Threads`].
pub fn needs_threads<T: Threads + ?Sized>() {}
