//! The forms of one operation.

use super::arguments::{Options, options, public};
use super::attribute::{Attribute, Form, PATHS, text};
use super::callers;
use super::keywords::Keywords;
use super::names::{in_place, in_place_text, mentions, name_of, names, plain, with_name};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute as Meta, Block, FnArg, GenericArgument, GenericParam, Generics, Ident, ItemFn, PatType, PathArguments,
    Result, ReturnType, Type, parse_quote,
};

/// The declaration, taken apart.
pub struct Operation {
    pub attribute: Attribute,
    pub name: Ident,
    /// Its documentation.
    docs: Vec<Meta>,
    /// Other attributes of the function.
    metas: Vec<Meta>,
    generics: Generics,
    /// The arguments, without `place`.
    pub args: Vec<PatType>,
    /// The argument that says where the result goes: the operation has an in-place form.
    pub place: Option<PatType>,
    /// The type within the `Result`.
    pub output: Type,
    result: ReturnType,
    body: Block,
}

/// Panicking forms, and what a test calls of them.
#[derive(Default)]
struct Emitted {
    forms: TokenStream,
    calls: TokenStream,
}

/// Everything that follows from `#[op(attribute)] item`.
pub fn expand(attribute: Attribute, item: ItemFn) -> Result<TokenStream> {
    let op = Operation::new(attribute, item)?;
    let declared = op.declared();
    let forms = op.forms()?;
    let keywords = op.keywords(&forms);
    let keywords = keywords.as_ref();
    let methods = if op.attribute.method { op.methods(&forms, keywords)? } else { Emitted::default() };
    let (method_forms, hidden) = (&methods.forms, op.hidden(&forms, keywords, &methods.calls)?);
    Ok(quote! { #declared #method_forms #hidden })
}

impl Operation {
    fn new(attribute: Attribute, item: ItemFn) -> Result<Self> {
        let (docs, metas): (Vec<_>, Vec<_>) = item.attrs.into_iter().partition(|a| a.path().is_ident("doc"));
        let mut args = Vec::new();
        for arg in item.sig.inputs {
            match arg {
                FnArg::Typed(arg) => args.push(arg),
                FnArg::Receiver(receiver) => {
                    return Err(syn::Error::new_spanned(receiver, "an operation is a function"));
                }
            }
        }
        let place = args.pop_if(|arg| text(&arg.ty) == "Place");
        let output = within_result(&item.sig.output)?;
        let (name, generics, result) = (item.sig.ident, item.sig.generics, item.sig.output);
        if attribute.method && args.is_empty() {
            return Err(syn::Error::new(name.span(), "a method needs a first argument"));
        }
        Ok(Operation { attribute, name, docs, metas, generics, args, place, output, result, body: *item.block })
    }

    pub fn plain_name(&self) -> String {
        plain(&self.name)
    }

    /// The function as it was written, and with `place` the two that it stands for.
    fn declared(&self) -> TokenStream {
        let Operation { name, docs, metas, args, result, body, .. } = self;
        let (generics, _, bounds) = self.generics.split_for_impl();
        let span = name.span();
        let shown = self.plain_name();
        let Some(place) = &self.place else {
            let inner = format_ident!("unwatched_{shown}", span = span);
            let call = self.called(name, quote!(#(#docs)*), &shown, &inner, None);
            return quote! {
                #call

                #(#metas)*
                #[track_caller]
                #[inline]
                #[allow(clippy::too_many_arguments)]
                fn #inner #generics (#(#args),*) #result #bounds #body
            };
        };
        let (at, in_place) = (format_ident!("{}_at", self.plain_name(), span = span), in_place(name));
        let doc = format!("[`{}`] in place: its first argument gets the result.", self.plain_name());
        let new = self.called(name, quote!(#(#docs)*), &shown, &at, Some(quote!(crate::ops::Place::New)));
        let first = quote!(crate::ops::Place::First);
        let first = self.called(&in_place, quote!(#[doc = #doc]), &format!("{shown}_"), &at, Some(first));
        quote! {
            #new

            #first

            #(#metas)*
            #[track_caller]
            #[inline]
            fn #at #generics (#(#args,)* #place) #result #bounds #body
        }
    }

    /// The function `name`, which calls `inner`, where modes are on through the boundary where they stand. That is a function of
    /// its own, so that a call without modes has none of its work.
    fn called(
        &self,
        name: &Ident,
        docs: TokenStream,
        shown: &str,
        inner: &Ident,
        place: Option<TokenStream>,
    ) -> TokenStream {
        let Operation { args, result, .. } = self;
        let (generics, _, bounds) = self.generics.split_for_impl();
        let watched = format_ident!("watched_{shown}", span = name.span());
        let names = names(args);
        let inputs = self.inputs();
        let lets = args.iter().filter(|arg| is_operand(&arg.ty)).map(|arg| {
            let name = name_of(arg);
            quote!(let #name: crate::ops::Operand<'_> = #name.into();)
        });
        let in_place = place.as_ref().is_some_and(|place| text(place).ends_with("First"));
        let casts = self.cast_inputs(&inputs, in_place);
        let fills = self.attribute.fills;
        quote! {
            #docs
            #[track_caller]
            #[allow(clippy::too_many_arguments)]
            pub fn #name #generics (#(#args),*) #result #bounds {
                if crate::mode::watched() {
                    return #watched(#(#names),*);
                }
                #inner(#(#names,)* #place)
            }

            #[cold]
            #[inline(never)]
            #[track_caller]
            #[allow(clippy::too_many_arguments, clippy::needless_lifetimes)]
            fn #watched #generics (#(#args),*) #result #bounds {
                #(#lets)*
                // Inputs are looked at before the call takes them over.
                let looks = crate::mode::look(#shown, #fills, &[#inputs])?;
                #casts
                let watched = crate::mode::begin(#shown, looks);
                watched.end(#inner(#(#names,)* #place))
            }
        }
    }

    /// The arguments that may hold tensors.
    fn inputs(&self) -> TokenStream {
        let mut inputs = TokenStream::new();
        for arg in &self.args {
            let name = name_of(arg);
            match text(&arg.ty).as_str() {
                "&Tensor" | "Option<&Tensor>" => inputs.extend(quote!(&#name,)),
                "&[T]" => inputs.extend(quote!(&crate::mode::List(#name),)),
                _ if is_operand(&arg.ty) => inputs.extend(quote!(&#name,)),
                _ => {}
            }
        }
        inputs
    }

    /// What autocast does with the arguments before the call.
    fn cast_inputs(&self, inputs: &TokenStream, in_place: bool) -> TokenStream {
        if self.attribute.cast.iter().all(Option::is_none) {
            return TokenStream::new();
        }
        if in_place {
            return quote!(let _casting = crate::mode::Casting::opaque(&[#inputs]););
        }
        let casts = self.casts();
        let mut lets = quote!(let casting = crate::mode::Casting::begin(#casts, &[#inputs])?;);
        let takes_dtype = self.args.iter().any(|arg| name_of(arg) == "dtype" && text(&arg.ty) == "Option<DType>");
        let mut is_first = !takes_dtype;
        for arg in &self.args {
            let (name, held) = (name_of(arg), format_ident!("held_{}", plain(&name_of(arg))));
            lets.extend(match text(&arg.ty).as_str() {
                "&Tensor" if std::mem::take(&mut is_first) => {
                    quote!(let #held = casting.first(#name)?; let #name: &crate::Tensor = &#held;)
                }
                "&Tensor" => quote!(let #held = casting.tensor(#name)?; let #name: &crate::Tensor = &#held;),
                "Option<&Tensor>" => quote!(let #held = casting.option(#name)?; let #name = #held.as_deref();),
                "&[T]" => quote!(let #held = casting.list(#name)?; let #name = &#held[..];),
                "Option<DType>" if name == "dtype" => quote!(let #name = casting.dtype(#name);),
                _ if is_operand(&arg.ty) => quote!(let #name = casting.operand(#name)?;),
                _ => TokenStream::new(),
            });
        }
        lets
    }

    /// The forms that the attribute lists; without a list, the one that takes what has no default, or with `positional` all.
    fn forms(&self) -> Result<Vec<Form>> {
        let rest = self.args.get(1..).unwrap_or_default();
        if !self.attribute.forms.is_empty() {
            let forms = self.attribute.forms.iter().map(|form| {
                if form.values.len() != rest.len() && (self.attribute.method || !self.is_whole(form)) {
                    let text = format!("{} values are needed: the arguments after the first", rest.len());
                    return Err(syn::Error::new(form.name.span(), text));
                }
                Ok(form.clone())
            });
            return forms.collect();
        }
        let default = |arg: &PatType| match self.attribute.positional {
            true => None,
            false => self.attribute.defaults.iter().find(|(of, _)| *of == name_of(arg)).map(|(_, value)| value.clone()),
        };
        let values = rest.iter().map(|arg| {
            default(arg).unwrap_or_else(|| {
                let name = name_of(arg);
                parse_quote!(#name)
            })
        });
        let args = rest.iter().filter(|arg| default(arg).is_none()).cloned().collect();
        Ok(vec![Form { name: self.name.clone(), args, values: values.collect() }])
    }

    /// The methods of `Tensor`.
    fn methods(&self, forms: &[Form], keywords: Option<&Keywords>) -> Result<Emitted> {
        let mut methods = Emitted::default();
        let first = &self.args[0];
        if text(&first.ty) != "&Tensor" {
            return Err(syn::Error::new_spanned(first, "a method's first argument is a `&Tensor`"));
        }
        for form in forms {
            self.form(form, Some(quote!(&self)), quote!(self), &mut methods);
        }
        if let Some(keywords) = keywords {
            let hidden = self.hidden_name();
            self.keyword_form(keywords, &quote!(self::#hidden::), Some(quote!(&self)), quote!(self), &mut methods);
        }
        let Emitted { forms, calls } = methods;
        Ok(Emitted { forms: quote! { impl crate::Tensor { #forms } }, calls })
    }

    /// The module that the lists gather: functions by path, and the registry's entry.
    fn hidden(
        &self,
        forms: &[Form],
        keywords: Option<&Keywords>,
        calls_of_methods: &TokenStream,
    ) -> Result<TokenStream> {
        let hidden = self.hidden_name();
        let mut functions = Emitted::default();
        let mut shown = Vec::new();
        if !self.attribute.paths.is_empty() {
            for form in forms {
                let (receiver, value) = match self.is_whole(form) {
                    true => (None, TokenStream::new()),
                    false => self.receiver(),
                };
                self.form(form, receiver, value, &mut functions);
                shown.extend(self.names_of(form));
            }
            if let Some(keywords) = keywords {
                let (receiver, value) = self.receiver();
                self.keyword_form(keywords, &quote!(super::), receiver, value, &mut functions);
                for (name, in_place_name) in self.keyword_names() {
                    shown.push(name);
                    shown.extend(in_place_name);
                }
            }
        }
        let modules = PATHS.map(|path| {
            let module = format_ident!("{path}");
            let uses =
                self.attribute.paths.iter().any(|p| p == path).then(|| quote!(pub use super::forms::{#(#shown),*};));
            quote!(pub mod #module { #uses })
        });
        let declared = keywords.map(|keywords| &keywords.declared);
        let options = keywords.map(|keywords| &keywords.options);
        let options = options.map(|options| quote!(pub use super::#options;));
        let entry = self.entry(forms, keywords);
        let Emitted { forms: functions, calls } = functions;
        Ok(quote! {
            #[allow(missing_docs)]
            pub(crate) mod #hidden {
                #[allow(unused_imports)]
                use super::*;
                #declared
                #(#modules)*
                pub mod options { #options }
                pub mod forms {
                    #[allow(unused_imports)]
                    use super::super::*;
                    #functions
                }
                #entry
                #[cfg(test)]
                #[allow(clippy::let_unit_value, unused_qualifications)]
                pub const FORMS: &[crate::registry::forms::Form] = &[#calls_of_methods #calls];
            }
        })
    }

    fn hidden_name(&self) -> Ident {
        format_ident!("__{}", self.plain_name(), span = self.name.span())
    }

    /// A function's first argument, and what the operation gets for it.
    fn receiver(&self) -> (Option<TokenStream>, TokenStream) {
        let Some(first) = self.args.first() else { return (None, TokenStream::new()) };
        // What a method is called on is PyTorch's `input` in a function.
        let name = Ident::new(&self.first_name(first), name_of(first).span());
        let public = public(&name, &first.ty);
        let ty = public.ty;
        (Some(quote!(#name: #ty)), public.value)
    }

    /// The names of the form with keywords, under the operation's name and its aliases, each with that of the form in place.
    fn keyword_names(&self) -> impl Iterator<Item = (Ident, Option<Ident>)> {
        let names = std::iter::once(&self.name).chain(&self.attribute.aliases).map(Keywords::name_for);
        names.map(|name| (name.clone(), self.place.is_some().then(|| in_place(&name))))
    }

    /// The form with keywords, as a function or a method. `path` leads to the struct of its options.
    fn keyword_form(
        &self,
        keywords: &Keywords,
        path: &TokenStream,
        receiver: Option<TokenStream>,
        first: TokenStream,
        all: &mut Emitted,
    ) {
        let is_method = receiver.as_ref().is_some_and(|r| text(r) == "&self");
        let (form, lets) = (keywords.form(path), keywords.lets(path));
        for (name, in_place_name) in self.keyword_names() {
            let alias = (name != keywords.name).then_some(&keywords.name);
            let own = std::iter::once((name, self.name.clone(), false));
            let twin = in_place_name.map(|name| (name, in_place(&self.name), true));
            for (name, target, is_in_place) in own.chain(twin) {
                all.forms.extend(self.one(&name, &form, &lets, &receiver, &first, &target, alias, is_in_place));
                let args: Vec<&Type> =
                    std::iter::once(&*self.args[0].ty).chain(form.args.iter().map(|arg| &*arg.ty)).collect();
                all.calls.extend(callers::entry(&name, &args, is_method));
            }
        }
    }

    /// Whether a form names a value for the first argument too: `arange(end: i64) = (Scalar::Int(0), end.into(), …)`.
    fn is_whole(&self, form: &Form) -> bool {
        form.values.len() == self.args.len()
    }

    /// The first argument's public name: what a method is called on, or `x`, is PyTorch's `input`.
    pub fn first_name(&self, first: &PatType) -> String {
        let name = plain(&name_of(first));
        if self.attribute.method || name == "x" { "input".to_owned() } else { name }
    }

    /// The names that a form has: its own, with options `…_with`, in place `…_`, and the aliases of all.
    fn names_of(&self, form: &Form) -> Vec<Ident> {
        let mut all = vec![form.name.clone()];
        all.extend(self.optional(form).then(|| with_name(&form.name)));
        if self.place.is_some() {
            all.push(in_place(&form.name));
        }
        if plain(&form.name) == self.plain_name() {
            for alias in &self.attribute.aliases {
                all.push(alias.clone());
                all.extend(self.place.is_some().then(|| in_place(alias)));
            }
        }
        all
    }

    /// The place of the form's argument that is a struct of options, and the struct; one that the operation itself takes by value
    /// is an argument like others.
    fn options_of(&self, form: &Form) -> Option<(usize, Options)> {
        let by_value = |arg: &PatType| self.args.iter().any(|own| text(&own.ty) == text(&arg.ty));
        let wanted = |arg: &PatType| options(&arg.ty).filter(|o| o.optional || !by_value(arg));
        form.args.iter().enumerate().find_map(|(i, arg)| Some((i, wanted(arg)?)))
    }

    /// Whether the form has one without options and one with them.
    pub fn optional(&self, form: &Form) -> bool {
        self.attribute.creation || self.options_of(form).is_some_and(|(_, options)| options.optional)
    }

    /// The form that takes a new tensor's options: what they set goes before what the form passes.
    fn creation(&self, form: &Form) -> Form {
        let mut form = form.clone();
        let skipped = self.args.len() - form.values.len();
        for (arg, value) in self.args[skipped..].iter().zip(&mut form.values) {
            let name = name_of(arg);
            if ["dtype", "device", "generator"].iter().any(|option| name == option) {
                *value = parse_quote!(crate::ops::create::Preset::preset(&options.#name, #value));
            }
        }
        let ty = quote!(crate::ops::TensorOptions);
        form.args.push(parse_quote!(options: impl ::core::ops::FnOnce(#ty) -> #ty));
        form
    }

    /// A panicking form, as a function or a method: with its options, in place, and under its other names.
    fn form(&self, form: &Form, receiver: Option<TokenStream>, first: TokenStream, all: &mut Emitted) {
        let is_method = receiver.as_ref().is_some_and(|r| text(r) == "&self");
        let first_type = receiver.as_ref().map(|_| &*self.args[0].ty);
        let aliases: &[Ident] = if plain(&form.name) == self.plain_name() { &self.attribute.aliases } else { &[] };
        for name in std::iter::once(&form.name).chain(aliases) {
            let alias = (name != &form.name).then_some(&form.name);
            let nothing = TokenStream::new();
            let mut emit = |name: &Ident, form: &Form, lets: &TokenStream, target: &Ident, in_place: bool| {
                all.forms.extend(self.one(name, form, lets, &receiver, &first, target, alias, in_place));
                let args: Vec<&Type> = first_type.into_iter().chain(form.args.iter().map(|arg| &*arg.ty)).collect();
                all.calls.extend(callers::entry(name, &args, is_method));
            };
            match self.options_of(form) {
                None => {
                    emit(name, form, &nothing, &self.name, false);
                    if self.attribute.creation {
                        let lets = quote!(let options = options(crate::ops::TensorOptions::default()););
                        emit(&with_name(name), &self.creation(form), &lets, &self.name, false);
                    }
                }
                Some((at, Options { path, optional })) => {
                    let (options, ty) = (name_of(&form.args[at]), owned(&form.args[at].ty));
                    if optional {
                        let mut without = form.clone();
                        without.args.remove(at);
                        emit(name, &without, &quote!(let #options = &#path::default();), &self.name, false);
                    }
                    let mut closure = form.clone();
                    closure.args[at] = parse_quote!(#options: impl ::core::ops::FnOnce(#ty) -> #ty);
                    let name = if optional { with_name(name) } else { name.clone() };
                    emit(&name, &closure, &quote!(let #options = &#options(#path::default());), &self.name, false);
                }
            }
            if self.place.is_some() {
                emit(&in_place(name), form, &nothing, &in_place(&self.name), true);
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what tells the forms apart")]
    fn one(
        &self,
        name: &Ident,
        form: &Form,
        lets: &TokenStream,
        receiver: &Option<TokenStream>,
        first: &TokenStream,
        target: &Ident,
        alias: Option<&Ident>,
        in_place: bool,
    ) -> TokenStream {
        let (mut args, mut values) = (Vec::new(), Vec::new());
        for arg in &form.args {
            let name = name_of(arg);
            let public = public(&name, &arg.ty);
            let ty = public.ty;
            args.push(quote!(#name: #ty));
            values.push((name, public.value));
        }
        // An argument that is passed on as it is becomes what its public form gives; in an expression it keeps its name.
        let mut lets = lets.clone();
        let mut passed = Vec::new();
        for value in &form.values {
            match values.iter().find(|(name, _)| *name == text(value)) {
                Some((_, value)) => passed.push(value.clone()),
                None => passed.push(value.to_token_stream()),
            }
        }
        for (name, value) in &values {
            let used_within = form.values.iter().any(|v| *name != text(v) && mentions(v, name));
            if used_within && *name != value.to_string() {
                lets.extend(quote!(let #name = #value;));
                passed.iter_mut().filter(|p| p.to_string() == value.to_string()).for_each(|p| *p = quote!(#name));
            }
        }
        let generics = self.generics_of(form);
        let (generics, _, bounds) = generics.split_for_impl();
        let output = &self.output;
        let docs = self.docs_of(form, alias, in_place);
        let search = alias.is_none().then(|| {
            let aliases = self.attribute.aliases.iter().map(plain);
            quote!(#( #[doc(alias = #aliases)] )*)
        });
        let first = (!first.is_empty()).then(|| quote!(#first,));
        let receiver = receiver.as_ref().map(|receiver| quote!(#receiver,));
        // Methods stand beside the declaration, functions two modules below it.
        let in_module = receiver.as_ref().is_none_or(|r| text(r) != "&self,");
        let target = if in_module { quote!(super::super::#target) } else { quote!(self::#target) };
        let takes_options = self.attribute.creation && form.args.last().is_some_and(|arg| name_of(arg) == "options");
        let finish = takes_options.then(|| quote!(.requires_grad_(options.requires_grad)));
        quote! {
            #docs
            #search
            #[track_caller]
            #[allow(clippy::too_many_arguments)]
            pub fn #name #generics (#receiver #(#args),*) -> #output #bounds {
                #lets
                crate::OrPanic::or_panic(#target(#first #(#passed),*)) #finish
            }
        }
    }

    /// The generics that a form's arguments, the first one and the output still need.
    fn generics_of(&self, form: &Form) -> Generics {
        let mut used = self.output.to_token_stream();
        let args = self.args.first().into_iter().chain(&form.args);
        args.for_each(|arg| used.extend(public(&name_of(arg), &arg.ty).ty));
        let mut generics = self.generics.clone();
        let needed = |param: &GenericParam| match param {
            GenericParam::Type(t) => mentions(&used, &t.ident),
            GenericParam::Const(c) => mentions(&used, &c.ident),
            GenericParam::Lifetime(l) => mentions(&used, &l.lifetime.ident),
        };
        generics.params = generics.params.into_iter().filter(needed).collect();
        generics
    }

    /// A form's documentation: the operation's. Its examples are compiled where they were written, and only there.
    fn docs_of(&self, form: &Form, alias: Option<&Ident>, in_place: bool) -> TokenStream {
        let mut docs = TokenStream::new();
        let lead = match (alias, in_place) {
            (Some(alias), false) => Some(format!("Another name of `{}`:", plain(alias))),
            (Some(alias), true) => Some(format!("Another name of `{}`:", in_place_text(alias))),
            (None, true) => {
                Some(format!("`{}` in place: the tensor gets the result, and is returned.", plain(&form.name)))
            }
            (None, false) => None,
        };
        if let Some(lead) = lead {
            docs.extend(quote!(#[doc = #lead] #[doc = ""]));
        }
        for doc in &self.docs {
            let syn::Meta::NameValue(doc) = &doc.meta else { continue };
            let value = &doc.value;
            docs.extend(quote!(#[cfg_attr(not(doctest), doc = #value)]));
        }
        docs
    }
}

/// Whether an argument is a tensor or a number.
fn is_operand(ty: &Type) -> bool {
    text(ty).starts_with("impl Into<Operand<")
}

/// `T` of `-> Result<T>`.
fn within_result(output: &ReturnType) -> Result<Type> {
    let wrong = || syn::Error::new_spanned(output, "an operation returns `Result<…>`");
    let ReturnType::Type(_, ty) = output else { return Err(wrong()) };
    let Type::Path(path) = &**ty else { return Err(wrong()) };
    let last = path.path.segments.last().filter(|s| s.ident == "Result").ok_or_else(wrong)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Err(wrong()) };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) => Ok(ty.clone()),
        _ => Err(wrong()),
    }
}

/// The type behind a reference.
fn owned(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    }
}
