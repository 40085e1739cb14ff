//! Every way to make an array or a view of one, with lengths, steps and dimensions that are huge, negative or do not exist: an
//! error or a view whose elements all lie in the memory. Under AddressSanitizer each of them is read.

mod hostile;

use flambeau_cpu::CPU;
use flambeau_tensor::print::{PrintOptions, Suffixes, format_tensor};
use flambeau_tensor::{Array, DType, Device, Dims, Error, Result, ops};
use hostile::{Draw, hold};

/// Reads every element, in as many ways as there are.
fn read(a: &Array) -> Result<()> {
    if a.numel() > 5000 {
        return Ok(());
    }
    let dense = a.to_dtype(DType::F64)?;
    assert_eq!(dense.to_vec::<f64>()?.len(), a.numel());
    let last: Vec<usize> = a.shape().iter().map(|&n| n.saturating_sub(1)).collect();
    // A truth value that nobody has written may be any byte, which is true as one and a number as another.
    if a.numel() > 0 && a.dtype() != DType::Bool {
        assert_eq!(a.get(&last)?.to_f64().to_bits(), dense.get(&last)?.to_f64().to_bits());
    }
    assert!(a.may_overlap(a) || a.numel() == 0);
    assert!(a.same_view(&a.clone()));
    let _ = (a.is_non_overlapping(), a.is_contiguous(), a.host_ptr(), a.device(), ops::preserved_strides(a));
    assert_eq!(a.contiguous()?.numel(), a.numel());
    Ok(())
}

fn integers(d: &mut Draw) -> Vec<i64> {
    (0..d.below(5)).map(|_| d.integer()).collect()
}

fn lengths(d: &mut Draw) -> Vec<usize> {
    (0..d.below(5)).map(|_| d.length()).collect()
}

/// One view of an array, whatever comes.
fn viewed(d: &mut Draw, a: &Array) -> Result<Array> {
    match d.below(14) {
        0 => a.expand(&integers(d)),
        1 => a.broadcast_to(&lengths(d)),
        2 => a.narrow(d.integer(), d.integer(), d.integer()),
        3 => {
            let (start, end) = (d.once_in(2).then(|| d.integer()), d.once_in(2).then(|| d.integer()));
            a.slice(d.integer(), start, end, d.integer())
        }
        4 => a.select(d.integer(), d.integer()),
        5 => a.unsqueeze(d.integer()),
        6 => a.squeeze(d.once_in(2).then(|| integers(d)).as_deref()),
        7 => a.permute(&integers(d)),
        8 => a.transpose(d.integer(), d.integer()),
        9 => a.view(&integers(d)),
        10 => a.reshape(&integers(d)),
        11 => a.as_strided(&lengths(d), &lengths(d), d.length()),
        12 => a.unfold(d.integer(), d.integer(), d.integer()),
        _ => a.diagonal(d.integer(), d.integer(), d.integer()),
    }
}

