//! Steps that change colours and sharpness at random.

use super::options::BlurOptions;
use super::picture::Picture;
use super::sizes;
use super::step::Transform;
use super::{attempt, draw, pil, tensor};
use crate::error::Result;
use crate::options::{Integers, Numbers, options};
use flambeau_autograd::OrPanic;

options! {
    /// Options of [`ColorJitter`]. Each is one number x, for factors of 1 ± x (hues ± x), or a range of two.
    JitterOptions {
        /// Factors of brightness (0).
        brightness: Vec<f64> = vec![0.0],
        /// Factors of contrast (0).
        contrast: Vec<f64> = vec![0.0],
        /// Factors of saturation (0).
        saturation: Vec<f64> = vec![0.0],
        /// Turns of the hue, within ±½ (0).
        hue: Vec<f64> = vec![0.0],
    }
}

/// Brightness, contrast, saturation and hue changed at random, in random order: `torchvision.transforms.ColorJitter`.
#[derive(Clone, Debug)]
pub struct ColorJitter {
    /// The ranges of brightness, contrast, saturation and hue; none where nothing is changed.
    ranges: [Option<[f64; 2]>; 4],
}

const NAMES: [&str; 4] = ["brightness", "contrast", "saturation", "hue"];

impl ColorJitter {
    /// With options: `brightness`, `contrast`, `saturation`, `hue`.
    ///
    /// # Panics
    /// When a range is not one.
    #[track_caller]
    pub fn with(options: impl FnOnce(JitterOptions) -> JitterOptions) -> Self {
        let o = options(JitterOptions::default());
        let given = [o.brightness, o.contrast, o.saturation, o.hue];
        let mut ranges = [None; 4];
        for ((range, values), name) in ranges.iter_mut().zip(given).zip(NAMES) {
            *range = jitter_range(&values, name);
        }
        ColorJitter { ranges }
    }

    /// Python's `ColorJitter()`, which changes nothing.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }
}

/// What torchvision makes of one number or two; none for a range that changes nothing.
#[track_caller]
fn jitter_range(values: &[f64], name: &str) -> Option<[f64; 2]> {
    let hue = name == "hue";
    let centre = if hue { 0.0 } else { 1.0 };
    let [low, high] = match *values {
        [x] => {
            assert!(x >= 0.0, "If {name} is a single number, it must be non negative.");
            [if hue { -x } else { (1.0 - x).max(0.0) }, centre + x]
        }
        [low, high] => [low, high],
        _ => panic!("{name} should be a single number or a list/tuple with length 2."),
    };
    let [least, most] = if hue { [-0.5, 0.5] } else { [0.0, f64::INFINITY] };
    if !(least <= low && low <= high && high <= most) {
        let py = flambeau_tensor::print::py_float;
        let bound = if hue { "(-0.5, 0.5)" } else { "(0, inf)" };
        panic!("{name} values should be between {bound}, but got [{}, {}].", py(low), py(high));
    }
    (low != centre || high != centre).then_some([low, high])
}

impl<P: Picture> Transform<P> for ColorJitter {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let order = draw::randperm(4)?;
        let mut factors = [None; 4];
        for (factor, range) in factors.iter_mut().zip(self.ranges) {
            *factor = range.map(draw::uniform).transpose()?;
        }
        let mut img = img.keep();
        for which in order {
            let Some(factor) = factors[which as usize] else { continue };
            img = match which {
                0 => img.map(|i| Ok(pil::adjust_brightness(i, factor)), |x| tensor::adjust_brightness(x, factor))?,
                1 => img.map(|i| Ok(pil::adjust_contrast(i, factor)), |x| tensor::adjust_contrast(x, factor))?,
                2 => img.map(|i| Ok(pil::adjust_saturation(i, factor)), |x| tensor::adjust_saturation(x, factor))?,
                _ => attempt::adjust_hue(&img, factor)?,
            };
        }
        Ok(img)
    }
}

/// Blurred by a Gaussian of random width: `torchvision.transforms.GaussianBlur`.
#[derive(Clone, Debug)]
pub struct GaussianBlur {
    kernel_size: [i64; 2],
    sigma: [f64; 2],
}

impl GaussianBlur {
    /// Over an odd number of pixels, one for both directions or (x, y); the deviation between 0.1 and 2.
    #[track_caller]
    pub fn new(kernel_size: impl Integers) -> Self {
        Self::of(kernel_size, [0.1, 2.0])
    }

    /// [`GaussianBlur::new`] with the option `sigma`: one number, or a range of two.
    #[track_caller]
    pub fn with(kernel_size: impl Integers, options: impl FnOnce(BlurOptions) -> BlurOptions) -> Self {
        let sigma = options(BlurOptions::default()).sigma;
        Self::of(kernel_size, sigma.unwrap_or_else(|| vec![0.1, 2.0]))
    }

    #[track_caller]
    fn of(kernel_size: impl Integers, sigma: impl Numbers) -> Self {
        let size = kernel_size.integers();
        let kernel_size = sizes::two(&size, "Kernel size should be a tuple/list of two integers").or_panic();
        let odd = kernel_size.iter().all(|&k| k > 0 && k % 2 == 1);
        assert!(odd, "Kernel size value should be an odd and positive number.");
        let sigma = match sigma.numbers()[..] {
            [s] => {
                assert!(s > 0.0, "If sigma is a single number, it must be positive.");
                [s, s]
            }
            [low, high] => {
                assert!(0.0 < low && low <= high, "sigma values should be positive and of the form (min, max).");
                [low, high]
            }
            _ => panic!("sigma should be a single number or a list/tuple with length 2."),
        };
        GaussianBlur { kernel_size, sigma }
    }
}

impl<P: Picture> Transform<P> for GaussianBlur {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let sigma = draw::uniform(self.sigma)?;
        attempt::gaussian_blur(&img, &self.kernel_size, &BlurOptions { sigma: Some(vec![sigma]) })
    }
}
