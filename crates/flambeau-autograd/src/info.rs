//! The limits of dtypes: `torch.finfo`, `torch.iinfo`.

use flambeau_tensor::DType;
use flambeau_tensor::print::cpp_double;
use std::fmt;

/// The limits of a floating-point dtype: `torch.finfo`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FInfo {
    /// The distance from 1 to the next number.
    pub eps: f64,
    /// The largest number.
    pub max: f64,
    /// The smallest number, −max.
    pub min: f64,
    /// The smallest positive number of full precision.
    pub tiny: f64,
    /// The same as `tiny`.
    pub smallest_normal: f64,
    /// A power of ten that the dtype resolves.
    pub resolution: f64,
    /// How many bits a number has.
    pub bits: u32,
    /// The dtype.
    pub dtype: DType,
}

/// The limits of an integer dtype: `torch.iinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IInfo {
    /// The largest number.
    pub max: i64,
    /// The smallest number.
    pub min: i64,
    /// How many bits a number has.
    pub bits: u32,
    /// The dtype.
    pub dtype: DType,
}

/// The limits of a floating-point dtype: `torch.finfo(dtype)`.
///
/// # Panics
/// For other dtypes.
///
/// ```
/// assert_eq!(torch::finfo(torch::float16).max, 65504.0);
/// assert_eq!(torch::finfo(torch::float32).eps, f64::from(f32::EPSILON));
/// ```
#[track_caller]
pub fn finfo(dtype: DType) -> FInfo {
    // Bits of the exponent and of the fraction.
    let (exponent, fraction, resolution) = match dtype {
        DType::F16 => (5, 10, 1e-3),
        DType::BF16 => (8, 7, 1e-2),
        DType::F32 => (8, 23, 1e-6),
        DType::F64 => (11, 52, 1e-15),
        _ => panic!("torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"),
    };
    let bias = (1 << (exponent - 1)) - 1;
    let eps = 2f64.powi(-fraction);
    let max = (2.0 - eps) * 2f64.powi(bias);
    let tiny = 2f64.powi(1 - bias);
    FInfo { eps, max, min: -max, tiny, smallest_normal: tiny, resolution, bits: 8 * dtype.size() as u32, dtype }
}

/// The limits of an integer dtype: `torch.iinfo(dtype)`.
///
/// # Panics
/// For other dtypes.
///
/// ```
/// let info = torch::iinfo(torch::int8);
/// assert_eq!((info.min, info.max), (-128, 127));
/// ```
#[track_caller]
pub fn iinfo(dtype: DType) -> IInfo {
    let (min, max) = match dtype {
        DType::U8 => (0, u8::MAX.into()),
        DType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DType::I64 => (i64::MIN, i64::MAX),
        DType::Bool => panic!("torch.bool is not supported by torch.iinfo"),
        _ => panic!("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"),
    };
    IInfo { max, min, bits: 8 * dtype.size() as u32, dtype }
}

impl fmt::Display for FInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [resolution, min, max, eps, tiny] =
            [self.resolution, self.min, self.max, self.eps, self.tiny].map(cpp_double);
        let dtype = self.dtype.name();
        write!(
            f,
            "finfo(resolution={resolution}, min={min}, max={max}, eps={eps}, smallest_normal={tiny}, tiny={tiny}, dtype={dtype})"
        )
    }
}

impl fmt::Display for IInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, max] = [self.min, self.max].map(|n| cpp_double(n as f64));
        write!(f, "iinfo(min={min}, max={max}, dtype={})", self.dtype.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside PyTorch's.
    #[test]
    fn limits_print_as_pytorch_prints_them() {
        let floats = [
            (
                DType::F16,
                "finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, smallest_normal=6.10352e-05, tiny=6.10352e-05, dtype=float16)",
            ),
            (
                DType::BF16,
                "finfo(resolution=0.01, min=-3.38953e+38, max=3.38953e+38, eps=0.0078125, smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=bfloat16)",
            ),
            (
                DType::F64,
                "finfo(resolution=1e-15, min=-1.79769e+308, max=1.79769e+308, eps=2.22045e-16, smallest_normal=2.22507e-308, tiny=2.22507e-308, dtype=float64)",
            ),
        ];
        for (dtype, text) in floats {
            assert_eq!(finfo(dtype).to_string(), text);
        }
        assert_eq!(iinfo(DType::I32).to_string(), "iinfo(min=-2.14748e+09, max=2.14748e+09, dtype=int32)");
        assert_eq!(finfo(DType::F64).max, f64::MAX);
        assert_eq!(finfo(DType::F32).tiny, f64::from(f32::MIN_POSITIVE));
    }
}
