//! Losses of predicted boxes beside the true ones, pair by pair.

use super::reduced;
use flambeau_autograd::{AsTensor, Tensor, no_grad, options};
use flambeau_tensor::DType;

options! {
    /// Options of [`generalized_box_iou_loss_with`], [`distance_box_iou_loss_with`] and [`complete_box_iou_loss_with`].
    BoxLossOptions {
        /// `"none"`, `"mean"` or `"sum"` (`"none"`). The mean of no box is 0.
        reduction: String = "none".to_owned(),
        /// What is added to denominators (1e-7).
        eps: f64 = 1e-7,
    }
}

impl BoxLossOptions {
    #[track_caller]
    fn reduce(&self, loss: &Tensor) -> Tensor {
        match self.reduction.as_str() {
            "mean" if loss.numel() == 0 => loss.sum().mul(0.0),
            reduction => reduced(loss, reduction),
        }
    }
}

/// What torchvision's `eps` of the distance is where the loss has another one.
const DISTANCE_EPS: f64 = 1e-7;

/// Pairs of boxes of two tensors `[…, 4]`: left, top, right, bottom of each.
struct Pairs {
    a: [Tensor; 4],
    b: [Tensor; 4],
}

impl Pairs {
    #[track_caller]
    fn new(a: &Tensor, b: &Tensor) -> Self {
        let parts = |boxes: &Tensor| {
            let boxes = match boxes.dtype() {
                DType::F32 | DType::F64 => boxes.shallow_clone(),
                _ => boxes.float(),
            };
            let parts = boxes.unbind_dim(-1);
            let found = parts.len();
            <[Tensor; 4]>::try_from(parts).unwrap_or_else(|_| {
                panic!(
                    "{}",
                    if found > 4 {
                        "too many values to unpack (expected 4)".to_owned()
                    } else {
                        format!("not enough values to unpack (expected 4, got {found})")
                    }
                )
            })
        };
        Pairs { a: parts(a), b: parts(b) }
    }

    /// The areas of intersections and unions.
    #[track_caller]
    fn intersections_and_unions(&self) -> (Tensor, Tensor) {
        let (a, b) = (&self.a, &self.b);
        let width = a[2].minimum(&b[2]).sub(a[0].maximum(&b[0]));
        let height = a[3].minimum(&b[3]).sub(a[1].maximum(&b[1]));
        let meet = width.gt(0).logical_and(height.gt(0));
        let inter = width.mul(height).masked_fill(&meet.logical_not(), 0);
        let area = |boxes: &[Tensor; 4]| boxes[2].sub(&boxes[0]).mul(boxes[3].sub(&boxes[1]));
        let union = area(a).add(area(b)).sub(&inter);
        (inter, union)
    }

    /// The width and the height of the smallest box around both.
    #[track_caller]
    fn hulls(&self) -> (Tensor, Tensor) {
        let side =
            |start: usize, end: usize| self.a[end].maximum(&self.b[end]).sub(self.a[start].minimum(&self.b[start]));
        (side(0, 2), side(1, 3))
    }

    /// One less the intersection over the union, plus the squared distance of the centres by the hull's diagonal; and the
    /// intersection over the union.
    #[track_caller]
    fn distances(&self, eps: f64) -> (Tensor, Tensor) {
        let (inter, union) = self.intersections_and_unions();
        let iou = inter.div(union.add(eps));
        let (width, height) = self.hulls();
        let diagonal = width.square().add(height.square()).add(eps);
        let apart = |start: usize, end: usize| {
            let centre = |boxes: &[Tensor; 4]| boxes[end].add(&boxes[start]).div(2);
            centre(&self.a).sub(centre(&self.b)).square()
        };
        let distance = apart(0, 2).add(apart(1, 3));
        (iou.neg().add(1).add(distance.div(diagonal)), iou)
    }

    /// How much the ratios of the sides differ.
    #[track_caller]
    fn ratios(&self) -> Tensor {
        let angle = |boxes: &[Tensor; 4]| boxes[2].sub(&boxes[0]).div(boxes[3].sub(&boxes[1])).atan();
        angle(&self.b).sub(angle(&self.a)).square().mul(4.0 / std::f64::consts::PI.powi(2))
    }
}

