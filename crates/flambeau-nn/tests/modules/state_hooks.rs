//! Hooks on state dicts, in PyTorch's order.

use flambeau_autograd::{Tensor, ones, tensor};
use flambeau_nn::{self as nn, Forward, LoadReport, Module, StateDict, StateDictHooks};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Module)]
#[module(extra_state)]
struct Inner {
    l: nn::Linear,
    n: AtomicI64,
}

impl Inner {
    fn new(n: i64) -> Self {
        Inner { l: nn::Linear::new(1, 1), n: AtomicI64::new(n) }
    }
    fn get_extra_state(&self) -> Tensor {
        tensor(self.n.load(Ordering::Relaxed))
    }
    fn set_extra_state(&self, state: &Tensor) {
        self.n.store(state.item() as i64, Ordering::Relaxed);
    }
}

impl Forward for Inner {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.l.call(x)
    }
}

type Log = Arc<Mutex<Vec<String>>>;

fn keys(state: &StateDict) -> String {
    state.keys().collect::<Vec<_>>().join(" ")
}

fn watch(module: &dyn Module, log: &Log) {
    let to = || {
        let log = log.clone();
        move |text: String| log.lock().unwrap().push(text)
    };
    let say = to();
    module.register_state_dict_pre_hook(move |m, prefix, keep| say(format!("pre {} '{prefix}' {keep}", m.type_name())));
    let say = to();
    module.register_state_dict_post_hook(move |m, state, prefix| {
        say(format!("post {} [{}] '{prefix}'", m.type_name(), keys(state)));
    });
    let say = to();
    module.register_load_state_dict_pre_hook(move |m, state, progress| {
        let (prefix, version) = (progress.prefix, progress.version);
        say(format!("lpre {} [{}] '{prefix}' {version:?} {:?}", m.type_name(), keys(state), progress.unexpected_keys));
    });
    let say = to();
    module.register_load_state_dict_post_hook(move |m, report| {
        say(format!("lpost {} {:?} {:?}", m.type_name(), report.missing_keys, report.unexpected_keys));
    });
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn they_run_in_pytorchs_order_and_may_change_what_is_loaded() {
    let net = nn::sequential![Inner::new(3), nn::Linear::new(1, 1)];
    let log = Log::default();
    watch(&net, &log);
    watch(net.get_submodule("0.l"), &log);
    let state = net.state_dict();
    let all = "0._extra_state 0.l.weight 0.l.bias 1.weight 1.bias";
    assert_eq!(
        taken(&log),
        [
            "pre Sequential '' false".to_owned(),
            "pre Linear '0.l.' false".to_owned(),
            "post Linear [0._extra_state 0.l.weight 0.l.bias] '0.l.'".to_owned(),
            format!("post Sequential [{all}] ''"),
        ]
    );
    net.load_state_dict(&state).unwrap();
    assert_eq!(
        taken(&log),
        [
            format!("lpre Sequential [{all}] '' Some(1) []"),
            "lpre Linear [0.l.weight 0.l.bias] '0.l.' Some(1) []".to_owned(),
            "lpost Linear [] []".to_owned(),
            "lpost Sequential [] []".to_owned(),
        ]
    );
    // A state dict that lacks a name and has two others.
    let mut other: StateDict = state.iter().map(|(key, t)| (key.to_owned(), t.shallow_clone())).collect();
    other.remove("0.l.weight");
    other.insert("0.l.zzz", ones([1]));
    other.insert("q", ones([1]));
    let report = net.load_state_dict_with(&other, |o| o.strict(false)).unwrap();
    let expected =
        LoadReport { missing_keys: vec!["0.l.weight".into()], unexpected_keys: vec!["q".into(), "0.l.zzz".into()] };
    assert_eq!(report, expected);
    let found = taken(&log);
    assert_eq!(found[1], "lpre Linear [0.l.bias 0.l.zzz] '0.l.' None [\"q\"]");
    assert_eq!(found[2], "lpost Linear [\"0.l.weight\"] [\"q\", \"0.l.zzz\"]");
    let handle = net.register_load_state_dict_post_hook(|_, report| report.missing_keys.clear());
    let error = net.load_state_dict(&other).unwrap_err().to_string();
    assert_eq!(
        error,
        "Error(s) in loading state_dict for Sequential:\n\tUnexpected key(s) in state_dict: \"q\", \"0.l.zzz\". "
    );
    handle.remove();
    net.register_load_state_dict_pre_hook(|_, state, _| {
        state.remove("q");
        if let Some(old) = state.remove("0.l.zzz") {
            state.insert("0.l.weight", old.unsqueeze(0));
        }
    });
    net.load_state_dict(&other).unwrap();
    assert_eq!(net.get_parameter("0.l.weight").item(), 1.0);
    assert!(other.contains_key("q"), "the caller's state dict stays");
}

#[test]
fn extra_state_is_a_key_of_its_module() {
    let [seven, three] = [Inner::new(7), Inner::new(3)];
    assert_eq!(seven.state_dict().keys().collect::<Vec<_>>(), ["_extra_state", "l.weight", "l.bias"]);
    three.load_state_dict(&seven.state_dict()).unwrap();
    assert_eq!(three.n.load(Ordering::Relaxed), 7);
    let missing = three.load_state_dict(&nn::Sequential::default().state_dict()).unwrap_err().to_string();
    assert!(
        missing.ends_with("Missing key(s) in state_dict: \"_extra_state\", \"l.weight\", \"l.bias\". "),
        "{missing}"
    );
    let linear = nn::Linear::new(1, 1);
    let mut state = linear.state_dict();
    state.insert("_extra_state", tensor(5));
    let unexpected = linear.load_state_dict(&state).unwrap_err().to_string();
    assert!(unexpected.ends_with("Unexpected key(s) in state_dict: \"_extra_state\". "), "{unexpected}");
    // In a pointer too.
    let boxed: Box<dyn Forward> = Box::new(Inner::new(1));
    boxed.as_module();
    let net = nn::sequential![boxed];
    assert!(net.state_dict().contains_key("0._extra_state"));
}
