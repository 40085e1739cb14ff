//! How each name of `goldens/scalars.py` is called.

use flambeau_autograd::ops::indexing::slice;
use flambeau_autograd::ops::{self, Operand, RoundingMode};
use flambeau_autograd::{Result, Tensor};
use flambeau_tensor::{DType, Scalar};
use flambeau_testkit::args::{Args, CallResult};
use flambeau_testkit::opinfo::{OpInfo, one};

/// The second argument, a number.
fn number(a: &Args) -> CallResult<Scalar> {
    a.scalar_or_one(1, "number")
}

fn float(a: &Args) -> CallResult<f64> {
    Ok(number(a)?.to_f64())
}

fn mask() -> Tensor {
    flambeau_autograd::from_vec(vec![true, false, true, false, true], [5])
}

fn lines() -> Tensor {
    flambeau_autograd::from_vec(vec![0i64, 2], [2])
}

/// Constants beside the tensor that they go with.
fn beside(x: &Tensor, constant: Tensor) -> Result<Tensor> {
    ops::to_device(&constant, x.device())
}

fn fresh(a: &Args) -> CallResult<Tensor> {
    Ok(ops::clone(a.x()?)?)
}

/// x with Python's `x[at] = number`.
fn set(a: &Args, at: impl ops::indexing::IntoIndex) -> CallResult {
    let x = fresh(a)?;
    ops::index_set(&x, at, number(a)?)?;
    Ok(vec![x])
}

fn square(a: &Args) -> CallResult<(Tensor, Tensor, Tensor)> {
    let x = a.x()?;
    Ok((ops::unsqueeze(x, 0)?, ops::select(x, 0, 0)?, ops::select(x, 0, 1)?))
}

fn flipped(a: &Args) -> CallResult<Tensor> {
    Ok(ops::flip(a.x()?, &[0])?)
}

macro_rules! rows {
    ($($name:literal => |$a:ident| $call:expr;)*) => { &[$(OpInfo::general($name, |$a| one($call))),*] };
}

