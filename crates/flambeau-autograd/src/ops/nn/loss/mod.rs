//! Losses.

pub(crate) mod bce;
pub(crate) mod elementwise;
pub(crate) mod margin;
pub(crate) mod nll;
pub(crate) mod rules;

pub use bce::*;
pub use elementwise::*;
pub use margin::*;
pub use nll::*;
