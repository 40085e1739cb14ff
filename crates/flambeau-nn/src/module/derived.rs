//! Tensors of a module whose value is computed: the one mechanism under parametrizations, weight and spectral norm, and pruning.
//!
//! A layer reads `self.weight` as a field, so the field itself must give the computed tensor. A [`Slot`] in each parameter and
//! buffer is empty, which costs a reader one load, or has a [`Rule`]; then a read computes the value and lends it from a pool. The pool's
//! tensors are used again once nobody holds them and no graph knows them; each thread has its own, so that calls in
//! several threads see their own graphs.

use super::chain::Chain;
use super::hooks::HookHandle;
use super::{Buffer, Members, Memo, Module, Parameter};
use flambeau_autograd::{OrPanic, Tensor, ops};
use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How a value is computed, and what the module holds in its place.
pub(crate) trait Rule: Any + Send + Sync {
    /// The value. Where it is set before each call, `training` is the module's mode; else it is false.
    fn value(&self, training: bool) -> Tensor;

    /// Adds what the module holds in the place of the tensor `name`, as registered at `order`.
    fn collect<'a>(&'a self, name: &str, order: u64, members: &mut Members<'a>);

    /// Names of older state dicts in the module, for what the module holds now in the place of the tensor `name`.
    fn former_names(&self, _name: &str) -> Vec<(String, String)> {
        Vec::new()
    }

    /// A copy over copies of what the value is computed from.
    fn copy(&self, memo: &mut Memo) -> Box<dyn Rule>;
}

/// When a value is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At each read, as a property of PyTorch's parametrized modules.
    Read,
    /// Before each call, as the attribute that PyTorch's older hooks set.
    Call,
}

/// What a parameter's or buffer's value is computed by, if it is.
#[derive(Default)]
pub(crate) struct Slot(Chain<Derived>);

impl Slot {
    pub(crate) const fn new() -> Self {
        Slot(Chain::new())
    }

    /// The computed value, if there is one.
    #[inline]
    pub(crate) fn value(&self) -> Option<&Tensor> {
        if self.0.is_empty() { None } else { self.computed() }
    }

    #[cold]
    #[inline(never)]
    fn computed(&self) -> Option<&Tensor> {
        self.derived().map(Derived::current)
    }

    /// The derivation in force.
    #[inline]
    pub(crate) fn derived(&self) -> Option<&Derived> {
        if self.0.is_empty() { None } else { self.0.iter().find(|d| d.in_force.load(Ordering::Acquire)) }
    }

    /// When the tensor came back to the module's own, after its last derivation was removed.
    pub(crate) fn back(&self) -> Option<u64> {
        self.0.iter().map(|d| d.back.load(Ordering::Acquire)).max()
    }

    /// Puts a rule in force.
    pub(crate) fn derive(&self, rule: Box<dyn Rule>, when: When) -> &Derived {
        self.0.push(Derived::new(rule, when, next_order()))
    }

    /// The slot of a copy.
    pub(super) fn copy(&self, memo: &mut Memo) -> Self {
        let copies = self.derived().map(|d| {
            let copy = Derived::new(d.rule.copy(memo), d.when, d.order);
            // What was set before a call stays until the next one.
            if let (When::Call, Some(held)) = (d.when, d.pool.last()) {
                copy.set(ops::clone(&held.tensor.detach()).or_panic());
            }
            copy
        });
        let back = || {
            let back = self.back()?;
            let gone = Derived::new(Box::new(Gone), When::Read, back);
            gone.remove_at(back);
            Some(gone)
        };
        Slot(copies.or_else(back).into_iter().collect())
    }
}

impl Default for Chain<Derived> {
    fn default() -> Self {
        Chain::new()
    }
}

/// In the place of a rule that the original of a copy once had.
struct Gone;

impl Rule for Gone {
    fn value(&self, _training: bool) -> Tensor {
        unreachable!("a rule that is not in force is not asked")
    }
    fn collect<'a>(&'a self, _name: &str, _order: u64, _members: &mut Members<'a>) {}
    fn copy(&self, _memo: &mut Memo) -> Box<dyn Rule> {
        Box::new(Gone)
    }
}

/// The next moment at which something is registered.
fn next_order() -> u64 {
    static ORDER: AtomicU64 = AtomicU64::new(1);
    ORDER.fetch_add(1, Ordering::Relaxed)
}

/// A computed value.
pub(crate) struct Derived {
    rule: Box<dyn Rule>,
    when: When,
    order: u64,
    in_force: AtomicBool,
    back: AtomicU64,
    pool: Pool,
    hook: Mutex<Option<HookHandle>>,
}

impl Derived {
    fn new(rule: Box<dyn Rule>, when: When, order: u64) -> Self {
        Derived {
            rule,
            when,
            order,
            in_force: AtomicBool::new(true),
            back: AtomicU64::new(0),
            pool: Pool(Chain::new()),
            hook: Mutex::new(None),
        }
    }

