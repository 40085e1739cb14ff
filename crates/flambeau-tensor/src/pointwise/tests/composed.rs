//! Composed programs against their parts in turn; tangents against gradients.

use super::{evaluate, evaluate_in};
use crate::Scalar;
use crate::pointwise::{BinaryOp, Composer, Leaf, Node, Pointwise, UnaryOp, Value};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

fn leak(program: Pointwise) -> &'static Pointwise {
    Box::leak(Box::new(program))
}

static LEAKY: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x.gt(0.0).select(x, x * b.scalar(0))
    })
});
static ELU_BRANCH: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) * 10.0).exp() - 1.0));
static POSITIVE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).gt(0.0)));
/// Its gradient is written out and is not what deriving would give, so that a test sees which is taken.
static CUBE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) * b.input(0) * b.input(0)).with_gradient(|_, g, x, _| vec![g * (x[0] * x[0] * 3.0)])
});

/// `n` leaky ReLUs, each with a slope of its own as runtime scalar.
pub(super) fn leaky_chain(n: usize) -> &'static Pointwise {
    leak(Pointwise::composed(|c| vec![(0..n).fold(c.input(0), |x, i| c.call(&LEAKY, &[x], &[c.scalar(i)])[0])]))
}

fn to_f16(x: f64) -> f64 {
    f64::from(half::f16::from_f64(x))
}

fn one(op: UnaryOp) -> &'static Pointwise {
    static ALL: Mutex<Option<HashMap<UnaryOp, &'static Pointwise>>> = Mutex::new(None);
    let mut all = ALL.lock().unwrap();
    all.get_or_insert_default().entry(op).or_insert_with(|| leak(Pointwise::new(|b| b.input(0).unary(op))))
}

fn two(op: BinaryOp) -> &'static Pointwise {
    static ALL: Mutex<Option<HashMap<BinaryOp, &'static Pointwise>>> = Mutex::new(None);
    let mut all = ALL.lock().unwrap();
    all.get_or_insert_default().entry(op).or_insert_with(|| leak(Pointwise::new(|b| b.input(0).binary(op, b.input(1)))))
}

/// A step of a random composition: which program, and on which of the values before.
type Step = (usize, usize, usize);

/// Inputs of a random composition.
const INPUTS: usize = 3;

fn program_of(kind: usize) -> &'static Pointwise {
    use UnaryOp::{Cos, Exp, Neg, Sigmoid, Sin, Tanh};
    match kind % 12 {
        0 => one(Tanh),
        1 => one(Sin),
        2 => one(Cos),
        3 => one(Neg),
        4 => one(Sigmoid),
        5 => two(BinaryOp::Add),
        6 => two(BinaryOp::Mul),
        7 => two(BinaryOp::Sub),
        8 => &CUBE,
        9 => &LEAKY,
        10 => two(BinaryOp::Maximum),
        _ => one(Exp),
    }
}

/// Keeps the values of a random composition in bounds: every third is squashed.
fn squashed(at: usize) -> bool {
    at % 3 == 2
}

fn composition(steps: &[Step]) -> &'static Pointwise {
    leak(Pointwise::composed(|c| {
        let mut values: Vec<Value<'_>> = (0..INPUTS).map(|i| c.input(i)).collect();
        for (at, &(kind, a, b)) in steps.iter().enumerate() {
            let pick = |k: usize| values[k % values.len()];
            let program = program_of(kind);
            let args = [pick(a), pick(b)];
            let mut value = c.call(program, &args[..program.num_inputs()], &[c.scalar(0)])[0];
            if squashed(at) {
                value = c.call(one(UnaryOp::Tanh), &[value], &[])[0];
            }
            values.push(value);
        }
        vec![values[values.len() - 1]]
    }))
}

