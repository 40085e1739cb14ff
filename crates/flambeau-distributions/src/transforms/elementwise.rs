//! Transforms of numbers.

use super::{Transform, TransformRule, same};
use crate::constraints::{self, Constraint};
use crate::value::{IntoValue, Shared, Value, broadcast_all, eps, expanded, tiny};
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::Scalar;
use flambeau_tensor::dims::broadcast_shapes;

fn rising() -> Option<Value> {
    Some(Value::Number(Scalar::Int(1)))
}

pub(crate) fn softplus(x: &Tensor) -> Tensor {
    ops::softplus(x, 1.0, 20.0).or_panic()
}

/// Sigmoid, kept within (0, 1).
pub(crate) fn clipped_sigmoid(x: &Tensor) -> Tensor {
    x.sigmoid().clamp(tiny(x.dtype()), 1.0 - eps(x.dtype()))
}

/// Makes transforms without parameters: name, domain, codomain, whether bijective and rising, forward, inverse, and log |∂y/∂x|.
macro_rules! simple {
    ($($(#[$doc:meta])* $name:ident: $domain:expr => $codomain:expr, $bijective:literal, $forward:expr, $inverse:expr, $log:expr;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl $name {
            /// The transform.
            #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type, so that lists may mix them")]
            pub fn new() -> Transform {
                Transform::new($name)
            }
        }

        impl TransformRule for $name {
            fn class(&self) -> &'static str {
                stringify!($name)
            }
            fn domain(&self) -> Constraint {
                $domain
            }
            fn codomain(&self) -> Constraint {
                $codomain
            }
            fn bijective(&self) -> bool {
                $bijective
            }
            fn sign(&self) -> Option<Value> {
                if $bijective { rising() } else { None }
            }
            fn forward(&self, x: &Tensor) -> Tensor {
                let forward: fn(&Tensor) -> Tensor = $forward;
                forward(x)
            }
            fn inverse(&self, y: &Tensor) -> Tensor {
                let inverse: fn(&Tensor) -> Tensor = $inverse;
                inverse(y)
            }
            fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
                let log: fn(&Tensor, &Tensor) -> Tensor = $log;
                log(x, y)
            }
            fn equals(&self, other: &dyn TransformRule) -> bool {
                same::<Self>(other).is_some()
            }
        }
    )*};
}

simple! {
    /// y = eˣ.
    ///
    /// ```
    /// use torch::distributions::ExpTransform;
    /// assert_eq!(ExpTransform::new().call(torch::tensor(0.0)).item(), 1.0);
    /// ```
    ExpTransform: constraints::real() => constraints::positive(), true, |x| x.exp(), |y| y.log(), |x, _| x.shallow_clone();

    /// y = 1 / (1 + e⁻ˣ), kept within (0, 1).
    ///
    /// ```
    /// use torch::distributions::SigmoidTransform;
    /// assert_eq!(SigmoidTransform::new().call(torch::tensor(0.0)).item(), 0.5);
    /// ```
    SigmoidTransform: constraints::real() => constraints::unit_interval(), true, clipped_sigmoid, |y| {
        let y = y.clamp(tiny(y.dtype()), 1.0 - eps(y.dtype()));
        y.log() - (-&y).log1p()
    }, |x, _| -softplus(&-x) - softplus(x);

    /// y = ln(1 + eˣ).
    ///
    /// ```
    /// use torch::distributions::SoftplusTransform;
    /// assert!((SoftplusTransform::new().call(torch::tensor(0.0)).item() - 0.6931472).abs() < 1e-6);
    /// ```
    SoftplusTransform: constraints::real() => constraints::positive(), true, softplus, |y| (-y).expm1().neg().log() + y,
        |x, _| -softplus(&-x);

    /// y = tanh x.
    ///
    /// ```
    /// use torch::distributions::TanhTransform;
    /// let y = TanhTransform::new().call(torch::tensor(1.0));
    /// assert!((TanhTransform::new().inv().call(&y).item() - 1.0).abs() < 1e-6);
    /// ```
    TanhTransform: constraints::real() => constraints::interval(-1.0, 1.0), true, |x| x.tanh(), |y| y.atanh(),
        |x, _| 2.0 * (std::f64::consts::LN_2 - x - softplus(&(-2.0 * x)));

    /// y = |x|; its inverse is the identity.
    ///
    /// ```
    /// use torch::distributions::AbsTransform;
    /// assert_eq!(AbsTransform::new().call(torch::tensor(-2.0)).item(), 2.0);
    /// ```
    AbsTransform: constraints::real() => constraints::positive(), false, |x| x.abs(), |y| y.shallow_clone(),
        |_, _| crate::fail::other("NotImplementedError: AbsTransform has no log_abs_det_jacobian");
}

/// The shape of several shapes broadcast together.
fn broadcast(shapes: &[&[usize]]) -> Vec<usize> {
    shapes.iter().fold(Vec::new(), |sum, shape| broadcast_shapes(&sum, shape).or_panic().to_vec())
}

/// y = xᵖ for an exponent p.
///
/// ```
/// use torch::distributions::PowerTransform;
/// assert_eq!(PowerTransform::new(3.0).call(torch::tensor(2.0)).item(), 8.0);
/// ```
pub struct PowerTransform {
    exponent: Shared,
}

