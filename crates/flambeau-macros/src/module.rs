//! The code that `derive(Module)` writes.

mod bounds;
mod found;

use found::Found;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, Index, Member, Result, Type};

/// What `#[module(…)]` on the struct asks for.
#[derive(Default)]
struct Options {
    extra_repr: bool,
    extra_state: bool,
    type_name: bool,
    versions: bool,
    deepcopy: bool,
}

/// A field: its name in Rust, the name that state dicts and prints give it, its type, and whether it is skipped.
struct ModuleField<'a> {
    member: Member,
    name: String,
    ty: &'a Type,
    skipped: bool,
}

/// Writes `Module` and `Display` for a struct; `nn` is the path of flambeau's `nn`.
///
/// What is wrong with types is told by the types' check, not by `compile_error!`: after that the compiler tells no unresolved name
/// of the whole crate. There the code is complete, so that no use of the module is another error.
pub fn derive(input: &DeriveInput, nn: &TokenStream) -> Result<TokenStream> {
    let options = struct_options(&input.attrs)?;
    let (fields, is_struct) = match &input.data {
        Data::Struct(data) => (fields(&data.fields)?, true),
        Data::Enum(_) | Data::Union(_) => (Vec::new(), false),
    };
    // How a field is treated is chosen by its type: see `nn::access`.
    let each = |write: fn(&TokenStream, &Member, &str, TokenStream) -> TokenStream| {
        let registered = fields.iter().filter(|f| !f.skipped && !Found::in_type(f.ty).functions);
        let written = registered.map(|ModuleField { member, name, ty, .. }| {
            let access = quote_spanned!(ty.span()=> (&&&&&#nn::access::Probe::<#ty>::new()).access());
            write(nn, member, name, access)
        });
        written.collect::<TokenStream>()
    };
    let collect = each(
        |_, member, name, access| quote!((#access.collect)(&self.#member, ::std::borrow::Cow::Borrowed(#name), &mut members);),
    );
    let collect_mut = each(
        |_, member, name, access| quote!((#access.collect_mut)(&mut self.#member, ::std::borrow::Cow::Borrowed(#name), &mut slots);),
    );
    let state = each(|_, member, _, access| quote!(.or_else(|| (#access.state)(&self.#member))));
    let carriers = each(|_, member, _, access| quote!((#access.carriers)(&self.#member, depth, visit)?;));
    let copies = fields.iter().map(|ModuleField { member, name, ty, skipped }| {
        let copy = if *skipped || Found::in_type(ty).functions {
            quote_spanned!(ty.span()=> (&&&#nn::access::Skipped::<#ty>::new()).copy(&self.#member, memo, #name))
        } else {
            quote_spanned!(ty.span()=> ((&&&&&#nn::access::Probe::<#ty>::new()).access().copy)(&self.#member, memo))
        };
        quote!(#member: #copy)
    });
    let copy = match () {
        () if options.deepcopy => quote!(Self::deepcopy_in(self, memo)),
        () if is_struct => quote!(Self { #(#copies),* }),
        () => quote!(::std::unreachable!()),
    };
    let ident = &input.ident;
    let mut bounded = input.generics.clone();
    bounds::add(&mut bounded, &fields, nn);
    let (generics, arguments, bounds) = bounded.split_for_impl();
    let mut wrong = TokenStream::new();
    if !is_struct {
        wrong.extend(quote_spanned!(ident.span()=> #nn::access::only_structs::<#ident #arguments>();));
    }
    let mut one_thread = false;
    for ModuleField { ty, skipped, .. } in &fields {
        let found = Found::in_type(ty);
        one_thread |= found.one_thread;
        wrong.extend(match (found.functions, skipped) {
            (true, false) => quote_spanned!(ty.span()=> #nn::access::needs_skip::<#ty>();),
            (true, true) if found.one_thread => quote_spanned!(ty.span()=> #nn::access::needs_threads::<#ty>();),
            _ => TokenStream::new(),
        });
        // A list of `Arc`s is `Clone` whatever they point to, so each is looked at by itself.
        for arc in found.arcs.iter().filter(|_| !skipped) {
            let span = arc.span();
            wrong.extend(quote_spanned!(span=> let _ = (&&&&&#nn::access::Probe::<#arc>::new()).access();));
        }
    }
    // Never called: types are looked at in it.
    let checks = if wrong.is_empty() { TokenStream::new() } else { quote!(let _ = || { #wrong };) };
    // Such a module does not compile; this leaves one error of it, instead of one for each marker trait too.
    let threads = one_thread.then(|| {
        quote! {
            #[allow(unsafe_code)]
            unsafe impl #generics ::std::marker::Send for #ident #arguments #bounds {}
            #[allow(unsafe_code)]
            unsafe impl #generics ::std::marker::Sync for #ident #arguments #bounds {}
        }
    });
    let name = ident.unraw().to_string();
    let type_name = if options.type_name { quote!(Self::type_name(self)) } else { quote!(#name) };
    let extra_repr = options.extra_repr.then(|| {
        quote! {
            fn extra_repr(&self) -> ::std::string::String {
                Self::extra_repr(self)
            }
        }
    });
    let extra_state = options.extra_state.then(|| {
        quote! {
            fn get_extra_state(&self) -> ::std::option::Option<#nn::access::Tensor> {
                ::std::option::Option::Some(Self::get_extra_state(self))
            }
            fn set_extra_state(&self, state: &#nn::access::Tensor) {
                Self::set_extra_state(self, state);
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
    Ok(quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #nn::access::{
                SkippedClone as _, SkippedField as _, SkippedOther as _, ViaClone as _, ViaField as _, ViaNone as _,
                ViaShared as _, ViaSharedPlain as _,
            };
            #[automatically_derived]
            #[allow(clippy::clone_on_copy, clippy::needless_borrow, unused_variables, unused_mut)]
            impl #generics #nn::Module for #ident #arguments #bounds {
                fn as_module(&self) -> &dyn #nn::Module {
                    self
                }
                fn as_module_mut(&mut self) -> &mut dyn #nn::Module {
                    self
                }
                fn type_name(&self) -> &'static str {
                    #type_name
                }
                fn members(&self) -> #nn::Members<'_> {
                    #checks
                    let mut members = #nn::Members::default();
                    #collect
                    members
                }
                fn slots(&mut self) -> #nn::Slots<'_> {
                    let mut slots = #nn::Slots::new();
                    #collect_mut
                    slots
                }
                fn state(&self) -> ::std::option::Option<&#nn::ModuleState> {
                    ::std::option::Option::None #state
                }
                fn carriers(&self, depth: u32, visit: &mut #nn::Visit<'_>) -> ::std::ops::ControlFlow<()> {
                    #carriers
                    ::std::ops::ControlFlow::Continue(())
                }
                #[track_caller]
                fn deepcopy_in(&self, memo: &mut #nn::Memo) -> Self {
                    #copy
                }
                #extra_repr
                #extra_state
                #versions
            }
            #threads
            #[automatically_derived]
            impl #generics ::std::fmt::Display for #ident #arguments #bounds {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    f.write_str(&#nn::Module::repr(self))
                }
            }
        };
    })
}

fn fields(fields: &Fields) -> Result<Vec<ModuleField<'_>>> {
    let mut out = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let (member, name) = match &field.ident {
            Some(ident) => (Member::Named(ident.clone()), ident.unraw().to_string()),
            None => (Member::Unnamed(Index::from(i)), i.to_string()),
        };
        out.push(ModuleField { member, name, ty: &field.ty, skipped: skips(&field.attrs)? });
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
                Some("extra_state") => options.extra_state = true,
                Some("type_name") => options.type_name = true,
                Some("versions") => options.versions = true,
                Some("deepcopy") => options.deepcopy = true,
                _ => {
                    return Err(
                        meta.error("a struct knows #[module(extra_repr, extra_state, type_name, versions, deepcopy)]")
                    );
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
        let probe = |ty: &str| format!("((&&&&&::torch::nn::access::Probe::<{ty}>::new()).access().");
        assert!(
            code.contains(&format!("{}collect)(&self.fc1,::std::borrow::Cow::Borrowed(\"fc1\"),", probe("Linear"))),
            "{code}"
        );
        assert!(code.contains("Borrowed(\"type\")") && code.contains(&probe("T")), "{code}");
        assert!(!code.contains(&probe("Cache")) && code.contains("Skipped::<Cache>"), "{code}");
        assert!(code.contains("impl<T:Clone>::torch::nn::ModuleforNet<T>"), "{code}");
        assert!(!code.contains("extra_repr"), "{code}");
        let code = text(&parse_quote! { struct Pair(Linear, Linear); });
        assert!(code.contains("&self.1,::std::borrow::Cow::Borrowed(\"1\")"), "{code}");
    }

    #[test]
    fn what_cannot_be_derived_says_why() {
        let code = text(&parse_quote! { enum Net { A } });
        assert!(
            code.contains("::torch::nn::access::only_structs::<Net>()") && !code.contains("compile_error"),
            "{code}"
        );
        let wrong = text(&parse_quote! { struct Net { #[module(ignore)] a: u8 } });
        assert_eq!(wrong, "error:a field knows only #[module(skip)]");
        let wrong = text(&parse_quote! { #[module(repr)] struct Net; });
        assert_eq!(wrong, "error:a struct knows #[module(extra_repr, extra_state, type_name, versions, deepcopy)]");
    }
}
