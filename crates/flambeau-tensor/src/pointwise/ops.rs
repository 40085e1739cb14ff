//! The scalar functions that programs are made of: one row each.

use super::Expr;
use super::builder::IntoExpr;
use super::tangent::Tangent::{self, One, Value, Zero};
use super::tangent::select;
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LN_10};

/// How the dtype of an operation's result follows from the common dtype of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DTypeRule {
    /// The common dtype.
    Promote,
    /// The common dtype if it is a float, else the default float type (`exp` of integers).
    Float,
    /// Bool (comparisons).
    Bool,
}

/// Makes the enum of functions of some numbers, and what is known of each: its method of [`Expr`], its dtype rule, what it costs in
/// units of an addition, and its derivatives, where y is its result.
macro_rules! functions {
    ($(#[$meta:meta])* $enum:ident($operand:ident $(, $other:ident)?) -> $slopes:ty, $function:ty {
        $( $(#[$doc:meta])* $name:ident, $method:ident, $rule:ident, $cost:literal, $slope:expr; )*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are the functions")]
        pub enum $enum {
            $( $(#[$doc])* $name, )*
        }

        impl $enum {
            /// Every function, in the order of the enum.
            pub const ALL: [$enum; [$($enum::$name),*].len()] = [$($enum::$name),*];

            /// The dtype of the result.
            pub const fn dtype_rule(self) -> DTypeRule {
                match self { $($enum::$name => DTypeRule::$rule,)* }
            }

            /// What an element costs, in units of one addition.
            pub const fn cost(self) -> usize {
                match self { $($enum::$name => $cost,)* }
            }

            /// The derivatives by the operands, where `y` is the result.
            pub(super) fn slopes<'b>(self, $operand: Expr<'b>, $($other: Expr<'b>,)? y: Expr<'b>) -> $slopes {
                let slopes: $function = match self { $($enum::$name => $slope,)* };
                slopes($operand, $($other,)? y)
            }
        }

        functions!(@methods $enum ($($other)?) $($name $method)*);
    };
    (@methods $enum:ident () $($name:ident $method:ident)*) => {
        /// Functions of one number; see [`UnaryOp`].
        #[allow(missing_docs, clippy::should_implement_trait, reason = "the names are the functions")]
        impl<'b> Expr<'b> {
            $(pub fn $method(self) -> Expr<'b> { self.unary($enum::$name) })*
        }
    };
    (@methods $enum:ident ($other:ident) $($name:ident $method:ident)*) => {
        /// Functions of two numbers; see [`BinaryOp`].
        #[allow(missing_docs, clippy::should_implement_trait, reason = "the names are the functions")]
        impl<'b> Expr<'b> {
            $(pub fn $method(self, other: impl IntoExpr<'b>) -> Expr<'b> { self.binary($enum::$name, other) })*
        }
    };
}

functions! {
/// Functions of one number. A slope rounds where PyTorch's formula of the derivative is several operations.
UnaryOp(x) -> Tangent<'b>, fn(Expr<'b>, Expr<'b>) -> Tangent<'b> {
    Neg, neg, Promote, 1, |x, _| Value(x.constant(-1.0));
    Abs, abs, Promote, 1, |x, _| Value(x.sign());
    /// -1, 0 or 1; NaN gives 0, as in PyTorch.
    Sign, sign, Promote, 1, |_, _| Zero;
    Reciprocal, reciprocal, Float, 4, |_, y| Value(-(y * y).rounded());
    Sqrt, sqrt, Float, 4, |_, y| Value(1.0 / (y * 2.0));
    Rsqrt, rsqrt, Float, 4, |_, y| Value((y * y * y).rounded() * -0.5);
    Exp, exp, Float, 12, |_, y| Value(y);
    Expm1, expm1, Float, 12, |_, y| Value((y + 1.0).rounded());
    Log, log, Float, 12, |x, _| Value(1.0 / x);
    Log2, log2, Float, 12, |x, _| Value(1.0 / (x * LN_2).rounded());
    Log10, log10, Float, 12, |x, _| Value(1.0 / (x * LN_10).rounded());
    Log1p, log1p, Float, 12, |x, _| Value(1.0 / (x + 1.0).rounded());
    Sin, sin, Float, 12, |x, _| Value(x.cos().rounded());
    Cos, cos, Float, 12, |x, _| Value(-x.sin().rounded());
    Tan, tan, Float, 32, |_, y| Value(((y * y).rounded() + 1.0).rounded());
    Asin, asin, Float, 32, |x, _| Value((1.0 - (x * x).rounded()).rounded().rsqrt().rounded());
    Acos, acos, Float, 32, |x, _| Value(-(1.0 - (x * x).rounded()).rounded().rsqrt().rounded());
    Atan, atan, Float, 32, |x, _| Value(1.0 / ((x * x).rounded() + 1.0).rounded());
    Sinh, sinh, Float, 32, |x, _| Value(x.cosh().rounded());
    Cosh, cosh, Float, 32, |x, _| Value(x.sinh().rounded());
    Tanh, tanh, Float, 12, |_, y| Value(1.0 - y * y);
    Sigmoid, sigmoid, Float, 12, |_, y| Value((1.0 - y) * y);
    Erf, erf, Float, 12, |x, _| Value(((-(x * x).rounded()).exp().rounded() * FRAC_2_SQRT_PI).rounded());
    Erfc, erfc, Float, 32, |x, _| Value(((-(x * x).rounded()).exp().rounded() * -FRAC_2_SQRT_PI).rounded());
    /// The inverse of the error function.
    // PyTorch saves x and not the result.
    Erfinv, erfinv, Float, 64, |x, _| Value(((x.erfinv().rounded() * x.erfinv().rounded()).rounded().exp().rounded() * (1.0 / FRAC_2_SQRT_PI)).rounded());
    /// The modified Bessel function of the first kind and order 0.
    I0, i0, Float, 64, |x, _| Value(x.i1().rounded());
    /// The modified Bessel function of the first kind and order 1.
    I1, i1, Float, 64, |x, y| select((x.abs() + 1.0).le(1.0), Value(x.constant(0.5)), Value(x.i0() - y * x.reciprocal()));
    /// e^(−|x|) I₀(x), the modified Bessel function of order 0.
    I0e, i0e, Float, 64, |x, y| Value(x.i1e() - x.sign() * y);
    /// e^(−|x|) I₁(x), the modified Bessel function of order 1.
    // The derivative is ½ at 0, where y / x has no value.
    I1e, i1e, Float, 64, |x, y| select((x.abs() + 1.0).le(1.0), Value(x.constant(0.5)), Value(x.i0e() - y * (x.sign() + x.reciprocal())));
    Floor, floor, Promote, 1, |_, _| Zero;
    Ceil, ceil, Promote, 1, |_, _| Zero;
    /// To the nearest integer, halves to even.
    Round, round, Promote, 1, |_, _| Zero;
    Trunc, trunc, Promote, 1, |_, _| Zero;
    /// max(x, 0), NaN stays NaN.
    // PyTorch masks by `result <= 0`: a NaN passes its gradient, and relu'(0) is 0.
    Relu, relu, Promote, 1, |_, y| select(y.le(0.0), Zero, One);
    IsNan, is_nan, Bool, 1, |_, _| Zero;
    IsInf, is_inf, Bool, 1, |_, _| Zero;
    IsFinite, is_finite, Bool, 1, |_, _| Zero;
    LogicalNot, logical_not, Bool, 1, |_, _| Zero;
    /// Flips every bit of an integer.
    BitwiseNot, bitwise_not, Promote, 1, |_, _| Zero;
}}

functions! {
/// Functions of two numbers.
BinaryOp(a, b) -> [Tangent<'b>; 2], fn(Expr<'b>, Expr<'b>, Expr<'b>) -> [Tangent<'b>; 2] {
    Add, add, Promote, 1, |_, _, _| [One, One];
    Sub, sub, Promote, 1, |a, _, _| [One, Value(a.constant(-1.0))];
    Mul, mul, Promote, 1, |a, b, _| [Value(b), Value(a)];
    /// The quotient, unrounded for floats; truncated for integers.
    Div, div, Float, 4, |a, b, _| [Value(1.0 / b), Value(-((a / b).rounded() / b).rounded())];
    /// The quotient rounded to minus infinity, as PyTorch computes it: `(a - fmod(a, b)) / b`, corrected.
    FloorDiv, floor_div, Promote, 32, |_, _, _| [Zero, Zero];
    /// The remainder with the divisor's sign (Python's `%`).
    Remainder, remainder, Promote, 32, |a, b, _| [One, Value(-a.floor_div(b))];
    /// The remainder with the dividend's sign (C's `fmod`).
    Fmod, fmod, Promote, 32, |a, b, _| [One, Value(-(a / b).trunc())];
    Pow, pow, Promote, 32, |a, b, y| [
        select(b.eq(0.0), Zero, Value(b * a.pow(b - 1.0))),
        // 0^b has no slope in b for b ≥ 0, where log(0) would say -inf.
        select(a.eq(0.0).and(b.ge(0.0)), Zero, Value(y * a.log())),
    ];
    /// NaN if either is.
    Maximum, maximum, Promote, 1, |a, b, _| [share(a, b, a.lt(b)), share(a, b, b.lt(a))];
    /// NaN if either is.
    Minimum, minimum, Promote, 1, |a, b, _| [share(a, b, a.gt(b)), share(a, b, b.gt(a))];
    Atan2, atan2, Float, 32, |a, b, _| of_angle(a, b);
    Eq, eq, Bool, 1, |_, _, _| [Zero, Zero];
    Ne, ne, Bool, 1, |_, _, _| [Zero, Zero];
    Lt, lt, Bool, 1, |_, _, _| [Zero, Zero];
    Le, le, Bool, 1, |_, _, _| [Zero, Zero];
    Gt, gt, Bool, 1, |_, _, _| [Zero, Zero];
    Ge, ge, Bool, 1, |_, _, _| [Zero, Zero];
    LogicalAnd, and, Bool, 1, |_, _, _| [Zero, Zero];
    LogicalOr, or, Bool, 1, |_, _, _| [Zero, Zero];
    LogicalXor, logical_xor, Bool, 1, |_, _, _| [Zero, Zero];
    BitwiseAnd, bitwise_and, Promote, 1, |_, _, _| [Zero, Zero];
    BitwiseOr, bitwise_or, Promote, 1, |_, _, _| [Zero, Zero];
    BitwiseXor, bitwise_xor, Promote, 1, |_, _, _| [Zero, Zero];
}}

/// The derivative of an extremum by one operand. A tie shares the gradient; with a NaN both comparisons fail and both sides get
/// it, as in PyTorch.
fn share<'b>(a: Expr<'b>, b: Expr<'b>, other_wins: Expr<'b>) -> Tangent<'b> {
    select(a.eq(b), Value(a.constant(0.5)), select(other_wins, Zero, One))
}

/// The derivatives of the angle of (b, a). At the origin PyTorch's are zero.
fn of_angle<'b>(a: Expr<'b>, b: Expr<'b>) -> [Tangent<'b>; 2] {
    let r2 = a * a + b * b;
    let origin = r2.eq(0.0);
    [select(origin, Zero, Value(b / r2)), select(origin, Zero, Value(-a / r2))]
}