const NUMBERS: &[OpInfo] = rows! {
    "add" => |a| ops::add(a.x()?, second(a)?, 1);
    "sub" => |a| ops::sub(a.x()?, second(a)?, 1);
    "rsub" => |a| ops::rsub(a.x()?, second(a)?, 1);
    "mul" => |a| ops::mul(a.x()?, second(a)?);
    "div" => |a| ops::div(a.x()?, second(a)?);
    "floor_divide" => |a| ops::floor_divide(a.x()?, second(a)?);
    "remainder" => |a| ops::remainder(a.x()?, second(a)?);
    "fmod" => |a| ops::fmod(a.x()?, second(a)?);
    "div_floor" => |a| ops::div_rounded(a.x()?, second(a)?, RoundingMode::Floor);
    "div_trunc" => |a| ops::div_rounded(a.x()?, second(a)?, RoundingMode::Trunc);
    "number_minus" => |a| ops::rsub(a.x()?, number(a)?, 1);
    "number_plus" => |a| ops::add(a.x()?, number(a)?, 1);
    "number_times" => |a| ops::mul(a.x()?, number(a)?);
    "number_over" => |a| ops::rdiv(a.x()?, number(a)?);
    "pow" => |a| ops::pow(a.x()?, second(a)?);
    "rpow" => |a| ops::pow_scalar(number(a)?, a.x()?);
    "eq" => |a| ops::eq(a.x()?, second(a)?);
    "ne" => |a| ops::ne(a.x()?, second(a)?);
    "lt" => |a| ops::lt(a.x()?, second(a)?);
    "le" => |a| ops::le(a.x()?, second(a)?);
    "gt" => |a| ops::gt(a.x()?, second(a)?);
    "ge" => |a| ops::ge(a.x()?, second(a)?);
    "bitwise_and" => |a| ops::bitwise_and(a.x()?, second(a)?);
    "bitwise_or" => |a| ops::bitwise_or(a.x()?, second(a)?);
    "bitwise_xor" => |a| ops::bitwise_xor(a.x()?, second(a)?);
    "xlogy" => |a| ops::xlogy(a.x()?, second(a)?);
    "clamp_min" => |a| ops::clamp_min(a.x()?, number(a)?);
    "clamp_max" => |a| ops::clamp_max(a.x()?, number(a)?);
    "clamp" => |a| ops::clamp(a.x()?, Some(Scalar::Int(0)), Some(number(a)?));
    "clamp_low" => |a| ops::clamp(a.x()?, Some(number(a)?), Some(Scalar::Int(100)));
    "clamp_" => |a| ops::clamp_(&fresh(a)?, Some(Scalar::Int(0)), Some(number(a)?));
    "clamp_min_" => |a| ops::clamp_(&fresh(a)?, Some(number(a)?), None);
    "clamp_max_" => |a| ops::clamp_(&fresh(a)?, None, Some(number(a)?));
    "add_" => |a| ops::add_(&fresh(a)?, number(a)?, 1);
    "sub_" => |a| ops::sub_(&fresh(a)?, number(a)?, 1);
    "mul_" => |a| ops::mul_(&fresh(a)?, number(a)?);
    "div_" => |a| ops::div_(&fresh(a)?, number(a)?);
    "eq_" => |a| ops::eq_(&fresh(a)?, number(a)?);
    "pow_" => |a| ops::pow_(&fresh(a)?, number(a)?);
    "bitwise_or_" => |a| ops::bitwise_or_(&fresh(a)?, number(a)?);
    "remainder_" => |a| ops::remainder_(&fresh(a)?, number(a)?);
    "add_alpha" => |a| ops::add(a.x()?, a.x()?, number(a)?);
    "sub_alpha" => |a| ops::sub(a.x()?, a.x()?, number(a)?);
    "rsub_alpha" => |a| ops::rsub(a.x()?, a.x()?, number(a)?);
    "add_alpha_" => |a| ops::add_(&fresh(a)?, a.x()?, number(a)?);
    "add_number_alpha" => |a| ops::add(a.x()?, 2, number(a)?);
    "where" => |a| ops::where_(&beside(a.x()?, mask())?, a.x()?, number(a)?);
    "where_number" => |a| ops::where_(&beside(a.x()?, mask())?, number(a)?, a.x()?);
    "where_numbers" => |a| ops::where_(&beside(a.x()?, mask())?, number(a)?, 1);
    "masked_fill" => |a| ops::masked_fill(a.x()?, &beside(a.x()?, mask())?, number(a)?);
    "masked_fill_" => |a| ops::masked_fill_(&fresh(a)?, &beside(a.x()?, mask())?, number(a)?);
    "fill_" => |a| ops::fill_(&fresh(a)?, number(a)?);
    "full_like" => |a| ops::full(&a.x()?.size(), number(a)?, a.x()?.dtype(), a.x()?.device());
    "full" => |a| ops::full(&[2], number(a)?, a.x()?.dtype(), a.x()?.device());
    "new_full" => |a| ops::full(&[2], number(a)?, a.x()?.dtype(), a.x()?.device());
    "index_fill" => |a| ops::index_fill(a.x()?, 0, &beside(a.x()?, lines())?, number(a)?);
    "index_fill_" => |a| ops::index_fill_(&fresh(a)?, 0, &beside(a.x()?, lines())?, number(a)?);
    "scatter" => |a| ops::scatter(a.x()?, 0, &beside(a.x()?, lines())?, number(a)?);
    "scatter_multiply" => |a| ops::scatter_with_reduce(a.x()?, 0, &beside(a.x()?, lines())?, number(a)?, "multiply");
    "scatter_add" => |a| ops::scatter_with_reduce(a.x()?, 0, &beside(a.x()?, lines())?, number(a)?, "add");
    "index_add" => |a| ops::index_add(a.x()?, 0, &beside(a.x()?, lines())?, &ops::narrow(a.x()?, 0, 0, 2)?, number(a)?);
    "constant_pad" => |a| ops::constant_pad(a.x()?, &[1, 1], number(a)?);
    "threshold" => |a| ops::threshold(a.x()?, number(a)?, 5);
    "threshold_value" => |a| ops::threshold(a.x()?, 2, number(a)?);
    "hardtanh" => |a| ops::hardtanh(a.x()?, 0.0, float(a)?);
    "hardtanh_low" => |a| ops::hardtanh(a.x()?, float(a)?, 100.0);
    "leaky_relu" => |a| ops::leaky_relu(a.x()?, float(a)?);
    "elu" => |a| ops::elu(a.x()?, float(a)?);
    "celu" => |a| ops::celu(a.x()?, float(a)?);
    "softplus" => |a| ops::softplus(a.x()?, float(a)?, 20.0);
    "softplus_threshold" => |a| ops::softplus(a.x()?, 1.0, float(a)?);
    "hardshrink" => |a| ops::hardshrink(a.x()?, float(a)?);
    "softshrink" => |a| ops::softshrink(a.x()?, float(a)?);
    "lerp" => |a| ops::lerp(a.x()?, &flipped(a)?, number(a)?);
    "addcmul" => |a| ops::addcmul(a.x()?, a.x()?, a.x()?, number(a)?);
    "addcdiv" => |a| ops::addcdiv(a.x()?, a.x()?, &flipped(a)?, number(a)?);
    "nan_to_num" => |a| ops::nan_to_num(a.x()?, a.opt_scalar(1, "nan")?.map(Scalar::to_f64), None, None);
    "tensor" => |a| flambeau_autograd::from_scalars(&[number(a)?; 2], &[2], a.x()?.dtype());
    "addmm_beta" => |a| ops::addmm(a.x()?, a.x()?, a.x()?, number(a)?, 1);
    "addmm_alpha" => |a| ops::addmm(a.x()?, a.x()?, a.x()?, 1, number(a)?);
    "addmv_beta" => |a| { let (_, x, v) = square(a)?; ops::addmv(&x, a.x()?, &v, number(a)?, 1) };
    "addmv_alpha" => |a| { let (_, x, v) = square(a)?; ops::addmv(&x, a.x()?, &v, 1, number(a)?) };
    "baddbmm_beta" => |a| { let (b, ..) = square(a)?; ops::baddbmm(&b, &b, &b, number(a)?, 1) };
    "baddbmm_alpha" => |a| { let (b, ..) = square(a)?; ops::baddbmm(&b, &b, &b, 1, number(a)?) };
    "addbmm_beta" => |a| { let (b, ..) = square(a)?; ops::addbmm(a.x()?, &b, &b, number(a)?, 1) };
    "addbmm_alpha" => |a| { let (b, ..) = square(a)?; ops::addbmm(a.x()?, &b, &b, 1, number(a)?) };
};

