//! The windows of a pooling: PyTorch's checks, in its order and words, and the output's lengths.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::window::{Sizes, per_dim, three};
use flambeau_tensor::backend::PoolGeometry;
use smallvec::SmallVec;

/// What a call says of its windows; `None` as stride stands for the kernel.
pub(super) struct Windows<'a> {
    pub name: &'static str,
    pub kernel: &'a [i64],
    pub stride: Option<&'a [i64]>,
    pub padding: &'a [i64],
    pub dilation: &'a [i64],
    pub ceil_mode: bool,
}

/// How many windows lie along a dimension: as many as fit, and with `ceil_mode` one more where some of it lies inside the
/// input or the padding before it.
pub(super) fn output_length(
    n: usize,
    kernel: i64,
    stride: i64,
    padding: i64,
    dilation: i64,
    ceil_mode: bool,
) -> Result<i64> {
    if stride == 0 {
        return Err(Error::runtime("stride should not be zero"));
    }
    if padding < 0 {
        return Err(Error::runtime(format!("pad must be non-negative, but got pad: {padding}")));
    }
    let span = (kernel.wrapping_sub(1)).checked_mul(dilation).and_then(|s| s.checked_add(1)).ok_or_else(|| {
        Error::runtime(format!("effective kernel size overflows, but got kernel_size={kernel} and dilation={dilation}"))
    })?;
    if padding > span / 2 {
        return Err(Error::runtime(format!(
            "pad should be at most half of effective kernel size, but got pad={padding}, kernel_size={kernel} and \
             dilation={dilation}"
        )));
    }
    let (n, wide) = (n as i128, |x: i64| i128::from(x));
    let room = n + 2 * wide(padding) - wide(span) + if ceil_mode { wide(stride) - 1 } else { 0 };
    let mut length = room.div_euclid(wide(stride)) + 1;
    if ceil_mode && (length - 1) * wide(stride) >= n + wide(padding) {
        length -= 1;
    }
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

impl Windows<'_> {
    /// The geometry and the output's spatial lengths for two or three spatial dimensions.
    pub(super) fn check(&self, x: &Tensor, ndim: usize, average: bool) -> Result<(PoolGeometry, SmallVec<[usize; 3]>)> {
        let count = if ndim == 2 { "two" } else { "three" };
        let list = |what: &str, sizes: &[i64], rule: &str| {
            let message = || format!("{}: {what} must {rule} a single int, or a tuple of {count} ints", self.name);
            per_dim(sizes, ndim, message)
        };
        let kernel = list("kernel_size", self.kernel, "either be")?;
        let stride = match self.stride {
            None => kernel.clone(),
            Some(stride) => list("stride", stride, "either be omitted,")?,
        };
        let padding = list("padding", self.padding, "either be")?;
        let dilation = list("dilation", self.dilation, "be either")?;
        let shape = x.size();
        if shape.len() != ndim + 1 && shape.len() != ndim + 2 {
            // Two-dimensional averages look at the channels before they count the dimensions.
            if average && ndim == 2 && shape.len() < 3 {
                flambeau_tensor::dims::wrap_dim(-3, shape.len())?;
            }
            return Err(Error::runtime(format!(
                "non-empty {}D or {}D (batch mode) tensor expected for input",
                ndim + 1,
                ndim + 2
            )));
        }
        let spatial = &shape[shape.len() - ndim..];
        let mut out = Sizes::new();
        for d in 0..ndim {
            out.push(output_length(spatial[d], kernel[d], stride[d], padding[d], dilation[d], self.ceil_mode)?);
        }
        positive("kernel size", "k", &kernel)?;
        positive("stride", "d", &stride)?;
        positive("dilation", "dilation", &dilation)?;
        check_lengths(&shape, ndim)?;
        let small = spatial.iter().zip(&kernel).zip(&padding).any(|((&n, k), p)| n as i64 + 2 * p < *k);
        if average && ndim == 3 && small && !self.ceil_mode {
            let lengths: Sizes = spatial.iter().map(|&n| n as i64).collect();
            return Err(Error::runtime(format!(
                "input image ({}) smaller than kernel size ({})",
                named("", &lengths),
                named("k", &kernel)
            )));
        }
        if out.iter().any(|&n| n < 1) {
            let channels = shape[shape.len() - ndim - 1] as i64;
            let product = |sizes: &mut dyn Iterator<Item = i64>| {
                std::iter::once(channels).chain(sizes).map(|n| n.to_string()).collect::<Vec<_>>().join("x")
            };
            return Err(Error::runtime(format!(
                "Given input size: ({}). Calculated output size: ({}). Output size is too small",
                product(&mut spatial.iter().map(|&n| n as i64)),
                product(&mut out.iter().copied())
            )));
        }
        let geometry = PoolGeometry {
            ndim,
            kernel: three(&kernel, 1),
            stride: three(&stride, 1),
            padding: three(&padding, 0),
            dilation: three(&dilation, 1),
        };
        Ok((geometry, out.iter().map(|&n| n as usize).collect()))
    }
}

/// `kT: 2 kH: 2 kW: 2`
fn named(prefix: &str, sizes: &[i64]) -> String {
    let names = &["T", "H", "W"][3 - sizes.len()..];
    names.iter().zip(sizes).map(|(n, v)| format!("{prefix}{n}: {v}")).collect::<Vec<_>>().join(" ")
}

fn positive(what: &str, prefix: &str, sizes: &[i64]) -> Result<()> {
    match sizes.iter().all(|&n| n > 0) {
        true => Ok(()),
        false => Err(Error::runtime(format!("{what} should be greater than zero, but got {}", named(prefix, sizes)))),
    }
}

/// Only the batch may be empty.
fn check_lengths(shape: &[usize], ndim: usize) -> Result<()> {
    let first = shape.len() - ndim - 1;
    let Some(empty) = shape[first..].iter().position(|&n| n == 0) else { return Ok(()) };
    Err(Error::runtime(match ndim {
        2 => {
            format!("Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{shape:?}")
        }
        _ => format!(
            "Expected input's non-batch dimensions to have positive length, but input has a shape of {shape:?} and \
             non-batch dimension {} has length zero!",
            first + empty
        ),
    }))
}
