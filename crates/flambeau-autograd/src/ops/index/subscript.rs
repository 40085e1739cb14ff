//! Python's `x[…]` and `x[…] = value`. Basic indices (integers, ranges, new axes) give views; tensors pick lines, all at once
//! through one flat index.

use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::indexing::{Index, Indices, IntoIndex, Slice};
use crate::ops::index::lines::{Shared, Write, add_lines, as_one, index_i64, places, spread, take_lines};
use crate::ops::{Operand, Place, alias, permute, reshape, select, slice, sum_to_size, to_i64, unsqueeze, view};
use crate::{Tensor, from_vec, no_grad};
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::{Array, DType, Dims, Finding, IndexRule, Scalar};
use smallvec::smallvec;

/// An index tensor and the dimension (of the view after the basic indices) at which it stands.
type Picks = Vec<(usize, Tensor)>;

fn is_mask(t: &Tensor) -> bool {
    matches!(t.dtype(), DType::Bool | DType::U8)
}

/// Applies the basic indices as views and collects the tensors.
fn apply_basic(x: &Tensor, indices: &Indices) -> Result<(Tensor, Picks)> {
    let consumes = |index: &Index| match index {
        Index::Select(_) | Index::Slice(_) => 1,
        Index::Tensor(t) if is_mask(t) => t.dim(),
        Index::Tensor(_) => 1,
        Index::NewAxis | Index::Ellipsis | Index::Bool(_) => 0,
    };
    let specified: usize = indices.iter().map(consumes).sum();
    if specified > x.dim() {
        return Err(Error::index(match (x.dim(), &indices[..]) {
            (0, [Index::Select(_)]) => "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or \
                                        `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
                .to_owned(),
            (n, _) => format!("too many indices for tensor of dimension {n}"),
        }));
    }
    let (mut out, mut picks) = (x.shallow_clone(), Picks::new());
    // Where the next index stands in the view, and in the tensor itself.
    let (mut at, mut own) = (0, 0);
    let mut rest = Some(x.dim() - specified);
    for index in indices {
        let index = match index {
            Index::Tensor(t) if t.dim() == 0 && is_mask(t) => &Index::Bool(t.array().item()?.to_bool()),
            Index::Tensor(t) if t.dim() == 0 && t.dtype().is_integer() => &Index::Select(t.array().item()?.to_i64()),
            other => other,
        };
        match index {
            Index::Select(i) => {
                let n = out.size()[at];
                if *i < -(n as i64) || *i >= n as i64 {
                    return Err(Finding::Subscript.error(*i, n, own).into());
                }
                out = select(&out, at as i64, *i)?;
                own += 1;
            }
            Index::Slice(Slice { start, end, step }) => {
                // A full slice among others is left out, as in PyTorch.
                if indices.len() == 1 || (*start, *end, *step) != (None, None, 1) {
                    out = slice(&out, at as i64, *start, *end, *step)?;
                }
                at += 1;
                own += 1;
            }
            Index::NewAxis => {
                out = unsqueeze(&out, at as i64)?;
                at += 1;
            }
            Index::Ellipsis => {
                let skipped = rest.take().unwrap_or(0);
                at += skipped;
                own += skipped;
            }
            Index::Bool(b) => {
                out = unsqueeze(&out, at as i64)?;
                let n = usize::from(*b);
                picks.push((at, crate::ops::to_device(&from_vec(vec![0i64; n], [n]), x.device())?));
                at += 1;
            }
            Index::Tensor(t) => {
                if !is_mask(t) && !crate::ops::index::lines::is_index(t) {
                    return Err(Error::index("tensors used as indices must be long, int, byte or bool tensors"));
                }
                let dims = if is_mask(t) { t.dim() } else { 1 };
                picks.push((at, crate::ops::to_device(t, x.device())?));
                at += dims;
                own += dims;
            }
        }
    }
    Ok((out, picks))
}

/// Where the picked dimensions stand, and the lengths around them.
#[derive(Clone)]
struct Geometry {
    /// The order of dimensions that brings the picked ones together.
    order: Vec<i64>,
    /// How many dimensions stand before them in that order.
    before: usize,
    /// The lengths in that order.
    permuted: Dims,
    /// How many dimensions are picked, and the product of their lengths.
    picked: usize,
    lines: usize,
    /// The shape of the index tensors together.
    shape: Dims,
}

