//! The registry's entry of an operation, and its call by data.

use super::arguments::options;
use super::attribute::{Form, text};
use super::emit::Operation;
use super::keywords::Keywords;
use super::names::{in_place, mentions, name_of, names, plain, with_name};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, Ident, Type};

impl Operation {
    /// PyTorch's default of the argument at a position: what the attribute says, or what a form that leaves it out passes.
    pub fn default_of<'a>(&'a self, position: usize, forms: &'a [Form]) -> Option<&'a Expr> {
        let name = name_of(&self.args[position]);
        let said = self.attribute.defaults.iter().find(|(of, _)| *of == name).map(|(_, value)| value);
        said.or_else(|| {
            forms.iter().find_map(|form| {
                // A form may give the first argument a value too.
                let value = &form.values[(position + form.values.len()).checked_sub(self.args.len())?];
                let given = form.args.iter().any(|arg| mentions(value, &name_of(arg)));
                (!given).then_some(value)
            })
        })
    }

    /// The registry's entry.
    pub fn entry(&self, forms: &[Form], keywords: Option<&Keywords>) -> TokenStream {
        let (name, span) = (self.plain_name(), self.name.span());
        let call = self.call(&self.name, forms);
        let call_in_place = match self.place {
            Some(_) => self.call(&in_place(&self.name), forms),
            None => quote!(::core::option::Option::None),
        };
        let args = self.args.iter().enumerate().map(|(i, arg)| {
            let name = if i == 0 { self.first_name(arg) } else { plain(&name_of(arg)) };
            let ty = text(&arg.ty);
            let of_options = || options(&arg.ty).map(|o| format!("&{}::default()", text(&o.path)));
            let default = match self.default_of(i, forms).map(text).or_else(of_options) {
                Some(default) => quote!(::core::option::Option::Some(#default)),
                None => quote!(::core::option::Option::None),
            };
            quote!(crate::registry::Arg { name: #name, ty: #ty, default: #default })
        });
        let paths = self.attribute.paths.iter().map(plain);
        let aliases = self.attribute.aliases.iter().map(plain);
        let forms = forms.iter().flat_map(|form| {
            let with = self.optional(form).then(|| plain(&with_name(&form.name)));
            std::iter::once(plain(&form.name)).chain(with)
        });
        let forms = forms.chain(keywords.map(|k| plain(&k.name)));
        let in_place = self.place.is_some();
        let (method, differentiable) = (self.attribute.method, !self.attribute.not_differentiable);
        let fills = self.attribute.fills;
        let casts = self.casts();
        // `pub(crate)`: an operation that no list names is an unused constant, at its name.
        let op = Ident::new("OP", span);
        quote! {
            pub(crate) const #op: crate::registry::Op = crate::registry::Op {
                name: #name,
                module: ::core::module_path!(),
                args: &[#(#args),*],
                paths: &[#(#paths),*],
                method: #method,
                forms: &[#(#forms),*],
                aliases: &[#(#aliases),*],
                in_place: #in_place,
                differentiable: #differentiable,
                fills: #fills,
                cast: #casts,
                call: #call,
                call_in_place: #call_in_place,
            };
        }
    }

    /// What autocast does with the operation.
    pub fn casts(&self) -> TokenStream {
        let [cpu, gpu] = self.attribute.cast.each_ref().map(|cast| match cast {
            Some(cast) => quote!(crate::registry::Cast::#cast),
            None => quote!(crate::registry::Cast::None),
        });
        quote!(crate::registry::Casts { cpu: #cpu, gpu: #gpu })
    }

    /// A function that calls the operation `target` with arguments that are data, if all of them can be.
    fn call(&self, target: &Ident, forms: &[Form]) -> TokenStream {
        let mut lets = TokenStream::new();
        let op = self.plain_name();
        for (i, arg) in self.args.iter().enumerate() {
            let (name, ty) = (name_of(arg), &arg.ty);
            let shown = if i == 0 { self.first_name(arg) } else { plain(&name) };
            let default = self.default_of(i, forms);
            let Some(kind) = data(ty) else {
                // What data cannot say stays as it is by default.
                match (default.filter(|_| !matches!(&**ty, Type::ImplTrait(_))), options(ty)) {
                    (Some(default), _) => lets.extend(quote!(let #name: #ty = #default;)),
                    (None, Some(options)) => {
                        let path = options.path;
                        lets.extend(quote!(let #name = &<#path>::default();));
                    }
                    (None, None) => return quote!(::core::option::Option::None),
                }
                continue;
            };
            let absent = match default {
                Some(default) => quote!(#default),
                None if text(ty).starts_with("Option<") => quote!(::core::option::Option::None),
                None => quote!(return ::core::result::Result::Err(crate::registry::missing(#op, #shown))),
            };
            // A default is written as one writes the argument.
            let converted = default.map_or_else(|| absent.clone(), |value| quote!(::core::convert::Into::into(#value)));
            // Python's `*tensors` gives a list that is the only argument one by one.
            let get = match self.args.len() == 1 && text(ty) == "&[T]" {
                true => quote!(crate::registry::tensors(arguments, #shown)?),
                false => quote!(crate::registry::argument(arguments, #i, #shown)?),
            };
            lets.extend(match kind {
                Data::Plain => quote! {
                    let #name: #ty = match #get { ::core::option::Option::Some(value) => value, ::core::option::Option::None => #absent };
                },
                Data::Converted(kind) => quote! {
                    let #name: #kind = match #get { ::core::option::Option::Some(value) => value, ::core::option::Option::None => #converted };
                },
                Data::List(kind) => quote! {
                    let list: ::core::option::Option<::std::vec::Vec<#kind>> = #get;
                    let #name: &[#kind] = match &list { ::core::option::Option::Some(list) => list, ::core::option::Option::None => #absent };
                },
            });
        }
        let outputs = match text(&self.output).as_str() {
            "Tensor" => quote!(::std::vec![out]),
            "(Tensor, Tensor)" => quote!(::std::vec![out.0, out.1]),
            "Vec<Tensor>" => quote!(out),
            _ => return quote!(::core::option::Option::None),
        };
        let names = names(&self.args);
        quote! {{
            #[track_caller]
            fn call(arguments: &dyn crate::registry::Arguments) -> crate::Result<::std::vec::Vec<crate::Tensor>> {
                let _ = arguments;
                #lets
                let out = super::#target(#(#names),*)?;
                ::core::result::Result::Ok(#outputs)
            }
            ::core::option::Option::Some(call)
        }}
    }
}

/// How an argument is made of data.
enum Data {
    /// By its own type.
    Plain,
    /// By the type that converts into what the operation takes.
    Converted(TokenStream),
    /// A slice of a list of these.
    List(TokenStream),
}

/// How an argument of a type is made of data, if it can be.
fn data(ty: &Type) -> Option<Data> {
    const PLAIN: [&str; 9] = ["&Tensor", "Scalar", "f64", "bool", "i64", "usize", "i32", "DType", "&str"];
    let text = text(ty);
    let inner = text.strip_prefix("Option<").and_then(|t| t.strip_suffix('>'));
    Some(match text.as_str() {
        t if PLAIN.contains(&inner.unwrap_or(t)) => Data::Plain,
        "Operand<'_>" => Data::Plain,
        t if t.starts_with("impl Into<Operand<") => Data::Converted(quote!(crate::ops::Operand<'_>)),
        "impl Into<Scalar>" => Data::Converted(quote!(::flambeau_tensor::Scalar)),
        "impl IntoSplit" => Data::Converted(quote!(i64)),
        "&[i64]" => Data::List(quote!(i64)),
        "&[T]" => Data::List(quote!(&crate::Tensor)),
        _ => return None,
    })
}
