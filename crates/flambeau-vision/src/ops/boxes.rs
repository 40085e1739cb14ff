//! Areas, overlaps and formats of boxes.

use super::upcast;
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, no_grad, ops, options};
use flambeau_tensor::DType;

/// How four numbers describe a box whose sides are parallel to the image's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Left, top, right, bottom.
    Corners,
    /// Left, top, width, height.
    CornerSize,
    /// The centre, width, height.
    CentreSize,
}

impl Format {
    fn of(name: &str) -> Option<Self> {
        match name {
            "xyxy" => Some(Format::Corners),
            "xywh" => Some(Format::CornerSize),
            "cxcywh" => Some(Format::CentreSize),
            _ => None,
        }
    }
}

/// The numbers from `start` on of each box: two of the four.
#[track_caller]
fn pair(boxes: &Tensor, start: i64) -> Tensor {
    boxes.narrow(-1, start, 2)
}

/// One of the four numbers of each box.
#[track_caller]
fn part(boxes: &Tensor, i: i64) -> Tensor {
    boxes.select(-1, i)
}

/// The product of both numbers along the last dimension.
#[track_caller]
fn product(sides: &Tensor) -> Tensor {
    part(sides, 0).mul(part(sides, 1))
}

/// The upper left and the lower right corners.
#[track_caller]
fn corners(boxes: &Tensor, format: Format) -> (Tensor, Tensor) {
    let (first, second) = (pair(boxes, 0), pair(boxes, 2));
    match format {
        Format::Corners => (first, second),
        Format::CornerSize => (first.shallow_clone(), first.add(second)),
        Format::CentreSize => (first.sub(second.div(2)), first.add(second.div(2))),
    }
}

options! {
    /// Options of [`box_area_with`] and [`box_iou_with`].
    BoxFormatOptions {
        /// How boxes are described: `"xyxy"`, `"xywh"` or `"cxcywh"` (`"xyxy"`).
        fmt: String = "xyxy".to_owned(),
    }
}

/// The area of each box of `[…, 4]`, left, top, right, bottom: `torchvision.ops.box_area(boxes)`.
///
/// ```
/// let boxes = torch::tensor([[0.0, 0.0, 4.0, 3.0]]);
/// assert_eq!(torch::vision::ops::box_area(&boxes).item(), 12.0);
/// ```
#[track_caller]
pub fn box_area(boxes: impl AsTensor) -> Tensor {
    area(boxes.as_tensor(), Format::Corners)
}

/// [`box_area`] with options: `fmt`.
///
/// # Panics
/// When there is no such format.
#[track_caller]
pub fn box_area_with(boxes: impl AsTensor, options: impl FnOnce(BoxFormatOptions) -> BoxFormatOptions) -> Tensor {
    let fmt = options(BoxFormatOptions::default()).fmt;
    let Some(format) = Format::of(&fmt) else { panic!("Unsupported Bounding Box area for given format {fmt}") };
    area(boxes.as_tensor(), format)
}

#[track_caller]
fn area(boxes: &Tensor, format: Format) -> Tensor {
    let boxes = upcast(boxes);
    match format {
        Format::Corners => product(&pair(&boxes, 2).sub(pair(&boxes, 0))),
        _ => product(&pair(&boxes, 2)),
    }
}

/// Each box of the first list beside each of the second: what has a dimension more at −2, and at −3.
#[track_caller]
fn across(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    (a.unsqueeze(-2), b.unsqueeze(-3))
}

/// The areas of intersections and unions of each box of `[…, n, 4]` with each of `[…, m, 4]`.
#[track_caller]
fn intersections_and_unions(a: &Tensor, b: &Tensor, format: Format) -> (Tensor, Tensor) {
    let (area_a, area_b) = (area(a, format), area(b, format));
    let ((a1, a2), (b1, b2)) = (corners(a, format), corners(b, format));
    let ((a1, b1), (a2, b2)) = (across(&a1, &b1), across(&a2, &b2));
    let inter = product(&upcast(&a2.minimum(b2).sub(a1.maximum(b1))).clamp_min(0));
    let union = area_a.unsqueeze(-1).add(area_b.unsqueeze(-2)).sub(&inter);
    (inter, union)
}

