//! The schedules, each one formula.

use super::LRScheduler;
use crate::error::check;
use crate::optimizer::Optimizer;
use flambeau_autograd::OrPanic;
use std::f64::consts::PI;

/// lr · gamma every `step_size` epochs: `torch.optim.lr_scheduler.StepLR`.
pub enum StepLR {}

impl StepLR {
    /// Multiplies by 0.1 every `step_size` epochs.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, step_size: usize) -> LRScheduler {
        Self::with(optimizer, step_size, 0.1)
    }

    /// Multiplies by `gamma` every `step_size` epochs.
    ///
    /// # Panics
    /// When `step_size` is 0.
    #[track_caller]
    pub fn with(optimizer: &Optimizer, step_size: usize, gamma: f64) -> LRScheduler {
        assert!(step_size > 0, "integer modulo by zero");
        let every = step_size as i64;
        LRScheduler::new(optimizer, move |m| if m.epoch == 0 || m.epoch % every != 0 { m.lr } else { m.lr * gamma })
    }
}

/// lr · gamma at each of the given epochs: `torch.optim.lr_scheduler.MultiStepLR`.
pub enum MultiStepLR {}

impl MultiStepLR {
    /// Multiplies by `gamma` (PyTorch's default: 0.1) at each milestone, twice where it is named twice.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, milestones: impl IntoIterator<Item = usize>, gamma: f64) -> LRScheduler {
        let milestones: Vec<i64> = milestones.into_iter().map(|m| m as i64).collect();
        LRScheduler::new(optimizer, move |m| {
            let times = milestones.iter().filter(|&&at| at == m.epoch).count();
            if times == 0 { m.lr } else { m.lr * gamma.powf(times as f64) }
        })
    }
}

/// lr · gamma every epoch: `torch.optim.lr_scheduler.ExponentialLR`.
pub enum ExponentialLR {}

impl ExponentialLR {
    /// Multiplies by `gamma` every epoch.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, gamma: f64) -> LRScheduler {
        LRScheduler::new(optimizer, move |m| if m.epoch == 0 { m.lr } else { m.lr * gamma })
    }
}

/// lr · factor for the first epochs: `torch.optim.lr_scheduler.ConstantLR`.
pub enum ConstantLR {}

impl ConstantLR {
    /// Multiplies by `factor` (PyTorch's default: 1/3) until `total_iters` (5) epochs have passed.
    ///
    /// # Panics
    /// When the factor is not between 0 and 1.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, factor: f64, total_iters: usize) -> LRScheduler {
        let message = || "Constant multiplicative factor expected to be between 0 and 1.".to_owned();
        check((0.0..=1.0).contains(&factor), message).or_panic();
        let total = total_iters as i64;
        LRScheduler::new(optimizer, move |m| match m.epoch {
            0 => m.lr * factor,
            epoch if epoch == total => m.lr * (1.0 / factor),
            _ => m.lr,
        })
    }
}

/// lr times a factor that moves in a straight line: `torch.optim.lr_scheduler.LinearLR`.
pub enum LinearLR {}

impl LinearLR {
    /// The factor goes from `start_factor` (PyTorch's default: 1/3) to `end_factor` (1) in `total_iters` (5) epochs.
    ///
    /// # Panics
    /// When a factor is not between 0 and 1.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, start_factor: f64, end_factor: f64, total_iters: usize) -> LRScheduler {
        check(start_factor > 0.0 && start_factor <= 1.0, || {
            "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.".into()
        })
        .or_panic();
        check((0.0..=1.0).contains(&end_factor), || {
            "Ending multiplicative factor expected to be between 0 and 1.".into()
        })
        .or_panic();
        let (total, way) = (total_iters as f64, end_factor - start_factor);
        LRScheduler::new(optimizer, move |m| match m.epoch as f64 {
            0.0 => m.lr * start_factor,
            epoch if epoch > total => m.lr,
            epoch => m.lr * (1.0 + way / (total * start_factor + (epoch - 1.0) * way)),
        })
    }
}

/// lr times a power of the share of epochs left: `torch.optim.lr_scheduler.PolynomialLR`.
pub enum PolynomialLR {}

impl PolynomialLR {
    /// base_lr · (1 − epoch / `total_iters`)^`power` (PyTorch's defaults: 5 and 1).
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, total_iters: usize, power: f64) -> LRScheduler {
        let total = total_iters as f64;
        LRScheduler::new(optimizer, move |m| match m.epoch as f64 {
            epoch if epoch == 0.0 || epoch > total => m.lr,
            epoch => m.lr * ((1.0 - epoch / total) / (1.0 - (epoch - 1.0) / total)).powf(power),
        })
    }
}

/// Half a cosine from the base learning rate to `eta_min`: `torch.optim.lr_scheduler.CosineAnnealingLR`.
pub enum CosineAnnealingLR {}

impl CosineAnnealingLR {
    /// eta_min + (base_lr − eta_min)(1 + cos(π · epoch / t_max)) / 2, with `eta_min` 0 by PyTorch's default.
    ///
    /// # Panics
    /// When `t_max` is 0.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, t_max: usize, eta_min: f64) -> LRScheduler {
        assert!(t_max > 0, "division by zero: t_max is 0");
        let (every, period) = (t_max as i64, t_max as f64);
        let arc = move |epoch: f64| 1.0 + (PI * epoch / period).cos();
        LRScheduler::new(optimizer, move |m| {
            if m.epoch == 0 {
                m.lr
            } else if (m.epoch - 1 - every) % (2 * every) == 0 {
                m.lr + (m.base_lr - eta_min) * (1.0 - (PI / period).cos()) / 2.0
            } else {
                arc(m.epoch as f64) / arc((m.epoch - 1) as f64) * (m.lr - eta_min) + eta_min
            }
        })
    }
}

/// base_lr times a function of the epoch: `torch.optim.lr_scheduler.LambdaLR`.
pub enum LambdaLR {}

impl LambdaLR {
    /// base_lr · `factor(epoch)`, one function for all groups.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, factor: impl Fn(i64) -> f64 + Send + Sync + 'static) -> LRScheduler {
        LRScheduler::new(optimizer, move |m| m.base_lr * factor(m.epoch))
    }

    /// base_lr · `factors[group](epoch)`.
    ///
    /// # Panics
    /// When there are not as many functions as groups.
    #[track_caller]
    pub fn with_groups(optimizer: &Optimizer, factors: Vec<Box<dyn Fn(i64) -> f64 + Send + Sync>>) -> LRScheduler {
        let groups = optimizer.param_groups().len();
        check(factors.len() == groups, || format!("Expected {groups} lr_lambdas, but got {}", factors.len()))
            .or_panic();
        LRScheduler::new(optimizer, move |m| m.base_lr * factors[m.group](m.epoch))
    }
}

/// lr times a function of the epoch, every epoch: `torch.optim.lr_scheduler.MultiplicativeLR`.
pub enum MultiplicativeLR {}

impl MultiplicativeLR {
    /// lr · `factor(epoch)`, one function for all groups.
    #[allow(clippy::new_ret_no_self, reason = "every scheduler is the same handle")]
    #[track_caller]
    pub fn new(optimizer: &Optimizer, factor: impl Fn(i64) -> f64 + Send + Sync + 'static) -> LRScheduler {
        LRScheduler::new(optimizer, move |m| if m.epoch == 0 { m.lr } else { m.lr * factor(m.epoch) })
    }
}
