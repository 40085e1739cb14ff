//! Random fills on the GPU: the generator against its definition, and the distributions' moments and ranges.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::calls::{PrimitiveCall, Random};
use flambeau_tensor::random::Generator;
use flambeau_tensor::{Array, DType, Device};
use flambeau_wgpu::WGPU;
use proptest::prelude::*;
use support::*;

const FLOATS: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];

/// Philox4x32-10, as the paper defines it.
fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let (a, b) = (0xd251_1f53 * u64::from(c[0]), 0xcd9e_8d57 * u64::from(c[2]));
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// The stream of a seed from block `offset` on, as 64-bit numbers.
fn stream(seed: u64, offset: u64, n: usize) -> Vec<u64> {
    let words = |x: u64| [x as u32, (x >> 32) as u32];
    (0..n.div_ceil(2) as u64)
        .flat_map(|i| {
            let [c0, c1] = words(offset.wrapping_add(i));
            let [a, b, c, d] = philox([c0, c1, 0, 0], words(seed)).map(u64::from);
            [a | b << 32, c | d << 32]
        })
        .take(n)
        .collect()
}

/// `n` samples as f64, and a generator that has gone on.
fn sample(g: &Generator, distribution: Distribution, dtype: DType, n: usize) -> Vec<f64> {
    let out = Array::empty(&WGPU, GPU, &[n], dtype).unwrap();
    Random { distribution, generator: g, out: &out }.run().unwrap();
    elements(&out)
}

fn seeded(seed: u64) -> Generator {
    Generator::new().manual_seed(seed)
}

