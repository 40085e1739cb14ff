//! The negative log-likelihood of classes, and its gradient.

use crate::gpu::{Arg, Gpu};
use crate::lines::Lines;
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::LossReduction;
use flambeau_tensor::calls::{Nll, NllBackward};
use flambeau_tensor::{Array, Finding, Result};

/// Threads of a workgroup.
const THREADS: usize = 256;
/// Lines that a workgroup sums up.
const LINES: usize = 2048;
/// The most workgroups that lines are spread over.
const GROUPS: usize = 256;

/// [`flambeau_tensor::Backend::nll`] on this device. A class that is none is reported at the next readback and counts for nothing.
pub fn nll(call: &Nll<'_>) -> Result<(Array, Option<Array>)> {
    let Nll { x, dim, targets } = *call;
    let gpu = Gpu::of(x)?;
    let x = x.contiguous()?;
    let lines = Lines::new(&x, dim);
    let classes = targets.classes.contiguous()?;
    let weight = targets.weight.map(Array::contiguous).transpose()?;
    let array = |shape: &[usize], dtype| Array::empty(x.backend(), x.device(), shape, dtype);
    let summed = targets.reduction != LossReduction::None;
    let groups = match summed {
        true => lines.count.div_ceil(LINES).clamp(1, GROUPS),
        false => lines.count.div_ceil(THREADS),
    };
    let last = groups == 1 || !summed;
    let dtype = if last { x.dtype() } else { x.dtype().compute() };
    let losses = match (summed, last) {
        (false, _) => array(classes.shape(), dtype)?,
        (true, true) => array(&[], dtype)?,
        (true, false) => array(&[groups], dtype)?,
    };
    let weights = array(if last { &[] } else { losses.shape() }, dtype)?;
    let mean = targets.reduction == LossReduction::Mean;
    let kernel = Kernel::new("nll", x.dtype())
        .with_type("S", dtype)
        .with("WEIGHTED", weight.is_some())
        .with("SUMMED", summed)
        .with("LAST", last)
        .with("MEAN", mean);
    // Without weights the kernel reads none; the binding needs some buffer.
    let w = weight.as_ref().unwrap_or(&x);
    let args = [Arg::In(&x), Arg::In(&classes), Arg::In(w), Arg::Out(&losses), Arg::Out(&weights), Arg::Status];
    let params = |p: &mut Params| {
        p.with([("lines", lines.count), ("classes", lines.n), ("inner", lines.inner)]);
        p.with([("ignore", targets.ignore_index as u64)]).with([("groups", groups)]);
        p.offsets([("x", &x), ("targets", &classes), ("weight", w)]).with([("code", Finding::Target.code())]);
    };
    gpu.dispatch(&kernel, &args, &params, groups as u64)?;
    if last {
        return Ok((losses, mean.then_some(weights)));
    }
    let (loss, total) = (array(&[], x.dtype())?, array(&[], x.dtype())?);
    let kernel = Kernel::new("nll_finish", x.dtype()).with_type("S", dtype).with("MEAN", mean);
    let args = [Arg::In(&losses), Arg::In(&weights), Arg::Out(&loss), Arg::Out(&total)];
    let params = |p: &mut Params| {
        p.with([("parts", groups)]);
    };
    gpu.dispatch(&kernel, &args, &params, 1)?;
    Ok((loss, mean.then_some(total)))
}

/// [`flambeau_tensor::Backend::nll_backward`] on this device.
pub fn nll_backward(call: &NllBackward<'_>) -> Result<Array> {
    let NllBackward { grad, shape, log_probabilities, dim, targets, total } = *call;
    let out = Array::empty(grad.backend(), grad.device(), shape, grad.dtype())?;
    let lines = Lines::new(&out, dim);
    let classes = targets.classes.contiguous()?;
    let weight = targets.weight.map(Array::contiguous).transpose()?;
    let x = log_probabilities.map(Array::contiguous).transpose()?;
    // A sum's gradient is one number.
    let single = grad.numel() == 1 || grad.strides().iter().all(|&s| s == 0);
    let grad = if single { grad.clone() } else { grad.contiguous()? };
    let kernel = Kernel::new("nll_backward", grad.dtype())
        .with("WEIGHTED", weight.is_some())
        .with("MEAN", total.is_some())
        .with("LOGITS", x.is_some());
    // What the kernel's settings leave out is not read; the binding needs some buffer.
    let or_grad = |array: Option<&Array>| array.unwrap_or(&grad).clone();
    let (w, t, lp) = (or_grad(weight.as_ref()), or_grad(total), or_grad(x.as_ref()));
    let args = [Arg::In(&grad), Arg::In(&classes), Arg::In(&w), Arg::In(&t), Arg::In(&lp), Arg::Out(&out)];
    let params = |p: &mut Params| {
        p.with([("count", out.numel()), ("classes", lines.n), ("inner", lines.inner)]);
        p.with([("ignore", targets.ignore_index as u64)]);
        p.offsets([("grad", &grad)]).with([("grad_step", u32::from(!single))]);
        p.offsets([("targets", &classes), ("weight", &w), ("total", &t), ("x", &lp)]);
    };
    Gpu::of(&out)?.dispatch(&kernel, &args, &params, out.numel().div_ceil(THREADS) as u64)?;
    Ok(out)
}
