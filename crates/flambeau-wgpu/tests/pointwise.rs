//! Scalar functions, programs, copies and conversions against the CPU.

mod support;

use flambeau_cpu::CPU;
use flambeau_shaders::functions;
use flambeau_tensor::backend::PointwiseList;
use flambeau_tensor::calls::{CopyTo, Map, MapLists, PrimitiveCall};
use flambeau_tensor::pointwise::{BinaryOp, DTypeRule, Pointwise, UnaryOp};
use flambeau_tensor::{Array, Backend, DType, Scalar};
use flambeau_wgpu::WGPU;
use proptest::prelude::*;
use smallvec::SmallVec;
use std::sync::LazyLock;
use support::*;

const SPECIAL: [f64; 33] = [
    0.0,
    -0.0,
    0.25,
    -0.25,
    0.5,
    -0.5,
    0.9,
    1.0,
    -1.0,
    1.5,
    -1.5,
    2.0,
    -2.0,
    2.5,
    -2.5,
    3.0,
    -3.0,
    7.0,
    -7.0,
    10.25,
    -10.25,
    100.0,
    -100.0,
    1e30,
    -1e30,
    1e-30,
    -1e-30,
    1000.0,
    30000.5,
    -12345.678,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

fn numbers(dtype: DType) -> Vec<f64> {
    let fits = |x: &f64| match dtype {
        DType::Bool => *x == 0.0 || *x == 1.0,
        DType::U8 => x.fract() == 0.0 && (0.0..=255.0).contains(x),
        d if d.is_floating_point() => true,
        _ => x.fract() == 0.0 && x.abs() <= 100.0,
    };
    let mut numbers: Vec<f64> = SPECIAL.iter().copied().filter(fits).collect();
    if dtype.is_floating_point() {
        numbers.extend((0..200).map(|i| (f64::from(i) - 100.0) * 0.137));
    }
    numbers
}

/// Every function in every dtype, or refused in the same words.
#[test]
fn every_unary_function_is_the_cpus() {
    let mut cases = 0;
    for op in UnaryOp::ALL {
        let program = Pointwise::new(|b| b.input(0).unary(op));
        for dtype in DType::ALL.into_iter().filter(|&d| functions::unary(op, d).is_some()) {
            let values = numbers(dtype);
            let x = Pair::new(from_f64(&values, &[values.len()], dtype));
            let out = zeros(x.cpu.shape(), dtype);
            let cpu =
                Map { program: &program, compute: dtype, inputs: &[&x.cpu], scalars: &[], outs: &[&out.cpu] }.run();
            let gpu =
                Map { program: &program, compute: dtype, inputs: &[&x.gpu], scalars: &[], outs: &[&out.gpu] }.run();
            if both(cpu, gpu).is_some() {
                cases += 1;
                let (a, b) = (elements(&out.cpu), elements(&out.gpu));
                for ((x, a), b) in elements(&x.cpu).iter().zip(a).zip(b) {
                    assert!(
                        close(a, b, 4.0 * tolerance(dtype)),
                        "{op:?}({x}) in {dtype}: {a} on the CPU, {b} on the GPU"
                    );
                }
            }
        }
    }
    // All in the four float dtypes but the bits' one; the integer ones in the six others.
    let integer = UnaryOp::ALL.iter().filter(|op| op.dtype_rule() != DTypeRule::Float).count();
    assert_eq!(cases, (UnaryOp::ALL.len() - 1) * 4 + integer * 6);
    println!("pointwise: {cases} unary functions x dtypes");
}

#[test]
fn every_binary_function_is_the_cpus() {
    let mut cases = 0;
    for op in BinaryOp::ALL {
        let program = Pointwise::new(|b| b.input(0).binary(op, b.input(1)));
        for dtype in DType::ALL.into_iter().filter(|&d| functions::binary(op, d).is_some()) {
            let values: Vec<f64> = numbers(dtype).into_iter().take(33).collect();
            // The CPU refuses integers divided by zero; a GPU cannot look.
            let divides = matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Remainder | BinaryOp::Fmod);
            let right: Vec<f64> = match divides && !dtype.is_floating_point() {
                true => values.iter().copied().filter(|x| *x != 0.0).collect(),
                false => values.clone(),
            };
            let (n, m) = (values.len(), right.len());
            let x = Pair::new(from_f64(&values, &[n, 1], dtype)).view(|a| a.broadcast_to(&[n, m]).unwrap());
            let y = Pair::new(from_f64(&right, &[1, m], dtype)).view(|a| a.broadcast_to(&[n, m]).unwrap());
            let out = zeros(&[n, m], dtype);
            let cpu =
                Map { program: &program, compute: dtype, inputs: &[&x.cpu, &y.cpu], scalars: &[], outs: &[&out.cpu] }
                    .run();
            let gpu =
                Map { program: &program, compute: dtype, inputs: &[&x.gpu, &y.gpu], scalars: &[], outs: &[&out.gpu] }
                    .run();
            if both(cpu, gpu).is_some() {
                cases += 1;
                let (xs, ys) = (elements(&x.cpu), elements(&y.cpu));
                for (i, (a, b)) in elements(&out.cpu).into_iter().zip(elements(&out.gpu)).enumerate() {
                    let same = close(a, b, 4.0 * tolerance(dtype));
                    assert!(same, "{op:?}({}, {}) in {dtype}: {a} on the CPU, {b} on the GPU", xs[i], ys[i]);
                }
            }
        }
    }
    assert_eq!(cases, (BinaryOp::ALL.len() - 3) * 4 + (BinaryOp::ALL.len() - 1) * 6);
    println!("pointwise: {cases} binary functions x dtypes");
}

