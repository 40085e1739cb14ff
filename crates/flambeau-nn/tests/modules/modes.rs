//! Each module has a training flag of its own, also a struct without a `ModuleState`.

use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Buffer, Call, Forward, Module, Parameter, deepcopy, functional as F};
use std::sync::Arc;

/// Drops everything in training mode.
#[derive(Module)]
struct Own {
    w: Parameter,
}

impl Own {
    fn new() -> Self {
        Own { w: Parameter::new(ones([1])) }
    }
}

impl Forward for Own {
    fn forward(&self, x: &Tensor) -> Tensor {
        F::dropout(x * &self.w, 1.0, self.training())
    }
}

#[derive(Module)]
struct Net {
    bn: nn::BatchNorm1d,
    fc: nn::Linear,
    own: Own,
    list: nn::ModuleList,
}

impl Net {
    fn new() -> Self {
        let (bn, fc) = (nn::BatchNorm1d::new(1), nn::Linear::new(1, 1));
        Net { bn, fc, own: Own::new(), list: nn::module_list![Own::new(), nn::Dropout::new(0.5)] }
    }
}

/// The modules that train.
fn trained(module: &dyn Module) -> Vec<String> {
    module.named_modules().into_iter().filter(|(_, m)| m.training()).map(|(name, _)| name).collect()
}

const ALL: [&str; 7] = ["", "bn", "fc", "own", "list", "list.0", "list.1"];

#[test]
fn a_struct_with_only_a_parameter_has_a_flag() {
    let own = Own::new();
    assert!(own.training() && own.call(ones([1])).item() == 0.0);
    own.eval();
    assert!(!own.training() && own.call(ones([1])).item() == 1.0);
    // Elsewhere in memory too, and in whatever holds it.
    let moved = Box::new(own);
    assert!(!moved.training());
    let net = nn::sequential![*moved];
    assert_eq!(net.call(ones([1])).item(), 1.0);
    assert!(net.training() && !net[0].training());
    net.train();
    assert_eq!(net.call(ones([1])).item(), 0.0);
    net.eval();
    assert_eq!(net.call(ones([1])).item(), 1.0);
}

/// `m = Net(); m.bn.eval(); [n for n, x in m.named_modules() if x.training]`, and so on.
#[test]
fn parents_and_children_have_flags_of_their_own() {
    let net = Net::new();
    assert_eq!(trained(&net), ALL);
    net.bn.eval();
    assert_eq!(trained(&net), ["", "fc", "own", "list", "list.0", "list.1"]);
    net.train();
    net.fc.eval();
    net.own.eval();
    net.list[0].eval();
    assert_eq!(trained(&net), ["", "bn", "list", "list.1"]);
    net.eval();
    assert_eq!(trained(&net), [""; 0]);
    net.bn.train();
    net.list.train();
    assert_eq!(trained(&net), ["bn", "list", "list.0", "list.1"]);
    net.train_mode(true);
    assert_eq!(trained(&net), ALL);
}

#[test]
fn flags_outlive_moves_copies_and_replaced_parts() {
    let net = Net::new();
    net.eval();
    net.list.train();
    let mut nets = vec![Net::new(), net, Net::new()];
    nets.reserve(100);
    let net = nets.swap_remove(1);
    assert_eq!(trained(&net), ["list", "list.0", "list.1"]);
    assert!(nets.iter().all(|net| trained(net) == ALL), "others of the type");
    let copy = deepcopy(&net);
    net.train();
    assert_eq!(trained(&copy), ["list", "list.0", "list.1"]);
    copy.list.eval();
    assert_eq!((trained(&copy), trained(&net).len()), (vec![], ALL.len()));
    assert_eq!(trained(&deepcopy(&copy)), [""; 0]);
    let dict = nn::module_dict!["own" => Own::new()];
    dict.eval();
    assert_eq!(trained(&deepcopy(&dict)), [""; 0]);
    // A part that is copied alone is none of its owner's.
    let alone = Own { w: Parameter::new(ones([1])) };
    let other = Own { w: deepcopy(&copy.own.w) };
    assert!(alone.training() && other.training());
    // Replaced parts train, their owner's flag stays with the others.
    let mut net = copy;
    net.fc = nn::Linear::new(1, 1);
    net.own = Own::new();
    net.list.set(0, Own::new());
    assert_eq!(trained(&net), ["fc", "own", "list.0"]);
    net.eval();
    net.bn = nn::BatchNorm1d::new(1);
    net.list = nn::ModuleList::default();
    assert_eq!(trained(&net), ["bn", "list"], "the parts that came later carry it too");
}

#[derive(Module)]
struct Nested<M> {
    inner: M,
}

#[test]
fn a_struct_within_one_of_the_same_kind_is_told_apart() {
    let net = Nested { inner: Nested { inner: vec![Nested { inner: Own::new() }, Nested { inner: Own::new() }] } };
    net.inner.inner[1].eval();
    assert_eq!(trained(&net), ["", "inner", "inner.inner", "inner.inner.0", "inner.inner.0.inner"]);
    net.eval();
    net.inner.inner[0].inner.train();
    assert_eq!(trained(&net), ["inner.inner.0.inner"]);
    net.inner.inner.train();
    assert_eq!(trained(&net).len(), 5);
    assert!(!net.training() && !net.inner.training());
}

#[test]
fn hooks_and_the_flag_are_one_state() {
    let own = Own::new();
    own.eval();
    let handle = own.register_forward_hook(|module, _, y| Some(y + if module.training() { 10.0 } else { 20.0 }));
    assert_eq!(own.call(ones([1])).item(), 21.0);
    let copy = deepcopy(&own);
    own.train();
    handle.remove();
    assert_eq!((own.call(ones([1])).item(), copy.call(ones([1])).item()), (0.0, 21.0));
}

#[test]
fn buffers_and_pointers_carry_it_too_and_what_nothing_carries_says_so() {
    #[derive(Module)]
    struct Counter {
        count: Option<Buffer>,
    }
    let counter: Arc<dyn Module> = Arc::new(Counter { count: Some(Buffer::new(ones([1]))) });
    counter.eval();
    assert!(!counter.training());
    #[derive(Module)]
    struct DropPath {
        p: f64,
        shared: Arc<Own>,
    }
    impl Forward for DropPath {
        fn forward(&self, x: &Tensor) -> Tensor {
            F::dropout(self.shared.call(x), self.p, self.training())
        }
    }
    let net = nn::sequential![DropPath { p: 1.0, shared: Arc::new(Own::new()) }, nn::ReLU::new()];
    net.eval();
    let call = std::panic::AssertUnwindSafe(|| net.call(ones([1])));
    let error = std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(
        error.downcast_ref::<String>().unwrap(),
        "DropPath has no parameter, buffer or layer of its own that could carry its training flag: give it a field of type \
         nn::ModuleState"
    );
}
