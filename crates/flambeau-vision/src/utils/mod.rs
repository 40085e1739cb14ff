//! Pictures of results: `torchvision.utils`.
//!
//! ```
//! use flambeau_autograd::{rand, tensor};
//! use flambeau_vision::utils;
//!
//! let grid = utils::make_grid_with(rand([6, 3, 8, 8]), |o| o.nrow(3).normalize(true));
//! assert_eq!(grid.size(), [3, 22, 32]);
//! let boxes = utils::draw_bounding_boxes_with(&grid, tensor([[2, 2, 9, 9]]), |o| o.colors("red").width(2));
//! assert_eq!(boxes.i((.., 2, 2)).to_vec::<f32>(), [1.0, 0.0, 0.0]);
//! ```

mod boxes;
mod canvas;
mod colour_names;
mod colours;
mod flow;
mod grid;
mod keypoints;
mod masks;

pub use boxes::{BoxOptions, draw_bounding_boxes, draw_bounding_boxes_with};
pub use colours::{Color, Colors};
pub use flow::flow_to_image;
pub use grid::{GridOptions, make_grid, make_grid_with, save_image, save_image_with};
pub use keypoints::{KeypointOptions, draw_keypoints, draw_keypoints_with};
pub use masks::{MaskOptions, draw_segmentation_masks, draw_segmentation_masks_with};

use crate::error::{Error, Result};
use crate::image::Image;
use crate::transforms::functional;
use flambeau_autograd::Tensor;
use flambeau_tensor::DType;

/// Fails unless the tensor is one image of bytes or floats, with so many channels.
fn check_image(image: &Tensor, channels: &[usize], message: &str) -> Result<()> {
    let dtype = image.dtype();
    let what = if dtype != DType::U8 && !image.is_floating_point() {
        format!("The image dtype must be uint8 or float, got {dtype}")
    } else if image.dim() != 3 {
        "Pass individual images, not batches".to_owned()
    } else if !channels.contains(&image.size_dim(0)) {
        message.to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Value(what))
}

/// Pairs of coordinates in whole pixels, cut towards zero; those far off the image are brought nearer, to 2³⁰.
fn places(x: &Tensor) -> Result<Vec<[i64; 2]>> {
    const FAR: f64 = (1 << 30) as f64;
    let values = x.to(DType::F64).contiguous().to_vec::<f64>();
    if values.iter().any(|v| !v.is_finite()) {
        return Err(Error::Value("coordinates to draw at must be finite numbers".into()));
    }
    Ok(values.as_chunks::<2>().0.iter().map(|pair| pair.map(|v| v.clamp(-FAR, FAR) as i64)).collect())
}

/// What `draw` makes of an RGB tensor as an image of bytes, in the tensor's dtype.
fn drawn(image: &Tensor, draw: impl FnOnce(&mut Image) -> Result<()>) -> Result<Tensor> {
    let dtype = image.dtype();
    let bytes = functional::convert_image_dtype(image.detach(), DType::U8);
    let mut picture = functional::to_pil_image(bytes);
    draw(&mut picture)?;
    let out = functional::pil_to_tensor(picture);
    Ok(functional::convert_image_dtype(out, dtype).to(image.device()))
}
