//! Transforms made of others, and of a distribution.

use super::{Transform, TransformRule, same, sign_of};
use crate::constraints::{self, Constraint};
use crate::distribution::{Distribution, IntoDistribution};
use crate::fail;
use crate::value::{Value, sum_rightmost};
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::Scalar;
use std::sync::Arc;

/// Several transforms, one after the other.
///
/// ```
/// use torch::distributions::{AffineTransform, ComposeTransform, ExpTransform};
/// let t = ComposeTransform::new([ExpTransform::new(), AffineTransform::new(1.0, 2.0)]);
/// assert_eq!(t.call(torch::tensor(0.0)).item(), 3.0);
/// ```
pub struct ComposeTransform {
    parts: Vec<Transform>,
}

impl ComposeTransform {
    /// The transform of these parts, the first one first.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new(parts: impl Into<Vec<Transform>>) -> Transform {
        Transform::new(ComposeTransform { parts: parts.into() })
    }
}

/// A constraint whose event has `dims` dimensions.
fn reaching(constraint: Constraint, dims: usize) -> Constraint {
    match dims.saturating_sub(constraint.event_dim()) {
        0 => constraint,
        more => constraints::independent(constraint, more),
    }
}

impl TransformRule for ComposeTransform {
    fn class(&self) -> &'static str {
        "ComposeTransform"
    }
    fn domain(&self) -> Constraint {
        let (Some(first), Some(last)) = (self.parts.first(), self.parts.last()) else { return constraints::real() };
        let mut dims = last.codomain().event_dim();
        for part in self.parts.iter().rev() {
            let (from, to) = (part.domain().event_dim(), part.codomain().event_dim());
            dims = (dims + from).saturating_sub(to).max(from);
        }
        reaching(first.domain(), dims)
    }
    fn codomain(&self) -> Constraint {
        let (Some(first), Some(last)) = (self.parts.first(), self.parts.last()) else { return constraints::real() };
        let mut dims = first.domain().event_dim();
        for part in &self.parts {
            let (from, to) = (part.domain().event_dim(), part.codomain().event_dim());
            dims = (dims + to).saturating_sub(from).max(to);
        }
        reaching(last.codomain(), dims)
    }
    fn bijective(&self) -> bool {
        self.parts.iter().all(Transform::bijective)
    }
    fn sign(&self) -> Option<Value> {
        sign_of(&self.parts)
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        self.parts.iter().fold(x.shallow_clone(), |x, part| part.apply(&x))
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        self.parts.iter().rev().fold(y.shallow_clone(), |y, part| part.inv().apply(&y))
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let Some((_, but_last)) = self.parts.split_last() else { return x.zeros_like() };
        let mut xs = vec![x.shallow_clone()];
        for part in but_last {
            let next = part.apply(xs.last().expect("there is one"));
            xs.push(next);
        }
        xs.push(y.shallow_clone());
        let mut dims = self.domain().event_dim();
        let mut sum: Option<Tensor> = None;
        for (part, pair) in self.parts.iter().zip(xs.windows(2)) {
            let (from, to) = (part.domain().event_dim(), part.codomain().event_dim());
            let term = sum_rightmost(part.log_det(&pair[0], &pair[1]), dims - from);
            sum = Some(match sum {
                Some(sum) => sum + term,
                None => term,
            });
            dims = dims + to - from;
        }
        sum.expect("a composition without parts has returned")
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.parts.iter().fold(shape.to_vec(), |shape, part| part.shape_forward(&shape))
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.parts.iter().rev().fold(shape.to_vec(), |shape, part| part.shape_inverse(&shape))
    }
    fn inverted(&self) -> Option<Transform> {
        let parts: Vec<Transform> = self.parts.iter().rev().map(Transform::inv).collect();
        Some(ComposeTransform::new(parts))
    }
    fn parts(&self) -> Option<&[Transform]> {
        Some(&self.parts)
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some_and(|o| self.parts == o.parts)
    }
    fn repr(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Transform::to_string).collect();
        format!("ComposeTransform(\n    {}\n)", parts.join(",\n    "))
    }
}

/// A transform of which the last `reinterpreted_batch_ndims` dimensions are one event.
///
/// ```
/// use torch::distributions::{ExpTransform, IndependentTransform};
/// let t = IndependentTransform::new(ExpTransform::new(), 1);
/// let x = torch::ones((4, 3));
/// assert_eq!(t.log_abs_det_jacobian(&x, t.call(&x)).size(), [4]);
/// ```
pub struct IndependentTransform {
    base: Transform,
    dims: usize,
}

