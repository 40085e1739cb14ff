//! Deep copies.

use flambeau_autograd::{Tensor, no_grad, ones, tensor, zeros};
use flambeau_nn::{self as nn, Buffer, Call, Forward, Module, Parameter, StateDict, deepcopy};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

#[derive(Clone, PartialEq, Debug)]
struct Config {
    width: usize,
    name: String,
}

#[derive(Module)]
struct Model<M: Forward> {
    embedding: nn::Embedding,
    head: nn::Linear,
    shared: Arc<nn::Linear>,
    again: Arc<dyn Forward>,
    blocks: Vec<Box<dyn Forward>>,
    by_name: HashMap<String, nn::Linear>,
    ordered: BTreeMap<u8, nn::Linear>,
    pair: (nn::Linear, usize),
    array: [nn::Linear; 2],
    inner: M,
    config: Config,
    activation: fn(&Tensor) -> Tensor,
    cache: Mutex<Option<Tensor>>,
    mask: Tensor,
    mask_twice: Tensor,
    count: Buffer,
    frozen: Parameter,
}

impl<M: Forward> Forward for Model<M> {
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.activation)(&self.head.call(self.inner.call(x)))
    }
}

fn model() -> Model<nn::Dropout> {
    let linear = || nn::Linear::new(2, 2);
    let embedding = nn::Embedding::new(3, 2);
    let mut head = nn::Linear::with(2, 3, |o| o.bias(false));
    head.weight = embedding.weight.share();
    let shared = Arc::new(linear());
    let mask = ones([2]);
    Model {
        embedding,
        head,
        again: shared.clone(),
        blocks: vec![Box::new(shared.clone()), Box::new(nn::BatchNorm1d::new(2))],
        shared,
        by_name: ["b", "a"].into_iter().map(|n| (n.to_owned(), linear())).collect(),
        ordered: [(10, linear()), (2, linear())].into_iter().collect(),
        pair: (linear(), 7),
        array: [linear(), linear()],
        inner: nn::Dropout::new(0.5),
        config: Config { width: 2, name: "small".into() },
        activation: |x| x.relu(),
        cache: Mutex::new(Some(zeros([1]))),
        mask_twice: mask.requires_grad_(false),
        mask,
        count: Buffer::new(ones([1])),
        frozen: Parameter::with_requires_grad(ones([1]), false),
    }
}

#[test]
fn a_copy_shares_nothing_and_keeps_what_is_tied() {
    let net = model();
    net.inner.eval();
    net.embedding.weight.set_grad(Some(ones([3, 2])));
    let copy = deepcopy(&net);
    // The same names, shapes and values, in memory of its own.
    let names = |m: &dyn Module| m.named_parameters().into_iter().map(|(n, _)| n).collect::<Vec<_>>();
    assert_eq!(names(&net), names(&copy));
    assert_eq!(net.to_string(), copy.to_string());
    for ((name, a), (_, b)) in net.named_parameters().iter().zip(&copy.named_parameters()) {
        assert!(a.equal(b) && !a.is_same(b) && a.data_ptr() != b.data_ptr(), "{name}");
        assert!(b.is_leaf() && b.is_parameter() && a.requires_grad() == b.requires_grad(), "{name}");
    }
    assert!(!copy.frozen.requires_grad() && copy.head.weight.requires_grad());
    // What is one stays one, in the copy.
    assert!(copy.head.weight.is_same(&copy.embedding.weight) && !copy.head.weight.is_same(&net.head.weight));
    let weight = |m: &dyn Module| Tensor::from(m.weight().unwrap().tensor());
    assert!(weight(copy.again.as_module()).is_same(&copy.shared.weight));
    assert!(weight(copy.blocks[0].as_module()).is_same(&copy.shared.weight));
    assert!(!copy.shared.weight.is_same(&net.shared.weight));
    assert!(copy.mask.is_same(&copy.mask_twice) == net.mask.is_same(&net.mask_twice));
    assert!(!copy.mask.is_same(&net.mask) && copy.mask.equal(&net.mask));
    // Flags, buffers, plain data; parameters' gradients are not copied.
    assert!(!copy.inner.training() && copy.head.training());
    assert!(!copy.count.is_same(&net.count) && copy.count.item() == 1.0);
    assert!(copy.embedding.weight.grad().is_none() && net.embedding.weight.grad().is_some());
    assert_eq!((&copy.config, copy.pair.1, copy.cache.lock().unwrap().is_some()), (&net.config, 7, true));
    // Training one leaves the other.
    let _guard = no_grad();
    copy.parameters().iter().for_each(|p| drop(p.add_(1)));
    assert!(!net.head.weight.equal(&copy.head.weight));
    assert_eq!(copy.call(ones([1, 2])).size(), [1, 3]);
}

