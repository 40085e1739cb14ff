//! Functions of elements: one result for each element, from that element alone.

pub(crate) mod binary;
pub(crate) mod blend;
pub(crate) mod clamp;
pub(crate) mod custom;
pub(crate) mod gamma;
mod operators;
pub(crate) mod power;
pub(crate) mod rounding;
pub(crate) mod signs;
pub(crate) mod special;
pub(crate) mod unary;

pub use binary::*;
pub use blend::*;
pub use clamp::*;
pub use gamma::*;
pub use power::*;
pub use rounding::*;
pub use signs::*;
pub use special::*;
pub use unary::*;

flambeau_macros::operations! {
    unary {
        neg abs sign reciprocal sqrt rsqrt exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh sigmoid erf
        erfc erfinv floor ceil round trunc relu logical_not isnan isinf isfinite bitwise_not square conj
    }
    binary {
        mul div floor_divide remainder fmod atan2 eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or
        bitwise_xor add sub rsub rdiv maximum minimum
    }
    blend { lerp addcmul addcdiv }
    clamp { clamp clamp_tensor clamp_min clamp_max }
    power { pow pow_scalar float_power exp2 hypot }
    rounding { div_rounded round_decimals frac }
    gamma { lgamma digamma polygamma mvlgamma gammainc }
    signs { copysign signbit isposinf isneginf positive fmax fmin heaviside }
    special { atanh asinh acosh deg2rad rad2deg sinc xlogy logaddexp logaddexp2 logit i0 i1 i0e i1e nan_to_num }
}
