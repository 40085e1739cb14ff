//! The error of a max pooling's gradient. Alone in its process: errors of kernels show at any readback.

mod support;

use flambeau_tensor::calls::{MaxPoolBackward, PrimitiveCall};
use flambeau_tensor::{Backend, DType};
use flambeau_wgpu::WGPU;
use support::{from_f64, to_gpu};

/// An index outside the plane is skipped, and reported at the readback.
#[test]
fn foreign_indices_of_a_max_pooling_are_reported() {
    let grad = from_f64(&[1.0, 2.0], &[1, 1, 1, 2], DType::F32);
    let indices = from_f64(&[1.0, 9.0], &[1, 1, 1, 2], DType::I64);
    let gx = from_f64(&[7.0; 4], &[1, 1, 1, 4], DType::F32);
    assert!(MaxPoolBackward { grad: &grad, indices: &indices, windows: None, out: &gx }.run().is_err());
    let gx = to_gpu(&gx);
    MaxPoolBackward { grad: &to_gpu(&grad), indices: &to_gpu(&indices), windows: None, out: &gx }.run().unwrap();
    let mut bytes = [0; 16];
    let message = WGPU.download(&gx, &mut bytes).unwrap_err().to_string();
    assert!(message.contains("index 9") && message.contains("size 4"), "{message}");
    WGPU.download(&gx, &mut bytes).unwrap();
    assert_eq!(support::elements(&gx), [0.0, 1.0, 0.0, 0.0]);
}
