//! Calls whose arrays do not fit each other, lie elsewhere, or are longer than a shader counts: an error, never a panic, and the
//! device goes on. One test at a time, since whoever waits for a device first gets its reports.

mod support;

use flambeau_tensor::backend::{ConvGeometry, Epilogue, PoolGeometry, ResampleMode, ScatterOp};
use flambeau_tensor::calls::*;
use flambeau_tensor::{Array, Backend, DType, Device, Dims, Result, Scalar, ops};
use flambeau_wgpu::{WGPU, download_async};
use proptest::prelude::*;
use support::{Draw, GPU, alone, from_f64, to_gpu};

/// An array of a shape on the GPU, and sometimes another one: of another shape, dtype, layout or device.
fn array(draw: &mut Draw, shape: &[usize], dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let cpu = from_f64(&vec![1.0; n], shape, dtype);
    let a = to_gpu(&cpu);
    let changed = match draw.below(24) {
        0 => return cpu,
        1 => a.to_dtype(DType::I32),
        2 => a.unsqueeze(0),
        3 if shape.first().is_some_and(|&n| n > 0) => a.narrow(0, 1, shape[0] as i64 - 1),
        4 if shape.len() > 1 => a.transpose(0, 1),
        5 => a.unsqueeze(0).and_then(|a| {
            let mut sizes: Vec<i64> = a.shape().iter().map(|&n| n as i64).collect();
            sizes[0] = 1 << 33;
            a.expand(&sizes)
        }),
        6 if n > 0 => a.as_strided(shape, &vec![0; shape.len()], 0),
        _ => return a,
    };
    changed.unwrap_or(a)
}

fn call(draw: &mut Draw) -> Result<()> {
    let shape: Vec<usize> = (0..1 + draw.below(3)).map(|_| 1 + draw.below(4)).collect();
    let dim = draw.below(shape.len() + 1);
    let (x, y) = (array(draw, &shape, DType::F32), array(draw, &shape, DType::F32));
    let index = array(draw, &shape, DType::I64);
    let g = ConvGeometry { ndim: 1, stride: [1, 1, 1 + draw.below(2)], padding: [0; 3], dilation: [1; 3], groups: 1 };
    let windows = PoolGeometry {
        ndim: 3,
        kernel: [1, 1, 1 + draw.below(3)],
        stride: [1, 1, draw.below(3)],
        padding: [0; 3],
        dilation: [1; 3],
    };
    match draw.below(12) {
        0 => CopyTo { src: &x, out: &y }.run(),
        1 => Gather { src: &x, dim, index: &index, out: &y }.run(),
        2 => Scatter { op: ScatterOp::Add, dim, index: &index, src: &x, out: &y }.run(),
        3 => IndexSelect { src: &x, dim, index: &array(draw, &[shape[0]], DType::I64), out: &y }.run(),
        4 => Softmax { src: &x, dim, log: false, out: &y }.run(),
        5 => SoftmaxBackward { grad: &x, y: &y, dim, log: true }.run().map(drop),
        6 => Nonzero { src: &x }.run().map(drop),
        7 => {
            let [a, b, out] = [[2, 3, 4], [2, 4, 5], [2, 3, 5]].map(|s| array(draw, &s, DType::F32));
            let (alpha, beta) = (Scalar::Int(1), Scalar::Int(1));
            Matmul { a: &a, b: &b, alpha, beta, epilogue: Epilogue::default(), out: &out }.run()
        }
        8 => {
            let [x, weight, out] = [[2, 1, 5], [3, 1, 2], [2, 3, 4]].map(|s| array(draw, &s, DType::F32));
            Conv { x: &x, weight: &weight, bias: None, geometry: &g, out: &out }.run()
        }
        9 => {
            let [src, out] = [[2, 1, 1, 5], [2, 1, 1, 4]].map(|s| array(draw, &s, DType::F32));
            let indices = array(draw, &[2, 1, 1, 4], DType::I64);
            MaxPool { src: &src, geometry: &windows, out: &out, indices: &indices }.run()
        }
        10 => {
            let [src, out] = [[2, 1, 1, 5], [2, 1, 1, 9]].map(|s| array(draw, &s, DType::F32));
            Resample { mode: ResampleMode::Nearest, scales: [1.0; 3], src: &src, out: &out }.run()
        }
        _ => ops::copy_into(&x, &y),
    }
}

#[test]
fn calls_end_well_or_with_an_error() {
    let _alone = alone();
    let (mut well, mut refused) = (0, 0);
    for seed in 0..300 {
        match call(&mut Draw::new(seed)) {
            Ok(()) => well += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(well > 20 && refused > 20, "{well} calls ended well, {refused} with an error");
    // Whatever was refused, nothing harmed the device; bad indices are reported by now.
    let _ = WGPU.synchronize(GPU);
    let x = to_gpu(&from_f64(&[1.0, 2.0], &[2], DType::F32));
    assert_eq!(x.to_vec::<f32>().unwrap(), [1.0, 2.0]);
}

#[test]
fn transfers_of_other_sizes_are_refused() {
    let _alone = alone();
    let x = to_gpu(&from_f64(&[1.0; 6], &[2, 3], DType::F32));
    for n in [0, 4, 23, 25, 100] {
        assert!(WGPU.upload(&vec![0; n], &x).is_err(), "{n}");
        assert!(WGPU.download(&x, &mut vec![0; n]).is_err(), "{n}");
    }
    let turned = x.transpose(0, 1).unwrap();
    assert!(WGPU.upload(&[0; 24], &turned).is_err() && WGPU.download(&turned, &mut [0; 24]).is_err());
    assert!(pollster::block_on(download_async(&turned)).is_err());
    let elsewhere = from_f64(&[1.0], &[1], DType::F32);
    assert!(WGPU.upload(&[0; 4], &elsewhere).is_err() && WGPU.download(&elsewhere, &mut [0; 4]).is_err());
    assert!(WGPU.grow(elsewhere.storage(), 100).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn sizes_that_no_device_has(bits in 34u32..64, less in 0usize..3, dtype in 0usize..10) {
        let _alone = alone();
        let bytes = (1usize << bits.min(62)) * if bits == 63 { 2 } else { 1 } - less;
        prop_assert!(WGPU.alloc(GPU, bytes, DType::ALL[dtype]).is_err());
        let x = to_gpu(&from_f64(&[1.0], &[1], DType::F32));
        prop_assert!(WGPU.grow(x.storage(), bytes).is_err());
        prop_assert!(WGPU.alloc(Device::Wgpu(bytes), 4, DType::F32).is_err());
        prop_assert!(WGPU.alloc(Device::Cpu, 4, DType::F32).is_err());
    }
}

/// A device stores bytes in words, so that a view of them needs four times the memory that their host's count says.
#[test]
fn views_in_another_dtype_have_room_or_are_refused() {
    let _alone = alone();
    let x = to_gpu(&from_f64(&vec![1.0; 4096], &[4096], DType::F32));
    let dims = |n: usize| Dims::from_slice(&[n]);
    let bytes = Array::from_parts(x.storage().clone(), DType::U8, dims(4 * 4096), dims(1), 0).unwrap();
    assert!(bytes.copy().is_err());
    assert_eq!(x.to_vec::<f32>().unwrap(), vec![1.0; 4096]);
}
