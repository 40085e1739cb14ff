//! Comparisons of whole tensors, and orders.

pub(crate) mod closeness;
pub(crate) mod histogram;
pub(crate) mod quantile;
pub(crate) mod search;
pub(crate) mod selection;
pub(crate) mod sort;

pub use closeness::*;
pub use histogram::*;
pub use quantile::*;
pub use search::*;
pub use sort::*;

flambeau_macros::operations! {
    closeness { isclose allclose equal }
    histogram { histc }
    search { searchsorted bucketize }
    sort { sort argsort msort topk kthvalue median median_dim }
    quantile { quantile nanquantile }
}