/// The smallest boxes around pairs: their sides, `[…, n, m, 2]`.
#[track_caller]
fn hulls(a: &Tensor, b: &Tensor) -> Tensor {
    let ((a1, b1), (a2, b2)) = (across(&pair(a, 0), &pair(b, 0)), across(&pair(a, 2), &pair(b, 2)));
    upcast(&a2.maximum(b2).sub(a1.minimum(b1))).clamp_min(0)
}

/// Intersection over union of each box of `[n, 4]` with each of `[m, 4]`, `[n, m]`: `torchvision.ops.box_iou(boxes1, boxes2)`.
///
/// ```
/// let a = torch::tensor([[0.0, 0.0, 2.0, 2.0]]);
/// let b = torch::tensor([[1.0, 0.0, 3.0, 2.0]]);
/// assert!((torch::vision::ops::box_iou(&a, &b).item() - 1.0 / 3.0).abs() < 1e-6);
/// ```
#[track_caller]
pub fn box_iou(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    box_iou_with(boxes1, boxes2, |o| o)
}

/// [`box_iou`] with options: `fmt`. Rotated boxes are not supported.
///
/// # Panics
/// When there is no such format.
#[track_caller]
pub fn box_iou_with(
    boxes1: impl AsTensor,
    boxes2: impl AsTensor,
    options: impl FnOnce(BoxFormatOptions) -> BoxFormatOptions,
) -> Tensor {
    let fmt = options(BoxFormatOptions::default()).fmt;
    let Some(format) = Format::of(&fmt) else {
        panic!(
            "Unsupported format '{fmt}'. Supported axis-aligned formats: ('xyxy', 'xywh', 'cxcywh'). Rotated formats are not \
             supported here."
        )
    };
    let (inter, union) = intersections_and_unions(boxes1.as_tensor(), boxes2.as_tensor(), format);
    inter.div(union)
}

/// Intersection over union, less the share of the smallest box around both that neither covers:
/// `torchvision.ops.generalized_box_iou(boxes1, boxes2)`.
#[track_caller]
pub fn generalized_box_iou(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    let (a, b) = (boxes1.as_tensor(), boxes2.as_tensor());
    let (inter, union) = intersections_and_unions(a, b, Format::Corners);
    let hull = product(&hulls(a, b));
    inter.div(&union).sub(hull.sub(union).div(&hull))
}

options! {
    /// Options of [`distance_box_iou_with`] and [`complete_box_iou_with`].
    BoxDistanceOptions {
        /// What is added to denominators (1e-7).
        eps: f64 = 1e-7,
    }
}

/// Intersection over union, less the squared distance of the centres over the squared diagonal of the smallest box around both:
/// `torchvision.ops.distance_box_iou(boxes1, boxes2)`.
#[track_caller]
pub fn distance_box_iou(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    distance_box_iou_with(boxes1, boxes2, |o| o)
}

/// [`distance_box_iou`] with options: `eps`.
#[track_caller]
pub fn distance_box_iou_with(
    boxes1: impl AsTensor,
    boxes2: impl AsTensor,
    options: impl FnOnce(BoxDistanceOptions) -> BoxDistanceOptions,
) -> Tensor {
    let (a, b) = (upcast(boxes1.as_tensor()), upcast(boxes2.as_tensor()));
    distances(&a, &b, options(BoxDistanceOptions::default()).eps).0
}

/// [`distance_box_iou`] and the intersections over unions.
#[track_caller]
fn distances(a: &Tensor, b: &Tensor, eps: f64) -> (Tensor, Tensor) {
    let iou = box_iou(a, b);
    let squares = |sides: &Tensor| part(sides, 0).square().add(part(sides, 1).square());
    let diagonal = squares(&hulls(a, b)).add(eps);
    let centre = |boxes: &Tensor| pair(boxes, 0).add(pair(boxes, 2)).div(2);
    let (a, b) = across(&centre(a), &centre(b));
    let distance = squares(&upcast(&a.sub(b)));
    (iou.sub(distance.div(diagonal)), iou)
}

/// [`distance_box_iou`], less how much the ratios of the sides differ: `torchvision.ops.complete_box_iou(boxes1, boxes2)`.
#[track_caller]
pub fn complete_box_iou(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    complete_box_iou_with(boxes1, boxes2, |o| o)
}

