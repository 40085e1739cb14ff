//! Functions of two tensors (or a tensor and a number), element by element, and the operators.
//!
//! The shapes broadcast to a common one, and the dtypes promote to a common one, as in PyTorch.

use crate::error::{Error, Result};
use crate::ops::{Place, map};
use crate::{AsTensor, Tensor};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{BinaryOp, Pointwise};
use flambeau_tensor::promotion::{ResultType, can_cast};
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// The second operand of a function: a tensor or a number.
///
/// ```
/// let x = torch::tensor([1, 2]);
/// assert_eq!(x.add(10).to_vec::<i64>(), [11, 12]);
/// assert_eq!(x.add(&x).to_vec::<i64>(), [2, 4]);
/// assert_eq!(x.add(0.5).to_vec::<f32>(), [1.5, 2.5]);
/// ```
pub enum Operand<'a> {
    /// A borrowed tensor.
    Borrowed(&'a Tensor),
    /// A tensor.
    Owned(Tensor),
    /// A number, which does not widen the tensor's dtype within its category.
    Number(Scalar),
}

/// An operand, whoever owns its tensor.
pub(crate) enum OperandRef<'a> {
    Tensor(&'a Tensor),
    Number(Scalar),
}

impl Operand<'_> {
    #[inline]
    pub(crate) fn kind(&self) -> OperandRef<'_> {
        match self {
            Operand::Borrowed(t) => OperandRef::Tensor(t),
            Operand::Owned(t) => OperandRef::Tensor(t),
            Operand::Number(s) => OperandRef::Number(*s),
        }
    }

    fn dtype(&self) -> DType {
        match self.kind() {
            OperandRef::Number(s) => s.dtype(flambeau_tensor::default_dtype()),
            OperandRef::Tensor(t) => t.dtype(),
        }
    }
}

impl<'a, T: AsTensor + ?Sized> From<&'a T> for Operand<'a> {
    #[inline]
    fn from(t: &'a T) -> Self {
        Operand::Borrowed(t.as_tensor())
    }
}

impl From<Tensor> for Operand<'_> {
    fn from(t: Tensor) -> Self {
        Operand::Owned(t)
    }
}

macro_rules! number_operands {
    ($($t:ty),*) => {$(
        impl From<$t> for Operand<'_> {
            fn from(x: $t) -> Self { Operand::Number(x.into()) }
        }
    )*};
}
number_operands!(bool, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64, Scalar);

/// The dtype that a tensor and an operand have in common: `torch.result_type`.
pub(crate) fn common_dtype(a: &Tensor, b: &Operand<'_>) -> DType {
    let result = ResultType::default().tensor(a.dtype(), a.dim());
    match b.kind() {
        OperandRef::Number(s) => result.number(s).finish(),
        OperandRef::Tensor(t) => result.tensor(t.dtype(), t.dim()).finish(),
    }
}

/// A number beside a tensor. PyTorch makes it a tensor of the common dtype, so that f16 and bf16 round it before they
/// compute; only products and quotients keep it whole.
#[inline]
pub(crate) fn beside(x: &Tensor, op: BinaryOp, number: Scalar) -> Scalar {
    match x.dtype() {
        dtype @ (DType::F16 | DType::BF16) if !matches!(op, BinaryOp::Mul | BinaryOp::Div | BinaryOp::FloorDiv) => {
            number.cast(dtype)
        }
        _ => number,
    }
}

/// The three forms of each function: of two tensors, of a tensor and a number, of a number and a tensor.
pub(crate) struct Programs {
    pub tensors: Pointwise,
    pub number: Pointwise,
    pub reversed: Pointwise,
}

pub(crate) fn programs(op: BinaryOp) -> &'static Programs {
    static PROGRAMS: LazyLock<Vec<Programs>> = LazyLock::new(|| {
        let make = |&op: &BinaryOp| Programs {
            // Of two zeros PyTorch's vectors return the second, flambeau's functions the first.
            tensors: Pointwise::new(|b| match op {
                BinaryOp::Maximum | BinaryOp::Minimum => b.input(1).binary(op, b.input(0)),
                _ => b.input(0).binary(op, b.input(1)),
            }),
            number: Pointwise::new(|b| b.input(0).binary(op, b.scalar(0))),
            reversed: Pointwise::new(|b| b.scalar(0).binary(op, b.input(0))),
        };
        BinaryOp::ALL.iter().map(make).collect()
    });
    &PROGRAMS[op as usize]
}

