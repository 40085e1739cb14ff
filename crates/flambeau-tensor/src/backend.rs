//! What a device must be able to do: the primitives that every operation is made of.
//!
//! The enums are closed and the trait has no default bodies, so a backend that lacks a primitive or a function does not
//! compile. Broadcasting, promotion and allocation happen above, in [`crate::ops`]; that all shapes agree here and nothing overlaps
//! that may not is what a [`Checked`] call says.

use crate::calls::{
    AdaptiveAvgPool, AdaptiveAvgPoolBackward, ArgReduce, AvgPool, AvgPoolBackward, CheckIndex, Checked, Conv,
    ConvInputGrad, ConvWeightGrad, CopyTo, Ctc, CtcBackward, Gather, IndexSelect, Map, MapLists, Matmul, MaxPool,
    MaxPoolBackward, Nll, NllBackward, Nonzero, Normalize, NormalizeBackward, Random, Reduce, RefuseWhere, Resample,
    ResampleBackward, Scan, Scatter, SearchSorted, Softmax, SoftmaxBackward, Sort,
};
use crate::dims::Dims;
use crate::{Array, DType, Device, Result, Storage};
use smallvec::SmallVec;

/// How [`Backend::reduce`] combines values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// Σ; zero without values.
    Sum,
    /// Π; one without values.
    Prod,
    /// The largest; NaN if any is. Needs a value.
    Max,
    /// The smallest; NaN if any is. Needs a value.
    Min,
    /// Whether any is not zero.
    Any,
    /// Whether all are not zero.
    All,
}

impl ReduceOp {
    /// Every way, in the order of the enum.
    pub const ALL: [ReduceOp; 6] =
        [ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min, ReduceOp::Any, ReduceOp::All];
}

/// What [`Backend::arg_reduce`] and [`Backend::sort`] look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extremum {
    /// The largest value; NaN counts as larger than all.
    Max,
    /// The smallest value; NaN counts as smaller than all.
    Min,
}

/// Running reductions along a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScanOp {
    /// Running sum.
    Sum,
    /// Running product.
    Prod,
}

/// How [`Backend::scatter`] combines a value with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScatterOp {
    /// Replaces it (the last value wins where an index repeats).
    Set,
    /// Adds to it.
    Add,
    /// Multiplies it.
    Mul,
    /// Keeps the larger; NaN wins.
    Max,
    /// Keeps the smaller; NaN wins.
    Min,
}

impl ScatterOp {
    /// Every way, in the order of the enum.
    pub const ALL: [ScatterOp; 5] = [ScatterOp::Set, ScatterOp::Add, ScatterOp::Mul, ScatterOp::Max, ScatterOp::Min];
}

/// What becomes of the losses of single lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossReduction {
    /// They stay.
    None,
    /// Their sum over the sum of their weights.
    Mean,
    /// Their sum.
    Sum,
}

/// The classes that [`Backend::nll`] measures a prediction by.
#[derive(Clone, Copy)]
pub struct ClassTargets<'a> {
    /// The class of each line, i64, in the prediction's shape but of length 1 along the classes' dimension; any strides.
    pub classes: &'a Array,
    /// A weight for each class, `[C]`, in the prediction's dtype.
    pub weight: Option<&'a Array>,
    /// The class that counts for nothing.
    pub ignore_index: i64,
    /// What becomes of the losses.
    pub reduction: LossReduction,
}

/// Which elements of an array [`Backend::normalize`] normalises together.
#[derive(Clone, Debug)]
pub struct NormLayout {
    /// The shape that the array is viewed in.
    pub shape: Dims,
    /// The dimensions of it that a mean is taken over; those that stay are neighbours.
    pub dims: SmallVec<[i64; 6]>,
    /// The shape of weight and bias in it: lengths 1 where elements share one.
    pub params: Dims,
    /// Added to the variance.
    pub eps: f64,
}

