//! Sampling of images and volumes at the places of a grid: `F.grid_sample`.
//!
//! A place lies between elements, its neighbours. Along each dimension a rule gives their positions and weights; the sample is the
//! sum over all combinations, weight times element. Elements are rows of channels of `[n·h·w + 1, c]`: the last row is zeros and
//! stands for what lies outside. The gradients are written in differentiable operations, so they have gradients themselves.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::lines::{add_lines, as_one, take_lines};
use crate::ops::{
    arange, cat, contiguous, map, movedim, mul, narrow, permute, reshape, select, stack, sum_map, to_dtype, to_i64,
    zeros,
};
use crate::warn::warn;
use flambeau_macros::op;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// Which neighbours a sample is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Linear,
    Nearest,
    Cubic,
}

/// What stands for places outside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// Values of `x`, `[n, c, h, w]`, at the places of `grid`, `[n, h', w', 2]`, whose numbers (x, y) run from −1 to 1 across width and
/// height: `[n, c, h', w']`. Volumes `[n, c, d, h, w]` take places (x, y, z) of `[n, d', h', w', 3]`: `F.grid_sample`. Options:
/// `mode` (`"bilinear"`, `"nearest"`, `"bicubic"`; in volumes linear and cubic in three directions), `padding_mode` for places
/// outside (`"zeros"`, `"border"`, `"reflection"`), and `align_corners` (whether ±1 are the centres of the corner elements, not
/// their outer edges; false, with a warning where it is not given).
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([1.0, 2.0, 3.0, 4.0]).view([1, 1, 2, 2]);
/// let grid = torch::tensor([0.0, 0.0, 1.0, -1.0]).view([1, 1, 2, 2]);
/// let y = F::grid_sample_with(&x, &grid, |o| o.align_corners(true));
/// assert_eq!(y.to_vec::<f32>(), [2.5, 2.0]);
/// ```
///
/// # Errors
/// For other words, and when shapes or dtypes do not fit.
#[op(functional, default(mode = "bilinear", padding_mode = "zeros", align_corners = None))]
#[track_caller]
pub fn grid_sample(
    x: &Tensor,
    grid: &Tensor,
    mode: &str,
    padding_mode: &str,
    align_corners: Option<bool>,
) -> Result<Tensor> {
    let mode = match mode {
        "bilinear" => 0,
        "nearest" => 1,
        "bicubic" => 2,
        _ => {
            return Err(Error::value(format!(
                "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
            )));
        }
    };
    let padding = match padding_mode {
        "zeros" => 0,
        "border" => 1,
        "reflection" => 2,
        _ => {
            return Err(Error::value(format!(
                "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: \
                 '{padding_mode}'"
            )));
        }
    };
    let align_corners = align_corners.unwrap_or_else(|| {
        warn(super::affine::ALIGNMENT_CHANGED);
        false
    });
    grid_sampler(x, grid, mode, padding, align_corners)
}

/// [`grid_sample`] with numbers for its words: `interpolation_mode` 0 bilinear, 1 nearest, 2 bicubic; `padding_mode` 0 zeros,
/// 1 border, 2 reflection: `torch.grid_sampler`.
///
/// ```
/// let x = torch::tensor([1.0, 2.0, 3.0, 4.0]).view([1, 1, 2, 2]);
/// let grid = torch::tensor([0.0, 0.0]).view([1, 1, 1, 2]);
/// assert_eq!(torch::grid_sampler(&x, &grid, 0, 0, false).item(), 2.5);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit.
#[op(torch, cast_cpu = Float32, cast_gpu = Widest)]
pub fn grid_sampler(
    x: &Tensor,
    grid: &Tensor,
    interpolation_mode: i64,
    padding_mode: i64,
    align_corners: bool,
) -> Result<Tensor> {
    check(x, grid)?;
    let mode = match interpolation_mode {
        0 => Mode::Linear,
        1 => Mode::Nearest,
        2 => Mode::Cubic,
        _ => return Err(Error::runtime(format!("grid_sampler(): no interpolation mode {interpolation_mode}"))),
    };
    let padding = match padding_mode {
        0 => Padding::Zeros,
        1 => Padding::Border,
        2 => Padding::Reflection,
        _ => return Err(Error::runtime(format!("grid_sampler(): no padding mode {padding_mode}"))),
    };
    let sampler = Sampler { mode, padding, align_corners };
    let name = ["GridSampler2DBackward0", "GridSampler3DBackward0"][x.dim() - 4];
    let saves = [Save::Tensor("input", x), Save::Tensor("grid", grid)];
    as_one(
        name,
        &[x, grid],
        &saves,
        || sampler.sample(x, grid),
        move |c| {
            let (x, grid) = (c.saved(0)?, c.saved(1)?);
            sampler.gradients(&c.grad(0)?, &x, &grid, [c.needs(0), c.needs(1)])
        },
    )
}

