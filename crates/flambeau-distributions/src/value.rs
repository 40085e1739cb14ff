//! Parameters of distributions: numbers, tensors, and tensors that a distribution shares with its copies.

use flambeau_autograd::{AsTensor, OrPanic, Tensor, ops};
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Scalar, default_dtype};
use std::fmt;
use std::ops::Deref;

/// A parameter as it was given: a number, or a tensor.
pub enum Value {
    /// A Python number.
    Number(Scalar),
    /// A tensor, not copied.
    Tensor(Tensor),
}

impl Clone for Value {
    fn clone(&self) -> Self {
        match self {
            Value::Number(n) => Value::Number(*n),
            Value::Tensor(t) => Value::Tensor(t.shallow_clone()),
        }
    }
}

impl Value {
    /// The shape of the tensor; a number has none.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Value::Number(_) => Vec::new(),
            Value::Tensor(t) => t.size().to_vec(),
        }
    }

    /// The tensor, or the number as one of the default dtype.
    pub(crate) fn tensor(&self) -> Tensor {
        match self {
            Value::Number(_) => broadcast_all([self]).into_iter().next().expect("one value gives one tensor"),
            Value::Tensor(t) => t.shallow_clone(),
        }
    }
}

/// As Python's f-strings show it: a number, the number of a tensor without dimensions, or the tensor.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(n) => f.write_str(&number(*n)),
            Value::Tensor(t) => f.write_str(&text(t)),
        }
    }
}

fn number(n: Scalar) -> String {
    match n {
        Scalar::Bool(true) => "True".into(),
        Scalar::Bool(false) => "False".into(),
        Scalar::Int(i) => i.to_string(),
        other => py_float(other.to_f64()),
    }
}

/// A tensor in Python's f-string.
pub(crate) fn text(x: &Tensor) -> String {
    match x.dim() {
        0 => number(x.array().item().or_panic()),
        _ => x.to_string(),
    }
}

/// What a parameter may be given as: a tensor, `&tensor`, or a number of any type.
///
/// ```
/// use torch::distributions::Normal;
/// let spread = torch::tensor([1.0, 2.0]);
/// assert_eq!(Normal::new(0, &spread).mean().to_vec::<f32>(), [0.0, 0.0]);
/// assert_eq!(Normal::new(0.5, 1.0).mean().item(), 0.5);
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is neither a tensor nor a number")]
pub trait IntoValue {
    /// The parameter.
    fn into_value(self) -> Value;
}

impl<T: AsTensor + ?Sized> IntoValue for &T {
    fn into_value(self) -> Value {
        Value::Tensor(self.as_tensor().shallow_clone())
    }
}

impl IntoValue for Tensor {
    fn into_value(self) -> Value {
        Value::Tensor(self)
    }
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl IntoValue for $t {
            fn into_value(self) -> Value { Value::Number(self.into()) }
        }
    )*};
}
numbers!(bool, u8, i8, i16, i32, u32, i64, usize, f32, f64, Scalar);

/// A tensor that copies of a distribution share.
pub(crate) struct Shared(Tensor);

impl Clone for Shared {
    fn clone(&self) -> Self {
        Shared(self.0.shallow_clone())
    }
}

impl Deref for Shared {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

impl AsTensor for Shared {
    fn as_tensor(&self) -> &Tensor {
        &self.0
    }
}

impl From<Tensor> for Shared {
    fn from(t: Tensor) -> Self {
        Shared(t)
    }
}

/// Tensors of one shape: numbers take the dtype and device of the first tensor, and all broadcast:
/// `torch.distributions.utils.broadcast_all`.
pub(crate) fn broadcast_all<'a>(values: impl IntoIterator<Item = &'a Value> + Clone) -> Vec<Tensor> {
    let first = values.clone().into_iter().find_map(|v| match v {
        Value::Tensor(t) => Some((t.dtype(), t.device())),
        Value::Number(_) => None,
    });
    let (dtype, device) = first.unwrap_or_else(|| (default_dtype(), flambeau_autograd::zeros(()).device()));
    let tensors: Vec<Tensor> = values
        .into_iter()
        .map(|v| match v {
            Value::Tensor(t) => t.shallow_clone(),
            Value::Number(n) => ops::full(&[], n.cast(dtype), dtype, device).or_panic(),
        })
        .collect();
    // What has the common shape already stays the tensor that it is.
    let whole = ops::broadcast_tensors(&tensors).or_panic();
    tensors.into_iter().zip(whole).map(|(own, whole)| if own.size() == whole.size() { own } else { whole }).collect()
}

