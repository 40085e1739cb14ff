//! Every optimizer of flambeau, by PyTorch's names.

use flambeau_optim::{Optimizer, OptionValue, ParamItem};
use flambeau_tensor::Scalar;
use flambeau_testkit::golden::Arg;
use std::collections::BTreeMap;

use crate::option;

/// An argument as a setter takes it.
struct Value<'a>(&'a Arg);

impl From<Value<'_>> for Scalar {
    fn from(value: Value<'_>) -> Self {
        match option(value.0) {
            OptionValue::Number(x) => x,
            other => panic!("{other} is no number"),
        }
    }
}

impl From<Value<'_>> for bool {
    fn from(value: Value<'_>) -> Self {
        value.0.as_bool().expect("a bool")
    }
}

impl From<Value<'_>> for OptionValue {
    fn from(value: Value<'_>) -> Self {
        option(value.0)
    }
}

impl<'a> From<Value<'a>> for &'a str {
    fn from(value: Value<'a>) -> Self {
        match value.0 {
            Arg::Str(text) => text,
            other => panic!("{other:?} is no string"),
        }
    }
}

impl From<Value<'_>> for (f64, f64, f64) {
    fn from(value: Value<'_>) -> Self {
        match value.0 {
            Arg::List(items) => match items[..] {
                [Arg::Float(a), Arg::Float(b), Arg::Float(c)] => (a, b, c),
                _ => panic!("{items:?} are not three floats"),
            },
            other => panic!("{other:?} are not three floats"),
        }
    }
}

impl From<Value<'_>> for (f64, f64) {
    fn from(value: Value<'_>) -> Self {
        match option(value.0) {
            OptionValue::Pair(a, b) => (a, b),
            other => panic!("{other} is no pair"),
        }
    }
}

/// A class, PyTorch's default of its `lr`, its setters: those that take any number, then the others.
macro_rules! classes {
    ($($class:ident($lr:literal): $($number:ident),*; $($option:ident),*;)*) => {
        /// `every_optimizer_has_goldens_and_every_golden_an_optimizer` compares this list with the crate's source and with
        /// the goldens.
        pub const CLASSES: &[&str] = &[$(stringify!($class)),*];

        /// An optimizer by its constructor and setters.
        pub fn make<P: ParamItem>(
            class: &str,
            kwargs: &BTreeMap<String, Arg>,
            params: impl IntoIterator<Item = P>,
        ) -> Optimizer {
            $(
                if class == stringify!($class) {
                    let lr: OptionValue = kwargs.get("lr").map_or($lr.into(), option);
                    return flambeau_optim::$class::with(params, lr, |mut o| {
                        $( if let Some(arg) = kwargs.get(stringify!($number)) { o = o.$number(Value(arg)); } )*
                        $( if let Some(arg) = kwargs.get(stringify!($option)) { o = o.$option(Value(arg).into()); } )*
                        o
                    })
                    .into();
                }
            )*
            panic!("no test here knows {class}")
        }
    };
}

classes! {
    SGD(1e-3): momentum, dampening, weight_decay; nesterov, maximize, foreach, fused, differentiable;
    Adam(1e-3): eps, weight_decay; betas, amsgrad, maximize, foreach, fused, differentiable, capturable;
    AdamW(1e-3): eps, weight_decay; betas, amsgrad, maximize, foreach, fused, differentiable, capturable;
    Adagrad(1e-2): lr_decay, weight_decay, initial_accumulator_value, eps; maximize, foreach, fused, differentiable;
    RMSprop(1e-2): alpha, eps, weight_decay, momentum; centered, maximize, foreach, differentiable, capturable;
    NAdam(2e-3): eps, weight_decay, momentum_decay; betas, decoupled_weight_decay, maximize, foreach, differentiable, capturable;
    Adadelta(1.0): rho, eps, weight_decay; maximize, foreach, differentiable, capturable;
    Adamax(2e-3): eps, weight_decay; betas, maximize, foreach, differentiable, capturable;
    RAdam(1e-3): eps, weight_decay; betas, decoupled_weight_decay, maximize, foreach, differentiable, capturable;
    Rprop(1e-2): ; etas, step_sizes, maximize, foreach, differentiable, capturable;
    ASGD(1e-2): lambd, alpha, t0, weight_decay; maximize, foreach, differentiable, capturable;
    Adafactor(1e-2): beta2_decay, eps, d, weight_decay; maximize, foreach;
    Muon(1e-3): weight_decay, momentum, eps, ns_steps; nesterov, ns_coefficients, adjust_lr_fn;
}
