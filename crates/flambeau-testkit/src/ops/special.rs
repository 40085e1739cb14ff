//! Rows of operations that have goldens of special values only (see [`crate::golden::load_special`]).

use flambeau_autograd::ops;

use crate::opinfo::{OpInfo, one};

/// The rows.
pub fn only_special() -> &'static [OpInfo] {
    ROWS
}

const ROWS: &[OpInfo] = &[OpInfo::general("nn.functional.rrelu", |a| {
    let (lower, upper) = (a.float(1, "lower", 1.0 / 8.0)?, a.float(2, "upper", 1.0 / 3.0)?);
    one(ops::rrelu(a.x()?, lower, upper, a.bool(3, "training", false)?))
})];
