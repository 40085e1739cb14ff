//! What the unit tests of the crate that declares operations call: every form, with arguments that a table of failing calls
//! gives (`registry::forms` there). Nothing of it is compiled otherwise.

use super::attribute::text;
use super::names::mentions;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, Type, parse_quote};

/// An argument of a type, made by the test; `None` where it has none of the type.
fn sample(ty: &Type) -> Option<TokenStream> {
    let name = text(ty);
    let ty: Type = match name.as_str() {
        _ if mentions(ty, &Ident::new("FnOnce", Span::call_site())) => return Some(quote!(|options| options)),
        t if t.starts_with("impl Into<Operand<") => parse_quote!(crate::ops::Operand<'_>),
        "impl Into<Scalar>" => parse_quote!(::flambeau_tensor::Scalar),
        "impl Into<NormOrder>" => parse_quote!(f64),
        "impl IntoShape" => parse_quote!(&[i64]),
        "impl IntoSplit" => parse_quote!(i64),
        "impl IntoIndex" => parse_quote!(i64),
        "&[T]" => parse_quote!(&[&crate::Tensor]),
        t if t.starts_with("impl ") => return None,
        _ => ty.clone(),
    };
    Some(quote!(<#ty as crate::registry::forms::Sample>::sample(given)))
}

/// The entry of a form for the test: its call, and the line where that stands, the declaration's name.
pub fn entry(name: &Ident, args: &[&Type], is_method: bool) -> TokenStream {
    let Some(args) = args.iter().map(|ty| sample(ty)).collect::<Option<Vec<_>>>() else { return TokenStream::new() };
    let span = name.span();
    let text = name.to_string();
    let path =
        if is_method { quote_spanned!(span=> crate::Tensor::#name) } else { quote_spanned!(span=> forms::#name) };
    let values: Vec<Ident> = (0..args.len()).map(|i| Ident::new(&format!("a{i}"), span)).collect();
    let call = quote_spanned!(span=> #path(#(#values),*));
    let line = quote_spanned!(span=> ::core::line!());
    quote! {
        crate::registry::forms::Form {
            name: #text,
            is_method: #is_method,
            file: ::core::file!(),
            line: #line,
            call: {
                fn call(given: &crate::registry::forms::Given) {
                    #( let #values = #args; )*
                    let _ = given;
                    let _ = #call;
                }
                call
            },
        },
    }
}
