//! Optimizers and learning-rate schedulers: torch.optim for flambeau.
