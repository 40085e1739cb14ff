//! Words that options are given in.

use crate::error::{Error, Result};
use flambeau_autograd::OrPanic;

/// How values between pixels are found: `torchvision.transforms.InterpolationMode`. Setters also take its name,
/// `"bilinear"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InterpolationMode {
    /// The pixel below.
    Nearest,
    /// The pixel whose centre is nearest.
    NearestExact,
    /// Linear in both directions.
    Bilinear,
    /// Cubic in both directions.
    Bicubic,
    /// The mean over the area; images only.
    Box,
    /// A Hamming window; images only.
    Hamming,
    /// A windowed sinc; images only.
    Lanczos,
}

impl InterpolationMode {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Nearest, "nearest"),
        (Self::NearestExact, "nearest-exact"),
        (Self::Bilinear, "bilinear"),
        (Self::Bicubic, "bicubic"),
        (Self::Box, "box"),
        (Self::Hamming, "hamming"),
        (Self::Lanczos, "lanczos"),
    ];
    /// Python's `InterpolationMode.NEAREST`.
    pub const NEAREST: Self = Self::Nearest;
    /// Python's `InterpolationMode.NEAREST_EXACT`.
    pub const NEAREST_EXACT: Self = Self::NearestExact;
    /// Python's `InterpolationMode.BILINEAR`.
    pub const BILINEAR: Self = Self::Bilinear;
    /// Python's `InterpolationMode.BICUBIC`.
    pub const BICUBIC: Self = Self::Bicubic;
    /// Python's `InterpolationMode.BOX`.
    pub const BOX: Self = Self::Box;
    /// Python's `InterpolationMode.HAMMING`.
    pub const HAMMING: Self = Self::Hamming;
    /// Python's `InterpolationMode.LANCZOS`.
    pub const LANCZOS: Self = Self::Lanczos;

    /// torchvision's name: `mode.value`.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn is_nearest(self) -> bool {
        matches!(self, Self::Nearest | Self::NearestExact)
    }
}

impl std::str::FromStr for InterpolationMode {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        found.map(|(mode, _)| mode).ok_or_else(|| Error::Value(format!("'{name}' is not a valid InterpolationMode")))
    }
}

impl From<&str> for InterpolationMode {
    /// By torchvision's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}

/// What stands around a padded image. Setters also take its name, `"reflect"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaddingMode {
    /// The fill.
    Constant,
    /// The outermost pixel, again and again.
    Edge,
    /// The image mirrored at its outermost pixel, which is not repeated.
    Reflect,
    /// The image mirrored at its edge.
    Symmetric,
}

impl PaddingMode {
    /// The pixel of `0 … length − 1` that stands at `place`.
    pub(crate) fn source(self, place: i64, length: i64) -> i64 {
        match self {
            PaddingMode::Constant => place,
            PaddingMode::Edge => place.clamp(0, length - 1),
            PaddingMode::Reflect if length == 1 => 0,
            PaddingMode::Reflect => {
                let at = place.rem_euclid(2 * (length - 1));
                at.min(2 * (length - 1) - at)
            }
            PaddingMode::Symmetric => {
                let at = place.rem_euclid(2 * length);
                at.min(2 * length - 1 - at)
            }
        }
    }
}

impl std::str::FromStr for PaddingMode {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "constant" => Ok(PaddingMode::Constant),
            "edge" => Ok(PaddingMode::Edge),
            "reflect" => Ok(PaddingMode::Reflect),
            "symmetric" => Ok(PaddingMode::Symmetric),
            _ => Err(Error::Value("Padding mode should be either constant, edge, reflect or symmetric".into())),
        }
    }
}

impl From<&str> for PaddingMode {
    /// By torchvision's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}
