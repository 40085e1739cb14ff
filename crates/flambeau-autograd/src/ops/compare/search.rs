//! Places in sorted boundaries.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::index::lines::places;
use crate::ops::pointwise::binary::{OperandRef, common_dtype};
use crate::ops::{Operand, gather};
use flambeau_macros::op;
use flambeau_tensor::calls::{PrimitiveCall, SearchSorted};
use flambeau_tensor::{Array, DType, Finding, IndexRule};

/// Whether places lie behind equal boundaries.
fn is_right(right: bool, side: Option<&str>) -> Result<bool> {
    let words = match side {
        None | Some("right") => return Ok(right || side.is_some()),
        Some("left") if !right => return Ok(false),
        Some(side @ "left") => {
            format!("side and right can't be set to opposites, got side of {side} while right was True")
        }
        Some(other) => format!("side can only be 'left' or 'right' but got {other}"),
    };
    Err(refused(&words))
}

fn refused(words: &str) -> Error {
    Error::runtime(format!("torch.searchsorted(): {words}"))
}

/// Refuses a sorter that does not put the boundaries in order.
fn check_sorter(sequence: &Tensor, sorter: &Tensor) -> Result<()> {
    let (size, of) = (sequence.size(), sorter.size());
    if sorter.device() != sequence.device() {
        return Err(refused(&format!(
            "sorter and boundary tensors should have same device type, but got sorter tensor device type {} and input value tensor \
             device type {}",
            sorter.device(),
            sequence.device()
        )));
    }
    if of != size {
        return Err(refused(&format!(
            "boundary and sorter must have the same size, but got boundary tensor {:?}and got sorter tensor {:?}",
            &size[..],
            &of[..]
        )));
    }
    match sorter.dtype() {
        DType::I64 => Ok(()),
        other => {
            Err(refused(&format!("sorter must be a tensor of long dtype but got dtype {}", other.scalar_type_name())))
        }
    }
}

/// Refuses shapes that do not fit.
fn check_shapes(sequence: &[usize], input: &[usize]) -> Result<()> {
    let (n, m) = (sequence.len(), input.len());
    if m == 0 && n != 1 {
        return Err(refused(&format!(
            "input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries tensor dim({n}) and input \
             value's dim(0) numel(1)"
        )));
    }
    if n == 0 {
        return Err(refused("boundaries tensor should have positive dimension, but got 0 dimension"));
    }
    if n != 1 && (n != m || sequence[..n - 1] != input[..m - 1]) {
        return Err(refused(&format!(
            "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must \
             match, but we got boundaries tensor {sequence:?} and input value tensor {input:?}"
        )));
    }
    Ok(())
}

/// The index at which each number of `input` would be put into `sorted_sequence` to keep its last dimension in order:
/// `torch.searchsorted`. The result is int64, with `out_int32` int32, and has the shape of `input`.
///
/// A sequence of one dimension serves any input; else all dimensions but the last one must be the input's. With `right`, or
/// `side = "right"`, the index is behind equal elements, otherwise before them. NaN counts as larger than all numbers. A `sorter`
/// holds the indices that put a sequence in order which is not, as [`argsort`](crate::ops::argsort()) gives them. The dtypes are
/// promoted to a common one; bools cannot be searched.
///
/// # Errors
/// For shapes that do not fit, a sorter with indices outside the dimension, and a `side` that is neither or contradicts `right`.
///
/// ```
/// let sorted = torch::tensor([1, 3, 5, 7, 9]);
/// assert_eq!(torch::searchsorted(&sorted, torch::tensor([3, 6, 9])).to_vec::<i64>(), [1, 3, 4]);
/// assert_eq!(torch::searchsorted(&sorted, 9.5).item(), 5.0);
/// let right = torch::searchsorted_with(&sorted, torch::tensor([3, 6, 9]), |o| o.out_int32(true).right(true));
/// assert_eq!(right.to_vec::<i32>(), [2, 3, 5]);
/// ```
#[op(torch, not_differentiable, default(out_int32 = false, right = false, side = None, sorter = None))]
pub fn searchsorted<'a>(
    sorted_sequence: &Tensor,
    input: impl Into<Operand<'a>>,
    out_int32: bool,
    right: bool,
    side: Option<&str>,
    sorter: Option<&Tensor>,
) -> Result<Tensor> {
    let input = input.into();
    let right = is_right(right, side)?;
    let dtype = common_dtype(sorted_sequence, &input);
    let sequence = sorted_sequence.detach();
    let values = match input.kind() {
        OperandRef::Tensor(t) if t.device() != sequence.device() => {
            return Err(refused(&format!(
                "boundaries and input value tensors should have same device type, but got boundaries tensor device type {} and \
                 input value tensor device type {}",
                sequence.device(),
                t.device()
            )));
        }
        OperandRef::Tensor(t) => t.array().to_dtype(dtype)?,
        OperandRef::Number(s) => {
            let array = sequence.array();
            Array::full(array.backend(), array.device(), &[], dtype, s.cast(dtype))?
        }
    };
    if let Some(sorter) = sorter {
        check_sorter(&sequence, sorter)?;
    }
    check_shapes(&sequence.size(), values.shape())?;
    let boundaries = match sorter {
        Some(sorter) if sorter.numel() > 0 => {
            let last = sequence.dim() - 1;
            let places = places(sorter, &IndexRule::strict(sequence.size()[last], Finding::Sorter, 0))?;
            gather(&sequence, last as i64, &places)?
        }
        _ => sequence,
    };
    let boundaries = boundaries.array().to_dtype(dtype)?.contiguous()?;
    let places = if out_int32 { DType::I32 } else { DType::I64 };
    let out = Array::empty(values.backend(), values.device(), values.shape(), places)?;
    SearchSorted { boundaries: &boundaries, values: &values.contiguous()?, right, out: &out }.run()?;
    Ok(Tensor::from(out))
}

/// The index of the bucket between `boundaries` (in order, of one dimension) that each number of the input lies in:
/// `torch.bucketize`, which is [`searchsorted()`] the other way round. Bucket i reaches from above `boundaries[i - 1]` to
/// `boundaries[i]`; with `right`, from `boundaries[i - 1]` to below `boundaries[i]`.
///
/// # Errors
/// When there is more or less than one dimension of boundaries.
///
/// ```
/// let boundaries = torch::tensor([1.0, 3.0, 5.0]);
/// let x = torch::tensor([3.0, 0.0, 9.0]);
/// assert_eq!(torch::bucketize(&x, &boundaries).to_vec::<i64>(), [1, 0, 3]);
/// assert_eq!(torch::bucketize_with(&x, &boundaries, |o| o.out_int32(true).right(true)).to_vec::<i32>(), [2, 0, 3]);
/// ```
#[op(torch, not_differentiable, default(out_int32 = false, right = false))]
pub fn bucketize(x: &Tensor, boundaries: &Tensor, out_int32: bool, right: bool) -> Result<Tensor> {
    match boundaries.dim() {
        1 => searchsorted(boundaries, x, out_int32, right, None, None),
        n => Err(Error::runtime(format!("boundaries tensor must be 1 dimension, but got dim({n})"))),
    }
}
