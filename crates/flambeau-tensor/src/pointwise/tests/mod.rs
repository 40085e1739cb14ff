//! Programs and their derivatives, evaluated one number at a time.

mod composed;
mod graph;

use super::{BinaryOp, Leaf, Node, Pointwise, UnaryOp};
use crate::Scalar;
use proptest::prelude::*;

/// A plain interpreter for programs of simple functions, in f64.
fn evaluate(program: &Pointwise, inputs: &[f64], scalars: &[f64]) -> Vec<f64> {
    evaluate_in(program, inputs, scalars, |x| x)
}

/// [`evaluate`], where `round` is what rounding between operations does.
fn evaluate_in(program: &Pointwise, inputs: &[f64], scalars: &[f64], round: fn(f64) -> f64) -> Vec<f64> {
    let truth = |b: bool| f64::from(u8::from(b));
    let mut values: Vec<f64> = Vec::new();
    for node in program.nodes() {
        let at = |i: u16| values[i as usize];
        let value = match *node {
            Node::Input(i) => inputs[i as usize],
            Node::Scalar(i) => scalars[i as usize],
            Node::Const(c) => c.to_f64(),
            Node::Round(a) => round(at(a)),
            Node::Where(c, a, b) => {
                if at(c) != 0.0 {
                    at(a)
                } else {
                    at(b)
                }
            }
            Node::Unary(op, a) => {
                let x = at(a);
                match op {
                    UnaryOp::Neg => -x,
                    UnaryOp::Abs => x.abs(),
                    UnaryOp::Sign => {
                        if x > 0.0 {
                            1.0
                        } else if x < 0.0 {
                            -1.0
                        } else {
                            0.0
                        }
                    }
                    UnaryOp::Exp => x.exp(),
                    UnaryOp::Expm1 => x.exp_m1(),
                    UnaryOp::Log => x.ln(),
                    UnaryOp::Sin => x.sin(),
                    UnaryOp::Cos => x.cos(),
                    UnaryOp::Tanh => x.tanh(),
                    UnaryOp::Sqrt => x.sqrt(),
                    UnaryOp::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                    UnaryOp::LogicalNot => truth(x == 0.0),
                    UnaryOp::Relu => {
                        if x < 0.0 {
                            0.0
                        } else {
                            x
                        }
                    }
                    other => panic!("the interpreter has no {other:?}"),
                }
            }
            Node::Binary(op, a, b) => {
                let (x, y) = (at(a), at(b));
                match op {
                    BinaryOp::Add => x + y,
                    BinaryOp::Sub => x - y,
                    BinaryOp::Mul => x * y,
                    BinaryOp::Div => x / y,
                    BinaryOp::Pow => x.powf(y),
                    BinaryOp::Maximum => x.max(y),
                    BinaryOp::Minimum => x.min(y),
                    BinaryOp::Eq => truth(x == y),
                    BinaryOp::Lt => truth(x < y),
                    BinaryOp::Le => truth(x <= y),
                    BinaryOp::Gt => truth(x > y),
                    BinaryOp::Ge => truth(x >= y),
                    BinaryOp::LogicalAnd => truth(x != 0.0 && y != 0.0),
                    BinaryOp::LogicalOr => truth(x != 0.0 || y != 0.0),
                    other => panic!("the interpreter has no {other:?}"),
                }
            }
        };
        values.push(value);
    }
    program.outputs().iter().map(|&o| values[o as usize]).collect()
}

/// The gradient of input `i` for incoming gradients of one.
fn gradient(program: &Pointwise, i: usize, inputs: &[f64], scalars: &[f64]) -> f64 {
    let outputs = evaluate(program, inputs, scalars);
    let gradient = program.gradient(i);
    let leaves: Vec<f64> = gradient
        .leaves
        .iter()
        .map(|leaf| match *leaf {
            Leaf::Grad(_) | Leaf::Tangent(_) => 1.0,
            Leaf::Input(i) => inputs[i as usize],
            Leaf::Output(j) => outputs[j as usize],
        })
        .collect();
    evaluate(&gradient.program, &leaves, scalars)[0]
}

/// What a gradient takes, gradients first.
fn leaves(program: &Pointwise, i: usize) -> Vec<Leaf> {
    let mut leaves = program.gradient(i).leaves.clone();
    leaves.sort_by_key(|l| format!("{l:?}"));
    leaves
}

fn unary(op: UnaryOp) -> Pointwise {
    Pointwise::new(|b| b.input(0).unary(op))
}