fn moments(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (mean, (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// The vectors that the authors' Random123 comes with.
#[test]
fn known_answers() {
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
}

proptest! {
    /// From i64::MIN on, a range of 2⁶⁴ − 1 maps a draw to itself less one (0 to itself).
    #[test]
    fn the_gpu_counts_as_the_paper_does(seed: u64, offset: u64, n in 1usize..300) {
        let g = seeded(seed);
        g.philox(offset);
        let out = Array::empty(&WGPU, GPU, &[n], DType::I64).unwrap();
        Random { distribution: Distribution::Integers { from: i64::MIN, to: i64::MAX }, generator: &g, out: &out }.run().unwrap();
        // The last value is left out, so the range is one less than i64 has.
        let scaled = |draw: u64| ((u128::from(draw) * u128::from(u64::MAX)) >> 64) as u64;
        let expected: Vec<i64> =
            stream(seed, offset, n).into_iter().map(|draw| (scaled(draw) as i64).wrapping_add(i64::MIN)).collect();
        prop_assert_eq!(out.to_vec::<i64>().unwrap(), expected);
    }

    #[test]
    fn integers_stay_in_range(seed: u64, from in any::<i32>(), length in 1u32.., dtype in dtypes()) {
        let (from, to) = match dtype {
            DType::Bool => (0, 2),
            DType::U8 => (i64::from(from as u8), 256),
            DType::I8 => (i64::from(from as i8), 128),
            DType::I16 => (i64::from(from as i16), 32768),
            DType::F16 | DType::BF16 => (i64::from(from as i8), i64::from(from as i8) + 1 + i64::from(length % 60)),
            DType::F32 => (i64::from(from), i64::from(from) + 2000 + i64::from(length)),
            DType::I32 => (i64::from(from), i64::from(i32::MAX) + 1),
            DType::I64 | DType::F64 => (i64::from(from) << 20, (i64::from(from) << 20) + i64::from(length) * 1000),
        };
        prop_assume!(from < to);
        let x = sample(&seeded(seed), Distribution::Integers { from, to }, dtype, 200);
        let inside = x.iter().all(|&x| x.fract() == 0.0 && (from as f64..to as f64).contains(&x));
        prop_assert!(inside, "{from}..{to}: {x:?}");
    }

    #[test]
    fn uniforms_stay_in_range(seed: u64, from in -9f64..9.0, length in 0f64..9.0, k in 0..4usize) {
        let x = sample(&seeded(seed), Distribution::Uniform { from, to: from + length }, FLOATS[k], 200);
        let bounds = from_f64(&[from, from + length], &[2], FLOATS[k]);
        let [low, high] = elements(&bounds)[..] else { unreachable!("two bounds") };
        prop_assert!(x.iter().all(|&x| low <= x && (x < high || low == high)), "{low}..{high}: {x:?}");
    }

    /// Elements do not depend on how many there are, and neither seeds nor calls repeat one another.
    #[test]
    fn a_seed_repeats_its_stream(seed: u64, n in 1usize..500, more in 0usize..300, dtype in dtypes()) {
        let ranges = [Distribution::FullRange, Distribution::Bernoulli { p: 0.3 }];
        let spreads = [Distribution::Uniform { from: -1.0, to: 1.0 }, Distribution::Normal { mean: 1.0, std: 2.0 }];
        let floating = dtype.is_floating_point().then_some(spreads).into_iter().flatten();
        for d in ranges.into_iter().chain(floating) {
            let g = seeded(seed);
            let first = sample(&g, d, dtype, n);
            let second = sample(&g, d, dtype, n);
            prop_assert_eq!(&sample(&g.manual_seed(seed), d, dtype, n), &first);
            prop_assert_eq!(&sample(&g, d, dtype, n), &second);
            prop_assert_eq!(&sample(&seeded(seed), d, dtype, n + more)[..n], &first[..]);
            if n > 64 {
                prop_assert_ne!(&first, &second);
                prop_assert_ne!(&first, &sample(&seeded(seed ^ 1 << 40), d, dtype, n));
            }
        }
    }
}

/// Samples follow from the stream by the formulas of Box and Muller and of the exponential's quantiles.
#[test]
fn samples_follow_from_the_stream() {
    let n = 5000;
    let draws = stream(9, 0, n);
    let words: Vec<f64> = draws.iter().flat_map(|d| [*d as u32, (d >> 32) as u32]).map(f64::from).collect();
    let unit = 2f64.powi(-32);
    let pair = |logarithm: f64, turns: f64| {
        let (radius, angle) = ((-2.0 * logarithm).sqrt(), std::f64::consts::TAU * turns);
        [radius * angle.cos(), radius * angle.sin()]
    };
    let normal: Vec<f64> = words.chunks(2).flat_map(|w| pair((-(w[0] + 0.5) * unit).ln_1p(), w[1] * unit)).collect();
    let got = sample(&seeded(9), Distribution::Normal { mean: 0.0, std: 1.0 }, DType::F32, n);
    assert!(normal.iter().zip(&got).all(|(a, b)| close(*a, *b, 2e-6)), "{:?} {:?}", &normal[..4], &got[..4]);
    let wide: Vec<f64> =
        draws.chunks(2).flat_map(|d| pair((d[0] as f64 * 2f64.powi(-64)).ln(), d[1] as f64 * 2f64.powi(-64))).collect();
    let got = sample(&seeded(9), Distribution::Normal { mean: 0.0, std: 1.0 }, DType::F64, n);
    assert!(wide.iter().zip(&got).all(|(a, b)| close(*a, *b, 1e-13)), "{:?} {:?}", &wide[..4], &got[..4]);
    let got = sample(&seeded(9), Distribution::Exponential { rate: 0.5 }, DType::F32, n);
    let exponential = words.iter().map(|w| -2.0 * (-(w + 0.5) * unit).ln_1p());
    assert!(exponential.zip(&got).all(|(a, b)| (a - b).abs() <= 1e-6 * a));
}

#[test]
fn moments_are_those_of_the_distributions() {
    let n = 100_000;
    let g = seeded(1);
    for dtype in FLOATS {
        let near = |distribution, mean: f64, std: f64| {
            let x = sample(&g, distribution, dtype, n);
            assert!(x.iter().all(|x| x.is_finite()));
            let (m, s) = moments(&x);
            assert!((m - mean).abs() < 0.02 * std && (s - std).abs() < 0.02 * std, "{distribution:?} {dtype}: {m} {s}");
            x
        };
        near(Distribution::Uniform { from: -2.0, to: 4.0 }, 1.0, 3f64.sqrt());
        let x = near(Distribution::Normal { mean: -3.0, std: 2.0 }, -3.0, 2.0);
        let far = x.iter().filter(|x| (**x + 3.0).abs() > 4.0).count() as f64 / n as f64;
        assert!((far - 0.0455).abs() < 0.006, "{far} lie beyond two deviations");
        near(Distribution::Exponential { rate: 0.5 }, 2.0, 2.0);
        near(Distribution::Bernoulli { p: 0.2 }, 0.2, 0.4);
        near(Distribution::Integers { from: -3, to: 5 }, 0.5, 63f64.sqrt() / 12f64.sqrt());
    }
    for dtype in [DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64] {
        let (mean, _) = moments(&sample(&g, Distribution::Bernoulli { p: 0.7 }, dtype, n));
        assert!((mean - 0.7).abs() < 0.01, "{dtype}: {mean}");
        let half = match dtype {
            DType::Bool => 0.5,
            DType::U8 => 127.5,
            d => 2f64.powi(8 * d.size() as i32 - 2),
        };
        let (mean, _) = moments(&sample(&g, Distribution::FullRange, dtype, n));
        assert!((mean / half - 1.0).abs() < 0.02, "{dtype}: {mean}");
    }
}

#[test]
fn certain_truth_values_are_certain() {
    for dtype in DType::ALL {
        for p in [0.0, 1.0] {
            let x = sample(&seeded(2), Distribution::Bernoulli { p }, dtype, 1000);
            assert!(x.iter().all(|&x| x == p));
        }
    }
}

/// The CPU refuses the same requests, in the same words.
#[test]
fn refusals_are_those_of_the_cpu() {
    let requests = [
        Distribution::Uniform { from: 1.0, to: 0.0 },
        Distribution::Uniform { from: 0.0, to: 1.0 },
        Distribution::Normal { mean: 0.0, std: -1.0 },
        Distribution::Bernoulli { p: 1.5 },
        Distribution::Integers { from: 3, to: 3 },
        Distribution::Integers { from: 0, to: 1 << 40 },
        Distribution::Exponential { rate: 0.0 },
        Distribution::FullRange,
    ];
    let mut refused = 0;
    for dtype in DType::ALL {
        for d in requests {
            let cpu = Array::empty(&CPU, Device::Cpu, &[20], dtype).unwrap();
            let gpu = Array::empty(&WGPU, GPU, &[20], dtype).unwrap();
            refused += usize::from(
                both(
                    Random { distribution: d, generator: &seeded(0), out: &cpu }.run(),
                    Random { distribution: d, generator: &seeded(0), out: &gpu }.run(),
                )
                .is_none(),
            );
        }
    }
    assert!(refused > 30, "{refused}");
}

/// More workgroups than one dimension has room for, and a view that does not start at 0.
#[test]
fn long_fills_and_offsets() {
    let n = 18_000_000;
    let x = sample(&seeded(3), Distribution::Bernoulli { p: 0.5 }, DType::U8, n);
    let (mean, _) = moments(&x[n - 100_000..]);
    assert!((mean - 0.5).abs() < 0.01, "{mean}");
    for dtype in DType::ALL {
        let pair = zeros(&[50], dtype);
        let part = pair.gpu.narrow(0, 7, 11).unwrap();
        Random { distribution: Distribution::Bernoulli { p: 1.0 }, generator: &seeded(4), out: &part }.run().unwrap();
        let expected: Vec<f64> = (0..50).map(|i| f64::from(u8::from((7..18).contains(&i)))).collect();
        assert_eq!(elements(&pair.gpu), expected);
    }
}
