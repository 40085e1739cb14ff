//! Users' own pointwise functions: values, gradients of any order, dtypes, shapes, errors. Expected digits are those of the
//! operations in turn.

use flambeau_autograd::pointwise::{PointwiseFunction, Value};
use flambeau_autograd::{Error, GradCheckOptions, Tensor, from_vec, grad, gradcheck, gradgradcheck, pointwise, tensor};
use flambeau_tensor::DType;
use proptest::prelude::*;

const FLOATS: [DType; 4] = [DType::F64, DType::F32, DType::F16, DType::BF16];

fn leaf(values: &[f64], dtype: DType) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).to(dtype).requires_grad_(true)
}

/// The elements' bits, zeros of both signs as one.
fn bits(t: &Tensor) -> Vec<u64> {
    t.to(DType::F64).to_vec::<f64>().iter().map(|x| (x + 0.0).to_bits()).collect()
}

fn gradient(y: &Tensor, x: &Tensor) -> Tensor {
    grad(&[&y.sum()], &[x], &[None], true, true, true).unwrap()[0].clone().unwrap_or_else(|| x.detach() * 0.0)
}

/// A function of two numbers, fused and as operations in turn.
struct Case {
    name: &'static str,
    fused: PointwiseFunction<2>,
    in_turn: fn(&Tensor, &Tensor) -> Tensor,
}

