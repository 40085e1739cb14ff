//! Average pooling, plain and adaptive, and the gradients.

use super::{FloatElement, MIN_WORK, PoolShape, Sum, accumulate_planes, len};
use crate::gemm::Shared;
use crate::threads::parallel_for;

/// What an average divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AverageOptions {
    /// Whether padding counts (PyTorch's default: it does).
    pub count_include_pad: bool,
    /// Divides by this number, whatever the window holds.
    pub divisor_override: Option<i64>,
}

/// One window in one dimension.
#[derive(Clone, Copy)]
struct Window {
    start: usize,
    end: usize,
    /// What the dimension contributes to the divisor.
    divisor: usize,
}

/// The windows of each dimension.
struct Windows {
    input: [usize; 3],
    output: [usize; 3],
    lines: [Vec<Window>; 3],
    divisor: Divisor,
}

/// How the divisors of the dimensions combine: as PyTorch does, since the roundings differ.
#[derive(Clone, Copy)]
enum Divisor {
    /// Division by their product.
    Product,
    /// Division by one after the other.
    OneByOne,
    Fixed(i64),
}

impl Windows {
    fn plain(shape: &PoolShape, options: AverageOptions) -> Windows {
        let lines = std::array::from_fn(|d| {
            let (input, padding) = (shape.input[d], shape.padding[d]);
            let window = |i: usize| {
                // In coordinates of the padded input, which windows at its end do not leave.
                let start = i * shape.stride[d];
                let end = (start + shape.kernel[d]).min(input + 2 * padding);
                let (first, last) = (start.saturating_sub(padding), end.saturating_sub(padding).min(input));
                let within = last.saturating_sub(first);
                let divisor = if options.count_include_pad { end.saturating_sub(start) } else { within };
                Window { start: first, end: first + within, divisor }
            };
            (0..shape.output[d]).map(window).collect()
        });
        let divisor = options.divisor_override.map_or(Divisor::Product, Divisor::Fixed);
        Windows { input: shape.input, output: shape.output, lines, divisor }
    }

    fn adaptive(input: [usize; 3], output: [usize; 3]) -> Windows {
        let lines = std::array::from_fn(|d| {
            let window = |i: usize| {
                let (start, end) = (i * input[d] / output[d], ((i + 1) * input[d]).div_ceil(output[d]));
                Window { start, end, divisor: end - start }
            };
            (0..output[d]).map(window).collect()
        });
        Windows { input, output, lines, divisor: Divisor::OneByOne }
    }

    /// Divides by the divisor of a window.
    #[inline(always)]
    fn divide<S: Sum>(&self, x: S, window: [Window; 3]) -> S {
        let [z, y, w] = window.map(|window| window.divisor);
        match self.divisor {
            Divisor::Product => x / S::of(z as f64 * y as f64 * w as f64),
            Divisor::OneByOne => x / S::of(z as f64) / S::of(y as f64) / S::of(w as f64),
            Divisor::Fixed(n) => x / S::of(n as f64),
        }
    }

    /// Calls `visit` with every output's flat index and window.
    #[inline(always)]
    fn for_each(&self, mut visit: impl FnMut(usize, [Window; 3])) {
        let mut index = 0;
        for &z in &self.lines[0] {
            for &y in &self.lines[1] {
                for &x in &self.lines[2] {
                    visit(index, [z, y, x]);
                    index += 1;
                }
            }
        }
    }

    /// Calls `visit` with the start and length of every line of the input that a window holds.
    #[inline(always)]
    fn for_each_line(&self, [z, y, x]: [Window; 3], mut visit: impl FnMut(usize, usize)) {
        for i in z.start..z.end {
            for j in y.start..y.end {
                visit((i * self.input[1] + j) * self.input[2] + x.start, x.end - x.start);
            }
        }
    }

    /// Input elements that the windows of a plane visit.
    fn work(&self) -> usize {
        self.lines.iter().map(|line| line.iter().map(|w| w.end - w.start).sum::<usize>()).product()
    }

