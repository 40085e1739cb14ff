//! Digit sets and transforms against torchvision's arithmetic.

use flambeau_autograd::Tensor;
use flambeau_data::{Collate, DataLoader, Dataset};
use flambeau_vision::datasets::{MNIST, SyntheticDigits};
use flambeau_vision::transforms::{Compose, Image, Lambda, Normalize, ToTensor, Transform};

#[test]
fn batches_equal_their_samples() {
    let normalized = Compose((ToTensor, Normalize::new([0.1307], [0.3081])));
    let table = Transform::<Image>::grey_table(&normalized, None).unwrap();
    let plain = SyntheticDigits::with(true, |o| o.seed(3).length(20).transform(normalized));
    assert_eq!(
        (plain.len(), plain.data().size(), plain.targets().size()),
        (20, [20, 28, 28].into_size(), [20].into_size())
    );
    let indices = [7, 0, 19, 7];
    let (images, labels) = plain.get_batch(&indices).unwrap().unwrap();
    let samples = indices.map(|i| plain.get(i).unwrap()).into();
    let (expected, expected_labels) = <(Tensor, i64)>::collate(samples).unwrap();
    assert_eq!((images.size(), images.to_vec::<f32>()), (expected.size(), expected.to_vec::<f32>()));
    assert_eq!(labels.to_vec::<i64>(), expected_labels.to_vec::<i64>());
    assert_eq!(images.size(), [4, 1, 28, 28]);
    // (torch.tensor([0., 1., 255.]).div(255) - 0.1307) / 0.3081 in float32.
    assert_eq!([table[0], table[1], table[255]], [-0.424_212_96, -0.411_484_72, 2.821_486_7]);
}

/// A size to compare with.
trait IntoSize {
    fn into_size(self) -> flambeau_autograd::Size;
}

impl<const N: usize> IntoSize for [i64; N] {
    fn into_size(self) -> flambeau_autograd::Size {
        flambeau_autograd::empty(self).size()
    }
}

#[test]
fn transforms_of_ones_own_are_applied_to_each_sample() {
    let brighter = Compose((ToTensor, Lambda(|x: Tensor| x.mul(2.0))));
    let digits = SyntheticDigits::with(false, |o| o.length(5).transform(brighter));
    assert!(digits.get_batch(&[0]).is_none());
    let loader = DataLoader::new(digits, 5);
    let (images, labels) = loader.iter().next().unwrap();
    let bytes = loader.dataset().data().to_vec::<u8>();
    let expected: Vec<f32> = bytes.iter().map(|&v| f32::from(v) / 255.0 * 2.0).collect();
    assert_eq!(images.to_vec::<f32>(), expected);
    assert_eq!(labels.to_vec::<i64>(), loader.dataset().targets().to_vec::<i64>());
    let x = flambeau_autograd::ones([2, 3]);
    assert!(Normalize::new([0.5], [0.5]).apply(x).is_err());
}

#[test]
fn a_missing_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(MNIST::new(dir.path(), true).err().unwrap().to_string().contains("train-images-idx3-ubyte"));
}
