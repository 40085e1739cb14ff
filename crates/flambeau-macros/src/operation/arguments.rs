//! What the arguments of an operation become in its public forms. An operation takes plain types (`&[i64]`, `Scalar`); the
//! forms take what a user has at hand. This is the one place where that is decided.

use super::attribute::text;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Type};

/// An argument of a public form: its type there, and the operation's argument made of it.
pub struct Public {
    pub ty: TokenStream,
    pub value: TokenStream,
}

/// The public form of the argument `name` of type `ty`.
pub fn public(name: &Ident, ty: &Type) -> Public {
    let (ty, value) = match text(ty).as_str() {
        "&[i64]" => (quote!(impl crate::ops::IntoDims), quote!(&crate::ops::IntoDims::into_dims(#name))),
        "&[Option<i64>]" => {
            (quote!(impl crate::ops::IntoOutputSize), quote!(&crate::ops::IntoOutputSize::into_output_size(#name)))
        }
        "Option<i64>" => {
            let into = quote!(::core::convert::Into);
            (quote!(impl #into<#ty>), quote!(#into::<#ty>::into(#name)))
        }
        "Scalar" => (quote!(impl ::core::convert::Into<::flambeau_tensor::Scalar>), quote!(#name.into())),
        _ => (quote!(#ty), quote!(#name)),
    };
    Public { ty, value }
}

/// The options struct behind `&SomeOptions`, where the type is that: such an operation has a form without options and one,
/// `…_with`, whose closure sets some.
pub fn options(ty: &Type) -> Option<&Type> {
    let Type::Reference(reference) = ty else { return None };
    text(&reference.elem).ends_with("Options").then_some(&*reference.elem)
}
