//! Functions of one tensor, element by element.

use flambeau_autograd::ops;
use flambeau_tensor::Scalar;

use crate::opinfo::{OpInfo, one};

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::unary("abs", ops::abs),
    OpInfo::unary("acos", ops::acos),
    OpInfo::unary("acosh", ops::acosh),
    OpInfo::unary("asin", ops::asin),
    OpInfo::unary("asinh", ops::asinh),
    OpInfo::unary("atan", ops::atan),
    OpInfo::unary("atanh", ops::atanh),
    OpInfo::unary("bitwise_not", ops::bitwise_not),
    OpInfo::unary("ceil", ops::ceil),
    OpInfo::unary("cos", ops::cos),
    OpInfo::unary("cosh", ops::cosh),
    OpInfo::unary("deg2rad", ops::deg2rad),
    OpInfo::unary("erf", ops::erf),
    OpInfo::unary("erfc", ops::erfc),
    OpInfo::unary("exp", ops::exp),
    OpInfo::unary("expm1", ops::expm1),
    OpInfo::unary("floor", ops::floor),
    OpInfo::unary("isfinite", ops::isfinite),
    OpInfo::unary("isinf", ops::isinf),
    OpInfo::unary("isnan", ops::isnan),
    OpInfo::unary("isneginf", ops::isneginf),
    OpInfo::unary("isposinf", ops::isposinf),
    OpInfo::unary("log", ops::log),
    OpInfo::unary("log10", ops::log10)
        .differs(&[(21, "1 / (x ln 10) overflows for a denormal x where g / (x ln 10) just does not")]),
    OpInfo::unary("log1p", ops::log1p),
    OpInfo::unary("log2", ops::log2),
    OpInfo::unary("logical_not", ops::logical_not),
    OpInfo::general("logit", |a| one(ops::logit(a.x()?, a.opt_float(1, "eps")?))),
    OpInfo::unary("nan_to_num", |x| ops::nan_to_num(x, None, None, None)),
    OpInfo::unary("neg", ops::neg),
    OpInfo::unary("positive", ops::positive),
    OpInfo::unary("rad2deg", ops::rad2deg),
    OpInfo::unary("reciprocal", ops::reciprocal),
    OpInfo::general("round", |a| one(ops::round_decimals(a.x()?, a.int(1, "decimals", 0)? as i32))),
    OpInfo::unary("rsqrt", ops::rsqrt),
    OpInfo::unary("sigmoid", ops::sigmoid),
    OpInfo::unary("sign", ops::sign),
    OpInfo::unary("signbit", ops::signbit),
    OpInfo::unary("sin", ops::sin),
    OpInfo::unary("sinc", ops::sinc),
    OpInfo::unary("sinh", ops::sinh),
    OpInfo::unary("sqrt", ops::sqrt),
    OpInfo::unary("square", ops::square),
    OpInfo::unary("tan", ops::tan),
    OpInfo::unary("tanh", ops::tanh),
    OpInfo::unary("trunc", ops::trunc),
    OpInfo::general("clamp", |a| {
        let x = a.x()?;
        let (min, max) = (a.operand(1, "min").ok(), a.operand(2, "max").ok());
        let is_tensor = |o: &Option<ops::Operand<'_>>| matches!(o, Some(ops::Operand::Borrowed(_)));
        if is_tensor(&min) || is_tensor(&max) {
            return one(ops::clamp_tensor(x, a.opt_tensor(1, "min")?, a.opt_tensor(2, "max")?));
        }
        let number = |o: Option<ops::Operand<'_>>| -> Option<Scalar> {
            if let Some(ops::Operand::Number(s)) = o { Some(s) } else { None }
        };
        one(ops::clamp(x, number(min), number(max)))
    }),
    OpInfo::operand("clamp_max", |x, y| ops::clamp_max(x, y)),
    OpInfo::operand("clamp_min", |x, y| ops::clamp_min(x, y)),
];
