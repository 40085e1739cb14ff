//! Functions of one tensor, element by element: one line each.

use crate::Tensor;
use crate::error::Result;
use crate::ops::{Place, map, pow, pow_};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{Pointwise, UnaryOp};
use std::sync::LazyLock;

/// Declares, for each line `name => Op, "Backward"`, the operation.
macro_rules! unary {
    ($($(#[$meta:meta])* $name:ident => $op:ident, $backward:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(x: &Tensor, place: Place) -> Result<Tensor> {
            check(x.dtype(), UnaryOp::$op)?;
            place.map($backward, program(UnaryOp::$op), &[x], &[])
        }
    )*};
}

unary! {
    /// −x: `torch.neg`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.0, -2.0]).neg().to_vec::<f32>(), [-1.0, 2.0]);
    /// ```
    #[op(torch, method, alias(negative))]
    neg => Neg, "NegBackward0";
    /// |x|: `torch.abs`. The derivative at 0 is 0.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.0, -2.0]).abs().to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    #[op(torch, method, alias(absolute))]
    abs => Abs, "AbsBackward0";
    /// −1, 0 or 1: `torch.sign`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([3.0, 0.0, -2.0]).sign().to_vec::<f32>(), [1.0, 0.0, -1.0]);
    /// ```
    #[op(torch, method)]
    sign => Sign, "SignBackward0";
    /// 1 / x: `torch.reciprocal`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([2.0, 4.0]).reciprocal().to_vec::<f32>(), [0.5, 0.25]);
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    reciprocal => Reciprocal, "ReciprocalBackward0";
    /// √x: `torch.sqrt`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([4.0, 9.0]).sqrt().to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    #[op(torch, method)]
    sqrt => Sqrt, "SqrtBackward0";
    /// 1 / √x: `torch.rsqrt`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([4.0, 16.0]).rsqrt().to_vec::<f32>(), [0.5, 0.25]);
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    rsqrt => Rsqrt, "RsqrtBackward0";
    /// eˣ: `torch.exp`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).exp().allclose(&torch::tensor([1.0, 2.7182817])));
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    exp => Exp, "ExpBackward0";
    /// eˣ − 1, accurate near 0: `torch.expm1`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([0.0, 1e-10]).expm1().to_vec::<f32>(), [0.0, 1e-10]);
    /// ```
    #[op(torch, special, method, cast_gpu = Float32)]
    expm1 => Expm1, "Expm1Backward0";
    /// ln x: `torch.log`.
    ///
    /// ```
    /// assert!(torch::tensor([1.0, 10.0]).log().allclose(&torch::tensor([0.0, 2.3025851])));
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    log => Log, "LogBackward0";
    /// log₂ x: `torch.log2`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.0, 8.0]).log2().to_vec::<f32>(), [0.0, 3.0]);
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    log2 => Log2, "Log2Backward0";
    /// log₁₀ x: `torch.log10`.
    ///
    /// ```
    /// assert!(torch::tensor([1.0, 1000.0]).log10().allclose(&torch::tensor([0.0, 3.0])));
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    log10 => Log10, "Log10Backward0";
    /// ln(1 + x), accurate near 0: `torch.log1p`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([0.0, 1e-10]).log1p().to_vec::<f32>(), [0.0, 1e-10]);
    /// ```
    #[op(torch, special, method, cast_gpu = Float32)]
    log1p => Log1p, "Log1PBackward0";
    /// sin x: `torch.sin`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.5707964]).sin().allclose(&torch::tensor([0.0, 1.0])));
    /// ```
    #[op(torch, method)]
    sin => Sin, "SinBackward0";
    /// cos x: `torch.cos`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 3.1415927]).cos().allclose(&torch::tensor([1.0, -1.0])));
    /// ```
    #[op(torch, method)]
    cos => Cos, "CosBackward0";
    /// tan x: `torch.tan`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 0.7853982]).tan().allclose(&torch::tensor([0.0, 1.0])));
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    tan => Tan, "TanBackward0";
    /// arcsin x: `torch.asin`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).asin().allclose(&torch::tensor([0.0, 1.5707964])));
    /// ```
    #[op(torch, method, alias(arcsin), cast_gpu = Float32)]
    asin => Asin, "AsinBackward0";
    /// arccos x: `torch.acos`.
    ///
    /// ```
    /// assert!(torch::tensor([1.0, -1.0]).acos().allclose(&torch::tensor([0.0, 3.1415927])));
    /// ```
    #[op(torch, method, alias(arccos), cast_gpu = Float32)]
    acos => Acos, "AcosBackward0";
    /// arctan x: `torch.atan`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).atan().allclose(&torch::tensor([0.0, 0.7853982])));
    /// ```
    #[op(torch, method, alias(arctan))]
    atan => Atan, "AtanBackward0";
    /// sinh x: `torch.sinh`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).sinh().allclose(&torch::tensor([0.0, 1.1752012])));
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    sinh => Sinh, "SinhBackward0";
    /// cosh x: `torch.cosh`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).cosh().allclose(&torch::tensor([1.0, 1.5430807])));
    /// ```
    #[op(torch, method, cast_gpu = Float32)]
    cosh => Cosh, "CoshBackward0";
    /// tanh x: `torch.tanh`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).tanh().allclose(&torch::tensor([0.0, 0.7615942])));
    /// ```
    #[op(torch, functional, method)]
    tanh => Tanh, "TanhBackward0";
    /// 1 / (1 + e⁻ˣ): `torch.sigmoid`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 2.0]).sigmoid().allclose(&torch::tensor([0.5, 0.8807971])));
    /// ```
    #[op(torch, functional, method)]
    sigmoid => Sigmoid, "SigmoidBackward0";
    /// 2/√π · ∫₀ˣ e^(−t²) dt: `torch.erf`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).erf().allclose(&torch::tensor([0.0, 0.8427008])));
    /// ```
    #[op(torch, special, method)]
    erf => Erf, "ErfBackward0";
    /// 1 − erf x, accurate for large x: `torch.erfc`.
    ///
    /// ```
    /// assert!(torch::tensor([0.0, 1.0]).erfc().allclose(&torch::tensor([1.0, 0.1572992])));
    /// ```
    #[op(torch, special, method)]
    erfc => Erfc, "ErfcBackward0";
    /// The inverse of the error function: `torch.erfinv`, `torch.special.erfinv`. Infinite at ±1, NaN beyond.
    ///
    /// ```
    /// let x = torch::tensor([0.0, 0.5, -1.0]);
    /// assert!(x.erfinv().allclose(&torch::tensor([0.0, 0.47693628, f64::NEG_INFINITY])));
    /// ```
    #[op(torch, special, method, cast_gpu = Float32)]
    erfinv => Erfinv, "ErfinvBackward0";
    /// The largest integer that is not above x: `torch.floor`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.5, -1.5]).floor().to_vec::<f32>(), [1.0, -2.0]);
    /// ```
    #[op(torch, method)]
    floor => Floor, "FloorBackward0";
    /// The smallest integer that is not below x: `torch.ceil`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.5, -1.5]).ceil().to_vec::<f32>(), [2.0, -1.0]);
    /// ```
    #[op(torch, method)]
    ceil => Ceil, "CeilBackward0";
    /// The nearest integer, halves to even: `torch.round`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([0.5, 1.5, 2.6]).round().to_vec::<f32>(), [0.0, 2.0, 3.0]);
    /// ```
    #[op(torch, special, method)]
    round => Round, "RoundBackward0";
    /// The integer part: `torch.trunc`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.5, -1.5]).trunc().to_vec::<f32>(), [1.0, -1.0]);
    /// ```
    #[op(torch, method, alias(fix))]
    trunc => Trunc, "TruncBackward0";
    /// max(x, 0), NaN stays NaN: `torch.relu`. The derivative at 0 is 0.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.0, -2.0]).relu().to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    #[op(torch, functional, method)]
    relu => Relu, "ReluBackward0";
    /// Whether x is zero, as bools: `torch.logical_not`.
    ///
    /// ```
    /// assert_eq!(torch::tensor([0.0, 2.0]).logical_not().to_vec::<bool>(), [true, false]);
    /// ```
    #[op(torch, method, not_differentiable)]
    logical_not => LogicalNot, "NotDifferentiable";
}

