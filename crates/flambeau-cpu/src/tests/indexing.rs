//! gather, scatter, index_select, nonzero, and random fills.

use super::support::*;
use crate::CPU;
use flambeau_tensor::backend::{Distribution, ScatterOp};
use flambeau_tensor::calls::{CopyTo, Gather, IndexSelect, Nonzero, PrimitiveCall, Random, Scatter};
use flambeau_tensor::ops::check_index;
use flambeau_tensor::random::{Generator, normal_, uniform_};
use flambeau_tensor::{Array, DType, Device, Finding, IndexRule};
use proptest::prelude::*;

/// An i64 array of `shape` with strides of its own and values below `n`.
fn indices(draw: &mut Draw, shape: &[usize], n: usize) -> Array {
    let view = strided(draw, shape, DType::I64, false);
    let numbers: Vec<f64> = (0..view.numel()).map(|_| draw.below(n) as f64).collect();
    CopyTo { src: &from_f64(&numbers, shape, DType::I64), out: &view }.run().unwrap();
    view
}

fn flat(shape: &[usize], index: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (i, n)| at * n + i)
}

fn unflatten(shape: &[usize], mut at: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        index[d] = at % shape[d];
        at /= shape[d];
    }
    index
}

proptest! {
    #[test]
    fn gather_and_scatter_on_any_view(
        shape in prop::collection::vec(1usize..6, 1..4), cut in prop::collection::vec(1usize..6, 3), dim: usize, dtype in dtypes(),
        op in 0..5usize, seed: u64,
    ) {
        let mut draw = Draw::new(seed);
        let dim = dim % shape.len();
        let picked: Vec<usize> = shape.iter().zip(&cut).enumerate().map(|(d, (&n, &c))| if d == dim { c } else { n.min(c) }).collect();
        let index = indices(&mut draw, &picked, shape[dim]);
        let src = strided(&mut draw, &shape, dtype, true);
        let out = zeros(&picked, dtype);
        Gather { src: &src, dim, index: &index, out: &out }.run().unwrap();
        let (from, positions) = (elements(&src), elements(&index));
        for (at, y) in elements(&out).into_iter().enumerate() {
            let mut place = unflatten(&picked, at);
            place[dim] = positions[at] as usize;
            prop_assert_eq!(y, from[flat(&shape, &place)]);
        }
        let op = ScatterOp::ALL[op];
        let values = strided(&mut draw, &picked, dtype, true);
        let target = dense(&mut draw, &shape, dtype);
        let mut expected = elements(&target);
        Scatter { op, dim, index: &index, src: &values, out: &target }.run().unwrap();
        let round = |x: f64| elements(&from_f64(&[x], &[1], DType::F64).to_dtype(dtype).unwrap())[0];
        for (at, x) in elements(&values).into_iter().enumerate() {
            let mut place = unflatten(&picked, at);
            place[dim] = positions[at] as usize;
            let y = &mut expected[flat(&shape, &place)];
            *y = round(match op {
                ScatterOp::Set => x,
                ScatterOp::Add => *y + x,
                ScatterOp::Mul => *y * x,
                ScatterOp::Max => y.max(x),
                ScatterOp::Min => y.min(x),
            });
        }
        prop_assert_eq!(elements(&target), expected);
    }

    #[test]
    fn index_select_on_any_view(shape in prop::collection::vec(1usize..6, 1..4), count in 1usize..6, dim: usize, dtype in dtypes(), seed: u64) {
        let mut draw = Draw::new(seed);
        let dim = dim % shape.len();
        let src = strided(&mut draw, &shape, dtype, true);
        let n = shape[dim];
        let rows: Vec<i64> = (0..count).map(|_| draw.below(n) as i64).collect();
        let index = Array::from_slice(&CPU, Device::Cpu, &rows, &[count]).unwrap();
        let mut picked = shape.clone();
        picked[dim] = count;
        let out = zeros(&picked, dtype);
        IndexSelect { src: &src, dim, index: &index, out: &out }.run().unwrap();
        let from = elements(&src);
        for (at, y) in elements(&out).into_iter().enumerate() {
            let mut place = unflatten(&picked, at);
            place[dim] = rows[place[dim]] as usize;
            prop_assert_eq!(y, from[flat(&shape, &place)]);
        }
    }

    #[test]
    fn nonzero_lists_indices_in_order(shape in shapes(), dtype in dtypes(), seed: u64) {
        let a = strided(&mut Draw::new(seed), &shape, dtype, true);
        let found = Nonzero { src: &a }.run().unwrap();
        let expected: Vec<Vec<usize>> = elements(&a).iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, _)| unflatten(&shape, i)).collect();
        prop_assert_eq!(found.shape(), [expected.len(), shape.len()]);
        let flat: Vec<f64> = expected.concat().into_iter().map(|i| i as f64).collect();
        prop_assert_eq!(elements(&found), flat);
    }
}

