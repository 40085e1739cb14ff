//! Programs as shared graphs: what is one node, what is none, how large derivatives are, and what cannot be.

use super::{evaluate, gradient};
use crate::pointwise::{Builder, Expr, Gradient, Leaf, Node, Pointwise};
use crate::{DType, Scalar};
use std::time::{Duration, Instant};

fn leaky<'b>(x: Expr<'b>, slope: f64) -> Expr<'b> {
    x.gt(0.0).select(x, x * slope)
}

/// A slope for each leaky ReLU of a chain, none of them 1, which would be no step.
fn slope(i: usize) -> f64 {
    0.25 + i as f64 / 1024.0
}

/// `n` leaky ReLUs one after the other, each with its own slope, as one formula.
fn chain(n: usize) -> Pointwise {
    Pointwise::new(|b| (0..n).fold(b.input(0), |x, i| leaky(x, slope(i))))
}

/// The gradient for the program's own input, not for the incoming gradient.
fn by_input(gradient: &'static Gradient) -> Option<&'static Gradient> {
    let position = gradient.leaves.iter().position(|leaf| matches!(leaf, Leaf::Input(_)))?;
    Some(gradient.program.gradient(position))
}

#[test]
fn zeros_of_both_signs_are_two_constants() {
    let program = Pointwise::new(|b| b.input(0) + b.constant(0.0) + b.constant(-0.0));
    let zeros: Vec<u64> = program
        .nodes()
        .iter()
        .filter_map(|n| if let Node::Const(Scalar::Float(x)) = n { Some(x.to_bits()) } else { None })
        .collect();
    assert_eq!(zeros, [0.0f64.to_bits(), (-0.0f64).to_bits()]);
    // One over each is an infinity of its own sign.
    let signs =
        Pointwise::with_outputs(|b| vec![b.constant(1.0) / 0.0 + b.input(0), b.constant(1.0) / -0.0 + b.input(0)]);
    assert_eq!(evaluate(&signs, &[1.0], &[]), [f64::INFINITY, f64::NEG_INFINITY]);
    // Programs that differ in it alone are not one compiled program.
    let [plus, minus] = [0.0, -0.0].map(|zero| Pointwise::new(move |b| b.input(0).pow(zero)));
    assert_ne!(plus.structure(DType::F32).id, minus.structure(DType::F32).id);
    let [nan, other] = [f64::NAN, f64::NAN].map(|x| Pointwise::new(move |b| b.input(0) + x));
    assert_eq!(nan.structure(DType::F32).id, other.structure(DType::F32).id);
}

#[test]
fn what_changes_nothing_is_no_step() {
    let nodes = |formula: fn(&Builder) -> Expr<'_>| Pointwise::new(formula).nodes().len();
    assert_eq!(nodes(|b| b.input(0) * 1.0), 1);
    assert_eq!(nodes(|b| 1.0 * b.input(0)), 1);
    assert_eq!(nodes(|b| b.input(0) - 0.0), 1);
    assert_eq!(nodes(|b| -(-b.input(0))), 1);
    assert_eq!(nodes(|b| b.input(0).rounded().rounded()), 1);
    assert_eq!(nodes(|b| b.input(0).exp().rounded().rounded()), 3);
    // These change a zero's sign, a NaN or a dtype.
    assert_eq!(nodes(|b| b.input(0) + 0.0), 3);
    assert_eq!(nodes(|b| b.input(0) * 0.0), 3);
    assert_eq!(nodes(|b| b.input(0) - -0.0), 3);
    assert_eq!(nodes(|b| b.input(0) / 1.0), 3);
    // A product is the same whichever factor comes first, a difference is not.
    assert_eq!(nodes(|b| b.input(0) * b.input(1) + b.input(1) * b.input(0)), 4);
    assert_eq!(nodes(|b| (b.input(0) - b.input(1)) + (b.input(1) - b.input(0))), 5);
    // Inputs stay, whether or not they are used: a call passes them.
    let ignores = Pointwise::new(|b| {
        b.input(0);
        b.input(1)
    });
    assert_eq!(ignores.num_inputs(), 2);
}

#[test]
fn rounding_is_left_out_where_nothing_rounds() {
    let program = Pointwise::new(|b| b.input(0).exp().rounded() * b.input(1));
    let rounds = |nodes: &[Node]| nodes.iter().any(|n| matches!(n, Node::Round(_)));
    assert!(rounds(program.steps(DType::F16).0) && rounds(program.steps(DType::BF16).0));
    assert!(!rounds(program.steps(DType::F32).0) && !rounds(program.steps(DType::I64).0));
    assert!(rounds(&program.structure(DType::F32).nodes) && !rounds(&program.structure(DType::I32).nodes));
}

#[test]
fn derivatives_are_as_large_as_their_programs() {
    for n in [8, 16, 64, 256] {
        let program = Box::leak(Box::new(chain(n)));
        assert_eq!(program.nodes().len(), 2 + 4 * n);
        let first = program.gradient(0);
        assert!(first.program.nodes().len() < 14 * n, "{n}: {}", first.program.nodes().len());
        let second = by_input(first).unwrap();
        assert!(second.program.nodes().len() < 14 * n, "{n}: {}", second.program.nodes().len());
    }
    // Smooth ones too, and their second derivatives.
    for n in [8, 16, 32] {
        let program: &'static Pointwise =
            Box::leak(Box::new(Pointwise::new(|b| (0..n).fold(b.input(0), |x, _| x * x.sigmoid()))));
        let first = program.gradient(0);
        assert!(first.program.nodes().len() < 16 * n, "{n}: {}", first.program.nodes().len());
        let second = by_input(first).unwrap();
        assert!(second.program.nodes().len() < 60 * n, "{n}: {}", second.program.nodes().len());
    }
    // Three branches, one of them zero.
    let wide: &'static Pointwise =
        Box::leak(Box::new(Pointwise::new(|b| (1..64).fold(b.input(0), |x, i| x.maximum(b.input(i % 8))))));
    assert!(wide.gradient(0).program.nodes().len() < 64 * 16, "{}", wide.gradient(0).program.nodes().len());
}

#[test]
fn the_gradient_of_a_long_chain_is_the_product_of_its_slopes() {
    let n = 40;
    let program = chain(n);
    let slopes: f64 = (0..n).map(slope).product();
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
    assert_eq!(gradient(&program, 0, &[3.0], &[]), 1.0);
    assert!(close(gradient(&program, 0, &[-3.0], &[]), slopes));
    // Folding the branches keeps what was not taken out of the product: its slope here is infinite, and its gradient zero.
    let guarded = Pointwise::new(|b| {
        let steep = (0..20).fold((b.input(0) * 10.0).exp(), |x, _| leaky(x, 0.5));
        let small = (0..20).fold(b.input(0), |x, _| leaky(x, 0.5));
        b.input(0).gt(0.0).select(small, leaky(steep, 0.25))
    });
    assert_eq!(gradient(&guarded, 0, &[100.0], &[]), 1.0);
}

#[test]
fn sixty_four_leaky_relus_differentiate_twice_in_a_millisecond() {
    // The best of several, since other tests run beside this one.
    let best = |make: &dyn Fn() -> &'static Pointwise| {
        (0..50)
            .map(|_| {
                let program = make();
                let start = Instant::now();
                let second = by_input(program.gradient(0)).unwrap();
                assert!(!second.program.nodes().is_empty());
                start.elapsed()
            })
            .min()
            .unwrap()
    };
    let formula = best(&|| Box::leak(Box::new(chain(64))));
    let composed = best(&|| super::composed::leaky_chain(64));
    println!("one formula: {formula:?}, 64 composed programs: {composed:?}");
    assert!(formula < Duration::from_millis(1), "one formula: {formula:?}");
    assert!(composed < Duration::from_millis(1), "64 composed programs: {composed:?}");
}

