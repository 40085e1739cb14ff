//! Resizing of planes: nearest neighbour and linear interpolation over one to three spatial dimensions.
//!
//! Both are sums over few source pixels per output pixel, and separable: each dimension has its own table of taps.

use crate::pointwise::tile::RawArray;
use crate::pool::FloatElement;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ResampleMode;
use flambeau_tensor::calls::{Resample, ResampleBackward};
use flambeau_tensor::{Array, DType, Error, Result};
use half::{bf16, f16};

/// Output pixels per thread at least.
const GRAIN: usize = 8 << 10;

/// The source pixels of one output position along one dimension, and their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Taps {
    index: [usize; 2],
    weight: [f64; 2],
}

/// PyTorch's source positions. `scale` is what the caller asked for, output over input; it may differ from the ratio of the
/// lengths.
fn taps(mode: ResampleMode, scale: f64, input: usize, output: usize, single: bool) -> Vec<Taps> {
    // PyTorch computes positions in the type that it interpolates in.
    let round = |x: f64| if single { f64::from(x as f32) } else { x };
    let step = match mode {
        ResampleMode::Linear { align_corners: true } if output > 1 => {
            round((input as f64 - 1.0) / (output as f64 - 1.0))
        }
        ResampleMode::Linear { align_corners: true } => 0.0,
        _ if scale > 0.0 => round(1.0 / scale),
        _ => round(input as f64 / output as f64),
    };
    let last = input - 1;
    let tap = |i: usize| {
        let i = i as f64;
        let position = match mode {
            ResampleMode::Nearest | ResampleMode::NearestExact => {
                // Nearest positions are computed in f32 whatever the type.
                let centre = if mode == ResampleMode::Nearest { 0.0 } else { 0.5 };
                let nearest = ((i as f32 + centre) * (step as f32)).floor() as usize;
                return Taps { index: [nearest.min(last); 2], weight: [1.0, 0.0] };
            }
            ResampleMode::Linear { align_corners: true } => round(step * i),
            ResampleMode::Linear { align_corners: false } => round(round(step * round(i + 0.5)) - 0.5).max(0.0),
        };
        let low = (position as usize).min(last);
        let weight = round(position - low as f64).clamp(0.0, 1.0);
        Taps { index: [low, (low + 1).min(last)], weight: [round(1.0 - weight), weight] }
    };
    (0..output).map(tap).collect()
}

/// The tables of all three dimensions; `scales` as in [`flambeau_tensor::Backend::resample`].
fn tables(mode: ResampleMode, scales: [f64; 3], input: [usize; 3], output: [usize; 3], dtype: DType) -> [Vec<Taps>; 3] {
    let single = dtype != DType::F64;
    std::array::from_fn(|d| {
        // Dimensions that are not resized are copied, whatever the mode.
        let mode = if input[d] == output[d] && scales[d] == 1.0 { ResampleMode::Nearest } else { mode };
        taps(mode, scales[d], input[d], output[d], single)
    })
}

fn sizes(a: &Array) -> [usize; 3] {
    std::array::from_fn(|d| a.shape()[d + 1])
}

/// [`flambeau_tensor::Backend::resample`] on this device.
pub fn resample(call: &Resample<'_>) -> Result<()> {
    let Resample { mode, scales, src, out } = *call;
    match src.dtype() {
        DType::F32 => forward::<f32>(mode, scales, src, out),
        DType::F64 => forward::<f64>(mode, scales, src, out),
        DType::F16 => forward::<f16>(mode, scales, src, out),
        DType::BF16 => forward::<bf16>(mode, scales, src, out),
        dtype => Err(unsupported(mode, dtype)),
    }
}

/// [`flambeau_tensor::Backend::resample_backward`] on this device.
pub fn resample_backward(call: &ResampleBackward<'_>) -> Result<()> {
    let ResampleBackward { mode, scales, grad, out } = *call;
    match grad.dtype() {
        DType::F32 => backward::<f32>(mode, scales, grad, out),
        DType::F64 => backward::<f64>(mode, scales, grad, out),
        DType::F16 => backward::<f16>(mode, scales, grad, out),
        DType::BF16 => backward::<bf16>(mode, scales, grad, out),
        dtype => Err(unsupported(mode, dtype)),
    }
}

