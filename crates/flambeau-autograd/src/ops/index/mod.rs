//! Elements read and written at indices and masks.

pub(crate) mod gather;
pub mod indexing;
pub(crate) mod lines;
pub(crate) mod masked;
pub(crate) mod replace;
pub(crate) mod scatter;
pub(crate) mod scatter_reduce;
pub(crate) mod subscript;
pub(crate) mod write;

pub use gather::*;
pub use masked::*;
pub use replace::*;
pub use scatter::*;
pub use scatter_reduce::*;
pub use subscript::*;
pub use write::*;

flambeau_macros::operations! {}
