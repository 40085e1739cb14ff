//! `#[op]` and `operations!`: every form of an operation from its one declaration.

mod arguments;
mod attribute;
mod callers;
mod emit;
mod entry;
mod keywords;
mod list;
mod names;

pub use attribute::Attribute;
pub use emit::expand;
pub use list::{Families, Files, families, operations};
