//! Convolutions, poolings and resizing: dense arrays of one to three spatial dimensions.

use super::check::{dense, disjoint, dtype, expect, float, result};
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::{AvgPoolDivisor, ConvGeometry, PoolGeometry, ResampleMode};
use crate::{Array, DType, Result};

/// Positions of a window of `taps` elements, `dilation` apart, that moves by `stride` over a padded length: the last one that
/// still fits, and the last that starts inside (`ceil_mode`). `None` where the numbers are out of range.
fn positions(n: usize, taps: usize, stride: usize, padding: usize, dilation: usize) -> Option<[usize; 2]> {
    let span = taps.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
    let padded = padding.checked_mul(2)?.checked_add(n)?;
    // So that sums of a position and a tap hold as signed numbers, too.
    let reach = padded.checked_add(span)?.checked_add(stride)?;
    if stride == 0 || dilation == 0 || reach > isize::MAX as usize {
        return None;
    }
    let whole = padded.checked_sub(span).map_or(0, |room| room / stride + 1);
    let started = (padded + stride - 1).checked_sub(span).map_or(0, |room| room / stride + 1);
    // A window that would start in the padding behind is dropped.
    let dropped = started > 0 && (started - 1) * stride >= n + padding;
    Some([whole, started - usize::from(dropped)])
}

/// Whether shapes are those of a convolution of `x` with `weight` to `y`.
fn check_conv(op: &str, x: &[usize], weight: &[usize], y: &[usize], g: &ConvGeometry) -> Result<()> {
    let fits = || {
        let n = g.ndim;
        if !(1..=3).contains(&n) || [x, weight, y].iter().any(|s| s.len() != n + 2) || g.groups == 0 {
            return None;
        }
        let channels = x[1].is_multiple_of(g.groups) && x[1] / g.groups == weight[1];
        let results = weight[0].is_multiple_of(g.groups) && y[1] == weight[0] && y[0] == x[0];
        let unused = (0..3 - n).all(|d| (g.stride[d], g.padding[d], g.dilation[d]) == (1, 0, 1));
        let mut holds = channels && results && unused;
        for (i, d) in (3 - n..3).enumerate() {
            let [whole, _] = positions(x[i + 2], weight[i + 2], g.stride[d], g.padding[d], g.dilation[d])?;
            holds &= y[i + 2] == whole && weight[i + 2] > 0;
        }
        holds.then_some(())
    };
    expect(fits().is_some(), || {
        format!("{op}(): an input of shape {x:?}, a weight of shape {weight:?} and a result of shape {y:?} with {g:?}")
    })
}

/// Whether two operands and the result of a convolution or a gradient of it are dense, of one floating-point dtype and apart.
fn check_operands(op: &'static str, operands: [&Array; 2], out: &Array) -> Result<()> {
    float("slow_conv2d_cpu", out)?;
    for operand in operands {
        dtype(op, "each operand", operand, out.dtype())?;
        dense(op, "each operand", operand)?;
    }
    dense(op, "the result", out)?;
    disjoint(op, out, operands)
}

/// Convolution (cross-correlation).
#[derive(Clone, Copy, Debug)]
pub struct Conv<'a> {
    /// `[n, c, …]`, dense.
    pub x: &'a Array,
    /// `[o, c/groups, …]`, dense.
    pub weight: &'a Array,
    /// `[o]`, dense.
    pub bias: Option<&'a Array>,
    /// Its geometry.
    pub geometry: &'a ConvGeometry,
    /// `[n, o, …]`, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Conv<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        [self.x, self.weight, self.out].into_iter().chain(self.bias).collect()
    }

    fn check(&self) -> Result<()> {
        let Conv { x, weight, bias, geometry, out } = *self;
        check_operands("conv", [x, weight], out)?;
        check_conv("conv", x.shape(), weight.shape(), out.shape(), geometry)?;
        let Some(bias) = bias else { return Ok(()) };
        result("conv", "the bias", bias, &weight.shape()[..1], out.dtype())?;
        disjoint("conv", out, [bias])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().conv(call)
    }
}

