//! Modules of a user's: hooks, copies, modes, lists, dtypes, parts by name; constructors.

mod by_name;
mod casts;
mod constructors;
mod copies;
mod fields;
mod hooks;
mod lists;
mod modes;