impl Geometry {
    /// The lengths around the picked dimensions with others in their place.
    fn with(&self, middle: &[usize]) -> Vec<i64> {
        let (head, tail) = (&self.permuted[..self.before], &self.permuted[self.before + self.picked..]);
        head.iter().chain(middle).chain(tail).map(|&n| n as i64).collect()
    }

    fn inverse(&self) -> Vec<i64> {
        let mut inverse = vec![0; self.order.len()];
        for (i, &d) in self.order.iter().enumerate() {
            inverse[d as usize] = i as i64;
        }
        inverse
    }

    fn permutes(&self) -> bool {
        self.order.iter().enumerate().any(|(i, &d)| i as i64 != d)
    }

    /// `x[…]` for the flat index.
    fn read(&self, x: &Tensor, flat: &Tensor) -> Result<Tensor> {
        let x = if self.permutes() { permute(x, &self.order)? } else { x.shallow_clone() };
        let x = if self.picked == 1 { x } else { reshape(&x, &self.with(&[self.lines]))? };
        view(&take_lines(&x, self.before, flat)?, &self.with(&self.shape))
    }

    /// Zeros with `grad` added where [`Geometry::read`] reads.
    fn add(&self, grad: &Tensor, flat: &Tensor) -> Result<Tensor> {
        let grad = reshape(grad, &self.with(&[flat.numel()]))?;
        let all = view(&add_lines(&grad, self.before, flat, self.lines)?, &to_i64(&self.permuted))?;
        if self.permutes() { permute(&all, &self.inverse()) } else { Ok(all) }
    }

    /// Writes `values`, broadcast, into `out` where [`Geometry::read`] reads.
    fn write(&self, op: ScatterOp, flat: &Tensor, values: &Array, out: &Array) -> Result<()> {
        let result = self.with(&self.shape);
        // Leading ones beyond the result's dimensions are dropped.
        let extra = values.ndim().saturating_sub(result.len());
        let fits = values.shape()[..extra].iter().all(|&n| n == 1);
        let trimmed = if fits { values.reshape(&to_i64(&values.shape()[extra..]))?.expand(&result).ok() } else { None };
        let Some(values) = trimmed else {
            return Err(Error::runtime(format!(
                "shape mismatch: value tensor of shape {:?} cannot be broadcast to indexing result of shape {result:?}",
                values.shape()
            )));
        };
        if values.numel() == 0 {
            return Ok(());
        }
        let permuted = out.permute(&self.order)?;
        let merged = if self.picked == 1 { permuted.clone() } else { permuted.reshape(&self.with(&[self.lines]))? };
        let values = values.reshape(&self.with(&[flat.numel()]))?;
        let at = spread(&flat.array(), self.before, values.shape())?;
        flambeau_tensor::ops::scatter(op, self.before, &at, &values, &merged)?;
        if !merged.storage().ptr_eq(out.storage()) {
            flambeau_tensor::ops::copy_into(&merged.view(&to_i64(&self.permuted))?, &permuted)?;
        }
        Ok(())
    }
}

/// One dimension's index tensor: where it stands, and whether it comes from a mask and so is known to be within.
struct Pick {
    at: usize,
    index: Tensor,
    known: bool,
}

/// Masks become the numbers of their true elements, one list per dimension of the mask.
fn expand_masks(x: &Tensor, picks: &Picks) -> Result<Vec<Pick>> {
    let mut expanded = Vec::new();
    for (i, (at, t)) in picks.iter().enumerate() {
        if !is_mask(t) {
            expanded.push(Pick { at: *at, index: t.detach(), known: false });
            continue;
        }
        for (j, &n) in t.size().iter().enumerate() {
            if x.size()[at + j] != n {
                return Err(Error::index(format!(
                    "The shape of the mask {:?} at index {j} does not match the shape of the indexed tensor {:?} at index \
                     {}",
                    &t.size()[..],
                    &x.size()[..],
                    i + j
                )));
            }
        }
        let places = flambeau_tensor::ops::nonzero(&t.array())?;
        for j in 0..t.dim() {
            expanded.push(Pick { at: at + j, index: places.select(1, j as i64)?.into(), known: true });
        }
    }
    Ok(expanded)
}

