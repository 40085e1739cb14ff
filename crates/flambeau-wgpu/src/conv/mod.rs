//! Convolutions and their gradients: implicit matrix products (`conv/gemm.wgsl`), plain sums where a group has few channels, and
//! matrix products where there is but one tap.

mod plan;
#[cfg(test)]
mod tests;

use crate::gpu::{Arg, Gpu};
use crate::matmul::matmul_in_fours;
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::ConvGeometry;
use flambeau_tensor::calls::{Conv, ConvInputGrad, ConvWeightGrad};
use flambeau_tensor::{Array, DType, Error, Result};
use plan::Plan;

/// Threads per workgroup of the kernels that compute one element per thread.
const THREADS: usize = 64;
/// Results per group up to which a convolution goes element by element.
const FEW: usize = 4;
/// Weights per output channel up to which a weight gradient is thin.
const THIN: usize = 16;
/// Weights up to which the product reads them where they lie: they fit the first-level cache.
const SMALL_WEIGHT: usize = 1 << 12;

/// More than any length, and small enough to add to one.
const LARGE: usize = 1 << 30;

/// Which sum a kernel computes; its number is the kernels' setting.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Forward,
    InputGrad,
    WeightGrad,
}

/// The sizes of a convolution as the kernels see it: `m` results per group from `channels` of the source.
struct Shape {
    mode: Mode,
    m: usize,
    channels: usize,
    groups: usize,
    samples: usize,
    source: [usize; 3],
    positions: [usize; 3],
    kernel: [usize; 3],
    geometry: ConvGeometry,
}

impl Shape {
    fn forward(x: &Array, weight: &Array, g: &ConvGeometry, out: &Array) -> Shape {
        Shape {
            mode: Mode::Forward,
            m: weight.shape()[0] / g.groups,
            channels: x.shape()[1] / g.groups,
            groups: g.groups,
            samples: x.shape()[0],
            source: spatial(x),
            positions: spatial(out),
            kernel: spatial(weight),
            geometry: bounded(g, spatial(weight)),
        }
    }

    fn input_grad(grad: &Array, weight: &Array, g: &ConvGeometry, out: &Array) -> Shape {
        Shape {
            mode: Mode::InputGrad,
            m: out.shape()[1] / g.groups,
            channels: grad.shape()[1] / g.groups,
            ..Shape::forward(grad, weight, g, out)
        }
    }

    fn weight_grad(x: &Array, grad: &Array, g: &ConvGeometry, out: &Array) -> Shape {
        Shape { mode: Mode::WeightGrad, ..Shape::forward(x, out, g, grad) }
    }

    /// Between neighbouring taps, channels and results of the product's first operand.
    fn strides(&self) -> [usize; 3] {
        let taps = self.taps();
        match self.mode {
            Mode::Forward => [1, taps, self.channels * taps],
            Mode::InputGrad => [1, self.m * taps, taps],
            // The gradient of the output has neither taps nor channels.
            Mode::WeightGrad => [1, 0, self.plane()],
        }
    }

    fn plan(&self, dtype: DType) -> Plan {
        let (n, k) = self.product();
        Plan::new(self.m, n, k, self.groups * self.phases(), dtype)
    }

    /// Whether each position of the result comes from the same position of the source.
    fn is_matrix(&self) -> bool {
        let g = &self.geometry;
        self.groups == 1 && self.taps() == 1 && g.stride == [1; 3] && g.padding == [0; 3]
    }

    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    fn plane(&self) -> usize {
        self.positions.iter().product()
    }

    /// The parameters that all kernels begin with.
    fn params<'p>(&self, p: &'p mut Params) -> &'p mut Params {
        let g = &self.geometry;
        p.with([("m", self.m), ("channels", self.channels), ("groups", self.groups)]);
        p.with([("source", self.source), ("positions", self.positions), ("kernel", self.kernel)]);
        p.with([("stride", g.stride), ("padding", g.padding), ("dilation", g.dilation)])
    }

    /// Columns, and summands of each result, of the matrix product.
    fn product(&self) -> (usize, usize) {
        match self.mode {
            Mode::Forward => (self.samples * self.plane(), self.channels * self.taps()),
            Mode::WeightGrad => (self.channels * self.taps(), self.samples * self.plane()),
            // Of the largest phase.
            Mode::InputGrad => {
                let stride = self.geometry.stride;
                let taps: usize = self.kernel.iter().zip(self.tap_steps()).map(|(n, s)| n.div_ceil(s)).product();
                let positions: usize = self.positions.iter().zip(stride).map(|(n, s)| n.div_ceil(s)).product();
                (self.samples * positions, self.channels * taps)
            }
        }
    }

    /// Between the taps that meet one position of an input gradient: `stride / gcd(dilation, stride)`.
    fn tap_steps(&self) -> [usize; 3] {
        let g = &self.geometry;
        std::array::from_fn(|d| g.stride[d] / common_divisor(g.dilation[d], g.stride[d]))
    }

    /// How many parts with taps of their own an input gradient has.
    fn phases(&self) -> usize {
        match self.mode {
            Mode::InputGrad => self.positions.iter().zip(self.geometry.stride).map(|(&n, s)| n.min(s)).product(),
            _ => 1,
        }
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if a == 0 { b } else { common_divisor(b % a, a) }
}