/// Sixteen parameters in one call.
#[test]
fn an_optimizer_step_is_few_launches() {
    let program = Pointwise::new(|b| b.input(0) - b.input(1) * b.scalar(0));
    let draw = &mut Draw::new(2);
    let pairs: Vec<(Pair, Pair)> =
        (1..=16).map(|n| (dense(draw, &[n, 3], DType::F32), dense(draw, &[n, 3], DType::F32))).collect();
    let list = |x: &Array, y: &Array| PointwiseList {
        inputs: SmallVec::from_iter([x.clone(), y.clone()]),
        outs: SmallVec::from_iter([x.clone()]),
    };
    let gpu: Vec<_> = pairs.iter().map(|(x, y)| list(&x.gpu, &y.gpu)).collect();
    let before = elements(&pairs[15].0.cpu);
    MapLists { program: &program, compute: DType::F32, lists: &gpu, scalars: &[Scalar::Float(0.5)] }.run().unwrap();
    let expected: Vec<f64> = before.iter().zip(elements(&pairs[15].1.cpu)).map(|(x, y)| x - 0.5 * y).collect();
    assert_eq!(elements(&pairs[15].0.gpu), expected);
}

#[test]
fn conversions_are_the_cpus() {
    for from in DType::ALL {
        for to in DType::ALL {
            let mut values = numbers(from);
            if from.is_floating_point() {
                values.extend([255.9, 256.0, -1.9, 3e9, -3e9, 1e19, 65504.0, 65520.0, 1.00048828125, 1.0014648, 6e-8]);
            }
            let x = Pair::new(from_f64(&values, &[values.len()], from));
            let out = zeros(&[values.len()], to);
            CopyTo { src: &x.cpu, out: &out.cpu }.run().unwrap();
            launches(|| CopyTo { src: &x.gpu, out: &out.gpu }.run()).unwrap();
            let (a, b) = (elements(&out.cpu), elements(&out.gpu));
            for ((x, a), b) in elements(&x.cpu).iter().zip(a).zip(b) {
                assert!(close(a, b, 0.0), "{x} from {from} to {to}: {a} on the CPU, {b} on the GPU");
            }
        }
    }
}

