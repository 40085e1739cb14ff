//! Losses with a margin.

use crate::arguments::Number;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::mode::among_options;
use crate::ops::map::divided_sum_map;
use crate::ops::nn::loss::elementwise::{composed, reduced};
use crate::ops::nn::loss::rules;
use crate::ops::shape::view::iota;
use crate::ops::{Reduction, map, pairwise_distance, reshape, sum_map};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Finding, IndexRule, Scalar};
use smallvec::smallvec;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// x where it is above zero, else zero; NaN stays.
fn not_negative(x: Expr<'_>) -> Expr<'_> {
    x.le(0.0).select(0.0, x)
}

/// What of a gradient g passes through [`not_negative`]: all of it above zero, none at zero and NaN.
fn passing<'b>(x: Expr<'b>, g: Expr<'b>) -> Expr<'b> {
    x.gt(0.0).select(g, 0.0)
}

/// max(m − x, 0) unless t is the mark of likeness, plus x unless t is that of unlikeness
static HINGE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, t, [margin, like, unlike]) = (b.input(0), b.input(1), [0, 1, 2].map(|i| b.scalar(i)));
        t.ne(like).select(not_negative(margin - x), 0.0) + t.ne(unlike).select(x, 0.0)
    })
    .with_arguments(&["self", "target"])
    .with_gradient(|b, g, v, _| {
        let (x, t, [margin, like, unlike]) = (v[0], v[1], [0, 1, 2].map(|i| b.scalar(i)));
        let of_margin = passing(margin - x, t.ne(like).select(g, 0.0));
        vec![t.ne(unlike).select(g, 0.0) - of_margin, b.constant(0.0)]
    })
});
/// 1 where t is 1, 2 where it is −1
static SIDES: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(1).select(1, b.input(0).eq(-1).select(2, 0))));

options! {
    /// Options of `F::hinge_embedding_loss` and `nn::HingeEmbeddingLoss`.
    #[derive(Clone)]
    HingeEmbeddingLossOptions {
        /// How far apart unlike pairs shall be (1).
        margin: f64 = 1.0,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// x where the target is 1, max(margin − x, 0) where it is −1, in the dtype of x: `F.hinge_embedding_loss`. Options: `margin`,
/// `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([0.25, 0.25]), torch::tensor([1.0, -1.0]));
/// let losses = F::hinge_embedding_loss_with(&x, &target, |o| o.reduction("none"));
/// assert_eq!(losses.to_vec::<f32>(), [0.25, 0.75]);
/// ```
///
/// # Errors
/// When the sizes do not broadcast, x is of bools, or the mean is one of integers.
#[op(torch, functional, cast = Float32)]
pub fn hinge_embedding_loss(x: &Tensor, target: &Tensor, options: &HingeEmbeddingLossOptions) -> Result<Tensor> {
    let (margin, reduction) = (options.margin, options.reduction);
    reduction.check()?;
    let dtype = x.dtype();
    if dtype == DType::Bool {
        rules::difference(dtype, dtype)?;
    }
    rules::broadcast(target, x)?;
    // The target only chooses: no gradient flows to it, and its dtype does not count.
    let target = &target.detach();
    let number = |x: f64| if dtype.is_floating_point() { Scalar::Float(x) } else { Scalar::Int(x as i64) };
    let names = composed("AddBackward0");
    if target.dtype() == dtype {
        return reduced(names, &HINGE, &[x, target], &[margin, 1.0, -1.0].map(number), reduction);
    }
    let sides = ops::to_dtype(&map("NotDifferentiable", &SIDES, &[target], &[])?, dtype)?;
    reduced(names, &HINGE, &[x, &sides], &[margin, 1.0, 2.0].map(number), reduction)
}

/// −t, of what may be −t already.
fn negative(t: Expr<'_>, already: bool) -> Expr<'_> {
    if already { t } else { -t }
}

/// max(−t · (a − b) + m, 0); the second takes −t for t.
static RANKING: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|negated| {
        Pointwise::new(|b| not_negative(negative(b.input(2), negated) * (b.input(0) - b.input(1)) + b.scalar(0)))
            .with_arguments(&["input1", "input2", "target"])
            .with_gradient(move |b, g, v, _| {
                let (difference, side) = (v[0] - v[1], negative(v[2], negated));
                let g = passing(side * difference + b.scalar(0), g);
                let (of_first, of_side) = (side * g, difference * g);
                vec![of_first, -of_first, negative(of_side, negated)]
            })
    })
});
/// max(x + m, 0)
static ABOVE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| not_negative(b.input(0) + b.scalar(0))));

