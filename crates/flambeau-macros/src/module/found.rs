//! What is in a field's type that the types' check alone would pass over, or tell in many errors.

use syn::{GenericArgument, PathArguments, Type, TypeParamBound};

/// What a type holds, as far as its text tells.
#[derive(Default)]
pub struct Found<'a> {
    /// `Arc<…>`s in other types.
    pub arcs: Vec<&'a Type>,
    /// A `dyn Fn(…)`.
    pub functions: bool,
    /// A `dyn Fn(…)` that is not `Send + Sync`.
    pub one_thread: bool,
}

impl<'a> Found<'a> {
    pub fn in_type(ty: &'a Type) -> Self {
        let mut found = Found::default();
        found.visit(ty, true);
        found
    }

    fn visit(&mut self, ty: &'a Type, outermost: bool) {
        match ty {
            Type::Array(array) => self.visit(&array.elem, false),
            Type::Group(group) => self.visit(&group.elem, outermost),
            Type::Paren(paren) => self.visit(&paren.elem, outermost),
            Type::Tuple(tuple) => tuple.elems.iter().for_each(|part| self.visit(part, false)),
            Type::TraitObject(object) => self.object(object.bounds.iter()),
            Type::Path(path) => {
                let Some(last) = path.path.segments.last() else { return };
                // What is in these is no part of a value.
                if ["PhantomData", "Weak"].iter().any(|name| last.ident == name) {
                    return;
                }
                if last.ident == "Arc" && !outermost {
                    self.arcs.push(ty);
                }
                arguments(&last.arguments).for_each(|argument| self.visit(argument, false));
            }
            _ => {}
        }
    }

    fn object(&mut self, bounds: impl Iterator<Item = &'a TypeParamBound>) {
        let (mut function, mut markers) = (false, 0);
        for bound in bounds {
            let TypeParamBound::Trait(bound) = bound else { continue };
            let Some(last) = bound.path.segments.last() else { continue };
            function |= ["Fn", "FnMut", "FnOnce"].iter().any(|name| last.ident == name);
            markers += usize::from(last.ident == "Send" || last.ident == "Sync");
        }
        self.functions |= function;
        self.one_thread |= function && markers < 2;
    }
}

/// The types between a path's brackets.
pub fn arguments(arguments: &PathArguments) -> impl Iterator<Item = &Type> {
    let list = if let PathArguments::AngleBracketed(between) = arguments { Some(&between.args) } else { None };
    list.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;
    use syn::parse_quote;

    fn found(ty: &Type) -> (Vec<String>, bool, bool) {
        let found = Found::in_type(ty);
        let arcs = found.arcs.iter().map(|arc| quote!(#arc).to_string().replace(' ', ""));
        (arcs.collect(), found.functions, found.one_thread)
    }

    #[test]
    fn arcs_and_functions_are_found_at_any_depth() {
        let arcs = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found(&parse_quote!(Option<Arc<Block>>)), (arcs(&["Arc<Block>"]), false, false));
        assert_eq!(found(&parse_quote!(Arc<Block>)), (vec![], false, false), "the field's own type is asked anyway");
        let nested: Type = parse_quote!((HashMap<String, Vec<std::sync::Arc<A>>>, [Arc<B>; 2]));
        assert_eq!(found(&nested).0, arcs(&["std::sync::Arc<A>", "Arc<B>"]));
        assert_eq!(found(&parse_quote!((PhantomData<Arc<A>>, Vec<Weak<Arc<B>>>, fn(Arc<C>)))).0, arcs(&[]));
        assert_eq!(found(&parse_quote!(Box<dyn Fn(&Tensor) -> Tensor>)), (vec![], true, true));
        assert_eq!(found(&parse_quote!(Option<Box<dyn FnMut(usize) + Send + Sync>>)), (vec![], true, false));
        assert_eq!(found(&parse_quote!(Box<dyn Forward>)), (vec![], false, false));
    }
}
