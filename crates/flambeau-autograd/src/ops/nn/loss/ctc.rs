//! Connectionist temporal classification.

use crate::arguments::Int;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::{Reduction, map};
use crate::{AsTensor, Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::calls::{Ctc, CtcBackward, CtcSample, CtcTargets, PrimitiveCall};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType};
use smallvec::smallvec;
use std::sync::LazyLock;

/// The lengths of a batch's sequences: an integer tensor, or a list (an array, a vector, a slice) or a tuple of integers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no lengths of sequences",
    label = "expected an integer tensor, an array, a vector or a tuple of integers"
)]
pub trait SequenceLengths {
    /// The lengths; `name` is the argument's, for the error.
    ///
    /// # Errors
    /// For a tensor that is not one of integers.
    fn lengths(&self, name: &str) -> Result<Vec<i64>>;

    /// The tensor, if it is one.
    fn tensor(&self) -> Option<&Tensor> {
        None
    }
}

impl SequenceLengths for &dyn SequenceLengths {
    fn lengths(&self, name: &str) -> Result<Vec<i64>> {
        (**self).lengths(name)
    }
    fn tensor(&self) -> Option<&Tensor> {
        (**self).tensor()
    }
}

impl<T: AsTensor> SequenceLengths for T {
    fn lengths(&self, name: &str) -> Result<Vec<i64>> {
        let x = self.as_tensor();
        if x.is_floating_point() || x.dtype() == DType::Bool {
            return Err(Error::runtime(format!("{name} must be integral")));
        }
        let array = x.array().to_dtype(DType::I64)?;
        Ok(array.reshape(&[-1])?.to_vec()?)
    }
    fn tensor(&self) -> Option<&Tensor> {
        Some(self.as_tensor())
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> SequenceLengths for $t {
            fn lengths(&self, _name: &str) -> Result<Vec<i64>> {
                Ok(self.iter().map(|n| n.to_i64()).collect())
            }
        }
    )*};
}
lists!([N: Int, const K: usize] [N; K], [N: Int, const K: usize] &[N; K], [N: Int] &[N], [N: Int] Vec<N>, [N: Int] &Vec<N>);

macro_rules! tuples {
    ($(($($name:ident $at:tt)*))*) => {$(
        impl<$($name: Int),*> SequenceLengths for ($($name,)*) {
            fn lengths(&self, _name: &str) -> Result<Vec<i64>> {
                Ok(vec![$(self.$at.to_i64()),*])
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}

options! {
    /// Options of `F::ctc_loss` and `nn::CTCLoss`.
    #[derive(Clone, Debug)]
    CTCLossOptions {
        /// The class that stands for no label (0).
        blank: i64 = 0,
        /// What becomes of the samples' losses: `"none"`, `"mean"` of the losses per label, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Whether infinite losses, of labels that need more steps than there are, become 0, and their gradients too (false).
        zero_infinity: bool = false,
    }
}

/// What PyTorch says of an argument of the wrong form.
fn refused(words: String) -> Error {
    Error::runtime(format!("{words} (while checking arguments for ctc_loss_allocate_outputs)"))
}

/// Refuses negative lengths, and those above a bound.
fn check_lengths(name: &str, lengths: &[i64], most: Option<usize>) -> Result<()> {
    for &n in lengths {
        if n < 0 {
            return Err(refused(format!("Expected {name} to have value at least 0, but got value {n}")));
        }
        if let Some(most) = most.filter(|&most| n as usize > most) {
            return Err(refused(format!("Expected {name} to have value at most {most}, but got value {n}")));
        }
    }
    Ok(())
}

/// Where the labels of each sample lie in targets of a shape: a row each, or one after the other.
fn samples(targets: &[usize], steps: &[i64], labels: &[i64]) -> Result<Vec<CtcSample>> {
    let size = |wanted: usize| match targets[0] == wanted {
        true => Ok(()),
        false => Err(refused(format!(
            "Expected tensor to have size {wanted} at dimension 0, but got size {} for argument #2 'targets'",
            targets[0]
        ))),
    };
    let row = match *targets {
        [_, row] => {
            size(labels.len())?;
            let most = labels.iter().copied().max().unwrap_or(0) as usize;
            if row < most {
                return Err(refused(format!(
                    "Expected tensor to have size at least {most} at dimension 1, but got size {row} for argument #2 'targets'"
                )));
            }
            Some(row)
        }
        _ => {
            size(labels.iter().sum::<i64>() as usize)?;
            None
        }
    };
    let mut behind = 0;
    let sample = |(i, (&steps, &labels)): (usize, (&i64, &i64))| {
        // A negative number of steps is refused behind the targets.
        let (steps, labels) = (steps.max(0) as usize, labels as usize);
        let start = row.map_or(behind, |row| i * row);
        behind += labels;
        CtcSample { steps, start, labels }
    };
    Ok(steps.iter().zip(labels).enumerate().map(sample).collect())
}

/// Refuses log-probabilities and targets of the wrong form.
fn check(log_probs: &Tensor, targets: &Tensor, blank: i64) -> Result<()> {
    if log_probs.numel() == 0 {
        return Err(Error::runtime("log_probs tensor must not be empty"));
    }
    if !matches!(log_probs.dtype(), DType::F32 | DType::F64) {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "ctc_loss_cpu", dtype: log_probs.dtype() }.into());
    }
    let (n, of) = (log_probs.dim(), targets.dim());
    if n != 3 {
        return Err(refused(format!(
            "Expected 3-dimensional tensor, but got {n}-dimensional tensor for argument #1 'log_probs'"
        )));
    }
    if !(1..=2).contains(&of) {
        return Err(refused(format!(
            "Expected 1 to 2 dimensions, but got {of}-dimensional tensor for argument #2 'targets'"
        )));
    }
    match (0..log_probs.size()[2] as i64).contains(&blank) {
        true => Ok(()),
        false => Err(Error::runtime("blank must be in label range")),
    }
}

/// An infinite loss becomes 0.
static FINITE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).eq(f64::INFINITY).select(0.0, b.input(0))).with_arguments(&["self"])
});

