//!
//! A network is a struct whose fields are its layers:
//!
//! ```
//! use flambeau_autograd::{Tensor, randn};
//! use flambeau_nn::{self as nn, Call, Forward, Module};
//!
//! #[derive(Module)]
//! struct SimpleNN {
//!     fc1: nn::Linear,
//!     relu: nn::ReLU,
//!     fc2: nn::Linear,
//! }
//!
//! impl SimpleNN {
//!     fn new() -> Self {
//!         SimpleNN { fc1: nn::Linear::new(28 * 28, 128), relu: nn::ReLU::new(), fc2: nn::Linear::new(128, 10) }
//!     }
//! }
//!
//! impl Forward for SimpleNN {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         let x = x.view([-1, 28 * 28]);
//!         self.fc2.call(self.relu.call(self.fc1.call(x)))
//!     }
//! }
//!
//! let net = SimpleNN::new();
//! assert_eq!(net.call(randn([3, 1, 28, 28])).size(), [3, 10]);
//! assert_eq!(net.state_dict().keys().collect::<Vec<_>>(), ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
//! assert_eq!(
//!     net.to_string(),
//!     "SimpleNN(
//!   (fc1): Linear(in_features=784, out_features=128, bias=True)
//!   (relu): ReLU()
//!   (fc2): Linear(in_features=128, out_features=10, bias=True)
//! )"
//! );
//! ```

// The derive names this crate by its name, also within it.
extern crate self as flambeau_nn;

pub mod attention;
mod error;
pub mod functional;
pub mod init;
mod layers;
mod losses;
/// `torch.backends.mha`, which the facade shows there.
#[doc(hidden)]
pub mod mha {
    pub use crate::layers::fast_path::{get_fastpath_enabled, set_fastpath_enabled};
}
mod module;
mod summary;
/// What the facade shows in `torch.optim.swa_utils`.
#[doc(hidden)]
pub mod swa_utils;
pub mod utils;

/// `torch.nn.parameter`: parameters and buffers, and those whose shape is not known yet.
pub mod parameter {
    pub use crate::module::{Buffer, Parameter, UninitializedBuffer, UninitializedParameter, is_lazy};
}

pub use error::{Error, Result};
pub use flambeau_macros::{Module, forward};
pub use layers::*;
pub use losses::*;
pub use module::*;
pub use summary::{LayerInfo, Summary, SummaryOptions, summary, summary_with};
