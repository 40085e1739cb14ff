use crate::{self as nn, Buffer, Call, Forward, Module, ModuleState, Parameter, Sequential, StateDict};
use flambeau_autograd::{Tensor, ones, tensor, zeros};
use flambeau_tensor::DType;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Module)]
struct Net {
    scale: Parameter,
    fc1: nn::Linear,
    blocks: Vec<nn::Linear>,
    extra: Option<nn::Dropout>,
    sizes: Vec<usize>,
    steps: Buffer,
    scratch: Buffer,
    _log: std::sync::OnceLock<()>,
    tied: Parameter,
}

fn net() -> Net {
    let scale = Parameter::new(ones([2]));
    Net {
        tied: scale.share(),
        scale,
        fc1: nn::Linear::new(2, 2),
        blocks: vec![nn::Linear::new(2, 2), nn::Linear::new(2, 2)],
        extra: Some(nn::Dropout::new(0.5)),
        sizes: vec![1, 2],
        steps: Buffer::new(zeros([1])),
        scratch: Buffer::non_persistent(zeros([1])),
        _log: std::sync::OnceLock::new(),
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        assert_eq!(self.sizes, [1, 2]);
        let x = self.blocks.iter().fold(self.fc1.call(x), |x, block| block.call(&x)).mul(&*self.scale);
        self.extra.as_ref().map_or(x.shallow_clone(), |dropout| dropout.call(&x))
    }
}

#[test]
fn members_come_in_pytorchs_order_and_shared_ones_once() {
    let net = net();
    let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
    let blocks = ["fc1.weight", "fc1.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias"];
    assert_eq!(names, [&["scale"][..], &blocks].concat());
    let state = net.state_dict();
    assert!(state.keys().eq(["scale", "tied", "steps"].into_iter().chain(blocks)));
    assert_eq!(net.named_buffers().len(), 2);
    assert_eq!(net.num_parameters(), 2 + 3 * 6);
    // The state dict shares the module's memory.
    state["tied"].fill_(3);
    assert_eq!(net.scale.to_vec::<f32>(), [3.0, 3.0]);
    let modules: Vec<String> = net.named_modules().into_iter().map(|(name, _)| name).collect();
    assert_eq!(modules, ["", "fc1", "blocks", "blocks.0", "blocks.1", "extra"]);
}

#[test]
fn print_is_pythons() {
    let linear = "Linear(in_features=2, out_features=2, bias=True)";
    assert_eq!(
        net().to_string(),
        format!(
            "Net(\n  (fc1): {linear}\n  (blocks): ModuleList(\n    (0-1): 2 x {linear}\n  )\n  \
             (extra): Dropout(p=0.5, inplace=False)\n)"
        )
    );
    assert_eq!(Sequential::default().to_string(), "Sequential()");
    let parameter = Parameter::new(tensor([1.0, 2.0]));
    assert_eq!(parameter.to_string(), "Parameter containing:\ntensor([1., 2.], requires_grad=True)");
}

#[test]
fn loading_reports_what_pytorch_reports() {
    // net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3)); net.load_state_dict({...})
    let net = Sequential::new((nn::Linear::new(2, 2), nn::Linear::new(2, 3)));
    let state: StateDict =
        [("0.weight", zeros([2, 2])), ("1.weight", zeros([2, 2])), ("1.bias", ones([3])), ("x.y", ones([1]))]
            .into_iter()
            .map(|(name, t)| (name.to_owned(), t))
            .collect();
    assert_eq!(
        net.load_state_dict(&state).unwrap_err().to_string(),
        "Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: \"0.bias\". \n\tUnexpected key(s) in \
         state_dict: \"x.y\". \n\tsize mismatch for 1.weight: copying a param with shape torch.Size([2, 2]) from checkpoint, \
         the shape in current model is torch.Size([3, 2])."
    );
    assert_eq!(net.state_dict()["1.bias"].to_vec::<f32>(), [1.0; 3], "what fits is loaded");
    let mut partial = net.state_dict();
    partial.remove("0.bias");
    let report = net.load_state_dict_with(&partial, |o| o.strict(false)).unwrap();
    assert_eq!((report.missing_keys, report.unexpected_keys), (vec!["0.bias".to_owned()], Vec::new()));
}

