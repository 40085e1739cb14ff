//! Modules, layers, losses and initialisation: torch.nn for flambeau.
