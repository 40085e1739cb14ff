//! Products, convolutions, poolings and resizing through the trait: the glue between arrays and kernels.

use super::support::*;
use flambeau_tensor::backend::{AvgPoolDivisor, ConvGeometry, Epilogue, PoolGeometry, ResampleMode};
use flambeau_tensor::calls::{
    AdaptiveAvgPool, AdaptiveAvgPoolBackward, AvgPool, AvgPoolBackward, Conv, ConvInputGrad, ConvWeightGrad, Matmul,
    MaxPool, MaxPoolBackward, PrimitiveCall, Resample, ResampleBackward,
};
use flambeau_tensor::{Array, DType, Scalar};
use proptest::prelude::*;

proptest! {
    #[test]
    fn products_of_any_views(
        batch in 1usize..4, m in 1usize..12, k in 0usize..12, n in 1usize..40, dtype in dtypes(), seed: u64, bias: bool, relu: bool, beta in 0..2i64,
    ) {
        if dtype == DType::Bool {
            return Ok(());
        }
        let mut draw = Draw::new(seed);
        let a = strided(&mut draw, &[batch, m, k], dtype, true);
        let b = strided(&mut draw, &[batch, k, n], dtype, true);
        let out = strided(&mut draw, &[batch, m, n], dtype, false);
        let (before, x, y) = (elements(&out), elements(&a), elements(&b));
        let row = strided(&mut draw, &[n], dtype, true);
        let shift = elements(&row);
        let epilogue = Epilogue { bias: bias.then_some(&row), relu };
        Matmul { a: &a, b: &b, alpha: Scalar::Int(2), beta: Scalar::Int(beta), epilogue, out: &out }.run().unwrap();
        let wrap = |v: f64| if dtype.is_floating_point() { v } else { elements(&from_f64(&[v], &[1], DType::I64).to_dtype(dtype).unwrap())[0] };
        for (at, z) in elements(&out).into_iter().enumerate() {
            let (i, r, c) = (at / (m * n), at / n % m, at % n);
            let sum: f64 = (0..k).map(|p| x[(i * m + r) * k + p] * y[(i * k + p) * n + c]).sum();
            let mut expected = wrap(2.0 * sum + beta as f64 * before[at]);
            expected = wrap(expected + if bias { shift[c] } else { 0.0 });
            expected = if relu { expected.max(0.0) } else { expected };
            let tolerance = match dtype { DType::F16 => 2e-3, DType::BF16 => 2e-2, _ => 1e-6 };
            prop_assert!((z - expected).abs() <= tolerance * expected.abs().max(1.0), "{z} {expected}");
        }
    }
}

#[test]
fn products_of_truth_values_are_refused() {
    let a = zeros(&[1, 2, 2], DType::Bool);
    let error = Matmul {
        a: &a,
        b: &a,
        alpha: Scalar::Int(1),
        beta: Scalar::Int(0),
        epilogue: Epilogue::default(),
        out: &zeros(&[1, 2, 2], DType::Bool),
    }
    .run();
    assert_eq!(error.unwrap_err().to_string(), "\"addmm_impl_cpu_\" not implemented for 'Bool'");
}

fn count(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i % 7) as f64 - 3.0).collect()
}

fn dot(a: &Array, b: &Array) -> f64 {
    elements(a).iter().zip(elements(b)).map(|(x, y)| x * y).sum()
}

#[test]
fn convolution_and_its_gradients_are_adjoint() {
    for ndim in 1..=3 {
        let mut g = ConvGeometry { ndim, stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups: 2 };
        for d in 3 - ndim..3 {
            (g.stride[d], g.padding[d], g.dilation[d]) = (2, 1, 1 + d % 2);
        }
        let spatial = [5, 6, 7];
        let lengths: Vec<usize> = (3 - ndim..3).map(|d| (spatial[d] + 2 - g.dilation[d] * 2 - 1) / 2 + 1).collect();
        let shape = |n: usize, c: usize, rest: &[usize]| [&[n, c], rest].concat();
        let make = |shape: &[usize]| from_f64(&count(shape.iter().product()), shape, DType::F64);
        let x = make(&shape(2, 4, &spatial[3 - ndim..]));
        let weight = make(&shape(6, 2, &vec![3; ndim]));
        let grad = make(&shape(2, 6, &lengths));
        let bias = from_f64(&[0.5; 6], &[6], DType::F64);
        let (y, dx, dw) =
            (zeros(grad.shape(), DType::F64), zeros(x.shape(), DType::F64), zeros(weight.shape(), DType::F64));
        Conv { x: &x, weight: &weight, bias: None, geometry: &g, out: &y }.run().unwrap();
        ConvInputGrad { grad: &grad, weight: &weight, geometry: &g, out: &dx }.run().unwrap();
        ConvWeightGrad { x: &x, grad: &grad, geometry: &g, out: &dw }.run().unwrap();
        assert_eq!(dot(&y, &grad), dot(&x, &dx));
        assert_eq!(dot(&y, &grad), dot(&weight, &dw));
        assert!(dot(&y, &y) > 0.0);
        let biased = zeros(grad.shape(), DType::F64);
        Conv { x: &x, weight: &weight, bias: Some(&bias), geometry: &g, out: &biased }.run().unwrap();
        assert!(elements(&biased).iter().zip(elements(&y)).all(|(b, y)| *b == y + 0.5));
    }
    let x = zeros(&[1, 1, 3], DType::Bool);
    let g = ConvGeometry { ndim: 1, stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups: 1 };
    let error =
        Conv { x: &x, weight: &x, bias: None, geometry: &g, out: &zeros(&[1, 1, 1], DType::Bool) }.run().unwrap_err();
    assert_eq!(error.to_string(), "\"slow_conv2d_cpu\" not implemented for 'Bool'");
}

