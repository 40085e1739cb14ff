//! Optimizers and learning-rate schedulers: torch.optim for flambeau.
//!
//! [`Adam`], [`SGD`] and the others are each an [`Optimizer`], a handle that shares parameters with a module; schedulers share
//! the optimizer. A step runs one fused program over the parameters of a group, which computes what PyTorch's single-tensor CPU
//! path computes, in the same order (each parameter in its own dtype; f16 and bf16 round where PyTorch's operations do). [`Adafactor`] and
//! [`Muon`] add reductions and products, and [`LBFGS`] evaluates the loss itself.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod asgd;
mod class;
mod error;
mod group;
mod handle;
mod hooks;
mod lbfgs;
mod loss;
pub mod lr_scheduler;
mod muon;
mod nadam;
mod number;
mod optimizer;
mod options;
mod programs;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod sgd;
mod state;

/// `torch.optim.swa_utils`: the scheduler of weight averaging. The averaged model itself is a module.
pub mod swa_utils {
    pub use crate::lr_scheduler::swa::{SWALR, SWALROptions};
}

pub use adadelta::{Adadelta, AdadeltaOptions};
pub use adafactor::{Adafactor, AdafactorOptions};
pub use adagrad::{Adagrad, AdagradOptions};
pub use adam::{Adam, AdamOptions, AdamW};
pub use adamax::{Adamax, AdamaxOptions};
pub use asgd::{ASGD, ASGDOptions};
pub use error::{Error, Result};
pub use group::{ParamGroup, ParamItem, ParamList};
pub use hooks::{HookHandle, HookOptions, register_optimizer_step_post_hook, register_optimizer_step_pre_hook};
pub use lbfgs::{LBFGS, LBFGSOptions};
pub use loss::Loss;
pub use muon::{Muon, MuonOptions};
pub use nadam::{NAdam, NAdamOptions};
pub use optimizer::{Optimizer, ParamGroupRef};
pub use options::{OptionValue, Options};
pub use radam::{RAdam, RAdamOptions};
pub use rmsprop::{RMSprop, RMSpropOptions};
pub use rprop::{Rprop, RpropOptions};
pub use sgd::{SGD, SGDOptions};
pub use state::{GroupState, StateDict, StateValue};
