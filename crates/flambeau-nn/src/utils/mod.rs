//! `torch.nn.utils`: gradients kept within bounds, parameters as one vector, computed weights, pruning, fusion.

mod fusion;
mod gradients;
mod init;
mod memory_format;
mod module_ref;
pub mod parametrizations;
pub mod parametrize;
pub mod prune;
pub mod rnn;
mod spectral_norm;
mod state_dict;
mod weight_norm;

pub use fusion::*;
pub use gradients::*;
pub use init::*;
pub use memory_format::*;
pub use module_ref::{Borrowed, BorrowedMut, ModuleRef, Owned};
pub use spectral_norm::{remove_spectral_norm, remove_spectral_norm_with, spectral_norm, spectral_norm_with};
pub use state_dict::consume_prefix_in_state_dict_if_present;
pub use weight_norm::{NameOptions, remove_weight_norm, remove_weight_norm_with, weight_norm, weight_norm_with};