impl PowerTransform {
    /// The transform of an exponent, a number or a tensor.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    #[track_caller]
    pub fn new(exponent: impl IntoValue) -> Transform {
        let exponent = broadcast_all([&exponent.into_value()]).remove(0).into();
        Transform::new(PowerTransform { exponent })
    }
}

impl TransformRule for PowerTransform {
    fn class(&self) -> &'static str {
        "PowerTransform"
    }
    fn domain(&self) -> Constraint {
        constraints::positive()
    }
    fn codomain(&self) -> Constraint {
        constraints::positive()
    }
    fn bijective(&self) -> bool {
        true
    }
    fn sign(&self) -> Option<Value> {
        Some(Value::Tensor(self.exponent.sign()))
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        x.pow(&self.exponent)
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        y.pow(1.0 / &*self.exponent)
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, y: &Tensor) -> Tensor {
        (&*self.exponent * y / x).abs().log()
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        broadcast(&[shape, &self.exponent.size()])
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.forward_shape(shape)
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some_and(|o| self.exponent.eq(&o.exponent).all().item_as::<bool>())
    }
}

/// y = loc + scale · x.
///
/// ```
/// use torch::distributions::AffineTransform;
/// assert_eq!(AffineTransform::new(1.0, 2.0).call(torch::tensor(3.0)).item(), 7.0);
/// ```
pub struct AffineTransform {
    loc: Value,
    scale: Value,
    event_dim: usize,
}

impl AffineTransform {
    /// The transform of a location and a scale, each a number or a tensor.
    #[allow(clippy::new_ret_no_self, reason = "transforms of all kinds are one type")]
    pub fn new(loc: impl IntoValue, scale: impl IntoValue) -> Transform {
        Self::with_event_dim(loc, scale, 0)
    }

    /// [`new`](AffineTransform::new) where the last `event_dim` dimensions are one event: PyTorch's keyword `event_dim`.
    ///
    /// ```
    /// use torch::distributions::AffineTransform;
    /// let t = AffineTransform::with_event_dim(0.0, 2.0, 1);
    /// let x = torch::ones((4, 3));
    /// assert_eq!(t.log_abs_det_jacobian(&x, t.call(&x)).size(), [4]);
    /// ```
    pub fn with_event_dim(loc: impl IntoValue, scale: impl IntoValue, event_dim: usize) -> Transform {
        Transform::new(AffineTransform { loc: loc.into_value(), scale: scale.into_value(), event_dim })
    }

    fn set(&self) -> Constraint {
        match self.event_dim {
            0 => constraints::real(),
            n => constraints::independent(constraints::real(), n),
        }
    }
}

/// Numbers, or tensors of equal elements.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.to_f64() == b.to_f64(),
        (Value::Number(n), Value::Tensor(t)) | (Value::Tensor(t), Value::Number(n)) => t.eq(*n).all().item_as::<bool>(),
        (Value::Tensor(a), Value::Tensor(b)) => a.eq(b).all().item_as::<bool>(),
    }
}

impl TransformRule for AffineTransform {
    fn class(&self) -> &'static str {
        "AffineTransform"
    }
    fn domain(&self) -> Constraint {
        self.set()
    }
    fn codomain(&self) -> Constraint {
        self.set()
    }
    fn bijective(&self) -> bool {
        true
    }
    fn sign(&self) -> Option<Value> {
        Some(match &self.scale {
            Value::Number(n) => {
                let n = n.to_f64();
                Value::Number(Scalar::Int(i64::from(n > 0.0) - i64::from(n < 0.0)))
            }
            Value::Tensor(t) => Value::Tensor(t.sign()),
        })
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        let scaled = match &self.scale {
            Value::Number(n) => x * *n,
            Value::Tensor(t) => t * x,
        };
        match &self.loc {
            Value::Number(n) => scaled + *n,
            Value::Tensor(t) => t + &scaled,
        }
    }
    fn inverse(&self, y: &Tensor) -> Tensor {
        let moved = match &self.loc {
            Value::Number(n) => y - *n,
            Value::Tensor(t) => y - t,
        };
        match &self.scale {
            Value::Number(n) => moved / *n,
            Value::Tensor(t) => moved / t,
        }
    }
    fn log_abs_det_jacobian(&self, x: &Tensor, _y: &Tensor) -> Tensor {
        let result = match &self.scale {
            Value::Number(n) => crate::value::filled(&x.size(), n.to_f64().abs().ln(), x),
            Value::Tensor(t) => t.abs().log(),
        };
        let size = x.size();
        let kept = &size[..size.len() - self.event_dim];
        expanded(&crate::value::sum_rightmost(result, self.event_dim), kept)
    }
    fn forward_shape(&self, shape: &[usize]) -> Vec<usize> {
        broadcast(&[shape, &self.loc.shape(), &self.scale.shape()])
    }
    fn inverse_shape(&self, shape: &[usize]) -> Vec<usize> {
        self.forward_shape(shape)
    }
    fn equals(&self, other: &dyn TransformRule) -> bool {
        same::<Self>(other).is_some_and(|o| equal(&self.loc, &o.loc) && equal(&self.scale, &o.scale))
    }
    fn event_dim(&self) -> usize {
        self.event_dim
    }
}