/// [`broadcast_all`] of two tensors.
pub(crate) fn broadcast_pair(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    let mut both = ops::broadcast_tensors(&[a, b]).or_panic();
    let second = both.pop().expect("two tensors");
    (both.pop().expect("two tensors"), second)
}

/// The sum over the last `dims` dimensions.
pub(crate) fn sum_rightmost(x: Tensor, dims: usize) -> Tensor {
    if dims == 0 {
        return x;
    }
    let size = x.size();
    let mut shape: Vec<i64> = size[..size.len().saturating_sub(dims)].iter().map(|&n| n as i64).collect();
    shape.push(-1);
    x.reshape(shape).sum_dim(-1, false)
}

/// Between the dtype's eps and 1 − eps.
pub(crate) fn clamp_probs(probs: &Tensor) -> Tensor {
    let eps = eps(probs.dtype());
    probs.clamp(eps, 1.0 - eps)
}

/// The distance from 1 to the dtype's next number.
pub(crate) fn eps(dtype: DType) -> f64 {
    flambeau_autograd::finfo(dtype).eps
}

/// The dtype's smallest number of full precision.
pub(crate) fn tiny(dtype: DType) -> f64 {
    flambeau_autograd::finfo(dtype).tiny
}

/// A tensor of one number, in the dtype and on the device of `like`.
pub(crate) fn filled(shape: &[usize], number: f64, like: &Tensor) -> Tensor {
    ops::full(shape, Scalar::Float(number), like.dtype(), like.device()).or_panic()
}

/// A tensor expanded to a shape.
pub(crate) fn expanded(x: &Tensor, shape: &[usize]) -> Tensor {
    let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    ops::expand(x, &shape).or_panic()
}

/// Uniform numbers of [0, 1) of a shape, in the dtype and on the device of `like`.
pub(crate) fn uniform(shape: &[usize], like: &Tensor) -> Tensor {
    ops::rand(shape, like.dtype(), like.device(), None).or_panic()
}

/// Standard normal numbers of a shape, in the dtype and on the device of `like`.
pub(crate) fn standard_normal(shape: &[usize], like: &Tensor) -> Tensor {
    let fresh = ops::empty(shape, like.dtype(), like.device()).or_panic();
    ops::normal_(&fresh, 0.0, 1.0, None).or_panic()
}

/// A tensor like `x` with `value` where `mask` holds.
pub(crate) fn replaced(x: &Tensor, mask: &Tensor, value: f64) -> Tensor {
    x.masked_fill(mask, value)
}

/// A matrix's lower triangle up to the diagonal number `diag`, row by row, as a vector: of the last two dimensions.
pub(crate) fn tril_matrix_to_vec(matrix: &Tensor, diag: i64) -> Tensor {
    let n = matrix.size_dim(-1) as i64;
    let places = triangle(n, diag);
    let size = matrix.size();
    let mut shape: Vec<i64> = size[..size.len() - 2].iter().map(|&n| n as i64).collect();
    shape.push(n * n);
    let index = flambeau_autograd::from_vec(places, [-1i64]).to(matrix.device());
    matrix.reshape(shape).index_select(-1, &index)
}

/// The places of [`tril_matrix_to_vec`] in a matrix that was made flat.
fn triangle(n: i64, diag: i64) -> Vec<i64> {
    (0..n).flat_map(|r| (0..n).filter(move |c| *c <= r + diag).map(move |c| r * n + c)).collect()
}

/// The matrix with a vector as its lower triangle, zeros elsewhere: the inverse of [`tril_matrix_to_vec`].
pub(crate) fn vec_to_tril_matrix(vector: &Tensor, diag: i64) -> Tensor {
    let length = vector.size_dim(-1) as i64;
    let b = 1 + 2 * diag;
    let root = ((b * b + 8 * length + 4 * diag.abs() * (diag + 1)) as f64).sqrt();
    let n = (root - b as f64) / 2.0;
    if n.round() - n > eps(vector.dtype()) {
        crate::fail::value(format!(
            "The size of last dimension is {length} which cannot be expressed as the lower triangular part of a square D x D \
             matrix."
        ));
    }
    let n = n.round() as i64;
    let mut batch: Vec<usize> = vector.size().to_vec();
    batch.pop();
    let flat: Vec<usize> = batch.iter().copied().chain([(n * n) as usize]).collect();
    let zeros = filled(&flat, 0.0, vector);
    let index = flambeau_autograd::from_vec(triangle(n, diag), [-1i64]).to(vector.device());
    let shape: Vec<i64> = batch.iter().map(|&n| n as i64).chain([n, n]).collect();
    zeros.index_add(-1, &index, vector).reshape(shape)
}