/// Applies a function of two numbers.
#[track_caller]
fn apply(place: Place, name: &'static str, op: BinaryOp, a: &Tensor, b: &Operand<'_>) -> Result<Tensor> {
    match b.kind() {
        OperandRef::Number(s) => place.map(name, &programs(op).number, &[a], &[beside(a, op, s)]),
        OperandRef::Tensor(b) => place.map(name, &programs(op).tensors, &[a, b], &[]),
    }
}

/// PyTorch's name of the backward, which for some functions is another where the second operand is a number.
fn named(b: &Operand<'_>, tensors: &'static str, number: &[&'static str]) -> &'static str {
    match (b, number) {
        (Operand::Number(_), [number]) => number,
        _ => tensors,
    }
}

/// Declares, for each line `name => Op, "Backward" | "Backward with a number", check`, the operation; `check` refuses what
/// PyTorch refuses.
macro_rules! binary {
    ($($(#[$meta:meta])* $name:ident => $op:ident, $backward:literal $(| $number:literal)?, $check:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name<'a>(x: &Tensor, other: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
            let other = other.into();
            $check(BinaryOp::$op, x, &other, place)?;
            apply(place, named(&other, $backward, &[$($number)?]), BinaryOp::$op, x, &other)
        }
    )*};
}

binary! {
    /// x · other: `torch.mul`.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.mul(&x).to_vec::<f32>(), [1.0, 4.0, 9.0]);
    /// assert_eq!((&x * 2).to_vec::<f32>(), [2.0, 4.0, 6.0]);
    /// ```
    #[op(torch, method, alias(multiply))]
    mul => Mul, "MulBackward0", any;
    /// x / other, unrounded: `torch.div`. Integers and bools divide as floats.
    ///
    /// ```
    /// let x = torch::tensor([1, 2, 3]);
    /// assert_eq!(x.div(2).to_vec::<f32>(), [0.5, 1.0, 1.5]);
    /// assert_eq!((6.0 / &x).to_vec::<f32>(), [6.0, 3.0, 2.0]);
    /// ```
    #[op(torch, method, alias(divide, true_divide))]
    div => Div, "DivBackward0", any;
    /// ⌊x / other⌋, Python's `//`: `torch.floor_divide`. Integers stay integers; it has no gradient.
    ///
    /// # Errors
    /// For two bools.
    ///
    /// ```
    /// let x = torch::tensor([-7, 7]);
    /// assert_eq!(x.floor_divide(2).to_vec::<i64>(), [-4, 3]);
    /// ```
    #[op(torch, method, not_differentiable)]
    floor_divide => FloorDiv, "NotImplemented", not_of_bools;
    /// x − other · ⌊x / other⌋, the remainder with the divisor's sign, Python's `%`: `torch.remainder`.
    ///
    /// # Errors
    /// For two bools.
    ///
    /// ```
    /// let x = torch::tensor([-3.0, 3.0]);
    /// assert_eq!(x.remainder(2).to_vec::<f32>(), [1.0, 1.0]);
    /// ```
    #[op(torch, method)]
    remainder => Remainder, "RemainderBackward1" | "RemainderBackward0", not_of_bools;
    /// x − other · trunc(x / other), the remainder with the dividend's sign, C's `fmod`: `torch.fmod`.
    ///
    /// # Errors
    /// For two bools.
    ///
    /// ```
    /// let x = torch::tensor([-3.0, 3.0]);
    /// assert_eq!(x.fmod(2).to_vec::<f32>(), [-1.0, 1.0]);
    /// ```
    #[op(torch, method)]
    fmod => Fmod, "FmodBackward1" | "FmodBackward0", not_of_bools;
    /// The angle in (−π, π] of the point whose height is x and whose width is `other`: `torch.atan2`.
    ///
    /// ```
    /// let (y, x) = (torch::tensor([1.0, 0.0]), torch::tensor([0.0, -2.0]));
    /// assert!(y.atan2(&x).allclose(&torch::tensor([1.5707964, 3.1415927])));
    /// ```
    #[op(torch, method, alias(arctan2), cast_gpu = Widest)]
    atan2 => Atan2, "Atan2Backward0", any;
    /// Whether x = other, as bools: `torch.eq`. NaN equals nothing.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.eq(2).to_vec::<bool>(), [false, true, false]);
    /// ```
    #[op(torch, method, not_differentiable)]
    eq => Eq, "EqBackward0", any;
    /// Whether x ≠ other, as bools: `torch.ne`. NaN differs from all, itself too.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.ne(2).to_vec::<bool>(), [true, false, true]);
    /// ```
    #[op(torch, method, alias(not_equal), not_differentiable)]
    ne => Ne, "NeBackward0", any;
    /// Whether x < other, as bools: `torch.lt`.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.lt(2).to_vec::<bool>(), [true, false, false]);
    /// ```
    #[op(torch, method, alias(less), not_differentiable)]
    lt => Lt, "LtBackward0", any;
    /// Whether x ≤ other, as bools: `torch.le`.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.le(2).to_vec::<bool>(), [true, true, false]);
    /// ```
    #[op(torch, method, alias(less_equal), not_differentiable)]
    le => Le, "LeBackward0", any;
    /// Whether x > other, as bools: `torch.gt`.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.gt(2).to_vec::<bool>(), [false, false, true]);
    /// ```
    #[op(torch, method, alias(greater), not_differentiable)]
    gt => Gt, "GtBackward0", any;
    /// Whether x ≥ other, as bools: `torch.ge`.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.ge(2).to_vec::<bool>(), [false, true, true]);
    /// ```
    #[op(torch, method, alias(greater_equal), not_differentiable)]
    ge => Ge, "GeBackward0", any;
    /// Whether both are not zero, as bools: `torch.logical_and`.
    ///
    /// ```
    /// let (a, b) = (torch::tensor([1, 2, 0]), torch::tensor([3, 0, 0]));
    /// assert_eq!(a.logical_and(&b).to_vec::<bool>(), [true, false, false]);
    /// ```
    #[op(torch, method, not_differentiable)]
    logical_and => LogicalAnd, "NotDifferentiable", any;
    /// Whether either is not zero, as bools: `torch.logical_or`.
    ///
    /// ```
    /// let (a, b) = (torch::tensor([1, 2, 0]), torch::tensor([3, 0, 0]));
    /// assert_eq!(a.logical_or(&b).to_vec::<bool>(), [true, true, false]);
    /// ```
    #[op(torch, method, not_differentiable)]
    logical_or => LogicalOr, "NotDifferentiable", any;
    /// Whether just one is not zero, as bools: `torch.logical_xor`.
    ///
    /// ```
    /// let (a, b) = (torch::tensor([1, 2, 0]), torch::tensor([3, 0, 0]));
    /// assert_eq!(a.logical_xor(&b).to_vec::<bool>(), [false, true, false]);
    /// ```
    #[op(torch, method, not_differentiable)]
    logical_xor => LogicalXor, "NotDifferentiable", any;
    /// Bitwise and, of integers and bools: `torch.bitwise_and`.
    ///
    /// # Errors
    /// For floats.
    ///
    /// ```
    /// assert_eq!(torch::tensor([6]).bitwise_and(3).to_vec::<i64>(), [2]);
    /// ```
    #[op(torch, method, not_differentiable)]
    bitwise_and => BitwiseAnd, "NotDifferentiable", check_bits;
    /// Bitwise or, of integers and bools: `torch.bitwise_or`.
    ///
    /// # Errors
    /// For floats.
    ///
    /// ```
    /// assert_eq!(torch::tensor([6]).bitwise_or(3).to_vec::<i64>(), [7]);
    /// ```
    #[op(torch, method, not_differentiable)]
    bitwise_or => BitwiseOr, "NotDifferentiable", check_bits;
    /// Bitwise exclusive or, of integers and bools: `torch.bitwise_xor`.
    ///
    /// # Errors
    /// For floats.
    ///
    /// ```
    /// assert_eq!(torch::tensor([6]).bitwise_xor(3).to_vec::<i64>(), [5]);
    /// ```
    #[op(torch, method, not_differentiable)]
    bitwise_xor => BitwiseXor, "NotDifferentiable", check_bits;
}

#[inline]
fn any(_: BinaryOp, _: &Tensor, _: &Operand<'_>, _: Place) -> Result<()> {
    Ok(())
}

/// PyTorch's name of the kernel in its message about a dtype.
pub(crate) fn kernel(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::BitwiseAnd => "bitwise_and_cpu",
        BinaryOp::BitwiseOr => "bitwise_or_cpu",
        BinaryOp::BitwiseXor => "bitwise_xor_cpu",
        BinaryOp::FloorDiv => "div_floor_cpu",
        BinaryOp::Remainder => "remainder_cpu",
        BinaryOp::Fmod => "fmod_cpu",
        BinaryOp::Atan2 => "atan2_cpu",
        BinaryOp::Maximum => "maximum_cpu",
        BinaryOp::Minimum => "minimum_cpu",
        _ => "pow",
    }
}

/// Refuses a common dtype; in place, PyTorch first says that the target cannot hold it.
pub(crate) fn refuse(op: BinaryOp, a: &Tensor, b: &Operand<'_>, place: Place, bad: fn(DType) -> bool) -> Result<()> {
    let dtype = common_dtype(a, b);
    if bad(dtype) && (!place.is_first() || can_cast(dtype, a.dtype())) {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: kernel(op), dtype }.into());
    }
    Ok(())
}

