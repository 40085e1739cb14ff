//! The functions of shapes, plans, programs and printing, with lengths that no memory has and lists that do not match: a value
//! or an error, never a panic.

use flambeau_tensor::dims::{
    broadcast_shapes, checked_numel, contiguous_strides, infer_shape, is_contiguous, numel, numel_of, view_strides,
    wrap_dim, wrap_dims,
};
use flambeau_tensor::plan::Plan;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::print::format_size;
use flambeau_tensor::random::{
    Generator, bernoulli_, bernoulli_p, exponential_, full_range, integer_bounds, multinomial, normal_, normal_serial_,
    random_, random_from_to_, randperm, uniform_,
};
use flambeau_tensor::{DType, Device, Scalar, scalar_from_bytes};
use proptest::prelude::*;

/// Lengths up to the largest.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0usize..6,
        1 => Just(1 << 31), 1 => Just(1 << 32), 1 => Just(1 << 62), 1 => Just(isize::MAX as usize), 1 => Just(usize::MAX),
    ]
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(length(), 0..6)
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -5i64..8, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => Just(1 << 40), 1 => any::<i64>()]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -2.0f64..2.0, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY), 1 => any::<f64>()]
}

/// The number of elements, in wide arithmetic.
fn exact(shape: &[usize]) -> Option<u128> {
    shape.iter().try_fold(1u128, |n, &d| n.checked_mul(d as u128))
}

