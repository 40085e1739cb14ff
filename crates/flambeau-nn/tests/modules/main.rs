//! Modules of a user's: hooks, copies, modes, lists, dtypes, parts by name.

mod by_name;
mod casts;
mod copies;
mod fields;
mod hooks;
mod lists;
mod modes;
