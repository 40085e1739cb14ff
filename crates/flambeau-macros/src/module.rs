//! The code that `derive(Module)` writes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Index, Member, Result};

/// What `#[module(…)]` on the struct asks for.
#[derive(Default)]
struct Options {
    extra_repr: bool,
    type_name: bool,
    versions: bool,
}

/// Writes `Module` and `Display` for a struct; `nn` is the path of flambeau's `nn`.
pub fn derive(input: &DeriveInput, nn: &TokenStream) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "Module can be derived for structs only"));
    };
    let options = struct_options(&input.attrs)?;
    let fields = registered(&data.fields)?;
    let collect = fields.iter().map(|(member, name, span)| {
        quote_spanned!(*span=> #nn::Field::collect(&self.#member, ::std::borrow::Cow::Borrowed(#name), &mut members);)
    });
    let state =
        fields.iter().map(|(member, _, span)| quote_spanned!(*span=> .or_else(|| #nn::Field::state(&self.#member))));
    let ident = &input.ident;
    let name = ident.unraw().to_string();
    let type_name = if options.type_name { quote!(Self::type_name(self)) } else { quote!(#name) };
    let extra_repr = options.extra_repr.then(|| {
        quote! {
            fn extra_repr(&self) -> ::std::string::String {
                Self::extra_repr(self)
            }
        }
    });
    let versions = options.versions.then(|| {
        quote! {
            fn version(&self) -> i64 {
                Self::version(self)
            }
            fn added_since(&self, version: ::std::option::Option<i64>) -> &'static [&'static str] {
                Self::added_since(self, version)
            }
        }
    });
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #nn::Module for #ident #arguments #bounds {
            fn as_module(&self) -> &dyn #nn::Module {
                self
            }
            fn type_name(&self) -> &'static str {
                #type_name
            }
            #[allow(unused_mut)]
            fn members(&self) -> #nn::Members<'_> {
                let mut members = #nn::Members::default();
                #(#collect)*
                members
            }
            fn state(&self) -> ::std::option::Option<&#nn::ModuleState> {
                ::std::option::Option::None #(#state)*
            }
            #extra_repr
            #versions
        }
        #[automatically_derived]
        impl #generics ::std::fmt::Display for #ident #arguments #bounds {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&#nn::Module::repr(self))
            }
        }
    })
}

/// The fields without `#[module(skip)]`: each with the name that state dicts and prints give it, and where its type stands.
fn registered(fields: &Fields) -> Result<Vec<(Member, String, proc_macro2::Span)>> {
    let mut out = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        if skips(&field.attrs)? {
            continue;
        }
        let (member, name) = match &field.ident {
            Some(ident) => (Member::Named(ident.clone()), ident.unraw().to_string()),
            None => (Member::Unnamed(Index::from(i)), i.to_string()),
        };
        out.push((member, name, field.ty.span()));
    }
    Ok(out)
}

fn skips(attributes: &[Attribute]) -> Result<bool> {
    let mut skip = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            skip |= meta.path.is_ident("skip");
            if meta.path.is_ident("skip") { Ok(()) } else { Err(meta.error("a field knows only #[module(skip)]")) }
        })?;
    }
    Ok(skip)
}

fn struct_options(attributes: &[Attribute]) -> Result<Options> {
    let mut options = Options::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            match meta.path.get_ident().map(ToString::to_string).as_deref() {
                Some("extra_repr") => options.extra_repr = true,
                Some("type_name") => options.type_name = true,
                Some("versions") => options.versions = true,
                _ => {
                    return Err(meta
                        .error("a struct knows #[module(extra_repr)], #[module(type_name)] and #[module(versions)]"));
                }
            }
            Ok(())
        })?;
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn text(input: &DeriveInput) -> String {
        match derive(input, &quote!(::torch::nn)) {
            Ok(tokens) => tokens.to_string().replace(' ', ""),
            Err(error) => format!("error:{error}"),
        }
    }

    #[test]
    fn every_field_is_registered_under_its_name_unless_it_is_skipped() {
        let code = text(&parse_quote! {
            struct Net<T: Clone> { fc1: Linear, #[module(skip)] cache: Cache, r#type: T }
        });
        assert!(code.contains("Field::collect(&self.fc1,::std::borrow::Cow::Borrowed(\"fc1\"),&mutmembers)"), "{code}");
        assert!(code.contains("Borrowed(\"type\")"), "{code}");
        assert!(!code.contains("cache"), "{code}");
        assert!(code.contains("impl<T:Clone>::torch::nn::ModuleforNet<T>"), "{code}");
        assert!(!code.contains("extra_repr"), "{code}");
        let code = text(&parse_quote! { struct Pair(Linear, Linear); });
        assert!(code.contains("&self.1,::std::borrow::Cow::Borrowed(\"1\")"), "{code}");
    }

    #[test]
    fn what_cannot_be_derived_says_why() {
        assert_eq!(text(&parse_quote! { enum Net { A } }), "error:Module can be derived for structs only");
        let wrong = text(&parse_quote! { struct Net { #[module(ignore)] a: u8 } });
        assert_eq!(wrong, "error:a field knows only #[module(skip)]");
        let wrong = text(&parse_quote! { #[module(repr)] struct Net; });
        assert_eq!(wrong, "error:a struct knows #[module(extra_repr)], #[module(type_name)] and #[module(versions)]");
    }
}
