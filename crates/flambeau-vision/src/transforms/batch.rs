//! Mixtures of the samples of a batch: v2's `MixUp` and `CutMix`.

use super::draw;
use crate::error::{Error, Result};
use crate::options::options;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, ops};
use flambeau_tensor::DType;

options! {
    /// Options of [`MixUp`] and [`CutMix`].
    MixOptions {
        /// Both parameters of the Beta distribution that shares are drawn from (1).
        alpha: f64 = 1.0,
        /// How many classes there are; needed where labels are indices (none).
        num_classes: Option<i64> = None,
    }
}

impl MixOptions {
    /// A share of Beta(alpha, alpha), drawn.
    fn share(&self) -> Result<f64> {
        let concentration = flambeau_autograd::tensor([[self.alpha as f32, self.alpha as f32]]);
        Ok(ops::_sample_dirichlet(&concentration, None)?.i((0, 0)).item())
    }

    /// Fails unless images and labels are batches of one size.
    fn check(&self, images: &Tensor, labels: &Tensor) -> Result<()> {
        let fail = |what: String| Err(Error::Value(what));
        let n = labels.dim();
        if n != 1 && n != 2 {
            return fail(format!(
                "labels should be index based with shape (batch_size,) or probability based with shape (batch_size, \
                 num_classes), but got a tensor of shape {} instead.",
                labels.size()
            ));
        }
        match self.num_classes {
            None if n == 1 => {
                return fail("num_classes must be passed if the labels are index-based (1D)".into());
            }
            Some(classes) if n == 2 && labels.size_dim(1) as i64 != classes => {
                return fail(format!(
                    "When passing 2D labels, the number of elements in last dimension must match num_classes: {} != \
                     {classes}. You can Leave num_classes to None.",
                    labels.size_dim(1)
                ));
            }
            _ => {}
        }
        if images.dim() != 4 {
            return fail(format!("Expected a batched input with 4 dims, but got {} dimensions instead.", images.dim()));
        }
        let sizes = (images.size_dim(0), labels.size_dim(0));
        if sizes.0 != sizes.1 {
            return fail(format!(
                "The batch size of the image or video does not match the batch size of the labels: {} != {}.",
                sizes.0, sizes.1
            ));
        }
        Ok(())
    }

    /// Labels as probabilities, each mixed with the one before it, which gets the rest of `share`.
    fn mix_labels(&self, labels: &Tensor, share: f64) -> Result<Tensor> {
        let labels = if labels.dim() == 1 {
            ops::one_hot(labels, self.num_classes.unwrap_or(-1))?
        } else {
            labels.shallow_clone()
        };
        let labels = if labels.is_floating_point() { labels } else { ops::to_dtype(&labels, DType::F32)? };
        mixed(&labels, share)
    }
}

/// Each sample times `share`, and the one before it times the rest.
fn mixed(x: &Tensor, share: f64) -> Result<Tensor> {
    Ok(ops::roll(x, &[1], &[0])?.mul(1.0 - share).add(x.mul(share)))
}

/// Each image of a batch and its label mixed with the image before it, by one share: `torchvision.transforms.v2.MixUp`.
///
/// ```
/// use flambeau_autograd::{rand, tensor};
/// use flambeau_vision::transforms::v2;
///
/// let mixup = v2::MixUp::with(|o| o.num_classes(10));
/// let (images, labels) = mixup.call(rand([2, 3, 4, 4]), tensor([3, 7]));
/// assert_eq!((images.size(), labels.size()), (rand([2, 3, 4, 4]).size(), rand([2, 10]).size()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MixUp {
    options: MixOptions,
}

impl MixUp {
    /// Shares of Beta(1, 1); labels are probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// With options: `alpha`, `num_classes`.
    pub fn with(options: impl FnOnce(MixOptions) -> MixOptions) -> Self {
        MixUp { options: options(MixOptions::default()) }
    }

    /// Images `[n, c, h, w]` and labels `[n]` or `[n, classes]`, mixed; the labels as `[n, classes]`.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn apply(&self, images: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor)> {
        self.options.check(images, labels)?;
        if !images.is_floating_point() {
            let dtype = images.dtype();
            return Err(Error::Value(format!("result type Float can't be cast to the desired output type {dtype}")));
        }
        let share = self.options.share()?;
        Ok((mixed(images, share)?, self.options.mix_labels(labels, share)?))
    }

    /// [`apply`](Self::apply); an error panics at the caller's line.
    #[track_caller]
    pub fn call(&self, images: impl AsTensor, labels: impl AsTensor) -> (Tensor, Tensor) {
        self.apply(images.as_tensor(), labels.as_tensor()).or_panic()
    }
}

/// A box of each image of a batch from the image before it, and the labels mixed by the area:
/// `torchvision.transforms.v2.CutMix`.
#[derive(Clone, Debug, Default)]
pub struct CutMix {
    options: MixOptions,
}

impl CutMix {
    /// Shares of Beta(1, 1); labels are probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// With options: `alpha`, `num_classes`.
    pub fn with(options: impl FnOnce(MixOptions) -> MixOptions) -> Self {
        CutMix { options: options(MixOptions::default()) }
    }

    /// Images `[n, c, h, w]` and labels `[n]` or `[n, classes]`, mixed; the labels as `[n, classes]`.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn apply(&self, images: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor)> {
        self.options.check(images, labels)?;
        let share = self.options.share()?;
        let [h, w] = [2, 3].map(|dim| images.size_dim(dim) as i64);
        let (x, y) = (draw::randint(0, w)?, draw::randint(0, h)?);
        let reach = 0.5 * (1.0 - share).sqrt();
        let (half_w, half_h) = ((reach * w as f64) as i64, (reach * h as f64) as i64);
        let (left, top) = ((x - half_w).max(0), (y - half_h).max(0));
        let (width, height) = ((x + half_w).min(w) - left, (y + half_h).min(h) - top);
        let out = images.clone();
        let part = |x: &Tensor| x.narrow(2, top, height).narrow(3, left, width);
        part(&out).copy_(part(&ops::roll(images, &[1], &[0])?));
        let share = 1.0 - (width * height) as f64 / (w * h) as f64;
        Ok((out, self.options.mix_labels(labels, share)?))
    }

    /// [`apply`](Self::apply); an error panics at the caller's line.
    #[track_caller]
    pub fn call(&self, images: impl AsTensor, labels: impl AsTensor) -> (Tensor, Tensor) {
        self.apply(images.as_tensor(), labels.as_tensor()).or_panic()
    }
}
