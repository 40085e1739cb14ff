//! Resizing that shrinks without aliasing: each output is a mean of all inputs that it covers.

use crate::Tensor;
use crate::error::Result;
use crate::make::scalars_on;
use crate::ops::index::lines::as_one;
use crate::ops::{matmul, transpose};
use flambeau_tensor::{DType, Scalar};
use smallvec::smallvec;

/// One dimension's lengths, and how far apart the outputs' centres are in inputs.
pub(super) struct Axis {
    pub from: usize,
    pub to: usize,
    pub step: f64,
}

impl Axis {
    /// The weight of each input in each output, `[to, from]`: a triangle as wide as two outputs, or two inputs where those are larger.
    fn weights(&self, like: &Tensor) -> Result<Tensor> {
        let width = self.step.max(1.0);
        let mut rows = vec![Scalar::Float(0.0); self.to * self.from];
        for (i, row) in rows.chunks_mut(self.from).enumerate() {
            let centre = self.step * (i as f64 + 0.5);
            let first = ((centre - width + 0.5) as i64).max(0) as usize;
            let end = ((centre + width + 0.5) as usize).min(self.from);
            let weight = |j: usize| (1.0 - ((j as f64 - centre + 0.5) / width).abs()).max(0.0);
            let total: f64 = (first..end).map(weight).sum();
            (first..end).for_each(|j| row[j] = Scalar::Float(weight(j) / total));
        }
        scalars_on(&rows, &[self.to, self.from], like.dtype(), like.device())
    }
}

/// `[n, c, h, w]` resized along both spatial dimensions.
pub(super) fn antialiased(x: &Tensor, [height, width]: [Axis; 2]) -> Result<Tensor> {
    if !matches!(x.dtype(), DType::F32 | DType::F64) {
        let op = "compute_index_ranges_weights";
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    resize(x, height.weights(x)?, width.weights(x)?)
}

/// rows · x · columnsᵀ, a linear map whose transpose is another one.
fn resize(x: &Tensor, rows: Tensor, columns: Tensor) -> Result<Tensor> {
    let compute = || matmul(&matmul(&rows, x)?, &transpose(&columns, 0, 1)?);
    let (back_rows, back_columns) = (transpose(&rows, 0, 1)?, transpose(&columns, 0, 1)?);
    as_one("UpsampleBilinear2DAaBackward0", &[x], &[], compute, move |c| {
        Ok(smallvec![Some(resize(&c.grad(0)?, back_rows.shallow_clone(), back_columns.shallow_clone())?)])
    })
}

#[cfg(test)]
mod tests {
    use crate::ops::{InterpolateOptions, interpolate};
    use crate::{GradCheckOptions, Result, Tensor, arange, gradcheck, gradgradcheck};

    fn resized(options: InterpolateOptions) -> Tensor {
        let x = arange(12.0).view([1, 1, 3, 4]);
        interpolate(&x, &options.mode("bilinear").antialias(true)).unwrap()
    }

    fn check(options: InterpolateOptions, expected: &[f64]) {
        let found = resized(options).double().to_vec::<f64>();
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
    }

    /// Beside PyTorch's `F.interpolate(torch.arange(12.).view(1, 1, 3, 4), mode="bilinear", antialias=True, …)`.
    #[test]
    fn values_are_pytorch_s() {
        let o = InterpolateOptions::default;
        check(o().size([2, 2]), &[2.2143, 3.7857, 7.2143, 8.7857]);
        check(o().size([2, 2]).align_corners(true), &[4.1071, 5.5238, 8.25, 9.6667]);
        check(o().scale_factor(0.6), &[2.1429, 3.7143]);
        check(o().scale_factor(0.6).recompute_scale_factor(true), &[4.7143, 6.2857]);
        let above = resized(o().scale_factor((2, 1.5))).double().to_vec::<f64>();
        assert_eq!(above[..3].iter().map(|x| (x * 1e4).round()).collect::<Vec<_>>(), [0.0, 5000.0, 11667.0]);
        let error = interpolate(&arange(4.0).view([1, 1, 4]), &o().size(2).mode("linear").antialias(true)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        );
    }

    #[test]
    fn it_is_differentiable_twice() {
        let x = arange(12.0).double().view([1, 1, 3, 4]).requires_grad_(true);
        let f = |x: &[Tensor]| -> Result<Vec<Tensor>> {
            let options = InterpolateOptions::default().size([2, 3]).mode("bilinear").antialias(true);
            Ok(vec![interpolate(&x[0], &options)?.square()])
        };
        let options = GradCheckOptions::default;
        gradcheck(&f, &[x.shallow_clone()], options()).unwrap();
        gradgradcheck(&f, &[x], options()).unwrap();
    }
}