/// Gradient of [`Conv`] for its input (also the transposed convolution).
#[derive(Clone, Copy, Debug)]
pub struct ConvInputGrad<'a> {
    /// The result's gradient, in its shape, dense.
    pub grad: &'a Array,
    /// As in [`Conv`].
    pub weight: &'a Array,
    /// As in [`Conv`].
    pub geometry: &'a ConvGeometry,
    /// The gradient, in the input's shape, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for ConvInputGrad<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.weight, self.out])
    }

    fn check(&self) -> Result<()> {
        let ConvInputGrad { grad, weight, geometry, out } = *self;
        check_operands("conv_input_grad", [grad, weight], out)?;
        check_conv("conv_input_grad", out.shape(), weight.shape(), grad.shape(), geometry)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().conv_input_grad(call)
    }
}

/// Gradient of [`Conv`] for its weight.
#[derive(Clone, Copy, Debug)]
pub struct ConvWeightGrad<'a> {
    /// As in [`Conv`].
    pub x: &'a Array,
    /// The result's gradient, in its shape, dense.
    pub grad: &'a Array,
    /// As in [`Conv`].
    pub geometry: &'a ConvGeometry,
    /// The gradient, in the weight's shape, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for ConvWeightGrad<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.x, self.grad, self.out])
    }

    fn check(&self) -> Result<()> {
        let ConvWeightGrad { x, grad, geometry, out } = *self;
        check_operands("conv_weight_grad", [x, grad], out)?;
        check_conv("conv_weight_grad", x.shape(), out.shape(), grad.shape(), geometry)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().conv_weight_grad(call)
    }
}

/// Whether two arrays are dense `[planes, d, h, w]` with as many planes, of one dtype, and apart.
fn check_planes(op: &str, src: &Array, out: &Array) -> Result<()> {
    expect(src.ndim() == 4 && out.ndim() == 4 && src.shape()[0] == out.shape()[0], || {
        format!(
            "{op}(): expected [planes, d, h, w] to and from as many planes, but got {:?}, {:?}",
            src.shape(),
            out.shape()
        )
    })?;
    dtype(op, "the result", out, src.dtype())?;
    dense(op, "the input", src)?;
    dense(op, "the result", out)?;
    disjoint(op, out, [src])
}

/// Whether windows pool planes of lengths `x` to lengths `y`.
fn check_windows(op: &str, x: &Array, y: &Array, g: &PoolGeometry, dilated: bool) -> Result<()> {
    let fits = |d: usize| {
        let dilation = if dilated { g.dilation[d] } else { 1 };
        let (n, m) = (x.shape()[d + 1], y.shape()[d + 1]);
        let [whole, started] = positions(n, g.kernel[d], g.stride[d], g.padding[d], dilation)?;
        // Each window must reach from the padding in front into the input.
        let reaches = g.padding[d] <= (g.kernel[d] - 1) * dilation;
        ((m == whole || m == started) && reaches).then_some(())
    };
    // Without planes or outputs nothing moves.
    expect(y.numel() == 0 || (0..3).all(|d| fits(d).is_some()), || {
        format!("{op}(): windows {g:?} do not lead from {:?} to {:?}", x.shape(), y.shape())
    })
}

/// Max pooling of `[planes, d, h, w]`.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool<'a> {
    /// What is pooled; dense.
    pub src: &'a Array,
    /// The windows.
    pub geometry: &'a PoolGeometry,
    /// The largest values; dense.
    pub out: &'a Array,
    /// Where they are, flat within a plane, i64; dense.
    pub indices: &'a Array,
}

impl PrimitiveCall for MaxPool<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out, self.indices])
    }

    fn check(&self) -> Result<()> {
        let MaxPool { src, geometry, out, indices } = *self;
        check_planes("max_pool", src, out)?;
        check_windows("max_pool", src, out, geometry, true)?;
        result("max_pool", "the indices", indices, out.shape(), DType::I64)?;
        disjoint("max_pool", indices, [src, out])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().max_pool(call)
    }
}

/// Adds each gradient to the element that its index names, in place of what `out` held. An index outside is an error.
#[derive(Clone, Copy, Debug)]
pub struct MaxPoolBackward<'a> {
    /// The gradients, `[planes, d, h, w]`; dense.
    pub grad: &'a Array,
    /// Where they go, flat within a plane of `out`, i64; dense.
    pub indices: &'a Array,
    /// Where the indices come from windows, those: each index then lies within its window, or in any case between its ends in
    /// every dimension.
    pub windows: Option<&'a PoolGeometry>,
    /// The sums, `[planes, d, h, w]`; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for MaxPoolBackward<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.indices, self.out])
    }

    fn check(&self) -> Result<()> {
        let MaxPoolBackward { grad, indices, windows, out } = *self;
        float("max_pool2d_backward", grad)?;
        check_planes("max_pool_backward", grad, out)?;
        result("max_pool_backward", "the indices", indices, grad.shape(), DType::I64)?;
        disjoint("max_pool_backward", out, [indices])?;
        let moves = |g: &PoolGeometry| (0..3).all(|d| g.kernel[d] > 0 && g.stride[d] > 0 && g.dilation[d] > 0);
        expect(windows.is_none_or(moves), || format!("max_pool_backward(): windows {windows:?}"))
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0 && self.grad.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().max_pool_backward(call)
    }
}

