//! The form that takes what PyTorch lets one leave out as keywords: `sum_with(|o| o.dim(1).keepdim(true))`. It follows from the
//! defaults that the registry knows; operations that declare options of their own have it already.

use super::arguments::options;
use super::attribute::{Form, text};
use super::emit::Operation;
use super::names::{name_of, plain, with_name};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Expr, Ident, PatType, parse_quote};

/// An argument as a field of the options: its type there, its default, and the operation's argument made of it.
struct Field {
    ty: TokenStream,
    default: TokenStream,
    value: Expr,
}

/// The field for an argument, if its type can be kept.
fn field(arg: &PatType, default: &Expr) -> Option<Field> {
    let name = name_of(arg);
    let ty = text(&arg.ty);
    let own = &arg.ty;
    let option = quote!(::core::option::Option);
    let (field, default, value): (TokenStream, TokenStream, Expr) = match ty.as_str() {
        "f64" | "bool" | "i64" | "i32" | "usize" | "Option<i64>" | "Option<f64>" | "Option<bool>" | "Option<DType>"
        | "Option<Scalar>" => (quote!(#own), quote!(#default), parse_quote!(options.#name)),
        "Scalar" | "impl Into<Scalar>" => {
            let scalar = quote!(::flambeau_tensor::Scalar);
            (scalar.clone(), quote!(#scalar::from(#default)), parse_quote!(options.#name))
        }
        "&[i64]" => {
            let sizes = quote!(crate::ops::Sizes);
            (sizes.clone(), quote!(#sizes::from_slice(#default)), parse_quote!(&options.#name))
        }
        "Option<&[i64]>" => {
            let sizes = quote!(crate::ops::Sizes);
            let kept = quote!((#default as #option<&[i64]>).map(#sizes::from_slice));
            (quote!(#option<#sizes>), kept, parse_quote!(options.#name.as_deref()))
        }
        "&str" => {
            let string = quote!(::std::string::String);
            (string.clone(), quote!(#string::from(#default)), parse_quote!(&options.#name))
        }
        "Option<&str>" => {
            let string = quote!(::std::string::String);
            let kept = quote!((#default as #option<&str>).map(#string::from));
            (quote!(#option<#string>), kept, parse_quote!(options.#name.as_deref()))
        }
        "Option<&Tensor>" if text(default) == "None" => {
            (quote!(#option<crate::Tensor>), quote!(#default), parse_quote!(options.#name.as_ref()))
        }
        "Option<&Generator>" if text(default) == "None" => {
            let generator = quote!(::flambeau_tensor::random::Generator);
            (quote!(#option<#generator>), quote!(#default), parse_quote!(options.#name.as_ref()))
        }
        _ => return None,
    };
    Some(Field { ty: field, default, value })
}

/// The form with keywords, and the struct that holds them.
pub struct Keywords {
    /// The form's name.
    pub name: Ident,
    /// The struct's name.
    pub options: Ident,
    /// The struct.
    pub declared: TokenStream,
    required: Vec<PatType>,
    values: Vec<Expr>,
}

impl Keywords {
    /// The form; `path` leads from where it stands to the struct.
    pub fn form(&self, path: &TokenStream) -> Form {
        let options = &self.options;
        let ty = quote!(#path #options);
        let mut args = self.required.clone();
        args.push(parse_quote!(options: impl ::core::ops::FnOnce(#ty) -> #ty));
        Form { name: self.name.clone(), args, values: self.values.clone() }
    }

    /// What stands before the form's call.
    pub fn lets(&self, path: &TokenStream) -> TokenStream {
        let options = &self.options;
        quote!(let options = options(<#path #options as ::core::default::Default>::default());)
    }

    /// The form's name for a name of the operation: `sum_with`, `uniform_with_`.
    pub fn name_for(name: &Ident) -> Ident {
        match plain(name).strip_suffix('_') {
            Some(base) => format_ident!("{base}_with_", span = name.span()),
            None => with_name(name),
        }
    }
}

impl Operation {
    /// The form with keywords, where the operation has arguments with defaults and no options of its own.
    pub fn keywords(&self, forms: &[Form]) -> Option<Keywords> {
        let own = self.args.iter().chain(forms.iter().flat_map(|f| &f.args)).any(|arg| options(&arg.ty).is_some());
        if self.attribute.creation || own || self.args.is_empty() {
            return None;
        }
        let (mut required, mut values, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for (i, arg) in self.args.iter().enumerate().skip(1) {
            let (name, default) = (name_of(arg), self.default_of(i, forms));
            match (default, default.and_then(|default| field(arg, default))) {
                (Some(default), Some(field)) => {
                    let Field { ty, default: kept, value } = field;
                    let doc = format!("The keyword `{}`; `{}` by default.", plain(&name), text(default));
                    fields.push(quote!(#[doc = #doc] #name: #ty = #kept));
                    values.push(value);
                }
                // What cannot be kept stays as it is by default.
                (Some(default), None) => values.push(default.clone()),
                (None, _) => {
                    required.push(arg.clone());
                    values.push(parse_quote!(#name));
                }
            }
        }
        if fields.is_empty() {
            return None;
        }
        let options = format_ident!("{}Options", camel(&self.plain_name()), span = self.name.span());
        let doc =
            format!("The keywords of `{}`, for its form `{}`.", self.plain_name(), Keywords::name_for(&self.name));
        let declared = quote! {
            crate::options! {
                #[doc = #doc]
                #[derive(Clone, Debug)]
                #options { #(#fields),* }
            }
        };
        Some(Keywords { name: Keywords::name_for(&self.name), options, declared, required, values })
    }
}

/// `log_softmax` as `LogSoftmax`.
fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').filter(|w| !w.is_empty()).map(word).collect()
}
