//! Modules of a user's: hooks, copies, modes, lists, dtypes, parts by name, lazy layers; constructors.

mod by_name;
mod casts;
mod constructors;
mod copies;
mod fields;
mod hooks;
mod lazy;
mod lists;
mod modes;
mod state_hooks;