/// The negative log-likelihood of label sequences, whatever their alignment to the time steps: connectionist temporal
/// classification, `F.ctc_loss`.
///
/// `log_probs` are log-probabilities `[time, batch, classes]`, as `log_softmax` gives them, or `[time, classes]` of one sample.
/// `targets` are the labels, `[batch, most]`, or all samples' labels one after the other. `input_lengths` and `target_lengths` say
/// how many steps and how many labels each sample has: integer tensors or lists. Options: `blank`, `reduction`, `zero_infinity`.
/// A mean divides each loss by its number of labels first. There is no second derivative.
///
/// ```
/// use torch::nn::functional as F;
/// let log_probs = torch::full((2, 1, 2), 0.5).log();
/// // Of the four ways through two steps three are the label 1: "1 1", "blank 1" and "1 blank".
/// let loss = F::ctc_loss(&log_probs, torch::tensor([[1]]), [2], [1]);
/// assert!((loss.item() + 0.75f64.ln()).abs() < 1e-6);
/// ```
///
/// # Errors
/// When shapes, dtypes or lengths do not fit, there is nothing in `log_probs`, or a label is no class (which PyTorch does not
/// look at, and reads outside its memory); a device may tell that at its next readback.
#[op(torch, functional, cast_cpu = Float32)]
pub fn ctc_loss(
    log_probs: &Tensor,
    targets: &Tensor,
    input_lengths: impl SequenceLengths,
    target_lengths: impl SequenceLengths,
    options: &CTCLossOptions,
) -> Result<Tensor> {
    let &CTCLossOptions { blank, reduction, zero_infinity } = options;
    reduction.check()?;
    let (steps, labels) = (input_lengths.lengths("input_lengths")?, target_lengths.lengths("target_lengths")?);
    let batched = log_probs.dim() == 3;
    let log_probs = &if batched { log_probs.shallow_clone() } else { ops::unsqueeze(log_probs, 1)? };
    let targets = &ops::to_dtype(&ops::to_device(&targets.detach(), log_probs.device())?, DType::I64)?;
    check(log_probs, targets, blank)?;
    let size = log_probs.size();
    for (name, lengths) in [("input_lengths", &steps), ("target_lengths", &labels)] {
        if lengths.len() != size[1] {
            return Err(Error::runtime(format!("{name} must be of size batch_size")));
        }
    }
    check_lengths("target_lengths", &labels, None)?;
    let samples = samples(&targets.size(), &steps, &labels)?;
    check_lengths("input_lengths", &steps, Some(size[0]))?;
    let mut losses = losses(log_probs, targets, samples, blank as usize, zero_infinity)?;
    if zero_infinity {
        losses = map("WhereBackward0", &FINITE, &[&losses], &[])?;
    }
    match reduction {
        Reduction::None if batched => Ok(losses),
        Reduction::None => ops::squeeze(&losses, Some(&[0])),
        Reduction::Mean => {
            let lengths = at_least_one(&labels, &losses)?;
            ops::mean(&ops::div(&losses, &lengths)?, &[], false, None)
        }
        _ => ops::sum(&losses, &[], false, None),
    }
}

/// The numbers of labels, at least 1, as numbers beside the losses.
fn at_least_one(labels: &[i64], losses: &Tensor) -> Result<Tensor> {
    let (device, n) = (losses.device(), [labels.len()]);
    let backend = flambeau_device::backend(device)?;
    let numbers = labels.iter().map(|&n| n.max(1));
    let array = match losses.dtype() {
        DType::F64 => Array::from_slice(backend, device, &numbers.map(|n| n as f64).collect::<Vec<_>>(), &n),
        _ => Array::from_slice(backend, device, &numbers.map(|n| n as f32).collect::<Vec<_>>(), &n),
    };
    Ok(array?.into())
}

/// The loss of each sample, by the primitive.
fn losses(
    log_probs: &Tensor,
    targets: &Tensor,
    samples: Vec<CtcSample>,
    blank: usize,
    zero_infinity: bool,
) -> Result<Tensor> {
    let (out, alpha) = {
        let (x, labels) = (log_probs.array().contiguous()?, targets.array().contiguous()?);
        Ctc { log_probs: &x, targets: CtcTargets { labels: &labels, samples: &samples, blank } }.run()?
    };
    let saves = [
        Save::Tensor("log_probs", log_probs),
        Save::Tensor("targets", targets),
        Save::Output("result0", 0),
        Save::Array("result1", alpha),
    ];
    Ok(record("CtcLossBackward0", &[log_probs], &saves, out, move |c| {
        let (input, grad) = (c.saved(0)?, c.grad(0)?);
        let (x, labels) = (input.array().contiguous()?, c.saved(1)?.array().contiguous()?);
        let (losses, alpha) = (c.saved(2)?.array().clone(), c.saved(3)?.array().clone());
        let targets = CtcTargets { labels: &labels, samples: &samples, blank };
        let g = grad.array().contiguous()?;
        let call = CtcBackward { grad: &g, log_probs: &x, targets, losses: &losses, alpha: &alpha, zero_infinity };
        let out = call.run()?;
        let words = "derivative for aten::_ctc_loss_backward is not implemented";
        Ok(smallvec![Some(record("NotImplemented", &[&grad, &input], &[], out, move |_| Err(Error::runtime(words))))])
    }))
}