/// The places that each pick names in its own dimension, checked before anything is made of them.
fn checked(picks: &[Pick], size: &[usize], shape: &[usize]) -> Result<Vec<Tensor>> {
    let rule = |j: usize| IndexRule::wrapping(size[picks[j].at], Finding::Subscript, j);
    let check = |(j, pick): (usize, &Pick)| match pick.known {
        true => Ok(pick.index.shallow_clone()),
        false => places(&pick.index, &rule(j)),
    };
    let all: Result<Vec<Tensor>> = picks.iter().enumerate().map(check).collect();
    if all.is_ok() || picks.len() == 1 || !picks[0].index.device().is_cpu() {
        return all;
    }
    // PyTorch names the first element whose place lies outside, not the first dimension.
    let spread =
        |pick: &Pick| Ok(index_i64(&crate::ops::expand(&pick.index, &to_i64(shape))?)?.array().to_vec::<i64>()?);
    let values: Vec<Vec<i64>> = picks.iter().map(spread).collect::<Result<_>>()?;
    for i in 0..values[0].len() {
        for (j, values) in values.iter().enumerate() {
            rule(j).place(values[i])?;
        }
    }
    all
}

/// The geometry of the picks, and one flat index (i64 `[n]`) over the picked dimensions.
fn plan(x: &Tensor, picks: &Picks) -> Result<(Geometry, Tensor)> {
    let _guard = no_grad();
    let picks = expand_masks(x, picks)?;
    let size = x.size();
    let mut shape = Dims::new();
    for pick in &picks {
        shape = broadcast_shapes(&shape, &pick.index.size()).map_err(|_| {
            let shapes: Vec<String> = picks.iter().map(|p| format!("{:?}", &p.index.size()[..])).collect();
            Error::index(format!(
                "shape mismatch: indexing tensors could not be broadcast together with shapes {}",
                shapes.join(", ")
            ))
        })?;
    }
    if picks.is_empty() {
        return Err(Error::index("index: at least one index tensor is needed"));
    }
    if shape.iter().all(|&n| n > 0) && picks.iter().any(|p| size[p.at] == 0) {
        return Err(Error::index("index is out of bounds for dimension with size 0"));
    }
    // Of nothing, PyTorch looks at no index.
    let known = match x.numel() {
        0 => picks.iter().map(|p| index_i64(&p.index)).collect::<Result<Vec<Tensor>>>()?,
        _ => checked(&picks, &size, &shape)?,
    };
    let mut flat = known[0].shallow_clone();
    for (pick, index) in picks.iter().zip(&known).skip(1) {
        flat = crate::ops::add(&crate::ops::mul(&flat, size[pick.at])?, index, 1)?;
    }
    let flat = reshape(&crate::ops::expand(&flat, &to_i64(&shape))?, &[-1])?;
    let dims: Vec<usize> = picks.iter().map(|p| p.at).collect();
    let adjacent = dims.windows(2).all(|d| d[1] == d[0] + 1);
    let before = if adjacent { dims[0] } else { 0 };
    let others = (0..size.len()).filter(|d| !dims.contains(d));
    let (head, tail): (Vec<usize>, Vec<usize>) = others.partition(|&d| adjacent && d < before);
    let order: Vec<i64> = head.iter().chain(&dims).chain(&tail).map(|&d| d as i64).collect();
    let permuted: Dims = order.iter().map(|&d| size[d as usize]).collect();
    let lines = dims.iter().map(|&d| size[d]).product();
    Ok((Geometry { order, before, permuted, picked: dims.len(), lines, shape }, flat))
}

