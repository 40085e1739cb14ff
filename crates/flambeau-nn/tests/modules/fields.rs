//! What the derive finds in fields of any type.

use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Buffer, Module, Parameter};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

#[derive(Clone)]
struct Config {
    _width: usize,
}

/// No field needs `skip`.
#[derive(Module)]
struct Plain {
    _config: Config,
    _shared_config: Arc<Config>,
    _maybe_shared: Option<Arc<Config>>,
    _log_of_all: Vec<Arc<Mutex<Vec<String>>>>,
    _calls_of_all: Option<Arc<AtomicUsize>>,
    _text: Option<Arc<str>>,
    _slices: Vec<Arc<[usize]>>,
    _names: Vec<String>,
    _nested: Vec<Vec<f64>>,
    _table: HashMap<char, (usize, f32)>,
    _set: HashSet<u8>,
    _queue: VecDeque<Config>,
    _configs: Vec<Config>,
    calls: AtomicUsize,
    cache: Mutex<HashMap<usize, Tensor>>,
    _log: RwLock<Vec<Config>>,
    _once: OnceLock<String>,
    _function: fn(&Tensor) -> Tensor,
    _callback: Option<fn(usize)>,
    _mask: Option<Tensor>,
    _range: std::ops::Range<usize>,
    _path: std::path::PathBuf,
    _time: std::time::Duration,
    _size: [usize; 2],
    _unit: (),
    fc: nn::Linear,
}

#[test]
fn plain_fields_need_no_attribute() {
    let net = Plain {
        _config: Config { _width: 1 },
        _shared_config: Arc::new(Config { _width: 1 }),
        _maybe_shared: None,
        _log_of_all: vec![Arc::default()],
        _calls_of_all: Some(Arc::default()),
        _text: Some("a".into()),
        _slices: vec![],
        _names: vec![],
        _nested: vec![vec![1.0]],
        _table: HashMap::new(),
        _set: HashSet::new(),
        _queue: VecDeque::new(),
        _configs: vec![],
        calls: AtomicUsize::new(3),
        cache: Mutex::default(),
        _log: RwLock::default(),
        _once: OnceLock::new(),
        _function: |x| x.relu(),
        _callback: None,
        _mask: Some(ones([1])),
        _range: 0..3,
        _path: "a".into(),
        _time: std::time::Duration::ZERO,
        _size: [1, 2],
        _unit: (),
        fc: nn::Linear::new(1, 1),
    };
    net.cache.lock().unwrap().insert(1, ones([1]));
    assert_eq!(net.to_string(), "Plain(\n  (fc): Linear(in_features=1, out_features=1, bias=True)\n)");
    assert_eq!(net.state_dict().len(), 2);
    let copy = net.deepcopy();
    assert_eq!((copy.calls.load(Ordering::Relaxed), copy.cache.lock().unwrap().len()), (3, 1));
}

#[derive(Module)]
struct Containers {
    by_name: HashMap<&'static str, nn::Linear>,
    by_number: HashMap<usize, nn::Linear>,
    ordered: BTreeMap<String, nn::ReLU>,
    pair: (nn::Linear, f64, nn::ReLU),
    array: [nn::ReLU; 3],
    optional: Option<Vec<nn::ReLU>>,
    parameters: HashMap<String, Parameter>,
    buffers: Vec<Buffer>,
    boxed: Box<nn::ReLU>,
    empty: Vec<nn::ReLU>,
}

#[test]
fn containers_are_searched_in_an_order_that_stays() {
    let linear = || nn::Linear::with(1, 1, |o| o.bias(false));
    let relu = nn::ReLU::new;
    let net = Containers {
        by_name: ["z", "a", "m"].into_iter().map(|n| (n, linear())).collect(),
        by_number: [10, 9, 100].into_iter().map(|n| (n, linear())).collect(),
        ordered: [("y".to_owned(), relu()), ("x".to_owned(), relu())].into_iter().collect(),
        pair: (linear(), 2.0, relu()),
        array: [relu(), relu(), relu()],
        optional: Some(vec![relu()]),
        parameters: [("w".to_owned(), Parameter::new(ones([1])))].into_iter().collect(),
        buffers: vec![Buffer::new(ones([1]))],
        boxed: Box::new(relu()),
        empty: vec![],
    };
    let names: Vec<String> = net.named_parameters().into_iter().map(|(n, _)| n).collect();
    let expected = [
        "by_name.a.weight",
        "by_name.m.weight",
        "by_name.z.weight",
        "by_number.9.weight",
        "by_number.10.weight",
        "by_number.100.weight",
        "pair.0.weight",
        "parameters.w",
    ];
    assert_eq!(names, expected);
    assert_eq!(net.named_buffers()[0].0, "buffers.0");
    let children: Vec<String> =
        net.named_children().into_iter().map(|(n, m)| format!("{n}: {}", m.type_name())).collect();
    let expected = [
        "by_name: ModuleDict",
        "by_number: ModuleDict",
        "ordered: ModuleDict",
        "pair: ModuleList",
        "array: ModuleList",
        "optional: ModuleList",
        "parameters: ParameterDict",
        "buffers: ModuleList",
        "boxed: ReLU",
        "empty: ModuleList",
    ];
    assert_eq!(children, expected);
    assert_eq!(net.array.to_string_repr(), "ModuleList(\n  (0-2): 3 x ReLU()\n)");
}

trait Repr {
    fn to_string_repr(&self) -> String;
}

impl<M: Module> Repr for M {
    fn to_string_repr(&self) -> String {
        self.repr()
    }
}
