//! Hooks of optimizers: what runs before and after a step, and when a state dict is given or taken.

use crate::optimizer::Optimizer;
use crate::state::StateDict;
use flambeau_autograd::options;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, Weak};

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    BeforeStep,
    AfterStep,
    BeforeStateDict,
    AfterStateDict,
    BeforeLoad,
    AfterLoad,
}

/// What a hook on a state dict does.
type OnState = dyn Fn(&Optimizer, &mut StateDict) + Send + Sync;

/// A hook: one that sees the optimizer, or one that may change its state dict too.
#[derive(Clone)]
enum Hook {
    Plain(Arc<dyn Fn(&Optimizer) + Send + Sync>),
    OnState(Arc<OnState>),
}

/// The hooks of one optimizer, or of all.
#[derive(Default)]
pub(crate) struct Hooks {
    /// How many were ever registered; 0 where nobody has to look at the list.
    registered: AtomicU64,
    list: RwLock<Vec<(u64, Event, Hook)>>,
}

/// Hooks on the steps of every optimizer.
static GLOBAL: LazyLock<Arc<Hooks>> = LazyLock::new(Arc::default);
static GLOBAL_USED: AtomicU64 = AtomicU64::new(0);

options! {
    /// Options of an optimizer's hooks on state dicts.
    #[derive(Clone, Debug)]
    HookOptions {
        /// Whether the hook runs before those that were registered earlier (false).
        prepend: bool = false,
    }
}

impl Hooks {
    fn add(self: &Arc<Self>, event: Event, hook: Hook, prepend: bool) -> HookHandle {
        let id = self.registered.fetch_add(1, Ordering::Relaxed);
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let at = if prepend { 0 } else { list.len() };
        list.insert(at, (id, event, hook));
        HookHandle { hooks: Arc::downgrade(self), id }
    }

    /// Whether there ever was a hook, of the optimizer or of all.
    #[inline]
    pub fn is_used(&self) -> bool {
        self.registered.load(Ordering::Relaxed) != 0
    }

    /// The hooks on an event. None runs under the lock, so that a hook may add or remove hooks.
    fn on(&self, event: Event) -> Vec<Hook> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().filter(|(_, e, _)| *e == event).map(|(.., hook)| hook.clone()).collect()
    }

    /// Runs the hooks that see the optimizer only. Around a step those of all optimizers stand outside its own.
    #[inline]
    pub fn run(&self, event: Event, optimizer: &Optimizer) {
        if self.is_used() || GLOBAL_USED.load(Ordering::Relaxed) != 0 {
            self.run_all(event, optimizer);
        }
    }

    #[cold]
    fn run_all(&self, event: Event, optimizer: &Optimizer) {
        let (own, global) = (self.on(event), GLOBAL.on(event));
        let all = match event {
            Event::BeforeStep => global.into_iter().chain(own),
            _ => own.into_iter().chain(global),
        };
        for hook in all {
            if let Hook::Plain(hook) = hook {
                hook(optimizer);
            }
        }
    }

    /// Runs the hooks that may change a state dict.
    pub fn run_on(&self, event: Event, optimizer: &Optimizer, dict: &mut StateDict) {
        if self.is_used() {
            for hook in self.on(event) {
                if let Hook::OnState(hook) = hook {
                    hook(optimizer, dict);
                }
            }
        }
    }
}

/// Takes a hook of an optimizer away again: `torch.utils.hooks.RemovableHandle`. Dropping the handle leaves the hook in place.
///
/// ```
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
/// let handle = optimizer.register_step_pre_hook(|_| panic!("it was removed"));
/// handle.remove();
/// optimizer.step();
/// ```
pub struct HookHandle {
    hooks: Weak<Hooks>,
    id: u64,
}

impl HookHandle {
    /// Removes the hook; once it is gone, nothing happens: `handle.remove()`.
    pub fn remove(self) {
        let Some(hooks) = self.hooks.upgrade() else { return };
        let mut list = hooks.list.write().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<_> = list.extract_if(.., |(id, ..)| *id == self.id).collect();
        // What a hook captured may use the optimizer when it is dropped: not under the lock.
        drop(list);
        drop(gone);
    }
}

