//! Operations along a dimension against the CPU: arg_reduce, scan, sort, softmax, the loss of classes.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::{ClassTargets, Extremum, LossReduction, ScanOp};
use flambeau_tensor::calls::{ArgReduce, Nll, NllBackward, PrimitiveCall, Scan, Softmax, SoftmaxBackward, Sort};
use flambeau_tensor::{Array, DType, Device};
use proptest::prelude::*;
use support::*;

/// A shape without zero lengths, a dimension of it (0 where it has none), and a seed.
fn cases() -> impl Strategy<Value = (Vec<usize>, usize, u64)> {
    (shapes(), any::<usize>(), any::<u64>()).prop_map(|(shape, d, seed)| {
        let shape: Vec<usize> = shape.into_iter().map(|n| n.max(1)).collect();
        let d = d % shape.len().max(1);
        (shape, d, seed)
    })
}

fn with_length(shape: &[usize], dim: usize, n: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(length) = shape.get_mut(dim) {
        *length = n;
    }
    shape
}

fn which(max: bool) -> Extremum {
    if max { Extremum::Max } else { Extremum::Min }
}

/// Numbers whose long products stay in range.
fn mild(draw: &mut Draw, shape: &[usize], dtype: DType) -> Pair {
    let n: usize = shape.iter().product();
    let choices = if dtype.is_floating_point() { [1.0, -1.25, 0.75, 1.0] } else { [1.0, 2.0, 3.0, 1.0] };
    let numbers: Vec<f64> = (0..n).map(|_| choices[draw.below(4)]).collect();
    Pair::new(from_f64(&numbers, shape, dtype))
}

fn check_arg_reduce(a: &Pair, dim: usize, max: bool, with_values: bool) {
    let kept = with_length(a.cpu.shape(), dim, 1);
    let (values, indices) = (zeros(&kept, a.cpu.dtype()), zeros(&kept, DType::I64));
    ArgReduce {
        which: which(max),
        src: &a.cpu,
        dim,
        values: with_values.then_some(&values.cpu),
        indices: &indices.cpu,
    }
    .run()
    .unwrap();
    launches(|| {
        ArgReduce {
            which: which(max),
            src: &a.gpu,
            dim,
            values: with_values.then_some(&values.gpu),
            indices: &indices.gpu,
        }
        .run()
    })
    .unwrap();
    values.agree(0.0);
    indices.agree(0.0);
}

fn check_sort(a: &Pair, dim: usize, max: bool, k: usize) {
    let kept = with_length(a.cpu.shape(), dim, k);
    let (values, indices) = (zeros(&kept, a.cpu.dtype()), zeros(&kept, DType::I64));
    Sort { first: which(max), src: &a.cpu, dim, values: &values.cpu, indices: &indices.cpu }.run().unwrap();
    launches(|| Sort { first: which(max), src: &a.gpu, dim, values: &values.gpu, indices: &indices.gpu }.run())
        .unwrap();
    values.agree(0.0);
    indices.agree(0.0);
}

fn check_scan(a: &Pair, dim: usize, op: ScanOp, to: DType) {
    let out = zeros(a.cpu.shape(), to);
    Scan { op, src: &a.cpu, dim, out: &out.cpu }.run().unwrap();
    launches(|| Scan { op, src: &a.gpu, dim, out: &out.gpu }.run()).unwrap();
    let n = a.cpu.shape().get(dim).copied().unwrap_or(1) as f64;
    // Each step of the CPU and each level of the GPU's tree rounds.
    out.agree(tolerance(to) * if op == ScanOp::Prod { n.sqrt() } else { 1.0 });
}

fn check_softmax(a: &Pair, dim: usize, log: bool) {
    let out = zeros(a.cpu.shape(), a.cpu.dtype());
    let cpu = Softmax { src: &a.cpu, dim, log, out: &out.cpu }.run();
    if both(cpu, Softmax { src: &a.gpu, dim, log, out: &out.gpu }.run()).is_some() {
        out.agree(tolerance(a.cpu.dtype()));
    }
}

