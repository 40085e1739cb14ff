//! Views, reordered and joined tensors.

pub(crate) mod join;
pub(crate) mod reorder;
pub(crate) mod split;
pub(crate) mod view;

pub use join::*;
pub use reorder::*;
pub use split::*;
pub use view::*;

flambeau_macros::operations! { join { cat } }
