//! Indices outside their dimension: reported when the host next waits for the GPU. One test, in a process of its own, since
//! whoever waits first gets the report.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::{Backend, ScatterOp};
use flambeau_tensor::calls::{Gather, IndexSelect, PrimitiveCall, Scatter};
use flambeau_tensor::{Array, DType, Device};
use flambeau_wgpu::WGPU;
use support::*;

fn index(numbers: &[i64]) -> Array {
    to_gpu(&Array::from_slice(&CPU, Device::Cpu, numbers, &[numbers.len()]).unwrap())
}

#[test]
fn indices_outside_are_reported_once_and_write_nothing() {
    let x = dense(&mut Draw::new(1), &[3], DType::F32).gpu;
    for bad in [3i64, -1, i64::MAX, 1 << 32] {
        let out = zeros(&[2], DType::F32).gpu;
        Gather { src: &x, dim: 0, index: &index(&[0, bad]), out: &out }.run().unwrap();
        let message = out.to_vec::<f32>().unwrap_err().to_string();
        assert_eq!(message, format!("index {bad} is out of bounds for dimension 0 with size 3"));
        // What was in bounds is there, and the report is not repeated.
        assert_eq!(out.to_vec::<f32>().unwrap()[0], x.to_vec::<f32>().unwrap()[0]);
        // The next kernel that may report finds a clean slate.
        Gather { src: &x, dim: 0, index: &index(&[0, 2]), out: &out }.run().unwrap();
        out.to_vec::<f32>().unwrap();
    }
    for bad in [-4i64, -1, 3] {
        let out = zeros(&[1], DType::F32).gpu;
        IndexSelect { src: &x, dim: 0, index: &index(&[bad]), out: &out }.run().unwrap();
        let message = WGPU.synchronize(GPU).unwrap_err().to_string();
        assert_eq!(message, "index out of range in self");
        WGPU.synchronize(GPU).unwrap();
    }
    for op in ScatterOp::ALL {
        for m in [1, 100] {
            let before = x.to_vec::<f32>().unwrap();
            let src = dense(&mut Draw::new(2), &[m], DType::F32).gpu;
            Scatter { op, dim: 0, index: &index(&vec![5; m]), src: &src, out: &x }.run().unwrap();
            let message = WGPU.synchronize(GPU).unwrap_err().to_string();
            assert_eq!(message, "index 5 is out of bounds for dimension 0 with size 3");
            assert_eq!(x.to_vec::<f32>().unwrap(), before);
        }
    }
}
