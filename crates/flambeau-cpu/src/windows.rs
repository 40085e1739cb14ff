//! Convolutions and poolings: checks and pointers for [`crate::conv`] and [`crate::pool`].

use crate::conv::{self, ConvElement, ConvShape};
use crate::pool::{self, AverageOptions, FloatElement, MaxElement, PoolShape};
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::{AvgPoolDivisor, ConvGeometry, PoolGeometry};
use flambeau_tensor::calls::{
    AdaptiveAvgPool, AdaptiveAvgPoolBackward, AvgPool, AvgPoolBackward, Conv, ConvInputGrad, ConvWeightGrad, MaxPool,
    MaxPoolBackward,
};
use flambeau_tensor::{Array, DType, Error, Result};
use half::{bf16, f16};
use smallvec::SmallVec;

/// Spatial lengths of `[n, c, …]`, leading ones filled in.
fn spatial(a: &Array) -> [usize; 3] {
    let lengths = &a.shape()[2..];
    std::array::from_fn(|d| (d + lengths.len()).checked_sub(3).map_or(1, |i| lengths[i]))
}

fn conv_shape(x: &[usize], input: [usize; 3], weight: &Array, g: &ConvGeometry) -> ConvShape {
    ConvShape {
        batch: x[0],
        in_channels: x[1],
        out_channels: weight.shape()[0],
        groups: g.groups,
        input,
        kernel: spatial(weight),
        stride: g.stride,
        padding: g.padding,
        dilation: g.dilation,
    }
}

fn ptr<T>(a: &Array) -> *mut T {
    a.host_ptr().cast()
}

/// Runs `$call` with `$t` the element type of a float dtype.
macro_rules! with_float {
    ($dtype:expr, $op:expr, $t:ident => $call:expr) => {
        match $dtype {
            DType::F32 => {
                type $t = f32;
                $call
            }
            DType::F64 => {
                type $t = f64;
                $call
            }
            DType::F16 => {
                type $t = f16;
                $call
            }
            DType::BF16 => {
                type $t = bf16;
                $call
            }
            dtype => Err(Error::NotImplementedFor { op: $op, dtype }),
        }
    };
}

/// [`flambeau_tensor::Backend::conv`] on this device.
pub fn conv(call: &Conv<'_>) -> Result<()> {
    let Conv { x, weight, bias, geometry: g, out } = *call;
    fn run<T: ConvElement>(s: &ConvShape, x: &Array, w: &Array, bias: Option<&Array>, out: &Array) -> Result<()> {
        let mut reads: SmallVec<[&Array; 3]> = SmallVec::from_slice(&[x, w]);
        reads.extend(bias);
        let _access = Access::acquire(&reads, &[out])?;
        // SAFETY: the access is held, and the dense arrays have the shapes that `s` was made from.
        unsafe { conv::forward::<T>(s, ptr(x), ptr(w), bias.map(|b| ptr::<T>(b).cast_const()), ptr(out)) };
        Ok(())
    }
    let shape = conv_shape(x.shape(), spatial(x), weight, g);
    with_float!(x.dtype(), "slow_conv2d_cpu", T => run::<T>(&shape, x, weight, bias, out))
}

/// [`flambeau_tensor::Backend::conv_input_grad`] on this device.
pub fn conv_input_grad(call: &ConvInputGrad<'_>) -> Result<()> {
    let ConvInputGrad { grad, weight, geometry: g, out } = *call;
    fn run<T: ConvElement>(s: &ConvShape, grad: &Array, weight: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[grad, weight], &[out])?;
        // SAFETY: as in `conv`.
        unsafe { conv::input_grad::<T>(s, ptr(grad), ptr(weight), ptr(out)) };
        Ok(())
    }
    let shape = conv_shape(out.shape(), spatial(out), weight, g);
    with_float!(grad.dtype(), "slow_conv2d_cpu", T => run::<T>(&shape, grad, weight, out))
}

/// [`flambeau_tensor::Backend::conv_weight_grad`] on this device.
pub fn conv_weight_grad(call: &ConvWeightGrad<'_>) -> Result<()> {
    let ConvWeightGrad { x, grad, geometry: g, out } = *call;
    fn run<T: ConvElement>(s: &ConvShape, x: &Array, grad: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[x, grad], &[out])?;
        // SAFETY: as in `conv`.
        unsafe { conv::weight_grad::<T>(s, ptr(x), ptr(grad), ptr(out)) };
        Ok(())
    }
    let shape = conv_shape(x.shape(), spatial(x), out, g);
    with_float!(x.dtype(), "slow_conv2d_cpu", T => run::<T>(&shape, x, grad, out))
}

/// The pooling from `[planes, d, h, w]` input to output. Of a window it has what can reach the padded input at all.
fn pool_shape(input: &Array, output: &Array, g: &PoolGeometry) -> PoolShape {
    let taps = |d: usize| (plane(input)[d] + 2 * g.padding[d]).div_ceil(g.dilation[d].max(1));
    PoolShape {
        planes: input.shape()[0],
        input: plane(input),
        output: plane(output),
        kernel: std::array::from_fn(|d| g.kernel[d].min(taps(d))),
        stride: g.stride,
        padding: g.padding,
        dilation: g.dilation,
    }
}

fn plane(a: &Array) -> [usize; 3] {
    std::array::from_fn(|d| a.shape()[d + 1])
}