const SETS: &[OpInfo] = &[
    OpInfo::general("set", |a| set(a, 1)),
    OpInfo::general("set_slice", |a| set(a, slice(1, 3, 1))),
    OpInfo::general("set_mask", |a| set(a, &beside(a.x()?, mask())?)),
    OpInfo::general("set_lines", |a| set(a, &beside(a.x()?, lines())?)),
];

/// The second argument, a tensor or a number.
fn second(a: &Args) -> CallResult<Operand<'_>> {
    a.operand(1, "other")
}

/// The second argument, a tensor.
fn other(a: &Args) -> CallResult<&Tensor> {
    a.tensor(1, "other")
}

const PAIRS: &[OpInfo] = rows! {
    "atan2" => |a| ops::atan2(a.x()?, other(a)?);
    "hypot" => |a| ops::hypot(a.x()?, other(a)?);
    "logaddexp" => |a| ops::logaddexp(a.x()?, other(a)?);
    "maximum" => |a| ops::maximum(a.x()?, other(a)?);
    "minimum" => |a| ops::minimum(a.x()?, other(a)?);
    "logical_and" => |a| ops::logical_and(a.x()?, other(a)?);
    "logical_xor" => |a| ops::logical_xor(a.x()?, other(a)?);
    "mse_loss" => |a| ops::mse_loss(a.x()?, other(a)?, &ops::MSELossOptions::default());
    "l1_loss" => |a| ops::l1_loss(a.x()?, other(a)?, &ops::L1LossOptions::default());
    "smooth_l1_loss" => |a| ops::smooth_l1_loss(a.x()?, other(a)?, &ops::SmoothL1LossOptions::default());
    "huber_loss" => |a| ops::huber_loss(a.x()?, other(a)?, &ops::HuberLossOptions::default());
    "addcmul_two" => |a| ops::addcmul(a.x()?, a.x()?, other(a)?, 1);
    "addcdiv_two" => |a| ops::addcdiv(a.x()?, other(a)?, other(a)?, 1);
    "where_two" => |a| ops::where_(&beside(a.x()?, flambeau_autograd::from_vec(vec![true, false, true], [3]))?, a.x()?, other(a)?);
    "lerp_two" => |a| ops::lerp(a.x()?, other(a)?, 0.5);
};

