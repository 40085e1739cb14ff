//! Operations along one dimension: the lines of an array, each a start and a stride.

use flambeau_tensor::Array;
use flambeau_tensor::dims::Dims;
use flambeau_tensor::plan::Plan;
use smallvec::SmallVec;

/// The lines of several arrays along one dimension: every index of the other dimensions names one line in each.
pub struct Lines {
    plan: Plan,
    /// Each array's step along the dimension, in elements.
    pub strides: SmallVec<[usize; 4]>,
    /// How many lines there are.
    pub count: usize,
}

impl Lines {
    /// The lines along `dim` of arrays whose shapes agree elsewhere; `shape` has the common lengths. Arrays without
    /// dimensions have one line of one element.
    pub fn new(shape: &[usize], dim: usize, arrays: &[&Array]) -> Lines {
        let others: Dims = (0..shape.len()).filter(|&d| d != dim).collect();
        let strides: SmallVec<[&[usize]; 4]> = arrays.iter().map(|a| a.strides()).collect();
        let count = others.iter().map(|&d| shape[d]).product();
        let plan = Plan::grouped(shape, &strides, &[&others]).0;
        let strides = arrays.iter().map(|a| a.strides().get(dim).copied().unwrap_or(1)).collect();
        Lines { plan, strides, count }
    }

    /// Calls `f` with each line's number and where it starts in each array (in elements from the first), for lines of `range`.
    pub fn for_each(&self, range: std::ops::Range<usize>, mut f: impl FnMut(usize, &[usize])) {
        if range.is_empty() {
            return;
        }
        let mut cursor = self.plan.seek(range.start);
        for line in range {
            f(line, &cursor.offsets);
            cursor.advance(&self.plan, 1);
        }
    }
}

/// The length of a dimension; 1 for arrays without dimensions.
pub fn length(array: &Array, dim: usize) -> usize {
    array.shape().get(dim).copied().unwrap_or(1)
}
