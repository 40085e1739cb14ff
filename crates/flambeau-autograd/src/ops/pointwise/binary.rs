//! Functions of two tensors (or a tensor and a number), element by element, and the operators.

use crate::error::{Error, Result};
use crate::ops::{map, map_};
use crate::{OrPanic, Tensor};
use flambeau_tensor::pointwise::{BinaryOp, Pointwise};
use flambeau_tensor::promotion::{ResultType, can_cast};
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// The second operand of a function: a tensor or a number.
pub enum Operand<'a> {
    /// A borrowed tensor.
    Borrowed(&'a Tensor),
    /// A tensor.
    Owned(Tensor),
    /// A number, which does not widen the tensor's dtype within its category.
    Number(Scalar),
}

impl Operand<'_> {
    /// The tensor, if it is one.
    fn tensor(&self) -> Option<&Tensor> {
        match self {
            Operand::Borrowed(t) => Some(t),
            Operand::Owned(t) => Some(t),
            Operand::Number(_) => None,
        }
    }

    fn dtype(&self) -> DType {
        match self {
            Operand::Number(s) => s.dtype(flambeau_tensor::default_dtype()),
            other => other.tensor().expect("not a number").dtype(),
        }
    }
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(t: &'a Tensor) -> Self {
        Operand::Borrowed(t)
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
number_operands!(bool, u8, i8, i16, i32, u32, i64, usize, f32, f64, Scalar);

/// The dtype that a tensor and an operand have in common: `torch.result_type`.
pub(crate) fn common_dtype(a: &Tensor, b: &Operand<'_>) -> DType {
    let result = ResultType::default().tensor(a.dtype(), a.dim());
    match b {
        Operand::Number(s) => result.number(*s).finish(),
        Operand::Borrowed(t) => result.tensor(t.dtype(), t.dim()).finish(),
        Operand::Owned(t) => result.tensor(t.dtype(), t.dim()).finish(),
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
struct Programs {
    tensors: Pointwise,
    number: Pointwise,
    reversed: Pointwise,
}

fn programs(op: BinaryOp) -> &'static Programs {
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
pub(crate) fn apply(name: &'static str, op: BinaryOp, a: &Tensor, b: &Operand<'_>) -> Result<Tensor> {
    match b {
        Operand::Number(s) => map(name, &programs(op).number, &[a], &[beside(a, op, *s)]),
        other => map(name, &programs(op).tensors, &[a, other.tensor().expect("not a number")], &[]),
    }
}

#[track_caller]
pub(crate) fn apply_(name: &'static str, op: BinaryOp, a: &Tensor, b: &Operand<'_>) -> Result<Tensor> {
    match b {
        Operand::Number(s) => map_(name, &programs(op).number, &[a], &[beside(a, op, *s)]),
        other => map_(name, &programs(op).tensors, &[a, other.tensor().expect("not a number")], &[]),
    }
}

fn apply_reversed(name: &'static str, op: BinaryOp, a: Scalar, b: &Tensor) -> Result<Tensor> {
    map(name, &programs(op).reversed, &[b], &[beside(b, op, a)])
}

/// PyTorch's name of the backward, which for some functions is another where the second operand is a number.
fn named(b: &Operand<'_>, tensors: &'static str, number: &[&'static str]) -> &'static str {
    match (b, number) {
        (Operand::Number(_), [number]) => number,
        _ => tensors,
    }
}

/// Makes, for each line, the function and both methods; `check` refuses what PyTorch refuses.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident, $in_place:ident => $op:ident, $backward:literal $(| $number:literal)?, $check:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name<'a>(a: &Tensor, b: impl Into<Operand<'a>>) -> Result<Tensor> {
                let b = b.into();
                $check(BinaryOp::$op, a, &b, false)?;
                apply(named(&b, $backward, &[$($number)?]), BinaryOp::$op, a, &b)
            }

            /// The same in place, in the first operand.
            #[track_caller]
            pub fn $in_place<'a>(a: &Tensor, b: impl Into<Operand<'a>>) -> Result<Tensor> {
                let b = b.into();
                $check(BinaryOp::$op, a, &b, true)?;
                apply_(named(&b, $backward, &[$($number)?]), BinaryOp::$op, a, &b)
            }
        )*

        /// Functions of two tensors, or a tensor and a number; each panics at the caller's line where its function in
        /// [`crate::ops`] fails.
        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
                    $name(self, other).or_panic()
                }

                /// The same in place; returns the tensor.
                #[track_caller]
                pub fn $in_place<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
                    $in_place(self, other).or_panic()
                }
            )*
        }
    };
}

