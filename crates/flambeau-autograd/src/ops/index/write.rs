//! Writing lines by number, and elements by their place: index_add, index_copy, index_fill, put, each fresh and in place.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::gather::flat_places;
use crate::ops::index::lines::{Shared, Write, at_least_1d, index_i64, is_index, places, spread, tensor_or_number};
use crate::ops::{Operand, Place, index_select, reshape, sum, take, to_i64, view, zeros};
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::{Array, DType, Finding, IndexRule, Scalar};
use smallvec::smallvec;

/// An index of lines as a 1-d i64 tensor, after PyTorch's checks for `name`.
fn line_index(name: &str, index: &Tensor) -> Result<Tensor> {
    if index.dim() > 1 {
        return Err(Error::index(format!(
            "{name}(): Index is supposed to be a vector, but got dim: {} with type: {} and size: {:?}",
            index.dim(),
            index.dtype().scalar_type_name(),
            &index.size()[..]
        )));
    }
    if !is_index(index) {
        return Err(Error::runtime(format!(
            "{name}(): Expected dtype int32/int64 for index but got: {}",
            index.dtype().scalar_type_name()
        )));
    }
    reshape(&index_i64(index)?, &[-1])
}

/// The places that an index of lines of `x` names, by the rule. Where there is nothing to write, PyTorch looks at none.
fn written_places(x: &Tensor, index: &Tensor, rule: &IndexRule) -> Result<Tensor> {
    if x.numel() == 0 { index_i64(index) } else { places(index, rule) }
}

/// Writes the lines of `src` to `out` where the 1-d index says.
fn write_lines(op: ScatterOp, d: usize, index: &Tensor, src: &Array, out: &Array) -> Result<()> {
    let src = at_least_1d(src)?;
    if src.numel() == 0 {
        return Ok(());
    }
    let at = spread(&index.array(), d, src.shape())?;
    Ok(flambeau_tensor::ops::scatter(op, d, &at, &src, &at_least_1d(out)?)?)
}

/// x with `alpha` · the i-th line of `source` added to line `index[i]`, along `dim`: `torch.index_add`. The index is a 1-d (or
/// 0-d) integer tensor; what goes to one line is summed.
///
/// # Errors
/// Where dtypes differ, shapes do not fit, and where the index names a line outside; negative numbers do not count from the end.
///
/// ```
/// let (x, index) = (torch::zeros([2, 2]), torch::tensor([1, 1]));
/// let source = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.index_add(0, &index, &source).to_vec::<f32>(), [0.0, 0.0, 4.0, 6.0]);
/// ```
#[op(torch, method, default(alpha = 1))]
pub fn index_add(
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    source: &Tensor,
    alpha: impl Into<Scalar>,
    place: Place,
) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let (given, index) = (index, line_index("index_add_", index)?);
    if source.dtype() != x.dtype() {
        return Err(Error::runtime(format!(
            "index_add_(): self ({}) and source ({}) must have the same scalar type",
            x.dtype().scalar_type_name(),
            source.dtype().scalar_type_name()
        )));
    }
    let (own, theirs) = (x.size(), source.size());
    let alike = own.len() == theirs.len() && (0..own.len()).all(|i| i == d || own[i] == theirs[i]);
    if !alike && own.len().max(theirs.len()) > 1 {
        return Err(Error::runtime(format!(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = {:?} \
             source.shape = {:?}",
            &own[..],
            &theirs[..]
        )));
    }
    let lines = theirs.get(d).copied().unwrap_or(1);
    if index.numel() != lines {
        return Err(Error::runtime(format!(
            "index_add_(): Number of indices ({}) should be equal to source.size(dim): ({lines}), for dim: {d}",
            index.numel()
        )));
    }
    let alpha = alpha.into().checked(x.dtype())?;
    let one = alpha.to_f64() == 1.0;
    let n = own.get(d).copied().unwrap_or(1);
    // A vector's elements are written by another kernel than lines.
    let finding = if own.len() > 1 { Finding::Place } else { Finding::Line };
    let at = written_places(x, &index, &IndexRule::strict(n, finding, d))?;
    let write = |out: &Array| {
        let scaled = if one { source.detach() } else { crate::ops::mul(&source.detach(), alpha)? };
        write_lines(ScatterOp::Add, d, &at, &scaled.array(), out)
    };
    let (name, others, saves) = (
        "IndexAddBackward0",
        [source],
        [Save::Tensor("places", &index), Save::Tensor("index", given), Save::Tensor("source", source)],
    );
    Write { name, place, target: x, others: &others, saves: &saves, shared: Shared::Nothing }.run(write, move |c| {
        c.unchanged(1)?;
        let grad = c.grad(0)?;
        let source = |grad: &Tensor| -> Result<Tensor> {
            let lines = reshape(&index_select(grad, dim, &c.saved(0)?)?, &to_i64(&theirs))?;
            if one { Ok(lines) } else { crate::ops::mul(&lines, alpha) }
        };
        let source = c.needs(1).then(|| source(&grad)).transpose()?;
        Ok(smallvec![c.needs(0).then_some(grad), source])
    })
}

