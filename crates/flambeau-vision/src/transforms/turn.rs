//! Steps that turn, shear and bend at random.

use super::InterpolationMode;
use super::options::{AffineOptions, PerspectiveOptions, RotateOptions};
use super::picture::Picture;
use super::step::Transform;
use super::{attempt, draw, tensor};
use crate::error::Result;
use crate::options::{Numbers, options, pair};
use flambeau_autograd::Tensor;
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::paths::torch::cat;

/// A range of angles: ± one number, or two.
#[track_caller]
fn angles(values: &[f64], name: &str) -> Vec<f64> {
    match *values {
        [x] => {
            assert!(x >= 0.0, "If {name} is a single number, it must be positive.");
            vec![-x, x]
        }
        _ => values.to_vec(),
    }
}

/// Turned by a random angle: `torchvision.transforms.RandomRotation`.
#[derive(Clone, Debug)]
pub struct RandomRotation {
    degrees: [f64; 2],
    options: RotateOptions,
}

impl RandomRotation {
    /// By an angle within ± one number of degrees, or between two, counterclockwise.
    #[track_caller]
    pub fn new(degrees: impl Numbers) -> Self {
        Self::with(degrees, |o| o)
    }

    /// [`RandomRotation::new`] with options: `interpolation`, `expand`, `center`, `fill`.
    #[track_caller]
    pub fn with(degrees: impl Numbers, options: impl FnOnce(RotateOptions) -> RotateOptions) -> Self {
        let degrees = angles(&degrees.numbers(), "degrees");
        assert!(degrees.len() == 2, "degrees should be a sequence of length 2.");
        let defaults = RotateOptions { fill: Some(vec![0.0]), ..RotateOptions::default() };
        RandomRotation { degrees: pair(&degrees), options: options(defaults) }
    }
}

impl<P: Picture> Transform<P> for RandomRotation {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        img.view().dimensions()?;
        attempt::rotate(&img, draw::uniform(self.degrees)?, &self.options)
    }
}

options! {
    /// Options of [`RandomAffine`].
    RandomAffineOptions {
        /// The largest shifts along x and y, as parts of width and height (none).
        translate: Option<[f64; 2]> = None,
        /// The least and the largest scale (none).
        scale: Option<[f64; 2]> = None,
        /// Degrees of shear: ± one number along x, a range of two along x, or two ranges along x and y (none).
        shear: Option<Vec<f64>> = None,
        /// How values between pixels are found (`"nearest"`).
        interpolation: InterpolationMode = InterpolationMode::Nearest,
        /// The value outside the image (0).
        fill: Vec<f64> = vec![0.0],
        /// The pixel that turns and shears leave where it is (the image's middle).
        center: Option<[f64; 2]> = None,
    }
}

/// Turned, shifted, scaled and sheared at random: `torchvision.transforms.RandomAffine`.
#[derive(Clone, Debug)]
pub struct RandomAffine {
    degrees: [f64; 2],
    options: RandomAffineOptions,
}

impl RandomAffine {
    /// Turned by an angle within ± one number of degrees, or between two, clockwise.
    #[track_caller]
    pub fn new(degrees: impl Numbers) -> Self {
        Self::with(degrees, |o| o)
    }

    /// [`RandomAffine::new`] with options: `translate`, `scale`, `shear`, `interpolation`, `fill`, `center`.
    ///
    /// # Panics
    /// For shifts that are not between 0 and 1, and scales that are not positive.
    #[track_caller]
    pub fn with(degrees: impl Numbers, options: impl FnOnce(RandomAffineOptions) -> RandomAffineOptions) -> Self {
        let degrees = angles(&degrees.numbers(), "degrees");
        assert!(degrees.len() == 2, "degrees should be a sequence of length 2.");
        let mut options = options(RandomAffineOptions::default());
        let shifts = options.translate.unwrap_or_default();
        assert!(shifts.iter().all(|t| (0.0..=1.0).contains(t)), "translation values should be between 0 and 1");
        assert!(options.scale.is_none_or(|s| s.iter().all(|&s| s > 0.0)), "scale values should be positive");
        options.shear = options.shear.map(|shear| angles(&shear, "shear"));
        let shears = options.shear.as_ref().map_or(2, Vec::len);
        assert!(shears == 2 || shears == 4, "shear should be a sequence of length 2 or 4.");
        RandomAffine { degrees: pair(&degrees), options }
    }

    /// Angle, shifts, scale and shears for an image of a width and height, drawn.
    fn draw(&self, width: f64, height: f64) -> Result<(f64, [f64; 2], f64, [f64; 2])> {
        let o = &self.options;
        let angle = draw::uniform(self.degrees)?;
        let mut shift = [0.0; 2];
        if let Some([x, y]) = o.translate {
            for (shift, most) in shift.iter_mut().zip([x * width, y * height]) {
                *shift = draw::uniform([-most, most])?.round_ties_even();
            }
        }
        let scale = o.scale.map_or(Ok(1.0), draw::uniform)?;
        let mut shear = [0.0; 2];
        if let Some(ranges) = &o.shear {
            for (shear, range) in shear.iter_mut().zip(ranges.as_chunks::<2>().0) {
                *shear = draw::uniform(*range)?;
            }
        }
        Ok((angle, shift, scale, shear))
    }
}

