//! The tests of programs, reductions and the runtime once more, as on an adapter without 64-bit integers and immediates.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::{CopyTo, IndexSelect, Map, PrimitiveCall, Reduce};
use flambeau_tensor::pointwise::{BinaryOp, IDENTITY, Pointwise, UnaryOp};
use flambeau_tensor::{Array, DType, Device, Scalar};
use std::process::Command;
use support::*;

const WITHOUT: &str = "SHADER_INT64,IMMEDIATES";

/// What the process that computes as a lesser adapter prints when it has come to its end.
const DONE: &str = "computed as a lesser adapter";

/// Starts itself in a process of its own, whose GPU is opened without the features and which computes there.
#[test]
fn without_64_bit_integers_and_immediates() {
    if std::env::var("FLAMBEAU_WITHOUT").as_deref() == Ok(WITHOUT) {
        as_a_lesser_adapter();
        println!("{DONE}");
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "without_64_bit_integers_and_immediates"]).env("FLAMBEAU_WITHOUT", WITHOUT);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(DONE), "{text}");
}

fn as_a_lesser_adapter() {
    let values = [0, 1, -1, 5, -7, 1 << 20, i64::MAX, i64::MIN, 1 << 40, (1 << 53) + 1, -(1 << 33) - 7, 0xffff_ffff];
    let x = Pair::new(Array::from_slice(&CPU, Device::Cpu, &values, &[12]).unwrap());
    let (rows, columns) = (
        x.view(|a| a.reshape(&[12, 1]).unwrap().broadcast_to(&[12, 12]).unwrap()),
        x.view(|a| a.broadcast_to(&[12, 12]).unwrap()),
    );
    let mut refused = Vec::new();
    for op in BinaryOp::ALL.into_iter().filter(|&op| flambeau_shaders::functions::binary(op, DType::I64).is_some()) {
        let program = Pointwise::new(|b| b.input(0).binary(op, b.input(1) + b.scalar(0)));
        let out = zeros(&[12, 12], DType::I64);
        // An odd number never makes a divisor zero here; the CPU would refuse that.
        let scalars = [Scalar::Int(3)];
        let gpu = Map {
            program: &program,
            compute: DType::I64,
            inputs: &[&rows.gpu, &columns.gpu],
            scalars: &scalars,
            outs: &[&out.gpu],
        }
        .run();
        match gpu {
            Ok(()) => {
                Map {
                    program: &program,
                    compute: DType::I64,
                    inputs: &[&rows.cpu, &columns.cpu],
                    scalars: &scalars,
                    outs: &[&out.cpu],
                }
                .run()
                .unwrap();
                out.agree(0.0);
            }
            Err(error) => {
                assert!(error.to_string().contains("SHADER_INT64"), "{error}");
                refused.push(format!("{op:?}"));
            }
        }
    }
    assert_eq!(refused, ["Div", "FloorDiv", "Remainder", "Fmod", "Pow"], "what has no form in pairs");
    for op in UnaryOp::ALL.into_iter().filter(|&op| flambeau_shaders::functions::unary(op, DType::I64).is_some()) {
        let program = Pointwise::new(|b| b.input(0).unary(op));
        let out = zeros(&[12], DType::I64);
        Map { program: &program, compute: DType::I64, inputs: &[&x.cpu], scalars: &[], outs: &[&out.cpu] }
            .run()
            .unwrap();
        Map { program: &program, compute: DType::I64, inputs: &[&x.gpu], scalars: &[], outs: &[&out.gpu] }
            .run()
            .unwrap();
        out.agree(0.0);
    }
    for dtype in DType::ALL.into_iter().filter(|&d| d != DType::F64) {
        let out = zeros(&[12], dtype);
        CopyTo { src: &x.cpu, out: &out.cpu }.run().unwrap();
        CopyTo { src: &x.gpu, out: &out.gpu }.run().unwrap();
        out.agree(0.0);
        let small = dense(&mut Draw::new(5), &[40], dtype);
        let wide = zeros(&[40], DType::I64);
        CopyTo { src: &small.cpu, out: &wide.cpu }.run().unwrap();
        CopyTo { src: &small.gpu, out: &wide.gpu }.run().unwrap();
        wide.agree(0.0);
    }
    for op in ReduceOp::ALL {
        let out = zeros(&[1], if matches!(op, ReduceOp::Any | ReduceOp::All) { DType::Bool } else { DType::I64 });
        Reduce {
            op,
            program: &IDENTITY,
            compute: DType::I64,
            inputs: &[&x.cpu],
            scalars: &[],
            dims: &[0],
            out: &out.cpu,
        }
        .run()
        .unwrap();
        Reduce {
            op,
            program: &IDENTITY,
            compute: DType::I64,
            inputs: &[&x.gpu],
            scalars: &[],
            dims: &[0],
            out: &out.gpu,
        }
        .run()
        .unwrap();
        out.agree(0.0);
    }
    // What moves elements needs no arithmetic.
    let index = Pair::new(Array::from_slice(&CPU, Device::Cpu, &[3i64, 0, 11], &[3]).unwrap());
    let picked = zeros(&[3], DType::I64);
    IndexSelect { src: &x.cpu, dim: 0, index: &index.cpu, out: &picked.cpu }.run().unwrap();
    IndexSelect { src: &x.gpu, dim: 0, index: &index.gpu, out: &picked.gpu }.run().unwrap();
    picked.agree(0.0);
    // And f32 work goes on without immediates.
    let y = dense(&mut Draw::new(9), &[7, 5], DType::F32);
    let sums = zeros(&[1, 5], DType::F32);
    Reduce {
        op: ReduceOp::Sum,
        program: &IDENTITY,
        compute: DType::F32,
        inputs: &[&y.cpu],
        scalars: &[],
        dims: &[0],
        out: &sums.cpu,
    }
    .run()
    .unwrap();
    Reduce {
        op: ReduceOp::Sum,
        program: &IDENTITY,
        compute: DType::F32,
        inputs: &[&y.gpu],
        scalars: &[],
        dims: &[0],
        out: &sums.gpu,
    }
    .run()
    .unwrap();
    sums.agree(1e-6);
}