/// What [`Backend::normalize`] gives. The statistics have length 1 where a mean was taken, and are f32 for f16 and bf16.
pub struct Normalized {
    /// The normalised array.
    pub out: Array,
    /// The means.
    pub mean: Array,
    /// The sums of squared deviations from them.
    pub deviation: Array,
    /// 1 / √(variance + ε).
    pub inverse_std: Array,
}

/// What [`Backend::normalize_backward`] is of.
#[derive(Clone, Copy)]
pub struct NormBackward<'a> {
    /// The result's gradient, in the layout's shape.
    pub grad: &'a Array,
    /// The array that was normalised.
    pub x: &'a Array,
    /// Of [`Normalized`].
    pub mean: &'a Array,
    /// Of [`Normalized`].
    pub inverse_std: &'a Array,
    /// The weight, in the layout's shape of parameters.
    pub weight: Option<&'a Array>,
    /// How it was normalised.
    pub layout: &'a NormLayout,
}

/// What follows a matrix product in the same kernel, before the result is stored.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Added to every row of the result; shape `[n]`, any stride.
    pub bias: Option<&'a Array>,
    /// Whether relu follows.
    pub relu: bool,
}

/// Geometry of a convolution over one to three spatial dimensions. Unused leading dimensions have stride, dilation and
/// kernel 1 and padding 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Spatial dimensions: 1, 2 or 3.
    pub ndim: usize,
    /// Step between outputs.
    pub stride: [usize; 3],
    /// Zeros before and after each spatial dimension.
    pub padding: [usize; 3],
    /// Step between kernel taps.
    pub dilation: [usize; 3],
    /// Groups that input and output channels are split in.
    pub groups: usize,
}

/// Geometry of a pooling window over one to three spatial dimensions (unused leading ones as in [`ConvGeometry`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    /// Spatial dimensions: 1, 2 or 3.
    pub ndim: usize,
    /// Window lengths.
    pub kernel: [usize; 3],
    /// Step between windows.
    pub stride: [usize; 3],
    /// Padding before and after.
    pub padding: [usize; 3],
    /// Step between elements of a window (max pooling).
    pub dilation: [usize; 3],
}

/// How [`Backend::avg_pool`] divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AvgPoolDivisor {
    /// Whether padded zeros count.
    pub count_include_pad: bool,
    /// A divisor for every window, in place of its size.
    pub divisor_override: Option<i64>,
}

/// How [`Backend::resample`] finds values between pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResampleMode {
    /// The pixel that `floor(i / scale)` falls on.
    Nearest,
    /// The pixel that the centre falls on: `floor((i + 1/2) / scale)`.
    NearestExact,
    /// (Bi-, tri-)linear between neighbours; `align_corners` maps corner pixels to corner pixels.
    Linear {
        /// Whether the corner pixels' centres coincide.
        align_corners: bool,
    },
}

/// What [`Backend::random`] draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Uniform over [from, to).
    Uniform {
        /// Lower end.
        from: f64,
        /// Upper end, excluded.
        to: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Normal, drawn one by one: what PyTorch's CPU does to a tensor that is not contiguous, where [`Distribution::Normal`]
    /// draws blocks of 16. On a GPU both are the same.
    SerialNormal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// One with probability p, else zero.
    Bernoulli {
        /// The probability of one.
        p: f64,
    },
    /// Uniform integers over [from, to).
    Integers {
        /// Smallest.
        from: i64,
        /// Past the largest.
        to: i64,
    },
    /// Uniform integers over all that the dtype can hold (floats: all integers up to the mantissa's precision):
    /// `random_()`.
    FullRange,
    /// Exponential with rate λ.
    Exponential {
        /// λ.
        rate: f64,
    },
}

/// The arrays of one run of a program in [`Backend::pointwise_lists`].
#[derive(Clone, Debug)]
pub struct PointwiseList {
    /// What the program reads, in the shape of `outs`.
    pub inputs: SmallVec<[Array; 4]>,
    /// What it writes; each may be the very view of an input.
    pub outs: SmallVec<[Array; 4]>,
}

