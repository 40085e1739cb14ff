//! What an option's setter takes: `o.stride(2)`, `o.weight(&w)`, `o.padding_idx(None)`.

use crate::arguments::{Int, Number, OneOrMore, OptInt, OptNumber, OptScalar, OptTensor};
use crate::ops::{
    InterpolateMode, IntoDims, IntoPadding, IntoScales, IntoStride, PadMode, Padding, Reduction, Sizes, ToDevice,
    ToGenerator,
};
use crate::{AsTensor, Tensor};
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device, Scalar};
use smallvec::SmallVec;

/// What can be given for an option of type `T`: whatever a user has at hand for it. An option that may be `None` also takes the
/// value itself.
#[diagnostic::on_unimplemented(message = "an option of type `{T}` cannot be `{Self}`")]
pub trait Setting<T> {
    /// The option's value.
    #[track_caller]
    fn setting(self) -> T;
}

/// Implements [`Setting`] by rows of `[generics] type given => option's type: |value| expression;`.
#[doc(hidden)]
#[macro_export]
macro_rules! settings {
    ($([$($generics:tt)*] $given:ty => $option:ty: |$value:ident| $expression:expr;)*) => {$(
        impl<$($generics)*> $crate::Setting<$option> for $given {
            #[track_caller]
            fn setting(self) -> $option {
                let $value = self;
                $expression
            }
        }
    )*};
}

settings! {
    [] bool => bool: |b| b;
    [] bool => Option<bool>: |b| Some(b);
    [] Option<bool> => Option<bool>: |b| b;
    [N: Int] N => i64: |n| n.to_i64();
    [N: Int] N => usize: |n| n.to_usize();
    [N: Int] N => i32: |n| n.to_i32();
    [N: OptInt] N => Option<i64>: |n| n.to_option();
    [N: Number] N => f64: |n| n.to_f64();
    [N: OptNumber] N => Option<f64>: |n| n.to_option();
    [T: Into<String>] T => String: |t| t.into();
    [T: Into<String>] T => Option<String>: |t| Some(t.into());
    [N: Into<Scalar>] N => Scalar: |n| n.into();
    [N: OptScalar] N => Option<Scalar>: |n| n.to_option();
    [D: Into<Option<DType>>] D => Option<DType>: |d| d.into();
    [D: ToDevice] D => Option<Device>: |d| d.to_device();
    [G: ToGenerator] G => Option<Generator>: |g| g.to_generator();
    [T: OptTensor] T => Option<Tensor>: |t| t.to_option().map(Tensor::shallow_clone);
    ['a, T: AsTensor] &'a T => Option<&'a Tensor>: |t| Some(t.as_tensor());
    ['a] Option<&'a Tensor> => Option<&'a Tensor>: |t| t;
    ['a, T: AsTensor] &'a Option<T> => Option<&'a Tensor>: |t| t.as_ref().map(AsTensor::as_tensor);
    [L: OneOrMore] L => Vec<Tensor>: |l| l.to_list().iter().map(|t| t.shallow_clone()).collect();
    [L: IntoDims] L => Sizes: |l| l.into_dims();
    [L: IntoStride] L => Option<Sizes>: |l| l.into_stride();
    [L: IntoScales] L => Option<SmallVec<[f64; 3]>>: |l| Some(l.into_scales());
    [P: IntoPadding] P => Padding: |p| p.into_padding();
    [W: Into<Reduction>] W => Reduction: |w| w.into();
    [W: Into<InterpolateMode>] W => InterpolateMode: |w| w.into();
    [W: Into<PadMode>] W => PadMode: |w| w.into();
}
