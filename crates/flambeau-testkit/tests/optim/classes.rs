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
                    let lr = kwargs.get("lr").map_or(Scalar::Float($lr), |lr| Value(lr).into());
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
    SGD(1e-3): momentum, dampening, weight_decay; nesterov, maximize;
    Adam(1e-3): eps, weight_decay; betas, amsgrad, maximize;
    AdamW(1e-3): eps, weight_decay; betas, amsgrad, maximize;
    Adagrad(1e-2): lr_decay, weight_decay, initial_accumulator_value, eps; maximize;
    RMSprop(1e-2): alpha, eps, weight_decay, momentum; centered, maximize;
    NAdam(2e-3): eps, weight_decay, momentum_decay; betas, decoupled_weight_decay, maximize;
}
