//! Copies between layouts and dtypes.

use super::support::*;
use crate::CPU;
use flambeau_tensor::calls::{CopyTo, PrimitiveCall};
use flambeau_tensor::{Array, Backend, DType, Device, Scalar, ops};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_copy_has_the_elements_of_any_view(shape in shapes(), from in dtypes(), to in dtypes(), seed: u64) {
        let mut draw = Draw::new(seed);
        let src = strided(&mut draw, &shape, from, true);
        let out = strided(&mut draw, &shape, to, false);
        CopyTo { src: &src, out: &out }.run().unwrap();
        let expected: Vec<f64> = elements(&from_f64(&elements(&src), &shape, to));
        let wrapped = |x: f64| if to == DType::U8 && x < 0.0 { (x as i64 as u8) as f64 } else { x };
        let expected: Vec<f64> = if to == DType::U8 { elements(&src).iter().map(|&x| wrapped(x.trunc())).collect() } else { expected };
        prop_assert_eq!(elements(&out), expected);
    }

    #[test]
    fn a_write_through_a_view_leaves_its_neighbours(shape in shapes(), dtype in dtypes(), seed: u64) {
        let mut draw = Draw::new(seed);
        let out = strided(&mut draw, &shape, dtype, false);
        let all = Array::from_parts(out.storage().clone(), dtype, [out.storage().nbytes() / dtype.size()].as_slice().into(), [1].as_slice().into(), 0).unwrap();
        let before = elements(&all);
        let src = strided(&mut draw, &shape, dtype, true);
        CopyTo { src: &src, out: &out }.run().unwrap();
        let mut written = vec![false; before.len()];
        let marks = zeros(&[before.len()], DType::Bool);
        let view = Array::from_parts(marks.storage().clone(), DType::Bool, shape.as_slice().into(), out.strides().into(), out.offset());
        if out.numel() > 0 {
            ops::fill(&view.unwrap(), Scalar::Bool(true)).unwrap();
        }
        for (mark, m) in written.iter_mut().zip(elements(&marks)) {
            *mark = m != 0.0;
        }
        for (i, (b, a)) in before.iter().zip(elements(&all)).enumerate() {
            prop_assert!(written[i] || *b == a);
        }
        prop_assert_eq!(elements(&out), elements(&src));
    }
}

#[test]
fn large_transposes_copy_right() {
    let (rows, columns) = (130, 77);
    let numbers: Vec<f64> = (0..rows * columns).map(|i| i as f64).collect();
    for dtype in [DType::F32, DType::F64, DType::I16] {
        let a = from_f64(&numbers, &[rows, columns], dtype).transpose(0, 1).unwrap();
        assert_eq!(elements(&a.copy().unwrap()), elements(&a));
    }
    let a = from_f64(&numbers[..9240], &[10, 33, 28], DType::F32).permute(&[2, 0, 1]).unwrap();
    assert_eq!(elements(&a.copy().unwrap()), elements(&a));
}

/// `torch.tensor([...]).to(dtype)`, PyTorch 2.15 on x86.
#[test]
fn floats_outside_an_integers_range_convert_as_in_pytorch() {
    let src = [-1.5, -1.0, 255.7, 256.0, 300.0, -129.0, 1e10, f64::INFINITY, f64::NAN];
    let expected: [(DType, [i64; 9]); 5] = [
        (DType::U8, [255, 255, 255, 0, 44, 127, 0, 0, 0]),
        (DType::I8, [-1, -1, -1, 0, 44, 127, 0, 0, 0]),
        (DType::I16, [-1, -1, 255, 256, 300, -129, 0, 0, 0]),
        (DType::I32, [-1, -1, 255, 256, 300, -129, -2_147_483_648, -2_147_483_648, -2_147_483_648]),
        (DType::I64, [-1, -1, 255, 256, 300, -129, 10_000_000_000, i64::MIN, i64::MIN]),
    ];
    for from in [DType::F32, DType::F64] {
        let a = from_f64(&src, &[9], from);
        for (to, values) in expected {
            let converted = a.to_dtype(to).unwrap();
            let found: Vec<i64> = scalars(&converted).into_iter().map(Scalar::to_i64).collect();
            assert_eq!(found, values, "{from} to {to}");
        }
    }
}

#[test]
fn storages_grow_and_keep_their_bytes() {
    let a = from_f64(&[1.0, 2.0, 3.0], &[3], DType::F32);
    a.storage().grow(4000).unwrap();
    assert_eq!(elements(&a), [1.0, 2.0, 3.0]);
    assert!(a.storage().nbytes() >= 4000);
    assert!(CPU.alloc(Device::Cpu, 1 << 50, DType::U8).unwrap_err().to_string().contains("out of memory"));
    assert!(CPU.alloc(Device::Wgpu(0), 4, DType::F32).is_err());
}
