//! An optimizer's declaration: its class in PyTorch, its options, its constructors.

use crate::error::{Error, Result};
use crate::options::Options;
use crate::rule::{Rule, Target};

/// What is declared of an optimizer.
pub(crate) struct Class {
    /// PyTorch's class name.
    pub name: &'static str,
    /// How it updates parameters.
    pub rule: &'static dyn Rule,
    /// PyTorch's defaults, in the order of its dictionary.
    pub defaults: fn() -> Options,
    /// Options whose value the constructor checks, in PyTorch's order.
    pub checked: &'static [&'static str],
    /// Options that files of older versions do not have: those that `__setstate__` gives their default, in its order.
    pub later: &'static [&'static str],
}

impl Class {
    /// PyTorch's checks of the options that the constructor was given.
    ///
    /// # Errors
    /// PyTorch's `ValueError` for the first option out of its range.
    pub fn check(&self, options: &Options) -> Result<()> {
        self.rule.check_first(options)?;
        options.check_tensor_rate()?;
        self.checked.iter().try_for_each(|name| options.check(name, |x| self.rule.allows(name, x)))?;
        self.rule.check(options)
    }

    /// PyTorch's checks once the groups are there: how many there may be, and what `fused` goes with.
    ///
    /// # Errors
    /// PyTorch's `ValueError` or `RuntimeError`.
    pub fn check_groups(&self, options: &Options, groups: usize) -> Result<()> {
        self.rule.check_groups(groups)?;
        if !options.is_on("fused") {
            return Ok(());
        }
        let refused = |what: &str| Err(Error::Runtime(what.to_owned()));
        match (options.is_on("differentiable"), options.is_on("foreach")) {
            (true, _) => refused("`fused` does not support `differentiable`"),
            (_, true) => refused("`fused` and `foreach` cannot be `True` together."),
            _ => Ok(()),
        }
    }

