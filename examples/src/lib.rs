//! What the example programs share.

pub mod digits;
pub mod options;
pub mod plot;
pub mod progress;
