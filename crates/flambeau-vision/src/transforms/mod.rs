//! What is done to images before they are samples: `torchvision.transforms`.
//!
//! The transforms take images and tensors `[…, c, h, w]`, owned or borrowed, and keep the kind; [`functional`] has them as
//! functions, [`v2`] under v2's names. On images they are Pillow's, byte for byte; on tensors torchvision's, differentiable
//! where PyTorch's are. Random ones draw from the default generator what torchvision draws, in its order: after the same
//! `manual_seed` they choose the same. Where torchvision uses Python's `random` ([`RandomChoice`], [`RandomOrder`]) the
//! numbers come from the default generator too, and the choices differ.
//!
//! ```
//! use flambeau_vision::transforms::{ColorJitter, Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor, Transform};
//! use flambeau_vision::{Image, Mode};
//!
//! let train = Compose((
//!     RandomCrop::with(32, |o| o.padding(4)),
//!     RandomHorizontalFlip::new(),
//!     ColorJitter::with(|o| o.brightness(0.2).hue((-0.1, 0.1))),
//!     ToTensor,
//!     Normalize::new([0.491, 0.482, 0.447], [0.247, 0.243, 0.262]),
//! ));
//! let image = Image::filled(Mode::RGB, (32, 32), &[200, 100, 50]);
//! assert_eq!(train.call(&image).size(), [3, 32, 32]);
//! ```

mod attempt;
mod augment;
mod batch;
mod convert;
mod draw;
mod erasing;
mod five;
pub mod functional;
mod jitter;
mod lists;
mod modes;
pub mod options;
mod picture;
mod pil;
mod place;
mod randomly;
mod sizes;
mod step;
mod tensor;
mod turn;
pub mod v2;

pub use crate::image::{Image, Mode};
pub use augment::{
    AugmentOptions, AutoAugment, AutoAugmentOptions, AutoAugmentPolicy, RandAugment, RandAugmentOptions,
    TrivialAugmentWide,
};
pub use batch::{CutMix, MixOptions, MixUp};
pub use convert::{ConvertImageDtype, Grayscale, LinearTransformation, Normalize, PILToTensor, ToPILImage, ToTensor};
pub use erasing::{ErasingOptions, RandomErasing};
pub use five::{FiveCrop, TenCrop};
pub use jitter::{ColorJitter, GaussianBlur, JitterOptions};
pub use lists::{RandomApply, RandomChoice, RandomOrder};
pub use modes::{InterpolationMode, PaddingMode};
pub use picture::{Picture, Sample, View};
pub use place::{CenterCrop, Pad, RandomCrop, RandomCropOptions, RandomResizedCrop, RandomResizedCropOptions, Resize};
pub use randomly::{
    Chance, RandomAdjustSharpness, RandomAutocontrast, RandomEqualize, RandomGrayscale, RandomHorizontalFlip,
    RandomInvert, RandomPosterize, RandomSolarize, RandomVerticalFlip, Randomly,
};
pub use step::{Compose, GreyTable, Lambda, OnImage, OnTensor, Step, Transform, steps};
pub use turn::{
    ElasticOptions, ElasticTransform, RandomAffine, RandomAffineOptions, RandomPerspective, RandomPerspectiveOptions,
    RandomRotation,
};
