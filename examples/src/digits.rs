//! Where the digits example gets its images, and how good a model is on them.

use crate::plot::Score;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use torch::nn::{Call, Forward, functional as F};
use torch::utils::data::Dataset;
use torch::vision::datasets::{MNIST, SyntheticDigits};
use torch::{Device, Tensor};

/// Images with labels from 0 to 9 that can be had all at once.
pub trait DigitSet: Dataset<Item = (Tensor, i64)> + 'static {
    /// All images as bytes `[n, 28, 28]`.
    fn images(&self) -> Tensor;
    /// All labels `[n]`.
    fn labels(&self) -> Tensor;
}

impl DigitSet for MNIST {
    fn images(&self) -> Tensor {
        self.data()
    }
    fn labels(&self) -> Tensor {
        self.targets()
    }
}

impl DigitSet for SyntheticDigits {
    fn images(&self) -> Tensor {
        self.data()
    }
    fn labels(&self) -> Tensor {
        self.targets()
    }
}

/// One part of the digits, whichever set it is of.
pub type Digits = Arc<dyn DigitSet>;

/// How many images the library draws to train on and to test with.
const DRAWN: [usize; 2] = [10_000, 2_000];

/// Training and test images of a folder; without one, of the cache or a fresh download; without a network, drawn ones. The
/// folder name `synthetic` asks for drawn ones.
///
/// # Errors
/// When a folder is given that does not have the files, or they are damaged.
pub fn find(folder: Option<&Path>) -> torch::utils::data::Result<[Digits; 2]> {
    let both = |train, test| -> [Digits; 2] { [Arc::new(train), Arc::new(test)] };
    match folder {
        Some(folder) if folder == Path::new("synthetic") => Ok(drawn()),
        Some(folder) => Ok(both(MNIST::new(folder, true)?, MNIST::new(folder, false)?)),
        None => {
            let cache = cache();
            let part = |train| MNIST::with(&cache, train, |o| o.download(true));
            match part(true).and_then(|train| Ok(both(train, part(false)?))) {
                Ok(parts) => Ok(parts),
                Err(_) => {
                    println!("No MNIST in {} and no way to download it: training on synthetic digits", cache.display());
                    Ok(drawn())
                }
            }
        }
    }
}

/// The drawn images.
pub fn drawn() -> [Digits; 2] {
    let part = |train, length| SyntheticDigits::with(train, |o| o.length(length));
    [Arc::new(part(true, DRAWN[0])), Arc::new(part(false, DRAWN[1]))]
}

/// The user's cache folder.
fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    base.join("flambeau")
}

/// Images that go through the model at once when it is scored.
const SCORED_AT_ONCE: i64 = 1000;

/// The share of images that a model names right.
pub fn accuracy(model: &impl Forward, images: &Tensor, labels: &Tensor, device: Device) -> f64 {
    score(|x| model.call(x), images, labels, device).accuracy
}

/// The mean cross entropy of what `model` makes of images `[n, 1, 28, 28]` from 0 to 1, and the share that it names right.
pub fn score(model: impl Fn(Tensor) -> Tensor, images: &Tensor, labels: &Tensor, device: Device) -> Score {
    let _guard = torch::no_grad();
    let (images, labels) = (images.split(SCORED_AT_ONCE, 0), labels.split(SCORED_AT_ONCE, 0));
    let (mut loss, mut right, mut count) = (0.0, 0.0, 0.0);
    for (images, labels) in images.iter().zip(&labels) {
        let labels = labels.to(device);
        let out = model(as_floats(images).to(device));
        let n = labels.numel() as f64;
        loss += n * F::cross_entropy(&out, &labels).item();
        right += out.argmax_dim(1, false).eq(&labels).sum().item();
        count += n;
    }
    Score { loss: loss / count, accuracy: right / count }
}

/// Bytes `[n, 28, 28]` as images `[n, 1, 28, 28]` from 0 to 1.
pub fn as_floats(images: &Tensor) -> Tensor {
    images.float().div(255).unsqueeze(1)
}

/// Scores a model on the first `n` test images, and says how good it is there.
pub fn test(model: impl Fn(Tensor) -> Tensor, test: &Digits, n: usize, device: Device) -> Score {
    let n = n.min(test.len());
    let score = score(model, &test.images().i(..n), &test.labels().i(..n), device);
    let right = (score.accuracy * n as f64).round();
    println!("Test set: Average loss: {:.4}, Accuracy: {right}/{n}", score.loss);
    score
}

/// With the mean and deviation that scripts on MNIST normalise by.
pub fn normalize(images: Tensor) -> Tensor {
    (images - 0.1307) / 0.3081
}
