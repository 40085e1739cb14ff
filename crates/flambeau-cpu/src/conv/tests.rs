//! The three functions against nested loops, and known answers from PyTorch.

use half::{bf16, f16};
use proptest::prelude::*;

use super::*;

/// Small multiples of 1/4, so that short sums are exact in every type.
fn sample(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919 + seed * 104729 + i * i % 31) % 17) as f64 / 4.0 - 2.0).collect()
}

/// Calls `visit(x index, w index, out index)` for every multiply-add of the convolution.
fn for_each_product(shape: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (output, inputs, outputs) = (shape.output(), shape.group_inputs(), shape.group_outputs());
    let flat = |sizes: [usize; 3], at: [usize; 3]| (at[0] * sizes[1] + at[1]) * sizes[2] + at[2];
    let places = |sizes: [usize; 3]| {
        (0..sizes.iter().product())
            .map(move |i| [i / (sizes[1] * sizes[2]), i / sizes[2] % sizes[1], i % sizes[2]])
            .collect::<Vec<_>>()
    };
    for (b, o) in (0..shape.batch).flat_map(|b| (0..shape.out_channels).map(move |o| (b, o))) {
        let group = o / outputs;
        for p in places(output) {
            for (c, k) in (0..inputs).flat_map(|c| places(shape.kernel).into_iter().map(move |k| (c, k))) {
                let at: [isize; 3] = std::array::from_fn(|d| {
                    (p[d] * shape.stride[d] + k[d] * shape.dilation[d]) as isize - shape.padding[d] as isize
                });
                if (0..3).any(|d| at[d] < 0 || at[d] >= shape.input[d] as isize) {
                    continue;
                }
                let at = at.map(|i| i as usize);
                let x = (b * shape.in_channels + group * inputs + c) * shape.input_len() + flat(shape.input, at);
                let w = (o * inputs + c) * shape.kernel_len() + flat(shape.kernel, k);
                visit(x, w, (b * shape.out_channels + o) * shape.output_len() + flat(output, p));
            }
        }
    }
}

fn check<T: ConvElement>(shape: &ConvShape, from: impl Fn(f64) -> T, to: impl Fn(T) -> f64, tolerance: f64) {
    let inputs = shape.batch * shape.in_channels * shape.input_len();
    let weights = shape.out_channels * shape.group_inputs() * shape.kernel_len();
    let outputs = shape.batch * shape.out_channels * shape.output_len();
    let (x, w, gy, bias) = (sample(inputs, 1), sample(weights, 2), sample(outputs, 3), sample(shape.out_channels, 4));
    let typed = |v: &[f64]| v.iter().map(|&x| from(x)).collect::<Vec<T>>();
    let (tx, tw, tgy, tbias) = (typed(&x), typed(&w), typed(&gy), typed(&bias));
    let fresh = |len: usize| vec![from(f64::NAN); len];
    let (mut out, mut out_biased, mut gx, mut gw) = (fresh(outputs), fresh(outputs), fresh(inputs), fresh(weights));
    // SAFETY: the vectors have the sizes of the shape.
    unsafe {
        forward(shape, tx.as_ptr(), tw.as_ptr(), None, out.as_mut_ptr());
        forward(shape, tx.as_ptr(), tw.as_ptr(), Some(tbias.as_ptr()), out_biased.as_mut_ptr());
        input_grad(shape, tgy.as_ptr(), tw.as_ptr(), gx.as_mut_ptr());
        weight_grad(shape, tx.as_ptr(), tgy.as_ptr(), gw.as_mut_ptr());
    }
    let (mut e_out, mut e_gx, mut e_gw) = (vec![0.0; outputs], vec![0.0; inputs], vec![0.0; weights]);
    for_each_product(shape, |i, j, o| {
        e_out[o] += x[i] * w[j];
        e_gx[i] += gy[o] * w[j];
        e_gw[j] += gy[o] * x[i];
    });
    let e_biased: Vec<f64> =
        e_out.iter().enumerate().map(|(i, &x)| x + bias[i / shape.output_len() % shape.out_channels]).collect();
    let compare = |name: &str, got: &[T], expected: &[f64]| {
        for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
            let error = (to(got) - expected).abs();
            assert!(error <= tolerance * (expected.abs() + 1.0), "{name}[{i}]: {} for {expected}, {shape:?}", to(got));
        }
    };
    compare("out", &out, &e_out);
    compare("biased out", &out_biased, &e_biased);
    compare("gx", &gx, &e_gx);
    compare("gw", &gw, &e_gw);
}

