//! What draws random numbers, on a GPU: the distributions are checked, since a GPU's stream is its own.

use flambeau_autograd::ops::rrelu;
use flambeau_testkit::work::{GPU, OnGpu, Work, watch};
use torch::nn::{self, Module, functional as F, init};
use torch::{DType, Tensor};

/// Makes a call that should stay on the GPU; `reads` tells how often it may read from there.
#[track_caller]
fn on_gpu<R>(reads: u64, call: impl FnOnce() -> R) -> R {
    let (result, work) = watch(GPU, call);
    assert!(work.launches > 0 && work.cpu_kernels == 0 && work.readbacks <= reads, "{work:?}");
    result
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to("cpu").to(torch::float64).to_vec()
}

/// Mean and standard deviation.
fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (mean, (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt())
}

/// Asserts that a share of `n` independent draws is `p`, within five standard errors.
#[track_caller]
fn assert_share(hits: usize, n: usize, p: f64) {
    let share = hits as f64 / n as f64;
    assert!((share - p).abs() <= 5.0 * (p * (1.0 - p) / n as f64).sqrt(), "{share}, expected {p}");
}

#[test]
fn dropout_keeps_the_right_share_and_rescales() {
    let _gpu = OnGpu::new();
    torch::manual_seed(1);
    for dtype in [torch::float32, torch::float16, torch::float64] {
        let x = torch::ones([100, 100]).to((GPU, dtype));
        let leaf = x.clone().requires_grad_(true);
        let y = on_gpu(0, || F::dropout(&leaf, 0.2, true));
        let kept = numbers(&y).iter().filter(|&&v| v != 0.0).count();
        assert_share(kept, 10_000, 0.8);
        assert!(numbers(&y).iter().all(|&v| v == 0.0 || (v - 1.25).abs() < 1e-3));
        on_gpu(0, || y.sum().backward());
        assert_eq!(numbers(&leaf.grad().expect("it requires one")), numbers(&y), "the mask is the gradient");
    }
    let x = torch::ones([50, 40, 3, 3]).to(GPU);
    let features = on_gpu(0, || nn::Dropout2d::new(0.5).call(&x));
    let planes = numbers(&features);
    assert!(planes.chunks_exact(9).all(|plane| plane.iter().all(|v| *v == plane[0])), "whole features");
    assert_share(planes.iter().filter(|v| **v != 0.0).count() / 9, 2000, 0.5);
    let x = torch::randn([20_000]).to(GPU);
    let alpha = on_gpu(0, || nn::AlphaDropout::new(0.3).call(&x));
    let (mean, std) = moments(&numbers(&alpha));
    assert!(mean.abs() < 0.05 && (std - 1.0).abs() < 0.05, "{mean} {std}");
}

#[test]
fn samples_with_given_probabilities() {
    let _gpu = OnGpu::new();
    torch::manual_seed(2);
    let p = torch::tensor([0.0, 0.25, 1.0]).to(GPU).repeat([4000]);
    for dtype in [torch::float32, torch::bfloat16, torch::float64] {
        let p = p.to(dtype);
        let drawn = numbers(&on_gpu(0, || p.bernoulli()));
        let hits = |which: usize| drawn.iter().skip(which).step_by(3).filter(|v| **v == 1.0).count();
        assert_eq!((hits(0), hits(2)), (0, 4000), "{dtype}");
        assert_share(hits(1), 4000, 0.25);
    }
    let weights = torch::tensor([[1.0, 0.0, 3.0, 0.0], [0.0, 5.0, 5.0, 0.0]]).to(GPU);
    // Both checks of the weights are read.
    let drawn = on_gpu(2, || weights.multinomial_with(8000, |o| o.replacement(true)));
    assert_eq!((drawn.size().to_vec(), drawn.dtype(), drawn.device()), (vec![2, 8000], torch::int64, GPU));
    let drawn = drawn.to_vec::<i64>();
    let share = |row: usize, of: i64| drawn[row * 8000..][..8000].iter().filter(|&&i| i == of).count();
    for (row, of, p) in [(0, 0, 0.25), (0, 2, 0.75), (1, 1, 0.5), (1, 2, 0.5)] {
        assert_share(share(row, of), 8000, p);
    }
    assert_eq!((share(0, 1), share(0, 3), share(1, 0), share(1, 3)), (0, 0, 0, 0), "no weight, no draw");
    let even = torch::ones([500]).to(GPU);
    let all = on_gpu(2, || even.multinomial(500));
    let mut all = all.to_vec::<i64>();
    assert!(!all.is_sorted());
    all.sort_unstable();
    assert_eq!(all, (0..500).collect::<Vec<i64>>());
}

