//! Pooling to a given output size.

use crate::{Module, ModuleState, forward};
use flambeau_autograd::{OrPanic, Tensor, ops};

/// An output size of adaptive pooling, as it was given: one number, or one each where `None` keeps the input's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputSize<const D: usize> {
    /// The same in all dimensions.
    Same(usize),
    /// One each.
    Each([Option<usize>; D]),
}

impl<const D: usize> OutputSize<D> {
    fn lengths(self) -> [Option<i64>; D] {
        match self {
            OutputSize::Same(n) => [Some(n as i64); D],
            OutputSize::Each(list) => list.map(|n| n.map(|n| n as i64)),
        }
    }

    fn repr(self) -> String {
        let list = match self {
            OutputSize::Same(n) => return format!("output_size={n}"),
            OutputSize::Each(list) => list.map(|n| n.map_or("None".to_owned(), |n| n.to_string())).join(", "),
        };
        if D == 1 { format!("output_size=({list},)") } else { format!("output_size=({list})") }
    }
}

impl<const D: usize> From<usize> for OutputSize<D> {
    fn from(n: usize) -> Self {
        OutputSize::Same(n)
    }
}

impl<const D: usize> From<[usize; D]> for OutputSize<D> {
    fn from(list: [usize; D]) -> Self {
        OutputSize::Each(list.map(Some))
    }
}

impl<const D: usize> From<[Option<usize>; D]> for OutputSize<D> {
    fn from(list: [Option<usize>; D]) -> Self {
        OutputSize::Each(list)
    }
}

impl From<(usize, usize)> for OutputSize<2> {
    fn from((a, b): (usize, usize)) -> Self {
        OutputSize::Each([Some(a), Some(b)])
    }
}

/// The mean of windows that divide the input evenly: [`AdaptiveAvgPool1d`], [`AdaptiveAvgPool2d`], [`AdaptiveAvgPool3d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct AdaptiveAvgPool<const D: usize> {
    output_size: OutputSize<D>,
    state: ModuleState,
}

/// To a given length: `nn.AdaptiveAvgPool1d(output_size)`.
pub type AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
/// To a given height and width: `nn.AdaptiveAvgPool2d(output_size)`.
pub type AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
/// To a given depth, height and width: `nn.AdaptiveAvgPool3d(output_size)`.
pub type AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

impl<const D: usize> AdaptiveAvgPool<D> {
    /// To the given size.
    pub fn new(output_size: impl Into<OutputSize<D>>) -> Self {
        const { assert!(D >= 1 && D <= 3, "pooling has one to three dimensions") };
        AdaptiveAvgPool { output_size: output_size.into(), state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        self.output_size.repr()
    }
}

#[forward]
impl<const D: usize> AdaptiveAvgPool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let pool = [ops::adaptive_avg_pool1d, ops::adaptive_avg_pool2d, ops::adaptive_avg_pool3d][D - 1];
        pool(x, &self.output_size.lengths()).or_panic()
    }
}

/// The largest element of windows that divide the input evenly: [`AdaptiveMaxPool1d`], [`AdaptiveMaxPool2d`],
/// [`AdaptiveMaxPool3d`]. With `INDICES`, which [`AdaptiveMaxPool::return_indices`] sets, also where it lies.
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct AdaptiveMaxPool<const D: usize, const INDICES: bool = false> {
    output_size: OutputSize<D>,
    state: ModuleState,
}

/// To a given length: `nn.AdaptiveMaxPool1d(output_size)`.
pub type AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
/// To a given height and width: `nn.AdaptiveMaxPool2d(output_size)`.
pub type AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
/// To a given depth, height and width: `nn.AdaptiveMaxPool3d(output_size)`.
pub type AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

impl<const D: usize> AdaptiveMaxPool<D> {
    /// To the given size.
    pub fn new(output_size: impl Into<OutputSize<D>>) -> Self {
        const { assert!(D >= 1 && D <= 3, "pooling has one to three dimensions") };
        AdaptiveMaxPool { output_size: output_size.into(), state: ModuleState::new() }
    }

    /// The same layer, which returns the largest elements and where they lie in each plane: `return_indices=True`.
    #[must_use]
    pub fn return_indices(self) -> AdaptiveMaxPool<D, true> {
        AdaptiveMaxPool { output_size: self.output_size, state: ModuleState::new() }
    }
}

impl<const D: usize, const INDICES: bool> AdaptiveMaxPool<D, INDICES> {
    fn type_name(&self) -> &'static str {
        ["AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        self.output_size.repr()
    }

    /// The largest elements and where they lie in each plane: the layer with `return_indices=True`.
    #[track_caller]
    pub fn forward_with_indices(&self, x: &Tensor) -> (Tensor, Tensor) {
        let pool = [
            ops::adaptive_max_pool1d_with_indices,
            ops::adaptive_max_pool2d_with_indices,
            ops::adaptive_max_pool3d_with_indices,
        ][D - 1];
        pool(x, &self.output_size.lengths()).or_panic()
    }
}

#[forward]
impl<const D: usize> AdaptiveMaxPool<D, true> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.forward_with_indices(x)
    }
}

#[forward]
impl<const D: usize> AdaptiveMaxPool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with_indices(x).0
    }
}
