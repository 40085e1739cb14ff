//! Sequences of several lengths: packed, so that each step has the rows of those that go on, or padded to one length.

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::to_i64;
use crate::{Tensor, from_slice, no_grad, ops};
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::{SmallVec, smallvec};

/// Row numbers beside a tensor.
fn numbers(rows: &[i64], like: &Tensor) -> Result<Tensor> {
    ops::to_device(&from_slice(rows, [rows.len()]), like.device())
}

/// The rows of `x`, whose first `dims` dimensions count as one, that have the numbers `index`, in that order. With `fault` there is no
/// gradient but this error.
fn gathered(name: &'static str, x: &Tensor, dims: usize, index: &[i64], fault: Option<String>) -> Result<Tensor> {
    let size = to_i64(&x.size());
    let flat: SmallVec<[i64; 6]> =
        std::iter::once(size[..dims].iter().product()).chain(size[dims..].iter().copied()).collect();
    let index = numbers(index, x)?;
    let out = {
        let _guard = no_grad();
        ops::index_select(&ops::reshape(&x.detach(), &flat)?, 0, &index)?.array().clone()
    };
    let saves = [Save::Array("indices", index.array().clone())];
    Ok(record(name, &[x], &saves, out, move |c| {
        if let Some(fault) = &fault {
            return Err(Error::index(fault));
        }
        let grad = c.grad(0)?;
        let shape: Dims = flat.iter().map(|&n| n as usize).collect();
        let zeros = ops::zeros(&shape, grad.dtype(), grad.device())?;
        let added = ops::index_add(&zeros, 0, &c.saved(0)?, &grad, 1)?;
        Ok(smallvec![Some(ops::view(&added, &size)?)])
    }))
}