fn check(x: &Tensor, grid: &Tensor) -> Result<()> {
    let (shape, places) = (x.size(), grid.size());
    let refuse = |message: String| Err(Error::runtime(message));
    if shape.first() != places.first() {
        return refuse(format!(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes {:?} and grid with \
             sizes {:?}",
            &shape[..],
            &places[..]
        ));
    }
    let ndim = shape.len() as i64 - 2;
    if places.last().is_none_or(|&n| n as i64 != ndim) {
        return refuse(format!(
            "grid_sampler(): expected grid to have size {ndim} in last dimension, but got grid with sizes {:?}",
            &places[..]
        ));
    }
    if let Some(d) = shape.iter().skip(2).position(|&n| n == 0) {
        return refuse(format!(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {:?} with dimension {} \
             being empty",
            &shape[..],
            d + 2
        ));
    }
    if !(4..=5).contains(&shape.len()) {
        return refuse(format!(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes {:?} \
             and grid with sizes {:?}",
            &shape[..],
            &places[..]
        ));
    }
    if shape.len() != places.len() {
        return refuse(format!(
            "grid_sampler(): expected {}D input and grid with same number of dimensions, but got input with sizes {:?} and \
             grid with sizes {:?}",
            shape.len(),
            &shape[..],
            &places[..]
        ));
    }
    if !x.is_floating_point() {
        let op = ["grid_sampler_2d_cpu_kernel_impl", "grid_sampler3d_cpu"][shape.len() - 4];
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    if x.dtype() != grid.dtype() {
        let [own, other] = [x, grid].map(|t| t.dtype().scalar_type_name());
        return refuse(format!("expected scalar type {own} but found {other}"));
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Sampler {
    mode: Mode,
    padding: Padding,
    align_corners: bool,
}

// Scalars of the programs of places: what an element is wide in the grid's numbers, half an element or nothing, the largest
// position, and twice the positions between which reflection happens.
const WIDTH: usize = 0;
const SHIFT: usize = 1;
const LAST: usize = 2;
const LOW: usize = 3;
const SPAN: usize = 4;

/// The grid's number as a position in elements.
fn unnormalised<'b>(g: Expr<'b>) -> Expr<'b> {
    let b = g.builder();
    (g + 1.0) * b.scalar(WIDTH) - b.scalar(SHIFT)
}

/// `c` held between 0 and the last position.
fn clipped<'b>(c: Expr<'b>) -> Expr<'b> {
    let last = c.builder().scalar(LAST);
    c.lt(0.0).select(0.0, c.gt(last).select(last, c))
}

/// `c` thrown back at both ends as often as it takes, and whether the way back is the other way round.
fn reflected<'b>(c: Expr<'b>) -> (Expr<'b>, Expr<'b>) {
    let b = c.builder();
    let (low, span) = (b.scalar(LOW), b.scalar(SPAN));
    let beyond = c - low;
    let distance = beyond.lt(0.0).select(-beyond, beyond);
    let flips = (distance / span).floor();
    let extra = distance - flips * span;
    let odd = (flips / 2.0).floor() * 2.0;
    let turned = flips.ne(odd);
    let inside = turned.select(span - extra, extra) + low;
    // Where nothing is between the ends all places are one.
    (span.eq(0.0).select(0.0, inside), turned.ne(beyond.lt(0.0)))
}

fn padded<'b>(c: Expr<'b>, padding: Padding) -> Expr<'b> {
    match padding {
        Padding::Zeros => c,
        Padding::Border => clipped(c),
        Padding::Reflection => clipped(reflected(c).0),
    }
}

/// d(position)/d(grid's number), as PyTorch has it: zero on the edge that places are held at, and beyond.
fn slope<'b>(g: Expr<'b>, padding: Padding) -> Expr<'b> {
    let b = g.builder();
    let (c, width) = (unnormalised(g), b.scalar(WIDTH));
    let held =
        |place: Expr<'b>, slope: Expr<'b>| place.le(0.0).select(0.0, place.ge(b.scalar(LAST)).select(0.0, slope));
    match padding {
        Padding::Zeros => width,
        Padding::Border => held(c, width),
        Padding::Reflection => {
            let (place, back) = reflected(c);
            held(place, back.select(-width, width))
        }
    }
}

