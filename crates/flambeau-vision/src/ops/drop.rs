//! Dropping whole samples and blocks of pixels.

use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, ops, options};
use flambeau_nn::functional as F;
use flambeau_nn::{Module, ModuleState, forward};
use flambeau_tensor::print::py_float;

/// Zeroes the samples of a batch (`"row"`) or the whole batch (`"batch"`) with probability `p` and scales the others by
/// 1/(1 − p), while training: `torchvision.ops.stochastic_depth(input, p, mode, training)`.
///
/// ```
/// use torch::vision::ops::stochastic_depth;
/// let x = torch::ones([4, 2]);
/// assert!(stochastic_depth(&x, 0.5, "row", false).equal(&x));
/// ```
///
/// # Panics
/// When p is no probability or there is no such mode.
#[track_caller]
pub fn stochastic_depth(input: impl AsTensor, p: impl Number, mode: &str, training: bool) -> Tensor {
    let (x, p) = (input.as_tensor(), p.to_f64());
    assert!((0.0..=1.0).contains(&p), "drop probability has to be between 0 and 1, but got {}", py_float(p));
    assert!(matches!(mode, "batch" | "row"), "mode has to be either 'batch' or 'row', but got {mode}");
    if !training || p == 0.0 {
        return x.shallow_clone();
    }
    let mut size = vec![1; x.dim()];
    if mode == "row" {
        size[0] = x.size()[0];
    }
    let survival = 1.0 - p;
    let noise = ops::empty(&size, x.dtype(), x.device()).or_panic().bernoulli_(survival);
    if survival > 0.0 {
        noise.div_(survival);
    }
    x.mul(noise)
}

/// [`stochastic_depth`] as a layer: `torchvision.ops.StochasticDepth(p, mode)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct StochasticDepth {
    /// The probability that a sample is zeroed.
    pub p: f64,
    /// `"row"` or `"batch"`.
    pub mode: String,
    state: ModuleState,
}

impl StochasticDepth {
    /// With a probability and `"row"` or `"batch"`.
    #[track_caller]
    pub fn new(p: impl Number, mode: impl Into<String>) -> Self {
        StochasticDepth { p: p.to_f64(), mode: mode.into(), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("p={}, mode={}", py_float(self.p), self.mode)
    }
}

#[forward]
impl StochasticDepth {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        stochastic_depth(x, self.p, &self.mode, self.state.training())
    }
}

options! {
    /// Options of [`drop_block2d_with`].
    #[derive(Clone)]
    DropBlockOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
        /// What is added to the number of kept pixels before it divides (1e-6).
        eps: f64 = 1e-6,
        /// Whether anything is dropped (true).
        training: bool = true,
    }
}

/// Zeroes square blocks of `[n, channels, height, width]` and scales the rest: `torchvision.ops.drop_block2d(input, p, block_size)`.
///
/// # Panics
/// When p is no probability, the input has other than 4 dimensions, or the block's size is even.
#[track_caller]
pub fn drop_block2d(input: impl AsTensor, p: impl Number, block_size: impl Int) -> Tensor {
    drop_block2d_with(input, p, block_size, |o| o)
}

/// [`drop_block2d`] with options: `inplace`, `eps`, `training`.
///
/// # Panics
/// As [`drop_block2d`].
#[track_caller]
pub fn drop_block2d_with(
    input: impl AsTensor,
    p: impl Number,
    block_size: impl Int,
    options: impl FnOnce(DropBlockOptions) -> DropBlockOptions,
) -> Tensor {
    drop_block(input.as_tensor(), p.to_f64(), block_size.to_i64(), &options(DropBlockOptions::default()))
}

#[track_caller]
fn drop_block(x: &Tensor, p: f64, block_size: i64, o: &DropBlockOptions) -> Tensor {
    assert!((0.0..=1.0).contains(&p), "drop probability has to be between 0 and 1, but got {}.", py_float(p));
    assert!(x.dim() == 4, "input should be 4 dimensional. Got {} dimensions.", x.dim());
    if !o.training || p == 0.0 {
        return x.shallow_clone();
    }
    let [n, c, h, w] = x.sizes::<[usize; 4]>().map(|n| n as i64);
    let block = block_size.min(w).min(h);
    assert!(block % 2 != 0, "block size should be odd. Got {block} which is even.");
    let (rows, columns) = (h - block + 1, w - block + 1);
    // As many blocks are begun as drop a share p of the pixels.
    let gamma = p * (h * w) as f64 / ((block * block) * (rows * columns)) as f64;
    let size = [n, c, rows, columns].map(|n| n as usize);
    let noise = ops::empty(&size, x.dtype(), x.device()).or_panic().bernoulli_(gamma);
    let noise = F::pad(&noise, [block / 2; 4]);
    let noise = F::max_pool2d_with(&noise, [block, block], |o| o.stride(1).padding(block / 2));
    let kept = noise.neg().add(1);
    let scale = kept.sum().add(o.eps).reciprocal().mul(kept.numel() as f64);
    if o.inplace { x.mul_(&kept).mul_(&scale) } else { x.mul(&kept).mul(&scale) }
}

/// [`drop_block2d`] as a layer: `torchvision.ops.DropBlock2d(p, block_size)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct DropBlock2d {
    p: f64,
    block_size: i64,
    options: DropBlockOptions,
    state: ModuleState,
}

impl DropBlock2d {
    /// With the share of dropped pixels and the blocks' side.
    #[track_caller]
    pub fn new(p: impl Number, block_size: impl Int) -> Self {
        Self::with(p, block_size, |o| o)
    }

    /// With options: `inplace`, `eps`. Whether anything is dropped is the layer's training flag.
    #[track_caller]
    pub fn with(
        p: impl Number,
        block_size: impl Int,
        options: impl FnOnce(DropBlockOptions) -> DropBlockOptions,
    ) -> Self {
        let options = options(DropBlockOptions::default());
        DropBlock2d { p: p.to_f64(), block_size: block_size.to_i64(), options, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        let inplace = if self.options.inplace { "True" } else { "False" };
        format!("p={}, block_size={}, inplace={inplace}", py_float(self.p), self.block_size)
    }
}

#[forward]
impl DropBlock2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let options = self.options.clone().training(self.state.training());
        drop_block(x, self.p, self.block_size, &options)
    }
}
