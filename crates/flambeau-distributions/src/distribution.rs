//! What every distribution has: its shapes, the checks of its arguments, and the calls that users make.

use crate::constraints::Constraint;
use crate::fail;
use crate::value::text;
use flambeau_autograd::ops::IntoShape;
use flambeau_autograd::{AsTensor, Size, Tensor, at_caller, no_grad};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

static VALIDATE: AtomicBool = AtomicBool::new(true);

/// Whether distributions made from now on check their arguments: `Distribution.set_default_validate_args`. They do at first.
///
/// ```
/// use torch::distributions::{Normal, set_default_validate_args};
/// set_default_validate_args(false);
/// let broken = Normal::new(0.0, -1.0);
/// assert_eq!(broken.stddev().item(), -1.0);
/// # set_default_validate_args(true);
/// ```
pub fn set_default_validate_args(value: bool) {
    VALIDATE.store(value, Ordering::Relaxed);
}

/// The option that every distribution has.
///
/// ```
/// use torch::distributions::Normal;
/// let broken = Normal::with(0.0, -1.0, |o| o.validate_args(false));
/// assert_eq!(broken.stddev().item(), -1.0);
/// ```
#[derive(Clone, Copy, Default)]
pub struct ValidateOptions {
    pub(crate) validate_args: Option<bool>,
}

impl ValidateOptions {
    /// Whether arguments and values are checked (the default: [`set_default_validate_args`]).
    #[must_use]
    pub fn validate_args(mut self, validate_args: impl Into<Option<bool>>) -> Self {
        self.validate_args = validate_args.into();
        self
    }
}

/// The shapes of a distribution, and whether it checks what it is given.
#[derive(Clone, Debug)]
pub struct Frame {
    batch: Vec<usize>,
    event: Vec<usize>,
    validate: bool,
}

impl Frame {
    /// Of a distribution's batch and event shape; `None` checks as [`set_default_validate_args`] says.
    ///
    /// ```
    /// use torch::distributions::Frame;
    /// let frame = Frame::new([2], [3], None);
    /// assert_eq!(frame.extended(&[5]), [5, 2, 3]);
    /// ```
    pub fn new(batch: impl Into<Vec<usize>>, event: impl Into<Vec<usize>>, validate_args: Option<bool>) -> Self {
        let validate = validate_args.unwrap_or_else(|| VALIDATE.load(Ordering::Relaxed));
        Frame { batch: batch.into(), event: event.into(), validate }
    }

    /// The shape over which parameters are batched.
    pub fn batch(&self) -> &[usize] {
        &self.batch
    }

    /// The shape of one sample.
    pub fn event(&self) -> &[usize] {
        &self.event
    }

    /// Whether arguments and values are checked.
    pub fn validates(&self) -> bool {
        self.validate
    }

    /// The shape of a sample of `sample` draws: `sample + batch + event`.
    pub fn extended(&self, sample: &[usize]) -> Vec<usize> {
        [sample, &self.batch, &self.event].concat()
    }

    /// The same with another batch shape.
    #[must_use]
    pub fn with_batch(&self, batch: &[usize]) -> Self {
        Frame { batch: batch.to_vec(), event: self.event.clone(), validate: self.validate }
    }
}

/// How a distribution has one of its arguments, which says whether it is checked and printed.
pub enum Held {
    /// As a tensor of its own: checked and printed.
    Own(Tensor),
    /// Computed from others whenever it is asked for: checked, not printed.
    Computed(Tensor),
    /// Not computed yet: neither.
    Lazy,
}

/// An argument of a distribution, with what it has to satisfy.
pub struct Argument {
    /// PyTorch's name of it.
    pub name: &'static str,
    /// What it has to satisfy.
    pub constraint: Constraint,
    /// Its value.
    pub held: Held,
}

impl Argument {
    /// An argument that the distribution holds.
    pub fn own(name: &'static str, constraint: Constraint, value: &Tensor) -> Self {
        Argument { name, constraint, held: Held::Own(value.shallow_clone()) }
    }

    /// An argument that the distribution computes.
    pub fn computed(name: &'static str, constraint: Constraint, value: Tensor) -> Self {
        Argument { name, constraint, held: Held::Computed(value) }
    }
}

