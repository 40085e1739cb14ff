//! The WGSL kernels of flambeau, and the match from operation to source.
//!
//! A kernel is a file under `kernels/`, which reads on its own: its first line `alias T = f32;` names the element type,
//! `const NAME: u32 = …;` lines are its settings, and [`Kernel::source`] writes the text for other types and settings. The
//! types' loads and stores come from `element.rs`, and shared functions (`library/`) are added where a kernel names them. What
//! a host passes to `struct Params` is matched by name ([`Fields`]).
//! No GPU is needed here: naga validates every kernel in this crate's tests.

mod constant;
mod element;
pub mod functions;
mod kernel;
mod library;
pub mod map;
mod params;
mod target;
mod unroll;

pub use element::{compute_type, stored_size};
pub use kernel::{KERNELS, Kernel};
pub use library::with_library;
pub use params::{Fields, Parameter};
pub use target::{Missing, Target};
