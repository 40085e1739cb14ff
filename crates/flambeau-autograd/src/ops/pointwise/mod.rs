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
