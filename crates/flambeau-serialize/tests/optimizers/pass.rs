//! The states of `goldens/states.py`, each loaded into an optimizer, a scheduler or a scaler of its class, and its state again.

use flambeau_autograd::{Tensor, arange, tensor};
use flambeau_optim::lr_scheduler::{
    ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LRScheduler,
    LambdaLR, LinearLR, MultiStepLR, MultiplicativeLR, OneCycleLR, PolynomialLR, ReduceLROnPlateau, SequentialLR,
    StepLR,
};
use flambeau_optim::swa_utils::SWALR;
use flambeau_optim::{
    ASGD, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, GradScaler, LBFGS, Muon, NAdam, Optimizer, ParamGroup,
    RAdam, RMSprop, Rprop, SGD,
};
use flambeau_serialize::{Save, Value, dict};

/// With PyTorch's defaults, which the loaded state replaces.
fn optimizer(name: &str) -> Optimizer {
    let params = [arange(6).float().view([2, 3]), tensor([[1.0, -0.5], [0.25, 2.0]])];
    let params = params.map(|p| p.requires_grad_(true));
    let groups = || [ParamGroup::new(&params[..1]), ParamGroup::new(&params[1..])];
    match name {
        "SGD" => SGD::new(groups(), 0.1).into(),
        "Adam" => Adam::new(groups(), 0.1).into(),
        "AdamW" => AdamW::new(groups(), 0.1).into(),
        "Adagrad" => Adagrad::new(groups(), 0.1).into(),
        "RMSprop" => RMSprop::new(groups(), 0.1).into(),
        "NAdam" => NAdam::new(groups(), 0.1).into(),
        "Adadelta" => Adadelta::new(groups(), 0.1).into(),
        "Adamax" => Adamax::new(groups(), 0.1).into(),
        "RAdam" => RAdam::new(groups(), 0.1).into(),
        "Rprop" => Rprop::new(groups(), 0.1).into(),
        "ASGD" => ASGD::new(groups(), 0.1).into(),
        "Adafactor" => Adafactor::new(groups(), 0.1).into(),
        "Muon" => Muon::new(groups(), 0.1).into(),
        "LBFGS" => LBFGS::new(&params, 0.1).into(),
        other => panic!("{other}"),
    }
}

fn scheduler(name: &str) -> LRScheduler {
    let o = &optimizer("SGD");
    let constant = |_| 1.0;
    match name {
        "StepLR" => StepLR::new(o, 9, 0.9).into(),
        "MultiStepLR" => MultiStepLR::new(o, [9], 0.9).into(),
        "ConstantLR" => ConstantLR::new(o).into(),
        "LinearLR" => LinearLR::new(o).into(),
        "ExponentialLR" => ExponentialLR::new(o, 0.9).into(),
        "PolynomialLR" => PolynomialLR::new(o).into(),
        "CosineAnnealingLR" => CosineAnnealingLR::new(o, 9).into(),
        "LambdaLR" => LambdaLR::new(o, constant).into(),
        "MultiplicativeLR" => MultiplicativeLR::new(o, constant).into(),
        "ReduceLROnPlateau" => ReduceLROnPlateau::new(o).into(),
        "CosineAnnealingWarmRestarts" => CosineAnnealingWarmRestarts::new(o, 9).into(),
        "CyclicLR" => CyclicLR::new(o, 0.1, 0.2).into(),
        "OneCycleLR" => OneCycleLR::new(o, 0.1, 9).into(),
        "SequentialLR" => SequentialLR::new(o, (ConstantLR::new(o), MultiStepLR::new(o, [9], 0.9)), [9]).into(),
        "ChainedScheduler" => ChainedScheduler::new((ExponentialLR::new(o, 0.5), StepLR::new(o, 9, 0.9))).into(),
        "SWALR" => SWALR::new(o, 0.1).into(),
        other => panic!("{other}"),
    }
}

/// What the golden file holds, after it went through this library's classes.
pub fn passed(golden: &Value<Tensor>) -> Value<Tensor> {
    let states = |key: &str, pass: &dyn Fn(&str, &Value<Tensor>) -> Value<Tensor>| {
        let each = golden[key].iter().map(|entry| {
            let name = entry[0].as_str().expect("a name");
            (name.to_owned(), pass(name, &entry[1]))
        });
        each.collect::<Vec<_>>()
    };
    let optimizers = states("optimizers", &|name, state| {
        let optimizer = optimizer(name);
        optimizer.load_state_dict(state).unwrap_or_else(|e| panic!("{name}: {e}"));
        optimizer.state_dict().to_value()
    });
    let schedulers = states("schedulers", &|name, state| {
        let scheduler = scheduler(name);
        scheduler.load_state_dict(state).unwrap_or_else(|e| panic!("{name}: {e}"));
        scheduler.state_dict().to_value()
    });
    let of_scaler = |state: &Value<Tensor>| {
        let scaler = GradScaler::with("cpu", |o| o.enabled(!state.is_empty()));
        scaler.load_state_dict(state).expect("a scaler's state");
        scaler.state_dict()
    };
    let scalers: Vec<_> = golden["scalers"].iter().map(of_scaler).collect();
    dict! { "optimizers": optimizers, "schedulers": schedulers, "scalers": scalers }
}
