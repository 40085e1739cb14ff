//! What dense rows have kernels for, against the same values in other memory, which go the general way.

use super::support::*;
use flambeau_tensor::backend::{NormBackward, NormLayout};
use flambeau_tensor::ops::{normalize, normalize_backward, softmax_backward};
use flambeau_tensor::{Array, DType};
use proptest::prelude::*;
use smallvec::smallvec;

/// The same values, one element apart in memory.
fn spread(x: &Array) -> Array {
    let (rows, k) = (x.shape()[0], x.shape()[1]);
    let values = elements(x);
    let doubled: Vec<f64> = values.iter().flat_map(|&v| [v, 0.0]).collect();
    let wide = from_f64(&doubled, &[rows, k, 2], x.dtype());
    wide.select(2, 0).unwrap()
}

fn near(a: &Array, b: &Array, dtype: DType) -> Result<(), TestCaseError> {
    let within = if dtype == DType::F64 { 1e-11 } else { 1e-4 };
    let (a, b) = (elements(a), elements(b));
    prop_assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        prop_assert!((a - b).abs() <= within * largest, "element {i} is {a}, by the general way {b}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn dense_rows_are_normalized_as_others_are(
        seed: u64, rows in 1usize..200, k in 2usize..120, wide: bool, affine in 0usize..4, needs in 1usize..8,
    ) {
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let draw = &mut Draw::new(seed);
        let (x, g) = (dense(draw, &[rows, k], dtype), dense(draw, &[rows, k], dtype));
        let (w, b) = (dense(draw, &[1, k], dtype), dense(draw, &[1, k], dtype));
        let (w, b) = ((affine & 1 == 1).then_some(&w), (affine & 2 == 2).then_some(&b));
        let layout = NormLayout { shape: smallvec![rows, k], dims: smallvec![1], params: smallvec![1, k], eps: 1e-2 };
        let apart = spread(&x);
        prop_assert!(!apart.is_contiguous());
        let (dense, other) = (normalize(&x, w, b, &layout).unwrap(), normalize(&apart, w, b, &layout).unwrap());
        near(&dense.out, &other.out, dtype)?;
        near(&dense.mean, &other.mean, dtype)?;
        near(&dense.deviation, &other.deviation, dtype)?;
        near(&dense.inverse_std, &other.inverse_std, dtype)?;
        let needs = [needs & 1 == 1, needs & 2 == 2 && w.is_some(), needs & 4 == 4];
        let gradients = |x: &Array, g: &Array| {
            let call = NormBackward { grad: g, x, mean: &other.mean, inverse_std: &other.inverse_std, weight: w, layout: &layout };
            normalize_backward(&call, needs).unwrap()
        };
        for (dense, other) in gradients(&x, &g).iter().zip(&gradients(&apart, &spread(&g))) {
            prop_assert_eq!(dense.is_some(), other.is_some());
            if let (Some(dense), Some(other)) = (dense, other) {
                prop_assert_eq!(dense.shape(), other.shape());
                near(dense, other, dtype)?;
            }
        }
    }

    #[test]
    fn softmax_of_dense_rows_has_the_gradient_of_others(
        seed: u64, rows in 1usize..200, k in 48usize..120, wide: bool, log: bool,
    ) {
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let draw = &mut Draw::new(seed);
        let (g, y) = (dense(draw, &[rows, k], dtype), dense(draw, &[rows, k], dtype));
        let dense = softmax_backward(&g, &y, 1, log).unwrap();
        near(&dense, &softmax_backward(&spread(&g), &spread(&y), 1, log).unwrap(), dtype)?;
    }
}
