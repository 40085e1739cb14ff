//! Dropout in its variants, and samples with given probabilities.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::{Place, add_, copy, device_samples, mul, mul_, random_in_place, squeeze, unsqueeze, zeros};
use crate::{Tensor, warn};
use flambeau_device::default_generator;
use flambeau_macros::op;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::random::{Generator, bernoulli_p, multinomial as draw_categories};
use flambeau_tensor::{Array, DType, Element};
use smallvec::{SmallVec, smallvec};

/// −α·scale of SELU, the value that alpha dropout puts in place of a dropped element.
const ALPHA: f64 = 1.758_099_340_847_376_6;

fn check_probability(p: f64) -> Result<()> {
    match (0.0..=1.0).contains(&p) {
        true => Ok(()),
        false => Err(Error::value(format!(
            "dropout probability has to be between 0 and 1, but got {}",
            flambeau_tensor::print::py_float(p)
        ))),
    }
}

/// The shape of the mask: the input's, or its first two dimensions where whole features are dropped.
fn mask_shape(x: &Tensor, features: bool) -> Result<SmallVec<[usize; 6]>> {
    let mut shape: SmallVec<[usize; 6]> = x.size().as_ref().into();
    if features {
        if shape.len() < 2 {
            return Err(Error::runtime("Feature dropout requires at least 2 dimensions in the input"));
        }
        shape[2..].fill(1);
    }
    Ok(shape)
}

/// Ones with probability 1 − p, else zeros.
#[track_caller]
fn keep_mask(x: &Tensor, features: bool, p: f64) -> Result<Tensor> {
    let shape = mask_shape(x, features)?;
    let array = match features {
        // The mask lies in memory as the input does, and the stream runs in the order of memory.
        false => copy::empty_like(&x.array())?,
        true => copy::empty(&shape, x.dtype(), x.device())?,
    };
    random_in_place(&array.into(), Distribution::Bernoulli { p: 1.0 - p }, None)
}

/// The factor that drops and rescales; `None` where nothing changes.
#[track_caller]
fn factor(x: &Tensor, p: f64, training: bool, features: bool) -> Result<Option<Tensor>> {
    check_probability(p)?;
    if p == 0.0 || !training || x.numel() == 0 {
        return Ok(None);
    }
    if p == 1.0 {
        return zeros(&[], x.dtype(), x.device()).map(Some);
    }
    let mask = keep_mask(x, features, p)?;
    crate::ops::div_(&mask, 1.0 - p)?;
    Ok(Some(mask))
}

/// x times a factor.
#[track_caller]
fn times(x: &Tensor, factor: &Tensor, place: Place) -> Result<Tensor> {
    if place.is_first() { mul_(x, factor) } else { mul(x, factor) }
}

#[track_caller]
fn dropped(x: &Tensor, p: f64, training: bool, features: bool, place: Place) -> Result<Tensor> {
    match factor(x, p, training, features)? {
        Some(factor) => times(x, &factor, place),
        None => Ok(x.shallow_clone()),
    }
}

/// Zeroes elements with probability p and divides the others by 1 − p, so that the mean stays, while training; else nothing
/// changes: `F.dropout`. The mask is drawn as PyTorch draws it: `bernoulli_(1 − p)` over the input's memory.
///
/// # Errors
/// When p is not within [0, 1].
///
/// ```
/// use torch::nn::functional as F;
/// torch::manual_seed(0);
/// let y = F::dropout(&torch::ones([100]), 0.5, true);
/// assert!(y.to_vec::<f32>().iter().all(|&y| y == 0.0 || y == 2.0));
/// assert_eq!(F::dropout(&torch::ones([2]), 0.5, false).to_vec::<f32>(), [1.0, 1.0]);
/// ```
#[op(torch, functional, positional, default(p = 0.5, training = true))]
pub fn dropout(input: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    dropped(input, p, training, false, place)
}

/// Zeroes whole features, with all that follows the first two dimensions, with probability p and divides the others by 1 − p:
/// `torch.feature_dropout`.
///
/// # Errors
/// When p is not within [0, 1], and for less than two dimensions.
///
/// ```
/// let y = torch::feature_dropout(&torch::ones([1, 8, 5]), 0.5, true);
/// let channels = y.amax_dim(2, false);
/// assert!(torch::equal(&y.sum_dim(2, false), &(channels * 5.0)));
/// ```
#[op(torch)]
pub fn feature_dropout(input: &Tensor, p: f64, train: bool, place: Place) -> Result<Tensor> {
    dropped(input, p, train, true, place)
}

