//! One random optimizer against PyTorch's: prints, steps, state dicts, groups, errors.

use flambeau_autograd::Tensor;
use flambeau_optim::{Optimizer, OptionValue, ParamGroup, StateDict, StateValue};
use flambeau_tensor::Device;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{
    Arg, ExpectedError, OptimizerGroup, OptimizerSnapshot, RandomOptimizerCase, RandomOptimizerStep,
};

use crate::classes::make;
use crate::{compare, option, tensor};

/// Constructor options go through the constructor here, since some are its alone.
fn build(case: &RandomOptimizerCase, params: &[Tensor]) -> Optimizer {
    let (class, kwargs) = (&case.optimizer, &case.kwargs);
    match (&case.groups, &case.names) {
        (None, None) => make(class, kwargs, case.order.iter().map(|&i| &params[i])),
        (None, Some(names)) => make(class, kwargs, case.order.iter().map(|&i| (&names[..][i], &params[i]))),
        (Some(groups), names) => {
            let named = |at| names.as_deref().filter(|_| at == 0 || !case.half_named);
            make(class, kwargs, groups.iter().enumerate().map(|(at, g)| group(g, params, named(at))))
        }
    }
}

fn group(group: &OptimizerGroup, params: &[Tensor], names: Option<&[String]>) -> ParamGroup {
    let made = match names {
        None => ParamGroup::new(group.params.iter().map(|&i| &params[i])),
        Some(names) => ParamGroup::new(group.params.iter().map(|&i| (&names[i], &params[i]))),
    };
    group.options.iter().fold(made, |made, (name, value)| made.option(name, option(value)))
}

/// Panics unless a call fails as PyTorch's does.
fn refused<T>(what: &str, result: Result<T, String>, expected: &ExpectedError) {
    // Python prints a KeyError's message with its class.
    let words = match expected.exception.as_str() {
        "KeyError" => format!("KeyError: {}", expected.message),
        _ => expected.message.clone(),
    };
    match result {
        Err(ours) => assert_eq!(ours, words, "{what}"),
        Ok(_) => panic!("{what} does not fail: {words}"),
    }
}

fn parameters(case: &RandomOptimizerCase, device: Device) -> Vec<Tensor> {
    let make = |(golden, leaf): &(_, bool)| {
        let x = tensor(golden, device).requires_grad_(true);
        if *leaf { x } else { x.mul(1.0) }
    };
    case.params.iter().map(make).collect()
}

/// Panics unless an optimizer does on a device what PyTorch's does.
pub fn check(case: &RandomOptimizerCase, device: Device) {
    let params = parameters(case, device);
    let built = catch(|| build(case, &params));
    if let Some(error) = &case.error {
        return refused("constructor", built, error);
    }
    let optimizer = built.unwrap_or_else(|e| panic!("constructor: {e}"));
    assert_eq!(optimizer.to_string(), case.repr);
    let defaults: Vec<(String, OptionValue)> = optimizer.defaults().iter().map(|(n, v)| (n.to_owned(), v)).collect();
    same_options("defaults", &defaults, &case.defaults);
    same_state("initial", &optimizer.state_dict(), case.initial.as_ref(), case);
    for (i, step) in case.steps.iter().enumerate() {
        let what = format!("step {i}");
        prepare(&what, &optimizer, step, &params, device);
        let result = catch(|| optimizer.step());
        if let Some(error) = &step.error {
            return refused(&what, result, error);
        }
        result.unwrap_or_else(|e| panic!("{what}: {e}"));
        for (param, expected) in params.iter().zip(&step.params) {
            compare(&what, param, expected, case.tolerance);
        }
    }
    same_state("final", &optimizer.state_dict(), case.last.as_ref(), case);
    resumes(case, &optimizer, &params, device);
}

