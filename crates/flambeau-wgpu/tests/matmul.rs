//! Matrix products against the CPU.

mod support;

use flambeau_tensor::backend::Epilogue;
use flambeau_tensor::calls::{Matmul, PrimitiveCall};
use flambeau_tensor::{DType, Scalar};
use proptest::prelude::*;
use support::*;

#[allow(clippy::too_many_arguments, reason = "a case")]
fn check(draw: &mut Draw, b: usize, m: usize, k: usize, n: usize, dtype: DType, alpha: f64, beta: f64, extra: usize) {
    let x = strided(draw, &[b, m, k], dtype, true);
    let y = strided(draw, &[b, k, n], dtype, true);
    let out = strided(draw, &[b, m, n], dtype, false);
    let bias = strided(draw, &[n], dtype, true);
    let (alpha, beta) = (Scalar::Float(alpha), Scalar::Float(beta));
    let cpu_epilogue = Epilogue { bias: (extra & 1 == 1).then_some(&bias.cpu), relu: extra & 2 == 2 };
    let gpu_epilogue = Epilogue { bias: (extra & 1 == 1).then_some(&bias.gpu), relu: extra & 2 == 2 };
    let cpu = Matmul { a: &x.cpu, b: &y.cpu, alpha, beta, epilogue: cpu_epilogue, out: &out.cpu }.run();
    let gpu = Matmul { a: &x.gpu, b: &y.gpu, alpha, beta, epilogue: gpu_epilogue, out: &out.gpu }.run();
    if both(cpu, gpu).is_some() {
        // Terms of up to 16 cancel: the error is absolute, relative to Σ|xy|.
        let scale = 16.0 * (k as f64).max(1.0);
        let eps = tolerance(dtype);
        for (i, (a, b)) in elements(&whole(&out.cpu)).into_iter().zip(elements(&whole(&out.gpu))).enumerate() {
            let fits = a == b || (a - b).abs() <= eps * scale.max(a.abs());
            assert!(fits, "element {i} of [{b}, {m}, {k}] x [{k}, {n}] {dtype}: {a} on the CPU, {b} on the GPU");
        }
    }
}

#[test]
fn every_dtype_and_epilogue() {
    let draw = &mut Draw::new(3);
    for dtype in DType::ALL {
        for extra in 0..4 {
            for (m, k, n) in [(5, 7, 9), (1, 100, 33), (33, 64, 1), (70, 300, 40), (0, 3, 2), (3, 0, 2)] {
                if m * n == 0 {
                    continue;
                }
                check(draw, 2, m, k, n, dtype, 2.0, 1.0, extra);
                check(draw, 1, m, k, n, dtype, 1.0, 0.0, extra);
            }
        }
    }
}

#[test]
fn large_tiles() {
    let draw = &mut Draw::new(5);
    for (m, k, n) in [(200, 130, 190), (256, 64, 256), (129, 1000, 300)] {
        check(draw, 1, m, k, n, DType::F32, 1.0, 0.0, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shape_and_stride(
        (b, m, k, n) in (1usize..4, 1usize..80, 0usize..200, 1usize..80), dtype in dtypes(), extra in 0usize..4, seed: u64,
    ) {
        check(&mut Draw::new(seed), b, m, k, n, dtype, 1.0, f64::from((seed % 2) as u32), extra);
    }
}
