//! Probabilities that are given as such or as logits; the other form is computed when it is first asked for.

use crate::constraints::Constraint;
use crate::distribution::{Argument, Held};
use crate::fail;
use crate::value::{IntoValue, Shared, Value, broadcast_all, clamp_probs, expanded};
use flambeau_autograd::ops::{BCEWithLogitsLossOptions, Reduction};
use flambeau_autograd::{OrPanic, Tensor, enable_grad, ops};
use std::sync::OnceLock;

/// Options of distributions of probabilities: either `probs` or `logits`.
///
/// ```
/// use torch::distributions::Bernoulli;
/// assert_eq!(Bernoulli::with(|o| o.logits(0.0)).mean().item(), 0.5);
/// ```
#[derive(Clone, Default)]
pub struct ProbsOptions {
    pub(crate) probs: Option<Value>,
    pub(crate) logits: Option<Value>,
    pub(crate) validate: Option<bool>,
}

impl ProbsOptions {
    /// The probabilities.
    #[must_use]
    pub fn probs(mut self, probs: impl IntoValue) -> Self {
        self.probs = Some(probs.into_value());
        self
    }

    /// Their log-odds, or, where they sum to 1, their logarithms up to a constant.
    #[must_use]
    pub fn logits(mut self, logits: impl IntoValue) -> Self {
        self.logits = Some(logits.into_value());
        self
    }

    /// Whether arguments and values are checked.
    #[must_use]
    pub fn validate_args(mut self, validate_args: impl Into<Option<bool>>) -> Self {
        self.validate = validate_args.into();
        self
    }
}

/// Probabilities and logits.
#[derive(Clone)]
pub(crate) struct Chances {
    probs: OnceLock<Shared>,
    logits: OnceLock<Shared>,
    /// Whether the probabilities were given.
    by_probs: bool,
    /// One event and its opposite, rather than several that sum to 1.
    binary: bool,
    /// Whether probabilities that come from logits stay within (0, 1).
    pub clamps: bool,
}

impl Chances {
    fn of(probs: Option<Tensor>, logits: Option<Tensor>, binary: bool) -> Self {
        let cell = |x: Option<Tensor>| match x {
            Some(x) => OnceLock::from(Shared::from(x)),
            None => OnceLock::new(),
        };
        let by_probs = probs.is_some();
        Chances { probs: cell(probs), logits: cell(logits), by_probs, binary, clamps: false }
    }

    fn either(options: &ProbsOptions) {
        if options.probs.is_some() == options.logits.is_some() {
            fail::value("Either `probs` or `logits` must be specified, but not both.");
        }
    }

    /// Of one event.
    pub fn binary(options: ProbsOptions) -> Self {
        Self::either(&options);
        let tensor = |v: Option<Value>| v.map(|v| broadcast_all([&v]).remove(0));
        Self::of(tensor(options.probs), tensor(options.logits), true)
    }

    /// Of one event, with a count that broadcasts with it and takes its dtype.
    pub fn counted(count: &Value, options: &ProbsOptions) -> (Tensor, Self) {
        Self::either(options);
        let given = options.probs.as_ref().or(options.logits.as_ref()).expect("one of both is given");
        let mut both = broadcast_all([count, given]);
        let (param, count) = (both.remove(1), both.remove(0));
        let count = count.type_as(&param);
        let chances = match options.probs {
            Some(_) => Self::of(Some(param), None, true),
            None => Self::of(None, Some(param), true),
        };
        (count, chances)
    }

    /// Of several events along the last dimension, scaled so that they sum to 1.
    pub fn categorical(options: &ProbsOptions) -> Self {
        Self::either(options);
        let long_enough = |x: &Tensor, name: &str| {
            if x.dim() < 1 {
                fail::value(format!("`{name}` parameter must be at least one-dimensional."));
            }
        };
        match (&options.probs, &options.logits) {
            (Some(probs), _) => {
                let probs = probs.tensor();
                long_enough(&probs, "probs");
                let scaled = &probs / probs.sum_dim(-1, true);
                Self::of(Some(scaled), None, false)
            }
            (None, logits) => {
                let logits = logits.as_ref().expect("one of both is given").tensor();
                long_enough(&logits, "logits");
                let scaled = &logits - ops::logsumexp(&logits, &[-1], true).or_panic();
                Self::of(None, Some(scaled), false)
            }
        }
    }

