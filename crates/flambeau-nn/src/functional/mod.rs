//! Layers and losses as functions: `torch.nn.functional`.
//!
//! One file per family, each re-exported here.

mod attention;
mod conv;
mod dropout;
mod pad;
mod pooling;
mod vision;

pub use attention::*;
pub use conv::*;
pub use dropout::*;
pub use pad::*;
pub use pooling::*;
pub use vision::*;
