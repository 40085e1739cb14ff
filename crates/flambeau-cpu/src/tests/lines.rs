//! Operations along a dimension: arg_reduce, scan, sort, softmax.

use super::support::*;
use flambeau_tensor::backend::{Extremum, ScanOp};
use flambeau_tensor::calls::{ArgReduce, PrimitiveCall, Scan, Softmax, Sort};
use flambeau_tensor::{Array, DType};
use proptest::prelude::*;

/// The lines of a dense array along `dim`, in row-major order of the other dimensions.
fn lines(values: &[f64], shape: &[usize], dim: usize) -> Vec<Vec<f64>> {
    let n = shape[dim];
    let inner: usize = shape[dim + 1..].iter().product();
    let outer: usize = shape[..dim].iter().product();
    let line = |o: usize, i: usize| (0..n).map(|k| values[(o * n + k) * inner + i]).collect();
    (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).map(|(o, i)| line(o, i)).collect()
}

fn cases() -> impl Strategy<Value = (Vec<usize>, usize, u64)> {
    let shape = prop_oneof![3 => prop::collection::vec(1usize..7, 1..4), 1 => (1usize..4, 40usize..130).prop_map(|(a, b)| vec![a, b])];
    (shape, any::<usize>(), any::<u64>()).prop_map(|(shape, d, seed)| {
        let d = d % shape.len();
        (shape, d, seed)
    })
}

fn with_length(shape: &[usize], dim: usize, n: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[dim] = n;
    shape
}

proptest! {
    #[test]
    fn arg_reduce_finds_the_first_extremum((shape, dim, seed) in cases(), dtype in dtypes(), max: bool) {
        let a = strided(&mut Draw::new(seed), &shape, dtype, true);
        let kept = with_length(&shape, dim, 1);
        let (values, indices) = (zeros(&kept, dtype), zeros(&kept, DType::I64));
        let which = if max { Extremum::Max } else { Extremum::Min };
        ArgReduce { which, src: &a, dim, values: Some(&values), indices: &indices }.run().unwrap();
        for ((line, v), i) in lines(&elements(&a), &shape, dim).iter().zip(elements(&values)).zip(elements(&indices)) {
            let best = line.iter().copied().fold(line[0], |b, x| if max { b.max(x) } else { b.min(x) });
            prop_assert_eq!(v, best);
            prop_assert_eq!(i as usize, line.iter().position(|&x| x == best).unwrap());
        }
    }

    #[test]
    fn sort_is_stable_and_topk_is_its_head((shape, dim, seed) in cases(), dtype in dtypes(), max: bool, k in 1usize..130) {
        let a = strided(&mut Draw::new(seed), &shape, dtype, true);
        let k = 1 + k % shape[dim];
        let kept = with_length(&shape, dim, k);
        let (values, indices) = (zeros(&kept, dtype), zeros(&kept, DType::I64));
        Sort { first: if max { Extremum::Max } else { Extremum::Min }, src: &a, dim, values: &values, indices: &indices }.run().unwrap();
        let found = lines(&elements(&values), &kept, dim).into_iter().zip(lines(&elements(&indices), &kept, dim));
        for (line, (v, i)) in lines(&elements(&a), &shape, dim).into_iter().zip(found) {
            let mut expected: Vec<(usize, f64)> = line.into_iter().enumerate().collect();
            expected.sort_by(|a, b| if max { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) });
            let head: Vec<(usize, f64)> = i.iter().map(|&i| i as usize).zip(v).collect();
            prop_assert_eq!(&head[..], &expected[..k]);
        }
    }

    #[test]
    fn scans_are_running_reductions((shape, dim, seed) in cases(), dtype in dtypes(), sum: bool) {
        let a = strided(&mut Draw::new(seed), &shape, dtype, true);
        let to = if dtype.is_floating_point() { dtype } else { DType::I64 };
        let out = zeros(&shape, to);
        Scan { op: if sum { ScanOp::Sum } else { ScanOp::Prod }, src: &a, dim, out: &out }.run().unwrap();
        let tolerance = match to { DType::F16 => 2e-3, DType::BF16 => 1e-2, DType::F32 => 1e-6, _ => 1e-12 };
        let found = lines(&elements(&out), &shape, dim);
        for (line, found) in lines(&elements(&a), &shape, dim).iter().zip(found) {
            let mut running = if sum { 0.0 } else { 1.0f64 };
            for (x, y) in line.iter().zip(found) {
                running = if sum { running + x } else { running * x };
                // Long products leave what the types can hold.
                prop_assert!(running.abs() > 1e4 || running.abs() < 1e-4 || close(y, running, tolerance), "{y} {running}");
            }
        }
    }

    #[test]
    fn softmax_of_any_view((shape, dim, seed) in cases(), which in 0..4usize, log: bool) {
        let dtype = [DType::F32, DType::F64, DType::F16, DType::BF16][which];
        let a = strided(&mut Draw::new(seed), &shape, dtype, true);
        let out = zeros(&shape, dtype);
        Softmax { src: &a, dim, log, out: &out }.run().unwrap();
        let tolerance = match dtype { DType::F16 => 1e-3, DType::BF16 => 8e-3, DType::F32 => 2e-6, _ => 1e-12 };
        let found = lines(&elements(&out), &shape, dim);
        for (line, found) in lines(&elements(&a), &shape, dim).iter().zip(found) {
            let sum: f64 = line.iter().map(|x| x.exp()).sum();
            for (x, y) in line.iter().zip(found) {
                let expected = if log { x - sum.ln() } else { x.exp() / sum };
                prop_assert!((y - expected).abs() <= tolerance * expected.abs().max(1.0), "{y} {expected}");
            }
        }
    }
}

