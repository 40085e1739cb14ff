//! derive(Module) for flambeau.
