//! Calls that read and write at indices. The indices' values are data, which kernels check.

use super::check::{dense, dim, disjoint, expect, result, shape};
use super::lines::with_length;
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::ScatterOp;
use crate::{Array, DType, Error, Result};

/// Whether an index has i64 elements.
fn check_index(op: &str, index: &Array) -> Result<()> {
    expect(index.dtype() == DType::I64, || format!("{op}(): Expected dtype int64 for index"))
}

/// Whether an index reaches no further than an array, but for the dimension that it indexes.
fn check_reach(index: &Array, array: &Array, at: usize) -> Result<()> {
    dim(at, array.ndim())?;
    expect(index.ndim() == array.ndim(), || {
        "Index tensor must have the same number of dimensions as input tensor".to_owned()
    })?;
    let outside = |&d: &usize| d != at && index.shape()[d] > array.shape()[d];
    match (0..index.ndim()).find(outside) {
        None => Ok(()),
        Some(d) => Err(Error::runtime(format!(
            "Size does not match at dimension {d} expected index {:?} to be no larger than self {:?} apart from dimension \
             {at}",
            index.shape(),
            array.shape()
        ))),
    }
}

/// out\[…i…\] = src\[…index\[…i…\]…\] along `dim`. An index outside is an error.
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a> {
    /// What is read.
    pub src: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// Where it is read, i64; in the other dimensions no longer than `src`.
    pub index: &'a Array,
    /// What was read, in `index`'s shape and `src`'s dtype, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Gather<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.index, self.out])
    }

    fn check(&self) -> Result<()> {
        check_index("gather", self.index)?;
        check_reach(self.index, self.src, self.dim)?;
        result("gather", "the result", self.out, self.index.shape(), self.src.dtype())?;
        disjoint("gather", self.out, [self.src, self.index])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.src.backend().gather(call)
    }
}

/// out\[…index\[…i…\]…\] ⊕= src\[…i…\] along `dim`. An index outside is an error.
#[derive(Clone, Copy, Debug)]
pub struct Scatter<'a> {
    /// How a value combines with what it finds.
    pub op: ScatterOp,
    /// Along this dimension.
    pub dim: usize,
    /// Where it is written, i64; in the other dimensions no longer than `out`.
    pub index: &'a Array,
    /// What is written, in `index`'s shape and `out`'s dtype.
    pub src: &'a Array,
    /// What is changed; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Scatter<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.index, self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        check_index("scatter", self.index)?;
        expect(self.src.dtype() == self.out.dtype(), || {
            format!(
                "scatter(): Expected self.dtype to be equal to src.dtype, but got {} and {}",
                self.out.dtype(),
                self.src.dtype()
            )
        })?;
        check_reach(self.index, self.out, self.dim)?;
        shape("scatter", "the source", self.src, self.index.shape())?;
        dense("scatter", "the result", self.out)?;
        disjoint("scatter", self.out, [self.src, self.index])
    }

    fn trivial(&self) -> Option<()> {
        (self.index.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().scatter(call)
    }
}

/// out = src with only the lines that `index` names along `dim`. An index outside is an error.
#[derive(Clone, Copy, Debug)]
pub struct IndexSelect<'a> {
    /// What is read.
    pub src: &'a Array,
    /// Along this dimension.
    pub dim: usize,
    /// Which lines, in any integer dtype and at most one dimension.
    pub index: &'a Array,
    /// The lines, in `src`'s dtype, dense.
    pub out: &'a Array,
}

impl PrimitiveCall for IndexSelect<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.index, self.out])
    }

    fn check(&self) -> Result<()> {
        dim(self.dim, self.src.ndim())?;
        if self.index.ndim() > 1 {
            return Err(Error::Index("index_select(): Index is supposed to be a vector".into()));
        }
        expect(self.index.dtype().is_integer(), || "index_select(): Expected dtype int32 or int64 for index".into())?;
        expect(self.src.ndim() > 0 || self.index.numel() == 1, || {
            format!("index_select(): Index to scalar can have only 1 value, got {} value(s)", self.index.numel())
        })?;
        let wanted = with_length(self.src.shape(), self.dim, self.index.numel());
        result("index_select", "the result", self.out, &wanted, self.src.dtype())?;
        disjoint("index_select", self.out, [self.src, self.index])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.src.backend().index_select(call)
    }
}

/// The indices of elements that are not zero, in row-major order: i64 `[n, ndim]`.
#[derive(Clone, Copy, Debug)]
pub struct Nonzero<'a> {
    /// What is searched.
    pub src: &'a Array,
}

impl PrimitiveCall for Nonzero<'_> {
    type Output = Array;

    fn first(&self) -> &Array {
        self.src
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src])
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn launch(call: &Checked<Self>) -> Result<Array> {
        call.src.backend().nonzero(call)
    }
}
