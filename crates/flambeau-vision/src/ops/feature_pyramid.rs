//! Feature maps of several sizes, each with what the smaller ones know.

use super::{Conv2dNormActivation, NormLayer, norm_layer};
use flambeau_autograd::Tensor;
use flambeau_autograd::arguments::Int;
use flambeau_nn::functional as F;
use flambeau_nn::{
    self as nn, Forward, LoadProgress, Module, ModuleList, ModuleState, StateDict, StateDictHooks, forward, init,
};

/// Feature maps under names, from the largest to the smallest: Python's ordered dict.
pub type FeatureMaps = Vec<(String, Tensor)>;

/// A smaller map on top of the smallest, every other pixel of it, under the name `pool`: `LastLevelMaxPool()`.
#[derive(Module)]
pub struct LastLevelMaxPool {
    state: ModuleState,
}

/// Two smaller maps on top, `p6` and `p7`, by strided convolutions: `LastLevelP6P7(in_channels, out_channels)`.
#[derive(Module)]
pub struct LastLevelP6P7 {
    from_results: bool,
    /// To `p6`.
    pub p6: nn::Conv2d,
    /// To `p7`.
    pub p7: nn::Conv2d,
    state: ModuleState,
}

/// What a pyramid adds on top of its results. The last of its own maps and of its inputs are given.
pub trait ExtraFPNBlock: Forward<(Tensor, Tensor), FeatureMaps> {}

impl LastLevelMaxPool {
    /// Every other pixel of the smallest result.
    pub fn new() -> Self {
        LastLevelMaxPool { state: ModuleState::new() }
    }
}

impl Default for LastLevelMaxPool {
    fn default() -> Self {
        Self::new()
    }
}

#[forward]
impl LastLevelMaxPool {
    #[track_caller]
    fn forward(&self, result: &Tensor, _input: &Tensor) -> FeatureMaps {
        vec![("pool".to_owned(), F::max_pool2d_with(result, (1, 1), |o| o.stride(2)))]
    }
}

impl ExtraFPNBlock for LastLevelMaxPool {}

impl LastLevelP6P7 {
    /// From the smallest result where both channels are equal, else from the smallest input.
    #[track_caller]
    pub fn new(in_channels: impl Int, out_channels: impl Int) -> Self {
        let (from, to) = (in_channels.to_usize(), out_channels.to_usize());
        let conv = |from| nn::Conv2d::with(from, to, 3, |o| o.stride(2).padding(1));
        let block = LastLevelP6P7 { from_results: from == to, p6: conv(from), p7: conv(to), state: ModuleState::new() };
        draw(&block);
        block
    }
}

#[forward]
impl LastLevelP6P7 {
    #[track_caller]
    fn forward(&self, result: &Tensor, input: &Tensor) -> FeatureMaps {
        let p6 = self.p6.call(if self.from_results { result } else { input });
        let p7 = self.p7.call(p6.relu());
        vec![("p6".to_owned(), p6), ("p7".to_owned(), p7)]
    }
}

impl ExtraFPNBlock for LastLevelP6P7 {}

/// Draws the first numbers of convolutions.
#[track_caller]
fn draw(model: &impl Module) {
    crate::models::draw(
        model,
        |conv| {
            init::kaiming_uniform_with_(&conv.weight, |o| o.a(1));
            if let Some(bias) = &conv.bias {
                init::zeros_(bias);
            }
        },
        |_| {},
    );
}

/// Options of [`FeaturePyramidNetwork`].
#[derive(Default)]
pub struct FeaturePyramidOptions {
    extra_blocks: Option<Box<dyn Forward<(Tensor, Tensor), FeatureMaps>>>,
    norm_layer: Option<NormLayer>,
}

impl FeaturePyramidOptions {
    /// What is added on top: [`LastLevelMaxPool`] or [`LastLevelP6P7`] (nothing).
    #[must_use]
    pub fn extra_blocks(mut self, blocks: impl ExtraFPNBlock) -> Self {
        self.extra_blocks = Some(Box::new(blocks));
        self
    }

    /// What makes the normalisation behind each convolution (none).
    #[must_use]
    pub fn norm_layer<M: Forward>(mut self, norm: impl Fn(usize) -> M + Send + Sync + 'static) -> Self {
        self.norm_layer = Some(norm_layer(norm));
        self
    }
}

