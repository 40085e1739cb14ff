//! Modules of a user's: hooks, copies, parts by name.

mod by_name;
mod copies;
mod fields;
mod hooks;
