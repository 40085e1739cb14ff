//! Sums, means and largest values of bags of rows: `F.embedding_bag`.

use super::gather::check_indices;
use super::lines::{add_lines, as_one, line_places, take_lines};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Context, Grads, Save};
use crate::no_grad;
use crate::ops::nn::window::type_text;
use crate::ops::{
    arange, div, embedding_renorm_, eq, full, gather, map, masked_fill, mul, narrow, ones, reshape, scatter_add,
    scatter_reduce, searchsorted, sum, sum_map, to_dtype, view, where_, zeros,
};
use flambeau_macros::op;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::promotion::promote_types;
use flambeau_tensor::{DType, Device, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// What becomes of a bag.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Sum,
    Mean,
    Max,
}

/// For each bag of rows of the table `weight`, `[rows, width]`, their sum, mean or largest values: `[bags, width]`, without the
/// rows themselves as a result: `F.embedding_bag`. `input` is `[bags, n]`, or `[total]` with `offsets`, where each bag starts.
/// Options: `offsets`, `max_norm`, `norm_type` (2), `scale_grad_by_freq`, `mode` (`"mean"`, `"sum"`, `"max"`),
/// `per_sample_weights` (of sums, in the shape of `input`), `include_last_offset` (the last offset is the end), `padding_idx`
/// (a row that counts for nothing). A bag of nothing is zeros. A gradient that is `sparse` there is not.
///
/// ```
/// use torch::nn::functional as F;
/// let table = torch::tensor([[1.0], [2.0], [4.0], [8.0]]);
/// let bags = torch::tensor([[0, 1], [2, 3]]);
/// assert_eq!(F::embedding_bag(&bags, &table).to_vec::<f32>(), [1.5, 6.0]);
/// let (flat, offsets) = (torch::tensor([0, 1, 3]), torch::tensor([0, 2]));
/// let y = F::embedding_bag_with(&flat, &table, |o| o.offsets(&offsets).mode("sum"));
/// assert_eq!(y.to_vec::<f32>(), [3.0, 8.0]);
/// ```
///
/// # Errors
/// When shapes, dtypes, words or indices do not fit.
#[op(functional, default(
    offsets = None, max_norm = None, norm_type = 2.0, scale_grad_by_freq = false, mode = "mean", sparse = false,
    per_sample_weights = None, include_last_offset = false, padding_idx = None
))]
#[allow(clippy::too_many_arguments)]
pub fn embedding_bag(
    input: &Tensor,
    weight: &Tensor,
    offsets: Option<&Tensor>,
    max_norm: Option<f64>,
    norm_type: f64,
    scale_grad_by_freq: bool,
    mode: &str,
    sparse: bool,
    per_sample_weights: Option<&Tensor>,
    include_last_offset: bool,
    padding_idx: Option<i64>,
) -> Result<Tensor> {
    let shape = input.size();
    if let Some(weights) = per_sample_weights.filter(|w| w.size() != shape) {
        return Err(Error::value(format!(
            "embedding_bag: If per_sample_weights (torch.Size({:?})) is not None, then it must have the same shape as the \
             input (torch.Size({:?}))",
            &weights.size()[..],
            &shape[..]
        )));
    }
    if weight.dim() != 2 {
        return Err(Error::value(format!(
            "weight has to be a 2D Tensor, but got Tensor of dimension {}",
            weight.dim()
        )));
    }
    let equal = match (shape.len(), offsets) {
        (2, Some(_)) => {
            return Err(Error::value(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. \
                 However, found offsets of type <class 'torch.Tensor'>",
            ));
        }
        (2, None) if shape[1] == 0 => return Err(Error::runtime("step must be nonzero")),
        (2, None) => Some(shape[1]),
        (1, None) => return Err(Error::value("offsets has to be a 1D Tensor but got None")),
        (1, Some(offsets)) if offsets.dim() != 1 => return Err(Error::value("offsets has to be a 1D Tensor")),
        (1, Some(_)) => None,
        (n, _) => {
            return Err(Error::value(format!("input has to be 1D or 2D Tensor, but got Tensor of dimension {n}")));
        }
    };
    let mode = match mode {
        "sum" => Mode::Sum,
        "mean" => Mode::Mean,
        "max" if scale_grad_by_freq => {
            return Err(Error::value("max mode does not support scaling the gradient by the frequency"));
        }
        "max" if sparse => return Err(Error::value("max mode does not support sparse weights")),
        "max" => Mode::Max,
        _ => return Err(Error::value("mode has to be one of sum, mean or max")),
    };
    if sparse {
        return Err(Error::runtime("embedding_bag: sparse gradients are not supported; leave sparse at false"));
    }
    if let Some(max_norm) = max_norm {
        embedding_renorm_(weight, input, max_norm, norm_type)?;
    }
    if per_sample_weights.is_some() && mode != Mode::Sum {
        let mode = if mode == Mode::Mean { "mean" } else { "max" };
        return Err(flambeau_tensor::Error::NotImplemented(format!(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got \
             mode='{mode}'). Please open a feature request on GitHub."
        ))
        .into());
    }
    check_types(input, weight, offsets, per_sample_weights)?;
    let rows = weight.size()[0] as i64;
    if let Some(p) = padding_idx.filter(|&p| p < -rows || p >= rows) {
        return Err(Error::runtime(format!(
            "padding_idx must be within the number of embeddings, {} through {}, but got {p}",
            -rows,
            rows - 1
        )));
    }
    let padding = padding_idx.map(|p| p.rem_euclid(rows));
    let flat = to_dtype(&reshape(&input.detach(), &[-1])?, DType::I64)?;
    let bags = match offsets {
        None => Bags::equal(&flat, shape[0], equal.unwrap_or(1), padding)?,
        Some(offsets) => Bags::at(&flat, offsets, include_last_offset, padding)?,
    };
    check_rows(&flat, weight, mode, padding.is_some())?;
    match mode {
        Mode::Max => bags.largest(weight),
        Mode::Sum | Mode::Mean => bags.sums(input, weight, per_sample_weights, mode == Mode::Mean, scale_grad_by_freq),
    }
}