/// Feature maps of several sizes brought to as many channels, each summed with the smaller ones, enlarged:
/// `torchvision.ops.FeaturePyramidNetwork(in_channels_list, out_channels)`.
///
/// ```
/// use torch::vision::ops::FeaturePyramidNetwork;
/// let pyramid = FeaturePyramidNetwork::new(&[10, 20], 5);
/// let maps = [("a", torch::ones((1, 10, 8, 8))), ("b", torch::ones((1, 20, 4, 4)))];
/// let maps = pyramid.call(maps.map(|(name, x)| (name.to_string(), x)).to_vec());
/// assert_eq!(maps[1].0, "b");
/// assert_eq!(maps[0].1.size(), [1, 5, 8, 8]);
/// ```
#[derive(Module)]
#[module(versions)]
pub struct FeaturePyramidNetwork {
    /// 1×1 convolutions of the inputs.
    pub inner_blocks: ModuleList<Conv2dNormActivation>,
    /// 3×3 convolutions of the sums.
    pub layer_blocks: ModuleList<Conv2dNormActivation>,
    /// What is added on top.
    pub extra_blocks: Option<Box<dyn Forward<(Tensor, Tensor), FeatureMaps>>>,
    state: ModuleState,
}

impl FeaturePyramidNetwork {
    /// For inputs of so many channels each, the largest first.
    ///
    /// # Panics
    /// When an input has no channels.
    #[track_caller]
    pub fn new(in_channels_list: &[usize], out_channels: impl Int) -> Self {
        Self::with(in_channels_list, out_channels, |o| o)
    }

    /// With options: `extra_blocks`, `norm_layer`.
    ///
    /// # Panics
    /// When an input has no channels.
    #[track_caller]
    pub fn with(
        in_channels_list: &[usize],
        out_channels: impl Int,
        options: impl FnOnce(FeaturePyramidOptions) -> FeaturePyramidOptions,
    ) -> Self {
        let (to, options) = (out_channels.to_usize(), options(FeaturePyramidOptions::default()));
        let (mut inner_blocks, mut layer_blocks) = (ModuleList::default(), ModuleList::default());
        for &from in in_channels_list {
            assert!(from != 0, "in_channels=0 is currently not supported");
            let block = |from, kernel: usize| {
                Conv2dNormActivation::with(from, to, |o| {
                    o.kernel_size(kernel).norm(options.norm_layer.clone()).without_activation()
                })
            };
            inner_blocks.push(block(from, 1));
            layer_blocks.push(block(to, 3));
        }
        let mut pyramid =
            FeaturePyramidNetwork { inner_blocks, layer_blocks, extra_blocks: None, state: ModuleState::new() };
        draw(&pyramid);
        pyramid.register_load_state_dict_pre_hook(|_, state, progress| numbered(state, progress));
        pyramid.extra_blocks = options.extra_blocks;
        pyramid
    }

    fn version(&self) -> i64 {
        2
    }

    fn added_since(&self, _version: Option<i64>) -> &'static [&'static str] {
        &[]
    }
}

/// In state dicts of the first version each block was a convolution, not a sequence that begins with one.
fn numbered(state: &mut StateDict, progress: &LoadProgress<'_>) {
    if progress.version.is_some_and(|version| version >= 2) {
        return;
    }
    let blocks = ["inner_blocks.", "layer_blocks."].map(|blocks| format!("{}{blocks}", progress.prefix));
    let renamed = |key: &str| {
        let (block, tensor) = blocks.iter().find_map(|blocks| key.strip_prefix(&**blocks))?.split_once('.')?;
        let start = key.len() - block.len() - 1 - tensor.len();
        matches!(tensor, "weight" | "bias").then(|| format!("{}{block}.0.{tensor}", &key[..start]))
    };
    let keys: Vec<(String, String)> = state.keys().filter_map(|key| Some((key.to_owned(), renamed(key)?))).collect();
    for (old, new) in keys {
        if let Some(tensor) = state.remove(&old) {
            state.insert(new, tensor);
        }
    }
}

#[forward]
impl FeaturePyramidNetwork {
    #[track_caller]
    fn forward(&self, x: &[(String, Tensor)]) -> FeatureMaps {
        let mut results = FeatureMaps::new();
        let mut above: Option<Tensor> = None;
        let blocks = self.inner_blocks.iter().zip(&self.layer_blocks);
        for ((name, x), (inner, layer)) in x.iter().zip(blocks).rev() {
            let lateral = inner.call(x);
            let sum = match above {
                None => lateral,
                Some(above) => {
                    let (height, width) = (lateral.size_dim(-2), lateral.size_dim(-1));
                    lateral.add(F::interpolate(&above, |o| o.size((height, width)).mode("nearest")))
                }
            };
            results.push((name.clone(), layer.call(&sum)));
            above = Some(sum);
        }
        results.reverse();
        if let (Some(extra), Some((_, last)), Some((_, input))) = (&self.extra_blocks, results.last(), x.last()) {
            let more = extra.call_ref((last, input));
            results.extend(more);
        }
        results
    }
}
