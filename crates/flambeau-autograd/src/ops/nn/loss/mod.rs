//! Losses.

pub(crate) mod bce;
pub(crate) mod ctc;
pub(crate) mod elementwise;
pub(crate) mod gaussian;
pub(crate) mod linear;
pub(crate) mod margin;
pub(crate) mod multi_margin;
pub(crate) mod multilabel;
pub(crate) mod nll;
pub(crate) mod parts;
pub(crate) mod poisson;
pub(crate) mod rules;

pub use bce::*;
pub use ctc::*;
pub use elementwise::*;
pub use gaussian::*;
pub use linear::*;
pub use margin::*;
pub use multi_margin::*;
pub use multilabel::*;
pub use nll::*;
pub use parts::LinearCrossEntropyOptions;
pub use poisson::*;
