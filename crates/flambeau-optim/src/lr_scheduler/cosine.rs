//! Learning rates on a cosine.

#![allow(non_snake_case, reason = "PyTorch's keywords")]

use super::number::{div, modulo};
use super::rule::{Rule, same_length};
use super::state::entries;
use super::{BASE_LRS, COUNT, LAST, LRScheduler};
use crate::error::{Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, options};
use flambeau_tensor::Scalar;
use std::f64::consts::PI;

handle! {
    /// Half a cosine from the base learning rate to `eta_min`: `torch.optim.lr_scheduler.CosineAnnealingLR`. It is an
    /// [`LRScheduler`] and has all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::CosineAnnealingLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = CosineAnnealingLR::with(&optimizer, 1, |o| o.eta_min(0.25));
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.25]);
    /// ```
    CosineAnnealingLR(LRScheduler)
}

options! {
    /// Options of [`CosineAnnealingLR`].
    #[derive(Clone, Debug)]
    CosineAnnealingLROptions {
        /// The least learning rate (0).
        eta_min: f64 = 0.0,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl CosineAnnealingLR {
    /// base_lr · (1 + cos(π · epoch / t_max)) / 2: `CosineAnnealingLR(optimizer, T_max)`.
    ///
    /// # Panics
    /// Where `step` is called, when `t_max` is 0.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, t_max: impl Int) -> Self {
        Self::with(optimizer, t_max, |o| o)
    }

    /// With options: `eta_min`, `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        t_max: impl Int,
        options: impl FnOnce(CosineAnnealingLROptions) -> CosineAnnealingLROptions,
    ) -> Self {
        let CosineAnnealingLROptions { eta_min, last_epoch } = options(CosineAnnealingLROptions::default());
        let t_max = t_max.to_i64();
        let fields = entries([("T_max", t_max.into()), ("eta_min", eta_min.into())]);
        CosineAnnealingLR(LRScheduler::build(optimizer, CosineRule, fields, last_epoch).or_panic())
    }
}

struct CosineRule;

impl CosineRule {
    /// The half cosine at the scheduler's epoch.
    fn arc(s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (t_max, eta_min) = (s.float("T_max")?, s.float("eta_min")?);
        let arc = 1.0 + div(PI * s.float(LAST)?, t_max)?.cos();
        s.map_bases(|base| eta_min + (base - eta_min) * arc / 2.0)
    }
}

impl Rule for CosineRule {
    fn name(&self) -> &str {
        "CosineAnnealingLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (epoch, period) = (s.number(LAST)?, s.number("T_max")?);
        let (e, t_max, eta_min) = (epoch.to_f64(), period.to_f64(), s.float("eta_min")?);
        let groups = s.of_groups("lr")?;
        if s.is_initial()? {
            return Ok(groups);
        }
        if s.float(COUNT)? == 1.0 && e > 0.0 {
            same_length(s.numbers(BASE_LRS)?.len(), groups.len())?;
            return Self::arc(s);
        }
        let (past, twice) = match (epoch.as_int(), period.as_int()) {
            (Some(e), Some(t)) => (Scalar::Int(e - 1 - t), Scalar::Int(2 * t)),
            _ => (Scalar::Float(e - 1.0 - t_max), Scalar::Float(2.0 * t_max)),
        };
        if modulo(past, twice)?.to_f64() == 0.0 {
            let bases = s.floats(BASE_LRS)?;
            same_length(bases.len(), groups.len())?;
            let rise = 1.0 - div(PI, t_max)?.cos();
            let next = |(base, lr): (f64, Scalar)| Scalar::Float(lr.to_f64() + (base - eta_min) * rise / 2.0);
            return Ok(bases.into_iter().zip(groups).map(next).collect());
        }
        let arc = |epoch: f64| 1.0 + (PI * epoch / t_max).cos();
        let factor = div(arc(e), arc(e - 1.0))?;
        Ok(groups.into_iter().map(|lr| Scalar::Float(factor * (lr.to_f64() - eta_min) + eta_min)).collect())
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        Some(Self::arc(s))
    }
}

handle! {
    /// Half a cosine from the base learning rate to `eta_min`, over and over, each time `T_mult` times as long:
    /// `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`. It is an [`LRScheduler`] and has all of its methods;
    /// [`LRScheduler::step_epoch`] takes fractions of an epoch.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::CosineAnnealingWarmRestarts};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = CosineAnnealingWarmRestarts::with(&optimizer, 2, |o| o.T_mult(2).eta_min(0.5));
    /// let rates: Vec<f64> = [0.0, 1.0, 2.0, 4.0].map(|epoch| {
    ///     scheduler.step_epoch(epoch);
    ///     scheduler.get_last_lr()[0]
    /// }).into();
    /// assert_eq!(rates, [1.0, 0.75, 1.0, 0.75]);
    /// ```
    CosineAnnealingWarmRestarts(LRScheduler)
}