options! {
    /// Options of `F::margin_ranking_loss`.
    #[derive(Clone)]
    MarginRankingOptions {
        /// By how much one must rank above the other (0).
        margin: f64 = 0.0,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// max(−t · (input1 − input2) + margin, 0) with targets t of 1, where the first shall be larger, and −1:
/// `F.margin_ranking_loss`. Options: `margin`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (a, b) = (torch::tensor([3.0, 3.0]), torch::tensor([1.0, 1.0]));
/// let loss = F::margin_ranking_loss(&a, &b, &torch::tensor([1.0, -1.0]));
/// assert_eq!(loss.item(), 1.0);
/// ```
///
/// # Errors
/// When the numbers of dimensions differ, the sizes do not broadcast, or bools are subtracted.
#[op(torch, functional, cast = Float32)]
pub fn margin_ranking_loss(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    options: &MarginRankingOptions,
) -> Result<Tensor> {
    let (a, b, margin, reduction) = (input1, input2, options.margin, options.reduction);
    reduction.check()?;
    if a.dim() != b.dim() || a.dim() != target.dim() {
        return Err(Error::runtime(format!(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {}, input2: {}, \
             target: {} ",
            a.size(),
            b.size(),
            target.size()
        )));
    }
    rules::difference(a.dtype(), b.dtype())?;
    rules::negative(target)?;
    let shape = broadcast_shapes(&a.size(), &b.size())?;
    broadcast_shapes(&target.size(), &shape)?;
    let (names, scalars) = (composed("ClampMinBackward0"), [Scalar::Float(margin)]);
    if a.is_floating_point() || b.is_floating_point() || target.is_floating_point() {
        if target.is_floating_point() {
            return reduced(names, &RANKING[0], &[a, b, target], &scalars, reduction);
        }
        // An integer's negative is one: −0 is 0.
        return reduced(names, &RANKING[1], &[a, b, &ops::neg(target)?], &scalars, reduction);
    }
    // Integers are integers until the margin is added: they wrap.
    let ranked = ops::mul(&ops::neg(target)?, &ops::sub(a, b, 1)?)?;
    reduced(names, &ABOVE, &[&ranked], &scalars, reduction)
}

static PRODUCT: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)).with_arguments(&["input1", "input2"]));

/// Added to the squared lengths of a cosine's vectors; PyTorch holds it in float32 for every dtype.
const COSINE_EPS: f64 = 1e-12f32 as f64;

/// 1 − cos where t = 1, max(cos − m, 0) where t = −1; of a·b, |a|², |b|² and t. The gradient goes step by step, so that what is
/// infinite or NaN in one shows.
static COSINE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let cos = b.input(0) / ((b.input(1) + COSINE_EPS) * (b.input(2) + COSINE_EPS)).sqrt();
        let t = b.input(3);
        t.eq(1.0).select(1.0 - cos, 0.0) + t.eq(-1.0).select(not_negative(cos - b.scalar(0)), 0.0)
    })
    .with_arguments(&["product", "square1", "square2", "target"])
    .with_gradient(|b, g, v, _| {
        let (aa, bb, t) = (v[1] + COSINE_EPS, v[2] + COSINE_EPS, v[3]);
        let length = (aa * bb).sqrt();
        let cos = v[0] / length;
        let of_cos = passing(cos - b.scalar(0), t.eq(-1.0).select(g, 0.0)) - t.eq(1.0).select(g, 0.0);
        let of_square = -of_cos * (cos / length) / (length * 2.0);
        vec![of_cos / length, of_square * bb, of_square * aa, b.constant(0.0)]
    })
});

