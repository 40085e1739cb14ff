//! Targets that are no class: in a test of its own, since a device tells the first who waits for it.

mod support;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::{ClassTargets, LossReduction};
use flambeau_tensor::calls::{Nll, PrimitiveCall};
use flambeau_tensor::{Array, Backend, DType, Device};
use flambeau_wgpu::WGPU;
use support::*;

fn mean_of(classes: &Array) -> ClassTargets<'_> {
    ClassTargets { classes, weight: None, ignore_index: 1, reduction: LossReduction::Mean }
}

#[test]
fn nothing_counts_is_nan_and_a_class_that_is_none_is_reported() {
    let x = dense(&mut Draw::new(1), &[2, 3], DType::F32).gpu;
    let classes = |t: [i64; 2]| to_gpu(&Array::from_slice(&CPU, Device::Cpu, &t, &[2, 1]).unwrap());
    let ignored = classes([1, 1]);
    assert!(elements(&Nll { x: &x, dim: 1, targets: &mean_of(&ignored) }.run().unwrap().0)[0].is_nan());
    for bad in [3, -1] {
        let wrong = classes([0, bad]);
        Nll { x: &x, dim: 1, targets: &mean_of(&wrong) }.run().unwrap();
        let error = WGPU.synchronize(GPU).unwrap_err();
        assert_eq!(error.to_string(), format!("Target {bad} is out of bounds."));
        WGPU.synchronize(GPU).unwrap();
    }
}
