//! Resizing: `F.interpolate` in all its modes. The nearest and linear ones are kernels.

use super::weighted::{Axis, Filter, resize};
use crate::arguments::Number;
use crate::error::{Error, Result};
use crate::graph::record;
use crate::mode::cast_for;
use crate::ops::nn::pool::{fresh, planes};
use crate::ops::{adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, clamp, round, to_dtype};
use crate::registry::{Cast, Casts};
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
    /// The element that the centre of the new one falls on: ⌊(i + ½) / scale⌋.
    NearestExact,
    /// Linear between neighbours, for `[n, c, l]`.
    Linear,
    /// Linear in both directions, for `[n, c, h, w]`.
    Bilinear,
    /// Cubic in both directions, for `[n, c, h, w]`.
    Bicubic,
    /// Linear in three directions, for `[n, c, d, h, w]`.
    Trilinear,
    /// A windowed sinc over six neighbours in both directions, for `[n, c, h, w]`; needs `antialias`.
    Lanczos,
    /// The mean over windows that tile the input: adaptive average pooling.
    Area,
}

impl InterpolateMode {
    /// PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            InterpolateMode::Nearest => "nearest",
            InterpolateMode::NearestExact => "nearest-exact",
            InterpolateMode::Linear => "linear",
            InterpolateMode::Bilinear => "bilinear",
            InterpolateMode::Bicubic => "bicubic",
            InterpolateMode::Trilinear => "trilinear",
            InterpolateMode::Lanczos => "lanczos",
            InterpolateMode::Area => "area",
        }
    }

    /// The spatial dimensions that the mode is for, if it is for some only.
    fn spatial(self) -> Option<usize> {
        match self {
            InterpolateMode::Linear => Some(1),
            InterpolateMode::Bilinear | InterpolateMode::Bicubic | InterpolateMode::Lanczos => Some(2),
            InterpolateMode::Trilinear => Some(3),
            InterpolateMode::Nearest | InterpolateMode::NearestExact | InterpolateMode::Area => None,
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
        let all = [Nearest, NearestExact, Linear, Bilinear, Bicubic, Trilinear, Lanczos, Area];
        all.into_iter().find(|mode| mode.name() == name).ok_or_else(|| {
            not_implemented(format!(
                "interpolation mode {name} is not supported: use nearest | linear | bilinear | bicubic | trilinear | lanczos | \
                 area | nearest-exact"
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
        /// How values between elements are found: `"nearest"`, `"nearest-exact"`, `"linear"`, `"bilinear"`, `"bicubic"`,
        /// `"trilinear"`, `"lanczos"` or `"area"` (`"nearest"`).
        mode: InterpolateMode = InterpolateMode::Nearest,
        /// Whether the corner elements' centres stay where they are, in linear and cubic modes (false).
        align_corners: Option<bool> = None,
        /// Whether the scale is computed from the rounded output lengths (false).
        recompute_scale_factor: bool = false,
        /// Whether an output is a mean of all inputs that it covers, in the modes `"bilinear"`, `"bicubic"` and `"lanczos"`
        /// (false).
        antialias: bool = false,
        /// The output's spatial lengths, one for all or one per dimension.
        size: Option<SmallVec<[i64; 6]>> = None,
        /// Output over input lengths, one for all or one per dimension.
        scale_factor: Option<Scales> = None,
    }
}

/// Factors per spatial dimension as the caller gave them: one number stands for all.
pub type Scales = SmallVec<[f64; 3]>;

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
#[op(functional, forms(interpolate(options: InterpolateOptions) = (options)))]
pub fn interpolate(x: &Tensor, options: &InterpolateOptions) -> Result<Tensor> {
    // Areas are pools, which have policies of their own.
    let casts = match options.mode {
        InterpolateMode::Area => Casts::NONE,
        _ => Casts { cpu: Cast::None, gpu: Cast::Float32 },
    };
    cast_for(casts, x, |x| resized(x, options))
}

fn resized(x: &Tensor, options: &InterpolateOptions) -> Result<Tensor> {
    let mode = options.mode;
    if x.dtype() == DType::U8 && mode != InterpolateMode::Area {
        // Pixels: computed in f32 and rounded to the nearest byte; cubic weights overshoot.
        let pixels = round(&interpolate(&to_dtype(x, DType::F32)?, options)?)?;
        return to_dtype(&clamp(&pixels, Some(Scalar::Int(0)), Some(Scalar::Int(255)))?, DType::U8);
    }
    let unaligned = [InterpolateMode::Nearest, InterpolateMode::NearestExact, InterpolateMode::Area];
    if unaligned.contains(&mode) && options.align_corners.is_some() {
        return Err(Error::value(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
        ));
    }
    let shape = x.size();
    let ndim = shape.len().saturating_sub(2);
    let (lengths, scales) = output_lengths(shape.get(2..).unwrap_or_default(), options)?;
    let filter = match mode {
        InterpolateMode::Bilinear => Some(Filter::Triangle),
        InterpolateMode::Bicubic => Some(Filter::Cubic),
        InterpolateMode::Lanczos => Some(Filter::Lanczos),
        _ => None,
    };
    if options.antialias && (filter.is_none() || ndim != 2) {
        return Err(Error::value(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input",
        ));
    }
    let other = mode.spatial().filter(|&n| n != ndim);
    let planar = matches!(mode, InterpolateMode::Bicubic | InterpolateMode::Lanczos);
    if !(1..=3).contains(&ndim) || other.is_some() && planar {
        return Err(not_implemented(format!(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got {}D) for the modes: nearest | linear | bilinear | \
             bicubic | trilinear | lanczos | area | nearest-exact (got {})",
            shape.len(),
            mode.name()
        )));
    }
    if let Some(n) = other {
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
    let aligned = options.align_corners.unwrap_or(false);
    if mode == InterpolateMode::Lanczos {
        if aligned {
            return Err(Error::value("Lanczos mode does not support align_corners=True"));
        }
        if !options.antialias {
            return Err(Error::value("Lanczos mode requires antialias=True"));
        }
    }
    check_lengths(&shape, &lengths)?;
    if let Some(filter) = filter.filter(|_| options.antialias || planar) {
        let axis = |d: usize| Axis {
            from: shape[d + 2],
            to: lengths[d] as usize,
            scale: scales.get(d).copied(),
            align_corners: aligned,
        };
        return resize(x, [axis(0), axis(1)], filter, options.antialias);
    }
    let (resample, names) = match mode {
        InterpolateMode::Nearest => {
            let names = ["UpsampleNearest1DBackward0", "UpsampleNearest2DBackward0", "UpsampleNearest3DBackward0"];
            (ResampleMode::Nearest, names)
        }
        InterpolateMode::NearestExact => {
            let names = [
                "UpsampleNearestExact1DBackward0",
                "UpsampleNearestExact2DBackward0",
                "UpsampleNearestExact3DBackward0",
            ];
            (ResampleMode::NearestExact, names)
        }
        _ => {
            let names = ["UpsampleLinear1DBackward0", "UpsampleBilinear2DBackward0", "UpsampleTrilinear3DBackward0"];
            (ResampleMode::Linear { align_corners: aligned }, names)
        }
    };
    // Where a length stays or doubles, PyTorch's kernels for nearest images and for the gradients of all nearest modes do not look
    // at the scale, nor do the linear ones where it stays.
    let (mut all, mut back) = ([1.0; 3], [1.0; 3]);
    for d in 0..ndim {
        let (from, to) = (shape[d + 2] as f64, lengths[d] as f64);
        let own = scales.get(d).copied().unwrap_or(to / from);
        let whole = if to == from || to == 2.0 * from && mode == InterpolateMode::Nearest { to / from } else { own };
        (all[3 - ndim + d], back[3 - ndim + d]) = match mode {
            InterpolateMode::NearestExact => (own, own),
            InterpolateMode::Nearest if ndim != 2 => (own, whole),
            _ => (whole, whole),
        };
    }
    let mut to: Dims = shape[..2].into();
    to.extend(lengths.iter().map(|&n| n as usize));
    Resample { mode: resample, scales: all, back, name: names[ndim - 1] }.forward(x, &to)
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
    /// The scales of the transpose.
    back: [f64; 3],
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
            Ok(ResampleBackward { mode: self.mode, scales: self.back, grad, out }.run()?)
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