impl IndependentTransform {
    /// The transform of a base and a number of dimensions.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new(base_transform: Transform, reinterpreted_batch_ndims: usize) -> Transform {
        Transform::new(IndependentTransform { base: base_transform, dims: reinterpreted_batch_ndims })
    }

    fn enough(&self, x: &Tensor, constraint: &Constraint) {
        if x.dim() < constraint.event_dim() {
            fail::value("Too few dimensions on input");
        }
    }
}

impl TransformRule for IndependentTransform {
    fn class(&self) -> &'static str {
        "IndependentTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::independent(self.base.domain(), self.dims)
    }
    fn codomain(&self) -> Constraint {
        constraints::independent(self.base.codomain(), self.dims)
    }
    fn bijective(&self) -> bool {
        self.base.bijective()
    }
    fn sign(&self) -> Option<Value> {
        sign_of(std::slice::from_ref(&self.base))
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        self.enough(x, &self.domain());
        self.base.apply(x)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        self.enough(y, &self.codomain());
        self.base.inv().apply(y)
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        sum_rightmost(self.base.log_det(x, y), self.dims)
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.base.shape_forward(shape)
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.base.shape_inverse(shape)
    }
    fn repr(&self) -> String {
        format!("IndependentTransform({}, {})", self.base, self.dims)
    }
}

/// Transforms of parts along a dimension, one each.
///
/// ```
/// use torch::distributions::{CatTransform, ExpTransform, identity_transform};
/// let t = CatTransform::new([ExpTransform::new(), identity_transform()], 0);
/// assert_eq!(t.call(torch::tensor([0.0, 5.0])).to_vec::<f32>(), [1.0, 5.0]);
/// ```
pub struct CatTransform {
    transforms: Vec<Transform>,
    dim: i64,
    lengths: Vec<usize>,
}

impl CatTransform {
    /// The transform of parts of one element each along `dim`.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    #[track_caller]
    pub fn new(tseq: impl Into<Vec<Transform>>, dim: i64) -> Transform {
        let tseq = tseq.into();
        let lengths = vec![1; tseq.len()];
        Self::with_lengths(tseq, dim, lengths)
    }

    /// [`new`](CatTransform::new) for parts of these lengths: PyTorch's keyword `lengths`.
    ///
    /// # Panics
    /// When there are more or fewer lengths than transforms.
    ///
    /// ```
    /// use torch::distributions::{CatTransform, ExpTransform, identity_transform};
    /// let t = CatTransform::with_lengths([ExpTransform::new(), identity_transform()], 0, [2, 1]);
    /// assert_eq!(t.call(torch::tensor([0.0, 0.0, 5.0])).to_vec::<f32>(), [1.0, 1.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn with_lengths(tseq: impl Into<Vec<Transform>>, dim: i64, lengths: impl Into<Vec<usize>>) -> Transform {
        let (transforms, lengths) = (tseq.into(), lengths.into());
        if transforms.len() != lengths.len() {
            fail::other(format!("lengths ({}) must match transforms ({})", lengths.len(), transforms.len()));
        }
        Transform::new(CatTransform { transforms, dim, lengths })
    }

    fn check(&self, x: &Tensor, name: &str, what: &str) {
        fits(self.dim, x, what);
        let length: usize = self.lengths.iter().sum();
        let found = x.size_dim(self.dim);
        if found != length {
            fail::other(format!("{name}.size({}) = {found} must equal length {length}", self.dim));
        }
    }

    /// Each transform with its part of a tensor.
    fn slices<'a>(&'a self, x: &'a Tensor) -> impl Iterator<Item = (&'a Transform, Tensor)> {
        let mut start = 0;
        self.transforms.iter().zip(&self.lengths).map(move |(t, &length)| {
            let part = x.narrow(self.dim, start, length);
            start += length;
            (t, part)
        })
    }
}

fn fits(dim: i64, x: &Tensor, what: &str) {
    let n = x.dim() as i64;
    if dim < -n || dim >= n {
        fail::other(format!("dim {dim} out of range for {what} with {n} dimensions"));
    }
}

