//! Distributions of counts and categories, and continuous relaxations of them.

mod bernoulli;
mod binomial;
mod categorical;
mod multinomial;
mod one_hot;
mod poisson;
mod relaxed;

pub use bernoulli::{Bernoulli, Geometric};
pub use binomial::{Binomial, BinomialOptions, NegativeBinomial};
pub use categorical::Categorical;
pub use multinomial::{Multinomial, MultinomialOptions};
pub use one_hot::{OneHotCategorical, OneHotCategoricalStraightThrough};
pub use poisson::Poisson;
pub use relaxed::{ExpRelaxedCategorical, LogitRelaxedBernoulli, RelaxedBernoulli, RelaxedOneHotCategorical};

use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::{DType, Device, Scalar};

/// 0 … n − 1 along a first dimension, beside the dimensions of a batch, and expanded to them where asked.
fn listed(n: usize, batch: &[usize], expand: bool, dtype: DType, device: Device) -> Tensor {
    let [from, to, step] = [0, n as i64, 1].map(Scalar::Int);
    let values = ops::arange(from, to, step, Some(dtype), device).or_panic();
    let ones: Vec<i64> = std::iter::once(-1).chain(batch.iter().map(|_| 1)).collect();
    let values = values.view(ones);
    match expand {
        true => crate::value::expanded(&values, &[&[n], batch].concat()),
        false => values,
    }
}
