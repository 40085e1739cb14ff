//! Functions that carry one distribution into another: `torch.distributions.transforms`.

mod composed;
mod elementwise;
mod registry;
mod shaped;

pub use composed::{
    CatTransform, ComposeTransform, CumulativeDistributionTransform, IndependentTransform, StackTransform,
};
pub use elementwise::{
    AbsTransform, AffineTransform, ExpTransform, PowerTransform, SigmoidTransform, SoftplusTransform, TanhTransform,
};
pub use registry::{biject_to, transform_to};
pub use shaped::{
    CorrCholeskyTransform, LowerCholeskyTransform, PositiveDefiniteTransform, ReshapeTransform, SoftmaxTransform,
    StickBreakingTransform,
};

pub(crate) use elementwise::softplus;

use crate::constraints::Constraint;
use crate::fail;
use crate::value::Value;
use flambeau_autograd::ops::IntoShape;
use flambeau_autograd::{AsTensor, Size, Tensor, at_caller};
use flambeau_tensor::Scalar;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a kind of transform implements; [`Transform::new`] makes a transform of it.
///
/// ```
/// use torch::Tensor;
/// use torch::distributions::constraints::{self, Constraint};
/// use torch::distributions::{Transform, TransformRule};
/// struct Cube;
/// impl TransformRule for Cube {
///     fn class(&self) -> &'static str {
///         "Cube"
///     }
///     fn domain(&self) -> Constraint {
///         constraints::real()
///     }
///     fn codomain(&self) -> Constraint {
///         constraints::real()
///     }
///     fn bijective(&self) -> bool {
///         true
///     }
///     fn forward(&self, x: &Tensor) -> Tensor {
///         x.pow(3)
///     }
///     fn log_abs_det_jacobian(&self, x: &Tensor, _y: &Tensor) -> Tensor {
///         (3.0 * x.square()).log()
///     }
/// }
/// let cube = Transform::new(Cube);
/// assert_eq!(cube.call(torch::tensor(2.0)).item(), 8.0);
/// assert_eq!(cube.to_string(), "Cube()");
/// ```
pub trait TransformRule: Any + Send + Sync {
    /// The name of the class.
    fn class(&self) -> &'static str;
    /// What it may be given.
    fn domain(&self) -> Constraint;
    /// What it gives.
    fn codomain(&self) -> Constraint;
    /// Whether each result comes from one value only.
    fn bijective(&self) -> bool {
        false
    }
    /// 1 where it rises, −1 where it falls; `None` where it is not known to do either.
    fn sign(&self) -> Option<Value> {
        None
    }
    /// Its value at x.
    fn forward(&self, x: &Tensor) -> Tensor;
    /// The value at which it is y.
    fn inverse(&self, _y: &Tensor) -> Tensor {
        fail::other(format!("NotImplementedError: {} has no inverse", self.class()))
    }
    /// log |det ∂y/∂x|.
    fn log_abs_det_jacobian(&self, _x: &Tensor, _y: &Tensor) -> Tensor {
        fail::other(format!("NotImplementedError: {} has no log_abs_det_jacobian", self.class()))
    }
    /// The shape of what a value of this shape becomes.
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        shape.to_vec()
    }
    /// The shape of what becomes a value of this shape.
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        shape.to_vec()
    }
    /// The inverse, where it is a transform of another kind.
    fn inverted(&self) -> Option<Transform> {
        None
    }
    /// The parts of a composition.
    fn parts(&self) -> Option<&[Transform]> {
        None
    }
    /// Whether another transform of the same kind is equal; by default none but itself is.
    fn equals(&self, _other: &dyn TransformRule) -> bool {
        false
    }
    /// The text of Python's `repr`.
    fn repr(&self) -> String {
        format!("{}()", self.class())
    }
    /// How many of the last dimensions are one event.
    fn event_dim(&self) -> usize {
        let (domain, codomain) = (self.domain().event_dim(), self.codomain().event_dim());
        if domain != codomain {
            fail::value("Please use either .domain.event_dim or .codomain.event_dim");
        }
        domain
    }
}

type Cached = Arc<Mutex<Option<(Tensor, Tensor)>>>;

/// A transform, or the inverse of one: `torch.distributions.Transform`. Clones are the same transform.
///
/// ```
/// use torch::distributions::{AffineTransform, ComposeTransform, ExpTransform};
/// let t = ComposeTransform::new([AffineTransform::new(1.0, 2.0), ExpTransform::new()]);
/// let x = torch::tensor([0.0, 1.0]);
/// let y = t.call(&x);
/// assert!(t.inv().call(&y).allclose(&x));
/// ```
#[derive(Clone)]
pub struct Transform {
    rule: Arc<dyn TransformRule>,
    inverted: bool,
    cache: Option<Cached>,
}

