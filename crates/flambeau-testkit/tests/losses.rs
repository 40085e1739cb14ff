//! What goldens do not say of losses: gradients by finite differences where the formula asks for normalised inputs, memory, ways of
//! calling, draws.

use flambeau_autograd::ops::{self, CTCLossOptions, LinearCrossEntropyFunctionOptions, LinearCrossEntropyOptions};
use flambeau_autograd::{GradCheckOptions, Tensor, from_vec, grad, gradcheck, no_grad, tensor, zeros};
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Call, Module, functional as F};
use flambeau_tensor::watch::watch_memory;
use flambeau_tensor::{DType, Device};
use flambeau_testkit::catch::catch;
use flambeau_testkit::work::{GPU, OnGpu, alone};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Numbers that are no pattern, in float64.
fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let n = shape.iter().product();
    let next = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    from_vec((0..n).map(next).collect::<Vec<f64>>(), shape)
}

#[test]
fn ctcs_gradient_behind_log_softmax_is_that_of_finite_differences() {
    let targets = tensor([[1, 2, 2], [3, 1, 0], [2, 2, 2]]);
    for reduction in ["none", "mean", "sum"] {
        let options = CTCLossOptions::default().reduction(reduction);
        let loss = |x: &[Tensor]| {
            let log_probs = ops::log_softmax(&x[0], 2, None)?;
            Ok(vec![ops::ctc_loss(&log_probs, &targets, [7, 5, 6], (3, 2, 0), &options)?])
        };
        let x = numbers(&[7, 3, 4], 3).requires_grad_(true);
        gradcheck(&loss, &[x], GradCheckOptions::default()).unwrap_or_else(|e| panic!("{reduction}: {e}"));
    }
}

#[test]
fn the_gradient_of_ctc_has_none() {
    let x = numbers(&[4, 1, 3], 5).log_softmax(2).requires_grad_(true);
    let loss = F::ctc_loss(&x, tensor([[1, 2]]), [4], [2]);
    let first = grad(&[&loss], &[&x], &[None], true, true, false).unwrap().remove(0).unwrap();
    assert!(first.requires_grad());
    let second = catch(|| first.sum().backward()).unwrap_err();
    assert_eq!(second, "derivative for aten::_ctc_loss_backward is not implemented");
}

/// Labels outside are an error here; PyTorch reads outside its memory.
#[test]
fn labels_of_ctc_are_classes() {
    let x = zeros([3, 1, 2]);
    for label in [2i64, -1, 1 << 40] {
        let words = catch(|| F::ctc_loss(&x, tensor([[label]]), [3], [1])).unwrap_err();
        assert_eq!(words, format!("Target {label} is out of bounds."));
    }
    // Behind a sample's labels there may be anything.
    assert!(F::ctc_loss(&x, tensor([[1i64, 99]]), [3], [1]).item().is_finite());
}

/// Lengths as tensors, lists and tuples of every kind, in the function and in the module, also under a hook.
#[test]
fn lengths_of_ctc_are_tensors_or_lists() {
    let x = numbers(&[5, 2, 3], 7).log_softmax(2);
    let targets = tensor([[1, 2], [2, 0]]);
    let expected = F::ctc_loss(&x, &targets, tensor([5, 4]), tensor([2, 1])).item();
    assert_eq!(F::ctc_loss(&x, &targets, [5, 4], (2, 1)).item(), expected);
    assert_eq!(F::ctc_loss(&x, &targets, vec![5i64, 4], (2usize, 1)).item(), expected);
    let module = nn::CTCLoss::new();
    assert_eq!(module.call(&x, &targets, [5, 4], tensor([2, 1])).item(), expected);
    let seen = module.register_forward_hook(|_, (_, _, _, labels), _: &Tensor| {
        assert_eq!(labels.lengths("target_lengths").unwrap(), [2, 1]);
        Some(tensor(0.0))
    });
    assert_eq!(module.call(x, targets, (5, 4), vec![2, 1]).item(), 0.0);
    seen.remove();
}

/// What storages hold on the host, and the most that they did.
static HELD: AtomicI64 = AtomicI64::new(0);
static MOST: AtomicI64 = AtomicI64::new(0);

/// The most bytes that a call holds at once, over what was there before. What other tests hold beside it is little.
fn peak(call: impl FnOnce()) -> usize {
    HELD.store(0, Relaxed);
    MOST.store(0, Relaxed);
    watch_memory(Some(|change| {
        let held = HELD.fetch_add(change.bytes, Relaxed) + change.bytes;
        MOST.fetch_max(held, Relaxed);
    }));
    call();
    watch_memory(None);
    MOST.load(Relaxed) as usize
}