/// A device's primitives. Their arguments come checked, see [`crate::calls`]. `out` arrays are allocated by the caller. pointwise,
/// copy, reduce and matmul write through any view; the others get a dense `out`, and dense inputs where the calls say so. An `out`
/// never overlaps an input, except that pointwise may get the very same view as input and output. A call whose arrays lie on no
/// device of the backend is an error.
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// Whether arrays of this dtype can lie on the device.
    fn supports(&self, device: Device, dtype: DType) -> Result<()>;
    /// Memory for `nbytes` bytes of elements of `dtype`, which a device may store wider; what it holds is unspecified.
    fn alloc(&'static self, device: Device, nbytes: usize, dtype: DType) -> Result<Storage>;
    /// Enlarges a storage and keeps its bytes.
    fn grow(&'static self, storage: &Storage, nbytes: usize) -> Result<()>;
    /// Writes bytes to a dense array, as many as it has.
    fn upload(&self, bytes: &[u8], out: &Array) -> Result<()>;
    /// Reads a dense array, all of its bytes.
    fn download(&self, src: &Array, bytes: &mut [u8]) -> Result<()>;
    /// Waits until all work on the device is done.
    fn synchronize(&self, device: Device) -> Result<()>;

    /// out = src, between any strides, converting the dtype as `Tensor.to` does.
    fn copy(&self, call: &Checked<CopyTo<'_>>) -> Result<()>;
    /// Runs a program; inputs are converted to the dtype that it computes in.
    fn pointwise(&self, call: &Checked<Map<'_>>) -> Result<()>;
    /// Runs a program once for each list, as [`Backend::pointwise`] does, where possible in one launch: an optimizer's step
    /// over all parameters.
    fn pointwise_lists(&self, call: &Checked<MapLists<'_>>) -> Result<()>;
    /// Reduces a program of one output over dimensions.
    fn reduce(&self, call: &Checked<Reduce<'_>>) -> Result<()>;
    /// Index (and value) of the extremum along a dimension, the first where several are equal.
    fn arg_reduce(&self, call: &Checked<ArgReduce<'_>>) -> Result<()>;
    /// Running reduction along a dimension, in `out`'s dtype.
    fn scan(&self, call: &Checked<Scan<'_>>) -> Result<()>;
    /// Sorts along a dimension, stably; `values` and `indices` keep the first k.
    fn sort(&self, call: &Checked<Sort<'_>>) -> Result<()>;

    /// Where each value would stand in sorted boundaries.
    fn search_sorted(&self, call: &Checked<SearchSorted<'_>>) -> Result<()>;

    /// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\], then the epilogue; `[batch, m, k] · [batch, k, n]`, any strides.
    fn matmul(&self, call: &Checked<Matmul<'_>>) -> Result<()>;

    /// Convolution (cross-correlation) of `[n, c, …]` with `[o, c/groups, …]`.
    fn conv(&self, call: &Checked<Conv<'_>>) -> Result<()>;
    /// Gradient of [`Backend::conv`] for its input (also the transposed convolution).
    fn conv_input_grad(&self, call: &Checked<ConvInputGrad<'_>>) -> Result<()>;
    /// Gradient of [`Backend::conv`] for its weight.
    fn conv_weight_grad(&self, call: &Checked<ConvWeightGrad<'_>>) -> Result<()>;

    /// Max pooling of `[planes, d, h, w]`; `indices` are flat within a plane.
    fn max_pool(&self, call: &Checked<MaxPool<'_>>) -> Result<()>;
    /// Adds each gradient to the element that its index names, in place of what `out` holds. An index outside is an error.
    fn max_pool_backward(&self, call: &Checked<MaxPoolBackward<'_>>) -> Result<()>;
    /// Average pooling of `[planes, d, h, w]`.
    fn avg_pool(&self, call: &Checked<AvgPool<'_>>) -> Result<()>;
    /// Gradient of [`Backend::avg_pool`].
    fn avg_pool_backward(&self, call: &Checked<AvgPoolBackward<'_>>) -> Result<()>;
    /// Average over windows that tile the input to `out`'s lengths.
    fn adaptive_avg_pool(&self, call: &Checked<AdaptiveAvgPool<'_>>) -> Result<()>;
    /// Gradient of [`Backend::adaptive_avg_pool`].
    fn adaptive_avg_pool_backward(&self, call: &Checked<AdaptiveAvgPoolBackward<'_>>) -> Result<()>;
    /// Resizes `[planes, d, h, w]` to `out`'s lengths.
    fn resample(&self, call: &Checked<Resample<'_>>) -> Result<()>;
    /// Gradient of [`Backend::resample`].
    fn resample_backward(&self, call: &Checked<ResampleBackward<'_>>) -> Result<()>;

    /// out\[…i…\] = src\[…index\[…i…\]…\] along a dimension. An index outside is an error.
    fn gather(&self, call: &Checked<Gather<'_>>) -> Result<()>;
    /// out\[…index\[…i…\]…\] ⊕= src\[…i…\] along a dimension. An index outside is an error.
    fn scatter(&self, call: &Checked<Scatter<'_>>) -> Result<()>;
    /// out = src with only the lines that the index names along a dimension. An index outside is an error.
    fn index_select(&self, call: &Checked<IndexSelect<'_>>) -> Result<()>;
    /// What [`CheckIndex`] asks.
    fn check_index(&self, call: &Checked<CheckIndex<'_>>) -> Result<Array>;
    /// What [`RefuseWhere`] asks.
    fn refuse_where(&self, call: &Checked<RefuseWhere<'_>>) -> Result<()>;
    /// The indices of elements that are not zero, in row-major order: i64 `[n, ndim]`.
    fn nonzero(&self, call: &Checked<Nonzero<'_>>) -> Result<Array>;

    /// softmax (or its logarithm) along a dimension, in f32 for f16 and bf16.
    fn softmax(&self, call: &Checked<Softmax<'_>>) -> Result<()>;
    /// Gradient of [`Backend::softmax`] for its input, of the result's gradient and the result.
    fn softmax_backward(&self, call: &Checked<SoftmaxBackward<'_>>) -> Result<Array>;
    /// Negative log-likelihood of log-probabilities, and the sum of the lines' weights where a mean was divided by it. See
    /// [`crate::ops::nll`].
    fn nll(&self, call: &Checked<Nll<'_>>) -> Result<(Array, Option<Array>)>;
    /// Gradient of [`Backend::nll`] for its input, or for the logits behind it where the log-probabilities are given. See
    /// [`crate::ops::nll_backward`].
    fn nll_backward(&self, call: &Checked<NllBackward<'_>>) -> Result<Array>;
    /// The loss of connectionist temporal classification, and what its gradient needs.
    fn ctc(&self, call: &Checked<Ctc<'_>>) -> Result<(Array, Array)>;
    /// Gradient of [`Backend::ctc`] for its log-probabilities.
    fn ctc_backward(&self, call: &Checked<CtcBackward<'_>>) -> Result<Array>;

    /// Normalises an array of the layout's shape by its own statistics. [`crate::ops::normalize`] asks it.
    fn normalize(&self, call: &Checked<Normalize<'_>>) -> Result<Normalized>;
    /// Gradients of [`Backend::normalize`] for its input (in its dtype), weight (in its dtype) and bias (in the gradient's
    /// dtype), those that are wanted.
    fn normalize_backward(&self, call: &Checked<NormalizeBackward<'_>>) -> Result<[Option<Array>; 3]>;

    /// Fills a dense array with random numbers.
    fn random(&self, call: &Checked<Random<'_>>) -> Result<()>;
}
