//! Batch normalisation over several processes, of which there is one here.

use super::{BatchNorm, ChannelNorm, NormKind};
use crate::{Forward, Module};
use std::any::Any;

/// The kind of [`SyncBatchNorm`].
pub struct OverProcesses;

impl NormKind for OverProcesses {
    const NAMES: [&'static str; 3] = ["SyncBatchNorm"; 3];
    const FULL: bool = true;
    const INSTANCES: bool = false;
    const ANY_DIMENSIONS: bool = true;
}

/// Batch normalisation of [n, channels, …] with the statistics of all processes: `nn.SyncBatchNorm(num_features)`. Here one process
/// has the whole batch, so it is [`BatchNorm1d`](super::BatchNorm1d) for any number of dimensions, as PyTorch's is without a process
/// group.
///
/// ```
/// use flambeau_nn as nn;
/// let layer = nn::SyncBatchNorm::new(3);
/// assert_eq!(layer.call(flambeau_autograd::randn([2, 3, 4, 4])).size(), [2, 3, 4, 4]);
/// assert!(layer.to_string().starts_with("SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True"));
/// ```
pub type SyncBatchNorm = ChannelNorm<OverProcesses, 1>;

impl SyncBatchNorm {
    /// Puts a `SyncBatchNorm` of the same parameters and statistics in the place of each `BatchNorm1d`, `BatchNorm2d` and
    /// `BatchNorm3d` in a `Sequential`, a `ModuleList` or a `Box<dyn Forward>`:
    /// `nn.SyncBatchNorm.convert_sync_batchnorm(module)`. A field whose type is a `BatchNorm2d` cannot hold another, and stays: both
    /// compute the same.
    ///
    /// ```
    /// use flambeau_nn as nn;
    /// let net = nn::sequential![nn::Conv2d::new(1, 2, 3), nn::BatchNorm2d::new(2)];
    /// let net = nn::SyncBatchNorm::convert_sync_batchnorm(net);
    /// assert!(net[1].repr().starts_with("SyncBatchNorm(2, "));
    /// ```
    ///
    /// # Panics
    /// When a module is behind an `Arc` that has other handles.
    #[track_caller]
    pub fn convert_sync_batchnorm<M: Module>(module: M) -> M {
        let mut module = module;
        convert(module.as_module_mut());
        module
    }
}

#[track_caller]
fn convert(module: &mut dyn Module) {
    for (_, slot) in module.slots() {
        let any = slot as &mut dyn Any;
        let Some(place) = any.downcast_mut::<Box<dyn Forward>>() else {
            convert(slot.as_module_mut());
            continue;
        };
        match synchronised((**place).as_module()) {
            Some(new) => *place = Box::new(new),
            None => convert(place.as_module_mut()),
        }
    }
}

/// What stands for a batch norm.
fn synchronised(module: &dyn Module) -> Option<SyncBatchNorm> {
    None.or_else(|| module.downcast_ref::<BatchNorm<1>>().map(ChannelNorm::shared))
        .or_else(|| module.downcast_ref::<BatchNorm<2>>().map(ChannelNorm::shared))
        .or_else(|| module.downcast_ref::<BatchNorm<3>>().map(ChannelNorm::shared))
}