/// A whole number where it is a position, else −1.
fn position<'b>(p: Expr<'b>) -> Expr<'b> {
    p.ge(0.0).select(p.le(p.builder().scalar(LAST)).select(p, -1.0), -1.0)
}

/// A program for each padding.
fn for_each_padding(program: fn(Expr<'_>, Padding) -> Expr<'_>) -> [Pointwise; 3] {
    [Padding::Zeros, Padding::Border, Padding::Reflection]
        .map(|padding| Pointwise::new(move |b| program(b.input(0), padding)))
}

static PLACE: LazyLock<[Pointwise; 3]> =
    LazyLock::new(|| for_each_padding(|g, padding| padded(unnormalised(g), padding)));
static SLOPE: LazyLock<[Pointwise; 3]> = LazyLock::new(|| for_each_padding(slope));
/// c: the position of the neighbour whose number the next scalar is, counted from below c.
static NEIGHBOUR: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| position(b.input(0).floor() + b.scalar(SPAN + 1))));
static NEAREST: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| position(b.input(0).round())));
/// [`NEIGHBOUR`], of which each is padded by itself.
static PADDED_NEIGHBOUR: LazyLock<[Pointwise; 3]> = LazyLock::new(|| {
    for_each_padding(|c, padding| position(padded(c.floor() + c.builder().scalar(SPAN + 1), padding).round()))
});

/// What lies between c and the whole number below, with the gradient 1.
fn fraction<'b>(c: Expr<'b>) -> Expr<'b> {
    c - c.floor()
}

/// One number wherever there is an input.
fn constant(value: f64) -> Pointwise {
    Pointwise::new(move |b| {
        let _ = b.input(0);
        b.constant(value)
    })
}

/// The weights of the neighbours of a mode, then their derivatives by c.
static LINEAR: LazyLock<[[Pointwise; 2]; 2]> = LazyLock::new(|| {
    [
        [Pointwise::new(|b| b.input(0).floor() + 1.0 - b.input(0)), Pointwise::new(|b| fraction(b.input(0)))],
        [constant(-1.0), constant(1.0)],
    ]
});

const CUBIC_SLOPE: f64 = -0.75;

/// The cubic convolution kernel at a distance x from a neighbour within one element, and between one and two.
fn cubic_near<'b>(x: Expr<'b>) -> Expr<'b> {
    (x * (CUBIC_SLOPE + 2.0) - (CUBIC_SLOPE + 3.0)) * x * x + 1.0
}

fn cubic_far<'b>(x: Expr<'b>) -> Expr<'b> {
    ((x * CUBIC_SLOPE - 5.0 * CUBIC_SLOPE) * x + 8.0 * CUBIC_SLOPE) * x - 4.0 * CUBIC_SLOPE
}

fn cubic_near_slope<'b>(x: Expr<'b>) -> Expr<'b> {
    (x * (3.0 * (CUBIC_SLOPE + 2.0)) - 2.0 * (CUBIC_SLOPE + 3.0)) * x
}

fn cubic_far_slope<'b>(x: Expr<'b>) -> Expr<'b> {
    (x * (3.0 * CUBIC_SLOPE) - 10.0 * CUBIC_SLOPE) * x + 8.0 * CUBIC_SLOPE
}

static CUBIC: LazyLock<[[Pointwise; 4]; 2]> = LazyLock::new(|| {
    [
        [
            Pointwise::new(|b| cubic_far(fraction(b.input(0)) + 1.0)),
            Pointwise::new(|b| cubic_near(fraction(b.input(0)))),
            Pointwise::new(|b| cubic_near(-fraction(b.input(0)) + 1.0)),
            Pointwise::new(|b| cubic_far(-fraction(b.input(0)) + 2.0)),
        ],
        [
            Pointwise::new(|b| cubic_far_slope(fraction(b.input(0)) + 1.0)),
            Pointwise::new(|b| cubic_near_slope(fraction(b.input(0)))),
            Pointwise::new(|b| -cubic_near_slope(-fraction(b.input(0)) + 1.0)),
            Pointwise::new(|b| -cubic_far_slope(-fraction(b.input(0)) + 2.0)),
        ],
    ]
});

