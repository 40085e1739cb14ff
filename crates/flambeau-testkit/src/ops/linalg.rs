//! Products of matrices.

use flambeau_autograd::ops::{self, NormOrder};

use super::reduce::order;
use crate::args::{Args, CallResult};
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

/// The options of ranks and pseudo-inverses.
fn rank_options(a: &Args) -> CallResult<ops::RankOptions> {
    let mut options = ops::RankOptions::default().hermitian(a.bool(99, "hermitian", false)?);
    if let Some(atol) = a.opt_float(99, "atol")? {
        options = options.atol(atol);
    }
    if let Some(rtol) = a.opt_float(99, "rtol")? {
        options = options.rtol(rtol);
    }
    Ok(options)
}

const HALF_READ: &str =
    "the samples are not symmetric, and half of each is read; tests/decompositions.rs has the gradients";
const TENSOR_BOUNDS: &str = "bounds that are tensors are not taken";

fn pinv(a: &Args) -> CallResult {
    one(ops::linalg_pinv(a.x()?, &rank_options(a)?))
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
    OpInfo::binary("vdot", ops::vdot),
    OpInfo::unary("linalg.svdvals", ops::linalg_svdvals),
    OpInfo::general("linalg.matrix_rank", |a| one(ops::linalg_matrix_rank(a.x()?, &rank_options(a)?)))
        .partial(TENSOR_BOUNDS),
    OpInfo::general("linalg.pinv", pinv).partial(TENSOR_BOUNDS),
    OpInfo::general("linalg.pinv.hermitian", pinv).no_gradcheck(HALF_READ),
    OpInfo::unary("pinverse", ops::pinverse),
    OpInfo::general("linalg.cond", |a| one(ops::linalg_cond(a.x()?, order(a, 1, "p")?))),
    OpInfo::general("linalg.eigvalsh", |a| one(ops::linalg_eigvalsh(a.x()?, a.opt_str(1, "UPLO")?.unwrap_or("L"))))
        .no_gradcheck(HALF_READ),
    OpInfo::general("linalg.qr", |a| two(ops::linalg_qr(a.x()?, a.opt_str(1, "mode")?.unwrap_or("reduced")))),
    OpInfo::general("linalg.matrix_power", |a| one(ops::linalg_matrix_power(a.x()?, a.need_int(1, "n")?))),
    OpInfo::general("linalg.multi_dot", |a| one(ops::linalg_multi_dot(&a.tensors(0, "tensors")?))),
    OpInfo::general("linalg.vecdot", |a| one(ops::linalg_vecdot(a.x()?, a.tensor(1, "other")?, a.int(2, "dim", -1)?))),
    OpInfo::general("linalg.matrix_norm", |a| {
        let order = order(a, 1, "ord")?.unwrap_or(NormOrder::Fro);
        let dims = a.opt_ints(2, "dim")?.unwrap_or_else(|| vec![-2, -1]);
        one(ops::linalg_matrix_norm(a.x()?, order, &dims, a.bool(3, "keepdim", false)?))
    })
    .differs(&[(
        14,
        "a singular value of matrices of rank one is 0: the sign of its vectors, and so of a gradient, is free",
    )]),
    OpInfo::general("linalg.vander", |a| one(ops::linalg_vander(a.x()?, a.opt_int(1, "N")?))),
];
