//! Distances and angles between vectors.

use crate::{Module, ModuleState, forward};
pub use flambeau_autograd::ops::paths::options::{CosineSimilarityOptions, PairwiseDistanceOptions};
use flambeau_autograd::{OrPanic, Tensor, ops};

/// The cosine of the angle between vectors: `nn.CosineSimilarity(dim, eps)`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let cosine = flambeau_nn::CosineSimilarity::new();
/// assert_eq!(cosine.call(tensor([[1.0, 0.0]]), tensor([[0.0, 2.0]])).to_vec::<f32>(), [0.0]);
/// ```
#[derive(Module)]
pub struct CosineSimilarity {
    options: CosineSimilarityOptions,
    state: ModuleState,
}

impl Default for CosineSimilarity {
    fn default() -> Self {
        Self::new()
    }
}

impl CosineSimilarity {
    /// Along the dimension 1.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `dim`, `eps`.
    #[track_caller]
    pub fn with(options: impl FnOnce(CosineSimilarityOptions) -> CosineSimilarityOptions) -> Self {
        CosineSimilarity { options: options(CosineSimilarityOptions::default()), state: ModuleState::new() }
    }
}

#[forward]
impl CosineSimilarity {
    #[track_caller]
    fn forward(&self, x1: &Tensor, x2: &Tensor) -> Tensor {
        ops::cosine_similarity(x1, x2, self.options.dim, self.options.eps).or_panic()
    }
}

/// The p-norm of the difference of vectors: `nn.PairwiseDistance(p, eps, keepdim)`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let distance = flambeau_nn::PairwiseDistance::with(|o| o.p(1).eps(0));
/// assert_eq!(distance.call(tensor([[1.0, 0.0]]), tensor([[0.0, 2.0]])).to_vec::<f32>(), [3.0]);
/// ```
#[derive(Module)]
pub struct PairwiseDistance {
    options: PairwiseDistanceOptions,
    state: ModuleState,
}

impl Default for PairwiseDistance {
    fn default() -> Self {
        Self::new()
    }
}

impl PairwiseDistance {
    /// Of order 2.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `p`, `eps`, `keepdim`.
    #[track_caller]
    pub fn with(options: impl FnOnce(PairwiseDistanceOptions) -> PairwiseDistanceOptions) -> Self {
        PairwiseDistance { options: options(PairwiseDistanceOptions::default()), state: ModuleState::new() }
    }
}

#[forward]
impl PairwiseDistance {
    #[track_caller]
    fn forward(&self, x1: &Tensor, x2: &Tensor) -> Tensor {
        let o = &self.options;
        ops::pairwise_distance(x1, x2, o.p, o.eps, o.keepdim).or_panic()
    }
}
