//! Depthwise convolutions: one input and one output channel per group. As matrix products these have one row each, so they
//! are computed where the input lies, in a copy with its padding around it.

use super::shape::ConvShape;
use super::{Float, for_each_item};
use crate::gemm::Shared;
use crate::gemm::register::{Lanes4, MOST_LANES, Register};
use crate::gemm::scratch::Scratch;
use crate::simd::{Kernel, Level, Simd, dispatch};

/// `out[p] = Σ_κ w[κ] · padded[p·stride + κ·dilation]`, and how `padded` lies in work memory: its lines one after the other,
/// each split into `stride[2]` phases, so that neighbours in the output read neighbours.
pub(super) struct Correlation {
    output: [usize; 3],
    stride: [usize; 3],
    /// Size of the source, which `padded` has between zeros.
    source: [usize; 3],
    /// Where the source's first element lies in `padded`, and the distances from one to the next there.
    origin: [isize; 3],
    spread: [usize; 3],
    /// Lines per plane.
    height: usize,
    /// Elements of a phase of a line.
    width: usize,
    /// Elements of the work memory.
    room: usize,
    /// For each element of the kernel the distance from what it multiplies to what the first one does.
    offsets: Vec<usize>,
}

impl Correlation {
    /// The convolution itself; `None` where it is not depthwise, or has so much padding that a copy does not pay.
    pub fn forward(shape: &ConvShape) -> Option<Correlation> {
        let origin = shape.padding.map(|p| isize::try_from(p).unwrap_or(isize::MAX));
        Correlation::new(shape, shape.output(), shape.stride, shape.input, origin, [1; 3])
    }

    /// Its adjoint, with the kernel reversed: reads the gradient of the output, spread by the stride.
    pub fn adjoint(shape: &ConvShape) -> Option<Correlation> {
        let origin = std::array::from_fn(|d| {
            let reach = shape.dilation[d].saturating_mul(shape.kernel[d].max(1) - 1);
            isize::try_from(reach).unwrap_or(isize::MAX).saturating_sub_unsigned(shape.padding[d])
        });
        Correlation::new(shape, shape.input, [1; 3], shape.output(), origin, shape.stride)
    }

    fn new(
        shape: &ConvShape,
        output: [usize; 3],
        stride: [usize; 3],
        source: [usize; 3],
        origin: [isize; 3],
        spread: [usize; 3],
    ) -> Option<Correlation> {
        let sizes = [shape.batch, shape.groups, shape.input_len(), shape.output_len(), shape.kernel_len()];
        let depthwise = shape.in_channels == shape.groups && shape.out_channels == shape.groups;
        if !depthwise || sizes.contains(&0) || shape.stride.contains(&0) {
            return None;
        }
        // Where there is one element, the step to the next does not matter, and may be as large as a number can be.
        let steps = |sizes: [usize; 3], steps: [usize; 3]| -> [usize; 3] {
            std::array::from_fn(|d| if sizes[d] == 1 { 1 } else { steps[d] })
        };
        let (stride, spread) = (steps(output, stride), steps(source, spread));
        let (elements, kernel) = (shape.input_len().saturating_add(shape.output_len()), shape.kernel);
        let reach = |d: usize| shape.dilation[d].saturating_mul(kernel[d] - 1);
        let extent = |d: usize| (output[d] - 1).saturating_mul(stride[d]).saturating_add(reach(d)).saturating_add(1);
        let (depth, height) = (extent(0), extent(1));
        let width = output[2].next_multiple_of(MOST_LANES).saturating_add(reach(2) / stride[2]).saturating_add(1);
        let room = [height, width, stride[2]].iter().fold(depth, |room, &n| room.saturating_mul(n));
        if room > elements.saturating_mul(4).saturating_add(1 << 16) {
            return None;
        }
        let line = stride[2] * width;
        let offset = |i: usize| {
            let at = [i / (kernel[1] * kernel[2]), i / kernel[2] % kernel[1], i % kernel[2]];
            let [z, y, x] = std::array::from_fn(|d| at[d] * shape.dilation[d]);
            (z * height + y) * line + x % stride[2] * width + x / stride[2]
        };
        let offsets = (0..shape.kernel_len()).map(offset).collect();
        Some(Correlation { output, stride, source, origin, spread, height, width, room, offsets })
    }

    /// The distance in work memory from what a line of the output reads to what the next one does.
    fn line_step(&self) -> usize {
        self.stride[1] * self.line()
    }

    fn line(&self) -> usize {
        self.stride[2] * self.width
    }

