//! Masks: where, masked_fill, masked_select, masked_scatter, and where elements are not zero.

use crate::error::{Error, Result};
use crate::graph::{Save, recording};
use crate::ops::index::lines::{add_lines, as_one, take_lines, write_anywhere};
use crate::ops::index::write::{fill_number, fill_value};
use crate::ops::pointwise::binary::common_dtype;
use crate::ops::{Operand, expand, map, map_repeats_, reshape, sum, to_i64, unbind, view};
use crate::{OrPanic, Tensor};
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::promotion::ResultType;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

static WHERE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.input(1), b.input(2))));
static WHERE_OR_NUMBER: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.input(1), b.scalar(0))));
static NUMBER_OR: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.scalar(0), b.input(1))));
static NUMBERS: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.scalar(0), b.scalar(1))));

/// c ? a : b with broadcasting; a and b are tensors or numbers: `torch.where(c, a, b)`.
pub fn where_<'a, 'b>(condition: &Tensor, a: impl Into<Operand<'a>>, b: impl Into<Operand<'b>>) -> Result<Tensor> {
    if !matches!(condition.dtype(), DType::Bool | DType::U8) {
        return Err(Error::runtime(format!(
            "where expected condition to be a boolean tensor, but got a tensor with dtype {}",
            condition.dtype().scalar_type_name()
        )));
    }
    let (a, b) = (a.into(), b.into());
    let name = "WhereBackward0";
    match (tensor(&a), tensor(&b)) {
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

fn tensor<'x>(operand: &'x Operand<'_>) -> Result<&'x Tensor, Scalar> {
    match operand {
        Operand::Borrowed(t) => Ok(t),
        Operand::Owned(t) => Ok(t),
        Operand::Number(s) => Err(*s),
    }
}

/// mask ? number : x
static FILL: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(1).select(b.scalar(0), b.input(0))));
/// mask ? value : x
static FILL_FROM: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(1).select(b.input(2), b.input(0))));

fn check_mask(x: &Tensor, mask: &Tensor) -> Result<()> {
    if mask.dtype() == DType::Bool {
        // PyTorch names the mask first where the shapes disagree.
        broadcast_shapes(&mask.size(), &x.size())?;
        return Ok(());
    }
    Err(Error::runtime(format!(
        "masked_fill_ only supports boolean masks, but got mask with dtype {}",
        mask.dtype().c_name()
    )))
}

/// x with one value (a number or a 0-dim tensor) where the mask is true: `torch.masked_fill`. The dtype stays x's.
pub fn masked_fill<'a>(x: &Tensor, mask: &Tensor, value: impl Into<Operand<'a>>) -> Result<Tensor> {
    check_mask(x, mask)?;
    match value.into() {
        Operand::Number(s) => map("MaskedFillBackward0", &FILL, &[x, mask], &[fill_number(s, x.dtype())?]),
        value => {
            let (value, _) = fill_value("masked_fill_", value, x)?;
            map("MaskedFillBackward1", &FILL_FROM, &[x, mask, &value], &[])
        }
    }
}

/// [`masked_fill`] in place.
#[track_caller]
pub fn masked_fill_<'a>(x: &Tensor, mask: &Tensor, value: impl Into<Operand<'a>>) -> Result<Tensor> {
    check_mask(x, mask)?;
    match value.into() {
        Operand::Number(s) => map_repeats_("MaskedFillBackward0", &FILL, &[x, mask], &[fill_number(s, x.dtype())?]),
        value => {
            let (value, _) = fill_value("masked_fill_", value, x)?;
            map_repeats_("MaskedFillBackward1", &FILL_FROM, &[x, mask, &value], &[])
        }
    }
}

/// The places of the mask's true elements in the flattened `shape`: i64 `[n]`.
pub(crate) fn true_places(mask: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let flat = mask.array().broadcast_to(shape)?.reshape(&[-1])?;
    Ok(flambeau_tensor::ops::nonzero(&flat)?.view(&[-1])?.into())
}

/// The elements where the mask is true, in row-major order: `torch.masked_select`. Both are broadcast.
pub fn masked_select(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    if mask.dtype() != DType::Bool {
        return Err(Error::runtime("masked_select: expected BoolTensor for mask"));
    }
    let shape = broadcast_shapes(&x.size(), &mask.size())?;
    let full = to_i64(&shape);
    let places = true_places(mask, &shape)?;
    let (own, n) = (x.size(), flambeau_tensor::dims::numel(&shape));
    let compute = || take_lines(&reshape(&expand(x, &full)?, &[-1])?, 0, &places);
    let saved = full.clone();
    as_one("MaskedSelectBackward0", &[x], &[&places, x, mask].map(Save::Tensor), compute, move |c| {
        c.unchanged(1)?;
        let all = view(&add_lines(&c.grad(0)?, 0, &c.saved(0)?, n)?, &saved)?;
        Ok(smallvec![Some(crate::ops::sum_to_size(&all, &own)?)])
    })
}

