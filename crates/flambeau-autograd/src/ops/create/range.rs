//! Sequences of numbers.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::make::scalars_on;
use flambeau_device::default_device;
use flambeau_macros::op;
use flambeau_tensor::{DType, Device, Scalar, default_dtype, sequence};

/// Where [`arange`] starts, ends and how far it steps.
pub struct Range {
    /// The first number.
    pub start: Scalar,
    /// What the numbers stay below.
    pub end: Scalar,
    /// From one number to the next.
    pub step: Scalar,
}

/// What `torch::arange` takes: an end, `(start, end)`, `(start, end, step)`, or Rust's `start..end`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no range of numbers",
    label = "expected `end`, `(start, end)`, `(start, end, step)` or `start..end`"
)]
pub trait IntoRange {
    /// The range.
    fn into_range(self) -> Range;
}

macro_rules! ranges {
    ($($t:ty),*) => {$(
        impl IntoRange for $t {
            fn into_range(self) -> Range {
                Range { start: Scalar::Int(0), end: self.into(), step: Scalar::Int(1) }
            }
        }
    )*};
}
ranges!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64, Scalar);

impl<A: Into<Scalar>, B: Into<Scalar>> IntoRange for (A, B) {
    fn into_range(self) -> Range {
        Range { start: self.0.into(), end: self.1.into(), step: Scalar::Int(1) }
    }
}

impl<A: Into<Scalar>, B: Into<Scalar>, C: Into<Scalar>> IntoRange for (A, B, C) {
    fn into_range(self) -> Range {
        Range { start: self.0.into(), end: self.1.into(), step: self.2.into() }
    }
}

impl<A: Into<Scalar>> IntoRange for std::ops::Range<A> {
    fn into_range(self) -> Range {
        (self.start, self.end).into_range()
    }
}

/// The numbers start, start + step, … below end: `torch.arange`. `torch::arange(end)` counts 0, 1, … end − 1; start, end and
/// step are a tuple, `(start, end)` or `(start, end, step)`, or Rust's `start..end`. Without a dtype: int64, or the default
/// float type if any of the three is a float.
///
/// # Errors
/// When the step is 0 or leads away from the end.
///
/// ```
/// assert_eq!(torch::arange(4).to_vec::<i64>(), [0, 1, 2, 3]);
/// assert_eq!(torch::arange((1.0, 2.0, 0.25)).to_vec::<f32>(), [1.0, 1.25, 1.5, 1.75]);
/// assert_eq!(torch::arange((5, 0, -2)).to_vec::<i64>(), [5, 3, 1]);
/// assert_eq!(torch::arange_with(2..4, |o| o.dtype(torch::float32)).to_vec::<f32>(), [2.0, 3.0]);
/// ```
#[op(torch, creation, not_differentiable, forms(
    arange(range: impl IntoRange) = (range.start, range.end, range.step, None, default_device()),
))]
pub fn arange(start: Scalar, end: Scalar, step: Scalar, dtype: Option<DType>, device: Device) -> Result<Tensor> {
    let floats = [start, end, step].iter().any(|s| s.is_float());
    let dtype = dtype.unwrap_or(if floats { default_dtype() } else { DType::I64 });
    if step.to_f64() == 0.0 {
        return Err(Error::runtime("step must be nonzero"));
    }
    let (a, b, s) = (start.to_f64(), end.to_f64(), step.to_f64());
    if !a.is_finite() || !b.is_finite() {
        return Err(Error::runtime(format!("unsupported range: {a} -> {b}")));
    }
    if (s > 0.0 && a > b) || (s < 0.0 && a < b) {
        return Err(Error::runtime("upper bound and lower bound inconsistent with step sign"));
    }
    if !s.is_finite() {
        let step = flambeau_tensor::print::cpp_double(s);
        return Err(Error::runtime(format!("step must be finite but got {step}")));
    }
    let n = if floats {
        ((b - a) / s).ceil() as usize
    } else {
        let (a, b, s) = (i128::from(start.to_i64()), i128::from(end.to_i64()), i128::from(step.to_i64()));
        (b - a).unsigned_abs().div_ceil(s.unsigned_abs()) as usize
    };
    let values = sequence::arange(start, step, n, dtype, sequence::fuses());
    // An integer dtype wraps around its ends.
    let values: Vec<Scalar> = values.iter().map(|v| v.cast(dtype)).collect();
    scalars_on(&values, &[n], dtype, device)
}

/// `steps` numbers from start to end, both included, evenly spaced: `torch.linspace`. `torch::linspace` takes the default dtype.
/// Like PyTorch's, symmetric: the second half counts down from the end, in the dtype's own precision.
///
/// # Errors
/// When the dtype does not hold an end.
///
/// ```
/// assert_eq!(torch::linspace(0.0, 1.0, 5).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
/// ```
#[op(torch, creation, not_differentiable, forms(
    linspace(end: f64, steps: usize) = (end, steps, default_dtype(), default_device()),
))]
pub fn linspace(start: f64, end: f64, steps: usize, dtype: DType, device: Device) -> Result<Tensor> {
    let [start, end] = [start, end].map(Scalar::Float);
    let values = sequence::linspace(start, end, steps, dtype, sequence::fuses())?;
    let values: Vec<Scalar> = values.iter().map(|v| v.cast(dtype)).collect();
    scalars_on(&values, &[steps], dtype, device)
}

/// `steps` powers of `base`, whose exponents are evenly spaced from `start` to `end`, both included: `torch.logspace`, which
/// takes the base 10 and the default dtype.
///
/// # Errors
/// For a negative number of steps, and for bools.
///
/// ```
/// assert_eq!(torch::logspace(0, 2, 3).to_vec::<f32>(), [1.0, 10.0, 100.0]);
/// assert_eq!(torch::logspace_base(0, 3, 4, 2).to_vec::<f32>(), [1.0, 2.0, 4.0, 8.0]);
/// assert_eq!(torch::logspace_with(0, 2, 3, |o| o.dtype(torch::int64)).to_vec::<i64>(), [1, 10, 100]);
/// ```
#[op(torch, creation, not_differentiable, forms(
    logspace(end: f64, steps: i64) = (end, steps, 10.0, default_dtype(), default_device()),
    logspace_base(end: f64, steps: i64, base: f64) = (end, steps, base, default_dtype(), default_device()),
))]
pub fn logspace(start: f64, end: f64, steps: i64, base: f64, dtype: DType, device: Device) -> Result<Tensor> {
    let steps = usize::try_from(steps).map_err(|_| Error::runtime("number of steps must be non-negative"))?;
    if dtype == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "logspace_cpu", dtype }.into());
    }
    let values: Vec<Scalar> = sequence::logspace(start, end, steps, base, dtype);
    scalars_on(&values, &[steps], dtype, device)
}
