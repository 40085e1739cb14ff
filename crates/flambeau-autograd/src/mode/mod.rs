//! The one boundary that every operation passes: where modes see it. Without a mode it costs one relaxed load.
//!
//! `#[op]` puts [`watched`] before each operation's body. Where a mode is on, the operation runs between [`begin`] and
//! [`Watched::end`], which tell the modes what went in, what came out, and where the user called.

mod anomaly;
pub(crate) mod autocast;
mod casting;
pub(crate) mod custom;
mod profile;

pub use anomaly::{AnomalyGuard, detect_anomaly, is_anomaly_enabled, set_detect_anomaly};
pub use autocast::{
    AutocastGuard, AutocastOptions, DeviceType, autocast, autocast_decrement_nesting, autocast_increment_nesting,
    autocast_with, clear_autocast_cache, get_autocast_cpu_dtype, get_autocast_dtype, get_autocast_gpu_dtype,
    has_device, is_any_autocast_enabled, is_autocast_available, is_autocast_cache_enabled, is_autocast_cpu_enabled,
    is_autocast_enabled, set_autocast_cache_enabled, set_autocast_cpu_dtype, set_autocast_cpu_enabled,
    set_autocast_dtype, set_autocast_enabled, set_autocast_gpu_dtype,
};
pub use casting::{Casting, Held, with_lists_of};
pub(crate) use casting::{among_options, cast_for};
pub use custom::{CustomBwd, CustomFwd, custom_bwd, custom_fwd};
pub use profile::{Averages, Profile, ProfileOptions, RecordFunction, profile, profile_with, record_function};

use crate::Tensor;
use crate::error::Result;
use crate::graph::{Node, lock};
use crate::ops::Operand;
use crate::saved_hooks::{catch_fault, check_fault};
use profile::Kind;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// One bit per mode that is on somewhere.
static ON: AtomicU32 = AtomicU32::new(0);

const ANOMALY: u32 = 1;
const PROFILE: u32 = 2;
/// Saved-tensor hooks are no mode, but what they do wrong becomes an operation's error at the boundary.
const HOOKS: u32 = 4;
/// Nor are tensors without a shape, which operations refuse at the boundary.
const UNINITIALIZED: u32 = 8;
const AUTOCAST: u32 = 16;

fn switch(mode: u32, on: bool) {
    match on {
        true => ON.fetch_or(mode, Ordering::Relaxed),
        false => ON.fetch_and(!mode, Ordering::Relaxed),
    };
}

/// Notes that a pair of saved-tensor hooks was set, or removed.
pub(crate) fn watch_hooks(set: bool) {
    static PAIRS: Mutex<usize> = Mutex::new(0);
    let mut pairs = lock(&PAIRS);
    *pairs = if set { *pairs + 1 } else { *pairs - 1 };
    switch(HOOKS, *pairs > 0);
}

/// Notes that a tensor without a shape was made, or that it has got one or is gone.
pub(crate) fn watch_uninitialized(made: bool) {
    static TENSORS: Mutex<usize> = Mutex::new(0);
    let mut tensors = lock(&TENSORS);
    *tensors = if made { *tensors + 1 } else { *tensors - 1 };
    switch(UNINITIALIZED, *tensors > 0);
}

#[inline]
fn is_on(mode: u32) -> bool {
    ON.load(Ordering::Relaxed) & mode != 0
}

/// Whether a mode is on that asks for the module: what a module's call looks at.
#[inline(always)]
pub fn modules_watched() -> bool {
    is_on(ANOMALY | PROFILE)
}

/// Whether any mode is on, or saved-tensor hooks are set.
#[inline(always)]
pub fn watched() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

thread_local! {
    /// How many operations this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the user called the outermost of them.
    static CALLER: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    /// The paths of the modules that this thread is in, outermost first.
    static MODULES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The path of the module that runs in this thread: `encoder.layers.3`; empty outside of modules, and in the outermost.
pub(crate) fn module_path() -> String {
    MODULES.with_borrow(|paths| paths.last().cloned().unwrap_or_default())
}

/// A module that runs, until this is dropped.
pub struct ModuleScope(#[allow(dead_code, reason = "it ends when it is dropped")] Option<profile::Span>);

impl Drop for ModuleScope {
    fn drop(&mut self) {
        MODULES.with_borrow_mut(|paths| paths.pop());
    }
}

/// Tells the modes that a module runs: its path from the outermost module that does, and its struct's name. Only to be called
/// where [`modules_watched`].
#[cold]
pub fn enter_module(path: String, type_name: &str) -> ModuleScope {
    let span = is_on(PROFILE).then(|| {
        let name = match path.as_str() {
            "" => format!("nn.Module: {type_name}"),
            path => format!("nn.Module: {path} ({type_name})"),
        };
        profile::Span::enter(name, Kind::Annotation)
    });
    MODULES.with_borrow_mut(|paths| paths.push(path));
    ModuleScope(span)
}

/// What an operation returns.
pub trait Outputs {
    /// Calls `f` with each tensor.
    fn each(&self, f: &mut dyn FnMut(&Tensor));
}

impl Outputs for Tensor {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        f(self);
    }
}

impl Outputs for bool {
    fn each(&self, _: &mut dyn FnMut(&Tensor)) {}
}

impl Outputs for () {
    fn each(&self, _: &mut dyn FnMut(&Tensor)) {}
}

impl<T: Outputs> Outputs for Vec<T> {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        self.iter().for_each(|x| x.each(f));
    }
}