const SINGLES: &[OpInfo] = rows! {
    "abs" => |a| ops::abs(a.x()?);
    "acos" => |a| ops::acos(a.x()?);
    "asin" => |a| ops::asin(a.x()?);
    "atan" => |a| ops::atan(a.x()?);
    "ceil" => |a| ops::ceil(a.x()?);
    "cos" => |a| ops::cos(a.x()?);
    "cosh" => |a| ops::cosh(a.x()?);
    "erf" => |a| ops::erf(a.x()?);
    "erfc" => |a| ops::erfc(a.x()?);
    "exp" => |a| ops::exp(a.x()?);
    "exp2" => |a| ops::exp2(a.x()?);
    "expm1" => |a| ops::expm1(a.x()?);
    "floor" => |a| ops::floor(a.x()?);
    "frac" => |a| ops::frac(a.x()?);
    "log" => |a| ops::log(a.x()?);
    "log10" => |a| ops::log10(a.x()?);
    "log1p" => |a| ops::log1p(a.x()?);
    "log2" => |a| ops::log2(a.x()?);
    "logit" => |a| ops::logit(a.x()?, None);
    "logit_eps" => |a| ops::logit(a.x()?, Some(1e-6));
    "logsigmoid" => |a| ops::logsigmoid(a.x()?);
    "neg" => |a| ops::neg(a.x()?);
    "reciprocal" => |a| ops::reciprocal(a.x()?);
    "relu" => |a| ops::relu(a.x()?);
    "round" => |a| ops::round(a.x()?);
    "round_decimals" => |a| ops::round_decimals(a.x()?, 1);
    "rsqrt" => |a| ops::rsqrt(a.x()?);
    "sigmoid" => |a| ops::sigmoid(a.x()?);
    "sign" => |a| ops::sign(a.x()?);
    "sin" => |a| ops::sin(a.x()?);
    "sinh" => |a| ops::sinh(a.x()?);
    "sqrt" => |a| ops::sqrt(a.x()?);
    "square" => |a| ops::square(a.x()?);
    "tan" => |a| ops::tan(a.x()?);
    "tanh" => |a| ops::tanh(a.x()?);
    "trunc" => |a| ops::trunc(a.x()?);
    "bitwise_not" => |a| ops::bitwise_not(a.x()?);
    "logical_not" => |a| ops::logical_not(a.x()?);
    "isnan" => |a| ops::isnan(a.x()?);
    "isinf" => |a| ops::isinf(a.x()?);
    "isfinite" => |a| ops::isfinite(a.x()?);
    "sum" => |a| ops::sum(a.x()?, &[], false, None);
    "mean" => |a| ops::mean(a.x()?, &[], false, None);
    "mean_dim" => |a| ops::mean(a.x()?, &[0], false, None);
    "prod" => |a| ops::prod(a.x()?, None, false, None);
    "amax" => |a| ops::amax(a.x()?, &[], false);
    "amax_dim" => |a| ops::amax(a.x()?, &[0], false);
    "amin" => |a| ops::amin(a.x()?, &[], false);
    "argmax" => |a| ops::argmax(a.x()?, None, false);
    "argmin" => |a| ops::argmin(a.x()?, None, false);
    "argmax_dim" => |a| ops::argmax(a.x()?, Some(0), false);
    "argmin_dim" => |a| ops::argmin(a.x()?, Some(0), false);
    "any" => |a| ops::any(a.x()?, None, false);
    "all" => |a| ops::all(a.x()?, None, false);
    "max" => |a| ops::max(a.x()?);
    "min" => |a| ops::min(a.x()?);
    "gelu" => |a| ops::gelu(a.x()?, false);
    "silu" => |a| ops::silu(a.x()?);
    "mish" => |a| ops::mish(a.x()?);
    "softmax" => |a| ops::softmax(a.x()?, 0, None);
    "elu_plain" => |a| ops::elu(a.x()?, 1.0);
    "leaky_relu_plain" => |a| ops::leaky_relu(a.x()?, 0.01);
    "hardtanh_plain" => |a| ops::hardtanh(a.x()?, -1.0, 1.0);
    "relu6" => |a| ops::relu6(a.x()?);
    "hardsigmoid" => |a| ops::hardsigmoid(a.x()?);
    "hardswish" => |a| ops::hardswish(a.x()?);
    "softplus_plain" => |a| ops::softplus(a.x()?, 1.0, 20.0);
    "selu" => |a| ops::selu(a.x()?);
    "softsign" => |a| ops::softsign(a.x()?);
    "tanhshrink" => |a| ops::tanhshrink(a.x()?);
    "argsort" => |a| ops::argsort(a.x()?, -1, false);
    "cumsum" => |a| ops::cumsum(a.x()?, 0, None);
    "cumprod" => |a| ops::cumprod(a.x()?, 0, None);
    "logsumexp" => |a| ops::logsumexp(a.x()?, &[0], false);
    "var" => |a| ops::var(a.x()?, &[], 1.0, false);
    "std" => |a| ops::std(a.x()?, &[], 1.0, false);
};