    /// Computes all channels of all samples; the kernel of a channel in order, or reversed for the adjoint.
    ///
    /// # Safety
    /// As [`super::forward`], on the source and the output of this correlation.
    pub unsafe fn run<T: Float>(
        &self,
        shape: &ConvShape,
        source: *const T,
        weight: *const T,
        reversed: bool,
        bias: Option<*const T>,
        out: *mut T,
    ) {
        let (from, to) = (self.source.iter().product::<usize>(), self.output.iter().product::<usize>());
        let kernel = self.offsets.len();
        let pointers = Shared((source, weight, bias, out));
        for_each_item(shape.batch * shape.in_channels, to * kernel, &|item| {
            let (source, weight, bias, out) = pointers.get();
            let channel = item % shape.in_channels;
            let scratch = Scratch::<T>::new(self.room + kernel);
            let weights = scratch.ptr().wrapping_add(self.room);
            for i in 0..kernel {
                let from = if reversed { kernel - 1 - i } else { i };
                // SAFETY: the weight has the channel's kernel; the work memory has room for it after the padded copy.
                unsafe { *weights.add(i) = *weight.add(channel * kernel + from) }
            }
            dispatch(Correlate {
                correlation: self,
                source: source.wrapping_add(item * from),
                weights,
                // SAFETY: the bias has one number per channel.
                bias: bias.map_or(T::ZERO, |bias| unsafe { *bias.add(channel) }),
                out: out.wrapping_add(item * to),
                padded: scratch.ptr(),
            });
        });
    }

    /// The gradient of the weights of each channel: sums over the samples in order, whatever the number of threads.
    ///
    /// # Safety
    /// As [`super::weight_grad`]; this is the forward correlation.
    pub unsafe fn weight_grad<T: Float>(&self, shape: &ConvShape, x: *const T, gy: *const T, gw: *mut T) {
        let (from, to) = (shape.input_len(), shape.output_len());
        let kernel = self.offsets.len();
        let pointers = Shared((x, gy, gw));
        for_each_item(shape.in_channels, shape.batch * to * kernel, &|channel| {
            let (x, gy, gw) = pointers.get();
            let scratch = Scratch::<T>::new(self.room);
            for sample in 0..shape.batch {
                let item = sample * shape.in_channels + channel;
                dispatch(WeightGrad {
                    correlation: self,
                    source: x.wrapping_add(item * from),
                    gradient: gy.wrapping_add(item * to),
                    first: sample == 0,
                    sums: gw.wrapping_add(channel * kernel),
                    padded: scratch.ptr(),
                });
            }
        });
    }

    /// Copies the source between zeros.
    #[inline(always)]
    unsafe fn pad<T: Float>(&self, source: *const T, padded: *mut T) {
        let [depth, height, columns] = self.source;
        let (phases, line) = (self.stride[2], self.line());
        let planes = self.room / (self.height * line);
        let place = |i: usize, d: usize| i as isize * self.spread[d] as isize + self.origin[d];
        // SAFETY: zero bits are zero; the guards keep all places within the work memory, and the source has its elements.
        unsafe {
            padded.write_bytes(0, self.room);
            for (z, y) in (0..depth).flat_map(|z| (0..height).map(move |y| (z, y))) {
                let (pz, py) = (place(z, 0), place(y, 1));
                if pz < 0 || py < 0 || pz as usize >= planes || py as usize >= self.height {
                    continue;
                }
                let source = source.add((z * height + y) * columns);
                let target = padded.add((pz as usize * self.height + py as usize) * line);
                // Elements `phases` apart lie in the same phase, `spread` apart.
                for first in 0..phases.min(columns) {
                    let at = place(first, 2);
                    let skip = at.min(0).unsigned_abs().div_ceil(phases * self.spread[2]);
                    let (mut x, at) = (first + skip * phases, at + (skip * phases * self.spread[2]) as isize);
                    let target = target.add(at as usize % phases * self.width);
                    let mut to = at as usize / phases;
                    while x < columns && to < self.width {
                        *target.add(to) = *source.add(x);
                        (x, to) = (x + phases, to + self.spread[2]);
                    }
                }
            }
        }
    }
}

/// One channel of one sample.
struct Correlate<'a, T> {
    correlation: &'a Correlation,
    source: *const T,
    weights: *const T,
    bias: T,
    out: *mut T,
    padded: *mut T,
}

impl<T: Float> Kernel for Correlate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `Correlation::run` passes a channel and its work memory; `dispatch` vouches for the level.
        unsafe {
            self.correlation.pad(self.source, self.padded);
            match S::LEVEL {
                Level::Avx512 => self.planes::<T::Avx512>(),
                Level::Avx2 => self.planes::<T::Avx2>(),
                Level::Portable => self.planes::<Lanes4<T>>(),
            }
        }
    }
}

