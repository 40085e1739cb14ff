//! Numbers that are not tensors, and how they become elements.

use crate::{DType, Error, Result};
use half::{bf16, f16};

/// A Python-like number: bool, integer or float. Integers never pass through a float, so that 2⁵³ + 1 survives. More kinds may
/// come; code outside this crate asks [`Scalar::is_float`] and its like rather than for every kind in turn.
///
/// ```
/// use flambeau_tensor::Scalar;
/// let x = Scalar::from(2);
/// assert!(x.is_int() && !x.is_float());
/// assert_eq!((x.kind(), x.as_int()), ("int", Some(2)));
/// assert_eq!([Scalar::from(true), x, Scalar::from(1e-5)].map(|s| s.to_string()), ["True", "2", "1e-05"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// A Python `bool`.
    Bool(bool),
    /// A Python `int` that fits 64 bits.
    Int(i64),
    /// A Python `float`.
    Float(f64),
}

impl Scalar {
    /// Whether it is a Python `bool`.
    #[inline]
    pub fn is_bool(self) -> bool {
        matches!(self, Scalar::Bool(_))
    }

    /// Whether it is a Python `int`.
    #[inline]
    pub fn is_int(self) -> bool {
        matches!(self, Scalar::Int(_))
    }

    /// Whether it is a Python `float`.
    #[inline]
    pub fn is_float(self) -> bool {
        matches!(self, Scalar::Float(_))
    }

    /// The integer, if it is a Python `int`.
    #[inline]
    pub fn as_int(self) -> Option<i64> {
        if let Scalar::Int(i) = self { Some(i) } else { None }
    }

