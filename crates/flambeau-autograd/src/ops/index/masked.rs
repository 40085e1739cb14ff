//! Masks: where, masked_fill, masked_select, masked_scatter, and where elements are not zero.

use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::lines::{Shared, Write, add_lines, as_one, take_lines, tensor_or_number};
use crate::ops::index::write::fill_value;
use crate::ops::pointwise::binary::common_dtype;
use crate::ops::{Operand, Place, expand, map, reshape, sum, to_i64, unbind, view};
use crate::{OrPanic, Tensor};
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::promotion::ResultType;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

static WHERE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.mask(0).select(b.input(1), b.input(2))).with_arguments(&["condition", "self", "other"])
});
static WHERE_OR_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.mask(0).select(b.input(1), b.scalar(0))).with_arguments(&["condition", "self"])
});
static NUMBER_OR: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.mask(0).select(b.scalar(0), b.input(1))).with_arguments(&["condition", "other"])
});
static NUMBERS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.scalar(0), b.scalar(1))).with_arguments(&["condition"]));

/// condition ? input : other, element by element, all three broadcast: `torch.where`. `input` and `other` are tensors or numbers;
/// their dtypes are promoted to a common one.
///
/// # Errors
/// For a condition that is neither bool nor uint8, and for a number that the common dtype does not hold.
///
/// ```
/// let x = torch::tensor([-1.0, 2.0]);
/// assert_eq!(torch::where_(&x.gt(0), &x, 7.0).to_vec::<f32>(), [7.0, 2.0]);
/// assert_eq!(x.where_(&x.gt(0), 7.0).to_vec::<f32>(), [7.0, 2.0]);
/// ```
#[op(torch)]
pub fn where_<'a, 'b>(
    condition: &Tensor,
    input: impl Into<Operand<'a>>,
    other: impl Into<Operand<'b>>,
) -> Result<Tensor> {
    if !matches!(condition.dtype(), DType::Bool | DType::U8) {
        return Err(Error::runtime(format!(
            "where expected condition to be a boolean tensor, but got a tensor with dtype {}",
            condition.dtype().scalar_type_name()
        )));
    }
    let (a, b) = (input.into(), other.into());
    let name = "WhereBackward0";
    match (tensor_or_number(&a), tensor_or_number(&b)) {
        (Ok(a), Ok(b)) => map(name, &WHERE, &[condition, a, b], &[]),
        (Ok(a), Err(b)) => map(name, &WHERE_OR_NUMBER, &[condition, a], &[chosen(a, b)?]),
        (Err(a), Ok(b)) => map(name, &NUMBER_OR, &[condition, b], &[chosen(b, a)?]),
        (Err(a), Err(b)) => {
            let common = ResultType::default().number(a).number(b).finish();
            map(name, &NUMBERS, &[condition], &[held(common, a)?, held(common, b)?])
        }
    }
}

/// A number that is chosen beside a tensor.
fn chosen(x: &Tensor, number: Scalar) -> Result<Scalar> {
    held(common_dtype(x, &Operand::Number(number)), number)
}

/// The number, which the common dtype must hold; but half types round it to infinity.
fn held(common: DType, number: Scalar) -> Result<Scalar> {
    if !matches!(common, DType::F16 | DType::BF16) && !number.fits(common) {
        return number.checked(common).map_err(Error::from);
    }
    // Unchanged, so that it promotes as it did.
    Ok(number)
}

/// mask ? number : x
pub(crate) static FILL: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.mask(1).select(b.scalar(0), b.input(0))).with_arguments(&["self", "mask"]));
/// mask ? value : x
static FILL_FROM: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.mask(1).select(b.input(2), b.input(0))).with_arguments(&["self", "mask", "value"])
});