#[track_caller]
fn masked_scatter_with(in_place: bool, x: &Tensor, mask: &Tensor, source: &Tensor) -> Result<Tensor> {
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
    let shape = broadcast_shapes(&x.size(), &mask.size())?;
    if !in_place && *shape != *x.size() {
        return masked_scatter_with(false, &expand(x, &to_i64(&shape))?, mask, source);
    }
    if in_place {
        if recording(&[x, source]) {
            crate::views::check_in_place(x)?;
        }
        flambeau_tensor::ops::check_no_internal_overlap(&x.array())?;
    }
    let places = true_places(mask, &x.size())?;
    let (n, given) = (places.numel(), source.numel());
    if n > given {
        return Err(Error::runtime("Number of elements of source < number of ones in mask"));
    }
    let write = |out: &Array| {
        let dense = out.contiguous()?;
        let values = source.array().reshape(&[-1])?.narrow(0, 0, n as i64)?;
        flambeau_tensor::ops::scatter(ScatterOp::Set, 0, &places.array(), &values, &dense.view(&[-1])?)?;
        Ok(flambeau_tensor::ops::copy_into(&dense, out)?)
    };
    let size = to_i64(&source.size());
    // The source may share memory with the target: it is read first.
    write_anywhere("MaskedScatterBackward0", in_place, x, &[source], &[Save::Tensor(mask)], write, move |c| {
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

/// x with the first elements of `source`, in order, where the mask is true: `torch.masked_scatter`.
pub fn masked_scatter(x: &Tensor, mask: &Tensor, source: &Tensor) -> Result<Tensor> {
    masked_scatter_with(false, x, mask, source)
}

/// [`masked_scatter`] in place.
#[track_caller]
pub fn masked_scatter_(x: &Tensor, mask: &Tensor, source: &Tensor) -> Result<Tensor> {
    masked_scatter_with(true, x, mask, source)
}

/// The indices of elements that are not zero, in row-major order: i64 `[n, dims]`: `torch.nonzero`.
pub fn nonzero(x: &Tensor) -> Result<Tensor> {
    Ok(flambeau_tensor::ops::nonzero(&x.array())?.into())
}

/// The indices of elements that are not zero, one i64 `[n]` per dimension: `torch.nonzero(x, as_tuple=True)`.
pub fn nonzero_tuple(x: &Tensor) -> Result<Vec<Tensor>> {
    let x = x.detach();
    unbind(&nonzero(&if x.dim() == 0 { view(&x, &[1])? } else { x })?, 1)
}

/// [`nonzero`] under NumPy's name: `torch.argwhere`.
pub fn argwhere(x: &Tensor) -> Result<Tensor> {
    nonzero(x)
}

/// How many elements are not zero, over some dims (empty: all): `torch.count_nonzero`.
pub fn count_nonzero(x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    sum(&crate::ops::ne(&x.detach(), 0)?, dims, false, None)
}

/// Masks; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// This tensor where the condition is true, else `other`: `x.where(condition, other)`. See [`where_`].
    #[track_caller]
    pub fn where_<'a>(&self, condition: &Tensor, other: impl Into<Operand<'a>>) -> Tensor {
        where_(condition, self, other).or_panic()
    }

    /// See [`masked_fill`].
    #[track_caller]
    pub fn masked_fill<'a>(&self, mask: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        masked_fill(self, mask, value).or_panic()
    }

    /// See [`masked_fill_`].
    #[track_caller]
    pub fn masked_fill_<'a>(&self, mask: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        masked_fill_(self, mask, value).or_panic()
    }

    /// See [`masked_select`].
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        masked_select(self, mask).or_panic()
    }

    /// See [`masked_scatter`].
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        masked_scatter(self, mask, source).or_panic()
    }

    /// See [`masked_scatter_`].
    #[track_caller]
    pub fn masked_scatter_(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        masked_scatter_(self, mask, source).or_panic()
    }

    /// See [`nonzero`].
    #[track_caller]
    pub fn nonzero(&self) -> Tensor {
        nonzero(self).or_panic()
    }

    /// See [`nonzero_tuple`].
    #[track_caller]
    pub fn nonzero_tuple(&self) -> Vec<Tensor> {
        nonzero_tuple(self).or_panic()
    }

    /// See [`argwhere`].
    #[track_caller]
    pub fn argwhere(&self) -> Tensor {
        argwhere(self).or_panic()
    }

    /// See [`count_nonzero`]; `()` for all dims.
    #[track_caller]
    pub fn count_nonzero(&self, dims: impl crate::ops::IntoDims) -> Tensor {
        count_nonzero(self, &dims.into_dims()).or_panic()
    }
}