impl<T: Float> Correlate<'_, T> {
    #[inline(always)]
    unsafe fn planes<V: Register<Elem = T>>(&self) {
        let [depth, height, width] = self.correlation.output;
        for z in 0..depth {
            let mut x = 0;
            while x < width {
                // SAFETY: the contract of `run`; tiles cover each plane once. Eight sums hide the latency of an addition.
                x += unsafe {
                    match (width - x).div_ceil(V::LANES) {
                        1 => self.column::<V, 8, 1>(z, x, height),
                        2 | 3 => self.column::<V, 4, 2>(z, x, height),
                        _ => self.column::<V, 2, 4>(z, x, height),
                    }
                };
            }
        }
    }

    /// `N` registers of columns of a plane, `R` lines at a time; returns the columns.
    #[inline(always)]
    unsafe fn column<V: Register<Elem = T>, const R: usize, const N: usize>(
        &self,
        z: usize,
        x: usize,
        height: usize,
    ) -> usize {
        let mut y = 0;
        // SAFETY: the contract of `run`.
        unsafe {
            while y + R <= height {
                self.tile::<V, R, N>([z, y, x]);
                y += R;
            }
            while y < height {
                self.tile::<V, 1, N>([z, y, x]);
                y += 1;
            }
        }
        N * V::LANES
    }

    #[inline(always)]
    unsafe fn tile<V: Register<Elem = T>, const R: usize, const N: usize>(&self, [z, y, x]: [usize; 3]) {
        let c = self.correlation;
        let [_, height, width] = c.output;
        let step = c.line_step();
        // SAFETY: what a tile reads past the last column is work memory too; it writes the columns that exist.
        unsafe {
            let from = self.padded.add((z * c.stride[0] * c.height + y * c.stride[1]) * c.line() + x).cast_const();
            let mut sums = [[V::zero(); N]; R];
            for (i, &offset) in c.offsets.iter().enumerate() {
                let weight = V::splat(*self.weights.add(i));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let from = from.add(offset + r * step);
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = weight.mul_add(V::load(from.add(v * V::LANES)), *sum);
                    }
                }
            }
            let bias = V::splat(self.bias);
            for (r, sums) in sums.iter().enumerate() {
                let out = self.out.add((z * height + y + r) * width + x);
                for (v, sum) in sums.iter().enumerate() {
                    let (sum, at) = (sum.add(bias), v * V::LANES);
                    let left = width.saturating_sub(x + at);
                    if left >= V::LANES {
                        sum.store(out.add(at));
                    } else if left > 0 {
                        sum.store_first(out.add(at), left);
                    }
                }
            }
        }
    }
}

/// What one sample adds to the gradient of a channel's weights.
struct WeightGrad<'a, T> {
    correlation: &'a Correlation,
    source: *const T,
    gradient: *const T,
    /// Whether this is the first sample: the sums have no content yet.
    first: bool,
    sums: *mut T,
    padded: *mut T,
}

impl<T: Float> Kernel for WeightGrad<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `Correlation::weight_grad` passes a channel and its work memory; `dispatch` vouches for the level.
        unsafe {
            self.correlation.pad(self.source, self.padded);
            match S::LEVEL {
                Level::Avx512 => self.all::<T::Avx512>(),
                Level::Avx2 => self.all::<T::Avx2>(),
                Level::Portable => self.all::<Lanes4<T>>(),
            }
        }
    }
}

impl<T: Float> WeightGrad<'_, T> {
    #[inline(always)]
    unsafe fn all<V: Register<Elem = T>>(&self) {
        let kernel = self.correlation.offsets.len();
        let mut i = 0;
        // SAFETY: the contract of `run`.
        unsafe {
            while i + 8 <= kernel {
                self.sums::<V, 8>(i);
                i += 8;
            }
            while i < kernel {
                self.sums::<V, 1>(i);
                i += 1;
            }
        }
    }

    /// The sums of `N` elements of the kernel, which share what they read of the gradient.
    #[inline(always)]
    unsafe fn sums<V: Register<Elem = T>, const N: usize>(&self, first: usize) {
        let c = self.correlation;
        let [depth, height, width] = c.output;
        // SAFETY: the contract of `run`; lanes past the last column multiply zeros of the gradient and of the work memory.
        unsafe {
            let mut sums = [V::zero(); N];
            for (z, y) in (0..depth).flat_map(|z| (0..height).map(move |y| (z, y))) {
                let gradient = self.gradient.add((z * height + y) * width);
                let from = self.padded.add((z * c.stride[0] * c.height + y * c.stride[1]) * c.line()).cast_const();
                for x in (0..width).step_by(V::LANES) {
                    let left = width - x;
                    let g =
                        if left >= V::LANES { V::load(gradient.add(x)) } else { V::load_first(gradient.add(x), left) };
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = g.mul_add(V::load(from.add(c.offsets[first + i] + x)), *sum);
                    }
                }
            }
            for (i, sum) in sums.iter().enumerate() {
                let mut lanes = [T::ZERO; MOST_LANES];
                sum.store(lanes.as_mut_ptr());
                let start = if self.first { T::ZERO } else { *self.sums.add(first + i) };
                let total = lanes.into_iter().fold(T::ZERO, |total, lane| total + lane);
                *self.sums.add(first + i) = start + total;
            }
        }
    }
}
