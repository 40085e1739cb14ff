//! Parts of feature maps that boxes cut out, brought to one size.

use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec, ops, options};
use flambeau_nn::Lengths;
use flambeau_tensor::{DType, Device};

/// Boxes on a batch: a tensor `[k, 5]` of the image's index, left, top, right, bottom, or a list of `[l, 4]`, one for each image.
pub trait RegionBoxes {
    /// The boxes as `[k, 5]`.
    #[track_caller]
    fn regions(&self) -> Tensor;
}

#[track_caller]
fn of_batch(boxes: &Tensor) -> Tensor {
    assert!(boxes.size_dim(1) == 5, "The boxes tensor shape is not correct as Tensor[K, 5]");
    boxes.shallow_clone()
}

#[track_caller]
fn of_images(boxes: &[Tensor]) -> Tensor {
    let words = "The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]";
    assert!(boxes.iter().all(|boxes| boxes.size_dim(1) == 4), "{words}");
    let with_image = boxes.iter().enumerate().map(|(i, boxes)| {
        let image = boxes.narrow(1, 0, 1).full_like(i as f64);
        ops::cat(&[image, boxes.shallow_clone()], 1).or_panic()
    });
    ops::cat(&with_image.collect::<Vec<_>>(), 0).or_panic()
}

impl RegionBoxes for Tensor {
    fn regions(&self) -> Tensor {
        of_batch(self)
    }
}

impl RegionBoxes for [Tensor] {
    fn regions(&self) -> Tensor {
        of_images(self)
    }
}

impl<const N: usize> RegionBoxes for [Tensor; N] {
    fn regions(&self) -> Tensor {
        of_images(self)
    }
}

impl RegionBoxes for Vec<Tensor> {
    fn regions(&self) -> Tensor {
        of_images(self)
    }
}

impl<B: RegionBoxes + ?Sized> RegionBoxes for &B {
    fn regions(&self) -> Tensor {
        (**self).regions()
    }
}

options! {
    /// Options of [`roi_align_with`] and [`roi_pool_with`].
    RegionOptions {
        /// The factor from the boxes' coordinates to the input's (1.0).
        spatial_scale: f64 = 1.0,
        /// How many points are looked at along each side of an output's part; 0 or less for as many as there are pixels (−1). Not for
        /// [`roi_pool_with`].
        sampling_ratio: i64 = -1,
        /// Whether pixels are squares around their coordinates, and not behind them (false). Not for [`roi_pool_with`].
        aligned: bool = false,
    }
}

/// Rounds as the input's dtype does after each step.
#[derive(Clone, Copy)]
struct Rounding(bool);

impl Rounding {
    fn of(dtype: DType) -> Self {
        Rounding(dtype != DType::F64)
    }

    fn round(self, x: f64) -> f64 {
        if self.0 { f64::from(x as f32) } else { x }
    }
}

/// The image of each box, and its left, top, right and bottom by the input's scale.
#[track_caller]
fn scaled(regions: &Tensor, scale: f64, rounding: Rounding) -> Vec<(usize, [f64; 4])> {
    let rows = regions.detach().to(Device::Cpu).double().to_vec::<f64>();
    let scale = rounding.round(scale);
    rows.as_chunks::<5>()
        .0
        .iter()
        .map(|row| (row[0] as usize, [1, 2, 3, 4].map(|i| rounding.round(row[i] * scale))))
        .collect()
}

/// For each part of an output's side, the weights of the pixels `first..first + width` of the input's side.
struct Weights {
    first: usize,
    rows: Vec<Vec<f64>>,
}

impl Weights {
    /// Between `start` and `end`, of an input of `length` pixels: the mean over points, each between its two neighbours.
    fn new(start: f64, size: f64, length: usize, parts: usize, o: &RegionOptions, rounding: Rounding) -> Self {
        let r = |x| rounding.round(x);
        let step = r(size / parts as f64);
        let points = if o.sampling_ratio > 0 { o.sampling_ratio as usize } else { step.ceil().max(0.0) as usize };
        let mut rows = vec![vec![0.0; length]; parts];
        for (part, row) in rows.iter_mut().enumerate() {
            for point in 0..points {
                let inner = r(r((point as f64 + 0.5) * step) / points as f64);
                let at = r(r(start + r(part as f64 * step)) + inner);
                // Points that are more than a pixel outside count as 0.
                if length == 0 || at < -1.0 || at > length as f64 {
                    continue;
                }
                let at = at.max(0.0);
                let (low, last) = (at as usize, length - 1);
                if low >= last {
                    row[last] += 1.0 / points as f64;
                } else {
                    let share = r(at - low as f64);
                    row[low] += (1.0 - share) / points as f64;
                    row[low + 1] += share / points as f64;
                }
            }
        }
        // Only the pixels that count are looked at.
        let used = |i: &usize| rows.iter().any(|row| row[*i] != 0.0);
        let first = (0..length).find(used).unwrap_or(0);
        let end = (0..length).rfind(used).map_or(length.min(1), |last| last + 1);
        let rows = rows.into_iter().map(|row| row[first..end].to_vec()).collect();
        Weights { first, rows }
    }

    fn width(&self) -> usize {
        self.rows[0].len()
    }

    /// As a matrix `[parts, width]`.
    fn matrix(&self, like: &Tensor) -> Tensor {
        from_vec(self.rows.concat(), [self.rows.len(), self.width()]).to((like.device(), like.dtype()))
    }
}