impl<P: Picture> Transform<P> for RandomAffine {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let [_, h, w] = img.view().dimensions()?;
        let (angle, shift, scale, shear) = self.draw(w as f64, h as f64)?;
        let o = &self.options;
        let options = AffineOptions { interpolation: o.interpolation, fill: Some(o.fill.clone()), center: o.center };
        attempt::affine(&img, angle, shift, scale, shear, &options)
    }
}

options! {
    /// Options of [`RandomPerspective`].
    RandomPerspectiveOptions {
        /// How far the corners go towards the middle: 0 to 1 (0.5).
        distortion_scale: f64 = 0.5,
        /// The probability of the change (0.5).
        p: f64 = 0.5,
        /// How values between pixels are found (`"bilinear"`).
        interpolation: InterpolationMode = InterpolationMode::Bilinear,
        /// The value outside the image (0).
        fill: Vec<f64> = vec![0.0],
    }
}

/// Four corners `[x, y]`, clockwise from the upper left one.
pub type Corners = [[i64; 2]; 4];

/// Seen from a random side, with a probability: `torchvision.transforms.RandomPerspective`.
#[derive(Clone, Debug, Default)]
pub struct RandomPerspective {
    options: RandomPerspectiveOptions,
}

impl RandomPerspective {
    /// With probability ½, corners moved by up to a quarter of the image.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// [`RandomPerspective::new`] with options: `distortion_scale`, `p`, `interpolation`, `fill`.
    pub fn with(options: impl FnOnce(RandomPerspectiveOptions) -> RandomPerspectiveOptions) -> Self {
        RandomPerspective { options: options(RandomPerspectiveOptions::default()) }
    }

    /// The corners of an image and where they go, drawn.
    ///
    /// # Errors
    /// None on the CPU.
    pub fn get_params(width: impl Int, height: impl Int, distortion_scale: f64) -> Result<(Corners, Corners)> {
        let (w, h) = (width.to_i64(), height.to_i64());
        let reach = |length: i64| (distortion_scale * (length / 2) as f64) as i64;
        let (across, down) = (reach(w), reach(h));
        let near = |reach: i64| draw::randint(0, reach + 1);
        let far = |reach: i64, length: i64| draw::randint(length - reach - 1, length);
        let start = [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]];
        let end = [
            [near(across)?, near(down)?],
            [far(across, w)?, near(down)?],
            [far(across, w)?, far(down, h)?],
            [near(across)?, far(down, h)?],
        ];
        Ok((start, end))
    }
}

impl<P: Picture> Transform<P> for RandomPerspective {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let [_, h, w] = img.view().dimensions()?;
        let o = &self.options;
        if !draw::chance(o.p)? {
            return Ok(img.keep());
        }
        let (start, end) = Self::get_params(w, h, o.distortion_scale)?;
        let options = PerspectiveOptions { interpolation: o.interpolation, fill: Some(o.fill.clone()) };
        attempt::perspective(&img, &start, &end, &options)
    }
}

options! {
    /// Options of [`ElasticTransform`].
    ElasticOptions {
        /// How far pixels go, one number or one along x and one along y (50).
        alpha: Vec<f64> = vec![50.0],
        /// How smooth the displacements are, one number or one along x and one along y (5).
        sigma: Vec<f64> = vec![5.0],
        /// How values between pixels are found (`"bilinear"`).
        interpolation: InterpolationMode = InterpolationMode::Bilinear,
        /// The value outside the image (0).
        fill: Vec<f64> = vec![0.0],
    }
}

/// Bent at random, as seen through water: `torchvision.transforms.ElasticTransform`.
#[derive(Clone, Debug)]
pub struct ElasticTransform {
    alpha: [f64; 2],
    sigma: [f64; 2],
    options: PerspectiveOptions,
}

impl ElasticTransform {
    /// With torchvision's defaults.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `alpha`, `sigma`, `interpolation`, `fill`.
    ///
    /// # Panics
    /// When alpha or sigma are more than two numbers.
    #[track_caller]
    pub fn with(options: impl FnOnce(ElasticOptions) -> ElasticOptions) -> Self {
        let o = options(ElasticOptions::default());
        let two = |values: &[f64], name: &str| match *values {
            [x] => [x, x],
            [x, y] => [x, y],
            _ => panic!("If {name} is a sequence its length should be 2. Got {}", values.len()),
        };
        ElasticTransform {
            alpha: two(&o.alpha, "alpha"),
            sigma: two(&o.sigma, "sigma"),
            options: PerspectiveOptions { interpolation: o.interpolation, fill: Some(o.fill) },
        }
    }

    /// The displacements `[1, h, w, 2]` of an image of a height and width, drawn.
    fn displacement(&self, h: usize, w: usize) -> Result<Tensor> {
        let along = |axis: usize, length: usize| -> Result<Tensor> {
            let noise = draw::rand_plane(h, w)?.mul(2).sub(1);
            let sigma = self.sigma[axis];
            let noise = if sigma > 0.0 {
                let size = (8.0 * sigma + 1.0) as i64;
                tensor::gaussian_blur(&noise, [size + 1 - size % 2; 2], self.sigma)?
            } else {
                noise
            };
            Ok(noise.mul(self.alpha[axis]).div(length as i64))
        };
        let x = along(0, w)?;
        Ok(cat((x, along(1, h)?), 1).permute([0, 2, 3, 1]))
    }
}

impl<P: Picture> Transform<P> for ElasticTransform {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let [_, h, w] = img.view().dimensions()?;
        attempt::elastic_transform(&img, &self.displacement(h, w)?, &self.options)
    }
}
