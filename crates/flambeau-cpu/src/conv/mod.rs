//! Convolutions of one, two and three dimensions on dense memory, as matrix products with the column matrix, of which only
//! a tile that fits the second-level cache exists at a time.

mod columns;
mod depthwise;
mod half_types;
mod shape;
#[cfg(test)]
mod tests;

use columns::{ColumnTile, gather, scatter};
use depthwise::Correlation;

pub use shape::ConvShape;

use crate::gemm::register;
use crate::gemm::scratch::Scratch;
use crate::gemm::{Bias, Epilogue, Gemm, GemmElement, Shared, gemm};
use crate::threads::{num_threads, parallel_for};

/// A number type of convolutions: f32, f64, and f16 and bf16 (computed in f32, rounded once).
pub trait ConvElement: GemmElement {
    #[doc(hidden)]
    unsafe fn forward(shape: &ConvShape, x: *const Self, w: *const Self, bias: Option<*const Self>, out: *mut Self);
    #[doc(hidden)]
    unsafe fn input_grad(shape: &ConvShape, gy: *const Self, w: *const Self, gx: *mut Self);
    #[doc(hidden)]
    unsafe fn weight_grad(shape: &ConvShape, x: *const Self, gy: *const Self, gw: *mut Self);
}

/// Computes `out[b, o, p] = bias[o] + Σ_c Σ_κ w[o, c, κ] · x[b, c, p·stride + κ·dilation − padding]`, the cross-correlation
/// that PyTorch calls convolution.
///
/// # Safety
/// The pointers have the dense elements that `shape` describes (`bias` one per output channel); `out` overlaps nothing; no
/// other thread writes any of them during the call.
pub unsafe fn forward<T: ConvElement>(
    shape: &ConvShape,
    x: *const T,
    w: *const T,
    bias: Option<*const T>,
    out: *mut T,
) {
    // SAFETY: the caller's contract.
    unsafe { T::forward(shape, x, w, bias, out) }
}

/// Computes the gradient of the input, `gx`, from that of the output, `gy`: the adjoint of [`forward`] in x. A transposed
/// convolution is this function with `gy` its input and `gx` its output, whose size `shape.input` states.
///
/// # Safety
/// As [`forward`]; `gx` overlaps nothing.
pub unsafe fn input_grad<T: ConvElement>(shape: &ConvShape, gy: *const T, w: *const T, gx: *mut T) {
    // SAFETY: the caller's contract.
    unsafe { T::input_grad(shape, gy, w, gx) }
}

/// Computes the gradient of the weight, `gw`, from the input and the gradient of the output: the adjoint of [`forward`] in
/// w.
///
/// # Safety
/// As [`forward`]; `gw` overlaps nothing.
pub unsafe fn weight_grad<T: ConvElement>(shape: &ConvShape, x: *const T, gy: *const T, gw: *mut T) {
    // SAFETY: the caller's contract.
    unsafe { T::weight_grad(shape, x, gy, gw) }
}

/// What the generic code needs of f32 and f64.
trait Float: GemmElement + register::Float + Default + std::ops::AddAssign {}
impl Float for f32 {}
impl Float for f64 {}

/// Implements [`ConvElement`] by the generic code: a blanket implementation would collide with that of the halves.
macro_rules! conv_element {
    ($($t:ty)*) => {$(
        impl ConvElement for $t {
            unsafe fn forward(shape: &ConvShape, x: *const $t, w: *const $t, bias: Option<*const $t>, out: *mut $t) {
                // SAFETY: the caller's contract.
                unsafe { forward_columns(shape, x, w, bias, out) }
            }
            unsafe fn input_grad(shape: &ConvShape, gy: *const $t, w: *const $t, gx: *mut $t) {
                // SAFETY: the caller's contract.
                unsafe { input_grad_columns(shape, gy, w, gx) }
            }
            unsafe fn weight_grad(shape: &ConvShape, x: *const $t, gy: *const $t, gw: *mut $t) {
                // SAFETY: the caller's contract.
                unsafe { weight_grad_columns(shape, x, gy, gw) }
            }
        }
    )*};
}
conv_element!(f32 f64);

/// Bytes of a tile of columns: half of a common second-level cache.
const TILE_BYTES: usize = 1 << 19;
/// Columns that tiles are cut at: a whole sliver of the matrix product.
const COLUMNS: usize = 32;
/// Multiply-adds below which a thread is not worth waking.
const MIN_WORK: usize = 1 << 17;
/// The most parts of a weight gradient.
const MAX_SHARES: usize = 16;