    unsafe fn average<T: FloatElement>(&self, planes: usize, x: *const T, out: *mut T) {
        let pointers = Shared((x, out));
        let (inputs, outputs) = (len(self.input), len(self.output));
        parallel_for(planes, MIN_WORK.div_ceil(self.work().max(1)), &|range| {
            for plane in range {
                let (x, out) = pointers.get();
                let (x, out) = (x.wrapping_add(plane * inputs), out.wrapping_add(plane * outputs));
                self.for_each(|index, window| {
                    let mut sum = T::Sum::default();
                    self.for_each_line(window, |start, len| {
                        for j in start..start + len {
                            // SAFETY: windows lie within the plane.
                            sum += unsafe { *x.add(j) }.widen();
                        }
                    });
                    // SAFETY: the index lies within the plane.
                    unsafe { *out.add(index) = T::round(self.divide(sum, window)) }
                });
            }
        });
    }

    unsafe fn average_backward<T: FloatElement>(&self, planes: usize, gy: *const T, gx: *mut T) {
        let gy = Shared(gy);
        let (inputs, outputs) = (len(self.input), len(self.output));
        let add = |plane: usize, sums: &mut [T::Sum]| {
            self.for_each(|index, window| {
                // SAFETY: the caller's gradient has this element.
                let gradient = unsafe { *gy.get().add(plane * outputs + index) }.widen();
                let share = self.divide(gradient, window);
                self.for_each_line(window, |start, len| {
                    for sum in &mut sums[start..start + len] {
                        *sum += share;
                    }
                });
            });
        };
        // SAFETY: the caller's contract.
        unsafe { accumulate_planes(planes, inputs, inputs + self.work(), gx, &add) }
    }
}

/// Computes the mean of each window, as `torch.nn.functional.avg_pool*d`; `shape.dilation` is not used.
///
/// # Safety
/// `x` and `out` have the dense elements that `shape` describes; `out` overlaps nothing; no other thread writes either
/// during the call.
pub unsafe fn avg_pool<T: FloatElement>(shape: &PoolShape, options: AverageOptions, x: *const T, out: *mut T) {
    // SAFETY: the caller's contract.
    unsafe { Windows::plain(shape, options).average(shape.planes, x, out) }
}

/// Computes the gradient of [`avg_pool`] in x.
///
/// # Safety
/// As [`avg_pool`], with `gy` as `out` and `gx` as `x`; `gx` overlaps nothing.
pub unsafe fn avg_pool_backward<T: FloatElement>(shape: &PoolShape, options: AverageOptions, gy: *const T, gx: *mut T) {
    // SAFETY: the caller's contract.
    unsafe { Windows::plain(shape, options).average_backward(shape.planes, gy, gx) }
}

/// Computes means over windows that divide the input evenly, as `torch.nn.functional.adaptive_avg_pool*d`: output `i` of a
/// dimension covers the inputs from `⌊i · input / output⌋` to `⌈(i + 1) · input / output⌉`.
///
/// # Safety
/// `x` has `planes` dense planes of size `input`, `out` of size `output`; `out` overlaps nothing; no other thread writes
/// either during the call.
pub unsafe fn adaptive_avg_pool<T: FloatElement>(
    planes: usize,
    input: [usize; 3],
    output: [usize; 3],
    x: *const T,
    out: *mut T,
) {
    // SAFETY: the caller's contract.
    unsafe { Windows::adaptive(input, output).average(planes, x, out) }
}

/// Computes the gradient of [`adaptive_avg_pool`] in x.
///
/// # Safety
/// As [`adaptive_avg_pool`], with `gy` as `out` and `gx` as `x`; `gx` overlaps nothing.
pub unsafe fn adaptive_avg_pool_backward<T: FloatElement>(
    planes: usize,
    input: [usize; 3],
    output: [usize; 3],
    gy: *const T,
    gx: *mut T,
) {
    // SAFETY: the caller's contract.
    unsafe { Windows::adaptive(input, output).average_backward(planes, gy, gx) }
}
