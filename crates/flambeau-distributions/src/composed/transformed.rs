//! What transforms make of a distribution.

use super::Independent;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Distribution, Frame, IntoDistribution, ValidateOptions, check_arguments};
use crate::fail;
use crate::transforms::{ComposeTransform, IntoTransforms, Transform, sign_of};
use crate::value::{Value, sum_rightmost};
use flambeau_autograd::{Tensor, at_caller, no_grad};
use std::sync::Arc;

/// What transforms, applied one after the other, make of a distribution: `torch.distributions.TransformedDistribution`.
///
/// ```
/// use torch::distributions::{AffineTransform, ExpTransform, Normal, TransformedDistribution};
/// let base = Normal::new(0.0, 1.0);
/// let d = TransformedDistribution::new(base, [AffineTransform::new(1.0, 2.0), ExpTransform::new()]);
/// assert!((d.log_prob(torch::tensor(1.0)).item() + 1.7370857).abs() < 1e-6);
/// ```
#[derive(Clone)]
pub struct TransformedDistribution {
    frame: Frame,
    base: Arc<dyn Distribution>,
    transforms: Vec<Transform>,
}

impl TransformedDistribution {
    /// The distribution of a base and transforms.
    ///
    /// # Panics
    /// When their shapes do not fit.
    #[track_caller]
    pub fn new(base_distribution: impl IntoDistribution, transforms: impl IntoTransforms) -> Self {
        Self::with(base_distribution, transforms, |o| o)
    }

    /// [`new`](TransformedDistribution::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        base_distribution: impl IntoDistribution,
        transforms: impl IntoTransforms,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let options = options(ValidateOptions::default());
        at_caller(|| {
            let made =
                Self::of(base_distribution.into_distribution(), transforms.into_transforms(), options.validate_args);
            check_arguments(&made);
            made
        })
    }

    pub(crate) fn of(base: Arc<dyn Distribution>, transforms: Vec<Transform>, validate_args: Option<bool>) -> Self {
        let base_shape = base.frame().extended(&[]);
        let base_dims = base.frame().event().len();
        let transform = ComposeTransform::new(transforms.clone());
        let (from, to) = (transform.domain().event_dim(), transform.codomain().event_dim());
        if base_shape.len() < from {
            fail::value(format!(
                "base_distribution needs to have shape with size at least {from}, but got {}.",
                flambeau_tensor::print::format_size(&base_shape)
            ));
        }
        let forward = transform.shape_forward(&base_shape);
        let expanded = transform.shape_inverse(&forward);
        let mut base = base;
        if base_shape != expanded {
            base = base.expand_batch(&expanded[..expanded.len() - base_dims]);
        }
        if from > base_dims {
            base = Arc::new(Independent::new(base, from - base_dims));
        }
        let event_dims = to.max((base_dims + to).saturating_sub(from));
        if forward.len() < event_dims {
            fail::other(format!("forward_shape length {} must be >= event_dim {event_dims}", forward.len()));
        }
        let (batch, event) = forward.split_at(forward.len() - event_dims);
        TransformedDistribution { frame: Frame::new(batch, event, validate_args), base, transforms }
    }

    /// The base distribution.
    pub fn base_dist(&self) -> &dyn Distribution {
        &*self.base
    }

    /// The transforms.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    pub(crate) fn expand_to(&self, batch: &[usize]) -> Self {
        let frame = self.frame.with_batch(batch);
        let shape = self.transforms.iter().rev().fold(frame.extended(&[]), |shape, t| t.shape_inverse(&shape));
        let base = self.base.expand_batch(&shape[..shape.len() - self.base.frame().event().len()]);
        TransformedDistribution { frame, base, transforms: self.transforms.clone() }
    }

    /// A probability from below, turned into one from above where the transforms fall.
    fn monotonize(&self, value: Tensor) -> Tensor {
        let Some(sign) = sign_of(&self.transforms) else {
            let without = self.transforms.iter().find(|t| sign_of(std::slice::from_ref(t)).is_none());
            let name = without.map_or_else(String::new, Transform::to_string);
            fail::other(format!("NotImplementedError: {name} has no sign"))
        };
        match sign {
            Value::Number(n) if n.to_i64() == 1 => value,
            Value::Number(n) => (value - 0.5) * n + 0.5,
            Value::Tensor(sign) => sign * (value - 0.5) + 0.5,
        }
    }
}

expands!(TransformedDistribution);
is_distribution!(TransformedDistribution);

impl Distribution for TransformedDistribution {
    fn class(&self) -> &'static str {
        "TransformedDistribution"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        let Some(last) = self.transforms.last() else { return self.base.support() };
        let support = last.codomain();
        match self.frame.event().len().saturating_sub(support.event_dim()) {
            0 => support,
            more => constraints::independent(support, more),
        }
    }
    fn has_rsample(&self) -> bool {
        self.base.has_rsample()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        self.transforms.iter().fold(self.base.draw(shape), |x, t| t.apply(&x))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        self.transforms.iter().fold(self.base.draw_reparameterized(shape), |x, t| t.apply(&x))
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let mut dims = self.frame.event().len();
        let mut y = value.shallow_clone();
        let mut sum: Option<Tensor> = None;
        for t in self.transforms.iter().rev() {
            let x = t.inv().apply(&y);
            let (from, to) = (t.domain().event_dim(), t.codomain().event_dim());
            dims = dims + from - to;
            let term = sum_rightmost(t.log_det(&x, &y), dims - from);
            sum = Some(match sum {
                Some(sum) => sum - term,
                None => -term,
            });
            y = x;
        }
        let of_base = sum_rightmost(self.base.log_prob_of(&y), dims - self.base.frame().event().len());
        match sum {
            Some(sum) => sum + of_base,
            None => of_base,
        }
    }
    fn checks_cdf(&self) -> bool {
        false
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        let x = self.transforms.iter().rev().fold(value.shallow_clone(), |y, t| t.inv().apply(&y));
        if self.frame.validates() {
            self.base.validate_sample(&x);
        }
        self.monotonize(self.base.cdf_of(&x))
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        let base = self.base.quantile(&self.monotonize(probability.shallow_clone()));
        self.transforms.iter().fold(base, |x, t| t.apply(&x))
    }
}