options! {
    /// Options of `F::cosine_embedding_loss`.
    #[derive(Clone)]
    CosineEmbeddingOptions {
        /// The cosine that different pairs may have (0).
        margin: f64 = 0.0,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// 1 − cos(input1, input2) where the target is 1, max(cos(input1, input2) − margin, 0) where it is −1; of `[n, d]` and targets
/// `[n]`, or `[d]` and one target: `F.cosine_embedding_loss`. Options: `margin`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (a, b) = (torch::tensor([1.0, 0.0]), torch::tensor([0.0, 1.0]));
/// assert_eq!(F::cosine_embedding_loss(&a, &b, &torch::tensor(1.0)).item(), 1.0);
/// assert_eq!(F::cosine_embedding_loss(&a, &b, &torch::tensor(-1.0)).item(), 0.0);
/// ```
///
/// # Errors
/// When the shapes do not fit.
#[op(torch, functional, cast = Float32)]
pub fn cosine_embedding_loss(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    options: &CosineEmbeddingOptions,
) -> Result<Tensor> {
    let (a, b, margin, reduction) = (input1, input2, options.margin, options.reduction);
    reduction.check()?;
    let (dims, inputs) = match target.dim() {
        0 => (1, "1D input tensors"),
        1 => (2, "2D input tensors"),
        _ => return Err(Error::runtime("0D or 1D target tensor expected, multi-target not supported")),
    };
    if a.dim() != dims || b.dim() != dims {
        return Err(Error::runtime(format!(
            "{}D target tensor expects {inputs}, but found inputs with sizes {:?} and {:?}.",
            target.dim(),
            &*a.size(),
            &*b.size()
        )));
    }
    let shape = broadcast_shapes(&a.size(), &b.size())?;
    broadcast_shapes(&target.size(), &shape[..dims - 1])?;
    let dot = |x, y| sum_map("SumBackward1", Some(&PRODUCT), &[x, y], &[], &[dims as i64 - 1], false, None);
    let (ab, aa, bb) = (dot(a, b)?, dot(a, a)?, dot(b, b)?);
    reduced(composed("AddBackward0"), &COSINE, &[&ab, &aa, &bb, &target.detach()], &[Scalar::Float(margin)], reduction)
}

/// max(m + p − n, 0)
static TRIPLET: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| not_negative(b.input(0) - b.input(1) + b.scalar(0)))
        .with_arguments(&["dist_pos", "dist_neg"])
        .with_gradient(|b, g, v, _| {
            let g = passing(v[0] - v[1] + b.scalar(0), g);
            vec![g, -g]
        })
});

options! {
    /// Options of `F::triplet_margin_loss`.
    #[derive(Clone, Copy, Debug)]
    TripletMarginOptions {
        /// By how much the negative must be farther (1).
        margin: f64 = 1.0,
        /// The norm's order (2).
        p: f64 = 2.0,
        /// Added to differences (1e-6).
        eps: f64 = 1e-6,
        /// Whether the distance of positive and negative counts where it is the smaller (false).
        swap: bool = false,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

fn check_triplet(anchor: &Tensor, positive: &Tensor, negative: &Tensor, margin: f64) -> Result<()> {
    if margin <= 0.0 {
        return Err(Error::value(format!("margin must be greater than 0, got {margin:?}")));
    }
    let dims = [anchor, positive, negative].map(Tensor::dim);
    if dims[0] != dims[1] || dims[1] != dims[2] {
        return Err(Error::runtime(format!(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor \
             {}D, positive {}D, and negative {}D inputs",
            dims[0], dims[1], dims[2]
        )));
    }
    Ok(())
}

/// max(d(anchor, positive) − d(anchor, negative) + margin, 0), d the p-norm of the difference: `F.triplet_margin_loss`. Options:
/// `margin`, `p`, `eps`, `swap`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let anchor = torch::tensor([[0.0, 0.0]]);
/// let (positive, negative) = (torch::tensor([[0.0, 3.0]]), torch::tensor([[2.0, 0.0]]));
/// assert!(F::triplet_margin_loss(&anchor, &positive, &negative).allclose(&torch::tensor(2.0)));
/// ```
///
/// # Errors
/// When the numbers of dimensions differ, or the margin is not positive.
#[op(torch, functional, cast = Float32)]
pub fn triplet_margin_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: &TripletMarginOptions,
) -> Result<Tensor> {
    let o = options;
    o.reduction.check()?;
    check_triplet(anchor, positive, negative, o.margin)?;
    let near = pairwise_distance(anchor, positive, o.p, o.eps, false)?;
    let mut far = pairwise_distance(anchor, negative, o.p, o.eps, false)?;
    if o.swap {
        far = ops::minimum(&far, &pairwise_distance(positive, negative, o.p, o.eps, false)?)?;
    }
    let names = composed("ClampMinBackward0");
    reduced(names, &TRIPLET, &[&near, &far], &[Scalar::Float(o.margin)], o.reduction)
}

/// A function of two tensors.
type OfTwo = dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync;

/// How far apart two tensors are, by a function of the user's: what [`TripletMarginWithDistanceLossOptions`] keeps.
#[derive(Clone)]
pub struct DistanceFunction(Arc<OfTwo>);

impl DistanceFunction {
    /// Of a function or closure.
    pub fn new(function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        DistanceFunction(Arc::new(function))
    }

    /// The distance of two tensors.
    #[track_caller]
    pub fn call(&self, x: &Tensor, y: &Tensor) -> Tensor {
        (self.0)(x, y)
    }
}

impl fmt::Debug for DistanceFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DistanceFunction")
    }
}

