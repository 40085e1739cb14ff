//! Samples with given probabilities, drawn where the probabilities are: on a GPU, without a wait.

use crate::Tensor;
use crate::error::Result;
use crate::ops::nn::loss::bce::NO_PROBABILITY;
use crate::ops::{copy, cumsum, div, expand, map, narrow, random_in_place, sum_map, to_dtype, to_i64, unsqueeze};
use flambeau_tensor::Finding;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::ops::refuse_where;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::random::Generator;
use std::sync::LazyLock;

/// a < b
static BELOW: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).lt(b.input(1))));
/// a ≤ b
static UP_TO: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).le(b.input(1))));

/// Uniform numbers of [0, 1) in the precision that a dtype computes in.
fn uniform(shape: &[usize], like: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    let drawn = copy::empty(shape, like.dtype().compute(), like.device())?.into();
    random_in_place(&drawn, Distribution::Uniform { from: 0.0, to: 1.0 }, generator)
}

/// One with the probability that each element names, else zero. A probability outside [0, 1] is told at the next readback.
pub(crate) fn bernoulli(p: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    refuse_where(&NO_PROBABILITY, &p.array(), &[], Finding::NoChance)?;
    let drawn = uniform(&p.size(), p, generator)?;
    to_dtype(&map("NotDifferentiable", &BELOW, &[&drawn, &p.detach()], &[])?, p.dtype())
}

/// Indices drawn in proportion to the weights along the last dimension, into a shape whose last length is the number of
/// draws: how many running sums of the row's probabilities a uniform number has reached.
pub(crate) fn with_replacement(weights: &Tensor, shape: &[usize], generator: Option<&Generator>) -> Result<Tensor> {
    let categories = *weights.size().last().expect("the caller has checked the dimensions");
    let sums = cumsum(weights, -1, Some(weights.dtype().compute()))?;
    // The last becomes exactly one, above every draw, and so do those of trailing categories without weight.
    let sums = div(&sums, &narrow(&sums, -1, categories as i64 - 1, 1)?)?;
    let drawn = uniform(shape, weights, generator)?;
    let mut full = to_i64(shape);
    full.push(categories as i64);
    let sums = expand(&unsqueeze(&sums, -2)?, &full)?;
    let drawn = expand(&unsqueeze(&drawn, -1)?, &full)?;
    sum_map("NotDifferentiable", Some(&UP_TO), &[&sums, &drawn], &[], &[-1], false, None)
}
