//! Which of boxes that overlap stay.

use flambeau_autograd::arguments::Number;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec, ops};
use flambeau_tensor::{DType, Device};

/// The indices of boxes that stay, by falling score, where a box goes if its intersection over union with a better one is above
/// `iou_threshold`: `torchvision.ops.nms(boxes, scores, iou_threshold)`. Boxes are `[n, 4]`, left, top, right, bottom; it is
/// computed in host memory.
///
/// ```
/// let boxes = torch::tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]]);
/// let scores = torch::tensor([0.5, 0.9, 0.1]);
/// assert_eq!(torch::vision::ops::nms(&boxes, &scores, 0.5).to_vec::<i64>(), [1, 2]);
/// ```
///
/// # Panics
/// When the shapes do not fit, with torchvision's words.
#[track_caller]
pub fn nms(boxes: impl AsTensor, scores: impl AsTensor, iou_threshold: impl Number) -> Tensor {
    let (boxes, scores) = (boxes.as_tensor(), scores.as_tensor());
    check(boxes, scores);
    let threshold = iou_threshold.to_f64();
    // PyTorch sorts stably and has NaN first.
    let order = scores.detach().sort_with(|o| o.stable(true).dim(0).descending(true)).1;
    let rows = boxes.detach().to(Device::Cpu).index_select(0, order.to(Device::Cpu));
    let order = order.to_vec::<i64>();
    let kept = match boxes.dtype() {
        DType::F64 => keep(&rows.to_vec::<f64>(), threshold),
        _ => keep(&rows.float().to_vec::<f32>(), threshold),
    };
    let kept: Vec<i64> = kept.into_iter().map(|i| order[i]).collect();
    let n = kept.len();
    from_vec(kept, [n]).to(boxes.device())
}

#[track_caller]
fn check(boxes: &Tensor, scores: &Tensor) {
    assert!(boxes.dim() == 2, "boxes should be a 2d tensor, got {}D", boxes.dim());
    assert!(boxes.size()[1] == 4, "boxes should have 4 elements in dimension 1, got {}", boxes.size()[1]);
    assert!(scores.dim() == 1, "scores should be a 1d tensor, got {}D", scores.dim());
    assert!(boxes.dtype() == scores.dtype(), "dets should have the same type as scores");
    let (n, m) = (boxes.size()[0], scores.size()[0]);
    assert!(n == m, "boxes and scores should have same number of elements in dimension 0, got {n} and {m}");
}

/// What a coordinate is computed in.
trait Real: Copy + PartialOrd + std::ops::Sub<Output = Self> + std::ops::Mul<Output = Self> {
    const ZERO: Self;
    /// Whether `inter / (a + b − inter)` is above the threshold.
    fn above(inter: Self, a: Self, b: Self, threshold: f64) -> bool;
}

macro_rules! reals {
    ($($t:ty),*) => {$(
        impl Real for $t {
            const ZERO: Self = 0.0;
            fn above(inter: Self, a: Self, b: Self, threshold: f64) -> bool {
                f64::from(inter / (a + b - inter)) > threshold
            }
        }
    )*};
}
reals!(f32, f64);

/// The rows of `[n, 4]`, best first, that no better one that stays hides.
fn keep<T: Real>(rows: &[T], threshold: f64) -> Vec<usize> {
    let boxes = rows.as_chunks::<4>().0;
    let areas: Vec<T> = boxes.iter().map(|b| (b[2] - b[0]) * (b[3] - b[1])).collect();
    let mut hidden = vec![false; boxes.len()];
    let mut kept = Vec::new();
    let larger = |a: T, b: T| if a < b { b } else { a };
    let smaller = |a: T, b: T| if b < a { b } else { a };
    for (i, a) in boxes.iter().enumerate() {
        if hidden[i] {
            continue;
        }
        kept.push(i);
        for (j, b) in boxes.iter().enumerate().skip(i + 1) {
            if hidden[j] {
                continue;
            }
            let width = larger(T::ZERO, smaller(a[2], b[2]) - larger(a[0], b[0]));
            let height = larger(T::ZERO, smaller(a[3], b[3]) - larger(a[1], b[1]));
            hidden[j] = T::above(width * height, areas[i], areas[j], threshold);
        }
    }
    kept
}

/// [`nms`] within each group of boxes that have the same number in `idxs`, such as a class: `torchvision.ops.batched_nms(boxes, scores,
/// idxs, iou_threshold)`.
///
/// # Panics
/// As [`nms`].
#[track_caller]
pub fn batched_nms(
    boxes: impl AsTensor,
    scores: impl AsTensor,
    idxs: impl AsTensor,
    iou_threshold: impl Number,
) -> Tensor {
    let (boxes, scores, idxs) = (boxes.as_tensor(), scores.as_tensor(), idxs.as_tensor());
    let threshold = iou_threshold.to_f64();
    let most = if boxes.device().is_host() { 4_000 } else { 100_000 };
    if boxes.numel() > most {
        return group_by_group(boxes, scores, idxs, threshold);
    }
    if boxes.numel() == 0 {
        return ops::empty(&[0], DType::I64, boxes.device()).or_panic();
    }
    // Groups are moved apart, so that no boxes of two of them overlap.
    let step = boxes.max().add(1);
    let offsets = idxs.to((boxes.device(), boxes.dtype())).mul(step);
    nms(boxes.add(offsets.unsqueeze(1)), scores, threshold)
}

#[track_caller]
fn group_by_group(boxes: &Tensor, scores: &Tensor, idxs: &Tensor, threshold: f64) -> Tensor {
    let groups = idxs.to(Device::Cpu).long().to_vec::<i64>();
    let mut names = groups.clone();
    names.sort_unstable();
    names.dedup();
    let mut kept: Vec<i64> = Vec::new();
    for name in names {
        let members: Vec<i64> = (0..groups.len()).filter(|&i| groups[i] == name).map(|i| i as i64).collect();
        let rows = from_vec(members.clone(), [members.len()]).to(boxes.device());
        let best = nms(boxes.index_select(0, &rows), scores.index_select(0, &rows), threshold);
        kept.extend(best.to_vec::<i64>().into_iter().map(|i| members[i as usize]));
    }
    kept.sort_unstable();
    let n = kept.len();
    let kept = from_vec(kept, [n]).to(boxes.device());
    let order = scores.index_select(0, &kept).sort_with(|o| o.dim(0).descending(true)).1;
    kept.index_select(0, order)
}