/// The same, each step alone, and the gradients of the inputs by a sweep that knows nothing of composition.
fn in_turn(steps: &[Step], x: &[f64], slope: f64, round: fn(f64) -> f64) -> (f64, Vec<f64>) {
    let mut values: Vec<f64> = x.to_vec();
    let mut tape: Vec<(&'static Pointwise, Vec<usize>)> = Vec::new();
    let run = |program: &Pointwise, args: &[f64]| round(evaluate_in(program, args, &[slope], round)[0]);
    // Where each step's value lies: a squashed one takes two places.
    let mut visible: Vec<usize> = (0..INPUTS).collect();
    for (at, &(kind, a, b)) in steps.iter().enumerate() {
        let program = program_of(kind);
        let pick = |k: usize| visible[k % visible.len()];
        let args = [pick(a), pick(b)][..program.num_inputs()].to_vec();
        values.push(run(program, &args.iter().map(|&i| values[i]).collect::<Vec<_>>()));
        tape.push((program, args));
        if squashed(at) {
            let last = values.len() - 1;
            values.push(run(one(UnaryOp::Tanh), &[values[last]]));
            tape.push((one(UnaryOp::Tanh), vec![last]));
        }
        visible.push(values.len() - 1);
    }
    let mut grads: Vec<Option<f64>> = vec![None; values.len()];
    *grads.last_mut().unwrap() = Some(1.0);
    for (at, (program, args)) in tape.iter().enumerate().rev() {
        let result = INPUTS + at;
        let Some(grad) = grads[result] else { continue };
        for (k, &arg) in args.iter().enumerate() {
            let gradient = program.gradient(k);
            let leaves: Vec<f64> = gradient
                .leaves
                .iter()
                .map(|leaf| match *leaf {
                    Leaf::Grad(_) | Leaf::Tangent(_) => grad,
                    Leaf::Input(i) => values[args[i as usize]],
                    Leaf::Output(_) => values[result],
                })
                .collect();
            if !gradient.is_zero {
                let part = run(&gradient.program, &leaves);
                grads[arg] = Some(grads[arg].map_or(part, |sum| round(sum + part)));
            }
        }
    }
    (values[values.len() - 1], grads[..INPUTS].iter().map(|g| g.unwrap_or(0.0)).collect())
}

/// A derivative's program on what its leaves stand for.
fn call(
    (program, leaves): (&Pointwise, &[Leaf]),
    incoming: &[f64],
    x: &[f64],
    y: &[f64],
    scalars: &[f64],
    round: fn(f64) -> f64,
) -> Vec<f64> {
    let leaf = |leaf: &Leaf| match *leaf {
        Leaf::Grad(i) | Leaf::Tangent(i) => incoming[i as usize],
        Leaf::Input(i) => x[i as usize],
        Leaf::Output(j) => y[j as usize],
    };
    evaluate_in(program, &leaves.iter().map(leaf).collect::<Vec<_>>(), scalars, round)
}

fn gradients(program: &Pointwise, seeds: &[f64], x: &[f64], scalars: &[f64], round: fn(f64) -> f64) -> Vec<f64> {
    let y: Vec<f64> = evaluate_in(program, x, scalars, round);
    let of = |i: usize| {
        let gradient = program.gradient(i);
        call((&gradient.program, &gradient.leaves), seeds, x, &y, scalars, round)[0]
    };
    (0..program.num_inputs()).map(of).collect()
}

fn tangents(program: &'static Pointwise, wrt: u32, seeds: &[f64], x: &[f64], scalars: &[f64]) -> Vec<f64> {
    let y = evaluate(program, x, scalars);
    let form = program.tangent(wrt);
    call((&form.program, &form.leaves), seeds, x, &y, scalars, |x| x)
}

/// The formula of a random composition as one program, derived step by step instead of part by part.
fn as_one_formula(steps: &[Step]) -> &'static Pointwise {
    leak(Pointwise::new(|b| {
        let mut values: Vec<_> = (0..INPUTS).map(|i| b.input(i)).collect();
        for (at, &(kind, p, q)) in steps.iter().enumerate() {
            let pick = |k: usize| values[k % values.len()];
            let args = [pick(p), pick(q)];
            let value = crate::pointwise::builder::inline(b, program_of(kind), &args, &[b.scalar(0)])[0];
            values.push(if squashed(at) { value.tanh() } else { value });
        }
        values[values.len() - 1]
    }))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0usize..12, 0usize..64, 0usize..64), 1..12)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs())) || a == b
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A composed program has the digits of its parts in turn, and so have its gradients: in f64, and where f16 rounds between
    /// the parts.
    #[test]
    fn composed_programs_are_their_parts_in_turn(
        steps in steps(), x in [-1.5f64..1.5, -1.5f64..1.5, -1.5f64..1.5], slope in 0.1f64..0.9,
    ) {
        let program = composition(&steps);
        for round in [|x| x, to_f16 as fn(f64) -> f64] {
            let x = x.map(round);
            let (value, expected) = in_turn(&steps, &x, slope, round);
            let fused = evaluate_in(program, &x, &[slope], round)[0];
            prop_assert_eq!(fused.to_bits(), value.to_bits(), "{} {}", fused, value);
            let mut seen = gradients(program, &[1.0], &x, &[slope], round);
            seen.resize(INPUTS, 0.0);
            for (i, (a, b)) in seen.iter().zip(&expected).enumerate() {
                prop_assert!(a.to_bits() == b.to_bits() || *a == 0.0 && *b == 0.0, "input {}: {} {}", i, a, b);
            }
        }
    }

    /// The derivative of one formula, of the same formula composed, and of differences are one; so are second derivatives.
    #[test]
    fn derivatives_of_random_programs_agree(
        steps in steps(), x in [-1.2f64..1.2, -1.2f64..1.2, -1.2f64..1.2], slope in 0.1f64..0.9,
    ) {
        let (composed, formula) = (composition(&steps), as_one_formula(&steps));
        let all = |program: &Pointwise| {
            let mut all = gradients(program, &[1.0], &x, &[slope], |x| x);
            all.resize(INPUTS, 0.0);
            all
        };
        let (a, b) = (all(composed), all(formula));
        for i in 0..INPUTS {
            prop_assert!(near(a[i], b[i]), "input {}: {} {}", i, a[i], b[i]);
            let eps = 1e-6;
            let at = |d: f64| {
                let mut x = x;
                x[i] += d;
                evaluate(formula, &x, &[slope])[0]
            };
            let (low, high, mid) = (at(-eps), at(eps), at(0.0));
            // Not across a kink.
            let (left, right) = ((mid - low) / eps, (high - mid) / eps);
            if (left - right).abs() < 1e-3 * (1.0 + left.abs()) {
                let numeric = (high - low) / (2.0 * eps);
                prop_assert!((numeric - a[i]).abs() < 1e-4 * (1.0 + a[i].abs()), "input {}: {} {}", i, numeric, a[i]);
            }
        }
        // Second derivatives: the gradient's own gradients.
        let y = evaluate(composed, &x, &[slope]);
        for i in 0..composed.num_inputs().min(formula.num_inputs()) {
            let second = |program: &'static Pointwise| -> Vec<f64> {
                let first = program.gradient(i);
                let leaf = |leaf: &Leaf| match *leaf {
                    Leaf::Grad(_) | Leaf::Tangent(_) => 1.0,
                    Leaf::Input(k) => x[k as usize],
                    Leaf::Output(_) => y[0],
                };
                let leaves: Vec<f64> = first.leaves.iter().map(leaf).collect();
                let by_leaf = gradients(&first.program, &[1.0], &leaves, &[slope], |x| x);
                // What comes through the saved result comes through the inputs.
                let own = all(program);
                let mut total = vec![0.0; INPUTS];
                for (leaf, g) in first.leaves.iter().zip(by_leaf) {
                    match *leaf {
                        Leaf::Input(k) => total[k as usize] += g,
                        Leaf::Output(_) => own.iter().enumerate().for_each(|(k, o)| total[k] += g * o),
                        _ => {}
                    }
                }
                total
            };
            let (a, b) = (second(composed), second(formula));
            for k in 0..INPUTS {
                prop_assert!((a[k] - b[k]).abs() < 1e-6 * (1.0 + a[k].abs().max(b[k].abs())), "{} {}: {} {}", i, k, a[k], b[k]);
            }
        }
    }

    /// ⟨tangent(t), g⟩ = ⟨t, gradient(g)⟩, for every set of inputs, of formulas and of composed programs.
    #[test]
    fn tangents_and_gradients_are_adjoint(
        steps in steps(), x in [-1.2f64..1.2, -1.2f64..1.2, -1.2f64..1.2], t in [-1.0f64..1.0, -1.0f64..1.0, -1.0f64..1.0],
        g in -1.0f64..1.0, slope in 0.1f64..0.9, wrt in 1u32..8,
    ) {
        for program in [composition(&steps), as_one_formula(&steps)] {
            let forward = tangents(program, wrt, &t, &x, &[slope])[0] * g;
            let backward: f64 = gradients(program, &[g], &x, &[slope], |x| x)
                .iter().enumerate().filter(|(i, _)| wrt >> i & 1 == 1).map(|(i, d)| d * t[i]).sum();
            prop_assert!(near(forward, backward), "{} {}", forward, backward);
        }
    }
}

