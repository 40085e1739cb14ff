//! Transforms of vectors and matrices.

use super::elementwise::{clipped_sigmoid, softplus};
use super::{Transform, TransformRule, same};
use crate::constraints::{self, Constraint};
use crate::fail;
use crate::value::{eps, filled, tiny, tril_matrix_to_vec, vec_to_tril_matrix};
use flambeau_autograd::{OrPanic, Tensor, ops};

fn at_least(shape: &[usize], dims: usize) {
    if shape.len() < dims {
        fail::value("Too few dimensions on input");
    }
}

/// `x` without its last element along the last dimension.
fn crop(x: &Tensor) -> Tensor {
    x.narrow(-1, 0, x.size_dim(-1) - 1)
}

/// Ones before (or after) the last dimension's elements.
fn with_one(x: &Tensor, before: bool) -> Tensor {
    let mut shape = x.size().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = 1;
    }
    let one = filled(&shape, 1.0, x);
    let both = if before { [&one, x] } else { [x, &one] };
    ops::cat(&both, -1).or_panic()
}

/// n, n − 1, …, 1.
fn countdown(n: usize, like: &Tensor) -> Tensor {
    let numbers: Vec<f64> = (1..=n).rev().map(|k| k as f64).collect();
    flambeau_autograd::from_vec(numbers, [n]).to(like.dtype()).to(like.device())
}

/// Softmax: from vectors of numbers to probabilities that sum to 1. Several vectors have the same result, so it is not bijective.
///
/// ```
/// use torch::distributions::SoftmaxTransform;
/// assert_eq!(SoftmaxTransform::new().call(torch::zeros(4)).to_vec::<f32>(), [0.25; 4]);
/// ```
pub struct SoftmaxTransform;

impl SoftmaxTransform {
    /// The transform.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new() -> Transform {
        Transform::new(SoftmaxTransform)
    }
}

impl TransformRule for SoftmaxTransform {
    fn class(&self) -> &'static str {
        "SoftmaxTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::real_vector()
    }
    fn codomain(&self) -> Constraint {
        constraints::simplex()
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        let (most, _) = ops::max_dim(x, -1, true).or_panic();
        let probs = (x - &most).exp();
        &probs / probs.sum_dim(-1, true)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        y.log()
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        at_least(shape, 1);
        shape.to_vec()
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.forward_shape(shape)
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some()
    }
}

/// From vectors of n numbers to n + 1 probabilities that sum to 1: each breaks its share off the stick that is left.
///
/// ```
/// use torch::distributions::StickBreakingTransform;
/// let y = StickBreakingTransform::new().call(torch::zeros(3));
/// assert!(y.allclose(&torch::full(4, 0.25)));
/// ```
pub struct StickBreakingTransform;

impl StickBreakingTransform {
    /// The transform.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new() -> Transform {
        Transform::new(StickBreakingTransform)
    }
}

impl TransformRule for StickBreakingTransform {
    fn class(&self) -> &'static str {
        "StickBreakingTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::real_vector()
    }
    fn codomain(&self) -> Constraint {
        constraints::simplex()
    }
    fn bijective(&self) -> bool {
        true
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        let z = clipped_sigmoid(&(x - countdown(x.size_dim(-1), x).log()));
        let left = (1.0 - &z).cumprod(-1);
        with_one(&z, false) * with_one(&left, true)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        let parts = crop(y);
        let left = (1.0 - parts.cumsum(-1)).clamp(tiny(y.dtype()), None);
        parts.log() - left.log() + countdown(parts.size_dim(-1), y).log()
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let x = x - countdown(x.size_dim(-1), x).log();
        (ops::logsigmoid(&x).or_panic() - &x + crop(y).log()).sum_dim(-1, false)
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        at_least(shape, 1);
        let mut shape = shape.to_vec();
        *shape.last_mut().expect("it has a dimension") += 1;
        shape
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        at_least(shape, 1);
        let mut shape = shape.to_vec();
        *shape.last_mut().expect("it has a dimension") -= 1;
        shape
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some()
    }
}

/// The strict lower triangle of a matrix plus a function of its diagonal.
fn with_diagonal(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    x.tril_diagonal(-1) + f(&x.diagonal_dims(0, -2, -1)).diag_embed()
}

/// From matrices to lower triangular ones of positive diagonal: the part above the diagonal is dropped, the diagonal exponentiated.
///
/// ```
/// use torch::distributions::LowerCholeskyTransform;
/// let l = LowerCholeskyTransform::new().call(torch::zeros((2, 2)));
/// assert_eq!(l.to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
/// ```
pub struct LowerCholeskyTransform;

impl LowerCholeskyTransform {
    /// The transform.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new() -> Transform {
        Transform::new(LowerCholeskyTransform)
    }
}

impl TransformRule for LowerCholeskyTransform {
    fn class(&self) -> &'static str {
        "LowerCholeskyTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::independent(constraints::real(), 2)
    }
    fn codomain(&self) -> Constraint {
        constraints::lower_cholesky()
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        with_diagonal(x, |d| d.exp())
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        with_diagonal(y, |d| d.log())
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some()
    }
}

/// From matrices to positive-definite ones: L Lᵀ, where L is what [`LowerCholeskyTransform`] gives.
///
/// ```
/// use torch::distributions::PositiveDefiniteTransform;
/// let m = PositiveDefiniteTransform::new().call(torch::tensor([[0.0, 9.0], [2.0, 0.0]]));
/// assert_eq!(m.to_vec::<f32>(), [1.0, 2.0, 2.0, 5.0]);
/// ```
pub struct PositiveDefiniteTransform;

