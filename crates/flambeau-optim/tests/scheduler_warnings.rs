//! Warnings, each at a line of its own, since a line warns once. One test, since all look at the same list.

use flambeau_autograd::warned;
use flambeau_optim::lr_scheduler::{ChainedScheduler, LRScheduler, ReduceLROnPlateau, Schedule, StepLR};
use flambeau_optim::{Optimizer, SGD};

const ORDER: &str = "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call \
                     them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result \
                     in PyTorch skipping the first value of the learning rate schedule. See more details at \
                     https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate";
const EPOCH: &str = "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use \
                     `scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed \
                     form is used instead of the new chainable form, where available. Please open an issue if you are unable to \
                     replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose.";
const LAST: &str = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.";

fn optimizer() -> Optimizer {
    SGD::new([flambeau_autograd::ones([1]).requires_grad_(true)], 0.1).into()
}

struct Constant;

impl Schedule for Constant {
    fn get_lr(&self, scheduler: &LRScheduler) -> Vec<f64> {
        scheduler.base_lrs()
    }
}

/// How many new places warn in these words while `call` runs.
fn new(words: &str, call: impl FnOnce()) -> usize {
    let before = warned(words);
    call();
    warned(words) - before
}

#[test]
fn warnings_are_pytorchs() {
    let first = optimizer();
    let scheduler = StepLR::new(&first, 2, 0.5);
    assert_eq!(new(ORDER, || scheduler.step()), 1, "the optimizer has not stepped");
    assert_eq!(new(ORDER, || scheduler.step()), 0, "only the first step is looked at");
    let second = optimizer();
    let scheduler = StepLR::new(&second, 2, 0.5);
    second.step();
    assert_eq!(new(ORDER, || scheduler.step()), 0, "the order is right");
    assert_eq!(new(EPOCH, || scheduler.step_epoch(3)), 1);
    assert_eq!(new(LAST, || drop(scheduler.get_lr())), 1);
    assert_eq!(new(LAST, || drop(scheduler.get_last_lr())), 0);
    let plateau = ReduceLROnPlateau::new(&second);
    assert_eq!(new(EPOCH, || plateau.step(1.0)), 0);
    assert_eq!(new(EPOCH, || plateau.step_epoch(1.0, 3)), 1);
    let own = LRScheduler::new(&second, Constant);
    assert_eq!(new(LAST, || drop(own.get_lr())), 0, "a user's get_lr does not warn");
    let third = optimizer();
    let chained = ChainedScheduler::new((StepLR::new(&third, 2, 0.5),));
    assert_eq!(new(ORDER, || chained.step()), 1, "the scheduler that it runs warns");
}