#[test]
fn composing_two_is_calling_one_after_the_other() {
    let [exp, mul] = [one(UnaryOp::Exp), two(BinaryOp::Mul)];
    let program = leak(Pointwise::compose(mul, exp));
    assert_eq!((program.num_inputs(), program.num_scalars()), (2, 0));
    assert_eq!(evaluate(program, &[0.5, 3.0], &[]), [0.5f64.exp() * 3.0]);
    // exp's gradient is made of its result, which the product does not show: it is computed again.
    assert_eq!(super::leaves(program, 0), [Leaf::Grad(0), Leaf::Input(0), Leaf::Input(1)]);
    assert_eq!(gradients(program, &[2.0], &[0.5, 3.0], &[], |x| x), [2.0 * 3.0 * 0.5f64.exp(), 2.0 * 0.5f64.exp()]);
    // The result is used where it is the last part's.
    let outer = leak(Pointwise::compose(exp, mul));
    assert!(outer.gradient(0).leaves.contains(&Leaf::Output(0)));
    // Scalars follow in the same order.
    let leaky = leak(Pointwise::compose(&LEAKY, &LEAKY));
    assert_eq!(leaky.num_scalars(), 2);
    assert_eq!(evaluate(leaky, &[-1.0], &[0.5, 0.25]), [-0.125]);
    assert_eq!(gradients(leaky, &[1.0], &[-1.0], &[0.5, 0.25], |x| x), [0.125]);
    // An explicit gradient stays the part's.
    let cubed = leak(Pointwise::compose(one(UnaryOp::Sin), &CUBE));
    let x = 0.7f64;
    assert_eq!(gradients(cubed, &[1.0], &[x], &[], |x| x), [1.0 * (x * x * x).cos() * (x * x * 3.0)]);
}

