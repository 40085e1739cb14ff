//! Pooling over one, two or three spatial dimensions of dense planes (a plane is one channel of one sample); planes are
//! split over the threads.

mod average;
mod max;
#[cfg(test)]
mod tests;

pub use average::{AverageOptions, adaptive_avg_pool, adaptive_avg_pool_backward, avg_pool, avg_pool_backward};
use half::{bf16, f16};
pub use max::{MaxElement, max_pool, max_pool_backward};

use crate::gemm::Shared;
use crate::gemm::half_types::Half;
use crate::gemm::scratch::Scratch;
use crate::threads::parallel_for;

/// The sizes of a pooling of up to three spatial dimensions; fewer take leading ones. The caller states the output size,
/// since it depends on `ceil_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Channels of all samples.
    pub planes: usize,
    /// Spatial size of the input.
    pub input: [usize; 3],
    /// Spatial size of the output; every window touches the padded input.
    pub output: [usize; 3],
    /// Size of the window.
    pub kernel: [usize; 3],
    /// Input elements from one window to the next.
    pub stride: [usize; 3],
    /// Padding on both sides of the input.
    pub padding: [usize; 3],
    /// Input elements from one window element to the next (max pooling only; averages ignore it).
    pub dilation: [usize; 3],
}

/// A floating-point type; sums are formed in `Sum` and rounded once.
pub trait FloatElement: Copy + Send + Sync + 'static {
    /// f64 for f64, f32 for the others.
    #[doc(hidden)]
    type Sum: Sum;
    #[doc(hidden)]
    fn widen(self) -> Self::Sum;
    #[doc(hidden)]
    fn round(x: Self::Sum) -> Self;
}

/// What sums are formed in.
#[doc(hidden)]
pub trait Sum: Copy + Default + std::ops::AddAssign + std::ops::Div<Output = Self> + 'static {
    fn of(x: f64) -> Self;
}
impl Sum for f32 {
    #[inline(always)]
    fn of(x: f64) -> f32 {
        x as f32
    }
}
impl Sum for f64 {
    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }
}

impl FloatElement for f32 {
    type Sum = f32;
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
    #[inline(always)]
    fn round(x: f32) -> f32 {
        x
    }
}
impl FloatElement for f64 {
    type Sum = f64;
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn round(x: f64) -> f64 {
        x
    }
}
impl FloatElement for f16 {
    type Sum = f32;
    #[inline(always)]
    fn widen(self) -> f32 {
        Half::widen(self)
    }
    #[inline(always)]
    fn round(x: f32) -> f16 {
        Half::round(x)
    }
}
impl FloatElement for bf16 {
    type Sum = f32;
    #[inline(always)]
    fn widen(self) -> f32 {
        Half::widen(self)
    }
    #[inline(always)]
    fn round(x: f32) -> bf16 {
        Half::round(x)
    }
}

/// Elements visited below which a thread is not worth waking.
const MIN_WORK: usize = 1 << 15;

fn len(sizes: [usize; 3]) -> usize {
    sizes.iter().product()
}

/// Fills each plane of an input gradient: `add` adds what plane `i` receives to zeroed sums, which are then rounded.
///
/// # Safety
/// `gx` has room for `planes` planes of `plane` elements.
unsafe fn accumulate_planes<T: FloatElement>(
    planes: usize,
    plane: usize,
    work: usize,
    gx: *mut T,
    add: &(dyn Fn(usize, &mut [T::Sum]) + Sync),
) {
    let gx = Shared(gx);
    parallel_for(planes, MIN_WORK.div_ceil(work.max(1)), &|range| {
        let scratch = Scratch::<T::Sum>::new(plane);
        // SAFETY: the work memory has room for a plane, and is initialised here.
        let sums = unsafe {
            scratch.ptr().write_bytes(0, plane);
            std::slice::from_raw_parts_mut(scratch.ptr(), plane)
        };
        for i in range {
            sums.fill(T::Sum::default());
            add(i, sums);
            for (j, &sum) in sums.iter().enumerate() {
                // SAFETY: the caller's contract; each plane is written by one thread.
                unsafe { *gx.get().add(i * plane + j) = T::round(sum) }
            }
        }
    });
}
