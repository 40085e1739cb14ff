//! `torch.random`: the state of the random streams.

pub use crate::python::{get_rng_state, initial_seed, set_rng_state};
pub use flambeau_device::manual_seed;
pub use flambeau_tensor::random::{AsRngState, RngState};

use flambeau_device::default_generators;
use flambeau_tensor::random::{Generator, GeneratorState};

/// Seeds the generator of every device from the operating system's entropy and returns the seed: `torch.seed()`.
///
/// ```
/// let seed = torch::random::seed();
/// let first = torch::rand(3);
/// torch::manual_seed(seed);
/// assert!(first.equal(&torch::rand(3)));
/// ```
pub fn seed() -> u64 {
    let seed = Generator::new().seed();
    manual_seed(seed);
    seed
}

/// Puts the random streams of all devices back, when it is dropped, to where they were: `with torch.random.fork_rng():`.
///
/// ```
/// torch::manual_seed(0);
/// {
///     let _fork = torch::random::fork_rng();
///     torch::rand(10);
/// }
/// let drawn = torch::rand(3);
/// torch::manual_seed(0);
/// assert!(drawn.equal(&torch::rand(3)));
/// ```
pub fn fork_rng() -> ForkRngGuard {
    fork_rng_with(|o| o)
}

flambeau_autograd::options! {
    /// Options of [`fork_rng`].
    #[derive(Clone, Debug)]
    ForkRngOptions {
        /// Whether the streams are put back (true).
        enabled: bool = true,
    }
}

/// [`fork_rng`] with options: `enabled`.
pub fn fork_rng_with(options: impl FnOnce(ForkRngOptions) -> ForkRngOptions) -> ForkRngGuard {
    let ForkRngOptions { enabled } = options(ForkRngOptions::default());
    let generators = if enabled { default_generators() } else { Vec::new() };
    ForkRngGuard(generators.into_iter().map(|generator| (generator, generator.lock().clone())).collect())
}

/// What [`fork_rng`] puts back when it is dropped.
#[must_use = "the streams are put back when the guard is dropped: let _fork = torch::random::fork_rng();"]
pub struct ForkRngGuard(Vec<(&'static Generator, GeneratorState)>);

impl Drop for ForkRngGuard {
    fn drop(&mut self) {
        for (generator, state) in self.0.drain(..) {
            *generator.lock() = state;
        }
    }
}

/// In a loader's worker the generator of the sample at hand, else `None`, which stands for the default one:
/// `torch.random.thread_safe_generator()`. Workers are threads here, so random transforms draw from it.
///
/// ```
/// assert!(torch::random::thread_safe_generator().is_none());
/// ```
pub fn thread_safe_generator() -> Option<Generator> {
    flambeau_data::get_worker_info()?;
    flambeau_data::sample_generator().ok()
}
