//! Event files: their events beside PyTorch's, and when they are written.

mod events;
mod files;
mod wire;