/// Positions per tile for columns of `rows` elements, such that `parts` times as many tiles keep `threads` busy.
fn tile_len<T>(rows: usize, positions: usize, parts: usize, threads: usize) -> usize {
    let fits = (TILE_BYTES / size_of::<T>() / rows.max(1)).max(2 * COLUMNS);
    let tiles = positions.div_ceil(fits).max(threads.div_ceil(parts.max(1))).max(1);
    positions.div_ceil(tiles).next_multiple_of(COLUMNS)
}

/// Calls `body` with every index below `items`, whose work is `work` multiply-adds each, over the threads if there are
/// enough of them; else one after the other, and the matrix products inside use the threads.
fn for_each_item(items: usize, work: usize, body: &(dyn Fn(usize) + Sync)) {
    if items >= num_threads() {
        parallel_for(items, MIN_WORK.div_ceil(work.max(1)), &|range| range.for_each(body));
    } else {
        (0..items).for_each(body);
    }
}

/// How many samples share a column matrix: several where one has too few positions for a wide product, but not so many
/// that threads stay idle.
fn samples_per_tile(shape: &ConvShape, threads: usize) -> usize {
    const WIDE: usize = 256;
    let wide = WIDE / shape.output_len().max(1);
    wide.min(shape.batch * shape.groups / threads).clamp(1, shape.batch.max(1))
}

/// Copies a matrix of `rows × columns` between row strides.
unsafe fn copy_rows<T>(
    (source, source_stride): (*const T, usize),
    (target, target_stride): (*mut T, usize),
    (rows, columns): (usize, usize),
) {
    for row in 0..rows {
        // SAFETY: the caller passes two matrices that do not overlap.
        unsafe { source.add(row * source_stride).copy_to_nonoverlapping(target.add(row * target_stride), columns) }
    }
}

unsafe fn forward_columns<T: Float>(shape: &ConvShape, x: *const T, w: *const T, bias: Option<*const T>, out: *mut T) {
    let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
    let (rows, positions) = (inputs * shape.kernel_len(), shape.output_len());
    let parts = shape.batch * shape.groups;
    if parts * positions * outputs == 0 {
        return;
    }
    if let Some(depthwise) = Correlation::forward(shape) {
        // SAFETY: the caller's contract.
        return unsafe { depthwise.run(shape, x, w, false, bias, out) };
    }
    let most = samples_per_tile(shape, num_threads());
    let len = if most > 1 { positions } else { tile_len::<T>(rows, positions, parts, num_threads()) };
    let (tiles, chunks) = (positions.div_ceil(len), shape.batch.div_ceil(most));
    let pointers = Shared((x, w, bias, out));
    for_each_item(chunks * shape.groups * tiles, outputs * rows * len * most, &|item| {
        let (x, w, bias, out) = pointers.get();
        let (part, tile) = (item / tiles, item % tiles);
        let (sample, group) = (part / shape.groups * most, part % shape.groups);
        let samples = most.min(shape.batch - sample);
        let range = tile * len..((tile + 1) * len).min(positions);
        let columns = samples * range.len();
        let x_of = |s: usize| x.wrapping_add(((sample + s) * shape.in_channels + group * inputs) * shape.input_len());
        let out_of = |s: usize| {
            out.wrapping_add(((sample + s) * shape.out_channels + group * outputs) * positions + range.start)
        };
        let direct = shape.is_pointwise() && samples == 1;
        let (b_len, c_len) = (if direct { 0 } else { rows * columns }, if samples > 1 { outputs * columns } else { 0 });
        let scratch = Scratch::<T>::new(b_len + c_len);
        for s in 0..if direct { 0 } else { samples } {
            let tile = ColumnTile { shape, channels: inputs, positions: range.clone(), stride: columns };
            // SAFETY: the caller's contract; the work memory has room for the tiles of all samples, side by side.
            unsafe { gather(tile, x_of(s), scratch.ptr().add(s * range.len())) }
        }
        let (b, b_stride) =
            if direct { (x_of(0).wrapping_add(range.start), positions) } else { (scratch.ptr().cast_const(), columns) };
        let products = scratch.ptr().wrapping_add(b_len);
        let (c, c_stride) = if samples > 1 { (products, columns) } else { (out_of(0), positions) };
        let bias = bias.map(|bias| Bias { ptr: bias.wrapping_add(group * outputs), stride: 1, per_column: false });
        // SAFETY: the caller's contract; items write disjoint parts of the output.
        unsafe {
            gemm(Gemm {
                m: outputs,
                n: columns,
                k: rows,
                a: w.wrapping_add(group * outputs * rows),
                a_strides: (rows as isize, 1),
                b,
                b_strides: (b_stride as isize, 1),
                c,
                c_strides: (c_stride as isize, 1),
                alpha: T::ONE,
                beta: T::default(),
                epilogue: Epilogue { bias, relu: false },
            });
            for s in 0..if samples > 1 { samples } else { 0 } {
                let source = products.add(s * positions).cast_const();
                copy_rows((source, columns), (out_of(s), positions), (outputs, positions));
            }
        }
    });
}

