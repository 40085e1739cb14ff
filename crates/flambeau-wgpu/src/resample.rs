//! Resizing of planes, nearest and linear, and the gradients.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use crate::pool::plane_params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::ResampleMode;
use flambeau_tensor::calls::{Resample, ResampleBackward};
use flambeau_tensor::{Array, DType, Error, Result};

/// Threads per workgroup.
const THREADS: usize = 64;

/// How the kernel finds positions along a dimension: the mode's number and source pixels per output pixel, as two words.
fn axis(mode: ResampleMode, scale: f64, input: usize, output: usize, dtype: DType) -> (usize, u64) {
    // Dimensions that are not resized are copied, whatever the mode.
    let mode = if input == output && scale == 1.0 { ResampleMode::Nearest } else { mode };
    let ratio = if scale > 0.0 { 1.0 / scale } else { input as f64 / output as f64 };
    let (number, step) = match mode {
        ResampleMode::Nearest => (0, ratio),
        ResampleMode::NearestExact => (3, ratio),
        ResampleMode::Linear { align_corners: false } => (1, ratio),
        ResampleMode::Linear { align_corners: true } if output > 1 => (2, (input as f64 - 1.0) / (output as f64 - 1.0)),
        ResampleMode::Linear { align_corners: true } => (2, 0.0),
    };
    // PyTorch computes positions in the type that it interpolates in, and nearest ones in f32 whatever the type.
    let bits = match (dtype, number) {
        (DType::F64, 1 | 2) => step.to_bits(),
        _ => (step as f32).to_bits().into(),
    };
    (number, bits)
}

fn run(mode: ResampleMode, scales: [f64; 3], backward: bool, src: &Array, out: &Array) -> Result<()> {
    let dtype = src.dtype();
    if !dtype.is_floating_point() {
        let op = match mode {
            ResampleMode::Nearest | ResampleMode::NearestExact => "upsample_nearest2d",
            ResampleMode::Linear { .. } => "upsample_bilinear2d",
        };
        return Err(Error::NotImplementedFor { op, dtype });
    }
    let n = out.numel();
    if n == 0 {
        return Ok(());
    }
    let (input, output) = if backward { (out, src) } else { (src, out) };
    let axes: [_; 3] =
        std::array::from_fn(|d| axis(mode, scales[d], input.shape()[d + 1], output.shape()[d + 1], dtype));
    let [z, y, x] = axes.map(|(_, step)| step);
    let params = |p: &mut Params| {
        plane_params(p.with([("n", n)]), input, output);
        p.with([("mode", axes.map(|(number, _)| number))]);
        p.with([("step_z", z), ("step_y", y), ("step_x", x)]).offsets([("x", src), ("y", out)]);
    };
    let kernel = Kernel::new("resample", dtype).with("BACKWARD", backward);
    Gpu::of(out)?.dispatch(&kernel, &[Arg::In(src), Arg::Out(out)], &params, n.div_ceil(THREADS) as u64)?;
    Ok(())
}

/// [`flambeau_tensor::Backend::resample`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn resample(call: &Resample<'_>) -> Result<()> {
    let Resample { mode, scales, src, out } = *call;
    run(mode, scales, false, src, out)
}

/// [`flambeau_tensor::Backend::resample_backward`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn resample_backward(call: &ResampleBackward<'_>) -> Result<()> {
    let ResampleBackward { mode, scales, grad, out } = *call;
    run(mode, scales, true, grad, out)
}