/// Spatial lengths of `[n, c, …]`, leading ones filled in.
fn spatial(a: &Array) -> [usize; 3] {
    let lengths = &a.shape()[2..];
    std::array::from_fn(|d| (d + lengths.len()).checked_sub(3).map_or(1, |i| lengths[i]))
}

/// A geometry as 32 bits hold it: a step past every length may be any such, and dilation of one tap says nothing.
fn bounded(g: &ConvGeometry, kernel: [usize; 3]) -> ConvGeometry {
    let dilation = std::array::from_fn(|d| if kernel[d] > 1 { g.dilation[d].min(LARGE) } else { 1 });
    ConvGeometry { stride: g.stride.map(|n| n.min(LARGE)), dilation, ..*g }
}

fn check(dtype: DType) -> Result<()> {
    match dtype.is_floating_point() {
        true => Ok(()),
        false => Err(Error::NotImplementedFor { op: "slow_conv2d_cpu", dtype }),
    }
}

/// [`flambeau_tensor::Backend::conv`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn conv(call: &Conv<'_>) -> Result<()> {
    let Conv { x, weight, bias, geometry: g, out } = *call;
    check(x.dtype())?;
    run(&Shape::forward(x, weight, g, out), weight, x, bias, out)
}

/// [`flambeau_tensor::Backend::conv_input_grad`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn conv_input_grad(call: &ConvInputGrad<'_>) -> Result<()> {
    let ConvInputGrad { grad, weight, geometry: g, out } = *call;
    check(grad.dtype())?;
    run(&Shape::input_grad(grad, weight, g, out), weight, grad, None, out)
}

/// [`flambeau_tensor::Backend::conv_weight_grad`] on this device.
///
/// # Errors
/// Where the dtype is no float.
pub fn conv_weight_grad(call: &ConvWeightGrad<'_>) -> Result<()> {
    let ConvWeightGrad { x, grad, geometry: g, out } = *call;
    check(x.dtype())?;
    let shape = Shape::weight_grad(x, grad, g, out);
    if out.numel() == 0 {
        return Ok(());
    }
    if shape.m <= FEW || shape.channels * shape.taps() <= THIN {
        return thin_weight_grad(&shape, x, grad, out);
    }
    product(&shape, shape.plan(out.dtype()), shape.strides(), grad, x, None, out)
}

/// A convolution or its gradient for the input, from `weight` and `source`.
fn run(shape: &Shape, weight: &Array, source: &Array, bias: Option<&Array>, out: &Array) -> Result<()> {
    if out.numel() == 0 {
        return Ok(());
    }
    if shape.m <= FEW {
        return direct(shape, weight, source, bias, out);
    }
    if bias.is_none() && shape.is_matrix() && matrix(shape, weight, source, out)? {
        return Ok(());
    }
    let plan = shape.plan(out.dtype());
    if weight.numel() <= SMALL_WEIGHT {
        return product(shape, plan, shape.strides(), weight, source, bias, out);
    }
    // Results side by side, as threads read them.
    let (m, channels, taps) = (shape.m, shape.channels, shape.taps());
    let (rows, order) = match shape.mode {
        Mode::InputGrad => ([shape.groups, channels, m, taps], [0, 3, 1, 2]),
        _ => ([shape.groups, m, channels, taps], [0, 3, 2, 1]),
    };
    let packed = weight.view(&rows.map(|n| n as i64))?.permute(&order)?.contiguous()?;
    product(shape, plan, [channels * m, m, 1], &packed, source, bias, out)
}

/// The matrix product out\[i\] = weight · source\[i\] of each sample, or of the transposed weight for an input gradient, where the
/// fast kernel can make it; whether it did.
fn matrix(shape: &Shape, weight: &Array, source: &Array, out: &Array) -> Result<bool> {
    let planes = |x: &Array, rows: usize| x.view(&[shape.samples, rows, shape.plane()].map(|n| n as i64));
    let [_, channel, m] = shape.strides();
    let lengths = [shape.samples, shape.m, shape.channels];
    let (lengths, strides) = (lengths.as_slice().into(), [0, m, channel].as_slice().into());
    let a = Array::from_parts(weight.storage().clone(), weight.dtype(), lengths, strides, weight.offset())?;
    matmul_in_fours(&a, &planes(source, shape.channels)?, &planes(out, shape.m)?)
}