impl<T: Outputs> Outputs for Option<T> {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        self.iter().for_each(|x| x.each(f));
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt)*))*) => {$(
        impl<$($name: Outputs),*> Outputs for ($($name,)*) {
            fn each(&self, f: &mut dyn FnMut(&Tensor)) {
                $(self.$at.each(f);)*
            }
        }
    )*};
}
tuples! { (A 0 B 1) (A 0 B 1 C 2) (A 0 B 1 C 2 D 3) }

/// What an operation takes that may hold tensors.
pub trait Input {
    /// Calls `f` with each tensor.
    fn each(&self, f: &mut dyn FnMut(&Tensor));

    /// Whether all numbers in it are finite.
    fn is_finite(&self) -> bool {
        let mut finite = true;
        self.each(&mut |x| finite = finite && anomaly::fault(x).is_none());
        finite
    }
}

impl Input for Tensor {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        f(self);
    }
}

impl<T: Input + ?Sized> Input for &T {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        (**self).each(f);
    }
    fn is_finite(&self) -> bool {
        (**self).is_finite()
    }
}

impl<T: Input> Input for Option<T> {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        self.iter().for_each(|x| x.each(f));
    }
    fn is_finite(&self) -> bool {
        self.as_ref().is_none_or(Input::is_finite)
    }
}

impl Input for Operand<'_> {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        match self {
            Operand::Borrowed(t) => f(t),
            Operand::Owned(t) => f(t),
            Operand::Number(_) => {}
        }
    }
    fn is_finite(&self) -> bool {
        match self {
            Operand::Borrowed(t) => t.is_finite(),
            Operand::Owned(t) => t.is_finite(),
            Operand::Number(s) => s.to_f64().is_finite(),
        }
    }
}

/// A list of tensors.
pub struct List<'a, T>(pub &'a [T]);

impl<T: std::borrow::Borrow<Tensor>> Input for List<'_, T> {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        self.0.iter().for_each(|t| f(t.borrow()));
    }
}

/// One operation of this thread, until it is dropped; holds how many are around it.
struct Level(u32);

impl Level {
    fn enter() -> Self {
        Level(DEPTH.replace(DEPTH.get() + 1))
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// Looks at what an operation takes that may hold tensors: whether all of it is finite, where somebody asks and the operation
/// does not only fill it.
///
/// # Errors
/// When one of the tensors has no shape yet.
#[cold]
#[inline(never)]
pub fn look(name: &'static str, fills: bool, inputs: &[&dyn Input]) -> Result<bool> {
    if is_on(UNINITIALIZED) {
        crate::uninitialized::check(name, inputs)?;
    }
    Ok(is_on(ANOMALY) && !fills && DEPTH.get() == 0 && is_anomaly_enabled() && inputs.iter().all(|x| x.is_finite()))
}

/// An operation that modes watch, from [`begin`] to [`Watched::end`].
pub struct Watched {
    name: &'static str,
    looks: bool,
    span: Option<profile::Span>,
    _level: Level,
}

/// Tells the modes that an operation begins. `looks`: [`look`] at its arguments that may hold tensors.
#[cold]
#[inline(never)]
#[track_caller]
pub fn begin(name: &'static str, looks: bool) -> Watched {
    let level = Level::enter();
    if level.0 == 0 {
        CALLER.set(Some(Location::caller()));
    }
    let span = is_on(PROFILE).then(|| profile::Span::enter(format!("aten::{name}"), Kind::Operation));
    Watched { name, looks, span, _level: level }
}

impl Watched {
    /// Tells the modes what the operation returned.
    ///
    /// # Errors
    /// The operation's; that of [`detect_anomaly`]; and what a saved-tensor hook did wrong.
    #[inline(never)]
    pub fn end<T: Outputs>(mut self, out: Result<T>) -> Result<T> {
        let fault = check_fault();
        let out = out?;
        fault?;
        self.span = None;
        if is_on(ANOMALY) && is_anomaly_enabled() {
            self.check(&out)?;
        }
        Ok(out)
    }

    fn check(&self, out: &dyn Outputs) -> Result<()> {
        out.each(&mut |x| anomaly::remember(self.name, x));
        if self.looks {
            anomaly::check(self.name, out)?;
        }
        Ok(())
    }
}

/// Runs a node's backward, watched.
///
/// # Errors
/// The backward's; and that of [`detect_anomaly`].
pub(crate) fn backward<G: AsRef<[Option<Tensor>]>>(node: &Node, run: impl FnOnce() -> Result<G>) -> Result<G> {
    if !watched() {
        return run();
    }
    let level = Level::enter();
    let span = is_on(PROFILE).then(|| profile::Span::enter(node.name().to_owned(), Kind::Operation));
    let grads = catch_fault(run)?;
    drop(span);
    drop(level);
    if is_on(ANOMALY) && is_anomaly_enabled() {
        anomaly::check_backward(node, grads.as_ref())?;
    }
    Ok(grads)
}
