//! Histograms as `numpy.histogram` counts them, and what `torch.utils.tensorboard` makes of them.

mod estimate;

use crate::wire::Message;
use flambeau_tensor::print::py_float;
use std::sync::LazyLock;

/// How a histogram's bins are made: the `bins` of `add_histogram`. A name (`"tensorflow"`, `"auto"`, `"fd"`, `"doane"`, `"scott"`,
/// `"stone"`, `"rice"`, `"sturges"`, `"sqrt"`), a number of bins of equal width, or the bins' edges.
#[derive(Clone, Debug, PartialEq)]
pub enum Bins {
    /// A rule of NumPy's, or `tensorflow`: edges that grow by a tenth, from 10⁻¹² to 10²⁰, of both signs.
    Named(String),
    /// So many bins of equal width from the least to the largest value.
    Count(i64),
    /// The edges.
    Edges(Vec<f64>),
}

impl From<&str> for Bins {
    fn from(name: &str) -> Self {
        Bins::Named(name.to_owned())
    }
}

impl From<i64> for Bins {
    fn from(count: i64) -> Self {
        Bins::Count(count)
    }
}

impl From<i32> for Bins {
    fn from(count: i32) -> Self {
        Bins::Count(count.into())
    }
}

impl From<usize> for Bins {
    fn from(count: usize) -> Self {
        Bins::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Vec<f64>> for Bins {
    fn from(edges: Vec<f64>) -> Self {
        Bins::Edges(edges)
    }
}

impl From<&[f64]> for Bins {
    fn from(edges: &[f64]) -> Self {
        Bins::Edges(edges.to_vec())
    }
}

impl<const N: usize> From<[f64; N]> for Bins {
    fn from(edges: [f64; N]) -> Self {
        Bins::Edges(edges.to_vec())
    }
}

/// The edges of `tensorflow`.
static DEFAULT: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let positive = std::iter::successors(Some(1e-12), |v| Some(v * 1.1)).take_while(|v| *v < 1e20);
    let positive: Vec<f64> = positive.collect();
    positive.iter().rev().map(|v| -v).chain([0.0]).chain(positive.iter().copied()).collect()
});

/// How many values lie between neighbouring edges; the last bin has its upper edge in it.
type Counted = (Vec<f64>, Vec<f64>);

/// `numpy.histogram(values, bins)`.
#[track_caller]
fn count(values: &[f64], bins: &Bins) -> Counted {
    match bins {
        Bins::Named(name) if name == "tensorflow" => between(values, &DEFAULT),
        Bins::Named(name) => {
            assert!(estimate::NAMES.contains(&&name[..]), "'{name}' is not a valid estimator for `bins`");
            let (low, high) = outer(values);
            let width = estimate::width(name, values);
            let bins = if width == 0.0 { 1.0 } else { ((high - low) / width).ceil() };
            equal(values, low, high, bins as i64)
        }
        Bins::Count(n) => {
            assert!(*n >= 1, "`bins` must be positive, when an integer");
            let (low, high) = outer(values);
            equal(values, low, high, *n)
        }
        Bins::Edges(edges) => {
            assert!(edges.is_sorted(), "`bins` must increase monotonically, when an array");
            between(values, edges)
        }
    }
}

/// The least and the largest value, half a unit apart from each other's side where they are the same.
#[track_caller]
fn outer(values: &[f64]) -> (f64, f64) {
    let (low, high) = (least(values), largest(values));
    let finite = low.is_finite() && high.is_finite();
    assert!(finite, "autodetected range of [{}, {}] is not finite", py_float(low), py_float(high));
    if low == high { (low - 0.5, high + 0.5) } else { (low, high) }
}

/// The least value, or NaN where there is one.
fn least(values: &[f64]) -> f64 {
    values.iter().fold(f64::INFINITY, |least, &x| if x < least || x.is_nan() { x } else { least })
}

/// The largest value, or NaN where there is one.
fn largest(values: &[f64]) -> f64 {
    -values.iter().fold(f64::INFINITY, |least, &x| if -x < least || x.is_nan() { -x } else { least })
}

