//! What `update_bn` does with any batch norm: PyTorch's class `_BatchNorm`.

use super::batch_norm::{BatchNorm1d, BatchNorm2d, BatchNorm3d, ChannelNorm, NormKind};
use super::sync_batch_norm::SyncBatchNorm;
use crate::Module;

/// A layer's way to be told something, whatever its number of dimensions.
trait Told {
    fn told<K: NormKind, const D: usize>(&self, norm: &ChannelNorm<K, D>);
}

/// Tells a module, if it is a batch norm; whether it is one.
fn tell(module: &dyn Module, what: &impl Told) -> bool {
    let one = module.downcast_ref::<BatchNorm1d>().map(|norm| what.told(norm));
    let two = || module.downcast_ref::<BatchNorm2d>().map(|norm| what.told(norm));
    let three = || module.downcast_ref::<BatchNorm3d>().map(|norm| what.told(norm));
    let any = || module.downcast_ref::<SyncBatchNorm>().map(|norm| what.told(norm));
    one.or_else(two).or_else(three).or_else(any).is_some()
}

struct Reset;

impl Told for Reset {
    fn told<K: NormKind, const D: usize>(&self, norm: &ChannelNorm<K, D>) {
        norm.reset_running_stats();
    }
}

struct SetCumulative(bool);

impl Told for SetCumulative {
    fn told<K: NormKind, const D: usize>(&self, norm: &ChannelNorm<K, D>) {
        norm.set_cumulative(self.0);
    }
}

/// Forgets the statistics of a batch norm; whether the module is one.
pub(crate) fn reset(module: &dyn Module) -> bool {
    tell(module, &Reset)
}

/// Whether a batch norm's statistics are the mean of all batches from now on.
pub(crate) fn set_cumulative(module: &dyn Module, cumulative: bool) {
    tell(module, &SetCumulative(cumulative));
}
