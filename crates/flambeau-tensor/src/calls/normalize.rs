//! Normalisation by statistics of the input.

use super::check::{dense, dtype, expect, float, shape};
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::{NormBackward, NormLayout, Normalized};
use crate::dims::{Dims, checked_numel};
use crate::{Array, Result};

/// Normalises an array of the layout's shape by its own statistics; any strides. What [`crate::ops::normalize`] asks of a backend.
#[derive(Clone, Copy)]
pub struct Normalize<'a> {
    /// The array, in the layout's shape.
    pub x: &'a Array,
    /// Multiplies the result; in the layout's shape of parameters.
    pub weight: Option<&'a Array>,
    /// Added to the result; in the layout's shape of parameters.
    pub bias: Option<&'a Array>,
    /// Which elements are normalised together.
    pub layout: &'a NormLayout,
}

/// Whether a layout's parts fit each other: as backends see it, an array is `[outer, means, inner]`, and parameters repeat
/// along the outer and the first of the means, and along the last of the inner dimensions.
fn check_layout(layout: &NormLayout) -> Result<()> {
    let NormLayout { shape, dims, params, .. } = layout;
    let ndim = shape.len();
    let inside = dims.iter().enumerate().all(|(k, d)| (0..ndim as i64).contains(d) && !dims[..k].contains(d));
    let reduced = |d: usize| dims.contains(&(d as i64));
    let lengths = params.len() == ndim && params.iter().zip(shape).all(|(&p, &n)| p == 1 || p == n);
    let holds = inside && lengths && checked_numel(shape).is_some() && {
        let first = (0..ndim).find(|&d| !reduced(d)).unwrap_or(ndim);
        let end = (0..ndim).rfind(|&d| !reduced(d)).map_or(first, |d| d + 1);
        // Dimensions of length 1 have a parameter of their own and share it, as one likes.
        let whole = |range: std::ops::Range<usize>| {
            range.filter(|&d| shape[d] != 1).map(|d| params[d] != 1).collect::<smallvec::SmallVec<[bool; 6]>>()
        };
        (first..end).all(|d| !reduced(d))
            && whole(0..first).iter().all(|&whole| !whole)
            && whole(first..end).is_sorted()
            && whole(end..ndim).iter().rev().is_sorted()
    };
    expect(holds, || format!("normalize(): a layout of shape {shape:?}, dims {dims:?} and parameters {params:?}"))
}

fn check_parameter(layout: &NormLayout, parameter: Option<&Array>) -> Result<()> {
    parameter.map_or(Ok(()), |p| {
        float("normalize", p)?;
        shape("normalize", "each parameter", p, &layout.params)
    })
}

impl PrimitiveCall for Normalize<'_> {
    type Output = Normalized;

    fn first(&self) -> &Array {
        self.x
    }

    fn arrays(&self) -> Arrays<'_> {
        [Some(self.x), self.weight, self.bias].into_iter().flatten().collect()
    }

    fn check(&self) -> Result<()> {
        check_layout(self.layout)?;
        float("normalize", self.x)?;
        shape("normalize", "the input", self.x, &self.layout.shape)?;
        check_parameter(self.layout, self.weight)?;
        check_parameter(self.layout, self.bias)
    }

    fn launch(call: &Checked<Self>) -> Result<Normalized> {
        call.x.backend().normalize(call)
    }
}

/// Gradients of [`Normalize`] for its input (in its dtype), weight (in its dtype) and bias (in the gradient's dtype).
#[derive(Clone, Copy)]
pub struct NormalizeBackward<'a> {
    /// What was normalised and the result's gradient.
    pub args: NormBackward<'a>,
    /// Which gradients are wanted.
    pub needs: [bool; 3],
}

impl PrimitiveCall for NormalizeBackward<'_> {
    type Output = [Option<Array>; 3];

    fn first(&self) -> &Array {
        self.args.x
    }

    fn arrays(&self) -> Arrays<'_> {
        let NormBackward { grad, x, mean, inverse_std, weight, .. } = self.args;
        [grad, x, mean, inverse_std].into_iter().chain(weight).collect()
    }

    fn check(&self) -> Result<()> {
        let NormBackward { grad, x, mean, inverse_std, weight, layout } = self.args;
        check_layout(layout)?;
        float("normalize_backward", x)?;
        shape("normalize_backward", "the input", x, &layout.shape)?;
        shape("normalize_backward", "the gradient", grad, &layout.shape)?;
        dtype("normalize_backward", "the gradient", grad, x.dtype())?;
        check_parameter(layout, weight)?;
        let kept = |(d, &n): (usize, &usize)| if layout.dims.contains(&(d as i64)) { 1 } else { n };
        let statistics: Dims = layout.shape.iter().enumerate().map(kept).collect();
        for array in [mean, inverse_std] {
            shape("normalize_backward", "each statistic", array, &statistics)?;
            dtype("normalize_backward", "each statistic", array, x.dtype().compute())?;
            dense("normalize_backward", "each statistic", array)?;
        }
        Ok(())
    }

    fn launch(call: &Checked<Self>) -> Result<Self::Output> {
        call.args.x.backend().normalize_backward(call)
    }
}