/// Average pooling of `[planes, d, h, w]`; the geometry's dilation is not used.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool<'a> {
    /// What is pooled; dense.
    pub src: &'a Array,
    /// The windows.
    pub geometry: &'a PoolGeometry,
    /// What sums are divided by.
    pub divisor: AvgPoolDivisor,
    /// The means; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for AvgPool<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        float("avg_pool2d", self.src)?;
        check_planes("avg_pool", self.src, self.out)?;
        check_windows("avg_pool", self.src, self.out, self.geometry, false)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().avg_pool(call)
    }
}

/// Gradient of [`AvgPool`].
#[derive(Clone, Copy, Debug)]
pub struct AvgPoolBackward<'a> {
    /// The means' gradients; dense.
    pub grad: &'a Array,
    /// As in [`AvgPool`].
    pub geometry: &'a PoolGeometry,
    /// As in [`AvgPool`].
    pub divisor: AvgPoolDivisor,
    /// The input's gradients; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for AvgPoolBackward<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.out])
    }

    fn check(&self) -> Result<()> {
        float("avg_pool2d_backward", self.grad)?;
        check_planes("avg_pool_backward", self.grad, self.out)?;
        check_windows("avg_pool_backward", self.out, self.grad, self.geometry, false)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().avg_pool_backward(call)
    }
}

/// Whether an input of these lengths can be spread over others: something comes of nothing only where nothing is wanted.
fn check_source(op: &str, from: &Array, to: &Array) -> Result<()> {
    expect(to.numel() == 0 || from.numel() > 0, || {
        format!("{op}(): an input of shape {:?} for a result of shape {:?}", from.shape(), to.shape())
    })
}

/// Average over windows that tile the input to `out`'s lengths; `[planes, d, h, w]`.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool<'a> {
    /// What is pooled; dense.
    pub src: &'a Array,
    /// The means; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for AdaptiveAvgPool<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        float("adaptive_avg_pool2d", self.src)?;
        check_planes("adaptive_avg_pool", self.src, self.out)?;
        check_source("adaptive_avg_pool", self.src, self.out)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().adaptive_avg_pool(call)
    }
}

/// Gradient of [`AdaptiveAvgPool`].
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPoolBackward<'a> {
    /// The means' gradients; dense.
    pub grad: &'a Array,
    /// The input's gradients; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for AdaptiveAvgPoolBackward<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.out])
    }

    fn check(&self) -> Result<()> {
        float("adaptive_avg_pool2d_backward", self.grad)?;
        check_planes("adaptive_avg_pool_backward", self.grad, self.out)?;
        check_source("adaptive_avg_pool_backward", self.grad, self.out)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().adaptive_avg_pool_backward(call)
    }
}

/// Resizes `[planes, d, h, w]` to `out`'s lengths.
#[derive(Clone, Copy, Debug)]
pub struct Resample<'a> {
    /// How values between pixels are found.
    pub mode: ResampleMode,
    /// Output over input lengths, as the caller asked for them.
    pub scales: [f64; 3],
    /// What is resized; dense.
    pub src: &'a Array,
    /// The result; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Resample<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        check_planes("resample", self.src, self.out)?;
        check_source("resample", self.src, self.out)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().resample(call)
    }
}

/// Gradient of [`Resample`].
#[derive(Clone, Copy, Debug)]
pub struct ResampleBackward<'a> {
    /// As in [`Resample`].
    pub mode: ResampleMode,
    /// As in [`Resample`].
    pub scales: [f64; 3],
    /// The result's gradient; dense.
    pub grad: &'a Array,
    /// The input's gradient; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for ResampleBackward<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.out])
    }

    fn check(&self) -> Result<()> {
        check_planes("resample_backward", self.grad, self.out)?;
        check_source("resample_backward", self.grad, self.out)
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().resample_backward(call)
    }
}
