//! The bounds that a module's type parameters need, where the user wrote none: `struct Residual<M> { inner: M }`.

use super::{ModuleField, found};
use proc_macro2::TokenStream;
use syn::{GenericParam, Generics, Ident, Type, WherePredicate, parse_quote};

/// Adds `Field` to parameters without a bound that stand for the types of fields, and to the others what every module is. Where
/// the user bounds a parameter, that says what it is.
pub fn add(generics: &mut Generics, fields: &[ModuleField<'_>], nn: &TokenStream) {
    let clause = generics.where_clause.as_ref();
    let bounded: Vec<&Type> = clause.iter().flat_map(|clause| &clause.predicates).filter_map(of_type).collect();
    let is_bounded = |name: &Ident| bounded.iter().any(|ty| matches!(ty, Type::Path(path) if path.path.is_ident(name)));
    let params = generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) if param.bounds.is_empty() && !is_bounded(&param.ident) => Some(&param.ident),
        _ => None,
    });
    let predicates: Vec<WherePredicate> = params
        .map(|name| match fields.iter().any(|field| !field.skipped && holds(field.ty, name)) {
            true => parse_quote!(#name: #nn::Field),
            false => parse_quote!(#name: ::std::marker::Send + ::std::marker::Sync + 'static),
        })
        .collect();
    if !predicates.is_empty() {
        generics.make_where_clause().predicates.extend(predicates);
    }
}

fn of_type(predicate: &WherePredicate) -> Option<&Type> {
    if let WherePredicate::Type(predicate) = predicate { Some(&predicate.bounded_ty) } else { None }
}

/// Whether values of a type hold values of the parameter.
fn holds(ty: &Type, name: &Ident) -> bool {
    match ty {
        Type::Array(array) => holds(&array.elem, name),
        Type::Group(group) => holds(&group.elem, name),
        Type::Paren(paren) => holds(&paren.elem, name),
        Type::Tuple(tuple) => tuple.elems.iter().any(|part| holds(part, name)),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            path.path.is_ident(name)
                || last.ident != "PhantomData" && found::arguments(&last.arguments).any(|part| holds(part, name))
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::module::derive;
    use quote::quote;
    use syn::{DeriveInput, parse_quote};

    fn clause(input: &DeriveInput) -> String {
        let code = derive(input, &quote!(nn)).unwrap().to_string().replace(' ', "");
        let from = code.find("nn::Modulefor").unwrap();
        code[from..from + code[from..].find('{').unwrap()].to_owned()
    }

    #[test]
    fn bare_parameters_get_the_bound_that_their_fields_need() {
        let bare = clause(&parse_quote!(
            struct Residual<M> {
                inner: Vec<M>,
            }
        ));
        assert_eq!(bare, "nn::ModuleforResidual<M>whereM:nn::Field");
        let marker = clause(&parse_quote!(
            struct Cast<T> {
                marker: PhantomData<T>,
                #[module(skip)]
                other: Option<T>,
            }
        ));
        assert_eq!(marker, "nn::ModuleforCast<T>whereT:::std::marker::Send+::std::marker::Sync+'static");
        assert_eq!(
            clause(&parse_quote!(
                struct Own<M: Forward> {
                    inner: M,
                }
            )),
            "nn::ModuleforOwn<M>"
        );
        let own = clause(&parse_quote!(
            struct Own<M>
            where
                M: Forward,
            {
                inner: M,
            }
        ));
        assert_eq!(own, "nn::ModuleforOwn<M>whereM:Forward,");
    }
}