fn check_bits(op: BinaryOp, a: &Tensor, b: &Operand<'_>, place: Place) -> Result<()> {
    refuse(op, a, b, place, DType::is_floating_point)
}

pub(crate) fn not_of_bools(op: BinaryOp, a: &Tensor, b: &Operand<'_>, place: Place) -> Result<()> {
    if a.dtype() == DType::Bool { refuse(op, a, b, place, |dtype| dtype == DType::Bool) } else { Ok(()) }
}

/// The dtype that tensors promote to.
pub(crate) fn common_dtype_of(tensors: &[&Tensor]) -> DType {
    tensors.iter().fold(ResultType::default(), |r, t| r.tensor(t.dtype(), t.dim())).finish()
}

/// Refuses tensors whose common dtype is no float, in the words of the kernel `op`.
pub(crate) fn only_floats(op: &'static str, tensors: &[&Tensor]) -> Result<()> {
    match common_dtype_of(tensors) {
        dtype if dtype.is_floating_point() => Ok(()),
        dtype => Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into()),
    }
}

fn not_implemented(message: &str) -> Error {
    flambeau_tensor::Error::NotImplemented(message.into()).into()
}

/// Refuses bools where their difference is taken.
pub(crate) fn difference(a: DType, b: DType) -> Result<()> {
    match (a, b) {
        (DType::Bool, DType::Bool) => Err(not_implemented(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator \
             instead.",
        )),
        (DType::Bool, _) | (_, DType::Bool) => Err(not_implemented(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the \
             `~` or `logical_not()` operator instead.",
        )),
        _ => Ok(()),
    }
}