/// Options of `F::triplet_margin_with_distance_loss`.
#[derive(Clone, Debug)]
pub struct TripletMarginWithDistanceLossOptions {
    /// The distance; without, that of [`pairwise_distance`].
    pub distance_function: Option<DistanceFunction>,
    /// By how much the negative must be farther (1).
    pub margin: f64,
    /// Whether the distance of positive and negative counts where it is the smaller (false).
    pub swap: bool,
    /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
    pub reduction: Reduction,
}

impl Default for TripletMarginWithDistanceLossOptions {
    fn default() -> Self {
        TripletMarginWithDistanceLossOptions {
            distance_function: None,
            margin: 1.0,
            swap: false,
            reduction: Reduction::Mean,
        }
    }
}

impl TripletMarginWithDistanceLossOptions {
    /// The distance, a function or closure of two tensors (that of [`pairwise_distance`]).
    #[must_use]
    pub fn distance_function(mut self, f: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        self.distance_function = Some(DistanceFunction::new(f));
        self
    }

    /// By how much the negative must be farther (1).
    #[must_use]
    pub fn margin(mut self, margin: impl Number) -> Self {
        self.margin = margin.to_f64();
        self
    }

    /// Whether the distance of positive and negative counts where it is the smaller (false).
    #[must_use]
    pub fn swap(mut self, swap: bool) -> Self {
        self.swap = swap;
        self
    }

    /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
    #[track_caller]
    #[must_use]
    pub fn reduction(mut self, reduction: impl Into<Reduction>) -> Self {
        self.reduction = reduction.into();
        self
    }
}

/// max(m + p − n, 0)
static TRIPLET_OF_DISTANCES: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| not_negative(b.scalar(0) + b.input(0) - b.input(1)))
        .with_arguments(&["dist_pos", "dist_neg"])
        .with_gradient(|b, g, v, _| {
            let g = passing(b.scalar(0) + v[0] - v[1], g);
            vec![g, -g]
        })
});

/// max(d(anchor, positive) − d(anchor, negative) + margin, 0) with a distance d of the user's:
/// `F.triplet_margin_with_distance_loss`. Options: `distance_function`, `margin`, `swap`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let [anchor, positive, negative] = [[0.0, 0.0], [0.0, 3.0], [2.0, 0.0]].map(|x| torch::tensor([x]));
/// let loss = F::triplet_margin_with_distance_loss_with(&anchor, &positive, &negative, |o| {
///     o.distance_function(|x, y| (x - y).abs().sum_dim(-1, false)).margin(2)
/// });
/// assert_eq!(loss.item(), 3.0);
/// ```
///
/// # Errors
/// When the numbers of dimensions differ, or the margin is not positive.
#[op(functional)]
#[track_caller]
pub fn triplet_margin_with_distance_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: &TripletMarginWithDistanceLossOptions,
) -> Result<Tensor> {
    triplet_margin_by(anchor, positive, negative, options, &|x, y| match &options.distance_function {
        Some(function) => Ok(function.call(x, y)),
        None => pairwise_distance(x, y, 2.0, 1e-6, false),
    })
}