#[test]
fn large_integers_keep_all_their_bits() {
    let values = [i64::MAX, i64::MIN, -1, 1 << 40, (1 << 53) + 1, -(1 << 33) - 7];
    let x = Pair::new(Array::from_slice(&CPU, flambeau_tensor::Device::Cpu, &values, &[6]).unwrap());
    let program = Pointwise::new(|b| b.input(0) + b.scalar(0) * b.input(0) - b.constant(9_007_199_254_740_993_i64));
    let out = zeros(&[6], DType::I64);
    let scalars = [Scalar::Int(3_000_000_000_001)];
    Map { program: &program, compute: DType::I64, inputs: &[&x.cpu], scalars: &scalars, outs: &[&out.cpu] }
        .run()
        .unwrap();
    Map { program: &program, compute: DType::I64, inputs: &[&x.gpu], scalars: &scalars, outs: &[&out.gpu] }
        .run()
        .unwrap();
    out.agree(0.0);
    for dtype in [DType::I32, DType::U8, DType::Bool] {
        let out = zeros(&[6], dtype);
        CopyTo { src: &x.cpu, out: &out.cpu }.run().unwrap();
        CopyTo { src: &x.gpu, out: &out.gpu }.run().unwrap();
        out.agree(0.0);
    }
}

/// What a driver makes of the same shaders on another processor.
#[test]
fn functions_are_the_cpus_under_other_code_generation() {
    let ways = [("LP_NATIVE_VECTOR_WIDTH", "512"), ("GALLIUM_OVERRIDE_CPU_CAPS", "avx")];
    under_other_code_generation(&ways, &["every_unary_function_is_the_cpus", "conversions_are_the_cpus"]);
}