/// sum + row · weight
static ADD_WEIGHTED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1) * b.input(2)));
static PRODUCT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));
/// Axis after axis: line · length + position, −1 where either is.
static LINE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (line, at) = (b.input(0), b.input(1));
        line.lt(0).select(-1, at.lt(0).select(-1, line * b.scalar(0) + at))
    })
});
/// The line, and the line of zeros for −1.
static OUTSIDE_LAST: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).lt(0).select(b.scalar(0), b.input(0))));

/// The neighbours along one dimension, of all places: `[places]` each.
struct Axis {
    /// Positions (i64), −1 for what lies outside.
    positions: Vec<Tensor>,
    /// None in mode nearest.
    weights: Vec<Tensor>,
    /// The weights' derivatives by the place, and the place's by the grid's number, where they are wanted.
    slopes: Vec<Tensor>,
    slope: Option<Tensor>,
}

impl Sampler {
    /// The scalars of the programs for a dimension of `n` elements.
    fn scalars(self, n: usize) -> [Scalar; 5] {
        let n = n as f64;
        let all = match self.align_corners {
            true => [(n - 1.0) / 2.0, 0.0, n - 1.0, 0.0, n - 1.0],
            false => [n / 2.0, 0.5, n - 1.0, -0.5, n],
        };
        all.map(Scalar::Float)
    }

