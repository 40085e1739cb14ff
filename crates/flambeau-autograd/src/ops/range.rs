//! Sequences of numbers.

use crate::error::{Error, Result};
use crate::{Tensor, from_scalars};
use flambeau_tensor::{DType, Scalar, default_dtype};

/// start, start + step, … below end: `torch.arange`. Without a dtype: int64, or the default float type if any number is a
/// float.
pub fn arange(start: Scalar, end: Scalar, step: Scalar, dtype: Option<DType>) -> Result<Tensor> {
    let floats = [start, end, step].iter().any(|s| matches!(s, Scalar::Float(_)));
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
    let values: Vec<Scalar> = if floats {
        let n = ((b - a) / s).ceil() as usize;
        // The number of elements is that of the floats, but an integer dtype truncates start and step first.
        let (a, s) = if dtype.is_floating_point() { (a, s) } else { (a.trunc(), s.trunc()) };
        (0..n).map(|i| Scalar::Float(a + i as f64 * s)).collect()
    } else {
        let (a, b, s) = (start.to_i64() as i128, end.to_i64() as i128, step.to_i64() as i128);
        let n = ((b - a).unsigned_abs()).div_ceil(s.unsigned_abs());
        (0..n as i128).map(|i| Scalar::Int((a + i * s) as i64)).collect()
    };
    from_scalars(&values, &[values.len()], dtype)
}

/// `steps` numbers from start to end: `torch.linspace`. Like PyTorch's, symmetric: the second half counts down from the
/// end, in the dtype's own precision.
pub fn linspace(start: f64, end: f64, steps: usize, dtype: DType) -> Result<Tensor> {
    let single = dtype.compute() == DType::F32;
    let step = if steps > 1 { (end - start) / (steps - 1) as f64 } else { 0.0 };
    let value = |i: usize| {
        if single {
            let (start, end, step) = (start as f32, end as f32, step_f32(start, end, steps));
            let x = if i < steps / 2 { start + step * i as f32 } else { end - step * (steps - i - 1) as f32 };
            f64::from(x)
        } else if i < steps / 2 {
            start + step * i as f64
        } else {
            end - step * (steps - i - 1) as f64
        }
    };
    let values: Vec<Scalar> = match steps {
        1 => vec![Scalar::Float(start)],
        n => (0..n).map(|i| Scalar::Float(value(i))).collect(),
    };
    from_scalars(&values, &[steps], dtype)
}

fn step_f32(start: f64, end: f64, steps: usize) -> f32 {
    (end as f32 - start as f32) / (steps - 1) as f32
}
