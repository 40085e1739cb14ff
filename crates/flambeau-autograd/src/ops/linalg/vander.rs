//! Vandermonde matrices.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::{cat, copy_, cumprod, empty, expand, fill_, flip, new_ones, select, slice, to_i64, unsqueeze};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::promotion::promote_types;

/// The powers of a vector's elements, one row each, the highest power first: `torch.vander`. There are `n`
/// columns, by default as many as elements; with `increasing` the lowest power comes first. It has gradients, which PyTorch's refuses
/// to compute.
///
/// # Errors
/// For more or less than one dimension, and for a negative number of columns.
///
/// ```
/// let x = torch::tensor([1, 2, 3]);
/// assert_eq!(torch::vander(&x).to_vec::<i64>(), [1, 1, 1, 4, 2, 1, 9, 3, 1]);
/// assert_eq!(torch::vander_with(&x, |o| o.n(2).increasing(true)).to_vec::<i64>(), [1, 1, 1, 2, 1, 3]);
/// ```
#[op(torch, default(n = None, increasing = false))]
pub fn vander(x: &Tensor, n: Option<i64>, increasing: bool) -> Result<Tensor> {
    if x.dim() != 1 {
        return Err(Error::runtime("x must be a one-dimensional tensor."));
    }
    let n = usize::try_from(n.unwrap_or(x.numel() as i64)).map_err(|_| Error::runtime("N must be non-negative."))?;
    let out = empty(&[x.numel(), n], promote_types(x.dtype(), DType::I64), x.device())?;
    if n > 0 {
        fill_(&select(&out, 1, 0)?, 1)?;
    }
    if n > 1 {
        let columns = expand(&unsqueeze(x, 1)?, &[-1, n as i64 - 1])?;
        copy_(&slice(&out, 1, Some(1), None, 1)?, &cumprod(&columns, 1, None)?)?;
    }
    if increasing { Ok(out) } else { flip(&out, &[1]) }
}

/// The powers x⁰, x¹, … of each element along a new last dimension: `torch.linalg.vander`. By default there
/// are as many of them as the last dimension is long; `vander_n` takes their number.
///
/// # Errors
/// For bools and halves, and for less than two powers.
///
/// ```
/// let x = torch::tensor([2, 3]);
/// assert_eq!(torch::linalg::vander(&x).to_vec::<i64>(), [1, 2, 1, 3]);
/// assert_eq!(torch::linalg::vander_n(&x, 3).to_vec::<i64>(), [1, 2, 4, 1, 3, 9]);
/// ```
#[op(linalg, forms(vander() = (None), vander_n(n: Option<i64>) = (n)))]
pub fn linalg_vander(x: &Tensor, n: Option<i64>) -> Result<Tensor> {
    if matches!(x.dtype(), DType::Bool | DType::F16 | DType::BF16) {
        return Err(Error::runtime(format!(
            "linalg.vander supports floating point, complex, and integer tensors, but got {}",
            x.dtype().scalar_type_name()
        )));
    }
    let x = if x.dim() == 0 { unsqueeze(x, -1)? } else { x.shallow_clone() };
    let mut shape = to_i64(&x.size());
    let n = n.unwrap_or(shape[shape.len() - 1]);
    if n <= 1 {
        return Err(Error::runtime("N must be greater than 1."));
    }
    shape.push(n - 1);
    let powers = cumprod(&expand(&unsqueeze(&x, -1)?, &shape)?, -1, None)?;
    let mut first = powers.size().to_vec();
    first.pop();
    first.push(1);
    cat(&[&new_ones(&powers, &first, None, None)?, &powers], -1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GradCheckOptions, gradcheck, gradgradcheck, tensor};

    /// Beside `torch.vander`, which PyTorch's database of operations has not.
    #[test]
    fn vander_is_pytorch_s() {
        let x = tensor([1, 2, 3]);
        let of = |n: Option<i64>, increasing: bool| vander(&x, n, increasing).unwrap();
        assert_eq!(of(None, false).to_vec::<i64>(), [1, 1, 1, 4, 2, 1, 9, 3, 1]);
        assert_eq!(of(Some(2), false).to_vec::<i64>(), [1, 1, 2, 1, 3, 1]);
        assert_eq!(of(Some(3), true).to_vec::<i64>(), [1, 1, 1, 1, 2, 4, 1, 3, 9]);
        assert_eq!(of(Some(0), false).size(), [3, 0]);
        assert_eq!(of(Some(1), false).to_vec::<i64>(), [1, 1, 1]);
        let truth = vander(&tensor([true, false]), None, false).unwrap();
        assert_eq!((truth.dtype(), truth.to_vec::<i64>()), (DType::I64, vec![1, 1, 0, 1]));
        let error = |x: &Tensor, n| vander(x, n, false).unwrap_err().to_string();
        assert_eq!(error(&x, Some(-1)), "N must be non-negative.");
        assert_eq!(error(&tensor([[1.0]]), None), "x must be a one-dimensional tensor.");
    }

    #[test]
    fn vander_is_differentiable_twice() {
        let x = tensor([1.5, -2.0, 0.5]).double().requires_grad_(true);
        assert_eq!(vander(&x, None, false).unwrap().grad_fn().unwrap().name(), "FlipBackward0");
        let f = |x: &[Tensor]| -> Result<Vec<Tensor>> { Ok(vec![vander(&x[0], Some(4), false)?]) };
        gradcheck(&f, &[x.shallow_clone()], GradCheckOptions::default()).unwrap();
        gradgradcheck(&f, &[x], GradCheckOptions::default()).unwrap();
    }
}
