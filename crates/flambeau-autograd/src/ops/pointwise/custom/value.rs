//! What a user's formula is written with.

use crate::ops::nn::activation::rectified::{ELU, GELU, LEAKY, SILU, SOFTPLUS};
use crate::ops::nn::activation::smooth::MISH;
use crate::ops::pointwise::binary::programs;
use crate::ops::pointwise::power::{FORMS, NUMBER, TENSORS};
use crate::ops::pointwise::{clamp, unary};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::{self, BinaryOp, IDENTITY, Pointwise, UnaryOp};

/// One element in the formula of a [`pointwise`](super::pointwise) function: of an input, or what became of it. It is `Copy`, and
/// has PyTorch's operations on elements as methods and operators; numbers are operands too.
///
/// ```
/// let huber = torch::pointwise(|[x, y]| {
///     let d = (x - y).abs();
///     d.lt(1.0).where_(0.5 * d * d, d - 0.5)
/// });
/// let loss = huber.call((torch::tensor([0.0, 0.0]), torch::tensor([1.0, 3.0])));
/// assert_eq!(loss.to_vec::<f32>(), [0.5, 2.5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Value<'f>(pointwise::Value<'f>);

/// An operand in a formula: a value or a number.
#[derive(Clone, Copy, Debug)]
pub enum Term<'f> {
    /// A value of the formula.
    Value(Value<'f>),
    /// A number.
    Number(Scalar),
}

impl<'f> From<Value<'f>> for Term<'f> {
    fn from(value: Value<'f>) -> Self {
        Term::Value(value)
    }
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl From<$t> for Term<'_> {
            fn from(x: $t) -> Self { Term::Number(x.into()) }
        }
    )*};
}
numbers!(bool u8 i8 i16 i32 u32 i64 usize f32 f64 Scalar);

impl<'f> Value<'f> {
    pub(super) fn new(value: pointwise::Value<'f>) -> Self {
        Value(value)
    }

