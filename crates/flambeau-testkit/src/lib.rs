//! One OpInfo row per op drives every kind of test of flambeau.

pub mod args;
pub mod golden;
pub mod opinfo;
pub mod ops;
pub mod runner;
