//! What parameters and values have to satisfy: `torch.distributions.constraints`.
//!
//! ```
//! use torch::distributions::constraints;
//! let valid = constraints::positive().check(torch::tensor([1.0, -1.0]));
//! assert_eq!(valid.to_vec::<bool>(), [true, false]);
//! assert_eq!(constraints::interval(0.0, 2.0).to_string(), "Interval(lower_bound=0.0, upper_bound=2.0)");
//! ```

use crate::fail;
use crate::value::{IntoValue, Value, eps};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, at_caller, no_grad, ops};
use flambeau_tensor::{DType, Scalar};
use std::fmt;
use std::sync::Arc;

/// A set of values: `torch.distributions.constraints.Constraint`. [`check`](Constraint::check) tells which values lie in it.
#[derive(Clone)]
pub struct Constraint(pub(crate) Arc<Kind>);

/// The constraints that there are.
pub(crate) enum Kind {
    Dependent { is_discrete: Option<bool>, event_dim: Option<usize> },
    Independent(Constraint, usize),
    MixtureSameFamily(Constraint),
    Boolean,
    OneHot,
    IntegerInterval(Value, Value),
    IntegerGreaterThan(Value),
    Real,
    GreaterThan(Value),
    GreaterThanEq(Value),
    LessThan(Value),
    Interval(Value, Value),
    HalfOpenInterval(Value, Value),
    Simplex,
    Multinomial(Value),
    LowerTriangular,
    LowerCholesky,
    CorrCholesky,
    Square,
    Symmetric,
    PositiveSemidefinite,
    PositiveDefinite,
    Cat { parts: Vec<Constraint>, dim: i64, lengths: Vec<usize> },
    Stack { parts: Vec<Constraint>, dim: i64 },
}

fn of(kind: Kind) -> Constraint {
    Constraint(Arc::new(kind))
}

fn float(x: f64) -> Value {
    Value::Number(Scalar::Float(x))
}

/// Makes the functions of constraints without parameters.
macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident = $kind:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name() -> Constraint {
            of($kind)
        }
    )*};
}

plain! {
    /// What depends on other arguments, and cannot be checked by itself.
    dependent = Kind::Dependent { is_discrete: None, event_dim: None };
    /// 0 or 1.
    boolean = Kind::Boolean;
    /// Vectors of zeros and one 1.
    one_hot = Kind::OneHot;
    /// The integers from 0 on.
    nonnegative_integer = Kind::IntegerGreaterThan(Value::Number(Scalar::Int(0)));
    /// The integers from 1 on.
    positive_integer = Kind::IntegerGreaterThan(Value::Number(Scalar::Int(1)));
    /// All numbers that are not NaN.
    real = Kind::Real;
    /// Vectors of [`real`] numbers.
    real_vector = Kind::Independent(real(), 1);
    /// Numbers above 0.
    positive = Kind::GreaterThan(float(0.0));
    /// Numbers from 0 on.
    nonnegative = Kind::GreaterThanEq(float(0.0));
    /// Numbers from 0 to 1.
    unit_interval = Kind::Interval(float(0.0), float(1.0));
    /// Vectors of numbers from 0 on that sum to 1.
    simplex = Kind::Simplex;
    /// Matrices with zeros above the diagonal.
    lower_triangular = Kind::LowerTriangular;
    /// Lower triangular matrices of positive diagonal.
    lower_cholesky = Kind::LowerCholesky;
    /// Lower triangular matrices of positive diagonal and rows of length 1.
    corr_cholesky = Kind::CorrCholesky;
    /// Square matrices.
    square = Kind::Square;
    /// Symmetric matrices.
    symmetric = Kind::Symmetric;
    /// Symmetric matrices without negative eigenvalues.
    positive_semidefinite = Kind::PositiveSemidefinite;
    /// Symmetric matrices of positive eigenvalues.
    positive_definite = Kind::PositiveDefinite;
}

/// Makes the functions of constraints with bounds.
macro_rules! bounded {
    ($($(#[$doc:meta])* $name:ident($($bound:ident),+) = $kind:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name($($bound: impl IntoValue),+) -> Constraint {
            of(Kind::$kind($($bound.into_value()),+))
        }
    )*};
}