/// [`complete_box_iou`] with options: `eps`.
#[track_caller]
pub fn complete_box_iou_with(
    boxes1: impl AsTensor,
    boxes2: impl AsTensor,
    options: impl FnOnce(BoxDistanceOptions) -> BoxDistanceOptions,
) -> Tensor {
    let eps = options(BoxDistanceOptions::default()).eps;
    let (a, b) = (upcast(boxes1.as_tensor()), upcast(boxes2.as_tensor()));
    let (distance, iou) = distances(&a, &b, eps);
    let slope = |boxes: &Tensor| {
        let sides = pair(boxes, 2).sub(pair(boxes, 0));
        part(&sides, 0).div(part(&sides, 1)).atan()
    };
    let difference = slope(&a).unsqueeze(-1).sub(slope(&b).unsqueeze(-2));
    let v = difference.square().mul(4.0 / std::f64::consts::PI.powi(2));
    let alpha = {
        let _guard = no_grad();
        v.div(iou.neg().add(1).add(&v).add(eps))
    };
    distance.sub(alpha.mul(v))
}

/// Boxes within an image of `size` (height, width): `torchvision.ops.clip_boxes_to_image(boxes, size)`.
#[track_caller]
pub fn clip_boxes_to_image(boxes: impl AsTensor, size: (impl Int, impl Int)) -> Tensor {
    let (boxes, ends) = (boxes.as_tensor(), [size.1.to_i64(), size.0.to_i64()]);
    let parts: Vec<Tensor> = (0..4).map(|i| part(boxes, i).clamp(0, ends[i as usize % 2])).collect();
    ops::stack(&parts, -1).or_panic()
}

/// The indices of boxes of `[n, 4]` whose sides are not below `min_size`: `torchvision.ops.remove_small_boxes(boxes, min_size)`.
#[track_caller]
pub fn remove_small_boxes(boxes: impl AsTensor, min_size: impl Number) -> Tensor {
    let boxes = boxes.as_tensor();
    let fits = pair(boxes, 2).sub(pair(boxes, 0)).ge(min_size.to_f64());
    fits.all_dim(-1, false).nonzero().squeeze_dim(1)
}

/// Boxes in another format: `torchvision.ops.box_convert(boxes, in_fmt, out_fmt)`, with `"xyxy"`, `"xywh"` and `"cxcywh"`.
///
/// ```
/// let boxes = torch::tensor([[10.0, 20.0, 30.0, 60.0]]);
/// let centred = torch::vision::ops::box_convert(&boxes, "xyxy", "cxcywh");
/// assert_eq!(centred.to_vec::<f32>(), [20.0, 40.0, 20.0, 40.0]);
/// ```
///
/// # Panics
/// When a format is none of these.
#[track_caller]
pub fn box_convert(boxes: impl AsTensor, in_fmt: &str, out_fmt: &str) -> Tensor {
    let (Some(from), Some(to)) = (Format::of(in_fmt), Format::of(out_fmt)) else {
        panic!("Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}")
    };
    let boxes = boxes.as_tensor();
    if from == to {
        return boxes.clone();
    }
    let (first, second) = match from {
        // A half of an odd size keeps its fraction.
        Format::CentreSize => {
            let half = pair(boxes, 2).mul(0.5);
            (pair(boxes, 0).sub(&half), pair(boxes, 0).add(half))
        }
        _ => corners(boxes, from),
    };
    let (first, second) = match to {
        Format::Corners => (first, second),
        Format::CornerSize => (first.shallow_clone(), second.sub(first)),
        Format::CentreSize => (first.add(&second).div(2), second.sub(first)),
    };
    ops::cat(&[first, second], -1).or_panic()
}

/// The smallest box around each mask of `[n, height, width]`, `[n, 4]`: `torchvision.ops.masks_to_boxes(masks)`. A mask without a
/// pixel has the box of zeros.
#[track_caller]
pub fn masks_to_boxes(masks: impl AsTensor) -> Tensor {
    let masks = masks.as_tensor();
    let float = |shape: &[usize]| ops::zeros(shape, DType::F32, masks.device()).or_panic();
    if masks.numel() == 0 {
        return float(&[0, 4]);
    }
    let masks = masks.bool();
    let along = |dim: i64| {
        let any = masks.any_dim(dim, false).float();
        let last = any.size()[1] as i64 - 1;
        (any.argmax_dim(1, false), any.flip(1).argmax_dim(1, false).neg().add(last))
    };
    let ((top, bottom), (left, right)) = (along(2), along(1));
    let boxes = ops::stack(&[left, top, right, bottom], 1).or_panic().float();
    let full = masks.any_dim((1, 2), false).unsqueeze(1);
    boxes.mul(full)
}
