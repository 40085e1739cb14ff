//! What goes into and comes out of a [`crate::Function`] and a checkpoint: tensors, and whatever else, in tuples and lists.

use crate::error::{Error, Result};
use crate::function::missing_gradient;
use crate::{Size, Tensor};
use flambeau_tensor::{DType, Device, Scalar};

/// An argument or a result of a [`crate::Function`]: a tensor, an `Option` of one, a list of them, a tuple of arguments, or
/// anything else, in which no tensors are looked for. A type of one's own becomes one by `impl Argument for MyType {}`.
pub trait Argument: Clone + Send + Sync + 'static {
    /// Shows each tensor, and `None` for each value that holds none.
    fn visit_tensors(&self, see: &mut dyn FnMut(Option<&Tensor>)) {
        see(None);
    }

    /// The same with other tensors.
    #[must_use]
    fn map_tensors(&self, _new: &mut dyn FnMut(&Tensor) -> Tensor) -> Self {
        self.clone()
    }
}

impl Argument for Tensor {
    fn visit_tensors(&self, see: &mut dyn FnMut(Option<&Tensor>)) {
        see(Some(self));
    }

    fn map_tensors(&self, new: &mut dyn FnMut(&Tensor) -> Tensor) -> Self {
        new(self)
    }
}

impl Argument for Option<Tensor> {
    fn visit_tensors(&self, see: &mut dyn FnMut(Option<&Tensor>)) {
        see(self.as_ref());
    }

    fn map_tensors(&self, new: &mut dyn FnMut(&Tensor) -> Tensor) -> Self {
        self.as_ref().map(new)
    }
}

impl Argument for Vec<Tensor> {
    fn visit_tensors(&self, see: &mut dyn FnMut(Option<&Tensor>)) {
        self.iter().for_each(|t| see(Some(t)));
    }

    fn map_tensors(&self, new: &mut dyn FnMut(&Tensor) -> Tensor) -> Self {
        self.iter().map(new).collect()
    }
}

impl Argument for Vec<Option<Tensor>> {
    fn visit_tensors(&self, see: &mut dyn FnMut(Option<&Tensor>)) {
        self.iter().for_each(|t| see(t.as_ref()));
    }

    fn map_tensors(&self, new: &mut dyn FnMut(&Tensor) -> Tensor) -> Self {
        self.iter().map(|t| t.as_ref().map(&mut *new)).collect()
    }
}

/// What becomes the arguments `A` of a function: a reference of a tensor becomes a handle of it, and each part of a tuple what
/// it converts into.
pub trait IntoArguments<A> {
    /// The arguments.
    fn into_arguments(self) -> A;
}

/// So that an argument that may be `None` takes `&x`.
impl From<&Tensor> for Option<Tensor> {
    fn from(tensor: &Tensor) -> Self {
        Some(tensor.shallow_clone())
    }
}

/// Arguments of a checkpoint, by reference or by value; the function gets handles of the tensors.
pub trait Args {
    /// What the function gets.
    type Owned: Argument;

    /// The handles.
    fn own(self) -> Self::Owned;
}

impl Args for &Tensor {
    type Owned = Tensor;

    fn own(self) -> Tensor {
        self.shallow_clone()
    }
}

/// The gradients of a function's results, one after the other.
pub struct GradQueue {
    grads: std::vec::IntoIter<Option<Tensor>>,
    /// How many were asked for.
    wanted: usize,
}

impl GradQueue {
    pub(crate) fn new(grads: Vec<Option<Tensor>>) -> Self {
        GradQueue { grads: grads.into_iter(), wanted: 0 }
    }

    fn next(&mut self) -> Option<Tensor> {
        self.wanted += 1;
        self.grads.next().flatten()
    }

    /// Checks that backward takes as many gradients as there are results.
    pub(crate) fn check(&self, name: &str, given: usize) -> Result<()> {
        if self.grads.len() == 0 && self.wanted == given {
            return Ok(());
        }
        let function = name.strip_suffix("Backward").unwrap_or(name);
        let (takes, given) = (self.wanted + 1, given + 1);
        Err(Error::type_error(format!(
            "{function}.backward() takes {takes} positional arguments but {given} were given"
        )))
    }
}

/// What a function's backward takes: a tensor or an `Option` of one for each result, in a tuple or a list.
pub trait FromGrads {
    /// Takes what it needs of the gradients.
    fn from_grads(grads: &mut GradQueue) -> Self;
}

