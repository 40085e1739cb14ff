//! `nn::ModuleList` and `nn::ModuleDict`.

use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Call, Forward, Module, deepcopy};

#[derive(Module)]
struct Block {
    fc: nn::Linear,
}

impl Block {
    fn new(n: usize) -> Self {
        Block { fc: nn::Linear::with(n, n, |o| o.bias(false)) }
    }
}

#[nn::forward]
impl Block {
    fn forward(&self, x: &Tensor, skip: &Tensor) -> Tensor {
        self.fc.call(x) + skip
    }
}

fn double(n: usize) -> nn::Linear {
    let linear = nn::Linear::with(n, n, |o| o.bias(false));
    linear.weight.data().copy_(2.0 * flambeau_autograd::eye(n));
    linear
}

/// One of layers, one of blocks of another signature.
#[derive(Module)]
struct Net {
    layers: nn::ModuleList,
    blocks: nn::ModuleList<Block>,
    heads: nn::ModuleDict,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.layers[0].call(x);
        for layer in &self.layers {
            x = layer.call(&x);
        }
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.call(&x, &x * i as f64);
        }
        self.heads["b"].call(x)
    }
}

#[test]
fn lists_are_made_as_in_python_and_registered() {
    let mut layers = nn::ModuleList::default();
    layers.push(double(2)).append(nn::ReLU::new());
    layers.extend([nn::Dropout::new(0.0)]);
    layers.insert(1, nn::Identity::new());
    let mut net = Net {
        layers,
        blocks: (0..2).map(|_| 2).map(Block::new).collect(),
        heads: nn::ModuleDict::new([("b", double(2)), ("a", double(2))]),
    };
    let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
    let expected = ["layers.0.weight", "blocks.0.fc.weight", "blocks.1.fc.weight", "heads.b.weight", "heads.a.weight"];
    assert_eq!(names, expected);
    for block in &mut net.blocks {
        block.fc = double(2);
    }
    // ((1 · 2 · 2) · 2) · 2 + 8, times 2 …
    assert_eq!(net.call(ones([1, 2])).to_vec::<f32>(), [((4.0 * 2.0) * 2.0 + 8.0) * 2.0; 2]);
    assert_eq!((net.layers.len(), net.blocks.len(), net.heads.len()), (4, 2, 2));
    let copy = deepcopy(&net);
    copy.eval();
    assert!(net.layers.training() && !copy.layers.training() && !copy.heads["a"].training());
    assert_eq!(copy.call(ones([1, 2])).to_vec::<f32>(), net.call(ones([1, 2])).to_vec::<f32>());
    assert_eq!(net.layers.set(1, nn::Tanh::new()).type_name(), "Identity");
    assert_eq!(net.layers.remove(1).type_name(), "Tanh");
    net.set_submodule("layers.1", nn::Sigmoid::new());
    net.set_submodule("heads.a", nn::Tanh::new());
    assert_eq!((net.layers[1].type_name(), net.heads["a"].type_name()), ("Sigmoid", "Tanh"));
    assert_eq!(
        (net.layers.first().unwrap().type_name(), net.layers.last().unwrap().type_name()),
        ("Linear", "Dropout")
    );
    // print(net), with double's Linear(2, 2, bias=False).
    let linear = "Linear(in_features=2, out_features=2, bias=False)";
    assert_eq!(
        net.to_string(),
        format!(
            "Net(\n  (layers): ModuleList(\n    (0): {linear}\n    (1): Sigmoid()\n    (2): Dropout(p=0.0, inplace=False)\n  )\
             \n  (blocks): ModuleList(\n    (0-1): 2 x Block(\n      (fc): {linear}\n    )\n  )\n  (heads): ModuleDict(\n    \
             (b): {linear}\n    (a): Tanh()\n  )\n)"
        )
    );
}

#[test]
fn the_same_from_iterators_boxes_and_macros() {
    let collected = (0..3).map(|_| nn::Linear::new(1, 1)).collect::<nn::ModuleList>();
    let list = |boxes: Vec<Box<dyn Forward>>| nn::ModuleList::new(boxes);
    let boxed: nn::ModuleList = list(vec![Box::new(nn::ReLU::new()), Box::new(nn::Linear::new(1, 1))]);
    assert!(boxed[0].as_module().is::<nn::ReLU>(), "no box in a box");
    let written = nn::module_list![nn::ReLU::new(), nn::Linear::new(1, 1)];
    assert_eq!((collected.len(), boxed.to_string()), (3, written.to_string()));
    let of_two = nn::module_list![Block::new(1), Block::new(1)];
    assert_eq!(of_two[0].call((ones([1, 1]), ones([1, 1]))).size(), [1, 1]);

    let mut dict = nn::module_dict!["conv" => nn::ReLU::new(), "act" => nn::Tanh::new()];
    assert_eq!(dict.insert("conv", nn::Sigmoid::new()).unwrap().type_name(), "ReLU");
    dict.extend([(format!("n{}", 1), nn::ReLU::new())]);
    assert_eq!(dict.keys().collect::<Vec<_>>(), ["conv", "act", "n1"]);
    assert!(dict.contains_key("act") && dict.remove("act").is_some() && dict.get("act").is_none());
    let mut seen = Vec::new();
    for (name, module) in &dict {
        seen.push(format!("{name} {}", module.type_name()));
    }
    assert_eq!((seen, dict.values().count()), (vec!["conv Sigmoid".to_owned(), "n1 ReLU".to_owned()], 2));
    let error = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dict["act"].type_name())).unwrap_err();
    assert_eq!(error.downcast_ref::<String>().unwrap(), "KeyError: 'act'");
    assert_eq!(nn::ModuleList::<dyn Forward>::default().to_string(), "ModuleList()");
}
