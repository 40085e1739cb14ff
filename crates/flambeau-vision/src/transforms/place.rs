//! Steps that resize, crop and pad.

use super::attempt;
use super::draw;
use super::options::{PadOptions, ResizeOptions};
use super::picture::Picture;
use super::sizes::{self, crop_size};
use super::step::Transform;
use super::{InterpolationMode, PaddingMode};
use crate::error::{Error, Result};
use crate::options::{Integers, options};
use flambeau_autograd::OrPanic;

/// Another size: `torchvision.transforms.Resize`.
#[derive(Clone, Debug)]
pub struct Resize {
    size: Vec<i64>,
    options: ResizeOptions,
}

impl Resize {
    /// To (height, width), or to one integer for the shorter edge.
    #[track_caller]
    pub fn new(size: impl Integers) -> Self {
        Self::with(size, |o| o)
    }

    /// [`Resize::new`] with options: `interpolation`, `max_size`, `antialias`.
    #[track_caller]
    pub fn with(size: impl Integers, options: impl FnOnce(ResizeOptions) -> ResizeOptions) -> Self {
        let size = size.integers();
        sizes::two(&size, "If size is a sequence, it should have 1 or 2 values").or_panic();
        Resize { size, options: options(ResizeOptions::default()) }
    }
}

impl<P: Picture> Transform<P> for Resize {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        attempt::resize(&img, &self.size, &self.options)
    }
}

/// The middle: `torchvision.transforms.CenterCrop`.
#[derive(Clone, Debug)]
pub struct CenterCrop {
    size: [i64; 2],
}

impl CenterCrop {
    /// Of (height, width), or a square.
    #[track_caller]
    pub fn new(size: impl Integers) -> Self {
        CenterCrop { size: crop_size(&size.integers()).or_panic() }
    }
}

impl<P: Picture> Transform<P> for CenterCrop {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        attempt::center_crop(&img, &self.size)
    }
}

/// A border: `torchvision.transforms.Pad`.
#[derive(Clone, Debug)]
pub struct Pad {
    padding: Vec<i64>,
    options: PadOptions,
}

impl Pad {
    /// Black, of one width for all sides, (left and right, top and bottom), or (left, top, right, bottom).
    #[track_caller]
    pub fn new(padding: impl Integers) -> Self {
        Self::with(padding, |o| o)
    }

    /// [`Pad::new`] with options: `fill`, `padding_mode`.
    #[track_caller]
    pub fn with(padding: impl Integers, options: impl FnOnce(PadOptions) -> PadOptions) -> Self {
        let padding = padding.integers();
        sizes::sides(&padding).or_panic();
        Pad { padding, options: options(PadOptions::default()) }
    }
}

impl<P: Picture> Transform<P> for Pad {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        attempt::pad(&img, &self.padding, &self.options)
    }
}

options! {
    /// Options of [`RandomCrop`].
    RandomCropOptions {
        /// A border that is put around the image first (none).
        padding: Option<Vec<i64>> = None,
        /// Whether an image smaller than the crop is padded (false).
        pad_if_needed: bool = false,
        /// The value of constant padding (0).
        fill: Vec<f64> = vec![0.0],
        /// What stands around the image (`"constant"`).
        padding_mode: PaddingMode = PaddingMode::Constant,
    }
}

/// A part somewhere: `torchvision.transforms.RandomCrop`.
#[derive(Clone, Debug)]
pub struct RandomCrop {
    size: [i64; 2],
    options: RandomCropOptions,
}

impl RandomCrop {
    /// Of (height, width), or a square.
    #[track_caller]
    pub fn new(size: impl Integers) -> Self {
        Self::with(size, |o| o)
    }

    /// [`RandomCrop::new`] with options: `padding`, `pad_if_needed`, `fill`, `padding_mode`.
    #[track_caller]
    pub fn with(size: impl Integers, options: impl FnOnce(RandomCropOptions) -> RandomCropOptions) -> Self {
        RandomCrop { size: crop_size(&size.integers()).or_panic(), options: options(RandomCropOptions::default()) }
    }

    /// Row, column, height and width of a crop, drawn.
    ///
    /// # Errors
    /// When the image is smaller than the crop.
    pub fn get_params<P: Picture>(img: &P, output_size: [i64; 2]) -> Result<[i64; 4]> {
        let [_, h, w] = img.view().dimensions()?.map(|n| n as i64);
        let [height, width] = output_size;
        if h < height || w < width {
            return Err(Error::Value(format!(
                "Required crop size ({height}, {width}) is larger than input image size ({h}, {w})"
            )));
        }
        if (h, w) == (height, width) {
            return Ok([0, 0, h, w]);
        }
        let top = draw::randint(0, h - height + 1)?;
        Ok([top, draw::randint(0, w - width + 1)?, height, width])
    }