impl FromGrads for Tensor {
    fn from_grads(grads: &mut GradQueue) -> Self {
        let more = grads.grads.len() > 0;
        match grads.next() {
            Some(gradient) => gradient,
            None if more => missing_gradient(),
            // Refused by `check`, before the function sees it.
            None => crate::zeros(()),
        }
    }
}

impl FromGrads for Option<Tensor> {
    fn from_grads(grads: &mut GradQueue) -> Self {
        grads.next()
    }
}

impl<G: FromGrads> FromGrads for Vec<G> {
    fn from_grads(grads: &mut GradQueue) -> Self {
        let count = grads.grads.len();
        (0..count).map(|_| G::from_grads(grads)).collect()
    }
}

/// What a function's backward returns: a tensor or an `Option` of one for each argument, in a tuple or a list.
pub trait IntoGrads {
    /// Appends the gradients.
    fn into_grads(self, list: &mut Vec<Option<Tensor>>);
}

impl IntoGrads for Tensor {
    fn into_grads(self, list: &mut Vec<Option<Tensor>>) {
        list.push(Some(self));
    }
}

impl IntoGrads for Option<Tensor> {
    fn into_grads(self, list: &mut Vec<Option<Tensor>>) {
        list.push(self);
    }
}

impl<G: IntoGrads> IntoGrads for Vec<G> {
    fn into_grads(self, list: &mut Vec<Option<Tensor>>) {
        self.into_iter().for_each(|g| g.into_grads(list));
    }
}

macro_rules! one {
    ($($t:ty),*) => {$(
        impl<X: Into<$t>> IntoArguments<$t> for X {
            fn into_arguments(self) -> $t {
                self.into()
            }
        }
    )*};
}
one!(Tensor, Option<Tensor>, Vec<Tensor>, Vec<Option<Tensor>>);

macro_rules! owned {
    ($($t:ty),*) => {$(
        impl Args for $t {
            type Owned = $t;

            fn own(self) -> $t {
                self
            }
        }
    )*};
}
owned!(Tensor, Option<Tensor>, Vec<Tensor>, Vec<Option<Tensor>>);

macro_rules! plain {
    ($($t:ty),*) => { $(impl Argument for $t {} owned!($t);)* };
}
plain!(f32, f64, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, bool, char, (), &'static str, String);
plain!(Scalar, DType, Device, Size, Vec<f32>, Vec<f64>, Vec<i32>, Vec<i64>, Vec<usize>, Vec<bool>);
plain!(Option<f32>, Option<f64>, Option<i64>, Option<usize>, Option<bool>, Option<Vec<i64>>, Option<Vec<usize>>);

macro_rules! tuples {
    ($($name:ident $from:ident),*) => {
        impl<$($name: Argument),*> Argument for ($($name,)*) {
            fn visit_tensors(&self, see: &mut dyn FnMut(Option<&Tensor>)) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.visit_tensors(see);)*
            }

            fn map_tensors(&self, new: &mut dyn FnMut(&Tensor) -> Tensor) -> Self {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                ($($name.map_tensors(new),)*)
            }
        }

        impl<$($name, $from: Into<$name>),*> IntoArguments<($($name,)*)> for ($($from,)*) {
            fn into_arguments(self) -> ($($name,)*) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                ($($name.into(),)*)
            }
        }

        impl<$($name: Args),*> Args for ($($name,)*) {
            type Owned = ($($name::Owned,)*);

            fn own(self) -> Self::Owned {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                ($($name.own(),)*)
            }
        }

        impl<$($name: FromGrads),*> FromGrads for ($($name,)*) {
            fn from_grads(grads: &mut GradQueue) -> Self {
                ($($name::from_grads(grads),)*)
            }
        }

        impl<$($name: IntoGrads),*> IntoGrads for ($($name,)*) {
            fn into_grads(self, list: &mut Vec<Option<Tensor>>) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.into_grads(list);)*
            }
        }
    };
}
tuples!(A AA);
tuples!(A AA, B BB);
tuples!(A AA, B BB, C CC);
tuples!(A AA, B BB, C CC, D DD);
tuples!(A AA, B BB, C CC, D DD, E EE);
tuples!(A AA, B BB, C CC, D DD, E EE, F FF);
tuples!(A AA, B BB, C CC, D DD, E EE, F FF, G GG);
tuples!(A AA, B BB, C CC, D DD, E EE, F FF, G GG, H HH);
