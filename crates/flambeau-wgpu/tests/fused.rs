//! Losses and normalisations as a program calls them: the CPU's numbers, forward, backward and for a gradient's gradient, and
//! few kernels.

mod support;

use flambeau_autograd::ops::{
    self, CrossEntropyLossOptions, NLLLossOptions, Reduction, batch_norm, cross_entropy, group_norm, layer_norm,
    log_softmax, nll_loss, softmax,
};
use flambeau_autograd::{Result, Tensor, backward, from_vec, grad};
use flambeau_tensor::{DType, Device};
use support::{Draw, GPU, close};

/// Kernels that a call launched.
fn counted<R>(call: impl FnOnce() -> R) -> (R, u64) {
    let before = flambeau_wgpu::counters(GPU).unwrap().dispatches;
    let result = call();
    (result, flambeau_wgpu::counters(GPU).unwrap().dispatches - before)
}

fn numbers(draw: &mut Draw, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    from_vec((0..n).map(|_| draw.below(65) as f32 / 16.0 - 2.0).collect(), shape)
}

fn agree(what: &str, cpu: &Tensor, gpu: &Tensor) {
    let (a, b) = (cpu.to(DType::F64).to_vec::<f64>(), gpu.to(Device::Cpu).to(DType::F64).to_vec::<f64>());
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!(close(*a, b, 1e-5), "{what}: {a} on the CPU, {b} on the GPU");
    }
}

/// Compares `f` of float leaves on both devices: its value, the leaves' gradients, and the gradients of their gradients. The
/// value takes `forward` kernels, a backward pass from a gradient that is there `backward_kernels`.
fn check(
    what: &str,
    leaves: &[Tensor],
    f: impl Fn(&[Tensor], Device) -> Result<Tensor>,
    forward: u64,
    backward_kernels: u64,
) {
    let leaf = |t: &Tensor, device| t.to(device).detach().requires_grad_(true);
    let cpu: Vec<Tensor> = leaves.iter().map(|t| leaf(t, Device::Cpu)).collect();
    let gpu: Vec<Tensor> = leaves.iter().map(|t| leaf(t, GPU)).collect();
    let expected = f(&cpu, Device::Cpu).unwrap();
    // What is on the way to the device is not the call's.
    f(&gpu, GPU).unwrap();
    let (found, kernels) = counted(|| f(&gpu, GPU).unwrap());
    assert_eq!(kernels, forward, "kernels of {what}");
    agree(what, &expected, &found);

    let seed = numbers(&mut Draw::new(3), &expected.size());
    let gpu_seed = seed.to(GPU);
    backward(&[&expected], &[Some(&seed)], true, false).unwrap();
    let ((), kernels) = counted(|| backward(&[&found], &[Some(&gpu_seed)], true, false).unwrap());
    assert_eq!(kernels, backward_kernels, "kernels of {what}'s backward");
    for (a, b) in cpu.iter().zip(&gpu) {
        agree(&format!("{what}'s gradient"), &a.grad().unwrap(), &b.grad().unwrap());
    }

    // Σ (∂/∂x)², differentiated again.
    let again = |y: &Tensor, seed: &Tensor, x: &[Tensor]| {
        let x: Vec<&Tensor> = x.iter().collect();
        let first = grad(&[y], &x, &[Some(seed)], true, true, false).unwrap();
        let square = ops::square(first[0].as_ref().unwrap()).unwrap().sum();
        // The gradient of a linear loss is constant.
        square.requires_grad().then(|| grad(&[&square], &x[..1], &[None], false, false, true).unwrap().remove(0))?
    };
    match (again(&expected, &seed, &cpu), again(&found, &gpu_seed, &gpu)) {
        (Some(a), Some(b)) => agree(&format!("{what}'s second gradient"), &a, &b),
        (a, b) => assert!(a.is_none() && b.is_none()),
    }
}

#[test]
fn losses_and_norms_take_few_kernels() {
    let draw = &mut Draw::new(17);
    let logits = numbers(draw, &[64, 10]);
    let target = from_vec((0..64).map(|_| draw.below(10) as i64).collect(), [64]);
    let weight = from_vec((0..10).map(|i| f32::from(i as u8) / 4.0).collect(), [10]);
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for weighted in [false, true] {
            let options = |device| {
                let o = CrossEntropyLossOptions::default().reduction(reduction).ignore_index(3);
                if weighted { o.weight(weight.to(device)) } else { o }
            };
            let targets = [target.to(Device::Cpu), target.to(GPU)];
            let all = [options(Device::Cpu), options(GPU)];
            let at = |device: Device| usize::from(device == GPU);
            let f = |x: &[Tensor], d: Device| cross_entropy(&x[0], &targets[at(d)], &all[at(d)]);
            check("cross_entropy", std::slice::from_ref(&logits), f, 2, 1);
            let weights = [weight.to(Device::Cpu), weight.to(GPU)];
            let f = |x: &[Tensor], d: Device| {
                let options = NLLLossOptions::default().weight(weighted.then_some(&weights[at(d)]));
                nll_loss(&x[0], &targets[at(d)], &options.ignore_index(3).reduction(reduction))
            };
            check("nll_loss", std::slice::from_ref(&logits), f, 1, 1);
        }
    }
    check("softmax", std::slice::from_ref(&logits), |x, _| softmax(&x[0], 1, None), 1, 1);
    check("log_softmax", std::slice::from_ref(&logits), |x, _| log_softmax(&x[0], 0, None), 1, 1);

    let params = |draw: &mut Draw, n: usize| [numbers(draw, &[n]), numbers(draw, &[n])];
    let with = |x: Tensor, [w, b]: [Tensor; 2]| [x, w, b];
    let leaves = with(numbers(draw, &[12, 40]), params(draw, 40));
    check("layer_norm", &leaves, |x, _| layer_norm(&x[0], &[40], Some(&x[1]), Some(&x[2]), 1e-5), 1, 2);
    let leaves = with(numbers(draw, &[4, 6, 5, 5]), params(draw, 6));
    let f = |x: &[Tensor], _| batch_norm(&x[0], None, None, Some(&x[1]), Some(&x[2]), true, 0.1, 1e-5);
    check("batch_norm", &leaves, f, 1, 2);
    check("group_norm", &leaves, |x, _| group_norm(&x[0], 2, Some(&x[1]), Some(&x[2]), 1e-5), 1, 2);
}
