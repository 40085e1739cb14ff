//! Holds every fill against `goldens/random.txt`, which `goldens/make_random.py` made with PyTorch 2.15.

use super::element::{Limits, Real};
use super::*;
use half::{bf16, f16};
use std::str::FromStr;

/// One line of the file.
struct Case<'a> {
    line: &'a str,
    op: &'a str,
    dtype: &'a str,
    n: usize,
    args: Vec<&'a str>,
    result: &'a str,
    generator: Generator,
}

impl<'a> Case<'a> {
    fn parse(line: &'a str) -> (Self, u64) {
        let (left, right) = line.split_once(" = ").unwrap();
        let mut left = left.split(' ');
        let mut field = || left.next().unwrap();
        let (op, dtype) = (field(), field());
        let generator = Generator::new().manual_seed(field().parse().unwrap());
        let n = field().parse().unwrap();
        let (result, next) = right.split_once(' ').unwrap();
        (Self { line, op, dtype, n, args: left.collect(), result, generator }, u64::from_str_radix(next, 16).unwrap())
    }

    fn arg<T: FromStr>(&self, i: usize) -> T {
        self.args[i].parse().unwrap_or_else(|_| panic!("argument {i} of {}", self.line))
    }

    fn expect<T: RandomElement>(&self, out: &[T], bytes: impl Fn(T) -> Vec<u8>) {
        if self.result.len() == 16 && !self.result.contains('.') {
            assert_eq!(fnv(out.iter().flat_map(|&x| bytes(x))), self.result, "{}", self.line);
            return;
        }
        let values: Vec<f64> = self.result.split(',').filter(|v| *v != "-").map(|v| v.parse().unwrap()).collect();
        assert_eq!(out.len(), values.len(), "{}", self.line);
        // One unit in the last place for halves, the promised 1e-6 for the rest.
        let tolerance = match T::DTYPE.size() {
            2 => 2.0_f64.powi(1 - Limits::of(T::DTYPE).digits as i32),
            _ => 1e-6,
        };
        for (x, y) in out.iter().zip(values) {
            let x = x.to_scalar().to_f64();
            assert!((x - y).abs() <= tolerance * y.abs().max(1e-2), "{x} for {y} in {}", self.line);
        }
    }

    fn run_float<T: RandomFloat>(&self, bytes: impl Fn(T) -> Vec<u8>) {
        let mut out = vec![T::default(); self.n];
        let g = &self.generator;
        match self.op {
            "uniform" => uniform_(g, &mut out, self.arg(0), self.arg(1)).unwrap(),
            "normal" => normal_(g, &mut out, self.arg(0), self.arg(1)).unwrap(),
            "normal_serial" => normal_serial_(g, &mut out, self.arg(0), self.arg(1)).unwrap(),
            "exponential" => exponential_(g, &mut out, self.arg(0)).unwrap(),
            "multinomial" => return self.run_multinomial::<T>(),
            _ => return self.run(bytes),
        }
        self.expect(&out, bytes);
    }

    fn run<T: RandomElement>(&self, bytes: impl Fn(T) -> Vec<u8>) {
        let mut out = vec![T::default(); self.n];
        let g = &self.generator;
        match self.op {
            "random" => random_(g, &mut out),
            "randint" => random_from_to_(g, &mut out, self.arg(0), self.args[1].parse().ok()).unwrap(),
            "randperm" => randperm(g, &mut out).unwrap(),
            "bernoulli" | "dropout" => bernoulli_(g, &mut out, self.arg(0)).unwrap(),
            "bernoulli_p" => match self.args[0] {
                "float32" => bernoulli_p(g, &mut out, &self.probabilities::<f32>()).unwrap(),
                "float64" => bernoulli_p(g, &mut out, &self.probabilities::<f64>()).unwrap(),
                "float16" => bernoulli_p(g, &mut out, &self.probabilities::<f16>()).unwrap(),
                _ => bernoulli_p(g, &mut out, &self.probabilities::<bf16>()).unwrap(),
            },
            op => panic!("no such op: {op}"),
        }
        self.expect(&out, bytes);
    }

    fn probabilities<P: RandomFloat>(&self) -> Vec<P> {
        (0..self.n).map(|i| P::from_real(P::Real::from_f64(i as f64 / self.n as f64))).collect()
    }

    fn run_multinomial<T: RandomFloat>(&self) {
        let categories: usize = self.arg(0);
        let weights: Vec<T> = (0..2 * categories).map(|i| T::from_real(T::Real::from_f64(weight(i)))).collect();
        let mut out = vec![0_i64; 2 * self.n];
        multinomial(&self.generator, &weights, categories, &mut out).unwrap();
        self.expect(&out, |x| x.to_le_bytes().to_vec());
    }
}

/// The weights of make_random.py, computed there in f32.
fn weight(i: usize) -> f64 {
    f64::from((i * 7 % 5) as f32 + (i % 3) as f32 * 0.37 + 0.1)
}

fn fnv(bytes: impl Iterator<Item = u8>) -> String {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

#[test]
fn every_fill_equals_pytorch_and_leaves_the_stream_in_step() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/random.txt")).unwrap();
    let mut states = None;
    let mut count = 0;
    for line in text.lines() {
        let (mut case, next) = Case::parse(line);
        if case.op == "state" {
            if case.n == 0 {
                let mut three = [0.0_f32; 3];
                normal_(&case.generator, &mut three, 0.0, 1.0).unwrap();
                states = Some(case.generator.clone());
            }
            case.generator = states.clone().unwrap();
            uniform_(&case.generator, &mut vec![0.0_f32; case.n], 0.0, 1.0).unwrap();
            case.expect(&case.generator.get_state(), |x| vec![x]);
        } else {
            match case.dtype {
                "bool" => case.run::<bool>(|x| vec![u8::from(x)]),
                "uint8" => case.run::<u8>(|x| vec![x]),
                "int8" => case.run::<i8>(|x| x.to_le_bytes().to_vec()),
                "int16" => case.run::<i16>(|x| x.to_le_bytes().to_vec()),
                "int32" => case.run::<i32>(|x| x.to_le_bytes().to_vec()),
                "int64" => case.run::<i64>(|x| x.to_le_bytes().to_vec()),
                "float16" => case.run_float::<f16>(|x| x.to_le_bytes().to_vec()),
                "bfloat16" => case.run_float::<bf16>(|x| x.to_le_bytes().to_vec()),
                "float32" => case.run_float::<f32>(|x| x.to_le_bytes().to_vec()),
                "float64" => case.run_float::<f64>(|x| x.to_le_bytes().to_vec()),
                dtype => panic!("no such dtype: {dtype}"),
            }
        }
        assert_eq!(case.generator.lock().random64(), next, "the draw after {line}");
        count += 1;
    }
    assert!(count > 1000, "{count} goldens");
    println!("goldens: {count} random fills");
}
