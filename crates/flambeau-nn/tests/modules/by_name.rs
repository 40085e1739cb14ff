//! Parts by name, and changing them.

use flambeau_autograd::ones;
use flambeau_nn::{self as nn, Call, Forward, Module, Sequential, init};
use std::panic::catch_unwind;
use std::sync::Arc;

#[derive(Module)]
struct Net {
    stem: nn::Conv2d,
    layers: Vec<Block>,
    head: Box<dyn Forward>,
    shared: Arc<dyn Forward>,
}

#[derive(Module)]
struct Block {
    norm: nn::BatchNorm2d,
    body: Sequential,
}

fn net() -> Net {
    let block =
        || Block { norm: nn::BatchNorm2d::new(2), body: nn::sequential![nn::Conv2d::new(2, 2, 1), nn::ReLU::new()] };
    Net {
        stem: nn::Conv2d::new(1, 2, 1),
        layers: vec![block(), block()],
        head: Box::new(nn::Linear::new(2, 3)),
        shared: Arc::new(nn::Linear::new(3, 3)),
    }
}

fn message<R>(f: impl FnOnce() -> R + std::panic::UnwindSafe) -> String {
    match catch_unwind(f) {
        Ok(_) => panic!("it should fail"),
        Err(payload) => payload.downcast_ref::<String>().cloned().expect("a text"),
    }
}

#[test]
fn parts_are_found_by_their_names_or_missed_with_pytorchs_words() {
    let net = net();
    assert_eq!(net.get_submodule("layers.1.body.0").repr(), "Conv2d(2, 2, kernel_size=(1, 1), stride=(1, 1))");
    assert!(net.get_submodule("").is::<Net>() && net.get_submodule("head").is::<nn::Linear>());
    assert_eq!(net.get_submodule("head").downcast_ref::<nn::Linear>().unwrap().in_features, 2);
    assert_eq!(net.get_parameter("layers.0.norm.weight").size(), [2]);
    assert_eq!(net.get_buffer("layers.0.norm.running_mean").size(), [2]);
    let seq = nn::sequential![nn::Linear::new(1, 1), nn::ReLU::new()];
    let s = std::panic::AssertUnwindSafe(&seq);
    assert_eq!(message(|| s.get_submodule("2")), "Sequential has no attribute `2`");
    assert_eq!(message(|| s.get_submodule("0.weight")), "`weight` is not an nn.Module");
    assert_eq!(message(|| s.get_parameter("0.foo")), "Linear has no attribute `foo`");
    assert_eq!(message(|| s.get_parameter("0")), "`0` is not an nn.Parameter");
    assert_eq!(message(|| s.get_buffer("0.weight")), "`weight` is not a buffer");
}

#[test]
fn apply_reaches_the_weights_of_any_layer() {
    // DCGAN's weights_init.
    let net = net();
    net.apply(|m| {
        if m.type_name().contains("Conv") {
            init::constant_(m.weight().unwrap(), 0.5);
        } else if let Some(norm) = m.downcast_ref::<nn::BatchNorm2d>() {
            init::constant_(norm.weight.as_ref().unwrap(), 2.0);
            init::zeros_(m.bias().unwrap());
        }
    });
    let all = |name: &str, value: f64| net.get_parameter(name).eq(value).all().item() == 1.0;
    assert!(all("stem.weight", 0.5) && all("layers.1.body.0.weight", 0.5) && all("layers.0.norm.weight", 2.0));
    assert!(all("layers.0.norm.bias", 0.0) && !all("head.weight", 0.5));
    assert!(net.get_submodule("layers.0").weight().is_none());
}