proptest! {
    #[test]
    fn counts(shape in lengths(), strides in lengths()) {
        let fits = exact(&shape).and_then(|n| usize::try_from(n).ok());
        if !shape.contains(&0) {
            prop_assert_eq!(checked_numel(&shape), fits);
            prop_assert_eq!(numel(&shape), fits.unwrap_or(usize::MAX));
        }
        prop_assert_eq!(numel(&shape) == 0, shape.contains(&0));
        if let Ok(n) = numel_of(&shape) {
            prop_assert_eq!(Some(n as u128), exact(&shape));
        }
        let row_major = contiguous_strides(&shape);
        prop_assert_eq!(row_major.len(), shape.len());
        if fits.is_some_and(|n| n > 0) {
            prop_assert!(is_contiguous(&shape, &row_major));
        }
        let _ = is_contiguous(&shape, &strides);
        prop_assert!(!format_size(&shape).is_empty());
    }

    #[test]
    fn shapes(a in lengths(), b in lengths(), strides in lengths(), wanted in prop::collection::vec(integer(), 0..6), n in length()) {
        if let Ok(shape) = broadcast_shapes(&a, &b) {
            prop_assert_eq!(shape.len(), a.len().max(b.len()));
        }
        if let Ok(shape) = infer_shape(&wanted, n) {
            prop_assert_eq!(exact(&shape), Some(n as u128));
        }
        if let Some(view) = view_strides(&a, &strides, &b) {
            prop_assert_eq!((view.len(), numel(&a)), (b.len(), numel(&b)));
        }
        if let Some(view) = view_strides(&a, &contiguous_strides(&a), &b) {
            prop_assert_eq!(view.len(), b.len());
        }
    }

    #[test]
    fn dimensions(dim in integer(), dims in prop::collection::vec(integer(), 0..6), ndim in length()) {
        if let Ok(d) = wrap_dim(dim, ndim) {
            prop_assert!(d < ndim.max(1));
        }
        // An empty list stands for all, of which there are never so many.
        if ndim < 1000 && let Ok(found) = wrap_dims(&dims, ndim) {
            prop_assert!(found.iter().all(|&d| d < ndim));
        }
    }

    #[test]
    fn plans(shape in lengths(), operands in prop::collection::vec(lengths(), 0..70), groups in prop::collection::vec(lengths(), 0..4), n in length()) {
        let operands: Vec<&[usize]> = operands.iter().map(Vec::as_slice).collect();
        let groups: Vec<&[usize]> = groups.iter().map(Vec::as_slice).collect();
        let (mut plan, counts) = Plan::grouped(&shape, &operands, &groups);
        prop_assert_eq!(counts.len(), groups.len());
        prop_assert!(plan.strides.iter().all(|s| s.len() == plan.shape.len()));
        let strides = plan.strides.clone();
        plan.rotate_left(n);
        let turned = n.min(strides.len());
        prop_assert!(plan.strides.iter().eq(strides[turned..].iter().chain(&strides[..turned])));
        let unordered = Plan::unordered(&shape, &operands);
        let _ = (unordered.numel(), unordered.row());
    }

    /// Whether an operand is dense is known of each, wherever a rotation has put it, or not known, but never wrong.
    #[test]
    fn rotated_plans_know_what_is_dense(dense in prop::collection::vec(any::<bool>(), 1..70), n in 0usize..80) {
        let operands: Vec<&[usize]> = dense.iter().map(|&dense| if dense { &[3usize, 1][..] } else { &[7, 2][..] }).collect();
        let mut plan = Plan::unordered(&[2, 3], &operands);
        plan.rotate_left(n);
        let start = plan.seek(0);
        for k in 0..dense.len() {
            let was = (k + n.min(dense.len())) % dense.len();
            // Six elements in two rows: only the bit tells that they lie side by side.
            let known = plan.is_dense(k, &start, 6);
            prop_assert!(!known || dense[was]);
            prop_assert!(known || !dense[was] || k >= 64);
        }
    }

    #[test]
    fn names(text in ".{0,12}", i in any::<usize>()) {
        let _ = text.parse::<Device>();
        prop_assert_eq!(format!("wgpu:{i}").parse::<Device>().unwrap(), Device::Wgpu(i));
    }

    #[test]
    fn elements_of_bytes(bytes in prop::collection::vec(any::<u8>(), 0..12), dtype in 0usize..10) {
        let dtype = DType::ALL[dtype];
        let scalar = scalar_from_bytes(dtype, &bytes);
        let _ = (scalar.to_f64(), scalar.to_i64(), scalar.to_bool());
    }

    #[test]
    fn fills(n in 0usize..40, a in number(), b in number(), from in integer(), to in integer(), seed: u64) {
        let g = Generator::new().manual_seed(seed);
        fn element<T: flambeau_tensor::random::RandomElement>(g: &Generator, n: usize, p: f64, from: i64, to: i64) {
            let mut out = vec![T::default(); n];
            let _ = bernoulli_(g, &mut out, p);
            let _ = random_from_to_(g, &mut out, from, Some(to));
            let _ = random_from_to_(g, &mut out, from, None);
            random_(g, &mut out);
            if let Ok((start, last)) = integer_bounds::<T>(from, Some(to)) {
                assert!(start <= last);
            }
            let _ = full_range(T::DTYPE);
        }
        fn float<T: flambeau_tensor::random::RandomFloat>(g: &Generator, n: usize, a: f64, b: f64) {
            let mut out = vec![T::default(); n];
            let _ = uniform_(g, &mut out, a, b);
            let _ = normal_(g, &mut out, a, b);
            let _ = normal_serial_(g, &mut out, a, b);
            let _ = exponential_(g, &mut out, a);
            let probabilities = vec![T::from_scalar(Scalar::Float(a)); n];
            let _ = bernoulli_p(g, &mut out, &probabilities);
            assert!(bernoulli_p(g, &mut vec![false; n + 1], &probabilities).is_err());
        }
        element::<bool>(&g, n, a, from, to);
        element::<u8>(&g, n, a, from, to);
        element::<i8>(&g, n, a, from, to);
        element::<i64>(&g, n, a, from, to);
        element::<half::f16>(&g, n, a, from, to);
        element::<f64>(&g, n, a, from, to);
        float::<half::bf16>(&g, n, a, b);
        float::<f32>(&g, n, a, b);
        float::<f64>(&g, n, a, b);
        let _ = randperm(&g, &mut vec![0u8; 3 * n]);
        let _ = randperm(&g, &mut vec![false; n]);
        let _ = randperm(&g, &mut vec![0f32; n]);
        let categories = from.unsigned_abs() as usize;
        let _ = multinomial(&g, &vec![a; n], categories, &mut vec![0; n / 2]);
        let _ = multinomial(&g, &vec![0.5f32; n], n, &mut vec![0; n / 3]);
    }
}

/// A program names at most 32 inputs; what cannot be called says so.
#[test]
fn programs_are_bounded() {
    for n in [32usize, 33, 64, 256, 1000] {
        let sum = Pointwise::new(|b| (0..n).fold(b.constant(0.0), |sum, i| sum + b.mask(i)));
        assert_eq!(sum.check().is_ok(), n <= Pointwise::MAX_INPUTS, "{n}");
        assert_eq!((0..n + 70).filter(|&i| sum.is_mask(i)).count(), n.min(64), "{n}");
    }
    let long = Pointwise::new(|b| (0..300).fold(b.input(0), |x, i| x + b.scalar(i)));
    assert!(long.check().is_err());
}