/// Calls `hook(optimizer)` before every step of any optimizer, before the optimizer's own hooks:
/// `torch.optim.optimizer.register_optimizer_step_pre_hook`.
///
/// ```
/// use flambeau_optim::{SGD, register_optimizer_step_pre_hook};
///
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// let handle = register_optimizer_step_pre_hook(|optimizer| optimizer.param_groups()[0].set_lr(0.25));
/// let optimizer = SGD::new([&w], 0.5);
/// optimizer.step();
/// assert_eq!(optimizer.param_groups()[0].lr(), 0.25);
/// handle.remove();
/// ```
pub fn register_optimizer_step_pre_hook(hook: impl Fn(&Optimizer) + Send + Sync + 'static) -> HookHandle {
    GLOBAL_USED.store(1, Ordering::Relaxed);
    GLOBAL.add(Event::BeforeStep, Hook::Plain(Arc::new(hook)), false)
}

/// Calls `hook(optimizer)` after every step of any optimizer, after the optimizer's own hooks:
/// `torch.optim.optimizer.register_optimizer_step_post_hook`.
///
/// ```
/// use flambeau_optim::{SGD, register_optimizer_step_post_hook};
///
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// let handle = register_optimizer_step_post_hook(|optimizer| optimizer.zero_grad());
/// w.sum().backward();
/// SGD::new([&w], 0.5).step();
/// assert!(w.grad().is_none());
/// handle.remove();
/// ```
pub fn register_optimizer_step_post_hook(hook: impl Fn(&Optimizer) + Send + Sync + 'static) -> HookHandle {
    GLOBAL_USED.store(1, Ordering::Relaxed);
    GLOBAL.add(Event::AfterStep, Hook::Plain(Arc::new(hook)), false)
}

/// Hooks are `Fn`, may use the optimizer, and stay until their handle removes them.
impl Optimizer {
    fn plain(&self, event: Event, hook: impl Fn(&Optimizer) + Send + Sync + 'static, prepend: bool) -> HookHandle {
        self.hooks().add(event, Hook::Plain(Arc::new(hook)), prepend)
    }

    fn on_state(
        &self,
        event: Event,
        hook: impl Fn(&Optimizer, &mut StateDict) + Send + Sync + 'static,
        prepend: bool,
    ) -> HookHandle {
        self.hooks().add(event, Hook::OnState(Arc::new(hook)), prepend)
    }

    /// Calls `hook(optimizer)` before each step: `optimizer.register_step_pre_hook(hook)`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// optimizer.register_step_pre_hook(|optimizer| {
    ///     for p in optimizer.params() {
    ///         p.set_grad(p.grad().map(|grad| grad * 0.5));
    ///     }
    /// });
    /// w.sum().backward();
    /// optimizer.step();
    /// assert_eq!(w.detach().to_vec::<f32>(), [0.75, 0.75]);
    /// ```
    pub fn register_step_pre_hook(&self, hook: impl Fn(&Optimizer) + Send + Sync + 'static) -> HookHandle {
        self.plain(Event::BeforeStep, hook, false)
    }

    /// Calls `hook(optimizer)` after each step: `optimizer.register_step_post_hook(hook)`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// optimizer.register_step_post_hook(|optimizer| optimizer.zero_grad());
    /// w.sum().backward();
    /// optimizer.step();
    /// assert!(w.grad().is_none());
    /// ```
    pub fn register_step_post_hook(&self, hook: impl Fn(&Optimizer) + Send + Sync + 'static) -> HookHandle {
        self.plain(Event::AfterStep, hook, false)
    }

    /// Calls `hook(optimizer)` before a state dict is made: `optimizer.register_state_dict_pre_hook(hook)`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// optimizer.register_state_dict_pre_hook(|optimizer| optimizer.param_groups()[0].set("epoch", 3));
    /// assert!(optimizer.state_dict().param_groups[0].options.contains(&("epoch".to_owned(), 3.into())));
    /// ```
    pub fn register_state_dict_pre_hook(&self, hook: impl Fn(&Optimizer) + Send + Sync + 'static) -> HookHandle {
        self.register_state_dict_pre_hook_with(hook, |o| o)
    }

    /// [`Optimizer::register_state_dict_pre_hook`] with `prepend`.
    pub fn register_state_dict_pre_hook_with(
        &self,
        hook: impl Fn(&Optimizer) + Send + Sync + 'static,
        options: impl FnOnce(HookOptions) -> HookOptions,
    ) -> HookHandle {
        self.plain(Event::BeforeStateDict, hook, options(HookOptions::default()).prepend)
    }

