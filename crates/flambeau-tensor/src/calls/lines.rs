//! Calls along one dimension.

use super::check::{dense, dim, disjoint, dtype, expect, float, result, shape};
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::{Extremum, ScanOp};
use crate::dims::Dims;
use crate::{Array, DType, Error, Result};

/// The length along a dimension; arrays without dimensions are lines of one element.
pub(super) fn length(array: &Array, dim: usize) -> usize {
    array.shape().get(dim).copied().unwrap_or(1)
}

/// A shape with another length at `dim`; that without dimensions stays.
pub(super) fn with_length(shape: &[usize], dim: usize, length: usize) -> Dims {
    let mut shape = Dims::from_slice(shape);
    if let Some(n) = shape.get_mut(dim) {
        *n = length;
    }
    shape
}

/// Index (and value) of the extremum along `dim`, the first where several are equal.
#[derive(Clone, Copy, Debug)]
pub struct ArgReduce<'a> {
    /// Which extremum.
    pub which: Extremum,
    /// What is searched.
    pub src: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// The extrema in `src`'s dtype, if they are wanted; of length 1 along `dim`, dense.
    pub values: Option<&'a Array>,
    /// Their indices, i64; of length 1 along `dim`, dense.
    pub indices: &'a Array,
}

impl PrimitiveCall for ArgReduce<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.indices
    }

    fn arrays(&self) -> Arrays<'_> {
        [self.src, self.indices].into_iter().chain(self.values).collect()
    }

    fn check(&self) -> Result<()> {
        dim(self.dim, self.src.ndim())?;
        let wanted = with_length(self.src.shape(), self.dim, 1);
        result("arg_reduce", "the indices", self.indices, &wanted, DType::I64)?;
        if let Some(values) = self.values {
            result("arg_reduce", "the values", values, &wanted, self.src.dtype())?;
            disjoint("arg_reduce", values, [self.src, self.indices])?;
        }
        disjoint("arg_reduce", self.indices, [self.src])?;
        expect(length(self.src, self.dim) > 0 || self.indices.numel() == 0, || {
            format!("arg_reduce(): Expected reduction dim {} to have non-zero size.", self.dim)
        })
    }

    fn trivial(&self) -> Option<()> {
        (self.indices.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.src.backend().arg_reduce(call)
    }
}

/// Running reduction along `dim`, in `out`'s dtype.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// How values combine.
    pub op: ScanOp,
    /// What is read.
    pub src: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// The running results, in `src`'s shape, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Scan<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        dim(self.dim, self.src.ndim())?;
        shape("scan", "the result", self.out, self.src.shape())?;
        dense("scan", "the result", self.out)?;
        disjoint("scan", self.out, [self.src])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.src.backend().scan(call)
    }
}

/// A stable sort along `dim`, of which the first k values are kept.
#[derive(Clone, Copy, Debug)]
pub struct Sort<'a> {
    /// What comes first: [`Extremum::Max`] sorts descending.
    pub first: Extremum,
    /// What is sorted.
    pub src: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// The sorted values, of length k along `dim`, dense.
    pub values: &'a Array,
    /// Where they were, i64, in the same shape, dense.
    pub indices: &'a Array,
}

impl PrimitiveCall for Sort<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.values
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.values, self.indices])
    }

    fn check(&self) -> Result<()> {
        dim(self.dim, self.src.ndim())?;
        let k = length(self.values, self.dim);
        expect(k <= length(self.src, self.dim), || "selected index k out of range".to_owned())?;
        let wanted = with_length(self.src.shape(), self.dim, k);
        result("sort", "the values", self.values, &wanted, self.src.dtype())?;
        result("sort", "the indices", self.indices, &wanted, DType::I64)?;
        disjoint("sort", self.values, [self.src, self.indices])?;
        disjoint("sort", self.indices, [self.src])
    }

    fn trivial(&self) -> Option<()> {
        (self.values.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.src.backend().sort(call)
    }
}

