//! Dtypes and devices of whole modules, tied parameters.

use flambeau_autograd::{Tensor, ones, zeros};
use flambeau_nn::{self as nn, Buffer, Forward, Module, Parameter, Share};
use flambeau_tensor::DType;
use std::sync::Arc;

#[derive(Module)]
struct Net {
    bn: nn::BatchNorm1d,
    blocks: Vec<Box<dyn Forward>>,
    scale: Parameter,
    mask: Buffer,
}

fn net() -> Net {
    Net {
        bn: nn::BatchNorm1d::new(2),
        blocks: vec![Box::new(nn::Linear::new(2, 2))],
        scale: Parameter::new(ones([1])),
        mask: Buffer::new(ones([1]).to(DType::Bool)),
    }
}

fn dtypes(module: &dyn Module) -> Vec<DType> {
    module.parameters().iter().chain(&module.buffers()).map(Tensor::dtype).collect()
}

/// `net.half()` of the same module in PyTorch: integers and truth values stay.
#[test]
fn every_module_is_cast_and_goes_on_in_the_chain() {
    type Cast = fn(Net) -> Net;
    let casts: [(Cast, DType); 4] = [
        (Net::double, DType::F64),
        (Net::half, DType::F16),
        (Net::bfloat16, DType::BF16),
        (|net| net.double().float().cpu(), DType::F32),
    ];
    for (cast, dtype) in casts {
        let net = net();
        let held = net.scale.shallow_clone();
        let net = cast(net);
        // Parameters: scale, bn's two, the linear's two; buffers: mask, bn's mean, variance and count.
        let expected = [vec![dtype; 5], vec![DType::Bool, dtype, dtype, DType::I64]].concat();
        assert_eq!(dtypes(&net), expected, "{dtype}");
        assert!(held.is_same(&net.scale) && net.scale.requires_grad() && net.scale.is_leaf());
    }
    // Containers, pointers and layers, and a part in its place.
    let sequential = nn::sequential![nn::Linear::new(1, 1), nn::Linear::new(1, 1)].double();
    assert_eq!(sequential.call(ones([1]).double()).dtype(), DType::F64);
    sequential[0].as_module().half();
    assert_eq!(dtypes(&sequential), [DType::F16, DType::F16, DType::F64, DType::F64]);
    let boxed: Box<dyn Forward> = Box::new(nn::Linear::new(1, 1));
    assert_eq!(dtypes(&boxed.double()), [DType::F64; 2]);
    let shared: Arc<dyn Module> = Arc::new(nn::Linear::new(1, 1));
    let other = shared.clone().bfloat16();
    assert_eq!((dtypes(&other), dtypes(&*shared)), (vec![DType::BF16; 2], vec![DType::BF16; 2]));
    assert_eq!(dtypes(&vec![nn::Linear::new(1, 1)].half()), [DType::F16; 2]);
    assert_eq!(dtypes(&nn::module_list![nn::Linear::new(1, 1)].to(DType::F64)), [DType::F64; 2]);
}

#[test]
fn what_parameters_lists_ties_weights() {
    let encoder = nn::Linear::new(2, 2);
    let mut decoder = nn::Linear::new(2, 2);
    let named = encoder.named_parameters();
    decoder.weight = named[0].1.share();
    decoder.bias = Some(encoder.parameters()[1].share());
    assert!(decoder.weight.is_same(&encoder.weight));
    assert_eq!(nn::sequential![encoder, decoder].parameters().len(), 2);
    let error = std::panic::catch_unwind(|| zeros([1]).share()).unwrap_err();
    assert_eq!(
        error.downcast_ref::<&str>().unwrap(),
        &"a tensor that is no parameter cannot be shared as one: nn::Parameter::new makes one"
    );
}
