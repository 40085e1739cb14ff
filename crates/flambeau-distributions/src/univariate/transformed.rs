//! Distributions that are a simpler one, transformed.

use super::EULER;
use super::bounded::Uniform;
use super::gamma::{Exponential, Gamma};
use super::normal::Normal;
use super::tails::Cauchy;
use crate::IntoValue;
use crate::composed::TransformedDistribution;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, ValidateOptions, check_arguments};
use crate::transforms::{AbsTransform, AffineTransform, ExpTransform, PowerTransform, Transform};
use crate::value::{Shared, Value, broadcast_all, eps, expanded, filled, replaced, tiny};
use flambeau_autograd::{OrPanic, Tensor, at_caller, ops};
use std::f64::consts::{LN_2, PI};
use std::sync::Arc;

/// Makes the constructors of a distribution of one parameter or two.
macro_rules! constructors {
    ($name:ident($($argument:ident),+), $($doc:literal)+) => {
        impl $name {
            $(#[doc = $doc])+
            ///
            /// # Panics
            /// When one is outside of what it has to satisfy, in PyTorch's words.
            #[track_caller]
            pub fn new($($argument: impl IntoValue),+) -> Self {
                Self::with($($argument,)+ |o| o)
            }

            /// [`new`](Self::new) with options: `validate_args`.
            #[track_caller]
            pub fn with(
                $($argument: impl IntoValue,)+
                options: impl FnOnce(ValidateOptions) -> ValidateOptions,
            ) -> Self {
                let validate = options(ValidateOptions::default()).validate_args;
                let values = [$($argument.into_value()),+];
                at_caller(|| {
                    let made = Self::of(values, validate);
                    check_arguments(&made);
                    made
                })
            }
        }
    };
}

/// The whole base distribution behind a transformed one.
fn base<D: Distribution>(of: &TransformedDistribution) -> &D {
    let any: &dyn std::any::Any = of.base_dist();
    any.downcast_ref::<D>().expect("it was made of one of that kind")
}

fn transformed(
    base: impl Distribution,
    transforms: impl Into<Vec<Transform>>,
    validate: Option<bool>,
) -> TransformedDistribution {
    TransformedDistribution::of(Arc::new(base), transforms.into(), validate)
}

/// Makes a distribution that is a transformed one and whose parameters are those of the base: its struct, its accessors, and what
/// every distribution has.
macro_rules! of_base {
    (
        $(#[$meta:meta])* $name:ident of $base:ident { $($(#[$doc:meta])* $argument:ident: $constraint:expr),+ }
        new $new:literal;
        whole |$given:pat_param, $validate:ident| $whole:expr;
        $($body:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name {
            whole: TransformedDistribution,
        }

        constructors!($name($($argument),+), $new);

        impl $name {
            fn of($given: [Value; [$(stringify!($argument)),+].len()], $validate: Option<bool>) -> Self {
                $name { whole: $whole }
            }

            $(
                $(#[$doc])*
                pub fn $argument(&self) -> &Tensor {
                    base::<$base>(&self.whole).$argument()
                }
            )+

            fn expand_to(&self, batch: &[usize]) -> Self {
                $name { whole: self.whole.expand_to(batch) }
            }
        }

        impl Distribution for $name {
            fn class(&self) -> &'static str {
                stringify!($name)
            }
            fn arguments(&self) -> Vec<Argument> {
                vec![$(Argument::computed(stringify!($argument), $constraint, self.$argument().shallow_clone())),+]
            }
            fn parent(&self) -> Option<&dyn Distribution> {
                Some(&self.whole)
            }
            fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
                Arc::new(self.expand_to(batch))
            }
            $($body)*
        }
    };
}

of_base! {
    /// The distribution of numbers whose logarithm is normal: `torch.distributions.LogNormal(loc, scale)`.
    ///
    /// ```
    /// use torch::distributions::LogNormal;
    /// assert_eq!(LogNormal::new(0.0, 1.0).cdf(torch::tensor(1.0)).item(), 0.5);
    /// ```
    LogNormal of Normal {
        /// The mean of the logarithm.
        loc: constraints::real(),
        /// The standard deviation of the logarithm.
        scale: constraints::positive()
    }
    new "The distribution of the mean and deviation of the logarithm.";
    whole |[loc, scale], validate| {
        let base = Normal::with(loc, scale, |o| o.validate_args(validate));
        transformed(base, [ExpTransform::new()], validate)
    };

    fn support(&self) -> Constraint {
        constraints::positive()
    }
    fn mean(&self) -> Tensor {
        (self.loc() + self.scale().pow(2) / 2.0).exp()
    }
    fn mode(&self) -> Tensor {
        (self.loc() - self.scale().square()).exp()
    }
    fn variance(&self) -> Tensor {
        let square = self.scale().pow(2);
        square.expm1() * (2.0 * self.loc() + &square).exp()
    }
    fn entropy(&self) -> Tensor {
        self.whole.base_dist().entropy() + self.loc()
    }
}

/// Makes the distribution of the absolute value of numbers that lie evenly around 0.
macro_rules! half {
    ($(#[$meta:meta])* $name:ident of $base:ident { $(#[$doc:meta])* scale } new $new:literal; $($body:tt)*) => {
        of_base! {
            $(#[$meta])*
            $name of $base {
                $(#[$doc])*
                scale: constraints::positive()
            }
            new $new;
            whole |[scale], validate| {
                let base = $base::with(0, scale, |o| o.validate_args(false));
                transformed(base, [AbsTransform::new()], validate)
            };

            fn support(&self) -> Constraint {
                constraints::nonnegative()
            }
            fn mode(&self) -> Tensor {
                self.scale().zeros_like()
            }
            fn log_density(&self, value: &Tensor) -> Tensor {
                let log = self.whole.base_dist().log_prob_of(value) + LN_2;
                ops::where_(&value.ge(0), &log, f64::NEG_INFINITY).or_panic()
            }
            fn checks_cdf(&self) -> bool {
                true
            }
            fn cumulative(&self, value: &Tensor) -> Tensor {
                2.0 * self.whole.base_dist().cdf_of(value) - 1.0
            }
            fn quantile(&self, probability: &Tensor) -> Tensor {
                self.whole.base_dist().quantile(&((probability + 1.0) / 2.0))
            }
            fn entropy(&self) -> Tensor {
                self.whole.base_dist().entropy() - LN_2
            }
            $($body)*
        }
    };
}

half! {
    /// The distribution of the absolute value of a normal number of mean 0: `torch.distributions.HalfNormal(scale)`.
    ///
    /// ```
    /// use torch::distributions::HalfNormal;
    /// assert!((HalfNormal::new(1.0).mean().item() - 0.7978846).abs() < 1e-6);
    /// ```
    HalfNormal of Normal {
        /// The standard deviation of the normal number.
        scale
    }
    new "The distribution of the normal number's deviation.";

    fn mean(&self) -> Tensor {
        self.scale() * (2.0 / PI).sqrt()
    }
    fn variance(&self) -> Tensor {
        self.scale().pow(2) * (1.0 - 2.0 / PI)
    }
}

half! {
    /// The distribution of the absolute value of a Cauchy number around 0: `torch.distributions.HalfCauchy(scale)`.
    ///
    /// ```
    /// use torch::distributions::HalfCauchy;
    /// assert_eq!(HalfCauchy::new(1.0).cdf(torch::tensor(1.0)).item(), 0.5);
    /// ```
    HalfCauchy of Cauchy {
        /// The scale of the Cauchy number.
        scale
    }
    new "The distribution of the Cauchy number's scale.";

    fn mean(&self) -> Tensor {
        filled(&self.frame().extended(&[]), f64::INFINITY, self.scale())
    }
    fn variance(&self) -> Tensor {
        self.whole.base_dist().variance()
    }
}

of_base! {
    /// The distribution of 1 / x for a gamma number x: `torch.distributions.InverseGamma(concentration, rate)`.
    ///
    /// ```
    /// use torch::distributions::InverseGamma;
    /// assert_eq!(InverseGamma::new(3.0, 2.0).mean().item(), 1.0);
    /// ```
    InverseGamma of Gamma {
        /// The shape of the gamma number.
        concentration: constraints::positive(),
        /// The rate of the gamma number.
        rate: constraints::positive()
    }
    new "The distribution of the gamma number's shape and rate.";
    whole |[concentration, rate], validate| {
        let base = Gamma::with(concentration, rate, |o| o.validate_args(validate));
        let minus_one = filled(&[], -1.0, base.rate());
        transformed(base, [PowerTransform::new(minus_one)], validate)
    };

    fn support(&self) -> Constraint {
        constraints::positive()
    }
    fn mean(&self) -> Tensor {
        let result = self.rate() / (self.concentration() - 1.0);
        ops::where_(&self.concentration().gt(1), &result, f64::INFINITY).or_panic()
    }
    fn mode(&self) -> Tensor {
        self.rate() / (self.concentration() + 1.0)
    }
    fn variance(&self) -> Tensor {
        let a = self.concentration();
        let result = self.rate().square() / ((a - 1.0).square() * (a - 2.0));
        ops::where_(&a.gt(2), &result, f64::INFINITY).or_panic()
    }
    fn entropy(&self) -> Tensor {
        let a = self.concentration();
        a + self.rate().log() + a.lgamma() - (1.0 + a) * a.digamma()
    }
}

/// Makes a distribution that is a transformed one and holds its own two parameters: its struct, its accessors, and what every
/// distribution has. `printed` is the order of PyTorch's `arg_constraints`.
macro_rules! of_two {
    (
        $(#[$meta:meta])* $name:ident { $(#[$doc_a:meta])* $a:ident: $of_a:expr, $(#[$doc_b:meta])* $b:ident: $of_b:expr }
        printed $first:ident $second:ident;
        whole |$x:ident, $y:ident, $given:ident, $validate:ident| $whole:expr;
        $($body:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name {
            whole: TransformedDistribution,
            $a: Shared,
            $b: Shared,
        }

        constructors!($name($a, $b), "The distribution of these parameters, which may be tensors or numbers and broadcast.");

        impl $name {
            fn of(given: [Value; 2], validate: Option<bool>) -> Self {
                let mut both = broadcast_all(&given);
                let (second, first) = (both.remove(1), both.remove(0));
                Self::made(first, second, &given, validate)
            }

            fn made(first: Tensor, second: Tensor, given: &[Value; 2], validate: Option<bool>) -> Self {
                let whole = {
                    let ($x, $y, $given, $validate) = (&first, &second, given, validate);
                    $whole
                };
                $name { whole, $a: first.into(), $b: second.into() }
            }

            $(#[$doc_a])*
            pub fn $a(&self) -> &Tensor {
                &self.$a
            }

            $(#[$doc_b])*
            pub fn $b(&self) -> &Tensor {
                &self.$b
            }

            fn expand_to(&self, batch: &[usize]) -> Self {
                $name {
                    whole: self.whole.expand_to(batch),
                    $a: expanded(&self.$a, batch).into(),
                    $b: expanded(&self.$b, batch).into(),
                }
            }
        }

        impl Distribution for $name {
            fn class(&self) -> &'static str {
                stringify!($name)
            }
            fn arguments(&self) -> Vec<Argument> {
                let mut all = vec![
                    Argument::own(stringify!($a), $of_a, &self.$a),
                    Argument::own(stringify!($b), $of_b, &self.$b),
                ];
                let order = [stringify!($first), stringify!($second)];
                all.sort_by_key(|a| order.iter().position(|name| *name == a.name));
                all
            }
            fn parent(&self) -> Option<&dyn Distribution> {
                Some(&self.whole)
            }
            fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
                Arc::new(self.expand_to(batch))
            }
            $($body)*
        }
    };
}

of_two! {
    /// The Gumbel distribution of largest values: `torch.distributions.Gumbel(loc, scale)`.
    ///
    /// ```
    /// use torch::distributions::Gumbel;
    /// assert!((Gumbel::new(0.0, 1.0).mean().item() - 0.5772157).abs() < 1e-6);
    /// ```
    Gumbel {
        /// The location.
        loc: constraints::real(),
        /// The scale.
        scale: constraints::positive()
    }
    printed loc scale;
    whole |loc, scale, given, validate| {
        let (low, high) = (tiny(loc.dtype()), 1.0 - eps(loc.dtype()));
        let shape = loc.size();
        let base = Uniform::with(filled(&shape, low, loc), filled(&shape, high, loc), |o| o.validate_args(validate));
        let transforms = [
            ExpTransform::new().inv(),
            AffineTransform::new(0, -scale.ones_like()),
            ExpTransform::new().inv(),
            AffineTransform::new(given[0].clone(), -scale),
        ];
        transformed(base, transforms, validate)
    };

    fn support(&self) -> Constraint {
        constraints::real()
    }
    fn mean(&self) -> Tensor {
        &*self.loc + &*self.scale * EULER
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn stddev(&self) -> Tensor {
        (PI / 6f64.sqrt()) * &*self.scale
    }
    fn variance(&self) -> Tensor {
        self.stddev().pow(2)
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let y = (&*self.loc - value) / &self.scale;
        &y - y.exp() - self.scale.log()
    }
    fn entropy(&self) -> Tensor {
        self.scale.log() + (1.0 + EULER)
    }
}

of_two! {
    /// The Weibull distribution: `torch.distributions.Weibull(scale, concentration)`.
    ///
    /// ```
    /// use torch::distributions::Weibull;
    /// assert_eq!(Weibull::new(2.0, 1.0).mean().item(), 2.0);
    /// ```
    Weibull {
        /// The scale.
        scale: constraints::positive(),
        /// The shape.
        concentration: constraints::positive()
    }
    printed scale concentration;
    whole |scale, concentration, _given, validate| {
        let base = Exponential::with(scale.ones_like(), |o| o.validate_args(validate));
        let transforms = [PowerTransform::new(concentration.reciprocal()), AffineTransform::new(0, scale)];
        transformed(base, transforms, validate)
    };

    fn support(&self) -> Constraint {
        constraints::positive()
    }
    fn mean(&self) -> Tensor {
        &*self.scale * (1.0 + self.concentration.reciprocal()).lgamma().exp()
    }
    fn mode(&self) -> Tensor {
        let k = &*self.concentration;
        &*self.scale * ((k - 1.0) / k).pow(k.reciprocal())
    }
    fn variance(&self) -> Tensor {
        let r = self.concentration.reciprocal();
        self.scale.pow(2) * ((1.0 + 2.0 * &r).lgamma().exp() - (2.0 * (1.0 + &r).lgamma()).exp())
    }
    fn entropy(&self) -> Tensor {
        let r = self.concentration.reciprocal();
        EULER * (1.0 - &r) + (&*self.scale * &r).log() + 1.0
    }
}

of_two! {
    /// The Pareto distribution: `torch.distributions.Pareto(scale, alpha)`.
    ///
    /// ```
    /// use torch::distributions::Pareto;
    /// assert_eq!(Pareto::new(1.0, 2.0).mean().item(), 2.0);
    /// ```
    Pareto {
        /// Where it begins.
        scale: constraints::positive(),
        /// The shape.
        alpha: constraints::positive()
    }
    printed alpha scale;
    whole |scale, alpha, _given, validate| {
        let base = Exponential::with(alpha, |o| o.validate_args(validate));
        transformed(base, [ExpTransform::new(), AffineTransform::new(0, scale)], validate)
    };

    fn support(&self) -> Constraint {
        constraints::greater_than_eq(&self.scale)
    }
    fn mean(&self) -> Tensor {
        let a = self.alpha.clamp(1, None);
        &a * &self.scale / (&a - 1.0)
    }
    fn mode(&self) -> Tensor {
        self.scale.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        let a = self.alpha.clamp(2, None);
        self.scale.pow(2) * &a / ((&a - 1.0).pow(2) * (&a - 2.0))
    }
    fn entropy(&self) -> Tensor {
        (&*self.scale / &self.alpha).log() + (1.0 + self.alpha.reciprocal())
    }
}

of_two! {
    /// The Kumaraswamy distribution over [0, 1]: `torch.distributions.Kumaraswamy(concentration1, concentration0)`.
    ///
    /// ```
    /// use torch::distributions::Kumaraswamy;
    /// assert_eq!(Kumaraswamy::new(1.0, 1.0).mean().item(), 0.5);
    /// ```
    Kumaraswamy {
        /// The first concentration.
        concentration1: constraints::positive(),
        /// The second concentration.
        concentration0: constraints::positive()
    }
    printed concentration1 concentration0;
    whole |concentration1, concentration0, _given, validate| {
        let base = Uniform::with(concentration0.zeros_like(), concentration0.ones_like(), |o| o.validate_args(validate));
        let transforms = [
            PowerTransform::new(concentration0.reciprocal()),
            AffineTransform::new(1.0, -1.0),
            PowerTransform::new(concentration1.reciprocal()),
        ];
        transformed(base, transforms, validate)
    };

    fn support(&self) -> Constraint {
        constraints::unit_interval()
    }
    fn mean(&self) -> Tensor {
        self.moment(1.0)
    }
    fn mode(&self) -> Tensor {
        let (a, b) = (&*self.concentration1, &*self.concentration0);
        let log = b.reciprocal() * (-b).log1p() - (-b * a).log1p();
        replaced(&log, &(b.lt(1) | a.lt(1)), f64::NAN).exp()
    }
    fn variance(&self) -> Tensor {
        self.moment(2.0) - self.mean().pow(2)
    }
    fn entropy(&self) -> Tensor {
        let (a, b) = (&*self.concentration1, &*self.concentration0);
        let (t1, t0) = (1.0 - a.reciprocal(), 1.0 - b.reciprocal());
        t0 + t1 * ((b + 1.0).digamma() + EULER) - a.log() - b.log()
    }
}

impl Kumaraswamy {
    fn moment(&self, n: f64) -> Tensor {
        let (a, b) = (&*self.concentration1, &*self.concentration0);
        let arg = 1.0 + n / a;
        b * (arg.lgamma() + b.lgamma() - (&arg + b).lgamma()).exp()
    }
}

expands!(LogNormal, HalfNormal, HalfCauchy, InverseGamma, Gumbel, Weibull, Pareto, Kumaraswamy);
is_distribution!(LogNormal, HalfNormal, HalfCauchy, InverseGamma, Gumbel, Weibull, Pareto, Kumaraswamy);