/// [`triplet_margin_with_distance_loss()`] with a distance in the place of its options'.
#[doc(hidden)]
#[track_caller]
pub fn triplet_margin_by(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: &TripletMarginWithDistanceLossOptions,
    distance: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let o = options;
    o.reduction.check()?;
    check_triplet(anchor, positive, negative, o.margin)?;
    let (near, mut far) = (distance(anchor, positive)?, distance(anchor, negative)?);
    if o.swap {
        far = ops::minimum(&far, &distance(positive, negative)?)?;
    }
    let names = composed("ClampMinBackward0");
    reduced(names, &TRIPLET_OF_DISTANCES, &[&near, &far], &[Scalar::Float(o.margin)], o.reduction)
}

/// A multi-margin loss's options as a program sees them: whether terms are squared, and whether they are weighted.
const MULTI_MARGINS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// f(z) times a weight, if there is one, for z = m − x_y + x_i where it is above zero and i is not y, else 0; of x, x_y, the
/// classes, y and the weight.
fn margin_terms(weighted: bool, f: impl for<'b> Fn(Expr<'b>) -> Expr<'b>) -> Pointwise {
    Pointwise::new(|b| {
        let z = b.scalar(0) - b.input(1) + b.input(0);
        let term = if weighted { f(z) * b.input(4) } else { f(z) };
        b.input(2).eq(b.input(3)).select(0.0, z.gt(0.0).select(term, 0.0))
    })
}

/// The terms of the loss.
static MULTI_MARGIN: LazyLock<[Pointwise; 4]> = LazyLock::new(|| {
    MULTI_MARGINS.map(|(squared, weighted)| margin_terms(weighted, move |z| if squared { z * z } else { z }))
});

/// Their slopes.
static MULTI_MARGIN_SLOPE: LazyLock<[Pointwise; 4]> = LazyLock::new(|| {
    MULTI_MARGINS
        .map(|(squared, weighted)| margin_terms(weighted, move |z| if squared { z * 2.0 } else { z.constant(1.0) }))
});

/// (h, or 0 − s where the class is y) · g / d, of the slopes h, their sum s, the classes, y and the incoming gradient.
static MULTI_MARGIN_GRADIENT: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (h, s, class, y, g) = (b.input(0), b.input(1), b.input(2), b.input(3), b.input(4));
        class.eq(y).select(0.0 - s, h) / b.scalar(0) * g
    })
});

