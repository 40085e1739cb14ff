//! Names of forms and arguments.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::{Ident, Pat, PatType};

/// The name without `r#`.
pub fn plain(name: &Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

/// The name of the form with options: `conv2d_with`.
pub fn with_name(name: &Ident) -> Ident {
    format_ident!("{}_with", plain(name), span = name.span())
}

/// The in-place form's name: `relu_`, `add_with_`.
pub fn in_place(name: &Ident) -> Ident {
    format_ident!("{}", in_place_text(name), span = name.span())
}

pub fn in_place_text(name: &Ident) -> String {
    format!("{}_", plain(name))
}

pub fn name_of(arg: &PatType) -> Ident {
    match &*arg.pat {
        Pat::Ident(name) => name.ident.clone(),
        _ => format_ident!("argument"),
    }
}

pub fn names(args: &[PatType]) -> Vec<Ident> {
    args.iter().map(name_of).collect()
}

/// Whether an identifier stands among some tokens.
pub fn mentions(tokens: impl ToTokens, name: &Ident) -> bool {
    fn within(tokens: TokenStream, name: &Ident) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => &ident == name,
            TokenTree::Group(group) => within(group.stream(), name),
            _ => false,
        })
    }
    within(tokens.to_token_stream(), name)
}
