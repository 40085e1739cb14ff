//! NaN, infinities and the sign of zero where drivers may assume that there are none: programs whose result such a driver would
//! see without computing it, relu after a product, and a loss that divides by nothing.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::{ClassTargets, Epilogue, LossReduction};
use flambeau_tensor::calls::{Map, Matmul, Nll, NllBackward, PrimitiveCall};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Device, Scalar};
use support::*;

const FLOATS: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];

/// The same numbers, with zeros of the same sign.
#[track_caller]
fn same(what: &str, cpu: &Array, gpu: &Array) {
    let equal = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    for (i, (a, b)) in elements(cpu).into_iter().zip(elements(gpu)).enumerate() {
        assert!(equal(a, b), "element {i} of {what} in {}: {a:?} on the CPU, {b:?} on the GPU", cpu.dtype());
    }
}

#[test]
fn no_program_is_seen_through() {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.5, -2.0, 1024.0];
    // Each of four lanes meets each number.
    let values: Vec<f64> = (0..64).map(|i| numbers[(i + i / 8) % 8]).collect();
    let programs: [(&str, Pointwise); 17] = [
        ("x * 0", Pointwise::new(|b| b.input(0) * 0.0)),
        ("0 * x", Pointwise::new(|b| b.constant(0.0) * b.input(0))),
        ("x * -0", Pointwise::new(|b| b.input(0) * -0.0)),
        ("x - x", Pointwise::new(|b| b.input(0) - b.input(0))),
        ("x / x", Pointwise::new(|b| b.input(0) / b.input(0))),
        ("0 / x", Pointwise::new(|b| b.constant(0.0) / b.input(0))),
        ("x / 0", Pointwise::new(|b| b.input(0) / 0.0)),
        ("x + 0", Pointwise::new(|b| b.input(0) + 0.0)),
        ("0 - x", Pointwise::new(|b| b.constant(0.0) - b.input(0))),
        ("x - 0", Pointwise::new(|b| b.input(0) - 0.0)),
        ("x ≠ x", Pointwise::new(|b| b.input(0).ne(b.input(0)))),
        ("x = x", Pointwise::new(|b| b.input(0).eq(b.input(0)))),
        ("x ≤ x", Pointwise::new(|b| b.input(0).le(b.input(0)))),
        ("relu", Pointwise::new(|b| b.input(0).relu())),
        ("x < 0 ? x · 0 : x", Pointwise::new(|b| b.input(0).lt(0.0).select(b.input(0) * 0.0, b.input(0)))),
        ("x * s", Pointwise::new(|b| b.input(0) * b.scalar(0))),
        ("-x", Pointwise::new(|b| -b.input(0))),
    ];
    for dtype in FLOATS {
        let x = Pair::new(from_f64(&values, &[values.len()], dtype));
        let part = x.view(|a| a.slice(0, Some(1), None, 1).unwrap());
        for (name, program) in &programs {
            for x in [&x, &part] {
                let scalars = &[Scalar::Float(0.0)][..program.num_scalars()];
                let out = zeros(x.cpu.shape(), dtype);
                Map { program, compute: dtype, inputs: &[&x.cpu], scalars, outs: &[&out.cpu] }.run().unwrap();
                launches(|| {
                    Map { program, compute: dtype, inputs: &[&x.gpu], scalars, outs: &[&out.gpu] }.run().unwrap()
                });
                same(name, &out.cpu, &out.gpu);
            }
        }
    }
}

