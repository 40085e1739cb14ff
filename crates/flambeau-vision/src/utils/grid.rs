//! Grids of images.

use crate::error::{Error, Result};
use crate::io;
use crate::options::options;
use flambeau_autograd::arguments::OneOrMore;
use flambeau_autograd::ops::paths::torch::cat;
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops};
use flambeau_tensor::DType;
use std::path::Path;

options! {
    /// Options of [`make_grid_with`] and [`save_image_with`].
    GridOptions {
        /// How many images stand in a row (8).
        nrow: i64 = 8,
        /// Pixels between and around them (2).
        padding: i64 = 2,
        /// Whether values are stretched to 0 … 1 (false).
        normalize: bool = false,
        /// What is stretched, the least and the largest value (those of the images).
        value_range: Option<[f64; 2]> = None,
        /// Whether each image is stretched by itself (false).
        scale_each: bool = false,
        /// The value between images (0).
        pad_value: f64 = 0.0,
    }
}

/// A batch `[n, c, h, w]`, an image, or a list of images as one image `[3, H, W]`: `torchvision.utils.make_grid`.
#[track_caller]
pub fn make_grid(tensor: impl OneOrMore) -> Tensor {
    make_grid_with(tensor, |o| o)
}

/// [`make_grid`] with options: `nrow`, `padding`, `normalize`, `value_range`, `scale_each`, `pad_value`.
///
/// # Panics
/// When the tensors are no images, or of different sizes.
#[track_caller]
pub fn make_grid_with(tensor: impl OneOrMore, options: impl FnOnce(GridOptions) -> GridOptions) -> Tensor {
    let list: Vec<Tensor> = tensor.to_list().iter().map(|t| t.shallow_clone()).collect();
    grid(&list, &options(GridOptions::default())).or_panic()
}

/// low … high as 0 … 1, in place.
fn stretch(x: &Tensor, range: Option<[f64; 2]>) {
    let [low, high] = range.unwrap_or_else(|| [x.min().item(), x.max().item()]);
    x.clamp_(low, high);
    x.sub_(low).div_((high - low).max(1e-5));
}

fn grid(list: &[Tensor], o: &GridOptions) -> Result<Tensor> {
    let _guard = no_grad();
    let x = match list {
        [one] => one.shallow_clone(),
        [] => return Err(Error::Value("stack expects a non-empty TensorList".into())),
        many => ops::stack(many, 0)?,
    };
    let grey_to_rgb = |x: Tensor, dim: i64| if x.size_dim(dim) == 1 { cat((&x, &x, &x), dim) } else { x };
    let x = match x.dim() {
        2 => grey_to_rgb(x.unsqueeze(0), 0).unsqueeze(0),
        3 => grey_to_rgb(x, 0).unsqueeze(0),
        4 => grey_to_rgb(x, 1),
        n => return Err(Error::Value(format!("a grid is made of tensors of 2 to 4 dimensions, got {n}"))),
    };
    let x = if o.normalize { x.clone() } else { x };
    if o.normalize && o.scale_each {
        (&x).into_iter().for_each(|image| stretch(&image, o.value_range));
    } else if o.normalize {
        stretch(&x, o.value_range);
    }
    let [n, channels, h, w] = x.sizes::<[usize; 4]>().map(|n| n as i64);
    if n == 1 {
        return Ok(x.squeeze_dim(0));
    }
    let across = o.nrow.min(n).max(1);
    let down = (n + across - 1) / across;
    let (height, width) = (h + o.padding, w + o.padding);
    let grid = x.new_full((channels, height * down + o.padding, width * across + o.padding), o.pad_value);
    for k in 0..n {
        let (row, column) = (k / across, k % across);
        let place = grid.narrow(1, row * height + o.padding, h).narrow(2, column * width + o.padding, w);
        place.copy_(x.i(k));
    }
    Ok(grid)
}

/// A grid of images with values from 0 to 1 as a PNG or JPEG file, by the name's ending: `torchvision.utils.save_image`.
///
/// # Errors
/// When the ending is another, or the file cannot be written.
///
/// # Panics
/// As [`make_grid_with`].
#[track_caller]
pub fn save_image(tensor: impl OneOrMore, path: impl AsRef<Path>) -> Result<()> {
    save_image_with(tensor, path, |o| o)
}

/// [`save_image`] with the options of [`make_grid_with`].
///
/// # Errors
/// As [`save_image`].
///
/// # Panics
/// As [`make_grid_with`].
#[track_caller]
pub fn save_image_with(
    tensor: impl OneOrMore,
    path: impl AsRef<Path>,
    options: impl FnOnce(GridOptions) -> GridOptions,
) -> Result<()> {
    let grid = make_grid_with(tensor, options);
    // Half a level is added, so that the cut to a byte rounds.
    let bytes = ops::to_dtype(&grid.mul(255).add(0.5).clamp(0, 255), DType::U8)?.cpu();
    io::save(&bytes, path.as_ref())
}
