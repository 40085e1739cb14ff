//! Functions of elements: one result for each element, from that element alone.

pub(crate) mod binary;
pub(crate) mod blend;
pub(crate) mod clamp;
pub(crate) mod power;
pub(crate) mod rounding;
pub(crate) mod special;
pub(crate) mod unary;

pub use binary::*;
pub use blend::*;
pub use clamp::*;
pub use power::*;
pub use rounding::*;
pub use special::*;
pub use unary::*;

flambeau_macros::operations! {
    unary {
        neg abs sign reciprocal sqrt rsqrt exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh sigmoid erf
        erfc floor ceil round trunc relu logical_not isnan isinf isfinite bitwise_not square
    }
}