bounded! {
    /// Integers from `lower_bound` to `upper_bound`.
    integer_interval(lower_bound, upper_bound) = IntegerInterval;
    /// Numbers above `lower_bound`.
    greater_than(lower_bound) = GreaterThan;
    /// Numbers from `lower_bound` on.
    greater_than_eq(lower_bound) = GreaterThanEq;
    /// Numbers below `upper_bound`.
    less_than(upper_bound) = LessThan;
    /// Numbers from `lower_bound` to `upper_bound`.
    interval(lower_bound, upper_bound) = Interval;
    /// Numbers from `lower_bound` to below `upper_bound`.
    half_open_interval(lower_bound, upper_bound) = HalfOpenInterval;
    /// Vectors of counts that sum to `upper_bound` or less.
    multinomial(upper_bound) = Multinomial;
}

/// What depends on other arguments, with what is known of it.
pub fn dependent_of(is_discrete: Option<bool>, event_dim: Option<usize>) -> Constraint {
    of(Kind::Dependent { is_discrete, event_dim })
}

/// Values of which the last `reinterpreted_batch_ndims` dimensions satisfy a constraint as a whole: `constraints.independent`.
///
/// ```
/// use torch::distributions::constraints;
/// let valid = constraints::independent(constraints::positive(), 1).check(torch::tensor([[1.0, -1.0], [1.0, 2.0]]));
/// assert_eq!(valid.to_vec::<bool>(), [false, true]);
/// ```
pub fn independent(base_constraint: Constraint, reinterpreted_batch_ndims: usize) -> Constraint {
    of(Kind::Independent(base_constraint, reinterpreted_batch_ndims))
}

/// Values in the support of every component of a mixture: `constraints.MixtureSameFamilyConstraint`.
///
/// ```
/// use torch::distributions::constraints;
/// let supports = constraints::MixtureSameFamilyConstraint(constraints::positive());
/// assert_eq!(supports.to_string(), "MixtureSameFamilyConstraint(GreaterThan(lower_bound=0.0))");
/// ```
#[allow(non_snake_case, reason = "PyTorch's name")]
pub fn MixtureSameFamilyConstraint(base_constraint: Constraint) -> Constraint {
    of(Kind::MixtureSameFamily(base_constraint))
}

/// Parts along `dim`, of one element each, that satisfy one constraint each: `constraints.cat`.
///
/// ```
/// use torch::distributions::constraints::{cat, positive, real};
/// assert_eq!(cat([real(), positive()], 0).check(torch::tensor([-1.0, -1.0])).to_vec::<bool>(), [true, false]);
/// ```
pub fn cat(cseq: impl Into<Vec<Constraint>>, dim: i64) -> Constraint {
    let parts = cseq.into();
    let lengths = vec![1; parts.len()];
    of(Kind::Cat { parts, dim, lengths })
}

/// [`cat`] of parts of these lengths.
pub fn cat_lengths(cseq: impl Into<Vec<Constraint>>, dim: i64, lengths: impl Into<Vec<usize>>) -> Constraint {
    let (parts, lengths) = (cseq.into(), lengths.into());
    if parts.len() != lengths.len() {
        fail::other(format!("lengths ({}) must match cseq ({})", lengths.len(), parts.len()));
    }
    of(Kind::Cat { parts, dim, lengths })
}

/// Slices along `dim` that satisfy one constraint each: `constraints.stack`.
///
/// ```
/// use torch::distributions::constraints::{positive, real, stack};
/// assert_eq!(stack([real(), positive()], 0).check(torch::tensor([-1.0, -1.0])).to_vec::<bool>(), [true, false]);
/// ```
pub fn stack(cseq: impl Into<Vec<Constraint>>, dim: i64) -> Constraint {
    of(Kind::Stack { parts: cseq.into(), dim })
}

/// Whether a constraint depends on other arguments: `constraints.is_dependent`.
///
/// ```
/// use torch::distributions::constraints::{dependent, is_dependent, real};
/// assert!(is_dependent(&dependent()) && !is_dependent(&real()));
/// ```
pub fn is_dependent(constraint: &Constraint) -> bool {
    constraint.is_dependent()
}

/// A bound as what a comparison takes.
macro_rules! compare {
    ($x:expr, $method:ident, $bound:expr) => {
        match $bound {
            Value::Number(n) => $x.$method(*n),
            Value::Tensor(t) => $x.$method(t),
        }
    };
}

fn is_integer(x: &Tensor) -> Tensor {
    if x.dtype() == DType::Bool {
        return x.eq(x);
    }
    x.remainder(1).eq(0)
}

