//! Tensors with gradients: the operations and the engine of flambeau.
//!
//! [`Tensor`] is an [`flambeau_tensor::Array`] with a place in a recorded graph. Each operation is one function in [`ops`],
//! forward and backward together, and a method of [`Tensor`].

pub mod arguments;
mod as_state;
mod as_tensor;
mod caller;
mod checkpoint;
mod display;
mod engine;
mod error;
mod function;
mod function_arguments;
mod grad_mode;
mod gradcheck;
pub mod gradients;
mod graph;
mod guards;
mod hooks;
mod info;
mod leaf;
mod make;
pub mod mode;
mod multi_hook;
#[cfg(feature = "ndarray")]
mod ndarray;
pub mod ops;
pub mod pointwise {
    //! What functions made by [`pointwise`](crate::pointwise()) consist of.

    pub use crate::ops::custom::{Inputs, PointwiseFunction, Term, Value};
}
mod options;
pub mod registry;
mod saved;
mod saved_hooks;
mod setting;
mod size;
mod tensor;
mod through_hook;
mod tolist;
mod uninitialized;
mod views;
mod warn;

pub use as_state::AsState;
pub use as_tensor::AsTensor;
pub use caller::{at_caller, name_places_by};
pub use checkpoint::{
    CheckpointOptions, Contexts, EarlyStopGuard, Functions, checkpoint, checkpoint_sequential,
    checkpoint_sequential_with, checkpoint_with, set_checkpoint_early_stop,
};
pub use engine::{backward, grad};
pub use error::{Error, OrPanic, Result};
pub use function::{Function, FunctionCtx};
pub use function_arguments::{Args, Argument, FromGrads, GradQueue, IntoArguments, IntoGrads};
pub use grad_mode::{GradModeGuard, enable_grad, is_grad_enabled, no_grad, set_grad_enabled};
pub use gradcheck::{GradCheckOptions, gradcheck, gradgradcheck};
pub use graph::Node;
pub use guards::{SliceGuard, SliceGuardMut};
pub use hooks::RemovableHandle;
pub use info::{FInfo, IInfo, finfo, iinfo};
pub use make::*;
pub use multi_hook::{register_multi_grad_hook, register_multi_grad_hook_any};
#[cfg(feature = "ndarray")]
pub use ndarray::{NdarrayGuard, NdarrayGuardMut, from_ndarray};
pub use ops::custom::pointwise;
pub use ops::recorded_program;
pub use saved_hooks::{
    DisableSavedTensorsHooksGuard, SavedTensorsHooksGuard, disable_saved_tensors_hooks, save_on_cpu,
    saved_tensors_hooks,
};
pub use setting::Setting;
pub use size::{FromSizes, Size};
pub use tensor::{ArrayRef, Tensor};
pub use through_hook::through_hook;
pub use tolist::{Nested, unpack};
pub use warn::{warn, warned};