/// A probability distribution: what a kind of distribution implements. Users call the methods of `dyn Distribution` below, which
/// every distribution has without an import: `sample`, `rsample`, `log_prob`, `cdf`, `icdf` and the rest.
///
/// A distribution that is another one with other names (`Chi2` is a `Gamma`) names that as its `parent`, which then answers for
/// what it does not define.
///
/// ```
/// use torch::Tensor;
/// use torch::distributions::{Argument, Distribution, Frame, constraints};
/// /// All probability at one place.
/// struct Delta(Tensor, Frame);
/// impl Distribution for Delta {
///     fn class(&self) -> &'static str {
///         "Delta"
///     }
///     fn frame(&self) -> &Frame {
///         &self.1
///     }
///     fn arguments(&self) -> Vec<Argument> {
///         vec![Argument::own("value", constraints::real(), &self.0)]
///     }
///     fn support(&self) -> constraints::Constraint {
///         constraints::real()
///     }
///     fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
///         self.0.expand(self.frame().extended(shape))
///     }
///     fn mean(&self) -> Tensor {
///         self.0.shallow_clone()
///     }
/// }
/// let d = Delta(torch::tensor([2.0]), Frame::new([1], [], None));
/// let d: &dyn Distribution = &d;
/// assert_eq!(d.sample_shape((2,)).to_vec::<f32>(), [2.0, 2.0]);
/// assert_eq!(d.to_string(), "Delta(value: tensor([2.]))");
/// ```
pub trait Distribution: Any + Send + Sync {
    /// The name of the class in PyTorch.
    fn class(&self) -> &'static str;

    /// Its shapes, and whether it checks what it is given.
    fn frame(&self) -> &Frame {
        inherit(self, "shape").frame()
    }

    /// Its arguments, in the order of PyTorch's `arg_constraints`.
    fn arguments(&self) -> Vec<Argument> {
        Vec::new()
    }

    /// The more general distribution that this one is a case of.
    fn parent(&self) -> Option<&dyn Distribution> {
        None
    }

    /// The values that have a probability.
    fn support(&self) -> Constraint {
        inherit(self, "support").support()
    }

    /// Whether samples have gradients.
    fn has_rsample(&self) -> bool {
        self.parent().is_some_and(Distribution::has_rsample)
    }

    /// Whether all values can be listed.
    fn has_enumerate_support(&self) -> bool {
        self.parent().is_some_and(Distribution::has_enumerate_support)
    }

    /// Whether this is an exponential family, whose divergences follow from its natural parameters.
    fn is_exponential_family(&self) -> bool {
        self.parent().is_some_and(Distribution::is_exponential_family)
    }

    /// The distribution with its parameters expanded to another batch shape.
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        inherit(self, "expand").expand_batch(batch)
    }

    /// The mean.
    fn mean(&self) -> Tensor {
        inherit(self, "mean").mean()
    }

    /// The most probable value. Not the parent's, so that the error names this class.
    fn mode(&self) -> Tensor {
        let class = self.class();
        fail::other(format!("<class 'torch.distributions.{}.{class}'> does not implement mode", module(class)))
    }

    /// The variance.
    fn variance(&self) -> Tensor {
        inherit(self, "variance").variance()
    }

    /// The standard deviation.
    fn stddev(&self) -> Tensor {
        self.variance().sqrt()
    }

    /// The entropy, of the batch's shape.
    fn entropy(&self) -> Tensor {
        inherit(self, "entropy").entropy()
    }

    /// A sample of the shape `shape + batch + event`, without gradients.
    fn draw(&self, shape: &[usize]) -> Tensor {
        match self.parent() {
            Some(parent) => parent.draw(shape),
            None => {
                let _guard = no_grad();
                self.draw_reparameterized(shape)
            }
        }
    }

    /// A sample of the shape `shape + batch + event`, with gradients.
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        inherit(self, "rsample").draw_reparameterized(shape)
    }

    /// Whether [`log_density`](Distribution::log_density) wants the value checked; a distribution around another one leaves it to
    /// that one.
    fn checks_log_prob(&self) -> bool {
        true
    }

    /// The logarithm of the density or probability at a value that was checked.
    fn log_density(&self, value: &Tensor) -> Tensor {
        inherit(self, "log_prob").log_density(value)
    }

    /// Whether [`cumulative`](Distribution::cumulative) wants the value checked.
    fn checks_cdf(&self) -> bool {
        self.parent().is_none_or(Distribution::checks_cdf)
    }

    /// The probability of values up to this one.
    fn cumulative(&self, value: &Tensor) -> Tensor {
        inherit(self, "cdf").cumulative(value)
    }

    /// The value up to which the values have this probability.
    fn quantile(&self, probability: &Tensor) -> Tensor {
        inherit(self, "icdf").quantile(probability)
    }

    /// All values, along a new first dimension; `expand` to the batch's shape, else with ones in its place.
    fn enumerate(&self, expand: bool) -> Tensor {
        inherit(self, "enumerate_support").enumerate(expand)
    }

    /// The text of Python's `repr`.
    fn repr(&self) -> String {
        let argument = |a: Argument| match a.held {
            Held::Own(value) if value.numel() == 1 => Some(format!("{}: {}", a.name, text(&value))),
            Held::Own(value) => Some(format!("{}: {}", a.name, value.size())),
            _ => None,
        };
        let arguments: Vec<String> = self.arguments().into_iter().filter_map(argument).collect();
        format!("{}({})", self.class(), arguments.join(", "))
    }
}

