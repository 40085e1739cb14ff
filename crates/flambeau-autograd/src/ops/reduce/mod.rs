//! Functions of lines of elements: sums, extrema, statistics, and their running forms.

pub(crate) mod covariance;
pub(crate) mod extrema;
pub(crate) mod product;
pub(crate) mod scan;
pub(crate) mod statistics;
pub(crate) mod sum;
pub(crate) mod trapezoid;
pub(crate) mod variance;
pub(crate) mod vector_norm;

pub use covariance::*;
pub use extrema::*;
pub use product::*;
pub use scan::*;
pub use statistics::*;
pub use sum::*;
pub use trapezoid::*;
pub use variance::*;
pub use vector_norm::*;

flambeau_macros::operations! {
    covariance { cov corrcoef }
    extrema { amax amin max min aminmax max_dim min_dim argmax argmin }
    product { prod }
    scan { cumsum cumprod cummax cummin diff }
    statistics { all any logsumexp nansum nanmean }
    sum { sum mean sum_to_size }
    trapezoid { trapezoid cumulative_trapezoid }
    variance { var std var_mean std_mean }
    vector_norm { vector_norm norm dist linalg_norm linalg_matrix_norm }
}