impl Transform {
    /// The transform of a rule.
    ///
    /// ```
    /// use torch::distributions::{ExpTransform, Transform};
    /// let t: Transform = ExpTransform::new();
    /// assert!(t.bijective());
    /// ```
    pub fn new(rule: impl TransformRule) -> Self {
        Transform { rule: Arc::new(rule), inverted: false, cache: None }
    }

    /// The transform that remembers the last value and its result (`cache_size` 1), or does not (0), so that its inverse gives that
    /// very value back: `t.with_cache(1)`.
    ///
    /// # Panics
    /// For other sizes.
    ///
    /// ```
    /// use torch::distributions::TanhTransform;
    /// let t = TanhTransform::new().with_cache(1);
    /// let x = torch::tensor(20.0);
    /// let y = t.call(&x);
    /// assert_eq!(t.inv().call(&y).item(), 20.0);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn with_cache(&self, cache_size: usize) -> Self {
        match cache_size {
            0 => Transform { cache: None, ..self.clone() },
            1 if self.cache.is_some() => self.clone(),
            1 => Transform { cache: Some(Arc::default()), ..self.clone() },
            _ => fail::value("cache_size must be 0 or 1"),
        }
    }

    /// The transform's value at x: Python's `t(x)`.
    ///
    /// ```
    /// use torch::distributions::ExpTransform;
    /// assert_eq!(ExpTransform::new().call(torch::tensor(0.0)).item(), 1.0);
    /// ```
    #[track_caller]
    pub fn call(&self, x: impl AsTensor) -> Tensor {
        at_caller(|| self.apply(x.as_tensor()))
    }

    /// [`call`](Transform::call) within the library.
    pub(crate) fn apply(&self, x: &Tensor) -> Tensor {
        let run = |x: &Tensor| if self.inverted { self.rule.inverse(x) } else { self.rule.forward(x) };
        let Some(cache) = &self.cache else { return run(x) };
        let lock = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, to)) = &*lock() {
            let (from, to) = if self.inverted { (to, from) } else { (from, to) };
            if from.is_same(x) {
                return to.shallow_clone();
            }
        }
        let y = run(x);
        let pair = (x.shallow_clone(), y.shallow_clone());
        *lock() = Some(if self.inverted { (pair.1, pair.0) } else { pair });
        y
    }

    /// The inverse transform: `t.inv`.
    ///
    /// ```
    /// use torch::distributions::ExpTransform;
    /// assert_eq!(ExpTransform::new().inv().to_string(), "_InverseTransform(ExpTransform())");
    /// ```
    #[must_use]
    pub fn inv(&self) -> Self {
        match self.rule.inverted() {
            Some(other) if !self.inverted => other,
            _ => Transform { inverted: !self.inverted, ..self.clone() },
        }
    }

    /// log |det ∂y/∂x| at a value and its result: `t.log_abs_det_jacobian(x, y)`.
    ///
    /// ```
    /// use torch::distributions::AffineTransform;
    /// let x = torch::tensor([1.0, 2.0]);
    /// let t = AffineTransform::new(0.0, std::f64::consts::E);
    /// assert!(t.log_abs_det_jacobian(&x, t.call(&x)).allclose(&torch::ones(2)));
    /// ```
    #[track_caller]
    pub fn log_abs_det_jacobian(&self, x: impl AsTensor, y: impl AsTensor) -> Tensor {
        at_caller(|| self.log_det(x.as_tensor(), y.as_tensor()))
    }

    /// [`log_abs_det_jacobian`](Transform::log_abs_det_jacobian) within the library.
    pub(crate) fn log_det(&self, x: &Tensor, y: &Tensor) -> Tensor {
        match self.inverted {
            true => -self.rule.log_abs_det_jacobian(y, x),
            false => self.rule.log_abs_det_jacobian(x, y),
        }
    }

    /// What it may be given: `t.domain`.
    ///
    /// ```
    /// use torch::distributions::ExpTransform;
    /// assert_eq!(ExpTransform::new().domain().to_string(), "Real()");
    /// ```
    pub fn domain(&self) -> Constraint {
        if self.inverted { self.rule.codomain() } else { self.rule.domain() }
    }

    /// What it gives: `t.codomain`.
    ///
    /// ```
    /// use torch::distributions::SoftmaxTransform;
    /// assert_eq!(SoftmaxTransform::new().codomain().to_string(), "Simplex()");
    /// ```
    pub fn codomain(&self) -> Constraint {
        if self.inverted { self.rule.domain() } else { self.rule.codomain() }
    }

    /// Whether each result comes from one value only: `t.bijective`.
    ///
    /// ```
    /// use torch::distributions::AbsTransform;
    /// assert!(!AbsTransform::new().bijective());
    /// ```
    pub fn bijective(&self) -> bool {
        self.rule.bijective()
    }

    /// 1 where it rises, −1 where it falls: `t.sign`.
    ///
    /// # Panics
    /// Where it is not known to do either.
    ///
    /// ```
    /// use torch::distributions::AffineTransform;
    /// assert_eq!(AffineTransform::new(0.0, -2.0).sign().to_string(), "-1");
    /// ```
    #[track_caller]
    pub fn sign(&self) -> Value {
        match self.rule.sign() {
            Some(sign) => sign,
            None => fail::other(format!("NotImplementedError: {} has no sign", self.rule.class())),
        }
    }

    /// How many of the last dimensions are one event: `t.event_dim`.
    ///
    /// # Panics
    /// Where they are different ones before and after.
    ///
    /// ```
    /// use torch::distributions::SoftmaxTransform;
    /// assert_eq!(SoftmaxTransform::new().event_dim(), 1);
    /// ```
    #[track_caller]
    pub fn event_dim(&self) -> usize {
        at_caller(|| self.rule.event_dim())
    }

    /// The shape of what a value of this shape becomes: `t.forward_shape(shape)`.
    ///
    /// ```
    /// use torch::distributions::StickBreakingTransform;
    /// assert_eq!(StickBreakingTransform::new().forward_shape((5, 2)), [5, 3]);
    /// ```
    #[track_caller]
    pub fn forward_shape(&self, shape: impl IntoShape) -> Size {
        at_caller(|| Size::from(&self.shape_forward(&crate::distribution::shape_of(shape))[..]))
    }

    /// The shape of what becomes a value of this shape: `t.inverse_shape(shape)`.
    ///
    /// ```
    /// use torch::distributions::StickBreakingTransform;
    /// assert_eq!(StickBreakingTransform::new().inverse_shape((5, 3)), [5, 2]);
    /// ```
    #[track_caller]
    pub fn inverse_shape(&self, shape: impl IntoShape) -> Size {
        at_caller(|| Size::from(&self.shape_inverse(&crate::distribution::shape_of(shape))[..]))
    }

    pub(crate) fn shape_forward(&self, shape: &[usize]) -> Vec<usize> {
        if self.inverted { self.rule.inverse_shape(shape) } else { self.rule.forward_shape(shape) }
    }

    pub(crate) fn shape_inverse(&self, shape: &[usize]) -> Vec<usize> {
        if self.inverted { self.rule.forward_shape(shape) } else { self.rule.inverse_shape(shape) }
    }
}