    pub(super) fn collect<'a>(&'a self, name: &str, members: &mut Members<'a>) {
        self.rule.collect(name, self.order, members);
    }

    pub(super) fn former_names(&self, name: &str) -> Vec<(String, String)> {
        self.rule.former_names(name)
    }

    /// The rule, as what it is.
    pub(crate) fn rule<R: Rule>(&self) -> Option<&R> {
        (&*self.rule as &dyn Any).downcast_ref()
    }

    /// The value as a reader sees it.
    fn current(&self) -> &Tensor {
        let cache = CACHE.now();
        let known = match self.when {
            When::Read if cache == 0 => None,
            When::Read => self.pool.last().filter(|h| h.cached.load(Ordering::Relaxed) == cache),
            When::Call => self.pool.last(),
        };
        match known {
            Some(held) => &held.tensor,
            None => self.pool.put(self.rule.value(false), cache),
        }
    }

    /// Sets the value that readers in this thread see until the next call.
    pub(crate) fn set(&self, value: Tensor) {
        self.pool.put(value, 0);
    }

    /// Computes the value before each call of `module` from now on.
    #[track_caller]
    pub(crate) fn before_calls(&self, module: &dyn Module, name: &str) {
        let name = name.to_owned();
        let handle = module.register_forward_pre_hook(move |module, _| {
            let members = module.members();
            if let Some((.., derived)) = members.derived.iter().find(|(n, ..)| *n == name)
                && derived.when == When::Call
            {
                derived.set(derived.rule.value(module.training()));
            }
            None
        });
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// The tensor is a parameter or buffer of the module again, behind those that it has.
    pub(crate) fn remove(&self) {
        self.remove_at(next_order());
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(hook) = hook {
            hook.remove();
        }
    }

    fn remove_at(&self, order: u64) {
        self.back.store(order, Ordering::Release);
        self.in_force.store(false, Ordering::Release);
    }
}

/// Whether values stay while a guard lives: each time that the first guard is made has a number of its own.
struct Cache {
    guards: AtomicUsize,
    epoch: AtomicU64,
}

static CACHE: Cache = Cache { guards: AtomicUsize::new(0), epoch: AtomicU64::new(1) };

impl Cache {
    /// The number of the cache in use; 0 where there is none.
    fn now(&self) -> u64 {
        if self.guards.load(Ordering::Acquire) == 0 { 0 } else { self.epoch.load(Ordering::Acquire) }
    }
}

/// Keeps computed values until it is dropped.
pub(crate) struct Caching(());

impl Caching {
    pub(crate) fn new() -> Self {
        CACHE.guards.fetch_add(1, Ordering::AcqRel);
        Caching(())
    }
}

impl Drop for Caching {
    fn drop(&mut self) {
        if CACHE.guards.fetch_sub(1, Ordering::AcqRel) == 1 {
            CACHE.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Tensors that values are lent from.
struct Pool(Chain<Held>);

struct Held {
    /// The thread that reads it.
    thread: Mutex<Weak<()>>,
    tensor: Tensor,
    stamp: AtomicU64,
    cached: AtomicU64,
}

thread_local! {
    /// What tells this thread from all others that run.
    static THREAD: Arc<()> = Arc::new(());
}

impl Pool {
    /// This thread's newest value.
    fn last(&self) -> Option<&Held> {
        let mine = self.0.iter().filter(|h| h.is_mine(false));
        mine.max_by_key(|h| h.stamp.load(Ordering::Relaxed))
    }

    /// Takes a value and lends it. Tensors that a graph or somebody else still knows stay as they are; the free ones all become the
    /// value, so that they hold no memory of their own.
    fn put(&self, value: Tensor, cache: u64) -> &Tensor {
        // A tensor that others hold, as an original is that nothing was done to, must not be used again.
        let unshared = value.is_unshared() && !(value.is_leaf() && value.requires_grad());
        let value = if unshared { value } else { ops::view_as(&value, &value).or_panic() };
        let mut lent = None;
        for held in self.0.iter().filter(|h| h.is_mine(true) && h.tensor.is_unshared()) {
            held.tensor.becomes(&value);
            lent = Some(held);
        }
        let held = lent.unwrap_or_else(|| {
            let thread = Mutex::new(THREAD.with(Arc::downgrade));
            self.0.push(Held { thread, tensor: value, stamp: AtomicU64::new(0), cached: AtomicU64::new(0) })
        });
        held.stamp.store(next_order(), Ordering::Relaxed);
        held.cached.store(cache, Ordering::Relaxed);
        &held.tensor
    }
}

impl Held {
    /// Whether this thread reads it; with `claim`, also what belonged to a thread that has ended.
    fn is_mine(&self, claim: bool) -> bool {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        THREAD.with(|me| {
            if claim && thread.strong_count() == 0 {
                *thread = Arc::downgrade(me);
            }
            std::ptr::eq(thread.as_ptr(), Arc::as_ptr(me))
        })
    }
}

/// A parameter or buffer by its slot.
#[derive(Clone, Copy)]
pub(crate) enum Slotted<'a> {
    Parameter(&'a Parameter),
    Buffer(&'a Buffer),
}

impl<'a> Slotted<'a> {
    pub(crate) fn slot(self) -> &'a Slot {
        match self {
            Slotted::Parameter(p) => p.slot(),
            Slotted::Buffer(b) => b.slot(),
        }
    }

    /// The tensor that it was made with.
    pub(crate) fn own(self) -> &'a Tensor {
        match self {
            Slotted::Parameter(p) => p.own(),
            Slotted::Buffer(b) => b.own(),
        }
    }

    /// The tensor as a reader sees it.
    pub(crate) fn value(self) -> &'a Tensor {
        match self {
            Slotted::Parameter(p) => p,
            Slotted::Buffer(b) => b,
        }
    }
}

/// A module's own parameter or buffer of this name, computed or not.
pub(crate) fn own<'a>(module: &'a dyn Module, name: &str) -> Option<Slotted<'a>> {
    let members = module.members();
    let derived = members.derived.iter().find(|(n, ..)| n == name).map(|(_, s, _)| *s);
    let parameter = || members.parameters.iter().find(|(n, _)| n == name).map(|(_, p)| Slotted::Parameter(p));
    let buffer = || members.buffers.iter().find(|(n, _)| n == name).map(|(_, b)| Slotted::Buffer(b));
    derived.or_else(parameter).or_else(buffer)
}