fn check_types(
    input: &Tensor,
    weight: &Tensor,
    offsets: Option<&Tensor>,
    per_sample_weights: Option<&Tensor>,
) -> Result<()> {
    // Indices and offsets are promoted to one dtype first.
    let indices = match offsets {
        Some(offsets) => to_dtype(&input.detach(), promote_types(input.dtype(), offsets.dtype()))?,
        None => input.shallow_clone(),
    };
    check_indices(&indices, 1, "embedding_bag")?;
    if !weight.is_floating_point() {
        return Err(Error::runtime(format!(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, Float, Double; \
             but got {} instead (while checking arguments for embedding_bag)",
            type_text(weight)
        )));
    }
    match per_sample_weights.filter(|w| w.dtype() != weight.dtype()) {
        Some(other) => Err(Error::runtime(format!(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 'per_sample_weights'; but \
             type {} does not equal {} (while checking arguments for embedding_bag)",
            type_text(weight),
            type_text(other)
        ))),
        None => Ok(()),
    }
}

/// Refuses rows that the table has not got. On a device it is the kernels that find them.
fn check_rows(flat: &Tensor, weight: &Tensor, mode: Mode, padded: bool) -> Result<()> {
    let rows = weight.size()[0];
    if !flat.device().is_cpu() {
        line_places(&weight.size(), 0, flat)?;
        return Ok(());
    }
    let all = flat.array().to_vec::<i64>()?;
    let Some(at) = all.iter().position(|&row| row < 0 || row >= rows as i64) else { return Ok(()) };
    // PyTorch has a faster kernel with words of its own.
    let fast = mode != Mode::Max && weight.dtype() != DType::F64 && !padded;
    Err(Error::runtime(match fast {
        true => {
            format!("Index {at} of input takes value {} which is not in the valid range [0, {rows})", all[at])
        }
        false => {
            format!("embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {}", all[at])
        }
    }))
}

