//! Pooling against nested loops, and known answers from PyTorch.

use half::f16;
use proptest::prelude::*;

use super::*;

fn coordinates(sizes: [usize; 3]) -> Vec<[usize; 3]> {
    (0..len(sizes)).map(|i| [i / (sizes[1] * sizes[2]), i / sizes[2] % sizes[1], i % sizes[2]]).collect()
}

fn flat(sizes: [usize; 3], at: [usize; 3]) -> usize {
    (at[0] * sizes[1] + at[1]) * sizes[2] + at[2]
}

/// Flat indices of the input elements of a window, in order.
fn window(shape: &PoolShape, at: [usize; 3]) -> Vec<usize> {
    let inside = |k: [usize; 3]| {
        let mut place = [0; 3];
        for d in 0..3 {
            let i = at[d] * shape.stride[d] + k[d] * shape.dilation[d];
            place[d] = i.checked_sub(shape.padding[d]).filter(|&i| i < shape.input[d])?;
        }
        Some(flat(shape.input, place))
    };
    coordinates(shape.kernel).into_iter().filter_map(inside).collect()
}

fn samples(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 7919 + seed * 31 + i * i % 37) % 13) as f64 / 2.0 - 3.0).collect()
}

/// Shapes with windows that all touch the input, some of them past its end as with `ceil_mode`.
fn shapes() -> impl Strategy<Value = PoolShape> {
    let line = |most: usize| (1..=most, 1..=3usize, 1..=3usize, any::<bool>(), 1..=2usize, any::<bool>());
    (0..=3usize, (line(3), line(8), line(30))).prop_map(|(planes, lines)| {
        let lines = [lines.0, lines.1, lines.2].map(|(input, kernel, stride, padded, dilation, ceil)| {
            let padding = if padded { kernel / 2 } else { 0 };
            let input = input.max(dilation * (kernel - 1) + 1);
            let free = input + 2 * padding - dilation * (kernel - 1) - 1;
            let mut output = free / stride + 1;
            if ceil && free % stride > 0 && output * stride < input + padding {
                output += 1;
            }
            (input, output, kernel, stride, padding, dilation)
        });
        PoolShape {
            planes,
            input: lines.map(|l| l.0),
            output: lines.map(|l| l.1),
            kernel: lines.map(|l| l.2),
            stride: lines.map(|l| l.3),
            padding: lines.map(|l| l.4),
            dilation: lines.map(|l| l.5),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn max_agrees_with_loops(shape in shapes(), nan_every in 3usize..50) {
        let (inputs, outputs) = (shape.planes * len(shape.input), shape.planes * len(shape.output));
        let mut x = samples(inputs, 1);
        x.iter_mut().skip(1).step_by(nan_every).for_each(|x| *x = f64::NAN);
        let (mut out, mut indices) = (vec![0.0; outputs], vec![-1i64; outputs]);
        let halves: Vec<f16> = x.iter().map(|&x| f16::from_f64(x)).collect();
        let (mut half_out, mut half_indices) = (vec![f16::ZERO; outputs], vec![-1i64; outputs]);
        let ints: Vec<i32> = samples(inputs, 1).iter().map(|&x| (2.0 * x) as i32).collect();
        let (mut int_out, mut int_indices) = (vec![0; outputs], vec![-1i64; outputs]);
        // SAFETY: the vectors have the sizes of the shape.
        unsafe {
            max_pool(&shape, x.as_ptr(), out.as_mut_ptr(), indices.as_mut_ptr());
            max_pool(&shape, halves.as_ptr(), half_out.as_mut_ptr(), half_indices.as_mut_ptr());
            max_pool(&shape, ints.as_ptr(), int_out.as_mut_ptr(), int_indices.as_mut_ptr());
        }
        let gy = samples(outputs, 2);
        let (mut gx, mut expected_gx) = (vec![f64::NAN; inputs], vec![0.0; inputs]);
        for plane in 0..shape.planes {
            for (p, at) in coordinates(shape.output).into_iter().enumerate() {
                let o = plane * len(shape.output) + p;
                let base = plane * len(shape.input);
                let (mut best, mut index) = (f64::NEG_INFINITY, None);
                let mut int_index = None;
                for i in window(&shape, at) {
                    if index.is_none() || x[base + i] > best || x[base + i].is_nan() {
                        (best, index) = (x[base + i], Some(i));
                    }
                    if int_index.is_none_or(|j| ints[base + i] > ints[base + j]) {
                        int_index = Some(i);
                    }
                }
                let index = index.unwrap();
                assert_eq!(indices[o], index as i64, "output {o} of {shape:?}");
                assert!(out[o] == best || out[o].is_nan() && best.is_nan());
                assert_eq!(half_indices[o], index as i64);
                assert_eq!(half_out[o].to_bits(), halves[base + index].to_bits());
                assert_eq!(int_indices[o], int_index.unwrap() as i64);
                assert_eq!(int_out[o], ints[base + int_index.unwrap()]);
                expected_gx[base + index] += gy[o];
            }
        }
        // SAFETY: as above.
        unsafe { max_pool_backward(&shape, gy.as_ptr(), indices.as_ptr(), gx.as_mut_ptr()) }
        assert_eq!(gx, expected_gx);
    }

    #[test]
    fn averages_agree_with_loops(shape in shapes(), count_include_pad in any::<bool>(), fixed in prop::option::of(1i64..9)) {
        let shape = PoolShape { dilation: [1; 3], ..shape };
        let (inputs, outputs) = (shape.planes * len(shape.input), shape.planes * len(shape.output));
        let (x, gy) = (samples(inputs, 1), samples(outputs, 2));
        let options = AverageOptions { count_include_pad, divisor_override: fixed };
        let (mut out, mut gx, mut expected_gx) = (vec![f64::NAN; outputs], vec![f64::NAN; inputs], vec![0.0; inputs]);
        // SAFETY: the vectors have the sizes of the shape.
        unsafe {
            avg_pool(&shape, options, x.as_ptr(), out.as_mut_ptr());
            avg_pool_backward(&shape, options, gy.as_ptr(), gx.as_mut_ptr());
        }
        for plane in 0..shape.planes {
            for (p, at) in coordinates(shape.output).into_iter().enumerate() {
                let o = plane * len(shape.output) + p;
                let base = plane * len(shape.input);
                let elements = window(&shape, at);
                let padded: usize = (0..3)
                    .map(|d| {
                        let start = at[d] * shape.stride[d];
                        (start + shape.kernel[d]).min(shape.input[d] + 2 * shape.padding[d]) - start
                    })
                    .product();
                let counted = if count_include_pad { padded } else { elements.len() };
                let divisor = fixed.unwrap_or(counted as i64) as f64;
                let sum: f64 = elements.iter().map(|&i| x[base + i]).sum();
                assert!((out[o] - sum / divisor).abs() < 1e-12, "output {o} of {shape:?}");
                elements.iter().for_each(|&i| expected_gx[base + i] += gy[o] / divisor);
            }
        }
        for (got, expected) in gx.iter().zip(&expected_gx) {
            assert!((got - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn adaptive_backward_is_the_adjoint(
        planes in 0..3usize,
        input in [1..4usize, 1..9, 1..20],
        output in [1..4usize, 1..9, 1..20],
    ) {
        let (inputs, outputs) = (planes * len(input), planes * len(output));
        let (x, gy) = (samples(inputs, 1), samples(outputs, 2));
        let (mut out, mut gx) = (vec![f64::NAN; outputs], vec![f64::NAN; inputs]);
        // SAFETY: the vectors have the sizes of the shape.
        unsafe {
            adaptive_avg_pool(planes, input, output, x.as_ptr(), out.as_mut_ptr());
            adaptive_avg_pool_backward(planes, input, output, gy.as_ptr(), gx.as_mut_ptr());
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert!((dot(&out, &gy) - dot(&x, &gx)).abs() < 1e-9 * (1.0 + inputs as f64));
    }
}

/// A plane of two dimensions with square windows.
fn square(input: usize, output: usize, kernel: usize, stride: usize, padding: usize) -> PoolShape {
    let (wide, flat) = (|n| [1, n, n], |n| [0, n, n]);
    PoolShape {
        planes: 1,
        input: wide(input),
        output: wide(output),
        kernel: wide(kernel),
        stride: wide(stride),
        padding: flat(padding),
        dilation: [1; 3],
    }
}

#[test]
fn max_known_answers_from_pytorch() {
    // F.max_pool1d(x, 3, 1, return_indices=True) and F.max_pool1d(x, 3, 2, 1, return_indices=True)
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let x = [1., 3., 3., 2., nan, 5., nan, -inf, -inf, -inf];
    let line = |output, stride, padding| PoolShape {
        planes: 1,
        input: [1, 1, 10],
        output: [1, 1, output],
        kernel: [1, 1, 3],
        stride: [1, 1, stride],
        padding: [0, 0, padding],
        dilation: [1; 3],
    };
    let (mut out, mut indices) = ([0.0f32; 8], [0i64; 8]);
    // SAFETY: the arrays have the sizes of the shapes.
    unsafe { max_pool(&line(8, 1, 0), x.as_ptr(), out.as_mut_ptr(), indices.as_mut_ptr()) }
    assert_eq!(indices, [1, 1, 4, 4, 6, 6, 6, 7]);
    assert_eq!((out[0], out[1], out[7]), (3.0, 3.0, -inf));
    assert!(out[2..7].iter().all(|x| x.is_nan()));
    // SAFETY: as above.
    unsafe { max_pool(&line(5, 2, 1), x.as_ptr(), out.as_mut_ptr(), indices.as_mut_ptr()) }
    assert_eq!(indices[..5], [1, 1, 4, 6, 7]);
    // F.max_pool2d(torch.arange(25.).view(1, 1, 5, 5), 2, 2, 1, dilation=2, ceil_mode=True, return_indices=True)
    let x: Vec<f64> = (0..25).map(f64::from).collect();
    let shape = PoolShape { dilation: [1, 2, 2], ..square(5, 3, 2, 2, 1) };
    let (mut out, mut indices) = ([0.0; 9], [0; 9]);
    // SAFETY: as above.
    unsafe { max_pool(&shape, x.as_ptr(), out.as_mut_ptr(), indices.as_mut_ptr()) }
    assert_eq!(indices, [6, 8, 8, 16, 18, 18, 16, 18, 18]);
}

#[test]
fn average_known_answers_from_pytorch() {
    // x = torch.arange(25.).view(1, 1, 5, 5); F.avg_pool2d(x, …).flatten().tolist()
    let x: Vec<f32> = (0..25).map(|i| i as f32).collect();
    let run = |shape: PoolShape, count_include_pad, divisor_override| {
        let mut out = vec![f32::NAN; len(shape.output)];
        let options = AverageOptions { count_include_pad, divisor_override };
        // SAFETY: the vectors have the sizes of the shape.
        unsafe { avg_pool(&shape, options, x.as_ptr(), out.as_mut_ptr()) }
        out
    };
    // 3, 2, 1, ceil_mode=True
    let padded = [1.3333334, 3.0, 2.6666667, 7.0, 12.0, 9.0, 8.0, 13.0, 9.333333];
    assert_eq!(run(square(5, 3, 3, 2, 1), true, None), padded);
    // 2, 2, 0, ceil_mode=True
    assert_eq!(run(square(5, 3, 2, 2, 0), true, None), [3.0, 5.0, 6.5, 13.0, 15.0, 16.5, 20.5, 22.5, 24.0]);
    // 3, 2, 1, ceil_mode=True, count_include_pad=False
    assert_eq!(run(square(5, 3, 3, 2, 1), false, None), [3.0, 4.5, 6.0, 10.5, 12.0, 13.5, 18.0, 19.5, 21.0]);
    // 3, 3, 1, ceil_mode=True; the same with divisor_override=2
    assert_eq!(run(square(5, 2, 3, 3, 1), true, None), [1.3333334, 3.6666667, 10.333333, 18.0]);
    assert_eq!(run(square(5, 2, 3, 3, 1), true, Some(2)), [6.0, 16.5, 46.5, 81.0]);
}

#[test]
fn adaptive_known_answers_from_pytorch() {
    // F.adaptive_avg_pool2d(torch.arange(25.).view(1, 1, 5, 5), size).flatten().tolist()
    let x: Vec<f32> = (0..25).map(|i| i as f32).collect();
    let run = |output: [usize; 3]| {
        let mut out = vec![f32::NAN; len(output)];
        // SAFETY: the vectors have the sizes of the shape.
        unsafe { adaptive_avg_pool(1, [1, 5, 5], output, x.as_ptr(), out.as_mut_ptr()) }
        out
    };
    assert_eq!(run([1, 3, 3]), [3.0, 4.5, 6.0, 10.5, 12.0, 13.5, 18.0, 19.5, 21.0]);
    assert_eq!(run([1, 2, 4]), [5.5, 6.5, 7.5, 8.5, 15.5, 16.5, 17.5, 18.5]);
    assert_eq!(run([1, 7, 1]), [2.0, 4.5, 9.5, 12.0, 14.5, 19.5, 22.0]);
}
