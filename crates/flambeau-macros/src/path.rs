//! Where the deriving crate sees flambeau's `nn`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The path of `nn`: the facade's under whatever name the user gave it, else flambeau-nn itself.
pub fn nn() -> TokenStream {
    let crate_path = |name: &str| {
        let ident = Ident::new(name, Span::call_site());
        quote!(::#ident)
    };
    let own = crate_name("flambeau-nn").ok();
    match (&own, crate_name("flambeau").ok()) {
        // Doctests and integration tests of a crate report `Itself` too, and `crate` is not the crate there; so both
        // crates name themselves with `extern crate self as …`.
        (Some(FoundCrate::Itself), _) => crate_path("flambeau_nn"),
        (_, Some(facade)) => {
            // The package `flambeau` brings a library called `torch`; a renamed dependency has the user's name.
            let root = crate_path(match &facade {
                FoundCrate::Name(name) if name != "flambeau" => name,
                _ => "torch",
            });
            quote!(#root::nn)
        }
        (Some(FoundCrate::Name(name)), None) => crate_path(name),
        (None, None) => crate_path("flambeau_nn"),
    }
}
