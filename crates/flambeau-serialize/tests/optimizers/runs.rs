//! The runs of `goldens/optimizers.py`: two parameters in groups of their own, gradients that are fixed numbers.

use flambeau_autograd::{Tensor, arange, tensor};
use flambeau_optim::lr_scheduler::{
    ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LRScheduler,
    LambdaLR, LinearLR, MultiStepLR, OneCycleLR, PolynomialLR, SequentialLR, StepLR,
};
use flambeau_optim::swa_utils::SWALR;
use flambeau_optim::{Adagrad, Adam, AdamW, NAdam, Optimizer, ParamGroup, RMSprop, SGD};
use flambeau_serialize::{Save, Value};
use std::ops::Range;

pub const OPTIMIZERS: [&str; 6] = ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam"];
pub const SCHEDULERS: [&str; 14] = [
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "LambdaLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "OneCycleLR",
    "SequentialLR",
    "ChainedScheduler",
    "SWALR",
];

pub fn problem() -> Vec<Tensor> {
    let params = [arange(6).float().view([2, 3]) / 4 - 0.5, tensor([1.0, -0.5, 0.25])];
    params.into_iter().map(|p| p.requires_grad_(true)).collect()
}

pub fn optimizer(name: &str, params: &[Tensor]) -> Optimizer {
    let groups = [ParamGroup::new(&params[..1]), ParamGroup::with(&params[1..], |o| o.lr(0.02).weight_decay(0.01))];
    match name {
        "SGD" => SGD::with(groups, 0.1, |o| o.momentum(0.9).nesterov(true)).into(),
        "Adam" => Adam::with(groups, 0.1, |o| o.amsgrad(true)).into(),
        "AdamW" => AdamW::with(groups, 0.1, |o| o.weight_decay(0.1)).into(),
        "Adagrad" => Adagrad::with(groups, 0.1, |o| o.lr_decay(0.1)).into(),
        "RMSprop" => RMSprop::with(groups, 0.1, |o| o.centered(true).momentum(0.5)).into(),
        "NAdam" => NAdam::new(groups, 0.1).into(),
        other => panic!("{other}"),
    }
}

pub fn scheduler(name: &str, o: &Optimizer) -> LRScheduler {
    match name {
        "StepLR" => StepLR::new(o, 2, 0.5).into(),
        "MultiStepLR" => MultiStepLR::new(o, [1, 4, 4], 0.5).into(),
        "ConstantLR" => ConstantLR::new(o).into(),
        "LinearLR" => LinearLR::new(o).into(),
        "ExponentialLR" => ExponentialLR::new(o, 0.9).into(),
        "PolynomialLR" => PolynomialLR::new(o).into(),
        "CosineAnnealingLR" => CosineAnnealingLR::with(o, 4, |o| o.eta_min(0.01)).into(),
        "LambdaLR" => LambdaLR::new(o, |epoch| 1.0 / (1 + epoch) as f64).into(),
        "CosineAnnealingWarmRestarts" => CosineAnnealingWarmRestarts::with(o, 2, |o| o.T_mult(2)).into(),
        "CyclicLR" => CyclicLR::with(o, 0.01, [0.1, 0.2], |o| o.step_size_up(2)).into(),
        "OneCycleLR" => OneCycleLR::new(o, 0.5, 8).into(),
        "SequentialLR" => SequentialLR::new(o, (ConstantLR::new(o), MultiStepLR::new(o, [1], 0.1)), [2]).into(),
        "ChainedScheduler" => ChainedScheduler::new((ExponentialLR::new(o, 0.9), StepLR::new(o, 2, 0.1))).into(),
        "SWALR" => SWALR::with(o, [0.05, 0.01], |o| o.anneal_epochs(4)).into(),
        other => panic!("{other}"),
    }
}

pub fn steps(optimizer: &Optimizer, params: &[Tensor], times: Range<i64>) {
    for t in times {
        for (i, p) in params.iter().enumerate() {
            p.set_grad(Some((arange(p.numel() as i64).float().view_as(p) - t) / (i as i64 + 2)));
        }
        optimizer.step();
    }
}

/// What the golden's script makes: of each optimizer its state after three steps, its parameters then and after three more.
pub fn of_optimizers() -> Value<Tensor> {
    let run = |name: &'static str| {
        let params = problem();
        let optimizer = optimizer(name, &params);
        let copies = || params.iter().map(|p| p.detach().clone()).collect::<Vec<_>>();
        steps(&optimizer, &params, 0..3);
        let (state, now) = (optimizer.state_dict().clone(), copies());
        steps(&optimizer, &params, 3..6);
        (name, Value::dict([("state", state.to_value()), ("params", now.to_value()), ("after", copies().to_value())]))
    };
    Value::dict(OPTIMIZERS.into_iter().map(run))
}

/// Likewise of schedulers.
pub fn of_schedulers() -> Value<Tensor> {
    let run = |name: &'static str| {
        let optimizer = optimizer("SGD", &problem());
        let scheduler = scheduler(name, &optimizer);
        let step = || {
            optimizer.step();
            scheduler.step();
            scheduler.get_last_lr()
        };
        (0..3).for_each(|_| drop(step()));
        let (state, of_optimizer) = (scheduler.state_dict().to_value(), optimizer.state_dict().to_value());
        let rates: Vec<Vec<f64>> = (0..3).map(|_| step()).collect();
        (name, Value::dict([("state", state), ("optimizer", of_optimizer), ("rates", rates.to_value())]))
    };
    Value::dict(SCHEDULERS.into_iter().map(run))
}
