//! The learning-rate range test: train with growing rates, and see where the loss falls fastest.

use flambeau_autograd::Setting;
use flambeau_nn::Module;
use flambeau_optim::Optimizer;

flambeau_autograd::options! {
    /// Options of [`lr_finder_with`] under the names of the Python package `torch-lr-finder`.
    #[derive(Clone, Copy, Debug)]
    LrFinderOptions {
        /// The first rate. Default: 10⁻⁷.
        start_lr: f64 = 1e-7,
        /// The last rate. Default: 10.
        end_lr: f64 = 10.0,
        /// How many steps there are. Default: 100.
        num_iter: i64 = 100,
        /// How much a loss counts in the mean of losses, between 0 and 1. Default: 0.05.
        smooth_f: f64 = 0.05,
        /// The test ends where the loss is so many times the best one. Default: 5.
        diverge_th: f64 = 5.0,
        /// Losses at the beginning that have no say in the suggestion. Default: 10.
        skip_start: i64 = 10,
        /// Losses at the end that have no say in the suggestion. Default: 5.
        skip_end: i64 = 5,
        /// Whether rates grow evenly, not by a factor. Default: false.
        linear: bool = false,
    }
}

/// What a range test found.
#[derive(Clone, Debug, PartialEq)]
pub struct LrFinder {
    /// The rates that were tried.
    pub lrs: Vec<f64>,
    /// The smoothed losses after each.
    pub losses: Vec<f64>,
    /// The rate at which the loss fell fastest, if there were enough steps.
    pub suggestion: Option<f64>,
}

/// Trains with growing learning rates and notes the losses; then model and optimizer are as before. `step` does one step of training and
/// gives its loss: `LRFinder(model, optimizer, criterion).range_test(loader)` of the Python package `torch-lr-finder`.
///
/// ```
/// use torch::plot::{Chart, lr_finder_with};
/// use torch::prelude::*;
///
/// torch::manual_seed(0);
/// let model = nn::Linear::new(4, 1);
/// let optimizer = optim::SGD::new(model.parameters(), 0.1);
/// let (x, y) = (torch::randn((32, 4)), torch::randn((32, 1)));
/// let found = lr_finder_with(&model, &optimizer, |o| o.start_lr(1e-4).num_iter(50), || {
///     optimizer.zero_grad();
///     let loss = F::mse_loss(model.call(&x), &y);
///     loss.backward();
///     optimizer.step();
///     loss.item()
/// });
/// assert!(found.suggestion.is_some_and(|lr| lr > 1e-4));
/// assert_eq!(optimizer.param_groups()[0].lr(), 0.1);
/// let svg = Chart::lr_finder(&found).svg()?;
/// # assert!(svg.contains("learning rate"));
/// # Ok::<(), torch::plot::Error>(())
/// ```
///
/// # Panics
/// When the rates are not positive or do not grow, or there are no two steps.
#[track_caller]
pub fn lr_finder(model: &impl Module, optimizer: &Optimizer, step: impl FnMut() -> f64) -> LrFinder {
    lr_finder_with(model, optimizer, |o| o, step)
}

/// [`lr_finder`] with the keywords `start_lr`, `end_lr`, `num_iter`, `smooth_f`, `diverge_th`, `skip_start`, `skip_end`, `linear`.
///
/// # Panics
/// As [`lr_finder`].
#[track_caller]
pub fn lr_finder_with(
    model: &impl Module,
    optimizer: &Optimizer,
    options: impl FnOnce(LrFinderOptions) -> LrFinderOptions,
    mut step: impl FnMut() -> f64,
) -> LrFinder {
    let o = options(LrFinderOptions::default());
    assert!(o.num_iter > 1, "`num_iter` must be larger than 1");
    assert!((0.0..1.0).contains(&o.smooth_f), "smooth_f is outside the range [0, 1)");
    assert!(o.start_lr > 0.0 && o.end_lr > o.start_lr, "the learning rates must be positive and grow");
    // A state dict lends the tensors themselves; its clone has copies.
    let (weights, state) = (model.state_dict().clone(), optimizer.state_dict().clone());
    let (mut lrs, mut losses) = (Vec::new(), Vec::new());
    let mut best = f64::INFINITY;
    for i in 0..o.num_iter {
        let share = i as f64 / (o.num_iter - 1) as f64;
        let lr = match o.linear {
            true => o.start_lr + share * (o.end_lr - o.start_lr),
            false => o.start_lr * (o.end_lr / o.start_lr).powf(share),
        };
        optimizer.param_groups().iter().for_each(|group| group.set_lr(lr));
        let loss = step();
        let smooth = match losses.last() {
            Some(before) if o.smooth_f > 0.0 => o.smooth_f * loss + (1.0 - o.smooth_f) * before,
            _ => loss,
        };
        lrs.push(lr);
        losses.push(smooth);
        best = best.min(smooth);
        if smooth.is_nan() || smooth > o.diverge_th * best {
            break;
        }
    }
    // They are of this very model and optimizer.
    model.load_state_dict(&weights).expect("a model takes its own state");
    optimizer.load_state_dict(&state).expect("an optimizer takes its own state");
    let suggestion = steepest(&losses, o.skip_start.setting(), o.skip_end.setting()).map(|i| lrs[i]);
    LrFinder { lrs, losses, suggestion }
}

/// Where the losses fall fastest, by NumPy's `gradient`.
fn steepest(losses: &[f64], skip_start: usize, skip_end: usize) -> Option<usize> {
    let end = losses.len().saturating_sub(skip_end);
    let part = losses.get(skip_start..end).filter(|part| part.len() > 1)?;
    let slope = |i: usize| match i {
        0 => part[1] - part[0],
        i if i + 1 == part.len() => part[i] - part[i - 1],
        i => (part[i + 1] - part[i - 1]) / 2.0,
    };
    let slopes = (0..part.len()).map(|i| (slope(i), i)).filter(|(slope, _)| slope.is_finite());
    slopes.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, i)| skip_start + i)
}
