//! `derive(Module)` for flambeau.

mod module;
mod path;

use proc_macro::TokenStream;

/// Makes a struct a module, as subclassing `torch.nn.Module` does: its parameters, buffers and modules are found by their
/// field types, and `Display` prints it as Python's `print(net)` does.
///
/// Fields of types that `nn::Field` does not know (neither modules, parameters, buffers nor plain data) need
/// `#[module(skip)]`. On the struct, `#[module(extra_repr)]` prints what an inherent `fn extra_repr(&self) -> String`
/// returns between the parentheses, and `#[module(type_name)]` takes the printed name from an inherent
/// `fn type_name(&self) -> &'static str`, and `#[module(versions)]` what state dicts of older versions lack from inherent
/// `fn version(&self) -> i64` and `fn added_since(&self, version: Option<i64>) -> &'static [&'static str]`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    module::derive(&input, &path::nn()).unwrap_or_else(syn::Error::into_compile_error).into()
}
