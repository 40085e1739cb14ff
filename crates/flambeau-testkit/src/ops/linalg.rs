//! Products of matrices.

use flambeau_autograd::ops;

use crate::opinfo::{OpInfo, one, two};

/// A row of a fused product: `f(x, a, b, beta, alpha)`.
macro_rules! fused {
    ($name:literal, $f:ident) => {
        OpInfo::general($name, |a| {
            let (x, p, q) = (a.x()?, a.tensor(1, "mat1")?, a.tensor(2, "mat2")?);
            one(ops::$f(x, p, q, a.scalar_or_one(3, "beta")?, a.scalar_or_one(4, "alpha")?))
        })
    };
}

pub(super) const ROWS: &[OpInfo] = &[
    fused!("addbmm", addbmm),
    fused!("addmm", addmm),
    fused!("addmv", addmv),
    fused!("baddbmm", baddbmm),
    OpInfo::binary("bmm", ops::bmm),
    OpInfo::binary("dot", ops::dot),
    OpInfo::binary("matmul", ops::matmul),
    OpInfo::binary("mm", ops::mm),
    OpInfo::binary("mv", ops::mv),
    OpInfo::binary("outer", ops::outer),
    OpInfo::general("nn.functional.linear", |a| {
        one(ops::linear(a.x()?, a.tensor(1, "weight")?, a.opt_tensor(2, "bias")?))
    }),
    OpInfo::unary("linalg.det", ops::linalg_det),
    OpInfo::unary("linalg.inv", ops::linalg_inv),
    OpInfo::unary("logdet", ops::logdet),
    OpInfo::general("linalg.slogdet", |a| two(ops::linalg_slogdet(a.x()?))),
    OpInfo::general("linalg.solve", |a| one(ops::linalg_solve(a.x()?, a.tensor(1, "B")?, a.bool(2, "left", true)?))),
    OpInfo::general("linalg.cross", |a| one(ops::linalg_cross(a.x()?, a.tensor(1, "other")?, a.int(2, "dim", -1)?))),
    OpInfo::general("linalg.vander", |a| one(ops::linalg_vander(a.x()?, a.opt_int(1, "N")?))),
];