    /// Calls `hook(optimizer, state_dict)` on a state dict that was made, which it may change:
    /// `optimizer.register_state_dict_post_hook(hook)`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// optimizer.register_state_dict_post_hook(|_, dict| dict.state.clear());
    /// assert!(optimizer.state_dict().state.is_empty());
    /// ```
    pub fn register_state_dict_post_hook(
        &self,
        hook: impl Fn(&Optimizer, &mut StateDict) + Send + Sync + 'static,
    ) -> HookHandle {
        self.register_state_dict_post_hook_with(hook, |o| o)
    }

    /// [`Optimizer::register_state_dict_post_hook`] with `prepend`.
    pub fn register_state_dict_post_hook_with(
        &self,
        hook: impl Fn(&Optimizer, &mut StateDict) + Send + Sync + 'static,
        options: impl FnOnce(HookOptions) -> HookOptions,
    ) -> HookHandle {
        self.on_state(Event::AfterStateDict, hook, options(HookOptions::default()).prepend)
    }

    /// Calls `hook(optimizer, state_dict)` on a copy of what is to be loaded, which it may change; its tensors are the caller's:
    /// `optimizer.register_load_state_dict_pre_hook(hook)`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// optimizer.register_load_state_dict_pre_hook(|_, dict| {
    ///     dict.param_groups[0].options.iter_mut().filter(|(name, _)| name == "lr").for_each(|(_, lr)| *lr = 0.125.into());
    /// });
    /// optimizer.load_state_dict(&optimizer.state_dict()).unwrap();
    /// assert_eq!(optimizer.param_groups()[0].lr(), 0.125);
    /// ```
    pub fn register_load_state_dict_pre_hook(
        &self,
        hook: impl Fn(&Optimizer, &mut StateDict) + Send + Sync + 'static,
    ) -> HookHandle {
        self.register_load_state_dict_pre_hook_with(hook, |o| o)
    }

    /// [`Optimizer::register_load_state_dict_pre_hook`] with `prepend`.
    pub fn register_load_state_dict_pre_hook_with(
        &self,
        hook: impl Fn(&Optimizer, &mut StateDict) + Send + Sync + 'static,
        options: impl FnOnce(HookOptions) -> HookOptions,
    ) -> HookHandle {
        self.on_state(Event::BeforeLoad, hook, options(HookOptions::default()).prepend)
    }

    /// Calls `hook(optimizer)` once a state dict was loaded: `optimizer.register_load_state_dict_post_hook(hook)`.
    ///
    /// ```
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// optimizer.register_load_state_dict_post_hook(|optimizer| optimizer.param_groups()[0].set_lr(0.125));
    /// optimizer.load_state_dict(&optimizer.state_dict()).unwrap();
    /// assert_eq!(optimizer.param_groups()[0].lr(), 0.125);
    /// ```
    pub fn register_load_state_dict_post_hook(&self, hook: impl Fn(&Optimizer) + Send + Sync + 'static) -> HookHandle {
        self.register_load_state_dict_post_hook_with(hook, |o| o)
    }

    /// [`Optimizer::register_load_state_dict_post_hook`] with `prepend`.
    pub fn register_load_state_dict_post_hook_with(
        &self,
        hook: impl Fn(&Optimizer) + Send + Sync + 'static,
        options: impl FnOnce(HookOptions) -> HookOptions,
    ) -> HookHandle {
        self.plain(Event::AfterLoad, hook, options(HookOptions::default()).prepend)
    }
}

#[cfg(test)]
mod tests {
    use crate::{LBFGS, Optimizer, ParamGroup, SGD};
    use flambeau_autograd::{Tensor, ones, tensor};
    use std::sync::{Arc, Mutex};

    fn param() -> Tensor {
        ones([2]).requires_grad_(true)
    }

    /// What ran, in order.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<&'static str>>>);

    impl Log {
        fn note(&self, what: &'static str) -> impl Fn(&Optimizer) + Send + Sync + use<> {
            let log = self.clone();
            move |_| log.0.lock().unwrap().push(what)
        }

