//! Where random numbers come from: PyTorch's stream in the main thread, a stream per sample in workers.

use crate::error::Result;
use flambeau_tensor::random::{Generator, random_, randperm};
use flambeau_tensor::{Device, Error};
use std::cell::RefCell;

/// The given generator, or the CPU's default one.
pub(crate) fn or_default(generator: Option<&Generator>) -> Result<Generator> {
    match generator {
        Some(g) => Ok(g.clone()),
        None => Ok(flambeau_device::default_generator(Device::Cpu)?.clone()),
    }
}

/// A seed as PyTorch draws one: `torch.empty((), dtype=torch.int64).random_(generator=generator)`.
pub(crate) fn draw_seed(generator: Option<&Generator>) -> Result<u64> {
    let mut seed = [0_i64];
    random_(&or_default(generator)?, &mut seed);
    Ok(seed[0] as u64)
}

/// A permutation of 0..n: `torch.randperm(n, generator=generator)`.
pub(crate) fn permutation(n: usize, generator: Option<&Generator>) -> Result<Vec<usize>> {
    let mut order = vec![0_i64; n];
    randperm(&or_default(generator)?, &mut order).map_err(Error::from)?;
    Ok(order.into_iter().map(|i| i as usize).collect())
}

/// The stream of the sample that a worker is making.
enum Current {
    /// Its seed; the generator is made when it is first asked for.
    Seeded(u64),
    Made(Generator),
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// The generator that random transforms draw from: in a loader's worker thread that of the sample at hand, seeded by the
/// epoch's base seed and the sample's number, so that results do not depend on the number of workers; in a worker that reads an
/// [`IterableDataset`](crate::IterableDataset) one that is seeded with the worker's seed; elsewhere the CPU's default generator.
///
/// # Errors
/// When this build has no CPU device.
pub fn sample_generator() -> Result<Generator> {
    CURRENT.with_borrow_mut(|current| match current {
        None => or_default(None),
        Some(Current::Made(generator)) => Ok(generator.clone()),
        Some(Current::Seeded(seed)) => {
            let generator = Generator::new().manual_seed(*seed);
            *current = Some(Current::Made(generator.clone()));
            Ok(generator)
        }
    })
}

/// Starts the stream of sample `index` in this thread.
pub(crate) fn begin_sample(base_seed: u64, index: usize) {
    CURRENT.set(Some(Current::Seeded(mix(base_seed, index as u64))));
}

/// Starts the stream of a worker that reads a stream of samples: PyTorch's, whose seed is the worker's.
pub(crate) fn begin_stream(seed: u64) {
    CURRENT.set(Some(Current::Seeded(seed)));
}

/// A seed from two numbers: SplitMix64's finaliser, which sends different pairs of one base to different seeds.
fn mix(base: u64, index: u64) -> u64 {
    let mut z = base.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
