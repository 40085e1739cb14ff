//! Max and average pooling, plain and adaptive, and the gradients.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::{AvgPoolDivisor, PoolGeometry};
use flambeau_tensor::calls::{
    AdaptiveAvgPool, AdaptiveAvgPoolBackward, AvgPool, AvgPoolBackward, MaxPool, MaxPoolBackward,
};
use flambeau_tensor::{Array, DType, Error, Finding, Result};

/// Threads per workgroup.
const THREADS: usize = 64;
/// More than any length, and small enough to add to one.
const LARGE: usize = 1 << 30;

/// The parameters of planes `[planes, d, h, w]` before and after.
pub(crate) fn plane_params<'p>(p: &'p mut Params, input: &Array, output: &Array) -> &'p mut Params {
    let lengths = |a: &Array| -> [usize; 3] { std::array::from_fn(|d| a.shape()[d + 1]) };
    p.with([("in", lengths(input)), ("out", lengths(output))])
}

fn groups(n: usize) -> u64 {
    n.div_ceil(THREADS) as u64
}

/// Sizes as 32 bits hold them: more than any plane's length is as much as they need to say.
fn bounded(sizes: [usize; 3]) -> [usize; 3] {
    sizes.map(|n| n.min(LARGE))
}

fn check_float(op: &'static str, dtype: DType) -> Result<()> {
    match dtype.is_floating_point() {
        true => Ok(()),
        false => Err(Error::NotImplementedFor { op, dtype }),
    }
}

/// The least value of a dtype, as kernels compute with it.
fn least(dtype: DType) -> Result<u64> {
    Ok(match dtype {
        DType::F16 | DType::BF16 | DType::F32 => f32::NEG_INFINITY.to_bits().into(),
        DType::F64 => f64::NEG_INFINITY.to_bits(),
        DType::I64 => i64::MIN as u64,
        DType::I32 => i32::MIN as u64,
        DType::I16 => i16::MIN as u64,
        DType::I8 => i8::MIN as u64,
        DType::U8 => 0,
        DType::Bool => return Err(Error::NotImplementedFor { op: "max_pool2d", dtype }),
    })
}

/// [`flambeau_tensor::Backend::max_pool`] on this device.
///
/// # Errors
/// For bool.
pub fn max_pool(call: &MaxPool<'_>) -> Result<()> {
    let MaxPool { src, geometry: g, out, indices } = *call;
    let least = least(src.dtype())?;
    let n = out.numel();
    if n == 0 {
        return Ok(());
    }
    let span = std::array::from_fn(|d| g.kernel[d].saturating_mul(g.dilation[d]));
    let params = |p: &mut Params| {
        plane_params(p.with([("n", n)]), src, out);
        p.with([("stride", bounded(g.stride)), ("padding", bounded(g.padding))]);
        p.with([("span", bounded(span)), ("dilation", bounded(g.dilation))]).with([("least", least)]);
        p.offsets([("x", src), ("y", out), ("indices", indices)]);
    };
    let args = [Arg::In(src), Arg::Out(out), Arg::Out(indices)];
    Gpu::of(out)?.dispatch(&Kernel::new("pool/max", src.dtype()), &args, &params, groups(n))?;
    Ok(())
}

/// [`flambeau_tensor::Backend::max_pool_backward`] on this device. An index outside its plane shows at the next readback.
///
/// # Errors
/// Where the dtype is no float.
pub fn max_pool_backward(call: &MaxPoolBackward<'_>) -> Result<()> {
    let MaxPoolBackward { grad, indices, windows: g, out } = *call;
    check_float("max_pool2d_backward", grad.dtype())?;
    let n = out.numel().max(grad.numel());
    if n == 0 {
        return Ok(());
    }
    // Without windows, each element looks at every index of its plane: a window that reaches over all.
    let (span, stride, padding) = g.map_or(([2 * LARGE; 3], [1; 3], [LARGE; 3]), |g| {
        let span = std::array::from_fn(|d| (g.kernel[d] - 1).saturating_mul(g.dilation[d]).saturating_add(1));
        (bounded(span), bounded(g.stride), bounded(g.padding))
    });
    let params = |p: &mut Params| {
        plane_params(p.with([("n", out.numel()), ("outputs", grad.numel())]), out, grad);
        p.with([("stride", stride), ("padding", padding), ("span", span)]);
        p.offsets([("gradient", grad), ("indices", indices), ("out", out)]);
        p.with([("code", Finding::Place.code())]);
    };
    let args = [Arg::In(grad), Arg::In(indices), Arg::Out(out), Arg::Status];
    Gpu::of(out)?.dispatch(&Kernel::new("pool/max_backward", grad.dtype()), &args, &params, groups(n))?;
    Ok(())
}

/// Averages `src` over windows of `larger` that `smaller` counts, or spreads gradients from `smaller` to `larger`.
fn average(
    op: &'static str,
    backward: bool,
    windows: Option<(&PoolGeometry, AvgPoolDivisor)>,
    src: &Array,
    out: &Array,
) -> Result<()> {
    check_float(op, src.dtype())?;
    let n = out.numel();
    if n == 0 {
        return Ok(());
    }
    let (larger, smaller) = if backward { (out, src) } else { (src, out) };
    let divisor = windows.and_then(|(_, divisor)| divisor.divisor_override);
    let kernel = Kernel::new("pool/average", src.dtype())
        .with("ADAPTIVE", windows.is_none())
        .with("BACKWARD", backward)
        .with("COUNT_PAD", windows.is_some_and(|(_, divisor)| divisor.count_include_pad))
        .with("FIXED", divisor.is_some());
    let fixed = divisor.unwrap_or(1) as f64;
    let bits = match src.dtype() {
        DType::F64 => fixed.to_bits(),
        _ => u64::from((fixed as f32).to_bits()),
    };
    let (sizes, stride, padding) =
        windows.map_or(([1; 3], [1; 3], [0; 3]), |(g, _)| (bounded(g.kernel), bounded(g.stride), bounded(g.padding)));
    let params = |p: &mut Params| {
        plane_params(p.with([("n", n)]), larger, smaller);
        p.with([("stride", stride), ("padding", padding), ("kernel", sizes)]);
        p.with([("divisor", bits)]).offsets([("x", src), ("y", out)]);
    };
    Gpu::of(out)?.dispatch(&kernel, &[Arg::In(src), Arg::Out(out)], &params, groups(n))?;
    Ok(())
}

/// [`flambeau_tensor::Backend::avg_pool`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn avg_pool(call: &AvgPool<'_>) -> Result<()> {
    let AvgPool { src, geometry: g, divisor, out } = *call;
    average("avg_pool2d", false, Some((g, divisor)), src, out)
}

/// [`flambeau_tensor::Backend::avg_pool_backward`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn avg_pool_backward(call: &AvgPoolBackward<'_>) -> Result<()> {
    let AvgPoolBackward { grad, geometry: g, divisor, out } = *call;
    average("avg_pool2d_backward", true, Some((g, divisor)), grad, out)
}

/// [`flambeau_tensor::Backend::adaptive_avg_pool`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn adaptive_avg_pool(call: &AdaptiveAvgPool<'_>) -> Result<()> {
    let AdaptiveAvgPool { src, out } = *call;
    average("adaptive_avg_pool2d", false, None, src, out)
}

/// [`flambeau_tensor::Backend::adaptive_avg_pool_backward`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn adaptive_avg_pool_backward(call: &AdaptiveAvgPoolBackward<'_>) -> Result<()> {
    let AdaptiveAvgPoolBackward { grad, out } = *call;
    average("adaptive_avg_pool2d_backward", true, None, grad, out)
}