/// x with one value, a number or a 0-d tensor, where the mask is true: `torch.masked_fill`. The mask (bool) is broadcast; the
/// dtype stays that of x.
///
/// # Errors
/// For a mask of another dtype, a value of more dimensions, and a number that the dtype does not hold.
///
/// ```
/// let x = torch::tensor([1.0, -2.0, 3.0]);
/// assert_eq!(x.masked_fill(&x.lt(0), 0).to_vec::<f32>(), [1.0, 0.0, 3.0]);
/// x.masked_fill_(&x.gt(0), 9);
/// assert_eq!(x.to_vec::<f32>(), [9.0, -2.0, 9.0]);
/// ```
#[op(torch, method, fills)]
pub fn masked_fill<'a>(x: &Tensor, mask: &Tensor, value: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    if mask.dtype() != DType::Bool {
        return Err(Error::runtime(format!(
            "masked_fill_ only supports boolean masks, but got mask with dtype {}",
            mask.dtype().c_name()
        )));
    }
    // PyTorch names the mask first where the shapes disagree.
    broadcast_shapes(&mask.size(), &x.size())?;
    match value.into() {
        Operand::Number(s) => place.map_repeats("MaskedFillBackward0", &FILL, &[x, mask], &[s.checked(x.dtype())?]),
        value => {
            let (value, _) = fill_value("masked_fill_", value, x)?;
            place.map_repeats("MaskedFillBackward1", &FILL_FROM, &[x, mask, &value], &[])
        }
    }
}

/// The places of the mask's true elements in the flattened `shape`: i64 `[n]`.
pub(crate) fn true_places(mask: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let flat = mask.array().broadcast_to(shape)?.reshape(&[-1])?;
    Ok(flambeau_tensor::ops::nonzero(&flat)?.view(&[-1])?.into())
}

/// The elements where the mask is true, in row-major order, as a 1-d copy: `torch.masked_select`. Both are broadcast.
///
/// # Errors
/// For a mask of another dtype than bool.
///
/// ```
/// let x = torch::tensor([[1.0, -2.0], [-3.0, 4.0]]);
/// assert_eq!(x.masked_select(&x.gt(0)).to_vec::<f32>(), [1.0, 4.0]);
/// ```
#[op(torch, method)]
pub fn masked_select(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    if mask.dtype() != DType::Bool {
        return Err(Error::runtime("masked_select: expected BoolTensor for mask"));
    }
    let shape = broadcast_shapes(&mask.size(), &x.size())?;
    let full = to_i64(&shape);
    let places = true_places(mask, &shape)?;
    let (own, n) = (x.size(), flambeau_tensor::dims::numel(&shape));
    let compute = || take_lines(&reshape(&expand(x, &full)?, &[-1])?, 0, &places);
    let saved = full.clone();
    as_one(
        "MaskedSelectBackward0",
        &[x],
        &[Save::Tensor("places", &places), Save::Tensor("self", x), Save::Tensor("mask", mask)],
        compute,
        move |c| {
            c.unchanged(1)?;
            let all = view(&add_lines(&c.grad(0)?, 0, &c.saved(0)?, n)?, &saved)?;
            Ok(smallvec![Some(crate::ops::sum_to_size(&all, &own)?)])
        },
    )
}