/// By both kernels, whole and split along k.
#[test]
fn relu_after_a_product_keeps_nan() {
    for dtype in FLOATS {
        for (m, k, n) in [(3usize, 4usize, 5usize), (1, 40, 6), (2, 3000, 2), (70, 8, 70)] {
            let mut a = vec![0.25; m * k];
            a[0] = f64::NAN;
            if m > 1 {
                a[k] = f64::NEG_INFINITY;
            }
            let b: Vec<f64> = (0..k * n).map(|i| if i % n % 2 == 0 { 0.5 } else { -0.5 }).collect();
            let (a, b) = (Pair::new(from_f64(&a, &[1, m, k], dtype)), Pair::new(from_f64(&b, &[1, k, n], dtype)));
            let out = zeros(&[1, m, n], dtype);
            let epilogue = Epilogue { bias: None, relu: true };
            let (alpha, beta) = (Scalar::Float(1.0), Scalar::Float(0.0));
            Matmul { a: &a.cpu, b: &b.cpu, alpha, beta, epilogue, out: &out.cpu }.run().unwrap();
            launches(|| Matmul { a: &a.gpu, b: &b.gpu, alpha, beta, epilogue, out: &out.gpu }.run().unwrap());
            let (cpu, gpu) = (elements(&out.cpu), elements(&out.gpu));
            assert!(gpu[..n].iter().all(|x| x.is_nan()), "{dtype} {m}x{k}x{n}: {:?}", &gpu[..n]);
            for (a, b) in cpu.iter().zip(&gpu) {
                assert!(close(*a, *b, 20.0 * tolerance(dtype)), "{dtype} {m}x{k}x{n}: {a} on the CPU, {b} on the GPU");
            }
        }
    }
}

/// Weights, targets, whether the mean is taken; the gradients of the log-probabilities, and of the logits behind them where all
/// three of a line are equal. From PyTorch 2.15: -0 where a class without weight is meant.
#[test]
fn the_mean_of_nothing_has_no_gradient() {
    let nan = f64::NAN;
    type Row = ([f64; 3], [i64; 2], LossReduction, [f64; 6], [f64; 6]);
    let rows: [Row; 5] = [
        ([0.0; 3], [0, 1], LossReduction::Mean, [nan, 0.0, 0.0, 0.0, nan, 0.0], [nan, nan, nan, nan, nan, nan]),
        ([0.0; 3], [0, -100], LossReduction::Mean, [nan, 0.0, 0.0, 0.0, 0.0, 0.0], [nan, nan, nan, 0.0, 0.0, 0.0]),
        ([0.0; 3], [-100, -100], LossReduction::Mean, [0.0; 6], [0.0; 6]),
        (
            [0.0, 1.0, 2.0],
            [0, -100],
            LossReduction::Sum,
            [-0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [-0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ),
        (
            [0.0, 4.0, 0.0],
            [0, 1],
            LossReduction::Mean,
            [-0.0, 0.0, 0.0, 0.0, -1.0, 0.0],
            [-0.0, 0.0, 0.0, 0.5, -0.75, 0.25],
        ),
    ];
    for dtype in [DType::F32, DType::F64] {
        for (weight, target, reduction, of_logs, of_logits) in &rows {
            // Probabilities of ½, ¼, ¼.
            let logs: Vec<f64> = [0.5f64, 0.25, 0.25, 0.5, 0.25, 0.25].iter().map(|p| p.ln()).collect();
            let x = to_gpu(&from_f64(&logs, &[2, 3], dtype));
            let classes = to_gpu(&Array::from_slice(&CPU, Device::Cpu, target, &[2, 1]).unwrap());
            let weight = to_gpu(&from_f64(weight, &[3], dtype));
            let targets =
                ClassTargets { classes: &classes, weight: Some(&weight), ignore_index: -100, reduction: *reduction };
            let (loss, total) = Nll { x: &x, dim: 1, targets: &targets }.run().unwrap();
            assert_eq!(
                elements(&loss)[0].is_nan(),
                *reduction == LossReduction::Mean && elements(total.as_ref().unwrap())[0] == 0.0
            );
            let grad = to_gpu(&from_f64(&[1.0], &[], dtype));
            for (logits, expected) in [(None, of_logs), (Some(&x), of_logits)] {
                let found = NllBackward {
                    grad: &grad,
                    shape: &[2, 3],
                    log_probabilities: logits,
                    dim: 1,
                    targets: &targets,
                    total: total.as_ref(),
                }
                .run()
                .unwrap();
                for (a, b) in expected.iter().zip(elements(&found)) {
                    let alike = close(*a, b, 1e-6) && (*a != 0.0 || a.is_sign_negative() == b.is_sign_negative());
                    assert!(alike, "{target:?} {reduction:?}: {:?}, expected {expected:?}", elements(&found));
                }
            }
        }
    }
}
