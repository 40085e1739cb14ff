//! Normal samples.

use super::element::{RandomFloat, Real};
use super::error::{RandomError, check};
use super::generator::{Generator, GeneratorState};
use super::with_fma;
use crate::print::cpp_double;

/// Fills `out` with samples of N(mean, std²) as `Tensor.normal_(mean, std)` does on a contiguous tensor.
///
/// Fewer than 16 elements go one by one, as [`normal_serial_`] does. Otherwise each block of 16 takes 16 uniforms
/// through Box–Muller, and a ragged tail redraws the last 16 elements.
///
/// # Errors
/// A standard deviation that is negative or NaN.
pub fn normal_<T: RandomFloat>(generator: &Generator, out: &mut [T], mean: f64, std: f64) -> Result<(), RandomError> {
    if out.len() < 16 {
        return normal_serial_(generator, out, mean, std);
    }
    check_std(std)?;
    let state = &mut *generator.lock();
    with_fma(|| {
        let (mean, std) = (T::Real::from_f64(mean), T::Real::from_f64(std));
        let tail = out.len() % 16;
        let (blocks, _) = out.as_chunks_mut::<16>();
        for block in blocks {
            fill_block(state, block, mean, std);
        }
        if tail != 0 {
            // PyTorch draws f32 and f64 for the whole tensor before it redraws the end; halves go block by block.
            if T::DTYPE.compute() == T::DTYPE {
                for _ in 0..tail {
                    T::Real::uniform(state);
                }
            }
            if let Some(last) = out.last_chunk_mut::<16>() {
                fill_block(state, last, mean, std);
            }
        }
    });
    Ok(())
}

/// Fills `out` one sample at a time in f64, the second of each Box–Muller pair waiting in the generator: what
/// `Tensor.normal_` does for fewer than 16 elements, or for a tensor that is not contiguous.
///
/// # Errors
/// A standard deviation that is negative or NaN.
pub fn normal_serial_<T: RandomFloat>(
    generator: &Generator,
    out: &mut [T],
    mean: f64,
    std: f64,
) -> Result<(), RandomError> {
    check_std(std)?;
    let state = &mut *generator.lock();
    for x in out {
        *x = T::from_real(T::Real::from_f64(state.normal().mul_add(std, mean)));
    }
    Ok(())
}

fn check_std(std: f64) -> Result<(), RandomError> {
    check(std >= 0.0, || format!("normal expects std >= 0.0, but found std {}", cpp_double(std)))
}

#[inline(always)]
fn fill_block<T: RandomFloat>(state: &mut GeneratorState, block: &mut [T; 16], mean: T::Real, std: T::Real) {
    let mut x = [T::Real::default(); 16];
    for u in &mut x {
        *u = T::Real::uniform(state);
    }
    T::Real::box_muller(&mut x, mean, std);
    *block = x.map(T::from_real);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_deviation_is_refused() {
        let error = normal_(&Generator::new(), &mut [0.0_f32; 20], 0.0, -1.0).unwrap_err().to_string();
        assert_eq!(error, "normal expects std >= 0.0, but found std -1");
        assert!(normal_(&Generator::new(), &mut [0.0_f32; 2], 0.0, f64::NAN).is_err());
    }
}