#[test]
fn bad_indices_are_refused_before_anything_is_written() {
    let a = zeros(&[3], DType::F32);
    for bad in [5i64, -1] {
        let index = Array::from_slice(&CPU, Device::Cpu, &[0, bad], &[2]).unwrap();
        let ones = from_f64(&[1.0, 1.0], &[2], DType::F32);
        // torch.gather(torch.zeros(3), 0, torch.tensor([0, 5])), and scatter_ alike.
        let message = format!("index {bad} is out of bounds for dimension 0 with size 3");
        assert_eq!(Gather { src: &a, dim: 0, index: &index, out: &ones }.run().unwrap_err().to_string(), message);
        assert_eq!(
            Scatter { op: ScatterOp::Set, dim: 0, index: &index, src: &ones, out: &a }.run().unwrap_err().to_string(),
            message
        );
        assert_eq!((elements(&a), elements(&ones)), (vec![0.0; 3], vec![1.0; 2]));
    }
    for bad in [3i64, -1, i64::MIN] {
        let index = Array::from_slice(&CPU, Device::Cpu, &[0i64, bad], &[2]).unwrap();
        let error = IndexSelect { src: &a, dim: 0, index: &index, out: &zeros(&[2], DType::F32) }.run().unwrap_err();
        assert_eq!((error.to_string().as_str(), error.python_type()), ("index out of range in self", "IndexError"));
    }
}

#[test]
fn an_index_becomes_places_by_its_rule() {
    let index = Array::from_slice(&CPU, Device::Cpu, &[0i32, -1, 2, -3], &[2, 2]).unwrap().transpose(0, 1).unwrap();
    let places = check_index(&index, &IndexRule::wrapping(3, Finding::Subscript, 1)).unwrap();
    assert_eq!((places.shape(), places.to_vec::<i64>().unwrap()), ([2, 2].as_slice(), vec![0, 2, 2, 0]));
    let error = check_index(&index, &IndexRule::strict(3, Finding::Line, 0)).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.python_type()), ("index out of range in self", "IndexError"));
    let error = check_index(&index, &IndexRule::wrapping(2, Finding::Subscript, 1)).unwrap_err();
    assert_eq!(error.to_string(), "index 2 is out of bounds for dimension 1 with size 2");
}

#[test]
fn random_fills_are_the_generators() {
    let draw = |distribution, dtype, n| {
        let out = zeros(&[n], dtype);
        Random { distribution, generator: &Generator::new().manual_seed(7), out: &out }.run().map(|()| elements(&out))
    };
    let generator = || Generator::new().manual_seed(7);
    let mut expected = [0f32; 40];
    normal_(&generator(), &mut expected, 1.0, 2.0).unwrap();
    assert_eq!(draw(Distribution::Normal { mean: 1.0, std: 2.0 }, DType::F32, 40).unwrap(), expected.map(f64::from));
    let mut expected = [0f64; 9];
    uniform_(&generator(), &mut expected, -1.0, 1.0).unwrap();
    assert_eq!(draw(Distribution::Uniform { from: -1.0, to: 1.0 }, DType::F64, 9).unwrap(), expected);
    for dtype in DType::ALL {
        let bernoulli = draw(Distribution::Bernoulli { p: 0.5 }, dtype, 100).unwrap();
        assert!(
            bernoulli.iter().all(|&x| x == 0.0 || x == 1.0) && bernoulli.contains(&0.0) && bernoulli.contains(&1.0)
        );
        assert!(draw(Distribution::Integers { from: 0, to: 2 }, dtype, 50).unwrap().contains(&1.0));
        draw(Distribution::FullRange, dtype, 10).unwrap();
        let continuous = draw(Distribution::Exponential { rate: 2.0 }, dtype, 10);
        assert_eq!(continuous.is_ok(), dtype.is_floating_point());
    }
    let error = draw(Distribution::Normal { mean: 0.0, std: 1.0 }, DType::I32, 3).unwrap_err();
    assert_eq!(error.to_string(), "\"normal_kernel_cpu\" not implemented for 'Int'");
}
