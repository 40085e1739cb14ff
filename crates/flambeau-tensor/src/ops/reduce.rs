//! Reductions with a program as their map stage.

use super::pointwise::{common_dtype, common_shape, expand_all, identity};
use super::same_device;
use crate::backend::ReduceOp;
use crate::calls::{Checked, Reduce, check_program};
use crate::dims::{Dims, wrap_dims};
use crate::pointwise::Pointwise;
use crate::{Array, DType, Error, Result, Scalar};
use smallvec::SmallVec;

/// What to reduce.
#[derive(Clone, Copy)]
pub struct ReduceArgs<'a> {
    /// How values combine.
    pub op: ReduceOp,
    /// The map stage; `None` for the single input itself.
    pub map: Option<&'a Pointwise>,
    /// The dimensions to reduce; empty for all.
    pub dims: &'a [i64],
    /// Whether reduced dimensions stay with length 1.
    pub keepdim: bool,
    /// The dtype to compute in and return; by default i64 for sums and products of integers and bools, bool for any and
    /// all, else the map's dtype.
    pub dtype: Option<DType>,
}

impl<'a> ReduceArgs<'a> {
    /// A reduction of one array over `dims` (empty: all).
    pub fn new(op: ReduceOp, dims: &'a [i64], keepdim: bool) -> Self {
        ReduceArgs { op, map: None, dims, keepdim, dtype: None }
    }
}

/// Reduces. An empty reduction gives the operation's neutral element; the caller refuses it for [`ReduceOp::Max`] and
/// [`ReduceOp::Min`], with its own words.
pub fn reduce(args: ReduceArgs<'_>, inputs: &[&Array], scalars: &[Scalar]) -> Result<Array> {
    same_device(inputs)?;
    let program = args.map.unwrap_or_else(|| identity());
    check_program(program, inputs.len(), scalars.len())?;
    if inputs.is_empty() || program.outputs().len() != 1 {
        return Err(Error::runtime("a reduction is of a program of one result, with an input"));
    }
    let (compute, mapped) = program.dtypes(common_dtype(program, inputs, scalars));
    let (compute, result) = match (args.op, args.dtype) {
        (ReduceOp::Any | ReduceOp::All, _) => (compute, DType::Bool),
        (_, Some(dtype)) => (dtype, dtype),
        (ReduceOp::Sum | ReduceOp::Prod, None) if !mapped.is_floating_point() => (compute, DType::I64),
        _ => (compute, mapped),
    };
    let shape = common_shape(inputs)?;
    let dims = wrap_dims(args.dims, shape.len())?;
    let inputs = expand_all(inputs, &shape)?;
    let inputs: SmallVec<[&Array; 4]> = inputs.iter().collect();
    let kept: Dims = (0..shape.len()).map(|d| if dims.contains(&d) { 1 } else { shape[d] }).collect();
    let first = inputs[0];
    let out = Array::empty(first.backend(), first.device(), &kept, result)?;
    if out.numel() > 0 {
        let call = Reduce { op: args.op, program, compute, inputs: &inputs, scalars, dims: &dims, out: &out };
        // The inputs were expanded to one shape, and `out` is fresh; only an extremum of nothing is left to refuse.
        let call = match args.op {
            ReduceOp::Max | ReduceOp::Min => Checked::new(call)?,
            _ => Checked::established(call),
        };
        first.backend().reduce(&call)?;
    }
    if args.keepdim {
        return Ok(out);
    }
    let pick = |from: &[usize]| (0..shape.len()).filter(|d| !dims.contains(d)).map(|d| from[d]).collect::<Dims>();
    let (shape, strides) = (pick(out.shape()), pick(out.strides()));
    Ok(out.with_view(shape, strides, 0))
}