#[test]
fn copies_of_trait_objects_tensors_and_state_dicts() {
    let boxed: Box<dyn Forward> = Box::new(nn::Linear::new(1, 1));
    let copy = deepcopy(&boxed);
    let weight = |m: &dyn Module| Tensor::from(m.weight().unwrap().tensor());
    assert!(!weight(copy.as_module()).is_same(&weight(boxed.as_module())));
    let net = nn::sequential!["first" => nn::Linear::new(1, 1), "second" => boxed];
    let dynamic: Box<dyn Module> = Box::new(net);
    let copy = dynamic.deepcopy();
    assert_eq!(copy.to_string(), dynamic.to_string());
    copy.parameters().iter().for_each(|p| drop(p.data().fill_(9.0)));
    assert!(dynamic.parameters().iter().all(|p| p.item() != 9.0));

    let x = tensor([1.0, 2.0]).requires_grad_(true);
    x.set_grad(Some(ones([2])));
    let y = deepcopy(&x);
    assert!(y.is_leaf() && y.requires_grad() && y.grad().unwrap().equal(ones([2])) && !y.is_same(&x));
    let computed = &x * 2.0;
    let error = std::panic::catch_unwind(|| deepcopy(&computed)).unwrap_err();
    assert_eq!(
        *error.downcast_ref::<&str>().unwrap(),
        "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If you were \
         attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see \
         https://github.com/pytorch/pytorch/pull/103001"
    );
    let state: StateDict = dynamic.state_dict();
    let (best, handles) = (deepcopy(&state), dynamic.state_dict());
    dynamic.parameters().iter().for_each(|p| drop(p.data().add_(1)));
    assert!(!best["first.weight"].equal(&handles["first.weight"]));
    dynamic.load_state_dict(&best).unwrap();
    assert!(best["first.weight"].equal(&handles["first.weight"]));
}

#[test]
fn a_copy_has_the_hooks_of_its_own() {
    let net = nn::sequential![nn::Linear::new(1, 1), nn::ReLU::new()];
    let handle = net[1].as_module().register_forward_hook(|_, _, y| Some((y.tensor().unwrap() * 0.0 + 5.0).into()));
    let copy = net.deepcopy();
    handle.remove();
    assert_eq!(copy.call(ones([1])).item(), 5.0);
    assert_ne!(net.call(ones([1])).item(), 5.0);
    // Of a struct without a state too; and a part that is copied alone does not take its owner's along.
    #[derive(Module)]
    struct Outer {
        layer: nn::Identity,
    }
    impl Forward for Outer {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.layer.call(x)
        }
    }
    let outer = Outer { layer: nn::Identity::new() };
    let handle = outer.register_forward_hook(|_, _, y| Some(y + 1.0));
    let copy = deepcopy(&outer);
    let other = Outer { layer: deepcopy(&outer.layer) };
    handle.remove();
    let results = [&outer, &copy, &other].map(|m| m.call(ones([1])).item());
    assert_eq!(results, [1.0, 2.0, 1.0]);
}

#[test]
fn a_losss_weight_is_one_tensor_in_the_copy() {
    let loss = nn::CrossEntropyLoss::with(|o| o.weight(tensor([1.0, 3.0])));
    let copy = deepcopy(&loss);
    let (x, t) = (tensor([[1.0, 2.0], [3.0, 1.0]]), tensor([0i64, 1]));
    assert_eq!(copy.call(&x, &t).item(), loss.call(&x, &t).item());
    copy.get_buffer("weight").copy_(tensor([1.0, 0.0]));
    assert_ne!(copy.call(&x, &t).item(), loss.call(&x, &t).item());
    assert_eq!(loss.get_buffer("weight").to_vec::<f32>(), [1.0, 3.0]);
}

#[test]
fn a_field_that_cannot_be_copied_is_named() {
    #[derive(Module)]
    struct Net {
        #[module(skip)]
        draw: Box<dyn Fn() -> f64 + Send + Sync>,
        #[module(skip)]
        teacher: nn::Linear,
    }
    let net = Net { draw: Box::new(|| 4.0), teacher: nn::Linear::new(1, 1) };
    assert!(net.parameters().is_empty() && net.teacher.weight.is_leaf() && (net.draw)() == 4.0);
    let error = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(net.deepcopy()))).unwrap_err();
    let text = error.downcast_ref::<String>().unwrap();
    assert!(
        text.starts_with("deepcopy: the field `draw` of type alloc::boxed::Box<dyn") && text.ends_with("nor a module")
    );
}

#[test]
fn a_parameters_clone_is_the_tensors() {
    let p = Parameter::new(ones([2]));
    let handle: Tensor = p.clone();
    assert_eq!(handle.size(), [2]);
    let tied = p.share();
    assert!(tied.is_same(&p) && Buffer::new(&p).share().is_persistent());
}
