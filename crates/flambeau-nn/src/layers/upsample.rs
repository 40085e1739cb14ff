//! Resizing.

use super::py_tuple;
use crate::{Module, ModuleState, forward};
use flambeau_autograd::ops::{self, InterpolateMode, InterpolateOptions};
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_tensor::print::py_float;
use std::marker::PhantomData;

/// What tells the layers that resize apart.
pub trait UpsamplingKind: Send + Sync + 'static {
    /// The layer's name in prints.
    const NAME: &'static str;

    /// What the layer has instead of the options that it does not take.
    fn fixed(options: InterpolateOptions) -> InterpolateOptions;
}

/// The kinds of resizing.
pub mod upsampling_kinds {
    use super::{InterpolateMode, InterpolateOptions, UpsamplingKind};

    /// In any mode.
    pub struct Any;
    /// To the nearest element.
    pub struct Nearest2d;
    /// Linear in both directions, the corners staying where they are.
    pub struct Bilinear2d;

    impl UpsamplingKind for Any {
        const NAME: &'static str = "Upsample";
        fn fixed(options: InterpolateOptions) -> InterpolateOptions {
            options
        }
    }

    impl UpsamplingKind for Nearest2d {
        const NAME: &'static str = "UpsamplingNearest2d";
        fn fixed(options: InterpolateOptions) -> InterpolateOptions {
            InterpolateOptions { mode: InterpolateMode::Nearest, align_corners: None, ..options }
        }
    }

    impl UpsamplingKind for Bilinear2d {
        const NAME: &'static str = "UpsamplingBilinear2d";
        fn fixed(options: InterpolateOptions) -> InterpolateOptions {
            InterpolateOptions { mode: InterpolateMode::Bilinear, align_corners: Some(true), ..options }
        }
    }
}

/// A layer that resizes the spatial dimensions of [n, channels, …]: [`Upsample`], [`UpsamplingNearest2d`],
/// [`UpsamplingBilinear2d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct Upsampling<K: UpsamplingKind> {
    options: InterpolateOptions,
    kind: PhantomData<K>,
    state: ModuleState,
}

impl<K: UpsamplingKind> Upsampling<K> {
    /// With options: `size` or `scale_factor`; [`Upsample`] also takes `mode`, `align_corners` and `recompute_scale_factor`.
    #[track_caller]
    pub fn with(options: impl FnOnce(InterpolateOptions) -> InterpolateOptions) -> Self {
        let options = K::fixed(options(InterpolateOptions::default()));
        Upsampling { options, kind: PhantomData, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        K::NAME
    }

    fn extra_repr(&self) -> String {
        let one_or_all = |list: Vec<String>| if list.len() == 1 { list[0].clone() } else { py_tuple(&list) };
        let o = &self.options;
        let to = match (&o.scale_factor, &o.size) {
            (Some(scales), _) => {
                format!("scale_factor={}", one_or_all(scales.iter().map(|&s| py_float(s)).collect()))
            }
            (None, Some(size)) => format!("size={}", one_or_all(size.iter().map(i64::to_string).collect())),
            (None, None) => "size=None".to_owned(),
        };
        format!("{to}, mode='{}'", o.mode.name())
    }
}

#[forward]
impl<K: UpsamplingKind> Upsampling<K> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::interpolate(x, &self.options).or_panic()
    }
}

/// Resizes to a size or by a factor: `nn.Upsample(size, scale_factor, mode, align_corners)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let up = nn::Upsample::with(|o| o.scale_factor(2).mode("bilinear"));
/// assert_eq!(up.call(flambeau_autograd::ones([1, 3, 4, 5])).size(), [1, 3, 8, 10]);
/// assert_eq!(up.to_string(), "Upsample(scale_factor=2.0, mode='bilinear')");
/// ```
pub type Upsample = Upsampling<upsampling_kinds::Any>;
/// Resizes [n, channels, height, width] by repeating elements: `nn.UpsamplingNearest2d(size, scale_factor)`.
pub type UpsamplingNearest2d = Upsampling<upsampling_kinds::Nearest2d>;
/// Resizes [n, channels, height, width] by linear interpolation between its corners: `nn.UpsamplingBilinear2d(size, scale_factor)`.
pub type UpsamplingBilinear2d = Upsampling<upsampling_kinds::Bilinear2d>;