#[test]
fn views_of_views() {
    hold(|d| {
        let (shape, dtype) = (d.shape(0, 4), d.dtype());
        let mut a = d.array(&shape, dtype);
        let mut outcome = Ok(());
        for _ in 0..6 {
            match viewed(d, &a) {
                Ok(view) => {
                    // A copy of a view without elements may still have strides that no number holds.
                    outcome = read(&view);
                    a = view;
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    });
}

#[test]
fn views_that_fit_more_often() {
    hold(|d| {
        let (shape, dtype) = (d.shape(1, 4), d.dtype());
        let mut a = d.array(&shape, dtype);
        for _ in 0..6 {
            let dim = d.below(a.ndim().max(1)) as i64;
            let n = a.shape().get(dim as usize).copied().unwrap_or(0) as i64;
            let inside = |d: &mut Draw| d.below(n as usize + 2) as i64 - 1;
            let view = match d.below(6) {
                0 => a.narrow(dim, inside(d), inside(d)),
                1 => a.slice(dim, Some(inside(d)), Some(inside(d)), 1 + d.below(3) as i64),
                2 => a.unfold(dim, inside(d), 1 + d.below(3) as i64),
                3 => a.diagonal(d.below(9) as i64 - 4, dim, d.below(4) as i64),
                4 => a.select(dim, inside(d)),
                _ => a.unsqueeze(dim).and_then(|a| {
                    let mut sizes: Vec<i64> = a.shape().iter().map(|&n| n as i64).collect();
                    sizes[dim as usize] = d.pick(&[0, 1, 3, 1 << 40, 1 << 62, i64::MAX]);
                    a.expand(&sizes)
                }),
            }?;
            read(&view)?;
            a = view;
        }
        Ok(())
    });
}

#[test]
fn fresh_arrays() {
    hold(|d| {
        let (shape, strides, dtype) = (lengths(d), lengths(d), d.dtype());
        let device = if d.once_in(12) { Device::Wgpu(0) } else { Device::Cpu };
        match d.below(5) {
            0 => Array::empty(&CPU, device, &shape, dtype).and_then(|a| read(&a)),
            1 => Array::empty_strided(&CPU, device, &shape, &strides, dtype).and_then(|a| read(&a)),
            2 => Array::full(&CPU, device, &shape, dtype, d.integer().into()).and_then(|a| read(&a)),
            3 => Array::from_slice(&CPU, device, &vec![1.5f32; d.below(20)], &shape).and_then(|a| read(&a)),
            _ => {
                let storage = d.dense(&[5], DType::F32).storage().clone();
                let offset = d.length();
                Array::from_parts(storage, dtype, shape.into(), strides.into(), offset).and_then(|a| read(&a))
            }
        }
    });
}

#[test]
fn prints() {
    hold(|d| {
        let (shape, dtype) = (d.shape(0, 4), d.dtype());
        let a = d.array(&shape, dtype);
        let a = viewed(d, &a)?;
        if a.numel() < 5000 {
            let options = PrintOptions::default().threshold(d.below(30)).edgeitems(d.below(4)).linewidth(d.below(90));
            let get = |index: &[usize]| a.get(index).unwrap();
            assert!(!format_tensor(a.shape(), a.dtype(), &get, &Suffixes::default(), &options).is_empty());
        }
        Ok(())
    });
}

/// Each with PyTorch's words.
#[test]
fn sizes_that_no_memory_has() {
    const B: usize = 1 << 40;
    let text = |a: Result<Array>| a.map(drop).unwrap_err().to_string();
    let empty = |shape: &[usize]| text(Array::empty(&CPU, Device::Cpu, shape, DType::F32));
    assert_eq!(empty(&[B, B]), format!("Storage size calculation overflowed with sizes=[{B}, {B}]"));
    assert_eq!(empty(&[B, B, 0]), format!("Storage size calculation overflowed with sizes=[{B}, {B}, 0]"));
    assert_eq!(empty(&[0, B, B]), "Stride calculation overflowed");
    assert_eq!(empty(&[1 << 61]), format!("Storage size calculation overflowed with sizes=[{}]", 1u64 << 61));
    let whole = Array::empty(&CPU, Device::Cpu, &[B, 0, B], DType::F32).unwrap();
    assert_eq!((whole.numel(), whole.strides()), (0, &[B, B, 1][..]));
    let strided = Array::empty_strided(&CPU, Device::Cpu, &[1 << 33, 2], &[1 << 33, 1], DType::F32);
    assert_eq!(
        text(strided),
        "Storage size calculation overflowed with sizes=[8589934592, 2] and strides=[8589934592, 1]"
    );
    let one = Array::full(&CPU, Device::Cpu, &[1, 1], DType::F32, 1.0.into()).unwrap();
    let overflow = "numel: integer multiplication overflow";
    assert_eq!(text(one.expand(&[B as i64, B as i64])), overflow);
    assert_eq!(text(one.expand(&[1 << 62, 2])), overflow);
    assert_eq!(text(one.expand(&[1 << 32, 1 << 31])), overflow);
    let long = one.expand(&[1 << 62, 1]).unwrap();
    assert_eq!(long.numel(), 1 << 62);
    assert_eq!(text(long.contiguous()), format!("Storage size calculation overflowed with sizes=[{}, 1]", 1u64 << 62));
    let three = Array::from_slice(&CPU, Device::Cpu, &[1.0f32, 2.0, 3.0], &[3]).unwrap();
    for (start, length, at) in [(1, i64::MAX, 1), (3, 1, 3), (0, 4, 0), (1, 3, 1), (-1, 2, 2)] {
        let expected = format!("start ({at}) + length ({length}) exceeds dimension size (3).");
        assert_eq!(text(three.narrow(0, start, length)), expected);
    }
    for start in [i64::MAX, i64::MIN, 4, -4] {
        let error = three.narrow(0, start, 1).unwrap_err();
        assert!(matches!(&error, Error::Index(text) if text.starts_with("start out of range")), "{error}");
    }
    let end = isize::MAX as usize;
    assert_eq!(
        text(three.as_strided(&[2], &[end], 0)),
        format!("Storage size calculation overflowed with sizes=[2] and strides=[{end}]")
    );
    assert_eq!(
        text(three.as_strided(&[2], &[1], end)),
        "Storage size calculation overflowed with sizes=[2] and strides=[1]"
    );
    assert_eq!(text(three.as_strided(&[B, B], &[0, 0], 0)), overflow);
    assert_eq!(text(three.as_strided(&[2], &[1, 1], 0)), "mismatch in length of strides and shape");
    assert_eq!(
        text(three.as_strided(&[4], &[1], 0)),
        "setStorage: sizes [4], strides [1], storage offset 0, and itemsize 4 requiring a storage size of 16 are out of \
         bounds for storage of size 12"
    );
    let none = Array::empty(&CPU, Device::Cpu, &[0], DType::F32).unwrap();
    assert_eq!(text(none.view(&[B as i64, B as i64, 0])), overflow);
    assert_eq!(
        text(three.view(&[B as i64, B as i64, 3])),
        format!("shape '[{B}, {B}, 3]' is invalid for input of size 3")
    );
    let dims = |shape: &[usize]| Dims::from_slice(shape);
    let bytes = Array::empty(&CPU, Device::Cpu, &[9], DType::U8).unwrap();
    assert!(Array::from_parts(bytes.storage().clone(), DType::F64, dims(&[1]), dims(&[1]), 0).is_ok());
    assert!(Array::from_parts(bytes.storage().clone(), DType::F64, dims(&[2]), dims(&[1]), 0).is_err());
}
