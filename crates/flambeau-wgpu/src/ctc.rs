//! Connectionist temporal classification: a workgroup for each sample runs over the time steps.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::calls::{Ctc, CtcBackward, CtcTargets};
use flambeau_tensor::{Array, Finding, Result};

/// Threads of a workgroup.
const THREADS: usize = 64;

/// Each sample's number of steps, and its labels' beginning and number, on the device.
fn samples(x: &Array, targets: &CtcTargets<'_>) -> Result<Array> {
    let words: Vec<i32> = targets.samples.iter().flat_map(|s| [s.steps, s.start, s.labels].map(|n| n as i32)).collect();
    Array::from_slice(x.backend(), x.device(), &words, &[words.len()])
}

/// The labels; the binding needs some buffer where there are none.
fn labels<'a>(targets: &CtcTargets<'a>, other: &'a Array) -> &'a Array {
    if targets.labels.numel() > 0 { targets.labels } else { other }
}

/// What all kernels are told.
fn common(p: &mut Params, x: &Array, targets: &CtcTargets<'_>) {
    let (steps, batch, classes) = (x.shape()[0], x.shape()[1], x.shape()[2]);
    p.with([("steps", steps), ("batch", batch), ("classes", classes), ("states", targets.states())]);
    p.with([("blank", targets.blank)]).offsets([("x", x), ("labels", targets.labels)]);
}

/// [`flambeau_tensor::Backend::ctc`] on this device. A label that is no class is reported at the next readback and counts as a blank.
pub(crate) fn ctc(call: &Ctc<'_>) -> Result<(Array, Array)> {
    let Ctc { log_probs: x, targets } = call;
    let (steps, batch) = (x.shape()[0], x.shape()[1]);
    let samples = samples(x, targets)?;
    let array = |shape: &[usize]| Array::empty(x.backend(), x.device(), shape, x.dtype());
    let (losses, alpha) = (array(&[batch])?, array(&[batch, steps, targets.states()])?);
    let kernel = Kernel::new("ctc/alpha", x.dtype());
    let args =
        [Arg::In(x), Arg::In(labels(targets, x)), Arg::In(&samples), Arg::Out(&alpha), Arg::Out(&losses), Arg::Status];
    let params = |p: &mut Params| {
        common(p, x, targets);
        p.offsets([("samples", &samples), ("alpha", &alpha), ("losses", &losses)]);
        p.with([("code", Finding::Target.code())]);
    };
    Gpu::of(x)?.dispatch(&kernel, &args, &params, batch as u64)?;
    Ok((losses, alpha))
}

/// [`flambeau_tensor::Backend::ctc_backward`] on this device.
pub(crate) fn ctc_backward(call: &CtcBackward<'_>) -> Result<Array> {
    let CtcBackward { grad, log_probs: x, targets, losses, alpha, zero_infinity } = call;
    let (steps, batch) = (x.shape()[0], x.shape()[1]);
    let (gpu, samples) = (Gpu::of(x)?, samples(x, targets)?);
    let beta = Array::empty(x.backend(), x.device(), alpha.shape(), x.dtype())?;
    let args = [Arg::In(x), Arg::In(labels(targets, x)), Arg::In(&samples), Arg::Out(&beta)];
    let params = |p: &mut Params| {
        common(p, x, targets);
        p.offsets([("samples", &samples), ("beta", &beta)]);
    };
    gpu.dispatch(&Kernel::new("ctc/beta", x.dtype()), &args, &params, batch as u64)?;
    let out = Array::empty(x.backend(), x.device(), x.shape(), x.dtype())?;
    let args = [
        Arg::In(x),
        Arg::In(labels(targets, x)),
        Arg::In(&samples),
        Arg::In(grad),
        Arg::In(losses),
        Arg::In(alpha),
        Arg::In(&beta),
        Arg::Out(&out),
    ];
    let params = |p: &mut Params| {
        common(p, x, targets);
        p.offsets([("samples", &samples), ("grad", *grad), ("losses", *losses)]);
        p.offsets([("alpha", *alpha), ("beta", &beta), ("out", &out)]);
    };
    let kernel = Kernel::new("ctc/gradient", x.dtype()).with("ZERO_INFINITY", *zero_infinity);
    gpu.dispatch(&kernel, &args, &params, (steps * batch).div_ceil(THREADS) as u64)?;
    Ok(out)
}