    /// The name of its type in Python.
    pub fn kind(self) -> &'static str {
        match self {
            Scalar::Bool(_) => "bool",
            Scalar::Int(_) => "int",
            Scalar::Float(_) => "float",
        }
    }

    /// The value as f64; integers above 2⁵³ round.
    #[inline]
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => f64::from(u8::from(b)),
            Scalar::Int(i) => i as f64,
            Scalar::Float(x) => x,
        }
    }

    /// The value as i64; floats truncate towards zero, and NaN and what does not fit become the smallest i64, as x86's
    /// conversion gives it.
    #[inline]
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Bool(b) => i64::from(b),
            Scalar::Int(i) => i,
            Scalar::Float(x) if x < i64::MAX as f64 => x as i64,
            Scalar::Float(_) => i64::MIN,
        }
    }

    /// The value as f32, rounded once: an integer does not pass through f64.
    #[inline]
    pub fn to_f32(self) -> f32 {
        match self {
            Scalar::Bool(b) => f32::from(u8::from(b)),
            Scalar::Int(i) => i as f32,
            Scalar::Float(x) => x as f32,
        }
    }

    /// The number as an element of `dtype`, converted as `Tensor.to` converts: floats become integers by truncation,
    /// integers keep their low bits, what is not zero becomes true, and float types round. PyTorch makes a tensor of the
    /// number that stands beside a tensor in `+` or `<`, and converts that; so these operations never fail, and wrap.
    #[inline]
    pub fn cast(self, dtype: DType) -> Scalar {
        // The conversion to a narrow integer goes through i32.
        let narrow = || match self {
            Scalar::Float(x) if !(x > -2_147_483_649.0 && x < 2_147_483_648.0) => i64::from(i32::MIN),
            other => other.to_i64(),
        };
        match dtype {
            DType::Bool => Scalar::Bool(self.to_bool()),
            DType::U8 => Scalar::Int(i64::from(narrow() as u8)),
            DType::I8 => Scalar::Int(i64::from(narrow() as i8)),
            DType::I16 => Scalar::Int(i64::from(narrow() as i16)),
            DType::I32 => Scalar::Int(i64::from(narrow() as i32)),
            DType::I64 => Scalar::Int(self.to_i64()),
            DType::F16 => Scalar::Float(f16::from_f32(self.to_f32()).to_f64()),
            DType::BF16 => Scalar::Float(bf16::from_f32(self.to_f32()).to_f64()),
            DType::F32 => Scalar::Float(f64::from(self.to_f32())),
            DType::F64 => Scalar::Float(self.to_f64()),
        }
    }

    /// Whether `dtype` holds the number, as PyTorch's `Scalar::to` sees it: bools always fit and bool holds everything,
    /// fractions are cut off (255.5 fits uint8), infinities and NaN fit floats only, and uint8 takes integers from -255 on, which wrap.
    #[inline]
    pub fn fits(self, dtype: DType) -> bool {
        let (low, high) = dtype.range();
        match self {
            Scalar::Bool(_) => true,
            _ if dtype == DType::Bool => true,
            Scalar::Int(i) if dtype == DType::U8 => (-255..=255).contains(&i),
            Scalar::Int(_) if dtype == DType::I64 => true,
            Scalar::Int(i) => (low..=high).contains(&(i as f64)),
            // The end of int64 is no float: the next one is outside.
            Scalar::Float(x) if dtype == DType::I64 => (low..high).contains(&x),
            Scalar::Float(x) if dtype.is_integer() => (low..high + 1.0).contains(&x),
            Scalar::Float(x) => (low..=high).contains(&x) || dtype.is_floating_point() && !x.is_finite(),
        }
    }

    /// The number as an element of `dtype`, for operations that must not change it: fills, `alpha`, and the like.
    ///
    /// # Errors
    /// When the dtype does not hold it; see [`Scalar::fits`].
    #[inline]
    pub fn checked(self, dtype: DType) -> Result<Scalar> {
        match self.fits(dtype) {
            true => Ok(self.cast(dtype)),
            false => Err(overflow(dtype)),
        }
    }

    /// Whether the value is not zero (NaN is not).
    #[inline]
    pub fn to_bool(self) -> bool {
        match self {
            Scalar::Bool(b) => b,
            Scalar::Int(i) => i != 0,
            Scalar::Float(x) => x != 0.0,
        }
    }

    /// The dtype that stands for this number's category in type promotion, given the default float type.
    #[inline]
    pub fn dtype(self, default_float: DType) -> DType {
        match self {
            Scalar::Bool(_) => DType::Bool,
            Scalar::Int(_) => DType::I64,
            Scalar::Float(_) => default_float,
        }
    }
}

/// As Python prints it: `True`, `2`, `0.5`.
impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Scalar::Bool(b) => f.write_str(if b { "True" } else { "False" }),
            Scalar::Int(i) => write!(f, "{i}"),
            Scalar::Float(x) => f.write_str(&crate::print::py_float(x)),
        }
    }
}

/// PyTorch's words for a number that a dtype does not hold.
#[cold]
fn overflow(dtype: DType) -> Error {
    Error::runtime(format!("value cannot be converted to type {} without overflow", dtype.fixed_width_name()))
}

macro_rules! from_number {
    ($($t:ty => $variant:ident),*) => {$(
        impl From<$t> for Scalar {
            #[inline]
            fn from(x: $t) -> Self { Scalar::$variant(x.into()) }
        }
    )*};
}
from_number!(bool => Bool, u8 => Int, i8 => Int, i16 => Int, u16 => Int, i32 => Int, u32 => Int, i64 => Int, f32 => Float, f64 => Float);

