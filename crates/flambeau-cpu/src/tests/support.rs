//! Arrays for tests.

use crate::CPU;
use flambeau_tensor::{Array, Backend, DType, Device, Element, Scalar, scalar_from_bytes};
use proptest::prelude::*;

/// A small generator of numbers, so that a test case is one seed.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// A dense array of small numbers that every dtype holds: -4 to 4 (0 to 8 without a sign), quarters in floats.
pub fn dense(draw: &mut Draw, shape: &[usize], dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let numbers: Vec<f64> = (0..n)
        .map(|_| match dtype {
            DType::Bool => draw.below(2) as f64,
            DType::U8 => draw.below(9) as f64,
            d if d.is_floating_point() => draw.below(33) as f64 / 4.0 - 4.0,
            _ => draw.below(9) as f64 - 4.0,
        })
        .collect();
    from_f64(&numbers, shape, dtype)
}

/// Numbers as a dense array of any dtype.
pub fn from_f64(numbers: &[f64], shape: &[usize], dtype: DType) -> Array {
    fn build<T: Element>(numbers: &[f64], shape: &[usize]) -> Array {
        let data: Vec<T> = numbers.iter().map(|&x| T::from_scalar(Scalar::Float(x))).collect();
        Array::from_slice(&CPU, Device::Cpu, &data, shape).unwrap()
    }
    match dtype {
        DType::Bool => build::<bool>(numbers, shape),
        DType::U8 => build::<u8>(numbers, shape),
        DType::I8 => build::<i8>(numbers, shape),
        DType::I16 => build::<i16>(numbers, shape),
        DType::I32 => build::<i32>(numbers, shape),
        DType::I64 => build::<i64>(numbers, shape),
        DType::F16 => build::<half::f16>(numbers, shape),
        DType::BF16 => build::<half::bf16>(numbers, shape),
        DType::F32 => build::<f32>(numbers, shape),
        DType::F64 => build::<f64>(numbers, shape),
    }
}

/// An array of `shape` whose memory order, steps and offset are drawn; with `expand`, some dimensions may repeat one line.
pub fn strided(draw: &mut Draw, shape: &[usize], dtype: DType, expand: bool) -> Array {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, draw.below(i + 1));
    }
    let repeated: Vec<bool> = shape.iter().map(|_| expand && draw.below(4) == 0).collect();
    let steps: Vec<usize> = shape.iter().map(|_| 1 + usize::from(draw.below(3) == 0)).collect();
    // The base has the dimensions in memory order, longer where the view will step.
    let base_shape: Vec<usize> = order.iter().map(|&d| if repeated[d] { 1 } else { shape[d] * steps[d] + 1 }).collect();
    let mut view = dense(draw, &base_shape, dtype);
    for (i, &d) in order.iter().enumerate() {
        if !repeated[d] {
            let start = draw.below(2) as i64;
            view =
                view.slice(i as i64, Some(start), Some(start + (shape[d] * steps[d]) as i64), steps[d] as i64).unwrap();
        }
    }
    let back: Vec<i64> = (0..shape.len()).map(|d| order.iter().position(|&o| o == d).unwrap() as i64).collect();
    view.permute(&back).unwrap().broadcast_to(shape).unwrap()
}

/// Every element; see [`scalars`].
pub fn elements(a: &Array) -> Vec<f64> {
    scalars(a).into_iter().map(Scalar::to_f64).collect()
}

/// Every element: the storage's bytes, picked by the view's own strides, so that no kernel takes part.
pub fn scalars(a: &Array) -> Vec<Scalar> {
    let size = a.dtype().size();
    let mut bytes = vec![0; a.storage().nbytes() / size * size];
    let all =
        Array::from_parts(a.storage().clone(), a.dtype(), (&[bytes.len() / size][..]).into(), (&[1][..]).into(), 0);
    CPU.download(&all.unwrap(), &mut bytes).unwrap();
    let element = |flat: usize| {
        let (mut rest, mut at) = (flat, a.offset());
        for (&n, &stride) in a.shape().iter().zip(a.strides()).rev() {
            at += rest % n * stride;
            rest /= n;
        }
        scalar_from_bytes(a.dtype(), &bytes[at * size..(at + 1) * size])
    };
    (0..a.numel()).map(element).collect()
}

/// A dense array with the same elements, made without `copy`.
pub fn densified(a: &Array) -> Array {
    from_f64(&elements(a), a.shape(), a.dtype())
}

/// A zero-filled array.
pub fn zeros(shape: &[usize], dtype: DType) -> Array {
    Array::full(&CPU, Device::Cpu, shape, dtype, Scalar::Int(0)).unwrap()
}

/// Shapes of up to four dimensions, zero lengths and rows longer than a tile among them.
pub fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        4 => prop::collection::vec(0usize..6, 0..5),
        1 => (1usize..4, 60usize..400).prop_map(|(a, b)| vec![a, b]),
        1 => (60usize..300, 1usize..70).prop_map(|(a, b)| vec![a, b]),
    ]
}

/// Any dtype.
pub fn dtypes() -> impl Strategy<Value = DType> {
    (0..DType::ALL.len()).prop_map(|i| DType::ALL[i])
}

/// Whether two numbers are the same within a relative tolerance, NaN being the same as NaN.
pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * a.abs().max(b.abs())
}