#[test]
fn leaky_slopes_are_drawn_per_element() {
    let _gpu = OnGpu::new();
    torch::manual_seed(3);
    let x = torch::full([10_000], -1.0).to(GPU);
    let slopes: Vec<f64> =
        numbers(&on_gpu(0, || rrelu(&x, 0.1, 0.3, true).expect("floats"))).iter().map(|v| -v).collect();
    let (mean, std) = moments(&slopes);
    assert!(slopes.iter().all(|s| (0.1..=0.3).contains(s)));
    assert!((mean - 0.2).abs() < 5e-3 && (std - 0.2 / 12f64.sqrt()).abs() < 5e-3, "{mean} {std}");
}

#[test]
fn initialisers_fill_as_on_the_cpu() {
    let _gpu = OnGpu::new();
    torch::manual_seed(4);
    type Init = fn(&Tensor) -> Tensor;
    let initialisers: [(&str, Init, bool); 11] = [
        ("uniform_", |x| init::uniform_(x, -1.0, 3.0), false),
        ("normal_", |x| init::normal_(x, 2.0, 0.5), false),
        ("trunc_normal_", |x| init::trunc_normal_(x), false),
        ("constant_", |x| init::constant_(x, 0.25), true),
        ("ones_", |x| init::ones_(x), true),
        ("zeros_", |x| init::zeros_(x), true),
        ("eye_", |x| init::eye_(x), true),
        ("xavier_uniform_", |x| init::xavier_uniform_(x), false),
        ("xavier_normal_", |x| init::xavier_normal_(x), false),
        ("kaiming_uniform_", |x| init::kaiming_uniform_(x), false),
        ("kaiming_normal_", |x| init::kaiming_normal_(x), false),
    ];
    for (name, init, exact) in initialisers {
        let here = numbers(&init(&torch::empty([100, 80])));
        let x = torch::empty([100, 80]).to(GPU);
        let there = numbers(&match name {
            // It looks whether a number is left to draw, and the host computes the shares outside the bounds.
            "trunc_normal_" => init(&x),
            _ => on_gpu(0, || init(&x)),
        });
        if exact {
            assert_eq!(there, here, "{name}");
            continue;
        }
        let ((m0, s0), (m1, s1)) = (moments(&here), moments(&there));
        let error = 6.0 * s0 / 8000f64.sqrt();
        assert!((m0 - m1).abs() < error && (s0 - s1).abs() < error, "{name}: {m0} ± {s0}, on the GPU {m1} ± {s1}");
    }
    let x = torch::empty([4, 6]).to(GPU);
    init::orthogonal_with_(&x, |o| o.gain(2));
    let product = numbers(&x.matmul(x.t()));
    for (i, v) in product.iter().enumerate() {
        assert!((v - if i % 5 == 0 { 4.0 } else { 0.0 }).abs() < 1e-5, "{product:?}");
    }
}

#[test]
fn a_seed_repeats_what_is_drawn() {
    let _gpu = OnGpu::new();
    let draw = || {
        torch::manual_seed(5);
        let x = torch::empty([1000]).to(GPU);
        numbers(&on_gpu(0, || torch::cat([&x.rand_like(), &x.randn_like(), &F::dropout(x.ones_like(), 0.5, true)], 0)))
    };
    let first = draw();
    assert_eq!(first, draw());
    assert_ne!(&first[..10], &first[10..20]);
}

#[test]
fn a_model_made_on_the_gpu_trains() {
    let _gpu = OnGpu::new();
    torch::manual_seed(6);
    let model =
        nn::Sequential::new((nn::Linear::new(4, 16), nn::Dropout::new(0.1), nn::ReLU::new(), nn::Linear::new(16, 1)));
    let model = model.to(GPU);
    let optimizer = torch::optim::SGD::new(model.parameters(), 0.05);
    let x = torch::randn([64, 4]).to(GPU);
    let y = x.sum_dim(1, true);
    let criterion = nn::MSELoss::new();
    let mut losses = Vec::new();
    for _ in 0..60 {
        let loss = on_gpu(0, || {
            optimizer.zero_grad();
            let loss = criterion.call(model.call(&x), &y);
            loss.backward();
            optimizer.step();
            loss
        });
        losses.push(loss.item());
    }
    assert!(losses[59] < 0.3 * losses[0], "{losses:?}");
    let Work { cpu_kernels, .. } = watch(GPU, || model.call(&x).to(DType::F16)).1;
    assert_eq!(cpu_kernels, 0);
}
