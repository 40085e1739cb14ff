//! The scalar functions that programs are made of.

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

/// Functions of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the functions")]
pub enum UnaryOp {
    Neg,
    Abs,
    /// -1, 0 or 1; NaN gives 0, as in PyTorch.
    Sign,
    Reciprocal,
    Sqrt,
    Rsqrt,
    Exp,
    Expm1,
    Log,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Sigmoid,
    Erf,
    Erfc,
    Floor,
    Ceil,
    /// To the nearest integer, halves to even.
    Round,
    Trunc,
    /// max(x, 0), NaN stays NaN.
    Relu,
    IsNan,
    IsInf,
    IsFinite,
    LogicalNot,
    /// Flips every bit of an integer.
    BitwiseNot,
}

/// Functions of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the functions")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// The quotient, unrounded for floats; truncated for integers.
    Div,
    /// The quotient rounded to minus infinity, as PyTorch computes it: `(a - fmod(a, b)) / b`, corrected.
    FloorDiv,
    /// The remainder with the divisor's sign (Python's `%`).
    Remainder,
    /// The remainder with the dividend's sign (C's `fmod`).
    Fmod,
    Pow,
    /// NaN if either is.
    Maximum,
    /// NaN if either is.
    Minimum,
    Atan2,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    LogicalAnd,
    LogicalOr,
    LogicalXor,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
}

impl UnaryOp {
    /// Every function, in the order of the enum.
    pub const ALL: [UnaryOp; 34] = {
        use UnaryOp::*;
        [
            Neg, Abs, Sign, Reciprocal, Sqrt, Rsqrt, Exp, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos,
            Atan, Sinh, Cosh, Tanh, Sigmoid, Erf, Erfc, Floor, Ceil, Round, Trunc, Relu, IsNan, IsInf, IsFinite,
            LogicalNot, BitwiseNot,
        ]
    };

    /// The dtype of the result.
    pub const fn dtype_rule(self) -> DTypeRule {
        use UnaryOp::*;
        match self {
            Neg | Abs | Sign | Floor | Ceil | Round | Trunc | Relu | BitwiseNot => DTypeRule::Promote,
            IsNan | IsInf | IsFinite | LogicalNot => DTypeRule::Bool,
            Reciprocal | Sqrt | Rsqrt | Exp | Expm1 | Log | Log2 | Log10 | Log1p | Sin | Cos | Tan | Asin | Acos
            | Atan | Sinh | Cosh | Tanh | Sigmoid | Erf | Erfc => DTypeRule::Float,
        }
    }
}

impl BinaryOp {
    /// Every function, in the order of the enum.
    pub const ALL: [BinaryOp; 23] = {
        use BinaryOp::*;
        [
            Add, Sub, Mul, Div, FloorDiv, Remainder, Fmod, Pow, Maximum, Minimum, Atan2, Eq, Ne, Lt, Le, Gt, Ge,
            LogicalAnd, LogicalOr, LogicalXor, BitwiseAnd, BitwiseOr, BitwiseXor,
        ]
    };

    /// The dtype of the result.
    pub const fn dtype_rule(self) -> DTypeRule {
        use BinaryOp::*;
        match self {
            Add | Sub | Mul | FloorDiv | Remainder | Fmod | Pow | Maximum | Minimum | BitwiseAnd | BitwiseOr
            | BitwiseXor => DTypeRule::Promote,
            Div | Atan2 => DTypeRule::Float,
            Eq | Ne | Lt | Le | Gt | Ge | LogicalAnd | LogicalOr | LogicalXor => DTypeRule::Bool,
        }
    }
}
