//! The order of a convolution's numbers in memory.

use super::ModuleRef;
use crate::{Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d, Module};
use flambeau_autograd::ops::MemoryFormat;

#[track_caller]
fn convert(module: &dyn Module, is_one: fn(&dyn Module) -> bool, format: MemoryFormat) {
    let convolutions = module.modules().into_iter().filter(|m| is_one(*m));
    for weight in convolutions.filter_map(|m| m.parameter("weight")) {
        weight.set_data(&weight.detach().to(format));
    }
}

/// Lays the weights of all `Conv2d` and `ConvTranspose2d` in a module in a memory format:
/// `nn.utils.convert_conv2d_weight_memory_format(module, memory_format)`. It changes strides, never numbers. Returns the module.
///
/// ```
/// use flambeau_autograd::ops::MemoryFormat;
/// use flambeau_nn as nn;
/// let net = nn::utils::convert_conv2d_weight_memory_format(nn::Conv2d::new(2, 3, 3), MemoryFormat::ChannelsLast);
/// assert_eq!(net.weight.stride(), [18, 1, 6, 2]);
/// ```
///
/// # Panics
/// When the format is of another rank.
#[track_caller]
pub fn convert_conv2d_weight_memory_format<K, M: ModuleRef<K>>(module: M, memory_format: MemoryFormat) -> M {
    convert(module.as_dyn(), |m| m.is::<Conv2d>() || m.is::<ConvTranspose2d>(), memory_format);
    module
}

/// [`convert_conv2d_weight_memory_format`] for `Conv3d` and `ConvTranspose3d`.
///
/// # Panics
/// When the format is of another rank.
#[track_caller]
pub fn convert_conv3d_weight_memory_format<K, M: ModuleRef<K>>(module: M, memory_format: MemoryFormat) -> M {
    convert(module.as_dyn(), |m| m.is::<Conv3d>() || m.is::<ConvTranspose3d>(), memory_format);
    module
}
