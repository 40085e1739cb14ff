//! One OpInfo row per op drives every kind of test of flambeau.

pub mod golden;