    fn pad<P: Picture>(&self, img: &P, padding: &[i64]) -> Result<P::Owned> {
        attempt::filled_pad(img, padding, &self.options.fill, self.options.padding_mode)
    }
}

impl<P: Picture> Transform<P> for RandomCrop {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let mut img = match &self.options.padding {
            Some(padding) => self.pad(&img, padding)?,
            None => img.keep(),
        };
        let [_, h, w] = img.view().dimensions()?.map(|n| n as i64);
        let [height, width] = self.size;
        if self.options.pad_if_needed && w < width {
            img = self.pad(&img, &[width - w, 0])?;
        }
        if self.options.pad_if_needed && h < height {
            img = self.pad(&img, &[0, height - h])?;
        }
        let [top, left, h, w] = Self::get_params(&img, self.size)?;
        attempt::crop(&img, top, left, h, w)
    }
}

options! {
    /// Options of [`RandomResizedCrop`].
    RandomResizedCropOptions {
        /// The least and the largest part of the area (0.08, 1).
        scale: [f64; 2] = [0.08, 1.0],
        /// The least and the largest width over height (3/4, 4/3).
        ratio: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0],
        /// How values between pixels are found (`"bilinear"`).
        interpolation: InterpolationMode = InterpolationMode::Bilinear,
        /// Whether a smaller tensor is a mean of all pixels that it covers (true).
        antialias: bool = true,
    }
}

/// A part of random size and shape, resized: `torchvision.transforms.RandomResizedCrop`.
#[derive(Clone, Debug)]
pub struct RandomResizedCrop {
    size: [i64; 2],
    options: RandomResizedCropOptions,
}

impl RandomResizedCrop {
    /// To (height, width), or a square.
    #[track_caller]
    pub fn new(size: impl Integers) -> Self {
        Self::with(size, |o| o)
    }

    /// [`RandomResizedCrop::new`] with options: `scale`, `ratio`, `interpolation`, `antialias`.
    #[track_caller]
    pub fn with(
        size: impl Integers,
        options: impl FnOnce(RandomResizedCropOptions) -> RandomResizedCropOptions,
    ) -> Self {
        let size = crop_size(&size.integers()).or_panic();
        RandomResizedCrop { size, options: options(RandomResizedCropOptions::default()) }
    }

    /// Row, column, height and width of a part of the area and shape that the ranges allow, drawn; the middle where ten tries
    /// find none.
    ///
    /// # Errors
    /// When the picture has no height and width.
    pub fn get_params<P: Picture>(img: &P, scale: [f64; 2], ratio: [f64; 2]) -> Result<[i64; 4]> {
        let [_, height, width] = img.view().dimensions()?.map(|n| n as i64);
        let area = (height * width) as f64;
        let rounded = |v: f64| v.round_ties_even() as i64;
        for _ in 0..10 {
            let target = area * draw::uniform(scale)?;
            let aspect = draw::log_uniform(ratio)?;
            let (w, h) = (rounded((target * aspect).sqrt()), rounded((target / aspect).sqrt()));
            if 0 < w && w <= width && 0 < h && h <= height {
                let top = draw::randint(0, height - h + 1)?;
                return Ok([top, draw::randint(0, width - w + 1)?, h, w]);
            }
        }
        let shape = width as f64 / height as f64;
        let (low, high) = (ratio[0].min(ratio[1]), ratio[0].max(ratio[1]));
        let (w, h) = if shape < low {
            (width, rounded(width as f64 / low))
        } else if shape > high {
            (rounded(height as f64 * high), height)
        } else {
            (width, height)
        };
        Ok([(height - h) / 2, (width - w) / 2, h, w])
    }
}

impl<P: Picture> Transform<P> for RandomResizedCrop {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let o = &self.options;
        let [top, left, h, w] = Self::get_params(&img, o.scale, o.ratio)?;
        let part = attempt::crop(&img, top, left, h, w)?;
        let resize = ResizeOptions { interpolation: o.interpolation, max_size: None, antialias: o.antialias };
        attempt::resize(&part, &self.size, &resize)
    }
}