/// Picks that an array of optional tensors names, one per dimension: the arguments of `index_put`.
fn picks_of(x: &Tensor, indices: &[Option<&Tensor>]) -> Result<Picks> {
    let mut at = 0;
    let mut picks = Picks::new();
    for index in indices {
        let Some(t) = index else {
            at += 1;
            continue;
        };
        if !is_mask(t) && !crate::ops::index::lines::is_index(t) {
            return Err(Error::index("tensors used as indices must be long, int, byte or bool tensors"));
        }
        picks.push((at, (*t).shallow_clone()));
        at += if is_mask(t) { t.dim() } else { 1 };
    }
    if at > x.dim() {
        return Err(Error::index(format!("too many indices for tensor of dimension {} (got {at})", x.dim())));
    }
    Ok(picks)
}

fn read(x: &Tensor, picks: &Picks) -> Result<Tensor> {
    let (geometry, flat) = plan(x, picks)?;
    let compute = || geometry.read(x, &flat);
    let backward = geometry.clone();
    as_one("IndexBackward0", &[x], &saves(&flat, picks), compute, move |c| {
        c.unchanged(1)?;
        Ok(smallvec![Some(backward.add(&c.grad(0)?, &c.saved(0)?)?)])
    })
}

/// The flat index, and the indices that it was made of: backward needs the one, and finds the others as they were.
fn saves<'a>(flat: &'a Tensor, picks: &'a Picks) -> Vec<Save<'a>> {
    let indices = picks.iter().map(|(_, index)| Save::Tensor("indices", index));
    std::iter::once(Save::Tensor("places", flat)).chain(indices).collect()
}

#[track_caller]
fn put_at(
    x: &Tensor,
    geometry: &Geometry,
    (flat, picks): (&Tensor, &Picks),
    values: &Tensor,
    accumulate: bool,
    place: Place,
) -> Result<Tensor> {
    let op = if accumulate { ScatterOp::Add } else { ScatterOp::Set };
    let write = |out: &Array| geometry.write(op, flat, &values.array(), out);
    let (backward, size) = (geometry.clone(), values.size());
    let (others, saves) = ([values], saves(flat, picks));
    let name = "IndexPutBackward0";
    Write { name, place, target: x, others: &others, saves: &saves, shared: Shared::Target }.run(write, move |c| {
        c.unchanged(1)?;
        let (grad, flat) = (c.grad(0)?, c.saved(0)?);
        let own = match (c.needs(0), accumulate) {
            (false, _) => None,
            (true, true) => Some(grad.shallow_clone()),
            (true, false) => {
                let zero = crate::ops::zeros(&[], grad.dtype(), grad.device())?;
                Some(put_at(&grad, &backward, (&flat, &Picks::new()), &zero, false, Place::New)?)
            }
        };
        let values = || {
            let read = backward.read(&grad, &flat)?;
            let extra = size.len().saturating_sub(read.dim());
            reshape(&sum_to_size(&read, &size[extra..])?, &to_i64(&size))
        };
        Ok(smallvec![own, c.needs(1).then(values).transpose()?])
    })
}

/// x with `values`, broadcast, where index tensors point, one for each dimension, `None` for all of one: `torch.index_put`. An
/// index tensor is of integers, or a bool mask. `accumulate` adds the values to what is there.
///
/// # Errors
/// Where dtypes differ, the index tensors or the values do not broadcast, and where an index points outside.
///
/// ```
/// let (x, i, j) = (torch::zeros([2, 2]), torch::tensor([0, 1]), torch::tensor([1, 0]));
/// let values = torch::tensor([5.0, 6.0]);
/// assert_eq!(x.index_put(&[Some(&i), Some(&j)], &values).to_vec::<f32>(), [0.0, 5.0, 6.0, 0.0]);
/// ```
#[op(torch, method, cast_gpu = Widest, default(accumulate = false))]
pub fn index_put(
    x: &Tensor,
    indices: &[Option<&Tensor>],
    values: &Tensor,
    accumulate: bool,
    place: Place,
) -> Result<Tensor> {
    let picks = picks_of(x, indices)?;
    if x.dtype() != values.dtype() {
        return Err(Error::runtime(format!(
            "Index put requires the source and destination dtypes match, got {} for the destination and {} for the source.",
            x.dtype().scalar_type_name(),
            values.dtype().scalar_type_name()
        )));
    }
    let (geometry, flat) = plan(x, &picks)?;
    put_at(x, &geometry, (&flat, &picks), values, accumulate, place)
}