#[test]
fn composed_programs_round_between_their_parts() {
    let program = leak(Pointwise::compose(two(BinaryOp::Mul), one(UnaryOp::Exp)));
    let (x, y) = (to_f16(1.2345), to_f16(0.777));
    let expected = to_f16(to_f16(x.exp()) * y);
    assert_eq!(evaluate_in(program, &[x, y], &[], to_f16), [expected]);
    assert_ne!(to_f16(x.exp() * y), expected, "the numbers must show the rounding");
    assert!(program.gradient(0).program.nodes().iter().any(|n| matches!(n, Node::Round(_))));
}

#[test]
fn a_branch_that_was_not_taken_sends_no_nan_through_parts() {
    let elu = leak(Pointwise::composed(|c: &Composer| {
        let x = c.input(0);
        let positive = c.call(&POSITIVE, &[x], &[])[0];
        vec![c.select(positive, x, c.call(&ELU_BRANCH, &[x], &[])[0])]
    }));
    assert_eq!(gradients(elu, &[1.0], &[100.0], &[], |x| x), [1.0]);
    assert_eq!(gradients(elu, &[1.0], &[-0.1], &[], |x| x), [10.0 * (-1.0f64).exp()]);
    assert_eq!(tangents(elu, 1, &[1.0], &[100.0], &[]), [1.0]);
    // The second derivative at 100 is 0, where 0 · ∞ stood.
    let first = elu.gradient(0);
    let x = first.leaves.iter().position(|l| *l == Leaf::Input(0)).unwrap();
    let leaves: Vec<f64> = first.leaves.iter().map(|l| if *l == Leaf::Input(0) { 100.0 } else { 1.0 }).collect();
    assert_eq!(gradients(&first.program, &[1.0], &leaves, &[], |x| x)[x], 0.0);
}