#[test]
fn each_function_needs_what_pytorch_saves() {
    use Leaf::{Grad, Input, Output};
    assert_eq!(leaves(&unary(UnaryOp::Tanh), 0), [Grad(0), Output(0)]);
    assert_eq!(leaves(&unary(UnaryOp::Exp), 0), [Grad(0), Output(0)]);
    assert_eq!(leaves(&unary(UnaryOp::Relu), 0), [Grad(0), Output(0)]);
    assert_eq!(leaves(&unary(UnaryOp::Sin), 0), [Grad(0), Input(0)]);
    assert_eq!(leaves(&unary(UnaryOp::Neg), 0), [Grad(0)]);
    let mul = Pointwise::new(|b| b.input(0) * b.input(1));
    assert_eq!((leaves(&mul, 0), leaves(&mul, 1)), (vec![Grad(0), Input(1)], vec![Grad(0), Input(0)]));
    let add = Pointwise::new(|b| b.input(0) + b.input(1));
    assert_eq!(leaves(&add, 0), [Grad(0)]);
    let div = Pointwise::new(|b| b.input(0) / b.input(1));
    assert!(!leaves(&div, 1).contains(&Output(0)), "PyTorch saves the operands, not the quotient");
    assert!(unary(UnaryOp::Floor).gradient(0).is_zero);
}

#[test]
fn a_branch_that_was_not_taken_sends_no_nan() {
    // ELU: exp(100 · 10) is infinite, and 0 · inf would be NaN.
    let elu = Pointwise::new(|b| {
        let x = b.input(0);
        x.gt(0.0).select(x, (x * 10.0).exp() - 1.0)
    });
    assert_eq!(gradient(&elu, 0, &[100.0], &[]), 1.0);
    let safe_log = Pointwise::new(|b| {
        let x = b.input(0);
        x.gt(0.0).select(x.log(), 0.0)
    });
    assert_eq!(gradient(&safe_log, 0, &[0.0], &[]), 0.0);
}

#[test]
fn powers_at_zero() {
    let pow = Pointwise::new(|b| b.input(0).pow(b.scalar(0)));
    assert_eq!(gradient(&pow, 0, &[0.0], &[0.0]), 0.0);
    assert_eq!(gradient(&pow, 0, &[3.0], &[2.0]), 6.0);
    let base = Pointwise::new(|b| b.scalar(0).pow(b.input(0)));
    assert_eq!(gradient(&base, 0, &[2.0], &[0.0]), 0.0);
}

#[test]
fn two_outputs_add_their_gradients() {
    let both = Pointwise::with_outputs(|b| {
        let x = b.input(0);
        vec![x * x, x.sin()]
    });
    assert!((gradient(&both, 0, &[0.5], &[]) - (1.0 + 0.5f64.cos())).abs() < 1e-15);
}

#[test]
fn constants_keep_their_kind() {
    let program = Pointwise::new(|b| b.input(0) + b.constant(9_007_199_254_740_993_i64));
    assert!(program.nodes().contains(&Node::Const(Scalar::Int(9_007_199_254_740_993))));
}

proptest! {
    /// First and second derivatives of a nested formula against finite differences.
    #[test]
    fn derivatives_agree_with_differences(x in 0.2f64..2.0, y in 0.2f64..2.0, s in 0.5f64..3.0) {
        let program = Pointwise::new(|b| {
            let (x, y, s) = (b.input(0), b.input(1), b.scalar(0));
            let inner = (x * y).tanh() / (y + s) - (x - s).exp();
            inner.lt(y).select(inner * x.sqrt(), inner.sin()) + x.pow(s)
        });
        let eps = 1e-5;
        for i in 0..2 {
            let at = |d: f64| {
                let mut inputs = [x, y];
                inputs[i] += d;
                inputs
            };
            let numeric = (evaluate(&program, &at(eps), &[s])[0] - evaluate(&program, &at(-eps), &[s])[0]) / (2.0 * eps);
            let analytic = gradient(&program, i, &[x, y], &[s]);
            prop_assert!((numeric - analytic).abs() < 1e-6 * (1.0 + analytic.abs()), "{numeric} {analytic}");

            // The gradient is a program as well: differentiate it once more.
            let first = &program.gradient(i);
            let position = first.leaves.iter().position(|l| *l == Leaf::Input(i as u8));
            if let Some(position) = position {
                let leaves = |inputs: [f64; 2]| -> Vec<f64> {
                    first.leaves.iter().map(|l| match *l {
                        Leaf::Grad(_) | Leaf::Tangent(_) => 1.0,
                        Leaf::Input(k) => inputs[k as usize],
                        Leaf::Output(_) => evaluate(&program, &[x, y], &[s])[0],
                    }).collect()
                };
                let second = gradient(&first.program, position, &leaves([x, y]), &[s]);
                let at = |d: f64| evaluate(&first.program, &leaves(at(d)), &[s])[0];
                let numeric = (at(eps) - at(-eps)) / (2.0 * eps);
                prop_assert!((numeric - second).abs() < 1e-4 * (1.0 + second.abs()), "{numeric} {second}");
            }
        }
    }
}
