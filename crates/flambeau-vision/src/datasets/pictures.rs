//! Images of one size in memory, with labels: what CIFAR and STL10 are once they are read.

use super::options::Transforms;
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use flambeau_autograd::{Tensor, from_slice};

/// RGB images of a side length, plane by plane as in the files, their labels, and what makes samples of them.
pub(super) struct Pictures {
    side: usize,
    planes: Vec<u8>,
    labels: Vec<i64>,
    transforms: Transforms,
}

impl Pictures {
    pub fn new(side: usize, planes: Vec<u8>, labels: Vec<i64>, transforms: Transforms) -> Self {
        debug_assert_eq!(planes.len(), labels.len() * 3 * side * side);
        Pictures { side, planes, labels, transforms }
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        if index >= self.len() {
            let n = self.len();
            return Err(Error::Value(format!("index {index} is out of range for a dataset of {n} samples")));
        }
        let plane = self.side * self.side;
        let planes = &self.planes[index * 3 * plane..(index + 1) * 3 * plane];
        let pixels = (0..plane).flat_map(|i| [planes[i], planes[plane + i], planes[2 * plane + i]]).collect();
        let image = Image::new(Mode::RGB, (self.side, self.side), pixels);
        self.transforms.sample(image, self.labels[index])
    }

    /// All images as bytes `[n, 3, side, side]`.
    pub fn data(&self) -> Tensor {
        from_slice(&self.planes, [self.len(), 3, self.side, self.side])
    }

    /// All labels.
    pub fn targets(&self) -> Tensor {
        from_slice(&self.labels, [self.len()])
    }
}

/// What the sets of such images have in common: `(image [3, side, side] float32, label)` samples, and the raw bytes.
macro_rules! picture_sets {
    ($($set:ident),+) => {$(
        impl $set {
            /// All images as bytes `[n, 3, h, w]` (uint8).
            pub fn data(&self) -> flambeau_autograd::Tensor {
                self.pictures.data()
            }

            /// All labels `[n]` (int64), before `target_transform`.
            pub fn targets(&self) -> flambeau_autograd::Tensor {
                self.pictures.targets()
            }
        }

        impl flambeau_data::Dataset for $set {
            type Item = (flambeau_autograd::Tensor, i64);
            fn len(&self) -> usize {
                self.pictures.len()
            }
            fn get(&self, index: usize) -> flambeau_data::Result<(flambeau_autograd::Tensor, i64)> {
                Ok(self.pictures.get(index)?)
            }
        }
    )+};
}
pub(super) use picture_sets;
