//! Every tile in every mode, with whole and with split sums, against the CPU.

use super::plan::{TILES, even, tiles};
use super::*;
use flambeau_cpu::CPU;
use flambeau_tensor::calls::{Conv, ConvInputGrad, ConvWeightGrad, PrimitiveCall};
use flambeau_tensor::{Backend, Device};

/// Odd quarters on both devices: sums of their products are exact in f32.
fn both(shape: &[usize], dtype: DType, seed: usize) -> [Array; 2] {
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|i| ((i * 7919 + i * i % 31 + seed) % 8) as f64 / 2.0 - 1.75).collect();
    let cpu = Array::from_slice(&CPU, Device::Cpu, &values, shape).unwrap().to_dtype(dtype).unwrap();
    let gpu = Array::empty(&crate::WGPU, Device::Wgpu(0), shape, dtype).unwrap();
    let mut bytes = vec![0; cpu.numel() * dtype.size()];
    CPU.download(&cpu, &mut bytes).unwrap();
    crate::WGPU.upload(&bytes, &gpu).unwrap();
    [cpu, gpu]
}

fn assert_same([cpu, gpu]: &[Array; 2], what: &dyn std::fmt::Debug) {
    let bytes = |a: &Array| {
        let mut bytes = vec![0; a.numel() * a.dtype().size()];
        a.backend().download(a, &mut bytes).unwrap();
        bytes
    };
    assert_eq!(bytes(cpu), bytes(gpu), "{what:?}");
}

#[test]
fn every_tile_computes_the_same() {
    let g = ConvGeometry { ndim: 2, stride: [1, 2, 1], padding: [0, 1, 2], dilation: [1, 1, 2], groups: 2 };
    // 150 results and 18 channels per group, 3 × 2 taps.
    let (xs, ws, ys) = ([3, 36, 9, 11], [300, 18, 3, 2], [3, 300, 5, 13]);
    for dtype in [DType::F32, DType::BF16, DType::F64] {
        let ([cpu_x, x], [cpu_w, w]) = (both(&xs, dtype, 1), both(&ws, dtype, 2));
        let ([cpu_grad, grad], [cpu_bias, bias]) = (both(&ys, dtype, 3), both(&ws[..1], dtype, 4));
        for &tile in tiles(dtype) {
            for wanted in [1, 3] {
                let (y, gx, gw) = (both(&ys, dtype, 5), both(&xs, dtype, 6), both(&ws, dtype, 7));
                Conv { x: &cpu_x, weight: &cpu_w, bias: Some(&cpu_bias), geometry: &g, out: &y[0] }.run().unwrap();
                ConvInputGrad { grad: &cpu_grad, weight: &cpu_w, geometry: &g, out: &gx[0] }.run().unwrap();
                ConvWeightGrad { x: &cpu_x, grad: &cpu_grad, geometry: &g, out: &gw[0] }.run().unwrap();
                let multiply = |shape: &Shape, a: &Array, source: &Array, bias: Option<&Array>, out: &Array| {
                    let (parts, part) = even(shape.product().1, wanted);
                    assert_eq!(parts, wanted);
                    product(shape, Plan { tile, parts, part }, shape.strides(), a, source, bias, out).unwrap();
                };
                multiply(&Shape::forward(&x, &w, &g, &y[1]), &w, &x, Some(&bias), &y[1]);
                multiply(&Shape::input_grad(&grad, &w, &g, &gx[1]), &w, &grad, None, &gx[1]);
                multiply(&Shape::weight_grad(&x, &grad, &g, &gw[1]), &grad, &x, None, &gw[1]);
                assert_same(&y, &("forward", tile, wanted));
                assert_same(&gx, &("input gradient", tile, wanted));
                assert_same(&gw, &("weight gradient", tile, wanted));
            }
        }
    }
    assert_eq!(tiles(DType::F32).len(), TILES.len());
}

/// The parameters that all kernels share, found without a GPU.
#[test]
fn the_parameters_are_those_of_every_kernel() {
    let geometry =
        ConvGeometry { ndim: 3, stride: [12, 13, 14], padding: [15, 16, 17], dilation: [18, 19, 20], groups: 3 };
    let shape = Shape {
        mode: Mode::Forward,
        m: 1,
        channels: 2,
        groups: 3,
        samples: 0,
        source: [4, 5, 6],
        positions: [7, 8, 9],
        kernel: [10, 11, 0],
        geometry,
    };
    let give = |p: &mut Params| {
        shape.params(p);
    };
    crate::params::belong_to(&give, &["conv/direct", "conv/gemm", "conv/thin_weight_grad"]);
    let expected: Vec<u32> = (1..=11).chain([0]).chain(12..=20).collect();
    assert_eq!(Params::words(&give)[..], expected);
}
