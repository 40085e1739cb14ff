//! One OpInfo row per op drives every kind of test of flambeau.

pub mod args;
pub mod catch;
pub mod golden;
pub mod opinfo;
pub mod ops;
pub mod runner;
pub mod work;

/// The pages whose samples are compiled and run as documentation tests.
macro_rules! pages {
    ($($name:ident $page:literal;)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../../../", $page))]
        struct $name;
    )*};
}
pages! {
    Readme "README.md";
    Arithmetic "docs/arithmetic.md";
    CheatSheet "docs/cheat-sheet.md";
    ComingFrom "docs/coming-from.md";
    Data "docs/data.md";
    Debugging "docs/debugging.md";
    Differences "docs/differences.md";
    Distributions "docs/distributions.md";
    Errors "docs/errors.md";
    Files "docs/files.md";
    Gpu "docs/gpu.md";
    Gradients "docs/gradients.md";
    Keywords "docs/keywords.md";
    Layers "docs/layers.md";
    MixedPrecision "docs/mixed-precision.md";
    Modules "docs/modules.md";
    Speed "docs/speed.md";
    Tensors "docs/tensors.md";
    Training "docs/training.md";
    Watching "docs/watching.md";
}
