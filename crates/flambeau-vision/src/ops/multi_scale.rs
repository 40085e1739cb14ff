//! Regions of feature maps of several sizes.

use super::{box_area, roi_align_with};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_nn::{Lengths, Module, ModuleState, forward};
use flambeau_tensor::DType;
use std::sync::Mutex;

/// Options of [`MultiScaleRoIAlign`].
#[derive(Clone)]
pub struct MultiScaleRoIAlignOptions {
    canonical_scale: i64,
    canonical_level: i64,
}

impl MultiScaleRoIAlignOptions {
    /// The side of a box that is looked up in the map of the canonical level (224).
    #[must_use]
    #[track_caller]
    pub fn canonical_scale(mut self, scale: impl Int) -> Self {
        self.canonical_scale = scale.to_i64();
        self
    }

    /// The level of boxes of the canonical scale: the map is `2^level` times smaller than the image (4).
    #[must_use]
    #[track_caller]
    pub fn canonical_level(mut self, level: impl Int) -> Self {
        self.canonical_level = level.to_i64();
        self
    }
}

/// How many times smaller the maps are than the images, as the first call found.
#[derive(Clone)]
struct Levels {
    scales: Vec<f64>,
    lowest: i64,
    highest: i64,
}

impl Levels {
    /// From the heights of the maps and of the highest image: factors are powers of two.
    #[track_caller]
    fn new(maps: &[&Tensor], image_shapes: &[(usize, usize)]) -> Self {
        assert!(!image_shapes.is_empty(), "images list should not be empty");
        assert!(!maps.is_empty(), "list index out of range");
        let height = image_shapes.iter().map(|shape| shape.0).max().unwrap_or(0);
        let power = |map: &&Tensor| {
            let scale = map.size_dim(-2) as f64 / height as f64;
            (scale as f32).log2().round_ties_even()
        };
        let powers: Vec<f32> = maps.iter().map(power).collect();
        Levels {
            scales: powers.iter().map(|&power| 2f64.powf(power.into())).collect(),
            lowest: -powers[0] as i64,
            highest: -powers[powers.len() - 1] as i64,
        }
    }

    /// Which map each box belongs to, `[k]`: the larger the box, the smaller the map.
    #[track_caller]
    fn of(&self, boxes: &[Tensor], o: &MultiScaleRoIAlignOptions) -> Tensor {
        let areas: Vec<Tensor> = boxes.iter().map(box_area).collect();
        let sides = ops::cat(&areas, 0).or_panic().sqrt();
        let levels = sides.div(o.canonical_scale).log2().add(o.canonical_level).add(1e-6).floor();
        levels.clamp(self.lowest, self.highest).to(DType::I64).sub(self.lowest)
    }
}

/// [`roi_align`](super::roi_align) on the one of several feature maps that suits a box's size:
/// `torchvision.ops.MultiScaleRoIAlign(featmap_names, output_size, sampling_ratio)`.
///
/// It is called with maps under names, the boxes `[n, 4]` of each image, and each image's (height, width); the result is
/// `[boxes, channels, height, width]`. How much smaller the maps are is found at the first call, as in torchvision. Boxes whose level
/// has no map give zeros.
///
/// ```
/// use torch::vision::ops::MultiScaleRoIAlign;
/// let align = MultiScaleRoIAlign::new(&["a", "b"], 3, 2);
/// let maps = [("a", torch::ones((1, 5, 64, 64))), ("b", torch::ones((1, 5, 32, 32)))];
/// let maps = maps.map(|(name, x)| (name.to_string(), x)).to_vec();
/// let boxes = vec![torch::tensor([[10.0, 10.0, 50.0, 60.0], [0.0, 0.0, 400.0, 500.0]])];
/// assert_eq!(align.call(maps, boxes, vec![(512, 512)]).size(), [2, 5, 3, 3]);
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct MultiScaleRoIAlign {
    featmap_names: Vec<String>,
    output_size: [usize; 2],
    sampling_ratio: i64,
    options: MultiScaleRoIAlignOptions,
    levels: Mutex<Option<Levels>>,
    state: ModuleState,
}

impl MultiScaleRoIAlign {
    /// For the maps of these names, of outputs of a size (height, width), with so many points along each side of a part.
    #[track_caller]
    pub fn new(
        featmap_names: &[impl AsRef<str>],
        output_size: impl Into<Lengths<2>>,
        sampling_ratio: impl Int,
    ) -> Self {
        Self::with(featmap_names, output_size, sampling_ratio, |o| o)
    }

    /// With options: `canonical_scale`, `canonical_level`.
    #[track_caller]
    pub fn with(
        featmap_names: &[impl AsRef<str>],
        output_size: impl Into<Lengths<2>>,
        sampling_ratio: impl Int,
        options: impl FnOnce(MultiScaleRoIAlignOptions) -> MultiScaleRoIAlignOptions,
    ) -> Self {
        MultiScaleRoIAlign {
            featmap_names: featmap_names.iter().map(|name| name.as_ref().to_owned()).collect(),
            output_size: output_size.into().each(),
            sampling_ratio: sampling_ratio.to_i64(),
            options: options(MultiScaleRoIAlignOptions { canonical_scale: 224, canonical_level: 4 }),
            levels: Mutex::new(None),
            state: ModuleState::new(),
        }
    }

    fn extra_repr(&self) -> String {
        let names: Vec<String> = self.featmap_names.iter().map(|name| format!("'{name}'")).collect();
        let ([height, width], ratio) = (self.output_size, self.sampling_ratio);
        format!("featmap_names=[{}], output_size=({height}, {width}), sampling_ratio={ratio}", names.join(", "))
    }
}

#[forward]
impl MultiScaleRoIAlign {
    #[track_caller]
    fn forward(&self, x: &[(String, Tensor)], boxes: &[Tensor], image_shapes: &[(usize, usize)]) -> Tensor {
        let maps: Vec<&Tensor> =
            x.iter().filter(|(name, _)| self.featmap_names.contains(name)).map(|(_, map)| map).collect();
        let levels = {
            let mut kept = self.levels.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            kept.get_or_insert_with(|| Levels::new(&maps, image_shapes)).clone()
        };
        let part = |map: &Tensor, regions: &Tensor, scale: f64| {
            roi_align_with(map, regions, self.output_size, |o| {
                o.spatial_scale(scale).sampling_ratio(self.sampling_ratio)
            })
        };
        let regions = super::roi::RegionBoxes::regions(boxes);
        if let [map] = maps[..] {
            return part(map, &regions, levels.scales[0]);
        }
        let of_boxes = levels.of(boxes, &self.options);
        let (first, [height, width]) = (maps[0], self.output_size);
        let shape = [regions.size_dim(0), first.size_dim(1), height, width];
        let mut result = ops::zeros(&shape, first.dtype(), first.device()).or_panic();
        for (level, (map, &scale)) in maps.into_iter().zip(&levels.scales).enumerate() {
            let of_level = of_boxes.eq(level as i64).nonzero().view([-1]);
            let found = part(map, &regions.index_select(0, &of_level), scale);
            result = result.index_copy(0, &of_level, &found.to(first.dtype()));
        }
        result
    }
}