macro_rules! from_word {
    ($($t:ty),*) => {$(
        impl From<$t> for Scalar {
            #[inline]
            fn from(x: $t) -> Self { Scalar::Int(x as i64) }
        }
    )*};
}
from_word!(u64, usize, isize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Element;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = Scalar> {
        let near = |x: f64| prop_oneof![Just(x), (-3.0..3.0).prop_map(move |d| x + d)];
        let ends = prop_oneof![
            Just(0.0),
            Just(127.0),
            Just(255.0),
            Just(32767.0),
            Just(65504.0),
            Just(2147483647.0),
            Just(9.2e18),
            Just(3.4e38),
            Just(1e300)
        ];
        let float = (ends, any::<bool>()).prop_flat_map(move |(x, negative)| near(if negative { -x } else { x }));
        prop_oneof![
            any::<i64>().prop_map(Scalar::Int),
            (-70_000i64..70_000).prop_map(Scalar::Int),
            any::<bool>().prop_map(Scalar::Bool),
            float.prop_map(Scalar::Float),
            any::<f64>().prop_map(Scalar::Float),
        ]
    }

    fn dtypes() -> impl Strategy<Value = DType> {
        (0..DType::ALL.len()).prop_map(|i| DType::ALL[i])
    }

    /// The element that a number becomes, as a number.
    fn element(s: Scalar, dtype: DType) -> Scalar {
        match dtype {
            DType::Bool => bool::from_scalar(s).to_scalar(),
            DType::U8 => u8::from_scalar(s).to_scalar(),
            DType::I8 => i8::from_scalar(s).to_scalar(),
            DType::I16 => i16::from_scalar(s).to_scalar(),
            DType::I32 => i32::from_scalar(s).to_scalar(),
            DType::I64 => i64::from_scalar(s).to_scalar(),
            DType::F16 => f16::from_scalar(s).to_scalar(),
            DType::BF16 => bf16::from_scalar(s).to_scalar(),
            DType::F32 => f32::from_scalar(s).to_scalar(),
            DType::F64 => f64::from_scalar(s).to_scalar(),
        }
    }

    fn same(a: Scalar, b: Scalar) -> bool {
        a == b || matches!((a, b), (Scalar::Float(x), Scalar::Float(y)) if x.is_nan() && y.is_nan())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_cast_is_the_element_and_casts_to_itself(s in numbers(), dtype in dtypes()) {
            prop_assert!(same(s.cast(dtype), element(s, dtype)), "{s:?} in {dtype}");
            prop_assert!(same(s.cast(dtype).cast(dtype), s.cast(dtype)));
            prop_assert!(s.cast(dtype).fits(dtype));
        }

        #[test]
        fn what_an_integer_type_takes_it_takes_whole(s in numbers(), dtype in dtypes()) {
            let whole = match s {
                Scalar::Bool(_) => true,
                Scalar::Int(i) => dtype == DType::Bool || !dtype.is_integer() || s.cast(dtype) == Scalar::Int(i)
                    || dtype == DType::U8 && (-255..0).contains(&i),
                Scalar::Float(x) => !dtype.is_integer() || s.cast(dtype) == Scalar::Int(x.trunc() as i64) && x != 2f64.powi(63),
            };
            prop_assert!(whole || s.checked(dtype).is_err(), "{s:?} in {dtype}");
        }
    }

    /// Pairs from `torch.full((1,), s, dtype=dtype)`.
    #[test]
    fn the_words_name_the_element_type() {
        let say = |s: Scalar, dtype| s.checked(dtype).unwrap_err().to_string();
        let words = |name: &str| format!("value cannot be converted to type {name} without overflow");
        assert_eq!(say(Scalar::Int(256), DType::U8), words("uint8_t"));
        assert_eq!(say(Scalar::Float(-0.5), DType::U8), words("uint8_t"));
        assert_eq!(say(Scalar::Int(1 << 31), DType::I32), words("int"));
        assert_eq!(say(Scalar::Float(f64::NAN), DType::I64), words("int64_t"));
        assert_eq!(say(Scalar::Float(65519.0), DType::F16), words("c10::Half"));
        assert_eq!(say(Scalar::Float(1e39), DType::F32), words("float"));
        assert_eq!(Scalar::Int(-200).checked(DType::U8), Ok(Scalar::Int(56)));
        assert_eq!(Scalar::Float(f64::NAN).checked(DType::Bool), Ok(Scalar::Bool(true)));
    }
}