options! {
    /// Options of [`CosineAnnealingWarmRestarts`].
    #[derive(Clone, Debug)]
    CosineAnnealingWarmRestartsOptions {
        /// How many times longer each period is than the one before (1).
        T_mult: i64 = 1,
        /// The least learning rate (0).
        eta_min: f64 = 0.0,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl CosineAnnealingWarmRestarts {
    /// Restarts every `t_0` epochs: `CosineAnnealingWarmRestarts(optimizer, T_0)`.
    ///
    /// # Panics
    /// When `t_0` is not positive.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, t_0: impl Int) -> Self {
        Self::with(optimizer, t_0, |o| o)
    }

    /// With options: `T_mult`, `eta_min`, `last_epoch`.
    ///
    /// # Panics
    /// When `t_0` or `T_mult` is not positive; with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        t_0: impl Int,
        options: impl FnOnce(CosineAnnealingWarmRestartsOptions) -> CosineAnnealingWarmRestartsOptions,
    ) -> Self {
        let options = options(CosineAnnealingWarmRestartsOptions::default());
        CosineAnnealingWarmRestarts(restarts(optimizer, t_0.to_i64(), &options).or_panic())
    }
}

fn restarts(optimizer: &Optimizer, t_0: i64, options: &CosineAnnealingWarmRestartsOptions) -> Result<LRScheduler> {
    let t_mult = options.T_mult;
    check(t_0 > 0, || format!("Expected positive integer T_0, but got {t_0}"))?;
    check(t_mult >= 1, || format!("Expected integer T_mult >= 1, but got {t_mult}"))?;
    let fields = entries([
        ("T_0", t_0.into()),
        ("T_i", t_0.into()),
        ("T_mult", t_mult.into()),
        ("eta_min", options.eta_min.into()),
        ("T_cur", options.last_epoch.into()),
    ]);
    LRScheduler::build(optimizer, RestartsRule, fields, options.last_epoch)
}

struct RestartsRule;

impl RestartsRule {
    /// One epoch further.
    fn advance(s: &LRScheduler) -> Result<Scalar> {
        let epoch = s.next_epoch()?;
        let (current, period) = (s.number("T_cur")?, s.number("T_i")?);
        let mut next = current.as_int().map_or_else(|| Scalar::Float(current.to_f64() + 1.0), |t| Scalar::Int(t + 1));
        if next.to_f64() >= period.to_f64() {
            next = modulo(next, period)?;
            s.set("T_i", product(period, s.number("T_mult")?));
        }
        s.set("T_cur", next);
        Ok(epoch)
    }

    /// To an epoch, or a part of one.
    fn go_to(s: &LRScheduler, epoch: Scalar) -> Result<()> {
        let e = epoch.to_f64();
        check(e >= 0.0, || format!("Expected non-negative epoch, but got {epoch}"))?;
        let (first, factor) = (s.number("T_0")?, s.number("T_mult")?);
        let (t_0, t_mult) = (first.to_f64(), factor.to_f64());
        if e < t_0 {
            s.set("T_i", first);
            s.set("T_cur", epoch);
        } else if t_mult == 1.0 {
            s.set("T_cur", modulo(epoch, first)?);
        } else {
            let periods = (div(e, t_0)? * (t_mult - 1.0) + 1.0).ln() / t_mult.ln();
            let power = t_mult.powf(periods.trunc());
            s.set("T_cur", e - t_0 * (power - 1.0) / (t_mult - 1.0));
            let period = t_0 * power;
            s.set("T_i", first.as_int().map_or(Scalar::Float(period), |_| Scalar::Int(period as i64)));
        }
        Ok(())
    }
}

/// A product that stays an integer where both numbers are.
fn product(a: Scalar, b: Scalar) -> Scalar {
    match a.as_int().zip(b.as_int()) {
        Some((a, b)) => Scalar::Int(a.saturating_mul(b)),
        None => Scalar::Float(a.to_f64() * b.to_f64()),
    }
}

impl Rule for RestartsRule {
    fn name(&self) -> &str {
        "CosineAnnealingWarmRestarts"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (current, period, eta_min) = (s.float("T_cur")?, s.float("T_i")?, s.float("eta_min")?);
        let arc = 1.0 + div(PI * current, period)?.cos();
        s.map_bases(|base| eta_min + (base - eta_min) * arc / 2.0)
    }

    fn step(&self, s: &LRScheduler, epoch: Option<Scalar>) -> Option<Result<()>> {
        let step = || {
            let first = (s.float(LAST)? < 0.0).then_some(Scalar::Int(0));
            let epoch = match epoch.or(first) {
                None => Self::advance(s)?,
                Some(epoch) => {
                    Self::go_to(s, epoch)?;
                    epoch
                }
            };
            s.set(LAST, epoch.to_f64().floor() as i64);
            let rates = s.within(|| self.get_lr(s))?;
            s.set_rates(&rates)
        };
        Some(step())
    }
}