pub(crate) fn check_sub(a: &Tensor, b: &Operand<'_>) -> Result<()> {
    difference(a.dtype(), b.dtype())
}

static ADD_SCALED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1) * b.scalar(0)));
static SUB_SCALED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(1) * b.scalar(0)));
static ADD_SCALED_NUMBER: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.scalar(1) * b.scalar(0)));
static SUB_SCALED_NUMBER: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.scalar(1) * b.scalar(0)));
static NUMBER_SUB_SCALED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.scalar(1) - b.input(0) * b.scalar(0)));

/// α as a number of the dtype that it scales, after PyTorch's checks.
fn check_alpha(alpha: Scalar, dtype: DType, subtracts: bool) -> Result<Scalar> {
    if alpha.is_bool() && dtype != DType::Bool {
        return Err(Error::runtime("Boolean alpha only supported for Boolean results."));
    }
    if alpha.is_float() && !dtype.is_floating_point() {
        return Err(Error::runtime("For integral input tensors, argument alpha must not be a floating point number."));
    }
    // PyTorch subtracts by adding with −α: that must fit.
    let added = alpha.as_int().filter(|_| subtracts).map_or(alpha, |i| Scalar::Int(i.wrapping_neg()));
    added.checked(dtype)?;
    Ok(alpha.cast(dtype))
}

/// a ± alpha · b, whose alpha must fit the result.
#[inline]
#[track_caller]
fn scaled(
    place: Place,
    name: &'static str,
    op: BinaryOp,
    a: &Tensor,
    b: &Operand<'_>,
    alpha: Scalar,
) -> Result<Tensor> {
    if alpha.as_int() == Some(1) {
        return apply(place, name, op, a, b);
    }
    let subtracts = op == BinaryOp::Sub;
    let [tensors, number]: [&'static Pointwise; 2] =
        if subtracts { [&SUB_SCALED, &SUB_SCALED_NUMBER] } else { [&ADD_SCALED, &ADD_SCALED_NUMBER] };
    let alpha = check_alpha(alpha, common_dtype(a, b), subtracts)?;
    match b.kind() {
        OperandRef::Number(s) => place.map(name, number, &[a], &[alpha, beside(a, op, s)]),
        OperandRef::Tensor(b) => place.map(name, tensors, &[a, b], &[alpha]),
    }
}

/// x + alpha · other: `torch.add`, whose alpha is 1 unless given.
///
/// # Errors
/// When alpha is a float while the result is an integer, or does not fit the result's dtype.
///
/// ```
/// let (x, y) = (torch::tensor([1.0, 2.0]), torch::tensor([10.0, 20.0]));
/// assert_eq!((&x + &y).to_vec::<f32>(), [11.0, 22.0]);
/// assert_eq!(x.add_with(&y, |o| o.alpha(0.5)).to_vec::<f32>(), [6.0, 12.0]);
/// x.add_(1);
/// assert_eq!(x.to_vec::<f32>(), [2.0, 3.0]);
/// ```
#[op(torch, method, default(alpha = 1))]
pub fn add<'a>(x: &Tensor, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>, place: Place) -> Result<Tensor> {
    scaled(place, "AddBackward0", BinaryOp::Add, x, &other.into(), alpha.into())
}

