//! One format for all elements of a tensor.

use super::number::{fixed, scientific};
use super::options::PrintOptions;
use crate::Scalar;

/// How the elements of one tensor are written: PyTorch's `_Formatter`.
pub(super) struct Formatter {
    /// Floats that are all whole numbers print as `1.`.
    int_mode: bool,
    sci_mode: bool,
    precision: usize,
    /// The width that elements are padded to.
    pub width: usize,
}

impl Formatter {
    /// The format for these values, the ones that will be shown.
    pub(super) fn new(values: &[Scalar], options: &PrintOptions) -> Self {
        let mut formatter = Self { int_mode: true, sci_mode: false, precision: options.precision, width: 1 };
        // Only finite numbers other than zero decide on the format and the width of floats.
        let decides = |value: &&Scalar| match value {
            Scalar::Float(x) => x.is_finite() && *x != 0.0,
            Scalar::Int(_) | Scalar::Bool(_) => true,
        };
        let deciding = || values.iter().filter(decides);
        let (mut min, mut max) = (f64::INFINITY, 0.0_f64);
        for value in deciding() {
            if let Scalar::Float(x) = value {
                min = min.min(x.abs());
                max = max.max(x.abs());
                formatter.int_mode &= *x == x.ceil();
            }
        }
        if max > 0.0 {
            let needs_exponent = max / min > 1000.0 || max > 1.0e8 || min < 1.0e-4;
            formatter.sci_mode = options.sci_mode.unwrap_or(needs_exponent);
        }
        formatter.width = deciding().map(|value| formatter.text(*value).len()).max().unwrap_or(1);
        formatter
    }

    /// The element, padded on the left.
    pub(super) fn format(&self, value: Scalar) -> String {
        format!("{:>width$}", self.text(value), width = self.width)
    }

    fn text(&self, value: Scalar) -> String {
        match value {
            Scalar::Bool(b) => if b { "True" } else { "False" }.into(),
            Scalar::Int(i) => i.to_string(),
            Scalar::Float(x) if self.sci_mode => scientific(x, self.precision),
            Scalar::Float(x) if self.int_mode => {
                let point = if x.is_finite() { "." } else { "" };
                fixed(x, 0) + point
            }
            Scalar::Float(x) => fixed(x, self.precision),
        }
    }
}
