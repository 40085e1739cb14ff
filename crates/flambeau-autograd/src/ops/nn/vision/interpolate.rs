//! Resizing: nearest, (bi-, tri-)linear and area interpolation, and the shuffles between channels and pixels.

use super::antialias::{Axis, antialiased};
use crate::arguments::Number;
use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::nn::pool::{fresh, planes};
use crate::ops::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, permute, reshape, round, to_dtype, to_i64,
};
use crate::{OrPanic, Tensor, options};
use flambeau_macros::op;
use flambeau_tensor::backend::ResampleMode;
use flambeau_tensor::calls::{self, PrimitiveCall, ResampleBackward};
use flambeau_tensor::ops::fill;
use flambeau_tensor::print::py_float;
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::{SmallVec, smallvec};

/// How `F.interpolate` finds values between elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InterpolateMode {
    /// The element that ⌊i / scale⌋ falls on.
    #[default]
    Nearest,
    /// Linear between neighbours, for `[n, c, l]`.
    Linear,
    /// Linear in both directions, for `[n, c, h, w]`.
    Bilinear,
    /// Linear in three directions, for `[n, c, d, h, w]`.
    Trilinear,
    /// The mean over windows that tile the input: adaptive average pooling.
    Area,
}

impl InterpolateMode {
    /// PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            InterpolateMode::Nearest => "nearest",
            InterpolateMode::Linear => "linear",
            InterpolateMode::Bilinear => "bilinear",
            InterpolateMode::Trilinear => "trilinear",
            InterpolateMode::Area => "area",
        }
    }

    /// The spatial dimensions that the mode is for, if it is for some only.
    fn spatial(self) -> Option<usize> {
        match self {
            InterpolateMode::Linear => Some(1),
            InterpolateMode::Bilinear => Some(2),
            InterpolateMode::Trilinear => Some(3),
            InterpolateMode::Nearest | InterpolateMode::Area => None,
        }
    }
}

fn not_implemented(message: String) -> Error {
    flambeau_tensor::Error::NotImplemented(message).into()
}

impl std::str::FromStr for InterpolateMode {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        use InterpolateMode::*;
        let found = [Nearest, Linear, Bilinear, Trilinear, Area].into_iter().find(|mode| mode.name() == name);
        found.ok_or_else(|| {
            not_implemented(format!(
                "interpolation mode {name} is not supported: use nearest | linear | bilinear | trilinear | area"
            ))
        })
    }
}