/// A batch, and how many bytes its logits have.
const SAMPLES: usize = 64;
const CLASSES: usize = 50_000;
const LOGITS: usize = SAMPLES * CLASSES * 4;

#[test]
fn cross_entropy_of_many_classes_holds_one_array_of_log_probabilities() {
    let _generator = alone();
    let (x, target) = (zeros([SAMPLES, CLASSES]).requires_grad_(true), zeros([SAMPLES]).to(DType::I64));
    let mut loss = None;
    let forward = peak(|| loss = Some(F::cross_entropy(&x, &target)));
    assert!((LOGITS..LOGITS + LOGITS / 8).contains(&forward), "{forward} of {LOGITS}");
    println!("count: {forward} bytes in the forward of cross-entropy, whose logits have {LOGITS}");
}

#[test]
fn linear_cross_entropy_by_parts_holds_no_logits() {
    let _generator = alone();
    let features = 16;
    let x = zeros([SAMPLES, features]).requires_grad_(true);
    let (weight, target) = (zeros([CLASSES, features]).requires_grad_(true), zeros([SAMPLES]).to(DType::I64));
    let weights = CLASSES * features * 4;
    let run = |options: Option<LinearCrossEntropyOptions>| {
        peak(|| {
            let loss = F::linear_cross_entropy_with(&x, &weight, &target, |o| o.options(options));
            drop(grad(&[&loss], &[&x, &weight], &[None], false, false, false).unwrap());
        })
    };
    let (whole, parts) = (run(None), run(Some(LinearCrossEntropyOptions::new())));
    // The gradient of the weight is there in any case.
    assert!(parts < weights + LOGITS / 8, "{parts} bytes; the weights have {weights}, the logits {LOGITS}");
    assert!(whole > LOGITS + weights, "{whole}");
    println!(
        "count: {parts} bytes by parts, {whole} at once, the weight's gradient having {weights}, the logits {LOGITS}"
    );
}

#[test]
fn gradients_by_parts_are_used_up_unless_they_are_retained() {
    let x = numbers(&[6, 3], 1).requires_grad_(true);
    let (weight, target) = (numbers(&[5, 3], 2), tensor([0, 1, 4, 2, 3, 3]));
    let run = |retain: bool| {
        let options = LinearCrossEntropyOptions::new().allow_retain_graph(retain).batch_chunk_size(4);
        let loss = F::linear_cross_entropy_with(&x, &weight, &target, |o| o.options(options));
        let once = || grad(&[&loss], &[&x], &[None], true, false, false).map(|mut g| g.remove(0).unwrap());
        (once().unwrap(), once().map_err(|e| e.to_string()))
    };
    let (first, second) = run(true);
    assert!(first.equal(second.unwrap()));
    let words =
        "linear_cross_entropy chunked backward called twice; retain_graph=True / double backward are not supported.";
    assert_eq!(run(false).1.unwrap_err(), words);
    let whole = F::linear_cross_entropy(&x, &weight, &target);
    assert!(grad(&[&whole], &[&x], &[None], false, false, false).unwrap()[0].as_ref().unwrap().allclose(&first));
}

#[test]
fn options_that_cannot_be_honoured_are_warned_of() {
    let (x, weight, target) = (numbers(&[2, 3], 1), numbers(&[4, 3], 2), tensor([0, 1]));
    let options =
        LinearCrossEntropyFunctionOptions::default().label_smoothing(0.1).options(LinearCrossEntropyOptions::new());
    ops::linear_cross_entropy(&x, &weight, &target, &options).unwrap();
    let words = "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'}, label_smoothing == 0, \
                 target.dtype == int64 (or a probability target with dtype matching input and requires_grad == False), out_features == (). \
                 Got reduction='mean', label_smoothing=0.1, target.dtype=torch.int64, out_features=(), tracing=False, \
                 target.requires_grad=False, linear_bias.shape=None.";
    assert_eq!(flambeau_autograd::warned(words), 1);
}

