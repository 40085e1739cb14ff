//! What an adapter's shaders may use.

use flambeau_tensor::DType;
use std::fmt;

/// Optional abilities of an adapter that change the text of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// 16-bit floats in shaders and storage (`SHADER_F16`).
    pub f16: bool,
    /// 16-bit integers in shaders and storage (`SHADER_I16`), which bfloat16 is stored in.
    pub i16: bool,
    /// 64-bit integers (`SHADER_INT64`).
    pub i64: bool,
    /// 64-bit floats (`SHADER_F64`).
    pub f64: bool,
    /// Small parameters without a buffer (`IMMEDIATES`); else they come through a uniform buffer.
    pub immediates: bool,
}

impl Target {
    /// A target with every ability.
    pub const FULL: Target = Target { f16: true, i16: true, i64: true, f64: true, immediates: true };

    /// Checks that arrays of `dtype` can be stored.
    ///
    /// # Errors
    /// When a feature is missing.
    pub fn check_storage(&self, dtype: DType) -> Result<(), Missing> {
        match dtype {
            DType::F16 if !self.f16 => Err(Missing { dtype, feature: "SHADER_F16" }),
            DType::BF16 if !self.i16 => Err(Missing { dtype, feature: "SHADER_I16" }),
            DType::F64 if !self.f64 || !self.i64 => Err(Missing { dtype, feature: "SHADER_F64" }),
            _ => Ok(()),
        }
    }

    /// Checks that kernels can compute with values of `dtype`.
    ///
    /// # Errors
    /// When a feature is missing.
    pub fn check_compute(&self, dtype: DType) -> Result<(), Missing> {
        match dtype {
            DType::I64 if !self.i64 => Err(Missing { dtype, feature: "SHADER_INT64" }),
            _ => self.check_storage(dtype),
        }
    }
}

/// A feature that the adapter lacks and a dtype needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The dtype.
    pub dtype: DType,
    /// The feature, by wgpu's name.
    pub feature: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { dtype, feature } = self;
        write!(
            f,
            "this adapter cannot compute with {dtype}: it lacks the feature {feature}; use another dtype or the device \"cpu\""
        )
    }
}

impl std::error::Error for Missing {}
