//! Convolution, pooling and resizing on the GPU against the CPU.

mod support;

use flambeau_tensor::backend::{AvgPoolDivisor, ConvGeometry, PoolGeometry, ResampleMode};
use flambeau_tensor::calls::{
    self, AdaptiveAvgPool, AdaptiveAvgPoolBackward, AvgPool, AvgPoolBackward, ConvInputGrad, ConvWeightGrad, MaxPool,
    MaxPoolBackward, PrimitiveCall, Resample, ResampleBackward,
};
use flambeau_tensor::{Array, DType, Result};
use proptest::prelude::*;
use support::{agree, elements, from_f64, to_gpu, tolerance};

/// The places of the CPU's and of the GPU's arrays in pairs of them.
const BOTH: [usize; 2] = [0, 1];

const FLOATS: [DType; 4] = [DType::F32, DType::F16, DType::BF16, DType::F64];

/// Odd quarters: sums of their products are exact in f32, and none is zero.
fn quarters(n: usize, seed: usize) -> Vec<f64> {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) % 8) as f64
    };
    (0..n).map(|_| (2.0 * next() - 7.0) / 4.0).collect()
}

/// `values` with NaN and infinities among them.
fn with_specials(mut values: Vec<f64>, every: usize) -> Vec<f64> {
    let specials = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    values.iter_mut().skip(every / 2).step_by(every).zip(specials.iter().cycle()).for_each(|(v, s)| *v = *s);
    values
}

/// The same values on the CPU and on the GPU.
fn both(values: &[f64], shape: &[usize], dtype: DType) -> [Array; 2] {
    let cpu = from_f64(values, shape, dtype);
    let gpu = to_gpu(&cpu);
    [cpu, gpu]
}

/// Outputs full of sevens, which every element must replace.
fn outputs(shape: &[usize], dtype: DType) -> [Array; 2] {
    both(&vec![7.0; shape.iter().product()], shape, dtype)
}

/// Checks that both outputs agree up to a few roundings.
#[track_caller]
fn assert_same([cpu, gpu]: &[Array; 2]) {
    agree(cpu, gpu, tolerance(cpu.dtype()));
}

/// A random convolution's sizes.
#[derive(Clone, Debug)]
struct Conv {
    g: ConvGeometry,
    batch: usize,
    channels: [usize; 2],
    input: [usize; 3],
    kernel: [usize; 3],
}

impl Conv {
    fn output(&self) -> [usize; 3] {
        std::array::from_fn(|d| {
            let span = self.g.dilation[d] * (self.kernel[d] - 1) + 1;
            let padded = self.input[d] + 2 * self.g.padding[d];
            if padded < span { 0 } else { (padded - span) / self.g.stride[d] + 1 }
        })
    }

    fn shape(&self, first: [usize; 2], spatial: [usize; 3]) -> Vec<usize> {
        first.into_iter().chain(spatial[3 - self.g.ndim..].iter().copied()).collect()
    }

    fn x_shape(&self) -> Vec<usize> {
        self.shape([self.batch, self.channels[0] * self.g.groups], self.input)
    }

    fn weight_shape(&self) -> Vec<usize> {
        self.shape([self.channels[1] * self.g.groups, self.channels[0]], self.kernel)
    }

    fn out_shape(&self) -> Vec<usize> {
        self.shape([self.batch, self.channels[1] * self.g.groups], self.output())
    }

    /// Runs the convolution and both gradients on both backends. `every` strews NaN and infinities.
    fn check(&self, dtype: DType, biased: bool, every: Option<usize>) {
        let random = |shape: &[usize], seed| quarters(shape.iter().product(), seed);
        let strewn = |shape: &[usize], seed| match every {
            Some(every) => with_specials(random(shape, seed), every),
            None => random(shape, seed),
        };
        let (xs, ws, ys) = (self.x_shape(), self.weight_shape(), self.out_shape());
        let (x, grad) = (both(&strewn(&xs, 1), &xs, dtype), both(&strewn(&ys, 2), &ys, dtype));
        let (weight, finite) = (both(&random(&ws, 3), &ws, dtype), both(&random(&ys, 5), &ys, dtype));
        let bias = both(&random(&ws[..1], 4), &ws[..1], dtype);
        let (y, gx, gw) = (outputs(&ys, dtype), outputs(&xs, dtype), outputs(&ws, dtype));
        for i in BOTH {
            calls::Conv {
                x: &x[i],
                weight: &weight[i],
                bias: biased.then_some(&bias[i]),
                geometry: &self.g,
                out: &y[i],
            }
            .run()
            .unwrap();
            ConvInputGrad { grad: &grad[i], weight: &weight[i], geometry: &self.g, out: &gx[i] }.run().unwrap();
            ConvWeightGrad { x: &x[i], grad: &finite[i], geometry: &self.g, out: &gw[i] }.run().unwrap();
        }
        assert_same(&y);
        assert_same(&gx);
        assert_same(&gw);
    }
}

