//! Boxes on an image.

use super::canvas::{Ink, fill_rectangle, outline_rectangle};
use super::colours::{Colors, for_objects};
use super::{check_image, drawn, places};
use crate::error::{Error, Result};
use crate::options::options;
use flambeau_autograd::ops::paths::torch::cat;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, no_grad, warn};

options! {
    /// Options of [`draw_bounding_boxes_with`].
    BoxOptions {
        /// A colour for all boxes, or one for each (torchvision's palette).
        colors: Option<Colors> = None,
        /// Whether boxes are veiled with their colour (false).
        fill: bool = false,
        /// Pixels of the border, inwards (1).
        width: i64 = 1,
    }
}

/// Boxes `[n, 4]` (xmin, ymin, xmax, ymax) on an image `[1 or 3, h, w]` of bytes, or of floats from 0 to 1:
/// `torchvision.utils.draw_bounding_boxes`, without texts. The image is `[3, h, w]` then.
#[track_caller]
pub fn draw_bounding_boxes(image: impl AsTensor, boxes: impl AsTensor) -> Tensor {
    draw_bounding_boxes_with(image, boxes, |o| o)
}

/// [`draw_bounding_boxes`] with options: `colors`, `fill`, `width`.
///
/// # Panics
/// When image or boxes are of another kind, or there are fewer colours than boxes.
#[track_caller]
pub fn draw_bounding_boxes_with(
    image: impl AsTensor,
    boxes: impl AsTensor,
    options: impl FnOnce(BoxOptions) -> BoxOptions,
) -> Tensor {
    draw(image.as_tensor(), boxes.as_tensor(), &options(BoxOptions::default())).or_panic()
}

fn draw(image: &Tensor, boxes: &Tensor, o: &BoxOptions) -> Result<Tensor> {
    let _guard = no_grad();
    check_image(image, &[1, 3], "Only grayscale and RGB images are supported")?;
    if boxes.dim() != 2 || boxes.size_dim(1) != 4 {
        return Err(Error::Value(format!("boxes must be of shape (n, 4), got {}", boxes.size())));
    }
    let corners = places(boxes)?;
    let corners: Vec<[i64; 4]> =
        corners.as_chunks::<2>().0.iter().map(|&[[x0, y0], [x1, y1]]| [x0, y0, x1, y1]).collect();
    let exact = boxes.double().contiguous().to_vec::<f64>();
    if exact.as_chunks::<4>().0.iter().any(|b| b[0] > b[2] || b[1] > b[3]) {
        return Err(Error::Value(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert to convert them"
                .into(),
        ));
    }
    if corners.is_empty() {
        warn("boxes doesn't contain any box. No box was drawn");
        return Ok(image.shallow_clone());
    }
    let colours = for_objects(o.colors.as_ref(), corners.len())?;
    let image = if image.size_dim(0) == 1 { cat((image, image, image), 0) } else { image.shallow_clone() };
    drawn(&image, |picture| {
        for (&corners, &colour) in corners.iter().zip(&colours) {
            if o.fill {
                fill_rectangle(picture, corners, Ink::Veil(colour, 100));
            }
            if o.width != 0 {
                outline_rectangle(picture, corners, o.width, Ink::Solid(colour));
            }
        }
        Ok(())
    })
}