/// Which rows lie in which bag.
struct Bags {
    /// The rows' numbers, `[total]`.
    rows: Tensor,
    /// The bag of each, `[total]`; of what counts for nothing the one after the last.
    bag: Tensor,
    count: usize,
    /// How many rows each bag has, if all have equally many and none counts for nothing.
    equal: Option<usize>,
}

/// i ÷ n
static BAG_OF: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0)).binary(FLOOR_DIV, b.scalar(0))));
const FLOOR_DIV: flambeau_tensor::pointwise::BinaryOp = flambeau_tensor::pointwise::BinaryOp::FloorDiv;
/// The bag, unless the row is the one that counts for nothing.
static UNLESS_PADDING: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).eq(b.scalar(0)).select(b.scalar(1), b.input(0))));
/// The bag, unless the place is the end or lies behind it.
static BEFORE_END: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).lt(b.input(2)).select(b.input(0), b.scalar(0))));

fn numbers(n: usize, device: Device) -> Result<Tensor> {
    arange(Scalar::Int(0), Scalar::Int(n as i64), Scalar::Int(1), Some(DType::I64), device)
}

impl Bags {
    fn equal(rows: &Tensor, count: usize, each: usize, padding: Option<i64>) -> Result<Self> {
        let place = numbers(rows.numel(), rows.device())?;
        let bag = map("", &BAG_OF, &[&place], &[Scalar::Int(each as i64)])?;
        Bags { rows: rows.shallow_clone(), bag, count, equal: Some(each) }.without(padding)
    }

    fn at(rows: &Tensor, offsets: &Tensor, include_last: bool, padding: Option<i64>) -> Result<Self> {
        let starts = offsets.numel();
        if include_last && starts == 0 {
            return Err(Error::runtime("include_last_offset: number of offset should be at least 1"));
        }
        let total = rows.numel();
        // A device is not waited for.
        if offsets.device().is_cpu() && starts > 0 {
            let all = to_dtype(&offsets.detach(), DType::I64)?.array().to_vec::<i64>()?;
            if all[0] != 0 {
                return Err(Error::runtime(format!(
                    "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, \
                     got {}",
                    all[0]
                )));
            }
            if all[starts - 1] > total as i64 {
                return Err(Error::runtime(format!(
                    "offsets[-1] can not be greater than input's length {total} but got offsets[-1] of {}",
                    all[starts - 1]
                )));
            }
        }
        let count = starts - usize::from(include_last);
        let offsets = to_dtype(&offsets.detach(), DType::I64)?;
        let place = numbers(total, rows.device())?;
        let inner = narrow(&offsets, 0, 0, count as i64)?;
        let mut bag = match count {
            0 => zeros(&[total], DType::I64, rows.device())?,
            _ => crate::ops::sub(&searchsorted(&inner, &place, false, true, None, None)?, 1, 1)?,
        };
        if include_last {
            let end = narrow(&offsets, 0, count as i64, 1)?;
            bag = map("", &BEFORE_END, &[&bag, &place, &end], &[Scalar::Int(count as i64)])?;
        }
        Bags { rows: rows.shallow_clone(), bag, count, equal: None }.without(padding)
    }

    fn without(mut self, padding: Option<i64>) -> Result<Self> {
        if let Some(row) = padding {
            let scalars = [Scalar::Int(row), Scalar::Int(self.count as i64)];
            self.bag = map("", &UNLESS_PADDING, &[&self.bag, &self.rows], &scalars)?;
            self.equal = None;
        }
        Ok(self)
    }