binary! {
    /// a · b: `torch.mul`.
    mul, mul_ => Mul, "MulBackward0", any;
    /// a / b, unrounded; integers divide as floats: `torch.div`.
    div, div_ => Div, "DivBackward0", any;
    /// ⌊a / b⌋: `torch.floor_divide`.
    floor_divide, floor_divide_ => FloorDiv, "NotImplemented", not_of_bools;
    /// The remainder with the divisor's sign, Python's `%`: `torch.remainder`.
    remainder, remainder_ => Remainder, "RemainderBackward1" | "RemainderBackward0", not_of_bools;
    /// The remainder with the dividend's sign: `torch.fmod`.
    fmod, fmod_ => Fmod, "FmodBackward1" | "FmodBackward0", not_of_bools;
    /// The angle of (b, a): `torch.atan2`.
    atan2, atan2_ => Atan2, "Atan2Backward0", any;
    /// a = b: `torch.eq`.
    eq, eq_ => Eq, "NotDifferentiable", any;
    /// a ≠ b: `torch.ne`.
    ne, ne_ => Ne, "NotDifferentiable", any;
    /// a < b: `torch.lt`.
    lt, lt_ => Lt, "NotDifferentiable", any;
    /// a ≤ b: `torch.le`.
    le, le_ => Le, "NotDifferentiable", any;
    /// a > b: `torch.gt`.
    gt, gt_ => Gt, "NotDifferentiable", any;
    /// a ≥ b: `torch.ge`.
    ge, ge_ => Ge, "NotDifferentiable", any;
    /// Whether both are not zero: `torch.logical_and`.
    logical_and, logical_and_ => LogicalAnd, "NotDifferentiable", any;
    /// Whether either is not zero: `torch.logical_or`.
    logical_or, logical_or_ => LogicalOr, "NotDifferentiable", any;
    /// Whether just one is not zero: `torch.logical_xor`.
    logical_xor, logical_xor_ => LogicalXor, "NotDifferentiable", any;
    /// Bitwise and: `torch.bitwise_and`.
    bitwise_and, bitwise_and_ => BitwiseAnd, "NotDifferentiable", check_bits;
    /// Bitwise or: `torch.bitwise_or`.
    bitwise_or, bitwise_or_ => BitwiseOr, "NotDifferentiable", check_bits;
    /// Bitwise exclusive or: `torch.bitwise_xor`.
    bitwise_xor, bitwise_xor_ => BitwiseXor, "NotDifferentiable", check_bits;
}

#[inline]
fn any(_: BinaryOp, _: &Tensor, _: &Operand<'_>, _: bool) -> Result<()> {
    Ok(())
}

/// PyTorch's name of the kernel in its message about a dtype.
fn kernel(op: BinaryOp) -> &'static str {
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
pub(crate) fn refuse(op: BinaryOp, a: &Tensor, b: &Operand<'_>, in_place: bool, bad: fn(DType) -> bool) -> Result<()> {
    let dtype = common_dtype(a, b);
    if bad(dtype) && (!in_place || can_cast(dtype, a.dtype())) {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: kernel(op), dtype }.into());
    }
    Ok(())
}

fn check_bits(op: BinaryOp, a: &Tensor, b: &Operand<'_>, in_place: bool) -> Result<()> {
    refuse(op, a, b, in_place, DType::is_floating_point)
}

pub(crate) fn not_of_bools(op: BinaryOp, a: &Tensor, b: &Operand<'_>, in_place: bool) -> Result<()> {
    if a.dtype() == DType::Bool { refuse(op, a, b, in_place, |dtype| dtype == DType::Bool) } else { Ok(()) }
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
    if matches!(alpha, Scalar::Bool(_)) && dtype != DType::Bool {
        return Err(Error::runtime("Boolean alpha only supported for Boolean results."));
    }
    if matches!(alpha, Scalar::Float(_)) && !dtype.is_floating_point() {
        return Err(Error::runtime("For integral input tensors, argument alpha must not be a floating point number."));
    }
    // PyTorch subtracts by adding with −α: that must fit.
    match (alpha, subtracts) {
        (Scalar::Int(i), true) => Scalar::Int(i.wrapping_neg()).checked(dtype)?,
        _ => alpha.checked(dtype)?,
    };
    Ok(alpha.cast(dtype))
}

