//! Products of matrices, and parts of matrices.

pub(crate) mod cdist;
pub(crate) mod cross;
pub(crate) mod einsum;
pub(crate) mod factor;
pub(crate) mod lu;
pub(crate) mod matmul;
pub(crate) mod triangle;
pub(crate) mod vander;

pub use cdist::*;
pub use cross::*;
pub use einsum::*;
pub use factor::*;
pub use lu::*;
pub use matmul::*;
pub use triangle::*;
pub use vander::*;

flambeau_macros::operations! {
    einsum { einsum tensordot tensordot_n inner kron }
    matmul { mm bmm addmm baddbmm addbmm mv addmv dot outer }
    triangle { tril triu tril_indices triu_indices diag_embed diag trace }
    cross { linalg_cross cross }
    cdist { cdist pdist }
    factor { linalg_cholesky linalg_cholesky_info linalg_solve_triangular cholesky_solve }
    lu { linalg_det det linalg_slogdet slogdet logdet linalg_inv inverse linalg_solve }
    vander { vander linalg_vander }
}
