//! Reading at indices: gather, index_select, take and embedding.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::index::lines::{add_lines, as_one, at_least_1d, index_i64, is_index, line_places, places, take_lines};
use crate::ops::nn::window::type_text;
use crate::ops::{masked_fill, reshape, to_i64, view, zeros};
use flambeau_macros::op;
use flambeau_tensor::dims::{broadcast_shapes, wrap_dim};
use flambeau_tensor::ops::refuse_where;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Finding, IndexRule, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// out\[…, i, …\] = x\[…, index\[…, i, …\], …\] along `dim`, in the shape of `index`: `torch.gather`. The index is an integer
/// tensor with as many dimensions as x, and not longer in the others than `dim`. [`scatter`](crate::ops::scatter()) is the
/// reverse.
///
/// # Errors
/// For an index of another dtype or number of dimensions, and where it points outside.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// let index = torch::tensor([[2, 0], [1, 1]]);
/// assert_eq!(x.gather(1, &index).to_vec::<i64>(), [3, 1, 5, 5]);
/// ```
#[op(torch, method)]
pub fn gather(x: &Tensor, dim: i64, index: &Tensor) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    if !is_index(index) && index.numel() > 0 {
        return Err(Error::runtime("gather(): Expected dtype int32/int64 for index"));
    }
    let (size, wanted) = (x.size(), index.size());
    if index.numel() > 0 {
        if size.len().max(1) != wanted.len().max(1) {
            return Err(Error::runtime("Index tensor must have the same number of dimensions as input tensor"));
        }
        if let Some(i) = (0..size.len().min(wanted.len())).find(|&i| i != d && wanted[i] > size[i]) {
            return Err(Error::runtime(format!(
                "Size does not match at dimension {i} expected index {:?} to be no larger than self {:?} apart from \
                 dimension {d}",
                &wanted[..],
                &size[..]
            )));
        }
    }
    let (given, index) = (index, index_i64(index)?);
    let out = if index.numel() == 0 {
        zeros(&wanted, x.dtype(), x.device())?.array().clone()
    } else {
        let out = flambeau_tensor::ops::gather(&at_least_1d(&x.array())?, d, &at_least_1d(&index.array())?)?;
        out.view(&to_i64(&wanted))?
    };
    let saves = [Save::Tensor("places", &index), Save::Tensor("index", given), Save::Tensor("self", x)];
    Ok(record("GatherBackward0", &[x], &saves, out, move |c| {
        c.unchanged(1)?;
        let grad = c.grad(0)?;
        let zeros = zeros(&size, grad.dtype(), grad.device())?;
        Ok(smallvec![Some(crate::ops::scatter_add(&zeros, dim, &c.saved(0)?, &grad)?)])
    }))
}

/// [`gather()`] that broadcasts the other dimensions of `x` and `indices`: `torch.take_along_dim`. As PyTorch does, an index
/// counts modulo the dimension's length. Without `dim`, it takes from the flattened tensor, and an index counts as in
/// [`gather()`]. Indices as [`argsort`](crate::ops::argsort()) and [`argmax`](crate::ops::argmax()) give them fit.
///
/// ```
/// let x = torch::tensor([[3, 1, 2], [6, 5, 4]]);
/// let order = x.argsort_dim(1, false);
/// assert_eq!(x.take_along_dim(&order, 1).to_vec::<i64>(), [1, 2, 3, 4, 5, 6]);
/// ```
#[op(torch, method)]
pub fn take_along_dim(x: &Tensor, indices: &Tensor, dim: Option<i64>) -> Result<Tensor> {
    let Some(dim) = dim else {
        return gather(&reshape(x, &[-1])?, 0, &reshape(indices, &[-1])?);
    };
    if x.dim() != indices.dim() {
        return Err(Error::runtime(format!(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got {} dimensions for \
             input, and {} dimensions for indices",
            x.dim(),
            indices.dim()
        )));
    }
    if !is_index(indices) {
        return Err(Error::runtime(
            "torch.take_along_dim(): dtype of indices should be Long or Int but got ".to_owned()
                + indices.dtype().scalar_type_name(),
        ));
    }
    let d = wrap_dim(dim, x.dim())?;
    let index = &crate::ops::remainder(&index_i64(indices)?.detach(), x.size().get(d).copied().unwrap_or(1))?;
    if x.dim() == 0 {
        return gather(x, dim, index);
    }
    let of_length = |t: &Tensor, n: usize| {
        let mut size = t.size().to_vec();
        size[d] = n;
        size
    };
    let others = broadcast_shapes(&of_length(x, 1), &of_length(index, 1))?;
    let expand_to = |t: &Tensor| {
        let mut shape = to_i64(&others);
        shape[d] = t.size()[d] as i64;
        crate::ops::expand(t, &shape)
    };
    gather(&expand_to(x)?, dim, &expand_to(index)?)
}