/// Per dimension: input, kernel, stride, padding, dilation.
fn lines(most: usize) -> impl Strategy<Value = [usize; 5]> {
    (1..=most, 1..=4usize, 1..=3usize, 0..=2usize, 1..=3usize).prop_map(|(n, k, s, p, d)| [n, k, s, p, d])
}

fn convs() -> impl Strategy<Value = Conv> {
    let channels = (prop_oneof![1..=5usize, 6..=20usize], prop_oneof![1..=4usize, 5..=40usize, 60..=140usize]);
    let sizes = (1..=3usize, prop_oneof![Just(1usize), 1..=4usize], 0..=3usize);
    (sizes, channels, [lines(5), lines(9), lines(14)]).prop_map(|((ndim, groups, batch), channels, mut lines)| {
        lines[..3 - ndim].fill([1, 1, 1, 0, 1]);
        let pick = |i: usize| lines.map(|line| line[i]);
        let g = ConvGeometry { ndim, stride: pick(2), padding: pick(3), dilation: pick(4), groups };
        Conv { g, batch, channels: [channels.0, channels.1], input: pick(0), kernel: pick(1) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_agree(conv in convs(), dtype in prop::sample::select(&FLOATS[..]), biased in any::<bool>()) {
        conv.check(dtype, biased, None);
    }

    #[test]
    fn convolutions_pass_nan_and_infinity_on(conv in convs(), every in 5usize..60) {
        conv.check(DType::F32, true, Some(every));
    }
}

/// Sizes that reach each tile, and sums that are split.
#[test]
fn large_convolutions_agree() {
    let square = |groups, batch, channels, input, kernel, stride, padding| {
        let [stride, kernel, input] = [stride, kernel, input].map(|n| [1, n, n]);
        let g = ConvGeometry { ndim: 2, stride, padding: [0, padding, padding], dilation: [1; 3], groups };
        Conv { g, batch, channels, input, kernel }
    };
    for conv in [
        square(1, 4, [1, 32], 28, 3, 1, 0),
        square(1, 2, [32, 64], 26, 3, 1, 1),
        square(1, 1, [130, 200], 12, 3, 2, 1),
        square(1, 1, [3, 16], 40, 7, 2, 3),
        square(24, 3, [1, 1], 20, 3, 1, 1),
        square(1, 2, [8, 6], 16, 2, 2, 0),
        square(1, 1, [5, 7], 30, 4, 16, 0),
        square(2, 3, [150, 140], 9, 1, 1, 0),
    ] {
        conv.check(DType::F32, true, None);
    }
}

/// Steps past the end of everything, where a single window fits.
#[test]
fn huge_steps_agree() {
    const HUGE: usize = 1 << 33;
    let g = ConvGeometry { ndim: 1, stride: [1, 1, HUGE], padding: [0, 0, 1], dilation: [1, 1, 2], groups: 1 };
    let conv = Conv { g, batch: 2, channels: [3, 5], input: [1, 1, 4], kernel: [1, 1, 3] };
    conv.check(DType::F32, false, None);
    let g = ConvGeometry { dilation: [1, 1, HUGE], padding: [0; 3], stride: [1, 1, 2], ..g };
    Conv { g, kernel: [1; 3], channels: [3, 2], ..conv }.check(DType::F32, false, None);
    let g =
        PoolGeometry { ndim: 3, kernel: [1, 3, 1], stride: [HUGE, 2, 1], padding: [0, 1, 0], dilation: [1, 1, HUGE] };
    Pool { planes: 2, g, input: [1, 5, 4], output: [1, 3, 4] }.check_max(DType::F32, 7);
}

#[test]
fn integer_convolutions_are_refused_as_on_the_cpu() {
    let g = ConvGeometry { ndim: 1, stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups: 1 };
    let [x, w, y] = [[1, 1, 3], [1, 1, 2], [1, 1, 2]].map(|shape| both(&vec![1.0; shape[2]], &shape, DType::I32));
    let run = |i: usize| {
        calls::Conv { x: &x[i], weight: &w[i], bias: None, geometry: &g, out: &y[i] }.run().map_err(|e| e.to_string())
    };
    assert_eq!(run(0), run(1));
    assert!(run(1).is_err());
}

/// A pooling: planes, geometry, input and output lengths.
#[derive(Clone, Debug)]
struct Pool {
    planes: usize,
    g: PoolGeometry,
    input: [usize; 3],
    output: [usize; 3],
}

impl Pool {
    fn shapes(&self) -> [[usize; 4]; 2] {
        [self.input, self.output].map(|[d, h, w]| [self.planes, d, h, w])
    }

    /// Runs max pooling and its gradient, with and without windows, on both backends.
    fn check_max(&self, dtype: DType, every: usize) {
        let [xs, ys] = self.shapes();
        let mut x = quarters(xs.iter().product(), 1);
        if dtype.is_floating_point() {
            x = with_specials(x, every);
        } else {
            x.iter_mut().for_each(|x| *x *= 20.0);
        }
        let x = both(&x, &xs, dtype);
        let (y, indices) = (outputs(&ys, dtype), outputs(&ys, DType::I64));
        for i in BOTH {
            MaxPool { src: &x[i], geometry: &self.g, out: &y[i], indices: &indices[i] }.run().unwrap();
        }
        assert_same(&y);
        assert_same(&indices);
        if !dtype.is_floating_point() {
            return;
        }
        let grad = both(&quarters(ys.iter().product(), 2), &ys, dtype);
        for windows in [Some(&self.g), None] {
            let gx = outputs(&xs, dtype);
            for i in BOTH {
                MaxPoolBackward { grad: &grad[i], indices: &indices[i], windows, out: &gx[i] }.run().unwrap();
            }
            assert_same(&gx);
        }
    }
}

/// Poolings that PyTorch allows: padding at most half a window, and windows past the end as with `ceil_mode`.
fn pools(dilated: bool) -> impl Strategy<Value = Pool> {
    let line = |most: usize| (1..=most, 1..=4usize, 1..=4usize, 0..=2usize, 1..=3usize, any::<bool>());
    (0..=3usize, [line(4), line(9), line(30)]).prop_map(move |(planes, lines)| {
        let lines = lines.map(|(input, kernel, stride, padding, dilation, ceil)| {
            let dilation = if dilated { dilation } else { 1 };
            let span = dilation * (kernel - 1) + 1;
            let padding = padding.min(kernel / 2);
            let input = input.max(span);
            let free = input + 2 * padding - span;
            let more = ceil && free % stride > 0 && (free / stride + 1) * stride < input + padding;
            [input, free / stride + 1 + usize::from(more), kernel, stride, padding, dilation]
        });
        let pick = |i: usize| lines.map(|line| line[i]);
        let g = PoolGeometry { ndim: 3, kernel: pick(2), stride: pick(3), padding: pick(4), dilation: pick(5) };
        Pool { planes, g, input: pick(0), output: pick(1) }
    })
}

const POOLED: [DType; 9] =
    [DType::F32, DType::F16, DType::BF16, DType::F64, DType::I64, DType::I32, DType::I16, DType::I8, DType::U8];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn max_pooling_agrees(pool in pools(true), dtype in prop::sample::select(&POOLED[..]), every in 3usize..50) {
        pool.check_max(dtype, every);
    }

    #[test]
    fn averages_agree(
        pool in pools(false),
        dtype in prop::sample::select(&FLOATS[..]),
        count_include_pad in any::<bool>(),
        divisor_override in prop::option::of(prop_oneof![Just(-3i64), 1i64..9, Just(1 << 40)]),
        every in 9usize..50,
    ) {
        let [xs, ys] = pool.shapes();
        let divisor = AvgPoolDivisor { count_include_pad, divisor_override };
        let x = both(&with_specials(quarters(xs.iter().product(), 1), every), &xs, dtype);
        let grad = both(&quarters(ys.iter().product(), 2), &ys, dtype);
        let (y, gx) = (outputs(&ys, dtype), outputs(&xs, dtype));
        for i in BOTH {
            AvgPool { src: &x[i], geometry: &pool.g, divisor, out: &y[i] }.run().unwrap();
            AvgPoolBackward { grad: &grad[i], geometry: &pool.g, divisor, out: &gx[i] }.run().unwrap();
        }
        assert_same(&y);
        assert_same(&gx);
    }

    #[test]
    fn adaptive_averages_agree(
        planes in 0..4usize,
        input in [1..6usize, 1..12, 1..40],
        output in [1..6usize, 1..12, 1..40],
        dtype in prop::sample::select(&FLOATS[..]),
    ) {
        let [xs, ys] = [input, output].map(|[d, h, w]| [planes, d, h, w]);
        let x = both(&quarters(xs.iter().product(), 1), &xs, dtype);
        let grad = both(&quarters(ys.iter().product(), 2), &ys, dtype);
        let (y, gx) = (outputs(&ys, dtype), outputs(&xs, dtype));
        for i in BOTH {
            AdaptiveAvgPool { src: &x[i], out: &y[i] }.run().unwrap();
            AdaptiveAvgPoolBackward { grad: &grad[i], out: &gx[i] }.run().unwrap();
        }
        assert_same(&y);
        assert_same(&gx);
    }

    #[test]
    fn resizing_agrees(
        planes in 0..4usize,
        input in [1..4usize, 1..9, 1..30],
        output in [1..4usize, 1..12, 1..60],
        factors in [0.3f64..4.0, 0.3f64..4.0, 0.3f64..4.0],
        from_factors in any::<bool>(),
        mode in 0..4usize,
        dtype in prop::sample::select(&FLOATS[..]),
    ) {
        let mode = [
            ResampleMode::Nearest,
            ResampleMode::NearestExact,
            ResampleMode::Linear { align_corners: false },
            ResampleMode::Linear { align_corners: true },
        ][mode];
        // Either the lengths give the scales, or the scales the lengths, rounded down.
        let resized = |d: usize| ((input[d] as f64 * factors[d]) as usize).max(1);
        let output = if from_factors { std::array::from_fn(resized) } else { output };
        let scales = if from_factors { factors } else { std::array::from_fn(|d| output[d] as f64 / input[d] as f64) };
        let [xs, ys] = [input, output].map(|[d, h, w]| [planes, d, h, w]);
        let x = both(&quarters(xs.iter().product(), 1), &xs, dtype);
        let grad = both(&quarters(ys.iter().product(), 2), &ys, dtype);
        let (y, gx) = (outputs(&ys, dtype), outputs(&xs, dtype));
        for i in BOTH {
            Resample { mode, scales, src: &x[i], out: &y[i] }.run().unwrap();
            ResampleBackward { mode, scales, grad: &grad[i], out: &gx[i] }.run().unwrap();
        }
        // A weight is off by the last place of its coordinate, up to 32 here: a driver may fuse the product that it comes from.
        agree(&y[0], &y[1], 10.0 * tolerance(dtype));
        agree(&gx[0], &gx[1], 10.0 * tolerance(dtype));
    }
}

/// Lengths whose products do not fit 32 bits.
#[test]
fn long_adaptive_windows_agree() {
    let (input, output) = ([1, 1, 1, 90_001], [1, 1, 1, 70_003]);
    for (xs, ys) in [(input, output), (output, input)] {
        let (x, grad) = (both(&quarters(xs[3], 1), &xs, DType::F32), both(&quarters(ys[3], 2), &ys, DType::F32));
        let (y, gx) = (outputs(&ys, DType::F32), outputs(&xs, DType::F32));
        for i in BOTH {
            AdaptiveAvgPool { src: &x[i], out: &y[i] }.run().unwrap();
            AdaptiveAvgPoolBackward { grad: &grad[i], out: &gx[i] }.run().unwrap();
        }
        assert_same(&y);
        assert_same(&gx);
    }
}

/// An infinite pixel whose weight is zero does not count.
#[test]
fn resizing_skips_infinite_pixels_without_weight() {
    let x = both(&[1.0, f64::INFINITY, 3.0, f64::NAN], &[1, 1, 1, 4], DType::F32);
    let y = outputs(&[1, 1, 1, 7], DType::F32);
    let mode = ResampleMode::Linear { align_corners: true };
    for i in BOTH {
        Resample { mode, scales: [1.0, 1.0, 1.75], src: &x[i], out: &y[i] }.run().unwrap();
    }
    assert_same(&y);
    assert_eq!(elements(&y[1])[0], 1.0);
    assert_eq!(elements(&y[1])[4], 3.0);
}

#[test]
fn dtypes_are_refused_as_on_the_cpu() {
    let x = both(&[1.0; 4], &[1, 1, 2, 2], DType::Bool);
    let (y, indices) = (outputs(&[1, 1, 1, 1], DType::Bool), outputs(&[1, 1, 1, 1], DType::I64));
    let g = PoolGeometry { ndim: 2, kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0; 3], dilation: [1; 3] };
    let divisor = AvgPoolDivisor { count_include_pad: true, divisor_override: None };
    let text = |result: Result<()>| result.unwrap_err().to_string();
    let errors = |i: usize| {
        let (x, y, indices) = (&x[i], &y[i], &indices[i]);
        [
            text(MaxPool { src: x, geometry: &g, out: y, indices }.run()),
            text(MaxPoolBackward { grad: y, indices, windows: Some(&g), out: x }.run()),
            text(AvgPool { src: x, geometry: &g, divisor, out: y }.run()),
            text(AvgPoolBackward { grad: y, geometry: &g, divisor, out: x }.run()),
            text(AdaptiveAvgPool { src: x, out: y }.run()),
            text(AdaptiveAvgPoolBackward { grad: y, out: x }.run()),
            text(Resample { mode: ResampleMode::Nearest, scales: [1.0, 0.5, 0.5], src: x, out: y }.run()),
            text(ResampleBackward { mode: ResampleMode::Nearest, scales: [1.0, 0.5, 0.5], grad: y, out: x }.run()),
        ]
    };
    assert_eq!(errors(0), errors(1));
}
