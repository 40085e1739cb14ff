//! How `derive(Module)` tells parameters, buffers and modules from plain data.

use super::{Buffer, Module, ModuleState, Parameter};
use flambeau_autograd::Tensor;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device, Scalar};
use std::borrow::Cow;
use std::marker::PhantomData;

/// What a module itself holds, in the order of its fields: what `_parameters`, `_buffers` and `_modules` are in PyTorch.
#[derive(Default)]
pub struct Members<'a> {
    /// Its own parameters.
    pub parameters: Vec<(Cow<'static, str>, &'a Parameter)>,
    /// Its own buffers.
    pub buffers: Vec<(Cow<'static, str>, &'a Buffer)>,
    /// The modules in its fields.
    pub children: Vec<(Cow<'static, str>, &'a dyn Module)>,
}

/// What the values of a type are to a module that holds them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing: numbers, names, plain tensors.
    Plain,
    /// A parameter.
    Parameter,
    /// A buffer.
    Buffer,
    /// A module.
    Module,
}

/// A type that a module's field may have: a [`Module`], a [`Parameter`], a [`Buffer`], a [`ModuleState`], `Option` or `Vec`
/// of these, or plain data. `derive(Module)` asks each field what it adds to the module.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no module, parameter, buffer or plain data that `derive(Module)` knows",
    note = "write #[module(skip)] above the field if the module need not know it"
)]
pub trait Field: Send + Sync + 'static {
    /// What values of this type are.
    const KIND: Kind;

    /// Adds what the field holds to the members of its module, under the field's name.
    fn collect<'a>(&'a self, _name: Cow<'static, str>, _members: &mut Members<'a>) {}

    /// The module's state, if this field holds it.
    fn state(&self) -> Option<&ModuleState> {
        None
    }
}

impl<M: Module> Field for M {
    const KIND: Kind = Kind::Module;
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        if self.is_registered() {
            members.children.push((name, self.as_module()));
        }
    }
}

impl Field for Parameter {
    const KIND: Kind = Kind::Parameter;
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        members.parameters.push((name, self));
    }
}

impl Field for Buffer {
    const KIND: Kind = Kind::Buffer;
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        members.buffers.push((name, self));
    }
}

impl Field for ModuleState {
    const KIND: Kind = Kind::Plain;
    fn state(&self) -> Option<&ModuleState> {
        Some(self)
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    fn collect<'a>(&'a self, name: Cow<'static, str>, members: &mut Members<'a>) {
        if let Some(value) = self {
            value.collect(name, members);
        }
    }
}

impl<T: Send + Sync + 'static> Field for PhantomData<T> {
    const KIND: Kind = Kind::Plain;
}

/// Data that a module holds and does not register.
pub trait Plain: Send + Sync + 'static {}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Plain for $t {}
        impl Field for $t {
            const KIND: Kind = Kind::Plain;
        }
    )*};
}
plain!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    String,
    &'static str,
    Tensor,
    DType,
    Device,
    Scalar,
    Generator
);

impl<A: Plain, B: Plain> Field for (A, B) {
    const KIND: Kind = Kind::Plain;
}

impl<A: Plain, B: Plain, C: Plain> Field for (A, B, C) {
    const KIND: Kind = Kind::Plain;
}

impl<T: Plain, const N: usize> Field for [T; N] {
    const KIND: Kind = Kind::Plain;
}