fn average(divisor: AvgPoolDivisor) -> AverageOptions {
    AverageOptions { count_include_pad: divisor.count_include_pad, divisor_override: divisor.divisor_override }
}

/// [`flambeau_tensor::Backend::max_pool`] on this device.
pub fn max_pool(call: &MaxPool<'_>) -> Result<()> {
    let MaxPool { src, geometry: g, out, indices } = *call;
    fn run<T: MaxElement>(s: &PoolShape, src: &Array, out: &Array, indices: &Array) -> Result<()> {
        let _access = Access::acquire(&[src], &[out, indices])?;
        // SAFETY: as in `conv`; the indices are i64.
        unsafe { pool::max_pool::<T>(s, ptr(src), ptr(out), ptr(indices)) };
        Ok(())
    }
    let shape = pool_shape(src, out, g);
    match src.dtype() {
        DType::I64 => run::<i64>(&shape, src, out, indices),
        DType::I32 => run::<i32>(&shape, src, out, indices),
        DType::I16 => run::<i16>(&shape, src, out, indices),
        DType::I8 => run::<i8>(&shape, src, out, indices),
        DType::U8 => run::<u8>(&shape, src, out, indices),
        dtype => with_float!(dtype, "max_pool2d", T => run::<T>(&shape, src, out, indices)),
    }
}

/// [`flambeau_tensor::Backend::max_pool_backward`] on this device; the indices alone say where gradients go.
pub fn max_pool_backward(call: &MaxPoolBackward<'_>) -> Result<()> {
    let MaxPoolBackward { grad, indices, out, .. } = *call;
    fn run<T: FloatElement>(s: &PoolShape, grad: &Array, indices: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[grad, indices], &[out])?;
        let n: usize = s.input.iter().product();
        // SAFETY: the access is held; the indices are as many as the gradients.
        let found = unsafe { std::slice::from_raw_parts(ptr::<i64>(indices).cast_const(), indices.numel()) };
        if let Some(bad) = found.iter().find(|&&i| i as u64 >= n as u64) {
            return Err(Error::runtime(format!("Expected max index to be in [0, {n}), but got {bad}")));
        }
        // SAFETY: as in `conv`; the indices were checked.
        unsafe { pool::max_pool_backward::<T>(s, ptr(grad), ptr(indices), ptr(out)) };
        Ok(())
    }
    let any = PoolGeometry { ndim: 3, kernel: [1; 3], stride: [1; 3], padding: [0; 3], dilation: [1; 3] };
    let shape = pool_shape(out, grad, &any);
    with_float!(grad.dtype(), "max_pool2d_backward", T => run::<T>(&shape, grad, indices, out))
}

/// [`flambeau_tensor::Backend::avg_pool`] on this device.
pub fn avg_pool(call: &AvgPool<'_>) -> Result<()> {
    let AvgPool { src, geometry: g, divisor, out } = *call;
    fn run<T: FloatElement>(s: &PoolShape, options: AverageOptions, src: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[src], &[out])?;
        // SAFETY: as in `conv`.
        unsafe { pool::avg_pool::<T>(s, options, ptr(src), ptr(out)) };
        Ok(())
    }
    let shape = pool_shape(src, out, g);
    with_float!(src.dtype(), "avg_pool2d", T => run::<T>(&shape, average(divisor), src, out))
}

/// [`flambeau_tensor::Backend::avg_pool_backward`] on this device.
pub fn avg_pool_backward(call: &AvgPoolBackward<'_>) -> Result<()> {
    let AvgPoolBackward { grad, geometry: g, divisor, out } = *call;
    fn run<T: FloatElement>(s: &PoolShape, options: AverageOptions, grad: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[grad], &[out])?;
        // SAFETY: as in `conv`.
        unsafe { pool::avg_pool_backward::<T>(s, options, ptr(grad), ptr(out)) };
        Ok(())
    }
    let shape = pool_shape(out, grad, g);
    with_float!(grad.dtype(), "avg_pool2d_backward", T => run::<T>(&shape, average(divisor), grad, out))
}

/// [`flambeau_tensor::Backend::adaptive_avg_pool`] on this device.
pub fn adaptive_avg_pool(call: &AdaptiveAvgPool<'_>) -> Result<()> {
    let AdaptiveAvgPool { src, out } = *call;
    fn run<T: FloatElement>(src: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[src], &[out])?;
        // SAFETY: as in `conv`.
        unsafe { pool::adaptive_avg_pool::<T>(src.shape()[0], plane(src), plane(out), ptr(src), ptr(out)) };
        Ok(())
    }
    with_float!(src.dtype(), "adaptive_avg_pool2d", T => run::<T>(src, out))
}

/// [`flambeau_tensor::Backend::adaptive_avg_pool_backward`] on this device.
pub fn adaptive_avg_pool_backward(call: &AdaptiveAvgPoolBackward<'_>) -> Result<()> {
    let AdaptiveAvgPoolBackward { grad, out } = *call;
    fn run<T: FloatElement>(grad: &Array, out: &Array) -> Result<()> {
        let _access = Access::acquire(&[grad], &[out])?;
        // SAFETY: as in `conv`.
        unsafe { pool::adaptive_avg_pool_backward::<T>(out.shape()[0], plane(out), plane(grad), ptr(grad), ptr(out)) };
        Ok(())
    }
    with_float!(grad.dtype(), "adaptive_avg_pool2d_backward", T => run::<T>(grad, out))
}