/// The parent that answers for a distribution, or the error that nobody does.
fn inherit<'a, D: Distribution + ?Sized>(of: &'a D, what: &str) -> &'a dyn Distribution {
    match of.parent() {
        Some(parent) => parent,
        None => fail::other(format!("NotImplementedError: {} has no {what}", of.class())),
    }
}

/// PyTorch's module of a class.
fn module(class: &str) -> String {
    match class {
        "StudentT" => return "studentT".into(),
        "FisherSnedecor" => return "fishersnedecor".into(),
        "LKJCholesky" => return "lkj_cholesky".into(),
        "LowRankMultivariateNormal" => return "lowrank_multivariate_normal".into(),
        "OneHotCategoricalStraightThrough" => return "one_hot_categorical".into(),
        "LogitRelaxedBernoulli" => return "relaxed_bernoulli".into(),
        "ExpRelaxedCategorical" | "RelaxedOneHotCategorical" => return "relaxed_categorical".into(),
        _ => {}
    }
    let mut name = String::new();
    for (i, c) in class.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// A shape in Python's tuple notation.
pub(crate) fn tuple(shape: &[usize]) -> String {
    match shape {
        [n] => format!("({n},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn size(shape: &[usize]) -> String {
    flambeau_tensor::print::format_size(shape)
}

pub(crate) fn shape_of(shape: impl IntoShape) -> Vec<usize> {
    let dims = shape.into_dims();
    match dims.iter().find(|&&d| d < 0) {
        Some(d) => fail::other(format!("Trying to create tensor with negative dimension {d}: {dims:?}")),
        None => dims.iter().map(|&d| d as usize).collect(),
    }
}

/// Checks the arguments of a new distribution, where it does so.
pub(crate) fn check_arguments(d: &dyn Distribution) {
    if !d.frame().validates() {
        return;
    }
    for a in d.arguments() {
        if a.constraint.is_dependent() {
            continue;
        }
        let (Held::Own(value) | Held::Computed(value)) = &a.held else { continue };
        if !all(&a.constraint.check(value)) {
            fail::value(format!(
                "Expected parameter {} (Tensor of shape {}) of distribution {} to satisfy the constraint {}, but found invalid \
                 values:\n{}",
                a.name,
                tuple(&value.size()),
                d.repr(),
                a.constraint,
                text(value)
            ));
        }
    }
}

fn all(valid: &Tensor) -> bool {
    valid.all().item_as::<bool>()
}

/// What can be done with every distribution. Python's `d.log_prob(x)`.
impl dyn Distribution {
    /// Whether distributions made from now on check their arguments: [`set_default_validate_args`].
    ///
    /// ```
    /// use torch::distributions::Distribution;
    /// <dyn Distribution>::set_default_validate_args(true);
    /// ```
    pub fn set_default_validate_args(value: bool) {
        set_default_validate_args(value);
    }

    /// The shape over which parameters are batched: `d.batch_shape`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// assert_eq!(Normal::new(torch::zeros((2, 3)), 1.0).batch_shape(), [2, 3]);
    /// ```
    pub fn batch_shape(&self) -> Size {
        Size::from(self.frame().batch())
    }

    /// The shape of one sample: `d.event_shape`.
    ///
    /// ```
    /// use torch::distributions::Dirichlet;
    /// assert_eq!(Dirichlet::new(torch::ones((2, 3))).event_shape(), [3]);
    /// ```
    pub fn event_shape(&self) -> Size {
        Size::from(self.frame().event())
    }

    /// What the arguments have to satisfy, by name: `d.arg_constraints`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// let constraints = Normal::new(0.0, 1.0).arg_constraints();
    /// assert_eq!((constraints[1].0, constraints[1].1.to_string()), ("scale", "GreaterThan(lower_bound=0.0)".into()));
    /// ```
    pub fn arg_constraints(&self) -> Vec<(&'static str, Constraint)> {
        self.arguments().into_iter().map(|a| (a.name, a.constraint)).collect()
    }

    /// A sample of the shape `batch_shape + event_shape`, without gradients: `d.sample()`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// torch::manual_seed(0);
    /// assert_eq!(Normal::new(torch::zeros(3), 1.0).sample().size(), [3]);
    /// ```
    #[track_caller]
    pub fn sample(&self) -> Tensor {
        at_caller(|| self.draw(&[]))
    }

    /// A sample of the shape `shape + batch_shape + event_shape`, without gradients: `d.sample(shape)`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// assert_eq!(Normal::new(torch::zeros(3), 1.0).sample_shape((5, 2)).size(), [5, 2, 3]);
    /// ```
    #[track_caller]
    pub fn sample_shape(&self, shape: impl IntoShape) -> Tensor {
        at_caller(|| self.draw(&shape_of(shape)))
    }

    /// `n` samples along a new first dimension: `d.sample_n(n)`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// assert_eq!(Normal::new(0.0, 1.0).sample_n(4).size(), [4]);
    /// ```
    #[track_caller]
    pub fn sample_n(&self, n: usize) -> Tensor {
        at_caller(|| self.draw(&[n]))
    }

    /// A sample whose gradients reach the parameters: `d.rsample()`.
    ///
    /// # Panics
    /// Where the distribution has no such samples: see `has_rsample`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// let loc = torch::tensor(1.0).requires_grad_(true);
    /// Normal::new(&loc, 1.0).rsample().backward();
    /// assert_eq!(loc.grad().unwrap().item(), 1.0);
    /// ```
    #[track_caller]
    pub fn rsample(&self) -> Tensor {
        at_caller(|| self.draw_reparameterized(&[]))
    }

    /// A sample of the shape `shape + batch_shape + event_shape` whose gradients reach the parameters: `d.rsample(shape)`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// assert_eq!(Normal::new(torch::zeros(3), 1.0).rsample_shape((5,)).size(), [5, 3]);
    /// ```
    #[track_caller]
    pub fn rsample_shape(&self, shape: impl IntoShape) -> Tensor {
        at_caller(|| self.draw_reparameterized(&shape_of(shape)))
    }

    /// The logarithm of the density, or of the probability, at a value: `d.log_prob(value)`.
    ///
    /// # Panics
    /// When the value does not fit the shapes or lies outside the support, unless `validate_args` is off.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// let log_prob = Normal::new(0.0, 1.0).log_prob(torch::tensor(0.0));
    /// assert!((log_prob.item() + 0.9189385).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn log_prob(&self, value: impl AsTensor) -> Tensor {
        at_caller(|| self.log_prob_of(value.as_tensor()))
    }

    /// [`log_prob`](<dyn Distribution>::log_prob) within the library.
    pub(crate) fn log_prob_of(&self, value: &Tensor) -> Tensor {
        if self.checks_log_prob() && self.frame().validates() {
            self.validate_sample(value);
        }
        self.log_density(value)
    }

    /// The probability of values up to this one: `d.cdf(value)`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// assert_eq!(Normal::new(0.0, 1.0).cdf(torch::tensor(0.0)).item(), 0.5);
    /// ```
    #[track_caller]
    pub fn cdf(&self, value: impl AsTensor) -> Tensor {
        at_caller(|| self.cdf_of(value.as_tensor()))
    }

    /// [`cdf`](<dyn Distribution>::cdf) within the library.
    pub(crate) fn cdf_of(&self, value: &Tensor) -> Tensor {
        if self.checks_cdf() && self.frame().validates() {
            self.validate_sample(value);
        }
        self.cumulative(value)
    }

    /// The value up to which the values have this probability, the inverse of `cdf`: `d.icdf(value)`.
    ///
    /// ```
    /// use torch::distributions::Uniform;
    /// assert_eq!(Uniform::new(0.0, 4.0).icdf(torch::tensor(0.25)).item(), 1.0);
    /// ```
    #[track_caller]
    pub fn icdf(&self, value: impl AsTensor) -> Tensor {
        at_caller(|| self.quantile(value.as_tensor()))
    }

    /// e to the power of the entropy: `d.perplexity()`.
    ///
    /// ```
    /// use torch::distributions::Categorical;
    /// let dice = Categorical::new(torch::ones(6));
    /// assert!((dice.perplexity().item() - 6.0).abs() < 1e-5);
    /// ```
    #[track_caller]
    pub fn perplexity(&self) -> Tensor {
        at_caller(|| self.entropy().exp())
    }

    /// All values that a discrete distribution can take, along a new first dimension: `d.enumerate_support()`.
    ///
    /// ```
    /// use torch::distributions::Bernoulli;
    /// assert_eq!(Bernoulli::new(0.5).enumerate_support().to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn enumerate_support(&self) -> Tensor {
        at_caller(|| self.enumerate(true))
    }

    /// All values, with ones in the place of the batch's dimensions: `d.enumerate_support(expand=False)`.
    ///
    /// ```
    /// use torch::distributions::Bernoulli;
    /// let coins = Bernoulli::new(torch::tensor([0.5, 0.1]));
    /// assert_eq!(coins.enumerate_support_expand(false).size(), [2, 1]);
    /// ```
    #[track_caller]
    pub fn enumerate_support_expand(&self, expand: bool) -> Tensor {
        at_caller(|| self.enumerate(expand))
    }

    /// The distribution with its parameters expanded to another batch shape: `d.expand(shape)`. Distributions have a method of
    /// this name of their own, which keeps their type.
    ///
    /// ```
    /// use torch::distributions::{Distribution, Normal};
    /// let d: &dyn Distribution = &Normal::new(0.0, 1.0);
    /// assert_eq!(d.expand_dyn((2, 3)).batch_shape(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn expand_dyn(&self, batch_shape: impl IntoShape) -> Arc<dyn Distribution> {
        at_caller(|| self.expand_batch(&shape_of(batch_shape)))
    }

    /// Checks that a value fits the shapes and lies in the support, in PyTorch's words.
    pub(crate) fn validate_sample(&self, value: &Tensor) {
        let frame = self.frame();
        let (actual, event) = (value.size(), frame.event());
        // Python's slices take a start below 0 from the end.
        let start = actual.len().saturating_sub(event.len());
        if actual[start..] != *event {
            fail::value(format!("The right-most size of value must match event_shape: {actual} vs {}.", size(event)));
        }
        let expected = frame.extended(&[]);
        for (&i, &j) in actual.iter().rev().zip(expected.iter().rev()) {
            if i != 1 && j != 1 && i != j {
                fail::value(format!(
                    "Value is not broadcastable with batch_shape+event_shape: {actual} vs {}.",
                    size(&expected)
                ));
            }
        }
        let support = self.support();
        if !all(&support.check(value)) {
            fail::value(format!(
                "Expected value argument (Tensor of shape {}) to be within the support ({support}) of the distribution {}, but \
                 found invalid values:\n{}",
                tuple(&actual),
                self.repr(),
                text(value)
            ));
        }
    }
}

impl fmt::Display for dyn Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

impl fmt::Debug for dyn Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// What can be given where a distribution is held by another: one of any kind, or one behind a pointer.
pub trait IntoDistribution {
    /// The distribution.
    fn into_distribution(self) -> Arc<dyn Distribution>;
}

impl<D: Distribution> IntoDistribution for D {
    fn into_distribution(self) -> Arc<dyn Distribution> {
        Arc::new(self)
    }
}

impl IntoDistribution for Arc<dyn Distribution> {
    fn into_distribution(self) -> Arc<dyn Distribution> {
        self
    }
}

impl IntoDistribution for Box<dyn Distribution> {
    fn into_distribution(self) -> Arc<dyn Distribution> {
        self.into()
    }
}

/// A distribution whose density is h(x) e^(θ·t(x) − A(θ)): `torch.distributions.ExponentialFamily`.
///
/// ```
/// use torch::distributions::{ExponentialFamily, Gamma};
/// fn family(_: &impl ExponentialFamily) {}
/// family(&Gamma::new(1.0, 1.0));
/// ```
pub trait ExponentialFamily: Distribution {}
