//! What functions take that change a module and give it back.

use crate::Module;

/// A module by itself, or a reference to one: `weight_norm(nn::Linear::new(2, 3))` for a new layer, `weight_norm(&net.fc)` for a
/// part of a network. `Kind` says which, and is found by the compiler.
#[diagnostic::on_unimplemented(message = "`{Self}` is no module", label = "expected a module or a reference to one")]
pub trait ModuleRef<Kind> {
    /// The module.
    fn as_dyn(&self) -> &dyn Module;
}

/// The kind of modules by themselves.
pub struct Owned;

/// The kind of `&module`.
pub struct Borrowed;

/// The kind of `&mut module`.
pub struct BorrowedMut;

impl<M: Module> ModuleRef<Owned> for M {
    fn as_dyn(&self) -> &dyn Module {
        self.as_module()
    }
}

impl<M: Module + ?Sized> ModuleRef<Borrowed> for &M {
    fn as_dyn(&self) -> &dyn Module {
        (**self).as_module()
    }
}

impl<M: Module + ?Sized> ModuleRef<BorrowedMut> for &mut M {
    fn as_dyn(&self) -> &dyn Module {
        (**self).as_module()
    }
}
