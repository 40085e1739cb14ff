//! A row's optimizer and scheduler.

use flambeau_autograd::Setting;
use flambeau_optim::lr_scheduler::*;
use flambeau_optim::swa_utils::{SWALR, SWALROptions};
use flambeau_optim::{Adagrad, Adam, Optimizer, OptionValue, ParamGroup, RMSprop, SGD};
use flambeau_tensor::Scalar;
use serde_json::Value;
use std::f64::consts::PI;

/// One case of the goldens.
pub struct Row(pub Value);

/// A scheduler, of which one class steps otherwise.
pub enum Any {
    Plateau(ReduceLROnPlateau),
    Other(LRScheduler),
}

impl Any {
    pub fn base(&self) -> &LRScheduler {
        match self {
            Any::Plateau(plateau) => plateau,
            Any::Other(scheduler) => scheduler,
        }
    }

    pub fn plateau(&self) -> &ReduceLROnPlateau {
        if let Any::Plateau(plateau) = self { plateau } else { panic!("no metric is taken") }
    }
}

/// The functions of the generator, by their number.
const LAMBDAS: [fn(i64) -> f64; 5] = [
    |e| 0.95_f64.powf(e as f64),
    |e| 1.0 / (1.0 + e as f64),
    |e| (1.0 - e as f64 / 10.0).max(0.1),
    |e| e.div_euclid(3) as f64,
    |e| 0.5 * (1.0 + (PI * e as f64 / 8.0).cos()),
];
const SCALES: [fn(f64) -> f64; 3] =
    [|x| 0.5 * (1.0 + (x * PI / 2.0).sin()), |x| 1.0 / 5_f64.powf(x * 0.25), |x| 1.0 / (1.0 + x)];

pub fn scalar(value: &Value) -> Scalar {
    match value.as_i64() {
        Some(int) => Scalar::Int(int),
        None => Scalar::Float(value.as_f64().unwrap()),
    }
}

fn per_group(value: &Value) -> PerGroup {
    match value.as_array() {
        Some(list) => list.iter().map(scalar).collect::<Vec<_>>().setting(),
        None => scalar(value).setting(),
    }
}

impl Row {
    pub fn optimizer(&self) -> Optimizer {
        let groups = self.0["groups"].as_array().unwrap();
        let params = groups.iter().map(|_| ParamGroup::new([flambeau_autograd::zeros([1]).requires_grad_(true)]));
        let optimizer: Optimizer = match self.0["optimizer"].as_str().unwrap() {
            "SGD" => SGD::with(params, 0.1, |o| o.momentum(0.9)).into(),
            "Adam" => Adam::new(params, 0.1).into(),
            "RMSprop" => RMSprop::new(params, 0.1).into(),
            "Adagrad" => Adagrad::new(params, 0.1).into(),
            other => panic!("{other}"),
        };
        for (group, options) in optimizer.param_groups().iter().zip(groups) {
            let options = options.as_object().unwrap();
            options.iter().for_each(|(name, value)| group.set(name, OptionValue::Number(scalar(value))));
        }
        optimizer
    }

    pub fn scheduler(&self, optimizer: &Optimizer) -> Any {
        self.build(&self.0["scheduler"], optimizer)
    }

    fn build(&self, spec: &Value, optimizer: &Optimizer) -> Any {
        let own = spec.get("other").map(|_| self.optimizer());
        let optimizer = own.as_ref().unwrap_or(optimizer);
        let kwargs = Kwargs(&spec["kwargs"]);
        let parts: Vec<LRScheduler> = spec["parts"]
            .as_array()
            .map_or(Vec::new(), |parts| parts.iter().map(|part| self.build(part, optimizer).base().clone()).collect());
        let last = kwargs.int("last_epoch").unwrap_or(-1);
        Any::Other(match spec["name"].as_str().unwrap() {
            "ReduceLROnPlateau" => return Any::Plateau(kwargs.plateau(optimizer)),
            "SequentialLR" => {
                SequentialLR::with(optimizer, parts, kwargs.ints("milestones"), |o| o.last_epoch(last)).into()
            }
            "ChainedScheduler" => ChainedScheduler::new(parts).into(),
            name => kwargs.simple(name, optimizer, last),
        })
    }
}