/// x − alpha · other: `torch.sub`, whose alpha is 1 unless given.
///
/// # Errors
/// For bools; and for an alpha as in [`add`].
///
/// ```
/// let (x, y) = (torch::tensor([1.0, 2.0]), torch::tensor([10.0, 20.0]));
/// assert_eq!((&y - &x).to_vec::<f32>(), [9.0, 18.0]);
/// assert_eq!(y.sub_with(&x, |o| o.alpha(5)).to_vec::<f32>(), [5.0, 10.0]);
/// ```
#[op(torch, method, alias(subtract), default(alpha = 1))]
pub fn sub<'a>(x: &Tensor, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>, place: Place) -> Result<Tensor> {
    let other = other.into();
    check_sub(x, &other)?;
    scaled(place, "SubBackward0", BinaryOp::Sub, x, &other, alpha.into())
}

/// other − alpha · input: `torch.rsub`, whose alpha is 1 unless given.
///
/// # Errors
/// As [`sub`].
///
/// ```
/// let x = torch::tensor([1.0, 2.0]);
/// assert_eq!(torch::rsub(&x, 10).to_vec::<f32>(), [9.0, 8.0]);
/// assert_eq!((10 - &x).to_vec::<f32>(), [9.0, 8.0]);
/// assert_eq!(torch::rsub_with(&x, 10, |o| o.alpha(2)).to_vec::<f32>(), [8.0, 6.0]);
/// ```
#[op(torch, default(alpha = 1))]
pub fn rsub<'a>(input: &Tensor, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    let (op, other, alpha) = (BinaryOp::Sub, other.into(), alpha.into());
    check_sub(input, &other)?;
    match (other.kind(), alpha) {
        (OperandRef::Tensor(b), _) => scaled(Place::New, "RsubBackward0", op, b, &Operand::Borrowed(input), alpha),
        (OperandRef::Number(s), Scalar::Int(1)) => {
            map("RsubBackward1", &programs(op).reversed, &[input], &[beside(input, op, s)])
        }
        (OperandRef::Number(s), _) => {
            let alpha = check_alpha(alpha, common_dtype(input, &other), true)?;
            map("RsubBackward1", &NUMBER_SUB_SCALED, &[input], &[alpha, beside(input, op, s)])
        }
    }
}

static NUMBER_OVER: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).reciprocal() * b.scalar(0)));

/// A number over a tensor, Python's `number / x`: the number times 1 / x, as PyTorch computes it.
///
/// ```
/// assert_eq!((1.0 / torch::tensor([2.0, 4.0])).to_vec::<f32>(), [0.5, 0.25]);
/// ```
#[op(cast_gpu = Float32)]
pub fn rdiv(x: &Tensor, number: impl Into<Scalar>) -> Result<Tensor> {
    match x.dtype() {
        // PyTorch's 1 / x is a tensor, and of a half type rounded.
        DType::F16 | DType::BF16 => mul(&crate::ops::reciprocal(x)?, number.into()),
        _ => map("MulBackward0", &NUMBER_OVER, &[x], &[number.into()]),
    }
}

/// The larger of two, NaN if either is: `torch.maximum`. A tie shares the gradient, half to each.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 5.0]), torch::tensor([3.0, f64::NAN]));
/// let larger = a.maximum(&b).to_vec::<f32>();
/// assert!(larger[0] == 3.0 && larger[1].is_nan());
/// ```
#[op(torch, method)]
pub fn maximum(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    apply(Place::New, "MaximumBackward0", BinaryOp::Maximum, x, &other.into())
}

/// The smaller of two, NaN if either is: `torch.minimum`. A tie shares the gradient, half to each.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 5.0]), torch::tensor([3.0, 4.0]));
/// assert_eq!(a.minimum(&b).to_vec::<f32>(), [1.0, 4.0]);
/// ```
#[op(torch, method)]
pub fn minimum(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    apply(Place::New, "MinimumBackward0", BinaryOp::Minimum, x, &other.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_stand_at_their_op() {
        for (i, &op) in BinaryOp::ALL.iter().enumerate() {
            assert_eq!(op as usize, i);
        }
    }
}
