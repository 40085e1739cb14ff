//! By which keys a program came to a value, so that an error can name them: `checkpoint['model']['fc.weight']`.
//!
//! A value does not know where it stands. Each look-up notes on its thread which value it gave and how; an error about a value
//! asks whether it was among the last.

use super::{Dict, Value};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many look-ups are remembered.
const KEPT: usize = 64;

struct Step {
    /// Where the value lies, and what it holds: memory that was given back may hold another value later.
    value: (usize, Mark),
    parent: Rc<str>,
    key: String,
}

type Mark = (&'static str, u64);

thread_local! {
    static STEPS: RefCell<VecDeque<Step>> = const { RefCell::new(VecDeque::new()) };
}

fn address<T>(value: &Value<T>) -> (usize, Mark) {
    let content = match value {
        Value::Int(x) => *x as u64,
        Value::Float(x) => x.to_bits(),
        Value::Bool(x) => u64::from(*x),
        Value::Str(x) => x.as_ptr() as u64,
        Value::List(x) | Value::Tuple(x) | Value::Set(x) => x.as_ptr() as u64,
        Value::Dict(Dict { items, .. }) => items.as_ptr() as u64,
        _ => 0,
    };
    (std::ptr::from_ref(value).addr(), (value.type_name(), content))
}

/// The keys that led to the value: `['model']['fc.weight']`; nothing where it is not known, or where it is the whole.
pub(crate) fn path_of<T>(value: &Value<T>) -> Rc<str> {
    let wanted = address(value);
    STEPS.with_borrow(|steps| {
        let step = steps.iter().rev().find(|step| step.value == wanted);
        step.map_or_else(|| "".into(), |step| format!("{}[{}]", step.parent, step.key).into())
    })
}

/// Notes that `child` was found under `key` of the value to which `parent` leads.
pub(crate) fn note<T>(parent: &Rc<str>, key: String, child: &Value<T>) {
    let step = Step { value: address(child), parent: parent.clone(), key };
    STEPS.with_borrow_mut(|steps| {
        if steps.len() == KEPT {
            steps.pop_front();
        }
        steps.push_back(step);
    });
}
