//! Max pooling and its gradient.

use half::{bf16, f16};

use super::{FloatElement, MIN_WORK, PoolShape, accumulate_planes, len};
use crate::gemm::Shared;
use crate::gemm::half_types::Half;
use crate::simd::{Kernel, Simd, dispatch};
use crate::threads::parallel_for;

/// A number type of max pooling.
pub trait MaxElement: Copy + Send + Sync + 'static {
    /// What is compared.
    #[doc(hidden)]
    type Key: Copy + PartialOrd;
    /// The least value: where the search starts.
    #[doc(hidden)]
    const LEAST: Self;
    #[doc(hidden)]
    fn key(self) -> Self::Key;
}

/// Implements [`MaxElement`] for types that compare as they are; their least values have no common trait.
macro_rules! max_element {
    ($($t:ty: $least:expr;)*) => {$(
        impl MaxElement for $t {
            type Key = $t;
            const LEAST: $t = $least;
            #[inline(always)]
            fn key(self) -> $t {
                self
            }
        }
    )*};
}
max_element! {
    f32: f32::NEG_INFINITY; f64: f64::NEG_INFINITY;
    i8: i8::MIN; u8: u8::MIN; i16: i16::MIN; i32: i32::MIN; i64: i64::MIN;
}
impl MaxElement for f16 {
    type Key = f32;
    const LEAST: f16 = f16::NEG_INFINITY;
    #[inline(always)]
    fn key(self) -> f32 {
        Half::widen(self)
    }
}
impl MaxElement for bf16 {
    type Key = f32;
    const LEAST: bf16 = bf16::NEG_INFINITY;
    #[inline(always)]
    fn key(self) -> f32 {
        Half::widen(self)
    }
}

/// Computes the maximum of each window, and its flat index in the input's plane, as `torch.nn.functional.max_pool*d` with
/// `return_indices=True`: the first of equal elements wins, NaN wins over numbers, the last NaN over earlier ones. Padding
/// never wins.
///
/// # Safety
/// `x`, `out` and `indices` have the dense elements that `shape` describes; `out` and `indices` overlap nothing; no other
/// thread writes any of them during the call.
pub unsafe fn max_pool<T: MaxElement>(shape: &PoolShape, x: *const T, out: *mut T, indices: *mut i64) {
    let pointers = Shared((x, out, indices));
    let (inputs, outputs) = (len(shape.input), len(shape.output));
    let work = outputs * len(shape.kernel);
    parallel_for(shape.planes, MIN_WORK.div_ceil(work.max(1)), &|planes| {
        let (x, out, indices) = pointers.get();
        for plane in planes {
            dispatch(MaxPlane {
                shape,
                x: x.wrapping_add(plane * inputs),
                out: out.wrapping_add(plane * outputs),
                indices: indices.wrapping_add(plane * outputs),
            });
        }
    });
}

struct MaxPlane<'a, T> {
    shape: &'a PoolShape,
    x: *const T,
    out: *mut T,
    indices: *mut i64,
}