    /// The neighbours of the places of a dimension; `slopes` asks for derivatives, too.
    fn axis(self, grid: &Tensor, n: usize, slopes: bool) -> Result<Axis> {
        let scalars = self.scalars(n);
        let padding = self.padding as usize;
        // Cubic neighbours are padded one by one.
        let own = if self.mode == Mode::Cubic { 0 } else { padding };
        let place = map("", &PLACE[own], &[grid], &scalars)?;
        let still = place.detach();
        let numbered = |program, k: f64| {
            let mut scalars: SmallVec<[Scalar; 6]> = scalars.as_slice().into();
            scalars.push(Scalar::Float(k));
            to_dtype(&map("", program, &[&still], &scalars)?, DType::I64)
        };
        let count = match self.mode {
            Mode::Linear => 2,
            Mode::Nearest => 1,
            Mode::Cubic => 4,
        };
        let positions = (0..count).map(|k| match self.mode {
            Mode::Linear => numbered(&NEIGHBOUR, k as f64),
            Mode::Nearest => to_dtype(&map("", &NEAREST, &[&still], &scalars)?, DType::I64),
            Mode::Cubic => numbered(&PADDED_NEIGHBOUR[padding], k as f64 - 1.0),
        });
        let positions = positions.collect::<Result<_>>()?;
        let programs = |order: usize| -> &'static [Pointwise] {
            match self.mode {
                Mode::Linear => &LINEAR[order],
                Mode::Nearest => &[],
                Mode::Cubic => &CUBIC[order],
            }
        };
        let of_place = |p| map("", p, &[&place], &[]);
        let weights = programs(0).iter().map(of_place).collect::<Result<_>>()?;
        let (slopes, slope) = match slopes {
            true => {
                let slope = map("", &SLOPE[own], &[&grid.detach()], &scalars)?;
                (programs(1).iter().map(of_place).collect::<Result<_>>()?, Some(slope))
            }
            false => (Vec::new(), None),
        };
        Ok(Axis { positions, weights, slopes, slope })
    }

    /// The axes, the first spatial dimension first. The grid names the last one first.
    fn axes(self, shape: &[usize], grid: &Tensor, slopes: bool) -> Result<Vec<Axis>> {
        let ndim = shape.len() - 2;
        let axis = |d: usize| {
            let numbers = reshape(&select(grid, -1, (ndim - 1 - d) as i64)?, &[-1])?;
            self.axis(&numbers, shape[d + 2], slopes)
        };
        (0..ndim).map(axis).collect()
    }

    fn sample(self, x: &Tensor, grid: &Tensor) -> Result<Tensor> {
        let (shape, places) = (x.size(), grid.size());
        let mut to = vec![places[0], shape[1]];
        to.extend(&places[1..places.len() - 1]);
        if to.contains(&0) {
            return zeros(&to, x.dtype(), x.device());
        }
        let compute = x.dtype().compute();
        let rows = rows_of(&to_dtype(x, compute)?)?;
        let axes = self.axes(&shape, &to_dtype(grid, compute)?, false)?;
        let mut sum: Option<Tensor> = None;
        each_neighbour(&shape, &axes, |index, weights| {
            let taken = take_lines(&rows, 0, index)?;
            sum = Some(match (&sum, weight_of(weights)?) {
                (_, None) => taken,
                (None, Some(weight)) => map("", &PRODUCT, &[&taken, &weight], &[])?,
                (Some(sum), Some(weight)) => map("", &ADD_WEIGHTED, &[sum, &taken, &weight], &[])?,
            });
            Ok(())
        })?;
        let sum = sum.expect("a place has neighbours");
        // [places, channels] as [n, channels, places].
        let mut split = to_i64(&places[..places.len() - 1]);
        split.push(shape[1] as i64);
        contiguous(&to_dtype(&movedim(&reshape(&sum, &split)?, &[-1], &[1])?, x.dtype())?)
    }

    /// The gradients of `x` and `grid`, in differentiable operations.
    fn gradients(self, grad: &Tensor, x: &Tensor, grid: &Tensor, wants: [bool; 2]) -> Result<crate::graph::Grads> {
        let (shape, places) = (x.size(), grid.size());
        let none = |t: &Tensor| zeros(&t.size(), t.dtype(), t.device());
        if grad.numel() == 0 {
            let zero = |want: bool, t: &Tensor| want.then(|| none(t)).transpose();
            return Ok(smallvec![zero(wants[0], x)?, zero(wants[1], grid)?]);
        }
        let compute = x.dtype().compute();
        let wide = to_dtype(grid, compute)?;
        let by_grid = wants[1] && self.mode != Mode::Nearest;
        let axes = self.axes(&shape, &wide, by_grid)?;
        let ndim = shape.len() - 2;
        // [n, channels, places] as [places, channels].
        let grad = reshape(&movedim(&to_dtype(grad, compute)?, &[1], &[-1])?, &[-1, shape[1] as i64])?;
        let rows = by_grid.then(|| rows_of(&to_dtype(x, compute)?)).transpose()?;
        let lines = line_count(&shape);
        let mut of_rows: Option<Tensor> = None;
        let mut of_grid: Vec<Option<Tensor>> = vec![None; ndim];
        each_neighbour(&shape, &axes, |index, chosen| {
            if wants[0] {
                let shares = match weight_of(chosen)? {
                    None => grad.shallow_clone(),
                    Some(weight) => map("", &PRODUCT, &[&grad, &weight], &[])?,
                };
                add_to(&mut of_rows, add_lines(&shares, 0, index, lines + 1)?)?;
            }
            if let Some(rows) = &rows {
                let taken = take_lines(rows, 0, index)?;
                let dot = sum_map("", Some(&PRODUCT), &[&grad, &taken], &[], &[1], false, None)?;
                for (d, total) in of_grid.iter_mut().enumerate() {
                    let mut share = dot.shallow_clone();
                    for (e, &(axis, k)) in chosen.iter().enumerate() {
                        share = mul(&share, if e == d { &axis.slopes[k] } else { &axis.weights[k] })?;
                    }
                    add_to(total, share)?;
                }
            }
            Ok(())
        })?;
        let of_x = of_rows.map(|rows| {
            let mut split = vec![shape[0] as i64];
            split.extend(to_i64(&shape[2..]));
            split.push(shape[1] as i64);
            let image = reshape(&narrow(&rows, 0, 0, lines as i64)?, &split)?;
            to_dtype(&contiguous(&movedim(&image, &[-1], &[1])?)?, x.dtype())
        });
        let of_grid = match (wants[1], by_grid) {
            (false, _) => None,
            (true, false) => Some(none(grid)?),
            (true, true) => {
                // The grid names the last dimension first.
                let parts =
                    of_grid.into_iter().zip(&axes).rev().filter_map(|(total, axis)| total.zip(axis.slope.as_ref()));
                let parts: Vec<Tensor> = parts.map(|(total, slope)| mul(&total, slope)).collect::<Result<_>>()?;
                Some(to_dtype(&reshape(&stack(&parts, -1)?, &to_i64(&places))?, grid.dtype())?)
            }
        };
        Ok(smallvec![of_x.transpose()?, of_grid])
    }
}

fn add_to(sum: &mut Option<Tensor>, more: Tensor) -> Result<()> {
    *sum = Some(match sum.take() {
        None => more,
        Some(sum) => crate::ops::add(&sum, &more, 1)?,
    });
    Ok(())
}

