//! Reads and writes PyTorch's files for flambeau.
