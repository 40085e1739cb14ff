//! The macros of flambeau: `derive(Module)` for users, and what makes every form of an operation from its declaration.

mod forward;
mod module;
mod operation;
mod path;

use proc_macro::TokenStream;

/// Makes a struct a module, as subclassing `torch.nn.Module` does: its parameters, buffers and modules are found by their
/// field types, and `Display` prints it as Python's `print(net)` does.
///
/// Plain fields need nothing: a type that is `Clone` holds neither parameters nor layers. A struct of yours that is not, and has
/// no `#[derive(Module)]`, is an error, since layers in it would not be found; `#[module(skip)]` above the field says that it
/// holds none. A type parameter without a bound gets the one that its fields need, `nn::Field`. On the struct, `#[module(extra_repr)]` prints what an inherent `fn extra_repr(&self) -> String` returns between
/// the parentheses, `#[module(extra_state)]` keeps in state dicts what an inherent `fn get_extra_state(&self) -> Tensor` returns, which
/// `fn set_extra_state(&self, state: &Tensor)` gets back, `#[module(type_name)]` takes the printed name from an inherent `fn type_name(&self) -> &'static str`,
/// `#[module(versions)]` what state dicts of older versions lack from inherent `fn version(&self) -> i64` and
/// `fn added_since(&self, version: Option<i64>) -> &'static [&'static str]`, `#[module(deepcopy)]` copies by an inherent
/// `fn deepcopy_in(&self, memo: &mut nn::Memo) -> Self`, and `#[module(right_inverse)]` takes what a parametrization's originals are
/// from an inherent `fn right_inverse(&self, value: &Tensor)`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    module::derive(&input, &path::nn()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a module of several inputs callable: above `impl Net { fn forward(&self, q: &Tensor, mask: Option<&Tensor>) -> Tensor
/// { … } }` it writes `impl Forward<(Tensor, Option<Tensor>)> for Net` from that function, and a `call` with the same arguments,
/// which takes `q` and `&q`, and for an `Option` a bare value, `None`, `&option` and `option.as_ref()`.
///
/// Arguments are tensors, numbers, texts, and options, slices and tuples of them, borrowed as `&Tensor` and `Option<&Tensor>`
/// are, or a type of yours that is `nn::Input`.
#[proc_macro_attribute]
pub fn forward(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::ItemImpl);
    let attribute = proc_macro2::TokenStream::from(attribute);
    forward::expand(&attribute, item, &path::nn()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Declares an operation: a function that returns `Result`, documented and with an example, is all that is written. From it
/// come, all with the same documentation and at the caller's line: the method of `Tensor` (`method`), the functions under
/// `torch`, `functional`, `linalg` and `special`, the same under other names (`alias(clip)`), and its entry of the registry
/// (`cast = Float32`, `not_differentiable`, `fills` where the result may hold whatever was asked for, `default(dim = -1)` for arguments that every form takes). A last argument `place: Place` says where the result goes: such an operation has
/// in-place forms. `forms(sum() = (&[], false), sum_dim(dims: &[i64], keepdim: bool) = (dims, keepdim))` gives several forms
/// of one operation names of their own; the first argument is theirs too, except where a value for it stands first. An argument
/// `options: &ConvOptions` makes two of a form: one without options, and `…_with`, whose closure sets some; a form's argument
/// `options: ConvOptions` makes only the closure's, under the form's name. The values of a form may take the options apart:
/// `(options.weight.as_ref(), options.eps)`.
#[proc_macro_attribute]
pub fn op(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let attribute = syn::parse_macro_input!(attribute as operation::Attribute);
    let item = syn::parse_macro_input!(item as syn::ItemFn);
    operation::expand(attribute, item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The operations of a family, by file: `operations! { unary { neg abs } binary { add } }`. One that is missing here is an
/// unused constant, `OP`, at its name.
#[proc_macro]
pub fn operations(input: TokenStream) -> TokenStream {
    operation::operations(&syn::parse_macro_input!(input as operation::Files)).into()
}

/// The families: `families! { pointwise reduce }`.
#[proc_macro]
pub fn families(input: TokenStream) -> TokenStream {
    operation::families(&syn::parse_macro_input!(input as operation::Families)).into()
}