/// x with the first elements of `source`, in order, where the mask is true: `torch.masked_scatter`. The mask (bool) is
/// broadcast.
///
/// # Errors
/// Where the dtypes of x and `source` differ, the mask is no bool, or `source` has too few elements.
///
/// ```
/// let (x, mask) = (torch::zeros([4]), torch::tensor([true, false, true, false]));
/// let source = torch::tensor([5.0, 6.0, 7.0]);
/// assert_eq!(x.masked_scatter(&mask, &source).to_vec::<f32>(), [5.0, 0.0, 6.0, 0.0]);
/// ```
#[op(torch, method)]
pub fn masked_scatter(x: &Tensor, mask: &Tensor, source: &Tensor, place: Place) -> Result<Tensor> {
    if x.dtype() != source.dtype() {
        return Err(Error::runtime(format!(
            "masked_scatter: expected self and source to have same dtypes but got{} and {}",
            x.dtype().scalar_type_name(),
            source.dtype().scalar_type_name()
        )));
    }
    if mask.dtype() != DType::Bool {
        return Err(Error::runtime(format!(
            "masked_scatter_ only supports boolean masks, but got mask with dtype {}",
            mask.dtype().scalar_type_name()
        )));
    }
    let shape = broadcast_shapes(&mask.size(), &x.size())?;
    if !place.is_first() && *shape != *x.size() {
        return masked_scatter(&expand(x, &to_i64(&shape))?, mask, source);
    }
    let places = true_places(mask, &x.size())?;
    let (n, given) = (places.numel(), source.numel());
    let write = |out: &Array| {
        if n > given {
            return Err(Error::runtime("Number of elements of source < number of ones in mask"));
        }
        let dense = out.contiguous()?;
        let values = source.array().reshape(&[-1])?.narrow(0, 0, n as i64)?;
        flambeau_tensor::ops::scatter(ScatterOp::Set, 0, &places.array(), &values, &dense.view(&[-1])?)?;
        Ok(flambeau_tensor::ops::copy_into(&dense, out)?)
    };
    let size = to_i64(&source.size());
    let (others, saves) = ([source], [Save::Tensor("mask", mask)]);
    let name = "MaskedScatterBackward0";
    Write { name, place, target: x, others: &others, saves: &saves, shared: Shared::Operands }.run(write, move |c| {
        let (grad, mask) = (c.grad(0)?, c.saved(0)?);
        let own = c.needs(0).then(|| masked_fill(&grad, &mask, 0)).transpose()?;
        let source = || {
            let picked = masked_select(&grad, &expand(&mask, &to_i64(&grad.size()))?)?;
            let rest = crate::ops::zeros(&[given - n], grad.dtype(), grad.device())?;
            view(&crate::ops::cat(&[picked, rest], 0)?, &size)
        };
        Ok(smallvec![own, c.needs(1).then(source).transpose()?])
    })
}

/// The indices of the elements that are not zero, in row-major order, one row each: int64 `[n, dimensions]`: `torch.nonzero`.
///
/// ```
/// let x = torch::tensor([[1, 0], [0, 3]]);
/// assert_eq!(x.nonzero().to_vec::<i64>(), [0, 0, 1, 1]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn nonzero(x: &Tensor) -> Result<Tensor> {
    Ok(flambeau_tensor::ops::nonzero(&x.array())?.into())
}

/// The indices of the elements that are not zero, one int64 `[n]` for each dimension: `torch.nonzero(x, as_tuple=True)`.
///
/// ```
/// let x = torch::tensor([[0, 2], [0, 3]]);
/// let places = x.nonzero_tuple();
/// assert_eq!(places[0].to_vec::<i64>(), [0, 1]);
/// assert_eq!(places[1].to_vec::<i64>(), [1, 1]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn nonzero_tuple(x: &Tensor) -> Result<Vec<Tensor>> {
    let x = x.detach();
    unbind(&nonzero(&if x.dim() == 0 { view(&x, &[1])? } else { x })?, 1)
}

/// [`nonzero()`] under NumPy's name: `torch.argwhere`.
///
/// ```
/// assert_eq!(torch::tensor([0, 5, 6]).argwhere().to_vec::<i64>(), [1, 2]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn argwhere(x: &Tensor) -> Result<Tensor> {
    nonzero(x)
}

/// How many elements are not zero over the dimensions `dim`, all for `()`, as int64: `torch.count_nonzero`.
///
/// ```
/// let x = torch::tensor([[1, 0], [2, 3]]);
/// assert_eq!(x.count_nonzero().item(), 3.0);
/// assert_eq!(x.count_nonzero_dim(0).to_vec::<i64>(), [2, 1]);
/// ```
#[op(torch, method, not_differentiable, forms(count_nonzero() = (&[]), count_nonzero_dim(dim: &[i64]) = (dim)))]
pub fn count_nonzero(x: &Tensor, dim: &[i64]) -> Result<Tensor> {
    sum(&crate::ops::ne(&x.detach(), 0)?, dim, false, None)
}

impl Tensor {
    /// This tensor where the condition is true, else `other`: `x.where(condition, other)`, as [`where_`] is.
    #[track_caller]
    pub fn where_<'a>(&self, condition: &Tensor, other: impl Into<Operand<'a>>) -> Tensor {
        where_(condition, self, other).or_panic()
    }
}
