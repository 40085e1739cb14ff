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

fn message<R>(call: impl FnOnce() -> R) -> String {
    let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) else { panic!("it does not fail") };
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| (*payload.downcast_ref::<&str>().unwrap()).to_owned())
}

/// Beside Python's prints and errors.
#[test]
fn dicts_and_lists_of_parameters() {
    let mut dict = nn::ParameterDict::from(std::collections::HashMap::from([
        ("b".to_owned(), ones([2])),
        ("a".to_owned(), ones([3, 2]).double()),
    ]));
    assert_eq!(
        dict.to_string(),
        "ParameterDict(\n    (a): Parameter containing: [torch.DoubleTensor of size 3x2]\n    (b): Parameter containing: \
         [torch.FloatTensor of size 2]\n)"
    );
    let other = nn::ParameterDict::new([("z", ones([1])), ("b", ones(()))]);
    let both = &dict | &other;
    assert_eq!(both.keys().collect::<Vec<_>>(), ["a", "b", "z"]);
    assert_eq!(both.keys().rev().collect::<Vec<_>>(), ["z", "b", "a"]);
    assert!(both["b"].is_same(&other["b"]) && both["a"].is_same(&dict["a"]) && dict.copy()["a"].is_same(&dict["a"]));
    dict |= &other;
    assert!(dict["b"].dim() == 0 && dict.get("q").is_none() && dict.contains_key("z"));
    assert_eq!(message(|| dict["q"].numel()), "'ParameterDict' object has no attribute 'q'");
    assert_eq!(message(|| dict.pop("q")), "'ParameterDict' object has no attribute 'q'");
    assert_eq!(message(|| nn::ParameterDict::default().popitem()), "KeyError: 'popitem(): dictionary is empty'");
    assert_eq!(dict.popitem().0, "z");
    assert!(dict.setdefault("a", ones([9])).size() == [3, 2] && dict.setdefault("n", ones([9])).size() == [9]);
    let keys = nn::ParameterDict::fromkeys(["x", "y"], ones([1]));
    assert!(!keys["x"].is_same(&keys["y"]) && keys["x"].data_ptr() == keys["y"].data_ptr());
    dict.clear();
    assert_eq!((dict.to_string(), dict.len()), ("ParameterDict()".to_owned(), 0));
    let ints = nn::Parameter::with_requires_grad(flambeau_autograd::tensor([1, 2]), false);
    let mixed = nn::ParameterDict::new([("h", nn::Parameter::new(ones([2]).half())), ("i", ints)]);
    assert!(
        mixed.to_string().contains("[torch.HalfTensor of size 2]") && mixed.to_string().contains("torch.LongTensor")
    );
    assert_eq!(
        message(|| nn::ParameterDict::new([("i", flambeau_autograd::tensor([1]))])),
        "Only Tensors of floating point and complex dtype can require gradients"
    );
    // One alone stands beside the name, in Python too.
    let one = nn::ParameterList::new([ones([2])]);
    assert_eq!(one.to_string(), "ParameterList(  (0): Parameter containing: [torch.float32 of size 2])");
    let mut list: nn::ParameterList = [ones([2]), ones(())].iter().collect();
    assert_eq!(
        list.to_string(),
        "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n    (1): Parameter containing: [torch.float32 \
         of size ]\n)"
    );
    list.set(1, ones([4]));
    assert_eq!(message(|| list.set(5, ones([4]))), "index 5 is out of range");
    assert_eq!((list.len(), list.iter().map(|p| p.numel()).sum::<usize>()), (2, 6));
    let copy = deepcopy(&list);
    assert!(copy[0].requires_grad() && !copy[0].is_same(&list[0]) && copy.state_dict().keys().eq(["0", "1"]));
}