unsafe fn input_grad_columns<T: Float>(shape: &ConvShape, gy: *const T, w: *const T, gx: *mut T) {
    let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
    let (kernel, positions, plane) = (shape.kernel_len(), shape.output_len(), shape.input_len());
    let parts = shape.batch * shape.groups;
    if parts * inputs * plane == 0 {
        return;
    }
    if let Some(depthwise) = Correlation::adjoint(shape) {
        // SAFETY: the caller's contract.
        return unsafe { depthwise.run(shape, gy, w, true, None, gx) };
    }
    // Tiles overlap in the input, so threads share samples and channels, not tiles.
    let together = if shape.is_pointwise() { 1 } else { samples_per_tile(shape, num_threads()) };
    let chunks = shape.batch.div_ceil(together);
    let shares = num_threads().div_ceil(chunks * shape.groups).min(inputs);
    let most = inputs.div_ceil(shares);
    let len = if together > 1 { positions.max(1) } else { tile_len::<T>(most * kernel, positions.max(1), 1, 1) };
    let pointers = Shared((gy, w, gx));
    for_each_item(chunks * shape.groups * shares, outputs * most * kernel * positions * together, &|item| {
        let (gy, w, gx) = pointers.get();
        let (part, share) = (item / shares, item % shares);
        let (sample, group) = (part / shape.groups * together, part % shape.groups);
        let samples = together.min(shape.batch - sample);
        let (first, last) = (share * inputs / shares, (share + 1) * inputs / shares);
        let (channels, rows) = (last - first, (last - first) * kernel);
        let gx_of = |s: usize| gx.wrapping_add(((sample + s) * shape.in_channels + group * inputs + first) * plane);
        let gy_of = |s: usize| gy.wrapping_add(((sample + s) * shape.out_channels + group * outputs) * positions);
        let product = Gemm {
            m: rows,
            n: positions,
            k: outputs,
            a: w.wrapping_add((group * outputs * inputs + first) * kernel),
            a_strides: (1, (inputs * kernel) as isize),
            b: gy_of(0),
            b_strides: (positions as isize, 1),
            c: gx_of(0),
            c_strides: (positions as isize, 1),
            alpha: T::ONE,
            beta: T::default(),
            epilogue: Epilogue::NONE,
        };
        // SAFETY: the caller's contract; items write disjoint channels; the work memory has room for a tile of all
        // samples, side by side, and for their gradients of the output where these are gathered.
        unsafe {
            if shape.is_pointwise() {
                return gemm(product);
            }
            let columns = samples * len.min(positions);
            let gathered = if samples > 1 { outputs * columns } else { 0 };
            let scratch = Scratch::<T>::new(rows * columns + gathered);
            let gradients = scratch.ptr().add(rows * columns);
            for s in 0..samples {
                gx_of(s).write_bytes(0, channels * plane);
                if samples > 1 {
                    let target = gradients.add(s * positions);
                    copy_rows((gy_of(s), positions), (target, columns), (outputs, positions));
                }
            }
            for start in (0..positions).step_by(len) {
                let range = start..(start + len).min(positions);
                let n = samples * range.len();
                let (b, b_stride) =
                    if samples > 1 { (gradients.cast_const(), n) } else { (gy_of(0).add(start), positions) };
                let (c, c_strides) = (scratch.ptr(), (n as isize, 1));
                gemm(Gemm { n, b, b_strides: (b_stride as isize, 1), c, c_strides, ..product });
                for s in 0..samples {
                    let tile = ColumnTile { shape, channels, positions: range.clone(), stride: n };
                    scatter(tile, scratch.ptr().add(s * range.len()), gx_of(s));
                }
            }
        }
    });
}