/// The last `dims` dimensions as one truth value.
fn all_rightmost(x: &Tensor, dims: usize) -> Tensor {
    let size = x.size();
    let mut shape: Vec<i64> = size[..size.len() - dims].iter().map(|&n| n as i64).collect();
    shape.push(-1);
    x.reshape(shape).all_dim(-1, false)
}

fn lower_triangular_of(x: &Tensor) -> Tensor {
    all_rightmost(&x.tril().eq(x), 2)
}

fn lower_cholesky_of(x: &Tensor) -> Tensor {
    lower_triangular_of(x) & x.diagonal_dims(0, -2, -1).gt(0).all_dim(-1, false)
}

fn square_of(x: &Tensor) -> Tensor {
    let size = x.size();
    let n = size.len();
    let same = n >= 2 && size[n - 1] == size[n - 2];
    ops::full(&size[..n.saturating_sub(2)], Scalar::Bool(same), DType::Bool, x.device()).or_panic()
}

fn symmetric_of(x: &Tensor) -> Tensor {
    let square = square_of(x);
    if !square.all().item_as::<bool>() {
        return square;
    }
    all_rightmost(&x.isclose_with(x.mT(), |o| o.atol(1e-6)), 2)
}

/// Whether no eigenvalue of each symmetric matrix is negative, by Jacobi's rotations.
fn semidefinite_of(x: &Tensor) -> Tensor {
    let n = x.size_dim(-1);
    let rounding = eps(x.dtype());
    let values: Vec<f64> = x.detach().cpu().to(DType::F64).to_vec();
    let least = values.chunks((n * n).max(1)).map(|a| {
        let (low, high) = eigenvalue_range(a.to_vec(), n);
        low >= -rounding * high.abs() * 0.5
    });
    let valid: Vec<bool> = least.collect();
    let shape: Vec<i64> = x.size()[..x.dim() - 2].iter().map(|&n| n as i64).collect();
    flambeau_autograd::from_vec(valid, shape)
}

/// The smallest and the largest eigenvalue of a symmetric matrix.
fn eigenvalue_range(mut a: Vec<f64>, n: usize) -> (f64, f64) {
    for _ in 0..50 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        if off < 1e-300 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q] == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    let diagonal = || (0..n).map(|i| a[i * n + i]);
    (diagonal().fold(f64::INFINITY, f64::min), diagonal().fold(f64::NEG_INFINITY, f64::max))
}

impl Constraint {
    /// Which values lie in the set; the event's dimensions become one truth value: `constraint.check(value)`.
    ///
    /// # Panics
    /// For [`dependent`], and for a value of too few dimensions.
    ///
    /// ```
    /// use torch::distributions::constraints::simplex;
    /// assert!(simplex().check(torch::tensor([0.25, 0.75])).item_as::<bool>());
    /// ```
    #[track_caller]
    pub fn check(&self, value: impl AsTensor) -> Tensor {
        at_caller(|| {
            let _guard = no_grad();
            self.check_of(value.as_tensor())
        })
    }

