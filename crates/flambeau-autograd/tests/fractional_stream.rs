//! Fractional pooling draws where its windows start from the default generator, which is one for all threads: a program of its own.

use flambeau_autograd::ops::{
    FractionalMaxPoolOptions, fractional_max_pool2d_with_indices, fractional_max_pool3d_with_indices,
};
use flambeau_autograd::{Tensor, arange, rand};
use flambeau_device::manual_seed;
use flambeau_tensor::DType;

/// Places that PyTorch 2.15 finds after the same seed, and the number that it draws next.
#[test]
fn the_random_stream_is_pytorchs() {
    let x = arange(84).mul(5).remainder(17).view([1, 2, 7, 6]);
    let options = FractionalMaxPoolOptions::default().output_size((3, 4));
    let found = |x: Tensor| fractional_max_pool2d_with_indices(&x, &[2], &options).unwrap().1.to_vec::<i64>();

    manual_seed(3);
    let expected = [6, 2, 3, 10, 13, 20, 20, 23, 37, 37, 33, 40, 1, 2, 4, 5, 19, 19, 22, 22, 36, 32, 39, 35];
    assert_eq!(found(x.to(DType::F32)), expected);
    assert!((rand([1]).item() - 0.47161436).abs() < 1e-6);

    manual_seed(3);
    let expected = [6, 2, 3, 10, 19, 20, 27, 23, 37, 37, 33, 40, 1, 2, 2, 5, 19, 19, 15, 22, 36, 32, 39, 35];
    assert_eq!(found(x.to(DType::F64)), expected);
    assert!((rand([1]).item() - 0.59442121).abs() < 1e-6);

    manual_seed(5);
    let options = FractionalMaxPoolOptions::default().output_size((3, 1, 3));
    let x = x.to(DType::F32).view([1, 7, 3, 4]);
    let (_, indices) = fractional_max_pool3d_with_indices(&x, &[3, 2, 1], &options).unwrap();
    assert_eq!(indices.to_vec::<i64>(), [20, 33, 23, 44, 57, 47, 64, 81, 71]);
    assert!((rand([1]).item() - 0.81992704).abs() < 1e-6);
}
