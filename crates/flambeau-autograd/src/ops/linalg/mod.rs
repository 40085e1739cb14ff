//! Products of matrices, and parts of matrices.

pub(crate) mod cdist;
pub(crate) mod cross;
pub(crate) mod eigen;
pub(crate) mod einsum;
pub(crate) mod factor;
mod jacobi;
pub(crate) mod lu;
pub(crate) mod matmul;
pub(crate) mod power;
pub(crate) mod qr;
pub(crate) mod svd;
pub(crate) mod triangle;
pub(crate) mod vander;

pub use cdist::*;
pub use cross::*;
pub use eigen::*;
pub use einsum::*;
pub use factor::*;
pub use lu::*;
pub use matmul::*;
pub use power::*;
pub use qr::*;
pub use svd::*;
pub use triangle::*;
pub use vander::*;

flambeau_macros::operations! {
    einsum { einsum tensordot tensordot_n inner kron }
    matmul { mm bmm addmm baddbmm addbmm mv addmv dot vdot outer }
    triangle { tril triu tril_indices triu_indices diag_embed diag diagflat trace }
    cross { linalg_cross cross }
    cdist { cdist pdist }
    factor { linalg_cholesky linalg_cholesky_info linalg_solve_triangular cholesky_solve }
    lu { linalg_det det linalg_slogdet slogdet logdet linalg_inv inverse linalg_solve }
    svd { linalg_svd linalg_svdvals svd linalg_matrix_rank linalg_pinv pinverse linalg_cond }
    eigen { linalg_eigh linalg_eigvalsh }
    qr { linalg_qr }
    power { linalg_matrix_power matrix_power linalg_multi_dot linalg_vecdot }
    vander { vander linalg_vander }
}