/// A scheduler's keyword arguments.
struct Kwargs<'a>(&'a Value);

impl Kwargs<'_> {
    fn given<T>(&self, name: &str, parse: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        self.0.get(name).filter(|value| !value.is_null()).map(|value| parse(value).expect("of its kind"))
    }
    fn int(&self, name: &str) -> Option<i64> {
        self.given(name, Value::as_i64)
    }
    fn float(&self, name: &str) -> Option<f64> {
        self.given(name, Value::as_f64)
    }
    fn flag(&self, name: &str) -> Option<bool> {
        self.given(name, Value::as_bool)
    }
    fn text(&self, name: &str) -> Option<String> {
        self.given(name, |value| value.as_str().map(str::to_owned))
    }
    fn rates(&self, name: &str) -> Option<PerGroup> {
        self.given(name, |value| Some(per_group(value)))
    }
    fn ints(&self, name: &str) -> Vec<i64> {
        self.0[name].as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
    }

    fn simple(&self, name: &str, optimizer: &Optimizer, last: i64) -> LRScheduler {
        match name {
            "StepLR" => {
                let size = self.int("step_size").unwrap();
                StepLR::with(optimizer, size, |o| set(o, self.float("gamma"), StepLROptions::gamma).last_epoch(last))
                    .into()
            }
            "MultiStepLR" => MultiStepLR::with(optimizer, self.ints("milestones"), |o| {
                set(o, self.float("gamma"), MultiStepLROptions::gamma).last_epoch(last)
            })
            .into(),
            "ExponentialLR" => {
                ExponentialLR::with(optimizer, self.float("gamma").unwrap(), |o| o.last_epoch(last)).into()
            }
            "ConstantLR" => ConstantLR::with(optimizer, |o| {
                let o = set(o, self.float("factor"), ConstantLROptions::factor);
                set(o, self.int("total_iters"), ConstantLROptions::total_iters).last_epoch(last)
            })
            .into(),
            "LinearLR" => LinearLR::with(optimizer, |o| {
                let o = set(o, self.float("start_factor"), LinearLROptions::start_factor);
                let o = set(o, self.float("end_factor"), LinearLROptions::end_factor);
                set(o, self.int("total_iters"), LinearLROptions::total_iters).last_epoch(last)
            })
            .into(),
            "PolynomialLR" => PolynomialLR::with(optimizer, |o| {
                let o = set(o, self.int("total_iters"), PolynomialLROptions::total_iters);
                set(o, self.float("power"), PolynomialLROptions::power).last_epoch(last)
            })
            .into(),
            "CosineAnnealingLR" => CosineAnnealingLR::with(optimizer, self.int("T_max").unwrap(), |o| {
                set(o, self.float("eta_min"), CosineAnnealingLROptions::eta_min).last_epoch(last)
            })
            .into(),
            "CosineAnnealingWarmRestarts" => {
                CosineAnnealingWarmRestarts::with(optimizer, self.int("T_0").unwrap(), |o| {
                    let o = set(o, self.int("T_mult"), CosineAnnealingWarmRestartsOptions::T_mult);
                    set(o, self.float("eta_min"), CosineAnnealingWarmRestartsOptions::eta_min).last_epoch(last)
                })
                .into()
            }
            "LambdaLR" | "MultiplicativeLR" => self.lambda(name, optimizer, last),
            "CyclicLR" => self.cyclic(optimizer, last).into(),
            "OneCycleLR" => self.one_cycle(optimizer, last).into(),
            "SWALR" => SWALR::with(optimizer, self.rates("swa_lr").unwrap(), |o| {
                let o = set(o, self.int("anneal_epochs"), SWALROptions::anneal_epochs);
                set(o, self.text("anneal_strategy"), SWALROptions::anneal_strategy).last_epoch(last)
            })
            .into(),
            other => panic!("the goldens have {other}, which no test here knows"),
        }
    }

    fn lambda(&self, name: &str, optimizer: &Optimizer, last: i64) -> LRScheduler {
        if let Some(one) = self.0["lr_lambda"].as_u64() {
            let lambda = LAMBDAS[one as usize];
            return match name {
                "LambdaLR" => LambdaLR::with(optimizer, lambda, |o| o.last_epoch(last)).into(),
                _ => MultiplicativeLR::with(optimizer, lambda, |o| o.last_epoch(last)).into(),
            };
        }
        let lambdas = self.ints("lr_lambda").into_iter();
        let lambdas = lambdas.map(|i| Box::new(LAMBDAS[i as usize]) as Box<dyn Fn(i64) -> f64 + Send + Sync>).collect();
        match name {
            "LambdaLR" => LambdaLR::with_groups_with(optimizer, lambdas, |o| o.last_epoch(last)).into(),
            _ => MultiplicativeLR::with_groups_with(optimizer, lambdas, |o| o.last_epoch(last)).into(),
        }
    }

    fn cyclic(&self, optimizer: &Optimizer, last: i64) -> CyclicLR {
        CyclicLR::with(optimizer, self.rates("base_lr").unwrap(), self.rates("max_lr").unwrap(), |o| {
            let o = set(o, self.int("step_size_up"), CyclicLROptions::step_size_up);
            let o = set(o, self.int("step_size_down"), CyclicLROptions::step_size_down);
            let o = set(o, self.text("mode"), CyclicLROptions::mode);
            let o = set(o, self.float("gamma"), CyclicLROptions::gamma);
            let o = set(o, self.text("scale_mode"), CyclicLROptions::scale_mode);
            let o = set(o, self.flag("cycle_momentum"), CyclicLROptions::cycle_momentum);
            let o = set(o, self.rates("base_momentum"), CyclicLROptions::base_momentum);
            let o = set(o, self.rates("max_momentum"), CyclicLROptions::max_momentum);
            let scale = self.int("scale_fn").map(|i| SCALES[i as usize]);
            set(o, scale, CyclicLROptions::scale_fn).last_epoch(last)
        })
    }

    fn one_cycle(&self, optimizer: &Optimizer, last: i64) -> OneCycleLR {
        OneCycleLR::with(optimizer, self.rates("max_lr").unwrap(), |o| {
            let o = set(o, self.int("total_steps"), OneCycleLROptions::total_steps);
            let o = set(o, self.int("epochs"), OneCycleLROptions::epochs);
            let o = set(o, self.int("steps_per_epoch"), OneCycleLROptions::steps_per_epoch);
            let o = set(o, self.float("pct_start"), OneCycleLROptions::pct_start);
            let o = set(o, self.text("anneal_strategy"), OneCycleLROptions::anneal_strategy);
            let o = set(o, self.flag("cycle_momentum"), OneCycleLROptions::cycle_momentum);
            let o = set(o, self.rates("base_momentum"), OneCycleLROptions::base_momentum);
            let o = set(o, self.rates("max_momentum"), OneCycleLROptions::max_momentum);
            let o = set(o, self.float("div_factor"), OneCycleLROptions::div_factor);
            let o = set(o, self.float("final_div_factor"), OneCycleLROptions::final_div_factor);
            set(o, self.flag("three_phase"), OneCycleLROptions::three_phase).last_epoch(last)
        })
    }

    fn plateau(&self, optimizer: &Optimizer) -> ReduceLROnPlateau {
        ReduceLROnPlateau::with(optimizer, |o| {
            let o = set(o, self.text("mode"), ReduceLROnPlateauOptions::mode);
            let o = set(o, self.float("factor"), ReduceLROnPlateauOptions::factor);
            let o = set(o, self.int("patience"), ReduceLROnPlateauOptions::patience);
            let o = set(o, self.float("threshold"), ReduceLROnPlateauOptions::threshold);
            let o = set(o, self.text("threshold_mode"), ReduceLROnPlateauOptions::threshold_mode);
            let o = set(o, self.int("cooldown"), ReduceLROnPlateauOptions::cooldown);
            let o = set(o, self.rates("min_lr"), ReduceLROnPlateauOptions::min_lr);
            set(o, self.float("eps"), ReduceLROnPlateauOptions::eps)
        })
    }
}

/// Sets an option that is given.
fn set<O, T>(options: O, value: Option<T>, setter: impl FnOnce(O, T) -> O) -> O {
    match value {
        Some(value) => setter(options, value),
        None => options,
    }
}