/// One less [`generalized_box_iou`](super::generalized_box_iou) of each pair of boxes `[n, 4]`, `[n]`:
/// `torchvision.ops.generalized_box_iou_loss(boxes1, boxes2)`.
///
/// ```
/// use torch::vision::ops::generalized_box_iou_loss;
/// let (a, b) = (torch::tensor([[0.0, 0.0, 2.0, 2.0]]), torch::tensor([[2.0, 0.0, 4.0, 2.0]]));
/// assert_eq!(generalized_box_iou_loss(&a, &b).item(), 1.0);
/// ```
#[track_caller]
pub fn generalized_box_iou_loss(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    generalized_box_iou_loss_with(boxes1, boxes2, |o| o)
}

/// [`generalized_box_iou_loss`] with options: `reduction`, `eps`.
///
/// # Panics
/// When boxes are not four numbers, or there is no such reduction.
#[track_caller]
pub fn generalized_box_iou_loss_with(
    boxes1: impl AsTensor,
    boxes2: impl AsTensor,
    options: impl FnOnce(BoxLossOptions) -> BoxLossOptions,
) -> Tensor {
    let o = options(BoxLossOptions::default());
    let pairs = Pairs::new(boxes1.as_tensor(), boxes2.as_tensor());
    let (inter, union) = pairs.intersections_and_unions();
    let (width, height) = pairs.hulls();
    let hull = width.mul(height);
    let iou = inter.div(union.add(o.eps));
    let empty = hull.sub(&union).div(hull.add(o.eps));
    o.reduce(&iou.sub(empty).neg().add(1))
}

/// One less [`distance_box_iou`](super::distance_box_iou) of each pair of boxes `[n, 4]`, `[n]`:
/// `torchvision.ops.distance_box_iou_loss(boxes1, boxes2)`.
#[track_caller]
pub fn distance_box_iou_loss(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    distance_box_iou_loss_with(boxes1, boxes2, |o| o)
}

/// [`distance_box_iou_loss`] with options: `reduction`, `eps`.
///
/// # Panics
/// As [`generalized_box_iou_loss_with`].
#[track_caller]
pub fn distance_box_iou_loss_with(
    boxes1: impl AsTensor,
    boxes2: impl AsTensor,
    options: impl FnOnce(BoxLossOptions) -> BoxLossOptions,
) -> Tensor {
    let o = options(BoxLossOptions::default());
    o.reduce(&Pairs::new(boxes1.as_tensor(), boxes2.as_tensor()).distances(o.eps).0)
}

/// One less [`complete_box_iou`](super::complete_box_iou) of each pair of boxes `[n, 4]`, `[n]`:
/// `torchvision.ops.complete_box_iou_loss(boxes1, boxes2)`.
#[track_caller]
pub fn complete_box_iou_loss(boxes1: impl AsTensor, boxes2: impl AsTensor) -> Tensor {
    complete_box_iou_loss_with(boxes1, boxes2, |o| o)
}

/// [`complete_box_iou_loss`] with options: `reduction`, `eps`.
///
/// # Panics
/// As [`generalized_box_iou_loss_with`].
#[track_caller]
pub fn complete_box_iou_loss_with(
    boxes1: impl AsTensor,
    boxes2: impl AsTensor,
    options: impl FnOnce(BoxLossOptions) -> BoxLossOptions,
) -> Tensor {
    let o = options(BoxLossOptions::default());
    let pairs = Pairs::new(boxes1.as_tensor(), boxes2.as_tensor());
    // torchvision's own eps does not reach the distance.
    let (loss, iou) = pairs.distances(DISTANCE_EPS);
    let v = pairs.ratios();
    let alpha = {
        let _guard = no_grad();
        v.div(iou.neg().add(1).add(&v).add(o.eps))
    };
    o.reduce(&loss.add(alpha.mul(v)))
}
