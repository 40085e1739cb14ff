//! `torch.nn.utils.prune`: weights that are held at zero by a mask.
//!
//! ```
//! use flambeau_nn::utils::prune;
//! use flambeau_nn::{self as nn, Module};
//! let layer = nn::Linear::new(10, 4);
//! prune::l1_unstructured(&layer, "weight", 0.3);
//! assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight_orig", "weight_mask"]);
//! assert_eq!(layer.weight.eq(0).sum().item(), 12.0);
//! prune::remove(&layer, "weight");
//! assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight"]);
//! ```

mod functions;
mod method;
mod methods;

pub use functions::*;
pub use method::{BasePruningMethod, PruneOptions, PruningContainer, PruningType};
pub use methods::*;
