//! The Dirichlet distribution and its case of two components, Beta.

use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, ValidateOptions, check_arguments, shape_of};
use crate::value::{Shared, Value, broadcast_all, expanded};
use crate::{IntoValue, fail};
use flambeau_autograd::ops::IntoShape;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, at_caller, ops};
use std::sync::Arc;

/// The Dirichlet distribution of vectors that sum to 1: `torch.distributions.Dirichlet(concentration)`. Samples have gradients;
/// they are drawn on the host.
///
/// ```
/// use torch::distributions::Dirichlet;
/// let d = Dirichlet::new(torch::tensor([1.0, 3.0]));
/// assert_eq!(d.mean().to_vec::<f32>(), [0.25, 0.75]);
/// ```
#[derive(Clone)]
pub struct Dirichlet {
    frame: Frame,
    concentration: Shared,
}

impl Dirichlet {
    /// The distribution of these concentrations along the last dimension.
    ///
    /// # Panics
    /// When they are not positive, or there is no dimension.
    #[track_caller]
    pub fn new(concentration: impl AsTensor) -> Self {
        Self::with(concentration, |o| o)
    }

    /// [`new`](Dirichlet::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(concentration: impl AsTensor, options: impl FnOnce(ValidateOptions) -> ValidateOptions) -> Self {
        let options = options(ValidateOptions::default());
        at_caller(|| {
            let concentration = concentration.as_tensor().shallow_clone();
            let size = concentration.size();
            let Some((&n, batch)) = size.split_last() else {
                fail::value("`concentration` parameter must be at least one-dimensional.")
            };
            let frame = Frame::new(batch, [n], options.validate_args);
            let made = Dirichlet { frame, concentration: concentration.into() };
            check_arguments(&made);
            made
        })
    }

    /// The concentrations.
    pub fn concentration(&self) -> &Tensor {
        &self.concentration
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        let frame = self.frame.with_batch(batch);
        let concentration = expanded(&self.concentration, &frame.extended(&[])).into();
        Dirichlet { frame, concentration }
    }
}

expands!(Dirichlet);
is_distribution!(Dirichlet, Beta);

impl Distribution for Dirichlet {
    fn class(&self) -> &'static str {
        "Dirichlet"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        let positive = constraints::independent(constraints::positive(), 1);
        vec![Argument::own("concentration", positive, &self.concentration)]
    }
    fn is_exponential_family(&self) -> bool {
        true
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::simplex()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        &*self.concentration / self.concentration.sum_dim(-1, true)
    }
    fn mode(&self) -> Tensor {
        let beyond = (&*self.concentration - 1.0).clamp(0, None);
        let mode = &beyond / beyond.sum_dim(-1, true);
        // Without a peak inside, the first largest component (of NaNs, the first) takes all.
        let n = mode.size_dim(-1) as i64;
        let corner = ops::one_hot(&mode.argmax_dim(-1, false), n).or_panic().to(&mode);
        let flat = self.concentration.lt(1).all_dim(-1, true);
        ops::where_(&flat, &corner, &mode).or_panic()
    }
    fn variance(&self) -> Tensor {
        let total = self.concentration.sum_dim(-1, true);
        &*self.concentration * (&total - &self.concentration) / (total.pow(2) * (&total + 1.0))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        ops::_sample_dirichlet(&expanded(&self.concentration, &self.frame.extended(shape)), None).or_panic()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        (&*self.concentration - 1.0).xlogy(value).sum_dim(-1, false) + self.concentration.sum_dim(-1, false).lgamma()
            - self.concentration.lgamma().sum_dim(-1, false)
    }
    fn entropy(&self) -> Tensor {
        let k = self.concentration.size_dim(-1) as f64;
        let a0 = self.concentration.sum_dim(-1, false);
        self.concentration.lgamma().sum_dim(-1, false)
            - a0.lgamma()
            - (k - &a0) * a0.digamma()
            - ((&*self.concentration - 1.0) * self.concentration.digamma()).sum_dim(-1, false)
    }
}

/// The beta distribution over [0, 1]: `torch.distributions.Beta(concentration1, concentration0)`.
///
/// ```
/// use torch::distributions::Beta;
/// assert_eq!(Beta::new(1.0, 3.0).mean().item(), 0.25);
/// ```
#[derive(Clone)]
pub struct Beta {
    frame: Frame,
    dirichlet: Dirichlet,
}

impl Beta {
    /// The distribution of two concentrations, often called alpha and beta, tensors or numbers.
    ///
    /// # Panics
    /// When they are not positive.
    #[track_caller]
    pub fn new(concentration1: impl IntoValue, concentration0: impl IntoValue) -> Self {
        Self::with(concentration1, concentration0, |o| o)
    }

    /// [`new`](Beta::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        concentration1: impl IntoValue,
        concentration0: impl IntoValue,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let options = options(ValidateOptions::default());
        let both = [concentration1.into_value(), concentration0.into_value()].map(|v| match v {
            Value::Number(n) => Value::Number(n.to_f64().into()),
            tensor => tensor,
        });
        at_caller(|| {
            let concentration = ops::stack(&broadcast_all(&both), -1).or_panic();
            let dirichlet = Dirichlet::with(concentration, |o| o.validate_args(options.validate_args));
            let frame = Frame::new(dirichlet.frame.batch(), [], options.validate_args);
            let made = Beta { frame, dirichlet };
            check_arguments(&made);
            made
        })
    }

    /// The first concentration.
    pub fn concentration1(&self) -> Tensor {
        self.dirichlet.concentration.select(-1, 0)
    }

    /// The second concentration.
    pub fn concentration0(&self) -> Tensor {
        self.dirichlet.concentration.select(-1, 1)
    }

    /// The distribution with its parameters expanded to another batch shape.
    #[track_caller]
    #[must_use]
    pub fn expand(&self, batch_shape: impl IntoShape) -> Self {
        at_caller(|| self.expand_to(&shape_of(batch_shape)))
    }

    pub(crate) fn expand_to(&self, batch: &[usize]) -> Self {
        Beta { frame: self.frame.with_batch(batch), dirichlet: self.dirichlet.expand_to(batch) }
    }
}

impl Distribution for Beta {
    fn class(&self) -> &'static str {
        "Beta"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        vec![
            Argument::computed("concentration1", constraints::positive(), self.concentration1()),
            Argument::computed("concentration0", constraints::positive(), self.concentration0()),
        ]
    }
    fn is_exponential_family(&self) -> bool {
        true
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::unit_interval()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.concentration1() / (self.concentration1() + self.concentration0())
    }
    fn mode(&self) -> Tensor {
        self.dirichlet.mode().select(-1, 0)
    }
    fn variance(&self) -> Tensor {
        let total = self.concentration1() + self.concentration0();
        self.concentration1() * self.concentration0() / (total.pow(2) * (&total + 1.0))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        self.dirichlet.draw_reparameterized(shape).select(-1, 0)
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let other = 1.0 - value;
        let both = ops::stack(&[value, &other], -1).or_panic();
        self.dirichlet.log_prob_of(&both)
    }
    fn entropy(&self) -> Tensor {
        self.dirichlet.entropy()
    }
}