/// `mean_float32` and the like: sums and means in a dtype of the caller's choice.
macro_rules! in_dtypes {
    ($($dtype:ident $mean:literal $sum:literal;)*) => { rows! { $(
        $mean => |a| ops::mean(a.x()?, &[], false, Some(DType::$dtype));
        $sum => |a| ops::sum(a.x()?, &[], false, Some(DType::$dtype));
    )* } };
}

const IN_DTYPES: &[OpInfo] = in_dtypes! {
    Bool "mean_bool" "sum_bool";
    U8 "mean_uint8" "sum_uint8";
    I8 "mean_int8" "sum_int8";
    I16 "mean_int16" "sum_int16";
    I32 "mean_int32" "sum_int32";
    I64 "mean_int64" "sum_int64";
    F16 "mean_float16" "sum_float16";
    BF16 "mean_bfloat16" "sum_bfloat16";
    F32 "mean_float32" "sum_float32";
    F64 "mean_float64" "sum_float64";
};

/// A random function after `manual_seed` of the second argument, and the number that the generator gives next.
fn seeded(a: &Args, draw: impl Fn(&Tensor) -> Result<Tensor>) -> CallResult {
    let x = a.x()?;
    let generator = flambeau_device::default_generator(x.device())?;
    generator.manual_seed(a.need_int(1, "seed")? as u64);
    let drawn = draw(x)?;
    Ok(vec![drawn, flambeau_autograd::rand([1])])
}

/// x + by
fn plus(x: &Tensor, by: f64) -> Result<Tensor> {
    ops::add(x, by, 1)
}

const RANDOM: &[OpInfo] = &[
    OpInfo::general("normal_", |a| seeded(a, |x| Ok(x.normal_(0.5, 2.0)))),
    OpInfo::general("uniform_", |a| seeded(a, |x| Ok(x.uniform_(-1.0, 3.0)))),
    OpInfo::general("exponential_", |a| seeded(a, |x| Ok(x.exponential_(1.5)))),
    OpInfo::general("bernoulli_", |a| seeded(a, |x| Ok(x.bernoulli_(0.4)))),
    OpInfo::general("random_", |a| seeded(a, |x| Ok(x.random_()))),
    OpInfo::general("random_range_", |a| seeded(a, |x| Ok(x.random_range_(3, 90)))),
    OpInfo::general("randn_like", |a| seeded(a, |x| Ok(x.randn_like()))),
    OpInfo::general("rand_like", |a| seeded(a, |x| Ok(x.rand_like()))),
    OpInfo::general("dropout", |a| seeded(a, |x| ops::dropout(&plus(x, 1.0)?, 0.4, true))),
    OpInfo::general("alpha_dropout", |a| seeded(a, |x| ops::alpha_dropout(&plus(x, 1.0)?, 0.4, true))),
    OpInfo::general("feature_dropout", |a| seeded(a, |x| ops::feature_dropout(&plus(x, 1.0)?, 0.4, true))),
    OpInfo::general("bernoulli", |a| seeded(a, |x| ops::bernoulli(&plus(x, 0.4)?, None))),
    OpInfo::general("multinomial", |a| seeded(a, |x| ops::multinomial(&plus(x, 0.4)?, 1, false, None))),
    OpInfo::general("rrelu", |a| seeded(a, |x| ops::rrelu(&plus(x, -1.0)?, 1.0 / 8.0, 1.0 / 3.0, true))),
];

/// Every row.
pub fn all() -> Vec<OpInfo> {
    [NUMBERS, SETS, PAIRS, SINGLES, IN_DTYPES, RANDOM].concat()
}