impl From<&str> for InterpolateMode {
    /// By PyTorch's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}

options! {
    /// Options of `F::interpolate`.
    #[derive(Clone, Debug, PartialEq)]
    InterpolateOptions {
        /// How values between elements are found: `"nearest"`, `"linear"`, `"bilinear"`, `"trilinear"` or `"area"`
        /// (`"nearest"`).
        mode: InterpolateMode = InterpolateMode::Nearest,
        /// Whether the corner elements' centres stay where they are, in linear modes (false).
        align_corners: Option<bool> = None,
        /// Whether the scale is computed from the rounded output lengths (false).
        recompute_scale_factor: bool = false,
        /// Whether an output is a mean of all inputs that it covers, in mode `"bilinear"` (false).
        antialias: bool = false,
        /// The output's spatial lengths, one for all or one per dimension.
        size: Option<SmallVec<[i64; 6]>> = None,
        /// Output over input lengths, one for all or one per dimension.
        scale_factor: Option<SmallVec<[f64; 3]>> = None,
    }
}

/// One scale for all spatial dimensions or one per dimension.
pub trait IntoScales {
    /// The list.
    fn into_scales(self) -> SmallVec<[f64; 3]>;
}

impl<S: Number> IntoScales for S {
    fn into_scales(self) -> SmallVec<[f64; 3]> {
        smallvec![self.to_f64()]
    }
}

impl<S: Number, const N: usize> IntoScales for [S; N] {
    fn into_scales(self) -> SmallVec<[f64; 3]> {
        self.into_iter().map(Number::to_f64).collect()
    }
}

impl<A: Number, B: Number> IntoScales for (A, B) {
    fn into_scales(self) -> SmallVec<[f64; 3]> {
        smallvec![self.0.to_f64(), self.1.to_f64()]
    }
}

impl<A: Number, B: Number, C: Number> IntoScales for (A, B, C) {
    fn into_scales(self) -> SmallVec<[f64; 3]> {
        smallvec![self.0.to_f64(), self.1.to_f64(), self.2.to_f64()]
    }
}

impl<N: Number + Copy> IntoScales for &[N] {
    fn into_scales(self) -> SmallVec<[f64; 3]> {
        self.iter().map(|scale| scale.to_f64()).collect()
    }
}

/// Resizes the spatial dimensions of `[n, c, …]` (one to three of them) to `size`, or by `scale_factor`: `F.interpolate`.
/// Options: `size` or `scale_factor`, `mode`, `align_corners`, `recompute_scale_factor`, `antialias`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0]]]);
/// assert_eq!(F::interpolate(&x, |o| o.scale_factor(2)).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
/// let y = F::interpolate(&x, |o| o.size(3).mode("linear").align_corners(true));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 3.0]);
/// ```
///
/// # Errors
/// When options and shape do not fit.
#[op(functional, cast = Float32, forms(interpolate(options: InterpolateOptions) = (options)))]
pub fn interpolate(x: &Tensor, options: &InterpolateOptions) -> Result<Tensor> {
    let mode = options.mode;
    if x.dtype() == DType::U8 && mode != InterpolateMode::Area {
        // Pixels: computed in f32 and rounded to the nearest byte.
        return to_dtype(&round(&interpolate(&to_dtype(x, DType::F32)?, options)?)?, DType::U8);
    }
    if matches!(mode, InterpolateMode::Nearest | InterpolateMode::Area) && options.align_corners.is_some() {
        return Err(Error::value(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
        ));
    }
    let shape = x.size();
    let ndim = shape.len().saturating_sub(2);
    let (lengths, scales) = output_lengths(shape.get(2..).unwrap_or_default(), options)?;
    if options.antialias && (mode != InterpolateMode::Bilinear || ndim != 2) {
        return Err(Error::value(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input",
        ));
    }
    if !(1..=3).contains(&ndim) {
        return Err(not_implemented(format!(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got {}D) for the modes: nearest | linear | bilinear | \
             bicubic | trilinear | lanczos | area | nearest-exact (got {})",
            shape.len(),
            mode.name()
        )));
    }
    if let Some(n) = mode.spatial().filter(|&n| n != ndim) {
        return Err(not_implemented(format!(
            "Got {}D input, but {} mode needs {}D input",
            shape.len(),
            mode.name(),
            n + 2
        )));
    }
    if mode == InterpolateMode::Area {
        let size: SmallVec<[Option<i64>; 3]> = lengths.iter().map(|&n| Some(n)).collect();
        return match ndim {
            1 => adaptive_avg_pool1d(x, &size),
            2 => adaptive_avg_pool2d(x, &size),
            _ => adaptive_avg_pool3d(x, &size),
        };
    }
    check_lengths(&shape, &lengths)?;
    if options.antialias {
        let axis = |d: usize| {
            let (from, to) = (shape[d + 2], lengths[d] as usize);
            let step = match (options.align_corners, scales.get(d)) {
                (Some(true), _) if to > 1 => (from as f64 - 1.0) / (to as f64 - 1.0),
                (Some(true), _) => 0.0,
                (_, Some(scale)) => 1.0 / scale,
                (_, None) => from as f64 / to as f64,
            };
            Axis { from, to, step }
        };
        return antialiased(x, [axis(0), axis(1)]);
    }
    let (resample, names) = match mode {
        InterpolateMode::Nearest => {
            let names = ["UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0", "UpsampleNearest3DBackward0"];
            (ResampleMode::Nearest, names)
        }
        _ => {
            let names = ["UpsampleLinear1DBackward0", "UpsampleBilinear2DBackward0", "UpsampleTrilinear3DBackward0"];
            (ResampleMode::Linear { align_corners: options.align_corners.unwrap_or(false) }, names)
        }
    };
    let mut all = [1.0; 3];
    for d in 0..ndim {
        all[3 - ndim + d] = scales.get(d).copied().unwrap_or(lengths[d] as f64 / shape[d + 2] as f64);
    }
    let mut to: Dims = shape[..2].into();
    to.extend(lengths.iter().map(|&n| n as usize));
    Resample { mode: resample, scales: all, name: names[ndim - 1] }.forward(x, &to)
}

