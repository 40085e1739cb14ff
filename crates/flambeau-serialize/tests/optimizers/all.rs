//! The runs of `goldens/all_optimizers.py`: named parameters, gradients that are fixed numbers, a closure for LBFGS.

use flambeau_autograd::{Tensor, arange, tensor};
use flambeau_optim::{ASGD, Adadelta, Adafactor, Adam, Adamax, LBFGS, Muon, Optimizer, RAdam, Rprop};
use flambeau_serialize::{Save, Value};
use std::ops::Range;

pub const ALL: [&str; 9] = ["Adadelta", "Adamax", "RAdam", "Rprop", "ASGD", "Adafactor", "Muon", "LBFGS", "Adam"];

/// How near the numbers of an optimizer must be: Muon computes in bfloat16, and a line search makes large numbers of small ones.
#[allow(dead_code, reason = "the example that writes files compares nothing")]
pub fn near(name: &str) -> f64 {
    match name {
        "Muon" => 2e-2,
        "LBFGS" => 1e-3,
        _ => 1e-5,
    }
}

pub fn all_problem(name: &str) -> Vec<Tensor> {
    let second = tensor([1.0, -0.5, 0.25, 2.0]);
    let second = if name == "Muon" { second.view([2, 2]) } else { second };
    let params = [arange(6).float().view([2, 3]) / 4 - 0.5, second];
    params.into_iter().map(|p| p.requires_grad_(true)).collect()
}

pub fn all_optimizer(name: &str, params: &[Tensor], lr: f64) -> Optimizer {
    let named = ["weight", "bias"].into_iter().zip(params);
    match name {
        "Adadelta" => Adadelta::with(named, lr, |o| o.rho(0.8)).into(),
        "Adamax" => Adamax::with(named, lr, |o| o.weight_decay(0.1)).into(),
        "RAdam" => RAdam::with(named, lr, |o| o.betas((0.8, 0.9))).into(),
        "Rprop" => Rprop::with(named, lr, |o| o.etas((0.25, 1.5))).into(),
        "ASGD" => ASGD::with(named, lr, |o| o.t0(1).lambd(0.1)).into(),
        "Adafactor" => {
            Adafactor::with(named, lr, |o| o.eps(flambeau_optim::OptionValue::tuple([None, Some(0.1)]))).into()
        }
        "Muon" => Muon::with(named, lr, |o| o.momentum(0.5).adjust_lr_fn("match_rms_adamw")).into(),
        "LBFGS" => LBFGS::with(named, lr, |o| o.max_iter(3).history_size(4).line_search_fn("strong_wolfe")).into(),
        "Adam" => Adam::with(named, tensor(lr), |o| o.amsgrad(true)).into(),
        other => panic!("{other}"),
    }
}

pub fn all_steps(name: &str, optimizer: &Optimizer, params: &[Tensor], times: Range<i64>) {
    for t in times {
        if name == "LBFGS" {
            optimizer.step_closure(|| {
                optimizer.zero_grad();
                let loss = params[0].pow(4).sum() + params[1].sub(1).pow(4).sum();
                loss.backward();
                loss
            });
            continue;
        }
        for (i, p) in params.iter().enumerate() {
            p.set_grad(Some((arange(p.numel() as i64).float().view_as(p) - t) / (i as i64 + 2)));
        }
        optimizer.step();
    }
}

/// What the golden's script makes: of each optimizer its state after three steps, its parameters then and after three more.
pub fn of_all_optimizers() -> Value<Tensor> {
    let run = |name: &'static str| {
        let params = all_problem(name);
        let optimizer = all_optimizer(name, &params, 0.1);
        let copies = || params.iter().map(|p| p.detach().clone()).collect::<Vec<_>>();
        all_steps(name, &optimizer, &params, 0..3);
        let (state, now) = (optimizer.state_dict().clone(), copies());
        all_steps(name, &optimizer, &params, 3..6);
        (name, Value::dict([("state", state.to_value()), ("params", now.to_value()), ("after", copies().to_value())]))
    };
    Value::dict(ALL.into_iter().map(run))
}