/// Bins of any widths. Not a number is in none of them.
fn between(values: &[f64], edges: &[f64]) -> Counted {
    let mut counts = vec![0.0; edges.len().saturating_sub(1)];
    let Some(&last) = edges.last() else { return (counts, Vec::new()) };
    for &x in values {
        let at = if x == last { counts.len() } else { edges.partition_point(|edge| *edge <= x) };
        // Before the first edge and behind the last one are no bins.
        if at > 0 && at <= counts.len() && !x.is_nan() {
            counts[at - 1] += 1.0;
        }
    }
    (counts, edges.to_vec())
}

/// `n` bins of equal width, found by a division that is corrected where it rounds over an edge.
#[track_caller]
fn equal(values: &[f64], low: f64, high: f64, n: i64) -> Counted {
    let bins = n as f64;
    let step = (high - low) / bins;
    let mut edges: Vec<f64> = (0..n).map(|i| i as f64 * step + low).collect();
    edges.push(high);
    assert!(
        edges.windows(2).all(|pair| pair[0] < pair[1]),
        "Too many bins for data range. Cannot create {n} finite-sized bins."
    );
    let mut counts = vec![0.0; n as usize];
    for &x in values.iter().filter(|x| (low..=high).contains(*x)) {
        let mut at = ((x - low) / (high - low) * bins) as usize;
        if at == counts.len() {
            at -= 1;
        }
        if x < edges[at] {
            at -= 1;
        }
        if x >= edges[at + 1] && at != counts.len() - 1 {
            at += 1;
        }
        counts[at] += 1.0;
    }
    (counts, edges)
}

/// The sum as NumPy has it: of halves, down to 128 numbers, which go to eight sums.
pub(crate) fn pairwise_sum(values: &[f64]) -> f64 {
    match values.len() {
        0..8 => values.iter().fold(-0.0, |sum, x| sum + x),
        8..=128 => {
            let (eights, rest) = values.as_chunks::<8>();
            let mut sums = eights[0];
            for eight in &eights[1..] {
                sums.iter_mut().zip(eight).for_each(|(sum, x)| *sum += x);
            }
            let [a, b, c, d, e, f, g, h] = sums;
            rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, x| sum + x)
        }
        n => {
            let half = n / 2 - n / 2 % 8;
            pairwise_sum(&values[..half]) + pairwise_sum(&values[half..])
        }
    }
}

/// Merges neighbouring bins, so that there are about `most`.
fn subsample(counts: &[f64], limits: &[f64], most: usize) -> Counted {
    let by = counts.len() / most;
    let merged = counts.chunks(by).map(|part| part.iter().sum()).collect();
    // All lower limits of the merged bins, and the last upper one.
    let mut kept: Vec<f64> = limits[..limits.len() - 1].iter().step_by(by).copied().collect();
    kept.extend(limits.last());
    (merged, kept)
}

/// A `HistogramProto` of the values, without the empty bins at both ends.
#[track_caller]
pub(crate) fn proto(values: &[f64], bins: &Bins, max_bins: Option<i64>) -> Message {
    assert!(!values.is_empty(), "The input has no element.");
    let (mut counts, mut limits) = count(values, bins);
    if let Some(most) = max_bins {
        let most = usize::try_from(most).unwrap_or(0);
        if counts.len() > most {
            assert!(most > 0, "integer division or modulo by zero");
            (counts, limits) = subsample(&counts, &limits, most);
        }
    }
    let first = counts.iter().position(|&n| n > 0.0);
    let last = counts.iter().rposition(|&n| n > 0.0);
    let (Some(first), Some(last)) = (first, last) else { panic!("The histogram is empty, please file a bug report.") };
    // TensorBoard has upper limits only: an empty bin on the left tells where the first one begins.
    let mut bucket = vec![0.0];
    bucket.extend(&counts[first..=last]);
    let squares: Vec<f64> = values.iter().map(|x| x * x).collect();
    Message::new()
        .double(1, least(values))
        .double(2, largest(values))
        .double(3, values.len() as f64)
        .double(4, pairwise_sum(values))
        .double(5, pairwise_sum(&squares))
        .doubles(6, limits[first..=last + 1].iter().copied())
        .doubles(7, bucket)
}