    /// The sum of the lines of each bag.
    fn add_up(&self, lines: &Tensor) -> Result<Tensor> {
        match self.equal {
            Some(n) => sum(&view(lines, &[self.count as i64, n as i64, -1])?, &[1], false, None),
            None => narrow(&add_lines(lines, 0, &self.bag, self.count + 1)?, 0, 0, self.count as i64),
        }
    }

    /// For each row the line of its bag, zeros where there is none: the transpose of [`Bags::add_up`].
    fn spread(&self, lines: &Tensor) -> Result<Tensor> {
        if self.equal.is_some() {
            return take_lines(lines, 0, &self.bag);
        }
        let none = zeros(&[1, lines.size()[1]], lines.dtype(), lines.device())?;
        take_lines(&crate::ops::cat(&[lines, &none], 0)?, 0, &self.bag)
    }

    /// One over the number of rows in each bag, as a column; 0 rows count as 1.
    fn shares(&self, dtype: DType, device: Device) -> Result<Tensor> {
        let counts = self.add_up(&ones(&[self.rows.numel(), 1], dtype, device)?)?;
        crate::ops::reciprocal(&crate::ops::clamp(&counts, Some(Scalar::Int(1)), None)?)
    }

    fn sums(
        &self,
        input: &Tensor,
        weight: &Tensor,
        per_sample: Option<&Tensor>,
        mean: bool,
        by_frequency: bool,
    ) -> Result<Tensor> {
        let (dtype, compute) = (weight.dtype(), weight.dtype().compute());
        let wide = |t: &Tensor| to_dtype(t, compute);
        let compute_sums = || {
            if self.rows.numel() == 0 || weight.size()[1] == 0 {
                return zeros(&[self.count, weight.size()[1]], dtype, weight.device());
            }
            let mut lines = wide(&take_lines(weight, 0, &self.rows)?)?;
            if let Some(factors) = per_sample {
                lines = mul(&lines, &wide(&reshape(factors, &[-1, 1])?)?)?;
            }
            let mut sums = self.add_up(&lines)?;
            if mean {
                sums = mul(&sums, &self.shares(compute, weight.device())?)?;
            }
            to_dtype(&sums, dtype)
        };
        let mut inputs = vec![weight];
        // The rows may be copies: `input` tells whether it was written to since.
        let mut saves = vec![
            Save::Tensor("indices", input),
            Save::Array("rows", self.rows.array().clone()),
            Save::Array("offset2bag", self.bag.array().clone()),
        ];
        if let Some(factors) = per_sample {
            inputs.push(factors);
            saves.extend([Save::Tensor("per_sample_weights", factors), Save::Tensor("weight", weight)]);
        }
        let size = weight.size();
        let weighted = per_sample.is_some();
        let (count, equal) = (self.count, self.equal);
        as_one("EmbeddingBagBackward0", &inputs, &saves, compute_sums, move |c| {
            c.unchanged(0)?;
            let bags = Bags { rows: c.saved(1)?, bag: c.saved(2)?, count, equal };
            bags.gradients(c, &size, weighted, mean, by_frequency)
        })
    }

