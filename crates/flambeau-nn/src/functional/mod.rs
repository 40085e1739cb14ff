//! Layers and losses as functions: `torch.nn.functional`.
//!
//! One file per family, each re-exported here.

mod attention;
mod conv;
mod dropout;
mod pad;
mod activation;
mod linear;
mod loss;
mod norm;
mod pooling;
mod vision;

pub use attention::*;
pub use conv::*;
pub use dropout::*;
pub use pad::*;
pub use activation::*;
pub use linear::*;
pub use loss::*;
pub use norm::*;
pub use pooling::*;
pub use vision::*;
