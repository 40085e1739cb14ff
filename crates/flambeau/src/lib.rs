//! Deep learning in pure Rust with the API of PyTorch.