    pub(super) fn inner(self) -> pointwise::Value<'f> {
        self.0
    }

    /// A program of this value and more.
    fn apply(
        self,
        program: &'static Pointwise,
        others: &[pointwise::Value<'f>],
        numbers: &[pointwise::Value<'f>],
    ) -> Self {
        let inputs: Vec<_> = std::iter::once(self.0).chain(others.iter().copied()).collect();
        Value(self.0.composer().call(program, &inputs, numbers)[0])
    }

    /// A number as a runtime scalar.
    fn number(self, number: impl Into<Scalar>) -> pointwise::Value<'f> {
        self.0.composer().number(number)
    }

    /// A number that PyTorch makes a tensor of before it computes: float16 and bfloat16 round it.
    fn element(self, number: impl Into<Scalar>) -> pointwise::Value<'f> {
        self.0.composer().call(&IDENTITY, &[self.number(number)], &[])[0]
    }

    /// As `binary::beside`: products and quotients keep their number whole.
    fn beside(self, op: BinaryOp, number: Scalar) -> pointwise::Value<'f> {
        match op {
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::FloorDiv => self.number(number),
            _ => self.element(number),
        }
    }

    fn unary(self, op: UnaryOp) -> Self {
        if op == UnaryOp::Neg && self.0.is_truth() {
            self.0.composer().refuse(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the \
                 `~` or `logical_not()` operator instead.",
            );
        }
        self.apply(unary::program(op), &[], &[])
    }

    fn binary(self, op: BinaryOp, other: impl Into<Term<'f>>) -> Self {
        let other = match other.into() {
            Term::Number(number) => return self.apply(&programs(op).number, &[], &[self.beside(op, number)]),
            Term::Value(other) => other,
        };
        // Of two bools PyTorch's sum is `or` and its product `and`.
        let op = match op {
            _ if !self.0.is_truth() || !other.0.is_truth() => op,
            BinaryOp::Add => BinaryOp::LogicalOr,
            BinaryOp::Mul => BinaryOp::LogicalAnd,
            BinaryOp::Sub => {
                self.0.composer().refuse(
                    "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` \
                     operator instead.",
                );
                op
            }
            _ => op,
        };
        self.apply(&programs(op).tensors, &[other.0], &[])
    }

    fn term(self, term: impl Into<Term<'f>>) -> pointwise::Value<'f> {
        match term.into() {
            Term::Value(value) => value.0,
            Term::Number(number) => self.number(number),
        }
    }

    /// `a` where this is true (not zero), else `b`: `torch.where(self, a, b)`. No gradient goes into the branch that was not taken,
    /// so that an infinite slope there does no harm.
    ///
    /// ```
    /// let f = torch::pointwise(|[x]| x.gt(0.0).where_(x.sqrt(), 0.0));
    /// let x = torch::tensor([-1.0, 0.0, 4.0]).requires_grad_(true);
    /// f.call(&x).sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 0.0, 0.25]);
    /// ```
    pub fn where_(self, a: impl Into<Term<'f>>, b: impl Into<Term<'f>>) -> Self {
        let (a, b) = (self.term(a), self.term(b));
        Value(self.0.composer().select(self.0, a, b))
    }

    /// This value to a power: `torch.pow`.
    ///
    /// ```
    /// let f = torch::pointwise(|[x, y]| x.pow(2) + x.pow(y));
    /// assert_eq!(f.call((torch::tensor([3.0]), torch::tensor([3.0]))).item(), 36.0);
    /// ```
    pub fn pow(self, exponent: impl Into<Term<'f>>) -> Self {
        let number = match exponent.into() {
            Term::Value(exponent) => return self.apply(&TENSORS, &[exponent.0], &[]),
            Term::Number(number) => number,
        };
        match FORMS.iter().find(|(e, _)| *e == number.to_f64()) {
            Some((_, program)) => {
                // It takes part in the promotion all the same.
                self.number(number);
                self.apply(program, &[], &[])
            }
            None => self.apply(&NUMBER, &[], &[self.element(number)]),
        }
    }

    /// x²: `torch.square`.
    pub fn square(self) -> Self {
        self.pow(2)
    }

    /// This value kept between two numbers: `torch.clamp`.
    ///
    /// ```
    /// let f = torch::pointwise(|[x]| x.clamp(0.0, 1.0));
    /// assert_eq!(f.call(torch::tensor([-1.0, 0.5, 2.0])).to_vec::<f32>(), [0.0, 0.5, 1.0]);
    /// ```
    pub fn clamp(self, min: impl Into<Scalar>, max: impl Into<Scalar>) -> Self {
        self.apply(&clamp::CLAMP, &[], &[self.element(min), self.element(max)])
    }

    /// x · Φ(x): `F.gelu`.
    pub fn gelu(self) -> Self {
        self.apply(&GELU, &[], &[])
    }

    /// x · σ(x): `F.silu`.
    pub fn silu(self) -> Self {
        self.apply(&SILU, &[], &[])
    }

    /// x · tanh(ln(1 + eˣ)): `F.mish`.
    pub fn mish(self) -> Self {
        self.apply(&MISH, &[], &[])
    }

    /// x where x > 0, else slope · x: `F.leaky_relu`.
    pub fn leaky_relu(self, slope: f64) -> Self {
        self.apply(&LEAKY, &[], &[self.number(slope)])
    }

    /// x where x > 0, else α · (eˣ − 1): `F.elu`.
    pub fn elu(self, alpha: f64) -> Self {
        self.apply(&ELU, &[], &[self.number(1.0), self.number(alpha), self.number(1.0)])
    }

    /// 1/β · ln(1 + e^(βx)), and x itself where βx is above the threshold: `F.softplus`, whose β is 1 and whose threshold is 20
    /// where they are not given.
    pub fn softplus(self, beta: f64, threshold: f64) -> Self {
        self.apply(&SOFTPLUS, &[], &[self.number(beta), self.number(threshold)])
    }
}

/// Declares, for each line `name Op`, the method of a value alone.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        impl<'f> Value<'f> {
            $($(#[$doc])* pub fn $name(self) -> Self { self.unary(UnaryOp::$op) })*
        }
    };
}