fn softmax(values: &[f64], log: bool) -> Vec<f64> {
    let a = from_f64(values, &[values.len()], DType::F32);
    let out = zeros(a.shape(), DType::F32);
    Softmax { src: &a, dim: 0, log, out: &out }.run().unwrap();
    elements(&out)
}

#[test]
fn softmax_at_the_edges() {
    let infinity = f64::INFINITY;
    for n in [3, 100] {
        // torch.softmax(torch.tensor([-inf] * n), 0), torch.softmax(torch.tensor([inf, 1, …]), 0): all NaN.
        for log in [false, true] {
            assert!(softmax(&vec![-infinity; n], log).iter().all(|x| x.is_nan()));
            let mut some = vec![1.0; n];
            some[0] = f64::NAN;
            assert!(softmax(&some, log).iter().all(|x| x.is_nan()));
        }
        let mut some = vec![-infinity; n];
        some[1] = 1000.0;
        let one = softmax(&some, false);
        assert!(one[1] == 1.0 && one[0] == 0.0 && one[2] == 0.0);
        assert_eq!(softmax(&some, true)[..2], [-infinity, 0.0]);
    }
    let a = zeros(&[2], DType::I32);
    let error = Softmax { src: &a, dim: 0, log: false, out: &a.copy().unwrap() }.run().unwrap_err();
    assert_eq!(error.to_string(), "\"softmax_kernel_impl\" not implemented for 'Int'");
}

#[test]
fn nan_is_largest_in_sorts_and_wins_extrema() {
    let a = from_f64(&[3.0, f64::NAN, 1.0, f64::NAN], &[4], DType::F32);
    let run = |first, k: usize| {
        let (values, indices) = (zeros(&[k], DType::F32), zeros(&[k], DType::I64));
        Sort { first, src: &a, dim: 0, values: &values, indices: &indices }.run().unwrap();
        elements(&indices)
    };
    assert_eq!(run(Extremum::Max, 4), [1.0, 3.0, 0.0, 2.0]);
    assert_eq!(run(Extremum::Min, 4), [2.0, 0.0, 1.0, 3.0]);
    assert_eq!(run(Extremum::Max, 1), [1.0]);
    for which in [Extremum::Max, Extremum::Min] {
        let index = zeros(&[1], DType::I64);
        ArgReduce { which, src: &a, dim: 0, values: None, indices: &index }.run().unwrap();
        assert_eq!(elements(&index), [1.0]);
    }
    let scalar: Array = zeros(&[], DType::F32);
    let index = zeros(&[], DType::I64);
    ArgReduce { which: Extremum::Max, src: &scalar, dim: 0, values: None, indices: &index }.run().unwrap();
    assert_eq!(elements(&index), [0.0]);
}
