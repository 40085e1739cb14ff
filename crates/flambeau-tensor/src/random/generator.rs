//! `torch.Generator` for the CPU.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{RandomError, check};
use super::mt19937::{Mt19937, N};

/// The seed of a new generator, PyTorch's `default_rng_seed_val`.
pub const DEFAULT_SEED: u64 = 67_280_421_310_721;

/// Bytes of a state, as `torch.get_rng_state()` returns them.
pub const STATE_SIZE: usize = 5056;

// PyTorch's CPUGeneratorImplState: u64 seed, i32 left, i32 seeded, u64 next, u64[624] words, f64 x, y, rho,
// i32 normal_is_valid (y holds the cached sample), 4 bytes of padding, f32 sample, bool valid, 3 bytes of padding.
const LEFT: usize = 8;
const SEEDED: usize = 12;
const NEXT: usize = 16;
const WORDS: usize = 24;
const NORMAL_Y: usize = WORDS + 8 * N + 8;
const NORMAL_IS_VALID: usize = NORMAL_Y + 16;
const FLOAT_SAMPLE: usize = NORMAL_IS_VALID + 8;
const FLOAT_SAMPLE_IS_VALID: usize = FLOAT_SAMPLE + 4;

/// What a [`Generator`] guards: the engine, and the second normal sample of a Box–Muller pair.
#[derive(Clone, Debug)]
pub struct GeneratorState {
    engine: Mt19937,
    next_normal: Option<f64>,
    /// PyTorch's CPU kernels never set this cache; it is kept so that a state survives the way through set and get.
    next_normal_f32: Option<f32>,
    /// How many blocks of a counter-based stream GPUs have taken. No part of PyTorch's CPU state, so a restored state starts
    /// that stream anew.
    philox_offset: u64,
}

impl GeneratorState {
    fn new(seed: u64) -> Self {
        Self { engine: Mt19937::new(seed), next_normal: None, next_normal_f32: None, philox_offset: 0 }
    }

    /// The next 32 bits.
    #[inline]
    pub fn random(&mut self) -> u32 {
        self.engine.random()
    }

    /// The next 64 bits, two draws.
    #[inline]
    pub fn random64(&mut self) -> u64 {
        self.engine.random64()
    }

