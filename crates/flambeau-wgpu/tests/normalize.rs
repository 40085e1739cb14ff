//! Normalisation and its gradients against the CPU, in the layouts of batch, layer, group and instance norm.

mod support;

use flambeau_tensor::DType;
use flambeau_tensor::backend::{NormBackward, NormLayout};
use flambeau_tensor::calls::{Normalize, NormalizeBackward, PrimitiveCall};
use proptest::prelude::*;
use support::*;

/// A layout of each kind; the lengths are taken as the kind has them.
fn layout(kind: usize, [a, b, c, d]: [usize; 4]) -> NormLayout {
    let (shape, dims, params): (&[usize], &[i64], &[usize]) = match kind {
        0 => (&[a, b * c * d], &[1], &[1, b * c * d]),
        1 => (&[a, b, c, d], &[0, 2, 3], &[1, b, 1, 1]),
        2 => (&[a * b, c], &[0], &[1, c]),
        3 => (&[a, b, c, d], &[2, 3], &[1, b, c, 1]),
        _ => (&[a, b, c * d], &[2], &[1, b, 1]),
    };
    NormLayout { shape: shape.into(), dims: dims.into(), params: params.into(), eps: 1e-3 }
}

/// Compares `call` on both devices; a weight and a bias are there or not.
fn check(layout: &NormLayout, dtype: DType, seed: u64, weighted: bool, biased: bool) {
    let draw = &mut Draw::new(seed);
    let x = strided(draw, &layout.shape, dtype, false);
    let weight = weighted.then(|| strided(draw, &layout.params, dtype, true));
    let bias = biased.then(|| strided(draw, &layout.params, dtype, true));
    let (w, b) = (weight.as_ref(), bias.as_ref());
    let expected = Normalize { x: &x.cpu, weight: w.map(|w| &w.cpu), bias: b.map(|b| &b.cpu), layout }.run().unwrap();
    let found =
        launches(|| Normalize { x: &x.gpu, weight: w.map(|w| &w.gpu), bias: b.map(|b| &b.gpu), layout }.run()).unwrap();
    let count = layout.count() as f64;
    let wide = tolerance(dtype.compute());
    agree(&expected.mean, &found.mean, 4.0 * wide);
    agree(&expected.deviation, &found.deviation, wide * count.sqrt().max(4.0));
    // A variance near nothing magnifies the mean's last digit by 1/√ε.
    agree(&expected.inverse_std, &found.inverse_std, 40.0 * wide);
    agree(&expected.out, &found.out, 2.0 * tolerance(dtype) + 200.0 * wide);

    let grad = strided(draw, &layout.shape, dtype, true);
    let cpu = NormBackward {
        grad: &grad.cpu,
        x: &x.cpu,
        mean: &expected.mean,
        inverse_std: &expected.inverse_std,
        weight: w.map(|w| &w.cpu),
        layout,
    };
    // The same statistics on both devices.
    let (mean, inverse_std) = (to_gpu(&expected.mean), to_gpu(&expected.inverse_std));
    let gpu = NormBackward {
        grad: &grad.gpu,
        x: &x.gpu,
        mean: &mean,
        inverse_std: &inverse_std,
        weight: w.map(|w| &w.gpu),
        layout,
    };
    for needs in [[true, true, true], [true, false, false], [false, true, false], [false, false, true]] {
        let expected = NormalizeBackward { args: cpu, needs }.run().unwrap();
        let found = NormalizeBackward { args: gpu, needs }.run().unwrap();
        for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(
                (expected.is_some(), found.is_some()),
                (needs[i] && (i != 1 || weighted), needs[i] && (i != 1 || weighted))
            );
            let (Some(expected), Some(found)) = (expected, found) else { continue };
            // Sums of terms up to a few hundred, with 1/√ε = 32 before them; the CPU rounds its sums of halves.
            let magnitude = elements(expected).iter().fold(1.0f64, |m, x| m.max(x.abs()));
            let scale = elements(&cpu.inverse_std.clone()).iter().fold(1.0f64, |m, x| m.max(*x));
            let terms = elements(&grad.cpu).len() as f64;
            let error = tolerance(dtype) * (magnitude + 16.0 * scale * terms.sqrt()).max(1.0) * 2.0;
            for (a, b) in elements(expected).iter().zip(elements(found)) {
                assert!((a - b).abs() <= error, "gradient {i} of {layout:?} {dtype}: {a} on the CPU, {b} on the GPU");
            }
        }
    }
}

proptest! {
    #[test]
    fn normalisation_is_the_cpus(
        (kind, lengths, seed) in (0usize..5, [1usize..6, 1usize..6, 1usize..20, 1usize..9], any::<u64>()),
        dtype in 0usize..4, weighted: bool, biased: bool,
    ) {
        let dtype = [DType::F16, DType::BF16, DType::F32, DType::F64][dtype];
        check(&layout(kind, lengths), dtype, seed, weighted, biased);
    }
}

#[test]
fn large_normalisations() {
    for kind in 0..5 {
        check(&layout(kind, [70, 6, 8, 30]), DType::F64, 5, true, true);
    }
    check(&layout(0, [3000, 1, 1, 40]), DType::F64, 6, true, true);
    check(&layout(2, [300, 10, 64, 1]), DType::F64, 7, true, true);
}