    /// PyTorch's checks of a step of one group: what an implementation that the group asks for cannot do.
    ///
    /// # Errors
    /// PyTorch's `AssertionError` or `RuntimeError`.
    pub fn check_step(&self, defaults: &Options, options: &Options, params: &[Target<'_>]) -> Result<()> {
        let on = |name| defaults.has(name) && options.is_on(name);
        let (capturable, foreach) = (on("capturable"), on("foreach"));
        if on("differentiable") && foreach && self.rule.refuses_foreach_gradients() {
            return Err(Error::Assertion("_foreach ops don't support autograd".into()));
        }
        // PyTorch's fused implementation looks at devices itself.
        if capturable && !on("fused") && params.iter().any(|target| target.param.device().is_cpu()) {
            return Err(Error::Assertion(self.rule.uncapturable(foreach)));
        }
        Ok(())
    }

    /// Gives a loaded group what older files lack, and what no file may change.
    pub fn complete(&self, options: &mut Options) {
        let defaults = (self.defaults)();
        let later = self.later.iter().filter_map(|name| Some((name, defaults.get(name)?)));
        later.for_each(|(name, value)| options.set_default(name, value));
        self.rule.loaded(self.name, options);
    }
}

/// Declares optimizers: a class, the type of its options, its rule, and a table of options in the order of PyTorch's
/// dictionary. An option with a type has a setter of that name, which takes that type (and stores it as another, if one is
/// named; the compiler's errors show the row). Of those without a type, the switches between PyTorch's implementations have their
/// setters from here, the others are set by a group only. After the table stand a setter for the docs' example, where there is
/// no `maximize`, then the options that the constructor checks and those that older files lack, each in PyTorch's order. Classes that share all of it, but for defaults of their own, follow.
macro_rules! optimizer {
    (@setter foreach = $default:expr) => {
        /// Whether PyTorch's implementation over lists of tensors is asked for. Here a step always is one program over a list; the
        /// option is kept, printed and checked against the others. Default: None.
        #[must_use]
        pub fn foreach(self, foreach: bool) -> Self {
            Self(self.0.with("foreach", foreach))
        }
    };
    (@setter fused = $default:expr) => {
        /// Whether PyTorch's fused implementation is asked for. Here a step always is fused; the option is kept, printed and
        /// checked against the others. Default: None.
        #[must_use]
        pub fn fused(self, fused: bool) -> Self {
            Self(self.0.with("fused", fused))
        }
    };
    (@setter capturable = $default:expr) => {
        /// Whether steps may be captured in a graph: on a GPU only, as in PyTorch, whose steps on the CPU refuse it. Default:
        /// `false`.
        #[must_use]
        pub fn capturable(self, capturable: bool) -> Self {
            Self(self.0.with("capturable", capturable))
        }
    };
    (@setter differentiable = $default:expr) => {
        /// Whether autograd records the step, so that a loss after it has gradients by what came before. The parameters must be
        /// no leaves then. Default: `false`.
        #[must_use]
        pub fn differentiable(self, differentiable: bool) -> Self {
            Self(self.0.with("differentiable", differentiable))
        }
    };
    (@setter $(#[$doc:meta])* $name:ident = $default:expr) => {};
    (@setter $(#[$doc:meta])* $name:ident: $argument:ty $(as $type:ty)? = $default:expr) => {
        $(#[$doc])*
        #[doc = concat!(" Default: `", stringify!($default), "`.")]
        #[must_use]
        pub fn $name(self, $name: $argument) -> Self {
            $( let $name: $type = $name.into(); )?
            Self(self.0.with(stringify!($name), $name))
        }
    };
    (@example) => { "maximize(true)" };
    (@example $example:literal) => { $example };
    (@class $(#[$meta:meta])* $class:ident, $options:ident, $lr:literal, ($($example:literal)?) { $($name:ident = $default:expr),* }) => {
        $crate::handle::handle! {
            $(#[$meta])*
            ///
            /// It is an [`Optimizer`](crate::Optimizer) and has all of its methods: a function takes `&Adam` and its like, or
            /// `&Optimizer` for any of them. Clones are the same optimizer.
            $class($crate::optimizer::Optimizer)
        }

        impl std::fmt::Display for $class {
            /// As `print(optimizer)`.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl $class {
            const CLASS: $crate::class::Class = $crate::class::Class {
                name: stringify!($class),
                defaults: || ($options::CLASS.defaults)()$(.with(stringify!($name), $default))*,
                ..$options::CLASS
            };

            #[doc = concat!("`torch.optim.", stringify!($class), "(params, lr)`, where PyTorch's default of `lr` is ",
                stringify!($lr), ". It may be a tensor of one element, which the optimizer shares.")]
            ///
            /// # Panics
            #[doc = concat!("As [`", stringify!($class), "::with`].")]
            ///
            /// ```
            #[doc = concat!("use flambeau_optim::", stringify!($class), ";")]
            ///
            /// let w = flambeau_autograd::ones([2, 2]).requires_grad_(true);
            #[doc = concat!("let optimizer = ", stringify!($class), "::new([&w], 0.5);")]
            /// assert_eq!(optimizer.param_groups()[0].lr(), 0.5);
            /// ```
            #[track_caller]
            pub fn new<P: $crate::group::ParamItem>(
                params: impl IntoIterator<Item = P>,
                lr: impl Into<$crate::options::OptionValue>,
            ) -> Self {
                Self::with(params, lr, |o| o)
            }

            #[doc = concat!("[`", stringify!($class), "::new`] with options.")]
            ///
            /// # Panics
            /// With PyTorch's `ValueError`s: an option out of its range, no parameters, a parameter that is no leaf or stands
            /// in two groups.
            ///
            /// ```
            #[doc = concat!("use flambeau_optim::", stringify!($class), ";")]
            ///
            /// let w = flambeau_autograd::ones([2, 2]).requires_grad_(true);
            #[doc = concat!("let optimizer = ", stringify!($class), "::with([&w], 0.5, |o| o.",
                $crate::class::optimizer!(@example $($example)?), ");")]
            /// assert_eq!(optimizer.param_groups()[0].lr(), 0.5);
            /// ```
            #[track_caller]
            pub fn with<P: $crate::group::ParamItem>(
                params: impl IntoIterator<Item = P>,
                lr: impl Into<$crate::options::OptionValue>,
                options: impl FnOnce($options) -> $options,
            ) -> Self {
                let defaults = (Self::CLASS.defaults)().with("lr", lr.into());
                Self($crate::optimizer::Optimizer::new(&Self::CLASS, params, options($options(defaults)).0))
            }
        }
    };
    (
        $(#[$meta:meta])*
        $class:ident, $options:ident, $rule:ident {
            lr = $lr:literal,
            $( $(#[$doc:meta])* $name:ident $(: $argument:ty $(as $type:ty)?)? = $default:expr ),* $(,)?
        }
        $( example($example:literal) )?
        checked($($checked:ident),*)
        later($($later:ident),*)
        $( $(#[$own_meta:meta])* $own:ident { $($own_name:ident = $own_default:expr),* } )*
    ) => {
        #[doc = concat!("Options of [`", stringify!($class), "`]" $(, ", [`", stringify!($own), "`]")*,
            "; numbers may be floats or integers, and print as they are given.")]
        pub struct $options($crate::options::Options);

        impl $options {
            const CLASS: $crate::class::Class = $crate::class::Class {
                name: stringify!($class),
                rule: &$rule,
                defaults: || $crate::options::Options::new([
                    ("lr", $lr.into()),
                    $( (stringify!($name), $default.into()) ),*
                ]),
                checked: &[$(stringify!($checked)),*],
                later: &[$(stringify!($later)),*],
            };

            $( optimizer!(@setter $(#[$doc])* $name $(: $argument $(as $type)?)? = $default); )*
        }

        optimizer!(@class $(#[$meta])* $class, $options, $lr, ($($example)?) {});
        $( optimizer!(@class $(#[$own_meta])* $own, $options, $lr, () { $($own_name = $own_default),* }); )*
    };
}

pub(crate) use optimizer;

#[cfg(test)]
mod tests {
    use crate::options::OptionValue;
    use crate::{Adam, AdamW, Optimizer, SGD, StateDict};
    use flambeau_autograd::{Tensor, ones};

    fn param() -> Tensor {
        let w = ones([2]).requires_grad_(true);
        w.sum().backward();
        w
    }

    /// The optimizer's state dict, as a version of PyTorch wrote it that had no option but `lr`.
    fn older(optimizer: &Optimizer) -> StateDict {
        let mut dict = optimizer.state_dict();
        dict.param_groups.iter_mut().for_each(|group| group.options.retain(|(name, _)| name == "lr"));
        dict
    }

    fn names_and_values(optimizer: &Optimizer) -> String {
        let options = &optimizer.state_dict().param_groups[0].options;
        options.iter().map(|(name, value)| format!("{name}={value} ")).collect()
    }

    #[test]
    fn older_files_get_the_class_defaults_and_not_the_constructors() {
        let sgd = SGD::with([param()], 0.5, |o| o.momentum(0.9).nesterov(true));
        sgd.load_state_dict(&older(&sgd)).unwrap();
        let expected = "lr=0.5 nesterov=False maximize=False foreach=None differentiable=False fused=False ";
        assert_eq!(names_and_values(&sgd), expected);
        assert_eq!(sgd.try_step().unwrap_err().to_string(), "KeyError: 'momentum'");
    }

    #[test]
    fn adamws_decay_is_decoupled_whatever_a_file_says() {
        let (adam, adamw) = (Adam::new([param()], 0.5), AdamW::new([param()], 0.5));
        let decoupled = |o: &Optimizer| o.param_groups()[0].get("decoupled_weight_decay");
        for dict in [adam.state_dict(), older(&adam)] {
            adam.load_state_dict(&dict).unwrap();
            adamw.load_state_dict(&dict).unwrap();
            let expected = [false, true].map(|on| Some(OptionValue::from(on)));
            assert_eq!([decoupled(&adam), decoupled(&adamw)], expected);
        }
    }

    #[test]
    fn a_state_of_another_optimizer_is_a_key_error() {
        let (sgd, adam) = (SGD::with([param()], 0.5, |o| o.momentum(0.9)), Adam::new([param()], 0.5));
        sgd.step();
        let mut dict = sgd.state_dict();
        dict.param_groups = adam.state_dict().param_groups;
        adam.load_state_dict(&dict).unwrap();
        assert_eq!(adam.try_step().unwrap_err().to_string(), "KeyError: 'exp_avg'");
    }
}