/// [`feature_dropout`] of an input without a batch.
#[track_caller]
fn unbatched(x: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    if !place.is_first() {
        return squeeze(&feature_dropout(&unsqueeze(x, 0)?, p, training)?, Some(&[0]));
    }
    match factor(&unsqueeze(&x.detach(), 0)?, p, training, true)? {
        Some(factor) if factor.dim() > 0 => mul_(x, &squeeze(&factor, Some(&[0]))?),
        Some(factor) => mul_(x, &factor),
        None => Ok(x.shallow_clone()),
    }
}

/// Zeroes whole channels of `[n, c, l]` or `[c, l]` with probability p and divides the others by 1 − p, while training:
/// `F.dropout1d`.
///
/// # Errors
/// When p is not within [0, 1], and for other numbers of dimensions.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::dropout1d(&torch::ones([4, 3]), 0.5, true);
/// assert_eq!(y.amin_dim(1, false).to_vec::<f32>(), y.amax_dim(1, false).to_vec::<f32>()); // a channel stays or goes as a whole
/// ```
#[op(functional, positional, default(p = 0.5, training = true))]
pub fn dropout1d(input: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    check_probability(p)?;
    match input.dim() {
        2 => unbatched(input, p, training, place),
        3 => dropped(input, p, training, true, place),
        n => Err(Error::runtime(format!(
            "dropout1d: Expected 2D or 3D input, but received a {n}D input. Note that dropout1d exists to provide \
             channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension \
             (i.e. 2D or 3D inputs)."
        ))),
    }
}

/// Warns of an input without spatial dimensions, or with too many.
#[track_caller]
fn unusual(n: usize, spatial: usize) {
    warn(&format!(
        "dropout{spatial}d: Received a {n}-D input to dropout{spatial}d, which is deprecated and will result in an error in a \
         future release. To retain the behavior and silence this warning, please use dropout instead. Note that \
         dropout{spatial}d exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, a channel \
         dimension, and an optional batch dimension (i.e. {}D or {}D inputs).",
        spatial + 1,
        spatial + 2
    ));
}

/// Zeroes whole channels of `[n, c, h, w]` with probability p and divides the others by 1 − p, while training: `F.dropout2d`. As
/// in PyTorch, `[n, c, l]` drops channels of its own.
///
/// # Errors
/// When p is not within [0, 1], and for less than two dimensions.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::dropout2d(&torch::ones([2, 3, 4, 4]), 0.5, true);
/// let (low, high) = (y.amin_dim([2, 3], false), y.amax_dim([2, 3], false));
/// assert!(torch::equal(&low, &high));
/// ```
#[op(functional, positional, default(p = 0.5, training = true))]
pub fn dropout2d(input: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    check_probability(p)?;
    match input.dim() {
        4 => {}
        3 => drop(warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input is \
             interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future release to \
             interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise \
             dropout behavior, please switch to using dropout1d instead.",
        )),
        n => unusual(n, 2),
    }
    dropped(input, p, training, true, place)
}

/// Zeroes whole channels of `[n, c, d, h, w]` or `[c, d, h, w]` with probability p and divides the others by 1 − p, while
/// training: `F.dropout3d`.
///
/// # Errors
/// When p is not within [0, 1].
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::dropout3d(&torch::ones([8, 2, 2, 2]), 0.25, true);
/// assert!(y.to_vec::<f32>().chunks(8).all(|channel| channel.iter().all(|&y| y == channel[0])));
/// ```
#[op(functional, positional, default(p = 0.5, training = true))]
pub fn dropout3d(input: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    check_probability(p)?;
    if !matches!(input.dim(), 4 | 5) {
        unusual(input.dim(), 3);
    }
    match input.dim() {
        5 => dropped(input, p, training, true, place),
        _ => unbatched(input, p, training, place),
    }
}