    fn check_of(&self, x: &Tensor) -> Tensor {
        match &*self.0 {
            Kind::Dependent { .. } => fail::value("Cannot determine validity of dependent constraint"),
            Kind::Independent(base, n) => {
                let result = base.check_of(x);
                if result.dim() < *n {
                    fail::value(format!("Expected value.dim() >= {} but got {}", base.event_dim() + n, x.dim()));
                }
                all_rightmost(&result, *n)
            }
            Kind::MixtureSameFamily(base) => {
                let event = self.event_dim();
                let result = base.check_of(&x.unsqueeze(-1 - event as i64));
                if x.dim() < event {
                    fail::value(format!("Expected value.dim() >= {event} but got {}", x.dim()));
                }
                let keep = x.dim() - event;
                all_rightmost(&result, result.dim().saturating_sub(keep))
            }
            Kind::Boolean => x.eq(0) | x.eq(1),
            Kind::OneHot => (x.eq(0) | x.eq(1)).all_dim(-1, false) & x.sum_dim(-1, false).eq(1),
            Kind::IntegerInterval(low, high) => is_integer(x) & compare!(x, ge, low) & compare!(x, le, high),
            Kind::IntegerGreaterThan(low) => is_integer(x) & compare!(x, ge, low),
            Kind::Real => x.eq(x),
            Kind::GreaterThan(low) => compare!(x, gt, low),
            Kind::GreaterThanEq(low) => compare!(x, ge, low),
            Kind::LessThan(high) => compare!(x, lt, high),
            Kind::Interval(low, high) => compare!(x, ge, low) & compare!(x, le, high),
            Kind::HalfOpenInterval(low, high) => compare!(x, ge, low) & compare!(x, lt, high),
            Kind::Simplex => x.ge(0).all_dim(-1, false) & (x.sum_dim(-1, false) - 1).abs().lt(1e-6),
            Kind::Multinomial(high) => x.ge(0).all_dim(-1, false) & compare!(x.sum_dim(-1, false), le, high),
            Kind::LowerTriangular => lower_triangular_of(x),
            Kind::LowerCholesky => lower_cholesky_of(x),
            Kind::CorrCholesky => {
                let tolerance = eps(x.dtype()) * x.size_dim(-1) as f64 * 10.0;
                let norms = x.square().sum_dim(-1, false).sqrt();
                lower_cholesky_of(x) & (norms - 1.0).abs().le(tolerance).all_dim(-1, false)
            }
            Kind::Square => square_of(x),
            Kind::Symmetric => symmetric_of(x),
            Kind::PositiveSemidefinite | Kind::PositiveDefinite => {
                let symmetric = symmetric_of(x);
                if !symmetric.all().item_as::<bool>() {
                    return symmetric;
                }
                match &*self.0 {
                    Kind::PositiveDefinite => ops::linalg_cholesky_info(&x.detach()).or_panic().eq(0),
                    _ => semidefinite_of(x),
                }
            }
            Kind::Cat { parts, dim, lengths } => {
                in_range(*dim, x);
                let mut start = 0;
                let checks: Vec<Tensor> = parts
                    .iter()
                    .zip(lengths)
                    .map(|(part, &length)| {
                        let checked = part.check_of(&x.narrow(*dim, start, length));
                        start += length;
                        checked
                    })
                    .collect();
                ops::cat(&checks, *dim).or_panic()
            }
            Kind::Stack { parts, dim } => {
                in_range(*dim, x);
                let slices = ops::unbind(x, *dim).or_panic();
                let checks: Vec<Tensor> = slices.iter().zip(parts).map(|(v, part)| part.check_of(v)).collect();
                ops::stack(&checks, *dim).or_panic()
            }
        }
    }

    /// How many of the last dimensions make one event: `constraint.event_dim`.
    ///
    /// # Panics
    /// For [`dependent`].
    ///
    /// ```
    /// use torch::distributions::constraints;
    /// assert_eq!((constraints::real().event_dim(), constraints::simplex().event_dim()), (0, 1));
    /// ```
    #[track_caller]
    pub fn event_dim(&self) -> usize {
        match &*self.0 {
            Kind::Dependent { event_dim, .. } => match event_dim {
                Some(n) => *n,
                None => fail::other(".event_dim cannot be determined statically"),
            },
            Kind::Independent(base, n) => base.event_dim() + n,
            Kind::MixtureSameFamily(base) => base.event_dim(),
            Kind::OneHot | Kind::Simplex | Kind::Multinomial(_) => 1,
            Kind::LowerTriangular
            | Kind::LowerCholesky
            | Kind::CorrCholesky
            | Kind::Square
            | Kind::Symmetric
            | Kind::PositiveSemidefinite
            | Kind::PositiveDefinite => 2,
            Kind::Cat { parts, .. } => parts.iter().map(Constraint::event_dim).max().unwrap_or(0),
            Kind::Stack { parts, dim } => {
                let most = parts.iter().map(Constraint::event_dim).max().unwrap_or(0);
                if dim + (most as i64) < 0 { most + 1 } else { most }
            }
            _ => 0,
        }
    }

    /// Whether the values are separate ones: `constraint.is_discrete`.
    ///
    /// # Panics
    /// For [`dependent`].
    ///
    /// ```
    /// use torch::distributions::constraints;
    /// assert!(constraints::boolean().is_discrete() && !constraints::real().is_discrete());
    /// ```
    #[track_caller]
    pub fn is_discrete(&self) -> bool {
        match &*self.0 {
            Kind::Dependent { is_discrete, .. } => match is_discrete {
                Some(b) => *b,
                None => fail::other(".is_discrete cannot be determined statically"),
            },
            Kind::Independent(base, _) | Kind::MixtureSameFamily(base) => base.is_discrete(),
            Kind::Boolean
            | Kind::OneHot
            | Kind::IntegerInterval(..)
            | Kind::IntegerGreaterThan(_)
            | Kind::Multinomial(_) => true,
            Kind::Cat { parts, .. } | Kind::Stack { parts, .. } => parts.iter().any(Constraint::is_discrete),
            _ => false,
        }
    }

