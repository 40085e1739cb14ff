//! Padding of convolutions.

use flambeau_autograd::arguments::Int;
pub use flambeau_autograd::ops::Lengths;
use flambeau_autograd::settings;

/// A convolution's padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// So many zeros (or what the padding mode says) on both sides.
    Lengths(Lengths<D>),
    /// None: `"valid"`.
    Valid,
    /// Such that the output is as large as the input: `"same"`; strides must be 1.
    Same,
}

impl<const D: usize> From<&str> for Padding<D> {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "same" => Padding::Same,
            "valid" => Padding::Valid,
            other => panic!("Invalid padding string '{other}', should be one of {{'valid', 'same'}}"),
        }
    }
}

/// What a convolution pads with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaddingMode {
    /// `"zeros"`.
    Zeros,
    /// `"reflect"`: the input mirrored at its edge, without the edge.
    Reflect,
    /// `"replicate"`: the edge.
    Replicate,
    /// `"circular"`: the other end.
    Circular,
}

impl PaddingMode {
    /// PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            PaddingMode::Zeros => "zeros",
            PaddingMode::Reflect => "reflect",
            PaddingMode::Replicate => "replicate",
            PaddingMode::Circular => "circular",
        }
    }
}

impl From<&str> for PaddingMode {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "zeros" => PaddingMode::Zeros,
            "reflect" => PaddingMode::Reflect,
            "replicate" => PaddingMode::Replicate,
            "circular" => PaddingMode::Circular,
            other => panic!(
                "padding_mode must be one of {{'zeros', 'reflect', 'replicate', 'circular'}}, but got padding_mode='{other}'"
            ),
        }
    }
}

// What `o.padding(…)` and `o.padding_mode(…)` take.
settings! {
    [const D: usize] i32 => Padding<D>: |n| Padding::Lengths(n.into());
    [const D: usize] i64 => Padding<D>: |n| Padding::Lengths(n.into());
    [const D: usize] u32 => Padding<D>: |n| Padding::Lengths(n.into());
    [const D: usize] usize => Padding<D>: |n| Padding::Lengths(n.into());
    [N: Int, const D: usize] [N; D] => Padding<D>: |list| Padding::Lengths(list.into());
    [A: Int, B: Int] (A, B) => Padding<2>: |pair| Padding::Lengths(pair.into());
    [A: Int, B: Int, C: Int] (A, B, C) => Padding<3>: |list| Padding::Lengths(list.into());
    [const D: usize] Lengths<D> => Padding<D>: |lengths| Padding::Lengths(lengths);
    [const D: usize] &str => Padding<D>: |name| name.into();
    [const D: usize] Padding<D> => Padding<D>: |padding| padding;
    [] &str => PaddingMode: |name| name.into();
    [] PaddingMode => PaddingMode: |mode| mode;
}