proptest! {
    #[test]
    fn arg_reduce_is_the_cpus((shape, dim, seed) in cases(), dtype in dtypes(), max: bool, with_values: bool) {
        let a = strided_of(&mut Draw::new(seed), &shape, dtype, true, wild);
        check_arg_reduce(&a, dim, max, with_values);
    }

    #[test]
    fn sort_and_topk_are_the_cpus((shape, dim, seed) in cases(), dtype in dtypes(), max: bool, k in 0usize..130) {
        let a = strided_of(&mut Draw::new(seed), &shape, dtype, true, wild);
        let n = shape.get(dim).copied().unwrap_or(1);
        check_sort(&a, dim, max, 1 + k % n);
        check_sort(&a, dim, max, n);
    }

    #[test]
    fn sums_are_the_cpus((shape, dim, seed) in cases(), dtype in dtypes(), to in dtypes(), same: bool) {
        let a = strided_of(&mut Draw::new(seed), &shape, dtype, true, if same { wild } else { mild });
        check_scan(&a, dim, ScanOp::Sum, if same { dtype } else { to });
    }

    #[test]
    fn products_are_the_cpus((shape, dim, seed) in cases(), dtype in dtypes()) {
        let a = strided_of(&mut Draw::new(seed), &shape, dtype, true, mild);
        check_scan(&a, dim, ScanOp::Prod, if dtype.is_floating_point() { dtype } else { DType::I64 });
    }

    #[test]
    fn softmax_is_the_cpus((shape, dim, seed) in cases(), dtype in dtypes(), log: bool, special: bool) {
        let a = strided_of(&mut Draw::new(seed), &shape, dtype, true, if special { wild } else { dense });
        check_softmax(&a, dim, log);
    }

    #[test]
    fn softmax_backward_is_the_cpus((shape, dim, seed) in cases(), dtype in floats(), log: bool) {
        prop_assume!(!shape.is_empty());
        let draw = &mut Draw::new(seed);
        let (grad, y) = (strided(draw, &shape, dtype, true), strided(draw, &shape, dtype, true));
        let expected = SoftmaxBackward { grad: &grad.cpu, y: &y.cpu, dim, log }.run().unwrap();
        let found = launches(|| SoftmaxBackward { grad: &grad.gpu, y: &y.gpu, dim, log }.run()).unwrap();
        let n = shape[dim] as f64;
        agree(&expected, &found, tolerance(dtype) * n);
    }

    #[test]
    fn the_loss_of_classes_is_the_cpus(
        (n, classes, inner, seed) in (1usize..70, 1usize..12, 1usize..4, any::<u64>()),
        dtype in floats(), reduction in 0usize..3, weighted: bool, ignore in -1i64..3, logits: bool,
    ) {
        check_nll(Case { n, classes, inner, seed, dtype, reduction, weighted, ignore, logits });
    }
}

fn floats() -> impl Strategy<Value = DType> {
    (0usize..4).prop_map(|i| [DType::F16, DType::BF16, DType::F32, DType::F64][i])
}

/// A loss of [n, classes, inner].
struct Case {
    n: usize,
    classes: usize,
    inner: usize,
    seed: u64,
    dtype: DType,
    reduction: usize,
    weighted: bool,
    ignore: i64,
    logits: bool,
}

