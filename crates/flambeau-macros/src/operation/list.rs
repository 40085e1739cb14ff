//! `operations!` and `families!`: the operations of a family, and the families, by name.

use super::attribute::PATHS;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Ident, Path, Result, Token, braced};

/// `unary { neg abs } binary { add }`: files and the operations that they declare.
pub struct Files(Vec<(Path, Vec<Ident>)>);

fn words(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let mut words = Vec::new();
    while !input.is_empty() {
        words.push(input.parse()?);
        // Commas only help a reader.
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(words)
}

impl Parse for Files {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut files = Vec::new();
        while !input.is_empty() {
            let name = Path::parse_mod_style(input)?;
            let list;
            braced!(list in input);
            files.push((name, words(&list)?));
        }
        Ok(Files(files))
    }
}

/// `pointwise reduce`: the families.
pub struct Families(Vec<Ident>);

impl Parse for Families {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        words(input).map(Families)
    }
}

/// The module of the structs of keywords, beside those of functions.
const OPTIONS: &str = "options";

/// The modules that are gathered.
fn modules() -> impl Iterator<Item = &'static str> {
    PATHS.into_iter().chain([OPTIONS])
}

/// Gathers what `#[op]` made in the files of a family: the functions by path, and the registry.
pub fn operations(Files(files): &Files) -> TokenStream {
    let hidden: Vec<_> = files
        .iter()
        .flat_map(|(file, ops)| {
            ops.iter().map(move |op| {
                let hidden = format_ident!("__{}", op.to_string().trim_start_matches("r#"), span = op.span());
                quote!(#file::#hidden)
            })
        })
        .collect();
    let modules = modules().map(|path| {
        let module = format_ident!("{path}");
        quote! {
            #[allow(unused_imports, missing_docs)]
            pub mod #module { #( #[doc(inline)] pub use super::super::#hidden::#module::*; )* }
        }
    });
    quote! {
        pub(crate) mod paths { #(#modules)* }
        /// The operations of this family.
        pub(crate) static REGISTRY: &[&crate::registry::Op] = &[#( &#hidden::OP ),*];
        #[cfg(test)]
        pub static FORMS: &[&[crate::registry::forms::Form]] = &[#( #hidden::FORMS ),*];
    }
}

/// Gathers the families.
pub fn families(Families(families): &Families) -> TokenStream {
    let modules = modules().map(|path| {
        let module = format_ident!("{path}");
        let doc = match path {
            OPTIONS => "What the forms with keywords take: `sum_with(|o| o.dim(1))`.".to_owned(),
            path => format!("The functions that stand in PyTorch's module `{path}`."),
        };
        quote! {
            #[doc = #doc]
            #[allow(unused_imports)]
            pub mod #module { #( #[doc(inline)] pub use super::super::#families::paths::#module::*; )* }
        }
    });
    quote! {
        /// The functions that panic at the caller's line, by PyTorch's modules.
        pub mod paths { #(#modules)* }
        /// Every operation, by family.
        pub static REGISTRY: &[&[&crate::registry::Op]] = &[#( #families::REGISTRY ),*];
        /// Every form, by family and operation.
        #[cfg(test)]
        pub static FORMS: &[&[&[crate::registry::forms::Form]]] = &[#( #families::FORMS ),*];
    }
}
