//! Hooks on the gradients of a whole module, as PyTorch's `torch.utils.hooks.BackwardHook` has them: the inputs go through one
//! node of the graph and the outputs through another, so that a hook sees all gradients of either at once.

use super::hooks::{Backward, BackwardPre, Hook, HookGrads};
use super::{Module, Value};
use flambeau_autograd::{Error, Result, Tensor, through_hook, warn};
use std::sync::{Arc, Mutex, PoisonError};

/// What a backward hook knows of its module, which may be gone by then: its name and its own parameters.
pub struct ModuleHandle {
    type_name: &'static str,
    parameters: Vec<(String, Tensor)>,
}

impl ModuleHandle {
    fn of(module: &dyn Module) -> Self {
        let parameters = module.members().parameters.into_iter();
        ModuleHandle {
            type_name: module.type_name(),
            parameters: parameters.map(|(name, p)| (name.into_owned(), p.shallow_clone())).collect(),
        }
    }

    /// The module's name in prints.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The module's own parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Tensor> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }
}

/// The backward hooks of one call.
pub(super) struct BackwardHooks(Arc<Shared>);

struct Shared {
    module: ModuleHandle,
    hooks: Vec<Backward>,
    before: Vec<BackwardPre>,
    passage: Mutex<Passage>,
}

#[derive(Default)]
struct Passage {
    /// The gradients of the outputs, once they are known.
    grad_outputs: Option<HookGrads>,
    inputs: usize,
    /// Whether the inputs' gradients pass a node of their own.
    on_inputs: bool,
}

impl Shared {
    /// Runs without the lock what may be the user's.
    fn passage<R>(&self, f: impl FnOnce(&mut Passage) -> R) -> R {
        f(&mut self.passage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The outputs' gradients have come.
    fn outputs(&self, grads: HookGrads) -> Result<HookGrads> {
        let mut grads = grads;
        for hook in &self.before {
            let Some(new) = hook(&self.module, &grads) else { continue };
            check_length("pre hook returned an invalid number of grad_output", &new, &grads)?;
            grads = new;
        }
        let (inputs, on_inputs) = self.passage(|p| (p.inputs, p.on_inputs));
        if on_inputs {
            self.passage(|p| p.grad_outputs.replace(handles(&grads)));
            return Ok(grads);
        }
        if !self.hooks.is_empty() {
            warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs \
                 require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#\
                 torch.nn.Module.register_full_backward_hook for more details.",
            );
        }
        for hook in &self.hooks {
            if hook(&self.module, &none(inputs), &grads).is_some_and(|new| new.iter().any(Option::is_some)) {
                return Err(Error::runtime(
                    "Backward hook for Modules where no input requires gradient should always return None or None for all \
                     gradients.",
                ));
            }
        }
        Ok(grads)
    }

    /// The inputs' gradients have come.
    fn inputs(&self, grads: HookGrads) -> Result<HookGrads> {
        // Without the outputs' the gradient did not pass the module, as in a double backward.
        let Some(grad_outputs) = self.passage(|p| p.grad_outputs.take()) else { return Ok(grads) };
        let mut grads = grads;
        for hook in &self.hooks {
            let Some(new) = hook(&self.module, &grads, &grad_outputs) else { continue };
            check_length("hook returned an invalid number of grad_input", &new, &grads)?;
            grads = new;
        }
        Ok(grads)
    }
}

fn none(count: usize) -> HookGrads {
    (0..count).map(|_| None).collect()
}

/// The same gradients.
fn handles(grads: &HookGrads) -> HookGrads {
    grads.iter().map(|g| g.as_ref().map(Tensor::shallow_clone)).collect()
}

fn check_length(what: &str, new: &HookGrads, former: &HookGrads) -> Result<()> {
    if new.len() == former.len() {
        return Ok(());
    }
    Err(Error::runtime(format!("Backward {what}, got {}, but expected {}", new.len(), former.len())))
}

impl BackwardHooks {
    /// Those among a module's hooks, if there are any.
    pub(super) fn of(module: &dyn Module, list: &[Hook]) -> Option<Self> {
        let hooks: Vec<_> =
            list.iter().filter_map(|h| if let Hook::Backward(h) = h { Some(h.clone()) } else { None }).collect();
        let before: Vec<_> =
            list.iter().filter_map(|h| if let Hook::BackwardPre(h) = h { Some(h.clone()) } else { None }).collect();
        if hooks.is_empty() && before.is_empty() {
            return None;
        }
        let module = ModuleHandle::of(module);
        Some(BackwardHooks(Arc::new(Shared { module, hooks, before, passage: Mutex::default() })))
    }

    /// Leads the inputs through a node; whether there was a gradient to lead.
    pub(super) fn on_inputs(&self, input: &mut Value) -> bool {
        let (shared, inputs) = (self.0.clone(), input.arguments().len());
        let on_inputs = lead(input, true, move |grads| shared.inputs(grads));
        self.0.passage(|p| (p.inputs, p.on_inputs) = (inputs, on_inputs));
        on_inputs
    }

    /// Leads the outputs through a node; whether there was a gradient to lead.
    pub(super) fn on_outputs(self, output: &mut Value) -> bool {
        let shared = self.0;
        lead(output, false, move |grads| shared.outputs(grads))
    }
}

/// Leads the tensors among the arguments through a node that calls `hook` with the gradients of all arguments.
fn lead(value: &mut Value, zeros: bool, hook: impl Fn(HookGrads) -> Result<HookGrads> + Send + Sync + 'static) -> bool {
    let arguments = value.arguments_mut();
    let count = arguments.len();
    let (places, tensors): (Vec<usize>, Vec<&Tensor>) =
        arguments.iter().enumerate().filter_map(|(i, v)| v.tensor().map(|t| (i, t))).unzip();
    let at = places.clone();
    let led = through_hook(&tensors, zeros, move |grads| {
        let mut all = none(count);
        at.iter().zip(grads).for_each(|(&i, grad)| all[i] = grad);
        let mut all = hook(all)?;
        Ok(at.iter().map(|&i| all[i].take()).collect())
    });
    let Some(led) = led else { return false };
    places.into_iter().zip(led).for_each(|(i, tensor)| arguments[i] = Value::Tensor(tensor));
    true
}