/// The lines along `dim` that a 1-d (or 0-d) integer tensor names, as a copy: `torch.index_select`.
///
/// # Errors
/// For an index of another dtype or shape, and where it names a line outside; negative numbers do not count from the end.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4], [5, 6]]);
/// let rows = torch::tensor([2, 0]);
/// assert_eq!(x.index_select(0, &rows).to_vec::<i64>(), [5, 6, 1, 2]);
/// ```
#[op(torch, method)]
pub fn index_select(x: &Tensor, dim: i64, index: &Tensor) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    if index.dim() > 1 {
        return Err(Error::index("index_select(): Index is supposed to be a vector"));
    }
    if !is_index(index) {
        return Err(Error::runtime("index_select(): Expected dtype int32 or int64 for index"));
    }
    if x.dim() == 0 && index.numel() != 1 {
        return Err(Error::runtime(format!(
            "index_select(): Index to scalar can have only 1 value, got {} value(s)",
            index.numel()
        )));
    }
    let at = line_places(&x.size(), d, index)?;
    let (given, index) = (index, index_i64(index)?);
    let compute = || {
        let raised = if x.dim() == 0 { view(x, &[1])? } else { x.shallow_clone() };
        let out = take_lines(&raised, d, &reshape(&at, &[-1])?)?;
        if x.dim() == 0 { view(&out, &[]) } else { Ok(out) }
    };
    let size = x.size();
    as_one(
        "IndexSelectBackward0",
        &[x],
        &[Save::Tensor("places", &index), Save::Tensor("index", given)],
        compute,
        move |c| {
            c.unchanged(1)?;
            let grad = c.grad(0)?;
            let zeros = zeros(&size, grad.dtype(), grad.device())?;
            Ok(smallvec![Some(crate::ops::index_add(&zeros, dim, &c.saved(0)?, &grad, 1)?)])
        },
    )
}

/// The elements of the flattened tensor at `index`, in the shape of `index` (int64): `torch.take`. Negative indices count from
/// the end.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.take(&torch::tensor([0, 3, -2])).to_vec::<i64>(), [1, 4, 3]);
/// ```
#[op(torch, method)]
pub fn take(x: &Tensor, index: &Tensor) -> Result<Tensor> {
    if index.dtype() != DType::I64 {
        return Err(Error::runtime(format!(
            "take(): Expected a long tensor for index, but got {}",
            index.dtype().scalar_type_name()
        )));
    }
    if x.numel() == 0 && index.numel() > 0 {
        return Err(Error::index("take(): tried to take from an empty tensor"));
    }
    let flat = view(&flat_places(x, index)?, &[-1])?;
    let shape = to_i64(&index.size());
    let size = to_i64(&x.size());
    let compute = || view(&take_lines(&reshape(x, &[-1])?, 0, &flat)?, &shape);
    let n = x.numel();
    as_one(
        "TakeBackward0",
        &[x],
        &[Save::Tensor("places", &flat), Save::Tensor("self", x), Save::Tensor("index", index)],
        compute,
        move |c| {
            c.unchanged(1)?;
            let grad = reshape(&c.grad(0)?, &[-1])?;
            Ok(smallvec![Some(view(&add_lines(&grad, 0, &c.saved(0)?, n)?, &size)?)])
        },
    )
}

/// The places in the flattened tensor that the index of `take` and `put` names.
pub(crate) fn flat_places(x: &Tensor, index: &Tensor) -> Result<Tensor> {
    places(index, &IndexRule::wrapping(x.numel(), Finding::Element, 0))
}

/// What [`embedding()`] takes besides its tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbeddingOptions {
    padding_idx: Option<i64>,
    max_norm: Option<f64>,
    norm_type: f64,
    scale_grad_by_freq: bool,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        EmbeddingOptions { padding_idx: None, max_norm: None, norm_type: 2.0, scale_grad_by_freq: false }
    }
}

impl EmbeddingOptions {
    /// The row that gets no gradient; a negative one counts from the end. Default: none.
    #[must_use]
    pub fn padding_idx(mut self, row: impl Into<Option<i64>>) -> Self {
        self.padding_idx = row.into();
        self
    }