/// Elements of all channels: n · d · h · w.
fn line_count(shape: &[usize]) -> usize {
    shape[0] * shape[2..].iter().product::<usize>()
}

/// `[n, c, …]` as rows of channels, and a row of zeros.
fn rows_of(x: &Tensor) -> Result<Tensor> {
    let c = x.size()[1];
    let n = x.dim() as i64;
    let order: SmallVec<[i64; 5]> = std::iter::once(0).chain(2..n).chain([1]).collect();
    let rows = reshape(&permute(x, &order)?, &[-1, c as i64])?;
    cat(&[rows, zeros(&[1, c], x.dtype(), x.device())?], 0)
}

/// The product of the weights of one neighbour along each dimension, as a column; none where there are none.
fn weight_of(chosen: &[(&Axis, usize)]) -> Result<Option<Tensor>> {
    let mut product: Option<Tensor> = None;
    for &(axis, k) in chosen {
        let Some(weight) = axis.weights.get(k) else { return Ok(None) };
        product = Some(match product {
            None => weight.shallow_clone(),
            Some(product) => mul(&product, weight)?,
        });
    }
    product.map(|p| reshape(&p, &[-1, 1])).transpose()
}

/// Calls `f` with the rows of one combination of neighbours after another, and which they are.
fn each_neighbour(
    shape: &[usize],
    axes: &[Axis],
    mut f: impl FnMut(&Tensor, &[(&Axis, usize)]) -> Result<()>,
) -> Result<()> {
    let first = &axes[0].positions[0];
    let (n, device) = (shape[0] as i64, first.device());
    let images = arange(Scalar::Int(0), Scalar::Int(n), Scalar::Int(1), Some(DType::I64), device)?;
    let images = reshape(&images, &[n, 1])?;
    let mut chosen: SmallVec<[usize; 3]> = SmallVec::from_elem(0, axes.len());
    let outside = [Scalar::Int(line_count(shape) as i64)];
    loop {
        let mut line = images.shallow_clone();
        for (d, axis) in axes.iter().enumerate() {
            let at = reshape(&axis.positions[chosen[d]], &[n, -1])?;
            line = map("", &LINE, &[&line, &at], &[Scalar::Int(shape[d + 2] as i64)])?;
        }
        let index = reshape(&map("", &OUTSIDE_LAST, &[&line], &outside)?, &[-1])?;
        let now: SmallVec<[(&Axis, usize); 3]> = axes.iter().zip(chosen.iter().copied()).collect();
        f(&index, &now)?;
        // The next combination, the last dimension fastest.
        let Some(d) = (0..axes.len()).rev().find(|&d| chosen[d] + 1 < axes[d].positions.len()) else { return Ok(()) };
        chosen[d] += 1;
        chosen[d + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::grid_sample;
    use crate::{GradCheckOptions, Result, Tensor, from_vec, gradcheck, gradgradcheck};

    /// Numbers off the positions of elements, where gradients jump.
    fn numbers(shape: &[usize], step: usize, limit: f64) -> Tensor {
        let n: usize = shape.iter().product();
        let number = |i: usize| (((i * step + 3) % 29) as f64 / 14.5 - 1.0) * limit + 0.0137;
        from_vec((0..n).map(number).collect(), shape).requires_grad_(true)
    }

    #[test]
    fn gradients_of_all_modes_are_those_of_finite_differences() {
        let images = [([2, 2, 3, 2].as_slice(), [2, 1, 2, 2].as_slice()), (&[1, 1, 2, 3, 2], &[1, 1, 1, 1, 3])];
        for (image, places) in images {
            for mode in ["bilinear", "nearest", "bicubic"] {
                for padding in ["zeros", "border", "reflection"] {
                    for align in [true, false] {
                        let f = |x: &[Tensor]| -> Result<Vec<Tensor>> {
                            Ok(vec![grid_sample(&x[0], &x[1], mode, padding, Some(align))?])
                        };
                        let inputs = [numbers(image, 7, 2.0), numbers(places, 11, 1.4)];
                        let told = format!("{image:?} {mode} {padding} {align}");
                        gradcheck(&f, &inputs, GradCheckOptions::default()).expect(&told);
                        // Sixty-four neighbours take their time.
                        if image.len() == 4 || mode != "bicubic" || align {
                            gradgradcheck(&f, &inputs, GradCheckOptions::default()).expect(&told);
                        }
                    }
                }
            }
        }
    }
}
