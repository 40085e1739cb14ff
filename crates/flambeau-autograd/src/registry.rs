//! Every operation as data: what tests, tables and bindings walk. [`crate::ops`] holds the operations themselves.

/// An argument of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its type in the function of [`crate::ops`], as it is written.
    pub ty: &'static str,
    /// What a form that leaves it out passes, as it is written; `None` where it must be given.
    pub default: Option<&'static str>,
}

/// What autocast does with the inputs of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// Nothing: it computes in the dtype that it gets.
    None,
    /// They become the region's low precision: products and convolutions.
    Low,
    /// They become float32: what loses digits in low precision.
    Float32,
    /// They become the widest dtype among them.
    Widest,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Its name, that of its function in [`crate::ops`].
    pub name: &'static str,
    /// The module that declares it.
    pub module: &'static str,
    /// Its arguments, the tensor first.
    pub args: &'static [Arg],
    /// Where its functions stand: `torch`, `functional`, `linalg`, `special`.
    pub paths: &'static [&'static str],
    /// Whether it is a method of `Tensor`.
    pub method: bool,
    /// The names of its forms.
    pub forms: &'static [&'static str],
    /// PyTorch's other names for it.
    pub aliases: &'static [&'static str],
    /// Whether it has in-place forms, `name_`.
    pub in_place: bool,
    /// Whether gradients flow through it.
    pub differentiable: bool,
    /// What autocast does with its inputs.
    pub cast: Cast,
}

/// Every operation.
pub fn all() -> impl Iterator<Item = &'static Op> {
    crate::ops::REGISTRY.iter().flat_map(|family| family.iter().copied())
}
