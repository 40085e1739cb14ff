//! Mixtures.

use crate::constraints::{Constraint, MixtureSameFamilyConstraint};
use crate::declare::{expands, is_distribution};
use crate::discrete::Categorical;
use crate::distribution::{Distribution, Frame, IntoDistribution, ValidateOptions, check_arguments};
use crate::fail;
use flambeau_autograd::{OrPanic, Tensor, at_caller, no_grad, ops};
use std::sync::Arc;

/// A mixture of distributions of one kind, the last batch dimension of `component_distribution`, with the probabilities of a
/// [`Categorical`]: `torch.distributions.MixtureSameFamily`.
///
/// ```
/// use torch::distributions::{Categorical, MixtureSameFamily, Normal};
/// let components = Normal::new(torch::tensor([0.0, 10.0]), 1.0);
/// let d = MixtureSameFamily::new(Categorical::new(torch::ones(2)), components);
/// assert_eq!(d.mean().item(), 5.0);
/// ```
#[derive(Clone)]
pub struct MixtureSameFamily {
    frame: Frame,
    mixture: Categorical,
    component: Arc<dyn Distribution>,
}

fn numbers(x: &[usize]) -> Vec<i64> {
    x.iter().map(|&n| n as i64).collect()
}

impl MixtureSameFamily {
    /// The mixture of components with the probabilities of a categorical distribution.
    ///
    /// # Panics
    /// When their batch shapes do not fit.
    #[track_caller]
    pub fn new(mixture_distribution: Categorical, component_distribution: impl IntoDistribution) -> Self {
        Self::with(mixture_distribution, component_distribution, |o| o)
    }

    /// [`new`](MixtureSameFamily::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        mixture_distribution: Categorical,
        component_distribution: impl IntoDistribution,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let options = options(ValidateOptions::default());
        at_caller(|| {
            let (mixture, component) = (mixture_distribution, component_distribution.into_distribution());
            let (of_mixture, of_component) = (mixture.frame().batch(), component.frame().batch());
            let Some((&components, batch)) = of_component.split_last() else {
                // Python's `batch_shape[-1]` of an empty shape.
                fail::other("tuple index out of range")
            };
            for (&a, &b) in of_mixture.iter().rev().zip(batch.iter().rev()) {
                if a != 1 && b != 1 && a != b {
                    fail::value(format!(
                        "`mixture_distribution.batch_shape` ({}) is not compatible with `component_distribution.batch_shape`({})",
                        flambeau_tensor::print::format_size(of_mixture),
                        flambeau_tensor::print::format_size(batch)
                    ));
                }
            }
            let events = mixture.logits().size_dim(-1);
            if events != components {
                fail::value(format!(
                    "`mixture_distribution component` ({events}) does not equal `component_distribution.batch_shape[-1]` \
                     ({components})"
                ));
            }
            let frame = Frame::new(batch, component.frame().event(), options.validate_args);
            let made = MixtureSameFamily { frame, mixture, component };
            check_arguments(&made);
            made
        })
    }

    /// The probabilities of the components.
    pub fn mixture_distribution(&self) -> &Categorical {
        &self.mixture
    }

    /// The components.
    pub fn component_distribution(&self) -> &dyn Distribution {
        &*self.component
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        let components = self.mixture.num_events();
        MixtureSameFamily {
            frame: self.frame.with_batch(batch),
            mixture: self.mixture.expand_to(batch),
            component: self.component.expand_batch(&[batch, &[components]].concat()),
        }
    }

    fn event_dims(&self) -> i64 {
        self.frame.event().len() as i64
    }

    /// The dimension of the components in a sample of them.
    fn place(&self) -> i64 {
        -1 - self.event_dims()
    }

    fn pad(&self, x: &Tensor) -> Tensor {
        x.unsqueeze(self.place())
    }

    /// The mixture's probabilities beside the components' moments.
    fn padded_probs(&self) -> Tensor {
        let probs = self.mixture.probs();
        let (batch, of_mixture) = (self.frame.batch().len(), self.mixture.frame().batch().len());
        let more = if of_mixture == 1 { 0 } else { batch - of_mixture };
        let size = probs.size();
        let (last, head) = size.split_last().expect("probabilities have a dimension");
        let shape = [head, &vec![1; more], &[*last], &vec![1; self.frame.event().len()]].concat();
        probs.reshape(numbers(&shape))
    }
}

expands!(MixtureSameFamily);
is_distribution!(MixtureSameFamily);

impl Distribution for MixtureSameFamily {
    fn class(&self) -> &'static str {
        "MixtureSameFamily"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        MixtureSameFamilyConstraint(self.component.support())
    }
    fn mean(&self) -> Tensor {
        (self.padded_probs() * self.component.mean()).sum_dim(self.place(), false)
    }
    fn variance(&self) -> Tensor {
        let probs = self.padded_probs();
        let within = (&probs * self.component.variance()).sum_dim(self.place(), false);
        let centred = self.component.mean() - self.pad(&self.mean());
        within + (probs * centred.pow(2)).sum_dim(self.place(), false)
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let which = self.mixture.draw(shape);
        let all = self.component.draw(shape);
        let dim = (shape.len() + self.frame.batch().len()) as i64;
        let event = self.frame.event();
        let size = which.size();
        let ones = vec![1; event.len() + 1];
        let index = which.reshape(numbers(&[&size[..], &ones].concat()));
        let index = ops::expand(&index, &numbers(&[&size[..], &[1], event].concat())).or_panic();
        all.gather(dim, &index).squeeze_dim(dim)
    }
    fn draw_reparameterized(&self, _shape: &[usize]) -> Tensor {
        fail::other("NotImplementedError: MixtureSameFamily has no rsample")
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let of_component = self.component.log_prob_of(&self.pad(value));
        let of_mixture = self.mixture.logits().log_softmax(-1);
        ops::logsumexp(&(of_component + of_mixture), &[-1], false).or_panic()
    }
    fn checks_cdf(&self) -> bool {
        false
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        (self.component.cdf_of(&self.pad(value)) * self.mixture.probs()).sum_dim(-1, false)
    }
    fn repr(&self) -> String {
        format!("MixtureSameFamily(\n  {},\n  {})", self.mixture.repr(), self.component.repr())
    }
}