unary! {
    /// |x|: `torch.abs`.
    abs Abs;
    /// −1, 0 or 1: `torch.sign`.
    sign Sign;
    /// 1 / x: `torch.reciprocal`.
    reciprocal Reciprocal;
    /// √x: `torch.sqrt`.
    sqrt Sqrt;
    /// 1 / √x: `torch.rsqrt`.
    rsqrt Rsqrt;
    /// eˣ: `torch.exp`.
    exp Exp;
    /// eˣ − 1: `torch.expm1`.
    expm1 Expm1;
    /// ln x: `torch.log`.
    log Log;
    /// log₂ x: `torch.log2`.
    log2 Log2;
    /// log₁₀ x: `torch.log10`.
    log10 Log10;
    /// ln(1 + x): `torch.log1p`.
    log1p Log1p;
    /// sin x: `torch.sin`.
    sin Sin;
    /// cos x: `torch.cos`.
    cos Cos;
    /// tan x: `torch.tan`.
    tan Tan;
    /// arcsin x: `torch.asin`.
    asin Asin;
    /// arccos x: `torch.acos`.
    acos Acos;
    /// arctan x: `torch.atan`.
    atan Atan;
    /// sinh x: `torch.sinh`.
    sinh Sinh;
    /// cosh x: `torch.cosh`.
    cosh Cosh;
    /// tanh x: `torch.tanh`.
    tanh Tanh;
    /// 1 / (1 + e⁻ˣ): `torch.sigmoid`.
    sigmoid Sigmoid;
    /// The error function: `torch.erf`.
    erf Erf;
    /// 1 − erf x: `torch.erfc`.
    erfc Erfc;
    /// The largest integer that is not above x: `torch.floor`.
    floor Floor;
    /// The smallest integer that is not below x: `torch.ceil`.
    ceil Ceil;
    /// The nearest integer, halves to even: `torch.round`.
    round Round;
    /// The integer part: `torch.trunc`.
    trunc Trunc;
    /// max(x, 0): `torch.relu`.
    relu Relu;
    /// Whether x is NaN: `torch.isnan`.
    isnan IsNan;
    /// Whether x is infinite: `torch.isinf`.
    isinf IsInf;
    /// Whether x is neither infinite nor NaN: `torch.isfinite`.
    isfinite IsFinite;
    /// Whether x is zero: `torch.logical_not`.
    logical_not LogicalNot;
}

/// Declares, for each line `name Op`, the method of a value and another or a number.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        impl<'f> Value<'f> {
            $($(#[$doc])* pub fn $name(self, other: impl Into<Term<'f>>) -> Self { self.binary(BinaryOp::$op, other) })*
        }
    };
}

binary! {
    /// ⌊x / other⌋: `torch.floor_divide`. It has no gradient.
    floor_divide FloorDiv;
    /// The remainder with the divisor's sign: `torch.remainder`.
    remainder Remainder;
    /// The remainder with the dividend's sign: `torch.fmod`.
    fmod Fmod;
    /// The larger of two, NaN if either is: `torch.maximum`.
    maximum Maximum;
    /// The smaller of two, NaN if either is: `torch.minimum`.
    minimum Minimum;
    /// The angle of the point whose height is x and whose width is `other`: `torch.atan2`.
    atan2 Atan2;
    /// Whether x = other: `torch.eq`.
    eq Eq;
    /// Whether x ≠ other: `torch.ne`.
    ne Ne;
    /// Whether x < other: `torch.lt`.
    lt Lt;
    /// Whether x ≤ other: `torch.le`.
    le Le;
    /// Whether x > other: `torch.gt`.
    gt Gt;
    /// Whether x ≥ other: `torch.ge`.
    ge Ge;
    /// Whether both are not zero: `torch.logical_and`.
    logical_and LogicalAnd;
    /// Whether either is not zero: `torch.logical_or`.
    logical_or LogicalOr;
    /// Whether just one is not zero: `torch.logical_xor`.
    logical_xor LogicalXor;
}

/// Operators on values and numbers; on the left, numbers are f64 and i64, and the last function is that of the value and the
/// number.
macro_rules! operators {
    ($($trait:ident $method:ident $left:expr;)*) => {$(
        impl<'f, R: Into<Term<'f>>> std::ops::$trait<R> for Value<'f> {
            type Output = Value<'f>;
            fn $method(self, other: R) -> Value<'f> { self.binary(BinaryOp::$trait, other) }
        }
        operators!(@left $trait $method $left, f64);
        operators!(@left $trait $method $left, i64);
    )*};
    (@left $trait:ident $method:ident $left:expr, $number:ty) => {
        impl<'f> std::ops::$trait<Value<'f>> for $number {
            type Output = Value<'f>;
            fn $method(self, other: Value<'f>) -> Value<'f> { ($left)(other, Scalar::from(self)) }
        }
    };
}

operators! {
    Add add |x: Value<'f>, number: Scalar| x + number;
    Sub sub |x: Value<'f>, number: Scalar| x.apply(&programs(BinaryOp::Sub).reversed, &[], &[x.element(number)]);
    Mul mul |x: Value<'f>, number: Scalar| x * number;
    // PyTorch's number / x is number · (1 / x).
    Div div |x: Value<'f>, number: Scalar| x.reciprocal() * number;
}

impl<'f> std::ops::Neg for Value<'f> {
    type Output = Value<'f>;
    fn neg(self) -> Value<'f> {
        self.unary(UnaryOp::Neg)
    }
}