static FORMULA: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| {
        let (x, y, s) = (b.input(0), b.input(1), b.scalar(0));
        let sum = x * s + y;
        vec![x.gt(y).select(sum, x - y), sum]
    })
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any views in, any views out, dtypes mixed; what lies around the outputs survives.
    #[test]
    fn programs_run_on_any_view(shape in shapes(), types in (dtypes(), dtypes(), dtypes()), seed: u64) {
        let draw = &mut Draw::new(seed);
        let compute = types.0;
        let x = strided(draw, &shape, types.0, true);
        let y = strided(draw, &shape, types.1, true);
        let (out, second) = (strided(draw, &shape, types.2, false), strided(draw, &shape, compute, false));
        let scalars = [Scalar::Int(2)];
        let cpu = Map { program: &FORMULA, compute, inputs: &[&x.cpu, &y.cpu], scalars: &scalars, outs: &[&out.cpu, &second.cpu] }.run();
        let gpu = Map { program: &FORMULA, compute, inputs: &[&x.gpu, &y.gpu], scalars: &scalars, outs: &[&out.gpu, &second.gpu] }.run();
        if both(cpu, gpu).is_some() {
            out.agree(tolerance(compute).max(tolerance(types.2)));
            second.agree(tolerance(compute));
        }
    }

    #[test]
    fn copies_between_any_views(shape in shapes(), types in (dtypes(), dtypes()), seed: u64) {
        let draw = &mut Draw::new(seed);
        let src = strided_of(draw, &shape, types.0, true, wild);
        let out = strided(draw, &shape, types.1, false);
        CopyTo { src: &src.cpu, out: &out.cpu }.run().unwrap();
        CopyTo { src: &src.gpu, out: &out.gpu }.run().unwrap();
        out.agree(0.0);
    }

    /// In place, and between views of one memory that do not overlap.
    #[test]
    fn views_of_one_memory(n in 1usize..300, dtype in dtypes(), seed: u64) {
        let draw = &mut Draw::new(seed);
        let base = dense(draw, &[2 * n + 3], dtype);
        let (first, second) = (
            base.view(|a| a.slice(0, Some(1), Some(1 + n as i64), 1).unwrap()),
            base.view(|a| a.slice(0, Some(1 + n as i64), Some(1 + 2 * n as i64), 1).unwrap()),
        );
        let program = Pointwise::new(|b| b.input(0).maximum(b.input(1)));
        Map { program: &program, compute: dtype, inputs: &[&first.cpu, &second.cpu], scalars: &[], outs: &[&first.cpu] }.run().unwrap();
        Map { program: &program, compute: dtype, inputs: &[&first.gpu, &second.gpu], scalars: &[], outs: &[&first.gpu] }.run().unwrap();
        base.agree(0.0);
        CopyTo { src: &first.cpu, out: &second.cpu }.run().unwrap();
        CopyTo { src: &first.gpu, out: &second.gpu }.run().unwrap();
        base.agree(0.0);
    }

    /// A program over lists of arrays, some of which share a view with their output, is the program over each.
    #[test]
    fn lists_are_their_members(
        shapes in prop::collection::vec(shapes(), 1..30), dtype in dtypes(), apart: bool, seed: u64,
    ) {
        let draw = &mut Draw::new(seed);
        let program = Pointwise::with_outputs(|b| {
            let (x, y) = (b.input(0), b.input(1));
            vec![x + y * b.scalar(0), x.maximum(y)]
        });
        let scalars = [Scalar::Int(3)];
        let mut pairs = Vec::new();
        for shape in shapes.iter().filter(|s| !s.contains(&0)) {
            // Now and then a list that is not dense, which runs by itself.
            let fill = |draw: &mut Draw| match draw.below(5) {
                0 => strided(draw, shape, dtype, false),
                _ => dense(draw, shape, dtype),
            };
            let (x, y) = (fill(draw), fill(draw));
            let out = if apart { fill(draw) } else { x.clone() };
            pairs.push((x, y, out, fill(draw)));
        }
        prop_assume!(!pairs.is_empty());
        let list = |x: &Array, y: &Array, a: &Array, b: &Array| PointwiseList {
            inputs: SmallVec::from_iter([x.clone(), y.clone()]),
            outs: SmallVec::from_iter([a.clone(), b.clone()]),
        };
        let cpu: Vec<_> = pairs.iter().map(|(x, y, a, b)| list(&x.cpu, &y.cpu, &a.cpu, &b.cpu)).collect();
        let gpu: Vec<_> = pairs.iter().map(|(x, y, a, b)| list(&x.gpu, &y.gpu, &a.gpu, &b.gpu)).collect();
        MapLists { program: &program, compute: dtype, lists: &cpu, scalars: &scalars }.run().unwrap();
        MapLists { program: &program, compute: dtype, lists: &gpu, scalars: &scalars }.run().unwrap();
        for (_, _, a, b) in &pairs {
            a.agree(tolerance(dtype));
            b.agree(tolerance(dtype));
        }
    }

    /// Parts of an array written from the host, at any offset.
    #[test]
    fn uploads_and_downloads_touch_only_their_part(
        n in 1usize..50, start in 0usize..5, rest in 0usize..5, dtype in dtypes(), seed: u64,
    ) {
        let draw = &mut Draw::new(seed);
        let base = dense(draw, &[start + n + rest], dtype);
        let part = base.view(|a| a.slice(0, Some(start as i64), Some((start + n) as i64), 1).unwrap());
        let new = dense(draw, &[n], dtype).cpu;
        let mut bytes = vec![0; n * dtype.size()];
        CPU.download(&new, &mut bytes).unwrap();
        CPU.upload(&bytes, &part.cpu).unwrap();
        WGPU.upload(&bytes, &part.gpu).unwrap();
        base.agree(0.0);
        let mut back = vec![0; n * dtype.size()];
        WGPU.download(&part.gpu, &mut back).unwrap();
        prop_assert_eq!(bytes, back);
    }
}
