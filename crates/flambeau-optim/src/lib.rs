//! Optimizers and learning-rate schedulers: torch.optim for flambeau.
//!
//! [`Adam`], [`SGD`] and the others are each an [`Optimizer`], a handle that shares parameters with a module; schedulers share
//! the optimizer. Each step runs one fused program per parameter, which computes what PyTorch's single-tensor CPU path
//! computes, in the same order (each parameter in its own dtype; f16 and bf16 in f32, rounded once).

mod adagrad;
mod adam;
mod class;
mod error;
mod grad_scaler;
mod group;
mod handle;
pub mod lr_scheduler;
mod nadam;
mod optimizer;
mod options;
mod programs;
mod rmsprop;
mod rule;
mod sgd;
mod state;

pub use adagrad::{Adagrad, AdagradOptions};
pub use adam::{Adam, AdamOptions, AdamW};
pub use error::{Error, Result};
pub use grad_scaler::{GradScaler, GradScalerOptions, NewScale, Scalable, ScalerState, UpdateOptions};
pub use group::{ParamGroup, ParamItem, ParamList};
pub use nadam::{NAdam, NAdamOptions};
pub use optimizer::{Optimizer, ParamGroupRef};
pub use options::{OptionValue, Options};
pub use rmsprop::{RMSprop, RMSpropOptions};
pub use sgd::{SGD, SGDOptions};
pub use state::{GroupState, StateDict, StateValue};
