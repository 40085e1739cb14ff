//! Normalisation by statistics of the input: the calls, and the formulas that backends and gradients' gradients share.

use crate::backend::{NormBackward, NormLayout, Normalized};
use crate::calls::{Normalize, NormalizeBackward, PrimitiveCall};
use crate::pointwise::{Expr, Pointwise};
use crate::{Array, Result};
use smallvec::SmallVec;
use std::sync::LazyLock;

/// (x − m) · i with the mean m and i = 1/√(variance + ε) of each group of elements, times the weight and plus the bias where
/// there are any. `x` has the layout's shape, weight and bias its shape of parameters.
pub fn normalize(x: &Array, weight: Option<&Array>, bias: Option<&Array>, layout: &NormLayout) -> Result<Normalized> {
    Normalize { x, weight, bias, layout }.run()
}

/// The gradients of [`normalize`] for x, weight and bias, those that `needs` names.
pub fn normalize_backward(call: &NormBackward<'_>, needs: [bool; 3]) -> Result<[Option<Array>; 3]> {
    NormalizeBackward { args: *call, needs }.run()
}

impl NormLayout {
    /// How many elements a mean is of.
    pub fn count(&self) -> usize {
        self.dims.iter().fold(1, |n, &d| n.saturating_mul(at(&self.shape, d)))
    }

    /// Whether the weight is the same for all elements of a mean.
    pub fn weight_per_mean(&self) -> bool {
        self.dims.iter().all(|&d| at(&self.params, d) == 1)
    }

    /// The dimensions that weight and bias are broadcast along.
    pub fn broadcast_dims(&self) -> SmallVec<[i64; 6]> {
        (0..self.shape.len() as i64).filter(|&d| at(&self.params, d) == 1).collect()
    }
}

/// A length; one where there is no such dimension.
fn at(lengths: &[usize], d: i64) -> usize {
    usize::try_from(d).ok().and_then(|d| lengths.get(d)).copied().unwrap_or(1)
}

/// Where a weight stands in the gradient of the input.
#[derive(Clone, Copy, PartialEq)]
pub enum WeightPlace {
    /// There is none.
    Absent,
    /// It is the same for a whole mean.
    Outside,
    /// It differs among a mean's elements.
    Inside,
}

/// The programs of a normalisation.
pub struct NormFormulas {
    /// (x − m)²
    pub deviation: Pointwise,
    /// 1 / √(s/n + ε) of the sum of squared deviations s, and of n and ε.
    pub inverse_std: Pointwise,
    /// (x − m) · i, then the weight (in the last two) and the bias (in the second and fourth).
    pub normalize: [Pointwise; 4],
    /// a · b
    pub product: Pointwise,
    /// g · (x − m), times a weight in the second.
    pub with_deviation: [Pointwise; 2],
    /// g · (x − m) · i
    pub weight_gradient: Pointwise,
    /// i · (g − Σg/n − (x − m) · i² · Σg(x − m)/n) of g, x, m, i and the two sums, by [`WeightPlace`].
    pub input_gradient: [Pointwise; 3],
}

impl NormFormulas {
    /// The programs.
    pub fn get() -> &'static NormFormulas {
        static ALL: LazyLock<NormFormulas> = LazyLock::new(|| NormFormulas {
            deviation: Pointwise::new(|b| {
                let d = b.input(0) - b.input(1);
                d * d
            }),
            inverse_std: Pointwise::new(|b| (b.input(0) / b.scalar(0) + b.scalar(1)).rsqrt()),
            normalize: affine(3, |v| (v[0] - v[1]) * v[2])
                .map(|program| program.with_arguments(&["input", "running_mean", "invstd", "weight"])),
            product: Pointwise::new(|b| b.input(0) * b.input(1)),
            with_deviation: [false, true].map(|weighted| {
                Pointwise::new(move |b| {
                    let g = if weighted { b.input(0) * b.input(3) } else { b.input(0) };
                    g * (b.input(1) - b.input(2))
                })
            }),
            weight_gradient: Pointwise::new(|b| b.input(0) * (b.input(1) - b.input(2)) * b.input(3)),
            input_gradient: [WeightPlace::Absent, WeightPlace::Outside, WeightPlace::Inside].map(|weight| {
                Pointwise::new(move |b| {
                    let (x, m, i, n) = (b.input(1), b.input(2), b.input(3), b.scalar(0));
                    let g = if weight == WeightPlace::Inside { b.input(0) * b.input(6) } else { b.input(0) };
                    let y = (g - b.input(4) / n - (x - m) * (i * i * b.input(5) / n)) * i;
                    if weight == WeightPlace::Outside { y * b.input(6) } else { y }
                })
            }),
        });
        &ALL
    }

    /// The normalising program for a weight and a bias that there are or not.
    pub fn normalize(&self, weight: bool, bias: bool) -> &Pointwise {
        &self.normalize[usize::from(weight) * 2 + usize::from(bias)]
    }
}

/// A program for each combination of a weight and a bias that there are, which come after the other inputs.
fn affine(inputs: usize, formula: impl for<'b> Fn(&[Expr<'b>]) -> Expr<'b> + Copy) -> [Pointwise; 4] {
    [(false, false), (false, true), (true, false), (true, true)].map(|(weight, bias)| {
        Pointwise::new(|b| {
            let args: SmallVec<[Expr<'_>; 4]> = (0..inputs).map(|i| b.input(i)).collect();
            let y = formula(&args);
            let y = if weight { y * b.input(inputs) } else { y };
            if bias { y + b.input(inputs + usize::from(weight)) } else { y }
        })
    })
}
