//! A module on several devices, of which there is one here.

use crate::{Forward, Input, Module, ModuleState, Output};

/// A module in the wrapper that divides batches among GPUs in PyTorch: `nn.DataParallel(module)`. Here one device takes the whole
/// batch, the module's, as PyTorch's does where there is one. State dicts have PyTorch's names, `module.…`, so that checkpoints of
/// such models load.
///
/// ```
/// use flambeau_nn::{self as nn, Call, Module};
/// let net = nn::DataParallel::new(nn::Linear::new(2, 1));
/// assert_eq!(net.state_dict().keys().collect::<Vec<_>>(), ["module.weight", "module.bias"]);
/// assert_eq!(net.call(flambeau_autograd::ones([3, 2])).size(), [3, 1]);
/// assert_eq!(net.module.in_features, 2);
/// ```
#[derive(Module)]
pub struct DataParallel<M: Module> {
    /// The module within.
    pub module: M,
    state: ModuleState,
}

impl<M: Module> DataParallel<M> {
    /// Around a module.
    pub fn new(module: M) -> Self {
        DataParallel { module, state: ModuleState::new() }
    }
}

impl<In: Input, Out: Output, M: Forward<In, Out>> Forward<In, Out> for DataParallel<M> {
    #[track_caller]
    fn forward(&self, input: In::Ref<'_>) -> Out {
        self.module.call_ref(input)
    }
}
