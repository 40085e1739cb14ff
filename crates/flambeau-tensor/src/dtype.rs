//! Element types.

use half::{bf16, f16};

/// The type of an array's elements. Names print as PyTorch's (`torch.float32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// `torch.bool`, one byte, 0 or 1.
    Bool,
    /// `torch.uint8`.
    U8,
    /// `torch.int8`.
    I8,
    /// `torch.int16`.
    I16,
    /// `torch.int32`.
    I32,
    /// `torch.int64`, the type of labels and indices.
    I64,
    /// `torch.float16`.
    F16,
    /// `torch.bfloat16`.
    BF16,
    /// `torch.float32`.
    F32,
    /// `torch.float64`.
    F64,
}

impl DType {
    /// Every dtype, in the order of the enum.
    pub const ALL: [DType; 10] = [
        DType::Bool,
        DType::U8,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];

    /// Bytes per element.
    #[inline]
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 | DType::I8 => 1,
            DType::I16 | DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        }
    }

    /// f16, bf16, f32 or f64.
    #[inline]
    pub const fn is_floating_point(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// An integer type; bool is none.
    #[inline]
    pub const fn is_integer(self) -> bool {
        matches!(self, DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    /// An integer type with negative values, or a floating-point type.
    #[inline]
    pub const fn is_signed(self) -> bool {
        !matches!(self, DType::Bool | DType::U8)
    }

    /// The type that kernels compute in: f32 for f16 and bf16 (rounded once, at the end), else the type itself.
    #[inline]
    pub const fn compute(self) -> DType {
        match self {
            DType::F16 | DType::BF16 => DType::F32,
            other => other,
        }
    }

    /// PyTorch's name without the prefix: `float32`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "uint8",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }

    /// The name in PyTorch's C++ error messages: `Float`, `Long`.
    pub const fn scalar_type_name(self) -> &'static str {
        match self {
            DType::Bool => "Bool",
            DType::U8 => "Byte",
            DType::I8 => "Char",
            DType::I16 => "Short",
            DType::I32 => "Int",
            DType::I64 => "Long",
            DType::F16 => "Half",
            DType::BF16 => "BFloat16",
            DType::F32 => "Float",
            DType::F64 => "Double",
        }
    }

    /// C++'s name of the element type, as some of PyTorch's error messages have it: `float`, `unsigned char`.
    pub const fn c_name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "unsigned char",
            DType::I8 => "signed char",
            DType::I16 => "short",
            DType::I32 => "int",
            DType::I64 => "long",
            DType::F16 => "c10::Half",
            DType::BF16 => "c10::BFloat16",
            DType::F32 => "float",
            DType::F64 => "double",
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "torch.{}", self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that an array can hold. Sealed: the ten types of [`DType`].
pub trait Element: sealed::Sealed + Copy + Send + Sync + Default + PartialEq + std::fmt::Debug + 'static {
    /// The dtype that this type stands for.
    const DTYPE: DType;
    /// The value as a scalar.
    fn to_scalar(self) -> crate::Scalar;
    /// The scalar converted as `Tensor.to` converts: floats truncate towards zero, integers wrap, non-zero is true.
    fn from_scalar(s: crate::Scalar) -> Self;
}

macro_rules! element {
    ($($t:ty => $d:ident, |$x:ident| $to:expr, |$s:ident| $from:expr;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$d;
            #[inline]
            fn to_scalar(self) -> crate::Scalar { let $x = self; $to }
            #[inline]
            fn from_scalar($s: crate::Scalar) -> Self { $from }
        }
    )*};
}

use crate::Scalar::{Bool, Float, Int};

/// Rounds once: an integer does not pass through f64 on its way to f32. The half types are rounded from f32, as PyTorch
/// does it.
#[inline]
fn to_f32(s: crate::Scalar) -> f32 {
    match s {
        Int(i) => i as f32,
        other => other.to_f64() as f32,
    }
}

element! {
    bool => Bool, |x| Bool(x), |s| s.to_bool();
    u8 => U8, |x| Int(x as i64), |s| s.to_i64() as u8;
    i8 => I8, |x| Int(x as i64), |s| s.to_i64() as i8;
    i16 => I16, |x| Int(x as i64), |s| s.to_i64() as i16;
    i32 => I32, |x| Int(x as i64), |s| s.to_i64() as i32;
    i64 => I64, |x| Int(x), |s| s.to_i64();
    f16 => F16, |x| Float(x.to_f64()), |s| f16::from_f32(to_f32(s));
    bf16 => BF16, |x| Float(x.to_f64()), |s| bf16::from_f32(to_f32(s));
    f32 => F32, |x| Float(x as f64), |s| to_f32(s);
    f64 => F64, |x| Float(x), |s| s.to_f64();
}