/// Features within boxes, averaged over points between pixels, `[k, channels, height, width]` for `output_size` (height, width):
/// `torchvision.ops.roi_align(input, boxes, output_size)`. The input is `[n, channels, h, w]`; it gets gradients, boxes do not.
///
/// ```
/// use torch::vision::ops::roi_align;
/// let x = torch::arange(16).float().view((1, 1, 4, 4));
/// let boxes = torch::tensor([[0.0, 0.0, 0.0, 4.0, 4.0]]);
/// assert_eq!(roi_align(&x, &boxes, 2).size(), [1, 1, 2, 2]);
/// ```
///
/// # Panics
/// When the boxes' shape does not fit, or one is on an image that is not there.
#[track_caller]
pub fn roi_align(input: impl AsTensor, boxes: impl RegionBoxes, output_size: impl Into<Lengths<2>>) -> Tensor {
    roi_align_with(input, boxes, output_size, |o| o)
}

/// [`roi_align`] with options: `spatial_scale`, `sampling_ratio`, `aligned`.
///
/// # Panics
/// As [`roi_align`].
#[track_caller]
pub fn roi_align_with(
    input: impl AsTensor,
    boxes: impl RegionBoxes,
    output_size: impl Into<Lengths<2>>,
    options: impl FnOnce(RegionOptions) -> RegionOptions,
) -> Tensor {
    let (x, o) = (input.as_tensor(), options(RegionOptions::default()));
    let rounding = Rounding::of(x.dtype());
    let [height, width] = output_size.into().each();
    let offset = if o.aligned { 0.5 } else { 0.0 };
    regions_of(x, scaled(&boxes.regions(), o.spatial_scale, rounding), [height, width], |x, corners| {
        let [left, top, right, bottom] = corners.map(|v| rounding.round(v - offset));
        let size = |start: f64, end: f64| {
            let size = rounding.round(end - start);
            if o.aligned { size } else { size.max(1.0) }
        };
        let [_, rows, columns] = x.sizes::<[usize; 3]>();
        let down = Weights::new(top, size(top, bottom), rows, height, &o, rounding);
        let right = Weights::new(left, size(left, right), columns, width, &o, rounding);
        // The mean over a grid of points between pixels is one matrix for rows and one for columns.
        let window = x.narrow(1, down.first, down.width()).narrow(2, right.first, right.width());
        down.matrix(x).matmul(window).matmul(right.matrix(x).t())
    })
}

/// What `part` makes of each box's image `[channels, h, w]`, stacked.
#[track_caller]
fn regions_of(
    x: &Tensor,
    boxes: Vec<(usize, [f64; 4])>,
    [height, width]: [usize; 2],
    part: impl Fn(&Tensor, [f64; 4]) -> Tensor,
) -> Tensor {
    let [n, channels, ..] = x.sizes::<[usize; 4]>();
    if boxes.is_empty() {
        return x.narrow(0, 0, 0).sum_dim((2, 3), true).expand((0, channels, height, width));
    }
    let mut parts = Vec::with_capacity(boxes.len());
    for (image, corners) in boxes {
        assert!(image < n, "index {image} is out of bounds for dimension 0 with size {n}");
        parts.push(part(&x.select(0, image), corners));
    }
    ops::stack(&parts, 0).or_panic()
}

/// The largest features within parts of boxes, `[k, channels, height, width]` for `output_size` (height, width):
/// `torchvision.ops.roi_pool(input, boxes, output_size)`. Boxes are rounded to pixels; parts without a pixel are 0.
///
/// # Panics
/// As [`roi_align`].
#[track_caller]
pub fn roi_pool(input: impl AsTensor, boxes: impl RegionBoxes, output_size: impl Into<Lengths<2>>) -> Tensor {
    roi_pool_with(input, boxes, output_size, |o| o)
}

/// [`roi_pool`] with options: `spatial_scale`.
///
/// # Panics
/// As [`roi_align`].
#[track_caller]
pub fn roi_pool_with(
    input: impl AsTensor,
    boxes: impl RegionBoxes,
    output_size: impl Into<Lengths<2>>,
    options: impl FnOnce(RegionOptions) -> RegionOptions,
) -> Tensor {
    let (x, o) = (input.as_tensor(), options(RegionOptions::default()));
    let rounding = Rounding::of(x.dtype());
    let [height, width] = output_size.into().each();
    regions_of(x, scaled(&boxes.regions(), o.spatial_scale, rounding), [height, width], |x, corners| {
        let [left, top, right, bottom] = corners.map(f64::round);
        let rows = largest(x, 1, &bins(top, bottom, x.size_dim(1) as i64, height, rounding));
        largest(&rows, 2, &bins(left, right, x.size_dim(2) as i64, width, rounding))
    })
}

/// Where each part of a side begins and ends, in pixels of an input of `length`.
fn bins(start: f64, end: f64, length: i64, parts: usize, rounding: Rounding) -> Vec<(i64, i64)> {
    let step = rounding.round((end - start + 1.0).max(1.0) / parts as f64);
    let clip = |v: f64| (v as i64 + start as i64).clamp(0, length);
    let at = |i: usize| rounding.round(i as f64 * step);
    (0..parts).map(|i| (clip(at(i).floor()), clip(at(i + 1).ceil()))).collect()
}

/// The largest number of each part along a dimension, 0 where a part is empty.
#[track_caller]
fn largest(x: &Tensor, dim: i64, bins: &[(i64, i64)]) -> Tensor {
    let mut parts = Vec::with_capacity(bins.len());
    for &(start, end) in bins {
        parts.push(match end > start {
            true => x.narrow(dim, start, end - start).max_dim(dim, false).0,
            // A sum of nothing, so that the gradient knows of the input.
            false => x.narrow(dim, 0, 0).sum_dim(dim, false),
        });
    }
    ops::stack(&parts, dim).or_panic()
}