impl PositiveDefiniteTransform {
    /// The transform.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new() -> Transform {
        Transform::new(PositiveDefiniteTransform)
    }
}

impl TransformRule for PositiveDefiniteTransform {
    fn class(&self) -> &'static str {
        "PositiveDefiniteTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::independent(constraints::real(), 2)
    }
    fn codomain(&self) -> Constraint {
        constraints::positive_definite()
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        let l = LowerCholeskyTransform.forward(x);
        l.matmul(l.mT())
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        LowerCholeskyTransform.inverse(&ops::linalg_cholesky(y).or_panic())
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some()
    }
}

/// From vectors of n (n − 1) / 2 numbers to Cholesky factors of n × n correlation matrices: lower triangular, rows of length 1.
///
/// ```
/// use torch::distributions::CorrCholeskyTransform;
/// let l = CorrCholeskyTransform::new().call(torch::zeros(3));
/// assert_eq!(l.size(), [3, 3]);
/// ```
pub struct CorrCholeskyTransform;

impl CorrCholeskyTransform {
    /// The transform.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new() -> Transform {
        Transform::new(CorrCholeskyTransform)
    }
}

impl TransformRule for CorrCholeskyTransform {
    fn class(&self) -> &'static str {
        "CorrCholeskyTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::real_vector()
    }
    fn codomain(&self) -> Constraint {
        constraints::corr_cholesky()
    }
    fn bijective(&self) -> bool {
        true
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        let eps = eps(x.dtype());
        let r = vec_to_tril_matrix(&x.tanh().clamp(-1.0 + eps, 1.0 - eps), -1);
        let left = (1.0 - r.square()).sqrt().cumprod(-1);
        let eye = ops::eye(r.size_dim(-1), None, r.dtype(), r.device()).or_panic();
        (r + eye) * with_one(&crop(&left), true)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        let left = 1.0 - y.square().cumsum(-1);
        let shifted = with_one(&crop(&left), true);
        let t = tril_matrix_to_vec(y, -1) / tril_matrix_to_vec(&shifted, -1).sqrt();
        (t.log1p() - t.neg().log1p()) / 2.0
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let left = 1.0 - y.square().cumsum(-1);
        let sticks = 0.5 * tril_matrix_to_vec(&left, -2).log().sum_dim(-1, false);
        let tanh = -2.0 * (x + softplus(&(-2.0 * x)) - std::f64::consts::LN_2).sum_dim(-1, false);
        sticks + tanh
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        at_least(shape, 1);
        let (batch, n) = (&shape[..shape.len() - 1], shape[shape.len() - 1]);
        let d = ((0.25 + 2.0 * n as f64).sqrt() + 0.5).round() as usize;
        if d * (d - 1) / 2 != n {
            fail::value("Input is not a flattened lower-diagonal number");
        }
        [batch, &[d, d]].concat()
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        at_least(shape, 2);
        let (batch, d) = (&shape[..shape.len() - 2], shape[shape.len() - 1]);
        if shape[shape.len() - 2] != d {
            fail::value("Input is not square");
        }
        [batch, &[d * (d - 1) / 2]].concat()
    }
}

/// Gives the event another shape of as many elements.
///
/// ```
/// use torch::distributions::ReshapeTransform;
/// assert_eq!(ReshapeTransform::new([4], [2, 2]).call(torch::zeros((5, 4))).size(), [5, 2, 2]);
/// ```
pub struct ReshapeTransform {
    from: Vec<usize>,
    to: Vec<usize>,
}

impl ReshapeTransform {
    /// The transform from one event's shape to the other.
    ///
    /// # Panics
    /// When they have different numbers of elements.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    #[track_caller]
    pub fn new(in_shape: impl Into<Vec<usize>>, out_shape: impl Into<Vec<usize>>) -> Transform {
        let (from, to) = (in_shape.into(), out_shape.into());
        if from.iter().product::<usize>() != to.iter().product::<usize>() {
            fail::value("in_shape, out_shape have different numbers of elements");
        }
        Transform::new(ReshapeTransform { from, to })
    }
}

fn reshaped(shape: &[usize], from: &[usize], to: &[usize]) -> Vec<usize> {
    at_least(shape, from.len());
    let (batch, event) = shape.split_at(shape.len() - from.len());
    if event != from {
        let size = flambeau_tensor::print::format_size;
        fail::value(format!("Shape mismatch: expected {} but got {}", size(event), size(from)));
    }
    [batch, to].concat()
}

fn reshape(x: &Tensor, from: usize, to: &[usize]) -> Tensor {
    let size = x.size();
    let shape = [&size[..size.len() - from], to].concat();
    x.reshape(shape.iter().map(|&n| n as i64).collect::<Vec<_>>())
}

impl TransformRule for ReshapeTransform {
    fn class(&self) -> &'static str {
        "ReshapeTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::independent(constraints::real(), self.from.len())
    }
    fn codomain(&self) -> Constraint {
        constraints::independent(constraints::real(), self.to.len())
    }
    fn bijective(&self) -> bool {
        true
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        reshape(x, self.from.len(), &self.to)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        reshape(y, self.to.len(), &self.from)
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, _y: &Tensor) -> Tensor {
        let size = x.size();
        filled(&size[..size.len() - self.from.len()], 0.0, x)
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        reshaped(shape, &self.from, &self.to)
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        reshaped(shape, &self.to, &self.from)
    }
}
