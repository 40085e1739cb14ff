//! A scheduler's state.

use crate::options::OptionValue;

/// A scheduler's state in PyTorch's structure: `scheduler.state_dict()`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchedulerState {
    /// The numbers of its formula, by PyTorch's names: `step_size`, `gamma`, ….
    pub options: Vec<(String, OptionValue)>,
    /// MultiStepLR's epochs, and how often each was named.
    pub milestones: Option<Vec<(i64, i64)>>,
    /// Each group's learning rate before the first scheduler was made.
    pub base_lrs: Vec<f64>,
    /// How many times the scheduler has stepped.
    pub last_epoch: i64,
    /// How many times it has stepped since it was made, its making included.
    pub step_count: i64,
    /// Each group's learning rate after the last step.
    pub last_lr: Vec<f64>,
    /// How many functions it calls, which are not part of the state.
    pub lambdas: usize,
}