impl<T: MaxElement> Kernel for MaxPlane<'_, T> {
    type Output = ();

    /// Goes through the output line by line and, within a line, through the window's elements: so that each step compares
    /// a whole line, which the compiler vectorises for the common strides.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let shape = self.shape;
        let [depth, height, width] = shape.output;
        for (z, y) in (0..depth).flat_map(|z| (0..height).map(move |y| (z, y))) {
            let line = (z * height + y) * width;
            // SAFETY: the line lies within the output.
            let (out, indices) = unsafe {
                for x in 0..width {
                    *self.out.add(line + x) = T::LEAST;
                    *self.indices.add(line + x) = self.first_index([z, y, x]) as i64;
                }
                (
                    std::slice::from_raw_parts_mut(self.out.add(line), width),
                    std::slice::from_raw_parts_mut(self.indices.add(line), width),
                )
            };
            let place = |d: usize, at: usize, k: usize| {
                (at * shape.stride[d] + k * shape.dilation[d])
                    .checked_sub(shape.padding[d])
                    .filter(|&i| i < shape.input[d])
            };
            for (kz, ky) in (0..shape.kernel[0]).flat_map(|kz| (0..shape.kernel[1]).map(move |ky| (kz, ky))) {
                let (Some(iz), Some(iy)) = (place(0, z, kz), place(1, y, ky)) else { continue };
                let row = (iz * shape.input[1] + iy) * shape.input[2];
                for kx in 0..shape.kernel[2] {
                    let shift = kx * shape.dilation[2];
                    let (padding, stride) = (shape.padding[2], shape.stride[2]);
                    // The outputs whose element lies within the line of the input.
                    let first = padding.saturating_sub(shift).div_ceil(stride);
                    let last = (shape.input[2] + padding).saturating_sub(shift).div_ceil(stride).min(width);
                    if first >= last {
                        continue;
                    }
                    let start = row + first * stride + shift - padding;
                    let target = (&mut out[first..last], &mut indices[first..last]);
                    // SAFETY: `start + i * stride` lies within the row for every output of the range.
                    unsafe {
                        match stride {
                            1 => compare_line::<T, 1>(self.x, start, 1, target),
                            2 => compare_line::<T, 2>(self.x, start, 2, target),
                            _ => compare_line::<T, 0>(self.x, start, stride, target),
                        }
                    }
                }
            }
        }
    }
}

impl<T> MaxPlane<'_, T> {
    /// The flat index of the first element of a window that is not padding.
    #[inline(always)]
    fn first_index(&self, at: [usize; 3]) -> usize {
        let shape = self.shape;
        let mut index = 0;
        for (d, at) in at.into_iter().enumerate() {
            let (start, padding) = (at * shape.stride[d], shape.padding[d]);
            let skipped = padding.saturating_sub(start).div_ceil(shape.dilation[d]) * shape.dilation[d];
            index = index * shape.input[d] + start + skipped - padding;
        }
        index
    }
}

/// Compares output `i` of a line with element `start + i · stride`; `STRIDE` is the stride where it is not 0.
#[inline(always)]
unsafe fn compare_line<T: MaxElement, const STRIDE: usize>(
    x: *const T,
    start: usize,
    stride: usize,
    (out, indices): (&mut [T], &mut [i64]),
) {
    let stride = if STRIDE > 0 { STRIDE } else { stride };
    for (i, (out, index)) in out.iter_mut().zip(indices).enumerate() {
        // SAFETY: the caller's contract.
        let value = unsafe { *x.add(start + i * stride) };
        let key = value.key();
        // A NaN differs from itself.
        #[expect(clippy::eq_op)]
        let wins = key > out.key() || key != key;
        *out = if wins { value } else { *out };
        *index = if wins { (start + i * stride) as i64 } else { *index };
    }
}

/// Computes `gx[indices[p]] += gy[p]` in every plane, from zero: the gradient of [`max_pool`].
///
/// # Safety
/// `gy` and `indices` have the elements of the output, `gx` those of the input; indices lie within a plane of the input;
/// `gx` overlaps nothing.
pub unsafe fn max_pool_backward<T: FloatElement>(shape: &PoolShape, gy: *const T, indices: *const i64, gx: *mut T) {
    let pointers = Shared((gy, indices));
    let (inputs, outputs) = (len(shape.input), len(shape.output));
    let add = |plane: usize, sums: &mut [T::Sum]| {
        let (gy, indices) = pointers.get();
        for p in plane * outputs..(plane + 1) * outputs {
            // SAFETY: the caller's contract.
            unsafe { sums[*indices.add(p) as usize] += (*gy.add(p)).widen() }
        }
    };
    // SAFETY: the caller's contract.
    unsafe { accumulate_planes(shape.planes, inputs, inputs + outputs, gx, &add) }
}