    /// Uniform on [0, 1): the low 24 bits of one draw.
    #[inline]
    pub fn uniform_f32(&mut self) -> f32 {
        (self.random() & 0xff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform on [0, 1): the low 53 bits of two draws.
    #[inline]
    pub fn uniform_f64(&mut self) -> f64 {
        (self.random64() & 0x1f_ffff_ffff_ffff) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// A standard normal sample by Box–Muller in f64; every second call returns the cached other half of a pair.
    pub fn normal(&mut self) -> f64 {
        if let Some(sample) = self.next_normal.take() {
            return sample;
        }
        let u1 = self.uniform_f64();
        let u2 = self.uniform_f64();
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let theta = 2.0 * std::f64::consts::PI * u1;
        self.next_normal = Some(radius * theta.sin());
        radius * theta.cos()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; STATE_SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &self.engine.seed.to_le_bytes());
        put(LEFT, &self.engine.left.to_le_bytes());
        put(SEEDED, &1_u32.to_le_bytes());
        put(NEXT, &u64::from(self.engine.next).to_le_bytes());
        for (i, &word) in self.engine.state.iter().enumerate() {
            put(WORDS + 8 * i, &u64::from(word).to_le_bytes());
        }
        if let Some(sample) = self.next_normal {
            put(NORMAL_Y, &sample.to_le_bytes());
            put(NORMAL_IS_VALID, &1_u32.to_le_bytes());
        }
        if let Some(sample) = self.next_normal_f32 {
            put(FLOAT_SAMPLE, &sample.to_le_bytes());
            put(FLOAT_SAMPLE_IS_VALID, &[1]);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, RandomError> {
        check(bytes.len() == STATE_SIZE, || {
            let found = bytes.len();
            format!(
                "Expected a CPUGeneratorImplState of size {STATE_SIZE} but found the input RNG state size to be {found}"
            )
        })?;
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let (left, next) = (u32_at(LEFT), u64_at(NEXT) as u32);
        // PyTorch checks each field by itself; the sum keeps the next index inside the words.
        let valid = u32_at(SEEDED) != 0
            && (1..=N as u32).contains(&left)
            && next <= N as u32
            && (left == 1 || left + next <= N as u32 + 1);
        check(valid, || "Invalid mt19937 state".into())?;
        let state = std::array::from_fn(|i| u64_at(WORDS + 8 * i) as u32);
        let next_normal = (u32_at(NORMAL_IS_VALID) != 0).then(|| f64::from_bits(u64_at(NORMAL_Y)));
        let next_normal_f32 = (bytes[FLOAT_SAMPLE_IS_VALID] != 0).then(|| f32::from_bits(u32_at(FLOAT_SAMPLE)));
        let engine = Mt19937 { seed: u64_at(0), left, next, state };
        Ok(Self { engine, next_normal, next_normal_f32, philox_offset: 0 })
    }
}

/// The state of a generator, as bytes.
///
/// ```
/// # use flambeau_tensor::random::{Generator, STATE_SIZE};
/// assert_eq!(Generator::new().get_state().len(), STATE_SIZE);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RngState(Vec<u8>);

impl From<Vec<u8>> for RngState {
    fn from(bytes: Vec<u8>) -> Self {
        RngState(bytes)
    }
}

impl From<RngState> for Vec<u8> {
    fn from(state: RngState) -> Self {
        state.0
    }
}

impl std::ops::Deref for RngState {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What holds the state of a generator: [`RngState`], bytes, a tensor of bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state of a generator",
    note = "`generator.get_state()` is one, and a tensor that `torch::load` gave"
)]
pub trait AsRngState {
    /// The bytes.
    fn as_rng_state(&self) -> Cow<'_, [u8]>;
}

macro_rules! as_rng_state {
    ($([$($generics:tt)*] $t:ty),+) => {$(
        impl<$($generics)*> AsRngState for $t {
            fn as_rng_state(&self) -> Cow<'_, [u8]> {
                Cow::Borrowed(&self[..])
            }
        }
    )+};
}
as_rng_state!([] [u8], [] Vec<u8>, [] RngState, [const N: usize] [u8; N]);

impl<T: AsRngState + ?Sized> AsRngState for &T {
    fn as_rng_state(&self) -> Cow<'_, [u8]> {
        (**self).as_rng_state()
    }
}

/// `torch.Generator()`: a handle to a random stream; clones share the stream.
///
/// ```
/// # use flambeau_tensor::random::{Generator, uniform_};
/// let generator = Generator::new().manual_seed(0);
/// let mut x = [0.0_f32; 2];
/// uniform_(&generator, &mut x, 0.0, 1.0).unwrap();
/// assert_eq!(x, [0.4962566, 0.7682218]); // torch.manual_seed(0); torch.rand(2)
/// ```
#[derive(Clone)]
pub struct Generator(Arc<Mutex<GeneratorState>>);

impl Generator {
    /// A generator with [`DEFAULT_SEED`].
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(GeneratorState::new(DEFAULT_SEED))))
    }

    /// Starts the stream of this seed and returns the handle. A negative Python seed −s is `u64::MAX - s + 1`.
    pub fn manual_seed(&self, seed: u64) -> Self {
        *self.lock() = GeneratorState::new(seed);
        self.clone()
    }

    /// The seed that the stream started from.
    pub fn initial_seed(&self) -> u64 {
        self.lock().engine.seed()
    }

    /// Seeds the generator from the operating system's entropy and returns the seed (53 bits, as in PyTorch).
    pub fn seed(&self) -> u64 {
        // Each RandomState is keyed from the system's random source; hashing nothing yields a value of those keys.
        let seed = std::collections::hash_map::RandomState::new().build_hasher().finish() & 0x1f_ffff_ffff_ffff;
        self.manual_seed(seed);
        seed
    }

    /// The state as the bytes of `torch.Generator.get_state()`; PyTorch accepts them, [`STATE_SIZE`] of them. A file has them as a
    /// tensor, as PyTorch's do.
    pub fn get_state(&self) -> RngState {
        RngState(self.lock().to_bytes())
    }

    /// Continues from a state of [`Generator::get_state`] or of PyTorch, also as a tensor or as a file's value:
    /// `generator.set_state(&checkpoint["generator"])`.
    ///
    /// ```
    /// # use flambeau_tensor::random::Generator;
    /// let (one, two) = (Generator::new().manual_seed(7), Generator::new());
    /// two.set_state(one.get_state())?;
    /// assert_eq!(two.initial_seed(), 7);
    /// # Ok::<(), flambeau_tensor::random::RandomError>(())
    /// ```
    ///
    /// # Errors
    /// A wrong size or a state that no engine can be in; the generator is then unchanged.
    pub fn set_state(&self, state: impl AsRngState) -> Result<(), RandomError> {
        let state = GeneratorState::from_bytes(&state.as_rng_state())?;
        *self.lock() = state;
        Ok(())
    }

    /// Takes `n` blocks of 128 bits from the counter-based stream of this seed, which GPUs draw from: the seed, which is
    /// Philox4x32-10's key, and the first block's counter.
    pub fn philox(&self, n: u64) -> (u64, u64) {
        let mut state = self.lock();
        let first = state.philox_offset;
        state.philox_offset = first.wrapping_add(n);
        (state.engine.seed(), first)
    }

    /// Exclusive use of the stream, for a fill.
    pub fn lock(&self) -> MutexGuard<'_, GeneratorState> {
        // A panic in a fill leaves a valid state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator").field("initial_seed", &self.initial_seed()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_continues_the_stream_with_its_cached_normal() {
        let a = Generator::new().manual_seed(11);
        a.lock().normal();
        let b = Generator::new();
        b.set_state(&a.get_state()).unwrap();
        assert_eq!(a.initial_seed(), b.initial_seed());
        assert_eq!(a.get_state(), b.get_state());
        for _ in 0..700 {
            assert_eq!(a.lock().normal(), b.lock().normal());
        }
    }

    #[test]
    fn bad_states_are_refused() {
        let g = Generator::new();
        let error = g.set_state(&[0; 10]).unwrap_err().to_string();
        assert_eq!(error, "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 10");
        assert_eq!(g.set_state(&[0; STATE_SIZE]).unwrap_err().to_string(), "Invalid mt19937 state");
        let mut beyond = Vec::from(g.get_state());
        beyond[LEFT] = 9;
        beyond[NEXT..NEXT + 2].copy_from_slice(&620_u16.to_le_bytes());
        assert!(g.set_state(&beyond).is_err());
        assert_eq!(g.initial_seed(), DEFAULT_SEED);
    }

    #[test]
    fn a_seed_starts_the_counted_stream_anew() {
        let g = Generator::new().manual_seed(5);
        let state = g.get_state();
        assert_eq!(g.philox(3), (5, 0));
        assert_eq!(g.clone().philox(1), (5, 3));
        assert_eq!(g.get_state(), state);
        g.set_state(&state).unwrap();
        assert_eq!(g.philox(2), (5, 0));
        assert_eq!(g.manual_seed(6).philox(1), (6, 0));
        g.philox(u64::MAX);
        assert_eq!(g.philox(1), (6, 0));
    }

    #[test]
    fn clones_share_the_stream_and_seed_starts_another() {
        let a = Generator::new();
        let b = a.clone();
        let seed = a.seed();
        assert_eq!(b.initial_seed(), seed);
        assert!(seed < 1 << 53);
        assert_ne!(a.seed(), seed);
    }
}
