//! Random numbers as PyTorch's CPU generator makes them, bit for bit.
//!
//! [`Generator`] is `torch.Generator`: an MT19937 engine with PyTorch's seeding, state bytes and cached normal sample.
//! The fills below draw from it in the order and number of PyTorch's CPU kernels, so that a stream of mixed calls stays
//! in step with PyTorch for ever. They fill slices in memory order; PyTorch, too, walks a permuted or transposed tensor
//! in the order of its memory.
//!
//! | function | draws per element | equal to PyTorch |
//! |---|---|---|
//! | [`uniform_`] | one 32-bit (f64: two) | bit for bit |
//! | [`random_`], [`random_from_to_`], [`randperm`] | one 32-bit; two where the range is 2²⁸ or more | bit for bit |
//! | [`bernoulli_`], [`bernoulli_p`] | two (f16, bf16 and f32 probabilities: one) | bit for bit |
//! | [`normal_`], 16 elements or more | one (f64: two), 16 more for a ragged tail | f32, f16, bf16 bit for bit; f64 to the libm |
//! | [`normal_`], fewer than 16, and [`normal_serial_`] | four per pair; the second of a pair waits in the generator | to the libm |
//! | [`exponential_`], [`multinomial`] | two | to the libm; bit for bit |
//!
//! "To the libm" means that the formula is PyTorch's and `sin`, `cos`, `log` and `log1p` come from the system: with the
//! same C library the numbers are equal, with another they differ in the last bit.
//!
//! Dropout on the CPU is `bernoulli_(1 - p)` over a tensor of the input's dtype, then `div_(1 - p)`, and draws nothing
//! where p is 0 or 1; so its masks are PyTorch's as well.

mod discrete;
mod element;
mod error;
mod gamma;
mod generator;
mod mt19937;
mod multinomial;
mod normal;
mod normal_f32;
mod real;
mod slopes;

#[cfg(test)]
mod goldens;

pub use discrete::{full_range, integer_bounds, random_, random_from_to_, randperm};
pub use element::{RandomElement, RandomFloat};
pub use error::RandomError;
pub use gamma::{binomial, gamma, poisson};
pub use generator::{AsRngState, DEFAULT_SEED, Generator, GeneratorState, RngState, STATE_SIZE};
pub use mt19937::Mt19937;
pub use multinomial::multinomial;
pub use normal::{normal_, normal_serial_};
pub use real::{bernoulli_, bernoulli_p, exponential_, uniform_};
pub use slopes::{dirichlet_slope, gamma_slope};

/// Runs `f` in a function that may use the machine's fused multiply-add, so that the closure's `mul_add` becomes one
/// instruction; without the instruction `mul_add` is a slower call with the same result.
#[inline]
fn with_fma<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn fused<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: both features of `fused` were just detected.
            return unsafe { fused(f) };
        }
    }
    f()
}