/// The data of a packed sequence and the rows of each step, of a padded one `[steps, batch, …]` (with `batch_first` `[batch, steps,
/// …]`). `lengths` do not grow; with `order` the i-th of them is that of the sequence `order[i]`.
///
/// # Errors
/// In PyTorch's words, when nothing is to be packed, or the lengths grow, are not positive or are not as many as the sequences.
#[track_caller]
pub fn pack_padded(
    input: &Tensor,
    lengths: &[i64],
    order: Option<&[i64]>,
    batch_first: bool,
) -> Result<(Tensor, Vec<i64>)> {
    let size = input.size();
    if order.is_some() {
        wrap_dim(if batch_first { 0 } else { 1 }, size.len())?;
    }
    if input.numel() == 0 || lengths.is_empty() && order.is_some() {
        return Err(Error::runtime("Cannot pack empty tensors."));
    }
    let dim = |d: i64| Ok::<_, Error>(size[wrap_dim(d, size.len())?]);
    let (all, steps) = if batch_first { (dim(0)?, dim(1)?) } else { (dim(1)?, dim(0)?) };
    let batch = order.map_or(all, <[i64]>::len);
    if let Some(bad) = order.and_then(|order| order.iter().find(|&&i| i as usize >= all)) {
        return Err(Error::runtime(format!("INDICES element is out of DATA bounds, id={bad} axis_dim={all}")));
    }
    if lengths.len() != batch {
        return Err(Error::runtime(format!(
            "Expected `len(lengths)` to be equal to batch_size, but got {} (batch_size={batch})",
            lengths.len()
        )));
    }
    if lengths[batch - 1] <= 0 {
        return Err(Error::runtime(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
        ));
    }
    if lengths.windows(2).any(|pair| pair[0] < pair[1]) {
        return Err(Error::runtime(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass \
             `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need \
             ONNX exportability.",
        ));
    }
    let sizes: Vec<i64> = (0..lengths[0]).map(|t| lengths.iter().filter(|&&n| n > t).count() as i64).collect();
    // Steps beyond the input have no rows, and no gradient, as in PyTorch.
    let fault = (sizes.len() > steps).then(|| {
        let mut shape = size.to_vec();
        shape[..2].copy_from_slice(&[steps, batch]);
        format!("select(): index {steps} out of range for tensor of size {shape:?} at dimension 0")
    });
    let steps = sizes.iter().enumerate().take(steps).flat_map(|(t, &rows)| (0..rows as usize).map(move |i| (t, i)));
    let (along, across) = if batch_first { (1, size[1]) } else { (all, 1) };
    let sequence = |i: usize| order.map_or(i, |order| order[i] as usize);
    let index: Vec<i64> = steps.map(|(t, i)| (t * along + sequence(i) * across) as i64).collect();
    Ok((gathered("PackPaddedSequenceBackward0", input, 2, &index, fault)?, sizes))
}

/// The padded form of a packed sequence, `[steps, batch, …]` or `[batch, steps, …]`, and the sequences' lengths. `steps` is at least
/// as many as there are sizes; with `order` the i-th sequence of the result is the packed one `order[i]`.
///
/// # Errors
/// When the dtype does not hold the padding value.
#[track_caller]
pub fn pad_packed(
    data: &Tensor,
    sizes: &[i64],
    order: Option<&[i64]>,
    batch_first: bool,
    padding_value: Scalar,
    steps: usize,
) -> Result<(Tensor, Vec<i64>)> {
    let batch = sizes.first().map_or(0, |&n| n as usize);
    let of_packed: Vec<i64> =
        (0..batch as i64).map(|i| sizes.iter().take_while(|&&rows| rows > i).count() as i64).collect();
    let sequence = |i: usize| order.map_or(i, |order| order[i] as usize);
    let count = order.map_or(batch, <[i64]>::len);
    // Where the i-th packed sequence stands in the result.
    let mut place = vec![0; batch];
    (0..count).for_each(|i| place[sequence(i)] = i);
    // PyTorch puts the steps first, and its selection by an order leaves the batch first where that was asked for.
    let batch_outer = batch_first && order.is_some();
    let (along, across) = if batch_outer { (1, steps) } else { (count, 1) };
    let rows = sizes.iter().enumerate().flat_map(|(t, &rows)| (0..rows as usize).map(move |i| (t, i)));
    let index: Vec<i64> = rows.map(|(t, i)| (t * along + place[i] * across) as i64).collect();
    let index = numbers(&index, data)?;
    let rest = data.size()[1..].to_vec();
    let flat: Dims = std::iter::once(steps * count).chain(rest.iter().copied()).collect();
    let outer = if batch_outer { [count, steps] } else { [steps, count] };
    let full: SmallVec<[i64; 6]> = to_i64(&outer).into_iter().chain(to_i64(&rest)).collect();
    let turned = batch_first && !batch_outer;
    let out = {
        let _guard = no_grad();
        let padding = ops::full(&flat, padding_value.cast(data.dtype()), data.dtype(), data.device())?;
        ops::index_copy_(&padding, 0, &index, &data.detach())?.array().view(&full)?
    };
    let out = if turned { out.transpose(0, 1)? } else { out };
    let name = match (order, batch_first) {
        (Some(_), _) => "IndexSelectBackward0",
        (None, true) => "TransposeBackward0",
        (None, false) => "CopySlices",
    };
    let saves = [Save::Array("indices", index.array().clone())];
    let out = record(name, &[data], &saves, out, move |c| {
        let grad = c.grad(0)?;
        let grad = if turned { ops::transpose(&grad, 0, 1)? } else { grad };
        let grad = ops::reshape(&grad, &to_i64(&flat))?;
        Ok(smallvec![Some(ops::index_select(&grad, 0, &c.saved(0)?)?)])
    });
    Ok((out, (0..count).map(|i| of_packed[sequence(i)]).collect()))
}

/// Sequences `[length, …]` one beside the other, `[steps, batch, …]` or `[batch, steps, …]`, with `padding_value` behind each (before
/// it, with `left`). The result has the first one's dtype.
///
/// # Errors
/// Without sequences, and where another dimension than the first differs.
#[track_caller]
pub fn pad_sequences(sequences: &[&Tensor], batch_first: bool, padding_value: Scalar, left: bool) -> Result<Tensor> {
    let Some(first) = sequences.first() else { return Err(Error::runtime("received an empty list of sequences")) };
    if sequences.iter().any(|s| s.dim() == 0) {
        return Err(Error::runtime("ArrayRef: invalid slice, N = 1; size = 0"));
    }
    let (batch, steps) = (sequences.len(), sequences.iter().map(|s| s.size()[0]).max().unwrap_or(0));
    let outer = if batch_first { [batch, steps] } else { [steps, batch] };
    let shape: Dims = outer.into_iter().chain(first.size()[1..].iter().copied()).collect();
    let like = first.array();
    let value = padding_value.cast(first.dtype());
    let out = Array::full(like.backend(), like.device(), &shape, like.dtype(), value)?;
    let start = move |length: usize| if left { steps - length } else { 0 } as i64;
    let batch_dim = i64::from(!batch_first);
    for (i, sequence) in sequences.iter().enumerate() {
        let (sequence, length) = (sequence.array(), sequence.size()[0]);
        let place = out.select(batch_dim, i as i64)?.narrow(0, start(length), length as i64)?;
        fits(&sequence, &place)?;
        flambeau_tensor::ops::copy_into(&sequence, &place)?;
    }
    let of: Vec<(Dims, DType)> = sequences.iter().map(|s| (s.array().shape().into(), s.dtype())).collect();
    Ok(record("CopySlices", sequences, &[], out, move |c| {
        let grad = c.grad(0)?;
        let part = |(i, (shape, dtype)): (usize, &(Dims, DType))| {
            let part = || {
                let part = ops::narrow(&ops::select(&grad, batch_dim, i as i64)?, 0, start(shape[0]), shape[0] as i64)?;
                ops::to_dtype(&ops::sum_to_size(&part, shape)?, *dtype)
            };
            c.needs(i).then(part).transpose()
        };
        of.iter().enumerate().map(part).collect()
    }))
}

/// Refuses a sequence whose rows do not broadcast to those of the result.
fn fits(sequence: &Array, place: &Array) -> Result<()> {
    let (from, to) = (sequence.shape(), place.shape());
    let full = flambeau_tensor::dims::broadcast_shapes(to, from)?;
    match full.as_slice() == to {
        true => Ok(()),
        false => Err(Error::runtime(format!(
            "output with shape {to:?} doesn't match the broadcast shape {:?}",
            full.as_slice()
        ))),
    }
}

/// The first `lengths[i]` rows of each sequence of `[batch, steps, …]`.
///
/// # Errors
/// When there are not as many lengths as sequences.
#[track_caller]
pub fn unpad_sequences(padded: &Tensor, lengths: &[i64], batch_first: bool) -> Result<Vec<Tensor>> {
    let padded = if batch_first { padded.shallow_clone() } else { ops::transpose(padded, 0, 1)? };
    let (batch, steps) = (padded.size()[0], padded.size()[1]);
    if batch != lengths.len() {
        let how = if lengths.len() < batch { "shorter" } else { "longer" };
        return Err(Error::value(format!("zip() argument 2 is {how} than argument 1")));
    }
    let rows = |(i, &length): (usize, &i64)| {
        let index: Vec<i64> = (0..length.min(steps as i64)).collect();
        gathered("IndexBackward0", &ops::select(&padded, 0, i as i64)?, 1, &index, None)
    };
    lengths.iter().enumerate().map(rows).collect()
}