unsafe fn weight_grad_columns<T: Float>(shape: &ConvShape, x: *const T, gy: *const T, gw: *mut T) {
    let inputs = shape.group_inputs();
    let (kernel, positions) = (shape.kernel_len(), shape.output_len());
    let weights = shape.out_channels * inputs * kernel;
    if weights == 0 {
        return;
    }
    if let Some(depthwise) = Correlation::forward(shape) {
        // SAFETY: the caller's contract.
        return unsafe { depthwise.weight_grad(shape, x, gy, gw) };
    }
    // Threads share the input channels where these are many enough for wide products, and the samples' tiles else; each
    // share of the tiles has its own sums, added up in order below. The shares follow from the shape alone, so that the
    // sums do not depend on the number of threads.
    let work = weights * positions * shape.batch;
    let shares = (work / MIN_WORK).clamp(1, MAX_SHARES);
    let channel_shares = (inputs * kernel / 128).clamp(1, shares.min(inputs));
    let most = inputs.div_ceil(channel_shares);
    let wanted = shares / channel_shares;
    let len = tile_len::<T>(most * kernel, positions.max(1), shape.batch, wanted);
    let tiles = shape.batch * positions.div_ceil(len);
    let tile_shares = wanted.clamp(1, tiles.max(1));
    let scratch = Scratch::<T>::new((tile_shares - 1) * weights);
    let (pointers, sums) = (Shared((x, gy, gw)), Shared(scratch.ptr()));
    parallel_for(channel_shares * tile_shares, 1, &|range| {
        for item in range {
            let (x, gy, gw) = pointers.get();
            let (channel_share, tile_share) = (item / tile_shares, item % tile_shares);
            let first = channel_share * inputs / channel_shares;
            let channels = (channel_share + 1) * inputs / channel_shares - first;
            let target = match tile_share {
                0 => gw,
                share => sums.get().wrapping_add((share - 1) * weights),
            };
            let tiles = tile_share * tiles / tile_shares..(tile_share + 1) * tiles / tile_shares;
            let share = WeightShare { shape, first, channels, len, x, gy, target };
            // SAFETY: the caller's contract; items write disjoint columns of the weights or other sums.
            unsafe { share.add_up(tiles) }
        }
    });
    for share in 0..tile_shares - 1 {
        for i in 0..weights {
            // SAFETY: the gradient and every share of the sums have `weights` elements.
            unsafe { *gw.add(i) += *scratch.ptr().add(share * weights + i) }
        }
    }
}

/// The part of a weight gradient that comes from some tiles, for some input channels of each group.
struct WeightShare<'a, T> {
    shape: &'a ConvShape,
    first: usize,
    channels: usize,
    len: usize,
    x: *const T,
    gy: *const T,
    target: *mut T,
}

impl<T: Float> WeightShare<'_, T> {
    /// Sets the target to the sum over `tiles`, which count through the samples' tiles.
    unsafe fn add_up(&self, tiles: std::ops::Range<usize>) {
        let shape = self.shape;
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let (kernel, positions) = (shape.kernel_len(), shape.output_len());
        let columns = self.channels * kernel;
        let per_sample = positions.div_ceil(self.len).max(1);
        let room = if shape.is_pointwise() { 0 } else { columns * self.len.min(positions) };
        let scratch = Scratch::<T>::new(room);
        for group in 0..shape.groups {
            let c = self.target.wrapping_add((group * outputs * inputs + self.first) * kernel);
            let mut product = Gemm {
                m: outputs,
                n: columns,
                k: 0,
                a: self.gy,
                a_strides: (positions as isize, 1),
                b: scratch.ptr().cast_const(),
                b_strides: (1, 0),
                c,
                c_strides: ((inputs * kernel) as isize, 1),
                alpha: T::ONE,
                beta: T::default(),
                epilogue: Epilogue::NONE,
            };
            if tiles.is_empty() {
                // SAFETY: a product over nothing sets the target to zero.
                unsafe { gemm(product) }
            }
            for tile in tiles.clone() {
                let (sample, start) = (tile / per_sample, tile % per_sample * self.len);
                let range = start..(start + self.len).min(positions);
                let channel = sample * shape.in_channels + group * inputs + self.first;
                let x = self.x.wrapping_add(channel * shape.input_len());
                product.k = range.len();
                product.a = self.gy.wrapping_add((sample * shape.out_channels + group * outputs) * positions + start);
                if shape.is_pointwise() {
                    (product.b, product.b_strides) = (x.wrapping_add(start), (1, positions as isize));
                } else {
                    product.b_strides = (1, range.len() as isize);
                    // SAFETY: the caller's contract; the work memory has room for the tile.
                    unsafe {
                        gather(
                            ColumnTile { shape, channels: self.channels, stride: range.len(), positions: range },
                            x,
                            scratch.ptr(),
                        )
                    }
                }
                // SAFETY: the caller's contract.
                unsafe { gemm(product) }
                product.beta = T::ONE;
            }
        }
    }
}