fn unsupported(mode: ResampleMode, dtype: DType) -> Error {
    let op = match mode {
        ResampleMode::Nearest | ResampleMode::NearestExact => "upsample_nearest2d",
        ResampleMode::Linear { .. } => "upsample_bilinear2d",
    };
    Error::NotImplementedFor { op, dtype }
}

/// Calls `f(source index, weight)` for the source pixels of output pixel (z, y, x) whose weight is not zero.
#[inline(always)]
fn for_each_tap(tables: &[Vec<Taps>; 3], input: [usize; 3], at: [usize; 3], mut f: impl FnMut(usize, f64)) {
    let [z, y, x] = [tables[0][at[0]], tables[1][at[1]], tables[2][at[2]]];
    for i in 0..2 {
        for j in 0..2 {
            for k in 0..2 {
                let weight = z.weight[i] * y.weight[j] * x.weight[k];
                if weight != 0.0 {
                    f((z.index[i] * input[1] + y.index[j]) * input[2] + x.index[k], weight);
                }
            }
        }
    }
}

fn forward<T: FloatElement>(mode: ResampleMode, scales: [f64; 3], src: &Array, out: &Array) -> Result<()>
where
    T::Sum: Weighted,
{
    let (input, output) = (sizes(src), sizes(out));
    let tables = tables(mode, scales, input, output, src.dtype());
    let (inputs, outputs) = (input.iter().product::<usize>(), output.iter().product::<usize>());
    let _access = Access::acquire(&[src], &[out])?;
    let (from, to) = (RawArray::of(src), RawArray::of(out));
    parallel_for(src.shape()[0], GRAIN.div_ceil(outputs.max(1)), &|planes| {
        for plane in planes {
            // SAFETY: the access is held, both arrays are dense, and each plane of the output belongs to one thread.
            let (x, y) = unsafe {
                let x = std::slice::from_raw_parts(from.at(plane * inputs).cast::<T>(), inputs);
                (x, std::slice::from_raw_parts_mut(to.at(plane * outputs).cast::<T>(), outputs))
            };
            for (i, y) in y.iter_mut().enumerate() {
                let at = [i / (output[1] * output[2]), i / output[2] % output[1], i % output[2]];
                let mut sum = T::Sum::default();
                for_each_tap(&tables, input, at, |k, weight| sum += x[k].widen().times(weight));
                *y = T::round(sum);
            }
        }
    });
    Ok(())
}

fn backward<T: FloatElement>(mode: ResampleMode, scales: [f64; 3], grad: &Array, out: &Array) -> Result<()>
where
    T::Sum: Weighted,
{
    let (input, output) = (sizes(out), sizes(grad));
    let tables = tables(mode, scales, input, output, grad.dtype());
    let (inputs, outputs) = (input.iter().product::<usize>(), output.iter().product::<usize>());
    let _access = Access::acquire(&[grad], &[out])?;
    let (from, to) = (RawArray::of(grad), RawArray::of(out));
    parallel_for(grad.shape()[0], GRAIN.div_ceil(outputs.max(1)), &|planes| {
        let mut sums = vec![T::Sum::default(); inputs];
        for plane in planes {
            // SAFETY: as in `forward`.
            let (g, y) = unsafe {
                let g = std::slice::from_raw_parts(from.at(plane * outputs).cast::<T>(), outputs);
                (g, std::slice::from_raw_parts_mut(to.at(plane * inputs).cast::<T>(), inputs))
            };
            sums.fill(T::Sum::default());
            for (i, &g) in g.iter().enumerate() {
                let at = [i / (output[1] * output[2]), i / output[2] % output[1], i % output[2]];
                for_each_tap(&tables, input, at, |k, weight| sums[k] += g.widen().times(weight));
            }
            for (y, &sum) in y.iter_mut().zip(&sums) {
                *y = T::round(sum);
            }
        }
    });
    Ok(())
}

/// A sum's type times a weight.
trait Weighted {
    fn times(self, weight: f64) -> Self;
}
impl Weighted for f32 {
    #[inline(always)]
    fn times(self, weight: f64) -> f32 {
        self * weight as f32
    }
}
impl Weighted for f64 {
    #[inline(always)]
    fn times(self, weight: f64) -> f64 {
        self * weight
    }
}