#[test]
fn modes_gradients_and_dtypes_reach_every_part() {
    let net = net();
    let weight = net.fc1.weight.shallow_clone();
    assert!(net.training());
    net.eval();
    assert!(!net.training() && net.modules().iter().filter_map(|m| m.state()).all(|s| !s.training()));
    net.call(ones([3, 2])).sum().backward();
    assert!(weight.grad().is_some());
    net.zero_grad();
    assert!(weight.grad().is_none());
    let net = net.to(DType::F64);
    assert_eq!((weight.dtype(), net.steps.dtype()), (DType::F64, DType::F64));
    net.call(ones([3, 2]).to(DType::F64)).sum().backward();
    assert_eq!(weight.grad().unwrap().dtype(), DType::F64);
    net.requires_grad_(false);
    assert!(!net.call(ones([3, 2]).to(DType::F64)).requires_grad());
    let mut seen = Vec::new();
    net.apply(|m| seen.push(m.is::<nn::Linear>()));
    assert_eq!(seen, [true, true, true, false, false, false], "children first");
}

#[test]
fn hooks_see_and_replace_until_they_are_removed() {
    let relu = nn::ReLU::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let handle = relu.register_forward_hook(move |module, input, output| {
        assert_eq!((module.type_name(), input.numel()), ("ReLU", 2));
        counted.fetch_add(1, Ordering::Relaxed);
        Some(output.mul(10.0))
    });
    let before = relu.register_forward_pre_hook(|_, input| Some(input.add(1.0)));
    let x = tensor([-3.0, 1.0]);
    assert_eq!(relu.call(&x).to_vec::<f32>(), [0.0, 20.0]);
    assert_eq!(relu.forward(&x).to_vec::<f32>(), [0.0, 1.0], "forward runs no hooks");
    handle.remove();
    before.remove();
    assert_eq!(relu.call(&x).to_vec::<f32>(), [0.0, 1.0]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_struct_with_a_state_field_has_its_own_flag_and_hooks() {
    #[derive(Module)]
    struct Doubler {
        state: ModuleState,
    }
    impl Forward for Doubler {
        fn forward(&self, x: &Tensor) -> Tensor {
            if self.training() { x.mul(2.0) } else { x.shallow_clone() }
        }
    }
    let net = Sequential::new((Doubler { state: ModuleState::new() }, nn::Identity::new()));
    assert_eq!(net.call(ones([1])).item(), 2.0);
    net.eval();
    assert_eq!(net.call(ones([1])).item(), 1.0);
    assert!(net[0].as_module().is::<Doubler>());
}

#[test]
fn a_cloned_state_dict_keeps_what_it_holds() {
    let tied = nn::Linear::new(2, 2);
    let net = Sequential::new((nn::Linear::new(2, 2), nn::BatchNorm1d::new(2), tied));
    let before: Vec<Vec<f64>> = net.state_dict().values().map(|t| t.double().to_vec::<f64>()).collect();
    let (saved, shared) = (net.state_dict().clone(), net.state_dict());
    let _guard = flambeau_autograd::no_grad();
    net.parameters().iter().chain(&net.buffers()).for_each(|p| drop(p.add_(1)));
    for ((name, kept), (before, handle)) in saved.iter().zip(before.iter().zip(shared.values())) {
        assert_eq!(kept.double().to_vec::<f64>(), *before, "{name}");
        assert_ne!(
            handle.double().to_vec::<f64>(),
            *before,
            "{name} of a state dict that is not cloned is the module's"
        );
        assert!(kept.dtype() == handle.dtype() && kept.stride() == handle.stride(), "{name}");
    }
    net.load_state_dict(&saved).unwrap();
    let loaded: Vec<Vec<f64>> = net.state_dict().values().map(|t| t.double().to_vec::<f64>()).collect();
    assert_eq!(loaded, before);
    // One tensor under two names stays one.
    let weight = ones([2]);
    let both: StateDict =
        [("a".to_owned(), weight.shallow_clone()), ("b".to_owned(), weight.detach())].into_iter().collect();
    let both = both.clone();
    both["a"].add_(1);
    assert_eq!((both["b"].to_vec::<f32>(), weight.to_vec::<f32>()), (vec![2.0; 2], vec![1.0; 2]));
}

#[test]
fn state_dicts_of_older_versions_load_strictly() {
    // nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.ReLU()).state_dict()._metadata
    let net = Sequential::new((nn::Linear::new(1, 1), nn::BatchNorm1d::new(1), nn::ReLU::new()));
    let state = net.state_dict();
    let versions: Vec<(&str, i64)> = state.versions().unwrap().iter().map(|(m, v)| (m.as_str(), *v)).collect();
    assert_eq!(versions, [("", 1), ("0", 1), ("1", 2), ("2", 1)]);
    assert_eq!((state.version("1"), state.version("9")), (Some(2), None));
    let missing =
        "Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: \"1.num_batches_tracked\". ";
    net.state_dict()["1.num_batches_tracked"].fill_(7);
    let mut state = net.state_dict();
    state.remove("1.num_batches_tracked");
    assert_eq!(net.load_state_dict(&state).unwrap_err().to_string(), missing, "version 2 has the count");
    // Of version 1, of a module without a version, and of a plain collection the count stays as it is.
    let with = |versions: &[(&str, i64)]| {
        let mut old = state.clone();
        old.set_versions(versions.iter().map(|(m, v)| ((*m).to_owned(), *v)));
        old
    };
    let plain: StateDict = state.iter().map(|(k, t)| (k.to_owned(), t.shallow_clone())).collect();
    assert!(plain.versions().is_none());
    for old in [with(&[("1", 1)]), with(&[("", 1), ("0", 1)]), plain] {
        net.load_state_dict(&old).unwrap();
        assert_eq!(net.state_dict()["1.num_batches_tracked"].item(), 7.0);
    }
    // What is missing otherwise is reported.
    let mut old = with(&[]);
    old.remove("1.running_mean");
    assert_eq!(net.load_state_dict_with(&old, |o| o.strict(false)).unwrap().missing_keys, ["1.running_mean"]);
    // Boxes and other pointers tell their module's version.
    let boxed: Box<dyn Forward> = Box::new(nn::BatchNorm2d::new(1));
    assert_eq!((boxed.version(), boxed.added_since(Some(1))), (2, &["num_batches_tracked"][..]));
}

/// Beside PyTorch's, of `Sequential(Linear(1, 1), Sequential(Linear(1, 1, bias=False)))` with one weight.
#[test]
fn names_and_state_dicts_follow_their_options() {
    let shared = nn::Linear::new(1, 1);
    let mut within = nn::Linear::with(1, 1, |o| o.bias(false));
    within.weight = shared.weight.share();
    let net = nn::sequential![shared, nn::sequential![within]];
    let names = |list: Vec<(String, Tensor)>| list.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(net.named_parameters_with(|o| o.prefix("p"))), ["p.0.weight", "p.0.bias"]);
    assert!(net.named_parameters_with(|o| o.recurse(false)).is_empty());
    let all = net.named_parameters_with(|o| o.remove_duplicate(false));
    assert_eq!(names(all), ["0.weight", "0.bias", "1.0.weight"]);
    let state = net.state_dict_with(|o| o.prefix("a."));
    assert_eq!(state.keys().collect::<Vec<_>>(), ["a.0.weight", "a.0.bias", "a.1.0.weight"]);
    let versions: Vec<&str> = state.versions().unwrap().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(versions, ["a", "a.0", "a.1", "a.1.0"]);
    assert!(!state.get("a.0.bias").unwrap().requires_grad());
    assert!(net.state_dict_with(|o| o.keep_vars(true)).get("0.bias").unwrap().requires_grad());
    let weight = net.named_parameters().remove(0).1;
    weight.set_grad(Some(ones([1, 1])));
    net.zero_grad_with(|o| o.set_to_none(false));
    assert_eq!(weight.grad().unwrap().item(), 0.0);
    net.zero_grad();
    assert!(weight.grad().is_none());
}

#[test]
fn an_assigned_state_dict_keeps_its_dtype_and_memory() {
    let layer = nn::Linear::new(2, 2);
    let mut state = StateDict::new();
    for (name, tensor) in layer.state_dict().iter() {
        state.insert(name, tensor.double());
    }
    layer.load_state_dict_with(&state, |o| o.assign(true)).unwrap();
    assert_eq!((layer.weight.dtype(), layer.weight.requires_grad()), (DType::F64, true));
    assert_eq!(layer.weight.data_ptr(), state.get("weight").unwrap().data_ptr());
    let mut wrong = StateDict::new();
    wrong.insert("weight", zeros([3, 3]));
    wrong.insert("bias", zeros([2]));
    assert!(layer.load_state_dict_with(&wrong, |o| o.assign(true)).is_err());
}