/// Dropout that keeps the mean and variance of SELU's outputs: with probability p an element becomes SELU's limit −1.758, then
/// all are scaled and shifted: `F.alpha_dropout`.
///
/// # Errors
/// When p is not within [0, 1].
///
/// ```
/// use torch::nn::functional as F;
/// torch::manual_seed(0);
/// let y = F::alpha_dropout(&torch::randn([1000]), 0.5, true);
/// assert!(y.mean().item().abs() < 0.1 && (y.std().item() - 1.0).abs() < 0.1);
/// ```
#[op(torch, functional, positional, default(p = 0.5, training = false))]
pub fn alpha_dropout(input: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    alpha_dropped(input, p, training, false, place)
}

/// [`alpha_dropout`] of whole channels, with all that follows the first two dimensions: `F.feature_alpha_dropout`.
///
/// # Errors
/// When p is not within [0, 1], and for less than two dimensions.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::feature_alpha_dropout(&torch::ones([2, 3, 4]), 0.5, true);
/// assert!(torch::equal(&y.amin_dim(2, false), &y.amax_dim(2, false)));
/// ```
#[op(torch, functional, positional, default(p = 0.5, training = false))]
pub fn feature_alpha_dropout(input: &Tensor, p: f64, training: bool, place: Place) -> Result<Tensor> {
    alpha_dropped(input, p, training, true, place)
}

#[track_caller]
fn alpha_dropped(x: &Tensor, p: f64, training: bool, features: bool, place: Place) -> Result<Tensor> {
    check_probability(p)?;
    if p == 0.0 || !training || x.numel() == 0 {
        return Ok(x.shallow_clone());
    }
    if p == 1.0 {
        return times(x, &zeros(&[], x.dtype(), x.device())?, place);
    }
    let mask = keep_mask(x, features, p)?;
    let a = 1.0 / ((ALPHA * ALPHA * p + 1.0) * (1.0 - p)).sqrt();
    // (mask − 1)·α·a + α·a·p, and mask·a.
    let shift = crate::ops::sub(&mask, 1, 1)?;
    mul_(&shift, ALPHA * a)?;
    add_(&shift, ALPHA * a * p, 1)?;
    mul_(&mask, a)?;
    let scaled = times(x, &mask, place)?;
    if place.is_first() { add_(&scaled, &shift, 1) } else { crate::ops::add(&scaled, &shift, 1) }
}

/// One with the probability that each element names, else zero, in its dtype: `torch.bernoulli`. The gradient is zero.
///
/// # Errors
/// When an element is not within [0, 1], and for integers and bools.
///
/// ```
/// let p = torch::tensor([0.0, 1.0, 1.0]);
/// assert_eq!(p.bernoulli().to_vec::<f32>(), [0.0, 1.0, 1.0]);
/// ```
#[op(torch, method, forms(bernoulli() = (None)))]
pub fn bernoulli(x: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    fn draw<T: Element + flambeau_tensor::random::RandomFloat>(p: &Tensor, generator: &Generator) -> Result<Array> {
        let data = p.array().to_vec::<T>()?;
        let mut out = vec![T::default(); data.len()];
        bernoulli_p(generator, &mut out, &data).map_err(flambeau_tensor::Error::from)?;
        Ok(Array::from_slice(p.array().backend(), p.device(), &out, &p.size())?)
    }
    let host = x.device().is_cpu();
    let generator = generator_for(x, generator)?;
    let out = match x.dtype() {
        dtype if !host && dtype.is_floating_point() => device_samples::bernoulli(x, Some(generator))?.array().clone(),
        DType::F32 => draw::<f32>(x, generator)?,
        DType::F64 => draw::<f64>(x, generator)?,
        DType::F16 => draw::<half::f16>(x, generator)?,
        DType::BF16 => draw::<half::bf16>(x, generator)?,
        dtype => {
            return Err(flambeau_tensor::Error::NotImplementedFor { op: "bernoulli_tensor_cpu_p_", dtype }.into());
        }
    };
    Ok(record("BernoulliBackward0", &[x], &[], out, |c| {
        let grad = c.grad(0)?;
        Ok(smallvec![Some(zeros(&grad.size(), grad.dtype(), grad.device())?)])
    }))
}

/// The generator to draw from.
pub(super) fn generator_for<'a>(x: &Tensor, generator: Option<&'a Generator>) -> Result<&'a Generator>
where
    'static: 'a,
{
    Ok(match generator {
        Some(g) => g,
        None => default_generator(x.device())?,
    })
}