/// The program of one function.
pub(crate) fn program(op: UnaryOp) -> &'static Pointwise {
    static PROGRAMS: LazyLock<Vec<Pointwise>> =
        LazyLock::new(|| UnaryOp::ALL.iter().map(|&op| Pointwise::new(|b| b.input(0).unary(op))).collect());
    // `ALL` is in the order of the enum; a test holds it to that.
    &PROGRAMS[op as usize]
}

/// Refuses what PyTorch refuses for bools and integers.
pub(crate) fn check(dtype: DType, op: UnaryOp) -> Result<()> {
    match (dtype, op) {
        (DType::Bool, UnaryOp::Neg) => Err(flambeau_tensor::Error::NotImplemented(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or \
             `logical_not()` operator instead."
                .into(),
        )
        .into()),
        (DType::Bool, UnaryOp::Abs) => {
            Err(flambeau_tensor::Error::NotImplementedFor { op: "abs_cpu", dtype }.into())
        }
        (DType::Bool, UnaryOp::Relu) => {
            Err(flambeau_tensor::Error::NotImplemented("Boolean inputs not supported for relu".into()).into())
        }
        (DType::Bool, UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Trunc) => {
            let kernel = match op {
                UnaryOp::Floor => "floor_vml_cpu",
                UnaryOp::Ceil => "ceil_vml_cpu",
                UnaryOp::Round => "round_vml_cpu",
                _ => "trunc_vml_cpu",
            };
            Err(flambeau_tensor::Error::NotImplementedFor { op: kernel, dtype }.into())
        }
        _ => Ok(()),
    }
}

