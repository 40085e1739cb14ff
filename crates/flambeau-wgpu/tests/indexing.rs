//! gather, scatter, index_select and nonzero on the GPU against the CPU backend.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::calls::{Gather, IndexSelect, Nonzero, PrimitiveCall, Scatter};
use flambeau_tensor::{Array, DType, Device};
use proptest::prelude::*;
use support::*;

/// Positions below `n` in `shape`, dense or with permuted dimensions.
fn positions(draw: &mut Draw, shape: &[usize], n: usize) -> Pair {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    if draw.below(2) == 0 {
        order.reverse();
    }
    let base: Vec<usize> = order.iter().map(|&d| shape[d]).collect();
    let count: usize = shape.iter().product();
    let numbers: Vec<i64> = (0..count).map(|_| draw.below(n) as i64).collect();
    let pair = Pair::new(Array::from_slice(&CPU, Device::Cpu, &numbers, &base).unwrap());
    let back: Vec<i64> = order.iter().map(|&d| d as i64).collect();
    pair.view(|a| a.permute(&back).unwrap())
}

/// A dimension of `shape`, its length, and an index shape that differs along it and may be shorter elsewhere.
fn index_shape(draw: &mut Draw, shape: &[usize]) -> (usize, usize, Vec<usize>) {
    let dim = draw.below(shape.len().max(1));
    let n = shape.get(dim).copied().unwrap_or(1);
    let lengths = shape.iter().enumerate().map(|(d, &length)| match d == dim {
        true if n == 0 => 0,
        true => draw.below(2 * n + 2),
        false if draw.below(4) == 0 => draw.below(length + 1),
        false => length,
    });
    (dim, n, lengths.collect())
}

/// What `op` may differ by: the order of sums and products is not determined where many threads share a column.
fn scatter_tolerance(op: ScatterOp, dtype: DType) -> f64 {
    if matches!(op, ScatterOp::Add | ScatterOp::Mul) && dtype == DType::F32 { 1e-4 } else { 0.0 }
}

proptest! {
    #[test]
    fn gathers_agree(shape in shapes(), dtype in dtypes(), seed: u64) {
        let draw = &mut Draw::new(seed);
        let (dim, n, lengths) = index_shape(draw, &shape);
        let src = strided_of(draw, &shape, dtype, true, wild);
        let index = positions(draw, &lengths, n);
        let out = zeros(&lengths, dtype);
        Gather { src: &src.cpu, dim, index: &index.cpu, out: &out.cpu }.run().unwrap();
        Gather { src: &src.gpu, dim, index: &index.gpu, out: &out.gpu }.run().unwrap();
        out.agree(0.0);
    }

    #[test]
    fn selections_agree(shape in shapes(), dtype in dtypes(), seed: u64) {
        let draw = &mut Draw::new(seed);
        let dim = draw.below(shape.len().max(1));
        let n = shape.get(dim).copied().unwrap_or(1);
        let m = if n == 0 || shape.is_empty() { n } else { draw.below(2 * n + 2) };
        let src = strided_of(draw, &shape, dtype, true, wild);
        let index = positions(draw, &[m], n);
        let mut lengths = shape.clone();
        if let Some(length) = lengths.get_mut(dim) {
            *length = m;
        }
        let out = zeros(&lengths, dtype);
        IndexSelect { src: &src.cpu, dim, index: &index.cpu, out: &out.cpu }.run().unwrap();
        IndexSelect { src: &src.gpu, dim, index: &index.gpu, out: &out.gpu }.run().unwrap();
        out.agree(0.0);
    }

    #[test]
    fn scatters_agree(shape in shapes(), dtype in dtypes(), op in 0..ScatterOp::ALL.len(), seed: u64) {
        let (draw, op) = (&mut Draw::new(seed), ScatterOp::ALL[op]);
        let (dim, n, lengths) = index_shape(draw, &shape);
        let out = wild(draw, &shape, dtype);
        let src = strided_of(draw, &lengths, dtype, true, wild);
        let index = positions(draw, &lengths, n);
        Scatter { op, dim, index: &index.cpu, src: &src.cpu, out: &out.cpu }.run().unwrap();
        Scatter { op, dim, index: &index.gpu, src: &src.gpu, out: &out.gpu }.run().unwrap();
        out.agree(scatter_tolerance(op, dtype));
    }

    #[test]
    fn nonzero_agrees(shape in shapes(), dtype in dtypes(), seed: u64) {
        let draw = &mut Draw::new(seed);
        let src = strided_of(draw, &shape, dtype, true, wild);
        agree(&Nonzero { src: &src.cpu }.run().unwrap(), &Nonzero { src: &src.gpu }.run().unwrap(), 0.0);
    }
}

/// Few long columns are scattered by a thread for each element.
#[test]
fn long_columns_agree() {
    let draw = &mut Draw::new(7);
    for dtype in DType::ALL {
        for op in ScatterOp::ALL {
            for (shape, dim, m) in [(vec![40], 0, 3000), (vec![2, 9, 3], 1, 500)] {
                let mut lengths = shape.clone();
                lengths[dim] = m;
                // Products of small numbers stay finite and exact.
                let src = dense(draw, &lengths, if op == ScatterOp::Mul { DType::Bool } else { dtype });
                let src = src.view(|a| a.to_dtype(dtype).unwrap());
                let index = positions(draw, &lengths, shape[dim]);
                let out = dense(draw, &shape, dtype);
                Scatter { op, dim, index: &index.cpu, src: &src.cpu, out: &out.cpu }.run().unwrap();
                launches(|| Scatter { op, dim, index: &index.gpu, src: &src.gpu, out: &out.gpu }.run().unwrap());
                out.agree(scatter_tolerance(op, dtype));
            }
        }
    }
}

/// More blocks than the workgroup that adds up their counts has threads.
#[test]
fn nonzero_of_many_blocks_agrees() {
    let draw = &mut Draw::new(3);
    for dtype in [DType::Bool, DType::I64, DType::F16] {
        let src = dense(draw, &[300, 1031], dtype);
        let (cpu, gpu) =
            (Nonzero { src: &src.cpu }.run().unwrap(), launches(|| Nonzero { src: &src.gpu }.run().unwrap()));
        assert_eq!(cpu.shape(), gpu.shape());
        assert_eq!(cpu.to_vec::<i64>().unwrap(), gpu.to_vec::<i64>().unwrap());
    }
}

/// More elements than 65,535 workgroups of 64 threads have.
#[test]
fn selections_of_many_elements_agree() {
    let draw = &mut Draw::new(5);
    let src = dense(draw, &[4, 70_000], DType::U8);
    let index = positions(draw, &[64], 4);
    let out = zeros(&[64, 70_000], DType::U8);
    IndexSelect { src: &src.cpu, dim: 0, index: &index.cpu, out: &out.cpu }.run().unwrap();
    IndexSelect { src: &src.gpu, dim: 0, index: &index.gpu, out: &out.gpu }.run().unwrap();
    assert_eq!(out.cpu.to_vec::<u8>().unwrap(), out.gpu.to_vec::<u8>().unwrap());
}
