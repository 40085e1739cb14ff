//! What stands in the brackets of `#[op(…)]`.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, FnArg, Ident, PatType, Result, Token, parenthesized};

/// Where a panicking function of an operation can stand, by the names of the modules under `torch`.
pub const PATHS: [&str; 4] = ["torch", "functional", "linalg", "special"];

/// A form that fixes some of the operation's arguments: `sum_dim(dims: &[i64], keepdim: bool) = (dims, keepdim, None)`.
#[derive(Clone)]
pub struct Form {
    pub name: Ident,
    /// Its arguments after the first one.
    pub args: Vec<PatType>,
    /// What the operation gets for each of its arguments after the first one; a form that is no method may name a value for
    /// the first one too, and does not take it then.
    pub values: Vec<Expr>,
}

/// The whole attribute.
#[derive(Default)]
pub struct Attribute {
    /// The modules that the functions stand in: some of [`PATHS`].
    pub paths: Vec<Ident>,
    /// Whether there are methods of `Tensor`.
    pub method: bool,
    /// Other names, which PyTorch has for the same.
    pub aliases: Vec<Ident>,
    /// The forms; none stands for the operation's own signature.
    pub forms: Vec<Form>,
    /// PyTorch's defaults of arguments that no form leaves out.
    pub defaults: Vec<(Ident, Expr)>,
    /// Whether its form takes what has a default too, since programs nearly always give it.
    pub positional: bool,
    /// Whether gradients flow through it.
    pub not_differentiable: bool,
    /// What autocast does with its inputs on the CPU, and on a GPU.
    pub cast: [Option<Ident>; 2],
    /// Whether its result holds what the caller asked for, be it infinite, or nothing in particular: anomaly mode does not look at it.
    pub fills: bool,
    /// Whether it makes a new tensor: its forms have twins, `…_with`, that take `TensorOptions`.
    pub creation: bool,
}

impl Parse for Form {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let (args, values);
        parenthesized!(args in input);
        let args = Punctuated::<FnArg, Token![,]>::parse_terminated(&args)?;
        let args = args.into_iter().map(|arg| match arg {
            FnArg::Typed(arg) => Ok(arg),
            FnArg::Receiver(receiver) => {
                Err(syn::Error::new_spanned(receiver, "the first argument is not written here"))
            }
        });
        let args = args.collect::<Result<_>>()?;
        input.parse::<Token![=]>()?;
        parenthesized!(values in input);
        let values = Punctuated::<Expr, Token![,]>::parse_terminated(&values)?.into_iter().collect();
        Ok(Form { name, args, values })
    }
}

impl Parse for Attribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attribute = Attribute::default();
        while !input.is_empty() {
            let word: Ident = input.parse()?;
            match word.to_string().as_str() {
                "method" => attribute.method = true,
                "creation" => attribute.creation = true,
                "fills" => attribute.fills = true,
                "positional" => attribute.positional = true,
                "not_differentiable" => attribute.not_differentiable = true,
                word @ ("cast" | "cast_cpu" | "cast_gpu") => {
                    input.parse::<Token![=]>()?;
                    let cast: Ident = input.parse()?;
                    let [cpu, gpu] = &mut attribute.cast;
                    if word != "cast_gpu" {
                        *cpu = Some(cast.clone());
                    }
                    if word != "cast_cpu" {
                        *gpu = Some(cast);
                    }
                }
                "alias" => {
                    let names;
                    parenthesized!(names in input);
                    attribute.aliases.extend(Punctuated::<Ident, Token![,]>::parse_terminated(&names)?);
                }
                "default" => {
                    let defaults;
                    parenthesized!(defaults in input);
                    while !defaults.is_empty() {
                        let name = defaults.parse()?;
                        defaults.parse::<Token![=]>()?;
                        attribute.defaults.push((name, defaults.parse()?));
                        if !defaults.is_empty() {
                            defaults.parse::<Token![,]>()?;
                        }
                    }
                }
                "forms" => {
                    let forms;
                    parenthesized!(forms in input);
                    attribute.forms.extend(Punctuated::<Form, Token![,]>::parse_terminated(&forms)?);
                }
                path if PATHS.contains(&path) => attribute.paths.push(word),
                other => {
                    let known = "method, creation, forms(…), positional, alias(…), default(…), cast = …, cast_cpu = …, cast_gpu = …, fills, not_differentiable";
                    let text = format!("`{other}` is none of {}, {known}", PATHS.join(", "));
                    return Err(syn::Error::new(word.span(), text));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(attribute)
    }
}

/// The tokens as text, as a reader would write them.
pub fn text(tokens: impl quote::ToTokens) -> String {
    let tokens: TokenStream = tokens.to_token_stream();
    let text = tokens.to_string();
    let close =
        [(" ,", ","), ("& ", "&"), ("< ", "<"), (" >", ">"), (" <", "<"), (" :: ", "::"), ("[ ", "["), (" ]", "]")];
    let more = [("( ", "("), (" )", ")"), (" (", "("), ("- ", "-"), (" .", "."), ("' ", "'")];
    close.iter().chain(&more).fold(text, |text, (from, to)| text.replace(from, to))
}
