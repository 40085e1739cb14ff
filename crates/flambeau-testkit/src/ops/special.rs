//! Rows of operations that have goldens of special values only (see [`crate::golden::load_special`]).

use flambeau_autograd::{Result, Tensor, ops};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one, two};

use super::conv::max_pool;

/// A pool of an output size that tells where its values stood.
type IndexedPool = fn(&Tensor, &[Option<i64>]) -> Result<(Tensor, Tensor)>;

/// An adaptive max pool of an output size and, as in the goldens, with indices.
fn adaptive_max(a: &Args, f: IndexedPool) -> CallResult {
    a.bool(9, "return_indices", true)?;
    let size: Vec<Option<i64>> = a.ints(1, "output_size")?.into_iter().map(Some).collect();
    two(f(a.x()?, &size))
}

/// The rows.
pub fn only_special() -> &'static [OpInfo] {
    ROWS
}

const ROWS: &[OpInfo] = &[
    OpInfo::general("nansum", |a| one(ops::nansum(a.x()?, &a.ints(1, "dim")?, false))),
    OpInfo::general("nanmean", |a| one(ops::nanmean(a.x()?, &a.ints(1, "dim")?, false))),
    OpInfo::general("nn.functional.adaptive_max_pool1d", |a| adaptive_max(a, ops::adaptive_max_pool1d_with_indices)),
    OpInfo::general("nn.functional.adaptive_max_pool2d", |a| adaptive_max(a, ops::adaptive_max_pool2d_with_indices)),
    OpInfo::general("nn.functional.adaptive_max_pool3d", |a| adaptive_max(a, ops::adaptive_max_pool3d_with_indices)),
    OpInfo::general("nn.functional.hardshrink", |a| one(ops::hardshrink(a.x()?, a.float(1, "lambd", 0.5)?))),
    OpInfo::general("nn.functional.max_pool3d", |a| max_pool(a, ops::max_pool3d, ops::max_pool3d_with_indices)),
    OpInfo::general("nn.functional.rrelu", |a| {
        let (lower, upper) = (a.float(1, "lower", 1.0 / 8.0)?, a.float(2, "upper", 1.0 / 3.0)?);
        one(ops::rrelu(a.x()?, lower, upper, a.bool(3, "training", false)?))
    }),
    OpInfo::general("nn.functional.softshrink", |a| one(ops::softshrink(a.x()?, a.float(1, "lambd", 0.5)?))),
    OpInfo::unary("nn.functional.tanhshrink", ops::tanhshrink),
];