    /// Rows of a larger norm are scaled down to it, in the table itself, before they are looked up. Default: none.
    #[must_use]
    pub fn max_norm(mut self, norm: impl Into<Option<f64>>) -> Self {
        self.max_norm = norm.into();
        self
    }

    /// Which norm `max_norm` is of. Default: 2.
    #[must_use]
    pub fn norm_type(mut self, p: f64) -> Self {
        self.norm_type = p;
        self
    }

    /// Whether a row's gradient is divided by how often the row was named. Default: false.
    #[must_use]
    pub fn scale_grad_by_freq(mut self, scale: bool) -> Self {
        self.scale_grad_by_freq = scale;
        self
    }
}

/// Refuses indices of another dtype than int64 and int32.
pub(super) fn check_indices(indices: &Tensor, argument: usize, function: &str) -> Result<()> {
    match is_index(indices) {
        true => Ok(()),
        false => Err(Error::runtime(format!(
            "Expected tensor for argument #{argument} 'indices' to have one of the following scalar types: Long, Int; but got {} \
             instead (while checking arguments for {function})",
            type_text(indices)
        ))),
    }
}

/// out\[i, j, …\] = weight\[input\[i, j, …\]\]: the rows of a table `[rows, width]` that an integer tensor names, in the shape of
/// `input` with `width` behind: `F.embedding`. The gradient of a row is the sum over its uses.
///
/// # Errors
/// For a table that is no matrix, indices of another dtype than int64 and int32 or outside, and a `padding_idx` outside.
///
/// ```
/// use torch::nn::functional as F;
/// let table = torch::tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
/// let words = torch::tensor([2, 1, 2]);
/// assert_eq!(F::embedding(&words, &table).to_vec::<f32>(), [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
/// F::embedding_with(&words, &table, |o| o.padding_idx(1)).sum().backward();
/// assert_eq!(table.grad().unwrap().to_vec::<f32>(), [0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
/// ```
#[op(functional)]
pub fn embedding(input: &Tensor, weight: &Tensor, options: &EmbeddingOptions) -> Result<Tensor> {
    let EmbeddingOptions { padding_idx, max_norm, norm_type, scale_grad_by_freq } = *options;
    let size = weight.size();
    let &[rows, width] = &size[..] else {
        return Err(Error::runtime("'weight' must be 2-D"));
    };
    if padding_idx.is_some_and(|p| p < -(rows as i64) || p >= rows as i64) {
        return Err(Error::value("Padding_idx must be within num_embeddings"));
    }
    let (padding, width) = (padding_idx.map(|p| p.rem_euclid(rows as i64)), width as i64);
    if let Some(max_norm) = max_norm {
        embedding_renorm_(weight, input, max_norm, norm_type)?;
    }
    check_indices(input, 1, "embedding")?;
    let at = reshape(&line_places(&size, 0, input)?, &[-1])?;
    let flat = reshape(&index_i64(input)?, &[-1])?;
    let mut shape = to_i64(&input.size());
    shape.push(width);
    let compute = || view(&take_lines(weight, 0, &at)?, &shape);
    as_one(
        "EmbeddingBackward0",
        &[weight],
        &[Save::Tensor("indices", input), Save::Tensor("places", &flat)],
        compute,
        move |c| {
            c.unchanged(0)?;
            let flat = c.saved(1)?;
            let mut grad = reshape(&c.grad(0)?, &[flat.numel() as i64, width])?;
            if let Some(p) = padding {
                let at = view(&crate::ops::eq(&flat, p)?, &[-1, 1])?;
                grad = masked_fill(&grad, &at, Scalar::Int(0))?;
            }
            if scale_grad_by_freq {
                let ones = crate::ops::ones(&flat.size(), grad.dtype(), grad.device())?;
                let counts = take_lines(&add_lines(&ones, 0, &flat, rows)?, 0, &flat)?;
                grad = crate::ops::div(&grad, &view(&counts, &[-1, 1])?)?;
            }
            Ok(smallvec![Some(add_lines(&grad, 0, &flat, rows)?)])
        },
    )
}

