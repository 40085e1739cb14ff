//! Masks over an image.

use super::check_image;
use super::colours::{Colors, for_objects};
use crate::error::{Error, Result};
use crate::options::options;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec, no_grad, ops, warn};
use flambeau_tensor::DType;

options! {
    /// Options of [`draw_segmentation_masks_with`].
    MaskOptions {
        /// How much of the colour covers the image: 0 nothing, 1 all (0.8).
        alpha: f64 = 0.8,
        /// A colour for all masks, or one for each (torchvision's palette).
        colors: Option<Colors> = None,
    }
}

/// Masks `[h, w]` or `[n, h, w]` of bools over an image `[3, h, w]`; black where they overlap:
/// `torchvision.utils.draw_segmentation_masks`.
#[track_caller]
pub fn draw_segmentation_masks(image: impl AsTensor, masks: impl AsTensor) -> Tensor {
    draw_segmentation_masks_with(image, masks, |o| o)
}

/// [`draw_segmentation_masks`] with options: `alpha`, `colors`.
///
/// # Panics
/// When image or masks are of another kind, or there are fewer colours than masks.
#[track_caller]
pub fn draw_segmentation_masks_with(
    image: impl AsTensor,
    masks: impl AsTensor,
    options: impl FnOnce(MaskOptions) -> MaskOptions,
) -> Tensor {
    draw(image.as_tensor(), masks.as_tensor(), &options(MaskOptions::default())).or_panic()
}

fn draw(image: &Tensor, masks: &Tensor, o: &MaskOptions) -> Result<Tensor> {
    let _guard = no_grad();
    check_image(image, &[3], "Pass an RGB image. Other Image formats are not supported")?;
    let masks = if masks.dim() == 2 { masks.unsqueeze(0) } else { masks.shallow_clone() };
    if masks.dim() != 3 {
        return Err(Error::Value("masks must be of shape (H, W) or (batch_size, H, W)".into()));
    }
    if masks.dtype() != DType::Bool {
        return Err(Error::Value(format!("The masks must be of dtype bool. Got {}", masks.dtype())));
    }
    let [count, h, w]: [usize; 3] = masks.sizes();
    if [image.size_dim(1), image.size_dim(2)] != [h, w] {
        return Err(Error::Value("The image and the masks must have the same height and width".into()));
    }
    if count == 0 {
        warn("masks doesn't contain any mask. No mask was drawn");
        return Ok(image.shallow_clone());
    }
    let dtype = image.dtype();
    let white = if dtype == DType::U8 { 1.0 } else { 255.0 };
    let mut painted = image.detach();
    for (mask, colour) in (&masks).into_iter().zip(for_objects(o.colors.as_ref(), count)?) {
        let colour = from_vec(colour.map(|v| f64::from(v) / white).to_vec(), [3, 1, 1]);
        let colour = ops::to_dtype(&colour, dtype)?.to(image.device());
        painted = ops::where_(&mask, &colour, &painted)?;
    }
    let overlap = masks.to(DType::I64).sum_dim(0, false).gt(1);
    let painted = painted.masked_fill(&overlap, 0);
    Ok(ops::to_dtype(&image.mul(1.0 - o.alpha).add(painted.mul(o.alpha)), dtype)?)
}