#[test]
fn poolings_and_their_gradients() {
    let x = from_f64(&(0..32).map(f64::from).collect::<Vec<_>>(), &[2, 1, 4, 4], DType::F32);
    let g = PoolGeometry { ndim: 2, kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0; 3], dilation: [1; 3] };
    let (out, indices) = (zeros(&[2, 1, 2, 2], DType::F32), zeros(&[2, 1, 2, 2], DType::I64));
    MaxPool { src: &x, geometry: &g, out: &out, indices: &indices }.run().unwrap();
    assert_eq!(elements(&out), [5.0, 7.0, 13.0, 15.0, 21.0, 23.0, 29.0, 31.0]);
    assert_eq!(elements(&indices)[4..], [5.0, 7.0, 13.0, 15.0]);
    let dx = zeros(&[2, 1, 4, 4], DType::F32);
    MaxPoolBackward { grad: &out, indices: &indices, windows: None, out: &dx }.run().unwrap();
    assert_eq!(dot(&dx, &x), dot(&out, &out));
    let divisor = AvgPoolDivisor { count_include_pad: true, divisor_override: None };
    AvgPool { src: &x, geometry: &g, divisor, out: &out }.run().unwrap();
    assert_eq!(elements(&out)[..4], [2.5, 4.5, 10.5, 12.5]);
    AvgPoolBackward { grad: &out, geometry: &g, divisor, out: &dx }.run().unwrap();
    assert_eq!(dot(&dx, &x), dot(&out, &out));
    AdaptiveAvgPool { src: &x, out: &out }.run().unwrap();
    assert_eq!(elements(&out)[..4], [2.5, 4.5, 10.5, 12.5]);
    AdaptiveAvgPoolBackward { grad: &out, out: &dx }.run().unwrap();
    assert_eq!(dot(&dx, &x), dot(&out, &out));
}

/// F.interpolate(torch.tensor([0., 1., 4., 9.])[None, None], size=…, mode=…, align_corners=…), PyTorch 2.15.
#[test]
fn resizing_follows_pytorch() {
    let x = from_f64(&[0.0, 1.0, 4.0, 9.0], &[1, 1, 1, 4], DType::F32);
    let linear = |align_corners| ResampleMode::Linear { align_corners };
    let resize = |mode, n: usize| {
        let out = zeros(&[1, 1, 1, n], DType::F32);
        let scales = [1.0, 1.0, n as f64 / 4.0];
        Resample { mode, scales, src: &x, out: &out }.run().unwrap();
        let back = zeros(&[1, 1, 1, 4], DType::F32);
        ResampleBackward { mode, scales, grad: &out, out: &back }.run().unwrap();
        assert!(close(dot(&back, &x), dot(&out, &out), 1e-6));
        elements(&out)
    };
    assert_eq!(resize(ResampleMode::Nearest, 7), [0.0, 0.0, 1.0, 1.0, 4.0, 4.0, 9.0]);
    assert_eq!(resize(ResampleMode::Nearest, 3), [0.0, 1.0, 4.0]);
    assert_eq!(resize(linear(true), 7), [0.0, 0.5, 1.0, 2.5, 4.0, 6.5, 9.0]);
    assert_eq!(resize(linear(false), 8), [0.0, 0.25, 0.75, 1.75, 3.25, 5.25, 7.75, 9.0]);
    assert_eq!(resize(linear(false), 2), [0.5, 6.5]);
}