/// Scales the rows that `indices` name down, in place, where their `norm_type`-norm exceeds `max_norm`:
/// `torch.embedding_renorm_`, which `F.embedding` calls with `max_norm` before it looks rows up. Nothing is recorded.
///
/// ```
/// let table = torch::tensor([[3.0, 4.0], [6.0, 8.0]]);
/// torch::embedding_renorm_(&table, &torch::tensor([0]), 1.0, 2.0);
/// assert!(table.allclose(&torch::tensor([[0.6, 0.8], [6.0, 8.0]])));
/// ```
#[op(torch, not_differentiable)]
#[track_caller]
pub fn embedding_renorm_(weight: &Tensor, indices: &Tensor, max_norm: f64, norm_type: f64) -> Result<Tensor> {
    let _guard = crate::no_grad();
    let &[rows, width] = &weight.size()[..] else {
        return Err(Error::runtime(format!(
            "Expected 2-dimensional tensor, but got {}-dimensional tensor for argument #1 'self' (while checking arguments \
             for embedding_renorm_)",
            weight.dim()
        )));
    };
    check_indices(indices, 2, "embedding_renorm_")?;
    // PyTorch selects the rows in order, so that the first one outside is the smallest.
    let ordered = match indices.device().is_cpu() {
        true => crate::ops::sort(&reshape(&indices.detach(), &[-1])?, -1, false, None)?.0,
        false => reshape(&indices.detach(), &[-1])?,
    };
    let used = places(&ordered, &IndexRule::wrapping(rows, Finding::Row, width))?;
    if used.numel() == 0 || width == 0 {
        return Ok(weight.shallow_clone());
    }
    // As PyTorch does: norm and factor are rounded to the weight's dtype, the factor after it was computed in f64. A row that
    // is used twice is written twice, the same.
    let taken = take_lines(&weight.detach(), 0, &used)?;
    let norms = crate::ops::to_dtype(&crate::ops::vector_norm(&taken, norm_type, &[1], true, None)?, DType::F64)?;
    let scale = crate::ops::mul(&crate::ops::reciprocal(&crate::ops::add(&norms, 1e-7, 1)?)?, max_norm)?;
    let compute = weight.dtype().compute();
    let wide = crate::ops::to_dtype(&taken, compute)?;
    let scaled =
        crate::ops::mul(&wide, &crate::ops::to_dtype(&crate::ops::to_dtype(&scale, weight.dtype())?, compute)?)?;
    let new = crate::ops::where_(&crate::ops::gt(&norms, max_norm)?, scaled, wide)?;
    crate::ops::index_copy_(weight, 0, &used, &crate::ops::to_dtype(&new, weight.dtype())?)
}

static BELOW_ZERO: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).lt(0)));
static AT_LEAST: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).ge(b.scalar(0))));

/// One at each class's place, zero elsewhere, in a new last dimension of length `num_classes` (−1: the largest class + 1):
/// `F.one_hot`. Classes and result are int64.
///
/// # Errors
/// For another dtype, a negative class, and a class that is not below `num_classes`.
///
/// ```
/// let classes = torch::tensor([2, 0]);
/// assert_eq!(classes.one_hot(3).to_vec::<i64>(), [0, 0, 1, 1, 0, 0]);
/// ```
#[op(functional, method, not_differentiable, positional, default(num_classes = -1))]
pub fn one_hot(x: &Tensor, num_classes: i64) -> Result<Tensor> {
    if x.dtype() != DType::I64 {
        return Err(Error::runtime("one_hot is only applicable to index tensor of type LongTensor."));
    }
    let mut shape = x.size().to_vec();
    let n = match (x.numel(), num_classes) {
        (0, n) if n <= 0 => return Err(Error::runtime("Can not infer total number of classes from empty tensor.")),
        (0, n) => n,
        // A device would have to be waited for; it tells at its next readback.
        (_, n) if n > 0 && !x.device().is_cpu() => {
            let classes = x.array();
            refuse_where(&BELOW_ZERO, &classes, &[], Finding::NegativeClass)?;
            refuse_where(&AT_LEAST, &classes, &[Scalar::Int(n)], Finding::LargeClass)?;
            n
        }
        (_, n) => {
            let values = x.array().to_vec::<i64>()?;
            if values.iter().any(|&c| c < 0) {
                return Err(Error::runtime("Class values must be non-negative."));
            }
            let largest = values.iter().copied().max().unwrap_or(0);
            if n != -1 && largest >= n {
                return Err(Error::runtime("Class values must be smaller than num_classes."));
            }
            if n == -1 { largest + 1 } else { n }
        }
    };
    shape.push(n as usize);
    let out = zeros(&shape, DType::I64, x.device())?;
    crate::ops::scatter_(&out, -1, &crate::ops::unsqueeze(x, -1)?, 1)
}
