//! Padding at the edges of a tensor, and cropping (negative padding).

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::mode::cast_for;
use crate::ops::copy;
use crate::registry::{Cast, Casts};
use crate::{OrPanic, Tensor, options};
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::ops::{copy_into, fill, index_select, scatter};
use flambeau_tensor::{Array, Dims, Scalar};
use smallvec::smallvec;
use std::sync::Arc;

/// What stands in the padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PadMode {
    /// A number.
    #[default]
    Constant,
    /// The elements mirrored at the edge, which stands once.
    Reflect,
    /// The edge, repeated.
    Replicate,
    /// The elements of the other side.
    Circular,
}

impl std::str::FromStr for PadMode {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "constant" => Ok(PadMode::Constant),
            "reflect" => Ok(PadMode::Reflect),
            "replicate" => Ok(PadMode::Replicate),
            "circular" => Ok(PadMode::Circular),
            other => Err(not_implemented(format!("Unrecognised padding mode {other}"))),
        }
    }
}

fn not_implemented(message: impl Into<String>) -> Error {
    flambeau_tensor::Error::NotImplemented(message.into()).into()
}

impl From<&str> for PadMode {
    /// By PyTorch's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}

options! {
    /// Options of `F::pad`.
    #[derive(Clone, Copy, Debug, PartialEq)]
    PadOptions {
        /// `"constant"`, `"reflect"`, `"replicate"` or `"circular"` (`"constant"`).
        mode: PadMode = PadMode::Constant,
        /// The number of [`PadMode::Constant`] (0).
        value: Scalar = Scalar::Int(0),
    }
}

/// Pads dimensions from the last one forward: `pad` holds (before, after) of the last, of the last but one, …; negative
/// numbers crop: `F.pad`. Constant padding takes any number of dimensions, the others the last one to three. Options: `mode`
/// (`"constant"`, `"reflect"`, `"replicate"`, `"circular"`), `value`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 2.0, 3.0]]);
/// assert_eq!(F::pad(&x, [1, 1]).to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 0.0]);
/// let y = F::pad_with(&x, [2, 0], |o| o.mode("reflect"));
/// assert_eq!(y.to_vec::<f32>(), [3.0, 2.0, 1.0, 2.0, 3.0]);
/// ```
///
/// # Errors
/// When the padding does not fit the input.
#[op(functional)]
pub fn pad(x: &Tensor, pad: &[i64], options: &PadOptions) -> Result<Tensor> {
    let pads = pad;
    check_length(x, pads)?;
    let (name, rule): ([&'static str; 3], Rule) = match options.mode {
        PadMode::Constant => return constant_pad(x, pads, options.value),
        PadMode::Reflect => {
            (["ReflectionPad1DBackward0", "ReflectionPad2DBackward0", "ReflectionPad3DBackward0"], reflect)
        }
        PadMode::Replicate => {
            (["ReplicationPad1DBackward0", "ReplicationPad2DBackward0", "ReplicationPad3DBackward0"], replicate)
        }
        PadMode::Circular => (["CopySlices"; 3], circular),
    };
    let (count, ndim) = (pads.len() / 2, x.dim());
    if !(1..=3).contains(&count) || !(count + 1..=count + 2).contains(&ndim) {
        return Err(not_implemented(format!("Padding size {} is not supported for {ndim}D input tensor.", pads.len())));
    }
    let shape = x.size();
    if options.mode != PadMode::Circular {
        check_not_empty(&shape, count)?;
    }
    let mut tables = Vec::with_capacity(count);
    for (i, pair) in pads.chunks_exact(2).enumerate() {
        let dim = ndim - 1 - i;
        let line = Line { n: shape[dim] as i64, before: pair[0], after: pair[1] };
        tables.push((dim, rule(line, dim, &shape)?));
    }
    if options.mode != PadMode::Circular {
        check_lengths(&shape, pads, count)?;
    }
    let name = name[count - 1];
    let casts = match options.mode {
        PadMode::Reflect if count < 3 => Casts { cpu: Cast::Float32, gpu: Cast::None },
        PadMode::Replicate => Casts { cpu: Cast::Float32, gpu: Cast::None },
        _ => Casts::NONE,
    };
    cast_for(casts, x, |x| pick_lines(name, x, &tables.into()))
}

fn check_length(x: &Tensor, pads: &[i64]) -> Result<()> {
    if !pads.len().is_multiple_of(2) {
        return Err(Error::runtime("Padding length must be divisible by 2"));
    }
    if pads.len() > 2 * x.dim() {
        return Err(Error::runtime(format!(
            "Padding length should be less than or equal to two times the input dimension but got padding length {} and \
             input of dimension {}",
            pads.len(),
            x.dim()
        )));
    }
    Ok(())
}

/// [`fn@pad`] with a number: `torch.constant_pad_nd`.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(torch::constant_pad_nd(&x, [0, 1, -1, 0], 9).to_vec::<i64>(), [3, 4, 9]);
/// ```
#[op(torch, forms(constant_pad_nd(pad: &[i64], value: Scalar) = (pad, value)))]
pub fn constant_pad(x: &Tensor, pad: &[i64], value: impl Into<Scalar>) -> Result<Tensor> {
    let pads = pad;
    check_length(x, pads)?;
    let array = x.array();
    let mut shape: Dims = array.shape().into();
    for (i, pair) in pads.chunks_exact(2).enumerate() {
        let dim = shape.len() - 1 - i;
        let length = shape[dim] as i64 + pair[0] + pair[1];
        shape[dim] = usize::try_from(length).map_err(|_| Error::runtime("narrow(): length must be non-negative."))?;
    }
    let out = copy::empty(&shape, x.dtype(), x.device())?;
    fill(&out, value.into())?;
    // What is left of the input, and where it goes.
    let (mut from, mut to) = (array.clone(), out.clone());
    for (i, pair) in pads.chunks_exact(2).enumerate() {
        let dim = (shape.len() - 1 - i) as i64;
        let n = array.shape()[dim as usize] as i64;
        let (start, end) = ((-pair[0]).clamp(0, n), (n - (-pair[1]).max(0)).clamp(0, n));
        let length = (end - start).max(0);
        from = from.narrow(dim, start, length)?;
        to = to.narrow(dim, pair[0].max(0).min(shape[dim as usize] as i64 - length), length)?;
    }
    if from.numel() > 0 {
        copy_into(&from, &to)?;
    }
    let inverse: Vec<i64> = pads.iter().map(|&p| -p).collect();
    Ok(record("ConstantPadNdBackward0", &[x], &[], out, move |c| {
        Ok(smallvec![Some(constant_pad(&c.grad(0)?, &inverse, 0)?)])
    }))
}

/// One dimension's length and padding.
#[derive(Clone, Copy)]
struct Line {
    n: i64,
    before: i64,
    after: i64,
}

impl Line {
    fn positions(self) -> std::ops::Range<i64> {
        -self.before..self.n + self.after
    }
}

/// Only the batch may be empty where reflection and replication pad.
fn check_not_empty(shape: &[usize], count: usize) -> Result<()> {
    if shape[shape.len() - count - 1..].contains(&0) {
        return Err(Error::runtime(format!(
            "Expected {}D or {}D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but \
             got: {shape:?}",
            count + 1,
            count + 2
        )));
    }
    Ok(())
}

/// What PyTorch refuses of the lengths after reflection and replication.
fn check_lengths(shape: &[usize], pads: &[i64], count: usize) -> Result<()> {
    let from: Vec<i64> = shape[shape.len() - count..].iter().map(|&n| n as i64).collect();
    let to: Vec<i64> = from.iter().zip(pads.chunks_exact(2).rev()).map(|(n, p)| n + p[0] + p[1]).collect();
    let names = &["D", "H", "W"][3 - count..];
    let list = |sizes: &[i64], between: &str| {
        names.iter().zip(sizes).map(|(name, n)| format!("{name}: {n}")).collect::<Vec<_>>().join(between)
    };
    match count {
        _ if to.iter().all(|&n| n >= 1) => Ok(()),
        1 => Err(Error::runtime(format!(
            "input ({}) is too small. Calculated output {}",
            list(&from, ", "),
            list(&to, " ")
        ))),
        _ => Err(Error::runtime(format!(
            "Calculated output {} must be >= 1 in every dimension (input {})",
            list(&to, " "),
            list(&from, ", ")
        ))),
    }
}

/// Which input each output of a padded dimension shows.
type Rule = fn(Line, usize, &[usize]) -> Result<Vec<i64>>;

fn reflect(line: Line, dim: usize, shape: &[usize]) -> Result<Vec<i64>> {
    if line.before >= line.n || line.after >= line.n {
        return Err(Error::runtime(format!(
            "Argument #{}: Padding size should be less than the corresponding input dimension, but got: padding ({}, {}) at \
             dimension {dim} of input {shape:?}",
            4 + 2 * (shape.len() - 1 - dim),
            line.before,
            line.after
        )));
    }
    let last = line.n - 1;
    Ok(line.positions().map(|i| if i > last { 2 * last - i } else { i.abs() }).collect())
}

fn replicate(line: Line, _: usize, _: &[usize]) -> Result<Vec<i64>> {
    Ok(line.positions().map(|i| i.clamp(0, line.n - 1)).collect())
}

fn circular(line: Line, _: usize, _: &[usize]) -> Result<Vec<i64>> {
    if line.before > line.n || line.after > line.n {
        return Err(Error::runtime("Padding value causes wrapping around more than once."));
    }
    // Cropping comes first: what is cut off does not come back on the other side.
    let first = (-line.before).max(0);
    let kept = line.n + line.before.min(0) + line.after.min(0);
    if kept < 0 || kept + line.before.max(0) + line.after.max(0) < 0 {
        return Err(Error::runtime("Negative padding value is resulting in an empty dimension"));
    }
    Ok((-line.before.max(0)..kept + line.after.max(0)).map(|i| first + i.rem_euclid(kept.max(1))).collect())
}

/// Per dimension, the line of the input that each line of the output shows.
type Tables = Arc<[(usize, Vec<i64>)]>;

/// Picks lines along several dimensions, one after the other.
fn pick_lines(name: &'static str, x: &Tensor, tables: &Tables) -> Result<Tensor> {
    let mut out = x.array().clone();
    for (dim, table) in tables.iter() {
        let index = Array::from_slice(out.backend(), out.device(), table, &[table.len()])?;
        out = index_select(&out, *dim, &index)?;
    }
    let (shape, tables) = (x.size(), tables.clone());
    Ok(record(name, &[x], &[Save::Tensor("self", x)], out, move |c| {
        c.unchanged(0)?;
        Ok(smallvec![Some(add_lines(name, &c.grad(0)?, &tables, &shape)?)])
    }))
}

/// The transpose of [`pick_lines`]: adds each line to the one that it showed.
fn add_lines(name: &'static str, grad: &Tensor, tables: &Tables, shape: &[usize]) -> Result<Tensor> {
    let mut sums = grad.array().clone();
    for (dim, table) in tables.iter().rev() {
        let mut lengths: Dims = sums.shape().into();
        let mut index_shape: Dims = smallvec![1; lengths.len()];
        index_shape[*dim] = table.len();
        let index = Array::from_slice(sums.backend(), sums.device(), table, &index_shape)?;
        let index = index.broadcast_to(&lengths)?.contiguous()?;
        lengths[*dim] = shape[*dim];
        let out = Array::full(sums.backend(), sums.device(), &lengths, sums.dtype(), Scalar::Int(0))?;
        scatter(ScatterOp::Add, *dim, &index, &sums.contiguous()?, &out)?;
        sums = out;
    }
    let tables = tables.clone();
    Ok(record("PadBackwardBackward0", &[grad], &[], sums, move |c| {
        Ok(smallvec![Some(pick_lines(name, &c.grad(0)?, &tables)?)])
    }))
}
