//! Kernel sizes, strides and paddings, given as one number or one per dimension.

use super::py_tuple;
use std::fmt;

/// A length for each of `D` dimensions: one number for all, or one each, as it was given, which is how layers print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths<const D: usize> {
    /// The same in all dimensions.
    Same(usize),
    /// One each.
    Each([usize; D]),
}

impl<const D: usize> Lengths<D> {
    /// One per dimension.
    pub fn each(self) -> [usize; D] {
        match self {
            Lengths::Same(n) => [n; D],
            Lengths::Each(list) => list,
        }
    }

    /// As Python's tuple.
    pub(crate) fn tuple(self) -> String {
        py_tuple(&self.each())
    }
}

impl<const D: usize> fmt::Display for Lengths<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lengths::Same(n) => write!(f, "{n}"),
            Lengths::Each(list) => f.write_str(&py_tuple(list)),
        }
    }
}

impl<const D: usize> From<usize> for Lengths<D> {
    fn from(n: usize) -> Self {
        Lengths::Same(n)
    }
}

impl<const D: usize> From<i32> for Lengths<D> {
    #[track_caller]
    fn from(n: i32) -> Self {
        match usize::try_from(n) {
            Ok(n) => Lengths::Same(n),
            Err(_) => panic!("expected a non-negative length, but got {n}"),
        }
    }
}

impl<const D: usize> From<[usize; D]> for Lengths<D> {
    fn from(list: [usize; D]) -> Self {
        Lengths::Each(list)
    }
}

impl From<(usize, usize)> for Lengths<2> {
    fn from((a, b): (usize, usize)) -> Self {
        Lengths::Each([a, b])
    }
}

impl From<(usize, usize, usize)> for Lengths<3> {
    fn from((a, b, c): (usize, usize, usize)) -> Self {
        Lengths::Each([a, b, c])
    }
}

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

impl<const D: usize, T: Into<Lengths<D>>> From<T> for Padding<D> {
    #[track_caller]
    fn from(lengths: T) -> Self {
        Padding::Lengths(lengths.into())
    }
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