/// Beside Python's.
#[test]
fn containers_have_pythons_methods() {
    let net = || nn::sequential![nn::Linear::new(1, 2), nn::ReLU::new(), nn::Tanh::new()];
    let names = |net: &nn::Sequential| {
        net.named_children().into_iter().map(|(name, m)| format!("{name} {}", m.type_name())).collect::<Vec<_>>()
    };
    assert_eq!(names(&net().slice(1..)), ["1 ReLU", "2 Tanh"]);
    assert_eq!(names(&(net().slice(1..) + nn::sequential![nn::Sigmoid::new()])), ["0 ReLU", "1 Tanh", "2 Sigmoid"]);
    let mut more = net();
    more += nn::sequential![nn::Sigmoid::new()];
    assert_eq!(more.pop(-2).repr(), "Tanh()");
    assert_eq!(names(&more), ["0 Linear", "1 ReLU", "2 Sigmoid"]);
    more.insert(-1, nn::ELU::new());
    assert_eq!(names(&more), ["0 Linear", "1 ReLU", "2 ELU", "3 Sigmoid"]);
    let twice = nn::sequential![nn::Linear::new(2, 2), nn::ReLU::new()] * 2;
    assert_eq!(names(&twice), ["0 Linear", "1 ReLU"], "a module that stands twice is one child");
    assert_eq!((twice.len(), twice.parameters().len(), twice.state_dict().len()), (4, 2, 4));
    let never = 0;
    assert!(message(|| net() * never).starts_with("Non-positive multiplication factor 0 for <class "));
    assert_eq!(message(|| more.pop(7)), "index 7 is out of range");
    assert_eq!(message(|| more.insert(5, nn::ELU::new()).len()), "Index out of range: 5");
    assert_eq!(message(|| more.add_module("a.b", nn::ELU::new()).len()), "module name can't contain \".\", got: a.b");
    assert_eq!(message(|| more.add_module("", nn::ELU::new()).len()), "module name can't be empty string \"\"");
    // PyTorch's `nn.Sequential(*list(net.children())[:-1])`.
    let last = more.len() - 1;
    assert_eq!(names(&nn::Sequential::new(more.into_iter().take(last))), ["0 Linear", "1 ReLU", "2 ELU"]);
    let chained = nn::Sequential::new((0..2).map(|_| nn::ReLU::new()).chain((0..1).map(|_| nn::ReLU::new())));
    assert_eq!(chained.len(), 3);

    let mut list = nn::module_list![nn::ReLU::new(), nn::Tanh::new()] + [nn::ELU::new()];
    list += vec![nn::SELU::new()];
    assert_eq!((list.len(), list.pop(-1).repr(), list.len()), (4, "SELU()".to_owned(), 3));
    assert_eq!(message(|| list.pop(4)), "index 4 is out of range");
    assert_eq!(list.slice(1..).to_string(), "ModuleList(\n  (0): Tanh()\n  (1): ELU(alpha=1.0)\n)");
    let mut dict = nn::module_dict!["b" => nn::ReLU::new()];
    dict.update([("a", nn::Tanh::new()), ("b", nn::Tanh::new())]);
    assert_eq!(
        dict.items().map(|(name, m)| format!("{name} {}", m.repr())).collect::<Vec<_>>(),
        ["b Tanh()", "a Tanh()"]
    );
    assert_eq!((dict.pop("b").repr(), message(|| dict.pop("b"))), ("Tanh()".to_owned(), "KeyError: 'b'".to_owned()));
    assert_eq!(message(|| dict.insert("x.y", nn::Tanh::new())), "module name can't contain \".\", got: x.y");
    dict.clear();
    assert!(dict.is_empty());
}

#[test]
fn batch_norms_become_synchronised_ones_where_they_can() {
    let inner = nn::sequential![nn::BatchNorm2d::with(3, |o| o.affine(false))];
    let net = nn::sequential![nn::BatchNorm1d::new(2), inner, nn::InstanceNorm1d::new(2)];
    net.eval();
    let weight = net.get_parameter("0.weight").share();
    let net = nn::SyncBatchNorm::convert_sync_batchnorm(net);
    assert_eq!(
        net.to_string(),
        "Sequential(\n  (0): SyncBatchNorm(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n  (1): \
         Sequential(\n    (0): SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=True)\n  \
         )\n  (2): InstanceNorm1d(2, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)\n)"
    );
    assert!(net.get_parameter("0.weight").is_same(&weight) && !net[0].as_module().training());
    assert_eq!(message(|| nn::SyncBatchNorm::new(3).call(ones([3]))), "expected at least 2D input (got 1D input)");
    let parallel = nn::DataParallel::new(nn::Linear::new(2, 1));
    assert_eq!(parallel.to_string(), "DataParallel(\n  (module): Linear(in_features=2, out_features=1, bias=True)\n)");
    let of_two = nn::DataParallel::new(Block::new(1));
    assert_eq!(of_two.call((ones([1, 1]), ones([1, 1]))).size(), [1, 1]);
}
