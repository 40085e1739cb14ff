//! The optional arguments of the functions and transforms.

use super::{InterpolationMode, PaddingMode};
use crate::image::Mode;
use crate::options::options;

options! {
    /// Options of [`resize_with`](super::functional::resize_with) and [`Resize`](super::Resize).
    ResizeOptions {
        /// How values between pixels are found (`"bilinear"`).
        interpolation: InterpolationMode = InterpolationMode::Bilinear,
        /// The most that the longer edge may have, where the size is one integer (none).
        max_size: Option<i64> = None,
        /// Whether a smaller tensor is a mean of all pixels that it covers, in the modes `"bilinear"` and `"bicubic"` (true).
        /// Images always are.
        antialias: bool = true,
    }
}

options! {
    /// Options of [`pad_with`](super::functional::pad_with) and [`Pad`](super::Pad).
    PadOptions {
        /// The value of constant padding; for images also one for each band (0).
        fill: Vec<f64> = vec![0.0],
        /// What stands around the image: `"constant"`, `"edge"`, `"reflect"` or `"symmetric"` (`"constant"`).
        padding_mode: PaddingMode = PaddingMode::Constant,
    }
}

options! {
    /// Options of [`rotate_with`](super::functional::rotate_with).
    RotateOptions {
        /// How values between pixels are found (`"nearest"`).
        interpolation: InterpolationMode = InterpolationMode::Nearest,
        /// Whether the output is large enough for all of the turned image (false).
        expand: bool = false,
        /// The pixel that stays, (x, y) from the upper left corner (the image's middle).
        center: Option<[f64; 2]> = None,
        /// The value outside the image, one for all or one per channel (black).
        fill: Option<Vec<f64>> = None,
    }
}

options! {
    /// Options of [`affine_with`](super::functional::affine_with).
    AffineOptions {
        /// How values between pixels are found (`"nearest"`).
        interpolation: InterpolationMode = InterpolationMode::Nearest,
        /// The value outside the image, one for all or one per channel (black).
        fill: Option<Vec<f64>> = None,
        /// The pixel that turns and shears leave where it is, (x, y) from the upper left corner (the image's middle).
        center: Option<[f64; 2]> = None,
    }
}

options! {
    /// Options of [`perspective_with`](super::functional::perspective_with) and
    /// [`elastic_transform_with`](super::functional::elastic_transform_with).
    PerspectiveOptions {
        /// How values between pixels are found (`"bilinear"`).
        interpolation: InterpolationMode = InterpolationMode::Bilinear,
        /// The value outside the image, one for all or one per channel (black).
        fill: Option<Vec<f64>> = None,
    }
}

options! {
    /// Options of [`gaussian_blur_with`](super::functional::gaussian_blur_with).
    BlurOptions {
        /// The standard deviation, one for both directions or one along x and one along y (0.15 · kernel_size + 0.35).
        sigma: Option<Vec<f64>> = None,
    }
}

options! {
    /// The option of [`to_pil_image_with`](super::functional::to_pil_image_with) and [`ToPILImage`](super::ToPILImage).
    ImageOptions {
        /// The image's mode, which the number of channels must allow (what they say).
        mode: Option<Mode> = None,
    }
}

options! {
    /// The option of [`rgb_to_grayscale_with`](super::functional::rgb_to_grayscale_with) and [`Grayscale`](super::Grayscale).
    GrayscaleOptions {
        /// 1 channel, or 3 equal ones (1).
        num_output_channels: i64 = 1,
    }
}

options! {
    /// The option of [`ten_crop_with`](super::functional::ten_crop_with) and [`TenCrop`](super::TenCrop).
    TenCropOptions {
        /// Whether the second five are upside down instead of left to right (false).
        vertical_flip: bool = false,
    }
}

options! {
    /// The option of [`adjust_gamma_with`](super::functional::adjust_gamma_with).
    GammaOptions {
        /// What the power is multiplied by (1).
        gain: f64 = 1.0,
    }
}

options! {
    /// The option of [`RandomApply`](super::RandomApply).
    ApplyOptions {
        /// The probability (0.5).
        p: f64 = 0.5,
    }
}

options! {
    /// The option of [`RandomChoice`](super::RandomChoice).
    ChoiceOptions {
        /// A weight for each step (equal ones).
        p: Option<Vec<f64>> = None,
    }
}