#[test]
fn programs_that_make_the_same_calls_are_made_once() {
    let make = |last: usize| {
        Pointwise::composed_once(|c| {
            let y = c.call(&LEAKY, &[c.input(0)], &[c.scalar(0)])[0];
            vec![c.call(&LEAKY, &[y], &[c.scalar(last)])[0]]
        })
        .0
    };
    assert!(std::ptr::eq(make(1), make(1)));
    assert!(!std::ptr::eq(make(1), make(0)));
    // Numbers are given at each call.
    let sloped =
        |slope: f64| Pointwise::composed_once(|c| c.call(&LEAKY, &[c.input(0)], &[c.number(slope)]).into_vec());
    let ((a, of_a), (b, of_b)) = (sloped(0.25), sloped(0.5));
    assert!(std::ptr::eq(a, b));
    assert_eq!((of_a, of_b), (vec![Scalar::Float(0.25)], vec![Scalar::Float(0.5)]));
}

#[test]
fn what_composes_wrongly_is_said_when_it_is_called() {
    let few = Pointwise::composed(|c| c.call(two(BinaryOp::Mul), &[c.input(0)], &[]).into_vec());
    assert_eq!(
        few.check().unwrap_err().to_string(),
        "a pointwise program was called with too few inputs or scalars in another"
    );
    let many = Pointwise::composed(|c| {
        vec![(1..33).fold(c.input(0), |sum, i| c.call(two(BinaryOp::Add), &[sum, c.input(i)], &[])[0])]
    });
    assert_eq!(many.check().unwrap_err().to_string(), "a pointwise program has at most 32 inputs");
}

#[test]
fn size_and_time_of_composed_chains_are_linear() {
    for n in [16, 64, 256] {
        let program = leaky_chain(n);
        let first = program.gradient(0);
        assert!(first.program.nodes().len() < 12 * n, "{n}: {}", first.program.nodes().len());
        let x = first.leaves.iter().position(|leaf| matches!(leaf, Leaf::Input(_))).unwrap();
        let second = first.program.gradient(x);
        assert!(second.is_zero, "a chain of lines has no curvature");
    }
    let slopes: Vec<f64> = (0..40).map(|i| 0.5 + f64::from(i) / 256.0).collect();
    let scalars: Vec<Scalar> = slopes.iter().map(|&s| Scalar::Float(s)).collect();
    assert_eq!(scalars.len(), leaky_chain(40).num_scalars());
    let expected = slopes.iter().rev().fold(1.0, |g, s| g * s);
    assert_eq!(gradients(leaky_chain(40), &[1.0], &[-2.0], &slopes, |x| x), [expected]);
}