/// Whether both transform alike, as far as PyTorch tells it: transforms without parameters by their kind, others by what they have.
impl PartialEq for Transform {
    fn eq(&self, other: &Self) -> bool {
        if self.inverted != other.inverted {
            return false;
        }
        let (a, b): (&dyn TransformRule, &dyn TransformRule) = (&*self.rule, &*other.rule);
        Arc::ptr_eq(&self.rule, &other.rule) || a.equals(b)
    }
}

/// Python's `repr`.
impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inverted {
            true => write!(f, "_InverseTransform({})", self.rule.repr()),
            false => f.write_str(&self.rule.repr()),
        }
    }
}

impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The transform that changes nothing: `torch.distributions.identity_transform`.
///
/// ```
/// use torch::distributions::identity_transform;
/// assert_eq!(identity_transform().call(torch::tensor(2.0)).item(), 2.0);
/// ```
pub fn identity_transform() -> Transform {
    ComposeTransform::new([])
}

/// One transform, or several in the order in which they are applied.
pub trait IntoTransforms {
    /// The transforms.
    fn into_transforms(self) -> Vec<Transform>;
}

impl IntoTransforms for Transform {
    fn into_transforms(self) -> Vec<Transform> {
        vec![self]
    }
}

impl IntoTransforms for &Transform {
    fn into_transforms(self) -> Vec<Transform> {
        vec![self.clone()]
    }
}

impl IntoTransforms for Vec<Transform> {
    fn into_transforms(self) -> Vec<Transform> {
        self
    }
}

impl<const N: usize> IntoTransforms for [Transform; N] {
    fn into_transforms(self) -> Vec<Transform> {
        self.into()
    }
}

/// The sign of several transforms in turn.
pub(crate) fn sign_of(transforms: &[Transform]) -> Option<Value> {
    transforms.iter().try_fold(Value::Number(Scalar::Int(1)), |sign, t| {
        Some(match (sign, t.rule.sign()?) {
            (Value::Number(a), Value::Number(b)) => Value::Number(Scalar::Int(a.to_i64() * b.to_i64())),
            (Value::Number(a), Value::Tensor(b)) | (Value::Tensor(b), Value::Number(a)) => Value::Tensor(b.mul(a)),
            (Value::Tensor(a), Value::Tensor(b)) => Value::Tensor(a.mul(&b)),
        })
    })
}

/// The rule of another transform, if it is of the same kind.
pub(crate) fn same<T: TransformRule>(other: &dyn TransformRule) -> Option<&T> {
    let other: &dyn Any = other;
    other.downcast_ref::<T>()
}