/// Python's `x[index]`, the method `x.i(index)`: integers and ranges, negative ones from the end, `None` or
/// [`NewAxis`](crate::ops::indexing::NewAxis) for a new dimension, [`Ellipsis`](crate::ops::indexing::Ellipsis) for `...`,
/// [`slice`](crate::ops::indexing::slice) for a step, lists and tensors of integers for lines, bool tensors for masks; several of
/// them as a tuple. A view where the index has no lists and tensors, else a copy.
///
/// # Errors
/// Too many indices, an index out of bounds, a mask of another shape, index tensors that do not broadcast.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.i(1).to_vec::<i64>(), [4, 5, 6]); // x[1]
/// assert_eq!(x.i((.., 1..)).to_vec::<i64>(), [2, 3, 5, 6]); // x[:, 1:]
/// assert_eq!(x.i((.., [2, 0])).to_vec::<i64>(), [3, 1, 6, 4]); // x[:, [2, 0]]
/// assert_eq!(x.i(x.gt(4)).to_vec::<i64>(), [5, 6]); // x[x > 4]
/// ```
#[op(method, forms(i(index: impl IntoIndex) = (index)))]
pub fn index(x: &Tensor, index: impl IntoIndex) -> Result<Tensor> {
    let mut indices = Indices::new();
    index.append(&mut indices);
    let (out, picks) = apply_basic(x, &indices)?;
    match (picks.is_empty(), out.is_same(x)) {
        (false, _) => read(&out, &picks),
        (true, true) => alias(x),
        (true, false) => Ok(out),
    }
}

/// Python's `x[index] = value`, in place, the method `x.set(index, value)`; the value is a tensor, which is broadcast and
/// converted, or a number. The index is one of [`Tensor::i`].
///
/// # Errors
/// Those of [`index()`](crate::ops::index()), and a value that does not broadcast.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// x.set((.., 0), 0); // x[:, 0] = 0
/// x.set(1, torch::tensor([7, 8, 9])); // x[1] = torch.tensor([7, 8, 9])
/// assert_eq!(x.to_vec::<i64>(), [0, 2, 3, 7, 8, 9]);
/// ```
#[op(method, forms(set(index: impl IntoIndex, value: impl Into<Operand<'a>>) = (index, value)))]
#[track_caller]
pub fn index_set<'a>(x: &Tensor, index: impl IntoIndex, value: impl Into<Operand<'a>>) -> Result<()> {
    let mut indices = Indices::new();
    index.append(&mut indices);
    let (part, picks) = apply_basic(x, &indices)?;
    let value = match value.into() {
        Operand::Number(s) => return set_number(&part, &picks, s),
        Operand::Borrowed(t) => t.shallow_clone(),
        Operand::Owned(t) => t,
    };
    if picks.is_empty() {
        let size = value.size();
        let ones = size.iter().take_while(|&&n| n == 1).count();
        let value = if ones > 0 { reshape(&value, &to_i64(&size[ones..]))? } else { value };
        crate::ops::copy_(&part, &value)?;
        return Ok(());
    }
    let value = crate::ops::to_device(&crate::ops::to_dtype(&value, x.dtype())?, x.device())?;
    let (geometry, flat) = plan(&part, &picks)?;
    put_at(&part, &geometry, (&flat, &picks), &value, false, Place::First)?;
    Ok(())
}