/// Lengths and scales of the spatial dimensions.
type Target = (SmallVec<[i64; 3]>, SmallVec<[f64; 3]>);

/// The output's spatial lengths, and the scales where the caller's own count.
fn output_lengths(spatial: &[usize], options: &InterpolateOptions) -> Result<Target> {
    let mismatch = |what: &str, list: String, dims: &str| {
        Error::value(format!(
            "Input and {what} must have the same number of spatial dimensions, but got input with spatial dimensions of \
             {spatial:?} and {list}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and {dims} format."
        ))
    };
    let tuple = |items: Vec<String>| match items.len() {
        1 => format!("({},)", items[0]),
        _ => format!("({})", items.join(", ")),
    };
    match (&options.size, &options.scale_factor) {
        (Some(_), Some(_)) => Err(Error::value("only one of size or scale_factor should be defined")),
        (None, None) => Err(Error::value("either size or scale_factor should be defined")),
        (Some(_), None) if options.recompute_scale_factor => {
            Err(Error::value("recompute_scale_factor is not meaningful with an explicit size."))
        }
        (Some(size), None) => match size.len() {
            1 => Ok((SmallVec::from_elem(size[0], spatial.len()), SmallVec::new())),
            n if n == spatial.len() => Ok((size.iter().copied().collect(), SmallVec::new())),
            _ => {
                let list = tuple(size.iter().map(i64::to_string).collect());
                Err(mismatch("output", format!("output size of {list}"), "output size in (o1, o2, ...,oK)"))
            }
        },
        (None, Some(scale)) => {
            let scales: SmallVec<[f64; 3]> = match scale.len() {
                1 => SmallVec::from_elem(scale[0], spatial.len()),
                n if n == spatial.len() => scale.clone(),
                _ => {
                    let list = tuple(scale.iter().map(|&s| py_float(s)).collect());
                    let list = format!("scale_factor of shape {list}");
                    return Err(mismatch("scale_factor", list, "scale_factor in (s1, s2, ...,sK)"));
                }
            };
            let lengths = spatial.iter().zip(&scales).map(|(&n, s)| (n as f64 * s).floor() as i64).collect();
            let scales = if options.recompute_scale_factor { SmallVec::new() } else { scales };
            Ok((lengths, scales))
        }
    }
}

fn check_lengths(shape: &[usize], lengths: &[i64]) -> Result<()> {
    let spatial: SmallVec<[i64; 3]> = shape[2..].iter().map(|&n| n as i64).collect();
    if spatial.iter().chain(lengths).any(|&n| n <= 0) {
        let names = &["D", "H", "W"][3 - lengths.len()..];
        let list = |sizes: &[i64]| {
            names.iter().zip(sizes).map(|(name, n)| format!("{name}: {n}")).collect::<Vec<_>>().join(", ")
        };
        return Err(Error::runtime(format!(
            "Input and output sizes should be greater than 0, but got input ({}) {}output ({})",
            list(&spatial),
            if lengths.len() == 1 { "and " } else { "" },
            list(lengths)
        )));
    }
    match shape[1] {
        0 => Err(Error::runtime(format!(
            "Non-empty {}D data tensor expected but got a tensor with sizes {shape:?}",
            shape.len()
        ))),
        _ => Ok(()),
    }
}

/// A resizing between two shapes: a linear map and its transpose.
#[derive(Clone, Copy)]
struct Resample {
    mode: ResampleMode,
    scales: [f64; 3],
    name: &'static str,
}

impl Resample {
    fn forward(self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let out = self
            .run(x, shape, |src, out| Ok(calls::Resample { mode: self.mode, scales: self.scales, src, out }.run()?))?;
        let from = x.size();
        Ok(record(self.name, &[x], &[], out, move |c| Ok(smallvec![Some(self.transpose(&c.grad(0)?, &from)?)])))
    }

    fn transpose(self, grad: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let out = self.run(grad, shape, |grad, out| {
            Ok(ResampleBackward { mode: self.mode, scales: self.scales, grad, out }.run()?)
        })?;
        let from = grad.size();
        Ok(record("UpsampleBackwardBackward0", &[grad], &[], out, move |c| {
            Ok(smallvec![Some(self.forward(&c.grad(0)?, &from)?)])
        }))
    }