    fn gradients(
        &self,
        c: &Context<'_>,
        size: &[usize],
        weighted: bool,
        mean: bool,
        by_frequency: bool,
    ) -> Result<Grads> {
        let grad = c.grad(0)?;
        let (dtype, device) = (grad.dtype(), grad.device());
        if self.rows.numel() == 0 || size[1] == 0 {
            let of = |t: &Tensor| zeros(&t.size(), t.dtype(), t.device());
            let mut grads: Grads = smallvec![Some(zeros(size, dtype, device)?)];
            if weighted {
                grads.push(if c.needs(1) { Some(of(&c.saved(3)?)?) } else { None });
            }
            return Ok(grads);
        }
        let compute = dtype.compute();
        let mut of_bags = to_dtype(&grad, compute)?;
        if mean {
            of_bags = mul(&of_bags, &self.shares(compute, device)?)?;
        }
        let lines = self.spread(&of_bags)?;
        let mut of_weight = None;
        if c.needs(0) {
            let mut shares = lines.shallow_clone();
            if weighted {
                shares = mul(&shares, &to_dtype(&reshape(&c.saved(3)?, &[-1, 1])?, compute)?)?;
            }
            if by_frequency {
                let once = ones(&[self.rows.numel()], compute, device)?;
                let counts = take_lines(&add_lines(&once, 0, &self.rows, size[0])?, 0, &self.rows)?;
                shares = div(&shares, &view(&counts, &[-1, 1])?)?;
            }
            of_weight = Some(to_dtype(&add_lines(&shares, 0, &self.rows, size[0])?, dtype)?);
        }
        let mut grads: Grads = smallvec![of_weight];
        if weighted {
            let of_factors = c.needs(1).then(|| {
                let factors = c.saved(3)?;
                let rows = to_dtype(&take_lines(&c.saved(4)?, 0, &self.rows)?, compute)?;
                let dot = sum_map("", Some(&PRODUCT), &[&lines, &rows], &[], &[1], false, None)?;
                to_dtype(&reshape(&dot, &crate::ops::to_i64(&factors.size()))?, factors.dtype())
            });
            grads.push(of_factors.transpose()?);
        }
        Ok(grads)
    }

    /// The largest values, and zeros for bags of nothing. The first of equal values wins; a NaN wins where it comes first, and
    /// never else.
    fn largest(&self, weight: &Tensor) -> Result<Tensor> {
        let (width, total) = (weight.size()[1], self.rows.numel());
        let device = weight.device();
        if total == 0 || width == 0 || self.count == 0 {
            let size = weight.size();
            let compute = || zeros(&[self.count, width], weight.dtype(), device);
            return as_one("EmbeddingBagBackward0", &[weight], &[], compute, move |c| {
                Ok(smallvec![Some(zeros(&size, c.grad(0)?.dtype(), device)?)])
            });
        }
        let (winners, empty) = {
            let _guard = no_grad();
            self.winners(&weight.detach())?
        };
        let rows = weight.size()[0];
        let compute = || masked_fill(&gather(weight, 0, &winners)?, &empty, Scalar::Int(0));
        let saves = [Save::Array("max_indices", winners.array().clone()), Save::Array("empty", empty.array().clone())];
        as_one("EmbeddingBagBackward0", &[weight], &saves, compute, move |c| {
            let (grad, winners, empty) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
            let kept = masked_fill(&grad, &empty, Scalar::Int(0))?;
            let none = zeros(&[rows, grad.size()[1]], grad.dtype(), grad.device())?;
            Ok(smallvec![Some(scatter_add(&none, 0, &winners, &kept)?)])
        })
    }

    /// The row of the largest value in each column of each bag, and where there is none.
    fn winners(&self, table: &Tensor) -> Result<(Tensor, Tensor)> {
        let (total, device) = (self.rows.numel(), table.device());
        let end = Scalar::Int(total as i64);
        let place = numbers(total, device)?;
        let none = |shape: &[usize]| full(shape, end, DType::I64, device);
        let first = scatter_reduce(&none(&[self.count + 1])?, 0, &self.bag, &place, "amin", true)?;
        let is_first = view(&eq(&take_lines(&first, 0, &self.bag)?, &place)?, &[-1, 1])?;
        let lines = to_dtype(&take_lines(table, 0, &self.rows)?, table.dtype().compute())?;
        let ranked = map("", &RANKED, &[&is_first, &lines], &[])?;
        let width = lines.size()[1] as i64;
        let bag = crate::ops::contiguous(&crate::ops::expand(&view(&self.bag, &[-1, 1])?, &[total as i64, width])?)?;
        let lowest = full(&[self.count + 1, width as usize], f64::NEG_INFINITY, ranked.dtype(), device)?;
        let best = scatter_reduce(&lowest, 0, &bag, &ranked, "amax", true)?;
        let place = view(&place, &[-1, 1])?;
        let mine = map("", &PLACE_OF_BEST, &[&ranked, &take_lines(&best, 0, &self.bag)?], &[])?;
        let mine = where_(&to_dtype(&mine, DType::Bool)?, &place, &none(&[1, 1])?)?;
        let found = scatter_reduce(&none(&[self.count + 1, width as usize])?, 0, &bag, &mine, "amin", true)?;
        let found = narrow(&found, 0, 0, self.count as i64)?;
        let empty = eq(&found, end)?;
        let place = crate::ops::clamp(&found, None, Some(Scalar::Int(total as i64 - 1)))?;
        let row = take_lines(&self.rows, 0, &reshape(&place, &[-1])?)?;
        Ok((view(&row, &[self.count as i64, width])?, empty))
    }
}

