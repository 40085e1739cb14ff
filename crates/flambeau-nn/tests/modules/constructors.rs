//! Layers and initialisers by what public code gives them.

use flambeau_autograd::{Tensor, empty, ones, tensor};
use flambeau_nn::{self as nn, Module, init};
use flambeau_tensor::random::Generator;

#[test]
fn layers_take_what_public_code_gives_them() {
    let x = tensor([[-1.0, 2.0], [3.0, -4.0]]);
    let rows = |y: Tensor, dim: i64| y.sum_dim(dim, false).to_vec::<f32>().iter().all(|s| (s - 1.0).abs() < 1e-6);
    assert!(rows(nn::Softmax::new(1).call(&x), 1) && rows(nn::Softmax::new(-2).call(&x), 0));
    assert!(rows(nn::LogSoftmax::new(0usize).call(&x).exp(), 0) && rows(nn::Softmin::new(1).call(&x), 1));
    // The dimension that PyTorch takes where none is given, here 1.
    let implicit = nn::Softmax::with(|o| o);
    assert!(rows(implicit.call(&x), 1) && rows(nn::Softmax::new(None).call(&x), 1));
    assert_eq!(
        (implicit.repr(), nn::LogSoftmax::new(1).repr()),
        ("Softmax(dim=None)".into(), "LogSoftmax(dim=1)".into())
    );
    assert_eq!(nn::LeakyReLU::new(0.5).call(&x).to_vec::<f32>(), [-0.5, 2.0, 3.0, -2.0]);
    let leaky = nn::LeakyReLU::with(|o| o.negative_slope(0.2).inplace(true));
    assert_eq!(leaky.repr(), "LeakyReLU(negative_slope=0.2, inplace=True)");
    let threshold = nn::Threshold::new(0.1, 20);
    assert_eq!(threshold.call(&x).to_vec::<f32>(), [20.0, 2.0, 3.0, 20.0]);
    assert_eq!(threshold.repr(), "Threshold(threshold=0.1, value=20)");
    assert_eq!(nn::ReLU::new().call(&x).to_vec::<f32>(), [0.0, 2.0, 3.0, 0.0]);
}

/// g = torch.Generator().manual_seed(5)
/// nn.init.orthogonal_(torch.empty(2, 3), gain=2., generator=g); nn.init.uniform_(torch.empty(3), a=-1., generator=g)
/// nn.init.normal_(torch.empty(3), std=.02, generator=g); nn.init.trunc_normal_(torch.empty(3), std=.5, b=.25, generator=g)
/// nn.init.xavier_uniform_(torch.empty(1, 3), generator=g)
/// torch.manual_seed(7); nn.init.sparse_(torch.empty(3, 2), .5, std=1., generator=g)
#[test]
fn initialisers_draw_from_the_callers_generator() {
    let g = Generator::new().manual_seed(5);
    let drawn = [
        init::orthogonal_with_(empty([2, 3]), |o| o.gain(2).generator(&g)),
        init::uniform_with_(empty([3]), |o| o.a(-1).generator(&g)),
        init::normal_with_(empty([3]), |o| o.std(0.02).generator(&g)),
        init::trunc_normal_with_(empty([3]), |o| o.std(0.5).b(0.25).generator(&g)),
        init::xavier_uniform_with_(empty([1, 3]), |o| o.generator(&g)),
    ];
    let expected: [&[f32]; 5] = [
        &[-1.018876, -1.263853, -1.168146, -0.02593, -1.346081, 1.478984],
        &[-0.855176, 0.318678, 0.430012],
        &[-0.008891, -0.010037, -0.005632],
        &[0.168264, -0.151488, -0.194003],
        &[1.192448, 0.200551, -0.345375],
    ];
    for (x, expected) in drawn.iter().zip(expected) {
        let x = x.to_vec::<f32>();
        assert!(x.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-6), "{x:?}, expected {expected:?}");
    }
}

#[test]
fn initialisers_have_pytorchs_defaults_and_errors() {
    let weight = nn::Parameter::new(ones([4, 4]));
    init::trunc_normal_(&weight);
    assert!(weight.abs().max().item() <= 2.0 && weight.requires_grad() && weight.is_leaf());
    init::orthogonal_(&weight);
    let error = (weight.matmul(weight.t()) - flambeau_autograd::eye(4)).abs().max().item();
    assert!(error < 1e-6, "{error}");
    init::sparse_(&weight, 0.3);
    assert_eq!(weight.eq(0).sum_dim(0, false).to_vec::<i64>(), [2; 4], "ceil(0.3 · 4) in each column");
    assert_eq!((init::calculate_gain("leaky_relu"), init::calculate_gain("linear")), (1.4141428569978354, 1.0));
    let gain = init::calculate_gain_with("leaky_relu", |o| o.param(0.2));
    assert_eq!(gain, 1.3867504905630728);
    let message = |f: &dyn Fn() -> Tensor| {
        let error = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        error
            .downcast_ref::<&str>()
            .map_or_else(|| error.downcast_ref::<String>().unwrap().clone(), |e| (*e).to_owned())
    };
    assert_eq!(message(&|| init::sparse_(ones([2]), 0.5)), "Only tensors with 2 dimensions are supported");
    assert_eq!(message(&|| init::dirac_(ones([2]))), "Only tensors with 3, 4, or 5 dimensions are supported");
    let groups = message(&|| init::dirac_with_(ones([4, 2, 3]), |o| o.groups(3)));
    assert_eq!(groups, "dim 0 must be divisible by groups");
}
