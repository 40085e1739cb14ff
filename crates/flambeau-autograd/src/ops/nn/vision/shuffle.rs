//! Shuffles between channels and pixels, and of channels.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::{permute, reshape, to_i64};
use flambeau_macros::op;
use smallvec::{SmallVec, smallvec};

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

/// Deals the channels of `[n, c, …]` out: c is split into `groups` and the groups are interleaved, so that channel i of group j
/// becomes channel i·groups + j (arXiv 1707.01083): `F.channel_shuffle`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::arange(4.0).view([1, 4, 1]);
/// assert_eq!(F::channel_shuffle(&x, 2).to_vec::<f32>(), [0.0, 2.0, 1.0, 3.0]);
/// ```
///
/// # Errors
/// Of less than three dimensions, and when the number of channels is no multiple of `groups`.
#[op(torch, functional)]
pub fn channel_shuffle(x: &Tensor, groups: i64) -> Result<Tensor> {
    let shape = to_i64(&x.size());
    let &[n, channels, ..] = &shape[..] else { return Err(few_dims(&shape)) };
    if shape.len() < 3 {
        return Err(few_dims(&shape));
    }
    if groups <= 0 {
        return Err(Error::runtime(format!(
            "Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )));
    }
    if channels % groups != 0 {
        return Err(Error::runtime(format!(
            "Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )));
    }
    let per_group = channels / groups;
    let inner: i64 = shape[2..].iter().product();
    let data = x.detach();
    let split = reshape(&data, &[n, groups, per_group, inner])?;
    let out = split.array().permute(&[0, 2, 1, 3])?.copy()?.view(&shape)?;
    Ok(record("ChannelShuffleBackward0", &[x], &[], out, move |c| {
        Ok(smallvec![Some(channel_shuffle(&c.grad(0)?, per_group)?)])
    }))
}

fn few_dims(shape: &[i64]) -> Error {
    Error::runtime(format!("channel_shuffle expects input with > 2 dims, but got input with sizes {shape:?}"))
}
