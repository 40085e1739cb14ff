//! One of several categories, as a vector.

use super::Categorical;
use crate::IntoValue;
use crate::chances::ProbsOptions;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::value::expanded;
use flambeau_autograd::{OrPanic, Size, Tensor, at_caller, ops};
use std::sync::Arc;

/// A category as a vector of zeros and one 1: `torch.distributions.OneHotCategorical(probs)`, or by `logits`.
///
/// ```
/// use torch::distributions::OneHotCategorical;
/// let d = OneHotCategorical::new(torch::tensor([0.0, 1.0]));
/// assert_eq!(d.sample().to_vec::<f32>(), [0.0, 1.0]);
/// ```
#[derive(Clone)]
pub struct OneHotCategorical {
    frame: Frame,
    categorical: Categorical,
}

/// [`OneHotCategorical`] whose `rsample` has the gradient of the probabilities:
/// `torch.distributions.OneHotCategoricalStraightThrough`.
///
/// ```
/// use torch::distributions::OneHotCategoricalStraightThrough;
/// let probs = torch::tensor([0.0, 1.0]).requires_grad_(true);
/// let x = OneHotCategoricalStraightThrough::new(&probs).rsample();
/// assert_eq!(x.to_vec::<f32>(), [0.0, 1.0]);
/// assert!(x.requires_grad());
/// ```
#[derive(Clone)]
pub struct OneHotCategoricalStraightThrough {
    hard: OneHotCategorical,
}

impl OneHotCategorical {
    fn of(options: &ProbsOptions) -> Self {
        let categorical = Categorical::of(&ProbsOptions { validate: None, ..options.clone() });
        let frame = Frame::new(categorical.frame().batch(), [categorical.num_events()], options.validate);
        OneHotCategorical { frame, categorical }
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        OneHotCategorical { frame: self.frame.with_batch(batch), categorical: self.categorical.expand_to(batch) }
    }

    pub(crate) fn categorical(&self) -> &Categorical {
        &self.categorical
    }
}

impl OneHotCategoricalStraightThrough {
    fn of(options: &ProbsOptions) -> Self {
        OneHotCategoricalStraightThrough { hard: OneHotCategorical::of(options) }
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        OneHotCategoricalStraightThrough { hard: self.hard.expand_to(batch) }
    }

    fn categorical(&self) -> &Categorical {
        &self.hard.categorical
    }
}

/// Makes the constructors and accessors of a distribution around a [`Categorical`].
macro_rules! around {
    ($($name:ident)+) => {$(
        impl $name {
            /// The distribution of probabilities along the last dimension.
            ///
            /// # Panics
            /// When they are negative.
            #[track_caller]
            pub fn new(probs: impl IntoValue) -> Self {
                Self::with(|o| o.probs(probs))
            }

            /// The distribution of options: either `probs` or `logits`, and `validate_args`.
            ///
            /// # Panics
            /// When both or neither are given, or one is out of range.
            #[track_caller]
            pub fn with(options: impl FnOnce(ProbsOptions) -> ProbsOptions) -> Self {
                let options = options(ProbsOptions::default());
                at_caller(|| {
                    let made = Self::of(&options);
                    check_arguments(&made);
                    made
                })
            }

            /// The probabilities.
            pub fn probs(&self) -> &Tensor {
                self.categorical().probs()
            }

            /// Their logarithms.
            pub fn logits(&self) -> &Tensor {
                self.categorical().logits()
            }

            /// The shape of whichever was given.
            pub fn param_shape(&self) -> Size {
                self.categorical().param_shape()
            }
        }
    )+};
}

around!(OneHotCategorical OneHotCategoricalStraightThrough);
expands!(OneHotCategorical, OneHotCategoricalStraightThrough);
is_distribution!(OneHotCategorical, OneHotCategoricalStraightThrough);

fn one_hot(indices: &Tensor, like: &Tensor) -> Tensor {
    ops::one_hot(indices, like.size_dim(-1) as i64).or_panic().to(like)
}

impl Distribution for OneHotCategorical {
    fn class(&self) -> &'static str {
        "OneHotCategorical"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        self.categorical.chances().computed_arguments(constraints::simplex(), constraints::real_vector())
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::one_hot()
    }
    fn has_enumerate_support(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.probs().shallow_clone()
    }
    fn mode(&self) -> Tensor {
        one_hot(&self.probs().argmax_dim(-1, false), self.probs())
    }
    fn variance(&self) -> Tensor {
        self.probs() * (1.0 - self.probs())
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        one_hot(&self.categorical.draw(shape), self.probs())
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        self.categorical.log_prob_of(&value.argmax_dim(-1, false))
    }
    fn entropy(&self) -> Tensor {
        self.categorical.entropy()
    }
    fn enumerate(&self, expand: bool) -> Tensor {
        let n = self.categorical.num_events();
        let param = self.categorical.chances().param();
        let batch = self.frame.batch();
        let eye = ops::eye(n, None, param.dtype(), param.device()).or_panic();
        let shape: Vec<i64> = [vec![n as i64], vec![1; batch.len()], vec![n as i64]].concat();
        let values = eye.view(shape);
        if expand { expanded(&values, &[&[n], batch, &[n]].concat()) } else { values }
    }
}

impl Distribution for OneHotCategoricalStraightThrough {
    fn class(&self) -> &'static str {
        "OneHotCategoricalStraightThrough"
    }
    fn arguments(&self) -> Vec<Argument> {
        self.hard.arguments()
    }
    fn parent(&self) -> Option<&dyn Distribution> {
        Some(&self.hard)
    }
    fn mode(&self) -> Tensor {
        self.hard.mode()
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        self.hard.draw(shape)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        self.hard.draw(shape) + (self.probs() - self.probs().detach())
    }
}
