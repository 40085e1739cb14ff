//! The code that `#[forward]` writes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericArgument, Ident, ImplItem, ItemImpl, Pat, PathArguments, Result, ReturnType, Type};

/// `Forward` and an inherent `call` from an `impl` block with a `forward`; `nn` is the path of flambeau's `nn`.
pub fn expand(attribute: &TokenStream, mut item: ItemImpl, nn: &TokenStream) -> Result<TokenStream> {
    if !attribute.is_empty() {
        return Err(Error::new(attribute.span(), "#[forward] takes no arguments"));
    }
    if item.trait_.is_some() {
        let message = "#[forward] stands above `impl Net { fn forward(…) … }`, without `Forward for`, which it writes";
        return Err(Error::new(item.impl_token.span, message));
    }
    let at = item.items.iter().position(|i| matches!(i, ImplItem::Fn(f) if f.sig.ident == "forward"));
    let Some(ImplItem::Fn(function)) = at.map(|at| item.items.remove(at)) else {
        return Err(Error::new(item.self_ty.span(), "#[forward] needs a `fn forward(&self, …)` in the block"));
    };
    let output: Type = match &function.sig.output {
        ReturnType::Type(_, ty) => (**ty).clone(),
        ReturnType::Default => syn::parse_quote!(()),
    };
    let mut inputs = function.sig.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if is_shared(receiver) => {}
        _ => {
            return Err(Error::new(
                function.sig.span(),
                "`forward` takes `&self`: what it changes is a Mutex or an atomic",
            ));
        }
    }
    let (mut names, mut patterns, mut types, mut lets) = (Vec::new(), Vec::new(), Vec::new(), TokenStream::new());
    for (i, input) in inputs.enumerate() {
        let FnArg::Typed(input) = input else { return Err(Error::new(input.span(), "`self` stands first")) };
        names.push(name(&input.pat, i));
        let (pattern, ty) = match tensors_in_loan(&input.ty) {
            None => ((*input.pat).clone(), (*input.ty).clone()),
            // What is lent is each part by itself, and so handles of them stand together.
            Some(parts) => {
                let (pattern, ty) = (&input.pat, &input.ty);
                let names: Vec<Ident> = (0..parts.len()).map(|j| format_ident!("input{}_{j}", i + 1)).collect();
                lets.extend(quote!(let #pattern: #ty = &(#(#names.shallow_clone(),)*);));
                (syn::parse_quote!((#(#names,)*)), syn::parse_quote!((#(&#parts,)*)))
            }
        };
        patterns.push(pattern);
        types.push(ty);
    }
    if types.is_empty() {
        return Err(Error::new(function.sig.span(), "`forward` needs an input"));
    }
    let owned: Vec<Type> = types.iter().map(owned).collect();
    let bounds = owned.iter().map(|ty| match in_option(ty) {
        Some(inner) => quote!(#nn::OptArg<#inner>),
        None => quote!(#nn::Arg<#ty>),
    });
    let values: Vec<TokenStream> = owned
        .iter()
        .zip(&names)
        .map(|(ty, name)| match in_option(ty) {
            Some(inner) => quote!(#nn::OptArg::<#inner>::opt_arg(&#name)),
            None => quote!(#nn::Arg::<#ty>::arg(&#name)),
        })
        .collect();
    // One input is itself, several are a tuple.
    let (input, value, pattern, borrowed) = match (&owned[..], &values[..], &patterns[..], &types[..]) {
        ([input], [value], [pattern], [borrowed]) => {
            (quote!(#input), quote!(#value), quote!(#pattern), quote!(#borrowed))
        }
        _ => (quote!((#(#owned),*)), quote!((#(#values),*)), quote!((#(#patterns),*)), quote!((#(#types),*))),
    };
    let (generics, _, bounds_where) = item.generics.split_for_impl();
    let (ty, rest, attributes) = (&item.self_ty, &item.items, &function.attrs);
    let mut body = function.block.clone();
    body.stmts.splice(0..0, syn::parse::Parser::parse2(syn::Block::parse_within, lets)?);
    let docs = attributes.iter().filter(|a| a.path().is_ident("doc"));
    let others = &item.attrs;
    Ok(quote! {
        #(#others)*
        impl #generics #ty #bounds_where {
            #(#rest)*

            /// Python's `module(…)`: `forward` between the module's hooks.
            ///
            #(#docs)*
            #[track_caller]
            #[allow(dead_code, clippy::too_many_arguments)]
            pub fn call(&self, #(#names: impl #bounds),*) -> #output {
                #nn::Forward::<#input, #output>::call_ref(self, #value)
            }
        }

        impl #generics #nn::Forward<#input, #output> for #ty #bounds_where {
            #(#attributes)*
            fn forward(&self, #pattern: #borrowed) -> #output #body
        }
    })
}

/// Whether the receiver is `&self`.
fn is_shared(receiver: &syn::Receiver) -> bool {
    quote!(#receiver).to_string().replace(' ', "") == "&self"
}

/// The name of an argument of `call`.
fn name(pattern: &Pat, i: usize) -> Ident {
    match pattern {
        Pat::Ident(pattern) => pattern.ident.clone(),
        _ => format_ident!("input{}", i + 1),
    }
}

/// The parts of `&(Tensor, Tensor)`, the loan of a recurrent layer's state.
fn tensors_in_loan(ty: &Type) -> Option<Vec<&Type>> {
    let Type::Reference(reference) = ty else { return None };
    let Type::Tuple(tuple) = &*reference.elem else { return None };
    let is_tensor =
        |ty: &Type| matches!(ty, Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Tensor"));
    tuple.elems.iter().all(is_tensor).then(|| tuple.elems.iter().collect())
}

/// The type that a borrowed one is borrowed from: `Tensor` of `&Tensor`, `Option<Tensor>` of `Option<&Tensor>`, `Vec<Tensor>` of
/// `&[Tensor]`, `String` of `&str`.
fn owned(ty: &Type) -> Type {
    match ty {
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) => {
                let item = &slice.elem;
                syn::parse_quote!(::std::vec::Vec<#item>)
            }
            Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(::std::string::String),
            inner => inner.clone(),
        },
        Type::Tuple(tuple) => {
            let parts = tuple.elems.iter().map(owned);
            syn::parse_quote!((#(#parts,)*))
        }
        ty => match in_option(ty) {
            Some(inner) => {
                let inner = owned(inner);
                syn::parse_quote!(::std::option::Option<#inner>)
            }
            None => ty.clone(),
        },
    }
}

/// What is in an `Option`.
fn in_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|s| s.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn text(item: ItemImpl) -> String {
        match expand(&TokenStream::new(), item, &quote!(nn)) {
            Ok(tokens) => tokens.to_string().replace(' ', ""),
            Err(error) => format!("error:{error}"),
        }
    }

    #[test]
    fn arguments_are_owned_in_the_signature_and_borrowed_in_forward() {
        let code = text(parse_quote! {
            impl<T: Clone> Attn<T> {
                fn forward(&self, q: &Tensor, (a, b): (&Tensor, f64), mask: Option<&Tensor>) -> Tensor { q }
            }
        });
        let tuple = "(Tensor,(Tensor,f64,),::std::option::Option<Tensor>)";
        assert!(code.contains(&format!("impl<T:Clone>nn::Forward<{tuple},Tensor>forAttn<T>")), "{code}");
        assert!(code.contains("(q,(a,b),mask):(&Tensor,(&Tensor,f64),Option<&Tensor>)"), "{code}");
        assert!(
            code.contains("q:implnn::Arg<Tensor>,input2:implnn::Arg<(Tensor,f64,)>,mask:implnn::OptArg<Tensor>"),
            "{code}"
        );
        let code = text(parse_quote! {
            impl Net { fn forward(&self, x: &Tensor, state: &(Tensor, Tensor)) -> Tensor { x } }
        });
        assert!(code.contains("state:implnn::Arg<(Tensor,Tensor,)>"), "{code}");
        let lent = "letstate:&(Tensor,Tensor)=&(input2_0.shallow_clone(),input2_1.shallow_clone(),);x";
        assert!(
            code.contains("(x,(input2_0,input2_1,)):(&Tensor,(&Tensor,&Tensor,))") && code.contains(lent),
            "{code}"
        );
        let code = text(parse_quote! { impl Net { fn forward(&self, xs: &[Tensor]) -> Tensor { xs } } });
        assert!(code.contains("nn::Forward<::std::vec::Vec<Tensor>,Tensor>forNet"), "{code}");
    }

    #[test]
    fn what_cannot_be_a_forward_says_why() {
        let wrong = text(parse_quote! { impl Forward for Net { fn forward(&self, x: &Tensor) -> Tensor { x } } });
        assert!(wrong.starts_with("error:#[forward] stands above `impl Net"), "{wrong}");
        let wrong = text(parse_quote! { impl Net { fn call(&self) {} } });
        assert_eq!(wrong, "error:#[forward] needs a `fn forward(&self, …)` in the block");
        let wrong = text(parse_quote! { impl Net { fn forward(&mut self, x: &Tensor) {} } });
        assert_eq!(wrong, "error:`forward` takes `&self`: what it changes is a Mutex or an atomic");
        assert_eq!(text(parse_quote! { impl Net { fn forward(&self) {} } }), "error:`forward` needs an input");
    }
}
