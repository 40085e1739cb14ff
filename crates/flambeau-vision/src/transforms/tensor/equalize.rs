//! Histogram equalization of bytes.

use super::colour::bytes_only;
use super::grey_or_rgb;
use crate::error::{Error, Result};
use flambeau_autograd::{Tensor, from_vec};

/// About as many pixels of each value in each channel: `functional_tensor.equalize`.
pub(crate) fn equalize(x: &Tensor) -> Result<Tensor> {
    let n = x.dim();
    if n != 3 && n != 4 {
        return Err(Error::Value(format!("Input image tensor should have 3 or 4 dimensions, but found {n}")));
    }
    bytes_only(x)?;
    grey_or_rgb(x, "[1, 3]")?;
    let size = x.size();
    let plane = size[n - 2] * size[n - 1];
    let mut bytes = x.to_vec::<u8>();
    bytes.chunks_exact_mut(plane.max(1)).for_each(equalize_plane);
    Ok(from_vec(bytes, &size[..]).to(x.device()))
}

fn equalize_plane(plane: &mut [u8]) {
    let mut counts = [0usize; 256];
    plane.iter().for_each(|&v| counts[usize::from(v)] += 1);
    // All but the pixels of the largest value share the steps.
    let largest = counts.iter().rfind(|&&n| n > 0).copied().unwrap_or(0);
    let step = (plane.len() - largest) / 255;
    if step == 0 {
        return;
    }
    let mut below = 0;
    let table = counts.map(|n| {
        let value = ((below + step / 2) / step).min(255);
        below += n;
        value as u8
    });
    plane.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
}
