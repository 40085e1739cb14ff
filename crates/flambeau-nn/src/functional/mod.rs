//! Layers and losses as functions: `torch.nn.functional`.
//!
//! One file per family, each re-exported here.
