//! `torch.autograd.detect_anomaly`: which operation made the first NaN or infinity.

use super::{ANOMALY, CALLER, Outputs, module_path, switch};
use crate::error::{Error, Result};
use crate::graph::{Node, lock};
use crate::{Tensor, no_grad};
use std::cell::Cell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::{Arc, LazyLock, Mutex, Weak};

/// How many guards there are in all threads.
static GUARDS: Mutex<usize> = Mutex::new(0);

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(false) };
}

/// Where a node of the graph was made.
struct Origin {
    op: &'static str,
    caller: Option<&'static Location<'static>>,
    module: String,
    /// No other node gets this one's address as long as the entry stands.
    _node: Weak<Node>,
}

/// By the node's address, since each thread counts its nodes from zero.
static ORIGINS: LazyLock<Mutex<HashMap<usize, Origin>>> = LazyLock::new(Mutex::default);

fn key(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// Ends the mode when it is dropped. Keep it in a variable: `let _guard = detect_anomaly();`.
#[must_use = "the mode ends when the guard is dropped; write `let _guard = …`"]
pub struct AnomalyGuard {
    former: bool,
    _not_send: PhantomData<*const ()>,
}

impl Drop for AnomalyGuard {
    fn drop(&mut self) {
        ENABLED.set(self.former);
        let mut guards = lock(&GUARDS);
        *guards -= 1;
        if *guards == 0 {
            switch(ANOMALY, false);
            lock(&ORIGINS).clear();
        }
    }
}

/// Until the guard is dropped, the first operation of this thread whose result has a NaN or an infinity though its inputs had
/// none is an error, forward and backward, that names the operation, the caller's line, the module's path, and in backward the
/// line of the forward that made it: `with torch.autograd.detect_anomaly():`. PyTorch looks for NaN in backward only. Each
/// operation waits for its result, so use it to find a fault, not to train.
///
/// ```
/// let x = torch::tensor([0.0]);
/// let _guard = torch::autograd::detect_anomaly();
/// let error = torch::ops::div(&x, &x).unwrap_err().to_string();
/// assert!(error.starts_with("Function 'div' returned nan values in its 0th output"), "{error}");
/// ```
pub fn detect_anomaly() -> AnomalyGuard {
    set_detect_anomaly(true)
}

/// [`detect_anomaly`], or with `false` a part without it: `torch.autograd.set_detect_anomaly(mode)`.
pub fn set_detect_anomaly(mode: bool) -> AnomalyGuard {
    let former = ENABLED.replace(mode);
    *lock(&GUARDS) += 1;
    switch(ANOMALY, true);
    AnomalyGuard { former, _not_send: PhantomData }
}

/// Whether this thread looks for anomalies: `torch.is_anomaly_enabled()`.
pub fn is_anomaly_enabled() -> bool {
    ENABLED.get()
}

/// What is wrong with a tensor: `"nan"` or `"infinite"`.
pub(super) fn fault(x: &Tensor) -> Option<&'static str> {
    if !x.is_floating_point() || x.numel() == 0 {
        return None;
    }
    let former = ENABLED.replace(false);
    let _guard = no_grad();
    let array = x.array();
    let found = (|| {
        let x = Tensor::from(array.clone());
        let any = |is: Tensor| -> Result<bool> { Ok(crate::ops::any(&is, None, false)?.array().item()?.to_bool()) };
        if any(crate::ops::isnan(&x)?)? {
            return Ok(Some("nan"));
        }
        let infinite = any(crate::ops::isinf(&x)?)?;
        Ok::<_, Error>(infinite.then_some("infinite"))
    })();
    ENABLED.set(former);
    found.ok().flatten()
}

/// Notes where a result was made.
pub(super) fn remember(op: &'static str, x: &Tensor) {
    if let Some(node) = x.grad_fn() {
        let caller = CALLER.get();
        let origin = || Origin { op, caller, module: module_path(), _node: Arc::downgrade(&node) };
        lock(&ORIGINS).entry(key(&node)).or_insert_with(origin);
    }
}

fn place(caller: Option<&'static Location<'static>>, module: &str) -> String {
    let mut text = caller.map_or(String::new(), |at| format!(", called at {at}"));
    if !module.is_empty() {
        text += &format!(", in module {module}");
    }
    text
}

pub(super) fn check(op: &'static str, out: &dyn Outputs) -> Result<()> {
    let (mut found, mut i) = (None, 0);
    out.each(&mut |x| {
        if found.is_none() {
            found = fault(x).map(|kind| (i, kind));
        }
        i += 1;
    });
    match found {
        None => Ok(()),
        Some((i, kind)) => {
            let place = place(CALLER.get(), &module_path());
            Err(Error::runtime(format!("Function '{op}' returned {kind} values in its {i}th output{place}.")))
        }
    }
}

pub(super) fn check_backward(node: &Node, grads: &[Option<Tensor>]) -> Result<()> {
    let found = grads.iter().enumerate().find_map(|(i, g)| Some((i, fault(g.as_ref()?)?)));
    let Some((i, kind)) = found else { return Ok(()) };
    let name = node.name();
    let origins = lock(&ORIGINS);
    let forward = origins.get(&key(node)).map_or(String::new(), |origin| {
        format!(" The forward was '{}'{}.", origin.op, place(origin.caller, &origin.module))
    });
    Err(Error::runtime(format!("Function '{name}' returned {kind} values in its {i}th output.{forward}")))
}
