//! Maps device names to backends for flambeau.