fn check_all(shape: &ConvShape) {
    check::<f32>(shape, |x| x as f32, f64::from, 1e-5);
    check::<f64>(shape, |x| x, |x| x, 1e-12);
    check::<f16>(shape, f16::from_f64, f64::from, 1e-3);
    check::<bf16>(shape, bf16::from_f64, f64::from, 8e-3);
}

fn shapes() -> impl Strategy<Value = ConvShape> {
    let line = |most: usize| (1..=most, 1..=3usize, 1..=3usize, 0..=2usize, 1..=2usize);
    ((0..=3usize, 1..=3usize, 1..=3usize, 1..=3usize), (line(3), line(7), line(20))).prop_map(|(channels, lines)| {
        let (batch, inputs, outputs, groups) = channels;
        let lines = [lines.0, lines.1, lines.2];
        ConvShape {
            batch,
            in_channels: inputs * groups,
            out_channels: outputs * groups,
            groups,
            input: lines.map(|l| l.0),
            kernel: lines.map(|l| l.1),
            stride: lines.map(|l| l.2),
            padding: lines.map(|l| l.3),
            dilation: lines.map(|l| l.4),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn agrees_with_loops(shape in shapes()) {
        check_all(&shape);
    }
}

const PLAIN: ConvShape = ConvShape {
    batch: 1,
    in_channels: 1,
    out_channels: 1,
    groups: 1,
    input: [1; 3],
    kernel: [1; 3],
    stride: [1; 3],
    padding: [0; 3],
    dilation: [1; 3],
};

#[test]
fn larger_shapes_agree_with_loops() {
    let image = ConvShape { batch: 3, in_channels: 16, out_channels: 8, input: [1, 30, 34], ..PLAIN };
    check_all(&ConvShape { kernel: [1, 3, 3], padding: [0, 1, 1], ..image });
    check_all(&ConvShape { kernel: [1, 1, 1], ..image });
    check_all(&ConvShape { kernel: [1, 1, 1], stride: [1, 2, 2], ..image });
    check_all(&ConvShape { kernel: [1, 5, 3], groups: 8, ..image });
    check_all(&ConvShape { batch: 1, in_channels: 200, input: [1, 1, 40], kernel: [1, 1, 5], ..image });
    // Samples that share a column matrix.
    check_all(&ConvShape { batch: 11, input: [1, 5, 5], kernel: [1, 3, 3], padding: [0, 1, 1], ..image });
    check_all(&ConvShape { batch: 9, input: [1, 4, 3], groups: 2, ..image });
    // More columns than one tile holds.
    check::<f64>(
        &ConvShape { batch: 1, in_channels: 64, input: [1, 24, 24], kernel: [1, 3, 3], padding: [0, 1, 1], ..image },
        |x| x,
        |x| x,
        1e-12,
    );
}

#[test]
fn known_answers_from_pytorch() {
    // x = torch.arange(16.).view(1, 1, 4, 4); w = torch.tensor([[[[1., 2.], [3., 4.]]]]); b = torch.tensor([0.5])
    // F.conv2d(x, w, b, stride=2, padding=1).flatten().tolist()
    let x: Vec<f32> = (0..16).map(|i| i as f32).collect();
    let (w, bias) = ([1.0f32, 2.0, 3.0, 4.0], [0.5f32]);
    let shape = ConvShape { input: [1, 4, 4], kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0, 1, 1], ..PLAIN };
    assert_eq!(shape.output(), [1, 3, 3]);
    let mut out = [0.0f32; 9];
    // SAFETY: the arrays have the sizes of the shape.
    unsafe { forward(&shape, x.as_ptr(), w.as_ptr(), Some(bias.as_ptr()), out.as_mut_ptr()) }
    assert_eq!(out, CONV2D);
    // F.conv_transpose2d(torch.arange(4.).view(1, 1, 2, 2), w, stride=2, output_padding=1).flatten().tolist()
    let shape = ConvShape { input: [1, 5, 5], kernel: [1, 2, 2], stride: [1, 2, 2], ..PLAIN };
    assert_eq!(shape.output(), [1, 2, 2]);
    let (y, mut gx) = ([0.0f32, 1.0, 2.0, 3.0], [f32::NAN; 25]);
    // SAFETY: as above.
    unsafe { input_grad(&shape, y.as_ptr(), w.as_ptr(), gx.as_mut_ptr()) }
    assert_eq!(gx, CONV_TRANSPOSE2D);
}
const CONV2D: [f32; 9] = [0.5, 11.5, 9.5, 40.5, 84.5, 40.5, 24.5, 41.5, 15.5];
const CONV_TRANSPOSE2D: [f32; 25] = [
    0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 2.0, 4.0, 3.0, 6.0, 0.0, 6.0, 8.0, 9.0, 12.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0,
];
