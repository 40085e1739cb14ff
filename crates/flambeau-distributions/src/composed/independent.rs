//! A distribution whose batch dimensions are part of the event.

use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Distribution, Frame, IntoDistribution, ValidateOptions, check_arguments};
use crate::fail;
use crate::value::sum_rightmost;
use flambeau_autograd::{Tensor, at_caller};
use std::sync::Arc;

/// A distribution of which the last `reinterpreted_batch_ndims` batch dimensions are part of the event, so that `log_prob` sums
/// over them: `torch.distributions.Independent`.
///
/// ```
/// use torch::distributions::{Independent, Normal};
/// let d = Independent::new(Normal::new(torch::zeros((2, 3)), 1.0), 1);
/// assert_eq!((d.batch_shape(), d.event_shape()), ([2usize][..].into(), [3usize][..].into()));
/// assert_eq!(d.log_prob(torch::zeros((2, 3))).size(), [2]);
/// ```
#[derive(Clone)]
pub struct Independent {
    frame: Frame,
    base: Arc<dyn Distribution>,
    dims: usize,
}

impl Independent {
    /// The distribution of a base and a number of its batch dimensions.
    ///
    /// # Panics
    /// When it has fewer.
    #[track_caller]
    pub fn new(base_distribution: impl IntoDistribution, reinterpreted_batch_ndims: usize) -> Self {
        Self::with(base_distribution, reinterpreted_batch_ndims, |o| o)
    }

    /// [`new`](Independent::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        base_distribution: impl IntoDistribution,
        reinterpreted_batch_ndims: usize,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let options = options(ValidateOptions::default());
        at_caller(|| {
            let (base, dims) = (base_distribution.into_distribution(), reinterpreted_batch_ndims);
            let shape = base.frame().extended(&[]);
            let batch_dims = base.frame().batch().len();
            if dims > batch_dims {
                fail::value(format!(
                    "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual {dims} vs {batch_dims}"
                ));
            }
            let (batch, event) = shape.split_at(batch_dims - dims);
            let made = Independent { frame: Frame::new(batch, event, options.validate_args), base, dims };
            check_arguments(&made);
            made
        })
    }

    /// The base distribution.
    pub fn base_dist(&self) -> &dyn Distribution {
        &*self.base
    }

    /// How many of its batch dimensions are part of the event.
    pub fn reinterpreted_batch_ndims(&self) -> usize {
        self.dims
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        let whole = [batch, &self.frame.event()[..self.dims]].concat();
        Independent { frame: self.frame.with_batch(batch), base: self.base.expand_batch(&whole), dims: self.dims }
    }
}

expands!(Independent);
is_distribution!(Independent);

impl Distribution for Independent {
    fn class(&self) -> &'static str {
        "Independent"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        match self.dims {
            0 => self.base.support(),
            n => constraints::independent(self.base.support(), n),
        }
    }
    fn has_rsample(&self) -> bool {
        self.base.has_rsample()
    }
    fn has_enumerate_support(&self) -> bool {
        self.dims == 0 && self.base.has_enumerate_support()
    }
    fn mean(&self) -> Tensor {
        self.base.mean()
    }
    fn mode(&self) -> Tensor {
        self.base.mode()
    }
    fn variance(&self) -> Tensor {
        self.base.variance()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        self.base.draw(shape)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        self.base.draw_reparameterized(shape)
    }
    fn checks_log_prob(&self) -> bool {
        false
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        sum_rightmost(self.base.log_prob_of(value), self.dims)
    }
    fn entropy(&self) -> Tensor {
        sum_rightmost(self.base.entropy(), self.dims)
    }
    fn enumerate(&self, expand: bool) -> Tensor {
        if self.dims > 0 {
            fail::other("Enumeration over cartesian product is not implemented");
        }
        self.base.enumerate(expand)
    }
    fn repr(&self) -> String {
        format!("Independent({}, {})", self.base.repr(), self.dims)
    }
}
