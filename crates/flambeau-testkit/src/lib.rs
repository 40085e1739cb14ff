//! One OpInfo row per op drives every kind of test of flambeau.

pub mod args;
pub mod catch;
pub mod golden;
pub mod opinfo;
pub mod ops;
pub mod runner;
pub mod work;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/porting.md")]
struct Porting;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/differences.md")]
struct Differences;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/debugging.md")]
struct Debugging;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/cheat-sheet.md")]
struct CheatSheet;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/keywords.md")]
struct Keywords;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from.md")]
struct ComingFrom;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/gpu.md")]
struct Gpu;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/speed.md")]
struct Speed;
