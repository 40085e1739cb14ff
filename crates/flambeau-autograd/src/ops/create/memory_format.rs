//! The order in which dimensions lie in memory.

use crate::error::{Error, Result};
use crate::ops::{ToTarget, contiguous, permute};
use crate::{OrPanic, Tensor};
use flambeau_tensor::dims::contiguous_strides;

/// How dimensions lie in memory: `torch.memory_format`. It changes strides, never values.
///
/// ```
/// let x = torch::zeros((1, 2, 3, 4)).to(torch::channels_last);
/// assert_eq!(x.stride(), [24, 1, 8, 2]);
/// assert!(x.is_contiguous_in(torch::channels_last) && !x.is_contiguous());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFormat {
    /// As the input lies: `torch.preserve_format`.
    Preserve,
    /// Row by row: `torch.contiguous_format`.
    Contiguous,
    /// Images (N, C, H, W) with the channels of a pixel beside each other: `torch.channels_last`.
    ChannelsLast,
    /// Volumes (N, C, D, H, W) likewise: `torch.channels_last_3d`.
    ChannelsLast3d,
}

impl MemoryFormat {
    /// The rank that the format is of, and its name; `None` for one of any rank.
    fn rank(self) -> Option<(usize, &'static str)> {
        match self {
            MemoryFormat::ChannelsLast => Some((4, "channels_last")),
            MemoryFormat::ChannelsLast3d => Some((5, "channels_last_3d")),
            MemoryFormat::Preserve | MemoryFormat::Contiguous => None,
        }
    }
}

impl ToTarget for MemoryFormat {
    fn convert(&self, x: &Tensor) -> Result<Tensor> {
        let Some((rank, name)) = self.rank() else {
            return if *self == MemoryFormat::Contiguous { contiguous(x) } else { Ok(x.shallow_clone()) };
        };
        if x.dim() != rank {
            return Err(Error::runtime(format!("required rank {rank} tensor to use {name} format")));
        }
        let n = rank as i64;
        let last: Vec<i64> = [0].into_iter().chain(2..n).chain([1]).collect();
        let back: Vec<i64> = [0, n - 1].into_iter().chain(1..n - 1).collect();
        permute(&contiguous(&permute(x, &last)?)?, &back)
    }
}

impl Tensor {
    /// The tensor in a memory format; itself where it lies so: `x.contiguous(memory_format=…)`.
    ///
    /// # Panics
    /// Where the format is of another rank.
    #[track_caller]
    pub fn contiguous_in(&self, format: MemoryFormat) -> Tensor {
        match format {
            MemoryFormat::Preserve => contiguous(self).or_panic(),
            format => format.convert(self).or_panic(),
        }
    }

    /// Whether the elements lie without gaps in a memory format: `x.is_contiguous(memory_format=…)`.
    pub fn is_contiguous_in(&self, format: MemoryFormat) -> bool {
        let Some((rank, _)) = format.rank() else { return self.is_contiguous() };
        let array = self.array();
        if array.ndim() != rank {
            return false;
        }
        let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
        let shape: Vec<usize> = order.iter().map(|&d| array.shape()[d]).collect();
        let strides = contiguous_strides(&shape);
        order.iter().zip(&strides).all(|(&d, &s)| array.shape()[d] == 1 || array.strides()[d] == s)
    }
}
