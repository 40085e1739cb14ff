//! Element types.

use half::{bf16, f16};

/// The type of an array's elements. Names print as PyTorch's (`torch.float32`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Whether gradients flow through values of the type: through floats, and in PyTorch through complex numbers.
    pub const fn is_differentiable(self) -> bool {
        self.is_floating_point()
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

    /// The smallest and the largest finite value as f64, which rounds the ends of int64: `torch.iinfo`, `torch.finfo`.
    #[inline]
    pub const fn range(self) -> (f64, f64) {
        match self {
            DType::Bool => (0.0, 1.0),
            DType::U8 => (0.0, 255.0),
            DType::I8 => (-128.0, 127.0),
            DType::I16 => (-32_768.0, 32_767.0),
            DType::I32 => (i32::MIN as f64, i32::MAX as f64),
            DType::I64 => (i64::MIN as f64, i64::MAX as f64),
            DType::F16 => (-65_504.0, 65_504.0),
            // 2¹²⁷ · (2 − 2⁻⁷)
            DType::BF16 => (-3.389_531_389_251_535_5e38, 3.389_531_389_251_535_5e38),
            DType::F32 => (f32::MIN as f64, f32::MAX as f64),
            DType::F64 => (f64::MIN, f64::MAX),
        }
    }

    /// The name in PyTorch's message about a number that the type does not hold: `uint8_t`, `int`, `float`.
    pub const fn fixed_width_name(self) -> &'static str {
        match self {
            DType::U8 => "uint8_t",
            DType::I8 => "int8_t",
            DType::I16 => "int16_t",
            DType::I64 => "int64_t",
            other => other.c_name(),
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

    /// C++'s long name of the element type, as most of PyTorch's error messages have it: `long int` where
    /// [`DType::c_name`] has `long`.
    pub const fn cpp_name(self) -> &'static str {
        match self {
            DType::I16 => "short int",
            DType::I64 => "long int",
            other => other.c_name(),
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "torch.{}", self.name())
    }
}

impl std::fmt::Debug for DType {
    /// As it displays: Python has one text for both.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
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

// A type's own conversion is `Scalar::cast`, which leaves a number that the type holds.
element! {
    bool => Bool, |x| Bool(x), |s| s.to_bool();
    u8 => U8, |x| Int(x as i64), |s| s.cast(DType::U8).to_i64() as u8;
    i8 => I8, |x| Int(x as i64), |s| s.cast(DType::I8).to_i64() as i8;
    i16 => I16, |x| Int(x as i64), |s| s.cast(DType::I16).to_i64() as i16;
    i32 => I32, |x| Int(x as i64), |s| s.cast(DType::I32).to_i64() as i32;
    i64 => I64, |x| Int(x), |s| s.to_i64();
    f16 => F16, |x| Float(x.to_f64()), |s| f16::from_f32(s.to_f32());
    bf16 => BF16, |x| Float(x.to_f64()), |s| bf16::from_f32(s.to_f32());
    f32 => F32, |x| Float(x as f64), |s| s.to_f32();
    f64 => F64, |x| Float(x), |s| s.to_f64();
}