/// Changes options, adds a group, sets gradients.
fn prepare(what: &str, optimizer: &Optimizer, step: &RandomOptimizerStep, params: &[Tensor], device: Device) {
    if let Some((at, options)) = &step.set {
        options.iter().for_each(|(name, value)| optimizer.param_groups()[*at].set(name, option(value)));
    }
    if let Some(added) = &step.add {
        let result = catch(|| optimizer.add_param_group(group(added, params, None)));
        match &step.add_error {
            Some(error) => refused(what, result, error),
            None => result.unwrap_or_else(|e| panic!("{what}: {e}")),
        }
    }
    for (param, grad) in params.iter().zip(&step.grads) {
        param.set_grad(grad.as_ref().map(|g| tensor(g, device)));
    }
}

fn same_options(what: &str, actual: &[(String, OptionValue)], expected: &[(String, Arg)]) {
    let expected = expected.iter().filter(|(name, _)| name != "params");
    let expected: Vec<String> = expected.map(|(name, arg)| format!("{name}: {}", option(arg))).collect();
    let actual: Vec<String> = actual.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(actual, expected, "{what}");
}

fn same_state(what: &str, actual: &StateDict, expected: Option<&OptimizerSnapshot>, case: &RandomOptimizerCase) {
    let expected = expected.expect("a state dict");
    assert_eq!(actual.param_groups.len(), expected.param_groups.len(), "{what}");
    for (actual, expected) in actual.param_groups.iter().zip(&expected.param_groups) {
        same_options(what, &actual.options, expected);
        let ids = expected.iter().find(|(name, _)| name == "params").map(|(_, ids)| ids.as_ints().expect("ids"));
        assert_eq!(Some(actual.params.iter().map(|&id| id as i64).collect()), ids, "{what}: ids");
    }
    let mut states: Vec<_> = actual.state.iter().collect();
    states.sort_by_key(|(id, _)| *id);
    let ids = |all: &mut dyn Iterator<Item = usize>| all.collect::<Vec<_>>();
    assert_eq!(ids(&mut states.iter().map(|s| s.0)), ids(&mut expected.state.iter().map(|s| s.0)), "{what}: state");
    for ((id, actual), (_, expected)) in states.into_iter().zip(&expected.state) {
        let names = |all: &mut dyn Iterator<Item = &String>| all.cloned().collect::<Vec<_>>();
        let (ours, theirs) = (&mut actual.iter().map(|(n, _)| n), &mut expected.iter().map(|(n, _)| n));
        assert_eq!(names(ours), names(theirs), "{what}: entries of {id}");
        for ((name, value), (_, expected)) in actual.iter().zip(expected) {
            let StateValue::Tensor(value) = value else { panic!("{what}: {name} is no tensor") };
            compare(&format!("{what}: {name} of {id}"), value, expected, case.tolerance);
        }
    }
}

/// A new optimizer with other options that loads the state goes on as the first does, with the same state dict.
fn resumes(case: &RandomOptimizerCase, first: &Optimizer, params: &[Tensor], device: Device) {
    let copies = parameters(case, device);
    for (copy, param) in copies.iter().zip(params) {
        copy.detach().copy_(param.detach());
        copy.set_grad(param.grad());
    }
    let groups = first.param_groups().into_iter().map(|g| {
        let index = |p: &Tensor| params.iter().position(|q| q.is_same(p)).expect("a parameter");
        ParamGroup::new(g.params().iter().map(|p| &copies[index(p)])).lr(0.25)
    });
    let second = make(&case.optimizer, &Default::default(), groups);
    second.load_state_dict(&first.state_dict()).expect("the same groups");
    first.step();
    second.step();
    for (a, b) in params.iter().zip(&copies) {
        let bits = |x: &Tensor| x.double().to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(a), bits(b), "a loaded optimizer goes another way");
    }
    let options = |o: &Optimizer| o.state_dict().param_groups.into_iter().map(|g| g.options).collect::<Vec<_>>();
    let text = |all: Vec<Vec<(String, OptionValue)>>| format!("{all:?}");
    assert_eq!(text(options(first)), text(options(&second)), "options after loading");
}