/// Indices drawn in proportion to the weights of each row of `[categories]` or `[rows, categories]`, with or without
/// replacement, int64: `torch.multinomial`.
///
/// # Errors
/// When weights are negative, infinite or NaN, when a row has none above zero, and when more are drawn without replacement than
/// there are categories.
///
/// ```
/// let weights = torch::tensor([0.0, 3.0, 0.0]);
/// assert_eq!(weights.multinomial_with(2, |o| o.replacement(true)).to_vec::<i64>(), [1, 1]);
/// let g = torch::Generator::new();
/// let x = torch::ones(9).multinomial_with(9, |o| o.generator(&g.manual_seed(1)));
/// assert!(x.equal(&torch::ones(9).multinomial_with(9, |o| o.generator(&g.manual_seed(1)))));
/// ```
#[op(torch, method, not_differentiable, default(replacement = false, generator = None))]
pub fn multinomial(
    weights: &Tensor,
    num_samples: usize,
    replacement: bool,
    generator: Option<&Generator>,
) -> Result<Tensor> {
    let (shape, dtype) = (weights.size(), weights.dtype());
    if !matches!(shape.len(), 1 | 2) {
        return Err(Error::runtime("prob_dist must be 1 or 2 dim"));
    }
    if !dtype.is_floating_point() {
        return Err(Error::runtime(format!(
            "multinomial only supports floating-point dtypes for input, got: {}",
            dtype.scalar_type_name()
        )));
    }
    if num_samples == 0 {
        return Err(Error::runtime("cannot sample n_sample <= 0 samples"));
    }
    let categories = shape[shape.len() - 1];
    if !replacement && num_samples > categories {
        return Err(Error::runtime("cannot sample n_sample > prob_dist.size(-1) samples without replacement"));
    }
    let generator = generator_for(weights, generator)?;
    let mut to: SmallVec<[usize; 2]> = shape.as_ref().into();
    to[shape.len() - 1] = num_samples;
    let detached = weights.detach();
    let host = weights.device().is_cpu();
    if replacement && num_samples > 1 && host {
        return with_replacement(&detached, categories, &to, generator);
    }
    let valid = crate::ops::logical_and(&crate::ops::isfinite(&detached)?, &crate::ops::ge(&detached, 0)?)?;
    if !crate::ops::all(&valid, None, false)?.array().item()?.to_bool() {
        return Err(Error::runtime("probability tensor contains either `inf`, `nan` or element < 0"));
    }
    let empty_rows = crate::ops::eq(&crate::ops::amax(&detached, &[-1], false)?, 0)?;
    if crate::ops::any(&empty_rows, None, false)?.array().item()?.to_bool() {
        return Err(Error::runtime("invalid multinomial distribution (sum of probabilities <= 0)"));
    }
    if replacement && num_samples > 1 {
        return device_samples::with_replacement(&detached, &to, Some(generator));
    }
    // The largest of weight / Exp(1), or the largest several, are a sample without replacement.
    let draws = copy::empty_like(&weights.array())?.into();
    random_in_place(&draws, Distribution::Exponential { rate: 1.0 }, Some(generator))?;
    let keys = crate::ops::div(&detached, &draws)?;
    let last = shape.len() - 1;
    let (_, indices) =
        flambeau_tensor::ops::sort(flambeau_tensor::backend::Extremum::Max, &keys.array(), last, num_samples)?;
    Ok(indices.into())
}

fn with_replacement(weights: &Tensor, categories: usize, shape: &[usize], generator: &Generator) -> Result<Tensor> {
    fn draw<T: Element + flambeau_tensor::random::RandomFloat>(
        weights: &Tensor,
        categories: usize,
        out: &mut [i64],
        generator: &Generator,
    ) -> Result<()> {
        let data = weights.array().to_vec::<T>()?;
        Ok(draw_categories(generator, &data, categories, out).map_err(flambeau_tensor::Error::from)?)
    }
    let mut out = vec![0i64; shape.iter().product()];
    match weights.dtype() {
        DType::F16 => draw::<half::f16>(weights, categories, &mut out, generator)?,
        DType::BF16 => draw::<half::bf16>(weights, categories, &mut out, generator)?,
        DType::F64 => draw::<f64>(weights, categories, &mut out, generator)?,
        _ => draw::<f32>(weights, categories, &mut out, generator)?,
    }
    Ok(Array::from_slice(weights.array().backend(), weights.device(), &out, shape)?.into())
}