/// a ± alpha · b with a number that must fit the result: `torch.add(a, b, alpha=alpha)`. The programs are for a tensor
/// and for a number in b's place.
fn scaled(
    name: &'static str,
    [tensors, number]: [&'static Pointwise; 2],
    a: &Tensor,
    b: &Operand<'_>,
    alpha: Scalar,
    in_place: bool,
) -> Result<Tensor> {
    let alpha = check_alpha(alpha, common_dtype(a, b), name == "SubBackward0")?;
    match b {
        Operand::Number(s) => {
            let scalars = [alpha, beside(a, BinaryOp::Add, *s)];
            if in_place { map_(name, number, &[a], &scalars) } else { map(name, number, &[a], &scalars) }
        }
        other => {
            let b = other.tensor().expect("not a number");
            if in_place { map_(name, tensors, &[a, b], &[alpha]) } else { map(name, tensors, &[a, b], &[alpha]) }
        }
    }
}

/// a + b: `torch.add`.
pub fn add<'a>(a: &Tensor, b: impl Into<Operand<'a>>) -> Result<Tensor> {
    apply("AddBackward0", BinaryOp::Add, a, &b.into())
}

/// a + alpha · b: `torch.add(a, b, alpha=alpha)`.
pub fn add_scaled<'a>(a: &Tensor, b: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    scaled("AddBackward0", [&ADD_SCALED, &ADD_SCALED_NUMBER], a, &b.into(), alpha.into(), false)
}

/// a += alpha · b: `a.add_(b, alpha=alpha)`.
#[track_caller]
pub fn add_<'a>(a: &Tensor, b: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    match (b.into(), alpha.into()) {
        (b, Scalar::Int(1)) => apply_("AddBackward0", BinaryOp::Add, a, &b),
        (b, alpha) => scaled("AddBackward0", [&ADD_SCALED, &ADD_SCALED_NUMBER], a, &b, alpha, true),
    }
}

/// a − b: `torch.sub`.
pub fn sub<'a>(a: &Tensor, b: impl Into<Operand<'a>>) -> Result<Tensor> {
    let b = b.into();
    check_sub(a, &b)?;
    apply("SubBackward0", BinaryOp::Sub, a, &b)
}

/// a − alpha · b: `torch.sub(a, b, alpha=alpha)`.
pub fn sub_scaled<'a>(a: &Tensor, b: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    let b = b.into();
    check_sub(a, &b)?;
    scaled("SubBackward0", [&SUB_SCALED, &SUB_SCALED_NUMBER], a, &b, alpha.into(), false)
}

/// a −= alpha · b: `a.sub_(b, alpha=alpha)`.
#[track_caller]
pub fn sub_<'a>(a: &Tensor, b: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    let b = b.into();
    check_sub(a, &b)?;
    match alpha.into() {
        Scalar::Int(1) => apply_("SubBackward0", BinaryOp::Sub, a, &b),
        alpha => scaled("SubBackward0", [&SUB_SCALED, &SUB_SCALED_NUMBER], a, &b, alpha, true),
    }
}

/// b − a: `torch.rsub`.
pub fn rsub<'a>(a: &Tensor, b: impl Into<Operand<'a>>) -> Result<Tensor> {
    let b = b.into();
    check_sub(a, &b)?;
    match b {
        Operand::Number(s) => apply_reversed("RsubBackward1", BinaryOp::Sub, s, a),
        b => apply("RsubBackward0", BinaryOp::Sub, b.tensor().expect("not a number"), &Operand::Borrowed(a)),
    }
}

/// b − alpha · a: `torch.rsub(a, b, alpha=alpha)`.
pub fn rsub_scaled<'a>(a: &Tensor, b: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    let b = b.into();
    check_sub(a, &b)?;
    let alpha = check_alpha(alpha.into(), common_dtype(a, &b), true)?;
    match b {
        Operand::Number(s) => map("RsubBackward1", &NUMBER_SUB_SCALED, &[a], &[alpha, beside(a, BinaryOp::Sub, s)]),
        b => map("RsubBackward0", &SUB_SCALED, &[b.tensor().expect("not a number"), a], &[alpha]),
    }
}