static PRODUCT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));
/// What is first counts as it is; of what follows NaN counts as the least.
static RANKED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(1);
        b.mask(0).select(x, x.is_nan().select(f64::NEG_INFINITY, x))
    })
});
/// Whether a value is the best; NaN is NaN.
static PLACE_OF_BEST: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, best) = (b.input(0), b.input(1));
        x.eq(best).select(1.0, x.is_nan().select(best.is_nan().select(1.0, 0.0), 0.0))
    })
});

#[cfg(test)]
mod tests {
    use crate::ops::embedding_bag;
    use crate::{GradCheckOptions, Result, Tensor, arange, gradcheck, gradgradcheck, tensor};

    fn table() -> Tensor {
        arange(12.0).double().mul(7).remainder(13).view([4, 3]).requires_grad_(true)
    }

    fn check(rows: &Tensor, offsets: Option<&Tensor>, mode: &str, padding: Option<i64>, weighted: bool) {
        let f = |x: &[Tensor]| -> Result<Vec<Tensor>> {
            let y = embedding_bag(rows, &x[0], offsets, None, 2.0, false, mode, false, x.get(1), false, padding);
            Ok(vec![y?])
        };
        let mut inputs = vec![table()];
        if weighted {
            let factors = arange(rows.numel() as f64).double().add(0.5).view(rows.size()).requires_grad_(true);
            inputs.push(factors);
        }
        let told = format!("{mode} {padding:?} {weighted}");
        gradcheck(&f, &inputs, GradCheckOptions::default()).expect(&told);
        gradgradcheck(&f, &inputs, GradCheckOptions::default()).expect(&told);
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let (equal, flat) = (tensor([[0, 3, 1], [1, 1, 2]]), tensor([0, 3, 1, 1, 2]));
        let offsets = tensor([0, 2, 2, 3]);
        for padding in [None, Some(1)] {
            for mode in ["sum", "mean", "max"] {
                check(&equal, None, mode, padding, false);
                check(&flat, Some(&offsets), mode, padding, false);
            }
            check(&equal, None, "sum", padding, true);
            check(&flat, Some(&offsets), "sum", padding, true);
        }
    }

    /// Of PyTorch: a NaN is the largest where it comes first, and never else; the first of equal values gets the gradient.
    #[test]
    fn the_largest_is_pytorchs() {
        let nan = f64::NAN;
        let table = tensor([[nan, 1.0], [2.0, nan], [5.0, 1.0]]).requires_grad_(true);
        let largest = |rows: [i64; 3]| {
            let rows = tensor([rows]);
            embedding_bag(&rows, &table, None, None, 2.0, false, "max", false, None, false, None).unwrap()
        };
        let text = |x: Tensor| x.to_vec::<f32>().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(largest([0, 1, 2])), ["NaN", "1"]);
        assert_eq!(text(largest([1, 0, 2])), ["5", "NaN"]);
        largest([2, 0, 0]).sum().backward();
        assert_eq!(table.grad().unwrap().to_vec::<f32>(), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    }
}