/// x with the i-th line of `source` in place of line `index[i]`, along `dim`: `torch.index_copy`. The index is a 1-d (or 0-d)
/// integer tensor.
///
/// # Errors
/// Those of [`index_add()`].
///
/// ```
/// let (x, index) = (torch::zeros([3]), torch::tensor([2, 0]));
/// let source = torch::tensor([5.0, 6.0]);
/// assert_eq!(x.index_copy(0, &index, &source).to_vec::<f32>(), [6.0, 0.0, 5.0]);
/// ```
#[op(torch, method, cast_cpu = Widest)]
pub fn index_copy(x: &Tensor, dim: i64, index: &Tensor, source: &Tensor, place: Place) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let (given, index) = (index, line_index("index_copy_", index)?);
    if source.dtype() != x.dtype() {
        return Err(Error::runtime(format!(
            "index_copy_(): self and source expected to have the same dtype, but got (self) {} and (source) {}",
            x.dtype().scalar_type_name(),
            source.dtype().scalar_type_name()
        )));
    }
    let (own, theirs) = (x.size(), source.size());
    let slice = |s: &[usize]| -> Vec<usize> { (0..s.len()).filter(|&i| i != d).map(|i| s[i]).collect() };
    if slice(&own) != slice(&theirs) {
        let words = |s: &[usize]| slice(s).iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        return Err(Error::runtime(format!(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: {} at dimension \
             {d} and source slice shape: {} at dimension 0.",
            words(&own),
            words(&theirs)
        )));
    }
    let lines = theirs.get(d).copied().unwrap_or(1);
    if index.numel() != lines {
        return Err(Error::index(format!(
            "index_copy_(): Number of indices ({}) should be equal to source.size(dim) ({lines})",
            index.numel()
        )));
    }
    let n = own.get(d).copied().unwrap_or(1);
    let at = written_places(x, &index, &IndexRule::strict(n, Finding::CopiedLine, d))?;
    let write = |out: &Array| write_lines(ScatterOp::Set, d, &at, &source.array(), out);
    let (name, others, saves) = (
        "IndexCopyBackward0",
        [source],
        [Save::Tensor("places", &index), Save::Tensor("index", given), Save::Tensor("source", source)],
    );
    Write { name, place, target: x, others: &others, saves: &saves, shared: Shared::Nothing }.run(write, move |c| {
        c.unchanged(1)?;
        let (grad, index) = (c.grad(0)?, c.saved(0)?);
        let own = c.needs(0).then(|| index_fill(&grad, dim, &index, 0)).transpose()?;
        let source = c.needs(1).then(|| reshape(&index_select(&grad, dim, &index)?, &to_i64(&theirs))).transpose()?;
        Ok(smallvec![own, source])
    })
}

/// A fill's value as a 0-dim tensor of `dtype`; and whether it was a tensor.
pub(crate) fn fill_value(name: &str, value: Operand<'_>, like: &Tensor) -> Result<(Tensor, bool)> {
    match tensor_or_number(&value) {
        Err(number) => Ok((crate::ops::full(&[], number, like.dtype(), like.device())?, false)),
        Ok(value) if value.dim() == 0 => Ok((crate::ops::to_dtype(value, like.dtype())?, true)),
        Ok(value) => Err(Error::runtime(format!(
            "{name} only supports a 0-dimensional value tensor, but got tensor with {} dimension(s).",
            value.dim()
        ))),
    }
}

