//! Points and the lines between them on an image.

use super::canvas::{Ink, disc, line};
use super::colours::{Colors, for_objects};
use super::{check_image, drawn, places};
use crate::error::{Error, Result};
use crate::options::{Setting, options};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, no_grad};

/// Pairs of points that are joined, by their numbers.
pub type Connectivity = Vec<(usize, usize)>;

impl<const N: usize> Setting<Connectivity> for [(usize, usize); N] {
    fn setting(self) -> Connectivity {
        self.to_vec()
    }
}

impl Setting<Connectivity> for Connectivity {
    fn setting(self) -> Connectivity {
        self
    }
}

impl Setting<Option<Tensor>> for &Tensor {
    fn setting(self) -> Option<Tensor> {
        Some(self.shallow_clone())
    }
}

options! {
    /// Options of [`draw_keypoints_with`].
    KeypointOptions {
        /// Which points are joined by white lines (none).
        connectivity: Connectivity = Vec::new(),
        /// The colour of the points (none are drawn without one).
        colors: Option<Colors> = None,
        /// The radius of a point in pixels (2).
        radius: i64 = 2,
        /// Pixels of a line's width (3).
        width: i64 = 3,
        /// Which points are seen, `[n, k]` (all).
        visibility: Option<Tensor> = None,
    }
}

/// Points `[n, k, 2]` (x, y) of n objects on an image `[3, h, w]` of bytes, or of floats from 0 to 1:
/// `torchvision.utils.draw_keypoints`.
#[track_caller]
pub fn draw_keypoints(image: impl AsTensor, keypoints: impl AsTensor) -> Tensor {
    draw_keypoints_with(image, keypoints, |o| o)
}

/// [`draw_keypoints`] with options: `connectivity`, `colors`, `radius`, `width`, `visibility`.
///
/// # Panics
/// When image or points are of another kind.
#[track_caller]
pub fn draw_keypoints_with(
    image: impl AsTensor,
    keypoints: impl AsTensor,
    options: impl FnOnce(KeypointOptions) -> KeypointOptions,
) -> Tensor {
    draw(image.as_tensor(), keypoints.as_tensor(), &options(KeypointOptions::default())).or_panic()
}

fn draw(image: &Tensor, keypoints: &Tensor, o: &KeypointOptions) -> Result<Tensor> {
    let _guard = no_grad();
    check_image(image, &[3], "Pass an RGB image. Other Image formats are not supported")?;
    if keypoints.dim() != 3 || keypoints.size_dim(2) != 2 {
        return Err(Error::Value("keypoints must be of shape (num_instances, K, 2)".into()));
    }
    let [objects, count, _]: [usize; 3] = keypoints.sizes();
    let seen = match &o.visibility {
        None => vec![true; objects * count],
        Some(visibility) => {
            let given = if visibility.dim() == 3 { visibility.squeeze_dim(-1) } else { visibility.shallow_clone() };
            if given.dim() != 2 {
                let n = given.dim();
                return Err(Error::Value(format!("visibility must be of shape (num_instances, K). Got ndim={n}")));
            }
            if given.size() != [objects, count] {
                return Err(Error::Value(format!(
                    "keypoints and visibility must have the same dimensionality for num_instances and K. Got \
                     visibility.shape={} and keypoints.shape={}",
                    given.size(),
                    keypoints.size()
                )));
            }
            given.ne(0).contiguous().to_vec::<bool>()
        }
    };
    if o.connectivity.iter().any(|&(a, b)| a >= count || b >= count) {
        return Err(Error::Value("list index out of range".into()));
    }
    let places = places(keypoints)?;
    let ink = match &o.colors {
        None => None,
        Some(colors) => for_objects(Some(colors), 1)?.first().map(|&rgb| Ink::Solid(rgb)),
    };
    drawn(image, |picture| {
        for object in 0..objects {
            let point = |k: usize| (places[object * count + k], seen[object * count + k]);
            for k in 0..count {
                if let ((place, true), Some(ink)) = (point(k), ink) {
                    disc(picture, place, o.radius, ink);
                }
            }
            for &(a, b) in &o.connectivity {
                if let ((from, true), (to, true)) = (point(a), point(b)) {
                    line(picture, from, to, o.width, Ink::Solid([255; 3]));
                }
            }
        }
        Ok(())
    })
}
