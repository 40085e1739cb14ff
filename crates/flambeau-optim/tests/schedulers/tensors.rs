//! Learning rates that are tensors: schedulers fill them, and what is noted does not alias them.

use flambeau_autograd::{Tensor, ones, tensor};
use flambeau_optim::lr_scheduler::{
    CosineAnnealingLR, CyclicLR, ExponentialLR, LinearLR, OneCycleLR, ReduceLROnPlateau, SequentialLR, StepLR,
};
use flambeau_optim::{Optimizer, SGD};

fn optimizer(lr: &Tensor) -> Optimizer {
    SGD::with([ones([1]).requires_grad_(true)], lr, |o| o.momentum(0.9)).into()
}

fn near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-6 * expected, "{actual} {expected}");
}

#[test]
fn schedulers_fill_a_tensor_that_is_a_learning_rate() {
    let lr = tensor(0.5);
    let optimizer = optimizer(&lr);
    let scheduler = StepLR::new(&optimizer, 1, 0.1);
    optimizer.step();
    scheduler.step();
    near(lr.item(), 0.05);
    assert_eq!(optimizer.param_groups()[0].lr(), lr.item());
    near(scheduler.get_last_lr()[0], 0.05);
    assert_eq!(
        (scheduler.base_lrs(), optimizer.param_groups()[0].get("initial_lr").unwrap().as_f64()),
        (vec![0.5], Some(0.5))
    );
    // What was noted is no view of the rate.
    lr.fill_(7.0);
    near(scheduler.get_last_lr()[0], 0.05);
    scheduler.step();
    near(lr.item(), 0.7);
}

/// What PyTorch has in the tensor after each of three steps.
#[test]
fn every_kind_of_scheduler_fills_it() {
    let run = |make: &dyn Fn(&Optimizer) -> Box<dyn Fn()>, expected: [f64; 4]| {
        let lr = tensor(0.5);
        let optimizer = optimizer(&lr);
        let step = make(&optimizer);
        for (i, expected) in expected.into_iter().enumerate() {
            if i > 0 {
                optimizer.step();
                step();
            }
            near(lr.item(), expected);
        }
    };
    run(
        &|o| {
            let s = CosineAnnealingLR::new(o, 4);
            Box::new(move || s.step())
        },
        [0.5, 0.426_776_707, 0.250_000_03, 0.073_223_315],
    );
    run(
        &|o| {
            let s = OneCycleLR::new(o, 1.0, 4);
            Box::new(move || s.step())
        },
        [0.04, 0.811_745_644, 0.283_060_998, 4e-6],
    );
    run(
        &|o| {
            let s = CyclicLR::with(o, 0.1, 0.5, |o| o.step_size_up(2));
            Box::new(move || s.step())
        },
        [0.1, 0.3, 0.5, 0.3],
    );
    run(
        &|o| {
            let s = ReduceLROnPlateau::with(o, |o| o.patience(0));
            Box::new(move || s.step(1.0))
        },
        [0.5, 0.5, 0.05, 0.005],
    );
    run(
        &|o| {
            let warmup = LinearLR::with(o, |o| o.start_factor(0.5).total_iters(2));
            let s = SequentialLR::new(o, (warmup, ExponentialLR::new(o, 0.5)), [2]);
            Box::new(move || s.step())
        },
        [0.25, 0.375, 0.5, 0.25],
    );
}

/// `group['lr']` is the user's tensor; a loaded state, and a copied one, has tensors of its own.
#[test]
fn a_group_has_the_tensor_itself_and_a_loaded_state_a_copy() {
    let lr = tensor(0.5);
    let first = optimizer(&lr);
    let of_group = |o: &Optimizer| match o.param_groups()[0].get("lr") {
        Some(flambeau_optim::OptionValue::Tensor(lr)) => lr,
        other => panic!("{other:?}"),
    };
    assert!(of_group(&first).is_same(&lr));
    let second = optimizer(&tensor(0.1));
    let (state, copy) = (first.state_dict(), first.state_dict().clone());
    second.load_state_dict(&state).unwrap();
    lr.fill_(0.25);
    assert_eq!((of_group(&first).item(), of_group(&second).item()), (0.25, 0.5));
    second.load_state_dict(&copy).unwrap();
    assert_eq!(of_group(&second).item(), 0.5);
}