#[test]
fn what_a_program_cannot_hold_is_said_when_it_is_called() {
    let message = |program: &Pointwise| program.check().unwrap_err().to_string();
    let sum = |n: usize| Pointwise::new(move |b| (1..n).fold(b.input(0), |sum, i| sum + b.input(i)));
    assert!(sum(32).check().is_ok());
    assert_eq!(message(&sum(33)), "a pointwise program has at most 32 inputs");
    assert_eq!(message(&sum(300)), "a pointwise program has at most 32 inputs");
    let steps = |n: usize| Pointwise::new(move |b| (0..n).fold(b.input(0), |x, i| x + (i as f64 + 0.5)));
    assert!(steps(32_767).check().is_ok());
    assert_eq!(steps(32_767).nodes().len(), 65_535);
    assert_eq!(message(&steps(32_768)), "a pointwise program has at most 65536 steps");
    // Nor is a derivative made of it.
    let refused: &'static Pointwise = Box::leak(Box::new(sum(33)));
    assert!(refused.gradient(0).program.check().is_err());
    assert!(refused.tangent(1).program.check().is_err());
    // 32 inputs, one gradient and one result are too many for a program.
    let full = Pointwise::new(|b| (1..32).fold(b.input(0), |all, i| all * b.input(i).sin()).tanh());
    assert!(full.check().is_ok());
    assert_eq!(message(&full.gradient(1).program), "a pointwise program has at most 32 inputs");
}