/// softmax (or its logarithm) along `dim`, computed in f32 for f16 and bf16.
#[derive(Clone, Copy, Debug)]
pub struct Softmax<'a> {
    /// What is read.
    pub src: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// Whether the logarithm is wanted.
    pub log: bool,
    /// The result, in `src`'s shape and dtype, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Softmax<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        dim(self.dim, self.src.ndim())?;
        result("softmax", "the result", self.out, self.src.shape(), self.src.dtype())?;
        disjoint("softmax", self.out, [self.src])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.src.backend().softmax(call)
    }
}

/// The gradient of [`Softmax`] for its input; any strides.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxBackward<'a> {
    /// The result's gradient.
    pub grad: &'a Array,
    /// The result, in the gradient's shape and dtype.
    pub y: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// Whether the result is the logarithm.
    pub log: bool,
}

impl PrimitiveCall for SoftmaxBackward<'_> {
    type Output = Array;

    fn first(&self) -> &Array {
        self.y
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.y])
    }

    fn check(&self) -> Result<()> {
        dim(self.dim, self.y.ndim())?;
        shape("softmax_backward", "the gradient", self.grad, self.y.shape())?;
        dtype("softmax_backward", "the gradient", self.grad, self.y.dtype())?;
        float(if self.log { "log_softmax_backward_cpu_out" } else { "softmax_backward_cpu_out" }, self.y)
    }

    fn launch(call: &Checked<Self>) -> Result<Array> {
        call.y.backend().softmax_backward(call)
    }
}

/// Where each value would stand in sorted boundaries: before those that are equal, or behind them. A NaN stands behind what came
/// before it.
#[derive(Clone, Copy, Debug)]
pub struct SearchSorted<'a> {
    /// Sorted along the last dimension; dense.
    pub boundaries: &'a Array,
    /// What is looked for, in the boundaries' dtype; dense. Its shape is the boundaries' but for the last dimension, or any where
    /// these have one dimension.
    pub values: &'a Array,
    /// Whether a value stands behind its equals.
    pub right: bool,
    /// The places, i64 or i32, in the values' shape; dense.
    pub out: &'a Array,
}

impl SearchSorted<'_> {
    /// How many boundaries a line has, and how many values are looked for in it.
    pub fn lengths(&self) -> (usize, usize) {
        let last = |array: &Array| array.shape().last().copied().unwrap_or(1);
        let one_line = self.boundaries.ndim() == 1;
        (last(self.boundaries), if one_line { self.values.numel() } else { last(self.values) })
    }
}

impl PrimitiveCall for SearchSorted<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.boundaries, self.values, self.out])
    }

    fn check(&self) -> Result<()> {
        const OP: &str = "searchsorted";
        let SearchSorted { boundaries, values, out, .. } = *self;
        if values.dtype() == DType::Bool {
            return Err(Error::NotImplementedFor { op: "searchsorted_out_cpu", dtype: DType::Bool });
        }
        dtype(OP, "the boundaries", boundaries, values.dtype())?;
        dense(OP, "the boundaries", boundaries)?;
        dense(OP, "the values", values)?;
        let lines = |array: &Array| Dims::from_slice(&array.shape()[..array.ndim().saturating_sub(1)]);
        let fits = boundaries.ndim() == 1 || values.ndim() == boundaries.ndim() && lines(values) == lines(boundaries);
        expect(boundaries.ndim() > 0 && fits, || {
            format!("{OP}(): boundaries {:?} for values {:?}", boundaries.shape(), values.shape())
        })?;
        let places = if out.dtype() == DType::I32 { DType::I32 } else { DType::I64 };
        result(OP, "the places", out, values.shape(), places)?;
        let most = if places == DType::I32 { i32::MAX as usize } else { i64::MAX as usize };
        expect(self.lengths().0 < most, || format!("{OP}(): too many boundaries for places in {places}"))?;
        disjoint(OP, out, [boundaries, values])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().search_sorted(call)
    }
}