        fn take(&self) -> Vec<&'static str> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    /// As in PyTorch: pre-hooks, the closure, post-hooks; `prepend` puts a hook first; a removed one is gone.
    #[test]
    fn hooks_run_in_pytorchs_order() {
        let (log, w) = (Log::default(), param());
        let optimizer = SGD::new([&w], 0.5);
        optimizer.register_step_pre_hook(log.note("pre"));
        let second = optimizer.register_step_pre_hook(log.note("pre 2"));
        optimizer.register_step_post_hook(log.note("post"));
        let inside = log.note("closure");
        optimizer.step_closure(|| {
            inside(&optimizer);
            w.sum()
        });
        assert_eq!(log.take(), ["pre", "pre 2", "closure", "post"]);
        second.remove();
        optimizer.step();
        assert_eq!(log.take(), ["pre", "post"]);

        optimizer.register_state_dict_pre_hook(log.note("dict"));
        optimizer.register_state_dict_pre_hook_with(log.note("dict first"), |o| o.prepend(true));
        let after = log.note("dict made");
        optimizer.register_state_dict_post_hook(move |optimizer, dict| {
            after(optimizer);
            dict.param_groups[0].options.push(("made".to_owned(), true.into()));
        });
        let dict = optimizer.state_dict();
        assert_eq!(log.take(), ["dict first", "dict", "dict made"]);
        assert!(dict.param_groups[0].options.contains(&("made".to_owned(), true.into())));

        let before = log.note("load");
        optimizer.register_load_state_dict_pre_hook(move |optimizer, dict| {
            before(optimizer);
            dict.param_groups[0].options.retain(|(name, _)| name != "made");
        });
        optimizer.register_load_state_dict_post_hook(log.note("loaded"));
        optimizer.load_state_dict(&dict).unwrap();
        assert_eq!(log.take(), ["load", "loaded"]);
        assert_eq!(optimizer.param_groups()[0].get("made"), None);
        assert!(dict.param_groups[0].options.iter().any(|(name, _)| name == "made"), "the caller's dict changed");
    }

    #[test]
    fn names_are_kept_and_loaded() {
        let named = |names: [&'static str; 2]| SGD::new(names.into_iter().zip([param(), param()]), 0.5);
        let (one, two) = (named(["weight", "it's"]), named(["a", "b"]));
        assert!(one.to_string().contains("    param_names: ['weight', \"it's\"]\n"), "{one}");
        let mut dict = one.state_dict();
        two.load_state_dict(&dict).unwrap();
        assert_eq!(two.to_string(), one.to_string());
        // A file without names leaves the optimizer's own.
        dict.param_groups[0].options.retain(|(name, _)| name != "param_names");
        let three = named(["a", "b"]);
        three.load_state_dict(&dict).unwrap();
        assert!(three.to_string().contains("param_names: ['a', 'b']"), "{three}");
        let plain = SGD::new([param()], 0.5);
        plain.add_param_group(ParamGroup::new([param()]));
        let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            plain.add_param_group(ParamGroup::new([("x", param())]));
        }));
        let words = "all optimizer param groups should be with/without names. cannot add param group with names to the optimizer";
        assert_eq!(added.unwrap_err().downcast_ref::<String>().unwrap(), words);
    }

    /// A scheduler fills a learning rate that is a tensor, whose owner sees it.
    #[test]
    fn schedulers_fill_tensor_rates() {
        let lr = tensor(0.5);
        let optimizer = SGD::new([param()], &lr);
        let scheduler = crate::lr_scheduler::StepLR::new(&optimizer, 1, 0.5);
        optimizer.step();
        scheduler.step();
        assert_eq!((lr.item(), optimizer.param_groups()[0].lr(), scheduler.base_lrs()), (0.25, 0.25, vec![0.5]));
        lr.fill_(0.125);
        assert_eq!(optimizer.param_groups()[0].lr(), 0.125);
    }

    #[test]
    fn lbfgs_wants_a_closure_and_one_group() {
        let w = param();
        let optimizer = LBFGS::new([&w], 1);
        let words = "LBFGS.step() missing 1 required positional argument: 'closure'";
        assert_eq!(optimizer.try_step().unwrap_err().to_string(), words);
        optimizer.add_param_group(ParamGroup::new([param()]));
        let error = optimizer.try_step_closure(|| 0.0).unwrap_err().to_string();
        assert_eq!(error, "Expected exactly one param_group, but got 2");
    }
}