    fn run(self, x: &Tensor, shape: &[usize], kernel: impl FnOnce(&Array, &Array) -> Result<()>) -> Result<Array> {
        let out = fresh(x, shape, x.dtype())?;
        match x.numel() {
            0 => fill(&out, Scalar::Int(0))?,
            _ => kernel(&planes(&x.array(), shape.len() - 2)?, &planes(&out, shape.len() - 2)?)?,
        }
        Ok(out)
    }
}

/// Moves groups of r² channels of `[…, c·r², h, w]` to blocks of r × r pixels, `[…, c, h·r, w·r]` (arXiv 1609.05158):
/// `F.pixel_shuffle`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([1.0, 2.0, 3.0, 4.0]).view([4, 1, 1]);
/// assert_eq!(F::pixel_shuffle(&x, 2).size(), [1, 2, 2]);
/// ```
///
/// # Errors
/// When the number of channels is no multiple of r².
#[op(torch, functional)]
pub fn pixel_shuffle(x: &Tensor, upscale_factor: i64) -> Result<Tensor> {
    let (outer, [c, h, w]) = image(x, "pixel_shuffle", "upscale_factor", upscale_factor)?;
    let r = upscale_factor;
    if c % (r * r) != 0 {
        return Err(Error::runtime(format!(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but \
             input.size(-3)={c} is not divisible by {}",
            r * r
        )));
    }
    let shape = [&outer[..], &[c / (r * r), h * r, w * r]].concat();
    shuffled("PixelShuffleBackward0", x, &[c / (r * r), r, r, h, w], &[0, 1, 4, 2, 5, 3], &shape, move |g| {
        pixel_unshuffle(g, r)
    })
}

/// The inverse of [`pixel_shuffle`]: `F.pixel_unshuffle`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::pixel_unshuffle(&torch::ones([2, 3, 4, 6]), 2).size(), [2, 12, 2, 3]);
/// ```
///
/// # Errors
/// When height or width is no multiple of r.
#[op(torch, functional)]
pub fn pixel_unshuffle(x: &Tensor, downscale_factor: i64) -> Result<Tensor> {
    let (outer, [c, h, w]) = image(x, "pixel_unshuffle", "downscale_factor", downscale_factor)?;
    let r = downscale_factor;
    for (name, dim, n) in [("height", -2, h), ("width", -1, w)] {
        if n % r != 0 {
            return Err(Error::runtime(format!(
                "pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={n} is not \
                 divisible by {r}"
            )));
        }
    }
    let shape = [&outer[..], &[c * r * r, h / r, w / r]].concat();
    shuffled("PixelUnshuffleBackward0", x, &[c, h / r, r, w / r, r], &[0, 1, 3, 5, 2, 4], &shape, move |g| {
        pixel_shuffle(g, r)
    })
}

/// The outer lengths, and channels, height and width.
fn image(x: &Tensor, name: &str, argument: &str, factor: i64) -> Result<(SmallVec<[i64; 6]>, [i64; 3])> {
    let shape = to_i64(&x.size());
    let Some((outer, image)) = shape.split_last_chunk::<3>() else {
        return Err(Error::runtime(format!(
            "{name} expects input to have at least 3 dimensions, but got input with {} dimension(s)",
            shape.len()
        )));
    };
    if factor <= 0 {
        return Err(Error::runtime(format!("{name} expects a positive {argument}, but got {factor}")));
    }
    Ok((outer.into(), *image))
}

/// Splits the last three dimensions into `split`, permutes (the outer dimensions count as one) and takes `shape`.
fn shuffled(
    name: &'static str,
    x: &Tensor,
    split: &[i64],
    order: &[i64],
    shape: &[i64],
    inverse: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let data = x.detach();
    let outer: i64 = shape[..shape.len() - 3].iter().product();
    let split = [&[outer], split].concat();
    let out = reshape(&permute(&reshape(&data, &split)?, order)?, shape)?;
    // A shuffle by one moves nothing, but its result has its own memory.
    let array = out.array().clone();
    let out = if array.storage().ptr_eq(data.array().storage()) { array.copy()? } else { array };
    Ok(record(name, &[x], &[], out, move |c| Ok(smallvec![Some(inverse(&c.grad(0)?)?)])))
}