#[test]
fn gumbel_softmax_draws_pytorchs_noise() {
    let _generator = alone();
    for (dtype, tau, hard, dim, expected) in GUMBEL {
        manual_seed(1);
        let logits = tensor([[0.5, -1.0, 2.0], [0.0, 0.25, -0.5]]).to(*dtype).requires_grad_(true);
        let sample = F::gumbel_softmax_with(&logits, |o| o.tau(*tau).hard(*hard).dim(*dim));
        let values = sample.to(DType::F64).to_vec::<f64>();
        let near = values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-6);
        assert!(near, "{dtype} {tau} {hard} {dim}: {values:?}, PyTorch has {expected:?}");
        let name = sample.grad_fn().unwrap().name().to_owned();
        assert_eq!(name, if *hard { "AddBackward0" } else { "SoftmaxBackward0" });
        // A hard sample has the soft one's gradient.
        let weights = tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]).to(*dtype);
        let g =
            grad(&[&(sample * weights).sum()], &[&logits], &[None], false, false, false).unwrap().remove(0).unwrap();
        assert!(g.abs().sum().item() > 1e-3, "{g}");
    }
}

/// dtype, tau, hard, dim, and PyTorch's sample.
type Gumbel = (DType, f64, bool, i64, [f64; 6]);

/// `torch.manual_seed(1); F.gumbel_softmax(torch.tensor([[0.5, -1, 2], [0, 0.25, -0.5]]), tau, hard, dim=dim)`.
#[rustfmt::skip]
const GUMBEL: &[Gumbel] = &[
    (DType::F32, 1.0, false, -1, [0.473243892, 0.0261567403, 0.500599384, 0.429521024, 0.132377058, 0.438101918]),
    (DType::F32, 0.5, false, 0, [0.962995768, 0.455627054, 0.965505242, 0.0370042771, 0.544372916, 0.0344947502]),
    (DType::F32, 2.0, true, 1, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
    (DType::F64, 1.0, false, -1, [0.473243913, 0.0261567391, 0.500599348, 0.429521015, 0.132377053, 0.438101932]),
    (DType::F64, 0.5, false, 0, [0.962995719, 0.455627032, 0.96550523, 0.0370042806, 0.544372968, 0.0344947703]),
    (DType::F64, 2.0, true, 1, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
];

#[test]
fn a_variance_may_be_a_number() {
    let (x, target) = (tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([[1.0, 4.0], [2.0, 4.0]]));
    let expected = F::gaussian_nll_loss(&x, &target, tensor([[0.5, 0.5], [0.5, 0.5]])).item();
    assert_eq!(F::gaussian_nll_loss(&x, &target, 0.5).item(), expected);
    let module = nn::GaussianNLLLoss::new();
    assert_eq!(module.call(&x, &target, 0.5).item(), expected);
    assert_eq!(catch(|| F::gaussian_nll_loss(&x, &target, -1.0)).unwrap_err(), "var has negative entry/entries");
}

#[test]
fn losses_are_copied_moved_and_put_into_evaluation() {
    let weight = tensor([1.0, 2.0, 3.0]);
    let loss = nn::MultiLabelSoftMarginLoss::with(|o| o.weight(&weight));
    let copy = flambeau_nn::deepcopy(&loss);
    let (x, target) = (numbers(&[2, 3], 1).to(DType::F32), zeros([2, 3]));
    let before = copy.call(&x, &target).item();
    weight.fill_(0.0);
    assert_eq!((loss.call(&x, &target).item(), copy.call(&x, &target).item()), (0.0, before));
    let softmax = nn::AdaptiveLogSoftmaxWithLoss::new(4, 6, [2]);
    softmax.eval();
    assert!(!softmax.head.training());
    let other = flambeau_nn::deepcopy(&softmax);
    let _guard = no_grad();
    softmax.head.weight.fill_(0.0);
    assert!(other.head.weight.abs().sum().item() > 0.0);
}

/// Large enough for more states than a workgroup has threads, on the GPU as on the CPU.
#[test]
fn ctc_on_a_gpu_is_the_cpus() {
    let _gpu = OnGpu::new();
    let (steps, batch, classes) = (90, 3, 5);
    let targets = (numbers(&[batch, 40], 2) * 2.0 + 2.5).floor().clamp(1.0, 4.0).to(DType::I64);
    let on = |device: Device| {
        let x = numbers(&[steps, batch, classes], 9).to(DType::F32).log_softmax(2).to(device).requires_grad_(true);
        let loss = F::ctc_loss_with(&x, targets.to(device), [90, 80, 3], [40, 35, 30], |o| {
            o.reduction("none").zero_infinity(true)
        });
        let g = grad(&[&loss.sum()], &[&x], &[None], false, false, false).unwrap().remove(0).unwrap();
        (loss.to(Device::Cpu), g.to(Device::Cpu))
    };
    let ((loss, g), (theirs, their_g)) = (on(Device::Cpu), on(GPU));
    assert!(loss.allclose(&theirs), "{loss} {theirs}");
    let worst = (&g - &their_g).abs().max().item();
    assert!(worst < 1e-4, "{worst}");
}