options! {
    /// Options of `F::multi_margin_loss` and `nn::MultiMarginLoss`.
    #[derive(Clone, Debug)]
    MultiMarginOptions {
        /// The exponent, 1 or 2 (1).
        p: i64 = 1,
        /// By how much the target's class must lead (1).
        margin: f64 = 1.0,
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// Σ over classes i ≠ y of max(margin − x_y + x_i, 0)ᵖ / C, times the weight of y; of `[n, C]` (or `[C]`) and int64 targets
/// `[n]`: `F.multi_margin_loss`. p is 1 or 2. Options: `p`, `margin`, `weight`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let loss = F::multi_margin_loss(&torch::tensor([[3.0, 2.5]]), &torch::tensor([0]));
/// assert_eq!(loss.item(), 0.25);
/// ```
///
/// # Errors
/// When shapes, dtypes or options do not fit, or a target is no class.
#[op(functional, cast = Float32)]
pub fn multi_margin_loss(x: &Tensor, target: &Tensor, options: &MultiMarginOptions) -> Result<Tensor> {
    let weight = among_options(options.weight.as_ref())?;
    let (p, margin, weight, reduction) = (options.p, options.margin, weight.as_deref(), options.reduction);
    reduction.check()?;
    if p != 1 && p != 2 {
        return Err(Error::value("only p == 1 and p == 2 supported"));
    }
    if weight.is_some_and(|w| w.dim() != 1) {
        return Err(Error::value("weight must be one-dimensional"));
    }
    rules::without_gradient("multi_margin_loss", "weight", weight)?;
    let (size, target_size) = (x.size(), target.size());
    let (n, classes) = match *size {
        [] => (1, 1),
        [c] => (1, c),
        [n, c] => (n, c),
        _ => (0, 0),
    };
    if classes == 0 {
        return Err(Error::runtime(format!(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: {:?}",
            &*size
        )));
    }
    if target_size.len() > 1 || target.numel() != n {
        return Err(Error::runtime(format!(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). \
             Expected target size [{n}], but got {:?}. Input has shape {:?}.",
            &*target_size, &*size
        )));
    }
    if let Some(w) = weight.filter(|w| w.numel() != classes) {
        return Err(Error::runtime(format!("inconsistent weight size, expected {classes} but got {:?}", &*w.size())));
    }
    if target.dtype() != DType::I64 {
        return Err(Error::runtime(format!(
            "expected scalar type Long but found {}",
            target.dtype().scalar_type_name()
        )));
    }
    if x.device().is_cpu() && !matches!(x.dtype(), DType::F32 | DType::F64) {
        let (op, dtype) = ("multi_margin_loss_cpu_kernel", x.dtype());
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into());
    }
    if let Some(w) = weight {
        rules::same_scalar_type(x, w)?;
    }
    let rows = reshape(x, &[n as i64, classes as i64])?;
    let y = reshape(target, &[n as i64, 1])?;
    let y = ops::index::lines::places(&y, &IndexRule::strict(classes, Finding::MarginTarget, 0))?;
    let all = iota(classes, x)?;
    let of_class = weight.map(|w| reshape(&ops::index_select(w, 0, &reshape(&y, &[-1])?)?, &[-1, 1])).transpose()?;
    let which = usize::from(p == 2) * 2 + usize::from(of_class.is_some());
    let (dims, divisor): (&[i64], usize) = match reduction {
        Reduction::None => (&[1], classes),
        Reduction::Sum => (&[], classes),
        _ => (&[], n * classes),
    };
    let name = "MultiMarginLossBackward0";
    let scalars = [Scalar::Float(margin)];
    let out = {
        let (rows, program) = (rows.detach(), &MULTI_MARGIN[which]);
        let of_target = ops::gather(&rows, 1, &y)?;
        let mut inputs = vec![&rows, &of_target, &all, &y];
        inputs.extend(&of_class);
        divided_sum_map(name, Some(program), &inputs, &scalars, dims, false, None, Some(divisor))?
    };
    // A single sample has no dimension of losses.
    let out = if reduction == Reduction::None && size.len() < 2 { reshape(&out, &[])? } else { out };
    let mut saves = vec![Save::Tensor("self", x), Save::Array("labels", y.array().clone())];
    saves.extend(of_class.as_ref().map(|w| Save::Array("label_weights", w.array().clone())));
    // Of these only a copy is used.
    let (weighted, used) = (of_class.is_some(), saves.len());
    saves.push(Save::Tensor("target", target));
    saves.push(weight.map_or(Save::Nothing("weight"), |weight| Save::Tensor("weight", weight)));
    let per_row = if reduction == Reduction::None { [-1, 1] } else { [1, 1] };
    Ok(record(name, &[x], &saves, out.array().clone(), move |c| {
        c.unchanged(used)?;
        let (x, y, all) = (c.saved(0)?, c.saved(1)?, iota(classes, &c.saved(0)?)?);
        let of_class = weighted.then(|| c.saved(2)).transpose()?;
        let rows = reshape(&x, &[n as i64, classes as i64])?;
        let of_target = ops::gather(&rows, 1, &y)?;
        let mut inputs = vec![&rows, &of_target, &all, &y];
        inputs.extend(&of_class);
        let slopes = map(name, &MULTI_MARGIN_SLOPE[which], &inputs, &scalars)?;
        let sum = ops::sum(&slopes, &[1], true, None)?;
        let g = reshape(&c.grad(0)?, &per_row)?;
        let inputs = [&slopes, &sum, &all, &y, &g];
        let grad = map(name, &MULTI_MARGIN_GRADIENT, &inputs, &[Scalar::Int(divisor as i64)])?;
        Ok(smallvec![Some(reshape(&grad, &ops::to_i64(&x.size()))?)])
    }))
}
