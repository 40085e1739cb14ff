//! The logistic-normal distribution.

use crate::IntoValue;
use crate::composed::{Independent, TransformedDistribution};
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, ValidateOptions, check_arguments};
use crate::transforms::StickBreakingTransform;
use crate::univariate::Normal;
use flambeau_autograd::{Tensor, at_caller};
use std::any::Any;
use std::sync::Arc;

/// Vectors that sum to 1, made of normal numbers by breaking a stick: `torch.distributions.LogisticNormal(loc, scale)`.
///
/// ```
/// use torch::distributions::LogisticNormal;
/// let x = LogisticNormal::new(torch::zeros(3), torch::ones(3)).sample();
/// assert_eq!(x.size(), [4]);
/// assert!((x.sum().item() - 1.0).abs() < 1e-5);
/// ```
#[derive(Clone)]
pub struct LogisticNormal {
    whole: TransformedDistribution,
}

impl LogisticNormal {
    /// The distribution of the normal numbers' mean and deviation, tensors or numbers.
    ///
    /// # Panics
    /// When the deviation is not positive.
    #[track_caller]
    pub fn new(loc: impl IntoValue, scale: impl IntoValue) -> Self {
        Self::with(loc, scale, |o| o)
    }

    /// [`new`](LogisticNormal::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        loc: impl IntoValue,
        scale: impl IntoValue,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let validate = options(ValidateOptions::default()).validate_args;
        let (loc, scale) = (loc.into_value(), scale.into_value());
        at_caller(|| {
            let mut base = Normal::with(loc, scale, |o| o.validate_args(validate));
            if base.frame().batch().is_empty() {
                base = base.expand([1]);
            }
            let whole = TransformedDistribution::of(Arc::new(base), vec![StickBreakingTransform::new()], validate);
            let made = LogisticNormal { whole };
            check_arguments(&made);
            made
        })
    }

    fn normal(&self) -> &Normal {
        let whole: &dyn Any = self.whole.base_dist();
        let independent: &Independent = whole.downcast_ref().expect("a vector's transform makes the base independent");
        let base: &dyn Any = independent.base_dist();
        base.downcast_ref().expect("it was made of a normal distribution")
    }

    /// The mean of the normal numbers.
    pub fn loc(&self) -> &Tensor {
        self.normal().loc()
    }

    /// The standard deviation of the normal numbers.
    pub fn scale(&self) -> &Tensor {
        self.normal().scale()
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        LogisticNormal { whole: self.whole.expand_to(batch) }
    }
}

expands!(LogisticNormal);
is_distribution!(LogisticNormal);

impl Distribution for LogisticNormal {
    fn class(&self) -> &'static str {
        "LogisticNormal"
    }
    fn arguments(&self) -> Vec<Argument> {
        vec![
            Argument::computed("loc", constraints::real(), self.loc().shallow_clone()),
            Argument::computed("scale", constraints::positive(), self.scale().shallow_clone()),
        ]
    }
    fn parent(&self) -> Option<&dyn Distribution> {
        Some(&self.whole)
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::simplex()
    }
}