/// The same formula for values and for tensors.
macro_rules! cases {
    ($($name:literal $x:ident $y:ident $formula:expr;)*) => {
        vec![$(Case {
            name: $name,
            fused: pointwise(|[$x, $y]: [Value<'_>; 2]| $formula),
            in_turn: |$x: &Tensor, $y: &Tensor| $formula,
        }),*]
    };
}

fn cases() -> Vec<Case> {
    cases! {
        "exp(x) · y + 1" x y x.exp() * y + 1.0;
        "gate" x y x.tanh() * y.sigmoid();
        "difference" x y (x - y).abs().sqrt() - 2.0 * x.square();
        "rational" x y (x * y - 0.3) / (y.square() + 1.5);
        "reversed" x y (x.square() + 0.7).reciprocal() * 1.5 + (2.5 - y);
        "activations" x y x.relu() + y.log1p() * x.maximum(y) - x.minimum(y * 0.1);
        "powers" x y (x.square() + 0.5).pow(0.5) + (y + 1.0).pow(1.7) - (y + 1.0).pow(x);
        "twice" x y x.exp() * x.exp() + y.sin() * y.cos() + x.erf();
        "remainders" x y x.remainder(0.7) + y.floor() * x.atan2(y);
        "clamp" x y x.clamp(-0.5, 0.5) * y + x.round();
    }
}

#[test]
fn fused_digits_are_those_of_the_operations_in_turn() {
    let x = [-1.7, -0.6, -0.25, 0.1, 0.33, 0.7, 1.3, 2.9];
    let y = [0.9, 0.2, 1.7, 0.45, 0.05, 2.2, 0.6, 1.1];
    let mut compared = 0;
    for case in cases() {
        for dtype in FLOATS {
            let (x, y) = (leaf(&x, dtype), leaf(&y, dtype));
            let (fused, in_turn) = (case.fused.call((&x, &y)), (case.in_turn)(&x, &y));
            assert_eq!(fused.dtype(), dtype, "{}", case.name);
            assert_eq!(bits(&fused), bits(&in_turn), "{} in {dtype}: {fused} {in_turn}", case.name);
            for input in [&x, &y] {
                let (a, b) = (gradient(&fused, input), gradient(&in_turn, input));
                assert_eq!(bits(&a), bits(&b), "gradient of {} in {dtype}: {a} {b}", case.name);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 10 * 4 * 2);
}

#[test]
fn gradients_of_every_order_agree_with_differences() {
    let inputs = || {
        // Broadcast: the first over columns, the second over rows.
        let x = from_vec(vec![-1.3, 0.4, 0.85, 1.9], [4, 1]).requires_grad_(true);
        let y = from_vec(vec![0.35, 1.21, 2.3], [3]).requires_grad_(true);
        [x, y]
    };
    for case in cases().iter().filter(|c| !["remainders", "clamp"].contains(&c.name)) {
        let f = |t: &[Tensor]| Ok(vec![case.fused.try_call((&t[0], &t[1]))?]);
        gradcheck(&f, &inputs(), GradCheckOptions::default()).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        gradgradcheck(&f, &inputs(), GradCheckOptions::default()).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    }
    // d⁴/dx⁴ of x⁵ is 120 x.
    let fifth = pointwise(|[x]| x.square() * x.square() * x);
    let x = leaf(&[0.5, -2.0], DType::F64);
    let fourth = (0..4).fold(fifth.call(&x), |y, _| gradient(&y, &x));
    assert!(fourth.allclose(&(&x * 120.0)), "{fourth}");
}

#[test]
fn a_branch_that_was_not_taken_sends_no_gradient() {
    // ELU(100) has gradient 1, though exp(100) is infinite in f32.
    let elu = pointwise(|[x]| x.gt(0.0).where_(x, x.exp() - 1.0));
    let x = leaf(&[100.0, -1.0], DType::F32);
    let y = elu.call(&x);
    let first = gradient(&y, &x);
    assert_eq!(first.to_vec::<f32>(), [1.0, (-1.0f32).exp()]);
    assert_eq!(gradient(&first, &x).to_vec::<f32>(), [0.0, (-1.0f32).exp()]);
}

#[test]
fn the_graph_shows_one_operation() {
    let f = pointwise(|[x, y]| x * y + x.tanh());
    let (x, y) = (leaf(&[1.0], DType::F32), leaf(&[2.0], DType::F32));
    let out = f.call((&x, &y));
    let node = out.grad_fn().unwrap();
    assert_eq!(node.name(), "PointwiseBackward0");
    assert!(!f.call((x.detach(), y.detach())).requires_grad());
    // What it saves is watched.
    let z = &x * 1.0;
    let out = f.call((&z, &y)).sum();
    z.add_(1.0);
    let message = flambeau_autograd::backward(&[&out], &[None], false, false).unwrap_err().to_string();
    assert!(message.contains("modified by an inplace operation"), "{message}");
}

#[test]
fn dtypes_promote_once_for_the_whole_function() {
    let f = pointwise(|[x, y]| x * 2 + y);
    let of = |a: DType, b: DType| f.call((tensor([1, 2]).to(a), tensor([3, 4]).to(b)));
    assert_eq!(of(DType::I64, DType::I64).dtype(), DType::I64);
    assert_eq!(of(DType::I64, DType::I64).to_vec::<i64>(), [5, 8]);
    assert_eq!(of(DType::I32, DType::F16).dtype(), DType::F16);
    assert_eq!(of(DType::F32, DType::F64).dtype(), DType::F64);
    assert_eq!(of(DType::U8, DType::Bool).dtype(), DType::U8);
    // A float number makes floats of integers, as does a function with float results.
    assert_eq!(pointwise(|[x]| x + 0.5).call(tensor([1, 2])).to_vec::<f32>(), [1.5, 2.5]);
    assert_eq!(pointwise(|[x]| x.pow(2.0)).call(tensor([3])).dtype(), DType::F32);
    assert_eq!(pointwise(|[x]| x.pow(2)).call(tensor([3])).to_vec::<i64>(), [9]);
    assert_eq!(pointwise(|[x]| x.exp() * x).call(tensor([0, 1])).dtype(), DType::F32);
    // Comparisons are bools; two of them make a bool.
    let both = pointwise(|[x, y]| x.gt(0) * y.gt(0)).call((tensor([1.0, 1.0]), tensor([1.0, -1.0])));
    assert_eq!((both.dtype(), both.to_vec::<bool>()), (DType::Bool, vec![true, false]));
    let either = pointwise(|[x, y]| x.gt(0) + y.gt(0)).call((tensor([1.0, -1.0]), tensor([1.0, -1.0])));
    assert_eq!(either.to_vec::<bool>(), [true, false]);
    // A condition takes no part.
    let choose = pointwise(|[c, x]| c.where_(x, -x));
    assert_eq!(choose.call((tensor([1.0, 0.0]).to(DType::F64), tensor([3.0, 4.0]))).dtype(), DType::F32);
    // The gradient has its input's dtype.
    let (half, single) = (leaf(&[1.5], DType::F16), leaf(&[2.5], DType::F32));
    pointwise(|[x, y]| x * y).call((&half, &single)).sum().backward();
    assert_eq!((half.grad().unwrap().dtype(), single.grad().unwrap().dtype()), (DType::F16, DType::F32));
}

#[test]
fn shapes_broadcast_and_views_are_read_where_they_lie() {
    let f = pointwise(|[x, y, z]| x * y + z);
    let x = leaf(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], DType::F32);
    let (t, column) = (x.view([2, 3]).t(), from_vec(vec![10.0f32, 20.0, 30.0], [3, 1]).requires_grad_(true));
    let out = f.call((&t, &column, tensor(1.0)));
    assert_eq!(out.size(), [3, 2]);
    assert_eq!(out.to_vec::<f32>(), [11.0, 41.0, 41.0, 101.0, 91.0, 181.0]);
    out.sum().backward();
    assert_eq!(column.grad().unwrap().to_vec::<f32>(), [5.0, 7.0, 9.0]);
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [10.0, 20.0, 30.0, 10.0, 20.0, 30.0]);
    // Inputs that the formula ignores still broadcast, and get no gradient to speak of.
    let first = pointwise(|[x, _y]| x * 2.0);
    let y = leaf(&[0.0, 0.0], DType::F32);
    let out = first.call((tensor([[1.0], [2.0]]), &y));
    assert_eq!(out.size(), [2, 2]);
    assert_eq!(first.call((from_vec(Vec::<f32>::new(), [0]), tensor(1.0))).size(), [0]);
}

#[test]
fn functions_that_differ_in_numbers_are_one_program() {
    let scaled = |factor: f64| pointwise(move |[x]| (x * factor).tanh());
    for factor in [0.5, 1.0, -0.0, f64::INFINITY] {
        let x = leaf(&[0.25, -2.0], DType::F64);
        assert_eq!(bits(&scaled(factor).call(&x)), bits(&(&x * factor).tanh()), "{factor}");
    }
    // −0 and 0 are two numbers.
    let over = |zero: f64| pointwise(move |[x]| x / zero).call(tensor([1.0])).item();
    assert_eq!((over(0.0), over(-0.0)), (f64::INFINITY, f64::NEG_INFINITY));
    assert_eq!(format!("{:?}", scaled(0.5)), format!("{:?}", scaled(0.75)));
}

#[test]
fn errors_are_pytorchs() {
    let message = |error: Result<Tensor, Error>| error.unwrap_err().to_string();
    let sub = pointwise(|[x, y]| x - y);
    assert_eq!(
        message(sub.try_call((tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])))),
        "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0"
    );
    let bools = tensor([true, false]);
    assert!(
        message(sub.try_call((&bools, &bools))).starts_with("Subtraction, the `-` operator, with two bool tensors")
    );
    assert!(message(pointwise(|[x]| -x).try_call(&bools)).starts_with("Negation, the `-` operator, on a bool tensor"));
    assert_eq!(message(pointwise(|[x]| x.abs()).try_call(&bools)), "\"abs_cpu\" not implemented for 'Bool'");
    let panics = |f: fn()| {
        let error = std::panic::catch_unwind(f).unwrap_err();
        error.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    assert!(
        panics(|| {
            pointwise(|[x]| -x.gt(0));
        })
        .starts_with("Negation, the `-` operator, on a bool tensor")
    );
    assert!(
        panics(|| {
            pointwise(|[x]| x.gt(0) - x.lt(1));
        })
        .starts_with("Subtraction, the `-` operator, with two bool")
    );
    assert_eq!(
        panics(|| {
            pointwise(|[x]| (0..300).fold(x, |x, i| x + i));
        }),
        "a pointwise program has at most 256 runtime scalars"
    );
}

#[test]
fn thirty_two_inputs_are_the_most() {
    let sum = pointwise(|x: [Value<'_>; 32]| x.iter().skip(1).fold(x[0], |sum, &x| sum + x));
    let inputs: [Tensor; 32] = std::array::from_fn(|i| leaf(&[i as f64], DType::F64));
    let out = sum.call(inputs.each_ref());
    assert_eq!(out.item(), 496.0);
    out.backward();
    assert!(inputs.iter().all(|t| t.grad().unwrap().item() == 1.0));
    // A gradient that needs all of them, what comes in and the result is said before anything is computed.
    let full = pointwise(|x: [Value<'_>; 32]| x.iter().skip(1).fold(x[0], |all, &x| all * x.sin()).tanh());
    let error = full.try_call(inputs.each_ref()).unwrap_err().to_string();
    assert!(
        error.starts_with("the gradient of this pointwise function for input 0 takes more than 32 tensors"),
        "{error}"
    );
    let plain: [Tensor; 32] = inputs.map(|t| t.detach());
    assert!(full.try_call(plain.each_ref()).is_ok());
}

/// A random formula of values, and of tensors.
#[derive(Clone, Copy, Debug)]
struct Step(usize, usize, usize, f64);

fn run<T>(steps: &[Step], inputs: [T; 2], step: &dyn Fn(&Step, &T, &T) -> T) -> T {
    let mut values = Vec::from(inputs);
    for s in steps {
        let value = step(s, &values[s.1 % values.len()], &values[s.2 % values.len()]);
        values.push(value);
    }
    values.pop().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A random function has the digits of its operations in turn, in every float dtype, and so have its gradients.
    #[test]
    fn random_functions_are_their_operations_in_turn(
        steps in proptest::collection::vec((0usize..10, 0usize..32, 0usize..32, -2.0f64..2.0), 1..10),
        x in proptest::collection::vec(-2.0f64..2.0, 5), y in proptest::collection::vec(0.1f64..2.0, 5),
    ) {
        let steps: Vec<Step> = steps.into_iter().map(|(k, a, b, c)| Step(k, a, b, c)).collect();
        let f = pointwise(|inputs| run(&steps, inputs, &|s, &a, &b| match s.0 {
            0 => a + b,
            1 => a * b,
            2 => a - b * s.3,
            3 => a.tanh(),
            4 => a.sigmoid() * b,
            5 => a.sin() + s.3,
            6 => a.maximum(b),
            7 => (a * 0.25).exp(),
            8 => s.3 - a,
            _ => a / (b.square() + 1.0),
        }));
        for dtype in FLOATS {
            let (x, y) = (leaf(&x, dtype), leaf(&y, dtype));
            let in_turn = run(&steps, [x.shallow_clone(), y.shallow_clone()], &|s, a, b| match s.0 {
                0 => a + b,
                1 => a * b,
                2 => a - b * s.3,
                3 => a.tanh(),
                4 => a.sigmoid() * b,
                5 => a.sin() + s.3,
                6 => a.maximum(b),
                7 => (a * 0.25).exp(),
                8 => s.3 - a,
                _ => a / (b.square() + 1.0),
            });
            let fused = f.call((&x, &y));
            prop_assert_eq!(bits(&fused), bits(&in_turn), "{}: {} {}", dtype, fused, in_turn);
            for input in [&x, &y] {
                let (a, b) = (gradient(&fused, input), gradient(&in_turn, input));
                prop_assert_eq!(bits(&a), bits(&b), "gradient in {}: {} {}", dtype, a, b);
            }
        }
    }
}
