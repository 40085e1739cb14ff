//! Elements read and written at indices and masks.

pub(crate) mod bag;
pub(crate) mod gather;
pub mod indexing;
pub(crate) mod lines;
pub(crate) mod masked;
pub(crate) mod replace;
pub(crate) mod scatter;
pub(crate) mod scatter_reduce;
pub(crate) mod subscript;
pub(crate) mod unique;
pub(crate) mod write;

pub use bag::*;
pub use gather::*;
pub use masked::*;
pub use replace::*;
pub use scatter::*;
pub use scatter_reduce::*;
pub use subscript::*;
pub use unique::*;
pub use write::*;

flambeau_macros::operations! {
    bag { embedding_bag }
    gather { gather take_along_dim index_select take embedding embedding_renorm_ one_hot }
    masked { where_ masked_fill masked_select masked_scatter nonzero nonzero_tuple argwhere count_nonzero }
    replace { select_scatter slice_scatter diagonal_scatter unflatten atleast_1d atleast_2d atleast_3d }
    scatter { scatter scatter_with_reduce scatter_add }
    scatter_reduce { scatter_reduce }
    subscript { index index_set index_put }
    unique {
        unique unique_inverse unique_counts unique_all unique_consecutive unique_consecutive_all bincount isin
    }
    write { index_add index_copy index_fill put }
}