static NUMBER_OVER: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).reciprocal() * b.scalar(0)));

/// A number over a tensor, Python's `number / a`: the number times 1 / a, as PyTorch computes it.
pub fn rdiv(a: &Tensor, number: impl Into<Scalar>) -> Result<Tensor> {
    match a.dtype() {
        // PyTorch's 1 / a is a tensor, and of a half type rounded.
        DType::F16 | DType::BF16 => mul(&crate::ops::reciprocal(a)?, number.into()),
        _ => map("MulBackward0", &NUMBER_OVER, &[a], &[number.into()]),
    }
}

/// The larger of two, NaN if either is; a tie shares the gradient: `torch.maximum`.
pub fn maximum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply("MaximumBackward0", BinaryOp::Maximum, a, &b.into())
}

/// The smaller of two, NaN if either is; a tie shares the gradient: `torch.minimum`.
pub fn minimum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply("MinimumBackward0", BinaryOp::Minimum, a, &b.into())
}

/// Sums, differences and extrema; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`add`].
    #[track_caller]
    pub fn add<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        add(self, other).or_panic()
    }

    /// a += b; returns the tensor: `a.add_(b)`.
    #[track_caller]
    pub fn add_<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        add_(self, other, 1).or_panic()
    }

    /// See [`add_scaled`].
    #[track_caller]
    pub fn add_scaled<'a>(&self, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Tensor {
        add_scaled(self, other, alpha).or_panic()
    }

    /// a += alpha · b; returns the tensor: `a.add_(b, alpha=alpha)`.
    #[track_caller]
    pub fn add_scaled_<'a>(&self, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Tensor {
        add_(self, other, alpha).or_panic()
    }

    /// See [`sub`].
    #[track_caller]
    pub fn sub<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        sub(self, other).or_panic()
    }

    /// a −= b; returns the tensor: `a.sub_(b)`.
    #[track_caller]
    pub fn sub_<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        sub_(self, other, 1).or_panic()
    }

    /// a −= alpha · b; returns the tensor: `a.sub_(b, alpha=alpha)`.
    #[track_caller]
    pub fn sub_scaled_<'a>(&self, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Tensor {
        sub_(self, other, alpha).or_panic()
    }

    /// See [`maximum`].
    #[track_caller]
    pub fn maximum(&self, other: &Tensor) -> Tensor {
        maximum(self, other).or_panic()
    }

    /// See [`minimum`].
    #[track_caller]
    pub fn minimum(&self, other: &Tensor) -> Tensor {
        minimum(self, other).or_panic()
    }
}

/// Operators on tensors, references and numbers; on the left, numbers are `f64` and `i64`, and the last name is the
/// function of the tensor and that number.
macro_rules! operators {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident $in_place:ident $left:ident;)*) => {$(
        impl<'a, R: Into<Operand<'a>>> std::ops::$trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor { Tensor::$method(self, other) }
        }
        impl<'a, R: Into<Operand<'a>>> std::ops::$trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor { Tensor::$method(&self, other) }
        }
        operators!(@left $trait $method $left f64);
        operators!(@left $trait $method $left i64);
        impl<'a, R: Into<Operand<'a>>> std::ops::$assign<R> for Tensor {
            #[track_caller]
            fn $assign_method(&mut self, other: R) { Tensor::$in_place(self, other); }
        }
    )*};
    (@left $trait:ident $method:ident $left:ident $number:ty) => {
        impl std::ops::$trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                $left(other, self).or_panic()
            }
        }
        impl std::ops::$trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                $left(&other, self).or_panic()
            }
        }
    };
}

operators! {
    Add add AddAssign add_assign add_ add;
    Sub sub SubAssign sub_assign sub_ rsub;
    Mul mul MulAssign mul_assign mul_ mul;
    Div div DivAssign div_assign div_ rdiv;
}

impl std::ops::Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}

impl std::ops::Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}

impl std::ops::Not for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        self.bitwise_not()
    }
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