fn check_nll(case: Case) {
    let Case { n, classes, inner, seed, dtype, reduction, weighted, ignore, logits } = case;
    let draw = &mut Draw::new(seed);
    let shape = [n, classes, inner];
    let x = strided(draw, &shape, dtype, false);
    let numbers: Vec<i64> = (0..n * inner).map(|_| draw.below(classes) as i64).collect();
    let targets = Array::from_slice(&CPU, Device::Cpu, &numbers, &[n, 1, inner]).unwrap();
    let targets = Pair::new(targets);
    let weight = weighted.then(|| {
        let numbers: Vec<f64> = (0..classes).map(|_| draw.below(5) as f64 / 4.0).collect();
        Pair::new(from_f64(&numbers, &[classes], dtype))
    });
    let reduction = [LossReduction::None, LossReduction::Mean, LossReduction::Sum][reduction];
    let of = |classes, weight| ClassTargets { classes, weight, ignore_index: ignore, reduction };
    let cpu = of(&targets.cpu, weight.as_ref().map(|w| &w.cpu));
    let gpu = of(&targets.gpu, weight.as_ref().map(|w| &w.gpu));
    let (expected, total) = Nll { x: &x.cpu, dim: 1, targets: &cpu }.run().unwrap();
    let (found, gpu_total) = launches(|| Nll { x: &x.gpu, dim: 1, targets: &gpu }.run()).unwrap();
    // A sum of few quarters is exact but for its last rounding.
    agree(&expected, &found, 2.0 * tolerance(dtype));

    let line_shape = if reduction == LossReduction::None { vec![n, 1, inner] } else { vec![] };
    let grad = strided(draw, &line_shape, dtype, true);
    let lp = logits.then_some(&x);
    let cpu = NllBackward {
        grad: &grad.cpu,
        shape: &shape,
        log_probabilities: lp.map(|x| &x.cpu),
        dim: 1,
        targets: &cpu,
        total: total.as_ref(),
    }
    .run()
    .unwrap();
    let call = || {
        NllBackward {
            grad: &grad.gpu,
            shape: &shape,
            log_probabilities: lp.map(|x| &x.gpu),
            dim: 1,
            targets: &gpu,
            total: gpu_total.as_ref(),
        }
        .run()
    };
    let gpu = launches(call).unwrap();
    // e⁴ is the largest exponential.
    agree(&cpu, &gpu, 4.0 * tolerance(dtype));
}

#[test]
fn long_lines() {
    let draw = &mut Draw::new(7);
    for dtype in [DType::F32, DType::I64, DType::F16, DType::U8] {
        for shape in [&[5000][..], &[3, 2049], &[1025, 3], &[2, 4097, 2]] {
            let dim = (0..shape.len()).max_by_key(|&d| shape[d]).unwrap();
            let a = strided_of(draw, shape, dtype, false, wild);
            for max in [false, true] {
                check_arg_reduce(&a, dim, max, true);
                for k in [1, 10, 1024, shape[dim]] {
                    check_sort(&a, dim, max, k);
                }
            }
        }
    }
}

#[test]
fn softmax_of_long_lines() {
    // In f64: the CPU's own f32 sums of thousands differ from the exact ones by more than the tolerance.
    let draw = &mut Draw::new(9);
    for (shape, dim) in [([2, 5000], 1), ([5000, 3], 0)] {
        for log in [false, true] {
            check_softmax(&dense(draw, &shape, DType::F64), dim, log);
        }
    }
}

#[test]
fn scans_of_several_tiles() {
    let draw = &mut Draw::new(11);
    for (dtype, to) in
        [(DType::F32, DType::F32), (DType::Bool, DType::I64), (DType::F64, DType::F64), (DType::I32, DType::I32)]
    {
        for shape in [&[4096][..], &[4097], &[100_000], &[3, 9000], &[9000, 3], &[2, 8193, 2]] {
            let dim = (0..shape.len()).max_by_key(|&d| shape[d]).unwrap();
            check_scan(&dense(draw, shape, dtype), dim, ScanOp::Sum, to);
        }
    }
    // Products of whole numbers wrap around.
    check_scan(&mild(draw, &[10_000], DType::I64), 0, ScanOp::Prod, DType::I64);
}

#[test]
fn more_lines_than_one_dimension_of_workgroups() {
    let draw = &mut Draw::new(13);
    for shape in [[300_000, 3], [3, 300_000]] {
        let a = dense(draw, &shape, DType::F32);
        for dim in 0..2 {
            check_arg_reduce(&a, dim, true, true);
        }
        check_softmax(&a, usize::from(shape[1] == 3), true);
    }
}

#[test]
fn losses_of_many_lines() {
    for reduction in 0..3 {
        let case = Case {
            n: 3000,
            classes: 5,
            inner: 3,
            seed: 3,
            dtype: DType::F32,
            reduction,
            weighted: true,
            ignore: 2,
            logits: true,
        };
        check_nll(case);
    }
}