impl TransformRule for CatTransform {
    fn class(&self) -> &'static str {
        "CatTransform"
    }
    fn domain(&self) -> Constraint {
        let parts: Vec<Constraint> = self.transforms.iter().map(Transform::domain).collect();
        constraints::cat_lengths(parts, self.dim, &self.lengths[..])
    }
    fn codomain(&self) -> Constraint {
        let parts: Vec<Constraint> = self.transforms.iter().map(Transform::codomain).collect();
        constraints::cat_lengths(parts, self.dim, &self.lengths[..])
    }
    fn bijective(&self) -> bool {
        self.transforms.iter().all(Transform::bijective)
    }
    fn event_dim(&self) -> usize {
        self.transforms.iter().map(Transform::event_dim).max().unwrap_or(0)
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        self.check(x, "x", "tensor");
        let parts: Vec<Tensor> = self.slices(x).map(|(t, part)| t.apply(&part)).collect();
        ops::cat(&parts, self.dim).or_panic()
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        self.check(y, "y", "tensor");
        let parts: Vec<Tensor> = self.slices(y).map(|(t, part)| t.inv().apply(&part)).collect();
        ops::cat(&parts, self.dim).or_panic()
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.check(x, "x", "x");
        self.check(y, "y", "y");
        let event_dim = self.event_dim();
        let terms: Vec<Tensor> = self
            .slices(x)
            .zip(self.slices(y))
            .map(|((t, x), (_, y))| sum_rightmost(t.log_det(&x, &y), event_dim - t.event_dim()))
            .collect();
        let dim = if self.dim >= 0 { self.dim - x.dim() as i64 } else { self.dim } + event_dim as i64;
        match dim < 0 {
            true => ops::cat(&terms, dim).or_panic(),
            false => terms.iter().sum(),
        }
    }
}

/// Transforms of slices along a dimension, one each.
///
/// ```
/// use torch::distributions::{ExpTransform, StackTransform, identity_transform};
/// let t = StackTransform::new([ExpTransform::new(), identity_transform()], 0);
/// assert_eq!(t.call(torch::tensor([0.0, 5.0])).to_vec::<f32>(), [1.0, 5.0]);
/// ```
pub struct StackTransform {
    transforms: Vec<Transform>,
    dim: i64,
}

impl StackTransform {
    /// The transform of slices along `dim`.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new(tseq: impl Into<Vec<Transform>>, dim: i64) -> Transform {
        Transform::new(StackTransform { transforms: tseq.into(), dim })
    }

    fn slices(&self, x: &Tensor, name: &str, what: &str) -> Vec<Tensor> {
        fits(self.dim, x, what);
        let (found, expected) = (x.size_dim(self.dim), self.transforms.len());
        if found != expected {
            fail::other(format!("{name}.size({}) = {found} must equal len(transforms) {expected}", self.dim));
        }
        ops::unbind(x, self.dim).or_panic()
    }
}

impl TransformRule for StackTransform {
    fn class(&self) -> &'static str {
        "StackTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::stack(self.transforms.iter().map(Transform::domain).collect::<Vec<_>>(), self.dim)
    }
    fn codomain(&self) -> Constraint {
        constraints::stack(self.transforms.iter().map(Transform::codomain).collect::<Vec<_>>(), self.dim)
    }
    fn bijective(&self) -> bool {
        self.transforms.iter().all(Transform::bijective)
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        let slices = self.slices(x, "x", "tensor");
        let parts: Vec<Tensor> = slices.iter().zip(&self.transforms).map(|(x, t)| t.apply(x)).collect();
        ops::stack(&parts, self.dim).or_panic()
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        let slices = self.slices(y, "y", "tensor");
        let parts: Vec<Tensor> = slices.iter().zip(&self.transforms).map(|(y, t)| t.inv().apply(y)).collect();
        ops::stack(&parts, self.dim).or_panic()
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let (xs, ys) = (self.slices(x, "x", "x"), self.slices(y, "y", "y"));
        let terms: Vec<Tensor> = xs.iter().zip(&ys).zip(&self.transforms).map(|((x, y), t)| t.log_det(x, y)).collect();
        ops::stack(&terms, self.dim).or_panic()
    }
}

/// A distribution's `cdf` as a transform, whose inverse is its `icdf`.
///
/// ```
/// use torch::distributions::{CumulativeDistributionTransform, Normal};
/// let t = CumulativeDistributionTransform::new(Normal::new(0.0, 1.0));
/// assert_eq!(t.call(torch::tensor(0.0)).item(), 0.5);
/// ```
pub struct CumulativeDistributionTransform {
    distribution: Arc<dyn Distribution>,
}

impl CumulativeDistributionTransform {
    /// The transform of a distribution.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new(distribution: impl IntoDistribution) -> Transform {
        Transform::new(CumulativeDistributionTransform { distribution: distribution.into_distribution() })
    }
}

impl TransformRule for CumulativeDistributionTransform {
    fn class(&self) -> &'static str {
        "CumulativeDistributionTransform"
    }
    fn domain(&self) -> Constraint {
        self.distribution.support()
    }
    fn codomain(&self) -> Constraint {
        constraints::unit_interval()
    }
    fn bijective(&self) -> bool {
        true
    }
    fn sign(&self) -> Option<Value> {
        Some(Value::Number(Scalar::Int(1)))
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        self.distribution.cdf_of(x)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        self.distribution.quantile(y)
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, _y: &Tensor) -> Tensor {
        self.distribution.log_prob_of(x)
    }
}