    /// The same with other probabilities, which were given.
    pub fn with_probs(&self, probs: Tensor) -> Self {
        Chances { clamps: self.clamps, ..Self::of(Some(probs), None, self.binary) }
    }

    /// The probabilities, where they were given.
    pub fn given_probs(&self) -> Option<&Tensor> {
        self.by_probs.then(|| self.probs())
    }

    pub fn probs(&self) -> &Tensor {
        self.probs.get_or_init(|| {
            let _guard = enable_grad();
            let logits = self.logits();
            let probs = if self.binary { logits.sigmoid() } else { logits.softmax(-1) };
            if self.clamps { clamp_probs(&probs).into() } else { probs.into() }
        })
    }

    pub fn logits(&self) -> &Tensor {
        self.logits.get_or_init(|| {
            let _guard = enable_grad();
            let probs = clamp_probs(self.probs());
            if self.binary { (probs.log() - (-&probs).log1p()).into() } else { probs.log().into() }
        })
    }

    /// What was given.
    pub fn param(&self) -> &Tensor {
        if self.by_probs { self.probs() } else { self.logits() }
    }

    /// Expanded to a shape, whichever are there.
    pub fn expand(&self, shape: &[usize]) -> Self {
        let cell = |x: &OnceLock<Shared>| match x.get() {
            Some(x) => OnceLock::from(Shared::from(expanded(x, shape))),
            None => OnceLock::new(),
        };
        Chances { probs: cell(&self.probs), logits: cell(&self.logits), ..self.clone() }
    }

    /// Both as arguments of a distribution.
    pub fn arguments(&self, of_probs: Constraint, of_logits: Constraint) -> Vec<Argument> {
        let argument = |name, constraint, x: &OnceLock<Shared>| {
            let held = x.get().map_or(Held::Lazy, |x| Held::Own(x.shallow_clone()));
            Argument { name, constraint, held }
        };
        vec![argument("probs", of_probs, &self.probs), argument("logits", of_logits, &self.logits)]
    }

    /// Both as arguments of a distribution around the one that has them, which computes what it lacks.
    pub fn computed_arguments(&self, of_probs: Constraint, of_logits: Constraint) -> Vec<Argument> {
        vec![
            Argument::computed("probs", of_probs, self.probs().shallow_clone()),
            Argument::computed("logits", of_logits, self.logits().shallow_clone()),
        ]
    }
}

/// −BCE with logits, element by element: the logarithm of a Bernoulli event's probability.
pub(crate) fn log_of_bernoulli(logits: &Tensor, value: &Tensor) -> Tensor {
    -cross_entropy(logits, value)
}

/// BCE with logits, element by element.
pub(crate) fn cross_entropy(logits: &Tensor, value: &Tensor) -> Tensor {
    let options = BCEWithLogitsLossOptions { reduction: Reduction::None, ..Default::default() };
    ops::binary_cross_entropy_with_logits(logits, value, &options).or_panic()
}

/// Gives a distribution that holds `chances` the accessors of both.
macro_rules! accessors {
    ($($name:ident),+) => {$(
        impl $name {
            /// The probabilities; computed from the logits when first asked for, where those were given.
            pub fn probs(&self) -> &flambeau_autograd::Tensor {
                self.chances.probs()
            }

            /// The logits; computed from the probabilities when first asked for, where those were given.
            pub fn logits(&self) -> &flambeau_autograd::Tensor {
                self.chances.logits()
            }

            /// The shape of whichever was given.
            pub fn param_shape(&self) -> flambeau_autograd::Size {
                self.chances.param().size()
            }
        }
    )+};
}
pub(crate) use accessors;