/// x with one value, a number or a 0-d tensor, in the lines that a 1-d (or 0-d) integer tensor names along `dim`:
/// `torch.index_fill`. Negative numbers count from the end.
///
/// # Errors
/// For an index of another dtype or shape or outside, a value of more dimensions, and a number that the dtype does not hold.
///
/// ```
/// let (x, index) = (torch::zeros([3]), torch::tensor([0, -1]));
/// assert_eq!(x.index_fill(0, &index, 7).to_vec::<f32>(), [7.0, 0.0, 7.0]);
/// ```
#[op(torch, method)]
pub fn index_fill<'a>(
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    value: impl Into<Operand<'a>>,
    place: Place,
) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let (value, is_tensor) = fill_value("index_fill_", value.into(), x)?;
    if !is_index(index) {
        return Err(Error::index("index_fill_(): Expected dtype int64 for index."));
    }
    if index.dim() > 1 {
        return Err(Error::runtime("Index has to be a vector/scalar"));
    }
    let n = x.size().get(d).copied().unwrap_or(1);
    let at = written_places(x, index, &IndexRule::wrapping(n, Finding::Subscript, d))?;
    let (given, index) = (index, reshape(&at, &[-1])?);
    let mut shape = at_least_1d(&x.array())?.shape().to_vec();
    shape[d] = index.numel();
    let write = |out: &Array| write_lines(ScatterOp::Set, d, &index, &value.array().broadcast_to(&shape)?, out);
    let name = if is_tensor { "IndexFillBackward1" } else { "IndexFillBackward0" };
    let (others, saves) = ([&value], [Save::Tensor("places", &index), Save::Tensor("index", given)]);
    Write { name, place, target: x, others: &others, saves: &saves, shared: Shared::Target }.run(write, move |c| {
        c.unchanged(1)?;
        let (grad, index) = (c.grad(0)?, c.saved(0)?);
        let own = c.needs(0).then(|| index_fill(&grad, dim, &index, 0)).transpose()?;
        let value = || {
            // A line that is named twice is filled once.
            let none = zeros(&[n], DType::Bool, grad.device())?;
            let mut shape = vec![1; grad.dim()];
            if let Some(length) = shape.get_mut(d) {
                *length = n as i64;
            }
            let named = view(&index_fill(&none, 0, &index, true)?, &shape)?;
            sum(&crate::ops::where_(&named, &grad, 0)?, &[], false, None)
        };
        let value = c.needs(1).then(value).transpose()?;
        Ok(smallvec![own, value])
    })
}

/// x with the elements of `source` at the places that `index` (int64) names in the flattened tensor: `torch.put`. `accumulate`
/// adds them to what is there. Negative indices count from the end; [`take()`] reads.
///
/// # Errors
/// Where dtypes, or the numbers of elements of `index` and `source`, differ, and where an index points outside.
///
/// ```
/// let (x, index) = (torch::zeros([2, 2]), torch::tensor([1, -1]));
/// let source = torch::tensor([5.0, 6.0]);
/// assert_eq!(x.put(&index, &source).to_vec::<f32>(), [0.0, 5.0, 0.0, 6.0]);
/// ```
#[op(torch, method, default(accumulate = false))]
pub fn put(x: &Tensor, index: &Tensor, source: &Tensor, accumulate: bool, place: Place) -> Result<Tensor> {
    if index.dtype() != DType::I64 {
        return Err(Error::runtime(format!(
            "put_(): Expected a long tensor for index, but got {}",
            index.dtype().scalar_type_name()
        )));
    }
    if source.dtype() != x.dtype() {
        return Err(Error::runtime(
            "put_(): self and source expected to have the same dtype, but got self.dtype = ".to_owned()
                + x.dtype().scalar_type_name()
                + " and source.dtype = "
                + source.dtype().scalar_type_name(),
        ));
    }
    if index.numel() != source.numel() {
        return Err(Error::runtime(format!(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = {}, \
             index.numel() = {}",
            source.numel(),
            index.numel()
        )));
    }
    if x.numel() == 0 && index.numel() > 0 {
        return Err(Error::index("put_(): Tried to put elements into an empty tensor"));
    }
    let flat = reshape(&flat_places(x, index)?, &[-1])?;
    let op = if accumulate { ScatterOp::Add } else { ScatterOp::Set };
    let write = |out: &Array| {
        let dense = out.contiguous()?;
        let source = source.array().reshape(&[-1])?;
        flambeau_tensor::ops::scatter(op, 0, &flat.array(), &source, &dense.view(&[-1])?)?;
        Ok(flambeau_tensor::ops::copy_into(&dense, out)?)
    };
    let size = source.size();
    let (name, others, saves) = (
        "PutBackward0",
        [source],
        [Save::Tensor("places", &flat), Save::Tensor("index", index), Save::Tensor("source", source)],
    );
    Write { name, place, target: x, others: &others, saves: &saves, shared: Shared::Nothing }.run(write, move |c| {
        c.unchanged(1)?;
        let (grad, flat) = (c.grad(0)?, c.saved(0)?);
        let own = match (c.needs(0), accumulate) {
            (false, _) => None,
            (true, true) => Some(grad.shallow_clone()),
            (true, false) => Some(put(&grad, &flat, &zeros(&flat.size(), grad.dtype(), grad.device())?, false)?),
        };
        let source = c.needs(1).then(|| reshape(&take(&grad, &flat)?, &to_i64(&size))).transpose()?;
        Ok(smallvec![own, source])
    })
}
