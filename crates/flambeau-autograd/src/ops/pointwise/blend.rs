//! Interpolation and fused multiply-adds.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::pointwise::binary::{OperandRef, common_dtype_of};
use crate::ops::{Operand, Place};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// a + w·(b − a), from the nearer end: exact at both.
fn interpolate<'b>(a: Expr<'b>, b: Expr<'b>, w: Expr<'b>) -> Expr<'b> {
    let d = b - a;
    w.abs().lt(0.5).select(a + w * d, b - d * (1.0 - w))
}

static LERP_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| interpolate(b.input(0), b.input(1), b.scalar(0)))
        .with_arguments(&["self", "end"])
        .with_gradient(|b, g, _, _| vec![g * (1.0 - b.scalar(0)), g * b.scalar(0)])
});

static LERP_TENSOR: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| interpolate(b.input(0), b.input(1), b.input(2)))
        .with_arguments(&["self", "end", "weight"])
        .with_gradient(|_, g, x, _| vec![g * (1.0 - x[2]), g * x[2], g * (x[1] - x[0])])
});

fn check_lerp(kernel: &'static str, a: &Tensor, others: &[(&str, DType)]) -> Result<()> {
    for (name, dtype) in others {
        if *dtype != a.dtype() {
            return Err(Error::runtime(format!(
                "expected dtype {} for `{name}` but got dtype {}",
                a.dtype().cpp_name(),
                dtype.cpp_name()
            )));
        }
    }
    if a.is_floating_point() {
        return Ok(());
    }
    Err(flambeau_tensor::Error::NotImplementedFor { op: kernel, dtype: a.dtype() }.into())
}

/// x + weight · (end − x), which goes from x at weight 0 to `end` at weight 1: `torch.lerp`. The weight is a number or a tensor.
///
/// # Errors
/// When the dtypes differ, or are no floats.
///
/// ```
/// let (start, end) = (torch::tensor([0.0, 10.0]), torch::tensor([4.0, 20.0]));
/// assert_eq!(start.lerp(&end, 0.25).to_vec::<f32>(), [1.0, 12.5]);
/// assert_eq!(start.lerp(&end, torch::tensor([0.5, 1.0])).to_vec::<f32>(), [2.0, 20.0]);
/// ```
#[op(torch, method)]
pub fn lerp<'a>(x: &Tensor, end: &Tensor, weight: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    match weight.into().kind() {
        OperandRef::Number(w) => {
            check_lerp("lerp_kernel_scalar", x, &[("end", end.dtype())])?;
            place.map("LerpBackward0", &LERP_NUMBER, &[x, end], &[w.checked(x.dtype().compute())?])
        }
        OperandRef::Tensor(w) => {
            check_lerp("lerp_kernel_tensor", x, &[("end", end.dtype()), ("weight", w.dtype())])?;
            place.map("LerpBackward1", &LERP_TENSOR, &[x, end, w], &[])
        }
    }
}

static ADDCMUL: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) + b.scalar(0) * b.input(1) * b.input(2))
        .with_arguments(&["self", "tensor1", "tensor2"])
});

static ADDCDIV: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) + b.scalar(0) * b.input(1) / b.input(2))
        .with_arguments(&["self", "tensor1", "tensor2"])
        .with_gradient(|b, g, x, _| {
            let (value, p, q) = (b.scalar(0), x[1], x[2]);
            vec![g, g * (value / q), -(g * (value * p / (q * q)))]
        })
});

/// x + value · tensor1 · tensor2: `torch.addcmul`.
///
/// # Errors
/// When the value does not fit the result's dtype, or that is bool.
///
/// ```
/// let (x, a, b) = (torch::tensor([1.0, 1.0]), torch::tensor([2.0, 3.0]), torch::tensor([4.0, 5.0]));
/// assert_eq!(x.addcmul_with(&a, &b, |o| o.value(0.5)).to_vec::<f32>(), [5.0, 8.5]);
/// ```
#[op(torch, method, cast_gpu = Widest, default(value = 1))]
pub fn addcmul(
    x: &Tensor,
    tensor1: &Tensor,
    tensor2: &Tensor,
    value: impl Into<Scalar>,
    place: Place,
) -> Result<Tensor> {
    let inputs = [x, tensor1, tensor2];
    place.map("AddcmulBackward0", &ADDCMUL, &inputs, &[factor("addcmul_cpu_out", &inputs, value.into())?])
}

/// The factor of a fused product as a number that the result's dtype holds; f16 and bf16 compute in f32.
fn factor(op: &'static str, inputs: &[&Tensor], value: Scalar) -> Result<Scalar> {
    match common_dtype_of(inputs) {
        dtype @ DType::Bool => Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into()),
        dtype => Ok(value.checked(dtype.compute())?),
    }
}

/// x + value · tensor1 / tensor2: `torch.addcdiv`.
///
/// # Errors
/// When neither tensor1 nor tensor2 is a float, or the value does not fit the result's dtype.
///
/// ```
/// let (x, a, b) = (torch::tensor([1.0, 1.0]), torch::tensor([2.0, 3.0]), torch::tensor([4.0, 2.0]));
/// assert_eq!(x.addcdiv_with(&a, &b, |o| o.value(2)).to_vec::<f32>(), [2.0, 4.0]);
/// ```
#[op(torch, method, cast_gpu = Widest, default(value = 1))]
pub fn addcdiv(
    x: &Tensor,
    tensor1: &Tensor,
    tensor2: &Tensor,
    value: impl Into<Scalar>,
    place: Place,
) -> Result<Tensor> {
    if !tensor1.is_floating_point() && !tensor2.is_floating_point() {
        return Err(Error::runtime(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division \
             of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / \
             tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The \
             future addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.",
        ));
    }
    let inputs = [x, tensor1, tensor2];
    place.map("AddcdivBackward0", &ADDCDIV, &inputs, &[factor("addcdiv_cpu_out", &inputs, value.into())?])
}
