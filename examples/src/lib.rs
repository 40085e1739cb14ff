//! What the example programs share.

pub mod cartpole;
pub mod digits;
pub mod options;
pub mod pictures;
pub mod plot;
pub mod progress;