    pub(crate) fn is_dependent(&self) -> bool {
        matches!(*self.0, Kind::Dependent { .. })
    }

    /// The lower bound, where there is one: `constraint.lower_bound`.
    ///
    /// ```
    /// use torch::distributions::constraints;
    /// assert_eq!(constraints::greater_than(2.0).lower_bound().unwrap().to_string(), "2.0");
    /// ```
    pub fn lower_bound(&self) -> Option<Value> {
        match &*self.0 {
            Kind::IntegerInterval(low, _)
            | Kind::IntegerGreaterThan(low)
            | Kind::GreaterThan(low)
            | Kind::GreaterThanEq(low)
            | Kind::Interval(low, _)
            | Kind::HalfOpenInterval(low, _) => Some(low.clone()),
            _ => None,
        }
    }

    /// The upper bound, where there is one: `constraint.upper_bound`.
    ///
    /// ```
    /// use torch::distributions::constraints;
    /// assert_eq!(constraints::less_than(2).upper_bound().unwrap().to_string(), "2");
    /// ```
    pub fn upper_bound(&self) -> Option<Value> {
        match &*self.0 {
            Kind::IntegerInterval(_, high)
            | Kind::LessThan(high)
            | Kind::Interval(_, high)
            | Kind::Multinomial(high)
            | Kind::HalfOpenInterval(_, high) => Some(high.clone()),
            _ => None,
        }
    }

    /// PyTorch's class, as it prints it: with an underscore in messages of types, without in a constraint's own text.
    pub(crate) fn class(&self) -> &'static str {
        match &*self.0 {
            Kind::Dependent { .. } => "_Dependent",
            Kind::Independent(..) => "_IndependentConstraint",
            Kind::MixtureSameFamily(_) => "MixtureSameFamilyConstraint",
            Kind::Boolean => "_Boolean",
            Kind::OneHot => "_OneHot",
            Kind::IntegerInterval(..) => "_IntegerInterval",
            Kind::IntegerGreaterThan(_) => "_IntegerGreaterThan",
            Kind::Real => "_Real",
            Kind::GreaterThan(_) => "_GreaterThan",
            Kind::GreaterThanEq(_) => "_GreaterThanEq",
            Kind::LessThan(_) => "_LessThan",
            Kind::Interval(..) => "_Interval",
            Kind::HalfOpenInterval(..) => "_HalfOpenInterval",
            Kind::Simplex => "_Simplex",
            Kind::Multinomial(_) => "_Multinomial",
            Kind::LowerTriangular => "_LowerTriangular",
            Kind::LowerCholesky => "_LowerCholesky",
            Kind::CorrCholesky => "_CorrCholesky",
            Kind::Square => "_Square",
            Kind::Symmetric => "_Symmetric",
            Kind::PositiveSemidefinite => "_PositiveSemidefinite",
            Kind::PositiveDefinite => "_PositiveDefinite",
            Kind::Cat { .. } => "_Cat",
            Kind::Stack { .. } => "_Stack",
        }
    }
}

fn in_range(dim: i64, x: &Tensor) {
    let n = x.dim() as i64;
    if dim < -n || dim >= n {
        fail::other(format!("dim {dim} out of range for value with {n} dimensions"));
    }
}

/// Python's `repr`.
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.class().trim_start_matches('_');
        match &*self.0 {
            Kind::Independent(base, n) => write!(f, "{name}({base}, {n})"),
            Kind::MixtureSameFamily(base) => write!(f, "{name}({base})"),
            Kind::IntegerInterval(low, high) | Kind::Interval(low, high) | Kind::HalfOpenInterval(low, high) => {
                write!(f, "{name}(lower_bound={low}, upper_bound={high})")
            }
            Kind::IntegerGreaterThan(low) | Kind::GreaterThan(low) | Kind::GreaterThanEq(low) => {
                write!(f, "{name}(lower_bound={low})")
            }
            Kind::LessThan(high) => write!(f, "{name}(upper_bound={high})"),
            _ => write!(f, "{name}()"),
        }
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