/// Whether x is NaN: `torch.isnan`.
///
/// ```
/// assert_eq!(torch::tensor([1.0, f64::NAN]).isnan().to_vec::<bool>(), [false, true]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn isnan(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsNan), &[x], &[])
}

/// Whether x is infinite: `torch.isinf`.
///
/// ```
/// assert_eq!(torch::tensor([1.0, f64::INFINITY]).isinf().to_vec::<bool>(), [false, true]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn isinf(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsInf), &[x], &[])
}

/// Whether x is neither infinite nor NaN: `torch.isfinite`.
///
/// ```
/// assert_eq!(torch::tensor([1.0, f64::INFINITY]).isfinite().to_vec::<bool>(), [true, false]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn isfinite(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsFinite), &[x], &[])
}

/// Every bit flipped; of bools, the opposite: `torch.bitwise_not`.
///
/// ```
/// assert_eq!(torch::tensor([0, 5]).bitwise_not().to_vec::<i64>(), [-1, -6]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn bitwise_not(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::Bool => map("NotDifferentiable", program(UnaryOp::LogicalNot), &[x], &[]),
        dtype if dtype.is_floating_point() => {
            Err(flambeau_tensor::Error::NotImplementedFor { op: "bitwise_not_cpu", dtype }.into())
        }
        _ => map("NotDifferentiable", program(UnaryOp::BitwiseNot), &[x], &[]),
    }
}

/// x²: `torch.square`.
///
/// ```
/// assert_eq!(torch::tensor([3.0, -4.0]).square().to_vec::<f32>(), [9.0, 16.0]);
/// ```
#[op(torch, method, cast_gpu = Float32)]
pub fn square(x: &Tensor, place: Place) -> Result<Tensor> {
    if place.is_first() { pow_(x, 2) } else { pow(x, 2) }
}

/// The conjugate, of a real number the number itself: `torch.conj`. The result is the tensor itself.
///
/// ```
/// let x = torch::tensor([1.0, -2.0]);
/// assert!(x.conj().is_same(&x) && !x.is_conj());
/// ```
#[op(torch, method, alias(conj_physical, resolve_conj, resolve_neg))]
pub fn conj(x: &Tensor) -> Result<Tensor> {
    Ok(x.shallow_clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_stand_at_their_op() {
        for (i, &op) in UnaryOp::ALL.iter().enumerate() {
            assert_eq!(op as usize, i);
        }
    }
}
