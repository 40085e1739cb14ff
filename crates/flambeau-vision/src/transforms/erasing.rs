//! A box of a tensor overwritten.

use super::picture::Picture;
use super::step::Transform;
use super::{attempt, draw};
use crate::error::{Error, Result};
use crate::options::{Numbers, Setting, options};
use flambeau_autograd::{Tensor, from_vec, ops};
use flambeau_tensor::{DType, Device};

/// What stands in an erased box.
#[derive(Clone, Debug, PartialEq)]
pub enum Eraser {
    /// One number, or one for each channel.
    Value(Vec<f64>),
    /// Normally distributed noise: Python's `"random"`.
    Random,
}

impl<L: Numbers> Setting<Eraser> for L {
    #[track_caller]
    fn setting(self) -> Eraser {
        Eraser::Value(self.numbers())
    }
}

impl Setting<Eraser> for &str {
    #[track_caller]
    fn setting(self) -> Eraser {
        assert!(self == "random", "If value is str, it should be 'random'");
        Eraser::Random
    }
}

options! {
    /// Options of [`RandomErasing`].
    ErasingOptions {
        /// The probability (0.5).
        p: f64 = 0.5,
        /// The least and the largest part of the area (0.02, 0.33).
        scale: [f64; 2] = [0.02, 0.33],
        /// The least and the largest height over width (0.3, 3.3).
        ratio: [f64; 2] = [0.3, 3.3],
        /// What stands in the box: a number, one for each channel, or `"random"` (0).
        value: Eraser = Eraser::Value(vec![0.0]),
        /// Whether the tensor itself is changed (false).
        inplace: bool = false,
    }
}

/// A box of a tensor overwritten, with a probability: `torchvision.transforms.RandomErasing`.
#[derive(Clone, Debug, Default)]
pub struct RandomErasing {
    options: ErasingOptions,
}

impl RandomErasing {
    /// With torchvision's defaults.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `p`, `scale`, `ratio`, `value`, `inplace`.
    ///
    /// # Panics
    /// When the probability or the parts are not between 0 and 1.
    #[track_caller]
    pub fn with(options: impl FnOnce(ErasingOptions) -> ErasingOptions) -> Self {
        let o = options(ErasingOptions::default());
        assert!(o.scale[0] >= 0.0 && o.scale[1] <= 1.0, "Scale should be between 0 and 1");
        assert!((0.0..=1.0).contains(&o.p), "Random erasing probability should be between 0 and 1");
        RandomErasing { options: o }
    }

    /// The box and what stands in it, drawn; none where ten tries find no box that fits.
    fn draw(&self, [c, height, width]: [usize; 3]) -> Result<Option<([i64; 4], Tensor)>> {
        let o = &self.options;
        for _ in 0..10 {
            let area = (height * width) as f64 * draw::uniform(o.scale)?;
            let aspect = draw::log_uniform(o.ratio)?;
            let h = (area * aspect).sqrt().round_ties_even() as usize;
            let w = (area / aspect).sqrt().round_ties_even() as usize;
            if h >= height || w >= width {
                continue;
            }
            let v = match &o.value {
                Eraser::Random => ops::normal_(&ops::empty(&[c, h, w], DType::F32, Device::Cpu)?, 0.0, 1.0, None)?,
                Eraser::Value(values) => ops::to_dtype(&from_vec(values.clone(), [values.len(), 1, 1]), DType::F32)?,
            };
            let [h, w] = [h, w].map(|n| n as i64);
            let i = draw::randint(0, height as i64 - h + 1)?;
            return Ok(Some(([i, draw::randint(0, width as i64 - w + 1)?, h, w], v)));
        }
        Ok(None)
    }
}

impl<P: Picture> Transform<P> for RandomErasing {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        if !draw::chance(self.options.p)? {
            return Ok(img.keep());
        }
        let size = img.view().dimensions()?;
        if let Eraser::Value(values) = &self.options.value
            && values.len() != 1
            && values.len() != size[0]
        {
            return Err(Error::Value(format!(
                "If value is a sequence, it should have either a single value or {} (number of input channels)",
                size[0]
            )));
        }
        match self.draw(size)? {
            Some((place, v)) => attempt::erase(&img, place, &v, self.options.inplace),
            None => img.map(
                |_| Err(Error::Value("img should be Tensor Image. Got <class 'PIL.Image.Image'>".into())),
                |x| Ok(x.shallow_clone()),
            ),
        }
    }
}
