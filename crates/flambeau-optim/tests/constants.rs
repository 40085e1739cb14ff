//! Constants of LBFGS's line search that hardly show in ordinary steps: each case here goes another way
//! when its constant moves a little. The expected numbers are those of PyTorch 2.15 with the same losses.

use flambeau_autograd::{Tensor, tensor};
use flambeau_optim::LBFGS;
use std::cell::Cell;

/// How often so many iterations with a line search evaluate the loss from `start`, and where they end.
fn searched(loss: impl Fn(&Tensor) -> Tensor, start: f64, iterations: i64) -> (usize, f64) {
    let x = tensor([start]).double().requires_grad_(true);
    let optimizer = LBFGS::with([&x], 1, |o| o.max_iter(iterations).max_eval(100).line_search_fn("strong_wolfe"));
    let calls = Cell::new(0);
    optimizer.step_closure(|| {
        calls.set(calls.get() + 1);
        optimizer.zero_grad();
        let loss = loss(&x).sum();
        loss.backward();
        loss
    });
    (calls.get(), x.detach().to_vec::<f64>()[0])
}

fn ends_at(found: (usize, f64), calls: usize, end: f64) {
    assert!(found.0 == calls && (found.1 - end).abs() <= 1e-9 * end.abs(), "{found:?} in place of {:?}", (calls, end));
}

/// The first point keeps 1.5e-4 and 0.8e-4 of what the slope promises: on either side of the share that it must keep.
#[test]
fn a_search_asks_for_its_share_of_the_promised_decrease() {
    let cubic = |square: f64| move |x: &Tensor| square * x.pow(2) - x - 0.5 * x.pow(3);
    ends_at(searched(cubic(1.49985), 0.0, 1), 2, 1.0);
    ends_at(searched(cubic(1.49992), 0.0, 1), 3, 0.422688778447622);
}

/// At a kink no slope is small enough, so that the bracket shrinks to its end.
#[test]
fn a_search_shrinks_its_bracket_to_the_tolerance() {
    ends_at(searched(|x| x.sub(0.3).abs(), 1.0, 1), 21, 0.2999999999440699);
}

/// A point near an end of the bracket moves a tenth of it inwards, at the second time.
#[test]
fn a_search_that_stays_near_an_end_moves_inwards() {
    let loss = |x: &Tensor| 3.0 * x.sub(0.3).abs() + 0.3 * x.pow(4) - 0.15 * x.pow(2) + x.mul(5.0).sin();
    ends_at(searched(loss, 0.5, 2), 8, 0.7948845802709384);
}

/// The second point is higher than the first, and good: only from the third on is a point that rises an end of the bracket.
#[test]
fn a_search_takes_a_second_point_that_rises() {
    let loss = |x: &Tensor| 69.54 * x.pow(2) - x - 202.46 * x.pow(3) + 191.29 * x.pow(4) - 59.37 * x.pow(5);
    ends_at(searched(loss, 0.0, 1), 3, 1.1433827182881777);
}
