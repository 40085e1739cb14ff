//! Reductions against the CPU.

mod support;

use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::{PrimitiveCall, Reduce};
use flambeau_tensor::pointwise::{IDENTITY, Pointwise};
use flambeau_tensor::{Array, DType, Scalar};
use proptest::prelude::*;
use std::sync::LazyLock;
use support::*;

static SQUARED_DIFFERENCE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let d = b.input(0) - b.input(1) * b.scalar(0);
        d * d
    })
});

fn result_dtype(op: ReduceOp, dtype: DType) -> DType {
    match op {
        ReduceOp::Any | ReduceOp::All => DType::Bool,
        ReduceOp::Sum | ReduceOp::Prod if !dtype.is_floating_point() => DType::I64,
        _ => dtype,
    }
}

fn kept(shape: &[usize], dims: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(d, &n)| if dims.contains(&d) { 1 } else { n }).collect()
}

fn check(op: ReduceOp, x: &Pair, dims: &[usize]) {
    let dtype = x.cpu.dtype();
    let empty = dims.iter().any(|&d| x.cpu.shape()[d] == 0);
    if empty && matches!(op, ReduceOp::Max | ReduceOp::Min) {
        return;
    }
    let out = zeros(&kept(x.cpu.shape(), dims), result_dtype(op, dtype));
    if out.cpu.numel() == 0 {
        return;
    }
    let cpu =
        Reduce { op, program: &IDENTITY, compute: dtype, inputs: &[&x.cpu], scalars: &[], dims, out: &out.cpu }.run();
    let gpu = launches(|| {
        Reduce { op, program: &IDENTITY, compute: dtype, inputs: &[&x.gpu], scalars: &[], dims, out: &out.gpu }.run()
    });
    if both(cpu, gpu).is_some() {
        out.agree(8.0 * tolerance(dtype));
    }
}

#[test]
fn every_operation_in_every_dtype() {
    let draw = &mut Draw::new(7);
    for op in ReduceOp::ALL {
        for dtype in DType::ALL {
            // Products of up to four numbers stay in range.
            let shape = if op == ReduceOp::Prod { [3, 4, 2] } else { [3, 40, 7] };
            for dims in [&[0usize][..], &[1], &[2], &[0, 2], &[0, 1, 2]] {
                if op == ReduceOp::Prod && dims.len() > 1 {
                    continue;
                }
                check(op, &dense(draw, &shape, dtype), dims);
                check(op, &wild(draw, &shape, dtype), dims);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_view_over_any_dimensions(shape in shapes(), dtype in dtypes(), op in 0usize..6, mask: u8, seed: u64) {
        let op = ReduceOp::ALL[op];
        prop_assume!(op != ReduceOp::Prod);
        let draw = &mut Draw::new(seed);
        let x = strided(draw, &shape, dtype, true);
        let dims: Vec<usize> = (0..shape.len()).filter(|d| mask >> d & 1 == 1).collect();
        check(op, &x, &dims);
    }

    /// Two inputs, a runtime number, results through a view.
    #[test]
    fn mapped_sums_into_views(shape in shapes(), mask: u8, seed: u64) {
        let draw = &mut Draw::new(seed);
        let (x, y) = (strided(draw, &shape, DType::F32, true), strided(draw, &shape, DType::F32, true));
        let dims: Vec<usize> = (0..shape.len()).filter(|d| mask >> d & 1 == 1).collect();
        let out = strided(draw, &kept(&shape, &dims), DType::F32, false);
        prop_assume!(out.cpu.numel() > 0);
        let scalars = [Scalar::Float(0.5)];
        let run = |x: &Array, y: &Array, out: &Array| {
            Reduce { op: ReduceOp::Sum, program: &SQUARED_DIFFERENCE, compute: DType::F32, inputs: &[x, y], scalars: &scalars, dims: &dims, out }.run().unwrap();
        };
        run(&x.cpu, &y.cpu, &out.cpu);
        run(&x.gpu, &y.gpu, &out.gpu);
        out.agree(1e-5);
    }

    /// Long lines, which several workgroups share.
    #[test]
    fn long_lines(n in 5_000usize..300_000, lines in 1usize..4, along: bool, op in 0usize..6, dtype in dtypes(), seed: u64) {
        let op = ReduceOp::ALL[op];
        prop_assume!(op != ReduceOp::Prod);
        let draw = &mut Draw::new(seed);
        match along {
            true => check(op, &dense(draw, &[lines, n], dtype), &[1]),
            false => check(op, &dense(draw, &[n, lines], dtype), &[0]),
        }
    }
}
