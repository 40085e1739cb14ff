//! The windows of a pooling: PyTorch's checks, in its order and words, and the output's lengths.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::nn::window::{Sizes, per_dim, three};
use flambeau_tensor::backend::PoolGeometry;
use smallvec::SmallVec;

/// What a call says of its windows; `None` as stride stands for the kernel.
pub(super) struct Windows<'a> {
    pub name: &'static str,
    /// What PyTorch's messages of empty volumes call the function.
    pub volume_name: &'static str,
    /// Whether it is the mean, whose checks come in another order.
    pub average: bool,
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
    /// Only the batch may be empty.
    fn check_lengths(&self, shape: &[usize], fits: bool, ndim: usize) -> Result<()> {
        let first = usize::from(shape.len() == ndim + 2);
        let empty = shape[first..].iter().position(|&n| n == 0);
        if fits && empty.is_none() {
            return Ok(());
        }
        if ndim == 2 {
            return Err(Error::runtime(format!(
                "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{shape:?}"
            )));
        }
        empty_dim(self.volume_name, "input", shape, first)
    }

    /// The geometry and the output's spatial lengths for two or three spatial dimensions.
    pub(super) fn check(&self, x: &Tensor, ndim: usize) -> Result<(PoolGeometry, SmallVec<[usize; 3]>)> {
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
        let fits = shape.len() == ndim + 1 || shape.len() == ndim + 2;
        // The plane's mean looks at the channels first and counts the dimensions last.
        if self.average && ndim == 2 {
            flambeau_tensor::dims::wrap_dim(-3, shape.len())?;
        } else if !fits {
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
        self.check_lengths(&shape, fits, ndim)?;
        if padding.iter().zip(&kernel).any(|(p, k)| *p > k / 2) {
            return Err(wide_padding(&padding, &kernel));
        }
        if self.average && ndim == 3 && spatial.iter().zip(&kernel).any(|(&n, k)| (n as i64) < *k) {
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

/// Refuses a length of zero from the dimension `first` on, in the words that PyTorch's poolings share.
pub(super) fn empty_dim(function: &str, what: &str, shape: &[usize], first: usize) -> Result<()> {
    match shape[first..].iter().position(|&n| n == 0) {
        None => Ok(()),
        Some(d) => Err(Error::runtime(format!(
            "{function}(): Expected {what} to have non-zero size for non-batch dimensions, but {what} has sizes {shape:?} with \
             dimension {} being empty",
            first + d
        ))),
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

/// PyTorch checks padding twice: against the dilated window, and against the kernel itself.
fn wide_padding(padding: &[i64], kernel: &[i64]) -> Error {
    let list = |order: &[usize], name: &str, between: &str, sizes: &[i64]| {
        let names = &["T", "H", "W"][3 - sizes.len()..];
        order.iter().map(|&d| format!("{name}{}{between}{}", names[d], sizes[d])).collect::<Vec<_>>()
    };
    let message = match kernel.len() {
        2 => [list(&[1, 0], "pad", " = ", padding), list(&[1, 0], "k", " = ", kernel)].concat().join(", "),
        _ => [list(&[0, 2, 1], "k", ": ", kernel), list(&[0, 2, 1], "pad", ": ", padding)].concat().join(" "),
    };
    Error::runtime(format!("pad should be smaller than or equal to half of kernel size, but got {message}"))
}