#[test]
fn parts_are_changed_and_replaced() {
    let mut net = net();
    net.stem = nn::Conv2d::new(3, 2, 1);
    net.get_submodule_mut("layers.0.norm").downcast_mut::<nn::BatchNorm2d>().unwrap().bias = None;
    assert_eq!(net.named_parameters().iter().filter(|(n, _)| n.ends_with("norm.bias")).count(), 1);
    net.set_submodule("layers.1.body.1", nn::Tanh::new());
    net.set_submodule("layers.1.norm", nn::BatchNorm2d::new(5));
    net.set_submodule("head", nn::sequential![nn::Linear::new(2, 7)]);
    net.set_submodule("shared", nn::Identity::new());
    assert!(net.get_submodule("layers.1.body.1").is::<nn::Tanh>() && net.shared.as_module().is::<nn::Identity>());
    assert_eq!(net.layers[1].norm.weight.as_ref().unwrap().size(), [5]);
    assert_eq!(net.head.call(ones([1, 2])).size(), [1, 7]);
    let n = std::panic::AssertUnwindSafe(std::sync::Mutex::new(net));
    let wrong = message(|| n.lock().unwrap().set_submodule("stem", nn::ReLU::new()));
    assert_eq!(wrong, "`stem` is a field of type Conv2d and cannot hold a ReLU");
    n.clear_poison();
    let wrong = message(|| n.lock().unwrap().set_submodule("layers.7", nn::ReLU::new()));
    assert_eq!(wrong, "ModuleList has no attribute `7`");
}

#[test]
fn a_sequential_of_any_length_is_made_and_changed() {
    let twenty = nn::sequential![
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::ReLU::new(),
        nn::Linear::new(1, 1),
        nn::Sigmoid::new(),
    ];
    assert_eq!((twenty.len(), twenty.named_modules().len(), twenty.parameters().len()), (20, 21, 20));
    assert_eq!(twenty.call(ones([4, 1])).size(), [4, 1]);
    let from_vec = Sequential::new(vec![nn::Linear::new(2, 2), nn::Linear::new(2, 2)]);
    let collected: Sequential = (0..3).map(|_| nn::Linear::new(2, 2)).collect();
    let boxed: Sequential = vec![Box::new(from_vec) as Box<dyn Forward>, Box::new(collected)].into_iter().collect();
    assert_eq!(boxed.call(ones([1, 2])).size(), [1, 2]);
    assert!(boxed[1].as_module().is::<Sequential>(), "a box is not boxed again");
    let mut seq = nn::sequential!["a" => nn::Linear::new(2, 2), "b" => nn::ReLU::new()];
    assert_eq!(
        seq.to_string(),
        "Sequential(\n  (a): Linear(in_features=2, out_features=2, bias=True)\n  (b): ReLU()\n)"
    );
    seq.add_module("c", nn::Tanh::new()).add_module("b", nn::Sigmoid::new());
    assert_eq!(
        seq.named_children().iter().map(|(n, m)| format!("{n}{}", m.type_name())).collect::<String>(),
        "aLinearbSigmoidcTanh"
    );
    seq.insert(1, nn::Identity::new());
    assert!(
        seq.remove(2).as_module().is::<nn::Sigmoid>() && seq.set(0, nn::Flatten::new()).as_module().is::<nn::Linear>()
    );
    assert_eq!(
        seq.named_children().iter().map(|(n, m)| format!("{n}{}", m.type_name())).collect::<String>(),
        "0Flatten1Identity2Tanh"
    );
    seq.extend([nn::ReLU::new()]);
    assert!(seq[3].as_module().is::<nn::ReLU>() && seq.get(4).is_none());
}

#[test]
fn a_shared_layer_is_named_once() {
    let shared = Arc::new(nn::ReLU::new());
    let net: Sequential = (0..1000).map(|_| nn::sequential![nn::Identity::new(), shared.clone()]).collect();
    let modules = net.named_modules();
    assert_eq!(modules.len(), 1 + 2 * 1000 + 1);
    let named: Vec<&str> = modules.iter().filter(|(_, m)| m.is::<nn::ReLU>()).map(|(n, _)| n.as_str()).collect();
    assert_eq!(named, ["0.1"]);
}
