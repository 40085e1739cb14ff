//! Comparisons of whole tensors, and orders.

pub(crate) mod closeness;
pub(crate) mod quantile;
pub(crate) mod selection;
pub(crate) mod sort;

pub use closeness::*;
pub use quantile::*;
pub use sort::*;

flambeau_macros::operations! {
    closeness { isclose allclose equal }
    sort { sort argsort msort topk kthvalue median median_dim }
    quantile { quantile nanquantile }
}