#[track_caller]
fn set_number(part: &Tensor, picks: &Picks, value: Scalar) -> Result<()> {
    match &picks[..] {
        [] => match (part.dtype(), part.numel() == 1) {
            // PyTorch writes one element as a tensor, and a half type rounds that to infinity.
            (DType::F16 | DType::BF16, true) => crate::ops::fill_(part, value.cast(part.dtype()))?,
            _ => crate::ops::fill_(part, value)?,
        },
        // One mask over everything needs no list of places; one list of lines needs no flat index.
        [(0, mask)] if mask.dtype() == DType::Bool && mask.size() == part.size() => {
            crate::ops::masked_fill_(part, mask, value)?
        }
        [(at, lines)] if !is_mask(lines) && lines.dim() == 1 => {
            crate::ops::index_fill_(part, *at as i64, lines, value)?
        }
        _ => {
            let (geometry, flat) = plan(part, picks)?;
            let value = crate::ops::full(&[], value, part.dtype(), part.device())?;
            put_at(part, &geometry, (&flat, picks), &value, false, Place::First)?
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::indexing::{Ellipsis, NewAxis, slice};
    use crate::{Tensor, arange, from_vec, tensor};

    fn x() -> Tensor {
        arange(24).reshape([2, 3, 4])
    }

    #[test]
    fn shapes_are_those_of_python() {
        let (x, i) = (x(), from_vec(vec![0i64, 1], [2]));
        // Each line: Python's index beside it, shapes from PyTorch 2.15.
        assert_eq!(x.i(0).size(), [3, 4]); // x[0]
        assert_eq!(x.i((.., 1..)).size(), [2, 2, 4]); // x[:, 1:]
        assert_eq!(x.i((.., ..-1, -1)).size(), [2, 2]); // x[:, :-1, -1]
        assert_eq!(x.i((0, 1, 2)).size(), [0usize; 0]); // x[0, 1, 2]
        assert_eq!(x.i((.., None)).size(), [2, 1, 3, 4]); // x[:, None]
        assert_eq!(x.i((Ellipsis, NewAxis)).size(), [2, 3, 4, 1]); // x[..., None]
        assert_eq!(x.i((Ellipsis, slice(None, None, 2))).size(), [2, 3, 2]); // x[..., ::2]
        assert_eq!(x.i((.., [2, 0])).size(), [2, 2, 4]); // x[:, [2, 0]]
        assert_eq!(x.i((&i, .., &i)).size(), [2, 3]); // x[i, :, i]
        assert_eq!(x.i((0, .., &i)).size(), [3, 2]); // x[0, :, i]
        assert_eq!(x.i((.., true, &i)).size(), [2, 2, 4]); // x[:, True, i]
        assert_eq!(x.i(x.gt(20)).size(), [3]); // x[x > 20]
        let mask = tensor([[true, false, true], [false, true, false]]);
        assert_eq!(x.i((&mask, 0..2)).size(), [3, 2]); // x[mask, 0:2]
        assert_eq!(x.i((.., ..=-1)).size(), [2, 3, 4]);
    }

    #[test]
    fn views_write_through_and_set_takes_every_index() {
        let z = x();
        z.i((.., 1)).fill_(0);
        assert_eq!(z.i((1, 1)).to_vec::<i64>(), [0, 0, 0, 0]);
        z.set((0, 0), tensor([7, 8, 9, 10]));
        z.set((.., .., [0, -1]), -1);
        assert_eq!(z.i(0).to_vec::<i64>(), [-1, 8, 9, -1, -1, 0, 0, -1, -1, 9, 10, -1]);
        z.set(z.lt(0), 5);
        z.set((1, [0, 2]), tensor([[1], [2]]));
        assert_eq!(z.i(1).to_vec::<i64>(), [1, 1, 1, 1, 5, 0, 0, 5, 2, 2, 2, 2]);
        // The last of equal indices wins, as on PyTorch's CPU.
        let z = arange(4);
        z.set([0, 0], tensor([1, 2]));
        assert_eq!(z.to_vec::<i64>(), [2, 1, 2, 3]);
    }

    #[test]
    fn gradients_reach_base_and_values_through_a_view() {
        let x = tensor([[1., 2., 3.], [4., 5., 6.]]).requires_grad_(true);
        let v = tensor([10., 20.]).requires_grad_(true);
        let y = &x * 2.0;
        y.set((1, [0, 2]), &v);
        (&y * &y).sum().backward();
        // y = [[2, 4, 6], [10, 10, 20]]: d/dx = 4 y where x is left, d/dv = 2 y.
        assert_eq!(x.grad().expect("x requires grad").to_vec::<f32>(), [8., 16., 24., 0., 40., 0.]);
        assert_eq!(v.grad().expect("v requires grad").to_vec::<f32>(), [20., 40.]);
    }

    #[test]
    #[should_panic(expected = "index 5 is out of bounds for dimension 1 with size 3")]
    fn an_index_outside_names_the_tensors_own_dimension() {
        x().i((0, 5));
    }
}
