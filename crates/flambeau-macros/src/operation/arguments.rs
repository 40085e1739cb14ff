//! What the arguments of an operation become in its public forms. An operation takes plain types (`&[i64]`, `Scalar`); the
//! forms take what a user has at hand. This is the one place where that is decided.

use super::attribute::text;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Path, PathArguments, Type, TypePath};

/// An argument of a public form: its type there, and the operation's argument made of it.
pub struct Public {
    pub ty: TokenStream,
    pub value: TokenStream,
}

/// The public form of the argument `name` of type `ty`.
pub fn public(name: &Ident, ty: &Type) -> Public {
    let arguments = quote!(crate::arguments);
    let (ty, value) = match text(ty).as_str() {
        "&Tensor" => (quote!(impl crate::AsTensor), quote!(crate::AsTensor::as_tensor(&#name))),
        "Option<&Tensor>" => (quote!(impl #arguments::OptTensor), quote!(#arguments::OptTensor::to_option(&#name))),
        "&[T]" => (quote!(impl #arguments::TensorList), quote!(&#arguments::TensorList::to_list(&#name))),
        "i64" => (quote!(impl #arguments::Int), quote!(#arguments::Int::to_i64(#name))),
        "usize" => (quote!(impl #arguments::Int), quote!(#arguments::Int::to_usize(#name))),
        "i32" => (quote!(impl #arguments::Int), quote!(#arguments::Int::to_i32(#name))),
        "f64" => (quote!(impl #arguments::Number), quote!(#arguments::Number::to_f64(#name))),
        "Option<i64>" => (quote!(impl #arguments::OptInt), quote!(#arguments::OptInt::to_option(#name))),
        "Option<f64>" => (quote!(impl #arguments::OptNumber), quote!(#arguments::OptNumber::to_option(#name))),
        "Option<Scalar>" => (quote!(impl #arguments::OptScalar), quote!(#arguments::OptScalar::to_option(#name))),
        "&[i64]" => (quote!(impl crate::ops::IntoDims), quote!(&crate::ops::IntoDims::into_dims(#name))),
        "&[Option<i64>]" => {
            (quote!(impl crate::ops::IntoOutputSize), quote!(&crate::ops::IntoOutputSize::into_output_size(#name)))
        }
        "impl IntoRange" => (quote!(impl crate::ops::IntoRange), quote!(crate::ops::IntoRange::into_range(#name))),
        "&[usize]" => (quote!(impl crate::ops::IntoShape), quote!(&crate::make::shape_of(#name))),
        "Scalar" => {
            let (into, ty) = (quote!(::core::convert::Into), quote!(::flambeau_tensor::Scalar));
            (quote!(impl #into<#ty>), quote!(#into::<#ty>::into(#name)))
        }
        "Option<DType>" | "RoundingMode" => {
            let into = quote!(::core::convert::Into);
            (quote!(impl #into<#ty>), quote!(#into::<#ty>::into(#name)))
        }
        _ => (quote!(#ty), quote!(#name)),
    };
    Public { ty, value }
}

/// A struct of options among a form's arguments.
pub struct Options {
    /// Its path without generic arguments.
    pub path: Path,
    /// Whether it is taken by reference, `&SomeOptions`: such a form exists without options and, as `…_with`, with a closure that
    /// sets some. By value, `SomeOptions`, only the closure's form exists, under the form's own name.
    pub optional: bool,
}

/// The struct of options that the type is or refers to: a type whose name ends in `Options`.
pub fn options(ty: &Type) -> Option<Options> {
    let (ty, optional) = match ty {
        Type::Reference(reference) => (&*reference.elem, true),
        ty => (ty, false),
    };
    let Type::Path(TypePath { path, .. }) = ty else { return None };
    let mut path = path.clone();
    let last = path.segments.last_mut().filter(|last| last.ident.to_string().ends_with("Options"))?;
    last.arguments = PathArguments::None;
    Some(Options { path, optional })
}
