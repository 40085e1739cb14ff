//! Layers and losses as functions: `torch.nn.functional`.
//!
//! One file per family, each re-exported here.

mod activation;
mod attention;
mod conv;
mod dropout;
mod linear;
mod loss;
mod norm;
mod pad;
mod pooling;
mod vision;

pub use activation::*;
pub use attention::*;
pub use conv::*;
pub use dropout::*;
pub use linear::*;
pub use loss::*;
pub use norm::*;
pub use pad::*;
pub use pooling::*;
pub use vision::*;