/// One thread per element.
fn direct(shape: &Shape, weight: &Array, source: &Array, bias: Option<&Array>, out: &Array) -> Result<()> {
    let [_, channel, m] = shape.strides();
    let kernel = Kernel::new("conv/direct", out.dtype()).with("MODE", shape.mode as u32).with("BIAS", bias.is_some());
    let bias = bias.unwrap_or(weight);
    let params = |p: &mut Params| {
        shape.params(p).with([("n", out.numel())]).with([("tap_step", shape.tap_steps())]);
        p.with([("weight_m", m), ("weight_channel", channel)]);
        p.offsets([("weight", weight), ("source", source), ("bias", bias), ("out", out)]);
    };
    let args = [Arg::In(weight), Arg::In(source), Arg::In(bias), Arg::Out(out)];
    Gpu::of(out)?.dispatch(&kernel, &args, &params, out.numel().div_ceil(THREADS) as u64)?;
    Ok(())
}

/// The gradient of a weight with few results per group or few weights per result.
fn thin_weight_grad(shape: &Shape, x: &Array, grad: &Array, out: &Array) -> Result<()> {
    let (n, k) = shape.product();
    let groups = shape.m.div_ceil(4) * n.div_ceil(4) * shape.groups;
    let (parts, part) = plan::thin(k, groups);
    let sums = Sums::new(out, parts)?;
    let kernel = Kernel::new("conv/thin_weight_grad", out.dtype()).with_type("S", sums.array.dtype());
    let params = |p: &mut Params| {
        shape.params(p).with([("samples", shape.samples), ("parts", parts), ("part", part)]);
        p.offsets([("gradient", grad), ("source", x), ("out", &sums.array)]);
    };
    let args = [Arg::In(grad), Arg::In(x), Arg::Out(&sums.array)];
    Gpu::of(out)?.dispatch(&kernel, &args, &params, (groups * parts) as u64)?;
    sums.add_up(shape, None, out)
}

/// The matrix product; the strides are those of `a` between taps, channels and results.
fn product(
    shape: &Shape,
    Plan { tile, parts, part }: Plan,
    [tap, channel, m]: [usize; 3],
    a: &Array,
    source: &Array,
    bias: Option<&Array>,
    out: &Array,
) -> Result<()> {
    let sums = Sums::new(out, parts)?;
    let inner_bias = bias.filter(|_| parts == 1);
    let kernel = Kernel::new("conv/gemm", out.dtype())
        .with_type("S", sums.array.dtype())
        .with("MODE", shape.mode as u32)
        .with("BIAS", inner_bias.is_some())
        .with("TILE_M", tile.m as u32)
        .with("TILE_N", tile.n as u32);
    let tiles_n = shape.product().0.div_ceil(tile.n);
    let added = inner_bias.unwrap_or(a);
    let params = |p: &mut Params| {
        shape.params(p).with([("samples", shape.samples), ("a_m", m), ("a_channel", channel), ("a_tap", tap)]);
        p.with([("tiles_n", tiles_n), ("parts", parts), ("part", part)]);
        p.offsets([("a", a), ("b", source), ("bias", added), ("out", &sums.array)]);
    };
    let groups = shape.m.div_ceil(tile.m) * tiles_n * parts * shape.groups * shape.phases();
    let args = [Arg::In(a), Arg::In(source), Arg::In(added), Arg::Out(&sums.array)];
    Gpu::of(out)?.dispatch(&kernel, &args, &params, groups as u64)?;
    sums.add_up(shape, bias, out)
}

/// Where a kernel writes: the output itself, or several sums that are still to be added.
struct Sums {
    array: Array,
    parts: usize,
}

impl Sums {
    fn new(out: &Array, parts: usize) -> Result<Sums> {
        let array = match parts {
            1 => out.clone(),
            _ => Array::empty(out.backend(), out.device(), &[parts, out.numel()], out.dtype().compute())?,
        };
        Ok(Sums { array, parts })
    }

    /// Adds the parts and the bias to the output, where that is not done.
    fn add_up(&self, shape: &Shape, bias: Option<&Array>, out: &Array) -> Result<()> {
        if self.parts == 1 {
            return Ok(());
        }
        let kernel =
            Kernel::new("conv/sum", out.dtype()).with_type("S", self.array.dtype()).with("BIAS", bias.is_some());
        let n = out.numel();
        // Without a bias any array fills its place; the output's own would be written and read.
        let added = bias.unwrap_or(&self.array);
        let (plane, channels) = (shape.plane().max(1), shape.groups * shape.m);
        let params = |p: &mut Params| {
            p.with([("n", n), ("parts", self.parts), ("plane", plane), ("channels", channels)]);
            p.offsets([("x", &self.array), ("bias", added), ("y", out)]);
        };
        let args = [Arg::In(&self.array), Arg::In(added), Arg::Out(out)];
        Gpu::of(out)?.dispatch(&kernel, &args, &params, n.div_ceil(THREADS) as u64)?;
        Ok(())
    }
}
